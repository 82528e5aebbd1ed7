//! `crosstail mcp`, asked by the client of the protocol's own library.

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RunningService;
use rmcp::transport::TokioChildProcess;
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use tokio::process::Command;

pub type Client = RunningService<RoleClient, ()>;

/// Starts the server in a folder, with these arguments.
pub async fn started(folder: &Path, arguments: &[&str]) -> Client {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
    command.arg("mcp").args(arguments).current_dir(folder).env("HOME", folder).env_remove("XDG_CONFIG_HOME");
    ().serve(TokioChildProcess::new(command).expect("started")).await.expect("a server")
}

pub async fn asked(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else { panic!("no arguments") };
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.expect("an answer")
}

/// What a tool answers, as JSON.
async fn answer(client: &Client, tool: &'static str, arguments: Value) -> Value {
    let answer = asked(client, tool, arguments).await;
    assert_ne!(answer.is_error, Some(true), "{answer:?}");
    answer.structured_content.expect("structured")
}

/// What a tool says is wrong.
async fn problem(client: &Client, tool: &'static str, arguments: Value) -> String {
    let answer = asked(client, tool, arguments).await;
    assert_eq!(answer.is_error, Some(true), "{answer:?}");
    serde_json::to_string(&answer.content).expect("JSON")
}

/// 100 requests of a minute, five of them at the same moment, every tenth of them failed; and one with a secret.
fn log(folder: &Path) {
    let mut text = String::new();
    for n in 0..100_u32 {
        let second = if (50..55).contains(&n) { 50 } else { n };
        let (status, error) = if n.is_multiple_of(10) { (502, ",\"error\":\"bad gateway\"") } else { (200, "") };
        let _ = writeln!(
            text,
            "{{\"time\":\"2026-11-20T10:{:02}:{:02}Z\",\"level\":\"info\",\"msg\":\"order {n} sent\",\"system\":\"SAP\",\
             \"method\":\"POST\",\"url\":\"https://sap.example/po\",\"status\":{status},\"request_id\":\"order-{n:04}\",\"note\":\"n\"{error}}}",
            second / 60,
            second % 60,
        );
    }
    text.push_str(
        "{\"time\":\"2026-11-20T11:00:00Z\",\"level\":\"error\",\"msg\":\"login failed password=hunter2-and-more\"}\n",
    );
    std::fs::write(folder.join("app.log"), text).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_learns_what_a_person_would_see() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let client = started(folder.path(), &["-s", "app.log"]).await;
    let about = client.peer_info().expect("about the server");
    assert!(serde_json::to_string(&about).expect("JSON").contains("read-only"), "{about:?}");
    let tools = client.list_all_tools().await.expect("tools");
    for tool in &tools {
        assert_eq!(tool.annotations.as_ref().and_then(|about| about.read_only_hint), Some(true), "{}", tool.name);
        assert!(tool.description.as_ref().is_some_and(|text| !text.is_empty()), "{}", tool.name);
    }
    let sources = answer(&client, "sources", json!({})).await;
    assert_eq!(sources["sources"][0], json!({"name": "app.log", "kind": "file", "at": ["app.log"]}));
    let language = serde_json::to_string(&asked(&client, "filter_language", json!({})).await.content).expect("JSON");
    assert!(language.contains("http_status"), "{language}");

    let figures = answer(&client, "figures", json!({"by": ["system"], "filter": "system:SAP"})).await;
    assert_eq!((&figures["groups"][0]["count"], &figures["groups"][0]["failed"]), (&json!(100), &json!(10)));
    let fields = answer(&client, "fields", json!({"limit": 100})).await;
    let field = |name: &str| fields["fields"].as_array().and_then(|all| all.iter().find(|one| one["field"] == name));
    let system = field("system").unwrap_or_else(|| panic!("{fields}"));
    assert!(system["types"] == json!(["text"]) && system["count"].as_u64() <= system["sampled"].as_u64(), "{system}");
    let path = field("meta.note").unwrap_or_else(|| panic!("{fields}"));
    assert!(path["count"].as_u64() > Some(0), "{path}");
    let patterns = answer(&client, "patterns", json!({})).await;
    assert_eq!(patterns["patterns"][0]["pattern"], "order <*> sent");
    let failures = answer(&client, "failures", json!({"filter": "system:SAP"})).await;
    let group = &failures["groups"][0];
    assert_eq!(
        (&group["count"], &group["pattern"], &group["kind"]),
        (&json!(10), &json!("bad gateway"), &json!("502"))
    );
    assert!(group["state"].is_string() && group["filter"].is_string(), "{failures}");
    let changes = answer(&client, "changes", json!({"since": "2026-11-20", "by": ["system", "endpoint"]})).await;
    assert!(changes["changes"].is_array(), "{changes}");
    assert!(problem(&client, "changes", json!({"by": ["id"]})).await.contains("changes are told by"));
    let health = answer(&client, "health", json!({"window": "15m"})).await;
    assert!(health["health"].is_array(), "{health}");
    assert_eq!(answer(&client, "alerts", json!({})).await["alerts"], json!([]));

    let failed = answer(&client, "search", json!({"filter": "status:failed system:SAP", "limit": 1})).await;
    let id = failed["activities"][0]["id"].as_str().expect("an id").to_owned();
    let shown = answer(&client, "show", json!({"id": id})).await;
    assert!(shown["http_status"] == 502 && shown.get("raw").is_none() && shown.get("trace").is_none(), "{shown}");
    assert!(answer(&client, "show", json!({"id": id, "raw": true})).await.get("raw").is_some());
    assert!(answer(&client, "trace", json!({"id": id})).await["id"] == json!(id));

    // What is hidden everywhere is hidden here.
    let login = asked(&client, "search", json!({"filter": "login"})).await;
    let login = serde_json::to_string(&login).expect("JSON");
    assert!(login.contains("login failed") && !login.contains("hunter2"), "{login}");
    client.cancel().await.expect("ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_each_row_once() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let client = started(folder.path(), &["-s", "app.log"]).await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<Value>, 0);
    loop {
        let mut question = json!({"filter": "system:SAP", "limit": 3, "fields": ["request_id"]});
        if let Some(cursor) = cursor {
            question["cursor"] = cursor;
        }
        let page = answer(&client, "search", question).await;
        let rows = page["activities"].as_array().expect("rows");
        assert!(rows.len() <= 3 && !rows.is_empty(), "{page}");
        seen.extend(rows.iter().map(|row| row["request_id"].as_str().expect("an id").to_owned()));
        pages += 1;
        match page.get("next") {
            Some(next) => cursor = Some(next.clone()),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (34, 100));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 100);
    client.cancel().await.expect("ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_can_be_wrong_too_large_or_too_slow_and_names_no_source() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let client = started(folder.path(), &["-s", "app.log", "--max-bytes", "4000"]).await;
    assert!(problem(&client, "search", json!({"filter": "sttus:failed"})).await.contains("did you mean 'status'?"));
    assert!(problem(&client, "search", json!({"cursor": "tomorrow"})).await.contains("cursor"));
    assert!(problem(&client, "show", json!({"id": "nothing-has-it"})).await.contains("nothing"));
    // What is no field is refused by its name; a path of a payload is loaded.
    assert!(problem(&client, "search", json!({"fields": ["nonsense"]})).await.contains("no field 'nonsense'"));
    let page = answer(&client, "search", json!({"fields": ["http_status", "meta.nothing"], "limit": 1})).await;
    assert!(page["activities"][0]["id"].is_string() && page["activities"][0]["started_at"].is_string(), "{page}");
    for tool in ["search", "figures", "failures"] {
        assert!(problem(&client, tool, json!({"limit": 0})).await.contains("limit is 0"), "{tool}");
    }
    // A value is a value: it is no option, and no other file.
    let written = folder.path().join("written");
    let option = format!("--run=touch {}", written.display());
    for tool in ["search", "figures", "patterns"] {
        let _ = asked(&client, tool, json!({"filter": option, "since": option, "until": option})).await;
    }
    let _ = asked(&client, "show", json!({"id": option})).await;
    let _ = asked(&client, "health", json!({"window": option})).await;
    assert!(!written.exists());
    // An unknown argument, such as a source, is refused.
    assert!(problem(&client, "search", json!({"source": "/etc/passwd"})).await.contains("unknown field"));
    // An answer ends where its budget ends, and goes on behind the cursor.
    let page = asked(&client, "search", json!({"limit": 100})).await;
    let both = serde_json::to_string(&page).expect("JSON").len();
    assert!(both <= 4000, "{both} bytes with the text of it");
    let page = page.structured_content.expect("structured");
    let count = page["activities"].as_array().expect("rows").len();
    assert!(page.to_string().len() <= 4000 && (2..100).contains(&count) && page["next"].is_string(), "{page}");
    client.cancel().await.expect("ended");

    let hurried = started(folder.path(), &["-s", "app.log", "--timeout", "1ms"]).await;
    assert!(problem(&hurried, "figures", json!({})).await.contains("narrow the range"));
    hurried.cancel().await.expect("ended");
}

/// What is no JSON is answered, as the protocol wants it, and what follows is, too.
#[test]
fn a_line_that_is_no_json_is_answered() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(["mcp", "-s", "app.log"]).current_dir(folder.path()).env("HOME", folder.path());
    command.env_remove("XDG_CONFIG_HOME").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut server = command.spawn().expect("started");
    let mut to = server.stdin.take().expect("a pipe");
    let mut from = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut next = || -> Value {
        let mut line = String::new();
        from.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    writeln!(to, "{{\"jsonrpc\": \"2.0\", \"id\": 1,").expect("written");
    let refused = next();
    assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32700), &Value::Null), "{refused}");
    let about = json!({"name": "test", "version": "1"});
    let parameters = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": about});
    writeln!(to, "{}", json!({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": parameters}))
        .expect("written");
    assert_eq!(next()["id"], json!(7));
    drop(to);
    server.wait().expect("ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    log(folder.path());
    let closed = "postgres://nobody@127.0.0.1:1/none";
    let client = started(folder.path(), &["-s", "app.log", "-s", closed]).await;
    let page = answer(&client, "search", json!({"limit": 1})).await;
    assert!(page["complete"] == json!(false) && page["notes"].to_string().contains("127.0.0.1:1"), "{page}");
    assert_eq!(page["activities"].as_array().map(Vec::len), Some(1));
    client.cancel().await.expect("ended");
}
