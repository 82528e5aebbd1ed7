//! The patterns of messages and errors over all sources, and the values of what varies in one.

use super::history::History;
use super::{MergedHistory, Work};
use anyhow::Result;
use crosstail_core::model::{Activity, Names, SourceId, Timestamp};
use crosstail_engine::pattern::{FoundPatterns, GapCounts, GapValues, PatternCounts, Sampled};
use crosstail_source::{PageQuery, Source, SourceError};
use std::sync::Arc;

/// Activities per page.
const PAGE: usize = 5000;
/// How much is read of very many activities.
#[derive(Debug, Clone, Copy)]
pub struct Sampling {
    /// So many activities are read one by one, the newest first. The time before them is sampled.
    pub exact: u64,
    /// The time before them is divided into so many slices, and the newest of each are read.
    pub slices: i64,
    pub of_slice: u64,
}

impl Sampling {
    pub const USUAL: Self = Self { exact: 200_000, slices: 50, of_slice: 1000 };
}

/// The patterns of what matches a query: of what each activity says. Of many, only a sample of the older ones is read, which is told.
/// With `problems`, reading goes on without the sources that fail.
pub async fn patterns(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    sampling: Sampling,
    problems: Option<&mut Vec<SourceError>>,
) -> Result<FoundPatterns> {
    let mut counts = PatternCounts::default();
    let mut reader = Reader { sources: holding(sources), work, names, problems };
    // What has no order is read whole for each slice: reading all of it once costs less. What memory holds is not sampled.
    let has_order = reader.sources.iter().all(|(_, source)| source.capabilities().has_order);
    let most = if has_order && work.memory().is_none() { sampling.exact } else { u64::MAX };
    let left = reader.each(query.clone(), most, |activity| counts.add(activity)).await?;
    let sampled = match left {
        Some(until) => reader.sample(query, until, sampling, |activity| counts.add(activity)).await?,
        None => None,
    };
    Ok(FoundPatterns { sampled, ..counts.settle() })
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
    let mut problems = Vec::new();
    let mut reader = Reader { sources: holding(sources), work, names, problems: Some(&mut problems) };
    reader.each(query, u64::MAX, |activity| counts.add(&activity)).await?;
    Ok(counts.settle())
}

/// Without those of metrics and health, which hold no activities.
fn holding(sources: &[(SourceId, Arc<dyn Source>)]) -> Vec<(SourceId, Arc<dyn Source>)> {
    sources.iter().filter(|(_, source)| source.capabilities().holds_activities).cloned().collect()
}

/// Reads what matches queries.
struct Reader<'a> {
    sources: Vec<(SourceId, Arc<dyn Source>)>,
    work: &'a Work,
    names: &'a Names,
    problems: Option<&'a mut Vec<SourceError>>,
}

impl Reader<'_> {
    /// Passes what matches a query to a function, the newest first. Of more than so many activities, it stops between two moments and
    /// returns the later one: everything from there on was passed.
    async fn each(&mut self, query: PageQuery, most: u64, mut take: impl FnMut(Activity)) -> Result<Option<Timestamp>> {
        let query = PageQuery { newest_first: true, limit: PAGE, ..query };
        let mut joined = History::new(&self.sources, self.work, self.names, query);
        if self.problems.is_some() {
            joined = joined.partial();
        }
        let (mut count, mut reached, mut left) = (0, None, None);
        while let Some(activity) = joined.next().await? {
            if count >= most && reached.is_some_and(|reached| activity.started_at < reached) {
                left = reached;
                break;
            }
            (count, reached) = (count + 1, Some(activity.started_at));
            take(activity);
        }
        let found = joined.problems().to_vec();
        if let Some(problems) = &mut self.problems {
            problems.extend(found);
        }
        Ok(left)
    }

    /// Passes the newest activities of each slice of the time before a moment; `None` where these are all.
    async fn sample(
        &mut self,
        query: PageQuery,
        until: Timestamp,
        Sampling { slices, of_slice, .. }: Sampling,
        mut take: impl FnMut(Activity),
    ) -> Result<Option<Sampled>> {
        let bounds = query.filter.predicate(&query.context).time_bounds().unwrap_or_default();
        let from = match query.since.max(bounds.0) {
            Some(since) => since,
            None => self.first(&query).await?.unwrap_or(until),
        };
        let length = until.since_us(from).max(0) / slices;
        let (mut read, mut is_cut) = (0, false);
        for slice in 0..slices {
            let end = if slice + 1 == slices { until } else { from.plus_us(length * (slice + 1)) };
            let query = PageQuery { since: Some(from.plus_us(length * slice)), until: Some(end), ..query.clone() };
            let left = self.each(query, of_slice, |activity| {
                read += 1;
                take(activity);
            });
            is_cut |= left.await?.is_some();
        }
        Ok(is_cut.then_some(Sampled { from, until, slices, read }))
    }

    /// When the first activity of a query started.
    async fn first(&self, query: &PageQuery) -> Result<Option<Timestamp>> {
        let query = PageQuery { newest_first: false, limit: 1, ..query.clone() };
        let mut joined = MergedHistory::new(&self.sources, self.work, self.names, query).partial();
        Ok(joined.next().await?.map(|activity| activity.started_at))
    }
}
