//! `crosstail compare`: what tells two sets of activities apart.

use super::args::{CompareArgs, ListFormat};
use super::output::{aligned, moment, print_error};
use super::{UsageError, progress, sources};
use crate::config::Overrides;
use crate::runtime::contrast_sets;
use anyhow::Result;
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Figures, Timestamp, Tz, redact_text, visible_line};
use crosstail_engine::insight::{Distinction, SetContrast};
use crosstail_export::{csv_cell, safe_json};
use crosstail_source::PageQuery;
use serde_json::{Value, json};
use std::io::Write as _;

pub(super) async fn run(args: &CompareArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let queries = sets(args, filter, &context, (since, until))?;
    let opened = sources::open_args(&args.source, &config).await?;
    let work = opened.work("compare");
    let mut problems = Vec::new();
    let output = Output { sets: queries.each_ref().map(Set::of), zone: context.zone };
    let reading = contrast_sets(&opened.sources, &work, &opened.names, queries, Some(&mut problems));
    let found = progress::shown(&work, reading).await?;
    match args.output {
        ListFormat::Text => output.text(&found)?,
        ListFormat::Json => output.json(&found)?,
        ListFormat::Csv => Output::csv(&found)?,
    }
    problems.dedup_by(|a, b| a.source_name == b.source_name);
    Ok(opened.exit_code(&problems))
}

/// The queries of both sets: these, then the others.
fn sets(
    args: &CompareArgs,
    filter: Filter,
    context: &Context,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
) -> Result<[PageQuery; 2]> {
    let query =
        |filter: Filter, since, until| PageQuery { filter, context: *context, since, until, ..PageQuery::all(0) };
    if let Some(text) = &args.other {
        let wrong =
            |error: crosstail_core::filter::ParseError| UsageError(format!("--with:\n{}", error.with_carets(text)));
        let (other, predicate) = Filter::compile(text, context).map_err(wrong)?;
        // Its own time is its range.
        let (from, to) = if predicate.time_bounds().is_some() { (None, None) } else { (since, until) };
        return Ok([query(filter, since, until), query(other, from, to)]);
    }
    if let Some(at) = sources::moment(args.at.as_deref(), context)? {
        let since = since.unwrap_or_else(|| at.plus_us(-args.around));
        let until = until.unwrap_or_else(|| at.plus_us(args.around).min(context.now.max(at.plus_us(1))));
        if since >= at || at >= until {
            let why = format!("--at {} is not between --since and --until", at.rfc3339());
            return Err(UsageError(why).into());
        }
        return Ok([query(filter.clone(), Some(at), Some(until)), query(filter, Some(since), Some(at))]);
    }
    match since {
        Some(since) if args.previous => {
            let until = until.unwrap_or(context.now);
            let before = since.plus_us(-until.since_us(since));
            Ok([query(filter.clone(), Some(since), Some(until)), query(filter, Some(before), Some(since))])
        }
        _ => {
            let why = "say what to compare with: --with FILTER, --at TIME, or --previous with --since";
            Err(UsageError(why.to_owned()).into())
        }
    }
}

/// What a set is of.
struct Set {
    filter: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Set {
    /// As it was asked for; a time that the filter names is its range.
    fn of(query: &PageQuery) -> Self {
        let named = query.filter.predicate(&query.context).time_bounds();
        let (since, until) = named.unwrap_or((query.since, query.until));
        Self {
            filter: redact_text(query.filter.text()).into_owned(),
            since: since.max(query.since),
            until: [until, query.until].into_iter().flatten().min(),
        }
    }
}

struct Output {
    sets: [Set; 2],
    zone: Tz,
}

impl Output {
    fn set_record(set: &Set, figures: &Figures, (read, payloads): (u64, u64)) -> Value {
        let usual = figures.latencies.usual_ms();
        json!({
            "filter": set.filter,
            "since": set.since.map(|at| at.rfc3339()),
            "until": set.until.map(|at| at.rfc3339()),
            "count": figures.count,
            "failed": figures.failed,
            "p50_ms": usual.map(|usual| usual.0),
            "p95_ms": usual.map(|usual| usual.1),
            "read": read,
            "payloads": payloads,
        })
    }

    fn record(one: &Distinction) -> Value {
        json!({
            "of": one.tally.subject.name(),
            "value": redact_text(&one.tally.value),
            "these": one.tally.these,
            "others": one.tally.others,
            "of_these": one.of_these,
            "of_others": one.of_others,
            "of_what_was_read": one.is_part,
            "filter": redact_text(&one.tally.clause),
        })
    }

    fn json(&self, found: &SetContrast) -> Result<()> {
        let set = |index: usize| {
            Self::set_record(&self.sets[index], &found.totals[index], (found.read[index], found.payloads[index]))
        };
        let differences: Vec<Value> = found.contrast.causes.iter().map(Self::record).collect();
        let whole = json!({ "these": set(0), "others": set(1), "differences": differences });
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", safe_json(&whole)?)?;
        out.flush()?;
        Ok(())
    }

    fn text(&self, found: &SetContrast) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let sets = ["these", "others"].into_iter().zip(&self.sets).zip(&found.totals).map(|((name, set), figures)| {
            let at = |at: Option<Timestamp>| at.map_or_else(|| "–".to_owned(), |at| moment(at, self.zone));
            let ms = |ms: f64| format!("{ms:.0} ms");
            let usual = figures.latencies.usual_ms();
            let failed = match figures.count {
                0 => "–".to_owned(),
                count => format!("{:.1} %", 100.0 * figures.failed as f64 / count as f64),
            };
            [
                name.to_owned(),
                figures.count.to_string(),
                failed,
                usual.map_or_else(|| "–".to_owned(), |usual| ms(usual.0)),
                usual.map_or_else(|| "–".to_owned(), |usual| ms(usual.1)),
                at(set.since),
                at(set.until),
                visible_line(&set.filter).into_owned(),
            ]
        });
        let titles = ["", "count", "failed", "p50", "p95", "since", "until", "filter"];
        aligned(&mut out, &titles, &sets.collect::<Vec<_>>())?;
        writeln!(out)?;
        let share = |part: f64| format!("{:.1} %", part * 100.0);
        let rows: Vec<[String; 4]> = found
            .contrast
            .causes
            .iter()
            .map(|one| {
                let part = if one.is_part { " *" } else { "" };
                [
                    format!("{}{part}", share(one.of_these)),
                    format!("{}{part}", share(one.of_others)),
                    visible_line(&one.tally.subject.name()).into_owned(),
                    visible_line(&redact_text(&one.tally.value)).into_owned(),
                ]
            })
            .collect();
        aligned(&mut out, &["of these", "of others", "of", "value"], &rows)?;
        out.flush()?;
        drop(out);
        if rows.is_empty() {
            print_error("nothing tells them apart by more than chance");
        }
        if found.contrast.causes.iter().any(|one| one.is_part) {
            let [these, others] = found.read;
            let [some, more] = found.payloads;
            print_error(&format!(
                "* of what was read: the newest {these} and {others}, and payloads of {some} and {more} of them"
            ));
        }
        Ok(())
    }

    fn csv(found: &SetContrast) -> Result<()> {
        const COLUMNS: [&str; 8] =
            ["of", "value", "these", "others", "of_these", "of_others", "of_what_was_read", "filter"];
        let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(std::io::stdout().lock()));
        csv.write_record(COLUMNS)?;
        for one in &found.contrast.causes {
            let record = Self::record(one);
            csv.write_record(COLUMNS.map(|name| csv_cell(&record[name])))?;
        }
        csv.flush()?;
        Ok(())
    }
}
