//! Figures by combinations of raw values: a store groups its records by what their fields are made of, and each combination
//! is read as one record with just these values. So words, statuses, systems and outcomes have one definition, and the
//! store computes none of them.

use crate::{Grouping, Groups, Measures};
use crosstail_core::filter::{Comparator, Field, Matcher, NamedRecord, Operand, Predicate};
use crosstail_core::model::{Activity, Figures, Mean, Names, Timestamp};
use crosstail_core::schema::{Schema, Target};

/// With more combinations than this, the records themselves are read.
pub const COMBINATIONS: usize = 200_000;

/// The clauses of a filter that a store does not evaluate exactly.
pub fn residual(predicate: &Predicate, is_exact: impl Fn(&Predicate) -> bool) -> Predicate {
    let clauses = match predicate {
        Predicate::All => &[],
        Predicate::And(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    Predicate::And(clauses.iter().filter(|clause| !is_exact(clause)).cloned().collect())
}

/// The fields that decide what a combination counts for: those of the outcome where it is wanted, those grouped by, and
/// those that the rest of the filter tests. `None` where that tests something else, too: a payload, a text anywhere, a time.
pub fn fields(grouping: &Grouping, residual: &Predicate) -> Option<Vec<Field>> {
    let mut fields = grouping.by.clone();
    if grouping.measures > Measures::Totals {
        fields.extend([Field::Status, Field::Level]);
    }
    add_fields(residual, &mut fields).then_some(fields)
}

/// Collects the fields that a predicate tests; false where it tests something else, too.
fn add_fields(predicate: &Predicate, into: &mut Vec<Field>) -> bool {
    match predicate {
        Predicate::All => true,
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().all(|part| add_fields(part, into)),
        Predicate::Not(part) => add_fields(part, into),
        Predicate::Compare(Comparator { target: Operand::Field(field), test, .. }) => {
            into.push(*field);
            !matches!(test, Matcher::Time(_))
        }
        Predicate::Compare(_) | Predicate::FreeText(_) => false,
    }
}

/// What fields are made of, each target once; `None` where a field is made of what differs from record to record, or where
/// rules of the schema may make it of anything.
pub fn targets(schema: &Schema, fields: &[Field]) -> Option<Vec<Target>> {
    if schema.has_rules() {
        return None;
    }
    let definition = schema.definition();
    let mut targets = Vec::new();
    for field in fields {
        match field {
            Field::Source => {}
            Field::Is | Field::Status => {
                targets.extend([Target::Status, Target::HttpStatus, Target::Level]);
                if !schema.names_status() {
                    targets.push(Target::Error);
                }
            }
            Field::Kind => targets.extend([Target::Kind, Target::Level]),
            Field::System => {
                targets.extend([Target::System, Target::Service, Target::Logger]);
                if definition.system_from_url {
                    targets.push(Target::Url);
                }
            }
            Field::Endpoint => targets.extend([Target::Endpoint, Target::Url]),
            Field::Entity => targets.extend([Target::EntityType, Target::EntityId]),
            Field::Time | Field::Duration | Field::Completed | Field::Id | Field::Tags => return None,
            field => targets.push(Target::of(*field)?),
        }
    }
    targets.sort_unstable_by_key(|target| *target as u8);
    targets.dedup();
    Some(targets)
}

/// What a store has counted of one combination.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Number of records.
    pub count: u64,
    /// The bucket of their latency (see [`crosstail_core::model::Latencies::bucket`]), and its sum in microseconds.
    pub latency: Option<(usize, u64)>,
    /// CPU usage in per cent.
    pub cpu: Mean,
    /// Memory usage in MB.
    pub memory: Mean,
}

/// How combinations become figures.
pub struct Sum<'a> {
    /// How they are grouped.
    pub grouping: &'a Grouping,
    /// Names of sources.
    pub names: &'a Names,
    /// The part of the filter that the store does not evaluate.
    pub residual: &'a Predicate,
}

impl Sum<'_> {
    /// Adds a combination, which is read as the activity, in a period of time.
    pub fn add(&self, activity: &Activity, period: Option<Timestamp>, counted: Counted, groups: &mut Groups) {
        if !self.residual.keeps(&NamedRecord { activity, names: self.names, payload: None }) {
            return;
        }
        let mut more = Figures { cpu: counted.cpu, memory: counted.memory, ..Figures::default() };
        if self.grouping.measures > Measures::Totals {
            more.add_outcomes(activity, counted.count);
        } else {
            more.count = counted.count;
        }
        if let Some((bucket, sum_us)) = counted.latency {
            more.latencies.add_bucket(bucket, counted.count, sum_us);
        }
        let (values, _) = self.grouping.key(activity, self.names);
        groups.entry((values, period)).or_default().merge(&more);
    }
}
