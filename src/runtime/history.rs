//! What a query is about, the newest first: from memory where it holds all of it, otherwise from the sources.

use super::{Answer, MergedHistory, Work};
use crate::effect::{HeldQuery, Reply};
use anyhow::{Context as _, Result};
use crosstail_core::filter::Predicate;
use crosstail_core::model::{Activity, Names, SourceId};
use crosstail_engine::window::Bounds;
use crosstail_source::{PageQuery, Source, SourceError};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The sequence.
pub(super) enum History<'a> {
    Memory(Memory),
    Sources(Box<MergedHistory<'a>>),
}

impl<'a> History<'a> {
    /// What a query is about, the newest first.
    pub(super) fn new(
        sources: &'a [(SourceId, Arc<dyn Source>)],
        work: &Work,
        names: &'a Names,
        query: PageQuery,
    ) -> Self {
        match work.memory() {
            Some(memory) => Self::Memory(Memory::new(memory.clone(), &query)),
            None => Self::Sources(Box::new(MergedHistory::new(sources, work, names, query))),
        }
    }

    /// Goes on without a source that fails, as long as another is left.
    #[must_use]
    pub(super) fn partial(self) -> Self {
        match self {
            Self::Sources(merged) => Self::Sources(Box::new(merged.partial())),
            memory @ Self::Memory(_) => memory,
        }
    }

    /// What became of failed attempts is known; memory knows.
    #[must_use]
    pub(super) fn with_outcomes(self) -> Self {
        match self {
            Self::Sources(merged) => Self::Sources(Box::new(merged.with_outcomes())),
            memory @ Self::Memory(_) => memory,
        }
    }

    /// The next activity; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Activity>> {
        match self {
            Self::Memory(memory) => memory.next().await,
            Self::Sources(merged) => merged.next().await,
        }
    }

    /// The errors of the sources that failed.
    pub(super) fn problems(&self) -> &[SourceError] {
        match self {
            Self::Memory(_) => &[],
            Self::Sources(merged) => merged.problems(),
        }
    }
}

/// What memory holds, page by page.
pub(super) struct Memory {
    asks: mpsc::Sender<Answer>,
    predicate: Predicate,
    /// What has not been asked for.
    bounds: Option<Bounds>,
    page: std::vec::IntoIter<Activity>,
}

impl Memory {
    fn new(asks: mpsc::Sender<Answer>, query: &PageQuery) -> Self {
        let predicate = query.filter.predicate(&query.context);
        let bounds = Bounds { since: query.since, until: query.until };
        Self { asks, predicate, bounds: Some(bounds), page: Vec::new().into_iter() }
    }

    async fn next(&mut self) -> Result<Option<Activity>> {
        loop {
            if let Some(activity) = self.page.next() {
                return Ok(Some(activity));
            }
            let Some(bounds) = self.bounds.take() else { return Ok(None) };
            let (answer, answered) = oneshot::channel();
            let query = HeldQuery { predicate: self.predicate.clone(), bounds, answer };
            let ended = "the explorer has ended";
            self.asks.send((0, Reply::Held(Box::new(query)))).await.ok().context(ended)?;
            let page = answered.await.context(ended)?;
            self.page = page.items.into_iter();
            self.bounds = page.rest.map(|rest| Bounds { until: Some(rest), ..bounds });
        }
    }
}
