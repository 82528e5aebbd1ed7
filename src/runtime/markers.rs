//! Moments that are marked elsewhere: in files, in what a filter keeps, by the tags of a repository.

use super::{MergedHistory, Runtime, Work};
use crate::config::{MarkedBy, Marker, MarkersEntry, joined_markers, markers_in, tag_of};
use crate::effect::Reply;
use anyhow::{Context as _, Result, bail};
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Activity, Names, SourceId, redact_text};
use crosstail_engine::window::Bounds;
use crosstail_source::{PageQuery, Priority, Source};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;

/// So many activities of a filter are markers at most, the newest.
const MOST: usize = 200;
/// So many tags, the newest.
const TAGS: usize = 1000;
/// Git only reads what is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked for markers.
#[derive(Debug, Clone)]
pub struct MarkerQuery {
    pub entries: Vec<MarkersEntry>,
    pub context: Context,
    /// The time of activities that are markers; the other kinds have all.
    pub bounds: Bounds,
}

/// The markers of all entries in order of time, and what is wrong with some.
pub async fn marked(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: &MarkerQuery,
) -> (Vec<Marker>, Vec<String>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for entry in &query.entries {
        let found = match entry.marked_by() {
            Err(problem) => Err(anyhow::Error::msg(problem)),
            Ok(MarkedBy::File(path)) => {
                let path = path.to_owned();
                let read = tokio::task::spawn_blocking(move || markers_in(&path)).await;
                read.map_err(anyhow::Error::from).and_then(|read| read)
            }
            Ok(MarkedBy::Git(folder)) => tags(folder).await,
            Ok(MarkedBy::Filter(filter)) => kept(sources, work, names, (filter, query)).await,
        };
        match found {
            Ok(found) => all.extend(found),
            Err(error) => problems.push(format!("markers {}: {error:#}", entry.name)),
        }
    }
    (joined_markers(all), problems)
}

/// The tags of a repository. Git is told to start nothing and to ask nobody.
async fn tags(folder: &Path) -> Result<Vec<Marker>> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(["for-each-ref", "refs/tags", "--sort=-creatordate", "--format=%(creatordate:unix)%09%(refname:short)"])
        .arg(format!("--count={TAGS}"))
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("git did not answer in 10 s")?;
    let output = output.context("git cannot be run")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git for-each-ref in {}: {}", folder.display(), redact_text(said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(tag_of).collect())
}

/// What a filter keeps.
async fn kept(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    (text, query): (&str, &MarkerQuery),
) -> Result<Vec<Marker>> {
    let filter = Filter::parse(text).map_err(|error| anyhow::anyhow!("{}", error.with_carets(text)))?;
    let holding: Vec<_> =
        sources.iter().filter(|(_, source)| source.capabilities().holds_activities).cloned().collect();
    let (since, until) = (query.bounds.since, query.bounds.until);
    let asked = PageQuery { filter, context: query.context, since, until, newest_first: true, ..PageQuery::all(MOST) };
    let mut found = Vec::new();
    let mut joined = MergedHistory::new(&holding, work, names, asked).partial();
    while found.len() < MOST
        && let Some(activity) = joined.next().await?
    {
        found.push(Marker { at: activity.started_at, text: text_of(&activity) });
    }
    Ok(found)
}

/// What an activity says, or else what it is.
fn text_of(activity: &Activity) -> String {
    let name = [&activity.system, &activity.operation, &activity.endpoint];
    let name: Vec<&str> = name.into_iter().flatten().map(compact_str::CompactString::as_str).collect();
    let text = activity.said().map_or_else(|| name.join(" "), str::to_owned);
    redact_text(&text).into_owned()
}

impl Runtime {
    /// Markers come from these entries.
    pub fn set_markers(&mut self, entries: Vec<MarkersEntry>) {
        self.markers = entries;
    }

    pub(super) fn load_markers(&self, ticket: u64, bounds: Bounds) {
        let work = self.work("read markers", Priority::Background, &self.cancel);
        let (sources, names) = (Arc::clone(&self.sources), self.names.clone());
        let query = MarkerQuery { entries: self.markers.clone(), context: self.context(), bounds };
        self.spawn(self.cancel.clone(), ticket, async move {
            let (all, problems) = marked(&sources, &work, &names, &query).await;
            Reply::Markers(all.into_iter().map(|marker| (marker.at, marker.text)).collect(), problems)
        });
    }
}
