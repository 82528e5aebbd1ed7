//! A payload as lines: headers and bodies as foldable trees, laid out only as far as they are unfolded.

use crate::filter::quote;
use crate::model::{Payload, REDACTED, is_sensitive_name, redact_text};
use serde_json::Value;
use std::collections::HashSet;

/// The parts that a tree can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Request headers and body.
    Request,
    /// Response headers and body.
    Response,
    /// Metadata.
    Metadata,
}

/// One line of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Path as filters write it: `req.body.lines[3].sku`.
    pub path: String,
    /// Depth.
    pub depth: usize,
    /// Key or index; empty at the root.
    pub key: String,
    /// Value of a leaf, or a summary of a container (`{3}`, `[12]`).
    pub value: String,
    /// `Some(folded)` for a container with something in it.
    pub folded: Option<bool>,
    /// Text, number, truth value or null: how it is coloured.
    pub kind: char,
    /// The value is hidden.
    pub redacted: bool,
    /// What a mapping says of it.
    pub note: Option<String>,
}

/// What is unfolded, selected and searched.
#[derive(Debug, Clone, Default)]
pub struct TreeState {
    /// Paths whose fold is not what it is at first.
    pub toggled: HashSet<String>,
    /// Paths whose secret is shown.
    pub revealed: HashSet<String>,
    /// Selected line.
    pub selected: usize,
}

/// A payload laid out as lines.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The lines.
    pub lines: Vec<Line>,
}

/// Containers deeper than this, or with more entries than this, are folded at first.
const OPEN_DEPTH: usize = 3;
const OPEN_ENTRIES: usize = 200;

impl Tree {
    /// Lays out a part.
    pub fn build(payload: &Payload, part: Part, state: &TreeState) -> Self {
        let mut tree = Self::default();
        match part {
            Part::Request | Part::Response => {
                let (prefix, side) =
                    if part == Part::Request { ("req", &payload.request) } else { ("res", &payload.response) };
                if let Some(body) = &side.body {
                    let title = match &body.truncation {
                        Some(cut) => format!(
                            "body  {} of {} kept{}",
                            bytes(body.bytes as u64),
                            bytes(cut.original_bytes),
                            cut.reference.as_ref().map(|r| format!(", whole at {r}")).unwrap_or_default()
                        ),
                        None => format!("body  {}", bytes(body.bytes as u64)),
                    };
                    tree.root(&format!("{prefix}.body"), &title, &body.value, state);
                }
                if let Some(headers) = &side.headers {
                    tree.root(&format!("{prefix}.header"), "headers", headers, state);
                }
            }
            Part::Metadata => {
                if !payload.metadata.is_empty() {
                    tree.root("meta", "metadata", &Value::Object(payload.metadata.clone()), state);
                }
            }
        }
        tree
    }

    fn root(&mut self, path: &str, title: &str, value: &Value, state: &TreeState) {
        self.add(path, title, value, 0, false, state);
    }

    fn add(&mut self, path: &str, key: &str, value: &Value, depth: usize, secret: bool, state: &TreeState) {
        let entries = match value {
            Value::Object(map) => map.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        if entries == 0 {
            self.lines.push(leaf(path, key, value, depth, secret, state));
            return;
        }
        let folded_at_first = depth >= OPEN_DEPTH || entries > OPEN_ENTRIES;
        let folded = folded_at_first != state.toggled.contains(path);
        let summary = if value.is_object() { format!("{{{entries}}}") } else { format!("[{entries}]") };
        self.lines.push(Line {
            path: path.to_owned(),
            depth,
            key: key.to_owned(),
            value: summary,
            folded: Some(folded),
            kind: '{',
            redacted: false,
            note: None,
        });
        if folded {
            return;
        }
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    let secret = secret || is_sensitive_name(name);
                    self.add(&format!("{path}.{name}"), name, inner, depth + 1, secret, state);
                }
            }
            Value::Array(list) => {
                for (index, inner) in list.iter().enumerate() {
                    self.add(&format!("{path}[{index}]"), &format!("[{index}]"), inner, depth + 1, secret, state);
                }
            }
            _ => {}
        }
    }

    /// Lines whose key or value holds a text, without case.
    pub fn matches(&self, text: &str) -> Vec<usize> {
        let text = text.to_lowercase();
        let found = |line: &Line| line.key.to_lowercase().contains(&text) || line.value.to_lowercase().contains(&text);
        if text.is_empty() {
            Vec::new()
        } else {
            self.lines.iter().enumerate().filter(|(_, l)| found(l)).map(|(i, _)| i).collect()
        }
    }
}

fn leaf(path: &str, key: &str, value: &Value, depth: usize, secret: bool, state: &TreeState) -> Line {
    let (text, kind) = match value {
        Value::String(text) => (text.clone(), '"'),
        Value::Number(n) => (n.to_string(), '0'),
        Value::Bool(b) => (b.to_string(), 't'),
        Value::Null => ("null".to_owned(), 'n'),
        Value::Object(_) => ("{}".to_owned(), '{'),
        Value::Array(_) => ("[]".to_owned(), '{'),
    };
    let shown = state.revealed.contains(path);
    let hidden = if secret && !value.is_null() {
        let scheme = text
            .split_once(' ')
            .map(|(scheme, _)| scheme)
            .filter(|s| ["bearer", "basic"].contains(&s.to_lowercase().as_str()));
        scheme.map_or_else(|| REDACTED.to_owned(), |scheme| format!("{scheme} {REDACTED}"))
    } else {
        redact_text(&text).into_owned()
    };
    let redacted = hidden != text;
    Line {
        path: path.to_owned(),
        depth,
        key: key.to_owned(),
        value: if shown { text } else { hidden },
        folded: None,
        kind,
        redacted: redacted && !shown,
        note: None,
    }
}

impl Line {
    /// The clause that keeps activities with this value.
    pub fn clause(&self) -> Option<String> {
        (self.folded.is_none() && !self.redacted && !self.path.contains(' '))
            .then(|| format!("{}:{}", self.path, quote(&self.value)))
    }
}

/// A size for people.
fn bytes(n: u64) -> String {
    match n {
        0..1000 => format!("{n} B"),
        1000..1_000_000 => format!("{:.1} KB", n as f64 / 1e3),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Body;
    use serde_json::json;

    #[test]
    fn folds_hide_and_secrets_stay_hidden() {
        let mut payload = Payload::default();
        payload.request.body = Some(Body::from_value(json!({"a": {"b": [1, 2]}, "token": "abc"}), 20));
        let mut state = TreeState::default();
        let tree = Tree::build(&payload, Part::Request, &state);
        let keys: Vec<_> = tree.lines.iter().map(|l| (l.path.as_str(), l.value.as_str())).collect();
        assert_eq!(keys[0], ("req.body", "{2}"));
        assert!(keys.contains(&("req.body.token", "[REDACTED]")));
        assert_eq!(tree.lines.iter().filter(|l| l.path.starts_with("req.body.a.b[")).count(), 2);
        state.toggled.insert("req.body.a".to_owned());
        state.revealed.insert("req.body.token".to_owned());
        let tree = Tree::build(&payload, Part::Request, &state);
        assert_eq!(tree.lines.len(), 3);
        assert_eq!(tree.lines[2].value, "abc");
        assert_eq!(tree.lines[2].clause().as_deref(), Some("req.body.token:abc"));
    }
}
