//! The fields that filters can name.

/// How filters compare the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// The full value, ignoring case, with globs.
    Keyword,
    /// `:` finds the text anywhere in the value.
    Text,
    /// The full value, or a beginning of at least four characters.
    Id,
    /// A number.
    Number,
    /// A duration; a bare number is in milliseconds.
    Duration,
    /// A point in time.
    Time,
    /// One of a fixed set of words.
    Word,
}

macro_rules! fields {
    ($($field:ident = $name:literal, [$($alias:literal),*], $class:ident, $example:literal, $help:literal;)+) => {
        /// A field of an activity that filters can name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Field { $(#[doc = $help] $field),+ }

        impl Field {
            /// Every field.
            pub const ALL: &'static [Self] = &[$(Self::$field),+];

            /// The name that help and completion show.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$field => $name),+ }
            }

            /// Alternative names.
            pub const fn aliases(self) -> &'static [&'static str] {
                match self { $(Self::$field => &[$($alias),*]),+ }
            }

            /// How filters compare its values.
            pub const fn class(self) -> ValueType {
                match self { $(Self::$field => ValueType::$class),+ }
            }

            /// A condition with it.
            pub const fn example(self) -> &'static str {
                match self { $(Self::$field => $example),+ }
            }

            /// One line of help.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$field => $help),+ }
            }
        }
    };
}

fields! {
    Status = "status", [], Word, "status:failed", "in_progress, success, cancelled, timeout, failed";
    Is = "is", ["outcome"], Word, "is:failure", "failure (failed, timeout, or an error line), ok, pending";
    System = "system", ["sys", "service"], Keyword, "system:SAP", "the external system or service";
    Level = "level", ["severity"], Word, "level>=warn", "trace < debug < info < warn < error < fatal";
    Kind = "kind", ["type"], Word, "kind:webhook", "api_call, webhook, sync, notification, event, log …";
    Direction = "direction", ["dir"], Word, "dir:out", "out, in, internal";
    Time = "time", ["started", "started_at", "t"], Time, "time:-15m", "when it started: -15m, 09:00..09:20, 2026-11-20";
    Duration = "latency", ["duration", "took", "duration_ms"], Duration, "latency>1s", "how long it took: >1s, 100ms..2s";
    Http = "http", ["http_status", "code"], Number, "http:5xx", "HTTP status: 503, 5xx, 400..499";
    Method = "method", ["verb"], Keyword, "method:POST", "HTTP method";
    Endpoint = "endpoint", ["ep", "path"], Keyword, "endpoint:/po/*", "URL path with ids as {id}";
    Url = "url", [], Text, "url:page=2", "full URL";
    Message = "message", ["msg"], Text, "message:\"order 88123\"", "what happened, in the store's words";
    Error = "error", ["err"], Text, "error~/timeout|reset/", "error text";
    ErrorType = "error.type", ["error_type", "errtype"], Keyword, "error.type:ETIMEDOUT", "error class or code";
    ErrorAt = "error.at", ["error_at", "frame"], Keyword, "error.at:saveOrder*", "where in the application an error of a log was thrown: function and file of its stack";
    Pattern = "pattern", ["template"], Keyword, "pattern:\"order <*> refused\"", "what it says (its error, or else its message) without what varies: the words of a pattern, or its id";
    Attempt = "attempt", ["try"], Number, "attempt>=3", "number of the attempt, from 1";
    MaxAttempts = "attempts", ["max_attempts", "tries"], Number, "attempts:4", "number of attempts that the policy allows";
    NextRetry = "retry.next", ["next_retry_at", "next_retry"], Time, "retry.next:..+10m", "when the next attempt is due: ..+10m";
    Final = "final", [], Word, "final:given_up", "what became of a failed attempt: recovered, given_up, waiting, running";
    Id = "id", [], Id, "id:7f3a9c21", "identity of the activity";
    Request = "request", ["request_id", "req_id", "rid"], Id, "request:r-12345", "request id";
    Correlation = "corr", ["correlation", "correlation_id", "trace_id"], Id, "corr:7f3a9c21", "id that the activities of a trace share";
    Parent = "parent", ["parent_request_id"], Id, "parent:*", "id of the request that caused this one or that this one retries";
    Operation = "operation", ["op", "activity_type"], Keyword, "operation:lead.*", "operation: sync_import, CREATE, lead.created";
    Entity = "entity", [], Keyword, "entity:\"PO PO-4711\"", "business entity: PO PO-4711";
    Actor = "actor", ["user", "triggered_by"], Keyword, "actor:SCHEDULER", "who triggered it";
    Organization = "org", ["organization", "organisation", "tenant"], Keyword, "org:acme", "organisation or tenant that it was done for";
    Tags = "tag", ["tags"], Keyword, "tag:urgent", "one of its tags";
    Cpu = "cpu", ["cpu_percent", "cpu_usage"], Number, "cpu>90", "CPU usage in per cent when it was logged";
    Memory = "memory", ["mem", "memory_mb", "memory_usage"], Number, "memory>500", "memory usage in MB when it was logged";
    Completed = "completed", ["completed_at", "ended"], Time, "completed:-1h", "when it ended";
    Source = "source", ["src", "in"], Keyword, "source:shop", "the configured source, or a file of it";
}

/// The roots of payload paths with their help, for completion and suggestions.
pub(super) const ROOTS: &[(&str, &str)] = &[
    ("req.body", "request body, or a path in it: req.body.lines[*].sku"),
    ("req.header", "request header: req.header.content-type"),
    ("res.body", "response body"),
    ("res.header", "response header: res.header.retry-after"),
    ("meta", "metadata: meta.tenant"),
    ("stack", "error stack"),
    ("raw", "the record as its store holds it"),
];

impl Field {
    /// The words of a [`ValueType::Word`] field, in order.
    pub fn words(self) -> Vec<&'static str> {
        use crate::model::{Direction, FinalOutcome, Kind, Level, Status};
        match self {
            Self::Status => Status::ALL.iter().map(|w| w.as_str()).collect(),
            Self::Level => Level::ALL.iter().map(|w| w.as_str()).collect(),
            Self::Kind => Kind::ALL.iter().map(|w| w.as_str()).collect(),
            Self::Direction => Direction::ALL.iter().map(|w| w.as_str()).collect(),
            Self::Is => vec!["ok", "pending", "failure"],
            Self::Final => FinalOutcome::NAMES.to_vec(),
            _ => Vec::new(),
        }
    }

    /// The field with a name or alias, ignoring case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| {
            field.name().eq_ignore_ascii_case(name)
                || field.aliases().iter().any(|alias| alias.eq_ignore_ascii_case(name))
        })
    }

    /// The fields in which plain text is searched.
    pub const SEARCHED: &'static [Self] = &[
        Self::Message,
        Self::Error,
        Self::Url,
        Self::Endpoint,
        Self::System,
        Self::Method,
        Self::Operation,
        Self::Entity,
        Self::Id,
        Self::Request,
        Self::Correlation,
        Self::Parent,
        Self::Actor,
        Self::ErrorType,
        Self::Organization,
        Self::Tags,
    ];
}

/// The known word that is most similar to a misspelt one, if any is similar enough.
pub fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&wrong, &word.to_ascii_lowercase()), word))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// Whether what has been typed of a word may become the name of a field: it begins one, but for a slip of one letter behind the first.
pub fn may_become_field(word: &str) -> bool {
    let typed = word.to_ascii_lowercase();
    let length = typed.len();
    let begins = |name: &str| {
        let beginning = |letters: usize| name.get(..letters);
        if beginning(length).is_some_and(|beginning| beginning.eq_ignore_ascii_case(&typed)) {
            return true;
        }
        let near =
            |letters: usize| beginning(letters).is_some_and(|beginning| strsim::osa_distance(beginning, &typed) <= 1);
        length >= 3 && name.get(..1) == typed.get(..1) && (length - 1..=length + 1).any(near)
    };
    typed.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c))
        && Field::ALL.iter().any(|field| begins(field.name()) || field.aliases().iter().any(|alias| begins(alias)))
}

/// Writes a value so that a filter reads it literally: bare where that is safe, otherwise quoted.
pub fn quote(value: &str) -> String {
    let plain = !value.is_empty()
        && !value.contains("..")
        && !value.starts_with(['/', '-', '!', '.'])
        && value.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '+'));
    if plain { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}
