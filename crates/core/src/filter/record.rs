//! What a predicate asks of a record.

use super::{Field, ValueType};
use crate::model::{Activity, Level, Names, Payload, Status, Timestamp, is_failure};

/// Something that a filter can test: an activity, or a row of the store.
pub trait Record {
    /// Calls `test` with each text of a field until it says yes; `None` where the field is absent.
    fn text(&self, field: Field, test: &mut dyn FnMut(&str) -> bool) -> Option<bool>;
    /// The number in a [`Class::Number`] or [`Class::Duration`] field (durations in microseconds).
    fn number(&self, field: Field) -> Option<f64>;
    /// The moment in a [`Class::Time`] field.
    fn time(&self, field: Field) -> Option<Timestamp>;
    /// The index of the word in a [`Class::Word`] field.
    fn word(&self, field: Field) -> Option<u8>;
    /// The payload, where it is at hand.
    fn payload(&self) -> Option<&Payload>;
}

/// The index of the `is:` word: ok, pending, failure.
pub fn outcome(status: Option<Status>, level: Option<Level>) -> u8 {
    if is_failure(status, level) { 2 } else { u8::from(status == Some(Status::InProgress)) }
}

/// An activity with the names of its sources, and its payload where it was loaded.
#[derive(Debug, Clone, Copy)]
pub struct NamedRecord<'a> {
    /// The activity.
    pub activity: &'a Activity,
    /// Names of sources and places.
    pub names: &'a Names,
    /// Its payload.
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
            Field::Operation => &a.operation,
            Field::Entity => &a.entity,
            Field::Actor => &a.actor,
            Field::Correlation => &a.correlation_id,
            Field::Parent => &a.parent_request_id,
            Field::Organization => &a.organization,
            Field::Tags => return a.tags.as_deref().map(|tags| tags.split(", ").any(test)),
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
