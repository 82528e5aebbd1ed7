//! Gives up rows to stay within a budget of memory, and says how much is used.

use super::segment::Segment;
use super::{ROWS, Row, Store};
use crosstail_core::model::Timestamp;
use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::mem::size_of;

impl Store {
    /// Bytes of memory that the rows, their texts and the indexes over them take.
    pub fn bytes(&self) -> usize {
        // A slot of a hash table has a byte of control beside its value.
        let index = self.index.capacity() * (size_of::<u32>() + 1);
        let orders = self.order.capacity() + self.view.rows.as_ref().map_or(0, super::Ordered::capacity);
        let segments: usize = self.segments.iter().map(Segment::bytes).sum();
        segments + self.symbols.bytes() + index + orders * size_of::<Row>()
    }

    /// Whether a row is in memory: it may have been given up since its number was known.
    pub fn holds(&self, row: Row) -> bool {
        self.segments.get(row as usize / ROWS).is_some_and(|segment| segment.holds(row as usize % ROWS))
    }

    /// Gives up the rows that started from a moment up to another one, except `kept`, and the texts that no other row has.
    /// Returns how many. The numbers of the other rows stay; those of texts change.
    pub fn give_up(&mut self, from: Timestamp, to: Timestamp, kept: &HashSet<Row>) -> usize {
        let started = |row: Row| {
            let (segment, at) = (&self.segments[row as usize / ROWS], row as usize % ROWS);
            segment.started[at]
        };
        let gone = self.order.take_between(from.0, to.0, started, kept);
        if gone.is_empty() {
            return 0;
        }
        if let Some(rows) = &mut self.view.rows {
            rows.take_between(from.0, to.0, started, kept);
        }
        for row in &gone {
            self.forget(*row);
        }
        self.forget_what_was_looked_up();
        self.compact_texts();
        self.revision += 1;
        gone.len()
    }

    fn forget(&mut self, row: Row) {
        let (segment, at) = self.at(row);
        let hash = self.hasher.hash_one(segment.id(at, &self.symbols));
        if let Ok(entry) = self.index.find_entry(hash, |known| *known == row) {
            entry.remove();
        }
        self.view.payload_matches.remove(&row);
        self.operations.forget(row);
        let number = row as usize / ROWS;
        // New rows go into the last segment.
        let can_go = number + 1 < self.segments.len();
        self.segments[number].forget(at, can_go);
    }

    /// Keeps the texts that rows have, and frees the memory of all others.
    fn compact_texts(&mut self) {
        let Self { segments, symbols, index, hasher, .. } = self;
        let mut used = vec![false; symbols.len()];
        for segment in segments.iter_mut() {
            segment.each_symbol(|symbol| used[symbol.0 as usize] = true);
        }
        let renumbered = symbols.keep(&used);
        for segment in segments.iter_mut() {
            segment.each_symbol(|symbol| *symbol = renumbered[symbol.0 as usize]);
        }
        segments.iter_mut().for_each(Segment::shrink);
        index.shrink_to_fit(|row| {
            let segment = &segments[*row as usize / ROWS];
            hasher.hash_one(segment.id(*row as usize % ROWS, symbols))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::filter::{Context, Filter};
    use crosstail_core::model::{Activity, Id, Locator, Names, Place, SourceId, Status};

    fn activity(number: i64) -> Activity {
        let id = if number % 3 == 0 {
            Id::Text(format!("text-{number}").into())
        } else {
            Id::Uuid(u128::MAX - u128::from(number.unsigned_abs()))
        };
        let mut activity = Activity::new(id, Timestamp(number * 1_000_000));
        activity.system = Some(["SAP", "Zoho"][usize::try_from(number % 2).expect("small")].into());
        activity.message = Some(format!("message of {number}").into());
        activity.status = Some(if number % 5 == 0 { Status::Failed } else { Status::Success });
        activity.attempt = (number % 7 == 0).then_some(300);
        activity.places = vec![Place::new(SourceId(0), Locator::Key(format!("key-{number}").into()))];
        activity
    }

    #[test]
    fn what_is_given_up_is_gone_and_the_rest_is_as_it_was() {
        const COUNT: i64 = 200_000;
        let mut store = Store::new(Names::default());
        // Newest first, as history is read.
        for batch in (0..COUNT).rev().collect::<Vec<_>>().chunks(5000) {
            store.ingest(batch.iter().map(|number| activity(*number)).collect());
        }
        let predicate = Filter::parse("status:failed").expect("a filter").predicate(&Context::default());
        store.set_filter(predicate);
        let (full, rows) = (store.bytes(), store.all_rows().to_vec());
        let kept = HashSet::from([rows[10], rows[20]]);
        assert_eq!(store.give_up(Timestamp(0), Timestamp(150_000 * 1_000_000), &kept), 149_998);
        assert_eq!(store.len(), 50_002);
        assert!(store.bytes() * 2 < full, "{} of {full}", store.bytes());
        assert!(rows[..150_000].iter().all(|row| store.holds(*row) == kept.contains(row)));
        for (number, row) in rows.iter().enumerate().skip(150_000).chain([(10, &rows[10]), (20, &rows[20])]) {
            assert!(store.holds(*row));
            // What became of it is no part of what was put.
            let held = Activity { final_outcome: None, ..store.get(*row) };
            assert_eq!(held, activity(i64::try_from(number).expect("small")));
            assert_eq!(store.find(&store.get(*row).id), Some(*row));
        }
        assert_eq!(store.find(&activity(7).id), None);
        assert_eq!(store.rows().len(), 10_002, "failures");
        // They can come again, and new ones after them.
        let back = store.ingest((0..100).map(activity).chain([activity(COUNT)]).collect());
        assert_eq!((back.added, back.added_to_view), (99, 19));
        assert!(store.all_rows().is_sorted_by_key(|row| store.started(*row)));
        let text = store.matching(
            store.all_rows(),
            Filter::parse("\"message of 99\"").expect("a filter").predicate(&Context::default()),
        );
        assert_eq!(text.len(), 1 + (0..COUNT).filter(|n| *n >= 150_000 && n.to_string().starts_with("99")).count());
    }

    #[test]
    fn memory_does_not_grow_with_time() {
        let mut store = Store::new(Names::default());
        let (mut most, mut level) = (0, 0);
        for minute in 0..60_i64 {
            store.ingest((minute * 6000..(minute + 1) * 6000).map(activity).collect());
            most = most.max(store.bytes());
            if store.len() > 60_000 {
                let cut = store.started(store.all_rows()[20_000]);
                store.give_up(Timestamp(i64::MIN), cut, &HashSet::new());
            }
            if minute == 20 {
                level = most;
            }
        }
        assert!(most <= level * 3 / 2, "{level} after twenty rounds, {most} after sixty");
    }
}
