//! The command palette.

use super::{Among, Command, Palette};
use crate::tui::dialog::dialog;
use crate::tui::text::{left, put, safe, width};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::saturating_u16;

pub(super) fn render(palette: &Palette, canvas: &mut Canvas<'_>) {
    let look = canvas.look;
    let title = match palette.among {
        Among::Commands => " commands ",
        Among::Finds => " find ",
        Among::Filters => " filters that were used ",
    };
    let inside = dialog(canvas, 76, 20, title);
    let (theme, buf) = (&look.theme, &mut *canvas.buf);
    let text = safe(palette.field.text());
    put(buf, inside.x + 1, inside.y, ":", 1, theme.accent);
    put(buf, inside.x + 3, inside.y, &text, inside.width.saturating_sub(4), theme.title);
    let rows = inside.height.saturating_sub(1) as usize;
    let first = (palette.chosen + 1).saturating_sub(rows);
    for (row, index) in palette.found.iter().skip(first).take(rows).enumerate() {
        let Some(item) = palette.items.get(*index) else { continue };
        let y = inside.y + 1 + saturating_u16(row);
        let chosen = first + row == palette.chosen;
        let keys = match &item.run {
            Command::Action(action) => look.keymap.keys(*action),
            _ => String::new(),
        };
        let help = inside.width.saturating_sub(24 + 14);
        let line = match palette.among {
            Among::Filters => format!(" {}", safe(&item.name)),
            _ => format!(" {} {} {}", left(&safe(&item.name), 22), left(&safe(&item.help), help), left(&keys, 12)),
        };
        put(canvas.buf, inside.x, y, &left(&line, inside.width), inside.width, theme.text);
        canvas.at(inside).choice(y, Spot::Part(Part::LINE, first + row), chosen);
    }
    if palette.found.is_empty() {
        let typed = palette.field.text();
        let says = match palette.among {
            Among::Finds => "type or paste an id, an address, an order number or a log line".to_owned(),
            Among::Filters if palette.items.is_empty() => "none yet: what you filter by is remembered here".to_owned(),
            Among::Filters => "no filter that was used has this".to_owned(),
            Among::Commands => {
                let word = typed.split_whitespace().next().unwrap_or_default();
                format!("no such {}", if typed.contains(' ') { word } else { "command" })
            }
        };
        put(canvas.buf, inside.x + 3, inside.y + 1, &safe(&says), inside.width.saturating_sub(4), theme.dim);
    }
    *canvas.cursor = Some((inside.x + 3 + width(&text), inside.y));
}
