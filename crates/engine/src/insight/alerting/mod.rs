//! Alerts: rules, what they measure, what is usual, and what becomes of an alert over time. Pure functions of a clock.

mod definition;
mod machine;
mod message;
mod rule;
mod usual;

pub use definition::RuleError;
pub use machine::{Alert, AlertState, Alerts, Change, Evaluation, Silence, Turn};
pub use message::{group_text, reason};
pub use rule::{
    ActivityMeasure, Group, Measured, MetricMeasure, OfActivities, OfMetric, Rule, Scope, Severity, Threshold, Unit,
};
pub use usual::{Usual, Window};
