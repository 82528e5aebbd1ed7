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
    let shown =
        filter_bar::view::Shown { editing: explore.focus == Focus::Filter, matching: explore.views.is_matching };
    let cursor = filter_bar::view::render(&explore.filter_bar, shown, shared, frame.filter, buf, theme);
    *canvas.cursor = cursor.or(*canvas.cursor);
    status::render(explore, shared, frame.status, buf, theme);
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
