//! What became of the operations whose attempts are in memory. Attempts arrive in any order, so this is kept up to date apart
//! from the columns: from time to time, for the operations of the rows that have arrived since.

use super::pack::Text;
use super::symbols::Symbol;
use super::{Row, Store, is_same};
use crate::insight::Chain;
use crosstail_core::model::{Activity, FinalOutcome, Id, Status, Timestamp};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Parents of parents are looked for so often.
const GENERATIONS: usize = 8;

/// What is known of operations.
#[derive(Debug, Default)]
pub(super) struct Operations {
    /// By failed attempt.
    of: HashMap<Row, Known>,
    /// From when on memory holds everything; `None` where it holds all that there is.
    held_from: Option<Timestamp>,
    /// Failed attempts whose other attempts have been looked up.
    looked_up: HashSet<Row>,
    /// Rows that have arrived or changed since.
    noted: Vec<Row>,
    /// Whether more have than are noted: then all are looked at.
    more: bool,
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// Its first attempt.
    first: Row,
    outcome: FinalOutcome,
    /// The start of its last attempt, where this is true only if none came after it.
    unless_followed: Option<Timestamp>,
}

/// Rows that are noted.
const NOTED: usize = 200_000;

impl Operations {
    pub(super) fn note(&mut self, rows: &[Row]) {
        if self.noted.len() + rows.len() > NOTED {
            (self.noted, self.more) = (Vec::new(), true);
        }
        if !self.more {
            self.noted.extend_from_slice(rows);
        }
    }

    /// What is noted, and nothing is afterwards; `None` for all rows.
    fn take_noted(&mut self) -> Option<Vec<Row>> {
        let noted = std::mem::take(&mut self.noted);
        if std::mem::take(&mut self.more) { None } else { Some(noted) }
    }

    pub(super) fn forget(&mut self, row: Row) {
        self.of.remove(&row);
    }

    /// Whether all that came after a moment is known, for a failed attempt.
    fn is_known_after(&self, row: Row, at: Timestamp) -> bool {
        self.held_from.is_none_or(|held_from| held_from <= at) || self.looked_up.contains(&row)
    }

    fn outcome(&self, row: Row) -> Option<FinalOutcome> {
        let known = self.of.get(&row)?;
        let is_known = known.unless_followed.is_none_or(|at| self.is_known_after(row, at));
        Some(if is_known { known.outcome } else { FinalOutcome::Unknown })
    }
}

/// An operation that has failed at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its first and its last failed attempt among the rows asked for.
    pub first: Row,
    pub last: Row,
    /// Number of its failed attempts among them.
    pub failed: usize,
    /// `None` where nothing says that it was to be tried again.
    pub outcome: Option<FinalOutcome>,
}

/// An operation, by its last attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct LastAttempt {
    pub activity: Activity,
    /// The first one: it stands for the operation.
    pub first: Id,
    /// Number of its attempts that are in memory.
    pub attempts: usize,
    /// `None` where nothing says that it was tried again, or is to be.
    pub outcome: Option<FinalOutcome>,
}

/// The operations of some rows that have failed at least once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affected {
    /// The operations, in order of their first failure.
    pub operations: Vec<Operation>,
    /// Start of the first failure.
    pub since: Option<Timestamp>,
    /// The system of all of them, if they have one in common.
    pub system: Option<Symbol>,
}

impl Affected {
    /// Number of operations with each outcome, in the order of [`FinalOutcome::NAMES`].
    pub fn counts(&self) -> [usize; 5] {
        let mut counts = [0; 5];
        for operation in &self.operations {
            if let Some(outcome) = operation.outcome {
                counts[outcome.index() as usize] += 1;
            }
        }
        counts
    }

    /// Number of operations that were not tried again, and of which nothing says that they were to be.
    pub fn lone(&self) -> usize {
        self.operations.iter().filter(|operation| operation.outcome.is_none()).count()
    }
}

/// Where rows of the same operations are: a mark for each text of a column.
#[derive(Default)]
struct Marks {
    correlation: Vec<bool>,
    request: Vec<bool>,
    parent: Vec<bool>,
    is_new: bool,
}

impl Marks {
    fn new(texts: usize) -> Self {
        let none = || vec![false; texts];
        Self { correlation: none(), request: none(), parent: none(), is_new: false }
    }

    fn set(column: &mut [bool], symbol: Symbol, is_new: &mut bool) {
        if let Some(mark) = column.get_mut(symbol.0 as usize).filter(|mark| !**mark) {
            (*mark, *is_new) = (true, true);
        }
    }

    /// Whether a row with a status has one of the texts.
    fn has(&self, store: &Store, row: Row) -> bool {
        let (segment, at) = store.at(row);
        let marked = |column: &[bool], text| column.get(segment.text(at, text).0 as usize) == Some(&true);
        segment.status(at).is_some()
            && (marked(&self.correlation, Text::Correlation)
                || marked(&self.request, Text::Request)
                || marked(&self.parent, Text::Parent))
    }

    /// Marks what leads from an attempt to others: its trace, its request, its parent, and whose parent it is.
    fn lead_on(&mut self, store: &Store, row: Row, found: &mut Vec<Row>) {
        let (segment, at) = store.at(row);
        let text = |column| Some(segment.text(at, column)).filter(|symbol| *symbol != Symbol::ABSENT);
        let Self { correlation, request, parent, is_new } = self;
        if let Some(symbol) = text(Text::Correlation) {
            Self::set(correlation, symbol, is_new);
        }
        if let Some(symbol) = text(Text::Parent) {
            Self::set(request, symbol, is_new);
            found.extend(store.find(&Id::parse(store.symbols.get(symbol))));
        }
        let own = match text(Text::Request) {
            Some(symbol) if !is_same(symbol) => Some(symbol),
            _ => store.symbols.find(&segment.id(at, &store.symbols).to_string()),
        };
        if let Some(symbol) = own {
            Self::set(parent, symbol, is_new);
            Self::set(request, symbol, is_new);
        }
    }
}

impl Store {
    /// What became of the operation of a failed attempt, as of the last [`Store::follow_operations`]. Where another attempt may
    /// be beyond what memory holds, it is unknown.
    pub fn final_outcome(&self, row: Row) -> Option<FinalOutcome> {
        self.operations.outcome(row)
    }

    /// Memory holds everything from a moment on, or all that there is: without another attempt there, none was made.
    pub fn set_held_from(&mut self, held_from: Option<Timestamp>) {
        // Nothing changes for a store without rows: who counts them then would count the first ones later.
        if std::mem::replace(&mut self.operations.held_from, held_from) != held_from && !self.is_empty() {
            self.judge_again(|_| true);
        }
    }

    /// The other attempts of these have been looked up, and are in memory.
    pub fn set_looked_up(&mut self, ids: &[Id]) {
        let rows: HashSet<Row> = ids.iter().filter_map(|id| self.find(id)).collect();
        if !rows.is_empty() {
            self.operations.looked_up.extend(&rows);
            self.judge_again(|row| rows.contains(row));
        }
    }

    /// Attempts have been given up: those that were looked up may be among them.
    pub(super) fn forget_what_was_looked_up(&mut self) {
        let rows = std::mem::take(&mut self.operations.looked_up);
        self.judge_again(|row| rows.contains(row));
    }

    /// Something else may be known of what may have been tried again, also of what says nothing of that.
    fn judge_again(&mut self, of: impl Fn(&Row) -> bool) {
        let open = self.operations.of.iter().filter(|(_, known)| known.unless_followed.is_some());
        let open: Vec<Row> = open.map(|(row, _)| *row).filter(of).collect();
        self.update_view(&[], &[], &open);
        self.revision += 1;
    }

    /// Brings what is known of operations up to date; returns the attempts of which something else is known now.
    pub fn follow_operations(&mut self) -> Vec<Row> {
        let noted = self.operations.take_noted().unwrap_or_else(|| self.order.rows().to_vec());
        if noted.is_empty() {
            return noted;
        }
        let attempts = self.attempts_with(self.of_failed_operations(noted));
        let mut changed = Vec::new();
        for (row, known) in self.outcomes(&attempts) {
            let before = match known {
                Some(known) => self.operations.of.insert(row, known),
                None => self.operations.of.remove(&row),
            };
            if before != known {
                changed.push(row);
            }
        }
        if !changed.is_empty() {
            self.update_view(&[], &[], &changed);
            self.revision += 1;
        }
        changed
    }

    /// The rows that may be attempts of an operation that has failed: they have failed, or share something with a failure.
    fn of_failed_operations(&self, rows: Vec<Row>) -> Vec<Row> {
        let failed = |row: &Row| self.status(*row).is_some_and(Status::is_failure);
        let mut marks = Marks::new(self.symbols.len());
        let mut parents = Vec::new();
        for row in self.order.rows().iter().filter(|row| failed(row)) {
            marks.lead_on(self, *row, &mut parents);
        }
        let may_be = |row: &Row| self.holds(*row) && (failed(row) || marks.has(self, *row));
        rows.into_iter().filter(may_be).collect()
    }

    /// These rows, and all that may be attempts of the same operations.
    fn attempts_with(&self, noted: Vec<Row>) -> Vec<Row> {
        let mut marks = Marks::new(self.symbols.len());
        let mut known: HashSet<Row> = HashSet::new();
        let mut open = noted;
        for _ in 0..GENERATIONS {
            let mut next = Vec::new();
            for row in open {
                if known.insert(row) {
                    marks.lead_on(self, row, &mut next);
                }
            }
            if std::mem::take(&mut marks.is_new) {
                next.extend(self.order.rows().iter().copied().filter(|row| marks.has(self, *row)));
            }
            next.retain(|row| !known.contains(row));
            if next.is_empty() {
                break;
            }
            open = next;
        }
        // What is judged first decides where links are ambiguous: not chance.
        let mut known: Vec<Row> = known.into_iter().collect();
        known.sort_unstable_by_key(|row| self.key(*row));
        known
    }

    /// What is known of the failed ones among some attempts.
    fn outcomes(&self, attempts: &[Row]) -> Vec<(Row, Option<Known>)> {
        let mut all = Vec::new();
        for group in self.groups(attempts) {
            if !group.iter().any(|row| self.status(*row).is_some_and(Status::is_failure)) {
                continue;
            }
            let members: Vec<Activity> = group.iter().map(|row| self.get(*row)).collect();
            let row_of: HashMap<&Id, Row> = members.iter().map(|a| &a.id).zip(group.iter().copied()).collect();
            let mut judged: HashSet<&Id> = HashSet::new();
            for attempt in members.iter().filter(|attempt| attempt.is_failed_attempt()) {
                if judged.contains(&attempt.id) {
                    continue;
                }
                let chain = Chain::build(attempt, &members);
                let first = chain.attempts.first().and_then(|first| row_of.get(&first.id)).copied();
                let unless_followed = chain.unless_followed(None);
                let known = first.zip(chain.outcome(None));
                let known = known.map(|(first, outcome)| Known { first, outcome, unless_followed });
                for one in chain.attempts.iter().filter(|one| one.is_failed_attempt()) {
                    if let Some((id, row)) = row_of.get_key_value(&one.id) {
                        judged.insert(id);
                        all.push((*row, known));
                    }
                }
            }
        }
        all
    }

    /// The operations of some attempts, each once, in the order in which the attempts are given. Where nothing but a request or a
    /// trace joins attempts, which may be of several operations, each of them stands for itself.
    pub fn last_attempts(&self, rows: &[Row]) -> Vec<LastAttempt> {
        let given: HashMap<Row, usize> = rows.iter().copied().zip(0..).collect();
        let mut found: BTreeMap<usize, LastAttempt> = BTreeMap::new();
        for group in self.groups(&self.attempts_with(rows.to_vec())) {
            let mut asked: Vec<(usize, Row)> = group.iter().filter_map(|row| Some((*given.get(row)?, *row))).collect();
            asked.sort_unstable();
            let members: Vec<Activity> = group.iter().map(|row| self.get(*row)).collect();
            let mut judged: HashSet<Id> = HashSet::new();
            for (place, row) in asked {
                let activity = self.get(row);
                if judged.contains(&activity.id) {
                    continue;
                }
                let chain = Chain::build(&activity, &members);
                let outcome = chain.outcome(None);
                let (attempts, is_certain) = (chain.attempts.len(), chain.is_certain());
                let Some(first) = chain.attempts.first().map(|first| first.id.clone()) else { continue };
                let last = if is_certain {
                    judged.extend(chain.attempts.iter().map(|attempt| attempt.id.clone()));
                    chain.attempts.into_iter().next_back().unwrap_or(activity)
                } else {
                    activity
                };
                found.insert(place, LastAttempt { activity: last, first, attempts, outcome });
            }
        }
        found.into_values().collect()
    }

    /// Attempts in groups of one operation or more: those of one operation are in one group.
    fn groups(&self, attempts: &[Row]) -> Vec<Vec<Row>> {
        // What attempts of one operation have in common, and whichever of these each names.
        let mut group_of: Vec<usize> = (0..attempts.len()).collect();
        let mut first_with: HashMap<(u8, u64), usize> = HashMap::new();
        for (index, row) in attempts.iter().enumerate() {
            for link in self.links(*row) {
                match first_with.get(&link) {
                    Some(other) => {
                        let (a, b) = (root(&mut group_of, index), root(&mut group_of, *other));
                        group_of[a] = b;
                    }
                    None => drop(first_with.insert(link, index)),
                }
            }
        }
        let mut groups: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        for (index, row) in attempts.iter().enumerate() {
            groups.entry(root(&mut group_of, index)).or_default().push(*row);
        }
        groups.into_values().collect()
    }

    /// What links an attempt with others of its operation: its trace, its own request, and the one it names.
    fn links(&self, row: Row) -> Vec<(u8, u64)> {
        use std::hash::BuildHasher as _;
        let (segment, at) = self.at(row);
        let text = |column| segment.text(at, column);
        let operation = (
            (text(Text::System), text(Text::Endpoint), text(Text::Method)),
            (text(Text::Operation), text(Text::Entity), segment.direction(at) as u8),
        );
        let hash = |text: &str| self.hasher.hash_one((operation, text));
        let named = |symbol: Symbol| (symbol != Symbol::ABSENT).then(|| hash(self.symbols.get(symbol)));
        let request = match text(Text::Request) {
            symbol if symbol != Symbol::ABSENT && !is_same(symbol) => hash(self.symbols.get(symbol)),
            _ => hash(&segment.id(at, &self.symbols).to_string()),
        };
        let links = [named(text(Text::Correlation)).map(|trace| (0, trace)), Some((1, request))];
        links.into_iter().flatten().chain(named(text(Text::Parent)).map(|parent| (1, parent))).collect()
    }

    /// The operations of some rows that have failed at least once, and what became of them.
    pub fn affected(&self, rows: &[Row]) -> Affected {
        let mut affected = Affected::default();
        let mut known: HashMap<Row, usize> = HashMap::new();
        for row in rows.iter().filter(|row| self.status(**row).is_some_and(Status::is_failure)) {
            let started = self.started(*row);
            let system = Some(self.system(*row)).filter(|system| *system != Symbol::ABSENT);
            affected.system =
                if affected.since.is_none() { system } else { affected.system.filter(|one| Some(*one) == system) };
            affected.since = Some(affected.since.map_or(started, |since| since.min(started)));
            let operation = self.operations.of.get(row).map_or(*row, |known| known.first);
            let lone = || (!self.operations.is_known_after(*row, started)).then_some(FinalOutcome::Unknown);
            let outcome = self.operations.outcome(*row).or_else(lone);
            match known.get(&operation) {
                Some(index) => {
                    let known = &mut affected.operations[*index];
                    (known.last, known.failed) = (*row, known.failed + 1);
                }
                None => {
                    known.insert(operation, affected.operations.len());
                    affected.operations.push(Operation { first: *row, last: *row, failed: 1, outcome });
                }
            }
        }
        affected
    }
}

/// The group that another one has become a part of.
fn root(group_of: &mut [usize], index: usize) -> usize {
    let mut at = index;
    while group_of[at] != at {
        group_of[at] = group_of[group_of[at]];
        at = group_of[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::filter::{Context, Field, Filter};
    use crosstail_core::model::Names;

    fn attempt(order: i64, number: u16, status: Status) -> Activity {
        let id = format!("order-{order}-{number}");
        let mut a =
            Activity::new(Id::Text(id.as_str().into()), Timestamp(order * 1_000_000 + i64::from(number) * 10_000));
        a.request_id = Some(a.id.clone());
        a.attempt = Some(number);
        a.max_attempts = Some(3);
        a.status = Some(status);
        a.system = Some("SAP".into());
        a.endpoint = Some("/po/create".into());
        a.entity = Some(format!("PO {order}").into());
        a.correlation_id = Some(format!("trace-{order}").into());
        a.completed_at = status.is_finished().then(|| a.started_at.plus_us(5_000));
        a.next_retry_at = (status == Status::Failed && number < 3).then(|| a.started_at.plus_us(10_000));
        a
    }

    /// Ten operations each: recovered, given up, waiting, running; and one that succeeded at once.
    fn all() -> Vec<Activity> {
        use Status::{Failed, InProgress, Success};
        let kinds: [&[Status]; 5] =
            [&[Failed, Success], &[Failed, Failed, Failed], &[Failed], &[Failed, InProgress], &[Success]];
        let of = |order: i64| {
            let tries = kinds[usize::try_from(order % 5).expect("small")];
            tries.iter().zip(1..).map(move |(status, number)| attempt(order, number, *status))
        };
        (0..50).flat_map(of).collect()
    }

    /// What rests on there being no other attempt is said only where all that came later is known.
    #[test]
    fn what_may_have_been_tried_again_is_unknown_until_it_is_looked_up() {
        let mut store = Store::new(Names::default());
        let mut activities = all();
        // One that nothing says was to be tried again.
        let mut lone = attempt(60, 1, Status::Failed);
        (lone.attempt, lone.max_attempts, lone.next_retry_at) = (None, None, None);
        activities.push(lone);
        store.ingest(activities);
        store.follow_operations();
        let words = FinalOutcome::NAMES.map(|name| format!("final:{name}"));
        let counts = |store: &mut Store| words.each_ref().map(|filter| kept(store, filter));
        let all_known = [10, 30, 10, 10, 0];
        assert_eq!(counts(&mut store), all_known);
        let affected = |store: &Store| {
            let affected = store.affected(store.all_rows());
            (affected.counts(), affected.lone())
        };
        assert_eq!(affected(&store), ([10, 10, 10, 10, 0], 1));
        // Memory holds everything since order 30; of the rest, what attempts do not say themselves.
        store.set_held_from(Some(Timestamp(30_000_000)));
        assert_eq!(counts(&mut store), [10, 30, 4, 10, 6]);
        store.set_held_from(Some(Timestamp(i64::MAX)));
        assert_eq!(counts(&mut store), [10, 30, 0, 10, 10]);
        assert_eq!(affected(&store), ([10, 10, 0, 10, 11], 0));
        // The view follows, and so does whoever counts what was not tried again.
        assert_eq!(kept(&mut store, "final:unknown"), 10);
        let seen = store.revision();
        store.set_looked_up(&[Id::Text("order-60-1".into())]);
        assert!(store.revision() > seen);
        store.set_looked_up(&["order-2-1", "order-60-1"].map(|id| Id::Text(id.into())));
        assert_eq!(store.rows().len(), 9);
        assert_eq!(affected(&store), ([10, 10, 1, 10, 9], 1));
        // What was looked up may be among what is given up.
        store.give_up(Timestamp(49_000_000), Timestamp(i64::MAX), &HashSet::new());
        assert_eq!(store.rows().len(), 10);
        store.set_held_from(None);
        assert_eq!(counts(&mut store), all_known);
    }

    fn kept(store: &mut Store, filter: &str) -> usize {
        store.set_filter(Filter::parse(filter).expect(filter).predicate(&Context::default()));
        store.rows().len()
    }

    #[test]
    fn what_became_of_operations_is_the_same_in_whatever_order_they_arrive() {
        for newest_first in [false, true] {
            let mut store = Store::new(Names::default());
            let mut all = all();
            if newest_first {
                all.reverse();
            }
            for batch in all.chunks(7) {
                store.ingest(batch.to_vec());
                store.follow_operations();
            }
            assert_eq!(kept(&mut store, "final:recovered"), 10);
            assert_eq!(kept(&mut store, "final:given_up"), 30);
            assert_eq!(kept(&mut store, "final:(waiting, running)"), 20);
            assert_eq!(kept(&mut store, "status:failed -final:*"), 0);
            assert_eq!(kept(&mut store, "final:*"), 60);
            let affected = store.affected(store.all_rows());
            assert_eq!((affected.counts(), affected.lone()), ([10, 10, 10, 10, 0], 0));
            assert_eq!(affected.since, Some(Timestamp(10_000)));
            let facet = store.facet(Field::Final, store.all_rows(), 10);
            assert_eq!((facet[0].value.as_str(), facet[0].count), ("given_up", 30));
            // What the next attempt says changes what is known of those before it.
            assert_eq!(kept(&mut store, "final:waiting"), 10);
            store.ingest(vec![attempt(2, 2, Status::Success)]);
            assert_eq!(store.follow_operations().len(), 1);
            assert_eq!(store.rows().len(), 9);
        }
    }

    #[test]
    fn attempts_that_only_name_their_parent_are_found() {
        let mut store = Store::new(Names::default());
        let mut tries: Vec<Activity> =
            (1..=3).map(|n| attempt(7, n, if n == 3 { Status::Success } else { Status::Failed })).collect();
        for index in 0..3 {
            tries[index].correlation_id = None;
            tries[index].parent_request_id = index.checked_sub(1).map(|before| tries[before].id.to_string().into());
        }
        for activity in [&tries[2], &tries[0], &tries[1]] {
            store.ingest(vec![activity.clone()]);
            store.follow_operations();
        }
        assert_eq!(kept(&mut store, "final:recovered"), 2);
        let same = store.get(store.find(&tries[0].id).expect("there"));
        assert!(matches!(same.final_outcome, Some(FinalOutcome::Recovered { attempt: 3, .. })), "{same:?}");
        // The same record again changes nothing.
        assert_eq!(store.ingest(vec![tries[0].clone()]).changed, 0);
    }

    #[test]
    fn an_operation_is_told_once_by_its_last_attempt() {
        let mut store = Store::new(Names::default());
        store.ingest(all());
        let failed: Vec<Row> =
            store.all_rows().iter().copied().filter(|row| store.status(*row) == Some(Status::Failed)).collect();
        let found = store.last_attempts(&failed);
        assert_eq!(found.len(), 40, "each of the operations that have failed, once");
        let of = |order: i64| {
            let id = format!("order-{order}-");
            found.iter().find(|one| one.activity.id.to_string().starts_with(&id)).expect("told")
        };
        assert_eq!((of(0).activity.status, of(0).attempts), (Some(Status::Success), 2));
        assert!(matches!(of(0).outcome, Some(FinalOutcome::Recovered { attempt: 2, .. })));
        assert_eq!(
            (of(1).activity.id.to_string(), of(1).outcome),
            ("order-1-3".to_owned(), Some(FinalOutcome::GivenUp))
        );
        assert!(matches!(of(2).outcome, Some(FinalOutcome::Waiting(_))));
        // Asked by one of its attempts, it is the same operation.
        let first = store.find(&Id::Text("order-1-1".into())).expect("there");
        assert_eq!(store.last_attempts(&[first])[0], *of(1));
    }

    /// Five lines of an order are posted in one trace, none of them numbered: they are five operations, not five attempts of one.
    #[test]
    fn what_only_a_trace_joins_stands_for_itself() {
        let mut store = Store::new(Names::default());
        let line = |number: i64| {
            let mut one = attempt(7, 1, Status::Failed);
            one.id = Id::Text(format!("line-{number}").into());
            (one.request_id, one.attempt, one.max_attempts, one.entity) = (None, None, None, None);
            (one.started_at, one.completed_at) = (Timestamp(number * 1000), Some(Timestamp(number * 1000 + 500)));
            one
        };
        store.ingest((0..5).map(line).collect());
        let found = store.last_attempts(store.all_rows());
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found.iter().all(|one| one.first == found[0].first), "what they may have in common is known");
    }
}
