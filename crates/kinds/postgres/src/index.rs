//! Conditions that indexes answer. Filters ignore the case of letters, and the words of a status are ours: no index
//! knows either. So the index itself is first asked, by a few look-ups, which values there are that could be meant; the
//! condition then names these. It stands beside the one that is exact, and keeps no less.

use super::connection::Reader;
use super::mapping::{Mapping, Selected};
use super::relation::ColumnType;
use crosstail_core::filter::{Comparator, Field, GlobPiece, Matcher, Operand, Pattern, Predicate};
use crosstail_core::model::{Direction, Kind, Level, Status};
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use std::collections::{BTreeMap, BTreeSet};

/// A column with more values is not one of words.
const WORDS: usize = 300;
/// Texts of one filter that are looked up, at most.
const TEXTS: usize = 2000;

/// What indexes have answered.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// All values of a column.
    values: BTreeMap<String, Vec<String>>,
    /// For a column and a text in lower case: the beginnings of values that are it but for the case of letters, each with
    /// whether there are longer values.
    spellings: BTreeMap<(String, String), Vec<(String, bool)>>,
}

/// What of a field the index of a column is asked.
fn targets(field: Field) -> Option<Vec<Target>> {
    Some(match field {
        Field::System => vec![Target::System, Target::Service],
        Field::Is => vec![Target::Status],
        Field::Endpoint | Field::Url | Field::Message | Field::Error | Field::Tags | Field::Entity | Field::Source => {
            return None;
        }
        field => vec![Target::of(field)?],
    })
}

fn is_id(field: Field) -> bool {
    matches!(field, Field::Id | Field::Request | Field::Correlation | Field::Parent)
}

/// The comparisons that a predicate needs to hold, or of which it needs one.
fn leaves<'p>(predicate: &'p Predicate, into: &mut Vec<&'p Comparator>) {
    match predicate {
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().for_each(|part| leaves(part, into)),
        Predicate::Compare(leaf) if !leaf.negated && !leaf.or_absent => into.push(leaf),
        _ => {}
    }
}

/// A literal text, and whether it may be only the beginning.
fn literal_of(pattern: &Pattern) -> Option<(String, bool)> {
    let Pattern::Glob(..) = pattern else { return None };
    match pattern.pieces()?.as_slice() {
        [GlobPiece::Text(text)] if text.is_ascii() && !text.contains('\0') => Some((text.clone(), false)),
        [GlobPiece::Text(text), GlobPiece::Any] if text.is_ascii() && !text.contains('\0') => {
            Some((text.clone(), true))
        }
        _ => None,
    }
}

/// Asks the indexes what a predicate needs to know.
pub(super) async fn hints(reader: Reader<'_>, mapping: &Mapping, predicate: &Predicate) -> Result<Hints, sqlx::Error> {
    let mut hints = Hints::default();
    if mapping.any_encoding || !mapping.relation.placed {
        return Ok(hints);
    }
    let mut found = Vec::new();
    leaves(predicate, &mut found);
    let mut words: BTreeSet<&str> = BTreeSet::new();
    let mut texts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for leaf in found {
        let Operand::Field(field) = leaf.target else { continue };
        let Some(targets) = targets(field) else { continue };
        for one in targets.iter().flat_map(|target| mapping.sources(*target)) {
            if !one.indexed || one.is_opaque() || one.holds != ColumnType::Text {
                continue;
            }
            match &leaf.test {
                Matcher::Text(patterns) if is_id(field) && one.by_code => {
                    let wanted = patterns.iter().filter_map(literal_of).map(|(text, _)| text);
                    texts.entry(one.sql.as_str()).or_default().extend(wanted.take(TEXTS));
                }
                Matcher::Word(_) | Matcher::Text(_) if !is_id(field) => {
                    words.insert(one.sql.as_str());
                }
                _ => {}
            }
        }
    }
    if let (Some((column, ColumnType::Text)), true) = (mapping.key.single(), texts_of_key(mapping, predicate).is_some())
    {
        let rest = texts_of_key(mapping, predicate).unwrap_or_default();
        texts.entry(column).or_default().extend(rest);
    }
    texts.retain(|_, wanted| !wanted.is_empty());
    if words.is_empty() && texts.is_empty() {
        return Ok(hints);
    }
    let mut reading = reader.read().await?;
    // Each look-up is for one row, and a scan would seem cheap for it until there is none.
    sqlx::raw_sql("SET LOCAL enable_seqscan = off").execute(reading.on()?).await?;
    for column in words {
        let rows = reading.fetch(values_of(mapping, column)).await?;
        if rows.len() <= WORDS {
            let values = rows.iter().map(|row| super::row::text(row, 0).map(|t| t.map(std::borrow::Cow::into_owned)));
            let values: Vec<Option<String>> = values.collect::<Result<_, _>>()?;
            hints.values.insert(column.to_owned(), values.into_iter().flatten().collect());
        }
    }
    for (column, wanted) in texts {
        let wanted: Vec<String> = wanted.into_iter().collect();
        for text in &wanted {
            hints.spellings.insert((column.to_owned(), text.clone()), Vec::new());
        }
        for row in reading.fetch(spellings_of(mapping, column, wanted)).await? {
            let (text, spelled): (String, String) = (sqlx::Row::try_get(&row, 0)?, sqlx::Row::try_get(&row, 1)?);
            let longer: bool = sqlx::Row::try_get(&row, 2)?;
            if let Some(known) = hints.spellings.get_mut(&(column.to_owned(), text)) {
                known.push((spelled, longer));
            }
        }
    }
    reading.end().await?;
    Ok(hints)
}

/// Of the identities that a predicate asks for, the keys of this table, in lower case.
fn texts_of_key(mapping: &Mapping, predicate: &Predicate) -> Option<Vec<String>> {
    let column = mapping.relation.columns.iter().find(|column| {
        mapping.key.single().is_some_and(|(sql, _)| sql == format!("t.{}", crosstail_source::sql::name(&column.name)))
    })?;
    if !column.by_code || !mapping.relation.is_indexed(&column.name) {
        return None;
    }
    let prefix = mapping.prefix().to_lowercase();
    let mut found = Vec::new();
    leaves(predicate, &mut found);
    let ids = found.iter().filter(|leaf| leaf.target == Operand::Field(Field::Id));
    let patterns = ids.flat_map(|leaf| match &leaf.test {
        Matcher::Text(patterns) => patterns.as_slice(),
        _ => &[],
    });
    let rests = patterns.filter_map(literal_of).filter_map(|(text, _)| text.strip_prefix(&prefix).map(str::to_owned));
    Some(rests.filter(|rest| !rest.is_empty()).take(TEXTS).collect())
}

/// The values of a column: each is found by the one before it.
fn values_of(mapping: &Mapping, column: &str) -> Sql {
    let table = &mapping.relation.sql;
    Sql::raw(format!(
        "WITH RECURSIVE value(v) AS ((SELECT {column} FROM {table} t WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1) \
         UNION ALL SELECT (SELECT {column} FROM {table} t WHERE {column} > value.v ORDER BY {column} LIMIT 1) \
         FROM value WHERE value.v IS NOT NULL) SELECT v::text FROM value WHERE v IS NOT NULL LIMIT {}",
        WORDS + 1
    ))
}

/// How texts are spelled in a column: letter by letter, in lower and in upper case, as far as there are values. Two letters
/// have a third form, which is theirs by Unicode's rules.
fn spellings_of(mapping: &Mapping, column: &str, texts: Vec<String>) -> Sql {
    let table = &mapping.relation.sql;
    let text = format!(
        "WITH RECURSIVE way(x, p, k) AS (SELECT x, ''::text, 0 FROM unnest({PLACEHOLDER}::text[]) x UNION ALL \
         SELECT way.x, way.p || c.c, way.k + 1 FROM way CROSS JOIN LATERAL (SELECT DISTINCT c FROM unnest(ARRAY[\
         substr(way.x, way.k + 1, 1), upper(substr(way.x, way.k + 1, 1)), \
         CASE substr(way.x, way.k + 1, 1) WHEN 'k' THEN U&'\\212A' WHEN 's' THEN U&'\\017F' END]) c WHERE c IS NOT NULL) c \
         WHERE way.k < length(way.x) AND EXISTS (SELECT FROM {table} t WHERE {column} >= way.p || c.c \
         AND {column} < way.p || c.c || chr(1114111))) \
         SELECT x, p, EXISTS (SELECT FROM {table} t WHERE {column} > p AND {column} < p || chr(1114111)) \
         FROM way WHERE k = length(x)"
    );
    Sql::with(text, Bind::Texts(texts))
}

/// A condition that holds wherever a comparison does, and that an index answers; `None` where there is none.
pub(super) fn narrows(mapping: &Mapping, leaf: &Comparator, hints: &Hints) -> Option<Sql> {
    let Operand::Field(field) = leaf.target else { return None };
    if leaf.negated || leaf.or_absent || mapping.schema.has_rules() {
        return None;
    }
    if is_id(field) {
        let Matcher::Text(patterns) = &leaf.test else { return None };
        let sources = mapping.sources(Target::of(field)?);
        let mut parts: Vec<Sql> =
            sources.iter().map(|one| of_texts(one, patterns, hints)).collect::<Option<Vec<_>>>()?;
        if field == Field::Id {
            parts.push(of_key(mapping, patterns, hints)?);
        }
        return Some(Sql::join(parts, " OR "));
    }
    of_words(mapping, field, &leaf.test, hints)
}

/// A column that holds one of several texts.
fn of_texts(one: &Selected, patterns: &[Pattern], hints: &Hints) -> Option<Sql> {
    if !one.indexed || one.is_opaque() {
        return None;
    }
    let mut found = Found::default();
    for pattern in patterns {
        match pattern {
            Pattern::Exact(text) => found.equal.push(text.clone()),
            pattern => {
                let (text, beginning) = literal_of(pattern)?;
                found.add(&one.sql, one.holds, &text, beginning, hints)?;
            }
        }
    }
    Some(found.sql(&one.sql, one.holds))
}

/// The row's own key behind the name of its table.
fn of_key(mapping: &Mapping, patterns: &[Pattern], hints: &Hints) -> Option<Sql> {
    let prefix = mapping.prefix();
    let lower = prefix.to_lowercase();
    let mut found = Found::default();
    let single = mapping.key.single();
    for pattern in patterns {
        match pattern {
            Pattern::Exact(text) => {
                if let Some(key) = text.strip_prefix(&prefix) {
                    single?;
                    found.equal.push(key.to_owned());
                }
            }
            pattern => {
                let (text, beginning) = literal_of(pattern)?;
                if text.len() <= lower.len() {
                    if beginning && lower.starts_with(&text) {
                        return None;
                    }
                } else if let Some(rest) = text.strip_prefix(&lower) {
                    let (column, holds) = single?;
                    found.add(column, holds, rest, beginning, hints)?;
                }
            }
        }
    }
    match single {
        Some((column, holds)) => Some(found.sql(column, holds)),
        None => found.equal.is_empty().then(|| Sql::constant(false)),
    }
}

/// Values that a column may have, and ranges.
#[derive(Default)]
struct Found {
    equal: Vec<String>,
    ranges: Vec<Sql>,
}

impl Found {
    /// Adds a text in any case, whole or as a beginning.
    fn add(&mut self, column: &str, holds: ColumnType, text: &str, beginning: bool, hints: &Hints) -> Option<()> {
        match holds {
            ColumnType::Uuid => {
                self.add_uuid(column, text, beginning);
                Some(())
            }
            ColumnType::Int => self.add_number(column, text, beginning),
            ColumnType::Text => {
                for (spelled, longer) in hints.spellings.get(&(column.to_owned(), text.to_owned()))? {
                    if beginning && *longer {
                        let range = format!(
                            "{column} >= {PLACEHOLDER}::text AND {column} < {PLACEHOLDER}::text || chr(1114111)"
                        );
                        let binds = vec![Bind::Text(spelled.clone()), Bind::Text(spelled.clone())];
                        self.ranges.push(Sql { text: range, binds });
                    } else {
                        self.equal.push(spelled.clone());
                    }
                }
                Some(())
            }
            _ => None,
        }
    }

    fn add_uuid(&mut self, column: &str, text: &str, beginning: bool) {
        const SHAPE: &str = "00000000-0000-0000-0000-000000000000";
        let fits = text.len() <= SHAPE.len()
            && text.chars().zip(SHAPE.chars()).all(|(c, s)| if s == '-' { c == '-' } else { c.is_ascii_hexdigit() });
        if !fits {
            return;
        }
        if text.len() == SHAPE.len() {
            self.equal.push(text.to_owned());
        } else if beginning {
            let low = format!("{text}{}", &SHAPE[text.len()..]);
            let high = format!("{text}{}", SHAPE[text.len()..].replace('0', "f"));
            let range = format!("{column} >= {PLACEHOLDER}::text::uuid AND {column} <= {PLACEHOLDER}::text::uuid");
            self.ranges.push(Sql { text: range, binds: vec![Bind::Text(low), Bind::Text(high)] });
        }
    }

    fn add_number(&mut self, column: &str, text: &str, beginning: bool) -> Option<()> {
        if text.starts_with('-') {
            return None;
        }
        let Ok(first) = text.parse::<i64>() else { return Some(()) };
        if first.to_string() != text {
            return Some(());
        }
        self.equal.push(text.to_owned());
        let mut scale: i64 = 10;
        let longer = beginning && first > 0;
        while let Some(low) = first.checked_mul(scale).filter(|_| longer) {
            let high = low.saturating_add(scale - 1);
            let range = format!("{column} BETWEEN {PLACEHOLDER}::int8 AND {PLACEHOLDER}::int8");
            self.ranges.push(Sql { text: range, binds: vec![Bind::Int(low), Bind::Int(high)] });
            let Some(next) = scale.checked_mul(10) else { break };
            scale = next;
        }
        Some(())
    }

    fn sql(self, column: &str, holds: ColumnType) -> Sql {
        let mut parts = self.ranges;
        if !self.equal.is_empty() {
            parts.push(is_any(column, holds, self.equal));
        }
        Sql::join(parts, " OR ")
    }
}

/// A column that has one of several values; those that it cannot have are left out.
fn is_any(column: &str, holds: ColumnType, values: Vec<String>) -> Sql {
    let (values, cast): (Vec<String>, &str) = match holds {
        ColumnType::Uuid => {
            (values.into_iter().filter(|v| uuid::Uuid::parse_str(v).is_ok()).collect(), "::text[]::uuid[]")
        }
        ColumnType::Int => (values.into_iter().filter(|v| v.parse::<i64>().is_ok()).collect(), "::text[]::int8[]"),
        _ => (values.into_iter().filter(|v| !v.contains('\0')).collect(), "::text[]"),
    };
    Sql::with(format!("{column} = ANY({PLACEHOLDER}{cast})"), Bind::Texts(values))
}

/// Columns of words: those of the store that mean what is wanted.
fn of_words(mapping: &Mapping, field: Field, test: &Matcher, hints: &Hints) -> Option<Sql> {
    let sources: Vec<&Selected> = targets(field)?.into_iter().flat_map(|target| mapping.sources(target)).collect();
    let first = sources.first()?;
    // Where one column of several has no index, none helps.
    if sources.iter().any(|one| !hints.values.contains_key(&one.sql)) {
        return None;
    }
    let means = meaning(mapping, field, test)?;
    let mut parts: Vec<Sql> = Vec::new();
    for one in &sources {
        let wanted = hints.values.get(&one.sql)?.iter().filter(|value| !value.is_empty() && means(Some(value)));
        parts.push(is_any(&one.sql, one.holds, wanted.cloned().collect()));
    }
    if means(None) {
        parts.push(Sql::raw(format!("{} IS NULL OR {} = ''", first.sql, first.sql)));
    }
    Some(Sql::join(parts, " OR "))
}

type Means<'a> = Box<dyn Fn(Option<&str>) -> bool + 'a>;

/// Whether a row with this value, or with none, may be wanted.
fn meaning<'a>(mapping: &'a Mapping, field: Field, test: &'a Matcher) -> Option<Means<'a>> {
    let definition = mapping.schema.definition();
    Some(match test {
        Matcher::Text(patterns) => {
            let default = definition.defaults.get("system").filter(|_| field == Field::System);
            let from_url = field == Field::System && definition.system_from_url;
            Box::new(move |value| match value.or(default.map(String::as_str)) {
                Some(value) => patterns.iter().any(|pattern| pattern.test(value)),
                None => from_url,
            })
        }
        Matcher::Word(mask) => {
            let is = move |index: usize| mask & (1 << index) != 0;
            match field {
                Field::Status | Field::Is => {
                    if mapping.sources(Target::Status).is_empty() {
                        return None;
                    }
                    let wanted = wanted_statuses(mapping, field, *mask)?;
                    Box::new(move |value| {
                        let status = value.and_then(|value| Status::parse(definition.word("status", value)));
                        status.is_some_and(|status| wanted.contains(&status))
                    })
                }
                Field::Level => Box::new(move |value| {
                    let level = value.and_then(|value| Level::parse_any(definition.word("level", value)));
                    level.is_some_and(|level| is(level as usize))
                }),
                Field::Direction => {
                    let default = definition.defaults.get("direction").and_then(|word| Direction::parse_any(word));
                    let default = default.unwrap_or(Direction::Internal);
                    Box::new(move |value| {
                        let way = value.and_then(|value| Direction::parse_any(definition.word("direction", value)));
                        is(way.unwrap_or(default) as usize)
                    })
                }
                Field::Kind => {
                    // Without a word of its own, it follows from the level.
                    let default = definition.defaults.get("kind").and_then(|word| Kind::parse(word));
                    Box::new(move |value| {
                        let own = value.and_then(|value| Kind::parse(definition.word("kind", value))).or(default);
                        own.map_or(is(Kind::Log as usize) || is(Kind::Other as usize), |kind| is(kind as usize))
                    })
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// The stored statuses of rows that may be wanted: a success with an HTTP error is a failure.
fn wanted_statuses(mapping: &Mapping, field: Field, mask: u32) -> Option<Vec<Status>> {
    let mut wanted: Vec<Status> = match field {
        Field::Status => Status::ALL.iter().copied().filter(|status| mask & (1 << (*status as usize)) != 0).collect(),
        _ => {
            let words = field.words();
            let has = |word: &str| words.iter().position(|known| *known == word).is_some_and(|i| mask & (1 << i) != 0);
            if has("ok") || !mapping.sources(Target::Level).is_empty() {
                return None;
            }
            let mut wanted = Vec::new();
            if has("failure") {
                wanted.extend([Status::Failed, Status::Timeout]);
            }
            if has("pending") {
                wanted.push(Status::InProgress);
            }
            wanted
        }
    };
    let http = !mapping.sources(Target::HttpStatus).is_empty() && !mapping.schema.definition().http_errors_may_succeed;
    if http && wanted.contains(&Status::Failed) {
        wanted.push(Status::Success);
    }
    Some(wanted)
}

/// What the server says that a query takes: whether an index narrows it by something other than the time, and rows.
pub(super) async fn cost(reader: Reader<'_>, mapping: &Mapping, sql: Sql) -> Result<(bool, u64), sqlx::Error> {
    let mut explain = Sql::raw("EXPLAIN (FORMAT JSON) ");
    explain.append("", &sql);
    let mut reading = reader.read().await?;
    let rows = reading.fetch(explain).await?;
    reading.end().await?;
    let text = rows.first().map_or(Ok(None), |row| super::row::text(row, 0))?.unwrap_or_default();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let mut told = Told { indexed: false, scans: false, rows: 0.0 };
    told.read(&plan[0]["Plan"], &mapping.relation.place.1, &mapping.time.column);
    Ok((told.indexed && !told.scans, crosstail_core::number::truncated_u64(told.rows)))
}

/// What a plan tells.
struct Told {
    indexed: bool,
    scans: bool,
    rows: f64,
}

impl Told {
    fn read(&mut self, node: &serde_json::Value, table: &str, time: &str) {
        let of_table = node["Relation Name"].as_str().is_some_and(|name| name == table || name.starts_with(table));
        let kind = node["Node Type"].as_str().unwrap_or_default();
        let rows = node["Plan Rows"].as_f64().unwrap_or(0.0);
        let column = time.trim_start_matches("t.").trim_matches('"');
        // A condition on another column than the time, of the index itself.
        let by_other = node["Index Cond"].as_str().is_some_and(|condition| {
            condition.split(" AND ").any(|part| !part.trim_start_matches('(').starts_with(column))
        });
        match kind {
            "Seq Scan" | "Parallel Seq Scan" if of_table => {
                self.scans = true;
                self.rows += rows;
            }
            "Index Scan" | "Index Only Scan" if of_table => {
                self.indexed |= by_other;
                self.scans |= !by_other;
                self.rows += rows;
            }
            "Bitmap Index Scan" => {
                self.indexed |= by_other;
                self.rows += rows;
            }
            _ => {}
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.read(child, table, time);
        }
    }
}
