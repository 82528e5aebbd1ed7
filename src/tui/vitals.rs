//! Checks and metrics, one line each: next to the systems on the health screen, below the sources on the sources screen.

use super::text::{SPARKS, duration, left, put, put_all, right, safe, width};
use super::theme::Theme;
use crosstail_core::model::{Check, HealthState, Metric};
use crosstail_core::number::{saturating_u16, truncated_usize};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const SPARK: u16 = 12;

/// A line of the panel.
pub enum VitalsLine<'a> {
    Heading(String),
    /// A check, and its source if several report.
    Check(&'a Check, Option<&'a str>),
    Metric(&'a Metric),
}

/// The mark and the colour of a state.
pub fn mark(state: HealthState, theme: &Theme) -> (&'static str, Style) {
    match state {
        HealthState::Down => ("✗", theme.failure),
        HealthState::Degraded => ("◐", theme.warning),
        HealthState::Healthy => ("✓", theme.success),
        HealthState::Unknown => ("?", theme.dim),
    }
}

/// The lines of checks, worst first, then of metrics by group.
pub fn lines<'a>(
    checks: impl IntoIterator<Item = (&'a Check, Option<&'a str>)>,
    metrics: impl IntoIterator<Item = &'a Metric>,
) -> Vec<VitalsLine<'a>> {
    let mut checks: Vec<_> = checks.into_iter().collect();
    checks.sort_by_key(
        |(check, _)| if check.state == HealthState::Unknown { HealthState::Degraded } else { check.state },
    );
    let mut lines: Vec<VitalsLine<'_>> =
        checks.into_iter().map(|(check, source)| VitalsLine::Check(check, source)).collect();
    let metrics: Vec<&Metric> = metrics.into_iter().collect();
    let mut groups: Vec<&str> = Vec::new();
    for metric in &metrics {
        if !groups.contains(&metric.group.as_str()) {
            groups.push(&metric.group);
        }
    }
    for group in groups {
        lines.push(VitalsLine::Heading(group.to_owned()));
        lines.extend(metrics.iter().filter(|metric| metric.group == group).map(|metric| VitalsLine::Metric(metric)));
    }
    lines
}

/// Draws the lines that fit, and the number of those that do not.
pub fn render(title: &str, lines: &[VitalsLine<'_>], area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height < 2 || area.width < 20 {
        return;
    }
    let rule = "─".repeat((area.width as usize).saturating_sub(width(title) as usize + 4));
    put_all(
        buf,
        area.x,
        area.y,
        area.width,
        &[("─ ", theme.dim), (title, theme.title), (" ", theme.dim), (&rule, theme.dim)],
    );
    let room = area.height as usize - 1;
    let shown = if lines.len() > room { room - 1 } else { lines.len() };
    for (index, line) in lines.iter().take(shown).enumerate() {
        draw(line, Rect { y: area.y + 1 + saturating_u16(index), height: 1, ..area }, buf, theme);
    }
    if lines.len() > shown {
        let more = format!("… {} more: crosstail health shows all", lines.len() - shown);
        put(buf, area.x + 1, area.bottom() - 1, &more, area.width.saturating_sub(1), theme.dim);
    }
}

fn draw(line: &VitalsLine<'_>, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let inner = area.width.saturating_sub(2);
    match line {
        VitalsLine::Heading(text) => {
            put(buf, area.x + 1, area.y, &safe(text), inner, theme.dim);
        }
        VitalsLine::Check(check, source) => {
            let (glyph, style) = mark(check.state, theme);
            let took = check.took_us.map_or_else(String::new, duration);
            let name = match (&check.system, source) {
                (Some(system), _) if !check.name.starts_with(system.as_str()) => format!("{system} {}", check.name),
                (None, Some(source)) => format!("{} of {source}", check.name),
                _ => check.name.clone(),
            };
            let name_columns = (inner / 3).clamp(10, 24);
            let rest = inner.saturating_sub(name_columns + 4 + width(&took) + 1);
            let pieces = [
                (glyph, style),
                (" ", theme.text),
                (&*left(&safe(&name), name_columns), theme.text),
                ("  ", theme.text),
                (
                    &*left(&safe(&check.detail), rest),
                    if check.state == HealthState::Healthy { theme.dim } else { style },
                ),
                (&*format!(" {took}"), theme.dim),
            ];
            put_all(buf, area.x + 1, area.y, inner, &pieces);
        }
        VitalsLine::Metric(metric) => {
            // In a narrow panel: only p95 of the quantiles, and labels without their names.
            let narrow = inner < 60;
            let value = match metric.quantiles {
                Some([_, p95, _]) if narrow => format!("p95 {}", metric.unit.text(p95)),
                _ => metric.text(),
            };
            let labels = match inner {
                70.. => metric.labels_text(),
                _ => metric.labels.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" "),
            };
            let spark = if metric.points.len() > 1 && !narrow { SPARK } else { 0 };
            let value_columns = width(&value).max(10);
            let named = inner.saturating_sub(value_columns + spark + 5);
            let name_columns = width(&metric.name).max(if narrow { 8 } else { 24 }).min(named * 2 / 3);
            let label_columns = named.saturating_sub(name_columns + 1);
            let value_style = if metric.value.is_none() && metric.rate.is_none() { theme.pending } else { theme.text };
            let end = put_all(
                buf,
                area.x + 3,
                area.y,
                inner.saturating_sub(2),
                &[
                    (&left(&safe(&metric.name), name_columns), theme.text),
                    (" ", theme.text),
                    (&left(&safe(&labels), label_columns), theme.dim),
                    (" ", theme.text),
                    (&right(&value, value_columns), value_style),
                ],
            );
            if spark > 0 {
                draw_spark(metric, end + 1, area, buf, theme);
            }
        }
    }
}

fn draw_spark(metric: &Metric, x: u16, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let points = &metric.points[metric.points.len().saturating_sub(SPARK as usize)..];
    let highest = points.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    for (index, (_, value)) in points.iter().enumerate() {
        let height = truncated_usize((value / highest).clamp(0.0, 1.0) * 7.0);
        let at = x + saturating_u16(index);
        if at < area.right() {
            put(buf, at, area.y, SPARKS[height], 1, theme.accent);
        }
    }
}
