//! Card numbers.

use super::findings::Findings;
use std::ops::Range;

/// Digits of a card number at most.
const LONGEST_CARD: usize = 19;

/// Lengths of the groups of a card number, as it is printed or typed; or all its digits together.
const CARD_GROUPS: &[&[usize]] = &[&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3], &[4, 4, 5]];

/// What has numbers as long as those of cards.
const COUNTED: &[&str] = &[
    "order",
    "invoice",
    "delivery",
    "shipment",
    "offset",
    "imei",
    "epoch",
    "sequence",
    "tracking",
    "barcode",
    "block",
    "lsn",
    "revision",
    "timestamp",
];

/// Card numbers: 13 to 19 digits, alone or in the groups of a card, of a length that their network uses, which Luhn's formula
/// confirms (ISO/IEC 7812-1 annex B). So order numbers, epochs and rows of numbers stay.
pub(super) fn cards(text: &str, found: &mut Findings<'_>) {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_word = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let mut at = 0;
    while at < bytes.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        // Groups of digits that one blank or hyphen divides, or a plus sign: a blank of a form.
        let mut groups: Vec<Range<usize>> = Vec::new();
        loop {
            let start = at;
            while is_digit(at) {
                at += 1;
            }
            groups.push(start..at);
            if !matches!(bytes.get(at), Some(b' ' | b'-' | b'+')) || !is_digit(at + 1) {
                break;
            }
            at += 1;
        }
        let mut first = 0;
        while first < groups.len() {
            let card = (first..groups.len().min(first + LONGEST_CARD)).rev().find(|last| {
                let range = groups[first].start..groups[*last].end;
                if range.len() > 2 * LONGEST_CARD {
                    return false;
                }
                let digits = groups[first..=*last].iter().flat_map(|group| &bytes[group.clone()]);
                let alone = (range.start == 0 || !is_word(range.start - 1)) && !is_word(range.end);
                // `blk_-6952295868487656571` is negative, `0.619213932272553058` is a fraction.
                let before = (range.start > 0).then(|| bytes[range.start - 1]);
                let earlier = (range.start > 1).then(|| bytes[range.start - 2]);
                let is_number = match before {
                    Some(b'-') => !earlier.is_some_and(|b| b.is_ascii_alphanumeric()),
                    Some(b'.') => earlier.is_some_and(|b| b.is_ascii_digit()),
                    _ => false,
                };
                let lengths = || groups[first..=*last].iter().map(Range::len);
                let grouped = first == *last || CARD_GROUPS.iter().any(|card| lengths().eq(card.iter().copied()));
                let alone = alone && grouped && !is_number && !is_in_uuid(bytes, &range);
                let alone = alone && !is_called_otherwise(text, range.start);
                alone && is_card_number(&digits.map(|b| u32::from(b - b'0')).collect::<Vec<_>>())
            });
            if let Some(last) = card {
                found.hide(groups[first].start..groups[last].end, "card");
            }
            // One of 16 digits: most numbers of a card are.
            let four = groups.get(first..first + 4).filter(|four| four.iter().all(|group| group.len() == 4));
            let typed = four.map(|four| four[0].start..four[3].end);
            let typed = typed.or_else(|| Some(groups[first].clone()).filter(|group| group.len() == 16));
            if let (None, Some(typed)) = (card, typed) {
                found.keep(
                    typed,
                    "card",
                    "it has the digits of a card number, but its check digit or what stands around it is another",
                );
            }
            first = card.unwrap_or(first) + 1;
        }
    }
}

/// Whether the word before a number says what it counts: `order number 4000000000000002`.
fn is_called_otherwise(text: &str, at: usize) -> bool {
    let head = &text[text.floor_char_boundary(at.saturating_sub(32))..at];
    let head = head.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    if head.ends_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut words = head.rsplit(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let is_number = |word: &&str| ["number", "no", "nr", "id"].iter().any(|of| of.eq_ignore_ascii_case(word));
    let word = words.next().and_then(|word| if is_number(&word) { words.next() } else { Some(word) });
    word.is_some_and(|word| COUNTED.iter().any(|counted| counted.eq_ignore_ascii_case(word)))
}

/// Whether a range is a part of a UUID: `43981948-2218-3508-c848-544993883693`.
fn is_in_uuid(text: &[u8], range: &Range<usize>) -> bool {
    let is_part = |b: &&u8| b.is_ascii_hexdigit() || **b == b'-';
    let before = text[..range.start].iter().rev().take(37).take_while(is_part).count();
    let after = text[range.end..].iter().take(37).take_while(is_part).count();
    let whole = &text[range.start - before..range.end + after];
    whole.len() == 36 && std::str::from_utf8(whole).is_ok_and(|text| uuid::Uuid::try_parse(text).is_ok())
}

fn is_card_number(digits: &[u32]) -> bool {
    let doubled = |(i, d): (usize, &u32)| if i % 2 == 1 { if d * 2 > 9 { d * 2 - 9 } else { d * 2 } } else { *d };
    // The networks' first digits and lengths: American Express, Diners, JCB, Visa, Mastercard, UnionPay and others.
    let known = match (digits, digits.len()) {
        ([3, 4 | 7, ..], length) => length == 15,
        ([3, 0 | 6 | 8 | 9, ..], length) => (14..=LONGEST_CARD).contains(&length),
        ([3, 5, ..], length) => (16..=LONGEST_CARD).contains(&length),
        ([4, ..], length) => matches!(length, 13 | 16 | 19),
        ([5, 1..=5, ..], length) => length == 16,
        ([5 | 6, ..], length) => (13..=LONGEST_CARD).contains(&length),
        _ => false,
    };
    known && digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::redact_text;

    #[test]
    fn card_numbers_have_the_lengths_and_groups_of_cards() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111+1111+1111+1111",
            "5555555555554444",
            "378282246310005",
            "3782 822463 10005",
            "3056 930902 5904",
            "6011111111111117",
        ] {
            assert_eq!(redact_text(&format!("paid with {card} today")), "paid with [REDACTED] today", "{card}");
        }
        for none in [
            "4111 11 1111111111",
            "-4111111111111111",
            "0.4111111111111111",
            "41111 11111 111111",
            "5555555555554444444",
        ] {
            assert_eq!(redact_text(&format!("paid with {none} today")), format!("paid with {none} today"));
        }
        for counted in ["order number §", "invoice §", "order_id=§", "offset: § of partition 3", "imei §"] {
            let text = counted.replace('§', "4111111111111111");
            assert_eq!(redact_text(&text), text);
            assert!(redact_text(&format!("card of {text}, 4111111111111111")).contains("[REDACTED]"));
        }
    }
}
