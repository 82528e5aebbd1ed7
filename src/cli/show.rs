//! `crosstail show`: everything about one activity, found by anything that identifies it.

use super::args::{ShowArgs, ShowFormat};
use super::output::print_error;
use super::{exit, sources};
use crate::config::Overrides;
use crate::effect::{CompareRequest, CompareWith, PreparedPayload, SearchProgress, is_named, rank};
use crate::runtime::{Sources, Work, compared, figures, payload_of, related_to, search_source};
use anyhow::Result;
use crosstail_core::filter::{Context, Field, Filter, quote};
use crosstail_core::model::{Activity, Latencies, Names, Payload, merge_by_id, redact_json, redact_text, visible};
use crosstail_engine::insight::{
    Candidate, Chain, Policy, Trace, attempt, candidates, codes, expression, successes_like, transform,
};
use crosstail_export::{FullRecord, curl, markdown, safe_json};
use crosstail_source::{Grouping, Groups, PageQuery, RelatedKey};
use serde_json::{Map, Value, json};
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

/// Maximum number of other matches listed.
const NAMED: usize = 10;
/// Typical latency is that of activities started within this time before.
const USUAL_US: i64 = 24 * 3_600_000_000;

pub(super) async fn run(args: &ShowArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let all = sources::open_asked(&args.source, &config).await?;
    let names = all.names.clone();
    let sources: Sources = all.sources.clone().into();
    let work = all.work("show");
    let context = sources::context(&args.source, &config)?;
    let Search { mut found, capped, problems: failed } = find(&sources, &work, &names, &args.id, &context).await;
    rank(&mut found, &args.id);
    let Some(activity) = found.first().cloned() else {
        if failed {
            return Ok(exit::FAILED);
        }
        let short = args.id.trim().chars().count() < 4;
        let hint = if short { "; the beginning of an id finds it from four characters on" } else { "" };
        print_error(&format!("nothing found for '{}' in {}{hint}", args.id.trim(), names.sources().join(", ")));
        return Ok(exit::NOT_FOUND);
    };
    if found.len() > 1 && !is_named(&activity, &args.id) {
        let count = match capped {
            None => found.len().to_string(),
            Some(filter) => {
                let query = PageQuery { filter, context, ..PageQuery::all(usize::MAX) };
                let counted = figures(&sources, &work, &names, query, &Grouping::default(), None).await;
                let total = |groups: Groups| groups.values().map(|figures| figures.count).sum::<u64>();
                counted.map_or_else(|_| format!("{} or more", found.len()), |groups| total(groups).to_string())
            }
        };
        // A script gets no guess, but the activities of one trace are one request.
        let trace = activity.correlation_id.as_ref();
        let is_one = trace.is_some() && found.iter().all(|other| other.correlation_id.as_ref() == trace);
        let is_shown = is_one || std::io::stdout().is_terminal();
        let (what, first) =
            if is_shown { ("showing the best match. The others:", 1) } else { ("write more of one:", 0) };
        print_error(&format!("{count} activities match; {what}"));
        for other in found.iter().skip(first).take(NAMED) {
            let what = other.endpoint.as_deref().or(other.message.as_deref()).unwrap_or_default();
            let system = other.system.as_deref().unwrap_or_default();
            let outcome = other.status.map(|status| status.to_string()).unwrap_or_default();
            let line = format!("  {}  {}  {outcome} {system} {what}", other.id, other.started_at.rfc3339());
            print_error(&redact_text(&line));
        }
        if !is_shown {
            return Ok(exit::AMBIGUOUS);
        }
    }
    let (payload, problems) = payload_of(&sources, &work, &activity.id, &activity.places).await;
    let mut related = related_to(&sources, &work, &RelatedKey::of(&activity)).await;
    problems.iter().chain(&related.problems).for_each(|problem| print_error(&problem.to_string()));
    related.bounds.iter().for_each(|bounds| print_error(bounds));
    related.activities.push(activity.clone());
    let is_partial = related.is_partial() || work.lacks_a_source();
    let related = merge_by_id(related.activities);
    let (configured, policy) = configured(&sources, &work, &activity, &payload).await;
    let opened = Arc::new(PreparedPayload::new(payload));
    let payload = &opened.payload;
    let other = match successes_like(&activity).filter(|_| args.compare) {
        Some(filter) => {
            let right = CompareWith::Newest(filter, activity.started_at);
            let pair = CompareRequest { left: activity.clone(), opened: Some(Arc::clone(&opened)), right };
            compared(&sources, &work, pair, context).await.map_err(|problem| print_error(&problem)).ok()
        }
        None => None,
    };
    let usual = usual(&sources, &work, &activity, &context).await;
    let (chain, trace) = (Chain::build(&activity, &related).partly(is_partial), Trace::of(&activity, &related));
    let whole = FullRecord {
        activity: &activity,
        payload: Some(payload),
        chain: &chain,
        trace: &trace,
        usual: &usual,
        policy,
        difference: other
            .as_deref()
            .map(|(other, comparison)| ("the last success of this endpoint", other, comparison)),
        names: &names,
    };
    let mut out = std::io::stdout().lock();
    match args.output {
        ShowFormat::Json => {
            let mut value = whole.json()?;
            value["configuration"] = redact_json(&configured);
            writeln!(out, "{}", safe_json(&value)?)?;
        }
        ShowFormat::Curl => writeln!(out, "{}", visible(&curl(&activity, payload)))?,
        ShowFormat::Markdown => write!(out, "{}", visible(&markdown(&whole, "", "")))?,
        ShowFormat::Text => {
            let mut text = whole.text(context.zone);
            if configured.as_object().is_some_and(|map| !map.is_empty()) {
                let pretty = serde_json::to_string_pretty(&redact_json(&configured))?;
                text.push_str(&format!("\n── configuration\n{pretty}\n"));
            }
            write!(out, "{}", visible(&text))?;
        }
    }
    Ok(if failed { exit::PARTIAL } else { all.exit_code(&[]) })
}

/// What a search in all sources brought.
struct Search {
    found: Vec<Activity>,
    /// The filter that found more than was read, if one did.
    capped: Option<Filter>,
    /// Whether a source failed.
    problems: bool,
}

/// Searches every source at once for what a text identifies, with a progress line per source on a terminal.
async fn find(sources: &Sources, work: &Work, names: &Names, text: &str, context: &Context) -> Search {
    let candidates: Arc<[Candidate]> = candidates(text).into();
    let (heard, mut hear) = tokio::sync::mpsc::channel(64);
    let mut board = ProgressBoard { lines: Vec::new(), drawn: false };
    for (index, (id, source)) in sources.iter().enumerate() {
        board.lines.push((names.source_name(*id).to_string(), SearchProgress::Running("waiting")));
        let (source, candidates, context, heard, job) =
            (Arc::clone(source), Arc::clone(&candidates), *context, heard.clone(), work.job(*id));
        tokio::spawn(async move {
            let told = heard.clone();
            let tell = |progress| drop(told.try_send((index, progress, Vec::new())));
            let (progress, found) = search_source(source.as_ref(), &job, &candidates, &context, tell).await;
            let _ = heard.send((index, progress, found)).await;
        });
    }
    drop(heard);
    board.draw();
    let mut all = Vec::new();
    while let Some((index, progress, found)) = hear.recv().await {
        all.extend(found);
        board.lines[index].1 = progress;
        board.draw();
    }
    let failed = board.lines.iter().filter_map(|(_, progress)| match progress {
        SearchProgress::Failed(problem) => Some(problem),
        _ => None,
    });
    let failed: Vec<&String> = failed.collect();
    for problem in &failed {
        print_error(problem);
    }
    let full = board.lines.iter().find_map(|(_, progress)| match progress {
        SearchProgress::Found { what, has_more: true, .. } => Some(*what),
        _ => None,
    });
    let capped = full.and_then(|what| candidates.iter().find(|candidate| candidate.what == what));
    let capped = capped.and_then(|candidate| Filter::parse(&candidate.filter).ok());
    Search { problems: !failed.is_empty(), found: merge_by_id(all), capped }
}

/// Progress of each source, drawn on stderr if that is a terminal.
struct ProgressBoard {
    lines: Vec<(String, SearchProgress)>,
    drawn: bool,
}

impl ProgressBoard {
    fn draw(&mut self) {
        let mut out = std::io::stderr().lock();
        if !out.is_terminal() {
            return;
        }
        let mut text = if self.drawn { format!("\x1b[{}A", self.lines.len()) } else { String::new() };
        for (name, progress) in &self.lines {
            text.push_str(&format!("\r\x1b[K{}: {}\n", visible(name), visible(&progress.describe())));
        }
        self.drawn = true;
        let _ = out.write_all(text.as_bytes());
    }
}

/// Latencies of the same endpoint in the day before; empty if no store can aggregate.
async fn usual(sources: &Sources, work: &Work, activity: &Activity, context: &Context) -> Latencies {
    let mut usual = Latencies::default();
    let (Some(system), Some(endpoint)) = (activity.system.as_deref(), activity.endpoint.as_deref()) else {
        return usual;
    };
    let Ok(filter) = Filter::parse(&format!("system={} endpoint={}", quote(system), quote(endpoint))) else {
        return usual;
    };
    let (since, until) = (activity.started_at.plus_us(-USUAL_US), activity.started_at);
    let query =
        PageQuery { filter, context: *context, since: Some(since), until: Some(until), ..PageQuery::all(usize::MAX) };
    for (id, source) in sources.iter() {
        if let Ok(groups) = source.aggregate(&query, &Grouping::by(Field::Endpoint), &work.job(*id)).await {
            for figures in groups.values() {
                usual.merge(&figures.latencies);
            }
        }
    }
    usual
}

/// What the stores' configuration says about an activity: system, endpoint, code mappings, transforms.
async fn configured(sources: &Sources, work: &Work, activity: &Activity, payload: &Payload) -> (Value, Option<Policy>) {
    let mut found = Map::new();
    let mut said = None;
    for (id, source) in sources.iter() {
        let job = work.job(*id);
        let catalogue = match source.catalogue(&job).await {
            Ok(catalogue) => catalogue,
            Err(error) => {
                print_error(&error.to_string());
                continue;
            }
        };
        if catalogue.entries.is_empty() {
            continue;
        }
        if let Some(entry) = activity.system.as_deref().and_then(|system| catalogue.system(system)) {
            found.insert("system".to_owned(), Value::Object(entry.facts.clone()));
        }
        if let Some(entry) = catalogue.entry_of(activity) {
            found.insert("endpoint".to_owned(), Value::Object(entry.facts.clone()));
            let policy = entry.facts.get("retry_policy").and_then(Policy::read);
            if let Some(policy) = &policy {
                found.insert("retry_policy".to_owned(), policy.describe().into());
            }
            if let Some(attempt) = attempt(activity, policy.as_ref()) {
                found.insert("attempt".to_owned(), attempt.into());
            }
            said = policy.or(said);
            for (fact, body) in
                [("request_transform", &payload.request.body), ("response_transform", &payload.response.body)]
            {
                if let (Some(text), Some(body)) = (entry.facts.get(fact), body) {
                    let result = match transform(&expression(text), body.value()) {
                        Ok(value) => json!({ "result": value }),
                        Err(problem) => json!({ "problem": problem }),
                    };
                    found.insert(fact.to_owned(), result);
                }
            }
        }
        if let Some(system) = &activity.system {
            let mappings = source.mappings(system, &codes(activity, payload), &job).await.unwrap_or_default();
            if !mappings.is_empty() {
                let list = mappings.into_iter().map(|entry| Value::Object(entry.facts)).collect();
                found.insert("mappings".to_owned(), Value::Array(list));
            }
        }
    }
    (Value::Object(found), said)
}
