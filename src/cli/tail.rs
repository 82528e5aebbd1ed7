//! `crosstail tail`: activities as they appear and whenever they change.

use super::args::TailArgs;
use super::output::{Writer, complain};
use super::{exit, sources};
use crate::config::Config;
use crate::filter::{Context, Named};
use crate::model::{Clock, Names};
use crate::source::{PageQuery, Position, Source, SourceError, Update, for_each};
use crate::store::Store;
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Activities remembered, so that a change is known as one.
const REMEMBERED: usize = 500_000;

pub(super) async fn run(args: &TailArgs) -> Result<u8> {
    let config = Config::load()?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let since = sources::moment(args.since.as_deref(), &context)?;
    let opened = {
        let (configs, stdin) = sources::configs(&args.source.sources, args.source.schema.as_deref(), &config)?;
        anyhow::ensure!(
            !configs.is_empty(),
            super::UsageError("no source; name one with --source PATH, or configure one".to_owned())
        );
        sources::open(configs, stdin)?
    };
    let mut writer = Writer::new(args.output, &opened.names, context.zone);
    let mut store = Store::new(opened.names.clone());
    let mut starts = Vec::new();
    for (_, source) in &opened.sources {
        // Standard input has no past: what is piped in is what is to be shown.
        let stdin = opened.configs.iter().any(|c| c.name == "stdin");
        starts.push(if stdin { Position::new(()) } else { source.position().await? });
        if since.is_some() {
            let query = PageQuery { since, newest_first: false, ..PageQuery::all(5000) };
            let mut batch = Vec::new();
            for_each(source.as_ref(), &query, |activity| {
                batch.push(activity);
                true
            })
            .await?;
            show(&mut store, batch, &filter, context.zone, &opened.names, &mut writer)?;
        }
    }
    writer.flush()?;
    let cancel = CancellationToken::new();
    let (sink, mut updates) = mpsc::channel(8);
    for ((_, source), start) in opened.sources.iter().zip(starts) {
        tokio::spawn(follow(Arc::clone(source), start, sink.clone(), cancel.clone()));
    }
    drop(sink);
    let mut signals = tokio::spawn(wait_for_signal());
    loop {
        tokio::select! {
            _ = &mut signals => break,
            update = updates.recv() => match update {
                Some(Update::Batch(batch, _)) => {
                    show(&mut store, batch, &filter, context.zone, &opened.names, &mut writer)?;
                    writer.flush()?;
                    if store.len() > REMEMBERED {
                        store = Store::new(opened.names.clone());
                    }
                }
                Some(Update::Notice(text)) => complain(&text),
                Some(Update::CaughtUp | Update::Ended) => {}
                None => break,
            },
        }
    }
    cancel.cancel();
    Ok(exit::OK)
}

fn show(
    store: &mut Store,
    batch: Vec<crate::model::Activity>,
    filter: &crate::filter::Filter,
    zone: chrono_tz::Tz,
    names: &Names,
    writer: &mut Writer<'_>,
) -> Result<()> {
    let predicate = filter.predicate(&Context { now: Clock::system().now(), zone });
    let delta = store.ingest(batch);
    for row in delta.rows {
        let activity = store.get(row);
        if predicate.keeps(&Named { activity: &activity, names, payload: None }) {
            writer.write(&activity)?;
        }
    }
    Ok(())
}

/// Follows a source for as long as anyone listens, through its outages.
async fn follow(source: Arc<dyn Source>, start: Position, sink: mpsc::Sender<Update>, cancel: CancellationToken) {
    let mut position = start;
    let mut wait = Duration::from_millis(500);
    while !cancel.is_cancelled() && !sink.is_closed() {
        let (own, mut updates) = mpsc::channel(4);
        let from = position.clone();
        let forward = async {
            while let Some(update) = updates.recv().await {
                if let Update::Batch(_, Some(now)) = &update {
                    position = now.clone();
                }
                if sink.send(update).await.is_err() {
                    return;
                }
            }
        };
        let following: Result<(), SourceError> = {
            let run = async {
                let outcome = source.follow(from, &own, &cancel).await;
                drop(own);
                outcome
            };
            tokio::join!(run, forward).0
        };
        match following {
            Ok(()) => return,
            Err(error) => {
                let _ = sink.send(Update::Notice(format!("{error}; again in {:.1} s", wait.as_secs_f64()))).await;
                if !error.kind.is_transient() {
                    return;
                }
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(30));
    }
}

/// Until Ctrl-C, hang-up or termination.
async fn wait_for_signal() {
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ]) {
        std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                let _ = sender.blocking_send(());
            }
        });
    }
    receiver.recv().await;
}
