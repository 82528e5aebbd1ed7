//! Text tabs: the error with its stack.

use crate::screens::explore::detail::Detail;
use crate::tui::Theme;
use crate::tui::paragraph::paragraph;
use crate::tui::text::safe;
use crosstail_core::model::{
    FrameKind, Payload, PayloadPart, frames, library_runs, own_frame, redact_text, thrown, visible_line,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Error text and stack. Library frames are dim, and long runs of them are folded.
pub(super) fn error(detail: &Detail, payload: Option<&Payload>, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let a = &detail.activity;
    let mut lines: Vec<(String, Style)> = Vec::new();
    let stack = payload.and_then(|payload| payload.error.stack.as_deref());
    let thrown = stack.and_then(thrown);
    let kind = a.error_type.as_deref().or(payload.and_then(|p| p.error.kind.as_deref()));
    let kind = kind.or(thrown.as_ref().map(|thrown| thrown.kind.as_str()));
    let message = a.error.as_deref().or(payload.and_then(|p| p.error.message.as_deref()));
    let message = message.or(thrown.as_ref().map(|thrown| thrown.message.as_str()));
    if kind.is_none() && message.is_none() && stack.is_none() {
        lines.push(("no error recorded".to_owned(), theme.dim));
    }
    if let Some(kind) = kind {
        lines.push((safe(kind), theme.failure));
    }
    if let Some(message) = message {
        lines.push((safe(message), theme.title));
    }
    match stack {
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
    paragraph(&lines, detail.scroll, area, buf);
}
