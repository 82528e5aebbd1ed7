//! The tables that a store has to offer.

use crosstail_core::schema::Sketch;

/// A table, or a collection, and how well it fits what an activity is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOffer {
    /// As `--table` takes it.
    pub name: String,
    /// About how many rows it has; `None` where the store does not say.
    pub rows: Option<u64>,
    /// How much of an activity it has: the more, the better.
    pub fit: u32,
    /// Whether it is an activity more likely than anything else that has a time.
    pub is_likely: bool,
    /// What would be taken for what.
    pub taken: String,
}

impl TableOffer {
    /// A table by what was found out about it.
    pub fn new(name: &str, rows: Option<u64>, sketch: &Sketch) -> Self {
        let taken = sketch.summary();
        Self { name: name.to_owned(), rows, fit: sketch.score, is_likely: sketch.is_likely(), taken }
    }
}
