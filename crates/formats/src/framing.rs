//! Where records begin: lines joined to records, and JSON values found in text that has no lines.
//!
//! A line is judged by itself and by what is open before it, so that reading may begin anywhere: after a few lines the
//! state is the same as from the beginning of the file.

use crate::format::Format;
use crate::generic;
use crate::line::Open;
use crate::read::first_line;
use crate::reader::Reader;

/// A record that goes on for longer is cut, in lines and in bytes.
const LINES: usize = 5000;
const BYTES: usize = 1 << 20;
/// How much of a line decides what it is, in bytes.
const DECISIVE: usize = 512;

/// What a line is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Blank,
    /// A JSON object.
    Json,
    /// It begins as records do.
    Start,
    /// It is a record of a format whose records are one line.
    Single,
    /// It begins a record of a format that says itself how its records go on.
    Whole,
    /// It begins with a space.
    Indented,
    /// A line that only stacks and continuations have.
    Continues,
    /// The first line of a stack: an exception or a traceback.
    Exception,
    /// Anything else.
    Plain,
}

/// A stack whose lines are not all told by their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    None,
    /// Python's ends with the exception, which is not indented.
    Python,
    /// Go's has calls that are not indented.
    Go,
    /// Rust's says behind the place of a panic, in a line of its own, what happened.
    Panic,
}

/// Says for one line after the other whether it begins a record.
#[derive(Debug, Clone)]
pub struct Framer {
    open: Open,
    stack: Stack,
    indented: bool,
    /// Whether the wrapper said that the last line is cut.
    cut: bool,
    /// What wrote the open record, by its wrapper.
    writer: Option<u64>,
    lines: usize,
    bytes: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self { open: Open::Nothing, stack: Stack::None, indented: false, cut: false, writer: None, lines: 0, bytes: 0 }
    }
}

impl Framer {
    /// Whether the next line of a reader's stream begins a record; else it continues the one before it.
    pub fn begins(&mut self, reader: &Reader, line: &[u8]) -> bool {
        if reader.each_line_is_a_record() {
            return true;
        }
        let begins = self.judge(reader, line);
        if begins {
            (self.lines, self.bytes) = (0, 0);
        }
        self.lines += 1;
        self.bytes += line.len();
        begins
    }

    /// Whether what is open may go on with the next line.
    pub fn is_open(&self) -> bool {
        self.cut || matches!(self.open, Open::Started | Open::Whole | Open::Plain)
    }

    fn judge(&mut self, reader: &Reader, line: &[u8]) -> bool {
        // A whole JSON object is the most frequent line, and never continues another.
        if !reader.wraps() && line.first() == Some(&b'{') && line.trim_ascii_end().ends_with(b"}") {
            self.begin(Open::Json);
            return true;
        }
        let head = &line[..line.len().min(DECISIVE)];
        let text = crate::decoding::text(if reader.wraps() { line } else { head });
        let unwrapped = reader.unwrap(&text);
        let was_cut = self.cut;
        self.cut = unwrapped.as_ref().is_some_and(|inner| inner.cut);
        let wrapped = unwrapped.is_some();
        let writer = unwrapped.as_ref().map(|inner| inner.writer);
        let speaks = unwrapped.as_ref().is_some_and(|inner| inner.speaks);
        let inner: &str = unwrapped.as_ref().map_or(&text, |inner| &inner.text);
        let inner = inner.trim_end_matches(['\n', '\r']);
        let kind = match classify(reader, inner, wrapped, self.open) {
            Line::Blank if speaks => Line::Start,
            kind => kind,
        };
        // What another process writes, or what has no wrapper where the record has one, is no part of it, but for the
        // lines that only a continuation has.
        let foreign = self.writer != writer && (wrapped || kind == Line::Plain);
        let full = self.lines >= LINES || self.bytes >= BYTES;
        let joins =
            !full && !foreign && self.open != Open::Nothing && (was_cut || self.joins(reader, kind, inner, wrapped));
        if joins {
            if is_panic(inner) {
                self.stack = Stack::Panic;
            }
            if kind != Line::Blank {
                self.indented = kind == Line::Indented;
            }
            return false;
        }
        self.begin(match kind {
            Line::Json => Open::Json,
            Line::Start => Open::Started,
            Line::Single => Open::Single,
            Line::Whole => Open::Whole,
            Line::Blank => Open::Nothing,
            _ => Open::Plain,
        });
        self.writer = writer;
        if is_traceback(inner) {
            self.stack = Stack::Python;
        } else if is_panic(inner) {
            self.stack = Stack::Panic;
        }
        true
    }

    const fn begin(&mut self, open: Open) {
        self.open = open;
        self.stack = Stack::None;
        self.indented = false;
    }

    fn joins(&mut self, reader: &Reader, kind: Line, text: &str, wrapped: bool) -> bool {
        match kind {
            Line::Json | Line::Start | Line::Single | Line::Whole => return false,
            // Behind JSON and records of one line nothing is open, but a blank line is no record either.
            _ if matches!(self.open, Open::Json | Open::Single) => return false,
            Line::Blank | Line::Indented | Line::Continues => {
                if text.starts_with("goroutine ") {
                    self.stack = Stack::Go;
                }
                return true;
            }
            Line::Exception => {
                let chained = self.stack == Stack::Python;
                if is_traceback(text) {
                    self.stack = Stack::Python;
                    return true;
                }
                if matches!(self.open, Open::Started | Open::Whole) || chained {
                    return true;
                }
            }
            Line::Plain => {}
        }
        if self.stack == Stack::Panic {
            self.stack = Stack::None;
            return true;
        }
        let ends_python = self.stack == Stack::Python && self.indented;
        if ends_python || (self.stack == Stack::Go && text.ends_with(')')) {
            return true;
        }
        let started = !wrapped && self.open == Open::Started && reader.joins_plain_lines();
        started || self.open == Open::Whole
    }
}

fn classify(reader: &Reader, text: &str, wrapped: bool, open: Open) -> Line {
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let Some(first) = text.bytes().next() else { return Line::Blank };
    if text.trim_start().is_empty() {
        return Line::Blank;
    }
    if matches!(first, b' ' | b'\t') {
        // Levels of four letters that are padded to five, and what programs pad behind a wrapper.
        let padded = text[1..].split_once(' ').is_some_and(|(word, _)| matches!(word, "INFO" | "WARN"));
        let own = wrapped && reader.format_of(text).is_some_and(|format| !format.wraps);
        return if padded || own { Line::Start } else { Line::Indented };
    }
    if first == b'{' && (text.starts_with("{\"") || text.starts_with("{ \"")) {
        return Line::Json;
    }
    let (text, _) = first_line(text);
    if continues(text) || reader.continues(text, open) {
        return Line::Continues;
    }
    if reader.has_wholes() && reader.format_of(text).is_some_and(|format| format.whole) {
        return Line::Whole;
    }
    let begins = |format: &Format| if format.single { Line::Single } else { Line::Start };
    if let Some(format) = reader.seen_format_of(text) {
        return begins(format);
    }
    if generic::begins_with_time(text) {
        return Line::Start;
    }
    let head = generic::head(text);
    if head.time.is_none() && is_exception(text) {
        return Line::Exception;
    }
    if head.is_found() || crate::logfmt::pairs(text).is_some() {
        return Line::Start;
    }
    match reader.format_of(text) {
        Some(format) if format.whole => Line::Whole,
        Some(format) => begins(format),
        None if wrapped && reader.is_wrapped(text) => Line::Start,
        None => Line::Plain,
    }
}

/// Beginnings of lines that only stacks have: Java and Kotlin, .NET, Node, Python, Go, PHP, Ruby, Rust, Erlang, Perl.
const CONTINUATIONS: &[&str] = &[
    "Caused by: ",
    "Suppressed: ",
    "Wrapped by: ",
    "... ",
    "--- End of ",
    "---> ",
    "During handling of the above exception",
    "The above exception was the direct cause",
    "goroutine ",
    "created by ",
    "exit status ",
    "[signal ",
    "Stack trace:",
    "[stacktrace]",
    "[previous exception]",
    "stack backtrace:",
    "note: run with `RUST_BACKTRACE",
    "note: Some details are omitted",
    "note: run with ",
    "thrown in ",
    "** (",
    "(elixir ",
    "(stdlib ",
    "(kernel ",
];

fn continues(text: &str) -> bool {
    if text == "}" || text == "\"}" || text == ")" || text == "]" || text == "{" {
        return true;
    }
    if let Some(number) = text.strip_prefix('#') {
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        return digits > 0 && number[digits..].starts_with(' ');
    }
    if text.starts_with("at ") {
        return text.ends_with([')', '>', ']']) || text.contains(":line ");
    }
    let first = text.as_bytes().first();
    CONTINUATIONS.iter().any(|begin| begin.as_bytes().first() == first && text.starts_with(begin))
}

fn is_traceback(text: &str) -> bool {
    text.starts_with("Traceback (most recent call last)")
}

/// Whether a line names the place of a panic, and the next one says what happened (Rust since 1.73).
fn is_panic(text: &str) -> bool {
    text.ends_with(':') && text.starts_with("thread '") && text.contains("' panicked at ")
}

/// Whether a line names an exception: `java.lang.IllegalStateException: no route`, `ValueError`, `panic: …`.
fn is_exception(text: &str) -> bool {
    if text.starts_with("thread '") && text.contains("' panicked at ") {
        return true;
    }
    if is_traceback(text) || text.starts_with("panic: ") || text.starts_with("fatal error: ") {
        return true;
    }
    let text = ["Exception in thread ", "Uncaught ", "Unhandled exception. ", "Unhandled ", "thread '"]
        .iter()
        .find_map(|begin| text.strip_prefix(begin))
        .map_or(text, |rest| rest.rsplit_once("\" ").map_or(rest, |(_, name)| name));
    let end = text.find([':', ' ', '(', '[']).unwrap_or(text.len());
    let name = &text[..end];
    let class = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'\\' | b'/'));
    let kinds = ["Exception", "Error", "Throwable"];
    let compound = ["Failure", "Warning", "Interrupt", "Exit", "Fault"];
    class
        && (kinds.iter().any(|kind| name.ends_with(kind))
            || compound.iter().any(|kind| name.len() > kind.len() && name.ends_with(kind)))
}

/// Finds the JSON values of a text that is not a line each: pretty-printed, an array, one behind the other.
#[derive(Debug, Default)]
pub struct Documents {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Where the open value began.
    start: Option<u64>,
    at: u64,
}

/// A longer value is given up, in bytes.
const DOCUMENT_BYTES: u64 = 256 << 20;

impl Documents {
    /// Takes the next piece of the text, and calls `each(start, end)` for every object that is complete: the top-level
    /// ones and the elements of top-level arrays.
    pub fn push(&mut self, piece: &[u8], mut each: impl FnMut(u64, u64)) {
        for byte in piece {
            let here = self.at;
            self.at += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if self.depth > 0 => self.in_string = true,
                b'{' => {
                    if self.depth == 0 {
                        self.start = Some(here);
                    }
                    self.depth += 1;
                }
                // An array around objects is no level: its elements are the records.
                b'[' if self.depth > 0 => self.depth += 1,
                b']' if self.depth > 1 => self.depth -= 1,
                b'}' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0
                        && let Some(start) = self.start.take()
                    {
                        each(start, here + 1);
                    }
                }
                _ => {}
            }
            if self.start.is_some_and(|start| here - start > DOCUMENT_BYTES) {
                *self = Self { at: self.at, ..Self::default() };
            }
        }
    }

    /// Where a value began that is not complete.
    pub const fn open(&self) -> Option<u64> {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_in_pieces() {
        let text = "[\n {\"a\": \"}{\\\"\"},\n {\"b\": [{\"c\": 1}]}]{\"d\":{}}\n{\"open\": ";
        for size in 1..20 {
            let (mut documents, mut found) = (Documents::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                documents.push(piece, |start, end| found.push((start, end)));
            }
            let found: Vec<&str> = found
                .iter()
                .map(|(start, end)| {
                    &text[usize::try_from(*start).expect("small")..usize::try_from(*end).expect("small")]
                })
                .collect();
            assert_eq!(found, ["{\"a\": \"}{\\\"\"}", "{\"b\": [{\"c\": 1}]}", "{\"d\":{}}"]);
            assert!(documents.open().is_some());
        }
    }
}
