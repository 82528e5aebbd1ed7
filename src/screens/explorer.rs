//! The explorer: what all screens share, and the stack of screens. `update(event) → effects` never waits.

use super::request::Tab;
use super::shared::Shared;
use super::stack::Stack;
use super::{GoesOn, draw, global};
use crate::action::Action;
use crate::config::Layout;
use crate::effect::{Effect, Reply, Ticket};
use crate::tui::{Appearance, Context, Gesture, KeyMatch, Pointed, Stroke};
use chrono_tz::Tz;
use crosstail_core::model::{Names, SourceId, Timestamp};
use crosstail_engine::window::Range;
use crosstail_memory::Left;
use crosstail_source::pump::PumpEvent;

/// An input to the explorer.
#[derive(Debug)]
pub enum Event {
    /// An action, requested by a key or a command.
    Action(Action),
    /// A key in the text field that has the focus.
    Typed(Stroke),
    /// A text was pasted.
    Pasted(String),
    /// Go on where another session was left.
    GoOn(Box<Left>, GoesOn),
    /// Put a filter in force (`--filter`).
    Filter(String),
    /// Show columns and facets (`--columns`, `--facets`).
    LayOut(Layout),
    /// Put a range of time in force (`--range`).
    Range(Range),
    /// Open what a text identifies, at a tab (`--open`, `--tab`).
    Open(String, Option<Tab>),
    /// An event from a source.
    Pump(PumpEvent),
    /// The answer to a query.
    Reply(Ticket, Reply),
    /// Time passed.
    Tick(Timestamp),
    /// New size of the terminal in columns and rows.
    Resize(u16, u16),
    /// The mouse did something at a place of the picture that is shown.
    Pointed(Gesture, Pointed),
}

/// The explorer.
pub struct Explorer {
    pub shared: Shared,
    pub stack: Stack,
    /// Keys of an incomplete sequence.
    pub(super) pressed: Vec<Stroke>,
}

impl Explorer {
    /// The explorer over sources that are not connected yet.
    pub fn new(names: Names, sources: &[SourceId], zone: Tz, now: Timestamp) -> Self {
        let mut shared = Shared::new(names, sources, zone, now);
        let stack = Stack::new(&mut shared);
        Self { shared, stack, pressed: Vec::new() }
    }

    /// Applies an event; returns the effects to carry out.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let is_tick = matches!(event, Event::Tick(_));
        if matches!(event, Event::Pointed(..)) {
            self.pressed.clear();
        }
        let effects = self.apply(event);
        self.stack.explore.fit(&self.shared);
        self.stack.guide(&mut self.shared);
        if is_tick || effects.iter().any(|effect| matches!(effect, Effect::Quit | Effect::ReadInstead(_))) {
            self.stack.explore.note_panels(&mut self.shared);
        }
        // Before the others: after the end nothing is kept.
        self.shared.keeping.take_due().chain(effects).collect()
    }

    /// Counts what the list's panels show, if the activities have changed, or if `force` is set.
    pub fn count(&mut self, force: bool) {
        self.stack.explore.count(&mut self.shared, force);
    }

    fn apply(&mut self, event: Event) -> Vec<Effect> {
        let Self { shared, stack, .. } = self;
        match event {
            Event::Action(action) => {
                shared.forget_notice();
                stack.act(action, shared)
            }
            Event::Typed(stroke) => stack.typed(&stroke, shared),
            Event::Pasted(text) => stack.pasted(&text, shared),
            Event::GoOn(left, goes_on) => stack.explore.go_on_from(*left, goes_on, shared),
            Event::Filter(text) => stack.explore.begin_with(&text, shared),
            Event::LayOut(layout) => {
                shared.layout = layout;
                stack.explore.lay_out(shared)
            }
            Event::Range(range) => stack.explore.set_range(range, shared),
            Event::Open(text, tab) => stack.find(text, tab, shared),
            Event::Pump(event) => {
                let news = shared.ingest(event);
                stack.news(&news, shared)
            }
            Event::Reply(ticket, Reply::Read(purpose, mut part)) => {
                let mut effects = Vec::new();
                let items = std::mem::take(&mut part.items);
                part.found = items.iter().map(|item| (item.started_at, item.id.clone())).collect();
                if !items.is_empty() {
                    let news = shared.ingest(PumpEvent::Batch { source: part.source, items, live: false });
                    effects = stack.news(&news, shared);
                }
                effects.extend(stack.reply(ticket, Reply::Read(purpose, part), shared));
                effects
            }
            Event::Reply(ticket, reply) => stack.reply(ticket, reply, shared),
            Event::Tick(now) => {
                let mut effects = shared.tick(now);
                effects.extend(stack.tick(shared));
                effects
            }
            Event::Resize(width, height) => {
                shared.size = (width, height);
                Vec::new()
            }
            Event::Pointed(gesture, pointed) => stack.pointed(gesture, pointed, shared),
        }
    }

    /// Applies a key: the action that it means, or what it types.
    pub fn press(&mut self, look: &Appearance, stroke: Stroke) -> Vec<Effect> {
        let typing = self.stack.is_typing() || stroke.letter().is_some_and(|letter| self.stack.types(letter));
        let context = if typing { Context::TEXT } else { self.stack.context() };
        self.pressed.push(stroke);
        let found = look.keymap.find(context, &self.pressed);
        if found == KeyMatch::Prefix {
            return Vec::new();
        }
        self.pressed.clear();
        match found {
            KeyMatch::Action(action) => self.act(action, look),
            _ if typing => self.update(Event::Typed(stroke)),
            _ => {
                self.shared.notify("this key has no meaning here; ? lists those that have");
                Vec::new()
            }
        }
    }

    /// Does what a key stands for; where nothing of it is seen, that is said.
    fn act(&mut self, action: Action, look: &Appearance) -> Vec<Effect> {
        if global::MOVES.contains(&action) {
            return self.update(Event::Action(action));
        }
        self.shared.forget_notice();
        let before = draw(self, look).buffer;
        let effects = self.update(Event::Action(action));
        if effects.is_empty() && draw(self, look).buffer == before {
            self.shared.notify(format!("{} changes nothing here", action.name().replace('_', " ")));
        }
        effects
    }
}
