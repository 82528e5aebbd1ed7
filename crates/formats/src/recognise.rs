//! Tells the shape of a stream, and the formats that it has, from its beginning.

use crate::decoding;
use crate::format::compile;
use crate::frames::Frames;
use crate::generic;
use crate::read::nowhere;
use crate::read::{Noted, Surrounding};
use crate::reader::{Reader, Shape};
use crate::registry::Formats;
use crate::table::Columns;
use crosstail_core::model::{DayOrder, Spelled, Surroundings, Timestamp};
use crosstail_core::schema::Schema;
use regex::bytes::Regex;
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, LazyLock};

/// A date of numbers whose day and month may be in two orders.
static NUMBERED: LazyLock<Option<Regex>> =
    LazyLock::new(|| compile(r"(?:^|[^0-9/.-])\d{1,2}(?:/\d{1,2}/|-\d{1,2}-)(?:\d{4}|\d{2})[^0-9/.-]", false).ok());

/// Lines from which the formats of a stream are told, at most.
const SAMPLE_LINES: usize = 400;
/// Lines before the first value of a stream of JSON that goes on over lines, at most.
const LINES_BEFORE: usize = 50;
/// A header that is not the first line has more commas.
const WIDE: usize = 5;
/// Fewer levels are no column.
const LEAST_IN_COLUMN: usize = 3;
/// Of a text stream's lines that begin no record at most this share, in eighths, are records of their own.
const STARTS_IN_EIGHT: usize = 8;

impl Reader {
    /// The reader of a stream that begins with these bytes, already in UTF-8.
    pub fn of(formats: &Arc<Formats>, chosen: Option<Schema>, head: &[u8]) -> Self {
        let mut reader = Self {
            formats: Arc::clone(formats),
            chosen: chosen.map(Formats::chosen),
            shape: Shape::Lines,
            columns: None,
            wraps: false,
            only_json: false,
            joins: false,
            indented: false,
            wholes: false,
            seen: Vec::new(),
            guesses: false,
            order: None,
            unordered: None,
            column: None,
            hint: AtomicUsize::new(formats.plain),
            inner_hint: AtomicUsize::new(formats.plain),
        };
        let whole = head.len() - memchr::memrchr(b'\n', head).map_or(0, |end| head.len() - end - 1);
        let lines: Vec<&[u8]> = head[..whole]
            .split(|b| *b == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .take(SAMPLE_LINES)
            .collect();
        reader.tell_shape(&lines, head);
        if reader.shape == Shape::Lines {
            reader.tell_formats(&lines);
        }
        let texts = reader.shape == Shape::Lines && !reader.only_json;
        let dated = || NUMBERED.as_ref().is_some_and(|dates| dates.is_match(&head[..whole]));
        if texts || dated() {
            let noted = reader.noted_in(&head[..whole]);
            if texts {
                reader.seen = noted.patterns.into_iter().collect();
            }
            reader.order = order_of(&noted.dates);
            reader.unordered = noted.dates.last().copied().filter(|_| reader.order.is_none());
        }
        if texts {
            reader.column = reader.column_of(&lines);
        }
        reader
    }

    fn tell_shape(&mut self, lines: &[&[u8]], head: &[u8]) {
        let Some(first) = lines.first() else { return };
        let valid = serde_json::from_slice::<serde::de::IgnoredAny>(first.trim_ascii()).is_ok();
        if !valid && (is_document(head) || self.has_documents(lines)) {
            self.shape = Shape::Documents;
            return;
        }
        let header = lines.iter().enumerate().take(LINES_BEFORE).find_map(|(index, line)| {
            let text = decoding::text(line);
            let directive = index < 8 && Columns::is_directive(&text);
            // Windows' DHCP server explains its columns before it names them.
            let begins = index == 0 || memchr::memchr_iter(b',', line).count() >= WIDE;
            (directive || begins).then(|| Columns::of_header(&text, &self.formats, self.chosen.as_ref())).flatten()
        });
        if header.is_some() {
            self.shape = Shape::Table;
            self.columns = header;
        }
    }

    /// Whether JSON that goes on over lines comes behind lines that begin no record, such as what a program says when it
    /// starts.
    fn has_documents(&self, lines: &[&[u8]]) -> bool {
        let opens = |pair: &[&[u8]]| pair[0].trim_ascii_end() == b"{" && pair[1].trim_ascii_start().starts_with(b"\"");
        let Some(at) = lines.windows(2).take(LINES_BEFORE).position(opens) else { return false };
        // A value that continues a record is a part of it.
        at > 0 && lines[..at].iter().all(|line| !line.starts_with(b"{") && !self.is_start(&decoding::text(line)))
    }

    fn tell_formats(&mut self, lines: &[&[u8]]) {
        let json = lines.iter().filter(|line| line.trim_ascii_start().starts_with(b"{")).count();
        let texts: Vec<Cow<'_, str>> = lines.iter().map(|line| decoding::text(line)).collect();
        self.wraps = texts.iter().any(|text| self.unwrapped(text).is_some());
        self.only_json = json == lines.len() && json > 0 && !self.wraps;
        self.indented = texts.first().is_some_and(|text| {
            let inner = self.unwrap(text);
            let inner: &str = inner.as_ref().map_or(text, |inner| &inner.text);
            inner.starts_with([' ', '\t']) && generic::head(inner).is_found()
        });
        let (mut starts, mut plain) = (0, 0);
        for text in &texts {
            let inner = self.unwrap(text);
            let inner: &str = inner.as_ref().map_or(text, |inner| &inner.text);
            let inner = inner.trim_end_matches(['\n', '\r']);
            if inner.starts_with([' ', '\t', '{']) {
                continue;
            }
            self.wholes |= self.format_of(inner).is_some_and(|format| format.whole);
            if self.is_start(inner) {
                starts += 1;
            } else {
                plain += 1;
            }
        }
        self.guesses = lines.iter().any(|line| self.time_of_line(line).is_some_and(|time| !time.is_whole()));
        self.joins = starts > 0 && starts * STARTS_IN_EIGHT >= plain;
    }

    /// Behind how many words almost all lines with a time have their level, where the line alone does not say that the
    /// word is one: `07:08:00 info begins`, `07:08:00 worker-1 INFO begins`.
    fn column_of(&self, lines: &[&[u8]]) -> Option<generic::Column> {
        let (mut timed, mut led, mut levelled, mut at) = (0, 0, 0, [0usize; generic::COLUMNS]);
        for line in lines {
            let text = decoding::text(line);
            let inner = self.unwrap(&text);
            let inner: &str = inner.as_ref().map_or(&text, |inner| &inner.text);
            let head = generic::head(inner);
            levelled += usize::from(head.time.is_some() && head.level.is_some());
            led += usize::from(generic::leads_with_level(inner));
            if head.time.is_none() || head.level.is_some() || self.seen_format_of(&text).is_some() {
                continue;
            }
            timed += 1;
            for (column, count) in at.iter_mut().enumerate() {
                *count += usize::from(generic::has_level_in(head.message, column));
            }
        }
        let words = at.iter().position(|count| *count >= LEAST_IN_COLUMN && *count * 10 >= timed * 8);
        let usual = words.map(|words| generic::Column { words, shouted: false });
        // Where the lines have levels in capitals, `CONFIG` and `HTTP` in their place are levels, too.
        let shouted = led >= LEAST_IN_COLUMN && led * 10 >= (timed + levelled) * 8;
        usual.or_else(|| shouted.then_some(generic::Column { words: 0, shouted: true }))
    }

    /// What the records of the stream's beginning have.
    fn noted_in(&self, head: &[u8]) -> Noted {
        let noted = RefCell::new(Noted::default());
        let at = Surrounding { noted: Some(&noted), ..nowhere() };
        let mut frames = Frames::default();
        let mut columns = None;
        let mut read = |_, frame: &[u8]| self.read(frame, &at, &mut columns, None, &mut Vec::new());
        frames.push(self, head, &mut read);
        frames.finish(self, &mut read);
        noted.into_inner()
    }
}

/// In which order dates have the day and the month: the one in which alone most of those are dates that are in one only,
/// else the one with which the records are closer to each other.
fn order_of(dates: &[Spelled]) -> Option<DayOrder> {
    use DayOrder::{DayFirst, MonthFirst};
    let told = |order| dates.iter().filter(|date| date.order() == Some(Some(order))).count();
    let apart = |order| {
        let around = Surroundings { order: Some(order), ..Surroundings::before(Timestamp(0)) };
        let times = dates.iter().map(|date| date.resolve(around));
        times.clone().zip(times.skip(1)).map(|(one, next)| i128::from(next.since_us(one)).abs()).sum::<i128>()
    };
    let order = match told(DayFirst).cmp(&told(MonthFirst)) {
        std::cmp::Ordering::Equal => apart(MonthFirst).cmp(&apart(DayFirst)),
        other => other,
    };
    match order {
        std::cmp::Ordering::Greater => Some(DayFirst),
        std::cmp::Ordering::Less => Some(MonthFirst),
        std::cmp::Ordering::Equal => None,
    }
}

/// Whether a text begins with JSON that goes on over lines: an object, or an array of objects. A text in brackets, such as
/// `[1] …`, may be an array, too.
fn is_document(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(head).trim_ascii_start();
    let first = head.strip_prefix(b"[").map_or(head, <[u8]>::trim_ascii_start);
    if !first.starts_with(b"{") && !matches!((head.first(), first.first()), (Some(b'['), None | Some(b']'))) {
        return false;
    }
    match serde_json::Deserializer::from_slice(head).into_iter::<serde::de::IgnoredAny>().next() {
        Some(Ok(_)) => true,
        // Cut by the end of the sample. A value may also be broken itself, and the next ones whole.
        Some(Err(error)) => error.is_eof() || opens_over_lines(first),
        None => false,
    }
}

/// Whether a text begins with the brace of an object in a line of its own, and a name in the next one.
fn opens_over_lines(text: &[u8]) -> bool {
    let Some(inside) = text.strip_prefix(b"{") else { return false };
    let line = memchr::memchr(b'\n', inside).map_or(inside, |end| &inside[..end]);
    line.trim_ascii().is_empty() && inside.trim_ascii_start().starts_with(b"\"")
}
