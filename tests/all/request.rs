//! One request, opened: within three keys in a terminal, by whatever of it is pasted, and taken away.

use crate::pty::Terminal;
use crate::support::{crosstail, lines, wait_for};
use crosstail_core::model::{Clock, Direction, Kind, Level, Status, Timestamp};
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use portable_pty::CommandBuilder;
use serde_json::json;
use std::path::{Path, PathBuf};

const SECRET: &str = "sk_live_0123456789abcdef";
const CORRELATION: &str = "0af76519-16cd-43dd-8448-eb211c80319c";
const BEFORE: &str = "11111111-0000-4000-8000-000000000001";
const HOOK: &str = "11111111-0000-4000-8000-000000000002";
const SYNC: &str = "11111111-0000-4000-8000-000000000003";
const FIRST: &str = "11111111-0000-4000-8000-000000000004";
const SECOND: &str = "11111111-0000-4000-8000-000000000005";
const LINE: &str = "11111111-0000-4000-8000-000000000006";
const STACK: &str = "Error: Service Unavailable\n    at postOrder (/app/src/sap/orders.ts:88:11)\n    at request (/app/node_modules/axios/lib/core.js:5:1)\n    at run (/app/node_modules/bullmq/worker.js:9:1)\n    at tick (node:internal/process/task_queues:95:5)";

fn order(id: &str, at: Timestamp, entity: &str) -> Start {
    Start {
        id: id.to_owned(),
        kind: Some(Kind::ApiCall),
        direction: Some(Direction::Out),
        system: "SAP".to_owned(),
        endpoint: Some("/po/create".to_owned()),
        method: Some("POST".to_owned()),
        url: Some("https://sap.example/po/create?plant=1000".to_owned()),
        operation: Some("CREATE".to_owned()),
        entity: Some(format!("PO {entity}")),
        actor: Some("SCHEDULER".to_owned()),
        request_headers: Some(json!({"Authorization": format!("Bearer {SECRET}"), "Content-Type": "application/json"})),
        request_body: Some(
            json!({"PurchaseOrder": {"Number": entity, "Lines": [{"sku": "MAT-1", "qty": 4}], "api_key": SECRET}}),
        ),
        metadata: Some(json!({"tenant": "org-3"})),
        started_at: at,
        ..Start::default()
    }
}

fn failed(at: Timestamp, wait: u64) -> Outcome {
    Outcome {
        status: Some(Status::Failed),
        http_status: Some(503),
        response_headers: Some(json!({"Retry-After": wait.to_string(), "Content-Type": "application/json"})),
        response_body: Some(json!({"error": {"code": "ServiceUnavailable"}})),
        error: Some("Service Unavailable".to_owned()),
        error_type: Some("ServiceUnavailable".to_owned()),
        error_stack: Some(STACK.to_owned()),
        completed_at: Some(at.plus_ms(2500)),
        next_retry_at: Some(at.plus_ms(2500 + wait as i64 * 1000)),
        ..Outcome::default()
    }
}

/// A purchase order that fails twice within a synchronisation, one that succeeded before, and other traffic.
async fn write_story(path: &Path) {
    let now = Clock::system().now();
    let at = |seconds: i64| now.plus_ms(seconds * 1000);
    let done = |at: Timestamp, ms: i64, code: u16| Outcome {
        status: Some(Status::Success),
        http_status: Some(code),
        response_body: Some(json!({"po_number": "4500012345"})),
        completed_at: Some(at.plus_ms(ms)),
        ..Outcome::default()
    };
    let of_trace = |start: Start, parent: Option<&str>| Start {
        correlation_id: Some(CORRELATION.to_owned()),
        parent_request_id: parent.map(str::to_owned),
        ..start
    };
    let attempt = |start: Start, n: u16| Start { attempt: Some(n), max_attempts: Some(3), ..start };
    let bare = |id: &str, kind: Kind, direction: Direction, system: &str, seconds: i64| Start {
        id: id.to_owned(),
        kind: Some(kind),
        direction: Some(direction),
        system: system.to_owned(),
        started_at: at(seconds),
        ..Start::default()
    };
    let hook =
        Start { operation: Some("order.created".to_owned()), ..bare(HOOK, Kind::Webhook, Direction::In, "Zoho", -200) };
    let sync = Start {
        operation: Some("orders".to_owned()),
        ..bare(SYNC, Kind::Sync, Direction::Internal, "orders-sync", -199)
    };
    let line = Start {
        level: Some(Level::Warn),
        message: Some("sync failed: SAP did not take the order".to_owned()),
        ..bare(LINE, Kind::Log, Direction::Internal, "orders-sync", -160)
    };
    let mut rows = vec![
        PreparedRow::new(order(BEFORE, at(-900), "PO-4710"), Some(done(at(-900), 1100, 201))),
        PreparedRow::new(of_trace(hook, None), Some(done(at(-200), 40, 200))),
        PreparedRow::new(
            of_trace(sync, Some(HOOK)),
            Some(Outcome { status: Some(Status::Success), ..done(at(-199), 38_000, 200) }),
        ),
        PreparedRow::new(
            of_trace(attempt(order(FIRST, at(-198), "PO-4711"), 1), Some(SYNC)),
            Some(failed(at(-198), 20)),
        ),
        PreparedRow::new(
            of_trace(attempt(order(SECOND, at(-170), "PO-4711"), 2), Some(FIRST)),
            Some(failed(at(-170), 600)),
        ),
        PreparedRow::new(of_trace(line, Some(SYNC)), Some(Outcome::default())),
    ];
    for n in 0..40 {
        let start = Start {
            endpoint: Some("/crm/v5/Contacts".to_owned()),
            method: Some("GET".to_owned()),
            ..bare(
                &format!("22222222-0000-4000-8000-0000000000{n:02}"),
                Kind::ApiCall,
                Direction::Out,
                "Zoho",
                -150 + n,
            )
        };
        rows.push(PreparedRow::new(start, Some(done(at(-150 + n), 90, 200))));
    }
    let mut recorder = SqliteRecorder::open(path).await.expect("opened");
    recorder.insert(&rows).await.expect("written");
    recorder.index().await.expect("indexed");
    recorder.close().await.expect("closed");
}

fn story() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("story.sqlite");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    runtime.block_on(write_story(&path));
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn paste(text: &str) -> String {
    format!("\u{1b}[200~{text}\u{1b}[201~")
}

/// What is asked of a request, the keys from the list, and what the screen then says.
const PATHS: &[(&str, &[&str], &str)] = &[
    ("who and what", &["E", "\r"], "triggered by SCHEDULER"),
    ("which entity", &["E", "\r"], "PO PO-4711"),
    ("what the status means", &["E", "\r"], "503 Service Unavailable: overloaded"),
    ("what was sent", &["E", "\r", "2"], "MAT-1"),
    ("what came back", &["E", "\r", "3"], "may be tried again in 10 min"),
    ("where it went wrong", &["E", "\r", "4"], "where  at postOrder (/app/src/sap/orders.ts:88:11)"),
    ("what is a library's", &["E", "\r", "4"], "3 library frames"),
    ("what comes next", &["E", "r"], "scheduled, in"),
    ("what the policy said", &["E", "r"], "retry in 20 s"),
    ("what differs between tries", &["E", "r"], "Retry-After 20 → 600"),
    ("tries side by side", &["E", "r", "c"], "try 1 and try 2"),
    ("the trace", &["E", "t"], "webhook → sync → 2 calls → log line"),
    ("the first failure", &["E", "t"], "◀ first"),
    ("against the last success", &["E", "\r", "c"], "PO PO-4710"),
    ("as the store holds it", &["E", "\r", "7"], "started_at  17"),
    ("why these fail", &["c"], "what tells 2 failures"),
];

#[test]
fn everything_is_within_three_keys() {
    let (_folder, path) = story();
    for (columns, rows) in [(160, 48), (80, 24)] {
        let mut terminal = Terminal::start(&[text(&path)], columns, rows);
        terminal.wait_for("following");
        terminal.wait_for("Contacts");
        for (what, keys, says) in PATHS {
            assert!(keys.len() <= 3, "{what}");
            for key in *keys {
                terminal.keys(key);
                terminal.settle();
            }
            if columns == 160 || says.chars().count() < 40 {
                terminal.wait_for(says);
            }
            assert!(!terminal.screen().contains(SECRET), "{what}");
            // Back to the list, and to the newest.
            for _ in 0..3 {
                terminal.keys("\u{1b}");
                terminal.settle();
            }
            terminal.keys("G");
            terminal.wait_for("following");
        }
        for pasted in [SECOND.to_owned(), format!("{{\"requestId\":\"{SECOND}\",\"message\":\"x\"}}")] {
            terminal.keys(&paste(&pasted));
            // It is found and opened without another key.
            terminal.wait_for("1 overview");
            terminal.wait_for("PO PO-4711");
            terminal.keys("\u{1b}");
            terminal.settle();
            terminal.keys("\u{1b}");
            terminal.settle();
        }
        terminal.keys("q");
        assert_eq!(terminal.wait_for_end(), 0);
        terminal.assert_restored();
    }
}

#[test]
fn a_view_is_opened_again_by_its_command() {
    let (_folder, path) = story();
    let mut terminal = Terminal::start(&[text(&path), "--open", SECOND, "--tab", "retries"], 120, 40);
    terminal.wait_for("policy's verdict");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    let mut terminal = Terminal::start(&[text(&path), "--open", "PO-4711"], 120, 40);
    // Two tries of one order: the newest opens by itself.
    terminal.wait_for("try 2 of 3");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    // Off the explorer, too: a line a source, on a terminal.
    let mut terminal = Terminal::start(&["show", "PO-4711", "-s", text(&path)], 160, 200);
    terminal.wait_for("story.sqlite: 2 found as a text anywhere");
    assert_eq!(terminal.wait_for_end(), 0);
    let wrong = crosstail(&[text(&path), "--open", "x", "--tab", "nothing"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("overview, request"));
}

#[test]
fn programs_outside_get_the_value_without_secrets_and_the_terminal_comes_back() {
    let (folder, path) = story();
    let kept = folder.path().join("kept");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args([text(&path), "--open", SECOND, "--tab", "request"]);
    let program = folder.path().join("program.sh");
    std::fs::write(&program, format!("cp \"$1\" {} && stat -c %a \"$1\" > {0}.mode\n", text(&kept))).expect("written");
    command.env("VISUAL", format!("sh {}", text(&program)));
    command.env("PAGER", "sh -c 'trap \"exit 3\" INT; echo paging; while :; do sleep 0.1; done' --");
    let mut terminal = Terminal::run(command, 120, 40);
    terminal.wait_for("MAT-1");
    terminal.keys("v");
    wait_for("the editor", || folder.path().join("kept.mode").exists());
    terminal.wait_until_taken(2);
    terminal.wait_for("MAT-1");
    let edited = std::fs::read_to_string(&kept).expect("kept");
    assert!(edited.contains("MAT-1") && !edited.contains(SECRET), "{edited}");
    assert_eq!(std::fs::read_to_string(folder.path().join("kept.mode")).expect("mode").trim(), "600");
    // Ctrl-C is the pager's: it ends, we go on.
    terminal.keys("V");
    terminal.wait_for("paging");
    terminal.keys("\u{3}");
    terminal.wait_for("the program failed with");
    let piped = folder.path().join("piped");
    terminal.keys("|");
    terminal.wait_for("pipe to a command");
    terminal.keys(&format!("cat > {}\r", text(&piped)));
    terminal.wait_for("Enter goes back");
    terminal.keys("\r");
    terminal.wait_for("MAT-1");
    let got = std::fs::read_to_string(&piped).expect("piped");
    let value: serde_json::Value = serde_json::from_str(&got).expect("JSON");
    assert_eq!(value["PurchaseOrder"]["Lines"][0]["sku"], "MAT-1");
    assert!(!got.contains(SECRET));
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn an_expression_without_end_is_ended_and_knows_no_environment() {
    let (_folder, path) = story();
    let mut terminal = Terminal::start(&[text(&path), "--open", SECOND, "--tab", "request"], 120, 40);
    terminal.wait_for("MAT-1");
    for (expression, says) in [
        (".PurchaseOrder.Lines[].qty * 10", "40"),
        ("env | length", "0"),
        ("def f: f; f", "did not finish within"),
        (".PurchaseOrder.api_key", "[REDACTED]"),
    ] {
        terminal.keys("J");
        terminal.wait_for("jq over this body");
        terminal.keys(&format!("\u{15}{expression}\r"));
        terminal.wait_for(says);
        assert!(!terminal.screen().contains(SECRET));
    }
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn an_incident_is_written_once_without_secrets_and_opens_anywhere() {
    let (folder, path) = story();
    let incident = folder.path().join("incident-1");
    let mut terminal = Terminal::start(&[text(&path), "--open", SECOND], 120, 40);
    terminal.wait_for("triggered by");
    terminal.keys("#");
    terminal.wait_for("stored with the mark");
    terminal.keys("SAP was down | see ticket 7\r");
    terminal.settle();
    terminal.keys("\u{1b}");
    terminal.settle();
    // The one before it, also where the list stood elsewhere while the first was opened from its store.
    for key in ["E", "E", "m", "E", "m", "m"] {
        terminal.keys(key);
        terminal.settle();
    }
    for says in ["2 marked", "already exists"] {
        terminal.keys("B");
        terminal.wait_for("write the incident to");
        terminal.keys(&format!("\u{15}{}\r", text(&incident)));
        terminal.wait_for(says);
    }
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    let (store, document) = (incident.with_extension("sqlite"), incident.with_extension("md"));
    let written = std::fs::read(&store).expect("a store");
    let document = std::fs::read_to_string(document).expect("a document");
    assert!(!written.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()) && !document.contains(SECRET));
    for says in
        ["| what | ", "| since | ", "| how many | 2 failed of ", "| systems | SAP (2 failed)", "| filter | ", "| by | "]
    {
        assert!(document.contains(says), "{says}: {document}");
    }
    assert!(document.contains("> SAP was down \\| see ticket 7"), "{document}");
    assert!(document.contains("| 2 |") && document.contains("orders.ts:88:11"), "{document}");
    let files: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("incident"))
        .collect();
    assert_eq!(files.len(), 2, "one file each, no journals beside them: {files:?}");
    let found = lines(&crosstail(&["query", "-s", text(&store), "-o", "json", "--sort", "time"]));
    let of = |id: &str| found.iter().find(|row| row["id"] == id).expect("there");
    assert_eq!(of(SECOND)["attempt"], 2);
    assert_eq!(of(FIRST)["attempt"], 1, "the other tries are there, too");
    for kind in ["webhook", "sync", "log"] {
        assert!(found.iter().any(|row| row["kind"] == kind), "the {kind} of its trace: {found:?}");
    }
    let marked = lines(&crosstail(&["query", "meta.marked:true", "-s", text(&store), "-o", "json"]));
    assert_eq!(marked.len(), 2);
    let noted = lines(&crosstail(&["query", "meta.note:*ticket*", "-s", text(&store), "-o", "json"]));
    assert_eq!(noted.len(), 1);
    let whole = lines(&crosstail(&["show", SECOND, "-s", text(&store), "-o", "json"]));
    assert_eq!(whole[0]["request"]["body"]["PurchaseOrder"]["Number"], "PO-4711");
    assert!(whole[0]["retry_chain"].as_array().is_some_and(|tries| tries.len() > 1), "{}", whole[0]["retry_chain"]);
    assert_eq!(whole[0]["metadata"]["tenant"], "org-3");
    assert_eq!(whole[0]["metadata"]["places"][0], "story.sqlite");
    let mut terminal = Terminal::start(&[text(&store)], 120, 40);
    terminal.wait_for("/po/create");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn show_finds_by_anything_in_every_source() {
    let (folder, path) = story();
    let other = folder.path().join("app.log");
    let line = format!(
        "{{\"level\":\"error\",\"time\":\"2026-11-20T09:00:00Z\",\"message\":\"gave up\",\"correlationId\":\"{CORRELATION}\"}}"
    );
    std::fs::write(&other, format!("{line}\n")).expect("written");
    let show = |what: &str, further: &[&str]| {
        let mut arguments = vec!["show", what, "-s", text(&path), "-s", text(&other), "-o", "json"];
        arguments.extend(further);
        crosstail(&arguments)
    };
    let parent = format!("00-{}-b7ad6b7169203331-01", CORRELATION.replace('-', ""));
    for (what, id) in [
        (SECOND, SECOND),
        ("PO-4710", BEFORE),
        (&format!("2026 ERROR [{FIRST}] it failed"), FIRST),
        (&format!("request_id={SECOND} gave up"), SECOND),
    ] {
        let output = show(what, &[]);
        assert_eq!(lines(&output)[0]["id"], id, "{what}");
    }
    // Several requests went there: a script gets none of them, and hears which.
    let several = show("https://sap.example/po/create?plant=1000", &[]);
    let said = String::from_utf8_lossy(&several.stderr).into_owned();
    assert_eq!((several.status.code(), several.stdout.len()), (Some(5), 0), "{said}");
    assert!(said.contains("3 activities match") && said.contains(SECOND), "{said}");
    for what in [CORRELATION, &parent] {
        let output = show(what, &[]);
        let trace = lines(&output)[0]["trace"].as_array().expect("a trace").len();
        assert_eq!(trace, 6, "{what}: five in the store, one line in the file");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("6 activities match") && said.contains(FIRST), "{said}");
        assert!(!said.contains('\u{1b}'), "no progress where no terminal is: {said}");
    }
    let output = show(SECOND, &["--compare"]);
    let whole = &lines(&output)[0];
    assert_eq!(whole["compared"]["with"]["id"], BEFORE);
    let parts = whole["compared"]["parts"].as_array().expect("parts");
    let response = parts.iter().find(|part| part["part"] == "response body").expect("the body");
    assert!(response.to_string().contains("4500012345"), "{response}");
    assert_eq!(whole["retry_chain_by"], "parent");
    assert_eq!(whole["retry_chain"][0]["policy"], "retry in 20 s");
    assert_eq!(whole["trace_ms"]["length"].as_f64().map(|ms| ms > 30_000.0), Some(true));
    assert!(!String::from_utf8_lossy(&output.stdout).contains(SECRET));
    let ticket = crosstail(&["show", SECOND, "-s", text(&path), "-o", "markdown", "--compare"]);
    let ticket = String::from_utf8_lossy(&ticket.stdout).into_owned();
    assert!(ticket.starts_with("## POST https://sap.example/po/create") && ticket.contains("**Tries"), "{ticket}");
    assert!(!ticket.contains(SECRET), "{ticket}");
    assert_eq!(show("nothing-like-it-4711", &[]).status.code(), Some(3));
    // A source that cannot be asked is said, and what the others know is shown.
    let gone = format!("sqlite://{}/none.sqlite", folder.path().display());
    let output = crosstail(&["show", SECOND, "-s", text(&path), "-s", &gone, "-o", "json"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stdout).contains(SECOND));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none.sqlite"));
}
