//! What was marked: by `crosstail mark`, and where the configuration says.

use super::Shared;
use crate::config::{Marker, joined_markers};
use crate::effect::{Effect, Ticket};
use crosstail_core::model::Timestamp;
use crosstail_engine::window::{Bounds, Range};

/// Files and repositories are read again after this, in microseconds; with them the stores, where a filter marks, more rarely.
const AGAIN_US: i64 = 60_000_000;
const STORES_AGAIN_US: i64 = 600_000_000;

/// The markers of the configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfiguredMarkers {
    /// Whether there are any.
    pub are_there: bool,
    /// Whether stores are asked for some.
    pub ask_stores: bool,
    /// What was marked by `crosstail mark`, to which they are added.
    own: Vec<Marker>,
    /// The number of the last question, when it was asked, and of what time.
    asked: Option<(Ticket, Timestamp, Range, Option<Bounds>)>,
    /// What was said to be wrong with them.
    said: Vec<String>,
}

impl Shared {
    /// Sets what was marked by `crosstail mark`.
    pub fn set_own_markers(&mut self, own: Vec<Marker>) {
        self.markers.clone_from(&own);
        self.configured_markers.own = own;
    }

    /// Asks for the markers of the configuration where the range is another, and from time to time.
    pub(super) fn ask_markers(&mut self) -> Option<Effect> {
        if !self.configured_markers.are_there {
            return None;
        }
        let again_us = if self.configured_markers.ask_stores { STORES_AGAIN_US } else { AGAIN_US };
        let is_known = self.configured_markers.asked.as_ref().is_some_and(|(_, at, range, clause)| {
            self.now.since_us(*at) < again_us && *range == self.range && *clause == self.time_clause
        });
        if is_known {
            return None;
        }
        let ticket = self.ticket();
        self.configured_markers.asked = Some((ticket, self.now, self.range.clone(), self.time_clause));
        Some(Effect::LoadMarkers(ticket, self.bounds()))
    }

    /// Takes the answer. What is wrong is said once.
    pub(super) fn take_markers(&mut self, ticket: Ticket, markers: Vec<(Timestamp, String)>, problems: Vec<String>) {
        if self.configured_markers.asked.as_ref().is_some_and(|(asked, ..)| *asked == ticket) {
            let markers: Vec<Marker> = markers.into_iter().map(|(at, text)| Marker { at, text }).collect();
            self.markers = joined_markers([self.configured_markers.own.clone(), markers].concat());
            if let Some(problem) = problems.first().filter(|problem| !self.configured_markers.said.contains(problem)) {
                self.notify(problem.clone());
            }
            self.configured_markers.said = problems;
        }
    }
}
