//! When rate, failures and latency of the systems changed, over all sources.

use super::{Work, figures};
use anyhow::Result;
use crosstail_core::filter::Field;
use crosstail_core::model::{Names, SourceId};
use crosstail_engine::change::{FoundChanges, Window, shifts};
use crosstail_source::{Grouping, Groups, PageQuery, Source, SourceError};
use std::sync::Arc;

/// Buckets that a range is divided into, at most: a change is known as exactly as one is long.
const BUCKETS: i64 = 720;
/// That activities begin late in the range, or end early, is said if it is more than so many buckets.
const TOLD: i64 = 3;
const DAY_US: i64 = 86_400_000_000;

/// The changes of what matches a query, by some fields. Without a start, from the first activity on; that the activities of all
/// groups begin or end within the range is told once. With `problems`, counting goes on without the sources that fail.
pub async fn changes(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    by: &[Field],
    mut problems: Option<&mut Vec<SourceError>>,
) -> Result<FoundChanges> {
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
    let asked = Window::of(from, until, BUCKETS);
    let (mut window, mut is_finer) = (asked, false);
    let groups: Groups = loop {
        let grouping = Grouping { by: by.to_vec(), bucket_us: Some(window.bucket_us), ..Grouping::default() };
        let query = PageQuery { since: Some(window.from), until: Some(window.to), ..query.clone() };
        let groups = figures(sources, work, names, query, &grouping, problems.as_deref_mut()).await?;
        let full = window.of_activity(&groups);
        let finer = Window::of(full.from, full.to, BUCKETS);
        if is_finer || finer.bucket_us >= window.bucket_us {
            window = full;
            break groups;
        }
        // What fills a small part of the range is looked at in finer buckets, once.
        (window, is_finer) = (finer, true);
    };
    let is_told = |gap_us: i64| gap_us > TOLD * asked.bucket_us;
    let begins = query.since.is_some() && is_told(window.from.since_us(asked.from));
    let ends = is_told(asked.to.since_us(window.to));
    Ok(FoundChanges { window, shifts: shifts(&groups, window), begins, ends, problem: None })
}
