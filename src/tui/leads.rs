//! Where the cells of a picture lead, for the encoder.

use super::spots::Spots;
use std::collections::HashMap;
use std::sync::Arc;

/// Which cells of a picture lead where.
#[derive(Debug, Clone, Default)]
pub(super) struct Leads(HashMap<(u16, u16), Arc<str>>);

impl Leads {
    /// Those of a picture, where nothing of another layer covers them.
    pub(super) fn of(spots: &Spots) -> Self {
        let cells = spots.links().flat_map(|link| link.area.positions().map(move |at| (at, link)));
        let seen = cells.filter(|(at, link)| spots.at(at.x, at.y).is_none_or(|spot| spot.layer == link.layer));
        Self(seen.map(|(at, link)| ((at.x, at.y), Arc::clone(&link.target))).collect())
    }

    pub(super) fn at(&self, x: u16, y: u16) -> Option<&Arc<str>> {
        // Most pictures have none.
        if self.0.is_empty() { None } else { self.0.get(&(x, y)) }
    }

    /// Applies scrolling up of rows `top..bottom`.
    pub(super) fn scroll_up(&mut self, top: u16, bottom: u16, by: u16) {
        if self.0.is_empty() {
            return;
        }
        let moved = std::mem::take(&mut self.0).into_iter().filter_map(|((x, y), target)| match y {
            y if !(top..bottom).contains(&y) => Some(((x, y), target)),
            y if y >= top + by => Some(((x, y - by), target)),
            _ => None,
        });
        self.0 = moved.collect();
    }
}

/// The bytes that begin a link, or end one.
pub(super) fn sequence(target: Option<&Arc<str>>) -> String {
    format!("\x1b]8;;{}\x1b\\", target.map_or("", |target| &**target))
}
