//! Tables of the sources: what they offer, and schemas for them.

use super::{Sources, Work};
use crate::effect::TablesOf;
use anyhow::Context as _;
use crosstail_core::model::SourceId;

/// The tables of every source that has some. The sources are asked side by side: one that is dead does not keep the others
/// back for longer than its own time limit.
pub(super) async fn list(sources: &Sources, work: &Work) -> Vec<TablesOf> {
    let asked = sources.iter().map(|(id, source)| async move {
        let offers = source.table_offers(&work.job(*id)).await.map_err(|error| error.to_string());
        (*id, offers)
    });
    let mut found = futures_util::future::join_all(asked).await;
    found.retain(|(_, offers)| offers.as_ref().map_or(true, |offers| !offers.is_empty()));
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
    crate::config::write_json_schemas(path.parent().unwrap_or(&path))?;
    Ok(format!("wrote {}; edit it, then: --schema {name}", path.display()))
}
