//! The command palette: every action, saved view, theme and time zone, by a few letters of its name.

mod view;

use super::Screen;
use super::request::Request;
use super::shared::{Settings, Shared};
use crate::action::Action;
use crate::effect::Effect;
use crate::tui::{Canvas, TextField};
use chrono_tz::Tz;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// The command behind an item.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Command {
    /// An action.
    Action(Action),
    /// A theme.
    Theme(String),
    /// A filter.
    Filter(String),
    /// Search for what a text identifies.
    Find(String),
    /// A time zone.
    Zone(Tz),
}

/// Time zones that are offered at once.
const ZONES: usize = 12;

/// The zones that a text is in, after the word `zone`.
fn zones(text: &str) -> Vec<Item> {
    let Some(part) = text.trim_start().strip_prefix("zone") else { return Vec::new() };
    let part = part.trim().to_lowercase().replace(' ', "_");
    let fits = |zone: &&Tz| zone.name().to_lowercase().contains(&part);
    let item = |zone: &Tz| Item {
        name: format!("zone {}", zone.name()),
        help: "times on the screen".to_owned(),
        run: Command::Zone(*zone),
    };
    // Without a name, the one that every log can be compared with.
    let found = chrono_tz::TZ_VARIANTS.iter().filter(fits);
    if part.is_empty() { vec![item(&Tz::UTC)] } else { found.take(ZONES).map(item).collect() }
}

/// A line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    /// Name shown and searched.
    name: String,
    /// Description shown and searched.
    help: String,
    /// The command to run.
    run: Command,
}

/// The palette.
pub(super) struct Palette {
    /// What is typed.
    field: TextField,
    items: Vec<Item>,
    /// Indices of the matching items, best first.
    found: Vec<usize>,
    /// Selected position in `found`.
    chosen: usize,
}

impl Palette {
    /// A palette of the actions that something accepts, and of the views and themes.
    pub(super) fn new(actions: &[Action], settings: &Settings) -> Self {
        let of_action = |action: &Action| Item {
            name: action.name().replace('_', " "),
            help: action.help().to_owned(),
            run: Command::Action(*action),
        };
        let hidden = [Action::PALETTE, Action::UP, Action::DOWN, Action::LEFT, Action::RIGHT];
        let useful = actions.iter().filter(|action| !hidden.contains(action) && action.number().is_none());
        let views = settings.views.iter().map(|view| Item {
            name: format!("view {}", view.name),
            help: view.filter.clone(),
            run: Command::Filter(view.filter.clone()),
        });
        let themes = settings.themes.iter().map(|theme| Item {
            name: format!("theme {theme}"),
            help: String::new(),
            run: Command::Theme(theme.clone()),
        });
        let items: Vec<Item> = useful.map(of_action).chain(views).chain(themes).collect();
        let found = (0..items.len()).collect();
        Self { field: TextField::default(), items, found, chosen: 0 }
    }

    /// Searches the items for what is typed.
    fn search(&mut self) {
        let text = &self.field.text().to_owned();
        self.chosen = 0;
        self.items.retain(|item| !matches!(item.run, Command::Find(_) | Command::Zone(_)));
        let first_zone = self.items.len();
        self.items.extend(zones(text));
        if self.items.len() > first_zone {
            self.found = (first_zone..self.items.len()).collect();
            return;
        }
        if text.is_empty() {
            self.found = (0..self.items.len()).collect();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            let line = format!("{} {}", item.name, item.help);
            if let Some(score) = pattern.score(Utf32Str::new(&line, &mut buffer), &mut matcher) {
                scored.push((score, index));
            }
        }
        scored.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
        self.found = scored.into_iter().map(|(_, index)| index).collect();
        if text.trim().chars().count() >= 3 {
            // A text that looks like an id, an address or a log line is searched for first; a word is more likely a command.
            let looks_like_one = text.contains(|c: char| c.is_ascii_digit() || "/:={@".contains(c));
            let at = if looks_like_one { 0 } else { self.found.len() };
            self.found.insert(at, self.items.len());
            self.items.push(Item {
                name: "find".to_owned(),
                help: format!("in every source: {}", text.trim()),
                run: Command::Find(text.trim().to_owned()),
            });
        }
    }

    /// Does what the selected item says.
    fn run(&self, shared: &mut Shared) -> Vec<Effect> {
        let Some(item) = self.found.get(self.chosen).and_then(|index| self.items.get(*index)) else {
            return Vec::new();
        };
        match item.run.clone() {
            Command::Action(action) => shared.ask(Request::Run(action)),
            Command::Filter(filter) => shared.ask(Request::Filter(filter)),
            Command::Find(text) => shared.ask(Request::Find(text, None)),
            Command::Zone(zone) => {
                shared.zone = zone;
                shared.notify(format!("times in {}", zone.name()));
                return vec![Effect::Zone(zone), Effect::Redraw];
            }
            Command::Theme(theme) => {
                shared.settings.theme = theme;
                return vec![Effect::Redraw];
            }
        }
        Vec::new()
    }
}

impl Screen for Palette {
    fn name(&self) -> &'static str {
        "palette"
    }

    fn actions(&self) -> Vec<Action> {
        [Action::UP, Action::DOWN, Action::BACK, Action::OPEN].to_vec()
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.chosen)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::UP => self.chosen = self.chosen.saturating_sub(1),
            Action::DOWN => self.chosen = (self.chosen + 1).min(self.found.len().saturating_sub(1)),
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN => {
                shared.ask(Request::Close);
                return Some(self.run(shared));
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    fn is_typing(&self) -> bool {
        true
    }

    fn field(&mut self) -> Option<&mut TextField> {
        Some(&mut self.field)
    }

    fn edited(&mut self, changed: bool, _shared: &mut Shared) -> Vec<Effect> {
        if changed {
            self.search();
        }
        Vec::new()
    }

    fn view(&self, _shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, canvas);
    }
}
