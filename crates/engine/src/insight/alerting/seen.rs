//! The input of an evaluation: the activities in memory and the sources.

use crate::store::Store;
use crosstail_core::filter::Context;
use crosstail_core::model::{Timestamp, Vitals};

/// The state of a source at one time.
pub struct SourceSnapshot<'a> {
    pub name: &'a str,
    /// When it became unreachable; `None` where it is reachable.
    pub unreachable_since: Option<Timestamp>,
    /// Its health and metrics.
    pub vitals: &'a Vitals,
}

/// The input of an evaluation.
pub struct EvaluationInput<'a> {
    /// The present time, and the time zone for filters.
    pub context: Context,
    /// Must hold the activities of the longest window of a rule.
    pub store: &'a Store,
    /// Activities that started later are ignored. When the present is evaluated, it is late enough to include those of
    /// clocks that are ahead.
    pub until: Timestamp,
    /// The store holds everything that has started since.
    pub held_from: Timestamp,
    pub sources: Vec<SourceSnapshot<'a>>,
}
