//! Syslog, by `logger`, by Python's handler, and by hand.

use super::{free_port, receiving};
use crate::programs::World;
use crate::support::wait_for;
use rustls::pki_types::CertificateDer;
use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;

#[test]
fn messages_of_both_forms_come_over_udp_and_tcp() {
    let (world, port) = (World::new(&[]), free_port());
    let tail = receiving(&world, &format!("syslog://127.0.0.1:{port}"), port);
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    udp.connect(("127.0.0.1", port)).expect("connected");
    udp.send(b"<11>1 2026-11-20T10:00:00Z web-1 pay 12 - - udp 5424").expect("sent");
    udp.send(b"<34>Nov 20 10:00:01 web-1 su: udp 3164\0").expect("sent");
    udp.send(b"<34>Nov 20 10:00:02 web-1 su: first\n<34>Nov 20 10:00:02 web-1 su: forged").expect("sent");
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    tcp.write_all(
        b"<11>1 2026-11-20T10:00:03Z web-1 pay 12 - - tcp line\n50 <11>1 2026-11-20T10:00:04Z web-1 pay - - - coun",
    )
    .expect("sent");
    tcp.write_all(b"ted<34>Nov 20 10:00:05 web-1 su: without end").expect("sent");
    drop(tcp);
    tail.wait_for(&["udp 5424", "udp 3164", "first", "tcp line", "counted", "without end"]);
    // What stands behind a newline in a datagram is a line of the same message, whoever it claims to be.
    assert!(!tail.counts().keys().any(|message| message.starts_with("forged")), "{:?}", tail.counts());
    tail.end();
}

/// NILVALUE (RFC 5424, 6.2.3) is no time, and a message without a year has the one in which it came.
#[test]
fn a_message_without_a_time_came_when_it_was_sent() {
    use crosstail_core::model::{Clock, parse_timestamp};
    let (world, port) = (World::new(&[]), free_port());
    let begun = Clock::system().now();
    let tail = receiving(&world, &format!("syslog://127.0.0.1:{port}"), port);
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    tcp.write_all(b"<11>1 2020-01-01T10:00:00Z web-1 pay 12 - - timed\n<11>1 - web-1 pay 12 - - without\n")
        .expect("sent");
    tail.wait_for(&["timed", "without"]);
    assert_eq!(Some(tail.time_of("timed")), parse_timestamp("2020-01-01T10:00:00Z"));
    assert!(tail.time_of("without") >= begun, "{:?}", tail.time_of("without"));
    // Behind one of the first day of a year, this one is still of today.
    let date = |at: crosstail_core::model::Timestamp| at.rfc3339()[..10].to_owned();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let today = date(begun);
    let month = months[today[5..7].parse::<usize>().expect("a month") - 1];
    let day: u8 = today[8..].parse().expect("a day");
    let sent = format!(
        "<34>{month} {day:>2} 00:00:01 web-1 su: of today\n<34>Jan  1 00:00:01 web-1 su: of january\n<34>{month} {day:>2} 00:00:02 web-1 su: again\n"
    );
    tcp.write_all(sent.as_bytes()).expect("sent");
    tail.wait_for(&["of today", "of january", "again"]);
    assert_eq!([date(tail.time_of("of today")), date(tail.time_of("again"))], [today.clone(), today.clone()]);
    assert_eq!(date(tail.time_of("of january"))[..4], today[..4]);
    tail.end();
}

#[test]
fn logger_and_pythons_handler_are_understood() {
    if Command::new("logger").arg("--version").output().is_err() {
        return;
    }
    let (world, port) = (World::new(&[]), free_port());
    let tail = receiving(&world, &format!("syslog://127.0.0.1:{port}"), port);
    let place = port.to_string();
    for (arguments, message) in [
        (&["--udp", "--rfc3164"][..], "logger udp 3164"),
        (&["--udp", "--rfc5424"], "logger udp 5424"),
        (&["--tcp", "--rfc3164"], "logger tcp 3164"),
        (&["--tcp", "--rfc5424", "--octet-count"], "logger tcp counted"),
    ] {
        let mut logger = Command::new("logger");
        logger.args(["-n", "127.0.0.1", "-P", &place, "-t", "shop", "-p", "user.err"]).args(arguments).arg(message);
        assert!(logger.status().expect("run").success());
    }
    let script = "import logging, logging.handlers, socket, sys\n\
         log = logging.getLogger(); port = int(sys.argv[1])\n\
         for kind, name in ((socket.SOCK_DGRAM, 'udp'), (socket.SOCK_STREAM, 'tcp')):\n\
         \x20   handler = logging.handlers.SysLogHandler(('127.0.0.1', port), socktype=kind)\n\
         \x20   handler.append_nul = kind == socket.SOCK_DGRAM\n\
         \x20   handler.setFormatter(logging.Formatter('shop: %(message)s' + ('' if handler.append_nul else '\\n')))\n\
         \x20   log.handlers = [handler]; log.error('python %s', name); handler.close()\n";
    assert!(Command::new("python3").args(["-c", script, &place]).status().expect("run").success());
    tail.wait_for(&["logger udp 3164", "logger udp 5424", "logger tcp 3164", "logger tcp counted"]);
    crate::support::wait_for("the messages of Python", || {
        tail.counts().keys().filter(|message| message.contains("python")).count() == 2
    });
    tail.end();
}

/// The address of a receiver with TLS, and its certificate.
pub(super) fn with_tls(world: &World, port: u16) -> (String, CertificateDer<'static>) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    world.write("tls.crt", &key.cert.pem());
    world.write("tls.key", &key.signing_key.serialize_pem());
    let (cert, private) = (world.path("tls.crt"), world.path("tls.key"));
    let at = format!("syslog+tls://127.0.0.1:{port}?cert={}&key={}", cert.display(), private.display());
    (at, key.cert.der().clone())
}

/// Sends over TLS, to whoever has this certificate.
pub(super) fn send_by_tls(port: u16, trusted: &CertificateDer<'static>, message: &[u8]) -> TcpStream {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).expect("added");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    rustls::Stream::new(&mut client, &mut stream).write_all(message).expect("sent");
    stream
}

#[test]
fn tls_and_senders_that_are_not_heard() {
    let (world, port) = (World::new(&[]), free_port());
    let (at, key) = with_tls(&world, port);
    let tail = receiving(&world, &at, port);
    let stream = send_by_tls(port, &key, b"51 <11>1 2026-11-20T10:00:04Z web-1 pay - - - over tls");
    tail.wait_for(&["over tls"]);
    drop(stream);
    tail.end();
    let missing = world.run(&["doctor", "-s", &format!("syslog+tls://127.0.0.1:{port}?cert=none&key=none")]);
    assert!(String::from_utf8_lossy(&missing.stdout).contains("PEM"), "{missing:?}");
    // From elsewhere only.
    let port = free_port();
    let tail = receiving(&world, &format!("syslog://0.0.0.0:{port}?from=192.0.2.0/24"), port);
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    udp.send_to(b"<34>Nov 20 10:00:01 web-1 su: not heard", ("127.0.0.1", port)).expect("sent");
    tail.wait_until_said("refused messages of senders that ?from= does not name");
    tail.wait_until_said("refused connections of senders that ?from= does not name");
    assert!(tail.counts().is_empty(), "{:?}", tail.counts());
    tail.end();
}

/// What the system drops while nobody can read is counted and said.
#[test]
fn datagrams_that_the_system_dropped_are_counted() {
    const SENT: usize = 20_000;
    let (world, port) = (World::new(&[]), free_port());
    let tail = receiving(&world, &format!("syslog://127.0.0.1:{port}"), port);
    tail.signal(rustix::process::Signal::STOP);
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for n in 0..SENT {
        let message = format!("<11>1 2026-11-20T10:00:00Z web-1 pay 12 - - message {n} {:500}", "");
        udp.send_to(message.as_bytes(), ("127.0.0.1", port)).expect("sent");
    }
    tail.signal(rustix::process::Signal::CONT);
    tail.wait_until_said("datagrams, which the system dropped because they came too fast; use TCP");
    // What was not dropped comes.
    wait_for("the others", || !tail.counts().is_empty());
    assert!(tail.counts().len() < SENT);
    tail.end();
}
