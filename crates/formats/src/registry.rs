//! All formats: those of text, and the dialects of JSON, each recognised record by record.

use crate::format::{Format, FormatError, compile};
use crate::scan::{Needs, first_bytes};
use crosstail_core::number::saturating_usize;
use crosstail_core::schema::{Assembler, Schema};
use regex::bytes::Regex;
use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::sync::{Arc, OnceLock};

/// The patterns that `%{NAME}` stands for.
const GROK: &str = include_str!("../../../config/formats/grok.toml");

include!(concat!(env!("OUT_DIR"), "/formats.rs"));

/// A JSON dialect: a schema, and the conditions that its records meet.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The schema as it is for any store.
    pub(crate) base: Schema,
    /// The schema as it is for logs, made when the first record is of this dialect: few of all are.
    made: OnceLock<Schema>,
    /// The conditions of all dialects, each with its bit.
    conditions: Arc<[Condition]>,
    /// Bits of the paths that must all be there, of those of which one must, and of the texts that must be equal.
    all: u128,
    any: u128,
    equal: u128,
    /// How many conditions there are; the dialect with the most that a record meets is its own.
    weight: u32,
}

/// A path, and perhaps a text at it.
type Condition = (String, Option<String>);

impl Dialect {
    pub(crate) fn schema(&self) -> &Schema {
        self.made.get_or_init(|| {
            let mut schema = self.base.clone().for_logs();
            for (index, (path, text)) in self.conditions.iter().enumerate().take(128) {
                schema.mark(path, text.as_deref(), 1 << index);
            }
            schema
        })
    }
}

/// What a user adds.
#[derive(Debug, Clone, Default)]
struct Own {
    /// Origin and TOML of each format.
    formats: Vec<(String, String)>,
    dialects: Vec<Schema>,
}

/// Lines up to this length are told from patterns by the bytes that they have.
const DECISIVE: usize = 1024;

static OWN: OnceLock<Own> = OnceLock::new();

/// The formats of text, compiled.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) formats: Vec<Format>,
    /// All patterns in order of precedence: of each its format, and its number there.
    pub(crate) owners: Vec<(usize, usize)>,
    /// For each byte the patterns of lines that may begin with it, in order.
    by_byte: Vec<Vec<usize>>,
    /// For each pattern what a line must have.
    needs: Vec<Needs>,
    /// Lines that continue a record though they begin like one: in any stream, and in records of `whole` formats.
    pub(crate) continues: Vec<Regex>,
    pub(crate) continues_whole: Vec<Regex>,
    /// Lines of the head of a record, in which no line begins another.
    pub(crate) heads: Option<Regex>,
}

/// All formats.
#[derive(Debug)]
pub struct Formats {
    /// Compiled for the first line that is not JSON: that takes some 50 ms.
    texts: OnceLock<Texts>,
    pub(crate) dialects: Vec<Dialect>,
    /// The dialect without conditions.
    pub(crate) plain: usize,
    decided: Decided,
}

/// Which dialect some conditions that records meet together tell: most records of a stream meet the same. Each place is
/// taken by the first that come to it.
type Decided = [OnceLock<(u128, usize)>; 64];

impl Texts {
    fn compile(own: &[(String, String)]) -> Result<Self, FormatError> {
        let vocabulary: BTreeMap<String, String> = toml::from_str(GROK)
            .map_err(|error| FormatError { origin: "grok".to_owned(), message: error.to_string() })?;
        let given = own.iter().map(|(origin, text)| (origin.as_str(), text.as_str()));
        let formats: Vec<Format> = given
            .chain(BUILT_IN.iter().copied())
            .map(|(origin, text)| Format::from_toml(text, &vocabulary, origin))
            .collect::<Result<_, _>>()?;
        let fail = |error: regex::Error| FormatError { origin: "formats".to_owned(), message: error.to_string() };
        let mut owners = Vec::new();
        let mut by_byte = vec![Vec::new(); 256];
        let mut needs = Vec::new();
        for (index, format) in formats.iter().enumerate() {
            for (number, first) in format.firsts.iter().enumerate() {
                let begins = first_bytes(first);
                for byte in (0..=u8::MAX).filter(|byte| begins.has(*byte)) {
                    by_byte[usize::from(byte)].push(owners.len());
                }
                needs.push(Needs::of(first));
                owners.push((index, number));
            }
        }
        let any = |sources: Vec<&String>| {
            let sources: Vec<String> = sources.into_iter().map(|source| format!("(?:{source})")).collect();
            (!sources.is_empty()).then(|| compile(&sources.join("|"), false)).transpose().map_err(fail)
        };
        // Most lines fail at their first bytes what begins a line. What may stand anywhere is by itself, so that a literal of
        // it is searched for, and not every byte looked at.
        let continuing = |whole: bool| {
            let all = formats.iter().filter(|format| format.whole == whole).flat_map(|format| &format.continues);
            let (begin, within): (Vec<_>, Vec<_>) = all.partition(|source| source.starts_with('^'));
            let each = within.into_iter().map(|source| compile(source, false).map_err(fail));
            any(begin)?.map(Ok).into_iter().chain(each).collect::<Result<Vec<Regex>, FormatError>>()
        };
        let (continues, continues_whole) = (continuing(false)?, continuing(true)?);
        let heads = any(formats.iter().filter_map(|format| format.head.as_ref()).collect())?;
        Ok(Self { formats, owners, by_byte, needs, continues, continues_whole, heads })
    }

    fn none() -> Self {
        let by_byte = vec![Vec::new(); 256];
        let (formats, owners, needs) = (Vec::new(), Vec::new(), Vec::new());
        Self { formats, owners, by_byte, needs, continues: Vec::new(), continues_whole: Vec::new(), heads: None }
    }

    /// The patterns that a first line fits, of those that `asked` names, in order of precedence.
    pub(crate) fn fitting<'t>(
        &'t self,
        line: &'t str,
        asked: impl Fn(usize) -> bool + 't,
    ) -> impl Iterator<Item = usize> + 't {
        let first = line.as_bytes().first();
        let possible = first.map_or(&[][..], |byte| &self.by_byte[usize::from(*byte)]);
        let mut present = None;
        possible.iter().copied().filter(move |index| {
            let (format, number) = self.owners[*index];
            asked(*index)
                && self.needs[*index].are_in(present.get_or_insert_with(|| bytes_in(line)))
                && self.formats[format].first(number).fits(line)
        })
    }

    /// Whether a line fits the first line of any format.
    pub(crate) fn is_known(&self, line: &str) -> bool {
        self.fitting(line, |_| true).next().is_some()
    }
}

/// The bytes that a line has, as far as it counts; a longer one may have all.
fn bytes_in(line: &str) -> [bool; 256] {
    let mut present = [line.len() > DECISIVE; 256];
    line.bytes().take(DECISIVE).for_each(|byte| present[usize::from(byte)] = true);
    present
}

impl Formats {
    /// The built-in formats and those of a user, each with its origin; a user's come first.
    ///
    /// # Errors
    /// If one of the user's formats cannot be used. So these are compiled at once.
    pub fn new(own: &[(String, String)], schemas: Vec<Schema>) -> Result<Self, FormatError> {
        let texts = if own.is_empty() { OnceLock::new() } else { OnceLock::from(Texts::compile(own)?) };
        let dialects = dialects(schemas);
        let plain = dialects.iter().position(|dialect| dialect.base.name == "json").unwrap_or(0);
        Ok(Self { texts, dialects, plain, decided: [const { OnceLock::new() }; 64] })
    }

    /// The formats of text, compiled when they are first needed. The built-in ones compile: a test reads their samples.
    pub(crate) fn text(&self) -> &Texts {
        self.texts.get_or_init(|| Texts::compile(&[]).unwrap_or_else(|_| Texts::none()))
    }

    /// The formats that crosstail comes with.
    pub fn built_in() -> Result<Arc<Self>, FormatError> {
        Self::new(&[], Schema::built_in()).map(Arc::new)
    }

    /// Adds a user's formats, each with its origin, and dialects. They count for what is opened after that; only the first
    /// call does anything.
    pub fn add_own(formats: Vec<(String, String)>, dialects: Vec<Schema>) {
        let _ = OWN.set(Own { formats, dialects });
    }

    /// All formats, a user's own ones included, compiled once.
    ///
    /// # Errors
    /// If one of the user's formats cannot be used; the error names its file.
    pub fn shared() -> Result<Arc<Self>, FormatError> {
        static SHARED: OnceLock<Result<Arc<Formats>, FormatError>> = OnceLock::new();
        let made = || {
            let Own { formats, dialects } = OWN.get().cloned().unwrap_or_default();
            // Of two dialects that a record fits equally well the first one counts.
            Self::new(&formats, dialects.into_iter().chain(Schema::built_in()).collect()).map(Arc::new)
        };
        SHARED.get_or_init(made).clone()
    }

    /// The formats of text.
    pub fn texts(&self) -> &[Format] {
        &self.text().formats
    }

    /// The dialect whose conditions a scanned record meets best.
    pub(crate) fn dialect_of(&self, record: &Assembler<'_>) -> usize {
        let marks = record.marks;
        let place = foldhash::fast::FixedState::default().hash_one(marks) % self.decided.len() as u64;
        let (known, dialect) = self.decided[saturating_usize(place)].get_or_init(|| (marks, self.decide(marks)));
        if *known == marks { *dialect } else { self.decide(marks) }
    }

    fn decide(&self, marks: u128) -> usize {
        let mut best = (0, self.plain);
        for (index, dialect) in self.dialects.iter().enumerate() {
            let needed = dialect.all | dialect.equal;
            let fits = (needed | dialect.any) != 0
                && marks & needed == needed
                && (dialect.any == 0 || marks & dialect.any != 0);
            if fits {
                let weight = dialect.weight + (marks & dialect.any).count_ones();
                if weight > best.0 {
                    best = (weight, index);
                }
            }
        }
        best.1
    }

    /// A schema that somebody chose, for all records of JSON.
    pub(crate) fn chosen(schema: Schema) -> Dialect {
        let (made, conditions) = (OnceLock::new(), Arc::from([]));
        Dialect { base: schema, made, conditions, all: 0, any: 0, equal: 0, weight: 0 }
    }
}

/// The schemas as dialects. Every tree gets the marks of all conditions when it is made, so that one scan by any tree tells
/// the dialect.
fn dialects(schemas: Vec<Schema>) -> Vec<Dialect> {
    let mut bits: Vec<Condition> = Vec::new();
    let mut bit = |path: &str, text: Option<&str>| {
        let key = (path.to_owned(), text.map(str::to_owned));
        let index = bits.iter().position(|known| *known == key).unwrap_or_else(|| {
            bits.push(key);
            bits.len() - 1
        });
        1u128.checked_shl(u32::try_from(index).unwrap_or(128)).unwrap_or(0)
    };
    let mut found: Vec<Dialect> = schemas
        .into_iter()
        .map(|schema| {
            let expect = schema.recognition();
            let all = expect.all.iter().map(|path| bit(path, None)).fold(0, |a, b| a | b);
            let any = expect.any.iter().map(|path| bit(path, None)).fold(0, |a, b| a | b);
            let equal = expect.equals.iter().map(|(path, text)| bit(path, Some(text))).fold(0, |a, b| a | b);
            let weight = u32::try_from(expect.all.len() + 3 * expect.equals.len()).unwrap_or(u32::MAX);
            Dialect { base: schema, made: OnceLock::new(), conditions: Arc::from([]), all, any, equal, weight }
        })
        .collect();
    debug_assert!(bits.len() <= 128, "{} conditions do not fit into 128 bits", bits.len());
    let conditions: Arc<[Condition]> = bits.into();
    for dialect in &mut found {
        dialect.conditions = Arc::clone(&conditions);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_formats_compile() {
        let texts = Texts::compile(&[]).expect("formats");
        assert!(texts.formats.len() > 30 && texts.owners.len() >= texts.formats.len());
        let patterns =
            || texts.owners.iter().map(|(format, number)| (format, &texts.formats[*format].patterns[*number]));
        let slow: Vec<_> = patterns()
            .filter(|(_, pattern)| !pattern.matcher.is_scanner())
            .map(|(format, _)| &texts.formats[*format].name)
            .collect();
        // More than half of the patterns are read in one pass.
        assert!(slow.len() * 2 < texts.owners.len(), "{} of {}: {slow:?}", slow.len(), texts.owners.len());
    }
}
