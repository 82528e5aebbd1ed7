//! MongoDB: document 000's `integration_logs`. A document is inserted as `IN_PROGRESS` and updated by its `request_id`.

use super::{Writer, entity, log};
use crate::{Outcome, Start, WriteStep, safe_body, safe_text};
use anyhow::Context as _;
use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use crosstail_core::number::saturating_u32;
use futures_util::{StreamExt as _, stream};
use mongodb::Database;
use mongodb::options::ClientOptions;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use uuid::Uuid;

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

/// The document as it begins.
#[derive(Serialize)]
struct StartDocument<'a> {
    _id: ObjectId,
    request_id: &'a str,
    correlation_id: Option<&'a str>,
    parent_request_id: Option<&'a str>,
    system_code: &'a str,
    endpoint_code: Option<&'a str>,
    http_method: Option<&'a str>,
    request_url: Option<String>,
    request_headers: Option<Value>,
    request_body: Option<Value>,
    started_at: DateTime,
    created_at: DateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    retry_info: RetryInfo,
    context: Context<'a>,
    actor: Actor<'a>,
    /// The collection is of calls out: what is another thing says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// Of one that is written once it is over.
    #[serde(flatten)]
    ended: Option<OutcomeDocument<'a>>,
}

#[derive(Serialize)]
struct RetryInfo {
    attempt_number: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_retry_at: Option<DateTime>,
}

#[derive(Serialize)]
struct Context<'a> {
    entity_type: Option<&'a str>,
    entity_id: Option<&'a str>,
    operation_type: Option<&'a str>,
}

#[derive(Serialize)]
struct Actor<'a> {
    user_id: Option<&'a str>,
    triggered_by: Option<&'a str>,
}

/// What an outcome sets.
#[derive(Serialize)]
struct OutcomeDocument<'a> {
    response_status: Option<i32>,
    response_headers: Option<Value>,
    response_body: Option<Value>,
    status: String,
    is_success: bool,
    #[serde(skip_serializing_if = "Option::is_none", rename = "retry_info.next_retry_at")]
    next_retry_at: Option<DateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<DateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure<'a>>,
}

#[derive(Serialize)]
struct Failure<'a> {
    r#type: Option<Cow<'a, str>>,
    message: Option<Cow<'a, str>>,
    stack_trace: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Command {
    update: &'static str,
    updates: Vec<RawDocumentBuf>,
    ordered: bool,
}

#[derive(Serialize)]
struct UpdateDocument<'a> {
    q: Document,
    u: SetFields<'a>,
}

#[derive(Serialize)]
struct SetFields<'a> {
    #[serde(rename = "$set")]
    set: OutcomeDocument<'a>,
}

/// The `_id` of a document: the second it began in, as in any ObjectId, the microsecond, so that what is new stands
/// together at the end of the index, and a hash of its request id. A filter of `_id` alone is not planned by the server,
/// which is a quarter of an update's work in a collection of 21 indexes; the same document written a second time is
/// told by it, too.
fn object_id(start: &Start) -> ObjectId {
    let mut bytes = [0; 12];
    let (at, second) = (start.started_at.0, 1_000_000);
    bytes[..4].copy_from_slice(&u32::try_from(at.div_euclid(second)).unwrap_or_default().to_be_bytes());
    bytes[4..7].copy_from_slice(&saturating_u32(at.rem_euclid(second)).to_be_bytes()[1..]);
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, request_id(start).as_bytes());
    bytes[7..].copy_from_slice(&hash.as_bytes()[..5]);
    ObjectId::from_bytes(bytes)
}

fn request_id(start: &Start) -> &str {
    start.request_id.as_ref().unwrap_or(&start.id)
}

/// How JSON is stored.
#[derive(Clone, Copy)]
enum JsonEncoding {
    /// As documents and lists.
    Document,
    /// As text: BSON cannot have everything that JSON has (a name with a zero byte in it).
    Text,
}

impl JsonEncoding {
    fn headers(self, headers: Option<&Value>) -> Option<Value> {
        headers.map(|headers| match self {
            Self::Document => redact_json(headers),
            Self::Text => json!({ "_text": redact_json(headers).to_string() }),
        })
    }

    fn body(self, body: Option<&Value>, start: &Start, side: &str) -> Option<Value> {
        body.map(|body| safe_body(body, &start.id, side)).map(|body| match self {
            Self::Document => body,
            Self::Text => Value::String(body.to_string()),
        })
    }
}

/// Serialized with documents in it, or with text where that cannot be.
fn raw<T: Serialize>(document: impl Fn(JsonEncoding) -> T) -> anyhow::Result<RawDocumentBuf> {
    bson::serialize_to_raw_document_buf(&document(JsonEncoding::Document))
        .or_else(|_| bson::serialize_to_raw_document_buf(&document(JsonEncoding::Text)))
        .context("the document")
}

fn ended<'a>(start: &Start, outcome: &'a Outcome, form: JsonEncoding) -> OutcomeDocument<'a> {
    let status = outcome.status.unwrap_or(Status::Success);
    let text = |text: &'a Option<String>| text.as_deref().map(redact_text);
    OutcomeDocument {
        response_status: outcome.http_status.map(i32::from),
        response_headers: form.headers(outcome.response_headers.as_ref()),
        response_body: form.body(outcome.response_body.as_ref(), start, "response"),
        status: status.as_str().to_uppercase(),
        is_success: status == Status::Success,
        next_retry_at: outcome.next_retry_at.map(date),
        completed_at: outcome.completed_at.map(date),
        duration_ms: outcome.completed_at.map(|end| end.since_us(start.started_at).max(0) / 1000),
        error: (outcome.error.is_some() || outcome.error_type.is_some()).then(|| Failure {
            r#type: text(&outcome.error_type),
            message: text(&outcome.error),
            stack_trace: text(&outcome.error_stack),
        }),
    }
}

/// The document of a step that inserts one.
fn inserted(step: &WriteStep, form: JsonEncoding) -> StartDocument<'_> {
    let (start, outcome) = match step {
        WriteStep::Start(start) | WriteStep::Complete(start, _) => (start, None),
        WriteStep::Finished(start, outcome) => (start, Some(outcome)),
    };
    let (entity_type, entity_id) = entity(start);
    // Within the document a name with a dot is a name with a dot.
    let next_retry_at = outcome.and_then(|outcome| outcome.next_retry_at).map(date);
    let ended = outcome.map(|outcome| OutcomeDocument { next_retry_at: None, ..ended(start, outcome, form) });
    StartDocument {
        _id: object_id(start),
        request_id: request_id(start),
        correlation_id: start.correlation_id.as_deref(),
        parent_request_id: start.parent_request_id.as_deref(),
        system_code: &start.system,
        endpoint_code: start.endpoint.as_deref().or(start.operation.as_deref()),
        http_method: start.method.as_deref(),
        request_url: start.url.as_deref().map(safe_text),
        request_headers: form.headers(start.request_headers.as_ref()),
        request_body: form.body(start.request_body.as_ref(), start, "request"),
        started_at: date(start.started_at),
        created_at: date(start.started_at),
        status: ended.is_none().then_some("IN_PROGRESS"),
        retry_info: RetryInfo {
            attempt_number: i32::from(start.attempt.unwrap_or(1)),
            max_attempts: start.max_attempts.map(i32::from),
            next_retry_at,
        },
        context: Context { entity_type, entity_id, operation_type: start.operation.as_deref() },
        actor: Actor { user_id: None, triggered_by: start.actor.as_deref() },
        direction: start.direction.filter(|direction| *direction != Direction::Out).map(Direction::as_str),
        kind: start.kind.filter(|kind| *kind != Kind::ApiCall).map(Kind::as_str),
        ended,
    }
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

    /// How many documents it made.
    async fn insert(&self, steps: &[&WriteStep]) -> anyhow::Result<u64> {
        let insert = async |chunk: &[&WriteStep]| {
            // Redacting is most of the work.
            let documents: anyhow::Result<Vec<RawDocumentBuf>> =
                chunk.par_iter().map(|step| raw(|form| inserted(step, form))).collect();
            let (documents, collection) = (documents?, self.database.collection::<RawDocumentBuf>(COLLECTION));
            match collection.insert_many(documents).ordered(false).await {
                Ok(done) => Ok(done.inserted_ids.len() as u64),
                Err(error) => Ok(chunk.len() as u64 - already_there(error)?),
            }
        };
        // Side by side: the server waits for its journal in each.
        let chunks = futures_util::stream::iter(steps.chunks(DOCUMENTS).map(insert));
        let written: Vec<anyhow::Result<u64>> = chunks.buffer_unordered(COMMANDS).collect().await;
        written.into_iter().sum()
    }

    async fn complete(&self, steps: &[&WriteStep]) -> anyhow::Result<()> {
        let update = async |chunk: &[&WriteStep]| {
            // The second where somebody else wrote a document.
            let queries: [fn(&Start) -> Document; 2] =
                [|start| doc! { "_id": object_id(start) }, |start| doc! { "request_id": request_id(start) }];
            for query in queries {
                let updates: anyhow::Result<Vec<RawDocumentBuf>> = chunk
                    .par_iter()
                    .filter_map(|step| log::ended(step))
                    .map(|(start, outcome)| {
                        raw(|form| UpdateDocument {
                            q: query(start),
                            u: SetFields { set: ended(start, outcome, form) },
                        })
                    })
                    .collect();
                let command = Command { update: COLLECTION, updates: updates?, ordered: false };
                let all = command.updates.len();
                let command = bson::serialize_to_raw_document_buf(&command)?;
                let answer = self.database.run_raw_command(command).await;
                let answer = answer.with_context(|| format!("update {COLLECTION}"))?;
                if let Ok([Bson::Document(first), ..]) = answer.get_array("writeErrors").map(Vec::as_slice) {
                    anyhow::bail!("update {COLLECTION}: {}", first.get_str("errmsg").unwrap_or("refused"));
                }
                if answer.get_i32("n").is_ok_and(|found| usize::try_from(found) == Ok(all)) {
                    break;
                }
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
    fn accepts(&self, start: &Start) -> bool {
        start.direction == Some(Direction::Out) && start.level.is_none()
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        let (inserts, outcomes): (Vec<&WriteStep>, Vec<&WriteStep>) =
            steps.iter().partition(|step| !matches!(step, WriteStep::Complete(..)));
        self.documents += self.insert(&inserts).await?;
        self.complete(&outcomes).await
    }

    fn written(&self) -> Vec<(String, u64)> {
        vec![(COLLECTION.to_owned(), self.documents)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_bson_cannot_hold_is_text() {
        let stored = |body: Value| {
            let start = Start { request_body: Some(body), ..Start::default() };
            let step = WriteStep::Start(std::sync::Arc::new(start));
            let document = raw(|form| inserted(&step, form)).expect("serialized");
            Document::try_from(document).expect("a document").remove("request_body")
        };
        assert_eq!(stored(json!({ "a": ["b\0"] })), Some(bson::bson!({ "a": ["b\0"] })));
        assert_eq!(stored(json!({ "a\0b": 1 })), Some(Bson::String("{\"a\\u0000b\":1}".to_owned())));
    }
}
