//! `crosstail query`: history to stdout.

use super::args::QueryArgs;
use super::output::{Writer, complain};
use super::{exit, sources};
use crate::config::Config;
use crate::model::Activity;
use crate::source::{Cursor, PageQuery, Source};
use anyhow::Result;
use std::collections::VecDeque;
use std::sync::Arc;

/// Activities asked of a source at a time.
const PAGE: usize = 5000;

pub(super) async fn run(args: &QueryArgs) -> Result<u8> {
    let config = Config::load()?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let since = sources::moment(args.since.as_deref(), &context)?;
    let until = sources::moment(args.until.as_deref(), &context)?;
    let opened = sources::open_args(&args.source, &config)?;
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let newest_first = args.sort == "-time";
    let query = PageQuery { filter, context, since, until, newest_first, limit: limit.saturating_add(1).min(PAGE) };
    let mut merged = Merged::new(opened.sources.iter().map(|(_, source)| Arc::clone(source)), query);
    let mut writer = Writer::new(args.output, &opened.names, context.zone);
    let mut written = 0;
    let mut more = false;
    while let Some(activity) = merged.next().await? {
        if written == limit {
            more = true;
            break;
        }
        writer.write(&activity)?;
        written += 1;
    }
    writer.flush()?;
    if more {
        complain(&format!("there is more than the {limit} shown; --limit 0 for all"));
    }
    Ok(exit::OK)
}

/// Pages of several sources as one sequence in order of time.
struct Merged {
    query: PageQuery,
    streams: Vec<Stream>,
}

struct Stream {
    source: Arc<dyn Source>,
    ready: VecDeque<Activity>,
    cursor: Option<Cursor>,
    ended: bool,
}

impl Merged {
    fn new(sources: impl Iterator<Item = Arc<dyn Source>>, query: PageQuery) -> Self {
        let stream = |source| Stream { source, ready: VecDeque::new(), cursor: None, ended: false };
        Self { query, streams: sources.map(stream).collect() }
    }

    async fn next(&mut self) -> Result<Option<Activity>> {
        for stream in &mut self.streams {
            while stream.ready.is_empty() && !stream.ended {
                let page = stream.source.page(&self.query, stream.cursor.as_ref()).await?;
                stream.ready.extend(page.items);
                stream.ended = page.next.is_none();
                stream.cursor = page.next;
            }
        }
        let newest_first = self.query.newest_first;
        let heads = self.streams.iter().enumerate().filter_map(|(i, s)| Some((i, s.ready.front()?.started_at)));
        let best = if newest_first { heads.max_by_key(|(_, at)| *at) } else { heads.min_by_key(|(_, at)| *at) };
        Ok(best.and_then(|(index, _)| self.streams[index].ready.pop_front()))
    }
}
