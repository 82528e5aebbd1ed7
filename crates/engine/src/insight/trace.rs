//! Traces: the activities with one correlation id, as a tree by parent request.

use crosstail_core::model::{Activity, Direction, Id, Status, Timestamp};
use crosstail_core::number::saturating_i64;
use std::collections::HashMap;

/// One activity of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub activity: Activity,
    /// 0 for a root.
    pub depth: usize,
    /// Whether it is on the critical path.
    pub critical: bool,
    /// Whether it is the first failure of the trace.
    pub first_failure: bool,
    /// Microseconds before its start in which nothing of the trace was running; only of a gap in [`Trace::gaps`].
    pub idle_before_us: Option<i64>,
}

/// A trace. Parents are before their children, siblings in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    pub nodes: Vec<Node>,
    /// Start of the first activity.
    pub start: Timestamp,
    /// End of the last activity.
    pub end: Timestamp,
    /// Periods in which nothing of the trace was running, in order.
    pub gaps: Vec<(Timestamp, Timestamp)>,
    /// Microseconds spent on the critical path.
    pub critical_us: i64,
    /// Whether part of it is still running.
    pub is_open: bool,
}

fn end_of(activity: &Activity) -> Timestamp {
    let took = activity.took_us().map(|us| activity.started_at.plus_us(saturating_i64(us)));
    activity.completed_at.or(took).unwrap_or(activity.started_at).max(activity.started_at)
}

impl Trace {
    /// The trace of an activity, from what may belong to it, in any order. What only shares the id of a span is of another trace.
    pub fn of<'a>(own: &Activity, related: impl IntoIterator<Item = &'a Activity>) -> Self {
        Self::build(related.into_iter().filter(|other| !own.is_of_another_trace(other)))
    }

    /// Builds the tree from activities in any order.
    pub fn build<'a>(activities: impl IntoIterator<Item = &'a Activity>) -> Self {
        let mut sorted: Vec<&Activity> = activities.into_iter().collect();
        sorted.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        sorted.dedup_by(|a, b| a.id == b.id);
        let parents = parents(&sorted);
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); sorted.len()];
        let mut roots = Vec::new();
        for (index, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(index),
                None => roots.push(index),
            }
        }
        let start = sorted.first().map(|a| a.started_at).unwrap_or_default();
        let end = sorted.iter().map(|a| end_of(a)).max().unwrap_or_default();
        let critical = critical_path(&sorted, &children, &roots);
        let gaps = gaps(&sorted, end.since_us(start));
        let idle: HashMap<Timestamp, i64> = gaps.iter().map(|(from, to)| (*to, to.since_us(*from))).collect();
        let first_failure: Option<&Id> =
            sorted.iter().filter(|a| a.is_failure()).min_by_key(|a| (end_of(a), &a.id)).map(|a| &a.id);
        let mut nodes = Vec::with_capacity(sorted.len());
        let mut stack: Vec<(usize, usize)> = roots.iter().rev().map(|root| (*root, 0)).collect();
        while let Some((index, depth)) = stack.pop() {
            let activity = sorted[index].clone();
            nodes.push(Node {
                first_failure: first_failure == Some(&activity.id),
                critical: critical[index],
                idle_before_us: idle.get(&activity.started_at).copied(),
                activity,
                depth,
            });
            stack.extend(children[index].iter().rev().map(|child| (*child, depth + 1)));
        }
        let mut critical_us = 0;
        let mut upto = start;
        for activity in sorted.iter().zip(&critical).filter(|(_, critical)| **critical).map(|(activity, _)| activity) {
            critical_us += end_of(activity).since_us(activity.started_at.max(upto)).max(0);
            upto = upto.max(end_of(activity));
        }
        let is_open = sorted.iter().any(|a| a.status == Some(Status::InProgress));
        Self { nodes, start, end, gaps, critical_us, is_open }
    }

    /// Microseconds from the first start to the last end.
    pub fn length_us(&self) -> i64 {
        self.end.since_us(self.start)
    }

    /// Microseconds in which nothing was running.
    pub fn idle_us(&self) -> i64 {
        self.gaps.iter().map(|(from, to)| to.since_us(*from)).sum()
    }

    /// Its stages in one line: `webhook → sync → 3 calls → 2 log lines`.
    pub fn outline(&self) -> String {
        let mut steps: Vec<(&'static str, usize)> = Vec::new();
        let mut in_time: Vec<&Activity> = self.nodes.iter().map(|node| &node.activity).collect();
        in_time.sort_by_key(|a| a.started_at);
        for activity in in_time {
            let word = activity.kind.noun();
            match steps.last_mut() {
                Some((last, n)) if *last == word => *n += 1,
                _ => steps.push((word, 1)),
            }
        }
        let shown: Vec<String> = steps
            .iter()
            .take(6)
            .map(|(word, n)| match (n, word.strip_suffix('y')) {
                (1, _) => (*word).to_owned(),
                (n, Some(stem)) => format!("{n} {stem}ies"),
                (n, None) => format!("{n} {word}s"),
            })
            .collect();
        let more = if steps.len() > 6 { " → …" } else { "" };
        shown.join(" → ") + more
    }
}

/// The parent of each activity: the request that it names, else the request that it is a line of. A loop in the data is
/// broken before its earliest activity.
fn parents(sorted: &[&Activity]) -> Vec<Option<usize>> {
    // How well each fits its request: the request itself has precedence over lines that only name it, and of the two sides of a call
    // that share an id the one that was called, in which everything below it happened.
    let rank = |index: usize, own: &str| {
        let activity = sorted[index];
        if activity.is_span() {
            1 + u8::from(activity.direction == Direction::In)
        } else {
            3 * u8::from(activity.id.to_string() == own)
        }
    };
    let mut by_request: HashMap<String, usize> = HashMap::new();
    let mut callers: HashMap<String, usize> = HashMap::new();
    for (index, activity) in sorted.iter().enumerate() {
        let own = activity.request_key().to_string();
        if activity.is_span() && activity.direction == Direction::Out {
            callers.entry(own.clone()).or_insert(index);
        }
        if by_request.get(&own).is_none_or(|known| rank(index, &own) > rank(*known, &own)) {
            by_request.insert(own, index);
        }
    }
    let named = |index: usize, activity: &Activity| {
        let request = activity.request_key().to_string();
        let is_called = activity.is_span() && activity.direction == Direction::In;
        let caller = callers.get(&request).filter(|_| is_called);
        let parent = || activity.parent_request_id.as_ref().and_then(|parent| by_request.get(parent.as_str()));
        let own = || by_request.get(&request);
        let is_caller = activity.is_span() && !is_called;
        caller.or_else(parent).or_else(|| own().filter(|_| !is_caller)).copied().filter(|parent| *parent != index)
    };
    let mut parents: Vec<Option<usize>> = sorted.iter().enumerate().map(|(index, a)| named(index, a)).collect();
    // 0: not visited; else the number of the walk that visited it.
    let mut walk = vec![0usize; parents.len()];
    for start in 0..parents.len() {
        let mut at = start;
        while walk[at] == 0 {
            walk[at] = start + 1;
            match parents[at] {
                Some(parent) => at = parent,
                None => break,
            }
        }
        if walk[at] == start + 1 && parents[at].is_some() {
            let (mut first, mut next) = (at, parents[at]);
            while let Some(index) = next.filter(|index| *index != at) {
                first = first.min(index);
                next = parents[index];
            }
            parents[first] = None;
        }
    }
    parents
}

/// Periods of at least a hundredth of the trace in which nothing was running. An activity without an end is running.
fn gaps(sorted: &[&Activity], length_us: i64) -> Vec<(Timestamp, Timestamp)> {
    let mut gaps = Vec::new();
    let mut upto: Option<Timestamp> = None;
    for activity in sorted {
        if let Some(upto) = upto.filter(|upto| activity.started_at.since_us(*upto) >= (length_us / 100).max(1000)) {
            gaps.push((upto, activity.started_at));
        }
        let running = activity.status == Some(Status::InProgress);
        let end = if running { Timestamp(i64::MAX) } else { end_of(activity) };
        upto = Some(upto.map_or(end, |upto| upto.max(end)));
    }
    gaps
}

/// What the trace had to wait for, as Jaeger marks it: of the activity that ended last, the child that ended last, then
/// the last one that ended before that child started, and so on.
fn critical_path(sorted: &[&Activity], children: &[Vec<usize>], roots: &[usize]) -> Vec<bool> {
    let mut critical = vec![false; sorted.len()];
    let mut subtree_end: Vec<Timestamp> = sorted.iter().map(|a| end_of(a)).collect();
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
    // The last one that ended before `until`, then the last one that ended before that one started …
    let waited_for = |among: &[usize], mut until: Timestamp| {
        let mut latest = among.to_vec();
        latest.sort_by_key(|index| (std::cmp::Reverse(subtree_end[*index]), *index));
        let mut found = Vec::new();
        for index in latest {
            if subtree_end[index] <= until {
                until = sorted[index].started_at;
                found.push(index);
            }
        }
        found
    };
    let mut open = waited_for(roots, Timestamp(i64::MAX));
    while let Some(index) = open.pop() {
        critical[index] = true;
        open.extend(waited_for(&children[index], subtree_end[index]));
    }
    critical
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
            let all: Vec<Activity> = parents.iter().enumerate().map(|(n, p)| activity(n, *p, saturating_i64(n) * 10, 25)).collect();
            let mut shuffled = all.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            let trace = Trace::build(&all);
            prop_assert_eq!(&trace, &Trace::build(&shuffled));
            prop_assert_eq!(trace.nodes.len(), all.len());
            prop_assert!(trace.critical_us + trace.idle_us() <= trace.length_us() + 10_000);
            prop_assert!(trace.nodes.is_empty() || trace.nodes.iter().any(|node| node.critical));
            // Live: one more at a time ends at the same.
            let mut grown = Trace::default();
            for n in 1..=shuffled.len() {
                grown = Trace::build(&shuffled[..n]);
            }
            prop_assert_eq!(&trace, &grown);
        }
    }

    #[test]
    fn the_critical_path_is_what_was_waited_for() {
        let all = [activity(0, None, 0, 100), activity(1, Some(0), 10, 30), activity(2, Some(0), 30, 70)];
        let trace = Trace::build(&all);
        let critical: Vec<_> = trace.nodes.iter().map(|n| n.critical).collect();
        assert_eq!(critical, [true, false, true]);
        assert_eq!(trace.length_us(), 100);
        assert_eq!(trace.critical_us, 100);
    }

    #[test]
    fn without_parents_the_path_goes_through_what_came_one_after_the_other() {
        // A long one next to two short ones; then a gap, then the last.
        let all = [
            activity(0, None, 0, 10_000),
            activity(1, None, 1000, 40_000),
            activity(2, None, 2000, 3000),
            activity(3, None, 90_000, 10_000),
        ];
        let trace = Trace::build(&all);
        let critical: Vec<_> = trace.nodes.iter().map(|n| n.critical).collect();
        assert_eq!(critical, [false, true, false, true]);
        assert_eq!(trace.gaps, [(Timestamp(41_000), Timestamp(90_000))]);
        assert_eq!(trace.nodes[3].idle_before_us, Some(49_000));
        assert_eq!((trace.idle_us(), trace.critical_us), (49_000, 50_000));
    }

    fn span(trace: &str, id: &str, parent: Option<&str>, start: i64, direction: Direction) -> Activity {
        let side = if direction == Direction::In { "-server" } else { "" };
        let mut span = Activity::new(Id::parse(&format!("{trace}-{id}{side}")), Timestamp(start));
        span.request_id = Some(Id::parse(id));
        span.correlation_id = Some(trace.into());
        span.parent_request_id = parent.map(Into::into);
        span.direction = direction;
        span
    }

    #[test]
    fn two_sides_of_a_call_may_share_the_id_of_a_span_and_two_traces_too() {
        let (t, u) = ("0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c");
        let root = span(t, "aaaaaaaaaaaaaaaa", None, 0, Direction::In);
        let caller = span(t, "bbbbbbbbbbbbbbbb", Some("aaaaaaaaaaaaaaaa"), 10, Direction::Out);
        let called = span(t, "bbbbbbbbbbbbbbbb", Some("aaaaaaaaaaaaaaaa"), 20, Direction::In);
        let below = span(t, "cccccccccccccccc", Some("bbbbbbbbbbbbbbbb"), 30, Direction::Out);
        let mut line = Activity::new(Id::parse("line"), Timestamp(40));
        (line.request_id, line.correlation_id) = (called.request_id.clone(), called.correlation_id.clone());
        let foreign = span(u, "bbbbbbbbbbbbbbbb", None, 50, Direction::Out);
        let all = [&root, &caller, &called, &below, &line, &foreign];
        let found = |trace: &Trace| trace.nodes.iter().map(|n| (n.activity.started_at.0, n.depth)).collect::<Vec<_>>();
        assert_eq!(found(&Trace::of(&caller, all)), [(0, 0), (10, 1), (20, 2), (30, 3), (40, 3)]);
        assert_eq!(found(&Trace::of(&foreign, all)), [(50, 0)]);
    }

    #[test]
    fn lines_of_a_request_stand_below_it_and_loops_are_cut() {
        let call = activity(0, None, 100, 50);
        let mut line = activity(9, None, 90, 0);
        line.id = Id::Text("line".into());
        line.request_id = Some(call.id.clone());
        line.duration_us = None;
        let trace = Trace::build([&line, &call]);
        let depths: Vec<_> = trace.nodes.iter().map(|n| (n.activity.id.to_string(), n.depth)).collect();
        assert_eq!(depths, [("r0".to_owned(), 0), ("line".to_owned(), 1)]);
        let looped = [
            activity(0, Some(2), 0, 5),
            activity(1, Some(0), 1, 5),
            activity(2, Some(1), 2, 5),
            activity(3, Some(3), 3, 5),
        ];
        let depths: Vec<_> = Trace::build(&looped).nodes.iter().map(|n| n.depth).collect();
        assert_eq!(depths, [0, 1, 2, 0]);
    }
}
