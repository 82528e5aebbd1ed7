//! A real rsyslog as the client of `syslog://`: over UDP, TCP with the length of each message, and TLS.

use super::{free_port, receiving};
use crate::programs::World;
use crate::servers::{cache, servers_wanted};
use crate::support::wait_for;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An rsyslog that forwards what `logger` gives it; it ends with the test.
struct Rsyslog {
    child: Child,
    world: World,
}

impl Rsyslog {
    /// With the parameters of its one action. `None` where servers are not wanted.
    fn start(world: World, action: &str) -> Option<Self> {
        if !servers_wanted() {
            return None;
        }
        let home = cache().join("rsyslog");
        assert!(home.exists(), "no rsyslog; run scripts/setup-tests");
        let usr = home.join("usr");
        let libraries = std::fs::read_dir(usr.join("lib")).expect("a folder").flatten().map(|entry| entry.path());
        let libraries = libraries.into_iter().find(|folder| folder.join("rsyslog").exists()).expect("modules");
        let folder = world.path("");
        world.write(
            "rsyslog.conf",
            &format!(
                "global(workDirectory=\"{0}\" maxMessageSize=\"64k\" defaultNetstreamDriverCAFile=\"{0}/tls.crt\")\n\
                 module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
                 input(type=\"imuxsock\" Socket=\"{0}/in\" RateLimit.Interval=\"0\")\n\
                 action(type=\"omfwd\" target=\"127.0.0.1\" action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\" {action})\n",
                folder.display().to_string().trim_end_matches('/')
            ),
        );
        let child = Command::new(usr.join("sbin/rsyslogd"))
            .env("LD_LIBRARY_PATH", &libraries)
            .args(["-n", "-iNONE", "-M"])
            .arg(libraries.join("rsyslog"))
            .arg("-f")
            .arg(world.path("rsyslog.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(world.path("rsyslog.log")).expect("made"))
            .spawn()
            .expect("started");
        wait_for("rsyslog to listen", || world.path("in").exists());
        Some(Self { child, world })
    }

    /// Logs lines, a message each.
    fn log(&self, lines: impl IntoIterator<Item = String>) {
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        self.world.write("lines", &text);
        let mut logger = Command::new("logger");
        logger.arg("-u").arg(self.world.path("in")).args(["--size", "60000", "-t", "shop", "-p", "user.err", "-f"]);
        assert!(logger.arg(self.world.path("lines")).status().expect("logger").success());
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every message comes, once, and as it is.
fn all_come(rsyslog: &Rsyslog, at: &str, port: u16) {
    let tail = receiving(&rsyslog.world, at, port);
    let long = format!("long {}", "x".repeat(20_000));
    rsyslog.log((0..300).map(|n| format!("message {n}")).chain([long.clone(), "tab\there, größer".to_owned()]));
    tail.wait_for(&["message 0", "message 299", &long, "tab\there, größer"]);
    wait_for("every message", || tail.counts().len() == 302);
    assert!(tail.counts().values().all(|count| *count == 1), "{:?}", tail.counts());
    assert!(!tail.said().contains("refused messages") && !tail.said().contains("refused streams"), "{}", tail.said());
    tail.end();
}

/// What rsyslog could not send while nobody listened comes afterwards.
fn what_waited_comes(rsyslog: &Rsyslog, at: &str, port: u16) {
    // What it writes into a connection that has ended is lost, and answered by a reset (RFC 6587, 4.1).
    wait_for("the connection to be gone", || {
        rsyslog.log(["knock".to_owned()]);
        !is_connected(port)
    });
    rsyslog.log((0..50).map(|n| format!("waited {n}")));
    let tail = receiving(&rsyslog.world, at, port);
    wait_for("what waited", || tail.counts().keys().filter(|message| message.starts_with("waited")).count() == 50);
    let waited = tail.counts().into_iter().filter(|(message, _)| message.starts_with("waited"));
    assert!(waited.into_iter().all(|(_, count)| count == 1), "{:?}", tail.counts());
    tail.end();
}

/// Whether there is a connection to a port of this machine (proc(5), `/proc/net/tcp`: the third column and the fourth).
fn is_connected(port: u16) -> bool {
    const OVER: &str = "06";
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
    let ending = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut columns = line.split_ascii_whitespace().skip(2);
        let to_it = columns.next().is_some_and(|remote| remote.ends_with(&ending));
        to_it && columns.next() != Some(OVER)
    })
}

#[test]
fn datagrams_in_the_old_form() {
    let (world, port) = (World::new(&[]), free_port());
    let action = format!("port=\"{port}\" protocol=\"udp\" template=\"RSYSLOG_TraditionalForwardFormat\"");
    let Some(rsyslog) = Rsyslog::start(world, &action) else { return };
    all_come(&rsyslog, &format!("syslog://127.0.0.1:{port}"), port);
}

#[test]
fn a_stream_with_the_length_of_each_message() {
    let (world, port) = (World::new(&[]), free_port());
    let action = format!(
        "port=\"{port}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\""
    );
    let Some(rsyslog) = Rsyslog::start(world, &action) else { return };
    let at = format!("syslog://127.0.0.1:{port}");
    all_come(&rsyslog, &at, port);
    what_waited_comes(&rsyslog, &at, port);
}

#[test]
fn a_stream_over_tls() {
    let (world, port) = (World::new(&[]), free_port());
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    world.write("tls.crt", &key.cert.pem());
    world.write("tls.key", &key.signing_key.serialize_pem());
    let shown = |path: &Path| path.display().to_string();
    let (certificate, private) = (shown(&world.path("tls.crt")), shown(&world.path("tls.key")));
    let action = format!(
        "port=\"{port}\" protocol=\"tcp\" StreamDriver=\"ossl\" StreamDriverMode=\"1\" \
         StreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"localhost\" TCP_Framing=\"octet-counted\" \
         template=\"RSYSLOG_SyslogProtocol23Format\""
    );
    let Some(rsyslog) = Rsyslog::start(world, &action) else { return };
    all_come(&rsyslog, &format!("syslog+tls://127.0.0.1:{port}?cert={certificate}&key={private}"), port);
}
