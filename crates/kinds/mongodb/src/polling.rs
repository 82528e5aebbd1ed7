//! Polls what has no change stream: a standalone server, a view, a time series. Documents are read with overlap, newer
//! ones more often, and compared by content; documents without an outcome are read again. What was there when the
//! position was taken is not new. Of so many documents that not all of the last day are remembered, the older ones are
//! not read: nothing would tell whether they are new.

use super::find::{Find, PAGE_BYTES, each};
use super::mapping::{Mapping, key_of};
use super::misfits;
use super::operators::date;
use super::resume::{CHUNK, OVERLAP_US, ResumePoint};
use super::seen::{HELD, Seen, span};
use super::{Asking, Error};
use bson::{Bson, RawDocument, doc};
use crosstail_core::model::{Clock, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_source::{Position, Sink, SourceEvent, Taken};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Documents without an outcome that are read again, at most.
const OPEN: usize = 5000;
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// Documents without a date that are read, at most.
const MISFITS: usize = 1000;
/// New documents that are held at once, until the cursor is closed and they are sent.
const BATCH: usize = 5 * CHUNK;

/// How far back each tier polls, and how often.
const TIERS: [(Duration, Duration); 4] = [
    (Duration::from_secs(5), Duration::from_millis(500)),
    (Duration::from_mins(1), Duration::from_secs(5)),
    (Duration::from_mins(15), Duration::from_mins(1)),
    (Duration::from_hours(24), Duration::from_mins(10)),
];

/// What was there when a position was taken.
pub(super) struct Known {
    /// By which the position finds it.
    look: u64,
    /// By the index of the collection.
    seen: BTreeMap<usize, Seen>,
}

/// How far back a time is that is polled at all.
fn oldest(newest_us: i64) -> Timestamp {
    Timestamp(newest_us).plus_us(-saturating_i64(TIERS[TIERS.len() - 1].0.as_micros()))
}

/// What started in a range.
fn dated(mapping: &Mapping, from: Timestamp, until: Option<Timestamp>, direction: i32) -> Find {
    let time = mapping.table.time.as_str();
    let mut range = doc! { "$gte": date(from) };
    range.extend(until.map(|at| doc! { "$lt": date(at) }).unwrap_or_default());
    Find { filter: doc! { time: range }, sort: Some(doc! { time: direction }), ..Find::default() }
}

/// What has no date: the newest ones, by the order of their keys.
fn undated(mapping: &Mapping) -> Find {
    let (filter, sort) = (misfits::condition(mapping), Some(doc! { "_id": -1 }));
    Find { filter, sort, limit: Some(MISFITS), ..Find::default() }
}

/// The key of a document.
fn id_of(document: &RawDocument) -> Option<Bson> {
    document.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok())
}

/// How many documents of each of some collections are remembered.
fn share(database: Asking<'_>, collections: usize) -> usize {
    (database.remembered / collections.max(1)).max(1)
}

/// Notes what there is in a range: the newest first, so that what is not remembered any more is what is older than all
/// that is.
async fn fill(
    database: Asking<'_>,
    mapping: &Mapping,
    seen: &mut Seen,
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<(), Error> {
    let time = mapping.table.time.as_str();
    each(database, mapping, dated(mapping, from, until, -1), |document| {
        let slot = seen.slot(&mapping.key(document));
        // What is held is known already.
        let is_known = seen.has(slot);
        match span(document, time) {
            Some((_, last)) => {
                if !is_known {
                    seen.note(slot, document.as_bytes(), last);
                }
                seen.has_room_before(last)
            }
            None => {
                if !is_known {
                    seen.note_undated(slot, document.as_bytes());
                }
                true
            }
        }
    })
    .await
}

/// Notes what is there now; by the number a position finds it again.
pub(super) async fn look(database: Asking<'_>, seen_us: i64) -> Result<u64, Error> {
    let polled: Vec<&Mapping> = database.mappings.iter().filter(|mapping| !mapping.is_streamed).collect();
    let mut all = BTreeMap::new();
    for mapping in &polled {
        let mut seen = Seen::new(share(database, polled.len()), seen_us);
        fill(database, mapping, &mut seen, oldest(seen_us), None).await?;
        each(database, mapping, undated(mapping), |document| {
            let slot = seen.slot(&mapping.key(document));
            match span(document, &mapping.table.time) {
                Some((_, last)) => seen.note(slot, document.as_bytes(), last),
                None => seen.note_undated(slot, document.as_bytes()),
            }
            true
        })
        .await?;
        all.insert(mapping.index, seen);
    }
    let look = std::hash::RandomState::new().hash_one(seen_us);
    *database.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known { look, seen: all });
    Ok(look)
}

/// State of polling.
struct Poller<'a> {
    database: Asking<'a>,
    mappings: &'a [&'a Mapping],
    sink: &'a Sink,
    /// Per collection.
    seen: Vec<Seen>,
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
    let mut known = known.map(|known| known.seen).unwrap_or_default();
    let looked: Vec<bool> = mappings.iter().map(|mapping| known.contains_key(&mapping.index)).collect();
    let blank = || Seen::new(share(database, mappings.len()), at.seen_us);
    let mut poller = Poller {
        database,
        mappings,
        sink,
        seen: mappings.iter().map(|mapping| known.remove(&mapping.index).unwrap_or_else(blank)).collect(),
        open: mappings.iter().map(|_| HashMap::new()).collect(),
        newest_us: at.seen_us,
        missing: BTreeSet::new(),
    };
    let begun = Instant::now();
    let mut due = TIERS.map(|(_, every)| begun + every);
    let mut open_due = begun + OPEN_EVERY;
    poller.begin(at, &looked).await?;
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
                for index in 0..mappings.len() {
                    poller.read(index, from, until, tier == 1).await?;
                }
            }
        }
        if now >= open_due {
            open_due = now + OPEN_EVERY;
            poller.reread_unfinished().await?;
            poller.look_for_missing().await?;
        }
        poller.tell_limits().await;
        let position = Position::new(ResumePoint::polled(poller.newest_us));
        if alone && sink.send(SourceEvent::Batch(Vec::new(), Some(position))).await.is_err() {
            return Ok(());
        }
    }
}

/// What one find has found.
#[derive(Default)]
struct Round {
    /// The start of the last document, where the find goes along the time.
    reached: Option<i64>,
    /// More was new than is held at once.
    is_full: bool,
}

impl Poller<'_> {
    /// What is there when following begins. `looked`: the collections of which it is known what was there at the position.
    async fn begin(&mut self, at: &ResumePoint, looked: &[bool]) -> Result<(), Error> {
        let (overlap, first) = (Timestamp(at.seen_us).plus_us(-OVERLAP_US), oldest(at.seen_us));
        self.list_unfinished(overlap).await?;
        for (index, looked) in looked.iter().enumerate() {
            // What was written in the meantime.
            self.read(index, overlap, None, true).await?;
            if *looked {
                self.read(index, first, Some(overlap), false).await?;
            } else {
                // Of what is older, the first look only fills what is known.
                let mapping = self.mappings[index];
                fill(self.database, mapping, &mut self.seen[index], first, Some(overlap)).await?;
            }
        }
        self.tell_limits().await;
        Ok(())
    }

    /// Reads what started in a range, and delivers what is new.
    async fn read(
        &mut self,
        index: usize,
        mut from: Timestamp,
        until: Option<Timestamp>,
        with_misfits: bool,
    ) -> Result<(), Error> {
        let mapping = self.mappings[index];
        loop {
            // Nothing is known of what is before.
            from = from.max(Timestamp(self.seen[index].floor()));
            if until.is_some_and(|until| until <= from) {
                break;
            }
            let round = self.find(index, dated(mapping, from, until, 1), None).await?;
            if !round.is_full {
                break;
            }
            // What has been sent is known now, so the same range goes on with what comes after it.
            from = from.max(round.reached.map_or(from, Timestamp));
        }
        if with_misfits {
            let mut current = HashSet::new();
            self.find(index, undated(mapping), Some(&mut current)).await?;
            self.seen[index].keep_undated(&current, 10 * MISFITS);
        }
        self.seen[index].forget(self.newest_us);
        Ok(())
    }

    /// Reads documents, as many new ones as are held at once; then sends those that differ from what was sent before.
    /// `current`: where to list what was read, and all of that is read.
    async fn find(&mut self, index: usize, find: Find, mut current: Option<&mut HashSet<u64>>) -> Result<Round, Error> {
        let mapping = self.mappings[index];
        let time = mapping.table.time.as_str();
        let now = Clock::system().now().0;
        let (mut batch, mut bytes, mut round) = (Vec::new(), 0, Round::default());
        let is_part = current.is_none();
        let (seen, open, newest_us) = (&mut self.seen[index], &mut self.open[index], &mut self.newest_us);
        each(self.database, mapping, find, |document| {
            let (key, span) = (mapping.key(document), span(document, time));
            let slot = seen.slot(&key);
            if let Some(current) = &mut current {
                current.insert(slot);
            }
            let is_new = seen.is_new(slot, document.as_bytes());
            // What is known and unfinished is read again, too.
            if !is_new && (open.contains_key(&key) || open.len() >= OPEN) {
                return true;
            }
            // What began before all that is known may be old.
            if is_new && !seen.has(slot) && span.is_some_and(|(_, last)| last < seen.floor()) {
                return true;
            }
            let activity = mapping.read(document);
            let is_open = activity.status == Some(Status::InProgress);
            // What has no key cannot be read again by it.
            let id = id_of(document).filter(|_| is_open && (open.contains_key(&key) || open.len() < OPEN));
            let is_held = id.is_some();
            if let Some(id) = id {
                open.insert(key, id);
            } else if !is_open {
                open.remove(&key);
            }
            match span {
                // It is read again by its key, however old it is.
                _ if is_held => seen.note(slot, document.as_bytes(), HELD),
                Some((_, last)) if is_new => seen.note(slot, document.as_bytes(), last),
                None if is_new => seen.note_undated(slot, document.as_bytes()),
                _ => {}
            }
            if !is_new {
                return true;
            }
            // A time ahead of the clock must not move the windows past what is written now.
            *newest_us = (*newest_us).max(activity.started_at.0.min(now));
            seen.forget(*newest_us);
            batch.push(activity);
            bytes += document.as_bytes().len();
            round.reached = span.map(|(first, _)| first).or(round.reached);
            round.is_full = is_part && (batch.len() >= BATCH || bytes >= PAGE_BYTES);
            !round.is_full
        })
        .await?;
        while !batch.is_empty() {
            let rest = batch.split_off(batch.len().min(CHUNK));
            // The loop notices a closed channel.
            let _ = self.sink.send(SourceEvent::Batch(std::mem::replace(&mut batch, rest), None)).await;
        }
        Ok(round)
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
            let (seen, open) = (&mut self.seen[index], &mut self.open[index]);
            each(self.database, mapping, Find { filter, sort, limit: Some(OPEN), ..Find::default() }, |document| {
                if let Some(id) = id_of(document) {
                    let key = key_of(&id);
                    let slot = seen.slot(&key);
                    // What the position knows stays: it may have changed since.
                    if !seen.hold(slot) {
                        seen.note(slot, document.as_bytes(), HELD);
                    }
                    open.insert(key, id);
                }
                true
            })
            .await?;
        }
        Ok(())
    }

    /// Says of which collections not everything is seen, once.
    async fn tell_limits(&mut self) {
        for (mapping, seen) in self.mappings.iter().zip(&mut self.seen) {
            if let Some(floor) = seen.untold_after(oldest(self.newest_us).0) {
                let text = format!(
                    "{} has more documents a day than are remembered: of what began before {}, only documents in progress \
                     are followed",
                    mapping.table.name,
                    Timestamp(floor).rfc3339()
                );
                // The loop notices a closed channel.
                let _ = self.sink.send(SourceEvent::Notice(text)).await;
            }
        }
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
        for index in 0..self.mappings.len() {
            let keys: Vec<Bson> = self.open[index].values().cloned().collect();
            if keys.is_empty() {
                continue;
            }
            // What does not fit in one round comes with the next.
            let find = Find { filter: doc! { "_id": { "$in": keys } }, ..Find::default() };
            self.find(index, find, None).await?;
        }
        Ok(())
    }
}
