//! The HTTP side of a receiver: who may send, how much, and when there is no room. What a body means is its protocol's.

use crate::address::Address;
use crate::inbox::Inbox;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A longer body is refused: as it is sent, and unpacked, in bytes.
const LONGEST: usize = 16 << 20;
const LONGEST_UNPACKED: u64 = 64 << 20;
/// Bodies that are held at the same time, in KB, and those that are unpacked and read.
const HELD_KB: usize = 64 << 10;
const READ_AT_ONCE: usize = 2;
/// Connections at the same time.
const CONNECTIONS: usize = 256;
/// How long a client may take for the head of a request and for its body, and how long it is kept waiting for room.
const PATIENCE: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(500);
/// After so many seconds a client that was refused for lack of room may try again.
const RETRY_AFTER: &str = "1";

/// What the bodies of requests mean.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// Whether a path is one of its own.
    fn knows(&self, path: &str) -> bool;

    /// Whether a body of a media type can be read.
    fn reads(&self, media_type: &str) -> bool;

    /// The lines of a body.
    ///
    /// # Errors
    /// It is none; the text says why.
    fn lines(&self, path: &str, media_type: &str, body: &[u8]) -> Result<Lines, String>;

    /// The answer to a body that was taken.
    fn taken(&self, path: &str, media_type: &str, lines: &Lines) -> Answer;

    /// The answer to a request that is refused.
    fn refused(&self, media_type: &str, status: StatusCode, message: &str) -> Answer;
}

/// What a body holds.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Lines with their newlines, a record each.
    pub(crate) text: Vec<u8>,
    pub(crate) records: usize,
    /// How many records are none, and why the last of them is none.
    pub(crate) rejected: usize,
    pub(crate) reason: String,
}

/// The media type and the body of an answer.
pub(crate) type Answer = (&'static str, Vec<u8>);

/// Why a request is refused.
struct Refusal {
    status: StatusCode,
    message: String,
    /// As what it is counted.
    counted: &'static str,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>, counted: &'static str) -> Self {
        Self { status, message: message.into(), counted }
    }

    fn no_room() -> Self {
        let message = "more comes than is read; try again in a moment";
        Self::new(StatusCode::TOO_MANY_REQUESTS, message, "requests, because more came than could be read (429)")
    }

    fn too_large() -> Self {
        let message = format!("a request has at most {} MB, unpacked {} MB", LONGEST >> 20, LONGEST_UNPACKED >> 20);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message, "requests that were too large (413)")
    }
}

struct Server<P> {
    address: Arc<Address>,
    inbox: Arc<Inbox>,
    protocol: P,
    held: Semaphore,
    reading: Semaphore,
}

/// Serves until the listener is lost. Dropping it ends all connections.
pub(crate) async fn serve<P: Protocol + Clone>(
    listener: TcpListener,
    address: &Arc<Address>,
    inbox: &Arc<Inbox>,
    protocol: &P,
) -> io::Result<()> {
    let server = Arc::new(Server {
        address: Arc::clone(address),
        inbox: Arc::clone(inbox),
        protocol: protocol.clone(),
        held: Semaphore::new(HELD_KB),
        reading: Semaphore::new(READ_AT_ONCE),
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = accepted(&listener, &mut connections).await?;
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            inbox.refuse("connections, because there were too many", 1);
            continue;
        };
        let server = Arc::clone(&server);
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, Infallible>(server.answer(peer.ip(), request).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            // A client that goes away is nothing to tell.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

/// The next connection; those that have ended are forgotten meanwhile. What fails for one client or for a moment is not the end.
pub(crate) async fn accepted(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
) -> io::Result<(TcpStream, SocketAddr)> {
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

impl<P: Protocol + Clone> Server<P> {
    async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let media_type = text_of(request.headers(), header::CONTENT_TYPE).to_owned();
        let (status, (kind, body)) = match self.take(peer, request, &path, &media_type).await {
            Ok(lines) => {
                self.inbox.refuse("records, which were none", u64::try_from(lines.rejected).unwrap_or(u64::MAX));
                (StatusCode::OK, self.protocol.taken(&path, &media_type, &lines))
            }
            Err(Refusal { status, message, counted }) => {
                self.inbox.refuse(counted, 1);
                (status, self.protocol.refused(&media_type, status, &message))
            }
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }

    async fn take(
        &self,
        peer: IpAddr,
        request: Request<Incoming>,
        path: &str,
        media_type: &str,
    ) -> Result<Lines, Refusal> {
        self.admit(peer, &request)?;
        let strange = "requests that were none";
        if !self.protocol.knows(path) {
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("nothing is received at {path}"), strange));
        }
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "send it by POST", strange));
        }
        if !self.protocol.reads(media_type) {
            let message = format!("cannot read {media_type}");
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, strange));
        }
        let packed = match text_of(request.headers(), header::CONTENT_ENCODING).to_ascii_lowercase().as_str() {
            "" | "identity" => false,
            "gzip" => true,
            other => {
                let message = format!("cannot unpack {other}; gzip is known");
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, strange));
            }
        };
        if !self.inbox.has_room() {
            return Err(Refusal::no_room());
        }
        let length = request.body().size_hint().upper().and_then(|length| usize::try_from(length).ok());
        let length = length.unwrap_or(LONGEST);
        if length > LONGEST {
            return Err(Refusal::too_large());
        }
        let room = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        let held = tokio::time::timeout(WAIT, self.held.acquire_many(room)).await;
        let Ok(Ok(_held)) = held else { return Err(Refusal::no_room()) };
        let read = tokio::time::timeout(PATIENCE, Limited::new(request.into_body(), LONGEST).collect()).await;
        let body = match read {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::too_large()),
            Ok(Err(error)) => return Err(Refusal::new(StatusCode::BAD_REQUEST, error.to_string(), strange)),
            Err(_) => {
                let message = "the body did not come in time";
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message, "requests that took too long"));
            }
        };
        let Ok(Ok(_reading)) = tokio::time::timeout(WAIT, self.reading.acquire()).await else {
            return Err(Refusal::no_room());
        };
        let (protocol, own_path, own_type) = (self.protocol.clone(), path.to_owned(), media_type.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            let body = if packed { unpacked(&body)?.into() } else { body };
            let wrong = |why| Refusal::new(StatusCode::BAD_REQUEST, why, strange);
            protocol.lines(&own_path, &own_type, &body).map_err(wrong)
        });
        let failed =
            |why: String| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why, "requests that could not be kept");
        let lines = read.await.map_err(|error| failed(error.to_string()))??;
        let sender = peer.to_canonical().to_string();
        self.inbox.write(&sender, &lines.text, lines.records).map_err(|failure| failed(failure.cause))?;
        Ok(lines)
    }

    /// Whether a request may come in at all.
    fn admit(&self, peer: IpAddr, request: &Request<Incoming>) -> Result<(), Refusal> {
        if !self.address.hears(peer) {
            let counted = "requests of senders that ?from= does not name";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "this address may not send here", counted));
        }
        let Some(token) = &self.address.token else {
            // Any page in a browser on this machine could send.
            if request.headers().contains_key(header::ORIGIN) {
                let message = "pages in a browser need a token: ?token= in the address of the source";
                return Err(Refusal::new(StatusCode::FORBIDDEN, message, "requests of pages in a browser"));
            }
            return Ok(());
        };
        let given = text_of(request.headers(), header::AUTHORIZATION);
        let bearer = given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let query = request.uri().query().unwrap_or_default();
        let in_query = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
        let bearer = bearer.is_some_and(|(_, given)| same(given.trim(), token));
        if bearer || in_query.is_some_and(|(_, given)| same(&given, token)) {
            return Ok(());
        }
        let message = "send Authorization: Bearer TOKEN";
        Err(Refusal::new(StatusCode::UNAUTHORIZED, message, "requests without the token"))
    }
}

/// Whether two texts are the same, in a time that does not say where they differ.
fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

fn text_of(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

fn unpacked(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let mut packed = flate2::bufread::MultiGzDecoder::new(body).take(LONGEST_UNPACKED + 1);
    match packed.read_to_end(&mut out) {
        Ok(length) if u64::try_from(length).is_ok_and(|length| length <= LONGEST_UNPACKED) => Ok(out),
        Ok(_) => Err(Refusal::too_large()),
        Err(error) => {
            let message = format!("cannot unpack it: {error}");
            Err(Refusal::new(StatusCode::BAD_REQUEST, message, "requests that were none"))
        }
    }
}
