//! `crosstail generate`: the demo's simulated traffic, written to real stores in the form that each system uses.

use super::args::{GenerateArgs, TextOrJson};
use super::ending::Ending;
use super::output::{aligned, counter, print_error};
use super::{UsageError, exit, target};
use crate::kinds;
use anyhow::{Context as _, Result, ensure};
use crosstail_core::model::{Clock, redact_text};
use crosstail_core::number::{saturating_i64, truncated_i64};
use crosstail_record::simulate::{Simulation, Traffic, live, write_all};
use crosstail_record::write::Writer;
use crosstail_source::{Kind, WriteOptions};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Steps per batch while history is written.
const STEPS: usize = 5000;

pub(super) async fn run(args: &GenerateArgs) -> Result<u8> {
    ensure!(
        args.rate > 0.0 && args.rate <= 100_000.0,
        UsageError("--rate must be above 0 and at most 100000".to_owned())
    );
    let mut writers: Vec<Box<dyn Writer>> = Vec::new();
    let mut owners = Vec::new();
    for to in &args.to {
        for writer in writers_of(to, args).await.with_context(|| redact_text(to).into_owned())? {
            writers.push(writer);
            owners.push(redact_text(to).into_owned());
        }
    }
    let clock = Clock::system();
    let began = Instant::now();
    let simulation = rated(args, &writers, &clock);
    let from = simulation.anchor.plus_us(-saturating_i64(args.history.as_micros()));
    let mut traffic = Traffic::new(simulation, from).limited(args.count.unwrap_or(u64::MAX));
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut ending = Ending::listen();
    tokio::spawn(async move {
        ending.asked().await;
        stop.cancel();
    });
    let bar = counter("activities written");
    // History in order of time, in slices that hold about `STEPS` steps each.
    let stretch = truncated_i64(STEPS as f64 / args.rate * 1e6).clamp(1_000, 600_000_000);
    let mut at = from;
    while at < simulation.anchor && !cancel.is_cancelled() && traffic.has_more() {
        at = at.plus_us(stretch).min(simulation.anchor);
        let steps = traffic.next_steps(at, true, &|start| writers.iter().any(|writer| writer.accepts(start)));
        write_all(&mut writers, &steps).await?;
        bar.set_position(traffic.started());
    }
    if traffic.has_more() && args.length != Some(Duration::ZERO) {
        if let Some(length) = args.length {
            let timer = cancel.clone();
            tokio::spawn(async move {
                tokio::time::sleep(length).await;
                timer.cancel();
            });
        }
        live(&mut traffic, &mut writers, &clock, &cancel, |traffic| {
            bar.set_position(traffic.started());
            traffic.has_more()
        })
        .await?;
    }
    // Cancel open activities, as a service does when it shuts down: nothing stays in progress for ever.
    let cancelled = traffic.cancel(clock.now());
    write_all(&mut writers, &cancelled).await?;
    for writer in &mut writers {
        writer.finish().await?;
    }
    bar.finish_and_clear();
    say(args, &writers, &owners, traffic.started(), began)?;
    for writer in writers {
        writer.close().await?;
    }
    Ok(exit::OK)
}

/// A simulation fast enough that the activities which the writers accept come at the requested rate: a system does not
/// log everything.
fn rated(args: &GenerateArgs, writers: &[Box<dyn Writer>], clock: &Clock) -> Simulation {
    let plain = Simulation {
        rate: args.rate,
        incident: args.incident,
        ..Simulation::new(args.seed.unwrap_or_else(|| fastrand::u64(..)), clock.now())
    };
    let sample = Simulation { rate: 20.0, ..plain }.chunk(0);
    let taken = sample.iter().filter(|one| writers.iter().any(|writer| writer.accepts(&one.start))).count();
    Simulation { rate: args.rate * sample.len() as f64 / taken.max(1) as f64, ..plain }
}

/// The writers for an address or a path.
async fn writers_of(to: &str, args: &GenerateArgs) -> Result<Vec<Box<dyn Writer>>> {
    let path = Path::new(to);
    let written = |kind: &&Kind| match to.split_once("://") {
        Some((scheme, _)) => kind.writing.is_some() && kind.schemes.contains(&scheme),
        None => kind.writing.as_ref().is_some_and(|writing| (writing.claims)(path)),
    };
    let writing = kinds::ALL.iter().find(|kind| written(kind)).and_then(|kind| kind.writing.as_ref());
    let options = WriteOptions { schema: args.schema.clone(), keep_files: args.keep_files };
    match writing {
        Some(writing) => (writing.open)(to, &options).await,
        None => Err(target::refused(to, |kind| kind.writing.is_some()).into()),
    }
}

/// Prints how much was written, to standard output.
fn say(args: &GenerateArgs, writers: &[Box<dyn Writer>], owners: &[String], begun: u64, began: Instant) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = writers.iter().zip(owners).flat_map(|(writer, to)| {
        writer.written().into_iter().map(move |(what, count)| [to.clone(), what, count.to_string()])
    });
    let rows: Vec<[String; 3]> = written.collect();
    match args.output {
        TextOrJson::Json => {
            for [to, what, count] in &rows {
                writeln!(out, "{}", json!({ "to": to, "what": what, "count": count.parse::<u64>().unwrap_or(0) }))?;
            }
        }
        TextOrJson::Text => aligned(&mut out, &["to", "what", "written"], &rows)?,
    }
    let took = began.elapsed().as_secs_f64();
    print_error(&format!("{begun} activities in {took:.1} s, {:.0} per second", begun as f64 / took.max(1e-9)));
    Ok(())
}
