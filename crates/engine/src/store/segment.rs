//! Columns of up to 65,536 rows: what an activity is packed into.

use super::symbols::{Symbol, Symbols};
use compact_str::CompactString;
use crosstail_core::model::{
    Activity, Direction, Id, Kind, Level, Locator, NameId, Place, SourceId, Status, Timestamp,
};
use std::collections::HashMap;

/// Rows a segment.
pub(super) const ROWS: usize = 1 << 16;

/// Text columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Text {
    System,
    Endpoint,
    Method,
    Url,
    Message,
    Error,
    ErrorType,
    Operation,
    Entity,
    Actor,
    Correlation,
    Parent,
    Organization,
    Tags,
    /// [`SAME`] where it is the activity's id.
    Request,
}

pub(super) const TEXTS: usize = 15;

/// In [`Text::Request`]: the same as the id. The text itself is never used.
pub(super) const SAME: Symbol = Symbol(u32::MAX);

/// Longer texts are cut in memory; the whole is in the payload.
const MAX_TEXT: usize = 64 * 1024;

/// Bits of [`Segment::bits`].
mod bits {
    /// Kind: 4 bits.
    pub(super) const KIND: u32 = 0;
    /// Direction: 2 bits.
    pub(super) const DIRECTION: u32 = 4;
    /// Status + 1, 0 none: 3 bits.
    pub(super) const STATUS: u32 = 6;
    /// Level + 1, 0 none: 3 bits.
    pub(super) const LEVEL: u32 = 9;
    /// Form of the id: 2 bits.
    pub(super) const ID: u32 = 12;
    /// Form of the locator: 3 bits.
    pub(super) const LOCATOR: u32 = 14;
    /// Rank of the message: 2 bits.
    pub(super) const RANK: u32 = 17;
    pub(super) const PART: u32 = 1 << 19;
    pub(super) const EXACT_START: u32 = 1 << 20;
    pub(super) const EXACT_SYSTEM: u32 = 1 << 21;
    /// The end is the start and the duration.
    pub(super) const ENDS: u32 = 1 << 22;
    /// There are values beside the columns.
    pub(super) const EXTRA: u32 = 1 << 23;
}

/// Rare values, beside the columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RareFields {
    pub(super) duration_us: Option<u64>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) next_retry_at: Option<Timestamp>,
    pub(super) attempt: Option<u16>,
    pub(super) max_attempts: Option<u16>,
    /// Places after the first.
    pub(super) places: Vec<Place>,
}

/// 255: absent or in [`Extra`].
const NO_BYTE: u8 = u8::MAX;
const NO_DURATION: u32 = u32::MAX;

/// The columns.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) started: Vec<i64>,
    id: Vec<u128>,
    texts: [Vec<Symbol>; TEXTS],
    duration: Vec<u32>,
    pub(super) http: Vec<u16>,
    /// End behind their last value, as the text columns do; NaN where absent.
    cpu: Vec<f64>,
    memory: Vec<f64>,
    /// When the record got to its first place: microseconds after the start.
    recorded: Vec<f64>,
    attempt: Vec<u8>,
    max_attempts: Vec<u8>,
    bits: Vec<u32>,
    locator: Vec<u64>,
    locator_more: Vec<u32>,
    source: Vec<u16>,
}

/// What the columns of a store share.
pub(super) struct SegmentContext<'a> {
    pub(super) symbols: &'a mut Symbols,
    pub(super) extras: &'a mut HashMap<u32, Box<RareFields>>,
}

fn pack_id(id: &Id, symbols: &mut Symbols) -> (u128, u32) {
    match id {
        Id::Uuid(value) => (*value, 0),
        Id::Line { file, offset } => (u128::from(*file) << 64 | u128::from(*offset), 1),
        Id::Text(text) => (u128::from(symbols.intern(text).0), 2),
    }
}

impl Segment {
    pub(super) fn len(&self) -> usize {
        self.started.len()
    }

    /// Adds an activity, or writes it over row `at`. `row` is its number in the store.
    pub(super) fn put(&mut self, at: usize, row: u32, activity: &Activity, shared: &mut SegmentContext<'_>) {
        let symbols = &mut *shared.symbols;
        let mut extra = RareFields::default();
        let (id, id_form) = pack_id(&activity.id, symbols);
        let (locator, locator_more, locator_form, source) = match activity.places.first() {
            Some(place) => {
                let (a, b, form) = pack_locator(&place.locator, &activity.id, symbols);
                (a, b, form, place.source.0)
            }
            None => (0, 0, 0, 0),
        };
        extra.places.extend(activity.places.iter().skip(1).cloned());
        let duration = match activity.duration_us {
            Some(us) if us < u64::from(NO_DURATION) => us as u32,
            more => {
                extra.duration_us = more;
                NO_DURATION
            }
        };
        let ends = match (activity.completed_at, activity.duration_us) {
            (Some(end), Some(us)) if activity.started_at.plus_us(us as i64) == end => bits::ENDS,
            (end, _) => {
                extra.completed_at = end;
                0
            }
        };
        extra.next_retry_at = activity.next_retry_at;
        let mut byte = |value: Option<u16>, slot: fn(&mut RareFields) -> &mut Option<u16>| match value {
            Some(n) if n < u16::from(NO_BYTE) => n as u8,
            more => {
                *slot(&mut extra) = more;
                NO_BYTE
            }
        };
        let attempt = byte(activity.attempt, |extra| &mut extra.attempt);
        let max_attempts = byte(activity.max_attempts, |extra| &mut extra.max_attempts);
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        let has_extra = extra != RareFields::default();
        let packed = (activity.kind as u32) << bits::KIND
            | (activity.direction as u32) << bits::DIRECTION
            | activity.status.map_or(0, |s| s as u32 + 1) << bits::STATUS
            | activity.level.map_or(0, |l| l as u32 + 1) << bits::LEVEL
            | id_form << bits::ID
            | locator_form << bits::LOCATOR
            | u32::from(activity.message_rank.min(3)) << bits::RANK
            | flag(activity.part, bits::PART)
            | flag(activity.exact_start, bits::EXACT_START)
            | flag(activity.exact_system, bits::EXACT_SYSTEM)
            | ends
            | flag(has_extra, bits::EXTRA);
        let mut text =
            |value: &Option<CompactString>| value.as_deref().map_or(Symbol::ABSENT, |t| symbols.intern(cut(t)));
        let texts = [
            text(&activity.system),
            text(&activity.endpoint),
            text(&activity.method),
            text(&activity.url),
            text(&activity.message),
            text(&activity.error),
            text(&activity.error_type),
            text(&activity.operation),
            text(&activity.entity),
            text(&activity.actor),
            text(&activity.correlation_id),
            text(&activity.parent_request_id),
            text(&activity.organization),
            text(&activity.tags),
            match &activity.request_id {
                None => Symbol::ABSENT,
                Some(request) if *request == activity.id => SAME,
                Some(request) => symbols.intern(&request.to_string()),
            },
        ];
        if has_extra {
            shared.extras.insert(row, Box::new(extra));
        } else {
            shared.extras.remove(&row);
        }
        set_number(&mut self.cpu, at, activity.cpu_percent);
        set_number(&mut self.memory, at, activity.memory_mb);
        let recorded = activity.places.first().and_then(|place| place.at);
        set_number(&mut self.recorded, at, recorded.map(|to| to.since_us(activity.started_at) as f64));
        let started = activity.started_at.0;
        let http = activity.http_status.unwrap_or(0);
        if at == self.len() {
            self.started.push(started);
            self.id.push(id);
            for (column, symbol) in self.texts.iter_mut().zip(texts) {
                set_text(column, at, symbol);
            }
            self.duration.push(duration);
            self.http.push(http);
            self.attempt.push(attempt);
            self.max_attempts.push(max_attempts);
            self.bits.push(packed);
            self.locator.push(locator);
            self.locator_more.push(locator_more);
            self.source.push(source);
        } else {
            self.started[at] = started;
            self.id[at] = id;
            for (column, symbol) in self.texts.iter_mut().zip(texts) {
                set_text(column, at, symbol);
            }
            self.duration[at] = duration;
            self.http[at] = http;
            self.attempt[at] = attempt;
            self.max_attempts[at] = max_attempts;
            self.bits[at] = packed;
            self.locator[at] = locator;
            self.locator_more[at] = locator_more;
            self.source[at] = source;
        }
    }

    pub(super) fn id(&self, at: usize, symbols: &Symbols) -> Id {
        let value = self.id[at];
        match self.bits[at] >> bits::ID & 3 {
            0 => Id::Uuid(value),
            1 => Id::Line { file: (value >> 64) as u64, offset: value as u64 },
            _ => Id::Text(symbols.get(Symbol(value as u32)).into()),
        }
    }

    /// Whether the row's id is this one, without making a value of it.
    pub(super) fn is_id(&self, at: usize, id: &Id, symbols: &Symbols) -> bool {
        let value = self.id[at];
        match (self.bits[at] >> bits::ID & 3, id) {
            (0, Id::Uuid(other)) => value == *other,
            (1, Id::Line { file, offset }) => value == (u128::from(*file) << 64 | u128::from(*offset)),
            (2, Id::Text(text)) => symbols.get(Symbol(value as u32)) == text.as_str(),
            _ => false,
        }
    }

    pub(super) fn text(&self, at: usize, column: Text) -> Symbol {
        self.texts[column as usize].get(at).copied().unwrap_or_default()
    }

    pub(super) fn kind(&self, at: usize) -> Kind {
        Kind::from_index((self.bits[at] >> bits::KIND & 15) as u8)
    }

    pub(super) fn direction(&self, at: usize) -> Direction {
        Direction::from_index((self.bits[at] >> bits::DIRECTION & 3) as u8)
    }

    pub(super) fn status(&self, at: usize) -> Option<Status> {
        let word = self.bits[at] >> bits::STATUS & 7;
        (word > 0).then(|| Status::from_index(word as u8 - 1))
    }

    pub(super) fn level(&self, at: usize) -> Option<Level> {
        let word = self.bits[at] >> bits::LEVEL & 7;
        (word > 0).then(|| Level::from_index(word as u8 - 1))
    }

    pub(super) fn attempt(&self, at: usize, extra: Option<&RareFields>) -> Option<u16> {
        let byte = self.attempt[at];
        if byte == NO_BYTE { extra.and_then(|e| e.attempt) } else { Some(u16::from(byte)) }
    }

    pub(super) fn max_attempts(&self, at: usize, extra: Option<&RareFields>) -> Option<u16> {
        let byte = self.max_attempts[at];
        if byte == NO_BYTE { extra.and_then(|e| e.max_attempts) } else { Some(u16::from(byte)) }
    }

    pub(super) fn cpu(&self, at: usize) -> Option<f64> {
        number(&self.cpu, at)
    }

    pub(super) fn memory(&self, at: usize) -> Option<f64> {
        number(&self.memory, at)
    }

    pub(super) fn duration(&self, at: usize, extra: Option<&RareFields>) -> Option<u64> {
        let us = self.duration[at];
        if us == NO_DURATION { extra.and_then(|e| e.duration_us) } else { Some(u64::from(us)) }
    }

    pub(super) fn completed(&self, at: usize, extra: Option<&RareFields>) -> Option<Timestamp> {
        if self.bits[at] & bits::ENDS == 0 {
            return extra.and_then(|e| e.completed_at);
        }
        self.duration(at, extra).map(|us| Timestamp(self.started[at]).plus_us(us as i64))
    }

    pub(super) fn has_extra(&self, at: usize) -> bool {
        self.bits[at] & bits::EXTRA != 0
    }

    pub(super) fn exact_start(&self, at: usize) -> bool {
        self.bits[at] & bits::EXACT_START != 0
    }

    pub(super) fn source(&self, at: usize) -> SourceId {
        SourceId(self.source[at])
    }

    /// For order among equal times: the offset in its file.
    pub(super) fn tie(&self, at: usize) -> u64 {
        self.locator[at]
    }

    pub(super) fn place(&self, at: usize, symbols: &Symbols) -> Place {
        let (a, b) = (self.locator[at], self.locator_more[at]);
        let locator = match self.bits[at] >> bits::LOCATOR & 7 {
            0 => Locator::Line { file: NameId((a >> 44) as u32), offset: a & ((1 << 44) - 1), length: b },
            1 => Locator::Row(a as i64),
            2 => Locator::Key(symbols.get(Symbol(b)).into()),
            4 => Locator::Message { topic: NameId((a >> 44) as u32), offset: a & ((1 << 44) - 1), partition: b },
            _ => Locator::Key(CompactString::from(self.id(at, symbols).to_string())),
        };
        let recorded = number(&self.recorded, at).map(|us| Timestamp(self.started[at]).plus_us(us as i64));
        Place { at: recorded, ..Place::new(self.source(at), locator) }
    }

    pub(super) fn get(&self, at: usize, symbols: &Symbols, extra: Option<&RareFields>) -> Activity {
        let text = |column| {
            let symbol = self.text(at, column);
            (symbol != Symbol::ABSENT).then(|| CompactString::from(symbols.get(symbol)))
        };
        let id = self.id(at, symbols);
        let bits = self.bits[at];
        let mut places = vec![self.place(at, symbols)];
        places.extend(extra.into_iter().flat_map(|e| e.places.iter().cloned()));
        Activity {
            request_id: match self.text(at, Text::Request) {
                Symbol::ABSENT => None,
                SAME => Some(id.clone()),
                other => Some(Id::parse(symbols.get(other))),
            },
            id,
            places,
            kind: self.kind(at),
            direction: self.direction(at),
            status: self.status(at),
            level: self.level(at),
            system: text(Text::System),
            endpoint: text(Text::Endpoint),
            method: text(Text::Method),
            url: text(Text::Url),
            http_status: Some(self.http[at]).filter(|code| *code != 0),
            message: text(Text::Message),
            started_at: Timestamp(self.started[at]),
            completed_at: self.completed(at, extra),
            duration_us: self.duration(at, extra),
            attempt: self.attempt(at, extra),
            max_attempts: self.max_attempts(at, extra),
            next_retry_at: extra.and_then(|e| e.next_retry_at),
            correlation_id: text(Text::Correlation),
            parent_request_id: text(Text::Parent),
            error: text(Text::Error),
            error_type: text(Text::ErrorType),
            operation: text(Text::Operation),
            entity: text(Text::Entity),
            actor: text(Text::Actor),
            organization: text(Text::Organization),
            tags: text(Text::Tags),
            cpu_percent: self.cpu(at),
            memory_mb: self.memory(at),
            part: bits & bits::PART != 0,
            exact_start: bits & bits::EXACT_START != 0,
            exact_system: bits & bits::EXACT_SYSTEM != 0,
            message_rank: (bits >> bits::RANK & 3) as u8,
        }
    }
}

/// Writes a text column, which ends behind its last text: one without any takes no memory.
fn set_text(column: &mut Vec<Symbol>, at: usize, symbol: Symbol) {
    if at >= column.len() {
        if symbol == Symbol::ABSENT {
            return;
        }
        column.resize(at, Symbol::ABSENT);
        column.push(symbol);
    } else {
        column[at] = symbol;
    }
}

/// As [`set_text`], for numbers that few rows have.
/// A column that ends behind its last value.
fn number(column: &[f64], at: usize) -> Option<f64> {
    column.get(at).copied().filter(|n| !n.is_nan())
}

fn set_number(column: &mut Vec<f64>, at: usize, value: Option<f64>) {
    if at < column.len() {
        column[at] = value.unwrap_or(f64::NAN);
    } else if let Some(value) = value {
        column.resize(at, f64::NAN);
        column.push(value);
    }
}

/// File numbers take 20 bits, offsets 44: a million files of 16 TiB.
fn pack_locator(locator: &Locator, id: &Id, symbols: &mut Symbols) -> (u64, u32, u32) {
    match locator {
        Locator::Line { file, offset, length } => (u64::from(file.0) << 44 | offset & ((1 << 44) - 1), *length, 0),
        Locator::Message { topic, partition, offset } => {
            (u64::from(topic.0) << 44 | offset & ((1 << 44) - 1), *partition, 4)
        }
        Locator::Row(row) => (*row as u64, 0, 1),
        Locator::Key(key) if *key == id.to_string() => (0, 0, 3),
        Locator::Key(key) => (0, symbols.intern(key).0, 2),
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}
