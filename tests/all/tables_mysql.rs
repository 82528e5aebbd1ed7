//! Tables of MySQL and MariaDB as they are in the wild: values that cannot be read, rows that are written again as they were,
//! shapes that change.

use crate::servers::{Kind, Server, shared};
use crate::support::{PATIENCE, undated_add_up};
use crate::tables::{Following, calls, distinct, followed, pages, source_at};
use crosstail_core::filter::{Context, Field, Filter};
use crosstail_core::model::Activity;
use crosstail_source::{Grouping, Job, PageQuery, Source, SourceEvent};
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use std::time::Duration;

/// A database with one's own tables.
struct Shop {
    server: Arc<Server>,
    database: String,
}

impl Shop {
    async fn open(sql: &str) -> Option<Self> {
        let server = shared(Kind::Mysql).await?;
        let database = server.mysql_database(&[]).await;
        let shop = Self { server, database };
        shop.run(sql).await;
        Some(shop)
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.server.mysql_connection(&self.database).await;
        let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        ran.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn source(&self, schema: &str) -> Arc<dyn Source> {
        source_at(self.server.url(&self.database), schema)
    }
}

/// Numbers from 1 on.
const NUMBERS: &str = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n <";

fn system(all: &[Activity], name: &str) -> usize {
    all.iter().filter(|one| one.system.as_deref() == Some(name)).count()
}

async fn kept(source: &dyn Source, filter: &str) -> Vec<Activity> {
    let context = Context { now: crosstail_core::model::Clock::system().now(), zone: chrono_tz::Tz::UTC };
    let query = PageQuery { filter: Filter::parse(filter).expect(filter), context, ..PageQuery::all(1000) };
    source.page(&query, None, &Job::default()).await.expect("a page").items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_mysql_that_cannot_be_read_costs_itself() {
    // Of one row the server cannot compute a column.
    let sql = format!(
        "CREATE TABLE base (id BIGINT PRIMARY KEY, at DATETIME(6), sys VARBINARY(20), st VARCHAR(20), ms INT, big BIGINT, n BIGINT UNSIGNED, doc LONGTEXT); \
         CREATE VIEW calls AS SELECT id, at, sys, st, ms, n, doc, CAST(big * 9000000000000000000 AS CHAR) AS word FROM base; \
         INSERT INTO base {NUMBERS} 40) SELECT n, UTC_TIMESTAMP(6) - INTERVAL n MINUTE, 'SAP', 'ok', n, n = 9 OR 0, n, '{{\"a\": \"fine\"}}' FROM r; \
         UPDATE base SET big = 7 WHERE id = 9; UPDATE base SET sys = x'53ff41' WHERE id = 7; UPDATE base SET n = 18446744073709551615 WHERE id = 6; \
         UPDATE base SET doc = '{{broken' WHERE id = 5"
    );
    let schema = calls("")
        .replace("duration = 'ms'", "duration = 'ms'\nmessage = 'word'\ncorrelation_id = 'n'\nactor = 'doc.a'")
        + "[payload]\nrequest_body = 'doc'\nmetadata = 'word'\n";
    let Some(shop) = Shop::open(&sql).await else { return };
    let source = shop.source(&schema);
    for newest_first in [true, false] {
        let all = pages(source.as_ref(), 7, newest_first).await;
        assert_eq!((all.len(), distinct(&all)), (40, 40));
    }
    let all = pages(source.as_ref(), 100, true).await;
    let bad: Vec<&Activity> = all.iter().filter(|one| one.error.is_some()).collect();
    assert_eq!(bad.len(), 1);
    let said = bad[0].error.as_deref().unwrap_or_default();
    assert!(said.contains("word cannot be read"), "{said}");
    assert_eq!((bad[0].duration_us, bad[0].correlation_id.as_deref()), (Some(9000), Some("9")));
    assert!(all.iter().any(|one| one.correlation_id.as_deref() == Some("18446744073709551615")));
    assert_eq!(kept(source.as_ref(), "corr:12").await.len(), 1);
    assert_eq!(kept(source.as_ref(), "message:0").await.len(), 39);
    assert_eq!(kept(source.as_ref(), "req.body.a:fine").await.len(), 39);
    for field in [Field::Correlation, Field::Actor, Field::Error] {
        let groups = source.aggregate(&PageQuery::all(100), &Grouping::by(field), &Job::default()).await;
        let counted = groups.expect("figures").values().map(|figures| figures.count).sum::<u64>();
        assert_eq!(counted, 40, "{field:?}");
    }
    for activity in &all {
        let payload = source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await;
        assert!(payload.expect("what can be read").raw[0].text().contains("doc"));
    }
    let add = "INSERT INTO base (id, at, sys, st, ms, big) VALUES (101, UTC_TIMESTAMP(6), 'new', 'ok', 1, 5), (102, UTC_TIMESTAMP(6), 'new', 'ok', 1, 1)";
    let told = followed(&source, shop.run(add), "new", 2).await;
    assert_eq!((told.len(), system(&told, "new")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_are_none_cost_no_other_row() {
    for (holds, expression, none, table) in [
        ("BIGINT", "1790000000000 + n", "9223372036854775807", "time_unit = 'ms'\n"),
        ("BIGINT UNSIGNED NOT NULL", "1790000000000 + n", "18446744073709551615", "time_unit = 'ms'\n"),
        ("DOUBLE", "1790000000 + n", "1e308", "time_unit = 's'\n"),
        ("DATETIME", "TIMESTAMP('2026-11-01') + INTERVAL n SECOND", "'2024-00-00'", ""),
        ("DATE", "DATE('2026-11-01') + INTERVAL n DAY", "'0000-00-00'", ""),
    ] {
        let sql = format!(
            "SET sql_mode = ''; CREATE TABLE calls (id BIGINT AUTO_INCREMENT PRIMARY KEY, at {holds}, sys VARCHAR(20), st VARCHAR(20), ms INT); \
             INSERT INTO calls (at, sys, st, ms) {NUMBERS} 300) SELECT {expression}, 'SAP', 'ok', n FROM r; \
             UPDATE calls SET at = {none} WHERE id <= 20"
        );
        let Some(shop) = Shop::open(&sql).await else { return };
        let source = shop.source(&calls(table));
        for newest_first in [true, false] {
            let all = pages(source.as_ref(), 7, newest_first).await;
            assert_eq!((all.len(), distinct(&all)), (300, 300), "{holds} {newest_first}");
            assert_eq!(all.iter().filter(|one| one.exact_start).count(), 280, "{holds}");
        }
        undated_add_up(source.as_ref(), 300, 20).await;
        let groups = source.aggregate(&PageQuery::all(100), &Grouping::by(Field::System), &Job::default()).await;
        assert_eq!(groups.expect("figures").values().map(|figures| figures.count).sum::<u64>(), 300, "{holds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_mysql_that_repeat_are_told() {
    let sql = format!(
        "CREATE TABLE calls (id INT, n INT PRIMARY KEY, at DATETIME(6), sys VARCHAR(20), st VARCHAR(20), ms INT); \
         INSERT INTO calls {NUMBERS} 80) SELECT n % 10, n, UTC_TIMESTAMP(6), 'SAP', 'ok', n FROM r"
    );
    let Some(shop) = Shop::open(&sql).await else { return };
    let source = shop.source(&calls(""));
    assert_eq!(distinct(&pages(source.as_ref(), 7, true).await), 80);
    let found = source.diagnose(crosstail_core::model::Timestamp(0), &Job::default()).await.expect("examined");
    let told = found.iter().find(|one| one.text.contains("id is not unique")).expect("it is told");
    assert!(told.remedy.as_deref().is_some_and(|remedy| remedy.contains("\"n\"")), "{told:?}");
    // Without any key rows are told apart by what is in them.
    let sql = format!(
        "CREATE TABLE calls (id INT, at DATETIME(6), sys VARCHAR(20), st VARCHAR(20), ms INT, doc BLOB, word TEXT); \
         INSERT INTO calls (id, at, sys, st, ms) {NUMBERS} 80) SELECT n % 10, UTC_TIMESTAMP(6), 'SAP', NULLIF('ok', IF(n % 7, 'ok', '')), n FROM r"
    );
    let Some(shop) = Shop::open(&sql).await else { return };
    let source = shop.source(&calls(""));
    let all = pages(source.as_ref(), 7, true).await;
    assert_eq!((all.len(), distinct(&all)), (80, 80));
    for activity in all.iter().take(3) {
        let payload = source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await.expect("it");
        let ms = activity.duration_us.expect("a duration") / 1000;
        assert!(payload.raw[0].text().contains(&ms.to_string()), "{payload:?}");
    }
    let warnings = source.probe(&Job::default()).await.expect("a probe").warnings.join(" ");
    assert!(warnings.contains("the table has no key"), "{warnings}");
    let add = "INSERT INTO calls (id, at, sys, st, ms) VALUES (3, UTC_TIMESTAMP(6), 'new', 'ok', 1), (3, UTC_TIMESTAMP(6), 'new', 'ok', 2)";
    let told = followed(&source, shop.run(add), "new", 2).await;
    assert_eq!((told.len(), system(&told, "new")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_in_mysql_is_not_told_as_new() {
    let fill = |key: &str| {
        format!(
            "CREATE TABLE base (id {key}, at DATETIME(6), sys VARCHAR(20), st VARCHAR(20), ms VARCHAR(20)); \
             INSERT INTO base (id, at, sys, st, ms) {NUMBERS} 900) SELECT n, UTC_TIMESTAMP(6) - INTERVAL n * 13 SECOND, 'old', 'ok', n FROM r;"
        )
    };
    let new = format!(
        "INSERT INTO base (id, at, sys, st, ms) {NUMBERS} 20) SELECT 5000 + n, UTC_TIMESTAMP(6), 'new', 'ok', 1 FROM r;"
    );
    let (numbered, plain) = ("BIGINT AUTO_INCREMENT PRIMARY KEY", "BIGINT PRIMARY KEY");
    for (make, change) in [
        (
            fill(plain),
            format!(
                "UPDATE base SET ms = ms; REPLACE INTO base SELECT * FROM (SELECT * FROM base WHERE id < 100) same; {new}"
            ),
        ),
        (
            fill(numbered),
            format!("ALTER TABLE base MODIFY ms INT; ALTER TABLE base ADD COLUMN note VARCHAR(20) DEFAULT 'x'; {new}"),
        ),
        // Every value has another text then.
        (fill(plain), format!("ALTER TABLE base MODIFY at TIMESTAMP(3) NULL; {new}")),
        // The schema names a column that comes, and one that goes: versions are made of others then.
        (
            fill(plain),
            format!(
                "ALTER TABLE base ADD COLUMN word VARCHAR(20) DEFAULT 'y'; ALTER TABLE base DROP COLUMN ms; {}",
                new.replace(", ms)", ", word)")
            ),
        ),
        (
            format!("{} RENAME TABLE base TO rows_of; CREATE VIEW base AS SELECT * FROM rows_of;", fill(plain)),
            new.clone(),
        ),
    ] {
        let Some(shop) = Shop::open(&make).await else { return };
        let schema = calls("").replace("name = 'calls'\nid", "name = 'base'\nid");
        let source = shop.source(&schema.replace("duration = 'ms'", "duration = 'ms'\nmessage = 'word'"));
        let all = followed(&source, shop.run(&change), "new", 20).await;
        assert_eq!((system(&all, "new"), system(&all, "old")), (20, 0), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_mysql_that_changes_while_it_is_followed_is_taken_up() {
    let create = "CREATE TABLE calls (id BIGINT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), sys VARCHAR(20), st VARCHAR(20), ms INT)";
    let insert = |sys: &str| format!("INSERT INTO calls (at, sys, st) VALUES (UTC_TIMESTAMP(6), '{sys}', 'ok')");
    let Some(shop) = Shop::open(&format!("{create}; {}; {}", insert("old"), insert("old"))).await else { return };
    let source = shop.source(&calls("").replace("duration = 'ms'", "duration = 'ms'\nmessage = 'note'"));
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    let mut notices = Vec::new();
    for (step, change) in [
        ("added", format!("ALTER TABLE calls ADD COLUMN note VARCHAR(20); {}", insert("added"))),
        (
            "filled",
            "INSERT INTO calls (at, sys, st, note) VALUES (UTC_TIMESTAMP(6), 'filled', 'ok', 'a word')".to_owned(),
        ),
        ("renamed", format!("ALTER TABLE calls CHANGE note other VARCHAR(20); {}", insert("renamed"))),
        ("dropped", format!("ALTER TABLE calls DROP COLUMN ms; {}", insert("dropped"))),
        // The time is of another type, and every value has another text.
        (
            "epoch",
            "ALTER TABLE calls ADD COLUMN us BIGINT; UPDATE calls SET us = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at); \
             ALTER TABLE calls DROP COLUMN at, CHANGE us at BIGINT; \
             INSERT INTO calls (at, sys, st) VALUES (TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)), 'epoch', 'ok')"
                .to_owned(),
        ),
        ("away", "DROP TABLE calls".to_owned()),
        ("again", format!("{create}; {}", insert("again"))),
        // Made anew in one go, with rows of long ago.
        (
            "restored",
            format!(
                "DROP TABLE calls; {create}; INSERT INTO calls (at, sys, st) VALUES ('2020-01-02', 'restored', 'ok')"
            ),
        ),
    ] {
        shop.run(&change).await;
        if step != "restored" {
            // Each is looked up on its own.
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        if step == "away" {
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
        assert!(pages(source.as_ref(), 3, true).await.iter().any(|one| one.id == found.id));
    }
    assert!(notices.iter().any(|text| text.contains("a table has changed or was made anew")), "{notices:?}");
    assert!(notices.len() < 10, "{notices:?}");
    cancel.cancel();
    let errors = errors.await.expect("joined");
    assert!(errors.iter().all(|error| error.contains("no table")) && !errors.is_empty(), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_mysql_that_is_missing_at_every_row_costs_no_row_and_may_come_late() {
    // As where the nodes of a cluster give numbers: between any two rows some are missing.
    let sql = "CREATE TABLE calls (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), sys VARCHAR(20), st VARCHAR(20), ms INT, INDEX (at)); \
        INSERT INTO calls SELECT 4 * seq + seq % 3, UTC_TIMESTAMP(6) - INTERVAL 3 HOUR, 'old', 'ok', 1 FROM seq_1_to_9000; \
        SET GLOBAL userstat = 1";
    let Some(shop) = Shop::open(sql).await else { return };
    let mut late = shop.server.mysql_connection(&shop.database).await;
    // Of long ago by its time, so that only its number tells of it.
    let begin = "BEGIN; INSERT INTO calls VALUES (28003, UTC_TIMESTAMP(6) - INTERVAL 3 HOUR, 'late', 'ok', 1)";
    sqlx::raw_sql(begin).execute(&mut late).await.expect("begun");
    let rows_read = async || {
        let mut on = shop.server.mysql_connection(&shop.database).await;
        let sql = "SELECT CAST(COALESCE(SUM(ROWS_READ), 0) AS SIGNED) FROM information_schema.TABLE_STATISTICS WHERE TABLE_SCHEMA = DATABASE()";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut on).await.expect("a number")
    };
    let change = async {
        let before = rows_read().await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        let read = rows_read().await - before;
        // For each number that is missing, the server looks at the row behind it: at most a thousand a second.
        assert!(read < 9000, "{read} rows were read in six seconds in which nothing was written");
        sqlx::raw_sql("COMMIT").execute(&mut late).await.expect("committed");
    };
    let all = followed(&shop.source(&calls("")), change, "late", 1).await;
    assert_eq!((system(&all, "late"), system(&all, "old")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_of_mysql_than_are_remembered_are_not_new() {
    // So many in a quarter of an hour that not all are learnt.
    let sql = "CREATE TABLE calls (id BIGINT PRIMARY KEY, at DATETIME(6), sys VARCHAR(20), st VARCHAR(20), ms INT, INDEX (at)); \
        INSERT INTO calls SELECT seq, UTC_TIMESTAMP(6) - INTERVAL seq * 2000 MICROSECOND, 'old', IF(seq = 385000, 'running', 'ok'), 1 FROM seq_1_to_450000; \
        ANALYZE TABLE calls";
    let Some(shop) = Shop::open(sql).await else { return };
    let source = shop.source(&calls(""));
    let Following { mut updates, cancel, errors } = Following::begin(&source).await;
    shop.run(
        "UPDATE calls SET ms = 2 WHERE id = 380000; UPDATE calls SET st = 'ok' WHERE id = 385000; \
         INSERT INTO calls VALUES (900001, UTC_TIMESTAMP(6), 'new', 'ok', 1)",
    )
    .await;
    let (mut told, mut said) = (Vec::new(), Vec::new());
    let both = async {
        while said.is_empty() || system(&told, "new") == 0 || system(&told, "old") == 0 {
            match updates.recv().await.expect("following goes on") {
                SourceEvent::Batch(batch, _) => told.extend(batch),
                SourceEvent::Notice(text) => said.push(text),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("it is told");
    // The one that was in progress has ended; of its neighbours nothing tells whether they are new.
    assert_eq!((system(&told, "old"), system(&told, "new")), (1, 1));
    assert!(said[0].contains("calls has more rows than are remembered: of what began before "), "{said:?}");
    cancel.cancel();
    assert!(errors.await.expect("joined").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_of_mysql_without_a_time_are_all_told_once() {
    for (holds, none) in [("DATETIME(6)", "NULL"), ("VARCHAR(30)", "'soon'")] {
        let sql = format!(
            "CREATE TABLE calls (id VARCHAR(36) PRIMARY KEY, at {holds}, sys VARCHAR(20), st VARCHAR(20), ms INT); \
             INSERT INTO calls SELECT UUID(), '2026-11-26 10:00:00', 'old', 'ok', 1 FROM seq_1_to_10; \
             INSERT INTO calls SELECT UUID(), {none}, 'old', 'ok', 1 FROM seq_1_to_3000"
        );
        let Some(shop) = Shop::open(&sql).await else { return };
        let add = format!("INSERT INTO calls SELECT UUID(), {none}, 'new', 'ok', 1 FROM seq_1_to_1500");
        let all = followed(&shop.source(&calls("")), shop.run(&add), "new", 1500).await;
        assert_eq!((system(&all, "new"), distinct(&all), system(&all, "old")), (1500, 1500, 0), "{holds}");
    }
}
