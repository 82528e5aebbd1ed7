//! `k8s:`.

use super::{World, messages, records};
use serde_json::json;

const KUBECTL: [(&str, &str); 1] = [("kubectl", "kubectl")];

impl World {
    fn pod(&self, name: &str, app: &str, restarts: u64, state: &str) {
        let pod = json!({
            "metadata": { "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": { "app": app } },
            "status": { "containerStatuses": [{ "name": "main", "restartCount": restarts, "state": { state: {} } }] },
        });
        self.write(&format!("fake/pods/{name}"), &pod.to_string());
    }

    fn said(&self, pod: &str, restarts: u64, n: u64, text: &str) {
        let line = format!("2026-11-20T10:{:02}:{:02}.{:09}Z {text}\n", n / 60, n % 60, n);
        self.append(&format!("fake/logs/{pod}/main/{restarts}"), &line);
    }
}

#[test]
fn pods_are_streams_with_the_end_of_what_ran_before() {
    let world = World::new(&KUBECTL);
    world.pod("web-1", "web", 1, "running");
    world.pod("db-1", "db", 0, "running");
    world.pod("new-1", "web", 0, "waiting");
    world.said("web-1", 0, 1, "ERROR out of memory");
    world.said("web-1", 1, 2, r#"{"level":"warn","msg":"started"}"#);
    world.said("db-1", 0, 3, "ready");
    let found = records(&world.run(&["query", "-s", "k8s:shop", "-o", "json", "--sort", "time"]));
    assert_eq!(messages(&found), ["out of memory", "started", "ready"], "{found:#?}");
    assert_eq!((found[1]["system"].as_str(), found[1]["level"].as_str()), (Some("web-1"), Some("warn")));
    assert_eq!(world.query(&["meta.container:main", "-s", "k8s:shop"]).len(), 3);
    assert_eq!(world.query(&["-s", "k8s:prod/shop/app=web"]).len(), 2);
    assert!(world.read("fake/calls").contains("--context=prod"));
    world.write("fake/down", "");
    let output = world.run(&["query", "-s", "k8s:shop"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("was refused"), "{said}");
}

#[test]
fn pods_are_followed_through_restarts_cuts_and_new_ones() {
    let world = World::new(&KUBECTL);
    world.pod("web-1", "web", 0, "running");
    world.said("web-1", 0, 0, "old");
    let tail = world.tail(&["-s", "k8s:shop/app=web"]);
    super::wait_for("following", || world.read("fake/calls").contains("--follow"));
    let mut expected = Vec::new();
    let mut say = |pod: &str, restarts: u64, n: u64| {
        let text = format!("{pod} {restarts} line {n}");
        world.said(pod, restarts, n, &text);
        expected.push(text);
    };
    (1..10).for_each(|n| say("web-1", 0, n));
    tail.wait_for(&["web-1 0 line 9"]);
    // The API is cut, and the container is started again meanwhile: its end is in the log of the previous one.
    world.write("fake/down", "");
    world.cut();
    (10..15).for_each(|n| say("web-1", 0, n));
    (15..20).for_each(|n| say("web-1", 1, n));
    world.pod("web-1", "web", 1, "running");
    tail.wait_until_said("was refused");
    std::fs::remove_file(world.path("fake/down")).expect("removed");
    tail.wait_for(&["web-1 0 line 14", "web-1 1 line 19"]);
    // A new pod, one that fits no selector, and one whose container begins later.
    world.pod("web-2", "web", 0, "waiting");
    world.pod("db-1", "db", 0, "running");
    world.said("db-1", 0, 20, "not wanted");
    world.pod("web-3", "web", 0, "running");
    (20..25).for_each(|n| say("web-3", 0, n));
    tail.wait_for(&["web-3 0 line 24"]);
    say("web-2", 0, 25);
    world.pod("web-2", "web", 0, "running");
    // Only the stream is cut: the container goes on.
    world.cut();
    (26..30).for_each(|n| say("web-1", 1, n));
    tail.wait_for(&["web-2 0 line 25", "web-1 1 line 29"]);
    std::fs::remove_file(world.path("fake/pods/web-3")).expect("removed");
    say("web-1", 1, 30);
    tail.wait_for(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let counts = tail.counts();
    assert!(!counts.contains_key("old") && !counts.contains_key("not wanted"), "{counts:?}");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
}
