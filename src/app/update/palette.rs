//! The items of the palette: actions, views, themes.

use crate::action::Action;
use crate::app::{AppState, Palette, PaletteCommand, PaletteItem};

pub(super) fn palette(state: &AppState) -> Palette {
    let mut items: Vec<PaletteItem> = Action::ALL
        .iter()
        .filter(|action| !matches!(action, Action::Palette | Action::Up | Action::Down | Action::Left | Action::Right))
        .filter(|action| action.number().is_none())
        .map(|action| PaletteItem {
            name: action.name().replace('_', " "),
            help: action.help().to_owned(),
            run: PaletteCommand::Action(*action),
        })
        .collect();
    items.extend(state.views.iter().map(|view| PaletteItem {
        name: format!("view {}", view.name),
        help: view.filter.clone(),
        run: PaletteCommand::Filter(view.filter.clone()),
    }));
    items.extend(state.themes.iter().map(|theme| PaletteItem {
        name: format!("theme {theme}"),
        help: String::new(),
        run: PaletteCommand::Theme(theme.clone()),
    }));
    Palette::new(items)
}
