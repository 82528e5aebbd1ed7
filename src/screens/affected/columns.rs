//! What the columns have to be wide enough for, and which of them say nothing, because all lines have the same there.

use crate::screens::shared::Shared;
use crate::tui::text::{became, entity_text, safe, what, width};
use crosstail_core::model::{Activity, FinalOutcome};
use crosstail_engine::store::Affected;

/// Operations whose texts are measured: a longer text below is cut.
const MEASURED: usize = 500;
/// Of more operations than this it is not looked whether all have done the same.
const COMPARED: usize = 5000;

/// Columns that the longest text of each column takes; 0 where all lines have the same text, which is said once above them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) entity: u16,
    pub(super) outcome: u16,
    pub(super) system: u16,
    pub(super) does: u16,
    /// What all lines have in common.
    pub(super) common: String,
}

/// The name of what an operation is about.
pub(super) fn name(last: &Activity) -> String {
    last.entity.as_deref().map_or_else(|| what(last), entity_text)
}

/// What became of it.
pub(super) fn outcome(outcome: Option<FinalOutcome>, shared: &Shared) -> String {
    outcome.map_or_else(|| "not retried".to_owned(), |outcome| became(outcome, shared.zone, shared.now))
}

pub(super) fn system(last: &Activity) -> String {
    safe(last.system.as_deref().unwrap_or(""))
}

impl Columns {
    pub(super) fn of(affected: &Affected, shared: &Shared) -> Self {
        let store = &shared.store;
        let held = || affected.operations.iter().filter(|operation| store.holds(operation.last));
        let texts: Vec<[String; 4]> = held()
            .take(MEASURED)
            .map(|operation| {
                let last = &store.get(operation.last);
                [name(last), outcome(operation.outcome, shared), system(last), what(last)]
            })
            .collect();
        let longest = |at: usize| texts.iter().map(|row| width(&row[at])).max().unwrap_or(0);
        // Of all of them, also of those that are not measured.
        let is_same = |at: usize| match texts.first() {
            Some(first) if texts.len() > 1 => held().all(|operation| match at {
                1 => outcome(operation.outcome, shared) == first[1],
                2 => safe(store.symbols().get(store.system(operation.last))) == first[2],
                _ => affected.operations.len() <= COMPARED && what(&store.get(operation.last)) == first[3],
            }),
            _ => false,
        };
        let same = [1, 2, 3].map(is_same);
        let shown = |at: usize| if same[at - 1] { 0 } else { longest(at) };
        let common: Vec<&str> = [2, 3].into_iter().filter(|at| same[at - 1]).map(|at| texts[0][at].as_str()).collect();
        let common = common.join(" ").trim().to_owned();
        Self { entity: longest(0), outcome: shown(1), system: shown(2), does: shown(3), common }
    }
}
