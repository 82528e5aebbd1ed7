//! Finds the places of values in JSON text. The text must be valid JSON: nothing is checked and nothing is built.

use memchr::memchr2;
use std::ops::Range;

/// A value inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Child {
    /// The byte range of its key without quotes, as written; `None` in an array.
    pub(super) key: Option<Range<usize>>,
    /// The byte range of the value.
    pub(super) span: Range<usize>,
    /// The number of values directly inside it.
    pub(super) count: usize,
}

/// Calls `take` with each value directly inside the object or array at `span`, until `take` returns false.
pub(super) fn children(text: &str, span: &Range<usize>, mut take: impl FnMut(Child) -> bool) {
    let bytes = text.as_bytes();
    let is_object = bytes.get(span.start) == Some(&b'{');
    let mut at = space(bytes, span.start + 1);
    while at + 1 < span.end {
        let key = is_object.then(|| {
            let end = string_end(bytes, at);
            let key = at + 1..end - 1;
            at = space(bytes, space(bytes, end) + 1);
            key
        });
        let (end, count) = value_end(bytes, at);
        if end <= at || !take(Child { key, span: at..end, count }) {
            return;
        }
        at = space(bytes, space(bytes, end) + 1);
    }
}

/// The value at the start of a text, without surrounding white space. It has no key.
pub(super) fn value(text: &str) -> Child {
    let start = space(text.as_bytes(), 0);
    let (end, count) = value_end(text.as_bytes(), start);
    Child { key: None, span: start..end, count }
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// The byte after the closing quote of the string that starts at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        match bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            Some(found) if bytes[at + found] == b'"' => return at + found + 1,
            Some(found) => at += found + 2,
            None => return bytes.len(),
        }
    }
}

/// The end of the value at `at`, and the number of values directly inside it, in one pass.
fn value_end(bytes: &[u8], at: usize) -> (usize, usize) {
    match bytes.get(at) {
        Some(b'"') => (string_end(bytes, at), 0),
        Some(b'{' | b'[') => {
            let is_empty = matches!(bytes.get(space(bytes, at + 1)), Some(b'}' | b']'));
            let (mut at, mut depth, mut commas) = (at, 0usize, 0);
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at = string_end(bytes, at);
                        continue;
                    }
                    b',' => commas += usize::from(depth == 1),
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return (at + 1, if is_empty { 0 } else { commas + 1 });
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            (bytes.len(), commas + 1)
        }
        _ => {
            let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
            (bytes.get(at..).and_then(|rest| rest.iter().position(ends)).map_or(bytes.len(), |n| at + n), 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::arbitrary::any_json;
    use proptest::prelude::*;
    use serde_json::Value;

    fn rebuilt(text: &str, value: &Child) -> Value {
        let span = &value.span;
        match text.as_bytes()[span.start] {
            b'{' => {
                let mut map = serde_json::Map::new();
                let mut n = 0;
                children(text, span, |inner| {
                    let key = &text[inner.key.clone().expect("a key")];
                    let key: String = serde_json::from_str(&format!("\"{key}\"")).expect("key");
                    map.insert(key, rebuilt(text, &inner));
                    n += 1;
                    true
                });
                assert_eq!(n, value.count);
                Value::Object(map)
            }
            b'[' => {
                let mut list = Vec::new();
                children(text, span, |inner| {
                    list.push(rebuilt(text, &inner));
                    true
                });
                assert_eq!(list.len(), value.count);
                Value::Array(list)
            }
            _ => serde_json::from_str(&text[span.clone()]).expect("a scalar"),
        }
    }

    proptest! {
        #[test]
        fn the_spans_are_the_values(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { format!(" {}\n", serde_json::to_string_pretty(&value).expect("text")) } else { value.to_string() };
            let expected: Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(rebuilt(&text, &super::value(&text)), expected);
        }
    }
}
