//! What comes in by requests: who may send, how much, and when there is no room. HTTP and gRPC each say it in their own way.

use crate::address::Address;
use crate::connections::PATIENCE;
use crate::inbox::Inbox;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap};
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// A longer body is refused: as it is sent, and unpacked, in bytes.
pub(crate) const LONGEST: usize = 16 << 20;
const LONGEST_UNPACKED: u64 = 64 << 20;
/// Bodies that are held at the same time, in KB, and those that are unpacked and read.
const HELD_KB: usize = 64 << 10;
const READ_AT_ONCE: usize = 2;
/// How long a client is kept waiting for room.
const WAIT: Duration = Duration::from_millis(500);
/// After this time a client that was refused for lack of room may try again, in seconds.
pub(crate) const RETRY_AFTER: u32 = 1;
/// As what requests that make no sense are counted.
pub(crate) const STRANGE: &str = "requests that were none";

/// The records of a body.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Lines with their newlines, a record each.
    pub(crate) text: Vec<u8>,
    pub(crate) records: usize,
    /// How many records are none, and why the last of them is none.
    pub(crate) rejected: usize,
    pub(crate) reason: String,
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// As what it is counted.
    counted: &'static str,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>, counted: &'static str) -> Self {
        Self { status, message: message.into(), counted }
    }

    fn no_room() -> Self {
        let message = "more comes than is read; try again in a moment";
        Self::new(StatusCode::TOO_MANY_REQUESTS, message, "requests, because more came than could be read")
    }

    fn too_large() -> Self {
        let message = format!("a request has at most {} MB, unpacked {} MB", LONGEST >> 20, LONGEST_UNPACKED >> 20);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message, "requests that were too large")
    }
}

/// A body that was read, and its share of what is held.
pub(crate) struct Held<'a> {
    pub(crate) bytes: Bytes,
    _room: SemaphorePermit<'a>,
}

pub(crate) struct Intake {
    address: Arc<Address>,
    inbox: Arc<Inbox>,
    held: Semaphore,
    reading: Semaphore,
}

impl Intake {
    pub(crate) fn new(address: &Arc<Address>, inbox: &Arc<Inbox>) -> Self {
        Self {
            address: Arc::clone(address),
            inbox: Arc::clone(inbox),
            held: Semaphore::new(HELD_KB),
            reading: Semaphore::new(READ_AT_ONCE),
        }
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Whether pages in a browser may send: those that have the token.
    pub(crate) fn takes_pages(&self) -> bool {
        self.address.token.is_some()
    }

    /// Whether something is taken from an address.
    pub(crate) fn hears(&self, peer: IpAddr) -> bool {
        self.address.hears(peer)
    }

    /// Whether a request may come in at all.
    pub(crate) fn admit(&self, peer: IpAddr, headers: &HeaderMap, query: &str) -> Result<(), Refusal> {
        if !self.address.hears(peer) {
            let counted = "requests of senders that ?from= does not name";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "this address may not send here", counted));
        }
        let Some(token) = &self.address.token else {
            // Any page in a browser on this machine could send.
            if headers.contains_key(header::ORIGIN) {
                let message = "pages in a browser need a token: ?token= in the address of the source";
                return Err(Refusal::new(StatusCode::FORBIDDEN, message, "requests of pages in a browser"));
            }
            return Ok(());
        };
        let given = text_of(headers, header::AUTHORIZATION.as_str());
        let bearer = given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let in_query = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
        let bearer = bearer.is_some_and(|(_, given)| same(given.trim(), token));
        if bearer || in_query.is_some_and(|(_, given)| same(&given, token)) {
            return Ok(());
        }
        let message = "send Authorization: Bearer TOKEN";
        Err(Refusal::new(StatusCode::UNAUTHORIZED, message, "requests without the token"))
    }

    /// Reads a body of at most `longest` bytes, once there is room for it.
    pub(crate) async fn body(&self, body: Incoming, longest: usize) -> Result<Held<'_>, Refusal> {
        if !self.inbox.has_room() {
            return Err(Refusal::no_room());
        }
        let length = body.size_hint().upper().and_then(|length| usize::try_from(length).ok()).unwrap_or(longest);
        if length > longest {
            return Err(Refusal::too_large());
        }
        let room = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        let held = tokio::time::timeout(WAIT, self.held.acquire_many(room)).await;
        let Ok(Ok(room)) = held else { return Err(Refusal::no_room()) };
        match tokio::time::timeout(PATIENCE, Limited::new(body, longest).collect()).await {
            Ok(Ok(body)) => Ok(Held { bytes: body.to_bytes(), _room: room }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::too_large()),
            Ok(Err(error)) => Err(Refusal::new(StatusCode::BAD_REQUEST, error.to_string(), STRANGE)),
            Err(_) => {
                let message = "the body did not come in time";
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message, "requests that took too long"))
            }
        }
    }

    /// Unpacks a body, reads its records and keeps them.
    pub(crate) async fn keep(
        &self,
        peer: IpAddr,
        body: Bytes,
        is_packed: bool,
        read: impl FnOnce(&[u8]) -> Result<Lines, String> + Send + 'static,
    ) -> Result<Lines, Refusal> {
        let Ok(Ok(_reading)) = tokio::time::timeout(WAIT, self.reading.acquire()).await else {
            return Err(Refusal::no_room());
        };
        let read = tokio::task::spawn_blocking(move || {
            let body = if is_packed { unpacked(&body)?.into() } else { body };
            read(&body).map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why, STRANGE))
        });
        let failed =
            |why: String| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why, "requests that could not be kept");
        let lines = read.await.map_err(|error| failed(error.to_string()))??;
        let sender = peer.to_canonical().to_string();
        self.inbox.write(&sender, &lines.text, lines.records).map_err(|failure| failed(failure.cause))?;
        Ok(lines)
    }

    /// Counts what was refused of a request.
    pub(crate) fn count(&self, outcome: &Result<Lines, Refusal>) {
        match outcome {
            Ok(lines) => {
                self.inbox.refuse("records, which were none", u64::try_from(lines.rejected).unwrap_or(u64::MAX));
            }
            Err(refusal) => self.inbox.refuse(refusal.counted, 1),
        }
    }
}

/// Whether two texts are the same, in a time that does not say where they differ.
fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

pub(crate) fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

fn unpacked(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let mut packed = flate2::bufread::MultiGzDecoder::new(body).take(LONGEST_UNPACKED + 1);
    match packed.read_to_end(&mut out) {
        Ok(length) if u64::try_from(length).is_ok_and(|length| length <= LONGEST_UNPACKED) => Ok(out),
        Ok(_) => Err(Refusal::too_large()),
        Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("cannot unpack it: {error}"), STRANGE)),
    }
}
