//! How the list's screen is drawn: its body, and the lines around every screen.

mod completion;
mod header;
mod layout;
mod status;

pub(super) use layout::Places;

use super::{Explore, detail, facets, filter_bar, histogram, list};
use crate::screens::request::Focus;
use crate::screens::shared::Shared;
use crate::tui::{Canvas, Frame};
use ratatui::layout::Rect;

/// Draws the lines around every screen: header, filter bar, status line.
pub(in crate::screens) fn frame(explore: &Explore, shared: &Shared, frame: &Frame, canvas: &mut Canvas<'_>) {
    let (theme, buf) = (&canvas.look.theme, &mut *canvas.buf);
    header::render(explore, shared, frame.header, buf, theme);
    let progress = progress(explore, shared, frame.filter.width);
    let shown = filter_bar::view::Shown { editing: explore.focus == Focus::Filter, progress: &progress };
    let cursor = filter_bar::view::render(&explore.filter_bar, shown, shared, frame.filter, buf, theme);
    *canvas.cursor = cursor.or(*canvas.cursor);
    status::render(explore, shared, frame.status, buf, theme);
}

/// What is known of the range, and what is still being searched; nothing where memory holds all of it.
fn progress(explore: &Explore, shared: &Shared, width: u16) -> String {
    let Some(since) = explore.known_since(shared) else { return String::new() };
    let local = shared.local(since);
    let today = local.date_naive() == shared.local(shared.now).date_naive();
    let since = local.format(if today { "%H:%M:%S" } else { "%m-%d %H:%M" });
    let mut text = if explore.is_searching() {
        let done = explore.searched(shared).map(|done| format!(" · {done} %")).unwrap_or_default();
        format!(" · searched back to {since}{done}")
    } else {
        format!(" · held since {since}")
    };
    if let (Some(divided), true) = (explore.window.push_down, width >= 130)
        && !shared.filter.is_all()
    {
        text.push_str(&format!(" · {} in the store, {} here", divided.in_store, divided.local));
    }
    text
}

/// Draws histogram, facets, list and detail.
pub(super) fn body(explore: &Explore, shared: &Shared, canvas: &mut Canvas<'_>) {
    let places = Places::of(explore, shared.size);
    let (theme, buf) = (&canvas.look.theme, &mut *canvas.buf);
    let has_keys = |focus| explore.focus == focus;
    histogram::view::render(&explore.histogram, has_keys(Focus::Histogram), shared, places.histogram, buf, theme);
    facets::view::render(&explore.facets, has_keys(Focus::Facets), places.facets, buf, theme);
    list::view::render(explore, shared, (places.list, places.rows()), buf, theme);
    if let Some(detail) = &explore.detail {
        let cursor = detail::view::render(detail, has_keys(Focus::Detail), shared, places.detail, buf, theme);
        *canvas.cursor = cursor.or(*canvas.cursor);
    }
}

/// Draws the completions below the filter bar, while it is edited.
pub(in crate::screens) fn completions(explore: &Explore, frame: &Frame, canvas: &mut Canvas<'_>) {
    if explore.focus == Focus::Filter {
        completion::render(&explore.filter_bar, frame.filter, canvas.buf, &canvas.look.theme);
    }
}

/// The rows of the list, which move up as activities arrive.
pub(in crate::screens) fn scrolling(explore: &Explore, shared: &Shared) -> Option<Rect> {
    Some(Places::of(explore, shared.size).rows()).filter(|rows| rows.height > 0)
}
