//! Several sources that share requests: what is found is what joining first and filtering then would find, whatever each
//! source was asked for.

use crate::habits::written;
use crate::halves::{Holder, Opened, halves};
use crate::support::EPOCH;
use crosstail::runtime::{MergedHistory, Work, Worth, corrected};
use crosstail_core::filter::{Context, Field, Filter, NamedRecord};
use crosstail_core::model::{Activity, Names, Status};
use crosstail_engine::store::Store;
use crosstail_record::{Outcome, PreparedRow, Start};
use crosstail_source::{Grouping, Groups, Job, Measures, PageQuery, SourceConfig, for_each};
use fastrand::Rng;
use std::path::Path;

fn clause(rng: &mut Rng) -> String {
    const CLAUSES: &[&str] = &[
        "system:SAP",
        "system:sap*",
        "system!=Zoho",
        "system?:Zoho",
        "status:failed",
        "status:success",
        "is:failure",
        "-status:failed",
        "message:order",
        "message:received",
        "error:timeout",
        "error:*",
        "corr:c-0003",
        "corr=c-0004",
        "actor:ann",
        "actor:*",
        "latency>1s",
        "latency?<2s",
        "\"order 2\"",
        "-\"order 1\"",
        "timeout",
        "time:..-200s",
        "-actor:bob",
        "-(system:SAP status:failed)",
        "corr:(c-0001, c-0002)",
        "source:first",
        "-source:first",
    ];
    CLAUSES[rng.usize(0..CLAUSES.len())].to_owned()
}

pub fn filter(rng: &mut Rng, depth: usize) -> String {
    match rng.u8(0..10) {
        0..6 if depth > 0 => format!("{} {}", filter(rng, depth - 1), filter(rng, depth - 1)),
        6..8 if depth > 0 => format!("({} OR {})", filter(rng, depth - 1), filter(rng, depth - 1)),
        _ => clause(rng),
    }
}

/// Everything of all sources, joined.
pub async fn joined(names: &Names, sources: &[Opened]) -> Vec<Activity> {
    let mut store = Store::new(names.clone());
    for (_, source) in sources {
        let mut found = Vec::new();
        for_each(source.as_ref(), &PageQuery::all(5000), &Job::default(), |activity| {
            found.push(activity);
            true
        })
        .await
        .expect("read");
        store.ingest(found);
    }
    store.all_rows().iter().map(|row| store.get(*row)).collect()
}

fn ordered(activities: &[&Activity], newest_first: bool) -> Vec<String> {
    let mut sorted: Vec<_> = activities.iter().map(|a| (a.started_at, a.id.to_string())).collect();
    sorted.sort();
    if newest_first {
        sorted.reverse();
    }
    sorted.into_iter().map(|(_, id)| id).collect()
}

async fn agrees(names: &Names, sources: &[Opened], seed: u64, rounds: usize) {
    let context = Context { now: EPOCH.plus_ms(900_000), zone: chrono_tz::Tz::UTC };
    let all = joined(names, sources).await;
    let shared = all.iter().filter(|activity| activity.places.len() > 1).count();
    assert!(shared > all.len() / 4, "{shared} of {} are in several sources", all.len());
    let mut rng = Rng::with_seed(seed);
    let mut found_any = 0;
    for _ in 0..rounds {
        let text = filter(&mut rng, 2);
        let (filter, predicate) = Filter::compile(&text, &context).expect(&text);
        let bound = |rng: &mut Rng| (rng.u8(0..3) == 0).then(|| EPOCH.plus_ms(rng.i64(0..6_000_000)));
        let (since, until) = (bound(&mut rng), bound(&mut rng));
        let newest_first = rng.bool();
        let query = PageQuery { filter, context, since, until, newest_first, limit: 50 };
        let mut history = MergedHistory::new(sources, &Work::command("test"), names, query);
        let mut found = Vec::new();
        while let Some(activity) = history.next().await.expect("read") {
            found.push(activity);
        }
        let expected: Vec<&Activity> = all
            .iter()
            .filter(|a| {
                since.is_none_or(|since| a.started_at >= since) && until.is_none_or(|until| a.started_at < until)
            })
            .filter(|activity| predicate.keeps(&NamedRecord { activity, names, payload: None }))
            .collect();
        found_any += usize::from(!expected.is_empty());
        let ids: Vec<String> = found.iter().map(|activity| activity.id.to_string()).collect();
        assert_eq!(ids, ordered(&expected, newest_first), "seed {seed}, {text}, {since:?}..{until:?}");
        for activity in &found {
            let whole = expected.iter().find(|known| known.id == activity.id).expect("it is one of them");
            assert_eq!(
                activity.places.len(),
                whole.places.len(),
                "seed {seed}, {text}: every place of {}",
                activity.id
            );
        }
    }
    assert!(found_any > rounds / 3, "the filters keep something: {found_any}");
}

/// Sources of these kinds, the first of which is called `first`; `None` where servers are not wanted.
async fn placed(folder: &Path, names: &Names, holders: &[Holder], rng: &mut Rng) -> Option<Vec<Opened>> {
    let halves = halves(rng, holders.len(), 240);
    let mut sources = Vec::new();
    for (index, (holder, rows)) in holders.iter().zip(&halves).enumerate() {
        let name = if index == 0 { "first".to_owned() } else { format!("other-{index}") };
        sources.push(holder.place(folder, names, &name, rows).await?);
    }
    Some(sources)
}

/// Figures of one source that counts by itself, put right by what the others have, are those of everything joined.
async fn counts_agree(names: &Names, sources: &[Opened], seed: u64, rounds: usize) {
    let context = Context { now: EPOCH.plus_ms(900_000), zone: chrono_tz::Tz::UTC };
    let all = joined(names, sources).await;
    let mut rng = Rng::with_seed(seed + 900);
    let mut counted = 0;
    for round in 0..rounds {
        let text = if round == 0 { String::new() } else { filter(&mut rng, 2) };
        let (filter, predicate) = Filter::compile(&text, &context).expect(&text);
        let bound = |rng: &mut Rng| (rng.u8(0..3) == 0).then(|| EPOCH.plus_ms(rng.i64(0..6_000_000)));
        let (since, until) = (bound(&mut rng), bound(&mut rng));
        let fields = [Field::System, Field::Status, Field::Actor, Field::Source];
        let by = fields.into_iter().filter(|_| rng.u8(0..3) == 0).collect();
        let grouping = Grouping { by, bucket_us: rng.bool().then_some(60_000_000), ..Grouping::default() };
        let query = PageQuery { filter, context, since, until, newest_first: true, limit: 50 };
        let forced = Worth { least: 0, row: 0 };
        let found =
            corrected(sources, &Work::command("test"), names, &query, &grouping, forced).await.expect("counted");
        let Some(found) = found else { continue };
        counted += 1;
        let mut expected = Groups::new();
        let within = |a: &&Activity| {
            since.is_none_or(|since| a.started_at >= since) && until.is_none_or(|until| a.started_at < until)
        };
        for activity in all.iter().filter(within) {
            if predicate.keeps(&NamedRecord { activity, names, payload: None }) {
                expected.entry(grouping.key(activity, names)).or_default().add(activity);
            }
        }
        assert_eq!(found, expected, "seed {seed}, {text}, {since:?}..{until:?}, {grouping:?}");
    }
    let totals = Grouping { measures: Measures::Totals, in_store: true, ..Grouping::default() };
    // All of those that count have to do so here: schemas of their own are read by some.
    let (mut can, mut finds_ids) = (true, false);
    for (_, source) in sources.iter().filter(|(_, source)| source.capabilities().aggregates) {
        can &= source.aggregate(&PageQuery::all(50), &totals, &Job::default()).await.is_ok();
        finds_ids |= source.capabilities().finds_ids;
    }
    let can = can && finds_ids && sources.len() == 2;
    assert!(!can || counted > rounds / 4, "{counted} of {rounds} were counted");
}

async fn holds(holders: &[Holder], seed: u64, rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let names = Names::default();
    let mut rng = Rng::with_seed(seed + 40);
    if let Some(sources) = placed(folder.path(), &names, holders, &mut rng).await {
        agrees(&names, &sources, seed, rounds).await;
        counts_agree(&names, &sources, seed, rounds).await;
    }
}

/// A large source is not read where another has little.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_source_counts_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = Names::default();
    let row = |number: i64| {
        let status = if number % 7 == 0 { Status::Failed } else { Status::Success };
        let start = Start {
            id: format!("{number:08x}-0000-4000-8000-000000000000"),
            system: ["SAP", "Zoho", "Tally"][usize::try_from(number % 3).expect("small")].to_owned(),
            started_at: EPOCH.plus_ms(number * 400),
            ..Start::default()
        };
        PreparedRow::new(start, Some(Outcome { status: Some(status), ..Outcome::default() }))
    };
    let mut sources = Vec::new();
    // Of 100 requests the large one knows 80.
    for (name, numbers) in [("large", 0..2000), ("small", 1920..2020)] {
        let path = folder.path().join(format!("{name}.sqlite"));
        written(&path, numbers.map(row).collect()).await;
        let config = SourceConfig {
            name: name.to_owned(),
            at: vec![path.to_str().expect("UTF-8").to_owned()],
            ..SourceConfig::default()
        };
        sources.push(crosstail::kinds::ALL.open(&config, &names).expect("opened"));
    }
    let context = Context { now: EPOCH.plus_ms(900_000), zone: chrono_tz::Tz::UTC };
    let query = PageQuery { context, newest_first: true, ..PageQuery::all(50) };
    let read = |worth: Worth| {
        let (sources, names, query) = (&sources, &names, &query);
        async move {
            let (work, grouping) = (Work::command("test"), Grouping::by(Field::System));
            corrected(sources, &work, names, query, &grouping, worth).await.expect("counted")
        }
    };
    let mut expected = Groups::new();
    for activity in joined(&names, &sources).await {
        expected.entry(Grouping::by(Field::System).key(&activity, &names)).or_default().add(&activity);
    }
    assert_eq!(expected.values().map(|figures| figures.count).sum::<u64>(), 2020);
    assert_eq!(read(Worth { least: 500, row: 3 }).await, Some(expected));
    // Too little to bother, and too much to look up.
    assert_eq!(read(Worth { least: 5000, row: 3 }).await, None);
    assert_eq!(read(Worth { least: 500, row: 30 }).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_first_then_filtered() {
    use Holder::{File, Sqlite};
    let all: [&[Holder]; 5] =
        [&[Sqlite, Sqlite], &[Sqlite, File], &[File, File], &[Sqlite, Sqlite, File], &[File, Sqlite, Sqlite, Sqlite]];
    for (seed, holders) in all.into_iter().enumerate() {
        holds(holders, seed as u64, 60).await;
    }
}

/// Every pair of kinds, in both orders of asking, where one at least is a server.
async fn holds_with_every_other(one: Holder) {
    let at = Holder::ALL.iter().position(|holder| *holder == one).expect("a holder");
    for (index, other) in Holder::ALL[..=at].iter().enumerate() {
        let seed = (at * 10 + index) as u64;
        let pair = if index % 2 == 0 { [one, *other] } else { [*other, one] };
        holds(&pair, seed, 25).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_first_then_filtered_with_postgres() {
    holds_with_every_other(Holder::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_first_then_filtered_with_mysql() {
    holds_with_every_other(Holder::Mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_first_then_filtered_with_mongodb() {
    holds_with_every_other(Holder::Mongo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_first_then_filtered_with_elasticsearch() {
    holds_with_every_other(Holder::Elastic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_first_then_filtered_with_kafka() {
    holds_with_every_other(Holder::Kafka).await;
}
