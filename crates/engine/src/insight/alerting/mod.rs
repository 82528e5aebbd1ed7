//! Alerting: rules, their measurements, baselines, and the state machine of alerts. Pure functions; the time is an
//! argument.

mod baseline;
mod definition;
mod failures;
mod machine;
mod measure;
mod message;
mod metric;
mod objectives;
mod rule;
mod rules;
mod seen;

pub use baseline::{ActivityBaseline, Window};
pub use definition::RuleError;
pub use machine::{Alert, AlertChange, AlertState, Alerts, Evaluation, Silence, Transition};
pub use measure::behind;
pub use message::{described, group_text, length, reason};
pub use objectives::Objectives;
pub use rule::{
    ActivityMeasure, Group, Measured, MetricMeasure, OfActivities, OfMetric, Rule, Scope, Severity, Threshold,
    ValueUnit,
};
pub use rules::{Alerting, CATCH_UP_US, EVERY_US};
pub use seen::{EvaluationInput, SourceSnapshot};
