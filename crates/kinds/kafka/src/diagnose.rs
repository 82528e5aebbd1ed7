//! What `doctor` checks in Kafka: the volume and the retention of topics.

use super::connection::TIME_LIMIT;
use super::topics::{Topic, ends};
use super::{Error, Kafka};
use crosstail_core::model::Diagnosis;
use crosstail_source::Job;
use rdkafka::Offset;
use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

/// The topics, with a diagnosis of the number of messages in each.
pub(super) fn volume(kafka: &Kafka, job: &Job) -> Result<(Vec<Topic>, Vec<Diagnosis>), Error> {
    let consumer = kafka.address.consumer()?;
    let topics = kafka.topics(&consumer, job)?;
    let all: Vec<Topic> = topics.activities.iter().chain(&topics.series).cloned().collect();
    let (low, high) = (ends(&consumer, &all, Offset::Beginning)?, ends(&consumer, &all, Offset::End)?);
    let one = |topic: &Topic| {
        let held = |partition: &i32| {
            let key = (topic.name.clone(), *partition);
            high.get(&key).copied().unwrap_or(0) - low.get(&key).copied().unwrap_or(0)
        };
        let messages: i64 = topic.partitions.iter().map(held).sum();
        Diagnosis::ok("volume", format!("{}: {messages} messages in {} partitions", topic.name, topic.partitions.len()))
    };
    let found = all.iter().map(one).collect();
    Ok((all, found))
}

/// Diagnoses of the retention of topics.
pub(super) async fn retention(kafka: &Kafka, all: &[Topic]) -> Result<Vec<Diagnosis>, Error> {
    let mut diagnoses = Vec::new();
    let admin: AdminClient<DefaultClientContext> =
        kafka.address.client().create().map_err(|error| Error::Settings(error.to_string()))?;
    if all.is_empty() {
        return Ok(vec![Diagnosis::note("volume", "no topic matches the pattern yet")]);
    }
    let asked: Vec<ResourceSpecifier<'_>> = all.iter().map(|topic| ResourceSpecifier::Topic(&topic.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(TIME_LIMIT));
    let settings = admin.describe_configs(&asked, &options).await.map_err(|error| Error::Timeout(error.to_string()))?;
    for topic in all {
        let name = &topic.name;
        let of = |resource: &&rdkafka::admin::ConfigResource| {
            resource.specifier == OwnedResourceSpecifier::Topic(name.clone())
        };
        let Some(settings) = settings.iter().flatten().find(of) else {
            let remedy = "grant DESCRIBE_CONFIGS on the topics";
            diagnoses.push(Diagnosis::warning("retention", format!("{name}: its settings are not visible"), remedy));
            continue;
        };
        let text = |key: &str| settings.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
        let alter = |setting: &str| {
            format!("kafka-configs --alter --entity-type topics --entity-name {name} --add-config {setting}")
        };
        if text("cleanup.policy").contains("compact") {
            let found = format!("{name} is compacted: only the last message of each key remains, so history has gaps");
            diagnoses.push(Diagnosis::warning("retention", found, alter("cleanup.policy=delete")));
        }
        let retained = text("retention.ms").parse::<f64>().unwrap_or(-1.0);
        diagnoses.push(if retained < 0.0 {
            Diagnosis::note("retention", format!("{name}: messages never expire"))
        } else if retained < 86_400_000.0 {
            let found = format!(
                "{name}: messages expire after {:.1} hours, so history is no longer than that",
                retained / 3.6e6
            );
            Diagnosis::warning("retention", found, alter("retention.ms=604800000"))
        } else {
            Diagnosis::ok("retention", format!("{name}: messages expire after {:.0} days", retained / 86.4e6))
        });
    }
    diagnoses.push(Diagnosis::note(
        "permissions",
        "a broker does not report what else the client may do; READ and DESCRIBE are enough",
    ));
    Ok(diagnoses)
}
