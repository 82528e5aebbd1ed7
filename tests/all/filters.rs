//! The filter language: every answer is the local evaluator's, wherever it is computed.

use crate::support::{EPOCH, open, random_database};
use crosstail::filter::{Context, Field, Filter, Named, Truth};
use crosstail::model::Activity;
use crosstail::source::{PageQuery, Source};
use crosstail::store::Store;
use fastrand::Rng;

fn context() -> Context {
    Context { now: EPOCH.plus_ms(200_000), zone: chrono_tz::Tz::UTC }
}

/// A random clause that parses.
fn clause(rng: &mut Rng) -> String {
    const CLAUSES: &[&str] = &[
        "system:sap",
        "system:S*",
        "system=SAP",
        "system!=SAP",
        "system:(SAP, Zoho)",
        "system?:Tally",
        "system:ünïcode",
        "system:K",
        "status:failed",
        "status:(failed, timeout)",
        "status!=success",
        "status?:success",
        "status:f*",
        "is:failure",
        "is:pending",
        "is:ok",
        "level>=warn",
        "level:error",
        "level?<info",
        "level:info..warn",
        "kind:webhook",
        "kind:(log, sync)",
        "dir:out",
        "dir:in",
        "http:5xx",
        "http:404",
        "http!=200",
        "http?>=500",
        "http:400..499",
        "http:*",
        "latency>1s",
        "latency<=20s",
        "latency:1s..5s",
        "latency?<100ms",
        "attempt>=2",
        "attempts:4",
        "method:get",
        "method=GET",
        "endpoint:/po/*",
        "endpoint:*raße*",
        "endpoint:/a%b_c",
        "url:example",
        "url:*po*",
        "url~/zoho|local/",
        "message:order",
        "msg:*",
        "error:\"duplicate key\"",
        "error~/timeout|ECONN/",
        "error!~/503/",
        "error:\"100% *starred*\"",
        "error:kelvin",
        "error.type:etimedout",
        "corr:7f3a9c21",
        "corr:c-1",
        "op:create",
        "op:lead.*",
        "entity:\"PO PO-4711\"",
        "actor>m",
        "actor<=SCHEDULER",
        "retry.next:*",
        "retry.next:..+10m",
        "retry.next?>-1m",
        "completed:*",
        "time:-60s",
        "time:..-100s",
        "source:test",
        "source:other",
        "upstream",
        "88123",
        "\"po po\"",
        "STRASSE",
        "/ECONN|dup/",
        "4711",
        "req.body.order>4",
        "req.body.order:3",
        "req.body.lines[*].sku:mat-1",
        "req.body.lines[0].qty:10..30",
        "req.body?:*",
        "req.header.x-tenant:t1",
        "res.body:\"duplicate key\"",
        "res.body.ok:true",
        "meta.tenant:org-2",
        "meta.tenant!=org-1",
        "-meta.tenant:org-0",
    ];
    CLAUSES[rng.usize(0..CLAUSES.len())].to_owned()
}

fn filter(rng: &mut Rng, depth: usize) -> String {
    match rng.u8(0..10) {
        0..4 if depth > 0 => format!("{} {}", filter(rng, depth - 1), filter(rng, depth - 1)),
        4..6 if depth > 0 => format!("({} OR {})", filter(rng, depth - 1), filter(rng, depth - 1)),
        6 if depth > 0 => format!("-({})", filter(rng, depth - 1)),
        7 => format!("NOT {}", clause(rng)),
        _ => clause(rng),
    }
}

fn kept(
    activities: &[(Activity, crosstail::model::Payload)],
    names: &crosstail::model::Names,
    text: &str,
) -> Vec<String> {
    let predicate = Filter::parse(text).expect(text).predicate(&context());
    let mut ids: Vec<String> = activities
        .iter()
        .filter(|(activity, payload)| predicate.keeps(&Named { activity, names, payload: Some(payload) }))
        .map(|(activity, _)| activity.id.to_string())
        .collect();
    ids.sort();
    ids
}

async fn everything(source: &dyn Source) -> Vec<(Activity, crosstail::model::Payload)> {
    let page = source.page(&PageQuery::all(10_000), None).await.expect("read");
    let mut all = Vec::new();
    for activity in page.items {
        let payload = source.payload(&activity.id, &activity.places[0].locator).await.expect("payload");
        all.push((activity, payload));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_sqlite_and_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    drop(random_database(&path, 11, 300).await);
    let (names, source) = open(&[format!("sqlite://{}", path.display())]);
    let all = everything(source.as_ref()).await;
    assert_eq!(all.len(), 300);
    let mut rng = Rng::with_seed(5);
    let (mut some, mut pushed) = (0, 0);
    for _ in 0..400 {
        let text = filter(&mut rng, 3);
        let query =
            PageQuery { filter: Filter::parse(&text).expect(&text), context: context(), ..PageQuery::all(10_000) };
        let page = source.page(&query, None).await.expect("read");
        let mut found: Vec<String> = page.items.iter().map(|a| a.id.to_string()).collect();
        found.sort();
        let expected = kept(&all, &names, &text);
        assert_eq!(found, expected, "{text}");
        some += usize::from(!expected.is_empty() && expected.len() < 300);
        pushed += page.division.in_store;
    }
    assert!(some > 150, "the filters tell activities apart: {some}");
    assert!(pushed > 200, "clauses are evaluated in the store: {pushed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn random_filters_answer_alike_in_memory_and_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    drop(random_database(&path, 12, 300).await);
    let (names, source) = open(&[format!("sqlite://{}", path.display())]);
    let all = everything(source.as_ref()).await;
    let mut store = Store::new(names.clone());
    store.ingest(all.iter().map(|(activity, _)| activity.clone()).collect());
    let mut rng = Rng::with_seed(6);
    for _ in 0..600 {
        let text = filter(&mut rng, 3);
        let predicate = Filter::parse(&text).expect(&text).predicate(&context());
        store.set_filter(predicate.clone());
        let found: Vec<String> = store.rows().iter().map(|row| store.get(*row).id.to_string()).collect();
        let expected: Vec<String> = store
            .all_rows()
            .iter()
            .map(|row| store.get(*row))
            .filter(|activity| predicate.test(&Named { activity, names: &names, payload: None }) == Truth::Yes)
            .map(|activity| activity.id.to_string())
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_kept_up_is_the_view_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite");
    drop(random_database(&path, 13, 200).await);
    let (names, source) = open(&[format!("sqlite://{}", path.display())]);
    let mut all: Vec<Activity> = everything(source.as_ref()).await.into_iter().map(|(activity, _)| activity).collect();
    let mut rng = Rng::with_seed(7);
    for _ in 0..60 {
        let text = filter(&mut rng, 2);
        let predicate = Filter::parse(&text).expect(&text).predicate(&context());
        let mut store = Store::new(names.clone());
        store.set_filter(predicate.clone());
        rng.shuffle(&mut all);
        for batch in all.chunks(17) {
            store.ingest(batch.to_vec());
            // Some change: what was open is over now.
            let changed = batch.iter().take(3).cloned().map(|mut a| {
                a.status = Some(crosstail::model::Status::Failed);
                a.http_status = Some(503);
                a.started_at = a.started_at.plus_ms(rng.i64(-3000..3000));
                a
            });
            store.ingest(changed.collect());
        }
        let kept_up: Vec<u32> = store.rows().to_vec();
        store.set_filter(predicate);
        assert_eq!(kept_up, store.rows(), "{text}");
        let times: Vec<_> = store.all_rows().iter().map(|row| store.started(*row)).collect();
        assert!(times.is_sorted());
    }
}

#[test]
fn mistakes_are_pointed_at() {
    for (text, from, to, says) in [
        ("sttus:failed", 0, 5, "did you mean 'status'?"),
        ("system:SAP staus:failed", 11, 16, "did you mean 'status'?"),
        ("body:x", 0, 4, "did you mean 'req.body'?"),
        ("status:faild", 7, 12, "did you mean 'failed'?"),
        ("latency>fast", 8, 12, "a length of time"),
        ("http:abc", 5, 8, "a number"),
        ("time:later", 5, 10, "is no time"),
        ("(status:failed", 0, 1, "is not closed"),
        ("status:failed)", 13, 14, "without its '('"),
        ("error~/(/", 6, 9, "regular expression"),
        ("\"open", 0, 5, "not closed"),
        ("status:", 7, 7, "a value is missing"),
        ("kind>log", 5, 8, "has no order"),
        ("-", 0, 0, ""),
    ] {
        match Filter::parse(text) {
            Err(error) => {
                assert!(error.message.contains(says), "{text}: {}", error.message);
                assert_eq!(error.span, from..to, "{text}: {}", error.message);
            }
            Ok(_) => assert_eq!(text, "-", "{text} parses"),
        }
    }
}

#[test]
fn nothing_typed_breaks_the_parser() {
    let mut rng = Rng::with_seed(9);
    let pieces = [
        "status", ":", "(", ")", "\"", "/", "..", "-", "!", "~", ">=", "*", " ", "OR", "AND", "é", "漢", "[*]", ".",
        "1s", "?", "\\", "time", ",",
    ];
    for _ in 0..20_000 {
        let text: String = (0..rng.usize(0..12)).map(|_| pieces[rng.usize(0..pieces.len())]).collect();
        if let Err(error) = Filter::parse(&text) {
            assert!(
                error.span.start <= text.len() && error.span.end <= text.len().max(error.span.start + 1),
                "{text}: {error:?}"
            );
            let _ = error.with_carets(&text);
        }
        for cursor in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let _ = crosstail::filter::complete(&text, cursor, &Store::new(crosstail::model::Names::default()));
        }
    }
    assert!(Filter::parse(&"(".repeat(10_000)).is_err());
    assert!(Filter::parse(&"-".repeat(10_000)).is_err() || Filter::parse("-a").is_ok());
}

#[test]
fn names_and_aliases_are_told_apart() {
    let mut seen = std::collections::HashSet::new();
    for field in Field::ALL {
        for name in std::iter::once(&field.name()).chain(field.aliases()) {
            assert!(seen.insert(*name), "{name} twice");
        }
    }
}
