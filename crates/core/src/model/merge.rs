//! Joins the records of one activity, in any order of arrival.
//!
//! Parts (the lines `API Request Started` and `Completed`) form a semilattice: `absorb` is commutative,
//! associative and idempotent, so that reading files backwards, forwards or twice gives the same result.
//! A complete record (an updated database row) replaces what the same place said before.

use super::Activity;

fn pick<T: Ord>(mine: &mut Option<T>, other: Option<T>) {
    if let Some(value) = other
        && mine.as_ref().is_none_or(|current| *current < value)
    {
        *mine = Some(value);
    }
}

fn pick_number(mine: &mut Option<f64>, other: Option<f64>) {
    if let Some(value) = other
        && mine.is_none_or(|current| current < value)
    {
        *mine = Some(value);
    }
}

impl Activity {
    /// Merges another record of the same activity into this one.
    pub fn merge(&mut self, other: Self) {
        match (self.exact_start, other.exact_start) {
            (false, true) => self.started_at = other.started_at,
            (true, false) => {}
            _ => self.started_at = self.started_at.min(other.started_at),
        }
        self.exact_start |= other.exact_start;
        match (self.exact_system, other.exact_system) {
            (false, true) if other.system.is_some() => {
                self.system = other.system;
                self.exact_system = true;
            }
            (true, false) if self.system.is_some() => {}
            _ => {
                pick(&mut self.system, other.system);
                self.exact_system |= other.exact_system;
            }
        }
        if (other.message_rank, &other.message) > (self.message_rank, &self.message) {
            self.message = other.message;
            self.message_rank = other.message_rank;
        }
        self.kind = self.kind.min(other.kind);
        self.direction = self.direction.max(other.direction);
        pick(&mut self.status, other.status);
        pick(&mut self.level, other.level);
        pick(&mut self.endpoint, other.endpoint);
        pick(&mut self.method, other.method);
        pick(&mut self.url, other.url);
        pick(&mut self.http_status, other.http_status);
        pick(&mut self.completed_at, other.completed_at);
        pick(&mut self.duration_us, other.duration_us);
        pick(&mut self.attempt, other.attempt);
        pick(&mut self.max_attempts, other.max_attempts);
        pick(&mut self.next_retry_at, other.next_retry_at);
        pick(&mut self.request_id, other.request_id);
        pick(&mut self.correlation_id, other.correlation_id);
        pick(&mut self.parent_request_id, other.parent_request_id);
        pick(&mut self.error, other.error);
        pick(&mut self.error_type, other.error_type);
        pick(&mut self.error_at, other.error_at);
        pick(&mut self.operation, other.operation);
        pick(&mut self.entity, other.entity);
        pick(&mut self.actor, other.actor);
        pick(&mut self.organization, other.organization);
        pick(&mut self.tags, other.tags);
        pick_number(&mut self.cpu_percent, other.cpu_percent);
        pick_number(&mut self.memory_mb, other.memory_mb);
        for place in other.places {
            match self.places.iter_mut().find(|known| **known == place) {
                Some(known) => known.at = known.at.max(place.at),
                None => self.places.push(place),
            }
        }
        self.part &= other.part;
    }

    /// Replaces one place's record with a newer version. Values that the place no longer has are removed, those of
    /// other places stay. A finished status never returns to `in_progress`.
    pub fn replace_with(&mut self, newer: Self) {
        let finished = self.status.filter(|status| status.is_finished());
        let became = self.final_outcome;
        let alone = self.places.iter().all(|place| newer.places.contains(place));
        let mut merged = newer;
        if !alone {
            let status = merged.status;
            let older = std::mem::replace(self, merged.clone());
            merged.merge(older);
            merged.status = status;
        }
        // What is known of other attempts is no part of a record.
        merged.final_outcome = became;
        if let (Some(finished), true) = (finished, merged.status.is_none_or(|s| !s.is_finished())) {
            merged.status = Some(finished);
        }
        *self = merged;
    }
}

/// Merges the records of several sources by id, in the order in which each id first occurs.
pub fn merge_by_id(activities: Vec<Activity>) -> Vec<Activity> {
    let mut places: std::collections::HashMap<super::Id, usize> = std::collections::HashMap::new();
    let mut found: Vec<Activity> = Vec::with_capacity(activities.len());
    for activity in activities {
        match places.get(&activity.id) {
            Some(index) => found[*index].merge(activity),
            None => {
                places.insert(activity.id.clone(), found.len());
                found.push(activity);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Id, Status, Timestamp};
    use super::*;
    use proptest::prelude::*;

    fn part(kind: u8, n: u8) -> Activity {
        let mut a = Activity::new(Id::Uuid(7), Timestamp(1_000_000 + i64::from(n)));
        a.part = true;
        match kind {
            0 => {
                a.status = Some(Status::InProgress);
                a.message = Some("API Request Started".into());
                a.method = Some("POST".into());
                a.exact_system = false;
                a.system = Some("halopsa-integration".into());
            }
            1 => {
                a.status = Some(Status::Success);
                a.message = Some("API Request Completed".into());
                a.message_rank = 1;
                a.duration_us = Some(u64::from(n) * 1000);
                a.exact_start = false;
                a.http_status = Some(200);
            }
            _ => {
                a.status = Some(Status::Failed);
                a.message = Some("Operation Failed".into());
                a.message_rank = 2;
                a.exact_start = false;
                a.system = Some("sap".into());
                a.error = Some(compact_str::format_compact!("boom {n}"));
            }
        }
        a
    }

    fn all_of(parts: &[Activity]) -> Activity {
        let mut all = parts.iter().cloned();
        let mut first = all.next().expect("at least one");
        all.for_each(|next| first.merge(next));
        first.places.clear();
        first
    }

    proptest! {
        #[test]
        fn parts_join_alike_in_any_order_and_any_number_of_times(
            spec in prop::collection::vec((0u8..3, 0u8..4), 1..6),
            order in prop::collection::vec(any::<prop::sample::Index>(), 12),
        ) {
            let parts: Vec<Activity> = spec.iter().map(|(k, n)| part(*k, *n)).collect();
            let mut shuffled = parts.clone();
            for index in &order {
                shuffled.push(parts[index.index(parts.len())].clone());
                let at = index.index(shuffled.len());
                let last = shuffled.len() - 1;
                shuffled.swap(at, last);
            }
            prop_assert_eq!(all_of(&parts), all_of(&shuffled));
        }
    }

    #[test]
    fn a_newer_version_replaces_but_never_reopens() {
        let mut done = part(1, 1);
        let mut older = part(0, 1);
        older.error = None;
        done.error = Some("gone in the newer version".into());
        done.replace_with(older);
        assert_eq!(done.status, Some(Status::Success));
        assert_eq!(done.error, None);
    }
}
