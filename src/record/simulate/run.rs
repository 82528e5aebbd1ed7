//! The demo's writer: a history, newest first, then live traffic at its times.

use super::{Simulated, Simulation};
use crate::model::{Clock, Timestamp};
use crate::record::{Prepared, SqliteRecorder};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A running demo: what is still to be written.
#[derive(Debug)]
pub struct Demo {
    simulation: Simulation,
    recorder: SqliteRecorder,
    /// Writes to come, by when.
    pending: BTreeMap<(Timestamp, u64), Step>,
    sequence: u64,
    next_chunk: i64,
}

#[derive(Debug)]
enum Step {
    Start(Box<Simulated>),
    Complete(Box<Simulated>),
}

/// Rows a transaction while history is written.
const BATCH: usize = 4096;

/// Writes the history that ends at the simulation's anchor, newest chunk first, and calls `first` when the newest
/// part is there. What had begun but not ended by the anchor stays open, and goes on live.
pub async fn seed_history(
    simulation: Simulation,
    history: Duration,
    path: &Path,
    first: impl FnOnce(),
) -> Result<Demo, sqlx::Error> {
    let recorder = SqliteRecorder::open(path).await?;
    let mut demo = Demo { simulation, recorder, pending: BTreeMap::new(), sequence: 0, next_chunk: 0 };
    let chunks = (history.as_millis() as u64).div_ceil(simulation.chunk_ms() as u64) as i64;
    let oldest = simulation.anchor.plus_ms(-(history.as_millis() as i64));
    let mut first = Some(first);
    let mut rows = Vec::new();
    // The next chunk is made on another thread while this one is written.
    let make = |index: i64| tokio::task::spawn_blocking(move || prepare(simulation, index, oldest));
    let mut making = std::collections::VecDeque::new();
    let mut ask = 1;
    for index in 1..=chunks {
        while ask <= chunks && making.len() < 2 {
            making.push_back(make(-ask));
            ask += 1;
        }
        let Some(task) = making.pop_front() else { break };
        let (done, open) = task.await.unwrap_or_default();
        rows.extend(done);
        for simulated in open {
            demo.schedule(simulated);
        }
        if rows.len() >= BATCH || index == chunks || index == 1 {
            demo.recorder.insert(&rows).await?;
            rows.clear();
            if let Some(first) = first.take() {
                first();
            }
        }
    }
    demo.recorder.index().await?;
    Ok(demo)
}

/// The rows of a chunk that are over by the anchor or are open then, and what has to go on live.
fn prepare(simulation: Simulation, index: i64, oldest: Timestamp) -> (Vec<Prepared>, Vec<Simulated>) {
    let mut rows = Vec::new();
    let mut open = Vec::new();
    for simulated in simulation.chunk(index) {
        if simulated.start.started_at < oldest {
            continue;
        }
        if simulated.ends_at() <= simulation.anchor {
            rows.push(Prepared::new(simulated.start, Some(simulated.outcome)));
        } else {
            if simulated.start.started_at <= simulation.anchor {
                rows.push(Prepared::new(simulated.start.clone(), None));
            }
            open.push(simulated);
        }
    }
    (rows, open)
}

impl Demo {
    fn schedule(&mut self, simulated: Simulated) {
        let started = simulated.start.started_at;
        if started > self.simulation.anchor {
            self.push(started, Step::Start(Box::new(simulated)));
        } else {
            self.push(simulated.ends_at(), Step::Complete(Box::new(simulated)));
        }
    }

    fn push(&mut self, at: Timestamp, step: Step) {
        self.sequence += 1;
        self.pending.insert((at, self.sequence), step);
    }

    /// Writes live traffic until cancelled.
    pub async fn run(mut self, clock: Clock, cancel: CancellationToken) -> Result<(), sqlx::Error> {
        while !cancel.is_cancelled() {
            let now = clock.now();
            self.write_until(now).await?;
            let wait = self.pending.keys().next().map_or(100_000, |(at, _)| at.since_us(now).clamp(2_000, 100_000));
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(Duration::from_micros(wait as u64)) => {}
            }
        }
        self.recorder.close().await
    }

    /// Writes everything that is due.
    pub async fn write_until(&mut self, now: Timestamp) -> Result<(), sqlx::Error> {
        while self.simulation.anchor.plus_ms(self.next_chunk * self.simulation.chunk_ms()) <= now {
            for simulated in self.simulation.chunk(self.next_chunk) {
                self.schedule(simulated);
            }
            self.next_chunk += 1;
        }
        let mut rows = Vec::new();
        while let Some(entry) = self.pending.first_entry() {
            if entry.key().0 > now {
                break;
            }
            match entry.remove() {
                Step::Start(simulated) if simulated.start.level.is_some() => {
                    rows.push(Prepared::new(simulated.start, Some(simulated.outcome)));
                }
                Step::Start(simulated) => {
                    rows.push(Prepared::new(simulated.start.clone(), None));
                    let ends = simulated.ends_at();
                    self.push(ends, Step::Complete(simulated));
                }
                Step::Complete(simulated) => {
                    self.recorder.insert(&std::mem::take(&mut rows)).await?;
                    self.recorder.complete(&simulated.start, simulated.outcome).await?;
                }
            }
        }
        self.recorder.insert(&rows).await
    }
}
