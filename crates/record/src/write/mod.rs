//! Writing many activities as the five systems write them: each kind of store has a writer, which takes the steps of
//! activities in order of time and counts what it has written.

#[cfg(feature = "elasticsearch")]
pub mod cluster;
#[cfg(feature = "elasticsearch")]
mod elasticsearch;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "kafka")]
mod kafka;
pub mod log;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod table;

#[cfg(feature = "elasticsearch")]
pub use elasticsearch::ElasticsearchWriter;
#[cfg(feature = "file")]
pub use file::FileWriter;
#[cfg(feature = "kafka")]
pub use kafka::KafkaWriter;
#[cfg(feature = "mongodb")]
pub use mongodb::MongodbWriter;
#[cfg(feature = "mysql")]
pub use mysql::MysqlWriter;
#[cfg(feature = "postgres")]
pub use postgres::PostgresWriter;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteWriter;
pub use table::Table;

use super::{Start, WriteStep, safe_text};
use async_trait::async_trait;

/// Writes into one store.
#[async_trait]
pub trait Writer: Send {
    /// Whether the system that logs there would log such an activity. The simulator picks its traffic by it.
    fn accepts(&self, start: &Start) -> bool;

    /// Writes steps, which are in order of time. The same steps may come again after an error, as it is not known which
    /// of them arrived: where the store has a key, they must not be written twice.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the store does not accept some of the steps for what they are: writing the others is worthwhile,
    /// and writing these again is not. Any other error is of the connection or of the store as a whole: all steps are
    /// to be written again, by a new writer.
    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()>;

    /// How much was written, by the name of the table, collection, index, topic or file: rows, documents, messages or
    /// lines that are there now.
    fn written(&self) -> Vec<(String, u64)>;

    /// Makes sure that everything has arrived and can be read.
    ///
    /// # Errors
    ///
    /// If the store does not confirm that.
    async fn finish(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Closes the store, so that nothing of the writer's stays beside it. What was not finished may be lost.
    ///
    /// # Errors
    ///
    /// If the store reports one.
    async fn close(self: Box<Self>) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Steps that a store refused for what they are: a number that a column has no room for, a document that a validator
/// does not accept. It is the error of a [`Writer`], for `anyhow::Error::downcast_ref`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// These steps, by their indexes in ascending order, each with the store's reason. All others were written.
    #[error("{} of the records were refused: {}", .0.len(), .0.first().map_or("", |(_, reason)| reason))]
    Steps(Vec<(usize, String)>),
    /// One of the steps, or several: the store does not say which. None of the steps was written. The text is the
    /// store's reason.
    #[error("{0}")]
    OneOf(String),
}

/// The type and the id of `PO PO-4711`.
fn entity(start: &Start) -> (Option<String>, Option<String>) {
    // What says that an id is a secret may be its type.
    let safe = start.entity.as_deref().map(safe_text);
    match safe.as_deref().map(|entity| entity.split_once(' ').unwrap_or(("", entity))) {
        Some((kind, id)) => ((!kind.is_empty()).then(|| kind.to_owned()), Some(id.to_owned())),
        None => (None, None),
    }
}
