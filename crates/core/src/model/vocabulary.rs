//! The closed vocabularies: status, level, kind, direction, kind of source.

/// Defines an enum of words with one spelling each, the same in code, screen, filter and JSON.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word, as filters and JSON write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word, whatever its case.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str().eq_ignore_ascii_case(word))
            }

            /// The value at an index made by `as u8`; the first one where there is none.
            pub fn from_index(index: u8) -> Self {
                Self::ALL.get(index as usize).copied().unwrap_or(Self::ALL[0])
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// What became of an activity. Ordered by what wins when two records of one request disagree:
    /// a later one outranks an earlier one.
    Status {
        /// Started, no outcome yet.
        InProgress = "in_progress",
        /// Finished well.
        Success = "success",
        /// Given up by its caller.
        Cancelled = "cancelled",
        /// No answer in time.
        Timeout = "timeout",
        /// Finished badly.
        Failed = "failed",
    }
}

impl Status {
    /// Whether the activity has an outcome.
    pub const fn is_finished(self) -> bool {
        !matches!(self, Self::InProgress)
    }

    /// Whether the outcome counts against the system: failed or timed out.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Timeout)
    }
}

words! {
    /// Severity of a log line, ascending.
    Level {
        /// Finest.
        Trace = "trace",
        /// For developers.
        Debug = "debug",
        /// Ordinary.
        Info = "info",
        /// Out of the ordinary, still working.
        Warn = "warn",
        /// Something failed.
        Error = "error",
        /// The process cannot go on.
        Fatal = "fatal",
    }
}

impl Level {
    /// Whether a line of this level counts as a failure of its system.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Error | Self::Fatal)
    }

    /// The names loggers use beside our own: syslog's, Python's, pino's numbers, alert severities. In lower case.
    pub const ALIASES: &'static [(&'static str, Self)] = &[
        ("10", Self::Trace),
        ("verbose", Self::Trace),
        ("silly", Self::Trace),
        ("finest", Self::Trace),
        ("20", Self::Debug),
        ("fine", Self::Debug),
        ("dbg", Self::Debug),
        ("30", Self::Info),
        ("information", Self::Info),
        ("informational", Self::Info),
        ("notice", Self::Info),
        ("http", Self::Info),
        ("inf", Self::Info),
        ("40", Self::Warn),
        ("warning", Self::Warn),
        ("wrn", Self::Warn),
        ("50", Self::Error),
        ("err", Self::Error),
        ("severe", Self::Error),
        ("60", Self::Fatal),
        ("critical", Self::Fatal),
        ("crit", Self::Fatal),
        ("emerg", Self::Fatal),
        ("emergency", Self::Fatal),
        ("alert", Self::Fatal),
        ("panic", Self::Fatal),
        ("dpanic", Self::Fatal),
    ];

    /// Reads our words and the [`Self::ALIASES`].
    pub fn parse_any(word: &str) -> Option<Self> {
        let alias =
            || Self::ALIASES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, level)| *level);
        Self::parse(word).or_else(alias)
    }
}

words! {
    /// What sort of integration work an activity is.
    Kind {
        /// A request to, or from, another system.
        ApiCall = "api_call",
        /// An event pushed to us.
        Webhook = "webhook",
        /// A synchronisation job.
        Sync = "sync",
        /// An e-mail, a chat message, a webhook sent.
        Notification = "notification",
        /// One delivery of an outgoing webhook.
        Delivery = "delivery",
        /// A device created, updated or deleted through an integration.
        Device = "device",
        /// A test of a connection.
        Test = "test",
        /// A business event.
        Event = "event",
        /// An alert that was raised.
        Alert = "alert",
        /// A log line.
        Log = "log",
        /// Anything else that a store calls an activity.
        Other = "other",
        /// A record that could not be read; shown, never hidden.
        Undecodable = "undecodable",
    }
}

words! {
    /// Which way a call went, seen from our side.
    Direction {
        /// Neither: a log line, a job.
        Internal = "internal",
        /// We called.
        Out = "out",
        /// We were called.
        In = "in",
    }
}

impl Direction {
    /// Other words for them, in lower case.
    pub const ALIASES: &'static [(&'static str, Self)] = &[
        ("outgoing", Self::Out),
        ("outbound", Self::Out),
        ("egress", Self::Out),
        ("incoming", Self::In),
        ("inbound", Self::In),
        ("ingress", Self::In),
    ];

    /// Reads our words and the [`Self::ALIASES`].
    pub fn parse_any(word: &str) -> Option<Self> {
        let alias = || Self::ALIASES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, way)| *way);
        Self::parse(word).or_else(alias)
    }
}

words! {
    /// Whether a system, or what a check looks at, is well. Worst first.
    HealthState {
        /// Most calls fail, or it says so itself, or does not answer.
        Down = "down",
        /// More fail, or they take longer, than they should.
        Degraded = "degraded",
        /// Well.
        Healthy = "healthy",
        /// Nothing tells.
        Unknown = "unknown",
    }
}

impl Kind {
    /// What people call one of it.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::ApiCall => "call",
            Self::Webhook => "webhook",
            Self::Sync => "sync",
            Self::Notification => "notification",
            Self::Delivery => "delivery",
            Self::Device => "device change",
            Self::Test => "test",
            Self::Event => "event",
            Self::Alert => "alert",
            Self::Log => "log line",
            Self::Undecodable => "unreadable record",
            Self::Other => "activity",
        }
    }
}
