//! The layout of the list's screen, between the lines around it.
//!
//! ```text
//! histogram                (3 rows and an axis; 1 row on a small terminal; or as many as were chosen)
//! what became of failures  (a line, where a filter keeps some)
//! groups of failures       (up to four lines, where a filter asks for failures and no detail is open)
//! facets │ list │ detail   (detail next to the list from 140 columns, else below it, else instead of it)
//! ```

use crate::screens::explore::Explore;
use crate::screens::explore::detail::Room;
use crate::screens::request::Focus;
use crate::screens::shared::Shared;
use ratatui::layout::Rect;

/// The areas of the panels; a hidden panel has an empty area.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::screens::explore) struct Places {
    /// Histogram with its axis.
    pub histogram: Rect,
    /// What became of the operations that have failed.
    pub affected: Rect,
    /// The failures in groups.
    pub groups: Rect,
    pub facets: Rect,
    /// List with its header line.
    pub list: Rect,
    pub detail: Rect,
}

impl Places {
    /// Divides the body of the screen.
    pub fn of(explore: &Explore, shared: &Shared) -> Self {
        let (width, height) = (shared.size.0, shared.size.1 - shared.frame().strip.height);
        let mut middle = shared.frame().body;
        let mut places = Self::default();
        let wants_detail = explore.detail.is_some();
        let beside = width >= 140;
        let below = !beside && height >= 40;
        let instead = wants_detail && !beside && !below;
        if explore.histogram.is_on && height >= 16 && !instead {
            let rows = explore.histogram.rows(height) + 1;
            places.histogram = Rect { height: rows, ..middle };
            middle = Rect { y: middle.y + rows, height: middle.height.saturating_sub(rows), ..middle };
        }
        let is_said = explore.around.is_some() || (!explore.affected.operations.is_empty() && height >= 16);
        if is_said && !instead {
            places.affected = Rect { height: 1, ..middle };
            middle = Rect { y: middle.y + 1, height: middle.height.saturating_sub(1), ..middle };
        }
        if !wants_detail && explore.around.is_none() {
            let rows = explore.groups.rows().min(middle.height / 3);
            places.groups = Rect { height: rows, ..middle };
            middle = Rect { y: middle.y + rows, height: middle.height.saturating_sub(rows), ..middle };
        }
        if explore.facets.is_on && width >= 100 && !(wants_detail && width < 180) {
            let facets = explore.facets.width(width >= 160 && !wants_detail);
            places.facets = Rect { width: facets, ..middle };
            middle = Rect { x: facets + 1, width: width - facets - 1, ..middle };
        }
        places.list = middle;
        if wants_detail {
            if beside {
                let list = middle.width * 45 / 100;
                places.list = Rect { width: list, ..middle };
                places.detail = Rect { x: middle.x + list + 1, width: middle.width - list - 1, ..middle };
            } else if below {
                let list = middle.height * 2 / 5;
                places.list = Rect { height: list, ..middle };
                places.detail = Rect { y: middle.y + list, height: middle.height - list, ..middle };
            } else {
                places.list = Rect { height: 0, ..middle };
                places.detail = middle;
            }
        }
        places
    }

    /// Whether a panel is drawn. The filter always is, and the list unless a detail stands in its place.
    pub fn shows(&self, panel: Focus) -> bool {
        match panel {
            Focus::List => self.detail.is_empty() || self.list.height > 0,
            Focus::Facets => !self.facets.is_empty(),
            Focus::Histogram => !self.histogram.is_empty(),
            Focus::Detail => !self.detail.is_empty(),
            Focus::Filter => true,
        }
    }

    /// The lines of the list, without its header.
    pub fn rows(&self) -> Rect {
        let header = u16::from(self.list.height > 2);
        Rect { y: self.list.y + header, height: self.list.height.saturating_sub(header), ..self.list }
    }

    /// Lines of the list.
    pub fn height(&self) -> usize {
        self.rows().height.max(1) as usize
    }

    /// The room of the detail's tree.
    pub fn room(&self) -> Room {
        Room {
            height: self.detail.height.saturating_sub(4) as usize,
            width: self.detail.width.saturating_sub(2) as usize,
        }
    }

    /// Columns of the histogram; 0 if it is hidden.
    pub fn columns(&self) -> usize {
        self.histogram.width.saturating_sub(2) as usize
    }
}
