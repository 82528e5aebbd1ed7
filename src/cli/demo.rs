//! `crosstail demo`: the explorer over an embedded store with live simulated traffic.

use super::args::DemoArgs;
use super::explore;
use crate::config::{Config, Overrides};
use crate::kinds;
use crate::log::Log;
use crate::runtime::Recall;
use crate::screens;
use anyhow::{Context as _, Result, ensure};
use crosstail_core::model::{Clock, Names};
use crosstail_record::simulate::{Simulation, live, seed_history};
use crosstail_record::write::{SqliteWriter, Writer};
use crosstail_source::SourceConfig;
use std::os::unix::fs::PermissionsExt as _;
use tokio_util::sync::CancellationToken;

pub(super) async fn run(args: &DemoArgs, choice: &Overrides, log: Log) -> Result<u8> {
    let config = Config::load(&args.look.over(choice))?;
    ensure!(
        args.rate > 0.0 && args.rate <= 100_000.0,
        super::UsageError("--rate must be above 0 and at most 100000".to_owned())
    );
    // What it shows is invented, and yet nobody else's.
    let own = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("crosstail-demo-").permissions(own).tempdir();
    let folder = folder.context("cannot create a temporary folder")?;
    let path = args.keep.clone().unwrap_or_else(|| folder.path().join("demo.sqlite"));
    ensure!(
        args.keep.is_none() || !path.exists(),
        super::UsageError(format!("{} exists; --keep needs a new file", path.display()))
    );
    let clock = Clock::system();
    let simulation = Simulation { rate: args.rate, ..Simulation::new(args.seed, clock.now()) };
    // The table must exist before the source probes it. The history is written while the screen opens.
    let mut store = SqliteWriter::open(&path).await?;
    let cancel = CancellationToken::new();
    let writer = {
        let (history, clock, cancel) = (args.history, clock.clone(), cancel.clone());
        tokio::spawn(async move {
            let mut traffic = seed_history(simulation, history, &mut store).await?;
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
    // What is said about invented groups goes with them.
    let recall = Recall::new(Some(folder.path().join("memory.sqlite")), std::slice::from_ref(&source));
    let all = (names, vec![opened], std::collections::HashMap::new(), recall);
    let opened = explore::explorer_over(all, &args.look, invocation, &config, log)?;
    let code = screens::run(opened, Clock::system(), &mut explore::Fixed).await?;
    cancel.cancel();
    let _ = tokio::time::timeout(std::time::Duration::from_millis(500), writer).await;
    Ok(code)
}
