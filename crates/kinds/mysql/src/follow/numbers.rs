//! Numbers that the server gives: what is above the highest is new, and one that is missing may be of a transaction that
//! is still open. It may also be of one that was rolled back, of a row that was refused as a duplicate, or of another node
//! of a cluster, and never come: nothing tells these apart, so each is asked for by name for an hour. Where every number
//! is the last one and a step, those between are of nobody.
//!
//! What is asked for is bounded, however many are missing: the newest in each poll, the others by turns.

use super::rows::RowVersion;
use super::runs;
use crate::connection::ReadTransaction;
use crate::mapping::Mapping;
use crate::relation::name;
use crosstail_core::number::saturating_i64;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use std::collections::BTreeMap;
use std::ops::Bound;

/// How long a missing number can come.
const PATIENCE_US: i64 = 3_600_000_000;
/// Runs of missing numbers that are remembered, at most: the newest. A row of an older one is found by its time.
const MOST: usize = 50_000;
/// The newest runs, which each poll asks for: most transactions are short.
const NEWEST: usize = 1000;
/// Other runs that one poll asks for.
const TURN: usize = 1000;
/// Runs of one statement: the least of these that has room for all. So there are few statements to prepare.
const SIZES: [usize; 4] = [1, 10, 60, 400];
/// Numbers below the highest that are looked at for gaps at the beginning.
const LOOKED_AT: i64 = 10_000;
/// Rows read at a time.
const ROWS: i64 = 50_000;
/// So many distances must have a common factor for it to be a step.
const STEPS: u32 = 100;

/// Missing numbers: by the first of each run, its last one, and since when it is missing.
pub(super) type Runs = BTreeMap<i64, (i64, i64)>;

/// What is known of a table's numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    highest: i64,
    #[serde(default, with = "runs")]
    missing: Runs,
    #[serde(default)]
    step: Step,
    /// The first number of the last run of the last turn.
    #[serde(skip)]
    last: Option<i64>,
}

/// By how much numbers rise (`auto_increment_increment`), as they themselves tell: the setting is that of one node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    /// One of the numbers.
    one: Option<i64>,
    /// The common factor of the distances from it.
    factor: u64,
    /// How many distances it is of.
    of: u32,
}

impl Step {
    fn add(&mut self, number: i64) {
        let Some(one) = self.one else {
            self.one = Some(number);
            return;
        };
        let (mut a, mut b) = (self.factor, number.abs_diff(one));
        while b != 0 {
            (a, b) = (b, a % b);
        }
        self.factor = a;
        self.of = self.of.saturating_add(1);
    }

    /// The distance of two numbers between which there is none.
    fn least(&self) -> i64 {
        if self.of < STEPS { 1 } else { i64::try_from(self.factor).unwrap_or(1).max(1) }
    }
}

/// The column that the server numbers.
fn column(mapping: &Mapping) -> Option<String> {
    mapping.relation.numbered().map(|column| format!("t.{}", name(&column.name)))
}

impl Numbers {
    /// How they are now; none of a table without numbers.
    pub(super) async fn now(
        reading: &mut ReadTransaction,
        mapping: &Mapping,
        time_us: i64,
    ) -> Result<Option<Self>, sqlx::Error> {
        let Some(column) = column(mapping) else { return Ok(None) };
        let Some(highest) = highest(reading, mapping, &column).await? else { return Ok(Some(Self::default())) };
        let mut numbers = Self { highest: highest.saturating_sub(LOOKED_AT).max(0), ..Self::default() };
        let mut sql = Sql::raw(format!("SELECT CAST({column} AS SIGNED) FROM {} t WHERE ", mapping.relation.sql));
        sql.append("", &above(&column, numbers.highest));
        sql.push(&format!(" ORDER BY {column}"), []);
        for row in reading.fetch(sql).await? {
            numbers.pass(row.try_get_unchecked(0)?, time_us);
        }
        numbers.settle(time_us);
        Ok(Some(numbers))
    }

    /// The rows whose numbers were missing, as far as it is their turn to be asked for.
    pub(super) async fn read_missing(
        &mut self,
        reading: &mut ReadTransaction,
        mapping: &Mapping,
    ) -> Result<Vec<RowVersion>, sqlx::Error> {
        let Some(column) = column(mapping) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let most = SIZES.last().copied().unwrap_or(1);
        for runs in self.turn().chunks(most) {
            let mut condition = within(&column, runs);
            condition.push(&format!(" LIMIT {ROWS}"), []);
            for (number, version) in rows(reading, mapping, &column, &condition).await? {
                self.fill(number);
                found.push(version);
            }
        }
        Ok(found)
    }

    /// The next of the rows that are new, and whether there may be more.
    pub(super) async fn read_new(
        &mut self,
        reading: &mut ReadTransaction,
        mapping: &Mapping,
        time_us: i64,
    ) -> Result<(Vec<RowVersion>, bool), sqlx::Error> {
        let Some(column) = column(mapping) else { return Ok((Vec::new(), false)) };
        let mut condition = above(&column, self.highest);
        condition.push(&format!(" ORDER BY {column} LIMIT {ROWS}"), []);
        let rows = rows(reading, mapping, &column, &condition).await?;
        let is_full = saturating_i64(rows.len()) == ROWS;
        let mut found = Vec::with_capacity(rows.len());
        for (number, version) in rows {
            self.pass(number, time_us);
            found.push(version);
        }
        if found.is_empty() && highest(reading, mapping, &column).await?.unwrap_or(0) < self.highest {
            // The table was emptied, or its newest rows were deleted: numbers may begin again.
            *self = Self::now(reading, mapping, time_us).await?.unwrap_or_default();
        }
        self.settle(time_us);
        Ok((found, is_full))
    }

    /// A number that is above the highest.
    fn pass(&mut self, number: i64, time_us: i64) {
        self.step.add(number);
        if number.saturating_sub(self.step.least()) > self.highest {
            self.missing.insert(self.highest.saturating_add(1), (number.saturating_sub(1), time_us));
        }
        self.highest = self.highest.max(number);
    }

    /// A number that is missing no more.
    fn fill(&mut self, number: i64) {
        self.step.add(number);
        let Some((from, (until, since))) = self.missing.range(..=number).next_back().map(|(from, run)| (*from, *run))
        else {
            return;
        };
        if number > until {
            return;
        }
        self.missing.remove(&from);
        if from < number {
            self.missing.insert(from, (number.saturating_sub(1), since));
        }
        if number < until {
            self.missing.insert(number.saturating_add(1), (until, since));
        }
    }

    /// Drops what will not come, and what is more than is remembered.
    fn settle(&mut self, time_us: i64) {
        let least = self.step.least();
        // A run lies between numbers that are there: a shorter one has none that could come.
        self.missing.retain(|from, (until, since)| {
            time_us.saturating_sub(*since) < PATIENCE_US && until.saturating_sub(*from) >= least - 1
        });
        while self.missing.len() > MOST {
            self.missing.pop_first();
        }
    }

    /// The runs that are asked for now: the newest, and those of the others whose turn it is.
    fn turn(&mut self) -> Vec<(i64, i64)> {
        let run = |(from, (until, _)): (&i64, &(i64, i64))| (*from, *until);
        let mut runs: Vec<(i64, i64)> = self.missing.iter().rev().take(NEWEST).map(run).collect();
        let Some((lowest, _)) = runs.last().copied() else { return runs };
        let after = self.last.filter(|last| *last < lowest).map_or(Bound::Unbounded, Bound::Excluded);
        let others = self.missing.range((after, Bound::Excluded(lowest))).take(TURN).map(run);
        let others: Vec<(i64, i64)> = others.collect();
        // After the last one, the first one follows.
        self.last = others.last().map(|(from, _)| *from);
        runs.extend(others);
        runs
    }
}

/// Numbers above one. An unsigned column may hold more than is counted here.
fn above(column: &str, number: i64) -> Sql {
    Sql::with(format!("{column} <= {} AND {column} > {PLACEHOLDER}", i64::MAX), Bind::Int(number))
}

/// Numbers of some runs.
fn within(column: &str, runs: &[(i64, i64)]) -> Sql {
    let size = SIZES.into_iter().find(|size| *size >= runs.len()).unwrap_or(runs.len());
    let one = format!("{column} BETWEEN {PLACEHOLDER} AND {PLACEHOLDER}");
    let text = format!("({})", vec![one; size].join(" OR "));
    // What is asked for twice is found once.
    let padded = runs.iter().chain(runs.last().into_iter().cycle()).take(size);
    Sql { text, binds: padded.flat_map(|(from, until)| [Bind::Int(*from), Bind::Int(*until)]).collect() }
}

async fn highest(reading: &mut ReadTransaction, mapping: &Mapping, column: &str) -> Result<Option<i64>, sqlx::Error> {
    let (table, most) = (&mapping.relation.sql, i64::MAX);
    let sql = Sql::raw(format!("SELECT CAST(MAX({column}) AS SIGNED) FROM {table} t WHERE {column} <= {most}"));
    reading.fetch(sql).await?.first().map_or(Ok(None), |row| row.try_get_unchecked(0))
}

async fn rows(
    reading: &mut ReadTransaction,
    mapping: &Mapping,
    column: &str,
    condition: &Sql,
) -> Result<Vec<(i64, RowVersion)>, sqlx::Error> {
    let mut sql = Sql::raw(mapping.select_versions(&format!(", CAST({column} AS SIGNED)")));
    sql.append(" WHERE ", condition);
    let rows = reading.fetch(sql).await?;
    rows.iter().map(|row| Ok((row.try_get_unchecked(3)?, RowVersion::of(row)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_of(numbers: &Numbers) -> Vec<(i64, i64, i64)> {
        numbers.missing.iter().map(|(from, (until, since))| (*from, *until, *since)).collect()
    }

    #[test]
    fn missing_numbers_are_remembered_until_they_come() {
        let mut numbers = Numbers { highest: 10, ..Numbers::default() };
        for number in [11, 15, 16, 18] {
            numbers.pass(number, 7);
        }
        assert_eq!(runs_of(&numbers), [(12, 14, 7), (17, 17, 7)]);
        numbers.fill(13);
        numbers.fill(17);
        numbers.fill(16);
        assert_eq!(runs_of(&numbers), [(12, 12, 7), (14, 14, 7)]);
        numbers.settle(PATIENCE_US + 6);
        assert_eq!(numbers.missing.len(), 2);
        numbers.settle(PATIENCE_US + 7);
        assert!(numbers.missing.is_empty());
        // A gap at every row: what is missing is known, and nothing that is there.
        for step in 1..2000 {
            numbers.pass(18 + 3 * step - step % 2, 9);
        }
        numbers.settle(10);
        let holds = |n: i64| numbers.missing.iter().any(|(from, (until, _))| (*from..=*until).contains(&n));
        assert!((1..2000).all(|step| holds(17 + 3 * step - step % 2) && !holds(18 + 3 * step - step % 2)));
        // The last of all numbers is followed by none.
        numbers.pass(i64::MAX, 11);
        numbers.fill(i64::MAX);
        numbers.settle(12);
    }

    #[test]
    fn numbers_between_steps_are_not_waited_for() {
        let mut numbers = Numbers { highest: 40, ..Numbers::default() };
        for step in 0..300 {
            numbers.pass(101 + 3 * step, 9);
        }
        numbers.settle(10);
        assert_eq!(runs_of(&numbers), [(41, 100, 9)]);
        // One of them is missing, and comes.
        numbers.pass(1004, 9);
        numbers.settle(10);
        assert_eq!(runs_of(&numbers), [(41, 100, 9), (999, 1003, 9)]);
        numbers.fill(1001);
        numbers.settle(10);
        assert_eq!(runs_of(&numbers), [(41, 100, 9)]);
        // Another node begins to write.
        numbers.pass(1008, 9);
        numbers.pass(1012, 9);
        numbers.settle(10);
        assert_eq!(runs_of(&numbers), [(41, 100, 9), (1005, 1007, 9), (1009, 1011, 9)]);
    }

    #[test]
    fn each_run_has_its_turn_and_no_poll_asks_for_all() {
        let mut numbers = Numbers::default();
        for number in 1..=5000 {
            numbers.pass(2 * number + number % 2, 9);
        }
        numbers.settle(9);
        let (all, mut asked) = (numbers.missing.len(), std::collections::BTreeSet::new());
        for _ in 0..6 {
            let turn = numbers.turn();
            assert!(turn.len() <= NEWEST + TURN, "{}", turn.len());
            asked.extend(turn);
        }
        assert_eq!(asked.len(), all);
        for runs in [1, 2, 59, 400] {
            let runs: Vec<(i64, i64)> = (0..runs).map(|n| (n, n)).collect();
            let sql = within("c", &runs);
            assert_eq!(sql.text.matches(PLACEHOLDER).count(), sql.binds.len());
            assert!(SIZES.contains(&(sql.binds.len() / 2)));
        }
    }

    #[test]
    fn more_than_is_remembered_is_bounded_and_a_position_has_it() {
        let mut numbers = Numbers::default();
        for number in 1..=i64::try_from(MOST + 500).expect("a number") {
            numbers.pass(4 * number + number % 3, number);
        }
        numbers.settle(9);
        assert_eq!(numbers.missing.len(), MOST);
        let text = serde_json::to_string(&numbers).expect("JSON");
        assert!(text.len() < 12 * MOST, "{}", text.len());
        assert_eq!(serde_json::from_str::<Numbers>(&text).expect("JSON"), numbers);
    }
}
