//! What the screens of groups ask: failures in groups, patterns, the values of a pattern, and changes.

use super::failures::held_failures;
use super::{Runtime, Sampling, Work, changes, contrast_sets, failures, gap_values, known_failures, patterns};
use crate::effect::{Effect, Reply, ReportRange, Ticket};
use crosstail_core::filter::{Field, Filter};
use crosstail_core::model::Timestamp;
use crosstail_source::{PageQuery, Priority, SourceError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What groups: a screen, and the list beside it.
const OF_SCREEN: usize = 0;
const OF_LIST: usize = 1;

/// The first of the sources that failed, in words.
fn first(problems: &[SourceError]) -> Option<String> {
    problems.first().map(ToString::to_string)
}

impl Runtime {
    /// Starts what is asked about groups; returns any other effect.
    pub(super) fn run_grouping(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::GroupFailures(ticket, asked) => self.group_failures(ticket, &asked),
            Effect::GroupHeld(ticket, asked) => self.group_held(ticket, &asked),
            Effect::FindChanges(ticket, asked, by, markers) => self.find_changes(ticket, &asked, by, markers),
            Effect::FindPatterns(ticket, asked) => self.find_patterns(ticket, &asked),
            Effect::FindValues(ticket, asked, template) => self.find_values(ticket, &asked, template),
            Effect::CompareSets(ticket, sets) => self.compare_sets(ticket, &sets),
            Effect::KnownFailures(ticket, until) => self.known_failures(ticket, until),
            Effect::LoadMarkers(ticket, bounds) => self.load_markers(ticket, bounds),
            Effect::CountObjective(ticket, query) => self.count_objective(ticket, query),
            Effect::StopGrouping => drop(self.restart_scope(|this| &mut this.grouping[OF_SCREEN])),
            other => return Some(other),
        }
        None
    }

    /// What is asked of the sources. A newer question of this kind ends the older one.
    fn asked(&mut self, purpose: &str, asked: &ReportRange) -> (CancellationToken, Work, PageQuery) {
        let scope = self.restart_scope(|this| &mut this.grouping[OF_SCREEN]);
        let work = self.work(purpose, Priority::View, &scope);
        (scope, work, self.page_query(asked))
    }

    /// Like [`Self::asked`]; where memory holds all of it, memory is asked.
    fn asked_of_memory(&mut self, purpose: &str, asked: &ReportRange) -> (CancellationToken, Work, PageQuery) {
        let (scope, work, query) = self.asked(purpose, asked);
        let work = if asked.is_held { work.in_memory(self.replies.clone()) } else { work };
        (scope, work, query)
    }

    fn page_query(&self, asked: &ReportRange) -> PageQuery {
        let filter = Filter::parse(&asked.filter).unwrap_or_default();
        let (since, until) = (asked.bounds.since, asked.bounds.until);
        PageQuery { filter, context: self.context(), since, until, ..PageQuery::all(0) }
    }

    fn compare_sets(&mut self, ticket: Ticket, [these, others]: &[ReportRange; 2]) {
        let (scope, work, these) = self.asked("compare two sets", these);
        let queries = [these, self.page_query(others)];
        let (sources, names) = (Arc::clone(&self.sources), self.names.clone());
        self.spawn(scope, ticket, async move {
            let mut problems = Vec::new();
            let found = contrast_sets(&sources, &work, &names, queries, Some(&mut problems)).await;
            Reply::SetsCompared(match found {
                Ok(mut found) => {
                    found.problem = first(&problems);
                    Ok(Box::new(found))
                }
                Err(error) => Err(format!("{error:#}")),
            })
        });
    }

    fn group_failures(&mut self, ticket: Ticket, asked: &ReportRange) {
        let (scope, work, query) = self.asked_of_memory("group failures", asked);
        let (sources, names, recall) = (Arc::clone(&self.sources), self.names.clone(), self.recall.clone());
        self.spawn(scope, ticket, async move {
            let mut problems = Vec::new();
            let found = failures(&sources, &work, &names, query, &recall, Some(&mut problems)).await;
            Reply::FailureGroups(match found {
                Ok(mut found) => {
                    found.problem = first(&problems).or(found.problem);
                    Ok(Box::new(found))
                }
                Err(error) => Err(format!("{error:#}")),
            })
        });
    }

    fn group_held(&mut self, ticket: Ticket, asked: &ReportRange) {
        let scope = self.restart_scope(|this| &mut this.grouping[OF_LIST]);
        let work = self.work("group what is shown", Priority::Background, &scope).in_memory(self.replies.clone());
        let (names, query) = (self.names.clone(), self.page_query(asked));
        self.spawn(scope, ticket, async move {
            let found = held_failures(&work, &names, query).await;
            Reply::FailureGroups(found.map(Box::new).map_err(|error| format!("{error:#}")))
        });
    }

    fn known_failures(&self, ticket: Ticket, until: Timestamp) {
        let work = self.work("what failed before", Priority::Background, &self.cancel);
        let (sources, names, recall) = (Arc::clone(&self.sources), self.names.clone(), self.recall.clone());
        let context = self.context();
        self.spawn(self.cancel.clone(), ticket, async move {
            let known = known_failures(&sources, &work, &names, context, until, &recall).await;
            Reply::KnownFailures(until, known.map(Box::new).map_err(|error| format!("{error:#}")))
        });
    }

    fn find_patterns(&mut self, ticket: Ticket, asked: &ReportRange) {
        let (scope, work, query) = self.asked_of_memory("find patterns", asked);
        let (sources, names) = (Arc::clone(&self.sources), self.names.clone());
        self.spawn(scope, ticket, async move {
            let mut problems = Vec::new();
            let found = patterns(&sources, &work, &names, query, Sampling::USUAL, Some(&mut problems)).await;
            Reply::Patterns(match found {
                Ok(mut found) => {
                    found.problem = first(&problems);
                    Ok(Box::new(found))
                }
                Err(error) => Err(format!("{error:#}")),
            })
        });
    }

    fn find_changes(&mut self, ticket: Ticket, asked: &ReportRange, by: Vec<Field>, markers: Vec<Timestamp>) {
        let (scope, work, query) = self.asked("find changes", asked);
        let (sources, names) = (Arc::clone(&self.sources), self.names.clone());
        self.spawn(scope, ticket, async move {
            let mut problems = Vec::new();
            let found = changes(&sources, &work, &names, query, (&by, &markers), Some(&mut problems)).await;
            Reply::Changes(match found {
                Ok(mut found) => {
                    found.problem = first(&problems);
                    Ok(Box::new(found))
                }
                Err(error) => Err(format!("{error:#}")),
            })
        });
    }

    fn find_values(&mut self, ticket: Ticket, asked: &ReportRange, template: String) {
        let (scope, work, query) = self.asked_of_memory("count values of a pattern", asked);
        let (sources, names) = (Arc::clone(&self.sources), self.names.clone());
        self.spawn(scope, ticket, async move {
            let found = gap_values(&sources, &work, &names, query, &template).await;
            Reply::GapValues(found.map_err(|error| format!("{error:#}")))
        });
    }
}
