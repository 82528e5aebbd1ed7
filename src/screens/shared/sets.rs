//! Two sets of activities that are to be compared: what each is of, and what the list shows of it.

use super::Shared;
use crate::action::Action;
use crate::effect::ReportRange;
use crosstail_core::filter::{Expr, Field, Filter};
use crosstail_core::model::Timestamp;
use crosstail_engine::window::Bounds;

/// Two sets: these, then the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoSets {
    pub sets: [ReportRange; 2],
    /// What they are called, in a word or two.
    pub names: [String; 2],
    /// The action of the screen that asked, which is shown again afterwards; `None` for the list.
    pub back: Option<Action>,
}

impl TwoSets {
    /// Before and after a moment; what was before it are the others.
    pub fn around(filter: &str, since: Timestamp, at: Timestamp, until: Timestamp, back: Action) -> Self {
        let filter = Filter::parse(filter).unwrap_or_default().without(&[Field::Time], false);
        let set = |since, until| ReportRange {
            filter: filter.clone(),
            bounds: Bounds { since: Some(since), until: Some(until) },
            is_held: false,
        };
        let names = ["after", "before"].map(str::to_owned);
        Self { sets: [set(at, until), set(since, at)], names, back: Some(back) }
    }

    /// The same, the other way round.
    #[must_use]
    pub fn swapped(self) -> Self {
        let ([these, others], [this, other]) = (self.sets, self.names);
        Self { sets: [others, these], names: [other, this], back: self.back }
    }
}

impl Shared {
    /// The view, and what another filter keeps: in the same time, if it does not name one.
    ///
    /// # Errors
    /// If the text is no filter; for people.
    pub(in crate::screens) fn view_and(&self, text: &str) -> Result<TwoSets, String> {
        let (filter, predicate) = Filter::compile(text, &self.context()).map_err(|error| error.to_string())?;
        let named = predicate.time_bounds().map(|(since, until)| Bounds { since, until });
        let bounds = named.unwrap_or_else(|| self.chosen_bounds());
        let other = ReportRange { filter: filter.text().to_owned(), bounds, is_held: self.holds(&filter, bounds) };
        let names = ["this view", "the other"].map(str::to_owned);
        Ok(TwoSets { sets: [self.view_range(), other], names, back: None })
    }

    /// What is proposed as the other set: the view in the time before its own, as long as that.
    pub(in crate::screens) fn text_of_time_before(&self) -> String {
        let bounds = self.bounds();
        let filter = self.filter.without(&[Field::Time], false);
        let Some(since) = bounds.since else { return filter };
        let length = bounds.until.unwrap_or(self.now).since_us(since);
        let clause = time_clause(Bounds { since: Some(since.plus_us(-length)), until: Some(since) });
        format!("{filter} {clause}").trim().to_owned()
    }

    /// A filter that shows a set in the list, narrowed by a clause.
    pub(in crate::screens) fn narrowed(&self, set: &ReportRange, clause: &str, negated: bool) -> String {
        let mut filter = Filter::parse(&set.filter).unwrap_or_default();
        if set.bounds != self.chosen_bounds() && !filter.expr().names(Field::Time) {
            let timed = and_clause(&filter, &time_clause(set.bounds), false);
            filter = Filter::parse(&timed).unwrap_or(filter);
        }
        and_clause(&filter, clause, negated)
    }

    /// The filter with a clause, or its negation, in place of what it says of a field. What it excludes stays excluded beside a
    /// negation.
    pub(in crate::screens) fn filter_with_in_place_of(&self, field: Field, clause: &str, negated: bool) -> String {
        let rest = self.filter.without(&[field], !negated);
        and_clause(&Filter::parse(&rest).unwrap_or_default(), clause, negated)
    }

    /// A set in words: its filter, and its time.
    pub(in crate::screens) fn describe_set(&self, set: &ReportRange) -> String {
        let filter = Filter::parse(&set.filter).unwrap_or_default().without(&[Field::Time], false);
        let moment = |at: Timestamp| self.local(at).format("%m-%d %H:%M:%S").to_string();
        let time = match (set.bounds.since, set.bounds.until) {
            (None, None) => "any time".to_owned(),
            (since, until) => {
                let [since, until] = [since, until].map(|at| at.map_or_else(|| "…".to_owned(), moment));
                format!("{since} – {until}")
            }
        };
        format!("{} · {time}", if filter.is_empty() { "everything" } else { &filter })
    }
}

fn time_clause(bounds: Bounds) -> String {
    let [since, until] = [bounds.since, bounds.until].map(|at| at.map(|at| at.rfc3339()).unwrap_or_default());
    format!("time:{since}..{until}")
}

/// A filter with a clause, or its negation, added with AND. A clause that it already contains is not added again; a contrary one
/// stays.
pub(super) fn and_clause(filter: &Filter, clause: &str, negated: bool) -> String {
    let clause = if negated { format!("-{clause}") } else { clause.to_owned() };
    let text = filter.text().trim();
    if filter.has_clause(&clause) {
        text.to_owned()
    } else if text.is_empty() {
        clause
    } else if matches!(filter.expr(), Expr::Or(_)) {
        format!("({text}) {clause}")
    } else {
        format!("{text} {clause}")
    }
}
