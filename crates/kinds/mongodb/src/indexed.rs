//! Conditions that an index answers. Each keeps at least what its clause keeps, whatever types and spellings documents
//! have: so a text is looked for by the spellings of its first letters, a beginning as a range. What the filter really
//! keeps is evaluated afterwards, by expressions and locally.

use super::mapping::{Mapping, any_of, parse_key, values};
use super::operators::date;
use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use crosstail_core::filter::{Comparator, Field, GlobPiece, Interval, Matcher, Operand, Pattern, Predicate, TimeRange};
use crosstail_core::model::{Direction, Kind, Level, Status};
use crosstail_core::schema::Target as Column;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// Spellings of the beginning of one text, at most; of all texts of a list, at most.
const SPELLINGS: usize = 32;
const LISTED: usize = 2000;

/// The conditions of a predicate's clauses.
pub(super) fn conditions(mapping: &Mapping, predicate: &Predicate) -> Vec<Document> {
    match predicate {
        _ if mapping.is_local => Vec::new(),
        Predicate::And(parts) => parts.iter().filter_map(|part| superset(mapping, part)).collect(),
        other => superset(mapping, other).into_iter().collect(),
    }
}

/// Whether a condition compares texts, which a collation decides about. No condition has a range of texts.
pub(super) fn has_texts(condition: &Document) -> bool {
    condition.iter().any(|(key, value)| match value {
        Bson::Array(list) if key == "$in" => {
            list.iter().any(|one| matches!(one, Bson::String(_) | Bson::Document(_) | Bson::Array(_)))
        }
        Bson::Array(list) => list.iter().filter_map(Bson::as_document).any(has_texts),
        Bson::Document(inner) => has_texts(inner),
        _ => false,
    })
}

fn any(mut parts: Vec<Document>) -> Document {
    match parts.len() {
        // Nothing fits: no document has an `_id` of an empty list.
        0 => doc! { "_id": { "$in": [] } },
        1 => parts.swap_remove(0),
        _ => doc! { "$or": parts },
    }
}

fn superset(mapping: &Mapping, predicate: &Predicate) -> Option<Document> {
    match predicate {
        Predicate::And(parts) => {
            let found: Vec<Document> = parts.iter().filter_map(|part| superset(mapping, part)).collect();
            (!found.is_empty()).then(|| doc! { "$and": found })
        }
        Predicate::Or(parts) => parts.iter().map(|part| superset(mapping, part)).collect::<Option<_>>().map(any),
        Predicate::Compare(leaf) => compared(mapping, leaf),
        Predicate::All | Predicate::Not(_) | Predicate::FreeText(_) => None,
    }
}

fn compared(mapping: &Mapping, leaf: &Comparator) -> Option<Document> {
    let Operand::Field(field) = leaf.target else { return None };
    // Rules look at several fields of a record.
    if leaf.or_absent || (mapping.schema.has_rules() && !matches!(field, Field::Request | Field::Correlation)) {
        return None;
    }
    match &leaf.test {
        Matcher::Word(mask) => {
            let words = field.words();
            // What is not one of some words is one of the others.
            let wanted = |index: usize| (mask & (1 << index) != 0) != leaf.negated;
            let picked: Vec<&str> =
                words.iter().enumerate().filter(|(index, _)| wanted(*index)).map(|(_, word)| *word).collect();
            worded(mapping, field, &picked)
        }
        _ if leaf.negated => None,
        Matcher::Text(patterns) => {
            let spellings = (LISTED / patterns.len().max(1)).clamp(1, SPELLINGS);
            let each = patterns.iter().map(|pattern| text(mapping, field, pattern, spellings));
            each.collect::<Option<Vec<_>>>().map(any)
        }
        Matcher::Number(list) => {
            let [path] = mapping.paths(Column::of(field)?)[..] else { return None };
            let slack = match field {
                Field::Http | Field::Attempt | Field::MaxAttempts => 1.0,
                Field::Cpu | Field::Memory => 0.0,
                // A duration may follow from the end.
                _ => return None,
            };
            Some(any(list.iter().map(|interval| number(path, interval, slack)).collect()))
        }
        Matcher::Time(list) if field == Field::NextRetry => {
            let [path] = mapping.paths(Column::NextRetryAt)[..] else { return None };
            Some(any(list.iter().map(|range| time(path, range)).collect()))
        }
        Matcher::Time(_) | Matcher::Present | Matcher::Json(_) => None,
    }
}

/// A number in an interval; a text may hold one, too.
fn number(path: &str, interval: &Interval, slack: f64) -> Document {
    let mut range = Document::new();
    if interval.low.is_finite() {
        range.insert("$gte", interval.low - slack);
    }
    if interval.high.is_finite() {
        range.insert("$lte", interval.high + slack);
    }
    if range.is_empty() {
        range.insert("$type", "number");
    }
    doc! { "$or": [{ path: range }, { path: { "$type": "string" } }] }
}

/// A date in a range; a text or a number may hold one, too.
fn time(path: &str, range: &TimeRange) -> Document {
    let mut bounds = Document::new();
    bounds.extend(range.start.map(|at| doc! { "$gte": date(at) }).unwrap_or_default());
    bounds.extend(range.end.map(|at| doc! { "$lt": date(at) }).unwrap_or_default());
    if bounds.is_empty() {
        bounds.insert("$type", "date");
    }
    doc! { "$or": [{ path: bounds }, { path: { "$type": ["string", "number", "timestamp"] } }] }
}

/// A text of a field that is read from its paths alone.
fn text(mapping: &Mapping, field: Field, pattern: &Pattern, spellings: usize) -> Option<Document> {
    let definition = mapping.schema.definition();
    let targets: &[Column] = match field {
        Field::Request => &[Column::RequestId],
        Field::Correlation => &[Column::CorrelationId],
        Field::Parent => &[Column::ParentRequestId],
        Field::Id => return identity(mapping, pattern, spellings),
        Field::System => {
            let default = definition.defaults.get("system").is_some_and(|default| pattern.test(default));
            if definition.system_from_url || default {
                return None;
            }
            &[Column::System, Column::Service, Column::Logger]
        }
        Field::Method => &[Column::Method],
        Field::ErrorType => &[Column::ErrorType],
        Field::Operation => &[Column::Operation],
        Field::Actor => &[Column::Actor],
        Field::Organization => &[Column::Organization],
        _ => return None,
    };
    let wanted = Wanted::of(pattern)?;
    let paths = targets.iter().flat_map(|target| mapping.paths(*target));
    Some(any(paths.flat_map(|path| wanted.at(path, spellings)).collect()))
}

/// The identity: a field of the document, else its key with the names of source and collection before it.
fn identity(mapping: &Mapping, pattern: &Pattern, spellings: usize) -> Option<Document> {
    let wanted = Wanted::of(pattern)?;
    // A document without an identity of its own is found by its key.
    if mapping.paths(Column::Id).is_empty()
        && let Some(key) = mapping.own_key(&wanted.text).filter(|_| wanted.whole && wanted.exact)
    {
        let keys: Vec<Bson> = parse_key(key).into_iter().chain(values(key)).collect();
        return Some(any_of("_id", keys));
    }
    let prefix = mapping.prefix().to_lowercase();
    let text = wanted.text.to_lowercase();
    if prefix.starts_with(&text) || text.starts_with(&prefix) {
        return None;
    }
    let paths = if mapping.is_unique { mapping.paths(Column::Id) } else { Vec::new() };
    Some(any(paths.into_iter().flat_map(|path| wanted.at(path, spellings)).collect()))
}

/// One of crosstail's words.
fn worded(mapping: &Mapping, field: Field, picked: &[&str]) -> Option<Document> {
    let definition = mapping.schema.definition();
    let fallback = |key: &str| definition.defaults.get(key).cloned();
    let of = |target: Column, key: &str, known: Vec<(String, String)>, picked: &[&str]| -> Option<Document> {
        let paths = mapping.paths(target);
        let listed = definition.words_of(key).map(|(word, ours)| (word.to_owned(), ours.to_owned()));
        let words: Vec<String> = listed
            .chain(known)
            .filter(|(_, ours)| picked.contains(&ours.as_str()))
            .map(|(word, _)| word.to_lowercase())
            .collect();
        let spellings = (LISTED / words.len().max(1)).clamp(1, SPELLINGS);
        let one =
            |path: &str, word: &String| Wanted { text: word.clone(), whole: true, exact: false }.at(path, spellings);
        let parts = paths.iter().flat_map(|path| words.iter().flat_map(|word| one(path, word))).collect();
        (!paths.is_empty()).then(|| any(parts))
    };
    let own = |all: &[&str]| -> Vec<(String, String)> {
        all.iter().map(|word| ((*word).to_owned(), (*word).to_owned())).collect()
    };
    let status = |picked: &[&str]| -> Option<Document> {
        if !mapping.schema.names_status() {
            return None;
        }
        let all: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        let mut parts = vec![of(Column::Status, "status", own(&all), picked)?];
        if picked.contains(&"failed") && !definition.http_errors_may_succeed {
            let bad = Interval { low: 400.0, low_in: true, high: 1000.0, high_in: false };
            parts.extend(mapping.paths(Column::HttpStatus).into_iter().map(|path| number(path, &bad, 1.0)));
        }
        Some(any(parts))
    };
    let level = |picked: &[&str]| -> Option<Document> {
        if fallback("level").is_some() {
            return None;
        }
        if mapping.paths(Column::Level).is_empty() {
            return Some(any(Vec::new()));
        }
        let all: Vec<&str> = Level::ALL.iter().map(|level| level.as_str()).collect();
        let aliases = Level::ALIASES.iter().map(|(word, level)| ((*word).to_owned(), level.to_string()));
        of(Column::Level, "level", own(&all).into_iter().chain(aliases).collect(), picked)
    };
    match field {
        Field::Status => status(picked),
        Field::Level => level(picked),
        Field::Is if picked == ["failure"] => {
            Some(any(vec![status(&["failed", "timeout"])?, level(&["error", "fatal"])?]))
        }
        Field::Is if picked == ["pending"] => status(&["in_progress"]),
        Field::Kind => {
            let default = fallback("kind").and_then(|word| Kind::parse(&word));
            let known = default.map_or(vec!["other", "log"], |kind| vec![kind.as_str()]);
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            let is_derived = known.iter().any(|word| picked.contains(word));
            (!is_derived).then(|| of(Column::Kind, "kind", own(&all), picked))?
        }
        Field::Direction => {
            let default = fallback("direction").and_then(|word| Direction::parse_any(&word));
            let all: Vec<&str> = Direction::ALL.iter().map(|way| way.as_str()).collect();
            let aliases = Direction::ALIASES.iter().map(|(word, way)| ((*word).to_owned(), way.to_string()));
            let is_derived = picked.contains(&default.unwrap_or(Direction::Internal).as_str());
            (!is_derived)
                .then(|| of(Column::Direction, "direction", own(&all).into_iter().chain(aliases).collect(), picked))?
        }
        _ => None,
    }
}

/// A text that a value has, or begins with.
struct Wanted {
    text: String,
    whole: bool,
    /// Whether case counts.
    exact: bool,
}

impl Wanted {
    fn of(pattern: &Pattern) -> Option<Self> {
        let wanted = match pattern {
            Pattern::Exact(text) => Some(Self { text: text.clone(), whole: true, exact: true }),
            Pattern::Glob(_, pieces) => match pieces.as_slice() {
                [GlobPiece::Text(text)] => Some(Self { text: text.clone(), whole: true, exact: false }),
                [GlobPiece::Text(text), ..] => Some(Self { text: text.clone(), whole: false, exact: false }),
                _ => None,
            },
            _ => None,
        };
        // A regular expression of the server cannot have a NUL.
        wanted.filter(|wanted| !wanted.text.contains('\0'))
    }

    /// The values at a path that are read as the text.
    fn at(&self, path: &str, spellings: usize) -> Vec<Document> {
        let mut values: Vec<Bson> = Vec::new();
        let mut parts: Vec<Document> = Vec::new();
        if self.exact {
            values.push(Bson::String(self.text.clone()));
        } else {
            let regex = |pattern: String| {
                let (pattern, options) = (pattern.try_into().ok()?, String::new().try_into().ok()?);
                Some(Bson::RegularExpression(bson::Regex { pattern, options }))
            };
            let beginnings = spelt(&self.text, spellings);
            values.extend(beginnings.into_iter().filter_map(|text| regex(format!("^{}", regex::escape(&text)))));
        }
        let text = self.text.to_lowercase();
        let fits = |word: &str| if self.whole { word == text } else { word.starts_with(&text) };
        values.extend([true, false].into_iter().filter(|b| fits(&b.to_string())).map(Bson::Boolean));
        let first = text.chars().next().unwrap_or('0');
        if first.is_ascii_digit() || first == '-' {
            parts.extend(numbers(path, &text, self.whole));
            parts.push(doc! { path: { "$type": ["date", "timestamp"] } });
        } else if matches!(first, 'i' | 'n') {
            values.extend([f64::NAN, f64::INFINITY].map(Bson::Double));
        }
        parts.extend(bytes(path, &text));
        if !values.is_empty() {
            parts.push(doc! { path: { "$in": values } });
        }
        parts
    }
}

/// The spellings of the beginning of a text, as far as they are at most so many. A letter has two cases, and some have
/// a third (the Kelvin sign is a `K`).
fn spelt(text: &str, most: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    for c in text.chars() {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        if class.try_case_fold_simple().is_err() {
            break;
        }
        let cases: Vec<char> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
        if all.len() * cases.len() > most {
            break;
        }
        all = all.iter().flat_map(|before| cases.iter().map(move |case| format!("{before}{case}"))).collect();
    }
    all
}

/// Numbers whose text is, or begins with, some digits.
fn numbers(path: &str, text: &str, whole: bool) -> Vec<Document> {
    let Ok(n) = text.parse::<i64>() else { return vec![doc! { path: { "$type": "number" } }] };
    if n.to_string() != text {
        return vec![doc! { path: { "$type": "number" } }];
    }
    if whole {
        return vec![doc! { path: n }];
    }
    let mut ranges = Vec::new();
    let (mut low, mut width) = (n as f64, 1.0);
    while low.abs() < 1e19 && (n != 0 || width < 2.0) {
        ranges.push(if n < 0 {
            doc! { path: { "$gt": low - width, "$lte": low } }
        } else {
            doc! { path: { "$gte": low, "$lt": low + width } }
        });
        low *= 10.0;
        width *= 10.0;
    }
    // Fractions of 0, and numbers that no integer has.
    ranges.push(doc! { path: { "$gte": 1e19 } });
    ranges.push(doc! { path: { "$lte": -1e19 } });
    if n == 0 {
        ranges.push(doc! { path: { "$gt": -1.0, "$lt": 1.0 } });
    }
    ranges
}

/// Object ids and bytes whose digits are, or begin with, a text.
fn bytes(path: &str, text: &str) -> Vec<Document> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Vec::new();
    }
    let padded = |length: usize, with: char| -> Option<Vec<u8>> {
        let text: String = digits.chars().chain(std::iter::repeat(with)).take(length * 2).collect();
        (digits.len() <= length * 2).then(|| {
            let pairs = text.as_bytes().chunks(2);
            pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
        })
    };
    let mut parts = Vec::new();
    if let (Some(low), Some(high)) = (padded(12, '0'), padded(12, 'f'))
        && let (Ok(low), Ok(high)) = (<[u8; 12]>::try_from(low), <[u8; 12]>::try_from(high))
    {
        parts.push(doc! { path: { "$gte": ObjectId::from_bytes(low), "$lte": ObjectId::from_bytes(high) } });
    }
    let uuid = |subtype: BinarySubtype, bytes: Vec<u8>| Binary { subtype, bytes };
    let kinds = [BinarySubtype::UuidOld, BinarySubtype::Uuid];
    if let (Some(low), Some(high)) = (padded(16, '0'), padded(16, 'f')) {
        for kind in kinds {
            parts.push(doc! { path: { "$gte": uuid(kind, low.clone()), "$lte": uuid(kind, high.clone()) } });
        }
    }
    // Bytes are in the order of their length, their kind, their values. What is no UUID is left to the evaluator.
    parts.push(doc! { path: { "$lt": uuid(kinds[0], vec![0; 16]) } });
    parts.push(doc! { path: { "$gt": uuid(kinds[1], vec![0xff; 16]) } });
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_spelt_in_every_case_that_rust_knows() {
        assert_eq!(spelt("a1", 32), ["A1", "a1"]);
        assert_eq!(spelt("k", 32), ["K", "k", "\u{212a}"]);
        assert_eq!(spelt("abcdefgh", 8).len(), 8, "three letters");
        assert_eq!(spelt("4711-00", 1), ["4711-00"]);
    }

    #[test]
    fn only_whole_texts_have_a_collation() {
        let wanted = |exact| Wanted { text: "sap".to_owned(), whole: true, exact };
        assert!(has_texts(&any(wanted(true).at("s", 32))));
        assert!(!has_texts(&any(wanted(false).at("s", 32))));
        assert!(!has_texts(&doc! { "$or": [{ "n": { "$gte": 1 } }, { "n": { "$type": ["string", "date"] } }] }));
    }

    #[test]
    fn digits_begin_numbers_of_any_length() {
        let within = |document: &Document, n: f64| {
            let range = document.get_document("p").expect("a range");
            let bound = |name: &str| range.get_f64(name).ok();
            bound("$gte").is_none_or(|low| n >= low)
                && bound("$gt").is_none_or(|low| n > low)
                && bound("$lt").is_none_or(|high| n < high)
                && bound("$lte").is_none_or(|high| n <= high)
        };
        let fits = |text: &str, n: f64| numbers("p", text, false).iter().any(|range| within(range, n));
        for n in [47.0, 471.0, 4711.5, 479_999.0] {
            assert!(fits("47", n), "{n}");
        }
        for n in [46.9, 48.0, 480.0, 4.7] {
            assert!(!fits("47", n), "{n}");
        }
        assert!(fits("-4", -47.5) && !fits("-4", 47.5) && fits("0", 0.25) && !fits("0", 5.0));
    }
}
