//! What the database holds beside activities. Only the columns that the schema names are read: never a credential.

use crate::connection::Reader;
use crate::payload::{json_of, selected};
use crate::relation::{Column, Relation, as_text, list, name};
use crosstail_core::model::{Catalogue, CatalogueEntry, EntryKind};
use crosstail_core::schema::{CatalogueTable, Schema};
use crosstail_source::sql::Sql;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Entries of a table at most.
const ENTRIES: usize = 10_000;

/// A table of the catalogue that is there and may be read.
pub(crate) struct CatalogueMapping {
    kind: EntryKind,
    relation: Relation,
    /// Fact and the columns it may come from, in order.
    facts: Vec<(String, Vec<String>)>,
}

impl CatalogueMapping {
    /// Those of a schema's tables that are there; a table that may not be read is told.
    pub(crate) fn all(
        schema: &Schema,
        relations: &BTreeMap<String, Relation>,
        warnings: &mut Vec<String>,
    ) -> Vec<Self> {
        let mut one = |table: &CatalogueTable| {
            let relation = relations.get(&table.table)?;
            let mut facts = Vec::new();
            for (fact, paths) in &table.fields {
                let columns: Vec<String> =
                    paths.list().iter().filter(|path| relation.readable(path).is_some()).cloned().collect();
                if !columns.is_empty() {
                    facts.push((fact.clone(), columns));
                }
            }
            if facts.is_empty() {
                let name = &table.table;
                warnings
                    .push(format!("{name} may not be read, so what it explains is not shown: GRANT SELECT ON {name}"));
                return None;
            }
            Some(Self { kind: EntryKind::parse(&table.topic)?, relation: relation.clone(), facts })
        };
        schema.definition().catalogue.iter().filter_map(&mut one).collect()
    }

    fn columns(&self) -> Vec<&Column> {
        let named = |column: &&Column| self.facts.iter().any(|(_, list)| list.contains(&column.name));
        self.relation.columns.iter().filter(named).collect()
    }

    fn entry(&self, text: &str) -> CatalogueEntry {
        let row: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let mut facts = Map::new();
        for (fact, columns) in &self.facts {
            if let Some(value) = columns.iter().find_map(|column| row.get(column).filter(|v| !v.is_null())) {
                facts.insert(fact.clone(), value.clone());
            }
        }
        CatalogueEntry { kind: self.kind, facts }
    }

    /// Whether a fact has one of these values.
    fn is_any(&self, fact: &str, values: &[String]) -> Vec<Sql> {
        let columns = self.facts.iter().filter(|(name, _)| name == fact).flat_map(|(_, columns)| columns);
        let readable = columns.filter_map(|column| self.relation.readable(column));
        let one = |column: &Column| {
            let mut sql = Sql::raw(as_text(&format!("t.{}", name(&column.name)), column.holds));
            sql.append(" IN ", &list(values));
            sql
        };
        if values.is_empty() { Vec::new() } else { readable.map(one).collect() }
    }

    async fn read(&self, reader: Reader<'_>, condition: Sql, limit: usize) -> Result<Vec<CatalogueEntry>, sqlx::Error> {
        let columns = self.columns();
        let mut sql = Sql::raw(format!("SELECT {} FROM {} t WHERE ", selected(&columns), self.relation.sql));
        sql.append("", &condition);
        sql.push(&format!(" LIMIT {limit}"), []);
        let mut reading = reader.read().await?;
        let rows = reading.fetch(sql).await?;
        reading.end().await?;
        rows.iter().map(|row| Ok(self.entry(&json_of(&columns, row, 0)?))).collect()
    }
}

/// Everything but the code mappings, which can be many.
pub(crate) async fn load(reader: Reader<'_>, tables: &[CatalogueMapping]) -> Result<Catalogue, sqlx::Error> {
    read_topics(reader, tables, |kind| kind != EntryKind::Mapping).await
}

async fn read_topics(
    reader: Reader<'_>,
    tables: &[CatalogueMapping],
    wanted: impl Fn(EntryKind) -> bool,
) -> Result<Catalogue, sqlx::Error> {
    let mut catalogue = Catalogue::default();
    for table in tables.iter().filter(|table| wanted(table.kind)) {
        catalogue.entries.extend(table.read(reader, Sql::constant(true), ENTRIES).await?);
    }
    catalogue.resolve_system_ids();
    Ok(catalogue)
}

/// The mappings of these codes of a system, on either side.
pub(crate) async fn mappings(
    reader: Reader<'_>,
    tables: &[CatalogueMapping],
    system: &str,
    codes: &[String],
) -> Result<Vec<CatalogueEntry>, sqlx::Error> {
    let known = read_topics(reader, tables, |kind| matches!(kind, EntryKind::System | EntryKind::LogSource)).await?;
    let mut systems = vec![system.to_owned()];
    systems.extend(known.system(system).and_then(|entry| entry.text("id")));
    let mut found = Vec::new();
    for table in tables.iter().filter(|table| table.kind == EntryKind::Mapping) {
        let mut sides = table.is_any("internal", codes);
        sides.extend(table.is_any("external", codes));
        let mut parts = vec![Sql::join(sides, " OR ")];
        let of_system = table.is_any("system", &systems);
        if !of_system.is_empty() {
            parts.push(Sql::join(of_system, " OR "));
        }
        for mut entry in table.read(reader, Sql::join(parts, " AND "), 500).await? {
            entry.facts.insert("system".to_owned(), Value::String(system.to_owned()));
            found.push(entry);
        }
    }
    Ok(found)
}
