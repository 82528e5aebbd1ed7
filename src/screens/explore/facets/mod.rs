//! The facets: the values in the view, with their counts.

pub(super) mod view;

use crate::action::Action;
use crate::effect::Effect;
use crate::screens::Hint;
use crate::screens::request::{Focus, Request};
use crate::screens::shared::{CountState, Shared};
use crosstail_core::filter::{Field, quote};
use crosstail_engine::store::{Facet, Row};
use std::collections::HashMap;

/// Values of a field that are kept.
const SHOWN: usize = 12;

/// State of the facets.
#[derive(Debug, Clone)]
pub struct Facets {
    /// Whether they are shown.
    pub is_on: bool,
    /// Each field with its values.
    pub groups: Vec<(Field, Vec<Facet>)>,
    /// Whether only what is shown is counted, and there is more.
    pub is_part: bool,
    /// Selected value, counted over all groups.
    pub selected: usize,
}

impl Default for Facets {
    fn default() -> Self {
        Self { is_on: true, groups: Vec::new(), is_part: false, selected: 0 }
    }
}

impl Facets {
    /// The fields shown, in order.
    pub(super) const FIELDS: [Field; 5] =
        [Field::System, Field::Status, Field::Kind, Field::Direction, Field::Endpoint];

    /// The actions that they take while they have the keys.
    pub const ACTIONS: [Action; 10] = [
        Action::Up,
        Action::Down,
        Action::PageUp,
        Action::PageDown,
        Action::Top,
        Action::Bottom,
        Action::Back,
        Action::Open,
        Action::Keep,
        Action::Exclude,
    ];

    /// What the key bar shows while they have the keys.
    pub const HINTS: &[Hint] = &[
        Hint::Action(Action::Open, "narrow"),
        Hint::Action(Action::Exclude, "exclude"),
        Hint::Action(Action::FocusNext, "next panel"),
        Hint::Action(Action::Back, "list"),
    ];

    /// Counts the values of the range: those of memory, and those that the stores have counted.
    pub fn count(&mut self, shared: &Shared) {
        let (store, counted) = (&shared.store, shared.counted(true));
        self.is_part = counted.state != CountState::Held && counted.values.is_empty();
        let here: Vec<Row>;
        let rows = if counted.values.is_empty() {
            store.rows()
        } else {
            here = shared.counted_here(true).iter().flat_map(|range| store.kept_between(range)).copied().collect();
            &here
        };
        let of = |field: &Field| {
            let mut facets = store.facet(*field, rows, if counted.values.is_empty() { SHOWN } else { usize::MAX });
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
            facets.sort_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
            facets.truncate(SHOWN);
            (*field, facets)
        };
        self.groups = Self::FIELDS.iter().map(of).collect();
        self.selected = self.selected.min(self.len().saturating_sub(1));
    }

    /// The selected field and value.
    fn current(&self) -> Option<(Field, &Facet)> {
        let mut all = self.groups.iter().flat_map(|(field, facets)| facets.iter().map(move |facet| (*field, facet)));
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
            Action::Up => self.selected = self.selected.saturating_sub(1),
            Action::Down => self.selected = (self.selected + 1).min(last),
            Action::PageUp => self.selected = self.selected.saturating_sub(10),
            Action::PageDown => self.selected = (self.selected + 10).min(last),
            Action::Top => self.selected = 0,
            Action::Bottom => self.selected = last,
            Action::Back => shared.ask(Request::Focus(Focus::List)),
            Action::Open | Action::Keep | Action::Exclude => {
                let (field, facet) = self.current()?;
                let clause = format!("{}:{}", field.name(), quote(&facet.value));
                shared.ask(Request::Filter(shared.filter_with(&clause, action == Action::Exclude)));
            }
            _ => return None,
        }
        Some(Vec::new())
    }
}
