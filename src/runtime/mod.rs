//! Carries out effects. This is the only part of the program that waits.

pub mod alert;
mod changes;
mod complete;
mod corrected;
mod count;
mod diagnose;
mod failures;
mod figures;
mod find;
mod grouped;
mod history;
mod incident;
mod load;
mod markers;
mod merged;
#[cfg(not(feature = "resend"))]
mod no_send;
mod objectives;
mod outcomes;
mod patterns;
mod read;
mod recall;
mod report;
#[cfg(feature = "resend")]
mod send;
mod sets;
mod tables;
mod tools;
mod values;
mod work;

pub use changes::{changes, fields_at_markers};
pub use corrected::{Worth, corrected};
pub use diagnose::{SourceDiagnosis, diagnose};
pub use failures::{failures, known_failures};
pub use figures::{answer as figures_of, figures, figures_by};
pub use find::search_source;
pub use load::{compared, keeps_whole, payload_of, payloads_of, related_to};
pub use markers::{MarkerQuery, marked};
pub use merged::MergedHistory;
pub use objectives::{Counted, count_objective, standing};
pub use patterns::{Sampling, gap_values, patterns};
pub use recall::Recall;
pub use report::{figures_by_period, report_table};
#[cfg(feature = "resend")]
pub use send::{audit_file, operations, resendable, send};
pub use sets::contrast_sets;
pub use values::sampled_paths;
pub use work::Work;

use crate::config::MarkersEntry;
use crate::effect::{
    CountQuery, Effect, Incident, PathsFor, PreparedPayload, ReadPurpose, ReadQuery, Reply, ReportRange, Ticket,
    ValuesPurpose, ValuesQuery,
};
use crosstail_core::filter::Context;
use crosstail_core::model::{Clock, Names, SourceId, merge_by_id, redact_text};
use crosstail_engine::insight::SendSecrets;
use crosstail_source::pump::{self, PumpEvent};
use crosstail_source::{Jobs, PageQuery, Priority, Source, caught, cleanup};
use read::Reader;
use recall::Keeper;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long stores may take to end what they do for us, when the program ends.
const END: Duration = Duration::from_millis(800);

/// How long to wait for further keys before stores are asked for what is typed.
const TYPING: Duration = Duration::from_millis(250);

/// Capacity of each queue. When one is full, its senders wait.
const QUEUE: usize = 4;

/// The open sources with their ids.
pub type Sources = Arc<[(SourceId, Arc<dyn Source>)]>;

/// A reply, with the ticket of its query.
pub type Answer = (Ticket, Reply);

/// What arrives while the runtime runs.
pub struct Incoming {
    /// Events of the sources; every pump sends into this queue itself.
    pub sources: mpsc::Receiver<PumpEvent>,
    /// Replies to effects.
    pub replies: mpsc::Receiver<Answer>,
}

/// Runs sources and effects, and sends what they deliver.
pub struct Runtime {
    sources: Sources,
    names: Names,
    pumped: mpsc::Sender<PumpEvent>,
    replies: mpsc::Sender<Answer>,
    jobs: Jobs,
    cancel: CancellationToken,
    clock: Clock,
    /// Cancels what is read for a purpose when something else is.
    reading: HashMap<ReadPurpose, CancellationToken>,
    /// Cancels counting, for the total and for a filter, when it starts again.
    counting: [CancellationToken; 2],
    /// Cancels counting values for a purpose when it starts again.
    counting_values: HashMap<ValuesPurpose, CancellationToken>,
    /// Cancels the loading of a detail when another is opened.
    loading: CancellationToken,
    /// Cancels the search for a pasted text when another starts.
    finding: CancellationToken,
    /// Cancels a jq expression when another one starts.
    evaluating: CancellationToken,
    zone: chrono_tz::Tz,
    /// Addresses of the sources whose alerts may be changed; empty if nothing may be written.
    writers: Arc<alert::Writers>,
    /// Where what has failed is remembered.
    recall: Recall,
    /// Keeps what is to be remembered, once there is something.
    keeper: Option<Keeper>,
    /// Cancels counting for health when it starts again, or when nobody looks.
    health: CancellationToken,
    /// Cancels grouping, for a screen and for the list, when it starts again.
    grouping: [CancellationToken; 2],
    /// Cancels loading values for a purpose when others are wanted.
    valuing: HashMap<PathsFor, CancellationToken>,
    /// Cancels looking for paths when it starts again.
    sampling: CancellationToken,
    /// Ends the command that runs.
    running: CancellationToken,
    /// Ends sending requests.
    sending: CancellationToken,
    /// Where the secrets of requests come from.
    send_secrets: Arc<[SendSecrets]>,
    /// Where moments are marked, besides by `crosstail mark`.
    markers: Vec<MarkersEntry>,
}

impl Runtime {
    /// A runtime over opened sources, and what arrives from it.
    pub fn new(
        sources: Vec<(SourceId, Arc<dyn Source>)>,
        names: Names,
        clock: Clock,
        zone: chrono_tz::Tz,
    ) -> (Self, Incoming) {
        let (pumped, from_sources) = mpsc::channel(QUEUE);
        let (replies, answers) = mpsc::channel(QUEUE);
        let cancel = CancellationToken::new();
        let [loading, finding, evaluating, health, sampling, running, sending] =
            std::array::from_fn(|_| cancel.child_token());
        let counting = std::array::from_fn(|_| cancel.child_token());
        let grouping = std::array::from_fn(|_| cancel.child_token());
        let runtime = Self {
            sources: sources.into(),
            names,
            pumped,
            replies,
            jobs: Jobs::default(),
            cancel,
            clock,
            reading: HashMap::new(),
            counting,
            counting_values: HashMap::new(),
            loading,
            finding,
            evaluating,
            zone,
            writers: Arc::default(),
            recall: Recall::default(),
            keeper: None,
            health,
            grouping,
            valuing: HashMap::new(),
            sampling,
            running,
            sending,
            send_secrets: Arc::default(),
            markers: Vec::new(),
        };
        (runtime, Incoming { sources: from_sources, replies: answers })
    }

    /// Allows changing alerts in these stores.
    pub fn set_alert_writers(&mut self, writers: alert::Writers) {
        self.writers = Arc::new(writers);
    }

    /// Remembers what has failed, and how the explorer is left.
    pub fn set_recall(&mut self, recall: Recall) {
        self.recall = recall;
    }

    /// Starts every source; `history` is the maximum number of past activities of a source that cannot read ranges. The
    /// others are followed from now on; their past is read as the screen asks for it.
    pub fn start(&self, history: usize) {
        for (id, source) in self.sources.iter() {
            let begin = if source.capabilities().reads_ranges {
                pump::StartFrom::Now
            } else {
                pump::StartFrom::History(history)
            };
            tokio::spawn(pump::run(
                *id,
                Arc::clone(source),
                begin,
                self.pumped.clone(),
                self.jobs.clone(),
                self.cancel.clone(),
                self.clock.clone(),
            ));
        }
    }

    /// What the sources do now.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Stops everything that runs, and waits until it has ended, in the stores too, but not for long.
    pub async fn end(mut self) {
        self.cancel.cancel();
        self.kept().await;
        // Also what others have begun, as the demonstration.
        for job in self.jobs.list() {
            self.jobs.cancel(job.number);
        }
        let begun = tokio::time::Instant::now();
        while !self.jobs.list().is_empty() && begun.elapsed() < END {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The sources, and what they have read ahead.
        drop(self);
        cleanup::finish(END).await;
    }

    /// Starts an effect that takes time. Returns an effect that the front end must carry out instead.
    pub fn run(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::LoadPayload(ticket, id, places) => {
                let scope = self.restart_scope(|this| &mut this.loading);
                let (sources, work) =
                    (Arc::clone(&self.sources), self.work("open an activity", Priority::Asked, &scope));
                let replies = self.replies.clone();
                self.spawn(scope, ticket, async move {
                    let partial = |payload| {
                        let replies = replies.clone();
                        tokio::spawn(async move { replies.send((ticket, prepared(payload).await)).await });
                    };
                    let (payload, problems) = load::payload_in_parts(&sources, &work, &id, &places, partial).await;
                    if payload.raw.is_empty()
                        && let Some(problem) = problems.into_iter().next()
                    {
                        return Reply::Payload(Err(problem.to_string()));
                    }
                    prepared(payload).await
                });
            }
            Effect::StopLoading => drop(self.restart_scope(|this| &mut this.loading)),
            Effect::Explain(ticket, ask) => {
                let work = self.work("explain codes", Priority::Asked, &self.loading);
                self.spawn(self.loading.clone(), ticket, load::explain(Arc::clone(&self.sources), work, *ask));
            }
            Effect::LoadRelated(ticket, keys) => {
                let (sources, replies) = (Arc::clone(&self.sources), self.replies.clone());
                let work = self.work("find related activities", Priority::Asked, &self.loading);
                self.spawn(self.loading.clone(), ticket, async move {
                    let found = related_to(&sources, &work, &keys).await;
                    let is_partial = found.is_partial();
                    // What could not be asked is missing from what is shown.
                    for text in found.bounds.into_iter().chain(found.problems.iter().map(ToString::to_string)) {
                        let _ = replies.send((ticket, Reply::Notice(text))).await;
                    }
                    Reply::Related { activities: merge_by_id(found.activities), is_partial }
                });
            }
            Effect::Compare(ticket, pair) => {
                let work = self.work("compare", Priority::Asked, &self.loading);
                let (sources, context) = (Arc::clone(&self.sources), self.context());
                self.spawn(self.loading.clone(), ticket, async move {
                    Reply::Compared(compared(&sources, &work, *pair, context).await)
                });
            }
            Effect::Jq(ticket, expression, text) => {
                let scope = self.restart_scope(|this| &mut this.evaluating);
                self.spawn(scope, ticket, async move { Reply::Jq(load::jq(expression, text).await) });
            }
            Effect::Find(ticket, text) => {
                let scope = self.restart_scope(|this| &mut this.finding);
                let work = self.work("find a pasted text", Priority::Asked, &scope);
                find::start(&self.sources, &self.replies, &work, &scope, ticket, &text, self.context());
            }
            Effect::Figures(ticket, query) => {
                let work = self.work("count for a rule", Priority::View, &self.cancel);
                self.figures(ticket, work, self.cancel.clone(), query);
            }
            Effect::HealthFigures(ticket, queries) => self.health_figures(ticket, queries),
            Effect::Zone(zone) => self.zone = zone,
            Effect::EndJob(number) => self.jobs.cancel(number),
            Effect::CancelSearch => drop(self.restart_scope(|this| &mut this.finding)),
            Effect::WriteIncident(incident) => self.write_incident(*incident),
            Effect::Read(ticket, query) => self.read(ticket, *query),
            Effect::StopReading(purpose) => {
                if let Some(scope) = self.reading.remove(&purpose) {
                    scope.cancel();
                }
            }
            Effect::Count(ticket, query) => self.count(ticket, *query),
            Effect::CountValues(ticket, query) => self.count_values(ticket, *query),
            Effect::Report(path, report, range) => self.report(path, *report, range),
            Effect::ChangeAlert(change) => {
                let (writers, now) = (Arc::clone(&self.writers), self.clock.now());
                let (sources, names) = (Arc::clone(&self.sources), self.names.clone());
                self.spawn(self.cancel.clone(), 0, async move {
                    Reply::Notice(match alert::change(&sources, &names, &writers, &change, now).await {
                        Ok(said) => said,
                        Err(error) => format!("{error:#}"),
                    })
                });
            }
            Effect::ListTables(ticket) => self.list_tables(ticket),
            Effect::WriteDraft(id, table) => self.write_draft(id, table),
            Effect::WriteConfig => {
                let said = write_config().unwrap_or_else(|error| format!("{error:#}"));
                self.spawn(self.cancel.clone(), 0, async move { Reply::Notice(said) });
            }
            other => {
                return self
                    .run_grouping(other)
                    .and_then(|other| self.run_recall(other))
                    .and_then(|other| self.run_values(other))
                    .and_then(|other| self.run_tools(other))
                    .and_then(|other| self.run_send(other));
            }
        }
        None
    }

    fn write_incident(&self, incident: Incident) {
        let work = self.work("write an incident", Priority::Asked, &self.cancel);
        let (sources, names, context) = (Arc::clone(&self.sources), self.names.clone(), self.context());
        self.spawn(self.cancel.clone(), 0, async move {
            Reply::Notice(incident::write(&sources, &work, &names, context, incident).await)
        });
    }

    fn list_tables(&self, ticket: Ticket) {
        let (sources, work) = (Arc::clone(&self.sources), self.work("list tables", Priority::Asked, &self.cancel));
        self.spawn(self.cancel.clone(), ticket, async move { Reply::Tables(tables::list(&sources, &work).await) });
    }

    fn write_draft(&self, id: SourceId, table: String) {
        let (sources, work) = (Arc::clone(&self.sources), self.work("draft a schema", Priority::Asked, &self.cancel));
        self.spawn(self.cancel.clone(), 0, async move {
            let said = tables::write(&sources, &work, id, &table).await;
            Reply::Notice(said.unwrap_or_else(|error| format!("{error:#}")))
        });
    }

    fn work(&self, purpose: &str, priority: Priority, scope: &CancellationToken) -> Work {
        Work::new(&self.jobs, purpose, priority, scope)
    }

    fn spawn(&self, scope: CancellationToken, ticket: Ticket, work: impl Future<Output = Reply> + Send + 'static) {
        let replies = self.replies.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = scope.cancelled() => {}
                done = caught(work) => {
                    // A mistake of ours, or of a library, costs this piece of work.
                    let reply = done.unwrap_or_else(|why| Reply::Notice(mistake(&why)));
                    let _ = replies.send((ticket, reply)).await;
                }
            }
        });
    }

    /// Cancels what runs under a token, and replaces it by a new one.
    fn restart_scope(&mut self, token: impl Fn(&mut Self) -> &mut CancellationToken) -> CancellationToken {
        let next = self.cancel.child_token();
        std::mem::replace(token(self), next.clone()).cancel();
        next
    }

    fn context(&self) -> Context {
        Context { now: self.clock.now(), zone: self.zone }
    }

    fn reader(&self, ticket: Ticket, work: Work) -> Arc<Reader> {
        let (sources, names, replies) = (Arc::clone(&self.sources), self.names.clone(), self.replies.clone());
        Arc::new(Reader { sources, names, context: self.context(), work, replies, ticket })
    }

    fn read(&mut self, ticket: Ticket, query: ReadQuery) {
        let scope = self.cancel.child_token();
        if let Some(older) = self.reading.insert(query.purpose, scope.clone()) {
            older.cancel();
        }
        let (purpose, priority) = match query.purpose {
            ReadPurpose::Fill(_) => (pump::READ_HISTORY, Priority::Background),
            ReadPurpose::Search(_) => ("search", Priority::View),
            ReadPurpose::Around => ("show a moment", Priority::Asked),
            ReadPurpose::Failure => ("find a failure", Priority::Asked),
            ReadPurpose::Beyond => ("look beyond the range", Priority::Background),
            ReadPurpose::Changed => ("match payloads again", Priority::View),
        };
        let reader = self.reader(ticket, self.work(purpose, priority, &scope));
        let patience = if matches!(query.purpose, ReadPurpose::Search(_)) { TYPING } else { Duration::ZERO };
        spawn_after(patience, scope, self.replies.clone(), async move { reader.read(query).await });
    }

    fn count(&mut self, ticket: Ticket, query: CountQuery) {
        let scope = self.restart_scope(|this| &mut this.counting[usize::from(query.filtered)]);
        if query.intervals.is_empty() {
            return;
        }
        let reader = self.reader(ticket, self.work("count", Priority::View, &scope));
        spawn_after(TYPING, scope, self.replies.clone(), async move { reader.count(query).await });
    }

    fn report(&mut self, path: String, mut report: crosstail_export::Report, range: Option<ReportRange>) {
        let (sources, names, context) = (Arc::clone(&self.sources), self.names.clone(), self.context());
        let work = self.work("count for a report", Priority::View, &self.cancel);
        self.spawn(self.cancel.clone(), 0, async move {
            if let Some(range) = range {
                let query =
                    PageQuery { context, since: range.bounds.since, until: range.bounds.until, ..PageQuery::all(1) };
                for kind in crosstail_export::ReportKind::ALL {
                    match report_table(&sources, &work, &names, (&query, &range.filter), kind, None).await {
                        Ok(table) => report.tables.push(table),
                        Err(error) => return Reply::Notice(format!("{path} was not written: {error:#}")),
                    }
                }
            }
            Reply::Notice(report::write(&path, &report).unwrap_or_else(|problem| problem))
        });
    }

    fn count_values(&mut self, ticket: Ticket, query: ValuesQuery) {
        let scope = self.cancel.child_token();
        if let Some(before) = self.counting_values.insert(query.purpose, scope.clone()) {
            before.cancel();
        }
        if query.intervals.is_empty() {
            return;
        }
        let reader = self.reader(ticket, self.work("count values", Priority::Background, &scope));
        spawn_after(Duration::ZERO, scope, self.replies.clone(), async move { reader.count_values(query).await });
    }
}

/// What is said of work that panicked.
fn mistake(why: &str) -> String {
    format!("crosstail made a mistake, please report it: {}", redact_text(why))
}

/// Runs work that replies by itself, under a token. It begins after a wait: while somebody still types, a newer query ends
/// it before anything is asked.
fn spawn_after(
    wait: Duration,
    scope: CancellationToken,
    replies: mpsc::Sender<Answer>,
    work: impl Future<Output = ()> + Send + 'static,
) {
    tokio::spawn(async move {
        let work = caught(async {
            tokio::time::sleep(wait).await;
            work.await;
        });
        tokio::select! {
            () = scope.cancelled() => {}
            done = work => {
                if let Err(why) = done {
                    let _ = replies.send((0, Reply::Notice(mistake(&why)))).await;
                }
            }
        }
    });
}

/// A payload, made ready for the screen off its thread.
async fn prepared(payload: crosstail_core::model::Payload) -> Reply {
    let opened = tokio::task::spawn_blocking(move || PreparedPayload::new(payload)).await;
    Reply::Payload(opened.map(Arc::new).map_err(|error| error.to_string()))
}

/// Writes the commented configuration, unless one exists.
fn write_config() -> anyhow::Result<String> {
    use anyhow::Context as _;
    let path = crate::config::user_file().context("cannot determine the configuration folder")?;
    if path.exists() {
        return Ok(format!("{} already exists", path.display()));
    }
    crate::config::write_file(&path, crate::config::template(), false)?;
    crate::config::write_json_schemas(&path)?;
    Ok(format!("wrote {}", path.display()))
}
