//! The names of Elasticsearch, and the definitions of the built-in schemas.

use crosstail_core::schema::StoreKind;
use crosstail_source::create::{Definition, Form, text_of};

/// Its name in schemas and addresses.
pub(crate) const STORE: StoreKind = StoreKind { name: "elasticsearch", is_database: false };

/// Its name in text for people.
pub(crate) const TITLE: &str = "Elasticsearch";

/// The built-in schemas that have definitions for it.
pub(crate) const DEFINITIONS: &[Definition] = &[
    Definition {
        schema: "halopsa",
        form: Form::Json,
        text: include_str!("../../../../config/ddl/halopsa.elasticsearch.json"),
    },
    Definition {
        schema: "engineering-logs",
        form: Form::Json,
        text: include_str!("../../../../config/ddl/engineering-logs.elasticsearch.json"),
    },
];

/// The definitions of a schema, as text; an error where the schema has none.
pub(crate) fn text(schema: &str) -> anyhow::Result<&'static str> {
    text_of(TITLE, DEFINITIONS, schema)
}
