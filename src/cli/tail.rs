//! `crosstail tail`: prints activities as they appear and whenever they change.

use super::args::TailArgs;
use super::ending::Ending;
use super::output::{Writer, print_error};
use super::{exit, sources};
use crate::absent;
use crate::config::Overrides;
use crate::runtime::{MergedHistory, Sources, Work, keeps_whole, payload_of};
use anyhow::Result;
use crosstail_core::filter::{Context, Field, Filter};
use crosstail_core::model::{Activity, Clock, Names, SourceId, Timestamp};
use crosstail_engine::store::Store;
use crosstail_source::pump::{self, PumpEvent, SourceState, StartFrom};
use crosstail_source::{Job, Jobs, PageQuery, Position, Priority, Source, SourceError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Activities remembered, so that a change is recognised as one.
const REMEMBERED: usize = 500_000;

pub(super) async fn run(args: &TailArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter(), &args.source, &config)?;
    let since = sources::moment(args.since.as_deref(), &context)?;
    let writer = Writer::new(&args.output, context.zone, choice.colour)?;
    let opened = sources::open_named(&args.source, &config)?;
    let note = |text: &str| {
        if !args.output.quiet {
            print_error(text);
        }
    };
    let mut shower = Shower {
        store: Store::new(opened.names.clone()),
        filter: &filter,
        zone: context.zone,
        names: &opened.names,
        sources: opened.sources.clone().into(),
        work: Work::command("tail"),
        writer,
    };
    // One that is not reached does not keep the others back.
    let several = opened.sources.len() > 1;
    let mut positions = Vec::new();
    if let Some(lines) = args.lines {
        for (id, source) in &opened.sources {
            match source.position(&Job::new("read history", Priority::Asked)).await {
                Ok(position) => positions.push((*id, position)),
                Err(error) if several => print_error(&error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        let query = PageQuery { filter: filter.clone(), context, limit: lines.clamp(1, 5000), ..PageQuery::all(5000) };
        let joined = MergedHistory::new(&opened.sources, &shower.work, &opened.names, query).partial();
        shower.show(last(joined, lines).await?).await?;
    }
    let mut begun = Vec::new();
    for ((id, source), config) in opened.sources.iter().zip(&opened.configs) {
        // A stream has no history: everything piped in is shown.
        let begin = if config.ended.is_some() || config.run.is_some() {
            StartFrom::After(Position::new(()))
        } else if let Some(at) = positions.iter().position(|(known, _)| known == id) {
            StartFrom::After(positions.swap_remove(at).1)
        } else if since.is_some() {
            match shower.show_since(source.as_ref(), since).await {
                Ok(position) => StartFrom::After(position),
                Err(error) if several && error.is::<SourceError>() => {
                    print_error(&format!("{error}; what it has from before is left out"));
                    StartFrom::Now
                }
                Err(error) => return Err(error),
            }
        } else {
            StartFrom::Now
        };
        begun.push((*id, Arc::clone(source), begin));
    }
    shower.writer.flush()?;
    // Whoever sends to a port that is open may also end the command.
    let mut ending = Ending::listen();
    let cancel = CancellationToken::new();
    let mut events = pumped(begun, &cancel);
    let mut failed = 0;
    loop {
        let event = tokio::select! {
            () = ending.asked() => break,
            event = events.recv() => event,
        };
        match event {
            Some(PumpEvent::Batch { items, .. }) => shower.show(items).await?,
            Some(PumpEvent::Notice(id, text)) => note(&format!("{}: {text}", opened.names.source_name(id))),
            Some(PumpEvent::Probed(id, probe)) => {
                let missing = probe.missing.iter().map(|missing| format!("{}; waiting for it", absent::said(missing)));
                for text in probe.warnings.into_iter().chain(missing) {
                    note(&format!("{}: {text}", opened.names.source_name(id)));
                }
            }
            Some(PumpEvent::State(_, SourceState::Waiting { until, error })) => tell_waiting(until, &error),
            Some(PumpEvent::State(_, SourceState::Failed { error })) => {
                print_error(&error);
                failed += 1;
            }
            Some(
                PumpEvent::State(..)
                | PumpEvent::Following(_)
                | PumpEvent::Interrupted(_)
                | PumpEvent::Catalogue(..)
                | PumpEvent::Vitals(..),
            ) => {}
            None => break,
        }
    }
    if failed == opened.sources.len() {
        return Ok(exit::FAILED);
    }
    if opened.kinds.iter().any(|kind| kind.listens) && !shower.rest(&mut events, &mut ending).await? {
        note("more was received than is printed");
    }
    cancel.cancel();
    Ok(exit::OK)
}

/// What the sources have from where each begins.
fn pumped(begun: Vec<(SourceId, Arc<dyn Source>, StartFrom)>, cancel: &CancellationToken) -> mpsc::Receiver<PumpEvent> {
    let (sender, events) = mpsc::channel(8);
    for (id, source, begin) in begun {
        tokio::spawn(pump::run(id, source, begin, sender.clone(), Jobs::default(), cancel.clone(), Clock::system()));
    }
    events
}

fn tell_waiting(until: Timestamp, error: &str) {
    let wait = until.since_us(Clock::system().now()).max(0) as f64 / 1e6;
    print_error(&format!("{error}; retrying in {wait:.1} s"));
}

/// The last activities, the oldest first.
async fn last(mut joined: MergedHistory<'_>, lines: usize) -> Result<Vec<Activity>> {
    let mut newest = Vec::new();
    while newest.len() < lines
        && let Some(activity) = joined.next().await?
    {
        newest.push(activity);
    }
    for problem in joined.problems() {
        print_error(&problem.to_string());
    }
    newest.reverse();
    Ok(newest)
}

/// Prints what a batch has added or changed.
struct Shower<'a> {
    store: Store,
    filter: &'a Filter,
    zone: chrono_tz::Tz,
    names: &'a Names,
    sources: Sources,
    work: Work,
    writer: Writer,
}

/// What was received before the end was asked for is printed for so long.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// Nothing is on its way any more when nothing comes for so long.
const QUIET: Duration = Duration::from_millis(100);

impl Shower<'_> {
    /// Prints what was received before the end was asked for; returns whether that is all of it. Who asks once more does not wait.
    async fn rest(&mut self, events: &mut mpsc::Receiver<PumpEvent>, ending: &mut Ending) -> Result<bool> {
        let until = tokio::time::Instant::now() + LONGEST_REST;
        let sources = Arc::clone(&self.sources);
        let waits = move || sources.iter().any(|(_, source)| source.waiting() > 0);
        loop {
            let event = tokio::select! {
                () = ending.asked() => return Ok(false),
                () = tokio::time::sleep_until(until) => return Ok(false),
                () = tokio::time::sleep(QUIET), if !waits() => return Ok(true),
                event = events.recv() => event,
            };
            match event {
                Some(PumpEvent::Batch { items, .. }) => self.show(items).await?,
                Some(_) => {}
                None => return Ok(true),
            }
        }
    }

    /// Shows what a source has from a time on, and returns where that ends.
    async fn show_since(&mut self, source: &dyn Source, since: Option<Timestamp>) -> Result<Position> {
        let job = Job::new("read history", Priority::Asked);
        let position = source.position(&job).await?;
        let query = PageQuery { since, newest_first: false, ..PageQuery::all(5000) };
        let mut cursor = None;
        loop {
            let page = source.page(&query, cursor.as_ref(), &job).await?;
            self.show(page.items).await?;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(position);
            }
        }
    }

    async fn show(&mut self, batch: Vec<Activity>) -> Result<()> {
        let predicate = self.filter.predicate(&Context { now: Clock::system().now(), zone: self.zone });
        let mut rows = self.store.ingest(batch).rows;
        if self.filter.expr().names(Field::Final) {
            // What became of an attempt is known from those after it.
            let became = self.store.follow_operations();
            rows.extend(became.into_iter().filter(|row| !rows.contains(row)).collect::<Vec<_>>());
        }
        for row in rows {
            let activity = self.store.get(row);
            if keeps_whole(&self.sources, &self.work, self.names, &predicate, &activity).await {
                let payload = if self.writer.needs_payload() {
                    let (payload, problems) =
                        payload_of(&self.sources, &self.work, &activity.id, &activity.places).await;
                    for problem in problems {
                        print_error(&problem.to_string());
                    }
                    Some(payload)
                } else {
                    None
                };
                self.writer.write(&activity, payload.as_ref(), self.names)?;
            }
        }
        self.writer.flush()?;
        if self.store.len() > REMEMBERED {
            self.store = Store::new(self.names.clone());
        }
        Ok(())
    }
}
