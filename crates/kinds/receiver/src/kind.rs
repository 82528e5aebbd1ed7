//! The entry of receivers in the list of kinds.

use crate::address::{self, Address};
use crate::receiver::Receiver;
use crosstail_core::schema::StoreKind;
use crosstail_files::FedSource;
use crosstail_source::{ErrorKind, Kind, SourceError, claims_none};
use std::sync::Arc;

/// What is sent to a port of this machine.
pub static KIND: Kind = Kind {
    store: StoreKind { name: "receiver", is_database: false },
    title: "what is sent here: OpenTelemetry, JSON, syslog",
    schemes: &address::SCHEMES,
    example: "otlp+http://127.0.0.1:4318",
    network: None,
    claims: claims_none,
    takes_several: false,
    programs: &[],
    listens: true,
    holds_activities: true,
    open: |config, id, names| {
        let wrong = |cause: String, hint: Option<&str>| {
            SourceError::of(&config.name, "open", (ErrorKind::Unsupported, hint), &cause)
        };
        if config.at.len() > 1 {
            return Err(wrong("each is a source of its own; write a [[source]] for each".to_owned(), None));
        }
        let address = Address::of(config.address()).map_err(|(cause, hint)| wrong(cause, Some(hint)))?;
        Ok(Arc::new(FedSource::new(config, id, names, Arc::new(Receiver::new(address)))?))
    },
    definitions: &[],
    creator: None,
    writing: None,
    alerts: None,
};
