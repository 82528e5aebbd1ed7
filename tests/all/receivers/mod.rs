//! What is sent to crosstail, by clients that other people wrote and by requests that no client should send; and stores of traces,
//! which are asked.

mod documents;
mod grpc;
mod kits;
mod live;
mod otlp;
mod rsyslog;
mod syslog;
mod traces;

pub(crate) use grpc::calls;
pub(crate) use traces::{Answer as Answered, serve, tempo_trace};

use crate::programs::{Tail, World};
use crate::support::wait_for;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A port of this machine that nobody uses.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// A file beside this one.
fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/receivers").join(name)
}

/// A script of Python with OpenTelemetry's kit, and its first argument.
fn python(script: &str, port: u16) -> Command {
    let mut command = Command::new("python3");
    command.arg(beside(script)).arg(port.to_string());
    command.env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("target/otel"));
    command
}

/// `crosstail tail` of one receiver, once it listens.
fn receiving(world: &World, at: &str, port: u16) -> Tail {
    let tail = world.tail(&["-s", at]);
    wait_for("the receiver to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    tail
}

/// `crosstail tail` of one receiver, once it listens; nobody reads what it prints.
fn unread(world: &World, at: &str, port: u16) -> Child {
    let mut command = world.command(&["tail", "-o", "json", "-s", at]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    wait_for("the receiver to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    child
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    body: String,
}

/// Sends a request as it is; `headers` end with newlines.
fn request(port: u16, first: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let length = if headers.to_ascii_lowercase().contains("content-length") || headers.contains("chunked") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head = format!("{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    // One that is refused by its head is not read.
    let _ = stream.write_all(body);
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).expect("an answer") > 2 {}
    let mut body = Vec::new();
    let _ = reader.read_to_end(&mut body);
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_ascii_lowercase(), body: String::from_utf8_lossy(&body).into_owned() }
}

/// Posts JSON.
pub(crate) fn post(port: u16, path: &str, body: &str) -> Answer {
    request(port, &format!("POST {path}"), "Content-Type: application/json\r\n", body.as_bytes())
}

/// A span in the JSON form of OTLP.
fn span(trace: &str, id: &str, parent: &str, name: &str, more: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"pay"}}}}]}},"scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"{id}","parentSpanId":"{parent}","name":"{name}","startTimeUnixNano":"1795000001000000000","endTimeUnixNano":"1795000001250000000"{more}}}]}}]}}]}}"#
    )
}
