//! The lines of a scan that are one part of a request, until it is known whether the request has others.
//!
//! Most files hold a part on every line, and most parts are of no interest by themselves. So a rejected one takes sixteen
//! bytes, and nothing is copied when all are there.

use crosstail_core::model::{Activity, Id, Timestamp};
use crosstail_core::number::saturating_u32;
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// By the first bits of the hash of the request.
const SHARDS: usize = 64;
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
    /// Number of the stretch that the line is in, and where in it.
    stretch: u32,
    offset: u32,
    length: u32,
}

/// Where a stretch of lines begins: in which stream, at which offset.
type Stretch = (u32, u64);

/// The parts of one range of a file.
#[derive(Debug, Default)]
pub(super) struct PartBuffer {
    stretches: Vec<Stretch>,
    /// With the whole hash; the stretches are those of this buffer.
    rejected: Vec<(u64, Rejected)>,
    kept: Vec<(u64, Part)>,
}

impl PartBuffer {
    /// Takes a part that does not match by itself and can be read again.
    pub(super) fn reject(&mut self, request: u64, at: LineRef) {
        let offset = |(stream, begin): &Stretch| {
            let offset = at.offset.checked_sub(*begin).filter(|_| *stream == at.stream)?;
            u32::try_from(offset).ok()
        };
        let offset = self.stretches.last().and_then(offset).unwrap_or_else(|| {
            self.stretches.push((at.stream, at.offset));
            0
        });
        let stretch = saturating_u32(self.stretches.len() - 1);
        let rejected = Rejected { request: low_32(request), stretch, offset, length: at.length };
        self.rejected.push((request, rejected));
    }

    /// Takes a part that matches by itself, or that cannot be read again.
    pub(super) fn keep(&mut self, request: u64, part: Part) {
        self.kept.push((request, part));
    }
}

#[derive(Debug, Default)]
struct Shard {
    /// As they came: a piece of each buffer.
    rejected: Vec<Box<[Rejected]>>,
    kept: Vec<(u32, Part)>,
}

/// The parts of all ranges.
#[derive(Debug)]
pub(super) struct Parts {
    stretches: Mutex<Vec<Stretch>>,
    shards: Vec<Mutex<Shard>>,
}

impl Default for Parts {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { stretches: Mutex::default(), shards }
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
        let PartBuffer { stretches, mut rejected, kept } = buffer;
        let before = {
            let mut all = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
            let before = saturating_u32(all.len());
            all.extend(stretches);
            before
        };
        let shard = |number: usize| self.shards[number].lock().unwrap_or_else(PoisonError::into_inner);
        rejected.sort_unstable_by_key(|(request, _)| shard_of(*request));
        for piece in rejected.chunk_by(|a, b| shard_of(a.0) == shard_of(b.0)) {
            let of_all = |(_, one): &(u64, Rejected)| Rejected { stretch: one.stretch + before, ..*one };
            shard(shard_of(piece[0].0)).rejected.push(piece.iter().map(of_all).collect());
        }
        for (request, part) in kept {
            shard(shard_of(request)).kept.push((low_32(request), part));
        }
    }

    /// Calls `each` with the parts of each request, and collects what it returns. Requests whose hashes collide come
    /// together.
    pub(super) fn requests<T: Send>(self, each: impl Fn(&[Part]) -> Vec<T> + Sync) -> Vec<T> {
        let stretches = self.stretches.into_inner().unwrap_or_else(PoisonError::into_inner);
        let line = |one: &Rejected| {
            let (stream, begin) = stretches[one.stretch as usize];
            LineRef { stream, offset: begin + u64::from(one.offset), length: one.length }
        };
        let part = |one: &Rejected| Part { line: KeptLine { at: line(one), held: None }, kept: None };
        let of_shard = |shard: Mutex<Shard>| {
            let Shard { rejected, mut kept } = shard.into_inner().unwrap_or_else(PoisonError::into_inner);
            let mut rejected = rejected.concat();
            rejected.sort_unstable_by_key(|one| one.request);
            kept.sort_by_key(|(request, _)| *request);
            let (mut rejected, mut kept) = (rejected.as_slice(), kept.into_iter().peekable());
            let mut out = Vec::new();
            while let Some(request) =
                [rejected.first().map(|one| one.request), kept.peek().map(|one| one.0)].into_iter().flatten().min()
            {
                let (own, rest) = rejected.split_at(rejected.partition_point(|one| one.request <= request));
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

    fn line(stream: u32, offset: u64) -> LineRef {
        LineRef { stream, offset, length: 7 }
    }

    #[test]
    fn parts_of_one_request_come_together_wherever_they_are() {
        let mut rng = fastrand::Rng::with_seed(5);
        let parts = Parts::default();
        let (mut expected, mut single) = (BTreeMap::<u64, BTreeSet<(u32, u64)>>::new(), 0);
        for _ in 0..40 {
            let mut buffer = PartBuffer::default();
            for _ in 0..100 {
                // Offsets that one stretch cannot say, too.
                let at = line(rng.u32(0..3), rng.u64(0..1 << 40));
                let request = request_hash(&rng.u64(0..6000).to_string());
                expected.entry(request).or_default().insert((at.stream, at.offset));
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
            assert!(parts.iter().all(|part| part.line.at.length == 7));
            vec![parts.iter().map(|part| (part.line.at.stream, part.line.at.offset)).collect::<BTreeSet<_>>()]
        });
        let several: BTreeSet<_> = expected.values().filter(|lines| lines.len() > 1).cloned().collect();
        assert_eq!(found.iter().filter(|lines| lines.len() > 1).cloned().collect::<BTreeSet<_>>(), several);
        // Of those that are alone only the kept ones are told.
        let alone = found.iter().filter(|lines| lines.len() == 1).count();
        assert!(alone > 0 && alone < single, "{alone} of {single}");
    }
}
