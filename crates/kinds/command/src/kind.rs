//! The entry of commands in the list of kinds.

use crate::feed::Origin;
use crate::plain::Plain;
use crate::{CommandSource, Opening, address};
use crosstail_core::schema::StoreKind;
use crosstail_formats::Formats;
use crosstail_source::{ErrorKind, Kind, SourceError};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

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
        let formats = Formats::shared().map_err(|error| wrong(error.to_string()))?;
        let (name, schema) = (config.name.clone(), config.schema.clone());
        let opening = Opening { name, id, names: names.clone(), schema, zone: config.zone, formats };
        Ok(Arc::new(CommandSource { opening, origin, reading: Mutex::default(), once: AtomicBool::new(false) }))
    },
    definitions: &[],
    creator: None,
    writing: None,
    alerts: None,
};
