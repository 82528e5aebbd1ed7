//! Row numbers in order of time.

use std::collections::HashSet;

/// Row numbers in order. The caller's function looks up the keys, which the rows themselves hold.
#[derive(Debug, Default, Clone)]
pub(super) struct Ordered(Vec<u32>);

impl Ordered {
    pub(super) fn from_sorted(rows: Vec<u32>) -> Self {
        Self(rows)
    }

    pub(super) fn rows(&self) -> &[u32] {
        &self.0
    }

    /// Merges new rows, which must be sorted by key. Rows after all others are appended; a block that fits into one gap
    /// is inserted with one copy.
    pub(super) fn insert<K: Ord>(&mut self, new: &[u32], key: impl Fn(u32) -> K) {
        let (Some(first), Some(last)) = (new.first(), self.0.last()) else {
            self.0.extend_from_slice(new);
            return;
        };
        if key(*first) >= key(*last) {
            self.0.extend_from_slice(new);
            return;
        }
        let mut end = self.0.len();
        self.0.resize(end + new.len(), 0);
        // From the back: a row moves by as many places as there are new rows before it.
        for (before, row) in new.iter().enumerate().rev() {
            let wanted = key(*row);
            let at = self.0[..end].partition_point(|other| key(*other) <= wanted);
            self.0.copy_within(at..end, at + before + 1);
            self.0[at + before] = *row;
            end = at;
        }
    }

    /// Removes the rows whose time is from `from` up to `to`, except `kept`, and returns them.
    pub(super) fn take_between(
        &mut self,
        from: i64,
        to: i64,
        time: impl Fn(u32) -> i64,
        kept: &HashSet<u32>,
    ) -> Vec<u32> {
        let first = self.0.partition_point(|row| time(*row) < from);
        let after = first + self.0[first..].partition_point(|row| time(*row) < to);
        let (stay, gone): (Vec<u32>, Vec<u32>) = self.0[first..after].iter().partition(|row| kept.contains(row));
        self.0.splice(first..after, stay);
        self.0.shrink_to(self.0.len() + self.0.len() / 4);
        gone
    }

    /// Rows for which there is room.
    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// The position of a row, if it is contained.
    pub(super) fn position<K: Ord>(&self, row: u32, key: impl Fn(u32) -> K) -> Option<usize> {
        let wanted = key(row);
        let from = self.0.partition_point(|other| key(*other) < wanted);
        self.0[from..]
            .iter()
            .take_while(|other| key(**other) == wanted)
            .position(|other| *other == row)
            .map(|n| from + n)
    }

    /// Removes a row. Call this before its key changes.
    pub(super) fn remove<K: Ord>(&mut self, row: u32, key: impl Fn(u32) -> K) -> bool {
        let found = self.position(row, key);
        if let Some(at) = found {
            self.0.remove(at);
        }
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::number::saturating_u32;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_in_any_order_end_sorted(batches in prop::collection::vec(prop::collection::vec(0u64..50, 0..20), 0..10)) {
            let mut keys: Vec<u64> = Vec::new();
            let mut ordered = Ordered::default();
            for batch in batches {
                let start = saturating_u32(keys.len());
                keys.extend(&batch);
                let mut rows: Vec<u32> = (start..saturating_u32(keys.len())).collect();
                let key = |row: u32| (keys[row as usize], row);
                rows.sort_by_key(|row| key(*row));
                ordered.insert(&rows, key);
            }
            let key = |row: u32| (keys[row as usize], row);
            let mut expected: Vec<u32> = (0..saturating_u32(keys.len())).collect();
            expected.sort_by_key(|row| key(*row));
            prop_assert_eq!(ordered.rows(), &expected[..]);
            for row in 0..saturating_u32(keys.len()) {
                prop_assert_eq!(ordered.position(row, key), expected.iter().position(|r| *r == row));
            }
        }
    }
}
