//! Whether something changed when somebody marked a moment.
//!
//! Buckets of a long range are long: a deploy that breaks one endpoint of a system is a few of them, of one among many endpoints,
//! and other changes lie near. That a moment is given is worth something: it is a hypothesis. It is tested on short buckets around
//! the moment, each group by itself, with only those splits that lie soon after it, against permutations of the same values, of which
//! the greatest of the same splits is taken. Groups and measures share the level of significance (Bonferroni), so a marker at which
//! nothing changed has a change once in 1,000, as a series has: [`SIGNIFICANCE`]. A change at another moment nearby is cut off first.

use super::SIGNIFICANCE;
use super::series::{Measure, Series, Shift, Window, block_of_rates, by_group};
use crosstail_core::model::{Figures, Timestamp};
use crosstail_core::number::saturating_usize;
use crosstail_source::Groups;
use std::cmp::Reverse;

/// Markers that are tested, the newest.
pub const MARKERS: usize = 12;
/// What was marked shows within so many microseconds, or with the next activity.
pub const SOON_US: i64 = 120_000_000;
/// Groups that are tested, the busiest: each is a hypothesis more, and makes the others harder to show.
const GROUPS: usize = 32;
/// So much of the time on each side of a marker is looked at: ten buckets of the range, within these bounds.
const REACH: i64 = 10;
const REACH_US: (i64, i64) = (1_200_000_000, 7_200_000_000);
/// Buckets around a marker.
const BUCKETS: i64 = 160;

/// The buckets around a marker in a range that was looked at in longer ones; what is after `until` is not known yet.
pub fn window_at(marker: Timestamp, range: Window, until: Timestamp) -> Window {
    let reach = range.bucket_us.saturating_mul(REACH).clamp(REACH_US.0, REACH_US.1);
    // What ends with its activities ends in a bucket that is not full.
    let end = until.min(range.to.plus_us(range.bucket_us));
    Window::of(marker.plus_us(-reach).max(range.from), marker.plus_us(reach).min(end), BUCKETS)
}

/// What changed when something was marked, in order of time: of figures in the buckets of a window around it.
pub fn shifts_at(figures: &Groups, window: Window, marker: Timestamp) -> Vec<Shift> {
    if !(window.from..window.to).contains(&marker) {
        return Vec::new();
    }
    let nothing = Figures::default();
    let mut groups = by_group(figures, &nothing, window);
    groups.sort_by_key(|(_, buckets)| Reverse(buckets.iter().map(|(_, one)| one.count).sum::<u64>()));
    groups.truncate(GROUPS);
    let bucket = window.bucket(marker);
    let soon = saturating_usize(u64::try_from(SOON_US / window.bucket_us).unwrap_or_default()).max(1);
    let mut tested = Vec::new();
    for (group, buckets) in &groups {
        let block = block_of_rates(buckets, window);
        for measure in Measure::ALL {
            let series = Series::new(measure, buckets, window);
            if let Some(splits) = series.splits_from(bucket, soon) {
                tested.push((*group, measure, series, splits, block));
            }
        }
    }
    let share = SIGNIFICANCE / tested.len().max(1) as f64;
    let mut found: Vec<Shift> = tested
        .iter()
        .filter_map(|(group, measure, series, splits, block)| {
            let (bucket, before, after) = series.shift_at(splits, *block, share)?;
            // Not before what it is asked of: when it was is not known more exactly.
            let at = window.start_of(bucket).max(marker);
            let (group, measure, within_us) = ((*group).clone(), *measure, window.bucket_us);
            Some(Shift { group, measure, at, before, after, within_us, marker: Some(marker) })
        })
        .collect();
    found.sort_by(|a, b| (a.at, &a.group, a.measure).cmp(&(b.at, &b.group, b.measure)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Activity, Id, Status};
    use crosstail_core::number::truncated_i64;

    const MARKER: Timestamp = Timestamp(40 * 60_000_000);
    /// Of the whole range.
    const RANGE: Window = Window { from: Timestamp(0), to: Timestamp(86_400_000_000), bucket_us: 120_000_000 };

    /// Calls of so many endpoints around the marker: as often, and as often failing, as is said of an endpoint and a second.
    fn figures(seed: u64, endpoints: usize, of: impl Fn(usize, f64) -> (f64, f64)) -> (Groups, Window) {
        let window = window_at(MARKER, RANGE, MARKER.plus_us(14 * 60_000_000));
        let (mut rng, mut figures) = (fastrand::Rng::with_seed(seed), Groups::new());
        for endpoint in 0..endpoints {
            let mut second = window.from.0 as f64 / 1e6;
            loop {
                let (per_second, share) = of(endpoint, second);
                second -= (1.0 - rng.f64()).ln() / per_second;
                if second >= window.to.0 as f64 / 1e6 {
                    break;
                }
                let mut call = Activity::new(Id::Uuid(1), Timestamp(truncated_i64(second * 1e6)));
                call.status = Some(if rng.f64() < share { Status::Failed } else { Status::Success });
                call.duration_us = Some(100_000 + rng.u64(0..50_000));
                let bucket = Timestamp(call.started_at.0.div_euclid(window.bucket_us) * window.bucket_us);
                let group = vec![Some("SAP".to_owned()), Some(format!("/{endpoint}"))];
                figures.entry((group, Some(bucket))).or_default().add(&call);
            }
        }
        (figures, window)
    }

    /// An endpoint of twelve breaks 22 seconds after the deploy; a quarter of an hour before, all of the system failed for ten minutes.
    #[test]
    fn an_endpoint_that_a_deploy_breaks_is_told_though_the_system_failed_before() {
        let broken = MARKER.0 as f64 / 1e6 + 22.0;
        for seed in [3, 4, 7, 8] {
            let (figures, window) = figures(seed, 12, |endpoint, second| {
                let is_away = (1500.0..2100.0).contains(&second);
                let share = if endpoint == 5 && second >= broken { 0.9 } else { 0.02 };
                (0.08, if is_away && endpoint != 5 { 0.85 } else { share })
            });
            assert_eq!(window.bucket_us, 15_000_000);
            let found = shifts_at(&figures, window, MARKER);
            let failures: Vec<&Shift> = found.iter().filter(|one| one.measure == Measure::Failures).collect();
            assert_eq!(failures.len(), 1, "seed {seed}: {found:#?}");
            let shift = failures[0];
            assert_eq!((shift.group[1].as_deref(), shift.marker), (Some("/5"), Some(MARKER)));
            assert!((0..=SOON_US).contains(&shift.at.since_us(MARKER)), "seed {seed}: {shift:#?}");
            assert!(shift.before < 0.1 && shift.after > 0.75, "seed {seed}: {shift:#?}");
        }
    }

    #[test]
    fn a_marker_at_which_nothing_changes_has_nearly_never_a_change() {
        let alarms = |of: &dyn Fn(usize, f64) -> (f64, f64)| {
            let alarm = |seed: &u64| {
                let (figures, window) = figures(*seed, 8, of);
                !shifts_at(&figures, window, MARKER).is_empty()
            };
            (0..60).filter(alarm).count()
        };
        // With one in 1,000, two of 60 are less likely than one in 500.
        let stationary = alarms(&|endpoint, _| ([0.02, 0.1, 0.5][endpoint % 3], 0.1));
        assert!(stationary < 2, "{stationary} of 60");
        // What changes at another moment is no answer.
        let elsewhere = alarms(&|_, second| (0.2, if second >= 2400.0 + 330.0 { 0.7 } else { 0.02 }));
        assert!(elsewhere < 2, "{elsewhere} of 60");
    }

    #[test]
    fn what_is_too_new_or_out_of_the_range_is_not_told() {
        let (figures, window) = figures(1, 2, |_, second| (0.2, if second >= 2400.0 { 0.9 } else { 0.02 }));
        assert_eq!(shifts_at(&figures, window, window.to), []);
        assert_eq!(shifts_at(&figures, Window { to: MARKER.plus_us(20_000_000), ..window }, MARKER), []);
        assert!(!shifts_at(&figures, window, MARKER).is_empty());
        // A short range, a long one.
        let day = window_at(MARKER, RANGE, Timestamp(86_400_000_000));
        assert_eq!((day.from.0 / 60_000_000, day.to.0 / 60_000_000), (20, 60));
        let months = Window { to: Timestamp(90 * 86_400_000_000), bucket_us: 10_800_000_000, ..RANGE };
        assert_eq!(window_at(Timestamp(86_400_000_000), months, months.to).bucket_us, 120_000_000);
    }
}
