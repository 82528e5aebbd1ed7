//! The alerts of rules and of stores: evaluated as time passes, and listed.

use super::Shared;
use crate::effect::{Effect, Reply, Ticket};
use crate::ingest::SourceStatus;
use crosstail_core::filter::quote;
use crosstail_core::model::{Activity, Kind, Level, Status, Timestamp};
use crosstail_engine::insight::alerting::{
    Alert, AlertChange, AlertState, Alerting, CATCH_UP_US, EvaluationInput, Rule, Severity, Silence, Transition,
    behind, group_text,
};
use crosstail_engine::store::{Row, Store};
use crosstail_engine::window::Interval;
use std::collections::BTreeSet;

/// State of a line. Lines are shown in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineState {
    /// A rule holds, or a store's alert is open.
    Firing,
    /// A rule holds, but not yet for long enough.
    Pending,
    /// Somebody has acknowledged it.
    Acknowledged,
    /// The rule no longer holds, or the store's alert is closed.
    Resolved,
}

impl LineState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// Where an alert comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum AlertOrigin {
    /// A rule, by name.
    Rule(String),
    /// A store, with the alert's activity.
    Stored(Box<Activity>),
}

/// An alert on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertLine {
    /// Id, as `crosstail alerts` prints it.
    pub id: String,
    /// Severity, for the order.
    pub severity: Severity,
    /// Word for the severity: the store's own if it has one.
    pub severity_word: &'static str,
    pub state: LineState,
    pub title: String,
    pub reason: String,
    /// The system, queue or source that it is about.
    pub group: String,
    /// Escalation level; 0 if not escalated.
    pub escalation: u16,
    pub since: Timestamp,
    /// When it was resolved.
    pub ended: Option<Timestamp>,
    /// Who acknowledged or resolved it.
    pub who: Option<String>,
    /// Whether a silence covers it.
    pub silenced: bool,
    /// Where it comes from.
    pub origin: AlertOrigin,
    /// Filter that shows the activities behind it; empty if it is about measurements.
    pub filter: String,
}

/// Window assumed for a rule that no longer exists, in microseconds.
const WINDOW_US: i64 = 300_000_000;
/// Maximum number of stored alerts shown, newest first.
const STORED: usize = 500;

/// The rules, their alerts, and the alerts that stores hold.
#[derive(Default)]
pub struct AlertBoard {
    /// The rules and their alerts.
    pub alerting: Alerting,
    /// All alerts, the most urgent first.
    pub lines: Vec<AlertLine>,
    /// Rows that are alerts of stores, collected as they arrive to avoid a search through all rows.
    rows: BTreeSet<Row>,
    /// Ticket of the query for a baseline, and its window in microseconds.
    baseline: (Ticket, i64),
    /// Ticket of the query for what has failed before.
    known: Ticket,
    /// Ticket of the last query for an objective.
    objective: Ticket,
}

impl AlertBoard {
    /// Notes the alerts among rows that are new or changed.
    pub(super) fn note(&mut self, store: &Store, rows: &[Row]) {
        self.rows.extend(rows.iter().filter(|row| store.kind(**row) == Kind::Alert));
    }
}

impl Shared {
    /// Lists the alerts again.
    pub fn list_alerts(&mut self) {
        let board = &self.alerts;
        let alerting = &board.alerting;
        let all = alerting.alerts.active.iter().chain(&alerting.alerts.resolved);
        let mut lines: Vec<AlertLine> =
            all.map(|alert| of_rule(alert, &alerting.rules, &alerting.silences, self.now)).collect();
        let mut rows: Vec<Row> = board.rows.iter().copied().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(self.store.started(*row)));
        lines.extend(rows.into_iter().take(STORED).map(|row| of_activity(self.store.get(row))));
        let key = |line: &AlertLine| (line.state, line.severity, std::cmp::Reverse(line.since));
        lines.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id)));
        self.alerts.lines = lines;
    }

    /// Evaluates the rules if they are due, says what started firing, and asks the stores for a baseline where memory does not
    /// hold what it is about.
    pub(super) fn evaluate_due_rules(&mut self) -> Vec<Effect> {
        if !self.may_evaluate() || !self.alerts.alerting.is_due(self.now) {
            return Vec::new();
        }
        if !self.alerts.alerting.has_started() {
            let (context, since) = (self.context(), self.now.plus_us(-CATCH_UP_US));
            self.alerts.alerting.catch_up(&self.store, context, since);
        }
        let changes = self.evaluate_rules();
        self.list_alerts();
        self.say_firing(&changes);
        let mut effects: Vec<Effect> = self.ask_known_failures().into_iter().collect();
        effects.extend(self.ask_baseline());
        effects.extend(self.ask_objective());
        effects
    }

    /// Asks the stores for what memory does not hold of an objective.
    fn ask_objective(&mut self) -> Option<Effect> {
        let held_from = self.complete_from();
        let query = self.alerts.alerting.objectives.request(self.now, held_from)?;
        self.alerts.objective = self.ticket();
        Some(Effect::CountObjective(self.alerts.objective, Box::new(query)))
    }

    /// Asks what has failed before, for rules on groups of failures.
    fn ask_known_failures(&mut self) -> Option<Effect> {
        let until = self.alerts.alerting.request_known_failures(self.now)?;
        self.alerts.known = self.ticket();
        Some(Effect::KnownFailures(self.alerts.known, until))
    }

    fn ask_baseline(&mut self) -> Option<Effect> {
        if self.reads_at_once {
            return None;
        }
        let (window_us, query) = self.alerts.alerting.request_baseline(self.now)?;
        let range = query.since..query.until;
        if self.held.covers(Interval { from: range.start, to: range.end }) {
            let groups = self.store.outcomes_by_system(range, window_us);
            self.alerts.alerting.set_baseline(window_us, Some(&groups), self.now);
            return None;
        }
        let ticket = self.ticket();
        self.alerts.baseline = (ticket, window_us);
        Some(Effect::Figures(ticket, Box::new(query)))
    }

    /// Takes the answer to what is asked for all screens: by rules, for markers, of what was marked, of views. Gives back any other reply.
    pub(in crate::screens) fn take_for_all(&mut self, ticket: Ticket, reply: Reply) -> Result<(), Reply> {
        match reply {
            Reply::Figures(_, result) if ticket == self.alerts.baseline.0 => {
                self.alerts.alerting.set_baseline(self.alerts.baseline.1, result.as_ref().ok(), self.now);
                Ok(())
            }
            Reply::Held(query) => {
                self.answer_from_memory(*query);
                Ok(())
            }
            Reply::Marked(found) => {
                self.take_marked(ticket, found);
                Ok(())
            }
            Reply::ViewSaved(saved) => {
                self.take_saved(saved);
                Ok(())
            }
            Reply::Markers(markers, problems) => {
                self.take_markers(ticket, markers, problems);
                Ok(())
            }
            // Those of several objectives may be under way.
            Reply::ObjectiveCounted(query, counts) if ticket <= self.alerts.objective => {
                self.alerts.alerting.objectives.answer(&query, counts.ok().as_deref());
                Ok(())
            }
            Reply::KnownFailures(until, known) if ticket == self.alerts.known => {
                self.alerts.alerting.set_known_failures(until, known.ok().as_deref());
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Whether enough history is loaded to evaluate rules: all of it, or what arrived in the first seconds.
    fn may_evaluate(&self) -> bool {
        let waited_us = self.now.since_us(self.opened);
        waited_us >= 3_000_000 && (waited_us >= 15_000_000 || !SourceStatus::any_busy(&self.sources))
    }

    /// Evaluates the rules; returns what changed.
    fn evaluate_rules(&mut self) -> Vec<AlertChange> {
        self.follow_operations();
        let sources = self.sources.iter().map(SourceStatus::snapshot).collect();
        let (context, until, held_from) = (self.context(), Timestamp(i64::MAX), self.complete_from());
        self.alerts.alerting.evaluate(&EvaluationInput { context, store: &self.store, until, held_from, sources })
    }

    fn say_firing(&mut self, changes: &[AlertChange]) {
        let mut firing = changes.iter().filter(|change| change.transition == Transition::Firing);
        let Some(first) = firing.next() else { return };
        let more = match firing.count() {
            0 => String::new(),
            n => format!(" and {n} more alerts"),
        };
        self.notify(format!("⚑ {}: {}{more}", first.alert.title, first.alert.reason));
    }
}

/// The line of a rule's alert.
pub fn of_rule(alert: &Alert, rules: &[Rule], silences: &[Silence], now: Timestamp) -> AlertLine {
    let rule = rules.iter().find(|rule| rule.name == alert.rule);
    let window_us = rule.map_or(WINDOW_US, |rule| rule.window_us);
    let shown = match alert.state {
        AlertState::Resolved => LineState::Resolved,
        _ if alert.acknowledged.is_some() => LineState::Acknowledged,
        AlertState::Firing => LineState::Firing,
        AlertState::Pending => LineState::Pending,
    };
    let has_activities = !alert.filter.is_empty();
    AlertLine {
        id: alert.id.clone(),
        severity: alert.severity,
        severity_word: alert.severity.as_str(),
        state: shown,
        title: alert.title.clone(),
        reason: alert.reason.clone(),
        group: group_text(&alert.group),
        escalation: 0,
        since: alert.fired_at.unwrap_or(alert.since),
        ended: alert.resolved_at,
        who: alert.acknowledged.as_ref().map(|(who, _)| who.clone()),
        silenced: silences.iter().any(|silence| silence.matches(alert, now)),
        origin: AlertOrigin::Rule(alert.rule.clone()),
        filter: if has_activities {
            behind(&alert.filter, alert.since.plus_us(-window_us), alert.resolved_at)
        } else {
            String::new()
        },
    }
}

/// The line of an alert that a store holds.
pub fn of_activity(activity: Activity) -> AlertLine {
    let word = activity.operation.as_deref().unwrap_or_default();
    // A topic holds several messages about one alert, in any order: an actor means that somebody has acknowledged it.
    let taken = word.eq_ignore_ascii_case("acknowledged") || activity.actor.is_some();
    let shown = match activity.status {
        Some(Status::InProgress) if taken => LineState::Acknowledged,
        Some(Status::InProgress) | None => LineState::Firing,
        Some(_) => LineState::Resolved,
    };
    let (severity, severity_word) = match activity.level {
        Some(Level::Fatal) => (Severity::Critical, "critical"),
        Some(Level::Error) => (Severity::Warning, "high"),
        Some(Level::Warn) => (Severity::Warning, "medium"),
        _ => (Severity::Info, "low"),
    };
    let text = |text: &Option<compact_str::CompactString>| text.as_deref().unwrap_or_default().to_owned();
    // If it names no record, the records of the same system around its time are the likely cause.
    let around = |at: Timestamp| format!("{}..{}", at.plus_ms(-900_000).rfc3339(), at.plus_ms(300_000).rfc3339());
    let system = activity.system.as_deref().map(|system| format!("system:{} ", quote(system))).unwrap_or_default();
    AlertLine {
        id: activity.id.to_string(),
        severity,
        severity_word,
        state: shown,
        title: text(&activity.message),
        reason: text(&activity.error),
        group: text(&activity.system),
        escalation: activity.attempt.unwrap_or(0),
        since: activity.started_at,
        ended: activity.completed_at,
        who: activity.actor.as_ref().map(ToString::to_string),
        silenced: false,
        filter: format!("{system}-kind:alert time:{}", around(activity.started_at)),
        origin: AlertOrigin::Stored(Box::new(activity)),
    }
}

/// The record that a stored alert names by its id or by its key in the store.
pub(in crate::screens) fn record_of(store: &Store, alert: &Activity) -> Option<Row> {
    let named = alert.parent_request_id.as_deref()?;
    if let Some(row) = store.find(&crosstail_core::model::Id::parse(named)) {
        return Some(row);
    }
    let day = 86_400_000;
    let near = store.rows_between(alert.started_at.plus_ms(-day)..alert.started_at.plus_ms(day));
    let is = |row: &&Row| {
        store.places(**row).iter().any(|place| place.locator.as_table_key().is_some_and(|(_, key)| key == named))
    };
    near.iter().find(is).copied()
}
