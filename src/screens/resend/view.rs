//! How it is drawn: a line a request, and below them the selected one in full, its body while it is changed, or what is asked.

use super::{RATES, ResendScreen, Step};
use crate::effect::Sendable;
use crate::tui::text::{count, fit, left, put, put_all, right, safe, width};
use crate::tui::{Canvas, Part, Spot, TextField};
use crosstail_core::number::saturating_u16;
use crosstail_engine::insight::{HeaderSource, Held, Resend};
use ratatui::layout::Rect;

pub(super) fn render(screen: &ResendScreen, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 6 {
        return;
    }
    if screen.all.is_none() {
        put(canvas.buf, area.x + 1, area.y, "loading the payloads …", area.width, theme.pending);
        return;
    }
    let (can, refused) = (screen.requests(), screen.all().iter().filter(|one| one.request.is_err()).count());
    let refused = if refused > 0 { format!(" · {} cannot be sent", count(refused)) } else { String::new() };
    let held = match (screen.held(), screen.insists) {
        (0, _) => String::new(),
        (held, true) => format!(" · {} of them done or under way", count(held)),
        (held, false) => format!(" · {} left out", count(held)),
    };
    let earlier = match screen.earlier {
        0 => String::new(),
        1 => " · an earlier try is not sent".to_owned(),
        many => format!(" · {} earlier tries are not sent", count(many)),
    };
    let stops = if screen.stops { "stops at the first failure" } else { "goes on after failures" };
    let (text, style) = match &screen.step {
        Step::Sending(None) => (format!("sending · {} of {}", count(screen.sent.len()), count(can)), theme.pending),
        Step::Sending(Some(end)) => {
            let failed = screen.sent.iter().filter(|sent| !sent.is_success()).count();
            let how = end.as_ref().err().map(|why| format!(" · {}", safe(why))).unwrap_or_default();
            let text = format!(
                "{} of {} sent, {} failed{how} · Enter finds the new activity",
                count(screen.sent.len()),
                count(can),
                count(failed)
            );
            (text, if failed > 0 || end.is_err() { theme.failure } else { theme.success })
        }
        _ => (format!("nothing is sent yet · {} to send{held}{earlier}{refused}", count(can)), theme.title),
    };
    let rate = format!("   {} a second · {stops}", RATES[screen.rate]);
    put_all(canvas.buf, area.x + 1, area.y, area.width, &[(&text, style), (&rate, theme.dim)]);
    let lower = (area.height / 2).max(4);
    let list = Rect { y: area.y + 1, height: area.height - 1 - lower, ..area };
    rows(screen, list, canvas);
    let below = Rect { y: list.bottom(), height: lower, ..area };
    put(canvas.buf, below.x, below.y, &"─".repeat(usize::from(below.width)), below.width, canvas.look.theme.border);
    let inside = Rect { y: below.y + 1, height: below.height - 1, ..below };
    match &screen.step {
        Step::Edit(field) => edit(field, inside, canvas),
        Step::Confirm(field) => confirm(screen, field, inside, canvas),
        Step::Review | Step::Sending(_) => whole(screen, inside, canvas),
    }
}

fn rows(screen: &ResendScreen, area: Rect, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let first = (screen.line.0 + 1).saturating_sub(usize::from(area.height.max(1)));
    for (y, (index, one)) in (area.y..area.bottom()).zip(screen.all().iter().enumerate().skip(first)) {
        let Sendable { last, request, .. } = one;
        let activity = &last.activity;
        let was = activity.http_status.map_or_else(|| "–".to_owned(), |status| status.to_string());
        let (now, style) = match screen.outcome(index) {
            Some(sent) => {
                let status = sent.status.map_or_else(|| "–".to_owned(), |status| status.to_string());
                let style = if sent.is_success() { theme.success } else { theme.failure };
                (format!("→ {status} {} ms", sent.took_ms), style)
            }
            None => (String::new(), theme.dim),
        };
        let is_held = one.held.is_some() && !screen.insists;
        let what = match request {
            Ok(request) if is_held => {
                let why = one.held.as_ref().map(Held::words).unwrap_or_default();
                format!("left out: {} · {} {}", safe(&why), request.method, safe(&request.url))
            }
            Ok(request) => {
                let edited = if request.is_edited { " ✎" } else { "" };
                let tries = if last.attempts > 1 { format!(" · {} tries", last.attempts) } else { String::new() };
                let became = last.outcome.map(|outcome| format!(" · {}", outcome.name().replace('_', " ")));
                let became = became.unwrap_or_default();
                format!("{} {}{edited}{tries}{became}", request.method, safe(&request.url))
            }
            Err(why) => format!("not sent: {why}"),
        };
        let of_what = match request {
            Ok(_) if is_held => theme.dim,
            Ok(_) => theme.text,
            Err(_) => theme.warning,
        };
        let id = left(&safe(&activity.id.to_string()), 12);
        let pieces = [
            (&*format!(" {id} {} ", right(&was, 4)), theme.text),
            (&*left(&now, 15), style),
            (&*left(&what, area.width.saturating_sub(34)), of_what),
        ];
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == screen.line.0);
    }
}

/// The lines of a request: headers, then the body.
fn lines(request: &Resend) -> Vec<String> {
    let header = |(name, value): &(String, HeaderSource)| match value {
        HeaderSource::Recorded(value) => format!("{}: {}", safe(name), safe(value)),
        HeaderSource::Variable(variable) => format!("{}: ${variable} (from the environment)", safe(name)),
    };
    let mut all = vec![format!("{} {}", request.method, safe(&request.url))];
    all.extend(request.headers.iter().map(header));
    if let Some(body) = &request.body {
        all.push(String::new());
        all.extend(body.lines().map(safe));
    }
    all
}

fn whole(screen: &ResendScreen, area: Rect, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let Some(one) = screen.all().get(screen.line.0) else { return };
    let mut shown = match &one.request {
        Ok(request) => lines(request),
        Err(why) => vec![safe(why)],
    };
    if let Some(held) = &one.held {
        shown.insert(0, format!("{}: to send it may do it twice", safe(&held.words())));
    }
    if let Some(sent) = screen.outcome(screen.line.0) {
        let said = if sent.said.is_empty() { String::new() } else { format!(" · {}", safe(&sent.said)) };
        shown.insert(0, format!("sent as X-Request-Id {}{said}", sent.request_id));
    }
    let room = area.width.saturating_sub(2);
    for (y, text) in (area.y..area.bottom()).zip(&shown) {
        put(canvas.buf, area.x + 1, y, &fit(text, room), room, theme.text);
    }
}

fn edit(field: &TextField, area: Rect, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let (row, _) = field.place();
    let first = (row + 1).saturating_sub(usize::from(area.height.max(1)));
    let room = area.width.saturating_sub(2);
    for (y, (index, text)) in (area.y..area.bottom()).zip(field.lines().iter().enumerate().skip(first)) {
        let text = crosstail_core::model::visible_line(text).into_owned();
        // Keep the cursor of a long line visible.
        let before = if index == row { width(&crosstail_core::model::visible_line(field.before_cursor())) } else { 0 };
        let skipped = usize::from(before.saturating_sub(room.saturating_sub(1)));
        let shown: String = text.chars().skip(skipped).collect();
        put(canvas.buf, area.x + 1, y, &fit(&shown, room), room, theme.title);
        if index == row {
            *canvas.cursor = Some((area.x + 1 + before - saturating_u16(skipped), y));
        }
    }
}

fn confirm(screen: &ResendScreen, field: &TextField, area: Rect, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let mut hosts: Vec<&str> = screen.all().iter().filter_map(|one| Some(one.goes(screen.insists)?.host())).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let number = count(screen.requests());
    let s = if screen.requests() == 1 { "" } else { "s" };
    let text = format!("type {number} to send {number} request{s} to {}", safe(&hosts.join(", ")));
    put(canvas.buf, area.x + 1, area.y, &fit(&text, area.width.saturating_sub(2)), area.width, theme.warning);
    let end = put(canvas.buf, area.x + 1, area.y + 1, &format!("> {}", safe(field.text())), area.width, theme.title);
    *canvas.cursor = Some((end, area.y + 1));
}
