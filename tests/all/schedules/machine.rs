//! What may happen to the machine on which crosstail runs, and to what it was allowed: it sleeps, its disk is full, its clock jumps,
//! nothing can be opened any more; a certificate expires.

use super::{lines, until_seen};
use crate::programs::World;
use crate::receivers::{free_port, post};
use crate::servers::{Kind, Server, servers_wanted};
use crate::support::{open, wait_for};
use crosstail_core::model::Clock;
use crosstail_source::{ErrorKind, Job};
use rustix::process::Signal;
use sqlx::AssertSqlSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// As a machine that sleeps: meanwhile logs are rotated twice, rows are written, and connections end.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_the_program_was_stopped_comes_once() {
    let world = World::new(&[]);
    world.write("logs/app.log", "");
    let postgres = Server::start(Kind::Postgres).await;
    let mut arguments = vec!["-s".to_owned(), world.path("logs").display().to_string()];
    let mut database = String::new();
    if let Some(server) = &postgres {
        database = server.postgres_database(&["log-tracking"]).await;
        arguments.extend(["-s".to_owned(), server.url(&database)]);
    }
    let run = async |text: String| {
        let Some(server) = &postgres else { return };
        let mut connection = server.postgres_connection(&database).await;
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("run");
    };
    let rows = |from: usize, count: usize| {
        format!(
            "INSERT INTO logs (level, service, message, request_id) \
             SELECT 'INFO', 'api', 'row ' || n, 'r' FROM generate_series({from}, {}) n",
            from + count - 1
        )
    };
    let tail = world.tail(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let followed = if postgres.is_some() { &["message", "row"][..] } else { &["message"] };
    until_seen(&tail, followed, async |n| {
        world.append("logs/app.log", &lines(n, 1));
        run(rows(n, 1)).await;
    })
    .await;
    tail.signal(Signal::STOP);
    for rotation in 1..=2 {
        world.append("logs/app.log", &lines(rotation * 10_000, 3000));
        std::fs::rename(world.path("logs/app.log"), world.path(&format!("logs/app.log.{rotation}"))).expect("renamed");
    }
    world.append("logs/app.log", &lines(30_000, 500));
    run(rows(10_000, 5000)).await;
    run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> \
         pg_backend_pid()"
        .to_owned())
    .await;
    run(rows(20_000, 500)).await;
    tail.signal(Signal::CONT);
    let expected = 6500 + if postgres.is_some() { 5500 } else { 0 };
    let later = |counts: &std::collections::BTreeMap<String, usize>| {
        let number = |message: &String| message.rsplit(' ').next().and_then(|n| n.parse::<usize>().ok());
        counts.keys().filter(|message| number(message).is_some_and(|n| n >= 10_000)).count()
    };
    wait_for("what was written meanwhile", || later(&tail.counts()) == expected);
    world.append("logs/app.log", &lines(40_000, 1));
    tail.wait_for(&["message 40000"]);
    assert!(tail.counts().values().all(|count| *count == 1), "nothing twice");
    tail.end();
}

/// `crosstail` with a disk of its own, of so many KB: a file system in memory that nobody else has.
fn on_a_small_disk(world: &World, kb: usize, script: &str, arguments: &[&str]) -> std::process::Command {
    std::fs::create_dir_all(world.path("disk")).expect("made");
    let mut command = world.command(&[]);
    let program = command.get_program().to_owned();
    let environment: Vec<_> =
        command.get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
    let folder = command.get_current_dir().expect("a folder").to_owned();
    command = std::process::Command::new("unshare");
    let setup = format!("set -e; mount -t tmpfs -o size={kb}k none disk; {script}");
    command.args(["-rm", "bash", "-c", &setup]).arg(program).args(arguments).current_dir(folder).stdin(Stdio::null());
    for (key, value) in environment {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command
}

/// A file on the small disk of a process, as others see it.
fn of(child: &Child, world: &World, name: &str) -> PathBuf {
    let inside = world.path(name);
    PathBuf::from(format!("/proc/{}/root", child.id())).join(inside.strip_prefix("/").expect("absolute"))
}

/// An export to a disk that is full says so, and goes on where it was once there is room.
#[test]
fn an_export_to_a_full_disk_is_told_and_resumed() {
    let world = World::new(&[]);
    world.write("app.log", &lines(0, 30_000));
    for form in ["csv", "ndjson", "sqlite"] {
        let output = format!("disk/all.{form}");
        let read = match form {
            "csv" => format!("tail -n +2 {output}"),
            _ => format!("\"$0\" query --limit 0 -o json -s {output}"),
        };
        // Another file has most of the disk; then it goes.
        let script = format!(
            "head -c 38500k /dev/zero > disk/other; status=0; \"$0\" \"$@\" || status=$?; [ $status != 0 ]; \
             echo BETWEEN >&2; rm disk/other; \"$0\" \"$@\"; {read}"
        );
        let arguments = ["export", "-s", "app.log", "--output", &output];
        let done = on_a_small_disk(&world, 40_000, &script, &arguments).output().expect("unshare");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{form}: {said}");
        let (first, second) = said.split_once("BETWEEN").expect("both");
        let is_told = first.contains("No space left") || first.contains("disk is full");
        assert!(is_told && first.contains("disk/all"), "{form}: {first}");
        assert!(!first.contains("panicked") && second.contains("30000 activities"), "{form}: {said}");
        let mut found: Vec<&str> = std::str::from_utf8(&done.stdout).expect("text").lines().collect();
        assert_eq!(found.len(), 30_000, "{form}");
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 30_000, "{form}: nothing twice");
    }
}

/// What cannot be kept is refused, and said; what was taken is there, and once there is room more is taken.
#[test]
fn a_receiver_whose_disk_is_full_refuses_and_goes_on() {
    let (world, port) = (World::new(&[]), free_port());
    let at = format!("http-in://127.0.0.1:{port}");
    let script = "head -c 900k /dev/zero > disk/other; export XDG_CACHE_HOME=$PWD/disk; exec \"$0\" \"$@\"";
    let mut command = on_a_small_disk(&world, 1200, script, &["tail", "-o", "json", "-s", &at]);
    let tail = crate::programs::Tail::of(&mut command);
    wait_for("the receiver to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let body =
        |n: usize| format!("{{\"time\":\"2026-11-20T10:00:00Z\",\"msg\":\"message {n} {}\"}}\n", "x".repeat(10_000));
    let mut taken = Vec::new();
    let refused = (0..100).find(|n| match post(port, "/", &body(*n)).status {
        200 => {
            taken.push(*n);
            false
        }
        503 => true,
        other => panic!("{other}"),
    });
    assert!(refused.is_some() && !taken.is_empty(), "{taken:?}");
    tail.wait_until_said("refused requests that could not be kept");
    std::fs::remove_file(of(&tail.child, &world, "disk/other")).expect("removed");
    for n in 200..210 {
        assert_eq!(post(port, "/", &body(n)).status, 200);
        taken.push(n);
    }
    wait_for("what was taken", || tail.counts().len() == taken.len());
    let numbers: Vec<usize> =
        tail.counts().keys().map(|m| m.split(' ').nth(1).expect("a number").parse().expect("a number")).collect();
    let mut numbers = numbers;
    numbers.sort_unstable();
    assert_eq!(numbers, taken);
    assert!(tail.counts().values().all(|count| *count == 1));
    tail.end();
}

/// Hours ahead and back: what is written is printed, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_loses_nothing() {
    if !servers_wanted() {
        return;
    }
    let world = World::new(&[]);
    world.write("logs/app.log", "");
    let library = glob::glob("/usr/lib/*/faketime/libfaketime.so.1").expect("a glob").flatten().next();
    let library = library.expect("libfaketime; run scripts/setup-tests");
    world.write("clock", "+0");
    let mut command = world.command(&["tail", "-o", "json", "-s", "logs"]);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", world.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
    let tail = crate::programs::Tail::of(&mut command);
    until_seen(&tail, &["message"], async |n| world.append("logs/app.log", &lines(n, 1))).await;
    for (number, clock) in ["+5h", "-7h", "+40d", "+0"].into_iter().enumerate() {
        world.write("clock", clock);
        let from = (number + 1) * 1000;
        world.append("logs/app.log", &lines(from, 200));
        std::fs::rename(world.path("logs/app.log"), world.path(&format!("logs/app.log.{number}"))).expect("renamed");
        world.append("logs/app.log", &lines(from + 200, 200));
        wait_for("what was written", || tail.counts().keys().filter(|m| !m.is_empty()).count() >= 400 * (number + 1));
        tail.wait_for(&[&format!("message {}", from + 399), &format!("message {}", from + 199)]);
    }
    assert!(tail.counts().values().all(|count| *count == 1), "nothing twice");
    assert!(!tail.said().contains("panicked"), "{}", tail.said());
    tail.end();
}

/// A certificate whose time is over, of PostgreSQL and of Elasticsearch.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_said() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if !servers_wanted() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let made = expired();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let port = crate::elasticsearch::tls_with(&made, 9).await;
    let said = async |at: String| {
        let error = open(&[at]).1.probe(&Job::default()).await.expect_err("expired");
        assert!(matches!(error.kind, ErrorKind::Connect | ErrorKind::Auth), "{error}");
        error.to_string()
    };
    let error = said(format!("es+https://127.0.0.1:{port}/logs?ca={}", certificate.display())).await;
    assert!(error.contains("expired"), "{error}");
    // PostgreSQL reads files that are its own.
    let user = if rustix::process::getuid().is_root() { "postgres" } else { "" };
    for path in [folder.path(), &certificate, &key] {
        if !user.is_empty() {
            assert!(std::process::Command::new("chown").arg(user).arg(path).status().expect("chown").success());
        }
    }
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let settings = [
        "-c".to_owned(),
        "ssl=on".to_owned(),
        "-c".to_owned(),
        format!("ssl_cert_file={}", certificate.display()),
        "-c".to_owned(),
        format!("ssl_key_file={}", key.display()),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let server = Server::start_with(Kind::Postgres, 0, &settings).await.expect("wanted");
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", server.url("postgres"), certificate.display());
    let error = said(url).await;
    assert!(error.contains("expired"), "{error}");
}

/// A certificate of this machine that ended before this year.
fn expired() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()].to_vec();
    let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
    let year = i32::try_from(Clock::system().now().0 / 1_000_000 / 31_557_600 + 1970).expect("a year");
    parameters.not_before = rcgen::date_time_ymd(year - 2, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(year - 1, 1, 1);
    let signing_key = rcgen::KeyPair::generate().expect("a key");
    let cert = parameters.self_signed(&signing_key).expect("signed");
    rcgen::CertifiedKey { cert, signing_key }
}

fn starved(limits: &str, home: &Path, arguments: &[&str]) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_crosstail");
    std::process::Command::new("bash")
        .args(["-c", &format!("{limits} exec \"$0\" \"$@\""), program])
        .args(arguments)
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_DATA_HOME")
        .output()
        .expect("run")
}

/// Without file handles, what can be read is, and what cannot is said. Without a home that can be written, nothing is amiss.
#[test]
fn a_machine_that_has_nothing_left_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    for n in 0..80 {
        let text = format!("2026-11-20 10:00:{:02} ERROR message {n}\n", n % 60);
        std::fs::write(folder.path().join(format!("app-{n}.log")), text).expect("written");
    }
    let at = folder.path().display().to_string();
    let query = ["query", "--limit", "0", "-o", "text", "-s", at.as_str()];
    let output = starved("ulimit -n 40;", folder.path(), &query);
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let found = shown.lines().filter(|line| line.contains("message")).count();
    assert!(found == 80 || said.to_lowercase().contains("too many open files"), "{found}: {said}");
    assert!(
        !said.contains("panicked") && output.status.code().is_some_and(|code| code <= 4),
        "{:?}: {said}",
        output.status
    );
    // Nothing can be made there, by whomever.
    let home = PathBuf::from("/proc/self");
    let output = starved("", &home, &query);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("message")).count(), 80);
}
