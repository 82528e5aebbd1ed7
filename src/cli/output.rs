//! Activities on stdout: data only, safe for a terminal, without secrets.

use super::args::Format;
use crate::model::{Activity, Names, is_hostile, redact_text, visible_line};
use anyhow::Result;
use chrono_tz::Tz;
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write};

/// The documented names of `-o json`, in their order.
#[derive(Debug, Serialize)]
pub(super) struct Record<'a> {
    id: String,
    source: String,
    places: Vec<String>,
    kind: crate::model::Kind,
    direction: crate::model::Direction,
    system: Option<&'a str>,
    endpoint: Option<&'a str>,
    method: Option<&'a str>,
    url: Option<String>,
    status: Option<crate::model::Status>,
    http_status: Option<u16>,
    level: Option<crate::model::Level>,
    message: Option<String>,
    started_at: String,
    completed_at: Option<String>,
    duration_ms: Option<serde_json::Number>,
    attempt: Option<u16>,
    max_attempts: Option<u16>,
    next_retry_at: Option<String>,
    request_id: Option<String>,
    correlation_id: Option<&'a str>,
    parent_request_id: Option<&'a str>,
    error: Option<String>,
    error_type: Option<&'a str>,
    operation: Option<&'a str>,
    entity: Option<&'a str>,
    actor: Option<&'a str>,
}

/// Milliseconds as a JSON number: whole where they are.
fn millis(us: u64) -> serde_json::Number {
    if us.is_multiple_of(1000) {
        serde_json::Number::from(us / 1000)
    } else {
        serde_json::Number::from_f64(us as f64 / 1e3).unwrap_or_else(|| serde_json::Number::from(us / 1000))
    }
}

impl<'a> Record<'a> {
    pub(super) fn new(activity: &'a Activity, names: &Names) -> Self {
        let safe = |text: &'a Option<compact_str::CompactString>| text.as_deref().map(|t| redact_text(t).into_owned());
        Self {
            id: activity.id.to_string(),
            source: activity.places.first().map(|p| names.source_name(p.source).to_string()).unwrap_or_default(),
            places: activity.places.iter().map(|place| place.label(names)).collect(),
            kind: activity.kind,
            direction: activity.direction,
            system: activity.system.as_deref(),
            endpoint: activity.endpoint.as_deref(),
            method: activity.method.as_deref(),
            url: safe(&activity.url),
            status: activity.status,
            http_status: activity.http_status,
            level: activity.level,
            message: safe(&activity.message),
            started_at: activity.started_at.rfc3339(),
            completed_at: activity.completed_at.map(|at| at.rfc3339()),
            duration_ms: activity.took_us().map(millis),
            attempt: activity.attempt,
            max_attempts: activity.max_attempts,
            next_retry_at: activity.next_retry_at.map(|at| at.rfc3339()),
            request_id: activity.request_id.as_ref().map(ToString::to_string),
            correlation_id: activity.correlation_id.as_deref(),
            parent_request_id: activity.parent_request_id.as_deref(),
            error: safe(&activity.error),
            error_type: activity.error_type.as_deref(),
            operation: activity.operation.as_deref(),
            entity: activity.entity.as_deref(),
            actor: activity.actor.as_deref(),
        }
    }
}

/// JSON whose hostile characters are escaped: the same values to a parser, harmless to a terminal.
pub(super) fn safe_json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value)?;
    if text.is_ascii() || !text.chars().any(is_hostile) {
        return Ok(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                use std::fmt::Write as _;
                write!(out, "\\u{unit:04x}")?;
            }
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// Writes activities in one of the formats.
pub(super) struct Writer<'a> {
    out: io::BufWriter<io::StdoutLock<'static>>,
    format: Format,
    names: &'a Names,
    zone: Tz,
    colour: bool,
    csv_header: bool,
    table: Vec<[String; 9]>,
}

const HEADER: [&str; 9] = ["time", "status", "dir", "system", "method", "endpoint", "http", "took_ms", "message"];

impl<'a> Writer<'a> {
    pub(super) fn new(format: Format, names: &'a Names, zone: Tz) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        Self { out, format, names, zone, colour, csv_header: false, table: Vec::new() }
    }

    pub(super) fn write(&mut self, activity: &Activity) -> Result<()> {
        match self.format {
            Format::Json => {
                let line = safe_json(&Record::new(activity, self.names))?;
                writeln!(self.out, "{line}")?;
            }
            Format::Text => self.text(activity)?,
            Format::Csv => self.csv(activity)?,
            Format::Table => {
                let row = self.cells(activity);
                self.table.push(row);
            }
        }
        Ok(())
    }

    fn cells(&self, a: &Activity) -> [String; 9] {
        let text = |t: &Option<compact_str::CompactString>| t.as_deref().map(|t| visible_line(t).into_owned()).unwrap_or_default();
        let message = a.error.as_ref().or(a.message.as_ref()).map(|t| visible_line(&redact_text(t)).into_owned());
        [
            a.started_at.utc().with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S%.3f %Z").to_string(),
            a.status.map(|s| s.to_string()).or(a.level.map(|l| l.to_string())).unwrap_or_default(),
            a.direction.to_string(),
            text(&a.system),
            text(&a.method),
            a.endpoint.as_ref().or(a.operation.as_ref()).map(|t| visible_line(t).into_owned()).unwrap_or_default(),
            a.http_status.map(|code| code.to_string()).unwrap_or_default(),
            a.took_us().map(|us| millis(us).to_string()).unwrap_or_default(),
            message.unwrap_or_default(),
        ]
    }

    fn text(&mut self, activity: &Activity) -> Result<()> {
        let cells = self.cells(activity);
        let line = cells.iter().filter(|cell| !cell.is_empty()).map(String::as_str).collect::<Vec<_>>().join("  ");
        if self.colour && activity.is_failure() {
            writeln!(self.out, "\x1b[31m{line}\x1b[0m")?;
        } else {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    fn csv(&mut self, activity: &Activity) -> Result<()> {
        let record = serde_json::to_value(Record::new(activity, self.names))?;
        let mut csv = csv::Writer::from_writer(Vec::new());
        let fields = record.as_object().into_iter().flatten();
        if !self.csv_header {
            self.csv_header = true;
            csv.write_record(fields.clone().map(|(name, _)| name.as_str()))?;
        }
        csv.write_record(fields.map(|(_, value)| csv_cell(value)))?;
        self.out.write_all(&csv.into_inner()?)?;
        Ok(())
    }

    /// Writes what is waiting.
    pub(super) fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.table);
        if !rows.is_empty() {
            aligned(&mut self.out, &HEADER, &rows)?;
        }
        self.out.flush()?;
        Ok(())
    }
}

/// A cell for spreadsheets: text that they would take for a formula begins with an apostrophe (OWASP, CSV injection).
fn csv_cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => {
            let text = visible_line(text).into_owned();
            if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
        }
        serde_json::Value::Array(list) => list.iter().map(csv_cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// Rows in columns as wide as their widest cell.
pub(super) fn aligned<const N: usize>(out: &mut impl Write, header: &[&str; N], rows: &[[String; N]]) -> io::Result<()> {
    use unicode_width::UnicodeWidthStr as _;
    let mut widths: Vec<usize> = header.iter().map(|name| name.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.width().min(*width) + 2));
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&mut header.iter().copied())?;
    for row in rows {
        line(&mut row.iter().map(String::as_str))?;
    }
    Ok(())
}

/// Says something on stderr.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "crosstail: {}", crate::model::visible(text));
}
