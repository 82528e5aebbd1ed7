//! Follows collections. A replica set reports every change (a change stream, resumed by token). The server looks an
//! updated document up, so the event holds its present state. What has no change stream (a standalone server, a view, a
//! time series) is polled.
//!
//! Source: MongoDB manual, "Change Streams"; driver specification "Change Streams".

use crosstail_source::{Position, Sink, SourceEvent, caught};

use super::find::{ANSWER_TIMEOUT, Find, find};
use super::mapping::Mapping;
use super::operators::date;
use super::polling;
use super::resume::{CHUNK, OVERLAP_US, ResumePoint};
use super::{Asking, Error};
use bson::{Bson, Document, RawDocumentBuf, doc};
use crosstail_core::model::{Activity, Clock, Timestamp};
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::{ChangeStreamEvent, OperationType, ResumeToken};
use mongodb::options::FullDocumentType;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often the position is delivered while nothing happens.
const TOKEN_INTERVAL: Duration = Duration::from_secs(5);
/// The present position: the server's operation time, which only members of a replica set have.
pub(super) async fn position(database: Asking<'_>) -> Result<Position, Error> {
    let mut at = now(database).await?;
    if database.mappings.iter().any(|mapping| !mapping.is_streamed) {
        at.look = Some(polling::look(database, at.seen_us).await?);
    }
    Ok(Position::new(at))
}

async fn now(database: Asking<'_>) -> Result<ResumePoint, Error> {
    let reply = database.handle.run_command(doc! { "hello": 1 }).await?;
    // The stream includes the operation time at which it starts. The last operation belongs to history, so start after
    // it.
    let time = reply.get_timestamp("operationTime").ok().map(|at| (at.time, at.increment + 1));
    let local = reply.get_datetime("localTime").map(|at| Timestamp::from_millis(at.timestamp_millis()));
    let seen_us = local.unwrap_or_else(|_| Clock::system().now()).0;
    Ok(ResumePoint { token: None, time, seen_us, look: None })
}

pub(super) async fn follow(database: Asking<'_>, from: &Position, sink: &Sink) -> Result<(), Error> {
    let at = match from.read::<ResumePoint>() {
        Some(at) => at,
        None => now(database).await?,
    };
    let (streamed, polled): (Vec<&Mapping>, Vec<&Mapping>) =
        database.mappings.iter().partition(|mapping| mapping.is_streamed);
    if streamed.is_empty() || (at.token.is_none() && at.time.is_none()) {
        return polling::poll(database, &database.mappings.iter().collect::<Vec<_>>(), &at, sink, true).await;
    }
    if polled.is_empty() {
        return follow_stream(database, &streamed, at, sink).await;
    }
    // The stream's positions stand for both: polling looks back from the newest start that was seen.
    let polling_at = at.clone();
    tokio::select! {
        ended = follow_stream(database, &streamed, at, sink) => ended,
        ended = polling::poll(database, &polled, &polling_at, sink, false) => ended,
    }
}

/// Follows collections that have change streams.
async fn follow_stream(
    database: Asking<'_>,
    mappings: &[&Mapping],
    mut at: ResumePoint,
    sink: &Sink,
) -> Result<(), Error> {
    loop {
        match stream(database, mappings, &mut at, sink).await {
            Ok(()) => return Ok(()),
            // The server has no change streams after all.
            Err(error) if error.code() == Some(40573) => {
                return polling::poll(database, mappings, &at, sink, true).await;
            }
            // Its documents came without events. What was there before is known.
            Err(Error::Replaced) => {
                read_since(database, mappings, Timestamp(at.seen_us).plus_us(-OVERLAP_US), sink).await?;
            }
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
                read_since(database, mappings, before.plus_us(-OVERLAP_US), sink).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Delivers what started since a time.
async fn read_since(database: Asking<'_>, mappings: &[&Mapping], since: Timestamp, sink: &Sink) -> Result<(), Error> {
    for mapping in mappings {
        let filter = doc! { &mapping.table.time: { "$gte": date(since) } };
        let sort = Some(doc! { &mapping.table.time: 1 });
        let found = find(database, mapping, Find { filter, sort, ..Find::default() }).await?;
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
async fn stream(database: Asking<'_>, mappings: &[&Mapping], at: &mut ResumePoint, sink: &Sink) -> Result<(), Error> {
    let names: Vec<&str> = mappings.iter().map(|mapping| mapping.table.name.as_str()).collect();
    let mut project = doc! { "operationType": 1, "ns": 1, "documentKey": 1, "clusterTime": 1, "to": 1 };
    for mapping in mappings {
        if mapping.projection.is_empty() {
            project.insert("fullDocument", 1);
        }
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
    let changes = match mappings {
        [mapping] => {
            let collection = database.handle.collection::<Document>(&mapping.table.name);
            watch!(collection, pipeline)
        }
        _ => {
            let ours = [doc! { "ns.coll": { "$in": &names } }, doc! { "to.coll": { "$in": &names } }];
            let mut all = vec![doc! { "$match": { "$or": ours.to_vec() } }];
            all.extend(pipeline);
            watch!(database.handle, all)
        }
    };
    let (sender, mut told) = mpsc::channel(CHUNK);
    // A pending request for more must not be cancelled, so a task of its own reads the stream.
    let _reading = AbortOnDrop(tokio::spawn(read_safely(changes.with_type(), sender)));
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
                let to = event.to.and_then(|ns| ns.coll);
                let replaced = to.is_some_and(|to| mappings.iter().any(|mapping| mapping.table.name == to));
                failed = Some(if replaced { Error::Replaced } else { Error::Ended });
                break;
            }
            let collection = event.ns.and_then(|ns| ns.coll);
            let mapping =
                mappings.iter().find(|mapping| collection.as_ref().is_none_or(|name| *name == mapping.table.name));
            // A document that has been deleted since its update cannot be looked up.
            if let (Some(mapping), Some(document)) = (mapping, event.full_document) {
                let activity = mapping.read(&document);
                at.seen_us = at.seen_us.max(activity.started_at.0.min(Clock::system().now().0));
                batch.push(activity);
            }
        }
        if matches!(failed, Some(Error::Ended | Error::Replaced)) {
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

/// Like [`read`]; a panic of the driver is an error.
async fn read_safely(changes: ChangeStream<ChangeStreamEvent<RawDocumentBuf>>, to: mpsc::Sender<StreamMessage>) {
    if let Err(why) = caught(read(changes, to.clone())).await {
        let _ = to.send(StreamMessage::Failed(Error::Unreadable(why))).await;
    }
}

/// Reads the change stream until the receiver is gone or the stream fails.
async fn read(mut changes: ChangeStream<ChangeStreamEvent<RawDocumentBuf>>, to: mpsc::Sender<StreamMessage>) {
    let mut told = Instant::now();
    loop {
        let next = tokio::time::timeout(ANSWER_TIMEOUT, changes.next_if_any()).await;
        let Ok(next) = next else {
            drop(to.send(StreamMessage::Failed(Error::Silent)).await);
            return;
        };
        let next = match next {
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
