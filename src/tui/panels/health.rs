//! Health of the systems, worst first.

use super::detail::overview::about_system;
use crate::app::State;
use crate::insight::SystemHealth;
use crate::model::{Check, HealthState};
use crate::store::Symbol;
use crate::tui::text::{SPARKS, ago, count, left, millis, put, put_all, right, safe};
use crate::tui::theme::Theme;
use crate::tui::vitals;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(in crate::tui) fn render(state: &State, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let Some(health) = &state.health else { return };
    let (area, beside) = divide(state, area);
    if let Some(beside) = beside {
        measured(state, beside, buf, theme);
    }
    let window = crate::tui::text::ago(health.window_us);
    let title = format!(" health of the last {window}, against the {window} before; worst first · z Z shorter, longer");
    put(buf, area.x, area.y, &title, area.width, theme.dim);
    if health.systems.is_empty() {
        put(buf, area.x + 2, area.y + 2, "no activity in this time", area.width, theme.dim);
        return;
    }
    let rows = if area.width >= 112 { 4 } else { 5 };
    let fitting = (area.height.saturating_sub(1) / rows).max(1) as usize;
    let first = (state.line + 1).saturating_sub(fitting);
    for (index, system) in health.systems.iter().enumerate().skip(first).take(fitting) {
        let y = area.y + 1 + (index - first) as u16 * rows;
        panel(
            state,
            system,
            index == state.line,
            Rect { y, height: rows.min(area.bottom().saturating_sub(y)), ..area },
            buf,
            theme,
        );
    }
}

/// The systems, and what is measured of them: beside where there is room, else below.
fn divide(state: &State, area: Rect) -> (Rect, Option<Rect>) {
    if state.sources.iter().all(|source| source.vitals.is_empty()) {
        return (area, None);
    }
    let wide = 114;
    if area.width >= wide + 44 {
        let beside = Rect { x: area.x + wide, width: area.width - wide, ..area };
        return (Rect { width: wide - 1, ..area }, Some(beside));
    }
    let below = (area.height * 2 / 5).max(6).min(area.height.saturating_sub(6));
    let y = area.bottom() - below;
    (Rect { height: area.height - below, ..area }, Some(Rect { y, height: below, ..area }))
}

/// What is not well, then what belongs to the selected system, then the rest.
fn measured(state: &State, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let selected = state.health.as_ref().and_then(|health| health.systems.get(state.line));
    let selected = selected.map(|system| state.store.symbols().get(system.system).to_owned());
    let belongs = |system: &Option<String>| match (system, &selected) {
        (Some(system), Some(selected)) => system.eq_ignore_ascii_case(selected),
        _ => false,
    };
    let telling = || state.sources.iter().filter(|source| !source.vitals.is_empty());
    let several = telling().count() > 1;
    let unwell = |check: &Check| check.state != HealthState::Healthy;
    let first = |(check, _): &(&Check, _)| unwell(check) || belongs(&check.system);
    let checks = telling().flat_map(|source| {
        let name = several.then_some(source.name.as_str());
        source.vitals.checks.iter().map(move |check| (check, name))
    });
    let mut lines = vitals::lines(checks.filter(first), []);
    let metrics = telling().flat_map(|source| &source.vitals.metrics);
    let own: Vec<_> = metrics.filter(|metric| belongs(&metric.system)).collect();
    if let Some(selected) = selected.as_ref().filter(|_| !own.is_empty()) {
        lines.push(vitals::Line::Heading(format!("{selected} measures")));
        lines.extend(own.into_iter().map(vitals::Line::Metric));
    }
    for source in telling() {
        if several {
            lines.push(vitals::Line::Heading(format!("── {}", source.name)));
        }
        let rest = source.vitals.checks.iter().map(|check| (check, None)).filter(|one| !first(one));
        lines.extend(vitals::lines(rest, source.vitals.metrics.iter().filter(|metric| !belongs(&metric.system))));
    }
    vitals::render("checks and metrics", &lines, area, buf, theme);
}

fn panel(state: &State, system: &SystemHealth<Symbol>, selected: bool, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let (glyph, style) = vitals::mark(system.state, theme);
    let name_style = if selected { theme.selected } else { theme.title };
    let success = system.success.map_or_else(|| "–".to_owned(), |percent| format!("{percent:.1} %"));
    let change = match (system.success, system.success_before) {
        (Some(now), Some(before)) if now - before >= 0.5 => format!(" ▲{:.0}", now - before),
        (Some(now), Some(before)) if before - now >= 0.5 => format!(" ▼{:.0}", before - now),
        _ => String::new(),
    };
    let latency = |q| millis(system.latencies.quantile_ms(q));
    let latencies =
        format!("p50 {}  p95 {}  p99 {}", right(&latency(0.5), 8), right(&latency(0.95), 8), right(&latency(0.99), 8));
    let calls = format!(" {}   success {}{}", right(&rate(system.rate), 9), right(&success, 7), left(&change, 4));
    // Where they do not fit beside the rest, latencies have the line below.
    let wide = area.width >= 112;
    let figures = if wide { format!("{calls}   {latencies}") } else { calls };
    let name = safe(state.store.symbols().get(system.system));
    put_all(
        buf,
        area.x + 1,
        area.y,
        area.width.saturating_sub(2),
        &[
            (&left(&name, 14), name_style),
            (" ", theme.text),
            (glyph, style),
            (" ", theme.text),
            (&left(system.state.as_str(), 9), style),
            (&figures, theme.text),
        ],
    );
    if area.height < 2 {
        return;
    }
    if !wide && area.height > 2 {
        put(buf, area.x + 16, area.y + 2, &latencies, area.width.saturating_sub(16), theme.dim);
    }
    let when = |at: Option<crate::model::Timestamp>| {
        at.map_or_else(|| "none seen".to_owned(), |at| format!("{} ago", ago(state.now.since_us(at))))
    };
    let reason = if system.reason.is_empty() { String::new() } else { format!("{} · ", system.reason) };
    let open = if system.open > 0 { format!(" · {} in progress", system.open) } else { String::new() };
    let text = format!(
        "{reason}last failure {} · last success {}{open}",
        when(system.last_failure),
        when(system.last_success)
    );
    let x = put(buf, area.x + 16, area.y + 1, &text, area.width.saturating_sub(40), theme.dim);
    spark(system, x + 2, area.y + 1, area, buf, theme);
    let below = if wide { 2 } else { 3 };
    if area.height > below {
        put(buf, area.x + 16, area.y + below, &whole(state, system, &name), area.width.saturating_sub(16), theme.dim);
    }
}

/// Over everything in the window, what is still open too: as the stores' own views count. Then what the system's
/// configuration says.
fn whole(state: &State, system: &SystemHealth<Symbol>, name: &str) -> String {
    let percent = 100.0 * system.succeeded as f64 / system.total.max(1) as f64;
    let parts = [
        Some(format!("{} in all", count(system.total as usize))),
        (system.succeeded > 0).then(|| format!("{percent:.2} % successful")),
        system.latencies.mean_ms().map(|ms| format!("{ms:.2} ms on average")),
        system.cpu.value().map(|cpu| format!("cpu {cpu:.1} %")),
        system.memory.value().map(|mb| format!("{mb:.0} MB")),
        state.system_entry(name).map(|entry| safe(&about_system(state, entry))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Activities a second, or a minute where they are few.
fn rate(per_second: f64) -> String {
    if per_second >= 1.0 { format!("{per_second:.1}/s") } else { format!("{:.1}/min", per_second * 60.0) }
}

fn spark(system: &SystemHealth<Symbol>, x: u16, y: u16, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let most = system.spark.iter().map(|(total, _)| *total).max().unwrap_or(0).max(1);
    for (index, (total, failed)) in system.spark.iter().enumerate() {
        let at = x + index as u16;
        if at >= area.right() {
            return;
        }
        let style: Style = if *failed > 0 { theme.failure } else { theme.accent };
        let symbol = if *total == 0 { " " } else { SPARKS[((total * 7) / most) as usize] };
        put(buf, at, y, symbol, 1, style);
    }
}
