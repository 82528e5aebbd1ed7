//! Data that a query has read ahead, stored until its next page is requested.

use crate::{Cursor, PageQuery};
use crosstail_core::model::Activity;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Number of queries whose data is stored, at most, and about how many bytes it takes, all of them together. Nobody says
/// that a query has no next page, so that what it left is here until others come.
const CAPACITY: usize = 4;
const BYTES: usize = 12 << 20;

/// About what an activity takes without its texts, in bytes.
pub const ACTIVITY: usize = 700;

/// About what an activity takes in memory, in bytes.
pub fn weight(activity: &Activity) -> usize {
    let texts = [&activity.message, &activity.error, &activity.url, &activity.tags, &activity.operation];
    ACTIVITY + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
}

/// Data that was read ahead, by the page that it is for, with its bytes.
pub struct ReadAhead<T>(Mutex<VecDeque<(String, T, usize)>>);

impl<T> Default for ReadAhead<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

fn page(query: &PageQuery, after: &Cursor) -> String {
    let PageQuery { filter, context, since, until, newest_first, limit: _ } = query;
    format!("{:?}", (filter.text(), context, since, until, newest_first, after))
}

impl<T> ReadAhead<T> {
    /// Removes and returns the data for the page of a query after a cursor.
    pub fn take(&self, query: &PageQuery, after: Option<&Cursor>) -> Option<T> {
        let wanted = page(query, after?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|(known, ..)| *known == wanted)?;
        kept.remove(index).map(|(_, ahead, _)| ahead)
    }

    /// Stores the data of about so many bytes; drops the oldest where there is too much, but never what is stored now.
    pub fn keep(&self, query: &PageQuery, after: &Cursor, ahead: T, bytes: usize) {
        let mut dropped = Vec::new();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((page(query, after), ahead, bytes));
        while kept.len() > 1 && (kept.len() > CAPACITY || kept.iter().map(|(.., bytes)| bytes).sum::<usize>() > BYTES) {
            dropped.extend(kept.pop_front());
        }
        // What is dropped may tell its store: not while others wait for the lock.
        drop(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::filter::Filter;
    use crosstail_core::model::{Id, Timestamp};

    #[test]
    fn what_queries_leave_is_bounded_in_number_and_in_bytes() {
        let ahead = ReadAhead::default();
        let query = |text: &str| PageQuery { filter: Filter::parse(text).expect("a filter"), ..PageQuery::all(10) };
        let texts = ["a", "b", "c", "d", "e", "f"].map(|system| format!("system:{system}"));
        let after = Cursor::after(&Activity::new(Id::Text("one".into()), Timestamp(7)));
        let stored = |bytes: [usize; 6]| {
            for (text, bytes) in texts.iter().zip(bytes) {
                ahead.keep(&query(text), &after, text.clone(), bytes);
            }
            let found = texts.iter().filter_map(|text| ahead.take(&query(text), Some(&after))).collect::<Vec<_>>();
            assert!(found.iter().all(|found| texts.contains(found)));
            found.len()
        };
        assert_eq!(stored([1; 6]), CAPACITY);
        assert_eq!(stored([BYTES / 2; 6]), 2);
        assert_eq!(stored([BYTES * 2; 6]), 1, "what is read now is there for the next page, whatever it takes");
        assert_eq!(stored([0, 0, 0, 0, BYTES, 1]), 1);
    }
}
