//! The objectives, with what was counted for them, and the measurement of their burn rates for rules.

use super::message::length;
use super::rule::{Measured, Rule, ValueUnit};
use super::seen::EvaluationInput;
use crate::insight::objective::{Count, Course, Objective, ObjectiveQuery, Standing};
use crosstail_core::model::Timestamp;

/// The objectives.
#[derive(Debug, Default)]
pub struct Objectives {
    all: Vec<(Objective, Course)>,
}

impl Objectives {
    /// Nothing is counted yet.
    pub fn new(all: Vec<Objective>) -> Self {
        Self { all: all.into_iter().map(|objective| (objective, Course::default())).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Counts what memory holds.
    pub(super) fn follow(&mut self, seen: &EvaluationInput<'_>) {
        for (objective, course) in &mut self.all {
            course.follow(objective, (seen.store, &seen.context), seen.held_from, seen.until);
        }
    }

    /// What the stores are to be asked of the next objective that they have not been asked about.
    pub fn request(&mut self, now: Timestamp, held_from: Timestamp) -> Option<ObjectiveQuery> {
        self.all.iter_mut().find_map(|(objective, course)| course.request(objective, now, held_from))
    }

    /// Takes the answer; `None` where the stores did not answer.
    pub fn answer(&mut self, query: &ObjectiveQuery, counts: Option<&[(Timestamp, i64, Count)]>) {
        if let Some((_, course)) = self.all.iter_mut().find(|(objective, _)| objective.name == query.name) {
            course.answer(query, counts);
        }
    }

    /// Each with its standing; `None` before it is known.
    pub fn standings(&self, now: Timestamp) -> impl Iterator<Item = (&Objective, Option<Standing>)> {
        self.all.iter().map(move |(objective, course)| (objective, objective.standing(course, now)))
    }

    /// The burn rate of each objective, over the rule's window and a short one: the lesser counts, so that both are beyond the
    /// limit. The second part says whether one is not known yet.
    pub(super) fn measure(&self, rule: &Rule, short_us: i64, now: Timestamp) -> (Vec<Measured>, bool) {
        let mut measured = Vec::new();
        for (objective, course) in &self.all {
            let limit = rule.threshold.limit;
            let Some(burn) = objective.burn(course, (limit, rule.window_us, short_us), now) else { continue };
            let rate = |value: f64, us: i64| format!("{} over {}", ValueUnit::Times.text(value), length(us));
            let budget = objective.standing(course, now).map(|standing| {
                let left = (100.0 * standing.budget()).max(0.0);
                format!("; {left:.0} % of the budget of {} is left", length(objective.window_us))
            });
            measured.push(Measured {
                group: vec![("objective".to_owned(), objective.name.clone())],
                value: burn.long.min(burn.short),
                count: burn.count.total,
                of: burn.count.bad(),
                may_be_chance: burn.may_be_chance(limit),
                usual: format!(
                    "{}, {}{}",
                    rate(burn.long, burn.long_us),
                    rate(burn.short, burn.short_us),
                    budget.unwrap_or_default()
                ),
                filter: objective.bad().to_owned(),
            });
        }
        let is_blind = measured.len() < self.all.len();
        (measured, is_blind)
    }
}
