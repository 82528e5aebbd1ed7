//! Conditions that indexes answer. Filters ignore the case of letters, as most collations of MySQL do: then the column
//! itself is compared, which keeps no less. The exact condition stands beside it.

use crate::mapping::Mapping;
use crate::relation::{Column, ColumnType, name};
use crate::translate::Dialect as _;
use crosstail_core::filter::{Comparator, Field, GlobPiece, Matcher, Operand, Pattern};
use crosstail_core::model::{Direction, Kind, Level, Status};
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};

/// The digits of a UUID without hyphens.
const DIGITS: usize = 32;

/// A condition that holds wherever a comparison does; `None` where no index answers one.
pub(crate) fn narrows(mapping: &Mapping, leaf: &Comparator) -> Option<Sql> {
    let Operand::Field(field) = leaf.target else { return None };
    if leaf.negated || leaf.or_absent || mapping.schema.has_rules() {
        return None;
    }
    match (&leaf.test, field) {
        (Matcher::Text(patterns), Field::Id) => {
            let mut parts = of_target(mapping, Target::Id, patterns)?;
            parts.push(of_key(mapping, patterns)?);
            Some(Sql::join(parts, " OR "))
        }
        (Matcher::Text(patterns), Field::System) => {
            let definition = mapping.schema.definition();
            // Where it is derived, or has a default, rows without one may be meant.
            if definition.system_from_url || definition.defaults.contains_key("system") {
                return None;
            }
            let mut parts = of_target(mapping, Target::System, patterns)?;
            parts.extend(of_target(mapping, Target::Service, patterns)?);
            (!parts.is_empty()).then(|| Sql::join(parts, " OR "))
        }
        (
            Matcher::Text(patterns),
            Field::Request | Field::Correlation | Field::Parent | Field::Method | Field::Operation,
        ) => {
            let parts = of_target(mapping, Target::of(field)?, patterns)?;
            (!parts.is_empty()).then(|| Sql::join(parts, " OR "))
        }
        (Matcher::Word(mask), _) => of_words(mapping, field, *mask),
        _ => None,
    }
}

/// What each column that fills a target is compared with; `None` where one has no index.
fn of_target(mapping: &Mapping, target: Target, patterns: &[Pattern]) -> Option<Vec<Sql>> {
    let one = |(sql, _): (&str, ColumnType)| {
        let column = mapping.column_of(sql)?;
        of_column(mapping, column, patterns)
    };
    mapping.sources(target).into_iter().map(one).collect()
}

fn of_column(mapping: &Mapping, column: &Column, patterns: &[Pattern]) -> Option<Sql> {
    if !mapping.relation.indexed.contains(&column.name) {
        return None;
    }
    let parts: Option<Vec<Sql>> = patterns
        .iter()
        .map(|pattern| match pattern {
            Pattern::Exact(text) => is(column, text, false),
            pattern => {
                let (text, beginning) = literal_of(pattern)?;
                is(column, &text, beginning)
            }
        })
        .collect();
    Some(Sql::join(parts?, " OR "))
}

/// A literal text, and whether it may be only the beginning.
fn literal_of(pattern: &Pattern) -> Option<(String, bool)> {
    match pattern.pieces()?.as_slice() {
        [GlobPiece::Text(text)] if text.is_ascii() => Some((text.clone(), false)),
        [GlobPiece::Text(text), GlobPiece::Any] if text.is_ascii() => Some((text.clone(), true)),
        _ => None,
    }
}

/// The row's own key behind the name of its table.
fn of_key(mapping: &Mapping, patterns: &[Pattern]) -> Option<Sql> {
    let prefix = mapping.prefix().to_lowercase();
    let [key] = mapping.key.as_slice() else { return None };
    let column = mapping.relation.column(key)?;
    let mut parts = Vec::new();
    for pattern in patterns {
        let (text, beginning) = match pattern {
            Pattern::Exact(text) => (text.to_lowercase(), false),
            pattern => literal_of(pattern)?,
        };
        if text.len() <= prefix.len() {
            if beginning && prefix.starts_with(&text) {
                return None;
            }
        } else if let Some(rest) = text.strip_prefix(&prefix) {
            if !mapping.relation.indexed.contains(key) {
                return None;
            }
            parts.push(is(column, rest, beginning)?);
        }
    }
    Some(Sql::join(parts, " OR "))
}

/// Rows whose column is a text, whatever the case of its letters, or begins with it.
fn is(column: &Column, text: &str, beginning: bool) -> Option<Sql> {
    let own = format!("t.{}", name(&column.name));
    match column.holds {
        ColumnType::Int => Some(number_is(&own, text, beginning)?),
        ColumnType::PackedUuid => {
            let hex: String = text.chars().filter(|c| *c != '-').collect();
            if hex.len() > DIGITS || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Some(Sql::constant(false));
            }
            let (low, high) = (format!("{hex:0<32}"), format!("{hex:f<32}"));
            Some(Sql::raw(format!("{own} BETWEEN x'{low}' AND x'{high}'")))
        }
        ColumnType::Uuid => {
            let whole = uuid::Uuid::parse_str(text).ok()?;
            Some(Sql::raw(format!("{own} = '{whole}'")))
        }
        ColumnType::Text => {
            let any_case = ignores_case(column, text);
            let letters = text.bytes().any(|b| b.is_ascii_alphabetic());
            let fits = column.charset.starts_with("utf8") || column.charset == "ascii" || column.charset == "latin1";
            if !fits || (letters && !any_case) {
                return None;
            }
            if !beginning {
                return Some(Sql::with(format!("{own} = {PLACEHOLDER}"), Bind::Text(text.to_owned())));
            }
            let mut shape = String::new();
            for c in text.chars() {
                if matches!(c, '%' | '_' | '|') {
                    shape.push('|');
                }
                shape.push(c);
            }
            shape.push('%');
            Some(Sql::with(format!("{own} LIKE {PLACEHOLDER} ESCAPE '|'"), Bind::Text(shape)))
        }
        _ => None,
    }
}

/// Whether a column's collation takes every spelling of a text's ASCII letters for the same. One that tells letters by their case
/// knows only one spelling, and a Turkish one knows `i` and `I` as two letters.
fn ignores_case(column: &Column, text: &str) -> bool {
    let is_turkish = column.collation.contains("turkish") || column.collation.contains("_tr_");
    column.collation.ends_with("_ci") && !(is_turkish && text.contains(['i', 'I']))
}

/// Numbers that are written as digits, or begin with them.
fn number_is(own: &str, text: &str, beginning: bool) -> Option<Sql> {
    if text.starts_with('-') {
        return None;
    }
    let Some(first) = text.parse::<i64>().ok().filter(|n| n.to_string() == text) else {
        return Some(Sql::constant(false));
    };
    let mut parts = vec![Sql::raw(format!("{own} = {first}"))];
    let mut scale: i64 = 10;
    let longer = beginning && first > 0;
    while let Some(low) = first.checked_mul(scale).filter(|_| longer) {
        parts.push(Sql::raw(format!("{own} BETWEEN {low} AND {}", low.saturating_add(scale - 1))));
        let Some(next) = scale.checked_mul(10) else { break };
        scale = next;
    }
    Some(Sql::join(parts, " OR "))
}

/// Columns of words: those of the store that mean what is wanted, in any case.
fn of_words(mapping: &Mapping, field: Field, mask: u32) -> Option<Sql> {
    let is = |index: usize| mask & (1 << index) != 0;
    let definition = mapping.schema.definition();
    let (target, key) = match field {
        Field::Status | Field::Is => (Target::Status, "status"),
        Field::Level => (Target::Level, "level"),
        Field::Direction => (Target::Direction, "direction"),
        Field::Kind => (Target::Kind, "kind"),
        _ => return None,
    };
    let sources = mapping.sources(target);
    let [(sql, _)] = sources.as_slice() else { return None };
    let column = mapping.column_of(sql)?;
    let fits = column.holds == ColumnType::Text && column.collation.ends_with("_ci");
    if !fits || !mapping.relation.indexed.contains(&column.name) {
        return None;
    }
    // Where a row without a word of its own may be meant, no list of words is enough.
    let default = definition.defaults.get(key).map(String::as_str);
    let own: Vec<(&str, usize)> = match field {
        Field::Status | Field::Is => {
            let http = mapping.fills(Target::HttpStatus) && !definition.http_errors_may_succeed;
            let failed = |status: Status| matches!(status, Status::Failed | Status::Timeout);
            let wanted = |status: Status| match field {
                Field::Status => {
                    is(status as usize) || (http && status == Status::Success && is(Status::Failed as usize))
                }
                _ => {
                    let word = |word: &str| field.words().iter().position(|known| *known == word).is_some_and(is);
                    (word("failure") && (failed(status) || (http && status == Status::Success)))
                        || (word("pending") && status == Status::InProgress)
                }
            };
            let ok = field == Field::Is && field.words().iter().position(|word| *word == "ok").is_some_and(is);
            if ok || (field == Field::Is && mapping.fills(Target::Level)) {
                return None;
            }
            Status::ALL.iter().filter(|status| wanted(**status)).map(|s| (s.as_str(), *s as usize)).collect()
        }
        Field::Level => Level::ALL.iter().filter(|l| is(**l as usize)).map(|l| (l.as_str(), *l as usize)).collect(),
        Field::Direction => {
            if is(default.and_then(Direction::parse_any).unwrap_or(Direction::Internal) as usize) {
                return None;
            }
            Direction::ALL.iter().filter(|d| is(**d as usize)).map(|d| (d.as_str(), *d as usize)).collect()
        }
        _ => {
            let default = default.and_then(Kind::parse);
            if default.map_or(is(Kind::Log as usize) || is(Kind::Other as usize), |kind| is(kind as usize)) {
                return None;
            }
            Kind::ALL.iter().filter(|k| is(**k as usize)).map(|k| (k.as_str(), *k as usize)).collect()
        }
    };
    let mut words: Vec<String> = own.iter().map(|(word, _)| (*word).to_owned()).collect();
    let ours = |word: &str| own.iter().any(|(known, _)| *known == word);
    words.extend(definition.words_of(key).filter(|(_, meaning)| ours(meaning)).map(|(word, _)| word.to_owned()));
    match field {
        Field::Level => {
            let known = Level::ALIASES.iter().filter(|(_, level)| is(*level as usize));
            words.extend(known.map(|(word, _)| (*word).to_owned()));
        }
        Field::Direction => {
            let known = Direction::ALIASES.iter().filter(|(_, way)| is(*way as usize));
            words.extend(known.map(|(word, _)| (*word).to_owned()));
        }
        _ => {}
    }
    words.sort();
    words.dedup();
    if words.iter().any(|word| !ignores_case(column, word)) {
        return None;
    }
    if words.is_empty() {
        return Some(Sql::constant(false));
    }
    let mut sql = Sql::raw(format!("t.{} IN ", name(&column.name)));
    sql.append("", &crate::relation::list(&words));
    Some(sql)
}
