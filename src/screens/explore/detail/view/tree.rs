//! Headers, bodies and raw records as trees.

use crate::effect::missing as missing_of;
use crate::screens::explore::detail::{Detail, Loadable};
use crate::screens::explore::parts;
use crate::screens::request::Tab;
use crate::tui::paragraph::paragraph;
use crate::tui::text::{fit, put, put_all, safe, width};
use crate::tui::{Canvas, Spot, Theme};
use crosstail_core::model::{PayloadPart, visible_line};
use crosstail_core::number::saturating_u16;
use crosstail_engine::insight::header_meaning;
use crosstail_engine::outline::{Kind as LineKind, Line};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the tree of the open tab; returns the position of the cursor while a search is typed.
pub(super) fn render(detail: &Detail, canvas: &mut Canvas<'_>) -> Option<(u16, u16)> {
    let (mut area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let mut cursor = None;
    if detail.searching || !detail.search.text().is_empty() {
        let y = area.bottom() - 1;
        area.height -= 1;
        let search = safe(detail.search.text());
        let end = put_all(buf, area.x + 1, y, area.width, &[("/", theme.accent), (&search, theme.title)]);
        let found = match detail.found {
            9999 => "9,999 or more".to_owned(),
            n => n.to_string(),
        };
        put(buf, end + 2, y, &format!("{found} found · n next"), area.width, theme.dim);
        cursor = detail.searching.then_some((end, y));
    }
    if let Some(jq) = detail.jq.as_ref().filter(|jq| detail.tab.part() == Some(jq.part)) {
        let said = match &jq.result {
            Loadable::Loading => "…".to_owned(),
            Loadable::Loaded(outline) if outline.is_empty() => "no result".to_owned(),
            Loadable::Loaded(_) => "esc: the full body".to_owned(),
            Loadable::Failed(problem) => safe(problem),
        };
        let style = if matches!(jq.result, Loadable::Failed(_)) { theme.failure } else { theme.dim };
        let expression = visible_line(&jq.expression).into_owned();
        let pieces = [("jq ", theme.accent), (&*expression, theme.title), ("   ", theme.text), (&*said, style)];
        put_all(buf, area.x + 1, area.y, area.width.saturating_sub(1), &pieces);
        area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    }
    let Some(outline) = detail.outline() else { return cursor };
    let absent = absent(detail);
    let height = (area.height as usize).saturating_sub(absent.len());
    let needle = detail.search.text().to_lowercase();
    // The outline was laid out for the full height, but the notes on missing parts and the search need some lines.
    let first = outline.first.max((outline.selected + 1).saturating_sub(height)).min(outline.len());
    let shown = outline.len().saturating_sub(first).min(height);
    for row in 0..shown {
        let index = first + row;
        let place = Rect { y: area.y + saturating_u16(row), height: 1, ..area };
        let line = outline.line(index);
        let note = note(detail, index, &line);
        canvas.spots.add(place, Spot::Part(parts::LINE, index));
        draw(&line, note.as_deref(), index == outline.selected, &needle, place, buf, theme);
    }
    let rest =
        Rect { y: area.y + saturating_u16(shown), height: area.height.saturating_sub(saturating_u16(shown)), ..area };
    paragraph(&absent.into_iter().map(|text| (text, theme.dim)).collect::<Vec<_>>(), 0, rest, buf);
    cursor
}

/// Notes on what the tab lacks, completely or in part, and why.
fn absent(detail: &Detail) -> Vec<String> {
    let Some(payload) = detail.opened.get().map(|opened| &opened.payload) else { return Vec::new() };
    if detail.jq.is_some() {
        return Vec::new();
    }
    let (side, head, body) = match detail.tab {
        Tab::Request => (&payload.request, PayloadPart::RequestHeaders, PayloadPart::RequestBody),
        Tab::Response => (&payload.response, PayloadPart::ResponseHeaders, PayloadPart::ResponseBody),
        _ => return Vec::new(),
    };
    let missing = [(side.body.is_none(), body), (side.headers.is_none(), head)];
    let cut = side.body.as_ref().and_then(missing_of);
    let none = missing.into_iter().filter(|(missing, _)| *missing).map(|(_, part)| payload.why_absent(part));
    cut.into_iter().chain(none).map(|text| safe(&text)).collect()
}

/// The meaning of a header, or what a mapping says about a code.
fn note(detail: &Detail, index: usize, line: &Line) -> Option<String> {
    if line.redacted || line.open.is_some() || line.value.is_empty() {
        return None;
    }
    if let Some(note) = detail.notes.get(&line.value) {
        return Some(note.clone());
    }
    if line.depth != 1 || !detail.outline()?.document_path(index).ends_with(".header") {
        return None;
    }
    let at = detail.activity.completed_at.unwrap_or(detail.activity.started_at);
    header_meaning(&line.key, &line.value, at)
}

fn draw(line: &Line, note: Option<&str>, selected: bool, needle: &str, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let fold = match line.open {
        Some(false) => "▸ ",
        Some(true) => "▾ ",
        None => "  ",
    };
    let indent = "  ".repeat(line.depth.min(20));
    let value_style = match line.kind {
        _ if line.redacted => theme.secret,
        LineKind::Text => theme.json_text,
        LineKind::Object | LineKind::Array => theme.dim,
        LineKind::Row => theme.text,
        LineKind::Number | LineKind::Word => theme.json_number,
    };
    let key = safe(&line.key);
    let value = visible_line(&line.value).into_owned();
    let value = if line.kind == LineKind::Text && line.open != Some(true) { format!("\"{value}\"") } else { value };
    let room = area.width.saturating_sub(1);
    let gap = if key.is_empty() { "" } else { "  " };
    let used = width(&indent) + 2 + width(&key) + width(gap);
    let value = fit(&value, room.saturating_sub(used));
    let note = note.map(|note| format!("  → {}", safe(note))).unwrap_or_default();
    let hit =
        !needle.is_empty() && (line.key.to_lowercase().contains(needle) || line.value.to_lowercase().contains(needle));
    let (key_style, value_style) = if hit { (theme.found, theme.found) } else { (theme.json_key, value_style) };
    let pieces = [
        (&*indent, theme.text),
        (fold, theme.dim),
        (&*key, key_style),
        (gap, theme.text),
        (&*value, value_style),
        (&*note, theme.accent),
    ];
    put_all(buf, area.x, area.y, room, &pieces);
    if selected {
        // What was searched for keeps its colours.
        theme.stand_out(theme.selected_dim, Rect { width: room, height: 1, ..area }, buf);
    }
}
