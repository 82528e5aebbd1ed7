//! `crosstail stats`: figures by group.

use super::args::{StatsArgs, StatsFormat};
use super::output::aligned;
use super::{UsageError, exit, progress, sources};
use crate::config::{Config, Overrides};
use crate::runtime::{Work, figures};
use anyhow::Result;
use crosstail_core::filter::{Field, Filter, suggest};
use crosstail_core::model::{Figures, Timestamp, redact_text, visible_line};
use crosstail_core::number::saturating_i64;
use crosstail_export::{Cell, Chart, Report, ReportFormat, ReportKind, Table, safe_json};
use crosstail_source::{Grouping, Groups, PageQuery};
use serde_json::{Map, Value};
use std::io::Write as _;

pub(super) async fn run(args: &StatsArgs, choice: &Overrides) -> Result<u8> {
    let config = Config::load(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let since = sources::moment(args.since.as_deref(), &context)?;
    let until = sources::moment(args.until.as_deref(), &context)?;
    let by = args.by.iter().map(|name| field(name)).collect::<Result<Vec<_>>>()?;
    let opened = sources::open_args(&args.source, &config).await?;
    let work = Work::command("stats");
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(5000) };
    let tables = match args.report.as_deref() {
        None => {
            let grouping =
                Grouping { by, bucket_us: args.every.map(|span| saturating_i64(span.as_micros())), counts: false };
            let read = figures(&opened.sources, &work, &opened.names, query, &grouping);
            let groups = progress::shown(&work, read).await?;
            if args.output != StatsFormat::Html {
                print(args.output, &grouping, groups)?;
                return Ok(exit::OK);
            }
            vec![own_table(&grouping, groups)]
        }
        Some(name) => {
            let mut tables = Vec::new();
            for kind in kinds(name)? {
                // Combine the user's filter with the report's own.
                let both = match (args.filter.join(" "), kind.filter) {
                    (own, "") => own,
                    (own, of) if own.trim().is_empty() => of.to_owned(),
                    (own, of) => format!("({own}) {of}"),
                };
                let grouping = Grouping { by: kind.by.to_vec(), bucket_us: kind.bucket_us, counts: false };
                let query = PageQuery { filter: Filter::parse(&both)?, ..query.clone() };
                let read = figures(&opened.sources, &work, &opened.names, query, &grouping);
                tables.push(kind.table(progress::shown(&work, read).await?));
            }
            tables
        }
    };
    let names: Vec<String> = opened.sources.iter().map(|(id, _)| opened.names.source_name(*id).to_string()).collect();
    let moment = |at: Option<Timestamp>, open: &str| at.map_or_else(|| open.to_owned(), |at| at.rfc3339());
    let of = if args.filter.is_empty() { "everything".to_owned() } else { args.filter.join(" ") };
    let about = [
        format!("sources: {}", names.join(", ")),
        format!("filter: {of}"),
        format!("time: {} … {}", moment(since, "start"), moment(until, &context.now.rfc3339())),
    ];
    let about = about.iter().map(|line| visible_line(&redact_text(line)).into_owned()).collect();
    let report = Report { title: "Integration activity".to_owned(), about, made_at: context.now, tables };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match args.output {
        StatsFormat::Table => write_tables(&report, &mut out)?,
        StatsFormat::Json => out.write_all(report.write(ReportFormat::Json).map_err(anyhow::Error::msg)?.as_bytes())?,
        StatsFormat::Csv => out.write_all(report.write(ReportFormat::Csv).map_err(anyhow::Error::msg)?.as_bytes())?,
        StatsFormat::Html => out.write_all(report.write(ReportFormat::Html).map_err(anyhow::Error::msg)?.as_bytes())?,
    }
    out.flush()?;
    Ok(exit::OK)
}

/// The reports with a name; `all` means every report.
fn kinds(name: &str) -> Result<Vec<ReportKind>> {
    if name == "all" {
        return Ok(ReportKind::ALL.to_vec());
    }
    let known = || ReportKind::ALL.iter().map(|kind| kind.name);
    let Some(kind) = ReportKind::find(name) else {
        let near = suggest(name, known()).map(|near| format!("; did you mean '{near}'?"));
        let near = near.unwrap_or_else(|| format!("; the reports are {}, all", known().collect::<Vec<_>>().join(", ")));
        return Err(UsageError(format!("--report: no report '{name}'{near}")).into());
    };
    Ok(vec![*kind])
}

/// The requested groups, as a table for the HTML page.
fn own_table(grouping: &Grouping, groups: Groups) -> Table {
    let (names, groups) = ordered(grouping, groups);
    let chart = if grouping.bucket_us.is_some() {
        Chart::Columns("count", Some("failed"))
    } else {
        Chart::Bars("count", Some("failed"))
    };
    let title = format!("Activities by {}", names.join(", "));
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let groups = groups.iter().map(|(key, figures)| (key.as_slice(), figures));
    Table::of_figures(("groups", &title), &names, groups, Some(chart))
}

/// The names of the key's parts, and the groups: by time if they have one, else the largest first.
fn ordered(grouping: &Grouping, groups: Groups) -> (Vec<&'static str>, Vec<Group>) {
    let mut names: Vec<&str> = grouping.by.iter().map(|field| field.name()).collect();
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|((mut key, bucket), figures)| {
            if let Some(at) = bucket {
                key.insert(0, Some(at.rfc3339()));
            }
            (key, figures)
        })
        .collect();
    if grouping.bucket_us.is_some() {
        // The text of a time sorts as the time does.
        names.insert(0, "time");
        groups.sort_by(|a, b| a.0.cmp(&b.0));
    } else {
        groups.sort_by(|a, b| (b.1.count, &a.0).cmp(&(a.1.count, &b.0)));
    }
    (names, groups)
}

/// Prints each table under its title, in aligned columns.
fn write_tables(report: &Report, out: &mut impl std::io::Write) -> Result<()> {
    for (index, table) in report.tables.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}", table.title)?;
        let fields = table.columns.len() - 8;
        let header = [
            table.columns[..fields].join(","),
            "count".to_owned(),
            "failed".to_owned(),
            "success %".to_owned(),
            "p50 ms".to_owned(),
            "p95 ms".to_owned(),
            "p99 ms".to_owned(),
            "avg ms".to_owned(),
        ];
        let header = header.each_ref().map(String::as_str);
        let text = |cell: &Cell| match cell {
            Cell::None => "–".to_owned(),
            Cell::Text(text) => text.clone(),
            Cell::Number(n) => round(*n).to_string(),
        };
        let rows: Vec<[String; 8]> = table
            .rows
            .iter()
            .map(|row| {
                let key: Vec<String> = row[..fields].iter().map(text).collect();
                let [count, failed, _, success, p50, p95, p99, avg] =
                    std::array::from_fn(|index| row.get(fields + index).map(text).unwrap_or_default());
                [key.join(", "), count, failed, success, p50, p95, p99, avg]
            })
            .collect();
        aligned(out, &header, &rows)?;
    }
    Ok(())
}

fn field(name: &str) -> Result<Field> {
    Field::parse(name).ok_or_else(|| {
        let near = suggest(name, Field::ALL.iter().map(|f| f.name()));
        let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        UsageError(format!("--by: no field '{name}'{hint}")).into()
    })
}

fn round(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

/// The values of the key, and the figures.
type Group = (Vec<Option<String>>, Figures);

/// p50, p95, p99 and mean, in milliseconds.
fn milliseconds(figures: &Figures) -> [Option<f64>; 4] {
    let q = |q| figures.latencies.quantile_ms(q).map(round);
    [q(0.5), q(0.95), q(0.99), figures.latencies.mean_ms().map(round)]
}

fn print(format: StatsFormat, grouping: &Grouping, groups: Groups) -> Result<()> {
    let (names, groups) = ordered(grouping, groups);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let shown = |key: &Vec<Option<String>>| {
        key.iter()
            .map(|value| value.as_deref().map_or_else(|| "–".to_owned(), |v| visible_line(v).into_owned()))
            .collect::<Vec<_>>()
    };
    let number = |n: Option<f64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    match format {
        StatsFormat::Json => {
            for (key, group) in &groups {
                let mut object = Map::new();
                for (name, value) in names.iter().zip(key) {
                    object.insert((*name).to_owned(), value.clone().map_or(Value::Null, Value::String));
                }
                let [p50, p95, p99, avg] = milliseconds(group);
                object.insert("count".to_owned(), group.count.into());
                object.insert("failed".to_owned(), group.failed.into());
                object.insert("succeeded".to_owned(), group.succeeded.into());
                object.insert("in_progress".to_owned(), group.open.into());
                for (name, value) in [
                    ("success_rate", group.success_rate().map(round)),
                    ("p50_ms", p50),
                    ("p95_ms", p95),
                    ("p99_ms", p99),
                    ("avg_ms", avg),
                    ("avg_cpu_percent", group.cpu.value().map(round)),
                    ("avg_memory_mb", group.memory.value().map(round)),
                ] {
                    object.insert(name.to_owned(), value.map_or(Value::Null, Value::from));
                }
                writeln!(out, "{}", safe_json(&object)?)?;
            }
        }
        StatsFormat::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            let figures = ["count", "failed", "success_rate", "p50_ms", "p95_ms", "p99_ms", "avg_ms"];
            csv.write_record(names.iter().copied().chain(figures))?;
            for (key, group) in &groups {
                let ms = milliseconds(group).map(number);
                let figures =
                    [group.count.to_string(), group.failed.to_string(), number(group.success_rate().map(round))];
                csv.write_record(shown(key).into_iter().chain(figures).chain(ms))?;
            }
            csv.flush()?;
        }
        StatsFormat::Table | StatsFormat::Html => {
            let names = names.join(",");
            let header = [names.as_str(), "count", "failed", "success %", "p50 ms", "p95 ms", "p99 ms", "avg ms"];
            let rows: Vec<[String; 8]> = groups
                .iter()
                .map(|(key, group)| {
                    let [p50, p95, p99, avg] = milliseconds(group).map(number);
                    let rate = number(group.success_rate().map(round));
                    [shown(key).join(", "), group.count.to_string(), group.failed.to_string(), rate, p50, p95, p99, avg]
                })
                .collect();
            aligned(&mut out, &header, &rows)?;
        }
    }
    out.flush()?;
    Ok(())
}
