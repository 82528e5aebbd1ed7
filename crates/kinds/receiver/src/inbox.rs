//! Where what is received goes: lines in the spool, each sender's by themselves. When nobody reads as fast as it comes, nothing is
//! taken until there is room again; what is refused is counted and said.

use crosstail_files::{Failure, Feed, Writer};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

/// So many bytes may wait to be read: far fewer than are kept, so that nothing is given up unread.
const WAITING: u64 = 32 << 20;
/// So many senders have files of their own.
const SENDERS: usize = 64;

pub(crate) struct Inbox {
    feed: Arc<Feed>,
    writers: Mutex<HashMap<String, Writer>>,
    refused: Mutex<HashMap<&'static str, u64>>,
}

impl Inbox {
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        Self { feed, writers: Mutex::default(), refused: Mutex::default() }
    }

    /// Whether more can be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.feed.waiting() < WAITING
    }

    /// Writes whole lines, a record each.
    pub(crate) fn write(&self, sender: &str, lines: &[u8], records: usize) -> Result<(), Failure> {
        if records == 0 {
            return Ok(());
        }
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let others = writers.len() >= SENDERS && !writers.contains_key(sender);
        let sender = if others { "others" } else { sender };
        let writer = match writers.entry(sender.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.feed.writer(sender, sender)?),
        };
        writer.write(lines).map_err(|error| Failure::spool(&error))?;
        drop(writers);
        self.feed.tell_given_up();
        Ok(())
    }

    /// Counts what was refused, and says it: the first time, and each time that it has doubled.
    pub(crate) fn refuse(&self, what: &'static str, count: u64) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let all = refused.entry(what).or_default();
        let before = *all;
        *all += count;
        if count > 0 && (before == 0 || all.ilog2() > before.ilog2()) {
            self.feed.notice(format!("refused {what}: {all} so far"));
        }
    }

    /// Says something to people.
    pub(crate) fn notice(&self, text: String) {
        self.feed.notice(text);
    }
}
