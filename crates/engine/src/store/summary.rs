//! Counts over rows: facets by field, and a histogram over time.

use super::pack::Text;
use super::symbols::Symbol;
use super::{Row, Store, is_same};
use crosstail_core::filter::{Field, Record as _, ValueType};
use crosstail_core::model::Timestamp;
use crosstail_core::number::{saturating_u32, saturating_usize};
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// A value of a field with its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The value as filters write it.
    pub value: String,
    /// Number of rows.
    pub count: u64,
    /// Number of failures among them.
    pub failed: u64,
}

/// One column of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Number of rows that started in it.
    pub total: u32,
    /// Number of failures among them.
    pub failed: u32,
}

/// Counts over time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// Start of the first column.
    pub start: Timestamp,
    /// Width of a column in microseconds.
    pub width_us: i64,
    /// The columns, oldest first.
    pub buckets: Vec<Bucket>,
}

/// A value of a row. The text of a column is cheap to compare by its symbol.
#[derive(PartialEq, Eq, Hash)]
enum Value {
    Symbol(Symbol),
    Text(String),
}

impl Store {
    /// The most frequent values of a field among rows, at most `limit`.
    pub fn facet(&self, field: Field, rows: &[Row], limit: usize) -> Vec<Facet> {
        self.facet_of(field, rows, limit).0
    }

    /// The most frequent values of a field among rows, at most `limit`, and how many different ones there are.
    pub fn facet_of(&self, field: Field, rows: &[Row], limit: usize) -> (Vec<Facet>, usize) {
        let mut different = 0;
        let mut facets: Vec<Facet> = match (Text::of(field), field.class()) {
            (Some(column), _) => {
                let mut counts: Vec<(u32, u32)> = vec![(0, 0); self.symbols.len()];
                for row in rows {
                    let (segment, at) = self.at(*row);
                    let symbol = segment.text(at, column);
                    if symbol != Symbol::ABSENT && !is_same(symbol) {
                        let slot = &mut counts[symbol.0 as usize];
                        slot.0 += 1;
                        slot.1 += u32::from(self.is_failure(*row));
                    }
                }
                let counted = counts.into_iter().enumerate().filter(|(_, (n, _))| *n > 0);
                let mut top: Vec<(usize, (u32, u32))> = counted.collect();
                different = top.len();
                top.sort_by_key(|(symbol, (n, _))| (std::cmp::Reverse(*n), *symbol));
                top.truncate(limit);
                top.into_iter()
                    .map(|(symbol, (n, failed))| Facet {
                        value: self.symbols.get(Symbol(saturating_u32(symbol))).to_owned(),
                        count: u64::from(n),
                        failed: u64::from(failed),
                    })
                    .collect()
            }
            (None, ValueType::Word) => {
                let words = field.words();
                let mut counts = vec![(0, 0); words.len()];
                for row in rows {
                    let record = super::RowRecord::new(self, *row);
                    if let Some(slot) = record.word(field).and_then(|word| counts.get_mut(word as usize)) {
                        slot.0 += 1;
                        slot.1 += u64::from(self.is_failure(*row));
                    }
                }
                let counted = words.into_iter().zip(counts).filter(|(_, (n, _))| *n > 0);
                counted.map(|(word, (count, failed))| Facet { value: word.to_owned(), count, failed }).collect()
            }
            _ => {
                let mut counts: HashMap<String, (u64, u64)> = HashMap::new();
                for row in rows {
                    let record = super::RowRecord::new(self, *row);
                    let mut add = |text: String| {
                        let slot = counts.entry(text).or_default();
                        slot.0 += 1;
                        slot.1 += u64::from(self.is_failure(*row));
                    };
                    match field.class() {
                        ValueType::Number => record.number(field).into_iter().for_each(|n| add(n.to_string())),
                        ValueType::Keyword => {
                            record.text(field, &mut |text| {
                                add(text.to_owned());
                                true
                            });
                        }
                        _ => {}
                    }
                }
                counts.into_iter().map(|(value, (count, failed))| Facet { value, count, failed }).collect()
            }
        };
        different = different.max(facets.len());
        facets.sort_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
        facets.truncate(limit);
        (facets, different)
    }

    /// Groups rows by their values of some fields, sorted by these values. Rows that lack a value are left out.
    pub fn partition(&self, by: &[Field], rows: &[Row]) -> Vec<(Vec<String>, Vec<Row>)> {
        // One column: symbols are compared without looking up texts.
        if let [field] = by
            && let Some(column) = Text::of(*field).filter(|column| !matches!(column, Text::Request | Text::Tags))
        {
            let mut groups: HashMap<Symbol, Vec<Row>, FixedState> = HashMap::default();
            for row in rows {
                let (segment, at) = self.at(*row);
                groups.entry(segment.text(at, column)).or_default().push(*row);
            }
            groups.remove(&Symbol::ABSENT);
            let named = groups.into_iter().map(|(symbol, rows)| (vec![self.symbols.get(symbol).to_owned()], rows));
            let mut named: Vec<(Vec<String>, Vec<Row>)> = named.collect();
            named.sort();
            return named;
        }
        let mut groups: HashMap<Vec<Value>, Vec<Row>> = HashMap::new();
        'rows: for row in rows {
            let mut key = Vec::with_capacity(by.len());
            for field in by {
                let Some(value) = self.value(*field, *row) else { continue 'rows };
                key.push(value);
            }
            groups.entry(key).or_default().push(*row);
        }
        let text = |value: Value| match value {
            Value::Symbol(symbol) => self.symbols.get(symbol).to_owned(),
            Value::Text(text) => text,
        };
        let named = groups.into_iter().map(|(key, rows)| (key.into_iter().map(text).collect(), rows));
        let mut named: Vec<(Vec<String>, Vec<Row>)> = named.collect();
        named.sort();
        named
    }

    fn value(&self, field: Field, row: Row) -> Option<Value> {
        if let Some(column) = Text::of(field) {
            let (segment, at) = self.at(row);
            let symbol = segment.text(at, column);
            if !is_same(symbol) {
                return (symbol != Symbol::ABSENT).then_some(Value::Symbol(symbol));
            }
        }
        crosstail_core::filter::value_text(&self.get(row), field, &self.names).map(Value::Text)
    }

    /// Counts rows in `columns` columns of `width_us` microseconds from `start`; rows at other times do not count.
    pub fn histogram<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a Row>,
        start: Timestamp,
        width_us: i64,
        columns: usize,
    ) -> Histogram {
        let width_us = width_us.max(1);
        let mut buckets = vec![Bucket::default(); columns];
        for row in rows {
            let since = self.started(*row).since_us(start);
            if since < 0 {
                continue;
            }
            if let Some(bucket) = buckets.get_mut(saturating_usize(since / width_us)) {
                bucket.total += 1;
                bucket.failed += u32::from(self.is_failure(*row));
            }
        }
        Histogram { start, width_us, buckets }
    }
}
