//! Comparing the opened activity: with the last success of its endpoint, or one attempt with the one before.

use super::{Detail, Loadable, Room, SideBySide};
use crate::effect::{CompareRequest, CompareWith, Effect};
use crate::screens::request::Tab;
use crate::screens::shared::Shared;
use crosstail_core::model::{Activity, Status};
use crosstail_engine::insight::successes_like;

impl Detail {
    /// Compares with the last success of the endpoint: the newest before it, in memory or in a store.
    pub(super) fn compare_with_success(&mut self, room: Room, shared: &mut Shared) -> Vec<Effect> {
        let left = self.activity.clone();
        let Some(filter) = successes_like(&left) else {
            shared.notify("this activity names no endpoint to compare by");
            return Vec::new();
        };
        let right = match last_success(shared, &left) {
            Some(other) => CompareWith::Known(Box::new(other)),
            None => CompareWith::Newest(filter, left.started_at),
        };
        let known = if let CompareWith::Known(activity) = &right { Some((**activity).clone()) } else { None };
        let why = "this, and the last success of its endpoint before it".to_owned();
        let (compared, effect) = self.side_by_side_with(why, left, known, right, shared);
        self.side_by_side = Some(compared);
        self.show_tab(Tab::Compare, room);
        vec![effect]
    }

    /// Compares the selected attempt with its neighbour, unless that is done.
    pub fn compare_tries(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.tab != Tab::Retries {
            return Vec::new();
        }
        let Some((left, right)) = self.pair() else {
            self.attempt_diff = None;
            return Vec::new();
        };
        let why = format!("try {} and try {}", self.chain.number(left), self.chain.number(right));
        let (left, right) = (self.chain.attempts[left].clone(), self.chain.attempts[right].clone());
        let known = |diff: &SideBySide| diff.left == left && diff.right.as_ref() == Some(&right);
        if self.attempt_diff.as_ref().is_some_and(known) {
            return Vec::new();
        }
        let with = CompareWith::Known(Box::new(right.clone()));
        let (compared, effect) = self.side_by_side_with(why, left, Some(right), with, shared);
        self.attempt_diff = Some(compared);
        vec![effect]
    }

    /// The selected attempt and its neighbour: the one before it, or for the first attempt the second.
    fn pair(&self) -> Option<(usize, usize)> {
        let at = self.scroll.min(self.chain.attempts.len().checked_sub(1)?);
        let left = at.saturating_sub(1);
        (self.chain.attempts.len() > 1).then_some((left, left + 1))
    }

    /// Two exchanges whose differences are requested.
    fn side_by_side_with(
        &self,
        why: String,
        left: Activity,
        known: Option<Activity>,
        right: CompareWith,
        shared: &mut Shared,
    ) -> (SideBySide, Effect) {
        let ticket = shared.ticket();
        let opened = self.opened.get().filter(|_| left.id == self.activity.id).cloned();
        let shown = SideBySide { why, left: left.clone(), right: known, compared: Loadable::Loading, ticket };
        (shown, Effect::Compare(ticket, Box::new(CompareRequest { left, opened, right })))
    }
}

/// The newest success of the same endpoint before an activity, in memory.
fn last_success(shared: &Shared, of: &Activity) -> Option<Activity> {
    let store = &shared.store;
    let system = store.symbols().find(of.system.as_deref()?)?;
    let endpoint = store.symbols().find(of.endpoint.as_deref()?)?;
    let rows = store.all_rows();
    let upto = rows.partition_point(|row| store.started(*row) < of.started_at);
    rows[..upto]
        .iter()
        .rev()
        .filter(|row| store.system(**row) == system && store.endpoint(**row) == endpoint)
        .filter(|row| store.status(**row) == Some(Status::Success))
        .map(|row| store.get(*row))
        .find(|a| a.method == of.method && a.direction == of.direction && a.id != of.id)
}
