//! How an explorer was left: what it showed, which filters were used, and what was marked. It belongs to a set of sources.

use crate::Memory;
use crosstail_core::model::{Id, Timestamp, redact_text};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Row as _};

/// `scope` names the sources; times are microseconds since the epoch; `shown` is JSON.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS last_view (scope TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL, shown TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS used_filter (
    scope TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (scope, text)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marked (
    scope TEXT NOT NULL, id TEXT NOT NULL, started INTEGER NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
";

/// Filters that are kept of a set of sources.
pub const FILTERS: usize = 200;
/// Marks that are kept of a set of sources.
pub const MARKS: usize = 500;
/// Sets of sources of which is kept how they were shown.
const SCOPES: i64 = 200;
/// What nobody has used for so long is forgotten, in microseconds.
const KEPT_US: i64 = 400 * 86_400_000_000;
/// A longer text is not kept, in bytes.
const LONGEST: usize = 4096;

/// What an explorer showed. There is no filter in it: it would hide activities from somebody who has forgotten it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastView {
    /// The range of time as on a command line; `None` if nobody chose one.
    pub range: Option<String>,
    /// The columns of the list; none are the usual ones.
    pub columns: Vec<String>,
    /// What the facets count; nothing is the usual.
    pub facets: Vec<String>,
    /// Whether the facets are shown.
    pub shows_facets: bool,
    /// Whether the histogram is shown.
    pub shows_histogram: bool,
    /// Rows of the histogram; `None` if nobody chose them.
    pub histogram_rows: Option<u16>,
    /// Whether times are relative.
    pub relative_times: bool,
}

impl Default for LastView {
    fn default() -> Self {
        Self {
            range: None,
            columns: Vec::new(),
            facets: Vec::new(),
            shows_facets: true,
            shows_histogram: true,
            histogram_rows: None,
            relative_times: false,
        }
    }
}

/// An activity that was marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Its id.
    pub id: Id,
    /// When it started: its store finds it again by that.
    pub started_at: Timestamp,
    /// What was noted; may be empty.
    pub note: String,
}

/// How an explorer was left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// What it showed.
    pub view: LastView,
    /// The filters that were used, the last one first.
    pub filters: Vec<String>,
    /// What was marked, in order of time.
    pub marked: Vec<Marked>,
}

/// Something to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// What is shown.
    View(LastView),
    /// A filter was used.
    Filter(String),
    /// An activity was marked, or its note was changed.
    Mark(Marked),
    /// A mark was removed.
    Unmark(Id),
}

impl Memory {
    /// How the explorer over some sources was left. What was kept in a form that is not understood is as usual.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn left(&mut self, scope: &str) -> Result<Left, sqlx::Error> {
        let shown: Option<String> = sqlx::query_scalar("SELECT shown FROM last_view WHERE scope = ?")
            .bind(scope)
            .fetch_optional(&mut self.connection)
            .await?;
        let view = shown.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let filters = sqlx::query_scalar("SELECT text FROM used_filter WHERE scope = ? ORDER BY at DESC, text LIMIT ?");
        let filters = filters.bind(scope).bind(number(FILTERS)).fetch_all(&mut self.connection).await?;
        let rows = sqlx::query("SELECT id, started, note FROM marked WHERE scope = ? ORDER BY started, id LIMIT ?");
        let rows = rows.bind(scope).bind(number(MARKS)).fetch_all(&mut self.connection).await?;
        let marked = |row: &SqliteRow| -> Result<Marked, sqlx::Error> {
            Ok(Marked { id: Id::parse(row.try_get(0)?), started_at: Timestamp(row.try_get(1)?), note: row.try_get(2)? })
        };
        Ok(Left { view, filters, marked: rows.iter().map(marked).collect::<Result<_, _>>()? })
    }

    /// Remembers something of the explorer over some sources. A filter or an id that contains a secret is not kept; of a note,
    /// the secret is not.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn keep(&mut self, scope: &str, keep: &Keep, now: Timestamp) -> Result<(), sqlx::Error> {
        let mut step = self.connection.begin().await?;
        match keep {
            Keep::View(view) => {
                let shown = serde_json::to_string(view).unwrap_or_default();
                let put = sqlx::query("INSERT OR REPLACE INTO last_view VALUES (?, ?, ?)");
                put.bind(scope).bind(now.0).bind(shown).execute(&mut *step).await?;
                const OLD: &str =
                    "DELETE FROM last_view WHERE scope NOT IN (SELECT scope FROM last_view ORDER BY at DESC LIMIT ?)";
                sqlx::query(OLD).bind(SCOPES).execute(&mut *step).await?;
            }
            Keep::Filter(text) if is_kept(text) => {
                let put = sqlx::query("INSERT OR REPLACE INTO used_filter VALUES (?, ?, ?)");
                put.bind(scope).bind(text).bind(now.0).execute(&mut *step).await?;
                const OLD: &str = "DELETE FROM used_filter WHERE at < ?1 OR (scope = ?2 AND text NOT IN \
                    (SELECT text FROM used_filter WHERE scope = ?2 ORDER BY at DESC, text LIMIT ?3))";
                let old = sqlx::query(OLD).bind(now.0 - KEPT_US).bind(scope).bind(number(FILTERS));
                old.execute(&mut *step).await?;
            }
            Keep::Mark(marked) if is_kept(&marked.id.to_string()) => {
                let mut note = redact_text(&marked.note).into_owned();
                note.truncate(note.floor_char_boundary(LONGEST));
                let put = sqlx::query("INSERT OR REPLACE INTO marked VALUES (?, ?, ?, ?, ?)");
                let put = put.bind(scope).bind(marked.id.to_string()).bind(marked.started_at.0);
                put.bind(note).bind(now.0).execute(&mut *step).await?;
                const OLD: &str = "DELETE FROM marked WHERE at < ?1 OR (scope = ?2 AND id NOT IN \
                    (SELECT id FROM marked WHERE scope = ?2 ORDER BY at DESC, id LIMIT ?3))";
                let old = sqlx::query(OLD).bind(now.0 - KEPT_US).bind(scope).bind(number(MARKS));
                old.execute(&mut *step).await?;
            }
            Keep::Filter(_) | Keep::Mark(_) => {}
            Keep::Unmark(id) => {
                let gone = sqlx::query("DELETE FROM marked WHERE scope = ? AND id = ?");
                gone.bind(scope).bind(id.to_string()).execute(&mut *step).await?;
            }
        }
        step.commit().await
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn is_kept(text: &str) -> bool {
    text.len() <= LONGEST && redact_text(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn memory(folder: &tempfile::TempDir) -> Memory {
        Memory::open(&folder.path().join("memory.sqlite")).await.expect("opened")
    }

    fn marked(id: &str, note: &str) -> Marked {
        Marked { id: Id::parse(id), started_at: Timestamp(7), note: note.to_owned() }
    }

    #[tokio::test]
    async fn an_explorer_is_found_as_it_was_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut one = memory(&folder).await;
        assert_eq!(one.left("a").await.expect("nothing yet"), Left::default());
        let view = LastView { range: Some("7d".to_owned()), shows_facets: false, ..LastView::default() };
        let all = [
            Keep::View(LastView::default()),
            Keep::View(view.clone()),
            Keep::Filter("system:SAP".to_owned()),
            Keep::Filter("is:failure".to_owned()),
            Keep::Filter("system:SAP".to_owned()),
            Keep::Mark(marked("order 1", "")),
            Keep::Mark(marked("order 2", "known")),
            Keep::Mark(marked("order 1", "again")),
        ];
        // Another instance has the file open, too.
        let mut two = memory(&folder).await;
        for (at, keep) in (1..).zip(&all) {
            let memory = if at % 2 == 0 { &mut one } else { &mut two };
            memory.keep("a", keep, Timestamp(at)).await.expect("kept");
        }
        let left = Left {
            view,
            filters: vec!["system:SAP".to_owned(), "is:failure".to_owned()],
            marked: vec![marked("order 1", "again"), marked("order 2", "known")],
        };
        assert_eq!(one.left("a").await.expect("left"), left);
        assert_eq!(two.left("b").await.expect("other sources"), Left::default());
        one.keep("a", &Keep::Unmark(Id::parse("order 2")), Timestamp(20)).await.expect("kept");
        assert_eq!(two.left("a").await.expect("left").marked, [marked("order 1", "again")]);
        // What a later version has written is used as far as it is understood.
        let later = r#"{"range":"1h","sorting":{"by":"took"}}"#;
        sqlx::query("UPDATE last_view SET shown = ?").bind(later).execute(&mut one.connection).await.expect("written");
        let view = one.left("a").await.expect("left").view;
        assert_eq!(view, LastView { range: Some("1h".to_owned()), ..LastView::default() });
        sqlx::query("UPDATE last_view SET shown = 'half a'").execute(&mut one.connection).await.expect("written");
        let left = one.left("a").await.expect("left");
        assert_eq!((left.view, left.filters.len()), (LastView::default(), 2));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_has_no_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut memory = memory(&folder).await;
        let secret = "req.header.authorization:\"Bearer abcdefghijklmnop1234\"";
        let note = "rotated, password=hunter2-and-more";
        for keep in [
            Keep::Filter(secret.to_owned()),
            Keep::Filter("x".repeat(LONGEST + 1)),
            Keep::Mark(marked("order 1", note)),
            Keep::Mark(marked("order 2", &"ü".repeat(LONGEST))),
        ] {
            memory.keep("a", &keep, Timestamp(1)).await.expect("kept");
        }
        let left = memory.left("a").await.expect("left");
        assert_eq!((left.filters.len(), left.marked.len()), (0, 2));
        assert!(!left.marked[0].note.contains("hunter2"), "{left:?}");
        assert_eq!(left.marked[1].note.len(), LONGEST);
        for at in 0..i64::try_from(FILTERS + 5).expect("few") {
            memory.keep("a", &Keep::Filter(format!("text{at}")), Timestamp(at)).await.expect("kept");
        }
        let left = memory.left("a").await.expect("left");
        assert_eq!((left.filters.len(), left.filters[0].as_str()), (FILTERS, "text204"));
        memory.keep("b", &Keep::Filter("new".to_owned()), Timestamp(KEPT_US + 1000)).await.expect("kept");
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM used_filter")
            .fetch_one(&mut memory.connection)
            .await
            .expect("counted");
        assert_eq!(count, 1, "what is long past is forgotten, whatever its sources");
    }
}
