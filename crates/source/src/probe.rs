//! What a source can do, and what the first contact with it found.

/// Optional features of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The store reports changes by itself; otherwise it is polled.
    pub pushes: bool,
    /// The store can compute figures.
    pub aggregates: bool,
    /// Counting by time costs it about what counting costs.
    pub counts_times: bool,
    /// It holds activities, not only measurements.
    pub holds_activities: bool,
    /// It reads any range of time without reading everything else.
    pub reads_ranges: bool,
    /// It reads in order of time: a page costs what it holds. Otherwise each page may read everything again, and what is wanted
    /// whole is read by [`crate::Source::scan`].
    pub has_order: bool,
    /// It finds activities by their ids without reading everything.
    pub finds_ids: bool,
}

/// What the first contact with a source found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// Server and version, or the number of files.
    pub server: String,
    /// Name of the schema in use.
    pub schema: String,
    /// How far the store's clock is ahead of the local one, in microseconds; `None` where the store has no clock.
    pub clock_ahead_us: Option<i64>,
    /// Defects, for people: a table that may not be read, a column that is missing.
    pub warnings: Vec<String>,
    /// Whether a part of what it names could not be read.
    pub is_partial: bool,
    /// What it cannot be asked, said where a person would try it: no history, no search.
    pub limits: Option<String>,
    /// What was named and is not there at present.
    pub missing: Vec<Missing>,
    /// How many things its addresses name, where one address may name several; otherwise 0.
    pub named: usize,
}

impl Probe {
    /// Whether nothing of what some addresses name is there.
    pub fn is_absent(&self, addresses: usize) -> bool {
        !self.missing.is_empty() && self.missing.len() >= self.named.max(addresses)
    }
}

/// Something that was named and is not there at present. It may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// No file fits a path or a pattern.
    File {
        /// The path or pattern, as it was written.
        named: String,
        /// The other host on which it was looked for.
        host: Option<String>,
        /// The first folder of it that is not there.
        folder: Option<String>,
    },
    /// No container has a name.
    Container {
        /// The name or the beginning of an id, as it was written.
        named: String,
    },
    /// No container is of a project of compose.
    Project {
        /// Its folder.
        folder: String,
    },
    /// No pod fits.
    Pod {
        /// Namespace and selector, as they were written.
        named: String,
    },
}
