//! The names of MySQL, and the DDL of the built-in schemas.

use crosstail_core::schema::StoreKind;
use crosstail_source::create::{Definition, Form, text_of};

/// Its name in schemas and addresses.
pub(crate) const STORE: StoreKind = StoreKind { name: "mysql", is_database: true };

/// Its name in text for people.
pub(crate) const TITLE: &str = "MySQL";

/// The built-in schemas that have DDL for it.
pub(crate) const DEFINITIONS: &[Definition] = &[
    Definition {
        schema: "integration-activity",
        form: Form::Sql,
        text: include_str!("../../../../config/ddl/integration-activity.mysql.sql"),
    },
    Definition {
        schema: "log-tracking",
        form: Form::Sql,
        text: include_str!("../../../../config/ddl/log-tracking.mysql.sql"),
    },
];

/// The DDL of a schema; an error where the schema has none.
pub(crate) fn text(schema: &str) -> anyhow::Result<&'static str> {
    text_of(TITLE, DEFINITIONS, schema)
}
