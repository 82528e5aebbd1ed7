//! Values that a user allows in the records of some sources: known from then on as what they are, wherever they are shown.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock};

/// Values that are kept; one more is hidden.
const MOST: usize = 100_000;

static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
/// Whether there are any.
static ANY: AtomicBool = AtomicBool::new(false);
/// By their hashes: the values themselves are nobody's business.
static SHOWN: LazyLock<RwLock<HashSet<u64>>> = LazyLock::new(RwLock::default);

/// From now on, a value is no secret in this process.
pub fn show_value(value: &str) {
    let hash = KEY.hash_one(value);
    if SHOWN.read().unwrap_or_else(PoisonError::into_inner).contains(&hash) {
        return;
    }
    let mut shown = SHOWN.write().unwrap_or_else(PoisonError::into_inner);
    if shown.len() < MOST {
        shown.insert(hash);
        ANY.store(true, Ordering::Release);
    }
}

/// Forgets all of them.
pub fn show_no_value() {
    ANY.store(false, Ordering::Release);
    SHOWN.write().unwrap_or_else(PoisonError::into_inner).clear();
}

pub(super) fn is_shown(value: &str) -> bool {
    ANY.load(Ordering::Acquire) && SHOWN.read().unwrap_or_else(PoisonError::into_inner).contains(&KEY.hash_one(value))
}
