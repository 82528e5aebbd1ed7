//! Enumerations with fixed words: status, level, kind, direction, state of health.

/// Defines an enum whose values have one word each, the same on the screen, in filters and in JSON.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in filters and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word, ignoring case.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str().eq_ignore_ascii_case(word))
            }

            /// The value with the discriminant `index`; the first one where there is none.
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
    /// The outcome of an activity. Where two records of one request disagree, the later variant wins.
    Status {
        /// Started, no outcome yet.
        InProgress = "in_progress",
        /// Finished successfully.
        Success = "success",
        /// Cancelled by its caller.
        Cancelled = "cancelled",
        /// No response in time.
        Timeout = "timeout",
        /// Finished with an error.
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

    /// Whether it says that something succeeded or failed.
    pub const fn is_conclusion(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Timeout)
    }
}

words! {
    /// Severity of a log line, ascending.
    Level {
        /// Finest detail.
        Trace = "trace",
        /// Detail for developers.
        Debug = "debug",
        /// Normal operation.
        Info = "info",
        /// Unusual, but still working.
        Warn = "warn",
        /// Something failed.
        Error = "error",
        /// The process cannot continue.
        Fatal = "fatal",
    }
}

impl Level {
    /// Whether a line of this level counts as a failure of its system.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Error | Self::Fatal)
    }

    /// Further names that loggers use, in lower case: syslog's, Python's, pino's numbers, severities of alerts,
    /// those of programs that speak German or French.
    pub const ALIASES: &'static [(&'static str, Self)] = &[
        ("10", Self::Trace),
        ("verbose", Self::Trace),
        ("silly", Self::Trace),
        ("finest", Self::Trace),
        ("all", Self::Trace),
        ("trc", Self::Trace),
        ("trce", Self::Trace),
        ("trac", Self::Trace),
        ("vrb", Self::Trace),
        ("verb", Self::Trace),
        ("t", Self::Trace),
        ("v", Self::Trace),
        ("20", Self::Debug),
        ("fine", Self::Debug),
        ("finer", Self::Trace),
        ("config", Self::Debug),
        ("dbg", Self::Debug),
        ("dbug", Self::Debug),
        ("debg", Self::Debug),
        ("debu", Self::Debug),
        ("ddebug", Self::Debug),
        ("subdebug", Self::Debug),
        ("d", Self::Debug),
        ("30", Self::Info),
        ("information", Self::Info),
        ("informational", Self::Info),
        ("notice", Self::Info),
        ("http", Self::Info),
        ("inf", Self::Info),
        ("note", Self::Info),
        ("success", Self::Info),
        ("log", Self::Info),
        ("i", Self::Info),
        ("n", Self::Info),
        ("40", Self::Warn),
        ("warning", Self::Warn),
        ("wrn", Self::Warn),
        ("w", Self::Warn),
        ("50", Self::Error),
        ("err", Self::Error),
        ("eror", Self::Error),
        ("erro", Self::Error),
        ("severe", Self::Error),
        ("fail", Self::Error),
        ("failure", Self::Error),
        ("e", Self::Error),
        ("60", Self::Fatal),
        ("ftl", Self::Fatal),
        ("crt", Self::Fatal),
        ("fata", Self::Fatal),
        ("pani", Self::Fatal),
        ("f", Self::Fatal),
        ("c", Self::Fatal),
        ("critical", Self::Fatal),
        ("crit", Self::Fatal),
        ("emerg", Self::Fatal),
        ("emergency", Self::Fatal),
        ("alert", Self::Fatal),
        ("panic", Self::Fatal),
        ("dpanic", Self::Fatal),
        ("fehler", Self::Error),
        ("schwerwiegend", Self::Error),
        ("warnung", Self::Warn),
        ("avertissement", Self::Warn),
    ];

    /// Parses a word or one of the [`Self::ALIASES`], ignoring case.
    pub fn parse_any(word: &str) -> Option<Self> {
        // Most words are none of these, which the first letter tells.
        let first = word.as_bytes().first()?.to_ascii_lowercase();
        let is = |known: &str| known.as_bytes()[0] == first && known.eq_ignore_ascii_case(word);
        let own = Self::ALL.iter().copied().find(|level| is(level.as_str()));
        own.or_else(|| Self::ALIASES.iter().find(|(known, _)| is(known)).map(|(_, level)| *level))
    }

    /// Parses a word as loggers write it, with what surrounds or refines it: `ERROR `, `[warn]`, `D2`, `INFO+2`, and as the name of
    /// a constant: `SEVERITY_NUMBER_WARN2`, `LogLevel.Error`.
    pub fn parse_logged(word: &str) -> Option<Self> {
        Self::parse_any(word).or_else(|| {
            // Colours stand in the text of JSON as escapes: `\u{1b}[31merror\u{1b}[39m`.
            let word = match word.strip_prefix('\u{1b}').and_then(|rest| rest.split_once('m')) {
                Some((_, rest)) => rest.split('\u{1b}').next().unwrap_or(rest),
                None => word,
            };
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let letters = bare.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
            const TYPES: [&str; 5] = ["SEVERITY_NUMBER_", "SeverityNumber.", "LogLevel.", "Severity.", "Level."];
            let constant = TYPES.iter().find_map(|name| letters.strip_prefix(*name));
            Self::parse_any(bare).or_else(|| Self::parse_any(letters)).or_else(|| Self::parse_any(constant?))
        })
    }
}

words! {
    /// The kind of integration work that an activity is.
    Kind {
        /// A request to or from another system.
        ApiCall = "api_call",
        /// An incoming webhook.
        Webhook = "webhook",
        /// A synchronisation job.
        Sync = "sync",
        /// An e-mail or chat message that was sent.
        Notification = "notification",
        /// One delivery of an outgoing webhook.
        Delivery = "delivery",
        /// A device created, updated or deleted through an integration.
        Device = "device",
        /// A connection test.
        Test = "test",
        /// A business event.
        Event = "event",
        /// An alert that was raised.
        Alert = "alert",
        /// A log line.
        Log = "log",
        /// Anything else that a store calls an activity.
        Other = "other",
        /// A record that could not be read; always shown.
        Undecodable = "undecodable",
    }
}

words! {
    /// The direction of a call, as seen from the logging system.
    Direction {
        /// No call: a log line or a job.
        Internal = "internal",
        /// Outgoing.
        Out = "out",
        /// Incoming.
        In = "in",
    }
}

impl Direction {
    /// Further words, in lower case.
    pub const ALIASES: &'static [(&'static str, Self)] = &[
        ("outgoing", Self::Out),
        ("outbound", Self::Out),
        ("egress", Self::Out),
        ("incoming", Self::In),
        ("inbound", Self::In),
        ("ingress", Self::In),
    ];

    /// Parses a word or one of the [`Self::ALIASES`], ignoring case.
    pub fn parse_any(word: &str) -> Option<Self> {
        let alias = || Self::ALIASES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, way)| *way);
        Self::parse(word).or_else(alias)
    }
}

words! {
    /// The health of a system or of what was checked, worst first.
    HealthState {
        /// Most calls fail, it does not respond, or it reports so itself.
        Down = "down",
        /// More calls fail, or calls take longer, than normal.
        Degraded = "degraded",
        /// Works normally.
        Healthy = "healthy",
        /// Nothing is known.
        Unknown = "unknown",
    }
}

impl Kind {
    /// Noun for one activity of the kind.
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
