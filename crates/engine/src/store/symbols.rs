//! Symbols: distinct texts, each stored once under a number.

use crosstail_core::number::saturating_u32;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use memchr::memmem::{Finder, find};
use rayon::prelude::*;
use regex::Regex;
use std::hash::BuildHasher as _;

/// Number of a text. 0 is "absent".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Symbol(pub u32);

impl Symbol {
    /// Stands for a missing text.
    pub const ABSENT: Self = Self(0);
}

/// Texts are packed into chunks of this many bytes; a longer text has its own chunk.
const CHUNK: usize = 256 * 1024;

#[derive(Debug, Clone, Copy)]
struct TextRange {
    chunk: u32,
    start: u32,
    length: u32,
}

impl TextRange {
    fn end(self) -> usize {
        self.start as usize + self.length as usize
    }
}

/// The table of distinct texts.
#[derive(Debug)]
pub struct Symbols {
    chunks: Vec<String>,
    spans: Vec<TextRange>,
    table: HashTable<u32>,
    hasher: FixedState,
}

impl Default for Symbols {
    fn default() -> Self {
        let absent = TextRange { chunk: 0, start: 0, length: 0 };
        Self {
            chunks: vec![String::new()],
            spans: vec![absent],
            table: HashTable::new(),
            hasher: FixedState::default(),
        }
    }
}

impl Symbols {
    /// The number of a text; adds it if it is new.
    pub fn intern(&mut self, text: &str) -> Symbol {
        let hash = self.hasher.hash_one(text);
        if let Some(found) = self.table.find(hash, |symbol| self.get(Symbol(*symbol)) == text) {
            return Symbol(*found);
        }
        self.add(text)
    }

    /// Adds a text that is not in the table.
    fn add(&mut self, text: &str) -> Symbol {
        let hash = self.hasher.hash_one(text);
        let last = self.chunks.len() - 1;
        let full = self.chunks[last].len() + text.len() > self.chunks[last].capacity();
        if full {
            self.chunks.push(String::with_capacity(CHUNK.max(text.len())));
        }
        let chunk = self.chunks.len() - 1;
        let start = saturating_u32(self.chunks[chunk].len());
        self.chunks[chunk].push_str(text);
        let symbol = saturating_u32(self.spans.len());
        self.spans.push(TextRange { chunk: saturating_u32(chunk), start, length: saturating_u32(text.len()) });
        let Self { table, hasher, chunks, spans, .. } = self;
        table.insert_unique(hash, symbol, |other| hasher.hash_one(text_of(chunks, spans, *other)));
        Symbol(symbol)
    }

    /// The number of a text, if it is in the table.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        let hash = self.hasher.hash_one(text);
        self.table.find(hash, |symbol| self.get(Symbol(*symbol)) == text).map(|found| Symbol(*found))
    }

    /// The text with a number; empty for [`Symbol::ABSENT`].
    pub fn get(&self, symbol: Symbol) -> &str {
        text_of(&self.chunks, &self.spans, symbol.0)
    }

    /// By number: whether the text contains a literal, ignoring case. `regex` says the same, `literal` is in lower case.
    /// Searches full chunks on all cores, so that a text without a match costs no call.
    pub fn matching(&self, regex: &Regex, literal: &str) -> Vec<bool> {
        if literal.is_empty() {
            return vec![true; self.spans.len()];
        }
        let finder = literal.is_ascii().then(|| Finder::new(literal));
        let mut found = vec![false; self.spans.len()];
        // Texts are in their chunks in the order of their numbers.
        let mut rest = found.as_mut_slice();
        let mut pieces = Vec::new();
        for spans in self.spans.chunk_by(|a, b| a.chunk == b.chunk) {
            let (here, behind) = rest.split_at_mut(spans.len());
            pieces.push((spans, here));
            rest = behind;
        }
        pieces.into_par_iter().for_each_init(Folding::default, |folding, (spans, found)| {
            let Some(chunk) = spans.first().and_then(|span| self.chunks.get(span.chunk as usize)) else { return };
            match finder.as_ref().filter(|_| Folding::is_of_bytes(literal, chunk)) {
                Some(finder) => {
                    let folded = folding.of(chunk);
                    let next = |at: usize| finder.find(&folded[at..]).map(|hit| at + hit);
                    mark(spans, found, |at| next(at).map(|start| (start, start + literal.len())));
                }
                None => mark(spans, found, |at| regex.find_at(chunk, at).map(|hit| (hit.start(), hit.end()))),
            }
        });
        found
    }

    /// Keeps the texts whose numbers are used, and renumbers them in the same order. Returns the new numbers by the old
    /// ones. Each chunk is freed as soon as its texts are moved.
    pub fn keep(&mut self, used: &[bool]) -> Vec<Symbol> {
        let mut old = std::mem::take(self);
        let mut renumbered = vec![Symbol::ABSENT; used.len()];
        self.table.reserve(used.iter().filter(|used| **used).count(), |_| 0);
        let mut freed = 0;
        for (number, span) in old.spans.iter().enumerate().skip(1) {
            while freed < span.chunk as usize {
                old.chunks[freed] = String::new();
                freed += 1;
            }
            if used[number] {
                renumbered[number] = self.add(&old.chunks[freed][span.start as usize..][..span.length as usize]);
            }
        }
        renumbered
    }

    /// Bytes of memory of the texts and the table.
    pub fn bytes(&self) -> usize {
        let texts: usize = self.chunks.iter().map(String::capacity).sum();
        texts + self.spans.capacity() * size_of::<TextRange>() + self.table.capacity() * (size_of::<u32>() + 1)
    }

    /// Number of symbols, including [`Symbol::ABSENT`].
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether it holds no text.
    pub fn is_empty(&self) -> bool {
        self.spans.len() <= 1
    }
}

/// Marks the texts of a chunk in which something is found. `next` gives the next hit at or behind a place.
fn mark(spans: &[TextRange], found: &mut [bool], next: impl Fn(usize) -> Option<(usize, usize)>) {
    let (mut at, mut index) = (0, 0);
    while let Some((start, end)) = next(at) {
        // Often in the next text; else far behind.
        if spans.get(index).is_some_and(|span| span.end() <= start) {
            index += spans[index..].partition_point(|span| span.end() <= start);
        }
        let Some(span) = spans.get(index) else { return };
        // A hit that crosses the border of two texts does not count: the search resumes at the second text.
        found[index] |= span.start as usize <= start && end <= span.end();
        index += 1;
        match spans.get(index) {
            Some(next) => at = next.start as usize,
            None => return,
        }
    }
}

/// A chunk in lower case, as far as that is a matter of single bytes.
#[derive(Default)]
struct Folding(Vec<u8>);

impl Folding {
    /// Whether the letters of a literal have no other forms in a text than those of ASCII: `k` also stands for the Kelvin
    /// sign, and `s` for the long s.
    fn is_of_bytes(literal: &str, text: &str) -> bool {
        let has =
            |letter: char, other: &str| literal.contains(letter) && find(text.as_bytes(), other.as_bytes()).is_some();
        !has('k', "\u{212a}") && !has('s', "\u{17f}")
    }

    fn of(&mut self, text: &str) -> &[u8] {
        self.0.clear();
        self.0.extend_from_slice(text.as_bytes());
        self.0.make_ascii_lowercase();
        &self.0
    }
}

fn text_of<'a>(chunks: &'a [String], spans: &[TextRange], symbol: u32) -> &'a str {
    let span = spans[symbol as usize];
    &chunks[span.chunk as usize][span.start as usize..(span.start + span.length) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searching_chunks_finds_what_searching_texts_does() {
        let mut rng = fastrand::Rng::with_seed(3);
        let letters = ['a', 'b', 'A', 'k', 'K', '\u{212a}', 's', 'S', '\u{17f}', 'é', '漢'];
        // Every letter, and only those of which each byte stands for itself.
        for known in [letters.as_slice(), &['a', 'A', 'k', 'S', 'é']] {
            let mut symbols = Symbols::default();
            for _ in 0..3000 {
                let text: String = (0..rng.usize(0..6)).map(|_| known[rng.usize(0..known.len())]).collect();
                symbols.intern(&text);
            }
            for literal in ["aa", "a", "ak", "ks", "s", "éa", "bab", "漢漢a", ""] {
                let regex = Regex::new(&format!("(?is){literal}")).expect(literal);
                let expected: Vec<bool> =
                    (0..symbols.len()).map(|n| regex.is_match(symbols.get(Symbol(saturating_u32(n))))).collect();
                assert_eq!(symbols.matching(&regex, literal)[1..], expected[1..], "{literal}");
            }
        }
    }

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
