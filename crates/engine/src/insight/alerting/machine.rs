//! The life of alerts: pending, firing, resolved. An alert notifies once, and not during a cooldown or a silence.
//!
//! The states are Prometheus' (<https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/>); `clear` is its
//! `keep_firing_for`. The cooldown is HaloPSA's `alertCooldown` (docs/reference/halopsa.md).

use super::message::reason;
use super::rule::{Group, Measured, Rule, Severity};
use crosstail_core::model::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition has held for long enough.
    Firing,
    /// The condition holds, but not for long enough yet.
    Pending,
    /// The condition no longer holds.
    Resolved,
}

impl AlertState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert: one firing of one rule for one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Identity, a UUID version 5 of rule, group and start, so that it is the same in every process.
    pub id: String,
    /// Name of the rule.
    pub rule: String,
    /// Title of the rule.
    pub title: String,
    pub severity: Severity,
    pub group: Group,
    pub state: AlertState,
    /// Reason with figures, as of the last time that the condition held.
    pub reason: String,
    /// The filter for the activities that caused it.
    pub filter: String,
    /// The last measured value.
    pub value: f64,
    /// The worst measured value.
    pub worst: f64,
    /// When the condition started to hold.
    pub since: Timestamp,
    /// When it started to fire.
    pub fired_at: Option<Timestamp>,
    /// When the condition stopped to hold, while `clear` has not passed.
    pub clear_since: Option<Timestamp>,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// When this firing last caused a notification; `None` where it has caused none.
    #[serde(rename = "told_at")]
    pub notified_at: Option<Timestamp>,
    /// Who acknowledged it, and when.
    pub acknowledged: Option<(String, Timestamp)>,
}

/// A mute for alerts of a rule or a group, with an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Name of the rule; `*` for every rule.
    pub rule: String,
    /// A value that the group must have; `*` for every group.
    pub group: String,
    /// End of the silence.
    pub until: Timestamp,
    /// Reason, and who created it.
    pub why: String,
}

impl Silence {
    /// Whether it mutes an alert at a time.
    pub fn matches(&self, alert: &Alert, now: Timestamp) -> bool {
        let group = || alert.group.iter().any(|(_, value)| value.eq_ignore_ascii_case(&self.group));
        now < self.until
            && (self.rule == "*" || self.rule.eq_ignore_ascii_case(&alert.rule))
            && (self.group == "*" || group())
    }
}

/// A change of an alert's state that causes a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// It started to fire, or still fires.
    Firing,
    /// It was resolved.
    Resolved,
}

/// A change to notify about.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertChange {
    pub transition: Transition,
    /// The alert after the change.
    pub alert: Alert,
}

/// The measurements of a rule at one time.
#[derive(Debug)]
pub struct Evaluation<'a> {
    pub rule: &'a Rule,
    /// One for each existing group.
    pub measured: Vec<Measured>,
    /// Whether data that the rule needs was unavailable. Then a group without a measurement is not known to be well.
    pub blind: bool,
}

/// The state machine: active alerts and recently resolved ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alerts {
    /// Pending and firing alerts.
    pub active: Vec<Alert>,
    /// Alerts that fired and were resolved, the latest first.
    #[serde(rename = "past")]
    pub resolved: Vec<Alert>,
    /// During a cooldown: the time of the last notification by rule and group.
    #[serde(rename = "cooling")]
    cooldowns: Vec<(String, Group, Timestamp)>,
}

/// Maximum number of resolved alerts that are remembered.
const MAX_RESOLVED: usize = 200;

impl Alerts {
    /// Ingests measurements and returns the changes to notify about. `evaluations` must contain every rule: alerts of
    /// other rules are resolved.
    pub fn evaluate(
        &mut self,
        now: Timestamp,
        evaluations: &[Evaluation<'_>],
        silences: &[Silence],
    ) -> Vec<AlertChange> {
        let mut changes = Vec::new();
        let rule_of = |name: &str| evaluations.iter().find(|evaluation| evaluation.rule.name == name);
        self.cooldowns.retain(|(rule, _, at)| {
            rule_of(rule).is_some_and(|evaluation| now.since_us(*at) < evaluation.rule.cooldown_us)
        });
        for evaluation in evaluations {
            for measured in &evaluation.measured {
                if evaluation.rule.threshold.is_beyond(measured.value) && !measured.may_be_chance {
                    self.activate(now, evaluation.rule, measured);
                }
            }
        }
        let mut kept = Vec::with_capacity(self.active.len());
        for mut alert in std::mem::take(&mut self.active) {
            let Some(evaluation) = rule_of(&alert.rule) else {
                // The rule was removed.
                self.resolve(alert, now, &mut changes);
                continue;
            };
            let rule = evaluation.rule;
            let measured = evaluation.measured.iter().find(|measured| measured.group == alert.group);
            let holds = match measured {
                Some(measured) => {
                    alert.value = measured.value;
                    rule.threshold.is_beyond(measured.value)
                }
                None => evaluation.blind,
            };
            if holds {
                alert.clear_since = None;
                if alert.state == AlertState::Pending && now.since_us(alert.since) >= rule.for_us {
                    alert.state = AlertState::Firing;
                    alert.fired_at = Some(now);
                }
            } else if alert.state == AlertState::Pending {
                continue;
            } else {
                let since = *alert.clear_since.get_or_insert(now);
                if now.since_us(since) >= rule.clear_us {
                    self.resolve(alert, now, &mut changes);
                    continue;
                }
            }
            if alert.state == AlertState::Firing && !silences.iter().any(|silence| silence.matches(&alert, now)) {
                self.notify(&mut alert, rule, now, &mut changes);
            }
            kept.push(alert);
        }
        kept.sort_by(|a, b| {
            (a.state, a.severity, a.since, &a.rule, &a.group).cmp(&(b.state, b.severity, b.since, &b.rule, &b.group))
        });
        self.active = kept;
        changes
    }

    /// Creates or updates the alert of a group for which the condition holds.
    fn activate(&mut self, now: Timestamp, rule: &Rule, measured: &Measured) {
        let same = |alert: &&mut Alert| alert.rule == rule.name && alert.group == measured.group;
        if let Some(alert) = self.active.iter_mut().find(same) {
            alert.reason = reason(rule, measured);
            alert.worst = rule.threshold.worse(alert.worst, measured.value);
            alert.filter.clone_from(&measured.filter);
            return;
        }
        let identity = format!("crosstail {} {:?} {}", rule.name, measured.group, now.0);
        self.active.push(Alert {
            id: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, identity.as_bytes()).to_string(),
            rule: rule.name.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            group: measured.group.clone(),
            state: AlertState::Pending,
            reason: reason(rule, measured),
            filter: measured.filter.clone(),
            value: measured.value,
            worst: measured.value,
            since: now,
            fired_at: None,
            clear_since: None,
            resolved_at: None,
            notified_at: None,
            acknowledged: None,
        });
    }

    /// Adds a notification of a firing alert if one is due.
    fn notify(&mut self, alert: &mut Alert, rule: &Rule, now: Timestamp, changes: &mut Vec<AlertChange>) {
        let due = match alert.notified_at {
            None => !self.cooldowns.iter().any(|(rule, group, _)| *rule == alert.rule && *group == alert.group),
            Some(told) => {
                alert.acknowledged.is_none() && rule.repeat_us.is_some_and(|repeat| now.since_us(told) >= repeat)
            }
        };
        if due {
            alert.notified_at = Some(now);
            self.cooldowns.retain(|(rule, group, _)| *rule != alert.rule || *group != alert.group);
            self.cooldowns.push((alert.rule.clone(), alert.group.clone(), now));
            changes.push(AlertChange { transition: Transition::Firing, alert: alert.clone() });
        }
    }

    /// Resolves an alert. Notifies only if its firing was notified.
    fn resolve(&mut self, mut alert: Alert, now: Timestamp, changes: &mut Vec<AlertChange>) {
        if alert.state != AlertState::Firing {
            return;
        }
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(now);
        if alert.notified_at.is_some() {
            changes.push(AlertChange { transition: Transition::Resolved, alert: alert.clone() });
        }
        self.resolved.insert(0, alert);
        self.resolved.truncate(MAX_RESOLVED);
    }

    /// Records who acknowledged an alert; returns whether an alert with the id exists.
    pub fn acknowledge(&mut self, id: &str, who: &str, now: Timestamp) -> bool {
        let Some(alert) = self.active.iter_mut().find(|alert| alert.id == id) else { return false };
        alert.acknowledged = Some((who.to_owned(), now));
        true
    }

    /// The firing alerts.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.active.iter().filter(|alert| alert.state == AlertState::Firing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::number::{saturating_i64, truncated_u64};

    const SECOND: i64 = 1_000_000;

    fn rule(text: &str) -> Rule {
        let text = format!(
            "name = \"r\"\nseverity = \"warning\"\nwhen = \"> 10\"\n{text}\n[activities]\nmeasure = \"count\"\nby = \"system\"\n"
        );
        Rule::from_toml(&text, "r.toml").expect("good").1.expect("on")
    }

    fn measured(system: &str, value: f64) -> Measured {
        let group = vec![("system".to_owned(), system.to_owned())];
        Measured {
            group,
            value,
            count: truncated_u64(value),
            of: 0,
            may_be_chance: false,
            usual: String::new(),
            filter: String::new(),
        }
    }

    /// Runs values of one group, one every ten seconds, and returns the notifications with their times.
    fn run(rule: &Rule, values: &[Option<f64>], silences: &[Silence]) -> Vec<(i64, Transition)> {
        let mut alerts = Alerts::default();
        let mut told = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let now = Timestamp(saturating_i64(index) * 10 * SECOND);
            let measured = value.map(|value| measured("SAP", value)).into_iter().collect();
            let changes = alerts.evaluate(now, &[Evaluation { rule, measured, blind: false }], silences);
            told.extend(changes.into_iter().map(|change| (now.0 / SECOND, change.transition)));
        }
        told
    }

    #[test]
    fn it_fires_once_and_resolves_once() {
        let rule = rule("for = \"20s\"\ncooldown = \"60s\"");
        let told = run(&rule, &[Some(5.0), Some(11.0), Some(12.0), Some(13.0), Some(14.0), Some(9.0), None], &[]);
        assert_eq!(told, [(30, Transition::Firing), (50, Transition::Resolved)]);
        // A gap before `for` has passed starts it again.
        let told = run(&rule, &[Some(11.0), Some(11.0), Some(9.0), Some(11.0), Some(11.0), Some(9.0)], &[]);
        assert_eq!(told, []);
    }

    #[test]
    fn what_flaps_is_told_once_in_a_cooldown() {
        let rule = rule("cooldown = \"60s\"");
        let flapping: Vec<Option<f64>> = (0..14).map(|n| Some(if n % 2 == 0 { 11.0 } else { 1.0 })).collect();
        let told = run(&rule, &flapping, &[]);
        // Fires at 0, resolved at 10. At 20 and 40 the cooldown mutes it, and it is resolved before that ends. At 60 it
        // notifies.
        assert_eq!(
            told,
            [
                (0, Transition::Firing),
                (10, Transition::Resolved),
                (60, Transition::Firing),
                (70, Transition::Resolved),
                (120, Transition::Firing),
                (130, Transition::Resolved)
            ]
        );
        // Muted, and still firing when the cooldown ends.
        let told =
            run(&rule, &[Some(11.0), Some(1.0), Some(11.0), Some(11.0), Some(11.0), Some(11.0), Some(11.0)], &[]);
        assert_eq!(told, [(0, Transition::Firing), (10, Transition::Resolved), (60, Transition::Firing)]);
    }

    #[test]
    fn it_is_over_only_after_it_was_clear_for_long_enough_and_repeats_only_where_asked() {
        let clear = rule("clear = \"30s\"\ncooldown = \"0s\"");
        let told = run(&clear, &[Some(11.0), Some(1.0), Some(11.0), Some(1.0), Some(1.0), Some(1.0), Some(1.0)], &[]);
        assert_eq!(told, [(0, Transition::Firing), (60, Transition::Resolved)]);
        let repeating = rule("repeat = \"30s\"");
        let told = run(&repeating, &[Some(11.0); 7], &[]);
        assert_eq!(told, [(0, Transition::Firing), (30, Transition::Firing), (60, Transition::Firing)]);
    }

    #[test]
    fn a_silence_holds_back_and_what_still_fires_is_told_when_it_ends() {
        let rule = rule("");
        let until = Timestamp(25 * SECOND);
        let silence =
            |rule: &str, group: &str| Silence { rule: rule.into(), group: group.into(), until, why: String::new() };
        assert_eq!(run(&rule, &[Some(11.0); 5], &[silence("r", "sap")]), [(30, Transition::Firing)]);
        assert_eq!(run(&rule, &[Some(11.0); 5], &[silence("*", "Zoho")]), [(0, Transition::Firing)]);
        assert_eq!(run(&rule, &[Some(11.0), Some(1.0), Some(1.0)], &[silence("*", "*")]), []);
    }

    #[test]
    fn what_cannot_be_seen_is_not_over() {
        let rule = rule("cooldown = \"0s\"");
        let mut alerts = Alerts::default();
        let mut at = 0;
        let mut turn = |measured: Vec<Measured>, blind: bool| {
            at += 10;
            let evaluation = Evaluation { rule: &rule, measured, blind };
            alerts
                .evaluate(Timestamp(at * SECOND), &[evaluation], &[])
                .into_iter()
                .map(|c| c.transition)
                .collect::<Vec<_>>()
        };
        assert_eq!(turn(vec![measured("SAP", 20.0)], false), [Transition::Firing]);
        assert_eq!(turn(vec![], true), []);
        assert_eq!(turn(vec![], false), [Transition::Resolved]);
    }

    #[test]
    fn a_restart_tells_nothing_twice() {
        let rule = rule("cooldown = \"60s\"");
        let mut alerts = Alerts::default();
        let evaluation = |value| [Evaluation { rule: &rule, measured: vec![measured("SAP", value)], blind: false }];
        assert_eq!(alerts.evaluate(Timestamp(SECOND), &evaluation(20.0), &[]).len(), 1);
        let text = serde_json::to_string(&alerts).expect("JSON");
        let mut again: Alerts = serde_json::from_str(&text).expect("the same");
        assert_eq!(again, alerts);
        assert_eq!(again.evaluate(Timestamp(2 * SECOND), &evaluation(20.0), &[]), []);
        let over = again.evaluate(Timestamp(3 * SECOND), &evaluation(1.0), &[]);
        assert_eq!(over[0].transition, Transition::Resolved);
        assert_eq!(over[0].alert.id, alerts.active[0].id);
        // The cooldown survives a restart.
        let mut later: Alerts = serde_json::from_str(&serde_json::to_string(&again).expect("JSON")).expect("the same");
        assert_eq!(later.evaluate(Timestamp(4 * SECOND), &evaluation(20.0), &[]), []);
        // A removed rule removes its alerts.
        assert_eq!(again.evaluate(Timestamp(5 * SECOND), &[], &[]), []);
    }
}
