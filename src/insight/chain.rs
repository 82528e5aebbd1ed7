//! Retry chains: the tries of one operation, in order.

use crate::model::{Activity, Timestamp};
use std::collections::HashSet;

/// By what the tries were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Each try names the one before as its parent.
    Parent,
    /// Same correlation id, operation and entity, in order of try number.
    Numbers,
    /// There is only one.
    Single,
}

impl Basis {
    /// For people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Parent => "by parent request",
            Self::Numbers => "by try number within the correlation id",
            Self::Single => "a single try",
        }
    }
}

/// The tries of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// In order.
    pub attempts: Vec<Activity>,
    /// By what they were found.
    pub basis: Basis,
    /// When the next one is due, if one is.
    pub next: Option<Timestamp>,
}

/// What makes two activities tries of one operation.
fn same_operation(a: &Activity, b: &Activity) -> bool {
    a.system == b.system
        && a.endpoint == b.endpoint
        && a.method == b.method
        && a.operation == b.operation
        && a.entity == b.entity
}

fn request_of(activity: &Activity) -> String {
    activity.request_id.as_ref().unwrap_or(&activity.id).to_string()
}

impl Chain {
    /// The chain of `opened` among activities that may belong to it; the order they are given in does not matter.
    pub fn build(opened: &Activity, related: &[Activity]) -> Self {
        let mut pool: Vec<&Activity> =
            related.iter().filter(|a| same_operation(a, opened) && a.id != opened.id).collect();
        pool.push(opened);
        let mut linked: HashSet<String> = HashSet::from([request_of(opened)]);
        loop {
            let before = linked.len();
            for activity in &pool {
                let own = request_of(activity);
                let parent = activity.parent_request_id.as_ref().map(ToString::to_string);
                if linked.contains(&own) {
                    let tried = |p: &String| pool.iter().any(|a| request_of(a) == *p);
                    linked.extend(parent.filter(tried));
                } else if parent.is_some_and(|p| linked.contains(&p)) {
                    linked.insert(own);
                }
            }
            if linked.len() == before {
                break;
            }
        }
        let mut attempts: Vec<Activity> =
            pool.iter().filter(|a| linked.contains(&request_of(a))).map(|a| (*a).clone()).collect();
        let mut basis = Basis::Parent;
        if attempts.len() == 1 {
            let numbered = |a: &&&Activity| a.attempt.is_some() && a.correlation_id == opened.correlation_id;
            let found: Vec<Activity> = pool.iter().filter(numbered).map(|a| (*a).clone()).collect();
            let distinct: HashSet<_> = found.iter().map(|a| a.attempt).collect();
            if opened.correlation_id.is_some() && found.len() > 1 && distinct.len() == found.len() {
                attempts = found;
                basis = Basis::Numbers;
            } else {
                basis = Basis::Single;
            }
        }
        attempts.sort_by(|a, b| (a.attempt, a.started_at, &a.id).cmp(&(b.attempt, b.started_at, &b.id)));
        let next = attempts.last().and_then(|last| last.next_retry_at);
        Self { attempts, basis, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Id;
    use proptest::prelude::*;

    fn attempt(n: u16, parent: Option<u16>) -> Activity {
        let mut a = Activity::new(Id::Text(compact_str::format_compact!("r{n}")), Timestamp(i64::from(n) * 1000));
        a.request_id = Some(a.id.clone());
        a.attempt = Some(n);
        a.system = Some("SAP".into());
        a.correlation_id = Some("c".into());
        a.parent_request_id = parent.map(|p| compact_str::format_compact!("r{p}"));
        a
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_chain(order in Just((1u16..6).collect::<Vec<_>>()).prop_shuffle(), open in 1u16..6, linked in any::<bool>()) {
            let all: Vec<Activity> = order.iter().map(|n| attempt(*n, (linked && *n > 1).then(|| n - 1))).collect();
            let chain = Chain::build(&attempt(open, (linked && open > 1).then(|| open - 1)), &all);
            let numbers: Vec<_> = chain.attempts.iter().filter_map(|a| a.attempt).collect();
            prop_assert_eq!(numbers, vec![1, 2, 3, 4, 5]);
            prop_assert_eq!(chain.basis, if linked { Basis::Parent } else { Basis::Numbers });
        }
    }

    #[test]
    fn calls_of_another_operation_are_no_tries() {
        let mut other = attempt(2, Some(1));
        other.endpoint = Some("/elsewhere".into());
        let chain = Chain::build(&attempt(1, None), &[other]);
        assert_eq!(chain.attempts.len(), 1);
        assert_eq!(chain.basis, Basis::Single);
    }
}
