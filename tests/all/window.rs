//! The window on the stores: what the screen says is what the store has, however little of it memory holds.

use crate::halves::{Holder, Opened, halves};
use crate::planner;
use crate::support::{EPOCH, PATIENCE, open, random_database};
use crosstail::action::Action;
use crosstail::effect::{CANCELLED, Effect, Reply, Ticket};
use crosstail::runtime::{Incoming, Runtime};
use crosstail::screens::{Event, Explorer, draw};
use crosstail::tui::{Appearance, ColourDepth, Keymap, Stroke, Theme, text::count};
use crosstail_core::filter::{Context, Field, Filter, NamedRecord, Operand, value_text};
use crosstail_core::model::{Activity, Clock, Names, SourceId, Timestamp};
use crosstail_engine::window::Range;
use crosstail_source::pump::READ_HISTORY;
use crosstail_source::{Job, PageQuery, Source, for_each};
use fastrand::Rng;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Rows of a store of which 16 MB do not hold all, one a second, and when all of them are past.
const MANY: u64 = 60_000;
const AFTER_MS: i64 = 60_010_000;

/// The explorer over a real source, without a terminal.
pub struct Driven {
    pub explorer: Box<Explorer>,
    runtime: Runtime,
    incoming: Incoming,
    pub source: Arc<dyn Source>,
    clock: Clock,
}

impl Driven {
    pub fn start(at: &Path, now: Timestamp, range: Range, memory: usize) -> Self {
        let (names, source) = open(&[at.to_str().expect("UTF-8").to_owned()]);
        Self::over(names, vec![(SourceId(0), source)], now, range, memory)
    }

    fn over(names: Names, sources: Vec<Opened>, now: Timestamp, range: Range, memory: usize) -> Self {
        let clock = Clock::fixed(now);
        let ids: Vec<SourceId> = sources.iter().map(|(id, _)| *id).collect();
        let mut explorer = Box::new(Explorer::new(names.clone(), &ids, chrono_tz::Tz::UTC, now));
        for (status, (_, source)) in explorer.shared.sources.iter_mut().zip(&sources) {
            status.reads_ranges = source.capabilities().reads_ranges;
            status.has_order = source.capabilities().has_order;
        }
        explorer.shared.range = range;
        explorer.shared.settings.memory = memory;
        let source = Arc::clone(&sources[0].1);
        let (runtime, incoming) = Runtime::new(sources, names, clock.clone(), chrono_tz::Tz::UTC);
        runtime.start(usize::MAX);
        Self { explorer, runtime, incoming, source, clock }
    }

    pub fn event(&mut self, event: Event) {
        let effects = self.explorer.update(event);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.runtime.run(effect);
        }
    }

    pub fn act(&mut self, action: Action) {
        self.event(Event::Action(action));
    }

    pub fn press(&mut self, key: &str) {
        let effects = self.explorer.press(&look(), Stroke::named(key).expect("a key"));
        self.carry_out(effects);
    }

    /// Takes what arrives until something holds.
    pub async fn until(&mut self, what: &str, mut holds: impl FnMut(&Explorer) -> bool) {
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
            assert!(
                now < end,
                "waited in vain for {what}:\n{}\n{window:?}, {:?}",
                drawn(&self.explorer),
                self.explorer.shared.counted
            );
        }
    }

    pub async fn idle(&mut self) {
        self.filled().await;
    }

    /// Until nothing is read any more; returns how many records filling memory has read.
    pub async fn filled(&mut self) -> u64 {
        let ready = |explorer: &Explorer| {
            explorer.shared.sources.iter().all(|source| source.follows && (source.reads_ranges || source.backfilled))
        };
        self.until("the sources to follow", ready).await;
        let (jobs, mut most) = (self.runtime.jobs().clone(), 0);
        self.event(Event::Tick(self.clock.now()));
        let idle = |explorer: &Explorer| {
            let jobs = jobs.list();
            let fills = jobs.iter().filter(|job| job.purpose == READ_HISTORY);
            most = most.max(fills.map(|job| job.rows).sum::<u64>());
            !explorer.stack.explore.is_reading(&explorer.shared)
        };
        self.until("nothing to be read", idle).await;
        most
    }

    /// What `query` finds, the newest first.
    pub async fn query(&self, filter: &str) -> Vec<Activity> {
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

    /// The next reply, which is for the explorer.
    pub async fn next_reply(&mut self) -> (Ticket, Reply) {
        let reply = tokio::time::timeout(PATIENCE, self.incoming.replies.recv()).await.expect("a reply in time");
        reply.expect("a reply")
    }

    /// The ids that the list shows, the newest first.
    pub fn shown(&self) -> Vec<String> {
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
    agrees_with_query(&mut driven, &filters, 20_000_000, 30).await;
}

/// Whatever filter and range are chosen: the list, the total and the histogram are those of what `query` finds. The source's
/// activities begin within `length_ms` of [`EPOCH`].
async fn agrees_with_query(driven: &mut Driven, filters: &[&str], length_ms: i64, rounds: usize) {
    let mut rng = Rng::with_seed(11);
    let mut found_any = 0;
    for round in 0..rounds {
        let filter = filters[rng.usize(0..filters.len())];
        let range = match rng.u8(0..4) {
            0 => Range::Everything,
            1 => Range::Last(rng.i64(1..360) * 60_000_000),
            2 => Range::Last(HOUR),
            _ => Range::Between(
                crosstail_engine::window::Bounds {
                    since: Some(EPOCH.plus_ms(rng.i64(0..length_ms / 2))),
                    until: Some(EPOCH.plus_ms(rng.i64(length_ms / 2..length_ms))),
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
    assert!(found_any > rounds / 2, "{found_any}");
}

/// The same over a server, of which memory holds a small part.
async fn screen_agrees_with(holder: Holder) {
    let folder = tempfile::tempdir().expect("a folder");
    let names = Names::default();
    let rows = halves(&mut Rng::with_seed(5), 1, 9000);
    let Some(source) = holder.place(folder.path(), &names, "first", &rows[0]).await else { return };
    let length_ms = 9000 * 30_000;
    let mut driven =
        Driven::over(names, vec![source], EPOCH.plus_ms(length_ms + 600_000), Range::Last(HOUR), 256 << 20);
    driven.idle().await;
    let filters = [
        "",
        "status:failed",
        "system:SAP message:order",
        "\"duplicate key\"",
        "-is:failure latency>2s",
        "corr:c-0003",
        "time:-30m",
        "time:-2h..-90m status:failed",
        "is:failure time:..-5h",
        "actor:ann OR error:timeout",
    ];
    agrees_with_query(&mut driven, &filters, length_ms, 20).await;
    driven.runtime.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_screen_says_is_what_query_finds_in_databases() {
    for holder in [Holder::Postgres, Holder::Mysql, Holder::Mongo] {
        screen_agrees_with(holder).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_screen_says_is_what_query_finds_in_indices_and_topics() {
    for holder in [Holder::Elastic, Holder::Kafka] {
        screen_agrees_with(holder).await;
    }
}

/// Of a topic that memory cannot hold it keeps the newest; the rest is found in the topic.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_screen_says_of_a_topic_that_memory_cannot_hold_is_what_query_finds() {
    let (folder, names) = (tempfile::tempdir().expect("a folder"), Names::default());
    let rows = halves(&mut Rng::with_seed(5), 1, 9000);
    let Some(source) = Holder::Kafka.place(folder.path(), &names, "first", &rows[0]).await else { return };
    let (length_ms, budget) = (9000 * 30_000, 3 << 20);
    let now = EPOCH.plus_ms(length_ms + 600_000);
    let mut driven = Driven::over(names, vec![source], now, Range::Everything, budget);
    driven.filled().await;
    let (held, bytes) = (driven.explorer.shared.store.len(), driven.explorer.shared.store.bytes());
    assert!(held > 2000 && held < 8500 && bytes <= budget, "{held} held in {bytes} bytes");
    let filters =
        ["", "status:failed", "system:SAP message:order", "-is:failure latency>2s", "corr:c-0003", "time:-2h..-90m"];
    agrees_with_query(&mut driven, &filters, length_ms, 6).await;
    driven.runtime.end().await;
}

/// What the health screen asks of the stores ends when it is left, and is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_health_waits_for_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("small.sqlite");
    random_database(&path, 5, 9000).await;
    let mut driven = Driven::start(&path, EPOCH.plus_ms(9_010_000), Range::Everything, 1 << 20);
    driven.idle().await;
    let mut asked = |key: &str| {
        let effects = driven.explorer.press(&look(), Stroke::named(key).expect("a key"));
        let asked: Vec<usize> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::HealthFigures(_, queries) => Some(queries.len()),
                _ => None,
            })
            .collect();
        driven.carry_out(effects);
        asked
    };
    let first = asked("h");
    assert!(first.len() == 1 && first[0] > 0, "{first:?}");
    assert_eq!(asked("esc"), [0], "it is ended");
    assert_eq!(asked("h"), first, "and asked again");
    // That somebody has ended it is no error.
    driven.press("esc");
    let effects = driven.explorer.press(&look(), Stroke::named("h").expect("a key"));
    let asked = effects.into_iter().find_map(|effect| match effect {
        Effect::HealthFigures(ticket, queries) => Some((ticket, queries)),
        _ => None,
    });
    let (ticket, queries) = asked.expect("a question");
    for (problem, is_told) in [(CANCELLED, false), ("refused", true)] {
        let reply = Reply::Figures(Box::new(queries[0].clone()), Err(problem.to_owned()));
        driven.event(Event::Reply(ticket, reply));
        let notice = driven.explorer.shared.notice.as_ref();
        let told = notice.is_some_and(|notice| notice.text.contains("cannot load older figures"));
        assert_eq!(told, is_told, "{problem}");
    }
    driven.runtime.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_kept_and_everything_can_be_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.sqlite");
    random_database(&path, 5, MANY).await;
    let now = EPOCH.plus_ms(AFTER_MS);
    let budget = 5 << 20;
    let mut driven = Driven::start(&path, now, Range::Everything, budget);
    driven.idle().await;
    let all = driven.query("").await;
    let held = |driven: &Driven| (driven.explorer.shared.store.len(), driven.explorer.shared.store.bytes());
    assert!(held(&driven).0 < 55_000 && held(&driven).1 <= budget, "{:?}", held(&driven));
    assert_eq!(driven.explorer.shared.figure(true).count, MANY, "all of them are counted");
    let values = |explorer: &Explorer| !explorer.stack.explore.facets.is_part;
    driven.until("the facets to be counted", values).await;
    // What became of attempts is counted of what is held, and says so.
    assert_eq!(driven.explorer.stack.explore.facets.of_held, [Field::Final]);
    let groups = &driven.explorer.stack.explore.facets.groups;
    for (of, facets) in groups {
        let Operand::Field(field) = of else { panic!("{of}") };
        if *field == Field::Final {
            continue;
        }
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
    assert_eq!(driven.explorer.shared.figure(true).count, MANY);
}

/// What tells failures from the rest, and a report, are of the whole range, however little of it is held.
async fn contrast_and_report_are_of_the_range(driven: &mut Driven, filter: &str) {
    driven.event(Event::Filter(filter.to_owned()));
    driven.idle().await;
    let all = driven.query(filter).await;
    let is_whole = driven.explorer.shared.held.covers(driven.explorer.shared.bounds().interval());
    assert!(!is_whole, "memory does not hold everything");
    driven.event(Event::Resize(160, 48));
    driven.act(Action::COMPARE);
    let names = driven.explorer.shared.store.names().clone();
    let open = all.iter().filter(|a| a.status == Some(crosstail_core::model::Status::InProgress)).count();
    let failed = all.iter().filter(|activity| activity.is_failure()).count();
    let (failures, rest) = (count(failed), count(all.len() - failed - open));
    let head = format!("what tells {failures} failures from the other {rest} of");
    driven.until(&head, |explorer| drawn(explorer).contains(&head)).await;
    // Each line that says how many, says it of the range.
    let screen = drawn(&driven.explorer);
    let mut compared = 0;
    for line in screen.lines().filter(|line| line.contains(" % ") && !line.contains(" held")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(field) = crosstail_core::filter::Field::parse(words[0]) else { continue };
        let value = words[1];
        let with = |a: &&Activity| value_text(a, field, &names).as_deref() == Some(value);
        let known: Vec<&Activity> = all.iter().filter(with).collect();
        let failed = known.iter().filter(|activity| activity.is_failure()).count();
        let open = known.iter().filter(|a| a.status == Some(crosstail_core::model::Status::InProgress)).count();
        let said = format!("{} of {}", count(failed), count(known.len() - open));
        assert!(line.trim_end().ends_with(&said), "{said}: {line}");
        compared += 1;
    }
    assert!(compared > 0, "{screen}");
    driven.act(Action::BACK);
    // The report counts every activity once.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.json");
    driven.act(Action::REPORT);
    driven.press("ctrl-u");
    driven.event(Event::Pasted(path.display().to_string()));
    driven.act(Action::OPEN);
    let is_written = |explorer: &Explorer| explorer.shared.notice.as_ref().is_some_and(|n| n.text.starts_with("wrote"));
    driven.until("the report", is_written).await;
    let written = std::fs::read_to_string(&path).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&written).expect("JSON");
    let tables = report["tables"].as_object().expect("tables");
    let counts = |rows: &serde_json::Value| {
        let rows = rows.as_array().expect("rows").iter();
        rows.filter_map(|row| row["total"].as_u64().or(row["count"].as_u64())).sum::<u64>()
    };
    let most = tables.values().map(counts).max();
    assert_eq!(most, Some(all.len() as u64), "{}", &written[..written.len().min(3000)]);
}

fn look() -> Appearance {
    let theme = Theme::load("dark", ColourDepth::True).expect("a theme");
    Appearance { theme, keymap: Keymap::load(crosstail::screens::vocabulary()).expect("keys") }
}

/// The text of the screen.
pub fn drawn(explorer: &Explorer) -> String {
    let buffer = draw(explorer, &look()).buffer;
    let line =
        |y| (0..buffer.area.width).filter_map(|x| Some(buffer.cell((x, y))?.symbol())).collect::<String>() + "\n";
    (0..buffer.area.height).map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn contrast_and_report_of_what_is_not_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.sqlite");
    random_database(&path, 5, MANY).await;
    let mut driven = Driven::start(&path, EPOCH.plus_ms(AFTER_MS), Range::Everything, 5 << 20);
    contrast_and_report_are_of_the_range(&mut driven, "kind:webhook OR kind:api_call").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contrast_and_report_of_what_databases_hold() {
    for holder in [Holder::Postgres, Holder::Mysql, Holder::Elastic] {
        let folder = tempfile::tempdir().expect("a folder");
        let names = Names::default();
        let rows = halves(&mut Rng::with_seed(5), 1, 60_000);
        let Some(source) = holder.place(folder.path(), &names, &format!("{holder:?}"), &rows[0]).await else { return };
        let now = EPOCH.plus_ms(60_000 * 30_000 + 600_000);
        let mut driven = Driven::over(names, vec![source], now, Range::Last(HOUR), 256 << 20);
        driven.explorer.shared.settings.history_limit = 3000;
        driven.idle().await;
        driven.event(Event::Range(Range::Last(400 * HOUR)));
        contrast_and_report_are_of_the_range(&mut driven, "(status:failed -actor:bob) OR (status:success -actor:ann)")
            .await;
    }
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

/// What the screen shows of requests that two sources share.
async fn found_joined(holders: [Holder; 2], rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = Rng::with_seed(77);
    let halves = halves(&mut rng, 2, 600);
    let names = Names::default();
    let mut sources = Vec::new();
    for ((name, holder), rows) in ["first", "second"].into_iter().zip(holders).zip(&halves) {
        let Some(opened) = holder.place(folder.path(), &names, name, rows).await else { return };
        sources.push(opened);
    }
    let now = EPOCH.plus_ms(600 * 30_000 + 600_000);
    // Half of the time, so that most of what is found is not held.
    let range = Range::Last(600 * 15_000_000);
    let mut driven = Driven::over(names.clone(), sources.clone(), now, range.clone(), 256 << 20);
    driven.idle().await;
    let all = planner::joined(&names, &sources).await;
    let context = Context { now, zone: chrono_tz::Tz::UTC };
    for round in 0..rounds {
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
        assert_eq!(shown, wanted, "round {round}, {holders:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_several_sources_are_found_joined() {
    found_joined([Holder::Sqlite, Holder::Sqlite], 10).await;
    found_joined([Holder::Sqlite, Holder::File], 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_databases_are_found_joined() {
    found_joined([Holder::Postgres, Holder::Mysql], 6).await;
    found_joined([Holder::Mongo, Holder::Postgres], 6).await;
    found_joined([Holder::File, Holder::Mysql], 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_indices_and_topics_are_found_joined() {
    found_joined([Holder::Elastic, Holder::Postgres], 6).await;
    found_joined([Holder::Kafka, Holder::Mongo], 6).await;
    found_joined([Holder::Elastic, Holder::Kafka], 6).await;
}
