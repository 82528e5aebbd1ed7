//! `crosstail watch`: evaluates the rules without a screen and sends notifications.

use super::args::{RangeArgs, WatchArgs};
use super::output::{aligned, moment, print_error};
use super::sources::OpenSources;
use super::{UsageError, exit, progress, sources};
use crate::config::{self, Overrides};
use crate::runtime::{Recall, Work};
use crate::watch::{self, Backtest, Backtested, Channel, Notification, Settings};
use anyhow::{Context as _, Result, ensure};
use crosstail_core::filter::Context;
use crosstail_core::model::{Clock, Timestamp, Tz, Unit, redact_text, visible_line};
use crosstail_core::number::saturating_i64;
use crosstail_engine::insight::alerting::{Alert, AlertChange, AlertState, Severity, Transition, group_text};
use crosstail_engine::insight::objective::Objective;
use crosstail_export::safe_json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The state file: `--state`, else `watch.json` in the state folder.
pub(super) fn state_file(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => Ok(config::state_folder()
            .context("cannot determine the state folder; name a file with --state")?
            .join("watch.json")),
    }
}

pub(super) async fn run(args: &WatchArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    // What sends nothing needs no secrets of channels.
    let is_silent = !args.test && (args.dry_run || args.backtest.is_some());
    let channels = if is_silent { &[] } else { config.channels.as_slice() };
    let channels = channels.iter().map(Channel::new).collect::<Result<Vec<_>>>();
    let channels = channels.map_err(|error| UsageError(format!("{error:#}")))?;
    if args.test {
        return test(&channels).await;
    }
    let context = sources::context(&args.source, &config)?;
    // What is skipped would never fire: better not to start.
    let (objectives, problems) = config.objectives();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    if let Some(span) = args.backtest {
        let opened = sources::open_args(&args.source, &config).await?;
        return Box::pin(backtest(args, span, &opened, (context, objectives))).await;
    }
    let opened = sources::open_named(&args.source, &config)?;
    // A dry run sends nothing: it neither needs nor changes the state of a real watch.
    let state = match (&args.state, args.dry_run) {
        (None, true) => None,
        (named, _) => Some(state_file(named.as_deref())?),
    };
    let stop = CancellationToken::new();
    let waiting = stop.clone();
    let mut ending = super::ending::Ending::listen();
    tokio::spawn(async move {
        ending.asked().await;
        waiting.cancel();
    });
    let settings = Settings {
        sources: opened.sources.clone(),
        names: opened.names.clone(),
        zone: context.zone,
        channels,
        rules: args.rules.clone(),
        objectives,
        state,
        listen: args.listen,
        dry_run: args.dry_run,
        recall: Recall::new(config::memory_file(), &opened.configs),
        log,
    };
    watch::run(settings, Clock::system(), stop).await?;
    Ok(exit::OK)
}

/// Writes a line to the log on stderr, with its time and without secrets.
fn log(text: &str) {
    tracing::info!("{text}");
    let safe = crosstail_core::model::redact_text(text).into_owned();
    print_error(&format!("{} {safe}", Clock::system().now().rfc3339()));
}

/// Prints what the rules would have said about the past.
async fn backtest(
    args: &WatchArgs,
    span: Duration,
    opened: &OpenSources,
    (context, objectives): (Context, Vec<Objective>),
) -> Result<u8> {
    let (rules, problems) = config::rules(args.rules.as_deref());
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    let range = RangeArgs { since: None, until: args.until.clone() };
    let until = sources::range(&range, &context)?.1.unwrap_or(context.now);
    let since = until.plus_us(-saturating_i64(span.as_micros()));
    let work = Work::command("backtest");
    let count = rules.len();
    let recall = Recall::new(config::memory_file(), &opened.configs);
    let (sources, names, zone) = (&opened.sources[..], &opened.names, context.zone);
    let what = Backtest { sources, names, zone, rules, objectives, work: &work, recall: &recall };
    let found = progress::shown(&work, watch::backtest(what, since, until)).await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.dry_run {
        for notification in found.notifications() {
            writeln!(out, "{}", safe_json(&notification)?)?;
        }
    } else {
        let rows: Vec<[String; 6]> = firings(&found, until, context.zone);
        aligned(&mut out, &["fired", "lasted", "severity", "rule", "of", "reason"], &rows)?;
    }
    out.flush()?;
    let fired = found.changes.iter().flat_map(|(_, changes)| changes);
    let fired = fired.filter(|change| change.transition == Transition::Firing).count();
    let sent = found.notifications().count();
    let range = format!("{} to {}", since.rfc3339_in(context.zone), until.rfc3339_in(context.zone));
    print_error(&format!("{range}: {count} rules, {fired} alerts, {sent} notifications"));
    if !found.silent.is_empty() {
        print_error(&format!("not tested, as metrics have no past: {}", found.silent.join(", ")));
    }
    Ok(opened.exit_code(&found.problems))
}

/// A row for each firing of an alert.
fn firings(found: &Backtested, until: Timestamp, zone: Tz) -> Vec<[String; 6]> {
    let changes = || found.changes.iter().flat_map(|(at, changes)| changes.iter().map(move |change| (*at, change)));
    let of = |(fired, change): (Timestamp, &AlertChange)| {
        let alert = &change.alert;
        let over = changes()
            .find(|(at, other)| *at > fired && other.alert.id == alert.id && other.transition == Transition::Resolved);
        let span = |end: Timestamp| Unit::Seconds.text(end.since_us(fired) as f64 / 1e6);
        let lasted = over.map_or_else(|| format!("{}, still firing", span(until)), |(at, _)| span(at));
        // The reason at the end has the worst of it.
        let reason = over.map_or(&alert.reason, |(_, change)| &change.alert.reason);
        [
            moment(fired, zone),
            lasted,
            alert.severity.as_str().to_owned(),
            alert.rule.clone(),
            visible_line(&group_text(&alert.group)).into_owned(),
            visible_line(&redact_text(reason)).into_owned(),
        ]
    };
    changes().filter(|(_, change)| change.transition == Transition::Firing).map(of).collect()
}

/// Sends a test notification to every channel.
async fn test(channels: &[Channel]) -> Result<u8> {
    if channels.is_empty() {
        return Err(UsageError("no [[channel]] is configured".to_owned()).into());
    }
    let now = Clock::system().now();
    let mut code = exit::OK;
    for channel in channels {
        // What a pager has opened is closed again: nobody is on call for a test.
        let turns: &[Transition] =
            if channel.follows_alerts() { &[Transition::Firing, Transition::Resolved] } else { &[Transition::Firing] };
        let of = |turn: &Transition| {
            Notification::of(vec![AlertChange { transition: *turn, alert: sample_alert(now) }], now)
        };
        for notification in &turns.iter().flat_map(of).collect::<Vec<_>>() {
            let turn = if notification.transition == Transition::Resolved { " (resolved)" } else { "" };
            match channel.send(notification).await {
                Ok(()) => print_error(&format!("channel {}: accepted{turn}", channel.name)),
                Err(problem) => {
                    print_error(&format!("channel {}: {problem}", channel.name));
                    code = exit::FAILED;
                }
            }
        }
    }
    Ok(code)
}

fn sample_alert(now: Timestamp) -> Alert {
    Alert {
        id: format!("test-{}", now.0),
        rule: "Test".to_owned(),
        title: "Test of crosstail".to_owned(),
        severity: Severity::Info,
        group: vec![("system".to_owned(), "none".to_owned())],
        state: AlertState::Firing,
        reason: "nothing is wrong: this is a test of the channel".to_owned(),
        filter: String::new(),
        value: 0.0,
        worst: 0.0,
        since: now,
        fired_at: Some(now),
        clear_since: None,
        resolved_at: None,
        notified_at: Some(now),
        acknowledged: None,
    }
}
