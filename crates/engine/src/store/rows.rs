//! The fields of a row.

use super::pack::Text;
use super::symbols::Symbol;
use super::{Row, Store};
use crosstail_core::model::{Activity, Direction, Id, Kind, Level, Place, Status, Timestamp};
use std::hash::BuildHasher as _;

impl Store {
    /// The full activity of a row.
    pub fn get(&self, row: Row) -> Activity {
        let (segment, at) = self.at(row);
        let activity = segment.get(at, &self.symbols, self.extra(row));
        Activity { final_outcome: self.final_outcome(row), ..activity }
    }

    /// The id of a row.
    pub fn id(&self, row: Row) -> Id {
        let (segment, at) = self.at(row);
        segment.id(at, &self.symbols)
    }

    pub fn started(&self, row: Row) -> Timestamp {
        let (segment, at) = self.at(row);
        Timestamp(segment.started[at])
    }

    pub fn status(&self, row: Row) -> Option<Status> {
        let (segment, at) = self.at(row);
        segment.status(at)
    }

    pub fn level(&self, row: Row) -> Option<Level> {
        let (segment, at) = self.at(row);
        segment.level(at)
    }

    pub fn kind(&self, row: Row) -> Kind {
        let (segment, at) = self.at(row);
        segment.kind(at)
    }

    /// Whether a row is work of its system; an alert about the system is not.
    pub fn is_work(&self, row: Row) -> bool {
        self.kind(row) != Kind::Alert
    }

    pub fn direction(&self, row: Row) -> Direction {
        let (segment, at) = self.at(row);
        segment.direction(at)
    }

    pub fn is_failure(&self, row: Row) -> bool {
        crosstail_core::model::is_failure(self.status(row), self.level(row))
    }

    /// Whether a row has an outcome; a log line always has.
    pub fn is_finished(&self, row: Row) -> bool {
        self.status(row).is_none_or(Status::is_finished)
    }

    pub fn system(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::System)
    }

    pub fn endpoint(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::Endpoint)
    }

    pub fn method(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::Method)
    }

    pub fn error_type(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::ErrorType)
    }

    /// Where in the application a row's error was thrown.
    pub fn error_at(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::ErrorAt)
    }

    /// What a row says: its error, or else its message.
    pub fn said(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        match segment.text(at, Text::Error) {
            Symbol::ABSENT => segment.text(at, Text::Message),
            error => error,
        }
    }

    pub fn operation(&self, row: Row) -> Symbol {
        let (segment, at) = self.at(row);
        segment.text(at, Text::Operation)
    }

    /// For a row that is one of several attempts: a number that the attempts with its trace, endpoint and entity share,
    /// the number of the attempt, and when the next one is due.
    pub fn retry(&self, row: Row) -> Option<(u64, u16, Option<Timestamp>)> {
        let (segment, at) = self.at(row);
        let extra = self.extra(row);
        let attempt = segment.attempt(at, extra).unwrap_or(1);
        let due = extra.and_then(|extra| extra.next_retry_at);
        if attempt <= 1 && due.is_none() {
            return None;
        }
        let operation = match segment.text(at, Text::Correlation) {
            Symbol::ABSENT => u64::from(row),
            trace => {
                let of = (trace, segment.text(at, Text::Endpoint), segment.text(at, Text::Entity));
                self.hasher.hash_one(of)
            }
        };
        Some((operation, attempt, due))
    }

    pub fn http_status(&self, row: Row) -> Option<u16> {
        let (segment, at) = self.at(row);
        Some(segment.http[at]).filter(|code| *code != 0)
    }

    /// The duration of a row in microseconds; see [`Activity::took_us`].
    pub fn took_us(&self, row: Row) -> Option<u64> {
        let (segment, at) = self.at(row);
        let extra = self.extra(row);
        segment.duration(at, extra).or_else(|| {
            let end = segment.completed(at, extra)?;
            let known = segment.exact_start(at) && segment.status(at).is_some_and(Status::is_finished);
            known.then(|| u64::try_from(end.since_us(self.started(row))).ok()).flatten()
        })
    }

    /// CPU in per cent and memory in MB of a row.
    pub fn usage(&self, row: Row) -> (Option<f64>, Option<f64>) {
        let (segment, at) = self.at(row);
        (segment.cpu(at), segment.memory(at))
    }

    /// The places that hold a row.
    pub fn places(&self, row: Row) -> Vec<Place> {
        let ((segment, at), extra) = (self.at(row), self.extra(row));
        let mut places = vec![segment.place(at, &self.symbols, extra)];
        places.extend(extra.into_iter().flat_map(|extra| extra.places.iter().cloned()));
        places
    }

    /// The rows with a correlation id, in order of time.
    pub fn of_correlation(&self, correlation: &str) -> Vec<Row> {
        self.rows_with(Text::Correlation, correlation)
    }

    /// The rows whose parent is a request, in order of time.
    pub fn children(&self, request: &str) -> Vec<Row> {
        self.rows_with(Text::Parent, request)
    }

    fn rows_with(&self, column: Text, text: &str) -> Vec<Row> {
        let Some(symbol) = self.symbols.find(text) else { return Vec::new() };
        let has = |row: &Row| {
            let (segment, at) = self.at(*row);
            segment.text(at, column) == symbol
        };
        self.order.rows().iter().copied().filter(has).collect()
    }
}
