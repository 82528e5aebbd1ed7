//! `crosstail alerts`: alerts from stores and from a running watch: list, acknowledge, resolve, silence.

use super::args::{AlertsArgs, AlertsCommand, Format, WriteArgs};
use super::output::{aligned, print_error};
use super::sources::OpenSources;
use super::{Ambiguous, UsageError, exit, sources};
use crate::config::Overrides;
use crate::effect::AlertEdit;
use crate::runtime::{MergedHistory, Work, alert};
use crate::screens::{AlertLine, AlertOrigin, LineState, of_activity};
use anyhow::{Result, bail};
use crosstail_core::filter::Filter;
use crosstail_core::model::{Clock, redact_text, visible_line};
use crosstail_export::{csv_cell, safe_json};
use crosstail_source::alert::AlertStatus;
use crosstail_source::{PageQuery, SourceError};
use serde_json::json;
use std::io::Write as _;

pub(super) async fn run(args: &AlertsArgs, choice: &Overrides) -> Result<u8> {
    match &args.command {
        None | Some(AlertsCommand::List) => list(args, choice).await,
        Some(AlertsCommand::Ack { id, writes }) => change(args, choice, id, AlertStatus::Acknowledged, writes).await,
        Some(AlertsCommand::Resolve { id, writes }) => change(args, choice, id, AlertStatus::Resolved, writes).await,
        Some(AlertsCommand::Silence { rule, of, length, why, who }) => {
            silence(args, (rule, of), *length, &format!("{why} ({who})"))
        }
        Some(AlertsCommand::Unsilence { rule, of }) => unsilence(args, rule, of.as_deref()),
    }
}

/// Every known alert, the most urgent first, the opened sources if any are named or configured, and the errors of those that
/// failed.
type Known = (Vec<AlertLine>, Option<OpenSources>, Vec<SourceError>);

/// What is known.
async fn known(args: &AlertsArgs, choice: &Overrides) -> Result<Known> {
    let config = super::configuration(choice)?;
    let mut lines = of_watch(args)?;
    let mut problems = Vec::new();
    let (configs, stdin) =
        sources::configs(&args.source.sources, &args.source.run, args.source.schema.as_deref(), &config)?;
    let opened = if configs.is_empty() { None } else { Some(sources::open(configs, stdin)?) };
    if let Some(opened) = &opened {
        let context = sources::context(&args.source, &config)?;
        let since = sources::moment(args.since.as_deref(), &context)?;
        let query = PageQuery { filter: Filter::parse("kind:alert")?, context, since, ..PageQuery::all(1000) };
        let mut joined = MergedHistory::new(&opened.sources, &Work::command("alerts"), &opened.names, query).partial();
        while let Some(activity) = joined.next().await? {
            lines.push(of_activity(activity));
        }
        problems.extend_from_slice(joined.problems());
    }
    if opened.is_none() && lines.is_empty() {
        return Err(UsageError(
            "no source, and no alerts from a watch; name a source with --source, or a state file with --state"
                .to_owned(),
        )
        .into());
    }
    lines.sort_by_key(|line| (line.state, line.severity, std::cmp::Reverse(line.since)));
    Ok((lines, opened, problems))
}

/// The alerts in the state file of a watch.
#[cfg(feature = "watch")]
fn of_watch(args: &AlertsArgs) -> Result<Vec<AlertLine>> {
    let path = super::watch::state_file(args.state.as_deref())?;
    let kept = crate::watch::read_state(&path)?;
    let (rules, _) = crate::config::rules(None);
    let said = crate::watch::OperatorInput::read(&path)?;
    let now = Clock::system().now();
    let line = |alert| crate::screens::of_rule(alert, &rules, &said.silences, now);
    Ok(kept.alerts.active.iter().chain(&kept.alerts.resolved).map(line).collect())
}

#[cfg(not(feature = "watch"))]
#[allow(clippy::unnecessary_wraps, reason = "the signature of the other variant")]
fn of_watch(_: &AlertsArgs) -> Result<Vec<AlertLine>> {
    Ok(Vec::new())
}

fn safe(text: &str) -> String {
    visible_line(&redact_text(text)).into_owned()
}

async fn list(args: &AlertsArgs, choice: &Overrides) -> Result<u8> {
    let (mut lines, opened, problems) = known(args, choice).await?;
    if !args.all {
        lines.retain(|line| line.state != LineState::Resolved);
    }
    let from = |line: &AlertLine| match (&line.origin, &opened) {
        (AlertOrigin::Rule(rule), _) => format!("rule {rule}"),
        (AlertOrigin::Stored(alert), Some(opened)) => {
            alert.places.iter().map(|place| place.label(&opened.names)).collect::<Vec<_>>().join(", ")
        }
        (AlertOrigin::Stored(_), None) => String::new(),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let object = |line: &AlertLine| {
        json!({
            "id": line.id, "severity": line.severity_word, "state": line.state.as_str(), "silenced": line.silenced,
            "title": safe(&line.title), "reason": safe(&line.reason), "of": safe(&line.group),
            "escalation": line.escalation, "since": line.since, "resolved_at": line.ended,
            "who": line.who.as_deref().map(safe), "from": safe(&from(line)), "filter": safe(&line.filter),
        })
    };
    match args.output {
        Format::Json => {
            for line in &lines {
                writeln!(out, "{}", safe_json(&object(line))?)?;
            }
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            csv.write_record(COLUMNS)?;
            for line in &lines {
                let object = object(line);
                csv.write_record(COLUMNS.iter().map(|name| csv_cell(&object[*name])))?;
            }
            csv.flush()?;
        }
        Format::Name => {
            for line in &lines {
                writeln!(out, "{}", line.id)?;
            }
        }
        Format::Table | Format::Text | Format::Wide => {
            let rows: Vec<[String; 8]> = lines
                .iter()
                .map(|line| {
                    let shown = if line.silenced { "silenced" } else { line.state.as_str() };
                    let what = if matches!(line.origin, AlertOrigin::Rule(_)) { &line.reason } else { &line.title };
                    [
                        line.id.clone(),
                        line.severity_word.to_owned(),
                        shown.to_owned(),
                        line.since.rfc3339(),
                        if line.escalation > 0 { line.escalation.to_string() } else { String::new() },
                        safe(&line.group),
                        safe(what),
                        safe(&from(line)),
                    ]
                })
                .collect();
            aligned(&mut out, &["id", "severity", "state", "since", "esc", "of", "what", "from"], &rows)?;
        }
    }
    out.flush()?;
    Ok(opened.map_or(exit::OK, |opened| opened.exit_code(&problems)))
}

/// The fields of an alert in JSON and CSV.
const COLUMNS: [&str; 13] = [
    "id",
    "severity",
    "state",
    "silenced",
    "title",
    "reason",
    "of",
    "escalation",
    "since",
    "resolved_at",
    "who",
    "from",
    "filter",
];

/// The one alert with this id, or whose id starts with these four or more characters.
fn find<'a>(lines: &'a [AlertLine], id: &str) -> Result<Option<&'a AlertLine>> {
    if let Some(line) = lines.iter().find(|line| line.id == id) {
        return Ok(Some(line));
    }
    let found: Vec<&AlertLine> = lines.iter().filter(|line| id.len() >= 4 && line.id.starts_with(id)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        many => {
            let ids = many.iter().map(|line| line.id.as_str()).collect::<Vec<_>>().join(", ");
            Err(Ambiguous(format!("{} alerts have an id that starts with '{id}'; write more of it: {ids}", many.len()))
                .into())
        }
    }
}

async fn change(args: &AlertsArgs, choice: &Overrides, id: &str, to: AlertStatus, writes: &WriteArgs) -> Result<u8> {
    let (lines, opened, problems) = known(args, choice).await?;
    for problem in &problems {
        print_error(&problem.to_string());
    }
    let Some(line) = find(&lines, id)? else {
        print_error(&format!("no alert '{id}'"));
        return Ok(exit::NOT_FOUND);
    };
    let by = writes.who.clone().unwrap_or_else(super::user::user);
    let now = Clock::system().now();
    match (&line.origin, &opened) {
        (AlertOrigin::Rule(_), _) if to == AlertStatus::Resolved => {
            bail!("an alert of a rule resolves once the rule no longer holds; silence it instead")
        }
        (AlertOrigin::Rule(rule), _) => acknowledge(args, &line.id, &by, now, rule)?,
        (AlertOrigin::Stored(_), _) if !writes.allow_writes => {
            let error = "the alert is in a store, and crosstail writes to stores only with --allow-writes";
            return Err(UsageError(error.to_owned()).into());
        }
        (AlertOrigin::Stored(stored), Some(opened)) => {
            let change = AlertEdit { id: line.id.clone(), places: stored.places.clone(), to, by };
            let said = alert::change(&opened.sources, &opened.names, &opened.alert_writers(), &change, now).await?;
            print_error(&format!("{}: {said}", line.id));
        }
        (AlertOrigin::Stored(_), None) => bail!("its source is not open"),
    }
    Ok(exit::OK)
}

#[cfg(feature = "watch")]
fn acknowledge(args: &AlertsArgs, id: &str, by: &str, now: crosstail_core::model::Timestamp, rule: &str) -> Result<()> {
    let path = super::watch::state_file(args.state.as_deref())?;
    let mut said = crate::watch::OperatorInput::read(&path)?;
    said.acknowledged.retain(|(known, ..)| known != id);
    said.acknowledged.push((id.to_owned(), by.to_owned(), now));
    said.write(&path)?;
    print_error(&format!("{rule} {id}: acknowledged by {by}; a running watch applies this at its next evaluation"));
    Ok(())
}

#[cfg(not(feature = "watch"))]
fn acknowledge(_: &AlertsArgs, _: &str, _: &str, _: crosstail_core::model::Timestamp, _: &str) -> Result<()> {
    bail!("this build does not include watch")
}

#[cfg(feature = "watch")]
fn silence(args: &AlertsArgs, (rule, of): (&str, &str), length: std::time::Duration, why: &str) -> Result<u8> {
    let (rules, _) = crate::config::rules(None);
    let names = || rules.iter().map(|rule| rule.name.as_str());
    if rule != "*" && !names().any(|name| name.eq_ignore_ascii_case(rule)) {
        // Silence it all the same: it may be in a folder that only the watch was given.
        let hint = crosstail_core::filter::suggest(rule, names())
            .map(|near| format!("; did you mean '{near}'?"))
            .unwrap_or_default();
        print_error(&format!("no rule '{rule}' in the rules folder or built in{hint}"));
    }
    let path = super::watch::state_file(args.state.as_deref())?;
    let mut said = crate::watch::OperatorInput::read(&path)?;
    let now = Clock::system().now();
    let until = now.plus_us(crosstail_core::number::saturating_i64(length.as_micros()));
    said.silences.retain(|silence| now < silence.until && (silence.rule != rule || silence.group != of));
    let why = why.trim().to_owned();
    said.silences.push(crosstail_engine::insight::alerting::Silence {
        rule: rule.to_owned(),
        group: of.to_owned(),
        until,
        why,
    });
    said.write(&path)?;
    print_error(&format!("{rule} for {of} is silenced until {}", until.rfc3339()));
    Ok(exit::OK)
}

#[cfg(not(feature = "watch"))]
fn silence(_: &AlertsArgs, _: (&str, &str), _: std::time::Duration, _: &str) -> Result<u8> {
    bail!("this build does not include watch")
}

/// Ends the silences of a rule, or one of them.
#[cfg(feature = "watch")]
fn unsilence(args: &AlertsArgs, rule: &str, of: Option<&str>) -> Result<u8> {
    let path = super::watch::state_file(args.state.as_deref())?;
    let mut said = crate::watch::OperatorInput::read(&path)?;
    let now = Clock::system().now();
    said.silences.retain(|silence| now < silence.until);
    let before = said.silences.len();
    said.silences.retain(|silence| {
        !silence.rule.eq_ignore_ascii_case(rule) || of.is_some_and(|of| !silence.group.eq_ignore_ascii_case(of))
    });
    let ended = before - said.silences.len();
    if ended == 0 {
        let list =
            |silence: &crosstail_engine::insight::alerting::Silence| format!("{} for {}", silence.rule, silence.group);
        let left = said.silences.iter().map(list).collect::<Vec<_>>().join(", ");
        let left = if left.is_empty() { "nothing is silenced".to_owned() } else { format!("silenced are: {left}") };
        print_error(&format!("no silence of '{rule}'; {left}"));
        return Ok(exit::NOT_FOUND);
    }
    said.write(&path)?;
    print_error(&format!("{ended} ended; a running watch applies this at its next evaluation"));
    Ok(exit::OK)
}

#[cfg(not(feature = "watch"))]
fn unsilence(_: &AlertsArgs, _: &str, _: Option<&str>) -> Result<u8> {
    bail!("this build does not include watch")
}
