//! What is to be written when: a simulation as steps in order of time, a history written newest first, live traffic.

use super::{Simulated, Simulation};
use crate::write::Writer;
use crate::{Outcome, Start, WriteStep};
use crosstail_core::model::{Clock, Status, Timestamp};
use crosstail_core::number::{saturating_i64, saturating_u64};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A simulation on its way: the steps that are still to be written.
#[derive(Debug)]
pub struct Traffic {
    simulation: Simulation,
    /// Steps to come, by when.
    pending: BTreeMap<(Timestamp, u64), WriteStep>,
    sequence: u64,
    next_chunk: i64,
    /// Chunks that were made before they are due.
    ahead: BTreeMap<i64, Vec<Simulated>>,
    /// Nothing begins before this.
    oldest: Timestamp,
    /// So many activities have begun,
    begun: u64,
    /// and so many may.
    limit: u64,
    /// Those that did not, and therefore do not end.
    dropped: HashSet<String>,
}

/// Rows a transaction while history is written.
const BATCH: usize = 4096;
/// So much of live traffic is written at once, in microseconds.
const SLICE_US: i64 = 250_000;

impl Traffic {
    /// From a moment on.
    pub fn new(simulation: Simulation, from: Timestamp) -> Self {
        let next_chunk = from.since_us(simulation.anchor).div_euclid(simulation.chunk_ms() * 1000);
        Self {
            simulation,
            pending: BTreeMap::new(),
            sequence: 0,
            next_chunk,
            ahead: BTreeMap::new(),
            oldest: from,
            begun: 0,
            limit: u64::MAX,
            dropped: HashSet::new(),
        }
    }

    /// The same with not more than so many activities.
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// How many activities have begun.
    pub fn started(&self) -> u64 {
        self.begun
    }

    /// Whether more may begin.
    pub fn has_more(&self) -> bool {
        self.begun < self.limit
    }

    /// Everything that is due by a moment, in order of time, of the activities that are taken. With `merge` what begins
    /// and ends within it is one step.
    pub fn next_steps(&mut self, until: Timestamp, merge: bool, takes: &dyn Fn(&Start) -> bool) -> Vec<WriteStep> {
        for index in self.chunks(until) {
            let chunk = self.ahead.remove(&index).unwrap_or_else(|| self.simulation.chunk(index));
            for simulated in chunk {
                if simulated.start.started_at >= self.oldest && takes(&simulated.start) {
                    self.begin(simulated, merge.then_some(until));
                }
            }
            self.next_chunk = index + 1;
        }
        let mut steps = Vec::new();
        while let Some(entry) = self.pending.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let step = entry.remove();
            if matches!(step, WriteStep::Complete(..)) {
                if !self.dropped.remove(&step.start().id) {
                    steps.push(step);
                }
            } else if self.has_more() {
                self.begun += 1;
                steps.push(step);
            } else if matches!(step, WriteStep::Start(_)) {
                self.dropped.insert(step.start().id.clone());
            }
        }
        steps
    }

    /// What has begun and not ended, ended now: what a service does that is shut down.
    pub fn cancel(&mut self, now: Timestamp) -> Vec<WriteStep> {
        let mut begun: HashSet<String> = HashSet::new();
        let pending = std::mem::take(&mut self.pending).into_values();
        let cancelled = |step| match step {
            WriteStep::Start(start) => {
                // What was to begin does not.
                begun.insert(start.id.clone());
                None
            }
            WriteStep::Complete(start, _) if !begun.contains(&start.id) && !self.dropped.contains(&start.id) => {
                let outcome = Outcome {
                    status: Some(Status::Cancelled),
                    error: Some("the service was shut down".to_owned()),
                    error_type: Some("Shutdown".to_owned()),
                    completed_at: Some(now.max(start.started_at)),
                    ..Outcome::default()
                };
                Some(WriteStep::Complete(start, Arc::new(outcome)))
            }
            WriteStep::Complete(..) | WriteStep::Finished(..) => None,
        };
        pending.filter_map(cancelled).collect()
    }

    fn begin(&mut self, simulated: Simulated, whole_until: Option<Timestamp>) {
        let (started, ends) = (simulated.start.started_at, simulated.ends_at());
        let (start, outcome) = (Arc::new(simulated.start), Arc::new(simulated.outcome));
        // A log line is written once.
        if start.level.is_some() || whole_until.is_some_and(|until| ends <= until) {
            self.push(started, WriteStep::Finished(start, outcome));
        } else {
            self.push(started, WriteStep::Start(Arc::clone(&start)));
            self.push(ends.max(started), WriteStep::Complete(start, outcome));
        }
    }

    fn push(&mut self, at: Timestamp, step: WriteStep) {
        self.sequence += 1;
        self.pending.insert((at, self.sequence), step);
    }

    /// The chunks that begin by a moment and were not taken yet.
    fn chunks(&self, until: Timestamp) -> Range<i64> {
        let after = until.since_us(self.simulation.anchor).div_euclid(self.simulation.chunk_ms() * 1000) + 1;
        self.next_chunk..after.max(self.next_chunk)
    }

    /// When the next step is due, as far as is known.
    fn next(&self) -> Option<Timestamp> {
        self.pending.keys().next().map(|(at, _)| *at)
    }
}

/// Writes the history that ends at the simulation's anchor, newest chunk first. What had begun but not ended by the
/// anchor stays open, and goes on live.
pub async fn seed_history(
    simulation: Simulation,
    history: Duration,
    writer: &mut impl Writer,
) -> anyhow::Result<Traffic> {
    let mut traffic = Traffic::new(simulation, simulation.anchor);
    traffic.next_chunk = 0;
    let chunks = saturating_i64(saturating_u64(history.as_millis()).div_ceil(saturating_u64(simulation.chunk_ms())));
    let oldest = simulation.anchor.plus_ms(-saturating_i64(history.as_millis()));
    let mut rows = Vec::new();
    // The next chunk is made on another thread while this one is written.
    let make = |index: i64| tokio::task::spawn_blocking(move || simulation.chunk(index));
    let mut making = VecDeque::new();
    let mut ask = 1;
    for index in 1..=chunks {
        while ask <= chunks && making.len() < 2 {
            making.push_back(make(-ask));
            ask += 1;
        }
        let Some(task) = making.pop_front() else { break };
        for simulated in task.await.unwrap_or_default() {
            if simulated.start.started_at < oldest {
                continue;
            }
            if simulated.ends_at() <= simulation.anchor {
                rows.push(WriteStep::Finished(Arc::new(simulated.start), Arc::new(simulated.outcome)));
            } else if simulated.start.started_at <= simulation.anchor {
                let (start, ends) = (Arc::new(simulated.start.clone()), simulated.ends_at());
                rows.push(WriteStep::Start(Arc::clone(&start)));
                traffic.push(ends, WriteStep::Complete(start, Arc::new(simulated.outcome)));
            } else {
                traffic.begin(simulated, None);
            }
        }
        if rows.len() >= BATCH || index == chunks || index == 1 {
            writer.write(&rows).await?;
            rows.clear();
        }
    }
    writer.finish().await?;
    Ok(traffic)
}

/// Writes live traffic until cancelled, or until `goes_on` says no.
pub async fn live(
    traffic: &mut Traffic,
    writers: &mut [Box<dyn Writer>],
    clock: &Clock,
    cancel: &CancellationToken,
    mut goes_on: impl FnMut(&Traffic) -> bool + Send,
) -> anyhow::Result<()> {
    let mut reached = clock.now();
    while !cancel.is_cancelled() {
        // Where the stores are slower than the traffic, what waits is not made yet.
        let now = clock.now();
        reached = now.min(reached.plus_us(SLICE_US));
        let steps = traffic.next_steps(reached, false, &|start| writers.iter().any(|writer| writer.accepts(start)));
        // While the stores write this, what is due next is made.
        let (simulation, chunks) = (traffic.simulation, traffic.chunks(now.min(reached.plus_us(SLICE_US))));
        let making =
            tokio::task::spawn_blocking(move || chunks.map(|index| (index, simulation.chunk(index))).collect());
        write_all(writers, &steps).await?;
        let made: Vec<(i64, Vec<Simulated>)> = making.await?;
        traffic.ahead.extend(made);
        if !goes_on(traffic) {
            break;
        }
        if reached < now {
            continue;
        }
        let wait = traffic.next().map_or(100_000, |at| at.since_us(clock.now()).clamp(2_000, 100_000));
        tokio::select! {
            () = cancel.cancelled() => break,
            () = tokio::time::sleep(Duration::from_micros(saturating_u64(wait))) => {}
        }
    }
    Ok(())
}

/// Writes steps into several stores at once.
pub async fn write_all(writers: &mut [Box<dyn Writer>], steps: &[WriteStep]) -> anyhow::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let write = async |writer: &mut Box<dyn Writer>| {
        let taken: Vec<WriteStep> = steps.iter().filter(|step| writer.accepts(step.start())).cloned().collect();
        writer.write(&taken).await
    };
    // Side by side: the slowest decides, not the sum. All end before an error is told.
    let results = futures_util::future::join_all(writers.iter_mut().map(write)).await;
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn simulation() -> Simulation {
        Simulation { rate: 20.0, ..Simulation::new(3, Timestamp(1_795_000_000_000_000)) }
    }

    /// The ids that begin, and that end, in a stretch.
    fn of(steps: &[WriteStep]) -> (Vec<String>, Vec<String>) {
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        for step in steps {
            let id = step.start().id.clone();
            match step {
                WriteStep::Start(_) => begun.push(id),
                WriteStep::Complete(..) => ended.push(id),
                WriteStep::Finished(..) => {
                    begun.push(id.clone());
                    ended.push(id);
                }
            }
        }
        (begun, ended)
    }

    #[test]
    fn every_activity_begins_once_and_ends_once_however_it_is_cut() {
        let simulation = simulation();
        let from = simulation.anchor.plus_ms(-3_600_000);
        let mut whole = Traffic::new(simulation, from);
        let (all, _) = of(&whole.next_steps(simulation.anchor, false, &|_| true));
        for merge in [false, true] {
            let mut traffic = Traffic::new(simulation, from);
            let (mut begun, mut ended) = (BTreeSet::new(), BTreeSet::new());
            for second in (0..=3600).step_by(71).chain([3600]) {
                let (more, over) = of(&traffic.next_steps(from.plus_ms(second * 1000), merge, &|_| true));
                for id in more {
                    assert!(begun.insert(id.clone()), "{id} begins twice");
                }
                for id in over {
                    assert!(begun.contains(&id), "{id} ends before it begins");
                    ended.insert(id);
                }
            }
            ended.extend(of(&traffic.cancel(simulation.anchor)).1);
            assert_eq!(begun, all.iter().cloned().collect());
            assert_eq!(begun, ended, "what is open is cancelled at the end");
        }
    }

    #[test]
    fn a_limit_is_kept_to_the_one_and_what_has_begun_ends() {
        let simulation = simulation();
        let mut traffic = Traffic::new(simulation, simulation.anchor.plus_ms(-600_000)).limited(100);
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        for second in -600..120 {
            let (more, over) = of(&traffic.next_steps(simulation.anchor.plus_ms(second * 1000), false, &|_| true));
            begun.extend(more);
            ended.extend(over);
        }
        ended.extend(of(&traffic.cancel(simulation.anchor.plus_ms(120_000))).1);
        begun.sort();
        ended.sort();
        assert_eq!((begun.len(), traffic.started()), (100, 100));
        assert_eq!(begun, ended);
    }
}
