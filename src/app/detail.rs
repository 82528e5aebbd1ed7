//! One activity, opened.

use super::Ticket;
use super::tree::{Part, Tree, TreeState};
use crate::insight::{Chain, Trace, describe_mapping};
use crate::model::{Activity, Entry, Payload};
use crate::store::Row;
use serde_json::Value;

/// What is being waited for, or was got.
#[derive(Debug, Clone, PartialEq)]
pub enum Load<T> {
    /// On its way.
    Loading,
    /// Here.
    Loaded(T),
    /// Not to be had: why.
    Failed(String),
}

/// What is asked about an opened activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Its system.
    pub system: Option<String>,
    /// Texts of it that may be codes.
    pub codes: Vec<String>,
    /// Name of a transform, its expression, and the body that it is evaluated on.
    pub transforms: Vec<(&'static str, String, Value)>,
}

/// A transform, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Transformed {
    /// `request` or `response`.
    pub name: &'static str,
    /// The expression.
    pub expression: String,
    /// What it makes of the body, or why it makes nothing.
    pub result: Result<Value, String>,
}

/// What configuration says about an opened activity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explained {
    /// Mappings of its codes.
    pub mappings: Vec<Entry>,
    /// Its endpoint's transforms.
    pub transforms: Vec<Transformed>,
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
    /// The records as their stores hold them.
    Raw,
}

impl Tab {
    /// In order.
    pub const ALL: &'static [Self] =
        &[Self::Overview, Self::Request, Self::Response, Self::Error, Self::Retries, Self::Trace, Self::Raw];

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
        }
    }

    /// The payload's part that it shows as a tree.
    pub const fn part(self) -> Option<Part> {
        match self {
            Self::Request => Some(Part::Request),
            Self::Response => Some(Part::Response),
            Self::Overview => Some(Part::Metadata),
            _ => None,
        }
    }
}

/// State of the detail.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Its row.
    pub row: Row,
    /// The activity, as it is now.
    pub activity: Activity,
    /// The open tab.
    pub tab: Tab,
    /// The payload.
    pub payload: Load<Box<Payload>>,
    /// What configuration says about it.
    pub explained: Explained,
    /// The tries.
    pub chain: Chain,
    /// The trace.
    pub trace: Trace,
    /// Related activities found so far, in memory and in the stores.
    pub related: Vec<Activity>,
    /// Whether the stores have answered.
    pub related_loaded: bool,
    /// Fold and selection of the tree.
    pub tree_state: TreeState,
    /// The open part, laid out.
    pub tree: Tree,
    /// First line shown; selected line of the retry ladder and the trace.
    pub scroll: usize,
    /// Text searched for.
    pub search: String,
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
}

impl Detail {
    /// Lays the open part out again.
    pub fn lay_out(&mut self) {
        self.tree = match (self.tab.part(), &self.payload) {
            (Some(part), Load::Loaded(payload)) => {
                let mut tree = Tree::build(payload, part, &self.tree_state);
                for line in tree.lines.iter_mut().filter(|line| line.folded.is_none() && !line.redacted) {
                    line.note = self.explained.mappings.iter().find_map(|entry| describe_mapping(entry, &line.value));
                }
                tree
            }
            _ => Tree::default(),
        };
        self.tree_state.selected = self.tree_state.selected.min(self.tree.lines.len().saturating_sub(1));
    }

    /// Opens a tab.
    pub fn open_tab(&mut self, tab: Tab) {
        if self.tab != tab {
            self.tab = tab;
            self.scroll = 0;
            self.tree_state.selected = 0;
            self.lay_out();
        }
    }

    /// Recomputes chain and trace of what is known.
    pub fn relate(&mut self) {
        let mut all = self.related.clone();
        all.retain(|a| a.id != self.activity.id);
        all.push(self.activity.clone());
        self.chain = Chain::build(&self.activity, &all);
        let correlation = self.activity.correlation_id.clone();
        let request = self.activity.request_id.as_ref().unwrap_or(&self.activity.id).to_string();
        let parent = self.activity.parent_request_id.clone();
        all.retain(|a| {
            a.id == self.activity.id
                || (correlation.is_some() && a.correlation_id == correlation)
                || a.parent_request_id.as_deref() == Some(request.as_str())
                || parent
                    .as_deref()
                    .is_some_and(|parent| a.request_id.as_ref().is_some_and(|id| id.to_string() == parent))
        });
        self.trace = Trace::build(&all);
    }

    /// Lines that the open tab has to scroll or select among.
    pub fn lines(&self) -> usize {
        match self.tab {
            Tab::Retries => self.chain.attempts.len(),
            Tab::Trace => self.trace.nodes.len(),
            Tab::Request | Tab::Response => self.tree.lines.len(),
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
