//! The data model: activities and what belongs to them. No I/O, no async.

mod activity;
#[cfg(any(test, feature = "testing"))]
pub mod arbitrary;
mod calendar;
mod catalogue;
mod diagnosis;
mod figures;
mod final_outcome;
mod id;
mod latencies;
mod merge;
mod names;
mod payload;
mod redact;
mod spelling;
mod stack;
mod thrown;
mod time;
mod trace;
mod visible;
mod vitals;
mod vocabulary;

pub use activity::is_failure;
pub use activity::{Activity, Locator, Place};
pub use calendar::Calendar;
pub use catalogue::{Catalogue, CatalogueEntry, EntryKind};
pub use chrono_tz::Tz;
pub use diagnosis::{Diagnosis, Grade, RETENTION_DAYS};
pub use figures::{Figures, Mean};
pub use final_outcome::FinalOutcome;
pub use id::Id;
pub use latencies::Latencies;
pub use merge::merge_by_id;
pub use names::{NameId, Names, SourceId};
pub use payload::{Body, ErrorDetail, Payload, PayloadPart, RawRecord, Side, Truncation};
#[cfg(any(test, feature = "testing"))]
pub use redact::planted;
pub use redact::{
    Explained, NearMiss, REDACTED, RedactionConfig, RedactionRule, Secret, configure_redaction, explained_json,
    explained_text, is_name_field, is_secret_entry, is_secret_field, is_secret_item, is_sensitive_name, is_value_field,
    name_beside, near_misses, redact_id, redact_json, redact_text, redact_whole, secret_ranges, secrets, show_no_value,
    show_value,
};
pub use spelling::{DayOrder, Spelled, Surroundings, leading_time, spelled_time};
pub use stack::{Frame, FrameKind, frames, library_runs, own_frame, place_of};
pub use thrown::{Thrown, exception, is_node_place, is_ruby_crash, thrown};
pub use time::{Clock, Timestamp, parse_timestamp};
pub use trace::{trace_of, trace_of_parent};
pub use visible::{is_hostile, visible, visible_line};
pub use vitals::{Check, Metric, MetricKind, Unit, Vitals};
pub use vocabulary::{Direction, HealthState, Kind, Level, Status};
