//! A real Winston logger with its rotation, followed while it writes.

use crate::support::{PATIENCE, wait_until_it_follows};
use serde_json::Value;
use std::collections::HashMap;
use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const REQUESTS: usize = 40_000;

fn keep(from: &Path, to: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        if entry.file_name() == "warm.log" {
            continue;
        }
        let second = to.join(format!("{}-{}", meta.ino(), entry.file_name().to_string_lossy()));
        let _ = std::fs::hard_link(entry.path(), second);
    }
}

/// What was written: request → what became of it, by reading the files in the plainest way.
fn requests(folder: &Path) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        for line in std::fs::read_to_string(entry.path()).expect("text").lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let id = record["requestId"].as_str().expect("an id").to_owned();
            let status = match record["message"].as_str() {
                Some("API Request Started") => "in_progress",
                Some("Operation Failed") => "failed",
                _ if record["statusCode"].as_u64().is_some_and(|code| code >= 400) => "failed",
                _ => "success",
            };
            let known = found.entry(id).or_insert_with(|| status.to_owned());
            if known == "in_progress" || status == "failed" {
                status.clone_into(known);
            }
        }
    }
    found
}

/// The module, which `scripts/test` installs; `None` where servers are not wanted.
fn winston() -> Option<std::path::PathBuf> {
    if !crate::servers::servers_wanted() {
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/winston");
    assert!(
        folder.join("node_modules/winston").is_dir(),
        "Winston is not installed: run scripts/test, or scripts/setup-tests once"
    );
    Some(folder)
}

#[test]
fn forty_thousand_requests_through_rotation() {
    let Some(modules) = winston() else { return };
    let logs = tempfile::tempdir().expect("a folder");
    for file in ["combined.log", "error.log", "warm.log"] {
        std::fs::write(logs.path().join(file), "").expect("written");
    }
    let mut tail = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(["tail", "-o", "json", "-s", &logs.path().join("*.log").display().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let output = tail.stdout.take().expect("a pipe");
    let latest: Arc<Mutex<HashMap<String, Value>>> = Arc::default();
    let there = Arc::clone(&latest);
    let reader = std::thread::spawn(move || {
        for line in std::io::BufReader::new(output).lines() {
            let record: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            let id = record["id"].as_str().expect("an id").to_owned();
            there.lock().expect("lock").insert(id, record);
        }
    });
    // In a file of its own, which is not counted.
    let warm = logs.path().join("warm.log");
    wait_until_it_follows(&warm, || latest.lock().expect("lock").keys().cloned().collect());
    let mut node = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/winston/log.js"))
        .args([logs.path().as_os_str(), REQUESTS.to_string().as_ref()])
        .env("NODE_PATH", modules.join("node_modules"))
        .spawn()
        .expect("node");
    // Rotation removes the oldest files: a second name keeps what was written, to count it.
    let kept = tempfile::tempdir_in(logs.path().parent().expect("a parent")).expect("a folder");
    while node.try_wait().expect("asked").is_none() {
        keep(logs.path(), kept.path());
        std::thread::park_timeout(Duration::from_millis(5));
    }
    keep(logs.path(), kept.path());
    let written = requests(kept.path());
    assert!(written.len() > REQUESTS * 9 / 10, "{} requests were written", written.len());
    let until = Instant::now() + PATIENCE;
    let outcome = |record: &Value| record["status"].as_str().unwrap_or_default().to_owned();
    let as_written = || {
        let mut latest = latest.lock().expect("lock");
        latest.retain(|id, _| !id.starts_with("warm-"));
        latest.len() == written.len()
            && written.iter().all(|(id, status)| latest.get(id).is_some_and(|r| outcome(r) == *status))
    };
    while !as_written() && Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    tail.kill().expect("ended");
    tail.wait().expect("ended");
    reader.join().expect("read");
    let rotated = std::fs::read_dir(kept.path()).expect("a folder").count();
    assert!(rotated > 5, "it rotated: {rotated} files");
    let mut latest = latest.lock().expect("lock");
    latest.retain(|id, _| !id.starts_with("warm-"));
    let of = |status: &str| latest.values().filter(|record| record["status"] == status).count();
    let expected = |status: &str| written.values().filter(|known| *known == status).count();
    for status in ["in_progress", "failed", "success"] {
        assert_eq!(of(status), expected(status), "{status} of {}", written.len());
        assert!(of(status) > 300);
    }
    assert_eq!(latest.len(), written.len());
    // A failure stands in both files, and is one.
    let failure = latest.values().find(|record| record["error"] == "upstream responded 500").expect("a failure");
    let places: Vec<&str> = failure["places"].as_array().expect("places").iter().filter_map(Value::as_str).collect();
    assert!(
        places.iter().any(|p| p.starts_with("combined")) && places.iter().any(|p| p.starts_with("error")),
        "{places:?}"
    );
    assert_eq!(failure["method"], "GET");
}
