//! The formats in which data leaves the program, with secrets redacted. For an activity: the documented JSON record,
//! the full record, a curl command, Markdown; for many: files and incidents; for figures: reports.

mod archive;
mod columns;
mod curl;
mod exposition;
pub mod file;
mod full_record;
mod incident;
mod markdown;
mod record;
mod report;

pub use archive::SqliteArchive;
pub use columns::Columns;
pub use curl::{curl, shell_quote};
pub use exposition::Exposition;
pub use full_record::FullRecord;
pub use incident::{IncidentEntry, write_incident};
pub use markdown::markdown;
pub use record::{Record, csv_cell, millis, record_json, safe_json, safe_json_text, spreadsheet_cell};
pub use report::{Cell, Chart, Kind as ReportKind, Report, ReportFormat, Table};
