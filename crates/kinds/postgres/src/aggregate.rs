//! Figures computed by the server: counts of combinations of raw values (see [`combination`]), and latencies in the buckets of
//! crosstail's own sketch.

use super::by_time;
use super::connection::Reader;
use super::index::{Hints, hints};
use super::mapping::{Mapping, says_none};
use super::query::undated;
use super::relation::ColumnType;
use super::row::scalar;
use super::sql;
use crosstail_core::filter::{Field, Predicate};
use crosstail_core::model::{Latencies, Mean, Names, Timestamp};
use crosstail_core::number::{saturating_u64, saturating_usize};
use crosstail_core::schema::{Scalar, Target};
use crosstail_source::combination::{self, COMBINATIONS, Counted, Sum};
use crosstail_source::sql::Sql;
use crosstail_source::{Grouping, Groups, Measures, PageQuery};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// Undated rows per query.
const CHUNK: usize = 2000;

/// Figures of one table; `None` where the rows themselves must be read.
pub(super) async fn aggregate(
    reader: Reader<'_>,
    mapping: &Mapping,
    names: &Names,
    query: &PageQuery,
    grouping: &Grouping,
) -> Result<Option<Groups>, sqlx::Error> {
    let predicate = query.filter.predicate(&query.context);
    let hints = hints(reader, mapping, &predicate).await?;
    let Some(plan) = Plan::of(mapping, grouping, &predicate, &hints) else { return Ok(None) };
    let mut reading = reader.read().await?;
    reading.prefers_hashing().await?;
    let periods = match grouping.bucket_us {
        Some(us) if matches!(predicate, Predicate::All) && grouping.measures < Measures::All => {
            by_time::periods(&mut reading, mapping, query, us).await?
        }
        _ => None,
    };
    let statement = match periods {
        Some(periods) => by_time::statement(mapping, &plan.columns, &periods, COMBINATIONS + 1),
        None => plan.statement(query, reading.has_date_bin()),
    };
    let (mut groups, mut combinations) = (Groups::new(), 0);
    let read = reading.fetch_each(statement, |row| {
        combinations += 1;
        plan.add(&row, names, &mut groups)
    });
    match read.await {
        Ok(()) => {}
        // A value that the server cannot read is one that it cannot count.
        Err(error) if super::row::is_of_data(&error) => return Ok(None),
        Err(error) => return Err(error),
    }
    reading.end().await?;
    if combinations > COMBINATIONS {
        return Ok(None);
    }
    if query.includes_undated() {
        let mut after: Option<String> = None;
        loop {
            let page = undated(reader, mapping, names, &predicate, after.as_deref(), false, CHUNK).await?;
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
    /// What is grouped by: numbers of [`Mapping::columns`], and the SQL for each.
    columns: Vec<(usize, String)>,
    /// SQL for the duration, the processor's share and the memory.
    measures: [String; 3],
}

/// Of the text of an error, whether it is one.
fn has_error(text: &str) -> String {
    format!("CASE WHEN {} THEN 'none' WHEN {text} <> '' THEN '1' END", says_none(text))
}

impl<'a> Plan<'a> {
    fn of(mapping: &'a Mapping, grouping: &'a Grouping, predicate: &Predicate, hints: &Hints) -> Option<Self> {
        let condition = sql::condition(mapping, predicate, hints).sql;
        let residual = combination::residual(predicate, |part| sql::condition(mapping, part, hints).exact);
        let fields = combination::fields(grouping, &residual)?;
        let targets = combination::targets(&mapping.schema, &fields)?;
        if targets.iter().any(|target| mapping.is_opaque(*target)) {
            return None;
        }
        // Of an error it only matters whether there is one, and of a URL only its host, unless they are asked for.
        let whole_error = fields.contains(&Field::Error);
        let whole_url = fields.iter().any(|field| matches!(field, Field::Url | Field::Endpoint));
        let own_system = mapping.raw_text(Target::System);
        let mut columns: Vec<(usize, String)> = Vec::new();
        for one in mapping.selected.iter().filter(|one| targets.contains(&one.target.0)) {
            if columns.iter().any(|(known, _)| *known == one.column) {
                continue;
            }
            let expression = &mapping.columns[one.column].0;
            let is_text = matches!(mapping.columns[one.column].1, ColumnType::Text);
            let sql = match one.target.0 {
                Target::Error if !whole_error && is_text => has_error(expression),
                Target::Url if !whole_url && is_text => host(expression, own_system.as_deref()),
                _ => expression.clone(),
            };
            columns.push((one.column, sql));
        }
        // Sorting durations into their buckets costs more than counting.
        let measure = |field: Field, holds: &str| {
            let absent = grouping.measures < Measures::All || sql::is_absent(mapping, field);
            let value = if absent { Some("NULL".to_owned()) } else { sql::expression(mapping, field) };
            value.map(|value| format!("({value})::{holds}"))
        };
        let took = measure(Field::Duration, "int8")?;
        let measures = [took, measure(Field::Cpu, "float8")?, measure(Field::Memory, "float8")?];
        Some(Self { mapping, grouping, condition, residual, columns, measures })
    }

    fn statement(&self, query: &PageQuery, has_date_bin: bool) -> Sql {
        let mapping = self.mapping;
        let [took, cpu, memory] = &self.measures;
        let (bucket, start) = self
            .grouping
            .bucket_us
            .map_or_else(|| ("NULL::int8".to_owned(), "bucket".to_owned()), |us| mapping.time.bucket(us, has_date_bin));
        let mut inner = Sql::raw("SELECT ");
        for (index, (_, sql)) in self.columns.iter().enumerate() {
            inner.push(&format!("{sql} AS c{index}, "), []);
        }
        let from = &mapping.relation.sql;
        inner.push(&format!("{bucket} AS bucket, {took} AS took, {cpu} AS cpu, {memory} AS memory FROM {from} t"), []);
        // Rows without a time are counted locally.
        let mut parts = vec![self.condition.clone(), Sql::raw(mapping.time.dated())];
        parts.extend(query.since.map(|at| mapping.time_is(">=", at)));
        parts.extend(query.until.map(|at| mapping.time_is("<", at)));
        inner.append(" WHERE ", &Sql::join(parts, " AND "));
        let names: String = (0..self.columns.len()).map(|index| format!("c{index}, ")).collect();
        // The same buckets as `Latencies::bucket`.
        let latency = format!(
            "CASE WHEN took IS NULL THEN NULL WHEN took <= 1 THEN 0 ELSE ceil(ln(took::float8) / {}::float8)::int8 END",
            Latencies::LOG_GAMMA
        );
        let (latency, sums, by) = if self.grouping.measures < Measures::All {
            let none = "0::int8, NULL::float8, 0::int8, NULL::float8, 0::int8";
            ("NULL::int8".to_owned(), none, "")
        } else {
            (latency, "coalesce(sum(took), 0)::int8, sum(cpu), count(cpu), sum(memory), count(memory)", ", latency")
        };
        let mut outer = Sql::raw(format!("SELECT {names}{start}, {latency} AS latency, count(*), {sums} FROM ("));
        outer.append("", &inner);
        outer.push(&format!(") a GROUP BY {names}bucket{by} LIMIT {}", COMBINATIONS + 1), []);
        outer
    }

    /// Adds what a combination counts for.
    fn add(&self, row: &PgRow, names: &Names, groups: &mut Groups) -> Result<(), sqlx::Error> {
        let mapping = self.mapping;
        let mut values: Vec<Option<Scalar<'_>>> = vec![None; mapping.columns.len()];
        for (index, (column, _)) in self.columns.iter().enumerate() {
            values[*column] = scalar(row, index, mapping.columns[*column].1)?;
        }
        let n = self.columns.len();
        let bucket: Option<i64> = row.try_get(n)?;
        let latency: Option<i64> = row.try_get(n + 1)?;
        let whole = |index: usize| row.try_get::<i64, _>(n + 2 + index).map(saturating_u64);
        let mean = |index: usize| -> Result<Mean, sqlx::Error> {
            Ok(Mean { sum: row.try_get::<Option<f64>, _>(n + 2 + index)?.unwrap_or(0.0), count: whole(index + 1)? })
        };
        let activity = mapping.activity("", bucket, &values);
        let latency = latency.map(|bucket| Ok::<_, sqlx::Error>((saturating_usize(bucket), whole(1)?))).transpose()?;
        let counted = Counted { count: whole(0)?, latency, cpu: mean(2)?, memory: mean(4)? };
        let sum = Sum { grouping: self.grouping, names, residual: &self.residual };
        sum.add(&activity, bucket.map(Timestamp), counted, groups);
        Ok(())
    }
}

/// What of a URL names a system (see `system_of_url`), where the row has none of its own.
fn host(url: &str, own_system: Option<&str>) -> String {
    let host = format!(
        "CASE WHEN strpos({url}, '://') > 0 THEN '://' || substring(split_part({url}, '://', 2) from '^[^/?#:]*') END"
    );
    own_system.map_or(host.clone(), |own| format!("CASE WHEN {own} IS NULL THEN {host} END"))
}
