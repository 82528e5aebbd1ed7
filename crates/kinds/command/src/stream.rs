//! One stream of a source: what one program prints, or several runs of it, as lines in the spool, each once.

use crate::child::{Pipe, complaint, lines};
use crate::join::{ByOrder, ByTime, Overlap};
use crosstail_core::model::{Activity, Clock, Id, Locator, NameId, Place, SourceId, Surroundings, Timestamp};
use crosstail_files::Writer;
use crosstail_formats::{Formats, Reader, Surrounding};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many of the last lines say where the program goes on.
const LAST_LINES: usize = 64;
/// What is kept of what a program says on its standard error, in bytes.
const SAID_BYTES: usize = 4096;
/// Docker divides a message that is longer, in bytes.
const DOCKER_PIECE: usize = 16 * 1024;
/// `2024-05-06T07:08:00.123456789Z`, in bytes.
const STAMP_BYTES: usize = 30;

/// What lines look like, and how those of two runs are joined.
pub(crate) enum Form {
    /// Lines of any kind, those of its standard error too where they have a writer. Without an order to join by, the
    /// program goes on where it was.
    Lines { orders: Option<[ByOrder; 2]>, errors: Option<Writer> },
    /// A JSON object a line, whose fields come in another order each time: they are written in one, so that the same entry is the
    /// same line.
    Entries,
    /// Lines that begin with their time. What names their writer is put before them, for each output.
    Stamped { join: ByTime, heads: [String; 2] },
}

pub(crate) struct Stream {
    state: Mutex<State>,
}

struct State {
    writer: Writer,
    form: Form,
    last: VecDeque<Vec<u8>>,
    /// What the program said that is no line of the stream.
    said: Vec<u8>,
    has_lines: bool,
    /// A number that the origin keeps with the stream.
    mark: Option<u64>,
}

impl Stream {
    pub(crate) fn new(writer: Writer, form: Form) -> Self {
        let state = State { writer, form, last: VecDeque::new(), said: Vec::new(), has_lines: false, mark: None };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mark(&self) -> Option<u64> {
        self.state().mark
    }

    pub(crate) fn set_mark(&self, mark: u64) {
        self.state().mark = Some(mark);
    }

    pub(crate) fn has_lines(&self) -> bool {
        self.state().has_lines
    }

    /// Lines begin with their time: the time from which to read again, in nanoseconds since the epoch.
    pub(crate) fn since(&self) -> Option<i64> {
        match &mut self.state().form {
            Form::Stamped { join, .. } => join.again(),
            Form::Lines { .. } | Form::Entries => None,
        }
    }

    /// The time of the newest of the last lines, where one says it.
    pub(crate) fn last_time(&self, formats: &Arc<Formats>) -> Option<Timestamp> {
        let last: Vec<Vec<u8>> = self.state().last.iter().cloned().collect();
        let reader = Reader::of(formats, None, &last.concat());
        last.iter().filter_map(|line| time_in(&reader, line)).max()
    }

    /// A field of the last line that is JSON and has it.
    pub(crate) fn last_field(&self, name: &str) -> Option<String> {
        self.state().last.iter().rev().find_map(|line| {
            let record: serde_json::Value = serde_json::from_slice(line).ok()?;
            match record.get(name)? {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            }
        })
    }

    /// A program begins to print.
    pub(crate) fn begin(&self) {
        self.state().again();
    }

    /// Takes what a program printed; returns what was found of an earlier run, and how many lines are new.
    pub(crate) fn take(
        &self,
        pipe: Pipe,
        bytes: &[u8],
        formats: &Arc<Formats>,
    ) -> std::io::Result<(Vec<Overlap>, usize)> {
        self.state().take(pipe, bytes, formats)
    }

    /// A program has ended; returns what it said that is no line of the stream, and what was found of an earlier run.
    pub(crate) fn end(&self, code: i32) -> (String, Vec<Overlap>) {
        let mut state = self.state();
        let found = state.ended();
        (complaint(&state.said, code), found)
    }

    /// Writes lines as they are.
    pub(crate) fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut state = self.state();
        state.has_lines = true;
        state.writer.write(bytes)
    }

    /// Begins a new file: what follows does not continue what was written.
    pub(crate) fn begin_anew(&self) {
        self.state().writer.begin_anew();
    }

    /// Adds a file that is whole.
    pub(crate) fn add_whole(&self, ending: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut state = self.state();
        state.has_lines = true;
        state.writer.add_whole(ending, bytes)
    }
}

/// When a record was written, if it says so.
fn time_of(activity: &Activity) -> Option<Timestamp> {
    activity.completed_at.or_else(|| activity.knows_its_time().then_some(activity.started_at))
}

/// The latest time that the records of a line say.
fn time_in(reader: &Reader, line: &[u8]) -> Option<Timestamp> {
    let (mut found, mut columns, now) = (Vec::new(), None, Clock::system().now());
    let place = Place::new(SourceId(0), Locator::Line { file: NameId::default(), offset: 0, length: 0 });
    let at = Surrounding::new(Id::Line { file: 0, offset: 0 }, place, now, Surroundings::before(now));
    reader.read(line.trim_ascii_end(), &at, &mut columns, None, &mut found);
    found.iter().filter_map(|found| time_of(&found.activity)).max()
}

/// A line that is a JSON object, with its fields in order; any other as it is.
fn in_order(line: &[u8]) -> Vec<u8> {
    let Ok(mut fields) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) else {
        return line.to_vec();
    };
    fields.sort_keys();
    let mut text = serde_json::Value::Object(fields).to_string().into_bytes();
    text.push(b'\n');
    text
}

impl State {
    fn again(&mut self) {
        self.said.clear();
        if let Form::Lines { orders: Some(orders), .. } = &mut self.form {
            orders.iter_mut().for_each(ByOrder::again);
        }
    }

    fn ended(&mut self) -> Vec<Overlap> {
        match &mut self.form {
            Form::Lines { orders: Some(orders), .. } => orders.iter_mut().filter_map(ByOrder::ended).collect(),
            _ => Vec::new(),
        }
    }

    fn say(&mut self, line: &[u8]) {
        self.said.extend_from_slice(line);
        let over = self.said.len().saturating_sub(SAID_BYTES);
        self.said.drain(..over);
    }

    fn take(&mut self, pipe: Pipe, bytes: &[u8], formats: &Arc<Formats>) -> std::io::Result<(Vec<Overlap>, usize)> {
        let (mut out, mut found, mut own) = (Vec::with_capacity(bytes.len()), Vec::new(), Vec::new());
        let ordered: Vec<u8>;
        let bytes = match (&self.form, pipe) {
            (Form::Entries, Pipe::Out) => {
                ordered = lines(bytes).flat_map(in_order).collect();
                &ordered
            }
            _ => bytes,
        };
        match &mut self.form {
            Form::Lines { errors: None, .. } | Form::Entries if pipe == Pipe::Err => own.extend_from_slice(bytes),
            form @ (Form::Lines { .. } | Form::Entries) => {
                match form {
                    Form::Lines { orders: Some(orders), .. } => {
                        let order = &mut orders[usize::from(pipe == Pipe::Err)];
                        let says_time = |line: &[u8]| time_in(&Reader::of(formats, None, line), line).is_some();
                        lines(bytes).for_each(|line| found.extend(order.take(line, &says_time, &mut out)));
                    }
                    _ => out.extend_from_slice(bytes),
                }
                if pipe == Pipe::Err {
                    own = bytes.to_vec();
                    // Another complaint than at the last start is nothing to tell.
                    found.retain(|found| matches!(found, Overlap::Lines(_)));
                }
                let count = lines(bytes).count();
                for line in lines(bytes).skip(count.saturating_sub(LAST_LINES)) {
                    if self.last.len() == LAST_LINES {
                        self.last.pop_front();
                    }
                    self.last.push_back(line.to_vec());
                }
            }
            Form::Stamped { join, heads } => {
                let head = &heads[usize::from(pipe == Pipe::Err)];
                for line in lines(bytes) {
                    let Some(time) = stamp(line) else {
                        own.extend_from_slice(line);
                        continue;
                    };
                    let whole = without_inner_stamps(line);
                    if join.takes(time, &whole) {
                        out.extend_from_slice(head.as_bytes());
                        out.extend_from_slice(&whole);
                    }
                }
            }
        }
        self.say(&own);
        match &mut self.form {
            Form::Lines { errors: Some(errors), .. } if pipe == Pipe::Err => errors.write(&out)?,
            _ => self.writer.write(&out)?,
        }
        self.has_lines |= !out.is_empty();
        Ok((found, lines(&out).count()))
    }
}

/// The time at the beginning of a line, in nanoseconds since the epoch.
fn stamp(line: &[u8]) -> Option<i64> {
    let end = memchr::memchr(b' ', &line[..line.len().min(64)]).unwrap_or_else(|| line.trim_ascii_end().len());
    let text = std::str::from_utf8(line.get(..end)?).ok()?;
    chrono::DateTime::parse_from_rfc3339(text.trim_end()).ok()?.timestamp_nanos_opt()
}

/// A line without the times that Docker puts before each further piece of a long message.
fn without_inner_stamps(line: &[u8]) -> Vec<u8> {
    let first = STAMP_BYTES + 1 + DOCKER_PIECE;
    if line.len() <= first + STAMP_BYTES {
        return line.to_vec();
    }
    let (mut whole, mut rest) = line.split_at(first);
    let mut joined = whole.to_vec();
    while rest.len() > STAMP_BYTES && rest[STAMP_BYTES] == b' ' && stamp(rest).is_some() {
        let end = rest.len().min(first);
        (whole, rest) = rest.split_at(end);
        joined.extend_from_slice(&whole[STAMP_BYTES + 1..]);
    }
    joined.extend_from_slice(rest);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_the_same_in_whichever_order_their_fields_come() {
        let (one, other) = (&b"{\"b\":[1,2],\"a\":\"x\"}\n"[..], &b"{\"a\":\"x\",\"b\":[1,2]}\n"[..]);
        assert_eq!(in_order(one), other);
        assert_eq!(in_order(other), other);
        assert_eq!(in_order(b"no JSON\n"), b"no JSON\n");
    }

    #[test]
    fn the_pieces_of_a_long_message_are_one_line() {
        let at = "2024-05-06T07:08:00.123456789Z ";
        let long = "x".repeat(2 * DOCKER_PIECE + 10);
        let pieces: String = [&long[..DOCKER_PIECE], &long[DOCKER_PIECE..2 * DOCKER_PIECE], &long[2 * DOCKER_PIECE..]]
            .map(|piece| format!("{at}{piece}"))
            .concat();
        let whole = without_inner_stamps(format!("{pieces}\n").as_bytes());
        assert_eq!(whole, format!("{at}{long}\n").as_bytes());
        // A long message that was not divided stays as it is.
        let plain = format!("{at}{long}\n");
        assert_eq!(without_inner_stamps(plain.as_bytes()), plain.as_bytes());
        assert_eq!(stamp(b"2024-05-06T07:08:00Z\n"), Some(1_714_979_280_000_000_000));
        assert_eq!(stamp(b"Error response from daemon: no\n"), None);
    }
}
