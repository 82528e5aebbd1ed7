//! Finds a literal text in ids that are stored as numbers, without writing them out.

use crosstail_core::filter::Pattern;

/// Digits before each dash of a canonical UUID.
const DASHES: [usize; 4] = [8, 12, 16, 20];
/// Characters of a canonical UUID.
const UUID_CHARACTERS: usize = 36;

/// Digits at a place of a number: the bits that they take, and their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Digits {
    mask: u128,
    value: u128,
}

/// A search in the ids of rows.
#[derive(Debug, Clone, Default)]
pub(super) struct IdSearch {
    /// Where the text can stand in a UUID.
    in_uuids: Vec<Digits>,
    /// The digits before and behind the dot of a line's id; without a dot, only the first.
    in_lines: Option<(Vec<u8>, Option<Vec<u8>>)>,
}

/// The values of hexadecimal digits in lower case; `None` where something else is among them.
fn digits_of(text: &str) -> Option<Vec<u8>> {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        })
        .collect()
}

fn number_of(digits: &[u8]) -> u128 {
    digits.iter().fold(0, |number, digit| number << 4 | u128::from(*digit))
}

/// The bits of so many digits.
fn mask_of(count: usize) -> u128 {
    if count >= 32 { u128::MAX } else { (1 << (4 * count)) - 1 }
}

impl IdSearch {
    /// `None` where only the written id can be searched.
    pub(super) fn of(pattern: &Pattern) -> Option<Self> {
        let Pattern::Contains(_, literal) = pattern else { return None };
        let in_lines = match literal.split_once('.') {
            Some((file, offset)) => digits_of(file).zip(digits_of(offset)).map(|(file, offset)| (file, Some(offset))),
            None => digits_of(literal).map(|digits| (digits, None)),
        };
        Some(Self { in_uuids: in_uuids(literal), in_lines })
    }

    /// Whether a canonical UUID contains the text.
    pub(super) fn is_in_uuid(&self, value: u128) -> bool {
        self.in_uuids.iter().any(|place| value & place.mask == place.value)
    }

    /// Whether the id of a line contains the text: 16 digits of its file, a dot, and its offset.
    pub(super) fn is_in_line(&self, file: u64, offset: u64) -> bool {
        let Some((first, second)) = &self.in_lines else { return false };
        let length = offset.checked_ilog(16).map_or(1, |log| log as usize + 1);
        match second {
            None => has(file, 16, first) || has(offset, length, first),
            Some(second) => ends_with(file, first) && begins_with(offset, length, second),
        }
    }
}

/// Whether a number of so many digits has these somewhere.
fn has(number: u64, length: usize, digits: &[u8]) -> bool {
    let Some(room) = length.checked_sub(digits.len()) else { return false };
    let (mask, value) = (mask_of(digits.len()), number_of(digits));
    (0..=room).any(|shift| u128::from(number) >> (4 * shift) & mask == value)
}

fn ends_with(number: u64, digits: &[u8]) -> bool {
    digits.len() <= 16 && u128::from(number) & mask_of(digits.len()) == number_of(digits)
}

fn begins_with(number: u64, length: usize, digits: &[u8]) -> bool {
    length.checked_sub(digits.len()).is_some_and(|behind| u128::from(number) >> (4 * behind) == number_of(digits))
}

/// Every place of a text in a canonical UUID.
fn in_uuids(literal: &str) -> Vec<Digits> {
    // As in the UUID itself: `None` for a dash, else the number of the digit.
    let layout: Vec<Option<usize>> =
        (0..32).flat_map(|digit| DASHES.contains(&digit).then_some(None).into_iter().chain([Some(digit)])).collect();
    debug_assert_eq!(layout.len(), UUID_CHARACTERS);
    let fits = |place: &[Option<usize>]| {
        let mut digits = Digits { mask: 0, value: 0 };
        for (at, character) in place.iter().zip(literal.bytes()) {
            match (at, character) {
                (None, b'-') => {}
                (Some(digit), _) => {
                    let value = char::from(character).to_digit(16).filter(|_| !character.is_ascii_uppercase())?;
                    let shift = 4 * (31 - digit);
                    digits.mask |= 15 << shift;
                    digits.value |= u128::from(value) << shift;
                }
                (None, _) => return None,
            }
        }
        Some(digits)
    };
    match literal.len() {
        0 => vec![Digits { mask: 0, value: 0 }],
        length => layout.windows(length).filter_map(fits).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::filter::{Context, Filter, Predicate};
    use crosstail_core::model::Id;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        match Filter::parse(&format!("\"{text}\"")).expect("a filter").predicate(&Context::default()) {
            Predicate::FreeText(pattern) => pattern,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn ids_contain_what_their_texts_contain(
            value in any::<u128>(), small in 0u64..70_000, cut in (0usize..36, 1usize..12), other in "[0-9a-fA-F.-]{1,7}|[a-z]",
            is_small in any::<bool>(), large in any::<u64>(),
        ) {
            let (file, offset) = ((value >> 64) as u64, if is_small { small } else { large });
            let (uuid, line) = (Id::Uuid(value), Id::Line { file, offset });
            // A piece of either, and something else.
            let piece = |id: &Id| id.to_string().chars().skip(cut.0).take(cut.1).collect::<String>();
            for text in [piece(&uuid), piece(&line), other].into_iter().filter(|text| !text.is_empty()) {
                let pattern = pattern(&text);
                let search = IdSearch::of(&pattern).expect("a literal");
                prop_assert_eq!(search.is_in_uuid(value), pattern.test(&uuid.to_string()), "{} in {}", text, uuid);
                prop_assert_eq!(search.is_in_line(file, offset), pattern.test(&line.to_string()), "{} in {}", text, line);
            }
        }
    }
}
