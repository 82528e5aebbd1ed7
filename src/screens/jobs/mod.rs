//! What the sources do now: what for, since when, how much was read, and the query itself. A job can be ended. Below it
//! what the program did since it was started, to search and to copy.

mod log;
mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, Context, Gesture, Part, TextField};
use crosstail_source::JobState;
use log::LogPanel;

const END_JOB: Action = Action::new("end_job", "end the job under the cursor");
const WHOLE_LOG: Action = Action::new("whole_log", "list every query in the log, or only what was said");

pub(super) const ENTRY: Entry = Entry {
    action: Some(Action::JOBS),
    own: &[END_JOB, WHOLE_LOG],
    keys: "[jobs]\nend_job = ['x']\nwhole_log = ['d']",
    new: || Box::new(JobsScreen::default()),
};

/// A job, for the mouse.
const JOB: Part = Part("job");
/// A line of the log.
const LOG: Part = Part("line of the log");

/// The jobs and the log, with the cursor in one of them.
#[derive(Default)]
pub(super) struct JobsScreen {
    /// The jobs as of the last second, the oldest first.
    jobs: Vec<JobState>,
    line: Lines,
    log: LogPanel,
    /// Whether the cursor is in the log.
    in_log: bool,
}

impl JobsScreen {
    /// Lists the jobs again; the cursor stays with its job.
    fn list(&mut self, shared: &Shared) {
        let selected = self.current().map(|job| job.number);
        self.jobs = shared.jobs.list();
        let at = self.jobs.iter().position(|job| Some(job.number) == selected);
        self.line = Lines(at.unwrap_or(self.line.0).min(self.jobs.len().saturating_sub(1)));
        self.log.read(&shared.log);
    }

    fn current(&self) -> Option<&JobState> {
        self.jobs.get(self.line.0)
    }

    /// Searches the log for a text; for none, everything is listed.
    fn search(&mut self, text: &str, shared: &Shared) {
        self.log.is_typing = false;
        self.log.field.set(text, text.len());
        self.log.read(&shared.log);
    }

    /// What an action copies: the line, or the query of the job, under the cursor; or the whole log as listed.
    fn copied(&self, action: Action) -> Option<String> {
        match (action, self.in_log) {
            (Action::COPY_WHOLE, _) => Some(self.log.text()),
            (_, true) => self.log.current().map(ToString::to_string),
            (_, false) => self.current().map(|job| job.statement.clone()),
        }
    }
}

impl Screen for JobsScreen {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        let own = [
            END_JOB,
            WHOLE_LOG,
            Action::FOCUS_NEXT,
            Action::FOCUS_PREVIOUS,
            Action::FILTER,
            Action::CLEAR_FILTER,
            Action::COPY_RECORD,
            Action::COPY_WHOLE,
            Action::OPEN,
            Action::BACK,
        ];
        [&Lines::ACTIONS[..], &own].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("jobs"))
    }

    fn hints(&self) -> &'static [Hint] {
        if self.log.is_typing {
            return &[Hint(Action::BACK, "everything"), Hint(Action::OPEN, "search")];
        }
        if self.in_log {
            return &[
                Hint(Action::BACK, "back"),
                Hint(Action::FILTER, "search"),
                Hint(Action::COPY_RECORD, "copy the line"),
                Hint(Action::COPY_WHOLE, "copy all"),
                Hint(Action::FOCUS_NEXT, "jobs"),
            ];
        }
        if self.jobs.is_empty() {
            return &[
                Hint(Action::BACK, "back"),
                Hint(Action::FOCUS_NEXT, "log"),
                Hint(WHOLE_LOG, "every query"),
                Hint(Action::SOURCES, "sources"),
                Hint(Action::PALETTE, "commands"),
            ];
        }
        &[
            Hint(Action::BACK, "back"),
            Hint(END_JOB, "end it"),
            Hint(Action::FOCUS_NEXT, "log"),
            Hint(WHOLE_LOG, "every query"),
            Hint(Action::SOURCES, "sources"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::OPEN if self.log.is_typing => self.log.is_typing = false,
            Action::BACK if self.log.is_typing => self.search("", shared),
            Action::CLEAR_FILTER if self.in_log => self.search("", shared),
            Action::FILTER => (self.in_log, self.log.is_typing) = (true, true),
            Action::FOCUS_NEXT | Action::FOCUS_PREVIOUS => self.in_log = !self.in_log,
            Action::COPY_RECORD | Action::COPY_WHOLE => {
                let copied = self.copied(action);
                if let Some(text) = &copied {
                    let what = match (action, self.in_log) {
                        (Action::COPY_WHOLE, _) => format!("{} lines of the log", text.lines().count()),
                        (_, true) => "the line".to_owned(),
                        (_, false) => "the query".to_owned(),
                    };
                    shared.notify(format!("copied {what}"));
                }
                return Some(copied.map(Effect::Copy).into_iter().collect());
            }
            Action::BACK => shared.ask(Request::Close),
            WHOLE_LOG => {
                self.log.is_whole = !self.log.is_whole;
                self.log.read(&shared.log);
            }
            END_JOB if !self.in_log => {
                return Some(self.current().map(|job| Effect::EndJob(job.number)).into_iter().collect());
            }
            _ if self.in_log => return self.log.moved(action).then(Vec::new),
            _ => return self.line.moved(action, self.jobs.len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn pointed(&mut self, gesture: Gesture, (part, index, _): (Part, usize, u16), _: &mut Shared) -> Vec<Effect> {
        match gesture {
            Gesture::Press | Gesture::DoublePress => {
                self.in_log = part == LOG;
                if part == LOG {
                    self.log.select(index);
                } else if index < self.jobs.len() {
                    self.line = Lines(index);
                }
            }
            Gesture::Wheel(up) => {
                let action = if up { Action::UP } else { Action::DOWN };
                for _ in 0..Gesture::WHEEL_LINES {
                    if part == LOG {
                        self.log.moved(action);
                    } else {
                        self.line.moved(action, self.jobs.len());
                    }
                }
            }
            Gesture::Drag | Gesture::Release => {}
        }
        Vec::new()
    }

    fn is_typing(&self) -> bool {
        self.log.is_typing
    }

    fn field(&mut self) -> Option<&mut TextField> {
        self.log.is_typing.then_some(&mut self.log.field)
    }

    fn edited(&mut self, changed: bool, shared: &mut Shared) -> Vec<Effect> {
        if changed {
            self.log.read(&shared.log);
        }
        Vec::new()
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        *self = Self::default();
        self.list(shared);
        Vec::new()
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.list(shared);
        Vec::new()
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
