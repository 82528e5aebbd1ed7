//! What following remembers of one table, and how a table is first looked at whose rows all look new.

use super::connection::Reader;
use super::mapping::Mapping;
use super::resume::{self, ResumePoint, TableResumePoint};
use super::shape::{Anew, Shape, shape};
use super::tables::Tables;
use crosstail_core::model::Timestamp;
use crosstail_source::OpenRows;
use crosstail_source::sql::Sql;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Larger tables are not rescanned, because the last tier reads the table from end to end. In pages of 8 KB: 1 GB.
const MAX_RESCAN_PAGES: i64 = 131_072;

/// A table that is read from end to end in a fraction of a second, in pages of 8 KB: 100 MB.
const QUICK_PAGES: i64 = 12_800;

/// What is known of the tables before they changed.
pub(super) struct Before {
    pub(super) shape: Shape,
    /// The keys of the rows without an outcome, by table.
    pub(super) open: BTreeMap<String, Vec<String>>,
}

impl Before {
    /// Whether columns are others than in these tables.
    pub(super) async fn has_other_columns(&self, reader: Reader<'_>, tables: &Tables) -> Result<bool, sqlx::Error> {
        Ok(shape(reader, &tables.watched).await?.has_other_columns(&self.shape))
    }
}

/// How a table is first looked at where what was there before looks new.
enum Silence {
    /// Its rows have no versions: all are looked at, and those since a moment are told.
    Unversioned(i64),
    /// It was written anew: of these rows, those since a moment are told.
    Anew(Anew, i64),
}

/// What following remembers of one table.
pub(super) struct TableState<'a> {
    pub(super) mapping: &'a Mapping,
    silence: Option<Silence>,
    /// How it is now, for a position.
    pub(super) at: TableResumePoint,
    /// Rows that had no outcome before the table changed.
    pub(super) open_before: Vec<String>,
    /// It was not there at the position: all of it is new.
    has_come: bool,
    /// Whether the first look found more rows than are remembered, where there are no versions.
    pub(super) too_large: bool,
    /// Rows without a time are not looked for: that takes longer than a query may, or there are too many.
    pub(super) leaves_undated: bool,
    /// When rows without a time are looked for again, where each look reads all rows.
    pub(super) undated_due: Instant,
    pub(super) open: OpenRows,
}

impl<'a> TableState<'a> {
    /// A table at the position from which it is followed. `back`: it was gone, and is there again.
    pub(super) async fn new(
        reader: Reader<'_>,
        (mapping, back): (&'a Mapping, bool),
        start: &ResumePoint,
        shaped: &Shape,
        before: Option<&Before>,
    ) -> Result<Self, sqlx::Error> {
        let name = &mapping.relation.sql;
        let known = start.tables.get(name);
        let shape = before.map(|before| &before.shape);
        let has_come = back || shape.is_some_and(|before| before.lacks(mapping));
        let anew = known.and_then(|known| shaped.written_anew(shape, &known.file, mapping)).filter(|_| !has_come);
        let silence = match anew {
            _ if !mapping.relation.versioned => Some(Silence::Unversioned(start.time_us)),
            anew => anew.map(|anew| Silence::Anew(anew, start.new_since(mapping))),
        };
        let at = match known {
            Some(known) => {
                TableResumePoint { file: shaped.file(mapping).unwrap_or_default().to_owned(), ..known.clone() }
            }
            None => resume::table(reader, shaped, mapping).await?,
        };
        let open_before = before.and_then(|before| before.open.get(name)).cloned().unwrap_or_default();
        Ok(Self {
            mapping,
            silence,
            at,
            open_before,
            has_come,
            too_large: false,
            leaves_undated: false,
            undated_due: Instant::now(),
            open: OpenRows::default(),
        })
    }

    /// Whether the first look is for rows of any version, and not for what has changed since the position.
    pub(super) fn is_looked_at_whole(&self) -> bool {
        self.has_come || matches!(self.silence, Some(Silence::Unversioned(_) | Silence::Anew(Anew::Replaced, _)))
    }

    /// Whether its rows were written anew, so that the first look is as far back as there are any.
    pub(super) fn is_written_anew(&self) -> bool {
        matches!(self.silence, Some(Silence::Anew(..)))
    }

    /// What keeps the rows that are new, where all of them look new.
    pub(super) fn unsilenced(&self) -> Option<Sql> {
        let Some(Silence::Anew(anew, since)) = &self.silence else { return None };
        let mut parts = vec![self.mapping.time_is(">=", Timestamp(*since))];
        if let Anew::By(by) = anew {
            let of = |xid: &i64| format!("t.xmin = '{xid}'::xid");
            parts.push(Sql::raw(format!("NOT ({})", by.iter().map(of).collect::<Vec<_>>().join(" OR "))));
        }
        Some(Sql::join(parts, " OR "))
    }

    /// Whether a row is new: in the first look of a table that looks new as a whole, what is later than before.
    pub(super) fn is_new(&self, at: Option<i64>, version: i64) -> bool {
        match &self.silence {
            None => true,
            Some(Silence::Anew(Anew::By(by), _)) if !by.contains(&version) => true,
            Some(Silence::Anew(_, since) | Silence::Unversioned(since)) => at.is_some_and(|at| at >= *since),
        }
    }

    /// The first look is over. Whether it was one of a table that was written anew.
    pub(super) fn looked(&mut self) -> bool {
        self.has_come = false;
        matches!(self.silence.take(), Some(Silence::Anew(..)))
    }

    /// The tier with which rows without a time are looked for. Where no index finds them, the server reads every row, so
    /// that of a large table it takes minutes until they are seen.
    pub(super) fn undated_tier(&self) -> Option<usize> {
        let (relation, time) = (&self.mapping.relation, &self.mapping.time);
        let is_indexed = relation.versioned && time.indexes_undated() && relation.is_indexed(&self.mapping.table.time);
        let tier = match relation.pages {
            _ if is_indexed => 0,
            ..=QUICK_PAGES => 1,
            _ => 2,
        };
        (!self.leaves_undated).then_some(tier)
    }

    /// Whether the table is small enough to be read from end to end.
    pub(super) fn is_small_enough_to_rescan(&self) -> bool {
        self.mapping.relation.pages <= MAX_RESCAN_PAGES && !self.too_large
    }
}
