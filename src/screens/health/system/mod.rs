//! One system in detail: its endpoints, its errors by kind, the distribution of its response times and their course, its
//! most frequent operations.

pub(super) mod view;

use crate::screens::shared::reading;
use compact_str::CompactString;
use crosstail_core::filter::quote;
use crosstail_core::model::{Figures, Latencies, Timestamp};
use crosstail_core::number::{saturating_i64, saturating_usize, truncated_u64, truncated_usize};
use crosstail_engine::failure::error_kind;
use crosstail_engine::store::{Affected, Row, Store, Symbol};
use std::collections::{BTreeMap, HashMap};

/// Where the spans of HaloPSA's distribution begin, in milliseconds: docs/reference/halopsa.md.
pub const LATENCY_BUCKETS_MS: [u64; 5] = [0, 100, 500, 1000, 5000];
/// Columns of a chart over time.
const COLUMNS: usize = 60;
/// Where the rows of the heatmap begin, in microseconds: four a decade, from 1 ms to 100 s.
const HEAT: usize = 20;

/// A section of the screen with selectable lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Endpoints, those with the most failures first.
    Endpoints,
    /// Errors by kind.
    Errors,
    /// Spans of response time.
    Spans,
    /// The most frequent operations.
    Active,
}

/// A selectable line.
#[derive(Debug, Clone)]
pub struct SystemLine {
    /// Section of the line.
    pub section: Section,
    /// Endpoint, error kind, bucket or operation.
    pub name: String,
    /// Filter clause that matches its activities.
    pub clause: String,
    /// Figures of its activities.
    pub figures: Figures,
    /// Start of its last activity.
    pub last: Timestamp,
}

/// Number of activities by time and latency.
#[derive(Debug, Clone, Default)]
pub struct Heatmap {
    /// Counts by column of time and row of latency, the fastest first.
    pub columns: Vec<[u32; HEAT]>,
}

impl Heatmap {
    /// The row of a latency.
    fn row(us: u64) -> usize {
        let exponent = (us.max(1) as f64).log10() * 4.0 - 12.0;
        truncated_usize(exponent.clamp(0.0, (HEAT - 1) as f64))
    }

    /// Lower bound of a row, in microseconds.
    pub fn begins_us(row: usize) -> u64 {
        truncated_u64(10f64.powf((row as f64 + 12.0) / 4.0))
    }
}

/// One system over a window.
#[derive(Debug, Clone, Default)]
pub struct SystemView {
    /// Name of the system.
    pub system: String,
    /// The lines, section by section.
    pub entries: Vec<SystemLine>,
    /// Counts of the spans of response time.
    pub spans: Vec<u64>,
    /// Response times by time.
    pub heat: Heatmap,
    /// Activities, finished ones and failures by column of time.
    pub trend: Vec<(u64, u64, u64)>,
    /// Start of the window.
    pub since: Timestamp,
    /// The operations that have failed in it.
    pub affected: Affected,
    computed_at: Option<Timestamp>,
}

/// Maximum number of lines of a section.
const LINES: usize = 12;

impl SystemView {
    /// A view of a system, not computed yet.
    pub fn new(system: String) -> Self {
        Self { system, ..Self::default() }
    }

    /// Whether to recompute: every two seconds.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.computed_at.is_none_or(|at| now.since_us(at) >= 2_000_000)
    }

    /// Computes the view over a window that ends now. While the system is failing, its affected operations are those since it
    /// began to: the page has one moment for it.
    pub fn compute(&mut self, store: &Store, now: Timestamp, window_us: i64, failing_since: Option<Timestamp>) {
        let since = now.plus_us(-window_us);
        (self.computed_at, self.since) = (Some(now), since);
        self.heat = Heatmap { columns: vec![[0; HEAT]; COLUMNS] };
        self.trend = vec![(0, 0, 0); COLUMNS];
        let mut all = Latencies::default();
        let mut endpoints: HashMap<Symbol, (Figures, Timestamp)> = HashMap::new();
        let mut operations: HashMap<Symbol, (Figures, Timestamp)> = HashMap::new();
        let mut errors: BTreeMap<CompactString, (String, u64, Timestamp)> = BTreeMap::new();
        let system = store.symbols().find(&self.system);
        let mut failed: Vec<Row> = Vec::new();
        for row in store.rows_between(since..Timestamp(i64::MAX)) {
            if system != Some(store.system(*row)) || !store.is_work(*row) {
                continue;
            }
            let one = reading(store, *row);
            let open = one.status.is_some_and(|status| !status.is_finished());
            let column = (one.started.since_us(since) * saturating_i64(COLUMNS) / window_us.max(1))
                .clamp(0, saturating_i64(COLUMNS) - 1);
            let slot = &mut self.trend[saturating_usize(column)];
            (slot.0, slot.1, slot.2) = (slot.0 + 1, slot.1 + u64::from(!open), slot.2 + u64::from(one.failed));
            if let Some(us) = one.took_us {
                all.add(us);
                self.heat.columns[saturating_usize(column)][Heatmap::row(us)] += 1;
            }
            let by = [(&mut endpoints, store.endpoint(*row)), (&mut operations, store.operation(*row))];
            for (groups, symbol) in by.into_iter().filter(|(_, symbol)| *symbol != Symbol::ABSENT) {
                let (figures, last) = groups.entry(symbol).or_default();
                figures.add_statuses(one.status, one.failed, 1);
                one.took_us.into_iter().for_each(|us| figures.latencies.add(us));
                *last = (*last).max(one.started);
            }
            if one.failed {
                failed.push(*row);
                let (kind, clause) = error_kind(one.status, one.error.0, one.error.1);
                let error = errors.entry(kind).or_insert((clause, 0, one.started));
                (error.1, error.2) = (error.1 + 1, error.2.max(one.started));
            }
        }
        failed.retain(|row| failing_since.is_none_or(|since| store.started(*row) >= since));
        let affected = store.affected(&failed);
        let since = failing_since.filter(|_| !affected.operations.is_empty()).or(affected.since);
        self.affected = Affected { since, ..affected };
        self.spans = all.counts(&LATENCY_BUCKETS_MS.map(|ms| ms * 1000));
        self.entries.clear();
        self.list(Section::Endpoints, "endpoint", store, endpoints, |figures| (figures.failed, figures.count));
        let of_errors = errors.into_iter().map(|(name, (clause, count, last))| SystemLine {
            section: Section::Errors,
            name: name.to_string(),
            clause,
            figures: Figures { count, failed: count, ..Figures::default() },
            last,
        });
        let mut of_errors: Vec<SystemLine> = of_errors.collect();
        of_errors.sort_by_key(|entry| std::cmp::Reverse(entry.figures.count));
        self.entries.extend(of_errors.into_iter().take(LINES));
        for (index, count) in self.spans.iter().enumerate() {
            let (from, upto) = (LATENCY_BUCKETS_MS[index], LATENCY_BUCKETS_MS.get(index + 1));
            let (name, clause) = match upto {
                Some(upto) => (format!("{from} … {upto} ms"), format!("latency>={from}ms latency<{upto}ms")),
                None => (format!("{from} ms …"), format!("latency>={from}ms")),
            };
            let figures = Figures { count: *count, ..Figures::default() };
            self.entries.push(SystemLine { section: Section::Spans, name, clause, figures, last: Timestamp(0) });
        }
        self.list(Section::Active, "operation", store, operations, |figures| (figures.count, figures.failed));
    }

    fn list(
        &mut self,
        section: Section,
        field: &str,
        store: &Store,
        groups: HashMap<Symbol, (Figures, Timestamp)>,
        order: impl Fn(&Figures) -> (u64, u64),
    ) {
        let named = groups.into_iter().map(|(symbol, (figures, last))| {
            let name = store.symbols().get(symbol).to_owned();
            let clause = format!("{field}:{}", quote(&name));
            SystemLine { section, name, clause, figures, last }
        });
        let mut named: Vec<SystemLine> = named.collect();
        named.sort_by(|a, b| order(&b.figures).cmp(&order(&a.figures)).then_with(|| a.name.cmp(&b.name)));
        named.truncate(LINES);
        self.entries.extend(named);
    }

    /// The entry of a line; the first line is the system.
    pub fn chosen(&self, line: usize) -> Option<&SystemLine> {
        line.checked_sub(1).and_then(|index| self.entries.get(index))
    }

    /// The lines of a section, with their numbers.
    pub fn of(&self, section: Section) -> impl Iterator<Item = (usize, &SystemLine)> {
        self.entries
            .iter()
            .zip(1..)
            .map(|(entry, line)| (line, entry))
            .filter(move |(_, entry)| entry.section == section)
    }
}
