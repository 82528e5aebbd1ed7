//! Fields in MySQL's own SQL. Its regular expressions and its rules of letters that are alike are not Rust's: texts are
//! compared as bytes, shapes in ASCII, and rows with other characters come back.

use crate::mapping::Mapping;
use crate::relation::{ColumnType, LOCAL, as_number, as_text, lower_ascii, micros, name};
use crate::translate::{self, Dialect};
pub(crate) use crate::translate::{Condition, is_absent};
use crosstail_core::filter::{Comparator, Field, GlobPiece, Pattern, Predicate, TimeRange, ValueType};
use crosstail_core::model::{Direction, Kind, Level, Status, Timestamp};
use crosstail_core::schema::{LONGEST_US, Schema, Target};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal, operator};

/// The condition of a predicate.
pub(crate) fn condition(mapping: &Mapping, predicate: &Predicate) -> Condition {
    translate::condition(mapping, predicate)
}

impl Dialect for Mapping {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn source_name(&self) -> &str {
        &self.source_name
    }

    fn expression(&self, field: Field) -> Option<String> {
        expression(self, field)
    }

    fn raw_text(&self, target: Target) -> Option<String> {
        Self::raw_text(self, target)
    }

    fn fills(&self, target: Target) -> bool {
        !self.sources(target).is_empty()
    }

    fn like(&self, text: &str, pieces: &[GlobPiece]) -> Option<Sql> {
        let mut shape = String::new();
        for piece in pieces {
            match piece {
                GlobPiece::Any => shape.push('%'),
                GlobPiece::Text(text) if text.is_ascii() => {
                    for c in text.chars() {
                        if matches!(c, '%' | '_' | '|') {
                            shape.push('|');
                        }
                        shape.push(c);
                    }
                }
                GlobPiece::Text(_) => return None,
            }
        }
        let letters = format!("CONVERT({text} USING utf8mb4)");
        let like = format!("LOWER({letters}) COLLATE utf8mb4_bin LIKE {PLACEHOLDER} ESCAPE '|'");
        let text = format!("({like} OR LENGTH({text}) <> CHAR_LENGTH({letters}))");
        Some(Sql::with(text, Bind::Text(shape)))
    }

    fn compares(&self, text: &str, pattern: &Pattern) -> Option<Sql> {
        let (op, value) = match pattern {
            Pattern::Exact(value) => ("=", value),
            Pattern::Order(op, value) => (operator(*op), value),
            _ => return None,
        };
        Some(Sql::with(format!("{text} {op} {PLACEHOLDER}"), Bind::Text(value.clone())))
    }

    fn in_range(&self, field: Field, value: &str, range: &TimeRange) -> Sql {
        let side = |op: &str, at: Timestamp| match field {
            Field::Time => self.time_is(op, at),
            _ => Sql::with(format!("{value} {op} {PLACEHOLDER}"), Bind::Int(at.0)),
        };
        let sides = [range.start.map(|at| side(">=", at)), range.end.map(|at| side("<", at))];
        let parts: Vec<Sql> = sides.into_iter().flatten().collect();
        if parts.is_empty() { Sql::raw(format!("{value} IS NOT NULL")) } else { Sql::join(parts, " AND ") }
    }

    fn narrows(&self, leaf: &Comparator) -> Option<Sql> {
        crate::index::narrows(self, leaf)
    }

    fn holds(&self, path: &str, word: &str) -> Option<Sql> {
        let column = self.relation.readable(path)?;
        if !matches!(column.holds, ColumnType::Json | ColumnType::Text) {
            return None;
        }
        let text = as_text(&format!("t.{}", name(path)), column.holds);
        let found = self.like(&text, &[GlobPiece::Any, GlobPiece::Text(word.to_owned()), GlobPiece::Any])?;
        // MariaDB keeps JSON as it was written: a letter may be written as its number.
        Some(Sql { text: format!("({} OR INSTR({text}, '\\u00') > 0)", found.text), binds: found.binds })
    }
}

/// The value of a field in SQL; `None` where SQL cannot say it.
pub(crate) fn expression(mapping: &Mapping, field: Field) -> Option<String> {
    let definition = mapping.schema.definition();
    if mapping.schema.has_rules() && !matches!(field, Field::Id | Field::Request | Field::Correlation) {
        return None;
    }
    Some(match field {
        Field::Id => {
            let is_bytes = |(_, column_type): &(&str, ColumnType)| *column_type == ColumnType::Bytes;
            if mapping.sources(Target::Id).iter().any(is_bytes) {
                return None;
            }
            mapping.id()
        }
        Field::Time => mapping.time_us(),
        Field::Status => status(mapping)?,
        Field::Level => word(mapping, Target::Level, "level", &levels())?,
        Field::Kind => {
            let fallback = definition.defaults.get("kind").and_then(|word| Kind::parse(word)).map_or_else(
                || match expression(mapping, Field::Level) {
                    Some(level) => Some(format!("CASE WHEN {level} IS NULL THEN 'other' ELSE 'log' END")),
                    None => (!mapping.fills(Target::Level)).then(|| "'other'".to_owned()),
                },
                |kind| Some(literal(kind.as_str())),
            );
            of_words(mapping, Target::Kind, "kind", &same(Kind::ALL), fallback?)?
        }
        Field::Direction => {
            let mut known = same(Direction::ALL);
            known.extend(Direction::ALIASES.iter().map(|(word, way)| ((*word).to_owned(), way.to_string())));
            let fallback = definition.defaults.get("direction").and_then(|word| Direction::parse_any(word));
            let fallback = literal(fallback.unwrap_or(Direction::Internal).as_str());
            of_words(mapping, Target::Direction, "direction", &known, fallback)?
        }
        Field::Is => {
            let known =
                |field| expression(mapping, field).or_else(|| is_absent(mapping, field).then(|| "NULL".to_owned()));
            let (status, level) = (known(Field::Status)?, known(Field::Level)?);
            format!(
                "CASE WHEN {status} IN ('failed', 'timeout') THEN 'failure' WHEN {status} = 'in_progress' THEN 'pending' \
                 WHEN {status} IS NOT NULL THEN 'ok' WHEN {level} IN ('error', 'fatal') THEN 'failure' ELSE 'ok' END"
            )
        }
        Field::System => {
            if definition.system_from_url {
                return None;
            }
            let mut parts = Vec::new();
            for target in [Target::System, Target::Service].into_iter().filter(|target| mapping.fills(*target)) {
                parts.push(mapping.raw_text(target)?);
            }
            parts.extend(definition.defaults.get("system").map(|system| literal(system)));
            if parts.is_empty() {
                return None;
            }
            format!("CAST(COALESCE({}) AS BINARY)", parts.join(", "))
        }
        Field::Endpoint => {
            if mapping.fills(Target::Url) {
                return None;
            }
            mapping.raw_text(Target::Endpoint)?
        }
        Field::Duration => duration(mapping)?,
        Field::Http => {
            let column = number(mapping, Target::HttpStatus)?;
            format!("CASE WHEN {column} >= 100 AND {column} < 1000 THEN TRUNCATE({column}, 0) END")
        }
        Field::Attempt | Field::MaxAttempts => {
            let column = number(mapping, Target::of(field)?)?;
            format!("CASE WHEN {column} >= 0 AND {column} <= 65535 THEN TRUNCATE({column}, 0) END")
        }
        Field::Cpu | Field::Memory => as_number(&number(mapping, Target::of(field)?)?),
        Field::NextRetry => moment(mapping, Target::NextRetryAt)?,
        // It is the start and the duration where the store has no end.
        Field::Completed if !mapping.fills(Target::Duration) => moment(mapping, Target::CompletedAt)?,
        Field::Entity => entity(mapping)?,
        Field::Tags | Field::Source | Field::Completed => return None,
        field if matches!(field.class(), ValueType::Keyword | ValueType::Text | ValueType::Id) => {
            mapping.raw_text(Target::of(field)?)?
        }
        _ => return None,
    })
}

/// Type and id together, as the assembler writes them.
fn entity(mapping: &Mapping) -> Option<String> {
    let text = |target| if mapping.fills(target) { mapping.raw_text(target).map(Some) } else { Some(None) };
    match (text(Target::EntityType)?, text(Target::EntityId)?) {
        (Some(column_type), Some(id)) => {
            Some(format!("COALESCE(CAST(CONCAT({column_type}, ' ', {id}) AS BINARY), {column_type}, {id})"))
        }
        (one, other) => one.or(other),
    }
}

fn same<T: Copy + ToString>(all: &[T]) -> Vec<(String, String)> {
    all.iter().map(|one| (one.to_string(), one.to_string())).collect()
}

fn levels() -> Vec<(String, String)> {
    let mut known = same(Level::ALL);
    known.extend(Level::ALIASES.iter().map(|(word, level)| ((*word).to_owned(), level.to_string())));
    known
}

/// The word of ours for the store's, or a fallback where it has none.
fn of_words(
    mapping: &Mapping,
    target: Target,
    key: &str,
    known: &[(String, String)],
    fallback: String,
) -> Option<String> {
    if !mapping.fills(target) {
        return Some(fallback);
    }
    Some(format!("COALESCE({}, {fallback})", word(mapping, target, key, known)?))
}

/// The word of ours for the store's: the schema's words as written, then without case, then the known words.
fn word(mapping: &Mapping, target: Target, key: &str, known: &[(String, String)]) -> Option<String> {
    let raw = mapping.raw_text(target)?;
    let lower = lower_ascii(&raw);
    let listed: Vec<(&str, &str)> = mapping.schema.definition().words_of(key).collect();
    let known = known.iter().map(|(word, ours)| (word.as_str(), ours.as_str()));
    let case = |text: &str, word: &str, ours: &str| format!(" WHEN {text} = {} THEN {}", literal(word), literal(ours));
    let cases: String = listed
        .iter()
        .map(|(word, ours)| case(&raw, word, ours))
        .chain(listed.iter().copied().chain(known).map(|(word, ours)| case(&lower, word, ours)))
        .collect();
    Some(format!("CASE{cases} END"))
}

/// The outcome where no column says it: it follows from the HTTP status and the error.
fn outcome(mapping: &Mapping) -> Option<String> {
    let of = |target, field| if mapping.fills(target) { expression(mapping, field).map(Some) } else { Some(None) };
    let (http, level) = (of(Target::HttpStatus, Field::Http)?, of(Target::Level, Field::Level)?);
    let error = if mapping.fills(Target::Error) { Some(mapping.raw_text(Target::Error)?) } else { None };
    let mut cases = String::new();
    if let Some(http) = http.as_ref().filter(|_| !mapping.schema.definition().http_errors_may_succeed) {
        cases.push_str(&format!(" WHEN {http} >= 400 THEN 'failed'"));
    }
    if let Some(error) = error {
        let itself = match (&http, level) {
            (_, None) => String::new(),
            (Some(http), Some(level)) => format!(" AND ({http} IS NOT NULL OR {level} IS NULL)"),
            (None, Some(level)) => format!(" AND {level} IS NULL"),
        };
        cases.push_str(&format!(" WHEN {error} IS NOT NULL{itself} THEN 'failed'"));
    }
    if let Some(http) = &http {
        cases.push_str(&format!(" WHEN {http} IS NOT NULL THEN 'success'"));
    }
    Some(if cases.is_empty() { "NULL".to_owned() } else { format!("CASE{cases} END") })
}

fn status(mapping: &Mapping) -> Option<String> {
    if !mapping.schema.names_status() {
        return outcome(mapping);
    }
    let own = word(mapping, Target::Status, "status", &same(Status::ALL))?;
    match (number(mapping, Target::HttpStatus), mapping.schema.definition().http_errors_may_succeed) {
        (Some(http), false) => Some(format!(
            "CASE WHEN {own} = 'success' AND {http} >= 400 AND {http} < 1000 THEN 'failed' ELSE {own} END"
        )),
        (None, false) if mapping.fills(Target::HttpStatus) => None,
        _ => Some(own),
    }
}

/// A column of numbers; `None` where there are several, or it is text.
fn number(mapping: &Mapping, target: Target) -> Option<String> {
    match mapping.sources(target).as_slice() {
        [(sql, ColumnType::Int)] => Some((*sql).to_owned()),
        [(sql, ColumnType::Unsigned)] => Some(format!("({sql} + 0)")),
        [(sql, ColumnType::Float)] => Some(as_number(sql)),
        _ => None,
    }
}

/// A column of moments, in microseconds.
fn moment(mapping: &Mapping, target: Target) -> Option<String> {
    match mapping.sources(target).as_slice() {
        [(_, ColumnType::Time(LOCAL))] => None,
        [(sql, ColumnType::Time(zone_us))] => Some(micros(sql, *zone_us)),
        _ => None,
    }
}

/// How long it took, in microseconds: as recorded, else from start to end.
fn duration(mapping: &Mapping) -> Option<String> {
    let unit = mapping.schema.definition().duration_unit.us();
    let own = match number(mapping, Target::Duration) {
        // MySQL rounds halves of what is not exact to even numbers, Rust away from zero.
        Some(n) => {
            let longest = (LONGEST_US / unit).floor();
            let us = format!("FLOOR({} * {unit:e} + 0.5e0)", as_number(&n));
            Some(format!("CASE WHEN {n} BETWEEN 0 AND {longest:.0} THEN {us} END"))
        }
        None if mapping.fills(Target::Duration) => return None,
        None => None,
    };
    let spent = match moment(mapping, Target::CompletedAt) {
        Some(_) if mapping.is_local(Target::StartedAt) => return None,
        Some(end) => {
            let start = mapping.time_us();
            Some(format!("CASE WHEN {end} >= {start} THEN {end} - {start} END"))
        }
        None if mapping.fills(Target::CompletedAt) => return None,
        None => None,
    };
    match (own, spent) {
        (Some(own), Some(spent)) => Some(format!("COALESCE({own}, {spent})")),
        (own, spent) => own.or(spent),
    }
}
