//! What happened around one activity: the list shows what is of the same source, system, host, tenant or order near it in time. Esc
//! goes back to the very same place.

use super::Explore;
use super::detail::Detail;
use super::list::List;
use crate::action::Action;
use crate::effect::{Effect, PathsFor, Placed, Ticket, ValuesOf, ValuesOfPaths};
use crate::screens::request::{Focus, Request};
use crate::screens::shared::Shared;
use crate::tui::text::{entity_text, what};
use crosstail_core::filter::{Field, Filter, Operand, value_text};
use crosstail_core::model::{Activity, Id, SourceId, Timestamp};
use crosstail_engine::window::{Bounds, Intervals, Range};

/// How far the neighbourhood reaches to each side, in microseconds; without a limit, the next activities are read as the list is
/// moved through.
pub(super) const SPANS: [(&str, Option<i64>); 5] = [
    ("±10 s", Some(10_000_000)),
    ("±1 min", Some(60_000_000)),
    ("±10 min", Some(600_000_000)),
    ("±1 h", Some(3_600_000_000)),
    ("±400 lines and more", None),
];
/// The span that is shown first.
const FIRST: usize = 1;

/// Where records say on which host they were written.
const HOSTS: [&str; 8] = [
    "meta.host",
    "meta.hostname",
    "meta.host.name",
    "meta.resource.host.name",
    "meta.server",
    "meta.node",
    "meta.pod",
    "meta.kubernetes.pod_name",
];

/// What the selected activity has in common with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) name: &'static str,
    pub(super) value: String,
    clause: String,
}

impl Scope {
    fn new(name: &'static str, of: &Operand, value: String) -> Self {
        Self { name, clause: of.clause(&value), value }
    }

    /// What an activity says of itself, without its payload.
    fn all(activity: &Activity, shared: &Shared) -> Vec<Self> {
        let names = shared.store.names();
        let source = activity.places.first().map(|place| names.source_name(place.source).to_string());
        let source = source.map(|value| Self::new("source", &Operand::Field(Field::Source), value));
        let fields = [("system", Field::System), ("tenant", Field::Organization), ("order", Field::Entity)];
        let of = |(name, field): (&'static str, Field)| {
            let value = value_text(activity, field, names)?;
            Some(Self::new(name, &Operand::Field(field), value))
        };
        source.into_iter().chain(fields.into_iter().filter_map(of)).collect()
    }
}

/// The neighbourhood that is shown.
pub(super) struct Around {
    id: Id,
    at: Timestamp,
    /// The activity in the middle, in few words.
    pub(super) title: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) scope: usize,
    pub(super) span: usize,
    /// The question on which host it was written.
    ticket: Ticket,
    before: Before,
}

/// Where it began.
struct Before {
    filter: Filter,
    range: Range,
    list: List,
    focus: Focus,
    detail: Option<Detail>,
    /// What was known of each source, and how often something had been given up.
    found: Vec<(SourceId, Intervals)>,
    given_up: u64,
    matches: Vec<Id>,
}

impl Around {
    pub(super) const ACTIONS: [Action; 1] = [Action::AROUND];

    /// When the middle was.
    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// The row that was selected where it began.
    pub(super) fn row_before(&self) -> Option<crosstail_engine::store::Row> {
        self.before.list.selected
    }
}

impl Explore {
    /// Whether a line only stands around another.
    pub(super) fn is_around_another(&self, id: &Id) -> bool {
        self.around.as_ref().is_some_and(|around| around.id != *id)
    }

    /// Whether the neighbourhood of this one is shown.
    pub(super) fn is_centre(&self, id: &Id) -> bool {
        self.around.as_ref().is_some_and(|around| around.id == *id)
    }

    /// Shows what is around the selected or opened activity; where that is shown, the next thing that they have in common.
    pub(super) fn look_around(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if let Some(around) = &mut self.around {
            around.scope = (around.scope + 1) % around.scopes.len().max(1);
            return self.show_around(shared);
        }
        let Some(activity) = self.current_activity(shared) else {
            shared.notify("nothing is selected");
            return Vec::new();
        };
        let scopes = Scope::all(&activity, shared);
        if scopes.is_empty() {
            shared.notify("it says nothing that others could have in common with it");
            return Vec::new();
        }
        let entity = activity.entity.as_deref().map(entity_text);
        let title = entity.map_or_else(|| what(&activity), |entity| format!("{} {entity}", what(&activity)));
        let paths: Vec<Operand> = HOSTS.iter().filter_map(|name| Operand::parse(name)).collect();
        let ticket = shared.ticket();
        let asked = ValuesOfPaths { purpose: PathsFor::Around, paths, of: vec![Placed::of(&activity)] };
        let before = Before {
            filter: shared.filter.clone(),
            range: shared.range.clone(),
            list: self.list.clone(),
            focus: self.focus,
            detail: self.detail.take(),
            found: self.window.found(),
            given_up: self.window.given_up,
            matches: shared.store.payload_matches(),
        };
        let (id, at) = (activity.id, activity.started_at);
        self.around = Some(Around { id, at, title, scopes, scope: 0, span: FIRST, ticket, before });
        self.focus = Focus::List;
        let mut effects = self.show_around(shared);
        effects.push(Effect::LoadValues(ticket, Box::new(asked)));
        effects
    }

    /// A longer or shorter span.
    pub(super) fn reach(&mut self, longer: bool, shared: &mut Shared) -> Option<Vec<Effect>> {
        let around = self.around.as_mut()?;
        let next = if longer { around.span + 1 } else { around.span.checked_sub(1).unwrap_or(SPANS.len()) };
        if next >= SPANS.len() {
            shared.notify(if longer { "there is no longer span" } else { "there is no shorter span" });
            return Some(Vec::new());
        }
        around.span = next;
        Some(self.show_around(shared))
    }

    /// Puts the filter and the range of the neighbourhood in force. They are no views of the history.
    pub(super) fn show_around(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let Some(around) = &self.around else { return Vec::new() };
        let (id, at) = (around.id.clone(), around.at);
        let clause = around.scopes[around.scope].clause.clone();
        let (text, span) = SPANS[around.span];
        let range = match span {
            Some(us) => {
                let bounds = Bounds { since: Some(at.plus_us(-us)), until: Some(at.plus_us(us + 1)) };
                Range::Between(bounds, format!("{text} around it"))
            }
            None => Range::Everything,
        };
        let Ok((filter, predicate)) = Filter::compile(&clause, &shared.context()) else { return Vec::new() };
        shared.filter = filter;
        let row = shared.store.find(&id);
        if let Some(row) = row {
            self.list.pinned = None;
            self.list.stop_at(&shared.store, row);
        }
        let mut effects = Vec::new();
        if shared.range != range {
            shared.range = range;
            shared.time_clause = None;
            effects = self.range_changed(shared);
        }
        effects.extend(self.apply(&predicate, shared));
        match row.filter(|row| span.is_some() && shared.store.position(*row).is_some()) {
            Some(row) => {
                self.select(row, shared);
                self.list.line = self.height(shared) / 2;
            }
            None => effects.extend(self.go_to(at, Some(id), shared)),
        }
        effects
    }

    /// Goes back to where it began: filter, range, list and what was open.
    pub(super) fn leave_around(&mut self, shared: &mut Shared) -> Option<Vec<Effect>> {
        let Around { before, .. } = self.around.take()?;
        let mut effects = self.close_detail();
        effects.extend(self.window.stop());
        shared.filter = before.filter;
        self.list = before.list.clone();
        if shared.range != before.range {
            shared.range = before.range;
            shared.time_clause = None;
            effects.extend(self.range_changed(shared));
        }
        let predicate = shared.filter.predicate(&shared.context());
        effects.extend(self.apply(&predicate, shared));
        shared.store.set_payload_matches(&before.matches, true);
        self.window.find_again(before.found, before.given_up, shared);
        self.list = before.list;
        self.show(shared);
        self.focus = before.focus;
        if let Some(detail) = before.detail {
            if detail.opened.get().is_some() && detail.looked.is_done() {
                self.detail = Some(detail);
            } else {
                // What was still being loaded for it is asked for again.
                let (row, tab) = (detail.row, detail.tab);
                shared.ask(Request::Open(row, Box::new(detail.activity), Some(tab)));
            }
        }
        self.count(shared, true);
        Some(effects)
    }

    /// Takes on which host it was written; gives back the values that somebody else asked for.
    pub(super) fn took_host(&mut self, ticket: Ticket, values: Vec<ValuesOf>) -> Result<(), Vec<ValuesOf>> {
        let Some(around) = self.around.as_mut().filter(|around| around.ticket == ticket) else { return Err(values) };
        let loaded = values.into_iter().next().and_then(|one| one.values.ok()).unwrap_or_default();
        let found = HOSTS
            .iter()
            .zip(loaded)
            .find_map(|(name, values)| Some(Scope::new("host", &Operand::parse(name)?, values.into_iter().next()?)));
        around.scopes.extend(found);
        Ok(())
    }
}
