//! Text and numbers for the screen: sanitized, fitted to columns, in uniform formats.

use chrono_tz::Tz;
use crosstail_core::model::{
    Activity, CatalogueEntry, Direction, FinalOutcome, Kind, Level, Status, Timestamp, parse_timestamp, redact_text,
    visible_line,
};
use crosstail_core::number::{saturating_u16, saturating_usize, truncated_u64};
use ratatui::buffer::Buffer;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Bars of growing height.
pub const SPARKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A chart of one line: an empty column is nothing, the highest is full.
pub fn spark(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let column = |count: &u64| match count {
        0 => " ",
        count => SPARKS[saturating_usize(count.saturating_mul(SPARKS.len() as u64 - 1) / most).min(SPARKS.len() - 1)],
    };
    counts.iter().map(column).collect()
}

/// Width of a text in columns.
pub fn width(text: &str) -> u16 {
    saturating_u16(text.width())
}

/// A text truncated to `columns`, with an ellipsis.
pub fn fit(text: &str, columns: u16) -> String {
    if text.width() <= columns as usize {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width();
        if used + wide + 1 > columns as usize {
            break;
        }
        out.push_str(grapheme);
        used += wide;
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Two texts that differ, each truncated to `columns`. Where the difference would be cut off, what both begin with is left out but for
/// what leads to it.
pub fn fit_difference(texts: [&str; 2], columns: u16) -> [String; 2] {
    /// So much of what differs is seen at least, as a part of the columns.
    const SEEN: u16 = 3;
    let [one, other] = texts;
    let both = one.graphemes(true).zip(other.graphemes(true));
    let alike: Vec<&str> = both.take_while(|(a, b)| a == b).map(|(part, _)| part).collect();
    let mut from: usize = alike.iter().map(|part| part.len()).sum();
    let is_seen = width(&one[..from]) <= columns - columns / SEEN;
    if is_seen || texts.iter().all(|text| width(text) <= columns) {
        return texts.map(|text| fit(text, columns));
    }
    let mut lead = 0;
    for part in alike.iter().rev() {
        lead += width(part);
        if lead > columns / SEEN {
            break;
        }
        from -= part.len();
    }
    texts.map(|text| fit(&format!("…{}", &text[from..]), columns))
}

/// A text truncated or padded on the right to exactly `columns`.
pub fn left(text: &str, columns: u16) -> String {
    let text = fit(text, columns);
    let gap = (columns as usize).saturating_sub(text.width());
    text + &" ".repeat(gap)
}

/// A text truncated or padded on the left to exactly `columns`.
pub fn right(text: &str, columns: u16) -> String {
    let text = fit(text, columns);
    " ".repeat((columns as usize).saturating_sub(text.width())) + &text
}

/// Text from a log, with control characters made visible and secrets redacted.
pub fn safe(text: &str) -> String {
    visible_line(&redact_text(text)).into_owned()
}

/// Writes text of one style at a position, in at most `columns`; returns the column after it. A text for which there is not
/// enough room ends with an ellipsis.
pub fn put(buf: &mut Buffer, x: u16, y: u16, text: &str, columns: u16, style: Style) -> u16 {
    let area = buf.area;
    if y < area.top() || y >= area.bottom() || x >= area.right() {
        return x;
    }
    let room = columns.min(area.right() - x);
    let is_cut = width(text) > room && width(text.trim_end()) > room;
    let cut = if is_cut { fit(text, room) } else { String::new() };
    buf.set_stringn(x, y, if is_cut { &cut } else { text }, room as usize, style).0
}

/// Writes pieces of different styles one after the other, in at most `columns`.
pub fn put_all(buf: &mut Buffer, x: u16, y: u16, columns: u16, pieces: &[(&str, Style)]) -> u16 {
    let end = x.saturating_add(columns);
    pieces.iter().fold(x, |at, (text, style)| put(buf, at, y, text, end.saturating_sub(at), *style))
}

/// A duration from microseconds: `412 ms`, `2.50 s`, `3m05s`.
pub fn duration(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{} ms", us / 1000),
        1_000_000..10_000_000 => format!("{:.2} s", us as f64 / 1e6),
        10_000_000..60_000_000 => format!("{:.1} s", us as f64 / 1e6),
        60_000_000..3_600_000_000 => format!("{}m{:02}s", us / 60_000_000, us / 1_000_000 % 60),
        _ => format!("{}h{:02}m", us / 3_600_000_000, us / 60_000_000 % 60),
    }
}

/// A duration from microseconds, in one unit: `42 s`, `4 min`, `3 h`.
pub fn ago(us: i64) -> String {
    let seconds = us.max(0) / 1_000_000;
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6000 => format!("{} min", seconds / 60),
        6000..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A duration from milliseconds; a dash for none.
pub fn millis(ms: Option<f64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| duration(truncated_u64(ms * 1000.0)))
}

/// A count with commas.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The day of a moment in the zone shown.
pub fn day(zone: Tz, at: Timestamp) -> chrono::NaiveDate {
    at.utc().with_timezone(&zone).date_naive()
}

/// The time of day in the zone shown, with milliseconds; with the day of the month if it is not on `day`.
pub fn clock(zone: Tz, at: Timestamp, day: chrono::NaiveDate) -> String {
    let here = at.utc().with_timezone(&zone);
    if here.date_naive() == day {
        here.format("%H:%M:%S%.3f").to_string()
    } else {
        here.format("%d. %H:%M:%S").to_string()
    }
}

/// The same in eight columns: without milliseconds, and on another day without seconds.
pub fn short_clock(zone: Tz, at: Timestamp, day: chrono::NaiveDate) -> String {
    let here = at.utc().with_timezone(&zone);
    here.format(if here.date_naive() == day { "%H:%M:%S" } else { "%d %H:%M" }).to_string()
}

/// Date, time and zone.
pub fn full_time(zone: Tz, at: Timestamp) -> String {
    at.utc().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S%.3f %Z").to_string()
}

/// Current abbreviation of the zone: `UTC`, `CET`.
pub fn zone_name(zone: Tz, now: Timestamp) -> String {
    now.utc().with_timezone(&zone).format("%Z").to_string()
}

/// The mark of an outcome, so that it never depends on colour alone.
pub fn glyph(status: Option<Status>, level: Option<Level>) -> &'static str {
    match (status, level) {
        (Some(Status::Success), _) => "✓",
        (Some(Status::Failed), _) => "✗",
        (Some(Status::Timeout), _) => "◔",
        (Some(Status::Cancelled), _) => "⊘",
        (Some(Status::InProgress), _) => "…",
        (None, Some(Level::Fatal | Level::Error)) => "!",
        (None, Some(Level::Warn)) => "▲",
        _ => "·",
    }
}

/// A business entity: `PO 4711`, but only `PO-4711` of `PO PO-4711`, which says its type twice.
pub fn entity_text(entity: &str) -> String {
    match entity.split_once(' ') {
        Some((kind, id)) if id.starts_with(kind) => safe(id),
        _ => safe(entity),
    }
}

/// What became of an operation.
pub fn became(outcome: FinalOutcome, zone: Tz, now: Timestamp) -> String {
    match outcome {
        FinalOutcome::Recovered { after_us, .. } => format!("recovered +{}", ago(after_us)),
        FinalOutcome::GivenUp => "given up".to_owned(),
        FinalOutcome::Running => "trying again".to_owned(),
        FinalOutcome::Unknown => "not known".to_owned(),
        FinalOutcome::Waiting(at) => {
            let here = at.utc().with_timezone(&zone);
            let other_day = here.date_naive() != day(zone, now);
            let when = here.format(if other_day { "%d. %H:%M:%S" } else { "%H:%M:%S" });
            if at > now { format!("waiting, next {when}") } else { format!("next was due {when}") }
        }
    }
}

/// The arrow of a direction.
pub fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => "→",
        Direction::In => "←",
        Direction::Internal => "·",
    }
}

/// What the activity did: method and endpoint, or kind and operation, or the message.
pub fn what(a: &Activity) -> String {
    let operation = a.operation.as_deref();
    match (a.method.as_deref(), a.endpoint.as_deref(), a.kind) {
        (_, _, Kind::Undecodable) => format!("undecodable {}", safe(a.message.as_deref().unwrap_or(""))),
        (_, Some(endpoint), Kind::Webhook) => format!("webhook {}", safe(operation.unwrap_or(endpoint))),
        (_, _, Kind::Delivery) => format!("delivery {}", safe(operation.or(a.endpoint.as_deref()).unwrap_or(""))),
        (_, Some(endpoint), Kind::Sync | Kind::Notification | Kind::Device | Kind::Test) if operation.is_some() => {
            format!("{} {}", safe(operation.unwrap_or("")), safe(endpoint))
        }
        (Some(method), Some(endpoint), _) => format!("{:<4} {}", safe(method), safe(endpoint)),
        (None, Some(endpoint), _) => safe(endpoint),
        (Some(method), None, _) => format!("{} {}", safe(method), safe(operation.unwrap_or(""))),
        (None, None, Kind::Log) => safe(a.message.as_deref().unwrap_or("")),
        (None, None, kind) => format!("{kind} {}", safe(operation.unwrap_or(""))),
    }
}

/// Health, limits and connection of a system, from its configuration entry.
pub fn about_system(now: Timestamp, entry: &CatalogueEntry) -> String {
    let checked = entry
        .text("health_checked_at")
        .and_then(|at| parse_timestamp(&at))
        .map(|at| format!(", checked {} ago", ago(now.since_us(at))));
    let ms = |fact| entry.number(fact).map(|ms| duration(truncated_u64(ms * 1000.0)));
    let parts = [
        entry.text("health").map(|health| format!("{}{}", health.to_lowercase(), checked.unwrap_or_default())),
        entry.text("health_message"),
        ms("timeout_ms").map(|timeout| format!("timeout {timeout}")),
        entry.text("pool_size").map(|n| format!("pool of {n}")),
        entry.text("sort").map(|sort| sort.to_lowercase()),
        (entry.text("active").as_deref() == Some("false")).then(|| "switched off".to_owned()),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    match entry.text("name") {
        Some(name) => format!("{name}: {text}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_their_columns() {
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(left("ab", 4), "ab  ");
        assert_eq!(right("abcdef", 4), "abc…");
        assert_eq!(fit_difference(["abc", "abd"], 5), ["abc", "abd"]);
        assert_eq!(fit_difference(["/shop/x?a=1", "/shop/x?a=2"], 11), ["/shop/x?a=1", "/shop/x?a=2"]);
        assert_eq!(fit_difference(["a long one", "another"], 6), ["a lon…", "anoth…"]);
        let long = |last: &str| format!("{}{last} and what follows", "漢字 ".repeat(30));
        let [one, other] = fit_difference([&long("503"), &long("200")], 15);
        assert_eq!((one.as_str(), other.as_str()), ("…漢字 503 and …", "…漢字 200 and …"));
        assert_eq!(fit_difference(["same and more", "same and"], 9), ["…and more", "…and"]);
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(duration(2_500_000), "2.50 s");
        assert_eq!(duration(999), "999 µs");
        assert_eq!(ago(130_000_000), "2 min");
    }
}
