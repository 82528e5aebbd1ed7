//! The contrast: what the failures of a set have more often than the rest. Enter narrows to a value.

use super::ContrastScreen;
use crate::tui::Theme;
use crate::tui::text::{count, fit, left, put, put_all, right, safe};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::filter::Field;
use crosstail_core::number::{saturating_u16, saturating_usize, truncated_usize};
use crosstail_engine::insight::Distinction;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Width of a bar in columns, if there is room.
const BAR: u16 = 20;

pub(super) fn render(screen: &ContrastScreen, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let Some(set) = &screen.set else { return };
    let contrast = &screen.contrast;
    let of = if set.is_empty() { "everything".to_owned() } else { safe(set) };
    let (failed, rest) = (count(saturating_usize(contrast.failed)), count(saturating_usize(contrast.rest)));
    let chosen = screen.compared.as_ref().map_or_else(|| "failures".to_owned(), |filter| safe(filter));
    let part = safe(&screen.missing());
    let head = [
        (" what tells ", theme.dim),
        (&*failed, theme.failure),
        (" ", theme.dim),
        (&*chosen, theme.dim),
        (" from the other ", theme.dim),
        (&*rest, theme.success),
        (" of ", theme.dim),
        (&*of, theme.title),
        (&part, theme.dim),
    ];
    put_all(buf, area.x, area.y, area.width, &head);
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    if contrast.failed == 0 || contrast.rest == 0 {
        let text = if contrast.failed == 0 { "nothing has failed here" } else { "everything has failed here" };
        put(buf, body.x + 1, body.y, text, body.width, theme.dim);
        return;
    }
    let columns = Columns::of(area.width);
    let titles = [
        " ".repeat(usize::from(columns.name + columns.value + 3)),
        columns.title("failures", " of failures"),
        columns.title("rest", " of the rest"),
        "  how many".to_owned(),
    ];
    put(buf, area.x, area.y + 1, &titles.concat(), area.width, theme.dim);
    // First the causes, then the symptoms, which only failures have; each under its title.
    let mut lines: Vec<(Option<usize>, Option<&Distinction>, &str)> = Vec::new();
    let titles = [
        (&contrast.causes, 0, "in failures more, or less, often than in the rest"),
        (&contrast.symptoms, contrast.causes.len(), "what the failures say"),
    ];
    for (list, from, title) in titles {
        if !list.is_empty() {
            lines.push((None, None, title));
            lines.extend(list.iter().enumerate().map(|(index, telling)| (Some(from + index), Some(telling), "")));
        }
    }
    if contrast.causes.is_empty() {
        lines.insert(0, (None, None, "no field tells them apart: failures look like the rest"));
    }
    let height = body.height as usize;
    let selected = lines.iter().position(|line| line.0 == Some(screen.line.0)).unwrap_or(0);
    let first = selected.saturating_sub(height * 2 / 3).min(lines.len().saturating_sub(height));
    for (row, (index, telling, title)) in lines.iter().skip(first).take(height).enumerate() {
        let y = body.y + saturating_u16(row);
        match telling {
            Some(telling) => {
                if let Some(index) = index {
                    canvas.spots.add_text(body.x, y, body.width, Spot::Part(Part::LINE, *index));
                }
                line(telling, *index == Some(screen.line.0), &columns, Rect { y, height: 1, ..body }, buf, theme);
            }
            None => drop(put(buf, body.x + 1, y, title, body.width, theme.dim)),
        }
    }
}

/// Widths of the columns.
struct Columns {
    name: u16,
    value: u16,
    bar: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let bar = match width {
            0..72 => 0,
            72..110 => 8,
            _ => BAR,
        };
        let name = 12;
        Self { name, value: width.saturating_sub(name + 2 * (bar + 9) + 26).clamp(12, 50), bar }
    }

    /// The title of a share and its bar.
    fn title(&self, short: &str, long: &str) -> String {
        if self.bar == 0 { format!(" {}", right(short, 8)) } else { left(long, self.bar + 9) }
    }
}

fn line(telling: &Distinction, selected: bool, columns: &Columns, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let base = if selected { theme.selected } else { theme.text };
    let Columns { name, value, bar } = *columns;
    let tally = &telling.tally;
    let shown = match tally.field {
        Field::Duration => tally.value.replace("..", " … "),
        _ => safe(&tally.value),
    };
    let text = format!(" {} {} ", left(tally.field.name(), name), left(&fit(&shown, value), value));
    let percent = |part: f64| right(&format!("{:.0} %", part * 100.0), 8);
    let full = |part: f64| "█".repeat(truncated_usize((part * f64::from(bar)).round()));
    let (mine, other) = (left(&full(telling.of_failed), bar), left(&full(telling.of_rest), bar));
    let counts = format!(
        "  {} of {}{}",
        count(saturating_usize(tally.failed)),
        count(saturating_usize(tally.failed + tally.rest)),
        if telling.is_part { " held" } else { "" }
    );
    put_all(
        buf,
        area.x,
        area.y,
        area.width,
        &[
            (&text, base),
            (&percent(telling.of_failed), theme.failure),
            (" ", theme.text),
            (&mine, theme.failure),
            (&percent(telling.of_rest), theme.success),
            (" ", theme.text),
            (&other, theme.success),
            (&counts, theme.dim),
        ],
    );
}
