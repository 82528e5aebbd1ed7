//! Groups of failures over all sources: those of a range of time, and whether each is new. The stores are asked once for the
//! failures of a day before the range; what they say is remembered.

use super::history::History;
use super::{MergedHistory, Recall, Work};
use anyhow::Result;
use crosstail_core::filter::{Context, Expr, Filter};
use crosstail_core::model::{Names, SourceId, Timestamp};
use crosstail_engine::failure::{DAY_US, Failures, FoundFailures, KnownFailures, Span, day_of, remark};
use crosstail_memory::Memory;
use crosstail_source::{PageQuery, Source, SourceError, for_each};
use std::sync::Arc;

/// Activities per page.
const PAGE: usize = 5000;
/// So many failures before the range are read, the newest first. What was not read is said.
const BEFORE: usize = 500_000;

/// The groups of the failures that a query keeps. Whether one is new is judged by all failures before, whatever the filter. With
/// `problems`, reading goes on without the sources that fail.
pub async fn failures(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    recall: &Recall,
    mut problems: Option<&mut Vec<SourceError>>,
) -> Result<FoundFailures> {
    let failed = Filter::parse("is:failure")?;
    // Metrics and health endpoints hold no activities.
    let holding: Vec<_> =
        sources.iter().filter(|(_, source)| source.capabilities().holds_activities).cloned().collect();
    let filter = failures_of(&query)?;
    let bounds = query.filter.predicate(&query.context).time_bounds().unwrap_or_default();
    let since = query.since.max(bounds.0);
    let until = [query.until, bounds.1].into_iter().flatten().min().unwrap_or(query.context.now);
    let mut found = FoundFailures { is_growing: recall.is_being_written(), ..FoundFailures::default() };
    let mut memory = match recall.open().await {
        Ok(memory) => memory,
        Err(error) => {
            found.problem = Some(format!("nothing is remembered: {error:#}"));
            None
        }
    };
    let query = PageQuery { filter, newest_first: true, limit: PAGE, ..query };
    let mut joined = History::new(&holding, work, names, query.clone()).with_outcomes();
    if problems.is_some() {
        joined = joined.partial();
    }
    let mut next = joined.next().await?;
    let mut span = Span::of(since, until);
    let last = next.as_ref().map_or(until, |newest| newest.started_at);
    if let Ok(Some(begins)) = beginning(&holding, work, query.context, (&mut memory, &recall.scope), span).await {
        found.begins = Some(begins).filter(|begins| *begins > span.known_from());
        span = span.over(begins, last);
    }
    found.known_from = found.begins.map_or(span.known_from(), |begins| begins.max(span.known_from()));
    found.fresh = span.fresh;
    let mut all = Failures::new(span);
    while let Some(activity) = next {
        let at = activity.started_at;
        found.count += 1;
        found.span = Some(found.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        all.add(activity);
        next = joined.next().await?;
    }
    if let Some(problems) = &mut problems {
        problems.extend_from_slice(joined.problems());
    }
    if let Some(since) = since {
        let before = Before { sources: &holding, work, names, query: PageQuery { filter: failed, ..query }, recall };
        before.read(since, &mut all, &mut found, (&mut memory, problems)).await?;
    } else if let Some(memory) = &mut memory {
        // All that the stores hold is read; what they no longer hold may be remembered.
        for seen in memory.seen(&recall.scope, day_of(span.known_from()), day_of(span.fresh) - 1).await? {
            all.add_seen(&seen);
        }
    }
    found.groups = all.settle();
    if let Some(mut memory) = memory {
        remark(&mut found.groups, &memory.remarks(&recall.scope).await?);
        memory.close().await?;
    }
    Ok(found)
}

/// The groups of the failures that memory holds, the most frequent first: no store is asked, so nothing says what has failed before.
pub(super) async fn held_failures(work: &Work, names: &Names, query: PageQuery) -> Result<FoundFailures> {
    let filter = failures_of(&query)?;
    let mut all = Failures::new(Span::of(query.since, query.until.unwrap_or(query.context.now)));
    let mut found = FoundFailures::default();
    let mut held = History::new(&[], work, names, PageQuery { filter, newest_first: true, limit: PAGE, ..query });
    while let Some(activity) = held.next().await? {
        found.count += 1;
        all.add(activity);
    }
    found.groups = all.settle();
    found.groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok(found)
}

/// The failures among what a query keeps.
fn failures_of(query: &PageQuery) -> Result<Filter> {
    let failed = Filter::parse("is:failure")?;
    Ok(Filter::of(Expr::And(vec![query.filter.expr().clone(), failed.expr().clone()])))
}

/// When sources begin: their first activity, or the first failure that is remembered of them. Days without one say nothing: they
/// may have been read before anything was there. `None` where they hold nothing.
///
/// # Errors
/// If a source does not answer.
async fn beginning(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    context: Context,
    (memory, scope): (&mut Option<Memory>, &str),
    span: Span,
) -> Result<Option<Timestamp>, SourceError> {
    let query = PageQuery { context, newest_first: false, ..PageQuery::all(1) };
    let asked = sources.iter().map(|(id, source)| async {
        let (job, mut first) = (work.job(*id), None);
        let answer = for_each(source.as_ref(), &query, &job, |activity| {
            first = Some(activity.started_at);
            false
        });
        answer.await.map(|_| first)
    });
    let answers = futures_util::future::join_all(asked).await;
    let firsts: Vec<Option<Timestamp>> = answers.into_iter().collect::<Result<_, _>>()?;
    let first = firsts.into_iter().flatten().min();
    let seen = match memory {
        Some(memory) => {
            memory.first_seen(scope, day_of(span.known_from()), day_of(span.until)).await.unwrap_or_default()
        }
        None => None,
    };
    Ok([first, seen].into_iter().flatten().min())
}

/// What has failed in the two weeks before a moment, for rules on groups of failures.
pub async fn known_failures(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    context: Context,
    until: Timestamp,
    recall: &Recall,
) -> Result<KnownFailures> {
    let holding: Vec<_> =
        sources.iter().filter(|(_, source)| source.capabilities().holds_activities).cloned().collect();
    if recall.is_being_written() {
        return Ok(KnownFailures { seen: Vec::new(), known_from: until, begins: None, is_final: false });
    }
    let span = Span { fresh: until, until };
    let mut found = FoundFailures { known_from: span.known_from(), ..FoundFailures::default() };
    let (mut all, mut problems) = (Failures::new(span), Vec::new());
    let filter = Filter::parse("is:failure")?;
    let query = PageQuery { filter, context, newest_first: true, ..PageQuery::all(PAGE) };
    // Without a memory, the stores are asked for everything.
    let mut memory = recall.open().await.unwrap_or_default();
    let begins = beginning(&holding, work, context, (&mut memory, &recall.scope), span).await;
    // Where a source does not answer, it is asked again. What holds nothing yet begins now.
    let Ok(begins) = begins else {
        return Ok(KnownFailures { seen: Vec::new(), known_from: until, begins: None, is_final: false });
    };
    let begins = Some(begins.unwrap_or(until)).filter(|begins| *begins > span.known_from());
    found.known_from = begins.unwrap_or(found.known_from);
    let before = Before { sources: &holding, work, names, query, recall };
    before.read(until, &mut all, &mut found, (&mut memory, Some(&mut problems))).await?;
    if let Some(memory) = memory {
        memory.close().await?;
    }
    let is_final = problems.is_empty();
    Ok(KnownFailures { seen: all.seen_before(), known_from: found.known_from, begins, is_final })
}

/// What has failed before a range.
struct Before<'a> {
    sources: &'a [(SourceId, Arc<dyn Source>)],
    work: &'a Work,
    names: &'a Names,
    query: PageQuery,
    recall: &'a Recall,
}

impl Before<'_> {
    /// Adds what is remembered, and reads the rest.
    async fn read(
        &self,
        since: Timestamp,
        all: &mut Failures,
        found: &mut FoundFailures,
        (memory, mut problems): (&mut Option<Memory>, Option<&mut Vec<SourceError>>),
    ) -> Result<()> {
        // Days are remembered whole; the one in which the range begins is read each time.
        let (first, today) = (day_of(found.known_from).min(day_of(since)), day_of(since));
        let mut known = Vec::new();
        if let Some(memory) = memory {
            known = memory.days(&self.recall.scope, first, today - 1).await?;
            for seen in memory.seen(&self.recall.scope, first, today - 1).await? {
                all.add_seen(&seen);
            }
        }
        let mut left = BEFORE;
        for (from, to) in missing(first, today, &known) {
            let until = Timestamp(to * DAY_US).min(since);
            let query = PageQuery { since: Some(Timestamp(from * DAY_US)), until: Some(until), ..self.query.clone() };
            let mut joined = MergedHistory::new(self.sources, self.work, self.names, query);
            if problems.is_some() {
                joined = joined.partial();
            }
            let mut reached = until;
            while let Some(activity) = joined.next().await? {
                reached = activity.started_at;
                all.add_before(&activity);
                left = left.saturating_sub(1);
                if left == 0 {
                    break;
                }
            }
            let failed = !joined.problems().is_empty();
            if let Some(problems) = &mut problems {
                problems.extend_from_slice(joined.problems());
            }
            // What was read of a day in part says nothing about the rest of it.
            let whole = if left == 0 { day_of(reached) + 1 } else { from };
            // A day that has just ended may still get records, and outcomes.
            let settled = day_of(self.query.context.now) - 1;
            if let (Some(memory), false) = (memory.as_mut(), failed || self.recall.grows) {
                for day in whole..to.min(today).min(settled) {
                    memory.remember(&self.recall.scope, day, &all.seen_on(day)).await?;
                }
            }
            if failed || left == 0 {
                found.known_from = if failed { until } else { reached };
                break;
            }
        }
        Ok(())
    }
}

/// The stretches of days that are not known between two, both included, the latest first: each from a day up to another, which is
/// not part of it. The last day is never known.
fn missing(first: i64, last: i64, known: &[i64]) -> Vec<(i64, i64)> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for day in (first..=last).rev().filter(|day| *day == last || !known.contains(day)) {
        match stretches.last_mut() {
            Some((from, _)) if *from == day + 1 => *from = day,
            _ => stretches.push((day, day + 1)),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_are_not_known_are_read() {
        assert_eq!(missing(1, 5, &[]), [(1, 6)]);
        assert_eq!(missing(1, 5, &[1, 2, 3, 4]), [(5, 6)]);
        assert_eq!(missing(1, 5, &[2, 3]), [(4, 6), (1, 2)]);
        assert_eq!(missing(1, 5, &[5]), [(1, 6)], "the last one is never whole");
    }
}
