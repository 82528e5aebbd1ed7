//! The kind `traces`: Tempo and Jaeger. They are never searched. When a trace is opened they are asked for it by its id, and their
//! spans stand beside the records of the other sources.

mod kind;
mod server;

pub use kind::KIND;

use async_trait::async_trait;
use crosstail_core::model::{
    Activity, Clock, Diagnosis, Id, Locator, Names, Payload, Place, RawRecord, SourceId, Surroundings, Timestamp,
};
use crosstail_formats::{Formats, Reader, Surrounding};
use crosstail_source::{
    Capabilities, Cursor, ErrorKind, Grouping, Groups, Job, Page, PageQuery, Position, Probe, PushDown, Related,
    RelatedKey, SharedId, Sink, Source, SourceError, SourceEvent,
};
use server::{Failure, Server};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Traces that are kept, so that opening a span does not ask again, and for how long.
const KEPT: usize = 8;
const FRESH: Duration = Duration::from_secs(30);

/// What it cannot do, for people.
const LIMITS: &str = "it is asked for the spans of a trace when one is opened; a search finds nothing in it";

/// A server that is asked for traces.
pub struct TraceSource {
    name: String,
    id: SourceId,
    server: Server,
    formats: Arc<Formats>,
    kept: Mutex<VecDeque<Kept>>,
}

/// A trace as it was answered.
#[derive(Clone)]
struct Kept {
    trace: String,
    at: Instant,
    spans: Arc<Vec<Span>>,
}

/// A span: what it says, and the line that says it.
struct Span {
    activity: Activity,
    line: String,
}

/// A trace id as both servers have it: 32 hexadecimal digits, or 16 of an older client; `None` for another id.
fn trace_id(text: &str) -> Option<String> {
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hexadecimal && [16, 32].contains(&text.len())).then(|| text.to_ascii_lowercase())
}

impl TraceSource {
    /// A source for `tempo+http(s)://…` or `jaeger+http(s)://…`. Does not connect yet.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(name: &str, id: SourceId, at: &str) -> Result<Self, SourceError> {
        let hint = Some("write tempo+http://host:3200 or jaeger+http://host:16686");
        let wrong = |cause: String| SourceError::of(name, "open", (ErrorKind::Unsupported, hint), &cause);
        let server = Server::of(at).map_err(wrong)?;
        let formats = Formats::shared().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { name: name.to_owned(), id, server, formats, kept: Mutex::default() })
    }

    fn error(&self, operation: &'static str, (kind, cause, hint): Failure) -> SourceError {
        SourceError::of(&self.name, operation, (kind, hint), &cause)
    }

    /// The spans of a trace, asked for unless that was just done.
    async fn trace(&self, trace: &str, operation: &'static str) -> Result<Arc<Vec<Span>>, SourceError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept().iter().find(|kept| kept.trace == trace && kept.at.elapsed() < FRESH) {
            return Ok(Arc::clone(&known.spans));
        }
        let records = self.server.trace(trace).await.map_err(|failure| self.error(operation, failure))?;
        let spans: Vec<Span> = records.lines.into_iter().filter_map(|line| self.span(trace, line)).collect();
        let spans = Arc::new(spans);
        let mut kept = kept();
        kept.retain(|kept| kept.trace != trace);
        kept.truncate(KEPT - 1);
        kept.push_front(Kept { trace: trace.to_owned(), at: Instant::now(), spans: Arc::clone(&spans) });
        Ok(spans)
    }

    fn surrounding(&self, trace: &str) -> Surrounding<'static> {
        let now = Clock::system().now();
        let place = Place::new(self.id, Locator::Key(trace.into()));
        Surrounding::new(Id::parse(trace), place, now, Surroundings::before(now))
    }

    fn span(&self, trace: &str, line: String) -> Option<Span> {
        let reader = Reader::of(&self.formats, None, line.as_bytes());
        let mut found = Vec::new();
        reader.read(line.as_bytes(), &self.surrounding(trace), &mut None, None, &mut found);
        Some(Span { activity: found.pop()?.activity, line })
    }
}

#[async_trait]
impl Source for TraceSource {
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
        let server = self.server.greet().await.map_err(|failure| self.error("connect", failure))?;
        Ok(Probe {
            server: format!("{server}, asked by trace"),
            schema: "otlp-traces".to_owned(),
            limits: Some(LIMITS.to_owned()),
            ..Probe::default()
        })
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

    async fn payload(&self, id: &Id, locator: &Locator, _job: &Job) -> Result<Payload, SourceError> {
        let gone = || SourceError::not_found(&self.name, format!("span {id}"));
        let Locator::Key(trace) = locator else { return Err(gone()) };
        let spans = self.trace(trace, "load payload").await?;
        let span = spans.iter().find(|span| span.activity.id == *id).ok_or_else(gone)?;
        let reader = Reader::of(&self.formats, None, span.line.as_bytes());
        let mut payload = reader.payload(span.line.as_bytes(), 0, &self.surrounding(trace));
        payload.raw.push(RawRecord::new(self.name.clone(), &span.line));
        Ok(payload)
    }

    async fn related(&self, key: &RelatedKey, limit: usize, _job: &Job) -> Result<Related, SourceError> {
        let SharedId::Correlation(id) = &key.id else { return Ok(Related::default()) };
        let Some(trace) = trace_id(id) else { return Ok(Related::default()) };
        let spans = self.trace(&trace, "find the spans of the trace").await?;
        let mut activities: Vec<Activity> = spans.iter().map(|span| span.activity.clone()).collect();
        activities.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        let bounds = (activities.len() > limit)
            .then(|| format!("{}: the first {limit} of {} spans are shown", self.name, activities.len()));
        activities.truncate(limit);
        // A record of another source may spell the id in capitals.
        for activity in &mut activities {
            activity.correlation_id = Some(id.as_str().into());
        }
        Ok(Related { activities, bounds })
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        crosstail_source::aggregate_locally(self, query, grouping, &Names::default(), job).await
    }

    async fn diagnose(&self, _now: Timestamp, _job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        Ok(vec![Diagnosis::note("limits", LIMITS)])
    }
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn only_ids_of_traces_are_asked_for() {
        assert_eq!(trace_id("0AF7651916CD43DD8448EB211C80319C").as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        assert!(trace_id("b7ad6b7169203331").is_some());
        for other in ["", "order-4711", "../admin", "0af76519-16cd-43dd-8448-eb211c80319c"] {
            assert_eq!(trace_id(other), None, "{other}");
        }
    }
}
