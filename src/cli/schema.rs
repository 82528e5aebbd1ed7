//! `crosstail schema`: what is built in, what one maps, and creating its tables where asked.

use super::args::{SchemaArgs, SchemaCommand};
use super::output::{aligned, complain};
use super::{UsageError, exit};
use crate::config;
use crate::model::visible;
use crate::record;
use crate::schema::Schema;
use anyhow::Result;
use std::io::Write as _;

pub(super) async fn run(args: &SchemaArgs) -> Result<u8> {
    let mut out = std::io::stdout().lock();
    match &args.command {
        SchemaCommand::List => {
            let rows: Vec<[String; 3]> = Schema::built_in()
                .iter()
                .map(|schema| {
                    let tables: Vec<&str> = schema.every_table().map(|(_, table)| table.name.as_str()).collect();
                    [schema.name.clone(), tables.join(", "), schema.title.clone()]
                })
                .collect();
            aligned(&mut out, &["name", "tables", "what it is"], &rows)?;
        }
        SchemaCommand::Show { name } => {
            let text = match Schema::text(name) {
                Some(text) => text.to_owned(),
                None => {
                    // An error of the file is told before its text is shown.
                    config::schema(name)?;
                    config::schema_text(name)?
                }
            };
            write!(out, "{}", visible(&text))?;
        }
        SchemaCommand::Apply { name, to, notify, dry_run } => {
            let schema = config::schema(name)?;
            if *dry_run {
                let text = record::statements(&schema, to, *notify).map_err(|e| UsageError(format!("{e:#}")))?;
                write!(out, "{text}")?;
                return Ok(exit::OK);
            }
            record::apply(&schema, to, *notify).await?;
            let what = if *notify { "the trigger that wakes crosstail" } else { "tables and indexes" };
            complain(&format!("{name}: {what} are in place"));
        }
    }
    Ok(exit::OK)
}
