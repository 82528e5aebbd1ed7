//! Translates a predicate to SQL with bind parameters. What has no exact translation becomes "true" and is evaluated
//! locally.

use super::mapping::Mapping;
use crosstail_core::filter::{Comparator, Field, Matcher, Operand, Pattern, Predicate, TimeRange, ValueType};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, interval, operator};

/// The condition of a predicate, and how many of its top-level clauses it evaluates exactly.
pub(super) fn condition(mapping: &Mapping, predicate: &Predicate) -> (Sql, usize) {
    let clauses: &[Predicate] = match predicate {
        Predicate::All => &[],
        Predicate::And(parts) => parts,
        other => std::slice::from_ref(other),
    };
    let exact: Vec<Sql> = clauses.iter().filter_map(|clause| translate(mapping, clause, true)).collect();
    let count = exact.len();
    (Sql::join(exact, " AND "), count)
}

/// `positive`: the condition is not negated, so NULL may stand for false and an index can be used.
fn translate(mapping: &Mapping, predicate: &Predicate, positive: bool) -> Option<Sql> {
    let all = |parts: &[Predicate], positive| {
        parts.iter().map(|part| translate(mapping, part, positive)).collect::<Option<Vec<_>>>()
    };
    Some(match predicate {
        Predicate::All => Sql::constant(true),
        Predicate::And(parts) => Sql::join(all(parts, positive)?, " AND "),
        Predicate::Or(parts) => Sql::join(all(parts, positive)?, " OR "),
        Predicate::Not(part) => {
            let inner = translate(mapping, part, false)?;
            Sql { text: format!("NOT ({})", inner.text), binds: inner.binds }
        }
        Predicate::Compare(found) => leaf(mapping, found, positive)?,
        Predicate::FreeText(pattern) => {
            let parts = Field::SEARCHED
                .iter()
                .filter_map(|field| mapping.column(*field))
                .map(|column| pattern_sql(&column, pattern))
                .map(|sql| Sql { text: format!("coalesce({}, 0)", sql.text), binds: sql.binds })
                .collect();
            Sql::join(parts, " OR ")
        }
    })
}

fn leaf(mapping: &Mapping, leaf: &Comparator, positive: bool) -> Option<Sql> {
    let Operand::Field(field) = leaf.target else { return None };
    if field == Field::Source {
        let answer = match &leaf.test {
            Matcher::Present => true,
            Matcher::Text(patterns) => patterns.iter().any(|pattern| pattern.test(&mapping.source_name)),
            _ => return None,
        };
        return Some(Sql::constant(leaf.apply_negation(Some(answer))));
    }
    if matches!(field, Field::Tags | Field::Pattern) {
        return None;
    }
    let Some(column) = expression(mapping, field) else {
        return Some(Sql::constant(leaf.apply_negation(None)));
    };
    let test = match &leaf.test {
        Matcher::Present => Sql::constant(true),
        Matcher::Text(patterns) => patterns_sql(mapping.stored(field).unwrap_or(&column), &column, patterns),
        Matcher::Number(list) => Sql::join(list.iter().map(|i| interval(&column, i)).collect(), " OR "),
        Matcher::Time(list) => Sql::join(list.iter().map(|r| time_sql(mapping, &column, r)).collect(), " OR "),
        Matcher::Word(mask) => {
            let words = field.words();
            let kept: Vec<&str> =
                words.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0).map(|(_, w)| *w).collect();
            let list = kept.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
            Sql::raw(format!("{column} IN ({list})"))
        }
        Matcher::Json(_) => return None,
    };
    if positive && !leaf.negated && !leaf.or_absent && !matches!(leaf.test, Matcher::Present) {
        return Some(test);
    }
    let inner = if leaf.negated { format!("NOT ({})", test.text) } else { test.text };
    let absent = u8::from(leaf.or_absent);
    Some(Sql { text: format!("CASE WHEN {column} IS NULL THEN {absent} ELSE ({inner}) END"), binds: test.binds })
}

/// The value of a field in SQL; NULL where the local evaluator finds the field absent.
pub(super) fn expression(mapping: &Mapping, field: Field) -> Option<String> {
    let words = |field: Field| field.words().iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    let status = mapping.column(Field::Status);
    Some(match field {
        Field::Is => {
            let level = mapping.column(Field::Level).unwrap_or_else(|| "NULL".to_owned());
            let status = status.unwrap_or_else(|| "NULL".to_owned());
            let known = words(Field::Status);
            format!(
                "CASE WHEN {status} IN ('failed', 'timeout') THEN 'failure' WHEN {status} = 'in_progress' THEN 'pending' \
                 WHEN {status} IN ({known}) THEN 'ok' WHEN {level} IN ('error', 'fatal') THEN 'failure' ELSE 'ok' END"
            )
        }
        Field::Kind => {
            let column = mapping.column(field).unwrap_or_else(|| "NULL".to_owned());
            let level = mapping.column(Field::Level).unwrap_or_else(|| "NULL".to_owned());
            let (known, levels) = (words(field), words(Field::Level));
            format!(
                "CASE WHEN {column} IN ({known}) THEN {column} WHEN {level} IN ({levels}) THEN 'log' ELSE 'other' END"
            )
        }
        Field::Direction => {
            let column = mapping.column(field).unwrap_or_else(|| "NULL".to_owned());
            format!("CASE WHEN {column} IN ({}) THEN {column} ELSE 'internal' END", words(field))
        }
        Field::Duration => {
            let own = mapping.column(field)?;
            let (start, end) = (mapping.column(Field::Time)?, mapping.column(Field::Completed));
            match (end, status) {
                (Some(end), Some(status)) => format!(
                    "coalesce({own}, CASE WHEN {status} IN ('success', 'cancelled', 'timeout', 'failed') \
                     AND {end} >= {start} THEN {end} - {start} END)"
                ),
                _ => own,
            }
        }
        Field::Http => {
            let column = mapping.column(field)?;
            format!("CASE WHEN {column} BETWEEN 100 AND 999 THEN {column} END")
        }
        Field::Attempt | Field::MaxAttempts => {
            let column = mapping.column(field)?;
            format!("CASE WHEN {column} BETWEEN 0 AND 65535 THEN {column} END")
        }
        _ if field.class() == ValueType::Word => {
            let column = mapping.column(field)?;
            format!("CASE WHEN {column} IN ({}) THEN {column} END", words(field))
        }
        _ => mapping.column(field)?,
    })
}

/// Any of some patterns. Whole values are one list, which is looked up in the index of the column as it is stored, instead of
/// being compared with every row: hundreds of ids at once are usual.
fn patterns_sql(stored: &str, column: &str, patterns: &[Pattern]) -> Sql {
    let exact = patterns.iter().map(|pattern| match pattern {
        // An empty text is none.
        Pattern::Exact(text) if !text.is_empty() => Some(Bind::Text(text.clone())),
        _ => None,
    });
    match exact.collect::<Option<Vec<Bind>>>() {
        Some(binds) if !binds.is_empty() => {
            let list = vec![PLACEHOLDER.to_string(); binds.len()].join(", ");
            Sql { text: format!("{stored} IN ({list})"), binds }
        }
        _ => Sql::join(patterns.iter().map(|pattern| pattern_sql(column, pattern)).collect(), " OR "),
    }
}

fn pattern_sql(column: &str, pattern: &Pattern) -> Sql {
    match pattern {
        Pattern::Exact(text) => Sql::with(format!("{column} = {PLACEHOLDER}"), Bind::Text(text.clone())),
        Pattern::Regex(regex) | Pattern::Contains(regex, _) | Pattern::Glob(regex, _) => {
            Sql::with(format!("{column} REGEXP {PLACEHOLDER}"), Bind::Text(regex.as_str().to_owned()))
        }
        Pattern::Order(op, text) => {
            Sql::with(format!("{column} {} {PLACEHOLDER}", operator(*op)), Bind::Text(text.clone()))
        }
    }
}

fn time_sql(mapping: &Mapping, column: &str, range: &TimeRange) -> Sql {
    let mut parts = Vec::new();
    if let Some(start) = range.start {
        parts.push(Sql::with(format!("{column} >= {PLACEHOLDER}"), Bind::Int(mapping.stored_time(start))));
    }
    if let Some(end) = range.end {
        parts.push(Sql::with(format!("{column} < {PLACEHOLDER}"), Bind::Int(mapping.stored_time(end))));
    }
    if parts.is_empty() { Sql::raw(format!("{column} IS NOT NULL")) } else { Sql::join(parts, " AND ") }
}
