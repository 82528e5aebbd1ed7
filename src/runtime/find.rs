//! Looking for what a pasted text identifies, in every source at once.

use super::Sources;
use crate::app::{Event, Progress, Reply, Ticket};
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::Activity;
use crosstail_engine::insight::{Clue, clues};
use crosstail_source::{PageQuery, Source};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Activities taken from a source at most: what more match a text identify nothing.
const TAKEN: usize = 50;

/// Tries one clue after the other on a source until one finds something; `tell` hears what is being tried.
pub async fn look(
    source: &dyn Source,
    clues: &[Clue],
    context: &Context,
    mut tell: impl FnMut(Progress),
) -> (Progress, Vec<Activity>) {
    let begun = Instant::now();
    let took = || begun.elapsed().as_millis() as u64;
    for clue in clues {
        tell(Progress::Looking(clue.what));
        let Ok(filter) = Filter::parse(&clue.filter) else { continue };
        let query = PageQuery { filter, context: *context, ..PageQuery::all(TAKEN) };
        match source.page(&query, None).await {
            Ok(page) if page.items.is_empty() => {}
            Ok(page) => return (Progress::Found(clue.what, page.items.len(), took()), page.items),
            Err(error) => return (Progress::Failed(error.to_string()), Vec::new()),
        }
    }
    (Progress::Nothing(took()), Vec::new())
}

pub(super) fn start(
    sources: &Sources,
    events: &mpsc::Sender<Event>,
    scope: &CancellationToken,
    ticket: Ticket,
    text: &str,
    context: Context,
) {
    let clues: Arc<[Clue]> = clues(text).into();
    for (id, source) in sources.iter() {
        let (id, source, clues) = (*id, Arc::clone(source), Arc::clone(&clues));
        let (events, scope) = (events.clone(), scope.clone());
        tokio::spawn(async move {
            let told = events.clone();
            let work = look(source.as_ref(), &clues, &context, |progress| {
                // What is being tried is worth a word, not a wait.
                let _ = told.try_send(Event::Reply(ticket, Reply::Finding(id, progress, Vec::new())));
            });
            tokio::select! {
                () = scope.cancelled() => {}
                (progress, found) = work => {
                    let _ = events.send(Event::Reply(ticket, Reply::Finding(id, progress, found))).await;
                }
            }
        });
    }
}
