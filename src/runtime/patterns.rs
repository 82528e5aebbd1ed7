//! The patterns of messages and errors over all sources, and the values of what varies in one.

use super::{MergedHistory, Work};
use anyhow::Result;
use crosstail_core::model::{Activity, Names, SourceId};
use crosstail_engine::pattern::{FoundPatterns, GapCounts, GapValues, PatternCounts};
use crosstail_source::{PageQuery, Source, SourceError};
use std::sync::Arc;

/// Activities per page.
const PAGE: usize = 5000;

/// The patterns of what matches a query: of what each activity says. With `problems`, reading goes on without the sources that
/// fail.
pub async fn patterns(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    problems: Option<&mut Vec<SourceError>>,
) -> Result<FoundPatterns> {
    let mut counts = PatternCounts::default();
    each(sources, work, names, query, problems, |activity| counts.add(activity)).await?;
    Ok(counts.settle())
}

/// The values of the gaps of a template, in what matches a query.
pub async fn gap_values(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    template: &str,
) -> Result<Vec<GapValues>> {
    let mut counts = GapCounts::new(template);
    each(sources, work, names, query, Some(&mut Vec::new()), |activity| counts.add(&activity)).await?;
    Ok(counts.settle())
}

/// Passes what matches a query to a function, the newest first.
async fn each(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    problems: Option<&mut Vec<SourceError>>,
    mut take: impl FnMut(Activity),
) -> Result<()> {
    let query = PageQuery { newest_first: true, limit: PAGE, ..query };
    // Metrics and health endpoints hold no activities.
    let holding: Vec<_> =
        sources.iter().filter(|(_, source)| source.capabilities().holds_activities).cloned().collect();
    let mut joined = MergedHistory::new(&holding, work, names, query);
    if problems.is_some() {
        joined = joined.partial();
    }
    while let Some(activity) = joined.next().await? {
        take(activity);
    }
    if let Some(problems) = problems {
        problems.extend_from_slice(joined.problems());
    }
    Ok(())
}
