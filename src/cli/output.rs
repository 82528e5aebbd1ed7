//! Output on stdout: only data, safe for a terminal, without secrets. Messages go to stderr.

use super::UsageError;
use super::args::{Format, OutputArgs};
use anyhow::Result;
use chrono_tz::Tz;
use crosstail_core::model::{Activity, Names, Payload, Timestamp, redact_text, visible_line};
use crosstail_export::{Columns, Record, csv_cell, millis, safe_json, spreadsheet_cell};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::{Map, Value};
use std::io::{self, IsTerminal as _, Write};

/// Writes activities in one of the formats.
pub(super) struct Writer {
    out: io::BufWriter<io::StdoutLock<'static>>,
    format: Format,
    zone: Tz,
    colour: bool,
    /// What of an activity is written, by name: the fields that were asked for, or those of the format.
    columns: Vec<String>,
    fields: Columns,
    headers: bool,
    spreadsheet: bool,
    table: Vec<Vec<String>>,
}

/// The columns of text and tables: for people, some are of several fields.
const COLUMNS: [&str; 9] = ["time", "status", "dir", "system", "method", "endpoint", "http", "took_ms", "message"];
const WIDE: [&str; 11] =
    ["id", "time", "status", "dir", "system", "method", "endpoint", "http", "took_ms", "source", "message"];

/// Whether to write colours to stdout: what was asked for, else what the environment and the terminal say.
pub(super) fn colours(asked: Option<bool>) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    asked.unwrap_or_else(|| {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && (set("CLICOLOR_FORCE") || (io::stdout().is_terminal() && !dumb))
    })
}

/// The columns that were asked for; without any, those of the record.
pub(super) fn chosen(fields: &[String]) -> Result<Columns> {
    if fields.is_empty() {
        return Ok(Columns::default());
    }
    Columns::of(fields).map_err(|why| UsageError(why).into())
}

impl Writer {
    pub(super) fn new(args: &OutputArgs, zone: Tz, colour: Option<bool>) -> Result<Self> {
        let format = args.format();
        let fields = chosen(&args.fields)?;
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let columns = match format {
            _ if fields.is_chosen() => fields.names().to_vec(),
            Format::Csv | Format::Json => fields.names().to_vec(),
            Format::Wide => owned(&WIDE),
            Format::Name => owned(&["id"]),
            Format::Text | Format::Table => owned(&COLUMNS),
        };
        let mut writer = Self {
            out: io::BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            format,
            zone,
            colour: colours(colour),
            columns,
            fields,
            headers: !args.no_headers,
            spreadsheet: args.spreadsheet,
            table: Vec::new(),
        };
        if format == Format::Csv && writer.headers {
            let names = writer.columns.clone();
            writer.csv(names.into_iter())?;
        }
        Ok(writer)
    }

    /// Whether a field was asked for.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    /// Whether payloads have to be loaded for what is written.
    pub(super) fn needs_payload(&self) -> bool {
        self.fields.needs_payload()
    }

    pub(super) fn write(&mut self, activity: &Activity, payload: Option<&Payload>, names: &Names) -> Result<()> {
        match self.format {
            Format::Json if !self.fields.is_chosen() => {
                let line = safe_json(&Record::new(activity, names))?;
                writeln!(self.out, "{line}")?;
            }
            Format::Json => {
                let some = self.fields.row(activity, payload, names)?;
                writeln!(self.out, "{}", safe_json(&some)?)?;
            }
            Format::Csv => {
                let record = self.fields.row(activity, payload, names)?;
                let cell = if self.spreadsheet { spreadsheet_cell } else { csv_cell };
                let flat = |value: &Value| match value {
                    Value::Object(_) => cell(&Value::String(value.to_string())),
                    other => cell(other),
                };
                let cells: Vec<String> = record.values().map(flat).collect();
                self.csv(cells.into_iter())?;
            }
            Format::Text | Format::Name => {
                let cells = self.cells(activity, payload, names)?;
                let shown: Vec<&str> = cells.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
                let line = shown.join("  ");
                if self.colour && activity.is_failure() && self.format == Format::Text {
                    writeln!(self.out, "\x1b[31m{line}\x1b[0m")?;
                } else {
                    writeln!(self.out, "{line}")?;
                }
            }
            Format::Table | Format::Wide => {
                let row = self.cells(activity, payload, names)?;
                self.table.push(row);
            }
        }
        Ok(())
    }

    /// The columns of an activity for people.
    fn cells(&self, a: &Activity, payload: Option<&Payload>, names: &Names) -> Result<Vec<String>> {
        let time = |at: Timestamp| at.utc().with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S%.3f %Z").to_string();
        let line = |text: &str| visible_line(&redact_text(text)).into_owned();
        let text = |text: &Option<compact_str::CompactString>| text.as_deref().map(line).unwrap_or_default();
        let is_chosen = self.fields.is_chosen();
        let record = if is_chosen { self.fields.row(a, payload, names)? } else { Map::new() };
        let cell = |name: &String| match name.as_str() {
            "started_at" | "time" => time(a.started_at),
            "completed_at" => a.completed_at.map(time).unwrap_or_default(),
            "next_retry_at" => a.next_retry_at.map(time).unwrap_or_default(),
            "id" => visible_line(&a.id.to_string()).into_owned(),
            name if is_chosen => csv_cell(record.get(name).unwrap_or(&Value::Null)),
            "status" => a.status.map(|s| s.to_string()).or(a.level.map(|l| l.to_string())).unwrap_or_default(),
            "dir" => a.direction.to_string(),
            "system" => text(&a.system),
            "method" => text(&a.method),
            "endpoint" => a.endpoint.as_ref().or(a.operation.as_ref()).map(|t| line(t)).unwrap_or_default(),
            "http" => a.http_status.map(|code| code.to_string()).unwrap_or_default(),
            "took_ms" => a.took_us().map(|us| millis(us).to_string()).unwrap_or_default(),
            "source" => a.places.first().map(|place| line(&names.source_name(place.source))).unwrap_or_default(),
            _ => a.error.as_ref().or(a.message.as_ref()).map(|t| line(t)).unwrap_or_default(),
        };
        Ok(self.columns.iter().map(cell).collect())
    }

    fn csv(&mut self, cells: impl Iterator<Item = String>) -> Result<()> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(cells)?;
        self.out.write_all(&csv.into_inner().map_err(|error| error.into_error())?)?;
        Ok(())
    }

    /// Writes buffered rows and flushes.
    pub(super) fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.table);
        if !rows.is_empty() {
            let headers: Vec<&str> = self.columns.iter().filter(|_| self.headers).map(String::as_str).collect();
            aligned(&mut self.out, &headers, &rows)?;
        }
        self.out.flush()?;
        Ok(())
    }
}

/// Rows in columns as wide as their widest cell, below their headers, if there are any.
pub(super) fn aligned<R: AsRef<[String]>>(out: &mut impl Write, header: &[&str], rows: &[R]) -> io::Result<()> {
    use unicode_width::UnicodeWidthStr as _;
    let columns = rows.iter().map(|row| row.as_ref().len()).chain([header.len()]).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    let mut widen = |cells: &mut dyn Iterator<Item = &str>| {
        widths.iter_mut().zip(cells).for_each(|(width, cell)| *width = (*width).max(cell.width()));
    };
    widen(&mut header.iter().copied());
    for row in rows {
        widen(&mut row.as_ref().iter().map(String::as_str));
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.width().min(*width) + 2));
        }
        writeln!(out, "{}", text.trim_end())
    };
    if !header.is_empty() {
        line(&mut header.iter().copied())?;
    }
    for row in rows {
        line(&mut row.as_ref().iter().map(String::as_str))?;
    }
    Ok(())
}

/// A progress bar on standard error; hidden unless that is a terminal.
fn bar(length: Option<u64>, form: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    bar.set_style(style.with_key("rate", rate));
    bar
}

/// A spinner for an operation of unknown length.
pub(super) fn spinner(what: &'static str) -> ProgressBar {
    let bar = bar(None, "{spinner} {msg}, {elapsed}");
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar.with_message(what)
}

/// A progress bar in thousandths.
pub(super) fn progress() -> ProgressBar {
    let bar = bar(Some(1000), "{bar:30} {percent:>3} %  {msg}, {elapsed}, {eta} left; Ctrl-C ends it");
    // What is read before the first step is written may take long.
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    bar
}

/// A running count.
pub(super) fn counter(what: &'static str) -> ProgressBar {
    bar(None, "{spinner} {human_pos} {msg}, {rate}, {elapsed}; Ctrl-C ends it").with_message(what)
}

/// Width of the terminal in columns; `None` unless standard output is a terminal.
pub(super) fn columns() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A time in a table: to the second. Milliseconds and the zone are in JSON.
pub(super) fn moment(at: Timestamp, zone: Tz) -> String {
    at.rfc3339_in(zone).chars().take(19).collect::<String>().replace('T', " ")
}

/// Writes to stderr why the program ends; at a terminal, with where more about it stands.
pub(super) fn print_failure(text: &str) {
    print_error(text);
    if let Some(code) = crate::explain::code_of(text).filter(|_| io::stderr().is_terminal()) {
        let _ = writeln!(io::stderr().lock(), "  crosstail help {code} says why, and what to do");
    }
}

/// Writes what is wrong with a command line to stderr, and how the command is used.
pub(super) fn print_usage(text: &str, usage: &str) {
    print_failure(text);
    if !usage.is_empty() {
        let _ = writeln!(io::stderr().lock(), "  {}", crosstail_core::model::visible(usage));
    }
}

/// Writes a message to stderr, with the code of an error.
pub(super) fn print_error(text: &str) {
    let code = crate::explain::code_of(text).map(|code| format!("[{code}]")).unwrap_or_default();
    let _ = writeln!(io::stderr().lock(), "crosstail{code}: {}", crosstail_core::model::visible(text));
}
