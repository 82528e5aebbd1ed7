//! Translates a predicate to a query. A clause becomes a query that keeps a superset, or is left out. The results are
//! evaluated again locally, because a document's index and its source may differ (arrays, numbers as text, analysers).
//! So a negated clause is only evaluated locally.

use super::clauses::{all, any, any_value, exists, ignored, left_out, nothing};
use super::fields::Type;
use super::mapping::{Mapping, SLACK_MS};
use crosstail_core::filter::{
    Comparator, Field, GlobPiece, Interval, Matcher, Op, Operand, Pattern, Predicate, TimeRange,
};
use crosstail_core::model::{Direction, Kind, Level, Status};
use crosstail_core::number::truncated_i64;
use crosstail_core::schema::Target as Column;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use serde_json::{Value, json};

/// Elasticsearch refuses longer regular expressions (`index.max_regex_length`), in characters.
const LONGEST_REGEX: usize = 1000;

/// The clauses of a predicate that a query can express, and their number.
pub(super) fn condition(mapping: &Mapping, predicate: &Predicate) -> (Vec<Value>, usize) {
    let clauses: &[Predicate] = match predicate {
        Predicate::All => &[],
        Predicate::And(parts) => parts,
        other => std::slice::from_ref(other),
    };
    // A record that is part of an activity has only some of its fields: only the time bounds apply to each record.
    let found: Vec<Value> = clauses
        .iter()
        .filter(|clause| !mapping.schema.has_rules() || is_time(clause))
        .filter_map(|clause| superset(mapping, clause))
        .collect();
    let count = found.len();
    (found, count)
}

fn is_time(clause: &Predicate) -> bool {
    matches!(clause, Predicate::Compare(Comparator { target: Operand::Field(Field::Time), .. }))
}

/// A query that keeps a superset of what the predicate keeps.
fn superset(mapping: &Mapping, predicate: &Predicate) -> Option<Value> {
    match predicate {
        Predicate::All => Some(all(Vec::new())),
        Predicate::And(parts) => {
            let found: Vec<Value> = parts.iter().filter_map(|part| superset(mapping, part)).collect();
            (!found.is_empty()).then(|| all(found))
        }
        Predicate::Or(parts) => parts.iter().map(|part| superset(mapping, part)).collect::<Option<_>>().map(any),
        Predicate::Not(_) => None,
        Predicate::Compare(found) => leaf(mapping, found),
        Predicate::FreeText(pattern) => anywhere(mapping, pattern),
    }
}

fn leaf(mapping: &Mapping, leaf: &Comparator) -> Option<Value> {
    let Operand::Field(field) = leaf.target else { return None };
    if leaf.negated || leaf.or_absent {
        return None;
    }
    match &leaf.test {
        Matcher::Present => present(mapping, field),
        Matcher::Text(patterns) => {
            patterns.iter().map(|pattern| text(mapping, field, pattern)).collect::<Option<_>>().map(any)
        }
        Matcher::Number(list) => {
            let unit = match field {
                Field::Duration => Some(mapping.schema.definition().duration_unit.us()),
                _ => None,
            };
            // Where the duration is not recorded, it may be derived from the end.
            let derived = field == Field::Duration && !mapping.paths(Column::CompletedAt).is_empty();
            if derived {
                return None;
            }
            let paths = mapping.paths(Column::of(field)?);
            // The local evaluator truncates a status code or an attempt to an integer before it compares.
            let whole = matches!(field, Field::Http | Field::Attempt | Field::MaxAttempts);
            let parts = paths.iter().flat_map(|path| list.iter().map(|i| number(mapping, path, i, (unit, whole))));
            parts.collect::<Option<_>>().map(any)
        }
        Matcher::Time(list) => {
            if field == Field::Completed && !mapping.paths(Column::Duration).is_empty() {
                return None;
            }
            let paths = match field {
                Field::Time => vec![mapping.table.time.as_str()],
                field => mapping.paths(Column::of(field)?),
            };
            let parts = paths.iter().flat_map(|path| list.iter().map(|range| time(mapping, path, range)));
            parts.collect::<Option<_>>().map(any)
        }
        Matcher::Word(mask) => words(mapping, field, *mask),
        Matcher::Json(_) => None,
    }
}

/// The paths that may hold a field's value; `None` where the value may also be derived from something else.
fn sources(mapping: &Mapping, field: Field) -> Option<Vec<String>> {
    let definition = mapping.schema.definition();
    let own = |targets: &[Column]| -> Vec<String> {
        targets.iter().flat_map(|target| mapping.paths(*target)).map(str::to_owned).collect()
    };
    match field {
        Field::System => {
            let elsewhere = definition.system_from_url || definition.defaults.contains_key("system");
            (!elsewhere).then(|| own(&[Column::System, Column::Service]))
        }
        Field::Endpoint => mapping.paths(Column::Url).is_empty().then(|| own(&[Column::Endpoint])),
        Field::Entity => Some(own(&[Column::EntityType, Column::EntityId])),
        Field::Tags => Some(own(&[Column::Tags])),
        Field::Kind | Field::Direction | Field::Is | Field::Source | Field::Id | Field::Time => None,
        Field::Duration | Field::Completed => Some(own(&[Column::Duration, Column::CompletedAt])),
        field => Some(own(&[Column::of(field)?])),
    }
}

fn present(mapping: &Mapping, field: Field) -> Option<Value> {
    let paths = sources(mapping, field)?;
    // A field that is not indexed may still be in the source.
    let said = |path: &String| mapping.fields.get(path).is_some() || mapping.fields.is_absent(path);
    let one = |path: &String| if said(path) { any_value(mapping, path) } else { None };
    paths.iter().map(one).collect::<Option<_>>().map(any)
}

/// A pattern on the text of a field.
fn text(mapping: &Mapping, field: Field, pattern: &Pattern) -> Option<Value> {
    if field == Field::Id {
        return identity(mapping, pattern);
    }
    let paths = match (field, pattern) {
        // The text is joined from two parts: a piece without a blank is in one of them.
        (Field::Entity, Pattern::Contains(_, text)) if !text.contains(' ') => sources(mapping, field)?,
        (Field::Entity, _) => return None,
        _ => sources(mapping, field)?,
    };
    let wanted = TextMatch::of(pattern)?;
    let mut parts: Vec<Value> = paths.iter().map(|path| text_at(mapping, path, &wanted)).collect::<Option<_>>()?;
    if field == Field::Tags {
        // A tag with a comma is read as two.
        let several = TextMatch::Pieces(vec![GlobPiece::Any, GlobPiece::Text(", ".to_owned()), GlobPiece::Any]);
        parts.extend(paths.iter().filter_map(|path| text_at(mapping, path, &several)));
    }
    Some(any(parts))
}

/// A pattern on the identity: the key of a document where it has no identity of its own.
fn identity(mapping: &Mapping, pattern: &Pattern) -> Option<Value> {
    let wanted = TextMatch::of(pattern)?;
    let (absent, paths): (Vec<&str>, Vec<&str>) =
        mapping.paths(Column::Id).into_iter().partition(|path| mapping.fields.is_absent(path));
    if paths.is_empty() {
        return None;
    }
    let mut parts = paths.iter().map(|path| text_at(mapping, path, &wanted)).collect::<Option<Vec<_>>>()?;
    parts.extend(absent.iter().map(|path| ignored(mapping, path)));
    parts.push(json!({ "bool": { "must_not": paths.iter().map(|path| exists(path)).collect::<Vec<_>>() } }));
    Some(any(parts))
}

/// What a text must match.
enum TextMatch<'a> {
    Exact(&'a str),
    Order(Op, &'a str),
    Pieces(Vec<GlobPiece>),
}

impl<'a> TextMatch<'a> {
    fn of(pattern: &'a Pattern) -> Option<Self> {
        Some(match pattern {
            Pattern::Exact(text) => Self::Exact(text),
            Pattern::Order(op, text) => Self::Order(*op, text),
            other => Self::Pieces(other.pieces()?),
        })
    }
}

/// A text at a path: by full values where they are indexed, else by the words of the text.
fn text_at(mapping: &Mapping, path: &str, wanted: &TextMatch<'_>) -> Option<Value> {
    if mapping.fields.is_absent(path) {
        return Some(ignored(mapping, path));
    }
    let own = mapping.fields.get(path)?;
    if own.kind == Type::Text
        && let Some(query) = words_of(path, wanted)
    {
        return Some(any(vec![query, ignored(mapping, path)]));
    }
    let (name, keyword) = mapping.fields.keyword(path)?;
    let query = match wanted {
        TextMatch::Exact(text) => json!({ "term": { &name: { "value": text } } }),
        // Keywords are ordered by bytes, as in the local evaluator.
        TextMatch::Order(op, text) => json!({ "range": { &name: { bound(*op)?: text } } }),
        TextMatch::Pieces(pieces) => json!({ "regexp": { &name: { "value": regex(pieces)? } } }),
    };
    let mut parts = vec![query, left_out(mapping, path, &name)];
    if name == path && !keyword.complete {
        // Before Elasticsearch 7.14, a text that is too long is not noted.
        parts.push(json!({ "bool": { "must_not": [exists(&name)] } }));
    }
    Some(any(parts))
}

fn bound(op: Op) -> Option<&'static str> {
    Some(match op {
        Op::Greater => "gt",
        Op::GreaterEqual => "gte",
        Op::Less => "lt",
        Op::LessEqual => "lte",
        _ => return None,
    })
}

/// Full-text search for each word of a pattern. A word between blanks is a word of the text; one at an edge may be
/// part of a word.
fn words_of(path: &str, wanted: &TextMatch<'_>) -> Option<Value> {
    let texts: Vec<&str> = match wanted {
        TextMatch::Exact(text) => vec![text],
        TextMatch::Order(..) => return None,
        TextMatch::Pieces(pieces) => pieces
            .iter()
            .filter_map(|piece| if let GlobPiece::Text(text) = piece { Some(text.as_str()) } else { None })
            .collect(),
    };
    let mut queries = Vec::new();
    for text in texts {
        let mut at = 0;
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            let before = text[..at].chars().next_back();
            at += word.len();
            let after = text[at..].chars().next();
            at += after.map_or(0, char::len_utf8);
            if word.is_empty() {
                continue;
            }
            let whole = before == Some(' ') && after == Some(' ');
            let mut pieces = vec![GlobPiece::Text(word.to_owned())];
            if !whole {
                pieces.insert(0, GlobPiece::Any);
                pieces.push(GlobPiece::Any);
            }
            queries.push(json!({ "regexp": { path: { "value": regex(&pieces)? } } }));
        }
    }
    (!queries.is_empty()).then(|| all(queries))
}

/// A Lucene regular expression of the pieces that ignores case as Rust's `(?i)` does.
fn regex(pieces: &[GlobPiece]) -> Option<String> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            GlobPiece::Any => out.push_str(".*"),
            GlobPiece::Text(text) => {
                for c in text.chars() {
                    let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
                    class.try_case_fold_simple().ok()?;
                    let chars: Vec<char> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
                    match chars.as_slice() {
                        [one] if one.is_alphanumeric() => out.push(*one),
                        [one] => out.extend(['\\', *one]),
                        several => {
                            out.push('[');
                            out.extend(several);
                            out.push(']');
                        }
                    }
                }
            }
        }
    }
    (out.chars().count() <= LONGEST_REGEX).then_some(out)
}

/// An interval of numbers. Where the index truncates numbers to integers, the bounds are widened to integers.
fn number(mapping: &Mapping, path: &str, interval: &Interval, (unit, whole): (Option<f64>, bool)) -> Option<Value> {
    if mapping.fields.is_absent(path) {
        return Some(ignored(mapping, path));
    }
    let kind = mapping.fields.get(path)?.kind;
    // Durations are compared in integers of microseconds.
    let (unit, slack) = unit.map_or((1.0, 0.0), |unit| (unit, 0.5));
    let (low, high) = ((interval.low - slack) / unit, (interval.high + slack) / unit);
    let mut range = serde_json::Map::new();
    let mut limit = |name: &str, value: f64, toward: f64| {
        if value.is_finite() {
            let value = match kind {
                Type::Whole => json!(truncated_i64(value.trunc())),
                // A little more, against the rounding error of the division.
                _ => json!(value + toward * value.abs() * 1e-12),
            };
            range.insert(name.to_owned(), value);
        }
    };
    limit("gte", low, -1.0);
    limit("lte", high, 1.0);
    let within = match kind {
        Type::Whole | Type::Double if range.is_empty() => exists(path),
        Type::Whole => json!({ "range": { path: range } }),
        Type::Double if !whole => json!({ "range": { path: range } }),
        _ => return None,
    };
    // What is no number for the index may have one for us (`502 Bad Gateway`).
    Some(any(vec![within, ignored(mapping, path)]))
}

/// A time range on a date, which the index truncates to milliseconds.
fn time(mapping: &Mapping, path: &str, range: &TimeRange) -> Option<Value> {
    if mapping.fields.is_absent(path) {
        return Some(ignored(mapping, path));
    }
    (mapping.fields.get(path)?.kind == Type::Date).then(|| {
        let mut bounds = serde_json::Map::new();
        bounds.insert("format".to_owned(), json!("epoch_millis"));
        if let Some(start) = range.start {
            // The parts of one activity may disagree a little on its start.
            let slack = if mapping.schema.has_phases() { SLACK_MS } else { 0 };
            bounds.insert("gte".to_owned(), json!(start.0.div_euclid(1000) - slack));
        }
        if let Some(end) = range.end {
            // An activity starts before the time of its later parts, so only the lower bound applies to parts.
            if !mapping.schema.has_phases() {
                bounds.insert("lte".to_owned(), json!(end.0.div_euclid(1000)));
            }
        }
        // What is no date for the index may be one for us.
        any(vec![json!({ "range": { path: bounds } }), ignored(mapping, path)])
    })
}

/// The store's words for crosstail's, ignoring case.
fn words(mapping: &Mapping, field: Field, mask: u32) -> Option<Value> {
    let definition = mapping.schema.definition();
    let named = |target: Column, key: &str, known: Vec<(&str, String)>, wanted: &[&str]| -> Option<Value> {
        let paths = mapping.paths(target);
        let words = definition.words_of(key).map(|(word, ours)| (word, ours.to_owned())).chain(known);
        let words: Vec<String> =
            words.filter(|(_, ours)| wanted.contains(&ours.as_str())).map(|(word, _)| word.to_owned()).collect();
        if paths.is_empty() || words.is_empty() {
            return Some(nothing());
        }
        let mut parts = Vec::new();
        for path in paths {
            for word in &words {
                parts.push(text_at(mapping, path, &TextMatch::Pieces(vec![GlobPiece::Text(word.clone())]))?);
            }
        }
        Some(any(parts))
    };
    let status = |wanted: &[Status]| -> Option<Value> {
        let own: Vec<&str> = wanted.iter().map(|status| status.as_str()).collect();
        let known = Status::ALL.iter().map(|s| (s.as_str(), s.to_string())).collect();
        let mut parts = vec![named(Column::Status, "status", known, &own)?];
        if wanted.contains(&Status::Failed) && !definition.http_errors_may_succeed {
            let bad = Interval { low: 400.0, low_in: true, high: f64::INFINITY, high_in: true };
            for path in mapping.paths(Column::HttpStatus) {
                parts.push(number(mapping, path, &bad, (None, true)).or_else(|| any_value(mapping, path))?);
            }
        }
        // Where no field says the outcome, it follows from the HTTP status and the error.
        if !mapping.schema.names_status() {
            let implied = [(Status::Failed, Column::Error), (Status::Success, Column::HttpStatus)];
            for (_, target) in implied.iter().filter(|(status, _)| wanted.contains(status)) {
                for path in mapping.paths(*target) {
                    parts.push(any_value(mapping, path)?);
                }
            }
        }
        Some(any(parts))
    };
    let level = |wanted: &[Level]| -> Option<Value> {
        let own: Vec<&str> = wanted.iter().map(|level| level.as_str()).collect();
        let known = Level::ALL.iter().map(|l| (l.as_str(), l.to_string()));
        let known = known.chain(Level::ALIASES.iter().map(|(word, l)| (*word, l.to_string()))).collect();
        named(Column::Level, "level", known, &own)
    };
    let picked: Vec<&str> =
        field.words().iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0).map(|(_, word)| *word).collect();
    match field {
        Field::Status => status(&picked.iter().filter_map(|word| Status::parse(word)).collect::<Vec<_>>()),
        Field::Level => level(&picked.iter().filter_map(|word| Level::parse(word)).collect::<Vec<_>>()),
        Field::Is if picked == ["failure"] => {
            Some(any(vec![status(&[Status::Failed, Status::Timeout])?, level(&[Level::Error, Level::Fatal])?]))
        }
        // The value is the same for every document.
        Field::Kind | Field::Direction if !definition.fields.contains_key(field.name()) => {
            let default = definition.defaults.get(field.name()).map(String::as_str);
            let word = match field {
                Field::Kind => default.and_then(Kind::parse)?.as_str(),
                _ => default.and_then(Direction::parse_any).unwrap_or(Direction::Internal).as_str(),
            };
            Some(if picked.contains(&word) { all(Vec::new()) } else { nothing() })
        }
        Field::Is if picked == ["pending"] => status(&[Status::InProgress]),
        _ => None,
    }
}

/// Text in any searched field.
fn anywhere(mapping: &Mapping, pattern: &Pattern) -> Option<Value> {
    let Pattern::Contains(_, needle) = pattern else { return None };
    let mut parts = Vec::new();
    for field in Field::SEARCHED {
        let derived = matches!(field, Field::System | Field::Endpoint) && sources(mapping, *field).is_none();
        if derived {
            // Where the field is absent, the value is derived from the URL: what matches it matches the URL, too.
            if mapping.schema.definition().defaults.contains_key("system")
                || "{id}".contains(needle.as_str())
                || needle.contains(['{', '}'])
            {
                return None;
            }
        } else if *field == Field::Id {
            parts.push(identity(mapping, pattern)?);
        } else if sources(mapping, *field).is_some_and(|paths| !paths.is_empty()) {
            parts.push(text(mapping, *field, pattern)?);
        }
    }
    Some(any(parts))
}

#[cfg(test)]
mod tests {
    use super::super::fields::Fields;
    use super::*;
    use crosstail_core::model::Timestamp;

    /// An index of which the settings are not known.
    fn mapping() -> Mapping {
        let (mut caps, mut properties) = (json!({ "indices": ["a"], "fields": {} }), json!({}));
        for (path, of) in [
            ("@timestamp", json!({ "type": "date" })),
            ("url", json!({ "type": "keyword", "ignore_above": 1024 })),
            ("status_code", json!({ "type": "integer", "ignore_malformed": true })),
            ("message", json!({ "type": "text" })),
        ] {
            let kind = of["type"].as_str().unwrap_or_default().to_owned();
            caps["fields"][path][kind] = json!({ "searchable": true, "aggregatable": true });
            properties[path] = of;
        }
        let mappings = json!({ "a": { "mappings": { "properties": properties } } });
        Mapping::of_fields(Fields::of(&caps, Some(&mappings), None))
    }

    /// Whether a query keeps the documents of which the index left out something at a path.
    fn keeps_ignored(query: &Value, path: &str) -> bool {
        let list = |at: &str| query.pointer(at).and_then(Value::as_array).into_iter().flatten();
        list("/terms/_ignored").any(|name| name == path) || list("/bool/should").any(|part| keeps_ignored(part, path))
    }

    #[test]
    fn what_the_index_left_out_is_kept() {
        let mapping = mapping();
        let asked = present(&mapping, Field::Url).expect("an index that knows");
        assert!(keeps_ignored(&asked, "url"), "{asked}");
        let asked = text_at(&mapping, "url", &TextMatch::Exact("/orders")).expect("a keyword");
        assert!(keeps_ignored(&asked, "url"), "{asked}");
        for (low, high) in [(502.0, 502.0), (f64::NEG_INFINITY, f64::INFINITY)] {
            let interval = Interval { low, low_in: true, high, high_in: true };
            let of = |path: &str| number(&mapping, path, &interval, (None, true)).expect("an integer, or none");
            assert!(keeps_ignored(&of("status_code"), "status_code"), "{}", of("status_code"));
            // There was no room for it, or for the object that it is in.
            let beyond = of("http.status");
            assert!(keeps_ignored(&beyond, "http.status") && keeps_ignored(&beyond, "http"), "{beyond}");
        }
        let since = TimeRange { start: Some(Timestamp(0)), end: None };
        let asked = time(&mapping, "@timestamp", &since).expect("a date");
        assert!(keeps_ignored(&asked, "@timestamp"), "{asked}");
    }

    #[test]
    fn what_is_turned_round_is_evaluated_here() {
        let clause = |negated: bool| {
            let target = Operand::Field(Field::Url);
            Predicate::Compare(Comparator { target, test: Matcher::Present, negated, or_absent: false })
        };
        let mapping = mapping();
        assert!(superset(&mapping, &clause(false)).is_some());
        assert_eq!(superset(&mapping, &clause(true)), None);
        assert_eq!(superset(&mapping, &Predicate::Not(Box::new(clause(false)))), None);
    }

    #[test]
    fn texts_of_an_unknown_analyser_are_evaluated_here() {
        let wanted = TextMatch::Pieces(vec![GlobPiece::Any, GlobPiece::Text("refused".to_owned()), GlobPiece::Any]);
        assert_eq!(text_at(&mapping(), "message", &wanted), None);
    }

    #[test]
    fn regular_expressions_are_lucenes_and_know_no_case() {
        let of = |text: &str| regex(&[GlobPiece::Any, GlobPiece::Text(text.to_owned())]).expect("a regex");
        assert_eq!(of("ak"), ".*[Aa][Kk\u{212a}]");
        assert_eq!(of("1.\"~"), ".*1\\.\\\"\\~");
        assert_eq!(of("ß"), ".*[ßẞ]");
        assert_eq!(regex(&[GlobPiece::Text("a".repeat(300))]), None, "too long for the server");
    }

    #[test]
    fn words_between_blanks_are_whole() {
        let pieces = vec![GlobPiece::Any, GlobPiece::Text("12 3 45".to_owned()), GlobPiece::Any];
        let query = words_of("message", &TextMatch::Pieces(pieces)).expect("a query");
        let of = |value: &str| json!({ "regexp": { "message": { "value": value } } });
        assert_eq!(query, json!({ "bool": { "filter": [of(".*12.*"), of("3"), of(".*45.*")] } }));
    }
}
