//! When the figures of the view's systems went to another level, between what people have marked.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::{Shared, TwoSets};
use super::{Entry, Hint, ReportPart, Screen};
use crate::action::Action;
use crate::config::Marker;
use crate::effect::{Effect, Reply, Ticket};
use crate::tui::Canvas;
use crosstail_core::filter::quote;
use crosstail_core::model::Timestamp;
use crosstail_engine::change::{Shift, Window};
use crosstail_export::{Cell, Table};

pub(super) const ENTRY: Entry = Entry::new(Some(Action::CHANGES), || Box::new(ChangesScreen::default()));

/// So many buckets around a change are shown when it is opened.
const AROUND: i64 = 5;
/// Around a marker, in microseconds.
const AROUND_MARKER_US: i64 = 600_000_000;

/// A line: a change, or what was marked.
#[derive(Debug, Clone, PartialEq)]
enum Line {
    Shift(Shift),
    Marker(Marker),
}

impl Line {
    const fn at(&self) -> Timestamp {
        match self {
            Self::Shift(shift) => shift.at,
            Self::Marker(marker) => marker.at,
        }
    }
}

/// The changes, with the cursor on one.
#[derive(Default)]
pub(super) struct ChangesScreen {
    /// The lines in order of time, or why there are none; `None` before the answer.
    lines: Option<Result<Vec<Line>, String>>,
    window: Option<Window>,
    line: Lines,
    asked: Ticket,
}

impl ChangesScreen {
    fn all(&self) -> &[Line] {
        match &self.lines {
            Some(Ok(lines)) => lines,
            _ => &[],
        }
    }

    /// Shows the activities around the selected line.
    fn jump(&self, shared: &mut Shared) -> Option<()> {
        let line = self.all().get(self.line.0)?;
        let (around, system) = match line {
            Line::Shift(shift) => {
                let around = self.window.map_or(AROUND_MARKER_US, |window| AROUND * window.bucket_us);
                (around, shift.group.first().and_then(Option::as_deref))
            }
            Line::Marker(_) => (AROUND_MARKER_US, None),
        };
        let (from, to) = (line.at().plus_us(-around), line.at().plus_us(around));
        let time = format!("time:{}..{}", from.rfc3339(), to.rfc3339());
        let system = system.map(|system| format!(" system:{}", quote(system))).unwrap_or_default();
        shared.ask(Request::Show(shared.filter_with(&format!("{time}{system}"), false)));
        Some(())
    }

    /// Compares what was after the selected line with what was before it, as far as its neighbours, or the ends of the range.
    fn compare(&self, shared: &mut Shared) -> Option<()> {
        let (line, window) = (self.all().get(self.line.0)?, self.window?);
        let at = line.at();
        // Lines within a bucket of it are about the same change.
        let apart = |other: &&Line| other.at().since_us(at).abs() > window.bucket_us;
        let others = || self.all().iter().filter(apart).map(Line::at);
        let since = others().filter(|other| *other < at).max().unwrap_or(window.from);
        let until = others().filter(|other| *other > at).min().unwrap_or(window.to);
        let filter = match line {
            Line::Shift(shift) => match shift.group.first().and_then(Option::as_deref) {
                Some(system) => shared.filter_with(&format!("system:{}", quote(system)), false),
                None => shared.filter.text().to_owned(),
            },
            Line::Marker(_) => shared.filter.text().to_owned(),
        };
        shared.to_compare = Some(TwoSets::around(&filter, since, at, until, Action::CHANGES));
        shared.ask(Request::Run(Action::COMPARE_WITH));
        Some(())
    }
}

impl Screen for ChangesScreen {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, Action::COMPARE, Action::BACK]].concat()
    }

    fn is_filtered(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "what was then"),
            Hint(Action::COMPARE, "after with before"),
            Hint(Action::FAILURES, "failures"),
            Hint(Action::REPORT, "report"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::BACK => {
                shared.ask(Request::Close);
                return Some(vec![Effect::StopGrouping]);
            }
            Action::OPEN => self.jump(shared)?,
            Action::COMPARE => self.compare(shared)?,
            _ => return self.line.moved(action, self.all().len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        *self = Self { asked: shared.ticket(), ..Self::default() };
        vec![Effect::FindChanges(self.asked, Box::new(shared.view_range()))]
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Changes(found) if ticket == self.asked => {
                self.lines = Some(found.map(|found| {
                    let (window, shifts) = *found;
                    self.window = Some(window);
                    let within = |marker: &&Marker| (window.from..window.to).contains(&marker.at);
                    let markers = shared.markers.iter().filter(within).cloned().map(Line::Marker);
                    let mut lines: Vec<Line> = shifts.into_iter().map(Line::Shift).chain(markers).collect();
                    lines.sort_by_key(Line::at);
                    // The last one is what one looks for.
                    self.line = Lines(lines.len().saturating_sub(1));
                    lines
                }));
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn report(&self, shared: &Shared) -> Option<ReportPart> {
        const COLUMNS: [&str; 6] = ["at", "system", "what", "before", "after", "marker"];
        let rows = self.all().iter().map(|line| match line {
            Line::Shift(shift) => vec![
                Some(shift.at).into(),
                shift.group.first().and_then(Option::as_deref).map_or(Cell::None, Cell::text),
                Cell::text(shift.measure.words()),
                Cell::text(&shift.measure.shown(shift.before)),
                Cell::text(&shift.measure.shown(shift.after)),
                Cell::None,
            ],
            Line::Marker(marker) => {
                let mut cells = vec![Cell::None; COLUMNS.len()];
                (cells[0], cells[5]) = (Some(marker.at).into(), Cell::text(&marker.text));
                cells
            }
        });
        let table = Table {
            name: "changes".to_owned(),
            title: "When figures changed".to_owned(),
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: rows.collect(),
            chart: None,
        };
        let about = vec![format!("filter: {}", shared.filter.text()), format!("time: {}", shared.range.describe())];
        Some(ReportPart { title: "Changes".to_owned(), about, tables: vec![table], range: None })
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
