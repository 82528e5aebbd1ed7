//! A registry of the names of sources and places. Records store small numbers instead of names.

use crate::number::{saturating_u16, saturating_u32};
use std::sync::{Arc, RwLock};

/// Number of a configured source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u16);

/// Number of a file, a topic or another named place in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NameId(pub u32);

#[derive(Debug, Default)]
struct NameTable {
    sources: Vec<Arc<str>>,
    /// By source: its tables, indices or topics.
    tables: Vec<Vec<Arc<str>>>,
    places: Vec<Arc<str>>,
    /// By schema: patterns of the tables that records pass through, in order.
    flows: Vec<Vec<String>>,
}

/// The shared registry of names, to which names are only added. A clone shares it.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<RwLock<NameTable>>);

impl Names {
    /// Adds a source and returns its number.
    pub fn add_source(&self, name: &str) -> SourceId {
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.sources.push(Arc::from(name));
        known.tables.push(Vec::new());
        SourceId(saturating_u16(known.sources.len() - 1))
    }

    /// The number of a place; adds it if it is new.
    pub fn place(&self, name: &str) -> NameId {
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let found = known.places.iter().position(|place| &**place == name);
        NameId(saturating_u32(found.unwrap_or_else(|| {
            known.places.push(Arc::from(name));
            known.places.len() - 1
        })))
    }

    /// The number of a table among those of its source, from 0; adds it if it is new.
    pub fn table(&self, source: SourceId, name: &str) -> usize {
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(of_source) = known.tables.get_mut(source.0 as usize) else { return 0 };
        of_source.iter().position(|table| &**table == name).unwrap_or_else(|| {
            of_source.push(Arc::from(name));
            of_source.len() - 1
        })
    }

    /// The name of a table; `None` where the number is unknown.
    pub fn table_name(&self, source: SourceId, number: usize) -> Option<Arc<str>> {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.tables.get(source.0 as usize)?.get(number).cloned()
    }

    /// Adds patterns of the tables that records pass through, in order.
    pub fn add_flow(&self, flow: &[String]) {
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !flow.is_empty() && !known.flows.iter().any(|other| other == flow) {
            known.flows.push(flow.to_vec());
        }
    }

    /// The flows of the schemas in use.
    pub fn flows(&self) -> Vec<Vec<String>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).flows.clone()
    }

    /// The names of the tables of all sources.
    pub fn tables(&self) -> Vec<Arc<str>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).tables.iter().flatten().cloned().collect()
    }

    /// The name of a source; empty where the number is unknown.
    pub fn source_name(&self, id: SourceId) -> Arc<str> {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.sources.get(id.0 as usize).cloned().unwrap_or_default()
    }

    /// The name of a place; empty where the number is unknown.
    pub fn place_name(&self, id: NameId) -> Arc<str> {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.places.get(id.0 as usize).cloned().unwrap_or_default()
    }

    /// The names of all sources, in order of their numbers.
    pub fn sources(&self) -> Vec<Arc<str>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).sources.clone()
    }
}
