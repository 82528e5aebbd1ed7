//! `k8s:`.

use super::{World, messages, records};
use serde_json::json;

const KUBECTL: [(&str, &str); 1] = [("kubectl", "kubectl")];

impl World {
    fn pod(&self, name: &str, app: &str, restarts: u64, state: &str) {
        self.pod_in("shop", name, app, restarts, state);
    }

    pub(crate) fn pod_in(&self, namespace: &str, name: &str, app: &str, restarts: u64, state: &str) {
        let uid = format!("uid-{namespace}-{name}");
        let pod = json!({
            "metadata": { "name": name, "namespace": namespace, "uid": uid, "labels": { "app": app } },
            "status": { "containerStatuses": [{ "name": "main", "restartCount": restarts, "state": { state: {} } }] },
        });
        // Those of one namespace have the names of their pods.
        let file = if namespace == "shop" { name.to_owned() } else { format!("{namespace}.{name}") };
        self.write(&format!("fake/pods/{file}"), &pod.to_string());
    }

    fn said(&self, pod: &str, restarts: u64, n: u64, text: &str) {
        self.said_in("shop", pod, restarts, n, text);
    }

    pub(crate) fn said_in(&self, namespace: &str, pod: &str, restarts: u64, n: u64, text: &str) {
        let line = format!("2026-11-20T10:{:02}:{:02}.{:09}Z {text}\n", n / 60, n % 60, n);
        self.append(&format!("fake/logs/{namespace}/{pod}/main/{restarts}"), &line);
    }
}

#[test]
fn namespaces_are_told_apart() {
    let world = World::new(&KUBECTL);
    for namespace in ["pay", "mail"] {
        world.pod_in(namespace, "web-0", "web", 0, "running");
        // Of one moment, and the same words.
        world.said_in(namespace, "web-0", 0, 1, "INFO ready");
    }
    world.said_in("pay", "web-0", 0, 2, "ERROR declined");
    let found = records(&world.run(&["query", "-s", "k8s:*", "-o", "json", "--sort", "time"]));
    assert_eq!(messages(&found), ["ready", "ready", "declined"], "{found:#?}");
    assert_ne!(found[0]["id"], found[1]["id"]);
    assert_eq!(world.query(&["meta.namespace:pay", "-s", "k8s:*"]), ["ready", "declined"]);
    assert_eq!(world.query(&["meta.namespace:mail", "-s", "k8s:*"]), ["ready"]);
    let place = found[2]["places"].to_string();
    assert!(place.contains("pay/web-0/main"), "{place}");
    // Each opens its own record.
    for found in &found[..2] {
        let shown = world.run(&["show", found["id"].as_str().expect("an id"), "-s", "k8s:*", "-o", "json"]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let namespace = if found["places"].to_string().contains("pay/") { "pay" } else { "mail" };
        assert!(shown.contains(&format!("[namespace/{namespace}/pod/web-0/main]")), "{shown}");
    }
    // They are followed apart, too.
    let tail = world.tail(&["-s", "k8s:*"]);
    super::wait_for("following", || world.read("fake/calls").matches("--follow").count() >= 2);
    for namespace in ["pay", "mail"] {
        world.said_in(namespace, "web-0", 0, 3, "INFO again");
    }
    super::wait_for("both", || tail.counts().get("again") == Some(&2));
    tail.end();
}

#[test]
fn what_of_them_cannot_be_read_is_said() {
    let world = World::new(&KUBECTL);
    world.pod("web-1", "web", 0, "running");
    world.pod("db-1", "db", 0, "running");
    world.said("web-1", 0, 1, "ready");
    world.said("db-1", 0, 1, "secret");
    world.write("fake/logs/shop/db-1/main/0.refused", "");
    let output = world.run(&["query", "-s", "k8s:shop"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("shop/db-1/main: ") && said.contains("is forbidden"), "{output:?}");
    assert_eq!(output.status.code(), Some(4), "a part could not be read: {output:?}");
    let output = world.run(&["doctor", "-s", "k8s:shop"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("shop/db-1/main: ") && said.contains("is forbidden"), "{said}");
    // A node may have lost a log, which kubectl takes for no failure.
    std::fs::rename(world.path("fake/logs/shop/db-1/main/0.refused"), world.path("fake/logs/shop/db-1/main/0.lost"))
        .expect("renamed");
    let output = world.run(&["query", "-s", "k8s:shop"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("shop/db-1/main: unable to retrieve container logs"), "{output:?}");
    assert_eq!(output.status.code(), Some(4), "a part could not be read: {output:?}");
    let output = world.run(&["query", "-s", "k8s:shop/app=none"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("no pod fits shop/app=none"), "{output:?}");
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

/// Some kubelets stop sending a log when they rotate it. One that is silent is opened again, and nothing of it is lost or doubled.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_falls_silent_when_it_is_rotated_is_opened_again() {
    use crate::conformance::{HERE, own_name};
    use crosstail_source::{Job, SourceEvent};
    let name = own_name();
    HERE.pod_in(&name, "web-0", "web", 0, "running");
    HERE.said_in(&name, "web-0", 0, 1, "INFO line 1");
    let (_, source) = crate::support::open(&[format!("k8s:{name}")]);
    let position = source.position(&Job::default()).await.expect("position");
    let (sink, mut updates) = crosstail_source::Sink::channel(4);
    let job = Job::default();
    let following = {
        let (source, job) = (std::sync::Arc::clone(&source), job.clone());
        tokio::spawn(async move { source.follow(position, &sink, &job).await })
    };
    let mut heard: Vec<String> = Vec::new();
    for n in 2..6 {
        if n == 4 {
            HERE.write(&format!("fake/logs/{name}/web-0/main/0.rotated"), "");
        }
        let wanted = format!("line {n}");
        HERE.said_in(&name, "web-0", 0, n, &format!("INFO {wanted}"));
        while !heard.contains(&wanted) {
            let update = tokio::time::timeout(crate::support::PATIENCE, updates.recv()).await;
            if let SourceEvent::Batch(items, _) = update.expect("in time").expect("not ended") {
                heard.extend(items.iter().filter_map(|item| item.message.as_ref().map(ToString::to_string)));
            }
        }
    }
    assert_eq!(heard, ["line 2", "line 3", "line 4", "line 5"]);
    job.cancel();
    following.await.expect("joined").expect("well");
    std::fs::remove_file(HERE.path(&format!("fake/pods/{name}.web-0"))).expect("removed");
    std::fs::remove_dir_all(HERE.path(&format!("fake/logs/{name}"))).expect("removed");
}
