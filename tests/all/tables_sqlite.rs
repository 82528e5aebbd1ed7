//! SQLite files as they are in the wild: values of any type in any column, keys that repeat, views, shapes that change.

use crate::support::{PATIENCE, Running, crosstail, lines};
use crate::tables::{Following, calls, digits_are_read_or_told, distinct, followed, pages, source_at};
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Activity, Clock};
use crosstail_source::{Grouping, Job, PageQuery, RelatedKey, Source, SourceEvent};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::sync::Arc;
use std::time::Duration;

/// A file with one's own tables, and a schema for one of them.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    async fn open(sql: &str, schema: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::write(file.folder.path().join("schema.toml"), schema).expect("written");
        file.run(sql).await;
        file
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    async fn connection(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path("shop.sqlite")).create_if_missing(true);
        options.connect().await.expect("opened")
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.connection().await;
        let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        ran.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path("shop.sqlite"))
    }

    fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let (url, schema) = (self.url(), self.path("schema.toml"));
        let all = ["query", "-s", &url, "--schema", &schema, "-o", "json", "--limit", "0"];
        lines(&crosstail(&[&all[..], arguments].concat()))
    }

    fn source(&self) -> Arc<dyn Source> {
        source_at(self.url(), &std::fs::read_to_string(self.path("schema.toml")).expect("text"))
    }
}

/// Numbers from 1 on.
const NUMBERS: &str = "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i <";

fn system(all: &[Activity], name: &str) -> usize {
    all.iter().filter(|one| one.system.as_deref() == Some(name)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_sqlite_that_cannot_be_read_costs_itself() {
    let sql = format!(
        "CREATE TABLE base (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER, doc TEXT, corr TEXT); \
         INSERT INTO base {NUMBERS} 40) SELECT i, 1700000000 - i * 60, 'SAP', 'ok', i, json_object('a', 'fine'), 'c' || i FROM r; \
         UPDATE base SET doc = '{{broken' WHERE id = 9; UPDATE base SET ms = 'soon' WHERE id = 5; \
         UPDATE base SET sys = CAST(x'53ff41' AS TEXT) WHERE id = 7; UPDATE base SET corr = x'00ff' WHERE id = 8; "
    );
    let schema = calls("time_unit = 's'\n")
        .replace("duration = 'ms'", "duration = 'ms'\nmessage = 'word'\ncorrelation_id = 'corr'")
        + "[payload]\nrequest_body = 'doc'\n";
    // A column that is computed from another, in a table and in a view.
    for make in [
        "ALTER TABLE base ADD COLUMN word TEXT AS (json_extract(doc, '$.a')) VIRTUAL; ALTER TABLE base RENAME TO calls",
        "CREATE VIEW calls AS SELECT *, json_extract(doc, '$.a') AS word FROM base",
    ] {
        let file = File::open(&format!("{sql}{make}; CREATE VIEW broken AS SELECT * FROM nowhere"), &schema).await;
        let rows = file.rows(&[]);
        assert_eq!(rows.len(), 40);
        let said = |id: u32| {
            let row = rows.iter().find(|row| row["id"] == format!("shop.sqlite/calls/{id}")).expect("the row").clone();
            format!("{} {} {}", row["status"], row["message"], row["error"])
        };
        assert!(said(9).contains("word cannot be read: malformed JSON") && said(9).contains("success"), "{}", said(9));
        assert!(said(5).contains("ms cannot be read"), "{}", said(5));
        assert!(said(7).contains("sys is no valid UTF-8"), "{}", said(7));
        assert_eq!(said(6), "\"success\" \"fine\" null");
        assert_eq!(file.rows(&["corr:00ff"]).len(), 1, "bytes are digits");
        assert_eq!(file.rows(&["message:fine"]).len(), 39);
        assert_eq!(file.rows(&["req.body.a:fine"]).len(), 39, "the payload of the rest is looked into");
        let source = file.source();
        let grouping = Grouping::by(crosstail_core::filter::Field::Status);
        let groups = source.aggregate(&PageQuery::all(100), &grouping, &Job::default()).await.expect("figures");
        assert_eq!(groups.values().map(|figures| figures.count).sum::<u64>(), 40);
        let all = pages(source.as_ref(), 7, true).await;
        assert_eq!((all.len(), distinct(&all)), (40, 40));
        for activity in &all {
            let payload = source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await;
            assert!(!payload.expect("what can be read").raw.is_empty());
        }
        let (table, doc) = if make.contains("VIEW") { ("base", "{") } else { ("calls", "{}") };
        let add = format!(
            "INSERT INTO {table} (at, sys, st, ms, doc) VALUES (4000000001, 'new', 'ok', 1, '{doc}'), (4000000002, 'new', 'ok', 1, '{{}}')"
        );
        let told = followed(&source, file.run(&add), "new", 2).await;
        assert_eq!((told.len(), system(&told, "new")), (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_mixed_types_and_of_a_zone_are_understood() {
    // Texts and fractions in a column of whole numbers have no place in its order; they have their time all the same.
    let sql = format!(
        "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER); \
         INSERT INTO calls {NUMBERS} 300) SELECT i, 1700000000 + i, 'SAP', 'ok', i FROM r; \
         UPDATE calls SET at = at + 0.5 WHERE id % 3 = 0; UPDATE calls SET at = datetime(at, 'unixepoch') WHERE id % 3 = 1; \
         UPDATE calls SET at = x'00' WHERE id = 2; UPDATE calls SET at = 9000000000000000000 WHERE id = 5"
    );
    let file = File::open(&sql, &calls("time_unit = 's'\n")).await;
    let source = file.source();
    for newest_first in [true, false] {
        let all = pages(source.as_ref(), 7, newest_first).await;
        assert_eq!((all.len(), distinct(&all)), (300, 300));
        assert_eq!(all.iter().filter(|one| one.exact_start).count(), 298);
        let sorted = |two: &[Activity]| (two[0].started_at <= two[1].started_at) != newest_first;
        assert!(all.windows(2).all(|two| two[0].started_at == two[1].started_at || sorted(two)));
    }
    let sql = "CREATE TABLE calls (id INTEGER PRIMARY KEY, at TEXT, done TEXT, sys TEXT, st TEXT, ms INTEGER); \
        INSERT INTO calls (at, done, sys, st) VALUES ('2026-01-15 12:00:00', '2026-01-15 12:00:01', 'winter', 'ok'), \
        ('2026-07-01T12:00:00.250', NULL, 'summer', 'ok'), ('2026-07-01 12:00:00Z', NULL, 'zoned', 'ok')";
    let schema =
        calls("time_zone = 'America/New_York'\n").replace("duration = 'ms'", "duration = 'ms'\ncompleted_at = 'done'");
    let file = File::open(sql, &schema).await;
    let rows = file.rows(&["time:2026-01-15T16:59..2026-01-15T17:01"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["started_at"], "2026-01-15T17:00:00.000Z");
    assert_eq!(rows[0]["duration_ms"], 1000.0, "{}", rows[0]);
    let rows = file.rows(&["system:summer"]);
    assert_eq!(rows[0]["started_at"], "2026-07-01T16:00:00.250Z");
    assert_eq!(file.rows(&["system:zoned"])[0]["started_at"], "2026-07-01T12:00:00.000Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_sqlite_that_repeat_are_told_apart_and_told() {
    for (table, id) in [
        ("n INTEGER, at INTEGER, sys TEXT, st TEXT, ms INTEGER", "'n'"),
        // A key of texts may be NULL, any number of times.
        ("n TEXT PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER", "'n'"),
    ] {
        let value = if table.contains("PRIMARY") { "CASE WHEN i > 20 THEN i END" } else { "i % 10" };
        let sql = format!(
            "CREATE TABLE calls ({table}); INSERT INTO calls {NUMBERS} 80) SELECT {value}, 1700000000, 'SAP', 'ok', i FROM r"
        );
        let file = File::open(&sql, &calls("time_unit = 's'\n").replace("id = 'id'", &format!("id = {id}"))).await;
        let source = file.source();
        let all = pages(source.as_ref(), 7, true).await;
        assert_eq!((all.len(), distinct(&all)), (80, 80), "{table}");
        for activity in &all {
            let payload = source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await;
            let raw: Value = serde_json::from_str(payload.expect("its payload").raw[0].text()).expect("JSON");
            assert_eq!(raw["ms"].as_f64().map(|ms| ms * 1000.0), activity.duration_us.map(|us| us as f64));
        }
        let found = source.diagnose(crosstail_core::model::Timestamp(0), &Job::default()).await.expect("examined");
        assert!(found.iter().any(|one| one.text.contains("n is not unique")), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_column_of_sqlite_says_the_outcome_it_follows_from_http_and_the_error() {
    let sql = format!(
        "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, code INTEGER, err TEXT); \
         INSERT INTO calls {NUMBERS} 40) SELECT i, 1700000000 - i, 'SAP', CASE WHEN i <= 10 THEN 502 WHEN i <= 30 THEN 200 END, \
         CASE WHEN i > 35 THEN 'refused' END FROM r"
    );
    let schema = "name = 'calls'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\ntime_unit = 's'\n[fields]\nstarted_at = 'at'\n\
        system = 'sys'\nhttp_status = 'code'\nerror = 'err'\n";
    let file = File::open(&sql, schema).await;
    for (filter, count) in [("status:failed", 15), ("status:success", 20), ("NOT status:*", 5), ("is:ok", 25)] {
        assert_eq!(file.rows(&[filter]).len(), count, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_in_sqlite_is_not_told_as_new() {
    let base = |table: &str| {
        format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER, rev INTEGER); \
             INSERT INTO {table} {NUMBERS} 3000) SELECT i, 1700000000 - i, 'old', 'ok', i, i FROM r;"
        )
    };
    let keyed = "CREATE TABLE calls (id TEXT PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER, rev INTEGER) WITHOUT ROWID;";
    let fill = format!("INSERT INTO calls {NUMBERS} 3000) SELECT i, 1700000000 - i, 'old', 'ok', i, i FROM r");
    // Each with rows that are written again as they were, and one that is open and gets its outcome.
    for (make, write, revision) in [
        (base("calls"), "calls", ""),
        (format!("{} CREATE VIEW calls AS SELECT * FROM base", base("base")), "base", ""),
        (format!("{keyed} {fill}"), "calls", ""),
        (base("calls"), "calls", "revision = 'rev'\n"),
    ] {
        let make = format!("{make}; UPDATE {write} SET st = 'open', sys = 'waiting' WHERE ms = 2000");
        let schema = calls(&format!("time_unit = 's'\n{revision}")) + "open = 'in_progress'\n";
        let file = File::open(&make, &schema).await;
        let again = if revision.is_empty() { "" } else { ", rev = rev + 10000" };
        let change = format!(
            "UPDATE {write} SET ms = ms{again} WHERE ms > 2900; \
             UPDATE {write} SET st = 'ok'{again} WHERE ms = 2000; \
             INSERT INTO {write} {NUMBERS} 20) SELECT 50000 + i, CAST(strftime('%s', 'now') AS INTEGER) + i, 'new', 'ok', i, 50000 + i FROM r"
        );
        let all = followed(&file.source(), file.run(&change), "new", 20).await;
        assert_eq!(
            (system(&all, "new"), system(&all, "waiting"), system(&all, "old")),
            (20, 1, 0),
            "{make} {revision}"
        );
    }
}

/// Each commit may fall between two queries of whoever follows.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_rows_are_read_again_is_told() {
    let sql = "CREATE TABLE shop_events (id INTEGER PRIMARY KEY, created_at TEXT, level TEXT, message TEXT); \
               INSERT INTO shop_events VALUES (0, '2026-11-20T10:00:00.000Z', 'INFO', 'message 0')";
    let file = File::open(sql, "").await;
    let (names, source) = crate::support::open(&[file.url()]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut writer = file.connection().await;
    let rows = 3000;
    let writing = tokio::spawn(async move {
        sqlx::raw_sql("PRAGMA synchronous = OFF").execute(&mut writer).await.expect("set");
        for n in 1..rows {
            let text =
                format!("INSERT INTO shop_events VALUES ({n}, '2026-11-20T10:00:00.000Z', 'INFO', 'message {n}')");
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut writer).await.expect("written");
        }
    });
    running.until("every row", |running| running.store.len() == rows).await;
    writing.await.expect("no panic");
}

/// Rows of a system, numbered from one number on.
fn fill(table: &str, first: i64, rows: i64, system: &str) -> String {
    format!(
        "INSERT INTO {table} {NUMBERS} {rows}) SELECT {first} + i - 1, 1700000000 + {first} + i, '{system}', 'ok', i FROM r;"
    )
}

/// What is told until some rows of a system have come, and a little longer.
async fn told(following: &mut Following, name: &str, count: usize) -> Vec<Activity> {
    let mut all = Vec::new();
    let mut end = tokio::time::Instant::now() + PATIENCE;
    let mut is_enough = false;
    while let Ok(Some(event)) = tokio::time::timeout_at(end, following.updates.recv()).await {
        if let SourceEvent::Batch(batch, _) = event {
            all.extend(batch);
        }
        if !is_enough && system(&all, name) >= count {
            is_enough = true;
            end = tokio::time::Instant::now() + Duration::from_secs(1);
        }
    }
    all
}

/// Numbers of rows grow only where nothing else is said: programs number rows themselves, and SQLite gives the numbers of the
/// newest rows again when these are deleted.
#[tokio::test(flavor = "multi_thread")]
async fn new_rows_of_sqlite_that_have_lower_numbers_are_told() {
    const NEW: &str = "INSERT INTO calls (id, at, sys, st, ms) VALUES";
    let make = "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER);";
    let index = "CREATE INDEX calls_at ON calls (at);";
    let even = format!("{} UPDATE calls SET id = id * -2; UPDATE calls SET id = -id;", fill("calls", 1, 3000, "old"));
    let one = |id: i64| format!("({id}, 1790000000, 'new', 'ok', 1)");
    for (what, filled, change, count) in [
        ("numbers of the program", fill("calls", 2000, 1, "old"), format!("{NEW} {}, {}", one(1000), one(1999)), 2),
        (
            "a number in the middle, where an index has the order of the time",
            format!("{index} {even}"),
            format!("{NEW} {}, {}", one(101), one(3001)),
            2,
        ),
        (
            "numbers below all",
            fill("calls", 10_000, 3000, "old"),
            format!("{NEW} {}, {}, {}", one(-5), one(5), one(9999)),
            3,
        ),
        (
            "fewer rows in the place of all",
            fill("calls", 1, 1000, "old"),
            format!("DELETE FROM calls; {}", fill("calls", 1, 600, "new")),
            600,
        ),
        (
            "fewer rows in the place of more than are remembered",
            fill("calls", 1, 3000, "old"),
            format!("DELETE FROM calls; {}", fill("calls", 1, 600, "new")),
            600,
        ),
        (
            "the numbers of rows that are gone",
            fill("calls", 1, 3000, "old"),
            format!("DELETE FROM calls WHERE id > 2400; {}", fill("calls", 2401, 20, "new")),
            20,
        ),
    ] {
        let file = File::open(&format!("{make} {filled}"), &calls("time_unit = 's'\n")).await;
        let mut following = Following::begin(&file.source()).await;
        file.run(&format!("BEGIN; {change}; COMMIT")).await;
        let all = told(&mut following, "new", count).await;
        assert_eq!((system(&all, "new"), system(&all, "old")), (count, 0), "{what}");
        following.cancel.cancel();
        following.errors.await.expect("joined");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_queue_of_sqlite_that_gets_the_first_number_again_is_told() {
    let make = "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER);";
    let file = File::open(&format!("{make} {}", fill("calls", 1, 5, "old")), &calls("time_unit = 's'\n")).await;
    let mut following = Following::begin(&file.source()).await;
    // A row that changes says when the others are known to be gone.
    file.run("BEGIN; DELETE FROM calls WHERE id <= 3; UPDATE calls SET sys = 'seen' WHERE id = 5; COMMIT").await;
    let all = told(&mut following, "seen", 1).await;
    assert_eq!((system(&all, "seen"), system(&all, "old")), (1, 0));
    let insert = "INSERT INTO calls (at, sys, st, ms) VALUES (1790000000, 'new', 'ok', 1)";
    file.run(&format!("BEGIN; DELETE FROM calls; {insert}; COMMIT")).await;
    let all = told(&mut following, "new", 1).await;
    assert_eq!((all.len(), system(&all, "new")), (1, 1));
    following.cancel.cancel();
    following.errors.await.expect("joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_sqlite_that_come_into_view_are_not_told() {
    let columns = "at INTEGER, sys TEXT, st TEXT, ms INTEGER";
    let table = |table: &str| format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, {columns});");
    let (numbered, viewed) = (table("calls"), table("base"));
    for (make, write, rows, left) in [
        (format!("{numbered} CREATE INDEX calls_at ON calls (at);"), "calls", 3000, 2900),
        // More than is remembered.
        (numbered, "calls", 3000, 500),
        (format!("CREATE TABLE calls (id INTEGER PRIMARY KEY, {columns}) WITHOUT ROWID;"), "calls", 20_500, 20_400),
        (format!("{viewed} CREATE VIEW calls AS SELECT * FROM base;"), "base", 20_500, 20_400),
    ] {
        let fill_up = fill(write, 1, rows, "old");
        let file = File::open(&format!("{make} {fill_up}"), &calls("time_unit = 's'\n")).await;
        let mut following = Following::begin(&file.source()).await;
        let insert = format!("INSERT INTO {write} VALUES (50000, 4000000000, 'new', 'ok', 1)");
        file.run(&format!("BEGIN; DELETE FROM {write} WHERE id > {left}; {insert}; COMMIT")).await;
        let all = told(&mut following, "new", 1).await;
        assert_eq!((system(&all, "new"), system(&all, "old")), (1, 0), "{make} {left}");
        following.cancel.cancel();
        following.errors.await.expect("joined");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn related_rows_of_sqlite_are_found_by_each_path_of_the_id_as_it_is_spelt() {
    // Rows that have another id, and come before the one that is looked for.
    let make = format!(
        "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER, corr TEXT, trace TEXT COLLATE NOCASE); \
         INSERT INTO calls VALUES (1, 1700000000, 'first', 'ok', 1, 'abc', NULL); \
         INSERT INTO calls {NUMBERS} 20) SELECT 1 + i, 1700000001, 'spelt', 'ok', 1, NULL, 'ABC' FROM r; \
         INSERT INTO calls VALUES (30, 1700000002, 'another', 'ok', 1, 'other', 'abc'), (31, 1700000003, 'second', 'ok', 1, NULL, 'abc')"
    );
    let schema =
        calls("time_unit = 's'\n").replace("duration = 'ms'", "duration = 'ms'\ncorrelation_id = ['corr', 'trace']");
    let file = File::open(&make, &schema).await;
    let source = file.source();
    for limit in [2, 100] {
        let found = source.related(&RelatedKey::correlation("abc"), limit, &Job::default()).await.expect("found");
        let systems: Vec<_> = found.activities.iter().filter_map(|one| one.system.as_deref()).collect();
        assert_eq!(systems, ["first", "second"], "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_sqlite_that_changes_while_it_is_followed_is_taken_up() {
    let create = "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER)";
    let insert = |sys: &str| format!("INSERT INTO calls (at, sys, st, ms) VALUES (1700000000, '{sys}', 'ok', 1)");
    let schema = calls("time_unit = 's'\n").replace("duration = 'ms'", "duration = 'ms'\nmessage = 'note'");
    let file = File::open(&format!("{create}; {}; {}", insert("old"), insert("old")), &schema).await;
    let source = file.source();
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    let mut notices = Vec::new();
    for (step, change) in [
        ("added", format!("ALTER TABLE calls ADD COLUMN note TEXT; {}", insert("added"))),
        ("filled", "INSERT INTO calls (at, sys, st, note) VALUES (1700000000, 'filled', 'ok', 'a word')".to_owned()),
        (
            "dropped",
            format!(
                "ALTER TABLE calls DROP COLUMN note; ALTER TABLE calls DROP COLUMN ms; ALTER TABLE calls ADD COLUMN ms TEXT; {}",
                insert("dropped")
            ),
        ),
        ("away", "DROP TABLE calls".to_owned()),
        ("again", format!("{create}; {}", insert("again"))),
    ] {
        file.run(&change).await;
        if step == "away" {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        let found = async {
            loop {
                match updates.recv().await.expect("following goes on") {
                    SourceEvent::Batch(batch, _) => {
                        assert_eq!(system(&batch, "old"), 0, "{step}");
                        if let Some(one) = batch.into_iter().find(|one| one.system.as_deref() == Some(step)) {
                            return one;
                        }
                    }
                    SourceEvent::Notice(text) => notices.push(text),
                    _ => {}
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await.expect(step);
        assert_eq!(found.message.as_deref(), (step == "filled").then_some("a word"), "{step}");
        assert_eq!(pages(source.as_ref(), 3, true).await.iter().filter(|one| one.id == found.id).count(), 1);
    }
    assert!(notices.iter().any(|text| text.contains("other columns")), "{notices:?}");
    assert!(notices.iter().any(|text| text.contains("made anew")), "{notices:?}");
    cancel.cancel();
    let errors = errors.await.expect("joined");
    assert!(errors.iter().all(|error| error.contains("gone: calls")) && !errors.is_empty(), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_renamed_over_another_is_followed_on() {
    let create = "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER)";
    let insert = |sys: &str| format!("INSERT INTO calls (at, sys, st, ms) VALUES (1700000000, '{sys}', 'ok', 1)");
    let file =
        File::open(&format!("{create}; {}; {}", insert("old"), insert("old")), &calls("time_unit = 's'\n")).await;
    let source = file.source();
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    let mut anew = 0;
    // A later state of it, and one that has nothing in common with it, with more rows.
    for (step, beginning, other) in [("later", true, "old"), ("another", false, "another")] {
        let beside = file.path("beside.sqlite");
        if beginning {
            std::fs::copy(file.path("shop.sqlite"), &beside).expect("copied");
        }
        let mut connection: SqliteConnection =
            SqliteConnectOptions::new().filename(&beside).create_if_missing(true).connect().await.expect("opened");
        let make = if beginning { String::new() } else { format!("{create};") };
        let more = format!("{make} {}; {}; {}", insert(step), insert(step), insert(step));
        let more = if beginning {
            more
        } else {
            format!("{more}; {}; {}", insert(other), insert(other)).replace("17000", "16000")
        };
        sqlx::raw_sql(AssertSqlSafe(more)).execute(&mut connection).await.expect("filled");
        drop(connection);
        std::fs::rename(&beside, file.path("shop.sqlite")).expect("renamed");
        let (mut found, wanted) = (0, if beginning { 3 } else { 5 });
        let all = async {
            while found < wanted {
                match updates.recv().await.expect("following goes on") {
                    SourceEvent::Batch(batch, _) => {
                        assert_eq!(system(&batch, "old"), 0, "{step}");
                        found += system(&batch, step);
                    }
                    SourceEvent::Notice(text) => anew += usize::from(text.contains("made anew")),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect(step);
        assert_eq!((anew, found), (usize::from(!beginning), wanted), "{step}");
    }
    cancel.cancel();
    errors.await.expect("joined");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_sqlite_that_are_no_text_open_their_rows_and_come_once() {
    // Latin-1 in a text, bytes, a lone continuation, a text of which the lossy form is another key, numbers.
    let keys = [
        "CAST(x'636166e9' AS TEXT)",
        "CAST(x'6361666100e8' AS TEXT)",
        "'caf\u{fffd}'",
        "'Müller'",
        "'635f'",
        "x'00ff10'",
        "x'636166'",
        "CAST(x'80' AS TEXT)",
        "CAST(x'eda080' AS TEXT)",
        "'😀'",
        "7",
        "7.5",
        "''",
    ];
    let rows: Vec<String> =
        keys.iter().enumerate().map(|(n, key)| format!("({key}, 1700000000 + {n} / 5, 's{n}', 'ok', {n})")).collect();
    let make = |key: &str| {
        format!(
            "CREATE TABLE calls ({key}, at INTEGER, sys TEXT, st TEXT, ms INTEGER); INSERT INTO calls VALUES {}",
            rows.join(", ")
        )
    };
    // As the key of the table, as a column that is told to be one, and as the identity of the activity.
    for (key, schema) in [
        ("id PRIMARY KEY", calls("time_unit = 's'\n")),
        ("id", calls("time_unit = 's'\n")),
        ("id PRIMARY KEY", calls("time_unit = 's'\n").replace("[fields]", "[fields]\nid = 'id'")),
    ] {
        let file = File::open(&make(key), &schema).await;
        let source = file.source();
        for (limit, newest_first) in [(1, true), (1, false), (2, true), (3, false), (100, true)] {
            let all = pages(source.as_ref(), limit, newest_first).await;
            assert_eq!((all.len(), distinct(&all)), (keys.len(), keys.len()), "{key} {limit} {newest_first}");
            for one in all {
                let payload =
                    source.payload(&one.id, &one.places[0].locator, &Job::default()).await.expect("its payload");
                let raw = &payload.raw[0];
                assert!(format!("{raw:?}").contains(one.system.as_deref().expect("a system")), "{one:?}: {raw:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_sqlite_that_cannot_be_computed_costs_itself() {
    // One row has no JSON: what is computed from it raises. A column that is added is computed for no row before it is read; a
    // view, whenever it is.
    let fill = |bad: &str| {
        format!(
            "CREATE TABLE base (n INTEGER PRIMARY KEY, body TEXT, at INTEGER, sys TEXT, st TEXT, ms INTEGER); \
             INSERT INTO base {NUMBERS} 30) SELECT i, CASE WHEN i = 9 THEN {bad} ELSE '{{\"id\": \"r-' || i || '\"}}' END, \
             1700000000 + i, 'SAP', 'ok', i FROM r;"
        )
    };
    let added = "ALTER TABLE base RENAME TO calls; ALTER TABLE calls ADD COLUMN id TEXT AS (json_extract(body, '$.id')) VIRTUAL";
    let view = "CREATE VIEW calls AS SELECT json_extract(body, '$.id') AS id, n, at, sys, st, ms FROM base";
    let own = calls("time_unit = 's'\n");
    let beside = own.replace("id = 'id'", "id = 'n'").replace("[fields]", "[fields]\nid = 'id'");
    for (make, spoilt, schema) in [
        (format!("{} {added}", fill("'no JSON'")), None, &own),
        (format!("{} {added}", fill("'no JSON'")), None, &beside),
        (format!("{} {view}", fill("'{}'")), Some("UPDATE base SET body = 'no JSON' WHERE n = 9"), &own),
        (format!("{} {view}", fill("'{}'")), Some("UPDATE base SET body = 'no JSON' WHERE n = 9"), &beside),
    ] {
        let file = File::open(&make, schema).await;
        let source = file.source();
        let Following { mut updates, cancel, errors } = Following::begin(&source).await;
        if let Some(spoilt) = spoilt {
            assert_eq!(distinct(&pages(source.as_ref(), 7, true).await), 30);
            file.run(spoilt).await;
        }
        let all = pages(source.as_ref(), 7, true).await;
        assert_eq!((all.len(), distinct(&all)), (30, 30), "{make}");
        let warnings = source.probe(&Job::default()).await.expect("a probe").warnings;
        assert!(warnings.iter().any(|warning| warning.contains("cannot be computed")), "{warnings:?}");
        let one = all.iter().find(|one| one.duration_us == Some(9000)).expect("the row");
        source.payload(&one.id, &one.places[0].locator, &Job::default()).await.expect("its payload");
        let table = if spoilt.is_some() { "base" } else { "calls" };
        // What is compared by its content is new by its time.
        let now = Clock::system().now().0 / 1_000_000 + 5;
        let insert =
            format!("INSERT INTO {table} (n, body, at, sys, st, ms) VALUES (100, '{{}}', {now}, 'new', 'ok', 1)");
        file.run(&insert).await;
        let new = async {
            loop {
                if let SourceEvent::Batch(batch, _) = updates.recv().await.expect("following goes on")
                    && system(&batch, "new") == 1
                {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, new).await.expect("it is delivered");
        cancel.cancel();
        let errors = errors.await.expect("joined");
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_ids_is_looked_up_in_the_index_of_sqlite() {
    let file = File { folder: tempfile::tempdir().expect("a folder") };
    let path = file.path("shop.sqlite");
    let made = crosstail(&["generate", "--to", &path, "--count", "50", "--rate", "1000"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (_, source) = crate::support::open(&[file.url()]);
    let first = source.page(&PageQuery::all(30), None, &Job::default()).await.expect("a page").items;
    let ids: Vec<String> = first.iter().map(|one| format!("\"{}\"", one.id)).collect();
    let context = Context { now: Clock::system().now(), zone: chrono_tz::Tz::UTC };
    let jobs = crosstail_source::Jobs::default();
    let mut connection = file.connection().await;
    for (text, expected) in [(format!("id=({})", ids.join(", ")), 30), (format!("id={}", ids[0]), 1)] {
        let query = PageQuery { filter: Filter::parse(&text).expect("a filter"), context, ..PageQuery::all(100) };
        let job = jobs.begin(crosstail_core::model::SourceId(0), Job::default());
        let page = source.page(&query, None, &job).await.expect("a page");
        assert_eq!(page.items.len(), expected, "{text}");
        let statement = format!("EXPLAIN QUERY PLAN {}", jobs.list()[0].statement);
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(statement)).fetch_all(&mut connection).await.expect("a plan");
        assert!(plan.iter().any(|(.., step)| step.contains("SEARCH") && step.contains("(id=?)")), "{plan:?}");
        drop(job);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_are_none_are_told() {
    let make = |values: &str| {
        format!(
            "CREATE TABLE calls (id INTEGER PRIMARY KEY, at, sys TEXT, st TEXT, ms INTEGER); INSERT INTO calls (at) VALUES {values}"
        )
    };
    for (values, told) in [
        ("('2026-11-26T10:00:00Z'), (1790000000), (NULL), ('')", None),
        ("(1790000000), ('26.11.2026')", Some("26.11.2026")),
        ("(1790000000), (1790000000123)", Some("1790000000123")),
    ] {
        let file = File::open(&make(values), &calls("time_unit = 's'\n")).await;
        let warnings = file.source().probe(&Job::default()).await.expect("a probe").warnings;
        assert_eq!(
            warnings.iter().find(|text| text.contains("is a time")).is_some(),
            told.is_some(),
            "{values}: {warnings:?}"
        );
        assert!(warnings.iter().any(|text| text.contains(told.unwrap_or_default())) || told.is_none(), "{warnings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_of_sqlite_are_read_or_told() {
    for (values, is_text) in
        [("('1790000000500.1234'), ('1790000000.25')", true), ("(20261127101432), (20261127101433)", false)]
    {
        let make = format!(
            "CREATE TABLE calls (id INTEGER PRIMARY KEY, at, sys TEXT, st TEXT, ms INTEGER); INSERT INTO calls (at) VALUES {values}"
        );
        let file = File::open(&make, &calls("")).await;
        digits_are_read_or_told(file.source().as_ref(), is_text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_cells_of_sqlite_are_read_as_far_as_they_are_shown() {
    let make = "CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER, note TEXT); \
        INSERT INTO calls VALUES (1, 1790000000, 'a', 'ok', 1, 'begin ' || replace(hex(zeroblob(500000)), '00', 'x ')), (2, 1790000001, 'b', 'ok', 1, 7)";
    let schema = calls("time_unit = 's'\n").replace("duration = 'ms'", "duration = 'ms'\nmessage = 'note'");
    let file = File::open(make, &schema).await;
    let source = file.source();
    let all = pages(source.as_ref(), 10, false).await;
    let shown: Vec<usize> = all.iter().map(|one| one.message.as_deref().map_or(0, str::len)).collect();
    assert_eq!(shown, [10_000, 1]);
    let payload = source.payload(&all[0].id, &all[0].places[0].locator, &Job::default()).await.expect("its payload");
    assert!(payload.raw[0].text().len() > 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_sqlite_whose_key_repeats_loses_no_row() {
    let make = "CREATE TABLE base (id INTEGER PRIMARY KEY, at INTEGER, sys TEXT, st TEXT, ms INTEGER); \
        INSERT INTO base VALUES (1, 1700000000, 'a', 'ok', 1), (2, 1700000000, 'b', 'ok', 2), (3, 1700000001, 'c', 'ok', 3); \
        CREATE VIEW calls AS SELECT id % 2 AS id, at, sys, st, ms FROM base";
    let file = File::open(make, &calls("time_unit = 's'\n")).await;
    let source = file.source();
    for limit in [1, 2, 10] {
        assert_eq!(distinct(&pages(source.as_ref(), limit, true).await), 3);
    }
    for one in pages(source.as_ref(), 10, true).await {
        source.payload(&one.id, &one.places[0].locator, &Job::default()).await.expect("its payload");
    }
    let warnings = source.probe(&Job::default()).await.expect("a probe").warnings;
    assert!(warnings.iter().any(|text| text.contains("by what is in them")), "{warnings:?}");
}
