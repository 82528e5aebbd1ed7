//! Limits of what a store answers, in bytes and in time. A driver takes as much as a server sends, and waits for as long as
//! one is silent that is gone without a word.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// An answer that is larger is not read on, in bytes of its rows.
pub const ANSWER_BYTES: usize = 128 << 20;
/// What a row costs beside its values, in bytes.
const ROW_BYTES: usize = 64;

/// What is read of one answer, which has a limit: a driver would take as much as a server sends.
#[derive(Debug, Default)]
pub struct Answer {
    bytes: usize,
}

/// An answer that is larger than [`ANSWER_BYTES`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than {} MB", ANSWER_BYTES >> 20)]
pub struct TooLarge;

impl Answer {
    /// Counts a row, by the bytes of its values.
    ///
    /// # Errors
    /// If the answer is too large.
    pub fn count(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(ROW_BYTES);
        if self.bytes > ANSWER_BYTES { Err(TooLarge) } else { Ok(()) }
    }
}

/// When the answers that a job waits for are due, by the number of the question.
#[derive(Clone)]
pub(crate) struct Answers(watch::Sender<Due>);

#[derive(Default)]
struct Due {
    next: u64,
    at: BTreeMap<u64, Instant>,
}

impl Default for Answers {
    fn default() -> Self {
        Self(watch::Sender::new(Due::default()))
    }
}

impl Answers {
    /// Returns once an answer is overdue.
    pub(crate) async fn overdue(&self) {
        let mut changed = self.0.subscribe();
        loop {
            let first = changed.borrow_and_update().at.values().min().copied();
            let overdue = async {
                match first {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The sender lives as long as this.
                _ = changed.changed() => {}
                () = overdue => return,
            }
        }
    }
}

/// A job waits for an answer of its store, until this is dropped. Where the answer is overdue, the job has to stop.
pub struct Expected {
    answers: Answers,
    number: u64,
}

impl Expected {
    pub(crate) fn of(answers: &Answers, within: Duration) -> Self {
        let mut number = 0;
        answers.0.send_modify(|due| {
            number = due.next;
            due.next += 1;
            due.at.insert(number, Instant::now() + within);
        });
        Self { answers: answers.clone(), number }
    }

    /// Something has arrived, or another question was asked: the next answer is due this much later.
    pub fn renew(&self, within: Duration) {
        self.answers.0.send_modify(|due| {
            due.at.insert(self.number, Instant::now() + within);
        });
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.answers.0.send_modify(|due| {
            due.at.remove(&self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Job, Stopped};

    #[tokio::test(start_paused = true)]
    async fn a_job_stops_when_an_answer_is_overdue() {
        let job = Job::default();
        let begun = Instant::now();
        let (slow, quick) = (job.expects(Duration::from_mins(1)), job.expects(Duration::from_secs(5)));
        drop(quick);
        tokio::select! {
            reason = job.stopped() => panic!("{reason}"),
            () = tokio::time::sleep(Duration::from_secs(50)) => {}
        }
        slow.renew(Duration::from_mins(1));
        assert_eq!(job.stopped().await, Stopped::Silent);
        assert_eq!(begun.elapsed().as_secs(), 110);
        drop(slow);
        let waiting = tokio::time::timeout(Duration::from_hours(1), job.stopped());
        assert!(waiting.await.is_err(), "nothing is expected any more");
    }
}
