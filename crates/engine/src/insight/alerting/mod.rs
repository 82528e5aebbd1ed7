//! Alerts: rules, what they measure, what is usual, and what becomes of an alert over time. Pure functions of a clock.

mod baseline;
mod definition;
mod machine;
mod message;
mod rule;

pub use baseline::{ActivityBaseline, Window};
pub use definition::RuleError;
pub use machine::{Alert, AlertChange, AlertState, Alerts, Evaluation, Silence, Transition};
pub use message::{group_text, reason};
pub use rule::{
    ActivityMeasure, Group, Measured, MetricMeasure, OfActivities, OfMetric, Rule, Scope, Severity, Threshold,
    ValueUnit,
};
