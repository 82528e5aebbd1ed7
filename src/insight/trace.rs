//! Traces: what shares a correlation id, as a tree by parent request.

use crate::model::{Activity, Id, Timestamp};
use std::collections::{HashMap, HashSet};

/// One activity of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The activity.
    pub activity: Activity,
    /// Levels below a root.
    pub depth: usize,
    /// On the longest chain of waiting.
    pub critical: bool,
    /// The first of the trace that failed.
    pub first_failure: bool,
}

/// A trace, parents before their children, siblings in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// The activities.
    pub nodes: Vec<Node>,
    /// When the first one began.
    pub start: Timestamp,
    /// When the last one ended.
    pub end: Timestamp,
}

fn end_of(activity: &Activity) -> Timestamp {
    let took = activity.took_us().map(|us| activity.started_at.plus_us(us as i64));
    activity.completed_at.or(took).unwrap_or(activity.started_at).max(activity.started_at)
}

impl Trace {
    /// Builds the tree; the order of the activities does not matter.
    pub fn build(activities: &[Activity]) -> Self {
        let mut sorted: Vec<&Activity> = activities.iter().collect();
        sorted.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        sorted.dedup_by(|a, b| a.id == b.id);
        let mut by_request: HashMap<String, usize> = HashMap::new();
        for (index, activity) in sorted.iter().enumerate() {
            let own = activity.request_id.as_ref().unwrap_or(&activity.id).to_string();
            by_request.entry(own).or_insert(index);
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); sorted.len()];
        let mut roots = Vec::new();
        for (index, activity) in sorted.iter().enumerate() {
            let parent = activity.parent_request_id.as_ref().and_then(|p| by_request.get(p.as_str()).copied());
            match parent.filter(|parent| *parent != index && !reaches(&sorted, &by_request, *parent, index)) {
                Some(parent) => children[parent].push(index),
                None => roots.push(index),
            }
        }
        let start = sorted.first().map(|a| a.started_at).unwrap_or_default();
        let end = sorted.iter().map(|a| end_of(a)).max().unwrap_or_default();
        let critical = critical_path(&sorted, &children, &roots);
        let first_failure: Option<&Id> =
            sorted.iter().filter(|a| a.is_failure()).min_by_key(|a| (end_of(a), &a.id)).map(|a| &a.id);
        let mut nodes = Vec::with_capacity(sorted.len());
        let mut stack: Vec<(usize, usize)> = roots.iter().rev().map(|root| (*root, 0)).collect();
        while let Some((index, depth)) = stack.pop() {
            let activity = sorted[index].clone();
            nodes.push(Node {
                first_failure: first_failure == Some(&activity.id),
                critical: critical.contains(&index),
                activity,
                depth,
            });
            stack.extend(children[index].iter().rev().map(|child| (*child, depth + 1)));
        }
        Self { nodes, start, end }
    }

    /// From the first beginning to the last end, in microseconds.
    pub fn length_us(&self) -> i64 {
        self.end.since_us(self.start)
    }

    /// Microseconds spent on the critical path.
    pub fn critical_us(&self) -> i64 {
        let spans: Vec<_> =
            self.nodes.iter().filter(|n| n.critical).map(|n| (n.activity.started_at, end_of(&n.activity))).collect();
        let mut covered = 0;
        let mut upto = self.start;
        for (from, to) in spans {
            covered += to.since_us(from.max(upto)).max(0);
            upto = upto.max(to);
        }
        covered
    }
}

/// Whether following parents from `from` leads to `to`: a loop in what was recorded.
fn reaches(sorted: &[&Activity], by_request: &HashMap<String, usize>, from: usize, to: usize) -> bool {
    let mut at = from;
    let mut seen = HashSet::new();
    while seen.insert(at) {
        if at == to {
            return true;
        }
        match sorted[at].parent_request_id.as_ref().and_then(|p| by_request.get(p.as_str())) {
            Some(parent) => at = *parent,
            None => return false,
        }
    }
    true
}

/// From the root that ends last, the child that ends last, and so on down: what the whole had to wait for.
fn critical_path(sorted: &[&Activity], children: &[Vec<usize>], roots: &[usize]) -> HashSet<usize> {
    let mut path = HashSet::new();
    let mut subtree_end: Vec<Timestamp> = sorted.iter().map(|a| end_of(a)).collect();
    // Children come after their parents in time, or at least in the loop-free tree below their root.
    let mut order: Vec<usize> = Vec::new();
    let mut stack = roots.to_vec();
    while let Some(index) = stack.pop() {
        order.push(index);
        stack.extend(&children[index]);
    }
    for index in order.into_iter().rev() {
        if let Some(last) = children[index].iter().map(|child| subtree_end[*child]).max() {
            subtree_end[index] = subtree_end[index].max(last);
        }
    }
    let mut at = roots.iter().copied().max_by_key(|root| (subtree_end[*root], std::cmp::Reverse(*root)));
    while let Some(index) = at {
        path.insert(index);
        at = children[index].iter().copied().max_by_key(|child| (subtree_end[*child], std::cmp::Reverse(*child)));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn activity(n: usize, parent: Option<usize>, start: i64, took: u64) -> Activity {
        let mut a = Activity::new(Id::Text(compact_str::format_compact!("r{n}")), Timestamp(start));
        a.request_id = Some(a.id.clone());
        a.parent_request_id = parent.map(|p| compact_str::format_compact!("r{p}"));
        a.duration_us = Some(took);
        a
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_tree_and_loses_nothing(
            parents in prop::collection::vec(prop::option::of(0usize..12), 1..12),
            seed in any::<u64>(),
        ) {
            let all: Vec<Activity> = parents.iter().enumerate().map(|(n, p)| activity(n, *p, n as i64 * 10, 25)).collect();
            let mut shuffled = all.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            let trace = Trace::build(&all);
            prop_assert_eq!(&trace, &Trace::build(&shuffled));
            prop_assert_eq!(trace.nodes.len(), all.len());
        }
    }

    #[test]
    fn the_critical_path_is_what_was_waited_for() {
        let all = [activity(0, None, 0, 100), activity(1, Some(0), 10, 20), activity(2, Some(0), 30, 70)];
        let trace = Trace::build(&all);
        let critical: Vec<_> = trace.nodes.iter().map(|n| n.critical).collect();
        assert_eq!(critical, [true, false, true]);
        assert_eq!(trace.length_us(), 100);
        assert_eq!(trace.critical_us(), 100);
    }
}
