//! The server: connections, locks that are waited for, slow queries. What other users run is seen with PROCESS only.

use crate::connection::Reader;
use crate::relation::text;
use crosstail_core::model::{Check, HealthState, Metric, Unit, Vitals, redact_text};
use crosstail_source::sql::Sql;
use sqlx::Row as _;
use std::collections::HashMap;

/// A query that runs for longer is slow, in seconds.
const SLOW_S: i64 = 5;
/// So many connections of those allowed are too many, in per cent.
const FULL: f64 = 90.0;

const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Threads_running', \
    'Innodb_row_lock_current_waits', 'Innodb_deadlocks', 'Innodb_buffer_pool_read_requests', 'Innodb_buffer_pool_reads')";

const SLOW: &str = "SELECT CAST(ID AS SIGNED), CAST(TIME AS SIGNED), USER, COALESCE(STATE, ''), LEFT(INFO, 200) \
    FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute') AND ID <> CONNECTION_ID() AND TIME >= ";

pub(crate) async fn vitals(reader: Reader<'_>) -> Result<Vitals, sqlx::Error> {
    let mut vitals = Vitals::default();
    let mut reading = reader.read().await?;
    let mut status: HashMap<String, f64> = HashMap::new();
    for row in reading.fetch(Sql::raw(STATUS)).await? {
        let value = text(&row, 1)?.and_then(|value| value.parse().ok());
        status.extend(text(&row, 0)?.zip(value));
    }
    let of = |name: &str| status.get(name).copied();
    let limit = reading.fetch(Sql::raw("SELECT CAST(@@max_connections AS SIGNED)")).await?;
    let allowed: i64 = limit.first().map_or(Ok(0), |row| row.try_get_unchecked(0))?;
    let used = of("Threads_connected").unwrap_or(0.0);
    vitals.metrics.push(Metric::new("connections", "connections", &[], Some(used)));
    vitals.metrics.push(Metric::new("connections", "running", &[], of("Threads_running")));
    let percent = 100.0 * used / (allowed.max(1) as f64);
    let in_use = Metric::new("connections", "connections in use", &[], Some(percent));
    vitals.metrics.push(Metric { unit: Unit::Percent, ..in_use });
    let state = if percent >= FULL { HealthState::Degraded } else { HealthState::Healthy };
    vitals.checks.push(Check::new("connections", state, format!("{used} of {allowed}")));
    vitals.metrics.push(Metric::new("locks", "waiting", &[], of("Innodb_row_lock_current_waits")));
    let slow = reading.fetch(Sql::raw(format!("{SLOW}{SLOW_S} ORDER BY TIME DESC LIMIT 20"))).await?;
    for row in &slow {
        let (id, took): (i64, i64) = (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
        let text = |index| text(row, index).map(Option::unwrap_or_default);
        let (id, user, state) = (id.to_string(), text(2)?, text(3)?);
        let query = redact_text(&text(4)?).split_whitespace().collect::<Vec<_>>().join(" ");
        let mut labels = vec![("id", id.as_str()), ("user", user.as_str())];
        if !state.is_empty() {
            labels.push(("state", state.as_str()));
        }
        labels.push(("query", query.as_str()));
        let running = Metric::new("slow queries", "running", &labels, Some(took as f64));
        vitals.metrics.push(Metric { unit: Unit::Seconds, ..running });
    }
    if !slow.is_empty() {
        let detail = format!("{} run for more than {SLOW_S} s", slow.len());
        vitals.checks.push(Check::new("slow queries", HealthState::Degraded, detail));
    }
    vitals.metrics.push(Metric::new("database", "deadlocks", &[], of("Innodb_deadlocks")));
    let requests = of("Innodb_buffer_pool_read_requests").filter(|n| *n > 0.0);
    let cached = requests.zip(of("Innodb_buffer_pool_reads")).map(|(all, read)| 100.0 * (all - read) / all);
    vitals.metrics.push(Metric { unit: Unit::Percent, ..Metric::new("database", "read from cache", &[], cached) });
    let size = "SELECT CAST(SUM(DATA_LENGTH + INDEX_LENGTH) AS SIGNED) FROM information_schema.TABLES \
                WHERE TABLE_SCHEMA = DATABASE()";
    let rows = reading.fetch(Sql::raw(size)).await?;
    let size: Option<i64> = rows.first().map_or(Ok(None), |row| row.try_get_unchecked(0))?;
    let size = Metric::new("database", "size", &[], size.map(|bytes| bytes as f64));
    vitals.metrics.push(Metric { unit: Unit::Bytes, ..size });
    reading.end().await?;
    Ok(vitals)
}
