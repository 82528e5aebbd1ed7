//! `crosstail changes`: when rate, failures and latency changed, and what was marked near it.

use super::args::{ChangesArgs, ListFormat};
use super::mark::known_markers;
use super::output::{aligned, moment, print_error};
use super::{UsageError, progress, sources};
use crate::config::{Marker, Overrides, marker_before};
use crate::runtime::{Work, changes, fields_at_markers};
use anyhow::Result;
use crosstail_core::filter::Field;
use crosstail_core::model::{Timestamp, Tz, redact_text, visible_line};
use crosstail_engine::change::Shift;
use crosstail_engine::window::Bounds;
use crosstail_export::{csv_cell, safe_json};
use crosstail_source::PageQuery;
use serde_json::{Value, json};
use std::io::Write as _;

pub(super) async fn run(args: &ChangesArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let by = args.by.iter().map(|name| field(name)).collect::<Result<Vec<_>>>()?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let work = Work::command("changes");
    let markers = known_markers(&opened, &config, &work, context, Bounds { since, until }).await;
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(0) };
    let mut problems = Vec::new();
    let marked: Vec<Timestamp> = markers.iter().map(|marker| marker.at).collect();
    let reading = changes(&opened.sources, &work, &opened.names, query, (&by, &marked), Some(&mut problems));
    let found = progress::shown(&work, reading).await?;
    let output = Output { markers, zone: context.zone, by };
    match args.output {
        ListFormat::Text => output.table(&found.shifts)?,
        ListFormat::Json => output.json(&found.shifts)?,
        ListFormat::Csv => output.csv(&found.shifts)?,
    }
    let clock = |at: Timestamp| moment(at, context.zone);
    if found.begins {
        print_error(&format!("no activities before {}", clock(found.window.from)));
    }
    if found.ends {
        print_error(&format!("no activities after {}", clock(found.window.to)));
    }
    problems.dedup_by(|a, b| a.source_name == b.source_name);
    Ok(opened.exit_code(&problems))
}

/// A field to tell changes by: one of few values, not one of each activity.
fn field(name: &str) -> Result<Field> {
    const MAY: [Field; 7] = [
        Field::System,
        Field::Endpoint,
        Field::Operation,
        Field::Source,
        Field::Kind,
        Field::Direction,
        Field::Organization,
    ];
    Field::parse(name).filter(|field| MAY.contains(field)).ok_or_else(|| {
        let names = MAY.map(Field::name).join(", ");
        UsageError(format!("--by: changes are told by {names}, not by '{name}'")).into()
    })
}

struct Output {
    markers: Vec<Marker>,
    zone: Tz,
    by: Vec<Field>,
}

impl Output {
    /// What was marked last before a change. How exactly the change is known is the length of a bucket.
    fn marker(&self, shift: &Shift) -> Option<&Marker> {
        match shift.marker {
            Some(at) => self.markers.iter().find(|marker| marker.at == at),
            None => marker_before(&self.markers, shift.at, shift.within_us),
        }
    }

    fn record(&self, shift: &Shift) -> Value {
        let text = |text: &str| redact_text(text).into_owned();
        let mut record = json!({ "at": shift.at.rfc3339() });
        let rest = json!({
            "measure": shift.measure.name(),
            "before": shift.before,
            "after": shift.after,
            "marker": self.marker(shift).map(|marker| text(&marker.text)),
            "within_s": shift.within_us / 1_000_000,
            "found_at_marker": shift.marker.is_some(),
        });
        let of = fields_at_markers(&self.by).into_iter().zip(shift.group.iter().chain([&None]));
        let of = of.map(|(field, value)| (field.name().to_owned(), value.as_deref().map(text).into()));
        if let (Some(all), Value::Object(rest)) = (record.as_object_mut(), rest) {
            all.extend(of);
            all.extend(rest);
        }
        record
    }

    fn table(&self, found: &[Shift]) -> Result<()> {
        // No column of endpoints where no change is of one.
        let mut groups = fields_at_markers(&self.by);
        groups.truncate(found.iter().map(|shift| shift.group.len()).fold(self.by.len(), usize::max));
        let row = |shift: &Shift| {
            let text = |text: &str| visible_line(&redact_text(text)).into_owned();
            let mut row = vec![moment(shift.at, self.zone)];
            let of = shift.group.iter().chain([&None]).take(groups.len());
            row.extend(of.map(|of| of.as_deref().map_or_else(|| "–".to_owned(), text)));
            row.push(shift.measure.words().to_owned());
            row.extend([shift.before, shift.after].map(|value| shift.measure.shown(value)));
            row.push(self.marker(shift).map(|marker| text(&marker.text)).unwrap_or_default());
            row
        };
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        let mut header = vec!["at"];
        header.extend(groups.iter().map(|field| field.name()));
        header.extend(["what", "before", "after", "marker"]);
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        aligned(&mut out, &header, &rows)?;
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
        let mut columns = vec!["at"];
        columns.extend(self.by.iter().map(|field| field.name()));
        columns.extend(["measure", "before", "after", "marker", "within_s", "found_at_marker"]);
        // The columns before stay where they were.
        columns.extend(fields_at_markers(&self.by)[self.by.len()..].iter().map(|field| field.name()));
        let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(std::io::stdout().lock()));
        csv.write_record(&columns)?;
        for shift in found {
            let record = self.record(shift);
            csv.write_record(columns.iter().map(|name| csv_cell(&record[*name])))?;
        }
        csv.flush()?;
        Ok(())
    }
}
