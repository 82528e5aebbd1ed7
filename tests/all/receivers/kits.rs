//! OpenTelemetry's own software development kits as clients: Python and JavaScript, over HTTP and gRPC.

use super::{beside, free_port, python, receiving};
use crate::programs::World;
use crate::servers::servers_wanted;
use std::path::Path;
use std::process::Command;

/// The kit sends two spans, packed, and a thousand log records: all come, once, and nothing is complained about.
fn is_understood(scheme: &str, kit: impl Fn(u16) -> Command) {
    if !servers_wanted() {
        return;
    }
    let (world, port) = (World::new(&[]), free_port());
    let tail = receiving(&world, &format!("{scheme}://127.0.0.1:{port}"), port);
    let sent = kit(port).output().expect("run; scripts/setup-tests installs the kit");
    assert!(sent.status.success(), "{sent:?}");
    let said = [sent.stdout, sent.stderr].concat();
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    tail.wait_for(&["log 0", "log 999", "checkout", "POST"]);
    assert_eq!(tail.counts().len(), 1002);
    assert!(tail.counts().values().all(|count| *count == 1), "{:?}", tail.counts());
    assert!(!tail.said().contains("refused"), "{}", tail.said());
    tail.end();
}

fn python_by(protocol: &str) -> impl Fn(u16) -> Command + '_ {
    move |port| {
        let mut command = python("kit.py", port);
        command.arg(protocol);
        command
    }
}

fn javascript_by(protocol: &str) -> impl Fn(u16) -> Command + '_ {
    move |port| {
        let mut command = Command::new("node");
        command.arg(beside("kit.js")).arg(port.to_string()).arg(protocol);
        command.env("NODE_PATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("target/otel-js/node_modules"));
        command
    }
}

#[test]
fn python_over_http() {
    is_understood("otlp+http", python_by("http"));
}

#[test]
fn python_over_grpc() {
    is_understood("otlp+grpc", python_by("grpc"));
}

#[test]
fn javascript_over_http() {
    is_understood("otlp+http", javascript_by("http"));
}

#[test]
fn javascript_over_grpc() {
    is_understood("otlp+grpc", javascript_by("grpc"));
}
