//! Everything the screen is drawn from.

use super::alerting::{Alerting, EvaluationInput, SourceSnapshot};
use super::{
    AlertLine, Detail, FilterBar, HealthView, HistogramPanel, List, Palette, Prompt, Search, SystemView, Tab, Ticket,
};
use crate::config::ViewEntry;
use chrono_tz::Tz;
use crosstail_core::filter::{Context, Field};
use crosstail_core::model::{Activity, Catalogue, CatalogueEntry, Id, Names, SourceId, Timestamp, Vitals};
use crosstail_engine::insight::{Contrast, Policy, Tally};
use crosstail_engine::store::{Facet, Row, Store};
use crosstail_source::Probe;
use crosstail_source::pump;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Which screen is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// The list.
    Explore,
    /// Health of the systems.
    Health,
    /// One system.
    System,
    /// What rules and stores raise.
    Alerts,
    /// Sources.
    Sources,
    /// What tells failures from the rest.
    Contrast,
    /// Nothing is configured.
    FirstRun,
}

/// What keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// The list.
    List,
    /// The facets.
    Facets,
    /// The histogram.
    Histogram,
    /// The opened activity.
    Detail,
    /// The filter bar.
    Filter,
}

/// What lies over the screen, the last one on top.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// Keys, and the filter language; the first line shown.
    Help(usize),
    /// The command palette.
    Palette(Palette),
    /// Looking for what a text identifies.
    Find(Search),
    /// One line asked for.
    Prompt(Prompt),
}

/// A marked activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The activity, as it was when it was marked.
    pub activity: Activity,
    /// A note on it; empty without one.
    pub note: String,
}

/// A short message, until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The text.
    pub text: String,
    /// When it goes away.
    pub until: Timestamp,
}

/// A source, as it is now.
#[derive(Debug, Clone)]
pub struct SourceStatus {
    /// Its number.
    pub id: SourceId,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: pump::SourceState,
    /// Server and schema.
    pub probe: Option<Probe>,
    /// Activities taken in.
    pub received: u64,
    /// Of which came before what was already here, while live.
    pub late: u64,
    /// Lost on the way.
    pub dropped: u64,
    /// Time of the newest activity.
    pub newest: Option<Timestamp>,
    /// Time of the oldest one.
    pub oldest: Option<Timestamp>,
    /// Its history was read, as far back as it is held.
    pub backfilled: bool,
    /// Since when it cannot be read.
    pub unreachable_since: Option<Timestamp>,
    /// What it said last.
    pub last_notice: Option<String>,
    /// What it holds beside activities.
    pub catalogue: Catalogue,
    /// How the things behind it are, and what they measure.
    pub vitals: Vitals,
}

/// State of the facets.
#[derive(Debug, Clone, Default)]
pub struct FacetPanel {
    /// Field and its values.
    pub groups: Vec<(Field, Vec<Facet>)>,
    /// Selected line over all groups.
    pub selected: usize,
    /// The store's revision that they were counted at.
    pub revision: u64,
}

impl FacetPanel {
    /// The fields shown, in order.
    pub const FIELDS: &'static [Field] =
        &[Field::System, Field::Status, Field::Kind, Field::Direction, Field::Endpoint];

    /// The selected field and value.
    pub fn current(&self) -> Option<(Field, &Facet)> {
        let all = self.groups.iter().flat_map(|(field, facets)| facets.iter().map(move |facet| (*field, facet)));
        all.into_iter().nth(self.selected)
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|(_, facets)| facets.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What can be switched.
#[derive(Debug, Clone)]
pub struct Toggles {
    /// Facets are shown.
    pub facets: bool,
    /// The histogram is shown.
    pub histogram: bool,
    /// Times are relative.
    pub relative_time: bool,
    /// The mouse is on.
    pub mouse: bool,
    /// The status line shows what the screen costs.
    pub rate: bool,
}

/// A view that can be gone back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSnapshot {
    /// Its filter.
    pub filter: String,
    /// Its selected row.
    pub selected: Option<Row>,
}

/// The state.
pub struct AppState {
    /// The present moment, as of the last event.
    pub now: Timestamp,
    /// When the explorer was opened.
    pub opened: Timestamp,
    /// The zone shown.
    pub zone: Tz,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Activities held of a source at most.
    pub history_limit: usize,
    /// What is in memory.
    pub store: Store,
    /// The sources.
    pub sources: Vec<SourceStatus>,
    /// The screen shown.
    pub screen: Screen,
    /// What keys go to.
    pub focus: Focus,
    /// The list.
    pub list: List,
    /// The filter bar.
    pub filter: FilterBar,
    /// The facets.
    pub facets: FacetPanel,
    /// The histogram.
    pub histogram: HistogramPanel,
    /// The opened activity.
    pub detail: Option<Detail>,
    /// What lies over the screen.
    pub overlays: Vec<Overlay>,
    /// What is marked.
    pub marks: HashMap<Id, Mark>,
    /// Views gone through, and where in them.
    pub history: Vec<ViewSnapshot>,
    /// Index in `history`.
    pub history_at: usize,
    /// Saved views.
    pub views: Vec<ViewEntry>,
    /// Themes there are.
    pub themes: Vec<String>,
    /// The theme in use.
    pub theme: String,
    /// Message.
    pub notice: Option<Notice>,
    /// Health, computed while it is shown.
    pub health: HealthView,
    /// The system that is shown.
    pub system: Option<SystemView>,
    /// The question for figures of the past that is on its way.
    pub history_figures_ticket: Ticket,
    /// Rules, and what they found.
    pub alerting: Alerting,
    /// The rows that are alerts of stores: noted as they come, so that they need not be looked for among all rows.
    pub alert_rows: BTreeSet<Row>,
    /// Alerts of rules and of stores, as they are shown.
    pub alert_lines: Vec<AlertLine>,
    /// Who writes to stores; `None`: nothing is written.
    pub writes_as: Option<String>,
    /// The question for what is usual that is on its way, and the window that it is of.
    pub usual_ticket: (Ticket, i64),
    /// What tells the failures of a set from the rest, and the set.
    pub contrast: Option<(String, Contrast)>,
    /// The tab that what is being looked for is opened at.
    pub open_tab: Option<Tab>,
    /// The command that opened the explorer, without secrets and without its filter.
    pub invocation: String,
    /// Selected line of the health and the source screens.
    pub selected_line: usize,
    /// What is switched on.
    pub toggles: Toggles,
    /// Live arrivals of the last seconds: (second, count).
    pub arrivals: VecDeque<(i64, u64)>,
    /// Bytes a second to the terminal, as the front end last said.
    pub bytes_per_second: u64,
    /// The last ticket given out.
    pub last_ticket: Ticket,
    /// The query for matches by payload.
    pub match_ticket: Ticket,
    /// Whether it is still running.
    pub match_running: bool,
    /// When it was asked last.
    pub match_asked_at: Timestamp,
    /// The store's revision that it was asked at.
    pub matched_revision: u64,
    /// How many clauses the sources evaluate.
    pub pushdown_summary: Option<String>,
    /// When the relative filter was last evaluated anew.
    pub refiltered_at: Timestamp,
    /// When facets and histogram were last counted, and how long that may wait.
    pub counted_at: Timestamp,
}

impl AppState {
    /// The state at the beginning, over sources that are not connected yet.
    pub fn new(names: Names, sources: &[SourceId], zone: Tz, now: Timestamp) -> Self {
        let status = |id: &SourceId| SourceStatus {
            id: *id,
            name: names.source_name(*id).to_string(),
            state: pump::SourceState::Connecting,
            probe: None,
            received: 0,
            late: 0,
            dropped: 0,
            newest: None,
            oldest: None,
            backfilled: false,
            unreachable_since: None,
            last_notice: None,
            catalogue: Catalogue::default(),
            vitals: Vitals::default(),
        };
        let mut store = Store::new(names.clone());
        store.set_live_since(now);
        Self {
            now,
            opened: now,
            zone,
            size: (80, 24),
            history_limit: usize::MAX,
            sources: sources.iter().map(status).collect(),
            store,
            screen: if sources.is_empty() { Screen::FirstRun } else { Screen::Explore },
            focus: Focus::List,
            list: List::default(),
            filter: FilterBar::default(),
            facets: FacetPanel::default(),
            histogram: HistogramPanel::default(),
            detail: None,
            overlays: Vec::new(),
            marks: HashMap::new(),
            contrast: None,
            open_tab: None,
            invocation: "crosstail".to_owned(),
            history: vec![ViewSnapshot { filter: String::new(), selected: None }],
            history_at: 0,
            views: Vec::new(),
            themes: Vec::new(),
            theme: "dark".to_owned(),
            notice: None,
            health: HealthView::default(),
            system: None,
            history_figures_ticket: 0,
            alerting: Alerting::default(),
            alert_rows: BTreeSet::new(),
            alert_lines: Vec::new(),
            writes_as: None,
            usual_ticket: (0, 0),
            selected_line: 0,
            toggles: Toggles { facets: true, histogram: true, relative_time: false, mouse: false, rate: false },
            arrivals: VecDeque::new(),
            bytes_per_second: 0,
            last_ticket: 0,
            match_ticket: 0,
            match_running: false,
            match_asked_at: Timestamp(0),
            matched_revision: 0,
            pushdown_summary: None,
            refiltered_at: now,
            counted_at: Timestamp(0),
        }
    }

    /// What the filter's words depend on now.
    pub fn context(&self) -> Context {
        Context { now: self.now, zone: self.zone }
    }

    /// A new number for a query.
    pub fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Says something for a few seconds.
    pub fn notify(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), until: self.now.plus_ms(6000) });
    }

    /// Live arrivals a second, over the last five.
    pub fn live_rate(&self) -> f64 {
        let second = self.now.0 / 1_000_000;
        let count: u64 = self.arrivals.iter().filter(|(at, _)| *at >= second - 5 && *at < second).map(|(_, n)| n).sum();
        count as f64 / 5.0
    }

    /// Counts facets and histogram anew where the store has changed, or when asked to.
    pub fn count(&mut self, force: bool) {
        let revision = self.store.revision();
        // On large stores counting waits longer, so that it never takes more than a part of the time.
        let wait_us = (self.store.rows().len() as i64 * 2).clamp(250_000, 2_000_000);
        if !force && (self.now.since_us(self.counted_at) < wait_us || self.facets.revision == revision) {
            return;
        }
        self.counted_at = self.now;
        self.facets.revision = revision;
        let rows = self.store.rows();
        self.facets.groups =
            FacetPanel::FIELDS.iter().map(|field| (*field, self.store.facet(*field, rows, 12))).collect();
        self.facets.selected = self.facets.selected.min(self.facets.len().saturating_sub(1));
        self.count_histogram();
    }

    /// Computes the health of the systems, and lets their checks say what they know.
    pub fn compute_health(&mut self) {
        self.health.compute(&self.store, self.now);
        let Some(health) = &mut self.health.health else { return };
        health.apply_checks(self.sources.iter().flat_map(|source| &source.vitals.checks));
    }

    /// From when on everything is in memory: the sources have given all they have, or else as far back as they have.
    pub fn complete_from(&self) -> Timestamp {
        let of = |source: &SourceStatus| {
            let whole = source.backfilled && source.received < self.history_limit as u64;
            (!whole).then(|| source.oldest.unwrap_or(self.now))
        };
        let holding = self.sources.iter().filter(|source| source.received > 0);
        holding.filter_map(of).max().unwrap_or(Timestamp(i64::MIN))
    }

    /// What rules are evaluated over.
    pub fn evaluate_rules(&mut self) -> Vec<crosstail_engine::insight::alerting::AlertChange> {
        let sources = self.sources.iter().map(|source| SourceSnapshot {
            name: &source.name,
            unreachable_since: source.unreachable_since,
            vitals: &source.vitals,
        });
        let (context, until) = (self.context(), Timestamp(i64::MAX));
        let seen = EvaluationInput { context, store: &self.store, until, sources: sources.collect() };
        self.alerting.evaluate(&seen)
    }

    /// What the sources' catalogues say of a system.
    pub fn system_entry(&self, system: &str) -> Option<&CatalogueEntry> {
        self.sources.iter().find_map(|source| source.catalogue.system(system))
    }

    /// What they say of the endpoint, the webhook or the rule that an activity is of.
    pub fn endpoint_entry(&self, activity: &Activity) -> Option<&CatalogueEntry> {
        self.sources.iter().find_map(|source| source.catalogue.entry_of(activity))
    }
}

impl AppState {
    /// The retry policy of the endpoint, the webhook or the rule that an activity is of.
    pub fn policy(&self, activity: &Activity) -> Option<Policy> {
        Policy::read(self.endpoint_entry(activity)?.facts.get("retry_policy")?)
    }

    /// Compares the failures of the view with the rest of it; with a range begun in the histogram, within that.
    pub fn compute_contrast(&mut self) {
        let store = &self.store;
        let mut rows = store.rows();
        let mut set = self.filter.applied.text().to_owned();
        if let Some((from, upto)) = self.histogram.range() {
            let (first, last) = (store.position_of_time(from), store.position_of_time(upto));
            rows = &rows[first..last.max(first)];
            let clock = |at: Timestamp| at.utc().with_timezone(&self.zone).format("%H:%M:%S").to_string();
            set = format!("{set} {} … {}", clock(from), clock(upto)).trim().to_owned();
        }
        let counted = store.tallies(rows);
        let tallies = counted.fields.into_iter().flat_map(|(field, facets)| {
            facets.into_iter().map(move |f| Tally::of(field, f.value, f.failed, f.count - f.failed))
        });
        self.contrast = Some((set, Contrast::rank(counted.failed, counted.rest, tallies)));
    }
}
