//! Searches every source at once for what a pasted text identifies.

use super::{Answer, Sources, Work};
use crate::effect::{Reply, SearchProgress, Ticket};
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::Activity;
use crosstail_core::number::saturating_u64;
use crosstail_engine::insight::{Candidate, candidates};
use crosstail_source::{Job, PageQuery, RelatedKey, Source, SourceError};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Maximum number of results from a source: a text with more matches identifies nothing.
const MAX_RESULTS: usize = 50;

/// The same of the spans of a trace: which one is meant is told afterwards.
const MAX_SPANS: usize = 5_000;

/// Tries one candidate after the other on a source until one finds something, and reports each to the callback.
pub async fn search_source(
    source: &dyn Source,
    job: &Job,
    candidates: &[Candidate],
    context: &Context,
    mut tell: impl FnMut(SearchProgress),
) -> (SearchProgress, Vec<Activity>) {
    let begun = Instant::now();
    let took = || saturating_u64(begun.elapsed().as_millis());
    for candidate in candidates {
        tell(SearchProgress::Running(candidate.what));
        if !source.capabilities().holds_activities {
            // It has no list that could be searched, and may be asked for what belongs together.
            match traces_of(source, job, &candidate.traces).await {
                Ok(found) if found.is_empty() => continue,
                Ok(found) => {
                    let (count, ms) = (found.len(), took());
                    return (SearchProgress::Found { what: "a trace", count, ms, has_more: false }, found);
                }
                Err(error) => return (SearchProgress::Failed(error.to_string()), Vec::new()),
            }
        }
        let Ok(filter) = Filter::parse(&candidate.filter) else { continue };
        let query = PageQuery { filter, context: *context, ..PageQuery::all(MAX_RESULTS) };
        match source.page(&query, None, job).await {
            Ok(page) if page.items.is_empty() => {}
            Ok(page) => {
                let (count, ms, has_more) = (page.items.len(), took(), page.next.is_some());
                return (SearchProgress::Found { what: candidate.what, count, ms, has_more }, page.items);
            }
            Err(error) => return (SearchProgress::Failed(error.to_string()), Vec::new()),
        }
    }
    (SearchProgress::Empty(took()), Vec::new())
}

/// The activities of the first of some traces that a source knows.
async fn traces_of(source: &dyn Source, job: &Job, traces: &[String]) -> Result<Vec<Activity>, SourceError> {
    for trace in traces {
        let found = source.related(&RelatedKey::correlation(trace), MAX_SPANS, job).await?;
        if !found.activities.is_empty() {
            return Ok(found.activities);
        }
    }
    Ok(Vec::new())
}

pub(super) fn start(
    sources: &Sources,
    replies: &mpsc::Sender<Answer>,
    work: &Work,
    scope: &CancellationToken,
    ticket: Ticket,
    text: &str,
    context: Context,
) {
    let candidates: Arc<[Candidate]> = candidates(text).into();
    for (id, source) in sources.iter() {
        let (source, candidates) = (Arc::clone(source), Arc::clone(&candidates));
        let (replies, scope, job) = (replies.clone(), scope.clone(), work.job(*id));
        let id = *id;
        tokio::spawn(async move {
            let told = replies.clone();
            let searching = search_source(source.as_ref(), &job, &candidates, &context, |progress| {
                // Progress is optional: drop it rather than wait.
                let _ = told.try_send((ticket, Reply::SearchProgress(id, progress, Vec::new())));
            });
            tokio::select! {
                () = scope.cancelled() => {}
                (progress, found) = searching => {
                    let _ = replies.send((ticket, Reply::SearchProgress(id, progress, found))).await;
                }
            }
        });
    }
}
