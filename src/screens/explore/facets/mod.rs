//! The facets: the values in the view, with their counts.

pub(super) mod view;

use crate::action::Action;
use crate::config::Layout;
use crate::effect::Effect;
use crate::screens::Hint;
use crate::screens::explore::values::{self, Values};
use crate::screens::request::{Focus, Request};
use crate::screens::shared::{CountState, Shared};
use crosstail_core::filter::{Field, Filter, Operand};
use crosstail_engine::store::{Facet, Row};
use std::collections::HashMap;

/// Values of a field that are kept.
const SHOWN: usize = 12;
/// Activities among which the values of a path are counted.
pub(super) const SAMPLE: usize = 300;

/// State of the facets.
#[derive(Debug, Clone)]
pub struct Facets {
    /// Whether they are shown.
    pub is_on: bool,
    /// Each field with its values.
    pub groups: Vec<(Operand, Vec<Facet>)>,
    /// How many more values each of them has.
    pub more: Vec<usize>,
    /// Whether only what is shown is counted, and the stores still count.
    pub is_part: bool,
    /// The fields that a store cannot count: what is held is counted.
    pub of_held: Vec<Field>,
    /// The paths of payloads, and among how many activities their values were counted.
    pub sampled: Vec<(Operand, usize)>,
    /// Whether some have failed and some have not: else how many have failed says nothing.
    pub tells_failures: bool,
    /// Selected value, counted over all groups.
    pub selected: usize,
}

impl Default for Facets {
    fn default() -> Self {
        Self {
            is_on: true,
            groups: Vec::new(),
            more: Vec::new(),
            is_part: false,
            of_held: Vec::new(),
            sampled: Vec::new(),
            tells_failures: true,
            selected: 0,
        }
    }
}

impl Facets {
    /// What is shown, in order.
    pub(super) fn shown(shared: &Shared) -> Vec<Operand> {
        match shared.layout.facets.as_slice() {
            [] => Layout::FACETS.into_iter().map(Operand::Field).collect(),
            chosen => chosen.to_vec(),
        }
    }

    /// Whether it is said of a field's values how many have failed: of what only failures have, it says nothing.
    pub(super) fn says_failures(of: &Operand) -> bool {
        !matches!(of, Operand::Field(Field::Status | Field::Final))
    }

    /// Columns that they take; with room to spare, values are longer.
    pub(super) fn width(&self, is_roomy: bool) -> u16 {
        let values = if is_roomy { 25 } else { 20 };
        if self.tells_failures { values + view::FAILURES } else { values }
    }

    /// Those of them that stores can count. What became of attempts is known only of what is held.
    pub(super) fn counted_by_stores(shared: &Shared) -> Vec<Field> {
        fields(&Self::shown(shared)).filter(|field| *field != Field::Final).collect()
    }

    /// The actions that they take while they have the keys.
    pub const ACTIONS: [Action; 10] = [
        Action::UP,
        Action::DOWN,
        Action::PAGE_UP,
        Action::PAGE_DOWN,
        Action::TOP,
        Action::BOTTOM,
        Action::BACK,
        Action::OPEN,
        Action::KEEP,
        Action::EXCLUDE,
    ];

    /// What the key bar shows while they have the keys.
    pub const HINTS: &[Hint] = &[
        Hint(Action::BACK, "list"),
        Hint(Action::OPEN, "narrow"),
        Hint(Action::EXCLUDE, "exclude"),
        Hint(Action::FOCUS_NEXT, "next panel"),
    ];

    /// Counts the values of the range: those of memory, and those that the stores have counted.
    pub(super) fn count(&mut self, loaded: &Values, shared: &Shared) {
        let all = Self::shown(shared);
        let (store, counted) = (&shared.store, shared.counted(true));
        self.is_part = counted.state != CountState::Held && counted.values.is_empty();
        let kept = self.current().map(|(of, facet)| (of.clone(), facet.value.clone()));
        let is_held = counted.state == CountState::Held;
        let is_counted = |field: &Field| counted.values.iter().any(|(known, _)| known == field);
        self.of_held.clear();
        if !counted.values.is_empty() {
            self.of_held.extend(fields(&all).filter(|field| !is_counted(field)));
        }
        let here: Vec<Row> = match counted.values.as_slice() {
            [] => Vec::new(),
            _ => shared.counted_here(true).iter().flat_map(|range| store.kept_between(range)).copied().collect(),
        };
        let of = |field: &Field| {
            let others = is_held.then(|| others(*field, shared)).flatten();
            let (rows, limit) = match &others {
                Some(others) => (others.as_slice(), SHOWN),
                None if is_counted(field) => (&*here, usize::MAX),
                None => (store.rows(), SHOWN),
            };
            let (mut facets, different) = store.facet_of(*field, rows, limit);
            let theirs = counted.values.iter().filter(|(known, _)| known == field).flat_map(|(_, facets)| facets);
            let mut at: HashMap<String, usize> = HashMap::new();
            if theirs.clone().next().is_some() {
                at = facets.iter().enumerate().map(|(index, facet)| (facet.value.clone(), index)).collect();
            }
            for facet in theirs {
                match at.get(&facet.value) {
                    Some(index) => {
                        let known = &mut facets[*index];
                        (known.count, known.failed) = (known.count + facet.count, known.failed + facet.failed);
                    }
                    None => {
                        at.insert(facet.value.clone(), facets.len());
                        facets.push(facet.clone());
                    }
                }
            }
            let different = different.max(facets.len());
            (facets, different)
        };
        self.sampled.clear();
        let looked_at =
            if all.iter().any(Operand::is_of_payload) { values::sample(store.rows(), SAMPLE) } else { Vec::new() };
        let group = |operand: Operand| {
            let (mut facets, different) = match &operand {
                Operand::Field(field) => of(field),
                Operand::Path(..) => {
                    let (facets, number) = loaded.facet(&operand, &looked_at, shared);
                    self.sampled.push((operand.clone(), number));
                    let different = facets.len();
                    (facets, different)
                }
            };
            facets.sort_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
            facets.truncate(SHOWN);
            let more = different - facets.len();
            ((operand, facets), more)
        };
        // A path that was chosen stands there while nothing of it is loaded, too.
        let groups = all.into_iter().map(group);
        (self.groups, self.more) = groups.filter(|((of, facets), _)| of.is_of_payload() || !facets.is_empty()).unzip();
        let said = || self.groups.iter().filter(|(of, _)| Self::says_failures(of)).flat_map(|(_, facets)| facets);
        self.tells_failures = said().any(|facet| facet.failed > 0) && said().any(|facet| facet.failed < facet.count);
        // The cursor stays on its value.
        let values = || self.groups.iter().flat_map(|(of, facets)| facets.iter().map(move |facet| (of, &facet.value)));
        let at = kept.and_then(|(of, value)| values().position(|(known, other)| *known == of && *other == value));
        self.selected = at.unwrap_or(self.selected).min(self.len().saturating_sub(1));
    }

    /// The selected field and value.
    fn current(&self) -> Option<(&Operand, &Facet)> {
        let mut all = self.groups.iter().flat_map(|(of, facets)| facets.iter().map(move |facet| (of, facet)));
        all.nth(self.selected)
    }

    /// Number of values.
    fn len(&self) -> usize {
        self.groups.iter().map(|(_, facets)| facets.len()).sum()
    }

    /// Takes an action while they have the keys.
    pub fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let last = self.len().saturating_sub(1);
        match action {
            Action::UP => self.selected = self.selected.saturating_sub(1),
            Action::DOWN => self.selected = (self.selected + 1).min(last),
            Action::PAGE_UP => self.selected = self.selected.saturating_sub(10),
            Action::PAGE_DOWN => self.selected = (self.selected + 10).min(last),
            Action::TOP => self.selected = 0,
            Action::BOTTOM => self.selected = last,
            Action::BACK => shared.ask(Request::Focus(Focus::List)),
            Action::OPEN | Action::KEEP | Action::EXCLUDE => {
                let (of, facet) = self.current()?;
                narrow(of, &facet.value, action == Action::EXCLUDE, shared);
            }
            _ => return None,
        }
        Some(Vec::new())
    }
}

/// Keeps a value, or excludes it. An activity has one value of most fields: another one takes the place of what the filter says of
/// the field, as both together would keep nothing.
fn narrow(of: &Operand, value: &str, negated: bool, shared: &mut Shared) {
    let clause = of.clause(value);
    let is_kept = shared.filter.has_clause(&clause);
    // What is not kept by itself is excluded beside what else is said: it may be one of a group, or of a range.
    if let Operand::Field(field) = of
        && !matches!(field, Field::Tags | Field::Source)
        && is_kept == negated
    {
        let text = shared.filter_with_in_place_of(*field, &clause, negated);
        shared.ask(Request::Filter(text));
    } else {
        shared.narrow(&clause, negated);
    }
}

/// Those of them that are fields of the activity.
fn fields(all: &[Operand]) -> impl Iterator<Item = Field> {
    all.iter().filter_map(|of| match of {
        Operand::Field(field) => Some(*field),
        Operand::Path(..) => None,
    })
}

/// Rows of which a field is counted at most, where the filter names it: more would take too long.
const OTHERS: usize = 300_000;

/// The rows that the filter would keep if it did not name a field, so that its other values stay listed; `None` where it does
/// not name it.
fn others(field: Field, shared: &Shared) -> Option<Vec<Row>> {
    let text = shared.filter.without(&[field], true);
    if text == shared.filter.text().trim() || shared.store.len() > OTHERS {
        return None;
    }
    let (_, predicate) = Filter::compile(&text, &shared.context()).ok()?;
    let bounds = shared.bounds().interval();
    Some(shared.store.matching(shared.store.rows_between(bounds.from..bounds.to), predicate))
}
