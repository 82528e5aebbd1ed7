//! How a column stores the start time: numbers of any unit, days, texts; a row at a time, whatever the column is declared to hold.

use super::connection::Reader;
use super::mapping::{Relation, text_of};
use super::value::{is_of_data, scalar};
use super::zone;
use crosstail_core::schema::{Scalar, Table, other_unit};
use crosstail_source::sql::{OTHER_UNIT_US, Sql, TIME_ROWS, name, no_time, no_times};

/// Looks at the values of the time column: corrects the unit of numbers, and notes what is no time. A text where no text of the
/// column is one.
pub(super) async fn look_at_times(
    reader: Reader<'_>,
    table: &mut Table,
    relation: &mut Relation,
) -> Result<Option<String>, sqlx::Error> {
    let (from, time) = (name(&table.name), name(&table.time));
    let sampled = format!("(SELECT {time} FROM {from} LIMIT {TIME_ROWS})");
    // One number that is no time of this century in the unit that the schema says makes no other unit.
    let unit = table.time_unit;
    let (low, high) = (unit.written(946_684_800_000_000), unit.written(4_102_444_800_000_000));
    let text = format!(
        "SELECT CASE WHEN max({time} >= {low} AND {time} < {high}) THEN NULL ELSE max({time}) + 0.0 END FROM {sampled} \
         WHERE typeof({time}) IN ('integer', 'real') AND {time} < 9e18"
    );
    let largest = match reader.fetch(Sql::raw(text)).await {
        // What cannot be computed is told where it is read.
        Err(error) if is_of_data(&error) => return Ok(None),
        rows => rows?,
    };
    let largest = largest.first().map(|row| scalar(row, 0)).transpose()?.flatten();
    if let Some(Scalar::Float(largest)) = largest
        && let Some(unit) = table.time_unit.corrected(largest)
    {
        relation.other_unit = Some(format!("{}: {}", table.name, other_unit(table.time_unit, unit)));
        table.time_unit = unit;
    }
    relation.whole &= table.time_unit.us().is_some();
    let us = time_us(table, false);
    let shown = text_of(&time);
    let text = format!(
        "SELECT min(CASE WHEN us IS NULL OR typeof({time}) <> 'text' AND us > 0 AND us < {OTHER_UNIT_US} THEN substr({shown}, 1, 40) END), \
         count(us), count(*) - count(CASE WHEN typeof({time}) = 'text' THEN 1 END) \
         FROM (SELECT {time}, {us} AS us FROM {sampled} WHERE {time} IS NOT NULL AND {time} <> '')"
    );
    let rows = match reader.fetch(Sql::raw(text)).await {
        Err(error) if is_of_data(&error) => return Ok(None),
        rows => rows?,
    };
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(Scalar::Text(example)) = scalar(row, 0)? else { return Ok(None) };
    if (scalar(row, 1)?, scalar(row, 2)?) == (Some(Scalar::Int(0)), Some(Scalar::Int(0))) {
        return Ok(Some(no_times(&table.name, &table.time, &example)));
    }
    relation.no_time = Some(no_time(&table.name, &table.time, &example));
    Ok(None)
}

/// The days of the years 1900 to 2099, as SQLite counts them in numbers with a fraction (documentation, "Date And Time
/// Functions").
pub(super) const JULIAN: (f64, f64) = (2_415_020.5, 2_488_069.5);

/// SQL for the start of a row, whatever type its value has. `whole`: rows are sorted by the column itself, so that it has
/// to be a whole number.
pub(super) fn time_us(table: &Table, whole: bool) -> String {
    let column = name(&table.time);
    let (low, high) = table.time_unit.bounds();
    let within = format!("{column} >= {low} AND {column} < {high} THEN");
    let us = table.time_unit.to_us(&column);
    if whole {
        return format!("CASE typeof({column}) WHEN 'integer' THEN CASE WHEN {within} {us} END END");
    }
    // Days have milliseconds: the fraction is taken from the text.
    let text = "CAST(strftime('%s', replace(x, ',', '.')) AS INTEGER) * 1000000 + CASE WHEN substr(x, 20, 1) IN ('.', ',') \
         THEN CAST(round(CAST('0.' || substr(x, 21, 6) AS REAL) * 1000000) AS INTEGER) ELSE 0 END";
    let text = if table.is_local() {
        format!("CASE WHEN {} THEN {text} ELSE {} END", zone::has_zone("x"), zone::moment_of(table, text))
    } else {
        text.to_owned()
    };
    let (first, last) = JULIAN;
    format!(
        "CASE typeof({column}) WHEN 'integer' THEN CASE WHEN {within} {us} END \
         WHEN 'real' THEN CASE WHEN {column} >= {first} AND {column} < {last} \
         THEN CAST(round(({column} - 2440587.5) * 86400000) AS INTEGER) * 1000 WHEN {within} CAST({us} AS INTEGER) END \
         WHEN 'text' THEN CASE WHEN length({column}) >= 10 AND substr({column}, 5, 1) = '-' THEN (SELECT {text} FROM (SELECT {} AS x)) \
         WHEN {column} NOT GLOB '*[^0-9.]*' AND {column} NOT GLOB '*.*.*' AND {column} NOT GLOB '.*' THEN {} END END",
        spelt(&column),
        digits(&column)
    )
}

/// SQL for a text with the zone as SQLite reads it.
fn spelt(column: &str) -> String {
    format!(
        "CASE WHEN {column} LIKE '% UTC' OR {column} LIKE '% GMT' THEN substr({column}, 1, length({column}) - 4) || 'Z' \
         WHEN {column} GLOB '*:*[0-9 ][+-][0-9][0-9][0-9][0-9]' THEN substr({column}, 1, length({column}) - 2) || ':' || substr({column}, -2) \
         WHEN {column} GLOB '*:*[0-9 ][+-][0-9][0-9]' THEN {column} || ':00' ELSE {column} END"
    )
}

/// SQL for the time of digits, whose number before the point says the unit.
fn digits(column: &str) -> String {
    let whole = format!("substr({column}, 1, instr({column} || '.', '.') - 1)");
    let of = |unit: u32| {
        format!(
            "CAST({whole} AS INTEGER) * {unit} + CAST(CAST('0' || substr({column}, instr({column} || '.', '.')) AS REAL) * {unit} + 0.000001 AS INTEGER)"
        )
    };
    format!(
        "CASE length({whole}) WHEN 10 THEN {} WHEN 13 THEN {} WHEN 16 THEN CAST({whole} AS INTEGER) \
         WHEN 19 THEN CAST({whole} AS INTEGER) / 1000 END",
        of(1_000_000),
        of(1000)
    )
}
