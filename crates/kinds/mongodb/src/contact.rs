//! First contact: a collection that no schema knows. Names, types and some documents decide what is what.

use super::find::{PAGE_BYTES, TIME_LIMIT};
use super::mapping::{Listed, Mapping, plain};
use super::{Database, Error, MongodbSource, definitions};
use bson::{Bson, Document, doc};
use crosstail_core::schema::{Holds, Sampled, Schema, Sketch, TableSample};
use crosstail_source::TableOffer;
use std::collections::BTreeMap;

/// Documents of a collection that are looked at.
const DOCUMENTS: i64 = 100;
/// The same: a server may send more than it was asked for.
const SAMPLE: usize = 100;
/// Collections that are looked at.
const COLLECTIONS: usize = 50;
/// Longer texts are cut: only their beginning is looked at.
const CHARACTERS: usize = 2000;

/// Databases that an error names, at most.
const DATABASES: usize = 10;
/// Databases of the server's own.
const OWN: [&str; 3] = ["admin", "config", "local"];

/// The error of an address without a database, which names those that there are.
pub(super) async fn no_database(client: &mongodb::Client) -> Error {
    let mut names = match client.list_database_names().await {
        Ok(names) => names,
        Err(error) => return error.into(),
    };
    names.retain(|name| !OWN.contains(&name.as_str()));
    names.sort();
    let more = names.len().saturating_sub(DATABASES);
    let shown = names[..names.len() - more].join(", ");
    Error::NoDatabase(match (shown.as_str(), more) {
        ("", _) => "none but the server's own".to_owned(),
        (_, 0) => shown,
        (_, more) => format!("{shown} and {more} more"),
    })
}

/// What collections are, the likeliest first; of one, or of all that have a time.
pub(super) async fn sketches(
    database: &mongodb::Database,
    only: Option<&str>,
) -> Result<Vec<(TableSample, Sketch)>, Error> {
    let mut names = database.list_collection_names().await?;
    names.retain(|name| !name.starts_with("system.") && only.is_none_or(|only| only == name));
    names.sort();
    let mut found = Vec::new();
    for name in names.into_iter().take(COLLECTIONS) {
        let collection = database.collection::<Document>(&name);
        // The newest ones, by the order of their keys. A view has no index for that.
        let newest = collection.find(doc! {}).sort(doc! { "_id": -1 }).limit(DOCUMENTS).max_time(TIME_LIMIT / 10);
        let asking = async {
            match newest.await {
                Ok(cursor) => Ok(cursor),
                Err(_) => collection.find(doc! {}).limit(DOCUMENTS).max_time(TIME_LIMIT / 10).await,
            }
        };
        // One that cannot be read is none that can be shown.
        let Ok(Ok(mut cursor)) = tokio::time::timeout(TIME_LIMIT / 2, asking).await else { continue };
        let (mut documents, mut bytes) = (Vec::new(), 0);
        let reading = async {
            while documents.len() < SAMPLE && bytes < PAGE_BYTES && matches!(cursor.advance().await, Ok(true)) {
                bytes += cursor.current().as_bytes().len();
                documents.extend(cursor.deserialize_current());
            }
        };
        // A server that stops in the middle has told as much as it will.
        drop(tokio::time::timeout(TIME_LIMIT / 5, reading).await);
        let sample = sample(name, documents);
        let sketch = sample.sketch();
        if sketch.score > 0 {
            found.push((sample, sketch));
        }
    }
    found.sort_by_key(|(_, sketch)| std::cmp::Reverse(sketch.score));
    Ok(found)
}

/// The fields of documents with their values.
fn sample(name: String, documents: Vec<Document>) -> TableSample {
    let mut columns: Vec<Sampled> = Vec::new();
    for document in documents {
        for (path, value) in document {
            let Some(holds) = holds(&value) else { continue };
            // A name with a dot is no path.
            if path.contains('.') {
                continue;
            }
            let text = match plain(value) {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            let text: String = if holds == Holds::Json { text } else { text.chars().take(CHARACTERS).collect() };
            match columns.iter_mut().find(|known| known.path == path) {
                Some(known) => {
                    if known.holds != holds {
                        known.holds = joined(known.holds, holds);
                    }
                    known.values.push(text);
                }
                None => columns.push(Sampled { path, holds, values: vec![text] }),
            }
        }
    }
    // JSON in a text is no part of a document: no path leads into it.
    let packed = |column: &Sampled| column.values.iter().any(|value| value.trim_start().starts_with('{'));
    columns.iter_mut().filter(|column| column.holds == Holds::Text && packed(column)).for_each(|column| {
        column.holds = Holds::Other;
    });
    TableSample { name, key: vec!["_id".to_owned()], columns, reads_any_time: true }
}

fn holds(value: &Bson) -> Option<Holds> {
    Some(match value {
        Bson::Null | Bson::Undefined => return None,
        Bson::Int32(_) | Bson::Int64(_) => Holds::Int,
        Bson::Double(_) | Bson::Decimal128(_) => Holds::Float,
        Bson::Boolean(_) => Holds::Bool,
        Bson::DateTime(_) | Bson::Timestamp(_) => Holds::Time,
        Bson::Binary(_) => Holds::Uuid,
        Bson::Document(_) | Bson::Array(_) => Holds::Json,
        Bson::String(_) | Bson::Symbol(_) => Holds::Text,
        _ => Holds::Other,
    })
}

/// What a field holds whose values are of two types.
fn joined(one: Holds, other: Holds) -> Holds {
    match (one, other) {
        (Holds::Int | Holds::Float, Holds::Int | Holds::Float) => Holds::Float,
        // The others come once.
        (Holds::Time, _) | (_, Holds::Time) => Holds::Time,
        (Holds::Json, Holds::Text) | (Holds::Text, Holds::Json) => Holds::Json,
        _ => Holds::Text,
    }
}

impl MongodbSource {
    /// Takes the collection that is an activity most likely, and says so.
    pub(super) async fn first_contact(
        &self,
        found: &mut Database,
        kinds: &BTreeMap<String, Listed>,
    ) -> Result<(), Error> {
        let mut all = sketches(&found.handle, None).await?;
        if all.is_empty() {
            return Ok(());
        }
        let (sample, sketch) = all.remove(0);
        let toml = sketch.toml(&sample.name, &sample);
        let schema = Schema::from_toml(&toml, &sample.name).map_err(|error| Error::Mapping(error.to_string()))?;
        let Some((part, table)) = schema.tables(definitions::STORE).next() else { return Ok(()) };
        self.names.table(self.id, &table.name);
        let mut mapping = Mapping::new(0, part, table, (self.id, &self.name));
        mapping.know(found.pushes, kinds.get(&table.name));
        found.mappings.push(mapping);
        let others = all.iter().filter(|(_, sketch)| sketch.is_likely()).map(|(other, _)| other.name.as_str());
        found.warnings.push(sketch.note("collection", &sample.name, others));
        found.schemas.push(sample.name);
        Ok(())
    }

    /// The collections that have a time, the likeliest first.
    pub(super) async fn offered(&self) -> Result<Vec<TableOffer>, Error> {
        let (_, database) = self.connect().await?;
        let mut offers = Vec::new();
        for (sample, sketch) in sketches(&database, None).await? {
            // A view counts nothing by itself.
            let rows = database.collection::<Document>(&sample.name).estimated_document_count().await.ok();
            offers.push(TableOffer::new(&sample.name, rows, &sketch));
        }
        Ok(offers)
    }

    /// The mapping of a collection, or of the likeliest one, as TOML. `Err` with what to say where there is none.
    pub(super) async fn drafted(&self, table: Option<&str>) -> Result<Result<String, String>, Error> {
        let (_, database) = self.connect().await?;
        let found = sketches(&database, table).await?;
        if let Some((sample, sketch)) = found.first() {
            return Ok(Ok(sketch.toml(&sample.name, sample)));
        }
        let mut known = database.list_collection_names().await?;
        known.sort();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Ok(Err(match table {
            Some(table) => format!("no collection '{table}' with a time; the database has {known}"),
            None => format!("no collection with a time; the database has {known}"),
        }))
    }
}
