//! A secret of every rule, in every field, encoded too: what leaves the program is looked at byte by byte.

use super::{filled, has, planted};
use crate::mcp;
use crate::pty::Terminal;
use crate::support::wait_for;
use crosstail_core::model::Status;
use crosstail_core::model::planted::planted as of_every_rule;
use crosstail_record::{Outcome, Start};
use crosstail_record::{PreparedRow, SqliteRecorder};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A planted secret: what hides it, what a log says, and the secret.
struct Planted {
    what: String,
    text: String,
    secret: String,
}

fn all() -> Vec<Planted> {
    let rules = of_every_rule(1).into_iter().map(|one| Planted { what: one.rule, text: one.text, secret: one.secret });
    let told = planted().into_iter().map(|(context, secret)| Planted {
        what: context.to_owned(),
        text: filled(context, &secret),
        secret,
    });
    rules.chain(told).collect()
}

/// A text as a form has it; one that has a plus itself is encoded as a whole.
fn in_form(text: &str) -> String {
    if text.contains('+') { utf8_percent_encode(text, NON_ALPHANUMERIC).to_string() } else { text.replace(' ', "+") }
}

/// A record with a secret in every field that a line can have.
fn record(number: usize, one: &Planted) -> Value {
    let Planted { text, secret, .. } = one;
    let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    json!({
        "timestamp": format!("2026-11-20T09:{:02}:{:02}Z", number / 60, number % 60), "level": "error", "message": text, "error": text,
        "service": "shop", "system": text, "requestId": format!("r-{number}"), "correlationId": text, "parentRequestId": text,
        "url": format!("https://h/x?note={}&body={encoded}", in_form(text)), "method": text, "endpoint": text,
        "statusCode": 500, "operation": text, "user": text, "entity": text, "organization": text, "errorType": text,
        "stack": format!("Error: {text}\n    at f (a.js:1:1)"), "tags": [text],
        "req": {
            "headers": { "x-note": text, "x-encoded": encoded },
            "body": { "deep": [{ "text": text, "encoded": encoded, "html": html }], "password": secret, "text": json!({ "note": text }).to_string() },
        },
        "res": { "body": text, "headers": { "set-cookie": format!("sid={secret}9; Path=/") } },
        "attributes": [{ "key": "db.password", "value": { "stringValue": secret } }], "rawHeaders": ["X-Api-Key", format!("{secret}!1")],
    })
}

/// A folder with such a log, and where all that the program keeps is kept.
struct World {
    folder: tempfile::TempDir,
    planted: Vec<Planted>,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a folder"), planted: all() };
        let lines: String =
            world.planted.iter().enumerate().map(|(number, one)| format!("{}\n", record(number, one))).collect();
        std::fs::write(world.path("app.log"), lines).expect("written");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, folder) in self.environment() {
            command.env(name, folder);
        }
        command.env("CROSSTAIL_LOG", "trace");
        command
    }

    fn environment(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("HOME", self.path("home")),
            ("XDG_CONFIG_HOME", self.path("config")),
            ("XDG_STATE_HOME", self.path("state")),
            ("XDG_CACHE_HOME", self.path("cache")),
        ]
    }

    /// All that a command prints.
    fn printed(&self, arguments: &[&str]) -> Vec<u8> {
        let log = self.text_path("own.log");
        let output = self.command(&[arguments, &["--log-file", &log]].concat()).output().expect("run");
        let said = String::from_utf8_lossy(&output.stderr);
        // Some say by their code what they found.
        let ended = output.status.code().is_some_and(|code| code <= 2) && !said.contains("panicked");
        assert!(ended, "{arguments:?}: {:?} {said}", output.status);
        [output.stdout, output.stderr].concat()
    }

    /// The planted secrets that are in an output.
    fn found<'w>(&'w self, output: &[u8]) -> Vec<&'w str> {
        let is_in = |one: &&Planted| {
            // Some digits are a part of many numbers: what is before them tells.
            let at = one.text.find(&one.secret).expect("there");
            let is_number = one.secret.len() < 12 && one.secret.bytes().all(|b| b.is_ascii_digit());
            let from = if is_number { one.text.floor_char_boundary(at.saturating_sub(4)) } else { at };
            let secret = &one.text[from..at + one.secret.len()];
            // As it is, within JSON, within an address, and within a form.
            let json = serde_json::to_string(secret).expect("JSON");
            let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            let form = secret.replace(' ', "+");
            [secret, json.trim_matches('"'), &encoded, &form].iter().any(|spelled| has(output, spelled))
        };
        self.planted.iter().filter(is_in).map(|one| one.what.as_str()).collect()
    }

    fn assert_clean(&self, name: &str, output: &[u8]) {
        let found = self.found(output);
        let first = self.planted.iter().find(|one| found.first() == Some(&one.what.as_str()));
        let context = first.map_or(String::new(), |one| {
            let at = output.windows(one.secret.len()).position(|window| window == one.secret.as_bytes()).unwrap_or(0);
            String::from_utf8_lossy(&output[at.saturating_sub(120)..output.len().min(at + 160)]).into_owned()
        });
        assert!(found.is_empty(), "{name} has {} of {}: {found:?}: …{context}…", found.len(), self.planted.len());
    }

    /// Looks at every file below a folder.
    fn assert_files_clean(&self, below: &str) {
        for path in crate::support::files_below(&self.path(below)) {
            let bytes = std::fs::read(&path).expect("read");
            self.assert_clean(&path.display().to_string(), &bytes);
        }
    }
}

#[test]
fn no_command_prints_or_writes_a_secret() {
    let world = World::new();
    let log = world.text_path("app.log");
    assert!(world.found(&std::fs::read(&log).expect("read")).len() == world.planted.len(), "they are there");
    let mut shown = 0;
    let mut look = |arguments: &[&str]| {
        let printed = world.printed(&[arguments, &["-s", &log]].concat());
        world.assert_clean(&arguments.join(" "), &printed);
        shown += usize::from(has(&printed, "[REDACTED]"));
    };
    for format in ["text", "table", "wide", "json", "csv", "name"] {
        look(&["query", "-o", format, "--limit", "0"]);
    }
    let columns =
        "message,url,system,corr,parent,meta,req.header,req.body,res.body,res.header,stack,raw,req.body.password";
    look(&["query", "-o", "csv", "--limit", "0", "--columns", columns]);
    look(&["query", "-o", "json", "--limit", "0", "--columns", columns]);
    for by in ["error", "system", "endpoint", "actor", "operation"] {
        for format in ["table", "json", "csv", "html"] {
            look(&["stats", "-o", format, "--by", by]);
        }
    }
    for arguments in [
        &["failures"][..],
        &["failures", "-o", "json"],
        &["fields"],
        &["fields", "-o", "json"],
        &["patterns"],
        &["patterns", "-o", "json"],
        &["changes"],
        &["changes", "-o", "json"],
        &["compare", "status:failed", "--with", "service:shop"],
        &["health"],
        &["health", "-o", "json"],
        &["doctor"],
    ] {
        look(arguments);
    }
    assert!(shown > 12, "the texts are there: {shown}");
    for number in (0..world.planted.len()).step_by(3) {
        let id = format!("r-{number}");
        let form = ["text", "json", "curl", "markdown"][number % 4];
        let printed = world.printed(&["show", &id, "-s", &log, "-o", form]);
        world.assert_clean(&format!("show {id} -o {form}"), &printed);
    }
    for ending in ["csv", "ndjson", "parquet", "sqlite"] {
        let to = world.text_path(&format!("out.{ending}"));
        let printed = world.printed(&["export", "-s", &log, "--payloads", "--output", &to]);
        world.assert_clean("export", &printed);
        world.assert_clean(&to, &std::fs::read(&to).expect("written"));
    }
    for kept in ["own.log", "home", "state", "cache", "config"] {
        world.assert_files_clean(kept);
    }
    world.assert_clean("the log of the program", &std::fs::read(world.path("own.log")).expect("a log"));
}

/// What follows, and what stays behind: `tail` and the state, the messages and the page of a watch.
#[test]
fn nothing_that_follows_tells_or_keeps_a_secret() {
    let world = World::new();
    let written = std::fs::read_to_string(world.path("app.log")).expect("read");
    std::fs::create_dir_all(world.path("config/crosstail/rules")).expect("made");
    let rule = "name = \"Many\"\ntitle = \"many failures\"\nseverity = \"critical\"\nwhen = \"> 0\"\nwindow = \"24h\"\ncooldown = \"0s\"\n\
                message = \"{count} failures of {group}\"\n[activities]\nfilter = \"is:failure\"\nmeasure = \"count\"\nby = \"system\"\n";
    std::fs::write(world.path("config/crosstail/rules/many.toml"), rule).expect("written");
    let told = world.path("told.jsonl");
    let channel =
        format!("[[channel]]\nname = \"command\"\nkind = \"command\"\ncommand = \"cat >> {}\"\n", told.display());
    std::fs::write(world.path("config/crosstail/config.toml"), channel).expect("written");
    std::fs::write(world.path("live.log"), "").expect("written");
    let run = |arguments: &[&str], to: &str| {
        let out = std::fs::File::create(world.path(to)).expect("made");
        let both = out.try_clone().expect("cloned");
        let log = world.text_path(&format!("{to}.log"));
        let mut command = world.command(&[arguments, &["-s", "live.log", "--log-file", &log]].concat());
        command.stdout(out).stderr(both).spawn().expect("started")
    };
    let mut children = vec![
        run(&["tail", "-o", "json"], "tail.json"),
        run(&["tail", "-o", "text"], "tail.text"),
        run(&["watch"], "watch.said"),
    ];
    let seen = |name: &str| std::fs::read(world.path(name)).unwrap_or_default();
    let now = crosstail_core::model::Clock::system().now().rfc3339();
    let mut rows = 0;
    // Until each of them follows.
    wait_for("all to follow", || {
        rows += 1;
        let line = json!({ "timestamp": now, "level": "error", "message": format!("begin {rows}"), "system": "first" });
        append(&world.path("live.log"), &format!("{line}\n"));
        ["tail.json", "tail.text"].iter().all(|name| has(&seen(name), "begin")) && has(&seen("told.jsonl"), "first")
    });
    let live: String = written
        .lines()
        .map(|line| {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            value["timestamp"] = json!(now);
            format!("{value}\n")
        })
        .collect();
    append(&world.path("live.log"), &live);
    let last = format!("r-{}", world.planted.len() - 1);
    append(
        &world.path("live.log"),
        &format!("{}\n", json!({ "timestamp": now, "level": "error", "message": "end", "system": "last" })),
    );
    wait_for("all of it", || {
        has(&seen("tail.json"), &last) && has(&seen("tail.text"), "end") && has(&seen("told.jsonl"), "last")
    });
    wait_for("the state", || {
        let files = crate::support::files_below(&world.path("state"));
        files.iter().any(|path| path.ends_with("watch.json") && has(&std::fs::read(path).unwrap_or_default(), "last"))
    });
    for child in &mut children {
        child.kill().expect("ended");
        child.wait().expect("ended");
    }
    for name in
        ["tail.json", "tail.text", "watch.said", "told.jsonl", "tail.json.log", "tail.text.log", "watch.said.log"]
    {
        world.assert_clean(name, &seen(name));
    }
    assert!(has(&seen("told.jsonl"), "[REDACTED]") && has(&seen("tail.json"), "[REDACTED]"));
    for kept in ["state", "cache", "home"] {
        world.assert_files_clean(kept);
    }
}

fn append(path: &Path, text: &str) {
    use std::io::Write as _;
    std::fs::File::options().append(true).open(path).expect("opened").write_all(text.as_bytes()).expect("written");
}

/// What the explorer draws, copies, remembers and writes.
#[test]
fn no_screen_copy_report_or_memory_has_a_secret() {
    let world = World::new();
    let log = world.text_path("app.log");
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(["-s", &log, "--log-file", &world.text_path("screen.log")]);
    command.cwd(world.folder.path());
    command.env("CROSSTAIL_LOG", "trace");
    let mut terminal = Terminal::run_as_it_is(command, &world.environment(), 220, 70);
    terminal.wait_for("[REDACTED]");
    let look = |terminal: &Terminal, what: &str| {
        terminal.settle();
        // As one reads it, and where lines are wrapped.
        let screen = terminal.screen();
        world.assert_clean(what, screen.as_bytes());
        world.assert_clean(what, screen.lines().map(str::trim).collect::<String>().as_bytes());
    };
    // The list, page by page.
    for page in 0..4 {
        look(&terminal, &format!("page {page} of the list"));
        terminal.keys("\u{1b}[5~");
    }
    // Opened activities with all their parts and copies.
    terminal.keys("g");
    for row in 0..world.planted.len() / 8 {
        terminal.keys("\r");
        terminal.wait_for("overview");
        for part in 0..7 {
            look(&terminal, &format!("part {part} of row {row}"));
            terminal.keys(["yy", "yb", "yj", "yc", "ym"][part % 5]);
            terminal.keys(">");
        }
        terminal.keys("\u{1b}");
        terminal.keys("jjjjjjjj");
    }
    for (keys, what) in
        [("F", "failures"), ("p", "patterns"), ("~", "changes"), ("h", "health"), ("s", "sources"), ("L", "log")]
    {
        terminal.keys(keys);
        look(&terminal, what);
        terminal.keys("\u{1b}");
        terminal.settle();
    }
    // A filter with a secret is used, but not remembered.
    let ghp = &world.planted.iter().find(|one| one.what == "note @").expect("planted").secret;
    terminal.keys(&format!("/{ghp}\r"));
    terminal.settle();
    terminal.keys("/\u{15}\r");
    terminal.settle();
    terminal.keys("m");
    terminal.keys("B");
    terminal.wait_for("write the incident to");
    terminal.keys(&format!("\u{15}{}\r", world.text_path("incident")));
    wait_for("the incident", || world.path("incident.md").exists() && world.path("incident.sqlite").exists());
    terminal.settle();
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    let bytes = terminal.bytes();
    world.assert_clean("what was sent to the terminal", &bytes);
    let copies = copies(&bytes);
    assert!(copies.len() > 20 && copies.iter().any(|copy| has(copy, "[REDACTED]")), "{}", copies.len());
    for copy in copies {
        world.assert_clean("a copy", &copy);
    }
    for name in ["incident.md", "incident.sqlite", "screen.log"] {
        let bytes = std::fs::read(world.path(name)).expect(name);
        world.assert_clean(name, &bytes);
    }
    for kept in ["state", "cache", "home"] {
        world.assert_files_clean(kept);
    }
}

/// What was copied by OSC 52.
fn copies(bytes: &[u8]) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let text = String::from_utf8_lossy(bytes);
    let parts = text.split("\u{1b}]52;c;").skip(1).filter_map(|rest| rest.split(['\u{7}', '\u{1b}']).next());
    parts.map(|part| base64::engine::general_purpose::STANDARD.decode(part).expect("Base64")).collect()
}

/// Programs that assist people, and the recorder for services.
#[tokio::test(flavor = "multi_thread")]
async fn neither_programs_nor_stores_get_a_secret() {
    let world = World::new();
    let client = mcp::started(world.folder.path(), &["-s", "app.log"]).await;
    for (tool, arguments) in [
        ("search", json!({ "limit": 200 })),
        ("search", json!({ "limit": 100, "fields": ["message", "url", "error", "system", "corr", "parent"] })),
        ("figures", json!({ "by": ["system", "endpoint"] })),
        ("failures", json!({})),
        ("fields", json!({})),
        ("patterns", json!({})),
        ("changes", json!({ "since": "2026-11-20", "by": ["system", "endpoint"] })),
        ("health", json!({ "window": "24h" })),
        ("sources", json!({})),
    ] {
        let answer = serde_json::to_vec(&mcp::asked(&client, tool, arguments).await).expect("JSON");
        world.assert_clean(tool, &answer);
    }
    for number in (0..world.planted.len()).step_by(7) {
        let question = json!({ "id": format!("r-{number}"), "raw": true });
        let answer = serde_json::to_vec(&mcp::asked(&client, "show", question).await).expect("JSON");
        world.assert_clean("show", &answer);
    }
    client.cancel().await.expect("ended");

    let path = world.path("recorded.sqlite");
    let mut recorder = SqliteRecorder::open(&path).await.expect("opened");
    let rows: Vec<PreparedRow> = world.planted.iter().enumerate().map(|(number, one)| recorded(number, one)).collect();
    recorder.insert(&rows).await.expect("written");
    recorder.close().await.expect("closed");
    assert!(has(&std::fs::read(&path).expect("read"), "[REDACTED]"));
    world.assert_clean("the recorder's store", &std::fs::read(&path).expect("read"));
}

fn recorded(number: usize, one: &Planted) -> PreparedRow {
    let text = || Some(one.text.clone());
    let body = json!({ "note": one.text, "password": one.secret, "deep": [[one.text]] });
    let start = Start {
        id: format!("r-{number}"),
        system: "shop".to_owned(),
        url: Some(format!("https://h/x?note={}", in_form(&one.text))),
        message: text(),
        operation: text(),
        entity: text(),
        actor: text(),
        request_headers: Some(json!({ "X-Note": one.text })),
        request_body: Some(body.clone()),
        metadata: Some(json!({ "note": one.text })),
        started_at: crosstail_core::model::Clock::system().now(),
        ..Start::default()
    };
    let outcome = Outcome {
        status: Some(Status::Failed),
        error: text(),
        error_type: text(),
        error_stack: text(),
        response_headers: Some(json!({ "X-Note": one.text })),
        response_body: Some(body),
        ..Outcome::default()
    };
    PreparedRow::new(start, Some(outcome))
}
