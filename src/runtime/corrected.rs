//! Figures over several sources without reading the largest: that one counts in its store, and what it shares with the others is put
//! right.
//!
//! The others are read, joined with each other, and looked up in the largest by id. What that has of their requests is taken from its
//! figures, as it counts there, and what all of them know of these requests together is added. So the figures are those of joining
//! first and filtering then, whatever the filter, and the largest source is asked for as many rows as the others have. Where the others
//! have as much as it, nothing is gained: no store knows which of its requests are in another, so both are read.

use super::complete::by_ids;
use super::merged::MAX_SKEW_US;
use super::{MergedHistory, Work};
use anyhow::Result;
use crosstail_core::filter::{Expr, Filter, NamedRecord, Predicate};
use crosstail_core::model::{Activity, Id, Names, SourceId};
use crosstail_engine::store::Store;
use crosstail_engine::window::{Bounds, witness};
use crosstail_source::{ErrorKind, Grouping, Groups, Measures, PageQuery, Source, SourceError};
use std::sync::Arc;

/// When counting in the largest source is worth it.
#[derive(Debug, Clone, Copy)]
pub struct Worth {
    /// Fewer rows than this are read.
    pub least: u64,
    /// A row of another source, read and looked up by its id, costs so many times what it costs to read a row of the largest; with 0,
    /// nothing is too much.
    pub row: u64,
}

impl Worth {
    /// As PostgreSQL and `SQLite` do it.
    pub const USUAL: Self = Self { least: 20_000, row: 3 };
}

/// Activities that are looked up together.
const STEP: usize = 2000;
const PAGE: usize = 5000;

type Opened = (SourceId, Arc<dyn Source>);

/// The figures of what matches a query; `None` where reading all sources costs less, or none of them can count it.
///
/// # Errors
/// A source fails.
pub async fn corrected(
    sources: &[Opened],
    work: &Work,
    names: &Names,
    query: &PageQuery,
    grouping: &Grouping,
    worth: Worth,
) -> Result<Option<Groups>> {
    let predicate = query.filter.predicate(&query.context);
    if predicate.needs_payload() {
        return Ok(None);
    }
    let (since, until) = predicate.time_bounds().unwrap_or_default();
    let until = [query.until, until].into_iter().flatten().min();
    let this =
        Correcting { work, names, query, grouping, predicate, within: Bounds { since: query.since.max(since), until } };
    let Some((base, others, most)) = this.worth_it(sources, worth).await? else { return Ok(None) };
    let in_store = Grouping { in_store: true, ..grouping.clone() };
    let groups = match base.1.aggregate(query, &in_store, &work.job(base.0)).await {
        Ok(groups) => groups,
        Err(error) if error.kind == ErrorKind::Unsupported => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    this.with(&base, &others, most, groups).await
}

struct Correcting<'a> {
    work: &'a Work,
    names: &'a Names,
    query: &'a PageQuery,
    grouping: &'a Grouping,
    predicate: Predicate,
    /// When what counts has started.
    within: Bounds,
}

impl Correcting<'_> {
    /// The source that is to count by itself, the others, and how many rows of these may be read before reading all is less work.
    async fn worth_it(&self, sources: &[Opened], worth: Worth) -> Result<Option<(Opened, Vec<Opened>, u64)>> {
        let asked = witness(self.query.filter.expr());
        let (mut totals, mut to_read) = (Vec::new(), 0);
        for source in sources {
            if !source.1.capabilities().aggregates {
                continue;
            }
            let Some(total) = self.count(source, Filter::default()).await? else { return Ok(None) };
            // What would be read of it: all, or what a clause finds.
            let is_read_whole = asked == Expr::All || !source.1.capabilities().finds_ids;
            to_read += if is_read_whole {
                total
            } else {
                match self.count(source, Filter::of(asked.clone())).await? {
                    Some(found) => found,
                    None => total,
                }
            };
            totals.push((source.0, total, source.1.capabilities().finds_ids));
        }
        let of_base = totals.iter().filter(|(_, _, finds_ids)| *finds_ids).max_by_key(|(_, total, _)| *total);
        let Some((id, of_base, _)) = of_base else { return Ok(None) };
        let known: u64 = totals.iter().map(|(_, total, _)| total).sum::<u64>() - of_base;
        let most = to_read.checked_div(worth.row).unwrap_or(u64::MAX);
        if to_read < worth.least || known > most {
            return Ok(None);
        }
        let (base, others): (Vec<Opened>, Vec<Opened>) = sources.iter().cloned().partition(|(source, _)| source == id);
        // Records of one request are joined in the order of their sources: what differs is the last one's.
        let is_between = others.iter().any(|(other, _)| other < id) && others.iter().any(|(other, _)| other > id);
        if is_between {
            return Ok(None);
        }
        Ok(base.into_iter().next().map(|base| (base, others, most)))
    }

    /// How many rows of a source a filter keeps; `None` where it does not count that by itself.
    async fn count(&self, (id, source): &Opened, filter: Filter) -> Result<Option<u64>> {
        let grouping = Grouping { measures: Measures::Totals, in_store: true, ..Grouping::default() };
        let query = PageQuery { filter, ..self.records() };
        match source.aggregate(&query, &grouping, &self.work.job(*id)).await {
            Ok(groups) => Ok(Some(groups.values().map(|figures| figures.count).sum())),
            Err(error) if error.kind == ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for all records of requests, any of which may start some time before or after the joined activity.
    fn records(&self) -> PageQuery {
        let since = self.within.since.map(|at| at.plus_us(-MAX_SKEW_US));
        let until = self.within.until.map(|at| at.plus_us(MAX_SKEW_US));
        PageQuery { filter: Filter::default(), since, until, limit: PAGE, ..self.query.clone() }
    }

    fn counts(&self, activity: &Activity) -> bool {
        let (Bounds { since, until }, at) = (self.within, activity.started_at);
        since.is_none_or(|since| at >= since)
            && until.is_none_or(|until| at < until)
            && self.predicate.keeps(&NamedRecord { activity, names: self.names, payload: None })
    }

    /// Puts the figures of the largest source right by what the others have.
    async fn with(&self, base: &Opened, others: &[Opened], most: u64, groups: Groups) -> Result<Option<Groups>> {
        let mut history = MergedHistory::new(others, self.work, self.names, self.records());
        let (mut groups, mut read, mut ended) = (groups, 0_u64, false);
        while !ended {
            let mut step = Vec::new();
            while step.len() < STEP && !ended {
                match history.next().await? {
                    Some(activity) => step.push(activity),
                    None => ended = true,
                }
            }
            read += step.len() as u64;
            // What does not count by itself turns out to be as large.
            if read > most {
                return Ok(None);
            }
            self.correct(base, step, &mut groups).await?;
        }
        groups.retain(|_, figures| figures.count > 0);
        Ok(Some(groups))
    }

    async fn correct(&self, base: &Opened, step: Vec<Activity>, groups: &mut Groups) -> Result<(), SourceError> {
        let ids: Vec<Id> = step.iter().map(|activity| activity.id.clone()).collect();
        let asked = [(base.0, base.1.as_ref(), self.work.job(base.0))];
        let mut known = Vec::new();
        for (_, answer) in by_ids(asked, &ids, &self.records()).await {
            known.extend(answer?);
        }
        for activity in known.iter().filter(|activity| self.counts(activity)) {
            if let Some(figures) = groups.get_mut(&self.grouping.key(activity, self.names)) {
                figures.remove(activity);
            }
        }
        // Of what several sources say, that of the first one counts.
        let is_first = step.iter().flat_map(|one| &one.places).all(|place| place.source > base.0);
        let mut joined = Store::new(self.names.clone());
        for records in if is_first { [known, step] } else { [step, known] } {
            joined.ingest(records);
        }
        for row in joined.all_rows() {
            let activity = joined.get(*row);
            if self.counts(&activity) {
                groups.entry(self.grouping.key(&activity, self.names)).or_default().add(&activity);
            }
        }
        Ok(())
    }
}
