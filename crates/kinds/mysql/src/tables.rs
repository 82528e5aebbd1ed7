//! Which tables of the database are mapped.

use crate::catalogue::CatalogueMapping;
use crate::connection::{ReadTransaction, Reader};
use crate::definitions::STORE;
use crate::error::Error;
use crate::mapping::{Mapping, Owner};
use crate::relation::{Relation, name, relations, text};
use crosstail_core::model::Names;
use crosstail_core::schema::Schema;
use crosstail_source::sql::Sql;

/// What of the database is mapped.
pub(crate) struct Tables {
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) catalogue: Vec<CatalogueMapping>,
    pub(crate) schemas: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// Looks for the tables of a schema, or of all that are built in.
pub(crate) async fn look_up(
    reader: Reader<'_>,
    into: &Names,
    schema: Option<&Schema>,
    owner: Owner<'_>,
    zone_us: i64,
) -> Result<Tables, Error> {
    let schemas = schema.map_or_else(Schema::built_in, |schema| vec![schema.clone()]);
    let mut wanted: Vec<String> = Vec::new();
    for schema in &schemas {
        for (_, table) in schema.tables(STORE) {
            wanted.push(table.name.clone());
            wanted.extend(table.lookup.values().map(|lookup| lookup.table.clone()));
        }
        wanted.extend(schema.definition().catalogue.iter().map(|table| table.table.clone()));
    }
    wanted.sort();
    wanted.dedup();
    let mut found = Tables { mappings: Vec::new(), catalogue: Vec::new(), schemas: Vec::new(), warnings: Vec::new() };
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut reading = reader.read().await?;
    let mut relations = relations(&mut reading, &wanted, zone_us).await?;
    for (_, table) in schemas.iter().flat_map(|schema| schema.tables(STORE)) {
        if let Some(relation) = relations.get_mut(&table.name) {
            relation.repeats = repeats(&mut reading, relation, table.id.columns()).await?;
        }
    }
    reading.end().await?;
    for mapped in &schemas {
        let before = found.mappings.len();
        // A schema that the user wrote for one table has to fit; of several, those that are there.
        let must = schema.is_some() && mapped.tables(STORE).count() == 1;
        for (part, table) in mapped.tables(STORE) {
            if must && !relations.contains_key(&table.name) {
                let there = names(reader).await?;
                let text = format!("[table] name: there is no table '{}'; there are {there}", table.name);
                return Err(Error::Mapping(text));
            }
            let index = found.mappings.len();
            let mapping = Mapping::new(index, (part, table), &relations, owner, &mut found.warnings, must)?;
            if let Some(mapping) = mapping {
                into.table(owner.id, &table.name);
                found.mappings.push(mapping);
            }
        }
        if found.mappings.len() > before {
            found.schemas.push(mapped.name.clone());
            into.add_flow(&mapped.definition().flow);
            found.catalogue.extend(CatalogueMapping::all(mapped, &relations, &mut found.warnings));
        }
    }
    Ok(found)
}

/// Rows in which a key that nothing makes unique is looked for twice.
const KEY_ROWS: usize = 50_000;

/// Whether several rows have the same key.
async fn repeats(reading: &mut ReadTransaction, relation: &Relation, key: &[String]) -> Result<bool, sqlx::Error> {
    if relation.is_unique(key) || !key.iter().all(|column| relation.readable(column).is_some()) {
        return Ok(false);
    }
    let columns = key.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT 1 FROM (SELECT {columns} FROM {} LIMIT {KEY_ROWS}) sampled GROUP BY {columns} HAVING COUNT(*) > 1 LIMIT 1",
        relation.sql
    );
    Ok(!reading.fetch(Sql::raw(sql)).await?.is_empty())
}

/// The tables that the user may see, to name in an error.
pub(crate) async fn names(reader: Reader<'_>) -> Result<String, sqlx::Error> {
    let mut reading = reader.read().await?;
    let sql = "SELECT CONCAT(CASE WHEN TABLE_SCHEMA <=> DATABASE() THEN '' ELSE CONCAT(TABLE_SCHEMA, '.') END, TABLE_NAME) \
               FROM information_schema.TABLES \
               WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') \
               ORDER BY TABLE_SCHEMA <=> DATABASE() DESC, 1 LIMIT 30";
    let rows = reading.fetch(Sql::raw(sql)).await?;
    reading.end().await?;
    let names = rows.iter().map(|row| text(row, 0).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()?;
    Ok(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}
