//! Figures in the store: counts of combinations of raw values (see [`combination`]), and latencies in the buckets of the
//! sketch that we count in ourselves.

use crate::connection::Reader;
use crate::mapping::{Mapping, scalar};
use crate::one::is_of_data;
use crate::query::{undated, within};
use crate::relation::{ColumnType, as_selected, says_none};
use crate::sql;
use crosstail_core::filter::{Field, Predicate};
use crosstail_core::model::{Latencies, Mean, Names, Timestamp};
use crosstail_core::number::{saturating_u64, saturating_usize};
use crosstail_core::schema::{Scalar, Target};
use crosstail_source::combination::{self, COMBINATIONS, Counted, Sum};
use crosstail_source::sql::Sql;
use crosstail_source::{Grouping, Groups, Measures, PageQuery};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;

/// Figures of one table; `None` where the rows themselves must be read.
pub(crate) async fn aggregate(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let Some(plan) = Plan::of(mapping, grouping, &predicate) else { return Ok(None) };
    let mut reading = reader.read().await?;
    let (mut groups, mut combinations) = (Groups::new(), 0);
    let read = reading.fetch_each(plan.statement(query), |row| {
        combinations += 1;
        plan.add(&row, names, &mut groups)
    });
    match read.await {
        Ok(()) => {}
        // The rows are read instead, each as far as it can be.
        Err(error) if is_of_data(&error) => {
            reading.end().await?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    reading.end().await?;
    if combinations > COMBINATIONS {
        return Ok(None);
    }
    if query.includes_undated() {
        let mut after: Option<String> = None;
        loop {
            let page = undated(reader, mapping, names, &predicate, after.as_deref(), false, 2000).await?;
            for activity in &page.items {
                groups.entry(grouping.key(activity, names)).or_default().add(activity);
            }
            after = page.last;
            if page.ended {
                break;
            }
        }
    }
    Ok(Some(groups))
}

/// How the rows of a table are counted.
struct Plan<'a> {
    mapping: &'a Mapping,
    grouping: &'a Grouping,
    condition: Sql,
    /// The part of the filter that is evaluated on combinations.
    residual: Predicate,
    /// What is grouped by: numbers of [`Mapping::selected`], and the SQL for each.
    columns: Vec<(usize, String)>,
    /// SQL for the duration, the processor's share and the memory.
    measures: [String; 3],
}

/// Of the text of an error, whether it is one.
fn has_error(text: &str) -> String {
    format!("CASE WHEN {} THEN 'none' WHEN {text} <> '' THEN '1' END", says_none(text))
}

impl<'a> Plan<'a> {
    fn of(mapping: &'a Mapping, grouping: &'a Grouping, predicate: &Predicate) -> Option<Self> {
        // SQL does not know the zone that a schema names.
        if grouping.bucket_us.is_some() && mapping.is_local(Target::StartedAt) {
            return None;
        }
        let condition = sql::condition(mapping, predicate).sql;
        let residual = combination::residual(predicate, |part| sql::condition(mapping, part).exact);
        let fields = combination::fields(grouping, &residual)?;
        let targets = combination::targets(&mapping.schema, &fields)?;
        // Of an error it only matters whether there is one, and of a URL only its host, unless they are asked for.
        let whole_error = fields.contains(&Field::Error);
        let whole_url = fields.iter().any(|field| matches!(field, Field::Url | Field::Endpoint));
        let own_system = mapping.raw_text(Target::System);
        let wanted = mapping.selected.iter().enumerate().filter(|(_, (_, _, (target, _)))| targets.contains(target));
        let columns = wanted.map(|(index, (sql, holds, (target, _)))| {
            let expression = as_selected(sql, *holds);
            // Texts are bytes: no two different ones are one group.
            let is_text = !matches!(holds, ColumnType::Int | ColumnType::Float | ColumnType::Time(_));
            let sql = match target {
                Target::Error if is_text && !whole_error => has_error(&expression),
                Target::Url if is_text && !whole_url => host(&expression, own_system.as_deref()),
                _ => expression,
            };
            (index, sql)
        });
        let columns = columns.collect();
        // Sorting durations into their buckets costs more than counting.
        let measure = |field: Field| {
            let absent = grouping.measures < Measures::All || sql::is_absent(mapping, field);
            if absent { Some("NULL".to_owned()) } else { sql::expression(mapping, field) }
        };
        let measures = [measure(Field::Duration)?, measure(Field::Cpu)?, measure(Field::Memory)?];
        Some(Self { mapping, grouping, condition, residual, columns, measures })
    }

    fn statement(&self, query: &PageQuery) -> Sql {
        let mapping = self.mapping;
        let [took, cpu, memory] = &self.measures;
        let bucket = self.grouping.bucket_us.map_or_else(|| "NULL".to_owned(), |us| floored(&mapping.time_us(), us));
        let mut inner = Sql::raw("SELECT ");
        for (index, (_, sql)) in self.columns.iter().enumerate() {
            inner.push(&format!("{sql} AS c{index}, "), []);
        }
        inner.push(
            &format!(
                "CAST({bucket} AS SIGNED) AS bucket, CAST({took} AS SIGNED) AS took, ({cpu} + 0e0) AS cpu, \
                 ({memory} + 0e0) AS memory FROM {} t",
                mapping.relation.sql
            ),
            [],
        );
        // Rows without a time are counted here.
        let mut parts = within(mapping, query);
        parts.push(self.condition.clone());
        inner.append(" WHERE ", &Sql::join(parts, " AND "));
        let names: String = (0..self.columns.len()).map(|index| format!("c{index}, ")).collect();
        // As `Latencies::bucket` counts.
        let latency = format!("CASE WHEN took <= 1 THEN 0 ELSE CEIL(LN(took) / {:e}) END", Latencies::LOG_GAMMA);
        let (latency, sums, by) = if self.grouping.measures < Measures::All {
            ("NULL".to_owned(), "0, NULL, 0, NULL, 0", "")
        } else {
            let sums = "CAST(COALESCE(SUM(took), 0) AS SIGNED), SUM(cpu), COUNT(cpu), SUM(memory), COUNT(memory)";
            (format!("CAST({latency} AS SIGNED)"), sums, ", latency")
        };
        let mut outer = Sql::raw(format!("SELECT {names}bucket, {latency} AS latency, COUNT(*), {sums} FROM ("));
        outer.append("", &inner);
        outer.push(&format!(") a GROUP BY {names}bucket{by} LIMIT {}", COMBINATIONS + 1), []);
        outer
    }

    /// Adds what a combination counts for.
    fn add(&self, row: &MySqlRow, names: &Names, groups: &mut Groups) -> Result<(), sqlx::Error> {
        let mapping = self.mapping;
        let mut values: Vec<Option<Scalar<'_>>> = vec![None; mapping.selected.len()];
        for (index, (column, _)) in self.columns.iter().enumerate() {
            values[*column] = scalar(row, index, mapping.selected[*column].1)?;
        }
        let n = self.columns.len();
        let bucket: Option<i64> = row.try_get_unchecked(n)?;
        let latency: Option<i64> = row.try_get_unchecked(n + 1)?;
        let whole = |index: usize| row.try_get_unchecked::<i64, _>(n + 2 + index).map(saturating_u64);
        let mean = |index: usize| -> Result<Mean, sqlx::Error> {
            let sum = row.try_get_unchecked::<Option<f64>, _>(n + 2 + index)?.unwrap_or(0.0);
            Ok(Mean { sum, count: whole(index + 1)? })
        };
        let activity = mapping.assembled("", bucket.map(Timestamp), values);
        let latency = latency.map(|bucket| Ok::<_, sqlx::Error>((saturating_usize(bucket), whole(1)?))).transpose()?;
        let counted = Counted { count: whole(0)?, latency, cpu: mean(2)?, memory: mean(4)? };
        let sum = Sum { grouping: self.grouping, names, residual: &self.residual };
        sum.add(&activity, bucket.map(Timestamp), counted, groups);
        Ok(())
    }
}

/// What of a URL names a system (see `system_of_url`), where the row has none of its own.
fn host(url: &str, own_system: Option<&str>) -> String {
    let behind = format!("SUBSTRING_INDEX(SUBSTRING_INDEX({url}, '://', 2), '://', -1)");
    let host = ["/", "?", "#", ":"].iter().fold(behind, |text, end| format!("SUBSTRING_INDEX({text}, '{end}', 1)"));
    let host = format!("CASE WHEN LOCATE('://', {url}) > 0 THEN CAST(CONCAT('://', {host}) AS BINARY) END");
    own_system.map_or(host.clone(), |own| format!("CASE WHEN {own} IS NULL THEN {host} END"))
}

/// The greatest multiple that is not above, before the epoch, too. `/` would round.
pub(crate) fn floored(us: &str, multiple: i64) -> String {
    format!("({us} - MOD(MOD({us}, {multiple}) + {multiple}, {multiple}))")
}
