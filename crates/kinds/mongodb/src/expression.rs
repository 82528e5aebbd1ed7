//! Translates a predicate to an aggregation expression. A clause is translated exactly, or to an expression that keeps
//! a superset, or not at all. A document with a value of an unexpected type, which expressions do not read as the local
//! evaluator does (numbers as text, bytes, decimals), always comes back and is evaluated locally. MongoDB's regular
//! expressions and case rules are not Rust's: so the server compares texts in ASCII.

use super::mapping::Mapping;
use super::operators::{date, first_of, interval, is_list_of_one, like, or, pattern, says_none, time, within};
use bson::{Bson, Document, doc};
use crosstail_core::filter::{Comparator, Field, Matcher, Operand, Pattern, Predicate};
use crosstail_core::model::{Direction, Kind, Level, Status, Timestamp};
use crosstail_core::schema::{LONGEST_US, Target as Column};
use std::collections::BTreeSet;

/// The types that an expression reads as the local evaluator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ReadAs {
    Text,
    /// A text that may be an object or a list, too.
    Any,
    Number,
    Time,
}

/// Translates a predicate and records the type as which each path was read.
pub(super) struct Translator<'m> {
    mapping: &'m Mapping,
    used: BTreeSet<(String, ReadAs)>,
}

/// An expression, and whether it is exactly equivalent to the clause.
struct Translation {
    expression: Bson,
    exact: bool,
}

/// The condition of a filter.
pub(super) struct Condition {
    /// An expression that is true where the document is kept.
    pub(super) expression: Bson,
    /// Whether it keeps exactly what the filter keeps, except for documents with unexpected types.
    pub(super) exact: bool,
    /// Number of clauses that it evaluates, fully or in part.
    pub(super) clauses: usize,
}

impl Translation {
    fn exact(expression: impl Into<Bson>) -> Self {
        Self { expression: expression.into(), exact: true }
    }

    fn join(parts: Vec<Self>, operator: &str) -> Self {
        let exact = parts.iter().all(|part| part.exact);
        let list: Vec<Bson> = parts.into_iter().map(|part| part.expression).collect();
        Self { expression: doc! { operator: list }.into(), exact }
    }
}

impl<'m> Translator<'m> {
    pub(super) fn new(mapping: &'m Mapping) -> Self {
        Self { mapping, used: BTreeSet::new() }
    }

    /// The condition of a predicate, from the clauses that an expression can express.
    pub(super) fn condition(&mut self, predicate: &Predicate) -> Condition {
        let clauses: &[Predicate] = match predicate {
            Predicate::All => &[],
            Predicate::And(parts) => parts,
            other => std::slice::from_ref(other),
        };
        // Where a field has a name that no expression can have, nothing is translated.
        let possible = if self.mapping.is_local { &[] } else { clauses };
        let found: Vec<Translation> = possible.iter().filter_map(|clause| self.translate(clause, false)).collect();
        let complete = found.len() == clauses.len();
        let clauses = found.len();
        let joined = Translation::join(found, "$and");
        Condition { exact: complete && joined.exact, expression: joined.expression, clauses }
    }

    /// An expression that is true for a document with a value of an unexpected type.
    pub(super) fn has_unexpected_types(&self) -> Bson {
        let absent = ["missing", "null", "undefined", "object", "array"];
        let one = |(path, used): &(String, ReadAs)| -> Bson {
            let types: &[&str] = match used {
                ReadAs::Text | ReadAs::Any => &["string", "int", "long", "bool", "objectId", "date"],
                ReadAs::Number => &["int", "long", "double"],
                ReadAs::Time => &["date"],
            };
            let is_far = |_: &ReadAs| {
                let (first, beyond) = (date(Timestamp::FIRST), date(Timestamp::BEYOND));
                [Bson::from(doc! { "$lt": [path, first] }), Bson::from(doc! { "$gte": [path, beyond] })]
            };
            // Of several times, the last one counts, and without one it is the epoch.
            let absent = absent.iter().filter(|_| *used != ReadAs::Time);
            // An object is an error.
            let absent = absent.filter(|kind| *used != ReadAs::Any || !matches!(**kind, "object" | "array"));
            let known: Vec<&str> = types.iter().chain(absent).copied().collect();
            let unknown = Bson::from(doc! { "$not": [{ "$in": [{ "$type": path }, known] }] });
            let far = Some(used).filter(|used| **used == ReadAs::Time).map(is_far);
            // Any other list is none.
            let lists = matches!(used, ReadAs::Text | ReadAs::Number).then(|| is_list_of_one(path));
            or(std::iter::once(unknown).chain(far.into_iter().flatten()).chain(lists).collect())
        };
        doc! { "$or": self.used.iter().map(one).collect::<Vec<Bson>>() }.into()
    }

    /// `exactly`: the result is negated, so a superset is not enough.
    fn translate(&mut self, predicate: &Predicate, exactly: bool) -> Option<Translation> {
        let found = match predicate {
            Predicate::All => Translation::exact(true),
            Predicate::And(parts) => {
                let found: Vec<_> = parts.iter().filter_map(|part| self.translate(part, exactly)).collect();
                let complete = found.len() == parts.len();
                let joined = Translation::join(found, "$and");
                Translation { exact: complete && joined.exact, ..joined }
            }
            Predicate::Or(parts) => {
                let found: Option<Vec<_>> = parts.iter().map(|part| self.translate(part, exactly)).collect();
                Translation::join(found?, "$or")
            }
            Predicate::Not(part) => {
                let inner = self.translate(part, true)?;
                Translation::exact(doc! { "$not": [inner.expression] })
            }
            Predicate::Compare(found) => self.leaf(found)?,
            Predicate::FreeText(pattern) => self.anywhere(pattern)?,
        };
        (!exactly || found.exact).then_some(found)
    }

    fn anywhere(&mut self, pattern: &Pattern) -> Option<Translation> {
        let pieces = pattern.pieces()?;
        let mut parts = Vec::new();
        for field in Field::SEARCHED {
            let exact = self.value(*field);
            let derived = matches!(field, Field::System | Field::Endpoint) && exact.is_none();
            if derived {
                // Where the path is empty, the value is derived from the URL: what matches it matches the URL, too.
                let Pattern::Contains(_, text) = pattern else { return None };
                if "{id}".contains(text.as_str()) || text.contains(['{', '}']) {
                    return None;
                }
                parts.extend(self.text(Column::Service));
            }
            match (exact, field) {
                (Some(value), _) => parts.push(value),
                (None, Field::Tags) if !self.mapping.paths(Column::Tags).is_empty() => return None,
                (None, field) => parts.extend(Column::of(*field).and_then(|target| self.text(target))),
            }
        }
        let list: Option<Vec<Bson>> = parts.into_iter().map(|value| like(value, &pieces)).collect();
        Some(Translation { expression: doc! { "$or": list? }.into(), exact: false })
    }

    fn leaf(&mut self, leaf: &Comparator) -> Option<Translation> {
        let Operand::Field(field) = leaf.target else { return None };
        if field == Field::Source {
            let answer = match &leaf.test {
                Matcher::Present => true,
                Matcher::Text(patterns) => patterns.iter().any(|pattern| pattern.test(&self.mapping.source_name)),
                _ => return None,
            };
            return Some(Translation::exact(leaf.apply_negation(Some(answer))));
        }
        let value = match self.value(field) {
            Some(value) => value,
            None if self.is_absent(field) => return Some(Translation::exact(leaf.apply_negation(None))),
            None => return self.derived(field, leaf),
        };
        let (test, exact) = match &leaf.test {
            Matcher::Present => (Bson::Boolean(true), true),
            Matcher::Text(patterns) => {
                let parts: Option<Vec<(Bson, bool)>> = patterns.iter().map(|p| pattern(value.clone(), p)).collect();
                let parts = parts?;
                let exact = parts.iter().all(|(_, exact)| *exact);
                (or(parts.into_iter().map(|(test, _)| test).collect()), exact)
            }
            Matcher::Number(list) => (or(list.iter().map(|i| interval(&value, i)).collect()), true),
            Matcher::Time(list) => (or(list.iter().map(|r| time(&value, r)).collect()), true),
            Matcher::Word(mask) => {
                let words = field.words();
                let kept: Vec<&str> =
                    words.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0).map(|(_, word)| *word).collect();
                (doc! { "$in": [value.clone(), kept] }.into(), true)
            }
            Matcher::Json(_) => return None,
        };
        if leaf.negated && !exact {
            return None;
        }
        let test = if leaf.negated { doc! { "$not": [test] }.into() } else { test };
        let is_null = doc! { "$eq": [{ "$ifNull": [value, Bson::Null] }, Bson::Null] };
        let expression = doc! { "$cond": [is_null, leaf.or_absent, test] };
        Some(Translation { expression: expression.into(), exact })
    }

    /// A field that is derived from the URL where its path is empty: those documents come back, too.
    fn derived(&mut self, field: Field, leaf: &Comparator) -> Option<Translation> {
        let Matcher::Text(patterns) = &leaf.test else { return None };
        if !matches!(field, Field::System | Field::Endpoint) || leaf.negated || leaf.or_absent {
            return None;
        }
        let own = self.text(Column::of(field)?)?;
        let parts: Option<Vec<Bson>> = patterns.iter().map(|p| pattern(own.clone(), p).map(|(test, _)| test)).collect();
        let mut parts = parts?;
        parts.push(doc! { "$eq": [{ "$ifNull": [own, Bson::Null] }, Bson::Null] }.into());
        Some(Translation { expression: or(parts), exact: false })
    }

    /// Whether no document has a value for a field.
    pub(super) fn is_absent(&self, field: Field) -> bool {
        Column::is_absent(field, |target| self.mapping.paths(target).is_empty())
    }

    /// The value of a field, exactly as the local evaluator reads the document; null where it is absent. `None` where
    /// an expression cannot express it.
    pub(super) fn value(&mut self, field: Field) -> Option<Bson> {
        let schema = &self.mapping.schema;
        if schema.has_rules() && !matches!(field, Field::Request | Field::Correlation) {
            return None;
        }
        let default = |key: &str| schema.definition().defaults.get(key).cloned();
        Some(match field {
            Field::Time => {
                let time = self.mapping.table.time.clone();
                self.used.insert((format!("${time}"), ReadAs::Time));
                format!("${time}").into()
            }
            // The outcome follows from other fields where none says it.
            Field::Status | Field::Is if !schema.names_status() => return None,
            Field::Status => self.status()?,
            Field::Level => {
                let own = Level::ALL.iter().map(|level| (level.to_string(), level.to_string()));
                let known =
                    own.chain(Level::ALIASES.iter().map(|(word, level)| ((*word).to_owned(), level.to_string())));
                self.word(Column::Level, "level", &known.collect::<Vec<_>>())?
            }
            Field::Kind => {
                let known: Vec<(String, String)> =
                    Kind::ALL.iter().map(|kind| (kind.to_string(), kind.to_string())).collect();
                let own = self.word(Column::Kind, "kind", &known);
                let fallback: Bson = match default("kind").and_then(|word| Kind::parse(&word)) {
                    Some(kind) => kind.as_str().into(),
                    None => match self.value(Field::Level) {
                        Some(level) => {
                            doc! { "$cond": [{ "$eq": [{ "$ifNull": [level, Bson::Null] }, Bson::Null] }, "other", "log"] }.into()
                        }
                        None => "other".into(),
                    },
                };
                own.map_or(fallback.clone(), |own| doc! { "$ifNull": [own, fallback] }.into())
            }
            Field::Direction => {
                let own = Direction::ALL.iter().map(|way| (way.to_string(), way.to_string()));
                let known =
                    own.chain(Direction::ALIASES.iter().map(|(word, way)| ((*word).to_owned(), way.to_string())));
                let own = self.word(Column::Direction, "direction", &known.collect::<Vec<_>>());
                let way = default("direction").and_then(|word| Direction::parse_any(&word));
                let fallback = way.unwrap_or(Direction::Internal).as_str();
                own.map_or(fallback.into(), |own| doc! { "$ifNull": [own, fallback] }.into())
            }
            Field::Is => {
                let status = self.status().unwrap_or(Bson::Null);
                let level = self.value(Field::Level).unwrap_or(Bson::Null);
                doc! { "$let": { "vars": { "s": status, "l": level }, "in": { "$switch": { "branches": [
                    { "case": { "$in": ["$$s", ["failed", "timeout"]] }, "then": "failure" },
                    { "case": { "$eq": ["$$s", "in_progress"] }, "then": "pending" },
                    { "case": { "$ne": [{ "$ifNull": ["$$s", Bson::Null] }, Bson::Null] }, "then": "ok" },
                    { "case": { "$in": ["$$l", ["error", "fatal"]] }, "then": "failure" },
                ], "default": "ok" } } } }
                .into()
            }
            Field::System => {
                if schema.definition().system_from_url {
                    return None;
                }
                let parts = [self.text(Column::System), self.text(Column::Service), default("system").map(Bson::from)];
                first_of(parts.into_iter().flatten().collect())?
            }
            Field::Endpoint => {
                if !self.mapping.paths(Column::Url).is_empty() {
                    return None;
                }
                self.text(Column::Endpoint)?
            }
            Field::Duration => self.duration()?,
            Field::Http => {
                let n = self.number(Column::HttpStatus)?;
                within(n, 100.0, 1000.0)
            }
            Field::Attempt | Field::MaxAttempts => {
                let n = self.number(Column::of(field)?)?;
                within(n, 0.0, 65536.0)
            }
            Field::Cpu | Field::Memory => {
                let n = self.number(Column::of(field)?)?;
                doc! { "$let": { "vars": { "n": n }, "in": { "$cond": [{ "$and": [
                    { "$gt": ["$$n", f64::NEG_INFINITY] }, { "$lt": ["$$n", f64::INFINITY] }
                ] }, "$$n", Bson::Null] } } }
                .into()
            }
            Field::NextRetry => self.moment(Column::NextRetryAt)?,
            Field::Completed if self.mapping.paths(Column::Duration).is_empty() => self.moment(Column::CompletedAt)?,
            Field::Entity => {
                let (sort, id) = (self.text(Column::EntityType), self.text(Column::EntityId));
                match (sort, id) {
                    (Some(sort), Some(id)) => {
                        first_of(vec![doc! { "$concat": [sort.clone(), " ", id.clone()] }.into(), sort, id])?
                    }
                    (one, other) => one.or(other)?,
                }
            }
            // The key stands for a document without an identity of its own: only the local evaluator knows which these
            // are.
            Field::Id | Field::Completed | Field::Tags | Field::Source => return None,
            field => self.text(Column::of(field)?)?,
        })
    }

    /// The text of a target as the assembler reads it; null where it is absent or empty.
    fn text(&mut self, target: Column) -> Option<Bson> {
        let paths: Vec<String> = self.mapping.paths(target).iter().map(|path| format!("${path}")).collect();
        let one = |path: &String| -> Bson {
            doc! { "$switch": { "branches": [
                { "case": { "$eq": [{ "$type": path }, "string"] }, "then": { "$cond": [{ "$eq": [path, ""] }, Bson::Null, path] } },
                { "case": { "$in": [{ "$type": path }, ["int", "long", "bool", "objectId", "date"]] }, "then": { "$toString": path } },
            ], "default": Bson::Null } }
            .into()
        };
        let found = first_of(paths.iter().map(one).collect());
        let may_be_any = matches!(target, Column::Error | Column::Message);
        self.used.extend(paths.into_iter().map(|path| {
            let read_as = if may_be_any && self.mapping.is_leaf(&path[1..]) { ReadAs::Any } else { ReadAs::Text };
            (path, read_as)
        }));
        if target != Column::Error {
            return found;
        }
        let said = doc! { "$cond": [says_none("$$e"), Bson::Null, "$$e"] };
        found.map(|found| doc! { "$let": { "vars": { "e": found }, "in": said } }.into())
    }

    /// A numeric path; `None` where there are several.
    fn number(&mut self, target: Column) -> Option<Bson> {
        let [path] = self.mapping.paths(target)[..] else { return None };
        let path = format!("${path}");
        self.used.insert((path.clone(), ReadAs::Number));
        Some(doc! { "$cond": [{ "$isNumber": &path }, { "$toDouble": &path }, Bson::Null] }.into())
    }

    /// A path of dates.
    fn moment(&mut self, target: Column) -> Option<Bson> {
        let [path] = self.mapping.paths(target)[..] else { return None };
        let path = format!("${path}");
        self.used.insert((path.clone(), ReadAs::Time));
        Some(doc! { "$cond": [{ "$eq": [{ "$type": &path }, "date"] }, &path, Bson::Null] }.into())
    }

    /// crosstail's word for the store's: the schema's words as written, then ignoring case, then the known words.
    fn word(&mut self, target: Column, key: &str, known: &[(String, String)]) -> Option<Bson> {
        let raw = self.text(target)?;
        let listed: Vec<(&str, &str)> = self.mapping.schema.definition().words_of(key).collect();
        let case =
            |of: &str, word: &str, ours: &str| -> Bson { doc! { "case": { "$eq": [of, word] }, "then": ours }.into() };
        let mut branches: Vec<Bson> = listed.iter().map(|(word, ours)| case("$$w", word, ours)).collect();
        branches.extend(listed.iter().map(|(word, ours)| case("$$l", word, ours)));
        branches.extend(known.iter().map(|(word, ours)| case("$$l", word, ours)));
        let switch = doc! { "$switch": { "branches": branches, "default": Bson::Null } };
        let lower = doc! { "$toLower": "$$w" };
        let inner = doc! { "$let": { "vars": { "l": lower }, "in": switch } };
        Some(doc! { "$let": { "vars": { "w": raw }, "in": inner } }.into())
    }

    pub(super) fn status(&mut self) -> Option<Bson> {
        let known: Vec<(String, String)> = Status::ALL.iter().map(|s| (s.to_string(), s.to_string())).collect();
        let own = self.word(Column::Status, "status", &known)?;
        if self.mapping.schema.definition().http_errors_may_succeed || self.mapping.paths(Column::HttpStatus).is_empty()
        {
            return Some(own);
        }
        let http = within(self.number(Column::HttpStatus)?, 100.0, 1000.0);
        let failed = doc! { "$and": [{ "$eq": ["$$o", "success"] }, { "$gte": ["$$h", 400.0] }] };
        Some(doc! { "$let": { "vars": { "o": own, "h": http }, "in": { "$cond": [failed, "failed", "$$o"] } } }.into())
    }

    /// The duration in microseconds: as recorded, else from start to end.
    fn duration(&mut self) -> Option<Bson> {
        let unit = self.mapping.schema.definition().duration_unit.us();
        let own = match self.mapping.paths(Column::Duration).len() {
            0 => None,
            _ => {
                let n = self.number(Column::Duration)?;
                let round = doc! { "$floor": { "$add": [{ "$multiply": ["$$n", unit] }, 0.5] } };
                let good =
                    doc! { "$and": [{ "$gte": ["$$n", 0.0] }, { "$lte": ["$$n", (LONGEST_US / unit).floor()] }] };
                Some(Bson::from(doc! { "$let": { "vars": { "n": n }, "in": { "$cond": [good, round, Bson::Null] } } }))
            }
        };
        let spent = match self.mapping.paths(Column::CompletedAt).len() {
            0 => None,
            _ => {
                let end = self.moment(Column::CompletedAt)?;
                let start = self.value(Field::Time)?;
                let both = doc! { "$and": [
                    { "$eq": [{ "$type": "$$e" }, "date"] }, { "$eq": [{ "$type": "$$s" }, "date"] }, { "$gte": ["$$e", "$$s"] }
                ] };
                let took = doc! { "$multiply": [{ "$toDouble": { "$subtract": ["$$e", "$$s"] } }, 1000.0] };
                Some(Bson::from(
                    doc! { "$let": { "vars": { "e": end, "s": start }, "in": { "$cond": [both, took, Bson::Null] } } },
                ))
            }
        };
        first_of([own, spent].into_iter().flatten().collect())
    }
}

/// The time bounds in a filter's own clauses, so that the index on the time can be used.
pub(super) fn bounds(mapping: &Mapping, predicate: &Predicate) -> Vec<Document> {
    let clauses: &[Predicate] = match predicate {
        Predicate::And(parts) => parts,
        other => std::slice::from_ref(other),
    };
    let mut bounds = Vec::new();
    for clause in clauses {
        if let Predicate::Compare(Comparator {
            target: Operand::Field(Field::Time),
            test: Matcher::Time(list),
            negated: false,
            ..
        }) = clause
            && let [range] = list.as_slice()
        {
            bounds.extend(range.start.map(|at| doc! { &mapping.table.time: { "$gte": date(at) } }));
            bounds.extend(range.end.map(|at| doc! { &mapping.table.time: { "$lt": date(at) } }));
        }
    }
    bounds
}
