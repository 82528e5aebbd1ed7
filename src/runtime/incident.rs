//! Writes marked activities as an incident: a Markdown file to read and an SQLite file to open with crosstail. The document
//! begins with what whoever takes over asks first: what, since when, how many, which systems, by which filter, by whom. The
//! store also holds the other tries and the traces of what is marked.

use super::{Sources, Work, figures_by, payload_of, related_to};
use crate::effect::{Incident, Mark};
use anyhow::{Context as _, Result, ensure};
use crosstail_core::filter::{Context as Evaluation, Field, Filter, Operand};
use crosstail_core::model::{Activity, Id, Latencies, Names, merge_by_id, redact_text, visible_line};
use crosstail_engine::insight::{Chain, Trace};
use crosstail_export::{FullRecord, markdown};
use crosstail_export::{IncidentEntry, write_incident};
use crosstail_source::{PageQuery, RelatedKey};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Activities of a trace that are written beside a marked one, at most.
const TRACE: usize = 200;

/// Writes both files. Returns a message with their paths, or with the error.
pub(super) async fn write(
    sources: &Sources,
    work: &Work,
    names: &Names,
    context: Evaluation,
    incident: Incident,
) -> String {
    let count = incident.marks.len();
    let counted = count_view(sources, work, names, (context, &incident)).await;
    match write_both(sources, work, names, (incident, counted)).await {
        Ok(written) => {
            let missing = match written.unread {
                0 => String::new(),
                unread => format!(", {unread} of them without payload"),
            };
            let beside = match written.beside {
                0 => String::new(),
                beside => format!(" and {beside} beside them"),
            };
            let (document, store) = (written.document.display(), written.store.display());
            format!("{count} marked{beside}{missing}: {document} and {store}")
        }
        Err(error) => format!("the incident was not written: {error:#}"),
    }
}

/// What was written.
struct Written {
    document: PathBuf,
    store: PathBuf,
    /// Marked activities whose payload could not be read.
    unread: usize,
    /// Activities in the store that are not marked: tries and traces.
    beside: usize,
}

/// What the stores count of the view.
#[derive(Debug, Default)]
struct Counted {
    count: u64,
    failed: u64,
    /// The systems with failures and their number, the most first.
    systems: Vec<(String, u64)>,
    /// What could not be counted.
    problems: Vec<String>,
}

async fn count_view(
    sources: &Sources,
    work: &Work,
    names: &Names,
    (context, incident): (Evaluation, &Incident),
) -> Counted {
    let mut counted = Counted::default();
    let mut problems = Vec::new();
    let groups = match Filter::parse(&incident.range.filter) {
        Ok(filter) => {
            let bounds = incident.range.bounds;
            let query = PageQuery { filter, context, since: bounds.since, until: bounds.until, ..PageQuery::all(1) };
            let by = [Operand::Field(Field::System)];
            figures_by(sources, work, names, query, (&by, None), Some(&mut problems)).await
        }
        Err(error) => Err(error.into()),
    };
    counted.problems = problems.iter().map(ToString::to_string).collect();
    match groups {
        Ok(groups) => {
            for ((key, _), figures) in groups {
                counted.count += figures.count;
                counted.failed += figures.failed;
                if figures.failed > 0 {
                    let name = key.into_iter().flatten().next();
                    counted.systems.push((name.map_or_else(|| "no system".to_owned(), Into::into), figures.failed));
                }
            }
        }
        Err(error) => counted.problems.push(format!("{error:#}")),
    }
    counted.systems.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counted
}

async fn write_both(
    sources: &Sources,
    work: &Work,
    names: &Names,
    (incident, counted): (Incident, Counted),
) -> Result<Written> {
    let (document, store) = paths(&incident.path)?;
    let mut kept = Vec::new();
    let mut unread = 0;
    let mut marked: HashSet<Id> = incident.marks.iter().map(|mark| mark.activity.id.clone()).collect();
    let mut text = head(&incident, &counted, &document);
    let mut beside: Vec<Activity> = Vec::new();
    for Mark { activity, note } in incident.marks {
        let (payload, problems) = payload_of(sources, work, &activity.id, &activity.places).await;
        unread += usize::from(payload.raw.is_empty() && !problems.is_empty());
        let mut found = related_to(sources, work, &RelatedKey::of(&activity)).await;
        found.activities.push(activity.clone());
        let is_partial = found.is_partial();
        let related = merge_by_id(found.activities);
        let (chain, trace) = (Chain::build(&activity, &related).partly(is_partial), Trace::of(&activity, &related));
        let whole = FullRecord {
            activity: &activity,
            payload: Some(&payload),
            chain: &chain,
            trace: &trace,
            usual: &Latencies::default(),
            policy: None,
            difference: None,
            names,
        };
        let opens = format!("crosstail {} --open {}", shown(&store), activity.id);
        text.push_str(&markdown(&whole, &note, &opens));
        text.push('\n');
        let nodes = trace.nodes.into_iter().map(|node| node.activity).take(TRACE);
        for other in chain.attempts.into_iter().chain(nodes) {
            if marked.insert(other.id.clone()) {
                beside.push(other);
            }
        }
        kept.push(entry(activity, payload, note, true, names));
    }
    let count = beside.len();
    for activity in beside {
        let (payload, _) = payload_of(sources, work, &activity.id, &activity.places).await;
        kept.push(entry(activity, payload, String::new(), false, names));
    }
    write_incident(&store, &kept).await.with_context(|| store.display().to_string())?;
    let written = std::fs::File::create_new(&document).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| document.display().to_string())?;
    Ok(Written { document, store, unread, beside: count })
}

fn entry(
    activity: Activity,
    payload: crosstail_core::model::Payload,
    note: String,
    marked: bool,
    names: &Names,
) -> IncidentEntry {
    let places = activity.places.iter().map(|place| place.label(names)).collect();
    IncidentEntry { activity, payload, note, marked, places }
}

/// The document and the store of an incident, neither of which may exist.
fn paths(path: &str) -> Result<(PathBuf, PathBuf)> {
    let path = match path.strip_prefix("~/") {
        Some(rest) => etcetera::home_dir().context("cannot determine the home folder")?.join(rest),
        None => PathBuf::from(path),
    };
    let bare = match path.extension().and_then(|end| end.to_str()) {
        Some("md" | "sqlite") => path.with_extension(""),
        _ => path,
    };
    let ending = |end: &str| {
        let mut name = bare.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    let (document, store) = (ending(".md"), ending(".sqlite"));
    for file in [&document, &store] {
        ensure!(!file.exists(), "{} already exists", file.display());
    }
    Ok((document, store))
}

/// What the document begins with.
fn head(incident: &Incident, counted: &Counted, document: &Path) -> String {
    let title = document.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut text = format!("# {title}\n\n| | |\n|---|---|\n");
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            let safe = visible_line(&redact_text(value)).replace('|', "\\|").replace('<', "&lt;");
            let _ = writeln!(text, "| {name} | {safe} |");
        }
    };
    let marks = &incident.marks;
    let failed = marks.iter().filter(|mark| mark.activity.is_failure()).count();
    let says = incident.outcomes.clone().unwrap_or_else(|| format!("{failed} of the marked activities failed"));
    row("what", &says);
    let marked = marks.iter().map(|mark| mark.activity.started_at).min();
    let since = match (incident.since, marked) {
        (Some(at), _) => format!("{} (the first failure of the view)", at.rfc3339()),
        (None, Some(at)) => format!("{} (the first that is marked)", at.rfc3339()),
        (None, None) => String::new(),
    };
    let failing = incident.failing.iter().map(|(system, at, is_longer)| {
        format!("{system} is failing since {}{}", at.rfc3339(), if *is_longer { " or earlier" } else { "" })
    });
    row("since", &failing.chain((!since.is_empty()).then_some(since)).collect::<Vec<_>>().join("; "));
    row("how many", &format!("{} failed of {} in the view; {} marked", counted.failed, counted.count, marks.len()));
    let systems = counted.systems.iter().map(|(name, n)| format!("{name} ({n} failed)"));
    row("systems", &systems.collect::<Vec<_>>().join(", "));
    row("not counted", &counted.problems.join("; "));
    let filter = &incident.range.filter;
    row("filter", if filter.is_empty() { "everything" } else { filter });
    row("open it again", &incident.reopen);
    row("by", &format!("{}, {}", incident.by, incident.at.rfc3339()));
    let notes = marks.iter().filter(|mark| !mark.note.is_empty());
    row("notes", &notes.map(|mark| mark.note.as_str()).collect::<Vec<_>>().join("; "));
    text.push('\n');
    text
}

fn shown(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
