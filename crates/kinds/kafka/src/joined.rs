//! Joins the messages of one activity while partitions are read backwards, and lets go of what is complete.

use super::collect::Collect;
use crosstail_core::model::{Activity, Id, Payload};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;

/// Activities that wait for more of their messages, at most, and what their messages may weigh in bytes.
const WAITING: usize = 8000;
const WEIGHT: usize = 16 << 20;

/// An activity of which more messages may come.
struct Waiting {
    activity: Activity,
    payload: Option<Payload>,
    /// The window in which its last message was.
    window: usize,
    bytes: usize,
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
    /// Adds the activity of a message of so many bytes. In one window messages come in their order, windows come newest
    /// first.
    pub(super) fn add(&mut self, activity: Activity, payload: Option<Payload>, bytes: usize) {
        if self.passed.contains(&self.hasher.hash_one(&activity.id)) {
            return;
        }
        let window = self.window;
        self.bytes += bytes;
        let Some(known) = self.waiting.get_mut(&activity.id) else {
            self.waiting.insert(activity.id.clone(), Box::new(Waiting { activity, payload, window, bytes }));
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
        match (&mut known.payload, payload) {
            (Some(part), Some(payload)) => part.merge(payload),
            (slot @ None, payload) => *slot = payload,
            (Some(_), None) => {}
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Ends a window: passes on what is complete. False where no more is wanted.
    pub(super) fn settle(&mut self, to: &mut dyn Collect) -> bool {
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
                if !to.take(waiting.activity, waiting.payload) {
                    return false;
                }
            }
        }
        true
    }

    /// Passes on what is left.
    pub(super) fn finish(&mut self, to: &mut dyn Collect) {
        for (_, waiting) in self.waiting.drain() {
            if !to.take(waiting.activity, waiting.payload) {
                return;
            }
        }
    }
}
