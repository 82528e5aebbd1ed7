//! Follows collections. A replica set reports every change (a change stream, resumed by token). The server looks an
//! updated document up, so the event holds its present state. Where change streams are refused (a standalone server,
//! code 40573), collections are polled with overlap, and documents without an outcome are read again.
//!
//! Source: MongoDB manual, "Change Streams"; driver specification "Change Streams".

use crosstail_core::number::saturating_i64;
use crosstail_source::{Position, Sink, SourceEvent};

use super::mapping::{Mapping, key_of};
use super::operators::date;
use super::query::{Find, find};
use super::{Asking, Error};
use bson::{Bson, Document, RawDocumentBuf, doc};
use crosstail_core::model::{Activity, Clock, Status, Timestamp};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::{ChangeStreamEvent, OperationType, ResumeToken};
use mongodb::options::FullDocumentType;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Changes per batch.
const CHUNK: usize = 1000;
/// How often the position is delivered while nothing happens.
const TOKEN_INTERVAL: Duration = Duration::from_secs(5);
/// Documents without an outcome that are read again, at most.
const OPEN: usize = 5000;
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// After a gap, documents are read again that started up to this long before it, in microseconds.
const OVERLAP_US: i64 = 15 * 60 * 1_000_000;

/// How far back each tier polls, and how often.
const TIERS: [(Duration, Duration); 4] = [
    (Duration::from_secs(5), Duration::from_millis(500)),
    (Duration::from_mins(1), Duration::from_secs(5)),
    (Duration::from_mins(15), Duration::from_mins(1)),
    (Duration::from_hours(24), Duration::from_mins(10)),
];

/// Where following resumes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ResumePoint {
    /// The change stream's resume token.
    token: Option<ResumeToken>,
    /// The operation time to start at where there is no token: seconds since the epoch and increment.
    time: Option<(u32, u32)>,
    /// The newest start time delivered, or the time of the position, in microseconds since the epoch.
    seen_us: i64,
}

/// The present position: the server's operation time, which only members of a replica set have.
pub(super) async fn position(database: Asking<'_>) -> Result<Position, Error> {
    Ok(Position::new(now(database).await?))
}

async fn now(database: Asking<'_>) -> Result<ResumePoint, Error> {
    let reply = database.handle.run_command(doc! { "hello": 1 }).await?;
    // The stream includes the operation time at which it starts. The last operation belongs to history, so start after
    // it.
    let time = reply.get_timestamp("operationTime").ok().map(|at| (at.time, at.increment + 1));
    let local = reply.get_datetime("localTime").map(|at| Timestamp::from_millis(at.timestamp_millis()));
    let seen_us = local.unwrap_or_else(|_| Clock::system().now()).0;
    Ok(ResumePoint { token: None, time, seen_us })
}

pub(super) async fn follow(database: Asking<'_>, from: &Position, sink: &Sink) -> Result<(), Error> {
    let mut at = match from.read::<ResumePoint>() {
        Some(at) => at,
        None => now(database).await?,
    };
    if at.token.is_none() && at.time.is_none() {
        return poll(database, at, sink).await;
    }
    loop {
        match stream(database, &mut at, sink).await {
            Ok(()) => return Ok(()),
            Err(error) if error.code() == Some(40573) => return poll(database, at, sink).await,
            Err(error) if error.is_history_lost() => {
                // Restart now, read again what started since, and send a notice.
                let before = Timestamp(at.seen_us);
                at = now(database).await?;
                let text = format!(
                    "the changes from {} to {} are no longer in the server's oplog: what began since then is read again, \
                     an update of an older request in between may be missing",
                    before.rfc3339(),
                    Timestamp(at.seen_us).rfc3339()
                );
                if sink.send(SourceEvent::Notice(text)).await.is_err() {
                    return Ok(());
                }
                read_since(database, before.plus_us(-OVERLAP_US), sink).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Delivers what started since a time.
async fn read_since(database: Asking<'_>, since: Timestamp, sink: &Sink) -> Result<(), Error> {
    for mapping in &database.mappings {
        let filter = doc! { &mapping.table.time: { "$gte": date(since) } };
        let sort = Some(doc! { &mapping.table.time: 1 });
        let found = find(database, mapping, Find { filter, sort, limit: None, whole: false }).await?;
        for chunk in found.chunks(CHUNK) {
            let batch = chunk.iter().map(|document| mapping.read(document)).collect();
            if sink.send(SourceEvent::Batch(batch, None)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Delivers changes as the server reports them.
async fn stream(database: Asking<'_>, at: &mut ResumePoint, sink: &Sink) -> Result<(), Error> {
    let names: Vec<&str> = database.mappings.iter().map(|mapping| mapping.table.name.as_str()).collect();
    let mut project = doc! { "operationType": 1, "ns": 1, "documentKey": 1, "clusterTime": 1 };
    for mapping in &database.mappings {
        project.extend(mapping.projection.iter().map(|(path, _)| (format!("fullDocument.{path}"), Bson::Int32(1))));
    }
    // One collection may map a path below one that another collection maps.
    let paths: Vec<String> = project.keys().cloned().collect();
    let below =
        |path: &String| paths.iter().any(|p| path.strip_prefix(p.as_str()).is_some_and(|rest| rest.starts_with('.')));
    let project: Document = project.into_iter().filter(|(path, _)| !below(path)).collect();
    let kinds = ["insert", "update", "replace", "drop", "rename", "dropDatabase", "invalidate"];
    let pipeline = [doc! { "$match": { "operationType": { "$in": kinds.to_vec() } } }, doc! { "$project": project }];
    macro_rules! watch {
        ($on:expr, $pipeline:expr) => {{
            let mut watch = $on.watch().pipeline($pipeline).full_document(FullDocumentType::UpdateLookup);
            watch = match (&at.token, at.time) {
                (Some(token), _) => watch.resume_after(token.clone()),
                (None, Some((time, increment))) => watch.start_at_operation_time(bson::Timestamp { time, increment }),
                (None, None) => watch,
            };
            watch.await?
        }};
    }
    // A single collection is watched by itself: that needs no privilege except reading it.
    let changes = match database.mappings.as_slice() {
        [mapping] => {
            let collection = database.handle.collection::<Document>(&mapping.table.name);
            watch!(collection, pipeline)
        }
        _ => {
            let mut all = vec![doc! { "$match": { "ns.coll": { "$in": names } } }];
            all.extend(pipeline);
            watch!(database.handle, all)
        }
    };
    let (sender, mut told) = mpsc::channel(CHUNK);
    // A pending request for more must not be cancelled, so a task of its own reads the stream.
    let _reading = AbortOnDrop(tokio::spawn(read(changes.with_type(), sender)));
    if sink.send(SourceEvent::CaughtUp).await.is_err() {
        return Ok(());
    }
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        tokio::select! {
            () = sink.closed() => return Ok(()),
            n = told.recv_many(&mut chunk, CHUNK) => {
                if n == 0 {
                    return Err(Error::Ended);
                }
            }
        }
        let mut batch: Vec<Activity> = Vec::with_capacity(chunk.len());
        let (mut failed, mut ended_at) = (None, None);
        for told in chunk.drain(..) {
            let event = match told {
                StreamMessage::Event(event) => event,
                StreamMessage::Idle(token) => {
                    at.token = Some(token);
                    continue;
                }
                StreamMessage::Failed(error) => {
                    failed = Some(error);
                    break;
                }
            };
            at.token = Some(event.id);
            if !matches!(event.operation_type, OperationType::Insert | OperationType::Update | OperationType::Replace) {
                ended_at = event.cluster_time.map(|at| (at.time, at.increment + 1));
                failed = Some(Error::Ended);
                break;
            }
            let collection = event.ns.and_then(|ns| ns.coll);
            let mapping = database
                .mappings
                .iter()
                .find(|mapping| collection.as_ref().is_none_or(|name| *name == mapping.table.name));
            // A document that has been deleted since its update cannot be looked up.
            if let (Some(mapping), Some(document)) = (mapping, event.full_document) {
                let activity = mapping.read(&document);
                at.seen_us = at.seen_us.max(activity.started_at.0.min(Clock::system().now().0));
                batch.push(activity);
            }
        }
        if matches!(failed, Some(Error::Ended)) {
            // A stream cannot resume after the token of an invalidation; but what was written after the drop is read.
            *at = match ended_at {
                Some(time) => ResumePoint { token: None, time: Some(time), ..at.clone() },
                None => now(database).await?,
            };
        }
        if sink.send(SourceEvent::Batch(batch, Some(Position::new(&*at)))).await.is_err() {
            return Ok(());
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
}

/// Aborts a task when it is dropped.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the task that reads the stream passes on.
enum StreamMessage {
    Event(Box<ChangeStreamEvent<RawDocumentBuf>>),
    /// Nothing has happened up to this token.
    Idle(ResumeToken),
    Failed(Error),
}

/// Reads the change stream until the receiver is gone or the stream fails.
async fn read(mut changes: ChangeStream<ChangeStreamEvent<RawDocumentBuf>>, to: mpsc::Sender<StreamMessage>) {
    let mut told = Instant::now();
    loop {
        let next = match changes.next_if_any().await {
            Ok(Some(event)) => StreamMessage::Event(Box::new(event)),
            Ok(None) if !changes.is_alive() => StreamMessage::Failed(Error::Ended),
            Ok(None) => match changes.resume_token() {
                Some(token) if told.elapsed() >= TOKEN_INTERVAL => StreamMessage::Idle(token),
                _ if to.is_closed() => return,
                _ => continue,
            },
            Err(error) => StreamMessage::Failed(error.into()),
        };
        told = Instant::now();
        let last = matches!(next, StreamMessage::Failed(_));
        if to.send(next).await.is_err() || last {
            return;
        }
    }
}

/// State of polling.
struct Poller<'a> {
    database: Asking<'a>,
    sink: &'a Sink,
    hasher: foldhash::fast::FixedState,
    /// Hash of the key → hash of the content that was delivered, and the document's time.
    seen: HashMap<u64, (u64, i64)>,
    /// Keys of documents without an outcome, per collection.
    open: Vec<HashMap<String, Bson>>,
    newest_us: i64,
}

/// Polls with overlap, newer documents more often than older ones.
async fn poll(database: Asking<'_>, at: ResumePoint, sink: &Sink) -> Result<(), Error> {
    let mut poller = Poller {
        database,
        sink,
        hasher: foldhash::fast::FixedState::default(),
        seen: HashMap::new(),
        open: database.mappings.iter().map(|_| HashMap::new()).collect(),
        newest_us: at.seen_us,
    };
    let begun = Instant::now();
    let mut due = TIERS.map(|(_, every)| begun + every);
    let mut open_due = begun + OPEN_EVERY;
    let overlap = Timestamp(at.seen_us - OVERLAP_US);
    poller.list_unfinished(overlap).await?;
    // What was written in the meantime.
    poller.read(overlap, None, true).await?;
    if sink.send(SourceEvent::CaughtUp).await.is_err() {
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
                poller.read(from, until, tier == 1).await?;
            }
        }
        if now >= open_due {
            open_due = now + OPEN_EVERY;
            poller.reread_unfinished().await?;
        }
        let position = Position::new(ResumePoint { token: None, time: None, seen_us: poller.newest_us });
        if sink.send(SourceEvent::Batch(Vec::new(), Some(position))).await.is_err() {
            return Ok(());
        }
    }
}

impl Poller<'_> {
    fn hash(&self, of: impl std::hash::Hash) -> u64 {
        self.hasher.hash_one(&of)
    }

    async fn read(&mut self, from: Timestamp, until: Option<Timestamp>, misfits: bool) -> Result<(), Error> {
        let database = self.database;
        for (index, mapping) in database.mappings.iter().enumerate() {
            let mut range = doc! { "$gte": date(from) };
            range.extend(until.map(|at| doc! { "$lt": date(at) }).unwrap_or_default());
            let time = mapping.table.time.as_str();
            let sort = Some(doc! { time: 1 });
            let filter = doc! { time: range };
            let found = find(database, mapping, Find { filter, sort, limit: None, whole: false }).await?;
            self.deliver(index, mapping, &found).await;
            if misfits {
                let filter = doc! { time: { "$not": { "$type": "date" } } };
                let found =
                    find(database, mapping, Find { filter, sort: None, limit: Some(CHUNK), whole: false }).await?;
                self.deliver(index, mapping, &found).await;
            }
        }
        if self.seen.len() > 1_000_000 {
            let oldest = self.newest_us - OVERLAP_US;
            self.seen.retain(|_, (_, time)| *time > oldest);
        }
        Ok(())
    }

    /// Sends the documents that differ from what was sent before.
    async fn deliver(&mut self, index: usize, mapping: &Mapping, documents: &[RawDocumentBuf]) {
        let now = Clock::system().now().0;
        let mut batch = Vec::new();
        for document in documents {
            let Ok(Some(id)) = document.get("_id") else { continue };
            let Ok(id) = Bson::try_from(id) else { continue };
            let key = key_of(&id);
            let content = self.hash(document.as_bytes());
            let slot = self.hash((index, &key));
            if self.seen.get(&slot).is_some_and(|(known, _)| *known == content) {
                continue;
            }
            let activity = mapping.read(document);
            self.seen.insert(slot, (content, activity.started_at.0));
            // A time ahead of the clock must not move the windows past what is written now.
            self.newest_us = self.newest_us.max(activity.started_at.0.min(now));
            if activity.status == Some(Status::InProgress) {
                if self.open[index].len() < OPEN {
                    self.open[index].insert(key, id);
                }
            } else {
                self.open[index].remove(&key);
            }
            batch.push(activity);
        }
        for chunk in batch.chunks(CHUNK) {
            // The loop notices a closed channel.
            let _ = self.sink.send(SourceEvent::Batch(chunk.to_vec(), None)).await;
        }
    }

    /// Lists the documents without an outcome that started before a time, so that their end is seen however old they are.
    /// Later ones are not known yet, although they exist: they may have been written after the position, and `read`
    /// delivers them.
    async fn list_unfinished(&mut self, before: Timestamp) -> Result<(), Error> {
        for (index, mapping) in self.database.mappings.iter().enumerate() {
            let Some(path) = mapping.paths(crosstail_core::schema::Target::Status).first().copied() else { continue };
            let words = mapping.schema.definition().open_words();
            let filter = doc! { path: { "$in": words }, &mapping.table.time: { "$lt": date(before) } };
            let sort = Some(doc! { &mapping.table.time: -1 });
            for document in find(self.database, mapping, Find { filter, sort, limit: Some(OPEN), whole: false }).await?
            {
                if let Ok(Some(id)) = document.get("_id")
                    && let Ok(id) = Bson::try_from(id)
                {
                    let slot = self.hash((index, &key_of(&id)));
                    let content = self.hash(document.as_bytes());
                    self.seen.insert(slot, (content, 0));
                    self.open[index].insert(key_of(&id), id);
                }
            }
        }
        Ok(())
    }

    async fn reread_unfinished(&mut self) -> Result<(), Error> {
        let database = self.database;
        for (index, mapping) in database.mappings.iter().enumerate() {
            let keys: Vec<Bson> = self.open[index].values().cloned().collect();
            if keys.is_empty() {
                continue;
            }
            let filter = doc! { "_id": { "$in": keys } };
            let found = find(database, mapping, Find { filter, sort: None, limit: None, whole: false }).await?;
            self.deliver(index, mapping, &found).await;
        }
        Ok(())
    }
}
