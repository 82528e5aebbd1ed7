//! One system: figures, endpoints, errors by kind, response times and their course, and what it reports about itself.

use super::{Heatmap, Section, SystemLine, SystemView};
use crate::screens::health::HealthScreen;
use crate::screens::health::view::{alerts_of, headline, spark, when, why};
use crate::screens::shared::{Shared, outcomes_of};
use crate::tui::text::{
    SPARKS, about_system, clock, count, day, fit, left, millis, put, put_all, right, safe, short_clock, width,
};
use crate::tui::{Canvas, Part, Spot, Theme};
use crosstail_core::model::{Check, Figures};
use crosstail_core::number::{saturating_i64, saturating_u16, saturating_usize, truncated_usize};
use crosstail_engine::insight::{SystemHealth, per_minute};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(in crate::screens::health) fn render(
    screen: &HealthScreen,
    view: &SystemView,
    shared: &Shared,
    canvas: &mut Canvas<'_>,
) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let mut y = area.y;
    let line = |y: u16| Rect { y, height: 1.min(area.bottom().saturating_sub(y)), ..area };
    let health = screen.figures.health.iter().flat_map(|health| &health.systems);
    if let Some(system) = health.into_iter().find(|system| system.system == view.system) {
        headline(system, false, line(y), canvas.buf, theme);
        let alerts = alerts_of(shared, &view.system);
        let inside = area.width.saturating_sub(4);
        let why = why(shared, system);
        let fits = width(&why) + width(&alerts) <= inside;
        let [above, below] = if fits { [&*alerts, ""] } else { ["", &*alerts] };
        put_all(canvas.buf, area.x + 3, y + 1, inside, &[(&why, theme.text), (above, theme.failure)]);
        put_all(canvas.buf, area.x + 3, y + 2, inside, &[(&when(shared, system), theme.dim), (below, theme.failure)]);
        let end = put(canvas.buf, area.x + 3, y + 3, &whole(system), inside, theme.dim);
        canvas.choice(y, Spot::Part(Part::LINE, 0), screen.line.0 == 0);
        if area.width < WIDE {
            // There is no room for the charts.
            spark(&system.spark, end + 2, y + 3, area, canvas.buf, theme);
        }
        y += 4;
        if let Some(text) = outcomes_of(&view.affected, shared) {
            put(canvas.buf, area.x + 3, y, &text, inside, theme.warning);
            y += 1;
        }
    }
    for text in self_reported(shared, &view.system) {
        put(canvas.buf, area.x + 3, y, &text, area.width.saturating_sub(4), theme.dim);
        y += 1;
    }
    let body = Rect { y: y + 1, height: area.bottom().saturating_sub(y + 1), ..area };
    if body.height == 0 || body.y >= area.bottom() {
        return;
    }
    if area.width >= WIDE {
        let half = area.width / 2 - 1;
        let sides = [Rect { width: half, ..body }, Rect { x: area.x + half + 2, width: area.width - half - 2, ..body }];
        let middle = body.height / 2;
        let [at_left, at_right] = sides;
        let used = table(screen, shared, view, Section::Endpoints, Rect { height: middle, ..at_left }, canvas);
        let below = Rect { y: at_left.y + used + 1, height: at_left.height.saturating_sub(used + 1), ..at_left };
        let used = table(screen, shared, view, Section::Active, Rect { height: below.height.min(14), ..below }, canvas);
        let rest = Rect { y: below.y + used + 1, height: below.height.saturating_sub(used + 1), ..below };
        trend(screen, view, shared, rest, canvas.buf, theme);
        let used = table(screen, shared, view, Section::Errors, Rect { height: middle.min(12), ..at_right }, canvas);
        let below = Rect { y: at_right.y + used + 1, height: at_right.height.saturating_sub(used + 1), ..at_right };
        let used = table(screen, shared, view, Section::Spans, below, canvas);
        let rest = Rect { y: below.y + used + 1, height: below.height.saturating_sub(used + 1), ..below };
        heat(view, shared, rest, canvas.buf, theme);
        return;
    }
    // Sections one below the other, starting with the one that contains the cursor.
    let sections = [Section::Endpoints, Section::Errors, Section::Spans, Section::Active];
    let current = view.chosen(screen.line.0).map_or(Section::Endpoints, |entry| entry.section);
    let first = sections.iter().position(|section| *section == current).unwrap_or(0);
    let mut rest = body;
    for section in sections.iter().skip(first.saturating_sub(1)) {
        let used = table(screen, shared, view, *section, rest, canvas);
        rest = Rect { y: rest.y + used + 1, height: rest.height.saturating_sub(used + 1), ..rest };
    }
    trend(screen, view, shared, rest, canvas.buf, theme);
}

/// Columns from which on there are two sides, with charts.
const WIDE: u16 = 120;

/// Figures of the whole window that the headline has not.
fn whole(system: &SystemHealth) -> String {
    let of = &system.figures;
    let parts = [
        Some(match of.count.saturating_sub(of.concluded) {
            0 => format!("{} calls", count(saturating_usize(of.count))),
            rest => {
                format!("{} calls, {} unfinished", count(saturating_usize(of.count)), count(saturating_usize(rest)))
            }
        }),
        of.latencies.mean_ms().map(|ms| format!("{} on average", millis(Some(ms)))),
        of.cpu.value().map(|cpu| format!("cpu {cpu:.1} %")),
        of.memory.value().map(|mb| format!("{mb:.0} MB")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What the system reports about itself: its checks, and its entry in the stores' configuration.
fn self_reported(shared: &Shared, system: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let own = |check: &&Check| check.system.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(system));
    for check in shared.sources.iter().flat_map(|source| &source.vitals.checks).filter(own).take(3) {
        let took = check.took_us.map(|us| format!(" in {} ms", us / 1000)).unwrap_or_default();
        lines.push(safe(&format!("its {} says {}{took}: {}", check.name, check.state, check.detail)));
    }
    let configured = shared.system_entry(system).map(|entry| safe(&about_system(shared.now, entry)));
    lines.extend(configured.map(|text| format!("configured: {text}")));
    lines
}

/// Draws a section with its title; returns the number of rows used.
fn table(
    screen: &HealthScreen,
    shared: &Shared,
    view: &SystemView,
    section: Section,
    area: Rect,
    canvas: &mut Canvas<'_>,
) -> u16 {
    let theme = &canvas.look.theme;
    if area.height < 2 {
        return 0;
    }
    let entries: Vec<(usize, &SystemLine)> = view.of(section).collect();
    let title = match section {
        Section::Endpoints => "endpoints, most failures first",
        Section::Errors => "errors by kind",
        Section::Spans => "response times",
        Section::Active => "most active",
    };
    let figures = match section {
        Section::Endpoints | Section::Active => "   count  failed   success     p50     p95",
        Section::Errors => "   count   last        ",
        Section::Spans => "   count",
    };
    let name = area.width.saturating_sub(3 + saturating_u16(figures.len())).min(60);
    let name = if section == Section::Spans { 16 } else { name };
    put_all(canvas.buf, area.x + 1, area.y, area.width, &[(&left(title, name + 1), theme.title), (figures, theme.dim)]);
    if entries.is_empty() {
        put(canvas.buf, area.x + 2, area.y + 1, "none in this time", area.width, theme.dim);
        return 2;
    }
    let height = (area.height - 1) as usize;
    let selected = entries.iter().position(|(index, _)| *index == screen.line.0).unwrap_or(0);
    let first = (selected + 1).saturating_sub(height);
    let all: u64 = entries.iter().map(|(_, entry)| entry.figures.count).sum();
    let mut y = area.y + 1;
    for (index, entry) in entries.iter().skip(first).take(height) {
        let text = left(&fit(&safe(&entry.name), name), name);
        let x = put(canvas.buf, area.x + 2, y, &text, name, theme.text);
        let of = &entry.figures;
        let room = area.right().saturating_sub(x);
        match section {
            Section::Endpoints | Section::Active => figures_line(of, x, y, room, canvas.buf, theme),
            Section::Errors => {
                let last = clock(shared.zone, entry.last, day(shared.zone, shared.now));
                let text = format!("{}   {}", right(&count(saturating_usize(of.count)), 8), fit(&last, 12));
                put(canvas.buf, x, y, &text, room, theme.failure);
            }
            Section::Spans => {
                let share = 100.0 * of.count as f64 / all.max(1) as f64;
                let bar = "█".repeat(truncated_usize((share / 100.0 * f64::from(room.saturating_sub(20))).round()));
                let counts =
                    format!("{} {} ", right(&count(saturating_usize(of.count)), 8), right(&format!("{share:.0} %"), 6));
                put_all(canvas.buf, x, y, room, &[(&counts, theme.text), (&bar, theme.accent)]);
            }
        }
        let part = &mut canvas.at(Rect { width: area.width.saturating_sub(1), ..area });
        part.choice(y, Spot::Part(Part::LINE, *index), *index == screen.line.0);
        y += 1;
    }
    y - area.y
}

fn figures_line(of: &Figures, x: u16, y: u16, room: u16, buf: &mut Buffer, theme: &Theme) {
    let success = of.success_rate().map_or_else(|| "–".to_owned(), |percent| format!("{percent:.1} %"));
    let q = |q| right(&millis(of.latencies.quantile_ms(q)), 8);
    let failed = right(&count(saturating_usize(of.failed)), 8);
    let pieces = [
        (right(&count(saturating_usize(of.count)), 8), theme.text),
        (failed, if of.failed > 0 { theme.failure } else { theme.dim }),
        (right(&success, 10), theme.text),
        (format!("{}{}", q(0.5), q(0.95)), theme.text),
    ];
    let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    put_all(buf, x, y, room, &pieces);
}

/// Throughput and error rate over time.
fn trend(screen: &HealthScreen, view: &SystemView, shared: &Shared, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height < 3 || area.width < 40 {
        return;
    }
    let most = view.trend.iter().map(|(n, ..)| *n).max().unwrap_or(0);
    let minutes = screen.figures.window_us() as f64 / 60e6 / view.trend.len().max(1) as f64;
    let worst = view.trend.iter().filter(|(_, finished, _)| *finished > 0);
    let worst = worst.map(|(_, finished, failed)| 100.0 * *failed as f64 / *finished as f64).fold(0.0, f64::max);
    put(buf, area.x + 1, area.y, "throughput and error rate over time", area.width, theme.title);
    // If there is too little room, the oldest are left out.
    let left_out = view.trend.len().saturating_sub((area.width - 26) as usize);
    let columns = view.trend.iter().skip(left_out);
    for (index, (n, finished, failed)) in columns.enumerate() {
        let x = area.x + 2 + saturating_u16(index);
        let height = |part: f64| SPARKS[truncated_usize((part * 7.0).round().clamp(0.0, 7.0))];
        if *n > 0 {
            put(buf, x, area.y + 1, height(*n as f64 / most.max(1) as f64), 1, theme.accent);
        }
        if *failed > 0 {
            put(buf, x, area.y + 2, height(*failed as f64 / (*finished).max(1) as f64), 1, theme.failure);
        }
    }
    let x = area.x + 4 + saturating_u16(view.trend.len() - left_out);
    put(buf, x, area.y + 1, &format!("up to {}", per_minute(most as f64 / minutes)), 22, theme.dim);
    put(buf, x, area.y + 2, &format!("up to {worst:.0} % failed"), 22, theme.dim);
    let drawn = saturating_u16(view.trend.len() - left_out);
    axis(
        view,
        shared,
        left_out,
        Rect { x: area.x + 2, y: area.y + 3, width: drawn, height: area.height - 3 },
        buf,
        theme,
    );
}

/// The times of the ends of a chart, below it: of its first column that is drawn, and now.
fn axis(view: &SystemView, shared: &Shared, left_out: usize, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let columns = saturating_i64(view.trend.len().max(1));
    let length = shared.now.since_us(view.since);
    let from = view.since.plus_us(length / columns * saturating_i64(left_out));
    let from = short_clock(shared.zone, from, day(shared.zone, shared.now));
    put(buf, area.x, area.y, &format!("{from}{}", right("now", area.width.saturating_sub(8))), area.width, theme.dim);
}

/// A heat map of response times over time.
fn heat(view: &SystemView, shared: &Shared, area: Rect, buf: &mut Buffer, theme: &Theme) {
    const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];
    let heat = &view.heat;
    let used = |row: usize| heat.columns.iter().any(|column| column[row] > 0);
    let rows = heat.columns.first().map_or(0, |column| column.len());
    let (Some(lowest), Some(highest)) = ((0..rows).find(|row| used(*row)), (0..rows).rev().find(|row| used(*row)))
    else {
        return;
    };
    if area.height < 4 || area.width < 40 {
        return;
    }
    put(buf, area.x + 1, area.y, "response times over time", area.width, theme.title);
    let most = heat.columns.iter().flatten().copied().max().unwrap_or(1).max(1);
    // The slowest at the top. If there is too little room, the fastest are omitted.
    let shown: Vec<usize> = (lowest..=highest).rev().take((area.height - 2) as usize).collect();
    let left_out = heat.columns.len().saturating_sub(area.width.saturating_sub(12) as usize);
    let drawn = saturating_u16(heat.columns.len() - left_out);
    let below = area.y + 1 + saturating_u16(shown.len());
    axis(view, shared, left_out, Rect { x: area.x + 12, y: below, width: drawn, height: 1 }, buf, theme);
    for (line, row) in shown.into_iter().enumerate() {
        let y = area.y + 1 + saturating_u16(line);
        let label = format!("≥ {}", millis(Some(Heatmap::begins_us(row) as f64 / 1e3)));
        put(buf, area.x + 1, y, &right(&label, 10), 10, theme.dim);
        for (index, column) in heat.columns.iter().skip(left_out).enumerate() {
            let x = area.x + 12 + saturating_u16(index);
            if column[row] > 0 {
                // On a logarithmic scale, so that one slow call among thousands is visible.
                let shade = 1.0 + 3.0 * f64::from(column[row]).ln() / f64::from(most).ln().max(1.0);
                put(buf, x, y, SHADES[truncated_usize(shade).clamp(1, 4)], 1, theme.accent);
            }
        }
    }
}
