//! Kafka with a schema registry: one of our own, that speaks the documented interface.

use crate::elasticsearch::tls;
use crate::kafka::{create, producer, topic_name};
use crate::servers::{Kind, shared};
use crate::support::{Running, crosstail, lines, open};
use crosstail_core::filter::Filter;
use crosstail_core::model::{Activity, Kind as Form, Status};
use crosstail_source::{Job, PageQuery, Source};
use rdkafka::producer::{BaseRecord, Producer as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// `key:s3cret/`, as a client sends it.
const AUTHORIZATION: &str = "Basic a2V5OnMzY3JldC8=";

/// What a registry was asked for, in order.
type Asked = Arc<Mutex<Vec<String>>>;

/// A registry with these answers, by path. Drop what it returns, and it is gone.
async fn serve(port: u16, answers: BTreeMap<&'static str, Value>) -> (u16, Asked, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match client.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            let allowed = text.lines().any(|line| {
                line.split_once(": ")
                    .is_some_and(|(name, value)| name.eq_ignore_ascii_case("authorization") && value == AUTHORIZATION)
            });
            let unknown = json!({ "error_code": 40403, "message": "Schema not found" });
            let (status, body) = match answers.get(path.as_str()) {
                _ if !allowed => ("401 Unauthorized", json!({ "error_code": 401, "message": "Unauthorized" })),
                Some(answer) => ("200 OK", answer.clone()),
                None => ("404 Not Found", unknown),
            };
            seen.lock().expect("not poisoned").push(path);
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/vnd.schemaregistry.v1+json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    (port, asked, task)
}

fn answers() -> BTreeMap<&'static str, Value> {
    let call = json!({ "type": "record", "name": "Call", "namespace": "shop", "fields": [
        { "name": "request_id", "type": "string" },
        { "name": "timestamp", "type": { "type": "long", "logicalType": "timestamp-millis" } },
        { "name": "system", "type": "shop.System" },
        { "name": "method", "type": "string" },
        { "name": "url", "type": "string" },
        { "name": "http_status", "type": "int" },
        { "name": "duration_ms", "type": ["null", "double"] },
        { "name": "error", "type": ["null", "string"] },
    ] });
    let system = json!({ "type": "enum", "name": "System", "namespace": "shop", "symbols": ["SAP", "DHL"] });
    let proto = "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nimport \"part.proto\";\n\
        message Other { string text = 1; }\n\
        message Call { string request_id = 1; google.protobuf.Timestamp timestamp = 2; Part part = 3; int64 http_status = 4; string method = 5; string url = 6; }";
    let part = "syntax = \"proto3\";\nmessage Part { string name = 1; }";
    let reference = |name: &str, subject: &str| json!([{ "name": name, "subject": subject, "version": 1 }]);
    BTreeMap::from([
        ("/", json!({})),
        (
            "/schemas/ids/1",
            json!({ "schema": call.to_string(), "references": reference("shop.System", "system/avro") }),
        ),
        (
            "/subjects/system%2Favro/versions/1",
            json!({ "subject": "system/avro", "version": 1, "id": 11, "schema": system.to_string() }),
        ),
        (
            "/schemas/ids/2",
            json!({ "schemaType": "PROTOBUF", "schema": proto, "references": reference("part.proto", "part") }),
        ),
        (
            "/subjects/part/versions/1",
            json!({ "subject": "part", "version": 1, "id": 12, "schemaType": "PROTOBUF", "schema": part }),
        ),
        ("/schemas/ids/3", json!({ "schemaType": "JSON", "schema": "{\"type\": \"object\"}" })),
    ])
}

const AT_MS: i64 = 1_770_000_000_000;

/// A number as Avro writes it.
fn long(number: i64) -> Vec<u8> {
    let (mut rest, mut bytes) = (((number << 1) ^ (number >> 63)) as u64, Vec::new());
    while rest > 0x7f {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [long(text.len() as i64), text.as_bytes().to_vec()].concat()
}

fn framed(id: u32, value: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), value].concat()
}

/// A call that failed.
fn avro(request: &str) -> Vec<u8> {
    let took = [long(1), 12.5_f64.to_le_bytes().to_vec()].concat();
    let value = [
        text(request),
        long(AT_MS),
        long(1),
        text("POST"),
        text("/orders"),
        long(502),
        took,
        long(1),
        text("bad gateway"),
    ]
    .concat();
    framed(1, &value)
}

/// A call that succeeded: the second message of its schema.
fn protobuf(request: &str) -> Vec<u8> {
    let seconds = [&[0x08][..], &varint(AT_MS as u64 / 1000)].concat();
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat();
    let part = field(1, b"SAP");
    let value = [
        field(1, request.as_bytes()),
        field(2, &seconds),
        field(3, &part),
        [&[0x20][..], &varint(201)].concat(),
        field(5, b"POST"),
        field(6, b"/orders"),
    ];
    framed(2, &[&[2, 2][..], &value.concat()].concat())
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn json_schema(request: &str) -> Vec<u8> {
    let value = json!({ "request_id": request, "timestamp": AT_MS, "system": "SAP", "method": "GET", "url": "/x", "http_status": 200 });
    framed(3, value.to_string().as_bytes())
}

async fn page(source: &dyn Source, filter: &str) -> Vec<Activity> {
    let filter = Filter::parse(filter).expect("a filter");
    source.page(&PageQuery { filter, ..PageQuery::all(100) }, None, &Job::default()).await.expect("read").items
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_read_by_the_schemas_of_a_registry() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("encoded");
    create(&server, &topic, 1, &[]).await;
    let producer = producer(&server, "none");
    let send = |value: &[u8]| {
        let key = avro("of the key");
        let record = BaseRecord::<[u8], [u8]>::to(&topic).key(&key).payload(value);
        producer.send(record).map_err(|(error, _)| error).expect("queued");
        producer.flush(Duration::from_secs(30)).expect("written");
    };
    for value in [avro("a-1"), protobuf("p-1"), json_schema("j-1"), framed(9, b"\x02\x04"), framed(1, b"\x02")] {
        send(&value);
    }
    let (port, asked, task) = serve(0, answers()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    let secure = tls(port, &ca).await;
    let plain = format!("{}?registry=http://key:s3cret%2F@127.0.0.1:{port}", server.url(&topic));
    let encrypted =
        format!("{}?registry=https://key:s3cret%2F@127.0.0.1:{secure}&ca={}", server.url(&topic), ca.display());
    for (before, address) in [(5, &plain), (6, &encrypted)] {
        asked.lock().expect("not poisoned").clear();
        let (names, source) = open(std::slice::from_ref(address));
        let probe = source.probe(&Job::default()).await.expect("reached");
        assert!(probe.warnings.is_empty(), "{:?}", probe.warnings);
        let all = page(source.as_ref(), "").await;
        assert_eq!(all.len(), before);
        let of = |request: &str| {
            let found = all.iter().find(|a| a.request_id.as_ref().is_some_and(|id| id.to_string() == request));
            found.unwrap_or_else(|| panic!("{request}: {all:?}"))
        };
        let (failed, succeeded, plain) = (of("a-1"), of("p-1"), of("j-1"));
        for activity in [failed, succeeded, plain] {
            assert_eq!(activity.started_at.0 / 1000, AT_MS, "{activity:?}");
        }
        assert_eq!(
            (failed.system.as_deref(), failed.status, failed.http_status),
            (Some("DHL"), Some(Status::Failed), Some(502))
        );
        assert_eq!((failed.error.as_deref(), failed.duration_us), (Some("bad gateway"), Some(12_500)));
        assert_eq!((succeeded.status, succeeded.http_status), (Some(Status::Success), Some(201)));
        assert_eq!(plain.system.as_deref(), Some("SAP"));
        assert_eq!(page(source.as_ref(), "http:502").await.len(), before - 4);
        let payload = source.payload(&failed.id, &failed.places[0].locator, &Job::default()).await.expect("it");
        assert!(payload.raw[0].text().contains("\"system\":\"DHL\""), "{payload:?}");
        let about = &payload.metadata[&format!("message of {topic}")];
        assert_eq!(about["schema_id"], 1);
        assert!(about["message_key"].as_str().is_some_and(|key| key.contains("of the key")), "{about}");
        let broken: Vec<&str> =
            all.iter().filter(|a| a.kind == Form::Undecodable).filter_map(|a| a.error.as_deref()).collect();
        assert!(broken.iter().any(|why| why.contains("schema 9") && why.contains("Schema not found")), "{broken:?}");
        assert!(broken.iter().any(|why| why.contains("does not fit schema 1")), "{broken:?}");
        let mut running = Running::start(&names, source);
        running.live().await;
        running.until("history", |now| now.store.len() == before).await;
        send(&avro(&format!("live-{before}")));
        let failed = |running: &Running| running.statuses().values().filter(|s| **s == Some(Status::Failed)).count();
        let failures = failed(&running);
        running.until("the new one", |now| now.store.len() > before && failed(now) > failures).await;
        drop(running);
        // Each schema is asked for once, whoever wants it.
        let mut seen: Vec<String> =
            asked.lock().expect("not poisoned").iter().filter(|path| *path != "/").cloned().collect();
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), count), (6, 6), "{seen:?}");
    }
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_does_not_answer_costs_only_the_reading() {
    let Some(server) = shared(Kind::Kafka).await else { return };
    let topic = topic_name("encoded");
    create(&server, &topic, 1, &[]).await;
    let producer = producer(&server, "none");
    for value in [avro("a-1"), json_schema("j-1")] {
        producer.send(BaseRecord::<(), [u8]>::to(&topic).payload(&value)).map_err(|(error, _)| error).expect("queued");
    }
    producer.flush(Duration::from_secs(30)).expect("written");
    let (port, _, task) = serve(0, answers()).await;
    let at = |user: &str, port: u16| format!("{}?registry=http://{user}127.0.0.1:{port}", server.url(&topic));
    // Nobody says how to read them; who refuses; nobody is there.
    for (address, why) in [
        (server.url(&topic), "add registry="),
        (at("key:hunter2@", port), "refuses the credentials"),
        (at("key:hunter2@", 1), "cannot be reached"),
    ] {
        let out = crosstail(&["query", "-s", &address, "-o", "json"]);
        let rows = lines(&out);
        assert_eq!(rows.len(), 2, "{address}");
        let errors: Vec<&str> = rows.iter().filter_map(|row| row["error"].as_str()).collect();
        assert!(errors.len() == 1 && errors[0].contains("schema 1 ") && errors[0].contains(why), "{errors:?}");
        let all = format!("{rows:?}{}", String::from_utf8_lossy(&out.stderr));
        assert!(!all.contains("hunter2"), "{all}");
        let warnings = open(&[address]).1.probe(&Job::default()).await.expect("reached").warnings.join(" ");
        assert!(why.starts_with("add") || (warnings.contains(why) && !warnings.contains("hunter2")), "{warnings}");
    }
    task.abort();
    let _ = task.await;
    let (_, source) = open(&[at("key:s3cret%2F@", port)]);
    assert_eq!(page(source.as_ref(), "kind:undecodable").await.len(), 1);
    let (_, _, task) = serve(port, answers()).await;
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while page(source.as_ref(), "http:502").await.is_empty() {
        assert!(std::time::Instant::now() < until, "it is asked again");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    task.abort();
}
