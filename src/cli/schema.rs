//! `crosstail schema`: list schemas, show one, create what it defines in a store.

use super::args::{SchemaArgs, SchemaCommand, SchemaFormat};
use super::output::{aligned, print_error};
use super::sources::settled;
use super::{UsageError, exit, target};
use crate::config;
use crate::kinds;
use anyhow::Result;
use crosstail_core::model::{Names, visible};
use crosstail_core::schema::Schema;
use crosstail_source::create::{Form, ItemState, Plan};
use crosstail_source::{Job, Priority, SourceError};
use std::io::{IsTerminal as _, Write};

pub(super) async fn run(args: &SchemaArgs) -> Result<u8> {
    let mut out = std::io::stdout().lock();
    match &args.command {
        SchemaCommand::List => {
            let rows: Vec<[String; 4]> = Schema::built_in()
                .iter()
                .map(|schema| {
                    let tables: Vec<&str> = schema.every_table().map(|(_, table)| table.name.as_str()).collect();
                    let stores = defined_in(&schema.name);
                    [schema.name.clone(), tables.join(", "), stores.join(", "), schema.title.clone()]
                })
                .collect();
            aligned(&mut out, &["name", "tables", "creates in", "what it is"], &rows)?;
        }
        SchemaCommand::Show { name, output } => write!(out, "{}", visible(&shown(name, *output)?))?,
        SchemaCommand::Draft { from, table } => {
            write!(out, "{}", visible(&drafted(from, table.as_deref()).await?))?;
        }
        SchemaCommand::Apply { name, to, notify, dry_run, yes } => {
            let schema = config::schema(name)?;
            let creator =
                target::of(to, |kind| kind.creator)?(to).map_err(|error| UsageError(format!("--to: {error}")))?;
            let plan = creator.plan(&schema, *notify).await?;
            let due = print_plan(&mut out, &plan)?;
            out.flush()?;
            if due == 0 || *dry_run {
                return Ok(exit::OK);
            }
            if !*yes && !confirm(due)? {
                print_error("nothing changed");
                return Ok(exit::USAGE);
            }
            creator.apply(&plan).await?;
            print_error(&format!("{name}: {due} created"));
        }
    }
    Ok(exit::OK)
}

/// The draft of a schema for what is at an address or a path: a table, a collection, a file, what a command prints.
async fn drafted(from: &str, table: Option<&str>) -> Result<String> {
    let config = kinds::ALL.configure(from);
    let (_, source) = kinds::ALL.open(&config, &Names::default())?;
    let job = Job::new("draft a schema", Priority::Asked);
    settled(source.as_ref(), from, config.run.is_some()).await;
    let found = source.draft(table, &job).await;
    Ok(found.map_err(|error| match error.source_name.as_str() {
        "" => SourceError { source_name: config.name, ..error },
        _ => error,
    })?)
}

fn shown(name: &str, output: SchemaFormat) -> Result<String> {
    if output == SchemaFormat::Toml {
        return match Schema::text(name) {
            Some(text) => Ok(text.to_owned()),
            None => {
                // Report an error in the file before printing its text.
                config::schema(name)?;
                config::schema_text(name)
            }
        };
    }
    let schema = config::schema(name)?;
    let definitions: Vec<_> =
        kinds::ALL.iter().filter_map(|kind| Some((kind.store.name, kind.definition(&schema.name)?))).collect();
    let found = match output {
        SchemaFormat::Properties => definitions.iter().find_map(|(_, one)| match one.form {
            Form::Properties(made) => Some(made(one.text)),
            Form::Sql | Form::Json => None,
        }),
        SchemaFormat::Json => {
            let parts: Vec<_> = definitions.iter().filter(|(_, one)| matches!(one.form, Form::Json)).collect();
            match parts.as_slice() {
                [] => None,
                [(_, one)] => Some(Ok(one.text.to_owned())),
                several => {
                    let parts: Vec<String> =
                        several.iter().map(|(store, one)| format!("\"{store}\": {}", one.text)).collect();
                    Some(Ok(format!("{{\n{}}}\n", parts.join(",\n"))))
                }
            }
        }
        _ => definitions.iter().find(|(_, one)| matches!(one.form, Form::Sql)).map(|(_, one)| Ok(one.text.to_owned())),
    };
    let stores = defined_in(&schema.name);
    let has = if stores.is_empty() { "nothing".to_owned() } else { stores.join(", ") };
    found.transpose()?.ok_or_else(|| {
        UsageError(format!("schema {name} defines nothing in that format; it defines objects in: {has}")).into()
    })
}

/// Titles of the kinds of store in which a schema defines objects.
fn defined_in(schema: &str) -> Vec<&'static str> {
    kinds::ALL.iter().filter(|kind| kind.definition(schema).is_some()).map(|kind| kind.title).collect()
}

/// Prints what `apply` would do and returns the number of objects to create or change.
fn print_plan(out: &mut impl Write, plan: &Plan) -> Result<usize> {
    for item in &plan.items {
        let (sign, why) = match &item.state {
            ItemState::There => continue,
            ItemState::Missing => ("create", String::new()),
            ItemState::Outdated => ("change", String::new()),
            ItemState::Differs(why) => ("leave", format!(": {why}")),
            ItemState::Impossible(why) => ("skip", format!(": {why}")),
        };
        writeln!(out, "{sign} {} {}{}", item.object, item.name, visible(&why))?;
        if item.is_pending() {
            for line in item.statement.lines() {
                writeln!(out, "    {}", visible(line))?;
            }
        }
    }
    let due = plan.pending().count();
    let there = plan.items.iter().filter(|item| item.state == ItemState::There).count();
    print_error(&format!("{there} of {} objects exist, {due} to create or change", plan.items.len()));
    Ok(due)
}

/// Asks at the terminal; `false` without one.
fn confirm(due: usize) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        print_error("no terminal to ask for confirmation: pass --yes to run it");
        return Ok(false);
    }
    write!(std::io::stderr(), "Run these {due} statements? [y/N] ")?;
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
