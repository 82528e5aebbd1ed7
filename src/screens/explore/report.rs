//! The report of the activities in the view.

use crate::screens::ReportPart;
use crate::screens::shared::{Shared, reading};
use crosstail_core::filter::Filter;
use crosstail_core::model::{Calendar, Timestamp};
use crosstail_engine::insight::HealthFigures;
use crosstail_export::{ReportKind, Table};
use crosstail_source::Groups;
use std::collections::BTreeMap;

pub(super) fn of(shared: &Shared) -> ReportPart {
    let rows = shared.store.rows();
    let at = |row: Option<&u32>| row.map(|row| shared.store.started(*row).rfc3339()).unwrap_or_default();
    let filter = shared.filter.text();
    let about = vec![
        format!("filter: {}", if filter.is_empty() { "everything" } else { filter }),
        format!("time: {} … {}", at(rows.first()), at(rows.last())),
    ];
    ReportPart { title: "Integration activity".to_owned(), about, tables: tables(shared) }
}

/// The predefined reports, over the current view.
fn tables(shared: &Shared) -> Vec<Table> {
    let store = &shared.store;
    let context = shared.context();
    let of = |kind: &ReportKind| {
        let rows = match Filter::parse(kind.filter) {
            Ok(filter) => store.matching(store.rows(), filter.predicate(&context)),
            Err(_) => Vec::new(),
        };
        let calendar = kind.bucket_us.map(|us| Calendar::new(us, context.zone));
        let mut groups = Groups::new();
        for (values, rows) in store.partition(kind.by, &rows) {
            let values: Vec<Option<String>> = values.into_iter().map(Some).collect();
            let mut parts: BTreeMap<Option<Timestamp>, HealthFigures> = BTreeMap::new();
            for row in rows {
                let at = calendar.map(|calendar| calendar.start(store.started(row)));
                parts.entry(at).or_default().add(&reading(store, row));
            }
            groups.extend(parts.into_iter().map(|(at, part)| ((values.clone(), at), part.figures)));
        }
        kind.table(groups, context.zone)
    };
    ReportKind::ALL.iter().map(of).collect()
}
