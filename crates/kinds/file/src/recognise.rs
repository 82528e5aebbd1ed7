//! Recognises the schema of a file.

use super::decode::Decoder;
use crosstail_core::schema::Schema;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Recognises the schema of a file from its first lines.
#[derive(Debug)]
pub(crate) struct Recogniser {
    fixed: Option<Arc<Decoder>>,
    known: Vec<Arc<Decoder>>,
    fallback: Arc<Decoder>,
}

const SAMPLE_LINES: usize = 32;

impl Recogniser {
    pub(super) fn new(fixed: Option<Schema>) -> Self {
        let known: Vec<Arc<Decoder>> =
            Schema::built_in().into_iter().map(|schema| Arc::new(Decoder::new(schema))).collect();
        let fallback = known.iter().find(|decoder| decoder.schema_name() == "json").or(known.first());
        let fallback = fallback.map_or_else(|| Arc::new(Decoder::empty()), Arc::clone);
        Self { fixed: fixed.map(|schema| Arc::new(Decoder::new(schema))), known, fallback }
    }

    /// The decoder for a file that starts with these bytes.
    pub(super) fn decoder(&self, head: &[u8]) -> Arc<Decoder> {
        if let Some(fixed) = &self.fixed {
            return Arc::clone(fixed);
        }
        let records: Vec<Map<String, Value>> = head
            .split(|b| *b == b'\n')
            .take(SAMPLE_LINES)
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        let score = |decoder: &Decoder| decoder.schema().score(&records);
        let best = self.known.iter().rev().max_by_key(|decoder| score(decoder)).filter(|best| score(best) > 0);
        Arc::clone(best.unwrap_or(&self.fallback))
    }
}
