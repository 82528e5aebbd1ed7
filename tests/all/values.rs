//! Values as stores have them, the same in every kind: numbers of any unit, texts of many spellings, errors that say that there is
//! none, rows without a start, keys of any type, names that need quotes.

use crate::elasticsearch::{bulk, create, index_name, refresh};
use crate::servers::{Kind, shared, unique_name};
use crate::support::{Running, crosstail, lines, open};
use crate::tables::{calls, distinct, followed, pages, source_at};
use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, doc};
use crosstail_core::filter::{Context, Field, Filter};
use crosstail_core::model::{Activity, Clock, Names, Status, Timestamp};
use crosstail_source::{Grouping, Job, PageQuery, RelatedKey, Source};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use std::sync::Arc;

/// A database, or a file.
struct Database {
    url: String,
    /// Kept until the test ends: the folder of a file.
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    /// Runs a statement in it.
    async fn run(&self, sql: &'static str) {
        let url = self.url.as_str();
        let changed = match url.split(':').next() {
            Some("sqlite") => sqlx::SqliteConnection::connect(url).await.expect(url).execute(sql).await.map(|_| ()),
            Some("mysql") => sqlx::MySqlConnection::connect(url).await.expect(url).execute(sql).await.map(|_| ()),
            _ => sqlx::PgConnection::connect(url).await.expect(url).execute(sql).await.map(|_| ()),
        };
        changed.expect(sql);
    }
}

/// The same statements in a database of each kind; `TEXT_`, `NUMBER_`, `BIG_`, `JSON_` and `DIGITS_` stand for its types.
async fn databases(sql: &str) -> Vec<Database> {
    let typed = |text: &str, number: &str, big: &str, json: &str| {
        let sql = sql.replace("TEXT_", text).replace("NUMBER_", number);
        // SQLite itself has no number of so many digits.
        let digits = if json == "TEXT" { "TEXT" } else { "NUMERIC(30, 0)" };
        AssertSqlSafe(sql.replace("BIG_", big).replace("JSON_", json).replace("DIGITS_", digits))
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.sqlite");
    let mut on = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.expect("made");
    sqlx::raw_sql(typed("TEXT", "REAL", "INTEGER", "TEXT")).execute(&mut on).await.expect(sql);
    let mut all = vec![Database { url: format!("sqlite://{}", path.display()), _folder: Some(folder) }];
    if let Some(server) = shared(Kind::Postgres).await {
        let database = server.postgres_database(&[]).await;
        let mut on = server.postgres_connection(&database).await;
        sqlx::raw_sql(typed("text", "double precision", "bigint", "jsonb")).execute(&mut on).await.expect(sql);
        all.push(Database { url: server.url(&database), _folder: None });
    }
    if let Some(server) = shared(Kind::Mysql).await {
        let database = server.mysql_database(&[]).await;
        let mut on = server.mysql_connection(&database).await;
        sqlx::raw_sql(typed("VARCHAR(60)", "DOUBLE", "BIGINT", "JSON")).execute(&mut on).await.expect(sql);
        all.push(Database { url: server.url(&database), _folder: None });
    }
    all
}

async fn found(source: &dyn Source, filter: &str) -> usize {
    let context = Context { now: Clock::system().now(), zone: chrono_tz::Tz::UTC };
    let query = PageQuery { filter: Filter::parse(filter).expect(filter), context, ..PageQuery::all(1000) };
    source.page(&query, None, &Job::default()).await.expect("a page").items.len()
}

async fn warnings(source: &dyn Source) -> String {
    source.probe(&Job::default()).await.expect("a probe").warnings.join("\n")
}

fn year(activity: &Activity) -> String {
    activity.started_at.rfc3339().chars().take(4).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_times_in_the_unit_that_they_are_of() {
    // The schema says none, so that microseconds are stated. Of each, several are alike in microseconds.
    for (unit, one, column) in [
        ("s", 1_i64, "BIG_"),
        ("ms", 1000, "BIG_"),
        ("us", 1_000_000, "BIG_"),
        ("ns", 1_000_000_000, "BIG_"),
        ("s", 1, "NUMBER_"),
    ] {
        let rows: Vec<String> = (1..=90)
            .map(|n| {
                format!("({n}, {}, 's', 'ok', {n})", (1_790_000_000 + n / 30) * one + if one > 1 { n % 7 } else { 0 })
            })
            .collect();
        let sql = format!(
            "CREATE TABLE calls (id BIG_ PRIMARY KEY, at {column}, sys TEXT_, st TEXT_, ms BIG_); INSERT INTO calls VALUES {}",
            rows.join(", ")
        );
        for database in databases(&sql).await {
            let source = source_at(database.url.clone(), &calls(""));
            for newest_first in [true, false] {
                let all = pages(source.as_ref(), 7, newest_first).await;
                assert_eq!((all.len(), distinct(&all)), (90, 90), "{unit} of {}", database.url);
                assert!(all.iter().all(|one| year(one) == "2026"), "{unit} of {}: {:?}", database.url, all[0]);
            }
            let range = "time:2026-09-21T14:13:20Z..2026-09-21T14:13:21Z";
            assert_eq!(found(source.as_ref(), range).await, 29, "{unit} of {}", database.url);
            let said = warnings(source.as_ref()).await;
            let told = said.contains(&format!("write time_unit = \"{unit}\""));
            assert_eq!(told, unit != "us", "{unit} of {}: {said}", database.url);
            // Where no schema is, the unit is taken from the numbers, too.
            let shown = lines(&crosstail(&["query", "-s", &database.url, "-o", "json", "--limit", "0"]));
            let recent = shown.iter().filter(|row| row["started_at"].as_str().is_some_and(|at| at.starts_with("2026")));
            assert_eq!(recent.count(), 90, "{unit} of {}", database.url);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_two_units_in_one_column_are_told() {
    let sql = "CREATE TABLE calls (id BIG_ PRIMARY KEY, at BIG_, sys TEXT_, st TEXT_, ms BIG_); \
        INSERT INTO calls VALUES (1, 1790000000, 's', 'ok', 1), (2, 1790000000123456, 's', 'ok', 1)";
    for database in databases(sql).await {
        let said = warnings(source_at(database.url.clone(), &calls("")).as_ref()).await;
        assert!(said.contains("not every at is a time, such as '1790000000'"), "{}: {said}", database.url);
        // One that is of another unit takes no other along.
        let source = source_at(database.url.clone(), &calls("time_unit = 's'\n"));
        let years: Vec<String> = pages(source.as_ref(), 5, true).await.iter().map(year).collect();
        assert_eq!(years, ["2026", "1970"], "{}", database.url);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_times_in_the_spellings_of_many_programs() {
    let good = [
        ("2026-11-26T10:00:00Z", "2026-11-26T10:00:00.000Z"),
        ("2026-11-26 10:00:00+00", "2026-11-26T10:00:00.000Z"),
        ("2026-11-26 10:00:00 UTC", "2026-11-26T10:00:00.000Z"),
        ("2026-11-26T10:00:00 GMT", "2026-11-26T10:00:00.000Z"),
        ("2026-11-26T10:00:00+0200", "2026-11-26T08:00:00.000Z"),
        ("2026-11-26T10:00:00.250-03:30", "2026-11-26T13:30:00.250Z"),
        ("2026-11-26T10:00:00,125Z", "2026-11-26T10:00:00.125Z"),
        ("2026-11-26", "2026-11-26T00:00:00.000Z"),
        ("1790000000", "2026-09-21T14:13:20.000Z"),
        ("1790000000123", "2026-09-21T14:13:20.123Z"),
        ("1790000000123456789", "2026-09-21T14:13:20.123456Z"),
    ];
    let table = "CREATE TABLE calls (id BIG_ PRIMARY KEY, at TEXT_, sys TEXT_, st TEXT_, ms BIG_)";
    let rows: Vec<String> =
        (1..).zip(good).map(|(n, (text, _))| format!("({n}, '{text}', '{text}', 'ok', 1)")).collect();
    for database in databases(&format!("{table}; INSERT INTO calls VALUES {}", rows.join(", "))).await {
        let source = source_at(database.url.clone(), &calls(""));
        let all = pages(source.as_ref(), 3, true).await;
        assert_eq!(all.len(), good.len());
        for activity in &all {
            let text = activity.system.as_deref().expect("a system");
            let right = good.iter().find(|(known, _)| *known == text).expect("known").1;
            assert_eq!(activity.started_at.rfc3339(), right, "{text} of {}", database.url);
        }
        assert!(!warnings(source.as_ref()).await.contains("is a time"), "{}", database.url);
        let since = "time:2026-11-26T10:00..2026-11-26T10:01";
        assert_eq!(found(source.as_ref(), since).await, 5, "{}", database.url);
    }
    // Of a column in which nothing is a time, it is said what to write.
    let sql = format!(
        "{table}; INSERT INTO calls VALUES (1, '11/26/2026 10:00 AM', 's', 'ok', 1), (2, 'soon', 's', 'ok', 1)"
    );
    for database in databases(&sql).await {
        let source = source_at(database.url.clone(), &calls(""));
        let error = source.page(&PageQuery::all(5), None, &Job::default()).await.expect_err("refused").to_string();
        assert!(error.contains("[table] time = \"at\": no text in calls is a time"), "{}: {error}", database.url);
    }
}

/// Of the rows of a source: how many failed, succeeded, and are neither; in pages and figures alike.
async fn outcomes(source: &Arc<dyn Source>, what: &str) -> (u64, u64, u64) {
    let all = pages(source.as_ref(), 5, true).await;
    let of = |status: Option<Status>| all.iter().filter(|one| one.status == status).count() as u64;
    let counts = (of(Some(Status::Failed)), of(Some(Status::Success)), of(None));
    for (filter, count) in [("is:failure", counts.0), ("status:failed", counts.0), ("status:success", counts.1)] {
        assert_eq!(found(source.as_ref(), filter).await as u64, count, "{filter} of {what}");
    }
    let groups = source.aggregate(&PageQuery::all(100), &Grouping::default(), &Job::default()).await.expect("figures");
    let sums = groups.values().fold((0, 0, 0), |all, one| {
        (all.0 + one.failed, all.1 + one.succeeded, all.2 + one.count - one.failed - one.succeeded)
    });
    assert_eq!(sums, counts, "figures of {what}");
    counts
}

const WITHOUT_STATUS: &str = "name = 'c'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\n[fields]\nstarted_at = 'at'\nsystem = 'sys'\n\
    http_status = 'code'\nerror = 'err'\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_says_that_there_is_none_is_none() {
    let errors = [
        "NULL",
        "'null'",
        "'{}'",
        "'[]'",
        "'false'",
        "'0'",
        "'{\"message\": \"boom\"}'",
        "'[\"boom\"]'",
        "'\"boom\"'",
        "'{\"message\":\"\",\"code\":\"\"}'",
        "'{\"cause\": {\"a: b\": [null, \"\"]}}'",
    ];
    for code in ["BIG_", "TEXT_"] {
        let rows: Vec<String> = (1..)
            .zip(errors)
            .map(|(n, error)| {
                format!("({n}, {}, 's', {}, {error})", 1_790_000_000 + n, if n % 2 == 0 { "'200'" } else { "NULL" })
            })
            .collect();
        let sql = format!(
            "CREATE TABLE calls (id BIG_ PRIMARY KEY, at BIG_, sys TEXT_, code {code}, err JSON_); INSERT INTO calls VALUES {}, (90, \
             1790000090, 's', '502', NULL)",
            rows.join(", ").replace("'200'", if code == "BIG_" { "200" } else { "'HTTP/1.1 200 OK'" })
        )
        .replace("'502'", if code == "BIG_" { "502" } else { "'502 Bad Gateway'" });
        for database in databases(&sql).await {
            let source = source_at(database.url.clone(), WITHOUT_STATUS);
            assert_eq!(outcomes(&source, &database.url).await, (4, 4, 4), "{code} of {}", database.url);
        }
    }
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let name = unique_name();
    let errors = [
        Bson::Null,
        "null".into(),
        doc! {}.into(),
        Bson::Array(Vec::new()),
        false.into(),
        0.into(),
        doc! { "message": "boom" }.into(),
        vec!["boom"].into(),
        "boom".into(),
        doc! { "message": Bson::Null }.into(),
        "{\"message\":\"\",\"code\":\"\"}".into(),
        doc! { "message": "", "code": "" }.into(),
    ];
    let documents = (1..).zip(errors).map(|(n, error)| {
        let mut one = doc! { "at": DateTime::now(), "sys": "s", "err": error };
        if n % 2 == 0 {
            one.insert("code", 200);
        }
        one
    });
    let collection = server.mongo_client().await.database(&name).collection::<Document>("calls");
    collection.insert_many(documents).await.expect("inserted");
    collection
        .insert_one(doc! { "at": DateTime::now(), "sys": "s", "code": "502 Bad Gateway" })
        .await
        .expect("inserted");
    let source = source_at(server.url(&name), &WITHOUT_STATUS.replace("id = 'id'", "id = '_id'"));
    assert_eq!(outcomes(&source, "MongoDB").await, (4, 5, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_numbers_of_many_digits_keep_all_of_them() {
    let sql = "CREATE TABLE calls (id DIGITS_ PRIMARY KEY, at BIG_, sys TEXT_, st TEXT_, corr DIGITS_); \
        INSERT INTO calls VALUES ('12345678901234567890123', 1790000001, 's', 'ok', '98765432109876543210'), \
        ('12345678901234567890124', 1790000001, 's', 'ok', '98765432109876543211'), ('-7', 1790000003, 's', 'ok', '42')";
    let schema = calls("").replace("duration = 'ms'", "id = 'id'\ncorrelation_id = 'corr'");
    for database in databases(sql).await {
        let (source, what) = (source_at(database.url.clone(), &schema), &database.url);
        for newest_first in [true, false] {
            let all = pages(source.as_ref(), 1, newest_first).await;
            assert_eq!((all.len(), distinct(&all)), (3, 3), "{what}");
        }
        for id in ["98765432109876543210", "98765432109876543211", "42"] {
            assert_eq!(found(source.as_ref(), &format!("corr:{id}")).await, 1, "{id} of {what}");
            let related = source.related(&RelatedKey::correlation(id.to_owned()), 10, &Job::default()).await;
            assert_eq!(related.expect("related").activities.len(), 1, "{id} of {what}");
        }
        for activity in pages(source.as_ref(), 10, true).await {
            let payload = source.payload(&activity.id, &activity.places[0].locator, &Job::default()).await;
            assert!(payload.is_ok(), "{what}: {payload:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_one_value_in_a_column_of_json_is_that_value() {
    for holds in ["JSON_", "TEXT_"] {
        let sql = format!(
            "CREATE TABLE calls (id BIG_ PRIMARY KEY, at BIG_, sys TEXT_, st TEXT_, doc {holds}); INSERT INTO calls VALUES \
             (1, 1790000001, 's', 'ok', '{{\"who\": \"ann\", \"corr\": \"c1\"}}'), (2, 1790000002, 's', 'ok', '{{\"who\": [\"ann\"], \"corr\": [\"c1\"]}}'), \
             (4, 1790000004, 's', 'ok', '{{\"who\": [null]}}'), \
             (5, 1790000005, 's', 'ok', 'null')"
        );
        for database in databases(&sql).await {
            let schema = calls("").replace("duration = 'ms'", "actor = 'doc.who'\ncorrelation_id = 'doc.corr'");
            let source = source_at(database.url.clone(), &schema);
            let what = format!("{holds} of {}", database.url);
            let all = pages(source.as_ref(), 2, true).await;
            assert_eq!(all.iter().filter(|one| one.actor.as_deref() == Some("ann")).count(), 2, "{what}");
            assert_eq!(all.iter().filter(|one| one.actor.is_none()).count(), 2, "{what}: {all:?}");
            assert_eq!(found(source.as_ref(), "actor:ann").await, 2, "{what}");
            assert_eq!(found(source.as_ref(), "corr:c1").await, 2, "{what}");
            let key = RelatedKey::correlation("c1".to_owned());
            let related = source.related(&key, 10, &Job::default()).await.expect("related");
            assert_eq!(related.activities.len(), 2, "{what}");
            let groups = source.aggregate(&PageQuery::all(9), &Grouping::by(Field::Actor), &Job::default()).await;
            let mut counts: Vec<u64> = groups.expect("figures").values().map(|one| one.count).collect();
            counts.sort_unstable();
            assert_eq!(counts, [2, 2], "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_one_value_in_a_document_is_that_value() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let (name, now) = (unique_name(), DateTime::now());
    let documents = [
        doc! { "at": now, "call": { "sys": "SAP" }, "method": "GET", "code": 200 },
        doc! { "at": [now], "call": [{ "sys": "SAP" }], "method": ["GET"], "code": [200], "note": ["m"], "tags": ["a"] },
        doc! { "at": now, "call": { "sys": ["SAP"] }, "method": ["GET"], "code": [502], "err": [{ "message": "boom" }] },
        // A list of several is none, and so are lists in lists, but for messages and errors.
        doc! { "at": now, "call": [{ "sys": "SAP" }, { "sys": "CRM" }], "method": ["GET", "PUT"], "code": [[502]], "err": ["null"], "note": ["x", "y"] },
        doc! { "at": now, "err": ["one", "two"] },
    ];
    let collection = server.mongo_client().await.database(&name).collection::<Document>("calls");
    collection.insert_many(documents).await.expect("inserted");
    let schema = WITHOUT_STATUS.replace("id = 'id'", "id = '_id'").replace("'sys'", "'call.sys'")
        + "method = 'method'\nmessage = 'note'\ntags = 'tags'\n";
    let source = source_at(server.url(&name), &schema);
    let all = pages(source.as_ref(), 2, true).await;
    assert_eq!((all.len(), distinct(&all)), (5, 5));
    assert!(all.iter().all(|one| one.exact_start));
    for (filter, count) in [
        ("system:SAP", 3),
        ("method:GET", 3),
        ("http:200", 2),
        ("status:success", 2),
        ("status:failed", 2),
        ("error:boom", 1),
        ("message:m", 1),
        ("message:y", 1),
        ("tags:a", 1),
    ] {
        assert_eq!(found(source.as_ref(), filter).await, count, "{filter}");
    }
    for field in [Field::System, Field::Method] {
        let groups =
            source.aggregate(&PageQuery::all(100), &Grouping::by(field), &Job::default()).await.expect("figures");
        let mut counts: Vec<u64> = groups.values().map(|one| one.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [2, 3], "{field:?}");
    }
    let groups = source.aggregate(&PageQuery::all(100), &Grouping::default(), &Job::default()).await.expect("figures");
    assert_eq!(groups.values().map(|one| (one.count, one.failed, one.succeeded)).collect::<Vec<_>>(), [(5, 2, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_a_view_without_a_key_are_told_apart_by_what_is_in_them() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let (name, now) = (unique_name(), DateTime::now());
    let handle = server.mongo_client().await.database(&name);
    let of = |system: &str, n: i32| doc! { "at": now, "sys": system, "note": format!("note {n}") };
    let raw = handle.collection::<Document>("raw");
    raw.insert_many((0..30).map(|n| of("old", n))).await.expect("inserted");
    let view = doc! { "create": "calls", "viewOn": "raw", "pipeline": [{ "$project": { "_id": 0 } }] };
    handle.run_command(view).await.expect("a view");
    let schema = WITHOUT_STATUS.replace("id = 'id'", "id = '_id'") + "message = 'note'\n";
    let source = source_at(server.url(&name), &schema);
    for newest_first in [true, false] {
        let all = pages(source.as_ref(), 7, newest_first).await;
        assert_eq!((all.len(), distinct(&all)), (30, 30));
    }
    let change = async {
        raw.insert_many((0..5).map(|n| of("new", n))).await.expect("inserted");
    };
    let all = followed(&source, change, "new", 5).await;
    let count = |system: &str| all.iter().filter(|one| one.system.as_deref() == Some(system)).count();
    assert_eq!((count("new"), count("old")), (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_start_has_no_duration() {
    let sql = "CREATE TABLE calls (id BIG_ PRIMARY KEY, at TEXT_, done TEXT_, sys TEXT_, st TEXT_); \
        INSERT INTO calls VALUES (1, NULL, '2026-11-26T10:00:00Z', 's', 'ok'), (2, '2026-11-26T10:00:00Z', '2026-11-26T10:00:01Z', 's', 'ok')";
    let schema = calls("").replace("duration = 'ms'", "completed_at = 'done'");
    let took = async |source: Arc<dyn Source>, what: &str| {
        let all = pages(source.as_ref(), 5, true).await;
        let durations: Vec<_> = all.iter().filter_map(|one| one.duration_us).collect();
        assert_eq!((all.len(), durations), (2, vec![1_000_000]), "{what}");
        let groups =
            source.aggregate(&PageQuery::all(9), &Grouping::default(), &Job::default()).await.expect("figures");
        let sums: Vec<_> =
            groups.values().map(|one| (one.latencies.count(), one.latencies.mean_ms().map(f64::round))).collect();
        assert_eq!(sums, [(1, Some(1000.0))], "{what}");
    };
    for database in databases(sql).await {
        took(source_at(database.url.clone(), &schema), &database.url).await;
    }
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let name = unique_name();
    let collection = server.mongo_client().await.database(&name).collection::<Document>("calls");
    let now = DateTime::now();
    let later = DateTime::from_millis(now.timestamp_millis() + 1000);
    let documents = [doc! { "done": now, "sys": "s" }, doc! { "at": now, "done": later, "sys": "s" }];
    collection.insert_many(documents).await.expect("inserted");
    took(source_at(server.url(&name), &schema.replace("id = 'id'", "id = '_id'")), "MongoDB").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_found_by_keys_of_any_type_and_read_whatever_their_fields_are_called() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let name = unique_name();
    let collection = server.mongo_client().await.database(&name).collection::<Document>("calls");
    let now = DateTime::now();
    let keys: Vec<Bson> = vec![
        1.into(),
        "1".into(),
        1.5.into(),
        ObjectId::new().into(),
        "a/b %".into(),
        true.into(),
        doc! { "a": 1 }.into(),
        now.into(),
        Bson::Int64(1 << 60),
    ];
    let documents =
        (0..).zip(&keys).map(|(n, key)| doc! { "_id": key, "at": now, "sys": format!("s{n}"), "$x": "odd", "err": n });
    collection.insert_many(documents).await.expect("inserted");
    let schema = calls("").replace("id = 'id'", "id = '_id'");
    for schema in [schema.clone(), schema.replace("duration = 'ms'", "correlation_id = '$x'")] {
        let source = source_at(server.url(&name), &schema);
        let all = pages(source.as_ref(), 4, true).await;
        assert_eq!((all.len(), distinct(&all)), (keys.len(), keys.len()));
        for activity in &all {
            let filter = format!("id={}", serde_json::to_string(&activity.id.to_string()).expect("text"));
            let query = PageQuery { filter: Filter::parse(&filter).expect(&filter), ..PageQuery::all(10) };
            let page = source.page(&query, None, &Job::default()).await.expect("a page").items;
            assert_eq!(page.len(), 1, "{filter}");
            assert_eq!(page[0].system, activity.system, "{filter}");
        }
        let odd = schema.contains("$x");
        assert_eq!(found(source.as_ref(), "corr:odd").await, if odd { keys.len() } else { 0 });
        let groups =
            source.aggregate(&PageQuery::all(9), &Grouping::default(), &Job::default()).await.expect("figures");
        assert_eq!(groups.values().map(|one| one.count).sum::<u64>(), keys.len() as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_and_days_of_documents_are_times() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let name = unique_name();
    let collection = server.mongo_client().await.database(&name).collection::<Document>("calls");
    let seconds = Clock::system().now().0 / 1_000_000;
    let id = |ago: i64| {
        let mut bytes = [7; 12];
        bytes[..4].copy_from_slice(&u32::try_from(seconds - ago).expect("seconds").to_be_bytes());
        ObjectId::from_bytes(bytes)
    };
    collection.insert_many((0..30).map(|n| doc! { "_id": id(n * 60), "sys": "s" })).await.expect("inserted");
    let source = source_at(server.url(&name), &calls("").replace("id = 'id'", "id = '_id'").replace("'at'", "'_id'"));
    let all = pages(source.as_ref(), 7, true).await;
    assert_eq!((all.len(), distinct(&all)), (30, 30));
    assert!((0..).zip(&all).all(|(n, one)| one.started_at == Timestamp((seconds - n * 60) * 1_000_000)));
    assert_eq!(found(source.as_ref(), "time:-10m").await, 10);
    let days = server.mongo_client().await.database(&name).collection::<Document>("days");
    let undated = [doc! { "at": "2026-11-26", "sys": "s" }, doc! { "at": "soon", "sys": "s" }, doc! { "sys": "s" }];
    days.insert_many(undated).await.expect("inserted");
    let schema = calls("").replace("name = 'calls'\nid = 'id'", "name = 'days'\nid = '_id'");
    let source = source_at(server.url(&name), &schema);
    assert_eq!(pages(source.as_ref(), 7, true).await[0].started_at.rfc3339(), "2026-11-26T00:00:00.000Z");
    let said = warnings(source.as_ref()).await;
    assert!(said.contains("not every at is a time, such as 'soon'"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_mongodb_with_compressors_are_opened() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let name = unique_name();
    let collection = server.mongo_client().await.database(&name).collection::<Document>("integration_logs");
    collection.insert_one(doc! { "request_id": "r", "started_at": DateTime::now() }).await.expect("inserted");
    let url = server.url(&name);
    let separator = if url.contains('?') { '&' } else { '?' };
    let (_, source) = open(&[format!("{url}{separator}compressors=zstd,snappy,zlib&zlibCompressionLevel=9")]);
    assert_eq!(pages(source.as_ref(), 7, true).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_sqlite_are_times_and_keys_of_two_types_are_two() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.sqlite");
    let mut on = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.expect("made");
    let sql = "CREATE TABLE calls (id PRIMARY KEY NOT NULL, at REAL, sys TEXT, st TEXT, ms INTEGER); INSERT INTO calls VALUES \
        (1, julianday('2026-11-26 10:00:00'), 'a', 'ok', 1), ('1', julianday('2026-11-26 10:00:00.5'), 'b', 'ok', 2), (2, julianday('2026-11-27'), 'c', 'ok', 3)";
    sqlx::raw_sql(sql).execute(&mut on).await.expect("filled");
    let url = format!("sqlite://{}", path.display());
    let source = source_at(url.clone(), &calls(""));
    for limit in [1, 2, 9] {
        let all = pages(source.as_ref(), limit, false).await;
        let times: Vec<_> = all.iter().map(|one| one.started_at.rfc3339()).collect();
        assert_eq!(times, ["2026-11-26T10:00:00.000Z", "2026-11-26T10:00:00.500Z", "2026-11-27T00:00:00.000Z"]);
        assert_eq!(distinct(&all), 3);
        for one in &all {
            let payload = source.payload(&one.id, &one.places[0].locator, &Job::default()).await.expect("its payload");
            let system = format!("\"{}\"", one.system.as_deref().expect("a system"));
            assert!(payload.raw[0].text().contains(&system), "{system}: {payload:?}");
        }
    }
    let shown = lines(&crosstail(&["query", "-s", &url, "-o", "json", "--limit", "0"]));
    assert_eq!(shown.len(), 3);
    assert!(
        shown.iter().all(|row| row["started_at"].as_str().is_some_and(|at| at.starts_with("2026-11-2"))),
        "{shown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_doctor_says_to_run_runs_whatever_the_names_are() {
    let names = "CREATE TABLE \"Api Calls.x\" (\"Id\" BIG_ NOT NULL UNIQUE, \"created at\" BIG_, \"Order\" TEXT_, \"status\" TEXT_); \
        INSERT INTO \"Api Calls.x\" VALUES (1, 1790000000, 'a', 'ok')";
    let schema = "name = 'odd'\n[table]\nname = 'Api Calls.x'\nid = 'Id'\ntime = 'created at'\ntime_unit = 's'\n[fields]\n\
        started_at = 'created at'\nsystem = 'Order'\nstatus = 'status'\n";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.sqlite");
    let mut lite = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.expect("made");
    let sql = names.replace("BIG_", "INTEGER").replace("TEXT_", "TEXT");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut lite).await.expect("made");
    let statements = async |url: String| -> Vec<String> {
        let source = source_at(url, schema);
        let found = source.diagnose(Timestamp(0), &Job::default()).await.expect("examined");
        found.into_iter().filter_map(|one| one.remedy).filter(|text| text.contains("INDEX")).collect()
    };
    for statement in statements(format!("sqlite://{}", path.display())).await {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut lite).await.expect(&statement);
    }
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&[]).await;
    let mut on = server.postgres_connection(&database).await;
    let sql = names.replace("BIG_", "bigint").replace("TEXT_", "text");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.expect("made");
    let said = statements(server.url(&database)).await;
    assert!(said.len() > 1, "{said:?}");
    for statement in said {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut on).await.expect(&statement);
    }
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&[]).await;
    let mut on = server.mysql_connection(&database).await;
    let sql = names.replace('"', "`").replace("BIG_", "BIGINT").replace("TEXT_", "VARCHAR(60)");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.expect("made");
    let said = statements(server.url(&database)).await;
    assert!(!said.is_empty());
    for statement in said {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut on).await.expect(&statement);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_a_database_of_postgres_is_told() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&[]).await;
    let mut on = server.postgres_connection(&database).await;
    let sql = format!(
        "ALTER DATABASE \"{database}\" SET TimeZone = 'America/New_York'; \
         CREATE TABLE calls (id bigint PRIMARY KEY, at timestamp, sys text, st text, ms int); INSERT INTO calls VALUES (1, now(), 's', 'ok', 1)"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.expect("made");
    for (zone, told) in [("", true), ("time_zone = 'America/New_York'\n", false)] {
        let source = source_at(server.url(&database), &calls(zone));
        let found = source.diagnose(Timestamp(0), &Job::default()).await.expect("examined");
        let said = found.iter().find(|one| one.text.contains("the server's zone is America/New_York"));
        assert_eq!(said.is_some(), told, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_postgres_of_which_some_columns_may_be_read_is_read_and_followed() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&[]).await;
    let mut on = server.postgres_connection(&database).await;
    let role = format!("part_{database}");
    let sql = format!(
        "CREATE TABLE calls (id bigserial PRIMARY KEY, at timestamptz, sys text, st text, ms int, secret text); \
         INSERT INTO calls (at, sys, st, ms) SELECT now() - i * interval '1 min', 'old', 'ok', i FROM generate_series(1, 30) i; \
         CREATE ROLE {role} LOGIN; GRANT SELECT (id, at, sys, st) ON calls TO {role}"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.expect("made");
    let url = server.url(&database).replace("postgres@", &format!("{role}@"));
    let source = source_at(url, &calls(""));
    let all = pages(source.as_ref(), 7, true).await;
    assert_eq!((all.len(), distinct(&all)), (30, 30));
    let payload = source.payload(&all[0].id, &all[0].places[0].locator, &Job::default()).await.expect("its payload");
    assert!(!payload.raw[0].text().contains("secret"), "{payload:?}");
    let said = warnings(source.as_ref()).await;
    assert!(said.contains("[fields] duration: ms of calls may not be read: GRANT SELECT (ms)"), "{said}");
    let insert = async {
        let sql = "INSERT INTO calls (at, sys, st) VALUES (now(), 'new', 'ok')";
        sqlx::raw_sql(sql).execute(&mut on).await.expect("written");
    };
    let told = followed(&source, insert, "new", 1).await;
    assert_eq!(told.iter().map(|one| one.system.as_deref()).collect::<Vec<_>>(), [Some("new")]);
}

/// However many rows are open: each has its turn.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_row_is_seen_to_end_among_many_that_do_not() {
    const ROWS: i64 = 12_000;
    let mapping = "name = 'calls'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\ntime_unit = 's'\n[fields]\nstarted_at = 'at'\n\
                   system = 'sys'\nstatus = 'st'\n[words.status]\nopen = 'in_progress'\ndone = 'success'\n";
    let values: Vec<String> = (0..ROWS).map(|n| format!("({n}, {}, 's', 'open')", 1_700_000_000 + n * 3600)).collect();
    let sql = format!(
        "CREATE TABLE calls (id BIG_ PRIMARY KEY, at BIG_, sys TEXT_, st TEXT_); INSERT INTO calls VALUES {};",
        values.join(", ")
    );
    for database in databases(&sql).await {
        let source = source_at(database.url.clone(), mapping);
        let mut running = Running::start(&Names::default(), source);
        running.live().await;
        database.run("UPDATE calls SET st = 'done' WHERE id IN (3, 11000)").await;
        let ended = |running: &Running| running.statuses().values().filter(|s| **s == Some(Status::Success)).count();
        running.until("both rows to end", |running| ended(running) == 2).await;
    }
}

/// A column may have the name that the table has in a query.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_read_whatever_the_columns_are_called() {
    let mapping = "name = 'calls'\n[table]\nname = 'calls'\nid = 'id'\ntime = 'at'\ntime_unit = 's'\n[fields]\nstarted_at = 'at'\n\
                   system = 't'\n[payload]\nrequest_body = 'part'\n";
    let sql = "CREATE TABLE calls (id BIG_ PRIMARY KEY, at BIG_, t TEXT_, part TEXT_, l TEXT_, c TEXT_, n TEXT_); \
               INSERT INTO calls VALUES (1, 1790000001, 'SAP', 'sent', 'l', 'c', 'n');";
    for database in databases(sql).await {
        let source = source_at(database.url.clone(), mapping);
        let page = source.page(&PageQuery::all(10), None, &Job::default()).await.expect("a page");
        assert_eq!(page.items[0].system.as_deref(), Some("SAP"), "{}", database.url);
        let payload = source.payload(&page.items[0].id, &page.items[0].places[0].locator, &Job::default()).await;
        let payload = payload.expect(&database.url);
        assert!(format!("{:?}", payload.request.body).contains("sent"), "{}: {payload:?}", database.url);
    }
}

/// A duration has the unit that its path has, in rows, filters and figures.
#[tokio::test(flavor = "multi_thread")]
async fn a_duration_of_an_index_is_in_the_unit_of_its_path() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("units");
    let fields =
        json!({ "@timestamp": { "type": "date" }, "event": { "properties": { "duration": { "type": "long" } } } });
    create(&server, &index, json!({ "mappings": { "properties": fields } })).await;
    let now = Clock::system().now();
    let documents: Vec<_> = (1..=10_i64)
        .map(|n| {
            let event = json!({ "duration": n * 1_000_000 });
            let document =
                json!({ "@timestamp": now.plus_ms(-60_000 * n).rfc3339(), "event": event, "service": "sap" });
            (json!({ "index": { "_index": index } }), document)
        })
        .collect();
    bulk(&server, &documents).await;
    refresh(&server, &index).await;
    let (_, source) = open(&[server.url(&index)]);
    let all = pages(source.as_ref(), 7, true).await;
    let mut took: Vec<Option<u64>> = all.iter().map(|one| one.duration_us).collect();
    took.sort_unstable();
    assert_eq!(took, (1..=10).map(|n| Some(n * 1000)).collect::<Vec<_>>());
    assert_eq!(found(source.as_ref(), "latency>5ms").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_time_has_an_unusual_name_is_read() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let index = index_name("unusual");
    let (date, words) = (json!({ "type": "date" }), json!({ "type": "keyword" }));
    let fields = json!({ "done_on": date, "happened_when": date, "service": words, "n": { "type": "integer" } });
    create(&server, &index, json!({ "mappings": { "properties": fields } })).await;
    let now = Clock::system().now();
    let documents: Vec<_> = (0..20)
        .map(|n| {
            let document = json!({ "happened_when": now.plus_ms(-60_000 * n).rfc3339(), "service": "sap", "n": n });
            (json!({ "index": { "_index": index } }), document)
        })
        .collect();
    bulk(&server, &documents).await;
    refresh(&server, &index).await;
    let (_, source) = open(&[server.url(&index)]);
    let all = pages(source.as_ref(), 7, true).await;
    assert_eq!((all.len(), distinct(&all)), (20, 20));
    assert!(all.iter().all(|one| one.exact_start && now.0 - one.started_at.0 < 1_300_000_000), "{all:?}");
    let said = warnings(source.as_ref()).await;
    assert!(said.contains("happened_when is taken for it"), "{said}");
}
