//! First contact: tables that widely used systems write, in stores of every kind, without a line of configuration.

use crate::servers::{Kind, shared, unique_name};
use crate::support::{crosstail, lines};
use bson::Bson;
use crosstail_core::model::Clock;
use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::fmt::Write as _;

/// Rows of each table.
const ROWS: usize = 30;

/// Seconds since the epoch.
fn now() -> i64 {
    Clock::system().now().0 / 1_000_000
}

#[derive(Deserialize)]
struct Tables {
    table: Vec<Known>,
}

/// A table of `tests/known-tables.toml`, which says how it is written.
#[derive(Deserialize)]
struct Known {
    name: String,
    columns: String,
    rows: Vec<String>,
    #[serde(default)]
    failed: Vec<usize>,
    #[serde(default)]
    system: String,
}

/// A value of a row.
enum Cell {
    Absent,
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(i64),
    Text(String),
}

impl Known {
    fn all() -> Vec<Self> {
        toml::from_str::<Tables>(include_str!("../known-tables.toml")).expect("tables").table
    }

    fn columns(&self) -> Vec<(&str, &str)> {
        self.columns.split(' ').map(|column| column.rsplit_once(':').expect("a type")).collect()
    }

    fn failures(&self) -> usize {
        (0..ROWS).filter(|row| self.failed.contains(&(row % self.rows.len()))).count()
    }

    /// The values of a row, which began so many minutes before `now` as its number says.
    fn row(&self, row: usize, now: i64) -> Vec<Cell> {
        let at = now - 60 * row as i64;
        let cells = self.rows[row % self.rows.len()].split('|').zip(self.columns());
        let cell = |(text, (_, kind)): (&str, (&str, &str))| match (text, kind) {
            ("~", _) => Cell::Absent,
            ("%", _) => Cell::Int(at),
            (text, "time") => Cell::Time(at + text[1..].parse::<i64>().unwrap_or(0)),
            (text, "uuid") => Cell::Text(format!("00000000-0000-4000-8000-0000000000{:02}", text.len() + row)),
            ("#", "int" | "key") => Cell::Int(row as i64 + 1),
            (text, "int") => Cell::Int(text.parse().expect("a number")),
            (text, "float") => Cell::Float(text.parse().expect("a number")),
            (text, "bool") => Cell::Bool(text == "true"),
            (text, _) => Cell::Text(text.replace('#', &row.to_string())),
        };
        cells.map(cell).collect()
    }

    /// SQL that makes and fills the table. `types`: those of a store, by the names in the file.
    fn sql(&self, quote: char, types: &[(&str, &str)], boolean: fn(bool) -> &'static str) -> String {
        let of = |kind: &str| types.iter().find(|(known, _)| *known == kind).expect("a type").1;
        let columns: Vec<String> =
            self.columns().iter().map(|(name, kind)| format!("{quote}{name}{quote} {}", of(kind))).collect();
        let mut sql = format!("CREATE TABLE {quote}{}{quote} ({});", self.name, columns.join(", "));
        let now = now();
        for row in 0..ROWS {
            let values: Vec<String> = self
                .row(row, now)
                .into_iter()
                .map(|cell| match cell {
                    Cell::Absent => "NULL".to_owned(),
                    Cell::Int(n) => n.to_string(),
                    Cell::Float(n) => n.to_string(),
                    Cell::Bool(b) => boolean(b).to_owned(),
                    Cell::Time(at) => {
                        let at = chrono::DateTime::from_timestamp(at, 0).expect("a time");
                        at.format("'%Y-%m-%d %H:%M:%S'").to_string()
                    }
                    Cell::Text(text) => {
                        let text = if quote == '`' { text.replace('\\', "\\\\") } else { text };
                        format!("'{}'", text.replace('\'', "''"))
                    }
                })
                .collect();
            write!(sql, "INSERT INTO {quote}{}{quote} VALUES ({});", self.name, values.join(", ")).expect("written");
        }
        sql
    }

    /// What is not right of how it is shown.
    fn problems(&self, url: &str) -> Vec<String> {
        let name = &self.name;
        let output = crosstail(&["query", "-s", url, "-o", "json", "--limit", "0"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return vec![format!("{name}: {said}")];
        }
        let rows = lines(&output);
        let recent = |row: &&serde_json::Value| {
            let at = row["started_at"].as_str().and_then(|at| at.parse::<chrono::DateTime<chrono::Utc>>().ok());
            at.is_some_and(|at| at.timestamp() > now() - 3600)
        };
        let is_of = |row: &&serde_json::Value| self.system.is_empty() || row["system"] == self.system.as_str();
        let failed = lines(&crosstail(&["query", "-s", url, "-o", "json", "--limit", "0", "is:failure"])).len();
        let draft = crosstail(&["schema", "draft", "--from", url, "--table", name]);
        let draft = String::from_utf8(draft.stdout).expect("UTF-8");
        let checks = [
            ("rows", rows.len() == ROWS),
            ("times", rows.iter().all(|row| recent(&row))),
            ("systems", rows.iter().all(|row| is_of(&row))),
            ("failures", failed == self.failures()),
            ("the draft", draft.contains("[table]") && draft.contains("[fields]")),
        ];
        let wrong = checks.iter().filter(|(_, holds)| !holds);
        wrong.map(|(what, _)| format!("{name}: {what} ({} rows, {failed} failed): {said}\n", rows.len())).collect()
    }
}

/// Of all tables, nothing is wrong.
fn all_are_right(problems: Vec<Vec<String>>) {
    let wrong: Vec<&Vec<String>> = problems.iter().filter(|of| !of.is_empty()).collect();
    assert!(wrong.is_empty(), "{} of {} are right; not: {wrong:#?}", problems.len() - wrong.len(), problems.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_widely_used_systems_are_shown_in_sqlite() {
    const TYPES: &[(&str, &str)] = &[
        ("key", "INTEGER PRIMARY KEY"),
        ("int", "INTEGER"),
        ("float", "REAL"),
        ("bool", "BOOLEAN"),
        ("text", "TEXT"),
        ("packed", "TEXT"),
        ("time", "DATETIME"),
        ("json", "JSON"),
        ("uuid", "CHAR(36) PRIMARY KEY NOT NULL"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let mut problems = Vec::new();
    for known in Known::all() {
        let path = folder.path().join(format!("{}.sqlite", known.name));
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection: SqliteConnection = options.connect().await.expect("opened");
        let sql = known.sql('"', TYPES, |yes| if yes { "1" } else { "0" });
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("filled");
        problems.push(known.problems(&format!("sqlite://{}", path.display())));
    }
    all_are_right(problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_widely_used_systems_are_shown_in_postgres() {
    const TYPES: &[(&str, &str)] = &[
        ("key", "bigint PRIMARY KEY"),
        ("int", "bigint"),
        ("float", "double precision"),
        ("bool", "boolean"),
        ("text", "text"),
        ("packed", "text"),
        ("time", "timestamptz"),
        ("json", "jsonb"),
        ("uuid", "uuid PRIMARY KEY"),
    ];
    let Some(server) = shared(Kind::Postgres).await else { return };
    let mut problems = Vec::new();
    for known in Known::all() {
        let database = server.postgres_database(&[]).await;
        let mut connection = server.postgres_connection(&database).await;
        let sql = format!("SET TIME ZONE 'UTC'; {}", known.sql('"', TYPES, |yes| if yes { "true" } else { "false" }));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("filled");
        problems.push(known.problems(&server.url(&database)));
    }
    all_are_right(problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_widely_used_systems_are_shown_in_mysql() {
    const TYPES: &[(&str, &str)] = &[
        ("key", "BIGINT PRIMARY KEY"),
        ("int", "BIGINT"),
        ("float", "DOUBLE"),
        ("bool", "BOOLEAN"),
        ("text", "VARCHAR(200)"),
        ("packed", "LONGTEXT"),
        ("time", "DATETIME"),
        ("json", "JSON"),
        ("uuid", "CHAR(36) PRIMARY KEY"),
    ];
    let Some(server) = shared(Kind::Mysql).await else { return };
    let mut problems = Vec::new();
    for known in Known::all() {
        let database = server.mysql_database(&[]).await;
        let mut connection = server.mysql_connection(&database).await;
        let sql = known.sql('`', TYPES, |yes| if yes { "1" } else { "0" });
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("filled");
        problems.push(known.problems(&server.url(&database)));
    }
    all_are_right(problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_of_widely_used_systems_are_shown_in_mongodb() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let mut problems = Vec::new();
    for known in Known::all() {
        let database = unique_name();
        let documents = (0..ROWS).map(|row| {
            let values = known.row(row, now());
            let fields = known.columns().into_iter().zip(values).map(|((name, kind), cell)| {
                let value = match cell {
                    Cell::Absent => Bson::Null,
                    Cell::Int(n) => Bson::Int64(n),
                    Cell::Float(n) => Bson::Double(n),
                    Cell::Bool(b) => Bson::Boolean(b),
                    Cell::Time(at) => Bson::DateTime(bson::DateTime::from_millis(at * 1000)),
                    Cell::Text(text) if kind == "json" || kind == "packed" => {
                        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                        bson::serialize_to_bson(&value).expect("a value")
                    }
                    Cell::Text(text) => Bson::String(text),
                };
                (if kind == "key" || kind == "uuid" { "_id".to_owned() } else { name.to_owned() }, value)
            });
            fields.collect::<bson::Document>()
        });
        let client = server.mongo_client().await;
        let collection = client.database(&database).collection::<bson::Document>(&known.name);
        collection.insert_many(documents).await.expect("filled");
        problems.push(known.problems(&server.url(&database)));
    }
    all_are_right(problems);
}

/// A draft is asked of the source, so what can be read can be drafted from.
#[test]
fn a_schema_is_drafted_from_whatever_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let known = Known::all().into_iter().find(|known| known.columns.contains(":int")).expect("a table");
    let shop = at("shop.sqlite");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        use sqlx::Connection as _;
        let options = SqliteConnectOptions::new().filename(&shop).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("opened");
        let sql = format!("CREATE TABLE {} (id INTEGER PRIMARY KEY, created_at DATETIME, status TEXT)", known.name);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("made");
        connection.close().await.expect("closed");
    });
    let line = "{\"when\":\"2026-11-20T10:00:00Z\",\"phase\":\"billing\",\"note\":\"sent\"}\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, line.repeat(20).as_bytes()).expect("packed");
    std::fs::write(at("app.log.gz"), packed.finish().expect("packed")).expect("written");
    std::fs::write(at("app.log"), line).expect("written");
    std::fs::write(at("empty.log"), "").expect("written");
    let draft = |from: &str, more: &[&str]| crosstail(&[&["schema", "draft", "--from", from], more].concat());
    let text = |output: std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    // A database by its path, as by its URL.
    let drafted = text(draft(&shop, &[]));
    assert!(drafted.contains("[table]") && drafted.contains(&known.name), "{drafted}");
    assert_eq!(drafted, text(draft(&format!("sqlite://{shop}"), &[])));
    for from in [at("app.log.gz"), at("app.log"), folder.path().join("app*").display().to_string()] {
        let drafted = text(draft(&from, &[]));
        assert!(drafted.contains("name = \"app\"") && drafted.contains("phase"), "{from}: {drafted}");
    }
    for (from, more, says) in [
        (at("app.log"), &["--table", "calls"][..], "a file has no tables"),
        (at("empty.log"), &[], "no record to draft from"),
        (at("absent.log"), &[], "no record to draft from"),
    ] {
        let output = draft(&from, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says), "{from}: {said}");
    }
}
