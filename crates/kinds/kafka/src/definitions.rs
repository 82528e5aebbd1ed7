//! The names of Kafka, and the topics of the built-in schemas.

use crosstail_core::schema::StoreKind;
use crosstail_source::create::{Definition, Form, text_of};
use serde_json::Value;

/// Its name in schemas and addresses.
pub(crate) const STORE: StoreKind = StoreKind { name: "kafka", is_database: false };

/// Its name in text for people.
pub(crate) const TITLE: &str = "Kafka";

/// The built-in schemas that have topics.
pub(crate) const DEFINITIONS: &[Definition] = &[Definition {
    schema: "engineering-logs",
    form: Form::Properties(topics_as_properties),
    text: include_str!("../../../../config/ddl/engineering-logs.kafka.json"),
}];

/// The topics of a schema, as text; an error where the schema has none.
pub(crate) fn text(schema: &str) -> anyhow::Result<&'static str> {
    text_of(TITLE, DEFINITIONS, schema)
}

/// The topics of a schema as properties, which Kafka's own tools accept: one block per topic.
fn topics_as_properties(text: &str) -> anyhow::Result<String> {
    let defined: Value = serde_json::from_str(text)?;
    let mut out = String::new();
    for topic in defined["topics"].as_array().into_iter().flatten() {
        let name = topic["topic"].as_str().unwrap_or_default();
        out.push_str(&format!("# kafka-topics --create --topic {name}\n"));
        for key in ["topic", "partitions", "replication_factor"] {
            let value = topic[key].as_str().map_or_else(|| topic[key].to_string(), str::to_owned);
            out.push_str(&format!("{}={value}\n", key.replace('_', ".")));
        }
        for (key, value) in topic["config"].as_object().into_iter().flatten() {
            out.push_str(&format!("{key}={}\n", value.as_str().unwrap_or_default()));
        }
        out.push('\n');
    }
    Ok(out.trim_end().to_owned() + "\n")
}
