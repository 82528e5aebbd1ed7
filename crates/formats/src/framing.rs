//! Where records begin: lines joined to records, and JSON values found in text that has no lines.
//!
//! A line is judged by itself and by what is open before it, so that reading may begin anywhere: after a few lines the
//! state is the same as from the beginning of the file.

use crate::columns;
use crate::crash::crash;
use crate::format::{Format, compile};
use crate::generic;
use crate::line::Open;
use crate::read::first_line;
use crate::reader::Reader;
use crate::request::is_pointed;
use crosstail_core::model::{Level, is_node_place};
use regex::bytes::Regex;
use std::sync::LazyLock;

/// A record that goes on for longer is cut, in lines and in bytes.
const LINES: usize = 5000;
const BYTES: usize = 1 << 20;
/// Lines of a frame with records of several writers, at most, and how many writers.
const BRAID: usize = 256;
const STRANDS: usize = 16;
/// A writer that was silent for more lines does not go on.
const NEAR: usize = 8;
/// What tells of a failure. It decides only how long a record is waited for.
static FAILURE: LazyLock<Option<Regex>> =
    LazyLock::new(|| compile("(?i)err|warn|fatal|crit|severe|panic|exception|traceback|fail", false).ok());
/// How much of a line decides what it is, in bytes.
const DECISIVE: usize = 512;
/// How much of a record's first line decides its level, in bytes.
const HEAD: usize = 256;

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
    /// Node's names the place first, and then what was thrown.
    Node,
}

/// The open record of one writer: that of a container or process, where wrappers name them.
#[derive(Debug, Clone)]
struct Strand {
    /// Hash of the writer; `None` where lines have no wrapper.
    writer: Option<u64>,
    open: Open,
    stack: Stack,
    indented: bool,
    /// Whether all lines of the open record are those of its head, which a line that begins a record goes on with.
    in_head: bool,
    /// Whether the wrapper said that the last line is cut.
    cut: bool,
    /// Whether it tells of a failure, which a stack may follow.
    fails: bool,
    /// The head of its first line: it says the level, which is asked for where a crash follows.
    first: String,
    /// The number of the record in its frame.
    record: usize,
    lines: usize,
    /// The line of the frame that was its last.
    last: usize,
}

/// Says for one line after the other whether it begins a record, and what it continues.
///
/// Where several write to one stream, their lines may come in turns. While one of them is likely to go on with its record,
/// what the others write stays in the same frame, so that a frame may hold several records.
#[derive(Debug, Clone, Default)]
pub struct Framer {
    strands: Vec<Strand>,
    /// The strand of the last line.
    latest: usize,
    records: usize,
    lines: usize,
    bytes: usize,
    /// The room of the last record's first line, for the next one.
    spare: String,
    /// Whether the last row of a table ended inside quotation marks.
    in_quotes: bool,
}

/// Where a line belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whether it begins a frame.
    pub(crate) frame: bool,
    /// Number of its record in the frame.
    pub(crate) record: usize,
}

impl Framer {
    /// Whether the next line of a reader's stream begins a frame; else it belongs to the one before it.
    pub fn begins(&mut self, reader: &Reader, line: &[u8]) -> bool {
        match reader.row(line, self.in_quotes) {
            Some(row) => {
                self.lines = if row.begins { 0 } else { self.lines + 1 };
                self.in_quotes = row.open && self.lines < LINES;
                row.begins
            }
            None => self.place(reader, line).frame,
        }
    }

    /// Where the next line belongs.
    pub(crate) fn place(&mut self, reader: &Reader, line: &[u8]) -> Place {
        let place = self.judge(reader, line);
        if place.frame {
            (self.lines, self.bytes) = (0, 0);
        }
        self.lines += 1;
        self.bytes += line.len();
        if let Some(strand) = self.strands.get_mut(self.latest) {
            strand.lines += 1;
            strand.last = self.lines;
        }
        place
    }

    /// Whether what is open may go on with the next line.
    pub fn is_open(&self) -> bool {
        self.in_quotes || self.strands.iter().any(Strand::is_open)
    }

    fn judge(&mut self, reader: &Reader, line: &[u8]) -> Place {
        let line = crate::decoding::without_nuls(line);
        // A whole JSON object is the most frequent line, and never continues another.
        let quoted = matches!(line, [b'{', b'"' | b' ' | b'}', ..]);
        if quoted && !reader.wraps() && line.trim_ascii_end().ends_with(b"}") {
            return self.begin(Strand::begun(None, Open::Json));
        }
        let head = &line[..line.len().min(DECISIVE)];
        let text = crate::decoding::text(if reader.wraps() { line } else { head });
        let unwrapped = reader.unwrap(&text);
        let wrapped = unwrapped.is_some();
        let writer = unwrapped.as_ref().map(|inner| inner.writer);
        let inner: &str = unwrapped.as_ref().map_or(&text, |inner| &inner.text);
        let inner = inner.trim_end_matches(['\n', '\r']);
        // What another writes is no part of a record. What has no wrapper where the record has one may be, where only a
        // continuation looks so.
        let own =
            if wrapped { self.strands.iter().position(|strand| strand.writer == writer) } else { Some(self.latest) };
        let own = own.filter(|at| *at < self.strands.len());
        let before = own.map(|at| &self.strands[at]);
        let in_head = before.is_some_and(|strand| strand.in_head);
        let goes_on = before.is_some_and(|strand| strand.is_open() && strand.lines > 1);
        let kind = match classify(reader, inner, wrapped, before.map_or(Open::Nothing, |strand| strand.open)) {
            Line::Whole if in_head => Line::Continues,
            Line::Plain if self.is_record(reader, own, inner, if wrapped { inner.as_bytes() } else { line }) => {
                Line::Start
            }
            // A blank line inside a stack is a part of it, whatever its wrapper says.
            Line::Blank if unwrapped.as_ref().is_some_and(|inner| inner.speaks) && !goes_on => Line::Start,
            kind => kind,
        };
        let cut = unwrapped.as_ref().is_some_and(|inner| inner.cut);
        let full = self.lines >= LINES || self.bytes >= BYTES;
        if let Some(at) = own.filter(|_| !full) {
            let strand = &mut self.strands[at];
            let foreign = strand.writer != writer && kind == Line::Plain;
            let was_cut = std::mem::replace(&mut strand.cut, cut);
            if !foreign && strand.open != Open::Nothing && (was_cut || strand.joins(reader, kind, inner, wrapped)) {
                strand.in_head = in_head && reader.is_head(inner);
                if is_panic(inner) {
                    strand.stack = Stack::Panic;
                }
                if kind != Line::Blank {
                    strand.indented = kind == Line::Indented;
                }
                self.latest = at;
                return Place { frame: false, record: strand.record };
            }
        }
        let open = match kind {
            Line::Json => Open::Json,
            Line::Start => Open::Started,
            Line::Single => Open::Single,
            Line::Whole => Open::Whole,
            Line::Blank => Open::Nothing,
            _ => Open::Plain,
        };
        let mut strand = Strand::begun(writer, open);
        strand.cut = cut;
        strand.fails =
            wrapped && kind != Line::Json && FAILURE.as_ref().is_some_and(|words| words.is_match(inner.as_bytes()));
        strand.in_head = open == Open::Whole && reader.is_head(inner);
        if is_traceback(inner) {
            strand.stack = Stack::Python;
        } else if is_panic(inner) {
            strand.stack = Stack::Panic;
        } else if is_node_place(inner) {
            strand.stack = Stack::Node;
        }
        if matches!(open, Open::Started | Open::Whole) {
            strand.first = std::mem::take(&mut self.spare);
            strand.first.clear();
            strand.first.push_str(&inner[..inner.floor_char_boundary(HEAD)]);
        }
        self.begin(strand)
    }

    /// Whether a line that begins as no format says is a record all the same: it has its time in the same column as the
    /// first line of the open record, or is JSON behind a few words. `whole`: the line up to its end.
    fn is_record(&self, reader: &Reader, own: Option<usize>, line: &str, whole: &[u8]) -> bool {
        let first = own.map_or("", |at| self.strands[at].first.as_str());
        columns::are_alike(first, line)
            || (whole.trim_ascii_end().ends_with(b"}") && reader.is_object_behind(&crate::decoding::text(whole)))
    }

    /// Begins a record: in a frame of its own, unless another writer is likely to go on with the one that it has.
    fn begin(&mut self, mut strand: Strand) -> Place {
        let now = self.lines;
        let others = |other: &Strand| other.writer != strand.writer && other.goes_on(now);
        let full = now >= BRAID || self.bytes >= BYTES || self.strands.len() >= STRANDS;
        let frame = full || !self.strands.iter().any(others);
        if frame {
            if let Some(last) = self.strands.pop() {
                self.spare = last.first;
            }
            self.strands.clear();
            self.records = 0;
        }
        strand.record = self.records;
        self.records += 1;
        let record = strand.record;
        self.latest = self.strands.iter().position(|other| other.writer == strand.writer).unwrap_or(self.strands.len());
        match self.strands.get_mut(self.latest) {
            Some(known) => *known = strand,
            None => self.strands.push(strand),
        }
        Place { frame, record }
    }
}

impl Strand {
    const fn begun(writer: Option<u64>, open: Open) -> Self {
        Self {
            writer,
            open,
            stack: Stack::None,
            indented: false,
            in_head: false,
            cut: false,
            fails: false,
            first: String::new(),
            record: 0,
            lines: 0,
            last: 0,
        }
    }

    const fn is_open(&self) -> bool {
        self.cut || matches!(self.open, Open::Started | Open::Whole | Open::Plain)
    }

    /// Whether its record is likely to go on though others write in between: it is cut, has several lines, is of a format
    /// whose records have, or tells of a failure, and was written not long ago.
    const fn goes_on(&self, now: usize) -> bool {
        let whole = matches!(self.open, Open::Whole) && self.writer.is_some();
        self.is_open() && (self.cut || self.fails || whole || self.lines > 1) && now - self.last < NEAR
    }

    /// The level of its record.
    fn level(&self, reader: &Reader) -> Option<Level> {
        if self.first.is_empty() { None } else { reader.level_of(&self.first) }
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
                let begun = matches!(self.open, Open::Started | Open::Whole);
                if is_traceback(text) {
                    // What ends a program says so behind whatever was logged last.
                    if begun && !chained && self.level(reader).is_some_and(|level| level < Level::Warn) {
                        return false;
                    }
                    self.stack = Stack::Python;
                    return true;
                }
                if crash(text).is_some() {
                    return begun && self.level(reader).is_some_and(Level::is_failure);
                }
                // `Error: …` alone is what a program says when it ends, not what an ordinary record throws.
                let says = text.strip_prefix("Error: ").is_some_and(|said| said.starts_with(char::is_alphabetic));
                let ends = says && begun && self.stack == Stack::None;
                if ends && self.level(reader).is_some_and(|level| level < Level::Warn) {
                    return false;
                }
                if begun || chained || self.stack == Stack::Node {
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
        // Where the first line is set in, the others are.
        let alike = || reader.is_indented() && generic::head(text).is_found() && !continues(text.trim_start());
        if padded || own || is_indented_head(text) || alike() || is_pointed(text) {
            return Line::Start;
        }
        if let Some(format) = reader.seen_format_of(text) {
            return if format.single { Line::Single } else { Line::Start };
        }
        // Next.js sets its lines one space in. A stack is deeper, or its words are small.
        let second = text.as_bytes().get(1).copied().unwrap_or(b' ');
        let near = first == b' ' && (second.is_ascii_uppercase() || second >= 0x80);
        let known = if near { reader.format_of(text) } else { None };
        return known.map_or(Line::Indented, |format| if format.single { Line::Single } else { Line::Start });
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
    if head.is_found() || crate::logfmt::is_record(text) {
        return Line::Start;
    }
    match reader.format_of(text) {
        Some(format) if format.whole => Line::Whole,
        Some(format) => begins(format),
        None if wrapped && reader.is_wrapped(text) => Line::Start,
        None => Line::Plain,
    }
}

/// Whether an indented line is a record by itself: it begins with a whole time, as Consul and Vault print them, or with a
/// level that is set to the right, and a whole time behind it.
fn is_indented_head(text: &str) -> bool {
    let text = text.trim_start();
    let timed = text.starts_with(|c: char| c.is_ascii_digit() || c == '[');
    (timed || text.starts_with(|c: char| c.is_ascii_uppercase())) && {
        let head = generic::head(text);
        let whole = head.time.is_some_and(|time| time.is_whole() && !time.is_epoch());
        whole && (head.level.is_some() || (timed && generic::begins_with_time(text)))
    }
}

/// Beginnings of lines that only stacks have: Java and Kotlin, .NET, Node, Python, Go, PHP, Ruby, Rust, Erlang, Perl.
const CONTINUATIONS: &[&str] = &[
    "Caused by:",
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
    "Last message: ",
    "Last message (from ",
    "State: %{",
    "Node.js v",
    "Stacktrace:",
    "in expression starting at ",
];

fn continues(text: &str) -> bool {
    if text == "}" || text == "\"}" || text == ")" || text == "]" || text == "{" {
        return true;
    }
    if let Some(number) = text.strip_prefix('#') {
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        return digits > 0 && number[digits..].starts_with(' ');
    }
    // Ruby's calls: `app/pay.rb:41:in 'charge'`.
    if text.ends_with('\'')
        && let Some((place, call)) = text.split_once(":in ")
    {
        let numbered = place.rsplit_once(':').is_some_and(|(_, line)| line.bytes().all(|b| b.is_ascii_digit()));
        return numbered && call.starts_with(['`', '\'']);
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
    if crash(text).is_some() {
        return true;
    }
    let text = ["Exception in thread ", "Uncaught ", "Unhandled exception. ", "Unhandled ", "thread '"]
        .iter()
        .find_map(|begin| text.strip_prefix(begin))
        .map_or(text, |rest| rest.rsplit_once("\" ").map_or(rest, |(_, name)| name));
    crosstail_core::model::exception(text).is_some()
}
