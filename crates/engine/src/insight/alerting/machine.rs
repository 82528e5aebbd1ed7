//! What becomes of alerts over time: pending, firing, resolved; told once, held back while it cools down or is silenced.
//!
//! The states are Prometheus' (<https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/>); `clear` is its
//! `keep_firing_for`. The cooldown is document 002's `alertCooldown`.

use super::message::reason;
use super::rule::{Group, Measured, Rule, Severity};
use crosstail_core::model::Timestamp;
use serde::{Deserialize, Serialize};

/// What state an alert is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition holds for long enough.
    Firing,
    /// The condition holds, not for long enough yet.
    Pending,
    /// It is over.
    Resolved,
}

impl AlertState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert: one rule, one group, from when it began until it was over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its identity: the same rule, group and beginning give the same, in every process (UUID version 5).
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// What it means.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Of whom.
    pub group: Group,
    /// Its state.
    pub state: AlertState,
    /// Why, with numbers: as of the last time that it held.
    pub reason: String,
    /// The filter that shows the activities behind it.
    pub filter: String,
    /// The value when it was measured last.
    pub value: f64,
    /// The worst value.
    pub worst: f64,
    /// Since when the condition holds.
    pub since: Timestamp,
    /// When it began to fire.
    pub fired_at: Option<Timestamp>,
    /// Since when the condition does not hold any more.
    pub clear_since: Option<Timestamp>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// When this firing was told last; `None`: not told.
    #[serde(rename = "told_at")]
    pub notified_at: Option<Timestamp>,
    /// Who has taken it, and when.
    pub acknowledged: Option<(String, Timestamp)>,
}

/// Alerts of a rule, or of a group, that nobody is to be told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The rule's name; all where it is `*`.
    pub rule: String,
    /// A value that the group must have; any where it is `*`.
    pub group: String,
    /// Until then.
    pub until: Timestamp,
    /// Why, and who said so.
    pub why: String,
}

impl Silence {
    /// Whether it is about an alert, at a moment.
    pub fn matches(&self, alert: &Alert, now: Timestamp) -> bool {
        let group = || alert.group.iter().any(|(_, value)| value.eq_ignore_ascii_case(&self.group));
        now < self.until
            && (self.rule == "*" || self.rule.eq_ignore_ascii_case(&alert.rule))
            && (self.group == "*" || group())
    }
}

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertChange {
    /// What happened.
    pub transition: Transition,
    /// The alert, as it is now.
    pub alert: Alert,
}

/// What was measured for a rule at one time.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Of each group that there is.
    pub measured: Vec<Measured>,
    /// Something that the rule looks at could not be seen: what is not measured is not known to be well.
    pub blind: bool,
}

/// All alerts: those that hold, and the last ones that are over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alerts {
    /// Pending and firing ones.
    pub active: Vec<Alert>,
    /// The last ones that fired and are over, newest first.
    #[serde(rename = "past")]
    pub resolved: Vec<Alert>,
    /// When each rule and group was told last, while it cools down.
    #[serde(rename = "cooling")]
    cooldowns: Vec<(String, Group, Timestamp)>,
}

/// Alerts remembered after they are over.
const MAX_RESOLVED: usize = 200;

impl Alerts {
    /// Takes what was measured, and gives what has to be told. `evaluations` must hold every rule there is.
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
                if evaluation.rule.threshold.is_beyond(measured.value) {
                    self.activate(now, evaluation.rule, measured);
                }
            }
        }
        let mut kept = Vec::with_capacity(self.active.len());
        for mut alert in std::mem::take(&mut self.active) {
            let Some(evaluation) = rule_of(&alert.rule) else {
                // The rule is there no more.
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

    /// The condition holds for a group: it has an alert.
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

    /// Tells of a firing alert, where it is due.
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

    /// An alert is over. Who was told that it fires is told that it is over.
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

    /// Notes who has taken an alert; whether there is one of that id.
    pub fn acknowledge(&mut self, id: &str, who: &str, now: Timestamp) -> bool {
        let Some(alert) = self.active.iter_mut().find(|alert| alert.id == id) else { return false };
        alert.acknowledged = Some((who.to_owned(), now));
        true
    }

    /// Firing ones.
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
        Measured { group, value, count: truncated_u64(value), of: 0, usual: String::new(), filter: String::new() }
    }

    /// Runs values of one group, one every ten seconds, and gives what was told when.
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
        // A gap before `for` is over begins anew.
        let told = run(&rule, &[Some(11.0), Some(11.0), Some(9.0), Some(11.0), Some(11.0), Some(9.0)], &[]);
        assert_eq!(told, []);
    }

    #[test]
    fn what_flaps_is_told_once_in_a_cooldown() {
        let rule = rule("cooldown = \"60s\"");
        let flapping: Vec<Option<f64>> = (0..14).map(|n| Some(if n % 2 == 0 { 11.0 } else { 1.0 })).collect();
        let told = run(&rule, &flapping, &[]);
        // Fired at 0, over at 10; at 20 and 40 it is held back, and over again before it could be told; at 60 it is told.
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
        // Held back, and still firing when the cooldown ends.
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
        // The cooldown goes on over a restart, too.
        let mut later: Alerts = serde_json::from_str(&serde_json::to_string(&again).expect("JSON")).expect("the same");
        assert_eq!(later.evaluate(Timestamp(4 * SECOND), &evaluation(20.0), &[]), []);
        // A rule that is gone takes its alerts along.
        assert_eq!(again.evaluate(Timestamp(5 * SECOND), &[], &[]), []);
    }
}
