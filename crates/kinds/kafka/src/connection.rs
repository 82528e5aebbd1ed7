//! Connections to brokers: TLS, SASL, and their errors. Consumers are assigned partitions; they never subscribe, join a
//! group or commit.

use super::Error;
use super::registry::Registry;
use crosstail_source::{caught_now, percent_decoded};
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests to a broker fail after this time.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(15);
/// How long one request for metadata may take before the reasons of failure are looked at.
const ROUND: Duration = Duration::from_secs(1);
/// How long to wait for the reason of an error.
const REASON: Duration = Duration::from_millis(300);
/// librdkafka needs the name of a group to assign partitions; crosstail never joins it.
const GROUP: &str = "crosstail-reads-without-a-group";

/// An address:
/// `kafka://[user:password@]broker[:port][,broker…]/topic[,topic…][?tls=true&ca=FILE&cert=FILE&key=FILE&sasl=MECHANISM]`,
/// and `registry=http(s)://[user:password@]host[:port]`, which describes messages of Avro and Protobuf.
pub(super) struct Address {
    brokers: String,
    /// Topic names, or patterns with `*`.
    pub(super) topics: Vec<String>,
    settings: Vec<(&'static str, String)>,
    /// What knows the schemas of messages that name one.
    pub(super) registry: Option<Arc<Registry>>,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let form = "write kafka://broker:9092/topic,topic";
        let rest = text.strip_prefix("kafka://").ok_or(form)?;
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let topics: Vec<String> = path.split(',').map(percent_decoded).filter(|topic| !topic.is_empty()).collect();
        if hosts.is_empty() || topics.is_empty() {
            return Err(format!("the address names no {}; {form}", if hosts.is_empty() { "broker" } else { "topic" }));
        }
        let with_port = |host: &str| if host.contains(':') { host.to_owned() } else { format!("{host}:9092") };
        let brokers = hosts.split(',').map(with_port).collect::<Vec<_>>().join(",");
        let (mut tls, mut sasl, mut authority, mut registry) = (false, None, None, None);
        let mut settings = Vec::new();
        for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let written = value;
            let value = percent_decoded(value);
            match key {
                "tls" => tls = value != "false",
                "ca" => authority = Some(value),
                "cert" => settings.push(("ssl.certificate.location", value)),
                "key" => settings.push(("ssl.key.location", value)),
                // An address has an encoding of its own, which stays; or it is encoded as a whole.
                "registry" => registry = Some(if written.contains("://") { written.to_owned() } else { value }),
                "sasl" => sasl = Some(value.to_ascii_uppercase()),
                other => {
                    return Err(format!(
                        "unknown parameter '{other}' in the address; the known ones are tls, ca, cert, key, sasl, registry"
                    ));
                }
            }
        }
        let registry = registry.map(|address| Registry::new(&address, authority.as_deref())).transpose()?.map(Arc::new);
        let scram = sasl.as_deref().is_some_and(|mechanism| mechanism.starts_with("SCRAM"));
        if (tls || scram) && !cfg!(feature = "tls") {
            return Err("this build supports Kafka only without TLS and SCRAM; build with `--features full`".to_owned());
        }
        if tls {
            // The system's trusted certificates, where none are named.
            settings.push(("ssl.ca.location", authority.unwrap_or_else(|| "probe".to_owned())));
        }
        if let Some(user) = user {
            let mechanism = match (sasl, tls) {
                (Some(mechanism), _) => mechanism,
                (None, true) => "PLAIN".to_owned(),
                (None, false) => {
                    return Err(
                        "a password without TLS: add ?tls=true, or name a mechanism that protects it: sasl=SCRAM-SHA-512".to_owned()
                    );
                }
            };
            if !["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&mechanism.as_str()) {
                return Err(format!(
                    "unknown mechanism sasl={mechanism}; the known ones are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"
                ));
            }
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            settings.push(("sasl.mechanisms", mechanism));
            settings.push(("sasl.username", percent_decoded(name)));
            settings.push(("sasl.password", percent_decoded(password)));
        }
        let protocol = match (tls, user.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        settings.push(("security.protocol", protocol.to_owned()));
        Ok(Self { brokers, topics, settings, registry })
    }

    /// The client settings: brokers, TLS and credentials.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "crosstail");
        config.set_log_level(RDKafkaLogLevel::Critical);
        for (name, value) in &self.settings {
            config.set(*name, value);
        }
        config
    }

    fn config(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // What librdkafka reads ahead of us, all partitions together, and at once. History is read backwards, in
            // ranges: what is read ahead is read in vain there.
            .set("queued.max.messages.kbytes", "1024")
            .set("queued.min.messages", "1000")
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.max.bytes", "1048576")
            // As it is sent: logs are ten times as large when they are unpacked.
            .set("fetch.message.max.bytes", "98304")
            .set("fetch.wait.max.ms", "100")
            .set("reconnect.backoff.max.ms", "2000");
        config
    }

    /// A consumer without assigned partitions.
    pub(super) fn consumer(&self) -> Result<Consumer, Error> {
        self.consumer_as(GROUP)
    }

    /// A consumer for following: it reads forward, as far as there is anything.
    pub(super) fn follower(&self) -> Result<Consumer, Error> {
        let mut config = self.config(GROUP);
        config
            .set("queued.max.messages.kbytes", "2048")
            .set("queued.min.messages", "5000")
            .set("fetch.max.bytes", "2097152")
            .set("fetch.message.max.bytes", "262144");
        Consumer::new(&config)
    }

    /// A consumer that sees messages of transactions that are open or aborted, too.
    pub(super) fn uncommitted(&self) -> Result<Consumer, Error> {
        Consumer::new(self.config(GROUP).set("isolation.level", "read_uncommitted"))
    }

    /// A consumer that can read the committed offsets of a group.
    pub(super) fn consumer_as(&self, group: &str) -> Result<Consumer, Error> {
        Consumer::new(&self.config(group))
    }
}

/// Records what librdkafka reports outside of calls.
#[derive(Default)]
pub(super) struct ErrorRecorder {
    /// The last error: why a broker is unreachable.
    last: Mutex<Option<(KafkaError, String)>>,
    /// Whether no broker could be connected to.
    all_down: AtomicBool,
}

impl ClientContext for ErrorRecorder {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // "All brokers are down" says less than the reason before it.
        if error.rdkafka_error_code() == Some(Code::AllBrokersDown) {
            self.all_down.store(true, Ordering::Relaxed);
        } else {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((error, reason.to_owned()));
        }
    }
}

impl ConsumerContext for ErrorRecorder {}

/// A consumer that closes on a background thread, because closing may wait for a broker that does not respond.
pub(super) struct Consumer(Option<BaseConsumer<ErrorRecorder>>);

impl std::ops::Deref for Consumer {
    type Target = BaseConsumer<ErrorRecorder>;

    #[allow(clippy::expect_used, reason = "it is taken only when it is dropped")]
    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let inner = self.0.take();
        let _ = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(inner));
    }
}

impl Consumer {
    fn new(config: &ClientConfig) -> Result<Self, Error> {
        let made = config.create_with_context(ErrorRecorder::default());
        made.map(|consumer| Self(Some(consumer))).map_err(|error| Error::Settings(error.to_string()))
    }

    /// Assigns these partitions, each with an offset, in place of the present ones.
    pub(super) fn read_from<'t>(&self, from: impl Iterator<Item = (&'t str, i32, i64)>) -> Result<(), Error> {
        let fail = |error| self.error(&error);
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset) in from {
            list.add_partition_offset(topic, partition, Offset::Offset(offset)).map_err(fail)?;
        }
        self.assign(&list).map_err(fail)
    }

    /// The brokers and topics. Where no broker accepts a connection, it does not wait: librdkafka by itself would try
    /// again, in silence, until the time limit.
    pub(super) fn metadata(&self) -> Result<Metadata, Error> {
        let until = Instant::now() + TIME_LIMIT;
        loop {
            match self.fetch_metadata(None, ROUND) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => {
                    // Polling delivers what happened.
                    while self.poll(Duration::ZERO).is_some() {}
                    if self.context().all_down.load(Ordering::Relaxed) || Instant::now() >= until {
                        return Err(self.error(&error));
                    }
                }
            }
        }
    }

    /// The first offset of a partition, and the one behind its last.
    pub(super) fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        patiently(|| self.fetch_watermarks(topic, partition, TIME_LIMIT)).map_err(|error| self.error(&error))
    }

    /// The list with the offsets that its own ask for: ends, beginnings, or the first at or after a time.
    pub(super) fn offsets(&self, list: &TopicPartitionList) -> Result<TopicPartitionList, Error> {
        let asked = patiently(|| {
            let found = self.offsets_for_times(list.clone(), TIME_LIMIT)?;
            found.elements().iter().try_for_each(|element| element.error())?;
            Ok(found)
        });
        asked.map_err(|error| self.error(&error))
    }

    /// An error with the reason that librdkafka reported.
    pub(super) fn error(&self, error: &KafkaError) -> Error {
        // Polling delivers the reason, a moment later.
        let until = Instant::now() + REASON;
        let seen = loop {
            let told = self.poll(Duration::from_millis(20)).is_some();
            let seen = self.context().last.lock().unwrap_or_else(PoisonError::into_inner).take();
            if seen.is_some() || (!told && Instant::now() >= until) {
                break seen;
            }
        };
        match seen {
            Some((cause, reason)) => Error::Broker { code: cause.rdkafka_error_code(), text: plain(&reason) },
            None => Error::Broker { code: error.rdkafka_error_code(), text: plain(&error.to_string()) },
        }
    }
}

/// Asks again while a partition changes its leader: when a broker restarts, or behind the creation of a topic.
fn patiently<T>(ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let until = Instant::now() + TIME_LIMIT;
    loop {
        match ask() {
            Err(error) if changes_leader(&error) && Instant::now() < until => {
                std::thread::park_timeout(Duration::from_millis(100));
            }
            answer => return answer,
        }
    }
}

/// Whether an error says only that another broker has, or will have, the partition.
pub(super) fn changes_leader(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::OffsetNotAvailable
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
        )
    )
}

/// A reason without the name of the broker's thread and without the count of attempts.
fn plain(reason: &str) -> String {
    let text =
        reason.split(": ").skip_while(|part| part.contains("://") || part.contains("/bootstrap")).collect::<Vec<_>>();
    let text = if text.is_empty() { reason.to_owned() } else { text.join(": ") };
    let text = text.split(" (after ").next().unwrap_or(&text).to_owned();
    crosstail_core::model::redact_text(&text).chars().take(300).collect()
}

/// Runs blocking work on a thread of its own, so that quitting never waits for a broker.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // What asks a schema registry needs the runtime.
    let runtime = tokio::runtime::Handle::current();
    let spawned = std::thread::Builder::new().name("kafka".to_owned()).spawn(move || {
        let _runtime = runtime.enter();
        let _ = sender.send(caught_now(work));
    });
    spawned.map_err(|error| Error::Settings(error.to_string()))?;
    let done = receiver.await.unwrap_or_else(|_| Err("the reading thread ended".to_owned()));
    done.unwrap_or_else(|why| Err(Error::Unreadable(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_changes_its_leader_is_asked_again() {
        let asked = std::cell::Cell::new(0);
        let answer = |errors: &'static [Code]| {
            asked.set(0);
            patiently(|| {
                let error = errors.get(asked.replace(asked.get() + 1));
                error.map_or(Ok(()), |code| Err(KafkaError::MetadataFetch(*code)))
            })
        };
        assert_eq!(answer(&[Code::NotLeaderForPartition, Code::OffsetNotAvailable]), Ok(()));
        assert_eq!(asked.get(), 3);
        assert!(answer(&[Code::TopicAuthorizationFailed]).is_err(), "what waiting does not mend");
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn addresses_name_brokers_topics_and_how_to_get_in() {
        let of = |text: &str| Address::parse(text).expect("reads");
        let plain = of("kafka://a,b:9093/log-ingestion,alerts");
        assert_eq!(plain.brokers, "a:9092,b:9093");
        assert_eq!(plain.topics, ["log-ingestion", "alerts"]);
        let has = |address: &Address, name: &str, value: &str| {
            address.settings.iter().any(|(known, found)| *known == name && found == value)
        };
        assert!(has(&plain, "security.protocol", "plaintext"));
        for wrong in [
            "kafka://a",
            "kafka:///t",
            "kafka://a/t?registry=ftp://b",
            "kafka://a/t?registry=b",
            "kafka://me:x@a/t",
            "kafka://a/t?x=1",
            "kafka://me:x@a/t?sasl=GSSAPI",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn an_address_asks_for_tls_and_a_mechanism() {
        let of = |text: &str| Address::parse(text).expect("reads");
        let has = |address: &Address, name: &str, value: &str| {
            address.settings.iter().any(|(known, found)| *known == name && found == value)
        };
        let secure = of("kafka://me:p%40ss@a/t?tls=true&ca=/ca.pem&sasl=scram-sha-512");
        for (name, value) in [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.password", "p@ss"),
            ("ssl.ca.location", "/ca.pem"),
        ] {
            assert!(has(&secure, name, value), "{name}");
        }
        assert!(has(&of("kafka://a/t?tls=true"), "ssl.ca.location", "probe"), "the system's trusted certificates");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_says_so() {
        for wanted in ["kafka://a/t?tls=true", "kafka://me:x@a/t?sasl=SCRAM-SHA-512"] {
            let problem = Address::parse(wanted).err().expect("no TLS");
            assert!(problem.contains("--features full"), "{wanted}: {problem}");
        }
    }
}
