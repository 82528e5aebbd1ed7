//! What the messages and errors of the view have in common: patterns, the most frequent first.

mod report;
mod view;

use super::answer::Answer;
use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, ReportPart, Screen};
use crate::action::Action;
use crate::effect::{Effect, Reply, Ticket};
use crate::tui::{Canvas, Context};
use crosstail_engine::pattern::{FoundPattern, FoundPatterns, GapValues, value_clause};

const EXAMPLE: Action = Action::new("pattern_example", "open an example");
const VALUES: Action = Action::new("values", "the values of what varies in the pattern");

pub(super) const ENTRY: Entry = Entry {
    action: Some(Action::PATTERNS),
    own: &[EXAMPLE, VALUES],
    keys: "[patterns]\npattern_example = ['x']\nvalues = ['v']",
    new: || Box::new(PatternsScreen::default()),
};

/// The patterns, with the cursor on one; or the values of one.
#[derive(Default)]
pub(super) struct PatternsScreen {
    answer: Answer<FoundPatterns>,
    line: Lines,
    values: Option<Values>,
}

/// The values of the gaps of a pattern.
struct Values {
    of: FoundPattern,
    asked: Ticket,
    /// The values of each gap, or why they are not known.
    found: Option<Result<Vec<GapValues>, String>>,
    /// The gap that is shown.
    gap: usize,
    line: Lines,
}

impl Values {
    fn gaps(&self) -> &[GapValues] {
        match &self.found {
            Some(Ok(found)) => found,
            _ => &[],
        }
    }

    fn gap(&self) -> Option<&GapValues> {
        self.gaps().get(self.gap)
    }
}

impl PatternsScreen {
    fn patterns(&self) -> &[FoundPattern] {
        self.answer.get().map_or(&[], |found| &found.patterns)
    }

    fn current(&self) -> Option<&FoundPattern> {
        self.patterns().get(self.line.0)
    }

    fn ask(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let ticket = self.answer.ask(shared);
        vec![Effect::FindPatterns(ticket, Box::new(shared.view_range()))]
    }

    /// Takes what was found; the cursor stays with its pattern.
    fn take(&mut self, found: FoundPatterns, shared: &mut Shared) {
        let chosen = self.current().map(|one| one.pattern.clone());
        if let Some(problem) = &found.problem {
            shared.notify(problem.clone());
        }
        let kept = chosen.and_then(|of| found.patterns.iter().position(|one| one.pattern == of));
        self.line = Lines(kept.unwrap_or(self.line.0).min(found.patterns.len().saturating_sub(1)));
        self.answer.set(Ok(found));
    }

    /// The clauses for what has a pattern, and none of the others that are shown.
    fn clauses_of(&self, of: &FoundPattern) -> Vec<String> {
        of.pattern.clauses_among(self.patterns().iter().map(|one| &one.pattern))
    }

    /// Asks for the values of the selected pattern.
    fn open_values(&mut self, shared: &mut Shared) -> Option<Vec<Effect>> {
        let of = self.current()?.clone();
        let asked = shared.ticket();
        let (mut range, template) = (shared.view_range(), of.pattern.text.clone());
        range.filter = shared.filter_with(&self.clauses_of(&of).join(" "), false);
        self.values = Some(Values { of, asked, found: None, gap: 0, line: Lines::default() });
        Some(vec![Effect::FindValues(asked, Box::new(range), template)])
    }

    /// An action on the values of a pattern.
    fn handle_values(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let clauses = self.values.as_ref().map(|values| self.clauses_of(&values.of)).unwrap_or_default();
        let values = self.values.as_mut()?;
        let count = values.gap().map_or(0, |gap| gap.values.len());
        if values.line.moved(action, count) {
            return Some(Vec::new());
        }
        let gaps = values.gaps().len().max(1);
        match action {
            Action::BACK | VALUES => self.values = None,
            Action::LEFT => (values.gap, values.line) = ((values.gap + gaps - 1) % gaps, Lines::default()),
            Action::RIGHT => (values.gap, values.line) = ((values.gap + 1) % gaps, Lines::default()),
            Action::OPEN | Action::KEEP | Action::EXCLUDE => {
                let (value, _) = values.gap()?.values.get(values.line.0)?;
                let kept = shared.filter_with(&clauses.join(" "), false);
                let negated = if action == Action::EXCLUDE { "-" } else { "" };
                let field = if values.of.tally.example.error.is_some() { "error" } else { "message" };
                let clause = value_clause(&values.of.pattern.text, values.gap, value, field);
                shared.ask(Request::Show(format!("{kept} {negated}{clause}")));
            }
            _ => return None,
        }
        Some(Vec::new())
    }
}

impl Screen for PatternsScreen {
    fn name(&self) -> &'static str {
        "patterns"
    }

    fn actions(&self) -> Vec<Action> {
        let own =
            [Action::OPEN, Action::KEEP, Action::EXCLUDE, EXAMPLE, VALUES, Action::LEFT, Action::RIGHT, Action::BACK];
        [&Lines::ACTIONS[..], &own].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("patterns"))
    }

    fn is_filtered(&self) -> bool {
        true
    }

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.patterns().is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        if self.values.is_some() {
            return &[
                Hint(Action::BACK, "patterns"),
                Hint(Action::OPEN, "narrow to the value"),
                Hint(Action::EXCLUDE, "exclude it"),
                Hint(Action::RIGHT, "next gap"),
                Hint(Action::PALETTE, "commands"),
            ];
        }
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "narrow to it"),
            Hint(Action::EXCLUDE, "exclude it"),
            Hint(VALUES, "values"),
            Hint(EXAMPLE, "example"),
            Hint(Action::REPORT, "report"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(match &mut self.values {
            Some(values) => &mut values.line.0,
            None => &mut self.line.0,
        })
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        if self.values.is_some() {
            return self.handle_values(action, shared);
        }
        if self.line.moved(action, self.patterns().len()) {
            return Some(Vec::new());
        }
        match action {
            Action::BACK => {
                shared.ask(Request::Close);
                self.answer.forget();
                return Some(vec![Effect::StopGrouping]);
            }
            Action::OPEN | Action::KEEP | Action::EXCLUDE => {
                let clauses = self.clauses_of(self.current()?);
                let negated = action == Action::EXCLUDE;
                let clause =
                    if negated && clauses.len() > 1 { format!("({})", clauses.join(" ")) } else { clauses.join(" ") };
                shared.ask(Request::Show(shared.filter_with(&clause, negated)));
            }
            EXAMPLE => {
                let example = self.current()?.tally.example.clone();
                let row = shared.store.find(&example.id);
                shared.ask(Request::Open(row, example, None));
            }
            VALUES => return self.open_values(shared),
            _ => return None,
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        *self = Self::default();
        self.ask(shared)
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.answer.is_due(shared) && self.values.is_none() { self.ask(shared) } else { Vec::new() }
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Patterns(found) if self.answer.is_answered_by(ticket, shared) => {
                match found {
                    Ok(found) => self.take(*found, shared),
                    Err(problem) => self.answer.set(Err(problem)),
                }
                Ok(Vec::new())
            }
            Reply::GapValues(found) => match &mut self.values {
                Some(values) if values.asked == ticket => {
                    values.found = Some(found);
                    Ok(Vec::new())
                }
                _ => Err(Reply::GapValues(found)),
            },
            other => Err(other),
        }
    }

    fn report(&self, shared: &Shared) -> Option<ReportPart> {
        Some(report::of(self, shared))
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
