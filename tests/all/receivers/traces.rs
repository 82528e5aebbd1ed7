//! Tempo and Jaeger, each a server of the test's own that speaks the documented interface.

use super::span;
use crate::programs::World;
use crate::pty::Terminal;
use portable_pty::CommandBuilder;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A server that answers paths with JSON; the port, and what it was asked.
pub(crate) fn server(answers: Vec<(&'static str, u16, String)>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let answers =
        answers.into_iter().map(|(path, code, body)| (path.to_owned(), (code, "application/json", body.into_bytes())));
    let answers: HashMap<String, Answer> = answers.collect();
    serve(Arc::new(Mutex::new(answers)))
}

/// A status, a media type, and a body.
pub(crate) type Answer = (u16, &'static str, Vec<u8>);

/// A server that answers paths, as long as the test runs.
pub(crate) fn serve(answers: Arc<Mutex<HashMap<String, Answer>>>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|length| length > 2) {}
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let bare = path.split('?').next().unwrap_or_default();
            let found = answers.lock().expect("lock").get(bare).cloned();
            let (code, media_type, body) = found.unwrap_or((404, "text/plain", Vec::new()));
            log.lock().expect("lock").push(head.clone());
            let head = format!(
                "HTTP/1.1 {code} X\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = reader.get_mut().write_all(&[head.as_bytes(), &body].concat());
        }
    });
    (port, asked)
}

fn log_file(world: &World) {
    world.write(
        "shop.log",
        &format!(
            "{{\"time\":\"2026-11-18T11:06:41.050Z\",\"level\":\"info\",\"msg\":\"order 4711\",\"request_id\":\"r-1\",\"trace_id\":\"{TRACE}\"}}\n"
        ),
    );
}

/// Jaeger answers any path, with its page, and has a form of its own where Tempo has its traces.
#[test]
fn another_server_is_not_taken_for_tempo() {
    let page = "<!doctype html><title>Jaeger UI</title>".to_owned();
    let path: &'static str = format!("/api/traces/{TRACE}").leak();
    let own = format!("{{\"data\":[{{\"traceID\":\"{TRACE}\",\"spans\":[]}}],\"errors\":null}}");
    let (port, _) = server(vec![("/api/echo", 200, page), (path, 200, own)]);
    let world = World::new(&[]);
    let at = format!("tempo+http://127.0.0.1:{port}");
    let output = world.run(&["doctor", "-s", &at]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("no Tempo answers there"), "{said}");
    log_file(&world);
    let output = world.run(&["show", "r-1", "-s", "shop.log", "-s", &at]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no Tempo answers there"), "{said}");
}

#[test]
fn their_spans_stand_beside_the_records_of_other_sources() {
    let spans = span(TRACE, "b7ad6b7169203331", "", "checkout", r#","kind":2"#);
    let tempo = spans.replace("resourceSpans", "batches");
    let jaeger = format!("{{\"result\":{spans}}}");
    for (scheme, paths) in [
        (
            "tempo",
            vec![
                ("/api/echo", 200, "echo".to_owned()),
                (concat!("/api/traces/", "0af7651916cd43dd8448eb211c80319c"), 200, tempo),
            ],
        ),
        (
            "jaeger",
            vec![
                ("/api/v3/services", 200, "{}".to_owned()),
                (concat!("/api/v3/traces/", "0af7651916cd43dd8448eb211c80319c"), 200, jaeger),
            ],
        ),
    ] {
        let world = World::new(&[]);
        log_file(&world);
        let (port, asked) = server(paths);
        let at = format!("{scheme}+http://bearer:s3cret@127.0.0.1:{port}");
        let shown = world.run(&["show", "r-1", "-s", "shop.log", "-s", &at]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(text.contains("checkout") && text.contains("order 4711"), "{scheme}: {text}\n{shown:?}");
        let heard = asked.lock().expect("lock").join("\n").to_ascii_lowercase();
        assert!(heard.contains("authorization: bearer s3cret"), "{heard}");
        // Nothing is searched in it.
        let found = world.run(&["query", "-o", "json", "-s", "shop.log", "-s", &at]);
        assert!(found.status.success(), "{found:?}");
        assert_eq!(String::from_utf8_lossy(&found.stdout).lines().count(), 1);
        // That is said where a person would look for it there, beside other sources too.
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(said.contains("a search finds nothing in it"), "{scheme}: {said}");
        assert!(!String::from_utf8_lossy(&shown.stderr).contains("a search finds nothing"), "{shown:?}");
        // By the id of a trace it is asked alone.
        let alone = world.run(&["show", TRACE, "-s", &at]);
        let text = String::from_utf8_lossy(&alone.stdout).into_owned();
        assert!(alone.status.success() && text.contains("checkout"), "{scheme}: {alone:?}");
        let none = world.run(&["show", "1af7651916cd43dd8448eb211c80319c", "-s", &at]);
        assert!(String::from_utf8_lossy(&none.stderr).contains("nothing found"), "{none:?}");
        let doctor = world.run(&["doctor", "-s", &at]);
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(said.contains("is asked for the spans of a trace when one is opened"), "{said}");
    }
}

/// Of a trace of many spans, the one that is asked for by its id is opened; so is it where another one shares its id, and where the
/// trace is named in capitals.
#[test]
fn the_span_that_is_asked_for_is_opened() {
    let world = World::new(&[]);
    let many: Vec<String> = (0..120)
        .map(|n| {
            format!(
                r#"{{"traceId":"{TRACE}","spanId":"{:016x}","name":"step {n}","kind":3,"startTimeUnixNano":"{}","endTimeUnixNano":"{}"}}"#,
                0xb7ad_0000_u64 + n,
                1_795_000_001_000_000_000_u64 + n * 1_000_000,
                1_795_000_001_000_500_000_u64 + n * 1_000_000
            )
        })
        .collect();
    let spans = format!(r#"{{"result":{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}}}"#, many.join(","));
    let path = concat!("/api/v3/traces/", "0af7651916cd43dd8448eb211c80319c");
    let (port, _) = server(vec![("/api/v3/services", 200, "{}".to_owned()), (path, 200, spans)]);
    let at = format!("jaeger+http://127.0.0.1:{port}");
    for n in [0_u64, 100] {
        let id = format!("{TRACE}-{:016x}", 0xb7ad_0000_u64 + n);
        let shown = world.run(&["show", &id, "-s", &at, "-o", "json"]);
        let record: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        assert_eq!(record["id"], id.as_str(), "{shown:?}");
    }
    let shown = world.run(&["show", &TRACE.to_uppercase(), "-s", &at]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("step 119"), "{shown:?}");
}

/// In the explorer: the trace of a record has the spans that Tempo knows of it.
#[test]
fn the_trace_of_a_record_has_the_spans_of_tempo() {
    let world = World::new(&[]);
    log_file(&world);
    let spans = span(TRACE, "b7ad6b7169203331", "", "checkout", r#","kind":2"#).replace("resourceSpans", "batches");
    let path = concat!("/api/traces/", "0af7651916cd43dd8448eb211c80319c");
    let (port, asked) = server(vec![("/api/echo", 200, "echo".to_owned()), (path, 200, spans)]);
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(["-s", "shop.log", "-s", &format!("tempo+http://127.0.0.1:{port}")]);
    command.cwd(world.path(""));
    let folders = [("XDG_CONFIG_HOME", world.path("config")), ("XDG_CACHE_HOME", world.path("cache"))];
    let mut terminal = Terminal::run_as_it_is(command, &folders, 140, 36);
    terminal.wait_for("order 4711");
    assert!(!asked.lock().expect("lock").iter().any(|head| head.contains(path)), "asked before it is opened");
    terminal.keys("\r");
    terminal.wait_for("1 overview");
    terminal.keys("6");
    terminal.wait_for("checkout");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn one_that_fails_is_said_and_the_rest_is_shown() {
    let world = World::new(&[]);
    log_file(&world);
    for (code, said) in [(500, "HTTP 500"), (401, "bearer:TOKEN@")] {
        let (port, _) = server(vec![
            ("/api/echo", 200, "echo".to_owned()),
            (concat!("/api/traces/", "0af7651916cd43dd8448eb211c80319c"), code, String::new()),
        ]);
        let at = format!("tempo+http://127.0.0.1:{port}");
        let shown = world.run(&["show", "r-1", "-s", "shop.log", "-s", &at]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(text.contains("order 4711"), "{text}");
        assert!(String::from_utf8_lossy(&shown.stderr).contains(said), "{shown:?}");
    }
    // A server that is none of them.
    let (port, _) = server(Vec::new());
    let doctor = world.run(&["doctor", "-s", &format!("jaeger+http://127.0.0.1:{port}")]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("no Jaeger answers there"), "{doctor:?}");
}

/// A field of protobuf that holds bytes: its number, a length, the bytes.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length > 127 {
        out.push((length & 127) as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

/// A span in protobuf, as opentelemetry-proto has it, in the answer of Tempo to `/api/traces/ID`.
pub(crate) fn tempo_trace(spans: &[(u128, u64, u64, &str, u8)]) -> Vec<u8> {
    let value = field(2, &field(1, b"pay"));
    let resource = field(1, &field(1, &[field(1, b"service.name"), value].concat()));
    let spans: Vec<u8> = spans
        .iter()
        .flat_map(|(trace, id, parent, name, kind)| {
            let at = |number: u8, ns: u64| [vec![number << 3 | 1], ns.to_le_bytes().to_vec()].concat();
            let parent = if *parent == 0 { Vec::new() } else { field(4, &parent.to_be_bytes()) };
            let span = [
                field(1, &trace.to_be_bytes()),
                field(2, &id.to_be_bytes()),
                parent,
                field(5, name.as_bytes()),
                vec![6 << 3, *kind],
                at(7, 1_795_000_001_000_000_000),
                at(8, 1_795_000_001_250_000_000),
            ];
            field(2, &span.concat())
        })
        .collect();
    field(1, &[resource, field(2, &spans)].concat())
}

/// What Tempo answers where protobuf is accepted, as it documents it.
#[test]
fn the_protobuf_of_tempo_is_read() {
    let world = World::new(&[]);
    log_file(&world);
    let trace = u128::from_str_radix(TRACE, 16).expect("an id");
    let body = tempo_trace(&[
        (trace, 0xb7ad_6b71_6920_3331, 0, "checkout", 2),
        (trace, 7, 0xb7ad_6b71_6920_3331, "charge", 3),
    ]);
    let answers = HashMap::from([
        ("/api/echo".to_owned(), (200, "text/plain", b"echo".to_vec())),
        (format!("/api/traces/{TRACE}"), (200, "application/protobuf", body)),
    ]);
    let (port, asked) = serve(Arc::new(Mutex::new(answers)));
    let shown = world.run(&["show", "r-1", "-s", "shop.log", "-s", &format!("tempo+http://127.0.0.1:{port}")]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    for part in ["checkout", "charge", "order 4711"] {
        assert!(text.contains(part), "{part}: {text}\n{shown:?}");
    }
    let asked = asked.lock().expect("lock").join("\n").to_ascii_lowercase();
    assert!(asked.contains("accept: application/protobuf"), "{asked}");
}
