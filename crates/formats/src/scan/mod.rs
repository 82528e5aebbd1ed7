//! Patterns as scanners: one whose choices the next byte decides is matched in one pass over the head of a line, without
//! the tables of a regular expression. A pattern that cannot be lowered stays one; both find the same groups.

mod lower;

pub(crate) use lower::{Needs, first_bytes};

use regex::bytes::Regex;

/// A pattern with more groups is not lowered.
const GROUPS: usize = 24;
const UNSET: u32 = u32::MAX;

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bytes([u64; 4]);

impl Bytes {
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn or(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(one, other)| *one |= other);
        self
    }

    fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(one, other)| one & other != 0)
    }
}

/// One step of a scanner. Numbers are those of other steps.
#[derive(Debug)]
enum Step {
    Byte(u8),
    Literal(Box<[u8]>),
    One(Bytes),
    /// Everything before the next of three bytes, and at least so many.
    Until([u8; 3], usize),
    /// As many bytes of a set as there are, within limits.
    Run(Bytes, usize, usize),
    /// Everything that is left.
    Rest,
    Open(usize),
    Close(usize),
    /// What follows is there if the next byte says so; else the scanner goes on behind it. Where the byte alone cannot decide
    /// (`sure` is false), one way is tried after the other, the second first where the pattern is `lazy`.
    Maybe {
        first: Bytes,
        behind: usize,
        sure: bool,
        lazy: bool,
    },
    /// The first of these texts that stands here.
    Words(Box<[Box<[u8]>]>),
    /// The first of these ways whose first byte is here; each byte begins one of them.
    Choice(Box<[(Bytes, usize)]>),
    Jump(usize),
    End,
    Found,
}

/// A lowered pattern. The text must be one line.
#[derive(Debug)]
pub(crate) struct Scanner(Vec<Step>);

/// Where the groups of a pattern stand in a text.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    at: [(u32, u32); GROUPS],
    open: [u32; GROUPS],
}

impl Groups {
    /// No group yet.
    pub(crate) const NONE: Self = Self { at: [(UNSET, UNSET); GROUPS], open: [UNSET; GROUPS] };

    /// Of the whole match, or of a group.
    pub(crate) fn range(&self, group: usize) -> Option<std::ops::Range<usize>> {
        let (from, to) = *self.at.get(group)?;
        (to != UNSET).then_some(from as usize..to as usize)
    }

    fn take_from(&mut self, regex: &Regex, text: &[u8]) -> bool {
        let Some(captures) = regex.captures(text) else { return false };
        for (slot, group) in self.at.iter_mut().zip(captures.iter()) {
            *slot = group.map_or((UNSET, UNSET), |group| (place(group.start()), place(group.end())));
        }
        true
    }
}

/// A record is far shorter than 4 GiB: [`crate::Frames`] cuts it before.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(UNSET - 1)
}

/// Whether a word stands at a place. Words are too short for a call that compares memory.
fn stands(word: &[u8], text: &[u8], at: usize) -> bool {
    word.iter().enumerate().all(|(index, byte)| text.get(at + index) == Some(byte))
}

/// A pattern in the quickest form that it has.
#[derive(Debug)]
pub(crate) enum Matcher {
    Scanner(Scanner),
    Regex(Regex),
}

impl Matcher {
    /// `source`: the pattern that `regex` was made from, for one line.
    pub(crate) fn of_line(source: &str, regex: Regex) -> Self {
        match Scanner::of(source).filter(|_| regex.captures_len() <= GROUPS) {
            Some(scanner) => Self::Scanner(scanner),
            None => Self::Regex(regex),
        }
    }

    #[cfg(test)]
    pub(crate) const fn is_scanner(&self) -> bool {
        matches!(self, Self::Scanner(_))
    }

    /// Whether the pattern fits, and then its groups.
    pub(crate) fn find(&self, text: &str, groups: &mut Groups) -> bool {
        match self {
            Self::Scanner(scanner) => scanner.find(text.as_bytes(), groups),
            Self::Regex(regex) => groups.take_from(regex, text.as_bytes()),
        }
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Scanner(scanner) => {
                let mut groups = Groups::NONE;
                scanner.find(text.as_bytes(), &mut groups)
            }
            Self::Regex(regex) => regex.is_match(text.as_bytes()),
        }
    }
}

impl Scanner {
    /// Lowers a pattern; `None` where one pass cannot match it.
    fn of(source: &str) -> Option<Self> {
        lower::lower(source).map(Self)
    }

    fn find(&self, text: &[u8], groups: &mut Groups) -> bool {
        let end = self.run(0, text, 0, groups);
        groups.at[0] = (0, end.map_or(UNSET, place));
        end.is_some()
    }

    /// Where the pattern ends that goes on at a step and a place.
    fn run(&self, mut step: usize, text: &[u8], mut at: usize, found: &mut Groups) -> Option<usize> {
        loop {
            let next = text.get(at);
            step += 1;
            match &self.0[step - 1] {
                Step::Byte(byte) => {
                    if next != Some(byte) {
                        return None;
                    }
                    at += 1;
                }
                Step::Literal(literal) => {
                    if !stands(literal, text, at) {
                        return None;
                    }
                    at += literal.len();
                }
                Step::Until([a, b, c], least) => {
                    let length = memchr::memchr3(*a, *b, *c, &text[at..]).unwrap_or(text.len() - at);
                    if length < *least {
                        return None;
                    }
                    at += length;
                }
                Step::One(set) => {
                    if !next.is_some_and(|byte| set.has(*byte)) {
                        return None;
                    }
                    at += 1;
                }
                Step::Run(set, least, most) => {
                    let upto = text.len().min(at.saturating_add(*most));
                    let begun = at;
                    while at < upto && set.has(text[at]) {
                        at += 1;
                    }
                    if at - begun < *least {
                        return None;
                    }
                }
                Step::Rest => at = text.len(),
                Step::Open(group) => found.open[*group] = place(at),
                Step::Close(group) => found.at[*group] = (found.open[*group], place(at)),
                Step::Maybe { first, behind, sure, lazy } => {
                    let possible = next.is_some_and(|byte| first.has(*byte));
                    if possible && *sure {
                        continue;
                    }
                    if possible {
                        let (one, other) = if *lazy { (*behind, step) } else { (step, *behind) };
                        let before = found.clone();
                        if let Some(end) = self.run(one, text, at, found) {
                            return Some(end);
                        }
                        *found = before;
                        step = other;
                    } else {
                        step = *behind;
                    }
                }
                Step::Words(words) => at += words.iter().find(|word| stands(word, text, at))?.len(),
                Step::Choice(ways) => step = ways.iter().find(|(first, _)| next.is_some_and(|b| first.has(*b)))?.1,
                Step::Jump(to) => step = *to,
                Step::End => {
                    if at != text.len() {
                        return None;
                    }
                }
                Step::Found => return Some(at),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::compile;

    fn scanner(source: &str) -> Option<Scanner> {
        Scanner::of(source)
    }

    /// Both forms of a pattern find the same.
    fn agree(source: &str, texts: &[&str]) {
        let (scanner, regex) = (scanner(source).expect(source), compile(source, false).expect("a pattern"));
        for text in texts {
            let (mut one, mut other) = (Groups::NONE, Groups::NONE);
            let fits = scanner.find(text.as_bytes(), &mut one);
            assert_eq!(fits, other.take_from(&regex, text.as_bytes()), "{source} on {text:?}");
            assert!(!fits || one.at == other.at, "{source} on {text:?}: {:?} instead of {:?}", one.at, other.at);
        }
    }

    #[test]
    fn a_scanner_finds_what_the_pattern_finds() {
        agree(
            r"^(?P<a>\d{1,3})-(?P<b>[a-z]+)(?:\[(?P<c>\d+)\])?: (?P<d>.*)$",
            &["1-a: x", "12-ab[7]: ", "1234-a: x", "1-a[: x", "1-: x", "1-a[7]:x", ""],
        );
        agree(
            r"^(?P<t>\d{2}:\d{2}(?:\.\d+)?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?) (?P<m>.*)$",
            &["07:08 Z x", "07:08 x", "07:08Z x", "07:08.5 +0200 y", "07:08 +02:0 y", "07:08 Z", "07:08 ZZ"],
        );
        agree(r"^(?:(?P<v>[a-z]+) )??(?P<h>[a-z]+) (?P<m>.*)$", &["a b c", "a b", "a", "a  b"]);
        agree(
            r#"^"(?P<r>(?:[^"\\]|\\.)*)" (?P<s>\d{3}|-)(?: (?P<b>\d+|-))?(?: "(?P<f>[^"]*)")?(?P<rest>.*)$"#,
            &[r#""GET \"x\" y" 200 12 "ref" 7"#, r#""" - - x"#, r#""a\"#, r#""a" 200 "b" 7"#, r#""a" 20"#],
        );
        agree(
            r"^(?P<m>(?:Jan|Jun|Jul)) {1,2}(?P<d>\d{1,2}) (?:(?P<y>\d{4}) )?(?P<h>\d{2}):(?P<n>\d\d)",
            &["Jun  6 07:08", "Jul 16 2024 07:08:01", "Jan 6 2024 7:08", "Jam 1 00:00", "Jan   1 00:00"],
        );
        agree(r"^(?:[\d+-]+/){2,3}(?P<x>\d+) end$", &["1/2/3 end", "1/-1/+2/3 end", "1/2 end", "1/2/3/4/5 end"]);
        agree(r"^(?:\[(?P<a>[^\]]*)\])+(?P<x>z)?$", &["[a][b]z", "[]", "z", "[a"]);
    }

    /// The built-in patterns, on every line of every sample: whole, cut anywhere, and without any one of its characters.
    #[test]
    fn the_built_in_scanners_find_what_their_patterns_find() {
        let formats = crate::Formats::built_in().expect("formats");
        let lines: Vec<&str> =
            formats.texts().iter().flat_map(|format| &format.samples).flat_map(|sample| sample.text.lines()).collect();
        for format in formats.texts().iter().filter(|format| !format.whole) {
            for (source, pattern) in format.firsts.iter().zip(&format.patterns) {
                let Matcher::Scanner(scanner) = &pattern.matcher else { continue };
                let regex = compile(source, false).expect("a pattern");
                let needs = Needs::of(source);
                let begins = first_bytes(source);
                let check = |text: &[u8]| {
                    let (mut one, mut other) = (Groups::NONE, Groups::NONE);
                    let fits = scanner.find(text, &mut one);
                    let shown = || format!("{source} on {:?}", String::from_utf8_lossy(text));
                    assert_eq!(fits, other.take_from(&regex, text), "{}", shown());
                    let mut present = [false; 256];
                    for byte in text {
                        present[usize::from(*byte)] = true;
                    }
                    assert!(
                        !fits || (needs.are_in(&present) && begins.has(text[0]) && one.at == other.at),
                        "{}",
                        shown()
                    );
                    fits
                };
                for line in lines.iter().map(|line| line.as_bytes()).filter(|line| regex.is_match(line)) {
                    check(line);
                    for at in (0..line.len()).take(400) {
                        check(&line[..at]);
                        check(&[&line[..at], &line[at + 1..]].concat());
                        check(&[&line[..at], b" ", &line[at..]].concat());
                        check(&[&line[..at], b"7", &line[at + 1..]].concat());
                    }
                }
                for line in &lines {
                    check(line.as_bytes());
                }
            }
        }
    }

    #[test]
    fn what_needs_more_than_a_pass_stays_a_pattern() {
        for source in [r"^(?P<a>.*?)x(?P<b>.*)$", r"^\S+\d", r"a$", r"^(?:a|ab)+c", r"^\bx"] {
            assert!(scanner(source).is_none(), "{source}");
        }
    }
}
