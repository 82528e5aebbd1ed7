//! Finds a text anywhere in a row: in any of its texts, and in its id.

use super::id_search::IdSearch;
use super::match_cache::MatchCache;
use super::pack::Text;
use super::segment::Segment;
use super::symbols::Symbol;
use super::{ROWS, Row, Store, is_same};
use crosstail_core::filter::Pattern;
use crosstail_core::model::Id;
use rayon::prelude::*;

/// The columns that are searched. Tags are several texts in one.
const COLUMNS: [Text; 15] = [
    Text::Message,
    Text::Error,
    Text::Url,
    Text::Endpoint,
    Text::System,
    Text::Method,
    Text::Operation,
    Text::Entity,
    Text::Correlation,
    Text::Parent,
    Text::Actor,
    Text::ErrorType,
    Text::Organization,
    Text::Request,
    Text::Tags,
];

/// A column of a segment that may hold a match.
#[derive(Debug)]
enum Column {
    /// Which of its few distinct texts match.
    Few(Text, Box<[bool; 256]>),
    /// Each text has to be asked for.
    Many(Text),
}

/// A text to find.
#[derive(Debug)]
pub(super) struct Anywhere {
    pattern: Pattern,
    in_ids: Option<IdSearch>,
    cache: MatchCache,
    /// By segment; empty until all texts were searched.
    columns: Vec<Vec<Column>>,
}

impl Anywhere {
    pub(super) fn new(pattern: Pattern) -> Self {
        Self { in_ids: IdSearch::of(&pattern), pattern, cache: MatchCache::default(), columns: Vec::new() }
    }

    /// The same search, of which nothing is known yet.
    pub(super) fn bare(&self) -> Self {
        Self::new(self.pattern.clone())
    }

    /// Remembers what it is asked from now on.
    pub(super) fn prepare(&mut self, store: &Store) {
        self.cache = MatchCache::for_texts(store.symbols.len());
    }

    /// Searches all texts at once, and notes which columns of which segments have one that matches.
    pub(super) fn search(&mut self, store: &Store) {
        self.cache = MatchCache::of_all(&store.symbols, std::slice::from_ref(&self.pattern));
        let columns = store.segments.par_iter().map(|segment| {
            COLUMNS.iter().filter_map(|column| self.column(store, segment, *column)).collect::<Vec<_>>()
        });
        self.columns = columns.collect();
    }

    /// A column, where it may hold a match.
    fn column(&self, store: &Store, segment: &Segment, column: Text) -> Option<Column> {
        let Some(palette) = segment.few(column) else { return Some(Column::Many(column)) };
        let mut matching = Box::new([false; 256]);
        let mut any = false;
        for (matches, symbol) in matching.iter_mut().zip(palette) {
            *matches = self.is_in(store, column, *symbol);
            any |= *matches;
        }
        any.then_some(Column::Few(column, matching))
    }

    fn is_in(&self, store: &Store, column: Text, symbol: Symbol) -> bool {
        if symbol == Symbol::ABSENT || is_same(symbol) {
            return false;
        }
        let text = || store.symbols.get(symbol);
        if column == Text::Tags {
            return text().split(", ").any(|tag| self.pattern.test(tag));
        }
        self.cache.ask(symbol.0, || self.pattern.test(text()))
    }

    pub(super) fn test(&self, store: &Store, row: Row) -> bool {
        let (segment, at) = store.at(row);
        let in_texts = match self.columns.get(row as usize / ROWS) {
            Some(columns) => columns.iter().any(|column| match column {
                Column::Few(column, matching) => segment.number_of_few(*column, at).is_some_and(|n| matching[n]),
                Column::Many(column) => self.is_in(store, *column, segment.text(at, *column)),
            }),
            None => COLUMNS.iter().any(|column| self.is_in(store, *column, segment.text(at, *column))),
        };
        in_texts || self.is_in_id(store, segment, at)
    }

    fn is_in_id(&self, store: &Store, segment: &Segment, at: usize) -> bool {
        if let Some(symbol) = segment.text_id(at) {
            return self.cache.ask(symbol.0, || self.pattern.test(store.symbols.get(symbol)));
        }
        match (segment.id(at, &store.symbols), &self.in_ids) {
            (Id::Uuid(value), Some(search)) => search.is_in_uuid(value),
            (Id::Line { file, offset }, Some(search)) => search.is_in_line(file, offset),
            (id, _) => id.with_text(|text| self.pattern.test(text)),
        }
    }
}
