//! `crosstail patterns`: what many messages have in common.

use super::args::{ListFormat, PatternsArgs};
use super::output::{aligned, moment, print_error};
use super::{progress, sources};
use crate::config::Overrides;
use crate::runtime::{Sampling, Work, patterns};
use crate::tui::text::spark;
use anyhow::Result;
use crosstail_core::model::{Timestamp, redact_text, visible_line};
use crosstail_engine::pattern::{FoundPattern, FoundPatterns, Sampled};
use crosstail_export::{csv_cell, safe_json};
use crosstail_source::PageQuery;
use serde_json::{Value, json};
use std::io::Write as _;

/// Columns of the chart in the table.
const CHART: usize = 16;
/// Spans of the counts in JSON.
const SPANS: usize = 32;

pub(super) async fn run(args: &PatternsArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let work = Work::command("patterns");
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(0) };
    let mut problems = Vec::new();
    let reading = patterns(&opened.sources, &work, &opened.names, query, Sampling::USUAL, Some(&mut problems));
    let found = progress::shown(&work, reading).await?;
    let span = found.span.unwrap_or_default();
    // What was asked for, where that is known: a pattern that has ended shows so.
    let (from, to) = (since.unwrap_or(span.0), until.unwrap_or(span.1.plus_us(1)));
    let shown = if args.limit == 0 { found.patterns.len() } else { args.limit.min(found.patterns.len()) };
    let output = Output { found: &found, from, to, zone: context.zone };
    match args.output {
        ListFormat::Text => output.table(shown)?,
        ListFormat::Json => output.json(shown)?,
        ListFormat::Csv => output.csv(shown)?,
    }
    if shown < found.patterns.len() {
        print_error(&format!("{} more patterns; --limit 0 prints all", found.patterns.len() - shown));
    }
    if let Some(Sampled { from, until, slices, read }) = found.sampled {
        let clock = |at: Timestamp| moment(at, context.zone);
        print_error(&format!(
            "everything since {} is counted; of {} slices of time before it, from {} on, {read} activities were read and are counted",
            clock(until),
            slices,
            clock(from),
        ));
    }
    if found.without_text > 0 {
        print_error(&format!("{} activities have neither message nor error", found.without_text));
    }
    problems.dedup_by(|a, b| a.source_name == b.source_name);
    Ok(opened.exit_code(&problems))
}

struct Output<'a> {
    found: &'a FoundPatterns,
    from: Timestamp,
    to: Timestamp,
    zone: crosstail_core::model::Tz,
}

impl Output<'_> {
    fn total(&self) -> u64 {
        self.found.total().max(1)
    }

    fn table(&self, shown: usize) -> Result<()> {
        let total = self.total() as f64;
        let row = |found: &FoundPattern| {
            let FoundPattern { pattern, tally, .. } = found;
            let trend = spark(&tally.trend.columns(self.from, self.to, CHART));
            let text = visible_line(&redact_text(&pattern.text)).into_owned();
            let share = format!("{:.1} %", 100.0 * tally.count as f64 / total);
            let failed = if tally.failed == 0 { "–".to_owned() } else { tally.failed.to_string() };
            [
                tally.count.to_string(),
                share,
                failed,
                moment(tally.first, self.zone),
                moment(tally.last, self.zone),
                trend,
                found.id().unwrap_or("–").to_owned(),
                text,
            ]
        };
        let rows: Vec<[String; 8]> = self.found.patterns[..shown].iter().map(row).collect();
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        aligned(&mut out, &["count", "share", "failed", "first", "last", "trend", "id", "pattern"], &rows)?;
        out.flush()?;
        Ok(())
    }

    fn record(&self, found: &FoundPattern) -> Value {
        let FoundPattern { pattern, tally, .. } = found;
        json!({
            "id": found.id(),
            "pattern": pattern.text,
            "count": tally.count,
            "share": tally.count as f64 / self.total() as f64,
            "failed": tally.failed,
            "first": tally.first.rfc3339(),
            "last": tally.last.rfc3339(),
            "example": tally.example.id.to_string(),
            "exact_from": self.found.sampled.map(|sampled| sampled.until.rfc3339()),
            "filter": self.found.filter_of(found),
            "trend": {
                "from": self.from.rfc3339(),
                "to": self.to.rfc3339(),
                "counts": tally.trend.columns(self.from, self.to, SPANS),
            },
        })
    }

    fn json(&self, shown: usize) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for found in &self.found.patterns[..shown] {
            writeln!(out, "{}", safe_json(&self.record(found))?)?;
        }
        out.flush()?;
        Ok(())
    }

    /// The same without what has parts.
    fn csv(&self, shown: usize) -> Result<()> {
        const COLUMNS: [&str; 9] = ["id", "pattern", "count", "share", "failed", "first", "last", "example", "filter"];
        let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(std::io::stdout().lock()));
        csv.write_record(COLUMNS)?;
        for found in &self.found.patterns[..shown] {
            let record = self.record(found);
            csv.write_record(COLUMNS.map(|name| csv_cell(&record[name])))?;
        }
        csv.flush()?;
        Ok(())
    }
}
