//! `crosstail demo`: the explorer over an embedded store with live simulated traffic.

use super::args::{DemoArgs, ViewArgs};
use super::explore;
use super::past::failures_before;
use crate::action::Action;
use crate::config::{Config, Marker, ObjectiveEntry, Overrides};
use crate::kinds;
use crate::log::Log;
use crate::runtime::Recall;
use crate::screens::{self, Event, Opened};
use crate::tui::leavings::Leaving;
use anyhow::{Context as _, Result, ensure};
use crosstail_core::model::{Clock, Direction, Kind, Names, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_engine::insight::Tool;
use crosstail_engine::insight::alerting::Rule;
use crosstail_record::simulate::{Simulation, Traffic, live, seed_history};
use crosstail_record::write::{SqliteWriter, Writer};
use crosstail_record::{Outcome, Start, WriteStep};
use crosstail_source::{Job, Priority, SourceConfig};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

impl DemoArgs {
    pub(super) const SEED: u64 = 7;
    pub(super) const RATE: f64 = 2.5;
    const HISTORY: Duration = Duration::from_hours(30);

    /// The demonstration that is opened where no option says another.
    pub(super) const fn usual(look: ViewArgs) -> Self {
        Self { seed: Self::SEED, rate: Self::RATE, history: Self::HISTORY, keep: None, tour: false, look }
    }
}

/// A demonstration: what writes its traffic, and the folder of its store, which goes with it.
pub(super) struct Demo {
    cancel: CancellationToken,
    writer: JoinHandle<Result<()>>,
    _folder: Leaving,
}

impl Demo {
    /// Ends its traffic, and removes what it has written, unless that is to be kept.
    pub(super) async fn end(self) {
        self.cancel.cancel();
        let _ = tokio::time::timeout(Duration::from_millis(500), self.writer).await;
    }
}

pub(super) async fn run(args: &DemoArgs, choice: &Overrides, log: Log) -> Result<u8> {
    args.look.check()?;
    let config = Config::load(&args.look.over(choice))?;
    let (opened, demo) = open(args, config, log).await?;
    let code = screens::run(opened, Clock::system(), &mut explore::Fixed).await?;
    demo.end().await;
    Ok(code)
}

/// Opens the explorer over a demonstration.
pub(super) async fn open(args: &DemoArgs, mut config: Config, log: Log) -> Result<(Opened, Demo)> {
    config.objectives.push(objective());
    ensure!(
        args.rate > 0.0 && args.rate <= 100_000.0,
        super::UsageError("--rate must be above 0 and at most 100000".to_owned())
    );
    // What it shows is invented, and yet nobody else's.
    let own = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("crosstail-demo-").permissions(own).tempdir();
    let folder = Leaving::new(folder.context("cannot create a temporary folder")?.keep());
    let path = args.keep.clone().unwrap_or_else(|| folder.path().join("demo.sqlite"));
    ensure!(
        args.keep.is_none() || !path.exists(),
        super::UsageError(format!("{} exists; --keep needs a new file", path.display()))
    );
    let clock = Clock::system();
    let simulation = Simulation { rate: args.rate, ..Simulation::new(args.seed, clock.now()) };
    // A new file, whatever somebody has put there meanwhile, and its user's alone; what SQLite puts beside it is as it is.
    let made = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path);
    made.with_context(|| path.display().to_string())?;
    // The table must exist before the source probes it. The history is written while the screen opens.
    let mut store = SqliteWriter::open(&path).await?;
    let cancel = CancellationToken::new();
    let is_written = Arc::new(AtomicBool::new(false));
    let (done, history_written) = tokio::sync::oneshot::channel::<()>();
    let writer = {
        let written = Arc::clone(&is_written);
        let (history, clock, cancel) = (args.history, clock.clone(), cancel.clone());
        tokio::spawn(async move {
            // Who leaves does not wait for the past.
            let mut traffic = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                traffic = write_past(simulation, history, &mut store) => traffic?,
            };
            written.store(true, Ordering::Release);
            let _ = done.send(());
            let mut writers: [Box<dyn Writer>; 1] = [Box::new(store)];
            live(&mut traffic, &mut writers, &clock, &cancel, |_| true).await?;
            writers[0].finish().await
        })
    };
    let names = Names::default();
    let source = SourceConfig {
        name: "demo".to_owned(),
        at: vec![format!("sqlite://{}", path.display())],
        ..SourceConfig::default()
    };
    let opened = kinds::ALL.open(&source, &names)?;
    let invocation = match &args.keep {
        Some(path) => format!("crosstail {}", path.display()),
        None => format!("crosstail demo --seed {}", args.seed),
    };
    // What is said about invented groups goes with them. Their past is being written.
    let recall = Recall::new(Some(folder.path().join("memory.sqlite")), std::slice::from_ref(&source));
    let recall = recall.of_a_growing_past(is_written);
    let all = (names, vec![opened], std::collections::HashMap::new(), recall, None);
    let mut opened = explore::explorer_over(all, &args.look, invocation, &config, log)?;
    // What is new is told; in a configuration this is a file in the folder of rules.
    let (_, rule) = Rule::from_toml(NEW_FAILURE, "new failure")?;
    opened.explorer.shared.alerts.alerting.rules.extend(rule);
    let deploy = Marker { at: simulation.anchor.plus_us(-DEPLOY_US), text: "deployed 1.4.3".to_owned() };
    opened.explorer.shared.set_own_markers(vec![deploy]);
    if let Ok(link) = Tool::link("trace in the tracing system", "corr:*", TRACES) {
        opened.explorer.shared.settings.tools.push(link);
    }
    // Until its day is written, what is shown is a part of it.
    let shared = &opened.explorer.shared;
    if let Some(source) = shared.sources.first() {
        let job = Job::new("the demonstration writes its history: figures grow", Priority::View);
        let writing = shared.jobs.begin(source.id, job);
        tokio::spawn(async move {
            // Who leaves does not wait for it.
            tokio::select! {
                _ = history_written => {}
                () = writing.cancelled() => {}
            }
        });
    }
    opened.explorer.stack.offer_tour();
    if args.tour {
        // It asks nothing of the runtime.
        drop(opened.explorer.update(Event::Action(Action::TOUR)));
    } else {
        opened.explorer.shared.notify("new here? : tour leads through it in five steps");
    }
    Ok((opened, Demo { cancel, writer, _folder: folder }))
}

/// Writes what was before the demonstration begins.
async fn write_past(simulation: Simulation, history: Duration, store: &mut SqliteWriter) -> Result<Traffic> {
    // What is looked for first is written first.
    store.write(&broken_by_deploy(simulation.anchor, history)).await?;
    let traffic = seed_history(simulation, history, store).await?;
    let past = tokio::task::spawn_blocking(move || failures_before(&simulation)).await?;
    for steps in past.chunks(STEPS) {
        store.write(steps).await?;
    }
    Ok(traffic)
}

/// So many rows are written at once.
const STEPS: usize = 1000;

/// The rule of the demonstration.
const NEW_FAILURE: &str = r#"
name = "NewFailure"
title = "New failure"
severity = "warning"
when = ">= 10"
window = "1h"

[activities]
measure = "new_group"
"#;

/// Where the traces of the demonstration would be; in a configuration this is a `[[link]]`.
const TRACES: &str = "https://traces.prokure.example/trace/{corr}";

/// What is promised in the demonstration.
fn objective() -> ObjectiveEntry {
    let text = |text: &str| text.to_owned();
    ObjectiveEntry {
        name: text("calls to SAP succeed"),
        filter: text("system:SAP kind:api_call"),
        good: text("status:success"),
        target: text("98 %"),
        window: text("7d"),
    }
}

/// So long before the demonstration begins something was deployed, in microseconds.
const DEPLOY_US: i64 = 14 * 60_000_000;
/// The tenants whose calls it has broken.
const TENANTS: [u32; 3] = [4, 17, 23];
/// An order in so many microseconds that the deploy has broken, by its number.
const BROKEN_US: [i64; 3] = [11_000_000, 17_000_000, 8_000_000];
/// So long after the first try of such an order the others are.
const TRIES_US: [i64; 3] = [0, 20_000_000, 80_000_000];
/// For so long before the deploy invoices were posted, unless there is less history; one in so many microseconds.
const WELL_US: i64 = 6 * 3_600_000_000;
const WELL_EVERY_US: i64 = 120_000_000;

/// Postings of invoices: they went well until the deploy, which has broken those of three tenants. A failure that is new, with what
/// led to each, and its tries.
fn broken_by_deploy(now: Timestamp, history: Duration) -> Vec<WriteStep> {
    let mut steps = Vec::new();
    let deploy = now.plus_us(-DEPLOY_US);
    let well_us = WELL_US.min(saturating_i64(history.as_micros()) - DEPLOY_US);
    for (number, ago) in (1..=well_us / WELL_EVERY_US).enumerate() {
        let posted = posting(number, deploy.plus_us(-ago * WELL_EVERY_US));
        let document = Some(serde_json::json!({ "document": 51_000 + number }));
        steps.push(finished(posted, 201, 340_000, Outcome { response_body: document, ..Outcome::default() }));
    }
    let mut at = deploy.plus_us(BROKEN_US[0]);
    for number in 0_usize.. {
        at = at.plus_us(BROKEN_US[number % BROKEN_US.len()]);
        if at >= now {
            break;
        }
        let first = posting(number, at);
        let approved = Start {
            id: uuid::Uuid::new_v4().to_string(),
            kind: Some(Kind::Webhook),
            direction: Some(Direction::In),
            system: "HaloPSA".to_owned(),
            endpoint: Some("invoice.approved".to_owned()),
            url: Some("/webhooks/halopsa".to_owned()),
            operation: Some("invoice.approved".to_owned()),
            attempt: None,
            max_attempts: None,
            started_at: at.plus_us(-1_200_000),
            ..first.clone()
        };
        let mut before = approved.id.clone();
        steps.push(finished(approved, 200, 26_000, Outcome::default()));
        let said = format!("tax code GST18 is not mapped for plant {}", 1700 + number % 4);
        for (attempt, after) in (1..).zip(TRIES_US) {
            let started_at = at.plus_us(after);
            if started_at >= now {
                break;
            }
            let id = uuid::Uuid::new_v4().to_string();
            let parent_request_id = Some(std::mem::replace(&mut before, id.clone()));
            let call = Start { id, parent_request_id, attempt: Some(attempt), started_at, ..first.clone() };
            let refused = Outcome {
                status: Some(Status::Failed),
                response_body: Some(serde_json::json!({ "error": { "code": "TaxCodeNotMapped", "message": said } })),
                error: Some(said.clone()),
                error_type: Some("TaxCodeNotMapped".to_owned()),
                message: Some(said.clone()),
                next_retry_at: TRIES_US.get(usize::from(attempt)).map(|next| at.plus_us(*next)),
                ..Outcome::default()
            };
            steps.push(finished(call, 422, 212_000, refused));
        }
    }
    steps
}

/// A posting of an invoice by its number, in its first try.
fn posting(number: usize, at: Timestamp) -> Start {
    let invoice = format!("INVOICE-{}", 48_210 + number % 31);
    Start {
        id: uuid::Uuid::new_v4().to_string(),
        kind: Some(Kind::ApiCall),
        direction: Some(Direction::Out),
        system: "SAP".to_owned(),
        endpoint: Some("/invoice/post".to_owned()),
        method: Some("POST".to_owned()),
        url: Some("https://sap.prokure.example/invoice/post".to_owned()),
        operation: Some("POST".to_owned()),
        entity: Some(format!("INVOICE {invoice}")),
        actor: Some("SCHEDULER".to_owned()),
        organization: Some(format!("org-{}", TENANTS[number % TENANTS.len()])),
        correlation_id: Some(uuid::Uuid::new_v4().to_string()),
        attempt: Some(1),
        max_attempts: Some(3),
        request_body: Some(serde_json::json!({ "number": invoice, "tax_code": "GST18" })),
        started_at: at,
        ..Start::default()
    }
}

/// What has ended after so many microseconds with an HTTP status; well, unless the outcome says otherwise.
fn finished(start: Start, http_status: u16, took_us: i64, outcome: Outcome) -> WriteStep {
    let outcome = Outcome {
        status: outcome.status.or(Some(Status::Success)),
        http_status: Some(http_status),
        completed_at: Some(start.started_at.plus_us(took_us)),
        ..outcome
    };
    WriteStep::Finished(start.into(), outcome.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser as _;

    /// Screen and runtime have one list of jobs, and who leaves does not wait for the history.
    #[tokio::test]
    async fn it_is_told_that_the_history_is_being_written() {
        let Some(Command::Demo(args)) = Cli::parse_from(["crosstail", "demo"]).command else {
            panic!("a demonstration")
        };
        let (opened, demo) = open(&args, Config::default(), Log::default()).await.expect("a demonstration");
        let (jobs, shown) = (opened.runtime.jobs().clone(), opened.explorer.shared.jobs.clone());
        for jobs in [&jobs, &shown] {
            assert!(jobs.list().iter().any(|job| job.purpose.contains("writes its history")));
        }
        opened.runtime.end().await;
        assert!(jobs.list().is_empty());
        demo.end().await;
    }

    #[test]
    fn the_first_page_opens_the_usual_demonstration() {
        let Some(Command::Demo(args)) = Cli::parse_from(["crosstail", "demo"]).command else {
            panic!("a demonstration")
        };
        let usual = DemoArgs::usual(args.look.clone());
        assert_eq!((usual.seed, usual.history, usual.keep), (args.seed, args.history, args.keep));
        assert_eq!((usual.rate.to_bits(), usual.tour), (args.rate.to_bits(), args.tour));
    }
}
