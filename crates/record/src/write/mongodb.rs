//! MongoDB: ProKure's `integration_logs`. A document is inserted as `IN_PROGRESS` and updated by its `request_id`. What is
//! in it says `config/tables/integration_logs.toml`.

use super::table::{self, Cell, ColumnType, Node, RowStep};
use super::{Refused, Writer};
use crate::{Outcome, Start, WriteStep};
use anyhow::Context as _;
use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use crosstail_core::number::saturating_u32;
use futures_util::{StreamExt as _, stream};
use mongodb::Database;
use mongodb::error::ErrorKind;
use mongodb::options::ClientOptions;
use rayon::prelude::*;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::json;
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

#[derive(Serialize)]
struct Command {
    update: &'static str,
    updates: Vec<RawDocumentBuf>,
    ordered: bool,
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

/// A document as it is serialized. The first fields are the caller's.
struct Written<'a> {
    id: Option<ObjectId>,
    document: &'a table::Document<'a>,
    form: JsonEncoding,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = &self.id {
            map.serialize_entry("_id", id)?;
        }
        for (name, node) in &self.document.0 {
            match node {
                Node::Document(document) => {
                    map.serialize_entry(name, &Written { id: None, document, form: self.form })?;
                }
                Node::Cell(None, _) => map.serialize_entry(name, &Bson::Null)?,
                Node::Cell(Some(cell), wanted) => {
                    map.serialize_entry(name, &Field { cell, wanted: *wanted, form: self.form })?;
                }
            }
        }
        map.end()
    }
}

/// A value as it is serialized.
struct Field<'a> {
    cell: &'a Cell,
    wanted: ColumnType,
    form: JsonEncoding,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.cell, self.form) {
            (Cell::Text(text), _) => serializer.serialize_str(text),
            (Cell::Uuid(id), _) => serializer.serialize_str(&id.to_string()),
            (Cell::Number(number), _) => match (number.as_i64(), self.wanted) {
                (Some(number), ColumnType::Integer) => match i32::try_from(number) {
                    Ok(number) => serializer.serialize_i32(number),
                    Err(_) => serializer.serialize_i64(number),
                },
                _ => number.serialize(serializer),
            },
            (Cell::Boolean(value), _) => serializer.serialize_bool(*value),
            (Cell::Time(at), _) => DateTime::from_millis(at.0.div_euclid(1000)).serialize(serializer),
            (Cell::Json(value), JsonEncoding::Document) => value.serialize(serializer),
            (Cell::Json(value), JsonEncoding::Text) if self.wanted == ColumnType::Object => {
                json!({ "_text": value.to_string() }).serialize(serializer)
            }
            (Cell::Json(value), JsonEncoding::Text) => serializer.serialize_str(&value.to_string()),
        }
    }
}

/// Serialized with documents in it, or with text where that cannot be.
fn raw<T: Serialize>(document: impl Fn(JsonEncoding) -> T) -> anyhow::Result<RawDocumentBuf> {
    bson::serialize_to_raw_document_buf(&document(JsonEncoding::Document))
        .or_else(|_| bson::serialize_to_raw_document_buf(&document(JsonEncoding::Text)))
        .context("the document")
}

/// The document that a step inserts.
fn inserted(step: &RowStep<'_>) -> anyhow::Result<RawDocumentBuf> {
    let document = table::integration_logs().document(step.start, step.outcome);
    raw(|form| Written { id: Some(object_id(step.start)), document: &document, form })
}

#[derive(Serialize)]
struct UpdateDocument<'a> {
    q: &'a Document,
    u: SetFields<'a>,
}

#[derive(Serialize)]
struct SetFields<'a> {
    #[serde(rename = "$set")]
    set: Written<'a>,
}

/// What sets an outcome in the document that a query finds.
fn update(query: &Document, start: &Start, outcome: &Outcome) -> anyhow::Result<RawDocumentBuf> {
    let document = table::integration_logs().changes(start, outcome);
    raw(|form| UpdateDocument { q: query, u: SetFields { set: Written { id: None, document: &document, form } } })
}

/// A key that is there already: the document of an attempt that was not answered.
const DUPLICATE_KEY: i32 = 11000;
/// Errors that a document gets because the server or the operation is about to end, and not for what it is: shutdowns,
/// changes of the primary, interruptions, conflicts. See MongoDB's `error_codes.yml`.
const PASSING: [i32; 10] = [91, 112, 189, 10058, 10107, 11600, 11601, 11602, 13435, 13436];

/// Of the documents that were not inserted, those that are there already, and those that are refused with the reasons;
/// any other error is one.
fn refused(error: mongodb::error::Error) -> anyhow::Result<(u64, Vec<(usize, String)>)> {
    if let ErrorKind::InsertMany(failed) = error.kind.as_ref()
        && failed.write_concern_error.is_none()
        && let Some(errors) = &failed.write_errors
        && !errors.iter().any(|error| PASSING.contains(&error.code))
    {
        let (there, refused): (Vec<_>, Vec<_>) = errors.iter().partition(|error| error.code == DUPLICATE_KEY);
        let reason = |message: &str| format!("insert into {COLLECTION}: {message}");
        let refused = refused.into_iter().map(|error| (error.index, reason(&error.message))).collect();
        return Ok((there.len() as u64, refused));
    }
    let is_invalid = matches!(error.kind.as_ref(), ErrorKind::InvalidArgument { .. });
    let error = anyhow::Error::from(error).context(format!("insert into {COLLECTION}"));
    // The driver itself does not send it: a document over 16 MB.
    Err(if is_invalid { Refused::OneOf(format!("{error:#}")).into() } else { error })
}

/// What became of some steps: how many documents are new, and which steps were refused.
#[derive(Default)]
struct Outcomes {
    new: u64,
    refused: Vec<(usize, String)>,
}

impl MongodbWriter {
    /// Of the database that a URL names. Nothing is connected to yet.
    ///
    /// # Errors
    ///
    /// If the address cannot be read or names no database.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut options = ClientOptions::parse(url).await.context("the address")?;
        options.app_name = Some("crosstail".to_owned());
        options.server_selection_timeout = Some(std::time::Duration::from_secs(10));
        let client = mongodb::Client::with_options(options).context("connect")?;
        let database = client.default_database().context("the address names no database: mongodb://host/database")?;
        Ok(Self { database, documents: 0 })
    }

    async fn insert(&self, steps: &[RowStep<'_>]) -> anyhow::Result<Outcomes> {
        // Redacting is most of the work.
        let documents: anyhow::Result<Vec<RawDocumentBuf>> = steps.par_iter().map(inserted).collect();
        let collection = self.database.collection::<RawDocumentBuf>(COLLECTION);
        match collection.insert_many(documents?).ordered(false).await {
            Ok(done) => Ok(Outcomes { new: done.inserted_ids.len() as u64, refused: Vec::new() }),
            Err(error) => {
                let (there, refused) = refused(error)?;
                let new = steps.len() as u64 - there - refused.len() as u64;
                let step = |(at, reason): (usize, String)| Some((steps.get(at)?.index, reason));
                Ok(Outcomes { new, refused: refused.into_iter().filter_map(step).collect() })
            }
        }
    }

    async fn complete(&self, steps: &[RowStep<'_>]) -> anyhow::Result<Outcomes> {
        // The second where somebody else wrote a document.
        let queries: [fn(&Start) -> Document; 2] =
            [|start| doc! { "_id": object_id(start) }, |start| doc! { "request_id": request_id(start) }];
        let mut refused = Vec::new();
        for query in queries {
            let updates: anyhow::Result<Vec<RawDocumentBuf>> = steps
                .par_iter()
                .filter_map(|step| Some((step.start, step.outcome?)))
                .map(|(start, outcome)| update(&query(start), start, outcome))
                .collect();
            let command = Command { update: COLLECTION, updates: updates?, ordered: false };
            let all = command.updates.len();
            let command = bson::serialize_to_raw_document_buf(&command)?;
            let answer = self.database.run_raw_command(command).await;
            let answer = answer.with_context(|| format!("update {COLLECTION}"))?;
            refused = update_errors(&answer, steps)?;
            let found = answer.get_i32("n").ok().and_then(|found| usize::try_from(found).ok());
            if found.is_some_and(|found| found + refused.len() >= all) {
                break;
            }
        }
        Ok(Outcomes { new: 0, refused })
    }
}

/// The steps whose updates the server refuses, from its answer; an error that is not of the document is one.
fn update_errors(answer: &Document, steps: &[RowStep<'_>]) -> anyhow::Result<Vec<(usize, String)>> {
    let mut refused = Vec::new();
    for error in answer.get_array("writeErrors").into_iter().flatten().filter_map(Bson::as_document) {
        let reason = format!("update {COLLECTION}: {}", error.get_str("errmsg").unwrap_or("refused"));
        let at = error.get_i32("index").ok().and_then(|index| usize::try_from(index).ok());
        let step = at.and_then(|at| steps.get(at));
        let passing = error.get_i32("code").is_ok_and(|code| PASSING.contains(&code));
        match step {
            Some(step) if !passing => refused.push((step.index, reason)),
            _ => anyhow::bail!(reason),
        }
    }
    Ok(refused)
}

#[async_trait]
impl Writer for MongodbWriter {
    fn accepts(&self, start: &Start) -> bool {
        table::integration_logs().accepts(start)
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        let (inserts, updates) = table::integration_logs().divide(steps);
        let writer = &*self;
        // Side by side: the server waits for its journal in each. An outcome comes after its start.
        let commands: Vec<_> = inserts.chunks(DOCUMENTS).map(|chunk| writer.insert(chunk)).collect();
        let mut done: Vec<_> = stream::iter(commands).buffer_unordered(COMMANDS).collect().await;
        if done.iter().all(Result::is_ok) {
            let commands: Vec<_> = updates.chunks(DOCUMENTS).map(|chunk| writer.complete(chunk)).collect();
            done.extend(stream::iter(commands).buffer_unordered(COMMANDS).collect::<Vec<_>>().await);
        }
        let mut refused = Vec::new();
        for done in done {
            let done = done?;
            self.documents += done.new;
            refused.extend(done.refused);
        }
        if refused.is_empty() {
            return Ok(());
        }
        refused.sort_unstable_by_key(|(index, _)| *index);
        Err(Refused::Steps(refused).into())
    }

    fn written(&self) -> Vec<(String, u64)> {
        vec![(COLLECTION.to_owned(), self.documents)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_body_that_bson_cannot_hold_is_text() {
        let stored = |body: Value| {
            let start = Start { request_body: Some(body), ..Start::default() };
            let document = inserted(&RowStep { index: 0, start: &start, outcome: None }).expect("serialized");
            Document::try_from(document).expect("a document").remove("request_body")
        };
        assert_eq!(stored(json!({ "a": ["b\0"] })), Some(bson::bson!({ "a": ["b\0"] })));
        assert_eq!(stored(json!({ "a\0b": 1 })), Some(Bson::String("{\"a\\u0000b\":1}".to_owned())));
    }
}
