//! How a table stores its start time, and how moments are compared with it.

use crate::mapping::Mapping;
use crate::relation::{Column, ColumnType, LOCAL, micros, name};
use crosstail_core::model::Timestamp;
use crosstail_core::schema::Target;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};

/// The first moment that `datetime` has.
const FIRST: &str = "CAST('0001-01-01' AS DATETIME(6))";

impl Mapping {
    fn of_time(&self) -> Option<&Column> {
        self.relation.column(&self.table.time)
    }

    /// The column of the start time.
    pub(crate) fn time(&self) -> String {
        format!("t.{}", name(&self.table.time))
    }

    /// Whether the column may hold what is no time: texts, and numbers of another unit.
    pub(crate) fn may_hold_others(&self) -> bool {
        !matches!(self.of_time().map(|column| column.holds), Some(ColumnType::Time(_)))
    }

    /// Whether times are texts.
    pub(crate) fn is_text_time(&self) -> bool {
        self.of_time().is_some_and(|column| column.holds == ColumnType::Text)
    }

    /// Rows that have a time, or that have none: NULL, `0000-00-00`, a date without a month, a number out of range.
    pub(crate) fn timed(&self, is_timed: bool) -> Sql {
        let (column, time_us) = (self.time(), self.time_us());
        let of_time = self.of_time();
        Sql::raw(match of_time.map(|column| column.holds) {
            Some(ColumnType::Text) => format!("{time_us} IS {}NULL", if is_timed { "NOT " } else { "" }),
            Some(ColumnType::Time(_)) => {
                // Only these may lack a month or a day.
                let may_lack = of_time.is_some_and(|column| column.zoneless);
                match (is_timed, may_lack) {
                    (true, true) => format!("{column} >= {FIRST} AND {time_us} IS NOT NULL"),
                    (true, false) => format!("{column} >= {FIRST}"),
                    (false, true) => format!("({column} < {FIRST} OR {time_us} IS NULL)"),
                    (false, false) => self.untimed(),
                }
            }
            _ if is_timed => {
                let (low, high) = self.table.time_unit.bounds();
                format!("{column} >= {low} AND {column} < {high}")
            }
            _ => self.untimed(),
        })
    }

    /// Rows without a time that an index finds.
    pub(crate) fn untimed(&self) -> String {
        let column = self.time();
        match self.of_time().map(|column| column.holds) {
            Some(ColumnType::Text) => self.timed(false).text,
            Some(ColumnType::Time(_)) => format!("({column} IS NULL OR {column} < {FIRST})"),
            _ => {
                let (low, high) = self.table.time_unit.bounds();
                format!("({column} IS NULL OR {column} < {low} OR {column} >= {high})")
            }
        }
    }

    /// Whether an index finds the rows without a time: of texts, only reading them tells.
    pub(crate) fn finds_untimed(&self) -> bool {
        !self.is_text_time() && self.relation.indexed.contains(&self.table.time)
    }

    /// Whether the column holds numbers that are finer than microseconds, or may be.
    fn is_fine(&self) -> bool {
        match self.of_time().map(|column| column.holds) {
            Some(ColumnType::Float) => true,
            Some(ColumnType::Int | ColumnType::Unsigned) => self.table.time_unit.us().is_none(),
            _ => false,
        }
    }

    /// Whether the time column has the order of the time, and nothing finer.
    pub(crate) fn is_exact(&self) -> bool {
        !self.is_fine() && self.of_time().is_none_or(|column| column.holds != ColumnType::Text)
    }

    /// What rows are sorted by.
    pub(crate) fn order(&self) -> String {
        if self.is_exact() { self.time() } else { format!("({})", self.time_us()) }
    }

    /// A comparison of the time, by the column itself so that its index serves.
    pub(crate) fn time_is(&self, op: &str, at: Timestamp) -> Sql {
        let column = self.time();
        match self.of_time() {
            Some(Column { holds: ColumnType::Time(zone_us), zoneless, .. }) => {
                let own =
                    if self.local && *zoneless { Timestamp(self.table.local_of(at)) } else { at.plus_us(*zone_us) };
                let text = date_text(own);
                Sql::with(format!("{column} {op} CAST({PLACEHOLDER} AS DATETIME(6))"), Bind::Text(text))
            }
            Some(_) if self.is_fine() => {
                let mut sql = Sql::with(format!("{} {op} {PLACEHOLDER}", self.time_us()), Bind::Int(at.0));
                // The column narrows what is read; its own fraction is finer.
                let (op, us) = if op.starts_with('>') { (">=", at.plus_us(-2).0) } else { ("<=", at.plus_us(2).0) };
                sql.push(&format!(" AND {column} {op} {}", self.table.time_unit.written(us)), []);
                sql
            }
            Some(Column { holds: ColumnType::Text, .. }) => {
                Sql::with(format!("{} {op} {PLACEHOLDER}", self.time_us()), Bind::Int(at.0))
            }
            _ => {
                let unit = self.table.time_unit.us().unwrap_or(1);
                let (down, rest) = (at.0.div_euclid(unit), at.0.rem_euclid(unit));
                let up = if rest == 0 { down } else { down + 1 };
                let stored = if matches!(op, ">=" | "<") { up } else { down };
                Sql::with(format!("{column} {op} {PLACEHOLDER}"), Bind::Int(stored))
            }
        }
    }

    /// Microseconds since the epoch of the time column; of local times, as if they were in UTC.
    pub(crate) fn time_us(&self) -> String {
        let column = self.time();
        match self.of_time() {
            Some(Column { holds: ColumnType::Time(_), zoneless: true, .. }) if self.local => micros(&column, LOCAL),
            Some(Column { holds: ColumnType::Time(zone_us), .. }) => micros(&column, *zone_us),
            Some(_) if self.is_fine() => {
                self.within(&format!("CAST(FLOOR({}) AS SIGNED)", self.table.time_unit.to_us(&column)))
            }
            Some(Column { holds: ColumnType::Text, .. }) => text_us(&column),
            _ => self.within(&self.table.time_unit.to_us(&format!("CAST({column} AS SIGNED)"))),
        }
    }

    /// The time of a number that is one; NULL of others: to multiply them would be an error.
    fn within(&self, time_us: &str) -> String {
        let (column, (low, high)) = (self.time(), self.table.time_unit.bounds());
        format!("(CASE WHEN {column} >= {low} AND {column} < {high} THEN {time_us} END)")
    }

    /// The moment of what was read of [`Self::time_us`].
    pub(crate) fn known_moment(&self, us: Option<i64>) -> Option<Timestamp> {
        us.filter(|us| *us >= Timestamp::FIRST.0).map(|us| self.moment(us))
    }

    /// The moment of a value of [`Self::time_us`].
    pub(crate) fn moment(&self, us: i64) -> Timestamp {
        if self.is_local(Target::StartedAt) { self.table.moment_of(us) } else { Timestamp(us) }
    }

    /// Whether what fills a target, or the time, is in a zone that SQL does not know.
    pub(crate) fn is_local(&self, target: Target) -> bool {
        let is_time = target == Target::StartedAt && self.local && self.of_time().is_some_and(|c| c.zoneless);
        is_time || self.sources(target).iter().any(|(_, holds)| *holds == ColumnType::Time(LOCAL))
    }
}

/// Microseconds since the epoch of an ISO 8601 text, or of digits, whose number says the unit; NULL where it is none.
fn text_us(column: &str) -> String {
    let whole = format!("CONVERT({column} USING utf8mb4)");
    // The zone has a form of its own, and what is left of it is the clock's.
    let text = format!("REPLACE(TRIM(TRAILING ' GMT' FROM TRIM(TRAILING ' UTC' FROM {whole})), ',', '.')");
    let sign = format!("(CASE WHEN {text} REGEXP '^.{{11}}.*-[0-9]{{2}}(:?[0-9]{{2}})?$' THEN -1 ELSE 1 END)");
    let offset = format!(
        "(CASE WHEN {text} REGEXP '^.{{11}}.*[+-][0-9]{{2}}:?[0-9]{{2}}$' THEN {sign} * (SUBSTR(REPLACE(RIGHT({text}, 6), ':', ''), -4, 2) * 60 \
         + RIGHT({text}, 2)) * 60000000 WHEN {text} REGEXP '^.{{11}}.*[+-][0-9]{{2}}$' THEN {sign} * RIGHT({text}, 2) * 3600000000 ELSE 0 END)"
    );
    format!(
        "(CASE WHEN {text} REGEXP '^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?[ ]?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)?)?$' \
         THEN TIMESTAMPDIFF(MICROSECOND, '1970-01-01', CAST(REPLACE(REGEXP_SUBSTR({text}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}([.][0-9]{{1,6}})?)?)?'), 'T', ' ') AS DATETIME(6))) - {offset} \
         WHEN {whole} REGEXP '^([0-9]{{10}}|[0-9]{{13}}|[0-9]{{16}}|[0-9]{{19}})([.][0-9]+)?$' THEN FLOOR(CAST({whole} AS DECIMAL(30, 9)) * \
         CASE LENGTH(SUBSTRING_INDEX({whole}, '.', 1)) WHEN 10 THEN 1000000 WHEN 13 THEN 1000 WHEN 16 THEN 1 ELSE 0.001 END) END)"
    )
}

/// A moment as MySQL writes it, within what its type holds.
fn date_text(at: Timestamp) -> String {
    const RANGE: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    let at = at.0.clamp(RANGE.0, RANGE.1);
    let date = chrono::DateTime::from_timestamp_micros(at).unwrap_or_default();
    date.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
