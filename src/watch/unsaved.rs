//! A state that cannot be written, on a full disk: the watch goes on, and tells it once on every channel, and once when it is over.

use super::notification::Notification;
use crosstail_core::model::Timestamp;
use crosstail_engine::insight::alerting::{Alert, AlertChange, AlertState, Severity, Transition};

/// The rule that such an alert is said to be of.
const RULE: &str = "WatchState";

/// Whether the state can be written.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// What is told while it cannot.
    alert: Option<Alert>,
}

impl Unsaved {
    /// Why it cannot be written, as of the last time.
    pub(super) fn reason(&self) -> Option<&str> {
        self.alert.as_ref().map(|alert| alert.reason.as_str())
    }

    /// What to tell where the outcome of writing is another than it was.
    pub(super) fn note(&mut self, outcome: Result<(), String>, now: Timestamp) -> Vec<Notification> {
        let (transition, alert) = match (outcome, self.alert.take()) {
            (Ok(()), None) => return Vec::new(),
            (Err(_), Some(alert)) => {
                self.alert = Some(alert);
                return Vec::new();
            }
            (Err(error), None) => {
                let alert = begun(&error, now);
                self.alert = Some(alert.clone());
                (Transition::Firing, alert)
            }
            (Ok(()), Some(alert)) => {
                let alert = Alert { state: AlertState::Resolved, resolved_at: Some(now), ..alert };
                (Transition::Resolved, alert)
            }
        };
        Notification::of(vec![AlertChange { transition, alert }], now)
    }
}

fn begun(error: &str, now: Timestamp) -> Alert {
    let identity = format!("crosstail {RULE} {}", now.0);
    Alert {
        id: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, identity.as_bytes()).to_string(),
        rule: RULE.to_owned(),
        title: "The watch cannot write its state".to_owned(),
        severity: Severity::Critical,
        group: Vec::new(),
        state: AlertState::Firing,
        reason: format!("{error}; the watch goes on, and after a restart it may tell again what it has told"),
        filter: String::new(),
        value: 1.0,
        worst: 1.0,
        since: now,
        fired_at: Some(now),
        clear_since: None,
        resolved_at: None,
        notified_at: Some(now),
        acknowledged: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_and_once_when_it_is_over() {
        let mut unsaved = Unsaved::default();
        assert!(unsaved.note(Ok(()), Timestamp(1)).is_empty());
        let told = unsaved.note(Err("watch.json: No space left on device".to_owned()), Timestamp(2));
        assert!(told[0].reasons()[0].contains("No space left") && told[0].transition == Transition::Firing);
        assert!(unsaved.note(Err("again".to_owned()), Timestamp(3)).is_empty());
        let over = unsaved.note(Ok(()), Timestamp(4));
        assert_eq!((over[0].transition, &over[0].alerts[0].id), (Transition::Resolved, &told[0].alerts[0].id));
        assert!(unsaved.note(Ok(()), Timestamp(5)).is_empty() && unsaved.reason().is_none());
    }
}
