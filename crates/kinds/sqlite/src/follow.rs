//! Follows a table. `PRAGMA data_version` on one pinned connection says whether anything was committed (2 µs); only
//! then are rows read. A revision column finds every insert and update. Without one, the rowid finds new rows, and
//! recent rows and rows without an outcome are read again.

use super::connection::{Reader, Reading};
use super::mapping::{Mapping, scalar};
use crosstail_core::model::{Activity, Id, Status};
use crosstail_core::number::saturating_i64;
use crosstail_core::schema::Scalar;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};
use crosstail_source::{Position, Sink, SourceEvent};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(100);
/// Rows per query.
const CHUNK: i64 = 2000;
/// Without a revision column: how many of the newest rows are read again to see updates.
const RECENT: i64 = 500;

/// The column that grows: the revision where the schema names one, else the rowid.
fn counter(mapping: &Mapping) -> String {
    mapping.table.revision.as_ref().map_or_else(|| "rowid".to_owned(), |column| name(column))
}

pub(super) async fn position(reader: Reader<'_>, mapping: &Mapping) -> Result<Position, sqlx::Error> {
    let text = format!("SELECT coalesce(max({}), 0) FROM {}", counter(mapping), name(&mapping.table.name));
    let highest: i64 = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(reader.connection().await?.on()).await?;
    Ok(Position::new(highest))
}

pub(super) async fn follow(
    reader: Reader<'_>,
    mapping: &Mapping,
    from: &Position,
    sink: &Sink,
) -> Result<(), sqlx::Error> {
    let mut connection = reader.connection().await?;
    let mut seen = from.read::<i64>().unwrap_or(0);
    let mut version: Option<i64> = None;
    let mut open: HashMap<Id, Activity> = HashMap::new();
    let mut caught_up = false;
    loop {
        // A writer has come, or has gone.
        if !connection.is_current() {
            drop(connection);
            connection = reader.connection().await?;
            version = None;
        }
        let now: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(connection.on()).await?;
        if version != Some(now) {
            // Stored before the rows are read: a commit in between changes the version again.
            version = Some(now);
            loop {
                let counter = counter(mapping);
                let text = format!(
                    "{} WHERE {counter} > {PLACEHOLDER} ORDER BY {counter} LIMIT {PLACEHOLDER}",
                    select(mapping)
                );
                let binds = vec![Bind::Int(seen), Bind::Int(CHUNK)];
                let rows = connection.fetch(Sql { text, binds }).await?;
                let mut batch = Vec::with_capacity(rows.len());
                for row in &rows {
                    if let Some(Scalar::Int(n)) = scalar(row, mapping.width())? {
                        seen = seen.max(n);
                    }
                    batch.push(mapping.activity(row)?);
                }
                if mapping.table.revision.is_none() {
                    for activity in &batch {
                        open.insert(activity.id.clone(), activity.clone());
                    }
                }
                let full = saturating_i64(rows.len()) == CHUNK;
                if !batch.is_empty() && sink.send(SourceEvent::Batch(batch, Some(Position::new(seen)))).await.is_err() {
                    return Ok(());
                }
                if !full {
                    break;
                }
            }
            if mapping.table.revision.is_none() {
                let changed = reread(&mut connection, mapping, seen, &mut open).await?;
                if !changed.is_empty()
                    && sink.send(SourceEvent::Batch(changed, Some(Position::new(seen)))).await.is_err()
                {
                    return Ok(());
                }
            }
            if !caught_up {
                caught_up = true;
                if sink.send(SourceEvent::CaughtUp).await.is_err() {
                    return Ok(());
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = sink.closed() => return Ok(()),
        }
    }
}

fn select(mapping: &Mapping) -> String {
    mapping.select(&format!(", {}", counter(mapping)))
}

/// The recent rows and those without an outcome, where they differ from what was delivered.
async fn reread(
    connection: &mut Reading<'_>,
    mapping: &Mapping,
    seen: i64,
    known: &mut HashMap<Id, Activity>,
) -> Result<Vec<Activity>, sqlx::Error> {
    let recent = Sql::with(format!("{} WHERE rowid > {PLACEHOLDER}", select(mapping)), Bind::Int(seen - RECENT));
    let mut found = connection.fetch(recent).await?;
    let is_open = |activity: &Activity| activity.status == Some(Status::InProgress);
    let key =
        |a: &Activity| a.places.first().and_then(|place| place.locator.as_table_key()).map(|(_, key)| key.to_owned());
    let ids: Vec<String> = known.values().filter(|a| is_open(a)).filter_map(key).collect();
    for chunk in ids.chunks(500) {
        let marks = vec![PLACEHOLDER.to_string(); chunk.len()].join(", ");
        let text = format!("{} WHERE {} IN ({marks})", select(mapping), mapping.key_text());
        let binds = chunk.iter().cloned().map(Bind::Text).collect();
        found.extend(connection.fetch(Sql { text, binds }).await?);
    }
    let mut changed = Vec::new();
    let mut recent = HashMap::new();
    for row in &found {
        let activity = mapping.activity(row)?;
        if known.get(&activity.id).is_some_and(|before| *before != activity) {
            changed.push(activity.clone());
        }
        recent.insert(activity.id.clone(), activity);
    }
    *known = recent;
    Ok(changed)
}
