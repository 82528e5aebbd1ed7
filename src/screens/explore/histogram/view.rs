//! Activities over time, failures at the foot of each column.

use super::Histogram;
use crate::config::Marker;
use crate::ingest::SourceStatus;
use crate::screens::shared::Shared;
use crate::tui::Theme;
use crate::tui::text::{count, duration, fit, put, right, safe, width};
use crosstail_core::model::Timestamp;
use crosstail_core::number::{saturating_i64, saturating_u16, saturating_u32, saturating_u64, saturating_usize};
use crosstail_engine::change::{Measure, Shift};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub(in crate::screens::explore) fn render(
    panel: &Histogram,
    focused: bool,
    shared: &Shared,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) {
    if area.height < 2 {
        return;
    }
    let data = &panel.data;
    let rows = area.height - 1;
    let full = u32::from(rows) * 8;
    let most = data.buckets.iter().map(|bucket| bucket.total).max().unwrap_or(0).max(1);
    let chosen = |column: usize| {
        // A range that has been begun is seen, whichever panel has the keys: it means something there, too.
        panel.mark.map_or(focused && column == panel.cursor, |mark| {
            (mark.min(panel.cursor)..=mark.max(panel.cursor)).contains(&column)
        })
    };
    let without_colours = theme.bar_failure.fg.is_none_or(|colour| colour == Color::Reset);
    for (column, bucket) in data.buckets.iter().enumerate() {
        let scaled =
            |n: u32| if n == 0 { 0 } else { saturating_u32((u64::from(n) * u64::from(full) / u64::from(most)).max(1)) };
        let total = scaled(bucket.total);
        let failed = scaled(bucket.failed).min(total);
        let is_unknown = panel.unknown.get(column) == Some(&true);
        let bar = match (chosen(column), is_unknown) {
            (true, _) => theme.bar_chosen,
            // How many of them failed, nobody knows yet.
            (false, true) => theme.dim,
            (false, false) => theme.bar,
        };
        // What is less than an eighth of a line is drawn as one: then the colour says that it is little.
        let is_little =
            u64::from(bucket.failed) * u64::from(full) < u64::from(most) && bucket.failed * 10 < bucket.total;
        let bar_failure = if is_little { Style { fg: theme.dim.fg, ..theme.bar_failure } } else { theme.bar_failure };
        let x = area.x + 1 + saturating_u16(column);
        for row in 0..rows {
            let base = u32::from(rows - 1 - row) * 8;
            let (t, f) = (total.saturating_sub(base).min(8) as usize, failed.saturating_sub(base).min(8) as usize);
            let foreground = |style: Style| Style { bg: None, ..style };
            let (symbol, style) = match (t, f) {
                (0, _) if is_unknown && !panel.is_timed => ("░", theme.border),
                (0, _) => (if chosen(column) && row == rows - 1 { "▁" } else { " " }, foreground(theme.bar_chosen)),
                (t, 0) => (EIGHTHS[t], foreground(bar)),
                // Without colours, a cell is of what most of it is.
                (t, f) if without_colours => (if 2 * f >= t { "▒" } else { EIGHTHS[t] }, foreground(bar)),
                (t, f) if f >= t => (EIGHTHS[f], foreground(bar_failure)),
                // The failures end in this cell: the total is its background.
                (_, f) => (EIGHTHS[f], Style { bg: bar.bg, ..bar_failure }),
            };
            put(buf, x, area.y + row, symbol, 1, style);
        }
    }
    for shift in panel.ticks.all() {
        if let Some(column) = column_of(panel, shift.at) {
            put(buf, area.x + 1 + saturating_u16(column), area.y, CHANGED, 1, style_of(shift, theme));
        }
    }
    for column in shared.markers.iter().filter_map(|marker| column_of(panel, marker.at)) {
        put(buf, area.x + 1 + saturating_u16(column), area.y, MARKED, 1, theme.accent);
    }
    axis(panel, focused, shared, area, buf, theme);
}

/// Where something was marked.
const MARKED: &str = "◆";

/// Where the rate or the share of failures went to another level.
const CHANGED: &str = "▾";

/// More failures are worse; of a rate, nobody knows.
fn style_of(shift: &Shift, theme: &Theme) -> Style {
    match shift.measure {
        Measure::Failures if shift.after > shift.before => theme.failure,
        Measure::Failures => theme.success,
        Measure::Rate | Measure::Latency => theme.warning,
    }
}

/// The column of a moment.
fn column_of(panel: &Histogram, at: Timestamp) -> Option<usize> {
    let data = &panel.data;
    let column = at.since_us(data.start).checked_div_euclid(data.width_us)?;
    usize::try_from(column).ok().filter(|column| *column < data.buckets.len())
}

/// Columns that the label of a tick takes, with a blank behind it.
const TICK: u16 = 9;

/// Where the axis has labels, and which: at round times of the zone.
fn ticks(panel: &Histogram, shared: &Shared) -> Vec<(usize, String)> {
    const S: i64 = 1_000_000;
    const DAY: i64 = 86_400 * S;
    const ROUND: [i64; 24] = [
        S,
        2 * S,
        5 * S,
        10 * S,
        15 * S,
        30 * S,
        60 * S,
        120 * S,
        300 * S,
        600 * S,
        900 * S,
        1800 * S,
        3600 * S,
        7200 * S,
        10_800 * S,
        14_400 * S,
        21_600 * S,
        43_200 * S,
        DAY,
        2 * DAY,
        7 * DAY,
        14 * DAY,
        28 * DAY,
        364 * DAY,
    ];
    let data = &panel.data;
    // Twice the room of a label, so that the line between them is seen.
    let least = data.width_us.saturating_mul(2 * i64::from(TICK));
    let every = ROUND.iter().copied().find(|every| *every >= least).unwrap_or(ROUND[23]);
    let local = |at: Timestamp| shared.local(at).naive_local().and_utc().timestamp_micros();
    let mut found: Vec<(usize, String)> = Vec::new();
    for column in 0..data.buckets.len() {
        let start = data.start.plus_us(data.width_us * saturating_i64(column));
        let (from, upto) = (local(start), local(start.plus_us(data.width_us)));
        // The first round time in the column.
        let round = (from + every - 1).div_euclid(every) * every;
        if round >= upto {
            continue;
        }
        let format = match round {
            round if round.rem_euclid(DAY) == 0 => "┬%m-%d ",
            _ if every < 60 * S => "┬%H:%M:%S ",
            _ => "┬%H:%M ",
        };
        let Some(at) = chrono::DateTime::from_timestamp_micros(round) else { continue };
        let label = at.format(format).to_string();
        // Where clocks are put back, a time comes twice.
        let is_apart = found.last().is_none_or(|(last, text)| column >= last + usize::from(TICK) && *text != label);
        if is_apart && column + usize::from(TICK) <= data.buckets.len() {
            found.push((column, label));
        }
    }
    found
}

/// The length of a column, for people.
fn period(us: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s")];
    match UNITS.iter().find(|(unit, _)| us >= *unit && us % unit == 0) {
        Some((unit, name)) => format!("{} {name}", us / unit),
        None => duration(saturating_u64(us)),
    }
}

fn axis(panel: &Histogram, focused: bool, shared: &Shared, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let data = &panel.data;
    let y = area.bottom() - 1;
    let is_known = !panel.unknown.contains(&true);
    if data.buckets.is_empty() || (is_known && !focused && data.buckets.iter().all(|bucket| bucket.total == 0)) {
        let all = count(saturating_usize(shared.figure(false).count));
        let holding = || shared.sources.iter().filter(|source| source.holds_activities);
        let (silent, sources) = (holding().filter(|source| source.is_silent()).count(), holding().count());
        // Of what was read before, it is said how many match.
        let is_unread = silent > 0 && (shared.filter.is_all() || shared.store.is_empty());
        let none = match (shared.filter.is_all(), data.buckets.is_empty()) {
            _ if SourceStatus::any_busy(&shared.sources) => "nothing read yet".to_owned(),
            _ if is_unread && silent == sources => "not read".to_owned(),
            _ if is_unread => format!("nothing found · {silent} of {sources} not read"),
            (true, true) => "no activity yet".to_owned(),
            (true, false) => "no activity in this range".to_owned(),
            (false, _) => format!("0 of {all} match"),
        };
        put(buf, area.x + 1, y, &none, area.width, theme.dim);
        return;
    }
    let line = "─".repeat(area.width.saturating_sub(2) as usize);
    put(buf, area.x + 1, y, &line, area.width, theme.border);
    let note = if focused {
        let bucket = data.buckets.get(panel.cursor).copied().unwrap_or_default();
        let at = data.start.plus_us(data.width_us * saturating_i64(panel.cursor)).utc().with_timezone(&shared.zone);
        let hint = if panel.mark.is_some() { "⏎ narrows" } else { "⏎ range" };
        let is_here = |marker: &&Marker| column_of(panel, marker.at) == Some(panel.cursor);
        let marked = shared.markers.iter().rev().find(is_here);
        let marked = marked.map(|marker| format!("{MARKED} {} · ", fit(&safe(&marker.text), 40))).unwrap_or_default();
        let changed = panel.ticks.all().iter().filter(|shift| column_of(panel, shift.at) == Some(panel.cursor));
        let changed: String = changed
            .map(|shift| {
                let [before, after] = [shift.before, shift.after].map(|value| shift.measure.shown(value));
                format!("{CHANGED} {} {before} → {after} · ", shift.measure.words())
            })
            .collect();
        let at = at.format("%m-%d %H:%M:%S");
        let is_unknown = panel.unknown.get(panel.cursor) == Some(&true);
        let what = match (is_unknown, bucket.total) {
            (false, total) => format!("{} of {} failed", count(bucket.failed as usize), count(total as usize)),
            (true, 0) if !panel.is_timed => "not counted".to_owned(),
            (true, total) => format!("{}, failures not counted", count(total as usize)),
        };
        format!(" {marked}{changed}{at} · {what} · {hint} ")
    } else {
        let most = data.buckets.iter().map(|bucket| bucket.total).max().unwrap_or(0);
        match most {
            0 if panel.unknown.contains(&true) => " not counted ".to_owned(),
            most => format!(" up to {} in {} ", count(most as usize), period(data.width_us)),
        }
    };
    let room = width(&note);
    // What the note covers has no label: half of one says a wrong time.
    let free = usize::from(area.width.saturating_sub(room + 2));
    for (column, label) in
        ticks(panel, shared).into_iter().filter(|(column, label)| column + label.chars().count() <= free)
    {
        put(buf, area.x + 1 + saturating_u16(column), y, &label, TICK, theme.dim);
    }
    put(
        buf,
        area.right().saturating_sub(room + 1),
        y,
        &right(&note, room),
        room,
        if focused { theme.accent } else { theme.dim },
    );
}
