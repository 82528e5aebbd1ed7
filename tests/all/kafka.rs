//! Kafka: what the conformance suite does not ask.

use crate::servers::{Kind, Server, kafka_tool, shared, unique_name};
use crate::support::{PATIENCE, Running, collect, crosstail, crosstail_weighed, ids, lines, open, wait_for};
use crate::window::Driven;
use crosstail_core::model::{Activity, Clock, HealthState, Metric, SourceId, Timestamp};
use crosstail_engine::window::Range;
use crosstail_source::{ErrorKind, Job, Jobs, PageQuery, Position, RelatedKey, Source, SourceEvent, for_all};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The name of a topic that no other test has.
pub fn topic_name(beginning: &str) -> String {
    format!("{beginning}-{}", unique_name().replace('_', "-"))
}

pub fn admin(server: &Server) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", format!("127.0.0.1:{}", server.port)).create().expect("a client")
}

/// Makes a topic, and waits until the broker, which hears of it from the controller, tells others of it.
pub async fn create(server: &Server, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        new = new.set(name, value);
    }
    let admin = admin(server);
    let made = admin.create_topics([&new], &AdminOptions::new()).await.expect("asked");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    let is_told = || {
        let known = admin.inner().fetch_metadata(Some(topic), PATIENCE).expect("asked");
        let parts = known.topics().first().map(|topic| topic.partitions()).unwrap_or_default();
        parts.len() == partitions as usize && parts.iter().all(|part| part.error().is_none() && part.leader() >= 0)
    };
    wait_for("the topic to be known", is_told);
}

/// A producer with a compression.
pub fn producer(server: &Server, compression: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", format!("127.0.0.1:{}", server.port))
        .set("compression.type", compression)
        .set("linger.ms", "1")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer")
}

/// Writes messages, each with its key, and waits until the broker has them.
pub fn produce(producer: &BaseProducer, topic: &str, messages: impl IntoIterator<Item = (String, String)>) {
    for (key, message) in messages {
        producer.send(BaseRecord::to(topic).key(&key).payload(&message)).map_err(|(error, _)| error).expect("queued");
    }
    producer.flush(Duration::from_secs(30)).expect("written");
}

fn log(n: usize) -> (String, String) {
    let at = Clock::system().now().rfc3339();
    let line = json!({ "log_id": format!("log-{n}"), "timestamp": at, "level": "INFO", "message": format!("m {n}") });
    (format!("key {}", n % 50), line.to_string())
}

fn follow(source: &Arc<dyn Source>, from: Position) -> (mpsc::Receiver<SourceEvent>, CancellationToken) {
    let (sink, updates) = crosstail_source::Sink::channel(4);
    let cancel = CancellationToken::new();
    let (source, token) = (Arc::clone(source), cancel.clone());
    tokio::spawn(async move { source.follow(from, &sink, &Job::default().under(&token)).await });
    (updates, cancel)
}

/// Kafka's own producer, in every compression there is.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_stock_producer_are_all_seen_once_each() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    for (compression, count) in [("lz4", 20_000), ("gzip", 3000), ("snappy", 3000), ("zstd", 3000), ("none", 3000)] {
        let topic = topic_name("log-ingestion");
        create(&server, &topic, 12, &[]).await;
        let (_, source) = open(&[server.url(&topic)]);
        let (mut updates, cancel) = follow(&source, source.position(&Job::default()).await.expect("position"));
        let mut words = kafka_tool("-");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/kafka/Produce.java");
        *words.last_mut().expect("a class") = program.display().to_string();
        words.extend([format!("127.0.0.1:{}", server.port), topic.clone(), "12".to_owned(), compression.to_owned()]);
        let lines: String = (0..count).map(log).map(|(key, line)| format!("{key}\t{line}\n")).collect();
        let mut producing = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::piped()).spawn().expect("java");
        let mut input = producing.stdin.take().expect("stdin");
        let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()).expect("written"));
        let (found, notices) = collect(&mut updates, |found| found.len() >= count).await;
        writing.join().expect("joined");
        assert!(producing.wait().expect("ended").success());
        assert_eq!((found.len(), notices.len()), (count, 0), "{compression}");
        let read = source.page(&PageQuery::all(100_000), None, &Job::default()).await.expect("read").items;
        assert_eq!(ids(&read), ids(&found), "{compression}: history is what was followed");
        cancel.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_decode_is_shown_with_its_topic_partition_and_offset() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-processing");
    create(&server, &topic, 1, &[]).await;
    let producer = producer(&server, "none");
    produce(&producer, &topic, [log(0)]);
    for value in [&b"not JSON at all"[..], b"{\"log_id\": \"cut", b"\xff\xfe\x00binary", b"[1, 2]"] {
        producer.send(BaseRecord::<(), [u8]>::to(&topic).payload(value)).map_err(|(e, _)| e).expect("queued");
    }
    producer.send(BaseRecord::<str, [u8]>::to(&topic).key("gone")).map_err(|(e, _)| e).expect("queued");
    produce(&producer, &topic, [log(1)]);
    let (names, source) = open(&[server.url(&topic)]);
    let items = source
        .page(&PageQuery { newest_first: false, ..PageQuery::all(100) }, None, &Job::default())
        .await
        .expect("read")
        .items;
    assert_eq!(items.len(), 7);
    let wrong: Vec<_> = items.iter().filter(|a| a.kind == crosstail_core::model::Kind::Undecodable).collect();
    assert_eq!(wrong.len(), 5);
    for (offset, activity) in (1..6).zip(&wrong) {
        let said = activity.error.as_deref().expect("why");
        assert!(said.contains(&format!("topic {topic}, partition 0, offset {offset}")), "{said}");
        assert_eq!(activity.places[0].label(&names), topic);
    }
    let payload = source.payload(&wrong[0].id, &wrong[0].places[0].locator, &Job::default()).await.expect("payload");
    assert_eq!((&**payload.raw[0].text(), payload.raw[0].place.clone()), ("not JSON at all", format!("{topic}[0]@1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_and_topics_come_and_go_while_following() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let base = topic_name("orders");
    let (first, second) = (format!("{base}-a"), format!("{base}-b"));
    create(&server, &first, 2, &[]).await;
    let producer = producer(&server, "lz4");
    produce(&producer, &first, (0..10).map(log));
    let (names, source) = open(&[server.url(&format!("{base}-*"))]);
    let mut running = Running::start(&names, source);
    running.live().await;
    assert_eq!(running.store.len(), 10);
    let more = NewPartitions::new(&first, 5);
    admin(&server).create_partitions([&more], &AdminOptions::new()).await.expect("asked")[0].as_ref().expect("made");
    create(&server, &second, 3, &[]).await;
    // A producer that knows the new partitions at once writes to them before we look.
    let knowing = self::producer(&server, "lz4");
    produce(&knowing, &first, (10..60).map(log));
    produce(&knowing, &second, (60..80).map(log));
    running.until("those of new partitions and the new topic", |running| running.store.len() == 80).await;
    assert!(running.notices.iter().any(|notice| notice.contains("has a new partition, 4")), "{:?}", running.notices);
    admin(&server).delete_topics(&[&second], &AdminOptions::new()).await.expect("asked");
    running
        .until("the deletion to be said", |r| r.notices.iter().any(|n| n.contains(&format!("{second} was deleted"))))
        .await;
    produce(&knowing, &first, (80..85).map(log));
    running.until("what came after it", |running| running.store.len() == 85).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_expired_are_told_and_reading_goes_on() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-processing");
    create(&server, &topic, 1, &[]).await;
    let producer = producer(&server, "lz4");
    let expire = async |before: i64| {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&topic, 0, Offset::Offset(before)).expect("added");
        admin(&server).delete_records(&offsets, &AdminOptions::new()).await.expect("deleted");
    };
    produce(&producer, &topic, (0..10).map(log));
    let (_, source) = open(&[server.url(&topic)]);
    let position = source.position(&Job::default()).await.expect("position");
    produce(&producer, &topic, (10..100).map(log));
    expire(60).await;
    // Away for longer than the topic retains.
    let (mut updates, cancel) = follow(&source, position);
    let (found, notices) = collect(&mut updates, |found| found.len() >= 40).await;
    assert_eq!(found[0].id.to_string(), "log-60");
    let early = found[0].clone();
    assert!(notices[0].contains("offsets 10 to 59 have expired and were not read"), "{notices:?}");
    cancel.cancel();
    // Under a reader that does not keep up: nobody takes what it has read, and more than it reads ahead is written.
    let big = |n: usize| {
        let (key, line) = log(n);
        (key, line.replace("\"m ", &format!("\"{} ", "x".repeat(20_000))))
    };
    let from = source.position(&Job::default()).await.expect("position");
    let (mut updates, cancel) = follow(&source, from);
    produce(&producer, &topic, (100..5100).map(big));
    // Until it waits for somebody to take what it has read.
    let until = tokio::time::Instant::now() + PATIENCE;
    while updates.capacity() > 0 {
        assert!(tokio::time::Instant::now() < until, "it reads ahead");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    expire(5000).await;
    let (found, notices) = collect(&mut updates, |found| found.iter().any(|a| a.id.to_string() == "log-5099")).await;
    let lost: i64 = notices
        .iter()
        .filter_map(|notice| {
            let (from, to) = notice.split("offsets ").nth(1)?.split(" have").next()?.split_once(" to ")?;
            Some(to.parse::<i64>().ok()? - from.parse::<i64>().ok()? + 1)
        })
        .sum();
    assert_eq!(found.len() as i64 + lost, 5000, "every message was read, or its loss was told: {notices:?}");
    cancel.cancel();
    let gone =
        source.payload(&early.id, &early.places[0].locator, &Job::default()).await.expect_err("expired").to_string();
    assert!(gone.contains("has expired"), "{gone}");
}

/// History is read towards what a topic drops first.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_drops_its_oldest_while_it_is_read_is_read_on() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-processing");
    create(&server, &topic, 1, &[]).await;
    produce(&producer(&server, "lz4"), &topic, (0..40_000).map(log));
    let (_, source) = open(&[server.url(&topic)]);
    let (to, mut batches) = mpsc::channel(1);
    let reading = tokio::spawn(async move { source.scan(&PageQuery::all(1000), &to, &Job::default()).await });
    let mut found = batches.recv().await.expect("the newest");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topic, 0, Offset::Offset(20_000)).expect("added");
    admin(&server).delete_records(&offsets, &AdminOptions::new()).await.expect("deleted");
    while let Some(batch) = batches.recv().await {
        found.extend(batch);
    }
    reading.await.expect("joined").expect("what is left is read");
    let found = ids(&found);
    assert!((20_000..40_000).all(|n| found.contains(&format!("log-{n}"))), "{} are there", found.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_passwords() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-processing");
    create(&server, &topic, 3, &[]).await;
    produce(&producer(&server, "lz4"), &topic, (0..10).map(log));
    let ca = server.folder.join("ca.pem").display().to_string();
    let secure = format!("127.0.0.1:{}/{topic}?tls=true", server.kafka.secure);
    for mechanism in ["", "&sasl=PLAIN", "&sasl=SCRAM-SHA-512"] {
        let (_, source) = open(&[format!("kafka://reader:pass-word@{secure}&ca={ca}{mechanism}")]);
        let page = source
            .page(&PageQuery::all(100), None, &Job::default())
            .await
            .unwrap_or_else(|error| panic!("{mechanism}: {error}"));
        assert_eq!(page.items.len(), 10, "{mechanism}");
    }
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let (_, source) = open(&[format!("kafka://reader:hunter2@{secure}&ca={ca}&sasl={mechanism}")]);
        let error = source.probe(&Job::default()).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Auth, "{mechanism}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    // The system's roots do not know the broker's certificate.
    let error =
        open(&[format!("kafka://reader:pass-word@{secure}")]).1.probe(&Job::default()).await.expect_err("not trusted");
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    let error =
        open(&["kafka://127.0.0.1:1/nothing".to_owned()]).1.probe(&Job::default()).await.expect_err("nobody there");
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(error.to_string().contains("Connection refused"), "{error}");
    let error =
        open(&[server.url("log-procesing")]).1.probe(&Job::default()).await.expect_err("no such topic").to_string();
    assert!(error.contains("no topic log-procesing"), "{error}");
}

/// A group that has committed some partitions, one that has committed all, and nobody of ours.
#[tokio::test(flavor = "multi_thread")]
async fn groups_and_their_lag_are_seen_and_none_is_made() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-processing");
    create(&server, &topic, 4, &[]).await;
    produce(&producer(&server, "lz4"), &topic, (0..200).map(log));
    let (_, source) = open(&[server.url(&topic)]);
    let read = source.page(&PageQuery::all(1000), None, &Job::default()).await.expect("read").items;
    assert_eq!(read.len(), 200);
    let groups = (format!("{topic}-whole"), format!("{topic}-part"));
    let commit = |group: &str, partitions: std::ops::Range<i32>| {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", format!("127.0.0.1:{}", server.port))
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer");
        let mut offsets = TopicPartitionList::new();
        for partition in partitions {
            offsets.add_partition_offset(&topic, partition, Offset::Offset(5)).expect("added");
        }
        consumer.commit(&offsets, CommitMode::Sync).expect("committed");
    };
    commit(&groups.0, 0..4);
    commit(&groups.1, 0..3);
    let vitals = source.vitals(Timestamp(0), &Job::default()).await.expect("vitals");
    let lag = |group: &str, name: &str| {
        let is =
            |m: &&Metric| m.name == name && m.labels.iter().any(|(label, value)| label == "group" && value == group);
        vitals.metrics.iter().find(is).unwrap_or_else(|| panic!("no {name} of {group}: {vitals:?}")).value
    };
    assert_eq!(lag(&groups.0, "lag"), Some(180.0), "200 messages, five read of each of four partitions");
    assert_eq!(lag(&groups.1, "lag"), None, "of one partition it is not known, which is not 0");
    assert!(lag(&groups.1, "lag at least").is_some_and(|lag| lag > 0.0 && lag < 180.0));
    assert!(vitals.checks.iter().any(|c| c.detail.contains("180 messages behind") && c.state == HealthState::Degraded));
    let topics = vitals.metrics.iter().filter(|metric| metric.group == "topics").count();
    assert!(topics >= 3, "{vitals:?}");
    // We followed, read and asked, and are no group.
    let (mut updates, cancel) = follow(&source, source.position(&Job::default()).await.expect("position"));
    produce(&producer(&server, "lz4"), &topic, (200..210).map(log));
    collect(&mut updates, |found| found.len() >= 10).await;
    cancel.cancel();
    let asking: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", format!("127.0.0.1:{}", server.port)).create().expect("a client");
    let list = asking.fetch_group_list(None, Duration::from_secs(10)).expect("listed");
    assert!(list.groups().iter().all(|group| !group.name().contains("crosstail")), "no group of ours");
}

/// A topic has no index: what belongs to an activity is looked for around its time, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn related_messages_are_looked_for_around_the_activity() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-processing");
    create(&server, &topic, 2, &[]).await;
    let producer = producer(&server, "none");
    let now = Clock::system().now();
    for (n, hours) in [(2, 10), (0, 0), (1, 0)] {
        let at = now.plus_us(-hours * 3_600_000_000);
        let line = json!({
            "log_id": format!("log-{n}"), "timestamp": at.rfc3339(), "level": "INFO", "message": "m",
            "metadata": { "correlation_id": "corr-7" },
        });
        let (key, line) = (n.to_string(), line.to_string());
        let record = BaseRecord::to(&topic).key(&key).payload(&line).timestamp(at.0 / 1000);
        producer.send(record).map_err(|(error, _)| error).expect("queued");
    }
    producer.flush(Duration::from_secs(30)).expect("written");
    let (_, source) = open(&[server.url(&topic)]);
    let mut key = RelatedKey::correlation("corr-7");
    let everywhere = source.related(&key, 10, &Job::default()).await.expect("related");
    assert_eq!((everywhere.activities.len(), everywhere.bounds), (3, None), "no time is known");
    key.around = Some(now);
    let around = source.related(&key, 10, &Job::default()).await.expect("related");
    assert_eq!(around.activities.len(), 2);
    assert!(around.bounds.is_some_and(|text| text.contains("within an hour")), "it says where it did not look");
}

/// All pages of a topic, in one list.
async fn pages(source: &Arc<dyn Source>, query: &PageQuery) -> Vec<Activity> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = source.page(query, after.as_ref(), &Job::default()).await.expect("a page");
        assert!(page.items.len() <= query.limit);
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_in_order_whatever_the_order_of_messages() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("jumbled");
    create(&server, &topic, 3, &[]).await;
    let producer = producer(&server, "lz4");
    let mut rng = fastrand::Rng::with_seed(7);
    let now = Clock::system().now();
    // Starts are up to two days before the messages, or half an hour after them; every tenth has none of its own. What has
    // an id of its own comes twice, the second time with its outcome.
    let mut expected = std::collections::BTreeMap::new();
    let messages: Vec<(String, String)> = (0..6000_i64)
        .map(|n| {
            let at = now.plus_us((rng.i64(-172_800..1800) * 1000) * 1000);
            let mut line = json!({ "timestamp": at.rfc3339(), "level": "info", "message": format!("m {n}") });
            if n % 10 == 0 {
                line.as_object_mut().expect("an object").remove("timestamp");
            } else {
                expected.insert(format!("m {n}"), at);
            }
            (n.to_string(), line.to_string())
        })
        .collect();
    produce(&producer, &topic, messages);
    let (_, source) = open(&[server.url(&topic)]);
    for (limit, newest_first) in [(7000, true), (100, true), (900, false)] {
        let query = PageQuery { newest_first, ..PageQuery::all(limit) };
        let all = pages(&source, &query).await;
        assert_eq!(all.len(), 6000, "each once, {limit} a page");
        let keys: Vec<_> = all.iter().map(|a| (a.started_at, a.id.to_string())).collect();
        assert!(keys.windows(2).all(|two| if newest_first { two[0] > two[1] } else { two[0] < two[1] }), "in order");
        for activity in &all {
            if let Some(at) = expected.get(activity.message.as_deref().expect("a message")) {
                assert_eq!(activity.started_at, *at);
            }
        }
    }
    let few = source.page(&PageQuery::all(5), None, &Job::default()).await.expect("a page").items;
    let newest = expected.values().max().expect("some");
    assert_eq!(few[0].started_at, *newest, "however far back it was written");
    let plan = source.plan(&PageQuery::all(5), &Job::default()).await.expect("a plan");
    assert!(!plan.indexed && plan.rows == Some(6000) && plan.bytes.is_some_and(|bytes| bytes > 6000 * 50), "{plan:?}");
    let grouping = crosstail_source::Grouping::default();
    let groups = source.aggregate(&PageQuery::all(5), &grouping, &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|figures| figures.count).sum::<u64>(), 6000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_whole_is_read_once() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-ingestion");
    create(&server, &topic, 12, &[]).await;
    produce(&producer(&server, "lz4"), &topic, (0..20_000).map(log));
    let (_, source) = open(&[server.url(&topic)]);
    let (jobs, mut found) = (Jobs::default(), Vec::new());
    let job = jobs.begin(SourceId(0), Job::default());
    for_all(source.as_ref(), &PageQuery::all(5000), &job, |activity| found.push(activity)).await.expect("read");
    assert_eq!(ids(&found).len(), 20_000);
    // What librdkafka read beyond the end of a range counts.
    let read = jobs.list()[0].rows;
    assert!(read < 24_000, "{read} messages of 20,000");
    // Payloads of neighbours come together.
    found.sort_by_key(|activity| activity.started_at);
    let of = |activity: &Activity| (activity.id.clone(), activity.places[0].locator.clone());
    let of: Vec<_> = found[..500].iter().map(of).collect();
    drop(job);
    let job = jobs.begin(SourceId(0), Job::default());
    let payloads = source.payloads(&of, &job).await.expect("payloads");
    for ((id, _), payload) in of.iter().zip(payloads) {
        let raw = payload.expect("a payload").raw;
        assert!(raw.len() == 1 && raw[0].text().contains(&format!("\"{id}\"")), "{id}: {raw:?}");
    }
    let read = jobs.list()[0].rows;
    assert!(read < 2500, "{read} messages for 500 payloads");
}

/// Each page would read all of it: its records stand so near each other that any may be in several messages.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_filled_by_reading_a_topic_once() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("log-ingestion");
    create(&server, &topic, 12, &[]).await;
    produce(&producer(&server, "lz4"), &topic, (0..40_000).map(log));
    let (url, budget) = (server.url(&topic), 3 << 20);
    let mut driven = Driven::start(Path::new(&url), Clock::system().now(), Range::Everything, budget);
    let read = driven.filled().await;
    let (held, bytes) = (driven.explorer.shared.store.len(), driven.explorer.shared.store.bytes());
    assert!(held > 5000 && held < 40_000 && bytes <= budget, "{held} held in {bytes} bytes");
    // What librdkafka read beyond the end of a range counts.
    assert!(read > 30_000 && read < 50_000, "{read} messages read of 40,000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_many_messages_takes_little_memory() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("many");
    create(&server, &topic, 2, &[]).await;
    let producer = producer(&server, "lz4");
    let filler = "nothing to be said about it ".repeat(4);
    let at = Clock::system().now().rfc3339();
    let message = |n: usize| {
        let line = json!({ "timestamp": at, "level": "info", "message": format!("{n} {filler}"), "request_id": n });
        (n.to_string(), line.to_string())
    };
    produce(&producer, &topic, (0..150_000).map(message));
    let large = topic_name("large");
    create(&server, &large, 1, &[]).await;
    // It does not shrink to nothing: what a fetch brings is limited as it is sent.
    let mut rng = fastrand::Rng::with_seed(1);
    let text: String = (0..200_000).map(|_| rng.alphanumeric()).collect();
    let message = |n: usize| {
        (n.to_string(), json!({ "timestamp": at, "level": "info", "message": format!("{n} {text}") }).to_string())
    };
    produce(&producer, &large, (0..1000).map(message));
    // Records with an identity of their own wait for their copies in other topics.
    let logs = topic_name("log-ingestion");
    create(&server, &logs, 6, &[]).await;
    produce(&producer, &logs, (0..150_000).map(log));
    for topic in [&topic, &large, &logs] {
        let (output, peak) = crosstail_weighed(&["query", "-o", "json", "--limit", "5", "-s", &server.url(topic)]);
        assert_eq!(lines(&output).len(), 5);
        assert!(peak <= 100, "{topic}: {peak} MB");
    }
    // All of it takes no more than a part of it, and each message comes once.
    let (output, peak) = crosstail_weighed(&["query", "-o", "json", "--limit", "0", "-s", &server.url(&logs)]);
    let ids: std::collections::HashSet<String> = lines(&output).iter().map(|row| row["id"].to_string()).collect();
    assert_eq!(ids.len(), 150_000);
    assert!(peak <= 250, "{peak} MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_topic_of_a_pattern_is_read_from_its_beginning() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let base = topic_name("first");
    let (names, source) = open(&[server.url(&format!("{base}-*"))]);
    let page = source.page(&PageQuery::all(5), None, &Job::default()).await.expect("nothing is no error");
    assert!(page.items.is_empty() && page.next.is_none());
    let probe = source.probe(&Job::default()).await.expect("a probe");
    assert!(probe.warnings[0].contains(&base), "{probe:?}");
    let mut running = Running::start(&names, source);
    running.live().await;
    // A topic that is named, and made later.
    let named = format!("{base}.named");
    let (names, source) = open(&[server.url(&named)]);
    let mut waiting = Running::start(&names, source);
    waiting.until("it waits", |running| !running.states.is_empty()).await;
    for topic in [format!("{base}-a"), named] {
        create(&server, &topic, 1, &[]).await;
        let producer = producer(&server, "none");
        produce(&producer, &topic, (0..3).map(log));
    }
    running.until("the messages of the first topic", |running| running.store.len() == 3).await;
    waiting.until("the messages of the named topic", |running| running.store.len() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_out_of_envelopes_and_headers_name_the_trace() {
    use rdkafka::message::{Header, OwnedHeaders};
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("wrapped");
    create(&server, &topic, 1, &[]).await;
    let producer = producer(&server, "none");
    let at = Clock::system().now().plus_us(-7_200_000_000);
    let record =
        |text: &str| json!({ "created_at": at.rfc3339(), "level": "error", "service": "SAP", "message": text });
    let values = [
        json!({ "schema": { "type": "struct" }, "payload": { "before": null, "after": record("debezium"), "op": "c", "ts_ms": 1 } })
            .to_string(),
        json!({ "schema": {}, "payload": record("connect") }).to_string(),
        json!({ "specversion": "1.0", "id": "e", "type": "t", "source": "/s", "data": record("event") }).to_string(),
        json!(record("string").to_string()).to_string(),
        json!([record("first of a list"), record("second of a list")]).to_string(),
        format!("{}\n{}\n", record("first line"), record("second line")),
        format!("\u{feff}{}", record("mark")),
    ];
    for value in &values {
        producer.send(BaseRecord::<(), str>::to(&topic).payload(value)).map_err(|(e, _)| e).expect("queued");
    }
    let traced = record("traced").to_string();
    let header = |key, value| Header { key, value: Some(value) };
    let headers = OwnedHeaders::new()
        .insert(header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
        .insert(header("x-request-id", "r-1"));
    let message = BaseRecord::<(), str>::to(&topic).payload(&traced).headers(headers);
    producer.send(message).map_err(|(e, _)| e).expect("queued");
    producer
        .send(BaseRecord::<(), [u8]>::to(&topic).payload(&[0, 0, 0, 0, 9, 2, 4]))
        .map_err(|(e, _)| e)
        .expect("queued");
    producer.flush(Duration::from_secs(30)).expect("written");
    let (_, source) = open(&[server.url(&topic)]);
    let all = pages(&source, &PageQuery { newest_first: false, ..PageQuery::all(3) }).await;
    let (wrong, read): (Vec<_>, Vec<_>) = all.iter().partition(|a| a.kind == crosstail_core::model::Kind::Undecodable);
    assert!(wrong.len() == 1 && wrong[0].error.as_deref().expect("why").contains("schema 9"), "{wrong:?}");
    assert_eq!(read.len(), 10);
    assert_eq!(ids(&all).len(), all.len());
    for activity in &read {
        let text = activity.message.as_deref().expect("a message");
        assert_eq!((activity.started_at.0 / 1000, activity.system.as_deref()), (at.0 / 1000, Some("SAP")), "{text}");
        let payload = source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await.expect("it");
        assert!(payload.raw[0].text().contains(text), "{text}");
    }
    for filter in ["corr:4bf92f3577b34da6a3ce929d0e0e4736", "req_id:r-1"] {
        let query = PageQuery { filter: parsed(filter), ..PageQuery::all(3) };
        let found = pages(&source, &query).await;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0].message.as_deref(), Some("traced"), "{filter}");
    }
}

fn parsed(text: &str) -> crosstail_core::filter::Filter {
    crosstail_core::filter::Filter::parse(text).expect("a filter")
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_behind_an_open_transaction_are_told() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("transactions");
    create(&server, &topic, 1, &[]).await;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", format!("127.0.0.1:{}", server.port))
        .set("transactional.id", &topic)
        .create()
        .expect("a producer");
    let limit = Duration::from_secs(30);
    producer.init_transactions(limit).expect("ready");
    producer.begin_transaction().expect("begun");
    produce(&producer, &topic, (0..4).map(log));
    let (_, source) = open(&[server.url(&topic)]);
    assert!(pages(&source, &PageQuery::all(10)).await.is_empty());
    let warnings = source.probe(&Job::default()).await.expect("a probe").warnings;
    assert!(warnings.iter().any(|warning| warning.contains("open transaction")), "{warnings:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.ndjson").display().to_string();
    let url = server.url(&topic);
    for command in [&["query"][..], &["stats"], &["export", "--output", &file]] {
        let shown = crosstail(&[command, &["-s", &url]].concat());
        let said = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert!(said.contains("open transaction"), "{command:?}: {said}");
    }
    producer.commit_transaction(limit).expect("committed");
    // The broker has promised the end of the transaction, and writes it into the topic a moment later.
    let until = tokio::time::Instant::now() + PATIENCE;
    let source = loop {
        let (_, source) = open(&[server.url(&topic)]);
        let found = pages(&source, &PageQuery::all(10)).await.len();
        if found == 4 {
            break source;
        }
        assert!(found == 0 && tokio::time::Instant::now() < until, "{found} of 4");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(source.probe(&Job::default()).await.expect("a probe").warnings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_time_cannot_be_read_says_so() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("times");
    create(&server, &topic, 1, &[]).await;
    let at = Clock::system().now().rfc3339();
    let values = [
        json!({ "timestamp": at, "message": "good" }),
        json!({ "timestamp": "the day before yesterday", "message": "bad" }),
        json!({ "message": "none" }),
    ];
    produce(&producer(&server, "none"), &topic, values.iter().map(|value| ("k".to_owned(), value.to_string())));
    let (_, source) = open(&[server.url(&topic)]);
    let all = pages(&source, &PageQuery::all(10)).await;
    assert_eq!(all.len(), 3);
    for one in &all {
        let said = one.error.as_deref().unwrap_or_default();
        let expected = one.message.as_deref() == Some("bad");
        assert_eq!(said.contains("time cannot be read") && said.contains("before yesterday"), expected, "{one:?}");
        assert!(!one.is_failure(), "{one:?}");
    }
}
