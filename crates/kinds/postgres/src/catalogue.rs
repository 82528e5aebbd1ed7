//! The catalogue: what the database holds in addition to activities. Only the columns that the schema names are read,
//! never a credential.

use super::connection::Reader;
use super::payload::json_of;
use super::relation::Relation;
use crosstail_core::model::{Catalogue, CatalogueEntry, EntryKind};
use crosstail_core::schema::{CatalogueTable, Schema};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use serde_json::{Map, Value};
use sqlx::Row as _;
use std::collections::BTreeMap;

/// Entries read per table, at most.
const ENTRIES: i64 = 10_000;

/// A readable table of the catalogue.
pub(super) struct CatalogueMapping {
    topic: EntryKind,
    relation: Relation,
    /// Each fact with the columns it may come from, in order of preference.
    facts: Vec<(String, Vec<String>)>,
}

impl CatalogueMapping {
    /// The tables of a schema that exist. A table that may not be read becomes a warning.
    pub(super) fn all(
        schema: &Schema,
        relations: &BTreeMap<String, Vec<Relation>>,
        warnings: &mut Vec<String>,
    ) -> Vec<Self> {
        let one = |table: &CatalogueTable| {
            let relation = relations.get(&table.table)?.first()?;
            let readable = |name: &String| relation.column(name).is_some_and(|column| column.readable);
            let facts: Vec<(String, Vec<String>)> = table
                .fields
                .iter()
                .map(|(fact, paths)| (fact.clone(), paths.list().iter().filter(|p| readable(p)).cloned().collect()))
                .filter(|(_, columns): &(String, Vec<String>)| !columns.is_empty())
                .collect();
            if facts.is_empty() {
                warnings.push(format!(
                    "{} may not be read, so what it explains is not shown: GRANT SELECT ON {} TO CURRENT_ROLE",
                    table.table, table.table
                ));
                return None;
            }
            Some(Self { topic: EntryKind::parse(&table.topic)?, relation: relation.clone(), facts })
        };
        schema.definition().catalogue.iter().filter_map(one).collect()
    }

    fn select(&self) -> Sql {
        let mut columns: Vec<&str> = self.facts.iter().flat_map(|(_, list)| list).map(String::as_str).collect();
        columns.sort_unstable();
        columns.dedup();
        Sql::raw(format!("SELECT {} FROM {} t", json_of(&columns), self.relation.sql))
    }

    fn entry(&self, text: &str) -> CatalogueEntry {
        let row: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let mut facts = Map::new();
        for (fact, columns) in &self.facts {
            if let Some(value) = columns.iter().find_map(|column| row.get(column).filter(|v| !v.is_null())) {
                facts.insert(fact.clone(), value.clone());
            }
        }
        CatalogueEntry { kind: self.topic, facts }
    }

    /// The columns a fact may come from, in order of preference.
    fn columns(&self, fact: &str) -> impl Iterator<Item = &String> {
        self.facts.iter().filter(move |(name, _)| name == fact).flat_map(|(_, columns)| columns)
    }
}

/// Loads everything except the code mappings, which can be many.
pub(super) async fn load(reader: Reader<'_>, tables: &[CatalogueMapping]) -> Result<Catalogue, sqlx::Error> {
    read_topics(reader, tables, |topic| topic != EntryKind::Mapping).await
}

async fn read_topics(
    reader: Reader<'_>,
    tables: &[CatalogueMapping],
    wanted: impl Fn(EntryKind) -> bool,
) -> Result<Catalogue, sqlx::Error> {
    let mut catalogue = Catalogue::default();
    for table in tables.iter().filter(|table| wanted(table.topic)) {
        let mut sql = table.select();
        sql.push(&format!(" LIMIT {PLACEHOLDER}::int8"), [Bind::Int(ENTRIES)]);
        catalogue.entries.extend(read(reader, table, sql).await?);
    }
    catalogue.resolve_system_ids();
    Ok(catalogue)
}

async fn read(reader: Reader<'_>, table: &CatalogueMapping, sql: Sql) -> Result<Vec<CatalogueEntry>, sqlx::Error> {
    let mut reading = reader.read().await?;
    let rows = reading.fetch(sql).await?;
    reading.end().await?;
    rows.iter().map(|row| Ok(table.entry(row.try_get(0)?))).collect()
}

/// The mappings from or to one of these codes of a system.
pub(super) async fn mappings(
    reader: Reader<'_>,
    tables: &[CatalogueMapping],
    system: &str,
    codes: &[String],
) -> Result<Vec<CatalogueEntry>, sqlx::Error> {
    let mut found = Vec::new();
    let mut systems = vec![system.to_owned()];
    let known = read_topics(reader, tables, |topic| matches!(topic, EntryKind::System | EntryKind::LogSource)).await?;
    systems.extend(known.system(system).and_then(|entry| entry.text("id")));
    for table in tables.iter().filter(|table| table.topic == EntryKind::Mapping) {
        let side = |fact: &str, values: &[String]| -> Vec<Sql> {
            let one = |column: &String| {
                let text = format!("t.{}::text = ANY({PLACEHOLDER}::text[])", crosstail_source::sql::name(column));
                Sql::with(text, Bind::Texts(values.to_vec()))
            };
            table.columns(fact).map(one).collect()
        };
        let mut sides = side("internal", codes);
        sides.extend(side("external", codes));
        let mut parts = vec![Sql::join(sides, " OR ")];
        let of_system = side("system", &systems);
        if !of_system.is_empty() {
            parts.push(Sql::join(of_system, " OR "));
        }
        let mut sql = table.select();
        sql.append(" WHERE ", &Sql::join(parts, " AND "));
        sql.push(" LIMIT 500", []);
        let entries = read(reader, table, sql).await?;
        found.extend(entries.into_iter().map(|mut entry| {
            entry.facts.insert("system".to_owned(), Value::String(system.to_owned()));
            entry
        }));
    }
    Ok(found)
}
