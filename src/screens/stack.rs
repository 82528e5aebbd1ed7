//! The stack: the list at the bottom, at most one screen over it, overlays on top. An action goes from the top to the
//! first that takes it. Nothing else knows which screen is shown.

use super::explore::Explore;
use super::find::Find;
use super::help::Help;
use super::palette::Palette;
use super::prompt::Prompt;
use super::request::{Focus, PromptKind, Request, Tab};
use super::shared::Shared;
use super::tools::Tools;
use super::tour::{self, Sight, Tour};
use super::{Hint, SCREENS, Screen, global, vocabulary};
use crate::action::Action;
use crate::effect::{Effect, Instead, Reply, ReportRange, Ticket};
use crate::ingest::News;
use crate::tui::{Context, Gesture, Part, Pointed, Presses, Spot, Stroke};
use crosstail_core::model::Activity;
use crosstail_export::Report;

/// The screens and overlays, and which are shown.
pub struct Stack {
    /// The list and what belongs to it; always at the bottom.
    pub explore: Explore,
    /// The screens of [`SCREENS`], in its order. They keep their state while they are not shown.
    screens: Vec<Box<dyn Screen>>,
    /// The screen that covers the list.
    shown: Option<usize>,
    /// The overlays, the topmost last.
    pub(super) overlays: Vec<Box<dyn Screen>>,
    /// Whether the mouse is captured.
    pub(super) mouse: bool,
    presses: Presses,
    /// Whether a tour is offered.
    offers_tour: bool,
    /// The tour, while it is shown.
    tour: Option<Tour>,
}

/// The numbers of layers, for what they draw: the list, the screen that covers it, and the overlays.
pub(super) const LIST: usize = 0;
const COVERING: usize = 1;
pub(super) const FIRST_OVERLAY: usize = 2;

/// A place in the stack.
#[derive(Debug, Clone, Copy)]
enum Layer {
    Explore,
    Screen(usize),
    Overlay(usize),
}

impl Stack {
    /// The list, or the first page while there is no source.
    pub(super) fn new(shared: &mut Shared) -> Self {
        let first_page = SCREENS.iter().position(|entry| entry.action.is_none());
        Self {
            explore: Explore::new(shared),
            screens: SCREENS.iter().map(|entry| (entry.new)()).collect(),
            shown: first_page.filter(|_| shared.sources.is_empty()),
            overlays: Vec::new(),
            mouse: false,
            presses: Presses::default(),
            offers_tour: false,
            tour: None,
        }
    }

    /// What is shown, the topmost first.
    fn layers(&self) -> Vec<Layer> {
        let overlays = (0..self.overlays.len()).rev().map(Layer::Overlay);
        overlays.chain(self.shown.map(Layer::Screen)).chain([Layer::Explore]).collect()
    }

    fn screen(&self, layer: Layer) -> &dyn Screen {
        match layer {
            Layer::Explore => &self.explore,
            Layer::Screen(index) => &*self.screens[index],
            Layer::Overlay(index) => &*self.overlays[index],
        }
    }

    fn screen_mut(&mut self, layer: Layer) -> &mut dyn Screen {
        match layer {
            Layer::Explore => &mut self.explore,
            Layer::Screen(index) => &mut *self.screens[index],
            Layer::Overlay(index) => &mut *self.overlays[index],
        }
    }

    /// The screen that covers the list.
    pub(super) fn covering(&self) -> Option<&dyn Screen> {
        self.shown.map(|index| &*self.screens[index])
    }

    /// The screen that is shown, without overlays.
    pub(super) fn body(&self) -> &dyn Screen {
        self.covering().unwrap_or(&self.explore)
    }

    /// Name of the screen that is shown, without overlays.
    pub fn name(&self) -> &'static str {
        self.body().name()
    }

    /// What stands over the screen that covers the list, where the filter has no part in it.
    pub(super) fn title(&self) -> Option<&'static str> {
        let index = self.shown.filter(|index| !self.screens[*index].is_filtered())?;
        Some(SCREENS[index].action.map_or("", Action::name))
    }

    /// The layer whose text field has the focus.
    fn typing(&self) -> Option<Layer> {
        let below = [self.shown.map(Layer::Screen), Some(Layer::Explore)].into_iter().flatten();
        let layers = match self.overlays.len().checked_sub(1) {
            Some(top) => vec![Layer::Overlay(top)],
            None => below.collect(),
        };
        layers.into_iter().find(|layer| self.screen(*layer).is_typing())
    }

    /// Whether a letter is text for what is on top, although other keys are not.
    pub(super) fn types(&self, letter: char) -> bool {
        self.layers().first().is_some_and(|top| self.screen(*top).types(letter))
    }

    /// Whether keys are text.
    pub fn is_typing(&self) -> bool {
        self.typing().is_some()
    }

    /// The table of the keymap that applies.
    pub fn context(&self) -> Context {
        self.layers().into_iter().find_map(|layer| self.screen(layer).context()).unwrap_or(Context::GLOBAL)
    }

    /// What the key bar shows.
    pub(super) fn hints(&self, shared: &Shared) -> Vec<Hint> {
        let hints = |layer: &Layer| self.screen(*layer).hints();
        let layers = self.layers();
        let typing = layers.iter().find(|layer| self.screen(**layer).is_typing() && !hints(layer).is_empty());
        let Some(layer) = typing.or_else(|| layers.iter().find(|layer| !hints(layer).is_empty())) else {
            return Vec::new();
        };
        let screen = self.screen(*layer);
        let (is_empty, own) = (screen.is_empty(shared), screen.actions());
        hints(layer).iter().copied().filter(|hint| !is_empty || hint.is_of_the_whole(&own)).collect()
    }

    /// The actions that something accepts, in the order of the help.
    pub fn actions(&self) -> Vec<Action> {
        let mut accepted = [&self.explore as &dyn Screen].map(Screen::actions).concat();
        accepted.extend(self.screens.iter().flat_map(|screen| screen.actions()));
        accepted.extend(SCREENS.iter().filter_map(|entry| entry.action));
        accepted.extend(global::ACTIONS);
        accepted.extend(self.offers_tour.then_some(Action::TOUR));
        vocabulary().actions.into_iter().filter(|action| accepted.contains(action)).collect()
    }

    /// The same, as the palette has them: first what the screen itself does, and of that first what its key bar shows.
    fn offered(&self) -> Vec<Action> {
        let (own, hints, mut actions) = (self.body().actions(), self.body().hints(), self.actions());
        actions.sort_by_key(|action| (!own.contains(action), !hints.iter().any(|hint| hint.0 == *action)));
        actions
    }

    /// Offers a tour of what is shown.
    pub fn offer_tour(&mut self) {
        self.offers_tour = true;
    }

    /// The tour, if it is shown.
    pub(super) const fn tour(&self) -> Option<&Tour> {
        self.tour.as_ref()
    }

    /// What a tour can see.
    fn sight(&self) -> Sight<'_> {
        Sight {
            is_typing: self.is_typing(),
            opened: self.explore.detail.as_ref().map(|detail| (&detail.activity, detail.tab)),
            covering: self.shown.and_then(|index| SCREENS[index].action),
        }
    }

    /// The tour goes on where something was done that it waits for, and has its strip.
    pub(super) fn guide(&mut self, shared: &mut Shared) {
        if let Some(mut tour) = self.tour.take() {
            tour.look(&self.sight(), shared);
            self.tour = Some(tour);
        }
        shared.strip = self.tour().map_or(0, |tour| tour::rows(tour, shared));
    }

    /// Shows the tour from its beginning, or ends it.
    fn toggle_tour(&mut self, shared: &Shared) {
        let begins = self.offers_tour && self.tour.is_none();
        self.tour = begins.then(|| Tour::new(&self.sight(), shared));
    }

    /// Whether there is nothing from which one could go back but the tour.
    pub(super) fn is_at_the_bottom(&self) -> bool {
        self.overlays.is_empty() && self.shown.is_none() && self.explore.is_at_rest()
    }

    /// Does what an action means to the topmost that takes it.
    pub(super) fn act(&mut self, action: Action, shared: &mut Shared) -> Vec<Effect> {
        if action == Action::TOUR || (action == Action::BACK && self.tour().is_some() && self.is_at_the_bottom()) {
            self.toggle_tour(shared);
            return Vec::new();
        }
        if action == Action::BACK && self.is_at_the_bottom() && global::leads_to_first_page(shared) {
            return vec![Effect::ReadInstead(Instead::FirstPage)];
        }
        for layer in self.layers() {
            if let (Layer::Explore, Some(covering)) = (layer, self.covering())
                && !global::is_of_what_is_covered(action, covering.is_filtered())
            {
                continue;
            }
            let screen = self.screen_mut(layer);
            if screen.actions().contains(&action)
                && let Some(mut effects) = screen.handle(action, shared)
            {
                effects.extend(self.carry_out(layer, shared));
                return effects;
            }
            if self.screen(layer).is_modal() && !global::ALWAYS.contains(&action) {
                return Vec::new();
            }
        }
        if let Some(index) = SCREENS.iter().position(|entry| entry.action == Some(action)) {
            return self.toggle(index, shared);
        }
        let elsewhere = self.screens.iter_mut().find_map(|screen| screen.elsewhere(action, shared));
        elsewhere.unwrap_or_else(|| self.act_globally(action, shared))
    }

    /// Shows a screen, or the list if the screen is shown.
    fn toggle(&mut self, index: usize, shared: &mut Shared) -> Vec<Effect> {
        self.explore.focus = Focus::List;
        if self.shown == Some(index) {
            self.shown = None;
            return Vec::new();
        }
        self.shown = Some(index);
        shared.selection = self.explore.histogram.range();
        let mut effects = self.screens[index].opened(shared);
        effects.extend(self.carry_out(Layer::Screen(index), shared));
        effects
    }

    /// Carries out what a layer asked for.
    fn carry_out(&mut self, from: Layer, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        loop {
            let requests = shared.take_requests();
            if requests.is_empty() {
                return effects;
            }
            for request in requests {
                effects.extend(self.grant(from, request, shared));
            }
        }
    }

    fn grant(&mut self, from: Layer, request: Request, shared: &mut Shared) -> Vec<Effect> {
        match request {
            Request::Close => match from {
                Layer::Overlay(index) => drop(self.overlays.remove(index)),
                Layer::Screen(_) => self.shown = None,
                Layer::Explore => {}
            },
            Request::Run(action) => return self.act(action, shared),
            Request::Find(text, tab) => return self.find(text, tab, shared),
            Request::Mouse(on) => return self.set_mouse(on, shared),
            Request::Prompt(kind, text) => self.prompt(kind, &text),
            Request::Answer(PromptKind::Report, path) => {
                let (report, range) = self.report(shared);
                return vec![Effect::Report(path, Box::new(report), range)];
            }
            Request::Answer(kind, text) => {
                let covering = self.shown.and_then(|index| self.screens[index].answered(&kind, &text, shared));
                return covering.unwrap_or_else(|| self.explore.grant(Request::Answer(kind, text), shared));
            }
            Request::Show(filter) => {
                self.shown = None;
                return self.explore.set_filter(&filter, shared);
            }
            Request::View(view) => {
                self.shown = None;
                return self.explore.show_view(&view, shared);
            }
            Request::Tools(activity) => return self.tools(*activity, shared),
            Request::LayOut => return self.explore.choose_layout(shared),
            Request::History(text) => self.overlays.push(Box::new(Palette::of_filters(&shared.keeping, &text))),
            Request::Open(row, activity, tab) => {
                self.shown = None;
                return self.explore.open(row, *activity, tab, shared);
            }
            Request::Focus(focus) => {
                // The first page stays until there is something else to show.
                self.shown = self.shown.filter(|index| SCREENS[*index].action.is_none());
                self.explore.set_focus(focus, shared);
            }
            other => return self.explore.grant(other, shared),
        }
        Vec::new()
    }

    /// Asks for one line, with a text to begin with.
    pub(super) fn prompt(&mut self, kind: PromptKind, text: &str) {
        self.overlays.push(Box::new(Prompt::new(kind, text)));
    }

    /// Searches every source for what a text identifies.
    pub(super) fn find(&mut self, text: String, tab: Option<Tab>, shared: &mut Shared) -> Vec<Effect> {
        let (search, effects) = Find::start(text, tab, shared);
        // A search in place of what is open: its answer is behind nothing, and the last search is over.
        self.overlays.clear();
        self.overlays.push(Box::new(search));
        effects
    }

    /// Shows the links and commands for an activity; opens the only one if it is a link.
    fn tools(&mut self, activity: Activity, shared: &mut Shared) -> Vec<Effect> {
        let Some((tools, effects)) = Tools::open(activity, shared) else { return Vec::new() };
        if let Some(url) = tools.only_link() {
            return vec![Effect::OpenUrl(url)];
        }
        self.overlays.push(Box::new(tools));
        effects
    }

    /// Takes a key in the text field that has the focus.
    pub(super) fn typed(&mut self, stroke: &Stroke, shared: &mut Shared) -> Vec<Effect> {
        let Some(layer) = self.typing().or_else(|| self.layers().first().copied()) else { return Vec::new() };
        let changed = self.screen_mut(layer).field().is_some_and(|field| field.press(stroke));
        self.edited(layer, changed, shared)
    }

    /// Takes a pasted text: into the text field that has the focus; elsewhere it is searched for.
    pub(super) fn pasted(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
        let field = self.typing().or_else(|| self.layers().first().copied().filter(|_| self.types('a')));
        let (text, is_cut) = global::one_line(text, if field.is_some() { global::PASTED } else { global::SEARCHED });
        if is_cut {
            shared.notify("what was pasted is too long; its beginning was taken");
        }
        let Some(layer) = field else {
            return if text.is_empty() { Vec::new() } else { self.find(text, None, shared) };
        };
        if let Some(field) = self.screen_mut(layer).field() {
            field.paste(&text);
        }
        self.edited(layer, true, shared)
    }

    /// Mouse on or off.
    fn set_mouse(&mut self, on: bool, shared: &mut Shared) -> Vec<Effect> {
        self.mouse = on;
        shared.notify(if on { "mouse on; with shift, the terminal selects text" } else { "mouse off" });
        vec![Effect::Mouse(on)]
    }

    fn edited(&mut self, layer: Layer, changed: bool, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = self.screen_mut(layer).edited(changed, shared);
        effects.extend(self.carry_out(layer, shared));
        effects
    }

    /// The number of the layer that is the screen shown, for what it draws.
    pub(super) fn layer_of_body(&self) -> usize {
        if self.shown.is_some() { COVERING } else { LIST }
    }

    /// The layer with a number; `None` if it is gone since the picture was drawn.
    fn numbered(&self, number: usize) -> Option<Layer> {
        match number {
            LIST => Some(Layer::Explore),
            COVERING => self.shown.map(Layer::Screen),
            overlay => Some(overlay - FIRST_OVERLAY).filter(|index| *index < self.overlays.len()).map(Layer::Overlay),
        }
    }

    /// Does what the mouse means at a place: what a key does, or what only the layer knows that drew it.
    pub(super) fn pointed(&mut self, gesture: Gesture, at: Pointed, shared: &mut Shared) -> Vec<Effect> {
        let Some(layer) = self.numbered(at.layer) else { return Vec::new() };
        let gesture = self.presses.gesture(gesture, at, shared.now);
        let mut effects = match (at.spot, gesture) {
            (Spot::Action(action), Gesture::Press | Gesture::DoublePress) => return self.act(action, shared),
            (Spot::Part(Part::LINE, index), Gesture::Press | Gesture::DoublePress) => {
                let before = self.screen_mut(layer).line().map(|line| std::mem::replace(line, index));
                let opens = gesture == Gesture::DoublePress && before == Some(index);
                let opened = opens.then(|| self.screen_mut(layer).handle(Action::OPEN, shared));
                opened.flatten().unwrap_or_default()
            }
            (Spot::Part(part, index), gesture) if part != Part::LINE => {
                self.screen_mut(layer).pointed(gesture, (part, index, at.column), shared)
            }
            (_, Gesture::Wheel(up)) => {
                let action = if up { Action::UP } else { Action::DOWN };
                let screen = self.screen_mut(layer);
                let takes = screen.actions().contains(&action);
                (0..Gesture::WHEEL_LINES)
                    .filter_map(|_| screen.handle(action, shared).filter(|_| takes))
                    .flatten()
                    .collect()
            }
            _ => Vec::new(),
        };
        effects.extend(self.carry_out(layer, shared));
        effects
    }

    /// Everything that has a state of its own: what is shown, and the screens that are not.
    fn all(&self) -> Vec<Layer> {
        let overlays = (0..self.overlays.len()).rev().map(Layer::Overlay);
        overlays.chain((0..self.screens.len()).map(Layer::Screen)).chain([Layer::Explore]).collect()
    }

    /// Tells everything what a source delivered.
    pub(super) fn news(&mut self, news: &News, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        for layer in self.all() {
            effects.extend(self.screen_mut(layer).news(news, shared));
            effects.extend(self.carry_out(layer, shared));
        }
        effects
    }

    /// Gives a reply to whoever asked.
    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Vec<Effect> {
        let mut rest = reply;
        for layer in self.all() {
            match self.screen_mut(layer).reply(ticket, rest, shared) {
                Ok(mut effects) => {
                    effects.extend(self.carry_out(layer, shared));
                    return effects;
                }
                Err(reply) => rest = reply,
            }
        }
        if let Err(Reply::Notice(text)) = shared.take_for_all(ticket, rest) {
            shared.notify(text);
        }
        Vec::new()
    }

    /// Time passed.
    pub(super) fn tick(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        for layer in self.layers().into_iter().rev() {
            effects.extend(self.screen_mut(layer).tick(shared));
            effects.extend(self.carry_out(layer, shared));
        }
        // Count only what is shown.
        if self.shown.is_none() {
            self.explore.count(shared, false);
            effects.extend(self.explore.group(shared));
        }
        effects
    }

    /// The report of what is shown.
    fn report(&self, shared: &Shared) -> (Report, Option<ReportRange>) {
        let part = self.layers().into_iter().find_map(|layer| self.screen(layer).report(shared));
        global::report(part, shared)
    }
}

impl Stack {
    /// Does what an action means everywhere.
    pub(super) fn act_globally(&mut self, action: Action, shared: &mut Shared) -> Vec<Effect> {
        match action {
            Action::FIND | Action::PALETTE => {
                let finds = action == Action::FIND;
                self.overlays.push(Box::new(Palette::new(&self.offered(), &shared.settings, finds)));
            }
            Action::HELP => self.overlays.push(Box::new(Help::new(self.actions()))),
            Action::REPORT => {
                let at = shared.local(shared.now).format("%Y-%m-%d-%H%M");
                self.prompt(PromptKind::Report, &format!("{}-{at}.html", self.name()));
            }
            Action::TOGGLE_RATE => shared.shows_rate = !shared.shows_rate,
            Action::TOGGLE_MOUSE => return self.set_mouse(!self.mouse, shared),
            Action::NEXT_THEME => {
                global::next_theme(shared);
                return vec![Effect::Redraw];
            }
            Action::RELOAD => return vec![Effect::Reload, Effect::Redraw],
            Action::REDRAW => return vec![Effect::Redraw],
            Action::SUSPEND => return vec![Effect::Suspend],
            Action::QUIT => return vec![Effect::Quit],
            other => shared.notify(format!("{} does nothing here", other.name().replace('_', " "))),
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Names, Timestamp};

    /// Key bar, help and palette say what is accepted: so nothing else may be.
    #[test]
    fn a_screen_takes_no_action_that_it_does_not_declare() {
        let mut shared = Shared::new(Names::default(), &[], chrono_tz::Tz::UTC, Timestamp(0));
        let mut explore = Explore::new(&shared);
        for focus in [Focus::List, Focus::Facets, Focus::Histogram, Focus::Detail] {
            explore.focus = focus;
            takes_what_it_declares(&mut explore, &mut shared);
        }
        for entry in SCREENS {
            let mut screen = (entry.new)();
            screen.opened(&mut shared);
            takes_what_it_declares(&mut *screen, &mut shared);
        }
        takes_what_it_declares(&mut Prompt::new(PromptKind::Pipe, ""), &mut shared);
        takes_what_it_declares(&mut Palette::new(&vocabulary().actions, &shared.settings.clone(), false), &mut shared);
    }

    fn takes_what_it_declares(screen: &mut dyn Screen, shared: &mut Shared) {
        let declared = screen.actions();
        for action in vocabulary().actions.into_iter().filter(|action| !declared.contains(action)) {
            assert_eq!(screen.handle(action, shared), None, "{} by {}", action.name(), screen.name());
        }
    }
}
