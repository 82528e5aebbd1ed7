//! The kind `elasticsearch`: the indices of a pattern, read only.

mod aggregate;
mod alert;
mod clauses;
mod cluster;
mod connection;
mod create;
mod definitions;
mod diagnose;
mod expression;
mod fields;
mod follow;
mod kind;
mod mapping;
mod payload;
mod query;
mod reader;

pub use kind::KIND;

use async_trait::async_trait;
use connection::{Address, Connection};
use crosstail_core::model::{Diagnosis, Id, Locator, Names, Payload, SourceId, Timestamp, Vitals, redact_text};
use crosstail_core::schema::Schema;
use crosstail_record::write::cluster::{Cluster, Method, Unanswered};
use crosstail_source::read_ahead::ReadAhead;
use crosstail_source::{
    Capabilities, Cost, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, Related,
    RelatedKey, Sink, Source, SourceError,
};
use mapping::ResolvedIndices;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A source in the indices of a pattern.
pub struct ElasticsearchSource {
    name: String,
    cluster: Elasticsearch,
}

/// The cluster of an address, for writing.
pub fn cluster(url: &str) -> anyhow::Result<Cluster> {
    Address::parse(&crosstail_source::with_wildcard(url))
        .and_then(|address| connection::cluster(&address))
        .map_err(anyhow::Error::msg)
}

/// The index pattern of an address; `*` where it names none.
pub fn pattern(url: &str) -> anyhow::Result<String> {
    Address::parse(&crosstail_source::with_wildcard(url)).map(|address| address.pattern).map_err(anyhow::Error::msg)
}

/// A cluster and the pattern of the indices to read. Its connection asks for one job; see [`Elasticsearch::for_job`].
#[derive(Clone)]
struct Elasticsearch {
    connection: Connection,
    pattern: String,
    schema: Option<Arc<Schema>>,
    source: SourceId,
    source_name: String,
    names: Names,
    waiting: Arc<ReadAhead<Vec<reader::Reader>>>,
    broken: Arc<Broken>,
}

impl Elasticsearch {
    /// The same cluster, asked for a job.
    fn for_job(&self, job: &Job) -> Self {
        Self { connection: self.connection.for_job(job), ..self.clone() }
    }

    /// Resolves the present indices, their schemas and fields: indices come and go, and fields are added.
    async fn resolve(&self) -> Result<ResolvedIndices, Error> {
        let source = (self.source, self.source_name.as_str(), &self.names);
        mapping::resolve(&self.connection, &self.pattern, self.schema.as_deref(), source, &self.broken).await
    }

    /// What some work with the indices gives; where one of them cannot be read, with the others.
    #[allow(clippy::needless_lifetimes, reason = "what is boxed borrows the cluster, and nothing shorter")]
    async fn with_readable<'a, T>(
        &'a self,
        work: impl Fn(ResolvedIndices) -> Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>> + Send,
    ) -> Result<T, Error> {
        loop {
            let resolved = self.resolve().await?;
            let indices = resolved.indices.clone();
            match work(resolved).await {
                Err(error) if self.broken.note(&error, &indices) => {}
                other => return other,
            }
        }
    }
}

/// How long an index is left out that could not be read.
const LEFT_OUT: Duration = Duration::from_secs(20);

/// The indices that the cluster could not read, since when, and why: each costs itself only.
#[derive(Default)]
struct Broken(Mutex<BTreeMap<String, (Instant, String)>>);

impl Broken {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Instant, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the indices that an error names. False where it names none, or where nothing else would be left of `all`.
    fn note(&self, error: &Error, all: &[String]) -> bool {
        let Error::Answered { indices, reason, .. } = error else { return false };
        // Those that were left out already would fail in the same way again.
        let is_new = indices.iter().any(|index| all.contains(index));
        if !is_new || error.is_busy() || all.iter().all(|index| indices.contains(index)) {
            return false;
        }
        let mut known = self.lock();
        for index in indices {
            known.insert(index.clone(), (Instant::now(), reason.clone()));
        }
        true
    }

    /// Those of some indices that are left out, and what to say of them.
    fn of(&self, indices: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut known = self.lock();
        known.retain(|_, (since, _)| since.elapsed() < LEFT_OUT);
        let found = known.iter().filter(|(index, _)| indices.contains(&index.as_str()));
        found.map(|(index, (_, why))| (index.clone(), without(index, why))).unzip()
    }
}

/// What is said of an index that is left out.
fn without(index: &str, why: &str) -> String {
    format!("{index} cannot be read and is left out, of figures too: {why}")
}

/// The cluster's word for a shard that no node has.
const NO_SHARD: &str = "no_shard_available_action_exception";

/// The indices of `Search rejected due to missing shards [[orders-1][0], [orders-1][1]]. …`.
fn missing_shards(reason: &str) -> Vec<String> {
    let Some((_, list)) = reason.split_once("missing shards [") else { return Vec::new() };
    let list = list.split("]]").next().unwrap_or(list);
    let mut indices: Vec<String> =
        list.split(", ").filter_map(|shard| Some(shard.strip_prefix('[')?.split_once(']')?.0.to_owned())).collect();
    indices.dedup();
    indices
}

/// A failure before it becomes a [`SourceError`].
#[derive(Debug)]
enum Error {
    Unreachable(String),
    Timeout(String),
    /// The cluster refused the request.
    Answered {
        status: u16,
        kind: String,
        reason: String,
        /// The indices whose shards failed.
        indices: Vec<String>,
    },
    Unreadable(String),
    Mapping(String),
    /// Nothing to read exists yet.
    Nothing(String),
}

impl Error {
    /// The error of a request without a response.
    fn from_unanswered(error: &Unanswered) -> Self {
        if matches!(error, Unanswered::TooLarge) {
            return Self::Unreadable(error.to_string());
        }
        let causes = crosstail_source::error_chain(error);
        let timeout = causes.iter().any(|text| text.contains("timed out"));
        let text = causes.last().map_or("", String::as_str);
        let text = redact_text(text).into_owned();
        if timeout { Self::Timeout(text) } else { Self::Unreachable(text) }
    }

    /// The error of a response with an error status, by its innermost cause.
    fn from_response(status: u16, text: &str) -> Self {
        let answer: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let error = &answer["error"];
        let mut inner = error.pointer("/root_cause/0").unwrap_or(error);
        while inner["caused_by"].is_object() {
            inner = &inner["caused_by"];
        }
        let word = |of: &serde_json::Value| of.as_str().unwrap_or_default().to_owned();
        let reason = if inner.is_object() { word(&inner["reason"]) } else { word(error) };
        let reason = if reason.is_empty() { text.chars().take(200).collect() } else { reason };
        let reason = redact_text(&reason).chars().take(300).collect();
        let failed = error["failed_shards"].as_array().into_iter().flatten();
        let mut indices: Vec<String> = failed.filter_map(|shard| shard["index"].as_str().map(str::to_owned)).collect();
        let mut kind = word(&inner["type"]);
        // Shards that no node has are named in the text alone.
        let missing = missing_shards(&word(&inner["reason"]));
        if !missing.is_empty() {
            NO_SHARD.clone_into(&mut kind);
            indices = missing;
        }
        Self::Answered { status, kind, reason, indices }
    }

    /// Whether the cluster has too much to do for now.
    fn is_busy(&self) -> bool {
        match self {
            Self::Answered { status, kind, .. } => *status == 429 || (*status == 503 && kind != NO_SHARD),
            _ => false,
        }
    }

    /// Whether the cluster refuses because the answer would be too large.
    fn is_too_large(&self) -> bool {
        match self {
            Self::Answered { status, kind, .. } => {
                *status == 413 || (*status == 429 && kind == "circuit_breaking_exception")
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered { status, kind, reason, .. } if kind.is_empty() => write!(f, "HTTP {status}: {reason}"),
            Self::Answered { status, kind, reason, .. } => write!(f, "HTTP {status}, {kind}: {reason}"),
            Self::Unreachable(text)
            | Self::Timeout(text)
            | Self::Unreadable(text)
            | Self::Mapping(text)
            | Self::Nothing(text) => f.write_str(text),
        }
    }
}

impl ElasticsearchSource {
    /// A source in the indices of a URL. Without `schema`, the schema is recognised by the names of the indices, else
    /// by their documents. Does not connect yet.
    pub fn new(name: &str, id: SourceId, names: Names, url: &str, schema: Option<Schema>) -> Result<Self, SourceError> {
        let fail = |cause: String| {
            let why = (ErrorKind::Unsupported, Some("correct the address"));
            SourceError::of(name, "open", why, &redact_text(&cause))
        };
        let address = Address::parse(url).map_err(fail)?;
        let connection = Connection::new(&address).map_err(fail)?;
        let cluster = Elasticsearch {
            connection,
            pattern: address.pattern,
            schema: schema.map(Arc::new),
            source: id,
            source_name: name.to_owned(),
            names,
            waiting: Arc::default(),
            broken: Arc::default(),
        };
        Ok(Self { name: name.to_owned(), cluster })
    }

    fn error(&self, operation: &'static str, error: &Error) -> SourceError {
        let why = match error {
            Error::Unreachable(_) => {
                (ErrorKind::Connect, Some("check that the server is running and that the address is right"))
            }
            Error::Timeout(_) => (ErrorKind::Timeout, Some("the cluster is slow; a shorter time range helps")),
            Error::Answered { status: 401, .. } => (
                ErrorKind::Auth,
                Some("check the user and password, the API key (user api_key) or the token (user bearer)"),
            ),
            Error::Answered { status: 403, .. } => (ErrorKind::Auth, Some("grant the privilege `read` on the indices")),
            Error::Answered { status: 429, .. } => {
                (ErrorKind::Query, Some("the cluster is out of memory or overloaded; crosstail retries"))
            }
            Error::Answered { status: 503, .. } => {
                (ErrorKind::Query, Some("a shard is unavailable; crosstail retries"))
            }
            Error::Answered { .. } => (ErrorKind::Query, None),
            Error::Unreadable(_) => (ErrorKind::Decode, Some("check that the address leads to a store of this kind")),
            Error::Mapping(_) => (ErrorKind::Unsupported, Some("correct the schema file or the address")),
            // The first document creates its index, so the source retries.
            Error::Nothing(_) => (ErrorKind::Query, Some("check the pattern; crosstail retries")),
        };
        SourceError::of(&self.name, operation, why, error)
    }
}

#[async_trait]
impl Source for ElasticsearchSource {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            pushes: false,
            aggregates: true,
            counts_times: false,
            holds_activities: true,
            reads_ranges: true,
            has_order: true,
            finds_ids: true,
        }
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        let fail = |error| self.error("connect", &error);
        let front = self.cluster.for_job(job).connection.prompt().json(Method::Get, "/", None).await;
        let server = match front {
            Ok(front) => {
                let version = front.pointer("/version/number").and_then(|v| v.as_str()).unwrap_or("?");
                let cluster = front["cluster_name"].as_str().unwrap_or("?");
                format!("Elasticsearch {version}, cluster {cluster}")
            }
            // Reading indices does not need the privilege to see the version.
            Err(Error::Answered { status: 403, .. }) => "Elasticsearch".to_owned(),
            Err(error) => return Err(fail(error)),
        };
        // What cannot be read is found by reading.
        let cluster = self.cluster.for_job(job);
        let _ = query::page(&cluster, &PageQuery::all(1), None).await;
        let resolved = cluster.resolve().await.map_err(fail)?;
        let mut schemas: Vec<&str> = resolved.mappings.iter().map(|mapping| mapping.schema.name.as_str()).collect();
        schemas.dedup();
        let mut warnings = resolved.warnings;
        for mapping in &resolved.mappings {
            warnings.extend(diagnose::malformed_times(&cluster, mapping).await);
        }
        Ok(Probe { server, schema: schemas.join(", "), warnings, ..Probe::default() })
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        query::page(&self.cluster.for_job(job), query, after).await.map_err(|e| self.error("read history", &e))
    }

    async fn plan(&self, query: &PageQuery, job: &Job) -> Result<Cost, SourceError> {
        query::plan(&self.cluster.for_job(job), query).await.map_err(|e| self.error("plan", &e))
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        follow::position(&self.cluster.for_job(job)).await.map_err(|e| self.error("read position", &e))
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        follow::follow(&self.cluster.for_job(job), &from, sink).await.map_err(|e| self.error("follow", &e))
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        let missing = || SourceError::not_found(&self.name, format!("document {id}"));
        let (_, key) = locator.as_table_key().ok_or_else(missing)?;
        let (index, key) = key.split_once('/').ok_or_else(missing)?;
        let found = payload::payload(&self.cluster.for_job(job), index, key)
            .await
            .map_err(|e| self.error("load payload", &e))?;
        found.ok_or_else(missing)
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        query::related(&self.cluster.for_job(job), key, limit)
            .await
            .map(Related::from)
            .map_err(|e| self.error("find related", &e))
    }

    async fn vitals(&self, since: Timestamp, job: &Job) -> Result<Vitals, SourceError> {
        cluster::vitals(&self.cluster.for_job(job), since).await.map_err(|e| self.error("read the cluster's state", &e))
    }

    async fn diagnose(&self, now: Timestamp, job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        diagnose::diagnose(&self.cluster.for_job(job), now).await.map_err(|e| self.error("examine", &e))
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        let in_store = aggregate::aggregate(&self.cluster.for_job(job), query, grouping).await;
        match in_store.map_err(|e| self.error("compute figures", &e))? {
            Some(groups) => Ok(groups),
            None => crosstail_source::aggregate_locally(self, query, grouping, &self.cluster.names, job).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_that_no_node_has_name_their_indices() {
        let text = r#"{"error": {"root_cause": [], "type": "search_phase_execution_exception", "reason": "",
            "caused_by": {"type": "search_phase_execution_exception", "reason": "Search rejected due to missing shards [[a-1][0], [a-1][2], [b][0]]. Consider using `allow_partial_search_results` setting to bypass this error.",
            "failed_shards": []}, "failed_shards": []}, "status": 503}"#;
        let error = Error::from_response(503, text);
        assert!(!error.is_busy());
        let all = ["a-1", "b", "c"].map(str::to_owned);
        let broken = Broken::default();
        assert!(broken.note(&error, &all));
        assert_eq!(broken.of(&["a-1", "b", "c"]).0, ["a-1", "b"]);
        assert!(!broken.note(&error, &all[..2]), "nothing else would be left");
        assert!(Error::from_response(503, "{}").is_busy());
    }

    #[test]
    fn fuzz_answer() {
        let right = [
            r#"{"took":1,"timed_out":false,"_shards":{"total":1},"hits":{"total":{"value":1},"hits":[{"_index":"i","_id":"1","_seq_no":1,"_source":{"a":1},"sort":[1]}]},"aggregations":{}}"#,
            r#"{"error":{"root_cause":[{"type":"t","reason":"Search rejected due to missing shards [[a-1][0], [b][1]]."}],"failed_shards":[{"index":"i"}],"caused_by":{"caused_by":{"reason":"r"}}},"status":503}"#,
        ];
        let bits = ["{", "}", "[", "]", "\"", ":", ",", "\"caused_by\":", "missing shards [[", "\"hits\":", "1e99"];
        let corpus = right.iter().map(|text| text.as_bytes().to_vec()).collect();
        crosstail_fuzz::Target { name: "answer", corpus, bits: &bits, longest: 400_000 }.run(|_, input| {
            let text = String::from_utf8_lossy(input);
            let _ = connection::found(&text);
            let _ = Error::from_response(503, &text);
        });
    }
}
