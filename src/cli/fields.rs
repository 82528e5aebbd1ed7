//! `crosstail fields`: which fields and paths of payloads occur, how often, and of what types.

use super::args::{FieldsArgs, ListFormat};
use super::output::{aligned, print_error};
use super::{progress, sources};
use crate::config::Overrides;
use crate::runtime::{MergedHistory, Sources, Work, sampled_paths};
use anyhow::Result;
use crosstail_core::model::{Activity, redact_text, visible_line};
use crosstail_engine::fields::{FoundPath, fields_of};
use crosstail_export::{csv_cell, safe_json};
use crosstail_source::{PageQuery, SourceError};
use serde_json::{Value, json};
use std::io::Write as _;

/// Characters of an example in the table.
const EXAMPLE: usize = 60;

pub(super) async fn run(args: &FieldsArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let (work, all): (Work, Sources) = (Work::command("fields"), opened.sources.iter().cloned().collect());
    let query = PageQuery { filter, context, since, until, newest_first: true, ..PageQuery::all(args.sample) };
    let reading = async {
        let (sampled, problems) = newest(&opened, &work, query, args.sample).await?;
        let paths = sampled_paths(&all, &work, sampled.clone()).await;
        anyhow::Ok((sampled, paths, problems))
    };
    let (sampled, paths, problems) = progress::shown(&work, reading).await?;
    let fields = fields_of(&sampled, &opened.names);
    let of_fields = fields.iter().map(|found| (found, sampled.len() as u64));
    let found: Vec<(&FoundPath, u64)> =
        of_fields.chain(paths.found.paths.iter().map(|found| (found, paths.found.sampled))).collect();
    match args.output {
        ListFormat::Text => table(&found)?,
        ListFormat::Json => json_lines(&found)?,
        ListFormat::Csv => csv(&found)?,
    }
    if sampled.len() == args.sample {
        print_error(&format!("the newest {} activities were looked at; --sample looks at more", args.sample));
    }
    if paths.found.is_cut {
        print_error("there are more paths than are listed: names that are ids make a path each");
    }
    if let Some(problem) = &paths.problem {
        print_error(&format!("some payloads could not be loaded: {problem}"));
    }
    Ok(opened.exit_code(&problems))
}

/// The newest activities that match.
async fn newest(
    opened: &sources::OpenSources,
    work: &Work,
    query: PageQuery,
    most: usize,
) -> Result<(Vec<Activity>, Vec<SourceError>)> {
    let mut history = MergedHistory::new(&opened.sources, work, &opened.names, query).partial();
    let mut found = Vec::new();
    while found.len() < most
        && let Some(activity) = history.next().await?
    {
        found.push(activity);
    }
    Ok((found, history.problems().to_vec()))
}

fn types(found: &FoundPath) -> Vec<&str> {
    found.types.iter().copied().collect()
}

fn record((found, sampled): &(&FoundPath, u64)) -> Value {
    json!({
        "field": found.path.to_string(),
        "count": found.count,
        "sampled": sampled,
        "types": types(found),
        "example": redact_text(&found.example),
    })
}

fn table(all: &[(&FoundPath, u64)]) -> Result<()> {
    let row = |(found, sampled): &(&FoundPath, u64)| {
        let example = visible_line(&redact_text(&found.example)).into_owned();
        let cut = example.char_indices().nth(EXAMPLE).map(|(at, _)| format!("{}…", &example[..at]));
        let share = 100.0 * found.count as f64 / (*sampled).max(1) as f64;
        [
            visible_line(&redact_text(&found.path.to_string())).into_owned(),
            found.count.to_string(),
            format!("{share:.0} %"),
            types(found).join(", "),
            cut.unwrap_or(example),
        ]
    };
    let rows: Vec<[String; 5]> = all.iter().map(row).collect();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    aligned(&mut out, &["field", "count", "share", "types", "example"], &rows)?;
    out.flush()?;
    Ok(())
}

fn json_lines(all: &[(&FoundPath, u64)]) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for one in all {
        writeln!(out, "{}", safe_json(&record(one))?)?;
    }
    out.flush()?;
    Ok(())
}

fn csv(all: &[(&FoundPath, u64)]) -> Result<()> {
    const COLUMNS: [&str; 4] = ["field", "count", "sampled", "example"];
    let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(std::io::stdout().lock()));
    csv.write_record([&COLUMNS[..], &["types"]].concat())?;
    for one in all {
        let record = record(one);
        let cells = COLUMNS.iter().map(|name| csv_cell(&record[*name]));
        csv.write_record(cells.chain([types(one.0).join(", ")]))?;
    }
    csv.flush()?;
    Ok(())
}
