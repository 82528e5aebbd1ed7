//! Acknowledging and resolving alerts that a store holds (document 004): only when asked for, with who and when.

use crate::model::Timestamp;
use anyhow::{Context as _, bail};

/// What an alert is changed to, in the words of document 004.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// Somebody has taken it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl AlertStatus {
    /// As the stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Resolved => "RESOLVED",
        }
    }

    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledging",
            Self::Resolved => "resolving",
        }
    }

    /// Whether an alert of a status may be changed so: what is over stays over.
    fn check(self, status: &str) -> anyhow::Result<()> {
        let open = status.eq_ignore_ascii_case("OPEN");
        let taken = status.eq_ignore_ascii_case("ACKNOWLEDGED");
        if open || taken && self == Self::Resolved {
            return Ok(());
        }
        bail!("the alert is {} already", status.to_lowercase());
    }

    /// The fields that say when and who.
    const fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Acknowledged => ("acknowledged_at", "acknowledged_by"),
            Self::Resolved => ("resolved_at", "resolved_by"),
        }
    }
}

/// Changes a row of PostgreSQL's `alerts`. `by` is a user's id, name or e-mail: the column refers to `users`. Gives the
/// user's name. An alert that is resolved already is left as it is.
#[cfg(feature = "postgres")]
pub async fn change_in_postgres(
    url: &str,
    id: &str,
    to: AlertStatus,
    by: &str,
    at: Timestamp,
) -> anyhow::Result<String> {
    use sqlx::{AssertSqlSafe, Connection as _, Row as _};
    let mut connection = sqlx::PgConnection::connect(url).await.context("connect")?;
    let mut transaction = connection.begin().await?;
    let user = sqlx::query(
        "SELECT id::text, username::text FROM users WHERE id::text = $1 OR username = $1 OR email = $1 LIMIT 1",
    )
    .bind(by)
    .fetch_optional(&mut *transaction)
    .await
    .context("look up the user")?;
    let Some(user) = user else {
        let known = sqlx::query("SELECT username::text FROM users WHERE is_active ORDER BY username LIMIT 10");
        let known = known.fetch_all(&mut *transaction).await?;
        let names: Vec<String> = known.iter().filter_map(|row| row.try_get(0).ok()).collect();
        bail!("no user '{by}' in the store's table users; there are {}; say who you are with --as", names.join(", "));
    };
    let (user_id, name): (String, String) = (user.try_get(0)?, user.try_get(1)?);
    let (when, who) = to.fields();
    let from = match to {
        AlertStatus::Acknowledged => "status = 'OPEN'",
        AlertStatus::Resolved => "status IN ('OPEN', 'ACKNOWLEDGED')",
    };
    let text = format!(
        "UPDATE alerts SET status = $1, {when} = to_timestamp($2::float8 / 1e6), {who} = $3::uuid WHERE id = $4::uuid AND {from}"
    );
    let update = sqlx::query(AssertSqlSafe(text)).bind(to.as_str()).bind(at.0 as f64).bind(&user_id).bind(id);
    if update.execute(&mut *transaction).await.context("change the alert")?.rows_affected() == 0 {
        let now = sqlx::query("SELECT status::text FROM alerts WHERE id = $1::uuid").bind(id);
        let Some(row) = now.fetch_optional(&mut *transaction).await? else { bail!("no alert {id} in the store") };
        bail!("the alert is {} already", row.try_get::<String, _>(0)?.to_lowercase());
    }
    transaction.commit().await?;
    Ok(name)
}

/// Changes a document of Elasticsearch, unless somebody else has changed it meanwhile: by its sequence number
/// (<https://www.elastic.co/docs/reference/elasticsearch/rest-apis/optimistic-concurrency-control>). What is asked next sees it.
#[cfg(feature = "elasticsearch")]
pub async fn change_in_elasticsearch(
    transport: &elasticsearch::http::transport::Transport,
    (index, id): (&str, &str),
    to: AlertStatus,
    by: &str,
    at: Timestamp,
) -> anyhow::Result<()> {
    use elasticsearch::http::{Method, headers::HeaderMap};
    let ask = async |method: Method, path: String, body: Option<String>| {
        let limit = Some(std::time::Duration::from_secs(15));
        let response = transport.send(method, &path, HeaderMap::new(), None::<&()>, body, limit).await?;
        let status = response.status_code();
        let answer: serde_json::Value = response.json().await.context("read the cluster's answer")?;
        if status.as_u16() == 409 {
            bail!("somebody else has changed the alert just now");
        }
        if !status.is_success() {
            let reason = answer["error"]["reason"].as_str().unwrap_or("no reason was given");
            bail!("the cluster refused: HTTP {status}: {reason}");
        }
        Ok(answer)
    };
    let part = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let (index, id) = (part(index), part(id));
    let found = ask(Method::Get, format!("{index}/_doc/{id}"), None).await.context("read the alert")?;
    to.check(found["_source"]["status"].as_str().unwrap_or_default())?;
    let (when, who) = to.fields();
    let body = serde_json::json!({ "doc": { "status": to.as_str(), when: at.rfc3339(), who: by } });
    let (number, term) = (&found["_seq_no"], &found["_primary_term"]);
    let path = format!("{index}/_update/{id}?refresh=true&if_seq_no={number}&if_primary_term={term}");
    ask(Method::Post, path, Some(body.to_string())).await.context("change the alert")?;
    Ok(())
}

/// Writes a message with a key, and waits until every replica in sync has it.
#[cfg(feature = "kafka")]
pub async fn send_to_kafka(
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
        producer.flush(std::time::Duration::from_secs(15)).context("the broker did not take the message")
    };
    tokio::task::spawn_blocking(send).await?
}

/// A message of the topic `alerts` that says the change: the alert as it was told last, with its new status. The message has
/// no fields for who and when: they are in its metadata.
pub fn message_of(
    last: &serde_json::Value,
    to: AlertStatus,
    by: &str,
    at: Timestamp,
) -> anyhow::Result<serde_json::Value> {
    let mut message = last.as_object().cloned().context("the alert's last message is no object")?;
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
            assert_eq!(error, "the alert is resolved already");
        }
    }
}
