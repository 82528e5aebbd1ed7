//! The detail: one opened activity.

mod act;
mod compare;
mod load;
mod looked;
pub(super) mod view;

use crate::effect::{Explanation, PayloadSection, PreparedPayload, Ticket};
use crate::screens::request::Tab;
use crate::tui::TextField;
use crosstail_core::model::{Activity, ErrorDetail, Id, Latencies, Timestamp};
use crosstail_engine::insight::{Chain, Comparison, Trace, describe_mapping};
use crosstail_engine::outline::Outline;
use crosstail_engine::store::Row;
use looked::Looked;
use std::collections::HashMap;
use std::sync::Arc;

/// A value that is loaded in the background.
#[derive(Debug, Clone, PartialEq)]
pub enum Loadable<T> {
    /// Requested, not here yet.
    Loading,
    Loaded(T),
    /// Why it could not be loaded.
    Failed(String),
}

impl<T> Loadable<T> {
    /// The value, if it is loaded.
    pub const fn get(&self) -> Option<&T> {
        match self {
            Self::Loaded(it) => Some(it),
            _ => None,
        }
    }
}

/// Two exchanges side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct SideBySide {
    /// Why these two: `the last success before it`.
    pub why: String,
    /// On the left.
    pub left: Activity,
    /// On the right, once it is known.
    pub right: Option<Activity>,
    /// The differences.
    pub compared: Loadable<Arc<Comparison>>,
    /// Ticket of the comparison.
    pub ticket: Ticket,
}

/// A jq expression over the open body, and its result.
#[derive(Debug, Clone)]
pub struct Jq {
    pub expression: String,
    /// The side on which it is evaluated.
    pub part: PayloadSection,
    /// Its results as a tree.
    pub result: Loadable<Outline>,
    /// Ticket of the evaluation.
    pub ticket: Ticket,
}

/// The room of a detail's tree on the screen.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// In lines.
    pub height: usize,
    /// In columns.
    pub width: usize,
}

/// State of the detail.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Its row; `None` if it is in a store and not in memory.
    pub row: Option<Row>,
    /// The activity in its current state.
    pub activity: Activity,
    pub tab: Tab,
    pub opened: Loadable<Arc<PreparedPayload>>,
    /// What the stores' configuration says about it.
    pub explained: Explanation,
    /// Meaning of each code, from the mappings.
    pub notes: HashMap<String, String>,
    /// Latencies of the endpoint's activities in memory.
    pub typical_latency: Latencies,
    /// When the latencies were computed.
    pub usual_at: Timestamp,
    /// The retry chain.
    pub chain: Chain,
    pub trace: Trace,
    /// Related activities found so far, in memory and in the stores.
    pub related: HashMap<Id, Activity>,
    /// Where related activities have been looked for.
    pub looked: Looked,
    /// The trees of request, response and raw records.
    outlines: [Option<Outline>; 3],
    /// The metadata as a tree.
    pub metadata: Outline,
    /// The jq expression in force.
    pub jq: Option<Jq>,
    /// The selected attempt side by side with the one before.
    pub attempt_diff: Option<SideBySide>,
    /// The activity side by side with another.
    pub side_by_side: Option<SideBySide>,
    /// Whether library frames are unfolded.
    pub frames_open: bool,
    /// First line shown; in the retry chain and the trace, the selected line.
    pub scroll: usize,
    /// Text to search for.
    pub search: TextField,
    /// Number of occurrences of the text.
    pub found: usize,
    /// Whether the search is being typed.
    pub searching: bool,
    /// Ticket of the payload.
    pub payload_ticket: Ticket,
    /// Ticket of the explanation.
    pub explained_ticket: Ticket,
    /// Ticket of the related activities.
    pub related_ticket: Ticket,
}

impl Detail {
    /// A detail whose payload is still loading.
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
            looked: Looked::Nowhere,
            outlines: Default::default(),
            metadata: Outline::default(),
            jq: None,
            attempt_diff: None,
            side_by_side: None,
            frames_open: false,
            scroll: 0,
            search: TextField::default(),
            found: 0,
            searching: false,
            payload_ticket: 0,
            explained_ticket: 0,
            related_ticket: 0,
        }
    }

    /// Sets the payload.
    fn take(&mut self, opened: Arc<PreparedPayload>, room: Room) {
        self.metadata = Outline::new(opened.metadata().into_iter().collect(), room.width);
        self.outlines = Default::default();
        self.opened = Loadable::Loaded(opened);
        self.build_outlines(room);
    }

    /// Lays out the tree of the open tab, the first time it is shown.
    fn build_outlines(&mut self, room: Room) {
        if let (Some(part), Loadable::Loaded(opened)) = (self.tab.part(), &self.opened)
            && self.outlines[part as usize].is_none()
        {
            self.outlines[part as usize] = Some(Outline::new(opened.documents(part), room.width));
        }
    }

    /// Sets what the stores' configuration says.
    fn set_explanation(&mut self, explained: Explanation) {
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

    /// The same, mutable.
    fn outline_mut(&mut self) -> Option<&mut Outline> {
        let part = self.tab.part()?;
        match &mut self.jq {
            Some(Jq { part: of, result, .. }) if *of == part => match result {
                Loadable::Loaded(outline) => Some(outline),
                _ => None,
            },
            _ => self.outlines[part as usize].as_mut(),
        }
    }

    /// Whether a tab is known to have nothing to show.
    fn is_empty(&self, tab: Tab) -> bool {
        match (tab, &self.opened) {
            (Tab::Retries, _) => self.looked.is_done() && self.chain.attempts.len() < 2,
            (Tab::Trace, _) => self.looked.is_done() && self.trace.nodes.len() < 2,
            (Tab::Error, Loadable::Loaded(opened)) => {
                let (a, error) = (&self.activity, &opened.payload.error);
                a.error.is_none() && a.error_type.is_none() && *error == ErrorDetail::default()
            }
            (_, Loadable::Loaded(opened)) => tab.part().is_some_and(|part| opened.is_empty(part)),
            _ => false,
        }
    }

    /// Opens a tab.
    fn show_tab(&mut self, tab: Tab, room: Room) {
        if self.tab != tab {
            self.tab = tab;
            self.scroll = match tab {
                Tab::Retries => self.primary_place(self.chain.attempts.iter()),
                Tab::Trace => self.primary_place(self.trace.nodes.iter().map(|node| &node.activity)),
                _ => 0,
            };
            self.search = TextField::default();
            self.build_outlines(room);
        }
    }

    fn primary_place<'a>(&self, mut among: impl Iterator<Item = &'a Activity>) -> usize {
        among.position(|activity| activity.id == self.activity.id).unwrap_or(0)
    }

    /// Recomputes the chain and the trace. The selected line stays on its activity.
    fn set_related(&mut self) {
        let pointed = self.pointed().map(|activity| activity.id.clone());
        let own = &self.activity;
        let all = || self.related.values().filter(|a| a.id != own.id).chain(std::iter::once(own));
        let chain = Chain::build(own, all()).partly(self.looked != Looked::Everywhere);
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
        let trace = Trace::of(own, all().filter(belongs));
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

    /// Number of lines to select among in the open tab; unlimited if it only scrolls.
    fn lines(&self) -> usize {
        match self.tab {
            Tab::Retries => self.chain.attempts.len(),
            Tab::Trace => self.trace.nodes.len(),
            _ => usize::MAX,
        }
    }

    /// Selects a line of the open tab; returns whether it was selected already. Lines of text cannot be selected.
    pub fn select_line(&mut self, index: usize) -> bool {
        let line = match self.outline_mut() {
            Some(outline) => &mut outline.selected,
            None => &mut self.scroll,
        };
        std::mem::replace(line, index) == index
    }

    /// The activity under the cursor of the retry chain or the trace.
    fn pointed(&self) -> Option<&Activity> {
        match self.tab {
            Tab::Retries => self.chain.attempts.get(self.scroll),
            Tab::Trace => self.trace.nodes.get(self.scroll).map(|node| &node.activity),
            _ => None,
        }
    }
}
