//! JSON by POST.

use super::otlp::{BATCH, is_refused_and_nothing_is_lost};
use super::{free_port, post, receiving, request, unread};
use crate::programs::World;
use crate::support::open;
use crosstail_source::Job;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read as _;

#[test]
fn lines_documents_and_lists_are_records() {
    let (world, port) = (World::new(&[]), free_port());
    let tail = receiving(&world, &format!("http-in://127.0.0.1:{port}"), port);
    let lines = "{\"time\":\"2026-11-20T10:00:00Z\",\"level\":\"info\",\"msg\":\"one\"}\n{\"time\":\"2026-11-20T10:00:01Z\",\"msg\":\"two\"}\n";
    let taken = request(port, "POST /hook", "Content-Type: application/x-ndjson\r\n", lines.as_bytes());
    assert_eq!((taken.status, taken.body.as_str()), (200, r#"{"accepted":2,"rejected":0}"#), "{taken:?}");
    assert_eq!(post(port, "/", "{\n \"time\": \"2026-11-20T10:00:02Z\",\n \"msg\": \"three\"\n}").status, 200);
    let list = r#"[{"time":"2026-11-20T10:00:03Z","msg":"four"},{"time":"2026-11-20T10:00:04Z","msg":"five"}]"#;
    assert_eq!(post(port, "/", list).body, r#"{"accepted":2,"rejected":0}"#);
    // In pieces, without a length.
    let body = b"1e\r\n{\"msg\":\"six\",\"level\":\"warn\"}\n\n\r\n0\r\n\r\n";
    let taken = request(port, "POST /", "Transfer-Encoding: chunked\r\n", body);
    assert_eq!(taken.body, r#"{"accepted":1,"rejected":0}"#, "{taken:?}");
    let partly = post(port, "/", "{\"msg\":\"seven\"}\nnonsense\n");
    assert!(partly.body.contains(r#""rejected":1"#) && partly.body.contains("line 2"), "{partly:?}");
    let none = post(port, "/", "hello");
    assert!(none.status == 400 && none.body.contains("line 1"), "{none:?}");
    assert_eq!(request(port, "PUT /", "", b"{}").status, 405);
    tail.wait_for(&["one", "two", "three", "four", "five", "six", "seven"]);
    tail.wait_until_said("refused records, which were none");
    // The number is said of all of them in the end, also between two doublings.
    for _ in 0..4 {
        assert_eq!(post(port, "/", "hello").status, 400);
    }
    tail.wait_until_said(": 6 so far");
    tail.end();
}

/// What was taken is printed though the end is asked for, or it is said that there was more.
#[test]
fn what_was_taken_before_the_end_is_printed() {
    let (world, port) = (World::new(&[]), free_port());
    let mut child = unread(&world, &format!("http-in://127.0.0.1:{port}"), port);
    const LINES: usize = 3000;
    let lines: String = (0..LINES).map(|n| format!("{{\"level\":\"info\",\"msg\":\"record {n}\"}}\n")).collect();
    assert_eq!(post(port, "/", &lines).status, 200);
    kill_process(Pid::from_child(&child), Signal::INT).expect("asked to end");
    let mut out = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("read");
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("read");
    assert!(child.wait().expect("ended").success(), "{said}");
    let printed = out.lines().count();
    assert!(printed == LINES || said.contains("more was received than is printed"), "{printed}: {said}");
    assert!(printed > 0, "{said}");
}

/// The end may be asked for before anything follows.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_before_anybody_follows_is_waiting() {
    let port = free_port();
    let (_, source) = open(&[format!("http-in://127.0.0.1:{port}")]);
    source.probe(&Job::default()).await.expect("it listens");
    assert_eq!(source.waiting(), 0);
    let taken = tokio::task::spawn_blocking(move || post(port, "/", "{\"msg\":\"one\"}\n")).await.expect("sent");
    assert_eq!(taken.status, 200);
    assert!(source.waiting() > 0);
}

#[test]
fn too_many_lines_are_refused_and_none_is_lost() {
    let lines = |number: usize| -> String {
        let line = |n| format!("{{\"level\":\"info\",\"padding\":\"{n:60}\",\"msg\":\"record {number}-{n}\"}}\n");
        (0..BATCH).map(line).collect()
    };
    is_refused_and_nothing_is_lost("http-in", "/", &lines, "{\"msg\":\"last\"}");
}
