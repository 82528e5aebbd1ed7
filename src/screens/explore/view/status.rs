//! The status line: following or paused, late and dropped records, notices.

use crate::action::Action;
use crate::screens::explore::Explore;
use crate::screens::explore::detail::Loadable;
use crate::screens::shared::{Failing, LONG_US, Shared, failing};
use crate::tui::Canvas;
use crate::tui::text::{ago, count, fit, put, safe, width};
use crosstail_core::number::saturating_usize;
use crosstail_source::{JobState, Priority};

/// With fewer columns, what is read has no room beside that the list follows.
const BESIDE: u16 = 100;

/// Where another screen covers the list, nothing is said of the list's lines.
pub(super) fn render(explore: &Explore, shared: &Shared, is_covered: bool, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    if area.height == 0 {
        return;
    }
    let late: u64 = shared.sources.iter().map(|s| s.late).sum();
    let dropped: u64 = shared.sources.iter().map(|s| s.dropped).sum();
    let part = |shows: bool, n: u64, what: &str| shows.then(|| format!("{} {what}", count(saturating_usize(n))));
    let parts = [
        part(shared.shows_rate, shared.bytes_per_second, "B/s"),
        part(late > 0, late, "late"),
        part(dropped > 0, dropped, "dropped"),
    ];
    let right = parts.into_iter().flatten().map(|part| format!("{part} ")).collect::<Vec<_>>().join("· ");
    let right_at = area.right().saturating_sub(width(&right));
    put(buf, right_at, area.y, &right, area.width, if dropped > 0 { theme.failure } else { theme.dim });
    let room = right_at.saturating_sub(area.x + 2);
    let waiting = shared.sources.iter().find_map(|source| {
        let Failing { why, next, .. } = failing(source, shared.now)?;
        let next = next.map(|next| format!("{next} · ")).unwrap_or_default();
        Some(format!("{next}{}: {why}", safe(&source.name)))
    });
    if let Some(notice) = &shared.notice {
        let end = put(buf, area.x + 1, area.y, &fit(&safe(&notice.text), room), room, theme.accent);
        // A source that fails is said beside it, as far as there is room.
        let rest = (area.x + 1 + room).saturating_sub(end + 3);
        if let Some(text) = waiting.filter(|_| rest >= 20) {
            put(buf, end + 3, area.y, &fit(&text, rest), rest, theme.failure);
        }
        return;
    }
    if let Some(text) = waiting {
        put(buf, area.x + 1, area.y, &fit(&text, room), room, theme.failure);
        return;
    }
    if let Some(text) = lasting(shared) {
        let key = (Action::JOBS, "shows and ends it");
        canvas.put_keys(area.x + 1, area.y, room, (&text, &[key]), theme.pending);
        return;
    }
    // Nothing is followed yet: the first page stands.
    if shared.sources.is_empty() {
        return;
    }
    let opening = explore.detail.as_ref().is_some_and(|detail| matches!(detail.opened, Loadable::Loading));
    let unseen = count(explore.list.unseen);
    const RESUMES: (Action, &str) = (Action::PAUSE, "resumes");
    const NEWEST: (Action, &str) = (Action::FOLLOW, "newest");
    let (text, keys, style): (_, &[_], _) = if is_covered {
        match explore.list.pinned {
            Some(_) => ("‖ paused".to_owned(), &[RESUMES], theme.warning),
            None => (String::new(), &[], theme.dim),
        }
    } else if opening {
        ("loading the payload".to_owned(), &[], theme.pending)
    } else if explore.list.pinned.is_some() {
        let at = position(explore, shared);
        let at = if at.is_empty() { at } else { format!("{at} · ") };
        (format!("‖ paused · {at}{unseen} since you paused"), &[RESUMES, NEWEST], theme.warning)
    } else if explore.list.follow {
        ("▼ following".to_owned(), &[(Action::PAUSE, "pauses")], theme.dim)
    } else {
        let newer = if explore.list.unseen > 0 { format!(" · {unseen} newer since") } else { String::new() };
        (format!("{}{newer}", position(explore, shared)), &[NEWEST], theme.dim)
    };
    let loading = shared.loading().map(|text| format!("◌ {text}")).unwrap_or_default();
    // With little room, what is read stands where only the usual would be.
    let (text, keys) = if !loading.is_empty() && room < BESIDE && explore.list.follow && !is_covered {
        (String::new(), &[][..])
    } else {
        (text, keys)
    };
    let mut end = canvas.put_keys(area.x + 1, area.y, room, (&text, keys), style);
    let rest = |end: u16| (area.x + 1 + room).saturating_sub(end);
    if !loading.is_empty() {
        let from = if end > area.x + 1 { end + 3 } else { end };
        let keys = [(Action::JOBS, "shows and ends it")];
        end = canvas.put_keys(from, area.y, rest(from), (&fit(&loading, rest(from)), &keys), theme.pending);
    }
    if !shared.marks.is_empty() {
        let marks = format!("   ◆ {}", shared.marks.len());
        put(canvas.buf, end, area.y, &marks, rest(end), theme.accent);
    }
}

/// What somebody waits for that takes longer than a second, and how far it is.
fn lasting(shared: &Shared) -> Option<String> {
    let since = |job: &JobState| shared.now.since_us(job.began);
    let is_waited_for = |job: &JobState| matches!(job.priority, Priority::Asked | Priority::View);
    let jobs = shared.jobs.list().into_iter().filter(|job| is_waited_for(job) && since(job) >= LONG_US);
    let job = jobs.max_by_key(|job| (job.priority, since(job)))?;
    let read = if job.rows > 0 { format!(", {} read", count(saturating_usize(job.rows))) } else { String::new() };
    Some(format!("◌ {} · {}{read}", safe(&job.purpose), ago(since(&job))))
}

fn position(explore: &Explore, shared: &Shared) -> String {
    let at = explore.list.current(&shared.store).and_then(|row| shared.store.position(row));
    at.map(|at| format!("line {} of {}", count(at + 1), count(shared.store.rows().len()))).unwrap_or_default()
}
