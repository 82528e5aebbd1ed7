//! OTLP/HTTP (opentelemetry.io, "OTLP Specification"): logs and traces.

use crate::http::{Answer, Protocol};
use crate::intake::Lines;
use crosstail_otlp::{Encoding, Signal, refusal};
use hyper::StatusCode;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Otlp;

fn signal(path: &str) -> Option<Signal> {
    match path {
        "/v1/logs" => Some(Signal::Logs),
        "/v1/traces" => Some(Signal::Traces),
        _ => None,
    }
}

fn encoding(media_type: &str) -> Encoding {
    Encoding::of(media_type).unwrap_or(Encoding::Json)
}

/// The records of a request as lines.
///
/// # Errors
/// It is none; the text says why.
pub(crate) fn lines(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Lines, String> {
    let found = signal.records(encoding, body)?;
    let mut lines = Lines {
        records: found.lines.len(),
        rejected: found.rejected,
        reason: found.reason.unwrap_or_default().to_owned(),
        text: Vec::with_capacity(found.lines.iter().map(|line| line.len() + 1).sum()),
    };
    for line in found.lines {
        lines.text.extend_from_slice(line.as_bytes());
        lines.text.push(b'\n');
    }
    Ok(lines)
}

/// The code of a refusal (google/rpc/code.proto).
pub(crate) fn code(status: StatusCode) -> i32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 5,
        StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 3,
    }
}

impl Protocol for Otlp {
    fn knows(&self, path: &str) -> bool {
        signal(path).is_some()
    }

    fn reads(&self, media_type: &str) -> bool {
        Encoding::of(media_type).is_some()
    }

    fn lines(&self, path: &str, media_type: &str, body: &[u8]) -> Result<Lines, String> {
        let Some(signal) = signal(path) else { return Ok(Lines::default()) };
        self::lines(signal, encoding(media_type), body)
    }

    fn taken(&self, path: &str, media_type: &str, lines: &Lines) -> Answer {
        let encoding = encoding(media_type);
        let body = signal(path).map(|signal| signal.answer(encoding, lines.rejected, &lines.reason));
        (encoding.media_type(), body.unwrap_or_default())
    }

    fn refused(&self, media_type: &str, status: StatusCode, message: &str) -> Answer {
        let encoding = encoding(media_type);
        (encoding.media_type(), refusal(encoding, code(status), message))
    }
}
