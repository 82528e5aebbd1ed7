//! The shape of the mapped tables: what may change while they are followed.

use super::connection::Reader;
use super::mapping::Mapping;
use sqlx::Row as _;
use std::collections::BTreeMap;

/// The shape of the mapped tables at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Names and types of the columns of all tables, as one sum.
    columns: String,
    files: BTreeMap<String, Files>,
}

/// Where the rows of a table are: it has another file when it was written anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Files {
    /// The table itself and its file; empty where rows have no versions.
    own: String,
    /// The transaction that gave it the file.
    by: i64,
    /// The partitions: of each its file, and the transaction that gave it that.
    parts: BTreeMap<String, (String, i64)>,
}

/// How a table was written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Anew {
    /// Another table has its place, with rows of any transaction.
    Replaced,
    /// Some transactions have written its rows.
    By(Vec<i64>),
}

impl Files {
    /// How it was written anew since; `own`: the file then, where only that is known.
    fn anew(&self, own: &str, parts: Option<&BTreeMap<String, (String, i64)>>) -> Option<Anew> {
        if own.is_empty() || self.own.is_empty() {
            return None;
        }
        let table = |file: &str| file.split('/').next().unwrap_or_default().to_owned();
        if table(own) != table(&self.own) {
            return Some(Anew::Replaced);
        }
        let mut by: Vec<i64> = (own != self.own).then_some(self.by).into_iter().collect();
        let known = self.parts.iter().filter(|(part, (file, _))| {
            parts.and_then(|parts| parts.get(*part)).is_some_and(|(before, _)| before != file)
        });
        by.extend(known.map(|(_, (_, by))| *by));
        (!by.is_empty()).then_some(Anew::By(by))
    }
}

impl Shape {
    /// The file of a table.
    pub(super) fn file(&self, mapping: &Mapping) -> Option<&str> {
        self.files.get(&mapping.relation.sql).map(|files| files.own.as_str())
    }

    /// How a table was written anew since `before`, or since it had the file `known`: every row looks new.
    pub(super) fn written_anew(&self, before: Option<&Self>, known: &str, mapping: &Mapping) -> Option<Anew> {
        let name = &mapping.relation.sql;
        let parts = before.and_then(|before| before.files.get(name)).map(|files| &files.parts);
        self.files.get(name)?.anew(known, parts)
    }

    /// Whether a table was not there, so that all that is in it is new.
    pub(super) fn lacks(&self, mapping: &Mapping) -> bool {
        !self.files.contains_key(&mapping.relation.sql)
    }

    /// Whether columns are others since, or a table was written anew. A new partition is neither.
    pub(super) fn has_changed(&self, now: &Self) -> bool {
        self.columns != now.columns
            || now.files.iter().any(|(name, files)| {
                self.files.get(name).is_some_and(|then| files.anew(&then.own, Some(&then.parts)).is_some())
            })
    }

    /// Whether columns are others than they were.
    pub(super) fn has_other_columns(&self, before: &Self) -> bool {
        self.columns != before.columns
    }
}

/// The present shape of those of some tables that are there.
pub(super) async fn shape(reader: Reader<'_>, names: &[String]) -> Result<Shape, sqlx::Error> {
    let mut reading = reader.read().await?;
    let query = sqlx::query(
        "SELECT n, CASE WHEN c.relkind IN ('r', 'p') THEN concat_ws('/', c.oid, c.relfilenode) ELSE '' END, \
         (SELECT md5(string_agg(concat_ws(',', a.attname, a.atttypid, a.attnum), ';' \
         ORDER BY a.attnum)) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), \
         c.xmin::text::int8, CASE WHEN c.relhassubclass THEN (WITH RECURSIVE heirs(heir) AS ( \
         SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid \
         UNION SELECT i.inhrelid FROM heirs JOIN pg_inherits i ON i.inhparent = heirs.heir) \
         SELECT array_agg(concat_ws('/', k.oid, k.relfilenode, k.xmin)) FROM heirs JOIN pg_class k ON k.oid = heirs.heir) END \
         FROM unnest($1::text[]) n JOIN pg_class c ON c.oid = to_regclass(n) ORDER BY n",
    )
    .bind(names)
    .persistent(false);
    let rows = reading.all(query).await?;
    reading.end().await?;
    let mut shape = Shape::default();
    for row in &rows {
        let (name, own): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let columns: Option<String> = row.try_get(2)?;
        shape.columns.push_str(&format!("{name} {};", columns.unwrap_or_default()));
        let parts: Option<Vec<String>> = row.try_get(4)?;
        let parts = parts.iter().flatten().filter_map(|text| {
            let (table, rest) = text.split_once('/')?;
            let (file, by) = rest.split_once('/')?;
            Some((table.to_owned(), (file.to_owned(), by.parse().ok()?)))
        });
        shape.files.insert(name, Files { own, by: row.try_get(3)?, parts: parts.collect() });
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_written_anew_is_told_from_one_with_a_new_part() {
        let of = |own: &str, parts: &[(&str, &str)]| Files {
            own: own.to_owned(),
            by: 7,
            parts: parts.iter().map(|(part, file)| ((*part).to_owned(), ((*file).to_owned(), 8))).collect(),
        };
        let before = of("1/10", &[("2", "20")]);
        let anew = |now: &Files| now.anew(&before.own, Some(&before.parts));
        assert_eq!(anew(&before), None);
        assert_eq!(anew(&of("1/11", &[("2", "20")])), Some(Anew::By(vec![7])));
        assert_eq!(anew(&of("1/10", &[("2", "21")])), Some(Anew::By(vec![8])));
        assert_eq!(anew(&of("1/10", &[("2", "20"), ("3", "30")])), None);
        assert_eq!(anew(&of("4/10", &[])), Some(Anew::Replaced));
        // Rows of views have no versions.
        assert_eq!(anew(&of("", &[])), None);
    }
}
