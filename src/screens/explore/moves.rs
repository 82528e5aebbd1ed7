//! What actions mean in the list: moving, opening, looking for failures and marks, keeping a value.

use super::Explore;
use crate::action::Action;
use crate::effect::Effect;
use crate::ingest::SourceStatus;
use crate::screens::request::{Focus, Request, Tab};
use crate::screens::shared::Shared;
use crate::tui::text::{clock, day};
use crosstail_engine::store::Row;

impl Explore {
    /// Moves in the list, and opens what is selected.
    pub(super) fn in_list(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let height = self.height(shared);
        if action == Action::TOP
            && let Some(effects) = self.go_to_oldest(shared)
        {
            return Some(effects);
        }
        if action == Action::FOLLOW && self.list.follow && self.list.pinned.is_none() {
            shared.notify("the newest is followed already");
            return Some(Vec::new());
        }
        if self.list.act(action, &shared.store, height) {
            return Some(self.look(shared));
        }
        match action {
            Action::OPEN => {
                let text = shared.filter.plain_text().filter(|_| shared.store.rows().is_empty()).map(str::to_owned);
                if let Some(text) = text {
                    shared.ask(Request::Find(text, None));
                }
                return self.open_current(None, shared).or(Some(Vec::new()));
            }
            Action::RETRIES => return self.open_current(Some(Tab::Retries), shared).or(Some(Vec::new())),
            Action::TRACE => return self.open_current(Some(Tab::Trace), shared).or(Some(Vec::new())),
            Action::NEXT_FAILURE | Action::PREVIOUS_FAILURE => {
                // While following, the next failure is the newest one there is.
                let wants_newest = action == Action::NEXT_FAILURE && self.list.follow;
                let newer = action == Action::NEXT_FAILURE && !wants_newest;
                let newest = self.current(shared).filter(|row| wants_newest && shared.store.is_failure(*row));
                match newest.or_else(|| self.list.find_failure(&shared.store, newer)) {
                    Some(row) if self.detail.is_some() => {
                        ask_to_open(row, None, shared);
                        shared.ask(Request::Focus(self.focus));
                    }
                    Some(row) => {
                        self.select(row, shared);
                        if wants_newest {
                            shared.notify("the newest failure; E goes to the one before");
                        }
                    }
                    None => match self.find_failure(newer, shared) {
                        Some(effects) => return Some(effects),
                        None => self.say_last_failure(newer, shared),
                    },
                }
            }
            Action::NEXT_MARK => self.next_mark(shared),
            Action::KEEP | Action::EXCLUDE => {
                let of = self.list.chosen().clone();
                match self.current(shared).and_then(|row| self.value_of(row, &of, shared)) {
                    _ if self.focus == Focus::Detail && !self.places(shared).shows(Focus::List) => {
                        shared.notify("no value is selected here; a line of a request, response or payload is one");
                    }
                    Some(value) => shared.narrow(&of.clause(&value), action == Action::EXCLUDE),
                    None => shared.notify(format!("this activity has no {of}")),
                }
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Says that there is no further failure, and where the last one is.
    fn say_last_failure(&self, newer: bool, shared: &mut Shared) {
        let (which, back) = if newer { ("newest", "E") } else { ("oldest", "e") };
        let is_here = self.current(shared).is_some_and(|row| shared.store.is_failure(row));
        let mut text = match self.list.find_failure(&shared.store, !newer) {
            Some(_) if is_here => format!("this is the {which} failure of the view; {back} goes back"),
            Some(row) => {
                let (store, today) = (&shared.store, day(shared.zone, shared.now));
                let at = clock(shared.zone, store.started(row), today);
                let system = store.symbols().get(store.system(row));
                let of = if system.is_empty() { String::new() } else { format!(" of {system}") };
                format!(
                    "no {} failure; the {which}{of} began at {at}; {back} goes to it",
                    if newer { "newer" } else { "older" }
                )
            }
            None if is_here => "this is the only failure of the view".to_owned(),
            None => "no failure in this view".to_owned(),
        };
        if SourceStatus::any_busy(&shared.sources) {
            text.push_str(", so far: history is still being read");
        }
        shared.notify(text);
    }

    /// Selects the next marked row in the view.
    fn next_mark(&mut self, shared: &mut Shared) {
        let position = self.current(shared).and_then(|row| shared.store.position(row)).unwrap_or(0);
        let rows = shared.marks.keys().filter_map(|id| shared.store.find(id));
        let mut marked: Vec<(usize, Row)> = rows.filter_map(|row| Some((shared.store.position(row)?, row))).collect();
        marked.sort_unstable();
        let next = marked.iter().find(|(at, _)| *at > position).or(marked.first());
        match next.copied() {
            Some((_, row)) => self.select(row, shared),
            None => {
                let elsewhere = shared.marks.len() + shared.keeping.missing();
                shared.notify(match elsewhere {
                    0 => "no marks in this view; m sets one".to_owned(),
                    1 => "the mark is outside of this view".to_owned(),
                    many => format!("all {many} marks are outside of this view"),
                });
            }
        }
    }
}

pub(super) fn ask_to_open(row: Row, tab: Option<Tab>, shared: &mut Shared) {
    shared.ask(Request::Open(Some(row), Box::new(shared.store.get(row)), tab));
}
