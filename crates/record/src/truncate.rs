//! Bodies over 1 MB are truncated, and marked as that.

use serde_json::{Value, json};

/// The most bytes of a body that are stored, as text in UTF-8: 1 MB.
pub const MAX_BODY_BYTES: usize = 1_000_000;

/// A body as it may be stored. One that is over [`MAX_BODY_BYTES`] as text becomes an object with its start
/// (`preview`), its size and a reference to the full body (`_truncated`), which crosstail shows as a truncated body.
pub fn truncate_body(body: Value, reference: &str) -> Value {
    if length(&body) <= MAX_BODY_BYTES {
        return body;
    }
    let text = body_text(body);
    let end = text.floor_char_boundary(MAX_BODY_BYTES);
    json!({
        "_truncated": { "original_bytes": text.len(), "stored_bytes": end, "reference": reference },
        "preview": &text[..end],
    })
}

/// A body as text: JSON, unless it is text already.
pub(super) fn body_text(body: Value) -> String {
    match body {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// How many bytes a body has as text.
fn length(body: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    if let Value::String(text) = body {
        return text.len();
    }
    let mut count = Count(0);
    // Nothing of a value cannot be written, and counting does not fail.
    let _ = serde_json::to_writer(&mut count, body);
    count.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::Body;

    #[test]
    fn a_large_body_is_cut_and_says_so() {
        let body = Value::String("ä".repeat(600_000));
        let stored = Body::from_text(body_text(truncate_body(body, "s3://payloads/1")));
        let cut = stored.truncation.expect("marked");
        assert_eq!(cut.original_bytes, 1_200_000);
        assert_eq!(cut.reference.as_deref(), Some("s3://payloads/1"));
        assert_eq!(truncate_body(json!({"a": 1}), ""), json!({"a": 1}));
        let list = json!([true, null, "ä", 1.5]);
        assert_eq!(length(&list), list.to_string().len());
        assert_eq!(body_text(list), "[true,null,\"ä\",1.5]");
    }
}
