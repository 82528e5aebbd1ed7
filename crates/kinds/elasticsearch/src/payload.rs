//! The payload of one document.

use super::connection::{Hit, found, in_path};
use super::mapping::Mapping;
use super::{Elasticsearch, Error};
use crosstail_core::model::{Payload, RawRecord};
use crosstail_record::write::cluster::Method;
use serde_json::json;
use serde_json::value::RawValue;

/// The payload of a document.
pub(super) fn payload_of(mapping: &Mapping, hit: &Hit<'_>) -> Payload {
    let text = hit.source.map_or("", RawValue::get);
    let mut payload = mapping.schema.divide(mapping.schema.record(text).unwrap_or_default());
    payload.raw.push(RawRecord::new(hit.index.to_string(), text));
    payload
}

/// The payload of the document with an id; `None` where it no longer exists.
pub(super) async fn payload(cluster: &Elasticsearch, index: &str, id: &str) -> Result<Option<Payload>, Error> {
    let body = json!({ "size": 1, "query": { "ids": { "values": [id] } } });
    let path = format!("/{}/_search?ignore_unavailable=true&allow_no_indices=true", in_path(index));
    let text = cluster.connection.ask(Method::Post, &path, Some(&body)).await?;
    let found = found(&text)?;
    let Some(hit) = found.hits.hits.first() else { return Ok(None) };
    let resolved = cluster.resolve().await?;
    let mapping = resolved.mappings.iter().find(|mapping| mapping.reads(index)).or(resolved.mappings.last());
    Ok(mapping.map(|mapping| payload_of(mapping, hit)))
}
