//! What has to be told to whom: kept until each channel has taken it.

use super::channel::Channel;
use crosstail_core::model::{Timestamp, redact_text, visible_line};
use crosstail_engine::insight::alerting::{Alert, AlertChange, Severity, Transition, group_text};
use serde::{Deserialize, Serialize};

/// One message: the alerts of a rule that fired, or were over, at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Its identity: the same alerts and turn give the same (UUID version 5). Receivers tell repetitions by it.
    pub id: String,
    /// What happened.
    #[serde(rename = "turn")]
    pub transition: Transition,
    /// The rule.
    pub rule: String,
    /// What it means.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// When it happened.
    pub at: Timestamp,
    /// The alerts.
    pub alerts: Vec<Alert>,
}

impl Notification {
    /// Groups changes by rule and turn.
    pub fn of(changes: Vec<AlertChange>, now: Timestamp) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for AlertChange { transition: turn, mut alert } in changes {
            // No channel is told a secret, or given what would move a cursor.
            let safe = |text: &str| visible_line(&redact_text(text)).into_owned();
            (alert.title, alert.reason, alert.filter) = (safe(&alert.title), safe(&alert.reason), safe(&alert.filter));
            alert.group.iter_mut().for_each(|(_, value)| *value = safe(value));
            match found.iter_mut().find(|known| known.rule == alert.rule && known.transition == turn) {
                Some(known) => known.alerts.push(alert),
                None => found.push(Self {
                    id: String::new(),
                    transition: turn,
                    rule: alert.rule.clone(),
                    title: alert.title.clone(),
                    severity: alert.severity,
                    at: now,
                    alerts: vec![alert],
                }),
            }
        }
        for notification in &mut found {
            let mut identity = format!("crosstail {:?}", notification.transition);
            for alert in &notification.alerts {
                identity.push_str(&format!(" {} {:?}", alert.id, alert.notified_at));
            }
            notification.id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, identity.as_bytes()).to_string();
        }
        found
    }

    /// One line: `High error rate: SAP, Zoho`.
    pub fn headline(&self) -> String {
        let groups: Vec<String> = self.alerts.iter().map(|alert| group_text(&alert.group)).collect();
        let over = if self.transition == Transition::Resolved { " (resolved)" } else { "" };
        format!("{}{over}: {}", self.title, groups.join(", "))
    }

    /// The reasons, a line each.
    pub fn reasons(&self) -> Vec<String> {
        self.alerts.iter().map(|alert| alert.reason.clone()).collect()
    }
}

/// A notification on its way to one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The channel's name.
    pub channel: String,
    /// What it is told.
    pub notification: Notification,
    /// Times that it was tried.
    #[serde(default, rename = "tries")]
    pub attempts: u32,
    /// When it is tried next.
    #[serde(rename = "due")]
    pub next_attempt_at: Timestamp,
    /// Why it failed the last time.
    #[serde(default, rename = "problem")]
    pub last_error: Option<String>,
}

/// Waits between tries: 5 s, doubling up to 5 minutes.
const FIRST_WAIT_US: i64 = 5_000_000;
const LONGEST_WAIT_US: i64 = 300_000_000;
/// After so long nobody needs to be told any more: it is given up, and said.
const EXPIRY_US: i64 = 86_400_000_000;

/// Everything that is on its way, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outbox(pub Vec<Delivery>);

impl Outbox {
    /// Puts notifications on their way to the channels that want them.
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

    /// The next delivery of a channel, where it is due: one behind the other, so that nothing overtakes.
    pub fn next_due(&self, channel: &str, now: Timestamp) -> Option<&Delivery> {
        self.0.iter().find(|delivery| delivery.channel == channel).filter(|delivery| delivery.next_attempt_at <= now)
    }

    /// Takes the outcome of a try. Gives what was given up.
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

    /// Forgets what is for channels that are there no more; how many that were.
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
    use crosstail_engine::insight::alerting::AlertState;

    fn alert(rule: &str, system: &str) -> Alert {
        Alert {
            id: format!("{rule} {system}"),
            rule: rule.to_owned(),
            title: "High error rate".to_owned(),
            severity: Severity::Warning,
            group: vec![("system".to_owned(), system.to_owned())],
            state: AlertState::Firing,
            reason: "password=hunter2 \u{1b}[31m".to_owned(),
            filter: String::new(),
            value: 1.0,
            worst: 1.0,
            since: Timestamp(0),
            fired_at: Some(Timestamp(0)),
            clear_since: None,
            resolved_at: None,
            notified_at: Some(Timestamp(0)),
            acknowledged: None,
        }
    }

    fn changes(turn: Transition) -> Vec<AlertChange> {
        let of = |rule, system| AlertChange { transition: turn, alert: alert(rule, system) };
        vec![of("A", "SAP"), of("B", "SAP"), of("A", "Zoho")]
    }

    #[test]
    fn alerts_of_a_rule_are_one_message_without_secrets() {
        let found = Notification::of(changes(Transition::Firing), Timestamp(1));
        assert_eq!(found.iter().map(|n| n.rule.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(found[0].headline(), "High error rate: SAP, Zoho");
        assert!(!found[0].reasons()[0].contains("hunter2") && !found[0].reasons()[0].contains('\u{1b}'));
        assert_eq!(found, Notification::of(changes(Transition::Firing), Timestamp(1)), "the same identity");
        assert_ne!(found[0].id, Notification::of(changes(Transition::Resolved), Timestamp(1))[0].id);
    }

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
