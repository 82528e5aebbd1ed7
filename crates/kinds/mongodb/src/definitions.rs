//! The names of MongoDB, and the definitions of the built-in schemas.

use crosstail_core::schema::StoreKind;
use crosstail_source::create::{Definition, Form, text_of};

/// Its name in schemas and addresses.
pub(crate) const STORE: StoreKind = StoreKind { name: "mongodb", is_database: true };

/// Its name in text for people.
pub(crate) const TITLE: &str = "MongoDB";

/// The built-in schemas that have definitions for it.
pub(crate) const DEFINITIONS: &[Definition] = &[Definition {
    schema: "prokure",
    form: Form::Json,
    text: include_str!("../../../../config/ddl/prokure.mongodb.json"),
}];

/// The definitions of a schema, as text; an error where the schema has none.
pub(crate) fn text(schema: &str) -> anyhow::Result<&'static str> {
    text_of(TITLE, DEFINITIONS, schema)
}
