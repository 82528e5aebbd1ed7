//! `crosstail stats`: grouped figures to stdout.

use super::args::{Format, StatsArgs};
use super::output::aligned;
use super::{UsageError, exit, sources};
use crate::config::Config;
use crate::export::safe_json;
use crate::filter::{Field, suggest, value_text};
use crate::insight::Latencies;
use crate::model::visible_line;
use crate::source::{PageQuery, for_each};
use anyhow::Result;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::Write as _;

#[derive(Default)]
struct Group {
    count: u64,
    failed: u64,
    finished: u64,
    latencies: Latencies,
}

pub(super) async fn run(args: &StatsArgs) -> Result<u8> {
    let config = Config::load()?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let since = sources::moment(args.since.as_deref(), &context)?;
    let until = sources::moment(args.until.as_deref(), &context)?;
    let by = args.by.iter().map(|name| field(name)).collect::<Result<Vec<_>>>()?;
    let opened = sources::open_args(&args.source, &config)?;
    let query = PageQuery { filter, context, since, until, newest_first: true, limit: 5000 };
    let mut groups: HashMap<Vec<Option<String>>, Group> = HashMap::new();
    for (_, source) in &opened.sources {
        for_each(source.as_ref(), &query, |activity| {
            let key = by.iter().map(|field| value_text(&activity, *field, &opened.names)).collect();
            let group = groups.entry(key).or_default();
            group.count += 1;
            group.failed += u64::from(activity.is_failure());
            group.finished += u64::from(activity.status.is_none_or(crate::model::Status::is_finished));
            activity.took_us().into_iter().for_each(|us| group.latencies.add(us));
            true
        })
        .await?;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|a, b| (b.1.count, &a.0).cmp(&(a.1.count, &b.0)));
    print(args.output, &by, &groups)?;
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

impl Group {
    fn success_rate(&self) -> Option<f64> {
        (self.finished > 0)
            .then(|| round(100.0 * (self.finished - self.failed.min(self.finished)) as f64 / self.finished as f64))
    }

    fn milliseconds(&self) -> [Option<f64>; 4] {
        let q = |q| self.latencies.quantile_ms(q).map(round);
        [q(0.5), q(0.95), q(0.99), self.latencies.mean_ms().map(round)]
    }
}

fn print(format: Format, by: &[Field], groups: &[(Vec<Option<String>>, Group)]) -> Result<()> {
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
                for (field, value) in by.iter().zip(key) {
                    object.insert(field.name().to_owned(), value.clone().map_or(Value::Null, Value::String));
                }
                let [p50, p95, p99, avg] = group.milliseconds();
                object.insert("count".to_owned(), group.count.into());
                object.insert("failed".to_owned(), group.failed.into());
                for (name, value) in [
                    ("success_rate", group.success_rate()),
                    ("p50_ms", p50),
                    ("p95_ms", p95),
                    ("p99_ms", p99),
                    ("avg_ms", avg),
                ] {
                    object.insert(name.to_owned(), value.map_or(Value::Null, Value::from));
                }
                writeln!(out, "{}", safe_json(&object)?)?;
            }
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            let figures = ["count", "failed", "success_rate", "p50_ms", "p95_ms", "p99_ms", "avg_ms"];
            csv.write_record(by.iter().map(|f| f.name()).chain(figures))?;
            for (key, group) in groups {
                let ms = group.milliseconds().map(number);
                let figures = [group.count.to_string(), group.failed.to_string(), number(group.success_rate())];
                csv.write_record(shown(key).into_iter().chain(figures).chain(ms))?;
            }
            csv.flush()?;
        }
        Format::Text | Format::Table => {
            let names = by.iter().map(|f| f.name()).collect::<Vec<_>>().join(",");
            let header = [names.as_str(), "count", "failed", "success %", "p50 ms", "p95 ms", "p99 ms", "avg ms"];
            let rows: Vec<[String; 8]> = groups
                .iter()
                .map(|(key, group)| {
                    let [p50, p95, p99, avg] = group.milliseconds().map(number);
                    let rate = number(group.success_rate());
                    [shown(key).join(", "), group.count.to_string(), group.failed.to_string(), rate, p50, p95, p99, avg]
                })
                .collect();
            aligned(&mut out, &header, &rows)?;
        }
    }
    out.flush()?;
    Ok(())
}
