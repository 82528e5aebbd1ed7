//! The lines of a scan that are one part of a request, until it is known whether the request has others.
//!
//! Most files hold a part on every line, and most parts are of no interest by themselves. So a rejected one takes nine bytes.

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
#[derive(Debug, Clone, Copy)]
struct Rejected {
    /// Of the request's hash what the shard does not say. Two requests may share it: their ids tell them apart.
    request: u32,
    /// From the beginning of the stretch, below [`REACH`].
    offset: u32,
    length: u16,
}

/// A rejected part as it is stored: the hash, three bytes of the offset, and the length, each from its lowest byte.
type Packed = [u8; 9];

/// How far a stretch reaches, in bytes.
const REACH: u64 = 1 << 24;

impl Rejected {
    fn pack(self) -> Packed {
        let mut packed = Packed::default();
        packed[..4].copy_from_slice(&self.request.to_le_bytes());
        packed[4..7].copy_from_slice(&self.offset.to_le_bytes()[..3]);
        packed[7..].copy_from_slice(&self.length.to_le_bytes());
        packed
    }

    fn unpack(packed: Packed) -> Self {
        let (mut request, mut offset) = ([0; 4], [0; 4]);
        request.copy_from_slice(&packed[..4]);
        offset[..3].copy_from_slice(&packed[4..7]);
        Self {
            request: u32::from_le_bytes(request),
            offset: u32::from_le_bytes(offset),
            length: u16::from_le_bytes([packed[7], packed[8]]),
        }
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
        let offset = at.offset.checked_sub(self.offset).filter(|offset| self.stream == at.stream && *offset < REACH)?;
        u32::try_from(offset).ok()
    }
}

/// The rejected parts of a stretch that are of one shard.
#[derive(Debug)]
struct Piece {
    stretch: Stretch,
    parts: Box<[Packed]>,
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
        let Ok(length) = u16::try_from(at.length) else {
            return self.keep(request, Part { line: KeptLine { at, held: None }, kept: None });
        };
        let known = self.rejected.last().and_then(|(stretch, _)| stretch.offset_of(at));
        let offset = known.unwrap_or_else(|| {
            self.rejected.push((Stretch { stream: at.stream, offset: at.offset }, Vec::new()));
            0
        });
        if let Some((_, parts)) = self.rejected.last_mut() {
            parts.push((request, Rejected { request: low_32(request), offset, length }));
        }
    }

    /// Takes a part that matches by itself, that cannot be read again, or that is long.
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
        for (stretch, mut parts) in rejected {
            parts.sort_unstable_by_key(|(request, _)| shard_of(*request));
            for piece in parts.chunk_by(|a, b| shard_of(a.0) == shard_of(b.0)) {
                let parts = piece.iter().map(|(_, one)| one.pack()).collect();
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
            let of_piece = |Piece { stretch, parts }: &Piece| {
                let Stretch { stream, offset } = *stretch;
                let unpacked = parts.iter().map(|one| Rejected::unpack(*one));
                unpacked
                    .map(|one| {
                        let at = LineRef { stream, offset: offset + u64::from(one.offset), length: one.length.into() };
                        (at, one.request)
                    })
                    .collect::<Vec<_>>()
            };
            let mut rejected: Vec<(LineRef, u32)> = rejected.iter().flat_map(of_piece).collect();
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
        for one in [
            Rejected { request: 0, offset: 0, length: 0 },
            Rejected { request: u32::MAX, offset: (1 << 24) - 1, length: u16::MAX },
            Rejected { request: 0x0102_0304, offset: 0x05_0607, length: 0x0809 },
        ] {
            let back = Rejected::unpack(one.pack());
            assert_eq!((back.request, back.offset, back.length), (one.request, one.offset, one.length));
        }
    }

    #[test]
    fn parts_of_one_request_come_together_wherever_they_are() {
        let mut rng = fastrand::Rng::with_seed(5);
        let parts = Parts::default();
        let (mut expected, mut single) = (BTreeMap::<u64, BTreeSet<(u32, u64, u32)>>::new(), 0);
        for _ in 0..40 {
            let mut buffer = PartBuffer::default();
            for _ in 0..100 {
                // Offsets that one stretch cannot say, too, and lengths that nine bytes cannot.
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
