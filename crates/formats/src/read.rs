//! From the text of a record to an activity: JSON, the formats of text, what they wrap, and what fits nothing else.

use crate::access::complete_access;
use crate::export::object_of_lines;
use crate::fields::Fields;
use crate::format::{Format, Group};
use crate::generic;
use crate::logfmt;
use crate::objects;
use crate::piece::Piece;
use crate::registry::Formats;
use crate::scan::Groups;
use crate::wrapped::inner_text;
use compact_str::CompactString;
use crosstail_core::model::{
    Activity, Id, Kind, Locator, Payload, Place, SourceId, Spelled, Surroundings, Timestamp, spelled_time,
};
use crosstail_core::schema::{Assembler, Schema, Target};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::sync::LazyLock;
use std::sync::atomic::AtomicUsize;

/// What every call has that messages may hold.
static HTTP: LazyLock<memchr::memmem::Finder<'static>> = LazyLock::new(|| memchr::memmem::Finder::new(b" HTTP/"));

/// Wrappers inside each other at most.
pub(crate) const DEPTH: u8 = 5;

/// Where a record stands and what completes it.
#[derive(Debug, Clone)]
pub struct Surrounding<'a> {
    /// Identity of the record where it has none of its own.
    pub id: Id,
    /// Where it is stored.
    pub place: Place,
    /// Its time where it has none: that of the record before it.
    pub carry: Timestamp,
    /// What completes a time without a year or a date.
    pub around: Surroundings,
    /// What the record holds beside the activity, where it is asked for.
    pub(crate) payload: Option<&'a RefCell<Payload>>,
    /// The patterns that records of the stream's beginning have, in order of precedence: they are tried first, and where a
    /// time and a level are found, only they.
    pub(crate) seen: &'a [usize],
    /// Behind how many words the stream's lines have their level.
    pub(crate) column: Option<generic::Column>,
    /// The dialect of the last JSON in the stream that was no line by itself, which the next one probably has.
    pub(crate) hint: Option<&'a AtomicUsize>,
    /// Where what records have is noted, while the beginning of a stream is examined.
    pub(crate) noted: Option<&'a RefCell<Noted>>,
}

/// What the records of a stream's beginning have.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// The patterns that fit.
    pub(crate) patterns: BTreeSet<usize>,
    /// The times whose day and month may be in two orders.
    pub(crate) dates: Vec<Spelled>,
}

impl Surrounding<'_> {
    /// The place of a record of which nothing else is known.
    pub fn new(id: Id, place: Place, carry: Timestamp, around: Surroundings) -> Self {
        Self { id, place, carry, around, payload: None, seen: &[], column: None, hint: None, noted: None }
    }
}

/// A place where nothing is stored, for lines that are only looked at.
pub(crate) fn nowhere() -> Surrounding<'static> {
    let place = Place::new(SourceId(0), Locator::Row(0));
    let around = Surroundings::before(Timestamp(0));
    Surrounding::new(Id::Line { file: 0, offset: 0 }, place, Timestamp(0), around)
}

/// The way in which a record was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// JSON of a dialect.
    Json(usize),
    /// A format of text.
    Text(usize),
    /// Columns that a header names.
    Table,
    /// Pairs of key and value.
    Logfmt,
    /// Text that begins with a time or a level.
    Head,
    /// Text without either.
    Plain,
    /// JSON that cannot be read.
    Broken,
    /// Nothing: what a wrapper holds is blank.
    Empty,
}

/// A record as it was read.
#[derive(Debug)]
pub struct Found {
    /// What it says.
    pub activity: Activity,
    /// How it was read; of a wrapped record, what is inside.
    pub form: Form,
    /// Whether a service or container is named, which counts more than a logger.
    pub(crate) names_service: bool,
    /// Hash of the host and process that wrote the record, where it names one: what its request id is unique in.
    pub scope: Option<u64>,
    /// Where in the frame its first line is, where several writers take turns.
    pub line: Option<usize>,
    /// How long its text is once it is decoded, without the lines of other writers, in bytes; of a text only.
    pub length: Option<usize>,
}

impl Formats {
    /// Reads the text of one record.
    pub(crate) fn record(&self, text: &str, at: &Surrounding<'_>, depth: u8) -> Found {
        let mut found = self.unblamed(text, at, depth);
        let (first, rest) = first_line(text);
        if rest.starts_with("    ") && crate::pretty::is_head(first) {
            found = self.with_fields(found, rest, at);
        }
        found.blame_lines(text);
        found.name_ids(first);
        found
    }

    /// Reads the text of one record, without what its stack says.
    fn unblamed(&self, text: &str, at: &Surrounding<'_>, depth: u8) -> Found {
        let text = text.trim_start_matches(['\u{feff}', '\u{1e}']);
        if text.trim_start().starts_with('{')
            && let Some(found) = self.json_record(text, at, depth)
        {
            return found;
        }
        // Lumberjack's mark in front of JSON in a line of syslog.
        if let Some(json) = text.trim_start().strip_prefix("@cee:").map(str::trim_start)
            && json.starts_with('{')
            && let Some(found) = self.json_record(json, at, depth)
        {
            return found;
        }
        if depth > 0 && text.trim_ascii().is_empty() {
            let activity = at.activity(None);
            return Found { activity, form: Form::Empty, names_service: false, scope: None, line: None, length: None };
        }
        let (first, rest) = first_line(text);
        let by_pattern = |index: usize| {
            let (format, number) = self.text().owners[index];
            let found = self.by_format(format, number, text, at, depth)?;
            // Of a record with several lines another pattern of its format may say more: the lines come later.
            let first = if self.text().formats[format].whole { index - number } else { index };
            at.noted.inspect(|noted| noted.borrow_mut().patterns.extend(first..=index));
            Some(found)
        };
        if let Some(found) = at.seen.iter().find_map(|index| by_pattern(*index)) {
            return found;
        }
        let mut head = generic::head_in(first, at.column);
        let mut rest = rest;
        // Where only a time and a level stand in the first line, the next one is the message (Oracle's alert log).
        if head.is_found() && head.message.is_empty() {
            let (next, more) = first_line(rest);
            head.message = next;
            rest = if more.trim().is_empty() { "" } else { rest };
        }
        let clear = head.time.is_some() && head.level.is_some() && at.noted.is_none();
        if !clear {
            let others = |index: usize| !at.seen.contains(&index);
            if let Some(found) = self.text().fitting(first, others).find_map(by_pattern) {
                return found;
            }
        }
        if !head.is_found()
            && let Some(found) = self.object_behind_words(first, at)
        {
            return found;
        }
        at.keep_stack(rest);
        if let Some(pairs) = logfmt::pairs(first).or_else(|| logfmt::labels(first)) {
            return self.by_pairs(&pairs, first, at);
        }
        self.by_head(&head, at, depth)
    }

    fn by_head(&self, head: &generic::Head<'_>, at: &Surrounding<'_>, depth: u8) -> Found {
        let time = head.time.map(|time| at.moment(time));
        let mut activity = at.activity(time);
        activity.kind = Kind::Log;
        activity.level = head.level;
        activity.system = head.logger.map(CompactString::from);
        activity.exact_system = activity.system.is_none();
        activity.message = Some(head.message.into());
        let form = if head.is_found() { Form::Head } else { Form::Plain };
        let outer = Found { activity, form, names_service: false, scope: None, line: None, length: None };
        // Of a line without a head it is known that it is nothing else, unless a tag stands in front.
        let message = head.message;
        let opened = if head.is_found() || message.starts_with('[') {
            self.opened(message, at, depth)
        } else {
            self.request_in(message, at)
        };
        match opened {
            Some(inner) => inner.within(outer),
            None if head.is_found() => match self.trailing_object(message, at) {
                Some(object) => outer.completed_by(object),
                None => outer,
            },
            None => outer,
        }
    }

    /// What an object of JSON says that stands behind a text: `charge failed {"order":12,"durationMs":12.5}`.
    fn trailing_object(&self, message: &str, at: &Surrounding<'_>) -> Option<Found> {
        let message = message.trim_end();
        let start = message.ends_with('}').then(|| message.find(" {\""))??;
        let at = Surrounding { payload: None, ..at.clone() };
        let found = self.json_record(&message[start + 1..], &at, DEPTH)?;
        matches!(found.form, Form::Json(_)).then_some(found)
    }

    fn by_pairs<'t>(&self, pairs: &[(&'t str, Cow<'t, str>)], line: &str, at: &Surrounding<'_>) -> Found {
        let schema = self.dialects[self.plain].schema();
        let mut assembler = Assembler::default();
        logfmt::fill(pairs, schema.tree(), &mut assembler);
        if let Some(payload) = at.payload {
            let record = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_ref().into())).collect();
            payload.borrow_mut().merge(schema.divide(record));
        }
        let names_service = names_service(&assembler);
        let day = || pairs.iter().find(|(key, _)| *key == "date").map(|(_, value)| value.clone());
        at.place_time(&mut assembler, day);
        let mut activity = assembler.finish(schema, at.id.clone(), at.carry);
        if activity.message.is_none() && activity.url.is_none() {
            activity.message = Some(line.trim().into());
        }
        activity.places = vec![at.place.clone()];
        let mut found = Found { activity, form: Form::Logfmt, names_service, scope: None, line: None, length: None };
        found.blame_error();
        found
    }

    /// The record in a message that is JSON, pairs or a call and nothing else.
    pub(crate) fn opened(&self, message: &str, at: &Surrounding<'_>, depth: u8) -> Option<Found> {
        let message = message.trim();
        if message.starts_with('{') && message.ends_with('}') {
            return self.json_record(message, at, DEPTH).filter(|found| matches!(found.form, Form::Json(_)));
        }
        if depth < DEPTH
            && (message.starts_with("HTTP ") || HTTP.find(message.as_bytes()).is_some())
            && let Some(call) = self.call_of(first_line(message).0, at, depth)
        {
            return Some(call);
        }
        let tag = message.strip_prefix('[').and_then(|rest| rest.split_once("] "));
        let (tag, rest) = tag.filter(|(tag, _)| is_id(tag)).map_or((None, message), |(tag, rest)| (Some(tag), rest));
        let Some(pairs) = logfmt::pairs(rest) else { return self.request_in(message, at) };
        let mut found = self.by_pairs(&pairs, rest, at);
        if let Some(tag) = tag {
            found.activity.request_id = found.activity.request_id.or_else(|| Some(Id::parse(tag)));
        }
        Some(found)
    }

    /// What the JSON object behind a message says.
    fn object_behind(&self, format: &Format, text: String, at: &Surrounding<'_>) -> Option<Found> {
        let found = self.object_of(format, text, at);
        matches!(found.form, Form::Json(_)).then_some(found)
    }

    /// What a JSON object says by the schema that a format names.
    fn object_of(&self, format: &Format, text: String, at: &Surrounding<'_>) -> Found {
        let text = if text.contains("=>") { objects::as_json(&text).unwrap_or(text) } else { text };
        let named = |name: &str| self.dialects.iter().position(|dialect| dialect.base.name == name);
        let dialect = format.fields.as_deref().map_or(Some(self.plain), named);
        self.of_piece(&Piece { text: Cow::Owned(text), dialect }, at)
    }

    pub(crate) fn by_format(
        &self,
        index: usize,
        number: usize,
        text: &str,
        at: &Surrounding<'_>,
        depth: u8,
    ) -> Option<Found> {
        let format = &self.text().formats[index];
        let (first, rest) = first_line(text);
        let subject = if format.whole { text } else { first };
        let mut groups = Groups::NONE;
        if !format.patterns[number].matcher.find(subject, &mut groups) {
            return None;
        }
        if format.is_heading {
            let (activity, form) = (at.activity(None), Form::Empty);
            return Some(Found { activity, form, names_service: false, scope: None, line: None, length: None });
        }
        if format.lines {
            let mut found = self.object_of(format, object_of_lines(text), at);
            let heading = format.patterns[number].groups.iter();
            let mut times = heading.filter(|(_, meaning)| *meaning == Group::Target(Target::StartedAt));
            let written = times.find_map(|(group, _)| spelled_time(&lossy(subject, groups.range(*group)?)));
            if let Some(time) = written.filter(|_| !found.activity.exact_start) {
                (found.activity.started_at, found.activity.exact_start) = (at.moment(time), true);
            }
            found.form = Form::Text(index);
            return Some(found);
        }
        let mut fields = Fields::default();
        for (group, meaning) in &format.patterns[number].groups {
            let Some(range) = groups.range(*group) else { continue };
            let mut text = lossy(subject, range);
            if format.doubled_quotes && text.contains("\"\"") {
                text = Cow::Owned(text.replace("\"\"", "\""));
            }
            fields.take(text, meaning, at)?;
        }
        fields.join_clock(at)?;
        let message = fields.message;
        let named = fields.assembler.raw(Target::System).is_some() || names_service(&fields.assembler);
        let mut activity = fields.assembler.finish(&format.schema, at.id.clone(), at.carry);
        activity.level = activity.level.or(fields.priority);
        if activity.kind == Kind::Other {
            activity.kind = Kind::Log;
        }
        if let Some(rest) = fields.rest {
            complete_access(&mut activity, &rest);
        }
        activity.places = vec![at.place.clone()];
        let mut outer =
            Found { activity, form: Form::Text(index), names_service: named, scope: None, line: None, length: None };
        if let Some(payload) = at.payload {
            payload.borrow_mut().metadata.extend(fields.facts);
        }
        if let Some(text) = fields.behind {
            // What is no object shows that the pattern does not mean this line.
            let mut inner = self.object_behind(format, text, at)?;
            at.keep_stack(rest);
            inner.form = outer.form;
            if message.is_some() {
                inner.activity.message = None;
            }
            return Some(inner.within(outer));
        }
        let Some(message) = message else {
            at.keep_stack(rest);
            return Some(outer);
        };
        if format.wraps && depth < DEPTH {
            let inside = inner_text(format, number, &message, fields.partial, rest);
            let mut inner = self.record(&inside, at, depth + 1);
            let seen = || at.seen.iter().any(|known| self.text().owners[*known] == (index, number));
            let weak = (format.weak && !seen()) || (format.weak_inside && depth > 0);
            if weak && inner.form == Form::Plain {
                return None;
            }
            outer.activity.message = None;
            if inner.form == Form::Empty && outer.activity.level.is_some() {
                inner.activity.message = Some(first.trim().into());
                inner.form = Form::Text(index);
            }
            return Some(inner.within(outer));
        }
        // A pattern of the whole record says itself how much of it is the message.
        let taken = groups.range(0).map_or(0, |all| all.end);
        at.keep_stack(if format.whole { text.get(taken..).unwrap_or_default() } else { rest });
        if outer.activity.url.is_none()
            && let Some(inner) = self.opened(&message, at, depth)
        {
            return Some(inner.within(outer));
        }
        if outer.activity.message.as_deref().is_none_or(str::is_empty) && outer.activity.url.is_none() {
            // Where the first line says nothing, the next one does (Rails' errors, PostgreSQL's plans).
            let lines = if format.whole { "" } else { rest };
            let next = lines.lines().map(str::trim).find(|line| line.contains(char::is_alphanumeric));
            outer.activity.message = Some(next.unwrap_or_else(|| first.trim()).into());
        }
        Some(outer)
    }
}

impl Surrounding<'_> {
    /// An activity of this place.
    pub(crate) fn activity(&self, time: Option<Timestamp>) -> Activity {
        let mut activity = Activity::new(self.id.clone(), time.unwrap_or(self.carry));
        activity.exact_start = time.is_some();
        activity.places = vec![self.place.clone()];
        activity
    }

    /// Keeps the lines behind the first one as the record's stack.
    pub(crate) fn keep_stack(&self, rest: &str) {
        let rest = rest.trim_matches(['\n', '\r']);
        if let Some(payload) = self.payload
            && !rest.trim().is_empty()
        {
            payload.borrow_mut().error.stack = Some(rest.to_owned());
        }
    }
}

/// Hash of the host and process that a record names.
pub(crate) fn scope_of(record: &Assembler<'_>) -> Option<u64> {
    let (host, process) = (record.raw(Target::Host), record.raw(Target::Process));
    if host.is_none() && process.is_none() {
        return None;
    }
    Some(foldhash::quality::FixedState::default().hash_one((host, process)))
}

pub(crate) fn names_service(record: &Assembler<'_>) -> bool {
    record.raw(Target::System).is_some() || record.raw(Target::Service).is_some()
}

/// A part of a text. A pattern sees bytes, so it may end inside a character.
fn lossy(text: &str, range: std::ops::Range<usize>) -> Cow<'_, str> {
    let bytes = &text.as_bytes()[range.clone()];
    text.get(range).map_or_else(|| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The first line and the rest.
pub(crate) fn first_line(text: &str) -> (&str, &str) {
    let (first, rest) = match memchr::memchr(b'\n', text.as_bytes()) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, ""),
    };
    (first.trim_end_matches('\r'), rest)
}

/// Whether a tag in brackets is the id of a request.
fn is_id(tag: &str) -> bool {
    tag.len() >= 8 && tag.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') && tag.bytes().any(|b| b.is_ascii_digit())
}

/// An activity that stands for JSON that cannot be read.
pub(crate) fn broken(text: &str, at: &Surrounding<'_>, reason: &str) -> Found {
    let excerpt = &text[..text.floor_char_boundary(EXCERPT_BYTES)];
    let problem = format!("invalid JSON: {reason}");
    let mut activity = Activity::undecodable(at.id.clone(), at.carry, at.place.clone(), &problem, excerpt);
    activity.exact_start = false;
    Found { activity, form: Form::Broken, names_service: false, scope: None, line: None, length: None }
}

/// How much of an unreadable record the list shows, in bytes; its raw view shows all of it.
const EXCERPT_BYTES: usize = 200;

/// Fills the payload with what a schema says of a record.
pub(crate) fn keep_payload(schema: &Schema, text: &str, at: &Surrounding<'_>) {
    if let Some(payload) = at.payload
        && let Ok(record) = schema.record(text)
    {
        payload.borrow_mut().merge(schema.divide(record));
    }
}
