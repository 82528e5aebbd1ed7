//! An activity in the forms that leave the program: the documented JSON record, a curl command. Without secrets.

mod curl;
mod record;

pub use curl::curl;
pub use record::{Record, millis, record_json, safe_json};
