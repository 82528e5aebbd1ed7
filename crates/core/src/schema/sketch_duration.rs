//! The unit of a duration without one in its name: that in which it is as long as what passes between two times of the row.

use super::sketch::Sketch;
use super::sketch_column::{Holds, Sampled};
use super::units::DurationUnit;
use crate::model::parse_timestamp;

/// Rows that have to tell it.
const ROWS: usize = 3;

impl Sketch {
    /// Corrects the unit of the duration, where the row has a start and an end.
    pub(super) fn fit_duration(&mut self, columns: &[Sampled]) {
        let of = |target: &str| {
            let path = self.fields.iter().find(|(name, _)| *name == target).map(|(_, path)| path)?;
            columns.iter().find(|column| column.path == *path)
        };
        let (Some(taken), Some(start), Some(end)) = (of("duration"), of("started_at"), of("completed_at")) else {
            return;
        };
        let rows = taken.values.len();
        // Values that are absent are left out, and would shift the others.
        let is_whole = rows >= ROWS && start.values.len() == rows && end.values.len() == rows;
        if !is_whole
            || !matches!(taken.holds, Holds::Int | Holds::Float)
            || DurationUnit::of_name(&taken.path).is_some()
        {
            return;
        }
        let pairs = taken.values.iter().zip(start.values.iter().zip(&end.values));
        let found = pairs.filter_map(|(taken, (start, end))| {
            let passed = parse_timestamp(end)?.since_us(parse_timestamp(start)?);
            let taken = taken.parse::<f64>().ok().filter(|n| *n > 0.0)?;
            (passed > 0).then_some(passed as f64 / taken)
        });
        let mut found: Vec<f64> = found.collect();
        if found.len() < ROWS {
            return;
        }
        found.sort_by(f64::total_cmp);
        let each = found[found.len() / 2];
        let units = [("s", 1e6), ("ms", 1e3), ("us", 1.0), ("ns", 1e-3)];
        if let Some((unit, _)) = units.into_iter().find(|(_, us)| (0.5..2.0).contains(&(each / us))) {
            self.duration_unit = Some(unit);
        }
    }
}
