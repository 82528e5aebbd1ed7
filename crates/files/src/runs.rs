//! Requests whose ids repeat: `req-1` after every start of a process, on every host, in every file.
//!
//! Such an id is told apart by host, process and file, and by time: a second start is a second request, and an end belongs
//! to the last start before it that is not too long ago.

use super::origin::stable_hash;
use super::stream::Stream;
use crosstail_core::model::{Activity, Id, Status, Timestamp};
use crosstail_formats::Found;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A request takes at most this long, in microseconds: an end after that belongs to another one.
const LONGEST_US: i64 = 3_600_000_000;
/// How far an end may be before its start by the clocks of two lines, in microseconds.
const SKEW_US: i64 = 1_000_000;
/// Requests remembered while following; the oldest are forgotten.
const REMEMBERED: usize = 200_000;

/// The id of a part whose request id repeats: the request id, with what its record says of host, process and file.
/// `None` where the id is unique by itself.
pub(super) fn scoped(stream: &Stream, found: &Found) -> Option<Id> {
    let activity = &found.activity;
    let scope = found.scope.filter(|_| activity.part)?;
    let request = activity.request_id.as_ref()?.to_string();
    let digits = request.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
    let counts = request.len() <= 12 && digits <= 9 && request.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !counts {
        return None;
    }
    let folder = stream.path.parent().unwrap_or(std::path::Path::new("")).as_os_str().as_encoded_bytes();
    let hash = stable_hash(&[&scope.to_le_bytes(), &stream.origin.family.to_le_bytes(), folder]) >> 32;
    Some(Id::Text(format!("{request}{MARK}{hash:08x}").into()))
}

/// Separates a request id from its scope.
const MARK: char = '@';

/// Whether an id is one that [`scoped`] made.
pub(super) fn is_scoped(activity: &Activity) -> bool {
    activity.part
        && matches!(&activity.id, Id::Text(text) if text.rsplit_once(MARK).is_some_and(|(_, scope)| {
            scope.len() == 8 && scope.bytes().all(|b| b.is_ascii_hexdigit())
        }))
}

/// The id of one request among those with the same scope, by when it began.
pub(super) fn of_run(scoped: &Id, began: Timestamp) -> Id {
    Id::Text(format!("{scoped}.{:x}", began.0.div_euclid(1_000_000)).into())
}

fn is_start(part: &Activity) -> bool {
    part.status == Some(Status::InProgress)
}

/// When a part was written.
fn written(part: &Activity) -> Timestamp {
    part.completed_at.filter(|_| !is_start(part)).unwrap_or(part.started_at)
}

/// Divides the parts with one scoped id into requests.
pub(super) fn divide<T>(mut parts: Vec<(Activity, T)>) -> Vec<Vec<(Activity, T)>> {
    parts.sort_by_key(|(part, _)| (written(part), !is_start(part)));
    let mut runs: Vec<Vec<(Activity, T)>> = Vec::new();
    for (part, more) in parts {
        let fits = runs.last().is_some_and(|run| {
            let began = run.iter().map(|(other, _)| written(other)).min().unwrap_or_default();
            let same = run.iter().any(|(other, _)| is_start(other) && other.started_at == part.started_at);
            let second = is_start(&part) && !same;
            !second && written(&part).since_us(began) <= LONGEST_US
        });
        match runs.last_mut() {
            Some(run) if fits => run.push((part, more)),
            _ => runs.push(vec![(part, more)]),
        }
    }
    runs
}

/// One request that has been seen.
#[derive(Debug)]
struct Run {
    id: Id,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

/// The requests seen while parts arrive in any order.
#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<HashMap<Id, Vec<Run>>>);

impl Runs {
    /// Gives a part with a scoped id the id of its request.
    pub(super) fn settle(&self, part: &mut Activity) {
        if !is_scoped(part) {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > REMEMBERED {
            known.clear();
        }
        let runs = known.entry(part.id.clone()).or_default();
        let at = written(part);
        let near = |start: Timestamp, end: Timestamp| (-SKEW_US..=LONGEST_US).contains(&end.since_us(start));
        let found = if is_start(part) {
            let again = runs.iter().position(|run| run.start == Some(at));
            let waiting =
                || runs.iter().position(|run| run.start.is_none() && run.end.is_some_and(|end| near(at, end)));
            again.or_else(waiting)
        } else {
            let again = runs.iter().position(|run| run.end == Some(at));
            let open = runs.iter().enumerate().filter(|(_, run)| run.end.is_none());
            let begun = open.filter(|(_, run)| run.start.is_some_and(|start| near(start, at)));
            again.or_else(|| begun.max_by_key(|(_, run)| run.start).map(|(index, _)| index))
        };
        let index = found.unwrap_or_else(|| {
            runs.push(Run { id: of_run(&part.id, part.started_at), start: None, end: None });
            runs.len() - 1
        });
        let run = &mut runs[index];
        if is_start(part) {
            run.start = Some(at);
        } else {
            run.end = Some(at);
        }
        part.id = run.id.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(second: i64, start: bool) -> Activity {
        let mut part = Activity::new(Id::Text("req-1@0123abcd".into()), Timestamp(second * 1_000_000));
        part.part = true;
        part.status = Some(if start { Status::InProgress } else { Status::Success });
        if !start {
            part.completed_at = Some(part.started_at);
        }
        part
    }

    #[test]
    fn a_second_start_is_a_second_request() {
        let parts = [(10, true), (11, false), (100, true), (101, false), (9000, false)];
        let sizes = |runs: Vec<Vec<(Activity, ())>>| runs.iter().map(Vec::len).collect::<Vec<_>>();
        let given = parts.iter().map(|(second, start)| (part(*second, *start), ())).collect();
        assert_eq!(sizes(divide(given)), [2, 2, 1]);
        // Whatever the order in which they come, each part finds its request.
        let orders: [&[usize]; 3] = [&[0, 1, 2, 3, 4], &[4, 3, 2, 1, 0], &[2, 3, 0, 1, 4]];
        for order in orders {
            let runs = Runs::default();
            let mut ids: Vec<(usize, Id)> = order
                .iter()
                .map(|index| {
                    let mut one = part(parts[*index].0, parts[*index].1);
                    runs.settle(&mut one);
                    (*index, one.id)
                })
                .collect();
            ids.sort_by_key(|(index, _)| *index);
            assert_eq!(ids[0].1, ids[1].1, "{order:?}");
            assert_eq!(ids[2].1, ids[3].1, "{order:?}");
            assert_ne!(ids[0].1, ids[2].1, "{order:?}");
            assert_ne!(ids[3].1, ids[4].1, "{order:?}");
        }
    }
}
