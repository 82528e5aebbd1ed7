//! Rows without an outcome, whose end is looked for by their keys, however old they are.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Keys of rows without an outcome, each with the version that was delivered. They are read again by turns, so that any number
/// costs the server the same each time.
#[derive(Debug, Default)]
pub struct OpenRows {
    rows: BTreeMap<String, i64>,
    /// The last key of the last turn.
    last: Option<String>,
}

impl OpenRows {
    /// Rows that are remembered, at most.
    pub const MOST: usize = 200_000;

    /// Remembers a row, or its newer version.
    pub fn insert(&mut self, key: String, version: i64) {
        if self.rows.len() < Self::MOST || self.rows.contains_key(&key) {
            self.rows.insert(key, version);
        }
    }

    /// Forgets a row: it has an outcome, or is gone.
    pub fn remove(&mut self, key: &str) {
        self.rows.remove(key);
    }

    /// The version that was delivered.
    pub fn version(&self, key: &str) -> Option<i64> {
        self.rows.get(key).copied()
    }

    /// The keys of all rows.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// The keys of the next turn, `most` of them at most; after the last one the first one follows.
    pub fn turn(&mut self, most: usize) -> Vec<String> {
        let from = self.last.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut keys: Vec<String> =
            self.rows.range((from.clone(), Bound::Unbounded)).take(most).map(|(key, _)| key.clone()).collect();
        if let Bound::Excluded(last) = from {
            let rest = most - keys.len();
            keys.extend(self.rows.range(..=last).take(rest).map(|(key, _)| key.clone()));
        }
        self.last = keys.last().cloned();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_turn() {
        let mut open = OpenRows::default();
        assert_eq!(open.turn(2), Vec::<String>::new());
        for key in ["c", "a", "b", "e", "d"] {
            open.insert(key.to_owned(), 1);
        }
        assert_eq!([open.turn(2), open.turn(2), open.turn(2)].concat(), ["a", "b", "c", "d", "e", "a"]);
        // What comes and goes meanwhile takes no other row's turn.
        open.remove("b");
        open.insert("bb".to_owned(), 2);
        assert_eq!(open.turn(3), ["bb", "c", "d"]);
        assert_eq!(open.turn(9), ["e", "a", "bb", "c", "d"]);
        assert_eq!((open.version("bb"), open.version("b")), (Some(2), None));
    }
}
