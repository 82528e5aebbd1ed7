//! The history that is read behind what is shown: since when, and how far it is.

use super::{CountState, Shared};
use crate::tui::text::count;
use crosstail_core::number::saturating_usize;
use crosstail_source::JobState;
use crosstail_source::pump::{READ_HISTORY, SourceState};

/// What takes longer is said, in microseconds.
pub(in crate::screens) const LONG_US: i64 = 1_000_000;

impl Shared {
    /// How far the history is that has been read for longer than a second: `reading the history · 12,000 of 40,000`. `None`
    /// where none is read.
    pub(in crate::screens) fn loading(&self) -> Option<String> {
        let read = [self.delivering(), self.filling()];
        let read = read.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        (!read.is_empty()).then(|| format!("reading the history · {read}"))
    }

    /// What is to be said behind figures while history is read of which they know nothing: what memory alone counts, or
    /// (`asks_stores`) what the stores count where they can.
    pub(in crate::screens) fn so_far(&self, asks_stores: bool) -> &'static str {
        let misses = self.delivering().is_some() || (!asks_stores && self.filling().is_some());
        if misses { " · of what was read so far" } else { "" }
    }

    /// Of the sources that deliver their history by themselves.
    fn delivering(&self) -> Option<String> {
        let is_loading = |job: &JobState| {
            self.sources.iter().any(|source| Some(source.id) == job.source && source.state == SourceState::Loading)
        };
        let jobs: Vec<JobState> = self.jobs.list();
        let jobs = jobs.into_iter().filter(|job| job.purpose == READ_HISTORY && is_loading(job));
        let jobs: Vec<JobState> = jobs.filter(|job| self.now.since_us(job.began) >= LONG_US).collect();
        let sum = |of: fn(&JobState) -> u64| jobs.iter().map(of).fold(0, u64::saturating_add);
        let (rows, bytes, total) = (sum(|job| job.rows), sum(|job| job.bytes), sum(|job| job.total_bytes));
        let share = bytes.saturating_mul(100).checked_div(total).filter(|share| *share > 0);
        let share = share.map(|share| format!("{} % · ", share.min(100))).unwrap_or_default();
        (!jobs.is_empty()).then(|| format!("{share}{} so far", count(saturating_usize(rows))))
    }

    /// Of the sources that are read range by range.
    fn filling(&self) -> Option<String> {
        self.filling_since.filter(|since| self.now.since_us(*since) >= LONG_US)?;
        let bounds = self.bounds().interval();
        let read = count(self.store.rows_between(bounds.from..bounds.to).len());
        let all = self.figure(false);
        let number = saturating_usize(all.count);
        let much = if number > self.most_held() { ", as far as memory takes" } else { "" };
        Some(match all.state {
            CountState::Held | CountState::Counting | CountState::Failed(_) => format!("{read} so far"),
            CountState::Estimated { .. } => format!("{read} of about {}{much}", count(number)),
            CountState::Total | CountState::Counted => format!("{read} of {}{much}", count(number)),
        })
    }

    /// Bytes that activities may take before filling the range ends.
    pub(in crate::screens) const fn room(&self) -> usize {
        self.settings.memory / 8 * 7
    }

    /// As many activities as are held in the end, if those that come are like those that are held.
    fn most_held(&self) -> usize {
        let (held, used) = (self.store.len(), self.store.bytes());
        let more = self.room().saturating_sub(used) / (used / held.max(1)).max(64);
        (held + more).min(self.settings.history_limit)
    }
}
