//! `crosstail failures`: failures in groups, and whether each is new.

use super::args::{FailuresArgs, ListFormat};
use super::mark::known_markers;
use super::output::{aligned, moment, print_error};
use super::{progress, sources};
use crate::config::{self, Marker, Overrides, marker_before};
use crate::runtime::{Recall, failures};
use crate::tui::text::spark;
use anyhow::Result;
use crosstail_core::model::{FinalOutcome, Timestamp, Tz, redact_text, visible_line};
use crosstail_engine::failure::{FailureGroup, FoundFailures};
use crosstail_engine::window::Bounds;
use crosstail_export::{csv_cell, safe_json};
use crosstail_source::PageQuery;
use serde_json::{Map, Value, json};
use std::io::Write as _;

/// Columns of the chart in the table.
const CHART: usize = 12;
/// Spans of the counts in JSON.
const SPANS: usize = 32;

pub(super) async fn run(args: &FailuresArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let recall = Recall::new(config::memory_file(), &opened.configs);
    let work = opened.work("failures");
    let markers = known_markers(&opened, &config, &work, context, Bounds { since, until }).await;
    let query = PageQuery { filter, context, since, until, ..PageQuery::all(0) };
    let mut problems = Vec::new();
    let reading = failures(&opened.sources, &work, &opened.names, query, &recall, Some(&mut problems));
    let found = progress::shown(&work, reading).await?;
    let span = found.span.unwrap_or_default();
    // What was asked for, where that is known: a group that has ended shows so.
    let (from, to) = (since.unwrap_or(span.0), until.unwrap_or(span.1.plus_us(1)));
    let is_shown = |group: &&FailureGroup| args.muted || args.output != ListFormat::Text || !group.is_muted();
    let groups: Vec<&FailureGroup> = found.groups.iter().filter(is_shown).collect();
    let muted = found.groups.len() - groups.len();
    let shown = if args.limit == 0 { groups.len() } else { args.limit.min(groups.len()) };
    let output = Output { found: &found, markers, from, to, zone: context.zone };
    match args.output {
        ListFormat::Text => output.table(&groups[..shown])?,
        ListFormat::Json => output.json(&groups[..shown])?,
        ListFormat::Csv => output.csv(&groups[..shown])?,
    }
    if shown < groups.len() {
        print_error(&format!("{} more groups; --limit 0 prints all", groups.len() - shown));
    }
    if muted > 0 {
        print_error(&format!("{muted} muted; --muted prints them"));
    }
    if let Some(begins) = found.begins {
        let clock = |at: Timestamp| moment(at, context.zone);
        print_error(&format!(
            "new is what did not occur before {}; the store begins {}",
            clock(found.fresh),
            clock(begins)
        ));
    }
    if let Some(problem) = &found.problem {
        print_error(problem);
    }
    problems.dedup_by(|a, b| a.source_name == b.source_name);
    Ok(opened.exit_code(&problems))
}

struct Output<'a> {
    found: &'a FoundFailures,
    markers: Vec<Marker>,
    from: Timestamp,
    to: Timestamp,
    zone: Tz,
}

impl Output<'_> {
    fn table(&self, groups: &[&FailureGroup]) -> Result<()> {
        let header = [
            "state", "count", "system", "what", "kind", "since", "last", "entities", "orgs", "repaired", "trend", "id",
            "says",
        ];
        let moment = |at: Timestamp| moment(at, self.zone);
        let dash = || "–".to_owned();
        let number = |n: usize| if n == 0 { dash() } else { n.to_string() };
        let text = |text: Option<&str>| text.map_or_else(dash, |text| visible_line(&redact_text(text)).into_owned());
        let row = |group: &&FailureGroup| {
            let of = &group.fingerprint;
            let state = if group.is_muted() {
                format!("{}, muted", group.state.words())
            } else {
                group.state.words().to_owned()
            };
            let said = visible_line(&of.pattern.text).into_owned();
            [
                state,
                group.count.to_string(),
                text(of.system.as_deref()),
                text(of.endpoint.as_deref()),
                text(Some(&of.kind)),
                moment(group.began),
                moment(group.last),
                number(group.entities),
                number(group.organizations),
                group.repair().map_or_else(dash, |(share, _)| format!("{:.0} %", 100.0 * share)),
                spark(&group.trend.columns(self.from, self.to, CHART)),
                of.id(),
                if group.remark.note.is_empty() {
                    said
                } else {
                    format!("{said}  # {}", visible_line(&group.remark.note))
                },
            ]
        };
        let rows: Vec<[String; 13]> = groups.iter().map(row).collect();
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        aligned(&mut out, &header, &rows)?;
        out.flush()?;
        Ok(())
    }

    /// What was marked shortly before a group began.
    fn marker(&self, group: &FailureGroup) -> Option<&Marker> {
        group.has_begun().then(|| marker_before(&self.markers, group.began, 0)).flatten()
    }

    fn record(&self, group: &FailureGroup) -> Map<String, Value> {
        let of = &group.fingerprint;
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| redact_text(text).into());
        let at = |at: Timestamp| at.rfc3339();
        let outcomes: Map<String, Value> = FinalOutcome::NAMES
            .iter()
            .zip(group.outcomes)
            .map(|(name, count)| ((*name).to_owned(), count.into()))
            .collect();
        let record = json!({
            "id": of.id(),
            "state": group.state.name(),
            "system": text(of.system.as_deref()),
            "endpoint": text(of.endpoint.as_deref()),
            "kind": text(Some(&of.kind)),
            "error_at": text(of.frame.as_deref()),
            "pattern": of.pattern.text,
            "pattern_id": of.pattern.id,
            "count": group.count,
            "share": group.count as f64 / self.found.count.max(1) as f64,
            "last_hour": group.last_hour,
            "first": at(group.first),
            "last": at(group.last),
            "since": at(group.began),
            "before": group.before.map(at),
            "marker": self.marker(group).map(|marker| redact_text(&marker.text).into_owned()),
            "known_from": at(self.found.known_from),
            "entities": group.entities,
            "organizations": group.organizations,
            "outcomes": outcomes,
            "repaired": group.repair().map(|(share, _)| share),
            "example": group.example.id.to_string(),
            "filter": redact_text(&group.filter()),
            "muted": group.is_muted(),
            "note": redact_text(&group.remark.note),
            "trend": {
                "from": at(self.from),
                "to": at(self.to),
                "counts": group.trend.columns(self.from, self.to, SPANS),
            },
        });
        match record {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn json(&self, groups: &[&FailureGroup]) -> Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for group in groups {
            writeln!(out, "{}", safe_json(&self.record(group))?)?;
        }
        out.flush()?;
        Ok(())
    }

    /// The same without what has parts.
    fn csv(&self, groups: &[&FailureGroup]) -> Result<()> {
        const COLUMNS: [&str; 23] = [
            "id",
            "state",
            "system",
            "endpoint",
            "kind",
            "error_at",
            "pattern",
            "pattern_id",
            "count",
            "share",
            "last_hour",
            "first",
            "last",
            "since",
            "before",
            "marker",
            "entities",
            "organizations",
            "repaired",
            "example",
            "filter",
            "muted",
            "note",
        ];
        let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(std::io::stdout().lock()));
        csv.write_record(COLUMNS)?;
        for group in groups {
            let record = self.record(group);
            csv.write_record(COLUMNS.map(|name| csv_cell(record.get(name).unwrap_or(&Value::Null))))?;
        }
        csv.flush()?;
        Ok(())
    }
}
