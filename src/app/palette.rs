//! The command palette: every action, saved view and theme, by a few letters of its name.

use crate::action::Action;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// The command behind an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaletteCommand {
    /// An action.
    Action(Action),
    /// A theme.
    Theme(String),
    /// A filter.
    Filter(String),
    /// Search for what a text identifies.
    Find(String),
}

/// A line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaletteItem {
    /// Name shown and searched.
    pub name: String,
    /// Description shown and searched.
    pub help: String,
    /// The command to run.
    pub run: PaletteCommand,
}

/// State of the palette.
#[derive(Debug, Clone, Default)]
pub struct Palette {
    /// The text typed.
    pub text: String,
    /// All items.
    pub items: Vec<PaletteItem>,
    /// Indices of the matching items, best first.
    pub found: Vec<usize>,
    /// Selected position in `found`.
    pub chosen: usize,
}

impl Palette {
    /// A palette over items.
    pub fn new(items: Vec<PaletteItem>) -> Self {
        let found = (0..items.len()).collect();
        Self { text: String::new(), items, found, chosen: 0 }
    }

    /// Searches the items for a text.
    pub fn search(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.chosen = 0;
        self.items.retain(|item| !matches!(item.run, PaletteCommand::Find(_)));
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
            self.items.push(PaletteItem {
                name: "find".to_owned(),
                help: format!("in every source: {}", text.trim()),
                run: PaletteCommand::Find(text.trim().to_owned()),
            });
        }
    }

    /// The selected item.
    pub fn current(&self) -> Option<&PaletteItem> {
        self.found.get(self.chosen).and_then(|index| self.items.get(*index))
    }
}
