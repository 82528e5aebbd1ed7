//! `crosstail redact`: hides the secrets in a text, or says which rule hides what.

use super::args::RedactArgs;
use crate::config::Overrides;
use anyhow::{Context as _, Result};
use crosstail_core::model::{redact_text, secrets};
use std::io::{BufRead, BufReader, Write};

/// Lines of a private key, or of a block of YAML, at most: what has more is not one.
const LONGEST_KEY: usize = 200;

pub(super) fn run(args: &RedactArgs, choice: &Overrides) -> Result<u8> {
    super::configuration(choice)?;
    let mut out = std::io::stdout().lock();
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
            for secret in secrets(&part) {
                let before = &part[..secret.range.start];
                let line = first + before.matches('\n').count();
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                let length = part[secret.range.clone()].chars().count();
                writeln!(out, "{name}{line}:{column}: {} ({length} characters)", secret.rule)?;
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
