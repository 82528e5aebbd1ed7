//! What is found in a text: what is hidden, and, where somebody asks why, what was nearly.

use std::ops::Range;

/// What looks as if it were a secret, and why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Its bytes.
    pub range: Range<usize>,
    /// What might have hidden it, as in [`super::Secret::rule`].
    pub rule: String,
    /// Why it stays, for people.
    pub why: &'static str,
}

/// What is found in a text, in any order.
#[derive(Debug, Default)]
pub(super) struct Findings<'r> {
    /// What is hidden, each with the rule.
    pub(super) hidden: Vec<(Range<usize>, &'r str)>,
    /// What was nearly; `None` where nobody asks.
    pub(super) kept: Option<Vec<NearMiss>>,
}

impl<'r> Findings<'r> {
    pub(super) fn hide(&mut self, range: Range<usize>, rule: &'r str) {
        self.hidden.push((range, rule));
    }

    pub(super) fn keep(&mut self, range: Range<usize>, rule: &str, why: &'static str) {
        if let Some(kept) = &mut self.kept
            && !range.is_empty()
        {
            kept.push(NearMiss { range, rule: rule.to_owned(), why });
        }
    }
}
