//! The histogram: failures and totals over time, and the range selected in it.

use super::AppState;
use crosstail_core::model::Timestamp;
use crosstail_core::number::saturating_i64;
use crosstail_engine::store::Histogram;

/// State of the histogram.
#[derive(Debug, Clone, Default)]
pub struct HistogramPanel {
    pub data: Histogram,
    /// Length of time shown, in microseconds; `None` shows everything.
    pub span_us: Option<i64>,
    /// Column under the cursor.
    pub cursor: usize,
    /// The first end of the range being selected.
    pub mark: Option<usize>,
    /// Columns on the screen.
    pub columns: usize,
    /// The store's revision at the last count.
    pub revision: u64,
    /// End of the last column.
    pub end: Timestamp,
}

impl AppState {
    /// Counts the histogram over its span, which ends at the newest activity, or now while there is live traffic.
    pub fn count_histogram(&mut self) {
        let rows = self.store.rows();
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            self.histogram.data = Histogram::default();
            return;
        };
        let columns = self.histogram.columns.max(1);
        let newest = self.store.started(*last);
        let live = self.now.since_us(newest) < 300_000_000;
        let mut end = if live { newest.max(self.now) } else { newest };
        let start = self.histogram.span_us.map_or(self.store.started(*first), |span| end.plus_us(-span));
        let width = nice_width((end.since_us(start) + 1) / saturating_i64(columns));
        // Columns are aligned to multiples of their width, so that they do not shift with every second.
        end = Timestamp((end.0.div_euclid(width) + 1) * width);
        let start = end.plus_us(-width * saturating_i64(columns));
        self.histogram.end = end;
        self.histogram.data = self.store.histogram(start, width, columns);
        self.histogram.cursor = self.histogram.cursor.min(columns - 1);
    }
}

impl HistogramPanel {
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
