//! Counts over rows: facets by field, a histogram over time.

use super::segment::Text;
use super::symbols::Symbol;
use super::{Row, Store, is_same};
use crosstail_core::filter::{Field, Record as _, ValueType};
use crosstail_core::model::Timestamp;
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// A value of a field, with how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The value, as a filter writes it.
    pub value: String,
    /// Rows with it.
    pub count: u64,
    /// Of which failures.
    pub failed: u64,
}

/// One column of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Rows that began in it.
    pub total: u32,
    /// Of which failures.
    pub failed: u32,
}

/// Counts over time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// Where the first column begins.
    pub start: Timestamp,
    /// Microseconds a column.
    pub width_us: i64,
    /// The columns.
    pub buckets: Vec<Bucket>,
}

/// A value of a row, cheap to compare where it is a text of a column.
#[derive(PartialEq, Eq, Hash)]
enum Value {
    Symbol(Symbol),
    Text(String),
}

impl Store {
    /// The most frequent values of a field among rows.
    pub fn facet(&self, field: Field, rows: &[Row], limit: usize) -> Vec<Facet> {
        let mut facets: Vec<Facet> = match (Self::text_column(field), field.class()) {
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
                top.sort_by_key(|(symbol, (n, _))| (std::cmp::Reverse(*n), *symbol));
                top.truncate(limit);
                top.into_iter()
                    .map(|(symbol, (n, failed))| Facet {
                        value: self.symbols.get(Symbol(symbol as u32)).to_owned(),
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
        facets.sort_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
        facets.truncate(limit);
        facets
    }

    /// Rows by the values that they have in some fields, in order of these; rows that lack one of them are left out.
    pub fn partition(&self, by: &[Field], rows: &[Row]) -> Vec<(Vec<String>, Vec<Row>)> {
        // By one column: its symbols are told apart without asking for a text.
        if let [field] = by
            && let Some(column) =
                Self::text_column(*field).filter(|column| !matches!(column, Text::Request | Text::Tags))
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
        if let Some(column) = Self::text_column(field) {
            let (segment, at) = self.at(row);
            let symbol = segment.text(at, column);
            if !is_same(symbol) {
                return (symbol != Symbol::ABSENT).then_some(Value::Symbol(symbol));
            }
        }
        crosstail_core::filter::value_text(&self.get(row), field, &self.names).map(Value::Text)
    }

    /// Counts of the view's rows in `columns` columns of `width_us` microseconds from `start`.
    pub fn histogram(&self, start: Timestamp, width_us: i64, columns: usize) -> Histogram {
        let width_us = width_us.max(1);
        let rows = self.rows();
        let from = self.position_of_time(start);
        let upto = self.position_of_time(start.plus_us(width_us.saturating_mul(columns as i64)));
        let mut buckets = vec![Bucket::default(); columns];
        for row in &rows[from..upto.max(from)] {
            let index = (self.started(*row).since_us(start) / width_us) as usize;
            if let Some(bucket) = buckets.get_mut(index) {
                bucket.total += 1;
                bucket.failed += u32::from(self.is_failure(*row));
            }
        }
        Histogram { start, width_us, buckets }
    }
}
