//! Tabs that are text: error with its stack, raw records.

use crate::app::Detail;
use crate::model::{Payload, redact_json, redact_text, visible_line};
use crate::tui::text::{put, safe, width};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;

/// Lines laid out over as many rows as they need, from the scroll position on.
pub(super) fn paragraph(lines: &[(String, Style)], detail: &Detail, area: Rect, buf: &mut Buffer) {
    let room = area.width.saturating_sub(2).max(1);
    let rows = lines.iter().flat_map(|(line, style)| wrap(line, room).into_iter().map(move |row| (row, *style)));
    // The last rows stay in sight.
    let all: Vec<(String, Style)> = rows.collect();
    let first = detail.scroll.min(all.len().saturating_sub(area.height as usize));
    for (index, (row, style)) in all.iter().skip(first).take(area.height as usize).enumerate() {
        put(buf, area.x + 1, area.y + index as u16, row, room, *style);
    }
}

fn wrap(line: &str, room: u16) -> Vec<String> {
    if width(line) <= room {
        return vec![line.to_owned()];
    }
    let mut rows = vec![String::new()];
    let mut used = 0;
    for grapheme in line.graphemes(true) {
        let wide = width(grapheme);
        if used + wide > room {
            rows.push(String::new());
            used = 0;
        }
        if let Some(row) = rows.last_mut() {
            row.push_str(grapheme);
        }
        used += wide;
    }
    rows
}

/// Error text and stack; frames of libraries are dim.
pub(super) fn error(detail: &Detail, payload: Option<&Payload>, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let a = &detail.activity;
    let mut lines: Vec<(String, Style)> = Vec::new();
    let kind = a.error_type.as_deref().or(payload.and_then(|p| p.error.kind.as_deref()));
    let message = a.error.as_deref().or(payload.and_then(|p| p.error.message.as_deref()));
    if kind.is_none() && message.is_none() {
        lines.push(("no error was recorded".to_owned(), theme.dim));
    }
    if let Some(kind) = kind {
        lines.push((safe(kind), theme.failure));
    }
    if let Some(message) = message {
        lines.push((safe(message), theme.title));
    }
    if let Some(stack) = payload.and_then(|p| p.error.stack.as_deref()) {
        lines.push((String::new(), theme.text));
        for frame in redact_text(stack).lines() {
            let library = ["node_modules", "node:internal", "site-packages", "/rustc/", "java.base", "at java."];
            let own = !library.iter().any(|mark| frame.contains(mark));
            lines.push((visible_line(frame).into_owned(), if own { theme.text } else { theme.dim }));
        }
    }
    paragraph(&lines, detail, area, buf);
}

/// The records as their stores hold them, but for secrets.
pub(super) fn raw(detail: &Detail, payload: &Payload, area: Rect, buf: &mut Buffer, theme: &Theme) {
    /// Of a longer record only the beginning is laid out.
    const SHOWN: usize = 256 * 1024;
    let mut lines: Vec<(String, Style)> = Vec::new();
    for record in &payload.raw {
        lines.push((format!("── {} · {} bytes", safe(&record.place), record.text.len()), theme.dim));
        let text = match serde_json::from_str::<serde_json::Value>(&record.text) {
            Ok(value) => redact_json(&value).to_string(),
            Err(_) => redact_text(&record.text).into_owned(),
        };
        let end = text.floor_char_boundary(SHOWN);
        lines.extend(text[..end].lines().map(|line| (visible_line(line).into_owned(), theme.text)));
        if end < text.len() {
            lines.push((format!("… {} bytes more", text.len() - end), theme.warning));
        }
    }
    paragraph(&lines, detail, area, buf);
}
