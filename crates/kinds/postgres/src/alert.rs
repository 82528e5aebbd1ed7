//! Acknowledges and resolves alerts in the table `alerts`, on request only, and records who and when.

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use crosstail_core::model::{Names, Place, Timestamp};
use crosstail_source::Source;
use crosstail_source::alert::{AlertChange, AlertStatus, ChangeAlerts};

/// Changes alerts in a database.
#[derive(Debug)]
pub(crate) struct PostgresAlerts;

#[async_trait]
impl ChangeAlerts for PostgresAlerts {
    fn rank(&self) -> u8 {
        0
    }

    async fn change(
        &self,
        url: &str,
        _source: &dyn Source,
        _names: &Names,
        place: &Place,
        change: AlertChange<'_>,
    ) -> anyhow::Result<String> {
        let (_, id) = place.locator.as_table_key().context("the alert has no key")?;
        change_row(url, id, change.to, change.by, change.at).await
    }
}

/// Changes a row of `alerts` and returns the user's name. `by` is the id, the name or the e-mail address of a user: the
/// column refers to `users`. An alert that has been resolved does not change.
async fn change_row(url: &str, id: &str, to: AlertStatus, by: &str, at: Timestamp) -> anyhow::Result<String> {
    use sqlx::{AssertSqlSafe, Connection as _, Row as _};
    let mut connection = sqlx::PgConnection::connect(url).await.context("connect")?;
    let mut transaction = connection.begin().await?;
    let user = sqlx::query(
        "SELECT id::text, username::text FROM users WHERE id::text = $1 OR username = $1 OR email = $1 LIMIT 1",
    )
    .bind(by)
    .fetch_optional(&mut *transaction)
    .await
    .context("look up the user")?;
    let Some(user) = user else {
        let known = sqlx::query("SELECT username::text FROM users WHERE is_active ORDER BY username LIMIT 10");
        let known = known.fetch_all(&mut *transaction).await?;
        let names: Vec<String> = known.iter().filter_map(|row| row.try_get(0).ok()).collect();
        bail!("no user '{by}' in the store's table users, which has {}; name yours with --as", names.join(", "));
    };
    let (user_id, name): (String, String) = (user.try_get(0)?, user.try_get(1)?);
    let (when, who) = to.fields();
    let from = match to {
        AlertStatus::Acknowledged => "status = 'OPEN'",
        AlertStatus::Resolved => "status IN ('OPEN', 'ACKNOWLEDGED')",
    };
    let text = format!(
        "UPDATE alerts SET status = $1, {when} = to_timestamp($2::float8 / 1e6), {who} = $3::uuid WHERE id = $4::uuid AND {from}"
    );
    let update = sqlx::query(AssertSqlSafe(text)).bind(to.as_str()).bind(at.0 as f64).bind(&user_id).bind(id);
    if update.execute(&mut *transaction).await.context("change the alert")?.rows_affected() == 0 {
        let now = sqlx::query("SELECT status::text FROM alerts WHERE id = $1::uuid").bind(id);
        let Some(row) = now.fetch_optional(&mut *transaction).await? else { bail!("the store has no alert {id}") };
        bail!("the alert is already {}", row.try_get::<String, _>(0)?.to_lowercase());
    }
    transaction.commit().await?;
    Ok(name)
}
