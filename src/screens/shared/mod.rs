//! What every screen sees: the activities, the sources, the alerts, the clock, the names, and what is said to the user.

mod affected;
mod alerts;
mod counted;
mod failing;
mod left;
mod loading;
mod markers;
mod reading;
mod sets;

pub(in crate::screens) use affected::{affected_lines, outcomes_of, outcomes_since};
pub(in crate::screens) use alerts::record_of;
pub use alerts::{AlertBoard, AlertLine, AlertOrigin, LineState, of_activity, of_rule};
pub use counted::{CountState, Counted, Figure};
pub use failing::{Failing, failing};
pub use left::Keeping;
pub(in crate::screens) use loading::LONG_US;
pub use markers::ConfiguredMarkers;
pub(in crate::screens) use reading::reading;
pub use sets::TwoSets;

use super::request::Request;
use crate::config::{Hyperlinks, Layout, Marker, ViewEntry};
use crate::effect::{Effect, Instead, Mark, Ticket};
use crate::ingest::{Batch, News, SourceStatus, ingest};
use crate::log::{Log, NOTICE};
use crate::tui::{Frame, background};
use chrono_tz::Tz;
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Activity, CatalogueEntry, Id, Names, SourceId, Timestamp};
use crosstail_engine::insight::{Policy, Tool};
use crosstail_engine::store::Store;
use crosstail_engine::window::{Bounds, Intervals, Range};
use crosstail_source::Jobs;
use crosstail_source::pump::PumpEvent;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

/// A short message in the status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    /// When it disappears.
    pub until: Timestamp,
    /// Whether a source said it: then it is not about the last key.
    pub of_source: bool,
}

/// What the command line and the configuration set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Maximum number of activities loaded from a source.
    pub history_limit: usize,
    /// The range that the explorer was opened with, unless another was asked for.
    pub range: Range,
    /// Budget of memory for activities and their texts, in bytes.
    pub memory: usize,
    /// Whether an estimate is enough where counting takes long (`figures = "estimate"`).
    pub is_estimate_enough: bool,
    /// Whether the terminal is asked to notify of alerts while somebody looks elsewhere.
    pub terminal_notifications: bool,
    /// Whether addresses are links of the terminal.
    pub hyperlinks: Hyperlinks,
    /// Saved views.
    pub views: Vec<ViewEntry>,
    /// Links and commands for activities.
    pub tools: Vec<Tool>,
    /// Names of the available themes.
    pub themes: Vec<String>,
    /// Name of the current theme.
    pub theme: String,
    /// What could be read on this machine, for the first page.
    pub offers: Vec<Offer>,
    /// Whether what is shown was opened on the first page, so that one can go back to it.
    pub is_from_first_page: bool,
    /// Path of the user's configuration file, for the first page.
    pub config_path: Option<String>,
    /// The file to which views are added: the one named on the command line, or else the user's. It may not exist.
    pub own_file: Option<PathBuf>,
    /// The command that opened the explorer, without secrets and filter.
    pub invocation: String,
    /// In whose name to write to stores; `None` if nothing may be written.
    pub writes_as: Option<String>,
    /// Whether requests may be sent again.
    pub may_send: bool,
    /// Who uses it, for what is handed over.
    pub who: String,
}

/// What the first page can open: a source that is on this machine, or the demonstration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What is read then. An address may have a password.
    pub opens: Instead,
    /// How it is named on a command line, without secrets; or what is opened, where no command line names it.
    pub named: String,
    /// What it is.
    pub what: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            history_limit: usize::MAX,
            range: Range::Everything,
            memory: 256 << 20,
            is_estimate_enough: false,
            terminal_notifications: true,
            hyperlinks: Hyperlinks::default(),
            views: Vec::new(),
            tools: Vec::new(),
            themes: Vec::new(),
            theme: background::AUTO.to_owned(),
            offers: Vec::new(),
            is_from_first_page: false,
            config_path: None,
            own_file: None,
            invocation: "crosstail".to_owned(),
            writes_as: None,
            may_send: false,
            who: "unknown".to_owned(),
        }
    }
}

/// What every screen sees.
pub struct Shared {
    /// The present moment, as of the last event.
    pub now: Timestamp,
    /// When the explorer was opened.
    pub opened: Timestamp,
    /// Time zone of the screen.
    pub zone: Tz,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    pub settings: Settings,
    /// The activities in memory.
    pub store: Store,
    pub sources: Vec<SourceStatus>,
    /// What the sources do.
    pub jobs: Jobs,
    /// What the program did.
    pub log: Log,
    /// The filter in force: of what is typed, the last text that parsed.
    pub filter: Filter,
    /// The range of time that the view is about.
    pub range: Range,
    /// The columns and facets of the view.
    pub layout: Layout,
    /// The time that the filter names, which is the range while it stands.
    pub time_clause: Option<Bounds>,
    /// What the stores count, of everything and of what the filter keeps.
    pub counted: [Counted; 2],
    /// The times of which memory holds everything.
    pub held: Intervals,
    /// Since when the range has been filled from the stores; `None` while it is not.
    pub(super) filling_since: Option<Timestamp>,
    /// Whether a source is read whole: until memory holds it, whatever is asked of it would read the same again.
    pub(super) reads_at_once: bool,
    /// What was being selected in the histogram when a screen was opened: its start and its end (exclusive).
    pub(super) selection: Option<(Timestamp, Timestamp)>,
    /// The sets that the screen which compares two is opened for.
    pub(super) to_compare: Option<TwoSets>,
    /// What people have marked, in order of time.
    pub markers: Vec<Marker>,
    /// Those that the configuration names.
    pub configured_markers: Box<ConfiguredMarkers>,
    pub alerts: AlertBoard,
    /// What is to be sent again: what was marked, or else what was opened or selected.
    pub(super) to_send: Vec<Activity>,
    /// Marked activities.
    pub marks: HashMap<Id, Mark>,
    /// What the next session finds, and what this one found.
    pub keeping: Keeping,
    /// Rows at the end of the screen's body that something else has: the tour.
    pub(super) strip: u16,
    pub notice: Option<Notice>,
    /// Show in the status line how many bytes a second the screen costs.
    pub shows_rate: bool,
    /// Bytes a second sent to the terminal, as last reported by the loop.
    pub bytes_per_second: u64,
    /// Live arrivals of the last seconds: (second, count).
    arrivals: VecDeque<(i64, u64)>,
    /// The last ticket issued.
    last_ticket: Ticket,
    requests: Vec<Request>,
}

impl Shared {
    /// What is known before any source is connected.
    pub(super) fn new(names: Names, sources: &[SourceId], zone: Tz, now: Timestamp) -> Self {
        let sources = sources.iter().map(|id| SourceStatus::new(*id, &names)).collect();
        let mut store = Store::new(names);
        store.set_live_since(now);
        Self {
            now,
            opened: now,
            zone,
            size: (80, 24),
            settings: Settings::default(),
            store,
            sources,
            jobs: Jobs::default(),
            log: Log::default(),
            filter: Filter::default(),
            range: Range::Everything,
            layout: Layout::default(),
            time_clause: None,
            counted: Default::default(),
            held: Intervals::default(),
            filling_since: None,
            reads_at_once: false,
            selection: None,
            to_compare: None,
            markers: Vec::new(),
            configured_markers: Box::default(),
            alerts: AlertBoard::default(),
            to_send: Vec::new(),
            marks: HashMap::new(),
            keeping: Keeping::default(),
            strip: 0,
            notice: None,
            shows_rate: false,
            bytes_per_second: 0,
            arrivals: VecDeque::new(),
            last_ticket: 0,
            requests: Vec::new(),
        }
    }

    /// The time and zone that a filter depends on.
    pub fn context(&self) -> Context {
        Context { now: self.now, zone: self.zone }
    }

    /// The areas of the terminal.
    pub(super) fn frame(&self) -> Frame {
        Frame::of(self.size, self.strip)
    }

    /// A moment in the zone of the screen.
    pub fn local(&self, at: Timestamp) -> chrono::DateTime<Tz> {
        at.utc().with_timezone(&self.zone)
    }

    /// Issues a ticket.
    pub(super) fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Shows a notice for a few seconds.
    pub fn notify(&mut self, text: impl Into<String>) {
        let text = text.into();
        tracing::info!("{NOTICE}{text}");
        self.notice = Some(Notice { text, until: self.now.plus_ms(6000), of_source: false });
    }

    /// Something else is done: what was said about the last key may not be true any more.
    pub(super) fn forget_notice(&mut self) {
        self.notice.take_if(|notice| !notice.of_source);
    }

    /// Asks something of the rest of the screen.
    pub(super) fn ask(&mut self, request: Request) {
        self.requests.push(request);
    }

    /// What was asked since the last call.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Takes an event of a source.
    pub(super) fn ingest(&mut self, event: PumpEvent) -> News {
        let news = ingest(&mut self.store, &mut self.sources, event, self.now, self.opened);
        match &news {
            News::Said(source, texts) => {
                let said = format!("{}: {}", self.sources[*source].name, texts[0]);
                self.notify(said);
                self.notice.iter_mut().for_each(|notice| notice.of_source = true);
            }
            News::Batch(Batch { delta, live, fresh, .. }) => {
                self.alerts.note(&self.store, &delta.rows);
                if *live {
                    self.count_arrivals(*fresh as u64);
                }
                self.meet_missing();
            }
            News::Quiet | News::Lost(_) | News::Back(_) | News::Follows | News::Catalogue => {}
        }
        news
    }

    /// Counts live traffic: loading history is none.
    fn count_arrivals(&mut self, count: u64) {
        let second = self.now.0 / 1_000_000;
        match self.arrivals.back_mut() {
            Some((at, n)) if *at == second => *n += count,
            _ => self.arrivals.push_back((second, count)),
        }
    }

    /// Forgets what is over, and evaluates the rules that are due.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        self.now = now;
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
        }
        while self.arrivals.front().is_some_and(|(second, _)| *second < now.0 / 1_000_000 - 10) {
            self.arrivals.pop_front();
        }
        self.note_what_is_held();
        let mut effects = self.evaluate_due_rules();
        effects.extend(self.ask_markers());
        effects
    }

    /// Live arrivals per second, over the last five seconds.
    pub fn live_rate(&self) -> f64 {
        let second = self.now.0 / 1_000_000;
        let count: u64 = self.arrivals.iter().filter(|(at, _)| *at >= second - 5 && *at < second).map(|(_, n)| n).sum();
        count as f64 / 5.0
    }

    /// The time from which memory is complete: the start of what the sources have loaded, unless they have loaded
    /// everything.
    pub(super) fn complete_from(&self) -> Timestamp {
        let of = |source: &SourceStatus| {
            let is_whole = source.is_whole(self.settings.history_limit as u64);
            (!is_whole).then(|| source.oldest.unwrap_or(self.now))
        };
        let holding = self.sources.iter().filter(|source| source.received > 0 && !source.reads_ranges);
        let filled = holding.filter_map(of).max().unwrap_or(Timestamp(i64::MIN));
        if self.sources.iter().any(|source| source.reads_ranges) {
            // The last times of which everything is held reach up to now.
            let last = self.held.all().last().filter(|held| held.to > self.now);
            return filled.max(last.map_or(self.now, |held| held.from));
        }
        filled
    }

    /// Notes from when on memory holds everything: what became of an operation is known only where all that followed is.
    fn note_what_is_held(&mut self) {
        let from = self.complete_from();
        // Where nothing up to now is held, this says so, and not another moment with every tick.
        let knows_nothing = from >= self.now || self.sources.iter().any(SourceStatus::is_silent);
        let from = if knows_nothing { Timestamp(i64::MAX) } else { from };
        self.store.set_held_from((from.0 > i64::MIN).then_some(from));
    }

    /// Brings what became of operations up to date with what memory holds.
    pub(super) fn follow_operations(&mut self) {
        self.note_what_is_held();
        self.store.follow_operations();
    }

    /// The filter in force with a clause, or its negation, added with AND. A clause that it already contains is not added
    /// again; a contrary clause stays.
    pub(super) fn filter_with(&self, clause: &str, negated: bool) -> String {
        sets::and_clause(&self.filter, clause, negated)
    }

    /// Adds a clause to the filter, or says that it is there.
    pub(super) fn narrow(&mut self, clause: &str, negated: bool) {
        let text = self.filter_with(clause, negated);
        if text == self.filter.text() {
            self.notify("the filter says so already");
        } else {
            self.ask(Request::Filter(text));
        }
    }

    /// What the sources' catalogues say about a system.
    pub fn system_entry(&self, system: &str) -> Option<&CatalogueEntry> {
        self.sources.iter().find_map(|source| source.catalogue.system(system))
    }

    /// What the sources' catalogues say about an activity's endpoint, webhook or rule.
    pub fn endpoint_entry(&self, activity: &Activity) -> Option<&CatalogueEntry> {
        self.sources.iter().find_map(|source| source.catalogue.entry_of(activity))
    }

    /// The retry policy of an activity's endpoint, webhook or rule.
    pub fn policy(&self, activity: &Activity) -> Option<Policy> {
        Policy::read(self.endpoint_entry(activity)?.facts.get("retry_policy")?)
    }
}
