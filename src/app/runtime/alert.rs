//! Changing alerts in their stores, when asked for by name.

use crate::app::AlertChange;
use crate::model::{Locator, Names, Place, SourceId, Timestamp};
use crate::record::message_of;
use crate::source::Source;
use anyhow::{Context as _, Result, bail};
use std::cmp::Reverse;
use std::sync::Arc;

/// Where alerts may be changed: the addresses of sources.
pub type Writers = std::collections::HashMap<SourceId, String>;

/// Changes an alert in the first of its places that can be written to; says what was done.
pub async fn change(
    sources: &[(SourceId, Arc<dyn Source>)],
    names: &Names,
    writers: &Writers,
    change: &AlertChange,
    now: Timestamp,
) -> Result<String> {
    // A table before an index, an index before a message: the table is what the others follow. Of messages the last.
    let rank = |place: &&Place| {
        let url = writers.get(&place.source).map_or("", String::as_str);
        ["postgres", "es+", "kafka"].iter().position(|scheme| url.starts_with(scheme))
    };
    let place =
        change.places.iter().filter(|place| rank(place).is_some()).min_by_key(|place| (rank(place), Reverse(place.at)));
    let place = place.context("the alert is in no store that can be written to")?;
    let url = &writers[&place.source];
    let key = place.locator.in_table().map(|(_, key)| key.to_owned());
    let done = |by: &str| format!("{} by {by}", change.to.as_str().to_lowercase());
    #[cfg(feature = "postgres")]
    if url.starts_with("postgres") {
        let id = key.context("the alert has no key")?;
        let by = crate::record::change_in_postgres(url, &id, change.to, &change.by, now).await?;
        return Ok(done(&by));
    }
    #[cfg(feature = "elasticsearch")]
    if url.starts_with("es+") {
        let key = key.context("the alert has no key")?;
        let (index, id) = key.split_once('/').context("the alert's key names no index")?;
        let transport = crate::source::elasticsearch::transport(url)?;
        crate::record::change_in_elasticsearch(&transport, (index, id), change.to, &change.by, now).await?;
        return Ok(done(&change.by));
    }
    if let Locator::Message { topic, .. } = place.locator {
        let (_, source) = sources.iter().find(|(id, _)| *id == place.source).context("its source is not open")?;
        let payload = source.payload(&crate::model::Id::parse(&change.id), &place.locator).await?;
        let last = payload.raw.first().context("the alert's message is not there any more")?;
        let message = message_of(&serde_json::from_str(last.text())?, change.to, &change.by, now)?;
        #[cfg(feature = "kafka")]
        {
            let client = crate::source::kafka::client(url)?;
            crate::record::send_to_kafka(client, &names.place_name(topic), &change.id, &message).await?;
            return Ok(done(&change.by));
        }
        #[cfg(not(feature = "kafka"))]
        drop(message);
    }
    bail!("this build cannot write there")
}
