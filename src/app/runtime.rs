//! Carrying out effects: the only part of the application that waits.

use super::{Ask, Effect, Event, Explained, Reply, Ticket, Transformed};
use crate::filter::{Context, Filter};
use crate::insight::transform;
use crate::model::{Activity, Clock, Id, Payload, Place, SourceId, joined};
use crate::source::pump;
use crate::source::{PageQuery, RelatedKey, Source, for_each};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Events that may wait for the application before their senders wait.
const WAITING: usize = 4;
/// Related activities at most.
const RELATED: usize = 5000;

/// Runs sources and effects, and sends what they say as events.
pub struct Runtime {
    sources: Vec<(SourceId, Arc<dyn Source>)>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
    clock: Clock,
    /// Cancels the query for matches when a newer one begins.
    matching: CancellationToken,
    /// Cancels the loading of a detail when another is opened.
    loading: CancellationToken,
    zone: chrono_tz::Tz,
}

impl Runtime {
    /// Over opened sources. The receiver gives the events.
    pub fn new(
        sources: Vec<(SourceId, Arc<dyn Source>)>,
        clock: Clock,
        zone: chrono_tz::Tz,
    ) -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(WAITING);
        let cancel = CancellationToken::new();
        let (matching, loading) = (cancel.child_token(), cancel.child_token());
        (Self { sources, events, cancel, clock, matching, loading, zone }, receiver)
    }

    /// Begins to read every source.
    pub fn start(&self, history: usize) {
        for (id, source) in &self.sources {
            self.pump(*id, Arc::clone(source), history);
        }
    }

    fn pump(&self, id: SourceId, source: Arc<dyn Source>, history: usize) {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        tokio::spawn(pump::run(
            id,
            source,
            pump::Begin::History(history),
            sender,
            self.cancel.clone(),
            self.clock.clone(),
        ));
        let events = self.events.clone();
        tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                if events.send(Event::Pump(event)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Stops everything that runs.
    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// Begins an effect that takes time; gives back those that the front end has to carry out.
    pub fn run(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::LoadPayload(ticket, id, places) => {
                self.loading.cancel();
                self.loading = self.cancel.child_token();
                self.load_payload(ticket, id, places);
            }
            Effect::Explain(ticket, ask) => self.explain(ticket, *ask),
            Effect::LoadRelated(ticket, keys) => self.load_related(ticket, keys),
            Effect::Match(ticket, filter) => self.find_matches(ticket, filter),
            Effect::WriteConfig => {
                let said = write_config().unwrap_or_else(|error| format!("{error:#}"));
                let events = self.events.clone();
                tokio::spawn(async move { events.send(Event::Reply(0, Reply::Said(said))).await });
            }
            other => return Some(other),
        }
        None
    }

    fn spawn(&self, scope: CancellationToken, ticket: Ticket, work: impl Future<Output = Reply> + Send + 'static) {
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = scope.cancelled() => {}
                reply = work => {
                    let _ = events.send(Event::Reply(ticket, reply)).await;
                }
            }
        });
    }

    fn source(&self, id: SourceId) -> Option<Arc<dyn Source>> {
        self.sources.iter().find(|(known, _)| *known == id).map(|(_, source)| Arc::clone(source))
    }

    fn load_payload(&self, ticket: Ticket, id: Id, places: Vec<Place>) {
        let wanted: Vec<_> =
            places.into_iter().filter_map(|place| Some((self.source(place.source)?, place.locator))).collect();
        self.spawn(self.loading.clone(), ticket, async move {
            let mut payload = Payload::default();
            let mut problem = None;
            let mut found = false;
            for (source, locator) in wanted {
                match source.payload(&id, &locator).await {
                    Ok(part) => {
                        payload.absorb(part);
                        found = true;
                    }
                    Err(error) => problem = Some(error.to_string()),
                }
            }
            Reply::Payload(match problem {
                Some(problem) if !found => Err(problem),
                _ => Ok(Box::new(payload)),
            })
        });
    }

    fn load_related(&self, ticket: Ticket, keys: Vec<RelatedKey>) {
        let sources: Vec<_> = self.sources.iter().map(|(_, source)| Arc::clone(source)).collect();
        self.spawn(self.loading.clone(), ticket, async move {
            let mut found: Vec<Activity> = Vec::new();
            for source in sources {
                for key in &keys {
                    found.extend(source.related(key, RELATED).await.unwrap_or_default());
                }
            }
            Reply::Related(joined(found))
        });
    }

    fn explain(&self, ticket: Ticket, ask: Ask) {
        let sources: Vec<_> = self.sources.iter().map(|(_, source)| Arc::clone(source)).collect();
        self.spawn(self.loading.clone(), ticket, async move {
            let mut explained = Explained::default();
            if let Some(system) = &ask.system {
                for source in sources {
                    explained.mappings.extend(source.mappings(system, &ask.codes).await.unwrap_or_default());
                }
            }
            let transforms = ask.transforms;
            let evaluated = tokio::task::spawn_blocking(move || {
                let one = |(name, expression, body): (&'static str, String, serde_json::Value)| {
                    let result = transform(&expression, &body);
                    Transformed { name, expression, result }
                };
                transforms.into_iter().map(one).collect()
            });
            explained.transforms = evaluated.await.unwrap_or_default();
            Reply::Explained(Box::new(explained))
        });
    }

    fn find_matches(&mut self, ticket: Ticket, text: String) {
        self.matching.cancel();
        self.matching = self.cancel.child_token();
        let Ok(filter) = Filter::parse(&text) else { return };
        let query =
            PageQuery { filter, context: Context { now: self.clock.now(), zone: self.zone }, ..PageQuery::all(2000) };
        let sources: Vec<_> = self.sources.iter().map(|(_, source)| Arc::clone(source)).collect();
        let (events, scope) = (self.events.clone(), self.matching.clone());
        tokio::spawn(async move {
            let work = async {
                for source in sources {
                    let mut ids = Vec::new();
                    let done = for_each(source.as_ref(), &query, |activity| {
                        ids.push(activity.id);
                        true
                    });
                    let said = done.await.err().map(|error| Reply::Said(error.to_string()));
                    let _ = events.send(Event::Reply(ticket, Reply::Matched(ids, false))).await;
                    if let Some(said) = said {
                        let _ = events.send(Event::Reply(ticket, said)).await;
                    }
                }
                let _ = events.send(Event::Reply(ticket, Reply::Matched(Vec::new(), true))).await;
            };
            tokio::select! {
                () = scope.cancelled() => {}
                () = work => {}
            }
        });
    }
}

/// Writes the commented configuration where there is none yet.
fn write_config() -> anyhow::Result<String> {
    use anyhow::Context as _;
    let path = crate::config::user_file().context("no folder for configuration is known")?;
    if path.exists() {
        return Ok(format!("{} is there already", path.display()));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    std::fs::write(&path, crate::config::template()).with_context(|| format!("{}", path.display()))?;
    Ok(format!("wrote {}", path.display()))
}
