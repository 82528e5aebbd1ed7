//! Creates what a schema defines in a store (tables, views, functions, collections, indexes, templates, policies,
//! topics) where it is missing. A plan shows the state of each object and the statements; applying it is a second step.

use anyhow::Context as _;
use async_trait::async_trait;
use crosstail_core::schema::Schema;

/// The DDL of a built-in schema for a kind of store.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Name of the schema.
    pub schema: &'static str,
    /// The format of `text`.
    pub form: Form,
    /// The content of a file under `config/ddl`.
    pub text: &'static str,
}

/// The format of a definition.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// SQL statements.
    Sql,
    /// JSON of requests to the store.
    Json,
    /// JSON, which the function converts to properties for people.
    Properties(fn(&str) -> anyhow::Result<String>),
}

/// Creates objects in one store.
#[async_trait]
pub trait Creator: Send + Sync {
    /// Lists what a schema defines, with the state of each object. With `notify`: only the trigger that wakes a
    /// follower. Does not write.
    async fn plan(&self, schema: &Schema, notify: bool) -> anyhow::Result<Plan>;

    /// Creates and changes what is due in a plan. Other objects do not change.
    async fn apply(&self, plan: &Plan) -> anyhow::Result<()>;
}

/// The text of a schema's definition. `title` is the name of the kind of store, for the error.
///
/// # Errors
/// If there is no definition for the schema; names the schemas that have one.
pub fn text_of(title: &str, definitions: &'static [Definition], schema: &str) -> anyhow::Result<&'static str> {
    definitions.iter().find(|definition| definition.schema == schema).map(|definition| definition.text).with_context(
        || {
            let known: Vec<&str> = definitions.iter().map(|definition| definition.schema).collect();
            format!("schema {schema} defines nothing in {title}; these do: {}", known.join(", "))
        },
    )
}

/// The state of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemState {
    /// It exists as defined.
    There,
    /// It is missing and will be created.
    Missing,
    /// It exists in another version and will be changed.
    Outdated,
    /// It exists and differs, and will not be changed; the text says how.
    Differs(String),
    /// The store cannot have it; the text says why.
    Impossible(String),
}

/// One object that a schema defines.
#[derive(Debug, Clone)]
pub struct Item {
    /// Type of the object: `table`, `index`, `topic` …
    pub object: &'static str,
    /// Name of the object in the store.
    pub name: String,
    /// Its present state.
    pub state: ItemState,
    /// The statement that creates it, for people: SQL, a command or a request.
    pub statement: String,
}

impl Item {
    /// Whether [`Creator::apply`] will create or change it.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, ItemState::Missing | ItemState::Outdated)
    }
}

/// What a schema defines in a store, with the state of each object.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The objects, in order of creation.
    pub items: Vec<Item>,
}

impl Plan {
    /// The objects that will be created or changed.
    pub fn pending(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_pending())
    }
}
