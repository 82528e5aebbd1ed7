//! `crosstail watch`: evaluates the rules without a screen and sends notifications.

use super::args::WatchArgs;
use super::output::print_error;
use super::{UsageError, exit, sources};
use crate::config::{self, Overrides};
use crate::watch::{self, Channel, Notification, Settings};
use anyhow::{Context as _, Result};
use crosstail_core::model::{Clock, Timestamp};
use crosstail_engine::insight::alerting::{Alert, AlertChange, AlertState, Severity, Transition};
use std::path::{Path, PathBuf};
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
    let channels = config.channels.iter().map(Channel::new).collect::<Result<Vec<_>>>();
    let channels = channels.map_err(|error| UsageError(format!("{error:#}")))?;
    if args.test {
        return test(&channels).await;
    }
    let context = sources::context(&args.source, &config)?;
    let opened = sources::open_named(&args.source, &config)?;
    // A dry run sends nothing: it neither needs nor changes the state of a real watch.
    let state = match (&args.state, args.dry_run) {
        (None, true) => None,
        (named, _) => Some(state_file(named.as_deref())?),
    };
    let stop = CancellationToken::new();
    let waiting = stop.clone();
    tokio::spawn(async move {
        super::tail::wait_for_signal().await;
        waiting.cancel();
    });
    let settings = Settings {
        sources: opened.sources.clone(),
        names: opened.names.clone(),
        zone: context.zone,
        channels,
        rules: args.rules.clone(),
        state,
        listen: args.listen,
        dry_run: args.dry_run,
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

/// Sends a test notification to every channel.
async fn test(channels: &[Channel]) -> Result<u8> {
    if channels.is_empty() {
        return Err(UsageError("no [[channel]] is configured".to_owned()).into());
    }
    let now = Clock::system().now();
    let mut code = exit::OK;
    for channel in channels {
        let notifications =
            Notification::of(vec![AlertChange { transition: Transition::Firing, alert: sample_alert(now) }], now);
        for notification in &notifications {
            match channel.send(notification).await {
                Ok(()) => print_error(&format!("channel {}: accepted", channel.name)),
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
