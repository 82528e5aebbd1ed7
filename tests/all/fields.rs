//! Any field: paths of payloads as columns, facets, groups and exported columns; and what is around one activity.

use crate::support::{EPOCH, crosstail, lines, random_database};
use crate::window::{Driven, drawn};
use crosstail::action::Action;
use crosstail::config::listed;
use crosstail::screens::{Event, Explorer};
use crosstail_core::filter::Operand;
use crosstail_core::model::Timestamp;
use crosstail_engine::window::Range;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const COUNT: u64 = 3000;

fn now() -> Timestamp {
    EPOCH.plus_ms(COUNT as i64 * 1000 + 10_000)
}

async fn database(folder: &Path) -> String {
    let path = folder.join("fields.sqlite");
    random_database(&path, 11, COUNT).await;
    path.to_str().expect("UTF-8").to_owned()
}

/// What `show` says of an activity's payload.
fn tenant_of(source: &str, id: &str) -> String {
    let shown = lines(&crosstail(&["show", id, "-s", source, "-o", "json"]));
    shown[0]["metadata"]["tenant"].as_str().expect("a tenant").to_owned()
}

/// The lines of the list, without what stands beside it.
fn rows_of(explorer: &Explorer) -> Vec<String> {
    let picture = drawn(explorer);
    let rows = picture.lines().filter_map(|line| line.split_once('│')).map(|(_, row)| row.to_owned());
    rows.filter(|row| row.contains(" 11:5")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_chosen_and_its_values_are_loaded_for_what_is_visible() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path()).await;
    let mut driven = Driven::start(Path::new(&path), now(), Range::Everything, 256 << 20);
    driven.event(Event::Resize(160, 48));
    driven.idle().await;
    driven.press("C");
    driven.until("the paths", |explorer| drawn(explorer).contains("meta.tenant")).await;
    for letter in "meta.ten".chars() {
        driven.press(&letter.to_string());
    }
    driven.press("enter");
    driven.press("tab");
    driven.press("left");
    for _ in 0..3 {
        driven.press("<");
    }
    driven.press("esc");
    let layout = driven.explorer.shared.layout.clone();
    let columns = "time,status,direction,system,what,http,latency,meta.tenant:10,attempt,message";
    assert_eq!(listed(&layout.columns), columns);
    assert!(listed(&layout.facets).ends_with("endpoint,meta.tenant"), "{}", listed(&layout.facets));
    assert!(drawn(&driven.explorer).contains("meta.tenant"), "{}", drawn(&driven.explorer));
    // What is not loaded yet is not drawn as if there were nothing.
    let lines = rows_of(&driven.explorer);
    assert!(lines.len() > 30 && lines.iter().all(|line| line.contains(" …        ")), "{lines:#?}");
    let is_loaded = |explorer: &Explorer| {
        drawn(explorer).contains("sampled") && rows_of(explorer).iter().all(|line| line.contains(" org-"))
    };
    driven.until("the values", is_loaded).await;
    // Each visible line says what its payload does.
    let lines = rows_of(&driven.explorer);
    for (line, id) in lines.iter().rev().zip(&driven.shown()[..5]) {
        assert!(line.contains(&format!(" {} ", tenant_of(&path, id))), "{id}: {line}");
    }
    // The value under the cursor narrows.
    driven.act(Action::UP);
    while driven.explorer.stack.explore.list.chosen().to_string() != "meta.tenant" {
        driven.act(Action::RIGHT);
    }
    driven.act(Action::KEEP);
    let filter = driven.explorer.shared.filter.text().to_owned();
    assert!(filter.starts_with("meta.tenant:org-"), "{filter}");
    driven.idle().await;
    let found = driven.query(&filter).await;
    assert!(found.len() as u64 > COUNT / 5 && (found.len() as u64) < COUNT / 2, "{}", found.len());
    assert_eq!(driven.explorer.shared.figure(true).count, found.len() as u64);
    // Columns belong to the view.
    driven.press("[");
    assert_eq!(driven.explorer.shared.layout, layout);
    driven.press("[");
    assert!(driven.explorer.shared.layout.is_usual());
    driven.press("]");
    assert_eq!(driven.explorer.shared.layout, layout);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_group_print_and_export_by_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path()).await;
    let print = |arguments: &[&str]| lines(&crosstail(&[arguments, &["-s", &path, "-o", "json"]].concat()));
    let rows = print(&["query", "--fields", "id,meta.tenant,req.body.lines[*].qty,status", "--limit", "0"]);
    assert_eq!(rows.len() as u64, COUNT);
    let mut by_tenant: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows {
        *by_tenant.entry(row["meta.tenant"].as_str().expect("a tenant").to_owned()).or_default() += 1;
        assert!(row["req.body.lines[*].qty"].is_number() || row["req.body.lines[*].qty"].is_null(), "{row}");
    }
    for row in rows.iter().step_by(900) {
        assert_eq!(row["meta.tenant"], tenant_of(&path, row["id"].as_str().expect("an id")).as_str());
    }
    let groups = print(&["stats", "--by", "meta.tenant"]);
    let counted: BTreeMap<String, u64> = groups
        .iter()
        .map(|row| (row["meta.tenant"].as_str().expect("a tenant").to_owned(), row["count"].as_u64().expect("n")))
        .collect();
    assert_eq!(counted, by_tenant);
    let both = print(&["stats", "--by", "system,req.body.order"]);
    assert_eq!(both.iter().map(|row| row["count"].as_u64().expect("n")).sum::<u64>(), COUNT);
    assert!(both.iter().any(|row| row["req.body.order"].is_null()) && both.len() > 10);
    // A file has the same values.
    let fields = "id,meta.tenant,res.body.text";
    for form in ["ndjson", "csv", "parquet"] {
        let file = folder.path().join(format!("some.{form}"));
        let file = file.to_str().expect("UTF-8");
        let output = crosstail(&["export", "-s", &path, "--fields", fields, "--output", file]);
        assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
        if form == "parquet" {
            continue;
        }
        let text = std::fs::read_to_string(file).expect("read");
        let tenants = text.lines().filter(|line| line.contains("org-1")).count() as u64;
        assert_eq!(tenants, by_tenant["org-1"], "{form}");
        if form == "ndjson" {
            let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
            let names: Vec<&String> = first.as_object().expect("an object").keys().collect();
            assert_eq!(names, ["id", "meta.tenant", "res.body.text"]);
        }
    }
    let sqlite = folder.path().join("some.sqlite");
    let output = crosstail(&["export", "-s", &path, "--fields", "id", "--output", sqlite.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(64));
    let output = crosstail(&["stats", "--by", "meta.", "-s", &path]);
    assert_eq!(output.status.code(), Some(64));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neighbourhood_is_of_the_store_and_esc_goes_back_to_the_same_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = database(folder.path()).await;
    // Memory holds the last minutes; what is around an older one has to be read.
    let mut driven = Driven::start(Path::new(&path), now(), Range::Last(1_200_000_000), 256 << 20);
    driven.idle().await;
    driven.event(Event::Filter("system:SAP".to_owned()));
    driven.idle().await;
    for _ in 0..7 {
        driven.act(Action::UP);
    }
    let place = |driven: &Driven| {
        let (shared, list) = (&driven.explorer.shared, &driven.explorer.stack.explore.list);
        let filter = shared.filter.text().to_owned();
        (filter, shared.range.clone(), list.selected, list.line, list.follow, shared.layout.clone())
    };
    let (before, shown_before) = (place(&driven), driven.shown());
    let row = before.2.expect("a row");
    let centre = driven.explorer.shared.store.get(row);
    driven.press(".");
    driven.idle().await;
    let near = |driven: &Driven, us: i64| {
        let shown = driven.shown();
        let store = &driven.explorer.shared.store;
        let ends = (centre.started_at.plus_us(-us), centre.started_at.plus_us(us));
        assert!(store.rows().iter().all(|row| (ends.0..=ends.1).contains(&store.started(*row))));
        shown
    };
    let shown = near(&driven, 60_000_000);
    assert!(shown.len() > 60 && shown.contains(&centre.id.to_string()), "{}", shown.len());
    let mut all: Vec<String> = driven.query("").await.iter().map(|one| one.id.to_string()).collect();
    all.sort();
    let mut sorted = shown.clone();
    sorted.sort();
    assert_eq!(sorted, all, "everything of the source that was near it");
    assert!(drawn(&driven.explorer).contains("▸ around"), "{}", drawn(&driven.explorer));
    assert_eq!(driven.explorer.stack.explore.list.selected, Some(row));
    // The system, and a longer span, which is read from the store.
    driven.press(".");
    driven.press("Z");
    driven.press("Z");
    driven.idle().await;
    let longer = near(&driven, 3_600_000_000);
    let mut of_system: Vec<String> = driven.query("system:SAP").await.iter().map(|one| one.id.to_string()).collect();
    of_system.sort();
    let mut sorted = longer.clone();
    sorted.sort();
    assert_eq!(sorted, of_system);
    assert!(longer.len() > shown_before.len(), "beyond the range of the view");
    // Opening one, closing it, and back.
    driven.act(Action::OPEN);
    driven.press("esc");
    driven.press("esc");
    driven.idle().await;
    assert_eq!(place(&driven), before);
    assert_eq!(driven.shown(), shown_before);
    // Following goes on.
    driven.act(Action::FOLLOW);
    let following = place(&driven);
    driven.press(".");
    driven.idle().await;
    assert!(!driven.explorer.stack.explore.list.follow);
    driven.press("esc");
    driven.idle().await;
    assert_eq!(place(&driven), following);
    // From any time: what is next, whenever it was.
    driven.act(Action::UP);
    driven.press(".");
    for _ in 0..3 {
        driven.press("Z");
    }
    driven.idle().await;
    assert!(driven.shown().len() > 400, "{}", driven.shown().len());
    let operand = Operand::parse("source").expect("a field");
    assert!(driven.explorer.shared.filter.text().starts_with(&format!("{operand}:")));
}
