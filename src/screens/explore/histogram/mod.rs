//! The histogram: failures and totals over time, and the range selected in it.

mod ticks;
pub(super) mod view;

use crate::action::Action;
use crate::effect::Effect;
use crate::screens::Hint;
use crate::screens::request::{Focus, Request};
use crate::screens::shared::Shared;
use crosstail_core::filter::Field;
use crosstail_core::model::Timestamp;
use crosstail_core::number::{saturating_i64, saturating_u32, saturating_usize};
use crosstail_engine::store::{Histogram as Counts, Row};
use ticks::Ticks;

/// State of the histogram.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// Whether it is shown.
    pub is_on: bool,
    /// Rows of its columns; without it, by the size of the terminal.
    height: Option<u16>,
    pub data: Counts,
    /// The columns that nobody has counted yet, at least in part.
    pub unknown: Vec<bool>,
    /// Of these it is only unknown how many failed.
    pub is_timed: bool,
    /// Column under the cursor.
    pub cursor: usize,
    /// The first end of the range being selected.
    pub mark: Option<usize>,
    /// The column at which the mouse was pressed, and whether it has moved since.
    pressed: Option<(usize, bool)>,
    /// Columns that are counted.
    columns: usize,
    /// When what is shown changed.
    ticks: Ticks,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            is_on: true,
            height: None,
            data: Counts::default(),
            unknown: Vec::new(),
            is_timed: false,
            cursor: 0,
            mark: None,
            pressed: None,
            columns: 0,
            ticks: Ticks::default(),
        }
    }
}

impl Histogram {
    /// The actions that it takes while it has the keys.
    pub const ACTIONS: [Action; 8] = [
        Action::LEFT,
        Action::RIGHT,
        Action::PAGE_UP,
        Action::PAGE_DOWN,
        Action::TOP,
        Action::BOTTOM,
        Action::OPEN,
        Action::BACK,
    ];

    /// What the key bar shows while it has the keys.
    pub const HINTS: &[Hint] = &[
        Hint(Action::BACK, "list"),
        Hint(Action::LEFT, "move"),
        Hint(Action::RIGHT, "move"),
        Hint(Action::OPEN, "range"),
        Hint(Action::ZOOM_IN, "zoom"),
        Hint(Action::ZOOM_OUT, "zoom out"),
    ];

    /// Rows of its columns in a terminal of some rows: as many as were chosen, but the list keeps more than half of the room.
    pub fn rows(&self, rows: u16) -> u16 {
        let usual = if rows >= 30 { 3 } else { 1 };
        self.height.unwrap_or(usual).clamp(1, (rows / 3).max(1))
    }

    /// The rows that were chosen.
    pub const fn height(&self) -> Option<u16> {
        self.height
    }

    /// Shown or not, with as many rows as were chosen once.
    pub fn restore(&mut self, is_on: bool, height: Option<u16>) {
        (self.is_on, self.height) = (is_on, height.map(|rows| rows.max(1)));
    }

    /// A row more or less than now. Shows it if it was hidden.
    pub fn set_height(&mut self, now: u16, taller: bool) {
        let height = if taller { now + 1 } else { now.saturating_sub(1) };
        (self.is_on, self.height) = (true, Some(height.max(1)));
    }

    /// Takes an action while it has the keys.
    pub fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let last = self.data.buckets.len().saturating_sub(1);
        match action {
            Action::LEFT => self.cursor = self.cursor.saturating_sub(1),
            Action::RIGHT => self.cursor = (self.cursor + 1).min(last),
            Action::PAGE_UP => self.cursor = self.cursor.saturating_sub(10),
            Action::PAGE_DOWN => self.cursor = (self.cursor + 10).min(last),
            Action::TOP => self.cursor = 0,
            Action::BOTTOM => self.cursor = last,
            Action::OPEN => self.choose_range(shared),
            Action::BACK if self.mark.is_some() => self.mark = None,
            Action::BACK => shared.ask(Request::Focus(Focus::List)),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// It gets the keys: the cursor is where the list's is, unless a range has been begun.
    pub fn begin(&mut self, selected: Option<Timestamp>) {
        let (Some(at), None) = (selected, self.mark) else { return };
        let column = at.since_us(self.data.start) / self.data.width_us.max(1);
        self.cursor = saturating_usize(column.max(0)).min(self.data.buckets.len().saturating_sub(1));
    }

    /// The mouse is pressed on a column.
    pub fn press(&mut self, column: usize) {
        self.cursor = column.min(self.data.buckets.len().saturating_sub(1));
        self.pressed = Some((self.cursor, false));
    }

    /// The mouse is moved over columns: from where it was pressed.
    pub fn drag(&mut self, column: usize) {
        let Some((from, has_moved)) = &mut self.pressed else { return };
        self.cursor = column.min(self.data.buckets.len().saturating_sub(1));
        if self.cursor != *from || *has_moved {
            *has_moved = true;
            self.mark = Some(*from);
        }
    }

    /// The mouse is released: a range that was dragged over narrows the view; a click sets one end of a range.
    pub fn release(&mut self, shared: &mut Shared) {
        if self.pressed.take().is_some() {
            self.choose_range(shared);
        }
    }

    /// Sets one end of a range; the second time, narrows the view to the range.
    pub fn choose_range(&mut self, shared: &mut Shared) {
        let Some((from, upto)) = self.range() else {
            self.mark = Some(self.cursor);
            shared.notify("range: select its other end, or press c to compare its failures with the rest");
            return;
        };
        self.mark = None;
        let clause = format!("time:{}..{}", from.rfc3339(), upto.rfc3339());
        let rest = shared.filter.without(&[Field::Time], false);
        let text = format!("{rest} {clause}").trim().to_owned();
        shared.ask(Request::Focus(Focus::List));
        shared.ask(Request::Filter(text));
    }

    /// Counts again if there is room for another number of columns. Without room, it keeps its range.
    pub fn fit(&mut self, columns: usize, shared: &Shared) {
        if columns > 0 && self.columns != columns {
            self.columns = columns;
            self.count(shared);
        }
    }

    /// Counts over the range. An open range goes from the oldest known activity to the newest, or to now while there is
    /// live traffic.
    pub fn count(&mut self, shared: &Shared) {
        let columns = self.columns.max(1);
        let Some((end, width)) = self.scale(shared) else {
            (self.data, self.unknown) = (Counts::default(), Vec::new());
            return;
        };
        // Columns are aligned to multiples of their width, so that they do not shift with every second.
        let end = Timestamp((end.0.div_euclid(width) + 1) * width);
        let start = end.plus_us(-width * saturating_i64(columns));
        let here = shared.counted_here(true);
        let rows = here.iter().flat_map(|range| shared.store.kept_between(range));
        self.data = shared.store.histogram(rows, start, width, columns);
        let counted = shared.counted(true);
        let column = |at: Timestamp| saturating_usize(at.since_us(start).max(0) / width);
        for (at, count, failed) in counted.buckets.iter().filter(|(at, ..)| *at >= start) {
            if let Some(bucket) = self.data.buckets.get_mut(column(*at)) {
                bucket.total = bucket.total.saturating_add(saturating_u32(*count));
                bucket.failed = bucket.failed.saturating_add(saturating_u32(*failed));
            }
        }
        self.is_timed = counted.is_timed;
        self.unknown = vec![false; columns];
        for unknown in &counted.unknown {
            if unknown.to > start {
                let (from, to) = (column(unknown.from), column(unknown.to.plus_us(-1).min(shared.now)));
                // It may lie behind the last column: where the newest activities ended a while ago.
                if let Some(unknown) = self.unknown.get_mut(from..=to.min(columns - 1)) {
                    unknown.fill(true);
                }
            }
        }
        self.cursor = self.cursor.min(columns - 1);
        self.ticks.find(&self.data, &self.unknown, shared.now);
    }

    /// The end of what is shown, and the width of a column; `None` where there is nothing to show.
    fn scale(&self, shared: &Shared) -> Option<(Timestamp, i64)> {
        let bounds = shared.bounds();
        let store = &shared.store;
        let rows = store.kept_between(&(bounds.interval().from..bounds.interval().to));
        let counted = &shared.counted(true).buckets;
        let ends = |at: Option<&(Timestamp, u64, u64)>, row: Option<&Row>| {
            [at.map(|(at, ..)| *at), row.map(|row| store.started(*row))].into_iter().flatten().collect::<Vec<_>>()
        };
        let end = match bounds.until {
            Some(until) => until.plus_us(-1),
            None => {
                let newest = ends(counted.last(), rows.last()).into_iter().max().or(bounds.since)?;
                let live = shared.now.since_us(newest) < 300_000_000 || bounds.since.is_some();
                if live { newest.max(shared.now) } else { newest }
            }
        };
        let start = match bounds.since {
            Some(since) => since,
            None => ends(counted.first(), rows.first()).into_iter().min()?,
        };
        let width = width_between(start, end, saturating_i64(self.columns.max(1)));
        Some((end, width))
    }

    /// The width of a column, by which stores count; while the start of an open range is not known two hours, which add up to
    /// nearly every width of a long range.
    pub(super) fn bucket_us(&self, shared: &Shared) -> i64 {
        let is_open = shared.bounds().since.is_none() && shared.counted(true).buckets.is_empty();
        self.scale(shared).filter(|_| !is_open).map_or(7_200_000_000, |(_, width)| width)
    }

    /// The range being selected: its start, and its end (exclusive).
    pub fn range(&self) -> Option<(Timestamp, Timestamp)> {
        let mark = self.mark?;
        let (from, to) = (mark.min(self.cursor), mark.max(self.cursor));
        let moment = |column: usize| self.data.start.plus_us(self.data.width_us * saturating_i64(column));
        Some((moment(from), moment(to + 1)))
    }
}

/// The least round width at which columns reach from one moment to another. The last column ends after the end, at a multiple of
/// the width: so the first may have to begin earlier.
fn width_between(start: Timestamp, end: Timestamp, columns: i64) -> i64 {
    let mut width = nice_width((end.since_us(start).max(0) + 1) / columns);
    while (end.0.div_euclid(width) + 1 - columns).saturating_mul(width) > start.0 && width < i64::MAX / 4 {
        width = nice_width(width + 1);
    }
    width
}

/// The next round width: of up to three hours one that a day is a multiple of, above that whole hours; in microseconds. From three
/// seconds on, one is at most a third more than the one before, so that little room stays empty.
fn nice_width(us: i64) -> i64 {
    const S: i64 = 1_000_000;
    const H: i64 = 3600;
    const FRACTIONS: [i64; 5] = [S / 100, S / 20, S / 10, S / 5, S / 2];
    const SECONDS: [i64; 23] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 24, 30, 36, 40, 45, 50, 60, 75, 90, 100, 120];
    const MINUTES: [i64; 22] = [
        150, 180, 240, 300, 360, 450, 540, 600, 720, 900, 1080, 1200, 1440, 1800, 2160, 2400, 2880, 3600, 4320, 5400,
        7200, 8640,
    ];
    const HOURS: [i64; 25] =
        [3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 30, 36, 42, 48, 60, 72, 84, 96, 108, 120, 132, 144, 168];
    let day = 24 * H * S;
    let seconds = SECONDS.into_iter().chain(MINUTES).chain(HOURS.map(|hours| hours * H)).map(|seconds| seconds * S);
    FRACTIONS.into_iter().chain(seconds).find(|nice| *nice >= us).unwrap_or_else(|| (us / day + 1) * day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_take_three_quarters_of_the_room() {
        const MINUTE: i64 = 60_000_000;
        let now = 1_795_800_000_000_000;
        let ranges = [15, 60, 90, 120, 360, 720, 1440, 2 * 1440, 7 * 1440, 30 * 1440, 60 * 1440, 90 * 1440, 365 * 1440];
        for columns in [58, 78, 98, 118, 158, 198] {
            for range in ranges.map(|minutes| minutes * MINUTE) {
                for end in (0..50).map(|step| Timestamp(now + step * 97 * 1_000_003)) {
                    let width = width_between(end.plus_us(-range), end, columns);
                    let used = range / width + 1;
                    assert!(used <= columns && used * 4 >= columns * 3, "{range} µs: {used} of {columns}");
                }
            }
        }
    }
}
