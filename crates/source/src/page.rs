//! Pages of history.

use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::{Activity, Timestamp};
use serde::{Deserialize, Serialize};

/// A query for history: filter, range of time, order and page size.
#[derive(Debug, Clone)]
pub struct PageQuery {
    /// Activities to return. Local evaluation defines the result, whatever the store evaluates.
    pub filter: Filter,
    /// The present time and the time zone, on which words of the filter such as `-15m` and `today` depend.
    pub context: Context,
    /// Activities that started before are left out.
    pub since: Option<Timestamp>,
    /// Activities that started at this time or later are left out.
    pub until: Option<Timestamp>,
    /// Newest first, else oldest first. Ids decide between equal times.
    pub newest_first: bool,
    /// Maximum number of activities per page.
    pub limit: usize,
}

impl PageQuery {
    /// A query for everything, newest first.
    pub fn all(limit: usize) -> Self {
        Self {
            filter: Filter::default(),
            context: Context::default(),
            since: None,
            until: None,
            newest_first: true,
            limit,
        }
    }

    /// Whether a moment is between `since` and `until`.
    pub fn includes(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Whether records without a time are asked for: they stand at the epoch.
    pub fn includes_undated(&self) -> bool {
        self.includes(Timestamp::UNDATED)
    }
}

/// The end of a page: time and id of its last activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Start of the last activity, in microseconds since the epoch.
    pub time_us: i64,
    /// Id of the last activity, as text; decides between equal times.
    pub id: String,
}

impl Cursor {
    /// The cursor after an activity.
    pub fn after(activity: &Activity) -> Self {
        Self { time_us: activity.started_at.0, id: activity.id.to_string() }
    }

    /// Start of the last activity.
    pub fn at(&self) -> Timestamp {
        Timestamp(self.time_us)
    }

    /// Whether an activity with this time and id comes after the cursor.
    pub fn is_before(&self, at: Timestamp, id: &str, newest_first: bool) -> bool {
        let order = (at.0, id).cmp(&(self.time_us, self.id.as_str()));
        if newest_first { order.is_lt() } else { order.is_gt() }
    }
}

/// What answering a query takes in the store, as far as the store can say before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// An index finds the matches wherever in time they are. Otherwise the store reads everything in the range of time,
    /// and the caller asks for it in slices.
    pub indexed: bool,
    /// Rows that it expects to read.
    pub rows: Option<u64>,
    /// Bytes that it expects to read.
    pub bytes: Option<u64>,
}

/// How a filter was divided between the store and the local evaluator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PushDown {
    /// Number of clauses that the store evaluated.
    pub in_store: usize,
    /// Number of clauses that were evaluated locally.
    pub local: usize,
}

/// One page of history.
#[derive(Debug, Clone)]
pub struct Page {
    /// The activities, in the order of the query.
    pub items: Vec<Activity>,
    /// Where the next page starts; `None` at the end of the history.
    pub next: Option<Cursor>,
    /// How the filter was divided.
    pub push_down: PushDown,
}

/// What one table, or another part of a store, adds to a page.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Its activities, in any order.
    pub items: Vec<Activity>,
    /// Nothing follows.
    pub ended: bool,
    /// Where reading stopped, if it did not end: time and id of the last record that was read. What is after it belongs to
    /// the next page.
    pub reached: Option<(Timestamp, String)>,
}

impl Part {
    /// The nearer of two places in an order.
    pub fn nearer(
        one: Option<(Timestamp, String)>,
        other: Option<(Timestamp, String)>,
        newest_first: bool,
    ) -> Option<(Timestamp, String)> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if newest_first { one.max(other) } else { one.min(other) }),
            (one, other) => one.or(other),
        }
    }
}

impl Page {
    /// Merges parts into one page. Where a part stopped before the page was full, because its records are heavy, the page
    /// ends there, too.
    pub fn merge_parts(parts: Vec<Part>, in_store: usize, query: &PageQuery) -> Self {
        let (mut items, mut open, mut end) = (Vec::new(), false, None);
        for part in parts {
            open |= !part.ended;
            end = Part::nearer(end, part.reached, query.newest_first);
            items.extend(part.items);
        }
        if let Some((at, id)) = &end {
            let cursor = Cursor { time_us: at.0, id: id.clone() };
            items
                .retain(|item: &Activity| !cursor.is_before(item.started_at, &item.id.to_string(), query.newest_first));
        }
        let mut page = Self::merge_pages(items, open, in_store, query);
        // The last record that was read may be one that the filter does not keep.
        if let (None, Some((at, id))) = (&page.next, end) {
            page.next = Some(Cursor { time_us: at.0, id });
        }
        page
    }

    /// Merges the parts that several tables returned into one page. `open`: whether any part has more. `in_store`:
    /// number of clauses that the store evaluated for every part.
    pub fn merge_pages(mut items: Vec<Activity>, open: bool, in_store: usize, query: &PageQuery) -> Self {
        items.sort_by_cached_key(|a| (a.started_at, a.id.to_string()));
        if query.newest_first {
            items.reverse();
        }
        let more = items.len() > query.limit || open;
        items.truncate(query.limit);
        let next = items.last().filter(|_| more).map(Cursor::after);
        let here = query.filter.clauses().len() - in_store;
        Self { items, next, push_down: PushDown { in_store, local: here } }
    }
}
