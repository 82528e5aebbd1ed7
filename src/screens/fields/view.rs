//! How it is drawn: what is typed, then a line a field.

use super::{Fields, Item};
use crate::config::Shows;
use crate::screens::shared::Shared;
use crate::tui::text::{count, fit, left, put, put_all, right, safe, width};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::saturating_usize;

pub(super) fn render(screen: &Fields, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 4 {
        return;
    }
    let typed = safe(screen.field.text());
    let hint = if typed.is_empty() { "type to filter" } else { "" };
    let about = match &screen.sample {
        None => format!("of {} activities · payloads are looked at …", count(screen.held)),
        Some(sample) => {
            let cut = if sample.found.is_cut { " · more paths than are listed" } else { "" };
            format!(
                "of {} activities, and of {} payloads{cut}",
                count(screen.held),
                count(saturating_usize(sample.found.sampled))
            )
        }
    };
    put_all(
        canvas.buf,
        area.x + 1,
        area.y,
        area.width,
        &[("> ", theme.accent), (&typed, theme.title), (hint, theme.dim)],
    );
    *canvas.cursor = Some((area.x + 3 + width(&typed), area.y));
    let room = area.width.saturating_sub(24);
    let about = fit(&about, room);
    put(canvas.buf, area.right().saturating_sub(width(&about) + 1), area.y, &about, room, theme.dim);
    let columns = Columns::of(screen, area.width);
    put(canvas.buf, area.x, area.y + 1, &columns.titles(), area.width, theme.dim);
    let rows = usize::from(area.height.saturating_sub(2));
    let first = (screen.line.0 + 1).saturating_sub(rows);
    for (y, (at, index)) in (area.y + 2..area.bottom()).zip(screen.listed.iter().enumerate().skip(first)) {
        let Some(item) = screen.items.get(*index) else { continue };
        let place = shared.layout.columns.iter().position(|column| column.shows == item.shows);
        let chosen = place.and_then(|at| shared.layout.columns[at].width);
        let is_facet = matches!(&item.shows, Shows::Values(of) if shared.layout.facets.contains(of));
        let rest = if place.is_some() || is_facet { theme.text } else { theme.dim };
        let shown = format!(
            " {} {} ",
            right(&place.map_or_else(String::new, |at| (at + 1).to_string()), 6),
            left(if is_facet { "▪" } else { "" }, 5)
        );
        let pieces =
            [(shown.as_str(), theme.accent), (&*columns.name(item), theme.text), (&*columns.rest(item, chosen), rest)];
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.choice(y, Spot::Part(Part::LINE, at), at == screen.line.0);
    }
    if screen.listed.is_empty() {
        put(canvas.buf, area.x + 3, area.y + 2, "no such field or path", area.width, theme.dim);
    }
}

/// Widths of the columns.
struct Columns {
    name: u16,
    types: u16,
    width: u16,
    example: u16,
}

impl Columns {
    fn of(screen: &Fields, room: u16) -> Self {
        let longest = screen.items.iter().map(|item| width(&item.shows.to_string())).max().unwrap_or(0);
        let name = longest.clamp(12, (room * 2 / 5).max(12));
        let (types, wide) = (if room < 100 { 8 } else { 16 }, if room < 100 { 0 } else { 6 });
        let example = room.saturating_sub(14 + name + 9 + types + wide + 4);
        Self { name, types, width: wide, example }
    }

    fn titles(&self) -> String {
        let wide = if self.width > 0 { format!(" {}", right("width", self.width)) } else { String::new() };
        format!(
            " column facet {} {} {}{wide}  example",
            left("field", self.name),
            right("in", 8),
            left("type", self.types)
        )
    }

    fn name(&self, item: &Item) -> String {
        left(&safe(&item.shows.to_string()), self.name)
    }

    fn rest(&self, item: &Item, chosen: Option<u16>) -> String {
        let share = item.count.map_or_else(String::new, |(has, of)| match 100 * has / of.max(1) {
            0 => "<1 %".to_owned(),
            share => format!("{share} %"),
        });
        let wide = match self.width {
            0 => String::new(),
            columns => format!(" {}", right(&chosen.map_or_else(String::new, |wide| wide.to_string()), columns)),
        };
        format!(
            " {} {}{wide}  {}",
            right(&share, 8),
            left(&item.types, self.types),
            left(&safe(&item.example), self.example)
        )
    }
}
