//! The tree of keys, which leads from the paths of a record to targets. Decoders look up every key of a record once.

use super::definition::{Definition, SchemaError, unknown};
use crate::filter::Field;
use crate::model::PayloadPart;
use crate::number::saturating_u16;

macro_rules! targets {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// A field of an activity that a schema fills.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Target { $(#[doc = $name] $variant),+ }

        impl Target {
            /// Every target with its name in schema files.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),+];
        }
    };
}

targets! {
    Id = "id", Kind = "kind", Direction = "direction", Status = "status", Level = "level", System = "system",
    Service = "service", Logger = "logger", Endpoint = "endpoint", Method = "method", Url = "url", HttpStatus = "http_status",
    Message = "message", StartedAt = "started_at", CompletedAt = "completed_at", Duration = "duration",
    Attempt = "attempt", MaxAttempts = "max_attempts", NextRetryAt = "next_retry_at", RequestId = "request_id",
    CorrelationId = "correlation_id", ParentRequestId = "parent_request_id", Error = "error", ErrorType = "error_type",
    Operation = "operation", EntityType = "entity_type", EntityId = "entity_id", Actor = "actor",
    Organization = "organization", Tags = "tags", Cpu = "cpu", Memory = "memory",
    RecordedAt = "recorded_at", Nanos = "nanos", Request = "request", Query = "query",
    Host = "host", Process = "process",
}

impl Target {
    /// The target of a field that filters compare; `None` where several targets, or none, make the field.
    pub fn of(field: Field) -> Option<Self> {
        Some(match field {
            Field::Status => Self::Status,
            Field::System => Self::System,
            Field::Level => Self::Level,
            Field::Kind => Self::Kind,
            Field::Direction => Self::Direction,
            Field::Time => Self::StartedAt,
            Field::Duration => Self::Duration,
            Field::Http => Self::HttpStatus,
            Field::Method => Self::Method,
            Field::Endpoint => Self::Endpoint,
            Field::Url => Self::Url,
            Field::Message => Self::Message,
            Field::Error => Self::Error,
            Field::ErrorType => Self::ErrorType,
            Field::Attempt => Self::Attempt,
            Field::MaxAttempts => Self::MaxAttempts,
            Field::NextRetry => Self::NextRetryAt,
            Field::Id => Self::Id,
            Field::Request => Self::RequestId,
            Field::Correlation => Self::CorrelationId,
            Field::Parent => Self::ParentRequestId,
            Field::Operation => Self::Operation,
            Field::Actor => Self::Actor,
            Field::Organization => Self::Organization,
            Field::Cpu => Self::Cpu,
            Field::Memory => Self::Memory,
            Field::Completed => Self::CompletedAt,
            Field::Entity
            | Field::Tags
            | Field::Source
            | Field::Is
            | Field::Final
            | Field::Pattern
            | Field::ErrorAt => return None,
        })
    }

    /// Whether no record has a value for a field, if `none` says which targets nothing fills. A derived field always
    /// has a value.
    pub fn is_absent(field: Field, none: impl Fn(Self) -> bool) -> bool {
        match field {
            Field::Entity => none(Self::EntityType) && none(Self::EntityId),
            Field::Tags => none(Self::Tags),
            // What has no identity of its own has that of its place.
            Field::Id
            | Field::Status
            | Field::Kind
            | Field::Direction
            | Field::Is
            | Field::System
            | Field::Endpoint => false,
            Field::Duration | Field::Completed => none(Self::Duration) && none(Self::CompletedAt),
            field => Self::of(field).is_some_and(none),
        }
    }

    /// Whether what fills it is read as a text, and not as a number or a time.
    pub fn takes_text(self) -> bool {
        !matches!(
            self,
            Self::HttpStatus
                | Self::StartedAt
                | Self::CompletedAt
                | Self::Duration
                | Self::Attempt
                | Self::MaxAttempts
                | Self::NextRetryAt
                | Self::Cpu
                | Self::Memory
                | Self::RecordedAt
                | Self::Nanos
        )
    }

    /// The target with a name in schema files.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
    }
}

const LENGTHS: usize = 32;
/// The rank of keys that may hold an outcome: behind all that a schema names for it.
const OUTCOME: u16 = 0x800;

/// The first and the last eight bytes of a key, which overlap in a shorter one. Keys of one length that have both alike are
/// alike, if they have at most 16 bytes.
type Ends = (u64, u64);

/// Keys up to this length are told apart by their ends, in bytes.
const TOLD_BY_ENDS: usize = 16;

fn ends_of(key: &[u8]) -> Ends {
    if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else if let (Some(first), Some(last)) = (key.first_chunk::<2>(), key.last_chunk::<2>()) {
        (u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into())
    } else {
        (key.first().copied().unwrap_or(0).into(), 0)
    }
}

/// The keys of one length, each with its node.
#[derive(Debug, Clone, Default)]
struct Bucket {
    /// The ends of each key, side by side: almost all keys are found without being looked at.
    ends: Vec<Ends>,
    keys: Vec<(Box<[u8]>, Node)>,
}

/// A node of the tree.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The targets that the value at this node fills, each with its rank among the alternatives; 0 is the best.
    pub targets: Vec<(Target, u16)>,
    /// Bits that a record gets that has this node: which conditions of which schemas it meets.
    pub marks: u128,
    /// Texts of which each gives further bits.
    pub marked_texts: Vec<(Box<str>, u128)>,
    /// Whether the object at this node holds fields as the record itself does.
    pub nests: bool,
    /// Child nodes in buckets by the length of their key, so that a key is compared with few others.
    below: Option<Box<[Bucket; LENGTHS]>>,
}

impl Node {
    pub(super) fn build(definition: &Definition, origin: &str) -> Result<Self, SchemaError> {
        let fail = |message| SchemaError { origin: origin.to_owned(), message };
        let mut root = Self::default();
        for (name, paths) in &definition.fields {
            let target = Target::parse(name).ok_or_else(|| fail(unknown("fields", name)))?;
            for (rank, path) in paths.list().iter().enumerate() {
                root.insert(path, (target, saturating_u16(rank)));
            }
        }
        if let Some(name) = definition.payload.keys().find(|name| PayloadPart::parse(name).is_none()) {
            let known = PayloadPart::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(fail(format!("[payload] has no '{name}'; it has {known}")));
        }
        Ok(root)
    }

    /// Inserts a path in every reading, because a dot may be part of a key or lead into an object.
    fn insert(&mut self, path: &str, target: (Target, u16)) {
        self.at_every(path, &|node| node.targets.push(target));
    }

    /// Makes the objects at these paths hold fields as the record itself does.
    pub(super) fn nest(&mut self, paths: &[String]) {
        for path in paths {
            self.at_every(path, &|node| node.nests = true);
        }
    }

    /// Makes the keys at which a code of HTTP or a word stands (`"status": "failed"`), or only whether all went well, fill the
    /// status, where nothing better does.
    pub(super) fn tell_outcomes(&mut self) {
        for (rank, key) in (OUTCOME..).zip(["status", "Status", "STATUS", "success", "Success", "succeeded"]) {
            self.child_mut(key).targets.push((Target::Status, rank));
        }
    }

    /// Marks a path, or a text at it, with a bit.
    pub(super) fn mark(&mut self, path: &str, text: Option<&str>, bit: u128) {
        self.at_every(path, &|node| match text {
            None => node.marks |= bit,
            Some(text) => node.marked_texts.push((text.into(), bit)),
        });
    }

    fn at_every(&mut self, path: &str, change: &dyn Fn(&mut Self)) {
        change(self.child_mut(path));
        for (dot, _) in path.match_indices('.') {
            self.child_mut(&path[..dot]).at_every(&path[dot + 1..], change);
        }
    }

    fn child_mut(&mut self, key: &str) -> &mut Self {
        let below = self.below.get_or_insert_with(Box::default);
        let key = if key.is_empty() { "_" } else { key };
        let bucket = &mut below[key.len().min(LENGTHS - 1)];
        let index = bucket.keys.iter().position(|(known, _)| **known == *key.as_bytes()).unwrap_or_else(|| {
            bucket.ends.push(ends_of(key.as_bytes()));
            bucket.keys.push((key.as_bytes().into(), Self::default()));
            bucket.keys.len() - 1
        });
        &mut bucket.keys[index].1
    }

    /// The child node of a key.
    pub fn child(&self, key: &[u8]) -> Option<&Self> {
        let bucket = &self.below.as_ref()?[key.len().min(LENGTHS - 1)];
        if bucket.ends.is_empty() {
            return None;
        }
        let ends = ends_of(key);
        let alike = bucket.ends.iter().zip(&bucket.keys).filter(|(known, _)| **known == ends).map(|(_, entry)| entry);
        if key.len() <= TOLD_BY_ENDS {
            return alike.map(|(_, node)| node).next();
        }
        alike.filter(|(known, _)| **known == *key).map(|(_, node)| node).next()
    }

    /// Whether any child is mapped.
    pub fn has_children(&self) -> bool {
        self.below.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_leads_to_its_own_node(keys in prop::collection::vec("[ab]{1,18}|[ab]{30,34}", 1..200), others in prop::collection::vec("[ab]{0,34}", 100)) {
            let mut root = Node::default();
            for (index, key) in keys.iter().enumerate() {
                root.child_mut(key).marks |= 1 << (index % 128);
            }
            let expected = |key: &str| keys.iter().enumerate().filter(|(_, k)| *k == key).fold(0, |all, (index, _)| all | 1u128 << (index % 128));
            for key in keys.iter().chain(&others) {
                prop_assert_eq!(root.child(key.as_bytes()).map_or(0, |node| node.marks), expected(key), "{}", key);
            }
        }
    }
}
