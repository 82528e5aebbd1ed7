//! What the screen asks the stores for beyond what memory holds, and what it gets.

use crosstail_core::filter::{Field, Predicate};
use crosstail_core::model::{Activity, Id, SourceId, Timestamp};
use crosstail_engine::store::Facet;
use crosstail_engine::window::{Bounds, Interval};
use crosstail_source::{Groups, PushDown};
use tokio::sync::oneshot;

/// What something is read for. A newer one of the same purpose ends the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadPurpose {
    /// To hold the range of a source, at a pace that leaves the store its work.
    Fill(SourceId),
    /// What the filter keeps of a source.
    Search(SourceId),
    /// What is around a moment that is to be shown.
    Around,
    /// The next failure in a direction.
    Failure,
    /// Whether there is something outside the range.
    Beyond,
    /// Payloads of activities that changed.
    Changed,
}

/// A question for activities.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadQuery {
    /// What for.
    pub purpose: ReadPurpose,
    /// Text of the filter; empty for everything.
    pub filter: String,
    /// What to read, in this order. Sources are read side by side, the pieces of one after the other.
    pub pieces: Vec<Piece>,
}

/// A stretch of a source's time.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub source: SourceId,
    /// Its time.
    pub interval: Interval,
    /// From its end to its start, or the other way.
    pub newest_first: bool,
    /// Whether it ends, and all later ones of its source, once so many activities have been found.
    pub enough: usize,
    /// Only these activities, of which memory holds everything but their payloads.
    pub of: Vec<Activity>,
}

/// How the past of a source without order is read to fill memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtOnce {
    /// By pages: it is too much, or nobody knows how much it is.
    No,
    /// Once, though memory cannot hold all of it: the newest stays.
    Newest,
    /// Once, all of it.
    Whole,
}

/// A part of the answer, of one source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadPart {
    pub source: SourceId,
    /// What was found, and what other sources have of the same requests.
    pub items: Vec<Activity>,
    /// Start and id of what was found, once the activities are in memory.
    pub found: Vec<(Timestamp, Id)>,
    /// Those of them that are known to match by their payload.
    pub matching: Vec<Id>,
    /// The failed attempts of which every other attempt has been delivered.
    pub looked_up: Vec<Id>,
    /// The time of which everything that the filter keeps has been delivered with this part.
    pub covered: Option<Interval>,
    /// Whether an index of the store answers the filter; `None` while that is not known.
    pub indexed: Option<bool>,
    /// Whether the source reads it at once, in its own order: then what is covered is known at its end.
    pub at_once: Option<AtOnce>,
    /// How the filter was divided.
    pub push_down: Option<PushDown>,
    /// The source has nothing more to deliver; or it failed, and why.
    pub end: Option<Result<(), String>>,
    /// Whether somebody ended the work of the source: it does not go on by itself.
    pub is_cancelled: bool,
}

/// A question for counts over a time that memory does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountQuery {
    /// Text of the filter; empty for everything.
    pub filter: String,
    /// The times.
    pub intervals: Vec<Interval>,
    /// Width of a bucket in microseconds; buckets start at multiples of it since the epoch.
    pub bucket_us: i64,
    /// Whether it is for the filter, or for the total without one.
    pub filtered: bool,
    /// Whether an estimate is enough where counting takes long.
    pub is_estimate_enough: bool,
}

/// What a report is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRange {
    /// Text of the filter; empty for everything.
    pub filter: String,
    pub bounds: Bounds,
    /// Whether memory holds all of it, and what became of it.
    pub is_held: bool,
}

/// A question for what memory holds, which would otherwise be read from the stores again.
#[derive(Debug)]
pub struct HeldQuery {
    pub predicate: Predicate,
    pub bounds: Bounds,
    /// Who asks.
    pub answer: oneshot::Sender<HeldPage>,
}

/// Some of what memory holds, the newest first.
#[derive(Debug)]
pub struct HeldPage {
    pub items: Vec<Activity>,
    /// The rest started before this time; `None` where there is none.
    pub rest: Option<Timestamp>,
}

/// A question for the values of fields over a time that memory does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesQuery {
    /// Text of the filter; empty for everything.
    pub filter: String,
    /// The times; none ends counting.
    pub intervals: Vec<Interval>,
    /// The fields.
    pub fields: Vec<Field>,
    /// Who asks: a newer question of the same purpose ends the older one.
    pub purpose: ValuesPurpose,
}

/// What values are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValuesPurpose {
    /// The facets.
    Facets,
    /// What tells failures from the rest: what is still open is not counted.
    Contrast,
}

/// The values of fields in one source.
#[derive(Debug, Clone, PartialEq)]
pub struct ValuesPart {
    pub source: SourceId,
    /// Each field with its values: how many activities, how many failures. Without the fields that the store cannot count.
    /// Or why it could not count.
    pub values: Result<Vec<(Field, Vec<Facet>)>, String>,
    /// How many activities and failures there are.
    pub total: (u64, u64),
}

impl Default for ValuesPart {
    fn default() -> Self {
        Self { source: SourceId::default(), values: Ok(Vec::new()), total: (0, 0) }
    }
}

/// The answer of one source to a [`CountQuery`]. A better one may follow.
#[derive(Debug, Clone, PartialEq)]
pub struct CountPart {
    pub source: SourceId,
    /// Whether it is for the filter, or for the total without one.
    pub filtered: bool,
    /// What it has counted, or why it could not.
    pub counts: Result<Counts, String>,
}

/// What a source has counted.
#[derive(Debug, Clone, PartialEq)]
pub enum Counts {
    /// About so many activities, as the store estimates. `is_final`: nothing better follows.
    Estimate { count: u64, is_final: bool },
    /// So many activities; when they were and how many of them failed is still being counted.
    Total(u64),
    /// Activities by bucket; how many of them failed is still being counted.
    Times(Groups),
    /// Activities and failures by bucket.
    Outcomes(Groups),
}
