//! Answers within a budget of bytes: who asks pays for each.

use serde_json::{Map, Value, json};

/// How many characters of a text are kept, tried one after the other until the object fits.
const TEXTS: [usize; 4] = [4000, 1000, 250, 60];
/// How many items of a list are kept, likewise.
const ITEMS: [usize; 3] = [50, 10, 3];

/// What the note on left out names takes.
const NAMES: usize = 150;

/// An object without what says nothing: nulls and empty lists.
pub(super) fn compact(value: Value) -> Value {
    let says_something = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, compact(value)));
            Value::Object(fields.filter(|(_, value)| says_something(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(compact).collect()),
        other => other,
    }
}

/// As many rows as fit, from the first; a row that would fill the budget by itself is shortened. At least one is given.
pub(super) fn rows(rows: Vec<Value>, room: usize) -> Vec<Value> {
    let mut taken = 0;
    let mut kept = Vec::new();
    for row in rows {
        let row = object(row, room / 2);
        taken += size(&row) + 1;
        if taken > room && !kept.is_empty() {
            break;
        }
        kept.push(row);
    }
    kept
}

/// An object, with texts and lists shortened until it fits. What was left out is said in its place.
pub(super) fn object(value: Value, most_bytes: usize) -> Value {
    if size(&value) <= most_bytes {
        return value;
    }
    let mut short = value;
    for texts in TEXTS {
        short = shortened(short, texts, usize::MAX);
        if size(&short) <= most_bytes {
            return short;
        }
    }
    for items in ITEMS {
        short = shortened(short, TEXTS[TEXTS.len() - 1], items);
        if size(&short) <= most_bytes {
            return short;
        }
    }
    // An object of very many names: as many of them as fit.
    let Value::Object(fields) = short else { return json!("left out: too large") };
    let mut kept = Map::new();
    let (mut taken, mut left_out) = (NAMES, 0_usize);
    for (name, value) in fields {
        // A name stands in both copies, with its quotes, which are escaped in the text.
        taken += 2 * name.len() + size(&value) + 12;
        if taken <= most_bytes {
            kept.insert(name, value);
        } else {
            left_out += 1;
        }
    }
    kept.insert("left_out".to_owned(), json!(format!("{left_out} more names")));
    Value::Object(kept)
}

/// Bytes of a value in an answer: it has each value twice, as it is and as a text with its JSON, for clients that read only one.
pub(super) fn size(value: &Value) -> usize {
    let text = value.to_string();
    let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    2 * text.len() + escaped
}

fn shortened(value: Value, texts: usize, items: usize) -> Value {
    match value {
        Value::String(text) => {
            let count = text.chars().count();
            if count <= texts.saturating_add(30) {
                return Value::String(text);
            }
            let kept: String = text.chars().take(texts).collect();
            Value::String(format!("{kept}… ({} more characters)", count - texts))
        }
        Value::Array(all) => {
            let count = all.len();
            let mut kept: Vec<Value> = all.into_iter().take(items).map(|item| shortened(item, texts, items)).collect();
            if count > items {
                kept.push(json!(format!("… ({} more)", count - items)));
            }
            Value::Array(kept)
        }
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, shortened(value, texts, items))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_not_sent() {
        let value = json!({"id": "a", "error": null, "tags": [], "request": {"body": null}, "count": 0, "message": ""});
        assert_eq!(compact(value), json!({"id": "a", "count": 0, "message": ""}));
    }

    #[test]
    fn rows_end_where_the_budget_ends_and_there_is_always_one() {
        let all: Vec<Value> = (0..100).map(|n| json!({"n": n, "text": "x".repeat(80)})).collect();
        let kept = rows(all.clone(), 2000);
        assert!(kept.len() > 5 && kept.len() < 12, "{}", kept.len());
        assert_eq!(kept, all[..kept.len()]);
        assert_eq!(rows(all, 0).len(), 1);
    }

    #[test]
    fn a_large_object_is_shortened_where_it_is_large() {
        let value = json!({"id": "a", "body": "é".repeat(100_000), "chain": (0..1000).collect::<Vec<_>>()});
        let short = object(value, 2000);
        assert!(size(&short) <= 2000, "{}", size(&short));
        assert_eq!(short["id"], "a");
        let body = short["body"].as_str().expect("a text");
        assert!(body.starts_with("éééé") && body.ends_with("more characters)"), "{body}");
        let names: Map<String, Value> = (0..5000).map(|n| (format!("name{n}"), json!(n))).collect();
        let short = object(Value::Object(names), 2000);
        assert!(size(&short) <= 2000 && short["left_out"].as_str().is_some_and(|text| text.ends_with("more names")));
    }
}
