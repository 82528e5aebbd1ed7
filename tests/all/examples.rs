//! Every example of the help, of the README and of the book is run, as it is written, and has to print what it is for: only the
//! addresses of servers are those of the tests.

use crate::book;
use crate::kafka;
use crate::measures::Service;
use crate::pty::Terminal;
use crate::servers::{Kind, shared, shared_for_writing as own, unique_name};
use crate::support::crosstail;
use crate::writing::said;
use crosstail_core::model::{Clock, Direction, Kind as Sort, Status};
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use portable_pty::CommandBuilder;
use regex::Regex;
use serde_json::json;
use sqlx::AssertSqlSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every command with a help of its own.
const COMMANDS: [&[&str]; 35] = [
    &[],
    &["demo"],
    &["tail"],
    &["query"],
    &["stats"],
    &["fields"],
    &["patterns"],
    &["failures"],
    &["changes"],
    &["compare"],
    &["mark"],
    &["show"],
    &["health"],
    &["alerts"],
    &["alerts", "list"],
    &["alerts", "ack"],
    &["alerts", "resolve"],
    &["alerts", "silence"],
    &["alerts", "unsilence"],
    &["watch"],
    &["schema"],
    &["schema", "list"],
    &["schema", "show"],
    &["schema", "apply"],
    &["schema", "draft"],
    &["redact"],
    &["doctor"],
    &["export"],
    &["resend"],
    &["generate"],
    &["config", "init"],
    &["config", "show"],
    &["config", "json-schema"],
    &["completions"],
    &["man"],
];
/// Commands that have to have examples.
const WITH_EXAMPLES: [&str; 25] = [
    "",
    "tail",
    "query",
    "stats",
    "fields",
    "patterns",
    "failures",
    "changes",
    "compare",
    "mark",
    "show",
    "health",
    "alerts",
    "watch",
    "apply",
    "draft",
    "redact",
    "doctor",
    "export",
    "resend",
    "generate",
    "init",
    "completions",
    "man",
    "demo",
];

/// The command of a line: without what is said about it.
fn command(line: &str) -> String {
    let (mut quote, mut spaces, mut out) = (None, 0, String::new());
    for c in line.trim().chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        spaces = if c == ' ' && quote.is_none() { spaces + 1 } else { 0 };
        if spaces == 2 {
            break;
        }
        out.push(c);
    }
    out.trim().to_owned()
}

/// The examples, in the order in which they stand.
fn examples() -> Vec<String> {
    let mut found = Vec::new();
    for words in COMMANDS {
        let mut all = words.to_vec();
        all.push("--help");
        let help = String::from_utf8(crosstail(&all).stdout).expect("UTF-8");
        assert!(help.contains("Usage: crosstail"), "{words:?}");
        let section = help.split("Examples:\n").nth(1).unwrap_or_default();
        let lines: Vec<String> = section.lines().take_while(|line| line.starts_with("  ")).map(command).collect();
        if WITH_EXAMPLES.contains(words.last().unwrap_or(&"")) {
            assert!(!lines.is_empty(), "{words:?} has no examples");
        }
        for line in &lines {
            assert!(line.starts_with("crosstail") || line.starts_with("kubectl"), "wrapped, or no command: {line}");
        }
        found.extend(lines);
    }
    for block in book::pages().iter().flat_map(book::Page::blocks).filter(|block| block.language == "sh") {
        let lines = block.text.lines().map(command);
        // Building and testing are what has led here.
        found.extend(lines.filter(|line| !line.is_empty() && !line.starts_with("cargo ") && line != "scripts/test"));
    }
    assert!(found.len() > 50, "{found:#?}");
    let mut seen = std::collections::HashSet::new();
    found.retain(|line| seen.insert(line.clone()));
    found
}

/// What an example finds there.
struct World {
    folder: tempfile::TempDir,
    substitutions: Vec<(Regex, String)>,
    engineering: String,
    _service: Service,
}

impl World {
    async fn new() -> Option<Self> {
        // The servers, with what the examples connect to.
        let (postgres, mongo) = (shared(Kind::Postgres).await?, shared(Kind::MongoReplica).await?);
        let (search, broker) = (own(Kind::Elasticsearch).await?, own(Kind::Kafka).await?);
        let folder = tempfile::tempdir().expect("a folder");
        let here = |name: &str| folder.path().join(name).display().to_string();
        for name in [
            "logs",
            "home/.local/share/bash-completion/completions",
            "home/.zfunc",
            "home/.config/fish/completions",
            "home/.config/crosstail/formats",
            "config/crosstail",
        ] {
            std::fs::create_dir_all(folder.path().join(name)).expect("made");
        }
        let id = "7f3a9c21-0000-4abc-8def-0123456789ab";
        let now = Clock::system().now().plus_ms(-60_000);
        let line = |message: &str, more: serde_json::Value| {
            let mut line = json!({ "timestamp": now.rfc3339(), "level": "INFO", "message": message, "service": "halopsa-integration", "requestId": id, "system": "SAP" });
            line.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            format!("{line}\n")
        };
        let log = line("API Request Started", json!({ "method": "POST", "url": "/po/create" }))
            + &line("API Request Completed", json!({ "statusCode": 503, "duration": 900 }));
        std::fs::write(folder.path().join("logs/app.log"), &log).expect("written");
        std::fs::write(folder.path().join("app.log"), &log).expect("written");
        std::fs::write(folder.path().join("logs/other.log"), &log).expect("written");
        let odd = "@@ 2024-05-06 07:08:00 careful pay slow bank\n@@ 2024-05-06 07:08:01 fine pay all well\n";
        for name in ["odd.log", "logs/odd.log"] {
            std::fs::write(folder.path().join(name), odd).expect("written");
        }
        let made = crosstail(&[
            "generate",
            "--to",
            &here("demo.sqlite"),
            "--count",
            "1500",
            "--history",
            "40m",
            "--rate",
            "1",
            "--for",
            "0s",
            // Of a number by chance, one might be the order that the examples ask for.
            "--seed",
            "7",
        ]);
        assert!(made.status.success(), "{}", said(&made));
        let order = |id: &str, number: &str, status, ago: i64| {
            let start = Start {
                id: id.to_owned(),
                kind: Some(Sort::ApiCall),
                direction: Some(Direction::Out),
                system: "SAP".to_owned(),
                endpoint: Some("/po/create".to_owned()),
                method: Some("POST".to_owned()),
                url: Some("https://sap.example/po/create".to_owned()),
                entity: Some(format!("PO {number}")),
                started_at: now.plus_ms(-ago),
                ..Start::default()
            };
            PreparedRow::new(
                start,
                Some(Outcome {
                    status: Some(status),
                    http_status: Some(201),
                    completed_at: Some(now.plus_ms(7 - ago)),
                    ..Outcome::default()
                }),
            )
        };
        let mut recorder = SqliteRecorder::open(&folder.path().join("demo.sqlite")).await.expect("opened");
        let orders = [order("o-1", "PO-4710", Status::Success, 9000), order(id, "PO-4711", Status::Failed, 500)];
        recorder.insert(&orders).await.expect("written");
        recorder.close_compacted().await.expect("closed");
        std::fs::copy(folder.path().join("demo.sqlite"), folder.path().join("store.sqlite")).expect("copied");
        let config = format!(
            "[[source]]\nname = \"demo\"\nat = \"{}\"\n[[channel]]\nname = \"c\"\nkind = \"command\"\ncommand = \"cat >> {}\"\n[profile.prod]\ntheme = \"light\"\n",
            here("demo.sqlite"),
            here("told")
        );
        std::fs::write(folder.path().join("config/crosstail/config.toml"), config).expect("written");
        let (prokure, engineering) =
            (postgres.postgres_database(&["prokure"]).await, postgres.postgres_database(&["engineering-logs"]).await);
        let mut on = postgres.postgres_connection(&engineering).await;
        let text = format!(
            "INSERT INTO users (username, email, password_hash) VALUES ('ann', 'ann@example.com', 'x'); \
             INSERT INTO alerts (id, title, severity) VALUES ('{id}', 'orders fail', 'HIGH')"
        );
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.expect("written");
        // A table that no schema knows.
        let shop = postgres.postgres_database(&[]).await;
        let mut on = postgres.postgres_connection(&shop).await;
        let text = "CREATE TABLE api_calls (id bigserial PRIMARY KEY, created_at timestamptz, partner text, status text, note text); \
             INSERT INTO api_calls (created_at, partner, status, note) SELECT now() - n * interval '1 minute', 'DHL', \
             CASE WHEN n % 3 = 0 THEN 'failed' ELSE 'done' END, 'parcel ' || n FROM generate_series(1, 30) n";
        sqlx::raw_sql(text).execute(&mut on).await.expect("written");
        let logs = unique_name();
        for (schema, url) in [
            ("prokure", mongo.url(&logs)),
            ("halopsa", search.url("")),
            ("engineering-logs", search.url("")),
            ("engineering-logs", broker.url("")),
        ] {
            assert!(crosstail(&["schema", "apply", schema, "--yes", "--to", &url]).status.success(), "{url}");
        }
        let orders = crosstail(&[
            "generate",
            "--to",
            &search.url("halopsa-integration-examples"),
            "--count",
            "50",
            "--history",
            "9m",
            "--for",
            "0s",
        ]);
        assert!(orders.status.success(), "{}", said(&orders));
        let metadata = kafka::admin(&broker);
        let known = metadata.inner().fetch_metadata(None, std::time::Duration::from_secs(10)).expect("read");
        if !known.topics().iter().any(|topic| topic.name() == "orders") {
            kafka::create(&broker, "orders", 1, &[]).await;
        }
        let order =
            json!({ "timestamp": now.rfc3339(), "level": "INFO", "message": "order 88123", "service": "orders" })
                .to_string();
        kafka::produce(&kafka::producer(&broker, "none"), "orders", [("k".to_owned(), order)]);
        let service = Service::start()?;
        let rule = |pattern: &str, with: String| (Regex::new(pattern).expect("a pattern"), with);
        let substitutions = vec![
            rule(r"postgres://me@(db|host)/prokure", postgres.url(&prokure)),
            rule(r"postgres://me@db/engineering", postgres.url(&engineering)),
            rule(r"postgres://me@db/shop", postgres.url(&shop)),
            rule(r"sqlite:///tmp/kept.sqlite", format!("sqlite://{}", here("store.sqlite"))),
            rule(r"mongodb://(db|host)/prokure_logs", mongo.url(&logs)),
            rule(r"es\+https?://(host|es):9200", format!("es+http://127.0.0.1:{}", search.port)),
            rule(r"kafka://broker(:9092)?", format!("kafka://127.0.0.1:{}", broker.port)),
            rule(r"(prometheus|health)\+http://app(:3000)?", format!("$1+http://127.0.0.1:{}", service.port)),
            rule(r"kubectl logs -f pod", "cat logs/app.log".to_owned()),
            rule(r"/var/log/app/", "logs/".to_owned()),
            rule(r"\| (man -l -|less)", "| cat".to_owned()),
            rule(r"page-someone", "true".to_owned()),
            rule(r"127\.0\.0\.1:9464", "127.0.0.1:0".to_owned()),
        ];
        Some(Self { folder, substitutions, engineering: postgres.url(&engineering), _service: service })
    }

    /// The example with the tests' addresses.
    fn real(&self, example: &str) -> String {
        let mut text = example.to_owned();
        for (pattern, with) in &self.substitutions {
            // An address with `&` or `?` stands in quotes.
            let quoted = |found: &regex::Captures<'_>| {
                let mut out = String::new();
                found.expand(with, &mut out);
                if out.contains('?') && !example.contains(&format!("'{}", &found[0])) {
                    format!("'{out}'")
                } else {
                    out
                }
            };
            text = pattern.replace_all(&text, quoted).into_owned();
        }
        text
    }

    fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let program = Path::new(env!("CARGO_BIN_EXE_crosstail")).parent().expect("a folder").display().to_string();
        let path = format!("{program}:{}", std::env::var("PATH").expect("PATH"));
        let at = |name: &str| self.folder.path().join(name);
        vec![("PATH", path.into()), ("HOME", at("home")), ("XDG_CONFIG_HOME", at("config")), ("USER", "ann".into())]
    }

    /// The explorer: opened, looked at, left.
    fn look(&self, text: &str) {
        let mut command = CommandBuilder::new("bash");
        command.args(["-c", text]);
        command.cwd(self.folder.path());
        let mut terminal = Terminal::run_as_it_is(command, &self.environment(), 120, 40);
        terminal.wait_for("help");
        terminal.settle();
        terminal.keys("\u{1b}");
        terminal.settle();
        terminal.keys("qq");
        assert_eq!(terminal.wait_for_end(), 0, "{text}:\n{}", terminal.screen());
    }

    fn run(&self, example: &str) {
        let whole = self.real(example);
        let text = whole.clone();
        let own =
            whole.split(" | ").find(|part| *part == "crosstail" || part.starts_with("crosstail ")).unwrap_or_default();
        let after = own.strip_prefix("crosstail").unwrap_or_default().trim_start();
        let mut words = after.split_whitespace();
        let first = words.next().unwrap_or_default();
        let has = |option: &str| after.split_whitespace().any(|word| word == option);
        let commands = [
            "tail",
            "query",
            "stats",
            "fields",
            "patterns",
            "failures",
            "changes",
            "compare",
            "mark",
            "show",
            "health",
            "alerts",
            "watch",
            "schema",
            "redact",
            "doctor",
            "export",
            "resend",
            "generate",
            "config",
            "completions",
            "man",
            "help",
        ];
        if !commands.contains(&first) {
            return self.look(&text);
        }
        let endless = match first {
            "tail" => true,
            "watch" => !has("--test") && !has("--backtest"),
            "generate" => !has("--count") && !after.contains("--for 0s"),
            _ => false,
        };
        let text = if endless {
            text.replacen("crosstail ", "timeout --preserve-status -s INT 2 crosstail ", 1)
        } else {
            text
        };
        // It asks for an address, a theme and a zone.
        let text = if after == "config init" { format!("printf '\\n\\n\\n' | {text}") } else { text };
        let mut child = Command::new("bash");
        child.args(["-c", &format!("set -o pipefail; {text}")]).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, value) in self.environment() {
            child.env(name, value);
        }
        if after.starts_with("config init") {
            // One begins where there is none yet.
            child.env("XDG_CONFIG_HOME", self.folder.path().join(unique_name()));
        }
        let output = child.output().expect("bash");
        // What is unwell, or to be mended, is no mistake of the example.
        let good = match first {
            "health" => output.status.code().is_some_and(|code| code < 3),
            "doctor" => output.status.code().is_some_and(|code| code < 3),
            // What was recorded without its secrets cannot be sent.
            "resend" => output.status.code().is_some_and(|code| code < 2),
            _ => output.status.success(),
        };
        assert!(good, "{text}: {:?}\n{}", output.status, said(&output));
        assert!(!said(&output).contains("panicked"), "{text}: {}", said(&output));
        self.judge(&text, after, &output);
    }

    /// Whether an example printed what it is for.
    fn judge(&self, text: &str, after: &str, output: &std::process::Output) {
        let words: Vec<&str> = after.split_whitespace().collect();
        let value = |option: &str| {
            let at = words.iter().position(|word| *word == option)?;
            words.get(at + 1).copied()
        };
        let written = |path: &str| {
            let path = path.replace("~/", &format!("{}/", self.folder.path().join("home").display()));
            std::fs::metadata(self.folder.path().join(path)).map_or(0, |file| file.len())
        };
        let (out, err) = (String::from_utf8_lossy(&output.stdout).into_owned(), said(output));
        if let Some(path) = value(">") {
            assert!(written(path) > 100, "{text}: {path} is empty; {err}");
            return;
        }
        let holds = match (words[0], words.get(1).copied().unwrap_or_default()) {
            // The store that is asked may have no change at all.
            ("changes", _) if value("-o") == Some("json") => {
                out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
            }
            ("query" | "stats" | "fields" | "patterns" | "failures" | "compare" | "doctor" | "health", _)
                if value("-o") == Some("json") =>
            {
                !out.is_empty() && out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
            }
            ("query", _) if words.contains(&"--count") => out.trim().parse::<u64>().is_ok(),
            ("query", _) => out.contains("503") || out.contains("failed") || out.lines().count() > 1,
            ("stats" | "fields" | "patterns" | "failures", _) => out.contains("count") && out.lines().count() > 1,
            ("changes", _) => out.contains("measure") || out.contains("before") || err.contains("before"),
            ("compare", _) => out.contains("others"),
            ("mark", _) => out.is_empty(),
            ("show", _) => out.contains("po/create") || out.contains("PO-4711"),
            ("doctor", _) => out.contains('✓') || out.contains('!'),
            ("health", _) => out.lines().count() > 1,
            ("help", code) if code.starts_with('E') => out.contains("What to do"),
            ("help", _) => out.contains("latency>1s"),
            ("man", _) => out.contains("SYNOPSIS"),
            ("export", _) => value("--output").is_some_and(|path| written(path) > 100),
            ("generate", _) => out.lines().count() > 1 || out.contains("\"count\""),
            ("alerts", "list") => out.contains("orders fail"),
            ("alerts", "ack") => err.contains("ann") || err.contains("acknowledged"),
            ("alerts", "silence") => err.contains("is silenced until"),
            ("alerts", "unsilence") => err.contains("1 ended"),
            ("schema", "list") => out.contains("engineering-logs"),
            ("schema", "apply") => err.contains("objects exist"),
            ("schema", _) => out.lines().count() > 3,
            ("config", "init") => err.contains("wrote"),
            ("config", "check") => out.contains("ok:"),
            ("config", "json-schema") => out.contains("$schema") || err.contains("wrote"),
            ("config", _) => out.contains("demo") || out.contains("config.toml"),
            // What follows waits for something to happen, or has said so by its exit code.
            _ => true,
        };
        assert!(holds, "{text} printed:\n{out}{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_help_and_of_the_book_runs() {
    let Some(world) = World::new().await else { return };
    for example in examples() {
        if example.contains("alerts ack") {
            // Each of them takes it anew.
            let mut on =
                <sqlx::PgConnection as sqlx::Connection>::connect(&world.engineering).await.expect("connected");
            sqlx::raw_sql("UPDATE alerts SET status = 'OPEN', acknowledged_at = NULL, acknowledged_by = NULL")
                .execute(&mut on)
                .await
                .expect("reset");
        }
        tokio::task::block_in_place(|| world.run(&example));
    }
}
