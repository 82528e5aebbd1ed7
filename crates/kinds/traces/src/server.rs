//! The servers that are asked: Tempo (grafana.com, "Tempo HTTP API") and Jaeger (jaegertracing.io, "APIs", `/api/v3`).

use crosstail_core::model::redact_text;
use crosstail_otlp::{Encoding, Records, Signal};
use crosstail_source::{ErrorKind, error_chain, percent_decoded};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use std::time::Duration;

const TIME_LIMIT: Duration = Duration::from_secs(20);
/// A larger answer is not read, in bytes.
const LARGEST: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Tempo,
    Jaeger,
}

/// What went wrong, and what a person can do.
pub(crate) type Failure = (ErrorKind, String, Option<&'static str>);

pub(crate) struct Server {
    product: Product,
    client: Client,
    url: Url,
    user: Option<(String, String)>,
    /// The tenant of a Tempo that has several.
    tenant: Option<HeaderValue>,
}

impl Server {
    /// Reads an address. An error says why it is none.
    pub(crate) fn of(at: &str) -> Result<Self, String> {
        let (product, rest) = at.split_once('+').ok_or("not an address of traces")?;
        let product = if product == "tempo" { Product::Tempo } else { Product::Jaeger };
        let mut url = Url::parse(rest).map_err(|error| error.to_string())?;
        if url.port().is_none() && url.scheme() == "http" {
            let _ = url.set_port(Some(if product == Product::Tempo { 3200 } else { 16686 }));
        }
        let user = (!url.username().is_empty())
            .then(|| (percent_decoded(url.username()), percent_decoded(url.password().unwrap_or_default())));
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let mut tenant = None;
        for (name, value) in url.query_pairs() {
            if name != "tenant" {
                return Err(format!("there is no parameter {name}; tenant is one"));
            }
            tenant = Some(HeaderValue::from_str(&value).map_err(|error| format!("tenant: {error}"))?);
        }
        url.set_query(None);
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let client = Client::builder().timeout(TIME_LIMIT).user_agent("crosstail").build();
        let client = client.map_err(|error| error.to_string())?;
        Ok(Self { product, client, url, user, tenant })
    }

    fn request(&self, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self.url.join(path).map_err(|error| (ErrorKind::Unsupported, error.to_string(), None))?;
        let mut request = self.client.get(url);
        request = match &self.user {
            Some((user, token)) if user == "bearer" => request.bearer_auth(token),
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        if let Some(tenant) = &self.tenant {
            request = request.header("X-Scope-OrgID", tenant.clone());
        }
        Ok(request)
    }

    /// Whether it answers: what it is, for people.
    pub(crate) async fn greet(&self) -> Result<&'static str, Failure> {
        let (path, name) = match self.product {
            Product::Tempo => ("api/echo", "Tempo"),
            Product::Jaeger => ("api/v3/services", "Jaeger"),
        };
        let response = self.request(path)?.send().await.map_err(|error| unreachable(&error))?;
        if response.status() != StatusCode::NOT_FOUND {
            accepted(response.status())?;
            // Jaeger answers any path, with its page.
            if self.product == Product::Jaeger || body_of(response).await?.trim_ascii() == b"echo" {
                return Ok(name);
            }
        }
        Err((
            ErrorKind::Unsupported,
            format!("no {name} answers there"),
            Some("Tempo's query frontend listens on 3200, Jaeger's query service (1.53 or newer) on 16686"),
        ))
    }

    /// The spans of a trace; none where the server does not know it.
    pub(crate) async fn trace(&self, id: &str) -> Result<Records, Failure> {
        let request = match self.product {
            // In its JSON a Tempo of before 2.0 has bytes in base64: protobuf is the same in all.
            Product::Tempo => self.request(&format!("api/traces/{id}"))?.header(ACCEPT, "application/protobuf"),
            // As they were sent: otherwise Jaeger gives spans other ids, and moves them in time.
            Product::Jaeger => self.request(&format!("api/v3/traces/{id}?raw_traces=true"))?,
        };
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(Records::default());
        }
        accepted(response.status())?;
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let encoding = Encoding::of(media_type).unwrap_or(Encoding::Json);
        let body = body_of(response).await?;
        spans(encoding, &body).map_err(|why| (ErrorKind::Decode, format!("the trace cannot be read: {why}"), None))
    }
}

/// The spans of an answer. In JSON, Tempo calls the list `batches`, or wraps it in `trace`; Jaeger wraps it in `result`, and may
/// answer in several parts.
fn spans(encoding: Encoding, body: &[u8]) -> Result<Records, String> {
    if encoding == Encoding::Protobuf {
        return Signal::Traces.records(encoding, body);
    }
    let mut all = Records::default();
    for part in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let mut part = part.map_err(|error| error.to_string())?;
        for wrapper in ["result", "trace"] {
            if let Some(inside) = part.get_mut(wrapper) {
                part = inside.take();
            }
        }
        if let Value::Object(object) = &mut part
            && let Some(batches) = object.shift_remove("batches")
        {
            object.insert("resourceSpans".to_owned(), batches);
        }
        // Jaeger's own form is of another path.
        let is_trace =
            |object: &serde_json::Map<String, Value>| object.is_empty() || object.contains_key("resourceSpans");
        if !part.as_object().is_none_or(is_trace) {
            return Err("it is no trace of OpenTelemetry".to_owned());
        }
        let found = Signal::Traces.divided(part)?;
        all.lines.extend(found.lines);
        all.rejected += found.rejected;
        all.reason = found.reason.or(all.reason);
    }
    Ok(all)
}

fn unreachable(error: &reqwest::Error) -> Failure {
    let text = error_chain(error).pop().unwrap_or_default();
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Connect };
    (kind, redact_text(&text).into_owned(), None)
}

fn accepted(status: StatusCode) -> Result<(), Failure> {
    let said = format!("HTTP {}", status.as_u16());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err((
            ErrorKind::Auth,
            said,
            Some(
                "write user:password@ or bearer:TOKEN@ before the host; a Tempo of several tenants needs ?tenant=NAME",
            ),
        )),
        status if status.is_success() => Ok(()),
        _ => Err((ErrorKind::Query, said, None)),
    }
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LARGEST {
            return Err((ErrorKind::Decode, format!("the trace is larger than {} MB", LARGEST >> 20), None));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_form_is_no_empty_trace() {
        assert!(spans(Encoding::Json, br#"{"data":[{"traceID":"0af7","spans":[]}],"errors":null}"#).is_err());
        assert!(spans(Encoding::Json, b"<!doctype html>").is_err());
        assert!(spans(Encoding::Json, br#"{"batches":[]}"#).is_ok_and(|found| found.lines.is_empty()));
        assert!(spans(Encoding::Json, b"{}").is_ok());
    }

    #[test]
    fn both_servers_are_understood_in_each_of_their_forms() {
        let span = r#"{"resource":{},"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331"}]}]}"#;
        for body in [
            format!(r#"{{"batches":[{span}]}}"#),
            format!(r#"{{"trace":{{"resourceSpans":[{span}]}}}}"#),
            format!(r#"{{"result":{{"resourceSpans":[{span}]}}}}"#),
        ] {
            assert_eq!(spans(Encoding::Json, body.as_bytes()).expect("a trace").lines.len(), 1, "{body}");
            let twice = format!("{body}\n{body}");
            assert_eq!(spans(Encoding::Json, twice.as_bytes()).expect("a trace").lines.len(), 2);
        }
        assert!(spans(Encoding::Json, b"<html>").is_err());
    }

    #[test]
    fn addresses_have_the_ports_of_their_products() {
        let url = |at: &str| Server::of(at).map(|server| server.url.to_string());
        assert_eq!(url("tempo+http://host").as_deref(), Ok("http://host:3200/"));
        assert_eq!(url("jaeger+http://me:x@host/jaeger").as_deref(), Ok("http://host:16686/jaeger/"));
        assert_eq!(url("tempo+https://host/tempo?tenant=a").as_deref(), Ok("https://host/tempo/"));
        assert!(url("tempo+http://host?x=y").is_err());
    }
}
