//! The retry ladder: when, gap, how long, outcome, what comes next.

use crate::app::{Detail, State};
use crate::model::Activity;
use crate::tui::text::{ago, clock, day, duration, glyph, left, put, put_all, right, safe};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(state: &State, detail: &Detail, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let chain = &detail.chain;
    let today = day(state, state.now);
    let head =
        format!(" {} {} {} {} {}", left("try", 5), left("started", 13), right("gap", 8), right("took", 8), "  outcome");
    put(buf, area.x, area.y, &head, area.width, theme.dim);
    let mut before: Option<&Activity> = None;
    let mut y = area.y + 1;
    for (index, attempt) in chain.attempts.iter().enumerate() {
        if y >= area.bottom() {
            return;
        }
        let ended = before.map(|b| b.completed_at.unwrap_or(b.started_at));
        let gap = ended.map_or_else(|| "–".to_owned(), |end| duration(attempt.started_at.since_us(end).max(0) as u64));
        let took = attempt.took_us().map_or_else(|| "–".to_owned(), duration);
        let number = match (attempt.attempt, attempt.max_attempts) {
            (Some(n), Some(most)) => format!("{n}/{most}"),
            (Some(n), None) => n.to_string(),
            _ => (index + 1).to_string(),
        };
        let outcome = attempt
            .http_status
            .map(|code| code.to_string())
            .or(attempt.status.map(|s| s.to_string()))
            .unwrap_or_default();
        let text = attempt.error.as_deref().map(safe).unwrap_or_default();
        let style = if attempt.is_failure() { theme.failure } else { theme.success };
        let base = if index == detail.scroll { theme.selected_dim } else { theme.text };
        let here = if attempt.id == detail.activity.id { "▸" } else { " " };
        let line = format!(
            "{here}{} {} {} {}  ",
            left(&number, 5),
            left(&clock(state, attempt.started_at, today), 13),
            right(&gap, 8),
            right(&took, 8)
        );
        put_all(
            buf,
            area.x,
            y,
            area.width.saturating_sub(1),
            &[
                (&line, base),
                (glyph(attempt.status, attempt.level), style),
                (" ", theme.text),
                (&outcome, style),
                (" ", theme.text),
                (&text, theme.dim),
            ],
        );
        before = Some(attempt);
        y += 1;
    }
    if y >= area.bottom() {
        return;
    }
    if let Some(next) = chain.next {
        let waiting = next.since_us(state.now);
        let text = if waiting > 0 {
            format!(" next   {}  scheduled, in {}", clock(state, next, today), ago(waiting))
        } else {
            format!(" next   {}  was due {} ago", clock(state, next, today), ago(-waiting))
        };
        put(buf, area.x, y, &text, area.width, theme.warning);
        y += 1;
    }
    let found = if detail.related_loaded { "" } else { ", still looking in the stores" };
    put(buf, area.x + 1, y + 1, &format!("found {}{found}", chain.basis.describe()), area.width, theme.dim);
}
