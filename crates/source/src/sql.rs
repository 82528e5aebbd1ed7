//! SQL text with its bind parameters: what the kinds that speak SQL share. Values never become text.

use crosstail_core::filter::{Interval, Op};

/// A bound value.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    Text(String),
    Int(i64),
    Float(f64),
    /// An array of texts.
    Texts(Vec<String>),
}

/// Stands for the next bound value until the text is rendered.
pub const PLACEHOLDER: char = '\u{1}';

/// A condition with its values, in order.
#[derive(Debug, Clone, Default)]
pub struct Sql {
    pub text: String,
    pub binds: Vec<Bind>,
}

/// How a dialect writes the place of a bound value.
#[derive(Debug, Clone, Copy)]
pub enum Placeholders {
    /// `?`
    Question,
    /// `$1`, `$2` …
    Numbered,
}

impl Sql {
    pub fn raw(text: impl Into<String>) -> Self {
        Self { text: text.into(), binds: Vec::new() }
    }

    pub fn constant(value: bool) -> Self {
        Self::raw(if value { "TRUE" } else { "FALSE" })
    }

    pub fn with(text: impl Into<String>, bind: Bind) -> Self {
        Self { text: text.into(), binds: vec![bind] }
    }

    pub fn join(parts: Vec<Self>, by: &str) -> Self {
        if parts.is_empty() {
            return Self::constant(by == " AND ");
        }
        let text = parts.iter().map(|part| format!("({})", part.text)).collect::<Vec<_>>().join(by);
        Self { text, binds: parts.into_iter().flat_map(|part| part.binds).collect() }
    }

    /// Adds text and values behind.
    pub fn push(&mut self, text: &str, binds: impl IntoIterator<Item = Bind>) {
        self.text.push_str(text);
        self.binds.extend(binds);
    }

    /// Adds another behind.
    pub fn append(&mut self, text: &str, other: &Self) {
        self.text.push_str(text);
        self.text.push_str(&other.text);
        self.binds.extend(other.binds.iter().cloned());
    }

    /// The text as a dialect writes it.
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

/// Quotes an identifier.
pub fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Quotes a literal that a schema file gives; values from elsewhere are bound.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub fn operator(op: Op) -> &'static str {
    match op {
        Op::Greater => ">",
        Op::GreaterEqual => ">=",
        Op::Less => "<",
        Op::LessEqual => "<=",
        _ => "=",
    }
}

/// Whether a number is in an interval.
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
