//! MongoDB: document 000's `integration_logs`. A document is inserted as `IN_PROGRESS` and updated by its `request_id`.

use super::{Writer, entity, log};
use crate::model::redact_json;
use crate::model::{Direction, Kind, Status, Timestamp};
use crate::record::{Outcome, Start, Step, safe_body_json, safe_text};
use anyhow::Context as _;
use async_trait::async_trait;
use bson::{Bson, DateTime, Document, doc};
use futures_util::StreamExt as _;
use mongodb::Database;
use mongodb::options::ClientOptions;
use rayon::prelude::*;
use serde_json::Value;

/// The collection.
const COLLECTION: &str = "integration_logs";
/// Documents a command.
const DOCUMENTS: usize = 500;
/// Commands at a time.
const COMMANDS: usize = 4;

/// Writes into one collection.
#[derive(Debug)]
pub struct MongodbWriter {
    database: Database,
    documents: u64,
}

fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.0.div_euclid(1000))
}

fn value(value: Value) -> Bson {
    Bson::try_from(value).unwrap_or(Bson::Null)
}

fn text(text: Option<&String>) -> Bson {
    text.map_or(Bson::Null, |text| Bson::String(safe_text(text)))
}

/// A body as a document, or as text where it is none.
fn body(body: Option<&Value>, start: &Start, side: &str) -> Bson {
    let Some(body) = body else { return Bson::Null };
    let stored = safe_body_json(body, &format!("payloads/{}/{side}", start.id));
    serde_json::from_str(&stored).map_or(Bson::String(stored), value)
}

fn headers(headers: Option<&Value>) -> Bson {
    headers.map_or(Bson::Null, |headers| value(redact_json(headers)))
}

/// What an outcome sets.
fn ended(start: &Start, outcome: &Outcome) -> Document {
    let status = outcome.status.unwrap_or(Status::Success);
    let mut set = doc! {
        "response_status": outcome.http_status.map(i32::from),
        "response_headers": headers(outcome.response_headers.as_ref()),
        "response_body": body(outcome.response_body.as_ref(), start, "response"),
        "status": status.as_str().to_uppercase(),
        "is_success": status == Status::Success,
    };
    if let Some(next) = outcome.next_retry_at {
        set.insert("retry_info.next_retry_at", date(next));
    }
    if let Some(end) = outcome.completed_at {
        set.insert("completed_at", date(end));
        set.insert("duration_ms", end.since_us(start.started_at).max(0) / 1000);
    }
    if outcome.error.is_some() || outcome.error_type.is_some() {
        set.insert(
            "error",
            doc! { "type": text(outcome.error_type.as_ref()), "message": text(outcome.error.as_ref()), "stack_trace": text(outcome.error_stack.as_ref()) },
        );
    }
    set
}

fn begun(start: &Start) -> Document {
    let (entity_type, entity_id) = entity(start);
    let mut retry = doc! { "attempt_number": i32::from(start.attempt.unwrap_or(1)) };
    if let Some(max) = start.max_attempts {
        retry.insert("max_attempts", i32::from(max));
    }
    let mut document = doc! {
        "request_id": start.request_id.as_ref().unwrap_or(&start.id),
        "correlation_id": start.correlation_id.as_ref(),
        "parent_request_id": start.parent_request_id.as_ref(),
        "system_code": &start.system,
        "endpoint_code": start.endpoint.as_ref().or(start.operation.as_ref()),
        "http_method": start.method.as_ref(),
        "request_url": text(start.url.as_ref()),
        "request_headers": headers(start.request_headers.as_ref()),
        "request_body": body(start.request_body.as_ref(), start, "request"),
        "started_at": date(start.started_at),
        "created_at": date(start.started_at),
        "status": "IN_PROGRESS",
        "retry_info": retry,
        "context": { "entity_type": entity_type, "entity_id": entity_id, "operation_type": start.operation.as_ref() },
        "actor": { "user_id": Bson::Null, "triggered_by": start.actor.as_ref() },
    };
    // The collection is of calls out: what is another thing says so.
    if let Some(direction) = start.direction.filter(|direction| *direction != Direction::Out) {
        document.insert("direction", direction.as_str());
    }
    if let Some(kind) = start.kind.filter(|kind| *kind != Kind::ApiCall) {
        document.insert("kind", kind.as_str());
    }
    document
}

/// A document that is written once it is over.
fn whole(start: &Start, outcome: &Outcome) -> Document {
    let mut document = begun(start);
    for (key, value) in ended(start, outcome) {
        match key.strip_prefix("retry_info.") {
            Some(key) => {
                if let Ok(retry) = document.get_document_mut("retry_info") {
                    retry.insert(key, value);
                }
            }
            None => {
                document.insert(key, value);
            }
        }
    }
    document
}

/// How many documents were there already, from a try that was not answered; any other error is one.
fn already_there(error: mongodb::error::Error) -> anyhow::Result<u64> {
    const DUPLICATE_KEY: i32 = 11000;
    if let mongodb::error::ErrorKind::InsertMany(refused) = error.kind.as_ref()
        && refused.write_concern_error.is_none()
        && let Some(errors) = &refused.write_errors
        && errors.iter().all(|error| error.code == DUPLICATE_KEY)
    {
        return Ok(errors.len() as u64);
    }
    Err(anyhow::Error::from(error).context(format!("insert into {COLLECTION}")))
}

impl MongodbWriter {
    /// Of the database that a URL names. Nothing is connected to yet.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut options = ClientOptions::parse(url).await.context("the address")?;
        options.app_name = Some("crosstail".to_owned());
        options.server_selection_timeout = Some(std::time::Duration::from_secs(10));
        let client = mongodb::Client::with_options(options).context("connect")?;
        let database = client.default_database().context("the address names no database: mongodb://host/database")?;
        Ok(Self { database, documents: 0 })
    }

    async fn insert(&mut self, steps: &[&Step]) -> anyhow::Result<()> {
        let insert = async |chunk: &[&Step]| {
            // Redacting is most of the work.
            let documents: Vec<Document> = chunk
                .par_iter()
                .map(|step| match step {
                    Step::Start(start) | Step::Complete(start, _) => begun(start),
                    Step::Whole(start, outcome) => whole(start, outcome),
                })
                .collect();
            let collection = self.database.collection::<Document>(COLLECTION);
            match collection.insert_many(documents).ordered(false).await {
                Ok(done) => Ok(done.inserted_ids.len() as u64),
                Err(error) => Ok(chunk.len() as u64 - already_there(error)?),
            }
        };
        // Side by side: the server waits for its journal in each.
        let chunks = futures_util::stream::iter(steps.chunks(DOCUMENTS).map(insert));
        let written: Vec<anyhow::Result<u64>> = chunks.buffer_unordered(COMMANDS).collect().await;
        for count in written {
            self.documents += count?;
        }
        Ok(())
    }

    async fn complete(&self, steps: &[&Step]) -> anyhow::Result<()> {
        let update = async |chunk: &[&Step]| {
            let updates: Vec<Document> = chunk
                .par_iter()
                .filter_map(|step| log::ended(step))
                .map(|(start, outcome)| {
                    let key = start.request_id.as_ref().unwrap_or(&start.id);
                    doc! { "q": { "request_id": key }, "u": { "$set": ended(start, outcome) } }
                })
                .collect();
            let command = doc! { "update": COLLECTION, "updates": updates, "ordered": false };
            let answer = self.database.run_command(command).await.with_context(|| format!("update {COLLECTION}"))?;
            if let Ok([Bson::Document(first), ..]) = answer.get_array("writeErrors").map(Vec::as_slice) {
                anyhow::bail!("update {COLLECTION}: {}", first.get_str("errmsg").unwrap_or("refused"));
            }
            Ok(())
        };
        let chunks = futures_util::stream::iter(steps.chunks(DOCUMENTS).map(update));
        let done: Vec<anyhow::Result<()>> = chunks.buffer_unordered(COMMANDS).collect().await;
        done.into_iter().collect()
    }
}

#[async_trait]
impl Writer for MongodbWriter {
    fn takes(&self, start: &Start) -> bool {
        start.direction == Some(Direction::Out) && start.level.is_none()
    }

    async fn write(&mut self, steps: &[Step]) -> anyhow::Result<()> {
        let (inserts, outcomes): (Vec<&Step>, Vec<&Step>) =
            steps.iter().partition(|step| !matches!(step, Step::Complete(..)));
        self.insert(&inserts).await?;
        self.complete(&outcomes).await
    }

    fn written(&self) -> Vec<(String, u64)> {
        vec![(COLLECTION.to_owned(), self.documents)]
    }
}
