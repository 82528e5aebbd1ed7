//! The catalogue: systems, endpoints, code mappings, webhooks, log sources and rules, which a store holds in addition
//! to activities.

use super::{Activity, Kind};
use serde_json::{Map, Value};

/// The type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// An external system: `code`, `name`, `health`, `health_checked_at`, `timeout_ms`, `pool_size` …
    System,
    /// An endpoint of a system: `code`, `system`, `retry_policy`, `rate_limit`, `request_transform` …
    Endpoint,
    /// An internal code and the system's code for it: `system`, `entity_type`, `internal`, `external`, `verified` …
    Mapping,
    /// A webhook: `code`, `system`, `url`, `retry_policy` …
    Webhook,
    /// A source of logs: `name`, `health`, `health_checked_at` …
    LogSource,
    /// A rule that raises alerts: `name`, `severity`, `conditions` …
    AlertRule,
}

impl EntryKind {
    /// Every topic with its name in schema files.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("system", Self::System),
        ("endpoint", Self::Endpoint),
        ("mapping", Self::Mapping),
        ("webhook", Self::Webhook),
        ("log_source", Self::LogSource),
        ("alert_rule", Self::AlertRule),
    ];

    /// The topic with a name in schema files.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, topic)| *topic)
    }
}

/// One entry of the catalogue: named facts, as the schema maps them.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueEntry {
    /// The type of the entry.
    pub kind: EntryKind,
    /// Name → value; facts without a value are absent.
    pub facts: Map<String, Value>,
}

impl CatalogueEntry {
    /// A fact as text; `None` where it is absent.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.facts.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            other => Some(other.to_string()),
        }
    }

    /// A fact as a number; `None` where it is absent or not a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.facts.get(name)? {
            Value::Number(n) => n.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// All entries of a store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalogue {
    /// Entries of all topics, in no particular order.
    pub entries: Vec<CatalogueEntry>,
}

impl Catalogue {
    /// The entries of one topic.
    pub fn of_kind(&self, topic: EntryKind) -> impl Iterator<Item = &CatalogueEntry> {
        self.entries.iter().filter(move |entry| entry.kind == topic)
    }

    /// The entry of a system, found by its code or name.
    pub fn system(&self, code: &str) -> Option<&CatalogueEntry> {
        let named =
            |entry: &&CatalogueEntry| ["code", "name"].iter().any(|fact| entry.text(fact).as_deref() == Some(code));
        self.of_kind(EntryKind::System).find(named).or_else(|| self.of_kind(EntryKind::LogSource).find(named))
    }

    /// The entry of an endpoint, found by its code or path. An entry that names a system matches only `system`.
    pub fn endpoint(&self, system: Option<&str>, endpoint: &str) -> Option<&CatalogueEntry> {
        self.of_kind(EntryKind::Endpoint).find(|entry| {
            let same_system = entry.text("system").is_none_or(|own| Some(own.as_str()) == system);
            same_system && ["code", "path"].iter().any(|fact| entry.text(fact).as_deref() == Some(endpoint))
        })
    }

    /// The entry of the endpoint, webhook or rule that an activity belongs to.
    pub fn entry_of(&self, activity: &Activity) -> Option<&CatalogueEntry> {
        let named = |topic: EntryKind, name: Option<&str>| {
            let name = name?;
            let is =
                |entry: &&CatalogueEntry| ["code", "name"].iter().any(|fact| entry.text(fact).as_deref() == Some(name));
            self.of_kind(topic).find(is)
        };
        match activity.kind {
            Kind::Delivery => named(EntryKind::Webhook, activity.endpoint.as_deref()),
            Kind::Alert => named(EntryKind::AlertRule, activity.error_type.as_deref()),
            _ => self.endpoint(activity.system.as_deref(), activity.endpoint.as_deref()?),
        }
    }

    /// Replaces ids of systems in entries by their codes.
    pub fn resolve_system_ids(&mut self) {
        let codes: std::collections::HashMap<String, String> = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.kind, EntryKind::System | EntryKind::LogSource))
            .filter_map(|entry| Some((entry.text("id")?, entry.text("code").or_else(|| entry.text("name"))?)))
            .collect();
        for entry in &mut self.entries {
            if let Some(code) = entry.text("system").and_then(|id| codes.get(&id)) {
                entry.facts.insert("system".to_owned(), Value::String(code.clone()));
            }
        }
    }
}
