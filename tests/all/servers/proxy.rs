//! What stands between a source and its server, and does what networks do.

use crate::support::PATIENCE;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What happens to the bytes that go through.
#[derive(Default)]
struct Weather {
    refuses: AtomicBool,
    delay_ms: AtomicU64,
    /// Nothing gets through, and nobody is told.
    is_silent: AtomicBool,
    /// The next answer is sent by half, and its connection reset.
    tears: AtomicBool,
    /// A byte a second.
    drips: AtomicBool,
}

/// A TCP proxy that can cut, refuse, slow down, drip, say nothing, and tear an answer.
pub struct Proxy {
    pub port: u16,
    weather: Arc<Weather>,
    connections: Arc<Mutex<CancellationToken>>,
    count: Arc<Connections>,
    /// It listens until this is dropped.
    ended: CancellationToken,
    _end: DropGuard,
}

/// Connections through a proxy.
#[derive(Default)]
struct Connections {
    accepted: AtomicUsize,
    live: AtomicUsize,
    peak: AtomicUsize,
}

impl Proxy {
    /// In front of a port. Its task ends with the runtime of the test.
    pub async fn to(target: u16) -> Self {
        Self::between(0, target).await
    }

    /// In front of a port, on a given one.
    pub async fn between(port: u16, target: u16) -> Self {
        // The one before it on this port may be just closing.
        let until = Instant::now() + PATIENCE;
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < until, "port {port}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let port = listener.local_addr().expect("an address").port();
        let ended = CancellationToken::new();
        let proxy = Self {
            _end: ended.clone().drop_guard(),
            ended,
            port,
            weather: Arc::default(),
            connections: Arc::new(Mutex::new(CancellationToken::new())),
            count: Arc::default(),
        };
        let count = Arc::clone(&proxy.count);
        let (weather, connections) = (Arc::clone(&proxy.weather), Arc::clone(&proxy.connections));
        let ended = proxy.ended.clone();
        let accepting = async move {
            while let Ok((client, _)) = listener.accept().await {
                if weather.refuses.load(Ordering::Relaxed) {
                    continue;
                }
                let cancel = connections.lock().expect("lock").clone();
                let weather = Arc::clone(&weather);
                let count = Arc::clone(&count);
                count.accepted.fetch_add(1, Ordering::Relaxed);
                let live = count.live.fetch_add(1, Ordering::Relaxed) + 1;
                count.peak.fetch_max(live, Ordering::Relaxed);
                tokio::spawn(async move {
                    let _end = Count(count);
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        () = copy(from_client, to_server, &weather, false) => {}
                        () = copy(from_server, to_client, &weather, true) => {}
                    }
                });
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = accepting => {}
            }
        });
        proxy
    }

    /// How many connections there were.
    pub fn accepted(&self) -> usize {
        self.count.accepted.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub fn live(&self) -> usize {
        self.count.live.load(Ordering::Relaxed)
    }

    /// How many there were at once, at most.
    pub fn peak(&self) -> usize {
        self.count.peak.load(Ordering::Relaxed)
    }

    /// Cuts every connection and refuses new ones.
    pub fn cut(&self) {
        self.weather.refuses.store(true, Ordering::Relaxed);
        let mut connections = self.connections.lock().expect("lock");
        connections.cancel();
        *connections = CancellationToken::new();
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.weather.refuses.store(false, Ordering::Relaxed);
    }

    /// Every packet waits this long.
    pub fn slow(&self, ms: u64) {
        self.weather.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// Nothing gets through in either direction while this holds, and connections stay.
    pub fn silence(&self, is_silent: bool) {
        self.weather.is_silent.store(is_silent, Ordering::Relaxed);
    }

    /// A byte a second gets through in each direction while this holds.
    pub fn drip(&self, drips: bool) {
        self.weather.drips.store(drips, Ordering::Relaxed);
    }

    /// Whether a connection is reset in the middle of the next answer.
    pub fn tear(&self, on: bool) {
        self.weather.tears.store(on, Ordering::Relaxed);
    }
}

/// A connection, which ends with this.
struct Count(Arc<Connections>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, weather: &Weather, is_answer: bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let delay = weather.delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        while weather.is_silent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // What has not come when it ends comes at once.
        let mut sent = 0;
        while sent < n && weather.drips.load(Ordering::Relaxed) {
            if to.write_all(&buffer[sent..=sent]).await.is_err() {
                return;
            }
            sent += 1;
            for _ in 0..100 {
                if weather.drips.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        let is_torn = is_answer && n > 1 && weather.tears.swap(false, Ordering::Relaxed);
        let whole = if is_torn { n / 2 } else { n };
        if to.write_all(&buffer[sent.min(whole)..whole]).await.is_err() || is_torn {
            return;
        }
    }
}
