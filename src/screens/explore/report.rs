//! The report of the activities in the view.

use crate::screens::ReportPart;
use crate::screens::shared::Shared;
use crosstail_core::model::Timestamp;

pub(super) fn of(shared: &Shared) -> ReportPart {
    let range = shared.view_range();
    let (filter, bounds) = (&range.filter, &range.bounds);
    let moment = |at: Option<Timestamp>, open: &str| at.map_or_else(|| open.to_owned(), |at| at.rfc3339());
    let about = vec![
        format!("filter: {}", if filter.is_empty() { "everything" } else { filter }),
        format!("time: {} … {}", moment(bounds.since, "start"), moment(bounds.until, &shared.now.rfc3339())),
    ];
    ReportPart { title: "Integration activity".to_owned(), about, tables: Vec::new(), range: Some(range) }
}
