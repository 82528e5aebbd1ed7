//! Lines as Loki's API gives them: streams, each with its labels and the lines that have them.

use serde_json::{Map, Value};

/// The records of a stream, as `logcli` prints them; `None` where the value is no stream.
pub(crate) fn lines(stream: &Value) -> Option<Vec<Map<String, Value>>> {
    let labels = stream.get("stream").filter(|labels| labels.is_object())?;
    let record = |entry: &Value| -> Option<Map<String, Value>> {
        let [time, line, ..] = entry.as_array()?.as_slice() else { return None };
        let fields = [("timestamp", time), ("labels", labels), ("line", line)];
        Some(fields.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect())
    };
    stream.get("values")?.as_array()?.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_line_of_a_stream_has_its_labels() {
        let stream = json!({"stream": {"app": "pay"}, "values": [["1", "a"], ["2", "b", {"trace": "t"}]]});
        let found = lines(&stream).expect("a stream");
        assert_eq!(
            serde_json::to_value(&found).expect("JSON"),
            json!([
                {"timestamp": "1", "labels": {"app": "pay"}, "line": "a"},
                {"timestamp": "2", "labels": {"app": "pay"}, "line": "b"},
            ])
        );
        // What Loki counts is no line.
        assert!(lines(&json!({"metric": {"app": "pay"}, "values": [[1, "7"]]})).is_none());
        assert!(lines(&json!({"stream": {}, "values": [7]})).is_none());
    }
}
