//! Every source obeys its jobs.

use crate::caught::caught;
use crate::error::{ErrorKind, SourceError};
use crate::grouping::{Grouping, Groups};
use crate::job::{Job, Stopped};
use crate::offer::TableOffer;
use crate::page::{Cost, Cursor, Page, PageQuery};
use crate::position::Position;
use crate::probe::{Capabilities, Probe};
use crate::related::{Related, RelatedKey};
use crate::sink::Sink;
use crate::source::{Batches, Source, aggregate_locally, scan_by_pages};
use async_trait::async_trait;
use crosstail_core::filter::{NamedRecord, Predicate};
use crosstail_core::model::{
    Activity, Catalogue, CatalogueEntry, Diagnosis, Id, Locator, Names, Payload, Timestamp, Vitals, redact_text,
};
use crosstail_core::withheld::Withheld;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use tracing::{debug, warn};

/// A source whose calls end when their job has to stop: the call's future is dropped, which ends its work in the store.
/// So a kind cannot forget it, whatever it waits for. Where a driver panics, the call ends with an error. What a user hides in its
/// records leaves it nowhere.
pub struct Obedient {
    source: Arc<dyn Source>,
    name: String,
    hosts: Vec<String>,
    names: Names,
    withheld: Option<Withheld>,
}

impl Obedient {
    /// A source that obeys; `name` is its name in errors, and `hosts` (`db:5432`) is where it connects to.
    /// What is withheld is what is configured for the name at this moment.
    pub fn new(name: &str, hosts: Vec<String>, source: Arc<dyn Source>, names: &Names) -> Self {
        Self { source, name: name.to_owned(), hosts, names: names.clone(), withheld: Withheld::of(name) }
    }

    /// The query for the store, and what decides about its records once they are without what is withheld; `None` where the store
    /// decides.
    fn asked<'q>(&self, query: &'q PageQuery) -> (Cow<'q, PageQuery>, Option<Predicate>) {
        let filter = self.withheld.as_ref().and_then(|withheld| withheld.for_the_store(&query.filter));
        match filter {
            Some(filter) => {
                let predicate = query.filter.predicate(&query.context);
                (Cow::Owned(PageQuery { filter, ..query.clone() }), Some(predicate))
            }
            None => (Cow::Borrowed(query), None),
        }
    }

    /// Whether a predicate keeps an activity that is without what is withheld.
    async fn is_kept(&self, activity: &Activity, predicate: &Predicate, job: &Job) -> Result<bool, SourceError> {
        let payload = match activity.places.first() {
            Some(place) if predicate.needs_payload() => Some(self.payload(&activity.id, &place.locator, job).await?),
            _ => None,
        };
        Ok(predicate.keeps(&NamedRecord { activity, names: &self.names, payload: payload.as_ref() }))
    }

    /// Where what it delivers goes, without what is withheld.
    fn sink<'s>(&self, sink: &'s Sink) -> Cow<'s, Sink> {
        match &self.withheld {
            Some(withheld) => Cow::Owned(sink.without(withheld)),
            None => Cow::Borrowed(sink),
        }
    }

    /// An error of the connection that says where to, whatever the driver says.
    fn placed(&self, mut error: SourceError) -> SourceError {
        let is_of_connection = matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout);
        if is_of_connection && !self.hosts.is_empty() && !self.hosts.iter().any(|host| error.cause.contains(host)) {
            error.cause = format!("{}: {}", self.hosts.join(", "), error.cause);
        }
        error
    }

    /// The error of a driver that panicked.
    fn unreadable(&self, operation: &'static str, why: &str) -> SourceError {
        let place = if self.hosts.is_empty() { String::new() } else { format!("{}: ", self.hosts.join(", ")) };
        let cause = format!("{place}what the store sent cannot be read: {}", redact_text(why));
        let hint = "check that the address leads to a store of this kind";
        SourceError::of(&self.name, operation, (ErrorKind::Query, Some(hint)), &cause)
    }

    async fn obey<T>(
        &self,
        job: &Job,
        operation: &'static str,
        call: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let begun = Instant::now();
        let outcome = tokio::select! {
            biased;
            reason = job.stopped() => {
                let error = reason.error(&self.name, operation);
                Err(if reason == Stopped::Silent { self.placed(error) } else { error })
            }
            outcome = caught(call) => match outcome {
                // What a driver says that was interrupted in the same moment is no error of the store.
                Ok(outcome) => outcome.map_err(|error| match job.check() {
                    Err(reason) => reason.error(&self.name, operation),
                    Ok(()) => self.placed(error),
                }),
                Err(why) => Err(self.unreadable(operation, &why)),
            },
        };
        self.log(job, operation, begun, outcome.as_ref().err());
        outcome
    }

    /// What a call was, how long it took, what it read.
    fn log(&self, job: &Job, operation: &'static str, begun: Instant, error: Option<&SourceError>) {
        let (source, purpose) = (self.name.as_str(), job.purpose());
        let took = format!("{:.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
        let (rows, bytes, statement) = job.read();
        let (rows, bytes) = ((rows > 0).then_some(rows), (bytes > 0).then_some(bytes));
        match error {
            None => debug!(source, purpose, took, rows, bytes, statement, "{operation}"),
            Some(error) if error.kind == ErrorKind::Cancelled => {
                debug!(source, purpose, took, rows, bytes, statement, "{operation}: cancelled");
            }
            Some(error) => {
                let error = error.to_string();
                warn!(source, purpose, took, rows, bytes, error, statement, "{operation} failed");
            }
        }
    }

    /// A stream that is cancelled has ended well.
    async fn obey_stream(
        &self,
        job: &Job,
        operation: &'static str,
        call: impl Future<Output = Result<(), SourceError>>,
    ) -> Result<(), SourceError> {
        match self.obey(job, operation, call).await {
            Err(error) if error.kind == ErrorKind::Cancelled => Ok(()),
            outcome => outcome,
        }
    }
}

#[async_trait]
impl Source for Obedient {
    fn capabilities(&self) -> Capabilities {
        self.source.capabilities()
    }

    async fn probe(&self, job: &Job) -> Result<Probe, SourceError> {
        self.obey(job, "connect", self.source.probe(job)).await
    }

    fn waiting(&self) -> u64 {
        self.source.waiting()
    }

    async fn settled(&self, job: &Job) -> Result<(), SourceError> {
        self.obey(job, "read", self.source.settled(job)).await
    }

    async fn page(&self, query: &PageQuery, after: Option<&Cursor>, job: &Job) -> Result<Page, SourceError> {
        let (asked, predicate) = self.asked(query);
        let mut page = self.obey(job, "read history", self.source.page(&asked, after, job)).await?;
        let Some(withheld) = &self.withheld else { return Ok(page) };
        page.items.iter_mut().for_each(|activity| withheld.hide(activity));
        let Some(predicate) = predicate else { return Ok(page) };
        page.push_down.local += query.filter.clauses().len() - asked.filter.clauses().len();
        let mut kept = Vec::with_capacity(page.items.len());
        for activity in page.items {
            if self.is_kept(&activity, &predicate, job).await? {
                kept.push(activity);
            }
        }
        Ok(Page { items: kept, ..page })
    }

    async fn scan(&self, query: &PageQuery, to: &Batches, job: &Job) -> Result<(), SourceError> {
        if self.withheld.is_some() {
            return scan_by_pages(self, query, to, job).await;
        }
        self.obey(job, "read history", self.source.scan(query, to, job)).await
    }

    async fn plan(&self, query: &PageQuery, job: &Job) -> Result<Cost, SourceError> {
        self.obey(job, "plan", self.source.plan(&self.asked(query).0, job)).await
    }

    async fn position(&self, job: &Job) -> Result<Position, SourceError> {
        self.obey(job, "read position", self.source.position(job)).await
    }

    async fn follow(&self, from: Position, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let sink = self.sink(sink);
        self.obey_stream(job, "follow", self.source.follow(from, &sink, job)).await
    }

    async fn backfill(&self, upto: &Position, limit: usize, sink: &Sink, job: &Job) -> Result<(), SourceError> {
        let sink = self.sink(sink);
        self.obey_stream(job, "read history", self.source.backfill(upto, limit, &sink, job)).await
    }

    async fn payload(&self, id: &Id, locator: &Locator, job: &Job) -> Result<Payload, SourceError> {
        let mut payload = self.obey(job, "load payload", self.source.payload(id, locator, job)).await?;
        if let Some(withheld) = &self.withheld {
            withheld.hide_payload(&mut payload);
        }
        Ok(payload)
    }

    async fn payloads(&self, of: &[(Id, Locator)], job: &Job) -> Result<Vec<Option<Payload>>, SourceError> {
        let mut payloads = self.obey(job, "load payloads", self.source.payloads(of, job)).await?;
        if let Some(withheld) = &self.withheld {
            payloads.iter_mut().flatten().for_each(|payload| withheld.hide_payload(payload));
        }
        Ok(payloads)
    }

    async fn related(&self, key: &RelatedKey, limit: usize, job: &Job) -> Result<Related, SourceError> {
        let mut related = self.obey(job, "find related", self.source.related(key, limit, job)).await?;
        if let Some(withheld) = &self.withheld {
            related.activities.iter_mut().for_each(|activity| withheld.hide(activity));
        }
        Ok(related)
    }

    async fn aggregate(&self, query: &PageQuery, grouping: &Grouping, job: &Job) -> Result<Groups, SourceError> {
        let covers = |withheld: &Withheld| grouping.by.iter().any(|field| withheld.covers(*field));
        if self.withheld.as_ref().is_some_and(covers) || self.asked(query).1.is_some() {
            // The store would name what is withheld.
            return aggregate_locally(self, query, grouping, &self.names, job).await;
        }
        let groups = self.obey(job, "aggregate", self.source.aggregate(query, grouping, job)).await?;
        if let Some(withheld) = &self.withheld {
            for (values, _) in groups.keys() {
                for (field, value) in grouping.by.iter().zip(values) {
                    withheld.show(*field, value.as_deref().unwrap_or_default());
                }
            }
        }
        Ok(groups)
    }

    async fn catalogue(&self, job: &Job) -> Result<Catalogue, SourceError> {
        self.obey(job, "read catalogue", self.source.catalogue(job)).await
    }

    async fn vitals(&self, since: Timestamp, job: &Job) -> Result<Vitals, SourceError> {
        self.obey(job, "read the server's state", self.source.vitals(since, job)).await
    }

    async fn diagnose(&self, now: Timestamp, job: &Job) -> Result<Vec<Diagnosis>, SourceError> {
        let mut found = self.obey(job, "examine", self.source.diagnose(now, job)).await?;
        if let Some(withheld) = &self.withheld {
            for diagnosis in &mut found {
                diagnosis.text = withheld.text(&diagnosis.text).into_owned();
            }
        }
        Ok(found)
    }

    async fn table_offers(&self, job: &Job) -> Result<Vec<TableOffer>, SourceError> {
        self.obey(job, "list tables", self.source.table_offers(job)).await
    }

    async fn draft(&self, table: Option<&str>, job: &Job) -> Result<String, SourceError> {
        self.obey(job, "draft a schema", self.source.draft(table, job)).await
    }

    async fn mappings(&self, system: &str, codes: &[String], job: &Job) -> Result<Vec<CatalogueEntry>, SourceError> {
        self.obey(job, "read mappings", self.source.mappings(system, codes, job)).await
    }
}
