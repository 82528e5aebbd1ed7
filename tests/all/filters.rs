//! The filter language: every answer is the local evaluator's, wherever it is computed.

use crate::elasticsearch;
use crate::servers::{Kind, shared, unique_name};
use crate::support::{EPOCH, open, random, random_database};
use bson::doc;
use crosstail_core::filter::{Context, Field, Filter, NamedRecord, Truth};
use crosstail_core::model::Activity;
use crosstail_engine::store::Store;
use crosstail_record::{Outcome, Start};
use crosstail_source::{Grouping, Groups, Job, PageQuery, Source};
use fastrand::Rng;
use serde_json::json;

fn context() -> Context {
    Context { now: EPOCH.plus_ms(200_000), zone: chrono_tz::Tz::UTC }
}

/// A random clause that parses.
fn clause(rng: &mut Rng) -> String {
    const CLAUSES: &[&str] = &[
        "system:sap",
        "system:S*",
        "system=SAP",
        "system!=SAP",
        "system:(SAP, Zoho)",
        "system?:Tally",
        "system:ünïcode",
        "pattern:*",
        "-pattern:*",
        "pattern!=ECONNRESET",
        "pattern:\"upstream responded <*>\"",
        "pattern?:\"order <*> sent\"",
        "pattern:du*",
        "pattern~/^Order/",
        "system:K",
        "status:failed",
        "status:(failed, timeout)",
        "status!=success",
        "status?:success",
        "status:f*",
        "is:failure",
        "is:pending",
        "is:ok",
        "level>=warn",
        "level:error",
        "level?<info",
        "level:info..warn",
        "kind:webhook",
        "kind:(log, sync)",
        "dir:out",
        "dir:in",
        "http:5xx",
        "http:404",
        "http!=200",
        "http?>=500",
        "http:400..499",
        "http:*",
        "latency>1s",
        "latency<=20s",
        "latency:1s..5s",
        "latency?<100ms",
        "attempt>=2",
        "attempts:4",
        "method:get",
        "method=GET",
        "endpoint:/po/*",
        "endpoint:*raße*",
        "endpoint:/a%b_c",
        "url:example",
        "url:*po*",
        "url~/zoho|local/",
        "message:order",
        "msg:*",
        "error:\"duplicate key\"",
        "error~/timeout|ECONN/",
        "error!~/503/",
        "error:\"100% *starred*\"",
        "error:kelvin",
        "error.type:etimedout",
        "corr:7f3a9c21",
        "corr:c-1",
        "op:create",
        "op:lead.*",
        "entity:\"PO PO-4711\"",
        "actor>m",
        "actor<=SCHEDULER",
        "retry.next:*",
        "retry.next:..+10m",
        "retry.next?>-1m",
        "completed:*",
        "time:-60s",
        "time:..-100s",
        "source:test",
        "source:other",
        "upstream",
        "88123",
        "\"po po\"",
        "STRASSE",
        "/ECONN|dup/",
        "4711",
        "req.body.order>4",
        "req.body.order:3",
        "req.body.lines[*].sku:mat-1",
        "req.body.lines[0].qty:10..30",
        "req.body?:*",
        "req.header.x-tenant:t1",
        "res.body:\"duplicate key\"",
        "res.body.ok:true",
        "meta.tenant:org-2",
        "meta.tenant!=org-1",
        "-meta.tenant:org-0",
    ];
    CLAUSES[rng.usize(0..CLAUSES.len())].to_owned()
}

fn filter(rng: &mut Rng, depth: usize) -> String {
    match rng.u8(0..10) {
        0..4 if depth > 0 => format!("{} {}", filter(rng, depth - 1), filter(rng, depth - 1)),
        4..6 if depth > 0 => format!("({} OR {})", filter(rng, depth - 1), filter(rng, depth - 1)),
        6 if depth > 0 => format!("-({})", filter(rng, depth - 1)),
        7 => format!("NOT {}", clause(rng)),
        _ => clause(rng),
    }
}

fn kept(
    activities: &[(Activity, crosstail_core::model::Payload)],
    names: &crosstail_core::model::Names,
    text: &str,
) -> Vec<String> {
    let predicate = Filter::parse(text).expect(text).predicate(&context());
    let mut ids: Vec<String> = activities
        .iter()
        .filter(|(activity, payload)| predicate.keeps(&NamedRecord { activity, names, payload: Some(payload) }))
        .map(|(activity, _)| activity.id.to_string())
        .collect();
    ids.sort();
    ids
}

async fn everything(source: &dyn Source) -> Vec<(Activity, crosstail_core::model::Payload)> {
    let page = source.page(&PageQuery::all(10_000), None, &Job::default()).await.expect("read");
    let mut all = Vec::new();
    for activity in page.items {
        let mut payload = crosstail_core::model::Payload::default();
        for place in &activity.places {
            payload.merge(source.payload(&activity.id, &place.locator, &Job::default()).await.expect("payload"));
        }
        all.push((activity, payload));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_sqlite_and_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    drop(random_database(&path, 11, 300).await);
    let clauses = ["entity:*", "attempt>1", "is:ok", "-is:pending", "actor:*", "latency>0ms"];
    random_filters_answer_alike_in(format!("sqlite://{}", path.display()), 5, &clauses).await;
}

/// The same random filters over whatever a source holds: what it gives is what the local evaluator keeps of everything.
pub async fn random_filters_answer_alike_in(url: String, seed: u64, clauses: &[&str]) {
    let pushed = random_filters_agree_in(url, seed, clauses).await;
    assert!(pushed > 200, "clauses are evaluated in the store: {pushed}");
}

/// The same; gives how many clauses the store evaluated.
async fn random_filters_agree_in(url: String, seed: u64, clauses: &[&str]) -> usize {
    let (names, source) = open(&[url]);
    let all = everything(source.as_ref()).await;
    assert_eq!(all.len(), 300);
    let mut rng = Rng::with_seed(seed);
    let (mut some, mut pushed, mut grouped) = (0, 0, 0);
    for n in 0..400 {
        let mut text = filter(&mut rng, 3);
        // The words of this store among those of every store.
        if n % 2 == 0 {
            text = format!(
                "({text}) OR {} {}",
                clauses[rng.usize(0..clauses.len())],
                clauses[rng.usize(0..clauses.len())]
            );
        }
        let query =
            PageQuery { filter: Filter::parse(&text).expect(&text), context: context(), ..PageQuery::all(10_000) };
        let page = source.page(&query, None, &Job::default()).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut found: Vec<String> = page.items.iter().map(|a| a.id.to_string()).collect();
        found.sort();
        let expected = kept(&all, &names, &text);
        assert_eq!(found, expected, "{text}");
        some += usize::from(!expected.is_empty() && expected.len() < 300);
        pushed += page.push_down.in_store;
        if n % 8 == 0 {
            let by = [Field::Status, Field::Is, Field::Kind, Field::Direction, Field::Method, Field::System][n / 8 % 6];
            let grouping = Grouping { by: vec![by], bucket_us: Some(60_000_000), ..Grouping::default() };
            let mut expected_groups = Groups::new();
            for (activity, _) in all.iter().filter(|(a, _)| expected.binary_search(&a.id.to_string()).is_ok()) {
                expected_groups.entry(grouping.key(activity, &names)).or_default().add(activity);
            }
            let groups = source
                .aggregate(&query, &grouping, &Job::default())
                .await
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(settled(groups.clone()), settled(expected_groups), "{} of {text}", by.name());
            grouped += groups.len();
        }
    }
    assert!(some > 150, "the filters tell activities apart: {some}");
    assert!(grouped > 50, "figures are of something: {grouped}");
    pushed
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_postgres_and_here() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity", "prokure", "log-tracking"]).await;
    let mut connection = server.postgres_connection(&database).await;
    let mut rng = Rng::with_seed(21);
    for index in 0..150 {
        let (start, outcome) = random(&mut rng, index);
        insert_activity(&mut connection, &start, outcome.as_ref(), &mut rng).await;
    }
    for index in 0..100 {
        let (start, outcome) = random(&mut rng, index);
        insert_summary(&mut connection, &start, outcome.as_ref(), &mut rng).await;
    }
    for index in 0..50i64 {
        sqlx::query(
            "INSERT INTO logs (timestamp, level, service, message, request_id, response_time, cpu_usage, memory_usage) \
                     VALUES ($1::text::timestamptz, $2, $3, $4, $5, $6, $7::float8, $8)",
        )
        .bind(EPOCH.plus_ms(index * 3000).rfc3339())
        .bind(["INFO", "warn", "ERROR", "critical", "odd"][rng.usize(0..5)])
        .bind(["api", "SAP", "\u{fc}n\u{ef}code", ""][rng.usize(0..4)])
        .bind(["done", "Order 88123 sent", "Kelvin \u{212a}", "STRASSE Stra\u{df}e"][rng.usize(0..4)])
        .bind(["c-1", "req-2"][rng.usize(0..2)])
        .bind((rng.u8(0..3) > 0).then(|| rng.i32(-2..9000)))
        .bind((rng.u8(0..3) > 0).then(|| f64::from(rng.u16(0..10_000)) / 100.0))
        .bind((rng.u8(0..3) > 0).then(|| rng.i32(0..2048)))
        .execute(&mut connection)
        .await
        .expect("inserted");
    }
    let clauses = [
        "cpu>50",
        "memory:100..900",
        "cpu?<20",
        "org:*",
        "is:failure",
        "level:warn",
        "-kind:log",
        "source:test*",
        "id:test*",
    ];
    random_filters_answer_alike_in(server.url(&database), 22, &clauses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_mongodb_and_here() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    let database = unique_name();
    let collection = server.mongo_client().await.database(&database).collection("integration_logs");
    let mut rng = Rng::with_seed(31);
    let mut documents = Vec::new();
    for index in 0..300 {
        let (start, outcome) = random(&mut rng, index);
        documents.push(document(&start, outcome.as_ref(), &mut rng));
    }
    collection.insert_many(documents).await.expect("inserted");
    let clauses = [
        "entity:*",
        "attempt>1",
        "attempts:3..4",
        "is:ok",
        "-is:pending",
        "actor:*",
        "status:cancelled",
        "latency>0ms",
    ];
    random_filters_answer_alike_in(server.url(&database), 32, &clauses).await;
}

/// HaloPSA's logs: parts that are joined.
#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_elasticsearch_over_parts_and_here() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let own = unique_name().replace('_', "-");
    let index = format!("halopsa-integration-{own}-1");
    let mut rng = Rng::with_seed(41);
    let mut lines = Vec::new();
    for number in 0..300 {
        let (start, outcome) = random(&mut rng, number);
        halopsa_parts(&start, outcome.as_ref(), &index, &mut lines);
    }
    elasticsearch::bulk(&server, &lines).await;
    elasticsearch::refresh(&server, &index).await;
    // Parts say less than the whole: they are joined, and evaluated here.
    random_filters_agree_in(server.url(&format!("halopsa-integration-{own}*")), 43, &ELASTICSEARCH).await;
}

/// Clauses that mean something in the indices of the documents.
const ELASTICSEARCH: [&str; 14] = [
    "actor:*",
    "actor:night",
    "kind:alert attempt>=2",
    "tag:billing",
    "level:error",
    "message:\"Order 88123\"",
    "message:duplicate",
    "id:log-1*",
    "request:c-1",
    "op:sync*",
    "is:failure",
    "-kind:log",
    "source:test*",
    "status:in_progress kind:alert",
];

/// Engineering logs: keywords and texts, numbers and their absence, values beyond `ignore_above`, arrays, empty texts.
#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_elasticsearch_and_here() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    let own = unique_name().replace('_', "-");
    let (logs, alerts) = (format!("engineering_logs-{own}"), format!("engineering_alerts-{own}"));
    elasticsearch::create(&server, &logs, elasticsearch::logs_index()).await;
    // Its texts are there without a word, and long names not at all.
    let some = json!({ "analysis": { "analyzer": { "default": { "type": "standard", "stopwords": ["key"] } } } });
    let names = json!({ "resolved_by": { "type": "keyword", "ignore_above": 8 } });
    let definition = json!({ "settings": some, "mappings": { "properties": names } });
    elasticsearch::create(&server, &alerts, definition).await;
    let mut rng = Rng::with_seed(41);
    let mut lines = Vec::new();
    let long = "a long word ".repeat(40);
    for index in 0..200i64 {
        let level = one(&mut rng, &["INFO", "warn", "ERROR", "critical", "odd"]);
        let message: [&str; 6] = [
            "done",
            "Order 88123 sent",
            "Kelvin \u{212a}",
            "STRASSE Stra\u{df}e",
            &long,
            "duplicate key 100% *starred*",
        ];
        let mut document = json!({
            "log_id": format!("log-{index}"), "timestamp": EPOCH.plus_ms(index * 2000).rfc3339(), "level": level,
            "message": one(&mut rng, &message), "tags": tags(&mut rng),
            "metadata": { "request_id": one(&mut rng, &["c-1", "req-2"]), "tenant": format!("org-{}", rng.u8(0..3)) },
            "parsed_fields": { "service": one(&mut rng, &["api", "SAP", "\u{fc}n\u{ef}code", ""]), "line_number": rng.u32(1..900) },
            "created_at": EPOCH.plus_ms(index * 2000 + 40).rfc3339(),
        });
        if rng.bool() {
            document["category"] = json!(one(&mut rng, &["CREATE", "sync_import", "lead.created"]));
        }
        if rng.u8(0..8) == 0 {
            document["parsed_fields"]["service"] = json!(["api", "SAP"]);
        }
        lines.push((json!({ "index": { "_index": logs } }), document));
    }
    for index in 0..100i64 {
        lines.push((json!({ "index": { "_index": alerts } }), json!({
            "alert_id": format!("alert-{index}"), "title": one(&mut rng, &["High error rate", "slow"]),
            "description": one(&mut rng, &["duplicate key", "timeout"]), "severity": one(&mut rng, &["LOW", "HIGH", "CRITICAL"]),
            "status": one(&mut rng, &["OPEN", "RESOLVED", "CLOSED"]), "source_id": one(&mut rng, &["SAP", "Zoho"]),
            "triggered_at": EPOCH.plus_ms(index * 4000).rfc3339(), "escalation_level": rng.u8(0..4),
            "resolved_by": one(&mut rng, &["nina", "somebody of the night shift"]),
        })));
    }
    elasticsearch::bulk(&server, &lines).await;
    elasticsearch::refresh(&server, &format!("*{own}*")).await;
    let pushed = random_filters_agree_in(server.url(&format!("engineering_*{own}*")), 42, &ELASTICSEARCH).await;
    // Fewer than elsewhere: no clause that is turned round.
    assert!(pushed > 150, "clauses are evaluated in the store: {pushed}");
}

fn one<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(0..of.len())]
}

fn tags(rng: &mut Rng) -> Vec<&'static str> {
    ["billing", "a b"][..rng.usize(0..3)].to_vec()
}

/// The two lines that HaloPSA's logger writes of one request.
fn halopsa_parts(
    start: &Start,
    outcome: Option<&Outcome>,
    index: &str,
    into: &mut Vec<(serde_json::Value, serde_json::Value)>,
) {
    let action = json!({ "index": { "_index": index } });
    let mut line = json!({
        "@timestamp": start.started_at.rfc3339(), "level": "INFO", "message": "API Request Started",
        "service": "halopsa-integration", "requestId": start.id, "correlationId": start.correlation_id, "system": start.system,
        "method": start.method, "url": start.url, "body": start.request_body, "userId": start.actor, "entityId": start.entity,
    });
    line.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    into.push((action.clone(), line));
    let Some(outcome) = outcome else { return };
    let took = outcome.completed_at.map_or(0, |end| end.since_us(start.started_at) / 1000);
    let mut line = json!({
        "@timestamp": start.started_at.plus_ms(took).rfc3339(), "level": "INFO", "message": "API Request Completed",
        "service": "halopsa-integration", "requestId": start.id, "statusCode": outcome.http_status, "duration": took,
    });
    if let Some(error) = &outcome.error {
        line["level"] = json!("ERROR");
        line["message"] = json!("Operation Failed");
        line["error"] = json!(error);
        line["errorType"] = json!(outcome.error_type);
    }
    line.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    into.push((action, line));
}

/// Sums of fractions depend on the order that they are added in: compared without the last digits.
fn settled(mut groups: Groups) -> Groups {
    for figures in groups.values_mut() {
        for mean in [&mut figures.cpu, &mut figures.memory] {
            mean.sum = (mean.sum * 1e6).round() / 1e6;
        }
    }
    groups
}

/// A word of a store for a status, in one spelling or another.
pub fn spelt(rng: &mut Rng, word: &str) -> String {
    match rng.u8(0..3) {
        0 => word.to_ascii_uppercase(),
        1 => word.to_owned(),
        _ => word[..1].to_ascii_uppercase() + &word[1..],
    }
}

async fn insert_activity(on: &mut sqlx::PgConnection, start: &Start, outcome: Option<&Outcome>, rng: &mut Rng) {
    let status = outcome.map_or("started", |o| o.status.map_or("odd word", |s| s.as_str()));
    sqlx::query(
        "INSERT INTO integration_activity_log (id, organization_id, direction, activity_type, method, endpoint, request_headers, \
         request_body, response_status, response_body, response_time_ms, status, error_message, error_code, metadata, created_at, \
         completed_at) VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9, $10::jsonb, $11, $12, $13, $14, \
         $15::jsonb, $16::text::timestamptz, $17::text::timestamptz)",
    )
    .bind(&start.id)
    .bind(rng.bool().then(|| uuid::Uuid::from_u128(u128::from(rng.u8(0..3))).to_string()))
    .bind([Some("outgoing"), Some("incoming"), Some("Sideways"), None][rng.usize(0..4)])
    .bind(["api_call", "webhook_received", "sync_import", "device_create", "other", "unheard_of"][rng.usize(0..6)])
    .bind(&start.method)
    .bind(&start.url)
    .bind(start.request_headers.as_ref().map(ToString::to_string))
    .bind(start.request_body.as_ref().map(ToString::to_string))
    .bind(outcome.and_then(|o| o.http_status).map(i32::from))
    .bind(outcome.and_then(|o| o.response_body.as_ref()).map(ToString::to_string))
    .bind(rng.bool().then(|| rng.i32(0..9000)))
    .bind(spelt(rng, status))
    .bind(outcome.and_then(|o| o.error.clone()))
    .bind(outcome.and_then(|o| o.error_type.clone()))
    .bind(json!({"correlation_id": start.correlation_id, "tenant": format!("org-{}", rng.u8(0..3)), "provider": start.system}).to_string())
    .bind(start.started_at.rfc3339())
    .bind(outcome.and_then(|o| o.completed_at).map(|at| at.rfc3339()))
    .execute(on)
    .await
    .expect("inserted");
}

async fn insert_summary(on: &mut sqlx::PgConnection, start: &Start, outcome: Option<&Outcome>, rng: &mut Rng) {
    let status = outcome.map_or("in_progress", |o| o.status.map_or("pending", |s| s.as_str()));
    sqlx::query(
        "INSERT INTO integration.api_request_logs (request_id, system_code, endpoint_code, http_method, request_url, \
         response_status, status, error_type, error_message, entity_type, entity_id, operation_type, attempt_number, \
         max_attempts, next_retry_at, triggered_by, started_at, completed_at, duration_ms) VALUES ($1::uuid, $2, $3, $4, $5, \
         $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::text::timestamptz, $16, $17::text::timestamptz, \
         $18::text::timestamptz, $19)",
    )
    .bind(&start.id)
    .bind(&start.system)
    .bind(&start.endpoint)
    .bind(&start.method)
    .bind(&start.url)
    .bind(outcome.and_then(|o| o.http_status).map(i32::from))
    .bind(spelt(rng, status))
    .bind(outcome.and_then(|o| o.error_type.clone()))
    .bind(outcome.and_then(|o| o.error.clone()))
    .bind(start.entity.as_deref().and_then(|e| e.split(' ').next()))
    .bind(start.entity.as_deref().and_then(|e| e.split(' ').nth(1)))
    .bind(&start.operation)
    .bind(start.attempt.map(i32::from))
    .bind(start.max_attempts.map(i32::from))
    .bind(outcome.and_then(|o| o.next_retry_at).map(|at| at.rfc3339()))
    .bind(&start.actor)
    .bind(start.started_at.rfc3339())
    .bind(outcome.and_then(|o| o.completed_at).map(|at| at.rfc3339()))
    .bind(rng.bool().then(|| rng.i32(-5..9000)))
    .execute(on)
    .await
    .expect("inserted");
}

fn document(start: &Start, outcome: Option<&Outcome>, rng: &mut Rng) -> bson::Document {
    let date = |at: crosstail_core::model::Timestamp| bson::DateTime::from_millis(at.0 / 1000);
    let status = outcome.map_or("in_progress", |o| o.status.map_or("success", |s| s.as_str()));
    let json = |value: &Option<serde_json::Value>| value.clone().and_then(|v| bson::Bson::try_from(v).ok());
    let text = |text: &Option<String>| text.clone().map_or(bson::Bson::Null, bson::Bson::String);
    let mut document = doc! {
        "request_id": &start.id, "system_code": &start.system, "endpoint_code": text(&start.endpoint),
        "http_method": text(&start.method), "request_url": text(&start.url), "started_at": date(start.started_at),
        "status": spelt(rng, status), "correlation_id": text(&start.correlation_id),
        "context": { "operation_type": text(&start.operation), "tenant": format!("org-{}", rng.u8(0..3)) },
        "actor": { "triggered_by": text(&start.actor) },
        "request_headers": json(&start.request_headers), "request_body": json(&start.request_body),
    };
    if let Some(entity) = &start.entity {
        let (sort, id) = entity.split_once(' ').expect("two words");
        document.get_document_mut("context").expect("there").extend(doc! { "entity_type": sort, "entity_id": id });
    }
    if let Some(attempt) = start.attempt {
        // Numbers as drivers of several languages write them.
        let n: bson::Bson = match rng.u8(0..4) {
            0 => i32::from(attempt).into(),
            1 => f64::from(attempt).into(),
            2 => attempt.to_string().into(),
            _ => i64::from(attempt).into(),
        };
        document.insert("retry_info", doc! { "attempt_number": n, "max_attempts": start.max_attempts.map(i32::from) });
    }
    if let Some(outcome) = outcome {
        document.extend(doc! {
            "response_status": outcome.http_status.map(i32::from), "completed_at": outcome.completed_at.map(date),
            "error": { "message": text(&outcome.error), "type": text(&outcome.error_type) },
            "response_body": json(&outcome.response_body),
        });
        if rng.bool() {
            document.insert("duration_ms", f64::from(rng.u32(0..900_000)) / 100.0);
        }
    }
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_memory_and_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    drop(random_database(&path, 12, 300).await);
    let (names, source) = open(&[format!("sqlite://{}", path.display())]);
    let all = everything(source.as_ref()).await;
    let mut store = Store::new(names.clone());
    store.ingest(all.iter().map(|(activity, _)| activity.clone()).collect());
    let mut rng = Rng::with_seed(6);
    for _ in 0..600 {
        let text = filter(&mut rng, 3);
        let predicate = Filter::parse(&text).expect(&text).predicate(&context());
        store.set_filter(predicate.clone());
        let found: Vec<String> = store.rows().iter().map(|row| store.get(*row).id.to_string()).collect();
        let expected: Vec<String> = store
            .all_rows()
            .iter()
            .map(|row| store.get(*row))
            .filter(|activity| predicate.test(&NamedRecord { activity, names: &names, payload: None }) == Truth::Yes)
            .map(|activity| activity.id.to_string())
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_kept_up_is_the_view_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    drop(random_database(&path, 13, 200).await);
    let (names, source) = open(&[format!("sqlite://{}", path.display())]);
    let mut all: Vec<Activity> = everything(source.as_ref()).await.into_iter().map(|(activity, _)| activity).collect();
    let mut rng = Rng::with_seed(7);
    for _ in 0..60 {
        let text = filter(&mut rng, 2);
        let predicate = Filter::parse(&text).expect(&text).predicate(&context());
        let mut store = Store::new(names.clone());
        store.set_filter(predicate.clone());
        rng.shuffle(&mut all);
        for batch in all.chunks(17) {
            store.ingest(batch.to_vec());
            // Some change: what was open is over now.
            let changed = batch.iter().take(3).cloned().map(|mut a| {
                a.status = Some(crosstail_core::model::Status::Failed);
                a.http_status = Some(503);
                a.started_at = a.started_at.plus_ms(rng.i64(-3000..3000));
                a
            });
            store.ingest(changed.collect());
        }
        let kept_up: Vec<u32> = store.rows().to_vec();
        store.set_filter(predicate);
        assert_eq!(kept_up, store.rows(), "{text}");
        let times: Vec<_> = store.all_rows().iter().map(|row| store.started(*row)).collect();
        assert!(times.is_sorted());
    }
}

#[test]
fn mistakes_are_pointed_at() {
    for (text, from, to, says) in [
        ("sttus:failed", 0, 5, "did you mean 'status'?"),
        ("system:SAP staus:failed", 11, 16, "did you mean 'status'?"),
        ("body:x", 0, 4, "did you mean 'req.body'?"),
        ("status:faild", 7, 12, "did you mean 'failed'?"),
        ("latency>fast", 8, 12, "a duration such as"),
        ("http:abc", 5, 8, "a number"),
        ("time:later", 5, 10, "is not a time"),
        ("(status:failed", 0, 1, "is not closed"),
        ("status:failed)", 13, 14, "without its '('"),
        ("error~/(/", 6, 9, "regular expression"),
        ("\"open", 0, 5, "not closed"),
        ("status:", 7, 7, "a value is missing"),
        ("kind>log", 5, 8, "has no order"),
        ("-", 0, 0, ""),
    ] {
        match Filter::parse(text) {
            Err(error) => {
                assert!(error.message.contains(says), "{text}: {}", error.message);
                assert_eq!(error.span, from..to, "{text}: {}", error.message);
            }
            Ok(_) => assert_eq!(text, "-", "{text} parses"),
        }
    }
}

#[test]
fn nothing_typed_breaks_the_parser() {
    let mut rng = Rng::with_seed(9);
    let pieces = [
        "status", ":", "(", ")", "\"", "/", "..", "-", "!", "~", ">=", "*", " ", "OR", "AND", "é", "漢", "[*]", ".",
        "1s", "?", "\\", "time", ",",
    ];
    for _ in 0..20_000 {
        let text: String = (0..rng.usize(0..12)).map(|_| pieces[rng.usize(0..pieces.len())]).collect();
        if let Err(error) = Filter::parse(&text) {
            assert!(
                error.span.start <= text.len() && error.span.end <= text.len().max(error.span.start + 1),
                "{text}: {error:?}"
            );
            let _ = error.with_carets(&text);
        }
        for cursor in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let _ =
                crosstail_core::filter::complete(&text, cursor, &Store::new(crosstail_core::model::Names::default()));
        }
    }
    assert!(Filter::parse(&"(".repeat(10_000)).is_err());
    assert!(Filter::parse(&"-".repeat(10_000)).is_err() || Filter::parse("-a").is_ok());
}

#[test]
fn names_and_aliases_are_told_apart() {
    let mut seen = std::collections::HashSet::new();
    for field in Field::ALL {
        for name in std::iter::once(&field.name()).chain(field.aliases()) {
            assert!(seen.insert(*name), "{name} twice");
        }
    }
}
