//! Creating what a schema defines in a store — tables, views, functions, collections, indexes, templates, policies, topics —
//! where it is missing: first a plan that says what is there and what would be run, then, when asked, its statements.

use crate::Kind;
use anyhow::Context as _;
use async_trait::async_trait;
use crosstail_core::schema::Schema;

/// What a built-in schema defines in a kind of store.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// The schema.
    pub schema: &'static str,
    /// How it is written.
    pub form: Form,
    /// SQL, or JSON.
    pub text: &'static str,
}

/// How a definition is written.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Statements.
    Sql,
    /// JSON of the store's own requests.
    Json,
    /// JSON; for people as properties, which this makes of it.
    Properties(fn(&str) -> anyhow::Result<String>),
}

/// Creates in one store.
#[async_trait]
pub trait Creator: Send + Sync {
    /// What a schema defines and how it stands there. With `notify`: only the trigger that wakes a follower. Nothing is
    /// written.
    async fn plan(&self, schema: &Schema, notify: bool) -> anyhow::Result<Plan>;

    /// Creates what a plan says is missing. What is there is left as it is.
    async fn apply(&self, plan: &Plan) -> anyhow::Result<()>;
}

impl Kind {
    /// What a schema defines in stores of this kind.
    pub fn definition(&self, schema: &str) -> Option<&'static Definition> {
        self.definitions.iter().find(|definition| definition.schema == schema)
    }

    /// The text of what a schema defines in stores of this kind.
    ///
    /// # Errors
    /// Where it defines nothing there; says which schemas do.
    pub fn defined(&self, schema: &str) -> anyhow::Result<&'static str> {
        self.definition(schema).map(|definition| definition.text).with_context(|| {
            let known: Vec<&str> = self.definitions.iter().map(|definition| definition.schema).collect();
            format!("schema {schema} has nothing to create in {}; {} have", self.title, known.join(", "))
        })
    }
}

/// How one thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemState {
    /// It is there, as it should be.
    There,
    /// It is missing, and would be created.
    Missing,
    /// It is there and is another one, and would be changed.
    Outdated,
    /// It is there and differs; it is left as it is.
    Differs(String),
    /// It cannot be there, and why.
    Impossible(String),
}

/// One thing that a schema defines.
#[derive(Debug, Clone)]
pub struct Item {
    /// What: `table`, `index`, `topic` …
    pub object: &'static str,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: ItemState,
    /// What creates it, for people: SQL, a command, a request.
    pub statement: String,
}

impl Item {
    /// Whether it would be created or changed.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, ItemState::Missing | ItemState::Outdated)
    }
}

/// What a schema defines in a store, and how it stands there.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order in which they are created.
    pub items: Vec<Item>,
}

impl Plan {
    /// What would be created or changed.
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_pending())
    }
}
