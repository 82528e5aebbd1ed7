//! The alerts screen's lines: what rules found, and what the stores hold.

use super::AppState;
use super::alerting::behind;
use super::health::rows_of;
use crosstail_core::filter::quote;
use crosstail_core::model::{Activity, Level, Status, Timestamp};
use crosstail_engine::insight::alerting::{Alert, AlertState, Rule, Severity, Silence, group_text};
use crosstail_engine::store::Row;

/// What state a line is in, in the order that they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineState {
    /// A rule holds, or a store's alert is open.
    Firing,
    /// A rule holds, not for long enough yet.
    Pending,
    /// Somebody has taken it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl LineState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// Where an alert is from.
#[derive(Debug, Clone, PartialEq)]
pub enum AlertOrigin {
    /// A rule.
    Rule(String),
    /// A store: the alert's activity.
    Stored(Box<Activity>),
}

/// An alert on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertLine {
    /// Its identity.
    pub id: String,
    /// How bad, for the order.
    pub severity: Severity,
    /// The word for it: the store's own where it has one.
    pub severity_word: &'static str,
    /// Its state.
    pub state: LineState,
    /// What it is.
    pub title: String,
    /// Why.
    pub reason: String,
    /// Of whom.
    pub group: String,
    /// How far it was escalated.
    pub escalation: u16,
    /// Since when.
    pub since: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// Who took it, or resolved it.
    pub who: Option<String>,
    /// A silence covers it.
    pub silenced: bool,
    /// Where it is from.
    pub origin: AlertOrigin,
    /// The filter that shows what is behind it.
    pub filter: String,
}

/// How far a rule is taken to look back that is not known any more.
const WINDOW_US: i64 = 300_000_000;
/// Alerts of stores that are shown at most, newest first.
const STORED: usize = 500;

/// Everything that is shown, the most urgent first.
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

/// The line of an alert that a rule found.
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
    // Of messages that say of one alert what became of it, in any order: who has taken it tells that it is taken.
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
    // What it is about is a record of the same time and system, where it names none.
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

/// The record that a store's alert names: by its id, or by its key in the store.
pub(super) fn record_of(state: &AppState, alert: &Activity) -> Option<Row> {
    let named = alert.parent_request_id.as_deref()?;
    if let Some(row) = state.store.find(&crosstail_core::model::Id::parse(named)) {
        return Some(row);
    }
    let day = 86_400_000;
    let near = rows_of(&state.store, alert.started_at.plus_ms(-day)..alert.started_at.plus_ms(day));
    let is = |row: &&Row| {
        state.store.places(**row).iter().any(|place| place.locator.as_table_key().is_some_and(|(_, key)| key == named))
    };
    near.iter().find(is).copied()
}
