//! Maps collections to activities: which of a schema's collections exist, and how a document is read.

use super::Error;
use super::operators::date;
use bson::{Bson, Document, RawBsonRef, RawDocument, doc, oid::ObjectId, spec::BinarySubtype};
use crosstail_core::model::{Activity, Id, Locator, Place, SourceId, Timestamp, parse_timestamp};
use crosstail_core::schema::{Assembler, CONTAINER, Node, Scalar, Schema, Table, Target, says_error};
use mongodb::results::{CollectionSpecification, CollectionType};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the list of collections says of one.
pub(super) struct Listed {
    /// No view, and no time series.
    is_collection: bool,
    is_view: bool,
    is_collated: bool,
}

impl Listed {
    pub(super) fn of(one: &CollectionSpecification) -> Self {
        Self {
            is_collection: one.collection_type == CollectionType::Collection,
            is_view: one.collection_type == CollectionType::View,
            is_collated: one.options.collation.is_some(),
        }
    }
}

/// A schema resolved against one collection.
pub(super) struct Mapping {
    pub(super) index: usize,
    pub(super) schema: Schema,
    pub(super) table: Table,
    pub(super) source: SourceId,
    pub(super) source_name: String,
    /// Whether the collection has a change stream. A view and a time series have none.
    pub(super) is_streamed: bool,
    /// Whether the collection has a collation of its own, which is not how crosstail compares texts.
    pub(super) is_collated: bool,
    /// Whether no query may have another collation: a view's.
    pub(super) is_fixed: bool,
    /// Whether the documents' own identity tells them apart. Otherwise `_id` does.
    pub(super) is_unique: bool,
    /// Whether a document may have several times, as far as the index on the time tells.
    pub(super) has_lists: AtomicBool,
    /// Whether a mapped field has a name that no expression and no projection can have, such as `$x`: then documents are read
    /// whole, and evaluated here.
    pub(super) is_local: bool,
    /// The projection that the server applies: the mapped fields. Empty: all of them.
    pub(super) projection: Document,
}

impl Mapping {
    pub(super) fn new(index: usize, schema: &Schema, table: &Table, (source, source_name): (SourceId, &str)) -> Self {
        let mut paths: Vec<&str> =
            schema.definition().fields.values().flat_map(|p| p.list()).map(String::as_str).collect();
        paths.extend(["_id", table.id.as_str(), table.time.as_str()]);
        paths.sort_unstable();
        paths.dedup();
        // A projection must not contain both a path and one below it.
        let below =
            |path: &str| paths.iter().any(|other| path.strip_prefix(other).is_some_and(|rest| rest.starts_with('.')));
        let is_local = paths.iter().any(|path| path.split('.').any(|name| name.is_empty() || name.starts_with('$')));
        let known = paths.iter().filter(|path| !below(path)).map(|path| ((*path).to_owned(), Bson::Int32(1)));
        // Without a projection, documents come whole.
        let projection = if is_local { Document::new() } else { known.collect() };
        Self {
            index,
            schema: schema.clone(),
            table: table.clone(),
            source,
            source_name: source_name.to_owned(),
            is_streamed: true,
            is_collated: false,
            is_fixed: false,
            is_unique: true,
            has_lists: AtomicBool::new(true),
            is_local,
            projection,
        }
    }

    /// What the list of collections says of this one. `pushes`: the server has change streams.
    pub(super) fn know(&mut self, pushes: bool, listed: Option<&Listed>) {
        self.is_streamed = pushes && listed.is_some_and(|listed| listed.is_collection);
        self.is_collated = listed.is_some_and(|listed| listed.is_collated);
        self.is_fixed = listed.is_some_and(|listed| listed.is_collated && listed.is_view);
    }

    /// Whether a name with dots stands where a mapped path leads: no expression of the server finds it.
    pub(super) fn has_dotted(&self, document: &Document) -> bool {
        let mut paths = self.schema.definition().fields.values().flat_map(|paths| paths.list());
        paths.any(|path| path.contains('.') && document.contains_key(path))
    }

    /// Reads documents whole, and evaluates filters here.
    pub(super) fn read_whole(&mut self) {
        (self.is_local, self.projection) = (true, Document::new());
    }

    /// The paths that fill a target, in order of preference.
    pub(super) fn paths(&self, target: Target) -> Vec<&str> {
        let fields = &self.schema.definition().fields;
        fields
            .iter()
            .filter(|(name, _)| Target::parse(name) == Some(target))
            .flat_map(|(_, paths)| paths.list())
            .map(String::as_str)
            .collect()
    }

    /// Whether a document may have several times.
    pub(super) fn has_lists(&self) -> bool {
        self.has_lists.load(Ordering::Relaxed)
    }

    /// The condition for documents with one date, which is a time of a record.
    pub(super) fn one_date(&self) -> Document {
        let mut found = doc! { "$type": "date", "$gte": date(Timestamp::FIRST), "$lt": date(Timestamp::BEYOND) };
        if self.has_lists() {
            found.insert("$not", doc! { "$type": "array" });
        }
        found
    }

    /// Whether nothing below a path is mapped, so that an object there is a value of its own.
    pub(super) fn is_leaf(&self, path: &str) -> bool {
        let all = self.schema.definition().fields.values().flat_map(|paths| paths.list());
        !all.into_iter().any(|other| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// The prefix of a key that is unique in this collection only.
    pub(super) fn prefix(&self) -> String {
        format!("{}/{}/", self.source_name, self.table.name)
    }

    /// The key in an identity that starts with [`Self::prefix`].
    pub(super) fn own_key<'k>(&self, id: &'k str) -> Option<&'k str> {
        id.strip_prefix(self.prefix().as_str())
    }

    /// The activity of a document; an error where the BSON is malformed.
    pub(super) fn activity(&self, document: &RawDocument) -> Result<Activity, Error> {
        let mut assembler = Assembler::default();
        let id = document.get("_id")?;
        let mut key = id.map(Bson::try_from).transpose()?.map(|id| key_of(&id)).unwrap_or_default();
        walk(self, self.schema.tree(), document, &mut assembler)?;
        let mut own = Id::Text(format!("{}{key}", self.prefix()).into());
        let at = assembler.recorded_at();
        let mut activity = assembler.finish(&self.schema, own.clone(), Timestamp::UNDATED);
        if id.is_none() {
            key = key_of_content(&activity);
            let by_content = Id::Text(format!("{}{key}", self.prefix()).into());
            if activity.id == own {
                activity.id = by_content.clone();
            }
            own = by_content;
        }
        if !self.is_unique && !activity.part {
            activity.id = own;
        }
        activity.places = vec![Place { at, ..Place::new(self.source, Locator::table_key(self.index, &key)) }];
        Ok(activity)
    }

    /// An activity in place of a document that cannot be read.
    pub(super) fn undecodable(&self, document: &RawDocument, error: &Error) -> Activity {
        let key = match document.get("_id") {
            Ok(Some(id)) => id.try_into().map(|id: Bson| key_of(&id)).unwrap_or_default(),
            _ => String::new(),
        };
        let place = Place::new(self.source, Locator::table_key(self.index, &key));
        let id = Id::Text(format!("{}{key}", self.prefix()).into());
        let excerpt = format!("a document of {} that cannot be read", self.table.name);
        Activity::undecodable(id, Timestamp::UNDATED, place, &error.to_string(), &excerpt)
    }

    /// The key of a document.
    pub(super) fn key(&self, document: &RawDocument) -> String {
        match document.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok()) {
            Some(id) => key_of(&id),
            None => {
                let places = self.read(document).places;
                let key = places.first().and_then(|place| place.locator.as_table_key()).map(|(_, key)| key.to_owned());
                key.unwrap_or_default()
            }
        }
    }

    /// The activity of a document; never fails.
    pub(super) fn read(&self, document: &RawDocument) -> Activity {
        self.activity(document).unwrap_or_else(|error| self.undecodable(document, &error))
    }
}

/// The key of a document that has none, as those of a view may: what is read of it (FNV-1a), so that documents that differ in it are not
/// taken for one.
fn key_of_content(activity: &Activity) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("~{:016x}", format!("{activity:?}").bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// The text of a key: an ObjectId as hexadecimal digits, anything else as extended JSON.
pub(super) fn key_of(id: &Bson) -> String {
    match id {
        Bson::ObjectId(id) => id.to_hex(),
        other => other.clone().into_canonical_extjson().to_string(),
    }
}

/// The key of a text made by [`key_of`].
pub(super) fn parse_key(text: &str) -> Option<Bson> {
    if let Ok(id) = ObjectId::parse_str(text) {
        return Some(Bson::ObjectId(id));
    }
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Bson::try_from(value).ok()
}

/// What a key leads to. Its own name may have dots: `http.status`.
fn led_to<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let steps = || key.split('.').try_fold(node, |node, step| node.child(step.as_bytes()));
    node.child(key.as_bytes()).or_else(|| if key.contains('.') { steps() } else { None })
}

/// A list of one value is that value, and its object that object, but where a list is wanted. Lists in lists are no values.
fn unlisted<'a>(node: &Node, value: RawBsonRef<'a>) -> Result<RawBsonRef<'a>, Error> {
    let RawBsonRef::Array(list) = value else { return Ok(value) };
    if node.targets.iter().any(|(target, _)| *target == Target::Tags) {
        return Ok(value);
    }
    let mut values = list.into_iter();
    let (first, second) = (values.next().transpose()?, values.next());
    let one = first.filter(|one| second.is_none() && !matches!(one, RawBsonRef::Array(_)));
    Ok(one.unwrap_or(value))
}

fn walk<'a>(mapping: &Mapping, node: &Node, document: &'a RawDocument, into: &mut Assembler<'a>) -> Result<(), Error> {
    for element in document {
        let (key, value) = element?;
        let Some(node) = led_to(node, key.as_str()) else { continue };
        let value = unlisted(node, value)?;
        if let RawBsonRef::Document(inner) = value {
            walk(mapping, node, inner, into)?;
        }
        for (target, rank) in &node.targets {
            let mut rank = *rank;
            let scalar = match (&value, target) {
                (RawBsonRef::Array(_), Target::Tags) => {
                    let list: Bson = value.try_into()?;
                    Some(Scalar::Text(Cow::Owned(list.into_relaxed_extjson().to_string())))
                }
                // Integers are unique within one collection only.
                (RawBsonRef::Int32(n), Target::Id) => {
                    Some(Scalar::Text(Cow::Owned(format!("{}{n}", mapping.prefix()))))
                }
                (RawBsonRef::Int64(n), Target::Id) => {
                    Some(Scalar::Text(Cow::Owned(format!("{}{n}", mapping.prefix()))))
                }
                // Of several times, the last one.
                (RawBsonRef::Array(list), Target::StartedAt) => last_time(list)?,
                // An id says when it was made, to the second.
                (RawBsonRef::ObjectId(id), Target::StartedAt) => {
                    Some(Scalar::Time(Timestamp::from_millis(id.timestamp().timestamp_millis())))
                }
                (RawBsonRef::String(text), Target::StartedAt) => Some(match day(text) {
                    Some(at) => Scalar::Time(at),
                    None => Scalar::Text(Cow::Borrowed(text)),
                }),
                // An error may be an object of which nothing is mapped.
                (RawBsonRef::Document(_) | RawBsonRef::Array(_), Target::Error) if !node.has_children() => {
                    let text = plain(value.try_into()?).to_string();
                    says_error(&text).then_some(Scalar::Text(Cow::Owned(text)))
                }
                // What is no text says more than nothing, and less than a text elsewhere.
                (RawBsonRef::Document(_) | RawBsonRef::Array(_), Target::Message) if !node.has_children() => {
                    rank |= CONTAINER;
                    let text = plain(value.try_into()?).to_string();
                    (text.len() > 2).then_some(Scalar::Text(Cow::Owned(text)))
                }
                _ => scalar(value),
            };
            if let Some(scalar) = scalar {
                into.set((*target, rank), scalar);
            }
        }
    }
    Ok(())
}

/// The beginning of a day, where a text is one.
fn day(text: &str) -> Option<Timestamp> {
    let is_day = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
    is_day.then(|| parse_timestamp(&format!("{text}T00:00:00Z")))?
}

/// A date, where it is a time of a record.
fn moment(at: bson::DateTime) -> Option<Timestamp> {
    Timestamp::from_millis(at.timestamp_millis()).of_record()
}

/// The last of the dates in an array.
fn last_time(list: &bson::RawArray) -> Result<Option<Scalar<'static>>, Error> {
    let mut last = None;
    for value in list {
        last = last.max(match value? {
            RawBsonRef::DateTime(at) => moment(at),
            RawBsonRef::String(text) => parse_timestamp(text),
            _ => None,
        });
    }
    Ok(last.map(Scalar::Time))
}

fn scalar(value: RawBsonRef<'_>) -> Option<Scalar<'_>> {
    Some(match value {
        RawBsonRef::Double(n) => Scalar::Float(n),
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => Scalar::Text(Cow::Borrowed(text)),
        RawBsonRef::Boolean(b) => Scalar::Bool(b),
        RawBsonRef::Int32(n) => Scalar::Int(i64::from(n)),
        RawBsonRef::Int64(n) => Scalar::Int(n),
        RawBsonRef::Timestamp(at) => Scalar::Time(Timestamp(i64::from(at.time) * 1_000_000)),
        RawBsonRef::DateTime(at) => Scalar::Time(moment(at)?),
        RawBsonRef::ObjectId(id) => Scalar::Text(Cow::Owned(id.to_hex())),
        RawBsonRef::Decimal128(n) => Scalar::Text(Cow::Owned(n.to_string())),
        RawBsonRef::Binary(bytes) => Scalar::Text(Cow::Owned(binary(bytes.subtype, bytes.bytes))),
        _ => return None,
    })
}

/// A UUID in its text form; other bytes as hexadecimal digits.
fn binary(subtype: BinarySubtype, bytes: &[u8]) -> String {
    match (subtype, uuid::Uuid::from_slice(bytes)) {
        (BinarySubtype::Uuid | BinarySubtype::UuidOld, Ok(uuid)) => uuid.to_string(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// A document as plain JSON, as the mapping reads it: dates in RFC 3339, ids as text.
pub(super) fn plain(value: Bson) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Bson::Document(document) => {
            Value::Object(document.into_iter().map(|(key, value)| (key, plain(value))).collect())
        }
        Bson::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        Bson::DateTime(at) => Value::String(Timestamp::from_millis(at.timestamp_millis()).rfc3339()),
        Bson::ObjectId(id) => Value::String(id.to_hex()),
        Bson::Decimal128(n) => Value::String(n.to_string()),
        Bson::Binary(bytes) => Value::String(binary(bytes.subtype, &bytes.bytes)),
        Bson::Int64(n) => Value::from(n),
        other => other.into_relaxed_extjson(),
    }
}

/// The values that a text may represent in a document: the text itself, a UUID as bytes, an ObjectId, a number.
pub(super) fn values(text: &str) -> Vec<Bson> {
    let mut values = vec![Bson::String(text.to_owned())];
    if let Ok(uuid) = uuid::Uuid::parse_str(text) {
        let bytes = uuid.as_bytes().to_vec();
        values.push(Bson::Binary(bson::Binary { subtype: BinarySubtype::Uuid, bytes }));
    }
    if let Ok(id) = ObjectId::parse_str(text) {
        values.push(Bson::ObjectId(id));
    }
    if let Ok(n) = text.parse::<i64>() {
        values.push(Bson::Int64(n));
    }
    values
}

/// A filter that matches any of several values.
pub(super) fn any_of(path: &str, values: Vec<Bson>) -> Document {
    doc! { path: { "$in": values } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::STORE;
    use crosstail_fuzz::Target;

    #[test]
    fn fuzz_document() {
        let schema = Schema::find("prokure").expect("built in");
        let (part, table) = schema.tables(STORE).next().expect("a collection");
        let mapping = Mapping::new(0, part, table, (SourceId(0), "fuzz"));
        let document = doc! {
            "_id": ObjectId::from_bytes([7; 12]), "request_id": "r", "status": "SUCCESS", "started_at": bson::DateTime::from_millis(0),
            "request": { "body": { "list": [1, 2_i64, 3.5, null, true] } }, "bytes": bson::Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] },
        };
        let right = bson::serialize_to_vec(&document).expect("BSON");
        let bits = ["\u{3}a\0", "\u{4}a\0", "\u{2}a\0", "\u{5}\0\0\0", "\0", "\u{7f}"];
        Target { name: "document", corpus: vec![right], bits: &bits, longest: 200_000 }.run(|_, input| {
            if let Ok(document) = RawDocument::from_bytes(input) {
                mapping.read(document);
            }
        });
    }
}
