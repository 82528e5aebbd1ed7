//! Which fields there are, how often and of what types, and which of them the list and the facets show: fields of the activity
//! over what is held, and the paths that occur in a sample of payloads.

mod view;

use super::lines::Lines;
use super::request::Request;
use super::shared::Shared;
use super::{Entry, Hint, Screen};
use crate::action::Action;
use crate::config::{Column, Layout, Shows};
use crate::effect::{Effect, PathSample, Placed, Reply, Ticket};
use crate::tui::{Canvas, Context, TextField};
use crosstail_core::filter::{Field, Operand};
use crosstail_engine::fields::{FoundPath, fields_of};
use crosstail_engine::store::Row;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

const FIELDS: Action = Action::new("fields", "columns and facets: every field and path that occurs");
const FACET: Action = Action::new("facet", "count the values of the field in the facets, or no longer");
const NARROWER: Action = Action::new("narrower", "a narrower column");
const WIDER: Action = Action::new("wider", "a wider column");
const USUAL: Action = Action::new("usual_columns", "the usual columns and facets again");

pub(super) const ENTRY: Entry = Entry {
    action: Some(FIELDS),
    own: &[FIELDS, FACET, NARROWER, WIDER, USUAL],
    keys: "[global]\nfields = ['C']\n[fields]\nfacet = ['tab']\nnarrower = ['<']\nwider = ['>']\nusual_columns = ['ctrl-r']",
    new: || Box::new(Fields::default()),
};

/// Activities in memory whose fields are counted.
const HELD: usize = 5000;
/// Activities whose payloads are loaded to see which paths occur.
const SAMPLED: usize = 200;

/// The columns of a list that nobody has changed.
const STANDARD: [Option<Field>; 9] = [
    Some(Field::Time),
    Some(Field::Status),
    Some(Field::Direction),
    Some(Field::System),
    None,
    Some(Field::Http),
    Some(Field::Duration),
    Some(Field::Attempt),
    Some(Field::Message),
];

/// Something that can be a column or a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    shows: Shows,
    /// How many have it, of how many that were looked at.
    count: Option<(u64, u64)>,
    types: String,
    example: String,
}

impl Item {
    fn of(found: &FoundPath, of_all: u64) -> Self {
        Self {
            shows: Shows::Values(found.path.clone()),
            count: Some((found.count, of_all)),
            types: found.types.iter().copied().collect::<Vec<_>>().join(", "),
            example: found.example.clone(),
        }
    }
}

/// The fields, with the cursor on one.
#[derive(Default)]
pub(super) struct Fields {
    /// What is typed.
    field: TextField,
    /// What occurs: fields of the activity, then paths.
    items: Vec<Item>,
    /// Indices of what is listed, in order.
    listed: Vec<usize>,
    line: Lines,
    /// Activities in memory that were looked at.
    held: usize,
    ticket: Ticket,
    sample: Option<PathSample>,
}

/// The rows that are looked at, the newest first.
fn spread(rows: &[Row], most: usize) -> impl Iterator<Item = Row> {
    let step = rows.len().div_ceil(most.max(1)).max(1);
    rows.iter().rev().step_by(step).copied()
}

impl Fields {
    /// Counts the fields of what the view holds, and asks for a sample of its payloads.
    fn look(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let (store, names) = (&shared.store, shared.store.names());
        // While the view is empty, what is held says what there may be.
        let rows = if store.rows().is_empty() { store.all_rows() } else { store.rows() };
        let activities: Vec<_> = spread(rows, HELD).map(|row| store.get(row)).collect();
        let placed: Vec<Placed> = spread(rows, SAMPLED).map(|row| Placed::of(&store.get(row))).collect();
        self.held = activities.len();
        let of_all = self.held as u64;
        let occurring = fields_of(&activities, names);
        self.items = vec![Item {
            shows: Shows::What,
            count: None,
            types: "text".to_owned(),
            example: "what was called, or what happened".to_owned(),
        }];
        self.items.extend(occurring.iter().map(|one| Item::of(one, of_all)));
        self.sample = None;
        self.ticket = shared.ticket();
        self.list(shared);
        vec![Effect::SamplePaths(self.ticket, placed)]
    }

    fn take(&mut self, sample: PathSample, shared: &Shared) {
        let of_all = sample.found.sampled;
        self.items.extend(sample.found.paths.iter().map(|one| Item::of(one, of_all)));
        self.sample = Some(sample);
        self.list(shared);
    }

    /// Lists what fits what is typed: what is shown first, in its order; then the most frequent.
    fn list(&mut self, shared: &Shared) {
        let chosen = self.current().map(|item| item.shows.clone());
        // What is shown and does not occur stays in the list: how else would it be taken out?
        for shows in shown(shared) {
            if !self.items.iter().any(|item| item.shows == shows) {
                let (count, types, example) = (None, String::new(), String::new());
                self.items.push(Item { shows, count, types, example });
            }
        }
        let text = self.field.text().trim();
        self.listed = (0..self.items.len()).collect();
        if text.is_empty() {
            let order = shown(shared);
            let place = |index: &usize| order.iter().position(|shows| *shows == self.items[*index].shows);
            self.listed.sort_by_key(|index| (place(index).is_none(), place(index)));
        } else {
            let (pattern, mut matcher) =
                (Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart), Matcher::new(Config::DEFAULT));
            let (mut buffer, mut scored) = (Vec::new(), Vec::new());
            for (index, item) in self.items.iter().enumerate() {
                let name = item.shows.to_string();
                if let Some(score) = pattern.score(Utf32Str::new(&name, &mut buffer), &mut matcher) {
                    scored.push((std::cmp::Reverse(score), index));
                }
            }
            scored.sort_unstable();
            self.listed = scored.into_iter().map(|(_, index)| index).collect();
        }
        let kept = chosen.and_then(|shows| self.listed.iter().position(|index| self.items[*index].shows == shows));
        let last = self.listed.len().saturating_sub(1);
        self.line = Lines(kept.unwrap_or(self.line.0).min(last));
    }

    fn current(&self) -> Option<&Item> {
        self.listed.get(self.line.0).and_then(|index| self.items.get(*index))
    }

    /// Where the selected one is among the columns.
    fn column(&self, shared: &Shared) -> Option<usize> {
        let shows = &self.current()?.shows;
        shared.layout.columns.iter().position(|column| column.shows == *shows)
    }

    /// Makes the selected one a column, or takes it out.
    fn toggle_column(&mut self, shared: &mut Shared) {
        let Some(shows) = self.current().map(|item| item.shows.clone()) else { return };
        let columns = &mut shared.layout.columns;
        if columns.is_empty() {
            let column = |field: &Option<Field>| field.map_or_else(|| Column::new(Shows::What), Column::of);
            *columns = STANDARD.iter().map(column).collect();
        }
        match columns.iter().position(|column| column.shows == shows) {
            Some(at) => drop(columns.remove(at)),
            None => {
                // The message takes what is left: it stays the last.
                let message = Shows::Values(Operand::Field(Field::Message));
                let end = columns.iter().position(|column| column.shows == message).unwrap_or(columns.len());
                columns.insert(end, Column::new(shows));
            }
        }
    }

    /// Makes the selected one a facet, or takes it out.
    fn toggle_facet(&mut self, shared: &mut Shared) {
        let Some(Shows::Values(of)) = self.current().map(|item| item.shows.clone()) else {
            shared.notify("it is of several fields; choose one of them");
            return;
        };
        let facets = &mut shared.layout.facets;
        if facets.is_empty() {
            *facets = Layout::FACETS.into_iter().map(Operand::Field).collect();
        }
        match facets.iter().position(|known| *known == of) {
            Some(at) => drop(facets.remove(at)),
            None => facets.push(of),
        }
    }
}

/// What is shown: the columns, then the facets that are none.
fn shown(shared: &Shared) -> Vec<Shows> {
    let mut all: Vec<Shows> = shared.layout.columns.iter().map(|column| column.shows.clone()).collect();
    for of in &shared.layout.facets {
        let shows = Shows::Values(of.clone());
        if !all.contains(&shows) {
            all.push(shows);
        }
    }
    all
}

impl Screen for Fields {
    fn name(&self) -> &'static str {
        "fields"
    }

    fn actions(&self) -> Vec<Action> {
        let own = [
            Action::OPEN,
            Action::LEFT,
            Action::RIGHT,
            Action::CLEAR_FILTER,
            FACET,
            NARROWER,
            WIDER,
            USUAL,
            Action::BACK,
        ];
        [&Lines::ACTIONS[..], &own].concat()
    }

    fn context(&self) -> Option<Context> {
        Some(Context("fields"))
    }

    fn hints(&self) -> &'static [Hint] {
        &[
            Hint(Action::BACK, "done"),
            Hint(Action::OPEN, "column"),
            Hint(FACET, "facet"),
            Hint(Action::LEFT, "move"),
            Hint(Action::RIGHT, "move"),
            Hint(NARROWER, "width"),
            Hint(WIDER, "width"),
            Hint(USUAL, "as usual"),
        ]
    }

    fn types(&self, letter: char) -> bool {
        letter.is_alphanumeric() || "._-@[]*".contains(letter)
    }

    fn field(&mut self) -> Option<&mut TextField> {
        Some(&mut self.field)
    }

    fn edited(&mut self, _changed: bool, shared: &mut Shared) -> Vec<Effect> {
        self.line = Lines(0);
        self.list(shared);
        self.line = Lines(0);
        Vec::new()
    }

    fn line(&mut self) -> Option<&mut usize> {
        Some(&mut self.line.0)
    }

    fn handle(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        if self.line.moved(action, self.listed.len()) {
            return Some(Vec::new());
        }
        match action {
            Action::BACK => {
                shared.ask(Request::Close);
                shared.ask(Request::Remember);
                return Some(Vec::new());
            }
            Action::CLEAR_FILTER => {
                // The key that empties a filter takes back a letter of what is typed.
                let mut text = self.field.text().to_owned();
                text.pop();
                self.field = TextField::new(&text);
                return Some(self.edited(true, shared));
            }
            Action::OPEN => self.toggle_column(shared),
            FACET => self.toggle_facet(shared),
            USUAL => shared.layout = Layout::default(),
            Action::LEFT | Action::RIGHT => {
                let at = self.column(shared)?;
                let to = if action == Action::LEFT { at.checked_sub(1)? } else { at + 1 };
                if to >= shared.layout.columns.len() {
                    return None;
                }
                shared.layout.columns.swap(at, to);
            }
            NARROWER | WIDER => {
                let at = self.column(shared)?;
                let column = &mut shared.layout.columns[at];
                let now = column.width.or_else(|| column.shows.usual_width()).unwrap_or(30);
                column.resize(now, action == WIDER);
            }
            _ => return None,
        }
        self.list(shared);
        shared.ask(Request::LayOut);
        Some(Vec::new())
    }

    fn opened(&mut self, shared: &mut Shared) -> Vec<Effect> {
        (self.field, self.line) = (TextField::default(), Lines::default());
        self.look(shared)
    }

    fn reply(&mut self, ticket: Ticket, reply: Reply, shared: &mut Shared) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Paths(sample) if ticket == self.ticket => {
                if let Some(problem) = &sample.problem {
                    shared.notify(format!("some payloads could not be looked at: {problem}"));
                }
                self.take(*sample, shared);
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    fn view(&self, shared: &Shared, canvas: &mut Canvas<'_>) {
        view::render(self, shared, canvas);
    }
}
