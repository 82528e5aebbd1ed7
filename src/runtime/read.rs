//! Reads from the stores what memory does not hold, and counts it there.

use super::complete::{IDS, by_ids, with_ids};
use super::load::kept_whole;
use super::outcomes::{self, Lookup, Reach};
use super::{Answer, Sources, Work};
use crate::effect::{AtOnce, Piece, ReadPart, ReadPurpose, ReadQuery, Reply, Ticket};
use crosstail_core::filter::{Context, Expr, Field, Filter, Predicate};
use crosstail_core::model::{Activity, Id, Names, SourceId, Timestamp, merge_by_id};
use crosstail_engine::window::{Interval, witness};
use crosstail_source::{Cursor, ErrorKind, Job, PageQuery, Source, SourceError, for_all};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Activities of the first page, so that the newest are shown while more is read.
const FIRST: usize = 500;
/// More attempts than this, on average, no operation has.
const ATTEMPTS: usize = 20;
/// Activities of a page.
const PAGE: usize = 5000;
/// The first slice of a search without an index, in microseconds.
const FIRST_SLICE_US: i64 = 3_600_000_000;
/// A slice that would be longer is everything that is left, in microseconds: two years.
const LAST_SLICE_US: i64 = 2 * 365 * 86_400_000_000;
/// A slice should take about this long, so that progress is seen.
const SLICE: Duration = Duration::from_millis(600);
/// What memory cannot hold is read at once while it is at most so many times as much: pages would read all of an hour for each
/// few thousand activities.
const PASSES: u64 = 8;
/// Where the whole past is more than that: the last day, the last quarter of one, the last two hours, in microseconds.
const LAST_SPANS_US: [i64; 3] = [86_400_000_000, 21_600_000_000, 7_200_000_000];
/// The longest rest between two pages that fill the range.
const REST: Duration = Duration::from_secs(2);

/// Reads for the screen.
pub(super) struct Reader {
    pub(super) sources: Sources,
    pub(super) names: Names,
    pub(super) context: Context,
    pub(super) work: Work,
    pub(super) replies: mpsc::Sender<Answer>,
    pub(super) ticket: Ticket,
}

/// What is asked of a source, and how what it finds is judged.
struct Question {
    /// The filter of the view, as far as records can be judged by themselves.
    filter: Filter,
    predicate: Predicate,
    /// Whether what became of attempts is to be known.
    needs_outcomes: bool,
    /// What the source is asked for: with several sources, one clause, whose finds are completed by id.
    asked: Filter,
    /// Whether it is completed.
    joins: bool,
}

impl Reader {
    /// Answers a query: the sources side by side.
    pub(super) async fn read(self: Arc<Self>, query: ReadQuery) {
        let Ok((filter, _)) = Filter::compile(&query.filter, &self.context) else { return };
        let needs_outcomes = filter.expr().names(Field::Final);
        let filter = outcomes::implied(&filter);
        let predicate = filter.predicate(&self.context);
        let holding = self.sources.iter().filter(|(_, source)| source.capabilities().holds_activities);
        let joins = holding.count() > 1 && !filter.is_all();
        let asked = if joins { Filter::of(witness(filter.expr())) } else { filter.clone() };
        // What is read whole is joined as it arrives.
        let joins = joins && *asked.expr() != Expr::All;
        let question = Arc::new(Question { filter, predicate, needs_outcomes, asked, joins });
        let mut sources: Vec<SourceId> = query.pieces.iter().map(|piece| piece.source).collect();
        sources.sort_unstable();
        sources.dedup();
        let reading = sources.into_iter().map(|id| {
            let pieces: Vec<Piece> = query.pieces.iter().filter(|piece| piece.source == id).cloned().collect();
            let (this, question, purpose) = (Arc::clone(&self), Arc::clone(&question), query.purpose);
            async move {
                let end = this.read_source(id, purpose, &question, &pieces).await;
                let is_cancelled = end.as_ref().is_err_and(|error| error.kind == ErrorKind::Cancelled);
                let end = Some(end.map_err(|error| error.to_string()));
                this.send(purpose, ReadPart { source: id, end, is_cancelled, ..ReadPart::default() }).await;
            }
        });
        futures_util::future::join_all(reading).await;
    }

    async fn send(&self, purpose: ReadPurpose, part: ReadPart) {
        let _ = self.replies.send((self.ticket, Reply::Read(purpose, Box::new(part)))).await;
    }

    async fn read_source(
        &self,
        id: SourceId,
        purpose: ReadPurpose,
        question: &Question,
        pieces: &[Piece],
    ) -> Result<(), SourceError> {
        let Some((_, source)) = self.sources.iter().find(|(known, _)| *known == id) else { return Ok(()) };
        let job = self.work.job(id);
        let mut reading =
            Reading { reader: self, source, id, job, purpose, question, found: 0, ends_before_now: false };
        for piece in pieces {
            reading.found = 0;
            reading.ends_before_now = piece.interval.to <= self.context.now;
            if !reading.piece(piece).await? {
                break;
            }
        }
        Ok(())
    }

    /// What other sources have of the same requests.
    async fn completed(&self, of: SourceId, ids: &[Id]) -> Vec<Activity> {
        let others = self.sources.iter().filter(|(id, source)| *id != of && source.capabilities().finds_ids);
        let others = others.map(|(id, source)| (*id, source.as_ref(), self.work.job(*id)));
        // A source that cannot be read says so itself; what the others have is shown without it.
        let found = by_ids(others, ids, &PageQuery::all(PAGE)).await;
        found.into_iter().filter_map(|(_, found)| found.ok()).flatten().collect()
    }

    /// Those of the joined activities that the whole filter keeps, by their payload if it asks for that.
    async fn judged(&self, items: &[Activity], predicate: &Predicate) -> Vec<Id> {
        kept_whole(&self.sources, &self.work, &self.names, predicate, items).await
    }
}

/// The ends of an interval for a query.
pub(super) fn ends(interval: Interval) -> (Option<Timestamp>, Option<Timestamp>) {
    let since = Some(interval.from).filter(|at| *at > Interval::EVER.from);
    let until = Some(interval.to).filter(|at| *at < Interval::EVER.to);
    (since, until)
}

/// One source that is read.
struct Reading<'a> {
    reader: &'a Reader,
    source: &'a Arc<dyn Source>,
    id: SourceId,
    job: Job,
    purpose: ReadPurpose,
    question: &'a Question,
    /// Activities found in the piece.
    found: usize,
    /// Whether later attempts are not in the piece.
    ends_before_now: bool,
}

impl Reading<'_> {
    /// Reads a piece; returns whether the next one is wanted, too.
    async fn piece(&mut self, piece: &Piece) -> Result<bool, SourceError> {
        if !piece.of.is_empty() {
            self.again(&piece.of).await?;
            return Ok(true);
        }
        if matches!(self.purpose, ReadPurpose::Fill(_)) && !self.source.capabilities().has_order {
            let (how, interval) = self.how(piece).await;
            self.send(ReadPart { at_once: Some(how), ..ReadPart::default() }).await;
            if how != AtOnce::No {
                self.at_once(interval).await?;
                return Ok(how == AtOnce::Whole);
            }
        }
        // What cannot be read in ranges is read once.
        let whole = self.question.filter.is_all() || !self.source.capabilities().reads_ranges;
        let indexed = whole || {
            let cost = self.source.plan(&self.query(piece.interval, piece.newest_first), &self.job).await;
            cost.is_ok_and(|cost| cost.indexed)
        };
        self.send(ReadPart { indexed: Some(indexed), ..ReadPart::default() }).await;
        if indexed || self.purpose == ReadPurpose::Beyond {
            // Beyond the range only what an index answers is asked for.
            return if indexed { self.slice(piece.interval, piece).await } else { Ok(false) };
        }
        let mut rest = piece.interval;
        let mut length = FIRST_SLICE_US;
        // What is open at its end, begins now.
        let newest = rest.to.min(self.reader.context.now.plus_us(FIRST_SLICE_US));
        while !rest.is_empty() {
            let slice = if length > LAST_SLICE_US {
                rest
            } else if piece.newest_first {
                Interval::new(rest.from.max(rest.to.min(newest).plus_us(-length)), rest.to)
            } else {
                Interval::new(rest.from, rest.to.min(rest.from.plus_us(length)))
            };
            let begun = Instant::now();
            if !self.slice(slice, piece).await? {
                return Ok(false);
            }
            if piece.newest_first {
                rest.to = slice.from;
            } else {
                rest.from = slice.to;
            }
            length = if begun.elapsed() > SLICE * 2 { length / 2 } else { length.saturating_mul(2) };
            length = length.max(60_000_000);
        }
        Ok(true)
    }

    /// How much of a piece is read at once: all of it where memory has room, otherwise what is newest, as long as that costs no more
    /// than the pages would.
    async fn how(&self, piece: &Piece) -> (AtOnce, Interval) {
        let Interval { from, to } = piece.interval;
        let parts = LAST_SPANS_US.map(|span| Interval::new(self.reader.context.now.plus_us(-span), to));
        let parts = parts.into_iter().filter(|part| part.from > from && !part.is_empty());
        for interval in std::iter::once(piece.interval).chain(parts) {
            let cost = self.source.plan(&self.query(interval, piece.newest_first), &self.job).await;
            let Some(rows) = cost.ok().and_then(|cost| cost.rows) else { break };
            if interval == piece.interval && rows <= piece.enough as u64 {
                return (AtOnce::Whole, interval);
            }
            if piece.newest_first && rows / PASSES <= piece.enough as u64 {
                return (AtOnce::Newest, interval);
            }
        }
        (AtOnce::No, piece.interval)
    }

    fn query(&self, interval: Interval, newest_first: bool) -> PageQuery {
        let (since, until) = ends(interval);
        PageQuery {
            filter: self.question.asked.clone(),
            context: self.reader.context,
            since,
            until,
            newest_first,
            limit: FIRST,
        }
    }

    /// Reads all pages of a slice; returns whether there is not yet enough.
    async fn slice(&mut self, slice: Interval, piece: &Piece) -> Result<bool, SourceError> {
        let mut query = self.query(slice, piece.newest_first);
        query.limit = FIRST.min(piece.enough.max(1));
        let mut cursor: Option<Cursor> = None;
        let mut rest = slice;
        loop {
            let begun = Instant::now();
            let page = self.source.page(&query, cursor.as_ref(), &self.job).await?;
            self.found += page.items.len();
            let covered = match (&page.next, piece.newest_first) {
                (None, _) => rest,
                // Of the last moment, there may be more.
                (Some(next), true) => Interval::new(next.at().plus_us(1).min(rest.to), rest.to),
                (Some(next), false) => Interval::new(rest.from, next.at().max(rest.from)),
            };
            if piece.newest_first {
                rest.to = covered.from;
            } else {
                rest.from = covered.to;
            }
            let is_enough = self.found >= piece.enough && !covered.is_empty();
            let covered = Some(covered).filter(|covered| !covered.is_empty());
            self.deliver(page.items, ReadPart { covered, push_down: Some(page.push_down), ..ReadPart::default() })
                .await;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(self.found < piece.enough);
            }
            if is_enough {
                return Ok(false);
            }
            query.limit = PAGE;
            if matches!(self.purpose, ReadPurpose::Fill(_)) {
                // At most half of the time is the store's work for us.
                tokio::time::sleep(begun.elapsed().min(REST)).await;
            }
        }
    }

    /// Reads everything of an interval in the source's own order.
    async fn at_once(&mut self, interval: Interval) -> Result<(), SourceError> {
        let query = PageQuery { limit: PAGE, ..self.query(interval, true) };
        let (to, mut batches) = mpsc::channel(1);
        let (source, job) = (Arc::clone(self.source), self.job.clone());
        let read = async move { source.scan(&query, &to, &job).await };
        let deliver = async {
            loop {
                let begun = Instant::now();
                let Some(items) = batches.recv().await else { break };
                let waited = begun.elapsed();
                self.found += items.len();
                self.deliver(items, ReadPart::default()).await;
                tokio::time::sleep(waited.min(REST)).await;
            }
        };
        tokio::join!(read, deliver).0?;
        self.send(ReadPart { covered: Some(interval), ..ReadPart::default() }).await;
        Ok(())
    }

    /// Completes and judges what was found, and delivers it.
    async fn deliver(&self, items: Vec<Activity>, part: ReadPart) {
        let needs_payload = self.question.predicate.needs_payload();
        let (mut items, mut matching) = (items, Vec::new());
        if self.question.joins && !items.is_empty() {
            let ids: Vec<Id> = items.iter().map(|activity| activity.id.clone()).collect();
            let others = self.reader.completed(self.id, &ids).await;
            if needs_payload {
                let joined = merge_by_id(items.iter().cloned().chain(others.iter().cloned()).collect());
                matching = self.reader.judged(&joined, &self.question.predicate).await;
            }
            items.extend(others);
        } else if needs_payload {
            matching = items.iter().map(|activity| activity.id.clone()).collect();
        }
        let Reader { sources, work, context, .. } = self.reader;
        let lookup = |reach| Lookup { sources, work, context: *context, reach };
        // A source that cannot be read says so itself.
        if self.question.needs_outcomes {
            let others = lookup(Reach::All).others(&items).await;
            let looked_up = others.looked_up(&items);
            items.extend(others.attempts);
            return self.send(ReadPart { items, matching, looked_up, ..part }).await;
        }
        // A filter, or the end of a range, may leave out the attempt that repaired a failure. It does not keep the failure
        // waiting.
        let is_first = self.found <= FIRST && (!self.question.filter.is_all() || self.ends_before_now);
        let tried = if is_first { outcomes::tried_again(&items) } else { Vec::new() };
        self.send(ReadPart { items, matching, ..part }).await;
        if !tried.is_empty() {
            let others = lookup(Reach::Indexed).others(&tried).await;
            // An id that very many share is of no operation, and would fill the memory.
            if others.attempts.len() <= tried.len() * ATTEMPTS {
                let looked_up = others.looked_up(&tried);
                self.send(ReadPart { items: others.attempts, looked_up, ..ReadPart::default() }).await;
            }
        }
    }

    /// Asks which of some activities match.
    async fn again(&self, of: &[Activity]) -> Result<(), SourceError> {
        if !self.source.capabilities().finds_ids {
            // To look for them would read everything; where their payloads are is known.
            let matching = self.reader.judged(of, &self.question.predicate).await;
            self.send(ReadPart { matching, ..ReadPart::default() }).await;
            return Ok(());
        }
        let ids: Vec<Id> = of.iter().map(|activity| activity.id.clone()).collect();
        for some in ids.chunks(IDS) {
            let asked = Expr::And(vec![with_ids(some), self.question.asked.expr().clone()]);
            let query = PageQuery { filter: Filter::of(asked), context: self.reader.context, ..PageQuery::all(PAGE) };
            let mut items = Vec::new();
            for_all(self.source.as_ref(), &query, &self.job, |activity| items.push(activity)).await?;
            self.deliver(items, ReadPart::default()).await;
        }
        Ok(())
    }

    async fn send(&self, part: ReadPart) {
        self.reader.send(self.purpose, ReadPart { source: self.id, ..part }).await;
    }
}
