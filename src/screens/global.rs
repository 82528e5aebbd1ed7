//! Actions that mean the same everywhere, and what every report has.

use super::ReportPart;
use super::help::Help;
use super::palette::Palette;
use super::request::PromptKind;
use super::shared::Shared;
use super::stack::Stack;
use crate::action::Action;
use crate::effect::Effect;
use crosstail_core::model::{redact_text, visible_line};
use crosstail_export::Report;

/// The actions that mean the same everywhere.
pub(super) const ACTIONS: [Action; 12] = [
    Action::Find,
    Action::Palette,
    Action::Help,
    Action::Report,
    Action::ToggleRate,
    Action::ToggleMouse,
    Action::NextTheme,
    Action::WriteConfig,
    Action::Reload,
    Action::Redraw,
    Action::Suspend,
    Action::Quit,
];

/// The actions that always work, even where something else wants every key.
pub(super) const ALWAYS: [Action; 3] = [Action::Quit, Action::Suspend, Action::Redraw];

impl Stack {
    /// Does what an action means everywhere.
    pub(super) fn act_globally(&mut self, action: Action, shared: &mut Shared) -> Vec<Effect> {
        match action {
            Action::Find | Action::Palette => {
                self.overlays.push(Box::new(Palette::new(&self.actions(), &shared.settings)));
                if action == Action::Find {
                    shared.notify("type or paste an id, an address, an order number or a log line");
                }
            }
            Action::Help => self.overlays.push(Box::new(Help::new(self.actions()))),
            Action::Report => {
                let at = shared.local(shared.now).format("%Y-%m-%d-%H%M");
                self.prompt(PromptKind::Report, &format!("{}-{at}.html", self.name()));
            }
            Action::ToggleRate => shared.shows_rate = !shared.shows_rate,
            Action::ToggleMouse => {
                self.mouse = !self.mouse;
                return vec![Effect::Mouse(self.mouse)];
            }
            Action::NextTheme => {
                next_theme(shared);
                return vec![Effect::Redraw];
            }
            Action::WriteConfig => return vec![Effect::WriteConfig],
            Action::Reload => return vec![Effect::Reload, Effect::Redraw],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Quit => return vec![Effect::Quit],
            _ => {}
        }
        Vec::new()
    }
}

fn next_theme(shared: &mut Shared) {
    let settings = &mut shared.settings;
    let at = settings.themes.iter().position(|theme| *theme == settings.theme).unwrap_or(0);
    if !settings.themes.is_empty() {
        settings.theme = settings.themes[(at + 1) % settings.themes.len()].clone();
        let text = format!("theme {}", settings.theme);
        shared.notify(text);
    }
}

/// A report of what a screen contributes.
pub(super) fn report(part: Option<ReportPart>, shared: &Shared) -> Report {
    let (title, lines, tables) = part.map_or_else(Default::default, |part| (part.title, part.about, part.tables));
    let sources: Vec<&str> = shared.sources.iter().map(|source| source.name.as_str()).collect();
    let about = std::iter::once(format!("sources: {}", sources.join(", "))).chain(lines);
    let safe = about.map(|line| visible_line(&redact_text(&line)).into_owned());
    Report { title, about: safe.collect(), made_at: shared.now, tables }
}
