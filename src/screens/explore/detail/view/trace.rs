//! The trace as a waterfall: the activities with the same correlation id, gaps, the critical path, the first failure.

use crate::screens::explore::detail::Detail;
use crate::screens::explore::parts;
use crate::screens::shared::Shared;
use crate::tui::text::{arrow, duration, fit, glyph, left, put, put_all, safe, what};
use crate::tui::{Canvas, Spot, Theme};
use crosstail_core::model::{Status, Timestamp};
use crosstail_core::number::{saturating_i64, saturating_u16, saturating_u64, truncated_u16};
use crosstail_engine::insight::{Node, Trace};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The time scale: the columns of the bars, and the time that they span.
struct Scale {
    start: Timestamp,
    length_us: i64,
    columns: u16,
}

impl Scale {
    fn column(&self, at: Timestamp) -> u16 {
        let part = at.since_us(self.start).max(0) as f64 / self.length_us as f64;
        truncated_u16(part * f64::from(self.columns))
    }
}

pub(super) fn render(shared: &Shared, detail: &Detail, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let trace = &detail.trace;
    // A running activity extends to now.
    let end = if trace.is_open { trace.end.max(shared.now) } else { trace.end };
    let length_us = end.since_us(trace.start).max(1);
    let failure = trace.nodes.iter().find(|node| node.first_failure).map(|node| {
        match saturating_u64(node.activity.started_at.since_us(trace.start)) {
            0 => ", the first call failed".to_owned(),
            after => format!(", first failure at +{}", duration(after)),
        }
    });
    let idle = match trace.gaps.len() {
        0 => String::new(),
        1 => format!(", idle {}", duration(saturating_u64(trace.idle_us()))),
        n => format!(", idle {} in {n} gaps", duration(saturating_u64(trace.idle_us()))),
    };
    let found = detail.looked.words();
    let correlation = if detail.activity.correlation_id.is_none() { "no correlation id; by request: " } else { "" };
    let head = format!(
        " {correlation}{}   {}{}, critical path {}{idle}{}{found}",
        trace.outline(),
        duration(saturating_u64(length_us)),
        if trace.is_open { " so far" } else { "" },
        duration(saturating_u64(trace.critical_us)),
        failure.unwrap_or_default()
    );
    let is_alone = trace.nodes.len() == 1 && detail.looked.is_done();
    let head = if is_alone { format!(" {correlation}nothing else in this trace{found}") } else { head };
    put(buf, area.x, area.y, &fit(&head, area.width), area.width, theme.dim);
    let height = area.height.saturating_sub(1) as usize;
    let first = detail.scroll.saturating_sub(height * 2 / 3).min(trace.nodes.len().saturating_sub(height));
    let label = (area.width * 45 / 100).max(24).min(area.width);
    let scale = Scale { start: trace.start, length_us, columns: area.width.saturating_sub(label + 10) };
    for (row, (index, node)) in trace.nodes.iter().enumerate().skip(first).take(height).enumerate() {
        let place = Rect { y: area.y + 1 + saturating_u16(row), height: 1, ..area };
        canvas.spots.add(place, Spot::Part(parts::LINE, index));
        gaps(trace, &scale, Rect { x: area.x + label + 1, ..place }, buf, theme);
        let here = node.activity.id == detail.activity.id;
        line(node, here, label, &scale, end, place, buf, theme);
        if index == detail.scroll {
            theme.stand_out(theme.selected_dim, place, buf);
        }
    }
}

/// Draws the times in which nothing was running as a dotted background.
fn gaps(trace: &Trace, scale: &Scale, area: Rect, buf: &mut Buffer, theme: &Theme) {
    for (from, to) in &trace.gaps {
        let (start, end) = (scale.column(*from) + 1, scale.column(*to));
        if end > start && start < scale.columns {
            let dots = "┈".repeat((end.min(scale.columns) - start) as usize);
            put(buf, area.x + start, area.y, &dots, scale.columns - start, theme.border);
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "one line of the waterfall")]
fn line(
    node: &Node,
    here: bool,
    label: u16,
    scale: &Scale,
    end: Timestamp,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) {
    let a = &node.activity;
    let style = if a.is_failure() { theme.failure } else { theme.text };
    let indent = "  ".repeat(node.depth.min(8));
    let tries = a.attempt.filter(|n| *n > 1 || a.max_attempts.is_some()).map(|n| {
        let most = a.max_attempts.map(|most| format!("/{most}")).unwrap_or_default();
        format!(" {n}{most}")
    });
    let text = format!(
        "{}{indent}{} {} {}{}",
        if here { "▸" } else { " " },
        arrow(a.direction),
        safe(a.system.as_deref().unwrap_or("")),
        what(a),
        tries.unwrap_or_default()
    );
    put(buf, area.x, area.y, &left(&text, label), label, style);
    let open = a.status == Some(Status::InProgress);
    let took = if open { u64::try_from(end.since_us(a.started_at)).ok() } else { a.took_us() };
    let from = scale.column(a.started_at).min(scale.columns.saturating_sub(1));
    let bar = match took {
        None => "│".to_owned(),
        Some(us) => {
            let wide = scale.column(a.started_at.plus_us(saturating_i64(us))).saturating_sub(from).max(1);
            let symbol = if open {
                "░"
            } else if node.critical {
                "▇"
            } else {
                "▅"
            };
            symbol.repeat(wide.min(scale.columns - from) as usize)
        }
    };
    let bar_style = if a.is_failure() {
        theme.bar_failure
    } else if open {
        theme.pending
    } else if node.critical {
        theme.accent
    } else {
        ratatui::style::Style { bg: None, ..theme.bar }
    };
    let mark = if node.first_failure { "◀ first" } else { "" };
    let took = a.took_us().map(|us| format!(" {}", duration(us))).unwrap_or_default();
    let idle =
        node.idle_before_us.map(|us| format!(" after {} idle", duration(saturating_u64(us)))).unwrap_or_default();
    put_all(
        buf,
        area.x + label + 1 + from,
        area.y,
        area.width.saturating_sub(label + 1 + from),
        &[
            (&bar, bar_style),
            (glyph(a.status, a.level), style),
            (&took, theme.dim),
            (&idle, theme.dim),
            (" ", theme.text),
            (mark, theme.failure),
        ],
    );
}
