//! Rules over what is in memory and what the sources measure: shared by the explorer and by `crosstail watch`.

mod measure;
mod metric;

use crosstail_core::filter::{Context, Field};
use crosstail_core::model::{Timestamp, Vitals};
use crosstail_engine::insight::alerting::{
    ActivityBaseline, AlertChange, Alerts, Evaluation, Rule, Scope, Silence, Window,
};
use crosstail_engine::store::Store;
use crosstail_source::{Grouping, Groups};
pub use measure::behind;
use measure::evaluations;
use std::collections::BTreeMap;

/// Rules are evaluated this often, in microseconds.
pub const EVERY_US: i64 = 10_000_000;
/// Steps in which the past is gone through.
const STEP_US: i64 = 30_000_000;
/// So much of the past is gone through at the beginning, in microseconds.
pub const CATCH_UP_US: i64 = 900_000_000;
/// What is usual is looked up this often, over so long.
const USUAL_EVERY_US: i64 = 3_600_000_000;
const USUAL_OVER_US: i64 = 86_400_000_000;
/// Soon again after it could not be looked up.
const USUAL_AGAIN_US: i64 = 60_000_000;

/// A source as rules see it.
pub struct SourceSnapshot<'a> {
    /// Its name.
    pub name: &'a str,
    /// Since when it cannot be read; `None`: it can.
    pub unreachable_since: Option<Timestamp>,
    /// What it measures.
    pub vitals: &'a Vitals,
}

/// What rules are evaluated over.
pub struct EvaluationInput<'a> {
    /// The present, and the zone of times in filters.
    pub context: Context,
    /// Activities of the longest window of a rule, at least.
    pub store: &'a Store,
    /// Activities that began later are not seen: those of clocks that are ahead are, unless the past is looked at.
    pub until: Timestamp,
    /// The sources.
    pub sources: Vec<SourceSnapshot<'a>>,
}

/// Figures that are asked of the sources.
#[derive(Debug, Clone, PartialEq)]
pub struct FiguresQuery {
    /// Not before.
    pub since: Timestamp,
    /// Before.
    pub until: Timestamp,
    /// How they are grouped.
    pub grouping: Grouping,
}

/// Rules, and what they found.
#[derive(Debug, Default)]
pub struct Alerting {
    /// The rules.
    pub rules: Vec<Rule>,
    /// What they found.
    pub alerts: Alerts,
    /// What nobody is to be told of.
    pub silences: Vec<Silence>,
    /// What is usual, by length of window and system.
    baselines: BTreeMap<i64, BTreeMap<String, ActivityBaseline>>,
    evaluated_at: Option<Timestamp>,
    /// When it is to be asked for again, and how often it was.
    asked_at: BTreeMap<i64, (Timestamp, u32)>,
}

impl Alerting {
    /// Over rules, with nothing found yet.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Whether the rules were evaluated at all.
    pub fn has_started(&self) -> bool {
        self.evaluated_at.is_some()
    }

    /// Whether it is time to evaluate the rules.
    pub fn is_due(&self, now: Timestamp) -> bool {
        !self.rules.is_empty() && self.evaluated_at.is_none_or(|at| now.since_us(at) >= EVERY_US)
    }

    /// Evaluates the rules; gives what has to be told.
    pub fn evaluate(&mut self, seen: &EvaluationInput<'_>) -> Vec<AlertChange> {
        let now = seen.context.now;
        self.evaluated_at = Some(now);
        self.silences.retain(|silence| now < silence.until);
        let evaluations = evaluations(&self.rules, &self.baselines, seen);
        self.alerts.evaluate(now, &evaluations, &self.silences)
    }

    /// Goes through the time before now as if it had been watched, so that what holds for long already need not begin to.
    /// Nothing is told of it but that an alert that was told before is over.
    pub fn catch_up(&mut self, store: &Store, context: Context, since: Timestamp) -> Vec<AlertChange> {
        let everything =
            Silence { rule: "*".to_owned(), group: "*".to_owned(), until: Timestamp(i64::MAX), why: String::new() };
        let silences = std::mem::replace(&mut self.silences, vec![everything]);
        // What sources measured then is not known: rules over that alone begin now.
        let looks = |rule: &Rule| rule.scopes.iter().any(|scope| matches!(scope, Scope::Activities(_)));
        let (rules, others): (Vec<Rule>, Vec<Rule>) = std::mem::take(&mut self.rules).into_iter().partition(looks);
        let partly = |rule: &Rule| rule.scopes.len() > 1;
        let mut changes = Vec::new();
        let mut at = since;
        while at < context.now {
            let seen =
                EvaluationInput { context: Context { now: at, ..context }, store, until: at, sources: Vec::new() };
            let mut evaluations = evaluations(&rules, &self.baselines, &seen);
            for evaluation in &mut evaluations {
                evaluation.blind |= partly(evaluation.rule);
            }
            let unknown = |rule| Evaluation { rule, measured: Vec::new(), blind: true };
            evaluations.extend(others.iter().map(unknown));
            changes.extend(self.alerts.evaluate(at, &evaluations, &self.silences));
            at = at.plus_us(STEP_US);
        }
        self.rules = rules.into_iter().chain(others).collect();
        self.silences = silences;
        changes
    }

    /// The longest time that rules look back, in microseconds.
    pub fn lookback_us(&self) -> i64 {
        self.rules.iter().map(|rule| rule.window_us).max().unwrap_or(0)
    }

    /// The length of window whose usual figures are to be looked up now, and the question.
    pub fn request_baseline(&mut self, now: Timestamp) -> Option<(i64, FiguresQuery)> {
        let windows = self.rules.iter().filter(|rule| rule.needs_usual()).map(|rule| rule.window_us);
        let due = |window: &i64| self.asked_at.get(window).is_none_or(|(again, _)| now >= *again);
        let window_us = windows.into_iter().find(due)?;
        let times = self.asked_at.get(&window_us).map_or(0, |(_, times)| *times);
        // Once more soon after the first time: a store may still be filled then.
        let wait = if times == 0 { USUAL_AGAIN_US } else { USUAL_EVERY_US };
        self.asked_at.insert(window_us, (now.plus_us(wait), times + 1));
        // The windows before the present one, on whole multiples of their length.
        let until = Timestamp((now.0 - window_us).div_euclid(window_us) * window_us);
        let since = Timestamp((until.0 - USUAL_OVER_US).div_euclid(window_us) * window_us);
        let grouping = Grouping { by: vec![Field::System], bucket_us: Some(window_us) };
        Some((window_us, FiguresQuery { since, until, grouping }))
    }

    /// Takes the answer; `None`: there was none.
    pub fn set_baseline(&mut self, window_us: i64, groups: Option<&Groups>, now: Timestamp) {
        let Some(groups) = groups else {
            self.asked_at.insert(window_us, (now.plus_us(USUAL_AGAIN_US), 0));
            return;
        };
        let times = || groups.keys().filter_map(|(_, at)| *at);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return };
        let windows = (last.since_us(first) / window_us + 1) as u64;
        let mut by_system: BTreeMap<String, Vec<Window>> = BTreeMap::new();
        for ((values, _), figures) in groups {
            if let Some(Some(system)) = values.first() {
                let finished = figures.count - figures.open;
                let window = Window { count: figures.count, finished, failed: figures.failed };
                by_system.entry(system.clone()).or_default().push(window);
            }
        }
        let usual =
            by_system.into_iter().map(|(system, filled)| (system, ActivityBaseline::of(filled, windows))).collect();
        self.baselines.insert(window_us, usual);
    }
}
