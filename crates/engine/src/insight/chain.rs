//! Retry chains: the attempts of one operation in order, and what its policy says about each.

use super::Policy;
use crosstail_core::model::{Activity, FinalOutcome, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use std::collections::{HashMap, HashSet};

/// How the attempts were linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkedBy {
    /// Each attempt names the one before as its parent.
    Parent,
    /// All attempts have the same request id.
    Request,
    /// Same correlation id, operation and entity, in order of the attempt's number.
    Numbers,
    /// Same correlation id, endpoint and entity, each started after the one before had failed. No attempt has a number
    /// or a parent.
    Operation,
    /// There is only one attempt.
    Single,
}

impl LinkedBy {
    /// Description for people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Parent => "by parent request",
            Self::Request => "by shared request id",
            Self::Numbers => "by attempt number within the correlation id",
            Self::Operation => "by correlation id, endpoint and entity: the store has no parent and no attempt number",
            Self::Single => "a single attempt",
        }
    }

    /// Name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Request => "request",
            Self::Numbers => "numbers",
            Self::Operation => "operation",
            Self::Single => "single",
        }
    }
}

/// The attempts of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The attempts in order; at least one.
    pub attempts: Vec<Activity>,
    /// How the attempts were linked.
    pub basis: LinkedBy,
    /// When the next attempt is due, if one is scheduled.
    pub next: Option<Timestamp>,
    /// Whether there may be other attempts, because not every store could say.
    pub is_partial: bool,
}

/// Whether two activities can be attempts of one operation.
fn same_operation(a: &Activity, b: &Activity) -> bool {
    !a.is_of_another_trace(b)
        && a.system == b.system
        && a.endpoint == b.endpoint
        && a.method == b.method
        && a.operation == b.operation
        && a.entity == b.entity
        && a.direction == b.direction
}

impl Chain {
    /// Builds the chain of `opened` from activities that may belong to it, in any order.
    pub fn build<'a>(opened: &'a Activity, related: impl IntoIterator<Item = &'a Activity>) -> Self {
        let mut pool: Vec<&Activity> =
            related.into_iter().filter(|a| same_operation(a, opened) && a.id != opened.id).collect();
        pool.push(opened);
        let mut attempts = by_parent(opened, &pool);
        let shared = attempts.iter().all(|a| a.request_key().to_string() == opened.request_key().to_string());
        let mut basis = if shared { LinkedBy::Request } else { LinkedBy::Parent };
        if attempts.len() == 1 {
            (attempts, basis) = by_number(opened, &pool)
                .map(|found| (found, LinkedBy::Numbers))
                .or_else(|| by_operation(opened, &pool).map(|found| (found, LinkedBy::Operation)))
                .unwrap_or((attempts, LinkedBy::Single));
        }
        let mut attempts: Vec<Activity> = attempts.into_iter().cloned().collect();
        attempts.sort_by(|a, b| (a.attempt, a.started_at, &a.id).cmp(&(b.attempt, b.started_at, &b.id)));
        attempts.dedup_by(|a, b| a.id == b.id);
        let next = attempts.last().filter(|last| last.status != Some(Status::Success)).and_then(|a| a.next_retry_at);
        Self { attempts, basis, next, is_partial: false }
    }

    /// The same chain; `is_partial`: there may be other attempts, because not every store could say.
    #[must_use]
    pub fn partly(self, is_partial: bool) -> Self {
        Self { is_partial, ..self }
    }

    /// Whether its attempts are of one operation for certain: they are numbered, name each other, or are about the same thing. Calls
    /// that one request made to the same endpoint can be of several.
    pub fn is_certain(&self) -> bool {
        let numbers: HashSet<u16> = self.attempts.iter().filter_map(|attempt| attempt.attempt).collect();
        let is_about = self.attempts.iter().all(|attempt| attempt.entity.is_some());
        is_about
            || numbers.len() == self.attempts.len()
            || matches!(self.basis, LinkedBy::Parent | LinkedBy::Numbers | LinkedBy::Single)
    }

    /// What became of the operation; `None` where its only attempt has not failed, and where nothing says that it was the
    /// last.
    pub fn outcome(&self, policy: Option<&Policy>) -> Option<FinalOutcome> {
        let outcome = self.as_recorded(policy)?;
        Some(if self.is_partial && self.unless_followed(policy).is_some() { FinalOutcome::Unknown } else { outcome })
    }

    /// What its attempts say, if there is no other.
    fn as_recorded(&self, policy: Option<&Policy>) -> Option<FinalOutcome> {
        let (first, last) = (self.attempts.first()?, self.attempts.last()?);
        let several = self.attempts.len() > 1 || last.attempt.is_some_and(|attempt| attempt > 1);
        match last.status {
            Some(Status::Success) if several => {
                let end = last.completed_at.unwrap_or(last.started_at);
                let attempt = self.number(self.attempts.len() - 1);
                Some(FinalOutcome::Recovered { after_us: end.since_us(first.started_at), attempt })
            }
            Some(Status::InProgress) if several => Some(FinalOutcome::Running),
            Some(Status::Success | Status::InProgress | Status::Cancelled) => None,
            _ => match self.next {
                Some(at) => Some(FinalOutcome::Waiting(at)),
                None => {
                    let is_last = self.may_not_be_tried_again(last, policy) || several;
                    (is_last && last.is_failure()).then_some(FinalOutcome::GivenUp)
                }
            },
        }
    }

    /// Whether all attempts that are allowed have been made.
    fn may_not_be_tried_again(&self, last: &Activity, policy: Option<&Policy>) -> bool {
        let most = last.max_attempts.map(u64::from).or_else(|| policy.and_then(|policy| policy.max_attempts));
        let used = self.number(self.attempts.len() - 1) as u64;
        most.is_some_and(|most| used >= most) || policy.is_some_and(|policy| policy.refuses(last).is_some())
    }

    /// The start of the last attempt, where what the attempts say is true only if no attempt came after it; `None` where the
    /// attempts say it themselves.
    pub fn unless_followed(&self, policy: Option<&Policy>) -> Option<Timestamp> {
        let last = self.attempts.last()?;
        let is_open = match last.status {
            Some(Status::Success | Status::InProgress | Status::Cancelled) => false,
            _ => self.next.is_some() || !self.may_not_be_tried_again(last, policy),
        };
        is_open.then_some(last.started_at)
    }

    /// The number of an attempt: as recorded, else its position from 1.
    pub fn number(&self, index: usize) -> usize {
        self.attempts.get(index).and_then(|a| a.attempt).map_or(index + 1, usize::from)
    }

    /// Microseconds from the end of the previous attempt to the start of this one.
    pub fn gap_us(&self, index: usize) -> Option<i64> {
        let before = self.attempts.get(index.checked_sub(1)?)?;
        let end = before.completed_at.unwrap_or(before.started_at);
        Some(self.attempts.get(index)?.started_at.since_us(end))
    }

    /// What followed an attempt, in words: `retry in 20 s (exponential from 10 s)`, `no more: 3 of 3 attempts used`.
    pub fn verdict(&self, index: usize, policy: Option<&Policy>) -> Option<String> {
        let attempt = self.attempts.get(index)?;
        let most = attempt.max_attempts.map(u64::from).or_else(|| policy.and_then(|policy| policy.max_attempts));
        let number = self.number(index) as u64;
        match attempt.status {
            Some(Status::Success) => return Some("done".to_owned()),
            Some(Status::InProgress) => return Some("in progress".to_owned()),
            Some(Status::Cancelled) => return Some("cancelled".to_owned()),
            _ => {}
        }
        let how = policy.map(Policy::backoff).filter(|text| !text.is_empty()).map(|text| format!(" ({text})"));
        if let Some(at) = attempt.next_retry_at {
            let ended = attempt.completed_at.unwrap_or(attempt.started_at);
            let wait = at.since_us(ended).max(0) as f64 / 1e6;
            return Some(format!("retry in {}{}", super::http::span(wait), how.unwrap_or_default()));
        }
        if index + 1 < self.attempts.len() {
            let again = self.gap_us(index + 1).map(|us| us.max(0) as f64 / 1e6)?;
            return Some(format!("retried after {}{}", super::http::span(again), how.unwrap_or_default()));
        }
        match most {
            Some(most) if number >= most => Some(format!("no more: {number} of {most} attempts used")),
            _ => {
                let refused = policy.and_then(|policy| policy.refuses(attempt));
                Some(refused.unwrap_or_else(|| "no further attempt is scheduled".to_owned()))
            }
        }
    }
}

/// Attempts that name each other as parents.
fn by_parent<'a>(opened: &'a Activity, pool: &[&'a Activity]) -> Vec<&'a Activity> {
    let mut of: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, activity) in pool.iter().enumerate() {
        of.entry(activity.request_key().to_string()).or_default().push(index);
    }
    let mut children: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, activity) in pool.iter().enumerate() {
        if let Some(parent) = &activity.parent_request_id {
            children.entry(parent).or_default().push(index);
        }
    }
    let mut seen: HashSet<usize> = HashSet::new();
    let mut open: Vec<usize> = of.get(&opened.request_key().to_string()).cloned().unwrap_or_default();
    while let Some(index) = open.pop() {
        if !seen.insert(index) {
            continue;
        }
        let activity = pool[index];
        let parent = activity.parent_request_id.as_ref().and_then(|parent| of.get(parent.as_str()));
        open.extend(parent.into_iter().flatten());
        // Attempts may share a parent that is not one of them: it caused them all.
        open.extend(children.get(activity.request_key().to_string().as_str()).into_iter().flatten());
    }
    seen.into_iter().map(|index| pool[index]).collect()
}

/// Attempts with one correlation id and different numbers.
fn by_number<'a>(opened: &Activity, pool: &[&'a Activity]) -> Option<Vec<&'a Activity>> {
    opened.correlation_id.as_ref()?;
    let found: Vec<&Activity> =
        pool.iter().copied().filter(|a| a.attempt.is_some() && a.correlation_id == opened.correlation_id).collect();
    let distinct: HashSet<_> = found.iter().map(|a| a.attempt).collect();
    (found.len() > 1 && distinct.len() == found.len()).then_some(found)
}

/// Attempts with one correlation id and without numbers, each started after the one before had ended without success.
fn by_operation<'a>(opened: &Activity, pool: &[&'a Activity]) -> Option<Vec<&'a Activity>> {
    opened.correlation_id.as_ref()?;
    opened.endpoint.as_ref().or(opened.operation.as_ref())?;
    let mut found: Vec<&Activity> = pool
        .iter()
        .copied()
        .filter(|a| a.correlation_id == opened.correlation_id && a.attempt.is_none() && a.status.is_some())
        .collect();
    found.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    let end = |a: &Activity| a.completed_at.or(a.took_us().map(|us| a.started_at.plus_us(saturating_i64(us))));
    let follows = |pair: &[&Activity]| {
        let failed = pair[0].is_failure();
        failed && end(pair[0]).is_none_or(|end| end <= pair[1].started_at)
    };
    // The run of attempts around the opened one; a success ends a run.
    let at = found.iter().position(|a| a.id == opened.id)?;
    let first = (0..at).rev().take_while(|i| follows(&found[*i..=*i + 1])).last().unwrap_or(at);
    let last = (at..found.len() - 1).take_while(|i| follows(&found[*i..=*i + 1])).last().map_or(at, |i| i + 1);
    (last > first).then(|| found[first..=last].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::Id;
    use proptest::prelude::*;

    fn attempt(n: u16, parent: Option<u16>) -> Activity {
        let mut a = Activity::new(Id::Text(compact_str::format_compact!("r{n}")), Timestamp(i64::from(n) * 1000));
        a.request_id = Some(a.id.clone());
        a.attempt = Some(n);
        a.status = Some(Status::Failed);
        a.completed_at = Some(Timestamp(i64::from(n) * 1000 + 500));
        a.system = Some("SAP".into());
        a.endpoint = Some("/po".into());
        a.correlation_id = Some("c".into());
        a.parent_request_id = parent.map(|p| compact_str::format_compact!("r{p}"));
        a
    }

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Recorded {
        Parents,
        Numbers,
        Neither,
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_chain(
            order in Just((1u16..6).collect::<Vec<_>>()).prop_shuffle(),
            open in 1u16..6,
            told in prop::sample::select(vec![Recorded::Parents, Recorded::Numbers, Recorded::Neither]),
            others in prop::collection::vec((0u16..6, any::<bool>()), 0..6),
        ) {
            let one = |n: u16| {
                let mut a = attempt(n, (told == Recorded::Parents && n > 1).then(|| n - 1));
                if told == Recorded::Neither {
                    a.attempt = None;
                }
                a
            };
            // Another operation with the same correlation id, or the same operation with another one, does not belong.
            let strangers = others.iter().enumerate().map(|(index, (n, elsewhere))| {
                let mut a = one(*n);
                a.id = Id::Text(compact_str::format_compact!("x{index}"));
                a.request_id = Some(a.id.clone());
                a.parent_request_id = None;
                if *elsewhere { a.endpoint = Some("/other".into()) } else { a.correlation_id = Some("d".into()) }
                a
            });
            let mut all: Vec<Activity> = order.iter().map(|n| one(*n)).chain(strangers).collect();
            let opened = one(open);
            let chain = Chain::build(&opened, &all);
            all.reverse();
            prop_assert_eq!(&chain, &Chain::build(&opened, &all));
            let ids: Vec<String> = chain.attempts.iter().map(|a| a.id.to_string()).collect();
            prop_assert_eq!(ids, ["r1", "r2", "r3", "r4", "r5"]);
            prop_assert_eq!(chain.basis, match told {
                Recorded::Parents => LinkedBy::Parent,
                Recorded::Numbers => LinkedBy::Numbers,
                Recorded::Neither => LinkedBy::Operation,
            });
        }
    }

    #[test]
    fn deliveries_of_one_event_share_its_request_id() {
        let delivery = |n: u16| {
            let mut a = attempt(n, None);
            a.id = Id::Text(compact_str::format_compact!("d{n}"));
            a.request_id = Some(Id::Text("event-1".into()));
            a.correlation_id = None;
            a
        };
        let all = [delivery(2), delivery(3), delivery(1)];
        let chain = Chain::build(&all[0], &all);
        let numbers: Vec<_> = chain.attempts.iter().filter_map(|a| a.attempt).collect();
        assert_eq!((numbers, chain.basis), (vec![1, 2, 3], LinkedBy::Request));
    }

    #[test]
    fn calls_of_another_operation_are_no_tries() {
        let mut other = attempt(2, Some(1));
        other.endpoint = Some("/elsewhere".into());
        let chain = Chain::build(&attempt(1, None), [&other]);
        assert_eq!(chain.attempts.len(), 1);
        assert_eq!(chain.basis, LinkedBy::Single);
    }

    #[test]
    fn without_numbers_a_success_ends_a_run_and_calls_side_by_side_are_no_tries() {
        let bare = |n: u16, status: Status| {
            let mut a = attempt(n, None);
            a.attempt = None;
            a.status = Some(status);
            a
        };
        let all =
            [bare(1, Status::Failed), bare(2, Status::Success), bare(3, Status::Failed), bare(4, Status::Success)];
        let numbers = |open: usize| Chain::build(&all[open], &all).attempts.len();
        assert_eq!((numbers(0), numbers(1), numbers(2)), (2, 2, 2));
        let mut beside = bare(2, Status::Failed);
        beside.started_at = Timestamp(1200);
        assert_eq!(Chain::build(&bare(1, Status::Failed), [&beside]).basis, LinkedBy::Single);
    }

    #[test]
    fn the_policy_says_what_comes_next() {
        let policy = Policy::read(&serde_json::json!({"max_attempts": 3, "backoff": "exponential", "initial_delay_ms": 10_000, "retry_on": [503]})).expect("policy");
        let mut first = attempt(1, None);
        first.next_retry_at = Some(Timestamp(1500 + 20_000_000));
        let mut third = attempt(3, Some(2));
        third.http_status = Some(503);
        let all = [first, attempt(2, Some(1)), third.clone()];
        let chain = Chain::build(&all[0], &all);
        assert_eq!(chain.verdict(0, Some(&policy)).as_deref(), Some("retry in 20 s (exponential from 10 s)"));
        assert!(chain.verdict(1, Some(&policy)).is_some_and(|said| said.starts_with("retried after")));
        assert_eq!(chain.verdict(2, Some(&policy)).as_deref(), Some("no more: 3 of 3 attempts used"));
        assert_eq!(chain.outcome(Some(&policy)), Some(FinalOutcome::GivenUp));
        let mut refused = attempt(1, None);
        refused.http_status = Some(400);
        let chain = Chain::build(&refused, []);
        assert_eq!(chain.verdict(0, Some(&policy)).as_deref(), Some("not retried: 400 is not among 503"));
        assert_eq!(chain.outcome(Some(&policy)), Some(FinalOutcome::GivenUp));
        assert_eq!(chain.outcome(None), None, "nothing says that it was the last");
        let mut success = attempt(2, Some(1));
        (success.status, success.completed_at) = (Some(Status::Success), Some(all[0].started_at.plus_ms(12_000)));
        let chain = Chain::build(&all[0], [&success]);
        let recovered = FinalOutcome::Recovered { after_us: 12_000_000, attempt: 2 };
        assert_eq!(chain.outcome(None), Some(recovered));
        let chain = Chain::build(&all[0], []);
        assert_eq!(chain.outcome(None), chain.next.map(FinalOutcome::Waiting));
        assert!(chain.next.is_some());
        // What rests on there being no other attempt.
        assert_eq!(chain.partly(true).outcome(None), Some(FinalOutcome::Unknown));
        let chain = Chain::build(&refused, []).partly(true);
        assert_eq!((chain.outcome(None), chain.outcome(Some(&policy))), (None, Some(FinalOutcome::GivenUp)));
        assert_eq!(Chain::build(&success, [&all[0]]).partly(true).outcome(None), Some(recovered));
    }
}
