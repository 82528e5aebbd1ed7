//! The window on the stores: what the screen says is what the store has, however little of it memory holds.

use crate::planner::{self, Opened, halves};
use crate::support::{EPOCH, PATIENCE, open, random_database};
use crosstail::action::Action;
use crosstail::effect::Effect;
use crosstail::runtime::{Incoming, Runtime};
use crosstail::screens::{Event, Explorer};
use crosstail_core::filter::{Context, Field, Filter, NamedRecord, value_text};
use crosstail_core::model::{Activity, Clock, Names, SourceId, Timestamp};
use crosstail_engine::window::Range;
use crosstail_source::{Job, PageQuery, Source, for_each};
use fastrand::Rng;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The explorer over a real source, without a terminal.
struct Driven {
    explorer: Explorer,
    runtime: Runtime,
    incoming: Incoming,
    source: Arc<dyn Source>,
    clock: Clock,
}

impl Driven {
    fn start(at: &Path, now: Timestamp, range: Range, memory: usize) -> Self {
        let (names, source) = open(&[at.to_str().expect("UTF-8").to_owned()]);
        Self::over(names, vec![(SourceId(0), source)], now, range, memory)
    }

    fn over(names: Names, sources: Vec<Opened>, now: Timestamp, range: Range, memory: usize) -> Self {
        let clock = Clock::fixed(now);
        let ids: Vec<SourceId> = sources.iter().map(|(id, _)| *id).collect();
        let mut explorer = Explorer::new(names.clone(), &ids, chrono_tz::Tz::UTC, now);
        for (status, (_, source)) in explorer.shared.sources.iter_mut().zip(&sources) {
            status.reads_ranges = source.capabilities().reads_ranges;
        }
        explorer.shared.range = range;
        explorer.shared.settings.memory = memory;
        let source = Arc::clone(&sources[0].1);
        let (runtime, incoming) = Runtime::new(sources, names, clock.clone(), chrono_tz::Tz::UTC);
        runtime.start(usize::MAX);
        Self { explorer, runtime, incoming, source, clock }
    }

    fn event(&mut self, event: Event) {
        let effects = self.explorer.update(event);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.runtime.run(effect);
        }
    }

    fn act(&mut self, action: Action) {
        self.event(Event::Action(action));
    }

    /// Takes what arrives until something holds.
    async fn until(&mut self, what: &str, mut holds: impl FnMut(&Explorer) -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !holds(&self.explorer) {
            let event = tokio::select! {
                Some(event) = self.incoming.sources.recv() => Event::Pump(event),
                Some((ticket, reply)) = self.incoming.replies.recv() => Event::Reply(ticket, reply),
                () = tokio::time::sleep(Duration::from_millis(30)) => Event::Tick(self.clock.now()),
            };
            self.event(event);
            let window = &self.explorer.stack.explore.window;
            let now = tokio::time::Instant::now();
            assert!(now < end, "waited in vain for {what}: {window:?}, {:?}", self.explorer.shared.counted);
        }
    }

    async fn idle(&mut self) {
        let ready = |explorer: &Explorer| {
            explorer.shared.sources.iter().all(|source| source.follows && (source.reads_ranges || source.backfilled))
        };
        self.until("the sources to follow", ready).await;
        self.event(Event::Tick(self.clock.now()));
        let idle = |explorer: &Explorer| !explorer.stack.explore.is_reading(&explorer.shared);
        self.until("nothing to be read", idle).await;
    }

    /// What `query` finds, the newest first.
    async fn query(&self, filter: &str) -> Vec<Activity> {
        let context = Context { now: self.clock.now(), zone: chrono_tz::Tz::UTC };
        let (filter, _) = Filter::compile(filter, &context).expect("a filter");
        let bounds = self.explorer.shared.bounds();
        let query = PageQuery { filter, context, since: bounds.since, until: bounds.until, ..PageQuery::all(5000) };
        let mut found = Vec::new();
        for_each(self.source.as_ref(), &query, &Job::default(), |activity| {
            found.push(activity);
            true
        })
        .await
        .expect("read");
        found
    }

    /// The ids that the list shows, the newest first.
    fn shown(&self) -> Vec<String> {
        let store = &self.explorer.shared.store;
        store.rows().iter().rev().map(|row| store.get(*row).id.to_string()).collect()
    }
}

fn ids(activities: &[Activity]) -> Vec<String> {
    activities.iter().map(|activity| activity.id.to_string()).collect()
}

const HOUR: i64 = 3_600_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_screen_says_is_what_query_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("window.sqlite");
    random_database(&path, 3, 20_000).await;
    let now = EPOCH.plus_ms(20_010_000);
    let mut driven = Driven::start(&path, now, Range::Last(HOUR), 256 << 20);
    driven.idle().await;
    assert!(
        driven.explorer.shared.store.len() < 4000,
        "only the range is read: {}",
        driven.explorer.shared.store.len()
    );
    let mut rng = Rng::with_seed(11);
    let mut found_any = 0;
    let filters = [
        "",
        "status:failed",
        "system:SAP http:5xx",
        "\"duplicate key\"",
        "-is:failure latency>20s",
        "req.body.order:3",
        "time:-30m",
        "time:-2h..-90m status:failed",
        "is:failure time:..-5h",
        "kind:webhook OR error:timeout",
    ];
    for round in 0..30 {
        let filter = filters[rng.usize(0..filters.len())];
        let range = match rng.u8(0..4) {
            0 => Range::Everything,
            1 => Range::Last(rng.i64(1..360) * 60_000_000),
            2 => Range::Last(HOUR),
            _ => Range::Between(
                crosstail_engine::window::Bounds {
                    since: Some(EPOCH.plus_ms(rng.i64(0..9_000_000))),
                    until: Some(EPOCH.plus_ms(rng.i64(9_000_000..20_000_000))),
                },
                "between".to_owned(),
            ),
        };
        driven.event(Event::Range(range.clone()));
        driven.event(Event::Filter(filter.to_owned()));
        driven.idle().await;
        let (shared, expected) = (&driven.explorer.shared, driven.query(filter).await);
        let about = format!("round {round}: '{filter}' in {range:?}");
        found_any += usize::from(!expected.is_empty());
        assert_eq!(shared.figure(true).count, expected.len() as u64, "{about}");
        let (shown, all) = (driven.shown(), ids(&expected));
        assert_eq!(shown[..], all[..shown.len()], "{about}: the newest, without a gap");
        assert!(shown.len() == all.len() || shown.len() >= 100, "{about}: {} of {} are shown", shown.len(), all.len());
        let buckets = &driven.explorer.stack.explore.histogram.data.buckets;
        let counted: u64 = buckets.iter().map(|bucket| u64::from(bucket.total)).sum();
        assert!(
            buckets.is_empty() || counted == all.len() as u64,
            "{about}: {counted} in the histogram, {}",
            all.len()
        );
    }
    assert!(found_any > 15, "{found_any}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_kept_and_everything_can_be_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.sqlite");
    random_database(&path, 5, 120_000).await;
    let now = EPOCH.plus_ms(120_010_000);
    let budget = 16 << 20;
    let mut driven = Driven::start(&path, now, Range::Everything, budget);
    driven.idle().await;
    let all = driven.query("").await;
    let held = |driven: &Driven| (driven.explorer.shared.store.len(), driven.explorer.shared.store.bytes());
    assert!(held(&driven).0 < 110_000 && held(&driven).1 <= budget, "{:?}", held(&driven));
    assert_eq!(driven.explorer.shared.figure(true).count, 120_000, "all of them are counted");
    let values = |explorer: &Explorer| !explorer.stack.explore.facets.is_part;
    driven.until("the facets to be counted", values).await;
    // What became of attempts is counted of what is held, and says so.
    assert!(!driven.explorer.stack.explore.facets.is_held);
    let groups = &driven.explorer.stack.explore.facets.groups;
    for (field, facets) in groups.iter().filter(|(field, _)| *field != Field::Final) {
        for facet in facets {
            let of = |a: &&Activity| {
                value_text(a, *field, driven.explorer.shared.store.names()).as_ref() == Some(&facet.value)
            };
            let known: Vec<&Activity> = all.iter().filter(of).collect();
            let failed = known.iter().filter(|activity| activity.is_failure()).count();
            assert_eq!(
                (facet.count, facet.failed),
                (known.len() as u64, failed as u64),
                "{}:{}",
                field.name(),
                facet.value
            );
        }
    }
    assert_eq!(driven.shown()[..500], ids(&all)[..500]);
    // To the oldest, and forward from there.
    driven.act(Action::TOP);
    driven.idle().await;
    let oldest: Vec<String> = ids(&all).into_iter().rev().collect();
    let shown = |driven: &Driven| driven.shown().into_iter().rev().collect::<Vec<_>>();
    assert_eq!(shown(&driven)[..100], oldest[..100], "the oldest");
    for _ in 0..60 {
        driven.act(Action::PAGE_DOWN);
        driven.idle().await;
        let seen = shown(&driven);
        let from = oldest.iter().position(|id| *id == seen[0]).expect("one of them");
        assert_eq!(seen[..], oldest[from..from + seen.len()], "no gap and no jump");
    }
    assert!(held(&driven).1 <= budget, "{:?}", held(&driven));
    // Back to the newest.
    driven.act(Action::FOLLOW);
    driven.idle().await;
    assert_eq!(driven.shown()[..100], ids(&all)[..100], "the newest");
    assert_eq!(driven.explorer.shared.figure(true).count, 120_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_beyond_what_is_held_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("failures.sqlite");
    random_database(&path, 7, 30_000).await;
    let mut driven = Driven::start(&path, EPOCH.plus_ms(30_010_000), Range::Last(2 * 60_000_000), 256 << 20);
    driven.idle().await;
    // The filter keeps few: the next one is far back in the range.
    driven.event(Event::Range(Range::Everything));
    driven.event(Event::Filter("system:SAP".to_owned()));
    driven.idle().await;
    let failures = driven.query("system:SAP is:failure").await;
    driven.act(Action::NEXT_FAILURE);
    driven.idle().await;
    for failure in &failures[..40] {
        let current = driven.explorer.shared.store.get(driven.explorer.stack.explore.list.selected.expect("selected"));
        assert_eq!(current.id, failure.id);
        driven.act(Action::PREVIOUS_FAILURE);
        driven.idle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_range_says_what_there_is_beyond_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("old.sqlite");
    random_database(&path, 9, 500).await;
    let mut driven = Driven::start(&path, EPOCH.plus_ms(80 * 86_400_000), Range::Last(24 * HOUR), 256 << 20);
    driven.idle().await;
    assert_eq!(driven.explorer.shared.figure(true).count, 0);
    let said = driven.explorer.stack.explore.beyond(&driven.explorer.shared).expect("something to say");
    assert_eq!(said, "nothing in the range (last 24 h); the newest activity is 79 d old");
    driven.act(Action::ZOOM_OUT);
    driven.act(Action::ZOOM_OUT);
    driven.act(Action::ZOOM_OUT);
    driven.idle().await;
    assert_eq!((driven.explorer.shared.range.text().as_str(), driven.shown().len()), ("everything", 500));
    driven.act(Action::VIEW_BACK);
    driven.idle().await;
    assert_eq!(driven.explorer.shared.range.text(), "30d");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_several_sources_are_found_joined() {
    for kinds in ["dd", "dl"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut rng = Rng::with_seed(77);
        let halves = halves(&mut rng, 2, 600);
        let names = Names::default();
        let mut sources = Vec::new();
        for (index, (kind, rows)) in kinds.chars().zip(&halves).enumerate() {
            let name = ["first", "second"][index];
            let path = folder.path().join(format!("{name}.{}", if kind == 'd' { "sqlite" } else { "log" }));
            if kind == 'd' {
                planner::sqlite(&path, rows).await;
            } else {
                planner::lines(&path, rows);
            }
            sources.push(planner::open(&names, name, &path));
        }
        let now = EPOCH.plus_ms(600 * 30_000 + 600_000);
        // Half of the time, so that most of what is found is not held.
        let range = Range::Last(600 * 15_000_000);
        let mut driven = Driven::over(names.clone(), sources.clone(), now, range.clone(), 256 << 20);
        driven.idle().await;
        let all = planner::joined(&names, &sources).await;
        let context = Context { now, zone: chrono_tz::Tz::UTC };
        for round in 0..10 {
            // Nothing of the last question helps to answer the next one.
            driven.runtime.end().await;
            driven = Driven::over(names.clone(), sources.clone(), now, range.clone(), 256 << 20);
            let text = planner::filter(&mut rng, 2);
            driven.event(Event::Filter(text.clone()));
            driven.event(Event::Range(Range::Everything));
            driven.idle().await;
            let (_, predicate) = Filter::compile(&text, &context).expect(&text);
            let bounds = driven.explorer.shared.bounds().interval();
            let mut expected: Vec<(Timestamp, String)> = all
                .iter()
                .filter(|a| a.started_at >= bounds.from && a.started_at < bounds.to)
                .filter(|activity| predicate.keeps(&NamedRecord { activity, names: &names, payload: None }))
                .map(|activity| (activity.started_at, activity.id.to_string()))
                .collect();
            expected.sort();
            let mut shown = driven.shown();
            let mut wanted: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
            // Rows of one moment are in the order of their arrival.
            shown.sort();
            wanted.sort();
            assert_eq!(shown, wanted, "round {round}, {kinds}: {text}");
        }
    }
}
