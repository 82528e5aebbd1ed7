//! Several sources that share requests: what is found is what joining first and filtering then would find, whatever each
//! source was asked for.

use crate::support::EPOCH;
use crosstail::runtime::{MergedHistory, Work};
use crosstail_core::filter::{Context, Filter, NamedRecord};
use crosstail_core::model::{Activity, Names, SourceId};
use crosstail_core::schema::Schema;
use crosstail_engine::store::Store;
use crosstail_source::{Job, PageQuery, Source, SourceConfig, for_each};
use fastrand::Rng;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

type Opened = (SourceId, Arc<dyn Source>);

/// A request as one of the sources knows it.
struct Row {
    id: String,
    at_ms: i64,
    /// Columns of [`COLUMNS`], in order.
    values: Vec<Option<String>>,
}

const COLUMNS: [&str; 7] = ["system", "status", "message", "error", "corr", "actor", "took"];

const SCHEMA: &str = "name = \"halves\"\ntitle = \"halves\"\n[table]\nname = \"calls\"\nid = \"id\"\ntime = \"at\"\n\
    time_unit = \"ms\"\n[fields]\nid = \"id\"\nstarted_at = \"at\"\nsystem = \"system\"\nstatus = \"status\"\n\
    message = \"message\"\nerror = \"error\"\ncorrelation_id = \"corr\"\nactor = \"actor\"\nduration = \"took\"\n\
    [words.status]\nok = \"success\"\nbroken = \"failed\"\n";

/// Requests of which each source has some columns.
fn halves(rng: &mut Rng, sources: usize, count: i64) -> Vec<Vec<Row>> {
    let mut all: Vec<Vec<Row>> = (0..sources).map(|_| Vec::new()).collect();
    for number in 0..count {
        let id = format!("{:08x}-0000-4000-8000-{:012x}", rng.u32(..), number);
        let truth: Vec<Vec<String>> = vec![
            // Who wins where two sources say different things is not for the source that is asked to know.
            vec!["SAP".to_owned(), "Zoho".to_owned(), "sap-adapter".to_owned()],
            vec![["ok", "broken"][rng.usize(0..2)].to_owned()],
            vec![format!("order {} sent", rng.u8(0..4)), format!("order {} received", rng.u8(0..4))],
            vec![["timeout", "duplicate key"][rng.usize(0..2)].to_owned()],
            vec![format!("c-{:04}", rng.u8(0..9))],
            vec![["ann", "bob"][rng.usize(0..2)].to_owned()],
            vec![rng.u32(1..3000).to_string()],
        ];
        for rows in &mut all {
            if rng.u8(0..3) == 0 {
                continue;
            }
            let value = |rng: &mut Rng, choices: &Vec<String>| {
                (rng.u8(0..2) == 0).then(|| choices[rng.usize(0..choices.len())].clone())
            };
            let values = truth.iter().map(|choices| value(rng, choices)).collect();
            rows.push(Row { id: id.clone(), at_ms: number * 30_000 + rng.i64(0..600_000), values });
        }
    }
    all
}

async fn sqlite(path: &Path, rows: &[Row]) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.expect("opened");
    let made =
        format!("CREATE TABLE calls (id TEXT PRIMARY KEY, at INTEGER, {})", COLUMNS.join(" TEXT, ") + " INTEGER");
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut connection).await.expect("made");
    for row in rows {
        let mut query = sqlx::query("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
        query = query.bind(&row.id).bind(EPOCH.0 / 1000 + row.at_ms);
        for value in &row.values {
            query = query.bind(value);
        }
        query.execute(&mut connection).await.expect("written");
    }
}

fn lines(path: &Path, rows: &[Row]) {
    let mut text = String::new();
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| row.at_ms);
    for row in sorted {
        let mut line = serde_json::json!({ "id": row.id, "at": EPOCH.0 / 1000 + row.at_ms });
        for (name, value) in COLUMNS.iter().zip(&row.values) {
            if let Some(value) = value {
                let number = value.parse::<u32>().ok().filter(|_| *name == "took");
                line[*name] = number.map_or_else(|| value.as_str().into(), Into::into);
            }
        }
        writeln!(text, "{line}").expect("written");
    }
    std::fs::write(path, text).expect("written");
}

fn open(names: &Names, name: &str, path: &Path) -> Opened {
    let schema = Schema::from_toml(SCHEMA, "halves.toml").expect("a schema");
    let at = vec![path.to_str().expect("UTF-8").to_owned()];
    let config = SourceConfig { name: name.to_owned(), at, schema: Some(schema), ..SourceConfig::default() };
    crosstail::kinds::ALL.open(&config, names).expect("opened")
}

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

fn filter(rng: &mut Rng, depth: usize) -> String {
    match rng.u8(0..10) {
        0..6 if depth > 0 => format!("{} {}", filter(rng, depth - 1), filter(rng, depth - 1)),
        6..8 if depth > 0 => format!("({} OR {})", filter(rng, depth - 1), filter(rng, depth - 1)),
        _ => clause(rng),
    }
}

/// Everything of all sources, joined.
async fn joined(names: &Names, sources: &[Opened]) -> Vec<Activity> {
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

async fn agrees(names: &Names, sources: &[Opened], seed: u64) {
    let context = Context { now: EPOCH.plus_ms(900_000), zone: chrono_tz::Tz::UTC };
    let all = joined(names, sources).await;
    let shared = all.iter().filter(|activity| activity.places.len() > 1).count();
    assert!(shared > all.len() / 4, "{shared} of {} are in several sources", all.len());
    let mut rng = Rng::with_seed(seed);
    let mut found_any = 0;
    for _ in 0..60 {
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
    assert!(found_any > 30, "the filters keep something: {found_any}");
}

#[tokio::test(flavor = "multi_thread")]
async fn joined_first_then_filtered() {
    for (seed, kinds) in ["dd", "dl", "ll", "ddl", "lddd"].into_iter().enumerate() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut rng = Rng::with_seed(seed as u64 + 40);
        let halves = halves(&mut rng, kinds.len(), 240);
        let names = Names::default();
        let mut sources = Vec::new();
        for (index, (kind, rows)) in kinds.chars().zip(&halves).enumerate() {
            let name = if index == 0 { "first".to_owned() } else { format!("other-{index}") };
            let path = folder.path().join(format!("{name}.{}", if kind == 'd' { "sqlite" } else { "log" }));
            if kind == 'd' {
                sqlite(&path, rows).await;
            } else {
                lines(&path, rows);
            }
            sources.push(open(&names, &name, &path));
        }
        agrees(&names, &sources, seed as u64).await;
    }
}
