//! What activities tell together: retry chains, traces, health, what configuration explains. Pure functions over the model.

pub mod alerting;
mod body;
mod chain;
mod clue;
mod compare;
mod contrast;
mod explain;
mod fit;
mod flow;
mod health;
mod http;
mod jq;
mod stack;
mod trace;

pub use body::{Form, Inside, LaidOut, is_json_container, lay_out, may_open, open_string};
pub use chain::{Basis, Chain};
pub use clue::{Clue, clues};
pub use compare::{Comparison, Difference, Finding, Section, compare, successes_like};
pub use contrast::{Contrast, SAYING, Tally, Telling};
pub use explain::{Policy, attempt, codes, describe_mapping, expression, transform};
pub use fit::fit;
pub use flow::{Stage, stages};
pub use health::{Against, Health, Part, Reading, Span, SystemHealth, Try, error_kind};
pub use http::{header_meaning, size, status_meaning};
pub use jq::jq;
pub use stack::{Frame, FrameKind, frames, library_runs, own_frame};
pub use trace::{Node, Trace};
