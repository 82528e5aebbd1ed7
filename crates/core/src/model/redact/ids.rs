//! Ids by which activities belong together, where such an id is a credential.

use super::{REDACTED, secret_ranges};
use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// Of this process, and kept nowhere: without it nothing is learned about an id from its number.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// An id without credentials. One that has any becomes `[REDACTED …]` with a number that equal ids share in this process: what
/// belongs together stays together, and what does not is not joined by a word.
pub fn redact_id(id: &str) -> Cow<'_, str> {
    if secret_ranges(id).is_empty() {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("{} {:016x}]", REDACTED.trim_end_matches(']'), KEY.hash_one(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_ids_are_numbered_and_others_stay() {
        for id in ["7f3a9c21-aaaa-4abc-8def-0123456789ab", "0af7651916cd43dd8448eb211c80319c", "PO-94116", "", "é"] {
            assert_eq!(redact_id(id), id);
        }
        let secret = |end: &str| ["note gh", "p_abcdefghijklmnopqrstuvwxyz01234567", end].concat();
        let (one, other) = (secret("89"), secret("88"));
        let safe = redact_id(&one);
        assert!(safe.starts_with("[REDACTED ") && safe.ends_with(']') && !safe.contains("abcdef"), "{safe}");
        assert_eq!(safe, redact_id(&one));
        assert_ne!(safe, redact_id(&other));
        assert_eq!(redact_id(&safe), safe, "twice");
    }
}
