//! Commands of the user's.

use super::{World, messages, processes_with, records, wait_until_nothing_is_left};
use crate::pty::Terminal;
use crate::support::{files_below, wait_for};
use portable_pty::CommandBuilder;
use rustix::process::Signal;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

#[test]
fn what_a_command_prints_is_searched_counted_and_opened() {
    let world = World::new(&[]);
    world.write("say", "2026-11-20T10:00:00Z INFO one\n2026-11-20T10:00:01Z ERROR two\n\tat x (a.js:1)\n");
    let run = "cat say; echo 2026-11-20T10:00:02Z WARN three >&2";
    assert_eq!(world.query(&["--run", run]), ["one", "two", "three"]);
    let counted = world.run(&["stats", "--by", "level", "--run", run, "-o", "json"]);
    assert!(String::from_utf8_lossy(&counted.stdout).contains(r#""count":1"#));
    let found = records(&world.run(&["query", "level:error", "--run", run, "-o", "json"]));
    let id = found[0]["id"].as_str().expect("an id");
    let shown = world.run(&["show", id, "--run", run]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("at x (a.js:1)"), "{shown:?}");
    // What was printed before it failed is shown, and the failure is told.
    let output = world.run(&["query", "--run", "cat say; echo no more >&2; exit 3", "-o", "json"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(messages(&records(&output)).len(), 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("exit code 3"), "{output:?}");
    let output = world.run(&["query", "--run", "exit 3"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_command_that_goes_on_is_said_to_and_taken_as_far_as_it_is() {
    let world = World::new(&[]);
    let mark = "sleep 4711";
    let run = format!("echo 2026-11-20T10:00:00Z INFO one; {mark}");
    let mut command = world.command(&["query", "-o", "json", "--run", &run]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut said = String::new();
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    while !said.contains("still running; Ctrl-C takes what it has printed so far, tail follows it") {
        assert!(errors.read_line(&mut said).expect("read") > 0, "it ended: {said}");
    }
    let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a process");
    rustix::process::kill_process(pid, Signal::INT).expect("signalled");
    let output = child.wait_with_output().expect("ended");
    assert_eq!(messages(&records(&output)), ["one"]);
    assert_eq!(output.status.code(), Some(4), "a part is missing");
    wait_until_nothing_is_left(&world, mark);
}

#[test]
fn a_line_without_a_time_came_when_it_was_printed() {
    let world = World::new(&[]);
    let before = crosstail_core::model::Clock::system().now();
    let run = r#"echo '{"time":"2020-01-01T10:00:00Z","msg":"old"}'; sleep 0.3; echo '{"msg":"one"}'; sleep 0.3; echo '{"msg":"two"}'"#;
    let found = records(&world.run(&["query", "-o", "json", "--sort", "time", "--run", run]));
    assert_eq!(messages(&found), ["old", "one", "two"]);
    let at = |index: usize| {
        let text = found[index]["started_at"].as_str().expect("a time");
        crosstail_core::model::parse_timestamp(text).expect("a time")
    };
    assert!(at(1) > before && at(2).since_us(at(1)) >= 200_000, "{found:#?}");
}

#[test]
fn nothing_of_what_was_printed_stays_on_disk() {
    let world = World::new(&[]);
    world.query(&["--run", "echo 2026-11-20T10:00:00Z INFO one"]);
    let tail = world.tail(&["--run", "echo 2026-11-20T10:00:00Z INFO one; sleep 1000"]);
    tail.wait_for(&["one"]);
    tail.end();
    let left = files_below(&world.path("cache"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_command_that_fails_is_started_again_and_what_it_repeats_comes_once() {
    let world = World::new(&[]);
    // Each run prints one line more than the one before.
    let run = "n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n > n; \
               for i in $(seq 1 $((n + 1))); do echo \"2026-11-20T10:00:0${i}Z INFO line $i\"; done; \
               [ $n -ge 3 ] && exec sleep 1000; exit 1";
    let tail = world.tail(&["--run", run]);
    tail.wait_for(&["line 1", "line 2", "line 3", "line 4"]);
    assert!(tail.counts().values().all(|count| *count == 1), "{:?}", tail.counts());
    tail.wait_until_said("repeated 3 lines");
    tail.end();
    // Where nothing fits what was before, that is said.
    let world = World::new(&[]);
    let tail = world.tail(&["--run", "echo \"2026-11-20T10:00:00Z INFO $(cat /proc/sys/kernel/random/uuid)\"; exit 1"]);
    tail.wait_until_said("lines may be missing or come twice");
    tail.end();
}

#[test]
fn a_configured_command_goes_on_by_its_own_means() {
    let world = World::new(&[]);
    // A cursor that would do harm if a shell read it.
    world.write(
        "bin/printer",
        r#"#!/usr/bin/env python3
import json, os, sys, time
runs = os.environ["FAKE"] + "/runs"
with open(runs, "a") as log: log.write(json.dumps([sys.argv[1:], os.environ.get("CROSSTAIL_AFTER"), os.environ.get("CROSSTAIL_SINCE")]) + "\n")
n = len(open(runs).readlines())
if n > 2: time.sleep(1000)
print(json.dumps({"time": f"2026-11-20T10:00:0{n}Z", "level": "info", "msg": f"run {n}", "at": f"$(touch owned) '{n}"}), flush=True)
sys.exit(1)
"#,
    );
    let mut mode = std::fs::metadata(world.path("bin/printer")).expect("there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(world.path("bin/printer"), mode).expect("set");
    world.write(
        "config/crosstail/config.toml",
        "[[source]]\nname = \"words\"\ncommand = [\"printer\", \"-f\"]\nafter = [\"--after={cursor}\"]\ncursor = \"at\"\n\
         [[source]]\nname = \"times\"\ncommand = [\"printer\", \"-f\"]\nsince = [\"--since\", \"{time}\"]\n\
         [[source]]\nname = \"text\"\ncommand = \"printer \\\"$CROSSTAIL_AFTER\\\" # x\"\nafter = [\"{cursor}\"]\ncursor = \"at\"\n",
    );
    for (source, expected) in [
        ("cmd:words", r#"[["-f", "--after=$(touch owned) '2"], null, null]"#),
        ("times", r#"[["-f", "--since", "2026-11-20T10:00:02.000Z"], null, null]"#),
        ("text", r#"[["$(touch owned) '2"], "$(touch owned) '2", "2026-11-20T10:00:02.000Z"]"#),
    ] {
        world.write("fake/runs", "");
        let tail = world.tail(&["-s", source]);
        tail.wait_for(&["run 1", "run 2"]);
        wait_for("the third run", || world.read("fake/runs").lines().count() == 3);
        assert_eq!(world.read("fake/runs").lines().last(), Some(expected), "{source}");
        tail.end();
    }
    assert!(!world.path("owned").exists(), "no text of a log is a part of a command");
}

#[test]
fn a_projects_file_runs_what_was_seen_before() {
    let world = World::new(&[]);
    let run = |arguments: &[&str]| {
        let output = world.command(arguments).current_dir(world.path("project")).output().expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    };
    for (text, wants) in [
        ("[[source]]\nname = \"a\"\ncommand = \"touch owned\"\n", "run  touch owned  "),
        ("[[source]]\nname = \"a\"\ncommand = [\"touch\", \"owned\"]\n", "run  touch owned  "),
        ("[[source]]\nname = \"a\"\nat = \"docker:\"\n", "run  docker:  "),
        ("[profile.x]\n[[profile.x.source]]\nname = \"a\"\nat = [\"ssh:h:/x\"]\n", "run  ssh:h:/x  "),
    ] {
        world.write("project/crosstail.toml", text);
        let said = run(&["query", "-s", "a"]).1;
        assert!(said.contains("you have not trusted it"), "{said}");
        let said = run(&["config", "trust"]).0;
        assert!(said.contains(wants), "{said}");
        assert!(!world.path("project/owned").exists());
    }
    world.write("project/crosstail.toml", "[[source]]\nname = \"a\"\ncommand = [\"touch\", \"owned\"]\n");
    run(&["config", "trust", "--yes"]);
    run(&["query", "-s", "a"]);
    assert!(world.path("project/owned").exists());
}

#[test]
fn completion_runs_no_command() {
    let world = World::new(&[]);
    world.write("config/crosstail/config.toml", "[[source]]\nname = \"a\"\ncommand = \"touch owned\"\n");
    let output = world.run(&["complete-words", "--", "query", "level:"]);
    assert!(output.status.success(), "{output:?}");
    assert!(!world.path("owned").exists());
    let output = world.run(&["complete-words", "--", "query", "-s", "doc"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("docker:"), "{output:?}");
}

/// A command that starts others, one of which does not end when it is asked to.
const STUBBORN: &str = "trap '' TERM; echo \"2026-11-20T10:00:00Z INFO begun\"; sleep 98765 & (trap '' TERM; exec sleep 98765) & \
                        while :; do sleep 98765; done";

#[test]
fn no_process_stays_however_crosstail_ends() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let world = World::new(&[]);
        let mark = format!("mark-{}", world.path("").display());
        let tail = world.tail(&["--run", &format!("{STUBBORN} # {mark}")]);
        tail.wait_for(&["begun"]);
        let group = processes_with(&mark);
        assert!(group.len() >= 3, "crosstail, its guard, the shell: {group:?}");
        tail.signal(signal);
        wait_until_nothing_is_left(&world, &mark);
        wait_for("what it started to end", || processes_of_group(&group).is_empty());
    }
}

/// A child that begins a session of its own is in no group of its parent's. macOS has no means against that.
#[cfg(target_os = "linux")]
#[test]
fn what_leaves_its_group_ends_too() {
    let away =
        "setsid sh -c 'trap \"\" TERM; while :; do sleep 98765; done' & echo \"2026-11-20T10:00:00Z INFO begun\";";
    // It ends by itself, is asked to end, and is killed.
    for (rest, signal) in [("exit 0", None), ("sleep 98765", Some(Signal::INT)), ("sleep 98765", Some(Signal::KILL))] {
        let world = World::new(&[]);
        let mark = format!("mark-{}", world.path("").display());
        let run = format!("{} {rest} # {mark}", away.replace("trap", &format!(": {mark}; trap")));
        match signal {
            None => assert_eq!(world.query(&["--run", &run]), ["begun"]),
            Some(signal) => {
                let tail = world.tail(&["--run", &run]);
                tail.wait_for(&["begun"]);
                wait_for("its session", || processes_with(&format!("sh -c : {mark}")).len() == 1);
                tail.signal(signal);
            }
        }
        wait_until_nothing_is_left(&world, &mark);
    }
}

/// Of a guard that is killed itself, crosstail ends the program, and starts it again.
#[test]
fn what_a_killed_guard_leaves_ends_too() {
    let world = World::new(&[]);
    let mark = format!("mark-{}", world.path("").display());
    let run = format!("n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; echo \"run $n\"; sleep 98764 # {mark}");
    let tail = world.tail(&["--run", &run]);
    tail.wait_for(&["run 0"]);
    let numbers = |says: &str| -> Vec<i32> {
        let number = |process: &String| process.split('/').nth(2)?.split(' ').next()?.parse().ok();
        processes_with(&mark).iter().filter(|process| process.contains(says)).filter_map(number).collect()
    };
    let (guards, programs) = (numbers(" guard --spool"), numbers("sh -c n="));
    assert_eq!(guards.len(), 1, "{:?}", processes_with(&mark));
    let guard = rustix::process::Pid::from_raw(guards[0]).expect("a process");
    rustix::process::kill_process(guard, Signal::KILL).expect("killed");
    wait_for("the program to end", || !numbers("sh -c n=").iter().any(|one| programs.contains(one)));
    tail.wait_for(&["run 1"]);
    tail.end();
    wait_until_nothing_is_left(&world, &mark);
}

/// Lines that say no time may be of another run, however alike they are.
#[test]
fn equal_lines_of_a_later_run_are_shown_and_told() {
    let world = World::new(&[]);
    let run = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; for i in 1 2 3 4; do echo poll ok; done; \
               [ $n -ge 2 ] && exec sleep 1000; exit 1";
    let tail = world.tail(&["--run", run]);
    wait_for("three runs", || tail.counts().get("poll ok") == Some(&12));
    tail.wait_until_said("printed lines without a time that were there before: they are shown, and may come twice");
    tail.end();
    // Those that say one are joined, and counted, also where a run ends before they are all repeated.
    let world = World::new(&[]);
    let run = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n; for i in 1 2 3; do [ $n = 1 ] && [ $i = 3 ] || \
               echo 2026-11-20T10:00:0${i}Z INFO line $i; done; [ $n -ge 2 ] && exec sleep 1000; exit 1";
    let tail = world.tail(&["--run", run]);
    tail.wait_until_said("repeated 2 lines, which are shown once");
    tail.wait_until_said("repeated 3 lines, which are shown once");
    assert!(tail.counts().values().all(|count| *count == 1), "{:?}", tail.counts());
    tail.end();
}

#[test]
fn what_is_no_text_is_said() {
    let world = World::new(&[]);
    let bytes: Vec<u8> = (0..3000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(world.path("bytes"), bytes).expect("written");
    let output = world.run(&["query", "--run", "cat bytes"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("is no text: its bytes are not shown"), "{output:?}");
    let tail = world.tail(&["--run", "cat bytes; sleep 1000"]);
    tail.wait_until_said("is no text: its bytes are not shown");
    tail.end();
}

/// The processes that are in the group of one of these.
fn processes_of_group(leaders: &[String]) -> Vec<String> {
    let leaders: Vec<&str> = leaders.iter().filter_map(|one| one.split(' ').next()?.strip_prefix("/proc/")).collect();
    let entries = std::fs::read_dir("/proc").expect("a folder").flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let is_of = |stat: &String| {
        let rest: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // State, parent, group. A zombie has ended, and waits for its parent.
        rest.first().is_some_and(|state| *state != "Z") && rest.get(2).is_some_and(|group| leaders.contains(group))
    };
    stats.filter(is_of).collect()
}

#[test]
fn the_explorer_shows_a_command_and_ends_it_when_it_quits_or_is_hung_up() {
    for hangs_up in [false, true] {
        let world = World::new(&[]);
        let mark = format!("mark-{}", world.path("").display());
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(["--run", &format!("{STUBBORN} # {mark}")]);
        let folders = [("XDG_CONFIG_HOME", world.path("config")), ("XDG_CACHE_HOME", world.path("cache"))];
        let mut terminal = Terminal::run_as_it_is(command, &folders, 100, 24);
        terminal.wait_for("begun");
        if hangs_up {
            terminal.signal(Signal::HUP);
        } else {
            terminal.keys("q");
        }
        wait_until_nothing_is_left(&world, &mark);
    }
}

/// `doctor` waits a little for what a command prints.
#[test]
fn doctor_waits_for_a_command() {
    let world = World::new(&[]);
    let slow = r#"sleep 1; echo '{"time":"2026-11-20T10:00:00Z","level":"info","msg":"at last"}'"#;
    let output = world.run(&["doctor", "--run", slow]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("no records to check"), "{said}");
    let output = world.run(&["doctor", "--run", "echo one; sleep 600"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("still being read: what came within 3 s is looked at"), "{said}");
}
