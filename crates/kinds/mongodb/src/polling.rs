//! Polls what has no change stream: a standalone server, a view, a time series. Documents are read with overlap, newer
//! ones more often, and compared by content; documents without an outcome are read again. What was there when the
//! position was taken is not new.

use super::find::{Find, each};
use super::mapping::{Mapping, key_of};
use super::misfits;
use super::operators::date;
use super::resume::{CHUNK, OVERLAP_US, ResumePoint};
use super::{Asking, Error};
use bson::{Bson, doc};
use crosstail_core::model::{Clock, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_source::{Position, Sink, SourceEvent, Taken};
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Documents without an outcome that are read again, at most.
const OPEN: usize = 5000;
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// Documents that are remembered, at most.
const REMEMBERED: usize = 1_000_000;
/// Documents without a date that are read, at most.
const MISFITS: usize = 1000;

/// How far back each tier polls, and how often.
const TIERS: [(Duration, Duration); 4] = [
    (Duration::from_secs(5), Duration::from_millis(500)),
    (Duration::from_mins(1), Duration::from_secs(5)),
    (Duration::from_mins(15), Duration::from_mins(1)),
    (Duration::from_hours(24), Duration::from_mins(10)),
];

/// What has been seen: by a hash of the key, a hash of the content and the document's time.
#[derive(Default)]
pub(super) struct Seen {
    hasher: foldhash::fast::FixedState,
    documents: HashMap<u64, (u64, i64)>,
}

impl Seen {
    fn slot(&self, collection: &str, key: &str) -> u64 {
        self.hasher.hash_one((collection, key))
    }

    fn has(&self, collection: &str, key: &str) -> bool {
        self.documents.contains_key(&self.slot(collection, key))
    }

    fn is_new(&self, collection: &str, key: &str, content: &[u8]) -> bool {
        let known = self.documents.get(&self.slot(collection, key));
        known.is_none_or(|(known, _)| *known != self.hasher.hash_one(content))
    }

    fn note(&mut self, collection: &str, key: &str, content: &[u8], at_us: i64) {
        self.documents.insert(self.slot(collection, key), (self.hasher.hash_one(content), at_us));
    }

    fn forget_before(&mut self, oldest_us: i64) {
        if self.documents.len() > REMEMBERED {
            self.documents.retain(|_, (_, at)| *at > oldest_us);
        }
    }
}

/// What was there when a position was taken.
pub(super) struct Known {
    /// By which the position finds it.
    look: u64,
    seen: Seen,
}

/// What to do with documents that are new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deliver {
    All,
    /// They are only remembered.
    None,
}

/// What to read of a collection: what started in a range, and what has no date.
fn finds(mapping: &Mapping, from: Timestamp, until: Option<Timestamp>, with_misfits: bool) -> Vec<Find> {
    let time = mapping.table.time.as_str();
    let mut range = doc! { "$gte": date(from) };
    range.extend(until.map(|at| doc! { "$lt": date(at) }).unwrap_or_default());
    let (filter, sort) = (doc! { time: range }, Some(doc! { time: 1 }));
    let mut all = vec![Find { filter, sort, limit: None, whole: false }];
    if with_misfits {
        // The newest ones, by the order of their keys.
        let (filter, sort) = (misfits::condition(mapping), Some(doc! { "_id": -1 }));
        all.push(Find { filter, sort, limit: Some(MISFITS), whole: false });
    }
    all
}

/// Notes what is there now; by the number a position finds it again.
pub(super) async fn look(database: Asking<'_>, seen_us: i64) -> Result<u64, Error> {
    let mut seen = Seen::default();
    let oldest = Timestamp(seen_us - saturating_i64(TIERS[TIERS.len() - 1].0.as_micros()));
    for mapping in database.mappings.iter().filter(|mapping| !mapping.is_streamed) {
        for find in finds(mapping, oldest, None, true) {
            each(database, mapping, find, |document| {
                if let Ok(Some(id)) = document.get("_id")
                    && let Ok(id) = Bson::try_from(id)
                {
                    seen.note(&mapping.table.name, &key_of(&id), document.as_bytes(), seen_us);
                }
                seen.documents.len() < REMEMBERED
            })
            .await?;
        }
    }
    let look = std::hash::RandomState::new().hash_one(seen_us);
    *database.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known { look, seen });
    Ok(look)
}

/// State of polling.
struct Poller<'a> {
    database: Asking<'a>,
    mappings: &'a [&'a Mapping],
    sink: &'a Sink,
    seen: Seen,
    /// Keys of documents without an outcome, per collection.
    open: Vec<HashMap<String, Bson>>,
    newest_us: i64,
    /// The collections that are not there, which reading them does not tell.
    missing: BTreeSet<String>,
}

/// Polls with overlap, newer documents more often than older ones. `alone`: positions are sent.
pub(super) async fn poll(
    database: Asking<'_>,
    mappings: &[&Mapping],
    at: &ResumePoint,
    sink: &Sink,
    alone: bool,
) -> Result<(), Error> {
    let known = database.known.lock().unwrap_or_else(PoisonError::into_inner).take();
    // What was there when the position was taken is not new. After a restart, what was written shortly before comes again.
    let known = known.filter(|known| Some(known.look) == at.look);
    let first = known.is_some();
    let mut poller = Poller {
        database,
        mappings,
        sink,
        seen: known.map(|known| known.seen).unwrap_or_default(),
        open: mappings.iter().map(|_| HashMap::new()).collect(),
        newest_us: at.seen_us,
        missing: BTreeSet::new(),
    };
    let begun = Instant::now();
    let mut due = TIERS.map(|(_, every)| begun + every);
    let mut open_due = begun + OPEN_EVERY;
    let overlap = Timestamp(at.seen_us - OVERLAP_US);
    poller.list_unfinished(overlap).await?;
    // What was written in the meantime.
    poller.read(overlap, None, true, Deliver::All).await?;
    // Of what is older, the first look only fills what is known.
    let oldest = Timestamp(at.seen_us - saturating_i64(TIERS[TIERS.len() - 1].0.as_micros()));
    poller.read(oldest, Some(overlap), false, if first { Deliver::All } else { Deliver::None }).await?;
    if alone && sink.send(SourceEvent::CaughtUp).await.is_err() {
        return Ok(());
    }
    loop {
        let next = due.iter().copied().chain([open_due]).min().unwrap_or(begun);
        tokio::select! {
            () = sink.closed() => return Ok(()),
            () = tokio::time::sleep_until(next) => {}
        }
        let now = Instant::now();
        for (tier, (back, every)) in TIERS.iter().enumerate() {
            if now >= due[tier] {
                due[tier] = now + *every;
                let from = Timestamp(poller.newest_us - saturating_i64(back.as_micros()));
                let until =
                    tier.checked_sub(1).map(|t| Timestamp(poller.newest_us - saturating_i64(TIERS[t].0.as_micros())));
                poller.read(from, until, tier == 1, Deliver::All).await?;
            }
        }
        if now >= open_due {
            open_due = now + OPEN_EVERY;
            poller.reread_unfinished().await?;
            poller.look_for_missing().await?;
        }
        let position = Position::new(ResumePoint::polled(poller.newest_us));
        if alone && sink.send(SourceEvent::Batch(Vec::new(), Some(position))).await.is_err() {
            return Ok(());
        }
    }
}

impl Poller<'_> {
    async fn read(
        &mut self,
        from: Timestamp,
        until: Option<Timestamp>,
        with_misfits: bool,
        deliver: Deliver,
    ) -> Result<(), Error> {
        for (index, mapping) in self.mappings.iter().enumerate() {
            for find in finds(mapping, from, until, with_misfits) {
                self.find(index, mapping, find, deliver).await?;
            }
        }
        self.seen.forget_before(self.newest_us - OVERLAP_US);
        Ok(())
    }

    /// Reads documents, and then sends those that differ from what was sent before.
    async fn find(&mut self, index: usize, mapping: &Mapping, find: Find, deliver: Deliver) -> Result<(), Error> {
        let now = Clock::system().now().0;
        let mut batch = Vec::new();
        let (seen, open, newest_us) = (&mut self.seen, &mut self.open[index], &mut self.newest_us);
        each(self.database, mapping, find, |document| {
            let Ok(Some(id)) = document.get("_id") else { return true };
            let Ok(id) = Bson::try_from(id) else { return true };
            let key = key_of(&id);
            let is_new = seen.is_new(&mapping.table.name, &key, document.as_bytes());
            // What is known and unfinished is read again, too.
            if !is_new && (open.contains_key(&key) || open.len() >= OPEN) {
                return true;
            }
            let activity = mapping.read(document);
            if is_new {
                seen.note(&mapping.table.name, &key, document.as_bytes(), activity.started_at.0);
                // A time ahead of the clock must not move the windows past what is written now.
                *newest_us = (*newest_us).max(activity.started_at.0.min(now));
            }
            if activity.status != Some(Status::InProgress) {
                open.remove(&key);
            } else if open.len() < OPEN {
                open.insert(key, id);
            }
            if is_new && deliver == Deliver::All {
                batch.push(activity);
            }
            true
        })
        .await?;
        while !batch.is_empty() {
            let rest = batch.split_off(batch.len().min(CHUNK));
            // The loop notices a closed channel.
            let _ = self.sink.send(SourceEvent::Batch(std::mem::replace(&mut batch, rest), None)).await;
        }
        Ok(())
    }

    /// Lists the documents without an outcome that started before a time, so that their end is seen however old they are.
    /// Later ones are not known yet, although they exist: they may have been written after the position, and `read`
    /// delivers them.
    async fn list_unfinished(&mut self, before: Timestamp) -> Result<(), Error> {
        for (index, mapping) in self.mappings.iter().enumerate() {
            let Some(path) = mapping.paths(crosstail_core::schema::Target::Status).first().copied() else { continue };
            let words = mapping.schema.definition().open_words();
            let filter = doc! { path: { "$in": words }, &mapping.table.time: { "$lt": date(before) } };
            let sort = Some(doc! { &mapping.table.time: -1 });
            let (seen, open) = (&mut self.seen, &mut self.open[index]);
            each(self.database, mapping, Find { filter, sort, limit: Some(OPEN), whole: false }, |document| {
                if let Ok(Some(id)) = document.get("_id")
                    && let Ok(id) = Bson::try_from(id)
                {
                    let key = key_of(&id);
                    if !seen.has(&mapping.table.name, &key) {
                        seen.note(&mapping.table.name, &key, document.as_bytes(), 0);
                    }
                    open.insert(key, id);
                }
                true
            })
            .await?;
        }
        Ok(())
    }

    /// Says which collections have gone, and which are there again.
    async fn look_for_missing(&mut self) -> Result<(), Error> {
        let there = self.database.handle.list_collection_names().await?;
        let names = self.mappings.iter().map(|mapping| &mapping.table.name);
        let missing: BTreeSet<String> = names.filter(|name| !there.contains(name)).cloned().collect();
        // What was there and is missing now has gone.
        if let Some(changes) = Taken::changes(&missing, &self.missing) {
            // The loop notices a closed channel.
            let _ = self.sink.send(SourceEvent::Notice(changes)).await;
            self.missing = missing;
        }
        Ok(())
    }

    async fn reread_unfinished(&mut self) -> Result<(), Error> {
        for (index, mapping) in self.mappings.iter().enumerate() {
            let keys: Vec<Bson> = self.open[index].values().cloned().collect();
            if keys.is_empty() {
                continue;
            }
            let filter = doc! { "_id": { "$in": keys } };
            let find = Find { filter, sort: None, limit: None, whole: false };
            self.find(index, mapping, find, Deliver::All).await?;
        }
        Ok(())
    }
}
