//! How it is drawn: the figures of both sets, and below them what tells one from the other.

use super::SetsScreen;
use crate::screens::distinctions::{self, Titles};
use crate::screens::shared::Shared;
use crate::tui::Canvas;
use crate::tui::text::{count, duration, fit, left, put, put_all, right};
use crosstail_core::model::{Figures, Timestamp};
use crosstail_core::number::{saturating_usize, truncated_u64};
use crosstail_engine::insight::SetContrast;
use ratatui::layout::Rect;

/// Columns from which on the figures of a set stand beside what it is of.
const WIDE: u16 = 110;

pub(super) fn render(screen: &SetsScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    // A line for each set, or two; their titles, and what was read.
    let lines = if area.width < WIDE { 2 } else { 1 };
    let head = 2 * lines + 2;
    let Some(sets) = screen.sets.as_ref().filter(|_| area.height > head + 2) else { return };
    let rows = [area.y + 1, area.y + 1 + lines];
    let styles = [theme.accent, theme.text];
    let name = saturating_width(&sets.names);
    for ((y, set), (title, style)) in rows.into_iter().zip(&sets.sets).zip(sets.names.iter().zip(styles)) {
        let text = shared.describe_set(set);
        let wide = area.width.saturating_sub(if lines == 1 { FIGURES } else { 0 } + name + 4);
        let pieces = [(format!(" {} ", left(title, name)), style), (fit(&text, wide), theme.dim)];
        put_all(canvas.buf, area.x, y, area.width, &pieces.each_ref().map(|(text, style)| (text.as_str(), *style)));
    }
    let Some(found) = canvas.answered(screen.found.as_ref()) else { return };
    let x = area.right().saturating_sub(FIGURES);
    let titles = ["activities", "a minute", "failed", "p50", "p95"];
    let line =
        |cells: [String; 5]| cells.iter().zip(WIDTHS).map(|(cell, width)| right(cell, width)).collect::<String>();
    put(canvas.buf, x, area.y, &line(titles.map(str::to_owned)), FIGURES, theme.dim);
    for ((y, set), (figures, style)) in rows.into_iter().zip(&sets.sets).zip(found.totals.iter().zip(styles)) {
        let ends = (set.bounds.since, set.bounds.until.unwrap_or(shared.now));
        put(canvas.buf, x, y + lines - 1, &line(cells(figures, ends)), FIGURES, style);
    }
    let notes = notes(found);
    put(canvas.buf, area.x, area.y + head - 1, &fit(&format!(" {notes}"), area.width), area.width, theme.dim);
    let body = Rect { y: area.y + head, height: area.height - head, ..area };
    if found.totals.iter().any(|figures| figures.count == 0) {
        let which = if found.totals[0].count == 0 { &sets.names[0] } else { &sets.names[1] };
        let text = format!("nothing is in \"{which}\"; there is nothing to compare");
        put(canvas.buf, body.x + 1, body.y + 1, &text, body.width, theme.dim);
        return;
    }
    let [these, others] = sets.names.each_ref().map(String::as_str);
    let long = [format!(" {these}"), format!(" {others}")];
    let titles = Titles {
        short: [these, others],
        long: long.each_ref().map(String::as_str),
        styles,
        causes: "what one has more often than the other",
        symptoms: "",
        none: "nothing tells them apart by more than chance",
        part: "read",
    };
    distinctions::render(&found.contrast, screen.line.0, &titles, body, canvas);
}

const WIDTHS: [u16; 5] = [12, 10, 9, 9, 9];
/// Width of the figures of a set.
const FIGURES: u16 = 50;

fn saturating_width(names: &[String; 2]) -> u16 {
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    crosstail_core::number::saturating_u16(longest)
}

/// The figures of a set between two moments.
fn cells(figures: &Figures, (since, until): (Option<Timestamp>, Timestamp)) -> [String; 5] {
    let none = || "–".to_owned();
    let rate = since.map(|since| until.since_us(since) as f64 / 60e6).filter(|minutes| *minutes > 0.0);
    let rate = rate.map_or_else(none, |minutes| format!("{:.1}", figures.count as f64 / minutes));
    let failed = match figures.count {
        0 => none(),
        count => format!("{:.1} %", 100.0 * figures.failed as f64 / count as f64),
    };
    let [p50, p95] = match figures.latencies.usual_ms() {
        Some((p50, p95)) => [p50, p95].map(|ms| duration(truncated_u64(ms * 1e3))),
        None => [none(), none()],
    };
    [count(saturating_usize(figures.count)), rate, failed, p50, p95]
}

/// What was read for what the stores do not count.
fn notes(found: &SetContrast) -> String {
    let [these, others] = found.read.map(|read| count(saturating_usize(read)));
    let is_whole = found.read == found.totals.each_ref().map(|figures| figures.count);
    let read = if is_whole { "all were read".to_owned() } else { format!("the newest {these} and {others} were read") };
    let [these, others] = found.payloads.map(|payloads| count(saturating_usize(payloads)));
    let problem = found.problem.as_ref().map(|problem| format!(" · {problem}")).unwrap_or_default();
    format!("{read} · payloads of {these} and {others} of them were looked at{problem}")
}
