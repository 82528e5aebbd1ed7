//! Ports for servers that cannot choose one themselves, or that others must know before they run.

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::sync::Mutex;

/// Below the ports that Linux gives to connections and to whoever asks for any port (from 32768 on): nobody gets one of
/// these by chance.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that is ours until this process ends. A locked file says so to other processes that run these tests, and the
/// kernel unlocks it, however the process ends. What somebody else listens on is passed over.
pub fn reserve() -> u16 {
    // The next port to try, and the locks that are held.
    static RESERVED: Mutex<(u16, Vec<File>)> = Mutex::new((0, Vec::new()));
    let mut reserved = RESERVED.lock().expect("lock");
    let folder = std::env::temp_dir().join("crosstail-test-ports");
    std::fs::create_dir_all(&folder).expect("a folder");
    if reserved.0 == 0 {
        // Processes begin at different places: they meet rarely.
        reserved.0 = RANGE.start + (std::process::id() * 64 % (RANGE.len() as u32)) as u16;
    }
    for _ in RANGE {
        let port = reserved.0;
        reserved.0 = if port + 1 < RANGE.end { port + 1 } else { RANGE.start };
        let file = File::options().create(true).append(true).open(folder.join(port.to_string())).expect("a lock file");
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => panic!("{}: {error}", folder.display()),
        }
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            reserved.1.push(file);
            return port;
        }
    }
    panic!("every port from {} to {} is taken", RANGE.start, RANGE.end);
}

#[test]
fn a_port_is_given_once() {
    let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| reserve()).collect();
    assert!(ports.len() == 50 && ports.iter().all(|port| RANGE.contains(port)));
    assert!(ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()), "nobody listens there");
}
