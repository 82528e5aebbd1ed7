//! The kind `prometheus`: `/metrics` pages, Prometheus servers and health endpoints. They hold no activities.

mod exposition;
mod health;
mod kind;
mod promql;

pub use kind::KIND;

use async_trait::async_trait;
use crosstail_core::model::{Check, Clock, HealthState, Id, Locator, Payload, Timestamp, Vitals, redact_text};
use crosstail_core::number::saturating_u64;
use crosstail_core::schema::{MetricDefinition, Schema};
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, PushDown, Related,
    RelatedKey, Sink, Source, SourceError, SourceEvent, error_chain, percent_decoded,
};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Missing responses in a row until a service is down: Kubernetes' default `failureThreshold`.
const FAILURES: u32 = 3;
/// As `timeoutSeconds` of HaloPSA's probes.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// A larger page is not a page of metrics, in bytes.
const LARGEST: usize = 64 << 20;

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndpointKind {
    /// A page in Prometheus' text format.
    Page,
    /// A Prometheus server, queried in PromQL.
    Server,
    /// A health endpoint.
    Health,
}

/// A failure, before it becomes a [`SourceError`].
#[derive(Debug)]
enum Error {
    Unreachable(String),
    Status(u16),
    Refused(String),
    Unreadable(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(code) => write!(f, "HTTP {code}"),
            Self::Unreachable(text) | Self::Refused(text) | Self::Unreadable(text) => f.write_str(text),
        }
    }
}

/// The address and its credentials.
struct Endpoint {
    client: reqwest::Client,
    url: reqwest::Url,
    user: Option<(String, String)>,
}

impl Endpoint {
    /// Fetches a page: status code and text.
    async fn get(&self, url: reqwest::Url) -> Result<(u16, String), Error> {
        let mut request = self.client.get(url);
        request = match &self.user {
            Some((user, token)) if user == "bearer" => request.bearer_auth(token),
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        let fail = |error: &reqwest::Error| {
            let text = error_chain(error).pop().unwrap_or_default();
            Error::Unreachable(redact_text(&text).into_owned())
        };
        let mut response = request.send().await.map_err(|error| fail(&error))?;
        let code = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fail(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LARGEST {
                return Err(Error::Unreadable("the page is larger than 64 MiB".to_owned()));
            }
        }
        Ok((code, String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn json(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, Error> {
        let mut url = self.url.join(path).map_err(|error| Error::Unreadable(error.to_string()))?;
        url.query_pairs_mut().extend_pairs(parameters);
        let (code, text) = self.get(url).await?;
        match serde_json::from_str::<Value>(&text) {
            Ok(answer) if (200..300).contains(&code) || answer["error"].is_string() => Ok(answer),
            _ if !(200..300).contains(&code) => Err(Error::Status(code)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(Error::Unreadable(format!("not a response of a Prometheus server: {error}"))),
        }
    }
}

/// One page, server or health endpoint.
pub struct PrometheusSource {
    name: String,
    endpoint: Endpoint,
    what: EndpointKind,
    wanted: Vec<MetricDefinition>,
    before: Mutex<Option<(Instant, exposition::MetricsPage)>>,
    failures: Mutex<u32>,
}

impl PrometheusSource {
    /// A source for `prometheus+http(s)://…/metrics` (a page), `prometheus+http(s)://…` (a server) or
    /// `health+http(s)://…/health`. Does not connect yet.
    pub fn new(name: &str, url: &str, schema: Option<&Schema>) -> Result<Self, SourceError> {
        let fail = |cause: String| SourceError {
            source_name: name.to_owned(),
            operation: "open",
            kind: ErrorKind::Unsupported,
            cause: redact_text(&cause).into_owned(),
            hint: Some(
                "write prometheus+http://host:9090, prometheus+http://host/metrics or health+http://host/health"
                    .to_owned(),
            ),
        };
        let (kind, rest) = url.split_once('+').ok_or_else(|| fail("not an address of metrics".to_owned()))?;
        let mut url = reqwest::Url::parse(rest).map_err(|error| fail(error.to_string()))?;
        let what = match kind {
            "health" => EndpointKind::Health,
            _ if url.path().trim_end_matches('/').ends_with("/metrics") => EndpointKind::Page,
            _ => EndpointKind::Server,
        };
        if what == EndpointKind::Server && !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let user = (!url.username().is_empty())
            .then(|| (percent_decoded(url.username()), percent_decoded(url.password().unwrap_or_default())));
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let mut builder = reqwest::Client::builder().timeout(TIME_LIMIT).user_agent("crosstail");
        let authority = url.query_pairs().find(|(key, _)| key == "ca").map(|(_, path)| path.into_owned());
        if let Some(path) = authority {
            let pem = std::fs::read(&path).map_err(|error| fail(format!("ca={path}: {error}")))?;
            let roots =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fail(format!("ca={path}: {error}")))?;
            for root in roots {
                builder = builder.add_root_certificate(root);
            }
            let rest: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(key, _)| key != "ca")
                .map(|(k, v)| (k.into_owned(), v.into_owned()))
                .collect();
            url.set_query(None);
            if !rest.is_empty() {
                url.query_pairs_mut().extend_pairs(rest);
            }
        }
        let client = builder.build().map_err(|error| fail(error.to_string()))?;
        let schemas = schema.cloned().map_or_else(Schema::built_in, |schema| vec![schema]);
        let wanted = schemas.iter().flat_map(|schema| schema.definition().metrics.clone()).collect();
        let endpoint = Endpoint { client, url, user };
        Ok(Self { name: name.to_owned(), endpoint, what, wanted, before: Mutex::default(), failures: Mutex::default() })
    }

    async fn scrape(&self) -> Result<Vitals, Error> {
        let (code, text) = self.endpoint.get(self.endpoint.url.clone()).await?;
        if !(200..300).contains(&code) {
            return Err(Error::Status(code));
        }
        let page = exposition::MetricsPage::parse(&text);
        let now = Instant::now();
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let then = before.as_ref().map(|(at, page)| (page, now.duration_since(*at).as_secs_f64()));
        let mut metrics = exposition::metrics(&page, then);
        for metric in &mut metrics {
            if let Some(known) = self.wanted.iter().find(|known| known.name == metric.name)
                && let Some(label) = &known.system_label
            {
                metric.system = metric.labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.clone());
            }
            metric.system.get_or_insert_with(|| self.name.clone());
        }
        // The metrics that a schema names come first, in its order.
        let rank = |name: &str| self.wanted.iter().position(|known| known.name == name).unwrap_or(usize::MAX);
        metrics.sort_by_key(|metric| rank(&metric.name));
        let mut detail = format!("{} series", metrics.len());
        let mut state = HealthState::Healthy;
        if let Some((line, text)) = page.wrong.first() {
            detail = format!("{detail}; {} lines are not samples, the first is line {line}: {text}", page.wrong.len());
            state = HealthState::Degraded;
        }
        *before = Some((now, page));
        Ok(Vitals { checks: vec![Check::new("metrics page", state, detail)], metrics })
    }

    /// Records whether a response came; returns how many in a row did not.
    fn count(&self, answered: bool) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures = if answered { 0 } else { *failures + 1 };
        *failures
    }

    async fn ask(&self, since: Timestamp) -> Result<Vitals, Error> {
        match self.what {
            EndpointKind::Page => self.scrape().await,
            EndpointKind::Server => {
                let now = Clock::system().now();
                let metrics = promql::read(&self.endpoint, &self.wanted, since, now).await?;
                let detail = format!("{} series", metrics.len());
                Ok(Vitals { checks: vec![Check::new("Prometheus", HealthState::Healthy, detail)], metrics })
            }
            EndpointKind::Health => {
                let begun = Instant::now();
                let (code, text) = self.endpoint.get(self.endpoint.url.clone()).await?;
                let took_us = saturating_u64(begun.elapsed().as_micros());
                let (checks, metrics) = health::read(&self.name, code, took_us, &text);
                Ok(Vitals { checks, metrics })
            }
        }
    }
}

#[async_trait]
impl Source for PrometheusSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            pushes: false,
            aggregates: false,
            counts_times: false,
            holds_activities: false,
            reads_ranges: false,
            has_order: false,
            finds_ids: false,
        }
    }

    async fn probe(&self, _job: &Job) -> Result<Probe, SourceError> {
        let server = match self.what {
            EndpointKind::Page => "a page of metrics, scraped".to_owned(),
            EndpointKind::Health => "a health endpoint, probed".to_owned(),
            EndpointKind::Server => {
                let build = self.endpoint.json("api/v1/status/buildinfo", &[]).await;
                let version = build.ok().and_then(|build| Some(build["data"]["version"].as_str()?.to_owned()));
                format!("Prometheus {}", version.unwrap_or_default()).trim_end().to_owned()
            }
        };
        Ok(Probe { server, schema: "metrics".to_owned(), ..Probe::default() })
    }

    async fn page(&self, query: &PageQuery, _after: Option<&Cursor>, _job: &Job) -> Result<Page, SourceError> {
        let division = PushDown { in_store: 0, local: query.filter.clauses().len() };
        Ok(Page { items: Vec::new(), next: None, push_down: division })
    }

    async fn position(&self, _job: &Job) -> Result<Position, SourceError> {
        Ok(Position::new(()))
    }

    async fn follow(&self, _from: Position, sink: &Sink, _job: &Job) -> Result<(), SourceError> {
        let _ = sink.send(SourceEvent::CaughtUp).await;
        sink.closed().await;
        Ok(())
    }

    async fn payload(&self, id: &Id, _locator: &Locator, _job: &Job) -> Result<Payload, SourceError> {
        Err(SourceError::not_found(&self.name, format!("activity {id} among metrics")))
    }

    async fn related(&self, _key: &RelatedKey, _limit: usize, _job: &Job) -> Result<Related, SourceError> {
        Ok(Related::default())
    }

    async fn aggregate(&self, _query: &PageQuery, _grouping: &Grouping, _job: &Job) -> Result<Groups, SourceError> {
        Ok(Groups::new())
    }

    async fn vitals(&self, since: Timestamp, _job: &Job) -> Result<Vitals, SourceError> {
        let error = match self.ask(since).await {
            Ok(vitals) => {
                self.count(true);
                return Ok(vitals);
            }
            Err(error) => error,
        };
        // An unreachable service is a result, too.
        let failures = self.count(false);
        let (state, detail) = match failures {
            FAILURES.. => (HealthState::Down, format!("no answer, {failures} times in a row: {error}")),
            few => (HealthState::Unknown, format!("no answer ({few} of {FAILURES}): {error}")),
        };
        let name = if self.what == EndpointKind::Health { "health" } else { "metrics" };
        let check = Check { system: Some(self.name.clone()), ..Check::new(name, state, detail) };
        Ok(Vitals { checks: vec![check], metrics: Vec::new() })
    }
}
