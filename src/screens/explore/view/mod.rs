//! How the list's screen is drawn: its body, and the lines around every screen.

mod completion;
mod header;
mod layout;
mod status;

pub(super) use layout::Places;

use super::around::{Around, SPANS};
use super::{Explore, detail, facets, filter_bar, groups, histogram, list, parts};
use crate::action::Action;
use crate::screens::request::Focus;
use crate::screens::shared::{CountState, Shared, outcomes_of};
use crate::tui::text::{clock, day, fit, put, safe};
use crate::tui::{Canvas, Frame, Spot};
use ratatui::layout::Rect;

/// Draws the lines around every screen: header, filter bar, status line. Over a screen that covers the list, and in which the
/// filter has no part, stands its title.
pub(in crate::screens) fn frame(
    explore: &Explore,
    shared: &Shared,
    frame: &Frame,
    (is_covered, title): (bool, Option<&str>),
    canvas: &mut Canvas<'_>,
) {
    header::render(explore, shared, title.is_none(), &mut canvas.at(frame.header));
    let theme = &canvas.look.theme;
    if let Some(title) = title {
        put(
            canvas.buf,
            frame.filter.x + 1,
            frame.filter.y,
            &title.replace('_', " "),
            frame.filter.width * frame.filter.height,
            theme.title,
        );
    } else {
        canvas.spots.add(frame.filter, Spot::Action(Action::FILTER));
        let progress = progress(explore, shared, frame.filter.width);
        let shown = filter_bar::view::Shown { editing: explore.focus == Focus::Filter, progress: &progress };
        let cursor = filter_bar::view::render(&explore.filter_bar, shown, shared, frame.filter, canvas.buf, theme);
        *canvas.cursor = cursor.or(*canvas.cursor);
    }
    status::render(explore, shared, is_covered, &mut canvas.at(frame.status));
}

/// What is known of the range, and what is still being searched; nothing where memory holds all of it.
fn progress(explore: &Explore, shared: &Shared, width: u16) -> String {
    let counting =
        shared.figure(true).state == CountState::Counting || shared.figure(false).state == CountState::Counting;
    let counting = if counting && width >= 100 { " · +… is being counted" } else { "" };
    let Some(since) = explore.known_since(shared) else { return counting.to_owned() };
    let local = shared.local(since);
    let today = local.date_naive() == shared.local(shared.now).date_naive();
    let since = local.format(if today { "%H:%M:%S" } else { "%m-%d %H:%M" });
    let mut text = if explore.is_searching() {
        let done = explore.searched(shared).map(|done| format!(" · {done} %")).unwrap_or_default();
        format!(" · searched back to {since}{done}")
    } else {
        format!(" · held since {since}")
    };
    text.push_str(counting);
    if let (Some(divided), true) = (explore.window.push_down, width >= 130)
        && !shared.filter.is_all()
    {
        text.push_str(&format!(" · {} in the store, {} here", divided.in_store, divided.local));
    }
    text
}

/// Draws what became of the operations of the view that have failed.
fn affected(explore: &Explore, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height == 0 {
        return;
    }
    if let Some(around) = &explore.around {
        return neighbourhood(around, shared, canvas);
    }
    canvas.spots.add(area, Spot::Action(Action::AFFECTED));
    let text = outcomes_of(&explore.affected, shared).unwrap_or_default();
    let room = area.width.saturating_sub(2);
    let end = put(canvas.buf, area.x + 1, area.y, &text, room, theme.warning) + 2;
    let keys =
        [(Action::FAILURES, "groups them"), (Action::AFFECTED, "lists them"), (Action::COPY_AFFECTED, "copies them")];
    canvas.put_keys(end, area.y, area.right().saturating_sub(end), ("", &keys), theme.dim);
}

/// Draws whose neighbourhood is shown, what they have in common, and how far it reaches.
fn neighbourhood(around: &Around, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let at = clock(shared.zone, around.at(), day(shared.zone, shared.now));
    let end = area.right().saturating_sub(1);
    let mut x = put(canvas.buf, area.x + 1, area.y, &format!("▸ around {at}  "), area.width, theme.accent);
    let title = fit(&safe(&around.title), area.width / 5);
    if area.width >= 120 {
        x = put(canvas.buf, x, area.y, &format!("{title}  "), end.saturating_sub(x), theme.text);
    }
    x = put(canvas.buf, x, area.y, "same ", end.saturating_sub(x), theme.dim);
    for (index, scope) in around.scopes.iter().enumerate() {
        let is_chosen = index == around.scope;
        // With little room, what is not chosen has its name alone.
        let value =
            if is_chosen || area.width >= 140 { format!(" {}", fit(&safe(&scope.value), 18)) } else { String::new() };
        let text = format!(" {}{value} ", scope.name);
        let from = x;
        x = put(
            canvas.buf,
            x,
            area.y,
            &text,
            end.saturating_sub(x),
            if is_chosen { theme.selected } else { theme.dim },
        );
        canvas.spots.add_text(from, area.y, x - from, Spot::Part(parts::SCOPE, index));
    }
    x = put(canvas.buf, x, area.y, "  ", end.saturating_sub(x), theme.dim);
    for (index, (text, _)) in SPANS.iter().enumerate() {
        let is_chosen = index == around.span;
        if !is_chosen && area.width < 100 {
            continue;
        }
        let from = x;
        let style = if is_chosen { theme.selected } else { theme.dim };
        x = put(canvas.buf, x, area.y, &format!(" {text} "), end.saturating_sub(x), style);
        canvas.spots.add_text(from, area.y, x - from, Spot::Part(parts::SPAN, index));
    }
    let keys =
        [(Action::AROUND, "scope"), (Action::ZOOM_IN, "shorter"), (Action::ZOOM_OUT, "longer"), (Action::BACK, "back")];
    canvas.put_keys(x + 2, area.y, end.saturating_sub(x + 2), ("", &keys), theme.dim);
}

/// Draws histogram, facets, list and detail.
pub(super) fn body(explore: &Explore, shared: &Shared, canvas: &mut Canvas<'_>) {
    let places = Places::of(explore, shared);
    affected(explore, shared, &mut canvas.at(places.affected));
    groups::render(&explore.groups, shared, &mut canvas.at(places.groups));
    let has_keys = |focus| explore.focus == focus;
    let theme = &canvas.look.theme;
    canvas.spots.add(places.histogram, Spot::Part(parts::BARS, 0));
    histogram::view::render(
        &explore.histogram,
        has_keys(Focus::Histogram),
        shared,
        places.histogram,
        canvas.buf,
        theme,
    );
    facets::view::render(&explore.facets, has_keys(Focus::Facets), &mut canvas.at(places.facets));
    list::view::render(explore, shared, places.rows(), &mut canvas.at(places.list));
    if let Some(detail) = &explore.detail {
        canvas.spots.add(places.detail, Spot::Part(parts::DETAIL, 0));
        detail::view::render(detail, has_keys(Focus::Detail), shared, &mut canvas.at(places.detail));
    }
}

/// Draws the completions below the filter bar, while it is edited.
pub(in crate::screens) fn completions(explore: &Explore, frame: &Frame, canvas: &mut Canvas<'_>) {
    if explore.focus == Focus::Filter {
        completion::render(&explore.filter_bar, frame.filter, canvas);
    }
}

/// The rows of the list, which move up as activities arrive.
pub(in crate::screens) fn scrolling(explore: &Explore, shared: &Shared) -> Option<Rect> {
    Some(Places::of(explore, shared).rows()).filter(|rows| rows.height > 0)
}
