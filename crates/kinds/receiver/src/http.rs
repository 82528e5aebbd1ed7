//! Requests over HTTP/1.1: what they ask for, and what they are told. What a body means is its protocol's.

use crate::connections::{self, PATIENCE};
use crate::intake::{Intake, LONGEST, Lines, RETRY_AFTER, Refusal, STRANGE, text_of};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// What the bodies of requests mean.
pub(crate) trait Protocol: Clone + Send + Sync + 'static {
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

/// The media type and the body of an answer.
pub(crate) type Answer = (&'static str, Vec<u8>);

struct Server<P> {
    intake: Arc<Intake>,
    protocol: P,
}

/// Serves until the listener is lost. Dropping it ends all connections.
pub(crate) async fn serve<P: Protocol>(listener: TcpListener, intake: &Arc<Intake>, protocol: P) -> io::Result<()> {
    let server = Arc::new(Server { intake: Arc::clone(intake), protocol });
    connections::serve(listener, intake.inbox(), |stream, peer| connection(stream, peer, Arc::clone(&server))).await
}

async fn connection<P: Protocol>(stream: TcpStream, peer: IpAddr, server: Arc<Server<P>>) {
    match connections::is_http2(&stream).await {
        Some(false) => {}
        Some(true) => return server.intake.inbox().refuse("connections by gRPC, which otlp+grpc:// takes", 1),
        None => return,
    }
    let service = hyper::service::service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.answer(peer, request).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A client that goes away is nothing to tell.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

impl<P: Protocol> Server<P> {
    async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        // A page in a browser may read the answer where it may send at all: with the token.
        let page = request.headers().get(header::ORIGIN).filter(|_| self.intake.takes_pages()).cloned();
        if request.method() == Method::OPTIONS && page.is_some() {
            return allowed(page, asked_before(self.intake.hears(peer)));
        }
        let path = request.uri().path().to_owned();
        let media_type = text_of(request.headers(), header::CONTENT_TYPE.as_str()).to_owned();
        let outcome = self.take(peer, request, &path, &media_type).await;
        self.intake.count(&outcome);
        let (status, (kind, body)) = match outcome {
            Ok(lines) => (StatusCode::OK, self.protocol.taken(&path, &media_type, &lines)),
            Err(Refusal { status, message, .. }) => (status, self.protocol.refused(&media_type, status, &message)),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER.into());
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        allowed(page, response)
    }

    async fn take(
        &self,
        peer: IpAddr,
        request: Request<Incoming>,
        path: &str,
        media_type: &str,
    ) -> Result<Lines, Refusal> {
        self.intake.admit(peer, request.headers(), request.uri().query().unwrap_or_default())?;
        if !self.protocol.knows(path) {
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("nothing is received at {path}"), STRANGE));
        }
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "send it by POST", STRANGE));
        }
        if !self.protocol.reads(media_type) {
            let message = format!("cannot read {media_type}");
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, STRANGE));
        }
        let encoding = header::CONTENT_ENCODING;
        let is_packed = match text_of(request.headers(), encoding.as_str()).to_ascii_lowercase().as_str() {
            "" | "identity" => false,
            "gzip" => true,
            other => {
                let message = format!("cannot unpack {other}; gzip is known");
                return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message, STRANGE));
            }
        };
        let held = self.intake.body(request.into_body(), LONGEST).await?;
        let (protocol, own_path, own_type) = (self.protocol.clone(), path.to_owned(), media_type.to_owned());
        let read = move |body: &[u8]| protocol.lines(&own_path, &own_type, body);
        self.intake.keep(peer, held.bytes.clone(), is_packed, read).await
    }
}

/// The answer to what a browser asks before a page may send (fetch.spec.whatwg.org, "CORS-preflight request"). It has no token yet.
fn asked_before(is_heard: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if !is_heard {
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    let named = HeaderValue::from_static("authorization, content-type, content-encoding");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, named);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    response
}

/// An answer that a page of an origin may read.
fn allowed(page: Option<HeaderValue>, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    if let Some(origin) = page {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
    response
}
