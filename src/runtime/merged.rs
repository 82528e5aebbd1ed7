//! Merges the history of several sources into one sequence in order of time. The records that several sources have of one
//! request are joined before the filter is applied, because one source may have fields that another lacks.
//!
//! A source that finds ids is asked for one clause of the filter only ([`witness`]); what it finds is completed from the
//! others by id. A source that does not find ids is read whole within the range of time, so its records are there when they
//! are needed.

use super::complete::by_ids;
use super::load::kept_whole;
use super::outcomes::{self, Lookup, Reach};
use super::{Work, keeps_whole};
use anyhow::Result;
use crosstail_core::filter::{Context, Expr, Field, Filter, NamedRecord, Predicate};
use crosstail_core::model::{Activity, Id, Names, SourceId, Timestamp};
use crosstail_engine::store::{Row, Store};
use crosstail_engine::window::{Bounds, witness};
use crosstail_source::{Cursor, Job, PageQuery, Source, SourceError, for_all};
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::Arc;

/// The records that sources have of one request start at most this far apart, in microseconds.
pub(super) const MAX_SKEW_US: i64 = 15 * 60 * 1_000_000;
/// Activities per page of a source.
const PAGE: usize = 5000;
/// Activities in memory above which those that can no longer be joined are evicted.
const MAX_BUFFERED: usize = 60_000;

/// The merged sequence.
pub struct MergedHistory<'a> {
    query: PageQuery,
    predicate: Predicate,
    /// When what the filter keeps can have started.
    bounds: Bounds,
    names: &'a Names,
    sources: &'a [(SourceId, Arc<dyn Source>)],
    work: Work,
    store: Store,
    streams: Vec<Stream<'a>>,
    /// Whether what a stream delivers has to be completed from the others, and which of it.
    complete: Option<Predicate>,
    ready: VecDeque<Activity>,
    /// Everything before this time, in the requested order, has been emitted.
    emitted: Option<Timestamp>,
    /// Hashes of the ids of evicted activities, so that a late record of one is not emitted again.
    forgotten: HashSet<u64>,
    /// The last activity that an earlier run emitted.
    after: Option<Cursor>,
    ended: bool,
    /// Whether to go on without the sources that fail.
    partial: bool,
    /// The errors of the sources that failed.
    problems: Vec<SourceError>,
    /// What became of the failed attempts among what is found, where that is asked for.
    outcomes: Option<Outcomes>,
}

/// What a sequence asks, for others who ask on its behalf.
pub(super) struct Asked<'a> {
    pub(super) sources: &'a [(SourceId, Arc<dyn Source>)],
    pub(super) work: &'a Work,
    pub(super) names: &'a Names,
    pub(super) context: Context,
}

struct Stream<'a> {
    id: SourceId,
    source: &'a Arc<dyn Source>,
    job: Job,
    /// What the source is asked for.
    filter: Filter,
    finds_ids: bool,
    cursor: Option<Cursor>,
    /// Start of the last activity read.
    reached: Option<Timestamp>,
    ended: bool,
}

impl<'a> MergedHistory<'a> {
    /// The activities of several sources that match a query.
    pub fn new(sources: &'a [(SourceId, Arc<dyn Source>)], work: &Work, names: &'a Names, query: PageQuery) -> Self {
        let judge = query.filter.expr().names(Field::Final).then(|| query.filter.predicate(&query.context));
        // What is judged later is read in whole pages, however little is wanted of it.
        let limit = if judge.is_some() { query.limit.max(PAGE) } else { query.limit };
        let query = PageQuery { filter: outcomes::implied(&query.filter), limit, ..query };
        let predicate = query.filter.predicate(&query.context);
        let asked = witness(query.filter.expr());
        let stream = |(id, source): &'a (SourceId, Arc<dyn Source>)| {
            let finds_ids = source.capabilities().finds_ids;
            let filter = if finds_ids { Filter::of(asked.clone()) } else { Filter::default() };
            Stream { id: *id, source, job: work.job(*id), filter, finds_ids, cursor: None, reached: None, ended: false }
        };
        let streams: Vec<_> = sources.iter().map(stream).collect();
        let needed = asked != Expr::All && streams.iter().any(|stream| stream.finds_ids);
        let complete = needed.then(|| Filter::of(asked).predicate(&query.context));
        let (since, until) = predicate.time_bounds().unwrap_or_default();
        let until = [query.until, until].into_iter().flatten().min();
        Self {
            predicate,
            bounds: Bounds { since: query.since.max(since), until },
            names,
            sources,
            work: work.clone(),
            store: Store::new(names.clone()),
            streams,
            complete,
            ready: VecDeque::new(),
            emitted: None,
            forgotten: HashSet::new(),
            after: None,
            ended: false,
            partial: false,
            problems: Vec::new(),
            outcomes: judge.map(|judge| Outcomes::new(Some(judge))),
            query,
        }
    }

    /// Goes on without a source that fails, as long as another is left.
    #[must_use]
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Looks up what became of failed attempts, whatever the filter.
    #[must_use]
    pub fn with_outcomes(mut self) -> Self {
        self.outcomes.get_or_insert_with(|| Outcomes::new(None));
        self
    }

    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { sources: self.sources, work: &self.work, names: self.names, context: self.query.context }
    }

    /// Takes the errors of questions that were asked on its behalf.
    pub(super) fn add_problems(&mut self, problems: Vec<SourceError>) -> Result<()> {
        for problem in problems {
            let id =
                self.sources.iter().map(|(id, _)| *id).find(|id| *self.names.source_name(*id) == problem.source_name);
            self.fail(id.unwrap_or_default(), problem)?;
        }
        Ok(())
    }

    /// The errors of the sources that it went on without.
    pub fn problems(&self) -> &[SourceError] {
        &self.problems
    }

    /// Goes on without a source, or ends with its error.
    fn fail(&mut self, id: SourceId, error: SourceError) -> Result<()> {
        let failed = self.problems.iter().any(|known| known.source_name == error.source_name);
        let left = self.streams.len() - self.problems.len();
        if !self.partial || (!failed && left <= 1) {
            return Err(error.into());
        }
        if !failed {
            self.problems.push(error);
        }
        self.streams.iter_mut().filter(|stream| stream.id == id).for_each(|stream| stream.ended = true);
        Ok(())
    }

    /// Resumes after the last activity of an earlier run.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        if let ([stream], Some(cursor)) = (self.streams.as_mut_slice(), &cursor) {
            stream.cursor = Some(cursor.clone());
        } else if let Some(cursor) = &cursor {
            let (at, bounds) = (cursor.at(), &mut self.bounds);
            if self.query.newest_first {
                bounds.until = [bounds.until, Some(at.plus_us(1))].into_iter().flatten().min();
            } else {
                bounds.since = bounds.since.max(Some(at));
            }
        }
        self.after = cursor;
        self
    }

    /// The next activity that matches the filter; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Activity>> {
        let Some(mut outcomes) = self.outcomes.take() else { return self.next_found().await };
        let next = outcomes.next(self).await;
        self.outcomes = Some(outcomes);
        next
    }

    /// The next activity, whatever became of it.
    pub(super) async fn next_found(&mut self) -> Result<Option<Activity>> {
        if self.streams.len() == 1 {
            return self.next_from_single().await;
        }
        while self.ready.is_empty() && !self.ended {
            if self.predicate.needs_payload() {
                self.match_by_payload().await?;
            } else {
                self.read_next_page().await?;
            }
        }
        Ok(self.ready.pop_front())
    }

    /// A single source needs no joining, so its store applies the filter.
    async fn next_from_single(&mut self) -> Result<Option<Activity>> {
        let stream = &mut self.streams[0];
        while self.ready.is_empty() && !stream.ended {
            let page = stream.source.page(&self.query, stream.cursor.as_ref(), &stream.job).await?;
            self.ready.extend(page.items);
            stream.ended = page.next.is_none();
            stream.cursor = page.next;
        }
        Ok(self.ready.pop_front())
    }

    /// A query for records of one request, any of which may start some time before or after the joined activity.
    fn records(&self, filter: Filter) -> PageQuery {
        let since = self.bounds.since.map(|at| at.plus_us(-MAX_SKEW_US));
        let until = self.bounds.until.map(|at| at.plus_us(MAX_SKEW_US));
        PageQuery { filter, since, until, limit: PAGE, ..self.query.clone() }
    }

    /// Whether a joined activity is in the range, and an earlier run has not emitted it.
    fn is_due(&self, at: Timestamp, id: impl FnOnce() -> String) -> bool {
        let Bounds { since, until } = self.bounds;
        since.is_none_or(|since| at >= since)
            && until.is_none_or(|until| at < until)
            && self.after.as_ref().is_none_or(|after| after.is_before(at, &id(), self.query.newest_first))
    }

    /// Reads a page of the source that is furthest behind, and emits the activities that are complete.
    async fn read_next_page(&mut self) -> Result<()> {
        let newest_first = self.query.newest_first;
        let order = |at: Timestamp| if newest_first { -at.0 } else { at.0 };
        let open = self.streams.iter().enumerate().filter(|(_, stream)| !stream.ended);
        let behind = open.min_by_key(|(_, stream)| stream.reached.map_or(i64::MIN, order)).map(|(index, _)| index);
        if let Some(index) = behind {
            let query = self.records(self.streams[index].filter.clone());
            let stream = &mut self.streams[index];
            match stream.source.page(&query, stream.cursor.as_ref(), &stream.job).await {
                Ok(page) => {
                    stream.reached = page.items.last().map(|a| a.started_at).or(stream.reached);
                    stream.ended = page.next.is_none();
                    stream.cursor = page.next;
                    self.take(index, page.items).await?;
                }
                Err(error) => {
                    let id = stream.id;
                    self.fail(id, error)?;
                }
            }
        }
        let open = self.streams.iter().filter(|stream| !stream.ended);
        let complete = match open.map(|stream| stream.reached.map_or(i64::MIN, order)).min() {
            Some(i64::MIN) => return Ok(()),
            Some(reached) => reached - MAX_SKEW_US,
            None => {
                self.ended = true;
                i64::MAX
            }
        };
        self.emit(complete);
        if self.store.len() > MAX_BUFFERED {
            self.evict();
        }
        Ok(())
    }

    /// Takes what a stream delivered, and what the other sources have of the same requests.
    async fn take(&mut self, index: usize, items: Vec<Activity>) -> Result<()> {
        let hash = |id: &Id| foldhash::quality::FixedState::default().hash_one(id);
        let known = |activity: &Activity| !self.forgotten.contains(&hash(&activity.id));
        let items: Vec<_> = items.into_iter().filter(|a| self.forgotten.is_empty() || known(a)).collect();
        let wanted: Vec<Id> = match &self.complete {
            None => Vec::new(),
            Some(asked) => {
                let keeps = |a: &&Activity| asked.keeps(&NamedRecord { activity: a, names: self.names, payload: None });
                items.iter().filter(keeps).map(|activity| activity.id.clone()).collect()
            }
        };
        self.store.ingest(items);
        if !wanted.is_empty() {
            let own = self.streams[index].id;
            let others = self.completed(&wanted, |stream| stream.finds_ids && stream.id != own).await?;
            self.store.ingest(others);
        }
        Ok(())
    }

    /// The records that some of the sources have of requests, by id.
    async fn completed(&mut self, ids: &[Id], of: impl Fn(&Stream<'_>) -> bool) -> Result<Vec<Activity>> {
        let failed = |stream: &&Stream<'_>| {
            let name = self.names.source_name(stream.id);
            self.problems.iter().any(|problem| problem.source_name == *name)
        };
        let open = self.streams.iter().filter(|stream| of(stream) && !failed(stream));
        let open = open.map(|stream| (stream.id, stream.source.as_ref(), stream.job.clone()));
        let mut all = Vec::new();
        for (id, answer) in by_ids(open, ids, &self.records(Filter::default())).await {
            match answer {
                Ok(found) => all.extend(found),
                Err(error) => self.fail(id, error)?,
            }
        }
        Ok(all)
    }

    /// Emits what starts before `complete`, in the requested order: every record of it is there.
    fn emit(&mut self, complete: i64) {
        let newest_first = self.query.newest_first;
        let order = |at: Timestamp| if newest_first { -at.0 } else { at.0 };
        let store = &self.store;
        let given = self.emitted.map_or(i64::MIN, order);
        let rows = store.all_rows();
        let due = |row: &Row| (given..complete).contains(&order(store.started(*row)));
        // Rows are in order of time, so the complete ones are contiguous.
        let first = rows.partition_point(|row| !due(row) && (order(store.started(*row)) < given) != newest_first);
        let stretch = rows[first..].iter().take_while(|row| due(row)).map(|row| store.get(*row));
        let keeps = |a: &Activity| self.predicate.keeps(&NamedRecord { activity: a, names: self.names, payload: None });
        let found = stretch.filter(|a| self.is_due(a.started_at, || a.id.to_string()) && keeps(a)).collect();
        self.ready.extend(sorted(found, newest_first));
        self.emitted = Some(Timestamp(if newest_first { complete.saturating_neg() } else { complete }));
    }

    /// Evicts activities emitted long ago, so that memory does not grow with the length of history.
    fn evict(&mut self) {
        let newest_first = self.query.newest_first;
        let Some(given) = self.emitted else { return };
        let is_old = |at: Timestamp| {
            if newest_first {
                at.0 > given.0.saturating_add(MAX_SKEW_US)
            } else {
                at.0 < given.0.saturating_sub(MAX_SKEW_US)
            }
        };
        let held = std::mem::replace(&mut self.store, Store::new(self.names.clone()));
        let (mut kept, hasher) = (Vec::new(), foldhash::quality::FixedState::default());
        for row in held.all_rows() {
            if is_old(held.started(*row)) {
                self.forgotten.insert(hasher.hash_one(held.get(*row).id));
            } else {
                kept.push(held.get(*row));
            }
        }
        self.store.ingest(kept);
    }

    /// Of a filter on payloads: asks every source for the clause, completes what they find, and judges each by its joined
    /// payload. Memory holds what the clause finds.
    async fn match_by_payload(&mut self) -> Result<()> {
        self.ended = true;
        let asked = Filter::of(witness(self.query.filter.expr()));
        let query = self.records(asked);
        for index in 0..self.streams.len() {
            let stream = &self.streams[index];
            let mut found = Vec::new();
            let answer = for_all(stream.source.as_ref(), &query, &stream.job, |activity| found.push(activity)).await;
            let id = stream.id;
            self.store.ingest(found);
            if let Err(error) = answer {
                self.fail(id, error)?;
            }
        }
        let ids: Vec<Id> = self.store.all_rows().iter().map(|row| self.store.get(*row).id).collect();
        let mut others = self.completed(&ids, |stream| stream.finds_ids).await?;
        // What does not find ids is read once, for all of them.
        let wanted: HashSet<&Id> = ids.iter().collect();
        let everything = self.records(Filter::default());
        for index in 0..self.streams.len() {
            let stream = &self.streams[index];
            if stream.finds_ids || ids.is_empty() || stream.ended {
                continue;
            }
            let answer = for_all(stream.source.as_ref(), &everything, &stream.job, |activity| {
                if wanted.contains(&activity.id) {
                    others.push(activity);
                }
            })
            .await;
            let id = stream.id;
            if let Err(error) = answer {
                self.fail(id, error)?;
            }
        }
        self.store.ingest(others);
        let sources: super::Sources = self.sources.iter().cloned().collect();
        let all = self.store.all_rows().iter().map(|row| self.store.get(*row));
        let due: Vec<_> = all.filter(|one| self.is_due(one.started_at, || one.id.to_string())).collect();
        let kept = kept_whole(&sources, &self.work, self.names, &self.predicate, &due).await;
        let kept: HashSet<&Id> = kept.iter().collect();
        let found = due.iter().filter(|activity| kept.contains(&activity.id)).cloned().collect();
        self.ready.extend(sorted(found, self.query.newest_first));
        Ok(())
    }
}

/// In the requested order. Rows of one time are in order of arrival: sorted by id, every run emits the same order.
fn sorted(mut found: Vec<Activity>, newest_first: bool) -> Vec<Activity> {
    found.sort_by_cached_key(|activity| (activity.started_at, activity.id.to_string()));
    if newest_first {
        found.reverse();
    }
    found
}

/// Looks up what became of the failed ones of what is found, and judges by it.
struct Outcomes {
    /// The whole filter; `None` where what became of attempts is only to be known.
    judge: Option<Predicate>,
    ready: VecDeque<Activity>,
    ended: bool,
}

impl Outcomes {
    fn new(judge: Option<Predicate>) -> Self {
        Self { judge, ready: VecDeque::new(), ended: false }
    }

    /// The next of what is found that the whole filter keeps.
    async fn next(&mut self, found: &mut MergedHistory<'_>) -> Result<Option<Activity>> {
        while self.ready.is_empty() && !self.ended {
            let mut chunk = Vec::new();
            while chunk.len() < outcomes::CHUNK && !self.ended {
                match found.next_found().await? {
                    Some(activity) => chunk.push(activity),
                    None => self.ended = true,
                }
            }
            let asked = found.asked();
            let Asked { sources, work, context, .. } = asked;
            let mut others = Lookup { sources, work, context, reach: Reach::All }.others(&chunk).await;
            let problems = std::mem::take(&mut others.problems);
            let sources = asked.sources.to_vec().into();
            for activity in outcomes::known(asked.names, chunk, others) {
                let kept = match &self.judge {
                    Some(judge) => keeps_whole(&sources, asked.work, asked.names, judge, &activity).await,
                    None => true,
                };
                if kept {
                    self.ready.push_back(activity);
                }
            }
            found.add_problems(problems)?;
        }
        Ok(self.ready.pop_front())
    }
}
