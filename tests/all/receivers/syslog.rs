//! Syslog, by `logger`, by Python's handler, and by hand.

use super::{free_port, receiving};
use crate::programs::World;
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

#[test]
fn tls_and_senders_that_are_not_heard() {
    let (world, port) = (World::new(&[]), free_port());
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    world.write("tls.crt", &key.cert.pem());
    world.write("tls.key", &key.signing_key.serialize_pem());
    let (cert, private) = (world.path("tls.crt"), world.path("tls.key"));
    let at = format!("syslog+tls://127.0.0.1:{port}?cert={}&key={}", cert.display(), private.display());
    let tail = receiving(&world, &at, port);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(key.cert.der().clone()).expect("added");
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    rustls::Stream::new(&mut client, &mut stream)
        .write_all(b"51 <11>1 2026-11-20T10:00:04Z web-1 pay - - - over tls")
        .expect("sent");
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
