//! The list of activities and what belongs to it: filter bar, histogram, facets, and the opened activity.

mod around;
mod detail;
mod facets;
mod filter_bar;
mod groups;
mod histogram;
mod left;
mod list;
mod moves;
mod outgoing;
mod parts;
mod report;
mod values;
mod view;
mod views;
mod window;

pub use detail::Detail;
pub use left::GoesOn;
pub(super) use view::{completions, frame, scrolling};

use super::request::{Focus, Request, Tab};
use super::shared::Shared;
use super::{Hint, ReportPart, Screen, global};
use crate::action::Action;
use crate::effect::{Effect, Reply, Ticket};
use crate::ingest::{Batch, News};
use crate::tui::{Canvas, Context, Gesture, Part, TextField};
use around::Around;
use crosstail_core::model::{Activity, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_engine::store::{Affected, Row};
use detail::Room;
use facets::Facets;
use filter_bar::FilterBar;
use groups::Groups;
use histogram::Histogram;
use list::{List, Telling};
use moves::ask_to_open;
use values::Values;
use view::Places;
use views::{Views, names_a_system};
use window::Window;

/// The list of activities and its panels.
pub struct Explore {
    /// The panel that receives keys.
    pub focus: Focus,
    pub list: List,
    pub filter_bar: FilterBar,
    pub facets: Facets,
    pub histogram: Histogram,
    /// The opened activity.
    pub detail: Option<Detail>,
    views: Views,
    /// The neighbourhood that is shown.
    around: Option<Around>,
    /// Values of the paths that are shown.
    values: Values,
    pub window: Window,
    /// The operations of the view that have failed at least once.
    affected: Affected,
    groups: Groups,
    /// When facets and histogram were last counted.
    counted_at: Timestamp,
    /// The store's revision at that time.
    counted: u64,
}

impl Explore {
    pub(super) fn new(shared: &Shared) -> Self {
        let mut explore = Self {
            focus: Focus::List,
            list: List::default(),
            filter_bar: FilterBar::default(),
            facets: Facets::default(),
            histogram: Histogram::default(),
            detail: None,
            views: Views::new(shared.now),
            around: None,
            values: Values::default(),
            window: Window::default(),
            affected: Affected::default(),
            groups: Groups::default(),
            counted_at: Timestamp(0),
            counted: 0,
        };
        explore.fit(shared);
        explore
    }

    fn places(&self, shared: &Shared) -> Places {
        Places::of(self, shared)
    }

    /// Whether the list has the keys, and nothing is open, selected or searched from which one could go back.
    pub(super) fn is_at_rest(&self) -> bool {
        self.focus == Focus::List
            && self.detail.is_none()
            && self.around.is_none()
            && self.histogram.mark.is_none()
            && !self.groups.is_shown()
            && !self.is_searching()
    }

    /// Lines of the list.
    fn height(&self, shared: &Shared) -> usize {
        self.places(shared).height()
    }

    /// The room of the detail's tree.
    fn room(&self, shared: &Shared) -> Room {
        self.places(shared).room()
    }

    /// Adapts to the size of the terminal and to the panels that are shown.
    pub(super) fn fit(&mut self, shared: &Shared) {
        let places = self.places(shared);
        self.histogram.fit(places.columns(), shared);
        // What is not drawn has no keys: they would do something that nobody sees.
        if self.focus != Focus::Filter && !places.shows(self.focus) {
            self.focus = if places.shows(Focus::List) { Focus::List } else { Focus::Detail };
        }
    }

    /// Counts facets and histogram if the store has changed, or if `force` is set.
    pub fn count(&mut self, shared: &mut Shared, force: bool) {
        let revision = shared.store.revision();
        // The larger the store, the longer counting waits, so that it uses a bounded share of the time.
        let wait_us = (saturating_i64(shared.store.rows().len()) * 2).clamp(250_000, 2_000_000);
        if !force && (shared.now.since_us(self.counted_at) < wait_us || self.counted == revision) {
            return;
        }
        shared.follow_operations();
        (self.counted_at, self.counted) = (shared.now, shared.store.revision());
        // Over everything, their line is not shown.
        let all = shared.filter.is_all();
        self.affected = if all { Affected::default() } else { shared.store.affected(shared.store.rows()) };
        self.list.tell(Telling::of(&shared.store, shared.store.rows(), names_a_system(&shared.filter)));
        self.facets.count(&self.values, shared);
        self.histogram.count(shared);
    }

    /// Groups failures where they are what is looked at.
    pub(super) fn group(&mut self, shared: &mut Shared) -> Option<Effect> {
        if self.focus == Focus::Filter { None } else { self.groups.ask(shared) }
    }

    /// The selected row; while following, the newest one shown.
    fn current(&self, shared: &Shared) -> Option<Row> {
        self.list.current(&shared.store)
    }

    fn select(&mut self, row: Row, shared: &Shared) {
        let height = self.height(shared);
        self.list.select(&shared.store, row, height);
    }

    /// Opens the selected activity at a tab.
    fn open_current(&mut self, tab: Option<Tab>, shared: &mut Shared) -> Option<Vec<Effect>> {
        let row = self.current(shared)?;
        ask_to_open(row, tab, shared);
        Some(Vec::new())
    }

    /// Opens an activity beside the list, at a tab or at the one that is open.
    pub(super) fn open(
        &mut self,
        row: Option<Row>,
        activity: Activity,
        tab: Option<Tab>,
        shared: &mut Shared,
    ) -> Vec<Effect> {
        if let Some(row) = row.filter(|row| shared.store.position(*row).is_some()) {
            self.select(row, shared);
        }
        self.focus = Focus::Detail;
        let known = self.detail.as_ref().map_or(Tab::Overview, |detail| detail.tab);
        let known = if known == Tab::Compare { Tab::Overview } else { known };
        let (detail, mut effects) = Detail::open(row, activity, known, shared);
        self.detail = Some(detail);
        let room = self.room(shared);
        if let (Some(tab), Some(detail)) = (tab, &mut self.detail) {
            effects.extend(detail.open_tab(tab, room, shared));
        }
        effects
    }

    /// Closes the detail; what is still loaded for it ends.
    pub(super) fn close_detail(&mut self) -> Vec<Effect> {
        self.detail.take().map(|_| Effect::StopLoading).into_iter().collect()
    }

    /// Gives a panel the keys.
    pub(super) fn set_focus(&mut self, focus: Focus, shared: &Shared) {
        self.focus = focus;
        match focus {
            Focus::Filter => self.filter_bar.begin(shared),
            Focus::Histogram => {
                let selected = self.current(shared).map(|row| shared.store.started(row));
                self.histogram.begin(selected);
            }
            Focus::List | Focus::Facets | Focus::Detail => {}
        }
    }

    /// Carries out what was asked of the list.
    pub(super) fn grant(&mut self, request: Request, shared: &mut Shared) -> Vec<Effect> {
        match request {
            Request::Filter(text) => return self.set_filter(&text, shared),
            Request::Apply(filter, predicate) => {
                shared.filter = filter;
                return self.apply(&predicate, shared);
            }
            Request::Remember => self.remember(shared),
            Request::Recall(text) if self.focus == Focus::Filter => self.filter_bar.replace(&text, shared),
            Request::Recall(text) => return self.set_filter(&text, shared),
            Request::CloseDetail => {
                self.focus = Focus::List;
                return self.close_detail();
            }
            Request::Answer(kind, text) => return self.answered(kind, text, shared),
            _ => {}
        }
        Vec::new()
    }

    /// Takes an action in the panel that has the keys.
    fn in_panel(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match self.focus {
            Focus::List => None,
            Focus::Facets => self.facets.handle(action, shared),
            Focus::Histogram => self.histogram.handle(action, shared),
            Focus::Detail => {
                let room = self.room(shared);
                self.detail.as_mut()?.handle(action, room, shared)
            }
            Focus::Filter => {
                let done = self.filter_bar.handle(action, shared);
                done.or_else(|| (!global::ALWAYS.contains(&action)).then(Vec::new))
            }
        }
    }

    /// Chooses panels, and what they show.
    fn in_panels(&mut self, action: Action, shared: &mut Shared) -> bool {
        let before = self.places(shared);
        match action {
            Action::TOGGLE_FACETS => {
                self.facets.is_on = !self.facets.is_on;
                self.say_unless_seen("facets", self.facets.is_on, (before, Focus::Facets), shared);
            }
            Action::TOGGLE_HISTOGRAM => {
                self.histogram.is_on = !self.histogram.is_on;
                self.say_unless_seen("histogram", self.histogram.is_on, (before, Focus::Histogram), shared);
            }
            Action::TALLER_HISTOGRAM | Action::LOWER_HISTOGRAM => {
                let now = self.places(shared).histogram.height.saturating_sub(1);
                self.histogram.set_height(now, action == Action::TALLER_HISTOGRAM);
            }
            Action::FOCUS_NEXT | Action::FOCUS_PREVIOUS => self.cycle_focus(action == Action::FOCUS_NEXT, shared),
            _ => return false,
        }
        true
    }

    /// Says what became of a panel where nothing is seen of it, before and after.
    fn say_unless_seen(&self, name: &str, is_on: bool, (before, panel): (Places, Focus), shared: &mut Shared) {
        if !before.shows(panel) && !self.places(shared).shows(panel) {
            let now = if is_on { "on" } else { "off" };
            shared.notify(format!("{name} {now}; there is no room for it in this window"));
        }
    }

    fn cycle_focus(&mut self, forward: bool, shared: &mut Shared) {
        let places = self.places(shared);
        let panels = [Focus::List, Focus::Detail, Focus::Facets, Focus::Histogram];
        let order: Vec<Focus> = panels.into_iter().filter(|panel| places.shows(*panel)).collect();
        let at = order.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        let by = if forward { 1 } else { order.len().saturating_sub(1) };
        if order.len() < 2 {
            shared.notify("no other panel is shown");
        }
        if let Some(next) = order.get((at + by) % order.len().max(1)) {
            self.set_focus(*next, shared);
        }
    }
}

/// The actions of the list's screen beside those of its panels.
const OWN: [Action; 24] = [
    Action::OPEN,
    Action::BACK,
    Action::RETRIES,
    Action::TRACE,
    Action::NEXT_FAILURE,
    Action::PREVIOUS_FAILURE,
    Action::NEXT_MARK,
    Action::KEEP,
    Action::EXCLUDE,
    Action::FILTER,
    Action::CLEAR_FILTER,
    Action::FILTER_HISTORY,
    Action::SAVE_VIEW,
    Action::VIEW_BACK,
    Action::VIEW_FORWARD,
    Action::TOGGLE_FACETS,
    Action::TOGGLE_HISTOGRAM,
    Action::TALLER_HISTOGRAM,
    Action::LOWER_HISTOGRAM,
    Action::RANGE,
    Action::ZOOM_IN,
    Action::ZOOM_OUT,
    Action::FOCUS_NEXT,
    Action::FOCUS_PREVIOUS,
];

impl Screen for Explore {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn actions(&self) -> Vec<Action> {
        [
            &OWN[..],
            &List::ACTIONS,
            &FilterBar::ACTIONS,
            &Facets::ACTIONS,
            &Histogram::ACTIONS,
            &Detail::ACTIONS,
            &Around::ACTIONS,
            &outgoing::ACTIONS,
        ]
        .concat()
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        if let Some(done) = self.in_panel(action, shared).or_else(|| self.in_list(action, shared)) {
            return Some(done);
        }
        if self.in_panels(action, shared) {
            return Some(Vec::new());
        }
        self.in_views(action, shared).or_else(|| self.leaving(action, shared))
    }

    fn pointed(&mut self, gesture: Gesture, at: (Part, usize, u16), shared: &mut Shared) -> Vec<Effect> {
        self.mouse(gesture, at, shared)
    }

    fn context(&self) -> Option<Context> {
        (self.focus == Focus::Detail).then_some(Context("detail"))
    }

    fn is_filtered(&self) -> bool {
        true
    }

    fn is_empty(&self, shared: &Shared) -> bool {
        self.focus == Focus::List && shared.store.rows().is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        match self.focus {
            Focus::List if self.around.is_some() => AROUND_HINTS,
            Focus::List => HINTS,
            Focus::Facets => Facets::HINTS,
            Focus::Histogram => Histogram::HINTS,
            Focus::Detail => Detail::HINTS,
            Focus::Filter => FilterBar::HINTS,
        }
    }

    fn is_typing(&self) -> bool {
        let searching = self.detail.as_ref().is_some_and(|detail| detail.searching);
        self.focus == Focus::Filter || (self.focus == Focus::Detail && searching)
    }

    fn field(&mut self) -> Option<&mut TextField> {
        if self.focus == Focus::Filter {
            return Some(&mut self.filter_bar.field);
        }
        self.detail.as_mut().map(|detail| &mut detail.search)
    }

    fn edited(&mut self, changed: bool, shared: &mut Shared) -> Vec<Effect> {
        let room = self.room(shared);
        if self.focus == Focus::Filter {
            self.filter_bar.edited(shared);
        } else if let Some(detail) = self.detail.as_mut().filter(|_| changed) {
            detail.search(0, room);
        }
        Vec::new()
    }

    fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.refilter(shared);
        if let Some(detail) = &mut self.detail {
            detail.refresh_usual(shared);
        }
        self.look(shared)
    }

    fn news(&mut self, news: &News, shared: &mut Shared) -> Vec<Effect> {
        if let News::Batch(Batch { delta, .. }) = news
            && !self.list.follow
        {
            self.list.count_unseen(&shared.store, delta);
        }
        let mut effects = self.noted(news, shared);
        self.note_stale(news, shared);
        let of_detail = self.detail.as_mut().map_or_else(Vec::new, |detail| detail.news(news, shared));
        effects.extend(of_detail);
        effects.extend(self.look(shared));
        effects
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        let reply = match self.groups.reply(ticket, reply, shared) {
            Ok(()) => return Ok(Vec::new()),
            Err(reply) => reply,
        };
        let reply = match self.took(ticket, reply, shared) {
            Ok(effects) => return Ok(effects),
            Err(reply) => reply,
        };
        let reply = match reply {
            Reply::PathValues(values) => match self.took_values(ticket, values, shared) {
                Ok(effects) => return Ok(effects),
                Err(reply) => reply,
            },
            other => other,
        };
        let room = self.room(shared);
        match &mut self.detail {
            Some(detail) => detail.reply(ticket, reply, room, shared),
            None => Err(reply),
        }
    }

    fn report(&self, shared: &Shared) -> Option<ReportPart> {
        Some(report::of(shared))
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::body(self, shared, canvas);
    }
}

/// What the key bar shows while the list shows what is around one.
const AROUND_HINTS: &[Hint] = &[
    Hint(Action::BACK, "leave"),
    Hint(Action::AROUND, "what is the same"),
    Hint(Action::ZOOM_IN, "nearer"),
    Hint(Action::ZOOM_OUT, "further"),
    Hint(Action::OPEN, "open"),
    Hint(Action::FILTER, "filter"),
    Hint(Action::PALETTE, "commands"),
    Hint(Action::QUIT, "quit"),
];

/// What the key bar shows while the list has the keys.
const HINTS: &[Hint] = &[
    Hint(Action::FILTER, "filter"),
    Hint(Action::OPEN, "open"),
    Hint(Action::NEXT_FAILURE, "next failure"),
    Hint(Action::RETRIES, "retries"),
    Hint(Action::TRACE, "trace"),
    Hint(Action::COMPARE, "why"),
    Hint(Action::FIND, "find"),
    Hint(Action::HEALTH, "health"),
    Hint(Action::ALERTS, "alerts"),
    Hint(Action::KEEP, "keep"),
    Hint(Action::EXCLUDE, "exclude"),
    Hint(Action::FOCUS_NEXT, "panels"),
    Hint(Action::PALETTE, "commands"),
    Hint(Action::QUIT, "quit"),
];
