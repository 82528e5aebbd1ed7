//! `ssh:` with a real server of this machine, through a proxy that cuts.

use super::{World, messages, records};
use crate::servers::{Proxy, cache, reserve, servers_wanted};
use crate::support::wait_for;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

/// A server that takes one key, and the world of its client.
pub(crate) struct Host {
    pub(crate) world: World,
    server: Child,
    pub(crate) port: u16,
}

impl Host {
    pub(crate) fn start() -> Option<Self> {
        if !servers_wanted() {
            return None;
        }
        let world = World::new(&[]);
        let program = cache().join("sshd");
        assert!(program.exists(), "no sshd; run scripts/setup-tests");
        let keys = world.path("keys");
        std::fs::create_dir(&keys).expect("made");
        for name in ["host", "user"] {
            let mut made = Command::new("ssh-keygen");
            made.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(keys.join(name));
            assert!(made.status().expect("ssh-keygen").success());
        }
        let port = reserve();
        let keys = keys.display();
        world.write(
            "sshd_config",
            &format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/user.pub\n\
                 StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin prohibit-password\nMaxStartups 100\nSetEnv PATH={}:/usr/local/bin:/usr/bin:/bin\n",
                world.path("bin").display()
            ),
        );
        // Root's server has an empty folder of its own.
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd").expect("made");
        }
        let server = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(world.path("sshd_config"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(world.path("sshd.log")).expect("made"))
            .spawn()
            .expect("started");
        let host = Self { world, server, port };
        wait_for("sshd", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(host)
    }

    /// What a user writes for a host that is the server, by a port.
    pub(crate) fn config(&self, name: &str, port: u16) -> String {
        let keys = self.world.path("keys");
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {0}/user\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {0}/known\n  StrictHostKeyChecking accept-new\n",
            keys.display()
        )
    }

    /// The user's own configuration.
    pub(super) fn named(&self, names: &[(&str, u16)]) {
        let config: String = names.iter().map(|(name, port)| self.config(name, *port)).collect();
        self.world.write("ssh_config", &config);
        // OpenSSH asks the password database for the home, not HOME: a program before it names the file.
        let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", self.world.path("ssh_config").display());
        self.world.program("ssh", &script);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_lines_come_once_though_the_connection_is_cut_and_the_file_rotated() {
    const LINES: usize = 100_000;
    let Some(host) = Host::start() else { return };
    let proxy = Proxy::to(host.port).await;
    host.named(&[("web", proxy.port)]);
    // Others write to the disk: each look finds it fuller.
    let df = "#!/bin/sh\necho x >>'FULL'\nprintf 'Filesystem 1024-blocks Used Available Capacity Mounted on\\n/dev/sda1 9000 %d \
              %d 42%% /\\n' $(wc -l <'FULL') $((9000 - $(wc -l <'FULL')))\n";
    host.world.program("df", &df.replace("FULL", &host.world.path("full").display().to_string()));
    let log = host.world.path("app.log");
    let write = |from: usize, upto: usize| {
        let mut file = std::fs::File::options().append(true).create(true).open(&log).expect("opened");
        let lines: String = (from..upto).map(|n| format!("2026-11-20T10:00:00.{n:06}Z INFO line {n}\n")).collect();
        file.write_all(lines.as_bytes()).expect("written");
    };
    write(0, 100);
    let address = format!("ssh:web:{}", log.display());
    let tail = host.world.tail(&["-s", &address, "--since", "2026-01-01", "-q"]);
    tail.wait_for(&["line 99"]);
    for step in 0..100 {
        write(100 + step * 999, 100 + (step + 1) * 999);
        std::thread::park_timeout(std::time::Duration::from_millis(30));
        if step % 10 == 5 {
            let accepted = proxy.accepted();
            proxy.cut();
            proxy.mend();
            // It is back before the next cut.
            wait_for("the next connection", || proxy.accepted() > accepted);
        }
        if step == 33 || step == 66 {
            let old = host.world.path(if step == 33 { "app.log.2" } else { "app.log.1" });
            std::fs::rename(&log, old).expect("rotated");
        }
    }
    tail.wait_for(&[&format!("line {}", LINES - 1)]);
    wait_for("all of them", || tail.counts().len() >= LINES);
    let counts = tail.counts();
    let missing: Vec<usize> = (0..LINES).filter(|n| counts.get(&format!("line {n}")) != Some(&1)).take(10).collect();
    assert!(missing.is_empty() && counts.len() == LINES, "{missing:?} of {}", counts.len());
    assert!(host.world.path("full").exists(), "df was asked");
    tail.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_history_and_hostile_paths_are_read() {
    let Some(host) = Host::start() else { return };
    host.named(&[("one", host.port), ("two", host.port)]);
    let world = &host.world;
    let name = "a 'b\"; touch owned; $(touch owned) `touch owned` \\ é*.log";
    world.append(name, "2026-11-20T10:00:03Z INFO third\n");
    world.append(&format!("{name}.1"), "2026-11-20T10:00:02Z INFO second\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"2026-11-20T10:00:01Z INFO first\n").expect("packed");
    std::fs::write(world.path(&format!("{name}.2.gz")), packed.finish().expect("packed")).expect("written");
    let address = |host: &str| format!("ssh:{host}:{}", world.path(name).display());
    let (one, two) = (address("one"), address("two"));
    assert_eq!(world.query(&["-s", &one]), ["first", "second", "third"]);
    // Side by side: each has its own.
    assert_eq!(world.query(&["-s", &one, "-s", &two]).len(), 6);
    assert!(!world.path("owned").exists(), "no path is read by a shell");
    let found = records(&world.run(&["query", "second", "-s", &two, "-o", "json"]));
    assert!(found[0]["places"].to_string().contains("two:"), "{found:?}");
    assert_eq!(messages(&found), ["second"]);
    let shown = world.run(&["show", found[0]["id"].as_str().expect("an id"), "-s", &two]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("two:"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_read_and_what_is_not_there_is_said() {
    let Some(host) = Host::start() else { return };
    host.named(&[("one", host.port)]);
    let world = &host.world;
    world.append("logs/a.log", "2026-11-20T10:00:00Z INFO of a\n");
    world.append("logs/b.log", "2026-11-20T10:00:01Z INFO of b\n");
    let folder = world.path("logs");
    for path in [format!("{}", folder.display()), format!("{}/", folder.display())] {
        assert_eq!(world.query(&["-s", &format!("ssh:one:{path}")]), ["of a", "of b"]);
    }
    let nothing = format!("ssh:one:{}/none*.log", folder.display());
    let output = world.run(&["query", "-s", &nothing]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("no file matches one:"), "{output:?}");
    let output = world.run(&["doctor", "-s", &nothing]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("no file matches one:"), "{said}");
    // Of several paths the one that is not there is named, and the others are read.
    let some = format!("ssh:one:{0}/a.log:{0}/none*.log", folder.display());
    let output = world.run(&["query", "-s", &some, "-o", "json"]);
    assert_eq!(messages(&records(&output)), ["of a"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(4) && said.contains("no file matches one:"), "{output:?}");
    // One that is told once, and comes.
    let tail = world.tail(&["-s", &nothing]);
    tail.wait_until_said("no file of one matches yet");
    world.append("logs/none1.log", "2026-11-20T10:00:02Z INFO at last\n");
    tail.wait_for(&["at last"]);
    assert_eq!(tail.said().matches("matches yet").count(), 1, "{}", tail.said());
    tail.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_connection_is_read_to_its_end() {
    let Some(host) = Host::start() else { return };
    let proxy = Proxy::to(host.port).await;
    host.named(&[("web", proxy.port)]);
    let line = |n: usize| format!("2026-11-20T10:00:00.{n:06}Z INFO line {n} {}\n", "x".repeat(200));
    let lines: String = (0..4000).map(line).collect();
    host.world.append("app.log", &lines);
    let address = format!("ssh:web:{}", host.world.path("app.log").display());
    // Every piece that the proxy passes on waits.
    proxy.slow(150);
    let output = host.world.run(&["query", "-s", &address, "--count"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "4000", "{output:?}");
}

/// Every form of history, and one that takes its time on the way.
#[tokio::test(flavor = "multi_thread")]
async fn compressed_history_of_each_form_arrives_however_slow_the_connection_is() {
    let Some(host) = Host::start() else { return };
    let proxy = Proxy::to(host.port).await;
    host.named(&[("web", proxy.port)]);
    let world = &host.world;
    let mut seed = fastrand::Rng::with_seed(7);
    for (n, (ending, program)) in [("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz"), ("zst", "zstd")].iter().enumerate() {
        // Words that do not shrink much.
        let line = |m: usize, seed: &mut fastrand::Rng| {
            let noise: String = (0..100).map(|_| seed.alphanumeric()).collect();
            format!("2026-11-20T10:0{n}:00.{m:06}Z INFO of {ending} {m} {noise}\n")
        };
        let lines: String = (0..2000).map(|m| line(m, &mut seed)).collect();
        let plain = world.path("plain");
        std::fs::write(&plain, lines).expect("written");
        let packed = Command::new(program).args(["-q", "-c"]).arg(&plain).output().expect(program);
        assert!(packed.status.success() && packed.stdout.len() > 50_000, "{program}");
        std::fs::write(world.path(&format!("app.log.{}.{ending}", 4 - n)), packed.stdout).expect("written");
    }
    world.append("app.log", "2026-11-20T10:09:00Z INFO of app.log 0\n");
    proxy.slow(100);
    let address = format!("ssh:web:{}", world.path("app.log").display());
    let found = world.query(&["-s", &address]);
    for ending in ["gz", "bz2", "xz", "zst"] {
        let count = found.iter().filter(|message| message.starts_with(&format!("of {ending} "))).count();
        assert_eq!(count, 2000, "{ending}");
    }
    assert_eq!(found.len(), 8001);
    // Alternatives in braces, as an interactive shell has them; what the other shell does not have is refused.
    world.append("a-1.log", "2026-11-20T10:00:00Z INFO one\n");
    world.append("a-2.log", "2026-11-20T10:00:01Z INFO two\n");
    let folder = world.path("").display().to_string();
    assert_eq!(world.query(&["-s", &format!("ssh:web:{folder}a-{{1,2}}.log")]), ["one", "two"]);
    let output = world.run(&["query", "-s", &format!("ssh:web:{folder}**/a.log")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("** is no pattern of the shell there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn truncation_compression_and_an_answer_that_fails_are_survived() {
    let Some(host) = Host::start() else { return };
    host.named(&[("one", host.port)]);
    let world = &host.world;
    world.append("app.log", "2026-11-20T10:00:00Z INFO old\n");
    let address = format!("ssh:one:{}", world.path("app.log").display());
    let tail = world.tail(&["-s", &address]);
    let mut count = 0;
    wait_for("following", || {
        count += 1;
        world.append("app.log", &format!("2026-11-20T10:00:00Z INFO warm {count}\n"));
        tail.counts().keys().any(|text| text.starts_with("warm"))
    });
    // Copied and truncated, with a line that nobody had read yet; then compressed.
    world.append("app.log", "2026-11-20T10:00:01Z INFO before it was truncated\n");
    std::fs::copy(world.path("app.log"), world.path("app.log.1")).expect("copied");
    std::fs::File::options().write(true).open(world.path("app.log")).expect("opened").set_len(0).expect("cut");
    world.append("app.log", "2026-11-20T10:00:02Z INFO after\n");
    tail.wait_for(&["before it was truncated", "after"]);
    world.append("app.log", "2026-11-20T10:00:03Z INFO before it was compressed\n");
    let text = std::fs::read(world.path("app.log")).expect("read");
    std::fs::rename(world.path("app.log"), world.path("app.log.2")).expect("moved");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&text).expect("packed");
    std::fs::write(world.path("app.log.2.gz"), packed.finish().expect("packed")).expect("written");
    std::fs::remove_file(world.path("app.log.2")).expect("removed");
    world.append("app.log", "2026-11-20T10:00:04Z INFO a new file\n");
    tail.wait_for(&["before it was compressed", "a new file"]);
    let counts = tail.counts();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    tail.end();
    let output = world.run(&["query", "-s", "ssh:nobody.invalid:/x"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
