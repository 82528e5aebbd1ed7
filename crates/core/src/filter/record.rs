//! The view of a record that predicates test.

use super::{Field, ValueType};
use crate::model::{Activity, FinalOutcome, Level, Names, Payload, Status, Timestamp, is_failure};

/// Something that a filter can test: an activity, or a row of the in-memory store.
pub trait Record {
    /// Whether `test` is true for any text of a field; `None` where the field is absent.
    fn text(&self, field: Field, test: &mut dyn FnMut(&str) -> bool) -> Option<bool>;
    /// The value of a [`ValueType::Number`] or [`ValueType::Duration`] field; durations are in microseconds.
    fn number(&self, field: Field) -> Option<f64>;
    /// The value of a [`ValueType::Time`] field.
    fn time(&self, field: Field) -> Option<Timestamp>;
    /// The value of a [`ValueType::Word`] field, as an index into its words.
    fn word(&self, field: Field) -> Option<u8>;
    /// The payload, where it is loaded.
    fn payload(&self) -> Option<&Payload>;
}

/// The index of the word that `is:` compares: ok, pending, failure.
pub fn outcome(status: Option<Status>, level: Option<Level>) -> u8 {
    if is_failure(status, level) { 2 } else { u8::from(status == Some(Status::InProgress)) }
}

/// Tests the pattern of a text: its words, and its id.
pub fn of_pattern(text: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
    // Without secrets, as patterns are shown and remembered.
    let masked = crate::mask::masked(&crate::model::redact_text(text));
    test(&masked) || test(&crate::mask::id_of(&masked))
}

/// An activity with the names of its sources, and its payload where it is loaded.
#[derive(Debug, Clone, Copy)]
pub struct NamedRecord<'a> {
    /// The activity to test.
    pub activity: &'a Activity,
    /// Names of sources and places.
    pub names: &'a Names,
    /// Its payload, where it is loaded.
    pub payload: Option<&'a Payload>,
}

impl Record for NamedRecord<'_> {
    fn text(&self, field: Field, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        let a = self.activity;
        let plain = match field {
            Field::System => &a.system,
            Field::Method => &a.method,
            Field::Endpoint => &a.endpoint,
            Field::Url => &a.url,
            Field::Message => &a.message,
            Field::Error => &a.error,
            Field::ErrorType => &a.error_type,
            Field::ErrorAt => &a.error_at,
            Field::Operation => &a.operation,
            Field::Entity => &a.entity,
            Field::Actor => &a.actor,
            Field::Correlation => &a.correlation_id,
            Field::Parent => &a.parent_request_id,
            Field::Organization => &a.organization,
            Field::Tags => return a.tags.as_deref().map(|tags| tags.split(", ").any(test)),
            Field::Pattern => return a.said().map(|text| of_pattern(text, test)),
            Field::Id => return Some(test(&a.id.to_string())),
            Field::Request => return a.request_id.as_ref().map(|id| test(&id.to_string())),
            Field::Source => {
                return Some(
                    a.places
                        .iter()
                        .any(|place| test(&self.names.source_name(place.source)) || test(&place.label(self.names))),
                );
            }
            _ => {
                debug_assert!(!matches!(field.class(), ValueType::Text | ValueType::Keyword | ValueType::Id));
                return None;
            }
        };
        plain.as_deref().map(test)
    }

    fn number(&self, field: Field) -> Option<f64> {
        let a = self.activity;
        match field {
            Field::Http => a.http_status.map(f64::from),
            Field::Attempt => a.attempt.map(f64::from),
            Field::MaxAttempts => a.max_attempts.map(f64::from),
            Field::Duration => a.took_us().map(|us| us as f64),
            Field::Cpu => a.cpu_percent,
            Field::Memory => a.memory_mb,
            _ => None,
        }
    }

    fn time(&self, field: Field) -> Option<Timestamp> {
        match field {
            Field::Time => Some(self.activity.started_at),
            Field::Completed => self.activity.completed_at,
            Field::NextRetry => self.activity.next_retry_at,
            _ => None,
        }
    }

    fn word(&self, field: Field) -> Option<u8> {
        let a = self.activity;
        match field {
            Field::Status => a.status.map(|s| s as u8),
            Field::Level => a.level.map(|l| l as u8),
            Field::Kind => Some(a.kind as u8),
            Field::Direction => Some(a.direction as u8),
            Field::Is => Some(outcome(a.status, a.level)),
            Field::Final => a.final_outcome.map(FinalOutcome::index),
            _ => None,
        }
    }

    fn payload(&self) -> Option<&Payload> {
        self.payload
    }
}

/// The value of a field as text, for grouping and tables; `None` where it is absent.
pub fn value_text(activity: &Activity, field: Field, names: &Names) -> Option<String> {
    let record = NamedRecord { activity, names, payload: None };
    match field.class() {
        ValueType::Word => {
            record.word(field).and_then(|index| field.words().get(index as usize).map(|w| (*w).to_owned()))
        }
        ValueType::Number => record.number(field).map(|n| n.to_string()),
        ValueType::Duration => record.number(field).map(|us| (us / 1e3).to_string()),
        ValueType::Time => record.time(field).map(|at| at.rfc3339()),
        _ => {
            let mut found = None;
            record.text(field, &mut |text| {
                found = Some(text.to_owned());
                true
            });
            found
        }
    }
}
