//! Predicate → condition, for any dialect. A clause is translated exactly, or to a condition that keeps at least what it
//! keeps, or not at all; whatever is not exact is evaluated again on what comes back. Nothing here is MySQL's own: what a
//! dialect says in its own way is behind [`Dialect`].

use crosstail_core::filter::{
    Comparator, Field, GlobPiece, JsonTest, Matcher, Operand, PathRoot, Pattern, Predicate, TimeRange,
};
use crosstail_core::schema::{Schema, Target as Column};
use crosstail_source::sql::{Sql, interval, literal};

/// What a mapped table says in its store's SQL.
pub(crate) trait Dialect {
    fn schema(&self) -> &Schema;
    fn source_name(&self) -> &str;
    /// The value of a field just as the local evaluator reads it, NULL where it is absent.
    fn expression(&self, field: Field) -> Option<String>;
    /// The text of a target as stored, NULL where it is absent or empty; `None` where nothing of it can be said.
    fn raw_text(&self, target: Column) -> Option<String>;
    /// Whether anything fills a target.
    fn fills(&self, target: Column) -> bool;
    /// Keeps at least the texts that have the shape, without regard to the case of ASCII letters.
    fn like(&self, text: &str, pieces: &[GlobPiece]) -> Option<Sql>;
    /// Keeps just the texts that pass an exact comparison or one of order.
    fn compares(&self, text: &str, pattern: &Pattern) -> Option<Sql>;
    fn in_range(&self, field: Field, value: &str, range: &TimeRange) -> Sql;
    /// A condition that holds wherever a comparison does, and that an index answers.
    fn narrows(&self, leaf: &Comparator) -> Option<Sql>;
    /// Keeps at least the rows whose JSON at a path of `[payload]` holds a plain word somewhere.
    fn holds(&self, path: &str, word: &str) -> Option<Sql>;
}

/// A condition, and whether it says exactly what the clause says.
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
pub(crate) struct Condition {
    pub(crate) sql: Sql,
    /// It keeps exactly what the filter keeps.
    pub(crate) exact: bool,
    /// Clauses that it evaluates, wholly or in part.
    pub(crate) clauses: usize,
}

/// The condition of a predicate: of its clauses those that can be said.
pub(crate) fn condition(table: &dyn Dialect, predicate: &Predicate) -> Condition {
    let clauses: &[Predicate] = match predicate {
        Predicate::All => &[],
        Predicate::And(parts) => parts,
        other => std::slice::from_ref(other),
    };
    let found: Vec<Translation> = clauses.iter().filter_map(|clause| translate(table, clause, false)).collect();
    let complete = found.len() == clauses.len();
    let clauses = found.len();
    let joined = Translation::join(found, " AND ");
    Condition { exact: complete && joined.exact, sql: joined.sql, clauses }
}

/// `exactly`: a superset condition would not do, because it is turned round.
fn translate(table: &dyn Dialect, predicate: &Predicate, exactly: bool) -> Option<Translation> {
    let found = match predicate {
        Predicate::All => Translation::exact(Sql::constant(true)),
        // What cannot be said of a conjunction is left out: the rest keeps more.
        Predicate::And(parts) => {
            let found: Vec<_> = parts.iter().filter_map(|part| translate(table, part, exactly)).collect();
            let complete = found.len() == parts.len();
            let joined = Translation::join(found, " AND ");
            Translation { exact: complete && joined.exact, ..joined }
        }
        Predicate::Or(parts) => {
            let found: Option<Vec<_>> = parts.iter().map(|part| translate(table, part, exactly)).collect();
            Translation::join(found?, " OR ")
        }
        Predicate::Not(part) => {
            let inner = translate(table, part, true)?;
            Translation::exact(Sql { text: format!("({}) IS NOT TRUE", inner.sql.text), binds: inner.sql.binds })
        }
        Predicate::Compare(found) => match (leaf(table, found), table.narrows(found)) {
            (Some(found), Some(narrow)) => {
                let sql = Sql::join(vec![narrow, found.sql], " AND ");
                Translation { sql, exact: found.exact }
            }
            (None, Some(narrow)) => Translation::superset(narrow),
            (found, None) => found?,
        },
        Predicate::FreeText(pattern) => anywhere(table, pattern)?,
    };
    (!exactly || found.exact).then_some(found)
}

fn anywhere(table: &dyn Dialect, pattern: &Pattern) -> Option<Translation> {
    let pieces = pattern.pieces()?;
    let mut columns = Vec::new();
    let mut stored = vec![Column::Tags];
    let mut derived = false;
    for field in Field::SEARCHED {
        match table.expression(*field) {
            Some(exact) => columns.push(exact),
            None => {
                derived |= matches!(field, Field::System | Field::Endpoint);
                stored.extend(Column::of(*field));
            }
        }
    }
    if derived {
        // Made of the address where it is absent: what is found in it is found in the address, too.
        let Pattern::Contains(_, text) = pattern else { return None };
        if "{id}".contains(text.as_str()) || text.contains(['{', '}']) {
            return None;
        }
        stored.push(Column::Service);
    }
    for target in stored.into_iter().filter(|target| table.fills(*target)) {
        columns.push(table.raw_text(target)?);
    }
    let parts: Option<Vec<Sql>> = columns.iter().map(|column| table.like(column, &pieces)).collect();
    Some(Translation::superset(Sql::join(parts?, " OR ")))
}

fn leaf(table: &dyn Dialect, leaf: &Comparator) -> Option<Translation> {
    let field = match &leaf.target {
        Operand::Field(field) => *field,
        Operand::Path(root, _) => return in_payload(table, leaf, *root),
    };
    if field == Field::Source {
        let answer = match &leaf.test {
            Matcher::Present => true,
            Matcher::Text(patterns) => patterns.iter().any(|pattern| pattern.test(table.source_name())),
            _ => return None,
        };
        return Some(Translation::exact(Sql::constant(leaf.apply_negation(Some(answer)))));
    }
    let column = match table.expression(field) {
        Some(column) => column,
        None if is_absent(table, field) => return Some(Translation::exact(Sql::constant(leaf.apply_negation(None)))),
        None => return derived(table, field, leaf),
    };
    let any = |parts: Vec<Sql>| Sql::join(parts, " OR ");
    let (test, exact) = match &leaf.test {
        Matcher::Present => (Sql::constant(true), true),
        Matcher::Text(patterns) => {
            let parts: Option<Vec<(Sql, bool)>> = patterns.iter().map(|p| pattern(table, &column, p)).collect();
            let parts = parts?;
            let exact = parts.iter().all(|(_, exact)| *exact);
            (any(parts.into_iter().map(|(sql, _)| sql).collect()), exact)
        }
        Matcher::Number(list) => (any(list.iter().map(|i| interval(&column, i)).collect()), true),
        Matcher::Time(list) => (any(list.iter().map(|r| table.in_range(field, &column, r)).collect()), true),
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

/// A pattern on a text column, and whether that is exact.
fn pattern(table: &dyn Dialect, column: &str, pattern: &Pattern) -> Option<(Sql, bool)> {
    match pattern {
        Pattern::Exact(_) | Pattern::Order(..) => Some((table.compares(column, pattern)?, true)),
        other => table.like(column, &other.pieces()?).map(|sql| (sql, false)),
    }
}

/// A field that is made of the address where its column is empty: those rows come back, too.
fn derived(table: &dyn Dialect, field: Field, leaf: &Comparator) -> Option<Translation> {
    let Matcher::Text(patterns) = &leaf.test else { return None };
    if !matches!(field, Field::System | Field::Endpoint) || leaf.negated || leaf.or_absent {
        return None;
    }
    let own = table.raw_text(Column::of(field)?)?;
    let parts: Option<Vec<Sql>> = patterns.iter().map(|p| pattern(table, &own, p).map(|(sql, _)| sql)).collect();
    let mut parts = parts?;
    parts.push(Sql::raw(format!("{own} IS NULL")));
    Some(Translation::superset(Sql::join(parts, " OR ")))
}

/// Whether a field has no value in any row.
pub(crate) fn is_absent(table: &dyn Dialect, field: Field) -> bool {
    Column::is_absent(field, |target| !table.fills(target))
}

/// A text that is looked for in a part of the payload is somewhere in its JSON.
fn in_payload(table: &dyn Dialect, leaf: &Comparator, root: PathRoot) -> Option<Translation> {
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
    let paths = table.schema().definition().payload.get(part)?;
    let [path] = paths.list() else { return None };
    let one = |test: &JsonTest| {
        // Numbers have several spellings, and a part of a text may be escaped.
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_'));
        let pieces = [&test.whole, &test.inside].into_iter().flatten().next()?.pieces()?;
        let word = pieces.iter().find_map(|piece| match piece {
            GlobPiece::Text(text) if plain(text) && text.chars().any(char::is_alphabetic) => Some(text),
            _ => None,
        })?;
        if test.interval.is_some() { None } else { table.holds(path, word) }
    };
    let parts: Option<Vec<Sql>> = tests.iter().map(one).collect();
    Some(Translation::superset(Sql::join(parts?, " OR ")))
}
