//! Where what is received goes: lines in the spool, each sender's by themselves. When nobody reads as fast as it comes, nothing is
//! taken until there is room again; what is refused is counted and said.

use crosstail_files::{Failure, Feed, Writer};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many bytes may wait to be read: far fewer than are kept, so that nothing is given up unread.
const WAITING: u64 = 32 << 20;
/// So many senders have files of their own.
const SENDERS: usize = 64;

pub(crate) struct Inbox {
    feed: Arc<Feed>,
    writers: Mutex<HashMap<String, Writer>>,
    refused: Arc<Mutex<HashMap<&'static str, Refused>>>,
}

/// How many of a kind were refused, and what was said of them.
#[derive(Default)]
struct Refused {
    all: u64,
    told: u64,
    /// Whether the rest is said once no more are refused.
    is_waiting: bool,
}

/// No more are refused for so long.
const QUIET: Duration = Duration::from_secs(1);

impl Inbox {
    pub(crate) fn new(feed: Arc<Feed>) -> Self {
        Self { feed, writers: Mutex::default(), refused: Arc::default() }
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

    /// Counts what was refused, and says it: the first time, each time that it has doubled, and when no more comes.
    pub(crate) fn refuse(&self, what: &'static str, count: u64) {
        if count == 0 {
            return;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let of = refused.entry(what).or_default();
        of.all += count;
        if of.told == 0 || of.all.ilog2() > of.told.ilog2() {
            of.told = of.all;
            self.feed.notice(format!("refused {what}: {} so far", of.all));
        } else if !of.is_waiting {
            of.is_waiting = true;
            tokio::spawn(tell_rest(Arc::clone(&self.feed), Arc::clone(&self.refused), what));
        }
    }

    /// Says something to people.
    pub(crate) fn notice(&self, text: String) {
        self.feed.notice(text);
    }
}

/// Says how many of a kind were refused in all, once no more are.
async fn tell_rest(feed: Arc<Feed>, refused: Arc<Mutex<HashMap<&'static str, Refused>>>, what: &'static str) {
    let mut before = 0;
    loop {
        tokio::time::sleep(QUIET).await;
        let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
        let of = refused.entry(what).or_default();
        if of.all != std::mem::replace(&mut before, of.all) {
            continue;
        }
        of.is_waiting = false;
        if of.all > of.told {
            of.told = of.all;
            feed.notice(format!("refused {what}: {} so far", of.all));
        }
        return;
    }
}
