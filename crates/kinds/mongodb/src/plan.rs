//! What a query would take, by the server's own plan.

use super::find::{PageFilter, TIME_LIMIT};
use super::mapping::Mapping;
use super::{Asking, Error};
use bson::{Bson, Document, doc};
use crosstail_core::model::Names;
use crosstail_source::{Cost, PageQuery};

/// The cost of a query: whether an index finds the matches in every collection, and how many documents are in the range.
pub(super) async fn plan(database: Asking<'_>, names: &Names, query: &PageQuery) -> Result<Cost, Error> {
    let predicate = query.filter.predicate(&query.context);
    let mut cost = Cost { indexed: true, rows: None, bytes: None };
    for mapping in &database.mappings {
        let asked = PageFilter::new(mapping, names, &predicate);
        let time = mapping.table.time.as_str();
        let sort = if query.newest_first { -1 } else { 1 };
        let mut find = doc! {
            "find": &mapping.table.name, "filter": asked.range(query), "sort": { time: sort }, "limit": 500_i64,
            "maxTimeMS": i64::try_from(TIME_LIMIT.as_millis()).unwrap_or(i64::MAX), "comment": database.comment(),
        };
        if mapping.is_collated && asked.by_bytes {
            find.insert("collation", doc! { "locale": "simple" });
        }
        let explain = doc! { "explain": find, "verbosity": "queryPlanner" };
        let answer = database.handle.run_command(explain).await?;
        let mut found = Indexes::default();
        found.of(&Bson::Document(answer.get_document("queryPlanner").cloned().unwrap_or_default()), false);
        // Going along the time with a filter on what is read is what slices of time are for.
        let selects = found.keys.iter().any(|key| key != time);
        let unfiltered = asked.is_range() && found.keys.iter().any(|key| key == time);
        cost.indexed &= !found.scans && (selects || unfiltered);
        if !cost.indexed && query.since.is_none() && query.until.is_none() {
            let collection = database.handle.collection::<Document>(&mapping.table.name);
            let rows = collection.estimated_document_count().await?;
            cost.rows = Some(cost.rows.unwrap_or(0) + rows);
        }
    }
    Ok(cost)
}

/// Finds out whether documents may have several times: the index knows whether it has any.
pub(super) async fn look_for_lists(database: Asking<'_>, mapping: &Mapping) {
    let time = mapping.table.time.as_str();
    let find = doc! {
        "find": &mapping.table.name, "filter": { time: { "$type": "date" } }, "sort": { time: -1 }, "limit": 1_i64,
    };
    let explain = doc! { "explain": find, "verbosity": "queryPlanner", "comment": database.comment() };
    let Ok(answer) = database.handle.run_command(explain).await else { return };
    let mut found = Indexes::default();
    found.of(&Bson::Document(answer.get_document("queryPlanner").cloned().unwrap_or_default()), false);
    let knows = !found.scans && found.keys.iter().any(|key| key == time);
    mapping.has_lists.store(!knows || found.lists, std::sync::atomic::Ordering::Relaxed);
}

/// The first keys of the indexes in a plan, and whether it reads a collection from end to end.
#[derive(Default)]
struct Indexes {
    keys: Vec<String>,
    scans: bool,
    /// Whether one of them has several values of a document.
    lists: bool,
}

impl Indexes {
    fn of(&mut self, plan: &Bson, winning: bool) {
        match plan {
            Bson::Document(stage) => {
                if winning {
                    self.scans |= stage.get_str("stage").is_ok_and(|name| name == "COLLSCAN");
                    let keys = stage.get_document("keyPattern").ok().and_then(|keys| keys.keys().next());
                    self.keys.extend(keys.cloned());
                    self.lists |= stage.get_bool("isMultiKey").unwrap_or(false);
                }
                for (key, value) in stage {
                    if key != "rejectedPlans" && key != "parsedQuery" {
                        self.of(value, winning || key == "winningPlan");
                    }
                }
            }
            Bson::Array(list) => {
                for stage in list {
                    self.of(stage, winning);
                }
            }
            _ => {}
        }
    }
}
