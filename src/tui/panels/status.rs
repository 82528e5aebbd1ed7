//! The status line: following or paused, late and dropped records, notices.

use crate::app::{AppState, Loadable};
use crate::tui::text::{count, fit, put, put_all, safe, width};
use crate::tui::theme::Theme;
use crosstail_core::number::saturating_usize;
use crosstail_source::pump::SourceState as Source;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::tui) fn render(state: &AppState, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let late: u64 = state.sources.iter().map(|s| s.late).sum();
    let dropped: u64 = state.sources.iter().map(|s| s.dropped).sum();
    let mut right = format!("{} late · {} dropped ", count(saturating_usize(late)), count(saturating_usize(dropped)));
    if state.toggles.rate {
        right = format!("{} B/s · {right}", count(saturating_usize(state.bytes_per_second)));
    }
    let right_at = area.right().saturating_sub(width(&right));
    put(buf, right_at, area.y, &right, area.width, if dropped > 0 { theme.failure } else { theme.dim });
    let room = right_at.saturating_sub(area.x + 2);
    if let Some(notice) = &state.notice {
        put(buf, area.x + 1, area.y, &fit(&safe(&notice.text), room), room, theme.accent);
        return;
    }
    let waiting = state.sources.iter().find_map(|source| match &source.state {
        Source::Waiting { until, error } => {
            let left = until.since_us(state.now).max(0) / 1_000_000;
            Some(format!("{}: {}; retrying in {left} s", safe(&source.name), safe(error)))
        }
        Source::Failed { error } => Some(safe(error)),
        _ => None,
    });
    if let Some(text) = waiting {
        put(buf, area.x + 1, area.y, &fit(&text, room), room, theme.failure);
        return;
    }
    let opening = state.detail.as_ref().is_some_and(|detail| matches!(detail.opened, Loadable::Loading));
    let unseen = count(state.list.unseen);
    let (text, style) = if opening {
        ("loading the payload".to_owned(), theme.pending)
    } else if state.list.pinned.is_some() {
        (format!("⏸ paused · +{unseen} new · space resumes"), theme.warning)
    } else if state.list.follow {
        ("▼ following · space pauses".to_owned(), theme.dim)
    } else {
        (format!("{} · +{unseen} new · f follows", position(state)), theme.dim)
    };
    let marks = if state.marks.is_empty() { String::new() } else { format!("   ◆ {}", state.marks.len()) };
    put_all(buf, area.x + 1, area.y, room, &[(&text, style), (&marks, theme.accent)]);
}

fn position(state: &AppState) -> String {
    let at = state.list.current(&state.store).and_then(|row| state.store.position(row));
    at.map(|at| format!("{} / {}", count(at + 1), count(state.store.rows().len()))).unwrap_or_default()
}
