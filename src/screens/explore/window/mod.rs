//! The window on the stores: what of the range memory holds, what is being read, and what the list shows of it.
//!
//! The range is filled in the background, the newest first. What a filter keeps beyond that is searched for in the stores.
//! The list shows one stretch of time of which everything is known; at its ends, more is read.

mod count;
mod pane;
mod reply;

use super::Explore;
use crate::effect::{Effect, Piece, ReadPurpose, ReadQuery, Ticket};
use crate::screens::shared::Shared;
use crate::tui::text::ago;
use crosstail_core::model::{Id, SourceId, Timestamp};
use crosstail_engine::window::{Interval, Intervals};
use crosstail_source::PushDown;
use pane::{Pane, Reading};

/// Activities that are read at once to fill the range.
const FILL: usize = 20_000;
/// Activities that a search finds before it waits to be asked for more.
const SEARCH: usize = 5000;
/// Activities that are read on each side of a moment.
const AROUND: usize = 400;
/// Rows from the end of what is known at which more is read.
const NEAR: usize = 200;
/// Rows whose payloads are looked at again when they have changed, at once.
const CHANGED: usize = 1000;

/// The window.
#[derive(Debug, Default)]
pub struct Window {
    panes: Vec<Pane>,
    /// The budget of memory was reached while the range was filled: what is older stays in the stores.
    is_full: bool,
    /// The moment that is being read, and the activity to select there.
    around: Option<Around>,
    /// The search for a failure.
    failure: Option<Failure>,
    /// What there is outside the range, if there is nothing in it.
    pub(super) beyond: Option<Beyond>,
    counts: [count::Count; 2],
    /// Rows whose payloads may match no longer, or match now.
    changed: Vec<(SourceId, Id)>,
    matching_again: Option<(Ticket, Vec<Id>)>,
    /// How often something in memory was given up.
    pub(super) given_up: u64,
    /// How the last search was divided.
    pub(super) push_down: Option<PushDown>,
}

/// A moment that is being read.
#[derive(Debug)]
struct Around {
    ticket: Ticket,
    at: Timestamp,
    select: Option<Id>,
    /// Sources that have not finished.
    waiting: usize,
}

/// The search for the next failure.
#[derive(Debug)]
struct Failure {
    ticket: Ticket,
    newer: bool,
    /// The nearest one so far.
    found: Option<(Timestamp, Id)>,
    waiting: usize,
}

/// What there is outside the range.
#[derive(Debug, Clone, Default)]
pub(super) struct Beyond {
    ticket: Ticket,
    pub(super) count: usize,
    /// Whether there are more than `count`.
    pub(super) more: bool,
    pub(super) newest: Option<Timestamp>,
    pub(super) is_done: bool,
    /// Whether a source was not asked, because it would have to read everything.
    needs_scan: bool,
    waiting: usize,
}

impl Explore {
    /// Takes the sources as they are, reads what is missing, and shows what is known.
    pub(super) fn look(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.window.note_sources(shared);
        let mut effects = self.window.fill(shared);
        effects.extend(self.window.search(shared));
        effects.extend(self.read_at_the_edge(shared));
        effects.extend(self.window.look_beyond(shared));
        effects.extend(self.window.match_changed(shared));
        effects.extend(self.count_beyond(shared));
        self.show(shared);
        effects.extend(self.load_values(shared));
        effects
    }

    /// Another filter or range is in force: what was found for the last one says nothing any more.
    pub(super) fn start_over(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = self.window.stop();
        self.window.around = None;
        self.window.failure = None;
        self.window.beyond = None;
        self.window.push_down = None;
        self.window.changed.clear();
        for pane in &mut self.window.panes {
            pane.found = Intervals::default();
            pane.search = Reading::None;
        }
        effects.extend(self.forget_counts(shared, true));
        effects.extend(self.look(shared));
        effects
    }

    /// Another range was chosen.
    pub(super) fn range_changed(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.window.is_full = false;
        self.window
            .panes
            .iter_mut()
            .filter(|pane| pane.filling == Reading::Done)
            .for_each(|pane| pane.filling = Reading::None);
        let mut effects = self.forget_counts(shared, false);
        effects.extend(self.start_over(shared));
        self.count(shared, true);
        effects
    }

    /// Whether stores are searched now.
    pub(super) fn is_searching(&self) -> bool {
        self.window.panes.iter().any(|pane| pane.search.is_running())
    }

    /// Whether anything is being read or counted.
    pub fn is_reading(&self, shared: &Shared) -> bool {
        let window = &self.window;
        let sources = count::counting(shared);
        let counting = shared.counted.iter().any(|counted| counted.state.is_counting())
            || window.counts.iter().any(|count| count.is_waiting(sources));
        window.panes.iter().any(|pane| pane.filling.is_running() || pane.search.is_running())
            || window.around.is_some()
            || window.failure.is_some()
            || window.matching_again.is_some()
            || window.beyond.as_ref().is_some_and(|beyond| !beyond.is_done)
            || counting
    }

    /// Ends what is searched for; returns whether anything was.
    pub(super) fn stop_searching(&mut self, shared: &mut Shared) -> Option<Vec<Effect>> {
        if !self.is_searching() && self.window.around.is_none() && self.window.failure.is_none() {
            return None;
        }
        let effects = self.window.stop();
        self.window.around = None;
        self.window.failure = None;
        shared.notify("the search was ended; what was found stays");
        Some(effects)
    }

    /// The moment that the list is at: of the selected row, or the newest while following.
    fn anchor(&self, shared: &Shared) -> Timestamp {
        let newest = shared.bounds().until.map_or(Timestamp(i64::MAX - 1), |until| until.plus_us(-1));
        let selected = self.list.selected.filter(|row| !self.list.follow && shared.store.holds(*row));
        selected.map_or(newest, |row| shared.store.started(row))
    }

    /// The stretch of time around the anchor of which everything is known; `None` where nothing is.
    fn stretch(&self, shared: &Shared) -> Option<Interval> {
        let (anchor, known) = (self.anchor(shared), self.window.known(shared));
        let at = known.all().iter().find(|known| known.from <= anchor && anchor < known.to)?;
        Some(at.and(&shared.bounds().interval()))
    }

    /// Shows what is known around the anchor, or whatever is held while nothing is.
    pub(super) fn show(&mut self, shared: &mut Shared) {
        let (anchor, range) = (self.anchor(shared), shared.bounds().interval());
        let between = || {
            let gaps = self.window.known(shared).missing(range);
            gaps.into_iter().find(|gap| gap.from <= anchor && anchor < gap.to)
        };
        let shown = self.stretch(shared).or_else(between).unwrap_or(range);
        shared.store.set_bounds(shown.from..shown.to);
    }

    /// From when on the list shows everything, if that is not the whole range.
    pub(super) fn known_since(&self, shared: &Shared) -> Option<Timestamp> {
        let stretch = self.stretch(shared)?;
        (stretch.from > shared.bounds().interval().from).then_some(stretch.from)
    }

    /// How much of the range has been searched, in per cent; `None` while nothing is searched or the range is open.
    pub(super) fn searched(&self, shared: &Shared) -> Option<i64> {
        let range = shared.bounds().interval();
        let whole = Interval::new(range.from, range.to.min(shared.now));
        let open = whole.from == Interval::EVER.from || whole.is_empty();
        let known = self.window.known(shared).and(&Intervals::from_iter([whole]));
        let length: i64 = known.all().iter().map(Interval::length_us).fold(0, i64::saturating_add);
        (!open).then(|| length.saturating_mul(100) / whole.length_us().max(1))
    }

    /// What there is outside a range that holds nothing, for people.
    pub fn beyond(&self, shared: &Shared) -> Option<String> {
        let beyond = self.window.beyond.as_ref()?;
        let range = shared.range.describe();
        if !beyond.is_done {
            return Some(format!("nothing in the range ({range}); looking beyond it"));
        }
        let Some(newest) = beyond.newest else {
            let rest =
                if beyond.needs_scan { "; beyond it, no index answers this filter" } else { ", and nothing beyond it" };
            return Some(format!("nothing in the range ({range}){rest}"));
        };
        let ago = ago(shared.now.since_us(newest));
        if shared.filter.is_all() {
            return Some(format!("nothing in the range ({range}); the newest activity is {ago} old"));
        }
        let more = if beyond.more { "or more " } else { "" };
        let s = if beyond.count == 1 { "" } else { "es" };
        Some(format!("nothing in the range ({range}); {} {more}match{s}, the newest {ago} ago", beyond.count))
    }

    /// Near an end of what is known, reads what comes after it.
    fn read_at_the_edge(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let is_poured = self.window.panes.iter().any(Pane::is_poured);
        if is_poured || self.window.around.is_some() || self.is_searching() {
            return Vec::new();
        }
        let range = shared.bounds().interval();
        let Some(stretch) = self.stretch(shared) else {
            // What was known around here has been given up.
            return if self.window.is_full { self.window.search_in(range, true, shared) } else { Vec::new() };
        };
        let rows = shared.store.rows().len();
        let position = self.current(shared).and_then(|row| shared.store.position(row));
        let oldest_shown = position.map_or(0, |position| position.saturating_sub(self.height(shared)));
        let follows = self.list.follow;
        // While following, a filter that has found less than a page goes on looking.
        let older = if follows { rows < self.height(shared) * 2 } else { oldest_shown < NEAR };
        let newer = !follows && position.is_some_and(|position| position + NEAR > rows);
        // Filling does it by itself, unless memory is full.
        let fills = !self.window.is_full && self.window.panes.iter().all(|pane| pane.filling != Reading::Done);
        let filled = shared.filter.is_all() && fills && shared.time_clause.is_none();
        if older && stretch.from > range.from && !filled {
            let missing = Interval::new(range.from, stretch.from);
            return self.window.search_in(missing, true, shared);
        }
        if newer && stretch.to < range.to {
            return self.window.search_in(Interval::new(stretch.to, range.to), false, shared);
        }
        Vec::new()
    }

    /// Goes to a moment, reads what is around it where that is not known, and selects an activity there.
    pub(super) fn go_to(&mut self, at: Timestamp, select: Option<Id>, shared: &mut Shared) -> Vec<Effect> {
        let range = shared.bounds().interval();
        let ticket = shared.ticket();
        let pieces = self.window.pieces(shared, |pane, id| {
            let known = pane.known(shared);
            let before = known.missing(Interval::new(range.from, at.plus_us(1))).into_iter().next();
            let after = known.missing(Interval::new(at.plus_us(1), range.to)).pop();
            // Only where the missing time touches the moment: what lies beyond something known is not around it.
            let before = before.filter(|before| before.to == at.plus_us(1));
            let after = after.filter(|after| after.from == at.plus_us(1));
            let piece =
                |interval, newest_first| Piece { source: id, interval, newest_first, enough: AROUND, of: Vec::new() };
            before.map(|before| piece(before, true)).into_iter().chain(after.map(|after| piece(after, false))).collect()
        });
        let mut sources: Vec<SourceId> = pieces.iter().map(|piece| piece.source).collect();
        sources.dedup();
        let waiting = sources.len();
        self.window.around = Some(Around { ticket, at, select, waiting });
        if waiting == 0 {
            self.arrive(shared);
            return Vec::new();
        }
        shared.notify("reading from the stores");
        let filter = shared.filter.text().to_owned();
        vec![Effect::Read(ticket, Box::new(ReadQuery { purpose: ReadPurpose::Around, filter, pieces }))]
    }

    /// What is around a moment has been read.
    fn arrive(&mut self, shared: &mut Shared) {
        let Some(around) = self.window.around.take() else { return };
        let row = around.select.and_then(|id| shared.store.find(&id));
        let rows = shared.store.kept_between(&(around.at..Timestamp(i64::MAX)));
        let nearest = rows
            .first()
            .copied()
            .or_else(|| shared.store.kept_between(&(Timestamp(i64::MIN)..around.at)).last().copied());
        if let Some(row) = row.or(nearest) {
            // What is shown depends on the selection, and the line of the selection on what is shown.
            self.list.stop_at(&shared.store, row);
            self.show(shared);
            self.select(row, shared);
        }
    }

    /// Goes to the oldest activity of the range.
    pub(super) fn go_to_oldest(&mut self, shared: &mut Shared) -> Option<Vec<Effect>> {
        let range = shared.bounds().interval();
        let stretch = self.stretch(shared)?;
        if stretch.from <= range.from {
            return None;
        }
        Some(self.go_to(range.from, None, shared))
    }

    /// Looks for the next failure in the stores, past what is known.
    pub(super) fn find_failure(&mut self, newer: bool, shared: &mut Shared) -> Option<Vec<Effect>> {
        let (range, stretch) = (shared.bounds().interval(), self.stretch(shared)?);
        let rest = if newer { Interval::new(stretch.to, range.to) } else { Interval::new(range.from, stretch.from) };
        if rest.is_empty() {
            return None;
        }
        let ticket = shared.ticket();
        let pieces = self.window.pieces(shared, |_, id| {
            vec![Piece { source: id, interval: rest, newest_first: !newer, enough: 1, of: Vec::new() }]
        });
        let waiting = pieces.len();
        if waiting == 0 {
            return None;
        }
        self.window.failure = Some(Failure { ticket, newer, found: None, waiting });
        shared.notify("looking for a failure in the stores");
        let filter = shared.filter_with("is:failure", false);
        Some(vec![Effect::Read(ticket, Box::new(ReadQuery { purpose: ReadPurpose::Failure, filter, pieces }))])
    }
}
