//! The newest rows by the time column, where an index has them in order: a row whose number is far below the newest ones,
//! because a program numbers rows itself, mostly has a time of now.

use super::{Follower, HANDLES, RECENT};
use crate::connection::Reading;
use crate::row::{Handle, with_handles};
use crate::value::{is_of_data, scalar};
use crosstail_core::schema::Scalar;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, name};
use sqlx::Row as _;
use std::collections::HashSet;

/// The newest rows by time, as they were at the last look.
pub(super) struct Times {
    /// Their numbers.
    numbers: HashSet<i64>,
    floor: Floor,
}

/// How far down the newest rows went.
enum Floor {
    /// They were all.
    Lowest,
    /// To this value: what is above it and was not among them is new.
    At(Bind),
    /// To a value that nothing is compared with.
    Unknown,
}

impl Follower<'_> {
    /// Looks whether an index has the order of the time column, and at the newest rows.
    pub(super) async fn learn_times(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        let mut sql = Sql::raw("EXPLAIN QUERY PLAN ");
        sql.append("", &self.newest_by_time(&Floor::Lowest));
        let steps = reading.fetch(sql).await?;
        let steps = steps.iter().map(|row| row.try_get::<String, _>("detail")).collect::<Result<Vec<_>, _>>()?;
        // Without an index, all rows would be sorted.
        if steps.iter().all(|step| !step.contains("TEMP B-TREE")) {
            self.times = self.read_times(reading, &Floor::Lowest).await?.map(|(_, times)| times);
        }
        Ok(())
    }

    /// The number of each of the newest rows, whether it is above a value, and what is compared.
    fn newest_by_time(&self, floor: &Floor) -> Sql {
        let (time, table) = (name(&self.mapping.table.time), name(&self.mapping.table.name));
        let (is_above, binds) = match floor {
            Floor::Lowest => ("1".to_owned(), Vec::new()),
            Floor::At(value) => (format!("{time} > {PLACEHOLDER}"), vec![value.clone()]),
            Floor::Unknown => ("0".to_owned(), Vec::new()),
        };
        // Bytes are shown as digits, which are no value to compare with.
        let shown = format!("CASE WHEN typeof({time}) <> 'blob' THEN {time} END");
        let text = format!("SELECT rowid, {is_above}, {shown} FROM {table} ORDER BY {time} DESC LIMIT {RECENT}");
        Sql { text, binds }
    }

    /// Those of the newest rows that are above a value, and what to compare with the next time; `None` where a time cannot
    /// be computed.
    async fn read_times(
        &self,
        reading: &mut Reading<'_>,
        floor: &Floor,
    ) -> Result<Option<(Vec<i64>, Times)>, sqlx::Error> {
        let rows = match reading.fetch(self.newest_by_time(floor)).await {
            Err(error) if is_of_data(&error) => return Ok(None),
            rows => rows?,
        };
        let (mut above, mut numbers) = (Vec::new(), HashSet::new());
        for row in &rows {
            let Some(Scalar::Int(number)) = scalar(row, 0)? else { continue };
            numbers.insert(number);
            if scalar(row, 1)? == Some(Scalar::Int(1)) {
                above.push(number);
            }
        }
        let floor = match rows.last() {
            Some(last) if rows.len() == RECENT => match scalar(last, 2)? {
                Some(Scalar::Int(n)) => Floor::At(Bind::Int(n)),
                Some(Scalar::Float(n)) => Floor::At(Bind::Float(n)),
                Some(Scalar::Text(text)) => Floor::At(Bind::Text(text.into_owned())),
                _ => Floor::Unknown,
            },
            _ => Floor::Lowest,
        };
        Ok(Some((above, Times { numbers, floor })))
    }

    /// Tells rows that have come among the newest by their time, and have no higher number than the others: those are read
    /// after this.
    pub(super) async fn look_at_times(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        let Some(before) = self.times.take() else { return Ok(()) };
        let Some((above, times)) = self.read_times(reading, &before.floor).await? else { return Ok(()) };
        self.times = Some(times);
        let come = above.into_iter().filter(|n| *n <= self.at.seen && !before.numbers.contains(n));
        let come: Vec<Handle> = come.map(Handle::Number).collect();
        for handles in come.chunks(HANDLES) {
            for record in self.read(reading, &with_handles(self.mapping, handles)).await? {
                self.note_and_tell(record);
            }
        }
        Ok(())
    }
}
