//! Acknowledging and resolving alerts in their stores, if `--allow-writes` permits it.

use crate::effect::AlertEdit;
use anyhow::{Context as _, Result};
use crosstail_core::model::{Names, Place, SourceId, Timestamp};
use crosstail_source::Source;
use crosstail_source::alert::ChangeAlerts;
use std::cmp::Reverse;
use std::sync::Arc;

/// How the alerts of the sources are changed whose alerts may be changed, and their addresses.
pub type Writers = std::collections::HashMap<SourceId, (&'static dyn ChangeAlerts, String)>;

/// Changes an alert in the first of its places that is writable. Returns a message that says what was done.
pub async fn change(
    sources: &[(SourceId, Arc<dyn Source>)],
    names: &Names,
    writers: &Writers,
    change: &AlertEdit,
    now: Timestamp,
) -> Result<String> {
    let writable = |place: &Place| {
        let (alerts, url) = writers.get(&place.source)?;
        let (_, source) = sources.iter().find(|(id, _)| *id == place.source)?;
        Some((*alerts, url, source))
    };
    let places = change.places.iter().filter_map(|place| Some((place, writable(place)?)));
    // Of several messages about one alert, the newest.
    let chosen = places.min_by_key(|(place, (alerts, ..))| (alerts.rank(), Reverse(place.at)));
    let (place, (alerts, url, source)) = chosen.context("the alert is not in a store that crosstail can write to")?;
    let asked = crosstail_source::alert::AlertChange { id: &change.id, to: change.to, by: &change.by, at: now };
    let by = alerts.change(url, source.as_ref(), names, place, asked).await?;
    Ok(format!("{} by {by}", change.to.as_str().to_lowercase()))
}
