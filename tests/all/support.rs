//! What tests share: random activities, stores of them, waiting for something instead of sleeping.

use crosstail_core::filter::Field;
use crosstail_core::model::{Activity, Clock, Direction, Kind, Level, Names, SourceId, Status, Timestamp};
use crosstail_engine::store::Store;
use crosstail_record::{Outcome, PreparedRow, SqliteRecorder, Start};
use crosstail_source::SourceConfig;
use crosstail_source::pump::{self, PumpEvent, SourceState};
use crosstail_source::{Grouping, Job, Jobs, PageQuery, Source, SourceEvent, for_each};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The beginning of test time.
pub const EPOCH: Timestamp = Timestamp(1_795_000_000_000_000);

/// No run of the program that a test waits for takes longer, on whatever machine.
const LONGEST: Duration = Duration::from_mins(5);

const SYSTEMS: &[&str] = &["SAP", "sap", "Zoho", "Tally", "ünïcode", "a b", "K"];
const ENDPOINTS: &[&str] = &["/po/create", "/vendors/{id}", "/Straße", "/a%b_c", "/x\"y"];
const ERRORS: &[&str] =
    &["upstream responded 503", "ECONNRESET", "duplicate key", "100% *starred*", "line\nbreak", "Kelvin K"];

fn pick<'a>(rng: &mut fastrand::Rng, from: &[&'a str]) -> Option<&'a str> {
    (rng.u8(0..5) > 0).then(|| from[rng.usize(0..from.len())])
}

/// A random start and outcome, `index` seconds or so after [`EPOCH`].
pub fn random(rng: &mut fastrand::Rng, index: u64) -> (Start, Option<Outcome>) {
    let started_at = EPOCH.plus_us((index * 1_000_000 + rng.u64(0..3_000_000)) as i64);
    let log = rng.u8(0..4) == 0;
    let text = |value: Option<&str>| value.map(str::to_owned);
    let start = Start {
        request_id: None,
        id: uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid().to_string(),
        kind: Some(Kind::ALL[rng.usize(0..Kind::ALL.len() - 1)]),
        direction: Some(Direction::ALL[rng.usize(0..3)]),
        level: log.then(|| Level::ALL[rng.usize(0..Level::ALL.len())]),
        system: pick(rng, SYSTEMS).unwrap_or_default().to_owned(),
        endpoint: text(pick(rng, ENDPOINTS)),
        method: text(pick(rng, &["GET", "POST", "get"])),
        url: text(pick(rng, &["https://sap.example/po/create?x=1", "/local", "https://zoho.example/Straße"])),
        message: text(pick(rng, &["done", "Order 88123 sent", "slow", ""])),
        operation: text(pick(rng, &["CREATE", "sync_import", "lead.created"])),
        entity: text(pick(rng, &["PO PO-4711", "LEAD 12"])),
        actor: text(pick(rng, &["SCHEDULER", "asha.rao"])),
        organization: None,
        correlation_id: pick(rng, &["c-1", "c-2", "7f3a9c21-0000-4abc-8def-0123456789ab"]).map(str::to_owned),
        parent_request_id: None,
        ip_address: None,
        attempt: (rng.u8(0..3) > 0).then(|| rng.u16(1..5)),
        max_attempts: (rng.u8(0..3) > 0).then_some(4),
        request_headers: Some(serde_json::json!({"Content-Type": "application/json", "X-Tenant": format!("t{}", rng.u8(0..3))})),
        request_body: (rng.u8(0..3) > 0).then(|| serde_json::json!({"order": rng.u32(1..9), "lines": [{"sku": format!("MAT-{}", rng.u8(0..4)), "qty": rng.u32(1..50)}]})),
        metadata: Some(serde_json::json!({"tenant": format!("org-{}", rng.u8(0..3))})),
        started_at,
    };
    let finished = log || rng.u8(0..5) > 0;
    let outcome = finished.then(|| Outcome {
        status: (!log).then(|| Status::ALL[rng.usize(1..Status::ALL.len())]),
        http_status: (rng.u8(0..3) > 0).then(|| [200, 201, 404, 429, 500, 503][rng.usize(0..6)]),
        response_headers: None,
        response_body: (rng.u8(0..2) > 0).then(|| serde_json::json!({"ok": rng.bool(), "text": "duplicate key"})),
        error: text(pick(rng, ERRORS)),
        error_type: text(pick(rng, &["ETIMEDOUT", "RateLimited"])),
        error_stack: None,
        message: None,
        completed_at: (!log).then(|| started_at.plus_us(rng.i64(0..40_000_000))),
        next_retry_at: (rng.u8(0..5) == 0).then(|| started_at.plus_ms(rng.i64(1..600_000))),
    });
    (start, outcome)
}

/// A database of random activities.
pub async fn random_database(path: &Path, seed: u64, count: u64) -> SqliteRecorder {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut recorder = SqliteRecorder::open(path).await.expect("opened");
    let rows: Vec<PreparedRow> = (0..count)
        .map(|index| {
            let (start, outcome) = random(&mut rng, index);
            PreparedRow::new(start, outcome)
        })
        .collect();
    recorder.insert(&rows).await.expect("written");
    recorder.index().await.expect("indexed");
    recorder
}

/// Opens a source by what a user would type.
pub fn open(at: &[String]) -> (Names, Arc<dyn Source>) {
    let names = Names::default();
    let config = SourceConfig { name: "test".to_owned(), at: at.to_vec(), ..SourceConfig::default() };
    let (_, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
    (names, source)
}

/// How long anything is waited for before the test fails. It costs nothing where what is waited for happens, so it is
/// far beyond what a busy machine takes.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Everything that updates bring until `enough` says so.
pub async fn collect(
    updates: &mut mpsc::Receiver<SourceEvent>,
    mut enough: impl FnMut(&[Activity]) -> bool,
) -> (Vec<Activity>, Vec<String>) {
    let mut found = Vec::new();
    let mut notices = Vec::new();
    let until = tokio::time::Instant::now() + PATIENCE;
    while !enough(&found) {
        match tokio::time::timeout_at(until, updates.recv()).await {
            Ok(Some(SourceEvent::Batch(items, _))) => found.extend(items),
            Ok(Some(SourceEvent::Notice(text))) => notices.push(text),
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => panic!("waited in vain; so far {} activities and {notices:?}", found.len()),
        }
    }
    (found, notices)
}

/// Waits until something holds.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Starts a script of `tests/winston` with node, among its packages; it is ready when it says so. `None` where servers
/// are not wanted.
pub fn node(script: &str, arguments: &[String]) -> Option<std::process::Child> {
    use std::io::BufRead as _;
    if !crate::servers::servers_wanted() {
        return None;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = here.join("target/winston").join(format!("{}-{script}", crate::servers::unique_name()));
    std::fs::copy(here.join("tests/winston").join(script), &copy).expect("copied; run scripts/setup-tests");
    let mut child = Command::new("node")
        .arg(&copy)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("node; run scripts/setup-tests");
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("read");
    std::fs::remove_file(copy).expect("removed");
    assert_eq!(line.trim(), "ready");
    Some(child)
}

/// Waits until a tail over a log file follows: until it has printed a line that was appended after it began. `seen` gives
/// the ids that it has printed.
pub fn wait_until_it_follows(log: &Path, mut seen: impl FnMut() -> Vec<String>) {
    use std::io::Write as _;
    let mut count = 0;
    wait_for("the tail to follow", || {
        count += 1;
        let line = serde_json::json!({
            "timestamp": Clock::system().now().rfc3339(), "level": "INFO", "message": "API Request Completed",
            "service": "halopsa-integration", "requestId": format!("warm-{count}"), "statusCode": 200,
        });
        let mut file = std::fs::File::options().append(true).open(log).expect("opened");
        writeln!(file, "{line}").expect("written");
        seen().iter().any(|id| id.starts_with("warm-"))
    });
}

/// The files below a folder, however deep, in the order of their names; none where there is no folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

/// The ids of activities, sorted.
pub fn ids(activities: &[Activity]) -> Vec<String> {
    let mut ids: Vec<String> = activities.iter().map(|a| a.id.to_string()).collect();
    ids.sort();
    ids
}

/// Runs the program and waits for its end.
pub fn crosstail(arguments: &[&str]) -> Output {
    crosstail_weighed(arguments).0
}

/// Where the program keeps what survives it: never in the state of who runs the tests.
pub fn state() -> String {
    format!("{}/state-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id())
}

/// Runs the program, which is killed where it does not come to an end; also the most memory that it had, in MB.
pub fn crosstail_weighed(arguments: &[&str]) -> (Output, u64) {
    let mut running = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(arguments)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("XDG_STATE_HOME", state())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut peak = 0;
    let status = format!("/proc/{}/status", running.id());
    let reading = |mut from: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            from.read_to_end(&mut text).expect("read");
            text
        })
    };
    let stdout = reading(Box::new(running.stdout.take().expect("output")));
    let stderr = reading(Box::new(running.stderr.take().expect("output")));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = running.try_wait().expect("waited") {
            break status;
        }
        if begun.elapsed() > LONGEST {
            running.kill().expect("killed");
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // A process that is started has the name and the memory of the tests for a moment, until it is the program.
        if of("Name:") == Some("crosstail") {
            let kb = of("VmHWM:").and_then(|line| line.trim_end_matches(" kB").parse::<u64>().ok());
            peak = peak.max(kb.unwrap_or(0) / 1024);
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    let output = Output { status, stdout: stdout.join().expect("joined"), stderr: stderr.join().expect("joined") };
    (output, peak)
}

/// The objects on its standard output.
pub fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone())
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// A source that runs as in the explorer: probe, history, live, reconnecting; what it brings goes into a store.
pub struct Running {
    pub store: Store,
    pub states: Vec<SourceState>,
    pub notices: Vec<String>,
    events: mpsc::Receiver<PumpEvent>,
    cancel: CancellationToken,
}

impl Running {
    /// Starts it.
    pub fn start(names: &Names, source: Arc<dyn Source>) -> Self {
        Self::start_all(names, vec![source])
    }

    /// Starts several into one store.
    pub fn start_all(names: &Names, sources: Vec<Arc<dyn Source>>) -> Self {
        let (sender, events) = mpsc::channel(16);
        let cancel = CancellationToken::new();
        for (number, source) in sources.into_iter().enumerate() {
            let (sender, cancel) = (sender.clone(), cancel.clone());
            let begin = pump::StartFrom::History(usize::MAX);
            tokio::spawn(pump::run(
                SourceId(number as u16),
                source,
                begin,
                sender,
                Jobs::default(),
                cancel,
                Clock::system(),
            ));
        }
        Self { store: Store::new(names.clone()), states: Vec::new(), notices: Vec::new(), events, cancel }
    }

    /// Takes what comes until something holds.
    pub async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while !holds(self) {
            match tokio::time::timeout_at(until, self.events.recv()).await {
                Ok(Some(PumpEvent::Batch { items, .. })) => {
                    self.store.ingest(items);
                }
                Ok(Some(PumpEvent::State(_, state))) => self.states.push(state),
                Ok(Some(PumpEvent::Notice(_, text))) => self.notices.push(text),
                Ok(Some(_)) => {}
                Ok(None) => panic!("{what}: the source ended; {:?}", self.states),
                Err(_) => panic!("waited in vain for {what}; {} held, {:?}", self.store.len(), self.states),
            }
        }
    }

    /// Until everything is loaded and what comes is shown.
    pub async fn live(&mut self) {
        self.until("the source to be live", |running| running.states.last() == Some(&SourceState::Live)).await;
    }

    /// Until so many sources are.
    pub async fn all_live(&mut self, count: usize) {
        let live = |running: &Self| running.states.iter().filter(|state| **state == SourceState::Live).count() == count;
        self.until("every source to be live", live).await;
    }

    /// Status by id.
    pub fn statuses(&self) -> std::collections::BTreeMap<String, Option<Status>> {
        let rows = self.store.all_rows().iter().map(|row| self.store.get(*row));
        rows.map(|activity| (activity.id.to_string(), activity.status)).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Whether the parts of the time before and after 2000 add up to all records, those without a time to the first, in pages,
/// figures, and figures by the hour (C4.5, C4.6).
pub async fn undated_add_up(source: &dyn Source, all: usize, undated: usize) {
    let middle = Timestamp::from_millis(946_684_800_000);
    let whole = PageQuery::all(50);
    let before = PageQuery { until: Some(middle), ..whole.clone() };
    let after = PageQuery { since: Some(middle), ..whole.clone() };
    for (query, expected) in [(whole, all), (before, undated), (after, all - undated)] {
        let mut read = 0;
        for_each(source, &query, &Job::default(), |_| {
            read += 1;
            true
        })
        .await
        .expect("pages");
        let mut counted = Vec::new();
        for bucket_us in [None, Some(3_600_000_000)] {
            let grouping = Grouping { by: vec![Field::System], bucket_us, ..Grouping::default() };
            let groups = source.aggregate(&query, &grouping, &Job::default()).await.expect("figures");
            counted.push(groups.values().map(|figures| figures.count).sum::<u64>());
            let at_epoch: u64 = groups
                .iter()
                .filter(|((_, bucket), _)| *bucket == Some(Timestamp::UNDATED))
                .map(|(_, figures)| figures.count)
                .sum();
            let has_epoch = bucket_us.is_some() && query.includes_undated();
            assert_eq!(at_epoch, if has_epoch { undated as u64 } else { 0 }, "without a time: {query:?}");
        }
        assert_eq!((read, counted), (expected, vec![expected as u64; 2]), "{query:?}");
    }
}
