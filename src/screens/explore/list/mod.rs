//! The list: selection, visible rows, following and pausing.

pub(super) mod view;

use crate::action::Action;
use crate::config::{Column, Layout, Shows};
use crate::tui::text::{safe, width};
use crosstail_core::filter::{Field, Operand};
use crosstail_core::model::{Direction, Timestamp};
use crosstail_core::number::saturating_isize;
use crosstail_engine::store::{IngestResult, Row, Store, Symbol};
use std::collections::HashSet;

/// What the cursor can select in the usual columns, for `keep` and `exclude`.
const SELECTABLE: [Field; 7] =
    [Field::System, Field::Status, Field::Direction, Field::Method, Field::Endpoint, Field::Http, Field::Kind];

/// What of a layout's columns the cursor can select. What was called has several fields; a time and how long something took are
/// hardly the same twice.
fn selectable(layout: &Layout) -> Vec<Operand> {
    let of = |column: &Column| match &column.shows {
        Shows::What => [Field::Method, Field::Endpoint, Field::Kind].map(Operand::Field).to_vec(),
        Shows::Values(Operand::Field(Field::Time | Field::Duration | Field::Message)) => Vec::new(),
        Shows::Values(of) => vec![of.clone()],
    };
    let chosen: Vec<Operand> = layout.columns.iter().flat_map(of).collect();
    if chosen.is_empty() { SELECTABLE.into_iter().map(Operand::Field).collect() } else { chosen }
}

/// Rows that are looked at to know which columns say something. What is drawn is always looked at.
const LOOKED_AT: usize = 20_000;

/// Which columns say something in the view. What says nothing leaves its room to the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    pub system: bool,
    /// Columns that the longest name of a system takes.
    pub system_width: u16,
    pub direction: bool,
    pub http: bool,
    pub took: bool,
    /// Some have failed before.
    pub tries: bool,
}

/// Columns of the longest name of a system among rows.
fn longest_system<'a>(store: &Store, rows: impl Iterator<Item = &'a Row>) -> u16 {
    let systems: HashSet<Symbol> = rows.map(|row| store.system(*row)).filter(|of| *of != Symbol::ABSENT).collect();
    systems.into_iter().map(|of| width(&safe(store.symbols().get(of)))).max().unwrap_or(0)
}

impl Telling {
    /// While nothing is known of the view.
    const ALL: Self = Self { system: true, system_width: 0, direction: true, http: true, took: true, tries: true };

    /// What the rows of the view have; of very many, every so many are looked at. If the filter names one system, its column would say the same in every line.
    pub fn of(store: &Store, rows: &[Row], names_a_system: bool) -> Self {
        if rows.is_empty() {
            return Self { system: !names_a_system, ..Self::ALL };
        }
        let step = (rows.len() / LOOKED_AT).max(1);
        let has = |is: &dyn Fn(Row) -> bool| rows.iter().step_by(step).any(|row| is(*row));
        Self {
            system: !names_a_system && has(&|row| store.system(row) != Symbol::ABSENT),
            system_width: longest_system(store, rows.iter().step_by(step)),
            direction: has(&|row| matches!(store.direction(row), Direction::In | Direction::Out)),
            http: has(&|row| store.http_status(row).is_some()),
            took: has(&|row| store.took_us(row).is_some() || !store.is_finished(row)),
            tries: has(&|row| store.retry(row).is_some()),
        }
    }

    /// What either has.
    pub fn or(self, other: Self) -> Self {
        Self {
            system: self.system || other.system,
            system_width: self.system_width.max(other.system_width),
            direction: self.direction || other.direction,
            http: self.http || other.http,
            took: self.took || other.took,
            tries: self.tries || other.tries,
        }
    }

    /// Whether one of the usual columns that the cursor can select is drawn.
    const fn shows(self, of: &Operand) -> bool {
        match of {
            Operand::Field(Field::System) => self.system,
            Operand::Field(Field::Direction) => self.direction,
            Operand::Field(Field::Http) => self.http,
            _ => true,
        }
    }
}

/// State of the list.
#[derive(Debug, Clone)]
pub struct List {
    /// Whether the newest row is shown as it arrives.
    pub follow: bool,
    /// While paused: rows from this number on arrived later and are hidden.
    pub pinned: Option<Row>,
    /// The selected row; `None` while following, where it is the newest.
    pub selected: Option<Row>,
    /// Line of the selected row on the screen, from the top.
    pub line: usize,
    /// What the cursor can select.
    selectable: Vec<Operand>,
    /// Whether it is as usual: then what says nothing is not drawn.
    is_usual: bool,
    /// Index of what is selected.
    pub column: usize,
    /// Number of rows that arrived in the view since following stopped: while paused all, else those that begin later.
    pub unseen: usize,
    /// When the newest row began when following stopped.
    newest: Option<Timestamp>,
    /// Show relative times.
    pub relative_time: bool,
    /// The columns that say something.
    pub telling: Telling,
}

impl Default for List {
    fn default() -> Self {
        Self {
            follow: true,
            pinned: None,
            selected: None,
            line: 0,
            selectable: SELECTABLE.into_iter().map(Operand::Field).collect(),
            is_usual: true,
            column: 0,
            unseen: 0,
            newest: None,
            relative_time: false,
            telling: Telling::ALL,
        }
    }
}

impl List {
    /// Whether the pause, if any, leaves a row visible.
    fn shows(&self, row: Row) -> bool {
        self.pinned.is_none_or(|pin| row < pin)
    }

    /// The selected row; while following, the newest one shown.
    pub fn current(&self, store: &Store) -> Option<Row> {
        self.selected.or_else(|| store.rows().iter().rev().copied().find(|row| self.shows(*row)))
    }

    /// The rows on the screen, from the top; `height` is in lines.
    pub fn visible(&self, store: &Store, height: usize) -> Vec<Row> {
        let rows = store.rows();
        let shown = |range: &mut dyn Iterator<Item = Row>, count: usize| -> Vec<Row> {
            range.filter(|row| self.shows(*row)).take(count).collect()
        };
        let position = self.selected.filter(|_| !self.follow).and_then(|row| store.position(row));
        let Some(position) = position else {
            let mut last = shown(&mut rows.iter().rev().copied(), height);
            last.reverse();
            return last;
        };
        let line = self.line.min(height.saturating_sub(1));
        let mut above = shown(&mut rows[..position].iter().rev().copied(), line);
        above.reverse();
        let below = shown(&mut rows[position..].iter().copied(), height - above.len());
        above.extend(below);
        if above.len() < height {
            // Not enough rows below to fill the screen: show more above.
            let first = above.first().and_then(|row| store.position(*row)).unwrap_or(0);
            let mut more = shown(&mut rows[..first].iter().rev().copied(), height - above.len());
            more.reverse();
            more.extend(above);
            return more;
        }
        above
    }

    /// Moves the selection by lines.
    pub fn step(&mut self, store: &Store, by: isize, height: usize) {
        let Some(current) = self.current(store) else { return };
        let rows = store.rows();
        let Some(mut position) = store.position(current) else { return };
        if self.follow {
            self.line = self.visible(store, height).len().saturating_sub(1);
        }
        let mut left = by.unsigned_abs();
        let mut found = current;
        while left > 0 {
            let next = if by < 0 { position.checked_sub(1) } else { Some(position + 1).filter(|p| *p < rows.len()) };
            let Some(next) = next else { break };
            position = next;
            if self.shows(rows[position]) {
                found = rows[position];
                left -= 1;
            }
        }
        let moved = by.unsigned_abs() - left;
        self.stop_at(store, found);
        let line = if by < 0 { self.line.saturating_sub(moved) } else { self.line + moved };
        self.line = line.min(height.saturating_sub(1));
    }

    /// Selects a row and stops following.
    pub fn select(&mut self, store: &Store, row: Row, height: usize) {
        let visible = self.visible(store, height);
        self.line = visible.iter().position(|shown| *shown == row).unwrap_or(height / 2);
        self.stop_at(store, row);
    }

    /// Stops following at a row, which may not be shown yet.
    pub fn stop_at(&mut self, store: &Store, row: Row) {
        if self.follow {
            self.follow = false;
            self.forget_unseen(store);
        }
        self.selected = Some(row);
    }

    /// Counts what is newer than what the view has now.
    pub fn forget_unseen(&mut self, store: &Store) {
        self.unseen = 0;
        self.newest = store.rows().last().map(|row| store.started(*row));
    }

    /// Counts what has arrived. What a source delivers of its past is not newer.
    pub fn count_unseen(&mut self, store: &Store, delta: &IngestResult) {
        if self.pinned.is_some() {
            self.unseen += delta.added_to_view;
            return;
        }
        let is_newer = |row: &&Row| self.newest.is_none_or(|newest| store.started(**row) > newest);
        let added = delta.rows.iter().take(delta.added).filter(is_newer);
        let newer = added.filter(|row| store.position(**row).is_some()).count();
        self.unseen += newer;
    }

    /// Goes to the newest row and follows.
    pub fn start_following(&mut self) {
        self.follow = true;
        self.pinned = None;
        self.selected = None;
        self.unseen = 0;
    }

    /// Pauses, or resumes following.
    pub fn toggle_pause(&mut self, store: &Store, height: usize) {
        if self.pinned.is_some() || !self.follow {
            self.start_following();
            return;
        }
        let line = self.visible(store, height).len().saturating_sub(1);
        let current = self.current(store);
        self.pinned = Some(store.next_row());
        self.follow = false;
        self.unseen = 0;
        self.selected = current;
        self.line = line;
    }

    /// The first of some columns that is drawn gets the cursor; without one, it stays.
    fn move_column(&mut self, mut columns: impl Iterator<Item = usize>) {
        self.column = columns.find(|column| self.draws(*column)).unwrap_or(self.column);
    }

    /// Other columns say something from now on. The cursor leaves one that is no longer drawn.
    pub fn tell(&mut self, telling: Telling) {
        self.telling = telling;
        if !self.draws(self.column) {
            self.move_column(0..self.selectable.len());
        }
    }

    fn draws(&self, column: usize) -> bool {
        let is_drawn = |of: &Operand| !self.is_usual || self.telling.shows(of);
        self.selectable.get(column).is_some_and(is_drawn)
    }

    /// What the cursor is on.
    pub fn chosen(&self) -> &Operand {
        self.selectable.get(self.column).unwrap_or(&Operand::Field(Field::Status))
    }

    /// The index of what the cursor can select.
    pub fn column_of(&self, of: &Operand) -> Option<usize> {
        self.selectable.iter().position(|known| known == of)
    }

    /// Other columns are shown. The cursor stays with what it is on.
    pub fn show_columns(&mut self, layout: &Layout) {
        let on = self.chosen().clone();
        (self.selectable, self.is_usual) = (selectable(layout), layout.columns.is_empty());
        self.column = self.column_of(&on).unwrap_or(0);
        self.tell(self.telling);
    }

    /// After the view changed: keeps the selected row, or selects the nearest in time.
    pub fn settle(&mut self, store: &Store, at: Option<Timestamp>) {
        if self.follow {
            return;
        }
        if self.selected.is_some_and(|row| store.position(row).is_some()) {
            return;
        }
        let rows = store.rows();
        let nearest = at.map(|at| store.position_of_time(at).min(rows.len().saturating_sub(1)));
        self.selected = nearest.and_then(|position| rows.get(position).copied());
        if self.selected.is_none() && self.pinned.is_none() {
            self.start_following();
        }
    }

    /// The next failure from the selected row, in a direction.
    pub fn find_failure(&self, store: &Store, forward: bool) -> Option<Row> {
        let position = self.current(store).and_then(|row| store.position(row))?;
        let rows = store.rows();
        let fits = |row: &&Row| store.is_failure(**row) && self.shows(**row);
        if forward {
            rows.get(position + 1..)?.iter().find(fits).copied()
        } else {
            rows[..position].iter().rev().find(fits).copied()
        }
    }

    /// The actions that move in it, or change how it is shown.
    pub const ACTIONS: [Action; 11] = [
        Action::UP,
        Action::DOWN,
        Action::PAGE_UP,
        Action::PAGE_DOWN,
        Action::TOP,
        Action::BOTTOM,
        Action::FOLLOW,
        Action::LEFT,
        Action::RIGHT,
        Action::PAUSE,
        Action::TOGGLE_TIME,
    ];

    /// Moves, follows or pauses; returns whether the action does.
    pub fn act(&mut self, action: Action, store: &Store, height: usize) -> bool {
        let page = saturating_isize(height.max(2)) - 1;
        match action {
            Action::UP => self.step(store, -1, height),
            Action::DOWN => self.step(store, 1, height),
            Action::PAGE_UP => self.step(store, -page, height),
            Action::PAGE_DOWN => self.step(store, page, height),
            Action::TOP => self.step(store, -saturating_isize(store.rows().len()), height),
            Action::BOTTOM | Action::FOLLOW => self.start_following(),
            Action::LEFT => self.move_column((0..self.column).rev()),
            Action::RIGHT => self.move_column(self.column + 1..self.selectable.len()),
            Action::PAUSE => self.toggle_pause(store, height),
            Action::TOGGLE_TIME => self.relative_time = !self.relative_time,
            _ => return false,
        }
        true
    }
}
