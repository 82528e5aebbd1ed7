//! An activity in the forms that leave the program: the documented JSON record, everything of it, a curl command,
//! Markdown. Without secrets.

mod curl;
mod markdown;
mod record;
mod whole;

pub use curl::{curl, shell_quote};
pub use markdown::markdown;
pub use record::{Record, millis, record_json, safe_json, safe_json_text};
pub use whole::Whole;
