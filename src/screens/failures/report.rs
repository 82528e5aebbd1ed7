//! The groups as a report.

use super::FailuresScreen;
use crate::config::marker_before;
use crate::screens::ReportPart;
use crate::screens::shared::Shared;
use crosstail_export::{Cell, Chart, Table};

/// The report of the groups.
pub(super) fn of(screen: &FailuresScreen, shared: &Shared) -> ReportPart {
    const COLUMNS: [&str; 13] = [
        "state",
        "count",
        "system",
        "endpoint",
        "kind",
        "says",
        "since",
        "last",
        "marker",
        "entities",
        "organizations",
        "repaired",
        "note",
    ];
    let text = |text: Option<&str>| text.map_or(Cell::None, Cell::text);
    let rows = screen.groups().iter().map(|group| {
        let of = &group.fingerprint;
        let marker = group.has_begun().then(|| marker_before(&shared.markers, group.began, 0)).flatten();
        vec![
            Cell::text(group.state.words()),
            Cell::count(group.count),
            text(of.system.as_deref()),
            text(of.endpoint.as_deref()),
            text(Some(&of.kind)),
            text(Some(&of.pattern.text)),
            Some(group.began).into(),
            Some(group.last).into(),
            text(marker.map(|marker| marker.text.as_str())),
            Cell::count(group.entities as u64),
            Cell::count(group.organizations as u64),
            group.repair().map(|(share, _)| share).into(),
            text(Some(&group.remark.note)),
        ]
    });
    let table = Table {
        name: "failures".to_owned(),
        title: "Failures in groups".to_owned(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        chart: Some(Chart::Bars("count", None)),
    };
    let about = vec![format!("filter: {}", shared.filter.text()), format!("time: {}", shared.range.describe())];
    ReportPart { title: "Failures".to_owned(), about, tables: vec![table], range: None }
}
