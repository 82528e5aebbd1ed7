//! Draws what tells two sets of activities apart: a line a value, with its share of each.

use crate::tui::Theme;
use crate::tui::text::{count, fit, left, put, put_all, right, safe};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::filter::Field;
use crosstail_core::number::{saturating_u16, saturating_usize, truncated_usize};
use crosstail_engine::insight::{Contrast, Distinction};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Width of a bar in columns, if there is room.
const BAR: u16 = 20;

/// What the sets are called: these, then the others.
pub(in crate::screens) struct Titles<'a> {
    /// Where there is little room.
    pub(in crate::screens) short: [&'a str; 2],
    pub(in crate::screens) long: [&'a str; 2],
    pub(in crate::screens) styles: [Style; 2],
    /// Over the causes.
    pub(in crate::screens) causes: &'a str,
    /// Over the symptoms.
    pub(in crate::screens) symptoms: &'a str,
    /// Where there are no causes.
    pub(in crate::screens) none: &'a str,
    /// What a value was counted of that only a part of the sets was counted for: `held`.
    pub(in crate::screens) part: &'a str,
}

/// Draws titles of the columns, the causes, and then the symptoms, which only these have.
pub(in crate::screens) fn render(
    contrast: &Contrast,
    selected: usize,
    titles: &Titles<'_>,
    area: Rect,
    canvas: &mut Canvas<'_>,
) {
    let theme = &canvas.look.theme;
    let buf = &mut *canvas.buf;
    let names = contrast.causes.iter().chain(&contrast.symptoms).map(|one| one.tally.subject.name().chars().count());
    let columns = Columns::of(area.width, saturating_u16(names.max().unwrap_or_default()));
    let heads = [
        " ".repeat(usize::from(columns.name + columns.value + 3)),
        columns.title(titles.short[0], titles.long[0]),
        columns.title(titles.short[1], titles.long[1]),
        "  how many".to_owned(),
    ];
    put(buf, area.x, area.y, &heads.concat(), area.width, theme.dim);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let mut lines: Vec<(Option<usize>, Option<&Distinction>, &str)> = Vec::new();
    let lists = [(&contrast.causes, 0, titles.causes), (&contrast.symptoms, contrast.causes.len(), titles.symptoms)];
    for (list, from, title) in lists {
        if !list.is_empty() {
            lines.push((None, None, title));
            lines.extend(list.iter().enumerate().map(|(index, telling)| (Some(from + index), Some(telling), "")));
        }
    }
    if contrast.causes.is_empty() {
        lines.insert(0, (None, None, titles.none));
    }
    let height = body.height as usize;
    let at = lines.iter().position(|line| line.0 == Some(selected)).unwrap_or(0);
    let first = at.saturating_sub(height * 2 / 3).min(lines.len().saturating_sub(height));
    for (row, (index, telling, title)) in lines.iter().skip(first).take(height).enumerate() {
        let y = body.y + saturating_u16(row);
        match telling {
            Some(telling) => {
                line(telling, &columns, titles, Rect { y, height: 1, ..body }, (canvas.buf, theme));
                if let Some(index) = index {
                    canvas.at(body).choice(y, Spot::Part(Part::LINE, *index), *index == selected);
                }
            }
            None => drop(put(canvas.buf, body.x + 1, y, title, body.width, theme.dim)),
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
    /// `name`: the longest name of what a value is of.
    fn of(width: u16, name: u16) -> Self {
        let bar = match width {
            0..72 => 0,
            72..110 => 8,
            _ => BAR,
        };
        let name = name.clamp(12, (width / 5).max(12));
        Self { name, value: width.saturating_sub(name + 2 * (bar + 9) + 26).clamp(12, 50), bar }
    }

    /// The title of a share and its bar.
    fn title(&self, short: &str, long: &str) -> String {
        if self.bar == 0 { format!(" {}", right(short, 8)) } else { left(long, self.bar + 9) }
    }
}

fn line(
    telling: &Distinction,
    columns: &Columns,
    titles: &Titles<'_>,
    area: Rect,
    (buf, theme): (&mut Buffer, &Theme),
) {
    let Columns { name, value, bar } = *columns;
    let [these, others] = titles.styles;
    let tally = &telling.tally;
    let shown = if tally.subject.is(Field::Duration) { tally.value.replace("..", " … ") } else { safe(&tally.value) };
    let of = safe(&tally.subject.name());
    let text = format!(" {} {} ", left(&fit(&of, name), name), left(&fit(&shown, value), value));
    let percent = |part: f64| right(&format!("{:.0} %", part * 100.0), 8);
    let full = |part: f64| "█".repeat(truncated_usize((part * f64::from(bar)).round()));
    let (mine, other) = (left(&full(telling.of_these), bar), left(&full(telling.of_others), bar));
    let counts = format!(
        "  {} of {} {}",
        count(saturating_usize(tally.these)),
        count(saturating_usize(tally.these + tally.others)),
        if telling.is_part { titles.part } else { "" }
    );
    put_all(
        buf,
        area.x,
        area.y,
        area.width,
        &[
            (&text, theme.text),
            (&percent(telling.of_these), these),
            (" ", theme.text),
            (&mine, these),
            (&percent(telling.of_others), others),
            (" ", theme.text),
            (&other, others),
            (&counts, theme.dim),
        ],
    );
}
