//! The entry of commands in the list of kinds.

use crate::address;
use crate::feed::{Origin, Programs};
use crate::plain::Plain;
use crosstail_core::schema::StoreKind;
use crosstail_files::FedSource;
use crosstail_source::{ErrorKind, Kind, SourceError};
use std::sync::Arc;

/// What programs print: commands, the journal, containers, pods, files on other hosts.
pub static KIND: Kind = Kind {
    store: StoreKind { name: "command", is_database: false },
    title: "commands, journald, Docker, Podman, Kubernetes, other hosts",
    schemes: &[],
    example: "docker:api",
    network: None,
    claims: address::claims,
    takes_several: false,
    programs: &address::FORMS,
    listens: false,
    holds_activities: true,
    open: |config, id, names| {
        let wrong = |cause: String| SourceError::of(&config.name, "open", (ErrorKind::Unsupported, None), &cause);
        let origin: Arc<dyn Origin> = match &config.run {
            Some(run) => Arc::new(Plain::new(run.clone(), &config.name).map_err(|why| wrong(why.to_owned()))?),
            None if config.at.len() > 1 => {
                return Err(wrong("each is a source of its own; write a [[source]] for each".to_owned()));
            }
            None => address::origin(config.address()).map_err(wrong)?,
        };
        Ok(Arc::new(FedSource::new(config, id, names, Arc::new(Programs::new(origin)))?))
    },
    definitions: &[],
    creator: None,
    writing: None,
    alerts: None,
};
