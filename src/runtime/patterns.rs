//! The patterns of messages and errors over all sources.

use super::{MergedHistory, Work};
use anyhow::Result;
use crosstail_core::model::{Activity, Names, SourceId, Timestamp, redact_text};
use crosstail_engine::pattern::{Pattern, Patterns, Trend};
use crosstail_source::{PageQuery, Source, SourceError};
use std::collections::HashMap;
use std::sync::Arc;

/// Activities per page.
const PAGE: usize = 5000;

/// A pattern, and what was found of it.
#[derive(Debug, Clone)]
pub struct FoundPattern {
    pub pattern: Pattern,
    pub tally: PatternTally,
}

/// What was found of a pattern.
#[derive(Debug, Clone)]
pub struct PatternTally {
    /// Number of activities.
    pub count: u64,
    /// Number of failures among them.
    pub failed: u64,
    /// Start of the first.
    pub first: Timestamp,
    /// Start of the last.
    pub last: Timestamp,
    /// Id of the last.
    pub example: String,
    /// When they were.
    pub trend: Trend,
}

/// All patterns, the most frequent first.
#[derive(Debug, Clone, Default)]
pub struct FoundPatterns {
    pub patterns: Vec<FoundPattern>,
    /// Activities that have neither message nor error.
    pub without_text: u64,
    /// When the first and the last of all started.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl PatternTally {
    /// Of a first activity, which is not counted yet.
    fn before(activity: &Activity) -> Self {
        let at = activity.started_at;
        Self { count: 0, failed: 0, first: at, last: at, example: activity.id.to_string(), trend: Trend::default() }
    }

    fn add(&mut self, activity: &Activity) {
        let at = activity.started_at;
        self.count += 1;
        self.failed += u64::from(activity.is_failure());
        self.first = self.first.min(at);
        if at > self.last {
            (self.last, self.example) = (at, activity.id.to_string());
        }
        self.trend.add(at);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.failed += other.failed;
        self.first = self.first.min(other.first);
        if (other.last, &other.example) > (self.last, &self.example) {
            (self.last, self.example) = (other.last, other.example);
        }
        self.trend.merge(other.trend);
    }
}

/// The patterns of what matches a query: of the error of an activity, or else of its message. With `problems`, reading goes on
/// without the sources that fail.
pub async fn patterns(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    problems: Option<&mut Vec<SourceError>>,
) -> Result<FoundPatterns> {
    let query = PageQuery { newest_first: true, limit: PAGE, ..query };
    // Metrics and health endpoints hold no activities.
    let holding: Vec<_> =
        sources.iter().filter(|(_, source)| source.capabilities().holds_activities).cloned().collect();
    let mut joined = MergedHistory::new(&holding, work, names, query);
    if problems.is_some() {
        joined = joined.partial();
    }
    let (mut all, mut tallies, mut found) = (Patterns::default(), Vec::<PatternTally>::new(), FoundPatterns::default());
    while let Some(activity) = joined.next().await? {
        let at = activity.started_at;
        found.span = Some(found.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        let Some(text) = activity.said() else {
            found.without_text += 1;
            continue;
        };
        // Without secrets, as a filter reads it.
        let number = all.add(&redact_text(text)) as usize;
        if number == tallies.len() {
            tallies.push(PatternTally::before(&activity));
        }
        tallies[number].add(&activity);
    }
    if let Some(problems) = problems {
        problems.extend_from_slice(joined.problems());
    }
    let mut by_pattern: HashMap<Pattern, PatternTally> = HashMap::new();
    for (pattern, tally) in all.settle().into_iter().zip(tallies) {
        match by_pattern.get_mut(&pattern) {
            Some(known) => known.merge(tally),
            None => drop(by_pattern.insert(pattern, tally)),
        }
    }
    found.patterns = by_pattern.into_iter().map(|(pattern, tally)| FoundPattern { pattern, tally }).collect();
    found.patterns.sort_by(|a, b| b.tally.count.cmp(&a.tally.count).then_with(|| a.pattern.cmp(&b.pattern)));
    Ok(found)
}
