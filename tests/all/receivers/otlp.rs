//! OTLP/HTTP: the answers of the specification, back pressure.

use super::{Answer, free_port, post, receiving, request, span, unread};
use crate::programs::{World, messages, records};
use crate::pty::Terminal;
use crate::servers::{Kind, shared};
use crate::support::wait_for;
use portable_pty::CommandBuilder;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn log(message: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"pay"}}}}]}},"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1795000001100000000","severityNumber":17,"body":{{"stringValue":"{message}"}},"traceId":"{TRACE}","spanId":"b7ad6b7169203331"}}]}}]}}]}}"#
    )
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(body).expect("packed");
    packer.finish().expect("packed")
}

#[test]
fn requests_are_answered_as_the_specification_says() {
    let (world, port) = (World::new(&[]), free_port());
    let tail = receiving(&world, &format!("otlp+http://127.0.0.1:{port}"), port);
    let taken = post(port, "/v1/logs", &log("declined"));
    assert_eq!((taken.status, taken.body.as_str()), (200, "{}"), "{taken:?}");
    assert!(taken.head.contains("content-type: application/json"), "{taken:?}");
    let packed = gzip(log("packed").as_bytes());
    let headers = "Content-Type: application/json; charset=utf-8\r\nContent-Encoding: gzip\r\n";
    assert_eq!(request(port, "POST /v1/logs", headers, &packed).status, 200);
    let empty = request(port, "POST /v1/traces", "Content-Type: application/x-protobuf\r\n", b"");
    assert_eq!((empty.status, empty.body.as_str()), (200, ""), "{empty:?}");
    assert!(empty.head.contains("content-type: application/x-protobuf"), "{empty:?}");
    let whole = span(TRACE, "b7ad6b7169203331", "", "charge", "");
    assert_eq!(post(port, "/v1/traces", &whole).body, "{}");
    let partly = post(port, "/v1/traces", &span("00", "b7ad6b7169203331", "", "no trace", ""));
    assert_eq!(partly.status, 200);
    assert!(partly.body.contains(r#""rejectedSpans":"1""#) && partly.body.contains("traceId"), "{partly:?}");
    tail.wait_for(&["declined", "packed", "charge"]);
    // What is refused, with google.rpc.Status in the encoding of the request.
    let refused = |answer: &Answer, status: u16, code: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(&format!(r#""code":{code}"#)), "{answer:?}");
    };
    refused(&post(port, "/v1/logs", "{"), 400, "3");
    refused(&post(port, "/v1/logs", r#"{"resourceLogs":7}"#), 400, "3");
    refused(&request(port, "POST /v1/logs", "Content-Type: text/plain\r\n", b"x"), 415, "3");
    let headers = "Content-Type: application/json\r\nContent-Encoding: zstd\r\n";
    refused(&request(port, "POST /v1/logs", headers, b"x"), 415, "3");
    let headers = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    refused(&request(port, "POST /v1/logs", headers, b"no gzip"), 400, "3");
    refused(&post(port, "/v1/metrics", "{}"), 404, "5");
    let wrong = request(port, "GET /v1/logs", "", b"");
    refused(&wrong, 405, "12");
    assert!(wrong.head.contains("allow: post"), "{wrong:?}");
    let headers = "Content-Type: application/json\r\nContent-Length: 99999999\r\n";
    refused(&request(port, "POST /v1/logs", headers, b""), 413, "8");
    // 65 MB of blanks in 64 KB.
    let headers = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    refused(&request(port, "POST /v1/logs", headers, &gzip(&vec![b' '; 65 << 20])), 413, "8");
    let headers = "Content-Type: application/json\r\nOrigin: https://evil.example\r\n";
    refused(&request(port, "POST /v1/logs", headers, log("from a page").as_bytes()), 403, "7");
    let asked = request(port, "OPTIONS /v1/logs", "Origin: https://evil.example\r\n", b"");
    assert!(asked.status == 403 && !asked.head.contains("access-control"), "{asked:?}");
    let binary = request(port, "POST /v1/logs", "Content-Type: application/x-protobuf\r\n", b"\x0a\xff\xff");
    assert_eq!(binary.status, 400, "{binary:?}");
    assert!(binary.body.starts_with("\u{8}\u{3}\u{12}"), "{binary:?}");
    tail.wait_until_said("refused requests that were none");
    tail.wait_until_said("refused requests of pages in a browser");
    tail.wait_until_said("refused records, which were none");
    assert_eq!(tail.counts().len(), 3, "{:?}", tail.counts());
    tail.end();
}

#[test]
fn a_token_is_asked_for_where_others_can_reach_it() {
    let (world, port) = (World::new(&[]), free_port());
    let open = world.run(&["query", "-s", &format!("otlp+http://0.0.0.0:{port}")]);
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(!open.status.success() && said.contains("?token=") && said.contains("other machines"), "{said}");
    let tail = receiving(&world, &format!("otlp+http://0.0.0.0:{port}?token=s3cret"), port);
    let refused = post(port, "/v1/logs", &log("without"));
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.head.contains("www-authenticate: bearer"), "{refused:?}");
    let with = |token: &str| {
        let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
        request(port, "POST /v1/logs", &headers, log("with").as_bytes()).status
    };
    assert_eq!((with("s3cre"), with("s3cret")), (401, 200));
    tail.wait_for(&["with"]);
    tail.wait_until_said("refused requests without the token");
    assert!(!tail.said().contains("s3cret"), "{}", tail.said());
    // The exporter of a page in a browser asks before it sends, without the token, and reads the answer.
    let origin = "Origin: https://shop.example\r\n";
    let asks =
        format!("{origin}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n");
    let allowed = request(port, "OPTIONS /v1/logs", &asks, b"");
    assert_eq!(allowed.status, 204, "{allowed:?}");
    for header in [
        "access-control-allow-origin: https://shop.example",
        "access-control-allow-methods: post",
        "access-control-allow-headers: authorization, content-type",
    ] {
        assert!(allowed.head.contains(header), "{header}: {allowed:?}");
    }
    let from_a_page = |token: &str| {
        let headers = format!("Content-Type: application/json\r\n{origin}Authorization: Bearer {token}\r\n");
        request(port, "POST /v1/logs", &headers, log("from a page").as_bytes())
    };
    for (token, status) in [("s3cret", 200), ("other", 401)] {
        let answer = from_a_page(token);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.head.contains("access-control-allow-origin: https://shop.example"), "{answer:?}");
    }
    tail.wait_for(&["from a page"]);
    tail.end();
    // doctor says that others can see a token which was typed.
    let doctor = world.run(&["doctor", "-s", &format!("otlp+http://0.0.0.0:{}?token=s3cret", free_port())]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("the password or token is on the command line") && !said.contains("s3cret"), "{said}");
    let doctor = world.run(&["doctor", "-s", &format!("otlp+http://x:s3cret@0.0.0.0:{}", free_port())]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("the password or token is on the command line") && !said.contains("s3cret"), "{said}");
    // One that a setting names instead.
    world.write(
        "config/crosstail/config.toml",
        &format!("[[source]]\nname = \"spans\"\nat = \"otlp+http://token@0.0.0.0:{port}\"\npassword_command = \"echo s3cret\"\n"),
    );
    let tail = receiving(&world, "spans", port);
    assert_eq!((with("other"), with("s3cret")), (401, 200));
    tail.wait_for(&["with"]);
    tail.end();
}

#[test]
fn two_cannot_listen_in_one_place_and_the_second_goes_on_when_the_first_ends() {
    let (world, port) = (World::new(&[]), free_port());
    let at = format!("otlp+http://127.0.0.1:{port}");
    let first = receiving(&world, &at, port);
    let second = world.tail(&["-s", &at]);
    second.wait_until_said("another program listens there, perhaps crosstail in another window");
    // A command that prints once opens no port, and says what it cannot have.
    let query = world.run(&["query", "-s", &at]);
    let said = String::from_utf8_lossy(&query.stderr).into_owned();
    assert!(query.status.success() && said.contains("no history: it has what is sent"), "{said}");
    let doctor = world.run(&["doctor", "-s", &at]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("another program listens there"), "{said}");
    first.end();
    wait_for("the second to take what is sent", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() && post(port, "/v1/logs", &log("later")).status == 200
    });
    second.wait_for(&["later"]);
    second.end();
    let doctor = world.run(&["doctor", "-s", &at]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success() && said.contains("listens: OTLP on http://127.0.0.1"), "{said}");
}

#[test]
fn a_projects_file_says_where_it_listens_before_it_does() {
    let (world, port) = (World::new(&[]), free_port());
    world.write(
        "project/crosstail.toml",
        &format!("[[source]]\nname = \"spans\"\nat = \"otlp+http://127.0.0.1:{port}\"\n"),
    );
    let run = |arguments: &[&str]| {
        let output = world.command(arguments).current_dir(world.path("project")).output().expect("run");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert!(run(&["tail", "-s", "spans"]).contains("you have not trusted it"));
    let said = run(&["config", "trust"]);
    assert!(said.contains(&format!("listen on  otlp+http://127.0.0.1:{port}")), "{said}");
}

/// What nobody reads is not taken without end: it is refused, and everything that was taken is there afterwards.
#[test]
fn back_pressure_refuses_and_loses_nothing() {
    let records = |number: usize| {
        let records: Vec<String> = (0..BATCH)
            .map(|n| {
                let ns = 1_795_000_000_000_000_000_u64 + (number * BATCH + n) as u64 * 1000;
                format!(
                    r#"{{"timeUnixNano":"{ns}","severityNumber":9,"body":{{"stringValue":"record {number}-{n}"}}}}"#
                )
            })
            .collect();
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","))
    };
    is_refused_and_nothing_is_lost("otlp+http", "/v1/logs", &records, &log("last"));
}

/// Records of a request that is to be too many.
pub(super) const BATCH: usize = 20_000;

/// Sends to a receiver that nobody reads until it refuses, reads it, and sends again. `batch` makes a request of [`BATCH`]
/// records by its number; `last` is one of one record.
pub(super) fn is_refused_and_nothing_is_lost(scheme: &str, path: &str, batch: &dyn Fn(usize) -> String, last: &str) {
    let (world, port) = (World::new(&[]), free_port());
    let mut child = unread(&world, &format!("{scheme}://127.0.0.1:{port}"), port);
    let mut taken = 0;
    let refused = (0..40).find_map(|number| {
        let answer = post(port, path, &batch(number));
        match answer.status {
            200 => taken += BATCH,
            _ => return Some(answer),
        }
        None
    });
    let refused = refused.expect("a refusal");
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
    // Now it is read: there is room again.
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let reading = std::thread::spawn(move || {
        let mut seen = std::collections::HashSet::new();
        for line in lines.map_while(Result::ok) {
            let record: Value = serde_json::from_str(&line).expect("JSON");
            let message = record["message"].as_str().expect("a message").to_owned();
            assert!(seen.insert(message), "{line}");
            if seen.len() == taken + 1 {
                break;
            }
        }
        seen.len()
    });
    wait_for("room", || post(port, path, last).status == 200);
    assert_eq!(reading.join().expect("counted"), taken + 1);
    let _ = child.kill();
    let said = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok).collect::<Vec<_>>();
    let _ = child.wait();
    assert!(said.iter().any(|line| line.contains("because more came than could be read")), "{said:?}");
}

#[test]
fn the_explorer_says_what_a_receiver_cannot_have() {
    let (world, port) = (World::new(&[]), free_port());
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.arg(format!("otlp+http://127.0.0.1:{port}"));
    let folders = [("XDG_CONFIG_HOME", world.path("config")), ("XDG_CACHE_HOME", world.path("cache"))];
    let mut terminal = Terminal::run_as_it_is(command, &folders, 160, 30);
    terminal.wait_for("no history: it has what is sent");
    assert_eq!(post(port, "/v1/logs", &log("declined")).status, 200);
    terminal.wait_for("declined");
    terminal.keys("/req.body:nothing\r");
    terminal.wait_for("nothing matches this filter");
    terminal.wait_for("no history: it has what is sent");
    // What it refused is counted where a person looks.
    for _ in 0..2 {
        assert_eq!(post(port, "/v1/logs", "no JSON").status, 400);
    }
    terminal.wait_for("refused requests that were none: 2 so far");
    terminal.keys("q");
}

/// A trace of which a database, a log file and OpenTelemetry each know a part.
#[test]
fn a_trace_of_three_sources_is_one_waterfall() {
    let world = World::new(&[]);
    let database = world.path("erp.db");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut recorder = crosstail_record::SqliteRecorder::open(&database).await.expect("opened");
        let (mut start, outcome) = crate::support::random(&mut fastrand::Rng::with_seed(1), 1);
        start.correlation_id = Some(TRACE.to_owned());
        start.parent_request_id = Some("b7ad6b7169203331".to_owned());
        start.endpoint = Some("/po/create".to_owned());
        start.system = "SAP".to_owned();
        start.started_at = crosstail_core::model::Timestamp(1_795_000_001_100_000);
        recorder.insert(&[crosstail_record::PreparedRow::new(start, outcome)]).await.expect("written");
    });
    one_waterfall(&world, &database.display().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_of_postgresql_a_log_file_and_otlp_is_one_waterfall() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut writer = server.postgres_connection(&database).await;
    let sql = "INSERT INTO integration_activity_log (id, direction, activity_type, method, endpoint, response_status, \
               response_time_ms, status, metadata, created_at, completed_at) VALUES (gen_random_uuid(), 'outgoing', \
               'api_call', 'POST', '/po/create', 201, 80, 'success', $1::jsonb, '2026-11-18T11:06:41.1Z', \
               '2026-11-18T11:06:41.18Z')";
    let metadata = serde_json::json!({
        "correlation_id": TRACE, "parent_request_id": "b7ad6b7169203331", "provider": "SAP",
    });
    sqlx::query(sql).bind(metadata.to_string()).execute(&mut writer).await.expect("written");
    let url = server.url(&database);
    tokio::task::spawn_blocking(move || one_waterfall(&World::new(&[]), &url)).await.expect("shown");
}

/// Opens the explorer over a database, a log file and a receiver, and looks at the trace.
fn one_waterfall(world: &World, database: &str) {
    let port = free_port();
    world.write(
        "shop.log",
        &format!(
            "{{\"time\":\"2026-11-18T11:06:41.050Z\",\"level\":\"info\",\"app\":\"shop\",\"msg\":\"order 4711\",\"trace_id\":\"{TRACE}\"}}\n"
        ),
    );
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args([
        &world.path("shop.log").display().to_string(),
        database,
        &format!("otlp+http://127.0.0.1:{port}"),
        "--range",
        "everything",
    ]);
    let folders = [("XDG_CONFIG_HOME", world.path("config")), ("XDG_CACHE_HOME", world.path("cache"))];
    let mut terminal = Terminal::run_as_it_is(command, &folders, 160, 48);
    wait_for("the receiver to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let more = r#","kind":3,"status":{"code":2,"message":"card declined"},"attributes":[{"key":"http.request.method","value":{"stringValue":"POST"}},{"key":"url.full","value":{"stringValue":"https://bank.example/charges"}}]"#;
    assert_eq!(post(port, "/v1/traces", &span(TRACE, "b7ad6b7169203331", "", "checkout", r#","kind":2"#)).status, 200);
    assert_eq!(
        post(port, "/v1/traces", &span(TRACE, "00f067aa0ba902b7", "b7ad6b7169203331", "POST", more)).status,
        200
    );
    terminal.wait_for("card declined");
    terminal.wait_for("order 4711");
    terminal.wait_for("/po/create");
    terminal.keys("/url:*bank*\r");
    terminal.settle();
    terminal.keys("\r");
    terminal.wait_for("trace");
    terminal.settle();
    for _ in 0..6 {
        if terminal.screen().contains("critical") {
            break;
        }
        terminal.keys(">");
        terminal.settle();
    }
    let screen = terminal.screen();
    assert!(screen.contains("critical"), "the trace is shown\n{screen}");
    for part in ["checkout", "order 4711", "/po/create", "bank.example"] {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
    terminal.keys("q");
}

/// The spans in a file of the collector are read by the same mechanism.
#[test]
fn spans_in_a_file_of_the_collector_are_calls() {
    let world = World::new(&[]);
    let more = r#","kind":"SPAN_KIND_CLIENT","status":{"code":2},"events":[{"name":"exception","attributes":[{"key":"exception.type","value":{"stringValue":"Timeout"}},{"key":"exception.message","value":{"stringValue":"no answer"}},{"key":"exception.stacktrace","value":{"stringValue":"at a.js:1"}}]}],"links":[{"traceId":"0af7651916cd43dd8448eb211c80319d","spanId":"b7ad6b7169203332","attributes":[{"key":"reason","value":{"stringValue":"batched"}}]}]"#;
    world.write("spans.json", &format!("{}\n", span(TRACE, "00f067aa0ba902b7", "b7ad6b7169203331", "charge", more)));
    let found = records(&world.run(&["query", "-o", "json", "-s", "spans.json"]));
    assert_eq!(messages(&found), ["charge"]);
    let one = &found[0];
    for (key, value) in [
        ("id", "0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7"),
        ("kind", "api_call"),
        ("direction", "out"),
        ("status", "failed"),
        ("system", "pay"),
        ("error", "no answer"),
        ("correlation_id", TRACE),
        ("parent_request_id", "b7ad6b7169203331"),
    ] {
        assert_eq!(one[key], value, "{key}: {one}");
    }
    assert_eq!(one["duration_ms"], 250.0, "{one}");
    let shown = world.run(&["show", "00f067aa0ba902b7", "-s", "spans.json"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("at a.js:1") && shown.contains("batched"), "{shown}");
    assert!(!shown.contains("stringValue"), "attributes of links, too, are names with values: {shown}");
}

/// A line that names its span stands below it in the trace, in whatever words its logger says it.
#[test]
fn a_line_stands_below_the_span_that_it_names() {
    let world = World::new(&[]);
    let (root, call) = ("b7ad6b7169203331", "00f067aa0ba902b7");
    world.write(
        "spans.json",
        &format!(
            "{}\n{}\n",
            span(TRACE, root, "", "checkout", r#","kind":2"#),
            span(TRACE, call, root, "POST", r#","kind":3"#)
        ),
    );
    let lines: String = [
        ("trace_id", "span_id"),
        ("traceId", "spanId"),
        ("TraceId", "SpanId"),
        ("trace.id", "span.id"),
        ("@tr", "@sp"),
        ("otelTraceID", "otelSpanID"),
    ]
    .iter()
    .enumerate()
    .map(|(n, (trace, span))| {
        format!(
            "{{\"time\":\"2026-11-18T11:06:41.{:03}Z\",\"level\":\"info\",\"msg\":\"line {n}\",\"{trace}\":\"{TRACE}\",\"{span}\":\"{call}\"}}\n",
            50 + n
        )
    })
    .collect();
    world.write("shop.log", &lines);
    let shown = world.run(&["show", root, "-o", "json", "-s", "spans.json", "-s", "shop.log"]);
    let whole: Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|error| panic!("{error}: {shown:?}"));
    let found = depths(&whole);
    let lines: Vec<String> = (0..6).map(|n| format!("line {n}")).collect();
    let below = lines.iter().map(|line| (2, line.as_str()));
    assert_eq!(found, [(0, "checkout"), (1, "POST")].into_iter().chain(below).collect::<Vec<_>>());
}

/// What a sender says of time: a time of 0 is none, then the one at which it was observed counts, then that of its arrival. Never that
/// of the record before it.
#[test]
fn a_record_without_a_time_has_that_of_its_observation_or_of_its_arrival() {
    let (world, port) = (World::new(&[]), free_port());
    let begun = crosstail_core::model::Clock::system().now();
    let tail = receiving(&world, &format!("otlp+http://127.0.0.1:{port}"), port);
    let record = |times: &str, message: &str| {
        format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{times}"severityNumber":9,"body":{{"stringValue":"{message}"}}}}]}}]}}]}}"#
        )
    };
    for (times, message) in [
        (r#""timeUnixNano":"1795000001100000000","#, "timed"),
        (r#""timeUnixNano":"0","observedTimeUnixNano":"1795000002200000000","#, "observed"),
        (r#""timeUnixNano":0,"observedTimeUnixNano":0,"#, "neither"),
        ("", "none"),
    ] {
        assert_eq!(post(port, "/v1/logs", &record(times, message)).status, 200);
        tail.wait_for(&[message]);
    }
    let at = |message: &str| tail.time_of(message);
    assert_eq!(at("timed").rfc3339(), "2026-11-18T11:06:41.100Z");
    assert_eq!(at("observed").rfc3339(), "2026-11-18T11:06:42.200Z");
    assert!(at("neither") >= begun && at("none") >= at("neither"), "{begun:?}");
    tail.end();
}

/// A span is told by its trace and its id, and the two sides of a call that share an id by their side.
#[test]
fn spans_are_told_apart_by_trace_and_by_side() {
    let world = World::new(&[]);
    let other = "1af7651916cd43dd8448eb211c80319c";
    let (shared, below) = ("b7ad6b7169203331", "00f067aa0ba902b7");
    let lines = [
        span(TRACE, shared, "", "calls", r#","kind":3"#),
        span(TRACE, shared, "", "is called", r#","kind":"SPAN_KIND_SERVER""#),
        span(TRACE, below, shared, "below", r#","kind":1"#),
        span(other, shared, "", "of another trace", r#","kind":3"#),
        // Sent twice.
        span(TRACE, shared, "", "calls", r#","kind":3"#),
    ];
    world.write("spans.json", &(lines.join("\n") + "\n"));
    let found = records(&world.run(&["query", "-o", "json", "-s", "spans.json"]));
    let mut said = messages(&found);
    said.sort();
    assert_eq!(said, ["below", "calls", "is called", "of another trace"], "{found:#?}");
    let shown = world.run(&["show", &format!("{TRACE}-{shared}"), "-o", "json", "-s", "spans.json"]);
    let whole: Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|error| panic!("{error}: {shown:?}"));
    let found = depths(&whole);
    assert_eq!(found, [(0, "calls"), (1, "is called"), (2, "below")], "{whole:#}");
}

/// How deep each span of a trace is, and its message.
fn depths(shown: &Value) -> Vec<(i64, &str)> {
    let nodes = shown["trace"].as_array().expect("a trace").iter();
    nodes.map(|node| (node["depth"].as_i64().expect("a depth"), node["message"].as_str().expect("a message"))).collect()
}
