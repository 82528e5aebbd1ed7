//! The first line: the sources and their state, the time and its zone.

use crate::action::Action;
use crate::ingest::SourceStatus;
use crate::screens::explore::Explore;
use crate::screens::shared::{LineState, Shared};
use crate::tui::text::{count, fit, put, safe, width, zone_name};
use crate::tui::{Canvas, Spot, Theme};
use crosstail_core::model::Timestamp;
use crosstail_engine::window::Range;
use crosstail_source::pump::SourceState;
use ratatui::style::Style;

/// What gives way where there is little room, the first one first; the range and the alerts never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Without {
    Nothing,
    Held,
    FollowingInWords,
    RangeInWords,
    Clock,
    Program,
    Connected,
    LongName,
}

impl Without {
    const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Held,
        Self::FollowingInWords,
        Self::RangeInWords,
        Self::Clock,
        Self::Program,
        Self::Connected,
        Self::LongName,
    ];
}

/// A piece of the line, with what a click on it does.
type Piece = (String, Style, Option<Action>);

/// Over a screen in which the filter has no part, nothing is said of the range.
pub(super) fn render(explore: &Explore, shared: &Shared, shows_range: bool, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height == 0 {
        return;
    }
    let wide = |pieces: &[Piece]| pieces.iter().map(|(text, ..)| width(text)).sum::<u16>();
    let lines = Without::ALL
        .map(|without| (left(explore, shared, (without, shows_range), canvas), right(shared, without, area.width)));
    let fits = |(left, right): &&(Vec<Piece>, String)| wide(left) + width(right) <= area.width;
    let Some((pieces, right)) = lines.iter().find(fits).or(lines.last()) else { return };
    let right_at = area.right().saturating_sub(width(right));
    let mut x = area.x;
    for (text, style, action) in pieces {
        let from = x;
        x = put(canvas.buf, x, area.y, text, right_at.saturating_sub(x), *style);
        if let Some(action) = action {
            canvas.spots.add_text(from, area.y, x - from, Spot::Action(*action));
        }
    }
    put(canvas.buf, right_at, area.y, right, area.width, theme.dim);
    if let Some(at) = right.find("[?]") {
        let at = right_at + width(&right[..at]);
        canvas.spots.add_text(at, area.y, area.right().saturating_sub(at), Spot::Action(Action::HELP));
    }
}

/// The time and its zone, and the key of the help.
fn right(shared: &Shared, without: Without, columns: u16) -> String {
    let clock = shared.local(shared.now).format("%H:%M:%S").to_string();
    let clock = format!("{} {clock} ", zone_name(shared.zone, shared.now));
    let clock = if without < Without::Clock { clock } else { String::new() };
    if columns < 60 { clock } else { format!("{clock} [?] help ") }
}

/// The sources and their state, what is followed, the alerts and the range.
fn left(
    explore: &Explore,
    shared: &Shared,
    (without, shows_range): (Without, bool),
    canvas: &Canvas<'_>,
) -> Vec<Piece> {
    let (columns, theme) = (canvas.area.width, &canvas.look.theme);
    let (glyph, style, word) = summary(shared, theme);
    let is_usual = style == theme.success;
    let word = if is_usual && without >= Without::Connected { String::new() } else { format!(" {word}") };
    let longest = if without < Without::LongName { columns / 3 } else { 12 };
    let name = match shared.sources.as_slice() {
        [] => "no source".to_owned(),
        [one] => fit(&safe(&one.name), longest),
        many => format!("{} sources", many.len()),
    };
    let follow = if explore.list.pinned.is_some() {
        "‖ paused"
    } else if explore.list.follow {
        "▶ following"
    } else {
        "▷ not following"
    };
    // In a narrow window, the sign says it.
    let sign = follow.split_at(follow.find(' ').unwrap_or(0)).0;
    let follow = if without < Without::FollowingInWords { follow } else { sign };
    // Nothing is followed where nothing can be read.
    let is_read = shared.sources.iter().any(|source| source.unreachable_since.is_none());
    let rate = match shared.live_rate() {
        _ if !is_read && (explore.list.follow || shared.sources.is_empty()) => String::new(),
        rate if rate >= 10.0 => format!("{follow} {rate:.0}/s   "),
        rate => format!("{follow} {rate:.1}/s   "),
    };
    let firing = shared.alerts.lines.iter().filter(|line| line.state == LineState::Firing && !line.silenced).count();
    let pending = shared.alerts.lines.iter().filter(|line| line.state == LineState::Pending).count();
    let alerts = match firing {
        0 if pending > 0 => format!("⚑ {} pending   ", count(pending)),
        0 => String::new(),
        1 => "⚑ 1 alert   ".to_owned(),
        n => format!("⚑ {} alerts   ", count(n)),
    };
    let range = if !shows_range {
        String::new()
    } else if without < Without::RangeInWords {
        format!("‹ {} ›   ", shown_range(shared))
    } else {
        short_range(shared)
    };
    let following = if explore.list.follow { theme.accent } else { theme.warning };
    let named = if shared.time_clause.is_some() { theme.accent } else { theme.text };
    // In a narrow window, what is wrong comes before what is as usual.
    let (early, late) = if columns < 120 { (alerts, String::new()) } else { (String::new(), alerts) };
    let held = if without < Without::Held { held(shared) } else { String::new() };
    let program = if without < Without::Program { " crosstail  " } else { " " };
    vec![
        (program.to_owned(), theme.title, None),
        (format!("{name} "), theme.text, Some(Action::SOURCES)),
        (format!("{glyph}{word}"), style, Some(Action::SOURCES)),
        ("   ".to_owned(), theme.text, None),
        (early, theme.failure, Some(Action::ALERTS)),
        (rate, following, Some(Action::PAUSE)),
        (range, named, Some(Action::RANGE)),
        (late, theme.failure, Some(Action::ALERTS)),
        (held, theme.dim, None),
    ]
}

/// How many are held, where that is not all that there is.
fn held(shared: &Shared) -> String {
    let held = shared.store.len();
    let all = shared.figure(false);
    let is_all = held as u64 >= all.count && !all.state.is_counting();
    if is_all { String::new() } else { format!("{} held", count(held)) }
}

/// The same where there is little room.
fn short_range(shared: &Shared) -> String {
    match (shared.time_clause, &shared.range) {
        (Some(_), _) => "‹time:›   ".to_owned(),
        (None, Range::Everything) => "‹all›   ".to_owned(),
        (None, range) => format!("‹{}›   ", fit(&safe(&range.text()), 16)),
    }
}

/// The range that the view is about, or the time that the filter names.
fn shown_range(shared: &Shared) -> String {
    let Some(clause) = shared.time_clause else { return safe(&shared.range.describe()) };
    let moment = |at: Option<Timestamp>| {
        at.map_or_else(|| "…".to_owned(), |at| shared.local(at).format("%m-%d %H:%M").to_string())
    };
    format!("{} – {}", moment(clause.since), moment(clause.until))
}

/// The state of all sources in one word.
fn summary(shared: &Shared, theme: &Theme) -> (&'static str, Style, String) {
    let bad = shared
        .sources
        .iter()
        .filter(|s| matches!(s.state, SourceState::Waiting { .. } | SourceState::Failed { .. }))
        .count();
    let busy = shared.sources.iter().find(|s| matches!(s.state, SourceState::Connecting | SourceState::Loading));
    if bad > 0 {
        let word = if shared.sources.len() == 1 {
            "not read".to_owned()
        } else {
            format!("{bad} of {} not read", shared.sources.len())
        };
        return ("✗", theme.failure, word);
    }
    let is_missing = |source: &&SourceStatus| !source.missing().is_empty();
    match busy.map(|source| &source.state) {
        Some(SourceState::Connecting) => ("○", theme.pending, "connecting".to_owned()),
        Some(_) => ("◐", theme.pending, "loading".to_owned()),
        None if shared.sources.is_empty() => ("", theme.dim, String::new()),
        None if shared.sources.iter().all(|s| s.state == SourceState::Ended) => ("■", theme.dim, "ended".to_owned()),
        None if shared.sources.iter().filter(is_missing).count() == shared.sources.len() => {
            ("◌", theme.warning, "nothing to read".to_owned())
        }
        None if shared.loading().is_some() => ("◐", theme.pending, "loading".to_owned()),
        None if shared.sources.iter().any(|source| source.is_interrupted) => {
            ("◐", theme.warning, "read in part".to_owned())
        }
        None => ("●", theme.success, "connected".to_owned()),
    }
}
