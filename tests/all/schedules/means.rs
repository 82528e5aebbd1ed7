//! What a program needs and does not get any more: file handles, memory, names of hosts; and an hour that comes twice.

use super::{lines, until_seen};
use crate::programs::{Tail, World};
use crate::servers::{Kind, Proxy, Server, servers_wanted};
use crate::support::wait_for;
use std::process::{Command, Stdio};

fn set_handles(tail: &Tail, handles: &str) {
    let limit = format!("--nofile={handles}:");
    let done = Command::new("prlimit").args(["--pid", &tail.child.id().to_string(), &limit]).status();
    assert!(done.expect("prlimit").success());
}

/// Handles run out while a folder is followed: it is said, and what was written comes once there are some again, once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_no_file_can_be_opened_comes_later() {
    let world = World::new(&[]);
    world.write("logs/app.log", "");
    let tail = world.tail(&["-s", "logs"]);
    until_seen(&tail, &["message"], async |n| world.append("logs/app.log", &lines(n, 1))).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", tail.child.id())).expect("listed").count();
    set_handles(&tail, &open.saturating_sub(4).max(8).to_string());
    for number in 0..6 {
        world.append("logs/app.log", &lines(1000 + number * 100, 100));
        std::fs::rename(world.path("logs/app.log"), world.path(&format!("logs/app.log.{number}"))).expect("renamed");
        world.append(&format!("logs/other-{number}.log"), &lines(5000 + number * 100, 100));
    }
    world.append("logs/app.log", &lines(9000, 10));
    tail.wait_until_said("Too many open files");
    set_handles(&tail, "1024");
    let wanted: Vec<String> =
        (1000..1600).chain(5000..5600).chain(9000..9010).map(|number| format!("message {number}")).collect();
    tail.wait_for(&wanted.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(tail.counts().values().all(|count| *count == 1), "nothing twice");
    assert!(!tail.said().contains("panicked"), "{}", tail.said());
    tail.end();
}

/// With too little memory a command says so or is ended by the system; it never says that all is well with a part.
#[test]
fn with_too_little_memory_a_part_is_never_taken_for_the_whole() {
    let world = World::new(&[]);
    world.write("app.log", &lines(0, 60_000));
    let mut answers = Vec::new();
    // The address space, in KB: too little to begin with, too little to read, enough.
    for kb in [40_000, 90_000, 150_000, 220_000, 300_000, 400_000, 600_000, 1_000_000, 4_000_000] {
        for arguments in [&["query", "--limit", "0", "-o", "json"][..], &["stats", "-o", "json", "--by", "level"]] {
            let output = Command::new("bash")
                .args([
                    "-c",
                    &format!("ulimit -c 0; ulimit -v {kb}; exec \"$0\" \"$@\""),
                    env!("CARGO_BIN_EXE_crosstail"),
                ])
                .args(arguments)
                .args(["-s", "app.log"])
                .current_dir(world.path(""))
                .env("XDG_CONFIG_HOME", world.path("config"))
                .env("XDG_STATE_HOME", world.path("state"))
                .stdin(Stdio::null())
                .output()
                .expect("run");
            let text = String::from_utf8_lossy(&output.stdout);
            let is_whole =
                if arguments[0] == "query" { text.lines().count() == 60_000 } else { text.contains("\"count\":60000") };
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() || is_whole, "{kb} KB: {said}");
            // Where it cannot even begin, the system ends it by a signal.
            let is_told = output.status.success() || !said.is_empty() || output.status.code().is_none();
            assert!(is_told, "{kb} KB: {:?} says nothing", output.status);
            answers.push(output.status.success());
        }
    }
    assert!(answers.contains(&false) && answers.ends_with(&[true, true]), "{answers:?}");
}

/// The name of a host is not found for a while: it is said, and what was written meanwhile comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_found_for_a_while_is_said_and_looked_up_again() {
    let Some(server) = Server::start(Kind::Postgres).await else { return };
    let proxy = Proxy::to(server.port).await;
    let database = server.postgres_database(&["log-tracking"]).await;
    let run = async |from: usize| {
        let mut connection = server.postgres_connection(&database).await;
        let text = format!(
            "INSERT INTO logs (level, service, message, request_id) \
             SELECT 'INFO', 'api', 'message ' || n, 'r' FROM generate_series({from}, {}) n",
            from + 9
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.expect("run");
    };
    let world = World::new(&[]);
    // Files of its own instead of the machine's; they are written in place, as they are seen through a mount.
    let hosts = world.path("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost database.test\n").expect("written");
    std::fs::write(world.path("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").expect("written");
    let url = format!("postgres://postgres@database.test:{}/{database}", proxy.port);
    let mut command = world.command(&[]);
    let environment: Vec<_> =
        command.get_envs().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect();
    command = Command::new("unshare");
    let setup = "set -e; mount --bind hosts /etc/hosts; mount --bind resolv.conf /etc/resolv.conf; exec \"$0\" \"$@\"";
    command.args(["-rm", "bash", "-c", setup, env!("CARGO_BIN_EXE_crosstail"), "tail", "-o", "json", "-s", &url]);
    command.current_dir(world.path("")).envs(environment).stdin(Stdio::null());
    let tail = Tail::of(&mut command);
    until_seen(&tail, &["message"], async |n| run(n * 10).await).await;
    std::fs::write(&hosts, "127.0.0.1 localhost\n").expect("written");
    proxy.cut();
    run(20_000).await;
    proxy.mend();
    tail.wait_until_said("failed to lookup address");
    std::fs::write(&hosts, "127.0.0.1 localhost database.test\n").expect("written");
    run(30_000).await;
    let wanted: Vec<String> = (20_000..20_010).chain(30_000..30_010).map(|n| format!("message {n}")).collect();
    tail.wait_for(&wanted.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(tail.counts().values().all(|count| *count == 1), "nothing twice");
    tail.end();
}

/// The night in which an hour comes twice, and the one that has none: lines in local time, without their zone, come once each.
#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_comes_twice_or_never_loses_no_line() {
    if !servers_wanted() {
        return;
    }
    let library = glob::glob("/usr/lib/*/faketime/libfaketime.so.1").expect("a glob").flatten().next();
    let library = library.expect("libfaketime; run scripts/setup-tests");
    // Berlin: on 25 October 2026 at 03:00 it is 02:00 again; on 28 March 2027 at 02:00 it is 03:00.
    for (night, before, behind) in [
        ("2026-10-25 02:59:50", "2026-10-25 02:59", "2026-10-25 02:00"),
        ("2027-03-28 01:59:50", "2027-03-28 01:59", "2027-03-28 03:00"),
    ] {
        let world = World::new(&[]);
        world.write("logs/app.log", "");
        let mut command = world.command(&["tail", "-o", "json", "-s", "logs", "--zone", "Europe/Berlin"]);
        command
            .env("LD_PRELOAD", &library)
            .env("TZ", "Europe/Berlin")
            .env("FAKETIME", format!("@{night}"))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        let tail = Tail::of(&mut command);
        let line = |minute: &str, n: usize| format!("{minute}:{:02} INFO message {n}\n", n % 60);
        until_seen(&tail, &["message"], async |n| world.append("logs/app.log", &line(before, n))).await;
        for n in 2000..2060 {
            world.append("logs/app.log", &line(before, n));
        }
        for n in 3000..3060 {
            world.append("logs/app.log", &line(behind, n));
        }
        wait_for("all lines of the night", || {
            let counts = tail.counts();
            (2000..2060).chain(3000..3060).all(|n| counts.contains_key(&format!("message {n}")))
        });
        assert!(tail.counts().values().all(|count| *count == 1), "nothing twice: {night}");
        tail.end();
    }
}
