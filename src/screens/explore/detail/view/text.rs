//! Text tabs: the error with its stack. Also wraps text for other tabs.

use crate::screens::explore::detail::Detail;
use crate::tui::Theme;
use crate::tui::text::{put, safe, width};
use crosstail_core::model::{Payload, PayloadPart, redact_text, visible_line};
use crosstail_core::number::saturating_u16;
use crosstail_engine::insight::{FrameKind, frames, library_runs, own_frame};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;

/// Draws wrapped lines, from the scroll position on.
pub(super) fn paragraph(lines: &[(String, Style)], detail: &Detail, area: Rect, buf: &mut Buffer) {
    lines_of(lines, detail.scroll, area, buf);
}

/// Draws wrapped lines, from a row on; scrolling stops at the last row.
pub(super) fn lines_of(lines: &[(String, Style)], scroll: usize, area: Rect, buf: &mut Buffer) {
    let room = area.width.saturating_sub(2).max(1);
    let rows = lines.iter().flat_map(|(line, style)| wrap(line, room).into_iter().map(move |row| (row, *style)));
    let all: Vec<(String, Style)> = rows.collect();
    let first = scroll.min(all.len().saturating_sub(area.height as usize));
    for (index, (row, style)) in all.iter().skip(first).take(area.height as usize).enumerate() {
        put(buf, area.x + 1, area.y + saturating_u16(index), row, room, *style);
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
            // Break between words if one ends near the end of the row.
            let row = rows.last_mut().map(std::mem::take).unwrap_or_default();
            let cut = row.trim_end().rfind(' ').map(|at| at + 1).filter(|at| width(&row[..*at]) > room * 2 / 3);
            let (kept, carried) = row.split_at(cut.unwrap_or(row.len()));
            used = width(carried);
            rows.pop();
            rows.extend([kept.to_owned(), carried.to_owned()]);
        }
        if let Some(row) = rows.last_mut() {
            row.push_str(grapheme);
        }
        used += wide;
    }
    rows
}

/// Error text and stack. Library frames are dim, and long runs of them are folded.
pub(super) fn error(detail: &Detail, payload: Option<&Payload>, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let a = &detail.activity;
    let mut lines: Vec<(String, Style)> = Vec::new();
    let kind = a.error_type.as_deref().or(payload.and_then(|p| p.error.kind.as_deref()));
    let message = a.error.as_deref().or(payload.and_then(|p| p.error.message.as_deref()));
    if kind.is_none() && message.is_none() {
        lines.push(("no error recorded".to_owned(), theme.dim));
    }
    if let Some(kind) = kind {
        lines.push((safe(kind), theme.failure));
    }
    if let Some(message) = message {
        lines.push((safe(message), theme.title));
    }
    match payload.and_then(|payload| payload.error.stack.as_deref()) {
        Some(stack) => {
            let stack = redact_text(stack);
            let frames = frames(&stack);
            if let Some(own) = own_frame(&frames) {
                lines.push((format!("where  {}", visible_line(own)), theme.accent));
            }
            lines.push((String::new(), theme.text));
            let runs = library_runs(&frames);
            for (index, frame) in frames.iter().enumerate() {
                if let Some(run) = runs.iter().find(|run| run.contains(&index) && !detail.frames_open) {
                    if run.start == index {
                        lines.push((format!("    ⋯ {} library frames, ⏎ shows them", run.len()), theme.dim));
                    }
                    continue;
                }
                let style = match frame.kind {
                    FrameKind::Own => theme.title,
                    FrameKind::Message => theme.text,
                    FrameKind::Library => theme.dim,
                };
                lines.push((visible_line(frame.text).into_owned(), style));
            }
        }
        None => lines.extend(payload.map(|payload| (payload.why_absent(PayloadPart::Stack), theme.dim))),
    }
    paragraph(&lines, detail, area, buf);
}
