//! The operations that have failed at least once, in words.

use super::Shared;
use crate::tui::text::{count, entity_text, left, safe, width};
use crosstail_core::model::FinalOutcome;
use crosstail_engine::store::{Affected, Row};

/// How many operations of a system or a view ended in which way: `SAP since 19:30:30 · 93 operations: 41 given up · 12 waiting
/// · 40 recovered`; `None` where nothing has failed.
pub(in crate::screens) fn outcomes_of(affected: &Affected, shared: &Shared) -> Option<String> {
    let since = shared.local(affected.since?);
    let today = since.date_naive() == shared.local(shared.now).date_naive();
    let since = since.format(if today { "%H:%M:%S" } else { "%m-%d %H:%M" });
    Some(outcomes_since(affected, &since.to_string(), shared))
}

/// The same, with when the first of them failed as it is to be said.
pub(in crate::screens) fn outcomes_since(affected: &Affected, since: &str, shared: &Shared) -> String {
    let whose =
        affected.system.map(|system| format!("{} ", safe(shared.store.symbols().get(system)))).unwrap_or_default();
    let (counts, lone) = (affected.counts(), affected.lone());
    // What is lost first.
    let ends = [
        (counts[1], "given up"),
        (counts[2], "waiting"),
        (counts[3], "trying again"),
        (counts[0], "recovered"),
        (lone, "not retried"),
        (counts[4], "not known"),
    ];
    let ends = ends.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", count(n)));
    let all = match affected.operations.len() {
        1 => "1 operation".to_owned(),
        n => format!("{} operations", count(n)),
    };
    format!("{whose}since {since} · {all}: {}", ends.collect::<Vec<_>>().join(" · "))
}

/// The operations of some rows that have failed, a line each in aligned columns: entity, what became of it, its first failure,
/// number of failed tries, the last reason, and the id of the last try. `None` where nothing has failed.
pub(in crate::screens) fn affected_lines(shared: &Shared, rows: &[Row]) -> Option<String> {
    let store = &shared.store;
    let affected = store.affected(rows);
    if affected.operations.is_empty() {
        return None;
    }
    let mut lines = vec![["entity", "in the end", "since", "failed", "id", "last reason"].map(str::to_owned)];
    for operation in &affected.operations {
        let last = store.get(operation.last);
        let text = |text: &Option<compact_str::CompactString>| text.as_deref().map(safe);
        let entity = last.entity.as_deref().map(entity_text).or_else(|| text(&last.endpoint)).unwrap_or_default();
        let became = match operation.outcome {
            Some(FinalOutcome::Waiting(at)) => format!("waiting, next {}", at.rfc3339()),
            Some(FinalOutcome::Unknown) => "not known".to_owned(),
            Some(outcome) => outcome.name().replace('_', " "),
            None => "not retried".to_owned(),
        };
        let code = last.http_status.map(|code| format!("{code} ")).unwrap_or_default();
        let reason = text(&last.error).or_else(|| text(&last.message)).unwrap_or_default();
        let since = store.started(operation.first).rfc3339();
        lines.push([
            entity,
            became,
            since,
            operation.failed.to_string(),
            last.id.to_string(),
            format!("{code}{reason}"),
        ]);
    }
    let widest = |column: usize| lines.iter().map(|line| width(&line[column])).max().unwrap_or(0);
    let widths: [u16; 6] = std::array::from_fn(widest);
    let line = |cells: &[String; 6]| {
        let cells: Vec<String> = cells.iter().zip(widths).map(|(cell, columns)| left(cell, columns)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    Some(lines.iter().map(line).collect::<Vec<_>>().join("\n"))
}
