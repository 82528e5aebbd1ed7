//! `crosstail query`: history to stdout.

use super::args::{QueryArgs, Sort};
use super::output::{Writer, print_error};
use super::{UsageError, sources};
use crate::config::Overrides;
use crate::runtime::{MergedHistory, Work};
use anyhow::{Result, ensure};
use crosstail_core::filter::{Filter, Operand, Scalar, ScalarForm, ValueType};
use crosstail_core::model::Activity;
use crosstail_source::PageQuery;
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
    let mut joined = MergedHistory::new(&opened.sources, &Work::command("query"), &opened.names, query).partial();
    if writer.shows("final") {
        joined = joined.with_outcomes();
    }
    let mut ranked = Ranked { sort: args.sort, limit, found: Vec::new() };
    let (mut written, mut more) = (0, false);
    while let Some(activity) = joined.next().await? {
        if written == limit && by_time {
            more = true;
            break;
        }
        written += 1;
        if by_time && !args.count {
            writer.write(&activity, &opened.names)?;
        } else if !args.count {
            ranked.add(activity);
        }
    }
    let problems = joined.problems().to_vec();
    if !by_time && !args.count {
        more = written > limit;
        for activity in ranked.sorted() {
            writer.write(&activity, &opened.names)?;
        }
    }
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
            for note in short_ids(&filter) {
                print_error(&note);
            }
        }
    }
    Ok(opened.exit_code(&problems))
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
