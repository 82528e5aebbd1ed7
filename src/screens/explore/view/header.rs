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

pub(super) fn render(explore: &Explore, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height == 0 {
        return;
    }
    let clock = shared.local(shared.now).format("%H:%M:%S").to_string();
    let right = if area.width >= 60 {
        format!("{} {clock}  [?] help ", zone_name(shared.zone, shared.now))
    } else {
        format!("{} {clock} ", zone_name(shared.zone, shared.now))
    };
    let right_at = area.right().saturating_sub(width(&right));
    let (glyph, style, word) = summary(shared, theme);
    let name = match shared.sources.as_slice() {
        [] => "no source".to_owned(),
        [one] => fit(&safe(&one.name), area.width / 3),
        many => format!("{} sources", many.len()),
    };
    let rate = shared.live_rate();
    let follow = if explore.list.pinned.is_some() {
        "‖ paused"
    } else if explore.list.follow {
        "▶ following"
    } else {
        "▷ not following"
    };
    // In a narrow window, the sign says it.
    let follow = if area.width >= 100 { follow } else { follow.split_at(follow.find(' ').unwrap_or(0)).0 };
    let rate = match rate {
        _ if shared.sources.is_empty() => String::new(),
        rate if rate >= 10.0 => format!("{follow} {rate:.0}/s"),
        rate => format!("{follow} {rate:.1}/s"),
    };
    let firing = shared.alerts.lines.iter().filter(|line| line.state == LineState::Firing && !line.silenced).count();
    let pending = shared.alerts.lines.iter().filter(|line| line.state == LineState::Pending).count();
    let alerts = match firing {
        0 if pending > 0 => format!("⚑ {} pending   ", count(pending)),
        0 => String::new(),
        1 => "⚑ 1 alert   ".to_owned(),
        n => format!("⚑ {} alerts   ", count(n)),
    };
    let (range, held) = if area.width >= if alerts.is_empty() { 100 } else { 120 } {
        (format!("‹ {} ›   ", shown_range(shared)), held(shared))
    } else {
        (short_range(shared), String::new())
    };
    let following = if explore.list.follow { theme.accent } else { theme.warning };
    let named = if shared.time_clause.is_some() { theme.accent } else { theme.text };
    // In a narrow window, what is wrong comes before what is as usual.
    let narrow = area.width < 120;
    let program = if area.width < 80 { " " } else { " crosstail  " };
    let early = if narrow { &*alerts } else { "" };
    let late = if narrow { "" } else { &*alerts };
    let pieces = [
        (program, theme.title, None),
        (&*name, theme.text, Some(Action::SOURCES)),
        (" ", theme.text, None),
        (glyph, style, Some(Action::SOURCES)),
        (" ", theme.text, None),
        (&*word, style, Some(Action::SOURCES)),
        ("   ", theme.text, None),
        (early, theme.failure, Some(Action::ALERTS)),
        (&*rate, following, Some(Action::PAUSE)),
        ("   ", theme.text, None),
        (&*range, named, Some(Action::RANGE)),
        (late, theme.failure, Some(Action::ALERTS)),
        (&*held, theme.dim, None),
    ];
    let (mut x, end) = (area.x, right_at.saturating_sub(1));
    for (text, style, action) in pieces {
        let (from, room) = (x, end.saturating_sub(x));
        // Half of a figure says a wrong one; of the rate, its sign says something.
        let is_cut = x > area.x && width(text.trim_end()) > room;
        let text = match action {
            Some(Action::PAUSE) if is_cut => text.split_at(text.find(' ').unwrap_or(0)).0,
            _ if is_cut => continue,
            _ => text,
        };
        x = put(canvas.buf, x, area.y, text, room, style);
        if let Some(action) = action {
            canvas.spots.add_text(from, area.y, x - from, Spot::Action(action));
        }
    }
    put(canvas.buf, right_at, area.y, &right, area.width, theme.dim);
    if let Some(at) = right.find("[?]") {
        let at = right_at + width(&right[..at]);
        canvas.spots.add_text(at, area.y, area.right().saturating_sub(at), Spot::Action(Action::HELP));
    }
}

/// How many are held, where that is not all that there is.
fn held(shared: &Shared) -> String {
    let held = shared.store.len();
    let all = shared.figure(false);
    let is_all = held as u64 >= all.count && !all.state.is_counting();
    if is_all { String::new() } else { format!("{} held", count(held)) }
}

/// The same where there is little room: nothing where the range is everything.
fn short_range(shared: &Shared) -> String {
    match (shared.time_clause, &shared.range) {
        (Some(_), _) => "‹time:›   ".to_owned(),
        (None, Range::Everything) => String::new(),
        (None, range) => format!("‹{}›   ", fit(&safe(&range.text()), 12)),
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
fn summary(shared: &Shared, theme: &Theme) -> (&'static str, ratatui::style::Style, String) {
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
        // In a narrow window, the sign says it.
        None if shared.size.0 < 80 => ("●", theme.success, String::new()),
        None => ("●", theme.success, "connected".to_owned()),
    }
}
