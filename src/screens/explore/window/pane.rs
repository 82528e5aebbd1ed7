//! One source of the window: what memory holds of it, and what is read.

use super::{Beyond, CHANGED, FILL, SEARCH, Window};
use crate::effect::{AtOnce, Effect, Piece, ReadPurpose, ReadQuery, Ticket};
use crate::ingest::SourceStatus;
use crate::screens::shared::Shared;
use crosstail_core::filter::{Field, Operand};
use crosstail_core::model::{Id, SourceId, Timestamp};
use crosstail_engine::window::{Interval, Intervals};
use crosstail_source::pump::SourceState;

/// What an activity takes in memory at most, in bytes, where nothing like it is held yet.
const UNKNOWN_ROW: usize = 256;

/// After an error, a source is asked again after this time, in microseconds.
const AGAIN_US: i64 = 5_000_000;

/// One source.
#[derive(Debug, Default)]
pub(super) struct Pane {
    pub(super) id: SourceId,
    /// The times of which memory holds everything.
    pub(super) held: Intervals,
    /// The times of which memory holds everything that the filter keeps.
    pub(super) found: Intervals,
    pub(super) filling: Reading,
    pub(super) search: Reading,
    /// Whether its past can be read.
    pub(super) reads: bool,
    /// Whether a page of it costs what it holds.
    has_order: bool,
    /// How it is read while it is filled, as far as that is known.
    pub(super) at_once: Option<AtOnce>,
    /// What of it was given up meanwhile.
    lost: Intervals,
    /// Of a source that delivers its history by itself: whether it has, and what was given up of it.
    is_whole: bool,
    given_up: Intervals,
    /// Whether it has no activities, or cannot be read now and nothing of it is known.
    is_out: bool,
    /// Why it cannot be read now.
    pub(super) problem: Option<String>,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reading {
    #[default]
    None,
    Running(Ticket),
    /// All of it was read, or enough of it.
    Done,
    /// It failed at this time.
    Failed(Timestamp),
}

impl Reading {
    pub(super) const fn is_running(self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Whether to begin it now.
    fn is_due(self, now: Timestamp) -> bool {
        match self {
            Self::None => true,
            Self::Running(_) | Self::Done => false,
            Self::Failed(at) => now.since_us(at) > AGAIN_US,
        }
    }
}

impl Pane {
    fn note(&mut self, source: &SourceStatus, limit: u64) {
        self.id = source.id;
        // What it has delivered by itself and was given up can be read again.
        self.reads = source.follows && (source.reads_ranges || !self.given_up.is_empty());
        self.has_order = source.has_order;
        if !self.is_whole && !source.reads_ranges && source.is_whole(limit) {
            self.is_whole = true;
            self.held.add(Interval::EVER);
            for gone in self.given_up.all() {
                self.held.remove(*gone);
            }
        }
        self.problem = match &source.state {
            SourceState::Waiting { error, .. } | SourceState::Failed { error } => Some(error.clone()),
            _ => None,
        };
        let down = self.problem.is_some();
        self.is_out = !source.holds_activities || (down && self.held.is_empty() && self.found.is_empty());
    }

    /// Whether memory will hold everything of it once it is filled: until then, whatever is asked of it would read the same again.
    pub(super) fn is_read_at_once(&self) -> bool {
        let may_be_whole = matches!(self.at_once, None | Some(AtOnce::Whole));
        self.reads && !self.has_order && self.filling.is_running() && may_be_whole
    }

    /// Whether it is read once to fill memory. That goes on where memory is full: what is oldest goes, and newer may come.
    pub(super) fn is_poured(&self) -> bool {
        self.filling.is_running() && matches!(self.at_once, Some(AtOnce::Newest | AtOnce::Whole))
    }

    /// Memory holds all of a time now that it was filled, but for what was given up meanwhile.
    pub(super) fn filled(&mut self, covered: Option<Interval>) {
        self.covers(covered, true);
        if covered.is_some() {
            self.lost.all().iter().for_each(|gone| self.held.remove(*gone));
        }
    }

    /// Memory holds all of a time: of everything, or of what the filter keeps.
    pub(super) fn covers(&mut self, covered: Option<Interval>, everything: bool) {
        if let Some(covered) = covered {
            if everything { self.held.add(covered) } else { self.found.add(covered) }
        }
    }

    /// A time of it is not in memory any more.
    pub(super) fn give_up(&mut self, gone: Interval, reads_ranges: bool) {
        if self.is_poured() {
            self.at_once = Some(AtOnce::Newest);
            self.lost.add(gone);
        }
        self.held.remove(gone);
        self.found.remove(gone);
        if !reads_ranges {
            self.given_up.add(gone);
        }
        // It can be found again.
        if self.search == Reading::Done {
            self.search = Reading::None;
        }
    }

    /// The times of which everything that the view shows is known.
    pub(super) fn known(&self, shared: &Shared) -> Intervals {
        let mut known = self.found.clone();
        if !looks_inside(shared) {
            // What became of a failure is not known where memory does not hold what came after it.
            let is_of_outcomes = shared.filter.expr().names(Field::Final);
            let from = if is_of_outcomes { shared.complete_from() } else { Interval::EVER.from };
            for held in self.held.all() {
                known.add(held.and(&Interval::new(from, Interval::EVER.to)));
            }
        }
        known
    }
}

/// Whether the filter looks into payloads, which memory does not hold.
pub(super) fn looks_inside(shared: &Shared) -> bool {
    shared.filter.expr().atoms().iter().any(|atom| matches!(atom.target, Operand::Path(..)))
}

impl Window {
    pub(super) fn note_sources(&mut self, shared: &Shared) {
        self.panes.resize_with(shared.sources.len(), Pane::default);
        for (pane, source) in self.panes.iter_mut().zip(&shared.sources) {
            pane.note(source, shared.settings.history_limit as u64);
        }
    }

    /// The times of which everything that the view shows is known of every source.
    pub(super) fn known(&self, shared: &Shared) -> Intervals {
        let everything = Intervals::from_iter([Interval::EVER]);
        let present = self.panes.iter().filter(|pane| !pane.is_out);
        present.fold(everything, |all, pane| all.and(&pane.known(shared)))
    }

    /// What is known of the filter, by source.
    pub(in crate::screens::explore) fn found(&self) -> Vec<(SourceId, Intervals)> {
        self.panes.iter().map(|pane| (pane.id, pane.found.clone())).collect()
    }

    /// A filter is in force again of which this was known. What has been given up since is not known any more, and neither is
    /// which payloads have arrived since and match.
    pub(in crate::screens::explore) fn find_again(
        &mut self,
        found: Vec<(SourceId, Intervals)>,
        given_up: u64,
        shared: &Shared,
    ) {
        if self.given_up != given_up || looks_inside(shared) {
            return;
        }
        for (id, found) in found {
            for pane in self.panes.iter_mut().filter(|pane| pane.id == id) {
                found.all().iter().for_each(|known| pane.found.add(*known));
            }
        }
    }

    /// The times of which memory holds everything of every source.
    pub(super) fn held(&self) -> Intervals {
        let everything = Intervals::from_iter([Interval::EVER]);
        self.panes.iter().filter(|pane| !pane.is_out).fold(everything, |all, pane| all.and(&pane.held))
    }

    /// What to read of the sources that can be read.
    pub(super) fn pieces(&self, shared: &Shared, of: impl Fn(&Pane, SourceId) -> Vec<Piece>) -> Vec<Piece> {
        // A payload is looked for in files, too.
        let inside = looks_inside(shared);
        let asked = self.panes.iter().filter(|pane| pane.reads || (inside && !pane.is_out));
        asked.flat_map(|pane| of(pane, pane.id)).collect()
    }

    /// Fills the range, the newest first, while there is memory for it.
    pub(super) fn fill(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let (limit, len) = (shared.settings.history_limit, shared.store.len());
        let (used, room) = (shared.store.bytes(), shared.room());
        self.is_full |= used >= room || len >= limit;
        if self.is_full {
            let is_poured = self.panes.iter().any(Pane::is_poured);
            shared.filling_since = shared.filling_since.filter(|_| is_poured);
            shared.reads_at_once = false;
            return Vec::new();
        }
        let range = shared.chosen_bounds().interval();
        let mut effects = Vec::new();
        // While somebody waits for a search, the range is not filled.
        for pane in self.panes.iter_mut().filter(|pane| pane.reads && !pane.search.is_running()) {
            if !pane.filling.is_due(shared.now) {
                continue;
            }
            let Some(interval) = pane.held.missing(range).into_iter().next() else { continue };
            // As many as fit, if they are like those that are held.
            let a_row = (used / len.max(1)).max(if pane.has_order { 64 } else { UNKNOWN_ROW });
            // What has no order is read from its start each time.
            let most = if pane.has_order { FILL } else { usize::MAX };
            let enough = most.min(limit - len).min((room - used) / a_row).max(1);
            (pane.at_once, pane.lost) = (None, Intervals::default());
            let piece = Piece { source: pane.id, interval, newest_first: true, enough, of: Vec::new() };
            let ticket = shared.ticket();
            pane.filling = Reading::Running(ticket);
            let query = ReadQuery { purpose: ReadPurpose::Fill(pane.id), filter: String::new(), pieces: vec![piece] };
            effects.push(Effect::Read(ticket, Box::new(query)));
        }
        let fills = self.panes.iter().any(|pane| pane.filling.is_running());
        shared.reads_at_once = self.panes.iter().any(Pane::is_read_at_once);
        shared.filling_since = fills.then(|| shared.filling_since.unwrap_or(shared.now));
        effects
    }

    /// Searches the stores for what the filter keeps where memory does not know.
    pub(super) fn search(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if shared.filter.is_all() && shared.time_clause.is_none() {
            return Vec::new();
        }
        let range = shared.bounds().interval();
        let inside = looks_inside(shared);
        let mut effects = Vec::new();
        for index in 0..self.panes.len() {
            let pane = &self.panes[index];
            let readable = pane.reads || (inside && shared.sources[index].backfilled);
            // Memory knows, once all of it is read.
            let waits = pane.is_read_at_once() && !inside;
            if readable && !waits && pane.search.is_due(shared.now) {
                let missing = pane.known(shared).missing(range);
                effects.extend(self.ask(index, missing, true, shared));
            }
        }
        effects
    }

    /// Searches a stretch of time, whatever has been searched so far.
    pub(super) fn search_in(&mut self, stretch: Interval, newest_first: bool, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        for index in 0..self.panes.len() {
            let pane = &self.panes[index];
            if pane.reads && !pane.search.is_running() && !matches!(pane.search, Reading::Failed(_)) {
                let mut missing = pane.known(shared).missing(stretch);
                if !newest_first {
                    missing.reverse();
                }
                effects.extend(self.ask(index, missing, newest_first, shared));
            }
        }
        effects
    }

    fn ask(&mut self, index: usize, missing: Vec<Interval>, newest_first: bool, shared: &mut Shared) -> Option<Effect> {
        let pane = &mut self.panes[index];
        if missing.is_empty() {
            pane.search = Reading::Done;
            return None;
        }
        let source = pane.id;
        let piece = |interval| Piece { source, interval, newest_first, enough: SEARCH, of: Vec::new() };
        let pieces = missing.into_iter().map(piece).collect();
        let ticket = shared.ticket();
        pane.search = Reading::Running(ticket);
        let filter = shared.filter.text().to_owned();
        Some(Effect::Read(ticket, Box::new(ReadQuery { purpose: ReadPurpose::Search(source), filter, pieces })))
    }

    /// Ends what is read for the view.
    pub(in crate::screens::explore) fn stop(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for pane in self.panes.iter_mut().filter(|pane| pane.search.is_running()) {
            pane.search = Reading::Done;
            effects.push(Effect::StopReading(ReadPurpose::Search(pane.id)));
        }
        effects.extend(self.around.is_some().then_some(Effect::StopReading(ReadPurpose::Around)));
        effects.extend(self.failure.is_some().then_some(Effect::StopReading(ReadPurpose::Failure)));
        effects.extend(self.beyond.is_some().then_some(Effect::StopReading(ReadPurpose::Beyond)));
        effects
    }

    /// Where the range holds nothing, asks once what there is outside it.
    pub(super) fn look_beyond(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let range = shared.bounds().interval();
        let known = self.known(shared).covers(range);
        let all_there = self.panes.iter().all(|pane| pane.problem.is_none());
        if self.beyond.is_some() || !known || !all_there || shared.time_clause.is_some() || range == Interval::EVER {
            return Vec::new();
        }
        if !shared.store.kept_between(&(range.from..range.to)).is_empty() {
            return Vec::new();
        }
        let all = shared.filter.is_all();
        let pieces: Vec<Piece> = self.pieces(shared, |_, source| {
            let sides = [Interval::new(Interval::EVER.from, range.from), Interval::new(range.to, Interval::EVER.to)];
            let piece = |interval| Piece {
                source,
                interval,
                newest_first: true,
                enough: if all { 1 } else { 1000 },
                of: Vec::new(),
            };
            sides.into_iter().filter(|side| !side.is_empty()).map(piece).collect()
        });
        let ticket = shared.ticket();
        let mut sources: Vec<SourceId> = pieces.iter().map(|piece| piece.source).collect();
        sources.dedup();
        let waiting = sources.len();
        self.beyond = Some(Beyond { ticket, waiting, is_done: waiting == 0, ..Beyond::default() });
        if pieces.is_empty() {
            return Vec::new();
        }
        let filter = shared.filter.text().to_owned();
        vec![Effect::Read(ticket, Box::new(ReadQuery { purpose: ReadPurpose::Beyond, filter, pieces }))]
    }

    /// Asks again whether payloads match that have changed.
    pub(super) fn match_changed(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.changed.is_empty() || self.matching_again.is_some() {
            return Vec::new();
        }
        let many = self.changed.len().min(CHANGED);
        let mut some: Vec<_> = self.changed.drain(..many).collect();
        some.sort();
        some.dedup();
        let ticket = shared.ticket();
        let ids = some.iter().map(|(_, id)| id.clone()).collect();
        self.matching_again = Some((ticket, ids));
        let held = |(_, id): &(SourceId, Id)| shared.store.find(id).map(|row| shared.store.get(row));
        let pieces = some.chunk_by(|a, b| a.0 == b.0).map(|of_one| Piece {
            source: of_one[0].0,
            interval: Interval::EVER,
            newest_first: true,
            enough: usize::MAX,
            of: of_one.iter().filter_map(held).collect(),
        });
        let pieces: Vec<Piece> = pieces.filter(|piece| !piece.of.is_empty()).collect();
        let query = ReadQuery { purpose: ReadPurpose::Changed, filter: shared.filter.text().to_owned(), pieces };
        vec![Effect::Read(ticket, Box::new(query))]
    }
}
