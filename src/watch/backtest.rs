//! What the rules would have said about a stretch of the past.
//!
//! The history is replayed as a watch would have seen it: an activity is there when it begins, and its outcome when it ends.
//! The rules are evaluated as often as `watch` does, with the baselines of their time. Of metrics there is no past: rules that
//! measure only them stay silent, and are named.

use super::notification::Notification;
use super::process::without_old;
use crate::runtime::{MergedHistory, Recall, Work, count_objective, figures_of, known_failures};
use crosstail_core::filter::Context;
use crosstail_core::model::{Activity, Names, SourceId, Status, Timestamp, Tz};
use crosstail_engine::failure::KnownFailures;
use crosstail_engine::insight::alerting::{
    AlertChange, Alerting, CATCH_UP_US, EVERY_US, EvaluationInput, Objectives, Rule, Scope,
};
use crosstail_engine::insight::objective::Objective;
use crosstail_engine::store::Store;
use crosstail_source::{PageQuery, Source, SourceError};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Activities per page of a source.
const PAGE: usize = 5000;

/// What a backtest reads, and by which rules.
pub struct Backtest<'a> {
    pub sources: &'a [(SourceId, Arc<dyn Source>)],
    pub names: &'a Names,
    /// The zone of times in rules.
    pub zone: Tz,
    pub rules: Vec<Rule>,
    pub objectives: Vec<Objective>,
    pub work: &'a Work,
    /// Where what has failed is remembered.
    pub recall: &'a Recall,
}

/// What came of it.
pub struct Backtested {
    /// What changed, and when, in order.
    pub changes: Vec<(Timestamp, Vec<AlertChange>)>,
    /// Rules that measure only metrics.
    pub silent: Vec<String>,
    /// The sources that could not be read.
    pub problems: Vec<SourceError>,
}

impl Backtested {
    /// The notifications that a watch would have sent.
    pub fn notifications(&self) -> impl Iterator<Item = Notification> {
        self.changes.iter().flat_map(|(at, changes)| Notification::of(changes.clone(), *at))
    }
}

/// Replays the activities that started from `since` to `until`, both evaluated.
pub async fn backtest(what: Backtest<'_>, since: Timestamp, until: Timestamp) -> anyhow::Result<Backtested> {
    let Backtest { sources, names, zone, rules, objectives, work, recall } = what;
    let has_past = |scope: &Scope| matches!(scope, Scope::Activities(_) | Scope::BurnRate(_));
    let is_of_metrics = |rule: &&Rule| !rule.scopes.iter().any(has_past);
    let silent = rules.iter().filter(is_of_metrics).map(|rule| rule.name.clone()).collect();
    let mut alerting = Alerting::new(rules);
    alerting.objectives = Objectives::new(objectives);
    let lookback = alerting.lookback_us() + CATCH_UP_US;
    let mut past = Past::new(names.clone());
    let query = PageQuery {
        context: Context { now: until, zone },
        since: Some(since.plus_us(-lookback)),
        until: Some(until.plus_us(1)),
        newest_first: false,
        ..PageQuery::all(PAGE)
    };
    let mut history = MergedHistory::new(sources, work, names, query).partial();
    let mut next = history.next().await?;
    let (mut changes, mut at) = (Vec::new(), since);
    while at <= until {
        while let Some(activity) = next.take_if(|activity| activity.started_at <= at) {
            past.begins(activity);
            next = history.next().await?;
        }
        past.is(at);
        let context = Context { now: at, zone };
        let mut changed = Vec::new();
        if !alerting.has_started() {
            changed = alerting.catch_up(&past.store, context, at.plus_us(-CATCH_UP_US));
        }
        if let Some(until) = alerting.request_known_failures(at) {
            let known = known_failures(sources, work, names, context, until, recall).await?;
            alerting.set_known_failures(until, Some(&KnownFailures { is_final: true, ..known }));
        }
        let (until, held_from) = (Timestamp(i64::MAX), at.plus_us(-lookback));
        while let Some(query) = alerting.objectives.request(at, held_from) {
            let counts = count_objective(sources, work, context, &query).await.map_err(anyhow::Error::msg)?;
            alerting.objectives.answer(&query, Some(&counts));
        }
        let seen = EvaluationInput { context, store: &past.store, until, held_from, sources: Vec::new() };
        changed.extend(alerting.evaluate(&seen));
        if !changed.is_empty() {
            changes.push((at, changed));
        }
        while let Some((window_us, asked)) = alerting.request_baseline(at) {
            let groups = figures_of(sources, work, names, context, &asked).await.ok();
            alerting.set_baseline(window_us, groups.as_ref(), at);
            if groups.is_none() {
                break;
            }
        }
        past.forget(at.plus_us(-lookback));
        at = at.plus_us(EVERY_US);
    }
    Ok(Backtested { changes, silent, problems: history.problems().to_vec() })
}

/// The activities, as they were known at a moment.
struct Past {
    names: Names,
    store: Store,
    /// What has begun and is not in the store.
    begun: Vec<Activity>,
    /// What is under way, by its end.
    running: BTreeMap<Reverse<Timestamp>, Vec<Activity>>,
}

impl Past {
    fn new(names: Names) -> Self {
        Self { store: Store::new(names.clone()), names, begun: Vec::new(), running: BTreeMap::new() }
    }

    fn begins(&mut self, activity: Activity) {
        match activity.completed_at {
            Some(end) if end > activity.started_at && activity.status.is_some() => {
                self.begun.push(under_way(&activity));
                self.running.entry(Reverse(end)).or_default().push(activity);
            }
            _ => self.begun.push(activity),
        }
    }

    /// Moves to a moment: what has ended by then has its outcome.
    fn is(&mut self, at: Timestamp) {
        let mut batch = std::mem::take(&mut self.begun);
        // The first are those that end last.
        let ended = self.running.split_off(&Reverse(at));
        batch.extend(ended.into_values().rev().flatten());
        if !batch.is_empty() {
            self.store.ingest(batch);
        }
        self.store.follow_operations();
    }

    fn forget(&mut self, before: Timestamp) {
        if let Some(store) = without_old(&self.store, &self.names, before) {
            self.store = store;
        }
    }
}

/// An activity before its end.
fn under_way(activity: &Activity) -> Activity {
    Activity {
        status: Some(Status::InProgress),
        http_status: None,
        completed_at: None,
        duration_us: None,
        error: None,
        error_type: None,
        error_at: None,
        next_retry_at: None,
        ..activity.clone()
    }
}
