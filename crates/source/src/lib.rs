//! The contract of a source, the pump that runs one, and what the kinds share.
//!
//! `docs/contract.md` numbers what [`Source`] guarantees; `tests/all/conformance` checks every kind against it. A kind
//! is a crate that exports one [`Kind`].

#![warn(missing_docs)]

mod address;
pub mod alert;
mod answers;
mod caught;
pub mod cleanup;
pub mod combination;
pub mod create;
mod error;
mod event;
mod feed;
mod grouping;
mod job;
mod kind;
mod obedient;
mod offer;
mod open_rows;
mod page;
mod position;
mod probe;
pub mod pump;
mod pump_event;
pub mod read_ahead;
mod related;
mod scheduler;
pub mod series;
mod sink;
mod source;
pub mod sql;
mod table_rows;
mod taken;

pub use address::{percent_decoded, with_wildcard};
pub use answers::{ANSWER_BYTES, Answer, Expected, TooLarge};
pub use caught::{caught, caught_now, is_caught};
pub use error::{ErrorKind, SourceError, error_chain};
pub use event::{Closed, SourceEvent};
pub use grouping::{FiguresQuery, GroupKey, Grouping, Groups, Measures};
pub use job::{Budget, Job, JobState, Jobs, Priority, Stopped};
pub use kind::{
    BoxFuture, CommandLine, Endpoint, Kind, Kinds, Network, OpenCreator, OpenSource, OpenWriters, Run, SourceConfig,
    UnknownSchema, WriteOptions, Writing, as_it_is, claims_none, credentials,
};
pub use obedient::Obedient;
pub use offer::TableOffer;
pub use open_rows::OpenRows;
pub use page::{Cost, Cursor, Page, PageQuery, Part, PushDown};
pub use position::Position;
pub use probe::{Capabilities, Missing, Probe};
pub use related::{Related, RelatedKey, SharedId};
pub use scheduler::{Scheduler, Turn};
pub use sink::Sink;
pub use source::{Batches, Source, aggregate_locally, for_all, for_each};
pub use table_rows::TableRows;
pub use taken::Taken;
