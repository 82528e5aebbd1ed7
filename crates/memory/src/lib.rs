//! What crosstail remembers between sessions, in a small SQLite file: which failures occurred on which day, so that a store is
//! asked for a day once, what its user said about groups of failures, and how an explorer was left. Texts are without secrets,
//! those of failures masked.

#![warn(missing_docs)]

mod left;

pub use left::{FILTERS, Keep, LastView, Left, MARKS, Marked};

use crosstail_core::mask::{id_of, masked};
use crosstail_core::model::Timestamp;
use crosstail_engine::failure::{Fingerprint, Mute, Remark, Seen};
use crosstail_engine::pattern::Pattern;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Executor as _, Row as _};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// `scope` names the sources; `text` is masked; times are microseconds since the epoch; days are UTC, since the epoch.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS day (scope TEXT NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (scope, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
    scope TEXT NOT NULL, day INTEGER NOT NULL, system TEXT, endpoint TEXT, kind TEXT NOT NULL, text TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, frame TEXT
);
CREATE INDEX IF NOT EXISTS seen_day ON seen (scope, day);
CREATE TABLE IF NOT EXISTS remark (
    scope TEXT NOT NULL, id TEXT NOT NULL, system TEXT, endpoint TEXT, kind TEXT NOT NULL, pattern TEXT NOT NULL,
    note TEXT NOT NULL, muted_at INTEGER, muted_count INTEGER, frame TEXT, PRIMARY KEY (scope, id)
) WITHOUT ROWID;
";

/// In layout 0, what was said of a group was of all sources. It stays so, under [`EVERYWHERE`], until something else is said.
const FROM_0: [&str; 2] =
    ["ALTER TABLE remark RENAME TO remark_0", "INSERT INTO remark SELECT '', *, '*' FROM remark_0"];

/// In layout 1, it was not kept where failures were thrown: what is remembered is of any place ([`Fingerprint::anywhere`]). Days
/// without failures may have been before there was anything.
const SEEN_FROM_1: [&str; 3] = [
    "ALTER TABLE seen ADD COLUMN frame TEXT",
    "UPDATE seen SET frame = '*'",
    "DELETE FROM day WHERE NOT EXISTS (SELECT 1 FROM seen WHERE seen.scope = day.scope AND seen.day = day.day)",
];
const REMARK_FROM_1: [&str; 2] = ["ALTER TABLE remark ADD COLUMN frame TEXT", "UPDATE remark SET frame = '*'"];

/// The scope of what an earlier version has kept for all sources.
const EVERYWHERE: &str = "";

/// The layout of the tables. A file of a later one is left alone.
const VERSION: i64 = 2;
/// Days are forgotten after so many.
const KEPT_DAYS: i64 = 40;
/// Another program may be writing.
const BUSY: Duration = Duration::from_secs(3);

/// Why the file is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be opened, or is no database.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// A later version has written it in another form.
    #[error("a newer crosstail has written it; it is left as it is")]
    Newer,
}

/// The file, opened.
#[derive(Debug)]
pub struct Memory {
    connection: SqliteConnection,
}

impl Memory {
    /// Opens the file in an existing folder, or creates it, for its user alone.
    ///
    /// # Errors
    /// If it cannot be opened, is no database, or is that of a later version.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        private(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await?;
        if version > VERSION {
            return Err(OpenError::Newer);
        }
        if version < VERSION {
            migrate(&mut connection).await?;
        }
        for tables in [TABLES, left::TABLES] {
            connection.execute(tables).await?;
        }
        Ok(Self { connection })
    }

    /// The days between two, both included, of which all failures of some sources are remembered.
    pub async fn days(&mut self, scope: &str, from: i64, upto: i64) -> Result<Vec<i64>, sqlx::Error> {
        let asked = sqlx::query_scalar("SELECT day FROM day WHERE scope = ? AND day BETWEEN ? AND ? ORDER BY day");
        asked.bind(scope).bind(from).bind(upto).fetch_all(&mut self.connection).await
    }

    /// The first failure of the days between two, both included.
    pub async fn first_seen(&mut self, scope: &str, from: i64, upto: i64) -> Result<Option<Timestamp>, sqlx::Error> {
        let asked = sqlx::query_scalar("SELECT min(first) FROM seen WHERE scope = ? AND day BETWEEN ? AND ?");
        let first: Option<i64> = asked.bind(scope).bind(from).bind(upto).fetch_one(&mut self.connection).await?;
        Ok(first.map(Timestamp))
    }

    /// The failures of the days between two, both included, day by day.
    pub async fn seen(&mut self, scope: &str, from: i64, upto: i64) -> Result<Vec<Seen>, sqlx::Error> {
        const SEEN: &str = "SELECT system, endpoint, kind, text, first, last, frame FROM seen \
            WHERE scope = ? AND day BETWEEN ? AND ? ORDER BY day, text";
        let rows = sqlx::query(SEEN).bind(scope).bind(from).bind(upto).fetch_all(&mut self.connection).await?;
        let seen = |row: &SqliteRow| -> Result<Seen, sqlx::Error> {
            let (first, last) = (Timestamp(row.try_get(4)?), Timestamp(row.try_get(5)?));
            let text = |at: usize| row.try_get::<Option<&str>, _>(at).map(|text| text.map(Into::into));
            let kind: &str = row.try_get(2)?;
            let (system, endpoint) = (text(0)?, text(1)?);
            Ok(Seen { system, endpoint, kind: kind.into(), frame: text(6)?, text: row.try_get(3)?, first, last })
        };
        rows.iter().map(seen).collect()
    }

    /// Remembers all failures of a day, and forgets days that are long past.
    pub async fn remember(&mut self, scope: &str, day: i64, seen: &[Seen]) -> Result<(), sqlx::Error> {
        let mut step = self.connection.begin().await?;
        for table in ["DELETE FROM day WHERE day < ?", "DELETE FROM seen WHERE day < ?"] {
            sqlx::query(table).bind(day - KEPT_DAYS).execute(&mut *step).await?;
        }
        sqlx::query("DELETE FROM seen WHERE scope = ? AND day = ?").bind(scope).bind(day).execute(&mut *step).await?;
        for one in seen {
            sqlx::query("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(scope)
                .bind(day)
                .bind(one.system.as_deref())
                .bind(one.endpoint.as_deref())
                .bind(one.kind.as_str())
                .bind(&one.text)
                .bind(one.first.0)
                .bind(one.last.0)
                .bind(one.frame.as_deref())
                .execute(&mut *step)
                .await?;
        }
        sqlx::query("INSERT OR REPLACE INTO day VALUES (?, ?)").bind(scope).bind(day).execute(&mut *step).await?;
        step.commit().await
    }

    /// Everything that was said about groups of some sources; what was said last stands first.
    pub async fn remarks(&mut self, scope: &str) -> Result<Vec<(Fingerprint, Remark)>, sqlx::Error> {
        const ALL: &str = "SELECT system, endpoint, kind, pattern, note, muted_at, muted_count, frame FROM remark \
            WHERE scope = ? OR scope = ? ORDER BY scope = ?, id";
        let all = sqlx::query(ALL).bind(scope).bind(EVERYWHERE).bind(EVERYWHERE);
        let rows = all.fetch_all(&mut self.connection).await?;
        let remark = |row: &SqliteRow| -> Result<(Fingerprint, Remark), sqlx::Error> {
            let text = |at: usize| row.try_get::<Option<&str>, _>(at).map(|text| text.map(Into::into));
            let (kind, pattern): (&str, String) = (row.try_get(2)?, row.try_get(3)?);
            // An earlier version may have masked less.
            let pattern = masked(&pattern);
            let pattern = Pattern { id: id_of(&pattern), text: pattern };
            let muted: Option<i64> = row.try_get(5)?;
            let last_hour: Option<i64> = row.try_get(6)?;
            let last_hour = last_hour.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
            let mute = muted.map(|at| Mute { at: Timestamp(at), last_hour });
            let (system, endpoint, frame) = (text(0)?, text(1)?, text(7)?);
            let fingerprint = Fingerprint { system, endpoint, kind: kind.into(), frame, pattern };
            Ok((fingerprint, Remark { note: row.try_get(4)?, mute }))
        };
        rows.iter().map(remark).collect()
    }

    /// Keeps what was said about a group of some sources, in place of what was said before; nothing is not kept, unless it takes
    /// the place of what an earlier version has kept for all sources, or for all places of a text.
    pub async fn say(&mut self, scope: &str, of: &Fingerprint, remark: &Remark) -> Result<(), sqlx::Error> {
        let mut step = self.connection.begin().await?;
        sqlx::query("DELETE FROM remark WHERE scope = ? AND id = ?")
            .bind(scope)
            .bind(of.id())
            .execute(&mut *step)
            .await?;
        const OF_MORE: &str = "SELECT count(*) > 0 FROM remark \
            WHERE scope = ? AND id = ? OR scope IN (?, ?) AND id = ? AND frame = '*'";
        let is_of_more: bool = sqlx::query_scalar(OF_MORE)
            .bind(EVERYWHERE)
            .bind(of.id())
            .bind(scope)
            .bind(EVERYWHERE)
            .bind(of.anywhere().id())
            .fetch_one(&mut *step)
            .await?;
        if *remark != Remark::default() || is_of_more {
            sqlx::query("INSERT INTO remark VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(scope)
                .bind(of.id())
                .bind(of.system.as_deref())
                .bind(of.endpoint.as_deref())
                .bind(of.kind.as_str())
                .bind(&of.pattern.text)
                .bind(&remark.note)
                .bind(remark.mute.map(|mute| mute.at.0))
                .bind(remark.mute.map(|mute| i64::try_from(mute.last_hour).unwrap_or(i64::MAX)))
                .bind(of.frame.as_deref())
                .execute(&mut *step)
                .await?;
        }
        step.commit().await
    }

    /// Closes the file.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}

/// Brings the tables of an earlier layout to the present one. Two programs may do so at once: the second finds it done.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut step = connection.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *step).await?;
    if version < VERSION {
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut *step).await?;
        let has = |name: &str| tables.iter().any(|table| table == name);
        let [rename, copy] = FROM_0;
        let changes = [
            (has("seen"), &SEEN_FROM_1[..]),
            (has("remark") && version == 1, &REMARK_FROM_1),
            (has("remark") && version == 0, &[rename]),
            (true, &[TABLES]),
            (has("remark") && version == 0, &[copy, "DROP TABLE remark_0"]),
        ];
        for change in changes.into_iter().filter(|(is_due, _)| *is_due).flat_map(|(_, changes)| changes) {
            step.execute(*change).await?;
        }
        step.execute("PRAGMA user_version = 2").await?;
    }
    step.commit().await
}

/// Creates the file where it is missing, readable by its user alone, as SQLite makes what it puts beside it. A link is none.
fn private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map(drop),
    }
    if path.symlink_metadata()?.is_file() { Ok(()) } else { Err(io::Error::other("it is no regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn seen(text: &str, first: i64, last: i64) -> Seen {
        let (first, last) = (Timestamp(first), Timestamp(last));
        Seen {
            system: Some("SAP".into()),
            endpoint: None,
            kind: "503".into(),
            frame: None,
            text: text.to_owned(),
            first,
            last,
        }
    }

    #[tokio::test]
    async fn what_is_remembered_is_there_in_the_next_session() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.sqlite");
        let mut memory = Memory::open(&path).await.expect("opened");
        memory.remember("a", 10, &[seen("order <*> refused", 5, 7)]).await.expect("remembered");
        memory.remember("a", 11, &[seen("order <*> refused", 8, 9), seen("no <*>", 8, 8)]).await.expect("remembered");
        memory.remember("b", 10, &[]).await.expect("remembered");
        let pattern = Pattern { id: id_of("no <*>"), text: "no <*>".to_owned() };
        let of = Fingerprint { system: Some("SAP".into()), endpoint: None, kind: "503".into(), frame: None, pattern };
        let remark = Remark { note: "known".to_owned(), mute: Some(Mute { at: Timestamp(4), last_hour: 12 }) };
        memory.say("a", &of, &remark).await.expect("kept");
        memory.close().await.expect("closed");
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);

        let mut memory = Memory::open(&path).await.expect("opened again");
        assert_eq!(memory.days("a", 0, 100).await.expect("days"), [10, 11]);
        assert_eq!(memory.days("b", 11, 100).await.expect("days"), Vec::<i64>::new());
        let all = memory.seen("a", 10, 11).await.expect("seen");
        let expected = [seen("order <*> refused", 5, 7), seen("no <*>", 8, 8), seen("order <*> refused", 8, 9)];
        assert_eq!(all, expected);
        assert_eq!(memory.seen("b", 0, 100).await.expect("seen"), []);
        let first = [memory.first_seen("a", 10, 11).await, memory.first_seen("a", 11, 11).await];
        assert_eq!(first.map(|at| at.expect("asked")), [Some(Timestamp(5)), Some(Timestamp(8))]);
        assert_eq!(memory.first_seen("b", 0, 100).await.expect("asked"), None, "a day without failures has none");
        assert_eq!(memory.remarks("a").await.expect("remarks"), [(of.clone(), remark)]);
        assert_eq!(memory.remarks("b").await.expect("remarks"), [], "of other sources nothing was said");
        // A day that is read again is not there twice; nothing said is nothing kept; what is long past is forgotten.
        memory.remember("a", 11, &[seen("no <*>", 8, 8)]).await.expect("remembered");
        assert_eq!(memory.seen("a", 11, 11).await.expect("seen"), [seen("no <*>", 8, 8)]);
        memory.say("a", &of, &Remark::default()).await.expect("forgotten");
        assert_eq!(memory.remarks("a").await.expect("remarks"), []);
        memory.remember("a", 11 + KEPT_DAYS, &[]).await.expect("remembered");
        assert_eq!(memory.days("a", 0, 100).await.expect("days"), [11, 11 + KEPT_DAYS]);
    }

    /// A file as layout 0 has it.
    #[tokio::test]
    async fn what_an_earlier_version_has_kept_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.sqlite");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut old = SqliteConnection::connect_with(&options).await.expect("created");
        let before = "CREATE TABLE remark (id TEXT PRIMARY KEY NOT NULL, system TEXT, endpoint TEXT, kind TEXT NOT NULL, \
            pattern TEXT NOT NULL, note TEXT NOT NULL, muted_at INTEGER, muted_count INTEGER) WITHOUT ROWID";
        old.execute(before).await.expect("a table");
        let pattern = Pattern { id: id_of("no <*>"), text: "no <*>".to_owned() };
        let of = Fingerprint { system: Some("SAP".into()), endpoint: None, kind: "503".into(), frame: None, pattern };
        sqlx::query("INSERT INTO remark VALUES (?, 'SAP', NULL, '503', 'no <*>', 'known', 4, 12)")
            .bind(of.id())
            .execute(&mut old)
            .await
            .expect("a remark");
        old.close().await.expect("closed");
        let remark = Remark { note: "known".to_owned(), mute: Some(Mute { at: Timestamp(4), last_hour: 12 }) };
        for _ in 0..2 {
            let mut memory = Memory::open(&path).await.expect("opened");
            for scope in ["a", "b"] {
                assert_eq!(memory.remarks(scope).await.expect("remarks"), [(of.anywhere(), remark.clone())], "{scope}");
            }
            memory.close().await.expect("closed");
        }
        // Unmuted in one place, it is so there alone.
        let mut memory = Memory::open(&path).await.expect("opened");
        memory.say("a", &of, &Remark::default()).await.expect("said");
        assert_eq!(memory.remarks("a").await.expect("remarks")[0].1, Remark::default());
        assert_eq!(memory.remarks("b").await.expect("remarks"), [(of.anywhere(), remark)]);
    }

    /// A file as layout 1 has it, which does not know where failures were thrown.
    #[tokio::test]
    async fn what_was_kept_without_a_place_is_of_any_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.sqlite");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut old = SqliteConnection::connect_with(&options).await.expect("created");
        let before = "CREATE TABLE day (scope TEXT NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (scope, day)) WITHOUT ROWID; \
            CREATE TABLE seen (scope TEXT NOT NULL, day INTEGER NOT NULL, system TEXT, endpoint TEXT, kind TEXT NOT NULL, \
                text TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL); \
            CREATE TABLE remark (scope TEXT NOT NULL, id TEXT NOT NULL, system TEXT, endpoint TEXT, kind TEXT NOT NULL, \
                pattern TEXT NOT NULL, note TEXT NOT NULL, muted_at INTEGER, muted_count INTEGER, \
                PRIMARY KEY (scope, id)) WITHOUT ROWID; \
            INSERT INTO day VALUES ('a', 10), ('a', 11); \
            INSERT INTO seen VALUES ('a', 11, 'SAP', NULL, '503', 'no <*>', 8, 9); PRAGMA user_version = 1";
        old.execute(before).await.expect("tables");
        let pattern = Pattern { id: id_of("no <*>"), text: "no <*>".to_owned() };
        let of = Fingerprint { system: Some("SAP".into()), endpoint: None, kind: "503".into(), frame: None, pattern };
        sqlx::query("INSERT INTO remark VALUES ('a', ?, 'SAP', NULL, '503', 'no <*>', 'known', 4, 12)")
            .bind(of.id())
            .execute(&mut old)
            .await
            .expect("a remark");
        old.close().await.expect("closed");
        let mut memory = Memory::open(&path).await.expect("opened");
        assert_eq!(
            memory.seen("a", 0, 100).await.expect("seen"),
            [Seen { frame: Some("*".into()), ..seen("no <*>", 8, 9) }]
        );
        assert_eq!(
            memory.days("a", 0, 100).await.expect("days"),
            [11],
            "what may have been before everything is read again"
        );
        let remark = Remark { note: "known".to_owned(), mute: Some(Mute { at: Timestamp(4), last_hour: 12 }) };
        assert_eq!(memory.remarks("a").await.expect("remarks"), [(of.anywhere(), remark)]);
        // Unmuted where one place threw it, it stays so there.
        let here = Fingerprint { frame: Some("post (sap.ts)".into()), ..of };
        memory.say("a", &here, &Remark::default()).await.expect("said");
        let remarks = memory.remarks("a").await.expect("remarks");
        assert!(remarks.contains(&(here, Remark::default())) && remarks.len() == 2, "{remarks:?}");
    }

    #[tokio::test]
    async fn a_file_of_a_later_version_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.sqlite");
        let mut memory = Memory::open(&path).await.expect("opened");
        sqlx::query("PRAGMA user_version = 9").execute(&mut memory.connection).await.expect("set");
        memory.close().await.expect("closed");
        let before = std::fs::read(&path).expect("read");
        assert!(matches!(Memory::open(&path).await, Err(OpenError::Newer)));
        assert_eq!(std::fs::read(&path).expect("read"), before);
    }

    #[tokio::test]
    async fn no_link_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (victim, path) = (folder.path().join("victim"), folder.path().join("memory.sqlite"));
        std::fs::write(&victim, "mine").expect("written");
        symlink(&victim, &path).expect("a link");
        assert!(Memory::open(&path).await.is_err());
        assert_eq!(std::fs::read_to_string(&victim).expect("read"), "mine");
    }
}
