//! Segments: columns of up to 16,384 rows into which activities are packed.

use super::column::{Texts, Values, set};
use super::pack::{
    MAX_OFFSET, NO_BYTE, NO_DURATION, OFFSET_BITS, RareFields, SAME, TEXTS, Text, bits, form, low_64, pack_byte,
    pack_duration, pack_end, pack_id, pack_locator, pack_texts, pack_words,
};
use super::symbols::{Symbol, Symbols};
use compact_str::CompactString;
use crosstail_core::model::{
    Activity, Direction, Id, Kind, Level, Locator, NameId, Place, SourceId, Status, Timestamp,
};
use crosstail_core::number::{saturating_i64, saturating_u8, saturating_u16, saturating_u32, truncated_i64};
use std::collections::HashMap;

/// Rows per segment.
pub(super) const ROWS: usize = 1 << 14;

/// The columns of one segment.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) started: Vec<i64>,
    id: Vec<u128>,
    texts: [Texts; TEXTS],
    duration: Vec<u32>,
    pub(super) http: Vec<u16>,
    /// May be shorter than the segment, like the text columns; NaN where absent.
    cpu: Vec<f64>,
    memory: Vec<f64>,
    /// When the record was stored in its first place, in microseconds after the start.
    recorded: Vec<f64>,
    attempt: Values<u8>,
    max_attempts: Values<u8>,
    bits: Vec<u32>,
    locator: Vec<u64>,
    locator_more: Vec<u32>,
    source: Values<u16>,
    /// What few rows have, by the row: side by side, because thousands of small pieces would hold the pages that they lie on.
    extras: HashMap<u16, RareFields>,
    /// Rows that have been given up.
    gone: usize,
}

/// The form of an id that is a text, in [`bits::ID`].
const TEXT_ID: u32 = 2;

impl Segment {
    /// Adds an activity, or overwrites row `at`.
    pub(super) fn put(&mut self, at: usize, activity: &Activity, symbols: &mut Symbols) {
        let mut extra = RareFields { next_retry_at: activity.next_retry_at, ..RareFields::default() };
        extra.places.extend(activity.places.iter().skip(1).cloned());
        let (id, id_form) = pack_id(&activity.id, symbols);
        let first = activity.places.first();
        let (locator, locator_more, locator_form) =
            first.map_or((0, 0, form::LINE), |place| pack_locator(&place.locator, &activity.id, symbols, &mut extra));
        let duration = pack_duration(activity.duration_us, &mut extra);
        let ends = pack_end(activity, &mut extra);
        let attempt = pack_byte(activity.attempt, &mut extra.attempt);
        let max_attempts = pack_byte(activity.max_attempts, &mut extra.max_attempts);
        let has_extra = extra != RareFields::default();
        let packed = pack_words(activity)
            | id_form << bits::ID
            | locator_form << bits::LOCATOR
            | ends
            | if has_extra { bits::EXTRA } else { 0 };
        for (column, symbol) in self.texts.iter_mut().zip(pack_texts(activity, symbols)) {
            column.set(at, symbol);
        }
        if has_extra {
            self.extras.insert(saturating_u16(at), extra);
        } else {
            self.extras.remove(&saturating_u16(at));
        }
        set_number(&mut self.cpu, at, activity.cpu_percent);
        set_number(&mut self.memory, at, activity.memory_mb);
        let recorded = first.and_then(|place| place.at);
        set_number(&mut self.recorded, at, recorded.map(|to| to.since_us(activity.started_at) as f64));
        set(&mut self.started, at, activity.started_at.0);
        set(&mut self.id, at, id);
        set(&mut self.duration, at, duration);
        set(&mut self.http, at, activity.http_status.unwrap_or(0));
        self.attempt.set(at, attempt);
        self.max_attempts.set(at, max_attempts);
        set(&mut self.bits, at, packed);
        set(&mut self.locator, at, locator);
        set(&mut self.locator_more, at, locator_more);
        self.source.set(at, first.map_or(0, |place| place.source.0));
    }

    /// Whether a row has been put and not been given up.
    pub(super) fn holds(&self, at: usize) -> bool {
        self.bits.get(at).is_some_and(|word| word & bits::GONE == 0)
    }

    /// Gives up a row. Frees the columns with the last row, if `can_go`.
    pub(super) fn forget(&mut self, at: usize, can_go: bool) {
        self.bits[at] |= bits::GONE;
        self.gone += 1;
        self.extras.remove(&saturating_u16(at));
        if can_go && self.gone == self.bits.len() {
            *self = Self::default();
        }
    }

    /// Bytes of memory of the columns.
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.cpu.capacity() + self.memory.capacity() + self.recorded.capacity();
        let texts: usize = self.texts.iter().map(Texts::bytes).sum();
        self.started.capacity() * 8
            + self.id.capacity() * 16
            + (self.duration.capacity() + self.bits.capacity() + self.locator_more.capacity()) * 4
            + self.http.capacity() * 2
            + texts
            + self.source.bytes()
            + self.attempt.bytes()
            + self.max_attempts.bytes()
            // A slot of a hash table has a byte of control beside its key and value.
            + self.extras.capacity() * (size_of::<(u16, RareFields)>() + 1)
            + (numbers + self.locator.capacity()) * 8
    }

    /// Every symbol of its rows.
    pub(super) fn each_symbol(&mut self, mut visit: impl FnMut(&mut Symbol)) {
        let Self { texts, id, locator_more, bits: words, .. } = self;
        for column in texts {
            let stays = |at: usize| words.get(at).is_none_or(|word| word & bits::GONE == 0);
            column.each(stays, |symbol| {
                if *symbol != Symbol::ABSENT && *symbol != SAME {
                    visit(symbol);
                }
            });
        }
        for ((value, more), word) in id.iter_mut().zip(locator_more).zip(words.iter()) {
            if word & bits::GONE != 0 {
                continue;
            }
            if word >> bits::ID & 3 == TEXT_ID {
                let mut symbol = Symbol(saturating_u32(*value));
                visit(&mut symbol);
                *value = u128::from(symbol.0);
            }
            if word >> bits::LOCATOR & 7 == form::KEY {
                let mut symbol = Symbol(*more);
                visit(&mut symbol);
                *more = symbol.0;
            }
        }
    }

    pub(super) fn id(&self, at: usize, symbols: &Symbols) -> Id {
        let value = self.id[at];
        match self.bits[at] >> bits::ID & 3 {
            0 => Id::Uuid(value),
            1 => Id::Line { file: low_64(value >> 64), offset: low_64(value) },
            _ => Id::Text(symbols.get(Symbol(saturating_u32(value))).into()),
        }
    }

    /// Whether a row has an id, without building the value.
    pub(super) fn is_id(&self, at: usize, id: &Id, symbols: &Symbols) -> bool {
        let value = self.id[at];
        match (self.bits[at] >> bits::ID & 3, id) {
            (0, Id::Uuid(other)) => value == *other,
            (1, Id::Line { file, offset }) => value == (u128::from(*file) << 64 | u128::from(*offset)),
            (2, Id::Text(text)) => symbols.get(Symbol(saturating_u32(value))) == text.as_str(),
            _ => false,
        }
    }

    pub(super) fn text(&self, at: usize, column: Text) -> Symbol {
        self.texts[column as usize].get(at)
    }

    /// The distinct texts of a column, where they are few.
    pub(super) fn few(&self, column: Text) -> Option<&[Symbol]> {
        self.texts[column as usize].few()
    }

    /// Which of the few distinct texts of a column a row has.
    pub(super) fn number_of_few(&self, column: Text, at: usize) -> Option<usize> {
        self.texts[column as usize].number_of_few(at)
    }

    /// The id, where it is a text.
    pub(super) fn text_id(&self, at: usize) -> Option<Symbol> {
        (self.bits[at] >> bits::ID & 3 == TEXT_ID).then(|| Symbol(saturating_u32(self.id[at])))
    }

    pub(super) fn kind(&self, at: usize) -> Kind {
        Kind::from_index(saturating_u8(self.bits[at] >> bits::KIND & 15))
    }

    pub(super) fn direction(&self, at: usize) -> Direction {
        Direction::from_index(saturating_u8(self.bits[at] >> bits::DIRECTION & 3))
    }

    pub(super) fn status(&self, at: usize) -> Option<Status> {
        let word = self.bits[at] >> bits::STATUS & 7;
        (word > 0).then(|| Status::from_index(saturating_u8(word - 1)))
    }

    pub(super) fn level(&self, at: usize) -> Option<Level> {
        let word = self.bits[at] >> bits::LEVEL & 7;
        (word > 0).then(|| Level::from_index(saturating_u8(word - 1)))
    }

    pub(super) fn attempt(&self, at: usize, extra: Option<&RareFields>) -> Option<u16> {
        let byte = self.attempt.get(at);
        if byte == NO_BYTE { extra.and_then(|e| e.attempt) } else { Some(u16::from(byte)) }
    }

    pub(super) fn max_attempts(&self, at: usize, extra: Option<&RareFields>) -> Option<u16> {
        let byte = self.max_attempts.get(at);
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
        self.duration(at, extra).map(|us| Timestamp(self.started[at]).plus_us(saturating_i64(us)))
    }

    /// What only few rows have.
    pub(super) fn extra(&self, at: usize) -> Option<&RareFields> {
        if self.bits[at] & bits::EXTRA == 0 { None } else { self.extras.get(&saturating_u16(at)) }
    }

    /// Frees what rows that have been given up took beside the columns.
    pub(super) fn shrink(&mut self) {
        self.extras.shrink_to_fit();
    }

    pub(super) fn exact_start(&self, at: usize) -> bool {
        self.bits[at] & bits::EXACT_START != 0
    }

    pub(super) fn source(&self, at: usize) -> SourceId {
        SourceId(self.source.get(at))
    }

    /// Decides the order between equal times: the offset in the file.
    pub(super) fn tie(&self, at: usize) -> u64 {
        self.locator[at]
    }

    /// The source of the first place, and the file or topic in it; `None` where they are not in the columns.
    pub(super) fn named_place(&self, at: usize) -> Option<(SourceId, Option<NameId>)> {
        let name = match self.bits[at] >> bits::LOCATOR & 7 {
            form::LINE | form::MESSAGE => Some(NameId(saturating_u32(self.locator[at] >> OFFSET_BITS))),
            form::EXTRA => return None,
            _ => None,
        };
        Some((self.source(at), name))
    }

    pub(super) fn place(&self, at: usize, symbols: &Symbols, extra: Option<&RareFields>) -> Place {
        let (a, b) = (self.locator[at], self.locator_more[at]);
        let number = || NameId(saturating_u32(a >> OFFSET_BITS));
        let offset = a & MAX_OFFSET;
        let by_id = || Locator::Key(CompactString::from(self.id(at, symbols).to_string()));
        let locator = match self.bits[at] >> bits::LOCATOR & 7 {
            form::LINE => Locator::Line { file: number(), offset, length: b },
            form::ROW => Locator::Row(a.cast_signed()),
            form::KEY => Locator::Key(symbols.get(Symbol(b)).into()),
            form::MESSAGE => Locator::Message { topic: number(), offset, partition: b },
            form::EXTRA => extra.and_then(|extra| extra.locator.clone()).unwrap_or_else(by_id),
            _ => by_id(),
        };
        let recorded = self::number(&self.recorded, at);
        let recorded = recorded.map(|us| Timestamp(self.started[at]).plus_us(truncated_i64(us)));
        Place { at: recorded, ..Place::new(self.source(at), locator) }
    }

    pub(super) fn get(&self, at: usize, symbols: &Symbols, extra: Option<&RareFields>) -> Activity {
        let text = |column| {
            let symbol = self.text(at, column);
            (symbol != Symbol::ABSENT).then(|| CompactString::from(symbols.get(symbol)))
        };
        let id = self.id(at, symbols);
        let bits = self.bits[at];
        let mut places = vec![self.place(at, symbols, extra)];
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
            error_at: text(Text::ErrorAt),
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
            message_rank: saturating_u8(bits >> bits::RANK & 3),
            final_outcome: None,
        }
    }
}

/// The value in a column that may be shorter than the segment.
fn number(column: &[f64], at: usize) -> Option<f64> {
    column.get(at).copied().filter(|n| !n.is_nan())
}

/// Writes a number that few rows have. The column ends after its last one.
fn set_number(column: &mut Vec<f64>, at: usize, value: Option<f64>) {
    if at < column.len() {
        column[at] = value.unwrap_or(f64::NAN);
    } else if let Some(value) = value {
        column.resize(at, f64::NAN);
        column.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores an activity and reads it again.
    fn through(locator: Locator) -> (Activity, Activity, u64, bool) {
        let mut activity = Activity::new(Id::parse("7f3a9c21-0000-4abc-8def-0123456789ab"), Timestamp(1_000_000));
        activity.places = vec![Place::new(SourceId(3), locator)];
        let (mut symbols, mut segment) = (Symbols::default(), Segment::default());
        segment.put(0, &activity, &mut symbols);
        let found = segment.get(0, &symbols, segment.extra(0));
        (activity, found, segment.tie(0), segment.extra(0).is_some())
    }

    #[test]
    fn the_last_file_and_offset_of_the_columns_and_those_beyond_come_back() {
        let line = |file: u32, offset: u64| Locator::Line { file: NameId(file), offset, length: 7 };
        let message = |topic: u32, offset: u64| Locator::Message { topic: NameId(topic), offset, partition: 9 };
        for (number, offset, fits) in [
            (0, 0, true),
            ((1 << 20) - 1, (1 << 44) - 1, true),
            (1 << 20, 5, false),
            (u32::MAX, 5, false),
            (5, 1 << 44, false),
            (1 << 20, u64::MAX, false),
        ] {
            for locator in [line(number, offset), message(number, offset)] {
                let (put, got, _, has_extra) = through(locator);
                assert_eq!(got, put);
                assert_eq!(has_extra, !fits, "{number} {offset}");
            }
        }
        let (last, beyond) = (through(line((1 << 20) - 1, 5)).2, through(line(1 << 20, 5)).2);
        assert!(last <= beyond, "the order of files continues");
    }

    #[test]
    fn rows_before_the_first_come_back() {
        for row in [0, -1, i64::MIN, i64::MAX] {
            let (put, got, ..) = through(Locator::Row(row));
            assert_eq!(got, put);
        }
    }

    #[test]
    fn a_row_that_is_written_over_by_one_that_fits_needs_no_extra() {
        let (mut symbols, mut segment) = (Symbols::default(), Segment::default());
        for file in [1 << 20, 1] {
            let mut activity = Activity::new(Id::parse("a"), Timestamp(0));
            let locator = Locator::Line { file: NameId(file), offset: 1, length: 1 };
            activity.places = vec![Place::new(SourceId(0), locator)];
            segment.put(0, &activity, &mut symbols);
            assert_eq!(segment.get(0, &symbols, segment.extra(0)), activity);
        }
        assert!(segment.extras.is_empty());
    }
}
