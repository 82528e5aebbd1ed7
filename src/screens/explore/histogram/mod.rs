//! The histogram: failures and totals over time, and the range selected in it.

pub(super) mod view;

use crate::action::Action;
use crate::effect::Effect;
use crate::screens::Hint;
use crate::screens::request::{Focus, Request};
use crate::screens::shared::Shared;
use crosstail_core::model::Timestamp;
use crosstail_core::number::saturating_i64;
use crosstail_engine::store::Histogram as Counts;

/// State of the histogram.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// Whether it is shown.
    pub is_on: bool,
    pub data: Counts,
    /// Length of time shown, in microseconds; `None` shows everything.
    pub span_us: Option<i64>,
    /// Column under the cursor.
    pub cursor: usize,
    /// The first end of the range being selected.
    pub mark: Option<usize>,
    /// Columns that are counted.
    columns: usize,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { is_on: true, data: Counts::default(), span_us: None, cursor: 0, mark: None, columns: 0 }
    }
}

impl Histogram {
    /// The actions that it takes while it has the keys.
    pub const ACTIONS: [Action; 10] = [
        Action::Left,
        Action::Right,
        Action::PageUp,
        Action::PageDown,
        Action::Top,
        Action::Bottom,
        Action::Open,
        Action::Back,
        Action::ZoomIn,
        Action::ZoomOut,
    ];

    /// What the key bar shows while it has the keys.
    pub const HINTS: &[Hint] = &[
        Hint::Action(Action::Left, "move"),
        Hint::Action(Action::Right, "move"),
        Hint::Action(Action::Open, "range"),
        Hint::Action(Action::ZoomIn, "zoom"),
        Hint::Action(Action::ZoomOut, "zoom out"),
        Hint::Action(Action::Back, "list"),
    ];

    /// Takes an action while it has the keys.
    pub fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let last = self.data.buckets.len().saturating_sub(1);
        match action {
            Action::Left => self.cursor = self.cursor.saturating_sub(1),
            Action::Right => self.cursor = (self.cursor + 1).min(last),
            Action::PageUp => self.cursor = self.cursor.saturating_sub(10),
            Action::PageDown => self.cursor = (self.cursor + 10).min(last),
            Action::Top => self.cursor = 0,
            Action::Bottom => self.cursor = last,
            Action::Open => self.choose_range(shared),
            Action::Back if self.mark.is_some() => self.mark = None,
            Action::Back => shared.ask(Request::Focus(Focus::List)),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Sets one end of a range; the second time, narrows the view to the range.
    pub fn choose_range(&mut self, shared: &mut Shared) {
        let Some((from, upto)) = self.range() else {
            self.mark = Some(self.cursor);
            shared.notify("range: select its other end, or press c to compare its failures with the rest");
            return;
        };
        self.mark = None;
        let clause = format!("time:{}..{}", from.rfc3339(), upto.plus_us(-1).rfc3339());
        let words = shared.filter.text().split_whitespace();
        let kept: Vec<&str> = words.filter(|word| !word.starts_with("time:")).collect();
        let text = [kept.join(" "), clause].join(" ").trim().to_owned();
        shared.ask(Request::Focus(Focus::List));
        shared.ask(Request::Filter(text));
    }

    /// Shows a shorter or a longer time.
    pub fn zoom(&mut self, closer: bool, shared: &Shared) {
        const MINUTE: i64 = 60_000_000;
        const SPANS: &[i64] =
            &[5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 6 * 60 * MINUTE, 24 * 60 * MINUTE, 7 * 24 * 60 * MINUTE];
        let at = self.span_us.and_then(|span| SPANS.iter().position(|known| *known == span));
        self.span_us = match (at, closer) {
            (None, true) => Some(SPANS[2]),
            (Some(0), true) => Some(SPANS[0]),
            (Some(at), true) => Some(SPANS[at - 1]),
            (None, false) => None,
            (Some(at), false) => SPANS.get(at + 1).copied(),
        };
        self.count(shared);
    }

    /// Counts again if there is room for another number of columns. Without room, it keeps its range.
    pub fn fit(&mut self, columns: usize, shared: &Shared) {
        if columns > 0 && self.columns != columns {
            self.columns = columns;
            self.count(shared);
        }
    }

    /// Counts over its span, which ends at the newest activity, or now while there is live traffic.
    pub fn count(&mut self, shared: &Shared) {
        let store = &shared.store;
        let rows = store.rows();
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            self.data = Counts::default();
            return;
        };
        let columns = self.columns.max(1);
        let newest = store.started(*last);
        let live = shared.now.since_us(newest) < 300_000_000;
        let end = if live { newest.max(shared.now) } else { newest };
        let start = self.span_us.map_or(store.started(*first), |span| end.plus_us(-span));
        let width = nice_width((end.since_us(start) + 1) / saturating_i64(columns));
        // Columns are aligned to multiples of their width, so that they do not shift with every second.
        let end = Timestamp((end.0.div_euclid(width) + 1) * width);
        let start = end.plus_us(-width * saturating_i64(columns));
        self.data = store.histogram(start, width, columns);
        self.cursor = self.cursor.min(columns - 1);
    }

    /// The range being selected: its start, and its end (exclusive).
    pub fn range(&self) -> Option<(Timestamp, Timestamp)> {
        let mark = self.mark?;
        let (from, to) = (mark.min(self.cursor), mark.max(self.cursor));
        let moment = |column: usize| self.data.start.plus_us(self.data.width_us * saturating_i64(column));
        Some((moment(from), moment(to + 1)))
    }
}

/// The next round width: 1, 2, 5, 10, 15, 30 s, and so on up to days; all in microseconds.
fn nice_width(us: i64) -> i64 {
    const S: i64 = 1_000_000;
    const NICE: &[i64] = &[
        S / 100,
        S / 20,
        S / 10,
        S / 5,
        S / 2,
        S,
        2 * S,
        5 * S,
        10 * S,
        15 * S,
        30 * S,
        60 * S,
        120 * S,
        300 * S,
        600 * S,
        900 * S,
        1800 * S,
        3600 * S,
        7200 * S,
        14_400 * S,
        21_600 * S,
        43_200 * S,
        86_400 * S,
        604_800 * S,
    ];
    let day = 86_400 * S;
    NICE.iter().copied().find(|nice| *nice >= us).unwrap_or_else(|| (us / day + 1) * day)
}
