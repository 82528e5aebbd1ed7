//! Translates a predicate to SQL. A clause is translated exactly, or to a condition that keeps a superset, or not at
//! all; what is not exact is evaluated again locally. PostgreSQL's regular expressions and case rules are not Rust's:
//! so the server compares texts in ASCII, and rows with other characters always come back.

use super::index::{Hints, narrows};
use super::mapping::{Mapping, Selected};
use super::relation::ColumnType;
use super::text::{like, pattern};
use super::time::micros;
use crosstail_core::filter::{
    Comparator, Field, GlobPiece, JsonTest, Matcher, Operand, PathRoot, Pattern, Predicate, TimeRange,
};
use crosstail_core::model::{Direction, Kind, Level, Status, Timestamp};
use crosstail_core::schema::{LONGEST_US, Target as Column};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, interval, literal};

/// A condition, and whether it is exactly equivalent to the clause.
struct Translation {
    sql: Sql,
    exact: bool,
}

impl Translation {
    fn exact(sql: Sql) -> Self {
        Self { sql, exact: true }
    }

    fn superset(sql: Sql) -> Self {
        Self { sql, exact: false }
    }

    fn join(parts: Vec<Self>, by: &str) -> Self {
        let exact = parts.iter().all(|part| part.exact);
        Self { sql: Sql::join(parts.into_iter().map(|part| part.sql).collect(), by), exact }
    }
}

/// The condition of a filter.
pub(super) struct Condition {
    pub(super) sql: Sql,
    /// Whether it keeps exactly what the filter keeps.
    pub(super) exact: bool,
    /// Number of clauses that it evaluates, fully or in part.
    pub(super) clauses: usize,
}

/// A table, and what its indexes have answered.
struct Asked<'a> {
    mapping: &'a Mapping,
    hints: &'a Hints,
}

/// The condition of a predicate, from the clauses that SQL can express.
pub(super) fn condition(mapping: &Mapping, predicate: &Predicate, hints: &Hints) -> Condition {
    let mapping = &Asked { mapping, hints };
    let clauses: &[Predicate] = match predicate {
        Predicate::All => &[],
        Predicate::And(parts) => parts,
        other => std::slice::from_ref(other),
    };
    let found: Vec<Translation> = clauses.iter().filter_map(|clause| translate(mapping, clause, false)).collect();
    let complete = found.len() == clauses.len();
    let clauses = found.len();
    let joined = Translation::join(found, " AND ");
    Condition { exact: complete && joined.exact, sql: joined.sql, clauses }
}

/// `exactly`: the result is negated, so a superset is not enough.
fn translate(asked: &Asked<'_>, predicate: &Predicate, exactly: bool) -> Option<Translation> {
    let mapping = asked.mapping;
    let found = match predicate {
        Predicate::All => Translation::exact(Sql::constant(true)),
        // Clauses of a conjunction that cannot be translated are left out: the rest keeps more.
        Predicate::And(parts) => {
            let found: Vec<_> = parts.iter().filter_map(|part| translate(asked, part, exactly)).collect();
            let complete = found.len() == parts.len();
            let joined = Translation::join(found, " AND ");
            Translation { exact: complete && joined.exact, ..joined }
        }
        Predicate::Or(parts) => {
            let found: Option<Vec<_>> = parts.iter().map(|part| translate(asked, part, exactly)).collect();
            Translation::join(found?, " OR ")
        }
        Predicate::Not(part) => {
            let inner = translate(asked, part, true)?;
            Translation::exact(Sql { text: format!("({}) IS NOT TRUE", inner.sql.text), binds: inner.sql.binds })
        }
        Predicate::Compare(found) => {
            // An index narrows what a clause keeps; by itself it does not say the clause.
            let narrow = narrows(mapping, found, asked.hints);
            match (leaf(mapping, found), narrow) {
                (Some(found), Some(narrow)) => {
                    let sql = Sql::join(vec![narrow, found.sql], " AND ");
                    Translation { sql, exact: found.exact }
                }
                (None, Some(narrow)) => Translation::superset(narrow),
                (found, None) => found?,
            }
        }
        Predicate::FreeText(pattern) => {
            let pieces = pattern.pieces()?;
            let mut columns = Vec::new();
            for field in Field::SEARCHED {
                if Column::of(*field).is_some_and(|target| mapping.is_opaque(target)) {
                    return None;
                }
                let exact = expression(mapping, *field);
                let derived = matches!(field, Field::System | Field::Endpoint) && exact.is_none();
                columns.extend(exact.or_else(|| mapping.raw_text(Column::of(*field)?)));
                if derived {
                    // Where the column is empty, the value is derived from the URL: what matches it matches the URL,
                    // too.
                    let Pattern::Contains(_, text) = pattern else { return None };
                    if "{id}".contains(text.as_str()) || text.contains(['{', '}']) {
                        return None;
                    }
                    columns.extend(mapping.raw_text(Column::Service));
                }
            }
            columns.extend(mapping.raw_text(Column::Tags));
            let parts: Option<Vec<Sql>> = columns.iter().map(|column| like(column, &pieces)).collect();
            Translation::superset(Sql::join(parts?, " OR "))
        }
    };
    (!exactly || found.exact).then_some(found)
}

fn leaf(mapping: &Mapping, leaf: &Comparator) -> Option<Translation> {
    let field = match &leaf.target {
        Operand::Field(field) => *field,
        Operand::Path(root, _) => return json(mapping, leaf, *root),
    };
    if field == Field::Source {
        let answer = match &leaf.test {
            Matcher::Present => true,
            Matcher::Text(patterns) => patterns.iter().any(|pattern| pattern.test(&mapping.source_name)),
            _ => return None,
        };
        return Some(Translation::exact(Sql::constant(leaf.apply_negation(Some(answer)))));
    }
    let column = match expression(mapping, field) {
        Some(column) => column,
        None if is_absent(mapping, field) => return Some(Translation::exact(Sql::constant(leaf.apply_negation(None)))),
        None => return derived(mapping, field, leaf),
    };
    let (test, exact) = match &leaf.test {
        Matcher::Present => (Sql::constant(true), true),
        Matcher::Text(patterns) => {
            let parts: Option<Vec<(Sql, bool)>> = patterns.iter().map(|p| pattern(&column, p)).collect();
            let parts = parts?;
            let exact = parts.iter().all(|(_, exact)| *exact);
            (Sql::join(parts.into_iter().map(|(sql, _)| sql).collect(), " OR "), exact)
        }
        Matcher::Number(list) => (Sql::join(list.iter().map(|i| interval(&column, i)).collect(), " OR "), true),
        Matcher::Time(list) => {
            (Sql::join(list.iter().map(|r| time(mapping, field, &column, r)).collect(), " OR "), true)
        }
        Matcher::Word(mask) => {
            let words = field.words();
            let kept = words.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0);
            let list: Vec<String> = kept.map(|(_, word)| literal(word)).collect();
            let text = if list.is_empty() { "FALSE".to_owned() } else { format!("{column} IN ({})", list.join(", ")) };
            (Sql::raw(text), true)
        }
        Matcher::Json(_) => return None,
    };
    if leaf.negated && !exact {
        return None;
    }
    let sql = if !leaf.negated && !leaf.or_absent && !matches!(leaf.test, Matcher::Present) {
        test
    } else {
        let inner = if leaf.negated { format!("NOT ({})", test.text) } else { test.text };
        let absent = if leaf.or_absent { "TRUE" } else { "FALSE" };
        Sql { text: format!("CASE WHEN {column} IS NULL THEN {absent} ELSE ({inner}) END"), binds: test.binds }
    };
    Some(Translation { sql, exact })
}

/// A field that is derived from the URL where its column is empty: those rows come back, too.
fn derived(mapping: &Mapping, field: Field, leaf: &Comparator) -> Option<Translation> {
    let Matcher::Text(patterns) = &leaf.test else { return None };
    if !matches!(field, Field::System | Field::Endpoint) || leaf.negated || leaf.or_absent {
        return None;
    }
    let own = mapping.raw_text(Column::of(field)?)?;
    let parts: Option<Vec<Sql>> = patterns.iter().map(|p| pattern(&own, p).map(|(sql, _)| sql)).collect();
    let mut parts = parts?;
    parts.push(Sql::raw(format!("{own} IS NULL")));
    Some(Translation::superset(Sql::join(parts, " OR ")))
}

/// Whether no row has a value for a field.
pub(super) fn is_absent(mapping: &Mapping, field: Field) -> bool {
    Column::is_absent(field, |target| mapping.sources(target).is_empty())
}

/// The value of a field in SQL, exactly as the local evaluator reads the row; NULL where it is absent. `None` where SQL
/// cannot express it.
pub(super) fn expression(mapping: &Mapping, field: Field) -> Option<String> {
    let definition = mapping.schema.definition();
    if mapping.schema.has_rules() && !matches!(field, Field::Id | Field::Request | Field::Correlation) {
        return None;
    }
    if needs(field).iter().any(|target| mapping.is_opaque(*target)) {
        return None;
    }
    Some(match field {
        Field::Id => mapping.id(),
        Field::Time => mapping.time.us(),
        Field::Status => status(mapping)?,
        Field::Level => word(mapping, Column::Level, "level", &levels())?,
        Field::Kind => {
            let known: Vec<(String, String)> =
                Kind::ALL.iter().map(|kind| (kind.to_string(), kind.to_string())).collect();
            let own = word(mapping, Column::Kind, "kind", &known);
            let fallback = definition.defaults.get("kind").and_then(|word| Kind::parse(word)).map_or_else(
                || match expression(mapping, Field::Level) {
                    Some(level) => format!("CASE WHEN {level} IS NULL THEN 'other' ELSE 'log' END"),
                    None => "'other'".to_owned(),
                },
                |kind| literal(kind.as_str()),
            );
            own.map_or(fallback.clone(), |own| format!("coalesce({own}, {fallback})"))
        }
        Field::Direction => {
            let mut known: Vec<(String, String)> =
                Direction::ALL.iter().map(|way| (way.to_string(), way.to_string())).collect();
            known.extend(Direction::ALIASES.iter().map(|(word, way)| ((*word).to_owned(), way.to_string())));
            let own = word(mapping, Column::Direction, "direction", &known);
            let fallback = definition.defaults.get("direction").and_then(|word| Direction::parse_any(word));
            let fallback = literal(fallback.unwrap_or(Direction::Internal).as_str());
            own.map_or(fallback.clone(), |own| format!("coalesce({own}, {fallback})"))
        }
        Field::Is => {
            // What SQL cannot say is not absent.
            let has = |target| !mapping.sources(target).is_empty();
            let none = || Some("NULL::text".to_owned());
            let names_none = mapping.schema.names_status() && !has(Column::Status);
            let status = if names_none { none() } else { status(mapping) }?;
            let level = if has(Column::Level) { expression(mapping, Field::Level) } else { none() }?;
            format!(
                "CASE WHEN {status} IN ('failed', 'timeout') THEN 'failure' WHEN {status} = 'in_progress' THEN 'pending' \
                 WHEN {status} IS NOT NULL THEN 'ok' WHEN {level} IN ('error', 'fatal') THEN 'failure' ELSE 'ok' END"
            )
        }
        Field::System => {
            if definition.system_from_url {
                return None;
            }
            let parts: Vec<String> = [mapping.raw_text(Column::System), mapping.raw_text(Column::Service)]
                .into_iter()
                .flatten()
                .chain(definition.defaults.get("system").map(|system| literal(system)))
                .collect();
            if parts.is_empty() {
                return None;
            }
            format!("coalesce({})", parts.join(", "))
        }
        Field::Endpoint => {
            if !mapping.sources(Column::Url).is_empty() {
                return None;
            }
            mapping.raw_text(Column::Endpoint)?
        }
        Field::Duration => duration(mapping)?,
        Field::Http => {
            let column = number(mapping, Column::HttpStatus)?;
            format!("CASE WHEN {column} >= 100 AND {column} < 1000 THEN trunc({column}) END")
        }
        Field::Attempt | Field::MaxAttempts => {
            let column = number(mapping, Column::of(field)?)?;
            format!("CASE WHEN {column} >= 0 AND {column} <= 65535 THEN trunc({column}) END")
        }
        Field::Cpu | Field::Memory => {
            let column = number(mapping, Column::of(field)?)?;
            let column = format!("{column}::float8");
            format!("CASE WHEN {column} < 'Infinity' AND {column} > '-Infinity' THEN {column} END")
        }
        Field::NextRetry => moment(mapping, Column::NextRetryAt)?,
        // Where the store has no end, it is the start plus the duration.
        Field::Completed => {
            match (moment(mapping, Column::CompletedAt), mapping.sources(Column::Duration).is_empty()) {
                (Some(end), true) => end,
                _ => return None,
            }
        }
        Field::Entity => entity(mapping)?,
        Field::Tags | Field::Source => return None,
        field if Mapping::is_text(field) => mapping.raw_text(Column::of(field)?)?,
        _ => return None,
    })
}

/// What a field is made of.
fn needs(field: Field) -> &'static [Column] {
    match field {
        Field::Id => &[Column::Id],
        Field::Status | Field::Is => &[Column::Status, Column::HttpStatus, Column::Error, Column::Level],
        Field::Kind => &[Column::Kind, Column::Level],
        Field::Level => &[Column::Level],
        Field::Direction => &[Column::Direction],
        Field::System => &[Column::System, Column::Service],
        Field::Endpoint => &[Column::Endpoint, Column::Url],
        Field::Duration | Field::Completed => &[Column::Duration, Column::CompletedAt],
        Field::Entity => &[Column::EntityType, Column::EntityId],
        Field::Http => &[Column::HttpStatus],
        Field::Attempt => &[Column::Attempt],
        Field::MaxAttempts => &[Column::MaxAttempts],
        Field::Cpu => &[Column::Cpu],
        Field::Memory => &[Column::Memory],
        Field::NextRetry => &[Column::NextRetryAt],
        _ => &[],
    }
}

/// Type and id in one text, as the assembler writes them.
fn entity(mapping: &Mapping) -> Option<String> {
    match (mapping.raw_text(Column::EntityType), mapping.raw_text(Column::EntityId)) {
        (Some(sort), Some(id)) => Some(format!("coalesce({sort} || ' ' || {id}, {sort}, {id})")),
        (one, other) => one.or(other),
    }
}

fn levels() -> Vec<(String, String)> {
    let own = Level::ALL.iter().map(|level| (level.to_string(), level.to_string()));
    own.chain(Level::ALIASES.iter().map(|(word, level)| ((*word).to_owned(), level.to_string()))).collect()
}

/// crosstail's word for the store's: the schema's words as written, then ignoring case, then the known words.
fn word(mapping: &Mapping, target: Column, key: &str, known: &[(String, String)]) -> Option<String> {
    let raw = mapping.raw_text(target)?;
    let lower = format!("lower({raw} COLLATE \"C\")");
    let mut cases = String::new();
    let listed: Vec<(&str, &str)> = mapping.schema.definition().words_of(key).collect();
    for (word, ours) in &listed {
        cases.push_str(&format!(" WHEN {raw} = {} THEN {}", literal(word), literal(ours)));
    }
    for (word, ours) in &listed {
        cases.push_str(&format!(" WHEN {lower} = {} THEN {}", literal(word), literal(ours)));
    }
    for (word, ours) in known {
        cases.push_str(&format!(" WHEN {lower} = {} THEN {}", literal(word), literal(ours)));
    }
    Some(format!("CASE{cases} END"))
}

fn status(mapping: &Mapping) -> Option<String> {
    if !mapping.schema.names_status() {
        return outcome(mapping);
    }
    let known: Vec<(String, String)> = Status::ALL.iter().map(|s| (s.to_string(), s.to_string())).collect();
    let own = word(mapping, Column::Status, "status", &known)?;
    match (number(mapping, Column::HttpStatus), mapping.schema.definition().http_errors_may_succeed) {
        (Some(http), false) => Some(format!(
            "CASE WHEN {own} = 'success' AND {http} >= 400 AND {http} < 1000 THEN 'failed' ELSE {own} END"
        )),
        (None, false) if !mapping.sources(Column::HttpStatus).is_empty() => None,
        _ => Some(own),
    }
}

/// The outcome where no column says it: it follows from the HTTP status and the error.
fn outcome(mapping: &Mapping) -> Option<String> {
    let has = |target| !mapping.sources(target).is_empty();
    let http = if has(Column::HttpStatus) { Some(expression(mapping, Field::Http)?) } else { None };
    let error = mapping.raw_text(Column::Error).map(|error| format!("{error} IS NOT NULL"));
    let level = if has(Column::Level) { Some(expression(mapping, Field::Level)?) } else { None };
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
        cases.push_str(&format!(" WHEN {error}{itself} THEN 'failed'"));
    }
    if let Some(http) = &http {
        cases.push_str(&format!(" WHEN {http} IS NOT NULL THEN 'success'"));
    }
    Some(if cases.is_empty() { "NULL::text".to_owned() } else { format!("CASE{cases} END") })
}

/// A numeric column; `None` where there are several, or it holds text.
fn number(mapping: &Mapping, target: Column) -> Option<String> {
    match mapping.sources(target).as_slice() {
        [Selected { sql, holds: ColumnType::Int | ColumnType::Float, .. }] => Some(format!("({sql})")),
        _ => None,
    }
}

/// A column of times, in microseconds since the epoch.
fn moment(mapping: &Mapping, target: Column) -> Option<String> {
    match mapping.sources(target).as_slice() {
        [Selected { sql, holds: ColumnType::Time, .. }] => Some(micros(sql)),
        _ => None,
    }
}

/// The duration in microseconds: as recorded, else from start to end.
fn duration(mapping: &Mapping) -> Option<String> {
    let unit = mapping.schema.definition().duration_unit.us();
    let longest = format!("{:.0}", (LONGEST_US / unit).floor());
    let own = match mapping.sources(Column::Duration).as_slice() {
        [] => None,
        [Selected { sql, holds: ColumnType::Int, .. }] => {
            Some(format!("CASE WHEN {sql} BETWEEN 0 AND {longest} THEN round(({sql})::numeric * {unit}) END"))
        }
        [Selected { sql, holds: ColumnType::Float, .. }] => {
            Some(format!("CASE WHEN {sql} BETWEEN 0 AND {longest} THEN round((({sql})::float8 * {unit})::numeric) END"))
        }
        _ => return None,
    };
    let spent = match mapping.sources(Column::CompletedAt).as_slice() {
        [] => None,
        [Selected { sql, holds: ColumnType::Time, .. }] => {
            let (start, end) = (mapping.time.us(), micros(sql));
            Some(format!("CASE WHEN ({end}) >= ({start}) THEN ({end}) - ({start}) END"))
        }
        _ => return None,
    };
    match (own, spent) {
        (Some(own), Some(spent)) => Some(format!("coalesce({own}, {spent})")),
        (own, spent) => own.or(spent),
    }
}

fn time(mapping: &Mapping, field: Field, column: &str, range: &TimeRange) -> Sql {
    let side = |op: &str, at: Timestamp| match field {
        // The column itself, so that its index can be used.
        Field::Time => mapping.time_is(op, at),
        _ => Sql::with(format!("{column} {op} {PLACEHOLDER}::int8"), Bind::Int(at.0)),
    };
    let parts: Vec<Sql> =
        [range.start.map(|at| side(">=", at)), range.end.map(|at| side("<", at))].into_iter().flatten().collect();
    if parts.is_empty() { Sql::raw(format!("({column}) IS NOT NULL")) } else { Sql::join(parts, " AND ") }
}

/// A text that is searched in a part of the payload must be somewhere in its JSON: a superset.
fn json(mapping: &Mapping, leaf: &Comparator, root: PathRoot) -> Option<Translation> {
    let part = match root {
        PathRoot::RequestHeaders => "request_headers",
        PathRoot::RequestBody => "request_body",
        PathRoot::ResponseHeaders => "response_headers",
        PathRoot::ResponseBody => "response_body",
        PathRoot::Metadata | PathRoot::Stack | PathRoot::Raw => return None,
    };
    let Matcher::Json(tests) = &leaf.test else { return None };
    if leaf.negated || leaf.or_absent {
        return None;
    }
    let paths = mapping.schema.definition().payload.get(part)?;
    let [path] = paths.list() else { return None };
    let column = mapping.relation.column(path).filter(|column| column.readable)?;
    let column = format!("(t.{})::text", crosstail_source::sql::name(&column.name));
    let one = |test: &JsonTest| {
        // Numbers have several spellings, and a text may be escaped in part.
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_'));
        let pieces = [&test.whole, &test.inside].into_iter().flatten().next()?.pieces()?;
        let text = pieces.iter().find_map(|piece| match piece {
            GlobPiece::Text(text) if plain(text) && text.chars().any(char::is_alphabetic) => Some(text.clone()),
            _ => None,
        })?;
        if test.interval.is_some() {
            return None;
        }
        like(&column, &[GlobPiece::Any, GlobPiece::Text(text), GlobPiece::Any])
    };
    let parts: Option<Vec<Sql>> = tests.iter().map(one).collect();
    Some(Translation::superset(Sql::join(parts?, " OR ")))
}
