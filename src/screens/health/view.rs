//! Health of the systems, worst first.

mod objectives;

use super::HealthScreen;
use crate::action::Action;
use crate::screens::shared::Shared;
use crate::tui::Theme;
use crate::tui::text::{SPARKS, ago, count, day, left, millis, put, put_all, right, safe, short_clock, width};
use crate::tui::vitals;
use crate::tui::{Canvas, Part, Spot};
use compact_str::CompactString;
use crosstail_core::model::{Check, HealthState, Latencies, Metric, Timestamp, Unit};
use crosstail_core::number::{saturating_u16, saturating_usize};
use crosstail_engine::failure::ERROR_LINE;
use crosstail_engine::insight::{Baseline, SystemHealth, per_minute};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(super) fn render(screen: &HealthScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let Some(health) = &screen.figures.health else { return };
    let area = objectives::render(shared, area, canvas);
    let buf = &mut *canvas.buf;
    let (area, beside) = divide(shared, area);
    if let Some(beside) = beside {
        measured(screen, shared, beside, buf, theme);
    }
    let window = ago(health.window_us);
    let title = format!("the last {window}, worst first{}", shared.so_far(true));
    let figures = &screen.figures;
    let keys = [
        figures.can_zoom(true).then_some((Action::ZOOM_IN, "shorter")),
        figures.can_zoom(false).then_some((Action::ZOOM_OUT, "longer")),
        (!health.systems.is_empty()).then_some((Action::OPEN, "opens a system")),
    ];
    let keys: Vec<(Action, &str)> = keys.into_iter().flatten().collect();
    canvas.put_keys(area.x + 1, area.y, area.width.saturating_sub(2), (&title, &keys), theme.dim);
    let buf = &mut *canvas.buf;
    if health.systems.is_empty() {
        let rows = shared.store.rows_between(shared.now.plus_us(-health.window_us)..shared.now).len();
        let text = match rows {
            0 => match shared.store.all_rows().last() {
                Some(newest) => {
                    let age = shared.now.since_us(shared.store.started(*newest));
                    format!("no activity in this time; the newest is {} old", ago(age))
                }
                None => "no activity in this time".to_owned(),
            },
            _ => format!("{} activities in this time name no system", count(rows)),
        };
        put(buf, area.x + 2, area.y + 2, &text, area.width, theme.dim);
        return;
    }
    let mut y = area.y + 1;
    if area.width >= WIDE {
        put(buf, area.x + 1, y, &titles(area.width), area.width.saturating_sub(2), theme.dim);
        y += 1;
    }
    let room = area.bottom().saturating_sub(y);
    let lines = Heights::of(&health.systems, room, area.width);
    for (index, system) in health.systems.iter().enumerate().skip(lines.first(&health.systems, screen.line.0, room)) {
        let (height, gap) = lines.of_system(system);
        let place = Rect { y, height: height.min(area.bottom().saturating_sub(y)), ..area };
        if place.height < height.min(2) {
            return;
        }
        canvas.spots.add(place, Spot::Part(Part::LINE, index));
        panel(shared, system, place, canvas.buf, theme);
        if index == screen.line.0 {
            canvas.select(place);
        }
        y += height + gap;
    }
}

/// How many lines a system has: those that are well are all alike.
struct Heights {
    well: (u16, u16),
    unwell: (u16, u16),
}

impl Heights {
    /// The most that fit into so many lines and columns, with an empty line between them where there is room.
    fn of(systems: &[SystemHealth], height: u16, width: u16) -> Self {
        let whole = if width >= WIDE { 3 } else { 4 };
        let brief = 2;
        let ways = [
            Self { well: (whole, 1), unwell: (whole, 1) },
            Self { well: (whole, 0), unwell: (whole, 0) },
            Self { well: (brief, 0), unwell: (whole, 1) },
            Self { well: (brief, 0), unwell: (whole, 0) },
        ];
        let fits = |way: &Self| way.lines(systems) <= usize::from(height);
        ways.into_iter().find(fits).unwrap_or(Self { well: (brief, 0), unwell: (whole.min(height), 0) })
    }

    /// The lines of a system, and how many stay empty behind it.
    const fn of_system(&self, system: &SystemHealth) -> (u16, u16) {
        match system.state {
            HealthState::Down | HealthState::Degraded => self.unwell,
            _ => self.well,
        }
    }

    fn lines(&self, systems: &[SystemHealth]) -> usize {
        let of = |system| {
            let (height, gap) = self.of_system(system);
            usize::from(height + gap)
        };
        systems.iter().map(of).sum()
    }

    /// The first system that is drawn, so that the selected one is seen.
    fn first(&self, systems: &[SystemHealth], selected: usize, height: u16) -> usize {
        let until = (selected + 1).min(systems.len());
        (0..until).find(|first| self.lines(&systems[*first..until]) <= usize::from(height)).unwrap_or(selected)
    }
}

/// Minimum widths for showing latencies in the same line, and the earlier latencies next to them.
const WIDE: u16 = 112;
const ROOMY: u16 = 136;

/// The areas of the systems and of their vitals: side by side if there is room, else one below the other.
fn divide(shared: &Shared, area: Rect) -> (Rect, Option<Rect>) {
    if shared.sources.iter().all(|source| source.vitals.is_empty()) {
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

/// The vitals: unhealthy checks first, then those of the selected system, then the rest.
fn measured(screen: &HealthScreen, shared: &Shared, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let health = screen.figures.health.as_ref();
    let selected = health.and_then(|health| health.systems.get(screen.line.0)).map(|system| system.system.clone());
    let belongs = |system: &Option<String>| match (system, &selected) {
        (Some(system), Some(selected)) => system.eq_ignore_ascii_case(selected),
        _ => false,
    };
    let telling = || shared.sources.iter().filter(|source| !source.vitals.is_empty());
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
        lines.push(vitals::VitalsLine::Heading(format!("{selected} measures")));
        lines.extend(own.into_iter().map(vitals::VitalsLine::Metric));
    }
    for source in telling() {
        if several {
            lines.push(vitals::VitalsLine::Heading(format!("── {}", source.name)));
        }
        let rest = source.vitals.checks.iter().map(|check| (check, None)).filter(|one| !first(one));
        lines.extend(vitals::lines(rest, source.vitals.metrics.iter().filter(|metric| !belongs(&metric.system))));
    }
    vitals::render("checks and metrics", &lines, area, buf, theme);
}

/// One system: its figures, the reason of its state, since when, and pending work; as many lines as the area has.
fn panel(shared: &Shared, system: &SystemHealth, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let wide = area.width >= WIDE;
    headline(system, wide, area, buf, theme);
    let inside = area.width.saturating_sub(16);
    let alerts = alerts_of(shared, &system.system);
    let mut has_alerts = false;
    let mut y = area.y + 1;
    if !wide && area.height > 1 {
        let end = put(buf, area.x + 16, y, &quantiles(system), inside, theme.dim);
        spark(&system.spark, end + 2, y, area, buf, theme);
        y += 1;
    }
    if y < area.bottom() {
        let style = if system.state == HealthState::Healthy { theme.dim } else { theme.text };
        let why = why(shared, system);
        let room = if wide { inside.saturating_sub(saturating_u16(system.spark.len()) + 2) } else { inside };
        // Names of alerts stand behind the causes; where there is no room for them, a line below, if there is some.
        let fits_below = y + 1 < area.bottom() && width(&when(shared, system)) + width(&alerts) <= inside;
        has_alerts = !fits_below || width(&why) + width(&alerts) <= room;
        let pieces = [(why.as_str(), style), (if has_alerts { &*alerts } else { "" }, theme.failure)];
        put_all(buf, area.x + 16, y, room, &pieces);
        if wide {
            spark(
                &system.spark,
                area.right().saturating_sub(saturating_u16(system.spark.len()) + 1),
                y,
                area,
                buf,
                theme,
            );
        }
        y += 1;
    }
    if y < area.bottom() {
        let alerts = if has_alerts { "" } else { &*alerts };
        put_all(buf, area.x + 16, y, inside, &[(&when(shared, system), theme.dim), (alerts, theme.failure)]);
    }
}

/// Name, state, rate, success and, if there is room, latencies: in the columns of [`titles`], or with words of their own.
pub(super) fn headline(system: &SystemHealth, in_columns: bool, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let (glyph, style) = vitals::mark(system.state, theme);
    let success = system.success().map(|percent| format!("{percent:.1} %")).unwrap_or_default();
    let change = match (system.success(), system.success_before) {
        (Some(now), Some(before)) if (now - before).round() >= 1.0 => format!(" ▲{:.0}", now - before),
        (Some(now), Some(before)) if (before - now).round() >= 1.0 => format!(" ▼{:.0}", before - now),
        _ => String::new(),
    };
    let success_style = match system.state {
        HealthState::Down | HealthState::Degraded => style,
        _ => theme.text,
    };
    let calls = format!(" {}   ", right(&rate(system.rate), 9));
    let word = if in_columns { "" } else { "success " };
    // Of what only writes lines of a log, there is nothing to say.
    let success = match system.success() {
        Some(_) => format!("{word}{}{}", right(&success, 7), left(&change, 5)),
        None => " ".repeat(word.len() + 12),
    };
    let (now, before) = match (in_columns, area.width >= WIDE) {
        (true, _) => (durations(&system.figures.latencies, 1), in_columns_before(system, area.width)),
        (false, true) => (format!("  {}", quantiles(system)), before(system, area.width)),
        (false, false) => (String::new(), String::new()),
    };
    let pieces = [
        (left(&safe(&system.system), 14), theme.title),
        (" ".to_owned(), theme.text),
        (glyph.to_owned(), style),
        (" ".to_owned(), theme.text),
        (left(system.state.as_str(), 9), style),
        (calls, theme.text),
        (success, success_style),
        (now, theme.text),
        (before, theme.dim),
    ];
    let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    put_all(buf, area.x + 1, area.y, area.width.saturating_sub(2), &pieces);
}

/// Columns of a duration.
const DURATION: u16 = 9;

/// What stands above the columns of [`headline`].
fn titles(width: u16) -> String {
    let each = |names: [&str; 3]| names.map(|name| right(name, DURATION)).concat();
    let before = if width >= ROOMY { each(["p50 was", "p95 was", "p99 was"]) } else { right("p95 was", DURATION) };
    let (name, state, rate, success) = (left("", 15), left("", 11), right("rate", 10), right("success", 10));
    format!("{name}{state}{rate}{success}{}{}{before}", " ".repeat(5), each(["p50", "p95", "p99"]))
}

/// p50, p95 and p99; blanks of the same width where there are fewer than `least`.
fn durations(of: &Latencies, least: u64) -> String {
    [0.5, 0.95, 0.99].map(|q| duration_of(of, least, q)).concat()
}

fn duration_of(of: &Latencies, least: u64, q: f64) -> String {
    let text = if of.count() < least { String::new() } else { millis(of.quantile_ms(q)) };
    right(&text, DURATION)
}

/// How few say nothing of how it was before.
const FEW: u64 = 10;

/// The earlier latencies in their columns, and of when they are if that is not just before.
fn in_columns_before(system: &SystemHealth, width: u16) -> String {
    let (before, against) = &system.latencies_before;
    let is_known = before.count() >= FEW && system.figures.latencies.count() > 0;
    let least = if is_known { FEW } else { u64::MAX };
    let of = if width >= ROOMY { durations(before, least) } else { duration_of(before, least, 0.95) };
    let when = if is_known && *against == Baseline::SameTimeYesterday { " yesterday" } else { "" };
    of + when
}

/// p50, p95 and p99; blanks of the same width where nothing took any time.
fn quantiles(system: &SystemHealth) -> String {
    if system.figures.latencies.count() == 0 {
        return " ".repeat(37);
    }
    let of = |q| right(&millis(system.figures.latencies.quantile_ms(q)), 7);
    format!("p50 {}  p95 {}  p99 {}", of(0.5), of(0.95), of(0.99))
}

/// Earlier latencies: all three if there is room, else p95.
fn before(system: &SystemHealth, width: u16) -> String {
    let (before, against) = &system.latencies_before;
    if before.count() < FEW || system.figures.latencies.count() == 0 {
        return String::new();
    }
    let when = if *against == Baseline::SameTimeYesterday { "yesterday" } else { "was" };
    let of = |q| millis(before.quantile_ms(q));
    if width >= ROOMY {
        format!("   {when} {}  {}  {}", of(0.5), of(0.95), of(0.99))
    } else {
        format!(" (p95 {when} {})", of(0.95))
    }
}

/// The rules that fire for a system, behind the reasons: ` · ⚑ HighErrorRate 4 min`.
pub(super) fn alerts_of(shared: &Shared, system: &str) -> String {
    let of = |alert: &&crosstail_engine::insight::alerting::Alert| {
        alert.group.iter().any(|(_, value)| value.eq_ignore_ascii_case(system))
    };
    let one = |alert: &crosstail_engine::insight::alerting::Alert| {
        let since = alert.fired_at.unwrap_or(alert.since);
        format!(" · ⚑ {} {}", alert.rule, ago(shared.now.since_us(since)))
    };
    shared.alerts.alerting.alerts.firing().filter(of).map(one).collect()
}

/// The reason of the state, and errors by kind.
pub(super) fn why(shared: &Shared, system: &SystemHealth) -> String {
    let of_kind = |(kind, n): &(CompactString, u64)| match (kind.as_str(), count(saturating_usize(*n))) {
        (ERROR_LINE, n) => format!("{n} {ERROR_LINE}{}", if n == "1" { "" } else { "s" }),
        (kind, n) => format!("{} ×{n}", safe(kind)),
    };
    let errors = system.errors.iter().take(5).map(of_kind);
    let mut parts: Vec<String> = Vec::new();
    let is_unwell = matches!(system.state, HealthState::Down | HealthState::Degraded);
    // Also that it is well again.
    if let Some((of, failed)) = system.last_minute.filter(|(of, _)| is_unwell && *of > 0) {
        let ok = count(saturating_usize(of - failed));
        parts.push(format!("last minute {ok} of {} ok", count(saturating_usize(of))));
    }
    if let Some(since) = system.failing_since {
        parts.push(if system.failing_longer {
            format!("failing for over {}", ago(shared.now.since_us(since)))
        } else {
            format!("failing since {}", short_clock(shared.zone, since, day(shared.zone, shared.now)))
        });
    }
    if !system.reason.is_empty() {
        parts.push(safe(&system.reason));
    }
    parts.extend(errors);
    if parts.is_empty() { "no failures".to_owned() } else { parts.join(" · ") }
}

/// The last success and failure, and pending work.
pub(super) fn when(shared: &Shared, system: &SystemHealth) -> String {
    let since = |at: Timestamp| ago(shared.now.since_us(at));
    let last = |what: &str, at: Option<Timestamp>| {
        at.map_or_else(|| format!("no {what} seen"), |at| format!("last {what} {} ago", since(at)))
    };
    let mut parts = vec![last("success", system.last_success), last("failure", system.last_failure)];
    if let Some(oldest) = system.oldest_pending {
        parts.push(format!("{} to retry, oldest {}", system.pending, since(oldest)));
    }
    if system.figures.open > 0 {
        parts.push(format!("{} in progress", count(saturating_usize(system.figures.open))));
    }
    let backlog = backlog(shared, &system.system);
    if backlog > 0.0 {
        parts.push(format!("backlog {}", Unit::Count.text(backlog)));
    }
    parts.join(" · ")
}

/// Messages waiting in a system's queues and topics, as measured by the sources.
fn backlog(shared: &Shared, system: &str) -> f64 {
    let metrics = shared.sources.iter().flat_map(|source| &source.vitals.metrics);
    let of = |metric: &&Metric| {
        let named = |text: &str| text.eq_ignore_ascii_case(system);
        let is = metric.system.as_deref().is_some_and(named) || metric.labels.iter().any(|(_, value)| named(value));
        is && matches!(metric.name.as_str(), "lag" | "lag at least" | "queue_size")
    };
    metrics.filter(of).filter_map(|metric| metric.value).sum()
}

/// Activities per second, or per minute if there are few.
fn rate(per_second: f64) -> String {
    if per_second >= 1.0 { format!("{per_second:.1}/s") } else { per_minute(per_second * 60.0) }
}

/// A sparkline of activities: red where at least half has failed, in the colour of a warning where some have.
pub(super) fn spark(columns: &[(u64, u64)], x: u16, y: u16, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let most = columns.iter().map(|(total, _)| *total).max().unwrap_or(0).max(1);
    // If there is too little room, show the newest.
    let left_out = columns.len().saturating_sub(area.right().saturating_sub(x) as usize);
    for (index, (total, failed)) in columns.iter().skip(left_out).enumerate() {
        let at = x + saturating_u16(index);
        let style: Style = match failed {
            0 => theme.accent,
            failed if failed * 2 >= *total => theme.failure,
            _ => theme.warning,
        };
        let symbol = if *total == 0 { " " } else { SPARKS[saturating_usize((total * 7) / most)] };
        put(buf, at, y, symbol, 1, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::ColourDepth;

    #[test]
    fn a_column_has_the_colour_of_its_share() {
        let theme = Theme::load("dark", ColourDepth::True).expect("a theme");
        let area = Rect::new(0, 0, 4, 1);
        let mut buf = Buffer::empty(area);
        spark(&[(50, 0), (50, 1), (50, 25), (0, 0)], 0, 0, area, &mut buf, &theme);
        let colour = |x: u16| buf[(x, 0)].fg;
        let expected = [theme.accent, theme.warning, theme.failure].map(|style| style.fg.expect("a colour"));
        assert_eq!([colour(0), colour(1), colour(2)], expected);
        assert_eq!(buf[(3, 0)].symbol(), " ");
    }
}
