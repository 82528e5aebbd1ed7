//! The layout of the screen.
//!
//! ```text
//! header
//! filter bar
//! histogram                (3 rows and an axis; 1 row on a small terminal)
//! facets │ list │ detail   (detail next to the list from 140 columns, else below it, else instead of it)
//! status line
//! key bar
//! ```

use crate::app::{AppState, Focus, Screen};
use ratatui::layout::Rect;

/// The areas of the panels; a hidden panel has an empty area.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PanelAreas {
    pub header: Rect,
    pub filter: Rect,
    /// Histogram with its axis.
    pub histogram: Rect,
    pub facets: Rect,
    /// List with its header line, or another screen.
    pub list: Rect,
    pub detail: Rect,
    pub status: Rect,
    pub keys: Rect,
}

const FACETS: u16 = 22;

impl PanelAreas {
    /// Divides the terminal.
    pub fn of(state: &AppState) -> Self {
        let (width, height) = state.size;
        let mut top = 0;
        let row = |y: u16, rows: u16| Rect::new(0, y.min(height), width, rows.min(height.saturating_sub(y)));
        let mut places = Self { header: row(0, 1), ..Self::default() };
        top += 1;
        if height >= 4 {
            places.filter = row(top, 1);
            top += 1;
        }
        let mut bottom = height;
        if height >= 8 {
            places.keys = row(height - 1, 1);
            bottom -= 1;
        }
        if height >= 6 {
            places.status = row(bottom - 1, 1);
            bottom -= 1;
        }
        let explore = state.screen == Screen::Explore;
        let wants_detail = state.detail.is_some() && explore;
        let beside = width >= 140;
        let below = !beside && height >= 40;
        let instead = wants_detail && !beside && !below;
        if explore && state.toggles.histogram && height >= 16 && !instead {
            let rows = if height >= 30 { 4 } else { 2 };
            places.histogram = row(top, rows);
            top += rows;
        }
        let mut middle = Rect::new(0, top, width, bottom.saturating_sub(top));
        if explore && state.toggles.facets && width >= 100 && !(wants_detail && width < 180) {
            places.facets = Rect { width: FACETS, ..middle };
            middle = Rect { x: FACETS + 1, width: width - FACETS - 1, ..middle };
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

    /// The lines of the list, without its header.
    pub fn rows(&self) -> Rect {
        let header = u16::from(self.list.height > 2);
        Rect { y: self.list.y + header, height: self.list.height.saturating_sub(header), ..self.list }
    }

    /// Writes the sizes of the panels into the state.
    pub fn write_sizes(&self, state: &mut AppState) {
        state.list.height = self.rows().height.max(1) as usize;
        let columns = self.histogram.width.saturating_sub(2).max(1) as usize;
        // A hidden histogram keeps its range.
        if self.histogram.width > 0 && state.histogram.columns != columns {
            state.histogram.columns = columns;
            state.count_histogram();
        }
        let height = self.detail.height.saturating_sub(4) as usize;
        if let Some(detail) = &mut state.detail {
            detail.resize(height, self.detail.width.saturating_sub(2) as usize);
        }
        if state.detail.is_none() && state.focus == Focus::Detail {
            state.focus = Focus::List;
        }
    }
}
