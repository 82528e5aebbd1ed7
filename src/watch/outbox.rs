//! The outbox: notifications that their channels have not yet accepted.

use super::channel::Channel;
use super::notification::Notification;
use crosstail_core::model::Timestamp;
use serde::{Deserialize, Serialize};

/// A notification on its way to one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Name of the channel.
    pub channel: String,
    pub notification: Notification,
    /// Failed attempts so far.
    #[serde(default, rename = "tries")]
    pub attempts: u32,
    /// Time of the next attempt.
    #[serde(rename = "due")]
    pub next_attempt_at: Timestamp,
    /// Why the last attempt failed.
    #[serde(default, rename = "problem")]
    pub last_error: Option<String>,
}

/// Wait before the first retry. It doubles up to [`LONGEST_WAIT_US`].
const FIRST_WAIT_US: i64 = 5_000_000;
/// Longest wait between two attempts.
const LONGEST_WAIT_US: i64 = 300_000_000;
/// A delivery this old is dropped, and the log says so.
const EXPIRY_US: i64 = 86_400_000_000;

/// The deliveries, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outbox(pub Vec<Delivery>);

impl Outbox {
    /// Adds a delivery for each channel that accepts a notification.
    pub fn enqueue(&mut self, notifications: &[Notification], channels: &[Channel]) {
        for notification in notifications {
            for channel in channels.iter().filter(|channel| channel.accepts(notification)) {
                self.0.push(Delivery {
                    channel: channel.name.clone(),
                    notification: notification.clone(),
                    attempts: 0,
                    next_attempt_at: notification.at,
                    last_error: None,
                });
            }
        }
    }

    /// Adds a delivery for every channel, whatever rules it is for: it concerns all of them.
    pub fn enqueue_everywhere(&mut self, notification: &Notification, channels: &[Channel]) {
        self.0.extend(channels.iter().map(|channel| Delivery {
            channel: channel.name.clone(),
            notification: notification.clone(),
            attempts: 0,
            next_attempt_at: notification.at,
            last_error: None,
        }));
    }

    /// The oldest delivery of a channel, if it is due. A channel has one at a time, so nothing overtakes.
    pub fn next_due(&self, channel: &str, now: Timestamp) -> Option<&Delivery> {
        self.0.iter().find(|delivery| delivery.channel == channel).filter(|delivery| delivery.next_attempt_at <= now)
    }

    /// Records the outcome of an attempt. Returns the delivery if it is now dropped as too old.
    pub fn record_result(
        &mut self,
        channel: &str,
        id: &str,
        outcome: Result<(), String>,
        now: Timestamp,
    ) -> Option<Delivery> {
        let is = |delivery: &Delivery| delivery.channel == channel && delivery.notification.id == id;
        let at = self.0.iter().position(is)?;
        let Err(problem) = outcome else {
            self.0.remove(at);
            return None;
        };
        let delivery = &mut self.0[at];
        let wait = (FIRST_WAIT_US << delivery.attempts.min(10)).min(LONGEST_WAIT_US);
        delivery.attempts += 1;
        delivery.next_attempt_at = now.plus_us(wait);
        delivery.last_error = Some(problem);
        let given_up = now.since_us(delivery.notification.at) > EXPIRY_US;
        given_up.then(|| self.0.remove(at))
    }

    /// Drops deliveries to channels that no longer exist; returns how many.
    pub fn keep_channels(&mut self, channels: &[Channel]) -> usize {
        let before = self.0.len();
        self.0.retain(|delivery| channels.iter().any(|channel| channel.name == delivery.channel));
        before - self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::ChannelKind;
    use crate::watch::notification::tests::changes;
    use crosstail_engine::insight::alerting::{Severity, Transition};

    #[test]
    fn what_a_channel_does_not_take_is_tried_again_and_nothing_overtakes_it() {
        let channel = Channel {
            name: "ops".to_owned(),
            kind: ChannelKind::Command("true".to_owned()),
            at_least: Severity::Info,
            rules: Vec::new(),
            resolved: true,
        };
        let mut outbox = Outbox::default();
        outbox.enqueue(&Notification::of(changes(Transition::Firing), Timestamp(0)), std::slice::from_ref(&channel));
        let first = outbox.next_due("ops", Timestamp(0)).expect("due").notification.id.clone();
        assert_eq!(outbox.record_result("ops", &first, Err("503".to_owned()), Timestamp(0)), None);
        assert_eq!(outbox.next_due("ops", Timestamp(4_999_999)), None, "the second one waits behind it");
        for n in 1..8 {
            let due = outbox.0[0].next_attempt_at;
            let wait = |n: u32| (5_000_000i64 << n).min(300_000_000);
            outbox.record_result("ops", &first, Err("503".to_owned()), due);
            assert_eq!(outbox.0[0].next_attempt_at.since_us(due), wait(n));
        }
        let later = Timestamp(90_000_000_000);
        assert!(
            outbox.record_result("ops", &first, Err("503".to_owned()), later).is_some_and(|gone| gone.attempts == 9)
        );
        let second = outbox.next_due("ops", Timestamp(0)).expect("due").notification.id.clone();
        assert_eq!(outbox.record_result("ops", &second, Ok(()), later), None);
        assert_eq!(outbox, Outbox::default());
    }
}
