//! Kafka: what the conformance suite does not ask.

use crate::servers::{Server, unique_name};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::time::Duration;

/// The name of a topic that no other test has.
pub fn topic_name(beginning: &str) -> String {
    format!("{beginning}-{}", unique_name().replace('_', "-"))
}

pub fn admin(server: &Server) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", format!("127.0.0.1:{}", server.port)).create().expect("a client")
}

/// Makes a topic.
pub async fn create(server: &Server, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        new = new.set(name, value);
    }
    let made = admin(server).create_topics([&new], &AdminOptions::new()).await.expect("asked");
    made.into_iter().for_each(|topic| drop(topic.expect("made")));
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
