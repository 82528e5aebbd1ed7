//! `resend`: what was sent goes out again, against a real HTTP server that counts.

use crate::support::EPOCH;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use crosstail_core::model::{Direction, Kind, Status};
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// What the server got: method, path, headers, body.
type Got = Arc<Mutex<Vec<(String, String, axum::http::HeaderMap, String)>>>;

async fn take(State(got): State<Got>, request: Request) -> (StatusCode, &'static str) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.to_string();
    let is_refused = path.contains("refused");
    got.lock().expect("unpoisoned").push((
        parts.method.to_string(),
        path,
        parts.headers,
        String::from_utf8_lossy(&body).into_owned(),
    ));
    if is_refused {
        (StatusCode::SERVICE_UNAVAILABLE, "token=hunter2hunter2 is wrong")
    } else {
        (StatusCode::CREATED, "{}")
    }
}

/// A call that was recorded: which attempt of which order it was.
#[derive(Default)]
struct Call<'a> {
    path: &'a str,
    order: Option<u16>,
    attempt: Option<u16>,
    /// Failed, if it is not said.
    status: Option<Status>,
    is_to_be_tried_again: bool,
}

/// A store with calls to a server that counts.
struct Bench {
    folder: tempfile::TempDir,
    got: Got,
    port: u16,
}

impl Bench {
    /// With calls to these paths, a second apart, all of which have failed.
    async fn new(paths: &[&str]) -> Self {
        let calls: Vec<Call<'_>> = paths.iter().map(|path| Call { path, ..Call::default() }).collect();
        Self::with(&calls).await
    }

    /// With these calls, a second apart.
    async fn with(calls: &[Call<'_>]) -> Self {
        let got: Got = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().fallback(take).with_state(Arc::clone(&got));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorder = SqliteRecorder::open(&folder.path().join("calls.sqlite")).await.expect("a store");
        let row = |(number, call): (usize, &Call<'_>)| {
            let started_at = EPOCH.plus_ms(number as i64 * 1000);
            let path = call.path;
            let start = Start {
                id: format!("call-{number}"),
                kind: Some(Kind::ApiCall),
                direction: Some(if path.contains("inbound") { Direction::In } else { Direction::Out }),
                system: "SAP".to_owned(),
                method: Some("POST".to_owned()),
                url: Some(format!("http://127.0.0.1:{port}{path}")),
                entity: call.order.map(|order| format!("PO {order}")),
                correlation_id: call.order.map(|order| format!("trace-{order}")),
                attempt: call.attempt,
                max_attempts: call.attempt.map(|_| 3),
                request_headers: Some(json!({
                    "Authorization": "Bearer secretsecretsecretsecret", "Content-Type": "application/json",
                    "X-Tenant": "acme", "Host": "elsewhere.example",
                })),
                request_body: Some(json!({ "order": call.order.map_or(number, usize::from) })),
                started_at,
                ..Start::default()
            };
            let status = call.status.unwrap_or(Status::Failed);
            let outcome = Outcome {
                status: Some(status),
                http_status: Some(if status == Status::Success { 201 } else { 503 }),
                completed_at: Some(started_at.plus_ms(20)),
                next_retry_at: call.is_to_be_tried_again.then(|| started_at.plus_ms(3_600_000)),
                ..Outcome::default()
            };
            PreparedRow::new(start, Some(outcome))
        };
        let rows: Vec<PreparedRow> = calls.iter().enumerate().map(row).collect();
        recorder.insert(&rows).await.expect("written");
        let config =
            format!("[[send]]\nhost = \"127.0.0.1:{port}\"\nheaders = {{ Authorization = \"env:TEST_SAP_TOKEN\" }}\n");
        std::fs::write(folder.path().join("config.toml"), config).expect("written");
        Self { folder, got, port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
        command
            .arg("--config")
            .arg(self.path("config.toml"))
            .args(["resend", "-s"])
            .arg(self.path("calls.sqlite"))
            .args(arguments)
            .env("XDG_STATE_HOME", self.path("state"))
            .env("TEST_SAP_TOKEN", "Bearer fresh-token-of-today")
            .env("USER", "ann")
            .stdin(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || command.output().expect("run")).await.expect("a result")
    }

    fn count(&self) -> usize {
        self.got.lock().expect("unpoisoned").len()
    }

    fn audit(&self) -> PathBuf {
        self.path("state/crosstail/resends.ndjson")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn audited(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_unless_everything_says_so() {
    let bench = Bench::new(&["/a", "/b", "/c"]).await;
    let filter = "system:SAP";
    // A dry run shows what would go, and the names of secrets.
    let dry = bench.run(&[filter, "--limit", "10"]).await;
    let text = said(&dry);
    assert!(dry.status.success() && text.contains("this was a dry run"), "{text}");
    assert!(text.contains(&format!("POST http://127.0.0.1:{}/b", bench.port)), "{text}");
    assert!(text.contains("Authorization: $TEST_SAP_TOKEN") && !text.contains("fresh-token"), "{text}");
    for (arguments, why) in [
        (&[filter, "--limit", "10", "--allow-sends"][..], "pass --yes and --limit"),
        (&[filter, "--yes", "--allow-sends"], "--limit"),
        (&[filter, "--limit", "2", "--yes", "--allow-sends"], "more than 2 activities match"),
        (&["--limit", "10", "--yes", "--allow-sends"], "say what to send again"),
    ] {
        let output = bench.run(arguments).await;
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
    }
    // A source that cannot be read may know that it has been done.
    let away = [filter, "--limit", "10", "--yes", "--allow-sends", "-s", "postgres://me@127.0.0.1:9/d"];
    let text = said(&bench.run(&away).await);
    assert!(text.contains("whether a later try succeeded is not known: a source cannot be read"), "{text}");
    assert_eq!(bench.count(), 0);
    assert!(!bench.audit().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_goes_out_again_as_it_was_and_is_noted() {
    let bench = Bench::new(&["/a", "/b?x=1"]).await;
    let all = ["system:SAP", "--limit", "10", "--yes", "--allow-sends", "--rate", "50", "-o", "json"];
    let output = bench.run(&all).await;
    assert!(output.status.success(), "{}", said(&output));
    let got = bench.got.lock().expect("unpoisoned").clone();
    assert_eq!(got.len(), 2, "each once");
    let (method, path, headers, body) = &got[1];
    assert_eq!((method.as_str(), path.as_str(), body.as_str()), ("POST", "/b?x=1", r#"{"order":1}"#));
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    assert_eq!(header("authorization").as_deref(), Some("Bearer fresh-token-of-today"));
    assert_eq!(header("x-tenant").as_deref(), Some("acme"));
    assert_eq!(header("host"), Some(format!("127.0.0.1:{}", bench.port)));
    assert_eq!(header("x-resend-of").as_deref(), Some("call-1"));
    let lines: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines[1]["of"].as_str(), lines[1]["status"].as_u64()), (Some("call-1"), Some(201)));
    // The new activity is found by its request id.
    assert_eq!(lines[1]["request_id"].as_str(), header("x-request-id").as_deref());
    let notes = audited(&bench.audit());
    assert_eq!(notes.len(), 4, "before and after each");
    assert_eq!((notes[3]["state"].as_str(), notes[3]["by"].as_str()), (Some("sent"), Some("ann")));
    assert_eq!(notes[3]["request_id"], lines[1]["request_id"]);
    let text = std::fs::read_to_string(bench.audit()).expect("read");
    assert!(!text.contains("fresh-token") && !text.contains("secretsecret"), "{text}");
    assert_eq!(bench.audit().metadata().expect("there").permissions().mode() & 0o777, 0o600);
    // With another body.
    let body = bench.path("body.json");
    std::fs::write(&body, r#"{"order": 77}"#).expect("written");
    let body = body.to_str().expect("UTF-8");
    let output = bench.run(&["id:call-0", "--limit", "1", "--yes", "--allow-sends", "--anyway", "--body", body]).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(bench.got.lock().expect("unpoisoned")[2].3, r#"{"order": 77}"#);
    assert_eq!(audited(&bench.audit())[4]["edited"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_it_unless_it_is_to_go_on() {
    let bench = Bench::new(&["/a", "/refused", "/c"]).await;
    let all = ["system:SAP", "--limit", "10", "--yes", "--allow-sends", "--rate", "50"];
    let output = bench.run(&all).await;
    assert_eq!((output.status.code(), bench.count()), (Some(1), 2), "{}", said(&output));
    assert!(said(&output).contains("2 sent, 1 failed, 1 not sent"), "{}", said(&output));
    assert!(!said(&output).contains("hunter2"), "{}", said(&output));
    // What was taken is not sent a second time.
    let output = bench.run(&[&all[..], &["--keep-going"]].concat()).await;
    assert_eq!((output.status.code(), bench.count()), (Some(1), 4), "{}", said(&output));
    assert!(said(&output).contains("1: it was sent again before, and taken"), "{}", said(&output));
    let output = bench.run(&[&all[..], &["--keep-going", "--anyway"]].concat()).await;
    assert_eq!((output.status.code(), bench.count()), (Some(1), 7), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_in_is_never_sent() {
    let bench = Bench::new(&["/a", "/inbound"]).await;
    let all = ["system:SAP", "--limit", "10", "--yes", "--allow-sends", "--rate", "50"];
    let output = bench.run(&all).await;
    assert_eq!((output.status.code(), bench.count()), (Some(1), 0), "{}", said(&output));
    assert!(said(&output).contains("call-1 is not sent: it was not sent from here"), "{}", said(&output));
    let output = bench.run(&[&all[..], &["--skip"]].concat()).await;
    assert_eq!((output.status.code(), bench.count()), (Some(0), 1), "{}", said(&output));
}

/// Orders as they stand at night: given up after three tries, repaired by the second try, still waiting for the next one.
fn orders() -> Vec<Call<'static>> {
    let of = |order: u16, attempt: u16, status: Status, is_to_be_tried_again: bool| Call {
        path: "/orders",
        order: Some(order),
        attempt: Some(attempt),
        status: Some(status),
        is_to_be_tried_again,
    };
    vec![
        of(1, 1, Status::Failed, true),
        of(2, 1, Status::Failed, true),
        of(3, 1, Status::Failed, true),
        of(1, 2, Status::Failed, true),
        of(2, 2, Status::Success, false),
        of(1, 3, Status::Failed, false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_sent_once_and_only_if_nothing_else_repairs_it() {
    let bench = Bench::with(&orders()).await;
    let all = ["status:failed", "--limit", "10", "--rate", "50"];
    let dry = bench.run(&all).await;
    let text = said(&dry);
    assert!(text.contains("2 earlier tries of what is sent or left out"), "{text}");
    assert!(text.contains("1: a later try succeeded; 1: its next try is due; --anyway sends these too"), "{text}");
    assert!(text.contains("(3 tries, given up)"), "{text}");
    let output = bench.run(&[&all[..], &["--yes", "--allow-sends"]].concat()).await;
    assert!(output.status.success(), "{}", said(&output));
    let got = bench.got.lock().expect("unpoisoned").clone();
    let bodies: Vec<&str> = got.iter().map(|(_, _, _, body)| body.as_str()).collect();
    assert_eq!(bodies, [r#"{"order":1}"#], "the order that was given up, once");
    assert_eq!(got[0].2.get("x-resend-of").and_then(|value| value.to_str().ok()), Some("call-5"), "its last try");
    // Asked by its first try alone, it is the same.
    let output = bench.run(&["id:call-0", "--limit", "1", "--yes", "--allow-sends"]).await;
    assert_eq!((output.status.code(), bench.count()), (Some(1), 1), "{}", said(&output));
    assert!(said(&output).contains("it was sent again before, and taken"), "{}", said(&output));
    // Whoever insists sends each order once more.
    let output = bench.run(&[&all[..], &["--yes", "--allow-sends", "--anyway"]].concat()).await;
    assert!(output.status.success(), "{}", said(&output));
    let bodies: Vec<String> = bench.got.lock().expect("unpoisoned")[1..].iter().map(|got| got.3.clone()).collect();
    assert_eq!(bodies, [r#"{"order":1}"#, r#"{"order":2}"#, r#"{"order":3}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_as_json_says_what_would_be_sent_and_what_would_not() {
    let bench = Bench::with(&orders()).await;
    let output = bench.run(&["status:failed", "--limit", "10", "-o", "json"]).await;
    assert!(output.status.success(), "{}", said(&output));
    let lines: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.iter().all(|line| line["sent"] == false), "{lines:#?}");
    let left: Vec<&str> = lines.iter().filter_map(|line| line["left_out"].as_str()).collect();
    assert_eq!(left, ["recovered", "waiting"]);
    let sent: Vec<&Value> = lines.iter().filter(|line| line.get("left_out").is_none()).collect();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0]["of"].as_str(), sent[0]["tries"].as_u64()), (Some("call-5"), Some(3)));
    assert_eq!((sent[0]["method"].as_str(), sent[0]["body"].as_str()), (Some("POST"), Some(r#"{"order":1}"#)));
    assert_eq!(sent[0]["headers"]["Authorization"][0], "$TEST_SAP_TOKEN");
    assert_eq!(bench.count(), 0);
}
