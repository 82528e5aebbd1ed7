//! A row as a document: names with dots are fields of documents within.

use super::field::Facts;
use super::{Cell, Column, ColumnType, Layout, Moment};
use crate::{Outcome, Start};

/// A document, or a document within, in the order of the columns.
pub(in super::super) struct Document<'a>(pub(in super::super) Vec<(&'a str, Node<'a>)>);

/// What a field of a document has.
pub(in super::super) enum Node<'a> {
    /// A value, or null.
    Cell(Option<Cell>, ColumnType),
    /// A document within.
    Document(Document<'a>),
}

impl<'a> Document<'a> {
    /// Puts a value at a path; documents on the way are made.
    fn put(&mut self, path: &'a str, node: Node<'a>) {
        let Some((head, rest)) = path.split_once('.') else {
            self.0.push((path, node));
            return;
        };
        if let Some((_, Node::Document(within))) = self.0.iter_mut().find(|(name, _)| *name == head) {
            within.put(rest, node);
            return;
        }
        let mut within = Self(Vec::new());
        within.put(rest, node);
        self.0.push((head, Node::Document(within)));
    }
}

impl Layout {
    /// The document of an activity. One that is written at its start lacks what an outcome sets.
    pub(in super::super) fn document(&self, start: &Start, outcome: Option<&Outcome>) -> Document<'_> {
        let facts = Facts::new(start, outcome, self.assumed_status);
        let mut document = Document(Vec::new());
        for column in &self.columns {
            let is_written = match column.only_at {
                Some(Moment::Start) => outcome.is_none(),
                Some(Moment::End) => outcome.is_some(),
                None => outcome.is_some() || !column.is_of_outcome(),
            };
            if is_written && self.has_group(column, &facts) {
                put(&mut document, column, &facts);
            }
        }
        document
    }

    /// What an outcome sets in a document that is there: paths with dots, and groups as a whole.
    pub(in super::super) fn changes(&self, start: &Start, outcome: &Outcome) -> Document<'_> {
        let facts = Facts::new(start, Some(outcome), self.assumed_status);
        let mut document = Document(Vec::new());
        for column in self.set_at_end().into_iter().filter_map(|index| self.columns.get(index)) {
            if self.group(column).is_some() {
                if self.has_group(column, &facts) {
                    put(&mut document, column, &facts);
                }
                continue;
            }
            let cell = column.cell(&facts);
            if cell.is_some() || !column.optional {
                document.0.push((&column.name, Node::Cell(cell, column.column_type)));
            }
        }
        document
    }

    fn group(&self, column: &Column) -> Option<&Vec<super::Field>> {
        self.groups.get(column.name.split_once('.')?.0)
    }

    fn has_group(&self, column: &Column, facts: &Facts<'_>) -> bool {
        self.group(column).is_none_or(|fields| fields.iter().any(|field| facts.value(field).is_some()))
    }
}

fn put<'a>(document: &mut Document<'a>, column: &'a Column, facts: &Facts<'_>) {
    let cell = column.cell(facts);
    if cell.is_some() || !column.optional {
        document.put(&column.name, Node::Cell(cell, column.column_type));
    }
}
