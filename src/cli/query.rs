//! `crosstail query`: history to stdout.

use super::args::{QueryArgs, Sort};
use super::output::{Writer, print_error};
use super::progress::Progress;
use super::{UsageError, sources};
use crate::config::Overrides;
use crate::runtime::{MergedHistory, Sources, Work, payloads_of};
use anyhow::{Result, ensure};
use crosstail_core::filter::{Filter, Operand, Scalar, ScalarForm, ValueType, quote};
use crosstail_core::model::{Activity, Names};
use crosstail_source::{PageQuery, SourceError};
use std::io::Write as _;

/// Activities per page of a source.
const PAGE: usize = 5000;
/// Maximum number of activities unless another is asked for.
const LIMIT: usize = 1000;
/// Characters of an id from which on its beginning finds it.
const ID_CHARACTERS: usize = 4;

pub(super) async fn run(args: &QueryArgs, choice: &Overrides) -> Result<u8> {
    ensure!(!args.follow, UsageError("query prints what is there and ends; crosstail tail follows".to_owned()));
    let config = super::configuration(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let mut writer = Writer::new(&args.output, context.zone, choice.colour)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let limit = match args.limit {
        _ if args.count => args.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX),
        Some(0) => usize::MAX,
        limit => limit.unwrap_or(LIMIT),
    };
    let by_time = matches!(args.sort, Sort::Time { .. });
    let newest_first = args.sort != Sort::Time { newest_first: false };
    let page = if by_time { limit.saturating_add(1).min(PAGE) } else { PAGE };
    let query = PageQuery { filter: filter.clone(), context, since, until, newest_first, limit: page };
    let work = opened.work("query");
    let mut joined = MergedHistory::new(&opened.sources, &work, &opened.names, query).partial();
    if writer.shows("final") {
        joined = joined.with_outcomes();
    }
    let mut ranked = Ranked { sort: args.sort, limit, found: Vec::new() };
    let (mut written, mut more) = (0, false);
    let mut problems = Vec::new();
    let mut printer =
        Printer { sources: opened.sources.clone().into(), work: &work, writer: &mut writer, step: Vec::new() };
    let mut progress = Progress::of(&work);
    while let Some(activity) = progress.wait(joined.next()).await? {
        if written == limit && by_time {
            more = true;
            break;
        }
        written += 1;
        if by_time && !args.count {
            progress.end();
            problems.extend(printer.add(activity, &opened.names).await?);
        } else {
            progress.look();
            if !args.count {
                ranked.add(activity);
            }
        }
    }
    progress.end();
    problems.extend_from_slice(joined.problems());
    if !by_time && !args.count {
        more = written > limit;
        for activity in ranked.sorted() {
            problems.extend(printer.add(activity, &opened.names).await?);
        }
    }
    problems.extend(printer.flush(&opened.names).await?);
    if args.count {
        writeln!(std::io::stdout().lock(), "{written}")?;
    } else {
        writer.flush()?;
    }
    if !args.output.quiet {
        if more && args.limit.is_none() {
            print_error(&format!("more than {limit} activities match; --limit 0 prints all"));
        }
        if written == 0 {
            for note in short_ids(&filter).into_iter().chain(not_searched(&filter)) {
                print_error(&note);
            }
        }
    }
    Ok(opened.exit_code(&problems))
}

/// Activities whose payloads are loaded side by side, before they are written.
const STEP: usize = 128;

/// Writes what is found; what of it is in payloads is loaded some at a time.
struct Printer<'a> {
    sources: Sources,
    work: &'a Work,
    writer: &'a mut Writer,
    step: Vec<Activity>,
}

impl Printer<'_> {
    /// Writes an activity now, or with others; gives the errors of payloads that could not be loaded.
    async fn add(&mut self, activity: Activity, names: &Names) -> Result<Vec<SourceError>> {
        if !self.writer.needs_payload() {
            self.writer.write(&activity, None, names)?;
            return Ok(Vec::new());
        }
        self.step.push(activity);
        if self.step.len() < STEP { Ok(Vec::new()) } else { self.flush(names).await }
    }

    async fn flush(&mut self, names: &Names) -> Result<Vec<SourceError>> {
        let mut all = Vec::new();
        for (activity, payload, problems) in payloads_of(&self.sources, self.work, std::mem::take(&mut self.step)).await
        {
            self.writer.write(&activity, Some(&payload), names)?;
            all.extend(problems);
        }
        Ok(all)
    }
}

/// What is found, by duration: at most twice as many as are wanted are held.
struct Ranked {
    sort: Sort,
    limit: usize,
    found: Vec<Activity>,
}

impl Ranked {
    fn add(&mut self, activity: Activity) {
        self.found.push(activity);
        if self.found.len() / 2 > self.limit.max(PAGE) {
            self.rank();
        }
    }

    /// What has no duration comes last.
    fn rank(&mut self) {
        let longest_first = self.sort == Sort::Duration { longest_first: true };
        self.found.sort_by_key(|activity| {
            let took = activity.took_us();
            (took.is_none(), took.map(|us| if longest_first { u64::MAX - us } else { us }))
        });
        self.found.truncate(self.limit);
    }

    fn sorted(mut self) -> Vec<Activity> {
        self.rank();
        self.found
    }
}

/// Where plain text was not searched, and how it is.
fn not_searched(filter: &Filter) -> Option<String> {
    let text = quote(filter.plain_text()?);
    Some(format!(
        "plain text is looked for in messages, errors, addresses, names and ids; stack:{text} looks into stacks, raw:{text} into whole records"
    ))
}

/// Notes on ids that are too short to be beginnings.
fn short_ids(filter: &Filter) -> Vec<String> {
    let short = |scalar: &&Scalar| {
        scalar.form != ScalarForm::Regex && !scalar.text.contains('*') && scalar.text.chars().count() < ID_CHARACTERS
    };
    let mut notes = Vec::new();
    for atom in filter.expr().atoms() {
        let Operand::Field(field) = atom.target else { continue };
        if field.class() == ValueType::Id {
            for scalar in atom.value.scalars().into_iter().filter(short) {
                notes.push(format!(
                    "{}:{} is a whole id; {ID_CHARACTERS} characters or more find the ids that begin so, and {}* finds any",
                    field.name(),
                    scalar.text,
                    scalar.text
                ));
            }
        }
    }
    notes
}
