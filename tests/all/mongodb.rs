//! MongoDB: what is particular to it. The contract is in `conformance`, the filters in `filters`.

use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::{Running, crosstail, lines, open};
use bson::{Bson, DateTime, Document, doc};
use crosstail_core::model::{Status, Timestamp, Vitals};
use crosstail_source::{ErrorKind, Grouping, Job, PageQuery, RelatedKey};
use mongodb::Collection;
use std::sync::Arc;

async fn collection(server: &Server, database: &str) -> Collection<Document> {
    server.mongo_client().await.database(database).collection("integration_logs")
}

fn request(n: u128, status: &str) -> Document {
    let id = uuid::Uuid::from_u128(0x4000_8000_0000_0000_0000 + n).to_string();
    doc! { "request_id": id, "system_code": "SAP", "endpoint_code": "PO_CREATE", "status": status, "started_at": DateTime::now(),
    "created_at": DateTime::now() }
}

async fn twenty_thousand_concurrent_writes(kind: Kind) {
    let Some(server) = shared(kind).await else { return };
    let database = unique_name();
    let collection = collection(&server, &database).await;
    collection
        .create_index(mongodb::IndexModel::builder().keys(doc! { "started_at": -1 }).build())
        .await
        .expect("indexed");
    collection
        .create_index(mongodb::IndexModel::builder().keys(doc! { "request_id": 1 }).build())
        .await
        .expect("indexed");
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut tasks = Vec::new();
    for task in 0..8u128 {
        let collection = collection.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..1250u128 {
                let one = request(task * 10_000 + n, "IN_PROGRESS");
                let id = one.get_str("request_id").expect("id").to_owned();
                collection.insert_one(one).await.expect("inserted");
                let set = doc! { "$set": { "status": "SUCCESS", "is_success": true, "completed_at": DateTime::now() } };
                collection.update_one(doc! { "request_id": id }, set).await.expect("updated");
            }
        }));
    }
    for task in tasks {
        task.await.expect("joined");
    }
    let done = |running: &Running| {
        running.store.len() == 10_000 && running.statuses().values().all(|status| *status == Some(Status::Success))
    };
    running.until("all 20,000 writes", done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_concurrent_writes_are_all_told() {
    twenty_thousand_concurrent_writes(Kind::MongoReplica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_concurrent_writes_are_all_polled() {
    twenty_thousand_concurrent_writes(Kind::MongoStandalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_lost_is_said_and_read_again() {
    // The server itself is told to answer as it does when its oplog has been overwritten: that takes hours otherwise.
    let Some(server) = Server::start_with(Kind::MongoReplica, 0, &["--setParameter", "enableTestCommands=1"]).await
    else {
        return;
    };
    let database = unique_name();
    let collection = collection(&server, &database).await;
    let (_, source) = open(&[server.url(&database)]);
    collection.insert_one(request(1, "SUCCESS")).await.expect("inserted");
    let position = source.position(&Job::default()).await.expect("position");
    collection.insert_many((2..41).map(|n| request(n, "SUCCESS"))).await.expect("inserted");
    let fail = doc! { "configureFailPoint": "failCommand", "mode": { "times": 1 },
    "data": { "failCommands": ["aggregate"], "errorCode": 286, "appName": "crosstail" } };
    server.mongo_client().await.database("admin").run_command(fail).await.expect("configured");
    let (sink, mut updates) = crosstail_source::Sink::channel(100);
    tokio::spawn(async move { source.follow(position, &sink, &Job::default()).await });
    let (found, notices) = crate::support::collect(&mut updates, |found| found.len() >= 40).await;
    assert!(notices.iter().any(|notice| notice.contains("no longer in the server's oplog")), "{notices:?}");
    // And it goes on live.
    collection.insert_one(request(99, "IN_PROGRESS")).await.expect("inserted");
    let (more, _) = crate::support::collect(&mut updates, |more| !more.is_empty()).await;
    assert_eq!((found.len(), more.len()), (40, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_dropped_and_made_again_is_followed_on() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let collection = collection(&server, &database).await;
    collection.insert_one(request(1, "SUCCESS")).await.expect("inserted");
    let (names, source) = open(&[server.url(&database)]);
    let mut running = Running::start(&names, source);
    running.live().await;
    collection.drop().await.expect("dropped");
    collection.insert_one(request(2, "SUCCESS")).await.expect("inserted");
    running.until("what was written after the drop", |running| running.store.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_do_not_fit_are_shown_and_a_payload_of_15_mb_is_read() {
    for kind in [Kind::MongoReplica, Kind::MongoStandalone] {
        let Some(server) = shared(kind).await else { return };
        let database = unique_name();
        let collection = collection(&server, &database).await;
        let odd = [
            doc! { "status": 7, "started_at": "yesterday", "request_id": Bson::Null },
            doc! { "_id": 12, "request_id": 12, "started_at": DateTime::MAX, "duration_ms": -4.5, "status": ["SUCCESS"] },
            doc! { "_id": { "a": 1 }, "nothing": "mapped" },
            doc! { "_id": "text", "request_id": "r\u{1b}[31m", "started_at": DateTime::now(), "response_status": "503", "error": "flat" },
            doc! { "request_id": bson::Uuid::from_bytes([7; 16]), "started_at": DateTime::now(), "status": "success",
            "duration_ms": "12".parse::<bson::Decimal128>().expect("a number") },
        ];
        collection.insert_many(odd).await.expect("inserted");
        let url = server.url(&database);
        let (names, source) = open(std::slice::from_ref(&url));
        let mut running = Running::start(&names, Arc::clone(&source));
        running.live().await;
        assert_eq!(running.store.len(), 5, "{:?}", running.statuses());
        let mut large = request(77, "IN_PROGRESS");
        large.insert("response_body", doc! { "text": "0123456789".repeat(1_500_000) });
        let id = large.get_str("request_id").expect("id").to_owned();
        collection.insert_one(large).await.expect("inserted");
        // The update of a large document is a change of which the server could not tell the whole.
        let set = doc! { "$set": { "status": "SUCCESS" } };
        collection.update_one(doc! { "request_id": &id }, set).await.expect("updated");
        collection.insert_one(doc! { "started_at": Bson::Null, "request_id": "late-and-odd" }).await.expect("inserted");
        running
            .until("large and odd documents", |running| {
                let statuses = running.statuses();
                statuses.get(&id) == Some(&Some(Status::Success)) && statuses.contains_key("late-and-odd")
            })
            .await;
        let row = running.store.find(&crosstail_core::model::Id::parse(&id)).expect("held");
        let place = running.store.places(row).remove(0);
        let payload = source
            .payload(&crosstail_core::model::Id::parse(&id), &place.locator, &Job::default())
            .await
            .expect("payload");
        assert_eq!(payload.response.body.expect("a body").value()["text"].as_str().expect("text").len(), 15_000_000);
        for row in running.store.all_rows() {
            let activity = running.store.get(*row);
            source
                .payload(&activity.id, &activity.places[0].locator, &Job::default())
                .await
                .expect("every document is found again");
        }
        assert!(!crosstail(&["query", "-s", &url]).stdout.contains(&0x1b), "no escape reaches the terminal");
        assert_eq!(lines(&crosstail(&["query", "-o", "json", "-s", &url])).len(), 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_takes_the_role_read_and_refusals_are_said_without_the_secret() {
    let Some(server) = Server::start(Kind::MongoAuth).await else { return };
    let admin = server.mongo_client().await;
    let create = doc! { "createUser": "root", "pwd": "rootpw", "roles": ["root"] };
    admin.database("admin").run_command(create).await.expect("a user");
    let root = mongodb::Client::with_uri_str(format!(
        "mongodb://root:rootpw@127.0.0.1:{}/?authSource=admin&directConnection=true",
        server.port
    ))
    .await
    .expect("a client");
    let database = root.database("prokure_logs");
    let logs = database.collection::<Document>("integration_logs");
    logs.insert_one(request(1, "SUCCESS")).await.expect("inserted");
    let create = doc! { "createUser": "reader", "pwd": "hunter2secret", "roles": ["read"] };
    database.run_command(create).await.expect("a user");
    let url = format!("mongodb://reader:hunter2secret@127.0.0.1:{}/prokure_logs?directConnection=true", server.port);
    let (names, source) = open(std::slice::from_ref(&url));
    // What takes more than that role is left out.
    assert_eq!(source.vitals(Timestamp(0), &Job::default()).await.expect("nothing fails"), Vitals::default());
    let mut running = Running::start(&names, source);
    running.live().await;
    logs.insert_one(request(2, "SUCCESS")).await.expect("inserted");
    running.until("the second request", |running| running.store.len() == 2).await;
    assert_eq!(lines(&crosstail(&["stats", "-o", "json", "-s", &url])).len(), 1);
    for wrong in [url.replace("hunter2secret", "wrong2secret"), url.replace("reader:hunter2secret@", "")] {
        let (_, source) = open(std::slice::from_ref(&wrong));
        let error = source.probe(&Job::default()).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Auth, "{error}");
        let output = crosstail(&["query", "-s", &wrong]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !said.contains("2secret"), "{said}");
        assert!(said.contains("check the user") || said.contains("grant the role"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_standard_query_reads_a_collection_from_end_to_end() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let url = server.url(&database);
    let applied = crosstail(&["schema", "apply", "prokure", "--to", &url, "--yes"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let collection = collection(&server, &database).await;
    collection.insert_many((0..5000).map(|n| request(n, "SUCCESS"))).await.expect("inserted");
    let handle = server.mongo_client().await.database(&database);
    handle.run_command(doc! { "profile": 2 }).await.expect("profiled");
    let (_, source) = open(&[url]);
    let now = crosstail_core::model::Clock::system().now();
    let context = crosstail_core::filter::Context { now, zone: chrono_tz::Tz::UTC };
    let newest = source.page(&PageQuery::all(500), None, &Job::default()).await.expect("newest");
    source.page(&PageQuery::all(500), newest.next.as_ref(), &Job::default()).await.expect("deeper");
    let filter = crosstail_core::filter::Filter::parse("is:failure time:-24h system:SAP").expect("filter");
    source.page(&PageQuery { filter, context, ..PageQuery::all(1000) }, None, &Job::default()).await.expect("failures");
    let day = PageQuery { since: Some(now.plus_ms(-3_600_000)), ..PageQuery::all(1000) };
    source
        .aggregate(&day, &Grouping::by(crosstail_core::filter::Field::System), &Job::default())
        .await
        .expect("figures");
    let first = &newest.items[0];
    source.payload(&first.id, &first.places[0].locator, &Job::default()).await.expect("payload");
    source.related(&RelatedKey::correlation("c".to_owned()), 10, &Job::default()).await.expect("related");
    source.related(&RelatedKey::request(first.id.to_string()), 10, &Job::default()).await.expect("related");
    handle.run_command(doc! { "profile": 0 }).await.expect("ended");
    let mut cursor = handle
        .collection::<Document>("system.profile")
        .find(doc! { "ns": format!("{database}.integration_logs"), "op": { "$in": ["query", "command", "getmore"] } })
        .await
        .expect("profile");
    let mut plans = 0;
    while cursor.advance().await.expect("next") {
        let entry: Document = cursor.deserialize_current().expect("a document");
        let plan = entry.get_str("planSummary").unwrap_or_default().to_owned();
        assert!(!plan.contains("COLLSCAN"), "{entry}");
        plans += usize::from(plan.contains("IXSCAN"));
    }
    assert!(plans >= 8, "queries went along indexes: {plans}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_collection_is_mapped_by_a_file() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let calls = server.mongo_client().await.database(&database).collection::<Document>("calls");
    let one = |n: i32| doc! { "at": DateTime::now(), "who": { "partner": "DHL" }, "result": if n % 3 == 0 { "KO" } else { "OK" }, "ms": n };
    calls.insert_many((0..30).map(one)).await.expect("inserted");
    let text = "name = \"calls\"\n[table]\nname = \"calls\"\nid = \"_id\"\ntime = \"at\"\n[fields]\nstarted_at = \"at\"\nsystem = \"who.partner\"\n\
        status = \"result\"\nduration = \"ms\"\nmessage = \"mesage\"\n[words.status]\nOK = \"success\"\nKO = \"failed\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("calls.toml");
    std::fs::write(&path, text).expect("written");
    let (url, file) = (server.url(&database), path.to_str().expect("UTF-8"));
    let rows = lines(&crosstail(&["query", "status:failed", "-o", "json", "-s", &url, "--schema", file]));
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().all(|row| row["system"] == "DHL"));
    let names = crosstail_core::model::Names::default();
    let schema = crosstail_core::schema::Schema::from_toml(text, "calls.toml").expect("a schema");
    let config = crosstail_source::SourceConfig {
        name: "calls".to_owned(),
        at: vec![url.clone()],
        schema: Some(schema),
        ..Default::default()
    };
    let (_, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
    let warnings = source.probe(&Job::default()).await.expect("probed").warnings;
    assert!(warnings[0].contains("[fields] message") && warnings[0].contains("'mesage'"), "{warnings:?}");
    std::fs::write(
        &path,
        text.replace("time = \"at\"", "time = \"ms\"").replace("started_at = \"at\"", "started_at = \"ms\""),
    )
    .expect("written");
    let output = crosstail(&["query", "-s", &url, "--schema", file]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("'ms' is not a date in the newest documents of calls"), "{said}");
    std::fs::write(&path, text.replace("name = \"calls\"\nid", "name = \"cals\"\nid")).expect("written");
    let output = crosstail(&["query", "-s", &url, "--schema", file]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no collection 'cals'") && said.contains("did you mean 'calls'?"), "{said}");
}
