//! Follows by the rowid. New rows have higher numbers, but for those that a program numbers itself, and those that get the
//! numbers of rows that are gone. So the newest rows are read again at every commit, and of more rows it is remembered what
//! they held: a row among them that is not known is new. Below all of these a row comes into view only because newer ones
//! were deleted, and is looked at in silence.
//!
//! ```text
//! lowest          deep            floor           seen
//!    | not known   | remembered    | read again    | new
//! ```
//!
//! What is lower than the lowest row was is new, too. Where nothing is left of what was remembered and another row has the
//! lowest number, the table was filled anew, and all of it is new.

use super::{CHUNK, DEEP, Follower, HANDLES, Noted, OPEN, RECENT, hash, number};
use crate::connection::Reading;
use crate::row::{Handle, with_handles};
use crosstail_core::schema::Target;
use crosstail_source::Sink;
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, literal};

/// What is below the rows that are read again.
#[derive(Clone, Copy)]
pub(super) struct Below {
    /// From this number on, every row is known.
    floor: i64,
    /// From this number on, it is remembered what every row held.
    deep: i64,
    /// The lowest number, and what its row held.
    lowest: i64,
    hash: u64,
}

impl Follower<'_> {
    /// Looks in silence at the newest rows, and at those without an outcome.
    pub(super) async fn learn_numbers(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        let mut rest = Sql::with(format!(" WHERE rowid <= {PLACEHOLDER}"), Bind::Int(self.at.seen));
        rest.push(&format!(" ORDER BY rowid DESC LIMIT {CHUNK}"), []);
        let records = self.read(reading, &rest).await?;
        for record in &records {
            self.note(record);
        }
        let last = records.last().and_then(number).filter(|_| records.len() == CHUNK);
        if let (Some(last), Some((lowest, hash))) = (last, self.lowest(reading).await?) {
            self.below = Some(Below { floor: last, deep: last, lowest, hash });
        }
        self.learn_times(reading).await?;
        self.learn_open(reading).await?;
        self.narrow();
        Ok(())
    }

    async fn learn_open(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        let status = self.mapping.selected.iter().find(|one| one.target.0 == Target::Status);
        let Some(status) = status else { return Ok(()) };
        let words = self.mapping.schema.definition().open_words();
        let words: Vec<String> = words.iter().map(|word| literal(word)).collect();
        let mut last = 0;
        loop {
            let rest = Sql::with(
                format!(
                    " WHERE {} IN ({}) AND rowid > {last} AND rowid <= {PLACEHOLDER} ORDER BY rowid LIMIT {CHUNK}",
                    status.sql,
                    words.join(", ")
                ),
                Bind::Int(self.at.seen),
            );
            let records = self.read(reading, &rest).await?;
            for record in &records {
                last = number(record).unwrap_or(last);
                self.note(record);
            }
            if records.len() < CHUNK {
                return Ok(());
            }
        }
    }

    /// The row with the lowest number, and what it holds.
    async fn lowest(&self, reading: &mut Reading<'_>) -> Result<Option<(i64, u64)>, sqlx::Error> {
        let records = self.read(reading, &Sql::raw(" ORDER BY rowid LIMIT 1")).await?;
        Ok(records.first().and_then(|record| Some((number(record)?, hash(record)))))
    }

    /// One look: at what was there, then at what has higher numbers. What is written meanwhile is seen by the next one.
    pub(super) async fn look_at_numbers(
        &mut self,
        reading: &mut Reading<'_>,
        sink: &Sink,
        is_due: bool,
    ) -> Result<(), sqlx::Error> {
        let is_other = match self.below {
            Some(below) => self.read_below(below, reading, sink).await?,
            None => false,
        };
        let floor = self.floor();
        let mut is_alike = self.read_range((floor, self.at.seen), reading, sink).await?;
        if let Some(below) = self.below
            && !is_alike
        {
            // All of them are gone, so that lower numbers may have been given again.
            is_alike = self.read_range((below.deep, floor.saturating_sub(1)), reading, sink).await?;
            self.below = Some(Below { floor: below.deep, ..below });
            if is_other && !is_alike {
                self.begin_anew();
            }
        }
        self.look_at_times(reading).await?;
        self.send(sink).await;
        if self.closed {
            return Ok(());
        }
        self.read_new(reading, sink).await?;
        let is_whole = is_due || self.known.values().filter(|state| state.is_open).count() <= OPEN;
        if is_whole {
            self.read_open(reading).await?;
        }
        self.forget(is_whole);
        self.narrow();
        self.widen(reading).await
    }

    /// The table was filled anew: all that has not been read since is new.
    fn begin_anew(&mut self) {
        let round = self.round;
        self.known.retain(|_, state| state.round == round);
        self.deep.clear();
        self.below = None;
        self.at.seen = i64::MIN;
    }

    /// From this number on, every row is known.
    fn floor(&self) -> i64 {
        self.below.map_or(i64::MIN, |below| below.floor)
    }

    /// Tells rows with lower numbers than any had; returns whether another row has the lowest number.
    async fn read_below(&mut self, below: Below, reading: &mut Reading<'_>, sink: &Sink) -> Result<bool, sqlx::Error> {
        let (mut op, mut is_other) = ("<=", false);
        let mut lowest = None;
        let mut from = below.lowest;
        loop {
            let mut rest = Sql::with(format!(" WHERE rowid {op} {PLACEHOLDER}"), Bind::Int(from));
            rest.push(&format!(" ORDER BY rowid DESC LIMIT {CHUNK}"), []);
            let records = self.read(reading, &rest).await?;
            let full = records.len() == CHUNK;
            for record in records {
                let Some(number) = number(&record) else { continue };
                let hash = hash(&record);
                if number < below.lowest || hash != below.hash {
                    is_other = true;
                    self.note_and_tell(record);
                }
                lowest = Some((number, hash));
                from = number;
            }
            self.send(sink).await;
            if !full || self.closed {
                break;
            }
            op = "<";
        }
        // The lowest row was deleted.
        if lowest.is_none() {
            lowest = self.lowest(reading).await?;
        }
        self.below = lowest.map(|(lowest, hash)| Below { lowest, hash, ..below });
        if self.below.is_none() {
            // The table is empty: what comes is new.
            self.deep.clear();
        }
        Ok(is_other)
    }

    /// Reads rows of which it is known what they held, and tells what is new or another; returns whether one is as it was.
    async fn read_range(
        &mut self,
        (mut from, upto): (i64, i64),
        reading: &mut Reading<'_>,
        sink: &Sink,
    ) -> Result<bool, sqlx::Error> {
        let mut is_alike = false;
        loop {
            let mut rest = Sql::with(format!(" WHERE rowid >= {PLACEHOLDER}"), Bind::Int(from));
            rest.push(&format!(" AND rowid <= {PLACEHOLDER} ORDER BY rowid LIMIT {CHUNK}"), [Bind::Int(upto)]);
            let records = self.read(reading, &rest).await?;
            let last = records.last().and_then(number).filter(|_| records.len() == CHUNK);
            for record in records {
                is_alike |= self.note_and_tell(record);
            }
            self.send(sink).await;
            match last {
                Some(last) if last < upto && !self.closed => from = last + 1,
                _ => return Ok(is_alike),
            }
        }
    }

    /// Whether there are rows without an outcome that the last look passed over.
    pub(super) fn has_unread(&self) -> bool {
        self.known.values().any(|state| state.is_open && state.round != self.round)
    }

    /// Reads the rows without an outcome that this look has not read.
    pub(super) async fn read_open(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        let round = self.round;
        let unread = self.known.iter().filter(|(_, state)| state.is_open && state.round != round);
        let unread: Vec<Handle> = unread.map(|(handle, _)| handle.clone()).collect();
        for handles in unread.chunks(HANDLES) {
            for record in self.read(reading, &with_handles(self.mapping, handles)).await? {
                self.note_and_tell(record);
            }
        }
        Ok(())
    }

    /// Forgets rows that this look has not found. `is_whole`: it has looked at every row without an outcome.
    pub(super) fn forget(&mut self, is_whole: bool) {
        let (round, floor) = (self.round, self.floor());
        self.known.retain(|handle, state| {
            let may_be_there = !is_whole && state.is_open && handle.number().is_some_and(|number| number < floor);
            state.round == round || may_be_there
        });
    }

    /// Keeps the newest of the rows that are read again, and remembers what the others hold.
    pub(super) fn narrow(&mut self) {
        let floor = self.floor();
        let mut numbers: Vec<i64> =
            self.known.keys().filter_map(Handle::number).filter(|number| *number >= floor).collect();
        if numbers.len() > RECENT {
            let lowest = numbers.iter().copied().min().unwrap_or(floor);
            let cut = numbers.len() - RECENT;
            let floor = *numbers.select_nth_unstable(cut).1;
            let hash = self.known.get(&Handle::Number(lowest)).map_or(0, |state| state.hash);
            let all = Below { floor, deep: i64::MIN, lowest, hash };
            self.below = Some(self.below.map_or(all, |below| Below { floor, ..below }));
        }
        let Some(below) = &mut self.below else { return };
        let deep = &mut self.deep;
        self.known.retain(|handle, state| {
            let Some(number) = handle.number().filter(|number| *number < below.floor && !state.is_open) else {
                return true;
            };
            if number >= below.deep {
                deep.insert(number, state.hash);
            }
            false
        });
        if deep.len() > DEEP {
            while deep.len() > DEEP {
                deep.pop_first();
            }
            below.deep = deep.first_key_value().map_or(below.floor, |(number, _)| *number);
        }
    }

    /// Fills up the rows that are read again where some were deleted. What is new to them and not remembered was there before.
    async fn widen(&mut self, reading: &mut Reading<'_>) -> Result<(), sqlx::Error> {
        let Some(below) = self.below else { return Ok(()) };
        let count = self.known.keys().filter(|handle| handle.number().is_some_and(|n| n >= below.floor)).count();
        let missing = RECENT.saturating_sub(count);
        if missing == 0 {
            return Ok(());
        }
        let mut rest = Sql::with(format!(" WHERE rowid < {PLACEHOLDER}"), Bind::Int(below.floor));
        rest.push(&format!(" ORDER BY rowid DESC LIMIT {missing}"), []);
        let records = self.read(reading, &rest).await?;
        let last = records.last().and_then(number).filter(|_| records.len() == missing);
        for record in records {
            let is_new = number(&record).is_some_and(|n| n >= below.deep || n < below.lowest);
            match self.note(&record) {
                Noted::Same => {}
                Noted::New if !is_new => {}
                Noted::New | Noted::Changed => self.unsent.push(record.activity),
            }
        }
        let narrowed =
            |floor: i64| Below { floor, deep: below.deep.min(floor), lowest: below.lowest.min(floor), ..below };
        self.below = last.map(narrowed);
        if self.below.is_none() {
            // All rows are read again.
            self.deep.clear();
        }
        Ok(())
    }
}
