//! Compares two sets of activities over all sources.

use super::{MergedHistory, Sources, Work, payloads_of};
use anyhow::Result;
use crosstail_core::filter::Field;
use crosstail_core::model::{Figures, Names, SourceId};
use crosstail_engine::insight::{SetContrast, SetCounts, Side};
use crosstail_source::{ErrorKind, Grouping, Groups, Measures, PageQuery, Source, SourceError};
use std::sync::Arc;

/// Activities per page.
const PAGE: usize = 5000;
/// Activities of each set that are read where the store counts: for what they say, and for a sample of their payloads.
const READ: u64 = 50_000;
/// Payloads that are loaded together.
const STEP: usize = 64;

/// What tells two sets apart: these, then the others. A single store counts, and the newest are read besides; several are joined and
/// read whole. With `problems`, it goes on without the sources that fail.
pub async fn contrast_sets(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    queries: [PageQuery; 2],
    mut problems: Option<&mut Vec<SourceError>>,
) -> Result<SetContrast> {
    // Metrics and health endpoints hold no activities.
    let holding = sources.iter().filter(|(_, source)| source.capabilities().holds_activities);
    let holding: Sources = holding.cloned().collect();
    let mut counts = SetCounts::default();
    for (side, query) in Side::BOTH.into_iter().zip(queries) {
        let query = PageQuery { newest_first: true, limit: PAGE, ..query };
        let counts_itself = count_in_store(&holding, work, &query, side, &mut counts).await?;
        let most = if counts_itself { READ } else { u64::MAX };
        let mut joined = MergedHistory::new(&holding, work, names, query);
        if problems.is_some() {
            joined = joined.partial();
        }
        while counts.read(side) < most
            && let Some(activity) = joined.next().await?
        {
            counts.add(side, activity, names);
        }
        let mut found = joined.problems().to_vec();
        for some in counts.take_sample(side).chunks(STEP) {
            for (activity, payload, wrong) in payloads_of(&holding, work, some.to_vec()).await {
                if wrong.is_empty() || !payload.raw.is_empty() {
                    counts.add_payload(side, &activity, &payload, names);
                }
                found.extend(wrong);
            }
        }
        if let Some(problems) = problems.as_deref_mut() {
            problems.append(&mut found);
        }
    }
    Ok(counts.settle())
}

/// Lets a single store count a set by itself; false if there are several, or if it would have to be read for that.
async fn count_in_store(
    holding: &Sources,
    work: &Work,
    query: &PageQuery,
    side: Side,
    counts: &mut SetCounts,
) -> Result<bool> {
    let [(id, source)] = &**holding else { return Ok(false) };
    // What became of attempts is known only of what is read.
    if !source.capabilities().aggregates || query.filter.expr().names(Field::Final) {
        return Ok(false);
    }
    let job = work.job(*id);
    let sum = |groups: Groups| {
        groups.values().fold(Figures::default(), |mut sum, figures| {
            sum.merge(figures);
            sum
        })
    };
    counts.total(side, sum(source.aggregate(query, &Grouping::default(), &job).await?));
    for field in SetCounts::asked_fields() {
        let grouping = Grouping { measures: Measures::Totals, in_store: true, ..Grouping::by(field) };
        match source.aggregate(query, &grouping, &job).await {
            Ok(groups) => counts.counted(side, field, groups),
            Err(error) if error.kind == ErrorKind::Unsupported => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
