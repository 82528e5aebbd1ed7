//! What the stores answer, and what changes in memory.

use super::pane::{Reading, looks_inside};
use super::{CHANGED, Explore, Window};
use crate::effect::{CountPart, Effect, ReadPart, ReadPurpose, Reply, Ticket};
use crate::ingest::{Batch, News};
use crate::screens::shared::Shared;
use crosstail_engine::window::Interval;
use std::collections::HashSet;

impl Explore {
    /// Takes the answer to what was read or counted; gives back any other reply. Its activities are in memory already.
    pub(in crate::screens::explore) fn took(
        &mut self,
        ticket: Ticket,
        reply: Reply,
        shared: &mut Shared,
    ) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Read(purpose, part) => {
                let mut effects = self.took_part(ticket, purpose, *part, shared);
                effects.extend(self.keep_to_the_budget(shared));
                Ok(effects)
            }
            Reply::Counted(part) => {
                self.took_count(ticket, *part, shared);
                Ok(Vec::new())
            }
            Reply::CountedValues(part) => {
                if self.window.counts.iter_mut().any(|count| count.take_values(ticket, &part)) {
                    self.publish_counts(shared);
                    self.count(shared, true);
                }
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn took_count(&mut self, ticket: Ticket, part: CountPart, shared: &mut Shared) {
        if self.window.counts[usize::from(part.filtered)].take(ticket, &part) {
            self.publish_counts(shared);
            self.count(shared, true);
        }
    }

    fn took_part(&mut self, ticket: Ticket, purpose: ReadPurpose, part: ReadPart, shared: &mut Shared) -> Vec<Effect> {
        shared.store.set_looked_up(&part.looked_up);
        let window = &mut self.window;
        let Some(index) = window.panes.iter().position(|pane| pane.id == part.source) else { return Vec::new() };
        let all = shared.filter.is_all();
        let pane = &mut window.panes[index];
        let is_current = match purpose {
            ReadPurpose::Fill(_) => pane.filling == Reading::Running(ticket),
            ReadPurpose::Search(_) => pane.search == Reading::Running(ticket),
            ReadPurpose::Around => window.around.as_ref().is_some_and(|around| around.ticket == ticket),
            ReadPurpose::Failure => window.failure.as_ref().is_some_and(|failure| failure.ticket == ticket),
            ReadPurpose::Beyond => window.beyond.as_ref().is_some_and(|beyond| beyond.ticket == ticket),
            ReadPurpose::Changed => window.matching_again.as_ref().is_some_and(|(known, _)| *known == ticket),
        };
        if !is_current {
            return Vec::new();
        }
        if let Some(Err(problem)) = &part.end {
            let ended = "reading was ended; what was read stays";
            shared.notify(if part.is_cancelled { ended.to_owned() } else { problem.clone() });
        }
        match purpose {
            ReadPurpose::Fill(_) => {
                pane.filled(part.covered);
                pane.at_once = part.at_once.or(pane.at_once);
                if let Some(end) = &part.end {
                    pane.filling = match end {
                        // Another range is filled again.
                        Err(_) if part.is_cancelled => Reading::Done,
                        Ok(()) => Reading::None,
                        Err(_) => Reading::Failed(shared.now),
                    };
                }
            }
            ReadPurpose::Search(_) => {
                pane.covers(part.covered, all);
                if let Some(end) = &part.end {
                    let is_over = end.is_ok() || part.is_cancelled;
                    pane.search = if is_over { Reading::Done } else { Reading::Failed(shared.now) };
                }
                window.push_down = part.push_down.or(window.push_down);
                window.counts[1].is_indexed |= part.indexed == Some(true);
                shared.store.set_payload_matches(&part.matching, true);
            }
            ReadPurpose::Around => {
                pane.covers(part.covered, all);
                shared.store.set_payload_matches(&part.matching, true);
                if part.end.is_some() {
                    self.one_less_around(shared);
                }
            }
            ReadPurpose::Failure => return self.took_failure(&part, shared),
            ReadPurpose::Beyond => window.took_beyond(&part),
            ReadPurpose::Changed => {
                shared.store.set_payload_matches(&part.matching, true);
                if let Some((_, asked)) = &mut window.matching_again {
                    let matching: HashSet<_> = part.matching.iter().collect();
                    asked.retain(|id| !matching.contains(id));
                }
                if part.end.is_some()
                    && let Some((_, rest)) = window.matching_again.take()
                {
                    shared.store.set_payload_matches(&rest, false);
                }
            }
        }
        self.settle_after(purpose, part.end.is_some(), shared);
        self.look(shared)
    }

    fn settle_after(&mut self, purpose: ReadPurpose, is_over: bool, shared: &mut Shared) {
        self.show(shared);
        // What is read whole is known at its end.
        if is_over || !matches!(purpose, ReadPurpose::Fill(_)) {
            let at = self.list.selected.filter(|row| shared.store.holds(*row)).map(|row| shared.store.started(row));
            self.list.settle(&shared.store, at);
            self.count(shared, true);
        }
    }

    fn one_less_around(&mut self, shared: &mut Shared) {
        if let Some(around) = &mut self.window.around {
            around.waiting = around.waiting.saturating_sub(1);
            if around.waiting == 0 {
                self.arrive(shared);
            }
        }
    }

    fn took_failure(&mut self, part: &ReadPart, shared: &mut Shared) -> Vec<Effect> {
        let Some(failure) = &mut self.window.failure else { return Vec::new() };
        // The joined activity may be no failure.
        for (_, id) in &part.found {
            let row = shared.store.find(id);
            let Some(row) = row.filter(|row| shared.store.is_failure(*row)) else { continue };
            let key = (shared.store.started(row), id.clone());
            let nearer = match &failure.found {
                None => true,
                Some(known) => (key.0 < known.0) == failure.newer,
            };
            if nearer {
                failure.found = Some(key);
            }
        }
        if part.end.is_some() {
            failure.waiting = failure.waiting.saturating_sub(1);
        }
        if failure.waiting > 0 {
            return Vec::new();
        }
        match self.window.failure.take().and_then(|failure| failure.found) {
            Some((at, id)) => self.go_to(at, Some(id), shared),
            None => {
                shared.notify("no more failures");
                Vec::new()
            }
        }
    }

    /// A batch has arrived: notes payloads to look at again, and keeps to the budget of memory.
    pub(in crate::screens::explore) fn noted(&mut self, news: &News, shared: &mut Shared) -> Vec<Effect> {
        if let News::Batch(Batch { source, delta, live, .. }) = news {
            if *live && looks_inside(shared) && self.window.changed.len() < CHANGED * 10 {
                let id = shared.sources[*source].id;
                let rows = delta.rows.iter().map(|row| (id, shared.store.get(*row).id));
                self.window.changed.extend(rows);
            }
            // What was read for the view is known to be held only after its reply: what is given up before, would seem to be
            // held ever after.
            if *live || !shared.sources[*source].reads_ranges {
                return self.keep_to_the_budget(shared);
            }
        }
        Vec::new()
    }

    /// Gives up what is furthest from what is looked at, an eighth at a time, while memory is over its budget.
    fn keep_to_the_budget(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        // Rows that are kept hold some memory that cannot be freed: so not for ever.
        for _ in 0..4 {
            if shared.store.bytes() <= shared.settings.memory {
                break;
            }
            effects.extend(self.give_up(shared));
            // What is counted from memory now would lack what is gone.
            self.publish_counts(shared);
        }
        if !effects.is_empty() {
            // What waited for what is not read any more goes on.
            effects.extend(self.look(shared));
        }
        effects
    }

    fn give_up(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let rows = shared.store.all_rows();
        let (Some(oldest), Some(newest)) = (rows.first(), rows.last()) else { return Vec::new() };
        let (oldest, newest) = (shared.store.started(*oldest), shared.store.started(*newest));
        let at = self.anchor(shared).min(newest);
        let eighth = rows.len() / 8;
        let gone = if at.since_us(oldest) >= newest.since_us(at) {
            Interval::new(Interval::EVER.from, shared.store.started(rows[eighth]))
        } else {
            Interval::new(shared.store.started(rows[rows.len() - 1 - eighth]), Interval::EVER.to)
        };
        let mut kept: HashSet<_> = shared.marks.keys().filter_map(|id| shared.store.find(id)).collect();
        kept.extend(self.list.selected);
        kept.extend(self.around.as_ref().and_then(super::super::around::Around::row_before));
        kept.extend(self.detail.as_ref().and_then(|detail| detail.row));
        let count = shared.store.give_up(gone.from, gone.to, &kept);
        let bytes = shared.store.bytes();
        tracing::info!(rows = count, from = %gone.from, to = %gone.to, bytes, "given up to keep the budget");
        self.window.is_full = true;
        self.window.given_up += 1;
        let mut effects = Vec::new();
        for (pane, source) in self.window.panes.iter_mut().zip(&shared.sources) {
            if pane.filling.is_running() && !pane.is_poured() {
                pane.filling = Reading::None;
                effects.push(Effect::StopReading(ReadPurpose::Fill(pane.id)));
            }
            pane.give_up(gone, source.reads_ranges);
        }
        self.show(shared);
        effects
    }
}

impl Window {
    fn took_beyond(&mut self, part: &ReadPart) {
        let Some(beyond) = &mut self.beyond else { return };
        beyond.count += part.found.len();
        beyond.needs_scan |= part.indexed == Some(false);
        beyond.more |= part.covered.is_some_and(|covered| !part.found.is_empty() && covered.from.0 > i64::MIN);
        let newest = part.found.iter().map(|(at, _)| *at).max();
        beyond.newest = beyond.newest.max(newest);
        if part.end.is_some() {
            beyond.waiting = beyond.waiting.saturating_sub(1);
            beyond.is_done = beyond.waiting == 0;
        }
    }
}
