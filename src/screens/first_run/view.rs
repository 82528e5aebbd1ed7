//! The first page, shown while no source is configured.

use crate::screens::shared::Shared;
use crate::tui::Canvas;
use crate::tui::text::put;
use crosstail_core::number::saturating_u16;

pub(super) fn render(shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let file = shared.settings.config_path.as_deref().unwrap_or("~/.config/crosstail/config.toml");
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
