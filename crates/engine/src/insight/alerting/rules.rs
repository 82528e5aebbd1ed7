//! Evaluates rules over the activities in memory and the metrics of sources, for the explorer and for `crosstail
//! watch`.

use super::baseline::{ActivityBaseline, Window};
use super::machine::{AlertChange, Alerts, Evaluation, Silence};
use super::measure::{Known, evaluations};
use super::objectives::Objectives;
use super::rule::{Rule, Scope};
use super::seen::EvaluationInput;
use crate::failure::{KnownFailures, Ledger};
use crate::store::Store;
use crosstail_core::filter::{Context, Field};
use crosstail_core::model::Timestamp;
use crosstail_core::number::saturating_u64;
use crosstail_source::{FiguresQuery, Grouping, Groups, Measures};
use std::collections::BTreeMap;

/// Interval of evaluations, in microseconds.
pub const EVERY_US: i64 = 10_000_000;
/// Interval of evaluations of the past, in microseconds.
const STEP_US: i64 = 30_000_000;
/// How much of the past is evaluated at the start, in microseconds.
pub const CATCH_UP_US: i64 = 900_000_000;
/// How often baselines are computed, and over which time, in microseconds.
const USUAL_EVERY_US: i64 = 3_600_000_000;
const USUAL_OVER_US: i64 = 86_400_000_000;
/// How soon a failed computation of a baseline is repeated, in microseconds.
const USUAL_AGAIN_US: i64 = 60_000_000;

/// The rules and their alerts.
#[derive(Debug, Default)]
pub struct Alerting {
    pub rules: Vec<Rule>,
    pub alerts: Alerts,
    pub silences: Vec<Silence>,
    pub objectives: Objectives,
    /// Baselines by length of window, in microseconds, and by system.
    baselines: BTreeMap<i64, BTreeMap<String, ActivityBaseline>>,
    evaluated_at: Option<Timestamp>,
    /// By length of window: when the baseline is requested next, and the number of requests so far.
    asked_at: BTreeMap<i64, (Timestamp, u32)>,
    /// The failures of the last two weeks, once the stores have said which there were.
    failures: Option<Box<Ledger>>,
    /// When the stores are asked for them next, and how often they have been.
    failures_asked: (Option<Timestamp>, i64),
}

impl Alerting {
    /// Starts without alerts.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Whether the rules have been evaluated at least once.
    pub fn has_started(&self) -> bool {
        self.evaluated_at.is_some()
    }

    /// Whether it is time to evaluate the rules.
    pub fn is_due(&self, now: Timestamp) -> bool {
        !self.rules.is_empty() && self.evaluated_at.is_none_or(|at| now.since_us(at) >= EVERY_US)
    }

    /// Evaluates the rules; returns the changes to notify about.
    pub fn evaluate(&mut self, seen: &EvaluationInput<'_>) -> Vec<AlertChange> {
        let now = seen.context.now;
        self.evaluated_at = Some(now);
        self.silences.retain(|silence| now < silence.until);
        let window_us = self.group_window_us();
        if let Some(ledger) = &mut self.failures {
            ledger.follow(seen.store, now.plus_us(-window_us)..seen.until, now);
        }
        self.objectives.follow(seen);
        let (baselines, failures) = (&self.baselines, self.failures.as_deref());
        let known = Known { baselines, failures, objectives: &self.objectives, active: &self.alerts.active };
        let evaluations = evaluations(&self.rules, &known, seen);
        self.alerts.evaluate(now, &evaluations, &self.silences)
    }

    /// Evaluates the time before now as if crosstail had been running, so that a condition that has held for long need
    /// not start again. Returns only resolutions of alerts that were notified before.
    pub fn catch_up(&mut self, store: &Store, context: Context, since: Timestamp) -> Vec<AlertChange> {
        let everything =
            Silence { rule: "*".to_owned(), group: "*".to_owned(), until: Timestamp(i64::MAX), why: String::new() };
        let silences = std::mem::replace(&mut self.silences, vec![everything]);
        // Earlier metrics are unknown, so rules on metrics alone start now.
        let looks = |rule: &Rule| {
            !rule.needs_known_failures() && rule.scopes.iter().any(|scope| matches!(scope, Scope::Activities(_)))
        };
        let (rules, others): (Vec<Rule>, Vec<Rule>) = std::mem::take(&mut self.rules).into_iter().partition(looks);
        let partly = |rule: &Rule| rule.scopes.len() > 1;
        let mut changes = Vec::new();
        let mut at = since;
        while at < context.now {
            let seen = EvaluationInput {
                context: Context { now: at, ..context },
                store,
                until: at,
                held_from: at,
                sources: Vec::new(),
            };
            let (baselines, objectives) = (&self.baselines, &self.objectives);
            let known = Known { baselines, failures: None, objectives, active: &self.alerts.active };
            let mut evaluations = evaluations(&rules, &known, &seen);
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

    /// How far back the rules measure, in microseconds.
    pub fn lookback_us(&self) -> i64 {
        // What is counted for objectives is kept as counts.
        let counts = |rule: &&Rule| rule.scopes.iter().all(|scope| matches!(scope, Scope::BurnRate(_)));
        self.rules.iter().filter(|rule| !counts(rule)).map(|rule| rule.window_us).max().unwrap_or(0)
    }

    /// The longest window of a rule on groups of failures, in microseconds; 0 without such a rule.
    fn group_window_us(&self) -> i64 {
        self.rules.iter().filter(|rule| rule.needs_known_failures()).map(|rule| rule.window_us).max().unwrap_or(0)
    }

    /// The moment up to which the stores are to be asked what has failed in the two weeks before, if that is due.
    pub fn request_known_failures(&mut self, now: Timestamp) -> Option<Timestamp> {
        let window_us = self.group_window_us();
        let (next, times) = self.failures_asked;
        if window_us == 0 || next.is_some_and(|next| now < next) {
            return None;
        }
        // An answer may leave something out: so again, and then more and more rarely.
        let wait = (EVERY_US * (times + 1) * (times + 1)).min(USUAL_EVERY_US);
        self.failures_asked = (Some(now.plus_us(wait)), times + 1);
        Some(now.plus_us(-window_us))
    }

    /// Sets what has failed before a moment; `None` where the query failed.
    pub fn set_known_failures(&mut self, until: Timestamp, known: Option<&KnownFailures>) {
        let Some(known) = known else { return };
        match &mut self.failures {
            Some(ledger) => ledger.learn(known),
            None => self.failures = Some(Box::new(Ledger::new(known, until))),
        }
        if known.is_final {
            self.failures_asked.0 = Some(Timestamp(i64::MAX));
        }
    }

    /// The length of window whose baseline is due now, and the query for it.
    pub fn request_baseline(&mut self, now: Timestamp) -> Option<(i64, FiguresQuery)> {
        let windows = self.rules.iter().filter(|rule| rule.needs_usual()).map(|rule| rule.window_us);
        let due = |window: &i64| self.asked_at.get(window).is_none_or(|(again, _)| now >= *again);
        let window_us = windows.into_iter().find(due)?;
        let times = self.asked_at.get(&window_us).map_or(0, |(_, times)| *times);
        // Again soon after the first time, because the store may still have been loading.
        let wait = if times == 0 { USUAL_AGAIN_US } else { USUAL_EVERY_US };
        self.asked_at.insert(window_us, (now.plus_us(wait), times + 1));
        // The windows before the present one start at multiples of their length.
        let until = Timestamp((now.0 - window_us).div_euclid(window_us) * window_us);
        let since = Timestamp((until.0 - USUAL_OVER_US).div_euclid(window_us) * window_us);
        let by = vec![Field::System];
        let grouping = Grouping { by, bucket_us: Some(window_us), measures: Measures::Outcomes, ..Grouping::default() };
        Some((window_us, FiguresQuery { since, until, grouping }))
    }

    /// Sets the baseline from the result of the query; `None` where the query failed.
    pub fn set_baseline(&mut self, window_us: i64, groups: Option<&Groups>, now: Timestamp) {
        let Some(groups) = groups else {
            self.asked_at.insert(window_us, (now.plus_us(USUAL_AGAIN_US), 0));
            return;
        };
        let times = || groups.keys().filter_map(|(_, at)| *at);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return };
        let windows = saturating_u64(last.since_us(first) / window_us + 1);
        let mut by_system: BTreeMap<String, Vec<Window>> = BTreeMap::new();
        for ((values, _), figures) in groups {
            if let Some(Some(system)) = values.first() {
                let (count, concluded) = (figures.count, figures.concluded);
                let window = Window { count, concluded, failed: concluded - figures.succeeded.min(concluded) };
                by_system.entry(system.clone()).or_default().push(window);
            }
        }
        let usual =
            by_system.into_iter().map(|(system, filled)| (system, ActivityBaseline::of(filled, windows))).collect();
        self.baselines.insert(window_us, usual);
    }
}
