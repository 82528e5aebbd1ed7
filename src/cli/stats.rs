//! `crosstail stats`: grouped figures to stdout.

use super::args::{Format, StatsArgs};
use super::output::aligned;
use super::{UsageError, exit, sources};
use crate::app::runtime::figures;
use crate::config::Config;
use crate::export::safe_json;
use crate::filter::{Field, suggest};
use crate::model::{Figures, visible_line};
use crate::source::{Grouping, PageQuery};
use anyhow::Result;
use serde_json::{Map, Value};
use std::io::Write as _;

pub(super) async fn run(args: &StatsArgs) -> Result<u8> {
    let config = Config::load()?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let since = sources::moment(args.since.as_deref(), &context)?;
    let until = sources::moment(args.until.as_deref(), &context)?;
    let by = args.by.iter().map(|name| field(name)).collect::<Result<Vec<_>>>()?;
    let opened = sources::open_args(&args.source, &config).await?;
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(5000) };
    let bucket_us = args.every.map(|span| span.as_micros() as i64);
    let grouping = Grouping { by, bucket_us };
    let groups = figures(&opened.sources, &opened.names, query, &grouping).await?;
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
        // In order of time, which is the order of its text.
        names.insert(0, "time");
        groups.sort_by(|a, b| a.0.cmp(&b.0));
    } else {
        groups.sort_by(|a, b| (b.1.count, &a.0).cmp(&(a.1.count, &b.0)));
    }
    print(args.output, &names, &groups)?;
    Ok(exit::OK)
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

/// The values of the fields, and the figures.
type Group = (Vec<Option<String>>, Figures);

/// p50, p95, p99 and mean.
fn milliseconds(figures: &Figures) -> [Option<f64>; 4] {
    let q = |q| figures.latencies.quantile_ms(q).map(round);
    [q(0.5), q(0.95), q(0.99), figures.latencies.mean_ms().map(round)]
}

fn print(format: Format, names: &[&str], groups: &[Group]) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let shown = |key: &Vec<Option<String>>| {
        key.iter()
            .map(|value| value.as_deref().map_or_else(|| "–".to_owned(), |v| visible_line(v).into_owned()))
            .collect::<Vec<_>>()
    };
    let number = |n: Option<f64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    match format {
        Format::Json => {
            for (key, group) in groups {
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
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            let figures = ["count", "failed", "success_rate", "p50_ms", "p95_ms", "p99_ms", "avg_ms"];
            csv.write_record(names.iter().copied().chain(figures))?;
            for (key, group) in groups {
                let ms = milliseconds(group).map(number);
                let figures =
                    [group.count.to_string(), group.failed.to_string(), number(group.success_rate().map(round))];
                csv.write_record(shown(key).into_iter().chain(figures).chain(ms))?;
            }
            csv.flush()?;
        }
        Format::Text | Format::Table => {
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
