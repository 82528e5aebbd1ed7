//! Draws the state.

use super::layout::PanelAreas;
use super::look::Appearance;
use super::{overlays, panels};
use crate::app::{AppState, Overlay, Screen};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the state; returns the picture and the position of the cursor, if it is shown.
pub fn draw(state: &AppState, look: &Appearance) -> (Buffer, Option<(u16, u16)>) {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buf = Buffer::empty(area);
    if area.width == 0 || area.height == 0 {
        return (buf, None);
    }
    let places = PanelAreas::of(state);
    let theme = &look.theme;
    panels::header::render(state, places.header, &mut buf, theme);
    let mut cursor = panels::filter_bar::render(state, places.filter, &mut buf, theme);
    match state.screen {
        Screen::FirstRun => panels::first_run::render(state, places.list, &mut buf, theme),
        Screen::Health => panels::health::render(state, places.list, &mut buf, theme),
        Screen::System => panels::system::render(state, places.list, &mut buf, theme),
        Screen::Alerts => panels::alerts::render(state, places.list, &mut buf, theme),
        Screen::Contrast => panels::contrast::render(state, places.list, &mut buf, theme),
        Screen::Sources => panels::sources::render(state, places.list, &mut buf, theme),
        Screen::Explore => {
            panels::histogram::render(state, places.histogram, &mut buf, theme);
            panels::facets::render(state, places.facets, &mut buf, theme);
            panels::list::render(state, &places, &mut buf, theme);
            if let Some(at) = panels::detail::render(state, places.detail, &mut buf, theme) {
                cursor = Some(at);
            }
        }
    }
    panels::status::render(state, places.status, &mut buf, theme);
    panels::keys::render(state, places.keys, &mut buf, look);
    overlays::completion::render(state, places.filter, &mut buf, theme);
    for overlay in &state.overlays {
        match overlay {
            Overlay::Help(first) => overlays::help::render(*first, area, &mut buf, look),
            Overlay::Find(find) => overlays::find::render(state, find, area, &mut buf, look),
            Overlay::Prompt(prompt) => cursor = Some(overlays::prompt::render(prompt, area, &mut buf, look)),
            Overlay::Palette(palette) => cursor = Some(overlays::palette::render(palette, area, &mut buf, look)),
        }
    }
    (buf, cursor)
}
