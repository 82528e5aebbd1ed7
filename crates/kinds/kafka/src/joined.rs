//! Joins the messages of one activity while partitions are read backwards, and lets go of what is complete.

use super::collect::Collect;
use crosstail_core::model::{Activity, Id, Payload};
use rdkafka::message::{BorrowedMessage, Message as _, OwnedMessage};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;

/// Activities that wait for more of their messages, at most, and what their messages may weigh in bytes.
const WAITING: usize = 8000;
const WEIGHT: usize = 16 << 20;

/// A record as it came: what is read of it for its payload takes ten times as much memory.
pub(super) struct Unread {
    pub(super) message: OwnedMessage,
    /// The record, where it is not the whole message.
    record: Option<String>,
}

impl Unread {
    pub(super) fn of(message: &BorrowedMessage<'_>, record: Cow<'_, str>) -> Self {
        let is_whole = message.payload() == Some(record.as_bytes());
        Self { message: message.detach(), record: (!is_whole).then(|| record.into_owned()) }
    }

    pub(super) fn record(&self) -> &str {
        let whole = || std::str::from_utf8(self.message.payload().unwrap_or_default()).unwrap_or_default();
        self.record.as_deref().unwrap_or_else(whole)
    }
}

/// Reads the payload of a record.
type Reads<'a> = &'a dyn Fn(&Unread) -> Payload;

/// An activity of which more messages may come.
struct Waiting {
    activity: Activity,
    /// Its records, where its payload is wanted, in the order in which they came.
    records: Option<Vec<Unread>>,
    /// The window in which its last message was.
    window: usize,
    bytes: usize,
}

impl Waiting {
    fn payload(&self, reads: Reads<'_>) -> Option<Payload> {
        let mut payloads = self.records.as_ref()?.iter().map(reads);
        let mut whole = payloads.next()?;
        payloads.for_each(|part| whole.merge(part));
        Some(whole)
    }
}

/// The activities of the windows read so far.
#[derive(Default)]
pub(super) struct Joined {
    /// In boxes: a table of this many that grows would hold them twice.
    waiting: HashMap<Id, Box<Waiting>>,
    bytes: usize,
    /// Hashes of the identities that were passed on: what earlier messages say of them is older.
    passed: HashSet<u64>,
    hasher: std::hash::RandomState,
    window: usize,
}

impl Joined {
    /// Adds the activity of a message of so many bytes, with its record where the payload is wanted. In one window messages
    /// come in their order, windows come newest first.
    pub(super) fn add(&mut self, activity: Activity, unread: Option<Unread>, bytes: usize) {
        if self.passed.contains(&self.hasher.hash_one(&activity.id)) {
            return;
        }
        let window = self.window;
        self.bytes += bytes;
        let Some(known) = self.waiting.get_mut(&activity.id) else {
            let records = unread.map(|unread| vec![unread]);
            self.waiting.insert(activity.id.clone(), Box::new(Waiting { activity, records, window, bytes }));
            return;
        };
        // A newer window has said what it is now.
        let earlier = known.window != window;
        known.window = window;
        known.bytes += bytes;
        if activity.part {
            known.activity.merge(activity);
        } else if earlier {
            let newer = std::mem::replace(&mut known.activity, activity);
            known.activity.replace_with(newer);
        } else {
            known.activity.replace_with(activity);
        }
        if let Some(unread) = unread {
            known.records.get_or_insert_default().push(unread);
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Ends a window: passes on what is complete. False where no more is wanted.
    pub(super) fn settle(&mut self, reads: Reads<'_>, to: &mut dyn Collect) -> bool {
        let crowded = self.waiting.len() > WAITING || self.bytes > WEIGHT;
        let now = self.window;
        self.window += 1;
        // The start and the outcome of parts are known once both were read. Another topic may hold an activity, too: it
        // waits as long as there is room. What was written at nearly the same time may be in two windows.
        let complete = |waiting: &Waiting| {
            let activity = &waiting.activity;
            let whole = activity.part && activity.exact_start && activity.status.is_some_and(|s| s.is_finished());
            waiting.window < now && (whole || crowded)
        };
        let mut ids: Vec<Id> = Vec::new();
        ids.extend(self.waiting.iter().filter(|(_, waiting)| complete(waiting)).map(|(id, _)| id.clone()));
        for id in ids {
            self.passed.insert(self.hasher.hash_one(&id));
            if let Some(waiting) = self.waiting.remove(&id) {
                self.bytes -= waiting.bytes;
                let payload = waiting.payload(reads);
                if !to.take(waiting.activity, payload) {
                    return false;
                }
            }
        }
        true
    }

    /// Passes on what is left.
    pub(super) fn finish(&mut self, reads: Reads<'_>, to: &mut dyn Collect) {
        for (_, waiting) in self.waiting.drain() {
            let payload = waiting.payload(reads);
            if !to.take(waiting.activity, payload) {
                return;
            }
        }
    }
}
