//! What is usual for a system: how many of its windows have activities at all, and how many of them go well.

use crosstail_core::model::Mean;

/// Counts of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Activities.
    pub count: u64,
    /// With an outcome.
    pub finished: u64,
    /// Of which failed.
    pub failed: u64,
}

/// What is usual, of windows of one length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ActivityBaseline {
    /// Windows looked at, the empty ones, too.
    windows: u64,
    /// Of which had activities.
    active: u64,
    /// Per cent of success of the windows that had enough of it.
    success: Mean,
    /// The squares of those.
    squares: f64,
}

/// Fewer windows than these tell nothing.
const MIN_WINDOWS: u64 = 12;
/// Fewer finished activities than these tell nothing of a window's success.
const MIN_FINISHED: u64 = 10;
/// Success that never varied in so few windows is taken to vary by so many per cent all the same.
const MIN_DEVIATION: f64 = 0.5;

impl ActivityBaseline {
    /// Of the windows that had activities, among so many in all.
    pub fn of(filled: impl IntoIterator<Item = Window>, windows: u64) -> Self {
        let mut usual = Self { windows, ..Self::default() };
        for window in filled.into_iter().filter(|window| window.count > 0) {
            usual.active += 1;
            if let Some(percent) = success(window).filter(|_| window.finished >= MIN_FINISHED) {
                usual.success.add(Some(percent));
                usual.squares += percent * percent;
            }
        }
        usual.windows = usual.windows.max(usual.active);
        usual
    }

    /// Per cent of the windows that had activities.
    pub fn active_percent(&self) -> Option<f64> {
        (self.windows >= MIN_WINDOWS).then(|| 100.0 * self.active as f64 / self.windows as f64)
    }

    /// Mean and standard deviation of the windows' success, in per cent.
    pub fn success_percent(&self) -> Option<(f64, f64)> {
        let mean = self.success.value().filter(|_| self.success.count >= MIN_WINDOWS)?;
        let variance = (self.squares / self.success.count as f64 - mean * mean).max(0.0);
        Some((mean, variance.sqrt()))
    }

    /// By how many standard deviations a window's success is below the usual one; negative above it. The deviation is
    /// that of the windows and that of so few trials (of a binomial share) together.
    pub fn deviations_below(&self, window: Window) -> Option<f64> {
        let (mean, spread) = self.success_percent()?;
        let now = success(window)?;
        let p = (mean / 100.0).clamp(0.0, 1.0);
        let chance = 100.0 * (p * (1.0 - p) / window.finished as f64).sqrt();
        Some((mean - now) / (spread.max(MIN_DEVIATION).powi(2) + chance * chance).sqrt())
    }
}

/// Per cent of a window's finished that did not fail.
pub(super) fn success(window: Window) -> Option<f64> {
    let went_well = window.finished.checked_sub(window.failed)?;
    (window.finished > 0).then(|| 100.0 * went_well as f64 / window.finished as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(finished: u64, failed: u64) -> Window {
        Window { count: finished, finished, failed }
    }

    #[test]
    fn little_is_usual_of_little() {
        let usual = ActivityBaseline::of([window(100, 1); 11], 11);
        assert_eq!((usual.active_percent(), usual.success_percent()), (None, None));
        // Windows too small for a share still say that it spoke.
        let usual = ActivityBaseline::of([window(3, 3); 20], 40);
        assert_eq!((usual.active_percent(), usual.success_percent()), (Some(50.0), None));
    }

    #[test]
    fn a_fall_is_told_from_chance() {
        let usual = ActivityBaseline::of((0..48).map(|n| window(200, 2 + n % 5)), 48);
        let (mean, spread) = usual.success_percent().expect("enough");
        assert!((mean - 98.0).abs() < 0.1 && spread < 1.0, "{mean} {spread}");
        let below = |finished, failed| usual.deviations_below(window(finished, failed)).expect("known");
        assert!(below(200, 4) < 0.5);
        assert!(below(200, 7) < 3.0, "{}", below(200, 7));
        assert!(below(200, 40) > 3.0);
        // Two of ten are no proof, forty of two hundred are.
        assert!(below(10, 1) < 3.0, "{}", below(10, 1));
    }
}
