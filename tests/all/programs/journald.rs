//! A real `systemd-journald`, an instance with a namespace of its own, read by the real `journalctl`.

use super::{World, messages, records};
use crate::servers::servers_wanted;
use crate::support::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Journald {
    child: Child,
    namespace: String,
    socket: UnixDatagram,
}

impl Journald {
    /// `None` where servers are not wanted. In the world, `journalctl` reads its journal.
    fn start(world: &World, name: &str) -> Option<Self> {
        if !servers_wanted() {
            return None;
        }
        assert!(rustix::process::geteuid().is_root(), "journald has its journal and its sockets where root has them");
        let installed = |paths: [&'static str; 2]| paths.into_iter().map(Path::new).find(|path| path.exists());
        let daemon = installed(["/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-journald"])
            .expect("no systemd; run scripts/setup-tests");
        let reader = installed(["/usr/bin/journalctl", "/bin/journalctl"]).expect("journalctl");
        let namespace = format!("crosstail{name}{}", std::process::id());
        world.program("journalctl", &format!("#!/bin/sh\nexec {} --namespace={namespace} \"$@\"\n", reader.display()));
        let mut started = Command::new(daemon);
        let child = started.arg(&namespace).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.spawn().expect("started");
        let socket = UnixDatagram::unbound().expect("a socket");
        let journald = Self { child, namespace, socket };
        wait_for("journald to listen", || journald.socket.connect(journald.sockets().join("socket")).is_ok());
        Some(journald)
    }

    fn sockets(&self) -> PathBuf {
        PathBuf::from(format!("/run/systemd/journal.{}", self.namespace))
    }

    /// Logs an entry by the native protocol: values with newlines have their length before them.
    fn log(&self, message: &str, priority: u8) {
        let mut entry = format!("SYSLOG_IDENTIFIER=pay\nPRIORITY={priority}\nORDER_ID=4711\nMESSAGE\n").into_bytes();
        entry.extend((message.len() as u64).to_le_bytes());
        entry.extend(message.as_bytes());
        entry.push(b'\n');
        self.socket.send(&entry).expect("sent");
    }

    /// Has it rotate its files, and forget what was in them.
    fn rotate(world: &World, vacuum: bool) {
        let mut rotate = Command::new(world.path("bin/journalctl"));
        rotate.arg("--rotate").args(vacuum.then_some("--vacuum-files=1"));
        assert!(rotate.stderr(Stdio::null()).stdout(Stdio::null()).status().expect("journalctl").success());
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(self.sockets());
        for folder in ["/var/log/journal", "/run/log/journal"] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().ends_with(&format!(".{}", self.namespace)) {
                    let _ = std::fs::remove_dir_all(entry.path());
                }
            }
        }
    }
}

#[test]
fn entries_of_a_real_journal_are_read_with_their_fields() {
    let world = World::new(&[]);
    let Some(journald) = Journald::start(&world, "read") else { return };
    journald.log("refused: order 4711\n\tat pay (pay.js:1)\n\tat main (pay.js:9)", 3);
    journald.log("caf\u{e9} \u{1b}[31mred", 6);
    let mut logger = Command::new("logger");
    logger.arg("-u").arg(journald.sockets().join("dev-log")).args(["-t", "shop", "-p", "user.warning", "by syslog"]);
    assert!(logger.status().expect("logger").success());
    let read = || records(&world.run(&["query", "-s", "journald:", "-o", "json", "--sort", "time", "--limit", "0"]));
    wait_for("the entries", || messages(&read()).iter().any(|message| message == "by syslog"));
    let found = read();
    let of = |says: &str| {
        let is = |record: &&serde_json::Value| record["message"].as_str().is_some_and(|text| text.contains(says));
        found.iter().find(is).unwrap_or_else(|| panic!("{says}: {found:#?}"))
    };
    let refused = of("refused: order 4711");
    assert_eq!((refused["level"].as_str(), refused["system"].as_str()), (Some("error"), Some("pay")));
    assert_eq!(of("by syslog")["level"], "warn");
    assert!(of("café").to_string().contains("red") && !of("café").to_string().contains('\u{1b}'));
    // An entry has the same id each time, though `journalctl` writes its fields in another order.
    let ids = |records: &[serde_json::Value]| records.iter().map(|record| record["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&read()), ids(&found));
    // What the journal counts is what is read.
    let counted = Command::new(world.path("bin/journalctl")).args(["-o", "json", "--all", "-q"]).output();
    let entries = String::from_utf8(counted.expect("journalctl").stdout).expect("JSON");
    assert_eq!(read().len(), entries.lines().count());
    let shown = world.run(&["show", refused["id"].as_str().expect("an id"), "-s", "journald:", "-o", "json"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("4711") && shown.contains("pay.js:9"), "{shown}");
}

#[test]
fn a_real_journal_is_followed_through_its_rotation() {
    let world = World::new(&[]);
    let Some(journald) = Journald::start(&world, "follow") else { return };
    journald.log("before", 6);
    let tail = world.tail(&["-s", "journald:"]);
    // What is there when it begins is read first, and is not told.
    let reads = || super::processes_with(&format!("{} --output=json", journald.namespace));
    wait_for("following", || reads().iter().any(|process| process.contains(" --follow ")));
    let mut expected = Vec::new();
    for n in 0..60 {
        let message = format!("entry {n}");
        journald.log(&message, 6);
        expected.push(message);
        if n % 20 == 10 {
            // What is vacuumed is gone: it has been read before.
            tail.wait_for(&[expected[n].as_str()]);
            Journald::rotate(&world, n == 50);
        }
    }
    tail.wait_for(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let counts = tail.counts();
    assert!(expected.iter().all(|message| counts[message] == 1), "{counts:?}");
    assert!(!counts.contains_key("before"), "what was there is not told as new");
    tail.end();
}
