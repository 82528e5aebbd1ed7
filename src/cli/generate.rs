//! `crosstail generate`: the demo's simulated traffic, written into real stores as the systems write it.

use super::args::{GenerateArgs, TextOrJson};
use super::output::{aligned, complain, counter};
use super::tail::wait_for_signal;
use super::{UsageError, exit, target};
use crate::model::{Clock, redact_text};
use crate::record::create::Target;
use crate::record::simulate::{Simulation, Traffic, live, write_all};
use crate::record::write::{FileWriter, SqliteWriter, Writer};
use crate::source::registry;
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Steps written at a time while history is written.
const STEPS: usize = 5000;

pub(super) async fn run(args: &GenerateArgs) -> Result<u8> {
    ensure!(
        args.rate > 0.0 && args.rate <= 100_000.0,
        UsageError("--rate must be over 0, and at most 100000".to_owned())
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
    let from = simulation.anchor.plus_us(-(args.history.as_micros() as i64));
    let mut traffic = Traffic::new(simulation, from).limited(args.count.unwrap_or(u64::MAX));
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        stop.cancel();
    });
    let bar = counter("activities written");
    // The past, in order of time: so much of it at once that about as many steps are due.
    let stretch = ((STEPS as f64 / args.rate * 1e6) as i64).clamp(1_000, 600_000_000);
    let mut at = from;
    while at < simulation.anchor && !cancel.is_cancelled() && traffic.is_open() {
        at = at.plus_us(stretch).min(simulation.anchor);
        let steps = traffic.due(at, true, &|start| writers.iter().any(|writer| writer.takes(start)));
        write_all(&mut writers, &steps).await?;
        bar.set_position(traffic.begun());
    }
    if traffic.is_open() && args.length != Some(Duration::ZERO) {
        if let Some(length) = args.length {
            let timer = cancel.clone();
            tokio::spawn(async move {
                tokio::time::sleep(length).await;
                timer.cancel();
            });
        }
        live(&mut traffic, &mut writers, &clock, &cancel, |traffic| {
            bar.set_position(traffic.begun());
            traffic.is_open()
        })
        .await?;
    }
    // What has begun ends as it does where a service is shut down: nothing stays in progress for ever.
    let cancelled = traffic.cancel(clock.now());
    write_all(&mut writers, &cancelled).await?;
    for writer in &mut writers {
        writer.finish().await?;
    }
    bar.finish_and_clear();
    say(args, &writers, &owners, traffic.begun(), began)?;
    Ok(exit::OK)
}

/// The simulation whose activities that are taken come at the rate asked for: a system does not log everything.
fn rated(args: &GenerateArgs, writers: &[Box<dyn Writer>], clock: &Clock) -> Simulation {
    let plain = Simulation {
        rate: args.rate,
        incident: args.incident,
        ..Simulation::new(args.seed.unwrap_or_else(|| fastrand::u64(..)), clock.now())
    };
    let sample = Simulation { rate: 20.0, ..plain }.chunk(0);
    let taken = sample.iter().filter(|one| writers.iter().any(|writer| writer.takes(&one.start))).count();
    Simulation { rate: args.rate * sample.len() as f64 / taken.max(1) as f64, ..plain }
}

/// What writes to an address.
async fn writers_of(to: &str, args: &GenerateArgs) -> Result<Vec<Box<dyn Writer>>> {
    let schema = args.schema.as_deref();
    if !to.contains("://") || to.starts_with("sqlite://") || to.starts_with("file://") {
        let path = Path::new(to.trim_start_matches("sqlite://").trim_start_matches("file://"));
        let is_named_one =
            path.extension().is_some_and(|ending| ["sqlite", "db", "sqlite3"].iter().any(|e| ending == *e));
        return if is_named_one || registry::is_database(&path.to_string_lossy()) || to.starts_with("sqlite://") {
            Ok(vec![Box::new(SqliteWriter::open(path).await?)])
        } else {
            Ok(vec![Box::new(FileWriter::open(path, args.keep_files)?)])
        };
    }
    let unknown = |store: &str, known: &str| UsageError(format!("{store} is written to as {known}: --schema NAME"));
    match target::of(to)? {
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => {
            use crate::record::write::{PostgresWriter, Table};
            let known = Table::ALL.map(Table::schema).join(", ");
            let tables = match schema {
                Some(name) => vec![Table::of_schema(name).ok_or_else(|| unknown("PostgreSQL", &known))?],
                None => PostgresWriter::tables(&url).await?,
            };
            ensure!(
                !tables.is_empty(),
                "there is none of the tables yet; create them with: crosstail schema apply NAME --to URL, NAME one of {known}"
            );
            let mut writers: Vec<Box<dyn Writer>> = Vec::new();
            for table in tables {
                writers.push(Box::new(PostgresWriter::connect(&url, table).await?));
            }
            Ok(writers)
        }
        #[cfg(feature = "mongodb")]
        Target::Mongodb(url) => {
            ensure!(schema.is_none_or(|name| name == "prokure"), unknown("MongoDB", "prokure"));
            Ok(vec![Box::new(crate::record::write::MongodbWriter::connect(&url).await?)])
        }
        #[cfg(feature = "elasticsearch")]
        Target::Elasticsearch(transport) => {
            let pattern = crate::source::elasticsearch::pattern(to)?;
            let told = if pattern.starts_with("engineering") { "engineering-logs" } else { "halopsa" };
            let writer = crate::record::write::ElasticsearchWriter::new(transport, &pattern, schema.unwrap_or(told))?;
            Ok(vec![Box::new(writer)])
        }
        #[cfg(feature = "kafka")]
        Target::Kafka(config) => {
            ensure!(schema.is_none_or(|name| name == "engineering-logs"), unknown("Kafka", "engineering-logs"));
            let patterns = crate::source::kafka::topics(to)?;
            let takes = move |topic: &str| {
                let mut patterns = patterns.iter().filter_map(|pattern| glob::Pattern::new(pattern).ok());
                patterns.any(|pattern| pattern.matches(topic))
            };
            // Asking for the topics waits for the brokers.
            let connect = move || crate::record::write::KafkaWriter::connect(config, takes);
            let writer = tokio::task::spawn_blocking(connect).await??;
            Ok(vec![Box::new(writer)])
        }
    }
}

/// Says what was written: data, on standard output.
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
    complain(&format!("{begun} activities in {took:.1} s, {:.0} a second", begun as f64 / took.max(1e-9)));
    Ok(())
}
