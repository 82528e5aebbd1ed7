//! The lines of a scan that are one part of a request, until it is known whether the request has others.
//!
//! Most files hold a part on every line, and most parts are of no interest by themselves. So a rejected one takes about eight bytes.

use crosstail_core::model::{Activity, Id, Timestamp};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// By the first bits of the hash of the request.
const SHARDS: usize = 32;
const SHARD_BITS: u32 = SHARDS.trailing_zeros();

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineRef {
    pub(super) stream: u32,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// What a scan keeps of a line: its location, and the activity itself where reading it again would mean decompressing
/// the file from its beginning.
#[derive(Debug, Clone)]
pub(super) struct KeptLine {
    pub(super) at: LineRef,
    pub(super) held: Option<Box<Activity>>,
}

/// A part.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) line: KeptLine,
    /// Time and id, where it matches by itself.
    pub(super) kept: Option<(Timestamp, Id)>,
}

/// A part that does not match by itself and can be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rejected {
    /// Of the request's hash what the shard does not say. Two requests may share it: their ids tell them apart.
    request: u32,
    /// From the beginning of the stretch.
    offset: u32,
    length: u32,
}

/// Rejected parts in order of their offsets: of each the hash, how far it is behind the one before it, and its length. The
/// two are of seven bits a byte, the lowest first; the last byte of a number is below 128.
#[derive(Debug)]
struct Packed(Box<[u8]>);

impl Packed {
    fn of(parts: impl Iterator<Item = Rejected>, bytes: &mut Vec<u8>) -> Self {
        bytes.clear();
        let mut before = 0;
        for part in parts {
            bytes.extend_from_slice(&part.request.to_le_bytes());
            push(bytes, part.offset - before);
            push(bytes, part.length);
            before = part.offset;
        }
        Self(bytes.as_slice().into())
    }

    fn parts(&self) -> impl Iterator<Item = Rejected> {
        let mut rest = &*self.0;
        let mut offset = 0;
        std::iter::from_fn(move || {
            let (request, behind) = rest.split_first_chunk::<4>()?;
            rest = behind;
            offset += take(&mut rest)?;
            Some(Rejected { request: u32::from_le_bytes(*request), offset, length: take(&mut rest)? })
        })
    }
}

fn push(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 128 {
        bytes.push(number.to_le_bytes()[0] | 128);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<u32> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 127) << shift;
        if *byte < 128 {
            return Some(number);
        }
        shift += 7;
    }
}

/// Where a stretch of lines begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    stream: u32,
    offset: u64,
}

impl Stretch {
    /// How far a line is from the beginning, where the stretch reaches it.
    fn offset_of(self, at: LineRef) -> Option<u32> {
        let offset = at.offset.checked_sub(self.offset).filter(|_| self.stream == at.stream)?;
        u32::try_from(offset).ok()
    }
}

/// The rejected parts of a stretch that are of one shard.
#[derive(Debug)]
struct Piece {
    stretch: Stretch,
    parts: Packed,
}

impl Piece {
    /// Each line, with what its shard does not say of the hash of its request.
    fn lines(&self) -> impl Iterator<Item = (LineRef, u32)> {
        let Stretch { stream, offset } = self.stretch;
        self.parts.parts().map(move |one| {
            (LineRef { stream, offset: offset + u64::from(one.offset), length: one.length }, one.request)
        })
    }
}

/// The parts of one range of a file.
#[derive(Debug, Default)]
pub(super) struct PartBuffer {
    /// By stretches, with the whole hash.
    rejected: Vec<(Stretch, Vec<(u64, Rejected)>)>,
    kept: Vec<(u64, Part)>,
}

impl PartBuffer {
    /// Takes a part that does not match by itself and can be read again.
    pub(super) fn reject(&mut self, request: u64, at: LineRef) {
        let known = self.rejected.last().and_then(|(stretch, _)| stretch.offset_of(at));
        let offset = known.unwrap_or_else(|| {
            self.rejected.push((Stretch { stream: at.stream, offset: at.offset }, Vec::new()));
            0
        });
        if let Some((_, parts)) = self.rejected.last_mut() {
            parts.push((request, Rejected { request: low_32(request), offset, length: at.length }));
        }
    }

    /// Takes a part that matches by itself, or that cannot be read again.
    pub(super) fn keep(&mut self, request: u64, part: Part) {
        self.kept.push((request, part));
    }
}

#[derive(Debug, Default)]
struct Shard {
    /// As they came: a piece of each stretch.
    rejected: Vec<Piece>,
    kept: Vec<(u32, Part)>,
}

/// The parts of all ranges.
#[derive(Debug)]
pub(super) struct Parts {
    shards: Vec<Mutex<Shard>>,
}

impl Default for Parts {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards }
    }
}

const fn shard_of(request: u64) -> usize {
    (request >> (u64::BITS - SHARD_BITS)) as usize
}

/// What the shard does not say of a hash; some bits say both.
const fn low_32(request: u64) -> u32 {
    let [a, b, c, d, ..] = request.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl Parts {
    /// Takes the parts of a range.
    pub(super) fn take(&self, buffer: PartBuffer) {
        let PartBuffer { rejected, kept } = buffer;
        let shard = |number: usize| self.shards[number].lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        for (stretch, mut parts) in rejected {
            parts.sort_unstable_by_key(|(request, one)| (shard_of(*request), one.offset));
            for piece in parts.chunk_by(|a, b| shard_of(a.0) == shard_of(b.0)) {
                let parts = Packed::of(piece.iter().map(|(_, one)| *one), &mut bytes);
                shard(shard_of(piece[0].0)).rejected.push(Piece { stretch, parts });
            }
        }
        for (request, part) in kept {
            shard(shard_of(request)).kept.push((low_32(request), part));
        }
    }

    /// Calls `each` with the parts of each request, and collects what it returns. Requests whose hashes collide come
    /// together.
    pub(super) fn requests<T: Send>(self, each: impl Fn(&[Part]) -> Vec<T> + Sync) -> Vec<T> {
        let part = |(at, _): &(LineRef, u32)| Part { line: KeptLine { at: *at, held: None }, kept: None };
        let of_shard = |shard: Mutex<Shard>| {
            let Shard { rejected, mut kept } = shard.into_inner().unwrap_or_else(PoisonError::into_inner);
            let mut rejected: Vec<(LineRef, u32)> = rejected.iter().flat_map(Piece::lines).collect();
            rejected.sort_unstable_by_key(|(_, request)| *request);
            kept.sort_by_key(|(request, _)| *request);
            let (mut rejected, mut kept) = (rejected.as_slice(), kept.into_iter().peekable());
            let mut out = Vec::new();
            while let Some(request) =
                [rejected.first().map(|one| one.1), kept.peek().map(|one| one.0)].into_iter().flatten().min()
            {
                let (own, rest) = rejected.split_at(rejected.partition_point(|one| one.1 <= request));
                rejected = rest;
                let mut parts = Vec::new();
                while let Some((_, part)) = kept.next_if(|(other, _)| *other == request) {
                    parts.push(part);
                }
                // One that does not match by itself, and is alone, does not match.
                if parts.len() + own.len() > 1 {
                    parts.extend(own.iter().map(part));
                }
                if !parts.is_empty() {
                    out.extend(each(&parts));
                }
            }
            out
        };
        self.shards.into_par_iter().flat_map_iter(of_shard).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::request_hash;
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn line(stream: u32, offset: u64, length: u32) -> LineRef {
        LineRef { stream, offset, length }
    }

    #[test]
    fn what_is_packed_is_what_was_there() {
        let parts = [
            Rejected { request: 0, offset: 0, length: 0 },
            Rejected { request: u32::MAX, offset: 0, length: 127 },
            Rejected { request: 0x0102_0304, offset: 127, length: 128 },
            Rejected { request: 5, offset: 255, length: 16_383 },
            Rejected { request: 6, offset: 0x0809_0a0b, length: 16_384 },
            Rejected { request: 7, offset: u32::MAX, length: u32::MAX },
        ];
        let packed = Packed::of(parts.into_iter(), &mut vec![1, 2, 3]);
        assert_eq!(packed.parts().collect::<Vec<_>>(), parts);
        assert!(Packed::of([].into_iter(), &mut Vec::new()).parts().next().is_none());
    }

    #[test]
    fn parts_of_one_request_come_together_wherever_they_are() {
        let mut rng = fastrand::Rng::with_seed(5);
        let parts = Parts::default();
        let (mut expected, mut single) = (BTreeMap::<u64, BTreeSet<(u32, u64, u32)>>::new(), 0);
        for _ in 0..40 {
            let mut buffer = PartBuffer::default();
            for _ in 0..100 {
                // Offsets that one stretch cannot say, too.
                let length = if rng.bool() { 7 } else { 70_000 };
                let reach = if rng.bool() { 24 } else { 40 };
                let at = line(rng.u32(0..3), rng.u64(0..1 << reach), length);
                let request = request_hash(&rng.u64(0..6000).to_string());
                expected.entry(request).or_default().insert((at.stream, at.offset, at.length));
                if rng.bool() {
                    buffer.reject(request, at);
                } else {
                    let kept = Some((Timestamp(0), Id::Uuid(u128::from(request))));
                    buffer.keep(request, Part { line: KeptLine { at, held: None }, kept });
                }
            }
            parts.take(buffer);
        }
        single += expected.values().filter(|lines| lines.len() == 1).count();
        let found = parts.requests(|parts| {
            let lines = parts.iter().map(|part| (part.line.at.stream, part.line.at.offset, part.line.at.length));
            vec![lines.collect::<BTreeSet<_>>()]
        });
        let several: BTreeSet<_> = expected.values().filter(|lines| lines.len() > 1).cloned().collect();
        assert_eq!(found.iter().filter(|lines| lines.len() > 1).cloned().collect::<BTreeSet<_>>(), several);
        // Of those that are alone only the kept ones are told.
        let alone = found.iter().filter(|lines| lines.len() == 1).count();
        assert!(alone > 0 && alone < single, "{alone} of {single}");
    }
}
