//! Requests that are sent again, and what became of them.

use crosstail_core::model::Activity;
use crosstail_engine::insight::Resend;

/// An activity, and its request; or why it cannot be sent again.
pub type Sendable = (Activity, Result<Resend, String>);

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
