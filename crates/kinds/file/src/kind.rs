//! The entry of log files in the list of kinds.

use crosstail_core::schema::StoreKind;
use crosstail_files::{FileSource, Spec};
use crosstail_formats::Formats;
use crosstail_record::write::{FileWriter, Writer};
use crosstail_source::{ErrorKind, Kind, SourceError, WriteOptions, Writing};
use std::future::ready;
use std::path::Path;
use std::sync::Arc;

/// Log files, and standard input.
pub static KIND: Kind = Kind {
    store: StoreKind { name: "file", is_database: false },
    title: "log files",
    schemes: &["file"],
    example: "/var/log/app/*.log",
    network: None,
    claims: |_| true,
    takes_several: true,
    programs: &[],
    listens: false,
    holds_activities: true,
    open: |config, id, names| {
        let specs = config.at.iter().map(|at| Spec::parse(at.trim_start_matches("file://"))).collect();
        let formats = Formats::shared().map_err(|error| SourceError {
            source_name: config.name.clone(),
            operation: "open",
            kind: ErrorKind::Unsupported,
            cause: error.to_string(),
            hint: Some("correct the file, or move it out of the folder of formats".to_owned()),
        })?;
        let source = FileSource::new(&config.name, id, names.clone(), specs, config.schema.clone(), formats);
        Ok(Arc::new(source.in_zone(config.zone).ending_with(config.ended.clone())))
    },
    definitions: &[],
    creator: None,
    writing: Some(Writing { claims: |_| true, open: |to, options| Box::pin(ready(writers(to, options))) }),
    alerts: None,
};

fn writers(to: &str, options: &WriteOptions) -> anyhow::Result<Vec<Box<dyn Writer>>> {
    let path = Path::new(to.trim_start_matches("file://"));
    Ok(vec![Box::new(FileWriter::open(path, options.keep_files)?)])
}
