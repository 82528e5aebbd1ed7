//! The activity: one row of the list, whatever store it came from.

use super::{Direction, Id, Kind, Level, NameId, Names, SourceId, Status, Timestamp};
use compact_str::CompactString;

/// Where a source finds a record again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Locator {
    /// A line of a file.
    Line {
        /// The file.
        file: NameId,
        /// Byte offset of the line's first byte.
        offset: u64,
        /// Length in bytes, without the newline.
        length: u32,
    },
    /// A row of a table by integer key.
    Row(i64),
    /// A record by text key; of another table than a source's first by its number and the key: see [`Locator::table_key`].
    Key(CompactString),
    /// A message of a topic.
    Message {
        /// The topic.
        topic: NameId,
        /// Its partition.
        partition: u32,
        /// The message's offset in the partition.
        offset: u64,
    },
}

impl Locator {
    /// A record of a source's table, by its number and the record's key.
    pub fn table_key(number: usize, key: &str) -> Self {
        Self::Key(if number == 0 && !key.starts_with('#') { key.into() } else { format!("#{number} {key}").into() })
    }

    /// The number of the table and the key, made by [`Self::table_key`].
    pub fn as_table_key(&self) -> Option<(usize, &str)> {
        let Self::Key(text) = self else { return None };
        match text.strip_prefix('#').and_then(|rest| rest.split_once(' ')) {
            Some((number, key)) => Some((number.parse().ok()?, key)),
            None => Some((0, text)),
        }
    }
}

/// One place that knows an activity. Two are the same where the record is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The source.
    pub source: SourceId,
    /// The record inside it.
    pub locator: Locator,
    /// When the record got there, where the place says so.
    pub at: Option<Timestamp>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.locator == other.locator
    }
}

impl Place {
    /// A record of a source.
    pub const fn new(source: SourceId, locator: Locator) -> Self {
        Self { source, locator, at: None }
    }

    /// The table, index, topic or file that the record is in; `None` where only the source is known.
    pub fn table(&self, names: &Names) -> Option<std::sync::Arc<str>> {
        match self.locator {
            Locator::Line { file: name, .. } | Locator::Message { topic: name, .. } => Some(names.place_name(name)),
            Locator::Row(_) => None,
            Locator::Key(_) => names.table_name(self.source, self.locator.as_table_key()?.0),
        }
    }

    /// How the place is named to people: the file's name for a line, the topic's for a message, else the source's name.
    pub fn label(&self, names: &Names) -> String {
        match self.locator {
            Locator::Line { file: name, .. } | Locator::Message { topic: name, .. } => {
                names.place_name(name).to_string()
            }
            _ => names.source_name(self.source).to_string(),
        }
    }
}

/// One unit of integration work. Absent values are `None`; times are microseconds since the epoch, UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Identity over all sources.
    pub id: Id,
    /// The places that know it; never empty once it has been through a source.
    pub places: Vec<Place>,
    /// What sort of work.
    pub kind: Kind,
    /// Which way it went.
    pub direction: Direction,
    /// What became of it. `None` for a log line, which has a level instead.
    pub status: Option<Status>,
    /// Severity of a log line.
    pub level: Option<Level>,
    /// The external system or service concerned.
    pub system: Option<CompactString>,
    /// The operation's address without host, query and ids: what figures are grouped by.
    pub endpoint: Option<CompactString>,
    /// HTTP method.
    pub method: Option<CompactString>,
    /// Full address as recorded.
    pub url: Option<CompactString>,
    /// HTTP status code.
    pub http_status: Option<u16>,
    /// What happened, in the store's words.
    pub message: Option<CompactString>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
    /// Which try of its operation, from 1.
    pub attempt: Option<u16>,
    /// How many tries the policy allows.
    pub max_attempts: Option<u16>,
    /// When the next try is due.
    pub next_retry_at: Option<Timestamp>,
    /// The request's own id.
    pub request_id: Option<Id>,
    /// What the activities of one trace share.
    pub correlation_id: Option<CompactString>,
    /// The request that caused, or was retried by, this one.
    pub parent_request_id: Option<CompactString>,
    /// Error text.
    pub error: Option<CompactString>,
    /// Error class or code.
    pub error_type: Option<CompactString>,
    /// What was being done: `sync_import`, `CREATE`, an event's name.
    pub operation: Option<CompactString>,
    /// The business entity, `PO PO-4711`.
    pub entity: Option<CompactString>,
    /// Who triggered it.
    pub actor: Option<CompactString>,
    /// The organisation, or tenant, it was done for.
    pub organization: Option<CompactString>,
    /// Tags, joined by `, `.
    pub tags: Option<CompactString>,
    /// CPU in use when it was logged, in per cent.
    pub cpu_percent: Option<f64>,
    /// Memory in use when it was logged, in MB.
    pub memory_mb: Option<f64>,
    /// This record is one part of an activity (a line of several): parts merge in any order.
    pub part: bool,
    /// `started_at` was recorded, not derived from end − duration.
    pub exact_start: bool,
    /// `system` was recorded, not the fallback (service name).
    pub exact_system: bool,
    /// Which part's message wins: start 0, completion 1, failure 2.
    pub message_rank: u8,
}

impl Activity {
    /// An activity with an identity and a time, and nothing else known.
    pub fn new(id: Id, started_at: Timestamp) -> Self {
        Self {
            id,
            places: Vec::new(),
            kind: Kind::Other,
            direction: Direction::Internal,
            status: None,
            level: None,
            system: None,
            endpoint: None,
            method: None,
            url: None,
            http_status: None,
            message: None,
            started_at,
            completed_at: None,
            duration_us: None,
            attempt: None,
            max_attempts: None,
            next_retry_at: None,
            request_id: None,
            correlation_id: None,
            parent_request_id: None,
            error: None,
            error_type: None,
            operation: None,
            entity: None,
            actor: None,
            organization: None,
            tags: None,
            cpu_percent: None,
            memory_mb: None,
            part: false,
            exact_start: true,
            exact_system: true,
            message_rank: 0,
        }
    }

    /// A record that could not be read, shown as what it is.
    pub fn undecodable(id: Id, at: Timestamp, place: Place, problem: &str, excerpt: &str) -> Self {
        let mut activity = Self::new(id, at);
        activity.kind = Kind::Undecodable;
        activity.level = Some(Level::Warn);
        activity.message = Some(CompactString::from(excerpt));
        activity.error = Some(CompactString::from(problem));
        activity.error_type = Some(CompactString::const_new("decode"));
        activity.places = vec![place];
        activity
    }

    /// How long it took: as recorded, else from a recorded start to a recorded end.
    pub fn took_us(&self) -> Option<u64> {
        self.duration_us.or_else(|| {
            let end = self.completed_at.filter(|_| self.exact_start && self.status.is_some_and(Status::is_finished))?;
            u64::try_from(end.since_us(self.started_at)).ok()
        })
    }

    /// The request that it is, or is a line of: what others name as their parent.
    pub fn request_key(&self) -> &Id {
        self.request_id.as_ref().unwrap_or(&self.id)
    }

    /// Whether it counts as a failure of its system: by its status, or by its level where it is a log line.
    pub fn is_failure(&self) -> bool {
        is_failure(self.status, self.level)
    }
}

/// The one definition of what counts as a failure.
pub fn is_failure(status: Option<Status>, level: Option<Level>) -> bool {
    match status {
        Some(status) => status.is_failure(),
        None => level.is_some_and(Level::is_failure),
    }
}
