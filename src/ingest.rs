//! The one way of a source's events into memory, for the explorer and for `watch` alike: activities into the store,
//! everything else into the state of its source.

use crosstail_core::model::{Activity, Catalogue, Names, SourceId, Timestamp, Vitals};
use crosstail_engine::insight::alerting::SourceSnapshot;
use crosstail_engine::store::{IngestResult, Store};
use crosstail_source::pump::{PumpEvent, SourceState};
use crosstail_source::{Missing, Probe};
use tracing::{debug, error, info, warn};

/// Current state of a source.
#[derive(Debug, Clone)]
pub struct SourceStatus {
    pub id: SourceId,
    /// Name on screen and in filters.
    pub name: String,
    /// What the pump is doing.
    pub state: SourceState,
    /// Whether any range of its time can be read; otherwise it delivers its history by itself.
    pub reads_ranges: bool,
    /// Whether a page of it costs what it holds, see [`crosstail_source::Capabilities`].
    pub has_order: bool,
    /// Whether it holds activities, not only measurements.
    pub holds_activities: bool,
    /// Whether it follows: what is read of it now is complete.
    pub follows: bool,
    /// Result of the last probe.
    pub probe: Option<Probe>,
    /// Number of activities received.
    pub received: u64,
    /// Number of live activities that arrived behind the watermark.
    pub late: u64,
    /// Number of activities lost.
    pub dropped: u64,
    /// Start of the newest activity.
    pub newest: Option<Timestamp>,
    /// Start of the oldest activity.
    pub oldest: Option<Timestamp>,
    /// Whether its history has been loaded, up to the limit.
    pub backfilled: bool,
    /// Whether somebody ended the loading of its history before its end.
    pub is_interrupted: bool,
    /// Since when it has been unreadable; `None` while it is readable.
    pub unreachable_since: Option<Timestamp>,
    /// Its last notice.
    pub last_notice: Option<String>,
    /// What it holds besides activities: systems, endpoints, policies.
    pub catalogue: Catalogue,
    /// Its health checks and metrics.
    pub vitals: Vitals,
}

impl SourceStatus {
    /// A source that is not connected yet.
    pub fn new(id: SourceId, names: &Names) -> Self {
        Self {
            id,
            name: names.source_name(id).to_string(),
            state: SourceState::Connecting,
            reads_ranges: false,
            has_order: false,
            holds_activities: true,
            follows: false,
            probe: None,
            received: 0,
            late: 0,
            dropped: 0,
            newest: None,
            oldest: None,
            backfilled: false,
            is_interrupted: false,
            unreachable_since: None,
            last_notice: None,
            catalogue: Catalogue::default(),
            vitals: Vitals::default(),
        }
    }

    /// Whether any of these still connects or loads its history.
    pub fn any_busy(all: &[Self]) -> bool {
        all.iter().any(Self::is_busy)
    }

    /// Whether it may have activities of which nothing is known here: it has not answered yet, or cannot be read now.
    pub const fn is_silent(&self) -> bool {
        let waits = self.is_busy() && self.received == 0 && !self.follows;
        self.holds_activities && (waits || self.unreachable_since.is_some())
    }

    /// Whether it still connects or loads its history.
    pub const fn is_busy(&self) -> bool {
        matches!(self.state, SourceState::Connecting | SourceState::Loading)
    }

    /// Whether it has delivered all of its history by itself, of at most `limit` activities.
    pub const fn is_whole(&self, limit: u64) -> bool {
        self.backfilled && !self.is_interrupted && self.received < limit
    }

    /// What was named and is not there, as long as nothing has come.
    pub fn missing(&self) -> &[Missing] {
        let probe = self.probe.as_ref().filter(|_| self.received == 0 && self.state == SourceState::Live);
        probe.map_or(&[], |probe| &probe.missing)
    }

    /// What rules see of it.
    pub fn snapshot(&self) -> SourceSnapshot<'_> {
        SourceSnapshot { name: &self.name, unreachable_since: self.unreachable_since, vitals: &self.vitals }
    }
}

/// What an event of a source changed. `usize` is the index of the source.
#[derive(Debug)]
pub enum News {
    /// Nothing that anybody must be told.
    Quiet,
    /// A source became unreadable, with the error.
    Lost(String),
    /// A source is readable again.
    Back(usize),
    /// A source follows: its past can be read.
    Follows,
    /// What a source says to people, as its probe's warnings or a notice.
    Said(usize, Vec<String>),
    /// A source's catalogue changed.
    Catalogue,
    /// Activities are in the store.
    Batch(Batch),
}

/// Activities that are in the store.
#[derive(Debug)]
pub struct Batch {
    /// Index of their source.
    pub source: usize,
    /// Number of activities delivered.
    pub delivered: usize,
    /// Number of those that started or ended since a moment.
    pub fresh: usize,
    /// Whether they come from following, not from history.
    pub live: bool,
    /// What they changed in the store.
    pub delta: IngestResult,
}

/// Takes an event of a source at the moment `now`. Activities that started or ended since `since` count as fresh.
pub fn ingest(
    store: &mut Store,
    sources: &mut [SourceStatus],
    event: PumpEvent,
    now: Timestamp,
    since: Timestamp,
) -> News {
    let id = event.source();
    let Some(index) = sources.iter().position(|source| source.id == id) else { return News::Quiet };
    let source = &mut sources[index];
    match event {
        PumpEvent::State(_, state) => {
            let before = source.unreachable_since;
            match &state {
                SourceState::Live | SourceState::Ended => (source.unreachable_since, source.backfilled) = (None, true),
                SourceState::Waiting { .. } | SourceState::Failed { .. } => {
                    source.unreachable_since = before.or(Some(now));
                }
                SourceState::Connecting | SourceState::Loading => {}
            }
            log_state(&source.name, &state, now);
            source.state = state;
            match (&source.state, before) {
                (SourceState::Waiting { error, .. } | SourceState::Failed { error }, None) => News::Lost(error.clone()),
                (SourceState::Live | SourceState::Ended, Some(_)) => News::Back(index),
                _ => News::Quiet,
            }
        }
        PumpEvent::Probed(_, probe) => {
            info!(source = source.name, server = probe.server, schema = probe.schema, "connected");
            let warnings = probe.warnings.clone();
            source.probe = Some(probe);
            source.said(index, warnings)
        }
        PumpEvent::Following(_) => {
            source.follows = true;
            News::Follows
        }
        PumpEvent::Interrupted(_) => {
            source.is_interrupted = true;
            source.said(index, vec!["reading its history was ended; what was read stays".to_owned()])
        }
        PumpEvent::Notice(_, text) => source.said(index, vec![text]),
        PumpEvent::Catalogue(_, catalogue) => {
            source.catalogue = catalogue;
            News::Catalogue
        }
        PumpEvent::Vitals(_, mut vitals) => {
            vitals.follow(&source.vitals, now);
            source.vitals = vitals;
            News::Quiet
        }
        PumpEvent::Batch { items, live, .. } => {
            let is_fresh = |a: &&Activity| a.completed_at.map_or(a.started_at, |end| end.max(a.started_at)) >= since;
            let (delivered, fresh) = (items.len(), items.iter().filter(is_fresh).count());
            let starts = || items.iter().map(|activity| activity.started_at);
            source.newest = source.newest.into_iter().chain(starts()).max();
            source.oldest = source.oldest.into_iter().chain(starts()).min();
            let delta = store.ingest(items);
            // A request that another source delivered first counts for this source, too.
            source.received += (delta.added + delta.joined) as u64;
            if live {
                source.late += delta.late as u64;
            }
            News::Batch(Batch { source: index, delivered, fresh, live, delta })
        }
    }
}

/// A change of a source's state, for the log.
fn log_state(source: &str, state: &SourceState, now: Timestamp) {
    match state {
        SourceState::Connecting => debug!(source, "connects"),
        SourceState::Loading => debug!(source, "reads its history"),
        SourceState::Live => info!(source, "live"),
        SourceState::Waiting { until, error } => {
            warn!(source, error, "not reachable; next attempt in {:.1} s", until.since_us(now).max(0) as f64 / 1e6);
        }
        SourceState::Failed { error } => error!(source, error, "failed"),
        SourceState::Ended => info!(source, "ended"),
    }
}

impl SourceStatus {
    fn said(&mut self, index: usize, texts: Vec<String>) -> News {
        if texts.is_empty() {
            return News::Quiet;
        }
        for text in &texts {
            warn!(source = self.name, "{text}");
        }
        self.last_notice = Some(texts.join(" · "));
        News::Said(index, texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Locator, Place};

    fn activity(source: SourceId) -> Activity {
        let mut activity = Activity::new(Id::Text("a".into()), Timestamp(5_000_000));
        activity.places = vec![Place::new(source, Locator::Row(1))];
        activity
    }

    #[test]
    fn a_record_counts_for_every_source_that_delivers_it_once() {
        let names = Names::default();
        let ids = ["a", "b"].map(|name| names.add_source(name));
        let mut sources = ids.map(|id| SourceStatus::new(id, &names));
        let mut store = Store::new(names);
        for (source, live, fresh) in [(0, false, 0), (1, true, 1), (1, true, 1)] {
            let batch = PumpEvent::Batch { source: ids[source], items: vec![activity(ids[source])], live };
            let since = Timestamp(if fresh == 1 { 5_000_000 } else { 6_000_000 });
            let news = ingest(&mut store, &mut sources, batch, Timestamp(6_000_000), since);
            let News::Batch(batch) = news else { panic!("{news:?}") };
            assert_eq!((batch.source, batch.delivered, batch.fresh, batch.live), (source, 1, fresh, live));
        }
        assert_eq!(sources.each_ref().map(|source| source.received), [1, 1]);
        assert_eq!((store.len(), sources[1].newest), (1, Some(Timestamp(5_000_000))));
    }

    #[test]
    fn an_outage_is_news_once_and_so_is_its_end() {
        let names = Names::default();
        let id = names.add_source("a");
        let mut sources = [SourceStatus::new(id, &names)];
        let mut store = Store::new(names);
        let waiting = || SourceState::Waiting { until: Timestamp(9), error: "refused".to_owned() };
        let mut take = |state, now| {
            let event = PumpEvent::State(id, state);
            let news = ingest(&mut store, &mut sources, event, Timestamp(now), Timestamp(0));
            (format!("{news:?}"), sources[0].unreachable_since)
        };
        assert_eq!(take(waiting(), 1), ("Lost(\"refused\")".to_owned(), Some(Timestamp(1))));
        assert_eq!(take(waiting(), 2), ("Quiet".to_owned(), Some(Timestamp(1))));
        assert_eq!(take(SourceState::Connecting, 3), ("Quiet".to_owned(), Some(Timestamp(1))));
        assert_eq!(take(SourceState::Live, 4), ("Back(0)".to_owned(), None));
        assert_eq!(take(SourceState::Live, 5), ("Quiet".to_owned(), None));
    }
}
