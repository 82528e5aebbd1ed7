//! OTLP over gRPC (opentelemetry.io, "OTLP Specification"; github.com/grpc, `PROTOCOL-HTTP2.md`): calls of one message each, over
//! HTTP/2.

use crate::connections::{self, PATIENCE};
use crate::intake::{Intake, LONGEST, Lines, RETRY_AFTER, Refusal, STRANGE, text_of};
use crate::otlp;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::{BufMut as _, Bytes, BytesMut};
use crosstail_otlp::{Encoding, Signal, retry_info, status_of};
use http_body_util::{BodyExt as _, Full, combinators::WithTrailers};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What stands before a message: whether it is packed, and its length.
const PREFIX: usize = 5;
/// Calls at the same time in one connection.
const CALLS: u32 = 32;
/// What a client may send before it is read, of a call and of a connection, in bytes.
const WINDOW: u32 = 256 << 10;
const HEADERS: u32 = 16 << 10;
/// A connection without a word is asked so often whether it is still there.
const ALIVE: Duration = Duration::from_mins(1);
/// What a message for people may not hold as it is.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// A message and how the call ended.
type Reply = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

/// Serves until the listener is lost. Dropping it ends all connections.
pub(crate) async fn serve(listener: TcpListener, intake: &Arc<Intake>) -> io::Result<()> {
    connections::serve(listener, intake.inbox(), |stream, peer| connection(stream, peer, Arc::clone(intake))).await
}

async fn connection(stream: TcpStream, peer: IpAddr, intake: Arc<Intake>) {
    match connections::is_http2(&stream).await {
        Some(true) => {}
        Some(false) => return intake.inbox().refuse("connections without gRPC; otlp+http:// takes OTLP over HTTP", 1),
        None => return,
    }
    let asked = Arc::new(AtomicBool::new(false));
    let service = {
        let asked = Arc::clone(&asked);
        hyper::service::service_fn(move |request| {
            asked.store(true, Ordering::Relaxed);
            let intake = Arc::clone(&intake);
            async move { Ok::<_, Infallible>(answer(&intake, peer, request).await) }
        })
    };
    let mut http = http2::Builder::new(Calls::default());
    http.timer(TokioTimer::new())
        .keep_alive_interval(ALIVE)
        .keep_alive_timeout(PATIENCE)
        .max_concurrent_streams(CALLS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEADERS);
    let mut served = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    // One that asks for nothing does not keep its place. A client that goes away is nothing to tell.
    let ended = tokio::time::timeout(PATIENCE, &mut served).await;
    if ended.is_err() && asked.load(Ordering::Relaxed) {
        let _ = served.await;
    }
}

/// Runs the calls of a connection; they end with it.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Calls {
    fn execute(&self, call: F) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while calls.try_join_next().is_some() {}
        calls.spawn(call);
    }
}

fn signal(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        _ => None,
    }
}

async fn answer(intake: &Intake, peer: IpAddr, request: Request<Incoming>) -> Response<Reply> {
    let signal = signal(request.uri().path());
    let outcome = take(intake, peer, request, signal).await;
    intake.count(&outcome);
    let (message, trailers) = match (outcome, signal) {
        (Ok(lines), Some(signal)) => {
            let answer = signal.answer(Encoding::Protobuf, lines.rejected, &lines.reason);
            (framed(&answer), status(0, "", None))
        }
        (Ok(_), None) => (Bytes::new(), status(UNIMPLEMENTED, "", None)),
        (Err(refusal), _) => (Bytes::new(), refused(&refusal)),
    };
    let mut response = Response::new(Full::new(message).with_trailers(ready(Some(Ok(trailers)))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static("identity,gzip"));
    response
}

async fn take(
    intake: &Intake,
    peer: IpAddr,
    request: Request<Incoming>,
    signal: Option<Signal>,
) -> Result<Lines, Refusal> {
    let headers = request.headers();
    intake.admit(peer, headers, "")?;
    let Some(signal) = signal else {
        let message = format!("nothing is received at {}", request.uri().path());
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, message, STRANGE));
    };
    let media_type = text_of(headers, header::CONTENT_TYPE.as_str());
    if request.method() != Method::POST || !matches!(media_type, "application/grpc" | "application/grpc+proto") {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "it is no call of gRPC with Protobuf", STRANGE));
    }
    let encoding = text_of(headers, "grpc-encoding").to_ascii_lowercase();
    if !matches!(encoding.as_str(), "" | "identity" | "gzip") {
        let message = format!("cannot unpack {encoding}; gzip is known");
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, message, STRANGE));
    }
    let held = intake.body(request.into_body(), LONGEST + PREFIX).await?;
    let (is_packed, message) = message(&held.bytes).ok_or_else(|| {
        Refusal::new(StatusCode::BAD_REQUEST, "a call has one message, with its length before it", STRANGE)
    })?;
    if is_packed && encoding != "gzip" {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the message is packed, and no header says how", STRANGE));
    }
    intake.keep(peer, message, is_packed, move |body| otlp::lines(signal, Encoding::Protobuf, body)).await
}

/// The one message of a call, and whether it is packed.
fn message(body: &Bytes) -> Option<(bool, Bytes)> {
    let (prefix, message) = body.split_at_checked(PREFIX)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    let is_whole = usize::try_from(length).is_ok_and(|length| length == message.len());
    (is_whole && prefix[0] <= 1).then(|| (prefix[0] == 1, body.slice(PREFIX..)))
}

/// A message with its length before it, not packed.
fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// `google.rpc.Code`.
const UNIMPLEMENTED: i32 = 12;
const UNAVAILABLE: i32 = 14;

/// How a refused call ends. Where there is no room, OTLP says `UNAVAILABLE` with a `RetryInfo`.
fn refused(refusal: &Refusal) -> HeaderMap {
    let (code, retry) = match refusal.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => (UNAVAILABLE, Some(RETRY_AFTER)),
        StatusCode::NOT_IMPLEMENTED => (UNIMPLEMENTED, None),
        other => (otlp::code(other), None),
    };
    status(code, &refusal.message, retry)
}

fn status(code: i32, message: &str, retry_after: Option<u32>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(HeaderName::from_static("grpc-status"), code.into());
    let mut add = |name: &'static str, value: String| {
        // What was escaped or encoded has no byte that a header cannot have.
        if let Ok(value) = HeaderValue::from_str(&value) {
            trailers.insert(HeaderName::from_static(name), value);
        }
    };
    if !message.is_empty() {
        add("grpc-message", utf8_percent_encode(message, ESCAPED).to_string());
    }
    if let Some(seconds) = retry_after {
        add("grpc-status-details-bin", BASE64_STANDARD_NO_PAD.encode(status_of(code, message, retry_after)));
        // Where OpenTelemetry's kit for Python looks for it.
        add("google.rpc.retryinfo-bin", BASE64_STANDARD_NO_PAD.encode(retry_info(seconds)));
    }
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_whole_message() {
        let body = framed(b"abc");
        assert_eq!(body.as_ref(), b"\0\0\0\0\x03abc");
        assert_eq!(message(&body), Some((false, Bytes::from_static(b"abc"))));
        assert_eq!(message(&Bytes::from_static(b"\x01\0\0\0\0")), Some((true, Bytes::new())));
        for none in
            [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x04abc", b"\0\0\0\0\x02abc", b"\x02\0\0\0\0", b"\0\xff\xff\xff\xff"]
        {
            assert_eq!(message(&Bytes::copy_from_slice(none)), None, "{none:?}");
        }
    }

    #[test]
    fn a_refusal_says_when_to_try_again() {
        let busy = status(UNAVAILABLE, "wäit: 100 %", Some(1));
        assert_eq!(busy["grpc-status"], "14");
        assert_eq!(busy["grpc-message"], "w%C3%A4it: 100 %25");
        let details = BASE64_STANDARD_NO_PAD.decode(&busy["grpc-status-details-bin"]).expect("base64");
        let kind = b"type.googleapis.com/google.rpc.RetryInfo";
        assert!(details.windows(kind.len()).any(|window| window == kind), "{details:?}");
        // One second, as a Duration in a RetryInfo in an Any.
        assert!(details.ends_with(&[0x12, 4, 0x0a, 2, 8, 1]), "{details:?}");
        assert!(!status(3, "no", None).contains_key("grpc-status-details-bin"));
    }
}
