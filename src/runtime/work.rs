//! One piece of work and its jobs.

use super::{Answer, Runtime};
use crosstail_core::model::SourceId;
use crosstail_source::{Job, Jobs, Priority};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

impl Runtime {
    /// Lists its jobs where those of the screen are: there is one list of them.
    pub fn set_jobs(&mut self, jobs: Jobs) {
        self.jobs = jobs;
    }
}

/// One piece of work: begins a job for each source that it asks.
#[derive(Clone)]
pub struct Work {
    jobs: Jobs,
    purpose: String,
    priority: Priority,
    scope: CancellationToken,
    limit: Option<Duration>,
    /// Whether a source that was named is not among those that are asked.
    lacks_a_source: bool,
    /// Where memory is asked for what it holds.
    memory: Option<mpsc::Sender<Answer>>,
}

impl Work {
    /// Work that ends when a scope is cancelled. `purpose` says what it is for, for people.
    pub fn new(jobs: &Jobs, purpose: impl Into<String>, priority: Priority, scope: &CancellationToken) -> Self {
        Self {
            jobs: jobs.clone(),
            purpose: purpose.into(),
            priority,
            scope: scope.clone(),
            limit: None,
            lacks_a_source: false,
            memory: None,
        }
    }

    /// The work of a command without a screen, which lasts as long as the command.
    pub fn command(name: &str) -> Self {
        Self::new(&Jobs::default(), name, Priority::Asked, &CancellationToken::new())
    }

    /// The same work; each of its jobs ends after a time.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The same work; `lacks`: a source that was named could not be read, so that it does not see all that there is.
    #[must_use]
    pub fn lacking_a_source(self, lacks: bool) -> Self {
        Self { lacks_a_source: lacks, ..self }
    }

    /// The same work; memory holds all that it is about, and is asked for it.
    #[must_use]
    pub(super) fn in_memory(self, memory: mpsc::Sender<Answer>) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// Where memory is asked, if it holds all that this is about.
    pub(super) const fn memory(&self) -> Option<&mpsc::Sender<Answer>> {
        self.memory.as_ref()
    }

    /// Whether a source that was named is not among those that are asked.
    pub const fn lacks_a_source(&self) -> bool {
        self.lacks_a_source
    }

    /// The jobs among which those of this work are.
    pub const fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// A job of this work.
    pub fn job(&self, source: SourceId) -> Job {
        let job = Job::new(self.purpose.as_str(), self.priority).under(&self.scope);
        self.jobs.begin(
            source,
            match self.limit {
                Some(limit) => job.within(limit),
                None => job,
            },
        )
    }
}
