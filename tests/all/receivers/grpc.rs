//! OTLP over gRPC: the answers of the specification, by the library that the kits use; a token, back pressure.

use super::{free_port, python, receiving, unread};
use crate::programs::World;
use crate::servers::servers_wanted;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// Answers of calls.py.
fn answers(child: &mut Child) -> impl Iterator<Item = Value> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    lines.map(|line| serde_json::from_str(&line).expect("JSON"))
}

pub(crate) fn calls(port: u16, what: &[&str]) -> Child {
    let mut calls = python("calls.py", port);
    calls.args(what).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    calls.spawn().expect("python3")
}

#[test]
fn calls_are_answered_as_the_specification_says() {
    if !servers_wanted() {
        return;
    }
    let (world, port) = (World::new(&[]), free_port());
    let tail = receiving(&world, &format!("otlp+grpc://127.0.0.1:{port}"), port);
    let mut odd = calls(port, &["odd"]);
    let found: Vec<(String, String)> = answers(&mut odd)
        .map(|answer| {
            assert!(answer["retry"].is_null(), "trying again would not help: {answer}");
            let text = |key: &str| answer[key].as_str().expect("a text").to_owned();
            (text("name"), text("code"))
        })
        .collect();
    let expected = [
        ("empty", "OK"),
        ("one", "OK"),
        ("packed", "OK"),
        ("deflate", "UNIMPLEMENTED"),
        ("no protobuf", "INVALID_ARGUMENT"),
        ("metrics", "UNIMPLEMENTED"),
        ("too large", "RESOURCE_EXHAUSTED"),
        ("too large unpacked", "RESOURCE_EXHAUSTED"),
        ("last", "OK"),
    ];
    assert_eq!(found, expected.map(|(name, code)| (name.to_owned(), code.to_owned())));
    assert!(odd.wait().expect("ended").success());
    tail.wait_for(&["record 1", "record 2", "record 4"]);
    tail.wait_until_said("refused requests that were none");
    tail.wait_until_said("refused requests that were too large");
    assert_eq!(tail.counts().len(), 3, "{:?}", tail.counts());
    // Another protocol is told from it, here and there.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    plain.write_all(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    tail.wait_until_said("refused connections without gRPC; otlp+http:// takes OTLP over HTTP");
    tail.end();
    let port = free_port();
    let tail = receiving(&world, &format!("otlp+http://127.0.0.1:{port}"), port);
    let mut call = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    call.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("sent");
    tail.wait_until_said("refused connections by gRPC, which otlp+grpc:// takes");
    tail.end();
}

#[test]
fn a_token_is_asked_for_where_others_can_reach_it() {
    let (world, port) = (World::new(&[]), free_port());
    let open = world.run(&["query", "-s", &format!("otlp+grpc://0.0.0.0:{port}")]);
    let said = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(!open.status.success() && said.contains("?token=") && said.contains("other machines"), "{said}");
    if !servers_wanted() {
        return;
    }
    let tail = receiving(&world, &format!("otlp+grpc://0.0.0.0:{port}?token=s3cret"), port);
    let mut child = calls(port, &["token", "s3cret"]);
    let codes: Vec<String> =
        answers(&mut child).map(|answer| answer["code"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(codes, ["UNAUTHENTICATED", "UNAUTHENTICATED", "OK"]);
    assert!(child.wait().expect("ended").success());
    tail.wait_for(&["record 3"]);
    tail.wait_until_said("refused requests without the token");
    assert_eq!(tail.counts().len(), 1, "{:?}", tail.counts());
    assert!(!tail.said().contains("s3cret"), "{}", tail.said());
    tail.end();
}

/// What nobody reads is refused as OTLP has it, and everything that was taken is there afterwards, once.
#[test]
fn back_pressure_refuses_and_loses_nothing() {
    if !servers_wanted() {
        return;
    }
    let (world, port) = (World::new(&[]), free_port());
    let mut tail = unread(&world, &format!("otlp+grpc://127.0.0.1:{port}"), port);
    let mut child = calls(port, &["fill"]);
    let mut answers = answers(&mut child);
    let mut taken = 0;
    let refused = answers.find(|answer| {
        let is_taken = answer["code"] == "OK";
        taken += if is_taken { 20_000 } else { 0 };
        !is_taken
    });
    let refused = refused.expect("a refusal");
    assert_eq!((&refused["code"], &refused["retry"]), (&"UNAVAILABLE".into(), &1.into()), "{refused}");
    let lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let reading = std::thread::spawn(move || {
        let mut seen = HashSet::new();
        for line in lines.map_while(Result::ok) {
            let record: Value = serde_json::from_str(&line).expect("JSON");
            assert!(seen.insert(record["message"].as_str().expect("a message").to_owned()), "{line}");
            if seen.len() == taken + 1 {
                break;
            }
        }
        seen.len()
    });
    child.stdin.take().expect("a pipe").write_all(b"\n").expect("told");
    assert!(answers.any(|answer| answer["code"] == "OK"), "there is room again");
    assert!(child.wait().expect("ended").success());
    assert_eq!(reading.join().expect("counted"), taken + 1);
    let _ = tail.kill();
    let said: Vec<String> = BufReader::new(tail.stderr.take().expect("a pipe")).lines().map_while(Result::ok).collect();
    let _ = tail.wait();
    assert!(said.iter().any(|line| line.contains("because more came than could be read")), "{said:?}");
}
