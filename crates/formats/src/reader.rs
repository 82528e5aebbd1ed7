//! The reader of one stream.

use crate::decoding;
use crate::format::{Format, Group};
use crate::json::{may_hold_record, unreadable};
use crate::line::{Open, Unwrapped};
use crate::piece::Piece;
use crate::read::{DEPTH, Form, Found, Surrounding, nowhere};
use crate::registry::{Dialect, Formats};
use crate::scan::Groups;
use crate::table::{Columns, Row};
use crate::wrapped::with_controls;
use crosstail_core::model::{DayOrder, Id, Level, Payload, Spelled, Surroundings, Timestamp, leading_time};
use crosstail_core::schema::{Assembler, Schema, Target};
use regex::bytes::Regex;
use std::borrow::Cow;
use std::cell::RefCell;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a stream is divided into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Lines, some of which continue the record before them.
    Lines,
    /// JSON values that take several lines, or share one: [`crate::Documents`] finds them.
    Documents,
    /// Lines of columns that a header names; headers may change on the way.
    Table,
}

/// Where a line's time stands at the latest, in bytes.
const TIME_BYTES: usize = 160;

const WRITER: foldhash::fast::FixedState = foldhash::fast::FixedState::with_seed(0);

/// A date is near the moment at which its stream was written where it is not further from it, in microseconds: two days.
const NEAR_US: i64 = 2 * 86_400_000_000;

/// A longer message is cut in lists, in bytes; the record's own view has all of it.
const MESSAGE_BYTES: usize = 1 << 16;

/// Tests the raw fields of a record before it is built; true where it is certain that nobody wants it.
pub type Rejects<'a> = &'a mut dyn FnMut(&Assembler<'_>, &Schema) -> bool;

/// Reads the records of one stream.
#[derive(Debug)]
pub struct Reader {
    pub(crate) formats: Arc<Formats>,
    /// The schema of all JSON records, where somebody chose it.
    pub(crate) chosen: Option<Dialect>,
    pub(crate) shape: Shape,
    pub(crate) columns: Option<Columns>,
    /// Whether lines have wrappers, so that what continues stands behind one.
    pub(crate) wraps: bool,
    /// Whether every line of the sample is a JSON object, so that no line continues another.
    pub(crate) only_json: bool,
    /// Whether records begin so that other lines must belong to the record before them.
    pub(crate) joins: bool,
    /// Whether the first line begins as records do and is set in, as then all are.
    pub(crate) indented: bool,
    pub(crate) wholes: bool,
    /// The patterns that records of the stream's beginning have, in order of precedence.
    pub(crate) seen: Vec<usize>,
    /// Whether a time leaves out the year or the date.
    pub(crate) guesses: bool,
    /// In which order dates of numbers have the day and the month, where the stream's beginning says it.
    pub(crate) order: Option<DayOrder>,
    /// A date of the stream's beginning that may be in two orders, where nothing says in which.
    pub(crate) unordered: Option<Spelled>,
    /// Behind how many words almost all lines have their level, where it is not marked.
    pub(crate) column: Option<crate::generic::Column>,
    /// The dialect of the last JSON record, which the next one probably has.
    pub(crate) hint: AtomicUsize,
    /// The same for JSON inside other lines.
    pub(crate) inner_hint: AtomicUsize,
}

impl Reader {
    /// How the stream is divided into records.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether times of the stream leave out the year or the date, so that the order of its lines decides.
    pub const fn guesses_dates(&self) -> bool {
        self.guesses
    }

    /// The time at the beginning of a line, where it is no number.
    pub fn time_of_line(&self, line: &[u8]) -> Option<Spelled> {
        let text = decoding::text(&line[..line.len().min(TIME_BYTES)]);
        // klog writes the level's letter in front.
        let behind = || {
            let rest = text.strip_prefix(|c: char| c.is_ascii_uppercase())?;
            leading_time(rest).map(|(time, _)| time).filter(|_| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let found = crate::generic::head(&text).time.or_else(behind);
        found.filter(|time| !time.is_epoch())
    }

    /// The same reader, of a stream that was last written at a moment: it tells the order of the day and the month where the
    /// records do not. A date in the usual order stands, unless it lies behind that moment, or only the other one is near it.
    #[must_use]
    pub fn written_at(mut self, moment: Timestamp) -> Self {
        let Some(date) = self.unordered.take() else { return self };
        let at = |order| date.resolve(Surroundings { order, ..Surroundings::before(moment) });
        let usual = at(None);
        for order in [DayOrder::DayFirst, DayOrder::MonthFirst] {
            let other = at(Some(order));
            let late = |time: Timestamp| time.since_us(moment) > NEAR_US;
            let near = |time: Timestamp| time.since_us(moment).abs() <= NEAR_US;
            if !late(other) && (late(usual) || (near(other) && !near(usual))) {
                self.order = Some(order);
            }
        }
        self
    }

    /// The level of the record that a line begins.
    pub(crate) fn level_of(&self, line: &str) -> Option<Level> {
        let at = Surrounding { seen: &self.seen, column: self.column, ..nowhere() };
        self.formats.record(line, &at, 0).activity.level
    }

    /// The columns at the beginning of a table.
    pub const fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }

    /// Whether a line of a table begins a row, and leaves it open; `in_quotes`: the line before did. `None` where the stream
    /// is no table.
    pub(crate) fn row(&self, line: &[u8], in_quotes: bool) -> Option<Row> {
        let columns = self.columns.as_ref().filter(|_| self.shape == Shape::Table)?;
        Some(columns.row(line, in_quotes))
    }

    /// Whether no line says anything about the next one, so that reading may begin at any line.
    pub const fn only_json(&self) -> bool {
        self.only_json
    }

    pub(crate) const fn wraps(&self) -> bool {
        self.wraps
    }

    /// Whether records begin with spaces.
    pub(crate) const fn is_indented(&self) -> bool {
        self.indented
    }

    /// Whether a line is a JSON record behind a few words.
    pub(crate) fn is_object_behind(&self, line: &str) -> bool {
        self.formats.object_behind_words(line, &nowhere()).is_some()
    }

    /// Whether lines that begin no record belong to the one before them.
    pub(crate) const fn joins_plain_lines(&self) -> bool {
        self.joins
    }

    /// Whether a line continues a record by a format's own pattern; those of formats that say how their whole records look
    /// count only in them.
    pub(crate) fn continues(&self, text: &str, open: Open) -> bool {
        let fits = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(text.as_bytes()));
        fits(&self.formats.text().continues) || (open == Open::Whole && fits(&self.formats.text().continues_whole))
    }

    /// Whether a line is one of the head of a record of which a format says how it looks.
    pub(crate) fn is_head(&self, text: &str) -> bool {
        self.formats.text().heads.as_ref().is_some_and(|pattern| pattern.is_match(text.as_bytes()))
    }

    /// Whether the stream has records of formats that say how their whole records look.
    pub(crate) const fn has_wholes(&self) -> bool {
        self.wholes
    }

    /// The first format whose records begin with this line.
    pub(crate) fn format_of(&self, text: &str) -> Option<&Format> {
        let texts = self.formats.text();
        let format = |index: usize| &texts.formats[texts.owners[index].0];
        texts.fitting(text, move |index| !format(index).weak).next().map(format)
    }

    /// The first format that the stream's beginning has and whose records begin with this line.
    pub(crate) fn seen_format_of(&self, text: &str) -> Option<&Format> {
        self.seen.iter().find_map(|index| {
            let (format, number) = self.formats.text().owners[*index];
            let format = &self.formats.text().formats[format];
            let told = !format.weak && !format.wraps && !format.whole;
            (told && format.patterns[number].matcher.fits(text)).then_some(format)
        })
    }

    /// Whether a line begins as records do, by any format.
    pub(crate) fn is_start(&self, text: &str) -> bool {
        crate::generic::head(text).is_found() || self.format_of(text).is_some() || crate::logfmt::is_record(text)
    }

    /// Whether a line has a wrapper.
    pub(crate) fn is_wrapped(&self, text: &str) -> bool {
        self.unwrapped(text).is_some()
    }

    /// The line without its wrappers, where the stream has any. One inside another is one that the stream's beginning has.
    pub(crate) fn unwrap<'t>(&self, text: &'t str) -> Option<Unwrapped<'t>> {
        if !self.wraps {
            return None;
        }
        let mut found = self.unwrapped(text)?;
        for _ in 1..DEPTH {
            let inner = match &found.text {
                Cow::Borrowed(text) => self.unwrapped_by_seen(text),
                Cow::Owned(text) => self.unwrapped_by_seen(text).map(Unwrapped::owned),
            };
            let Some(inner) = inner else { break };
            found = Unwrapped {
                text: inner.text,
                cut: found.cut || inner.cut,
                writer: found.writer.rotate_left(1) ^ inner.writer,
                speaks: found.speaks || inner.speaks,
            };
        }
        Some(found)
    }

    fn unwrapped_by_seen<'t>(&self, text: &'t str) -> Option<Unwrapped<'t>> {
        self.seen.iter().find_map(|index| self.unwrapped_by(*index, text, true))
    }

    pub(crate) fn unwrapped<'t>(&self, text: &'t str) -> Option<Unwrapped<'t>> {
        if text.starts_with('{') {
            return self.unwrapped_json(text);
        }
        // The wrapper that the stream has is tried before all others are looked at.
        self.seen.iter().find_map(|index| self.unwrapped_by(*index, text, false)).or_else(|| {
            let texts = self.formats.text();
            let wraps = |index: usize| texts.formats[texts.owners[index].0].wraps;
            texts.fitting(text, wraps).find_map(|index| self.unwrapped_by(index, text, false))
        })
    }

    /// `inside`: the text stands in a wrapper itself.
    fn unwrapped_by<'t>(&self, index: usize, text: &'t str, inside: bool) -> Option<Unwrapped<'t>> {
        let (format, number) = self.formats.text().owners[index];
        let format = &self.formats.text().formats[format];
        if !format.wraps {
            return None;
        }
        let pattern = &format.patterns[number];
        let mut found = Groups::NONE;
        if !pattern.matcher.find(text, &mut found) {
            return None;
        }
        let mut inner = None;
        let mut cut = false;
        let mut speaks = false;
        let mut writer = WRITER.build_hasher();
        for (group, meaning) in &pattern.groups {
            let Some(range) = found.range(*group) else { continue };
            match meaning {
                Group::Target(Target::Message) => inner = text.get(range),
                Group::Partial => cut = text.get(range) == Some("P"),
                Group::Priority | Group::Target(Target::Level) => speaks = true,
                other if other.names_writer() => text.get(range).hash(&mut writer),
                _ => {}
            }
        }
        let inner = inner?;
        let known = || inner.starts_with('{') || self.is_start(inner);
        let seen = || self.seen.contains(&index);
        if (format.weak && !seen() && !known()) || (format.weak_inside && inside && !known()) {
            return None;
        }
        let text = if format.octal_controls { with_controls(inner) } else { Cow::Borrowed(inner) };
        Some(Unwrapped { text, cut, writer: writer.finish(), speaks })
    }

    fn unwrapped_json<'t>(&self, text: &'t str) -> Option<Unwrapped<'t>> {
        let scanned = self.formats.scan(text, self.hint.load(Ordering::Relaxed)).ok()?;
        let definition = self.formats.dialects[scanned.dialect].schema().definition();
        if !definition.wraps {
            return None;
        }
        let message = scanned.fields.raw(Target::Message).map(Cow::into_owned).unwrap_or_default();
        let speaks = scanned.fields.raw(Target::Level).is_some();
        let named = [Target::Service, Target::Host, Target::Process].map(|target| scanned.fields.raw(target));
        let cut = definition.cuts && !message.ends_with('\n');
        let message = decoding::uncoloured(message.trim_end_matches(['\n', '\r']).into()).into_owned();
        Some(Unwrapped { text: Cow::Owned(message), cut, writer: WRITER.hash_one(named), speaks })
    }

    /// Reads the records in the bytes of one frame; most frames have one. `columns`: those of the last header, which the
    /// frame may replace.
    pub fn read(
        &self,
        bytes: &[u8],
        at: &Surrounding<'_>,
        columns: &mut Option<Columns>,
        rejects: Option<Rejects<'_>>,
        out: &mut Vec<Found>,
    ) {
        let text = decoding::text(bytes);
        let text =
            text.trim_end_matches(['\r', '\n', '\0']).trim_start_matches(['\u{feff}', '\u{1e}', '\n', '\r', '\0']);
        if text.trim().is_empty() {
            return;
        }
        if self.shape == Shape::Table {
            self.read_row(text, &self.surrounding(at), columns, out);
            return;
        }
        match self.divide(text) {
            Some(parts) => {
                for (index, (place, part)) in parts.iter().enumerate() {
                    let from = out.len();
                    self.read_record(part, &Surrounding { id: at.id_of_part(index), ..at.clone() }, None, out);
                    for found in &mut out[from..] {
                        (found.line, found.length) = (Some(*place), Some(part.len()));
                    }
                }
            }
            None => {
                let from = out.len();
                self.read_record(text, at, rejects, out);
                out[from..].iter_mut().for_each(|found| found.length = Some(text.len()));
            }
        }
    }

    /// A place, with what is known of the stream.
    fn surrounding<'s>(&'s self, at: &Surrounding<'s>) -> Surrounding<'s> {
        let around = Surroundings { order: self.order.or(at.around.order), ..at.around };
        Surrounding { around, seen: &self.seen, column: self.column, hint: Some(&self.inner_hint), ..at.clone() }
    }

    fn read_record(&self, text: &str, at: &Surrounding<'_>, rejects: Option<Rejects<'_>>, out: &mut Vec<Found>) {
        let bare = text.trim();
        if bare.is_empty() {
            return;
        }
        let from = out.len();
        let array = bare.starts_with('[') && bare[1..].trim_start().starts_with(['{', ']']);
        if bare.starts_with('{') || array {
            self.read_json(bare, at, rejects, out);
        } else if !matches!(bare, "[" | "]" | "],") {
            out.push(self.formats.record(text, &self.surrounding(at), 0));
        }
        for found in &mut out[from..] {
            if let Some(message) = found.activity.message.as_mut().filter(|message| message.len() > MESSAGE_BYTES) {
                message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
                message.push('…');
            }
        }
        if out[from..].iter().any(|found| found.form == Form::Empty) {
            let read = out.split_off(from);
            out.extend(read.into_iter().filter(|found| found.form != Form::Empty));
        }
    }

    fn read_row(&self, line: &str, at: &Surrounding<'_>, columns: &mut Option<Columns>, out: &mut Vec<Found>) {
        if let Some(header) = Columns::of_header(line, &self.formats, self.chosen.as_ref()) {
            let date = columns.as_ref().or(self.columns.as_ref()).and_then(|before| before.date().cloned());
            *columns = Some(header.on(date));
        } else if let Some(date) = Columns::date_of(line) {
            *columns = columns.take().or_else(|| self.columns.clone()).map(|known| known.on(Some(date)));
        } else if !Columns::is_directive(line) {
            let known = columns.as_ref().or(self.columns.as_ref());
            out.extend(known.map(|known| self.formats.row(known, self.chosen.as_ref(), line, at)));
        }
    }

    /// Reads JSON. Most of it is rejected where something is searched for: what is known of the stream is not looked up for it.
    fn read_json(&self, text: &str, at: &Surrounding<'_>, rejects: Option<Rejects<'_>>, out: &mut Vec<Found>) {
        let known = || self.surrounding(at);
        if let Some(dialect) = self.chosen.as_ref().filter(|_| text.starts_with('{')) {
            let (form, text) = (Form::Json(self.formats.plain), text.trim_end_matches(','));
            let mut fields = Assembler::default();
            match crosstail_core::schema::json::scan(text, dialect.schema().tree(), &mut fields) {
                Ok(()) if rejects.is_some_and(|rejects| rejects(&fields, dialect.schema())) => {}
                Ok(()) => out.push(self.formats.complete(dialect, form, fields, (text, ""), &known(), 0)),
                Err(offset) => out.push(unreadable(text, at, offset)),
            }
            return;
        }
        let scanned = self.formats.scan(text, self.hint.load(Ordering::Relaxed));
        if let Ok(scanned) = scanned
            && text[scanned.end..].trim_matches([',', ' ', '\t', '\r', '\n']).is_empty()
        {
            if let Some(pieces) = self.formats.enveloped(&text[..scanned.end], &scanned) {
                self.read_each(&pieces, &known(), out);
                return;
            }
            self.hint.store(scanned.dialect, Ordering::Relaxed);
            let dialect = &self.formats.dialects[scanned.dialect];
            let message = scanned.fields.raw(Target::Message);
            let lacks_level = scanned.fields.raw(Target::Level).is_none();
            let definition = dialect.schema().definition();
            let as_it_is = !definition.wraps
                && definition.template.is_none()
                && !scanned.fields.folded
                && message.as_deref().is_none_or(|text| !may_hold_record(text, lacks_level))
                && scanned.fields.raw(Target::Query).is_none();
            if as_it_is && rejects.is_some_and(|rejects| rejects(&scanned.fields, dialect.schema())) {
                return;
            }
            let form = Form::Json(scanned.dialect);
            out.push(self.formats.complete(dialect, form, scanned.fields, (&text[..scanned.end], ""), &known(), 0));
            return;
        }
        self.read_pieces(text, &known(), out);
    }

    /// Reads a text that is not one JSON value: wrapped lines, several values, or no JSON.
    fn read_pieces(&self, text: &str, at: &Surrounding<'_>, out: &mut Vec<Found>) {
        if let Some(found) = self.formats.json_record(text, at, 0)
            && self.formats.is_wrapper(found.form, text)
        {
            out.push(found);
            return;
        }
        let pieces = self.formats.pieces(text);
        if let Some(found) = pieces.is_err().then(|| self.formats.object_record(text, at)).flatten() {
            out.push(found);
            return;
        }
        match pieces {
            Ok(pieces) => self.read_each(&pieces, at, out),
            Err(_) if !text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"')) => {
                out.push(self.formats.record(text, at, 0));
            }
            Err(offset) => out.push(unreadable(text, at, offset)),
        }
    }

    fn read_each(&self, pieces: &[Piece<'_>], at: &Surrounding<'_>, out: &mut Vec<Found>) {
        for (index, piece) in pieces.iter().enumerate() {
            let own = Surrounding { id: at.id_of_part(index), ..at.clone() };
            out.push(self.formats.of_piece(piece, &own));
        }
    }

    /// What the record number `index` of a frame holds beside its activity.
    pub fn payload(&self, bytes: &[u8], index: usize, at: &Surrounding<'_>) -> Payload {
        let text = decoding::text(bytes);
        let bare = text.trim_start_matches(['\u{feff}', '\u{1e}', ' ', '\n']);
        let kept = RefCell::new(Payload::default());
        let own = |id| Surrounding { id, payload: Some(&kept), ..self.surrounding(at) };
        if let Some((_, part)) = self.parts(&text).as_ref().and_then(|parts| parts.get(index)) {
            self.read_record(part, &own(at.id.clone()), None, &mut Vec::new());
            return kept.into_inner();
        }
        let pieces = if index > 0 || bare.starts_with('[') { self.formats.pieces(bare).ok() } else { None };
        if let Some(piece) = pieces.as_ref().and_then(|pieces| pieces.get(index)) {
            self.formats.of_piece(piece, &own(at.id.clone()));
        } else {
            self.read(bytes, &own(at.id.clone()), &mut self.columns.clone(), None, &mut Vec::new());
        }
        kept.into_inner()
    }

    /// The name of a form, for people.
    pub fn name_of(&self, form: Form) -> &str {
        match form {
            Form::Json(_) if self.chosen.is_some() => self.chosen.as_ref().map_or("json", |chosen| &chosen.base.name),
            Form::Json(index) => &self.formats.dialects[index].base.name,
            Form::Text(index) => &self.formats.text().formats[index].name,
            Form::Table => "table",
            Form::Logfmt => "logfmt",
            Form::Head => "text with a time or level",
            Form::Plain | Form::Empty => "text",
            Form::Broken => "broken JSON",
        }
    }
}

impl Formats {
    fn is_wrapper(&self, form: Form, text: &str) -> bool {
        let first = self.scan(text, self.plain).ok();
        let wraps = first.is_some_and(|first| self.dialects[first.dialect].schema().definition().wraps);
        wraps && form != Form::Broken
    }
}

impl Surrounding<'_> {
    /// The identity of the record number `index` of a frame.
    fn id_of_part(&self, index: usize) -> Id {
        match &self.id {
            Id::Line { file, offset } => Id::Line { file: *file, offset: offset + index as u64 },
            other => other.clone(),
        }
    }
}
