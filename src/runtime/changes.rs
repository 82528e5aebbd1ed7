//! When rate, failures and latency of the systems changed, over all sources.

use super::{Work, figures};
use anyhow::Result;
use crosstail_core::filter::Field;
use crosstail_core::model::{Names, SourceId};
use crosstail_engine::change::{Shift, Window, shifts};
use crosstail_source::{Grouping, PageQuery, Source, SourceError};
use std::sync::Arc;

/// Buckets that a range is divided into, at most: a change is known as exactly as one is long.
const BUCKETS: i64 = 720;
const DAY_US: i64 = 86_400_000_000;

/// The changes of what matches a query, with the buckets in which they were looked for. Without a start, from the first activity on.
/// With `problems`, counting goes on without the sources that fail.
pub async fn changes(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    mut problems: Option<&mut Vec<SourceError>>,
) -> Result<(Window, Vec<Shift>)> {
    let bounds = query.filter.predicate(&query.context).time_bounds().unwrap_or_default();
    let now = query.context.now;
    let until = [query.until, bounds.1].into_iter().flatten().min().unwrap_or(now);
    let (from, until) = match query.since.max(bounds.0) {
        Some(since) => (since, until),
        None => {
            let by_day = Grouping { by: Vec::new(), bucket_us: Some(DAY_US), ..Grouping::default() };
            let some = problems.as_deref_mut();
            let days = figures(sources, work, names, query.clone(), &by_day, some).await?;
            let day = || days.keys().filter_map(|(_, at)| *at).filter(|at| at.0 > 0);
            let last = day().max().map_or(until, |last| last.plus_us(DAY_US));
            (day().min().unwrap_or(until), until.min(last))
        }
    };
    let window = Window::of(from, until, BUCKETS);
    let grouping = Grouping { by: vec![Field::System], bucket_us: Some(window.bucket_us), ..Grouping::default() };
    let query = PageQuery { since: Some(window.from), until: Some(window.to), ..query };
    let groups = figures(sources, work, names, query, &grouping, problems).await?;
    Ok((window, shifts(&groups, window)))
}
