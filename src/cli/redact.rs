//! `crosstail redact`: hides the secrets in a text, or says of a text or of records what is hidden, and what stays though it is nearly
//! a secret.

use super::args::RedactArgs;
use super::output::print_error;
use super::{UsageError, sources};
use crate::config::{Config, Overrides};
use crate::runtime::{MergedHistory, Sources, Work, payload_of};
use anyhow::{Context as _, Result, ensure};
use crosstail_core::filter::{Field, Filter, value_text};
use crosstail_core::model::{
    Activity, Explained, Names, Payload, explained_json, explained_text, near_misses, redact_text, secrets,
    visible_line,
};
use crosstail_source::PageQuery;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};

/// Lines of a private key, or of a block of YAML, at most: what has more is not one.
const LONGEST_KEY: usize = 200;

/// Longest value that is printed of what stays, in characters.
const LONGEST_SHOWN: usize = 40;

pub(super) async fn run(args: &RedactArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let mut out = std::io::stdout().lock();
    if !args.source.sources.is_empty() || !args.source.run.is_empty() {
        ensure!(args.explain, UsageError("redact prints no records; --explain says what is hidden in them".to_owned()));
        return explain_records(args, &config, &mut out).await;
    }
    if args.files.is_empty() {
        redact(std::io::stdin().lock(), "", args.explain, &mut out)?;
    }
    for path in &args.files {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        let name = if args.files.len() > 1 { format!("{}:", path.display()) } else { String::new() };
        redact(BufReader::new(file), &name, args.explain, &mut out).with_context(|| path.display().to_string())?;
    }
    Ok(super::exit::OK)
}

/// Says of records, field by field, what is hidden and what nearly is.
async fn explain_records(args: &RedactArgs, config: &Config, out: &mut impl Write) -> Result<u8> {
    let context = sources::context(&args.source, config)?;
    let text = args.filter.as_deref().unwrap_or_default();
    let wrong = |error: crosstail_core::filter::ParseError| UsageError(format!("filter:\n{}", error.with_carets(text)));
    let (filter, _) = Filter::compile(text, &context).map_err(wrong)?;
    let opened = sources::open_args(&args.source, config).await?;
    let work = Work::command("redact");
    let asked: Sources = opened.sources.clone().into();
    let query = PageQuery { filter, context, ..PageQuery::all(args.limit.clamp(1, 5000)) };
    let mut records = MergedHistory::new(&opened.sources, &work, &opened.names, query).partial();
    let mut read = 0;
    while read < args.limit
        && let Some(activity) = records.next().await?
    {
        read += 1;
        let (payload, problems) = payload_of(&asked, &work, &activity.id, &activity.places).await;
        for problem in problems {
            print_error(&problem.to_string());
        }
        for one in explained(&activity, &payload, &opened.names) {
            let line = match (one.why, &one.text) {
                (Some(why), Some(text)) => format!("stays: {}: {why} ({})", excerpt(text), one.rule),
                _ if one.characters == 0 => one.rule.clone(),
                _ => format!("{} ({} characters)", one.rule, one.characters),
            };
            writeln!(out, "{} {}: {line}", activity.id, visible_line(&one.path))?;
        }
    }
    for problem in records.problems() {
        print_error(&problem.to_string());
    }
    print_error(&format!("{read} {} read", if read == 1 { "record" } else { "records" }));
    Ok(opened.exit_code(records.problems()))
}

/// What is hidden, and what nearly is, in the fields of a record and in its payload.
fn explained(activity: &Activity, payload: &Payload, names: &Names) -> Vec<Explained> {
    let mut found = Vec::new();
    for field in Field::SEARCHED {
        if let Some(text) = value_text(activity, *field, names) {
            found.extend(explained_text(field.name(), &text));
        }
    }
    let metadata = Value::Object(payload.metadata.clone());
    let body = |side: &crosstail_core::model::Side| side.body.as_ref().map(|body| body.value().clone());
    for (root, value) in [
        ("req.header", payload.request.headers.clone()),
        ("req.body", body(&payload.request)),
        ("res.header", payload.response.headers.clone()),
        ("res.body", body(&payload.response)),
        ("stack", payload.error.stack.clone().map(Value::String)),
        ("meta", Some(metadata)),
    ] {
        if let Some(value) = value {
            explained_json(root, &value, &mut found);
        }
    }
    found
}

/// The beginning of a value that stays, as it may be printed.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("\"{}\"", visible_line(&short))
}

/// Whether the secret that a text ends in may go on in the next line: a private key, a block of YAML, the heading of a part of
/// a form.
fn is_open(text: &str) -> bool {
    let is_key = text
        .rfind("-----BEGIN")
        .is_some_and(|at| text[at..].contains("PRIVATE KEY") && !text[at..].contains("-----END"));
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().trim_end();
    let begins_block = [": |", ": >", ": |-", ": >-"].iter().any(|end| first.ends_with(end));
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_block = begins_block && lines.clone().all(|line| indent(line) > indent(first) || line.trim().is_empty());
    let is_part = first.to_ascii_lowercase().starts_with("content-disposition: form-data") && lines.count() < 2;
    is_key || is_block || is_part
}

/// What is hidden in a text, and what nearly is: where each begins, and what is said of it.
fn explained_lines(text: &str) -> Vec<(usize, String)> {
    let hidden = secrets(text).into_iter().map(|secret| {
        let length = text[secret.range.clone()].chars().count();
        (secret.range.start, format!("{} ({length} characters)", secret.rule))
    });
    let kept = near_misses(text).into_iter().map(|miss| {
        let said = format!("stays: {}: {} ({})", excerpt(&text[miss.range.clone()]), miss.why, miss.rule);
        (miss.range.start, said)
    });
    let mut lines: Vec<_> = hidden.chain(kept).collect();
    lines.sort_by_key(|(at, _)| *at);
    lines
}

/// A line at a time; what belongs together over lines at once.
fn redact(mut input: impl BufRead, name: &str, explain: bool, out: &mut impl Write) -> Result<()> {
    let (mut text, mut lines, mut first) = (Vec::new(), 0, 1);
    loop {
        let read = input.read_until(b'\n', &mut text)?;
        lines += usize::from(read > 0);
        let part = String::from_utf8_lossy(&text);
        if read > 0 && lines < LONGEST_KEY && is_open(&part) {
            continue;
        }
        if explain {
            for (at, line) in explained_lines(&part) {
                let before = &part[..at];
                let number = first + before.matches('\n').count();
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                writeln!(out, "{name}{number}:{column}: {line}")?;
            }
        } else {
            // Bytes that are no UTF-8 stay where nothing is hidden.
            let safe = redact_text(&part);
            out.write_all(if safe == part { &text } else { safe.as_bytes() })?;
        }
        if read == 0 {
            return Ok(());
        }
        first += lines;
        text.clear();
        lines = 0;
    }
}
