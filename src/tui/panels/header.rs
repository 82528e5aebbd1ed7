//! The first line: the sources and their state, the time and its zone.

use crate::app::{AppState, LineState};
use crate::tui::text::{count, put, put_all, safe, width, zone};
use crate::tui::theme::Theme;
use crosstail_source::pump::SourceState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::tui) fn render(state: &AppState, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let clock = state.now.utc().with_timezone(&state.zone).format("%H:%M:%S").to_string();
    let right = if area.width >= 60 {
        format!("{} {clock}  [?] help ", zone(state))
    } else {
        format!("{} {clock} ", zone(state))
    };
    let right_at = area.right().saturating_sub(width(&right));
    let (glyph, style, word) = summary(state, theme);
    let name = match state.sources.as_slice() {
        [] => "no source".to_owned(),
        [one] => safe(&one.name),
        many => format!("{} sources", many.len()),
    };
    let rate = state.live_rate();
    let follow = if state.list.pinned.is_some() {
        "⏸ paused"
    } else if state.list.follow {
        "▶ live"
    } else {
        "▷ live"
    };
    let rate = if rate >= 10.0 { format!("{follow} {rate:.0}/s") } else { format!("{follow} {rate:.1}/s") };
    let held = format!("{} held", count(state.store.len()));
    let firing = state.alert_lines.iter().filter(|line| line.state == LineState::Firing && !line.silenced).count();
    let alerts = match firing {
        0 => String::new(),
        1 => "⚑ 1 alert   ".to_owned(),
        n => format!("⚑ {} alerts   ", count(n)),
    };
    put_all(
        buf,
        area.x,
        area.y,
        right_at.saturating_sub(1),
        &[
            (" crosstail  ", theme.title),
            (&name, theme.text),
            (" ", theme.text),
            (glyph, style),
            (" ", theme.text),
            (&word, style),
            ("   ", theme.text),
            (&rate, if state.list.follow { theme.accent } else { theme.warning }),
            ("   ", theme.text),
            (&alerts, theme.failure),
            (&held, theme.dim),
        ],
    );
    put(buf, right_at, area.y, &right, area.width, theme.dim);
}

/// The state of all sources in one word.
fn summary(state: &AppState, theme: &Theme) -> (&'static str, ratatui::style::Style, String) {
    let bad = state
        .sources
        .iter()
        .filter(|s| matches!(s.state, SourceState::Waiting { .. } | SourceState::Failed { .. }))
        .count();
    let busy = state.sources.iter().find(|s| matches!(s.state, SourceState::Connecting | SourceState::Loading));
    if bad > 0 {
        let word = if state.sources.len() == 1 {
            "unreachable".to_owned()
        } else {
            format!("{bad} of {} unreachable", state.sources.len())
        };
        return ("✗", theme.failure, word);
    }
    match busy.map(|source| &source.state) {
        Some(SourceState::Connecting) => ("○", theme.pending, "connecting".to_owned()),
        Some(_) => ("◐", theme.pending, "loading".to_owned()),
        None if state.sources.is_empty() => ("", theme.dim, String::new()),
        None if state.sources.iter().all(|s| s.state == SourceState::Ended) => ("■", theme.dim, "ended".to_owned()),
        None => ("●", theme.success, "live".to_owned()),
    }
}
