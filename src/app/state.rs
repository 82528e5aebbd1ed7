//! The state that the screen is drawn from.

use super::{
    AlertLine, Detail, FilterBar, HealthView, HistogramPanel, List, Palette, Prompt, PromptKind, Search, SystemView,
    Tab,
};
use crate::config::ViewEntry;
use crate::effect::{Mark, Ticket};
use crate::ingest::SourceStatus;
use chrono_tz::Tz;
use crosstail_core::filter::{Context, Field};
use crosstail_core::model::{Activity, CatalogueEntry, Id, Names, SourceId, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_engine::insight::alerting::{Alerting, EvaluationInput};
use crosstail_engine::insight::{Contrast, Policy, Tally};
use crosstail_engine::store::{Facet, Row, Store};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    Explore,
    /// Health of the systems.
    Health,
    /// One system.
    System,
    /// Alerts of rules and stores.
    Alerts,
    /// The sources, their state and lag.
    Sources,
    /// What failures have more often than the rest.
    Contrast,
    /// The first page, while no source is configured.
    FirstRun,
}

/// The panel that receives keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    List,
    Facets,
    Histogram,
    /// The opened activity.
    Detail,
    /// The filter bar.
    Filter,
}

/// An overlay on top of the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// Keys and the filter language; holds the first line shown.
    Help(usize),
    /// The command palette.
    Palette(Palette),
    /// The search for what a text identifies.
    Find(Search),
    /// A prompt for one line.
    Prompt(Prompt),
}

/// A short message in the status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    /// When it disappears.
    pub until: Timestamp,
}

/// State of the facets.
#[derive(Debug, Clone, Default)]
pub struct FacetPanel {
    /// Each field with its values.
    pub groups: Vec<(Field, Vec<Facet>)>,
    /// Selected value, counted over all groups.
    pub selected: usize,
    /// The store's revision at the last count.
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

    /// Whether no field has a value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Switches of the screen.
#[derive(Debug, Clone)]
pub struct Toggles {
    /// Show the facets.
    pub facets: bool,
    /// Show the histogram.
    pub histogram: bool,
    /// Show relative times.
    pub relative_time: bool,
    /// Capture the mouse.
    pub mouse: bool,
    /// Show in the status line how many bytes a second the screen costs.
    pub rate: bool,
}

/// A view in the history of views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSnapshot {
    /// Text of the filter.
    pub filter: String,
    /// Selected row.
    pub selected: Option<Row>,
}

/// State of the explorer.
pub struct AppState {
    /// The present moment, as of the last event.
    pub now: Timestamp,
    /// When the explorer was opened.
    pub opened: Timestamp,
    /// Time zone of the screen.
    pub zone: Tz,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Maximum number of activities loaded from a source.
    pub history_limit: usize,
    /// The activities in memory.
    pub store: Store,
    pub sources: Vec<SourceStatus>,
    /// The current screen.
    pub screen: Screen,
    /// The panel that receives keys.
    pub focus: Focus,
    pub list: List,
    pub filter: FilterBar,
    pub facets: FacetPanel,
    pub histogram: HistogramPanel,
    /// The opened activity.
    pub detail: Option<Detail>,
    /// Overlays, the topmost last.
    pub overlays: Vec<Overlay>,
    /// Marked activities.
    pub marks: HashMap<Id, Mark>,
    /// History of views.
    pub history: Vec<ViewSnapshot>,
    /// Index of the current view in `history`.
    pub history_at: usize,
    /// Saved views from the configuration.
    pub views: Vec<ViewEntry>,
    /// Names of the available themes.
    pub themes: Vec<String>,
    /// Name of the current theme.
    pub theme: String,
    pub notice: Option<Notice>,
    /// Health of the systems, computed while it is shown.
    pub health: HealthView,
    /// The system on the system screen.
    pub system: Option<SystemView>,
    /// Ticket of the query for the stores' figures.
    pub history_figures_ticket: Ticket,
    /// The rules and their alerts.
    pub alerting: Alerting,
    /// Rows that are alerts of stores, collected as they arrive to avoid a search through all rows.
    pub alert_rows: BTreeSet<Row>,
    /// The lines of the alerts screen.
    pub alert_lines: Vec<AlertLine>,
    /// In whose name to write to stores; `None` if nothing may be written.
    pub writes_as: Option<String>,
    /// Ticket of the query for a baseline, and its window in microseconds.
    pub usual_ticket: (Ticket, i64),
    /// A description of the compared set, and the contrast of its failures with the rest.
    pub contrast: Option<(String, Contrast)>,
    /// The tab at which the result of the search opens.
    pub open_tab: Option<Tab>,
    /// The command that opened the explorer, without secrets and filter.
    pub invocation: String,
    /// Selected line of a screen other than the list.
    pub selected_line: usize,
    pub toggles: Toggles,
    /// Live arrivals of the last seconds: (second, count).
    pub arrivals: VecDeque<(i64, u64)>,
    /// Bytes a second sent to the terminal, as last reported by the front end.
    pub bytes_per_second: u64,
    /// The last ticket issued.
    pub last_ticket: Ticket,
    /// Ticket of the payload match query.
    pub match_ticket: Ticket,
    /// Whether the payload match query is still running.
    pub match_running: bool,
    /// When the payload match query was last sent.
    pub match_asked_at: Timestamp,
    /// The store's revision at that time.
    pub matched_revision: u64,
    /// Path of the user's configuration file, for the first page.
    pub config_path: Option<String>,
    /// When a filter with a relative time was last re-evaluated.
    pub refiltered_at: Timestamp,
    /// When facets and histogram were last counted.
    pub counted_at: Timestamp,
}

impl AppState {
    /// The initial state, over sources that are not connected yet.
    pub fn new(names: Names, sources: &[SourceId], zone: Tz, now: Timestamp) -> Self {
        let sources: Vec<_> = sources.iter().map(|id| SourceStatus::new(*id, &names)).collect();
        let mut store = Store::new(names);
        store.set_live_since(now);
        Self {
            now,
            opened: now,
            zone,
            size: (80, 24),
            history_limit: usize::MAX,
            screen: if sources.is_empty() { Screen::FirstRun } else { Screen::Explore },
            sources,
            store,
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
            config_path: None,
            refiltered_at: now,
            counted_at: Timestamp(0),
        }
    }

    /// The time and zone that a filter depends on.
    pub fn context(&self) -> Context {
        Context { now: self.now, zone: self.zone }
    }

    /// Issues a ticket.
    pub fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Opens a prompt, with `text` as its initial content.
    pub fn open_prompt(&mut self, kind: PromptKind, text: String) {
        self.overlays.push(Overlay::Prompt(Prompt { purpose: kind, text }));
    }

    /// Shows a notice for a few seconds.
    pub fn notify(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), until: self.now.plus_ms(6000) });
    }

    /// Live arrivals per second, over the last five seconds.
    pub fn live_rate(&self) -> f64 {
        let second = self.now.0 / 1_000_000;
        let count: u64 = self.arrivals.iter().filter(|(at, _)| *at >= second - 5 && *at < second).map(|(_, n)| n).sum();
        count as f64 / 5.0
    }

    /// Recounts facets and histogram if the store has changed, or if `force` is set.
    pub fn count(&mut self, force: bool) {
        let revision = self.store.revision();
        // The larger the store, the longer counting waits, so that it uses a bounded share of the time.
        let wait_us = (saturating_i64(self.store.rows().len()) * 2).clamp(250_000, 2_000_000);
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

    /// Computes the health of the systems, including their health checks.
    pub fn compute_health(&mut self) {
        self.health.compute(&self.store, self.now);
        let Some(health) = &mut self.health.health else { return };
        health.apply_checks(self.sources.iter().flat_map(|source| &source.vitals.checks));
    }

    /// The time from which memory is complete: the start of what the sources have loaded, unless they have loaded
    /// everything.
    pub fn complete_from(&self) -> Timestamp {
        let of = |source: &SourceStatus| {
            let whole = source.backfilled && source.received < self.history_limit as u64;
            (!whole).then(|| source.oldest.unwrap_or(self.now))
        };
        let holding = self.sources.iter().filter(|source| source.received > 0);
        holding.filter_map(of).max().unwrap_or(Timestamp(i64::MIN))
    }

    /// Evaluates the rules; returns what changed.
    pub fn evaluate_rules(&mut self) -> Vec<crosstail_engine::insight::alerting::AlertChange> {
        let sources = self.sources.iter().map(SourceStatus::snapshot).collect();
        let (context, until) = (self.context(), Timestamp(i64::MAX));
        let seen = EvaluationInput { context, store: &self.store, until, sources };
        self.alerting.evaluate(&seen)
    }

    /// What the sources' catalogues say about a system.
    pub fn system_entry(&self, system: &str) -> Option<&CatalogueEntry> {
        self.sources.iter().find_map(|source| source.catalogue.system(system))
    }

    /// What the sources' catalogues say about an activity's endpoint, webhook or rule.
    pub fn endpoint_entry(&self, activity: &Activity) -> Option<&CatalogueEntry> {
        self.sources.iter().find_map(|source| source.catalogue.entry_of(activity))
    }
}

impl AppState {
    /// The retry policy of an activity's endpoint, webhook or rule.
    pub fn policy(&self, activity: &Activity) -> Option<Policy> {
        Policy::read(self.endpoint_entry(activity)?.facts.get("retry_policy")?)
    }

    /// Contrasts the failures in the view with the rest, within the range being selected in the histogram, if any.
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
