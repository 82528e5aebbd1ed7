//! When a failed call is tried again.

use crosstail_core::model::{Status, Timestamp};

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// The same wait each time.
    Fixed,
    /// base × 2ⁿ⁻¹.
    Exponential,
}

/// A retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all.
    pub max_attempts: u16,
    /// First wait in milliseconds.
    pub base_ms: u64,
    /// Longest wait in milliseconds.
    pub cap_ms: u64,
    /// How waits grow.
    pub backoff: Backoff,
}

impl RetryPolicy {
    /// Whether an outcome is worth another try: timeouts, 408, 425, 429 and server errors; a call without an HTTP
    /// status failed on the way and is.
    pub fn is_retryable(status: Status, http_status: Option<u16>) -> bool {
        match (status, http_status) {
            (Status::Timeout, _) | (Status::Failed, None | Some(408 | 425 | 429)) => true,
            (Status::Failed, Some(code)) => code >= 500,
            _ => false,
        }
    }

    /// When the try after `attempt` (from 1) is due, if there is one. A `Retry-After` longer than the policy's wait
    /// is kept.
    pub fn next_retry(&self, attempt: u16, ended: Timestamp, retry_after_ms: Option<u64>) -> Option<Timestamp> {
        if attempt >= self.max_attempts {
            return None;
        }
        let doublings = match self.backoff {
            Backoff::Fixed => 0,
            Backoff::Exponential => u32::from(attempt.saturating_sub(1)).min(20),
        };
        let wait = (self.base_ms << doublings).min(self.cap_ms).max(retry_after_ms.unwrap_or(0));
        Some(ended.plus_ms(wait as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_end() {
        let policy = RetryPolicy { max_attempts: 4, base_ms: 10_000, cap_ms: 30_000, backoff: Backoff::Exponential };
        let at = Timestamp(0);
        let waits: Vec<_> = (1..=4).map(|n| policy.next_retry(n, at, None).map(|t| t.0 / 1_000_000)).collect();
        assert_eq!(waits, [Some(10), Some(20), Some(30), None]);
        assert_eq!(policy.next_retry(1, at, Some(60_000)).map(|t| t.0), Some(60_000_000));
        assert!(RetryPolicy::is_retryable(Status::Failed, Some(503)));
        assert!(!RetryPolicy::is_retryable(Status::Failed, Some(422)));
    }
}
