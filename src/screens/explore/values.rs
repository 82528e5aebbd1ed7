//! The values of paths that columns and facets show. They are in payloads, which memory does not hold: those of what is visible
//! are loaded first, then those of a sample of the view for the facets.

use super::Explore;
use crate::effect::{Effect, PathsFor, Placed, Reply, Ticket, ValuesOf, ValuesOfPaths};
use crate::ingest::{Batch, News};
use crate::screens::explore::facets::SAMPLE;
use crate::screens::shared::Shared;
use crosstail_core::filter::Operand;
use crosstail_core::model::Id;
use crosstail_engine::store::{Facet, Row};
use std::collections::{HashMap, HashSet};

/// Payloads that are asked for at once.
const STEP: usize = 64;
/// Activities whose values are kept.
const KEPT: usize = 4000;

/// Values that were loaded.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// The paths, in the order of the values.
    paths: Vec<Operand>,
    known: HashMap<Id, Result<Vec<Vec<String>>, String>>,
    /// What has changed since its values were loaded.
    stale: HashSet<Id>,
    asked: Option<Ticket>,
    /// Whether an error was said: it is once, and stands in every line.
    is_said: bool,
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// Its payload is not loaded yet.
    Loading,
    Failed,
    Loaded(&'a [String]),
}

impl Values {
    /// What is known of a path in an activity.
    pub(super) fn get(&self, id: &Id, path: &Operand) -> Known<'_> {
        let at = self.paths.iter().position(|known| known == path);
        match (self.known.get(id), at) {
            (Some(Ok(values)), Some(at)) => values.get(at).map_or(Known::Loading, |values| Known::Loaded(values)),
            (Some(Err(_)), Some(_)) => Known::Failed,
            _ => Known::Loading,
        }
    }

    /// Takes what was loaded; gives back a reply to another question.
    pub(super) fn take(
        &mut self,
        ticket: Ticket,
        values: Vec<ValuesOf>,
        shared: &mut Shared,
    ) -> Result<(), Vec<ValuesOf>> {
        if self.asked != Some(ticket) {
            return Err(values);
        }
        self.asked = None;
        for one in values {
            if let (Err(problem), false) = (&one.values, self.is_said) {
                shared.notify(format!("a payload could not be loaded: {problem}"));
                self.is_said = true;
            }
            self.stale.remove(&one.id);
            self.known.insert(one.id, one.values);
        }
        Ok(())
    }

    /// Counts the values of a path among rows whose payloads are loaded; how many these are.
    pub(super) fn facet(&self, path: &Operand, rows: &[Row], shared: &Shared) -> (Vec<Facet>, usize) {
        let (mut counts, mut looked_at): (HashMap<&str, (u64, u64)>, usize) = (HashMap::new(), 0);
        for row in rows {
            let Known::Loaded(values) = self.get(&shared.store.id(*row), path) else { continue };
            looked_at += 1;
            let failed = u64::from(shared.store.is_failure(*row));
            let mut distinct: Vec<&str> = values.iter().map(String::as_str).collect();
            distinct.sort_unstable();
            distinct.dedup();
            for value in distinct {
                let slot = counts.entry(value).or_default();
                *slot = (slot.0 + 1, slot.1 + failed);
            }
        }
        let facet = |(value, (count, failed)): (&str, _)| Facet { value: value.to_owned(), count, failed };
        (counts.into_iter().map(facet).collect(), looked_at)
    }
}

/// Rows of the view, evenly spread. More rows do not change which ones, until there are twice as many.
pub(super) fn sample(rows: &[Row], most: usize) -> Vec<Row> {
    let step = (rows.len() / most.max(1)).max(1).next_power_of_two();
    rows.iter().rev().filter(|row| (**row as usize).is_multiple_of(step)).take(most).copied().collect()
}

impl Explore {
    /// Takes values that were loaded; gives back those that somebody else asked for.
    pub(super) fn took_values(
        &mut self,
        ticket: Ticket,
        values: Vec<ValuesOf>,
        shared: &mut Shared,
    ) -> Result<Vec<Effect>, Reply> {
        let values = match self.took_host(ticket, values) {
            Ok(()) => return Ok(Vec::new()),
            Err(values) => values,
        };
        self.values.take(ticket, values, shared).map_err(Reply::PathValues)?;
        if shared.layout.facets.iter().any(Operand::is_of_payload) {
            self.facets.count(&self.values, shared);
        }
        Ok(self.load_values(shared).into_iter().collect())
    }

    /// The first value that a row has; none while its payload is not loaded.
    pub(super) fn value_of(&self, row: Row, of: &Operand, shared: &Shared) -> Option<String> {
        let activity = shared.store.get(row);
        match of {
            Operand::Field(_) => of.values(&activity, shared.store.names(), None).into_iter().next(),
            Operand::Path(..) => match self.values.get(&activity.id, of) {
                Known::Loaded(values) => values.first().cloned(),
                Known::Loading | Known::Failed => None,
            },
        }
    }

    /// Asks for the values that are shown and not known.
    pub(super) fn load_values(&mut self, shared: &mut Shared) -> Option<Effect> {
        let paths = shared.layout.paths();
        if self.values.paths != paths {
            let was_asked = self.values.asked.is_some();
            self.values = Values { paths: paths.clone(), ..Values::default() };
            if paths.is_empty() {
                return was_asked.then(|| nothing(paths));
            }
        }
        if paths.is_empty() || self.values.asked.is_some() {
            return None;
        }
        let height = self.height(shared);
        let mut rows = self.list.visible(&shared.store, height);
        if self.facets.is_on && shared.layout.facets.iter().any(Operand::is_of_payload) {
            rows.extend(sample(shared.store.rows(), SAMPLE));
        }
        let values = &mut self.values;
        if values.known.len() > KEPT {
            let shown: HashSet<Id> = rows.iter().map(|row| shared.store.id(*row)).collect();
            values.known.retain(|id, _| shown.contains(id));
            values.stale.retain(|id| shown.contains(id));
        }
        let mut asked = HashSet::new();
        let unknown = |row: &Row| {
            let id = shared.store.id(*row);
            let is_wanted = !values.known.contains_key(&id) || values.stale.contains(&id);
            (is_wanted && asked.insert(id)).then(|| Placed::of(&shared.store.get(*row)))
        };
        let of: Vec<Placed> = rows.iter().filter_map(unknown).take(STEP).collect();
        if of.is_empty() {
            return None;
        }
        let ticket = shared.ticket();
        self.values.asked = Some(ticket);
        Some(Effect::LoadValues(ticket, Box::new(ValuesOfPaths { purpose: PathsFor::Columns, paths, of })))
    }

    /// What has changed is loaded again; until then its last values are shown.
    pub(super) fn note_stale(&mut self, news: &News, shared: &Shared) {
        if self.values.known.is_empty() {
            return;
        }
        if let News::Batch(Batch { delta, .. }) = news {
            let changed = delta.rows.iter().map(|row| shared.store.id(*row));
            let known = &self.values.known;
            self.values.stale.extend(changed.filter(|id| known.contains_key(id)));
        }
    }
}

/// A question that ends loading.
fn nothing(paths: Vec<Operand>) -> Effect {
    Effect::LoadValues(0, Box::new(ValuesOfPaths { purpose: PathsFor::Columns, paths, of: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_stays_the_same_as_rows_arrive() {
        let rows = |count: Row| (0..count).collect::<Vec<Row>>();
        assert_eq!(sample(&rows(5), 10), [4, 3, 2, 1, 0]);
        let (before, after) = (sample(&rows(1000), 100), sample(&rows(1020), 100));
        assert!(before.len() <= 100 && before.len() >= 50, "{}", before.len());
        let same = before.iter().filter(|row| after.contains(row)).count();
        assert!(same >= before.len() - 3, "{same} of {}", before.len());
        assert!(sample(&[], 10).is_empty());
    }
}
