//! Tests by which sources and in which places rows are held. Few names are of many rows, so each is tested once.

use super::match_cache::MatchCache;
use super::{Row, Store};
use crosstail_core::filter::Pattern;
use crosstail_core::model::{Locator, NameId, SourceId};

/// Names whose results are remembered.
const NAMES: usize = 4096;

/// A test of the names of sources, files and topics.
#[derive(Debug, Default)]
pub(super) struct HeldBy {
    patterns: Vec<Pattern>,
    sources: MatchCache,
    places: MatchCache,
}

impl HeldBy {
    pub(super) fn new(patterns: Vec<Pattern>) -> Self {
        Self { patterns, ..Self::default() }
    }

    /// The same test, of which nothing is known yet.
    pub(super) fn bare(&self) -> Self {
        Self::new(self.patterns.clone())
    }

    /// Remembers what it is asked from now on.
    pub(super) fn prepare(&mut self) {
        (self.sources, self.places) = (MatchCache::for_texts(NAMES), MatchCache::for_texts(NAMES));
    }

    pub(super) fn test(&self, store: &Store, row: Row) -> bool {
        let (segment, at) = store.at(row);
        let is_held_by = |source: SourceId, place: Option<NameId>| {
            let any = |name: &str| self.patterns.iter().any(|pattern| pattern.test(name));
            self.sources.ask(source.0.into(), || any(&store.names.source_name(source)))
                || place.is_some_and(|place| self.places.ask(place.0, || any(&store.names.place_name(place))))
        };
        match (segment.named_place(at), store.extra(row)) {
            (Some((source, place)), None) => is_held_by(source, place),
            _ => store.places(row).iter().any(|place| {
                let name = match place.locator {
                    Locator::Line { file: name, .. } | Locator::Message { topic: name, .. } => Some(name),
                    _ => None,
                };
                is_held_by(place.source, name)
            }),
        }
    }
}
