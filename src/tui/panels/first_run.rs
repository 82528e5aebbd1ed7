//! The first page, shown while no source is configured.

use crate::app::AppState;
use crate::tui::text::put;
use crate::tui::theme::Theme;
use crosstail_core::number::saturating_u16;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::tui) fn render(state: &AppState, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let file = state.config_path.as_deref().unwrap_or("~/.config/crosstail/config.toml");
    let config = format!("The configuration would be {file}; c writes a commented one.");
    let lines = [
        ("One screen over every store that your integrations log into.", theme.title),
        ("", theme.text),
        ("No source is configured. Try one of these:", theme.text),
        ("", theme.text),
        ("    crosstail demo                 live simulated traffic, nothing needed", theme.accent),
        ("    crosstail 'logs/*.log'         log files, as they grow and rotate", theme.accent),
        ("    crosstail store.sqlite         a database", theme.accent),
        ("", theme.text),
        (config.as_str(), theme.dim),
    ];
    let top = area.y + area.height.saturating_sub(saturating_u16(lines.len())) / 3;
    for (row, (line, style)) in lines.iter().enumerate() {
        put(buf, area.x + 4, top + saturating_u16(row), line, area.width.saturating_sub(5), *style);
    }
}
