//! Tempo and Jaeger, each a server of the test's own that speaks the documented interface.

use super::span;
use crate::programs::World;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A server that answers paths; the port, and what it was asked.
fn server(answers: Vec<(&'static str, u16, String)>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|length| length > 2) {}
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let found = answers.iter().find(|(known, _, _)| *known == path);
            let (code, body) = found.map_or((404, ""), |(_, code, body)| (*code, body.as_str()));
            log.lock().expect("lock").push(head.clone());
            let _ = write!(
                reader.get_mut(),
                "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (port, asked)
}

fn log_file(world: &World) {
    world.write(
        "shop.log",
        &format!(
            "{{\"time\":\"2026-11-18T11:06:41.050Z\",\"level\":\"info\",\"msg\":\"order 4711\",\"request_id\":\"r-1\",\"trace_id\":\"{TRACE}\"}}\n"
        ),
    );
}

#[test]
fn their_spans_stand_beside_the_records_of_other_sources() {
    let spans = span(TRACE, "b7ad6b7169203331", "", "checkout", r#","kind":2"#);
    let tempo = spans.replace("resourceSpans", "batches");
    let jaeger = format!("{{\"result\":{spans}}}");
    for (scheme, paths) in [
        (
            "tempo",
            vec![
                ("/api/echo", 200, "echo".to_owned()),
                (concat!("/api/traces/", "0af7651916cd43dd8448eb211c80319c"), 200, tempo),
            ],
        ),
        (
            "jaeger",
            vec![
                ("/api/v3/services", 200, "{}".to_owned()),
                (concat!("/api/v3/traces/", "0af7651916cd43dd8448eb211c80319c"), 200, jaeger),
            ],
        ),
    ] {
        let world = World::new(&[]);
        log_file(&world);
        let (port, asked) = server(paths);
        let at = format!("{scheme}+http://bearer:s3cret@127.0.0.1:{port}");
        let shown = world.run(&["show", "r-1", "-s", "shop.log", "-s", &at]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(text.contains("checkout") && text.contains("order 4711"), "{scheme}: {text}\n{shown:?}");
        let asked = asked.lock().expect("lock").join("\n").to_ascii_lowercase();
        assert!(asked.contains("authorization: bearer s3cret"), "{asked}");
        // Nothing is searched in it.
        let found = world.run(&["query", "-o", "json", "-s", "shop.log", "-s", &at]);
        assert!(found.status.success(), "{found:?}");
        assert_eq!(String::from_utf8_lossy(&found.stdout).lines().count(), 1);
        let doctor = world.run(&["doctor", "-s", &at]);
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(said.contains("is asked for the spans of a trace when one is opened"), "{said}");
    }
}

#[test]
fn one_that_fails_is_said_and_the_rest_is_shown() {
    let world = World::new(&[]);
    log_file(&world);
    for (code, said) in [(500, "HTTP 500"), (401, "bearer:TOKEN@")] {
        let (port, _) = server(vec![
            ("/api/echo", 200, "echo".to_owned()),
            (concat!("/api/traces/", "0af7651916cd43dd8448eb211c80319c"), code, String::new()),
        ]);
        let at = format!("tempo+http://127.0.0.1:{port}");
        let shown = world.run(&["show", "r-1", "-s", "shop.log", "-s", &at]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(text.contains("order 4711"), "{text}");
        assert!(String::from_utf8_lossy(&shown.stderr).contains(said), "{shown:?}");
    }
    // A server that is none of them.
    let (port, _) = server(Vec::new());
    let doctor = world.run(&["doctor", "-s", &format!("jaeger+http://127.0.0.1:{port}")]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("no Jaeger answers there"), "{doctor:?}");
}
