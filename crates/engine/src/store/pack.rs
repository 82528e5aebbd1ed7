//! Packs the fields of an activity into columns; values that do not fit go to [`RareFields`].

use super::symbols::{Symbol, Symbols};
use compact_str::CompactString;
use crosstail_core::filter::Field;
use crosstail_core::model::{Activity, Id, Locator, NameId, Place, Timestamp};
use crosstail_core::number::saturating_i64;
use smallvec::SmallVec;

/// The text columns.
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
    ErrorAt,
    Operation,
    Entity,
    Actor,
    Correlation,
    Parent,
    Organization,
    Tags,
    /// [`SAME`] where it equals the activity's id.
    Request,
}

impl Text {
    /// The column of a field, if it has one.
    pub(super) fn of(field: Field) -> Option<Self> {
        Some(match field {
            Field::System => Self::System,
            Field::Endpoint => Self::Endpoint,
            Field::Method => Self::Method,
            Field::Url => Self::Url,
            Field::Message => Self::Message,
            Field::Error => Self::Error,
            Field::ErrorType => Self::ErrorType,
            Field::ErrorAt => Self::ErrorAt,
            Field::Operation => Self::Operation,
            Field::Entity => Self::Entity,
            Field::Actor => Self::Actor,
            Field::Correlation => Self::Correlation,
            Field::Parent => Self::Parent,
            Field::Organization => Self::Organization,
            Field::Tags => Self::Tags,
            Field::Request => Self::Request,
            _ => return None,
        })
    }
}

pub(super) const TEXTS: usize = 16;

/// In [`Text::Request`]: the request id equals the activity's id. No text has this number.
pub(super) const SAME: Symbol = Symbol(u32::MAX);

/// Longer texts are truncated in memory, in bytes; the payload has the full text.
const MAX_TEXT: usize = 64 * 1024;

/// Positions of the values in [`Segment::bits`].
pub(super) mod bits {
    /// Kind: 4 bits.
    pub(in crate::store) const KIND: u32 = 0;
    /// Direction: 2 bits.
    pub(in crate::store) const DIRECTION: u32 = 4;
    /// Status + 1, or 0 for none: 3 bits.
    pub(in crate::store) const STATUS: u32 = 6;
    /// Level + 1, or 0 for none: 3 bits.
    pub(in crate::store) const LEVEL: u32 = 9;
    /// Form of the id: 2 bits.
    pub(in crate::store) const ID: u32 = 12;
    /// Form of the locator, one of [`super::form`]: 3 bits.
    pub(in crate::store) const LOCATOR: u32 = 14;
    /// Rank of the message: 2 bits.
    pub(in crate::store) const RANK: u32 = 17;
    pub(in crate::store) const PART: u32 = 1 << 19;
    pub(in crate::store) const EXACT_START: u32 = 1 << 20;
    pub(in crate::store) const EXACT_SYSTEM: u32 = 1 << 21;
    /// The end equals start + duration.
    pub(in crate::store) const ENDS: u32 = 1 << 22;
    /// The row has an entry in [`super::RareFields`].
    pub(in crate::store) const EXTRA: u32 = 1 << 23;
    /// The row has been given up.
    pub(in crate::store) const GONE: u32 = 1 << 24;
}

/// Forms of a locator.
pub(super) mod form {
    /// A line of a file: the file's number and the offset share one column.
    pub(in crate::store) const LINE: u32 = 0;
    pub(in crate::store) const ROW: u32 = 1;
    pub(in crate::store) const KEY: u32 = 2;
    /// A key that equals the activity's id.
    pub(in crate::store) const ID: u32 = 3;
    /// A message of a topic, packed like [`LINE`].
    pub(in crate::store) const MESSAGE: u32 = 4;
    /// Stored in [`super::RareFields`].
    pub(in crate::store) const EXTRA: u32 = 5;
}

/// Values that only few rows have, or that do not fit into the columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RareFields {
    pub(super) duration_us: Option<u64>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) next_retry_at: Option<Timestamp>,
    pub(super) attempt: Option<u16>,
    pub(super) max_attempts: Option<u16>,
    /// The locator in the first place, if it does not fit into the columns.
    pub(super) locator: Option<Locator>,
    /// Places after the first: mostly one, without a piece of memory of its own.
    pub(super) places: SmallVec<[Place; 1]>,
}

/// Absent, or stored in [`RareFields`].
pub(super) const NO_BYTE: u8 = u8::MAX;
pub(super) const NO_DURATION: u32 = u32::MAX;

pub(super) fn pack_id(id: &Id, symbols: &mut Symbols) -> (u128, u32) {
    match id {
        Id::Uuid(value) => (*value, 0),
        Id::Line { file, offset } => (u128::from(*file) << 64 | u128::from(*offset), 1),
        Id::Text(text) => (u128::from(symbols.intern(text).0), 2),
    }
}

/// The lower 64 bits of a pair of numbers.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is the other number of the pair")]
pub(super) const fn low_64(pair: u128) -> u64 {
    pair as u64
}

/// A duration in microseconds in 32 bits, at most 71 minutes; longer ones go to [`RareFields`].
pub(super) fn pack_duration(us: Option<u64>, extra: &mut RareFields) -> u32 {
    let fits = us.and_then(|us| u32::try_from(us).ok()).filter(|us| *us != NO_DURATION);
    if fits.is_none() {
        extra.duration_us = us;
    }
    fits.unwrap_or(NO_DURATION)
}

/// [`bits::ENDS`] where the end equals start + duration; any other end goes to [`RareFields`].
pub(super) fn pack_end(activity: &Activity, extra: &mut RareFields) -> u32 {
    match (activity.completed_at, activity.duration_us) {
        (Some(end), Some(us)) if activity.started_at.plus_us(saturating_i64(us)) == end => bits::ENDS,
        (end, _) => {
            extra.completed_at = end;
            0
        }
    }
}

/// A small number in a byte; a larger one goes to `slot`, which is in [`RareFields`].
pub(super) fn pack_byte(value: Option<u16>, slot: &mut Option<u16>) -> u8 {
    let fits = value.and_then(|n| u8::try_from(n).ok()).filter(|n| *n != NO_BYTE);
    if fits.is_none() {
        *slot = value;
    }
    fits.unwrap_or(NO_BYTE)
}

/// Packs enumerations and flags into their positions of [`bits`].
pub(super) fn pack_words(activity: &Activity) -> u32 {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    (activity.kind as u32) << bits::KIND
        | (activity.direction as u32) << bits::DIRECTION
        | activity.status.map_or(0, |s| s as u32 + 1) << bits::STATUS
        | activity.level.map_or(0, |l| l as u32 + 1) << bits::LEVEL
        | u32::from(activity.message_rank.min(3)) << bits::RANK
        | flag(activity.part, bits::PART)
        | flag(activity.exact_start, bits::EXACT_START)
        | flag(activity.exact_system, bits::EXACT_SYSTEM)
}

/// The texts of an activity, in the order of [`Text`].
pub(super) fn pack_texts(activity: &Activity, symbols: &mut Symbols) -> [Symbol; TEXTS] {
    let mut text = |value: &Option<CompactString>| value.as_deref().map_or(Symbol::ABSENT, |t| symbols.intern(cut(t)));
    [
        text(&activity.system),
        text(&activity.endpoint),
        text(&activity.method),
        text(&activity.url),
        text(&activity.message),
        text(&activity.error),
        text(&activity.error_type),
        text(&activity.error_at),
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
    ]
}

/// Bits of an offset in the column; a file's number has the other 20. Enough for a million files of 16 TiB.
pub(super) const OFFSET_BITS: u32 = 44;
pub(super) const MAX_OFFSET: u64 = (1 << OFFSET_BITS) - 1;
const MAX_NUMBER: u64 = u64::MAX >> OFFSET_BITS;

/// Packs a number and an offset into one column, and returns whether they fit. If not, the value sorts at the end.
fn pack_offset(number: NameId, offset: u64) -> (u64, bool) {
    let number = u64::from(number.0);
    let packed = number.min(MAX_NUMBER) << OFFSET_BITS | offset.min(MAX_OFFSET);
    (packed, number <= MAX_NUMBER && offset <= MAX_OFFSET)
}

/// A locator in two columns, and its form. One that does not fit goes to [`RareFields`]; the column keeps its order.
pub(super) fn pack_locator(
    locator: &Locator,
    id: &Id,
    symbols: &mut Symbols,
    extra: &mut RareFields,
) -> (u64, u32, u32) {
    let (packed, more, form) = match locator {
        Locator::Line { file, offset, length } => (pack_offset(*file, *offset), *length, form::LINE),
        Locator::Message { topic, partition, offset } => (pack_offset(*topic, *offset), *partition, form::MESSAGE),
        Locator::Row(row) => ((row.cast_unsigned(), true), 0, form::ROW),
        Locator::Key(key) if *key == id.to_string() => ((0, true), 0, form::ID),
        Locator::Key(key) => ((0, true), symbols.intern(key).0, form::KEY),
    };
    match packed {
        (packed, true) => (packed, more, form),
        (packed, false) => {
            extra.locator = Some(locator.clone());
            (packed, more, form::EXTRA)
        }
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}
