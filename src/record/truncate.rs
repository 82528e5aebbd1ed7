//! Bodies over 1 MB are cut, and say so.

use serde_json::{Value, json};

/// The most bytes of a body that are stored.
pub const MAX_BODY_BYTES: usize = 1_000_000;

/// The body as text. One over [`MAX_BODY_BYTES`] becomes an object with the beginning of it, its size and where the
/// whole is kept, which readers show as what it is.
pub fn truncate_body(body: &Value, reference: &str) -> String {
    let text = match body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.len() <= MAX_BODY_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_BODY_BYTES);
    json!({
        "_truncated": { "original_bytes": text.len(), "stored_bytes": end, "reference": reference },
        "preview": &text[..end],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Body;

    #[test]
    fn a_large_body_is_cut_and_says_so() {
        let body = Value::String("ä".repeat(600_000));
        let stored = Body::from_text(truncate_body(&body, "s3://payloads/1"));
        let cut = stored.truncation.expect("marked");
        assert_eq!(cut.original_bytes, 1_200_000);
        assert_eq!(cut.reference.as_deref(), Some("s3://payloads/1"));
        assert_eq!(truncate_body(&json!({"a": 1}), ""), "{\"a\":1}");
    }
}
