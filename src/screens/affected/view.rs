//! How it is drawn: a line an operation.

use super::Operations;
use super::columns::{self, Columns};
use crate::screens::shared::{Shared, outcomes_of};
use crate::tui::text::{day, fit, left, put, put_all, right, safe, short_clock, what};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::model::FinalOutcome;

/// Columns of when the first try failed, and of how many failed.
const SINCE: u16 = 8;
const FAILED: u16 = 6;
/// What the last reason has at least.
const REASON: u16 = 14;

/// Widths of the columns; 0 leaves one out.
struct Widths {
    entity: u16,
    outcome: u16,
    system: u16,
    does: u16,
}

impl Widths {
    /// The entity first: it is what the operation is about. Then how it ended, the system, and what was done.
    fn of(wanted: &Columns, width: u16) -> Self {
        let mut free = width.saturating_sub(SINCE + FAILED + REASON + 5);
        let mut take = |columns: u16, least: u16| {
            let taken = columns.min(free.saturating_sub(1));
            if columns == 0 || taken < least.min(columns) {
                return 0;
            }
            free -= taken + 1;
            taken
        };
        let entity = take(wanted.entity.max(6).min(width / 2), 8);
        let outcome = if wanted.outcome > 0 { take(wanted.outcome.max(10), 10) } else { 0 };
        let system = if wanted.system > 0 { take(wanted.system.max(6), 6) } else { 0 };
        let does = if wanted.does > 0 { take(wanted.does.clamp(4, 40), 12) } else { 0 };
        Self { entity, outcome, system, does }
    }

    fn titles(&self) -> String {
        let title =
            |name: &str, columns: u16| if columns > 0 { format!(" {}", left(name, columns)) } else { String::new() };
        [
            title("entity", self.entity),
            title("in the end", self.outcome),
            format!(" {}{}", left("since", SINCE), right("failed", FAILED)),
            title("system", self.system),
            title("what", self.does),
            "  last reason".to_owned(),
        ]
        .concat()
    }
}

pub(super) fn render(screen: &Operations, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 2 {
        return;
    }
    let common = &screen.columns.common;
    let common = if common.is_empty() { String::new() } else { format!(" · all {common}") };
    let title = match outcomes_of(&screen.affected, shared) {
        Some(text) => format!(" {text}{common}{}", shared.so_far(false)),
        None => format!(" no call or job in this view has failed{}", shared.so_far(false)),
    };
    put(canvas.buf, area.x, area.y, &fit(&title, area.width), area.width, theme.dim);
    let widths = Widths::of(&screen.columns, area.width);
    put(canvas.buf, area.x, area.y + 1, &widths.titles(), area.width, theme.dim);
    let rows = area.height.saturating_sub(2);
    let first = (screen.line.0 + 1).saturating_sub(usize::from(rows));
    let today = day(shared.zone, shared.now);
    let (store, operations) = (&shared.store, screen.affected.operations.iter().enumerate());
    // What has been given up since is not drawn.
    let held =
        operations.skip(first).filter(|(_, operation)| store.holds(operation.first) && store.holds(operation.last));
    for (y, (index, operation)) in (area.y + 2..area.bottom()).zip(held) {
        let last = &store.get(operation.last);
        let style = match operation.outcome {
            Some(FinalOutcome::GivenUp) | None => theme.failure,
            Some(FinalOutcome::Waiting(_) | FinalOutcome::Running) => theme.pending,
            Some(FinalOutcome::Recovered { .. }) => theme.success,
            Some(FinalOutcome::Unknown) => theme.dim,
        };
        let reason = last.error.as_deref().or(last.message.as_deref()).map(safe).unwrap_or_default();
        let code = last.http_status.map(|code| format!("{code} ")).unwrap_or_default();
        let since = short_clock(shared.zone, store.started(operation.first), today);
        let cell =
            |text: &str, columns: u16| if columns > 0 { format!(" {}", left(text, columns)) } else { String::new() };
        let rest = format!(
            " {}{}{}{}  {code}{reason}",
            left(&since, SINCE),
            right(&operation.failed.to_string(), FAILED),
            cell(&columns::system(last), widths.system),
            cell(&what(last), widths.does),
        );
        let became = cell(&columns::outcome(operation.outcome, shared), widths.outcome);
        let name = cell(&columns::name(last), widths.entity);
        let pieces = [(name.as_str(), theme.text), (became.as_str(), style), (rest.as_str(), theme.text)];
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == screen.line.0);
    }
}
