//! The days before the demonstration: what fails in it has failed before, now and then, so that what the story brings is new and
//! the rest goes on.

use crosstail_core::model::{Status, Timestamp};
use crosstail_engine::pattern::Patterns;
use crosstail_record::simulate::{Simulated, Simulation};
use crosstail_record::{Outcome, WriteStep};
use std::collections::HashMap;

const HOUR_US: i64 = 3_600_000_000;
/// The range that the explorer opens with.
const RANGE_US: i64 = 24 * HOUR_US;
/// Failures of live traffic are known so far ahead.
const AHEAD_US: i64 = 2 * HOUR_US;
/// A group that fails in shorter intervals goes on.
const APART_US: i64 = 20 * HOUR_US;
/// The first one is so long ago.
const BEGIN_US: i64 = 70 * HOUR_US;
/// With more activities a second, the past would take longer than the rest.
const FASTEST: f64 = 20.0;

/// Whose failure it is: system, endpoint or operation, HTTP status, type of the error, what it says.
type Whose = (String, Option<String>, Option<u16>, Option<String>, u32);

/// One failure of each group in less than every day before the simulation's history.
pub(super) fn failures_before(simulation: &Simulation) -> Vec<WriteStep> {
    if simulation.rate > FASTEST {
        return Vec::new();
    }
    let chunk_us = simulation.chunk_ms() * 1000;
    let mut patterns = Patterns::default();
    let mut first: HashMap<Whose, Simulated> = HashMap::new();
    for index in -RANGE_US / chunk_us..AHEAD_US / chunk_us {
        for one in simulation.chunk(index).into_iter().filter(has_failed) {
            let Simulated { start, outcome } = &one;
            let says = outcome.error.as_ref().or(outcome.message.as_ref()).or(start.message.as_ref());
            let says = patterns.add(says.map_or("", String::as_str));
            let place = start.endpoint.clone().or_else(|| start.operation.clone());
            let whose = (start.system.clone(), place, outcome.http_status, outcome.error_type.clone(), says);
            match first.get_mut(&whose) {
                Some(known) if known.start.started_at <= start.started_at => {}
                _ => drop(first.insert(whose, one)),
            }
        }
    }
    let mut steps: Vec<(Timestamp, WriteStep)> = Vec::new();
    for one in first.into_values() {
        let mut before_us = APART_US;
        while one.start.started_at.plus_us(-before_us) > simulation.anchor.plus_us(-BEGIN_US) {
            let earlier = earlier(&one, before_us);
            steps.push((earlier.start.started_at, WriteStep::Finished(earlier.start.into(), earlier.outcome.into())));
            before_us += APART_US;
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    steps.into_iter().map(|(_, step)| step).collect()
}

fn has_failed(one: &Simulated) -> bool {
    let is_error = one.start.level.is_some_and(|level| level >= crosstail_core::model::Level::Error);
    is_error || one.outcome.status.is_some_and(Status::is_failure)
}

/// The same at another time: another request.
fn earlier(one: &Simulated, us: i64) -> Simulated {
    let mut start = one.start.clone();
    let id = || uuid::Uuid::new_v4().to_string();
    start.id = id();
    start.request_id = start.request_id.map(|_| id());
    start.correlation_id = start.correlation_id.map(|_| id());
    start.parent_request_id = None;
    start.started_at = start.started_at.plus_us(-us);
    let completed_at = one.outcome.completed_at.map(|at| at.plus_us(-us));
    Simulated { start, outcome: Outcome { completed_at, next_retry_at: None, ..one.outcome.clone() } }
}
