//! Counts for objectives, in the stores. Where several sources have a part of the same calls, each counts its own.

use super::{Runtime, Work};
use crate::effect::Reply;
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{SourceId, Timestamp};
use crosstail_engine::insight::objective::{Count, Course, Objective, ObjectiveQuery, Standing};
use crosstail_source::{Grouping, Measures, PageQuery, Priority, Source};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Activities of a page, where a source counts by reading.
const PAGE: usize = 5000;

/// Start and length of a bucket, and what was counted in it.
pub type Counted = Vec<(Timestamp, i64, Count)>;

/// Counts what is asked for an objective.
///
/// # Errors
/// The first source that cannot count, and why.
pub async fn count_objective(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    context: Context,
    query: &ObjectiveQuery,
) -> Result<Counted, String> {
    let mut all: BTreeMap<(i64, Timestamp), Count> = BTreeMap::new();
    let filters = [&query.counted, &query.good].map(|text| Filter::parse(text));
    for (index, filter) in filters.into_iter().enumerate() {
        let filter = filter.map_err(|error| error.to_string())?;
        for (id, source) in sources.iter().filter(|(_, source)| source.capabilities().holds_activities) {
            for stretch in &query.stretches {
                let (since, until) = (Some(stretch.from), Some(stretch.to));
                let asked = PageQuery { filter: filter.clone(), context, since, until, ..PageQuery::all(PAGE) };
                let bucket_us = Some(stretch.bucket_us);
                let grouping = Grouping { bucket_us, measures: Measures::Totals, ..Grouping::default() };
                let groups = source.aggregate(&asked, &grouping, &work.job(*id)).await;
                for ((_, at), figures) in groups.map_err(|error| error.to_string())? {
                    let Some(at) = at else { continue };
                    let count = all.entry((stretch.bucket_us, at)).or_default();
                    let into = if index == 0 { &mut count.total } else { &mut count.good };
                    *into += figures.count;
                }
            }
        }
    }
    // What has ended between the two questions is not more than all.
    let count = |count: Count| Count { good: count.good.min(count.total), ..count };
    Ok(all.into_iter().map(|((bucket_us, at), one)| (at, bucket_us, count(one))).collect())
}

/// How an objective stands now, by the stores alone.
///
/// # Errors
/// The first source that cannot count, and why.
pub async fn standing(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    context: Context,
    objective: &Objective,
) -> Result<Standing, String> {
    let mut course = Course::default();
    // Nothing is held: the minute that has begun is asked for, too.
    let end = context.now.plus_us(60_000_000);
    if let Some(query) = course.request(objective, context.now, end) {
        let counts = count_objective(sources, work, context, &query).await?;
        course.answer(&query, Some(&counts));
    }
    objective.standing(&course, context.now).ok_or_else(|| "not everything was counted".to_owned())
}

impl Runtime {
    pub(super) fn count_objective(&self, ticket: u64, query: Box<ObjectiveQuery>) {
        let work = self.work("count for an objective", Priority::Background, &self.cancel);
        let (sources, context) = (Arc::clone(&self.sources), self.context());
        self.spawn(self.cancel.clone(), ticket, async move {
            let counted = count_objective(&sources, &work, context, &query).await;
            Reply::ObjectiveCounted(query, counted)
        });
    }
}
