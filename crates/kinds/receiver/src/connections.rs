//! Connections that come to a receiver: how many there are, and what fails for one of them only.

use crate::inbox::Inbox;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at the same time.
const CONNECTIONS: usize = 256;
/// How long a client may take for what it begins: a request, a body, the first bytes of a connection.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long until the first bytes are looked at again.
const LOOK: Duration = Duration::from_millis(10);

/// Gives each connection to `handle` until the listener is lost. Dropping it ends all connections.
pub(crate) async fn serve<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    inbox: &Inbox,
    handle: impl Fn(TcpStream, IpAddr) -> F,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = accepted(&listener, &mut connections).await?;
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            inbox.refuse("connections, because there were too many", 1);
            continue;
        };
        let handled = handle(stream, peer.ip());
        connections.spawn(async move {
            handled.await;
            drop(place);
        });
    }
}

/// The next connection; those that have ended are forgotten meanwhile. What fails for one client or for a moment is not the end.
async fn accepted(listener: &TcpListener, connections: &mut JoinSet<()>) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => return Ok(accepted),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
                // No file handles are left, or the client has gone.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Whether a connection begins as HTTP/2 does, which gRPC uses. `None` where nothing comes. Takes nothing of it.
pub(crate) async fn is_http2(stream: &TcpStream) -> Option<bool> {
    const BEGINNING: &[u8] = b"PRI * HTTP/2.0";
    let looked = async {
        let mut first = [0; BEGINNING.len()];
        loop {
            let length = stream.peek(&mut first).await.ok().filter(|length| *length > 0)?;
            if !BEGINNING.starts_with(&first[..length]) {
                return Some(false);
            }
            if length == BEGINNING.len() {
                return Some(true);
            }
            // What was seen already makes a stream readable.
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.ok().flatten()
}
