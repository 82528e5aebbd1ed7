//! Explains HTTP status codes and headers.

use crosstail_core::model::Timestamp;
use crosstail_core::number::{saturating_i64, truncated_i64};

/// The name of a status code (IANA's registry), and its meaning where the name does not say it.
pub const fn status_meaning(code: u16) -> (&'static str, &'static str) {
    match code {
        100 => ("Continue", ""),
        101 => ("Switching Protocols", ""),
        103 => ("Early Hints", ""),
        200 => ("OK", ""),
        201 => ("Created", ""),
        202 => ("Accepted", "accepted, not processed yet: the outcome is reported elsewhere"),
        203 => ("Non-Authoritative Information", ""),
        204 => ("No Content", ""),
        205 => ("Reset Content", ""),
        206 => ("Partial Content", "the requested part"),
        207 => ("Multi-Status", "each part has its own status, in the body"),
        300 => ("Multiple Choices", ""),
        301 => ("Moved Permanently", "the address has changed: use the one in Location"),
        302 => ("Found", "answered elsewhere: see Location"),
        303 => ("See Other", "answered elsewhere: see Location"),
        304 => ("Not Modified", "the caller's copy is still valid"),
        307 => ("Temporary Redirect", "send the same request to Location"),
        308 => ("Permanent Redirect", "send this and later requests to Location, unchanged"),
        400 => ("Bad Request", "the request itself is wrong: sending it again does not help"),
        401 => ("Unauthorized", "credentials are missing, wrong or expired"),
        402 => ("Payment Required", ""),
        403 => ("Forbidden", "known, but not allowed: permissions or scope"),
        404 => ("Not Found", "nothing at this address, or not for this caller"),
        405 => ("Method Not Allowed", "the address is right, the method is not: see Allow"),
        406 => ("Not Acceptable", "no format that the caller accepts"),
        407 => ("Proxy Authentication Required", ""),
        408 => ("Request Timeout", "the request came too slowly; may be tried again"),
        409 => ("Conflict", "another change came first, or it exists already"),
        410 => ("Gone", "it existed and will not come back"),
        411 => ("Length Required", ""),
        412 => ("Precondition Failed", "it changed since the caller read it"),
        413 => ("Content Too Large", "the body is larger than the server accepts"),
        414 => ("URI Too Long", ""),
        415 => ("Unsupported Media Type", "the server does not accept this format: see Content-Type"),
        416 => ("Range Not Satisfiable", ""),
        417 => ("Expectation Failed", ""),
        421 => ("Misdirected Request", "it reached a server that is not responsible for it"),
        422 => ("Unprocessable Content", "understood, but its values are refused: the body says which"),
        423 => ("Locked", "someone else holds it"),
        424 => ("Failed Dependency", ""),
        425 => ("Too Early", "send it again later"),
        426 => ("Upgrade Required", ""),
        428 => ("Precondition Required", ""),
        429 => ("Too Many Requests", "the rate limit was reached: wait as Retry-After says"),
        431 => ("Request Header Fields Too Large", ""),
        451 => ("Unavailable For Legal Reasons", ""),
        499 => ("Client Closed Request", "the caller disconnected before the response (nginx)"),
        500 => ("Internal Server Error", "the other side failed; its own log says why"),
        501 => ("Not Implemented", ""),
        502 => ("Bad Gateway", "a gateway in front of the service got no valid response from it"),
        503 => ("Service Unavailable", "overloaded or in maintenance; may be tried again"),
        504 => (
            "Gateway Timeout",
            "a gateway in front of the service waited for it in vain; it may have been processed all the same",
        ),
        505 => ("HTTP Version Not Supported", ""),
        507 => ("Insufficient Storage", ""),
        508 => ("Loop Detected", ""),
        511 => ("Network Authentication Required", ""),
        520..=527 => ("", "Cloudflare could not reach the service or read its response"),
        _ => ("", ""),
    }
}

/// Formats a size for people, in units of 1000: `512 B`, `1.2 KB`, `20.0 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// Formats a duration in words: `42 s`, `5 min`, `2 h`.
pub(super) fn span(seconds: f64) -> String {
    let whole = |n: f64| if n.fract() < 0.05 { format!("{n:.0}") } else { format!("{n:.1}") };
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{} s", whole(s)),
        s if s < 7200.0 => format!("{} min", whole(s / 60.0)),
        s if s < 172_800.0 => format!("{} h", whole(s / 3600.0)),
        s => format!("{} days", whole(s / 86_400.0)),
    }
}

/// Parses the time in a header: an HTTP date, seconds from `at`, or seconds or milliseconds since the epoch.
fn moment(value: &str, at: Timestamp) -> Option<Timestamp> {
    if let Ok(date) = httpdate::parse_http_date(value) {
        let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        return Some(Timestamp(saturating_i64(since.as_micros())));
    }
    let n: f64 = value.trim().parse().ok()?;
    Some(match n {
        // Servers send milliseconds or seconds since the epoch, or seconds from now.
        n if n > 1e11 => Timestamp(truncated_i64(n * 1e3)),
        n if n > 1e9 => Timestamp(truncated_i64(n * 1e6)),
        n if n >= 0.0 => at.plus_us(truncated_i64(n * 1e6)),
        _ => return None,
    })
}

/// The meaning of a header in words; `at` is when it was received. `None` where the value needs no explanation.
pub fn header_meaning(name: &str, value: &str, at: Timestamp) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let clock = |moment: Timestamp| moment.utc().format("%H:%M:%S UTC").to_string();
    let until = |moment: Timestamp| {
        let left = moment.since_us(at) as f64 / 1e6;
        if left >= 0.0 {
            format!("in {}, at {}", span(left), clock(moment))
        } else {
            format!("past, {}", clock(moment))
        }
    };
    let bare = name.trim_start_matches("x-").replace("rate-limit", "ratelimit");
    Some(match bare.as_str() {
        "retry-after" => format!("may be tried again {}", until(moment(value, at)?)),
        "ratelimit-limit" => format!("rate limit: {value} requests per window"),
        "ratelimit-remaining" => match value.trim().parse::<f64>() {
            Ok(n) if n <= 0.0 => "rate limit: used up".to_owned(),
            _ => format!("rate limit: {value} left in this window"),
        },
        "ratelimit-reset" => format!("rate limit: resets {}", until(moment(value, at)?)),
        "ratelimit" | "ratelimit-policy" => rate_limit(value)?,
        "content-length" => size(value.trim().parse().ok()?),
        "content-encoding" => match value.trim() {
            "identity" => "not compressed".to_owned(),
            other => format!("compressed with {other} in transit"),
        },
        "transfer-encoding" if value.contains("chunked") => "sent in chunks, length not known in advance".to_owned(),
        "cache-control" if value.contains("no-store") => "must not be stored".to_owned(),
        "age" => format!("from a cache, {} old", span(value.trim().parse().ok()?)),
        "date" | "last-modified" => {
            let moment = moment(value, at)?;
            let behind = at.since_us(moment) as f64 / 1e6;
            if bare == "date" && behind.abs() < 2.0 {
                return None;
            }
            format!("{} {}", span(behind.abs()), if behind >= 0.0 { "before" } else { "after, by its clock" })
        }
        "expires" => until(moment(value, at)?),
        "traceparent" => {
            let mut parts = value.trim().split('-');
            let (_, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
            format!("trace {trace}, parent {parent}, {}", if sampled { "sampled" } else { "not sampled" })
        }
        "strict-transport-security" => "only over HTTPS from now on".to_owned(),
        "www-authenticate" => format!("asks for {}", value.split([' ', ',']).next()?),
        "idempotency-key" => "repeats with this key are processed once".to_owned(),
        _ => return None,
    })
}

/// Explains `RateLimit: "default";r=50;t=30` and `RateLimit-Policy: "default";q=100;w=60`
/// (draft-ietf-httpapi-ratelimit-headers).
fn rate_limit(value: &str) -> Option<String> {
    let parameter = |key: &str| {
        value.split([';', ',']).find_map(|part| part.trim().strip_prefix(key)?.strip_prefix('=')?.parse::<f64>().ok())
    };
    let first = |keys: [&str; 2]| keys.iter().find_map(|key| parameter(key));
    let parts = [
        first(["q", "limit"]).map(|n| format!("{n} requests")),
        parameter("w").map(|s| format!("in {}", span(s))),
        first(["r", "remaining"]).map(|n| format!("{n} left")),
        first(["t", "reset"]).map(|s| format!("resets in {}", span(s))),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| format!("rate limit: {}", said.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_they_mean() {
        let at = crosstail_core::model::parse_timestamp("2026-11-21T09:00:00Z").expect("time");
        let says = |name: &str, value: &str| header_meaning(name, value, at);
        assert_eq!(says("Retry-After", "30").as_deref(), Some("may be tried again in 30 s, at 09:00:30 UTC"));
        let date = says("retry-after", "Sat, 21 Nov 2026 09:05:00 GMT");
        assert_eq!(date.as_deref(), Some("may be tried again in 5 min, at 09:05:00 UTC"));
        assert_eq!(says("X-RateLimit-Remaining", "0").as_deref(), Some("rate limit: used up"));
        assert_eq!(says("X-Rate-Limit-Limit", "100").as_deref(), Some("rate limit: 100 requests per window"));
        let reset = (at.0 / 1_000_000 + 90).to_string();
        assert_eq!(says("X-RateLimit-Reset", &reset).as_deref(), Some("rate limit: resets in 90 s, at 09:01:30 UTC"));
        assert_eq!(says("RateLimit", "\"default\";r=50;t=30").as_deref(), Some("rate limit: 50 left, resets in 30 s"));
        assert_eq!(
            says("RateLimit-Policy", "\"default\";q=100;w=60").as_deref(),
            Some("rate limit: 100 requests, in 60 s")
        );
        assert_eq!(says("Content-Length", "1234").as_deref(), Some("1.2 KB"));
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(says("traceparent", parent).is_some_and(|said| said.ends_with("b7ad6b7169203331, sampled")));
        assert_eq!(says("Date", "Sat, 21 Nov 2026 09:00:00 GMT"), None);
        for odd in ["", "-", "999999999999999999999999", "\u{0}", "NaN", "-5"] {
            for name in ["retry-after", "ratelimit", "ratelimit-reset", "age", "date", "traceparent", "content-length"]
            {
                let _ = says(name, odd);
            }
        }
    }
}
