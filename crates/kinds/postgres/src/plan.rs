//! What PostgreSQL says that a query takes.

use super::connection::Reader;
use super::mapping::Mapping;
use crosstail_source::sql::Sql;

/// What the server says that a query takes: whether an index narrows it by something other than the time, and rows.
pub(super) async fn explain(reader: Reader<'_>, mapping: &Mapping, sql: Sql) -> Result<(bool, u64), sqlx::Error> {
    let mut explain = Sql::raw("EXPLAIN (FORMAT JSON) ");
    explain.append("", &sql);
    let mut reading = reader.read().await?;
    let rows = reading.fetch(explain).await?;
    reading.end().await?;
    let text = rows.first().map_or(Ok(None), |row| super::row::text(row, 0))?.unwrap_or_default();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let mut told = Told::default();
    told.read(&plan[0]["Plan"], &mapping.relation.place.1, &mapping.time.column);
    // What reads nothing has been answered by the look-ups.
    let indexed = (told.indexed || !told.reads) && !told.scans;
    Ok((indexed, crosstail_core::number::truncated_u64(told.rows)))
}

/// What a plan tells.
#[derive(Default)]
struct Told {
    /// It reads the table at all.
    reads: bool,
    indexed: bool,
    scans: bool,
    rows: f64,
}

impl Told {
    fn read(&mut self, node: &serde_json::Value, table: &str, time: &str) {
        let of_table = node["Relation Name"].as_str().is_some_and(|name| name == table || name.starts_with(table));
        let kind = node["Node Type"].as_str().unwrap_or_default();
        let rows = node["Plan Rows"].as_f64().unwrap_or(0.0);
        let column = time.trim_start_matches("t.").trim_matches('"');
        self.reads |= of_table;
        // A condition on another column than the time, of the index itself.
        let by_other = node["Index Cond"].as_str().is_some_and(|condition| {
            let condition = condition.replace('"', "");
            condition.split(" AND ").any(|part| !part.trim_start_matches('(').starts_with(&format!("{column} ")))
        });
        match kind {
            "Seq Scan" | "Parallel Seq Scan" if of_table => {
                self.scans = true;
                self.rows += rows;
            }
            "Index Scan" | "Index Only Scan" if of_table => {
                self.indexed |= by_other;
                self.scans |= !by_other;
                self.rows += rows;
            }
            "Bitmap Index Scan" => {
                self.indexed |= by_other;
                self.rows += rows;
            }
            _ => {}
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.read(child, table, time);
        }
    }
}
