//! Names of months and days.

pub(super) const MONTHS: [[u8; 3]; 12] =
    [*b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct", *b"nov", *b"dec"];
pub(super) const DAYS: [[u8; 3]; 7] = [*b"mon", *b"tue", *b"wed", *b"thu", *b"fri", *b"sat", *b"sun"];

/// Months as syslog writes them in other languages, where the first three letters are not those of English.
const LOCAL_MONTHS: [&[&str]; 12] = [
    &["ene", "gen", "gennaio", "enero", "sty", "янв", "一月"],
    &["fév", "févr", "fev", "lut", "фев", "二月"],
    &["mär", "mrz", "märz", "mrt", "мар", "三月"],
    &["avr", "abr", "kwi", "апр", "四月"],
    &["mai", "mag", "mei", "maj", "мая", "五月"],
    &["juin", "giu", "cze", "июн", "六月"],
    &["juil", "lug", "lip", "июл", "七月"],
    &["août", "ago", "sie", "авг", "八月"],
    &["set", "wrz", "сен", "九月"],
    &["okt", "ott", "out", "paź", "окт", "十月"],
    &["lis", "ноя", "十一月"],
    &["dez", "déc", "dic", "gru", "дек", "十二月"],
];

/// The month, from 0, that a word names in one of the other languages.
pub(super) fn local_month(word: &[u8]) -> Option<usize> {
    let word = std::str::from_utf8(word).ok()?;
    let is = |name: &str| name.len() == word.len() && name.chars().eq(word.chars().flat_map(char::to_lowercase));
    LOCAL_MONTHS.iter().position(|names| names.iter().any(|name| is(name)))
}
