//! What is remembered of some sources between sessions, and how it is kept: what failed before, what was said about groups of
//! failures, how the explorer was left.

use super::complete::by_ids;
use super::{END, Runtime, Sources, Work};
use crate::config::{add_view, private_folder};
use crate::effect::{Effect, Reply};
use anyhow::{Context as _, Result};
use crosstail_core::model::{Activity, Clock, Id, Timestamp, merge_by_id, redact_text};
use crosstail_engine::failure::{Fingerprint, Remark};
use crosstail_memory::{Keep, Left, Memory};
use crosstail_source::{PageQuery, Priority, SourceConfig};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Nobody waits longer for the first picture: then what is remembered is as good as lost.
const PATIENCE: Duration = Duration::from_millis(500);
/// So much may wait to be kept. It is more only where the disk does not answer.
const WAITING: usize = 256;

/// Where what is known of some sources is remembered.
#[derive(Debug, Clone, Default)]
pub struct Recall {
    /// The file; without one, nothing is remembered.
    path: Option<PathBuf>,
    /// Stands for the sources.
    pub(super) scope: String,
    /// Whether the past is still being written, so that what was read of it says little of what will be there.
    pub(super) grows: bool,
    /// Of a past that is being written: whether all of it is.
    is_written: Option<Arc<AtomicBool>>,
    /// Whether how the explorer is left is kept.
    pub(super) keeps: bool,
}

impl Recall {
    /// In a file, for these sources.
    pub fn new(path: Option<PathBuf>, sources: &[SourceConfig]) -> Self {
        let absolute = |at: &String| match std::path::absolute(at) {
            Ok(path) if !at.contains("://") => path.display().to_string(),
            _ => redact_text(at).into_owned(),
        };
        let one = |source: &SourceConfig| {
            let schema = source.schema.as_ref().map(|schema| schema.definition().name.clone());
            format!("{:?} {schema:?}", source.at.iter().map(absolute).collect::<Vec<_>>())
        };
        let mut all: Vec<String> = sources.iter().map(one).collect();
        all.sort();
        let hash = Sha256::digest(all.join("\n").as_bytes());
        let scope = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { path, scope, ..Self::default() }
    }

    /// Keeps what a user says, and reads the past each time.
    #[must_use]
    pub fn of_a_growing_past(self, is_written: Arc<AtomicBool>) -> Self {
        Self { grows: true, is_written: Some(is_written), ..self }
    }

    /// Keeps how the explorer is left.
    #[must_use]
    pub fn of_sessions(self) -> Self {
        Self { keeps: true, ..self }
    }

    /// Whether some of the past is still being written.
    pub(super) fn is_being_written(&self) -> bool {
        self.is_written.as_ref().is_some_and(|is_written| !is_written.load(Ordering::Acquire))
    }

    pub(super) async fn open(&self) -> Result<Option<Memory>> {
        let Some(path) = &self.path else { return Ok(None) };
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        Ok(Some(Memory::open(path).await.with_context(|| path.display().to_string())?))
    }

    /// Keeps what a user said about a group.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub async fn say(&self, of: &Fingerprint, remark: &Remark) -> Result<()> {
        if let Some(mut memory) = self.open().await? {
            memory.say(&self.scope, of, remark).await?;
            memory.close().await?;
        }
        Ok(())
    }

    /// How the explorer over these sources was left. Where there is no file, none is made.
    ///
    /// # Errors
    /// If it cannot be read at once; for people.
    pub async fn left(&self) -> Result<Left> {
        let is_missing = self.path.as_ref().is_none_or(|path| path.symlink_metadata().is_err());
        if !self.keeps || is_missing {
            return Ok(Left::default());
        }
        let read = async {
            let Some(mut memory) = self.open().await? else { return Ok(Left::default()) };
            let left = memory.left(&self.scope).await?;
            memory.close().await?;
            Ok(left)
        };
        tokio::time::timeout(PATIENCE, read).await.context("the disk does not answer")?
    }

    async fn keep(&self, keep: &Keep, now: Timestamp) -> Result<()> {
        if let Some(mut memory) = self.open().await? {
            memory.keep(&self.scope, keep, now).await?;
            memory.close().await?;
        }
        Ok(())
    }
}

/// Keeps one thing after the other, in the order in which they were asked for.
pub(super) struct Keeper {
    queue: mpsc::Sender<Keep>,
    done: JoinHandle<()>,
}

impl Keeper {
    fn start(recall: Recall, clock: Clock, replies: mpsc::Sender<super::Answer>) -> Self {
        let (queue, mut asked) = mpsc::channel(WAITING);
        let done = tokio::spawn(async move {
            let mut is_said = false;
            while let Some(keep) = asked.recv().await {
                let Err(error) = recall.keep(&keep, clock.now()).await else { continue };
                // The next one will hardly be kept, either.
                if !std::mem::replace(&mut is_said, true) {
                    // The explorer may have ended meanwhile.
                    let _ = replies.try_send((0, Reply::Notice(format!("not kept: {error:#}"))));
                }
            }
        });
        Self { queue, done }
    }

    /// Until everything is kept, but not for long.
    pub(super) async fn end(self) {
        drop(self.queue);
        let _ = tokio::time::timeout(END, self.done).await;
    }
}

impl Runtime {
    /// Starts what is remembered or asked about what is; returns any other effect.
    pub(super) fn run_recall(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::SayOfGroup(said) => {
                let recall = self.recall.clone();
                self.spawn(self.cancel.clone(), 0, async move {
                    let kept = recall.say(&said.0, &said.1).await;
                    Reply::Notice(kept.map_or_else(|error| format!("not kept: {error:#}"), |()| said.2))
                });
            }
            Effect::Keep(keep) => {
                let new = || Keeper::start(self.recall.clone(), self.clock.clone(), self.replies.clone());
                // Where it does not fit, the disk has not answered for long: of that, it will be said.
                let _ = self.keeper.get_or_insert_with(new).queue.try_send(*keep);
            }
            Effect::FindMarked(ticket, marked) => {
                let work = self.work("find what was marked", Priority::Background, &self.cancel);
                let (sources, context) = (Arc::clone(&self.sources), self.context());
                let (since, until) =
                    marked.iter().fold((Timestamp(i64::MAX), Timestamp(i64::MIN)), |(from, to), one| {
                        (from.min(one.1), to.max(one.1.plus_us(1)))
                    });
                let (since, until) = (Some(since), Some(until));
                let within = PageQuery { context, since, until, ..PageQuery::all(marked.len()) };
                let ids: Vec<Id> = marked.into_iter().map(|(id, _)| id).collect();
                self.spawn(self.cancel.clone(), ticket, async move {
                    Reply::Marked(found(&sources, &work, &ids, &within).await)
                });
            }
            Effect::SaveView(path, view) => self.spawn(self.cancel.clone(), 0, async move {
                let file = path.display().to_string();
                let saved = tokio::task::spawn_blocking(move || add_view(&path, &view).map(|()| view)).await;
                Reply::ViewSaved(match saved {
                    Ok(Ok(view)) => Ok((view, file)),
                    Ok(Err(error)) => Err(format!("the view is not saved: {error:#}")),
                    Err(error) => Err(format!("the view is not saved: {error}")),
                })
            }),
            other => return Some(other),
        }
        None
    }

    /// Waits until what is to be remembered is, but not for long.
    pub async fn kept(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.end().await;
        }
    }
}

/// The activities with these ids, of the sources that find ids. The others deliver all that they have by themselves.
async fn found(sources: &Sources, work: &Work, ids: &[Id], within: &PageQuery) -> Vec<Activity> {
    let finding = sources.iter().filter(|(_, source)| source.capabilities().finds_ids);
    let asked = finding.map(|(id, source)| (*id, source.as_ref(), work.job(*id)));
    let found = by_ids(asked, ids, within).await;
    // A source that does not answer says so itself.
    merge_by_id(found.into_iter().filter_map(|(_, found)| found.ok()).flatten().collect())
}
