//! Measurements of the activities in memory for rules.

use super::baseline::{ActivityBaseline, Window, success};
use super::failures;
use super::machine::{Alert, Evaluation};
use super::metric;
use super::objectives::Objectives;
use super::rule::{ActivityMeasure, Group, Measured, OfActivities, Rule, Scope, ValueUnit};
use super::seen::EvaluationInput;
use crate::failure::Ledger;
use crate::insight::confidence::surely;
use crate::store::{Row, Store, Symbol};
use crosstail_core::filter::{Field, Filter, quote};
use crosstail_core::model::{Latencies, Status, Timestamp};
use foldhash::fast::FixedState;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Baselines by length of window, in microseconds, and by system.
pub(super) type Baselines = BTreeMap<i64, BTreeMap<String, ActivityBaseline>>;

/// What is known beside the activities in memory.
pub(super) struct Known<'a> {
    pub(super) baselines: &'a Baselines,
    /// The failures of the last two weeks; `None` while they are not known.
    pub(super) failures: Option<&'a Ledger>,
    pub(super) objectives: &'a Objectives,
    /// The alerts as they were.
    pub(super) active: &'a [Alert],
}

/// Evaluates all rules.
pub(super) fn evaluations<'r>(rules: &'r [Rule], known: &Known<'_>, seen: &EvaluationInput<'_>) -> Vec<Evaluation<'r>> {
    let unreachable = seen.sources.iter().any(|source| source.unreachable_since.is_some());
    let one = |rule: &'r Rule| {
        let mut evaluation = Evaluation { rule, measured: Vec::new(), blind: false };
        for scope in &rule.scopes {
            match scope {
                Scope::Activities(of) => {
                    evaluation.blind |= unreachable;
                    if let ActivityMeasure::Failures(state) = of.measure {
                        let groups = failures::measure((rule, of), state, known, seen);
                        evaluation.blind |= groups.is_none();
                        evaluation.measured.extend(groups.into_iter().flatten());
                    } else {
                        let measuring = Measuring { rule, of, seen, blind: unreachable };
                        evaluation.measured.extend(measuring.measure(known.baselines));
                    }
                }
                Scope::Metric(of) => {
                    evaluation.blind |= metric::is_blind(seen);
                    evaluation.measured.extend(metric::measure(rule, of, seen));
                }
                Scope::BurnRate(short_us) => {
                    let (measured, is_blind) = known.objectives.measure(rule, *short_us, seen.context.now);
                    evaluation.blind |= is_blind || unreachable;
                    evaluation.measured.extend(measured);
                }
                Scope::Unreachable => evaluation.measured.extend(unreachables(seen)),
            }
        }
        evaluation
    };
    // Some rules measure a quarter of an hour. All cores work, so that a key need not wait.
    rules.par_iter().map(one).collect()
}

/// How long each source has been unreachable, in milliseconds.
fn unreachables<'a>(seen: &'a EvaluationInput<'_>) -> impl Iterator<Item = Measured> + 'a {
    seen.sources.iter().map(|source| Measured {
        group: vec![("source".to_owned(), source.name.to_owned())],
        value: source.unreachable_since.map_or(0.0, |since| seen.context.now.since_us(since) as f64 / 1e3),
        count: 1,
        of: 0,
        may_be_chance: false,
        usual: String::new(),
        filter: format!("source:{}", quote(source.name)),
    })
}

/// A filter in parentheses where it needs them, for use in a longer one.
pub(super) fn part(filter: &Filter) -> String {
    match filter.clauses().len() {
        0 => String::new(),
        _ if filter.text().contains(char::is_whitespace) => format!("({})", filter.text()),
        _ => filter.text().to_owned(),
    }
}

/// State for measuring a condition on activities.
struct Measuring<'a> {
    rule: &'a Rule,
    of: &'a OfActivities,
    seen: &'a EvaluationInput<'a>,
    blind: bool,
}

impl Measuring<'_> {
    fn measure(&self, usual: &Baselines) -> Vec<Measured> {
        let store = self.seen.store;
        let start = self.seen.context.now.plus_us(-self.rule.window_us);
        let rows = store.rows_between(start..self.seen.until);
        let usual = usual.get(&self.rule.window_us);
        match &self.of.measure {
            ActivityMeasure::Silence => self.silent_systems(&by_system(store, rows), usual),
            ActivityMeasure::Drop => self.success_drops(&by_system(store, rows), usual),
            _ => {
                let kept = store.matching(rows, self.of.filter.predicate(&self.seen.context));
                let groups = store.partition(&self.of.by, &kept);
                groups.iter().filter_map(|(values, rows)| self.group(values, rows)).collect()
            }
        }
    }

    fn name(&self, values: &[String]) -> Group {
        self.of.by.iter().zip(values).map(|(field, value)| (field.name().to_owned(), value.clone())).collect()
    }

    /// The filter for the activities that caused a group's value.
    fn filter(&self, values: &[String], of: &str) -> String {
        let group = self.of.by.iter().zip(values).map(|(field, value)| format!("{}:{}", field.name(), quote(value)));
        let parts = group.chain([part(&self.of.filter), of.to_owned()]).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" ")
    }

    fn measured(&self, values: &[String], (value, count, of): (f64, u64, u64), filter: &str) -> Measured {
        let filter = self.filter(values, filter);
        let threshold = self.rule.threshold;
        let may_be_chance = matches!(self.of.measure, ActivityMeasure::Share(_))
            && threshold.above
            && !threshold.is_beyond(100.0 * surely(of, count));
        Measured { group: self.name(values), value, count, of, may_be_chance, usual: String::new(), filter }
    }

    fn group(&self, values: &[String], rows: &[Row]) -> Option<Measured> {
        let store = self.seen.store;
        let seconds = self.rule.window_us as f64 / 1e6;
        let count = rows.len() as u64;
        let took = || {
            let mut latencies = Latencies::default();
            rows.iter().filter_map(|row| store.took_us(*row)).for_each(|us| latencies.add(us));
            latencies
        };
        let slow = format!("latency>{}", ValueUnit::Milliseconds.text(self.rule.threshold.limit).replace(' ', ""));
        let figures = match &self.of.measure {
            ActivityMeasure::Count => ((count as f64, count, count), String::new()),
            ActivityMeasure::PerSecond => ((count as f64 / seconds, count, count), String::new()),
            ActivityMeasure::PerMinute => ((60.0 * count as f64 / seconds, count, count), String::new()),
            ActivityMeasure::Share(of) => {
                let finished: Vec<Row> = rows.iter().copied().filter(|row| store.is_finished(*row)).collect();
                let share = store.matching(&finished, of.predicate(&self.seen.context)).len() as u64;
                let all = finished.len() as u64;
                ((100.0 * share as f64 / all.max(1) as f64, all, share), part(of))
            }
            ActivityMeasure::Quantile(q) => {
                let latencies = took();
                ((latencies.quantile_ms(*q)?, latencies.count(), 0), slow)
            }
            ActivityMeasure::Mean => {
                let latencies = took();
                ((latencies.mean_ms()?, latencies.count(), 0), slow)
            }
            ActivityMeasure::Silence | ActivityMeasure::Drop | ActivityMeasure::Failures(_) => return None,
        };
        let (figures, of) = figures;
        (figures.1 >= self.of.at_least).then(|| self.measured(values, figures, &of))
    }

    /// Systems that normally have activities but have none in the window.
    fn silent_systems(
        &self,
        now: &BTreeMap<String, Window>,
        usual: Option<&BTreeMap<String, ActivityBaseline>>,
    ) -> Vec<Measured> {
        let one = |(system, usual): (&String, &ActivityBaseline)| {
            let spoke = usual.active_percent()?;
            let count = now.get(system).map_or(0, |window| window.count);
            // An unreachable store reports nothing, so its silence means nothing.
            if count == 0 && self.blind {
                return None;
            }
            let values = [system.clone()];
            let mut measured = self.measured(&values, (if count > 0 { 0.0 } else { spoke }, count, 0), "");
            measured.usual = format!("it was active in {spoke:.0} % of such windows in the last day");
            Some(measured)
        };
        usual.into_iter().flatten().filter_map(one).collect()
    }

    /// Systems whose success rate is below their baseline.
    fn success_drops(
        &self,
        now: &BTreeMap<String, Window>,
        usual: Option<&BTreeMap<String, ActivityBaseline>>,
    ) -> Vec<Measured> {
        let one = |(system, window): (&String, &Window)| {
            let usual = usual?.get(system)?;
            if window.concluded < self.of.at_least {
                return None;
            }
            let below = usual.deviations_below(*window)?;
            let (mean, _) = usual.success_percent()?;
            let now = success(*window)?;
            let figures = (below, window.concluded, window.failed);
            // The failures that were counted: a line of a log is none.
            let mut measured = self.measured(std::slice::from_ref(system), figures, "status:(failed, timeout)");
            // 99.7 % is not 100 %.
            let percent = |share: f64| if share > 99.0 { format!("{share:.1} %") } else { format!("{share:.0} %") };
            measured.usual = format!("success of {system} is {}, usually {}", percent(now), percent(mean));
            Some(measured)
        };
        now.iter().filter_map(one).collect()
    }
}

/// Counts of the rows by system.
fn by_system(store: &Store, rows: &[Row]) -> BTreeMap<String, Window> {
    let mut windows: HashMap<Symbol, Window, FixedState> = HashMap::default();
    for row in rows.iter().filter(|row| store.is_work(**row)) {
        let window = windows.entry(store.system(*row)).or_default();
        window.count += 1;
        if store.status(*row).is_some_and(Status::is_conclusion) {
            window.concluded += 1;
            window.failed += u64::from(store.is_failure(*row));
        }
    }
    windows.remove(&Symbol::ABSENT);
    windows.into_iter().map(|(symbol, window)| (store.symbols().get(symbol).to_owned(), window)).collect()
}

/// The filter of an alert, limited to the time from which it contains the activities that caused it.
pub fn behind(filter: &str, from: Timestamp, upto: Option<Timestamp>) -> String {
    let upto = upto.map(|at| at.rfc3339()).unwrap_or_default();
    format!("{filter} {}:{}..{upto}", Field::Time.name(), from.rfc3339()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Activity, Id, Level, Names};

    #[test]
    fn a_line_of_a_log_neither_succeeds_nor_fails() {
        let one = |n: i64, status: Option<Status>, level: Option<Level>| {
            let mut activity = Activity::new(Id::Text(format!("{n}").into()), Timestamp(n));
            (activity.system, activity.status, activity.level) = (Some("api".into()), status, level);
            activity
        };
        let mut store = Store::new(Names::default());
        store.ingest(vec![
            one(1, None, Some(Level::Error)),
            one(2, None, Some(Level::Info)),
            one(3, Some(Status::Failed), None),
            one(4, Some(Status::Success), None),
            one(5, Some(Status::Cancelled), None),
            one(6, Some(Status::InProgress), None),
        ]);
        let windows = by_system(&store, store.all_rows());
        assert_eq!(windows["api"], Window { count: 6, concluded: 2, failed: 1 });
    }
}
