//! Completion of fields, operators and values at the cursor of the filter bar.

use super::ast::Operand;
use super::fields::{Field, ROOTS, ValueType, quote};
use super::parse::target;
use std::ops::Range;

/// Provides the values to suggest, with their frequency.
pub trait Vocabulary {
    /// Up to `limit` values of a field with their number of occurrences, the most frequent first.
    fn values(&self, field: Field, limit: usize) -> Vec<(String, u64)>;
}

/// One suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Byte range of the text that it replaces.
    pub span: Range<usize>,
    /// The text to insert.
    pub insert: String,
    /// A description, or how often the value occurs.
    pub detail: String,
}

/// The suggestions at byte `cursor` of `text`, best first.
pub fn complete(text: &str, cursor: usize, vocabulary: &dyn Vocabulary) -> Vec<Completion> {
    let before = text.get(..cursor).unwrap_or(text);
    let start =
        before.char_indices().rev().find(|(_, c)| c.is_whitespace() || *c == '(').map_or(0, |(i, c)| i + c.len_utf8());
    let word = before[start..].trim_start_matches(['-', '!']);
    let start = before.len() - word.len();
    let op = word.find([':', '=', '>', '<', '~']);
    let group = op.is_none().then(|| open_group(before)).flatten();
    if let Some((field, from)) = group {
        return values(field, &before[from..], from..cursor, vocabulary);
    }
    match op {
        Some(at) => {
            let name = word[..at].trim_end_matches(['!', '?']);
            let value = word[at..].trim_start_matches([':', '=', '>', '<', '~']);
            match target(name) {
                Some(Operand::Field(field)) => values(field, value, cursor - value.len()..cursor, vocabulary),
                _ => Vec::new(),
            }
        }
        None => names(word, start..cursor),
    }
}

/// In `field:(a, b|`: the field, and the byte at which the unfinished value starts.
fn open_group(before: &str) -> Option<(Field, usize)> {
    let open = before.rfind('(')?;
    if before[open..].contains(')') {
        return None;
    }
    let head = before[..open].trim_end_matches([':', '=']);
    if head.len() == open {
        return None;
    }
    let name = head.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '-' | '!')).next()?;
    let from = before.rfind([',', '(']).map_or(open + 1, |i| i + 1);
    let from = from + (before[from..].len() - before[from..].trim_start().len());
    Field::parse(name).map(|field| (field, from))
}

fn names(prefix: &str, span: Range<usize>) -> Vec<Completion> {
    let lower = prefix.to_ascii_lowercase();
    let offer = |name: &str, op: &str, help: &str| Completion {
        span: span.clone(),
        insert: format!("{name}{op}"),
        detail: help.to_owned(),
    };
    let mut found: Vec<Completion> = Field::ALL
        .iter()
        .filter(|field| {
            field.name().starts_with(&lower)
                || (!lower.is_empty() && field.aliases().iter().any(|alias| alias.starts_with(&lower)))
        })
        .map(|field| offer(field.name(), if field.class() == ValueType::Duration { ">" } else { ":" }, field.help()))
        .collect();
    found.extend(
        ROOTS
            .iter()
            .filter(|(root, _)| root.starts_with(&lower))
            .map(|(root, help)| offer(root, if root.ends_with("header") || *root == "meta" { "." } else { ":" }, help)),
    );
    found
}

fn values(field: Field, prefix: &str, span: Range<usize>, vocabulary: &dyn Vocabulary) -> Vec<Completion> {
    let lower = prefix.trim_start_matches('"').to_lowercase();
    let fits = |value: &str| value.to_lowercase().contains(&lower);
    let offer = |value: &str, detail: String| Completion { span: span.clone(), insert: quote(value), detail };
    let fixed: &[(&str, &str)] = match field.class() {
        ValueType::Time if field == Field::NextRetry => &[("..+10m", "within 10 minutes"), ("*", "a retry is planned")],
        ValueType::Time => &[
            ("-15m", "the last 15 minutes"),
            ("-1h", "the last hour"),
            ("-24h", "the last day"),
            ("today", "since midnight"),
            ("yesterday", "the day before"),
        ],
        ValueType::Duration => &[("100ms", ""), ("1s", ""), ("5s", ""), ("1m", "")],
        ValueType::Number if field == Field::Http => {
            &[("5xx", "server errors"), ("4xx", "client errors"), ("429", "rate limited"), ("2xx", "success")]
        }
        _ => &[],
    };
    let mut found: Vec<Completion> = fixed
        .iter()
        .filter(|(value, _)| value.starts_with(&lower))
        .map(|(value, detail)| Completion {
            span: span.clone(),
            insert: (*value).to_owned(),
            detail: (*detail).to_owned(),
        })
        .collect();
    let counted = vocabulary.values(field, 500);
    found.extend(counted.iter().filter(|(value, _)| fits(value)).map(|(value, count)| offer(value, count.to_string())));
    for word in field.words() {
        if fits(word) && !counted.iter().any(|(value, _)| value == word) {
            found.push(offer(word, "0".to_owned()));
        }
    }
    found.truncate(50);
    found
}
