//! The baseline of a system: the share of its windows that have any activities, and their success rate.

use crosstail_core::model::Mean;

/// Counts of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Number of activities.
    pub count: u64,
    /// Number that succeeded or failed. A line of a log does neither.
    pub concluded: u64,
    /// Number of those that failed.
    pub failed: u64,
}

/// The baseline for windows of one length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ActivityBaseline {
    /// Number of windows, including empty ones.
    windows: u64,
    /// Number of windows with activities.
    active: u64,
    /// Success rates of windows with enough of them that succeeded or failed, in per cent.
    success: Mean,
    /// Sum of the squares of the success rates.
    squares: f64,
}

/// A baseline needs this many windows.
const MIN_WINDOWS: u64 = 12;
/// A window's success rate needs this many activities that succeeded or failed.
const MIN_CONCLUDED: u64 = 10;
/// Minimum standard deviation in percentage points: a rate that was constant in a few windows may still vary.
const MIN_DEVIATION: f64 = 0.5;

impl ActivityBaseline {
    /// The baseline from the windows with activities, of `windows` in total.
    pub fn of(filled: impl IntoIterator<Item = Window>, windows: u64) -> Self {
        let mut usual = Self { windows, ..Self::default() };
        for window in filled.into_iter().filter(|window| window.count > 0) {
            usual.active += 1;
            if let Some(percent) = success(window).filter(|_| window.concluded >= MIN_CONCLUDED) {
                usual.success.add(Some(percent));
                usual.squares += percent * percent;
            }
        }
        usual.windows = usual.windows.max(usual.active);
        usual
    }

    /// Share of the windows with activities, in per cent; `None` with too few windows.
    pub fn active_percent(&self) -> Option<f64> {
        (self.windows >= MIN_WINDOWS).then(|| 100.0 * self.active as f64 / self.windows as f64)
    }

    /// Mean and standard deviation of the success rate, in per cent; `None` with too few windows.
    pub fn success_percent(&self) -> Option<(f64, f64)> {
        let mean = self.success.value().filter(|_| self.success.count >= MIN_WINDOWS)?;
        let variance = (self.squares / self.success.count as f64 - mean * mean).max(0.0);
        Some((mean, variance.sqrt()))
    }

    /// By how many standard deviations the success rate of a window is below the baseline; negative above it. The
    /// deviation combines that of the windows and that of a binomial share with as many trials as the window has.
    pub fn deviations_below(&self, window: Window) -> Option<f64> {
        let (mean, spread) = self.success_percent()?;
        let now = success(window)?;
        let p = (mean / 100.0).clamp(0.0, 1.0);
        let chance = 100.0 * (p * (1.0 - p) / window.concluded as f64).sqrt();
        Some((mean - now) / (spread.max(MIN_DEVIATION).powi(2) + chance * chance).sqrt())
    }
}

/// Success rate of a window, in per cent.
pub(super) fn success(window: Window) -> Option<f64> {
    let went_well = window.concluded.checked_sub(window.failed)?;
    (window.concluded > 0).then(|| 100.0 * went_well as f64 / window.concluded as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(concluded: u64, failed: u64) -> Window {
        Window { count: concluded, concluded, failed }
    }

    #[test]
    fn little_is_usual_of_little() {
        let usual = ActivityBaseline::of([window(100, 1); 11], 11);
        assert_eq!((usual.active_percent(), usual.success_percent()), (None, None));
        // Windows that are too small for a rate still count as active.
        let usual = ActivityBaseline::of([window(3, 3); 20], 40);
        assert_eq!((usual.active_percent(), usual.success_percent()), (Some(50.0), None));
    }

    #[test]
    fn a_fall_is_told_from_chance() {
        let usual = ActivityBaseline::of((0..48).map(|n| window(200, 2 + n % 5)), 48);
        let (mean, spread) = usual.success_percent().expect("enough");
        assert!((mean - 98.0).abs() < 0.1 && spread < 1.0, "{mean} {spread}");
        let below = |concluded, failed| usual.deviations_below(window(concluded, failed)).expect("known");
        assert!(below(200, 4) < 0.5);
        assert!(below(200, 7) < 3.0, "{}", below(200, 7));
        assert!(below(200, 40) > 3.0);
        // One failure of ten proves nothing.
        assert!(below(10, 1) < 3.0, "{}", below(10, 1));
    }
}
