//! The command palette: every action, saved view, theme and time zone, by a few letters of its name; and, in the same way, the
//! filters that were used.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::{Keeping, Settings, Shared};
use super::{Hint, Screen};
use crate::action::Action;
use crate::config::ViewEntry;
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
    /// A saved view.
    View(Box<ViewEntry>),
    /// Search for what a text identifies.
    Find(String),
    /// A time zone.
    Zone(Tz),
    /// Mouse on or off.
    Mouse(bool),
    /// A filter that was used.
    Filter(String),
    /// A command that lacks its argument.
    Incomplete,
}

/// What is chosen among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    /// Everything that can be done.
    Commands,
    /// What a text identifies: that comes first, whatever else the text may mean.
    Finds,
    /// The filters that were used.
    Filters,
}

/// What the key bar shows.
const HINTS: &[Hint] = &[
    Hint(Action::BACK, "close"),
    Hint(Action::OPEN, "do it"),
    Hint(Action::FOCUS_NEXT, "complete"),
    Hint(Action::UP, "choose"),
    Hint(Action::DOWN, "choose"),
];

/// Time zones that are offered at once.
const ZONES: usize = 12;

/// The word that time zones stand behind: there are too many to list them among the commands.
const ZONE: &str = "zone";

/// The zones that a text means or is in.
fn zones(text: &str) -> Vec<Item> {
    let part = text.trim().to_lowercase().replace(' ', "_");
    let item = |zone: Tz| Item {
        name: format!("{ZONE} {}", zone.name()),
        help: "times on the screen".to_owned(),
        run: Command::Zone(zone),
    };
    if part.is_empty() {
        // The two that are always meant by somebody.
        let local = crate::config::zone("local").ok().filter(|zone| *zone != Tz::UTC);
        return [Some(Tz::UTC), local].into_iter().flatten().map(item).collect();
    }
    // An offset, `local`, or a whole name.
    let meant = crate::config::zone(text.trim()).ok();
    let found = chrono_tz::TZ_VARIANTS.iter().copied().filter(|zone| zone.name().to_lowercase().contains(&part));
    let found = found.filter(|zone| Some(*zone) != meant);
    meant.into_iter().chain(found).take(ZONES).map(item).collect()
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
    among: Among,
    /// What is listed whatever is typed, and behind it what depends on what is typed.
    items: Vec<Item>,
    /// The number of the former.
    listed: usize,
    /// Indices of the matching items, best first.
    found: Vec<usize>,
    /// Selected position in `found`.
    chosen: usize,
}

impl Palette {
    /// A palette of the actions that something accepts, and of the views and themes.
    pub(super) fn new(actions: &[Action], settings: &Settings, finds: bool) -> Self {
        let of_action = |action: &Action| Item {
            name: action.name().replace('_', " "),
            help: action.help().to_owned(),
            run: Command::Action(*action),
        };
        // What moves and opens is done by keys alone.
        let keys = [Action::PALETTE, Action::LEFT, Action::RIGHT, Action::OPEN, Action::BACK];
        let hidden = [&Lines::ACTIONS[..], &keys].concat();
        let useful = actions.iter().filter(|action| !hidden.contains(action) && action.number().is_none());
        let views = settings.views.iter().map(|view| Item {
            name: format!("view {}", view.name),
            help: view.filter.clone(),
            run: Command::View(Box::new(view.clone())),
        });
        let themes = settings.themes.iter().map(|theme| Item {
            name: format!("theme {theme}"),
            help: String::new(),
            run: Command::Theme(theme.clone()),
        });
        let simple = |name: &str, help: &str, run| Item { name: name.to_owned(), help: help.to_owned(), run };
        let arguments = [
            simple(ZONE, "times on the screen: a city, an offset, local", Command::Incomplete),
            simple("mouse on", "pressing selects, pressing twice opens; shift selects text", Command::Mouse(true)),
            simple("mouse off", "the mouse is the terminal's", Command::Mouse(false)),
        ];
        let items: Vec<Item> = useful.map(of_action).chain(views).chain(themes).chain(arguments).collect();
        let found = if finds { Vec::new() } else { (0..items.len()).collect() };
        let among = if finds { Among::Finds } else { Among::Commands };
        Self { field: TextField::default(), among, listed: items.len(), items, found, chosen: 0 }
    }

    /// The filters that were used, those that have a text.
    pub(super) fn of_filters(keeping: &Keeping, text: &str) -> Self {
        let item =
            |filter: &String| Item { name: filter.clone(), help: String::new(), run: Command::Filter(filter.clone()) };
        let items: Vec<Item> = keeping.filters().iter().map(item).collect();
        let mut palette = Self {
            field: TextField::new(text),
            among: Among::Filters,
            listed: items.len(),
            items,
            found: Vec::new(),
            chosen: 0,
        };
        palette.search();
        palette
    }

    /// The items that begin with the first word of a text, which a blank follows: the rest of the text is an argument.
    fn arguments(&mut self, text: &str) -> Option<Vec<usize>> {
        let (word, rest) = text.trim_start().split_once(' ')?;
        if word == ZONE {
            self.items.extend(zones(rest));
            return Some((self.listed..self.items.len()).collect());
        }
        let rest = rest.trim().to_lowercase();
        let named = |item: &Item| {
            item.name.split_once(' ').filter(|(first, _)| *first == word).map(|(_, last)| last.to_lowercase())
        };
        let fits = |item: &Item| named(item).is_some_and(|name| name.contains(&rest));
        let takes_one = |item: &Item| !matches!(item.run, Command::Action(_)) && named(item).is_some();
        if !self.items.iter().any(takes_one) {
            return None;
        }
        let mut found: Vec<usize> = (0..self.listed).filter(|index| fits(&self.items[*index])).collect();
        found.sort_by_key(|index| named(&self.items[*index]).is_none_or(|name| !name.starts_with(&rest)));
        Some(found)
    }

    /// Searches the items for what is typed.
    fn search(&mut self) {
        let text = &self.field.text().to_owned();
        self.chosen = 0;
        self.items.truncate(self.listed);
        let finds = self.among == Among::Finds;
        if self.among == Among::Commands
            && let Some(found) = self.arguments(text)
        {
            self.found = found;
            return;
        }
        if text.trim().is_empty() {
            self.found = if finds { Vec::new() } else { (0..self.items.len()).collect() };
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
        if finds || (self.among == Among::Commands && text.trim().chars().count() >= 3) {
            // A text that looks like an id, an address or a log line is searched for first; a word is more likely a command.
            let looks_like_one = text.contains(|c: char| c.is_ascii_digit() || "/:={@".contains(c));
            let at = if finds || looks_like_one { 0 } else { self.found.len() };
            self.found.insert(at, self.items.len());
            self.items.push(Item {
                name: "find".to_owned(),
                help: format!("in every source: {}", text.trim()),
                run: Command::Find(text.trim().to_owned()),
            });
        }
    }

    fn current(&self) -> Option<&Item> {
        self.found.get(self.chosen).and_then(|index| self.items.get(*index))
    }

    /// Writes the name of the selected item, to go on with its argument.
    fn complete(&mut self) {
        let Some(item) = self.current().filter(|item| !matches!(item.run, Command::Find(_))) else { return };
        let space = if item.run == Command::Incomplete { " " } else { "" };
        let text = format!("{}{space}", item.name);
        self.field.set(&text, text.len());
        self.search();
    }

    /// Does what the selected item says.
    fn run(&self, shared: &mut Shared) -> Vec<Effect> {
        let Some(item) = self.current() else { return Vec::new() };
        match item.run.clone() {
            Command::Action(action) => shared.ask(Request::Run(action)),
            Command::View(view) => shared.ask(Request::View(view)),
            Command::Find(text) => shared.ask(Request::Find(text, None)),
            Command::Mouse(on) => shared.ask(Request::Mouse(on)),
            Command::Filter(filter) => shared.ask(Request::Recall(filter)),
            Command::Incomplete => {}
            Command::Zone(zone) => {
                shared.zone = zone;
                shared.notify(format!("times in {}", zone.name()));
                return vec![Effect::Zone(zone), Effect::Redraw];
            }
            Command::Theme(theme) => {
                shared.notify(format!("theme {theme}"));
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
        [Action::UP, Action::DOWN, Action::FOCUS_NEXT, Action::BACK, Action::OPEN].to_vec()
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.chosen)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::UP => self.chosen = self.chosen.saturating_sub(1),
            Action::DOWN => self.chosen = (self.chosen + 1).min(self.found.len().saturating_sub(1)),
            Action::BACK => shared.ask(Request::Close),
            Action::FOCUS_NEXT => self.complete(),
            Action::OPEN if self.current().is_some_and(|item| item.run == Command::Incomplete) => self.complete(),
            Action::OPEN => {
                shared.ask(Request::Close);
                return Some(self.run(shared));
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    fn hints(&self) -> &'static [Hint] {
        HINTS
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
