use super::*;
use crate::pattern::Trend;
use crosstail_core::filter::{Context, Filter, NamedRecord};
use crosstail_core::model::{Id, Locator, NameId, Names, Place, SourceId, Status};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000_000);

fn ago(hours: i64) -> Timestamp {
    NOW.plus_us(-hours * HOUR_US)
}

fn failure(number: u128, system: &str, at: Timestamp, error: &str) -> Activity {
    let mut a = Activity::new(Id::Uuid(number), at);
    a.status = Some(Status::Failed);
    a.system = Some(system.into());
    a.endpoint = Some("/po/create".into());
    a.http_status = Some(503);
    a.error = Some(error.into());
    a
}

/// The groups of failures of the last day, with what was before it.
fn groups(all: &[Activity]) -> Vec<FailureGroup> {
    let since = ago(24);
    let mut failures = Failures::new(Span::of(Some(since), NOW));
    for activity in all {
        if activity.started_at < since {
            failures.add_before(activity);
        } else {
            failures.add(activity.clone());
        }
    }
    failures.settle()
}

#[test]
fn a_group_is_new_ongoing_back_again_or_quiet() {
    let all = [
        failure(1, "SAP", ago(3), "order 17 refused"),
        failure(2, "SAP", ago(2), "order 4711 refused"),
        // Yesterday, and before.
        failure(3, "Zoho", ago(2), "busy"),
        failure(4, "Zoho", ago(25), "busy"),
        // After five days of silence.
        failure(5, "Tally", ago(2), "no such ledger"),
        failure(6, "Tally", ago(5 * 24), "no such ledger"),
    ];
    let found = groups(&all);
    let of =
        |system: &str| found.iter().find(|group| group.fingerprint.system.as_deref() == Some(system)).expect("a group");
    let sap = of("SAP");
    assert_eq!((sap.state, sap.count, sap.began, sap.before), (State::New, 2, ago(3), None));
    assert_eq!(sap.fingerprint.pattern.text, "order <*> refused");
    assert_eq!((of("Zoho").state, of("Zoho").count), (State::Ongoing, 1));
    let tally = of("Tally");
    assert_eq!((tally.state, tally.began, tally.before), (State::BackAgain, ago(2), Some(ago(120))));
    // What is new stands first.
    let states: Vec<State> = found.iter().map(|group| group.state).collect();
    assert_eq!(states, [State::New, State::BackAgain, State::Ongoing]);
    // Of a week, what has ended is quiet, and what goes on since the day before yesterday is not new.
    let mut week = Failures::new(Span::of(Some(ago(7 * 24)), NOW));
    week.add(failure(1, "SAP", ago(30), "order 17 refused"));
    week.add(failure(2, "Zoho", ago(30), "busy"));
    week.add(failure(3, "Zoho", ago(20), "busy"));
    week.add(failure(4, "Tally", ago(20), "no such ledger"));
    let found: Vec<State> = week.settle().iter().map(|group| group.state).collect();
    assert_eq!(found, [State::New, State::Ongoing, State::Quiet]);
}

/// One text that two places throw is two groups; what is remembered without a place is neither new here nor there.
#[test]
fn what_another_place_throws_is_another_group() {
    let at = |number: u128, hours: i64, place: Option<&str>| {
        let mut one = failure(number, "SAP", ago(hours), "Internal error");
        one.error_at = place.map(Into::into);
        let locator = Locator::Line { file: NameId(1), offset: 0, length: 0 };
        one.places = vec![Place::new(SourceId(0), locator)];
        one
    };
    let (save, load) = (Some("saveOrder (/app/orders.ts)"), Some("loadStock (/app/stock.ts)"));
    let all = [at(1, 30, save), at(2, 2, save), at(3, 2, load), at(4, 1, load), at(5, 3, None)];
    let found = groups(&all);
    let told: Vec<(Option<&str>, State, u64)> =
        found.iter().map(|one| (one.fingerprint.frame.as_deref(), one.state, one.count)).collect();
    assert_eq!(told, [(load, State::New, 2), (None, State::New, 1), (save, State::BackAgain, 1)]);
    let ids: HashSet<String> = found.iter().map(|one| one.fingerprint.id()).collect();
    assert_eq!(ids.len(), 3);
    let names = Names::default();
    for group in &found {
        let (_, predicate) = Filter::compile(&group.filter(), &Context::default()).expect("a filter");
        let kept =
            all[1..].iter().filter(|one| predicate.keeps(&NamedRecord { activity: one, names: &names, payload: None }));
        assert_eq!(kept.count() as u64, group.count, "{}", group.filter());
    }
    let mut again = Failures::new(Span::of(Some(ago(24)), NOW));
    again.add_seen(&Seen {
        system: Some("SAP".into()),
        endpoint: Some("/po/create".into()),
        kind: "503".into(),
        frame: Some(ANYWHERE.into()),
        text: "Internal error".to_owned(),
        first: ago(30),
        last: ago(25),
    });
    for one in &all[1..] {
        again.add(one.clone());
    }
    assert!(again.settle().iter().all(|one| one.state == State::Ongoing));
}

/// What fails once a night is not back again each night, and is so after a night without it.
#[test]
fn what_is_always_silent_for_a_day_is_not_back_again() {
    let nightly = |last: i64| {
        let times = (1..12).map(|night| last + 24 * night);
        let mut all: Vec<Activity> =
            (10_u128..).zip(times).map(|(number, hours)| failure(number, "SAP", ago(hours), "no backup")).collect();
        all.push(failure(1, "SAP", ago(2), "no backup"));
        groups(&all).remove(0).state
    };
    assert_eq!(nightly(2), State::Ongoing);
    assert_eq!(nightly(2 + 24), State::BackAgain);
}

#[test]
fn whom_it_affects_and_whether_retries_repair_it_are_counted() {
    let mut all = Failures::new(Span::of(Some(ago(24)), NOW));
    for number in 0..10_u32 {
        let mut one = failure(number.into(), "SAP", ago(2), "refused");
        one.entity = Some(format!("PO {}", number % 3).into());
        one.organization = Some(format!("org-{}", number % 2).into());
        one.final_outcome = match number {
            0 => Some(FinalOutcome::Recovered { after_us: 1, attempt: 2 }),
            1..4 => Some(FinalOutcome::GivenUp),
            4 => Some(FinalOutcome::Running),
            _ => None,
        };
        all.add(one);
    }
    let found = all.settle();
    assert_eq!((found[0].entities, found[0].organizations, found[0].repair()), (3, 2, Some((0.25, 4))));
    assert_eq!(found[0].example.id, Id::Uuid(9), "of one moment, the one with the greatest id");
}

#[test]
fn its_filter_keeps_the_failures_of_a_group_and_no_others() {
    let mut without = failure(5, "SAP", ago(2), "order 4 refused");
    (without.endpoint, without.operation, without.http_status) = (None, Some("sync \"all\"".into()), None);
    let mut line = Activity::new(Id::Uuid(6), ago(2));
    line.level = Some(crosstail_core::model::Level::Error);
    line.message = Some("login of \\ann\\ failed: Bearer abcdefghijklmnop is \"old\"".into());
    let mut silent = failure(7, "SAP", ago(2), "");
    silent.error = None;
    let mut empty = failure(8, "SAP", ago(2), "");
    (empty.error, empty.message) = (Some("".into()), None);
    let mut all = vec![
        failure(1, "SAP", ago(2), "order 1 refused"),
        failure(2, "SAP", ago(1), "order 2 refused"),
        failure(3, "Zoho", ago(2), "order 3 refused"),
        failure(4, "SAP", ago(2), "order 1 not found"),
        without,
        line,
        silent,
        empty,
    ];
    for (number, user) in ["ann", "bob", "cyrus", "dora", "emil", "fritz"].iter().enumerate() {
        all.push(failure(100 + number as u128, "auth", ago(2), &format!("session of {user} closed")));
    }
    let (names, context) = (Names::default(), Context { now: NOW, zone: crosstail_core::model::Tz::UTC });
    let found = groups(&all);
    assert_eq!(found.len(), 7, "{found:#?}");
    for group in &found {
        let (_, predicate) = Filter::compile(&group.filter(), &context).expect("a filter");
        let keeps = |activity: &&Activity| predicate.keeps(&NamedRecord { activity, names: &names, payload: None });
        let kept: Vec<&Activity> = all.iter().filter(keeps).collect();
        assert_eq!(kept.len() as u64, group.count, "{}: {kept:#?}", group.filter());
        assert!(kept.iter().any(|activity| activity.id == group.example.id));
    }
}

#[test]
fn a_mute_ends_when_the_group_changes() {
    let mut group = groups(&[failure(1, "SAP", ago(2), "refused")]).remove(0);
    assert!(!group.is_muted());
    group.remark.mute = Some(Mute { at: ago(1), last_hour: 20 });
    assert!(group.is_muted(), "it was new before it was muted");
    group.last_hour = 40;
    assert!(group.is_muted());
    group.last_hour = 41;
    assert!(!group.is_muted(), "it fails more than twice as often");
    group.last_hour = 0;
    (group.state, group.began) = (State::BackAgain, NOW);
    assert!(!group.is_muted(), "it is back after silence");
    // What was said stays with a group of which one word has become one of several.
    let mut known = group.fingerprint.clone();
    known.pattern.text = "<*>".to_owned();
    let said = Remark { note: "known".to_owned(), mute: None };
    let mut all = vec![group];
    remark(&mut all, &[(known, said.clone())]);
    assert_eq!(all[0].remark, said);
}

fn any_failure() -> impl Strategy<Value = Activity> {
    let text = "(get|put) (a|b|c|d|e|f|g|h) (to|from) (x|y|z|u|v|w|q) ?[0-9]{0,2}";
    (1..1000_u32, prop::sample::select(vec!["SAP", "Zoho"]), 0..24 * 20_i64, text)
        .prop_map(|(number, system, hours, text)| failure(number.into(), system, ago(hours), &text))
}

/// What a group shows.
type Shown = (String, State, u64, Timestamp, Option<Timestamp>, Id, Trend);

fn shown(groups: Vec<FailureGroup>) -> Vec<Shown> {
    let one = |group: FailureGroup| {
        let id = group.fingerprint.id();
        (id, group.state, group.count, group.began, group.before, group.example.id, group.trend)
    };
    groups.into_iter().map(one).collect()
}

proptest! {
    #[test]
    fn the_order_of_arrival_changes_no_group(all in prop::collection::vec(any_failure(), 1..80), seed in any::<u64>()) {
        let mut shuffled = all.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(shown(groups(&all)), shown(groups(&shuffled)));
    }

    /// What is remembered of days says the same as what was read.
    #[test]
    fn what_is_remembered_is_as_good_as_what_is_read(all in prop::collection::vec(any_failure(), 1..80)) {
        let span = Span::of(Some(ago(24)), NOW);
        let (mut first, mut second) = (Failures::new(span), Failures::new(span));
        let (before, counted): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.started_at < span.fresh);
        for one in &before {
            first.add_before(one);
        }
        for day in day_of(ago(24 * 21))..=day_of(NOW) {
            for seen in first.seen_on(day) {
                second.add_seen(&seen);
            }
        }
        for one in counted {
            first.add(one.clone());
            second.add(one);
        }
        prop_assert_eq!(shown(first.settle()), shown(second.settle()));
    }
}

proptest! {
    /// What a ledger tells is the same in whatever order failures arrive, in however many batches.
    #[test]
    fn the_order_of_arrival_changes_nothing_that_a_ledger_tells(
        failures in prop::collection::vec((0_usize..3, 0_i64..90, 0_usize..8), 1..40),
        seed in any::<u64>(),
    ) {
        let words = ["ann", "bob", "cyrus", "dora", "emil", "fritz", "greta", "hans"];
        let all: Vec<Activity> = (1_u128..)
            .zip(&failures)
            .map(|(number, (system, minutes, word))| {
                let at = NOW.plus_us(-minutes * 60_000_000);
                failure(number, ["SAP", "Zoho", "Tally"][*system], at, &format!("refused by {}", words[*word]))
            })
            .collect();
        let since = NOW.plus_us(-HOUR_US);
        let known = KnownFailures { seen: Vec::new(), known_from: ago(15 * 24), begins: None, is_final: true };
        let told = |batches: Vec<Vec<Activity>>| {
            let mut store = crate::store::Store::new(Names::default());
            let mut ledger = Ledger::new(&known, since.plus_us(-HOUR_US));
            for batch in batches {
                store.ingest(batch);
                ledger.follow(&store, since.plus_us(-HOUR_US)..Timestamp(i64::MAX), NOW);
            }
            let groups = ledger.occurring(since, &[]);
            groups.into_iter().map(|g| (g.fingerprint, g.began, g.before, g.rows.len())).collect::<Vec<_>>()
        };
        let expected = told(vec![all.clone()]);
        let mut shuffled = all;
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(told(shuffled.chunks(7).map(<[Activity]>::to_vec).collect()), expected);
    }
}
