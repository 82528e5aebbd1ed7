//! Reports: tables with charts, as CSV, JSON or one self-contained HTML page, with secrets redacted.

mod html;
mod kinds;

pub use kinds::Kind;

use super::{safe_json, spreadsheet_cell};
use crosstail_core::model::{Figures, Timestamp, redact_text, visible_line};
use crosstail_core::number::truncated_i64;
use serde_json::{Map, Value, json};

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Unknown.
    None,
    /// Text.
    Text(String),
    /// A number; output rounds it to two decimals.
    Number(f64),
}

impl Cell {
    /// Text from a log: secrets are redacted and hostile characters made visible.
    pub fn text(text: &str) -> Self {
        Self::Text(visible_line(&redact_text(text)).into_owned())
    }

    /// A count.
    pub fn count(n: u64) -> Self {
        Self::Number(n as f64)
    }

    fn json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => Value::from(truncated_i64(*n)),
            Self::Number(n) => Value::from((n * 100.0).round() / 100.0),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            _ => None,
        }
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::None, Self::Number)
    }
}

impl From<Option<Timestamp>> for Cell {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::None, |at| Self::Text(at.rfc3339()))
    }
}

/// The chart of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart {
    /// One horizontal bar per row for a numeric column. The second column, if any, is the marked part of it.
    Bars(&'static str, Option<&'static str>),
    /// One vertical bar per row for a numeric column, with rows in order of time. The second column, if any, is the
    /// marked part of it.
    Columns(&'static str, Option<&'static str>),
}

/// A table of a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Name in JSON and CSV, for example `success_by_system`.
    pub name: String,
    /// Title for people.
    pub title: String,
    /// Column names.
    pub columns: Vec<String>,
    /// One cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// The chart, if any.
    pub chart: Option<Chart>,
}

/// The columns of every table of figures, after those of its groups.
pub const FIGURES: [&str; 8] =
    ["count", "failed", "in_progress", "success_rate", "p50_ms", "p95_ms", "p99_ms", "avg_ms"];

impl Table {
    /// A table of figures by group: the values of the fields, then the figures.
    pub fn of_figures<'a>(
        (name, title): (&str, &str),
        fields: &[String],
        groups: impl Iterator<Item = (&'a [Option<String>], &'a Figures)>,
        chart: Option<Chart>,
    ) -> Self {
        let groups: Vec<_> = groups.collect();
        let rows = groups.iter().map(|(key, figures)| {
            let q = |q| Cell::from(figures.latencies.quantile_ms(q));
            let key = key.iter().map(|value| value.as_deref().map_or(Cell::None, Cell::text));
            let figures = [
                Cell::count(figures.count),
                Cell::count(figures.failed),
                Cell::count(figures.open),
                figures.success_rate().into(),
                q(0.5),
                q(0.95),
                q(0.99),
                figures.latencies.mean_ms().into(),
            ];
            key.chain(figures).collect()
        });
        let rows = rows.collect();
        let columns = fields.iter().cloned().chain(FIGURES.iter().map(|name| (*name).to_owned())).collect();
        Self { name: name.to_owned(), title: title.to_owned(), columns, rows, chart }
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// A report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Title of the report.
    pub title: String,
    /// What it covers: sources, filter, time; one line each.
    pub about: Vec<String>,
    pub made_at: Timestamp,
    pub tables: Vec<Table>,
}

/// The output format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// Comma-separated values, RFC 4180: the tables one after the other, each after its name.
    Csv,
    /// One JSON object.
    Json,
    /// One HTML page.
    Html,
}

impl ReportFormat {
    /// The format of a file, by its extension.
    pub fn of_path(path: &str) -> Result<Self, String> {
        match std::path::Path::new(path).extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            Some("html" | "htm") => Ok(Self::Html),
            _ => Err(format!("{path}: a report must be .html, .csv or .json")),
        }
    }
}

impl Report {
    /// Formats the report.
    pub fn write(&self, form: ReportFormat) -> Result<String, String> {
        match form {
            ReportFormat::Csv => self.csv().map_err(|error| error.to_string()),
            ReportFormat::Json => safe_json(&self.json()).map(|text| text + "\n").map_err(|error| error.to_string()),
            ReportFormat::Html => Ok(html::page(self)),
        }
    }

    fn csv(&self) -> Result<String, csv::Error> {
        let mut out = String::new();
        for table in &self.tables {
            if self.tables.len() > 1 {
                if !out.is_empty() {
                    out.push_str("\r\n");
                }
                out.push_str(&format!("# {}\r\n", table.name));
            }
            // RFC 4180.
            let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
            csv.write_record(&table.columns)?;
            for row in &table.rows {
                csv.write_record(row.iter().map(|cell| spreadsheet_cell(&cell.json())))?;
            }
            let bytes = csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
            out.push_str(&String::from_utf8_lossy(&bytes));
        }
        Ok(out)
    }

    fn json(&self) -> Value {
        let table = |table: &Table| {
            let rows = table.rows.iter().map(|row| {
                let pairs = table.columns.iter().cloned().zip(row.iter().map(Cell::json));
                Value::Object(pairs.collect::<Map<String, Value>>())
            });
            (table.name.clone(), Value::Array(rows.collect()))
        };
        let tables: Map<String, Value> = self.tables.iter().map(table).collect();
        json!({ "title": self.title, "about": self.about, "made_at": self.made_at.rfc3339(), "tables": tables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let rows = vec![
            vec![Cell::text("<b>SAP</b> =1+1"), Cell::count(3), Cell::count(1)],
            vec![Cell::text("Bearer abcdefghijk7"), Cell::Number(2.345), Cell::None],
        ];
        let columns = ["system", "count", "failed"].map(str::to_owned).to_vec();
        let chart = Some(Chart::Bars("count", Some("failed")));
        let table = Table { name: "systems".into(), title: "Systems".into(), columns, rows, chart };
        Report { title: "A \"report\"".into(), about: vec!["x<y".into()], made_at: Timestamp(0), tables: vec![table] }
    }

    #[test]
    fn every_form_has_every_value_and_no_secret() {
        let report = report();
        let csv = report.write(ReportFormat::Csv).expect("CSV");
        assert_eq!(csv, "system,count,failed\r\n<b>SAP</b> =1+1,3,1\r\nBearer [REDACTED],2.35,\r\n");
        let json: Value = serde_json::from_str(&report.write(ReportFormat::Json).expect("JSON")).expect("JSON");
        assert_eq!(
            json["tables"]["systems"][1],
            json!({ "system": "Bearer [REDACTED]", "count": 2.35, "failed": null })
        );
        let html = report.write(ReportFormat::Html).expect("a page");
        assert!(html.contains("&lt;b&gt;SAP&lt;/b&gt;") && !html.contains("<b>SAP"), "{html}");
        for outside in ["http://", "https://", "src=", "@import", "abcdefghijk7"] {
            let found = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(outside), "{outside}");
        }
    }

    #[test]
    fn formulas_are_no_formulas() {
        let mut report = report();
        report.tables[0].rows[0][0] = Cell::text("=cmd|' /C calc'!A0");
        assert!(report.write(ReportFormat::Csv).expect("CSV").contains("'=cmd"));
    }

    #[test]
    fn a_path_names_its_form() {
        assert_eq!(ReportFormat::of_path("a/b.html"), Ok(ReportFormat::Html));
        assert!(ReportFormat::of_path("report.pdf").expect_err("no form").contains(".html, .csv or .json"));
    }
}
