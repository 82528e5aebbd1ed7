//! Of which kind a failure is.

use compact_str::CompactString;
use crosstail_core::filter::quote;
use crosstail_core::model::Status;

/// The kind of a line of a log that tells of an error.
pub const ERROR_LINE: &str = "error line";

/// The name of a failure (HTTP status, error class or timeout), and the filter clause for failures of this kind.
pub fn error_kind(status: Option<Status>, http: Option<u16>, class: Option<&str>) -> (CompactString, String) {
    match (http.filter(|code| *code >= 400), class.filter(|class| !class.is_empty()), status) {
        (Some(code), ..) => (CompactString::new(code.to_string()), format!("http:{code}")),
        (None, Some(class), _) => (class.into(), format!("error.type:{}", quote(class))),
        (None, None, Some(Status::Timeout)) => ("timeout".into(), "status:timeout".to_owned()),
        (None, None, Some(_)) => ("failed".into(), "status:failed -http>=400 -error.type:*".to_owned()),
        (None, None, None) => (ERROR_LINE.into(), "level>=error".to_owned()),
    }
}
