//! Correlation ids: from the headers of a request that came in to the headers of the requests that it causes.

use super::Start;
use crosstail_core::model::{Direction, Kind, trace_of_parent};

/// What a request shares with the requests that it causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlation {
    /// Shared by all requests of the trace.
    pub correlation_id: String,
    /// The request that caused this one.
    pub parent_request_id: Option<String>,
}

impl Default for Correlation {
    /// The start of a trace: a random id, and no parent.
    fn default() -> Self {
        Self { correlation_id: uuid::Uuid::new_v4().to_string(), parent_request_id: None }
    }
}

impl Correlation {
    /// Reads the headers of a request: the id from `X-Correlation-Id`, else from `traceparent` (W3C Trace Context, 3.2), and
    /// the parent from `X-Request-Id`. Without an id, or with one that is longer than 128 bytes or not printable ASCII, it
    /// is the start of a trace.
    pub fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut own, mut trace, mut parent) = (None, None, None);
        for (name, value) in headers {
            let value = value.trim();
            // What is no id is no id: a header is whatever a stranger sends.
            let is_id = !value.is_empty() && value.len() <= 128 && value.chars().all(|c| c.is_ascii_graphic());
            match name.to_ascii_lowercase().as_str() {
                "x-correlation-id" if is_id => own = Some(value.to_owned()),
                "x-request-id" if is_id => parent = Some(value.to_owned()),
                "traceparent" => trace = trace_id(value),
                _ => {}
            }
        }
        let correlation_id = own.or(trace).unwrap_or_else(|| Self::default().correlation_id);
        Self { correlation_id, parent_request_id: parent }
    }

    /// That of an activity; a new trace if it has none.
    pub fn of(start: &Start) -> Self {
        let correlation_id = start.correlation_id.clone().unwrap_or_else(|| Self::default().correlation_id);
        Self { correlation_id, parent_request_id: start.parent_request_id.clone() }
    }

    /// The headers that a request with this id sends to the system that it calls: `X-Correlation-Id`, `X-Request-Id`, and
    /// `traceparent` (W3C Trace Context, 3.2) if the correlation id is a trace id or a UUID.
    pub fn headers(&self, request_id: &str) -> Vec<(&'static str, String)> {
        let mut headers =
            vec![("X-Correlation-Id", self.correlation_id.clone()), ("X-Request-Id", request_id.to_owned())];
        if let Ok(trace) = uuid::Uuid::parse_str(&self.correlation_id)
            && !trace.is_nil()
        {
            let span = uuid::Uuid::new_v5(&trace, request_id.as_bytes()).simple().to_string();
            headers.push(("traceparent", format!("00-{}-{}-01", trace.simple(), &span[..16])));
        }
        headers
    }

    /// The start of a call out to a system, as part of this trace.
    pub fn start(&self, system: &str) -> Start {
        Start {
            kind: Some(Kind::ApiCall),
            direction: Some(Direction::Out),
            system: system.to_owned(),
            correlation_id: Some(self.correlation_id.clone()),
            parent_request_id: self.parent_request_id.clone(),
            ..Start::default()
        }
    }
}

/// The trace id of a `traceparent`, which has small letters only.
fn trace_id(value: &str) -> Option<String> {
    let trace = trace_of_parent(value).filter(|_| !value.contains(|c: char| c.is_ascii_uppercase()))?;
    Some(uuid::Uuid::parse_str(trace).map_or_else(|_| trace.to_owned(), |id| id.to_string()))
}

/// The address of the caller: the first one of `X-Forwarded-For`, else `X-Real-IP`. A caller can claim any address there,
/// unless a proxy of yours replaces these headers.
pub fn ip_address<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<std::net::IpAddr> {
    let (mut forwarded, mut real) = (None, None);
    for (name, value) in headers {
        match name.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => forwarded = value.split(',').next().and_then(|first| first.trim().parse().ok()),
            "x-real-ip" => real = value.trim().parse().ok(),
            _ => {}
        }
    }
    forwarded.or(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_id_goes_through() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let came = Correlation::from_headers([("Traceparent", parent), ("X-Request-ID", "r-1")]);
        assert_eq!(came.correlation_id, "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
        assert_eq!(came.start("SAP").parent_request_id.as_deref(), Some("r-1"));
        let sent = came.headers("r-2");
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let there = Correlation::from_headers(sent.clone());
        assert_eq!(
            (there.correlation_id.as_str(), there.parent_request_id.as_deref()),
            (came.correlation_id.as_str(), Some("r-2"))
        );
        assert!(sent[2].1.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert_eq!(
            Correlation::from_headers([("x-correlation-id", "c-7"), ("traceparent", parent)]).correlation_id,
            "c-7"
        );
        for wrong in ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-x", "", "00-4BF9-1-01"] {
            let new = Correlation::from_headers([("traceparent", wrong), ("x-correlation-id", "a b\nc")]);
            assert!(uuid::Uuid::parse_str(&new.correlation_id).is_ok(), "{wrong}");
        }
    }

    #[test]
    fn the_caller_is_the_first_that_was_forwarded() {
        let of =
            |headers: &[(&'static str, &'static str)]| ip_address(headers.iter().copied()).map(|ip| ip.to_string());
        assert_eq!(
            of(&[("X-Forwarded-For", "203.0.113.7, 10.0.0.1"), ("X-Real-IP", "10.0.0.9")]).as_deref(),
            Some("203.0.113.7")
        );
        assert_eq!(of(&[("x-real-ip", "2001:db8::1")]).as_deref(), Some("2001:db8::1"));
        assert_eq!(of(&[("x-forwarded-for", "unknown")]), None);
    }
}
