//! A store of traces, which is only asked (docs/contract.md, C23): a server that answers as Tempo documents it.

use super::fixtures::Fixture;
use crate::receivers::{Answered, serve, tempo_trace};
use crate::support::{PATIENCE, ids, open};
use crosstail_core::filter::Field;
use crosstail_core::model::Names;
use crosstail_source::{ErrorKind, Grouping, Job, PageQuery, RelatedKey, Source};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Traces among which spans are divided.
const TRACES: u128 = 3;

pub struct TracesFixture {
    answers: Arc<Mutex<HashMap<String, Answered>>>,
    asked: Arc<Mutex<Vec<String>>>,
    port: u16,
    source: Arc<dyn Source>,
    names: Names,
    written: u64,
}

fn trace(n: u128) -> u128 {
    0x0af7_6519_16cd_43dd_8448_eb21_1c80_0000 + n % TRACES
}

impl TracesFixture {
    pub async fn new() -> Option<Self> {
        let answers = Arc::<Mutex<HashMap<String, Answered>>>::default();
        answers.lock().expect("lock").insert("/api/echo".to_owned(), (200, "text/plain", b"echo".to_vec()));
        let (port, asked) = serve(Arc::clone(&answers));
        let (names, source) = open(&[format!("tempo+http://127.0.0.1:{port}")]);
        Some(Self { answers, asked, port, source, names, written: 0 })
    }

    /// The ids of the spans of a trace.
    fn spans(&self, of: u128) -> Vec<String> {
        let own = (1..=self.written).filter(|n| trace(u128::from(*n)) == of);
        let mut ids: Vec<String> = own.map(|n| format!("{of:032x}-{n:016x}")).collect();
        ids.sort();
        ids
    }
}

impl Fixture for TracesFixture {
    async fn insert(&mut self, count: usize) -> Vec<String> {
        let before = self.written;
        self.written += count as u64;
        let mut answers = self.answers.lock().expect("lock");
        for one in (0..TRACES).map(trace) {
            let own = (1..=self.written).filter(|n| trace(u128::from(*n)) == one);
            let spans: Vec<_> = own.map(|n| (one, n, 0, "charge", 3)).collect();
            answers.insert(format!("/api/traces/{one:032x}"), (200, "application/protobuf", tempo_trace(&spans)));
        }
        let mut new: Vec<String> =
            (before + 1..=self.written).map(|n| format!("{:032x}-{n:016x}", trace(u128::from(n)))).collect();
        new.sort();
        new
    }

    async fn start(&mut self, _count: usize) -> Vec<String> {
        unreachable!("a span is told once it is over");
    }

    async fn complete(&mut self, _ids: &[String]) {
        unreachable!("a span is told once it is over");
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source)
    }

    fn reopened(&self) -> Arc<dyn Source> {
        open(&[self.address()]).1
    }

    fn address(&self) -> String {
        format!("tempo+http://127.0.0.1:{}", self.port)
    }

    fn names(&self) -> Names {
        self.names.clone()
    }

    async fn fingerprint(&mut self) -> String {
        format!("{:?}", self.answers.lock().expect("lock"))
    }

    async fn delete_all(&mut self) {
        self.answers.lock().expect("lock").clear();
    }
}

pub async fn what_is_asked_is_answered(mut fixture: TracesFixture) {
    fixture.insert(60).await;
    let (source, before) = (fixture.source(), fixture.fingerprint().await);
    for one in (0..TRACES).map(trace) {
        let key = RelatedKey::correlation(format!("{one:032x}"));
        let found = source.related(&key, 1000, &Job::default()).await.expect("related");
        assert_eq!(ids(&found.activities), fixture.spans(one), "C11.1: exactly those of the trace");
        let few = source.related(&key, 2, &Job::default()).await.expect("related");
        assert_eq!(few.activities.len(), 2, "C11.2: at most as many as asked for");
        assert!(few.bounds.is_some_and(|bounds| bounds.contains("of 20 spans")), "what is left out is said");
        let again = fixture.reopened().related(&key, 1000, &Job::default()).await.expect("related");
        assert_eq!(ids(&again.activities), ids(&found.activities), "C9.1: the same ids on every open");
        for activity in found.activities.iter().take(3) {
            let locator = &activity.places.first().expect("C9.2: it names a place").locator;
            let payload = source.payload(&activity.id, locator, &Job::default()).await.expect("payload");
            let span = &activity.id.to_string()[33..];
            assert!(payload.raw.iter().any(|raw| format!("{raw:?}").contains(span)), "C10.1: its own payload");
        }
    }
    let unknown = RelatedKey::correlation("ffffffffffffffffffffffffffffffff");
    assert!(source.related(&unknown, 10, &Job::default()).await.expect("related").activities.is_empty());
    assert_eq!(fixture.fingerprint().await, before, "C1.1: no call changes the store");
}

pub async fn nothing_is_searched(mut fixture: TracesFixture) {
    fixture.insert(10).await;
    let source = fixture.source();
    assert!(!source.capabilities().holds_activities, "C23.1");
    source.probe(&Job::default()).await.expect("probe");
    assert!(source.page(&PageQuery::all(10), None, &Job::default()).await.expect("page").items.is_empty());
    let figures = source.aggregate(&PageQuery::all(10), &Grouping::by(Field::System), &Job::default()).await;
    assert!(figures.expect("figures").is_empty(), "C23.1: it counts nothing");
    let asked = fixture.asked.lock().expect("lock").clone();
    assert!(asked.iter().all(|head| head.contains("/api/echo")), "C23.1: nothing is asked for: {asked:?}");
}

pub async fn one_that_is_not_there_is_an_error(fixture: TracesFixture) {
    // A port that nobody listens at, and one where something else does.
    let nobody = open(&[format!("tempo+http://127.0.0.1:{}", crate::receivers::free_port())]).1;
    let error =
        tokio::time::timeout(PATIENCE, nobody.probe(&Job::default())).await.expect("in time").expect_err("none");
    assert!(matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout), "C3.1: {error}");
    let mut fixture = fixture;
    fixture.delete_all().await;
    let error = fixture.source().probe(&Job::default()).await.expect_err("no Tempo");
    assert_eq!(error.kind, ErrorKind::Unsupported, "C13.1: {error}");
}
