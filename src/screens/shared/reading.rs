//! What figures need from a row.

use crosstail_engine::insight::{Attempt, HealthInput};
use crosstail_engine::store::{Row, Store, Symbol};

/// What health needs from a row.
pub(in crate::screens) fn reading(store: &Store, row: Row) -> HealthInput<'_> {
    let failed = store.is_failure(row);
    let named = |symbol: Symbol| (symbol != Symbol::ABSENT).then(|| store.symbols().get(symbol));
    let retry = store.retry(row).map(|(operation, attempt, due)| {
        let started = store.started(row);
        Attempt { operation, attempt, started, due }
    });
    HealthInput {
        started: store.started(row),
        status: store.status(row),
        failed,
        took_us: store.took_us(row),
        usage: store.usage(row),
        error: if failed { (store.http_status(row), named(store.error_type(row))) } else { (None, None) },
        retry,
    }
}
