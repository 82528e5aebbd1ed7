//! `crosstail query`: history to stdout.

use super::args::QueryArgs;
use super::output::{Writer, print_error};
use super::{exit, sources};
use crate::config::{Config, Overrides};
use crate::runtime::{MergedHistory, Work};
use anyhow::Result;
use crosstail_source::PageQuery;

/// Activities per page of a source.
const PAGE: usize = 5000;

pub(super) async fn run(args: &QueryArgs, choice: &Overrides) -> Result<u8> {
    let config = Config::load(choice)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let since = sources::moment(args.since.as_deref(), &context)?;
    let until = sources::moment(args.until.as_deref(), &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let newest_first = args.sort == "-time";
    let query = PageQuery { filter, context, since, until, newest_first, limit: limit.saturating_add(1).min(PAGE) };
    let mut joined = MergedHistory::new(&opened.sources, &Work::command("query"), &opened.names, query);
    let mut writer = Writer::new(args.output, &opened.names, context.zone);
    let mut written = 0;
    let mut more = false;
    while let Some(activity) = joined.next().await? {
        if written == limit {
            more = true;
            break;
        }
        writer.write(&activity)?;
        written += 1;
    }
    writer.flush()?;
    if more {
        print_error(&format!("more than {limit} activities match; --limit 0 prints all"));
    }
    Ok(exit::OK)
}
