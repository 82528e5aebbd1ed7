//! Evaluates the predicates of the filter language over columns; each distinct text is tested once.

use super::anywhere::Anywhere;
use super::held_by::HeldBy;
use super::match_cache::MatchCache;
use super::pack::Text;
use super::symbols::Symbol;
use super::{Row, Store, is_same};
use crosstail_core::filter::{
    Field, Matcher, Operand, Pattern, Predicate, Record, Truth, combine, of_pattern, outcome,
};
use crosstail_core::model::{FinalOutcome, Payload, Timestamp};
use rayon::prelude::*;

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
            Field::Id => return Some(segment.id(at, symbols).with_text(test)),
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
            same if is_same(same) => Some(segment.id(at, symbols).with_text(test)),
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
    Anywhere(Anywhere),
    HeldBy { by: HeldBy, negated: bool },
    Other(Predicate),
}

impl EvalNode {
    fn new(predicate: Predicate) -> Self {
        match predicate {
            Predicate::And(parts) => Self::And(parts.into_iter().map(Self::new).collect()),
            Predicate::Or(parts) => Self::Or(parts.into_iter().map(Self::new).collect()),
            Predicate::Not(part) => Self::Not(Box::new(Self::new(*part))),
            Predicate::FreeText(pattern) => Self::Anywhere(Anywhere::new(pattern)),
            Predicate::Compare(leaf) => {
                if let (Operand::Field(Field::Source), Matcher::Text(patterns)) = (&leaf.target, &leaf.test) {
                    return Self::HeldBy { by: HeldBy::new(patterns.clone()), negated: leaf.negated };
                }
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

    /// What it costs to test a row: texts are dearer than columns of numbers, and masking them is dearest.
    fn cost(&self) -> Cost {
        match self {
            Self::Other(_) | Self::HeldBy { .. } => Cost::Column,
            Self::Text { tested: Tested::Said, .. } => Cost::Masking,
            Self::Text { .. } | Self::Anywhere(_) => Cost::Text,
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::cost).max().unwrap_or(Cost::Column),
            Self::Not(part) => part.cost(),
        }
    }

    /// Gets ready to test so many rows: remembers the results of texts. Where the rows are many beside the texts, literals are
    /// looked for in all texts at once.
    fn prepare(&mut self, store: &Store, rows: usize) {
        let is_worth_all = rows >= store.symbols.len() / 8;
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(|part| part.prepare(store, rows)),
            Self::Not(part) => part.prepare(store, rows),
            Self::Text { memo, tested: Tested::Column(_), patterns, .. } if is_worth_all => {
                *memo = MatchCache::of_all(&store.symbols, patterns);
            }
            Self::Text { memo, .. } => *memo = MatchCache::for_texts(store.symbols.len()),
            Self::Anywhere(search) if is_worth_all => search.search(store),
            Self::Anywhere(search) => search.prepare(store),
            Self::HeldBy { by, .. } => by.prepare(),
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
                symbol => memo.ask(symbol.0, || tested.test(store.symbols.get(symbol), patterns)) != *negated,
            }),
            Self::Anywhere(search) => Truth::of(search.test(store, row)),
            Self::HeldBy { by, negated } => Truth::of(by.test(store, row) != *negated),
            Self::Other(predicate) => predicate.test(&RowRecord::new(store, row)),
        }
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
    ///
    /// The parts of an AND are tested one after the other, each on the rows that the ones before it left: first columns,
    /// then texts, of these first the one that keeps the fewest.
    pub(super) fn select(&self, store: &Store, rows: &[Row]) -> Vec<Row> {
        let mut parts: Vec<EvalNode> = match &self.root {
            EvalNode::And(parts) => parts.iter().map(EvalNode::bare).collect(),
            one => vec![one.bare()],
        };
        if parts.iter().filter(|part| part.cost() == Cost::Text).count() > 1 {
            parts.sort_by_cached_key(|part| (part.cost(), part.kept_of_sample(store, rows)));
        } else {
            parts.sort_by_key(EvalNode::cost);
        }
        let mut left: Option<Vec<Row>> = None;
        for step in parts.chunk_by_mut(|a, b| (a.cost(), b.cost()) == (Cost::Column, Cost::Column)) {
            let rows = left.as_deref().unwrap_or(rows);
            for part in &mut *step {
                part.prepare(store, rows.len());
            }
            let keeps = |row: &Row| step.iter().all(|part| part.test(store, *row) == Truth::Yes);
            let kept: Vec<Vec<Row>> =
                rows.par_chunks(CHUNK).map(|chunk| chunk.iter().copied().filter(keeps).collect()).collect();
            left = Some(kept.concat());
        }
        left.unwrap_or_else(|| rows.to_vec())
    }
}

/// Rows that a thread tests at once.
const CHUNK: usize = 1 << 14;
/// Rows that tell how many of all a part keeps.
const SAMPLE: usize = 256;

/// What testing a row costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Column,
    Text,
    Masking,
}

impl EvalNode {
    /// How many of some rows it keeps, which are spread evenly; not known of what is dear to test.
    fn kept_of_sample(&self, store: &Store, rows: &[Row]) -> usize {
        if self.cost() == Cost::Masking {
            return 0;
        }
        let step = (rows.len() / SAMPLE).max(1);
        rows.iter().step_by(step).filter(|row| self.test(store, **row) == Truth::Yes).count()
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
            Self::Anywhere(search) => Self::Anywhere(search.bare()),
            Self::HeldBy { by, negated } => Self::HeldBy { by: by.bare(), negated: *negated },
            Self::Other(predicate) => Self::Other(predicate.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::filter::{Context, Filter, NamedRecord};
    use crosstail_core::model::{Activity, Id, Locator, NameId, Names, Place, SourceId, Status};
    use fastrand::Rng;

    const WORDS: [&str; 6] = ["order", "Order 4711", "ſap", "refused", "a1b2", "über"];
    const CLAUSES: [&str; 22] = [
        "order",
        "4711",
        "\"order 4711\"",
        "sap",
        "a1",
        "b2c",
        "00.1",
        "-order",
        "/o.*1/",
        "ref*",
        "message:order",
        "message:(sap, refused)",
        "-message:order",
        "message~/^o/",
        "system:sap",
        "system:*",
        "tags:a1b2",
        "id:a1b2",
        "request:a1b2",
        "source:file",
        "-source:db",
        "status:failed",
    ];

    fn activity(rng: &mut Rng, names: &Names, number: u64) -> Activity {
        let id = match rng.u8(0..3) {
            0 => Id::Uuid(rng.u128(..)),
            1 => Id::Line { file: rng.u64(..), offset: number },
            _ => Id::Text(format!("a1b2-{number}").into()),
        };
        let mut made = Activity::new(id, Timestamp(number.cast_signed() * 1000));
        let word = |rng: &mut Rng| rng.bool().then(|| WORDS[rng.usize(0..WORDS.len())].into());
        made.system = word(rng);
        made.error = word(rng);
        made.correlation_id = word(rng);
        made.tags = rng.bool().then(|| format!("{}, a1b2", WORDS[rng.usize(0..WORDS.len())]).into());
        made.request_id = match rng.u8(0..3) {
            0 => Some(made.id.clone()),
            1 => Some(Id::parse("a1b2c3")),
            _ => None,
        };
        // More texts in a segment than one byte counts.
        made.message = Some(format!("{} {}", WORDS[rng.usize(0..WORDS.len())], rng.u32(..)).into());
        made.status = rng.bool().then_some(Status::Failed);
        let locator = match rng.u8(0..3) {
            0 => Locator::Line { file: names.place("a file"), offset: number, length: 7 },
            1 => Locator::Line { file: NameId(1 << 20), offset: number, length: 7 },
            _ => Locator::Key(format!("k{number}").into()),
        };
        made.places = vec![Place::new(SourceId(0), locator)];
        if rng.u8(0..4) == 0 {
            made.places.push(Place::new(SourceId(1), Locator::Row(1)));
        }
        made
    }

    #[test]
    fn columns_keep_what_the_definition_keeps() {
        let mut rng = Rng::with_seed(11);
        let names = Names::default();
        for source in ["db", "file"] {
            names.add_source(source);
        }
        let all: Vec<Activity> = (0..20_000).map(|number| activity(&mut rng, &names, number)).collect();
        let mut store = Store::new(names.clone());
        store.ingest(all[..15_000].to_vec());
        let mut kept_any = 0;
        for round in 0..60 {
            let count = rng.usize(1..4);
            let clauses: Vec<&str> = (0..count).map(|_| CLAUSES[rng.usize(0..CLAUSES.len())]).collect();
            let text = clauses.join(if rng.u8(0..3) == 0 { " OR " } else { " " });
            let filter = Filter::parse(&text).expect(&text);
            let predicate = filter.predicate(&Context::default());
            let keeps = |row: &Row| {
                let activity = store.get(*row);
                predicate.keeps(&NamedRecord { activity: &activity, names: &names, payload: None })
            };
            // All rows, and so few that texts are tested one by one.
            for rows in [store.all_rows(), &store.all_rows()[..300]] {
                let expected: Vec<Row> = rows.iter().copied().filter(keeps).collect();
                assert_eq!(store.matching(rows, predicate.clone()), expected, "{round}: {text}");
                kept_any += usize::from(!expected.is_empty() && expected.len() < rows.len());
            }
            // What arrives afterwards is tested by itself.
            store.set_filter(predicate.clone());
            if round == 30 {
                store.ingest(all[15_000..].to_vec());
                let rows = store.rows().to_vec();
                assert_eq!(store.matching(store.all_rows(), predicate), rows, "{text}");
            }
        }
        assert!(kept_any > 40, "{kept_any}");
    }
}
