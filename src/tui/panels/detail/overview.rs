//! The overview: what, when, who, and how long against what is usual.

use super::text::paragraph;
use crate::app::{Detail, Load, State};
use crate::model::Latencies;
use crate::tui::text::{ago, duration, full_time, http_meaning, millis, safe};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Rows that "usual" is taken from.
const USUAL: usize = 20_000;

pub(super) fn render(state: &State, detail: &Detail, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let a = &detail.activity;
    let mut lines: Vec<(String, Style)> = Vec::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push((format!("{name:<13}{value}"), theme.text));
        }
    };
    let text = |t: &Option<compact_str::CompactString>| t.as_deref().map(safe);
    field("what", Some(format!("{} {}", a.kind, a.direction)));
    field("system", text(&a.system));
    field("message", text(&a.message));
    field(
        "error",
        match (&a.error_type, &a.error) {
            (Some(kind), Some(error)) => Some(format!("{}: {}", safe(kind), safe(error))),
            (kind, error) => text(error).or(text(kind)),
        },
    );
    field("http", a.http_status.map(|code| format!("{code} {}", http_meaning(code))));
    field(
        "started",
        Some(format!(
            "{}, {} ago{}",
            full_time(state, a.started_at),
            ago(state.now.since_us(a.started_at)),
            if a.exact_start { "" } else { " (derived)" }
        )),
    );
    field("ended", a.completed_at.map(|at| full_time(state, at)));
    field("took", a.took_us().map(|us| format!("{}{}", duration(us), usual(state, detail))));
    field(
        "next try",
        a.next_retry_at.map(|at| {
            let left = at.since_us(state.now);
            if left > 0 {
                format!("{}, in {}", full_time(state, at), ago(left))
            } else {
                format!("{}, {} ago", full_time(state, at), ago(-left))
            }
        }),
    );
    field("operation", text(&a.operation));
    field("entity", text(&a.entity));
    field("triggered by", text(&a.actor));
    field("request", a.request_id.as_ref().map(|id| safe(&id.to_string())));
    field("correlation", text(&a.correlation_id));
    field("parent", text(&a.parent_request_id));
    field("id", Some(safe(&a.id.to_string())));
    for place in &a.places {
        let source = state.store.names().source_name(place.source);
        field("in", Some(format!("{} ({})", safe(&place.label(state.store.names())), safe(&source))));
    }
    match &detail.payload {
        Load::Loaded(_) if !detail.tree.lines.is_empty() => {
            lines.push((String::new(), theme.text));
            for line in &detail.tree.lines {
                let indent = "  ".repeat(line.depth);
                lines.push((format!("{indent}{}  {}", safe(&line.key), safe(&line.value)), theme.dim));
            }
        }
        Load::Loading => lines.push(("loading the payload".to_owned(), theme.pending)),
        Load::Failed(problem) => lines.push((safe(problem), theme.failure)),
        Load::Loaded(_) => {}
    }
    paragraph(&lines, detail, area, buf);
}

/// Against the loaded activities of the same endpoint.
fn usual(state: &State, detail: &Detail) -> String {
    let a = &detail.activity;
    let Some(endpoint) = a.endpoint.as_deref() else { return String::new() };
    let store = &state.store;
    let rows = store.all_rows();
    let Some(system) = a.system.as_deref().and_then(|system| store.symbols().find(system)) else {
        return String::new();
    };
    let mut latencies = Latencies::default();
    let endpoint = store.symbols().find(endpoint);
    for row in rows
        .iter()
        .rev()
        .take(USUAL)
        .filter(|row| store.system(**row) == system && Some(store.endpoint(**row)) == endpoint)
    {
        store.took_us(*row).into_iter().for_each(|us| latencies.add(us));
    }
    if latencies.count() < 5 {
        return String::new();
    }
    format!("   usual here p50 {}, p95 {}", millis(latencies.quantile_ms(0.5)), millis(latencies.quantile_ms(0.95)))
}
