//! Tables of the sources: what they offer, and schemas for them.

use super::{Sources, Work};
use crate::effect::TablesOf;
use anyhow::Context as _;
use crosstail_core::model::SourceId;

/// The tables of every source that has some.
pub(super) async fn list(sources: &Sources, work: &Work) -> Vec<TablesOf> {
    let mut found = Vec::new();
    for (id, source) in sources.iter() {
        match source.table_offers(&work.job(*id)).await {
            Ok(offers) if offers.is_empty() => {}
            Ok(offers) => found.push((*id, Ok(offers))),
            Err(error) => found.push((*id, Err(error.to_string()))),
        }
    }
    found
}

/// Writes a schema for a table into the user's folder; what was written.
pub(super) async fn write(sources: &Sources, work: &Work, id: SourceId, table: &str) -> anyhow::Result<String> {
    let (_, source) = sources.iter().find(|(known, _)| *known == id).context("the source is not open")?;
    let draft = source.draft(Some(table), &work.job(id)).await?;
    // A name of a file, whatever the table is called.
    let plain = |c: char| if c.is_alphanumeric() || "-_".contains(c) { c } else { '-' };
    let name: String = table.rsplit('.').next().unwrap_or(table).chars().map(plain).collect();
    let path = crate::config::schema_path(&name).context("cannot determine the configuration folder")?;
    if path.exists() {
        return Ok(format!("{} already exists", path.display()));
    }
    crate::config::write_file(&path, &draft, false)?;
    Ok(format!("wrote {}; edit it, then: --schema {name}", path.display()))
}
