//! Each receiver as a person types it, seen live in the explorer, and gone with it.

use super::syslog::{send_by_tls, with_tls};
use super::{calls, free_port, post, span};
use crate::programs::World;
use crate::pty::Terminal;
use crate::servers::servers_wanted;
use crate::support::wait_for;
use portable_pty::CommandBuilder;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};

/// The explorer of an address, once it listens.
fn explorer(world: &World, at: &str, port: u16) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.arg(at);
    let folders = [("XDG_CONFIG_HOME", world.path("config")), ("XDG_CACHE_HOME", world.path("cache"))];
    let terminal = Terminal::run_as_it_is(command, &folders, 120, 24);
    wait_for("the receiver to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    terminal
}

/// It ends: nobody listens any more, and nothing is kept.
fn ends(world: &World, terminal: &mut Terminal, port: u16) {
    terminal.keys("q");
    wait_for("the port to be free", || TcpListener::bind(("127.0.0.1", port)).is_ok());
    wait_for("the spool to go", || {
        std::fs::read_dir(world.path("cache/crosstail/spool")).map_or(0, |entries| entries.flatten().count()) == 0
    });
}

#[test]
fn what_a_person_types_is_seen_live_and_leaves_nothing() {
    for scheme in ["otlp+http", "http-in", "syslog", "syslog+tls", "otlp+grpc"] {
        if scheme == "otlp+grpc" && !servers_wanted() {
            continue;
        }
        let (world, port) = (World::new(&[]), free_port());
        let (tls, key) = with_tls(&world, port);
        let at = if scheme == "syslog+tls" { tls } else { format!("{scheme}://127.0.0.1:{port}") };
        let mut terminal = explorer(&world, &at, port);
        match scheme {
            "otlp+http" => {
                let trace = span("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "", "seen live", "");
                assert_eq!(post(port, "/v1/traces", &trace).status, 200);
            }
            "http-in" => assert_eq!(post(port, "/", r#"{"level":"info","msg":"seen live"}"#).status, 200),
            "syslog" => {
                let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
                udp.send_to(b"<11>1 2026-11-20T10:00:00Z web-1 pay 12 - - seen live", ("127.0.0.1", port))
                    .expect("sent");
            }
            "syslog+tls" => {
                drop(send_by_tls(port, &key, b"52 <11>1 2026-11-20T10:00:04Z web-1 pay - - - seen live"));
            }
            _ => {
                let mut caller = calls(port, &["send"]);
                writeln!(caller.stdin.take().expect("a pipe"), "[\"seen live\"]").expect("sent");
                assert!(caller.wait().expect("ended").success());
            }
        }
        terminal.wait_for("seen live");
        ends(&world, &mut terminal, port);
    }
}
