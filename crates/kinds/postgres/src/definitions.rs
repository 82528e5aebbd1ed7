//! The names of PostgreSQL, and the DDL of the built-in schemas.

use crosstail_core::schema::StoreKind;
use crosstail_source::create::{Definition, Form, text_of};

/// Its name in schemas and addresses.
pub(crate) const STORE: StoreKind = StoreKind { name: "postgres", is_database: true };

/// Its name in text for people.
pub(crate) const TITLE: &str = "PostgreSQL";

/// The built-in schemas that have DDL for it.
pub(crate) const DEFINITIONS: &[Definition] = &[
    Definition {
        schema: "prokure",
        form: Form::Sql,
        text: include_str!("../../../../config/ddl/prokure.postgres.sql"),
    },
    Definition {
        schema: "integration-activity",
        form: Form::Sql,
        text: include_str!("../../../../config/ddl/integration-activity.postgres.sql"),
    },
    Definition {
        schema: "log-tracking",
        form: Form::Sql,
        text: include_str!("../../../../config/ddl/log-tracking.postgres.sql"),
    },
    Definition {
        schema: "engineering-logs",
        form: Form::Sql,
        text: include_str!("../../../../config/ddl/engineering-logs.postgres.sql"),
    },
];

/// The DDL of a schema; an error where the schema has none.
pub(crate) fn text(schema: &str) -> anyhow::Result<&'static str> {
    text_of(TITLE, DEFINITIONS, schema)
}
