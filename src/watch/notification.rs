//! Notifications: the alerts of a rule that changed together, as one message.

use crosstail_core::model::{Timestamp, redact_text, visible_line};
use crosstail_engine::insight::alerting::{Alert, AlertChange, Severity, Transition, group_text};
use serde::{Deserialize, Serialize};

/// One message: the alerts of a rule that fired, or resolved, at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Its identity: the same alerts and turn give the same (UUID version 5). Receivers recognise repetitions by it.
    pub id: String,
    #[serde(rename = "turn")]
    pub transition: Transition,
    pub rule: String,
    /// Title of the rule, for people.
    pub title: String,
    pub severity: Severity,
    pub at: Timestamp,
    pub alerts: Vec<Alert>,
}

impl Notification {
    /// Groups changes by rule and turn.
    pub fn of(changes: Vec<AlertChange>, now: Timestamp) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for AlertChange { transition: turn, mut alert } in changes {
            // No secret and no control character leaves for a channel.
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

    /// A headline: `High error rate: SAP, Zoho`.
    pub fn headline(&self) -> String {
        let groups: Vec<String> = self.alerts.iter().map(|alert| group_text(&alert.group)).collect();
        let over = if self.transition == Transition::Resolved { " (resolved)" } else { "" };
        format!("{}{over}: {}", self.title, groups.join(", "))
    }

    /// The reason of each alert; of a single one, without its group, which the headline has.
    pub fn reasons(&self) -> Vec<String> {
        match self.alerts.as_slice() {
            [alert] => vec![without_group(alert).to_owned()],
            several => several.iter().map(|alert| alert.reason.clone()).collect(),
        }
    }
}

/// The reason of an alert, without the group in front of it.
pub fn without_group(alert: &Alert) -> &str {
    let rest = alert.reason.strip_prefix(&group_text(&alert.group)).and_then(|rest| rest.strip_prefix(": "));
    rest.unwrap_or(&alert.reason)
}

#[cfg(test)]
pub(in crate::watch) mod tests {
    use super::*;
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

    pub(in crate::watch) fn changes(turn: Transition) -> Vec<AlertChange> {
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
        let mut one = found[1].clone();
        one.alerts[0].reason = "SAP: 2 in 1 h".to_owned();
        assert_eq!((one.headline().as_str(), one.reasons()), ("High error rate: SAP", vec!["2 in 1 h".to_owned()]));
        assert_ne!(found[0].id, Notification::of(changes(Transition::Resolved), Timestamp(1))[0].id);
    }
}
