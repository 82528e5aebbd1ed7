//! Figures over every source: what several of them know of one request is counted once.

use super::MergedHistory;
use crate::app::alerting::FiguresQuery;
use anyhow::Result;
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Names, SourceId};
use crosstail_source::{Grouping, Groups, PageQuery, Source};
use std::sync::Arc;

/// Activities of a page.
const PAGE: usize = 5000;

/// Counts what a query keeps: in the store where there is one source, joined here where there are several.
pub async fn figures(
    sources: &[(SourceId, Arc<dyn Source>)],
    names: &Names,
    query: PageQuery,
    grouping: &Grouping,
) -> Result<Groups> {
    let query = PageQuery { newest_first: true, limit: PAGE, ..query };
    // Metrics and health endpoints hold no activities.
    let holding = |source: &&(SourceId, Arc<dyn Source>)| source.1.kind().holds_activities;
    let holding: Vec<_> = sources.iter().filter(holding).cloned().collect();
    match holding.as_slice() {
        [] => Ok(Groups::new()),
        [(_, source)] => Ok(source.aggregate(&query, grouping).await?),
        several => {
            let mut groups = Groups::new();
            let mut joined = MergedHistory::new(several, names, query);
            while let Some(activity) = joined.next().await? {
                groups.entry(grouping.key(&activity, names)).or_default().add(&activity);
            }
            Ok(groups)
        }
    }
}

/// The answer to a question for figures of all work.
pub async fn answer(
    sources: &[(SourceId, Arc<dyn Source>)],
    names: &Names,
    context: Context,
    asked: &FiguresQuery,
) -> Result<Groups, String> {
    let (since, until) = (Some(asked.since), Some(asked.until));
    // An alert about a system is no work of it.
    let filter = Filter::parse("-kind:alert").map_err(|error| error.to_string())?;
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(PAGE) };
    figures(sources, names, query, &asked.grouping).await.map_err(|error| format!("{error:#}"))
}
