//! When the figures of the view's systems went to another level, between what people have marked.

mod view;

use super::answer::AskedView;
use super::lines::Lines;
use super::request::Request;
use super::shared::{Shared, TwoSets};
use super::{Entry, Hint, ReportPart, Screen};
use crate::action::Action;
use crate::config::Marker;
use crate::effect::{Effect, Reply, Ticket};
use crate::tui::{Canvas, Context};
use crosstail_core::filter::{Field, quote};
use crosstail_core::model::Timestamp;
use crosstail_engine::change::{FoundChanges, SOON_US, Shift, Window};
use crosstail_export::{Cell, Table};

const BY_ENDPOINT: Action =
    Action::new("by_endpoint", "changes of the endpoints of the selected system, or of systems again");

pub(super) const ENTRY: Entry = Entry {
    action: Some(Action::CHANGES),
    own: &[BY_ENDPOINT],
    keys: "[changes]\nby_endpoint = ['e']",
    new: || Box::new(ChangesScreen::default()),
};

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
    /// What is known besides; its changes are among the lines.
    found: Option<FoundChanges>,
    /// The system whose endpoints are shown, instead of systems.
    of: Option<String>,
    line: Lines,
    asked: Ticket,
    /// The view that was asked about.
    view: AskedView,
}

impl ChangesScreen {
    fn all(&self) -> &[Line] {
        match &self.lines {
            Some(Ok(lines)) => lines,
            _ => &[],
        }
    }

    fn ask(&mut self, of: Option<String>, shared: &mut Shared) -> Vec<Effect> {
        let mut range = shared.view_range();
        let mut by = vec![Field::System];
        if let Some(system) = &of {
            range.filter = shared.filter_with(&format!("system:{}", quote(system)), false);
            by.push(Field::Endpoint);
        }
        *self = Self { asked: shared.ticket(), of, view: AskedView::now(shared), ..Self::default() };
        let markers = shared.markers.iter().map(|marker| marker.at).collect();
        vec![Effect::FindChanges(self.asked, Box::new(range), by, markers)]
    }

    /// The clauses for the system, and the endpoint, of a change.
    fn clauses(shift: &Shift) -> String {
        let of = |name: &str, at: usize| {
            let value = shift.group.get(at).and_then(Option::as_deref)?;
            Some(format!("{name}:{}", quote(value)))
        };
        [of("system", 0), of("endpoint", 1)].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn window(&self) -> Option<Window> {
        self.found.as_ref().map(|found| found.window)
    }

    /// Shows the activities around the selected line.
    fn jump(&self, shared: &mut Shared) -> Option<()> {
        let line = self.all().get(self.line.0)?;
        let (around, clauses) = match line {
            Line::Shift(shift) => (AROUND * shift.within_us, Self::clauses(shift)),
            Line::Marker(_) => (AROUND_MARKER_US, String::new()),
        };
        let (from, to) = (line.at().plus_us(-around), line.at().plus_us(around));
        let time = format!("time:{}..{}", from.rfc3339(), to.rfc3339());
        let filter = shared.filter_with(format!("{time} {clauses}").trim_end(), false);
        shared.ask(Request::Show(filter));
        Some(())
    }

    /// Compares what was after the selected line with what was before it, as far as its neighbours, or the ends of the range.
    fn compare(&self, shared: &mut Shared) -> Option<()> {
        let (line, window) = (self.all().get(self.line.0)?, self.window()?);
        let at = line.at();
        // Lines within a bucket of it are about the same change, and so is what it followed soon.
        let within = match line {
            Line::Shift(shift) if shift.marker.is_some() => SOON_US,
            _ => window.bucket_us,
        };
        let apart = |other: &&Line| other.at().since_us(at).abs() > within;
        let others = || self.all().iter().filter(apart).map(Line::at);
        let since = others().filter(|other| *other < at).max().unwrap_or(window.from);
        let until = others().filter(|other| *other > at).min().unwrap_or(window.to);
        let filter = match line {
            Line::Shift(shift) if !Self::clauses(shift).is_empty() => shared.filter_with(&Self::clauses(shift), false),
            Line::Shift(_) | Line::Marker(_) => shared.filter.text().to_owned(),
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
        [&Lines::ACTIONS[..], &[Action::OPEN, Action::COMPARE, BY_ENDPOINT, Action::BACK]].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("changes"))
    }

    fn is_filtered(&self) -> bool {
        true
    }

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.all().is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "what was then"),
            Hint(Action::COMPARE, "after with before"),
            Hint(BY_ENDPOINT, "by endpoint"),
            Hint(Action::ZOOM_IN, "shorter"),
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
            Action::BACK if self.of.is_some() => return Some(self.ask(None, shared)),
            Action::BACK => {
                shared.ask(Request::Close);
                return Some(vec![Effect::StopGrouping]);
            }
            Action::OPEN => self.jump(shared)?,
            Action::COMPARE => self.compare(shared)?,
            BY_ENDPOINT if self.of.is_some() => return Some(self.ask(None, shared)),
            BY_ENDPOINT => match self.all().get(self.line.0) {
                Some(Line::Shift(shift)) if shift.group.first().is_some_and(Option::is_some) => {
                    let system = shift.group[0].clone();
                    return Some(self.ask(system, shared));
                }
                _ => shared.notify("select a change of a system"),
            },
            _ => return self.line.moved(action, self.all().len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.ask(None, shared)
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.view.is_gone(shared) { self.ask(self.of.clone(), shared) } else { Vec::new() }
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Changes(found) if ticket == self.asked => {
                self.lines = Some(found.map(|mut found| {
                    let (window, shifts) = (found.window, std::mem::take(&mut found.shifts));
                    self.found = Some(*found);
                    let within = |marker: &&Marker| (window.from..window.to).contains(&marker.at);
                    let markers = shared.markers.iter().filter(within).cloned().map(Line::Marker);
                    let mut lines: Vec<Line> = markers.chain(shifts.into_iter().map(Line::Shift)).collect();
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
        const COLUMNS: [&str; 7] = ["at", "system", "endpoint", "what", "before", "after", "marker"];
        let rows = self.all().iter().map(|line| match line {
            Line::Shift(shift) => vec![
                Some(shift.at).into(),
                shift.group.first().and_then(Option::as_deref).map_or(Cell::None, Cell::text),
                shift.group.get(1).and_then(Option::as_deref).map_or(Cell::None, Cell::text),
                Cell::text(shift.measure.words()),
                Cell::text(&shift.measure.shown(shift.before)),
                Cell::text(&shift.measure.shown(shift.after)),
                Cell::None,
            ],
            Line::Marker(marker) => {
                let mut cells = vec![Cell::None; COLUMNS.len()];
                (cells[0], cells[6]) = (Some(marker.at).into(), Cell::text(&marker.text));
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
