//! Alerts of rules and of stores: jump to the activities behind an alert, acknowledge, resolve, silence its rule.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::{AlertLine, AlertOrigin, Shared, record_of};
use super::{Entry, Hint, ReportPart, Screen};
use crate::action::Action;
use crate::effect::{AlertEdit, Effect};
use crate::tui::Canvas;
use crosstail_engine::insight::alerting::Silence;
use crosstail_export::{Cell, Table};
use crosstail_source::alert::AlertStatus;

pub(super) const ENTRY: Entry = Entry::new(Some(Action::ALERTS), || Box::new(Alerts::default()));

/// Length of a silence set by a key, in microseconds.
const SILENCE_US: i64 = 3_600_000_000;

/// The alerts, with the cursor on one.
#[derive(Default)]
pub(super) struct Alerts {
    line: Lines,
    /// Id of the alert under the cursor, which stays with it.
    selected: Option<String>,
}

impl Alerts {
    fn current<'a>(&self, shared: &'a Shared) -> Option<&'a AlertLine> {
        shared.alerts.lines.get(self.line.0)
    }

    /// Lists the alerts again; the cursor stays with its alert.
    fn list(&mut self, shared: &mut Shared) {
        shared.list_alerts();
        if let Some(at) = shared.alerts.lines.iter().position(|line| Some(&line.id) == self.selected.as_ref()) {
            self.line = Lines(at);
        }
        self.remember(shared);
    }

    fn remember(&mut self, shared: &Shared) {
        self.selected = self.current(shared).map(|line| line.id.clone());
    }

    /// Shows the activities behind the selected alert.
    fn jump(line: &AlertLine, shared: &mut Shared) {
        if let AlertOrigin::Stored(alert) = &line.origin
            && let Some(row) = record_of(&shared.store, alert)
        {
            shared.ask(Request::Show(String::new()));
            shared.ask(Request::Open(Some(row), Box::new(shared.store.get(row)), None));
        } else if line.filter.is_empty() {
            shared.notify("this alert is about a measurement, not about activities; s shows the metrics");
        } else {
            shared.ask(Request::Show(line.filter.clone()));
        }
    }

    /// Acknowledges or resolves an alert.
    fn change(&mut self, line: AlertLine, to: AlertStatus, shared: &mut Shared) -> Vec<Effect> {
        let who = shared.settings.writes_as.clone();
        match line.origin {
            AlertOrigin::Rule(_) if to == AlertStatus::Resolved => {
                shared.notify("an alert of a rule resolves once the rule no longer holds; S silences it");
            }
            AlertOrigin::Rule(rule) => {
                let (who, now) = (who.unwrap_or_else(|| "you".to_owned()), shared.now);
                if shared.alerts.alerting.alerts.acknowledge(&line.id, &who, now) {
                    shared.notify(format!("{rule} acknowledged in this session"));
                }
                self.list(shared);
            }
            AlertOrigin::Stored(alert) => match who {
                None => shared.notify("the alert is in a store: start with --allow-writes to change it there"),
                Some(by) => {
                    let change = AlertEdit { id: line.id, places: alert.places.clone(), to, by };
                    shared.notify(format!("{} {} …", to.word(), change.id));
                    return vec![Effect::ChangeAlert(Box::new(change))];
                }
            },
        }
        Vec::new()
    }

    /// Silences the rule of an alert for its group, for an hour; lifts an existing silence.
    fn silence(&mut self, line: &AlertLine, shared: &mut Shared) {
        let AlertOrigin::Rule(rule) = &line.origin else {
            shared.notify("only alerts of rules can be silenced");
            return;
        };
        let alerting = &mut shared.alerts.alerting;
        let alert = alerting.alerts.active.iter().find(|alert| alert.id == line.id);
        let group =
            alert.and_then(|alert| alert.group.first()).map_or_else(|| "*".to_owned(), |(_, value)| value.clone());
        let count = alerting.silences.len();
        alerting.silences.retain(|silence| silence.rule != *rule || silence.group != group);
        if alerting.silences.len() == count {
            let until = shared.now.plus_us(SILENCE_US);
            let why = "in the explorer".to_owned();
            alerting.silences.push(Silence { rule: rule.clone(), group: group.clone(), until, why });
            shared.notify(format!("{rule} for {group} is silenced for an hour in this session; S lifts it"));
        } else {
            shared.notify(format!("{rule} for {group} is no longer silenced"));
        }
        self.list(shared);
    }
}

impl Screen for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn actions(&self) -> Vec<Action> {
        let own = [Action::OPEN, Action::BACK, Action::ACKNOWLEDGE, Action::RESOLVE, Action::SILENCE];
        [&Lines::ACTIONS[..], &own].concat()
    }

    fn is_empty(&self, shared: &Shared) -> bool {
        shared.alerts.lines.is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "what is behind it"),
            Hint(Action::ACKNOWLEDGE, "acknowledge"),
            Hint(Action::RESOLVE, "resolve in its store"),
            Hint(Action::SILENCE, "silence"),
            Hint(Action::REPORT, "report"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        if self.line.moved(action, shared.alerts.lines.len()) {
            self.remember(shared);
            return Some(Vec::new());
        }
        if action == Action::BACK {
            shared.ask(Request::Close);
            return Some(Vec::new());
        }
        let line = self.current(shared)?.clone();
        match action {
            Action::OPEN => Self::jump(&line, shared),
            Action::ACKNOWLEDGE => return Some(self.change(line, AlertStatus::Acknowledged, shared)),
            Action::RESOLVE => return Some(self.change(line, AlertStatus::Resolved, shared)),
            Action::SILENCE => self.silence(&line, shared),
            _ => return None,
        }
        Some(Vec::new())
    }

    fn elsewhere(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::ACKNOWLEDGE | Action::RESOLVE => {
                shared.notify("acknowledge and resolve alerts on the alerts screen (a)");
            }
            Action::SILENCE => shared.notify("silence rules on the alerts screen (a)"),
            _ => return None,
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        shared.list_alerts();
        self.line = Lines::default();
        self.remember(shared);
        Vec::new()
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.list(shared);
        Vec::new()
    }

    fn report(&self, shared: &Shared) -> Option<ReportPart> {
        Some(ReportPart { title: "Alerts".to_owned(), about: Vec::new(), tables: vec![table(shared)], range: None })
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}

fn table(shared: &Shared) -> Table {
    let rows = shared.alerts.lines.iter().map(|line| {
        let from = match &line.origin {
            AlertOrigin::Rule(rule) => format!("rule {rule}"),
            AlertOrigin::Stored(alert) => {
                alert.places.first().map(|p| p.label(shared.store.names())).unwrap_or_default()
            }
        };
        vec![
            Cell::text(line.severity_word),
            Cell::text(line.state.as_str()),
            Cell::text(&line.title),
            Cell::text(&line.group),
            Cell::text(&line.reason),
            Cell::count(u64::from(line.escalation)),
            Cell::from(Some(line.since)),
            Cell::from(line.ended),
            line.who.as_deref().map_or(Cell::None, Cell::text),
            Cell::text(&from),
        ]
    });
    Table {
        name: "alerts".to_owned(),
        title: "Alerts, the most urgent first".to_owned(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        chart: None,
    }
}

/// The columns of the report.
const COLUMNS: [&str; 10] =
    ["severity", "state", "title", "of", "reason", "escalation", "since", "resolved", "who", "from"];
