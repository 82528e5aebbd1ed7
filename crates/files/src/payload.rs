//! The payload of one record: found again by its offset and divided into the parts of a payload.

use super::decode::{RECORDS_OF_A_FRAME, surrounding};
use super::origin::stable_hash;
use super::{FileContext, discover, stream::Stream};
use crosstail_core::model::{Id, Locator, NameId, Payload, RawRecord};
use crosstail_core::number::saturating_usize;
use crosstail_formats::Shape;
use crosstail_source::{ErrorKind, SourceError};

pub(super) fn load(shared: &FileContext, id: &Id, locator: &Locator) -> Result<Payload, SourceError> {
    let Locator::Line { file, offset, length } = locator else {
        return Err(shared.error("load payload", ErrorKind::Unsupported, "not a line of a file"));
    };
    let (stream, frame) = find(shared, *file, *offset, *length)?;
    Ok(of_frame(shared, &stream, *file, &frame, id, *offset))
}

/// The payload in a frame that starts at `offset`. In a frame with several records, that of the record with the id.
pub(super) fn of_frame(
    shared: &FileContext,
    stream: &Stream,
    file: NameId,
    frame: &[u8],
    id: &Id,
    offset: u64,
) -> Payload {
    let index = match id {
        Id::Line { file: hash, offset: own } if stream.origin.told_by_content => {
            let by_line = stream.reader.number_of(frame, |line| stable_hash(&[line]) == *hash);
            by_line.unwrap_or_else(|| saturating_usize(own % RECORDS_OF_A_FRAME))
        }
        Id::Line { file, offset: own } if *file == stream.origin.fingerprint => {
            saturating_usize(own.saturating_sub(offset))
        }
        _ => 0,
    };
    let at = surrounding(stream, offset, frame, stream.written_at());
    let mut payload = stream.reader.payload(frame, index, &at);
    payload.raw.push(RawRecord::new(shared.names.place_name(file).to_string(), &String::from_utf8_lossy(frame)));
    payload
}

/// The frame, from the file of that name or from a file that it was rotated to.
fn find(shared: &FileContext, file: NameId, offset: u64, length: u32) -> Result<(Stream, Vec<u8>), SourceError> {
    let name = shared.names.place_name(file);
    let paths = discover::discover(&shared.specs)
        .map_err(|problem| shared.error("load payload", ErrorKind::Connect, problem))?
        .files;
    let family = discover::family(std::path::Path::new(&*name));
    let (mut candidates, rest): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| shared.place_of(path) == file);
    candidates.extend(rest.into_iter().filter(|path| discover::family(path) == family));
    for path in candidates {
        let Ok(Some(stream)) = Stream::open(shared, &path) else { continue };
        // A line starts after a newline: anything else there means another file.
        let by_lines = !stream.packing.is_sequential() && stream.reader.shape() != Shape::Documents;
        let before =
            if offset == 0 || !by_lines { vec![b'\n'] } else { stream.frame_at(offset - 1, 1).unwrap_or_default() };
        if before != b"\n" {
            continue;
        }
        let Ok(frame) = stream.frame_at(offset, length) else { continue };
        let after = stream.frame_at(offset + u64::from(length), 1).unwrap_or_default();
        let ends = !by_lines || matches!(after.as_slice(), [] | [b'\n' | b'\r']);
        if frame.len() == length as usize && ends {
            return Ok((stream, frame));
        }
    }
    let mut error = shared.error("load payload", ErrorKind::Query, format!("the line is no longer in {name}"));
    error.hint = Some("the file has been truncated or removed since the line was read".to_owned());
    Err(error)
}
