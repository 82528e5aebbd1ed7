//! The screens, a folder each: `mod.rs` has what a screen knows and does, `view.rs` how it is drawn. A screen says which
//! actions it accepts; the key bar, the help and the palette are made of that. No screen knows another: what it wants of
//! the rest, it asks for (`Request`), and the stack carries it out.

mod affected;
mod alerts;
mod answer;
mod changes;
mod contrast;
mod distinctions;
mod explore;
mod explorer;
mod failures;
mod fields;
mod find;
mod first_run;
mod global;
mod health;
mod help;
mod jobs;
mod lines;
mod palette;
mod patterns;
mod prompt;
mod request;
mod resend;
mod run;
mod sets;
mod shared;
mod sources;
mod stack;
mod tables;
mod tools;
mod tour;
mod view;

pub use explore::{Detail, Explore, GoesOn};
pub use explorer::{Event, Explorer};
pub use health::SlottedHealth;
use request::PromptKind;
pub use request::{Focus, Tab};
pub use run::{Opened, Reopen, run};
pub use shared::{
    AlertBoard, AlertLine, AlertOrigin, Keeping, LineState, Notice, Offer, Settings, Shared, of_activity, of_rule,
};
pub use stack::Stack;
pub use view::{Picture, draw};

use crate::action::Action;
use crate::effect::{Effect, Reply, ReportRange, Ticket};
use crate::ingest::News;
use crate::tui::{Canvas, Context, Gesture, Part, TextField, Vocabulary};
use crosstail_export::Table;

/// A screen that replaces the list, an overlay on top of it, or the list itself.
///
/// Nothing here waits: what takes time is returned as effects.
pub trait Screen {
    /// Name of what it shows, for the file of a report.
    fn name(&self) -> &'static str;

    /// The actions that it may take. Others are not offered to it.
    fn actions(&self) -> Vec<Action>;

    /// Takes an action; `None` if it means nothing here now, and goes to what is below.
    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>>;

    /// Whether an action that it does not take ends here, except those that always work.
    fn is_modal(&self) -> bool {
        false
    }

    /// Takes an action that nothing shown takes, while it is not shown itself.
    fn elsewhere(&mut self, _action: Action, _shared: &mut Shared) -> Option<Vec<Effect>> {
        None
    }

    /// The table of the keymap that applies on it; `None` if that of what is below does.
    fn context(&self) -> Option<Context> {
        None
    }

    /// What the key bar shows, the most useful first; nothing if that of what is below stays.
    fn hints(&self) -> &'static [Hint] {
        &[]
    }

    /// Whether there is no line that an action could be about: then the key bar leaves out what acts on one.
    fn is_empty(&self, _shared: &Shared) -> bool {
        false
    }

    /// Whether it shows what the list's filter keeps, so that the filter stands over it.
    fn is_filtered(&self) -> bool {
        false
    }

    /// Whether keys are text for its field.
    fn is_typing(&self) -> bool {
        false
    }

    /// Whether a letter is text for its field, although other keys mean what they mean elsewhere.
    fn types(&self, _letter: char) -> bool {
        false
    }

    /// Its text field.
    fn field(&mut self) -> Option<&mut TextField> {
        None
    }

    /// Its text field was edited; `changed` is false if only the cursor moved.
    fn edited(&mut self, _changed: bool, _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// The selected one of its lines, where it has lines to select among: pressing one selects it, pressing it twice opens it.
    fn line(&mut self) -> Option<&mut usize> {
        None
    }

    /// The mouse did something at a part that only it knows.
    fn pointed(&mut self, _gesture: Gesture, _at: (Part, usize, u16), _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// A line that it asked for was typed; `None` if it did not ask.
    fn answered(&mut self, _kind: &PromptKind, _text: &str, _shared: &mut Shared) -> Option<Vec<Effect>> {
        None
    }

    /// It is shown from now on.
    fn opened(&mut self, _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Time passed while it is shown.
    fn tick(&mut self, _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// A source delivered something, whether the screen is shown or not.
    fn news(&mut self, _news: &News, _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Takes the reply to its own query; gives back any other.
    fn reply(&mut self, _ticket: Ticket, reply: Reply, _shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        Err(reply)
    }

    /// What a report of it contains; `None` if that of what is below is meant.
    fn report(&self, _shared: &Shared) -> Option<ReportPart> {
        None
    }

    /// Draws it.
    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>);
}

/// A hint of the key bar: an action, under its first key, and what it does here. Neighbours that do the same share the words.
#[derive(Debug, Clone, Copy)]
pub struct Hint(pub Action, pub &'static str);

impl Hint {
    /// Whether it means something on a screen with these actions where there is no line to act on: it leads elsewhere, or is about
    /// the whole.
    fn is_of_the_whole(self, own: &[Action]) -> bool {
        const OF_THE_WHOLE: [Action; 10] = [
            Action::BACK,
            Action::FILTER,
            Action::FIND,
            Action::FOCUS_NEXT,
            Action::ZOOM_IN,
            Action::ZOOM_OUT,
            Action::REPORT,
            Action::PALETTE,
            Action::HELP,
            Action::QUIT,
        ];
        let leads_elsewhere = SCREENS.iter().any(|entry| entry.action == Some(self.0)) && !own.contains(&self.0);
        OF_THE_WHOLE.contains(&self.0) || leads_elsewhere
    }
}

/// What a screen contributes to a report of it.
#[derive(Default)]
pub struct ReportPart {
    pub title: String,
    /// Lines about what is shown: the filter, the time.
    pub about: Vec<String>,
    pub tables: Vec<Table>,
    /// What the stores count for it, in addition.
    pub range: Option<ReportRange>,
}

/// What the rest of the program knows of a screen.
struct Entry {
    /// The action that opens and closes it; the first page has none.
    action: Option<Action>,
    /// The actions that only it knows, its own opening included.
    own: &'static [Action],
    /// The keys of those, as tables of a keymap.
    keys: &'static str,
    new: fn() -> Box<dyn Screen>,
}

impl Entry {
    /// A screen that has no actions of its own.
    const fn new(action: Option<Action>, new: fn() -> Box<dyn Screen>) -> Self {
        Self { action, own: &[], keys: "", new }
    }
}

/// The screens, in the order of their actions in the help. Nothing else names them.
const SCREENS: &[Entry] = &[
    first_run::ENTRY,
    health::ENTRY,
    alerts::ENTRY,
    failures::ENTRY,
    patterns::ENTRY,
    changes::ENTRY,
    affected::ENTRY,
    fields::ENTRY,
    sources::ENTRY,
    tables::ENTRY,
    jobs::ENTRY,
    resend::ENTRY,
    contrast::ENTRY,
    sets::ENTRY,
];

/// Every action, with the keys that the screens give to their own.
pub fn vocabulary() -> Vocabulary {
    let own = SCREENS.iter().flat_map(|entry| entry.own);
    Vocabulary {
        actions: Action::COMMON.iter().chain(own).copied().collect(),
        keys: SCREENS.iter().map(|entry| entry.keys).collect(),
    }
}
