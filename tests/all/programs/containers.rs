//! `docker:`, `podman:` and `compose:`.

use super::{World, messages, records};
use serde_json::{Value, json};

const ENGINES: [(&str, &str); 2] = [("docker", "docker"), ("podman", "docker")];
const WEB: &str = "0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b";
const API: &str = "1a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d4e5f0a1b";

impl World {
    fn container(&self, id: &str, name: &str, more: &Value) {
        let mut one = json!({ "name": name, "state": "running", "status": "Up 2 hours" });
        one.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.write(&format!("fake/containers/{id}"), &one.to_string());
    }

    fn logged(&self, id: &str, stream: char, n: u64, text: &str) {
        self.append(
            &format!("fake/logs/{id}"),
            &format!("{stream} 2026-11-20T10:{:02}:{:02}.{:09}Z {text}\n", n / 60, n % 60, n),
        );
    }
}

#[test]
fn containers_are_streams_with_their_names() {
    let world = World::new(&ENGINES);
    let here = world.path("").canonicalize().expect("there").display().to_string();
    world.container(
        WEB,
        "shop-web-1",
        &json!({ "labels": [format!("com.docker.compose.project.working_dir={here}")] }),
    );
    world.container(API, "API", &json!({ "tty": true, "state": "exited", "status": "Exited (0) 3 hours ago" }));
    world.logged(WEB, 'O', 1, r#"{"level":"error","msg":"charge failed"}"#);
    world.logged(WEB, 'E', 2, "plain words");
    world.logged(API, 'O', 3, "behind a terminal");
    world.logged(WEB, 'O', 4, &format!("long {}", "x".repeat(40_000)));
    let found = records(&world.run(&["query", "-s", "docker:", "-o", "json", "--sort", "time"]));
    let systems: Vec<_> = found.iter().map(|record| record["system"].as_str().unwrap_or_default()).collect();
    assert_eq!(systems, ["shop-web-1", "shop-web-1", "API", "shop-web-1"], "{found:#?}");
    assert_eq!(found[0]["level"], "error");
    assert_eq!(messages(&found)[..3], ["charge failed", "plain words", "behind a terminal"]);
    let shown = world.run(&["show", found[3]["id"].as_str().expect("an id"), "-s", "docker:"]);
    let whole = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(whole.contains(&"x".repeat(40_000)), "the pieces of a long message are one");
    assert_eq!(world.query(&["-s", "docker:API"]), ["behind a terminal"]);
    assert_eq!(world.query(&["-s", "podman:API,shop-web-1"]).len(), 4);
    assert_eq!(world.query(&["-s", "compose:."]).len(), 3);
    let output = world.run(&["query", "-s", "docker:nope"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no container is named nope"), "{output:?}");
    let output = world.run(&["doctor", "-s", "docker:"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("2 containers") && said.contains("last 100,000 lines"), "{said}");
}

#[test]
fn history_that_is_left_out_is_said() {
    let world = World::new(&ENGINES);
    world.container(WEB, "web", &json!({}));
    let line = |n: u64| format!("O 2026-11-20T10:00:00.{n:09}Z line {n}\n");
    world.write(&format!("fake/logs/{WEB}"), &(0..100_001).map(line).collect::<String>());
    let output = world.run(&["query", "--count", "-s", "docker:web"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "100000\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("begins with the last 100000 lines"), "{output:?}");
}

#[test]
fn containers_are_followed_through_cuts_restarts_and_new_ones() {
    let world = World::new(&ENGINES);
    world.container(WEB, "web", &json!({}));
    world.logged(WEB, 'O', 0, "old");
    let tail = world.tail(&["-s", "docker:"]);
    super::wait_for("following", || world.read("fake/calls").contains("--follow"));
    let mut expected = Vec::new();
    let mut log = |id: &str, n: u64| {
        let text = format!("{} line {n}", &id[..1]);
        world.logged(id, if n.is_multiple_of(3) { 'E' } else { 'O' }, n, &text);
        expected.push(text);
    };
    (1..10).for_each(|n| log(WEB, n));
    tail.wait_for(&["0 line 9"]);
    world.cut();
    // Written while nobody follows, two of them at the same time as the last one.
    (10..20).for_each(|n| log(WEB, n));
    world.container(API, "api", &json!({}));
    (1..5).for_each(|n| log(API, n));
    tail.wait_for(&["0 line 19", "1 line 4"]);
    // It ends and is started again.
    world.container(WEB, "web", &json!({ "state": "exited", "status": "Exited (1) 2 hours ago" }));
    log(WEB, 20);
    super::wait_for("the list", || world.read("fake/calls").matches(" ps ").count() > 3);
    world.container(WEB, "web", &json!({}));
    log(WEB, 21);
    tail.wait_for(&["0 line 21"]);
    // The daemon goes and comes back.
    world.write("fake/down", "");
    world.cut();
    tail.wait_until_said("Cannot connect to the Docker daemon");
    log(WEB, 22);
    std::fs::remove_file(world.path("fake/down")).expect("removed");
    tail.wait_for(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let counts = tail.counts();
    assert!(!counts.contains_key("old") && counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
}

/// Podman writes times in its zone, ends with other codes, and has its own words.
#[test]
fn podman_is_understood_in_its_own_form() {
    let world = World::new(&ENGINES);
    world.container(WEB, "web", &json!({}));
    world.container(API, "api", &json!({ "driver": "none" }));
    world.logged(WEB, 'O', 0, "INFO old");
    world.logged(WEB, 'E', 1, &format!("WARN long {}", "x".repeat(20_000)));
    let found = records(&world.run(&["query", "-s", "podman:web", "-o", "json", "--sort", "time"]));
    assert_eq!(found[0]["started_at"], "2026-11-20T10:00:00.000Z", "{found:#?}");
    assert_eq!((found[1]["level"].as_str(), found[1]["system"].as_str()), (Some("warn"), Some("web")));
    let tail = world.tail(&["-s", "podman:"]);
    super::wait_for("following", || world.read("fake/calls").contains("--follow"));
    let mut expected = Vec::new();
    for n in 2..20 {
        let text = format!("line {n}");
        world.logged(WEB, if n % 3 == 0 { 'E' } else { 'O' }, n, &text);
        expected.push(text);
        if n % 8 == 0 {
            tail.wait_for(&["line 2"]);
            world.cut();
        }
    }
    tail.wait_for(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    tail.wait_until_said("log driver, cannot read");
    world.write("fake/down", "");
    world.cut();
    tail.wait_until_said("unable to connect to Podman socket");
    std::fs::remove_file(world.path("fake/down")).expect("removed");
    world.logged(WEB, 'O', 20, "after it");
    tail.wait_for(&["after it"]);
    let counts = tail.counts();
    assert!(!counts.contains_key("old") && counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
}

#[test]
fn a_container_that_cannot_be_read_is_named_and_the_others_are_shown() {
    let world = World::new(&ENGINES);
    world.container(WEB, "web", &json!({}));
    world.container(API, "api", &json!({ "driver": "none" }));
    world.logged(WEB, 'O', 1, "INFO ready");
    let output = world.run(&["query", "-s", "docker:", "-o", "json"]);
    assert_eq!(messages(&records(&output)), ["ready"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("api: ") && said.contains("does not support reading"), "{output:?}");
    assert_eq!(output.status.code(), Some(4), "a part could not be read: {output:?}");
    let output = world.run(&["doctor", "-s", "docker:"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("api: ") && said.contains("does not support reading"), "{said}");
    // Of several that are named, what is there is read.
    let output = world.run(&["query", "-s", "docker:web,nope", "-o", "json"]);
    assert_eq!(messages(&records(&output)), ["ready"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(4) && said.contains("no container is named nope"), "{output:?}");
    let output = world.run(&["query", "-s", "docker:nope"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// The daemon rotates logs by itself: what is rotated away while nobody follows is gone, and nothing else is.
#[test]
fn logs_are_followed_through_their_rotation() {
    let world = World::new(&ENGINES);
    world.container(WEB, "web", &json!({}));
    (0..5).for_each(|n| world.logged(WEB, 'O', n, &format!("line {n}")));
    let tail = world.tail(&["-s", "docker:web"]);
    super::wait_for("following", || world.read("fake/calls").contains("--follow"));
    let log = format!("fake/logs/{WEB}");
    let mut expected = Vec::new();
    for n in 5..60 {
        let text = format!("line {n}");
        world.logged(WEB, 'O', n, &text);
        tail.wait_for(&[&text]);
        expected.push(text);
        if n % 10 == 0 {
            std::fs::rename(world.path(&log), world.path(&format!("{log}.1"))).expect("rotated");
        }
        if n % 25 == 0 {
            world.cut();
        }
    }
    let counts = tail.counts();
    assert_eq!(counts.len(), expected.len(), "{counts:?}");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
}
