//! `crosstail schema`: what is built in, what one maps and defines, and creating that where asked.

use super::args::{SchemaArgs, SchemaCommand, SchemaFormat};
use super::output::{aligned, complain};
use super::{UsageError, exit, target};
use crate::config;
use crate::model::visible;
use crate::record::create::{self, Plan, Standing, StoreKind};
use crate::schema::Schema;
use anyhow::Result;
use std::io::{IsTerminal as _, Write};

pub(super) async fn run(args: &SchemaArgs) -> Result<u8> {
    let mut out = std::io::stdout().lock();
    match &args.command {
        SchemaCommand::List => {
            let rows: Vec<[String; 4]> = Schema::built_in()
                .iter()
                .map(|schema| {
                    let tables: Vec<&str> = schema.every_table().map(|(_, table)| table.name.as_str()).collect();
                    let stores: Vec<&str> =
                        create::defined_in(&schema.name).into_iter().map(StoreKind::as_str).collect();
                    [schema.name.clone(), tables.join(", "), stores.join(", "), schema.title.clone()]
                })
                .collect();
            aligned(&mut out, &["name", "tables", "creates in", "what it is"], &rows)?;
        }
        SchemaCommand::Show { name, output } => write!(out, "{}", visible(&shown(name, *output)?))?,
        SchemaCommand::Apply { name, to, notify, dry_run, yes } => {
            let schema = config::schema(name)?;
            let target = target::of(to)?;
            let plan = create::plan(&schema, &target, *notify).await?;
            let due = tell(&mut out, &plan)?;
            out.flush()?;
            if due == 0 || *dry_run {
                return Ok(exit::OK);
            }
            if !*yes && !agreed(due)? {
                complain("nothing was changed");
                return Ok(exit::USAGE);
            }
            create::apply(&plan, &target).await?;
            complain(&format!("{name}: {due} created"));
        }
    }
    Ok(exit::OK)
}

fn shown(name: &str, output: SchemaFormat) -> Result<String> {
    if output == SchemaFormat::Toml {
        return match Schema::text(name) {
            Some(text) => Ok(text.to_owned()),
            None => {
                // An error of the file is told before its text is shown.
                config::schema(name)?;
                config::schema_text(name)
            }
        };
    }
    let schema = config::schema(name)?;
    let of = |store: StoreKind| create::definition(&schema.name, store);
    let found = match output {
        SchemaFormat::Properties => of(StoreKind::Kafka).map(create::topics_as_properties).transpose()?,
        SchemaFormat::Json => {
            let parts: Vec<(&str, &str)> =
                [("mongodb", StoreKind::Mongodb), ("elasticsearch", StoreKind::Elasticsearch)]
                    .into_iter()
                    .filter_map(|(key, store)| Some((key, of(store)?)))
                    .collect();
            match parts.as_slice() {
                [] => None,
                [(_, one)] => Some((*one).to_owned()),
                several => {
                    let parts: Vec<String> = several.iter().map(|(key, text)| format!("\"{key}\": {text}")).collect();
                    Some(format!("{{\n{}}}\n", parts.join(",\n")))
                }
            }
        }
        _ => of(StoreKind::Postgres).map(str::to_owned),
    };
    let stores: Vec<&str> = create::defined_in(&schema.name).into_iter().map(StoreKind::as_str).collect();
    let has = if stores.is_empty() { "nothing".to_owned() } else { stores.join(", ") };
    found.ok_or_else(|| UsageError(format!("schema {name} defines nothing of that form; it has {has}")).into())
}

/// Says how everything stands and what would be run; gives how many things are due.
fn tell(out: &mut impl Write, plan: &Plan) -> Result<usize> {
    for item in &plan.items {
        let (sign, why) = match &item.standing {
            Standing::There => continue,
            Standing::Missing => ("create", String::new()),
            Standing::Outdated => ("change", String::new()),
            Standing::Differs(why) => ("leave", format!(": {why}")),
            Standing::Impossible(why) => ("skip", format!(": {why}")),
        };
        writeln!(out, "{sign} {} {}{}", item.what, item.name, visible(&why))?;
        if item.is_due() {
            for line in item.statement.lines() {
                writeln!(out, "    {}", visible(line))?;
            }
        }
    }
    let due = plan.due().count();
    let there = plan.items.iter().filter(|item| item.standing == Standing::There).count();
    complain(&format!("{there} of {} are there already, {due} to create or change", plan.items.len()));
    Ok(due)
}

/// Whether the person at the terminal says yes.
fn agreed(due: usize) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        complain("nobody can be asked here: add --yes to run it");
        return Ok(false);
    }
    write!(std::io::stderr(), "Run these {due} statements? [y/N] ")?;
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
