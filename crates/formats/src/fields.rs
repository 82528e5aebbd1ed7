//! What the groups of a pattern give, and what a record says beside another one.

use crate::format::Group;
use crate::read::{Found, Surrounding};
use crosstail_core::model::{Kind, Level, spelled_time};
use crosstail_core::schema::{Assembler, Scalar, Target};
use std::borrow::Cow;

/// What the groups of a pattern give.
#[derive(Default)]
pub(crate) struct Fields<'t> {
    pub(crate) assembler: Assembler<'t>,
    pub(crate) message: Option<Cow<'t, str>>,
    pub(crate) priority: Option<Level>,
    pub(crate) rest: Option<String>,
    /// The JSON object behind the message.
    pub(crate) behind: Option<String>,
    pub(crate) partial: bool,
    /// The date and the time of day, where they stand apart.
    day: Option<String>,
    clock: Option<String>,
    pub(crate) facts: serde_json::Map<String, serde_json::Value>,
}

impl<'t> Fields<'t> {
    /// Takes one group; `None` where its text shows that the pattern does not mean this line.
    pub(crate) fn take(&mut self, text: Cow<'t, str>, meaning: &Group, at: &Surrounding<'_>) -> Option<()> {
        let absent = matches!(text.trim(), "" | "-" | "\"-\"");
        match meaning {
            Group::Target(Target::StartedAt) => {
                if !absent && is_date(&text) {
                    self.day = Some(text.into_owned());
                } else if !absent {
                    let time = at.moment(spelled_time(&text)?);
                    self.assembler.set((Target::StartedAt, 0), Scalar::Time(time));
                }
            }
            Group::Target(Target::Message) => {
                let shown = match &text {
                    Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
                    Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
                };
                self.assembler.set((Target::Message, 0), Scalar::Text(shown));
                self.message = Some(text);
            }
            // A level may be spelled `-` (Redis).
            Group::Target(target) if !absent || (*target == Target::Level && !text.is_empty()) => {
                self.assembler.set((*target, 0), Scalar::Text(text));
            }
            Group::Priority => self.priority = Some(level_of_severity(text.parse::<u8>().ok()? & 7)),
            Group::Partial => self.partial = &*text == "P",
            Group::Rest => self.rest = Some(text.into_owned()),
            Group::Clock => self.clock = Some(text.into_owned()),
            Group::Fields => self.behind = Some(text.into_owned()),
            Group::Fact(name) if !absent => {
                // A level in the place of a host shows that the line is no syslog.
                if name == "host" && Level::parse_any(&text).is_some() {
                    return None;
                }
                if at.payload.is_some() {
                    self.facts.insert(name.clone(), text.into());
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Makes one time of a date and a time of day that stand apart; `None` where they are none.
    pub(crate) fn join_clock(&mut self, at: &Surrounding<'_>) -> Option<()> {
        if self.day.is_none() && self.clock.is_none() {
            return Some(());
        }
        let (day, clock) = (self.day.take()?, self.clock.take()?);
        let (clock, to_utc) = match clock.rfind(['+', '-']) {
            Some(sign) => (&clock[..sign], clock[sign..].parse::<i64>().ok()?),
            None => (clock.as_str(), 0),
        };
        // The month comes first.
        let time = at.moment(spelled_time(&format!("{} {clock}", day.replace('-', "/")))?);
        self.assembler.set((Target::StartedAt, 0), Scalar::Time(time.plus_us(to_utc * 60_000_000)));
        Some(())
    }
}

/// Whether a text is three numbers between the same marks.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// The level of a severity of syslog: RFC 5424, section 6.2.1.
pub(crate) const fn level_of_severity(severity: u8) -> Level {
    match severity {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    }
}

impl Found {
    /// This record, with what an object behind its text says where it says nothing itself.
    pub(crate) fn completed_by(mut self, object: Self) -> Self {
        let own = &mut self.activity;
        let other = object.activity;
        if !own.exact_start && other.exact_start {
            (own.started_at, own.exact_start) = (other.started_at, true);
        }
        if own.system.is_none() && object.names_service {
            (own.system, own.exact_system) = (other.system, other.exact_system);
            self.names_service = true;
        }
        own.request_id = own.request_id.take().or(other.request_id);
        own.correlation_id = own.correlation_id.take().or(other.correlation_id);
        own.parent_request_id = own.parent_request_id.take().or(other.parent_request_id);
        own.duration_us = own.duration_us.or(other.duration_us);
        self
    }

    /// This record, with what its wrapper says where it says nothing itself.
    pub(crate) fn within(mut self, outer: Self) -> Self {
        let Self { activity: other, names_service, .. } = outer;
        let own = &mut self.activity;
        if !own.exact_start && other.exact_start {
            own.started_at = other.started_at;
            own.exact_start = true;
        }
        if own.system.is_none() || (names_service && !self.names_service) {
            own.system = other.system.or_else(|| own.system.take());
        }
        own.level = own.level.or(other.level);
        own.message = own.message.take().or(other.message);
        own.error = own.error.take().or(other.error);
        own.error_type = own.error_type.take().or(other.error_type);
        own.error_at = own.error_at.take().or(other.error_at);
        own.actor = own.actor.take().or(other.actor);
        if own.url.is_none() && own.method.is_none() && own.http_status.is_none() && other.http_status.is_some() {
            (own.url, own.method, own.http_status) = (other.url, other.method, other.http_status);
            (own.kind, own.direction, own.status) = (other.kind, other.direction, own.status.or(other.status));
            own.endpoint = own.endpoint.take().or(other.endpoint);
        }
        own.request_id = own.request_id.take().or(other.request_id);
        own.correlation_id = own.correlation_id.take().or(other.correlation_id);
        own.operation = own.operation.take().or(other.operation);
        own.duration_us = own.duration_us.or(other.duration_us);
        if matches!(own.kind, Kind::Other) && own.level.is_some() {
            own.kind = Kind::Log;
        }
        self.names_service |= names_service;
        self
    }
}
