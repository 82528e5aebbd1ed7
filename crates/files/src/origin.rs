//! Where lines come from, and the hash by which files and lines are known again.

use crosstail_core::model::{NameId, SourceId};
use std::hash::{BuildHasher as _, Hasher as _};

/// A 64-bit hash that is the same in every run, for identities.
pub(super) fn stable_hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0x6372_6f73_7374_6169).build_hasher();
    for part in parts {
        hasher.write(part);
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

/// Where lines come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineOrigin {
    pub(super) source: SourceId,
    pub(super) file: NameId,
    pub(super) fingerprint: u64,
    pub(super) family: u64,
    /// Whether its failures stand in another file too (`error.log` and `combined.log`), so that content tells them.
    pub(super) has_copies: bool,
    /// Whether its content tells a record, in whatever file it stands.
    pub(super) told_by_content: bool,
}
