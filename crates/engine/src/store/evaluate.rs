//! Evaluates the predicates of the filter language over columns; each distinct text is tested once.

use super::pack::Text;
use super::symbols::{Symbol, Symbols};
use super::{Row, Store, is_same};
use crosstail_core::filter::{
    Field, Matcher, Operand, Pattern, Predicate, Record, Truth, combine, of_pattern, outcome,
};
use crosstail_core::model::{FinalOutcome, Id, Payload, Timestamp};
use memchr::memmem::Finder;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU8, Ordering};

/// A row as a [`Record`] for predicates.
pub struct RowRecord<'a> {
    store: &'a Store,
    row: Row,
}

impl<'a> RowRecord<'a> {
    pub fn new(store: &'a Store, row: Row) -> Self {
        Self { store, row }
    }
}

impl Record for RowRecord<'_> {
    fn text(&self, field: Field, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        let (segment, at) = self.store.at(self.row);
        let symbols = &self.store.symbols;
        match field {
            Field::Id => return Some(test(&segment.id(at, symbols).to_string())),
            Field::Source => {
                let names = &self.store.names;
                return Some(
                    self.store
                        .places(self.row)
                        .iter()
                        .any(|p| test(&names.source_name(p.source)) || test(&p.label(names))),
                );
            }
            Field::Pattern => {
                let said = said(self.store, self.row);
                return (said != Symbol::ABSENT).then(|| of_pattern(symbols.get(said), test));
            }
            _ => {}
        }
        match segment.text(at, Text::of(field)?) {
            Symbol::ABSENT => None,
            tags if field == Field::Tags => Some(symbols.get(tags).split(", ").any(test)),
            same if is_same(same) => Some(test(&segment.id(at, symbols).to_string())),
            symbol => Some(test(symbols.get(symbol))),
        }
    }

    fn number(&self, field: Field) -> Option<f64> {
        let (segment, at) = self.store.at(self.row);
        match field {
            Field::Http => self.store.http_status(self.row).map(f64::from),
            Field::Attempt => segment.attempt(at, self.store.extra(self.row)).map(f64::from),
            Field::MaxAttempts => segment.max_attempts(at, self.store.extra(self.row)).map(f64::from),
            Field::Duration => self.store.took_us(self.row).map(|us| us as f64),
            Field::Cpu => segment.cpu(at),
            Field::Memory => segment.memory(at),
            _ => None,
        }
    }

    fn time(&self, field: Field) -> Option<Timestamp> {
        let (segment, at) = self.store.at(self.row);
        match field {
            Field::Time => Some(Timestamp(segment.started[at])),
            Field::Completed => segment.completed(at, self.store.extra(self.row)),
            Field::NextRetry => self.store.extra(self.row).and_then(|extra| extra.next_retry_at),
            _ => None,
        }
    }

    fn word(&self, field: Field) -> Option<u8> {
        let (segment, at) = self.store.at(self.row);
        match field {
            Field::Status => segment.status(at).map(|s| s as u8),
            Field::Level => segment.level(at).map(|l| l as u8),
            Field::Kind => Some(segment.kind(at) as u8),
            Field::Direction => Some(segment.direction(at) as u8),
            Field::Is => Some(outcome(segment.status(at), segment.level(at))),
            Field::Final => self.store.final_outcome(self.row).map(FinalOutcome::index),
            _ => None,
        }
    }

    fn payload(&self) -> Option<&Payload> {
        None
    }
}

/// Cached results of a pattern by symbol: 0 unknown, 1 yes, 2 no. Grows with the symbols only when it is rebuilt.
#[derive(Debug, Default)]
struct MatchCache(Vec<AtomicU8>);

impl MatchCache {
    fn fill(&mut self, symbols: &Symbols, patterns: &[Pattern]) {
        let found = match patterns {
            [Pattern::Contains(regex, _)] => {
                symbols.matching(regex).into_iter().map(|found| if found { 1 } else { 2 }).collect()
            }
            _ => vec![0; symbols.len()],
        };
        self.0 = found.into_iter().map(AtomicU8::new).collect();
    }

    fn ask(&self, symbol: Symbol, test: impl FnOnce() -> bool) -> bool {
        let Some(slot) = self.0.get(symbol.0 as usize) else { return test() };
        match slot.load(Ordering::Relaxed) {
            1 => true,
            2 => false,
            _ => {
                let answer = test();
                slot.store(if answer { 1 } else { 2 }, Ordering::Relaxed);
                answer
            }
        }
    }
}

/// A predicate that is prepared for rows.
#[derive(Debug)]
pub(super) struct Evaluator {
    root: EvalNode,
}

impl Default for Evaluator {
    fn default() -> Self {
        Self { root: EvalNode::Other(Predicate::All) }
    }
}

/// What a row says: see [`crosstail_core::model::Activity::said`].
fn said(store: &Store, row: Row) -> Symbol {
    let (segment, at) = store.at(row);
    match segment.text(at, Text::Error) {
        Symbol::ABSENT => segment.text(at, Text::Message),
        error => error,
    }
}

/// The text that a node tests.
#[derive(Debug, Clone, Copy)]
enum Tested {
    Column(Text),
    /// The pattern of what is said.
    Said,
}

impl Tested {
    fn symbol(self, store: &Store, row: Row) -> Symbol {
        match self {
            Self::Column(column) => {
                let (segment, at) = store.at(row);
                segment.text(at, column)
            }
            Self::Said => said(store, row),
        }
    }

    fn test(self, text: &str, patterns: &[Pattern]) -> bool {
        let mut any = |text: &str| patterns.iter().any(|pattern| pattern.test(text));
        match self {
            Self::Column(_) => any(text),
            Self::Said => of_pattern(text, &mut any),
        }
    }
}

/// A node of the predicate, with text tests by column.
#[derive(Debug)]
enum EvalNode {
    And(Vec<EvalNode>),
    Or(Vec<EvalNode>),
    Not(Box<EvalNode>),
    Text { tested: Tested, patterns: Vec<Pattern>, or_absent: bool, negated: bool, memo: MatchCache },
    Anywhere { pattern: Pattern, in_uuids: Option<Box<Finder<'static>>>, memo: MatchCache },
    Other(Predicate),
}

const ANYWHERE: [Text; 13] = [
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
];

/// A search for a pattern in UUIDs; `None` where the pattern cannot occur in one.
fn uuid_finder(pattern: &Pattern) -> Option<Box<Finder<'static>>> {
    match pattern {
        Pattern::Contains(_, literal) if literal.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') => {
            Some(Box::new(Finder::new(literal.as_bytes()).into_owned()))
        }
        _ => None,
    }
}

impl EvalNode {
    fn new(predicate: Predicate) -> Self {
        match predicate {
            Predicate::And(parts) => Self::And(parts.into_iter().map(Self::new).collect()),
            Predicate::Or(parts) => Self::Or(parts.into_iter().map(Self::new).collect()),
            Predicate::Not(part) => Self::Not(Box::new(Self::new(*part))),
            Predicate::FreeText(pattern) => {
                Self::Anywhere { in_uuids: uuid_finder(&pattern), pattern, memo: MatchCache::default() }
            }
            Predicate::Compare(leaf) => {
                let tested = match (&leaf.target, &leaf.test) {
                    (Operand::Field(Field::Pattern), Matcher::Text(_)) => Some(Tested::Said),
                    (Operand::Field(field), Matcher::Text(_)) => {
                        Text::of(*field).filter(|c| !matches!(c, Text::Request | Text::Tags)).map(Tested::Column)
                    }
                    _ => None,
                };
                match (tested, leaf.test) {
                    (Some(tested), Matcher::Text(patterns)) => Self::Text {
                        tested,
                        patterns,
                        or_absent: leaf.or_absent,
                        negated: leaf.negated,
                        memo: MatchCache::default(),
                    },
                    (_, test) => Self::Other(Predicate::Compare(crosstail_core::filter::Comparator { test, ..leaf })),
                }
            }
            Predicate::All => Self::Other(Predicate::All),
        }
    }

    /// Extends the caches to all symbols. Texts to find anywhere are evaluated at once.
    fn remember(&mut self, symbols: &Symbols) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(|part| part.remember(symbols)),
            Self::Not(part) => part.remember(symbols),
            // Masking is for the texts of the rows that are asked for.
            Self::Text { memo, tested: Tested::Said, .. } => memo.fill(symbols, &[]),
            Self::Text { memo, patterns, .. } => memo.fill(symbols, patterns),
            Self::Anywhere { memo, pattern, .. } => memo.fill(symbols, std::slice::from_ref(pattern)),
            Self::Other(_) => {}
        }
    }

    fn test(&self, store: &Store, row: Row) -> Truth {
        match self {
            Self::And(parts) => combine(parts.iter().map(|part| part.test(store, row)), Truth::No),
            Self::Or(parts) => combine(parts.iter().map(|part| part.test(store, row)), Truth::Yes),
            Self::Not(part) => !part.test(store, row),
            Self::Text { tested, patterns, or_absent, negated, memo } => Truth::of(match tested.symbol(store, row) {
                Symbol::ABSENT => *or_absent,
                symbol => memo.ask(symbol, || tested.test(store.symbols.get(symbol), patterns)) != *negated,
            }),
            Self::Anywhere { pattern, in_uuids, memo } => {
                Truth::of(anywhere(store, row, pattern, in_uuids.as_deref(), memo))
            }
            Self::Other(predicate) => predicate.test(&RowRecord::new(store, row)),
        }
    }
}

fn anywhere(store: &Store, row: Row, pattern: &Pattern, in_uuids: Option<&Finder<'static>>, memo: &MatchCache) -> bool {
    let (segment, at) = store.at(row);
    let symbol =
        |symbol: Symbol| symbol != Symbol::ABSENT && memo.ask(symbol, || pattern.test(store.symbols.get(symbol)));
    if ANYWHERE.iter().any(|column| symbol(segment.text(at, *column))) {
        return true;
    }
    let tags = segment.text(at, Text::Tags);
    if tags != Symbol::ABSENT && store.symbols.get(tags).split(", ").any(|tag| pattern.test(tag)) {
        return true;
    }
    let request = segment.text(at, Text::Request);
    if !is_same(request) && symbol(request) {
        return true;
    }
    match (segment.id(at, &store.symbols), pattern) {
        // A UUID has only lower-case hexadecimal digits and dashes: other texts cannot occur in it.
        (Id::Uuid(value), Pattern::Contains(..)) => in_uuids.is_some_and(|finder| {
            let mut buffer = uuid::Uuid::encode_buffer();
            finder.find(uuid::Uuid::from_u128(value).hyphenated().encode_lower(&mut buffer).as_bytes()).is_some()
        }),
        (id, _) => pattern.test(&id.to_string()),
    }
}

impl Evaluator {
    pub(super) fn new(predicate: Predicate) -> Self {
        Self { root: EvalNode::new(predicate) }
    }

    /// Whether the filter keeps a row, as far as that is known without its payload.
    pub(super) fn test(&self, store: &Store, row: Row) -> Truth {
        self.root.test(store, row)
    }

    /// The rows that are kept, in the same order. Uses all cores.
    pub(super) fn select(&self, store: &Store, rows: &[Row]) -> Vec<Row> {
        const CHUNK: usize = 1 << 14;
        let mut remembering = Self { root: self.root.bare() };
        remembering.root.remember(&store.symbols);
        let root = &remembering.root;
        let parts: Vec<Vec<Row>> = rows
            .par_chunks(CHUNK)
            .map(|chunk| chunk.iter().copied().filter(|row| root.test(store, *row) == Truth::Yes).collect())
            .collect();
        parts.concat()
    }
}

impl EvalNode {
    /// The same node without cached results.
    fn bare(&self) -> Self {
        match self {
            Self::And(parts) => Self::And(parts.iter().map(Self::bare).collect()),
            Self::Or(parts) => Self::Or(parts.iter().map(Self::bare).collect()),
            Self::Not(part) => Self::Not(Box::new(part.bare())),
            Self::Text { tested, patterns, or_absent, negated, .. } => Self::Text {
                tested: *tested,
                patterns: patterns.clone(),
                or_absent: *or_absent,
                negated: *negated,
                memo: MatchCache::default(),
            },
            Self::Anywhere { pattern, in_uuids, .. } => {
                Self::Anywhere { pattern: pattern.clone(), in_uuids: in_uuids.clone(), memo: MatchCache::default() }
            }
            Self::Other(predicate) => Self::Other(predicate.clone()),
        }
    }
}
