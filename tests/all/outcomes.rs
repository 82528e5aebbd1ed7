//! What became of failed attempts (`final:`), in every command: one record does not say it, the sources together do.

use crate::habits::{printed, said, write};
use crate::pty::Terminal;
use crate::support::{crosstail, lines};
use crosstail_core::model::{Direction, Kind, Status, Timestamp, parse_timestamp};
use crosstail_record::{Outcome, PreparedRow, Start};
use std::path::Path;

/// The attempts of an operation: given up, recovered, waiting, running, and one that nobody was to try again.
const ORDERS: [&[Status]; 5] = [
    &[Status::Failed, Status::Timeout, Status::Failed],
    &[Status::Failed, Status::Success],
    &[Status::Failed],
    &[Status::Failed, Status::InProgress],
    &[Status::Failed],
];

fn attempt(order: usize, index: usize) -> PreparedRow {
    let status = ORDERS[order][index];
    let begun = parse_timestamp("2026-11-25T22:30:00Z").expect("a time");
    let started_at: Timestamp = begun.plus_ms(order as i64 * 60_000 + index as i64 * 10_000);
    let is_lone = order == 4;
    let start = Start {
        id: format!("{order:08x}-{index:04x}-4000-8000-000000000000"),
        kind: Some(Kind::ApiCall),
        direction: Some(Direction::Out),
        system: "SAP".to_owned(),
        endpoint: Some("/po/create".to_owned()),
        method: Some("POST".to_owned()),
        entity: Some(format!("PO PO-{order}")),
        correlation_id: Some(format!("trace-{order}")),
        attempt: (!is_lone).then_some(index as u16 + 1),
        max_attempts: (!is_lone).then_some(3),
        started_at,
        ..Start::default()
    };
    let failed = status.is_failure();
    let outcome = Outcome {
        status: Some(status),
        http_status: (status == Status::Failed).then_some(503),
        error: failed.then(|| "Service Unavailable".to_owned()),
        next_retry_at: (failed && index < 2 && !is_lone).then(|| started_at.plus_ms(10_000)),
        completed_at: status.is_finished().then(|| started_at.plus_ms(2_000)),
        ..Outcome::default()
    };
    PreparedRow::new(start, Some(outcome))
}

/// Stores in which the attempts with these numbers, and no others, are.
fn store(path: &Path, holds: impl Fn(usize) -> bool) {
    let of = |order: usize| (0..ORDERS[order].len()).map(move |index| (order, index));
    let all = (0..ORDERS.len()).flat_map(of).filter(|(_, index)| holds(*index));
    write(path, all.map(|(order, index)| attempt(order, index)).collect());
}

/// What memory holds instead of the attempts, where it holds little.
fn newer() -> impl Iterator<Item = PreparedRow> {
    let begun = parse_timestamp("2026-11-26T08:00:00Z").expect("a time");
    (0..60u32).map(move |number| {
        let started_at = begun.plus_ms(i64::from(number) * 1000);
        let start = Start { id: format!("{number:08x}-ffff-4000-8000-000000000000"), started_at, ..Start::default() };
        PreparedRow::new(start, Some(Outcome { status: Some(Status::Success), ..Outcome::default() }))
    })
}

#[test]
fn what_became_of_attempts_is_known_from_all_of_them_wherever_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let [whole, first, later] = ["whole.sqlite", "first.sqlite", "later.sqlite"].map(|name| folder.path().join(name));
    store(&whole, |_| true);
    // No attempt is in the same store as the one before it.
    store(&first, |index| index % 2 == 0);
    store(&later, |index| index % 2 == 1);
    let path = |path: &Path| path.display().to_string();
    let (whole, first, later) = (path(&whole), path(&first), path(&later));
    for sources in [vec!["-s", whole.as_str()], vec!["-s", first.as_str(), "-s", later.as_str()]] {
        let run = |arguments: &[&str]| {
            let output = crosstail(&[arguments, &sources].concat());
            assert!(output.status.success(), "{arguments:?}: {}", said(&output));
            output
        };
        for (filter, count) in [
            ("final:given_up", 3),
            ("final:recovered", 1),
            ("final:waiting", 1),
            ("final:running", 1),
            ("final:*", 6),
            ("final:(given_up, waiting) system:sap", 4),
            ("final!=given_up", 3),
            ("status:failed -final:*", 1),
            ("-final:*", 3),
            ("final:recovered OR entity:\"PO PO-2\"", 2),
            ("final?:recovered is:failure", 2),
        ] {
            let found = printed(&run(&["query", "--count", filter]));
            assert_eq!(found.trim(), count.to_string(), "{filter} in {sources:?}");
        }
        let found = lines(&run(&["query", "final:given_up", "-o", "json", "-n", "2"]));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|row| row["final"] == "given_up" && row["entity"] == "PO PO-0"), "{found:?}");
        // It is looked up where it is asked for, and nowhere else.
        let found = lines(&run(&["query", "status:failed", "-o", "json", "--fields", "entity,final"]));
        let of = |entity: &str| {
            let row = found.iter().find(|row| row["entity"] == entity).expect("there");
            row["final"].as_str().map(str::to_owned)
        };
        assert_eq!([of("PO PO-1").as_deref(), of("PO PO-4").as_deref()], [Some("recovered"), None]);
        assert!(lines(&run(&["query", "status:failed", "-o", "json"])).iter().all(|row| row.get("final").is_none()));
        let groups = lines(&run(&["stats", "--by", "final", "-o", "json"]));
        let count = |name: &str| groups.iter().find(|group| group["final"] == name).map(|group| group["count"].clone());
        assert_eq!(count("given_up"), Some(3.into()), "{groups:?}");
        assert_eq!(count("recovered"), Some(1.into()), "{groups:?}");
        let csv = printed(&run(&["query", "final:waiting", "-o", "csv", "--fields", "entity,final"]));
        assert_eq!(csv.trim().lines().collect::<Vec<_>>(), ["entity,final", "PO PO-2,waiting"]);
    }
}

/// What a filter finds in a store comes without the attempt that repaired it, which the filter leaves out.
#[test]
fn a_failure_that_is_found_in_the_store_knows_what_became_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.sqlite");
    let of = |order: usize| (0..ORDERS[order].len()).map(move |index| (order, index));
    let mut rows: Vec<PreparedRow> =
        (0..ORDERS.len()).flat_map(of).map(|(order, index)| attempt(order, index)).collect();
    rows.extend(newer());
    write(&path, rows);
    let arguments =
        ["--range", "everything", "--history-limit", "20", "--filter", "status:failed system:SAP", "--fresh"];
    let path = path.display().to_string();
    let mut terminal = Terminal::start(&[&[path.as_str()], &arguments[..]].concat(), 160, 40);
    terminal.wait_for("PO-1");
    terminal.wait_for("recovered");
    terminal.wait_for("1 recovered");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

/// A source that cannot be read may have what repaired a failure.
#[test]
fn what_a_source_cannot_say_is_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("first.sqlite");
    store(&path, |index| index == 0);
    let (here, away) = (path.display().to_string(), "postgres://me@127.0.0.1:9/d");
    let of = |sources: &[&str]| {
        let output =
            crosstail(&[&["query", "status:failed", "-o", "json", "--fields", "entity,final"], sources].concat());
        let found: Vec<serde_json::Value> =
            printed(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let word = |entity: &str| {
            let row = found.iter().find(|row| row["entity"] == entity).expect(entity);
            row["final"].as_str().map(str::to_owned)
        };
        ["PO PO-0", "PO PO-1", "PO PO-2", "PO PO-4"].map(word)
    };
    let known = of(&["-s", &here]);
    assert_eq!(known.each_ref().map(Option::as_deref), [Some("waiting"), Some("waiting"), Some("waiting"), None]);
    let shown = |sources: &[&str]| {
        let id = "00000002-0000-4000-8000-000000000000";
        let output = crosstail(&[&["show", id, "-o", "json"], sources].concat());
        let value: serde_json::Value = serde_json::from_str(&printed(&output)).expect("JSON");
        value["final"].as_str().map(str::to_owned)
    };
    assert_eq!(shown(&["-s", &here]).as_deref(), Some("waiting"));
    assert_eq!(shown(&["-s", &here, "-s", away]).as_deref(), Some("unknown"));
    let unknown = of(&["-s", &here, "-s", away]);
    assert_eq!(unknown.each_ref().map(Option::as_deref), [Some("unknown"), Some("unknown"), Some("unknown"), None]);
    // The explorer says so while the source is away, of an opened one, too.
    let arguments = ["--range", "everything", "--filter", "status:failed", "--fresh"];
    let mut terminal = Terminal::start(&[&[&here, away], &arguments[..]].concat(), 160, 40);
    terminal.wait_for("5 operations: 5 not known");
    terminal.keys("Oj\r");
    terminal.wait_for("not known: another try may be");
    assert!(!terminal.ever_showed(" was due") && !terminal.ever_showed("not retried"), "{}", terminal.screen());
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

/// Of more failures than are looked up at once, the others are not said to be lost, to wait, or not to have been tried again,
/// until somebody asks what became of them.
#[test]
fn what_is_not_looked_up_is_not_said() {
    const ORDERS: usize = 700;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.sqlite");
    let begun = parse_timestamp("2026-11-25T22:30:00Z").expect("a time");
    // Each failure was repaired, long after it.
    let tried = |order: usize, index: usize| {
        let started_at = begun.plus_ms(order as i64 * 100 + index as i64 * 600_000);
        let failed = index == 0;
        let start = Start {
            id: format!("{order:08x}-{index:04x}-4000-8000-000000000000"),
            kind: Some(Kind::ApiCall),
            system: "SAP".to_owned(),
            endpoint: Some("/po/create".to_owned()),
            entity: Some(format!("PO PO-{order}")),
            correlation_id: Some(format!("trace-{order}")),
            attempt: Some(index as u16 + 1),
            max_attempts: Some(3),
            started_at,
            ..Start::default()
        };
        let outcome = Outcome {
            status: Some(if failed { Status::Failed } else { Status::Success }),
            next_retry_at: failed.then(|| started_at.plus_ms(600_000)),
            completed_at: Some(started_at.plus_ms(50)),
            ..Outcome::default()
        };
        PreparedRow::new(start, Some(outcome))
    };
    let mut rows: Vec<PreparedRow> = (0..ORDERS).flat_map(|order| [tried(order, 0), tried(order, 1)]).collect();
    rows.extend(newer());
    write(&path, rows);
    let arguments = ["--range", "everything", "--history-limit", "20", "--filter", "status:failed", "--fresh"];
    let path = path.display().to_string();
    let mut terminal = Terminal::start(&[&[path.as_str()], &arguments[..]].concat(), 160, 40);
    terminal.wait_for("500 recovered · 200 not known");
    assert!(!terminal.ever_showed(" was due"), "{}", terminal.screen());
    terminal.keys("O");
    terminal.wait_for("700 operations: 500 recovered · 200 not known");
    terminal.keys("\u{1b}");
    terminal.settle();
    terminal.keys("/");
    terminal.settle();
    terminal.keys(" final:recovered\r");
    terminal.wait_for("700 recovered");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}
