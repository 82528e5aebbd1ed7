//! How it is drawn: a line an operation.

use super::Operations;
use crate::screens::shared::{Shared, outcomes_of};
use crate::tui::text::{became, day, entity_text, fit, left, put, put_all, right, safe, short_clock, what};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::model::FinalOutcome;

pub(super) fn render(screen: &Operations, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 2 {
        return;
    }
    let title = match outcomes_of(&screen.affected, shared) {
        Some(text) => format!(" {text}"),
        None => " no call or job in this view has failed".to_owned(),
    };
    put(canvas.buf, area.x, area.y, &fit(&title, area.width), area.width, theme.dim);
    let entity = (area.width / 5).clamp(12, 30);
    let outcome = if area.width < 90 { 21 } else { 24 };
    let does = if area.width < 100 { 0 } else { (area.width / 4).min(40) };
    let head = format!(
        " {} {} {} {}{}{}",
        left("entity", entity),
        left("in the end", outcome),
        left("since", 8),
        right("failed", 6),
        if does > 0 { format!("  {}", left("what", does)) } else { String::new() },
        "  last reason"
    );
    put(canvas.buf, area.x, area.y + 1, &head, area.width, theme.dim);
    let rows = area.height.saturating_sub(2);
    let first = (screen.line.0 + 1).saturating_sub(usize::from(rows));
    let today = day(shared.zone, shared.now);
    let (store, operations) = (&shared.store, screen.affected.operations.iter().enumerate());
    // What has been given up since is not drawn.
    let held =
        operations.skip(first).filter(|(_, operation)| store.holds(operation.first) && store.holds(operation.last));
    for (y, (index, operation)) in (area.y + 2..area.bottom()).zip(held) {
        let last = &store.get(operation.last);
        let name = last.entity.as_deref().map_or_else(|| what(last), entity_text);
        let style = match operation.outcome {
            Some(FinalOutcome::GivenUp) | None => theme.failure,
            Some(FinalOutcome::Waiting(_) | FinalOutcome::Running) => theme.pending,
            Some(FinalOutcome::Recovered { .. }) => theme.success,
        };
        let reason = last.error.as_deref().or(last.message.as_deref()).map(safe).unwrap_or_default();
        let code = last.http_status.map(|code| format!("{code} ")).unwrap_or_default();
        let rest = format!(
            " {} {}{}  {code}{reason}",
            left(&short_clock(shared.zone, store.started(operation.first), today), 8),
            right(&operation.failed.to_string(), 6),
            if does > 0 {
                format!("  {}", left(&format!("{} {}", safe(last.system.as_deref().unwrap_or("")), what(last)), does))
            } else {
                String::new()
            },
        );
        let became = operation.outcome.map(|outcome| became(outcome, shared.zone, shared.now));
        let became = left(&became.unwrap_or_else(|| "not retried".to_owned()), outcome);
        let name = format!(" {}", left(&name, entity));
        let pieces =
            [(name.as_str(), theme.text), (" ", theme.text), (became.as_str(), style), (rest.as_str(), theme.text)];
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == screen.line.0);
    }
}
