//! Writes marked activities as an incident: a Markdown file to read and an SQLite file to open with crosstail.

use super::{Sources, Work, payload_of, related_to};
use crate::effect::Mark;
use anyhow::{Context as _, Result, ensure};
use crosstail_core::model::{Latencies, Names, merge_by_id};
use crosstail_engine::insight::{Chain, Trace};
use crosstail_export::{FullRecord, markdown};
use crosstail_export::{IncidentEntry, write_incident};
use crosstail_source::RelatedKey;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes both files. Returns a message with their paths, or with the error.
pub(super) async fn write(sources: &Sources, work: &Work, names: &Names, path: &str, marks: Vec<Mark>) -> String {
    let count = marks.len();
    match write_both(sources, work, names, path, marks).await {
        Ok((document, store, unread)) => {
            let missing = if unread == 0 { String::new() } else { format!(", {unread} of them without payload") };
            format!("{count} activities{missing}: {} and {}", document.display(), store.display())
        }
        Err(error) => format!("the incident was not written: {error:#}"),
    }
}

async fn write_both(
    sources: &Sources,
    work: &Work,
    names: &Names,
    path: &str,
    marks: Vec<Mark>,
) -> Result<(PathBuf, PathBuf, usize)> {
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
    let mut kept = Vec::new();
    let mut unread = 0;
    let title = bare.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut text = format!("# {}\n\n{} activities\n\n", title, marks.len());
    for mark in marks {
        let activity = mark.activity;
        let (payload, problems) = payload_of(sources, work, &activity.id, &activity.places).await;
        unread += usize::from(payload.raw.is_empty() && !problems.is_empty());
        let mut related = related_to(sources, work, &RelatedKey::of(&activity)).await.activities;
        related.push(activity.clone());
        let related = merge_by_id(related);
        let (chain, trace) = (Chain::build(&activity, &related), Trace::build(&related));
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
        text.push_str(&markdown(&whole, &mark.note, &opens));
        text.push('\n');
        let places = activity.places.iter().map(|place| place.label(names)).collect();
        kept.push(IncidentEntry { activity, payload, note: mark.note, places });
    }
    write_incident(&store, &kept).await.with_context(|| store.display().to_string())?;
    let written = std::fs::File::create_new(&document).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| document.display().to_string())?;
    Ok((document, store, unread))
}

fn shown(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
