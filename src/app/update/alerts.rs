//! Actions of the alerts screen: jump to the activities behind an alert, acknowledge, resolve, silence its rule.

use super::detail::open;
use super::views::set_filter;
use crate::app::alerts::{self, AlertLine, AlertOrigin};
use crate::app::{AppState, Screen};
use crate::effect::{AlertEdit, Effect};
use crosstail_engine::insight::alerting::Silence;
use crosstail_source::alert::AlertStatus;

/// Length of a silence set by a key, in microseconds.
const SILENCE_US: i64 = 3_600_000_000;

/// Rebuilds the lines.
pub(super) fn refresh(state: &mut AppState) {
    let lines = alerts::lines(state);
    // The cursor stays with its alert.
    let selected = state.alert_lines.get(state.selected_line).map(|line| line.id.clone());
    if state.screen == Screen::Alerts
        && let Some(at) = lines.iter().position(|line| Some(&line.id) == selected.as_ref())
    {
        state.selected_line = at;
    }
    state.alert_lines = lines;
}

/// Switches between the alerts screen and the list.
pub(super) fn toggle(state: &mut AppState) {
    let shown = state.screen == Screen::Alerts;
    state.screen = if shown { Screen::Explore } else { Screen::Alerts };
    state.selected_line = 0;
    state.focus = crate::app::Focus::List;
    state.alert_lines = alerts::lines(state);
}

fn current(state: &AppState) -> Option<&AlertLine> {
    state.alert_lines.get(state.selected_line).filter(|_| state.screen == Screen::Alerts)
}

/// Shows the activities behind the selected alert.
pub(super) fn jump(state: &mut AppState) -> Option<Vec<Effect>> {
    let line = current(state)?.clone();
    if let AlertOrigin::Stored(alert) = &line.origin
        && let Some(row) = alerts::record_of(state, alert)
    {
        state.screen = Screen::Explore;
        let mut effects = set_filter(state, "");
        state.list.select(&state.store, row);
        effects.extend(open(state, row));
        return Some(effects);
    }
    if line.filter.is_empty() {
        state.notify("this alert is about a measurement, not about activities; s shows the metrics");
        return Some(Vec::new());
    }
    state.screen = Screen::Explore;
    Some(set_filter(state, &line.filter))
}

/// Acknowledges or resolves the selected alert.
pub(super) fn change(state: &mut AppState, to: AlertStatus) -> Vec<Effect> {
    let Some(line) = current(state).cloned() else {
        state.notify("acknowledge and resolve alerts on the alerts screen (a)");
        return Vec::new();
    };
    let who = state.writes_as.clone();
    match line.origin {
        AlertOrigin::Rule(_) if to == AlertStatus::Resolved => {
            state.notify("an alert of a rule resolves once the rule no longer holds; S silences it");
        }
        AlertOrigin::Rule(rule) => {
            let (who, now) = (who.unwrap_or_else(|| "you".to_owned()), state.now);
            if state.alerting.alerts.acknowledge(&line.id, &who, now) {
                state.notify(format!("{rule} acknowledged in this session"));
            }
            refresh(state);
        }
        AlertOrigin::Stored(alert) => match who {
            None => state.notify("the alert is in a store: start with --allow-writes to change it there"),
            Some(by) => {
                let change = AlertEdit { id: line.id, places: alert.places.clone(), to, by };
                state.notify(format!("{} {} …", to.word(), change.id));
                return vec![Effect::ChangeAlert(Box::new(change))];
            }
        },
    }
    Vec::new()
}

/// Silences the rule of the selected alert for its group, for an hour; lifts an existing silence.
pub(super) fn silence(state: &mut AppState) {
    let Some(line) = current(state).cloned() else { return };
    let AlertOrigin::Rule(rule) = line.origin else {
        state.notify("only alerts of rules can be silenced");
        return;
    };
    let alerts = &state.alerting.alerts;
    let value = alerts.active.iter().find(|alert| alert.id == line.id).and_then(|alert| alert.group.first());
    let group = value.map_or_else(|| "*".to_owned(), |(_, value)| value.clone());
    let silences = &mut state.alerting.silences;
    let count = silences.len();
    silences.retain(|silence| silence.rule != rule || silence.group != group);
    if silences.len() == count {
        let until = state.now.plus_us(SILENCE_US);
        silences.push(Silence { rule: rule.clone(), group: group.clone(), until, why: "in the explorer".to_owned() });
        state.notify(format!("{rule} for {group} is silenced for an hour in this session; S lifts it"));
    } else {
        state.notify(format!("{rule} for {group} is no longer silenced"));
    }
    refresh(state);
}
