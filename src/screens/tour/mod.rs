//! The tour of the demonstration: five steps, each done when somebody does it. It has a strip of its own below the screen, so it
//! covers nothing of what it speaks of, and it takes no key but the last Esc.

mod view;

pub(super) use view::{render, rows};

use super::request::Tab;
use super::shared::Shared;
use crate::action::Action;
use crate::tui::text::{duration, safe, what};
use crosstail_core::model::{Activity, Id};
use crosstail_engine::window::Range;

/// Rows of the strip where each sentence is one: a rule, what was seen, what to do, and why.
const ROWS: u16 = 4;
/// Activities of the view that are looked at to know what the filter keeps.
const LOOKED_AT: usize = 200;

/// A piece of a line.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Text(&'static str),
    /// The key of an action.
    Key(Action),
    /// What is to be typed.
    Typed(&'static str),
}

/// A step: what to press, and what it is good for.
struct Step {
    title: &'static str,
    press: &'static [Piece],
    why: &'static str,
}

const STEPS: [Step; 5] = [
    Step {
        title: "what failed",
        press: &[
            Piece::Text("Press "),
            Piece::Key(Action::FILTER),
            Piece::Text(", type "),
            Piece::Typed("is:failure"),
            Piece::Text(" and press "),
            Piece::Key(Action::OPEN),
            Piece::Text("."),
        ],
        why: "List, bars and facets follow while you type; tab completes names and values.",
    },
    Step {
        title: "one request",
        press: &[
            Piece::Text("Choose one with "),
            Piece::Key(Action::UP),
            Piece::Text(" and "),
            Piece::Key(Action::DOWN),
            Piece::Text(", best of SAP, and open it with "),
            Piece::Key(Action::OPEN),
            Piece::Text("."),
        ],
        why: "What was sent, what came back and the error are read from the store.",
    },
    Step {
        title: "its retries",
        press: &[
            Piece::Text("Press "),
            Piece::Key(Action::RETRIES),
            Piece::Text(" for every try of the same operation."),
        ],
        why: "When each began, how long it took, how it ended, and whether another follows.",
    },
    Step {
        title: "why",
        press: &[Piece::Text("Press "), Piece::Key(Action::FAILURES), Piece::Text(" for the failures in groups.")],
        why: "What is new stands first: since when, how often, and how many it affects.",
    },
    Step {
        title: "when",
        press: &[
            Piece::Text("Press "),
            Piece::Key(Action::ZOOM_IN),
            Piece::Text(" for a shorter range of time, or "),
            Piece::Key(Action::ZOOM_OUT),
            Piece::Text(" for a longer one."),
        ],
        why: "Everything is about the range in the first line: list, figures, groups.",
    },
];

const END: &[Piece] = &[
    Piece::Text("That is all. "),
    Piece::Key(Action::HELP),
    Piece::Text(" shows the most useful keys, "),
    Piece::Key(Action::PALETTE),
    Piece::Text(" every command, "),
    Piece::Key(Action::QUIT),
    Piece::Text(" quits."),
];

/// What a tour can see of the screen.
pub(super) struct Sight<'a> {
    /// Whether something is being typed: then what it will be is not known.
    pub(super) is_typing: bool,
    /// The opened activity, and its tab.
    pub(super) opened: Option<(&'a Activity, Tab)>,
    /// What opens the screen that covers the list.
    pub(super) covering: Option<Action>,
}

/// The tour, at a step.
pub(super) struct Tour {
    /// The number of steps that are done.
    done: usize,
    /// The range when the step began.
    range: Range,
    /// What was open when the step began.
    opened: Option<Id>,
    /// What was seen in the last step; in the first, nothing.
    seen: Option<Seen>,
}

/// What was seen in a step.
enum Seen {
    /// How many failed: the stores may still be counting.
    Failures,
    Text(String),
}

impl Tour {
    pub(super) fn new(sight: &Sight<'_>, shared: &Shared) -> Self {
        Self { done: 0, range: shared.range.clone(), opened: id(sight), seen: None }
    }

    /// Goes on where the step is done.
    pub(super) fn look(&mut self, sight: &Sight<'_>, shared: &Shared) {
        let Some(seen) = self.sees(sight, shared) else { return };
        *self = Self { done: self.done + 1, range: shared.range.clone(), opened: id(sight), seen: Some(seen) };
    }

    /// What there is to see where the step is done.
    fn sees(&self, sight: &Sight<'_>, shared: &Shared) -> Option<Seen> {
        let text = |text: &str| Some(Seen::Text(text.to_owned()));
        match self.done {
            0 if !sight.is_typing && shows_failures(shared) => Some(Seen::Failures),
            1 => {
                let (activity, _) = sight.opened.filter(|(activity, _)| Some(&activity.id) != self.opened.as_ref())?;
                Some(Seen::Text(opened(activity)))
            }
            2 if sight.opened.is_some_and(|(_, tab)| tab == Tab::Retries) => {
                text("A line a try, with the gaps between them. < and > go through the tabs.")
            }
            3 if sight.covering == Some(Action::FAILURES) => {
                text("A line a group. There, enter shows what is in one; esc goes back to the list.")
            }
            4 if shared.range != self.range => {
                Some(Seen::Text(format!("The range is now ‹{}›.", safe(&shared.range.describe()))))
            }
            _ => None,
        }
    }
}

fn id(sight: &Sight<'_>) -> Option<Id> {
    sight.opened.map(|(activity, _)| activity.id.clone())
}

/// Whether the filter keeps failures and nothing else, however it is written.
fn shows_failures(shared: &Shared) -> bool {
    let rows = shared.store.rows();
    !shared.filter.is_all()
        && !rows.is_empty()
        && rows.iter().rev().take(LOOKED_AT).all(|row| shared.store.is_failure(*row))
}

/// What was opened, in a line.
fn opened(activity: &Activity) -> String {
    let system = activity.system.as_deref().map(|system| format!(" of {}", safe(system))).unwrap_or_default();
    let http = activity.http_status.map(|http| format!(" with {http}")).unwrap_or_default();
    let took = activity.took_us().map(|us| format!(" after {}", duration(us))).unwrap_or_default();
    let failed = if activity.is_failure() { "failed" } else { "ended" };
    format!("{}{system} {failed}{http}{took}.", safe(&what(activity)))
}
