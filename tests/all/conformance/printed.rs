//! A command that prints a log file as it grows.

use super::fixtures::{Fixture, Logger};
use crate::support::{EPOCH, PATIENCE};
use crosstail_core::model::Names;
use crosstail_source::{CommandLine, Job, PageQuery, Run, Source, SourceConfig, for_each};
use serde_json::Value;
use std::io::Write as _;
use std::sync::Arc;

/// It ends with an error while there is a file that is named `down`.
const SCRIPT: &str = "cd \"$1\"; [ -e down ] && { echo it is down >&2; exit 1; }; tail -n +1 -f app.log & \
                      while [ ! -e down ]; do sleep 0.05; done; echo it is down >&2; exit 1";

pub struct CommandFixture {
    folder: tempfile::TempDir,
    source: Arc<dyn Source>,
    names: Names,
    logger: Logger,
    written: usize,
}

fn open(folder: &std::path::Path) -> (Names, Arc<dyn Source>) {
    let words = ["sh", "-c", SCRIPT, "sh", &folder.display().to_string()].map(str::to_owned).to_vec();
    let run = Run { command: CommandLine::Words(words), ..Run::default() };
    let (name, at) = ("test".to_owned(), vec!["cmd:test".to_owned()]);
    let config = SourceConfig { name, at, run: Some(run), ..SourceConfig::default() };
    let names = Names::default();
    let (_, source) = crosstail::kinds::ALL.open(&config, &names).expect("opened");
    (names, source)
}

impl CommandFixture {
    pub async fn new() -> Option<Self> {
        std::sync::LazyLock::force(&super::hosted::HERE);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("app.log"), "").expect("written");
        let (names, source) = open(folder.path());
        let logger = Logger::new("timestamp", |n| EPOCH.plus_ms(n as i64 * 1000));
        Some(Self { folder, source, names, logger, written: 0 })
    }

    fn write(&self, lines: &[Value]) {
        let path = self.folder.path().join("app.log");
        let mut file = std::fs::File::options().append(true).open(path).expect("opened");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        file.write_all(text.as_bytes()).expect("written");
    }
}

/// Waits until a source has read so many activities.
pub async fn until_read(source: &dyn Source, count: usize) {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut found = 0;
        let (query, job) = (PageQuery::all(10_000), Job::default());
        let counted = for_each(source, &query, &job, |_| {
            found += 1;
            true
        });
        counted.await.expect("read");
        if found == count {
            return;
        }
        assert!(tokio::time::Instant::now() < until, "{found} of {count} were read");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

impl Fixture for CommandFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.insert(count);
        self.write(&lines);
        self.written += count;
        if !self.folder.path().join("down").exists() {
            until_read(self.source.as_ref(), self.written).await;
        }
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.start(count);
        self.write(&lines);
        self.written += count;
        until_read(self.source.as_ref(), self.written).await;
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        self.write(&self.logger.complete(ids));
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(self.folder.path()).1
    }

    fn address(&self) -> String {
        "cmd:test".to_owned()
    }

    async fn fingerprint(&mut self) -> String {
        format!("{:x?}", std::fs::read(self.folder.path().join("app.log")).expect("read"))
    }

    fn overlaps(&self) -> bool {
        // Another run of the command prints everything again.
        true
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    /// What it printed is kept.
    async fn delete_all(&mut self) {
        std::fs::write(self.folder.path().join("app.log"), "").expect("written");
    }

    async fn kill(&mut self) {
        std::fs::write(self.folder.path().join("down"), "").expect("written");
    }

    async fn revive(&mut self) -> Vec<String> {
        let ids = self.insert(10).await;
        std::fs::remove_file(self.folder.path().join("down")).expect("removed");
        ids
    }
}
