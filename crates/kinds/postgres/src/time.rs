//! How a table stores its start time, and how moments are compared with it. The value in microseconds is the definition;
//! where it is coarser than the column, or not in its order, the column only narrows what is read.

use super::relation::{Column, ColumnType};
use crosstail_core::model::Timestamp;
use crosstail_core::schema::{Table, TimeUnit, other_unit};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal, name};

/// The time column of a table.
#[derive(Debug, Clone)]
pub(super) struct TimeColumn {
    /// The column, quoted.
    pub(super) column: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// `timestamptz`.
    Zoned,
    /// `timestamp` or `date`, in UTC.
    Plain,
    /// `timestamp` or `date` in another zone: in autumn an hour comes twice.
    Local(String),
    /// A whole number, which is not finer than microseconds.
    Whole(TimeUnit),
    /// A number with a fraction, or of nanoseconds.
    Fraction { unit: TimeUnit, type_name: String },
    /// ISO 8601; whether texts are in the order of their characters' numbers. Some may be digits since the epoch.
    Text { by_code: bool, digits: bool },
}

/// The years that times are understood in: beyond, the driver and our own text have none.
const FIRST: &str = "0001-01-01";
const LAST: &str = "10000-01-01";
const DAY_US: i64 = 86_400_000_000;
/// The type of whole numbers.
const WHOLE: &str = "int8";
/// Times that local clocks can be apart from their order, with days that zones have skipped.
const LOCAL_SLACK: &str = "interval '26 hours'";
/// An ISO 8601 text: date, time, fraction, zone.
const ISO: &str = "'^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])([T ]([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d([.,]\\d+)?)?\\s*(Z|UTC|GMT|[+-]\\d\\d(:?\\d\\d)?( UTC)?)?)?\\s*$'";

/// Digits since the epoch, whose number before the point says the unit.
const DIGITS: &str = "'^(\\d{10}|\\d{13}|\\d{16}|\\d{19})(\\.\\d+)?$'";

impl TimeColumn {
    /// The time column of a table; an error says what is wrong with its type.
    pub(super) fn new(table: &Table, column: &Column) -> Result<Self, String> {
        let form = match (column.value_type, column.type_name.as_str()) {
            (ColumnType::Time, "timestamptz") => Form::Zoned,
            (ColumnType::Time, _) => match &table.time_zone {
                Some(zone) if zone != "UTC" => Form::Local(zone.clone()),
                _ => Form::Plain,
            },
            (ColumnType::Int, _) => Form::of_whole(table.time_unit),
            (ColumnType::Float, type_name) => Form::Fraction { unit: table.time_unit, type_name: type_name.to_owned() },
            (ColumnType::Text, _) => Form::Text { by_code: column.by_code, digits: false },
            (_, type_name) => {
                return Err(format!(
                    "[table] time = \"{}\": a column of type {type_name} is no time; name one of type timestamptz, timestamp or \
                     date, a number since the epoch (with time_unit), or a text in ISO 8601",
                    column.name
                ));
            }
        };
        Ok(Self { column: format!("t.{}", name(&column.name)), form })
    }

    /// Whether the unit is to be checked against the values.
    pub(super) fn is_number(&self) -> bool {
        matches!(self.form, Form::Whole(_) | Form::Fraction { .. })
    }

    /// A question for whether texts are digits since the epoch; `None` of what is no text.
    pub(super) fn asks_for_digits(&self) -> Option<String> {
        matches!(self.form, Form::Text { .. }).then(|| format!("{}::text ~ {DIGITS}", self.column))
    }

    /// Takes some texts for digits since the epoch.
    pub(super) fn take_digits(&mut self) {
        if let Form::Text { digits, .. } = &mut self.form {
            *digits = true;
        }
    }

    /// Takes the unit that values have, where the schema's gives no time of this century. Returns what to say.
    pub(super) fn correct(&mut self, largest: f64) -> Option<String> {
        let (Form::Whole(stated) | Form::Fraction { unit: stated, .. }) = self.form.clone() else { return None };
        let found = stated.corrected(largest)?;
        self.form = match &self.form {
            Form::Fraction { type_name, .. } if type_name != WHOLE => {
                Form::Fraction { unit: found, type_name: type_name.clone() }
            }
            _ => Form::of_whole(found),
        };
        Some(other_unit(stated, found))
    }

    /// A moment as the column holds it, known when a statement is planned; `None` where it is no plain time.
    pub(super) fn literal(&self, at: Timestamp) -> Option<String> {
        let kind = match self.form {
            Form::Zoned => "timestamptz",
            Form::Plain => "timestamp",
            _ => return None,
        };
        Some(if at >= Timestamp::BEYOND { format!("{kind} '{LAST}'") } else { format!("{kind} '{}'", at.rfc3339()) })
    }

    /// Whether the column has the order of the time, and nothing finer.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self.form, Form::Zoned | Form::Plain | Form::Whole(_))
    }

    /// SQL for microseconds since the epoch; NULL where there is no time that is understood.
    pub(super) fn us(&self) -> String {
        let column = &self.column;
        match &self.form {
            Form::Zoned | Form::Plain => micros(column),
            Form::Local(zone) => micros(&at_zone(column, zone)),
            Form::Whole(unit) => {
                let (within, us) = (within(column, *unit), unit.to_us(&format!("{column}::int8")));
                format!("CASE WHEN {within} THEN {us} END")
            }
            Form::Fraction { unit, type_name } => {
                let exact = type_name == "numeric" || type_name == WHOLE;
                let number = if exact { "numeric" } else { "float8" };
                let (within, us) = (within(column, *unit), unit.to_us(&format!("{column}::{number}")));
                format!("CASE WHEN {within} THEN floor({us})::int8 END")
            }
            Form::Text { digits, .. } => text_us(column, *digits),
        }
    }

    /// SQL for the start of the period of so many microseconds that a row is in, as rows are grouped by it, and for that
    /// in microseconds, from a column `bucket`.
    pub(super) fn bucket(&self, us: i64, has_date_bin: bool) -> (String, String) {
        match &self.form {
            Form::Zoned | Form::Plain if has_date_bin => {
                let kind = if self.form == Form::Zoned { "timestamptz" } else { "timestamp" };
                let column = &self.column;
                (
                    format!("date_bin({us} * interval '1 microsecond', {column}::{kind}, {kind} 'epoch')"),
                    "(extract(epoch FROM bucket) * 1000000)::int8".to_owned(),
                )
            }
            _ => (format!("(floor(({})::numeric / {us}) * {us})::int8", self.us()), "bucket".to_owned()),
        }
    }

    /// The key of the order.
    pub(super) fn order(&self) -> String {
        if self.is_exact() { self.column.clone() } else { format!("({})", self.us()) }
    }

    /// Rows that have a time.
    pub(super) fn dated(&self) -> String {
        let column = &self.column;
        match &self.form {
            Form::Zoned | Form::Plain | Form::Local(_) => format!("{column} >= '{FIRST}' AND {column} < '{LAST}'"),
            Form::Whole(unit) | Form::Fraction { unit, .. } => within(column, *unit),
            Form::Text { .. } => format!("({}) IS NOT NULL", self.us()),
        }
    }

    /// Whether the column may hold what is no time: texts, and numbers of another unit.
    pub(super) fn may_hold_others(&self) -> bool {
        matches!(self.form, Form::Text { .. } | Form::Whole(_) | Form::Fraction { .. })
    }

    /// Whether an index of the column finds the rows that have none.
    pub(super) fn indexes_undated(&self) -> bool {
        !matches!(self.form, Form::Text { .. })
    }

    /// Rows that have none.
    pub(super) fn undated(&self) -> String {
        let column = &self.column;
        // Each part is one that an index of the column answers.
        match &self.form {
            Form::Zoned | Form::Plain | Form::Local(_) => {
                format!("({column} IS NULL OR {column} < '{FIRST}' OR {column} >= '{LAST}')")
            }
            Form::Whole(unit) | Form::Fraction { unit, .. } => {
                let (low, high) = unit.bounds();
                format!("({column} IS NULL OR {column} < {low} OR {column} >= {high})")
            }
            Form::Text { .. } => format!("({}) IS NULL", self.us()),
        }
    }

    /// Compares the time with a moment: exactly, and by the column itself where an index of it helps.
    pub(super) fn is(&self, op: &str, at: Timestamp) -> Sql {
        let column = &self.column;
        match &self.form {
            Form::Zoned | Form::Plain => {
                let moment = moment(self.form == Form::Zoned);
                Sql::with(
                    format!("{column} {op} {moment}"),
                    Bind::Int(at.0.clamp(Timestamp::FIRST.0, Timestamp::BEYOND.0)),
                )
            }
            Form::Whole(unit) => {
                let unit = unit.us().unwrap_or(1);
                let down = at.0.div_euclid(unit);
                let up = if at.0.rem_euclid(unit) == 0 { down } else { down + 1 };
                let stored = if matches!(op, ">=" | "<") { up } else { down };
                Sql::with(format!("{column} {op} {PLACEHOLDER}::int8"), Bind::Int(stored))
            }
            _ => {
                let mut sql = Sql::with(format!("({}) {op} {PLACEHOLDER}::int8", self.us()), Bind::Int(at.0));
                if let Some(near) = self.near(op, at) {
                    sql.append(" AND ", &near);
                }
                sql
            }
        }
    }

    /// A comparison of the column that holds wherever one of the time does.
    fn near(&self, op: &str, at: Timestamp) -> Option<Sql> {
        let column = &self.column;
        let upwards = op.starts_with('>');
        let op = if upwards { ">=" } else { "<=" };
        match &self.form {
            Form::Local(zone) => {
                let sign = if upwards { "-" } else { "+" };
                let local = format!("({} AT TIME ZONE {})", moment(true), literal(zone));
                let bound = format!("{column} {op} {local} {sign} {LOCAL_SLACK}");
                Some(Sql::with(bound, Bind::Int(at.0.clamp(Timestamp::FIRST.0, Timestamp::BEYOND.0))))
            }
            Form::Fraction { unit, type_name } => {
                let bound = number(*unit, type_name, at.plus_us(if upwards { -2 } else { 2 }).0);
                Some(Sql::raw(format!("{column} {op} {bound}")))
            }
            Form::Text { by_code: true, digits: false } => {
                // The day as it is written is at most one away from that in UTC.
                let day = at.plus_us(if upwards { -2 * DAY_US } else { 2 * DAY_US }).rfc3339();
                let day = day
                    .get(..10)
                    .filter(|_| (Timestamp::FIRST.0 + 9 * DAY_US..Timestamp::BEYOND.0 - 9 * DAY_US).contains(&at.0))?;
                Some(Sql::with(format!("{column} {op} {PLACEHOLDER}::text"), Bind::Text(day.to_owned())))
            }
            _ => None,
        }
    }

    /// The slack within which the order of the column can differ from that of the time, to be taken from a value of the
    /// column; `None` where the column has no such order.
    pub(super) fn slack(&self) -> Option<String> {
        match &self.form {
            Form::Local(_) => Some(LOCAL_SLACK.to_owned()),
            Form::Fraction { unit, type_name } => Some(number(*unit, type_name, 2)),
            _ => None,
        }
    }
}

impl Form {
    /// Nanoseconds are finer than the order of a page.
    fn of_whole(unit: TimeUnit) -> Self {
        match unit.us() {
            Some(_) => Self::Whole(unit),
            None => Self::Fraction { unit, type_name: WHOLE.to_owned() },
        }
    }
}

/// Microseconds in the unit of a column, in a type that its index compares it with.
fn number(unit: TimeUnit, type_name: &str, us: i64) -> String {
    let number = unit.written(us);
    match type_name {
        "numeric" => format!("'{number}'::numeric"),
        WHOLE => format!("'{}'::int8", us.saturating_mul(1000)),
        _ => format!("'{number}'::float8"),
    }
}

/// Whether a number is a time.
fn within(column: &str, unit: TimeUnit) -> String {
    let (low, high) = unit.bounds();
    format!("{column} >= {low} AND {column} < {high}")
}

/// A parameter in microseconds, as a moment.
fn moment(zoned: bool) -> String {
    let epoch = if zoned { "timestamptz 'epoch'" } else { "timestamp 'epoch'" };
    format!("({epoch} + {PLACEHOLDER}::int8 * interval '1 microsecond')")
}

/// The moment of a local time.
pub(super) fn at_zone(sql: &str, zone: &str) -> String {
    format!("({sql}::timestamp AT TIME ZONE {})", literal(zone))
}

/// SQL for microseconds since the epoch; NULL for `infinity` and for years that have no place in them.
pub(super) fn micros(sql: &str) -> String {
    format!("CASE WHEN {sql} >= '{FIRST}' AND {sql} < '{LAST}' THEN (extract(epoch FROM {sql}) * 1000000)::int8 END")
}

/// Microseconds since the epoch of an ISO 8601 text, without an error for any text: a day that a month does not have is
/// one of the next month.
fn text_us(column: &str, digits: bool) -> String {
    let text = format!("{column}::text");
    let part = |from: u8, length: u8| format!("substr({text}, {from}, {length})::int");
    let clock = format!("coalesce(nullif(substring({text} from '^.{{10}}[T ](\\d\\d):'), '')::int, 0)");
    let minutes = format!("coalesce(nullif(substring({text} from '^.{{13}}:(\\d\\d)'), '')::int, 0)");
    let seconds = format!(
        "coalesce(nullif(replace(substring({text} from '^.{{16}}:(\\d\\d(?:[.,]\\d{{1,6}})?)'), ',', '.'), '')::numeric, 0)"
    );
    let sign = format!("(CASE WHEN {text} ~ '^.{{11}}.*-\\d\\d(:?\\d\\d)?( UTC)?\\s*$' THEN -1 ELSE 1 END)");
    let zone_hours =
        format!("coalesce(substring({text} from '^.{{11}}.*[+-](\\d\\d)(?::?\\d\\d)?(?: UTC)?\\s*$')::int, 0)");
    let zone_minutes =
        format!("coalesce(substring({text} from '^.{{11}}.*[+-]\\d\\d:?(\\d\\d)(?: UTC)?\\s*$')::int, 0)");
    let days = format!(
        "(make_date(greatest({}, 1), {}, 1) - date '1970-01-01' + {} - 1)::int8",
        part(1, 4),
        part(6, 2),
        part(9, 2)
    );
    let digits = if digits {
        format!(
            " WHEN {text} ~ {DIGITS} THEN floor({text}::numeric * CASE length(split_part({text}, '.', 1)) WHEN 10 THEN 1000000 WHEN 13 THEN 1000 WHEN 16 THEN 1 \
             ELSE 0.001 END)::int8"
        )
    } else {
        String::new()
    };
    format!(
        "CASE WHEN {column}::text ~ {ISO} THEN ({days} * 86400 + {clock} * 3600 + {minutes} * 60 \
         - {sign} * ({zone_hours} * 3600 + {zone_minutes} * 60)) * 1000000 + floor({seconds} * 1000000)::int8{digits} END"
    )
}
