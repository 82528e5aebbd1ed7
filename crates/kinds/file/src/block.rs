//! Reads a file in blocks. Each line belongs to the block in which it starts, so blocks can be read in any order and
//! on several threads.

use crosstail_core::number::saturating_usize;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Size of a block in bytes.
pub(super) const BLOCK: u64 = 1 << 20;

/// Calls `each(offset, line)` for every line that starts in `start..end` and ends before `limit`.
pub(super) fn lines(
    file: &File,
    (start, end): (u64, u64),
    limit: u64,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(u64, &[u8]),
) -> io::Result<()> {
    // One byte earlier, to see whether a line starts exactly at `start`.
    let base = start.saturating_sub(1);
    fill(file, base, saturating_usize(end.min(limit) - base), buffer)?;
    let mut at = if start == 0 {
        0
    } else {
        match memchr::memchr(b'\n', buffer) {
            Some(found) => found + 1,
            None => return Ok(()),
        }
    };
    while base + (at as u64) < end.min(limit) {
        let found = match memchr::memchr(b'\n', &buffer[at..]) {
            Some(found) => found,
            None => match extend(file, base, limit, at, buffer)? {
                Some(found) => found,
                None => return Ok(()),
            },
        };
        each(base + at as u64, &buffer[at..at + found]);
        at += found + 1;
    }
    Ok(())
}

fn fill(file: &File, offset: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
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

/// Reads more of the file until the line at `at` ends; returns its length.
fn extend(file: &File, base: u64, limit: u64, at: usize, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let mut more = Vec::new();
    let mut step = 64 * 1024;
    loop {
        let offset = base + buffer.len() as u64;
        if offset >= limit {
            return Ok(None);
        }
        fill(file, offset, step.min(saturating_usize(limit - offset)), &mut more)?;
        if more.is_empty() {
            return Ok(None);
        }
        let seen = buffer.len();
        buffer.extend_from_slice(&more);
        if let Some(found) = memchr::memchr(b'\n', &more) {
            return Ok(Some(seen + found - at));
        }
        step = (step * 2).min(8 << 20);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    proptest! {
        #[test]
        fn blocks_of_any_size_give_every_line_once(
            lines_in in prop::collection::vec("[a-z]{0,40}", 0..60),
            size in 1u64..100,
        ) {
            let mut file = tempfile::tempfile().expect("a temporary file");
            let mut expected = Vec::new();
            let mut offset = 0u64;
            for line in &lines_in {
                writeln!(file, "{line}").expect("written");
                expected.push((offset, line.clone().into_bytes()));
                offset += line.len() as u64 + 1;
            }
            write!(file, "unfinished").expect("written");
            let mut found = Vec::new();
            let mut start = 0;
            while start < offset {
                lines(&file, (start, start + size), offset, &mut Vec::new(), |at, line| found.push((at, line.to_vec())))
                    .expect("read");
                start += size;
            }
            prop_assert_eq!(found, expected);
        }
    }
}
