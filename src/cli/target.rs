//! Addresses of stores that are written to.

use super::UsageError;
use crate::record::create::Target;

/// How a store of an address is reached.
pub(super) fn of(url: &str) -> Result<Target, UsageError> {
    let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
    match scheme {
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Target::Postgres(url.to_owned())),
        #[cfg(feature = "mongodb")]
        "mongodb" | "mongodb+srv" => Ok(Target::Mongodb(url.to_owned())),
        #[cfg(feature = "elasticsearch")]
        "es+http" | "es+https" => {
            let transport = crate::source::elasticsearch::transport(url);
            transport.map(Target::Elasticsearch).map_err(|error| UsageError(format!("--to: {error}")))
        }
        #[cfg(feature = "kafka")]
        "kafka" => {
            let config = crate::source::kafka::client(url);
            config.map(Target::Kafka).map_err(|error| UsageError(format!("--to: {error}")))
        }
        other => Err(UsageError(format!(
            "--to takes postgres://, mongodb://, es+https:// or kafka:// here, and not {other}"
        ))),
    }
}
