//! What was found of patterns: how many have one, how many of them failed, when they were.

use super::{Pattern, Patterns, Trend};
use crosstail_core::model::{Activity, Timestamp, redact_text};
use std::collections::HashMap;

/// A pattern, and what was found of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPattern {
    pub pattern: Pattern,
    /// Whether a filter for its id finds all of it: only words vary in it that are masked in each text by itself.
    pub by_id: bool,
    pub tally: PatternTally,
}

/// What was found of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternTally {
    /// Number of activities.
    pub count: u64,
    /// Number of failures among them.
    pub failed: u64,
    /// Start of the first.
    pub first: Timestamp,
    /// Start of the last.
    pub last: Timestamp,
    /// The last; of several, the one with the greatest id.
    pub example: Box<Activity>,
    /// When they were.
    pub trend: Trend,
}

/// All patterns, the most frequent first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundPatterns {
    pub patterns: Vec<FoundPattern>,
    /// Activities that have neither message nor error.
    pub without_text: u64,
    /// When the first and the last of all started.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What was read in part; `None` where everything was read.
    pub sampled: Option<Sampled>,
    /// Why it is not of all sources.
    pub problem: Option<String>,
}

/// The time of which the newest activities of each of some equal slices were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampled {
    pub from: Timestamp,
    /// From here on, everything was read.
    pub until: Timestamp,
    pub slices: i64,
    /// Number of activities that were read of them.
    pub read: u64,
}

impl FoundPattern {
    /// The id, where a filter for it finds all of it.
    pub fn id(&self) -> Option<&str> {
        self.by_id.then_some(self.pattern.id.as_str())
    }
}

impl FoundPatterns {
    /// The filter for one of them, and for none of the others.
    pub fn filter_of(&self, one: &FoundPattern) -> String {
        one.pattern.clauses_among(self.patterns.iter().map(|other| &other.pattern)).join(" ")
    }

    /// Number of activities that have a pattern.
    pub fn total(&self) -> u64 {
        self.patterns.iter().map(|one| one.tally.count).sum()
    }
}

/// Activities, by what they say without what varies.
#[derive(Debug, Default)]
pub struct PatternCounts {
    patterns: Patterns,
    tallies: Vec<PatternTally>,
    without_text: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl PatternCounts {
    /// Counts an activity.
    pub fn add(&mut self, activity: Activity) {
        let at = activity.started_at;
        self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        let Some(text) = activity.said() else {
            self.without_text += 1;
            return;
        };
        // Without secrets, as a filter reads it.
        let number = self.patterns.add(&redact_text(text)) as usize;
        match self.tallies.get_mut(number) {
            Some(tally) => tally.add(activity),
            None => self.tallies.push(PatternTally::of(activity)),
        }
    }

    /// What was found.
    pub fn settle(self) -> FoundPatterns {
        let mut by_pattern: HashMap<Pattern, (PatternTally, bool)> = HashMap::new();
        for ((number, pattern), tally) in (0..).zip(self.patterns.settle()).zip(self.tallies) {
            let by_id = self.patterns.masked(number) == pattern.text;
            match by_pattern.get_mut(&pattern) {
                Some((known, all_by_id)) => {
                    known.merge(tally);
                    *all_by_id &= by_id;
                }
                None => drop(by_pattern.insert(pattern, (tally, by_id))),
            }
        }
        let found = |(pattern, (tally, by_id))| FoundPattern { pattern, by_id, tally };
        let mut patterns: Vec<FoundPattern> = by_pattern.into_iter().map(found).collect();
        patterns.sort_by(|a, b| b.tally.count.cmp(&a.tally.count).then_with(|| a.pattern.text.cmp(&b.pattern.text)));
        FoundPatterns { patterns, without_text: self.without_text, span: self.span, sampled: None, problem: None }
    }
}

impl PatternTally {
    fn of(activity: Activity) -> Self {
        let at = activity.started_at;
        let mut trend = Trend::default();
        trend.add(at);
        let failed = u64::from(activity.is_failure());
        Self { count: 1, failed, first: at, last: at, example: Box::new(activity), trend }
    }

    fn add(&mut self, activity: Activity) {
        let at = activity.started_at;
        self.count += 1;
        self.failed += u64::from(activity.is_failure());
        (self.first, self.last) = (self.first.min(at), self.last.max(at));
        self.trend.add(at);
        if activity.is_later_than(&self.example) {
            *self.example = activity;
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.failed += other.failed;
        (self.first, self.last) = (self.first.min(other.first), self.last.max(other.last));
        if other.example.is_later_than(&self.example) {
            self.example = other.example;
        }
        self.trend.merge(other.trend);
    }
}
