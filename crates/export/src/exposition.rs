//! Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>), with secrets redacted.

use crosstail_core::model::{redact_text, visible_line};
use std::fmt::Write as _;

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Starts a family of a `kind`: `gauge`, `counter` or `histogram`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Adds a sample of the family or of one of its parts (`_bucket`, `_sum`).
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}={}", if index == 0 { '{' } else { ',' }, quoted(text));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// The text of the page.
    pub fn text(self) -> String {
        self.0
    }
}

fn quoted(text: &str) -> String {
    let safe = visible_line(&redact_text(text)).into_owned();
    format!("\"{}\"", safe.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let mut page = Exposition::default();
        page.family("up", "gauge", "Whether.");
        page.sample("up", &[("a", "x\"y\\z"), ("b", "")], 1.0);
        page.sample("up", &[], 0.5);
        assert_eq!(page.text(), "# HELP up Whether.\n# TYPE up gauge\nup{a=\"x\\\"y\\\\z\",b=\"\"} 1\nup 0.5\n");
    }
}
