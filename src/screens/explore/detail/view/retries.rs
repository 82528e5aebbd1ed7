//! The retry chain: each attempt with its time, gap, duration, outcome and the policy's verdict; then the next attempt,
//! and the differences between two.

use crate::screens::explore::detail::{Detail, Loadable};
use crate::screens::explore::parts;
use crate::screens::shared::Shared;
use crate::tui::paragraph::paragraph;
use crate::tui::text::{ago, clock, day, duration, glyph, left, put, put_all, right, safe, short_clock};
use crate::tui::{Canvas, Spot};
use crosstail_core::model::Timestamp;
use crosstail_core::number::saturating_u64;
use crosstail_engine::insight::{LinkedBy, status_meaning};
use ratatui::layout::Rect;

/// Widths of the columns.
struct Columns {
    started: u16,
    took: u16,
    outcome: u16,
    /// Codes stand without their meaning.
    has_codes_alone: bool,
}

impl Columns {
    /// With little room, the verdict says more than milliseconds and the meaning of a code.
    fn of(width: u16, all_have_codes: bool) -> Self {
        if width >= 72 {
            let outcome = (width.saturating_sub(42) / 2).clamp(12, 34);
            return Self { started: 13, took: 8, outcome, has_codes_alone: false };
        }
        Self { started: 8, took: 7, outcome: if all_have_codes { 7 } else { 12 }, has_codes_alone: all_have_codes }
    }

    fn time(&self, shared: &Shared, at: Timestamp, today: chrono::NaiveDate) -> String {
        if self.started < 12 { short_clock(shared.zone, at, today) } else { clock(shared.zone, at, today) }
    }
}

pub(super) fn render(shared: &Shared, detail: &Detail, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let chain = &detail.chain;
    let today = day(shared.zone, shared.now);
    let policy = shared.policy(&detail.activity);
    let of = Columns::of(area.width, chain.attempts.iter().all(|attempt| attempt.http_status.is_some()));
    let head = format!(
        " {} {} {} {}   {} {}",
        left("try", 5),
        left("started", of.started),
        right("gap", of.took),
        right("took", of.took),
        left("outcome", of.outcome),
        "policy's verdict"
    );
    put(buf, area.x, area.y, &head, area.width, theme.dim);
    let mut y = area.y + 1;
    // The last lines show the next attempt and the differences.
    let room = (area.height as usize).saturating_sub(9).max((area.height as usize).min(4));
    let first = (detail.scroll + 1).saturating_sub(room);
    for (index, attempt) in chain.attempts.iter().enumerate().skip(first).take(room) {
        if y >= area.bottom() {
            return;
        }
        let gap = chain.gap_us(index).map_or_else(|| "–".to_owned(), |us| duration(saturating_u64(us)));
        let took = attempt.took_us().map_or_else(|| "–".to_owned(), duration);
        let most = attempt.max_attempts.map(|most| format!("/{most}")).unwrap_or_default();
        let number = format!("{}{most}", chain.number(index));
        let meaning = |code| if of.has_codes_alone { "" } else { status_meaning(code).0 };
        let code = attempt.http_status.map(|code| format!("{code} {}", meaning(code)));
        let said = code.or(attempt.error.as_deref().map(safe)).or(attempt.status.map(|s| s.to_string()));
        let verdict = chain.verdict(index, policy.as_ref()).unwrap_or_default();
        let style = theme.outcome(attempt);
        let here = if attempt.id == detail.activity.id { "▸" } else { " " };
        let line = format!(
            "{here}{} {} {} {} ",
            left(&number, 5),
            left(&of.time(shared, attempt.started_at, today), of.started),
            right(&gap, of.took),
            right(&took, of.took)
        );
        put_all(
            buf,
            area.x,
            y,
            area.width.saturating_sub(1),
            &[
                (&line, theme.text),
                (glyph(attempt.status, attempt.level), style),
                (" ", theme.text),
                (&left(said.unwrap_or_default().trim_end(), of.outcome), style),
                (" ", theme.text),
                (&verdict, theme.dim),
            ],
        );
        if index == detail.scroll {
            theme.stand_out(theme.selected_dim, Rect { y, height: 1, ..area }, buf);
        }
        canvas.spots.add_text(area.x, y, area.width, Spot::Part(parts::LINE, index));
        y += 1;
    }
    if y >= area.bottom() {
        return;
    }
    if let Some(next) = chain.next {
        let waiting = next.since_us(shared.now);
        let when = left(&of.time(shared, next, today), of.started);
        let text = if waiting > 0 {
            format!(" next  {when} scheduled, in {}", ago(waiting))
        } else {
            format!(" next  {when} was due {} ago, and has not been seen", ago(-waiting))
        };
        put(buf, area.x, y, &text, area.width, theme.warning);
        y += 1;
    }
    let rest = Rect { y: y + 1, height: area.bottom().saturating_sub(y + 1), ..area };
    let found = detail.looked.words();
    let mut lines = Vec::new();
    if let Some(ladder) = &detail.attempt_diff {
        lines.push((format!("── {} ── c: side by side", ladder.why), theme.dim));
        match &ladder.compared {
            Loadable::Loading => lines.push(("comparing".to_owned(), theme.pending)),
            Loadable::Failed(problem) => lines.push((safe(problem), theme.warning)),
            Loadable::Loaded(comparison) => {
                lines.extend(comparison.summary().iter().map(|line| (safe(line), theme.text)));
            }
        }
    }
    let policy = policy.map(|policy| format!(" · policy: {}", policy.describe())).unwrap_or_default();
    let basis = match chain.basis {
        LinkedBy::Single => "no other try found".to_owned(),
        basis => format!("found {}", basis.describe()),
    };
    lines.push((format!("{basis}{found}{}", safe(&policy)), theme.dim));
    paragraph(&lines, 0, rest, buf);
}
