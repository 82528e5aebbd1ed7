//! One activity, opened.

use super::Ticket;
use super::prepared::{PayloadSection, PreparedPayload};
use crosstail_core::model::{Activity, CatalogueEntry, Id, Latencies, Timestamp};
use crosstail_engine::insight::{Chain, Comparison, Trace, describe_mapping};
use crosstail_engine::outline::Outline;
use crosstail_engine::store::Row;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What is being waited for, or was got.
#[derive(Debug, Clone, PartialEq)]
pub enum Loadable<T> {
    /// On its way.
    Loading,
    /// Here.
    Loaded(T),
    /// Not to be had: why.
    Failed(String),
}

impl<T> Loadable<T> {
    /// What was got.
    pub const fn get(&self) -> Option<&T> {
        match self {
            Self::Loaded(it) => Some(it),
            _ => None,
        }
    }
}

/// What is asked about an opened activity.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainRequest {
    /// The activity.
    pub activity: Activity,
    /// Its payload, whose texts may be codes.
    pub opened: Arc<PreparedPayload>,
    /// Transforms: the side that each is of, and its expression.
    pub transforms: Vec<(PayloadSection, String)>,
}

/// A transform, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformResult {
    /// `request` or `response`.
    pub name: &'static str,
    /// The expression.
    pub expression: String,
    /// What it makes of the body, or why it makes nothing.
    pub result: Result<Value, String>,
}

/// What configuration says about an opened activity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explanation {
    /// Mappings of its codes.
    pub mappings: Vec<CatalogueEntry>,
    /// Its endpoint's transforms.
    pub transforms: Vec<TransformResult>,
}

/// The tabs of a detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// What, when, who, how long.
    Overview,
    /// Request headers and body.
    Request,
    /// Response headers and body.
    Response,
    /// Error with its stack.
    Error,
    /// Tries of the operation.
    Retries,
    /// What shares its correlation id.
    Trace,
    /// Metadata, and the records as their stores hold them.
    Raw,
    /// Beside another: the last success, or another try.
    Compare,
}

impl Tab {
    /// In order.
    pub const ALL: &'static [Self] = &[
        Self::Overview,
        Self::Request,
        Self::Response,
        Self::Error,
        Self::Retries,
        Self::Trace,
        Self::Raw,
        Self::Compare,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Request => "request",
            Self::Response => "response",
            Self::Error => "error",
            Self::Retries => "retries",
            Self::Trace => "trace",
            Self::Raw => "raw",
            Self::Compare => "compare",
        }
    }

    /// The tab of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tab| tab.name() == name)
    }

    /// The payload's part that it shows as a tree.
    pub const fn part(self) -> Option<PayloadSection> {
        match self {
            Self::Request => Some(PayloadSection::Request),
            Self::Response => Some(PayloadSection::Response),
            Self::Raw => Some(PayloadSection::Raw),
            _ => None,
        }
    }
}

/// Two exchanges beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct SideBySide {
    /// Why these two: `the last success before it`.
    pub why: String,
    /// On the left.
    pub left: Activity,
    /// On the right, once it is known.
    pub right: Option<Activity>,
    /// What differs.
    pub compared: Loadable<Arc<Comparison>>,
    /// The query for it.
    pub ticket: Ticket,
}

/// A jq expression over the open body, and what it gives.
#[derive(Debug, Clone)]
pub struct Jq {
    /// The expression.
    pub expression: String,
    /// The side that it is evaluated on.
    pub part: PayloadSection,
    /// What it gives, laid out.
    pub result: Loadable<Outline>,
    /// The query for it.
    pub ticket: Ticket,
}

/// State of the detail.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Its row; `None` where it is in a store and not among what is loaded.
    pub row: Option<Row>,
    /// The activity, as it is now.
    pub activity: Activity,
    /// The open tab.
    pub tab: Tab,
    /// The payload.
    pub opened: Loadable<Arc<PreparedPayload>>,
    /// What configuration says about it.
    pub explained: Explanation,
    /// Codes → what mappings say of them.
    pub notes: HashMap<String, String>,
    /// Latencies of the endpoint's loaded activities.
    pub typical_latency: Latencies,
    /// When that was computed.
    pub usual_at: Timestamp,
    /// The tries.
    pub chain: Chain,
    /// The trace.
    pub trace: Trace,
    /// Related activities found so far, in memory and in the stores.
    pub related: HashMap<Id, Activity>,
    /// Whether the stores have answered.
    pub related_loaded: bool,
    /// The trees of request, response and raw records.
    outlines: [Option<Outline>; 3],
    /// The metadata, laid out.
    pub metadata: Outline,
    /// A jq expression in force.
    pub jq: Option<Jq>,
    /// The selected try against the one before it.
    pub attempt_diff: Option<SideBySide>,
    /// What it is compared with.
    pub side_by_side: Option<SideBySide>,
    /// Runs of library frames are shown.
    pub frames_open: bool,
    /// First line shown; selected line of the retry ladder and the trace.
    pub scroll: usize,
    /// Text searched for.
    pub search: String,
    /// How often it occurs.
    pub found: usize,
    /// The search is being typed.
    pub searching: bool,
    /// The query for the payload.
    pub payload_ticket: Ticket,
    /// The query for what configuration says.
    pub explained_ticket: Ticket,
    /// The query for related activities.
    pub related_ticket: Ticket,
    /// Lines on the screen.
    pub height: usize,
    /// Columns on the screen.
    pub width: usize,
}

impl Detail {
    /// An activity whose payload is on its way.
    pub fn new(row: Option<Row>, activity: Activity, tab: Tab) -> Self {
        Self {
            row,
            chain: Chain::build(&activity, []),
            trace: Trace::default(),
            activity,
            tab,
            opened: Loadable::Loading,
            explained: Explanation::default(),
            notes: HashMap::new(),
            typical_latency: Latencies::default(),
            usual_at: Timestamp::default(),
            related: HashMap::new(),
            related_loaded: false,
            outlines: Default::default(),
            metadata: Outline::default(),
            jq: None,
            attempt_diff: None,
            side_by_side: None,
            frames_open: false,
            scroll: 0,
            search: String::new(),
            found: 0,
            searching: false,
            payload_ticket: 0,
            explained_ticket: 0,
            related_ticket: 0,
            height: 10,
            width: 80,
        }
    }

    /// Takes the payload.
    pub fn take(&mut self, opened: Arc<PreparedPayload>) {
        self.metadata = Outline::new(opened.metadata().into_iter().collect(), self.width);
        self.outlines = Default::default();
        self.opened = Loadable::Loaded(opened);
        self.build_outlines();
    }

    /// Lays the open tab's tree out, the first time that it is looked at.
    fn build_outlines(&mut self) {
        if let (Some(part), Loadable::Loaded(opened)) = (self.tab.part(), &self.opened)
            && self.outlines[part as usize].is_none()
        {
            self.outlines[part as usize] = Some(Outline::new(opened.documents(part), self.width));
        }
    }

    /// There are this many lines and columns on the screen.
    pub fn resize(&mut self, height: usize, width: usize) {
        if (self.height, self.width) == (height, width) {
            return;
        }
        (self.height, self.width) = (height, width);
        if let Some(outline) = self.outline_mut() {
            outline.scroll_to_selection(height);
        }
    }

    /// Takes what configuration says.
    pub fn explain(&mut self, explained: Explanation) {
        let codes = explained.mappings.iter().flat_map(|entry| {
            ["external", "internal"].into_iter().filter_map(|side| {
                let code = entry.text(side)?;
                Some((code.clone(), describe_mapping(entry, &code)?))
            })
        });
        self.notes = codes.collect();
        self.explained = explained;
    }

    /// The tree of the open tab, or of a jq expression's result.
    pub fn outline(&self) -> Option<&Outline> {
        let part = self.tab.part()?;
        match &self.jq {
            Some(jq) if jq.part == part => jq.result.get(),
            _ => self.outlines[part as usize].as_ref(),
        }
    }

    /// The same, to be changed.
    pub fn outline_mut(&mut self) -> Option<&mut Outline> {
        let part = self.tab.part()?;
        match &mut self.jq {
            Some(Jq { part: of, result, .. }) if *of == part => match result {
                Loadable::Loaded(outline) => Some(outline),
                _ => None,
            },
            _ => self.outlines[part as usize].as_mut(),
        }
    }

    /// Opens a tab.
    pub fn open_tab(&mut self, tab: Tab) {
        if self.tab != tab {
            self.tab = tab;
            self.scroll = match tab {
                Tab::Retries => self.primary_place(self.chain.attempts.iter()),
                Tab::Trace => self.primary_place(self.trace.nodes.iter().map(|node| &node.activity)),
                _ => 0,
            };
            self.search.clear();
            self.build_outlines();
        }
    }

    fn primary_place<'a>(&self, mut among: impl Iterator<Item = &'a Activity>) -> usize {
        among.position(|activity| activity.id == self.activity.id).unwrap_or(0)
    }

    /// Recomputes chain and trace of what is known; the selected line stays on its activity.
    pub fn set_related(&mut self) {
        let pointed = self.pointed().map(|activity| activity.id.clone());
        let own = &self.activity;
        let all = || self.related.values().filter(|a| a.id != own.id).chain(std::iter::once(own));
        let chain = Chain::build(own, all());
        let request = own.request_key().to_string();
        let parent = own.parent_request_id.as_deref();
        let belongs = |a: &&Activity| {
            a.id == own.id
                || (own.correlation_id.is_some() && a.correlation_id == own.correlation_id)
                || a.parent_request_id.as_deref() == Some(request.as_str())
                || a.request_id.as_ref().is_some_and(|id| {
                    let id = id.to_string();
                    id == request || parent == Some(id.as_str())
                })
        };
        let trace = Trace::build(all().filter(belongs));
        (self.chain, self.trace) = (chain, trace);
        let place = match self.tab {
            Tab::Retries => self.chain.attempts.iter().position(|a| Some(&a.id) == pointed.as_ref()),
            Tab::Trace => self.trace.nodes.iter().position(|n| Some(&n.activity.id) == pointed.as_ref()),
            _ => None,
        };
        if let Some(place) = place {
            self.scroll = place;
        }
    }

    /// Lines that the open tab has to scroll or select among.
    pub fn lines(&self) -> usize {
        match self.tab {
            Tab::Retries => self.chain.attempts.len(),
            Tab::Trace => self.trace.nodes.len(),
            _ => usize::MAX,
        }
    }

    /// The activity under the cursor of the retry ladder or the trace.
    pub fn pointed(&self) -> Option<&Activity> {
        match self.tab {
            Tab::Retries => self.chain.attempts.get(self.scroll),
            Tab::Trace => self.trace.nodes.get(self.scroll).map(|node| &node.activity),
            _ => None,
        }
    }
}
