//! Figures over all sources. A request that several sources know is counted once.

use super::{MergedHistory, Work, outcomes};
use anyhow::Result;
use crosstail_core::filter::{Context, Expr, Field, Filter};
use crosstail_core::model::{Names, SourceId};
use crosstail_source::{FiguresQuery, Grouping, Groups, PageQuery, Source, SourceError};
use std::sync::Arc;

/// Activities per page.
const PAGE: usize = 5000;

/// Figures of the activities that match a query. A single source aggregates in its store; several are joined locally, and with
/// `problems`, counting goes on without those that fail.
pub async fn figures(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    grouping: &Grouping,
    problems: Option<&mut Vec<SourceError>>,
) -> Result<Groups> {
    let mut query = PageQuery { newest_first: true, limit: PAGE, ..query };
    // Only failed attempts have become something, and no store knows what.
    let by_outcome = grouping.by.contains(&Field::Final);
    if by_outcome {
        query.filter = Filter::of(Expr::And(vec![query.filter.expr().clone(), outcomes::failed()]));
    }
    let is_counted_here = by_outcome || query.filter.expr().names(Field::Final);
    // Metrics and health endpoints hold no activities.
    let holding = |source: &&(SourceId, Arc<dyn Source>)| source.1.capabilities().holds_activities;
    let holding: Vec<_> = sources.iter().filter(holding).cloned().collect();
    match holding.as_slice() {
        [] => Ok(Groups::new()),
        [(id, source)] if !is_counted_here => Ok(source.aggregate(&query, grouping, &work.job(*id)).await?),
        several => {
            let mut groups = Groups::new();
            let mut joined = MergedHistory::new(several, work, names, query);
            if problems.is_some() {
                joined = joined.partial();
            }
            if by_outcome {
                joined = joined.with_outcomes();
            }
            while let Some(activity) = joined.next().await? {
                groups.entry(grouping.key(&activity, names)).or_default().add(&activity);
            }
            if let Some(problems) = problems {
                problems.extend_from_slice(joined.problems());
            }
            Ok(groups)
        }
    }
}

/// Answers a query of the health screen or of a rule's baseline.
pub async fn answer(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    context: Context,
    asked: &FiguresQuery,
) -> Result<Groups, String> {
    let (since, until) = (Some(asked.since), Some(asked.until));
    // An alert about a system is not an activity of the system.
    let filter = Filter::parse("-kind:alert").map_err(|error| error.to_string())?;
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(PAGE) };
    figures(sources, work, names, query, &asked.grouping, None).await.map_err(|error| format!("{error:#}"))
}
