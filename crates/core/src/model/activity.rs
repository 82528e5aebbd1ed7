//! The activity: one row of the list, from any store.

use super::{Direction, FinalOutcome, Id, Kind, Level, NameId, Names, SourceId, Status, Timestamp};
use compact_str::CompactString;

/// Where a source can find a record again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Locator {
    /// A line of a file.
    Line {
        /// Registered name of the file.
        file: NameId,
        /// Byte offset of the line's first byte.
        offset: u64,
        /// Length in bytes, without the newline.
        length: u32,
    },
    /// A row of a table, by integer key.
    Row(i64),
    /// A record, by text key. In a table other than the source's first, also by the table's number: see
    /// [`Locator::table_key`].
    Key(CompactString),
    /// A message of a topic.
    Message {
        /// Registered name of the topic.
        topic: NameId,
        /// Partition number.
        partition: u32,
        /// Offset in the partition.
        offset: u64,
    },
}

impl Locator {
    /// A record by the number of its table in the source (from 0) and its key.
    pub fn table_key(number: usize, key: &str) -> Self {
        Self::Key(if number == 0 && !key.starts_with('#') { key.into() } else { format!("#{number} {key}").into() })
    }

    /// The number of the table and the key, as given to [`Self::table_key`]; `None` for a line or a message.
    pub fn as_table_key(&self) -> Option<(usize, &str)> {
        let Self::Key(text) = self else { return None };
        match text.strip_prefix('#').and_then(|rest| rest.split_once(' ')) {
            Some((number, key)) => Some((number.parse().ok()?, key)),
            None => Some((0, text)),
        }
    }
}

/// One place that holds an activity. Two places are equal if source and locator are.
#[derive(Debug, Clone)]
pub struct Place {
    /// Number of the source.
    pub source: SourceId,
    /// The record in the source.
    pub locator: Locator,
    /// When the record was stored there, if the store says so.
    pub at: Option<Timestamp>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.locator == other.locator
    }
}

impl Place {
    /// A place without a time of storage.
    pub const fn new(source: SourceId, locator: Locator) -> Self {
        Self { source, locator, at: None }
    }

    /// The table, index, topic or file that holds the record; `None` where only the source is known.
    pub fn table(&self, names: &Names) -> Option<std::sync::Arc<str>> {
        match self.locator {
            Locator::Line { file: name, .. } | Locator::Message { topic: name, .. } => Some(names.place_name(name)),
            Locator::Row(_) => None,
            Locator::Key(_) => names.table_name(self.source, self.locator.as_table_key()?.0),
        }
    }

    /// Name for people: that of the file for a line, of the topic for a message, else of the source.
    pub fn label(&self, names: &Names) -> String {
        match self.locator {
            Locator::Line { file: name, .. } | Locator::Message { topic: name, .. } => {
                names.place_name(name).to_string()
            }
            _ => names.source_name(self.source).to_string(),
        }
    }
}

/// One unit of integration work. Absent values are `None`. Times are in microseconds since the epoch, UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Identity, the same in all sources.
    pub id: Id,
    /// The places that hold it; never empty for an activity that came from a source.
    pub places: Vec<Place>,
    /// Kind of work.
    pub kind: Kind,
    /// Direction of the call.
    pub direction: Direction,
    /// Outcome. `None` for a log line, which has a level instead.
    pub status: Option<Status>,
    /// Severity; only of a log line.
    pub level: Option<Level>,
    /// The external system or service.
    pub system: Option<CompactString>,
    /// The URL's path with ids as `{id}`; figures are grouped by it.
    pub endpoint: Option<CompactString>,
    /// HTTP method as recorded.
    pub method: Option<CompactString>,
    /// Full URL as recorded.
    pub url: Option<CompactString>,
    /// HTTP status code, 100 to 999.
    pub http_status: Option<u16>,
    /// What happened, in the words of the store.
    pub message: Option<CompactString>,
    /// Start.
    pub started_at: Timestamp,
    /// End.
    pub completed_at: Option<Timestamp>,
    /// Recorded duration in microseconds.
    pub duration_us: Option<u64>,
    /// Number of the attempt of its operation, from 1.
    pub attempt: Option<u16>,
    /// Number of attempts that the retry policy allows.
    pub max_attempts: Option<u16>,
    /// When the next attempt is due.
    pub next_retry_at: Option<Timestamp>,
    /// Id of the request.
    pub request_id: Option<Id>,
    /// Id that the activities of one trace share.
    pub correlation_id: Option<CompactString>,
    /// Id of the request that caused this one, or that this one retries.
    pub parent_request_id: Option<CompactString>,
    /// Error text.
    pub error: Option<CompactString>,
    /// Error class or code.
    pub error_type: Option<CompactString>,
    /// Where in the application it was thrown, of a record that has a stack: see [`place_of`](super::place_of).
    pub error_at: Option<CompactString>,
    /// The operation: `sync_import`, `CREATE`, the name of an event.
    pub operation: Option<CompactString>,
    /// Type and id of the business entity, for example `PO PO-4711`.
    pub entity: Option<CompactString>,
    /// User or service that triggered it.
    pub actor: Option<CompactString>,
    /// Organisation or tenant that it was done for.
    pub organization: Option<CompactString>,
    /// Tags, joined by `, `.
    pub tags: Option<CompactString>,
    /// CPU usage when it was logged, in per cent.
    pub cpu_percent: Option<f64>,
    /// Memory usage when it was logged, in MB.
    pub memory_mb: Option<f64>,
    /// Whether the record is one of several parts of an activity; parts merge in any order.
    pub part: bool,
    /// Whether `started_at` was recorded, not derived from end − duration.
    pub exact_start: bool,
    /// Whether `system` was recorded, not a fallback such as the service name.
    pub exact_system: bool,
    /// The part with the highest rank provides the message: start 0, completion 1, failure 2.
    pub message_rank: u8,
    /// What became of the operation of a failed attempt. No record says it: it is there once the other attempts are known.
    pub final_outcome: Option<FinalOutcome>,
}

impl Activity {
    /// An activity with only an identity and a start.
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
            error_at: None,
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
            final_outcome: None,
        }
    }

    /// An activity that stands for a record that could not be read.
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

    /// Duration in microseconds: as recorded, else from a recorded start to a recorded end.
    pub fn took_us(&self) -> Option<u64> {
        self.duration_us.or_else(|| {
            let end = self.completed_at.filter(|_| self.exact_start && self.status.is_some_and(Status::is_finished))?;
            u64::try_from(end.since_us(self.started_at)).ok()
        })
    }

    /// Whether its record says when it was: when it started, or when it ended.
    pub const fn knows_its_time(&self) -> bool {
        self.exact_start || self.completed_at.is_some()
    }

    /// Id of the request that it is, or is a line of. Others name it as their parent.
    pub fn request_key(&self) -> &Id {
        self.request_id.as_ref().unwrap_or(&self.id)
    }

    /// Whether it is a span: its id begins with that of its trace, since ids of spans are unique within a trace alone. A record may
    /// name the trace in capitals, or without the zeros that it begins with.
    pub fn is_span(&self) -> bool {
        let (Some(trace), Id::Text(id)) = (&self.correlation_id, &self.id) else { return false };
        let bare = |text: &str| text.trim_start_matches('0').to_ascii_lowercase();
        id.strip_prefix(trace.as_str()).is_some_and(|rest| rest.starts_with('-'))
            || id.split_once('-').is_some_and(|(own, _)| own.len() == 32 && bare(own) == bare(trace))
    }

    /// Whether one of two is a span, and the other is of another trace: then an id that both have says nothing.
    pub fn is_of_another_trace(&self, other: &Self) -> bool {
        let differ = matches!((&self.correlation_id, &other.correlation_id), (Some(own), Some(other)) if own != other);
        differ && (self.is_span() || other.is_span())
    }

    /// What it says: its error, or else its message.
    pub fn said(&self) -> Option<&str> {
        self.error.as_deref().or(self.message.as_deref())
    }

    /// Whether it started after another; of two at one time, the one with the greater id.
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.started_at > other.started_at
            || (self.started_at == other.started_at && self.id.to_string() > other.id.to_string())
    }

    /// Whether it is an attempt that has failed: a line of a log is none.
    pub fn is_failed_attempt(&self) -> bool {
        self.status.is_some_and(Status::is_failure)
    }

    /// Whether it counts as a failure of its system: by its status, or for a log line by its level.
    pub fn is_failure(&self) -> bool {
        is_failure(self.status, self.level)
    }
}

/// Whether a status, or the level of a log line, counts as a failure. The only definition of it.
pub fn is_failure(status: Option<Status>, level: Option<Level>) -> bool {
    match status {
        Some(status) => status.is_failure(),
        None => level.is_some_and(Level::is_failure),
    }
}
