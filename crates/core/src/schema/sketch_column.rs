//! What a column of an unknown table holds, by its type, its name and a sample of its values.

use super::Target;
use super::sketch_names::{levels_of, meaning_of, normalised, outcome_of, status_of};
use crate::model::{Level, Status, Timestamp, parse_timestamp};
use std::collections::BTreeSet;

/// What a column can hold, by its type in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Whole numbers.
    Int,
    /// Numbers with a fraction.
    Float,
    /// Yes or no.
    Bool,
    /// Moments or dates.
    Time,
    /// Lengths of time.
    Interval,
    /// UUIDs.
    Uuid,
    /// JSON.
    Json,
    /// Text.
    Text,
    /// Anything else.
    Other,
}

/// A column, or a path into documents, with some of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Its name; a path with dots into a document.
    pub path: String,
    /// What it can hold.
    pub holds: Holds,
    /// Some of its values as text, without those that are absent.
    pub values: Vec<String>,
}

/// Values longer than this are no words.
const WORD: usize = 40;
/// From so many values on it shows whether they are all different.
const DISTINCT: usize = 20;
impl Sampled {
    pub(super) fn all(&self, test: impl Fn(&str) -> bool) -> bool {
        let mut some = false;
        let fits = self.values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).all(|value| {
            some = true;
            test(value)
        });
        some && fits
    }

    /// At least four of five: a stray value does not change what a column is.
    pub(super) fn most(&self, test: impl Fn(&str) -> bool) -> bool {
        let values: Vec<&str> = self.values.iter().map(|value| value.trim()).filter(|v| !v.is_empty()).collect();
        !values.is_empty() && values.iter().filter(|value| test(value)).count() * 5 >= values.len() * 4
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.holds, Holds::Int | Holds::Float)
            || (matches!(self.holds, Holds::Text | Holds::Other) && self.most(|value| value.parse::<f64>().is_ok()))
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.holds, Holds::Text | Holds::Other | Holds::Uuid)
    }

    /// The unit of a number since the epoch, by its size; `None` where it is none.
    pub(super) fn epoch_unit(&self) -> Option<&'static str> {
        if !matches!(self.holds, Holds::Int | Holds::Float) {
            return None;
        }
        let largest = self.values.iter().filter_map(|value| value.parse::<f64>().ok()).fold(0.0, f64::max);
        epoch_unit_of(largest)
    }

    pub(super) fn is_time(&self) -> bool {
        match self.holds {
            Holds::Time => true,
            Holds::Int | Holds::Float => self.epoch_unit().is_some(),
            Holds::Text | Holds::Other => self.most(|value| {
                value.len() >= 10
                    && value.contains(['-', '/', '.', ':'])
                    && parse_timestamp(value).is_some_and(plausible)
            }),
            _ => false,
        }
    }

    /// Whether texts are times as every store reads them: of ISO 8601, or digits since the epoch.
    pub(super) fn is_stored_time(&self) -> bool {
        let is_digits = |text: &str| {
            let whole = text.split('.').next().unwrap_or(text);
            matches!(whole.len(), 10 | 13 | 16 | 19) && whole.bytes().all(|b| b.is_ascii_digit())
        };
        let is_iso = |text: &str| matches!(text.as_bytes(), [_, _, _, _, b'-', _, _, b'-', _, _, ..]);
        !self.is_text() || self.most(|text| is_iso(text) || is_digits(text))
    }

    /// Codes of HTTP, also with their words: `502 Bad Gateway`.
    pub(super) fn is_http_status(&self) -> bool {
        let code = |value: &str| {
            let first = if self.is_text() { value.split(' ').next() } else { None };
            first.unwrap_or(value).parse::<f64>().is_ok_and(|code| (100.0..600.0).contains(&code))
        };
        (self.is_number() || self.is_text()) && self.most(code)
    }

    /// The scale of levels that its numbers are of. The number of a priority is none, and small ones only those of a severity.
    pub(super) fn levels(&self) -> Option<&'static [(&'static str, &'static str)]> {
        let numbers: Vec<&str> = self.words().into_iter().collect();
        let (name, is_large) = (normalised(&self.path), numbers.iter().any(|n| n.len() == 3));
        let is_likely = name.contains("severity") || (is_large && (name.contains("level") || name.contains("lvl")));
        levels_of(&numbers).filter(|_| self.holds == Holds::Int && is_likely)
    }

    pub(super) fn words(&self) -> BTreeSet<&str> {
        self.values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).collect()
    }

    /// Whether its values are a few words.
    pub(super) fn is_words(&self) -> bool {
        self.holds == Holds::Bool
            || (self.is_text()
                && self.holds != Holds::Uuid
                && self.words().len() <= 16
                && self.all(|word| word.len() <= WORD))
    }

    /// Whether it fits a target; an empty sample is judged by its type alone.
    pub(super) fn fits(&self, target: Target) -> bool {
        let empty = self.values.iter().all(|value| value.trim().is_empty());
        match target {
            Target::StartedAt | Target::CompletedAt | Target::NextRetryAt => {
                self.is_time() || (empty && self.holds == Holds::Time)
            }
            Target::HttpStatus => {
                if empty {
                    self.holds == Holds::Int
                } else {
                    self.is_http_status()
                }
            }
            Target::Status => {
                if empty {
                    self.is_text()
                } else {
                    self.is_words() && !self.is_http_status()
                }
            }
            Target::Duration => {
                let is_spelled = || self.is_text() && self.most(|text| crate::filter::duration_us(text).is_some());
                self.holds == Holds::Interval || self.is_number() && !self.is_epoch() || is_spelled()
            }
            Target::Attempt | Target::MaxAttempts => {
                self.is_number() && self.all(|n| n.parse::<f64>().is_ok_and(|n| (0.0..1000.0).contains(&n)))
            }
            Target::Level => {
                let is_named = || self.most(|word| Level::parse_logged(word).is_some());
                self.is_words() && self.holds != Holds::Bool && is_named() || self.levels().is_some()
            }
            Target::Method => self.is_text() && (empty || self.most(super::is_http_method)),
            Target::Url => {
                self.is_text() && (empty || self.most(|value| value.contains("://") || value.starts_with('/')))
            }
            Target::Error => self.is_text() || self.holds == Holds::Json,
            Target::Message => self.is_text() && self.holds != Holds::Uuid,
            Target::Direction => {
                self.is_words() && self.most(|word| crate::model::Direction::parse_any(word).is_some())
            }
            Target::RequestId | Target::CorrelationId | Target::ParentRequestId => {
                self.is_text() || self.holds == Holds::Int
            }
            Target::System | Target::Endpoint | Target::Operation => {
                self.is_text()
                    && self.holds != Holds::Uuid
                    && !self.is_identity()
                    && (empty || self.most(|value| value.len() <= 200))
            }
            Target::ErrorType => self.is_text() || self.holds == Holds::Int,
            _ => self.holds != Holds::Json && self.holds != Holds::Time,
        }
    }

    /// Whether nearly every row has another value.
    pub(super) fn is_identity(&self) -> bool {
        let words = self.words().len();
        self.values.len() >= DISTINCT && words * 10 >= self.values.len() * 9
    }

    /// Whether its rows have a value, and not all the same.
    pub(super) fn is_varied(&self) -> bool {
        !self.values.is_empty() && (self.values.len() < 3 || self.words().len() > 1)
    }

    /// Whether at least half of its words are known as words of a status.
    pub(super) fn knows_status(&self) -> bool {
        let words = self.words();
        // `None` is also what a function returned.
        let known = words.iter().filter(|word| meaning_of(word).is_some() && normalised(word) != "none").count();
        known > 0 && known * 2 >= words.len()
    }

    /// Whether one of its words is that of a failure.
    pub(super) fn tells_failures(&self) -> bool {
        self.holds != Holds::Bool
            && self.words().iter().any(|word| matches!(meaning_of(word), Some(Status::Failed | Status::Timeout)))
    }

    /// Whether it says how things ended, whatever its name is: nearly all of its few words are known, some are clearly those of a
    /// failure, and some of a success.
    pub(super) fn is_outcome(&self) -> bool {
        // What is false or expired has not failed, where nothing says that it was tried.
        let is_flag = |word: &str| matches!(normalised(word).as_str(), "false" | "expired");
        let fails = |word: &&str| !is_flag(word) && outcome_of(word).is_some_and(Status::is_failure);
        self.values.len() > 2
            && self.holds != Holds::Bool
            && self.is_words()
            && self.words().len() * 2 <= self.values.len()
            && self.most(|word| status_of(word).is_some())
            && self.words().iter().any(fails)
            && self.words().iter().any(|word| outcome_of(word) == Some(Status::Success))
    }

    pub(super) fn is_epoch(&self) -> bool {
        self.epoch_unit().is_some()
    }
}

/// The unit in which a number since the epoch lies between 2000 and 2100.
pub fn epoch_unit_of(number: f64) -> Option<&'static str> {
    const FIRST: f64 = 946_684_800.0;
    const LAST: f64 = 4_102_444_800.0;
    [("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)]
        .into_iter()
        .find(|(_, unit)| (FIRST..LAST).contains(&(number / unit)))
        .map(|(unit, _)| unit)
}

fn plausible(at: Timestamp) -> bool {
    at.0 > 0 && at.0 < 4_102_444_800_000_000
}
