//! Data that a query has read ahead, stored until its next page is requested.

use crate::{Cursor, PageQuery};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Number of queries whose data is stored, at most.
const CAPACITY: usize = 4;

/// Data that was read ahead, by the page that it is for.
pub struct ReadAhead<T>(Mutex<VecDeque<(String, T)>>);

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
        let index = kept.iter().position(|(known, _)| *known == wanted)?;
        kept.remove(index).map(|(_, ahead)| ahead)
    }

    /// Stores the data; returns the oldest entry where there are too many, for release.
    pub fn keep(&self, query: &PageQuery, after: &Cursor, ahead: T) -> Option<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((page(query, after), ahead));
        (kept.len() > CAPACITY).then(|| kept.pop_front()).flatten().map(|(_, ahead)| ahead)
    }
}
