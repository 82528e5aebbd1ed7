//! What polling remembers of a collection: so many documents, and the time before which nothing is known.

use bson::{RawBsonRef, RawDocument};
use crosstail_core::model::Timestamp;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;

/// Documents that are remembered, at most. One takes some 40 bytes.
pub(super) const REMEMBERED: usize = 1_000_000;
/// In place of a time: it is not forgotten because of its time.
pub(super) const HELD: i64 = i64::MAX;
/// What is as new as this is always remembered: documents that are written now must not be below the floor.
const ALWAYS_US: i64 = 60 * 1_000_000;

/// What has been seen of a collection.
pub(super) struct Seen {
    hasher: foldhash::fast::FixedState,
    /// By a hash of the key: a hash of the content, and the document's time.
    documents: HashMap<u64, (u64, i64)>,
    /// Those without a date.
    undated: HashSet<u64>,
    limit: usize,
    /// How many there may be until it is looked for some to forget.
    most: usize,
    /// The time before which nothing is known, in microseconds since the epoch.
    floor_us: i64,
    /// The newest moment that the floor may have.
    highest_us: i64,
    is_told: bool,
}

impl Seen {
    /// `now_us`: from where following goes on.
    pub(super) fn new(limit: usize, now_us: i64) -> Self {
        Self {
            hasher: foldhash::fast::FixedState::default(),
            documents: HashMap::new(),
            undated: HashSet::new(),
            limit,
            most: limit,
            floor_us: i64::MIN,
            highest_us: now_us.saturating_sub(ALWAYS_US),
            is_told: false,
        }
    }

    pub(super) fn slot(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) fn has(&self, slot: u64) -> bool {
        self.documents.contains_key(&slot)
    }

    pub(super) fn is_new(&self, slot: u64, content: &[u8]) -> bool {
        self.documents.get(&slot).is_none_or(|(known, _)| *known != self.hasher.hash_one(content))
    }

    pub(super) fn note(&mut self, slot: u64, content: &[u8], at_us: i64) {
        self.documents.insert(slot, (self.hasher.hash_one(content), at_us));
    }

    pub(super) fn note_undated(&mut self, slot: u64, content: &[u8]) {
        self.note(slot, content, HELD);
        self.undated.insert(slot);
    }

    /// Keeps a document whatever its time is; false where it is not known.
    pub(super) fn hold(&mut self, slot: u64) -> bool {
        let Some((_, at)) = self.documents.get_mut(&slot) else { return false };
        *at = HELD;
        true
    }

    /// Of the documents without a date, keeps those that were read last, where there are more than so many.
    pub(super) fn keep_undated(&mut self, current: &HashSet<u64>, most: usize) {
        if self.undated.len() > most {
            let documents = &mut self.documents;
            self.undated.retain(|slot| {
                let stays = current.contains(slot);
                if !stays {
                    documents.remove(slot);
                }
                stays
            });
        }
    }

    /// Before which nothing is known.
    pub(super) fn floor(&self) -> i64 {
        self.floor_us
    }

    /// Whether documents that are older than one that was noted can be noted, too, while the newest are noted first.
    /// Otherwise nothing is known of them.
    pub(super) fn has_room_before(&mut self, at_us: i64) -> bool {
        if self.documents.len() < self.limit || at_us >= self.highest_us {
            return true;
        }
        self.floor_us = self.floor_us.max(at_us.saturating_add(1));
        false
    }

    /// Forgets the oldest documents, where there are too many.
    pub(super) fn forget(&mut self, newest_us: i64) {
        self.highest_us = self.highest_us.max(newest_us.saturating_sub(ALWAYS_US));
        if self.documents.len() <= self.most {
            return;
        }
        let mut times: Vec<i64> = self.documents.values().map(|(_, at)| *at).filter(|at| *at != HELD).collect();
        // Some room, so that it is not looked for what to forget with each document.
        let gone = times.len().saturating_sub(self.limit - self.limit / 10);
        if let Some(last) = gone.checked_sub(1) {
            let (_, last, _) = times.select_nth_unstable(last);
            let floor = last.saturating_add(1).min(self.highest_us);
            self.floor_us = self.floor_us.max(floor);
        }
        let floor = self.floor_us;
        self.documents.retain(|_, (_, at)| *at >= floor);
        self.most = self.limit.max(self.documents.len().saturating_add(self.documents.len() / 10));
    }

    /// The floor, where it is later than a time and nobody has been told yet.
    pub(super) fn untold_after(&mut self, oldest_us: i64) -> Option<i64> {
        let untold = !self.is_told && self.floor_us > oldest_us;
        self.is_told |= untold;
        untold.then_some(self.floor_us)
    }
}

/// The value at a path through objects.
pub(super) fn value_at<'d>(document: &'d RawDocument, path: &str) -> Option<RawBsonRef<'d>> {
    let (objects, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut at = document;
    for part in objects.split('.').filter(|part| !part.is_empty()) {
        let RawBsonRef::Document(inner) = at.get(part).ok()?? else { return None };
        at = inner;
    }
    at.get(last).ok()?
}

/// A date as the time of a record, in microseconds since the epoch.
fn moment(at: bson::DateTime) -> Option<i64> {
    Timestamp::from_millis(at.timestamp_millis()).of_record().map(|at| at.0)
}

/// Whether the value at a path is one date that a record may have.
pub(super) fn is_one_date(document: &RawDocument, path: &str) -> bool {
    matches!(value_at(document, path), Some(RawBsonRef::DateTime(at)) if moment(at).is_some())
}

/// The first and the last date at a path, in microseconds since the epoch; `None` where there is no time of a record.
/// Of several values of which some are no dates, the first is the earliest moment: they are sorted before all dates.
pub(super) fn span(document: &RawDocument, path: &str) -> Option<(i64, i64)> {
    match value_at(document, path)? {
        RawBsonRef::DateTime(at) => moment(at).map(|at| (at, at)),
        RawBsonRef::Array(list) => {
            let (mut first, mut last) = (i64::MAX, None);
            for value in list {
                let at = match value {
                    Ok(RawBsonRef::DateTime(at)) => moment(at),
                    _ => None,
                };
                first = first.min(at.unwrap_or(i64::MIN));
                last = last.max(at);
            }
            last.map(|last| (first, last))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_older_than_all_that_is_known() {
        let now = 1_000_000_000_000;
        let mut seen = Seen::new(100, now);
        for n in 0..1000_i64 {
            let at = now - (999 - n) * ALWAYS_US;
            let slot = seen.slot(&n.to_string());
            seen.note(slot, b"old", if n == 3 { HELD } else { at });
            seen.forget(at);
            assert!(seen.documents.len() <= 101, "{n}");
        }
        let floor = seen.floor();
        assert!(seen.has(seen.slot("3")) && seen.has(seen.slot("999")) && !seen.has(seen.slot("4")));
        for n in 4..1000_i64 {
            let at = now - (999 - n) * ALWAYS_US;
            assert_eq!(seen.has(seen.slot(&n.to_string())), at >= floor, "{n}");
        }
        assert_eq!((seen.untold_after(now - 1), seen.untold_after(0), seen.untold_after(0)), (None, Some(floor), None));
    }

    #[test]
    fn what_is_written_now_is_never_below_the_floor() {
        let now = 1_000_000_000_000;
        let mut seen = Seen::new(10, now);
        for n in 0..1000_i64 {
            let slot = seen.slot(&n.to_string());
            // Ahead of the clock.
            seen.note(slot, b"", now + n);
            seen.forget(now);
        }
        assert!(seen.floor() <= now - ALWAYS_US && seen.documents.len() == 1000);
        assert!(seen.has_room_before(now) && !seen.has_room_before(now - 2 * ALWAYS_US));
    }
}
