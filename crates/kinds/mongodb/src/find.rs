//! One `find`, and the filter of a page as each document is tested.

use super::expression::{Translator, bounds};
use super::indexed;
use super::mapping::{Mapping, plain};
use super::operators::date;
use super::{Asking, Error};
use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use crosstail_core::filter::{Comparator, Field, NamedRecord, Operand, Predicate};
use crosstail_core::model::{Activity, Names, Payload, RawRecord};
use crosstail_source::{Answer, Expected, PageQuery};
use mongodb::Collection;
use mongodb::options::Collation;
use std::time::{Duration, Instant};

/// The server cancels an operation that takes longer.
pub(super) const TIME_LIMIT: Duration = Duration::from_mins(1);

/// A server that has not answered by then does not answer: it would have cancelled the operation itself.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);
/// How often it is noted that answers arrive: not with each document.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// What is read for one page, in bytes of documents.
pub(super) const PAGE_BYTES: usize = 12 << 20;

/// The options of a `find`.
#[derive(Default)]
pub(super) struct Find {
    pub(super) filter: Document,
    pub(super) sort: Option<Document>,
    pub(super) limit: Option<usize>,
    /// Whether to read every field, not only the mapped ones.
    pub(super) whole: bool,
    /// Whether texts are compared by their bytes, whatever the collection's collation is. No index that has the collection's
    /// collation is asked for a text then.
    pub(super) by_bytes: bool,
}

/// The collation that compares texts by their bytes, as crosstail does.
pub(super) fn by_bytes() -> Collation {
    Collation::builder().locale("simple").build()
}

pub(super) fn collection(database: Asking<'_>, mapping: &Mapping) -> Collection<RawDocumentBuf> {
    database.handle.collection(&mapping.table.name)
}

pub(super) async fn find(database: Asking<'_>, mapping: &Mapping, find: Find) -> Result<Vec<RawDocumentBuf>, Error> {
    let (mut found, mut answer, mut too_large) = (Vec::new(), Answer::default(), None);
    each(database, mapping, find, |document| {
        too_large = answer.count(document.as_bytes().len()).err();
        found.push(document.to_owned());
        too_large.is_none()
    })
    .await?;
    too_large.map_or(Ok(found), |error| Err(Error::TooLarge(error)))
}

/// Passes what a `find` finds to a function, until the function stops it.
pub(super) async fn each(
    database: Asking<'_>,
    mapping: &Mapping,
    find: Find,
    mut take: impl FnMut(&RawDocument) -> bool,
) -> Result<(), Error> {
    let collection = collection(database, mapping);
    database.job.runs(&format!("find {}", mapping.table.name));
    let mut action = collection.find(find.filter).max_time(TIME_LIMIT).comment(Bson::String(database.comment()));
    if !find.whole && !mapping.projection.is_empty() {
        action = action.projection(mapping.projection.clone());
    }
    if find.by_bytes && mapping.is_collated && !mapping.is_fixed {
        action = action.collation(by_bytes());
    }
    if let Some(sort) = find.sort {
        // Where no index has the order, the server sorts on its disk.
        action = action.sort(sort).allow_disk_use(true);
    }
    if let Some(limit) = find.limit {
        action = action.limit(i64::try_from(limit).unwrap_or(i64::MAX));
        action = action.batch_size(u32::try_from(limit).unwrap_or(u32::MAX).clamp(1, 5000));
    }
    let mut arriving = Arriving::of(database);
    let (mut taken, limit) = (0, find.limit.unwrap_or(usize::MAX));
    let mut cursor = action.await?;
    while cursor.advance().await? {
        arriving.note();
        let document = cursor.current();
        database.job.count(1, document.as_bytes().len());
        taken += 1;
        // A server may send more than it was asked for.
        if !take(document) || taken >= limit {
            break;
        }
    }
    Ok(())
}

/// Documents that arrive for a job, which ends where none come any more.
pub(super) struct Arriving {
    expected: Expected,
    noted: Instant,
}

impl Arriving {
    pub(super) fn of(database: Asking<'_>) -> Self {
        Self { expected: database.job.expects(ANSWER_TIMEOUT), noted: Instant::now() }
    }

    /// One has arrived.
    pub(super) fn note(&mut self) {
        if self.noted.elapsed() >= NOTED_EVERY {
            self.expected.renew(ANSWER_TIMEOUT);
            self.noted = Instant::now();
        }
    }
}

/// The filter of a page, as each document is tested.
pub(super) struct PageFilter<'a> {
    pub(super) mapping: &'a Mapping,
    names: &'a Names,
    predicate: &'a Predicate,
    conditions: Vec<Document>,
    /// The bounds of the filter's own clauses on the time, where that is a date.
    bounds: Vec<Document>,
    /// Number of clauses that the server evaluates.
    pub(super) clauses: usize,
    pub(super) whole: bool,
    /// See [`Find::by_bytes`].
    pub(super) by_bytes: bool,
}

impl<'a> PageFilter<'a> {
    pub(super) fn new(mapping: &'a Mapping, names: &'a Names, predicate: &'a Predicate) -> Self {
        let mut translator = Translator::new(mapping);
        let condition = translator.condition(predicate);
        // What indexes answer, and then what is exact.
        let mut conditions = indexed::conditions(mapping, predicate);
        // A query has one collation, and so have an index on texts and the index on `_id`. In a collection with a collation
        // of its own, a text that is wanted as a whole is looked for with that: it finds all that has the same bytes, and
        // the index answers, as an index must where few documents of many have an id. Expressions would be wrong with it
        // (what is unlike `SAP` is not all that differs from it), so they are left out: few documents come, and are tested
        // here. Everything else is compared by bytes, as if there were no collation: regular expressions never have one,
        // and dates and numbers are found in any index. Of a view, the server takes no other collation.
        let by_bytes = !mapping.is_collated || !(mapping.is_fixed || conditions.iter().any(indexed::has_texts));
        let mut clauses = condition.clauses;
        if !by_bytes {
            clauses = conditions.len();
        } else if condition.clauses > 0 {
            conditions.push(doc! { "$expr": { "$or": [condition.expression, translator.has_unexpected_types()] } });
        }
        let (bounds, whole) = (bounds(mapping, predicate), predicate.needs_payload());
        Self { mapping, names, predicate, conditions, bounds, clauses, whole, by_bytes }
    }

    /// Whether only a range of time is asked for.
    pub(super) fn is_range(&self) -> bool {
        let is_time = |clause: &Predicate| {
            matches!(clause, Predicate::Compare(Comparator { target: Operand::Field(Field::Time), negated: false, .. }))
        };
        match self.predicate {
            Predicate::All => true,
            Predicate::And(parts) => parts.iter().all(is_time),
            other => is_time(other),
        }
    }

    /// The filter for the documents of a query whose time is a date.
    pub(super) fn range(&self, query: &PageQuery) -> Document {
        let mut range = self.mapping.one_date();
        range.extend(query.since.map(|at| doc! { "$gte": date(at) }).unwrap_or_default());
        range.extend(query.until.map(|at| doc! { "$lt": date(at) }).unwrap_or_default());
        self.dated(range)
    }

    pub(super) fn filter(&self, more: Document) -> Document {
        let mut all = vec![more];
        all.extend(self.conditions.iter().cloned());
        doc! { "$and": all }
    }

    /// The same for documents whose time is a date.
    pub(super) fn dated(&self, range: Document) -> Document {
        let mut all = vec![doc! { self.mapping.table.time.as_str(): range }];
        all.extend(self.bounds.iter().chain(&self.conditions).cloned());
        doc! { "$and": all }
    }

    /// The activity of a document, and whether the filter keeps it.
    pub(super) fn read(&self, document: &RawDocument) -> (Activity, bool) {
        let activity = self.mapping.read(document);
        let payload = self.whole.then(|| payload_of(self.mapping, document));
        let kept =
            self.predicate.keeps(&NamedRecord { activity: &activity, names: self.names, payload: payload.as_ref() });
        (activity, kept)
    }
}

/// The payload of a document.
pub(super) fn payload_of(mapping: &Mapping, document: &RawDocument) -> Payload {
    let raw = |text: String| RawRecord::new(mapping.table.name.clone(), &text);
    let document: Document = match document.to_owned().try_into() {
        Ok(document) => document,
        Err(error) => {
            let mut payload = Payload::default();
            payload.raw.push(raw(format!("this document cannot be read: {error}")));
            return payload;
        }
    };
    let text = Bson::Document(document.clone()).into_relaxed_extjson().to_string();
    let mut record = match plain(Bson::Document(document)) {
        serde_json::Value::Object(record) => record,
        _ => serde_json::Map::new(),
    };
    record.retain(|_, value| !value.is_null());
    record.shift_remove("_id");
    let mut payload = mapping.schema.divide(record);
    payload.raw.push(raw(text));
    payload
}
