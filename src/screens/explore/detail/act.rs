//! What actions and typed text mean in a detail.

use super::{Detail, Jq, Loadable, Room};
use crate::action::Action;
use crate::effect::{Effect, PayloadSection};
use crate::screens::Hint;
use crate::screens::request::{Focus, PromptKind, Request, Tab};
use crate::screens::shared::Shared;
use crate::tui::TextField;
use crosstail_core::number::saturating_isize;

impl Detail {
    /// The actions that it takes while it has the keys.
    pub const ACTIONS: [Action; 31] = [
        Action::UP,
        Action::DOWN,
        Action::PAGE_UP,
        Action::PAGE_DOWN,
        Action::TOP,
        Action::BOTTOM,
        Action::LEFT,
        Action::RIGHT,
        Action::OPEN,
        Action::BACK,
        Action::NEXT_TAB,
        Action::PREVIOUS_TAB,
        Action::VIEW_1,
        Action::VIEW_2,
        Action::VIEW_3,
        Action::VIEW_4,
        Action::VIEW_5,
        Action::VIEW_6,
        Action::VIEW_7,
        Action::VIEW_8,
        Action::VIEW_9,
        Action::TRACE,
        Action::RETRIES,
        Action::COMPARE,
        Action::FILTER,
        Action::JQ,
        Action::NEXT_MATCH,
        Action::PREVIOUS_MATCH,
        Action::REVEAL,
        Action::KEEP,
        Action::EXCLUDE,
    ];

    /// What the key bar shows while it has the keys.
    pub const HINTS: &[Hint] = &[
        Hint(Action::BACK, "close"),
        Hint(Action::NEXT_TAB, "tab"),
        Hint(Action::OPEN, "fold/open"),
        Hint(Action::FILTER, "search"),
        Hint(Action::RETRIES, "retries"),
        Hint(Action::TRACE, "trace"),
        Hint(Action::COMPARE, "compare"),
        Hint(Action::KEEP, "keep value"),
        Hint(Action::JQ, "jq"),
        Hint(Action::REVEAL, "reveal"),
        Hint(Action::MARK, "mark"),
        Hint(Action::PAGER, "pager"),
        Hint(Action::COPY_MARKDOWN, "copy"),
    ];

    /// Takes an action while it has the keys.
    pub fn handle(&mut self, action: Action, room: Room, shared: &mut Shared) -> Option<Vec<Effect>> {
        if self.searching {
            self.end_search(action);
            return Some(Vec::new());
        }
        if self.scroll(action, room) {
            return Some(self.compare_tries(shared));
        }
        self.tab_action(action, room, shared).or_else(|| self.line_action(action, room, shared))
    }

    /// Opens tabs and comparisons.
    fn tab_action(&mut self, action: Action, room: Room, shared: &mut Shared) -> Option<Vec<Effect>> {
        let tab = match action {
            Action::NEXT_TAB | Action::PREVIOUS_TAB => {
                let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0);
                let by = if action == Action::NEXT_TAB { 1 } else { Tab::ALL.len() - 1 };
                Tab::ALL[(at + by) % Tab::ALL.len()]
            }
            Action::TRACE => Tab::Trace,
            Action::RETRIES => Tab::Retries,
            Action::COMPARE => match self.attempt_diff.clone().filter(|_| self.tab == Tab::Retries) {
                Some(diff) => {
                    self.side_by_side = Some(diff);
                    Tab::Compare
                }
                None => return Some(self.compare_with_success(room, shared)),
            },
            other => *other.number().and_then(|n| Tab::ALL.get(n))?,
        };
        Some(self.open_tab(tab, room, shared))
    }

    /// Acts on the line under the cursor, or on what is shown of the body.
    fn line_action(&mut self, action: Action, room: Room, shared: &mut Shared) -> Option<Vec<Effect>> {
        let selected = self.outline().map(|outline| outline.selected);
        match action {
            Action::FILTER => {
                if selected.is_none() {
                    self.show_tab(Tab::Request, room);
                }
                self.searching = true;
            }
            Action::JQ => {
                let text = self.jq.as_ref().map_or_else(|| ".".to_owned(), |jq| jq.expression.clone());
                if !matches!(self.tab, Tab::Request | Tab::Response) {
                    self.show_tab(Tab::Request, room);
                }
                shared.ask(Request::Prompt(PromptKind::Jq, text));
            }
            Action::NEXT_MATCH => self.search(1, room),
            Action::PREVIOUS_MATCH => self.search(-1, room),
            Action::LEFT | Action::RIGHT | Action::OPEN if selected.is_some() => self.fold(action, room),
            Action::OPEN if self.tab == Tab::Error => self.frames_open = !self.frames_open,
            Action::OPEN => {
                let activity = self.pointed()?.clone();
                let row = shared.store.find(&activity.id);
                shared.ask(Request::Open(row, Box::new(activity), None));
            }
            Action::LEFT => shared.ask(Request::Focus(Focus::List)),
            Action::REVEAL => {
                let outline = self.outline_mut();
                match outline.filter(|outline| !outline.is_empty() && outline.is_secret(outline.selected)) {
                    Some(outline) => outline.reveal(outline.selected),
                    None => shared.notify("nothing is hidden in this line"),
                }
            }
            Action::KEEP | Action::EXCLUDE if selected.is_some() => {
                match self.outline().and_then(|outline| outline.clause(outline.selected)) {
                    Some(clause) => shared.narrow(&clause, action == Action::EXCLUDE),
                    None => shared.notify("cannot filter by this value"),
                }
            }
            Action::BACK if self.jq.as_ref().is_some_and(|jq| self.tab.part() == Some(jq.part)) => self.jq = None,
            Action::BACK => shared.ask(Request::CloseDetail),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Opens a tab and requests what it needs.
    pub fn open_tab(&mut self, tab: Tab, room: Room, shared: &mut Shared) -> Vec<Effect> {
        self.show_tab(tab, room);
        if tab == Tab::Compare && self.side_by_side.is_none() {
            return self.compare_with_success(room, shared);
        }
        self.compare_tries(shared)
    }

    /// Applies a jq expression; an empty one removes it.
    pub fn run_jq(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
        let expression = text.trim().to_owned();
        if expression.is_empty() {
            self.jq = None;
            return Vec::new();
        }
        let part = match self.tab {
            Tab::Response => PayloadSection::Response,
            _ => PayloadSection::Request,
        };
        let Some(body) = self.opened.get().and_then(|opened| opened.body(part)).filter(|body| body.is_json) else {
            shared.notify("jq needs a JSON body");
            return Vec::new();
        };
        let (ticket, text) = (shared.ticket(), body.text.clone());
        self.jq = Some(Jq { expression: expression.clone(), part, result: Loadable::Loading, ticket });
        vec![Effect::Jq(ticket, expression, text)]
    }

    /// Moves the cursor of a tree, or else the first line shown; returns whether the action does.
    fn scroll(&mut self, action: Action, room: Room) -> bool {
        let page = saturating_isize(room.height.max(2)) - 1;
        let lines = self.lines();
        let (cursor, last) = match self.outline_mut() {
            Some(outline) => {
                let last = outline.len().saturating_sub(1);
                (&mut outline.selected, last)
            }
            None => (&mut self.scroll, lines.saturating_sub(1)),
        };
        match action {
            Action::UP => *cursor = cursor.saturating_sub(1),
            Action::DOWN => *cursor = cursor.saturating_add(1).min(last),
            Action::PAGE_UP => *cursor = cursor.saturating_add_signed(-page),
            Action::PAGE_DOWN => *cursor = cursor.saturating_add_signed(page).min(last),
            Action::TOP => *cursor = 0,
            Action::BOTTOM if last < usize::MAX - 1 => *cursor = last,
            _ => return false,
        }
        if let Some(outline) = self.outline_mut() {
            outline.scroll_to_selection(room.height);
        }
        true
    }

    /// The field of the search, while it is typed.
    pub fn field(&mut self) -> &mut TextField {
        &mut self.search
    }

    /// Goes to the next or the previous match of the search; 0 after it was edited.
    pub fn search(&mut self, by: isize, room: Room) {
        let needle = self.search.text().to_owned();
        let Some(outline) = self.outline_mut() else { return };
        outline.search(&needle, by);
        outline.scroll_to_selection(room.height);
        if by == 0 {
            self.found = self.outline().map_or(0, |outline| outline.occurrences(&needle));
        }
    }

    /// Folds or unfolds the selected line, or goes to its parent.
    fn fold(&mut self, action: Action, room: Room) {
        let Some(outline) = self.outline_mut().filter(|outline| !outline.is_empty()) else { return };
        let line = outline.line(outline.selected);
        let open = line.open.unwrap_or(action == Action::OPEN);
        if line.open.is_some() && (action == Action::OPEN || (action == Action::LEFT) == open) {
            outline.toggle(outline.selected);
        } else if action == Action::LEFT {
            outline.select_parent();
        } else {
            return;
        }
        outline.scroll_to_selection(room.height);
    }

    /// Ends typing the search text, on the actions that do.
    fn end_search(&mut self, action: Action) {
        if matches!(action, Action::OPEN | Action::BACK) {
            self.searching = false;
        }
        if action == Action::BACK {
            self.search = TextField::default();
        }
    }
}
