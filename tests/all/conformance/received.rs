//! Receivers: activities are sent to them, as JSON by POST, as messages of syslog, or as log records of OTLP.

use super::fixtures::{Fixture, Logger};
use super::printed::until_read;
use crate::receivers::{calls, free_port, post};
use crate::servers::servers_wanted;
use crate::support::{EPOCH, PATIENCE, open, wait_for};
use crosstail_core::model::Names;
use crosstail_source::{Job, Source};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout};
use std::sync::Arc;

pub struct ReceiverFixture {
    scheme: &'static str,
    port: u16,
    /// Kept open: the messages of one sender come in order.
    stream: Option<TcpStream>,
    /// What makes calls by gRPC, and what it answers.
    caller: Option<(Child, BufReader<ChildStdout>)>,
    source: Arc<dyn Source>,
    names: Names,
    logger: Logger,
    written: usize,
}

impl ReceiverFixture {
    pub async fn http() -> Option<Self> {
        Some(Self::listening("http-in").await)
    }

    /// Each line is the body of a log record, as a collector sends what it reads of containers.
    pub async fn otlp() -> Option<Self> {
        Some(Self::listening("otlp+http").await)
    }

    /// The same by gRPC, with the library that the kits use.
    pub async fn grpc() -> Option<Self> {
        if !servers_wanted() {
            return None;
        }
        let mut fixture = Self::listening("otlp+grpc").await;
        let mut caller = calls(fixture.port, &["send"]);
        let answers = BufReader::new(caller.stdout.take().expect("a pipe"));
        fixture.caller = Some((caller, answers));
        Some(fixture)
    }

    pub async fn syslog() -> Option<Self> {
        let mut fixture = Self::listening("syslog").await;
        fixture.stream = Some(TcpStream::connect(("127.0.0.1", fixture.port)).expect("connected"));
        Some(fixture)
    }

    async fn listening(scheme: &'static str) -> Self {
        let port = free_port();
        let (names, source) = open(&[format!("{scheme}://127.0.0.1:{port}")]);
        let probe = tokio::time::timeout(PATIENCE, source.probe(&Job::default())).await;
        probe.expect("in time").expect("it listens");
        wait_for("the receiver to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let logger = Logger::new("timestamp", |n| EPOCH.plus_ms(n as i64 * 1000));
        Self { scheme, port, stream: None, caller: None, source, names, logger, written: 0 }
    }

    fn send(&mut self, lines: &[Value]) {
        if self.scheme == "otlp+http" {
            let record = |line: &Value| json!({"timeUnixNano": "1763546400000000000", "severityNumber": 9, "body": {"stringValue": line.to_string()}});
            let records: Vec<Value> = lines.iter().map(record).collect();
            let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
            let sent = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
            let answer = post(self.port, "/v1/logs", &sent.to_string());
            assert_eq!(answer.status, 200, "{answer:?}");
            return;
        }
        if let Some((caller, answers)) = &mut self.caller {
            let bodies: Vec<String> = lines.iter().map(Value::to_string).collect();
            let input = caller.stdin.as_mut().expect("a pipe");
            writeln!(input, "{}", json!(bodies)).expect("sent");
            let mut answer = String::new();
            answers.read_line(&mut answer).expect("answered");
            assert!(answer.contains(r#""code": "OK""#), "{answer}");
            return;
        }
        let Some(stream) = &mut self.stream else {
            let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let answer = post(self.port, "/", &body);
            assert_eq!(answer.status, 200, "{answer:?}");
            return;
        };
        let mut bytes = Vec::new();
        for line in lines {
            let message = format!("<14>1 2026-11-20T10:00:00Z web-1 shop 12 - - {line}");
            bytes.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
        }
        stream.write_all(&bytes).expect("sent");
    }
}

impl Fixture for ReceiverFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.insert(count);
        self.send(&lines);
        self.written += count;
        until_read(self.source.as_ref(), self.written).await;
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.start(count);
        self.send(&lines);
        self.written += count;
        until_read(self.source.as_ref(), self.written).await;
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        let lines = self.logger.complete(ids);
        self.send(&lines);
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(&[self.address()]).1
    }

    fn address(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// What was sent is all that there is: it can still be read.
    async fn fingerprint(&mut self) -> String {
        super::all(self.source.as_ref()).await.iter().map(|activity| activity.id.to_string()).collect()
    }

    fn overlaps(&self) -> bool {
        // Whoever follows from a position gets all that came since it listens.
        true
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    async fn delete_all(&mut self) {
        unreachable!("nothing is deleted of what was received");
    }
}

impl Drop for ReceiverFixture {
    fn drop(&mut self) {
        if let Some((caller, _)) = &mut self.caller {
            let _ = caller.kill();
            let _ = caller.wait();
        }
    }
}
