//! The tables of the sources that are databases, by how well they fit what an activity is. One can be opened, or its schema
//! written, to be edited.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::effect::{Effect, Instead, Reply, TablesOf, Ticket};
use crate::tui::{Canvas, Context};
use crosstail_core::model::SourceId;
use crosstail_source::TableOffer;

const TABLES: Action = Action::new("tables", "tables of the databases, and how well they fit");
const WRITE_DRAFT: Action = Action::new("write_draft", "write a schema for the table into your folder");

pub(super) const ENTRY: Entry = Entry {
    action: Some(TABLES),
    own: &[TABLES, WRITE_DRAFT],
    keys: "[global]\ntables = ['D']\n[tables]\nwrite_draft = ['d']",
    new: || Box::new(Tables::default()),
};

/// The tables, with the cursor on one.
#[derive(Default)]
pub(super) struct Tables {
    ticket: Ticket,
    /// Whether the sources are still being asked.
    is_waiting: bool,
    offers: Vec<(SourceId, TableOffer)>,
    /// What sources said that could not be asked.
    problems: Vec<String>,
    line: Lines,
}

impl Tables {
    fn take(&mut self, tables: Vec<TablesOf>) {
        self.is_waiting = false;
        for (source, offers) in tables {
            match offers {
                Ok(offers) => self.offers.extend(offers.into_iter().map(|offer| (source, offer))),
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

impl Screen for Tables {
    fn name(&self) -> &'static str {
        "tables"
    }

    fn actions(&self) -> Vec<Action> {
        [&Lines::ACTIONS[..], &[Action::OPEN, WRITE_DRAFT, Action::BACK]].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("tables"))
    }

    fn is_empty(&self, _shared: &Shared) -> bool {
        self.offers.is_empty()
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "back"),
            Hint(Action::OPEN, "read it"),
            Hint(WRITE_DRAFT, "write its schema"),
            Hint(Action::PALETTE, "commands"),
        ]
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let chosen = self.offers.get(self.line.0);
        let chosen = || chosen.map(|(source, offer)| (*source, offer.name.clone()));
        match action {
            Action::BACK => shared.ask(Request::Close),
            Action::OPEN => {
                return Some(
                    chosen().map(|(id, table)| Effect::ReadInstead(Instead::Table(id, table))).into_iter().collect(),
                );
            }
            WRITE_DRAFT => {
                return Some(chosen().map(|(id, table)| Effect::WriteDraft(id, table)).into_iter().collect());
            }
            _ => return self.line.moved(action, self.offers.len()).then(Vec::new),
        }
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        *self = Self { ticket: shared.ticket(), is_waiting: true, ..Self::default() };
        vec![Effect::ListTables(self.ticket)]
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, _shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Tables(tables) if ticket == self.ticket => {
                self.take(tables);
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
