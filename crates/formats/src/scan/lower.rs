//! From the syntax of a pattern to the steps of a scanner.
//!
//! A pattern is lowered from its end to its beginning: what may follow says whether the next byte decides a choice. Where
//! it does not, two ways are tried one after the other; as this doubles the work, few such choices are allowed, and none
//! in what repeats.

use super::{Bytes, Step};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// Choices of a pattern that a byte does not decide, at most.
const UNSURE: usize = 4;
/// Longer scanners are not made, in steps.
const STEPS: usize = 600;

/// What may follow a part of a pattern.
#[derive(Debug, Clone, Copy)]
struct Follow {
    /// The bytes with which it may begin.
    first: Bytes,
    /// Whether it may be nothing, whatever follows in the text.
    free: bool,
    /// Whether it is the end of the text and nothing else.
    ends: bool,
}

/// A step, with what it leads around inside it.
#[derive(Debug, Clone)]
enum Part {
    Literal(Vec<u8>),
    Run(Bytes, usize, usize),
    Rest,
    Open(usize),
    Close(usize),
    Maybe { first: Bytes, parts: Vec<Self>, sure: bool, lazy: bool },
    Loop { first: Bytes, parts: Vec<Self> },
    Words(Vec<Vec<u8>>),
    Choice(Vec<(Bytes, Vec<Self>)>),
    End,
}

#[derive(Debug, Default)]
struct Lowering {
    unsure: usize,
    loops: usize,
}

fn parse(source: &str) -> Option<Hir> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(source).ok()
}

/// The pattern without the `^` at its beginning.
fn anchored(hir: &Hir) -> Option<Vec<&Hir>> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let (start, rest) = parts.split_first()?;
    matches!(start.kind(), HirKind::Look(Look::Start)).then(|| rest.iter().collect())
}

/// The steps of a pattern.
pub(super) fn lower(source: &str) -> Option<Vec<Step>> {
    let hir = parse(source)?;
    let parts = anchored(&hir)?;
    let nothing = Follow { first: Bytes::default(), free: true, ends: false };
    let mut lowering = Lowering::default();
    let (parts, _) = lowering.sequence(&parts, nothing)?;
    let mut steps = Vec::new();
    flatten(parts, &mut steps);
    steps.push(Step::Found);
    (lowering.unsure <= UNSURE && steps.len() <= STEPS).then_some(steps)
}

/// The bytes with which a text that a pattern fits may begin.
pub(crate) fn first_bytes(source: &str) -> Bytes {
    let Some(hir) = parse(source) else { return Bytes::ALL };
    match anchored(&hir).map(|parts| first_of(&parts)) {
        Some((first, false)) => first,
        _ => Bytes::ALL,
    }
}

/// The first bytes of parts behind each other, and whether all may be empty.
fn first_of(parts: &[&Hir]) -> (Bytes, bool) {
    let mut all = Bytes::default();
    for part in parts {
        let (first, empty) = first_of_part(part);
        all = all.or(first);
        if !empty {
            return (all, false);
        }
    }
    (all, true)
}

fn first_of_part(hir: &Hir) -> (Bytes, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (Bytes::default(), true),
        HirKind::Literal(literal) => (literal.0.first().map_or(Bytes::ALL, |byte| one(*byte)), false),
        HirKind::Class(class) => (bytes_of(class).unwrap_or(Bytes::ALL), false),
        HirKind::Capture(capture) => first_of_part(&capture.sub),
        HirKind::Concat(parts) => first_of(&parts.iter().collect::<Vec<_>>()),
        HirKind::Alternation(ways) => {
            ways.iter().map(first_of_part).fold((Bytes::default(), false), |all, way| (all.0.or(way.0), all.1 | way.1))
        }
        HirKind::Repetition(repetition) => {
            let (first, empty) = first_of_part(&repetition.sub);
            (first, empty || repetition.min == 0)
        }
    }
}

fn one(byte: u8) -> Bytes {
    let mut set = Bytes::default();
    set.insert(byte);
    set
}

fn bytes_of(class: &Class) -> Option<Bytes> {
    let mut set = Bytes::default();
    match class {
        Class::Bytes(ranges) => ranges.iter().flat_map(|range| range.start()..=range.end()).for_each(|b| set.insert(b)),
        Class::Unicode(ranges) => {
            for range in ranges.iter() {
                let (start, end) = (u8::try_from(range.start()).ok()?, u8::try_from(range.end()).ok()?);
                if !end.is_ascii() {
                    return None;
                }
                (start..=end).for_each(|b| set.insert(b));
            }
        }
    }
    Some(set)
}

/// The set of a part that is one byte.
fn single(hir: &Hir) -> Option<Bytes> {
    match hir.kind() {
        HirKind::Class(class) => bytes_of(class),
        HirKind::Literal(literal) if literal.0.len() == 1 => Some(one(literal.0[0])),
        _ => None,
    }
}

/// The bytes that a set lacks, where these are one to three.
fn lacking(set: Bytes) -> Option<[u8; 3]> {
    let mut missing = (0..=u8::MAX).filter(|byte| !set.has(*byte));
    let first = missing.next()?;
    let second = missing.next().unwrap_or(first);
    let third = missing.next().unwrap_or(second);
    missing.next().is_none().then_some([first, second, third])
}

/// Bytes without which no text fits a pattern: most lines are told from most patterns by these alone.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    bytes: Vec<u8>,
    digit: bool,
}

impl Needs {
    pub(crate) fn of(source: &str) -> Self {
        let mut needs = Self::default();
        if let Some(hir) = parse(source) {
            needs.collect(&hir);
        }
        needs.bytes.sort_unstable();
        needs.bytes.dedup();
        needs
    }

    fn collect(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Literal(literal) => self.bytes.extend_from_slice(&literal.0),
            HirKind::Class(class) => {
                let digits = (b'0'..=b'9').fold(Bytes::default(), |all, digit| all.or(one(digit)));
                self.digit |= bytes_of(class) == Some(digits);
            }
            HirKind::Capture(capture) => self.collect(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.collect(part)),
            HirKind::Repetition(repetition) if repetition.min > 0 => self.collect(&repetition.sub),
            _ => {}
        }
    }

    /// Whether all of them are among the bytes of a text.
    pub(crate) fn are_in(&self, present: &[bool; 256]) -> bool {
        let digit = || present[usize::from(b'0')..=usize::from(b'9')].contains(&true);
        self.bytes.iter().all(|byte| present[usize::from(*byte)]) && (!self.digit || digit())
    }
}

/// Whether a set is everything but a newline.
fn is_any(set: Bytes) -> bool {
    let mut line = set;
    line.insert(b'\n');
    line == Bytes::ALL
}

impl Lowering {
    fn sequence(&mut self, parts: &[&Hir], mut follow: Follow) -> Option<(Vec<Part>, Follow)> {
        let mut out = Vec::new();
        for part in parts.iter().rev() {
            let (mut made, before) = self.part(part, follow)?;
            made.append(&mut out);
            (out, follow) = (made, before);
        }
        Some((out, follow))
    }

    fn part(&mut self, hir: &Hir, follow: Follow) -> Option<(Vec<Part>, Follow)> {
        let begins = |first| Follow { first, free: false, ends: false };
        Some(match hir.kind() {
            HirKind::Empty => (Vec::new(), follow),
            HirKind::Literal(literal) => (vec![Part::Literal(literal.0.to_vec())], begins(one(*literal.0.first()?))),
            HirKind::Class(class) => {
                let set = bytes_of(class)?;
                (vec![Part::Run(set, 1, 1)], begins(set))
            }
            HirKind::Look(Look::End) => (vec![Part::End], Follow { first: Bytes::default(), free: false, ends: true }),
            HirKind::Look(_) => return None,
            HirKind::Capture(capture) => {
                let group = capture.index as usize;
                let (mut parts, before) = self.part(&capture.sub, follow)?;
                parts.insert(0, Part::Open(group));
                parts.push(Part::Close(group));
                (parts, before)
            }
            HirKind::Concat(parts) => self.sequence(&parts.iter().collect::<Vec<_>>(), follow)?,
            HirKind::Alternation(ways) => self.alternation(ways, follow)?,
            HirKind::Repetition(repetition) => match single(&repetition.sub) {
                Some(set) => self.run(set, repetition, follow)?,
                None => self.repetition(repetition, follow)?,
            },
        })
    }

    fn alternation(&mut self, ways: &[Hir], follow: Follow) -> Option<(Vec<Part>, Follow)> {
        let words: Option<Vec<Vec<u8>>> = ways
            .iter()
            .map(|way| match way.kind() {
                HirKind::Literal(literal) => Some(literal.0.to_vec()),
                _ => None,
            })
            .collect();
        let first = |ways: &[(Bytes, Vec<Part>)]| ways.iter().fold(Bytes::default(), |all, way| all.or(way.0));
        if let Some(words) = words {
            let begins = |one: &[u8], other: &[u8]| other.starts_with(one);
            let apart = words.iter().enumerate().all(|(at, word)| {
                words.iter().enumerate().all(|(other_at, other)| at == other_at || !begins(word, other))
            });
            let first = words.iter().fold(Bytes::default(), |all, word| all.or(one(word[0])));
            return apart.then(|| (vec![Part::Words(words)], Follow { first, free: false, ends: false }));
        }
        let mut made: Vec<(Bytes, Vec<Part>)> = Vec::new();
        for way in ways {
            if first_of_part(way).1 {
                return None;
            }
            let (parts, before) = self.part(way, follow)?;
            if made.iter().any(|(first, _)| first.meets(before.first)) {
                return None;
            }
            made.push((before.first, parts));
        }
        let first = first(&made);
        Some((vec![Part::Choice(made)], Follow { first, free: false, ends: false }))
    }

    /// A repetition of one byte.
    fn run(&mut self, set: Bytes, repetition: &Repetition, follow: Follow) -> Option<(Vec<Part>, Follow)> {
        let least = repetition.min as usize;
        let most = repetition.max.map_or(usize::MAX, |most| most as usize);
        let empty = if least == 0 { follow.first } else { Bytes::default() };
        let rest = is_any(set) && least == 0 && most == usize::MAX && repetition.greedy && (follow.ends || follow.free);
        let before = Follow { first: set.or(empty), free: rest || (least == 0 && follow.free), ends: false };
        if rest {
            return Some((vec![Part::Rest], before));
        }
        let decided = least == most || !set.meets(follow.first);
        if !decided && (least, most) == (0, 1) {
            let parts = vec![Part::Run(set, 1, 1)];
            return Some((vec![self.maybe(set, parts, false, !repetition.greedy)?], before));
        }
        // Where anything may follow, as much as possible is right, and as little as possible would be nothing.
        let right = if follow.free { repetition.greedy } else { decided };
        (right || least == most).then(|| (vec![Part::Run(set, least, most)], before))
    }

    fn maybe(&mut self, first: Bytes, parts: Vec<Part>, sure: bool, lazy: bool) -> Option<Part> {
        if !sure {
            self.unsure += 1;
            if self.loops > 0 {
                return None;
            }
        }
        Some(Part::Maybe { first, parts, sure, lazy })
    }

    /// A repetition of more than a byte.
    fn repetition(&mut self, repetition: &Repetition, follow: Follow) -> Option<(Vec<Part>, Follow)> {
        if first_of_part(&repetition.sub).1 {
            return None;
        }
        let (least, most) = (repetition.min, repetition.max);
        if most == Some(0) {
            return Some((Vec::new(), follow));
        }
        let (behind, after) = match (least, most) {
            (0, None | Some(1)) | (1, Some(1)) => (Vec::new(), follow),
            (0, Some(most)) => self.times(repetition, 0, Some(most - 1), follow)?,
            (least, most) => self.times(repetition, least - 1, most.map(|most| most - 1), follow)?,
        };
        if (least, most) == (0, None) {
            let first = first_of_part(&repetition.sub).0;
            if first.meets(follow.first) || follow.free {
                return None;
            }
            self.loops += 1;
            let again = Follow { first: first.or(follow.first), free: false, ends: false };
            let made = self.part(&repetition.sub, again);
            self.loops -= 1;
            let (mut parts, _) = made?;
            if let [Part::Choice(ways)] = parts.as_mut_slice() {
                // One byte of a set, again and again, is all of them at once.
                for (_, way) in ways {
                    if let [Part::Run(_, 1, most @ 1)] = way.as_mut_slice() {
                        *most = usize::MAX;
                    }
                }
            }
            let before = Follow { first: first.or(follow.first), free: false, ends: false };
            return Some((vec![Part::Loop { first, parts }], before));
        }
        let (mut parts, mut before) = self.part(&repetition.sub, after)?;
        parts.extend(behind);
        if least > 0 {
            return Some((parts, before));
        }
        let sure = !before.first.meets(follow.first) && !follow.free;
        let maybe = self.maybe(before.first, parts, sure, !repetition.greedy)?;
        before.first = before.first.or(follow.first);
        before.free = follow.free;
        Some((vec![maybe], before))
    }

    /// The same repetition with other limits.
    fn times(&mut self, of: &Repetition, min: u32, max: Option<u32>, follow: Follow) -> Option<(Vec<Part>, Follow)> {
        self.repetition(&Repetition { min, max, greedy: of.greedy, sub: of.sub.clone() }, follow)
    }
}

fn flatten(parts: Vec<Part>, steps: &mut Vec<Step>) {
    for part in parts {
        match part {
            Part::Literal(literal) => steps.push(match literal.as_slice() {
                [byte] => Step::Byte(*byte),
                _ => Step::Literal(literal.into()),
            }),
            Part::Run(set, 1, 1) => steps.push(Step::One(set)),
            Part::Run(set, least, usize::MAX) => steps.push(match lacking(set) {
                Some(stops) => Step::Until(stops, least),
                None => Step::Run(set, least, usize::MAX),
            }),
            Part::Run(set, least, most) => steps.push(Step::Run(set, least, most)),
            Part::Rest => steps.push(Step::Rest),
            Part::Open(group) => steps.push(Step::Open(group)),
            Part::Close(group) => steps.push(Step::Close(group)),
            Part::End => steps.push(Step::End),
            Part::Words(words) => steps.push(Step::Words(words.into_iter().map(Into::into).collect())),
            Part::Maybe { first, parts, sure, lazy } => {
                let here = steps.len();
                steps.push(Step::End);
                flatten(parts, steps);
                steps[here] = Step::Maybe { first, behind: steps.len(), sure, lazy };
            }
            Part::Loop { first, parts } => {
                let here = steps.len();
                steps.push(Step::End);
                flatten(parts, steps);
                steps.push(Step::Jump(here));
                steps[here] = Step::Maybe { first, behind: steps.len(), sure: true, lazy: false };
            }
            Part::Choice(ways) => {
                let here = steps.len();
                steps.push(Step::End);
                let mut starts = Vec::new();
                let mut ends = Vec::new();
                for (first, parts) in ways {
                    starts.push((first, steps.len()));
                    flatten(parts, steps);
                    ends.push(steps.len());
                    steps.push(Step::End);
                }
                for end in ends {
                    steps[end] = Step::Jump(steps.len());
                }
                steps[here] = Step::Choice(starts.into());
            }
        }
    }
}
