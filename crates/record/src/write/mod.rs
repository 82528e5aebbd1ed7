//! Writing many activities as the five systems write them: each kind of store has a writer, which takes the steps of
//! activities in order of time and counts what it has written.

#[cfg(feature = "elasticsearch")]
mod elasticsearch;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "kafka")]
mod kafka;
pub mod log;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "elasticsearch")]
pub use elasticsearch::ElasticsearchWriter;
#[cfg(feature = "file")]
pub use file::FileWriter;
#[cfg(feature = "kafka")]
pub use kafka::KafkaWriter;
#[cfg(feature = "mongodb")]
pub use mongodb::MongodbWriter;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresWriter, Table};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteWriter;

use super::{Start, WriteStep};
use async_trait::async_trait;

/// Writes into one store.
#[async_trait]
pub trait Writer: Send {
    /// Whether the system that logs there would log such an activity: what is made up is chosen by it.
    fn accepts(&self, start: &Start) -> bool;

    /// Writes steps, which are in order of time.
    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()>;

    /// What was written, by table, collection, index, topic or file: rows, documents, messages, lines that are there.
    fn written(&self) -> Vec<(String, u64)>;

    /// Makes sure that everything has arrived.
    async fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The type and the id of `PO PO-4711`.
#[cfg(any(feature = "postgres", feature = "mongodb"))]
fn entity(start: &Start) -> (Option<&str>, Option<&str>) {
    match start.entity.as_deref().map(|entity| entity.split_once(' ').unwrap_or(("", entity))) {
        Some((kind, id)) => ((!kind.is_empty()).then_some(kind), Some(id)),
        None => (None, None),
    }
}

/// Not more than so many characters: what a column holds.
#[cfg(feature = "postgres")]
fn clip(text: &str, characters: usize) -> String {
    // A zero byte is no text to PostgreSQL.
    text.chars().take(characters).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
