//! The process behind `crosstail watch`: follows the sources, evaluates the rules, delivers notifications, saves its state.

use super::channel::Channel;
use super::counters::Counters;
use super::notification::Notification;
use super::outbox::Delivery;
use super::page::{PageContent, StatusServer};
use super::state::{OperatorInput, StateFile, WatchState};
use super::unsaved::Unsaved;
use crate::config::rules;
use crate::ingest::{News, SourceStatus, ingest};
use crate::runtime::{Counted, Recall, Work, count_objective, figures_of, known_failures};
use anyhow::Context as _;
use crosstail_core::filter::Context;
use crosstail_core::model::{Clock, Names, SourceId, Timestamp};
use crosstail_engine::failure::KnownFailures;
use crosstail_engine::insight::alerting::{
    AlertChange, AlertState, Alerting, CATCH_UP_US, EVERY_US, EvaluationInput, Objectives, Transition, group_text,
};
use crosstail_engine::insight::objective::{Objective, ObjectiveQuery};
use crosstail_engine::store::Store;
use crosstail_export::{Exposition, safe_json};
use crosstail_source::pump::{self, PumpEvent, SourceState, StartFrom};
use crosstail_source::{Groups, Jobs, Source};
use serde_json::{Map, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Settings of a watch.
pub struct Settings {
    pub sources: Vec<(SourceId, Arc<dyn Source>)>,
    pub names: Names,
    /// The zone of times in rules.
    pub zone: chrono_tz::Tz,
    /// Channels to send notifications to.
    pub channels: Vec<Channel>,
    /// Folder with more rules.
    pub rules: Option<PathBuf>,
    pub objectives: Vec<Objective>,
    /// State file; `None` keeps the state in memory only.
    pub state: Option<PathBuf>,
    /// Address for `/health` and `/metrics`; `None` serves nothing.
    pub listen: Option<SocketAddr>,
    /// Print notifications, one JSON object a line, instead of sending them.
    pub dry_run: bool,
    /// Where what has failed is remembered.
    pub recall: Recall,
    /// Writes a line to the log.
    pub log: fn(&str),
}

/// At shutdown, deliveries in flight have this long to finish.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// The store is rebuilt once it holds this many rows that no rule needs.
const COMPACT_SURPLUS: usize = 100_000;

/// The store without what started before `from`; `None` while that is few rows, or less than half.
pub(super) fn without_old(store: &Store, names: &Names, from: Timestamp) -> Option<Store> {
    let rows = store.all_rows();
    let old = rows.partition_point(|row| store.started(*row) < from);
    if old < COMPACT_SURPLUS || old < rows.len() / 2 {
        return None;
    }
    let mut fresh = Store::new(names.clone());
    for chunk in rows[old..].chunks(10_000) {
        fresh.ingest(chunk.iter().map(|row| store.get(*row)).collect());
    }
    Some(fresh)
}

struct Process {
    settings: Settings,
    clock: Clock,
    store: Store,
    sources: Vec<SourceStatus>,
    alerting: Alerting,
    saved: WatchState,
    file: Option<StateFile>,
    unsaved: Unsaved,
    operator: OperatorInput,
    counters: Counters,
    page: StatusServer,
    /// Channels with a delivery in flight.
    sending: Vec<String>,
    began: Timestamp,
}

enum Event {
    Sent(String, String, Result<(), String>),
    Usual(i64, Option<Groups>),
    Failed(Timestamp, Option<KnownFailures>),
    Objective(Box<ObjectiveQuery>, Option<Counted>),
}

/// Runs until `stop` is cancelled.
pub async fn run(settings: Settings, clock: Clock, stop: CancellationToken) -> anyhow::Result<()> {
    let (rules, problems) = rules(settings.rules.as_deref());
    // A skipped rule would never fire: better not to start.
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    let (file, kept) = match &settings.state {
        Some(path) => {
            let (file, kept) = StateFile::open(path)?;
            (Some(file), kept)
        }
        None => (None, WatchState::default()),
    };
    let mut alerting = Alerting::new(rules);
    alerting.alerts = kept.alerts.clone();
    alerting.objectives = Objectives::new(settings.objectives.clone());
    let page = StatusServer::new(clock.clone());
    let cancel = CancellationToken::new();
    if let Some(address) = settings.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("--listen {address}"))?;
        (settings.log)(&format!("serving http://{}/health and /metrics", listener.local_addr()?));
        tokio::spawn(page.clone().serve(listener, cancel.clone()));
    }
    let began = clock.now();
    let sources = settings.sources.iter().map(|(id, _)| SourceStatus::new(*id, &settings.names)).collect();
    let store = Store::new(settings.names.clone());
    let counters = Counters::default();
    let mut process = Process {
        clock,
        store,
        sources,
        alerting,
        saved: kept,
        file,
        unsaved: Unsaved::default(),
        operator: OperatorInput::default(),
        counters,
        page,
        sending: Vec::new(),
        began,
        settings,
    };
    let outcome = process.watch(&stop, &cancel).await;
    cancel.cancel();
    outcome
}

impl Process {
    async fn watch(&mut self, stop: &CancellationToken, cancel: &CancellationToken) -> anyhow::Result<()> {
        let (events, mut incoming) = mpsc::channel(16);
        let (pumped, mut from_sources) = mpsc::channel(8);
        let since = self.began.plus_us(-self.lookback_us());
        for (id, source) in &self.settings.sources {
            let (source, clock) = (Arc::clone(source), self.clock.clone());
            tokio::spawn(pump::run(
                *id,
                source,
                StartFrom::Since(since),
                pumped.clone(),
                Jobs::default(),
                cancel.clone(),
                clock,
            ));
        }
        let gone = self.saved.outbox.keep_channels(&self.settings.channels);
        if gone > 0 {
            (self.settings.log)(&format!("dropped {gone} notifications for channels that are no longer configured"));
        }
        let names: Vec<&str> = self.settings.channels.iter().map(|channel| channel.name.as_str()).collect();
        let to =
            if names.is_empty() { "no channel (no [[channel]] is configured)".to_owned() } else { names.join(", ") };
        (self.settings.log)(&format!("{} rules, sending to {to}", self.alerting.rules.len()));
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => break,
                Some(event) = from_sources.recv() => {
                    self.on_source_event(event);
                    continue;
                }
                event = incoming.recv() => event,
                _ = tick.tick() => None,
            };
            match event {
                Some(Event::Sent(channel, id, outcome)) => self.sent(&channel, &id, outcome),
                Some(Event::Usual(window_us, groups)) => {
                    self.alerting.set_baseline(window_us, groups.as_ref(), self.clock.now());
                }
                Some(Event::Objective(query, counts)) => self.alerting.objectives.answer(&query, counts.as_deref()),
                Some(Event::Failed(until, known)) => self.alerting.set_known_failures(until, known.as_ref()),
                None => {
                    self.evaluate(&events)?;
                    self.send(&events);
                    self.update_page(self.clock.now());
                }
            }
        }
        self.drain(&mut incoming).await;
        Ok(())
    }

    /// Waits for deliveries in flight. The next process sends those that do not finish.
    async fn drain(&mut self, incoming: &mut mpsc::Receiver<Event>) {
        let until = tokio::time::Instant::now() + SHUTDOWN_GRACE;
        while !self.sending.is_empty() {
            match tokio::time::timeout_at(until, incoming.recv()).await {
                Ok(Some(Event::Sent(channel, id, outcome))) => self.sent(&channel, &id, outcome),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        self.save();
    }

    /// How far back memory must reach: the longest window, plus the time that is evaluated at the start.
    fn lookback_us(&self) -> i64 {
        self.alerting.lookback_us() + CATCH_UP_US
    }

    fn on_source_event(&mut self, event: PumpEvent) {
        match ingest(&mut self.store, &mut self.sources, event, self.clock.now(), self.began) {
            News::Lost(error) => (self.settings.log)(&error),
            News::Back(source) => (self.settings.log)(&format!("{}: readable again", self.sources[source].name)),
            News::Said(source, texts) => {
                for text in texts {
                    (self.settings.log)(&format!("{}: {text}", self.sources[source].name));
                }
            }
            News::Batch(batch) => {
                let name = self.sources[batch.source].name.clone();
                *self.counters.activities.entry(name).or_default() += batch.delivered as u64;
                self.counters.count(&self.store, &batch.delta.rows, batch.live);
            }
            News::Catalogue | News::Follows | News::Quiet => {}
        }
    }

    /// Whether every source has loaded its history, or has had enough time to.
    fn is_ready(&self, now: Timestamp) -> bool {
        now.since_us(self.began) >= 15_000_000 || !SourceStatus::any_busy(&self.sources)
    }

    /// Evaluates the rules if they are due.
    fn evaluate(&mut self, events: &mpsc::Sender<Event>) -> anyhow::Result<()> {
        let now = self.clock.now();
        if !self.is_ready(now) || !self.alerting.is_due(now) {
            return Ok(());
        }
        self.read_operator_input(now);
        self.store.follow_operations();
        let context = Context { now, zone: self.settings.zone };
        let mut changes = Vec::new();
        if !self.alerting.has_started() {
            // The time since the previous process evaluated, but at most the last minutes.
            let since = now.plus_us(-CATCH_UP_US).max(self.saved.evaluated_at.unwrap_or(Timestamp(i64::MIN)));
            changes = self.alerting.catch_up(&self.store, context, since);
        }
        let sources = self.sources.iter().map(SourceStatus::snapshot).collect();
        let (until, held_from) = (Timestamp(i64::MAX), self.held_from(now));
        let seen = EvaluationInput { context, store: &self.store, until, held_from, sources };
        changes.extend(self.alerting.evaluate(&seen));
        self.saved.evaluated_at = Some(now);
        self.enqueue(changes, now)?;
        self.ask_known_failures(context, events);
        self.ask_objective(context, events);
        if let Some((window_us, asked)) = self.alerting.request_baseline(now) {
            let (sources, names, events) = (self.settings.sources.clone(), self.settings.names.clone(), events.clone());
            tokio::spawn(async move {
                let groups = figures_of(&sources, &Work::command("watch"), &names, context, &asked).await.ok();
                let _ = events.send(Event::Usual(window_us, groups)).await;
            });
        }
        self.evict(now);
        self.save();
        Ok(())
    }

    /// Asks what has failed before, if a rule needs to know.
    fn ask_known_failures(&mut self, context: Context, events: &mpsc::Sender<Event>) {
        let Some(until) = self.alerting.request_known_failures(context.now) else { return };
        let (sources, names, events) = (self.settings.sources.clone(), self.settings.names.clone(), events.clone());
        let (recall, log) = (self.settings.recall.clone(), self.settings.log);
        tokio::spawn(async move {
            let known = known_failures(&sources, &Work::command("watch"), &names, context, until, &recall).await;
            if let Err(error) = &known {
                log(&format!("what has failed before is not known: {error:#}"));
            }
            let _ = events.send(Event::Failed(until, known.ok())).await;
        });
    }

    /// Asks the stores for what memory does not hold of an objective.
    fn ask_objective(&mut self, context: Context, events: &mpsc::Sender<Event>) {
        let held_from = self.held_from(context.now);
        let Some(query) = self.alerting.objectives.request(context.now, held_from) else { return };
        let (sources, events, log) = (self.settings.sources.clone(), events.clone(), self.settings.log);
        tokio::spawn(async move {
            let counts = count_objective(&sources, &Work::command("watch"), context, &query).await;
            if let Err(error) = &counts {
                log(&format!("objective {} is not counted: {error}", query.name));
            }
            let _ = events.send(Event::Objective(Box::new(query), counts.ok())).await;
        });
    }

    /// Memory holds everything that has started since.
    fn held_from(&self, now: Timestamp) -> Timestamp {
        now.plus_us(-self.lookback_us()).max(self.began.plus_us(-self.lookback_us()))
    }

    /// Applies silences and acknowledgements from `crosstail alerts`.
    fn read_operator_input(&mut self, now: Timestamp) {
        let Some(path) = &self.settings.state else { return };
        match OperatorInput::read(path) {
            Ok(said) => {
                if said != self.operator {
                    for (id, who, at) in &said.acknowledged {
                        self.alerting.alerts.acknowledge(id, who, *at);
                    }
                    self.operator = said;
                }
                self.alerting.silences =
                    self.operator.silences.iter().filter(|silence| now < silence.until).cloned().collect();
            }
            Err(error) => (self.settings.log)(&format!("{error:#}")),
        }
    }

    /// Adds changes to the outbox. The state is saved before anything is sent.
    fn enqueue(&mut self, changes: Vec<AlertChange>, now: Timestamp) -> anyhow::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        for AlertChange { transition: turn, alert } in &changes {
            let turn = if *turn == Transition::Firing { "firing" } else { "resolved" };
            (self.settings.log)(&format!("{turn}: {} {}: {}", alert.rule, group_text(&alert.group), alert.reason));
        }
        let notifications = Notification::of(changes, now);
        if self.settings.dry_run {
            use std::io::Write as _;
            let mut out = std::io::stdout().lock();
            for notification in &notifications {
                writeln!(out, "{}", safe_json(notification)?)?;
            }
            out.flush()?;
        } else {
            self.saved.outbox.enqueue(&notifications, &self.settings.channels);
        }
        self.save();
        Ok(())
    }

    /// Writes the state. Where that fails, the watch goes on, and says so on every channel.
    fn save(&mut self) {
        self.saved.alerts = self.alerting.alerts.clone();
        let Some(file) = &mut self.file else { return };
        let outcome = file.write(&self.saved).map_err(|error| format!("{error:#}"));
        for notification in self.unsaved.note(outcome, self.clock.now()) {
            (self.settings.log)(&format!("{} {}", notification.headline(), notification.reasons().join(", ")));
            self.saved.outbox.enqueue_everywhere(&notification, &self.settings.channels);
        }
    }

    /// Starts the deliveries that are due, one at a time for each channel.
    fn send(&mut self, events: &mpsc::Sender<Event>) {
        let now = self.clock.now();
        for channel in &self.settings.channels {
            if self.sending.contains(&channel.name) {
                continue;
            }
            let Some(Delivery { notification, .. }) = self.saved.outbox.next_due(&channel.name, now) else { continue };
            self.sending.push(channel.name.clone());
            let (channel, notification, events) = (channel.clone(), notification.clone(), events.clone());
            tokio::spawn(async move {
                let outcome = channel.send(&notification).await;
                let _ = events.send(Event::Sent(channel.name, notification.id, outcome)).await;
            });
        }
    }

    fn sent(&mut self, channel: &str, id: &str, outcome: Result<(), String>) {
        self.sending.retain(|name| name != channel);
        let word = if outcome.is_ok() { "taken" } else { "failed" };
        *self.counters.notifications.entry([channel.to_owned(), word.to_owned()]).or_default() += 1;
        if let Err(problem) = &outcome {
            (self.settings.log)(&format!("channel {channel}: {problem}; will retry"));
        }
        if let Some(gone) = self.saved.outbox.record_result(channel, id, outcome, self.clock.now()) {
            let what = gone.notification.headline();
            (self.settings.log)(&format!("channel {channel}: gave up after {} attempts: {what}", gone.attempts));
        }
        self.save();
    }

    /// Evicts activities that are too old for any rule.
    fn evict(&mut self, now: Timestamp) {
        let from = now.plus_us(-self.lookback_us());
        if let Some(fresh) = without_old(&self.store, &self.settings.names, from) {
            self.store = fresh;
            self.counters.renumber(&self.store);
        }
    }

    fn update_page(&self, now: Timestamp) {
        let mut checks = Map::new();
        let mut degraded = self.unsaved.reason().is_some();
        if let Some(reason) = self.unsaved.reason() {
            checks.insert("state".to_owned(), json!({ "status": "unhealthy", "error": reason }));
        }
        let readable = |status: &SourceStatus| status.unreachable_since.is_none();
        for status in &self.sources {
            let error = match &status.state {
                SourceState::Waiting { error, .. } | SourceState::Failed { error } => Some(error.clone()),
                _ => None,
            };
            degraded |= !readable(status);
            let word = if readable(status) { "healthy" } else { "unhealthy" };
            checks.insert(format!("source {}", status.name), json!({ "status": word, "error": error }));
        }
        for channel in &self.settings.channels {
            let waiting: Vec<&Delivery> = self.saved.outbox.0.iter().filter(|d| d.channel == channel.name).collect();
            let problem = waiting.first().and_then(|delivery| delivery.last_error.clone());
            degraded |= problem.is_some();
            let word = if problem.is_none() { "healthy" } else { "unhealthy" };
            let of = json!({ "status": word, "error": problem, "waiting": waiting.len() });
            checks.insert(format!("channel {}", channel.name), of);
        }
        self.page.update(PageContent {
            checks,
            blind: !self.sources.is_empty() && !self.sources.iter().any(readable),
            degraded,
            evaluated_at: self.saved.evaluated_at,
            metrics: self.metrics(now),
        });
    }

    fn metrics(&self, now: Timestamp) -> String {
        let mut page = Exposition::default();
        self.counters.write(&mut page, &self.store, now);
        page.family("crosstail_source_up", "gauge", "Whether a source can be read.");
        for status in &self.sources {
            let up = f64::from(u8::from(status.unreachable_since.is_none()));
            page.sample("crosstail_source_up", &[("source", &status.name)], up);
        }
        page.family("crosstail_source_lag_seconds", "gauge", "Age of the newest activity of a source.");
        for status in &self.sources {
            if let Some(newest) = status.newest {
                let lag = now.since_us(newest).max(0) as f64 / 1e6;
                page.sample("crosstail_source_lag_seconds", &[("source", &status.name)], lag);
            }
        }
        page.family("queue_size", "gauge", "Notifications that a channel has not yet accepted.");
        for channel in &self.settings.channels {
            let waiting = self.saved.outbox.0.iter().filter(|delivery| delivery.channel == channel.name).count();
            page.sample("queue_size", &[("queue_name", &format!("channel {}", channel.name))], waiting as f64);
        }
        // The same metric with which Prometheus exposes the state of its rules.
        page.family("ALERTS", "gauge", "Alerts that are pending or firing.");
        for alert in &self.alerting.alerts.active {
            let group = group_text(&alert.group);
            let labels = [
                ("alertname", alert.rule.as_str()),
                ("alertstate", alert.state.as_str()),
                ("severity", alert.severity.as_str()),
                ("group", group.as_str()),
            ];
            page.sample("ALERTS", &labels, 1.0);
        }
        page.family("crosstail_rule_state", "gauge", "Number of groups for which a rule is in this state.");
        for rule in &self.alerting.rules {
            for state in [AlertState::Pending, AlertState::Firing] {
                let active = &self.alerting.alerts.active;
                let count = active.iter().filter(|alert| alert.rule == rule.name && alert.state == state).count();
                let labels = [("rule", rule.name.as_str()), ("state", state.as_str())];
                page.sample("crosstail_rule_state", &labels, count as f64);
            }
        }
        page.family("crosstail_evaluation_interval_seconds", "gauge", "Interval between two evaluations of the rules.");
        page.sample("crosstail_evaluation_interval_seconds", &[], EVERY_US as f64 / 1e6);
        page.text()
    }
}
