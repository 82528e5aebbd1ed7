//! Figures over all sources. A request that several sources know is counted once.

use super::{MergedHistory, Runtime, Sources, Work, Worth, corrected, outcomes, payloads_of};
use crate::effect::{CANCELLED, Reply, Ticket};
use anyhow::Result;
use crosstail_core::filter::{Context, Expr, Field, Filter, Operand};
use crosstail_core::model::{Activity, Names, SourceId, Timestamp};
use crosstail_source::{ErrorKind, FiguresQuery, Grouping, Groups, PageQuery, Priority, Source, SourceError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Activities per page.
const PAGE: usize = 5000;

impl Runtime {
    pub(super) fn figures(&self, ticket: Ticket, work: Work, scope: CancellationToken, query: Box<FiguresQuery>) {
        let (sources, names, context) = (Arc::clone(&self.sources), self.names.clone(), self.context());
        self.spawn(scope, ticket, async move {
            let result = answer(&sources, &work, &names, context, &query).await;
            Reply::Figures(query, result)
        });
    }

    /// Counts for the health screen; what was counted for it before, nobody waits for any more.
    pub(super) fn health_figures(&mut self, ticket: Ticket, queries: Vec<FiguresQuery>) {
        let scope = self.restart_scope(|this| &mut this.health);
        for query in queries {
            let work = self.work("count for health", Priority::View, &scope);
            self.figures(ticket, work, scope.clone(), Box::new(query));
        }
    }
}

/// Figures of the activities that match a query. A single source aggregates in its store, and so does the largest of several where
/// the others are smaller; otherwise several are joined here. With `problems`, counting goes on without those that fail.
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
            if !is_counted_here {
                // Where a source fails, reading says so, or goes on without it.
                let counted = corrected(several, work, names, &query, grouping, Worth::USUAL).await;
                if let Ok(Some(groups)) = counted {
                    return Ok(groups);
                }
            }
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

/// Activities whose payloads are loaded side by side.
const STEP: usize = 256;

/// Figures by fields and by paths of payloads, and by periods of so many microseconds. No store groups by what is in its
/// payloads: each is loaded. With `problems`, counting goes on without the sources that fail, and an activity whose payload cannot
/// be loaded counts as one without the path.
pub async fn figures_by(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    (by, bucket_us): (&[Operand], Option<i64>),
    problems: Option<&mut Vec<SourceError>>,
) -> Result<Groups> {
    let fields = by.iter().map(|one| match one {
        Operand::Field(field) => Some(*field),
        Operand::Path(..) => None,
    });
    if let Some(by) = fields.collect::<Option<Vec<Field>>>() {
        return figures(sources, work, names, query, &Grouping { by, bucket_us, ..Grouping::default() }, problems)
            .await;
    }
    let mut query = PageQuery { newest_first: true, limit: PAGE, ..query };
    let by_outcome = by.contains(&Operand::Field(Field::Final));
    if by_outcome {
        query.filter = Filter::of(Expr::And(vec![query.filter.expr().clone(), outcomes::failed()]));
    }
    let holding = |source: &&(SourceId, Arc<dyn Source>)| source.1.capabilities().holds_activities;
    let holding: Vec<_> = sources.iter().filter(holding).cloned().collect();
    let all: Sources = holding.clone().into();
    let mut joined = MergedHistory::new(&holding, work, names, query);
    if problems.is_some() {
        joined = joined.partial();
    }
    if by_outcome {
        joined = joined.with_outcomes();
    }
    let mut counting = ByPath { by, bucket_us, names, groups: Groups::new(), problems: Vec::new() };
    let mut step = Vec::with_capacity(STEP);
    while let Some(activity) = joined.next().await? {
        step.push(activity);
        if step.len() == STEP {
            counting.add(&all, work, std::mem::take(&mut step)).await;
        }
    }
    counting.add(&all, work, step).await;
    match problems {
        Some(problems) => {
            problems.extend_from_slice(joined.problems());
            problems.append(&mut counting.problems);
        }
        None => counting.problems.into_iter().next().map_or(Ok(()), Err)?,
    }
    Ok(counting.groups)
}

/// Groups that are counted from payloads.
struct ByPath<'a> {
    by: &'a [Operand],
    bucket_us: Option<i64>,
    names: &'a Names,
    groups: Groups,
    problems: Vec<SourceError>,
}

impl ByPath<'_> {
    async fn add(&mut self, sources: &Sources, work: &Work, activities: Vec<Activity>) {
        for (activity, payload, problems) in payloads_of(sources, work, activities).await {
            self.problems.extend(problems);
            let value = |one: &Operand| one.text(&activity, self.names, Some(&payload));
            let key = self.by.iter().map(value).collect();
            let at = self.bucket_us.map(|us| Timestamp(activity.started_at.0.div_euclid(us) * us));
            self.groups.entry((key, at)).or_default().add(&activity);
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
    let counted = figures(sources, work, names, query, &asked.grouping, None).await;
    counted.map_err(|error| match error.downcast_ref::<SourceError>() {
        Some(error) if error.kind == ErrorKind::Cancelled => CANCELLED.to_owned(),
        _ => format!("{error:#}"),
    })
}
