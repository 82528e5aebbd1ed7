//! The state of the server: connections, waits for locks, slow queries (engineering logs, monitoring). The queries of
//! other roles are visible only with the role `pg_monitor`.

use super::connection::Reader;
use crosstail_core::model::{Check, HealthState, Metric, Unit, Vitals, redact_text};
use sqlx::Row as _;

/// A query that runs longer is slow, in seconds.
const SLOW_S: f64 = 5.0;
/// More connections than this share of those allowed are too many, in per cent.
const FULL: f64 = 90.0;

const CONNECTIONS: &str = "SELECT coalesce(state, 'other'), count(*), current_setting('max_connections')::int8, \
    pg_catalog.version() FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1";

const LOCKS: &str = "SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - a.state_change)), 0)::float8 \
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid) WHERE NOT l.granted";

const SLOW: &str = "SELECT pid, extract(epoch FROM clock_timestamp() - query_start)::float8, coalesce(usename, '?'), \
    coalesce(wait_event_type, ''), left(query, 200) FROM pg_catalog.pg_stat_activity WHERE state = 'active' \
    AND pid <> pg_backend_pid() AND query_start < clock_timestamp() - make_interval(secs => $1) ORDER BY query_start LIMIT 20";

const DATABASE: &str = "SELECT numbackends::int8, deadlocks::int8, blks_hit::float8, blks_read::float8, \
    pg_database_size(datname)::float8 FROM pg_catalog.pg_stat_database WHERE datname = current_database()";

pub(super) async fn vitals(reader: Reader<'_>) -> Result<Vitals, sqlx::Error> {
    let mut vitals = Vitals::default();
    let mut reading = reader.read().await?;
    let mut used = 0;
    let mut allowed: i64 = 0;
    for row in reading.all(sqlx::query(CONNECTIONS)).await? {
        let (state, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        allowed = row.try_get(2)?;
        used += count;
        let labels = [("state", state.as_str())];
        vitals.metrics.push(Metric::new("connections", "connections", &labels, Some(count as f64)));
    }
    let percent = 100.0 * used as f64 / allowed.max(1) as f64;
    let in_use = Metric::new("connections", "connections in use", &[], Some(percent));
    vitals.metrics.push(Metric { unit: Unit::Percent, ..in_use });
    let state = if percent >= FULL { HealthState::Degraded } else { HealthState::Healthy };
    vitals.checks.push(Check::new("connections", state, format!("{used} of {allowed}")));
    if let Some(row) = sqlx::query(LOCKS).fetch_optional(reading.on()?).await? {
        let (waiting, longest): (i64, f64) = (row.try_get(0)?, row.try_get(1)?);
        vitals.metrics.push(Metric::new("locks", "waiting", &[], Some(waiting as f64)));
        let longest_wait = Metric::new("locks", "longest wait", &[], (waiting > 0).then_some(longest));
        vitals.metrics.push(Metric { unit: Unit::Seconds, ..longest_wait });
        if waiting > 0 && longest >= SLOW_S {
            let detail = format!("{waiting} wait for a lock, the longest for {longest:.0} s");
            vitals.checks.push(Check::new("locks", HealthState::Degraded, detail));
        }
    }
    let slow = reading.all(sqlx::query(SLOW).bind(SLOW_S)).await?;
    for row in &slow {
        let (pid, took): (i32, f64) = (row.try_get(0)?, row.try_get(1)?);
        let (user, waits, query): (String, String, String) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        let (pid, query) = (pid.to_string(), redact_text(&query).split_whitespace().collect::<Vec<_>>().join(" "));
        let mut labels = vec![("pid", pid.as_str()), ("user", user.as_str())];
        if !waits.is_empty() {
            labels.push(("waits for", waits.as_str()));
        }
        labels.push(("query", query.as_str()));
        let running = Metric::new("slow queries", "running", &labels, Some(took));
        vitals.metrics.push(Metric { unit: Unit::Seconds, ..running });
    }
    if !slow.is_empty() {
        let detail = format!("{} run for more than {SLOW_S:.0} s", slow.len());
        vitals.checks.push(Check::new("slow queries", HealthState::Degraded, detail));
    }
    if let Some(row) = sqlx::query(DATABASE).fetch_optional(reading.on()?).await? {
        let (deadlocks, hit, read, size): (i64, f64, f64, f64) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        vitals.metrics.push(Metric::new("database", "deadlocks", &[], Some(deadlocks as f64)));
        let cached = (hit + read > 0.0).then(|| 100.0 * hit / (hit + read));
        vitals.metrics.push(Metric { unit: Unit::Percent, ..Metric::new("database", "read from cache", &[], cached) });
        vitals.metrics.push(Metric { unit: Unit::Bytes, ..Metric::new("database", "size", &[], Some(size)) });
    }
    reading.end().await?;
    Ok(vitals)
}
