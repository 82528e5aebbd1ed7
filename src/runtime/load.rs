//! Loads from the sources what an opened activity needs: payload, related activities, explanations, comparisons.

use super::{Sources, Work};
use crate::effect::{
    CompareRequest, CompareWith, ExplainRequest, Explanation, PayloadSection, PreparedPayload, Reply, TransformResult,
};
use crosstail_core::filter::{Context, Filter, NamedRecord, Predicate, Truth};
use crosstail_core::model::{Activity, Id, Names, Payload, Place, Timestamp, redact_json};
use crosstail_engine::insight::{Comparison, codes, compare as differences, transform};
use crosstail_source::{PageQuery, RelatedKey, SourceError};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// Maximum number of related activities per source and key.
const RELATED: usize = 5000;
/// Time limit of a jq expression.
const JQ: Duration = Duration::from_secs(5);

/// After this time, what has arrived of a payload is shown without waiting for the rest.
const PARTIAL_AFTER: Duration = Duration::from_millis(300);

/// The payload of an activity, merged from all of its places, and the errors of places that could not be read.
pub async fn payload_of(sources: &Sources, work: &Work, id: &Id, places: &[Place]) -> (Payload, Vec<SourceError>) {
    payload_in_parts(sources, work, id, places, |_| {}).await
}

/// Payloads that are loaded side by side.
const AT_ONCE: usize = 16;
/// Payloads that are asked for together.
const TOGETHER: usize = 64;

/// The payloads of activities, in their order, with the errors of places that could not be read.
pub async fn payloads_of(
    sources: &Sources,
    work: &Work,
    activities: Vec<Activity>,
) -> Vec<(Activity, Payload, Vec<SourceError>)> {
    let known = together(sources, work, &activities).await;
    let load = |(at, activity): (usize, Activity)| {
        let known = &known;
        async move {
            let parts: Option<Vec<Payload>> =
                (0..activity.places.len()).map(|place| known.get(&(at, place)).cloned()).collect();
            let (payload, problems) = match parts {
                Some(parts) => (merged(parts.into_iter()), Vec::new()),
                // What the source has not said of several at once, or why it fails.
                None => payload_of(sources, work, &activity.id, &activity.places).await,
            };
            (activity, payload, problems)
        }
    };
    futures_util::stream::iter(activities.into_iter().enumerate().map(load)).buffered(AT_ONCE).collect().await
}

/// The payloads that sources load together, by the numbers of the activity and of its place.
async fn together(sources: &Sources, work: &Work, activities: &[Activity]) -> HashMap<(usize, usize), Payload> {
    let asked = sources.iter().map(|(id, source)| async move {
        let places = |(at, activity): (usize, &Activity)| {
            let of = activity.places.iter().enumerate().filter(|(_, place)| place.source == *id);
            of.map(|(index, place)| ((at, index), (activity.id.clone(), place.locator.clone()))).collect::<Vec<_>>()
        };
        let (numbers, of): (Vec<_>, Vec<_>) = activities.iter().enumerate().flat_map(places).unzip();
        let mut found = Vec::new();
        for (numbers, of) in numbers.chunks(TOGETHER).zip(of.chunks(TOGETHER)) {
            // Asked for by itself, each says why it fails.
            let Ok(payloads) = source.payloads(of, &work.job(*id)).await else { break };
            found.extend(numbers.iter().copied().zip(payloads).filter_map(|(at, payload)| Some((at, payload?))));
        }
        found
    });
    futures_util::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Like [`payload_of`]. The places are asked side by side. If a store takes long, `partial` gets what the others have
/// answered, once.
pub(super) async fn payload_in_parts(
    sources: &Sources,
    work: &Work,
    id: &Id,
    places: &[Place],
    partial: impl FnOnce(Payload),
) -> (Payload, Vec<SourceError>) {
    let asked = places.iter().enumerate().filter_map(|(index, place)| {
        let (_, source) = sources.iter().find(|(known, _)| *known == place.source)?;
        let job = work.job(place.source);
        Some(async move { (index, source.payload(id, &place.locator, &job).await) })
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut partial = Some(partial);
    let (mut parts, mut problems) = (BTreeMap::new(), Vec::new());
    let late = tokio::time::sleep(PARTIAL_AFTER);
    tokio::pin!(late);
    while !asked.is_empty() {
        tokio::select! {
            Some((index, answer)) = asked.next() => match answer {
                Ok(part) => drop(parts.insert(index, part)),
                Err(problem) => problems.push((index, problem)),
            },
            () = &mut late, if partial.is_some() && !parts.is_empty() => {
                if let Some(partial) = partial.take() {
                    partial(merged(parts.values().cloned()));
                }
            }
        }
    }
    problems.sort_by_key(|(index, _)| *index);
    (merged(parts.into_values()), problems.into_iter().map(|(_, problem)| problem).collect())
}

/// Whether a filter keeps an activity; its payload is loaded only where the answer depends on it.
pub async fn keeps_whole(
    sources: &Sources,
    work: &Work,
    names: &Names,
    predicate: &Predicate,
    activity: &Activity,
) -> bool {
    let test = |payload| predicate.test(&NamedRecord { activity, names, payload });
    match test(None) {
        Truth::NeedsPayload => {
            let (payload, _) = payload_of(sources, work, &activity.id, &activity.places).await;
            test(Some(&payload)) == Truth::Yes
        }
        known => known == Truth::Yes,
    }
}

/// Those of some activities that a filter keeps, see [`keeps_whole`]: payloads are loaded together.
pub(super) async fn kept_whole(
    sources: &Sources,
    work: &Work,
    names: &Names,
    predicate: &Predicate,
    activities: &[Activity],
) -> Vec<Id> {
    let test =
        |activity: &Activity, payload: Option<&Payload>| predicate.test(&NamedRecord { activity, names, payload });
    let (mut kept, mut open) = (Vec::new(), Vec::new());
    for activity in activities {
        match test(activity, None) {
            Truth::NeedsPayload => open.push(activity),
            Truth::Yes => kept.push(activity.id.clone()),
            Truth::No => {}
        }
    }
    for some in open.chunks(TOGETHER) {
        let loaded = payloads_of(sources, work, some.iter().copied().cloned().collect()).await;
        let matching = loaded.into_iter().filter(|(activity, payload, _)| test(activity, Some(payload)) == Truth::Yes);
        kept.extend(matching.map(|(activity, ..)| activity.id));
    }
    kept
}

/// The parts of a payload in the order of their places, as one.
fn merged(parts: impl Iterator<Item = Payload>) -> Payload {
    parts.fold(Payload::default(), |mut whole, part| {
        whole.merge(part);
        whole
    })
}

/// What was found of the activities that belong to one.
#[derive(Default)]
pub struct RelatedActivities {
    /// The activities; one may be there several times.
    pub activities: Vec<Activity>,
    /// Errors of sources that failed.
    pub problems: Vec<SourceError>,
    /// Where sources did not look, for people.
    pub bounds: Vec<String>,
}

impl RelatedActivities {
    /// Whether there may be others, because not every source could say.
    pub const fn is_partial(&self) -> bool {
        !(self.problems.is_empty() && self.bounds.is_empty())
    }
}

/// Activities that share a key with an activity, from every source at once.
pub async fn related_to(sources: &Sources, work: &Work, keys: &[RelatedKey]) -> RelatedActivities {
    let asked = sources.iter().map(|(id, source)| {
        let job = work.job(*id);
        async move {
            let mut found = Vec::new();
            for key in keys {
                found.push(source.related(key, RELATED, &job).await);
            }
            found
        }
    });
    let mut all = RelatedActivities::default();
    for answer in futures_util::future::join_all(asked).await.into_iter().flatten() {
        match answer {
            Ok(found) => {
                all.activities.extend(found.activities);
                all.bounds.extend(found.bounds);
            }
            Err(problem) => all.problems.push(problem),
        }
    }
    all.bounds.sort();
    all.bounds.dedup();
    all
}

pub(super) async fn explain(sources: Sources, work: Work, ask: ExplainRequest) -> Reply {
    let ExplainRequest { activity, opened, transforms } = ask;
    let system = activity.system.as_deref().map(str::to_owned);
    let read = Arc::clone(&opened);
    let codes = tokio::task::spawn_blocking(move || codes(&activity, &read.payload)).await.unwrap_or_default();
    let mut explained = Explanation::default();
    if let Some(system) = &system {
        for (id, source) in sources.iter() {
            explained.mappings.extend(source.mappings(system, &codes, &work.job(*id)).await.unwrap_or_default());
        }
    }
    let evaluated = tokio::task::spawn_blocking(move || {
        let one = |(part, expression): (PayloadSection, String)| {
            let (name, side) = match part {
                PayloadSection::Response => ("response", &opened.payload.response),
                _ => ("request", &opened.payload.request),
            };
            let result = transform(&expression, side.body.as_ref()?.value());
            Some(TransformResult { name, expression, result })
        };
        transforms.into_iter().filter_map(one).collect()
    });
    explained.transforms = evaluated.await.unwrap_or_default();
    Reply::Explained(Box::new(explained))
}

/// Compares two exchanges. Returns the right one and the differences.
pub async fn compared(
    sources: &Sources,
    work: &Work,
    pair: CompareRequest,
    context: Context,
) -> Result<Box<(Activity, Comparison)>, String> {
    let CompareRequest { left, opened, right } = pair;
    let right = match right {
        CompareWith::Known(activity) => *activity,
        CompareWith::Newest(filter, before) => newest(sources, work, &filter, before, context).await?,
    };
    let opened = match opened {
        Some(opened) => opened,
        None => Arc::new(PreparedPayload::new(payload_of(sources, work, &left.id, &left.places).await.0)),
    };
    let (other, problems) = payload_of(sources, work, &right.id, &right.places).await;
    if let (true, Some(problem)) = (other.raw.is_empty(), problems.first()) {
        return Err(problem.to_string());
    }
    let done = tokio::task::spawn_blocking(move || {
        let comparison = differences((&left, &opened.payload), (&right, &other));
        Box::new((right, comparison))
    });
    done.await.map_err(|error| error.to_string())
}

/// The newest activity of all sources that matches a filter and starts before a moment.
async fn newest(
    sources: &Sources,
    work: &Work,
    filter: &str,
    before: Timestamp,
    context: Context,
) -> Result<Activity, String> {
    let filter = Filter::parse(filter).map_err(|error| error.message)?;
    let query = PageQuery { filter, context, until: Some(before), ..PageQuery::all(1) };
    let (mut found, mut problem): (Option<Activity>, Option<String>) = (None, None);
    for (id, source) in sources.iter() {
        match source.page(&query, None, &work.job(*id)).await {
            Ok(page) => found = found.into_iter().chain(page.items).max_by_key(|a| a.started_at),
            Err(error) => problem = Some(error.to_string()),
        }
    }
    let none = "no source has an earlier success of this endpoint";
    found.ok_or_else(|| problem.map_or_else(|| none.to_owned(), |problem| format!("{none}; {problem}")))
}

/// Evaluates a jq expression over a redacted body, in a process with an empty environment.
pub(super) async fn jq(expression: String, text: Arc<String>) -> Result<Vec<String>, String> {
    let redacted = tokio::task::spawn_blocking(move || {
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok::<_, String>(redact_json(&value).to_string())
    });
    let input = redacted.await.map_err(|error| error.to_string())??;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = tokio::process::Command::new(program)
        .args(["evaluate-jq", "--"])
        .arg(&expression)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start jq: {error}"))?;
    let stdin = child.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let run = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = match tokio::time::timeout(JQ, run).await {
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("'{expression}' did not finish within {} s", JQ.as_secs())),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.trim().trim_start_matches("crosstail: ").to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
