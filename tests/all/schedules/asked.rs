//! Faults while somebody searches, exports or watches: what ends well is whole, what does not says so, and what was begun is gone on
//! with.

use super::Schedule;
use super::servers::{FAULTS, Stage};
use crate::servers::Kind;
use crate::support::{PATIENCE, wait_for};
use crosstail_core::model::{Clock, parse_timestamp};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Records that are there before anything happens.
const BEFORE: usize = 3000;

/// A folder for what programs write, and what they keep.
struct Desk {
    folder: tempfile::TempDir,
    url: String,
}

/// A program that runs, and where its words go.
struct Begun {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// How a program ended.
struct Ended {
    status: ExitStatus,
    out: String,
    err: String,
}

impl Desk {
    fn begin(&self, name: &str, arguments: &[&str]) -> Begun {
        let (out, err) =
            (self.folder.path().join(format!("{name}.out")), self.folder.path().join(format!("{name}.err")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(arguments).args(["-s", &self.url]).current_dir(self.folder.path()).stdin(Stdio::null());
        command
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"));
        let file = |path: &Path| std::fs::File::create(path).expect("made");
        let child = command.stdout(file(&out)).stderr(file(&err)).spawn().expect("started");
        Begun { child, out, err }
    }

    async fn run(&self, name: &str, arguments: &[&str]) -> Ended {
        self.begin(name, arguments).ended().await
    }
}

impl Begun {
    async fn ended(mut self) -> Ended {
        let until = Instant::now() + PATIENCE * 2;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                break status;
            }
            assert!(Instant::now() < until, "it ends: {}", read(&self.err));
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Ended { status, out: read(&self.out), err: read(&self.err) }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The ids of the records in lines of JSON, each once.
fn ids(text: &str, what: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{what}: {error}: {line}"));
        let id = record["id"].as_str().expect("an id").to_owned();
        assert!(
            !found.contains(&id),
            "{what}: nothing twice: {id} is, the second time after {} others: {line}",
            found.len()
        );
        found.insert(id);
    }
    found
}

impl Ended {
    /// What ended well has everything that was there when it began. What did not says why, and nothing else.
    fn assert_honest(&self, found: impl FnOnce() -> BTreeSet<String>, between: (usize, usize), what: &str) -> bool {
        assert!(!self.err.contains("panicked") && self.status.code().is_some(), "{what}: {}", self.err);
        if self.status.success() {
            let count = found().len();
            assert!((between.0..=between.1).contains(&count), "{what}: {count} of {between:?}: {}", self.err);
        } else {
            assert!(self.err.contains("crosstail"), "{what}: an error is said: {:?} '{}'", self.status, self.err);
        }
        self.status.success()
    }
}

async fn searched_and_exported(kind: Kind) {
    let Some((mut stage, url)) = Stage::of(kind).await else { return };
    let desk = Desk { folder: tempfile::tempdir().expect("a folder"), url };
    stage.write(BEFORE).await;
    let mut schedule = Schedule::new(&format!("asked, {kind:?}"));
    let query = ["query", "-o", "json", "--limit", "0"];
    let mut round = 0;
    while let Some(fault) = schedule.next(FAULTS) {
        round += 1;
        let what = format!("{round}: {fault} of seed {}", schedule.seed);
        stage.make_found().await;
        let before = stage.written as usize;
        let output = format!("out-{round}.ndjson");
        let export = ["export", "--output", output.as_str()];
        let searching = desk.begin("query", &query);
        let exporting = desk.begin("export", &export);
        // Before it connects, or while it reads.
        schedule.pause(1200).await;
        stage.break_down(fault, &mut schedule).await;
        let between = (before, stage.written as usize);
        let done = searching.ended().await;
        done.assert_honest(|| ids(&done.out, &what), between, &what);
        // An export that did not end well goes on with the next one.
        let mut done = exporting.ended().await;
        let file = desk.folder.path().join(&output);
        let mut between = between;
        for _ in 0..5 {
            let what = format!("the export, {what}: {}", done.err);
            if done.assert_honest(|| ids(&read(&file), &what), between, &what) {
                break;
            }
            assert!(!file.exists(), "{what}: a part is not the whole");
            between.1 = stage.written as usize;
            done = desk.run("export", &export).await;
        }
        assert!(done.status.success(), "{what}: {}", done.err);
        // The fault is over, and leaves nothing behind. Where everything had ended before, there was no answer to tear.
        stage.proxy.tear(false);
        stage.make_found().await;
        let after = desk.run("query", &query).await;
        assert!(after.status.success(), "{what}: {}", after.err);
        assert_eq!(ids(&after.out, &what).len(), stage.written as usize, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_searched_through_a_schedule_of_faults() {
    searched_and_exported(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_is_searched_through_a_schedule_of_faults() {
    searched_and_exported(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_is_searched_through_a_schedule_of_faults() {
    searched_and_exported(Kind::MongoReplica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_is_searched_through_a_schedule_of_faults() {
    searched_and_exported(Kind::Elasticsearch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_searched_through_a_schedule_of_faults() {
    searched_and_exported(Kind::Kafka).await;
}

/// A rule that is true from the first record on, and one that never is, unless records count several times.
const RULES: [(&str, &str); 2] = [("Some", "> 0"), ("Many", "> 1000000")];

async fn watched(kind: Kind) {
    let Some((mut stage, url)) = Stage::of(kind).await else { return };
    let desk = Desk { folder: tempfile::tempdir().expect("a folder"), url };
    let rules = desk.folder.path().join("config/crosstail/rules");
    std::fs::create_dir_all(&rules).expect("made");
    for (name, when) in RULES {
        let text = format!(
            "name = \"{name}\"\ntitle = \"{name}\"\nseverity = \"critical\"\nwhen = \"{when}\"\nwindow = \"24h\"\ncooldown = \"0s\"\n\
             message = \"{{count}}\"\n[activities]\nfilter = \"\"\nmeasure = \"count\"\n"
        );
        std::fs::write(rules.join(format!("{name}.toml")), text).expect("written");
    }
    let told = desk.folder.path().join("told.jsonl");
    let channel = format!(
        "[[channel]]\nname = \"command\"\nkind = \"command\"\ncommand = \"cat >> {0}; echo >> {0}\"\nrules = [\"Some\", \"Many\"]\n",
        told.display()
    );
    std::fs::write(desk.folder.path().join("config/crosstail/config.toml"), channel).expect("written");
    stage.write(50).await;
    let mut watch = desk.begin("watch", &["watch"]);
    wait_for("the first alert", || read(&told).contains("Some"));
    let mut schedule = Schedule::new(&format!("watched, {kind:?}"));
    while let Some(fault) = schedule.next(FAULTS) {
        let count = schedule.count();
        stage.write(count).await;
        stage.break_down(fault, &mut schedule).await;
        schedule.pause(1500).await;
    }
    let what = format!("{:?} of seed {}", schedule.done, schedule.seed);
    // It goes on.
    let ended = Clock::system().now();
    let state = desk.folder.path().join("state/crosstail/watch.json");
    wait_for(&format!("an evaluation after {what}"), || {
        let kept: Value = serde_json::from_str(&read(&state)).unwrap_or_default();
        kept["evaluated_at"].as_str().and_then(parse_timestamp).is_some_and(|at| at > ended)
    });
    assert!(watch.child.try_wait().expect("waited").is_none(), "{what}: {}", read(&watch.err));
    watch.child.kill().expect("ended");
    watch.child.wait().expect("ended");
    let told = read(&told);
    let some = told.lines().filter(|line| line.contains("\"Some\"")).count();
    assert_eq!((some, told.contains("\"Many\"")), (1, false), "told once, and not taken back: {what}: {told}");
    assert!(!read(&watch.err).contains("panicked"), "{what}: {}", read(&watch.err));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_watched_through_a_schedule_of_faults() {
    watched(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_is_watched_through_a_schedule_of_faults() {
    watched(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_is_watched_through_a_schedule_of_faults() {
    watched(Kind::MongoReplica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_is_watched_through_a_schedule_of_faults() {
    watched(Kind::Elasticsearch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_watched_through_a_schedule_of_faults() {
    watched(Kind::Kafka).await;
}
