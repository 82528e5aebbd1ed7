//! `crosstail changes`: when rate, failures and latency changed, and what was marked near it.

use super::args::{ChangesArgs, ListFormat};
use super::output::{aligned, moment, print_error};
use super::{progress, sources};
use crate::config::{self, Marker, Overrides};
use crate::runtime::{MarkerQuery, Work, changes, marked};
use anyhow::Result;
use crosstail_core::model::{Tz, redact_text, visible_line};
use crosstail_engine::change::{Shift, Window};
use crosstail_engine::window::Bounds;
use crosstail_export::{csv_cell, safe_json};
use crosstail_source::PageQuery;
use serde_json::{Value, json};
use std::io::Write as _;

/// What was marked may have changed something within so many microseconds.
const SOON_US: i64 = 900_000_000;

pub(super) async fn run(args: &ChangesArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let markers = match config::marker_file().map(|path| config::markers(&path)) {
        Some(Ok(markers)) => markers,
        Some(Err(error)) => {
            print_error(&format!("{error:#}"));
            Vec::new()
        }
        None => Vec::new(),
    };
    let work = Work::command("changes");
    let asked = MarkerQuery { entries: config.markers.clone(), context, bounds: Bounds { since, until } };
    let (more, wrong) = marked(&opened.sources, &work, &opened.names, &asked).await;
    let markers = config::joined_markers([markers, more].concat());
    for problem in wrong {
        print_error(&problem);
    }
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(0) };
    let mut problems = Vec::new();
    let reading = changes(&opened.sources, &work, &opened.names, query, Some(&mut problems));
    let (window, found) = progress::shown(&work, reading).await?;
    let output = Output { markers, window, zone: context.zone };
    match args.output {
        ListFormat::Text => output.table(&found)?,
        ListFormat::Json => output.json(&found)?,
        ListFormat::Csv => output.csv(&found)?,
    }
    problems.dedup_by(|a, b| a.source_name == b.source_name);
    Ok(opened.exit_code(&problems))
}

struct Output {
    markers: Vec<Marker>,
    window: Window,
    zone: Tz,
}

impl Output {
    /// What was marked last before a change, and not long before it. How exactly the change is known is the length of a bucket.
    fn marker(&self, shift: &Shift) -> Option<&Marker> {
        let near = |marker: &&Marker| {
            let after = shift.at.since_us(marker.at);
            (-self.window.bucket_us..=SOON_US.max(3 * self.window.bucket_us)).contains(&after)
        };
        self.markers.iter().rev().find(near)
    }

    fn record(&self, shift: &Shift) -> Value {
        let text = |text: &str| redact_text(text).into_owned();
        json!({
            "at": shift.at.rfc3339(),
            "system": shift.group.first().and_then(|system| system.as_deref()).map(text),
            "measure": shift.measure.name(),
            "before": shift.before,
            "after": shift.after,
            "marker": self.marker(shift).map(|marker| text(&marker.text)),
            "within_s": self.window.bucket_us / 1_000_000,
        })
    }

    fn table(&self, found: &[Shift]) -> Result<()> {
        let row = |shift: &Shift| {
            let [before, after] = [shift.before, shift.after].map(|value| shift.measure.shown(value));
            let text = |text: &str| visible_line(&redact_text(text)).into_owned();
            [
                moment(shift.at, self.zone),
                shift.group.first().and_then(|system| system.as_deref()).map_or_else(|| "–".to_owned(), text),
                shift.measure.words().to_owned(),
                before,
                after,
                self.marker(shift).map(|marker| text(&marker.text)).unwrap_or_default(),
            ]
        };
        let rows: Vec<[String; 6]> = found.iter().map(row).collect();
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        aligned(&mut out, &["at", "system", "what", "before", "after", "marker"], &rows)?;
        out.flush()?;
        Ok(())
    }

    fn json(&self, found: &[Shift]) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for shift in found {
            writeln!(out, "{}", safe_json(&self.record(shift))?)?;
        }
        out.flush()?;
        Ok(())
    }

    fn csv(&self, found: &[Shift]) -> Result<()> {
        const COLUMNS: [&str; 7] = ["at", "system", "measure", "before", "after", "marker", "within_s"];
        let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(std::io::stdout().lock()));
        csv.write_record(COLUMNS)?;
        for shift in found {
            let record = self.record(shift);
            csv.write_record(COLUMNS.map(|name| csv_cell(&record[name])))?;
        }
        csv.flush()?;
        Ok(())
    }
}
