//! Reports: the figures of the predefined ones over all sources, and the file.

use super::{Work, figures_by};
use anyhow::Result;
use crosstail_core::filter::{Filter, Operand};
use crosstail_core::model::{Calendar, Names, SourceId};
use crosstail_export::{Report, ReportFormat, ReportKind, Table};
use crosstail_source::{Groups, PageQuery, Source, SourceError};
use std::io::Write as _;
use std::sync::Arc;

/// Figures of the activities that match a query, by fields and by the periods of a calendar. With `problems`, counting goes
/// on without the sources that fail.
pub async fn figures_by_period(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    (by, calendar): (&[Operand], Option<Calendar>),
    problems: Option<&mut Vec<SourceError>>,
) -> Result<Groups> {
    let bucket_us = calendar.map(|calendar| calendar.grain_us());
    let groups = figures_by(sources, work, names, query, (by, bucket_us), problems).await?;
    let Some(calendar) = calendar else { return Ok(groups) };
    let mut periods = Groups::new();
    for ((key, at), figures) in groups {
        periods.entry((key, at.map(|at| calendar.start(at)))).or_default().merge(&figures);
    }
    Ok(periods)
}

/// A predefined report of what a query and the text of its filter keep. With `problems`, counting goes on without the sources
/// that fail.
pub async fn report_table(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    (query, filter): (&PageQuery, &str),
    kind: &ReportKind,
    problems: Option<&mut Vec<SourceError>>,
) -> Result<Table> {
    let zone = query.context.zone;
    let both = match (filter.trim(), kind.filter) {
        (own, "") => own.to_owned(),
        ("", of) => of.to_owned(),
        (own, of) => format!("({own}) {of}"),
    };
    let query = PageQuery { filter: Filter::parse(&both)?, ..query.clone() };
    let calendar = kind.bucket_us.map(|us| Calendar::new(us, zone));
    let by: Vec<Operand> = kind.by.iter().copied().map(Operand::Field).collect();
    let groups = figures_by_period(sources, work, names, query, (&by, calendar), problems).await?;
    Ok(kind.table(groups, zone))
}

/// Writes a report to a new file; an existing file is an error.
pub(super) fn write(path: &str, report: &Report) -> Result<String, String> {
    let text = report.write(ReportFormat::of_path(path)?)?;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = made.map_err(|error| format!("{path}: {error}"))?;
    file.write_all(text.as_bytes()).map_err(|error| format!("{path}: {error}"))?;
    Ok(format!("wrote {path}"))
}
