//! Names of months and days.

pub(super) const MONTHS: [[u8; 3]; 12] =
    [*b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct", *b"nov", *b"dec"];
pub(super) const DAYS: [[u8; 3]; 7] = [*b"mon", *b"tue", *b"wed", *b"thu", *b"fri", *b"sat", *b"sun"];

/// Months as syslog writes them in other languages, where the first three letters are not those of English.
const LOCAL_MONTHS: [&[&str]; 12] = [
    &["ene", "gen", "gennaio", "enero", "sty"],
    &["fév", "févr", "fev", "lut"],
    &["mär", "mrz", "märz", "mrt"],
    &["avr", "abr", "kwi"],
    &["mai", "mag", "mei", "maj"],
    &["juin", "giu", "cze"],
    &["juil", "lug", "lip"],
    &["août", "ago", "sie"],
    &["set", "wrz"],
    &["okt", "ott", "out", "paź"],
    &["lis"],
    &["dez", "déc", "dic", "gru"],
];

/// The month, from 0, that a word names in one of the other languages.
pub(super) fn local_month(word: &[u8]) -> Option<usize> {
    let word = std::str::from_utf8(word).ok()?;
    let is = |name: &str| name.len() == word.len() && name.chars().eq(word.chars().flat_map(char::to_lowercase));
    LOCAL_MONTHS.iter().position(|names| names.iter().any(|name| is(name)))
}
