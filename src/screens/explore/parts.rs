//! The mouse in the list's screen: what its parts stand for, and what pressing, dragging and turning the wheel mean there.

use super::{Explore, ask_to_open};
use crate::action::Action;
use crate::effect::Effect;
use crate::screens::request::{Focus, Request, Tab};
use crate::screens::shared::Shared;
use crate::tui::{Gesture, Part};

/// A line of the list.
pub(super) const ROW: Part = Part("row");
/// The title of a column of the list.
pub(super) const COLUMN: Part = Part("column");
/// A value of the facets.
pub(super) const FACET: Part = Part("facet");
/// The histogram.
pub(super) const BARS: Part = Part("bars");
/// What activities around one have in common with it.
pub(super) const SCOPE: Part = Part("scope");
/// How far the neighbourhood reaches.
pub(super) const SPAN: Part = Part("span");
/// The opened activity.
pub(super) const DETAIL: Part = Part("detail");
/// A tab of it.
pub(super) const TAB: Part = Part("tab");
/// A line of its open tab.
pub(super) const LINE: Part = Part("line of the detail");
/// What closes it.
pub(super) const CLOSE: Part = Part("close");
/// A completion of the filter.
pub(super) const COMPLETION: Part = Part("completion");

impl Explore {
    /// Takes what the mouse did at a part.
    pub(super) fn mouse(
        &mut self,
        gesture: Gesture,
        (part, index, column): (Part, usize, u16),
        shared: &mut Shared,
    ) -> Vec<Effect> {
        let is_double = gesture == Gesture::DoublePress;
        let gesture = if is_double { Gesture::Press } else { gesture };
        match (part, gesture) {
            (COMPLETION, Gesture::Press) => self.filter_bar.accept(index, shared),
            (BARS, Gesture::Press) => {
                self.set_focus(Focus::Histogram, shared);
                self.histogram.press(usize::from(column.saturating_sub(1)));
            }
            (BARS, Gesture::Drag) => self.histogram.drag(usize::from(column.saturating_sub(1))),
            (BARS, Gesture::Release) => self.histogram.release(shared),
            (BARS, Gesture::Wheel(up)) => {
                let action = if up { Action::ZOOM_IN } else { Action::ZOOM_OUT };
                return self.in_views(action, shared).unwrap_or_default();
            }
            (_, Gesture::Wheel(up)) => return self.wheel(part, up, shared),
            (ROW, Gesture::Press) => {
                let height = self.height(shared);
                let Some(row) = self.list.visible(&shared.store, height).get(index).copied() else {
                    return Vec::new();
                };
                let again = is_double && self.current(shared) == Some(row) && !self.list.follow;
                self.focus = Focus::List;
                if again {
                    ask_to_open(row, None, shared);
                } else {
                    self.select(row, shared);
                }
            }
            (COLUMN, Gesture::Press) => {
                self.focus = Focus::List;
                self.list.column = index;
            }
            (FACET, Gesture::Press) => {
                let again = is_double && self.facets.selected == index && self.focus == Focus::Facets;
                self.focus = Focus::Facets;
                self.facets.selected = index;
                if again {
                    return self.facets.handle(Action::OPEN, shared).unwrap_or_default();
                }
            }
            (SCOPE, Gesture::Press) => {
                if let Some(around) = &mut self.around {
                    around.scope = index;
                }
                return self.show_around(shared);
            }
            (SPAN, Gesture::Press) => {
                if let Some(around) = &mut self.around {
                    around.span = index;
                }
                return self.show_around(shared);
            }
            (DETAIL, Gesture::Press) => self.focus = Focus::Detail,
            (CLOSE, Gesture::Press) => shared.ask(Request::CloseDetail),
            (TAB, Gesture::Press) => {
                self.focus = Focus::Detail;
                let room = self.room(shared);
                if let (Some(detail), Some(tab)) = (&mut self.detail, Tab::ALL.get(index)) {
                    return detail.open_tab(*tab, room, shared);
                }
            }
            (LINE, Gesture::Press) => {
                self.focus = Focus::Detail;
                let room = self.room(shared);
                let Some(detail) = &mut self.detail else { return Vec::new() };
                if !detail.select_line(index) {
                    return detail.compare_tries(shared);
                }
                return detail.handle(Action::OPEN, room, shared).unwrap_or_default();
            }
            _ => {}
        }
        Vec::new()
    }

    /// Scrolls the panel below the mouse, whichever has the keys.
    fn wheel(&mut self, part: Part, up: bool, shared: &mut Shared) -> Vec<Effect> {
        let action = if up { Action::UP } else { Action::DOWN };
        let panel = match part {
            FACET => Focus::Facets,
            DETAIL | TAB | LINE | CLOSE => Focus::Detail,
            COMPLETION => Focus::Filter,
            _ => Focus::List,
        };
        let keys = std::mem::replace(&mut self.focus, panel);
        let mut effects = Vec::new();
        for _ in 0..Gesture::WHEEL_LINES {
            let done = self.in_panel(action, shared).or_else(|| self.in_list(action, shared));
            effects.extend(done.into_iter().flatten());
        }
        self.focus = keys;
        effects
    }
}
