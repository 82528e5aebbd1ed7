//! SQL text with bind parameters, shared by the kinds that use SQL. Values never become text.

use crosstail_core::filter::{Interval, Op};
use crosstail_core::model::redact_text;

/// A bound value.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    /// A string.
    Text(String),
    /// An integer, also for times in the unit of their column.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// An array of strings.
    Texts(Vec<String>),
}

/// Stands for the next bound value in the text until [`Sql::render`].
pub const PLACEHOLDER: char = '\u{1}';

/// SQL text with its values, in order.
#[derive(Debug, Clone, Default)]
pub struct Sql {
    /// The text, with one [`PLACEHOLDER`] per value.
    pub text: String,
    /// The values, in the order of their marks.
    pub binds: Vec<Bind>,
}

/// How a dialect writes a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Placeholders {
    /// `?`
    Question,
    /// `$1`, `$2` …
    Numbered,
}

impl Sql {
    /// Text without values.
    pub fn raw(text: impl Into<String>) -> Self {
        Self { text: text.into(), binds: Vec::new() }
    }

    /// A condition that is always true or always false.
    pub fn constant(value: bool) -> Self {
        Self::raw(if value { "TRUE" } else { "FALSE" })
    }

    /// Text with one value, which contains exactly one [`PLACEHOLDER`].
    pub fn with(text: impl Into<String>, bind: Bind) -> Self {
        Self { text: text.into(), binds: vec![bind] }
    }

    /// Conditions, each in parentheses, joined by ` AND ` or ` OR `. Without conditions: true for AND, false for OR.
    pub fn join(parts: Vec<Self>, by: &str) -> Self {
        if parts.is_empty() {
            return Self::constant(by == " AND ");
        }
        let text = parts.iter().map(|part| format!("({})", part.text)).collect::<Vec<_>>().join(by);
        Self { text, binds: parts.into_iter().flat_map(|part| part.binds).collect() }
    }

    /// Appends text and values.
    pub fn push(&mut self, text: &str, binds: impl IntoIterator<Item = Bind>) {
        self.text.push_str(text);
        self.binds.extend(binds);
    }

    /// Appends text and another SQL.
    pub fn append(&mut self, text: &str, other: &Self) {
        self.text.push_str(text);
        self.text.push_str(&other.text);
        self.binds.extend(other.binds.iter().cloned());
    }

    /// The text with parameters as a dialect writes them.
    pub fn render(&self, marks: Placeholders) -> String {
        let mut out = String::with_capacity(self.text.len() + 16);
        let mut n = 0;
        for c in self.text.chars() {
            match (c, marks) {
                (PLACEHOLDER, Placeholders::Question) => out.push('?'),
                (PLACEHOLDER, Placeholders::Numbered) => {
                    n += 1;
                    out.push_str(&format!("${n}"));
                }
                (c, _) => out.push(c),
            }
        }
        out
    }
}

/// Quotes an identifier with double quotes.
pub fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Quotes a literal from a schema file. Bind values from anywhere else.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The SQL operator of an ordering comparison; `=` for every other one.
pub fn operator(op: Op) -> &'static str {
    match op {
        Op::Greater => ">",
        Op::GreaterEqual => ">=",
        Op::Less => "<",
        Op::LessEqual => "<=",
        _ => "=",
    }
}

/// A condition that a numeric column is in an interval.
pub fn interval(column: &str, interval: &Interval) -> Sql {
    let mut parts = Vec::new();
    if interval.low > f64::NEG_INFINITY {
        let op = if interval.low_in { ">=" } else { ">" };
        parts.push(Sql::with(format!("{column} {op} {PLACEHOLDER}"), Bind::Float(interval.low)));
    }
    if interval.high < f64::INFINITY {
        let op = if interval.high_in { "<=" } else { "<" };
        parts.push(Sql::with(format!("{column} {op} {PLACEHOLDER}"), Bind::Float(interval.high)));
    }
    if parts.is_empty() { Sql::raw(format!("{column} IS NOT NULL")) } else { Sql::join(parts, " AND ") }
}
/// Whether a name is that of a table, alone or with its schema before a dot. Either may have dots in it.
pub fn is_name_of((schema, table): (&str, &str), wanted: &str) -> bool {
    table == wanted || wanted.strip_prefix(schema).and_then(|rest| rest.strip_prefix('.')) == Some(table)
}

/// Words that no name of a statement for people is without quotes.
const RESERVED: &str = " all and any array as asc between by case check column condition constraint create cross current_date \
    current_time current_timestamp current_user default delete desc distinct do else end except exists false fetch for foreign from \
    grant group having in index inner insert interval into is join key keys leading left like limit lock natural not null of offset on \
    only or order outer primary range rank references right row rows select set some system table then to trailing true union unique \
    update usage use user using values when where window with ";

/// A name as a statement for people has it: in quotes only where it needs them.
pub fn shown_name(name: &str, quote: char) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && !RESERVED.contains(&format!(" {name} "));
    if plain { name.to_owned() } else { format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}"))) }
}

/// Rows that are looked at for times that are none.
pub const TIME_ROWS: usize = 1000;

/// Times before this are of another unit than the column's: in microseconds, the year 1971.
pub const OTHER_UNIT_US: i64 = 31_536_000_000_000;

/// What is said of a column of texts of which none is a time, and what to write.
pub fn no_times(table: &str, column: &str, example: &str) -> String {
    let example = redact_text(example);
    format!(
        "[table] time = \"{column}\": no text in {table} is a time, such as '{example}'; name a column of times, or write them as \
         2026-11-27T09:30:00Z"
    )
}

/// What is said of a column of times that holds something else in some row.
pub fn no_time(table: &str, column: &str, example: &str) -> String {
    let example = redact_text(example);
    format!(
        "{table}: not every {column} is a time, such as '{example}': such rows stand at 1970, as those without one; correct time_unit in \
         [table], or the rows"
    )
}

/// What of a name may be the name of a table: all of it, and what is behind each dot.
pub fn may_be_tables(name: &str) -> impl Iterator<Item = String> {
    let behind = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
    std::iter::once(name).chain(behind).map(str::to_owned)
}
