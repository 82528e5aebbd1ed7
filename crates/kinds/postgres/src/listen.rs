//! Hears a trigger's notifications: they only wake the poll.

use super::connection::Reader;
use super::mapping::Mapping;
use crosstail_source::caught;
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;

/// The channel on which the trigger notifies; the trigger's name starts with it.
const CHANNEL: &str = "crosstail";

/// Listens on a connection of its own; returns whether any table has the trigger. A lost connection is made again, and
/// then the tables are polled.
pub(super) async fn listen(reader: Reader<'_>, mappings: &[Mapping], woken: Arc<Notify>) -> Result<bool, sqlx::Error> {
    let mut reading = reader.read().await?;
    let names: Vec<String> = mappings.iter().map(|mapping| mapping.relation.sql.clone()).collect();
    let triggered = sqlx::query_scalar::<_, bool>(
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = $1 || '_notify' AND tgenabled <> 'D' \
         AND tgrelid = ANY(SELECT to_regclass(n) FROM unnest($2::text[]) n))",
    )
    .bind(CHANNEL)
    .bind(names)
    .persistent(false)
    .fetch_one(reading.on()?)
    .await?;
    reading.end().await?;
    reader.connections().woken.store(triggered, Ordering::Relaxed);
    if !triggered {
        return Ok(false);
    }
    let options = reader.connections().options().clone();
    let job = reader.job().clone();
    // What the driver cannot read ends the listening; then the tables are polled.
    tokio::spawn(caught(async move {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let hear = async {
            loop {
                if let Ok(mut listener) = PgListener::connect_with(&pool).await
                    && listener.listen(CHANNEL).await.is_ok()
                {
                    woken.notify_one();
                    while let Ok(Some(_)) = listener.try_recv().await {
                        woken.notify_one();
                    }
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = job.cancelled() => {}
            () = hear => {}
        }
    }));
    Ok(true)
}
