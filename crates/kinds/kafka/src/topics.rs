//! Topics: which exist, how their messages map to activities, and where their partitions start and end.

use super::Error;
use super::connection::Consumer;
use super::envelope::{About, Record, records, text_of};
use super::registry::{Decoder, encoded};
use crosstail_core::model::{
    Activity, Id, Locator, NameId, Names, Payload, Place, RawRecord, SourceId, Timestamp, redact_text,
};
use crosstail_core::schema::json;
use crosstail_core::schema::{Assembler, Schema};
use rdkafka::message::{Headers as _, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Messages per partition by which a schema is recognised.
const SAMPLE: i64 = 10;
/// Records of one message by which a schema is recognised.
const SAMPLED: usize = 20;
const EXCERPT: usize = 200;
/// Where a payload's metadata has the number of the schema that its message names.
pub(super) const SCHEMA_ID: &str = "schema_id";

/// A topic to read, with its schema.
#[derive(Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) number: NameId,
    pub(super) schema: Arc<Schema>,
    /// Whether the schema is certain: named, or recognised by messages. An empty topic has none to recognise it by.
    pub(super) recognised: bool,
    pub(super) partitions: Vec<i32>,
    pub(super) decoder: Decoder,
}

/// The topics of an address; those with measurements apart.
#[derive(Default)]
pub(super) struct Topics {
    pub(super) activities: Vec<Topic>,
    pub(super) series: Vec<Topic>,
    /// The patterns that fit no topic yet.
    pub(super) unmet: Vec<String>,
}

/// Finds the topics that match the names and patterns of an address.
pub(super) fn find(
    consumer: &Consumer,
    decoder: &Decoder,
    wanted: &[String],
    given: Option<&Schema>,
    known: &mut HashMap<String, Arc<Schema>>,
    (names, source): (&Names, SourceId),
) -> Result<Topics, Error> {
    let metadata = consumer.metadata()?;
    let there: Vec<(&str, Vec<i32>)> = metadata
        .topics()
        .iter()
        .map(|topic| (topic.name(), topic.partitions().iter().map(|partition| partition.id()).collect()))
        .collect();
    let schemas = given.cloned().map_or_else(Schema::built_in, |schema| vec![schema]);
    let mut topics = Topics::default();
    for name in wanted {
        let pattern = name.contains('*').then(|| glob::Pattern::new(name)).transpose();
        let pattern = pattern.map_err(|error| Error::Settings(format!("{name}: {error}")))?;
        let fits = |topic: &str| match &pattern {
            Some(pattern) => pattern.matches(topic) && !topic.starts_with("__"),
            None => topic == name,
        };
        let found: Vec<&(&str, Vec<i32>)> = there.iter().filter(|(topic, _)| fits(topic)).collect();
        if found.is_empty() && pattern.is_none() {
            let near = crosstail_core::filter::suggest(name, there.iter().map(|(topic, _)| *topic));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            return Err(Error::Absent { topic: name.clone(), hint });
        }
        if found.is_empty() {
            topics.unmet.push(name.clone());
        }
        for (topic, partitions) in found {
            let number = names.place(topic);
            names.table(source, topic);
            let of = |schema: Arc<Schema>, recognised| Topic {
                name: (*topic).to_owned(),
                number,
                schema,
                recognised,
                partitions: partitions.clone(),
                decoder: decoder.clone(),
            };
            if let Some(schema) = schemas.iter().find(|schema| schema.series_of(topic).is_some()) {
                topics.series.push(of(Arc::new(schema.clone()), true));
                continue;
            }
            let named = schemas
                .iter()
                .flat_map(|schema| schema.tables(crate::definitions::STORE))
                .find(|(_, table)| table.name == *topic)
                .map(|(part, _)| part.clone());
            schemas.iter().filter(|s| s.tables(crate::definitions::STORE).any(|(_, t)| t.name == *topic)).for_each(
                |schema| {
                    names.add_flow(&schema.definition().flow);
                },
            );
            let topic = match (named.or_else(|| given.cloned()), known.get(*topic)) {
                (Some(schema), _) => of(Arc::new(schema), true),
                (None, Some(schema)) => of(Arc::clone(schema), true),
                (None, None) => match recognise(consumer, decoder, topic, partitions, &schemas)? {
                    Some(schema) => {
                        of(Arc::clone(known.entry((*topic).to_owned()).or_insert_with(|| Arc::new(schema))), true)
                    }
                    None => {
                        let none = || Error::Nothing(format!("no schema for {topic}"));
                        of(
                            Arc::new(Schema::best_of(&schemas, &[]).or(schemas.first()).map(as_read).ok_or_else(none)?),
                            false,
                        )
                    }
                },
            };
            topics.activities.push(topic);
        }
    }
    // A pattern may fit nothing yet: its first topic is read from its beginning.
    Ok(topics)
}

/// A schema as messages are read by it: what is no topic of a system is what loggers write, as in files.
fn as_read(schema: &Schema) -> Schema {
    let of_system = schema.tables(crate::definitions::STORE).next().is_some() || schema.table.is_some();
    if of_system { schema.clone() } else { schema.clone().for_logs() }
}

/// The schema that reads the newest messages best; `None` where there are no messages.
fn recognise(
    consumer: &Consumer,
    decoder: &Decoder,
    topic: &str,
    partitions: &[i32],
    known: &[Schema],
) -> Result<Option<Schema>, Error> {
    let sampled = Topic {
        name: topic.to_owned(),
        number: NameId(0),
        schema: Arc::new(known[0].clone()),
        recognised: false,
        partitions: partitions.to_vec(),
        decoder: decoder.clone(),
    };
    let end = ends(consumer, std::slice::from_ref(&sampled), Offset::End)?;
    let begin = ends(consumer, std::slice::from_ref(&sampled), Offset::Beginning)?;
    let ranges = end.iter().map(|((name, partition), end)| {
        let key = (name.clone(), *partition);
        let low = begin.get(&key).copied().unwrap_or(0).max(end - SAMPLE);
        (key, (low, *end))
    });
    let mut sample: Vec<Map<String, Value>> = Vec::new();
    super::range::range(consumer, &ranges.collect(), &decoder.job, &mut |message| {
        let found = message.payload().and_then(|bytes| records(bytes, &About::default(), decoder).ok());
        let found = found.into_iter().flatten().take(SAMPLED);
        sample.extend(found.filter_map(|record| serde_json::from_str(&record.text).ok()));
        true
    })?;
    let best = || Schema::best_of(known, &sample).or(known.first()).map(as_read);
    Ok(if sample.is_empty() { None } else { best() })
}

/// Offsets by topic and partition.
pub(super) type Offsets = BTreeMap<(String, i32), i64>;

/// The offset at which each partition ends or starts, or that of its first message at or after a time (milliseconds
/// since the epoch).
pub(super) fn ends(consumer: &Consumer, topics: &[Topic], at: Offset) -> Result<Offsets, Error> {
    let mut list = TopicPartitionList::new();
    for topic in topics {
        for partition in &topic.partitions {
            list.add_partition_offset(&topic.name, *partition, at).map_err(|error| consumer.error(&error))?;
        }
    }
    if list.count() == 0 {
        return Ok(Offsets::new());
    }
    let list = consumer.offsets(&list)?;
    let mut offsets = Offsets::new();
    for element in list.elements() {
        // No message is that recent: the end of the partition.
        let offset = match element.offset() {
            Offset::Offset(offset) => offset,
            _ => consumer.bounds(element.topic(), element.partition())?.1,
        };
        offsets.insert((element.topic().to_owned(), element.partition()), offset);
    }
    Ok(offsets)
}

/// The topics in which messages wait behind a transaction that is open, for people.
pub(super) fn behind_transactions(
    committed: &Consumer,
    all: &Consumer,
    topics: &[Topic],
) -> Result<Vec<String>, Error> {
    let (seen, there) = (ends(committed, topics, Offset::End)?, ends(all, topics, Offset::End)?);
    let mut waiting: BTreeMap<&str, i64> = BTreeMap::new();
    for ((topic, partition), end) in &there {
        let behind = end - seen.get(&(topic.clone(), *partition)).copied().unwrap_or(*end);
        if behind > 0 {
            *waiting.entry(topic).or_default() += behind;
        }
    }
    let one = |(topic, count): (&str, i64)| {
        format!("{topic}: up to {count} messages wait behind an open transaction; they are read when it ends")
    };
    Ok(waiting.into_iter().map(one).collect())
}

/// When a message was written, by the clock of the broker or of the producer.
fn written(message: &impl Message) -> Option<Timestamp> {
    Timestamp::from_millis(message.timestamp().to_millis()?).of_record()
}

/// An activity of a message, and how its payload is read.
pub(super) struct Read<'a> {
    pub(super) activity: Activity,
    /// Whether the record has an identity of its own, so that other messages may hold the same activity.
    pub(super) shared: bool,
    /// The record, out of what it was sent in.
    pub(super) record: Cow<'a, str>,
}

impl Topic {
    /// The activities of a message, of which most have one; never fails.
    pub(super) fn read<'a>(&self, message: &'a impl Message, source: SourceId, source_name: &str) -> Vec<Read<'a>> {
        let headers = About::of_headers(message.headers());
        let Some(bytes) = message.payload() else {
            let key = message.key().map(|key| self.text(key)).unwrap_or_default();
            let problem = "no value: the message deletes its key";
            return vec![self.broken(message, (source, source_name), problem, format!("tombstone of {key}").into())];
        };
        match records(bytes, &headers, &self.decoder) {
            Ok(records) => {
                let alone = records.len() == 1;
                let one = |(number, record): (usize, Record<'a>)| {
                    self.record(message, (source, source_name), record, (!alone).then_some(number))
                };
                records.into_iter().enumerate().map(one).collect()
            }
            Err(problem) => {
                vec![self.broken(message, (source, source_name), &problem, String::from_utf8_lossy(bytes))]
            }
        }
    }

    /// Bytes of a message as they are, or, where a schema describes them, what they say.
    fn text<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        let said = encoded(bytes).and_then(|_| text_of(bytes, &self.decoder).ok());
        said.unwrap_or_else(|| String::from_utf8_lossy(bytes))
    }

    /// The only activity of most messages, the first of others.
    pub(super) fn activities(
        &self,
        message: &impl Message,
        source: SourceId,
        source_name: &str,
    ) -> impl Iterator<Item = Activity> {
        self.read(message, source, source_name).into_iter().map(|read| read.activity)
    }

    /// Where a message is, and the identity of an activity that has none of its own.
    fn place(&self, message: &impl Message, (source, source_name): (SourceId, &str)) -> (Place, String) {
        let (partition, offset) = (message.partition(), message.offset());
        let own = format!("{source_name}/{}/{partition}/{offset}", self.name);
        let locator =
            Locator::Message { topic: self.number, partition: partition.unsigned_abs(), offset: offset.unsigned_abs() };
        (Place { at: written(message), ..Place::new(source, locator) }, own)
    }

    /// What is shown of a message that cannot be read.
    fn broken<'a>(
        &self,
        message: &impl Message,
        source: (SourceId, &str),
        problem: &str,
        text: Cow<'a, str>,
    ) -> Read<'a> {
        let (place, own) = self.place(message, source);
        let at = format!("topic {}, partition {}, offset {}", self.name, message.partition(), message.offset());
        let time = place.at.unwrap_or(Timestamp::UNDATED);
        let excerpt = &text[..text.floor_char_boundary(EXCERPT)];
        let activity = Activity::undecodable(Id::Text(own.into()), time, place, &format!("{problem} ({at})"), excerpt);
        Read { activity, shared: false, record: text }
    }

    fn record<'a>(
        &self,
        message: &impl Message,
        source: (SourceId, &str),
        Record { text, about }: Record<'a>,
        number: Option<usize>,
    ) -> Read<'a> {
        let (place, own) = self.place(message, source);
        let own = Id::Text(number.map_or(own.clone(), |number| format!("{own}/{number}")).into());
        let mut assembler = Assembler::default();
        if let Err(at) = json::scan(&text, self.schema.tree(), &mut assembler) {
            let reason = match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
                Err(error) => format!("invalid JSON: {error}"),
                Ok(_) => format!("not an object, at byte {at}"),
            };
            let mut broken = self.broken(message, source, &reason, text.clone());
            broken.activity.id = own;
            return Read { record: text, ..broken };
        }
        let time = about.at.or(place.at).unwrap_or(Timestamp::UNDATED);
        let unread = assembler.unread_start().map(|text| {
            let said: String = text.chars().take(EXCERPT).collect();
            let instead = if about.at.is_some() { "its envelope" } else { "the message" };
            format!("its time cannot be read, that of {instead} is shown: {said}")
        });
        let mut activity = assembler.finish(&self.schema, own.clone(), time);
        about.complete(&mut activity);
        if let Some(unread) = unread {
            let place = if activity.error.is_none() { &mut activity.error } else { &mut activity.message };
            *place = place.take().or_else(|| Some(redact_text(&unread).as_ref().into()));
        }
        activity.places = vec![place];
        Read { shared: activity.id != own, activity, record: text }
    }

    /// The payload of a record of a message.
    pub(super) fn payload(&self, message: &impl Message, record: &str) -> Payload {
        let value = message.payload().unwrap_or_default();
        let text = self.text(value).into_owned();
        let mut payload = self.schema.divide(self.schema.record(record).unwrap_or_default());
        let mut about = json!({ "partition": message.partition(), "offset": message.offset() });
        if let Some(key) = message.key() {
            about["message_key"] = json!(self.text(key));
        }
        if let Some((id, _)) = encoded(value) {
            about[SCHEMA_ID] = json!(id);
        }
        if let Some(at) = written(message) {
            about["written_at"] = json!(at.rfc3339());
        }
        if let Some(headers) = message.headers() {
            let one = |header: rdkafka::message::Header<'_, &[u8]>| {
                (header.key.to_owned(), json!(String::from_utf8_lossy(header.value.unwrap_or_default())))
            };
            about["headers"] = Value::Object(headers.iter().map(one).collect());
        }
        payload.metadata.insert(format!("message of {}", self.name), about);
        let place = format!("{}[{}]@{}", self.name, message.partition(), message.offset());
        payload.raw.push(RawRecord::new(place, &text));
        payload
    }
}
