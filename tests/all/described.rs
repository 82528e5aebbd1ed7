//! The pages' tables of what a file may have, made from its JSON Schema.

use crate::book::read;
use serde_json::Value;

/// What a value of a file is, in the words of its JSON Schema.
fn value_of(schema: &Value, value: &Value) -> String {
    if let Some(path) = value["$ref"].as_str() {
        let inner = schema.pointer(path.trim_start_matches('#'));
        return value_of(schema, inner.unwrap_or_else(|| panic!("{path}")));
    }
    if let Some(words) = value["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", word.as_str().expect("a word"))).collect::<Vec<_>>().join(", ");
    }
    if let Some(word) = value["const"].as_str() {
        return format!("`{word}`");
    }
    let choices = ["allOf", "anyOf", "oneOf"].iter().find_map(|name| value[*name].as_array());
    if let Some(choices) = choices {
        return choices.iter().map(|choice| value_of(schema, choice)).collect::<Vec<_>>().join(" or ");
    }
    match value["type"].as_str().expect("a type") {
        "array" => format!("list of {}", value_of(schema, &value["items"])),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => value["minimum"].as_u64().map_or("number".to_owned(), |least| format!("number from {least}")),
        "string" => "text".to_owned(),
        other => other.replace("object", "table"),
    }
}

/// A table of what a part of a file may have, and behind it those of its own parts.
fn describe(schema: &Value, part: &Value, name: &str, lines: &mut Vec<String>) {
    let defaults: toml::Table = toml::from_str(&read("config/default.toml")).expect("defaults");
    lines.extend(["| key | value | default | what it is |", "| --- | --- | --- | --- |"].map(str::to_owned));
    let mut parts = Vec::new();
    for (key, value) in part["properties"].as_object().expect("keys") {
        let about = value["description"].as_str().unwrap_or_default().replace('|', "\\|").replace('\n', " ");
        let path = ["/items/$ref", "/allOf/0/$ref"].iter().find_map(|at| value.pointer(at)?.as_str());
        let inner = path.and_then(|path| schema.pointer(path.trim_start_matches('#')));
        if let Some(inner) = inner.filter(|inner| inner["properties"].is_object()) {
            let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            let heading = if value["type"] == "array" { format!("[[{path}]]") } else { format!("[{path}]") };
            parts.push((path, heading, about, inner));
            continue;
        }
        let is_needed = part["required"].as_array().is_some_and(|keys| keys.iter().any(|needed| needed == key));
        let default = match (value.get("default"), defaults.get(key)) {
            (Some(default), _) => format!("`{default}`"),
            (None, Some(default)) if name.is_empty() => format!("`{default}`"),
            _ if is_needed => "needed".to_owned(),
            _ => String::new(),
        };
        lines.push(format!("| `{key}` | {} | {default} | {about} |", value_of(schema, value)));
    }
    for (path, heading, about, inner) in parts {
        lines.push(format!("\n**`{heading}`** {about}\n"));
        describe(schema, inner, &path, lines);
    }
}

/// Every key of a file, by its JSON Schema.
pub fn every_key(file: &str) -> String {
    let schema: Value = serde_json::from_str(&read(file)).expect(file);
    let mut lines = Vec::new();
    describe(&schema, &schema, "", &mut lines);
    lines.join("\n")
}
