//! An activity in the forms that leave the program: the documented JSON record, everything of it, a curl command,
//! Markdown; figures as reports. Without secrets.

mod archive;
mod curl;
mod exposition;
pub mod file;
mod incident;
mod markdown;
mod record;
mod report;
mod whole;

pub use archive::SqliteArchive;
pub use curl::{curl, shell_quote};
pub use exposition::Exposition;
pub use incident::{Kept, write_incident};
pub use markdown::markdown;
pub use record::{Record, csv_cell, millis, record_json, safe_json, safe_json_text};
pub use report::{Cell, Chart, Form, Kind as ReportKind, Report, Table};
pub use whole::Whole;
