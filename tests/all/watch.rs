//! `crosstail watch` against a real mail server and a real HTTP receiver: each alert once, also over restarts and while
//! receivers fail.

use crate::servers::{Kind, Proxy, reserve, shared};
use crate::support::{PATIENCE, crosstail, lines, node, open, wait_for};
use crosstail::config::ChannelEntry;
use crosstail::watch::{Channel, Settings};
use crosstail_core::model::{Clock, SourceId, Timestamp, parse_timestamp};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A mail server with TLS and a password, and an HTTP server.
struct Sink {
    http: u16,
    mail: u16,
    child: Child,
}

impl Sink {
    fn start(folder: &Path) -> Option<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(folder.join("ca.pem"), made.cert.pem()).expect("written");
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
        let (http, mail) = (reserve(), reserve());
        let path = |name: &str| folder.join(name).display().to_string();
        let secrets = ["alerts", "hunter2hunter2"].map(str::to_owned);
        let arguments = [http.to_string(), mail.to_string(), path("ca.pem"), path("key.pem")];
        let child = node("sink.js", &[arguments.as_slice(), &secrets].concat())?;
        Some(Self { http, mail, child })
    }

    /// What was taken so far, of mail or of one path.
    async fn taken(&self, by: &str) -> Vec<Value> {
        let text = reqwest::get(format!("http://127.0.0.1:{}/", self.http)).await.expect("an answer");
        let all: Vec<Value> = text.json().await.expect("JSON");
        all.into_iter().filter(|one| one["by"] == by || one["path"] == by).collect()
    }

    async fn fail(&self, n: u32) {
        let url = format!("http://127.0.0.1:{}/fail?n={n}", self.http);
        reqwest::Client::new().post(url).send().await.expect("an answer");
    }

    /// Waits until so many were taken by each of `by`.
    async fn until(&self, what: &str, by: &[&str], count: usize) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < until {
            let mut enough = true;
            for by in by {
                enough &= self.taken(by).await.len() >= count;
            }
            if enough {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "{what}: {:?} {:?} {:?}",
            self.taken("/hook").await.len(),
            self.taken("/slack").await.len(),
            self.taken("mail").await.len()
        );
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A watch over a log file, with a rule that needs no patience.
struct Watch {
    folder: tempfile::TempDir,
    child: Option<Child>,
    page: u16,
    count: u32,
}

const RULE: &str = r#"
name = "ManyFailures"
title = "Many failures <now>"
severity = "critical"
when = "> 3"
window = "15s"
cooldown = "0s"
message = "{count} failures of {group} in {window}; password=hunter2"
[activities]
filter = "is:failure"
measure = "count"
by = "system"
"#;

impl Watch {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("crosstail/rules")).expect("made");
        std::fs::write(folder.path().join("crosstail/rules/many.toml"), RULE).expect("written");
        std::fs::write(folder.path().join("app.log"), "").expect("written");
        Self { folder, child: None, page: reserve(), count: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, sink: &Sink) {
        let (http, mail, folder) = (sink.http, sink.mail, self.folder.path().display());
        let config = format!(
            r#"
[[channel]]
name = "hook"
kind = "webhook"
url = "http://127.0.0.1:{http}/hook"
headers = {{ X-Token = "env:HOOK_TOKEN" }}
[[channel]]
name = "slack"
kind = "slack"
url_env = "SLACK_URL"
[[channel]]
name = "pager"
kind = "pagerduty"
url = "http://127.0.0.1:{http}/pager"
key_command = "echo routing-key"
[[channel]]
name = "mail"
kind = "email"
smtp = "smtp://localhost:{mail}"
ca = "{folder}/ca.pem"
username = "alerts"
password_command = "echo hunter2hunter2"
from = "crosstail <alerts@example.com>"
to = ["oncall@example.com", "second@example.com"]
[[channel]]
name = "command"
kind = "command"
command = "cat >> {folder}/told.jsonl; echo >> {folder}/told.jsonl; echo \"$CROSSTAIL_TURN $CROSSTAIL_RULE\" >> {folder}/env.txt"
[[channel]]
name = "only others"
kind = "command"
command = "touch {folder}/wrong"
rules = ["Silence"]
"#
        );
        std::fs::write(self.path("crosstail/config.toml"), config).expect("written");
    }

    fn command(&self, http: u16) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
        command
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path())
            .env("SLACK_URL", format!("http://127.0.0.1:{http}/slack"))
            .env("HOOK_TOKEN", "token-of-the-hook");
        command
    }

    fn start(&mut self, http: u16) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("stderr.txt")).expect("opened");
        let child = self
            .command(http)
            .args(["watch", "--listen", &format!("127.0.0.1:{}", self.page), "-s"])
            .arg(self.path("app.log"))
            .stderr(log)
            .spawn()
            .expect("spawned");
        self.child = Some(child);
    }

    fn stop(&mut self, signal: rustix::process::Signal) -> Option<i32> {
        let mut child = self.child.take()?;
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).expect("killed");
        child.wait().expect("ended").code()
    }

    /// Five calls of a system fail.
    fn fail(&mut self, system: &str) {
        for _ in 0..5 {
            self.count += 1;
            write_failure(&self.path("app.log"), &format!("r{}", self.count), system);
        }
    }

    /// Calls of a system fail twice a second until what is given back is dropped.
    fn keep_failing(&self, system: &'static str) -> std::sync::mpsc::SyncSender<()> {
        let (sender, dropped) = std::sync::mpsc::sync_channel(0);
        let path = self.path("app.log");
        std::thread::spawn(move || {
            let mut count = 0;
            while dropped.recv_timeout(Duration::from_millis(500)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                count += 1;
                write_failure(&path, &format!("k{count}"), system);
            }
        });
        sender
    }

    /// Until the file of the state says that nothing is on its way to some channels. What was taken and not written
    /// down yet is told again after a kill: that is what its id is for, and not what these tests are about.
    fn until_written_down(&self, channels: &[&str]) {
        wait_for("what was told to be written down", || {
            let text = std::fs::read(self.path("crosstail/watch.json")).unwrap_or_default();
            let kept: Value = serde_json::from_slice(&text).unwrap_or_default();
            let waits = |channel: &&str| {
                kept["outbox"].as_array().is_some_and(|all| all.iter().any(|d| d["channel"] == **channel))
            };
            kept["outbox"].is_array() && !channels.iter().any(waits)
        });
    }

    /// Until this process has evaluated the rules: what it has to tell is in its state then.
    async fn until_evaluated(&self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while evaluated_at(self.page).await.is_none() {
            assert!(tokio::time::Instant::now() < until, "the rules are never evaluated: {}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.path("stderr.txt")).unwrap_or_default()
    }
}

/// What a page of a watch's health says.
async fn health(page: u16) -> Value {
    match reqwest::get(format!("http://127.0.0.1:{page}/health")).await {
        Ok(answer) => answer.json().await.expect("JSON"),
        // It does not listen yet.
        Err(_) => Value::Null,
    }
}

/// When it evaluated its rules last.
async fn evaluated_at(page: u16) -> Option<Timestamp> {
    health(page).await["checks"]["rules"]["evaluated_at"].as_str().and_then(parse_timestamp)
}

fn write_failure(log: &Path, id: &str, system: &str) {
    let line = json!({
        "id": id, "timestamp": Clock::system().now().rfc3339(), "level": "error", "service": system,
        "message": "upstream responded 503",
    });
    let mut file = std::fs::OpenOptions::new().append(true).open(log).expect("opened");
    writeln!(file, "{line}").expect("written");
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Turn and group of what a webhook took.
fn turns(taken: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    taken.iter().map(|one| (text(&one["body"]["turn"]), text(&one["body"]["alerts"][0]["group"][0][1]))).collect()
}

fn pair(turn: &str, system: &str) -> (String, String) {
    (turn.to_owned(), system.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_is_told_once_over_restarts_and_failures() {
    let mut watch = Watch::new();
    let Some(sink) = Sink::start(watch.folder.path()) else { return };
    watch.configure(&sink);
    watch.start(sink.http);
    let all = ["/hook", "/slack", "/pager", "mail"];
    watch.fail("SAP");
    sink.until("the first alert", &["/hook"], 1).await;
    let failing = watch.keep_failing("SAP");
    sink.until("the first alert", &all, 1).await;

    // What each channel was told.
    let hook = &sink.taken("/hook").await[0];
    assert_eq!(hook["headers"]["x-token"], "token-of-the-hook");
    assert_eq!(hook["headers"]["idempotency-key"], hook["body"]["id"]);
    assert_eq!((&hook["body"]["rule"], &hook["body"]["severity"]), (&json!("ManyFailures"), &json!("critical")));
    let reason = hook["body"]["alerts"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("5 failures of SAP in 15 s") && !reason.contains("hunter2"), "{reason}");
    let slack = &sink.taken("/slack").await[0]["body"];
    assert_eq!(slack["text"], "🚨 *Many failures &lt;now&gt;: SAP*");
    assert_eq!(slack["attachments"][0]["color"], "danger");
    assert_eq!(
        slack["attachments"][0]["fields"][0],
        json!({ "title": "Severity", "value": "critical", "short": true })
    );
    let pager = &sink.taken("/pager").await[0]["body"];
    assert_eq!((&pager["event_action"], &pager["routing_key"]), (&json!("trigger"), &json!("routing-key")));
    assert_eq!(pager["dedup_key"], hook["body"]["alerts"][0]["id"]);
    let mail = &sink.taken("mail").await[0];
    assert_eq!((&mail["secure"], &mail["user"]), (&json!(true), &json!("alerts")), "by STARTTLS, with a password");
    assert_eq!(mail["to"], json!(["oncall@example.com", "second@example.com"]));
    let text = mail["text"].as_str().expect("text");
    assert!(text.contains("Message-ID: <") && text.contains("multipart/alternative"), "{text}");
    assert!(!text.contains("<now>") || text.contains("&lt;now&gt;"), "{text}");

    // Killed while it fires: the next one knows, and tells nobody again.
    watch.until_written_down(&["hook", "slack", "pager", "mail", "command"]);
    watch.stop(rustix::process::Signal::KILL);
    watch.start(sink.http);
    watch.until_evaluated().await;
    watch.until_written_down(&["hook", "slack", "pager", "mail", "command"]);
    for by in all {
        assert_eq!(sink.taken(by).await.len(), 1, "{by}: {}", watch.said());
    }
    drop(failing);

    // It resolves: told once.
    sink.until("the resolution", &all, 2).await;
    assert_eq!(turns(&sink.taken("/hook").await), [pair("firing", "SAP"), pair("resolved", "SAP")]);
    let pager: Vec<Value> = sink.taken("/pager").await.into_iter().map(|one| one["body"].clone()).collect();
    assert_eq!(pager[1]["event_action"], "resolve");
    assert_eq!(pager[0]["dedup_key"], pager[1]["dedup_key"]);

    // Receivers fail, the process is killed meanwhile: what was not taken is told by the next one, and once.
    sink.fail(5).await;
    watch.fail("Zoho");
    let refused = || watch.said().contains("will retry");
    wait_for("a refusal", refused);
    watch.until_written_down(&["mail", "command"]);
    watch.stop(rustix::process::Signal::KILL);
    watch.start(sink.http);
    sink.until("the second alert", &all, 3).await;
    let status: Value = reqwest::get(format!("http://127.0.0.1:{}/health", watch.page))
        .await
        .expect("served")
        .json()
        .await
        .expect("JSON");
    assert!(status["checks"]["source app.log"]["status"] == "healthy" && status["uptime"].is_number(), "{status}");
    let metrics = reqwest::get(format!("http://127.0.0.1:{}/metrics", watch.page)).await.expect("served");
    let metrics = metrics.text().await.expect("text");
    for expected in [
        "crosstail_source_up{source=\"app.log\"} 1",
        "crosstail_rule_state{rule=\"ManyFailures\",state=\"firing\"}",
        "crosstail_source_lag_seconds{source=\"app.log\"}",
        "queue_size{queue_name=\"channel hook\"}",
        "# TYPE http_requests_total counter",
        "# TYPE log_count_total counter",
    ] {
        assert!(metrics.contains(expected), "{expected} in\n{metrics}");
    }
    sink.until("the second resolution", &all, 4).await;
    let expected = [pair("firing", "SAP"), pair("resolved", "SAP"), pair("firing", "Zoho"), pair("resolved", "Zoho")];
    assert_eq!(turns(&sink.taken("/hook").await), expected);
    for by in all {
        assert_eq!(sink.taken(by).await.len(), 4, "{by}");
    }
    assert_eq!(watch.stop(rustix::process::Signal::TERM), Some(0), "ends when asked to");
    let told = std::fs::read_to_string(watch.path("told.jsonl")).expect("told");
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    let environment = std::fs::read_to_string(watch.path("env.txt")).expect("told");
    assert_eq!(environment, "firing ManyFailures\nresolved ManyFailures\nfiring ManyFailures\nresolved ManyFailures\n");
    assert!(!watch.path("wrong").exists(), "a channel of other rules is told nothing");
    let said = watch.said();
    assert!(!said.contains("hunter2") && !said.contains("token-of-the-hook"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_written_is_told_everywhere_and_the_watch_goes_on() {
    let mut watch = Watch::new();
    let Some(sink) = Sink::start(watch.folder.path()) else { return };
    watch.configure(&sink);
    watch.start(sink.http);
    watch.until_evaluated().await;
    // No file takes the place of a folder.
    let state = watch.path("crosstail/watch.json");
    wait_for("a folder in its place", || {
        let _ = std::fs::remove_file(&state);
        std::fs::create_dir(&state).is_ok()
    });
    let all = ["/hook", "/slack", "/pager", "mail"];
    sink.until("that it cannot be written", &all, 1).await;
    let hook = &sink.taken("/hook").await[0]["body"];
    assert_eq!((&hook["rule"], &hook["turn"]), (&json!("WatchState"), &json!("firing")));
    wait_for("the channel of other rules", || watch.path("wrong").exists());
    // It goes on: what happens is told.
    watch.fail("SAP");
    sink.until("an alert", &all, 2).await;
    assert_eq!(sink.taken("/hook").await[1]["body"]["rule"], "ManyFailures");
    std::fs::remove_dir(&state).expect("removed");
    let is_over = |one: &Value| one["body"]["rule"] == "WatchState" && one["body"]["turn"] == "resolved";
    let until = tokio::time::Instant::now() + PATIENCE;
    while !sink.taken("/hook").await.iter().any(is_over) {
        assert!(tokio::time::Instant::now() < until, "{}", watch.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(watch.stop(rustix::process::Signal::TERM), Some(0), "{}", watch.said());
    assert!(state.is_file());
}

#[test]
fn a_dry_run_tells_nobody_and_silences_are_heard() {
    let mut watch = Watch::new();
    let mark = watch.path("wrong");
    let config = format!("[[channel]]\nname = \"c\"\nkind = \"command\"\ncommand = \"touch {}\"\n", mark.display());
    std::fs::write(watch.path("crosstail/config.toml"), config).expect("written");
    watch.fail("SAP");
    let mut child = watch
        .command(0)
        .args(["watch", "--dry-run", "-s"])
        .arg(watch.path("app.log"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("spawned");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("read");
    let told: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&told["turn"], &told["rule"]), (&json!("firing"), &json!("ManyFailures")));
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(!mark.exists() && !watch.path("crosstail/watch.json").exists(), "nobody is told, nothing is kept");

    // Silenced before it begins: it fires, and nobody is told.
    let silenced = watch.command(0).args(["alerts", "silence", "ManyFailures", "--of", "SAP", "--for", "1h"]).output();
    assert!(silenced.expect("ran").status.success());
    watch.fail("SAP");
    watch.start(0);
    let list = |watch: &Watch| {
        let output = watch.command(0).args(["alerts", "list", "-o", "json"]).output().expect("ran");
        if output.stdout.is_empty() { Vec::new() } else { lines(&output) }
    };
    wait_for("the alert", || list(&watch).iter().any(|alert| alert["state"] == "firing"));
    let alerts = list(&watch);
    assert_eq!((alerts.len(), &alerts[0]["silenced"], &alerts[0]["of"]), (1, &json!(true), &json!("SAP")));
    assert!(!mark.exists(), "silent");
    // Another one with the same state would tell everything twice.
    let second = watch.command(0).args(["watch", "-s"]).arg(watch.path("app.log")).output().expect("ran");
    assert!(String::from_utf8_lossy(&second.stderr).contains("another crosstail watch"), "{second:?}");
    // Acknowledged from outside.
    let id = alerts[0]["id"].as_str().expect("an id");
    let ack = watch.command(0).args(["alerts", "ack", &id[..8], "--as", "ann"]).output().expect("ran");
    assert!(ack.status.success(), "{ack:?}");
    watch.fail("SAP");
    wait_for("the acknowledgement", || list(&watch).iter().any(|alert| alert["who"] == "ann"));
    assert_eq!(watch.stop(rustix::process::Signal::INT), Some(0));
}

/// What a dry run over some sources says first.
fn first_told(watch: &Watch, sources: &[String]) -> Value {
    let mut command = watch.command(0);
    command.args(["watch", "--dry-run"]);
    for source in sources {
        command.args(["-s", source]);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("spawned");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("read");
    child.kill().expect("killed");
    child.wait().expect("ended");
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn what_a_service_measures_raises_an_alert() {
    let watch = Watch::new();
    let rule = "name = \"Backlog\"\nseverity = \"warning\"\nwhen = \"> 10\"\nmessage = \"{value} in {group}\"\n\
        [[metric]]\nname = \"queue_*\"\nmeasure = \"value\"\n";
    std::fs::write(watch.path("crosstail/rules/many.toml"), rule).expect("written");
    let Some(service) = crate::measures::Service::start() else { return };
    let told = first_told(&watch, &[format!("prometheus+http://127.0.0.1:{}/metrics", service.port)]);
    assert_eq!(told["rule"], "Backlog");
    let reason = told["alerts"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("17 in "), "{reason}");
}

/// A watch in this process, with a clock that stands until it is moved.
struct Driven {
    page: u16,
    clock: Clock,
}

impl Driven {
    /// Moves the clock from one evaluation of the rules to the next, ten seconds each, until something holds.
    async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while !holds(self).await {
            assert!(tokio::time::Instant::now() < until, "waited in vain until {what}");
            let now = self.clock.now();
            if evaluated_at(self.page).await.is_some_and(|at| at >= now.plus_ms(-1)) {
                self.clock.set(now.plus_ms(10_000));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until_it_is(&self, status: &str) {
        self.until(status, async |driven| health(driven.page).await["status"] == status).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_a_source_neither_ends_the_watch_nor_its_alerts() {
    static SAID: Mutex<String> = Mutex::new(String::new());
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["log-tracking"]).await;
    let front = Proxy::to(server.port).await;
    let watch = Watch::new();
    let mark = watch.path("told.txt");
    let entry: ChannelEntry = toml::from_str(&format!(
        "name = \"c\"\nkind = \"command\"\ncommand = \"echo $CROSSTAIL_TURN >> {}\"\n",
        mark.display()
    ))
    .expect("a channel");
    // It begins while its source is away.
    front.cut();
    let (names, source) = open(&[server.url_at(front.port, &database)]);
    let driven = Driven { page: watch.page, clock: Clock::fixed(Clock::system().now()) };
    let settings = Settings {
        sources: vec![(SourceId(0), source)],
        names,
        zone: chrono_tz::Tz::UTC,
        channels: vec![Channel::new(&entry).expect("a channel")],
        rules: Some(watch.path("crosstail/rules")),
        state: Some(watch.path("crosstail/watch.json")),
        listen: Some(([127, 0, 0, 1], watch.page).into()),
        dry_run: false,
        objectives: Vec::new(),
        recall: crosstail::runtime::Recall::default(),
        log: |text| *SAID.lock().expect("lock") += &format!("{text}\n"),
    };
    let said = || SAID.lock().expect("lock").clone();
    let stop = CancellationToken::new();
    let running = tokio::spawn(crosstail::watch::run(settings, driven.clock.clone(), stop.clone()));
    driven.until_it_is("unhealthy").await;
    front.mend();
    driven.until_it_is("healthy").await;
    let mut connection = server.postgres_connection(&database).await;
    sqlx::query(
        "INSERT INTO logs (timestamp, level, service, message, request_id) \
         SELECT $1::text::timestamptz, 'ERROR', 'api', 'm', 'r' || n FROM generate_series(1, 5) n",
    )
    .bind(driven.clock.now().rfc3339())
    .execute(&mut connection)
    .await
    .expect("written");
    let told = || std::fs::read_to_string(&mark).unwrap_or_default();
    driven.until("it fires", async |_| told() == "firing\n").await;
    // Away again for longer than the rule looks back: what cannot be seen is not over.
    front.cut();
    driven.until_it_is("unhealthy").await;
    let long = driven.clock.now().plus_ms(30_000);
    driven.until("time goes by", async |driven| evaluated_at(driven.page).await >= Some(long)).await;
    assert_eq!(told(), "firing\n", "{}", said());
    front.mend();
    driven.until("it is over", async |_| told() == "firing\nresolved\n").await;
    assert!(said().contains("readable again"), "{}", said());
    stop.cancel();
    running.await.expect("joined").expect("well");
}

#[test]
fn what_is_wrong_is_pointed_at_before_anything_begins() {
    let watch = Watch::new();
    let run = |config: &str, rule: &str| {
        std::fs::write(watch.path("crosstail/config.toml"), config).expect("written");
        std::fs::write(watch.path("crosstail/rules/many.toml"), rule).expect("written");
        let output = watch.command(0).args(["watch", "-s"]).arg(watch.path("app.log")).output().expect("ran");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run("", &RULE.replace("is:failure", "is:failur"));
    assert!(code == Some(1) && said.contains("many.toml:10:") && said.contains("failur"), "{said}");
    for (config, says) in [
        ("kind = \"slac\"", "the kinds are slack, teams, discord, ntfy, pagerduty, opsgenie, webhook, email, command"),
        ("kind = \"slack\"", "url_env"),
        ("kind = \"slack\"\nurl_env = \"NOT_SET_ANYWHERE\"", "NOT_SET_ANYWHERE is not set"),
        ("kind = \"pagerduty\"", "key_env, key_file or key_command is missing"),
        ("kind = \"slack\"\nurl = \"hooks.slack.com/secret-part\"", "the address is not a URL"),
        (
            "kind = \"email\"\nsmtp = \"smtp+plain://h\"\nusername = \"u\"\nfrom = \"a@b.c\"\nto = [\"d@e.f\"]",
            "not sent without encryption",
        ),
        ("kind = \"command\"\nat_least = \"severe\"\ncommand = \"true\"", "no severity 'severe'"),
        ("kind = \"command\"\ncomand = \"true\"", "did you mean 'command'?"),
    ] {
        let (code, said) = run(&format!("[[channel]]\nname = \"c\"\n{config}\n"), RULE);
        assert!(code != Some(0) && said.contains(says) && !said.contains("secret-part"), "{config}: {said}");
    }
    // What sends nothing needs no secrets: it can be tried where they are not.
    let channel = "[[channel]]\nname = \"c\"\nkind = \"pagerduty\"\nkey_env = \"NOT_SET_ANYWHERE\"\n";
    std::fs::write(watch.path("crosstail/config.toml"), channel).expect("written");
    std::fs::write(watch.path("crosstail/rules/many.toml"), RULE).expect("written");
    let mut command = watch.command(0);
    let output = command.args(["watch", "--backtest", "1h", "-s"]).arg(watch.path("app.log")).output().expect("ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // No state is begun by what could not begin.
    assert!(!watch.path("crosstail/watch.json").exists());
    let _ = crosstail(&["watch", "--help"]);
}

/// Waits until the newest activity of the log is so old.
async fn until_read(page: u16, age_us: i64) {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let metrics = reqwest::get(format!("http://127.0.0.1:{page}/metrics")).await.expect("served").text().await;
        let lag = metrics
            .expect("text")
            .lines()
            .find_map(|line| line.strip_prefix("crosstail_source_lag_seconds{source=\"test\"} ")?.parse::<f64>().ok());
        if lag.is_some_and(|lag| (lag - age_us as f64 / 1e6).abs() < 0.01) {
            return;
        }
        assert!(tokio::time::Instant::now() < until, "never read; the newest is {lag:?} s old");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const BOTH: [&str; 2] = ["firing", "resolved"];
/// Rules of other measures than a count.
const RULES_OF_ALL_MEASURES: [(&str, &str); 4] = [
    (
        "Share",
        "when = \"> 20 %\"\nwindow = \"30s\"\n[activities]\nmeasure = \"share\"\nof = \"is:failure\"\nby = \"system\"\nat_least = 5\n",
    ),
    ("Slow", "when = \"> 2s\"\nwindow = \"20s\"\n[activities]\nmeasure = \"p95\"\nby = \"system\"\nat_least = 5\n"),
    ("New", "when = \">= 2\"\nwindow = \"30s\"\n[activities]\nmeasure = \"new_group\"\n"),
    ("Again", "when = \">= 2\"\nwindow = \"30s\"\n[activities]\nmeasure = \"back_again\"\n"),
];

/// A line of a call that took so many milliseconds.
fn call(at: Timestamp, failed: bool, says: &str, took: u32) -> String {
    let (level, status) = if failed { ("error", 503) } else { ("info", 200) };
    let line = json!({
        "time": at.rfc3339(), "level": level, "msg": says, "service": "SAP", "method": "POST", "duration_ms": took,
        "url": "https://sap.example/po", "status": status, "request_id": format!("r-{}", at.0),
    });
    format!("{line}\n")
}

/// A watch over a log that grows, with a clock of its own, and a backtest over the log when it is complete: both say the same
/// at the same moments.
#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_says_what_a_watch_has_said() {
    let watch = Watch::new();
    let began = Clock::system().now();
    let at = |second: i64| began.plus_ms(second * 1000);
    // Two outages; each line is written when it would have been.
    let lines: Vec<(i64, String)> = (0..300)
        .filter(|second| second % 2 == 0)
        .map(|second| {
            let failed = (60..90).contains(&second) || (200..215).contains(&second);
            let says = if failed && second >= 200 { "tax code missing" } else { "order sent" };
            let took = if (130..160).contains(&second) { 4000 } else { 90 };
            (second, call(at(second), failed, says, took))
        })
        .collect();
    // What was before: the stores begin three weeks ago, and three days ago the first outage was, too.
    let past = [(-21 * 86_400, false), (-3 * 86_400, true)];
    let past: String = past.iter().map(|(second, failed)| call(at(*second), *failed, "order sent", 90)).collect();
    std::fs::write(watch.path("app.log"), past).expect("written");
    for (name, rest) in RULES_OF_ALL_MEASURES {
        let text = format!("name = \"{name}\"\ntitle = \"{name}\"\nseverity = \"warning\"\ncooldown = \"0s\"\n{rest}");
        std::fs::write(watch.path(&format!("crosstail/rules/{name}.toml")), text).expect("written");
    }
    let (names, source) = open(&[watch.path("app.log").display().to_string()]);
    let clock = Clock::fixed(began);
    let (sent, mark) = (watch.path("sent.jsonl"), watch.path("sent.jsonl").display().to_string());
    let entry: ChannelEntry =
        toml::from_str(&format!("name = \"c\"\nkind = \"command\"\ncommand = \"cat >> {mark}; echo >> {mark}\"\n"))
            .expect("a channel");
    let settings = Settings {
        sources: vec![(SourceId(0), source)],
        names,
        zone: chrono_tz::Tz::UTC,
        channels: vec![Channel::new(&entry).expect("a channel")],
        rules: Some(watch.path("crosstail/rules")),
        state: None,
        listen: Some(([127, 0, 0, 1], watch.page).into()),
        dry_run: false,
        objectives: Vec::new(),
        recall: crosstail::runtime::Recall::default(),
        log: |_| (),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(crosstail::watch::run(settings, clock.clone(), stop.clone()));
    let driven = Driven { page: watch.page, clock: clock.clone() };
    driven.until("it has begun", async |driven| evaluated_at(driven.page).await.is_some()).await;
    let first = evaluated_at(watch.page).await.expect("evaluated");
    let mut log = std::fs::OpenOptions::new().append(true).open(watch.path("app.log")).expect("opened");
    let mut written = 0;
    for step in 1..=30_i64 {
        let now = first.plus_ms(step * 10_000);
        for (_, line) in lines.iter().filter(|(second, _)| at(*second) <= now).skip(written) {
            std::io::Write::write_all(&mut log, line.as_bytes()).expect("written");
            written += 1;
        }
        let newest = at(lines[written - 1].0);
        clock.set(now.plus_ms(-1));
        until_read(watch.page, now.plus_ms(-1).since_us(newest)).await;
        clock.set(now);
        let until = tokio::time::Instant::now() + PATIENCE;
        while evaluated_at(watch.page).await.is_none_or(|at| at < now.plus_ms(-1)) {
            assert!(tokio::time::Instant::now() < until, "never evaluated");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    stop.cancel();
    running.await.expect("joined").expect("well");
    let own = |rule: &str| rule == "ManyFailures" || RULES_OF_ALL_MEASURES.iter().any(|(name, _)| *name == rule);
    let said = |text: &str| -> Vec<[String; 4]> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut all: Vec<[String; 4]> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|one| own(one["rule"].as_str().unwrap_or_default()))
            .map(|one| {
                let (turn, group) = (word(&one["turn"]), one["alerts"][0]["group"].to_string());
                [one["at"].to_string(), word(&one["rule"]), turn, group]
            })
            .collect();
        all.sort();
        all
    };
    let watched = said(&std::fs::read_to_string(&sent).expect("sent"));
    let turns = |rule: &str| -> Vec<&str> {
        watched.iter().filter(|[_, of, ..]| of == rule).map(|[_, _, turn, _]| turn.as_str()).collect()
    };
    assert_eq!(turns("ManyFailures"), ["firing", "resolved", "firing", "resolved"]);
    assert_eq!(
        (turns("Slow"), turns("New"), turns("Again")),
        (BOTH.to_vec(), BOTH.to_vec(), BOTH.to_vec()),
        "{watched:?}"
    );
    assert_eq!(turns("Share"), ["firing", "resolved", "firing", "resolved"], "{watched:?}");
    let until = first.plus_ms(300_000);
    let run = |more: &[&str]| {
        let mut command = watch.command(0);
        command.args(["watch", "--backtest", "300s", "--until", &until.rfc3339(), "--rules"]);
        command.arg(watch.path("crosstail/rules")).args(more).arg("-s").arg(watch.path("app.log"));
        let output = command.output().expect("ran");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(said(&run(&["--dry-run"])), watched);
    let table = run(&[]);
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("ManyFailures")).collect();
    assert!(rows.len() == 2 && rows[0].contains("critical") && rows[0].contains("SAP"), "{table}");
}
