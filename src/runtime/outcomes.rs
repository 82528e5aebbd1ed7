//! What became of failed attempts in the end. One record does not say it: the other attempts of the operation are looked up
//! in every source, some time before and after. A filter that names it is asked for what it implies, a failed attempt, and
//! judged when the other attempts are there.

use super::Work;
use super::complete::{IDS, one_of};
use crosstail_core::filter::{Context, Expr, Field, Filter};
use crosstail_core::model::{Activity, Id, Names, SourceId, Status, Timestamp};
use crosstail_engine::store::Store;
use crosstail_source::{Cost, PageQuery, Source, SourceError, for_all};
use std::collections::HashSet;
use std::sync::Arc;

/// Attempts of one operation are at most this far apart, in microseconds: a day.
const APART_US: i64 = 86_400_000_000;
/// So few rows are read without an index, too: a table that is as small has no use for one.
const FEW_ROWS: u64 = 20_000;
/// Attempts of attempts are looked for so often.
const GENERATIONS: usize = 8;
/// Failed attempts whose operations are looked up at once.
pub(super) const CHUNK: usize = 5000;

/// The filter that sources are asked instead of one that names what became of attempts.
pub(super) fn implied(filter: &Filter) -> Filter {
    if !filter.expr().names(Field::Final) {
        return filter.clone();
    }
    Filter::of(filter.expr().implied(Field::Final, &failed()))
}

/// Attempts that have failed.
pub(super) fn failed() -> Expr {
    let words = Status::ALL.iter().filter(|status| status.is_failure()).map(|status| status.to_string());
    one_of(Field::Status, words)
}

/// Those of them that have failed and may have other attempts: something of them says so.
pub(super) fn tried_again(found: &[Activity]) -> Vec<Activity> {
    let says = |one: &Activity| {
        let of_attempts = one.attempt.is_some() || one.max_attempts.is_some() || one.next_retry_at.is_some();
        of_attempts || one.correlation_id.is_some() || one.parent_request_id.is_some()
    };
    found.iter().filter(|one| one.is_failed_attempt() && says(one)).cloned().collect()
}

/// What attempts of the same operations share.
#[derive(Default)]
struct Keys {
    correlations: HashSet<String>,
    /// Only of attempts without a correlation id: with one, all have it.
    requests: HashSet<String>,
    parents: HashSet<String>,
}

impl Keys {
    fn of<'a>(failed: impl Iterator<Item = &'a Activity>) -> Self {
        let mut keys = Self::default();
        for activity in failed {
            if let Some(correlation) = &activity.correlation_id {
                keys.correlations.insert(correlation.to_string());
                continue;
            }
            keys.requests.insert(activity.request_key().to_string());
            keys.parents.extend(activity.parent_request_id.as_ref().map(ToString::to_string));
        }
        keys
    }

    fn is_in(&self, activity: &Activity) -> bool {
        let has = |set: &HashSet<String>, text: Option<&str>| text.is_some_and(|text| set.contains(text));
        has(&self.correlations, activity.correlation_id.as_deref())
            || has(&self.requests, activity.parent_request_id.as_deref())
            || (!self.requests.is_empty() && {
                let request = activity.request_key().to_string();
                self.requests.contains(&request) || self.parents.contains(&request)
            })
    }

    /// Questions for these keys, each of a size that stores take.
    fn questions(&self) -> Vec<Filter> {
        let requests = || self.requests.iter().chain(&self.parents);
        let correlations: Vec<&String> = self.correlations.iter().collect();
        let (own, named): (Vec<&String>, Vec<&String>) = (self.requests.iter().collect(), requests().collect());
        let of = |field: Field, keys: &[&String]| {
            let some = |some: &[&String]| Filter::of(one_of(field, some.iter().map(|key| (*key).clone())));
            keys.chunks(IDS).map(some).collect::<Vec<_>>()
        };
        [
            of(Field::Correlation, &correlations),
            of(Field::Parent, &own),
            of(Field::Request, &named),
            of(Field::Id, &named),
        ]
        .concat()
    }
}

/// Which sources are asked for other attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those that find them by an index, or have few rows.
    Indexed,
    /// All, though one has to be read whole.
    All,
}

/// What was looked up of operations.
#[derive(Default)]
pub(super) struct Others {
    /// Their other attempts.
    pub(super) attempts: Vec<Activity>,
    /// Why sources could not say.
    pub(super) problems: Vec<SourceError>,
    /// Whether there may be more, because not every source has said all that it has.
    pub(super) is_partial: bool,
}

impl Others {
    fn add(&mut self, more: Self) {
        self.attempts.extend(more.attempts);
        self.problems.extend(more.problems);
        self.is_partial |= more.is_partial;
    }

    /// The failed attempts, of those that were asked for and of these, of which every other attempt is known.
    pub(super) fn looked_up(&self, asked: &[Activity]) -> Vec<Id> {
        let all = asked.iter().chain(&self.attempts).filter(|one| !self.is_partial && one.is_failed_attempt());
        all.map(|one| one.id.clone()).collect()
    }
}

/// Where other attempts are looked up.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub(super) sources: &'a [(SourceId, Arc<dyn Source>)],
    pub(super) work: &'a Work,
    pub(super) context: Context,
    pub(super) reach: Reach,
}

impl Lookup<'_> {
    /// The other attempts of the operations of failed ones, from sources that are asked: also those that lead to them only
    /// through each other.
    pub(super) async fn others(&self, found: &[Activity]) -> Others {
        let mut all = Others { is_partial: self.work.lacks_a_source(), ..Others::default() };
        let mut known: HashSet<Id> = found.iter().map(|activity| activity.id.clone()).collect();
        let mut asked = found.to_vec();
        for _ in 0..GENERATIONS {
            if asked.is_empty() {
                break;
            }
            let mut more = self.beside(&asked).await;
            more.attempts.retain(|other| known.insert(other.id.clone()));
            // What shares a trace is found at once.
            asked = more.attempts.iter().filter(|other| other.correlation_id.is_none()).cloned().collect();
            all.add(more);
        }
        all.is_partial |= !asked.is_empty();
        all
    }

    /// The attempts that share something with failed ones.
    async fn beside(&self, found: &[Activity]) -> Others {
        let Self { sources, work, context, reach } = *self;
        let mut all = Others::default();
        let failed = || found.iter().filter(|activity| activity.is_failed_attempt());
        let starts = || failed().map(|activity| activity.started_at);
        let (Some(first), Some(last)) = (starts().min(), starts().max()) else { return all };
        let (since, until) = (Some(first.plus_us(-APART_US)), Some(last.plus_us(APART_US)));
        let keys = Keys::of(failed());
        let holding = sources.iter().filter(|(_, source)| source.capabilities().holds_activities);
        let asked = holding.map(|(id, source)| async {
            let (job, mut others) = (work.job(*id), Others::default());
            // What does not find ids is read once, for all of them.
            let questions = match (source.capabilities().finds_ids, reach) {
                (true, _) => keys.questions(),
                (false, Reach::All) => vec![Filter::default()],
                (false, Reach::Indexed) => return Others { is_partial: true, ..others },
            };
            for filter in questions {
                let query = PageQuery { filter, context, since, until, ..PageQuery::all(CHUNK) };
                let is_cheap = |cost: Cost| cost.indexed || cost.rows.is_some_and(|rows| rows <= FEW_ROWS);
                if reach == Reach::Indexed && !source.plan(&query, &job).await.is_ok_and(is_cheap) {
                    others.is_partial = true;
                    continue;
                }
                let answer = for_all(source.as_ref(), &query, &job, |activity| {
                    if activity.status.is_some() && keys.is_in(&activity) {
                        others.attempts.push(activity);
                    }
                });
                if let Err(error) = answer.await {
                    return Others { problems: vec![error], is_partial: true, ..others };
                }
            }
            others
        });
        futures_util::future::join_all(asked).await.into_iter().for_each(|others| all.add(others));
        all
    }
}

/// The same activities; the failed ones say what became of them, as far as their other attempts tell.
pub(super) fn known(names: &Names, found: Vec<Activity>, others: Others) -> Vec<Activity> {
    let mut store = Store::new(names.clone());
    store.set_held_from(others.is_partial.then_some(Timestamp(i64::MAX)));
    store.ingest(others.attempts);
    store.ingest(found.clone());
    store.follow_operations();
    let known = |activity: Activity| {
        let final_outcome = store.find(&activity.id).and_then(|row| store.final_outcome(row));
        Activity { final_outcome, ..activity }
    };
    found.into_iter().map(known).collect()
}
