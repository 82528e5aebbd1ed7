//! Merges the history of several sources into one sequence in order of time. The records that several sources have of one
//! request are joined before the filter is applied, because one source may have fields that another lacks.

use super::Work;
use anyhow::Result;
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{Activity, Id, Names, SourceId, Timestamp};
use crosstail_engine::store::{Row, Store};
use crosstail_source::{Cursor, Job, PageQuery, Source};
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::Arc;

/// The records that sources have of one request start at most this far apart, in microseconds.
const MAX_SKEW_US: i64 = 15 * 60 * 1_000_000;
/// Activities per page of a source.
const PAGE: usize = 5000;
/// Activities in memory above which those that can no longer be joined are evicted.
const MAX_BUFFERED: usize = 60_000;

/// The merged sequence.
pub struct MergedHistory<'a> {
    query: PageQuery,
    predicate: Predicate,
    names: &'a Names,
    store: Store,
    streams: Vec<Stream<'a>>,
    /// Ids whose payload matches, if the filter looks into payloads.
    matching: Option<HashSet<Id>>,
    ready: VecDeque<Activity>,
    /// Everything before this time, in the requested order, has been emitted.
    emitted: Option<Timestamp>,
    /// Hashes of the ids of evicted activities, so that a late record of one is not emitted again.
    forgotten: HashSet<u64>,
    /// The last activity that an earlier run emitted.
    after: Option<Cursor>,
    ended: bool,
}

struct Stream<'a> {
    source: &'a Arc<dyn Source>,
    job: Job,
    cursor: Option<Cursor>,
    /// Start of the last activity read.
    reached: Option<Timestamp>,
    ended: bool,
}

impl<'a> MergedHistory<'a> {
    /// The activities of several sources that match a query.
    pub fn new(sources: &'a [(SourceId, Arc<dyn Source>)], work: &Work, names: &'a Names, query: PageQuery) -> Self {
        let predicate = query.filter.predicate(&query.context);
        let stream = |(id, source): &'a (SourceId, Arc<dyn Source>)| Stream {
            source,
            job: work.job(*id),
            cursor: None,
            reached: None,
            ended: false,
        };
        Self {
            predicate,
            names,
            store: Store::new(names.clone()),
            streams: sources.iter().map(stream).collect(),
            matching: None,
            ready: VecDeque::new(),
            emitted: None,
            forgotten: HashSet::new(),
            after: None,
            ended: false,
            query,
        }
    }

    /// Resumes after the last activity of an earlier run.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        if let ([stream], Some(cursor)) = (self.streams.as_mut_slice(), &cursor) {
            stream.cursor = Some(cursor.clone());
        } else if let Some(cursor) = &cursor {
            // A record that joins with an activity still to come starts at most this far before it.
            let (at, newest_first) = (cursor.at(), self.query.newest_first);
            if newest_first {
                self.query.until =
                    Some(at.plus_us(MAX_SKEW_US + 1)).min(self.query.until.or(Some(Timestamp(i64::MAX))));
            } else {
                self.query.since = Some(at.plus_us(-MAX_SKEW_US)).max(self.query.since);
            }
        }
        self.after = cursor;
        self
    }

    /// The next activity that matches the filter; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Activity>> {
        if self.streams.len() == 1 {
            return self.next_from_single().await;
        }
        while self.ready.is_empty() && !self.ended {
            self.read_next_page().await?;
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

    /// Reads a page of the source that is furthest behind, and emits the activities that are complete.
    async fn read_next_page(&mut self) -> Result<()> {
        let newest_first = self.query.newest_first;
        if self.predicate.needs_payload() && self.matching.is_none() {
            self.matching = Some(self.match_by_payload().await?);
        }
        let all = PageQuery { filter: crosstail_core::filter::Filter::default(), limit: PAGE, ..self.query.clone() };
        let order = |at: Timestamp| if newest_first { -at.0 } else { at.0 };
        let behind = self.streams.iter_mut().filter(|stream| !stream.ended);
        if let Some(stream) = behind.min_by_key(|stream| stream.reached.map_or(i64::MIN, order)) {
            let page = stream.source.page(&all, stream.cursor.as_ref(), &stream.job).await?;
            stream.reached = page.items.last().map(|a| a.started_at).or(stream.reached);
            stream.ended = page.next.is_none();
            stream.cursor = page.next;
            let hash = |id: &Id| foldhash::quality::FixedState::default().hash_one(id);
            let known = |activity: &Activity| !self.forgotten.contains(&hash(&activity.id));
            let items = page.items.into_iter().filter(|a| self.forgotten.is_empty() || known(a)).collect();
            self.store.ingest(items);
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
        let store = &self.store;
        let given = self.emitted.map_or(i64::MIN, order);
        let rows = store.all_rows();
        let due = |row: &Row| (given..complete).contains(&order(store.started(*row)));
        // Rows are in order of time, so the complete ones are contiguous.
        let first = rows.partition_point(|row| !due(row) && (order(store.started(*row)) < given) != newest_first);
        let stretch = rows[first..].iter().take_while(|row| due(row)).map(|row| store.get(*row));
        let keeps = |activity: &Activity| {
            let named = NamedRecord { activity, names: self.names, payload: None };
            match &self.matching {
                Some(matching) => matching.contains(&activity.id),
                None => self.predicate.keeps(&named),
            }
        };
        let is_new = |activity: &Activity| {
            let after = self.after.as_ref();
            after.is_none_or(|after| after.is_before(activity.started_at, &activity.id.to_string(), newest_first))
        };
        let mut found: Vec<Activity> = stretch.filter(|activity| is_new(activity) && keeps(activity)).collect();
        // Rows of one time are in order of arrival. Sort them by id, so that every run emits the same order.
        found.sort_by_cached_key(|activity| (activity.started_at, activity.id.to_string()));
        if newest_first {
            found.reverse();
        }
        self.ready.extend(found);
        self.emitted = Some(Timestamp(if newest_first { complete.saturating_neg() } else { complete }));
        if self.store.len() > MAX_BUFFERED {
            self.evict();
        }
        Ok(())
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

    async fn match_by_payload(&self) -> Result<HashSet<Id>> {
        let mut found = HashSet::new();
        for stream in &self.streams {
            crosstail_source::for_each(stream.source.as_ref(), &self.query, &stream.job, |activity| {
                found.insert(activity.id);
                true
            })
            .await?;
        }
        Ok(found)
    }
}
