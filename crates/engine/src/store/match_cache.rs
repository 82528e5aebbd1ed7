//! Remembers which distinct texts match, so that each is tested once.

use super::symbols::Symbols;
use crosstail_core::filter::Pattern;
use std::sync::atomic::{AtomicU8, Ordering};

/// Results by the number of a text: 0 unknown, 1 yes, 2 no. A number beyond them is tested anew.
#[derive(Debug, Default)]
pub(super) struct MatchCache(Vec<AtomicU8>);

impl MatchCache {
    /// Has room for so many texts, of which nothing is known yet.
    pub(super) fn for_texts(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU8::new(0)).collect())
    }

    /// Tests all texts at once, where the patterns are literal.
    pub(super) fn of_all(symbols: &Symbols, patterns: &[Pattern]) -> Self {
        let mut all: Option<Vec<bool>> = None;
        for pattern in patterns {
            let Pattern::Contains(regex, literal) = pattern else { return Self::for_texts(symbols.len()) };
            let found = symbols.matching(regex, literal);
            match &mut all {
                None => all = Some(found),
                Some(all) => all.iter_mut().zip(found).for_each(|(any, found)| *any |= found),
            }
        }
        Self(all.unwrap_or_default().into_iter().map(|found| AtomicU8::new(if found { 1 } else { 2 })).collect())
    }

    /// Whether a text matches; tests it where that is not known.
    pub(super) fn ask(&self, number: u32, test: impl FnOnce() -> bool) -> bool {
        let Some(slot) = self.0.get(number as usize) else { return test() };
        match slot.load(Ordering::Relaxed) {
            1 => true,
            2 => false,
            _ => {
                let answer = test();
                slot.store(if answer { 1 } else { 2 }, Ordering::Relaxed);
                answer
            }
        }
    }
}
