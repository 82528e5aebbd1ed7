//! What the driver says, for people.

use crosstail_core::model::redact_text;
use crosstail_source::ErrorKind;
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

/// What kind of error the driver's is, and what can be done about it.
pub(super) fn of_driver(driver: &mongodb::error::Error, url: &str) -> (ErrorKind, Option<&'static str>) {
    match &*driver.kind {
        DriverKind::Authentication { .. } => (ErrorKind::Auth, Some("check the user, the password and authSource")),
        DriverKind::Command(command) => match command.code {
            18 => (ErrorKind::Auth, Some("check the user, the password and authSource")),
            13 => (ErrorKind::Auth, Some("grant the role `read` on the database")),
            50 | 262 => {
                (ErrorKind::Timeout, Some("the query was cancelled after 60 s; check that the time is indexed"))
            }
            _ => (ErrorKind::Query, None),
        },
        DriverKind::DnsResolve { .. } => (
            ErrorKind::Unsupported,
            Some(
                "check the name of the host: mongodb+srv:// needs its SRV record; for one server, write mongodb://user@host:27017/database",
            ),
        ),
        // The driver reports wrong credentials while it selects a server.
        DriverKind::ServerSelection { message, .. }
            if message.contains("Authentication") || message.contains("SCRAM") =>
        {
            (ErrorKind::Auth, Some("check the user, the password and authSource"))
        }
        // The driver has found servers, and none of the kind that is asked for.
        DriverKind::ServerSelection { message, .. } if message.contains("suitable for") => (
            ErrorKind::Connect,
            Some("no server is there that readPreference in the address allows: correct it, or leave it out"),
        ),
        DriverKind::ServerSelection { message, .. }
            if message.contains("Set Name: ") && url.contains("replicaSet=") =>
        {
            (
                ErrorKind::Connect,
                Some(
                    "check that the server is running, the address, and replicaSet in it: a member of another set is left out",
                ),
            )
        }
        DriverKind::InvalidArgument { .. } | DriverKind::InvalidTlsConfig { .. } => {
            (ErrorKind::Unsupported, Some("write mongodb://user@host:27017/database"))
        }
        DriverKind::BsonDeserialization(_) | DriverKind::Bson(_) => (ErrorKind::Decode, None),
        _ => (ErrorKind::Connect, Some("check that the server is running and that the address is right")),
    }
}
