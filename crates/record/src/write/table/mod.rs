//! The tables of the systems, and how an activity becomes a row of each.
//!
//! A table is described by a file under `config/tables/`: which column gets which value of an activity, by which
//! conversion, and how long it may be. The description names no dialect. A writer asks for the [`Cell`]s of a row and
//! renders them as its store wants them, so that PostgreSQL and MySQL share a file, and MongoDB has the same terms.
//!
//! The files are apart from the schemas in `config/schemas/`, which say how a record is *read*: a schema reads columns
//! under several names from several kinds of store, may be a user's own, and belongs to programs that write nothing.
//! A description is of one table and its only reader is this crate.

mod cell;
#[cfg(feature = "mongodb")]
mod document;
mod field;

pub use cell::{Cell, ColumnType, Conversion};
#[cfg(feature = "mongodb")]
pub(super) use document::{Document, Node};
pub use field::Field;

use crate::{Outcome, Start, WriteStep};
use crosstail_core::model::{Direction, Status};
use field::Facts;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A table of one of the systems, in a relational database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// ProKure's `integration.api_request_logs`: calls out. See `docs/reference/prokure.md`.
    ApiRequestLogs,
    /// The Supabase activity log's `integration_activity_log`. See `docs/reference/supabase-activity-log.md`.
    IntegrationActivityLog,
    /// Log tracking's `logs`: one row an activity, written at its end. See `docs/reference/log-tracking.md`.
    Logs,
    /// The engineering logs' `log_entries`, with the `alerts` that errors raise. See
    /// `docs/reference/engineering-logs.md`.
    LogEntries,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ApiRequestLogs, Self::IntegrationActivityLog, Self::Logs, Self::LogEntries];

    /// The name in the database, with its schema where that is not the default one.
    pub fn as_str(self) -> &'static str {
        &self.layout().name
    }

    /// The crosstail schema that reads the table, which is also what `crosstail schema apply` creates it by.
    pub fn schema(self) -> &'static str {
        &self.layout().schema
    }

    /// The table that a schema reads, if it is one of these.
    pub fn of_schema(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.schema() == name)
    }

    /// How an activity becomes a row.
    pub fn layout(self) -> &'static Layout {
        static LAYOUTS: LazyLock<[Layout; 4]> = LazyLock::new(|| {
            [
                Layout::built_in(include_str!("../../../../../config/tables/api_request_logs.toml")),
                Layout::built_in(include_str!("../../../../../config/tables/integration_activity_log.toml")),
                Layout::built_in(include_str!("../../../../../config/tables/logs.toml")),
                Layout::built_in(include_str!("../../../../../config/tables/log_entries.toml")),
            ]
        });
        &LAYOUTS[self as usize]
    }
}

/// ProKure's collection in MongoDB.
#[cfg(feature = "mongodb")]
pub(super) fn integration_logs() -> &'static Layout {
    static LAYOUT: LazyLock<Layout> =
        LazyLock::new(|| Layout::built_in(include_str!("../../../../../config/tables/integration_logs.toml")));
    &LAYOUT
}

/// Which activities the system that owns a table logs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accepts {
    /// Every activity, log lines included.
    All,
    /// Activities that have an outcome; no log lines.
    Calls,
    /// Of these, the ones that go out to another system.
    CallsOut,
}

/// A moment in the life of an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// When it starts.
    Start,
    /// When its outcome is known.
    End,
}

/// How an activity is written into one table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The name of the table or collection.
    pub name: String,
    /// The crosstail schema that reads it.
    pub schema: String,
    /// Which activities the table has.
    pub accepts: Accepts,
    /// When a row is inserted. One that is inserted at the start is updated at the end; see [`Self::set_at_end`].
    pub inserted_at: Moment,
    /// The column by which the row of an activity is found again.
    #[serde(default)]
    pub key: Option<String>,
    /// What an outcome without a status counts as; without one it has none.
    #[serde(default, deserialize_with = "status")]
    pub assumed_status: Option<Status>,
    /// The columns, in their order.
    pub columns: Vec<Column>,
    /// Documents within a document that are there only where the activity has one of some values.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<Field>>,
}

/// One column of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name. In a document, dots lead into documents within.
    pub name: String,
    /// What it holds, in neutral terms.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// The value of an activity that it gets: the first of these that there is. Without one it gets the default.
    #[serde(default)]
    pub from: Fields,
    /// How the value is converted.
    #[serde(default, rename = "as")]
    pub conversion: Conversion,
    /// The words that count as a value; any other counts as none.
    #[serde(default)]
    pub only: Vec<String>,
    /// The words that count as no value.
    #[serde(default)]
    pub except: Vec<String>,
    /// The activity's word → the table's; words that are not named stay.
    #[serde(default)]
    pub words: BTreeMap<String, String>,
    /// Where the value is to come from if there is none so far.
    #[serde(default)]
    pub or: Option<Alternative>,
    /// What it gets if there is none at all; NULL without it.
    #[serde(default)]
    pub default: Option<Constant>,
    /// The most characters that it holds; longer text is clipped.
    #[serde(default)]
    pub clip: Option<usize>,
    /// In a document: left out if there is no value, where others are null.
    #[serde(default)]
    pub optional: bool,
    /// In a document: written at this moment only.
    #[serde(default)]
    pub only_at: Option<Moment>,
    /// Further values that the object gets, which is made if there is none.
    #[serde(default)]
    pub with: Vec<Member>,
}

/// Where the value of a column comes from if the column's own `from` has none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// The values of an activity: the first of these that there is.
    pub from: Fields,
    /// How the value is converted.
    #[serde(default, rename = "as")]
    pub conversion: Conversion,
    /// The words that count as a value; any other counts as none.
    #[serde(default)]
    pub only: Vec<String>,
    /// The activity's word → the table's.
    #[serde(default)]
    pub words: BTreeMap<String, String>,
}

/// A value that is put into a column's object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The name within the object.
    pub name: String,
    /// The value of the activity.
    pub from: Field,
}

/// A value that is always the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Constant {
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

/// One value of an activity, or several, of which the first one there is counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Fields(Vec<Field>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Field),
    Many(Vec<Field>),
}

impl From<OneOrMany> for Fields {
    fn from(fields: OneOrMany) -> Self {
        match fields {
            OneOrMany::One(field) => Self(vec![field]),
            OneOrMany::Many(fields) => Self(fields),
        }
    }
}

fn status<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
    let word = String::deserialize(deserializer)?;
    let status = Status::parse(&word);
    status.map(Some).ok_or_else(|| serde::de::Error::custom(format!("no status '{word}'")))
}

impl Column {
    /// Whether the outcome of an activity can change it.
    pub fn is_of_outcome(&self) -> bool {
        let own = self.from.0.iter();
        own.chain(self.or.iter().flat_map(|or| &or.from.0)).any(Field::is_of_outcome)
    }
}

impl Layout {
    /// Reads the text of a description.
    ///
    /// # Errors
    ///
    /// If the text is not TOML, names a field, type or conversion that there is none of, or is at odds with itself: no
    /// columns, a key that is no column, a table that is inserted at the start and has no key.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let layout: Self = toml::from_str(text)?;
        let name = &layout.name;
        anyhow::ensure!(!layout.columns.is_empty(), "table {name}: there are no columns");
        if let Some(key) = &layout.key {
            let known = layout.columns.iter().any(|column| column.name == *key);
            anyhow::ensure!(known, "table {name}: its key {key} is not among its columns");
        }
        let updated = layout.inserted_at == Moment::Start;
        anyhow::ensure!(!updated || layout.key.is_some(), "table {name}: what is updated needs a key");
        let mut seen = BTreeSet::new();
        for column in &layout.columns {
            let new = seen.insert((&column.name, column.only_at == Some(Moment::Start)));
            anyhow::ensure!(new, "table {name}: {} is there twice", column.name);
        }
        Ok(layout)
    }

    /// One of this crate. A mistake in it fails the tests; a program gets a table without columns, whose writer
    /// reports what the store says to that.
    fn built_in(text: &str) -> Self {
        let layout = Self::parse(text);
        debug_assert!(layout.is_ok(), "{layout:?}\n{text}");
        layout.unwrap_or_else(|_| Self {
            name: String::new(),
            schema: String::new(),
            accepts: Accepts::All,
            inserted_at: Moment::End,
            key: None,
            assumed_status: None,
            columns: Vec::new(),
            groups: BTreeMap::new(),
        })
    }

    /// Whether the system that owns the table logs such an activity there.
    pub fn accepts(&self, start: &Start) -> bool {
        match self.accepts {
            Accepts::All => true,
            Accepts::Calls => start.level.is_none(),
            Accepts::CallsOut => start.direction == Some(Direction::Out) && start.level.is_none(),
        }
    }

    /// The index of the key among the columns.
    pub fn key(&self) -> Option<usize> {
        self.columns.iter().position(|column| Some(&column.name) == self.key.as_ref())
    }

    /// The indexes of the columns that the outcome of an activity sets in the row that its start inserted; none in a
    /// table whose rows are inserted at the end.
    pub fn set_at_end(&self) -> Vec<usize> {
        let by_outcome = |(_, column): &(usize, &Column)| {
            column.is_of_outcome() && column.only_at != Some(Moment::Start) && self.inserted_at == Moment::Start
        };
        self.columns.iter().enumerate().filter(by_outcome).map(|(index, _)| index).collect()
    }

    /// The row of an activity: a cell for each column, `None` for NULL. Texts are redacted and clipped, bodies are
    /// redacted and truncated. Without an outcome the activity is in progress.
    pub fn row(&self, start: &Start, outcome: Option<&Outcome>) -> Vec<Option<Cell>> {
        let facts = Facts::new(start, outcome, self.assumed_status);
        self.columns.iter().map(|column| column.cell(&facts)).collect()
    }

    /// Some columns of the row of an activity that is over, by their indexes.
    pub fn cells(&self, columns: &[usize], start: &Start, outcome: &Outcome) -> Vec<Option<Cell>> {
        let facts = Facts::new(start, Some(outcome), self.assumed_status);
        columns.iter().map(|index| self.columns.get(*index).and_then(|column| column.cell(&facts))).collect()
    }

    /// Sorts steps by what the table needs of each: a row that is inserted, and an update of one. The indexes are those
    /// of the steps. A table whose rows are inserted at the end needs nothing at the start.
    pub fn divide<'a>(&self, steps: &'a [WriteStep]) -> (Vec<RowStep<'a>>, Vec<RowStep<'a>>) {
        let (mut inserts, mut updates) = (Vec::new(), Vec::new());
        for (index, step) in steps.iter().enumerate() {
            match (step, self.inserted_at) {
                (WriteStep::Start(_), Moment::End) => {}
                (WriteStep::Start(start), Moment::Start) => inserts.push(RowStep { index, start, outcome: None }),
                (WriteStep::Complete(start, outcome), Moment::Start) => {
                    updates.push(RowStep { index, start, outcome: Some(outcome) });
                }
                (WriteStep::Complete(start, outcome), Moment::End) | (WriteStep::Finished(start, outcome), _) => {
                    inserts.push(RowStep { index, start, outcome: Some(outcome) });
                }
            }
        }
        (inserts, updates)
    }
}

/// One step as a row of a table.
#[derive(Debug, Clone, Copy)]
pub struct RowStep<'a> {
    /// Its index among the steps.
    pub index: usize,
    /// What is known at the start.
    pub start: &'a Start,
    /// How it ended, if it has.
    pub outcome: Option<&'a Outcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_read_and_knows_what_an_outcome_sets() {
        for table in Table::ALL {
            let layout = table.layout();
            assert!(!layout.columns.is_empty(), "{table:?}");
            assert_eq!(layout.set_at_end().is_empty(), layout.inserted_at == Moment::End, "{table:?}");
            assert_eq!(Table::of_schema(table.schema()), Some(table));
        }
        let names = |layout: &Layout| -> Vec<String> {
            layout.set_at_end().into_iter().map(|at| layout.columns[at].name.clone()).collect()
        };
        let set = "response_status response_body response_time_ms status error_message error_code completed_at";
        assert_eq!(names(Table::IntegrationActivityLog.layout()).join(" "), set);
        let set = "response_status status is_success error_type error_message next_retry_at completed_at duration_ms";
        assert_eq!(names(Table::ApiRequestLogs.layout()).join(" "), set);
    }

    #[test]
    fn a_mistake_in_a_description_is_named() {
        let with = |columns: &str, more: &str| {
            let head = "name = \"t\"\nschema = \"s\"\naccepts = \"all\"\n";
            let error = Layout::parse(&format!("{head}{more}\ncolumns = [{columns}]")).expect_err("refused");
            format!("{error:#}")
        };
        let end = "inserted_at = \"end\"";
        assert!(with("", end).contains("no columns"));
        assert!(with("{ name = \"a\", type = \"text\", from = \"colour\" }", end).contains("colour"));
        assert!(with("{ name = \"a\", type = \"varchar\" }", end).contains("varchar"));
        assert!(with("{ name = \"a\", type = \"text\" }", "inserted_at = \"start\"").contains("needs a key"));
        let twice = "{ name = \"a\", type = \"text\" }, { name = \"a\", type = \"text\" }";
        assert!(with(twice, end).contains("a is there twice"));
        let key = format!("{end}\nkey = \"b\"");
        assert!(with("{ name = \"a\", type = \"text\" }", &key).contains("its key b"));
    }
}
