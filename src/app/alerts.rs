//! The lines of the alerts screen: alerts of rules, and alerts that stores hold.

use super::AppState;
use crosstail_core::filter::quote;
use crosstail_core::model::{Activity, Level, Status, Timestamp};
use crosstail_engine::insight::alerting::{Alert, AlertState, Rule, Severity, Silence, behind, group_text};
use crosstail_engine::store::Row;

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

/// All lines, the most urgent first.
pub(super) fn lines(state: &AppState) -> Vec<AlertLine> {
    let mut lines: Vec<AlertLine> = Vec::new();
    let alerting = &state.alerting;
    for alert in alerting.alerts.active.iter().chain(&alerting.alerts.resolved) {
        lines.push(of_rule(alert, &alerting.rules, &alerting.silences, state.now));
    }
    lines.extend(stored(state));
    let key = |line: &AlertLine| (line.state, line.severity, std::cmp::Reverse(line.since));
    lines.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id)));
    lines
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

fn stored(state: &AppState) -> impl Iterator<Item = AlertLine> + '_ {
    let store = &state.store;
    let mut rows: Vec<Row> = state.alert_rows.iter().copied().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(store.started(*row)));
    rows.into_iter().take(STORED).map(|row| of_activity(store.get(row)))
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
pub(super) fn record_of(state: &AppState, alert: &Activity) -> Option<Row> {
    let named = alert.parent_request_id.as_deref()?;
    if let Some(row) = state.store.find(&crosstail_core::model::Id::parse(named)) {
        return Some(row);
    }
    let day = 86_400_000;
    let near = state.store.rows_between(alert.started_at.plus_ms(-day)..alert.started_at.plus_ms(day));
    let is = |row: &&Row| {
        state.store.places(**row).iter().any(|place| place.locator.as_table_key().is_some_and(|(_, key)| key == named))
    };
    near.iter().find(is).copied()
}
