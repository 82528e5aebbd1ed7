//! The kind `kafka`: the topics of a cluster, read by assignment. Their history is what they retain.

mod alert;
mod cluster;
mod collect;
mod connection;
mod create;
mod definitions;
mod diagnose;
mod envelope;
mod follow;
mod history;
mod joined;
mod kind;
mod range;
mod read;
mod registry;
mod topics;

pub use kind::KIND;

use async_trait::async_trait;
use connection::{Address, Consumer, blocking};
use crosstail_core::model::{Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp, Vitals, redact_text};
use crosstail_core::schema::Schema;
use crosstail_source::read_ahead::ReadAhead;
use crosstail_source::{
    Batches, Capabilities, Cost, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related,
    RelatedKey, Scheduler, Sink, Source, SourceError, Stopped,
};
use rdkafka::Offset;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::sync::{Arc, Mutex, PoisonError};
use topics::Topics;

/// Calls at once, with following and the turn that is kept for it; each has clients of its own.
const CALLS: usize = 5;

/// A source in the topics of a cluster.
pub struct KafkaSource {
    name: String,
    kafka: Arc<Kafka>,
    scheduler: Arc<Scheduler>,
}

/// The client settings for the brokers of an address, for writing.
pub fn client(url: &str) -> anyhow::Result<rdkafka::ClientConfig> {
    Address::parse(&crosstail_source::with_wildcard(url)).map(|address| address.client()).map_err(anyhow::Error::msg)
}

/// The topic names or patterns of an address; `*` where it names none.
pub fn topics(url: &str) -> anyhow::Result<Vec<String>> {
    Address::parse(&crosstail_source::with_wildcard(url)).map(|address| address.topics).map_err(anyhow::Error::msg)
}

/// A cluster and the topics to read.
struct Kafka {
    address: Address,
    schema: Option<Schema>,
    names: Names,
    source: SourceId,
    source_name: String,
    /// The schemas that were recognised by messages, by topic.
    recognised: Mutex<std::collections::HashMap<String, Arc<Schema>>>,
    /// Topics of the address that did not exist when somebody asked: all that they have is new.
    absent: Mutex<std::collections::HashSet<String>>,
    waiting: ReadAhead<read::Ahead>,
    /// The messages and bytes read so far, by topic: what a message weighs.
    weights: Mutex<std::collections::HashMap<String, (u64, u64)>>,
    /// When throughput was last measured, and where partitions ended then.
    ends_before: Mutex<Option<(std::time::Instant, topics::Offsets)>>,
}

impl Kafka {
    /// Notes what a message of a topic weighs.
    fn weigh(&self, topic: &str, bytes: usize) {
        let mut weights = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        match weights.get_mut(topic) {
            Some((messages, sum)) => {
                *messages += 1;
                *sum += bytes as u64;
            }
            None => {
                weights.insert(topic.to_owned(), (1, bytes as u64));
            }
        }
    }

    /// Lists the present topics: they come and go, and get more partitions.
    fn topics(&self, consumer: &Consumer, job: &Job) -> Result<Topics, Error> {
        let mut known = self.recognised.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let topics = topics::find(
            consumer,
            &registry::Decoder { registry: self.address.registry.clone(), job: job.clone() },
            &self.address.topics,
            self.schema.as_ref(),
            &mut known,
            (&self.names, self.source),
        );
        if let Err(Error::Absent { topic, .. }) = &topics {
            self.absent.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.clone());
        }
        let topics = topics?;
        *self.recognised.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(topics)
    }
}

/// A failure before it becomes a [`SourceError`].
#[derive(Debug)]
enum Error {
    Settings(String),
    Broker {
        code: Option<Code>,
        text: String,
    },
    Timeout(String),
    /// Nothing to read exists yet.
    Nothing(String),
    /// A topic of the address does not exist.
    Absent {
        topic: String,
        hint: String,
    },
    /// The job has to stop.
    Stopped(Stopped),
    /// Reading what a broker sent panicked; the message.
    Unreadable(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settings(text) | Self::Broker { text, .. } | Self::Timeout(text) | Self::Nothing(text) => {
                f.write_str(text)
            }
            Self::Absent { topic, hint } => write!(f, "no topic {topic}{hint}"),
            Self::Stopped(reason) => reason.fmt(f),
            Self::Unreadable(why) => write!(f, "what the store sent cannot be read: {why}"),
        }
    }
}

/// Whether the connection is down for now.
fn is_transport(error: &KafkaError) -> bool {
    let transport = [Code::AllBrokersDown, Code::BrokerTransportFailure, Code::NetworkException, Code::Resolve];
    connection::changes_leader(error) || error.rdkafka_error_code().is_some_and(|code| transport.contains(&code))
}

impl KafkaSource {
    /// A source in the topics of a URL. Without `schema`, the schema of each topic is recognised by its name, else by
    /// its messages. Does not connect yet.
    pub fn new(name: &str, id: SourceId, names: Names, url: &str, schema: Option<Schema>) -> Result<Self, SourceError> {
        let address = Address::parse(url).map_err(|cause| {
            let why = (ErrorKind::Unsupported, Some("correct the address"));
            SourceError::of(name, "open", why, &redact_text(&cause))
        })?;
        let kafka = Kafka {
            address,
            schema,
            names,
            source: id,
            source_name: name.to_owned(),
            recognised: Mutex::default(),
            absent: Mutex::default(),
            waiting: ReadAhead::default(),
            weights: Mutex::default(),
            ends_before: Mutex::default(),
        };
        Ok(Self { name: name.to_owned(), kafka: Arc::new(kafka), scheduler: Scheduler::new(CALLS) })
    }

    fn error(&self, operation: &'static str, error: &Error) -> SourceError {
        use Code::{
            Authentication, ClusterAuthorizationFailed, GroupAuthorizationFailed, SSL, SaslAuthenticationFailed,
            TopicAuthorizationFailed,
        };
        let why = match error {
            Error::Settings(_) => (ErrorKind::Unsupported, Some("correct the address")),
            Error::Broker { code: Some(Authentication | SaslAuthenticationFailed), .. } => {
                (ErrorKind::Auth, Some("check the user, the password and sasl="))
            }
            Error::Broker { code: Some(SSL), .. } => {
                (ErrorKind::Unsupported, Some("check tls= and ca=: the broker's certificate is not trusted"))
            }
            Error::Broker {
                code: Some(TopicAuthorizationFailed | ClusterAuthorizationFailed | GroupAuthorizationFailed),
                ..
            } => (ErrorKind::Auth, Some("grant READ and DESCRIBE on the topics")),
            Error::Broker { .. } => {
                (ErrorKind::Connect, Some("check that the broker is running and that the address is right"))
            }
            Error::Timeout(_) => (ErrorKind::Timeout, None),
            Error::Nothing(_) | Error::Absent { .. } => (ErrorKind::Query, Some("crosstail retries")),
            Error::Stopped(reason) => return reason.error(&self.name, operation),
            Error::Unreadable(_) => (ErrorKind::Query, Some("check that the address leads to a store of this kind")),
        };
        SourceError::of(&self.name, operation, why, error)
    }

    /// Runs blocking work with the cluster on a thread of its own, which holds its turn until it ends.
    async fn ask<T: Send + 'static>(
        &self,
        job: &Job,
        operation: &'static str,
        work: impl FnOnce(&Kafka, &Job) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, SourceError> {
        let (kafka, job) = (Arc::clone(&self.kafka), job.clone());
        let turn = self.scheduler.turn(&job).await;
        let work = move || {
            let _turn = turn;
            work(&kafka, &job)
        };
        blocking(work).await.map_err(|error| self.error(operation, &error))
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            pushes: true,
            aggregates: false,
            counts_times: false,
            holds_activities: true,
            reads_ranges: true,
            has_order: false,
            finds_ids: false,
        }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        self.ask(job, "connect", |kafka, job| {
            let consumer = kafka.address.consumer()?;
            let topics = kafka.topics(&consumer, job)?;
            let metadata = consumer.metadata()?;
            let count = |n: usize, of: &str| if n == 1 { format!("1 {of}") } else { format!("{n} {of}s") };
            let all = topics.activities.iter().chain(&topics.series);
            let partitions: usize = all.clone().map(|topic| topic.partitions.len()).sum();
            let mut warnings: Vec<String> =
                topics.unmet.iter().map(|pattern| format!("no topic matches {pattern} yet")).collect();
            let uncommitted = kafka.address.uncommitted()?;
            warnings.extend(topics::behind_transactions(&consumer, &uncommitted, &topics.activities)?);
            warnings.extend(kafka.address.registry.as_ref().and_then(|registry| registry.problem(job)));
            let mut schemas: Vec<&str> = all.clone().map(|topic| topic.schema.name.as_str()).collect();
            schemas.dedup();
            Ok(Probe {
                server: format!(
                    "Kafka, {}, {}, {}; history is what they retain",
                    count(metadata.brokers().len(), "broker"),
                    count(all.count(), "topic"),
                    count(partitions, "partition")
                ),
                schema: schemas.join(", "),
                warnings,
                ..Probe::default()
            })
        })
        .await
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let (query, after) = (query.clone(), after.cloned());
        self.ask(job, "read history", move |kafka, job| read::page(kafka, job, &query, after.as_ref())).await
    }

    async fn scan(&self, query: &PageQuery, to: &Batches, job: &Job) -> Result<(), SourceError> {
        let (query, to) = (query.clone(), to.clone());
        self.ask(job, "read history", move |kafka, job| read::scan(kafka, job, &query, &to)).await
    }

    async fn plan(&self, query: &PageQuery, job: &Job) -> Result<Cost, SourceError> {
        let query = query.clone();
        self.ask(job, "plan", move |kafka, job| read::plan(kafka, job, &query)).await
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        self.ask(job, "read position", |kafka, job| {
            let consumer = kafka.address.consumer()?;
            let topics = kafka.topics(&consumer, job)?.activities;
            let mut ends = topics::ends(&consumer, &topics, Offset::End)?;
            let absent = kafka.absent.lock().unwrap_or_else(PoisonError::into_inner);
            ends.iter_mut().filter(|((topic, _), _)| absent.contains(topic)).for_each(|(_, end)| *end = 0);
            Ok(Position::new(follow::ResumePoint::of(&ends)))
        })
        .await
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let from = from.read().unwrap_or_default();
        let sink = sink.clone();
        self.ask(job, "follow", move |kafka, job| follow::follow(kafka, job, from, &sink)).await
    }

    async fn backfill(&self, upto: &Position, limit: usize, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let upto = upto.read::<follow::ResumePoint>().unwrap_or_default().offsets();
        let sink = sink.clone();
        self.ask(job, "read history", move |kafka, job| read::fill_back(kafka, job, &upto, limit, &sink)).await
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        let missing = || {
            let mut error = SourceError::not_found(&self.name, format!("message of {id}"));
            error.hint = Some("the message has expired: the topic no longer retains it".to_owned());
            error
        };
        let found = self.payloads(&[(id.clone(), locator.clone())], job).await?;
        found.into_iter().next().flatten().ok_or_else(missing)
    }

    async fn payloads(&self, of: &[(Id, Locator)], job: &Job) -> Result<Vec<Option<Payload>>, SourceError> {
        let place = |(index, (id, locator)): (usize, &(Id, Locator))| {
            let Locator::Message { topic, partition, offset } = locator else { return None };
            let (partition, offset) = (i32::try_from(*partition).ok()?, i64::try_from(*offset).ok()?);
            Some((index, (id.clone(), (self.kafka.names.place_name(*topic).to_string(), partition, offset))))
        };
        let (indices, asked): (Vec<_>, Vec<_>) = of.iter().enumerate().filter_map(place).unzip();
        let found = self.ask(job, "load payload", move |kafka, job| read::payloads(kafka, job, &asked)).await?;
        let mut payloads = vec![None; of.len()];
        indices.into_iter().zip(found).for_each(|(index, payload)| payloads[index] = payload);
        Ok(payloads)
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        let key = key.clone();
        self.ask(job, "find related", move |kafka, job| read::related(kafka, job, &key, limit)).await
    }

    async fn vitals(&self, since: Timestamp, job: &Job) -> Result<Vitals, SourceError> {
        self.ask(job, "read the cluster's state", move |kafka, job| cluster::vitals(kafka, job, since)).await
    }

    async fn diagnose(&self, _now: Timestamp, job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let (topics, mut found) = self.ask(job, "examine", diagnose::volume).await?;
        let retained = diagnose::retention(&self.kafka, &topics).await;
        found.extend(retained.map_err(|error| self.error("examine", &error))?);
        Ok(found)
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        let (query, grouping) = (query.clone(), grouping.clone());
        self.ask(job, "compute figures", move |kafka, job| read::figures(kafka, job, &query, &grouping)).await
    }
}
