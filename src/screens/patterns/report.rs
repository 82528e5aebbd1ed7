//! The patterns as a report.

use super::PatternsScreen;
use crate::screens::ReportPart;
use crate::screens::shared::Shared;
use crosstail_export::{Cell, Chart, Table};

/// The report of the patterns.
pub(super) fn of(screen: &PatternsScreen, shared: &Shared) -> ReportPart {
    const COLUMNS: [&str; 6] = ["pattern", "count", "failed", "first", "last", "id"];
    let rows = screen.patterns().iter().map(|one| {
        let tally = &one.tally;
        vec![
            Cell::text(&one.pattern.text),
            Cell::count(tally.count),
            Cell::count(tally.failed),
            Some(tally.first).into(),
            Some(tally.last).into(),
            one.id().map_or(Cell::None, Cell::text),
        ]
    });
    let table = Table {
        name: "patterns".to_owned(),
        title: "What messages and errors have in common".to_owned(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        chart: Some(Chart::Bars("count", Some("failed"))),
    };
    let about = vec![format!("filter: {}", shared.filter.text()), format!("time: {}", shared.range.describe())];
    ReportPart { title: "Patterns".to_owned(), about, tables: vec![table], range: None }
}
