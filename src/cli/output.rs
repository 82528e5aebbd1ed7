//! Output on stdout: only data, safe for a terminal, without secrets. Messages go to stderr.

use super::args::Format;
use anyhow::Result;
use chrono_tz::Tz;
use crosstail_core::model::{Activity, Names, redact_text, visible_line};
use crosstail_export::{Record, csv_cell, millis, safe_json};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _, Write};

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
        let text = |t: &Option<compact_str::CompactString>| {
            t.as_deref().map(|t| visible_line(t).into_owned()).unwrap_or_default()
        };
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

    /// Writes buffered rows and flushes.
    pub(super) fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.table);
        if !rows.is_empty() {
            aligned(&mut self.out, &HEADER, &rows)?;
        }
        self.out.flush()?;
        Ok(())
    }
}

/// Rows in columns as wide as their widest cell.
pub(super) fn aligned<const N: usize>(
    out: &mut impl Write,
    header: &[&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
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

/// A progress bar on standard error; hidden unless that is a terminal.
fn bar(length: Option<u64>, form: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(5));
    bar.set_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()));
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
    bar(Some(1000), "{bar:30} {percent:>3} %  {msg}, {elapsed}, {eta} left")
}

/// A running count.
pub(super) fn counter(what: &'static str) -> ProgressBar {
    bar(None, "{spinner} {human_pos} {msg}, {per_sec}, {elapsed}").with_message(what)
}

/// Width of the terminal in columns; `None` unless standard output is a terminal.
pub(super) fn columns() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Wraps a text at this many columns. A longer word gets a line of its own.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    use unicode_width::UnicodeWidthStr as _;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Prints a message to stderr.
pub(super) fn print_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "crosstail: {}", crosstail_core::model::visible(text));
}
