//! Requests that are sent again, and what became of them.

use crosstail_engine::insight::{Held, Resend};
use crosstail_engine::store::LastAttempt;

/// An operation that is to be sent again.
#[derive(Debug, Clone, PartialEq)]
pub struct Sendable {
    /// The attempt that is sent again, and what became of the operation.
    pub last: LastAttempt,
    /// Why it is left out unless somebody insists.
    pub held: Option<Held>,
    /// Its request, or why it cannot be sent again.
    pub request: Result<Resend, String>,
}

impl Sendable {
    /// Its request, if it is sent: what is left out is only if somebody insists.
    pub fn goes(&self, insists: bool) -> Option<&Resend> {
        self.request.as_ref().ok().filter(|_| insists || self.held.is_none())
    }
}

/// How requests are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SendPlan {
    pub requests: Vec<Resend>,
    /// Requests a second.
    pub rate: f64,
    /// Whether the first failure ends it.
    pub stops: bool,
    /// Who sends.
    pub who: String,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The activity that it repeats.
    pub of: String,
    /// The request id that it was sent with: the new activity has it, once it is recorded.
    pub request_id: String,
    pub status: Option<u16>,
    pub took_ms: u64,
    /// Why there is no answer, or the beginning of one that is a failure; without secrets.
    pub said: String,
}

impl Sent {
    /// Whether the receiver took it.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status < 400)
    }
}
