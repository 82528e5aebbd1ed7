//! The whole of ProKure: a real client writes the flow to MongoDB and PostgreSQL; what it says it wrote is what is seen.

use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::{crosstail, lines, wait_for};
use bson::{DateTime, Document, doc};
use crosstail::screens::{Event, Explorer, SlottedHealth};
use crosstail_core::model::{Clock, EntryKind};
use crosstail_source::pump::PumpEvent;
use crosstail_source::{Job, PageQuery, Source, for_each};
use mongodb::Collection;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the client says of a request it made.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    status: &'static str,
    attempt: i32,
    chain: usize,
    system: &'static str,
}

/// The client of the document: pre-request, execute and log, response, error and retry, summary.
struct Client {
    logs: Collection<Document>,
    database: PgConnection,
    rng: fastrand::Rng,
    said: BTreeMap<String, Said>,
}

const SYSTEMS: [&str; 3] = ["SAP", "ZOHO", "TALLY"];

impl Client {
    async fn new(mongo: &Server, logs: &str, postgres: &Server, database: &str, seed: u64) -> Self {
        Self {
            logs: mongo.mongo_client().await.database(logs).collection("integration_logs"),
            database: postgres.postgres_connection(database).await,
            rng: fastrand::Rng::with_seed(seed),
            said: BTreeMap::new(),
        }
    }

    fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.rng.u128(..).to_le_bytes()).into_uuid().to_string()
    }

    /// One operation with its tries.
    async fn operation(&mut self, chain: usize) {
        let correlation = self.uuid();
        let system = SYSTEMS[self.rng.usize(0..3)];
        let mut parent: Option<String> = None;
        for attempt in 1..=3 {
            let id = self.uuid();
            let started = DateTime::now();
            let request = doc! {
                "request_id": &id, "correlation_id": &correlation, "parent_request_id": parent.clone(),
                "system_code": system, "endpoint_code": "PO_CREATE", "http_method": "POST",
                "request_url": "https://erp.example/po/create", "request_headers": { "Authorization": "[REDACTED]" },
                "request_body": { "PurchaseOrder": { "VendorCode": "V-77", "Items": [{ "Material": "M1", "Qty": attempt }] } },
                "status": "IN_PROGRESS", "started_at": started, "created_at": started,
                "retry_info": { "attempt_number": attempt, "max_attempts": 3 },
                "context": { "entity_type": "PO", "entity_id": format!("PO-{chain}"), "operation_type": "CREATE" },
                "actor": { "triggered_by": "SCHEDULER" },
            };
            self.logs.insert_one(request).await.expect("logged");
            tokio::time::sleep(Duration::from_millis(self.rng.u64(0..15))).await;
            let (status, code) = match self.rng.u8(0..10) {
                0..6 => ("SUCCESS", 201),
                6..8 => ("FAILED", 503),
                8 => ("TIMEOUT", 0),
                _ => ("CANCELLED", 0),
            };
            let again = matches!(status, "FAILED" | "TIMEOUT") && attempt < 3;
            let ended = DateTime::now();
            let took = ended.timestamp_millis() - started.timestamp_millis();
            let mut set = doc! {
                "status": status, "is_success": status == "SUCCESS", "completed_at": ended, "duration_ms": took,
                "response_body": { "po_number": "4500012345" },
            };
            if code > 0 {
                set.insert("response_status", code);
            }
            if status != "SUCCESS" {
                set.insert(
                    "error",
                    doc! { "type": "HttpError", "message": format!("{status} by {system}"), "stack_trace": "at post" },
                );
            }
            if again {
                set.insert("retry_info.next_retry_at", DateTime::from_millis(ended.timestamp_millis() + 10_000));
            }
            self.logs.update_one(doc! { "request_id": &id }, doc! { "$set": set }).await.expect("updated");
            let summary = "INSERT INTO integration.api_request_logs (request_id, correlation_id, parent_request_id, system_code, \
                endpoint_code, http_method, response_status, status, is_success, entity_type, entity_id, operation_type, \
                attempt_number, started_at, completed_at, duration_ms) VALUES ($1::uuid, $2::uuid, $3::uuid, $4, 'PO_CREATE', \
                'POST', $5, $6, $7, 'PO', $8, 'CREATE', $9, to_timestamp($10 / 1000.0), to_timestamp($11 / 1000.0), $12)";
            sqlx::query(summary)
                .bind(&id)
                .bind(&correlation)
                .bind(&parent)
                .bind(system)
                .bind((code > 0).then_some(code))
                .bind(status)
                .bind(status == "SUCCESS")
                .bind(format!("PO-{chain}"))
                .bind(attempt)
                .bind(started.timestamp_millis() as f64)
                .bind(ended.timestamp_millis() as f64)
                .bind(took as i32)
                .execute(&mut self.database)
                .await
                .expect("summarised");
            let ours = match status {
                "SUCCESS" => "success",
                "FAILED" => "failed",
                "TIMEOUT" => "timeout",
                _ => "cancelled",
            };
            self.said.insert(id.clone(), Said { status: ours, attempt, chain, system });
            if !again {
                break;
            }
            parent = Some(id);
        }
    }
}

async fn configure(on: &mut PgConnection) {
    let text = r#"
        INSERT INTO integration.external_systems (system_code, system_name, base_url, health_status, last_health_check_at, pool_size,
            credentials_encrypted) SELECT code, code || ' system', 'https://erp.example', 'HEALTHY', now(), 12, 'SECRETSECRET'::bytea
            FROM unnest(ARRAY['SAP', 'ZOHO', 'TALLY']) code;
        INSERT INTO integration.integration_endpoints (system_id, endpoint_code, endpoint_name, http_method, endpoint_path, retry_policy,
            rate_limit, request_transform) SELECT id, 'PO_CREATE', 'Create order', 'POST', '/po/create',
            '{"max_attempts": 3, "strategy": "exponential", "base_delay_ms": 10000}', '{"requests_per_minute": 100}',
            '{ "Vendor": $.PurchaseOrder.VendorCode, "Lines": $count($.PurchaseOrder.Items) }' FROM integration.external_systems;
        INSERT INTO integration.integration_mappings (system_id, entity_type, internal_code, external_code, is_verified, last_sync_status)
            SELECT id, 'VENDOR', '1029', 'V-77', true, 'SUCCESS' FROM integration.external_systems;
        INSERT INTO integration.webhook_configurations (webhook_code, system_code, target_url, retry_policy, max_attempts)
            VALUES ('PO_EVENTS', 'SAP', 'https://hooks.example/po', '{"max_attempts": 5}', 5);"#;
    sqlx::raw_sql(text).execute(on).await.expect("configured");
}

struct Stores {
    mongo: Arc<Server>,
    postgres: Arc<Server>,
    logs: String,
    database: String,
}

impl Stores {
    async fn new() -> Option<Self> {
        let mongo = shared(Kind::MongoReplica).await?;
        let postgres = shared(Kind::Postgres).await?;
        let (logs, database) = (unique_name(), postgres.postgres_database(&["prokure"]).await);
        let url = mongo.url(&logs);
        let applied = crosstail(&["schema", "apply", "prokure", "--to", url.as_str(), "--yes"]);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        configure(&mut postgres.postgres_connection(&database).await).await;
        Some(Self { mongo, postgres, logs, database })
    }

    fn urls(&self) -> [String; 2] {
        [self.mongo.url(&self.logs), self.postgres.url(&self.database)]
    }

    async fn client(&self, seed: u64) -> Client {
        Client::new(&self.mongo, &self.logs, &self.postgres, &self.database, seed).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_wrote_is_what_is_seen() {
    let Some(stores) = Stores::new().await else { return };
    let [logs, summaries] = stores.urls();
    let mut tail = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["tail", "-o", "json", "-s", logs.as_str(), "-s", summaries.as_str()])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let seen: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let reader = {
        let (seen, out) = (Arc::clone(&seen), tail.stdout.take().expect("stdout"));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                seen.lock().expect("lock").push(serde_json::from_str(&line).expect("JSON"));
            }
        })
    };
    // The tail is listening once it shows a first request.
    let mut warm = stores.client(1).await;
    let mut chain = 0;
    while seen.lock().expect("lock").is_empty() {
        warm.operation(chain).await;
        chain += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(chain < 300, "tail shows nothing");
    }
    let before = warm.said.clone();
    let mut tasks = Vec::new();
    for task in 0..4u64 {
        let mut client = stores.client(100 + task).await;
        tasks.push(tokio::spawn(async move {
            for n in 0..60 {
                client.operation(1000 + task as usize * 100 + n).await;
            }
            client.said
        }));
    }
    let mut written: BTreeMap<String, Said> = BTreeMap::new();
    for task in tasks {
        written.extend(task.await.expect("joined"));
    }
    let mut said = written.clone();
    said.extend(before);
    // Headless history: one activity a request, in its final state, known to both stores.
    let output = crosstail(&["query", "--limit", "0", "-o", "json", "-s", logs.as_str(), "-s", summaries.as_str()]);
    let rows = lines(&output);
    let found: BTreeMap<String, Said> = rows
        .iter()
        .map(|row| {
            let id = row["id"].as_str().expect("id").to_owned();
            let mut places: Vec<&str> =
                row["places"].as_array().expect("places").iter().filter_map(|p| p.as_str()).collect();
            places.sort_unstable();
            assert_eq!(places.len(), 2, "{row}");
            let status = ["success", "failed", "timeout", "cancelled"]
                .into_iter()
                .find(|s| row["status"] == *s)
                .expect("finished");
            let chain =
                row["entity"].as_str().and_then(|e| e.rsplit('-').next()).and_then(|n| n.parse().ok()).expect("chain");
            let system = SYSTEMS.into_iter().find(|s| row["system"] == *s).expect("system");
            (id, Said { status, attempt: row["attempt"].as_i64().expect("attempt") as i32, chain, system })
        })
        .collect();
    assert_eq!(rows.len(), found.len(), "no request twice");
    assert_eq!(found, said);
    // Chains: what `show` gives of a request of each length.
    for length in 1..=3usize {
        let mut tries: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
        for (id, said) in &said {
            tries.entry(said.chain).or_default().push(id);
        }
        let ids = tries.values().find(|ids| ids.len() == length).expect("a chain of each length");
        let output = crosstail(&["show", ids[0].as_str(), "-o", "json", "-s", logs.as_str(), "-s", summaries.as_str()]);
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut chain: Vec<&str> =
            shown["retry_chain"].as_array().expect("chain").iter().filter_map(|a| a["id"].as_str()).collect();
        chain.sort_unstable();
        assert_eq!(chain, ids.iter().map(|id| id.as_str()).collect::<Vec<_>>());
        assert_eq!(shown["request"]["headers"]["Authorization"], "[REDACTED]");
        let configuration = &shown["configuration"];
        assert_eq!(configuration["retry_policy"], "3 attempts, exponential from 10 s");
        assert_eq!(configuration["request_transform"]["result"]["Vendor"], "V-77");
        assert_eq!(configuration["mappings"][0]["internal"], "1029");
    }
    // Live: every request was seen, the last line of each is its final state, and rows changed in place.
    let last = || {
        let seen = seen.lock().expect("lock");
        seen.iter()
            .map(|row| (row["id"].as_str().expect("id").to_owned(), row["status"].clone()))
            .collect::<BTreeMap<_, _>>()
    };
    wait_for("the tail to show every request finished", || {
        let last = last();
        written.iter().all(|(id, said)| last.get(id).is_some_and(|status| *status == said.status))
    });
    let changed = seen.lock().expect("lock").iter().filter(|row| row["status"] == "in_progress").count();
    assert!(changed > 20, "requests were seen before their outcome: {changed}");
    tail.kill().expect("ended");
    tail.wait().expect("ended");
    reader.join().expect("read");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_the_documents_own_queries() {
    let Some(stores) = Stores::new().await else { return };
    let mut client = stores.client(7).await;
    for n in 0..60 {
        client.operation(n).await;
    }
    let [logs, summaries] = stores.urls();
    let collection: Collection<Document> =
        stores.mongo.mongo_client().await.database(&stores.logs).collection("integration_logs");
    // The aggregation of the document, as it is written there.
    let since = DateTime::from_millis(DateTime::now().timestamp_millis() - 24 * 60 * 60 * 1000);
    let pipeline = [
        doc! { "$match": { "started_at": { "$gte": since } } },
        doc! { "$group": { "_id": "$system_code", "total_requests": { "$sum": 1 },
        "successful": { "$sum": { "$cond": ["$is_success", 1, 0] } }, "avg_duration_ms": { "$avg": "$duration_ms" } } },
        doc! { "$project": { "system_code": "$_id", "total_requests": 1,
        "success_rate": { "$multiply": [{ "$divide": ["$successful", "$total_requests"] }, 100] },
        "avg_duration_ms": { "$round": ["$avg_duration_ms", 2] } } },
    ];
    let mut cursor = collection.aggregate(pipeline).await.expect("aggregated");
    let mut expected: BTreeMap<String, (i64, f64, f64)> = BTreeMap::new();
    while cursor.advance().await.expect("next") {
        let row: Document = cursor.deserialize_current().expect("a document");
        let total = row.get_i32("total_requests").map(i64::from).expect("total");
        let figures =
            (total, row.get_f64("success_rate").expect("rate"), row.get_f64("avg_duration_ms").expect("average"));
        expected.insert(row.get_str("system_code").expect("system").to_owned(), figures);
    }
    assert_eq!(expected.len(), 3);
    let close = |a: f64, b: f64| (a - b).abs() < 0.0051;
    // Headless, computed in the store.
    let output = crosstail(&["stats", "--by", "system", "--since", "24h", "-o", "json", "-s", logs.as_str()]);
    for row in lines(&output) {
        let (total, rate, average) = expected[row["system"].as_str().expect("system")];
        assert_eq!(row["count"], total);
        let succeeded = row["succeeded"].as_f64().expect("succeeded");
        assert!(close(100.0 * succeeded / total as f64, rate), "{row}");
        assert!(close(row["avg_ms"].as_f64().expect("average"), average), "{row} {average}");
    }
    // The health screen, over both stores joined.
    let (explorer, _) = Box::pin(explorer_over(&[logs.clone(), summaries.clone()])).await;
    let health_over = |window: usize| {
        let mut figures = SlottedHealth::default();
        (0..window).for_each(|_| {
            figures.zoom(false);
        });
        figures.compute(&explorer.shared.store, explorer.shared.now);
        figures.health.expect("health")
    };
    let health = health_over(2);
    assert_eq!(health.systems.len(), 3);
    for system in &health.systems {
        let (total, rate, average) = expected[&system.system];
        assert_eq!(system.figures.count as i64, total);
        assert!(close(100.0 * system.figures.succeeded as f64 / system.figures.count as f64, rate));
        assert!(close(system.figures.latencies.mean_ms().expect("mean"), average));
    }
    // The views of the last hour and of failed requests.
    let mut connection = stores.postgres.postgres_connection(&stores.database).await;
    let rows: Vec<(String, i64, f64, f64)> = sqlx::query_as(
        "SELECT system_code::text, total_requests, success_rate::float8, avg_duration_ms::float8 FROM integration.v_system_health",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the view");
    let health = health_over(1);
    assert_eq!(rows.len(), health.systems.len());
    for (system, total, rate, average) in rows {
        let ours = health.systems.iter().find(|s| s.system == system).expect("the system");
        assert_eq!(ours.figures.count as i64, total);
        assert!(close(100.0 * ours.figures.succeeded as f64 / ours.figures.count as f64, rate));
        assert!(close(ours.figures.latencies.mean_ms().expect("mean"), average));
    }
    let failed: Vec<(String,)> = sqlx::query_as("SELECT request_id::text FROM integration.v_failed_requests_24h")
        .fetch_all(&mut connection)
        .await
        .expect("the view");
    let mut failed: Vec<String> = failed.into_iter().map(|(id,)| id).collect();
    failed.sort();
    let args =
        ["query", "is:failure time:-24h", "--limit", "0", "-o", "json", "-s", logs.as_str(), "-s", summaries.as_str()];
    let output = crosstail(&args);
    let mut ours: Vec<String> = lines(&output).iter().map(|row| row["id"].as_str().expect("id").to_owned()).collect();
    ours.sort();
    assert_eq!(ours, failed);
}

/// The explorer over stores, with everything loaded.
async fn explorer_over(urls: &[String]) -> (Explorer, Vec<Arc<dyn Source>>) {
    let names = crosstail_core::model::Names::default();
    let mut opened = Vec::new();
    for url in urls {
        let config = crosstail::kinds::ALL.configure(url);
        opened.push(crosstail::kinds::ALL.open(&config, &names).expect("opened"));
    }
    let ids: Vec<_> = opened.iter().map(|(id, _)| *id).collect();
    let mut explorer = Explorer::new(names, &ids, chrono_tz::Tz::UTC, Clock::system().now());
    for (id, source) in &opened {
        let mut items = Vec::new();
        for_each(source.as_ref(), &PageQuery::all(5000), &Job::default(), |activity| {
            items.push(activity);
            true
        })
        .await
        .expect("read");
        explorer.update(Event::Pump(PumpEvent::Batch { source: *id, items, live: false }));
        let catalogue = source.catalogue(&Job::default()).await.expect("catalogue");
        explorer.update(Event::Pump(PumpEvent::Catalogue(*id, catalogue)));
    }
    explorer.update(Event::Tick(Clock::system().now()));
    (explorer, opened.into_iter().map(|(_, source)| source).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_explains_a_request_and_no_credential_is_read() {
    let Some(stores) = Stores::new().await else { return };
    let mut client = stores.client(9).await;
    client.operation(1).await;
    let mut connection = stores.postgres.postgres_connection(&stores.database).await;
    for delivery in [
        "'FAILED', 1, 'connection refused', now() - interval '1 min', now() - interval '2 min'",
        "'RETRYING', 2, 'connection refused', now() + interval '1 min', now() - interval '1 min'",
    ] {
        let delivery = format!(
            "INSERT INTO integration.webhook_deliveries (webhook_id, correlation_id, event_type, payload, status, \
             attempt_number, error_message, next_retry_at, created_at) SELECT id, \
             '7f3a9c21-0000-4abc-8def-0123456789ab', 'po.created', '{{\"po\": 1}}', {delivery} \
             FROM integration.webhook_configurations"
        );
        sqlx::query(sqlx::AssertSqlSafe(delivery)).execute(&mut connection).await.expect("delivered");
    }
    let (explorer, sources) = Box::pin(explorer_over(&stores.urls())).await;
    let catalogue = sources[1].catalogue(&Job::default()).await.expect("catalogue");
    assert_eq!(catalogue.of_kind(EntryKind::System).count(), 3);
    assert_eq!(catalogue.of_kind(EntryKind::Endpoint).count(), 3);
    assert!(!format!("{catalogue:?}").contains("SECRET"), "credentials stay where they are");
    let system = catalogue.system("SAP").expect("a system");
    assert_eq!(system.text("health").as_deref(), Some("HEALTHY"));
    assert_eq!(system.number("pool_size"), Some(12.0));
    let mappings = sources[1]
        .mappings("SAP", &["V-77".to_owned(), "nothing".to_owned()], &Job::default())
        .await
        .expect("mappings");
    assert_eq!(mappings.len(), 1);
    assert_eq!(
        crosstail_engine::insight::describe_mapping(&mappings[0], "V-77").as_deref(),
        Some("internal vendor 1029 (mapping SAP/VENDOR, verified, both, last sync success)")
    );
    // A delivery is an activity of its own kind, with its attempts and its webhook.
    let all: Vec<_> = explorer.shared.store.all_rows().iter().map(|row| explorer.shared.store.get(*row)).collect();
    let of_delivery = |a: &&crosstail_core::model::Activity| a.kind == crosstail_core::model::Kind::Delivery;
    let delivery = all.iter().filter(of_delivery).max_by_key(|a| a.attempt).expect("a delivery");
    // Its attempts are a chain as those of a request are.
    let keys = crosstail_source::RelatedKey::of(delivery);
    let related = sources[1].related(&keys[1], 10, &Job::default()).await.expect("related").activities;
    let chain = crosstail_engine::insight::Chain::build(delivery, &related);
    assert_eq!(chain.attempts.iter().filter_map(|a| a.attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(chain.basis, crosstail_engine::insight::LinkedBy::Numbers);
    let policy = explorer.shared.policy(delivery);
    assert!(chain.verdict(0, policy.as_ref()).is_some_and(|said| said.starts_with("retry in")), "{policy:?}");
    assert_eq!((delivery.attempt, delivery.max_attempts), (Some(2), Some(5)));
    assert_eq!(delivery.status, Some(crosstail_core::model::Status::InProgress));
    assert_eq!(delivery.url.as_deref(), Some("https://hooks.example/po"));
    assert_eq!(
        explorer.shared.endpoint_entry(delivery).expect("its webhook").text("code").as_deref(),
        Some("PO_EVENTS")
    );
    let request = all.iter().find(|a| a.kind == crosstail_core::model::Kind::ApiCall).expect("a request");
    let endpoint = explorer.shared.endpoint_entry(request).expect("its endpoint");
    let policy = crosstail_engine::insight::Policy::read(&endpoint.facts["retry_policy"]).expect("a policy");
    assert_eq!(policy.describe(), "3 attempts, exponential from 10 s");
}
