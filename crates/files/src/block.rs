//! Reads a file in blocks. Each record belongs to the block in which it starts, so blocks can be read in any order and
//! on several threads.

use crosstail_core::number::saturating_usize;
use crosstail_formats::{Framer, Reader, without_nuls};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Size of a block in bytes.
pub(super) const BLOCK: u64 = 1 << 19;
/// What is read beyond a block at once where its last record does not end in it, in bytes.
const STEP: usize = 16 * 1024;
/// How far before a block reading begins, to see where its first record starts and what the records before it say, in
/// bytes.
const LOOK_BACK: u64 = 32 * 1024;

/// Calls `each(offset, frame, own)` for the records that start before `start..end` (`own` is false) and in it, in order.
/// `limit`: where the file ends; what stands there without a newline is a line too.
pub(super) fn frames(
    file: &File,
    reader: &Reader,
    (start, end): (u64, u64),
    limit: u64,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(u64, &[u8], bool),
) -> io::Result<()> {
    let end = end.min(limit);
    let back = if reader.only_json() { 1 } else { LOOK_BACK };
    let base = start.saturating_sub(back);
    fill(file, base, saturating_usize(end.saturating_sub(base)), buffer)?;
    let mut at = if base == 0 {
        0
    } else {
        match memchr::memchr(b'\n', buffer) {
            Some(found) => found + 1,
            None => return Ok(()),
        }
    };
    let mut framer = Framer::default();
    let mut open: Option<usize> = None;
    let mut ended = 0;
    let mut give = |from: usize, to: usize, buffer: &[u8]| {
        let offset = base + from as u64;
        // A record begins behind the hole in front of it, and belongs to the block in which the hole begins.
        let frame = without_nuls(&buffer[from..to]);
        each(offset + (to - from - frame.len()) as u64, frame, offset >= start);
    };
    while base + (at as u64) < limit {
        let here = base + at as u64;
        // Behind the block only the end of a record that starts in it matters.
        if here >= end && open.is_none() {
            break;
        }
        let found = memchr::memchr(b'\n', &buffer[at.min(buffer.len())..]).map(|found| at + found);
        let line_end = match found {
            Some(found) => found,
            None => extend(file, base, limit, at, buffer)?,
        };
        if line_end <= at && base + (line_end as u64) >= limit {
            break;
        }
        if framer.begins(reader, &buffer[at..line_end]) {
            if let Some(from) = open.take() {
                give(from, ended, buffer);
            }
            if here >= end {
                break;
            }
            open = Some(at);
        }
        ended = line_end;
        at = line_end + 1;
        if !framer.is_open()
            && let Some(from) = open.take()
        {
            give(from, ended, buffer);
        }
    }
    if let Some(from) = open {
        give(from, ended, buffer);
    }
    Ok(())
}

fn fill(file: &File, offset: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    // With room for the end of the last record: a growing buffer doubles.
    buffer.clear();
    buffer.reserve_exact(length + STEP);
    buffer.resize(length, 0);
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut buffer[filled..], offset + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    buffer.truncate(filled);
    Ok(())
}

/// Reads more of the file until the line at `at` ends; returns where. The end of the file ends a line.
fn extend(file: &File, base: u64, limit: u64, at: usize, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut more = Vec::new();
    let mut step = STEP;
    loop {
        let offset = base + buffer.len() as u64;
        if offset >= limit {
            return Ok(buffer.len());
        }
        fill(file, offset, step.min(saturating_usize(limit - offset)), &mut more)?;
        if more.is_empty() {
            return Ok(buffer.len());
        }
        let seen = buffer.len();
        buffer.extend_from_slice(&more);
        if let Some(found) = memchr::memchr(b'\n', &buffer[at.max(seen)..]) {
            return Ok(at.max(seen) + found);
        }
        step = (step * 2).min(8 << 20);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_formats::Formats;
    use proptest::prelude::*;
    use std::io::Write as _;
    use std::sync::{Arc, LazyLock};

    static FORMATS: LazyLock<Arc<Formats>> = LazyLock::new(|| Formats::built_in().expect("formats"));

    proptest! {
        #[test]
        fn blocks_of_any_size_give_every_record_once(
            lines in prop::collection::vec("(\\{\"a\":1\\}|2024-05-06 07:08:00 INFO [a-z]{0,9}| at [a-z]{0,20}|[a-z]{1,30})", 0..60),
            size in 1u64..100,
            newline in any::<bool>(),
        ) {
            let mut file = tempfile::tempfile().expect("a temporary file");
            let text = lines.join("\n") + if newline { "\n" } else { "" };
            file.write_all(text.as_bytes()).expect("written");
            let length = text.len() as u64;
            let reader = Reader::of(&FORMATS, None, text.as_bytes());
            let read = |size: u64| {
                let mut found = Vec::new();
                let mut start = 0;
                while start < length {
                    frames(&file, &reader, (start, start + size), length, &mut Vec::new(), |at, frame, own| {
                        if own {
                            found.push((at, frame.to_vec()));
                        }
                    }).expect("read");
                    start += size;
                }
                found
            };
            let whole = read(length.max(1));
            prop_assert_eq!(read(size), whole.clone());
            let words: usize = whole.iter().map(|(_, frame)| frame.iter().filter(|b| !b.is_ascii_whitespace()).count()).sum();
            prop_assert_eq!(words, text.bytes().filter(|b| !b.is_ascii_whitespace()).count());
        }
    }
}
