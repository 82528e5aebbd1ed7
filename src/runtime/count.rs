//! Counts in the stores what memory does not hold.

use super::read::{Reader, ends};
use crate::effect::{CountPart, CountQuery, Counts, Reply, ValuesPart, ValuesPurpose, ValuesQuery};
use crosstail_core::filter::{Field, Filter};
use crosstail_core::model::SourceId;
use crosstail_engine::store::Facet;
use crosstail_engine::window::Interval;
use crosstail_source::{ErrorKind, Grouping, Groups, Measures, PageQuery, Source, SourceError};
use std::sync::Arc;
use std::time::Duration;

/// Activities of a page, where a source counts by reading.
const PAGE: usize = 5000;
/// What takes longer is estimated first.
const ESTIMATE_AFTER: Duration = Duration::from_millis(400);
/// Fewer than this are counted even where an estimate is enough.
const WORTH_AN_ESTIMATE: u64 = 500_000;

impl Reader {
    /// Counts over intervals, every source by itself.
    pub(super) async fn count(self: Arc<Self>, query: CountQuery) {
        let Ok((filter, _)) = Filter::compile(&query.filter, &self.context) else { return };
        let holding = self.sources.iter().filter(|(_, source)| source.capabilities().holds_activities);
        let counting = holding.map(|(id, source)| {
            let one = Counting { reader: &self, id: *id, source, filter: &filter, query: &query };
            async move { one.run().await }
        });
        futures_util::future::join_all(counting).await;
    }

    /// Figures of a source over intervals.
    async fn aggregated(
        &self,
        (id, source): (SourceId, &Arc<dyn Source>),
        filter: &Filter,
        intervals: &[Interval],
        grouping: &Grouping,
    ) -> Result<Groups, SourceError> {
        if filter.expr().names(Field::Final) || grouping.by.contains(&Field::Final) {
            let cause = "what became of attempts is known only of what is held";
            return Err(SourceError::of(&self.names.source_name(id), "count", (ErrorKind::Unsupported, None), &cause));
        }
        let (mut all, job) = (Groups::new(), self.work.job(id));
        for interval in intervals {
            let ((since, until), context) = (ends(*interval), self.context);
            let asked = PageQuery { filter: filter.clone(), context, since, until, ..PageQuery::all(PAGE) };
            for (key, figures) in source.aggregate(&asked, grouping, &job).await? {
                all.entry(key).or_default().merge(&figures);
            }
        }
        Ok(all)
    }

    /// Counts the values of fields over intervals, every source by itself.
    pub(super) async fn count_values(self: Arc<Self>, query: ValuesQuery) {
        let Ok((filter, _)) = Filter::compile(&query.filter, &self.context) else { return };
        let holding = self.sources.iter().filter(|(_, source)| source.capabilities().holds_activities);
        let counting = holding.map(|(id, source)| {
            let (this, filter, query) = (&self, &filter, &query);
            async move {
                let mut part = ValuesPart { source: *id, ..ValuesPart::default() };
                for field in &query.fields {
                    // Values may be as many as rows: a store that cannot count them is not read for that.
                    let in_store = source.capabilities().aggregates;
                    let grouping = Grouping { measures: Measures::Outcomes, in_store, ..Grouping::by(*field) };
                    match this.aggregated((*id, source), filter, &query.intervals, &grouping).await {
                        Ok(groups) => part.add(*field, groups, query.purpose),
                        Err(error) if error.kind == ErrorKind::Unsupported => {}
                        Err(error) => {
                            part.values = Err(error.to_string());
                            break;
                        }
                    }
                }
                let _ = this.replies.send((this.ticket, Reply::CountedValues(Box::new(part)))).await;
            }
        });
        futures_util::future::join_all(counting).await;
    }
}

impl ValuesPart {
    /// Takes the figures by a field. Those of every field add up to the same total.
    fn add(&mut self, field: Field, groups: Groups, purpose: ValuesPurpose) {
        let (mut facets, mut total) = (Vec::new(), (0, 0));
        for ((mut value, _), figures) in groups {
            let open = if purpose == ValuesPurpose::Contrast { figures.open } else { 0 };
            let count = figures.count.saturating_sub(open);
            total = (total.0 + count, total.1 + figures.failed);
            if let Some(value) = value.pop().flatten() {
                facets.push(Facet { value, count, failed: figures.failed });
            }
        }
        self.total = total;
        if let Ok(values) = &mut self.values {
            values.push((field, facets));
        }
    }
}

/// One source that counts.
struct Counting<'a> {
    reader: &'a Reader,
    id: SourceId,
    source: &'a Arc<dyn Source>,
    filter: &'a Filter,
    query: &'a CountQuery,
}

impl Counting<'_> {
    /// The number first, where it alone is less work: about how many, how many, when, and then how many of them failed. An
    /// index alone answers all but the last.
    async fn run(&self) {
        if self.filter.is_all() && self.source.capabilities().aggregates {
            if self.query.is_estimate_enough {
                let estimate = self.estimate().await.filter(|count| *count > WORTH_AN_ESTIMATE);
                if let Some(count) = estimate {
                    return self.send(Ok(Counts::Estimate { count, is_final: true })).await;
                }
            }
            let by_time = self.source.capabilities().counts_times.then_some(self.query.bucket_us);
            let total = self.counted(Measures::Totals, by_time);
            tokio::pin!(total);
            let counted = tokio::select! {
                counted = &mut total => counted,
                () = tokio::time::sleep(ESTIMATE_AFTER) => {
                    if let Some(count) = self.estimate().await {
                        self.send(Ok(Counts::Estimate { count, is_final: false })).await;
                    }
                    total.await
                }
            };
            let failed = counted.is_err();
            let told = |groups: Groups| match by_time {
                Some(_) => Counts::Times(groups),
                None => Counts::Total(groups.values().map(|figures| figures.count).sum()),
            };
            self.send(counted.map(told)).await;
            if failed {
                return;
            }
            if by_time.is_none()
                && let Ok(times) = self.counted(Measures::Totals, Some(self.query.bucket_us)).await
            {
                self.send(Ok(Counts::Times(times))).await;
            }
        }
        let counted = self.counted(Measures::Outcomes, Some(self.query.bucket_us)).await;
        self.send(counted.map(Counts::Outcomes)).await;
    }

    async fn counted(&self, measures: Measures, bucket_us: Option<i64>) -> Result<Groups, String> {
        let grouping = Grouping { bucket_us, measures, ..Grouping::default() };
        let asked = (self.id, self.source);
        let counted = self.reader.aggregated(asked, self.filter, &self.query.intervals, &grouping).await;
        counted.map_err(|error| error.to_string())
    }

    /// About how many there are, by the store's own statistics.
    async fn estimate(&self) -> Option<u64> {
        let mut all = 0;
        for interval in &self.query.intervals {
            let ((since, until), context) = (ends(*interval), self.reader.context);
            let asked = PageQuery { context, since, until, ..PageQuery::all(PAGE) };
            all += self.source.plan(&asked, &self.reader.work.job(self.id)).await.ok()?.rows?;
        }
        Some(all)
    }

    async fn send(&self, counts: Result<Counts, String>) {
        let part = CountPart { source: self.id, filtered: self.query.filtered, counts };
        let _ = self.reader.replies.send((self.reader.ticket, Reply::Counted(Box::new(part)))).await;
    }
}
