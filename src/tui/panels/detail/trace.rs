//! The trace as a waterfall: what shares the correlation id, the critical path, the first failure.

use crate::app::{Detail, State};
use crate::insight::Node;
use crate::tui::panels::list::what;
use crate::tui::text::{arrow, duration, fit, glyph, left, put, put_all, safe};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(_state: &State, detail: &Detail, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let trace = &detail.trace;
    let length = trace.length_us().max(1);
    let failure = trace.nodes.iter().find(|node| node.first_failure).map(|node| {
        format!(", first failure at +{}", duration(node.activity.started_at.since_us(trace.start).max(0) as u64))
    });
    let found = if detail.related_loaded { "" } else { ", still looking in the stores" };
    let head = format!(
        " {} activities · {} · critical path {}{}{found}",
        trace.nodes.len(),
        duration(length as u64),
        duration(trace.critical_us().max(0) as u64),
        failure.unwrap_or_default()
    );
    put(buf, area.x, area.y, &fit(&head, area.width), area.width, theme.dim);
    let height = area.height.saturating_sub(1) as usize;
    let first = detail.scroll.saturating_sub(height * 2 / 3).min(trace.nodes.len().saturating_sub(height));
    let label = (area.width * 45 / 100).max(24).min(area.width);
    let bars = area.width.saturating_sub(label + 10);
    for (row, (index, node)) in trace.nodes.iter().enumerate().skip(first).take(height).enumerate() {
        line(
            node,
            index == detail.scroll,
            node.activity.id == detail.activity.id,
            (label, bars),
            length,
            trace.start,
            Rect { y: area.y + 1 + row as u16, height: 1, ..area },
            buf,
            theme,
        );
    }
}

#[allow(clippy::too_many_arguments, reason = "one line of the waterfall")]
fn line(
    node: &Node,
    selected: bool,
    here: bool,
    (label, bars): (u16, u16),
    length: i64,
    start: crate::model::Timestamp,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) {
    let a = &node.activity;
    let style = if a.is_failure() { theme.failure } else { theme.text };
    let base = if selected { theme.selected_dim } else { style };
    let indent = "  ".repeat(node.depth.min(8));
    let tries = a.attempt.filter(|n| *n > 1).map(|n| format!(" try {n}")).unwrap_or_default();
    let text = format!(
        "{}{indent}{} {} {}{tries}",
        if here { "▸" } else { " " },
        arrow(a.direction),
        safe(a.system.as_deref().unwrap_or("")),
        what(a)
    );
    put(buf, area.x, area.y, &left(&text, label), label, base);
    let scale = |us: i64| (us.max(0) as f64 / length as f64 * f64::from(bars)) as u16;
    let from = scale(a.started_at.since_us(start)).min(bars.saturating_sub(1));
    let wide = a.took_us().map_or(1, |us| scale(us as i64).max(1)).min(bars.saturating_sub(from));
    let bar = if a.took_us().is_none() {
        "│".to_owned()
    } else {
        (if node.critical { "▇" } else { "▅" }).repeat(wide as usize)
    };
    let bar_style = if a.is_failure() {
        theme.bar_failure
    } else if node.critical {
        theme.accent
    } else {
        ratatui::style::Style { bg: None, ..theme.bar }
    };
    let mark = if node.first_failure { "◀ first" } else { "" };
    let took = a.took_us().map(|us| format!(" {}", duration(us))).unwrap_or_default();
    put_all(
        buf,
        area.x + label + 1 + from,
        area.y,
        area.width.saturating_sub(label + 1 + from),
        &[
            (&bar, bar_style),
            (glyph(a.status, a.level), style),
            (&took, theme.dim),
            (" ", theme.text),
            (mark, theme.failure),
        ],
    );
}
