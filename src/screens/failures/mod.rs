//! The failures of the view in groups: what is new, since when, how many are affected, and whether retries repair it.

mod report;
mod view;

use super::answer::Answer;
use super::lines::Lines;
use super::request::{PromptKind, Request};
use super::shared::Shared;
use super::{Entry, Hint, ReportPart, Screen};
use crate::action::Action;
use crate::effect::{Effect, Reply, Ticket};
use crate::tui::{Canvas, Context};
use crosstail_core::model::Timestamp;
use crosstail_engine::failure::{FailureGroup, Fingerprint, FoundFailures, Mute, Remark};

const EXAMPLE: Action = Action::new("example", "open an example");
const MUTE: Action = Action::new("mute", "mute the group until it changes, or unmute it");

pub(super) const ENTRY: Entry = Entry {
    action: Some(Action::FAILURES),
    own: &[EXAMPLE, MUTE],
    keys: "[failures]\nexample = ['x']\nmute = ['m']",
    new: || Box::new(FailuresScreen::default()),
};

/// The groups, with the cursor on one.
#[derive(Default)]
pub(super) struct FailuresScreen {
    answer: Answer<FoundFailures>,
    line: Lines,
}

impl FailuresScreen {
    fn groups(&self) -> &[FailureGroup] {
        self.answer.get().map_or(&[], |found| &found.groups)
    }

    fn current(&self) -> Option<&FailureGroup> {
        self.groups().get(self.line.0)
    }

    fn ask(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let ticket = self.answer.ask(shared);
        vec![Effect::GroupFailures(ticket, Box::new(shared.view_range()))]
    }

    /// Takes what was found; the cursor stays with its group.
    fn take(&mut self, found: FoundFailures, shared: &mut Shared) {
        let chosen = self.current().map(|group| group.fingerprint.clone());
        if let Some(problem) = &found.problem {
            shared.notify(problem.clone());
        }
        let kept = chosen.and_then(|of| found.groups.iter().position(|group| group.fingerprint.is_same(&of)));
        self.line = Lines(kept.unwrap_or(self.line.0).min(found.groups.len().saturating_sub(1)));
        self.answer.set(Ok(found));
    }

    /// Says something about a group, here and in what is remembered.
    fn say(&mut self, of: &Fingerprint, said: &str, change: impl Fn(&mut Remark)) -> Vec<Effect> {
        let Some(found) = self.answer.get_mut() else { return Vec::new() };
        let Some(group) = found.groups.iter_mut().find(|group| group.fingerprint == *of) else { return Vec::new() };
        change(&mut group.remark);
        vec![Effect::SayOfGroup(Box::new((of.clone(), group.remark.clone(), said.to_owned())))]
    }

    fn mute(&mut self, now: Timestamp) -> Option<Vec<Effect>> {
        let group = self.current()?;
        let (of, mute) = (group.fingerprint.clone(), Mute { at: now, last_hour: group.last_hour });
        Some(if group.is_muted() {
            self.say(&of, "no longer muted", |remark| remark.mute = None)
        } else {
            self.say(&of, "muted until it comes back or fails more than twice as often", |remark| {
                remark.mute = Some(mute);
            })
        })
    }
}

impl Screen for FailuresScreen {
    fn name(&self) -> &'static str {
        "failures"
    }

    fn actions(&self) -> Vec<Action> {
        let own = [Action::OPEN, Action::KEEP, Action::EXCLUDE, EXAMPLE, MUTE, Action::NOTE, Action::BACK];
        [&Lines::ACTIONS[..], &own].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("failures"))
    }

    fn is_filtered(&self) -> bool {
        true
    }

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.groups().is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "its failures"),
            Hint(EXAMPLE, "example"),
            Hint(MUTE, "mute"),
            Hint(Action::NOTE, "note"),
            Hint(Action::REPORT, "report"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        if self.line.moved(action, self.groups().len()) {
            return Some(Vec::new());
        }
        match action {
            Action::BACK => {
                shared.ask(Request::Close);
                self.answer.forget();
                return Some(vec![Effect::StopGrouping]);
            }
            Action::OPEN | Action::KEEP => {
                let mut clauses = self.current()?.clauses();
                clauses.retain(|clause| !shared.filter.has_clause(clause));
                let filter = shared.filter_with(&clauses.join(" "), false);
                shared.ask(Request::Show(filter.trim().to_owned()));
            }
            Action::EXCLUDE => {
                let filter = shared.filter_with(&format!("({})", self.current()?.filter()), true);
                shared.ask(Request::Show(filter));
            }
            EXAMPLE => {
                let example = self.current()?.example.clone();
                let row = shared.store.find(&example.id);
                shared.ask(Request::Open(row, example, None));
            }
            MUTE => return self.mute(shared.now),
            Action::NOTE => {
                let group = self.current()?;
                let kind = PromptKind::GroupNote(Box::new(group.fingerprint.clone()));
                shared.ask(Request::Prompt(kind, group.remark.note.clone()));
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    fn answered(&mut self, kind: &PromptKind, text: &str, _shared: &mut Shared) -> Option<Vec<Effect>> {
        let PromptKind::GroupNote(of) = kind else { return None };
        Some(self.say(of, "noted", |remark| remark.note = text.to_owned()))
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        *self = Self::default();
        self.ask(shared)
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.answer.is_due(shared) { self.ask(shared) } else { Vec::new() }
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::FailureGroups(found) if self.answer.is_answered_by(ticket, shared) => {
                match found {
                    Ok(found) => self.take(*found, shared),
                    Err(problem) => self.answer.set(Err(problem)),
                }
                Ok(Vec::new())
            }
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
