//! Servers that do not do as they should: what they send costs their own source and nothing else. Each ends with an error that
//! names the source, in bounded time and memory.

mod speech;

use crate::pty::Terminal;
use crate::servers::Proxy;
use crate::support::{PATIENCE, crosstail_weighed, open, wait_for};
use crosstail_core::model::Clock;
use crosstail_source::{ErrorKind, Job};
use speech::{Manner, Protocol, Unruly};
use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The most memory that the program may have had, in MB.
const MOST_MB: u64 = 300;
/// The longest that a command may take over a server that never comes to an end, in seconds: the limits of connecting, twice,
/// on a busy machine.
const LONGEST_S: u64 = 60;

/// The kinds, as they are addressed.
const KINDS: &[(&str, Protocol, &str)] = &[
    ("postgres", Protocol::Postgres, "postgres://me@127.0.0.1:PORT/d"),
    ("mysql", Protocol::Mysql, "mysql://me@127.0.0.1:PORT/d"),
    ("mongodb", Protocol::Mongodb, "mongodb://127.0.0.1:PORT/d?directConnection=true"),
    ("elasticsearch", Protocol::Http, "es+http://127.0.0.1:PORT/logs"),
    ("kafka", Protocol::Kafka, "kafka://127.0.0.1:PORT/topic"),
    ("prometheus", Protocol::Http, "prometheus+http://127.0.0.1:PORT/metrics"),
];

fn address(form: &str, port: u16) -> String {
    form.replace("PORT", &port.to_string())
}

/// What is wrong with how the program ends over such a server.
fn problems((kind, protocol, form): (&str, Protocol, &str), manner: Manner) -> Vec<String> {
    let commands: &[&[&str]] = match kind {
        "prometheus" => &[&["health"]],
        // All that there is, and a page.
        "mongodb" if manner == Manner::Endless => {
            &[&["query", "--limit", "0", "-o", "json"], &["query", "--limit", "5"]]
        }
        _ => &[&["query", "--limit", "5", "-o", "json"]],
    };
    commands.iter().flat_map(|command| problems_of(command, (kind, protocol, form), manner)).collect()
}

/// What is wrong with how a command ends.
fn problems_of(command: &[&str], (kind, protocol, form): (&str, Protocol, &str), manner: Manner) -> Vec<String> {
    let server = Unruly::start(protocol, manner);
    let url = address(form, server.port);
    let begun = Instant::now();
    let (output, peak) = crosstail_weighed(&[command, &["-s", &url]].concat());
    let took = begun.elapsed().as_secs();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = format!("{}{said}", String::from_utf8_lossy(&output.stdout));
    let mut wrong = Vec::new();
    // A signal, or the code of a panic, is no end.
    if !matches!(output.status.code(), Some(1..=4)) {
        wrong.push(format!("ended with {:?}", output.status));
    }
    if said.contains("panicked") {
        wrong.push("panicked".to_owned());
    }
    let name = match kind {
        "kafka" => "topic: ".to_owned(),
        "elasticsearch" => "logs: ".to_owned(),
        "prometheus" => format!("127.0.0.1:{}", server.port),
        _ => "d: ".to_owned(),
    };
    if !shown.contains(&name) {
        wrong.push("does not name the source".to_owned());
    }
    if peak > MOST_MB {
        wrong.push(format!("took {peak} MB"));
    }
    if took > LONGEST_S {
        wrong.push(format!("took {took} s"));
    }
    let first: String = shown.lines().last().unwrap_or_default().chars().take(400).collect();
    println!("{kind} {manner:?}: {took} s, {peak} MB: {first}");
    wrong.iter().map(|wrong| format!("{kind} {manner:?}: {wrong}: {said}")).collect()
}

/// All of these, some at once.
fn all_end_well(cases: Vec<((&'static str, Protocol, &'static str), Manner)>) {
    let (cases, wrong) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((kind, manner)) = cases.lock().expect("lock").pop() else { return };
                    let found = problems(kind, manner);
                    wrong.lock().expect("lock").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("lock");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_server_that_says_nothing_or_anything_is_an_error_of_its_source() {
    const ANY: &[Manner] =
        &[Manner::Silent, Manner::Drips, Manner::Garbage, Manner::Closes, Manner::Claims, Manner::Cut];
    all_end_well(KINDS.iter().flat_map(|kind| ANY.iter().map(move |manner| (*kind, *manner))).collect());
}

#[test]
fn a_server_that_speaks_the_protocol_wrongly_is_an_error_of_its_source() {
    let of = |kind: &(&str, Protocol, &str)| match kind.1 {
        Protocol::Http => {
            vec![Manner::Endless, Manner::WrongLengths, Manner::Headers, Manner::Deep, Manner::Bomb]
        }
        Protocol::Mysql => vec![Manner::Endless, Manner::WrongLengths, Manner::Headers, Manner::WrongRows],
        Protocol::Mongodb => vec![Manner::Endless, Manner::WrongLengths, Manner::Headers],
        Protocol::Postgres => vec![Manner::Endless, Manner::WrongLengths, Manner::WrongRows],
        Protocol::Kafka => vec![Manner::Endless, Manner::WrongLengths],
    };
    all_end_well(KINDS.iter().flat_map(|kind| of(kind).into_iter().map(move |manner| (*kind, manner))).collect());
}

/// A server that was polite until it was asked for data. Its own limits are a minute, so ours are later, and the clock is
/// moved.
#[tokio::test]
async fn a_server_that_stops_answering_is_an_error_after_its_time() {
    for (kind, protocol, form) in &KINDS[..3] {
        let server = Unruly::start(*protocol, Manner::Stuck);
        let (_, source) = open(&[address(form, server.port)]);
        let job = Job::default();
        let probing = tokio::spawn({
            let job = job.clone();
            async move { source.probe(&job).await }
        });
        // Until it has connected and asked for the first data.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!probing.is_finished(), "{kind}: it asks");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(80)).await;
        tokio::time::resume();
        let ended = tokio::time::timeout(PATIENCE, probing).await.expect("it ends").expect("no panic");
        let error = ended.expect_err("no answer");
        // The driver of MongoDB may notice it first, by its own monitor.
        assert!(matches!(error.kind, ErrorKind::Timeout | ErrorKind::Connect), "{kind}: {error}");
        assert!(error.to_string().contains(&server.port.to_string()), "{kind}: {error}");
        println!("{kind}: {error}");
    }
}

/// The explorer beside such servers: what else there is, is shown.
#[test]
fn the_explorer_shows_what_else_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("good.log");
    let now = Clock::system().now().rfc3339();
    std::fs::write(&log, format!("{now} ERROR the good source\n")).expect("written");
    let unruly = [
        Unruly::start(Protocol::Postgres, Manner::WrongLengths),
        Unruly::start(Protocol::Mysql, Manner::Garbage),
        Unruly::start(Protocol::Http, Manner::Claims),
    ];
    let mut sources = vec![log.display().to_string()];
    sources.extend(
        [KINDS[0].2, KINDS[1].2, KINDS[3].2].iter().zip(&unruly).map(|(form, server)| address(form, server.port)),
    );
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let mut terminal = Terminal::start(&sources, 160, 40);
    terminal.wait_for("the good source");
    for key in ["h", "h", "k", "\r"] {
        terminal.keys(key);
        terminal.settle();
    }
    terminal.wait_for("overview");
    terminal.keys("\u{1b}");
    // An escape with a key right behind it is that key with Alt: a busy machine may take longer than a screen that is calm.
    terminal.wait_until_gone("overview");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
    assert!(!terminal.ever_showed("panicked"), "{}", terminal.screen());
}

/// A driver that panics over a row costs its source an error and another try, whatever is done with it.
#[test]
fn a_row_over_which_a_driver_panics_costs_its_source_an_error() {
    const SAID: &str = "what the store sent cannot be read";
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("good.log");
    let line = |text: &str| format!("{} ERROR {text}\n", Clock::system().now().rfc3339());
    std::fs::write(&log, line("the good source")).expect("written");
    let append = |text: &str| {
        let mut file = std::fs::File::options().append(true).open(&log).expect("opened");
        file.write_all(line(text).as_bytes()).expect("written");
    };
    let server = Unruly::start(Protocol::Postgres, Manner::WrongRows);
    let (good, wrong) = (log.display().to_string(), address(KINDS[0].2, server.port));
    // What follows says it, goes on with the other, and asks again.
    for command in [&["tail", "-o", "text"][..], &["watch"]] {
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let made = |path| std::fs::File::create(path).expect("made");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(command)
            .args(["-s", &good, "-s", &wrong])
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .stdin(std::process::Stdio::null())
            .stdout(made(&out))
            .stderr(made(&err))
            .spawn()
            .expect("started");
        let said = || std::fs::read_to_string(&err).unwrap_or_default();
        wait_for("the error", || said().contains(SAID));
        // A pool may try again by the connection that it has. What watches says the same error once.
        let asked = server.asked();
        let tried_again = || server.asked() > asked || said().matches(SAID).count() > 1;
        if command[0] == "tail" {
            wait_for("another try", tried_again);
        }
        if command[0] == "tail" {
            let mut number = 0;
            wait_for("the other source", || {
                number += 1;
                append(&format!("line {number}"));
                std::fs::read_to_string(&out).unwrap_or_default().contains("line")
            });
        }
        assert!(child.try_wait().expect("asked").is_none(), "{command:?} goes on: {}", said());
        assert!(!said().contains("panicked"), "{}", said());
        child.kill().expect("ended");
        child.wait().expect("ended");
    }

    let to = folder.path().join("out.csv").display().to_string();
    for command in [&["query", "-o", "json"][..], &["export", "--output", &to], &["stats"], &["failures"]] {
        let (output, _) = crosstail_weighed(&[command, &["-s", &good, "-s", &wrong]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1..=4)), "{command:?}: {:?} {said}", output.status);
        assert!(said.contains(SAID) && said.contains(&server.port.to_string()), "{command:?}: {said}");
        assert!(!said.contains("panicked"), "{command:?}: {said}");
    }

    let mut terminal = Terminal::start(&[&good, &wrong], 160, 40);
    // The oldest of many lines may be above the screen.
    terminal.wait_for("! line ");
    terminal.keys("s");
    terminal.wait_for(SAID);
    let asked = server.asked();
    wait_for("another try", || server.asked() > asked);
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
    assert!(!terminal.ever_showed("panicked"), "{}", terminal.screen());
}

/// The same for a command: the good source is printed, the others are said, and the exit code tells it.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_prints_what_else_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("good.log");
    std::fs::write(&log, "2026-11-20 10:00:00 ERROR the good source\n").expect("written");
    // Nothing listens behind it, so every connection is cut.
    let proxy = Proxy::to(9).await;
    let wrong = Unruly::start(Protocol::Postgres, Manner::WrongLengths);
    let sources = [log.display().to_string(), address(KINDS[0].2, proxy.port), address(KINDS[0].2, wrong.port)];
    let words: Vec<&str> =
        ["query", "-o", "text"].into_iter().chain(sources.iter().flat_map(|at| ["-s", at.as_str()])).collect();
    let (output, _) = crosstail_weighed(&words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(String::from_utf8_lossy(&output.stdout).contains("the good source"), "{said}");
    for port in [proxy.port, wrong.port] {
        assert!(said.contains(&port.to_string()), "{said}");
    }
    assert_eq!(output.status.code(), Some(4), "{said}");
}
