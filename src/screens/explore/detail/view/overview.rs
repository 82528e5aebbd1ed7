//! The overview: what, when, who, and how long compared with typical latencies.

use crate::screens::explore::detail::{Detail, Loadable};
use crate::screens::shared::Shared;
use crate::tui::Theme;
use crate::tui::paragraph::{Entry, entries};
use crate::tui::text::{about_system, ago, became, clock, day, duration, full_time, millis, safe};
use crosstail_core::model::{Activity, FinalOutcome};
use crosstail_core::number::saturating_u64;
use crosstail_engine::insight::{attempt, describe_mapping, stages, status_meaning};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Width of the names.
const NAMES: u16 = 13;

pub(super) fn render(shared: &Shared, detail: &Detail, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let a = &detail.activity;
    let mut lines: Vec<Entry> = Vec::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(text) = value.filter(|value| !value.is_empty()) {
            lines.push(Entry { name: name.to_owned(), text, style: theme.text });
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
    field(
        "http",
        a.http_status.map(|code| {
            let (name, meaning) = status_meaning(code);
            let meaning = if meaning.is_empty() { String::new() } else { format!(": {meaning}") };
            format!("{code} {name}{meaning}")
        }),
    );
    field(
        "started",
        Some(format!(
            "{}, {} ago{}",
            full_time(shared.zone, a.started_at),
            ago(shared.now.since_us(a.started_at)),
            match (a.exact_start, a.knows_its_time()) {
                (true, _) => "",
                (false, true) => " (derived)",
                (false, false) => " (guessed: the record has no time)",
            }
        )),
    );
    field("ended", a.completed_at.map(|at| full_time(shared.zone, at)));
    field("took", a.took_us().map(|us| format!("{}{}", duration(us), usual(detail))));
    explained(shared, detail, &mut field);
    field("operation", text(&a.operation));
    field("entity", text(&a.entity));
    field("triggered by", text(&a.actor));
    field("organisation", text(&a.organization));
    field("tags", text(&a.tags));
    field("cpu", a.cpu_percent.map(|cpu| format!("{cpu:.1} %")));
    field("memory", a.memory_mb.map(|mb| format!("{mb:.0} MB")));
    field("request", a.request_id.as_ref().map(|id| safe(&id.to_string())));
    field("correlation", text(&a.correlation_id));
    field("parent", text(&a.parent_request_id));
    // Said once where it is the request.
    field("id", (a.request_id.as_ref() != Some(&a.id)).then(|| safe(&a.id.to_string())));
    whereabouts(shared, a, &mut field);
    configuration(shared, detail, &mut lines, theme);
    metadata(detail, &mut lines, theme);
    entries(&lines, (NAMES, theme.dim), detail.scroll, area, buf);
}

/// The stores that the activity has reached, with the time each took, and those still missing.
fn whereabouts(shared: &Shared, a: &Activity, field: &mut impl FnMut(&str, Option<String>)) {
    let stages = stages(a, shared.store.names());
    for stage in &stages {
        let source = stage.source.as_deref().filter(|source| *source != stage.name);
        let of = source.map_or_else(String::new, |source| format!("  ({})", safe(source)));
        let when = match (stage.at, stage.after_us) {
            (Some(_), Some(us)) => format!("  +{}", duration(saturating_u64(us))),
            (Some(at), None) => format!("  {}", clock(shared.zone, at, day(shared.zone, shared.now))),
            (None, _) => String::new(),
        };
        match &stage.source {
            Some(_) => field("in", Some(format!("{}{when}{of}", safe(&stage.name)))),
            None => {
                let last = stages.iter().filter_map(|stage| stage.at).max();
                let since = last.map_or_else(String::new, |at| format!(" since {}", ago(shared.now.since_us(at))));
                field("not in", Some(format!("{}{since}", safe(&stage.name))));
            }
        }
    }
    for place in a.places.iter().filter(|_| stages.is_empty()) {
        let source = shared.store.names().source_name(place.source);
        let label = place.label(shared.store.names());
        let of = if *label == *source { String::new() } else { format!(" ({})", safe(&source)) };
        field("in", Some(safe(&label) + &of));
    }
}

/// A line without a name.
fn text(text: &str, style: Style) -> Entry {
    Entry { name: String::new(), text: text.to_owned(), style }
}

/// The metadata of the payload, or why it is not shown yet.
fn metadata(detail: &Detail, lines: &mut Vec<Entry>, theme: &Theme) {
    match &detail.opened {
        Loadable::Loaded(_) => {
            let about = (1..detail.metadata.len()).map(|index| detail.metadata.line(index));
            if !detail.metadata.is_empty() {
                lines.extend([text("", theme.text), text("metadata", theme.dim)]);
                lines.extend(about.map(|line| Entry {
                    name: format!("{}{}", "  ".repeat(line.depth), safe(&line.key)),
                    text: safe(&line.value),
                    style: theme.text,
                }));
            }
        }
        Loadable::Loading => lines.push(text("loading the payload", theme.pending)),
        Loadable::Failed(problem) => lines.push(text(&safe(problem), theme.failure)),
    }
}

/// What became of the operation, the number of the attempt, and the retry policy.
fn explained(shared: &Shared, detail: &Detail, field: &mut impl FnMut(&str, Option<String>)) {
    let a = &detail.activity;
    let policy = shared.policy(a);
    // Memory may hold all that a store could not say.
    let held = detail.row.filter(|row| shared.store.holds(*row)).and_then(|row| shared.store.final_outcome(row));
    let known = match detail.chain.outcome(policy.as_ref()) {
        Some(FinalOutcome::Unknown) => held.or(Some(FinalOutcome::Unknown)),
        known => known,
    };
    let became = known.map(|outcome| {
        let more = match outcome {
            FinalOutcome::Recovered { attempt, .. } => format!(" by try {attempt}"),
            FinalOutcome::Waiting(at) if at > shared.now => format!(", in {}", ago(at.since_us(shared.now))),
            FinalOutcome::Waiting(_) => ", and has not been seen".to_owned(),
            FinalOutcome::Unknown => ": another try may be where nothing could be searched".to_owned(),
            FinalOutcome::GivenUp | FinalOutcome::Running => String::new(),
        };
        became(outcome, shared.zone, shared.now) + &more
    });
    field("in the end", became);
    field("try", attempt(a, policy.as_ref()));
    field("policy", policy.map(|policy| policy.describe()));
}

/// What the stores' configuration says about the activity.
fn configuration(shared: &Shared, detail: &Detail, lines: &mut Vec<Entry>, theme: &Theme) {
    let a = &detail.activity;
    let mut add = |name: &str, value: String| {
        lines.push(Entry { name: name.to_owned(), text: safe(&value), style: theme.text });
    };
    if let Some(system) = a.system.as_deref().and_then(|system| shared.system_entry(system)) {
        add("system is", about_system(shared.now, system));
    }
    if let Some(entry) = shared.endpoint_entry(a) {
        let of = |facts: &[&str]| facts.iter().filter_map(|fact| entry.text(fact)).collect::<Vec<_>>().join(" ");
        add("endpoint is", of(&["code", "name", "method", "path", "url"]));
        for (name, fact) in [
            ("rate limit", "rate_limit"),
            ("conditions", "conditions"),
            ("query", "query"),
            ("request is", "request_schema"),
            ("response is", "response_schema"),
        ] {
            if let Some(text) = entry.text(fact) {
                add(name, text);
            }
        }
    }
    for entry in &detail.explained.mappings {
        let fact = |name| entry.text(name).unwrap_or_default();
        let note = describe_mapping(entry, &fact("external")).unwrap_or_default();
        add("mapping", format!("{} → {note}", fact("external")));
    }
    for transformed in &detail.explained.transforms {
        lines.extend([text("", theme.text), text(&format!("{} transform (JSONata)", transformed.name), theme.dim)]);
        let expression = safe(&crosstail_core::model::redact_text(&transformed.expression));
        lines.extend(expression.lines().map(|line| text(&format!("  {line}"), theme.text)));
        match &transformed.result {
            Ok(value) => {
                let made = serde_json::to_string_pretty(&crosstail_core::model::redact_json(value)).unwrap_or_default();
                lines.push(text("makes of this body", theme.dim));
                lines.extend(made.lines().map(|line| text(&format!("  {}", safe(line)), theme.json_text)));
            }
            Err(problem) => {
                lines.push(text(&format!("cannot be evaluated on this body: {}", safe(problem)), theme.warning));
            }
        }
    }
}

/// Typical latencies of the same endpoint's activities in memory.
fn usual(detail: &Detail) -> String {
    let said = |(p50, p95)| format!("   usual here p50 {}, p95 {}", millis(Some(p50)), millis(Some(p95)));
    detail.typical_latency.usual_ms().map(said).unwrap_or_default()
}
