//! What programs of this machine read elsewhere: the journal, containers, pods, files of another host. The programs behave as
//! documented; `ssh` and its server are real.

use super::fixtures::{Fixture, Logger};
use crate::programs::{Host, World};
use crate::servers::Proxy;
use crate::support::{EPOCH, open};
use crosstail_core::model::{Clock, Names};
use crosstail_source::Source;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The programs of this process, and what they say. What a fixture adds to it has a name of its own.
pub static HERE: LazyLock<World> = LazyLock::new(|| {
    let fakes = ["journalctl", "docker", "kubectl"].map(|name| (name, name));
    let world = World::in_folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("programs"), &fakes);
    // The configuration of each host is in a file of its name.
    let ssh = "#!/bin/sh\neval \"host=\\${$(($# - 1))}\"\nexec /usr/bin/ssh -F \"${0%/*}/../ssh/$host\" \"$@\"\n";
    world.program("ssh", ssh);
    crosstail_command::embed(crosstail_command::Embedding {
        guard: PathBuf::from(env!("CARGO_BIN_EXE_crosstail")),
        programs: world.path("bin"),
        silence: Duration::from_secs(2),
    });
    world
});

/// A name that nobody else in this folder has.
pub fn own_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("x{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

enum Sort {
    Journal,
    Container,
    Pod,
    Remote(Box<Host>, Proxy),
}

pub struct HostedFixture {
    sort: Sort,
    /// Of the unit, the container, the namespace, the host.
    name: String,
    source: Arc<dyn Source>,
    names: Names,
    logger: Logger,
    lines: u64,
}

impl HostedFixture {
    pub async fn journal() -> Option<Self> {
        Some(Self::of(Sort::Journal, own_name()))
    }

    pub async fn container() -> Option<Self> {
        Some(Self::of(Sort::Container, own_name()))
    }

    pub async fn pod() -> Option<Self> {
        let name = own_name();
        HERE.pod_in(&name, "web-0", "web", 0, "running");
        Some(Self::of(Sort::Pod, name))
    }

    pub async fn remote() -> Option<Self> {
        let host = Host::start()?;
        let proxy = Proxy::to(host.port).await;
        let name = own_name();
        HERE.write(&format!("ssh/{name}"), &host.config(&name, proxy.port));
        Some(Self::of(Sort::Remote(Box::new(host), proxy), name))
    }

    fn of(sort: Sort, name: String) -> Self {
        if matches!(sort, Sort::Container) {
            let one = json!({ "name": name, "state": "running", "status": "Up 2 hours" });
            HERE.write(&format!("fake/containers/{name}"), &one.to_string());
        }
        let logger = Logger::new("timestamp", |n| EPOCH.plus_ms(n as i64 * 1000));
        let (names, source) = open(&[address(&sort, &name)]);
        let fixture = Self { sort, name, source, names, logger, lines: 0 };
        let (world, path) = fixture.log();
        world.append(&path, "");
        fixture
    }

    /// What the program prints is in this file.
    fn log(&self) -> (&World, String) {
        let name = &self.name;
        match &self.sort {
            Sort::Journal => (&HERE, format!("fake/journal-{name}")),
            Sort::Container => (&HERE, format!("fake/logs/{name}")),
            Sort::Pod => (&HERE, format!("fake/logs/{name}/web-0/main/0")),
            Sort::Remote(host, _) => (&host.world, "app.log".to_owned()),
        }
    }

    fn write(&mut self, lines: &[Value]) {
        let mut text = String::new();
        for line in lines {
            self.lines += 1;
            let (n, name) = (self.lines, &self.name);
            let at = format!("2026-11-20T{:02}:{:02}:{:02}.{:09}Z", 10 + n / 3600, n / 60 % 60, n % 60, n);
            text.push_str(&match self.sort {
                Sort::Journal => {
                    let entry = json!({
                        "__CURSOR": format!("s=1f;i={n:x}"),
                        // An entry is written now, whatever its text says.
                        "__REALTIME_TIMESTAMP": Clock::system().now().0.to_string(),
                        "PRIORITY": "6", "_SYSTEMD_UNIT": name, "MESSAGE": line.to_string(),
                    });
                    format!("{entry}\n")
                }
                Sort::Container => format!("O {at} {line}\n"),
                Sort::Pod => format!("{at} {line}\n"),
                Sort::Remote(..) => format!("{line}\n"),
            });
        }
        let (world, path) = self.log();
        world.append(&path, &text);
    }
}

fn address(sort: &Sort, name: &str) -> String {
    match sort {
        Sort::Journal => format!("journald:{name}"),
        Sort::Container => format!("docker:{name}"),
        Sort::Pod => format!("k8s:{name}"),
        Sort::Remote(host, _) => format!("ssh:{name}:{}", host.world.path("app.log").display()),
    }
}

impl Drop for HostedFixture {
    fn drop(&mut self) {
        let name = &self.name;
        for file in ["containers/", "logs/", "journal-", "pods/", "epoch-", "../ssh/"] {
            let _ = std::fs::remove_file(HERE.path("fake").join(format!("{file}{name}")));
        }
        let _ = std::fs::remove_file(HERE.path(&format!("fake/pods/{name}.web-0")));
        let _ = std::fs::remove_dir_all(HERE.path(&format!("fake/logs/{name}")));
    }
}

impl Fixture for HostedFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.insert(count);
        self.write(&lines);
        ids
    }

    async fn start(&mut self, count: usize) -> Vec<String> {
        let (lines, ids) = self.logger.start(count);
        self.write(&lines);
        ids
    }

    async fn complete(&mut self, ids: &[String]) {
        let lines = self.logger.complete(ids);
        self.write(&lines);
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(&[self.address()]).1
    }

    fn address(&self) -> String {
        address(&self.sort, &self.name)
    }

    async fn fingerprint(&mut self) -> String {
        let (world, path) = self.log();
        format!("{:x?}", std::fs::read(world.path(&path)).expect("read"))
    }

    fn overlaps(&self) -> bool {
        // Another run reads everything again.
        true
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    async fn delete_all(&mut self) {
        unreachable!("what was read is kept");
    }

    fn proxy(&self) -> Option<&Proxy> {
        match &self.sort {
            Sort::Remote(_, proxy) => Some(proxy),
            _ => None,
        }
    }

    /// The log is cut; the journal cannot be opened any more.
    async fn kill(&mut self) {
        let name = &self.name;
        match &self.sort {
            Sort::Journal => HERE.write(&format!("fake/journal-{name}.down"), ""),
            Sort::Container | Sort::Pod => HERE.write(&format!("fake/epoch-{name}"), ""),
            Sort::Remote(_, proxy) => proxy.cut(),
        }
    }

    fn outage_is_an_error(&self) -> bool {
        // One of several that is cut is followed again at once.
        !matches!(self.sort, Sort::Container | Sort::Pod)
    }

    async fn revive(&mut self) -> Vec<String> {
        let ids = self.insert(10).await;
        match &self.sort {
            Sort::Journal => {
                let down = HERE.path(&format!("fake/journal-{}.down", self.name));
                std::fs::remove_file(down).expect("removed");
            }
            Sort::Container | Sort::Pod => {}
            Sort::Remote(_, proxy) => proxy.mend(),
        }
        ids
    }
}
