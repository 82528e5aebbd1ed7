//! The payload of one line: found again by its offset and divided into the parts of a payload.

use super::{FileContext, discover, stream::Stream};
use crosstail_core::model::{Id, Locator, NameId, Payload, RawRecord};
use crosstail_core::number::saturating_usize;
use crosstail_source::{ErrorKind, SourceError};

pub(super) fn load(shared: &FileContext, id: &Id, locator: &Locator) -> Result<Payload, SourceError> {
    let Locator::Line { file, offset, length } = locator else {
        return Err(shared.error("load payload", ErrorKind::Unsupported, "not a line of a file"));
    };
    let (stream, line) = find(shared, *file, *offset, *length)?;
    Ok(of_line(shared, &stream, *file, &line, id, *offset))
}

/// The payload in a line that starts at `offset`. In a line with several records, that of the record with the id.
pub(super) fn of_line(
    shared: &FileContext,
    stream: &Stream,
    file: NameId,
    line: &[u8],
    id: &Id,
    offset: u64,
) -> Payload {
    let text = String::from_utf8_lossy(line).into_owned();
    let index = match id {
        Id::Line { file, offset: own } if *file == stream.origin.fingerprint => {
            saturating_usize(own.saturating_sub(offset))
        }
        _ => 0,
    };
    let record = stream.decoder.record(&text, index);
    let mut payload = record.map(|record| stream.decoder.schema().divide(record)).unwrap_or_default();
    payload.raw.push(RawRecord::new(shared.names.place_name(file).to_string(), &text));
    payload
}

/// The line, from the file of that name or from a file that it was rotated to.
fn find(shared: &FileContext, file: NameId, offset: u64, length: u32) -> Result<(Stream, Vec<u8>), SourceError> {
    let name = shared.names.place_name(file);
    let paths = discover::discover(&shared.specs)
        .map_err(|problem| shared.error("load payload", ErrorKind::Connect, problem))?;
    let family = discover::family(std::path::Path::new(&*name));
    let named = |path: &std::path::PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy() == *name);
    let (mut candidates, rest): (Vec<_>, Vec<_>) = paths.into_iter().partition(named);
    candidates.extend(rest.into_iter().filter(|path| discover::family(path) == family));
    for path in candidates {
        let Ok(Some(stream)) = Stream::open(shared, &path) else { continue };
        // A line starts after a newline and ends before one: anything else there means another file.
        let before = if offset == 0 || stream.compressed {
            vec![b'\n']
        } else {
            stream.line_at(offset - 1, 1).unwrap_or_default()
        };
        if before != b"\n" {
            continue;
        }
        if let Ok(line) = stream.line_at(offset, length)
            && line.len() == length as usize
            && !line.contains(&b'\n')
        {
            return Ok((stream, line));
        }
    }
    let mut error = shared.error("load payload", ErrorKind::Query, format!("the line is no longer in {name}"));
    error.hint = Some("the file has been truncated or removed since the line was read".to_owned());
    Err(error)
}
