//! Links and commands for one activity: what can be opened and run, each with the values of the activity. A command is shown in
//! full before it runs, and its output scrolls here.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Hint, Screen};
use crate::action::Action;
use crate::effect::{CommandOutput, Effect, PathsFor, Placed, Reply, Ticket, ValuesOfPaths};
use crate::tui::Canvas;
use crosstail_core::filter::Operand;
use crosstail_core::model::Activity;
use crosstail_engine::insight::{Filled, Tool};
use std::collections::HashMap;

/// What stands in the list: a name, and what it would open or run, or why not yet or not at all.
struct Item {
    tool: Tool,
    filled: Result<Filled, String>,
}

/// A command that was started.
struct Running {
    words: Vec<String>,
    lines: Vec<(String, bool)>,
    /// How it ended.
    end: Option<String>,
    ticket: Ticket,
    /// The first line shown; without one, the last ones are.
    first: Option<usize>,
}

/// The links and commands of an activity.
pub(super) struct Tools {
    activity: Activity,
    items: Vec<Item>,
    line: Lines,
    /// Values of paths: until they are loaded, what needs them waits.
    values: HashMap<Operand, Option<String>>,
    paths: Vec<Operand>,
    ticket: Ticket,
    is_loaded: bool,
    /// Whether the selected command is shown in full, to be run by the next Enter.
    is_asked: bool,
    running: Option<Running>,
}

impl Tools {
    /// The tools for an activity; without one, why there is none is said.
    pub(super) fn open(activity: Activity, shared: &mut Shared) -> Option<(Self, Vec<Effect>)> {
        let context = shared.context();
        let is_for = |tool: &&Tool| tool.is_for(&activity, shared.store.names(), &context);
        let tools: Vec<Tool> = shared.settings.tools.iter().filter(is_for).cloned().collect();
        if tools.is_empty() {
            shared.notify(if shared.settings.tools.is_empty() {
                "no links and commands: [[link]] and [[command]] in the configuration define some"
            } else {
                "no link or command is for this activity"
            });
            return None;
        }
        let mut paths: Vec<Operand> = Vec::new();
        for path in tools.iter().flat_map(Tool::paths) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let ticket = shared.ticket();
        let is_loaded = paths.is_empty();
        let items = tools.into_iter().map(|tool| Item { tool, filled: Err(String::new()) }).collect();
        let mut this = Self {
            activity,
            items,
            line: Lines::default(),
            values: HashMap::new(),
            paths,
            ticket,
            is_loaded,
            is_asked: false,
            running: None,
        };
        this.fill(shared);
        let asked =
            ValuesOfPaths { purpose: PathsFor::Tools, paths: this.paths.clone(), of: vec![Placed::of(&this.activity)] };
        let effects = if is_loaded { Vec::new() } else { vec![Effect::LoadValues(ticket, Box::new(asked))] };
        Some((this, effects))
    }

    /// The only one, if it is a link that can be opened now.
    pub(super) fn only_link(&self) -> Option<String> {
        match self.items.as_slice() {
            [Item { filled: Ok(Filled::Url(url)), .. }] => Some(url.clone()),
            _ => None,
        }
    }

    fn fill(&mut self, shared: &Shared) {
        let (activity, values, is_loaded) = (&self.activity, &self.values, self.is_loaded);
        let value = |of: &Operand| match of {
            Operand::Field(_) => of.values(activity, shared.store.names(), None).into_iter().next(),
            Operand::Path(..) => values.get(of).cloned().flatten(),
        };
        for item in &mut self.items {
            let waits = !is_loaded && !item.tool.paths().is_empty();
            item.filled = if waits { Err("loading the payload …".to_owned()) } else { item.tool.filled(&value) };
        }
    }

    /// Opens the selected link, shows the selected command in full, or runs it.
    fn go(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let Some(item) = self.items.get(self.line.0) else { return Vec::new() };
        match &item.filled {
            Err(why) => {
                shared.notify(why.clone());
                Vec::new()
            }
            Ok(Filled::Url(url)) => {
                shared.ask(Request::Close);
                vec![Effect::OpenUrl(url.clone())]
            }
            Ok(Filled::Command(_)) if !self.is_asked => {
                self.is_asked = true;
                Vec::new()
            }
            Ok(Filled::Command(words)) => {
                let (words, ticket) = (words.clone(), shared.ticket());
                self.is_asked = false;
                self.running =
                    Some(Running { words: words.clone(), lines: Vec::new(), end: None, ticket, first: None });
                vec![Effect::RunCommand(ticket, words)]
            }
        }
    }

    /// Moves in the output.
    fn scroll(running: &mut Running, action: Action) -> bool {
        let last = running.lines.len().saturating_sub(1);
        let now = running.first.unwrap_or(last);
        running.first = match action {
            Action::UP => Some(now.saturating_sub(1)),
            Action::DOWN => Some((now + 1).min(last)),
            Action::PAGE_UP => Some(now.saturating_sub(20)),
            Action::PAGE_DOWN => Some((now + 20).min(last)),
            Action::TOP => Some(0),
            Action::BOTTOM => None,
            _ => return false,
        };
        true
    }
}

impl Screen for Tools {
    fn name(&self) -> &'static str {
        "tools"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, Action::BACK]].concat()
    }

    fn is_modal(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [Hint] {
        match (&self.running, self.is_asked) {
            (Some(_), _) => {
                &[Hint(Action::BACK, "end and close"), Hint(Action::UP, "scroll"), Hint(Action::DOWN, "scroll")]
            }
            (None, true) => &[Hint(Action::BACK, "do not run it"), Hint(Action::OPEN, "run it")],
            (None, false) => &[Hint(Action::BACK, "close"), Hint(Action::OPEN, "open, or show")],
        }
    }

    fn line(&mut self) -> Option<&mut usize> {
        self.running.is_none().then_some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        if let Some(running) = &mut self.running {
            if action == Action::BACK {
                let effects = if running.end.is_none() { vec![Effect::StopCommand] } else { Vec::new() };
                shared.ask(Request::Close);
                return Some(effects);
            }
            return Self::scroll(running, action).then(Vec::new);
        }
        match action {
            Action::BACK if self.is_asked => self.is_asked = false,
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN => return Some(self.go(shared)),
            _ => {
                self.is_asked = false;
                return self.line.moved(action, self.items.len()).then(Vec::new);
            }
        }
        Some(Vec::new())
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::PathValues(values) if ticket == self.ticket => {
                let loaded = values.into_iter().next().map(|one| one.values);
                match loaded {
                    Some(Ok(values)) => {
                        let firsts = values.into_iter().map(|values| values.into_iter().next());
                        self.values = self.paths.iter().cloned().zip(firsts).collect();
                    }
                    Some(Err(problem)) => shared.notify(format!("a payload could not be loaded: {problem}")),
                    None => {}
                }
                self.is_loaded = true;
                self.fill(shared);
                Ok(Vec::new())
            }
            Reply::CommandOutput(CommandOutput { lines, end }) => {
                match self.running.as_mut().filter(|running| running.ticket == ticket) {
                    Some(running) => {
                        running.lines.extend(lines);
                        running.end = end.or(running.end.take());
                        Ok(Vec::new())
                    }
                    None => Err(Reply::CommandOutput(CommandOutput { lines, end })),
                }
            }
            other => Err(other),
        }
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, canvas);
    }
}
