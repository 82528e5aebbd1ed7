//! Distinct texts, each kept once and known by a number.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

/// Number of a text. 0 is "absent".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Symbol(pub u32);

impl Symbol {
    /// No text.
    pub const ABSENT: Self = Self(0);
}

/// Texts are packed into chunks of this many bytes; a longer text has a chunk of its own.
const CHUNK: usize = 256 * 1024;

#[derive(Debug, Clone, Copy)]
struct Span {
    chunk: u32,
    start: u32,
    length: u32,
}

/// The table of texts.
#[derive(Debug)]
pub struct Symbols {
    chunks: Vec<String>,
    spans: Vec<Span>,
    table: HashTable<u32>,
    hasher: FixedState,
    bytes: usize,
}

impl Default for Symbols {
    fn default() -> Self {
        let absent = Span { chunk: 0, start: 0, length: 0 };
        Self {
            chunks: vec![String::new()],
            spans: vec![absent],
            table: HashTable::new(),
            hasher: FixedState::default(),
            bytes: 0,
        }
    }
}

impl Symbols {
    /// The number of a text, which is added where it is new.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = self.hasher.hash_one(text);
        if let Some(found) = self.table.find(hash, |symbol| self.get(Symbol(*symbol)) == text) {
            return Symbol(*found);
        }
        let last = self.chunks.len() - 1;
        let full = self.chunks[last].len() + text.len() > self.chunks[last].capacity();
        if full {
            self.chunks.push(String::with_capacity(CHUNK.max(text.len())));
        }
        let chunk = self.chunks.len() - 1;
        let start = self.chunks[chunk].len() as u32;
        self.chunks[chunk].push_str(text);
        self.bytes += text.len();
        let symbol = self.spans.len() as u32;
        self.spans.push(Span { chunk: chunk as u32, start, length: text.len() as u32 });
        let Self { table, hasher, chunks, spans, .. } = self;
        table.insert_unique(hash, symbol, |other| hasher.hash_one(text_of(chunks, spans, *other)));
        Symbol(symbol)
    }

    /// The number of a text that is known.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        let hash = self.hasher.hash_one(text);
        self.table.find(hash, |symbol| self.get(Symbol(*symbol)) == text).map(|found| Symbol(*found))
    }

    /// The text of a number; empty for [`Symbol::ABSENT`].
    pub fn get(&self, symbol: Symbol) -> &str {
        text_of(&self.chunks, &self.spans, symbol.0)
    }

    /// How many there are, the absent one included.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none but the absent one.
    pub fn is_empty(&self) -> bool {
        self.spans.len() <= 1
    }

    /// Bytes of distinct text.
    pub fn text_bytes(&self) -> usize {
        self.bytes
    }
}

fn text_of<'a>(chunks: &'a [String], spans: &[Span], symbol: u32) -> &'a str {
    let span = spans[symbol as usize];
    &chunks[span.chunk as usize][span.start as usize..(span.start + span.length) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_once() {
        let mut symbols = Symbols::default();
        let a = symbols.intern("SAP");
        let long = "x".repeat(CHUNK + 1);
        let b = symbols.intern(&long);
        assert_eq!(symbols.intern("SAP"), a);
        assert_eq!(symbols.get(b), long);
        assert_eq!(symbols.find("Zoho"), None);
        assert_eq!(symbols.get(Symbol::ABSENT), "");
        for n in 0..5000 {
            let text = format!("text {n}");
            let symbol = symbols.intern(&text);
            assert_eq!(symbols.get(symbol), text);
        }
        assert_eq!(symbols.find("text 77").map(|s| symbols.get(s)), Some("text 77"));
    }
}
