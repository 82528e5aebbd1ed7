//! Analysis of activities: retry chains, traces, health, comparisons, alerting. Pure functions over the model.

pub mod alerting;
mod body;
mod chain;
mod compare;
mod confidence;
mod contrast;
mod explain;
mod health;
mod http;
mod identify;
mod jq;
pub mod objective;
mod resend;
mod schema_fit;
mod sets;
mod stages;
mod tool;
mod trace;
mod transform;

pub use body::{BodyFormat, Embedded, FormattedBody, format_body, is_json_container, may_open, open_string};
pub use chain::{Chain, LinkedBy};
pub use compare::{Comparison, Difference, Section, SectionDiff, compare, successes_like};
pub use confidence::surely;
pub use contrast::{Contrast, Distinction, SYMPTOM_FIELDS, Subject, Tally};
pub use explain::{Policy, attempt, codes, describe_mapping};
pub use health::{Attempt, Baseline, Course, Health, HealthFigures, HealthInput, SystemHealth, Windows, per_minute};
pub use http::{header_meaning, size, status_meaning};
pub use identify::{Candidate, candidates};
pub use jq::jq;
pub use resend::{HeaderSource, Held, REQUEST_ID, RESEND_OF, Resend, SendSecrets};
pub use schema_fit::fit;
pub use sets::{PAYLOADS, SetContrast, SetCounts, Side};
pub use stages::{Stage, stages};
pub use tool::{Filled, Tool};
pub use trace::{Node, Trace};
pub use transform::{expression, transform};
