//! `crosstail stats`: figures by group.

use super::args::{StatsArgs, StatsFormat};
use super::output::aligned;
use super::{UsageError, progress, sources};
use crate::config::Overrides;
use crate::runtime::{figures_by_period, report_table};
use anyhow::Result;
use crosstail_core::filter::{Field, Operand, ValueType, suggest};
use crosstail_core::model::{Calendar, Figures, Timestamp, Tz, redact_text, visible_line};
use crosstail_core::number::saturating_i64;
use crosstail_export::{Cell, Chart, Report, ReportFormat, ReportKind, Table, safe_json};
use crosstail_source::{GroupKey, Groups, PageQuery};
use serde_json::{Map, Value};
use std::io::Write as _;

pub(super) async fn run(args: &StatsArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let named = args.by.clone().unwrap_or_default();
    let by = named.iter().map(|name| operand(name)).collect::<Result<Vec<_>>>()?;
    let opened = sources::open_args(&args.source, &config).await?;
    let work = opened.work("stats");
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(5000) };
    let mut problems = Vec::new();
    let tables = match args.report.as_deref() {
        None => {
            let week_start = config.first_weekday()?;
            let calendar = args
                .every
                .map(|span| Calendar::new(saturating_i64(span.as_micros()), context.zone).with_weeks_from(week_start));
            let (sources, names, some) = (&opened.sources, &opened.names, Some(&mut problems));
            let counted = figures_by_period(sources, &work, names, query, (&by, calendar), some);
            let groups = progress::shown(&work, counted).await?;
            let output = Output { names: named, by, is_timed: calendar.is_some(), zone: context.zone };
            if args.format() != StatsFormat::Html {
                output.print(args, groups)?;
                return Ok(opened.exit_code(&problems));
            }
            vec![output.table(groups)]
        }
        Some(name) => {
            let (mut tables, filter) = (Vec::new(), args.filter.text());
            for kind in kinds(name)? {
                let (sources, names, some) = (&opened.sources, &opened.names, Some(&mut problems));
                let table = report_table(sources, &work, names, (&query, &filter), &kind, some);
                tables.push(progress::shown(&work, table).await?);
            }
            tables
        }
    };
    let names: Vec<String> = opened.sources.iter().map(|(id, _)| opened.names.source_name(*id).to_string()).collect();
    let moment = |at: Option<Timestamp>, open: &str| at.map_or_else(|| open.to_owned(), |at| at.rfc3339());
    let text = args.filter.text();
    let of = if text.is_empty() { "everything".to_owned() } else { text };
    let about = [
        format!("sources: {}", names.join(", ")),
        format!("filter: {of}"),
        format!("time: {} … {}", moment(since, "start"), moment(until, &context.now.rfc3339())),
    ];
    let about = about.iter().map(|line| visible_line(&redact_text(line)).into_owned()).collect();
    let report = Report { title: "Integration activity".to_owned(), about, made_at: context.now, tables };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match args.format() {
        StatsFormat::Table => write_tables(&report, &mut out)?,
        StatsFormat::Json => out.write_all(report.write(ReportFormat::Json).map_err(anyhow::Error::msg)?.as_bytes())?,
        StatsFormat::Csv => out.write_all(report.write(ReportFormat::Csv).map_err(anyhow::Error::msg)?.as_bytes())?,
        StatsFormat::Html => out.write_all(report.write(ReportFormat::Html).map_err(anyhow::Error::msg)?.as_bytes())?,
    }
    out.flush()?;
    problems.dedup_by(|a, b| a.source_name == b.source_name);
    Ok(opened.exit_code(&problems))
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

fn operand(name: &str) -> Result<Operand> {
    Operand::parse(name).ok_or_else(|| {
        let near = suggest(name, Field::ALL.iter().map(|f| f.name()));
        let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        UsageError(format!("--by: no field '{name}'{hint}")).into()
    })
}

/// How the values of what is grouped by are compared; those of a payload may be anything.
const fn class(by: &Operand) -> Option<ValueType> {
    match by {
        Operand::Field(field) => Some(field.class()),
        Operand::Path(..) => None,
    }
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

/// How groups are printed.
struct Output {
    /// The fields, as they were named.
    names: Vec<String>,
    by: Vec<Operand>,
    is_timed: bool,
    zone: Tz,
}

const FIGURES: [&str; 7] = ["count", "failed", "success_rate", "p50_ms", "p95_ms", "p99_ms", "avg_ms"];

impl Output {
    /// The names of the key's parts.
    fn columns(&self) -> Vec<&str> {
        self.is_timed.then_some("time").into_iter().chain(self.names.iter().map(String::as_str)).collect()
    }

    /// The groups: by time if they have one, else the largest first.
    fn ordered(&self, groups: Groups, time: impl Fn(Timestamp) -> String) -> Vec<Group> {
        let mut safe = Groups::new();
        for ((mut key, at), figures) in groups {
            // Ids are what they are; any other value may have a secret in it.
            for (value, _) in key.iter_mut().zip(&self.by).filter(|(_, by)| class(by) != Some(ValueType::Id)) {
                *value = value.take().map(|value| redact_text(&value).into_owned());
            }
            safe.entry((key, at)).or_default().merge(&figures);
        }
        // Nothing at all is a group, too, where there is one for everything.
        if self.by.is_empty() && !self.is_timed {
            safe.entry((Vec::new(), None)).or_default();
        }
        let mut groups: Vec<_> = safe.into_iter().collect();
        if self.is_timed {
            groups.sort_by(|a, b| (a.0.1, &a.0.0).cmp(&(b.0.1, &b.0.0)));
        } else {
            groups.sort_by(|a, b| (b.1.count, &a.0).cmp(&(a.1.count, &b.0)));
        }
        let keyed = |((mut key, at), figures): (GroupKey, Figures)| {
            key.splice(0..0, at.map(|at| Some(time(at))));
            (key, figures)
        };
        groups.into_iter().map(keyed).collect()
    }

    /// A table for the HTML page.
    fn table(&self, groups: Groups) -> Table {
        let columns = self.columns();
        let chart =
            if self.is_timed { Chart::Columns("count", Some("failed")) } else { Chart::Bars("count", Some("failed")) };
        let by = columns.join(", ");
        let title = if by.is_empty() { "Activities".to_owned() } else { format!("Activities by {by}") };
        let names: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        let groups = self.ordered(groups, |at| self.local(at));
        let groups = groups.iter().map(|(key, figures)| (key.as_slice(), figures));
        Table::of_figures(("groups", &title), &names, groups, Some(chart))
    }

    /// A time for people.
    fn local(&self, at: Timestamp) -> String {
        at.utc().with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// A part of a key: what is a number in the records is one here.
    fn value(&self, index: usize, value: Option<&str>) -> Value {
        let Some(value) = value else { return Value::Null };
        let field = index.checked_sub(usize::from(self.is_timed)).and_then(|index| self.by.get(index));
        let is_number = field.is_some_and(|by| matches!(class(by), Some(ValueType::Number | ValueType::Duration)));
        let number = is_number.then(|| value.parse::<serde_json::Number>().ok()).flatten();
        number.map_or_else(|| value.into(), Value::Number)
    }

    fn print(&self, args: &StatsArgs, groups: Groups) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let columns = self.columns();
        match args.format() {
            StatsFormat::Json => {
                for (key, group) in &self.ordered(groups, Timestamp::rfc3339) {
                    let mut object = Map::new();
                    for (index, (name, value)) in columns.iter().zip(key).enumerate() {
                        object.insert((*name).to_owned(), self.value(index, value.as_deref()));
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
                if !args.no_headers {
                    csv.write_record(columns.iter().copied().chain(FIGURES))?;
                }
                let number = |n: Option<f64>| n.map_or_else(String::new, |n| n.to_string());
                for (key, group) in &self.ordered(groups, Timestamp::rfc3339) {
                    let key =
                        key.iter().map(|value| value.as_deref().map(visible_line).unwrap_or_default().into_owned());
                    let ms = milliseconds(group).map(number);
                    let rate = number(group.success_rate().map(round));
                    let figures = [group.count.to_string(), group.failed.to_string(), rate];
                    csv.write_record(key.chain(figures).chain(ms))?;
                }
                csv.flush()?;
            }
            StatsFormat::Table | StatsFormat::Html => {
                let columns = columns.join(",");
                let header = [columns.as_str(), "count", "failed", "success %", "p50 ms", "p95 ms", "p99 ms", "avg ms"];
                // One group has no name.
                let unnamed = usize::from(columns.is_empty());
                let dash = || "–".to_owned();
                let number = |n: Option<f64>| n.map_or_else(dash, |n| n.to_string());
                let groups = self.ordered(groups, |at| self.local(at));
                let row = |(key, group): &Group| {
                    let [p50, p95, p99, avg] = milliseconds(group).map(number);
                    let rate = number(group.success_rate().map(round));
                    let key =
                        key.iter().map(|value| value.as_deref().map_or_else(dash, |v| visible_line(v).into_owned()));
                    let key = key.collect::<Vec<_>>().join(", ");
                    [key, group.count.to_string(), group.failed.to_string(), rate, p50, p95, p99, avg]
                };
                let rows: Vec<[String; 8]> = groups.iter().map(row).collect();
                let rows: Vec<&[String]> = rows.iter().map(|row| &row[unnamed..]).collect();
                aligned(&mut out, if args.no_headers { &[] } else { &header[unnamed..] }, &rows)?;
            }
        }
        out.flush()?;
        Ok(())
    }
}
