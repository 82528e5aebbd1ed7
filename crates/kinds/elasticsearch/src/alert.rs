//! Acknowledges and resolves alerts in an index, on request only, and records who and when.

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::model::{Names, Place, Timestamp};
use crosstail_record::write::cluster::{Body, Cluster, Method};
use crosstail_source::Source;
use crosstail_source::alert::{AlertChange, AlertStatus, ChangeAlerts};

/// Changes alerts in a cluster.
#[derive(Debug)]
pub(crate) struct ElasticsearchAlerts;

#[async_trait]
impl ChangeAlerts for ElasticsearchAlerts {
    fn rank(&self) -> u8 {
        1
    }

    async fn change(
        &self,
        url: &str,
        _source: &dyn Source,
        _names: &Names,
        place: &Place,
        change: AlertChange<'_>,
    ) -> anyhow::Result<String> {
        let (_, key) = place.locator.as_table_key().context("the alert has no key")?;
        let (index, id) = key.split_once('/').context("the alert's key names no index")?;
        let cluster = crate::cluster(url)?;
        change_document(&cluster, (index, id), change.to, change.by, change.at).await?;
        Ok(change.by.to_owned())
    }
}

/// Changes a document unless somebody else has changed it in the meantime, checked by its sequence number
/// (<https://www.elastic.co/docs/reference/elasticsearch/rest-apis/optimistic-concurrency-control>). Refreshes the index,
/// so that the next search finds the change.
async fn change_document(
    cluster: &Cluster,
    (index, id): (&str, &str),
    to: AlertStatus,
    by: &str,
    at: Timestamp,
) -> anyhow::Result<()> {
    let ask = async |method: Method, path: String, body: Body| {
        let limit = std::time::Duration::from_secs(15);
        let (status, text) = cluster.send(method, &path, body, limit).await?;
        let answer: serde_json::Value = serde_json::from_str(&text).context("read the cluster's answer")?;
        if status == 409 {
            bail!("somebody else has just changed the alert");
        }
        if !(200..300).contains(&status) {
            let reason = answer["error"]["reason"].as_str().unwrap_or("no reason given");
            bail!("the cluster refused: HTTP {status}: {reason}");
        }
        Ok(answer)
    };
    let part = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let (index, id) = (part(index), part(id));
    let found = ask(Method::Get, format!("{index}/_doc/{id}"), Body::None).await.context("read the alert")?;
    to.check(found["_source"]["status"].as_str().unwrap_or_default())?;
    let (when, who) = to.fields();
    let body = serde_json::json!({ "doc": { "status": to.as_str(), when: at.rfc3339(), who: by } });
    let (number, term) = (&found["_seq_no"], &found["_primary_term"]);
    let path = format!("{index}/_update/{id}?refresh=true&if_seq_no={number}&if_primary_term={term}");
    ask(Method::Post, path, Body::Json(body.to_string())).await.context("change the alert")?;
    Ok(())
}
