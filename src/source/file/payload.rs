//! One line, whole: found again by its offset, and mapped to the parts of a payload.

use super::super::{ErrorKind, SourceError};
use super::{Shared, discover, stream::Stream};
use crate::model::{Body, Id, Locator, NameId, Payload, RawRecord};
use crate::schema::{Definition, PayloadPart, lookup};
use serde_json::{Map, Value};

pub(super) fn load(shared: &Shared, id: &Id, locator: &Locator) -> Result<Payload, SourceError> {
    let Locator::Line { file, offset, length } = locator else {
        return Err(shared.error("load payload", ErrorKind::Unsupported, "not a line of a file"));
    };
    let (stream, line) = find(shared, *file, *offset, *length)?;
    Ok(of_line(shared, &stream, *file, &line, id, *offset))
}

/// The payload in a line that begins at `offset`; of a line with several records that of the one with the id.
pub(super) fn of_line(shared: &Shared, stream: &Stream, file: NameId, line: &[u8], id: &Id, offset: u64) -> Payload {
    let text = String::from_utf8_lossy(line).into_owned();
    let index = match id {
        Id::Line { file, offset: own } if *file == stream.origin.print => own.saturating_sub(offset) as usize,
        _ => 0,
    };
    let record = stream.decoder.record(&text, index);
    let mut payload =
        record.map(|record| from_record(stream.decoder.schema().definition(), record)).unwrap_or_default();
    payload.raw.push(RawRecord { place: shared.names.place_name(file).to_string(), text });
    payload
}

/// The line in the file of that name, or in a file that it was rotated into.
fn find(shared: &Shared, file: NameId, offset: u64, length: u32) -> Result<(Stream, Vec<u8>), SourceError> {
    let name = shared.names.place_name(file);
    let paths = discover::discover(&shared.specs)
        .map_err(|problem| shared.error("load payload", ErrorKind::Connect, problem))?;
    let family = discover::family(std::path::Path::new(&*name));
    let named = |path: &std::path::PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy() == *name);
    let (mut candidates, rest): (Vec<_>, Vec<_>) = paths.into_iter().partition(named);
    candidates.extend(rest.into_iter().filter(|path| discover::family(path) == family));
    for path in candidates {
        let Ok(Some(stream)) = Stream::open(shared, &path) else { continue };
        // A line begins behind a newline and ends before one: another line there means another file.
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
    error.hint = Some("the file was truncated or removed after the line was read".to_owned());
    Err(error)
}

/// Divides a record among the parts of a payload; what no part takes is metadata.
pub(crate) fn from_record(definition: &Definition, mut record: Map<String, Value>) -> Payload {
    let mut payload = Payload::default();
    for (name, paths) in &definition.payload {
        let Some(part) = PayloadPart::parse(name) else { continue };
        let Some((path, value)) = paths.list().iter().find_map(|path| Some((path, lookup(&record, path)?.clone())))
        else {
            continue;
        };
        match part {
            PayloadPart::RequestHeaders => payload.request.headers = Some(value),
            PayloadPart::ResponseHeaders => payload.response.headers = Some(value),
            PayloadPart::RequestBody => payload.request.body = Some(body(value)),
            PayloadPart::ResponseBody => payload.response.body = Some(body(value)),
            PayloadPart::Stack => payload.error.stack = value.as_str().map(str::to_owned),
            PayloadPart::Metadata => match value {
                Value::Object(map) => payload.metadata.extend(map),
                other => {
                    payload.metadata.insert(path.clone(), other);
                }
            },
        }
        record.shift_remove(path.as_str());
    }
    for (name, paths) in &definition.fields {
        for path in paths.list() {
            let taken = match name.as_str() {
                "error" => &mut payload.error.message,
                "error_type" => &mut payload.error.kind,
                _ => {
                    record.shift_remove(path.as_str());
                    continue;
                }
            };
            if taken.is_none() {
                *taken = lookup(&record, path).and_then(Value::as_str).map(str::to_owned);
            }
            record.shift_remove(path.as_str());
        }
    }
    payload.metadata.extend(record);
    payload
}

fn body(value: Value) -> Body {
    match value {
        Value::String(text) => Body::from_text(&text),
        other => {
            let bytes = other.to_string().len();
            Body::from_value(other, bytes)
        }
    }
}
