//! What programs print as a source. Programs that behave as `journalctl`, `docker` and `kubectl` document it stand first in
//! PATH; `ssh` and `sshd` are real.

mod containers;
mod journal;
mod journald;
mod live;
mod plain;
mod pods;
mod ssh;

use crate::support::{PATIENCE, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub(crate) use ssh::Host;

/// A folder with programs, what they say, and the user's folders.
pub(crate) struct World {
    folder: PathBuf,
    /// It is removed with this.
    _own: Option<tempfile::TempDir>,
}

impl World {
    /// With these programs first in PATH.
    pub(crate) fn new(programs: &[(&str, &str)]) -> Self {
        let own = tempfile::tempdir().expect("a folder");
        let folder = own.path().to_owned();
        Self { _own: Some(own), ..Self::in_folder(folder, programs) }
    }

    /// In a folder that stays.
    pub(crate) fn in_folder(folder: PathBuf, programs: &[(&str, &str)]) -> Self {
        let world = Self { folder, _own: None };
        for name in ["bin", "fake/containers", "fake/logs", "fake/pods", "config", "cache"] {
            std::fs::create_dir_all(world.path(name)).expect("made");
        }
        if !world.path("fake/epoch").exists() {
            world.write("fake/epoch", "");
        }
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/programs/fakes");
        for (name, fake) in programs {
            let link = world.path("bin").join(name);
            if std::fs::read_link(&link).ok() != Some(fakes.join(fake)) {
                // At once: another process may run it.
                let new = world.path("config").join(format!("{name}-{}", std::process::id()));
                std::os::unix::fs::symlink(fakes.join(fake), &new).expect("linked");
                std::fs::rename(new, link).expect("moved");
            }
        }
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Replaces a file at once: nobody reads a part of it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        let part = path.with_extension("part");
        let part = self.path("config").join(part.file_name().expect("a name"));
        std::fs::write(&part, text).expect("written");
        std::fs::rename(part, path).expect("moved");
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        let mut file = std::fs::File::options().append(true).create(true).open(path).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    }

    /// Adds a program.
    pub(crate) fn program(&self, name: &str, text: &str) {
        self.write(&format!("bin/{name}"), text);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.path("bin").join(name), mode).expect("set");
    }

    /// Cuts what is being followed.
    fn cut(&self) {
        self.write("fake/epoch", "");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosstail"));
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(arguments)
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("FAKE", self.path("fake"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("run")
    }

    /// The messages that a query finds, the oldest first.
    fn query(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.run(&[&["query", "-o", "json", "--limit", "0", "--sort", "time"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        messages(&records(&output))
    }

    pub(crate) fn tail(&self, arguments: &[&str]) -> Tail {
        Tail::of(&mut self.command(&[&["tail", "-o", "json"], arguments].concat()))
    }
}

/// A running `crosstail tail`.
pub(crate) struct Tail {
    pub(crate) child: Child,
    printed: Arc<Mutex<Printed>>,
    said: Arc<Mutex<String>>,
}

impl Tail {
    /// Of a command that prints JSON.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let (printed, said) = (Arc::<Mutex<Printed>>::default(), Arc::<Mutex<String>>::default());
        let (out, err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (lines, notes) = (Arc::clone(&printed), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lines.lock().expect("lock").take(&serde_json::from_str(&line).expect("JSON"));
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let mut notes = notes.lock().expect("lock");
                notes.push_str(&line);
                notes.push('\n');
            }
        });
        Self { child, printed, said }
    }
}

/// What it has printed: how often each message came, where an activity that is printed again counts once.
#[derive(Default)]
struct Printed {
    messages: BTreeMap<String, String>,
    /// When what said a message last began.
    times: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
}

impl Printed {
    fn take(&mut self, record: &Value) {
        let id = record["id"].as_str().expect("an id").to_owned();
        let message = record["message"].as_str().unwrap_or_default().to_owned();
        if let Some(before) = self.messages.insert(id, message.clone())
            && let Some(count) = self.counts.get_mut(&before)
        {
            *count -= 1;
        }
        let at = record["started_at"].as_str().unwrap_or_default().to_owned();
        self.times.insert(message.clone(), at);
        *self.counts.entry(message).or_default() += 1;
    }
}

impl Tail {
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("lock").clone()
    }

    /// Waits until every one of these messages has come.
    pub(crate) fn wait_for(&self, wanted: &[&str]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let missing: Vec<&str> = {
                let printed = self.printed.lock().expect("lock");
                wanted.iter().copied().filter(|text| !printed.counts.contains_key(*text)).collect()
            };
            if missing.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "waited for {missing:?} in {:#?}\n{}", self.counts(), self.said());
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_until_said(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.said().contains(text) {
            assert!(Instant::now() < until, "waited for '{text}' in {}", self.said());
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    }

    /// How often each message came; an activity that is printed again counts once.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let counts = self.printed.lock().expect("lock").counts.clone();
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// When a message that has come began.
    pub(crate) fn time_of(&self, message: &str) -> crosstail_core::model::Timestamp {
        let times = self.printed.lock().expect("lock").times.clone();
        crosstail_core::model::parse_timestamp(&times[message]).expect("a time")
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a process");
        rustix::process::kill_process(pid, signal).expect("signalled");
    }

    pub(crate) fn end(mut self) {
        self.signal(rustix::process::Signal::INT);
        let _ = self.child.wait();
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn records(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

pub(crate) fn messages(records: &[Value]) -> Vec<String> {
    records.iter().filter_map(|record| record["message"].as_str().map(str::to_owned)).collect()
}

/// The processes whose arguments hold a text.
fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("a folder").flatten();
    entries
        .filter_map(|entry| {
            let arguments = std::fs::read(entry.path().join("cmdline")).ok()?;
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            arguments.contains(text).then(|| format!("{} {arguments}", entry.path().display()))
        })
        .collect()
}

/// Waits until no process has a text among its arguments, and nothing is kept.
fn wait_until_nothing_is_left(world: &World, mark: &str) {
    wait_for("the processes to end", || processes_with(mark).is_empty());
    wait_for("the spool to go", || {
        std::fs::read_dir(world.path("cache/crosstail/spool")).map_or(0, |entries| entries.flatten().count()) == 0
    });
}
