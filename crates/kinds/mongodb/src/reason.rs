//! What the driver says, for people.

use crosstail_core::model::redact_text;
use mongodb::error::ErrorKind as DriverKind;

/// The driver's message, without the dump of its topology.
pub(super) fn cause(error: &mongodb::error::Error) -> String {
    let text = match &*error.kind {
        DriverKind::Command(command) => command.message.clone(),
        DriverKind::Authentication { message, .. } => message.clone(),
        DriverKind::ServerSelection { message, .. } => {
            let reason = message.split("Error: Kind: ").nth(1).and_then(|rest| rest.split(", labels").next());
            reason.map_or_else(|| "no server responds".to_owned(), |reason| format!("no server responds: {reason}"))
        }
        DriverKind::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    redact_text(&text).chars().take(300).collect()
}
