//! Acknowledges and resolves alerts in a topic by a further message, on request only, and records who and when.

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::model::{Id, Locator, Names, Place, Timestamp};
use crosstail_source::Job;
use crosstail_source::Source;
use crosstail_source::alert::{AlertChange, AlertStatus, ChangeAlerts};

/// Changes alerts in a topic.
#[derive(Debug)]
pub(crate) struct KafkaAlerts;

#[async_trait]
impl ChangeAlerts for KafkaAlerts {
    fn rank(&self) -> u8 {
        2
    }

    async fn change(
        &self,
        url: &str,
        source: &dyn Source,
        names: &Names,
        place: &Place,
        change: AlertChange<'_>,
    ) -> anyhow::Result<String> {
        let Locator::Message { topic, .. } = place.locator else { bail!("the alert is not from a message") };
        let payload = source.payload(&Id::parse(change.id), &place.locator, &Job::default()).await?;
        let about = payload.metadata.values().find_map(|about| about.get(crate::topics::SCHEMA_ID));
        if let Some(id) = about {
            bail!(
                "the topic's messages are encoded by schema {id} of a schema registry, and crosstail writes only JSON"
            );
        }
        let last = payload.raw.first().context("the alert's message no longer exists")?;
        let message = message_of(&serde_json::from_str(last.text())?, change.to, change.by, change.at)?;
        send(crate::client(url)?, &names.place_name(topic), change.id, &message).await?;
        Ok(change.by.to_owned())
    }
}

/// Writes a message with a key, and waits until every in-sync replica has it.
async fn send(
    client: rdkafka::ClientConfig,
    topic: &str,
    key: &str,
    message: &serde_json::Value,
) -> anyhow::Result<()> {
    use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
    let (topic, key, text) = (topic.to_owned(), key.to_owned(), message.to_string());
    let send = move || {
        let mut client = client;
        client.set("acks", "all").set("message.timeout.ms", "15000");
        let producer: ThreadedProducer<DefaultProducerContext> = client.create().context("make a producer")?;
        let record = BaseRecord::to(&topic).key(&key).payload(&text);
        producer.send(record).map_err(|(error, _)| error).context("send the message")?;
        producer.flush(std::time::Duration::from_secs(15)).context("the broker did not accept the message")
    };
    tokio::task::spawn_blocking(send).await?
}

/// The message for the topic `alerts` that records the change: the last message of the alert with the new status. It
/// has no fields for who and when, so these are in its metadata.
fn message_of(last: &serde_json::Value, to: AlertStatus, by: &str, at: Timestamp) -> anyhow::Result<serde_json::Value> {
    let mut message = last.as_object().cloned().context("the alert's last message is not an object")?;
    let status = message.get("status").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    to.check(&status)?;
    let (when, who) = to.fields();
    message.insert("status".to_owned(), to.as_str().into());
    let metadata = message.entry("metadata").or_insert_with(|| serde_json::json!({}));
    if !metadata.is_object() {
        *metadata = serde_json::json!({ "value": metadata.clone() });
    }
    metadata[when] = at.rfc3339().into();
    metadata[who] = by.into();
    Ok(serde_json::Value::Object(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_says_who_and_when_and_nothing_is_resolved_twice() {
        let open = json!({ "alert_id": "a", "status": "OPEN", "metadata": { "service": "auth" } });
        let taken = message_of(&open, AlertStatus::Acknowledged, "ann", Timestamp(0)).expect("open");
        assert_eq!(taken["status"], "ACKNOWLEDGED");
        assert_eq!(
            taken["metadata"],
            json!({ "service": "auth", "acknowledged_at": "1970-01-01T00:00:00.000Z", "acknowledged_by": "ann" })
        );
        let over = message_of(&taken, AlertStatus::Resolved, "ann", Timestamp(0)).expect("taken");
        for to in [AlertStatus::Acknowledged, AlertStatus::Resolved] {
            let error = message_of(&over, to, "bob", Timestamp(0)).expect_err("over").to_string();
            assert_eq!(error, "the alert is already resolved");
        }
    }
}
