//! Syslog over UDP, TCP and TLS (RFC 5426, 6587, 5425). A message becomes a line; its format is read as in a file.

use crate::address::Address;
use crate::connections::{self, PATIENCE};
use crate::frames::{Frame, Frames, LONGEST};
use crate::inbox::Inbox;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

/// What the system keeps of datagrams that are not read yet, in bytes, as far as it allows that.
const DATAGRAMS: usize = 8 << 20;
const CHUNK: usize = 64 * 1024;
/// How often what the system dropped is looked at.
const DROPPED: Duration = Duration::from_secs(5);
/// How long a stream is not read while there is no room.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes datagrams, a message each.
pub(crate) async fn datagrams(socket: &UdpSocket, address: &Address, inbox: &Inbox) -> io::Result<()> {
    let _ = socket2::SockRef::from(socket).set_recv_buffer_size(DATAGRAMS);
    let port = socket.local_addr()?.port();
    let (mut buffer, mut dropped) = (vec![0; CHUNK], 0);
    let mut look = tokio::time::interval(DROPPED);
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let (length, peer) = received?;
                if !address.hears(peer.ip()) {
                    inbox.refuse("messages of senders that ?from= does not name", 1);
                } else if inbox.has_room() {
                    keep(inbox, peer.ip(), &buffer[..length]).await;
                } else {
                    inbox.refuse("datagrams, because more came than could be read", 1);
                }
            }
            _ = look.tick() => {
                let now = dropped_by_the_system(port);
                inbox.refuse("datagrams, which the system dropped because they came too fast; use TCP", now.saturating_sub(dropped));
                dropped = dropped.max(now);
            }
        }
    }
}

/// How many datagrams for a port the system dropped (proc(5), `/proc/net/udp`: the last column).
fn dropped_by_the_system(port: u16) -> u64 {
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let ending = format!(":{port:04X}");
    let lines = tables.iter().flat_map(|table| table.lines());
    let own = lines.filter(|line| line.split_ascii_whitespace().nth(1).is_some_and(|local| local.ends_with(&ending)));
    own.filter_map(|line| line.split_ascii_whitespace().last()?.parse::<u64>().ok()).sum()
}

/// Takes streams of messages.
pub(crate) async fn streams(
    listener: TcpListener,
    address: &Arc<Address>,
    inbox: &Arc<Inbox>,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
    connections::serve(listener, inbox, |stream, peer| {
        let (address, inbox, tls) = (Arc::clone(address), Arc::clone(inbox), tls.clone());
        async move {
            if !address.hears(peer) {
                return inbox.refuse("connections of senders that ?from= does not name", 1);
            }
            let Some(tls) = tls else { return read(stream, peer, &inbox).await };
            match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                Ok(Ok(stream)) => read(stream, peer, &inbox).await,
                _ => inbox.refuse("connections without TLS, or that do not trust the certificate", 1),
            }
        }
    })
    .await
}

async fn read(mut stream: impl AsyncRead + Unpin, peer: IpAddr, inbox: &Inbox) {
    let (mut frames, mut buffer) = (Frames::default(), vec![0; CHUNK]);
    loop {
        // Who sends waits, as TCP has it.
        while !inbox.has_room() {
            tokio::time::sleep(PAUSE).await;
        }
        let Ok(length @ 1..) = stream.read(&mut buffer).await else { break };
        frames.add(&buffer[..length]);
        loop {
            match frames.next() {
                Ok(Some(frame)) => take(inbox, peer, &frame).await,
                Ok(None) => break,
                Err(_) => {
                    inbox.refuse("streams with a message of more than 1 MB", 1);
                    return;
                }
            }
        }
    }
    if let Some(frame) = frames.rest() {
        take(inbox, peer, &frame).await;
    }
}

async fn take(inbox: &Inbox, peer: IpAddr, frame: &Frame) {
    if frame.is_cut {
        inbox.refuse("ends of messages of more than 1 MB", 1);
    }
    keep(inbox, peer, &frame.bytes[..frame.bytes.len().min(LONGEST)]).await;
}

/// Writes a message as a line. Waits and tries again while that fails: a full disk is emptied some time.
async fn keep(inbox: &Inbox, peer: IpAddr, message: &[u8]) {
    let line = line(message);
    while let Err(failure) = inbox.write(&peer.to_canonical().to_string(), &line, usize::from(!line.is_empty())) {
        inbox.notice(failure.cause);
        tokio::time::sleep(DROPPED).await;
    }
}

/// A message as one line. A newline in it becomes what rsyslog writes for one, so that no message looks like two.
fn line(message: &[u8]) -> Vec<u8> {
    let is_blank = |byte: &u8| matches!(byte, b'\n' | b'\r' | b' ' | b'\t' | 0);
    let end = message.iter().rposition(|byte| !is_blank(byte)).map_or(0, |at| at + 1);
    let mut line = Vec::with_capacity(end + 1);
    for byte in &message[..end] {
        match byte {
            b'\n' => line.extend_from_slice(b"#012"),
            b'\r' | 0 => {}
            other => line.push(*other),
        }
    }
    if !line.is_empty() {
        line.push(b'\n');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(line(b"<34>one\r\n\0"), b"<34>one\n");
        assert_eq!(line(b"<34>one\n<35>two"), b"<34>one#012<35>two\n");
        assert!(line(b" \n").is_empty());
    }
}
