//! The detail of an activity: its head, its tabs, and the open tab.

mod compare;
mod overview;
mod retries;
mod text;
mod trace;
mod tree;

use crate::screens::explore::detail::{Detail, Loadable};
use crate::screens::explore::parts;
use crate::screens::request::Tab;
use crate::screens::shared::Shared;
use crate::tui::paragraph::paragraph;
use crate::tui::text::{duration, fit, glyph, millis, put, put_all, safe, width};
use crate::tui::{Canvas, Spot};
use crosstail_engine::insight::status_meaning;
use ratatui::layout::Rect;

/// Draws the detail.
pub(in crate::screens::explore) fn render(detail: &Detail, focused: bool, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 3 || area.width < 10 {
        return;
    }
    let buf = &mut *canvas.buf;
    let border = if focused { theme.border_focused } else { theme.border };
    if area.x > 0 {
        for y in area.top()..area.bottom() {
            put(buf, area.x - 1, y, "│", 1, border);
        }
    } else {
        put(buf, area.x, area.y, &"─".repeat(area.width as usize), area.width, border);
    }
    let top = area.y + u16::from(area.x == 0);
    head(shared, detail, &mut canvas.at(Rect { y: top, ..area }));
    // What closes it stands on the line above it, or else behind the tabs.
    let (close_y, beside) = if area.x == 0 { (area.y, 0) } else { (top + 2, 4) };
    tabs(detail, &mut canvas.at(Rect { y: top + 2, height: 1, width: area.width - beside, ..area }));
    put(canvas.buf, area.right() - 4, close_y, "[×]", 3, theme.dim);
    canvas.spots.add_text(area.right() - 4, close_y, 3, Spot::Part(parts::CLOSE, 0));
    let body = Rect { x: area.x + 1, y: top + 3, width: area.width - 1, height: area.bottom().saturating_sub(top + 3) };
    if body.height == 0 {
        return;
    }
    let canvas = &mut canvas.at(body);
    let buf = &mut *canvas.buf;
    match (&detail.opened, detail.tab) {
        (_, Tab::Compare) => compare::render(shared, detail, body, buf, theme),
        (_, Tab::Retries) => retries::render(shared, detail, canvas),
        (_, Tab::Trace) => trace::render(shared, detail, canvas),
        (Loadable::Loading, Tab::Request | Tab::Response | Tab::Error | Tab::Raw) => {
            put(buf, body.x + 1, body.y, "loading the payload", body.width, theme.pending);
        }
        (Loadable::Failed(problem), Tab::Request | Tab::Response | Tab::Raw) => {
            paragraph(&[(safe(problem), theme.failure)], detail.scroll, body, buf);
        }
        (_, Tab::Overview) => overview::render(shared, detail, body, buf, theme),
        (Loadable::Loaded(_), Tab::Request | Tab::Response | Tab::Raw) => {
            let cursor = tree::render(detail, canvas);
            *canvas.cursor = cursor.or(*canvas.cursor);
        }
        (opened, Tab::Error) => {
            text::error(detail, opened.get().map(|opened| &opened.payload), body, buf, theme);
        }
    }
}

fn head(shared: &Shared, detail: &Detail, canvas: &mut Canvas<'_>) {
    let (area, theme, a) = (canvas.area, &canvas.look.theme, &detail.activity);
    let what = match (&a.method, a.url.as_ref().or(a.endpoint.as_ref())) {
        (Some(method), Some(url)) => format!("{} {}", safe(method), safe(url)),
        (None, Some(url)) => safe(url),
        _ => safe(a.message.as_deref().or(a.operation.as_deref()).unwrap_or("")),
    };
    let outcome = a.status.map(|s| s.to_string()).or(a.level.map(|l| l.to_string())).unwrap_or_default();
    let code = a.http_status.map(|code| format!(" {code} {}", status_meaning(code).0)).unwrap_or_default();
    let usual = detail.typical_latency.usual_ms().filter(|_| area.width >= 100);
    let usual = usual.map(|(_, p95)| format!(" (p95 here {})", millis(Some(p95)))).unwrap_or_default();
    let took = a.took_us().map(|us| format!("  {}{usual}", duration(us))).unwrap_or_default();
    let tries = match (a.attempt, a.max_attempts) {
        (Some(n), Some(most)) => format!("  try {n} of {most}"),
        _ => String::new(),
    };
    let sign = glyph(a.status, a.level);
    let number = a.http_status.map_or_else(|| outcome.clone(), |code| code.to_string());
    // With little room, how it ended is said in fewer words, but said.
    let ways =
        [format!("{sign} {outcome}{code}{took}{tries}"), format!("{sign} {number}{took}"), format!("{sign} {number}")];
    let room_beside = |right: &String| area.width.saturating_sub(width(right) + 4);
    let right = ways.iter().find(|right| room_beside(right) >= 20).unwrap_or(&ways[2]);
    let (right_width, room) = (width(right), room_beside(right));
    let buf = &mut *canvas.buf;
    let end = if room >= 20 {
        // If the address does not fit, show its path, which says more than its host.
        let path = a
            .url
            .as_deref()
            .and_then(|url| url.split_once("://"))
            .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        let short = path.map(|path| format!("{} {}", safe(a.method.as_deref().unwrap_or("")), safe(path)));
        let what = short.filter(|_| width(&what) > room).unwrap_or(what);
        put(buf, area.right().saturating_sub(right_width + 1), area.y, right, right_width, theme.outcome(a));
        put(buf, area.x + 1, area.y, &fit(&what, room), room, theme.title)
    } else {
        put(buf, area.x + 1, area.y, &fit(&what, area.width.saturating_sub(2)), area.width, theme.title)
    };
    if let Some(url) = &a.url {
        canvas.spots.add_link(area.x + 1, area.y, end.saturating_sub(area.x + 1), url);
    }
    let entity = a.entity.as_deref().map(|e| format!("{} ", safe(e))).unwrap_or_default();
    let operation = a.operation.as_deref().map(|o| format!("{} ", safe(o))).unwrap_or_default();
    let actor = a.actor.as_deref().map(|who| format!("by {} ", safe(who))).unwrap_or_default();
    // A dot only behind something.
    let dot = |is_first: bool| if is_first { "" } else { "· " };
    let is_first = entity.is_empty() && operation.is_empty() && actor.is_empty();
    let corr = a.correlation_id.as_deref().map(|c| format!("{}corr {} ", dot(is_first), shorten(&safe(c))));
    let is_first = is_first && corr.is_none();
    let corr = corr.unwrap_or_default();
    let mut labels: Vec<String> = a.places.iter().map(|place| safe(&place.label(shared.store.names()))).collect();
    labels.dedup();
    let places = format!("{}in {}", dot(is_first), labels.join(", "));
    let next = a.next_retry_at.map(|at| {
        let left = at.since_us(shared.now);
        if left > 0 { format!("  next try in {}", crate::tui::text::ago(left)) } else { String::new() }
    });
    let note = shared.marks.get(&a.id).map_or(String::new(), |mark| match mark.note.as_str() {
        "" => "  ◆".to_owned(),
        note => format!("  ◆ {}", safe(note)),
    });
    put_all(
        buf,
        area.x + 1,
        area.y + 1,
        area.width.saturating_sub(2),
        &[
            (&entity, theme.text),
            (&operation, theme.text),
            (&actor, theme.dim),
            (&corr, theme.dim),
            (&places, theme.dim),
            (&next.unwrap_or_default(), theme.warning),
            (&note, theme.accent),
        ],
    );
}

/// `7f3a…21` for a long id.
fn shorten(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= 16 {
        return id.to_owned();
    }
    let (head, tail): (String, String) = (chars[..8].iter().collect(), chars[chars.len() - 4..].iter().collect());
    format!("{head}…{tail}")
}

fn tabs(detail: &Detail, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    /// With little room, tabs have names of this many letters; with less of fewer, and at last only the open one has a name.
    const SHORT: usize = 4;
    const SHORTEST: usize = 3;
    let label = |tab: &Tab, letters: usize, (before, behind): (&str, &str)| {
        let count = match tab {
            Tab::Retries if detail.chain.attempts.len() > 1 => format!("·{}", detail.chain.attempts.len()),
            Tab::Trace if detail.trace.nodes.len() > 1 => format!("·{}", detail.trace.nodes.len()),
            _ => String::new(),
        };
        let number = Tab::ALL.iter().position(|known| known == tab).unwrap_or(0) + 1;
        let letters = if *tab == detail.tab { usize::MAX } else { letters };
        let name = &tab.name()[..tab.name().len().min(letters)];
        let gap = if name.is_empty() { "" } else { " " };
        format!("{before}{number}{gap}{name}{count}{behind}")
    };
    let ways = [
        (usize::MAX, (" ", " ")),
        (usize::MAX, (" ", "")),
        (SHORT, (" ", " ")),
        (SHORTEST, (" ", "")),
        (0, (" ", " ")),
    ];
    let whole = |letters, blanks| Tab::ALL.iter().map(|tab| width(&label(tab, letters, blanks))).sum::<u16>();
    let fits = ways.into_iter().find(|(letters, blanks)| whole(*letters, *blanks) < area.width);
    let (letters, blanks) = fits.unwrap_or((0, (" ", "")));
    let mut x = area.x + 1;
    for (index, tab) in Tab::ALL.iter().enumerate() {
        let style = match tab {
            tab if *tab == detail.tab => theme.selected,
            tab if detail.is_empty(*tab) => theme.dim,
            _ => theme.text,
        };
        let from = x;
        x = put(canvas.buf, x, area.y, &label(tab, letters, blanks), area.right().saturating_sub(x), style);
        canvas.spots.add_text(from, area.y, x - from, Spot::Part(parts::TAB, index));
    }
}
