//! When a failed call is tried again.

use crosstail_core::model::{Status, Timestamp};

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// The same wait each time.
    Fixed,
    /// base × 2ⁿ⁻¹ after attempt n.
    Exponential,
}

/// What is random about a wait, so that callers that failed together do not come back together. The names and formulas
/// are those of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Nothing: the wait is the policy's, as the documents of the systems have it.
    #[default]
    None,
    /// Half of the wait, and a random part of the other half.
    Equal,
    /// A random part of the wait, from nothing to all of it.
    Full,
}

/// A retry policy.
///
/// ```
/// use crosstail_record::{Jitter, RetryPolicy};
///
/// let policy = RetryPolicy { max_attempts: 5, jitter: Jitter::Equal, ..RetryPolicy::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many attempts there are in all, the first one included; 3 by default.
    pub max_attempts: u16,
    /// The first wait, in milliseconds; 1,000 by default.
    pub base_ms: u64,
    /// The longest wait, in milliseconds; 60,000 by default. A `Retry-After` may be longer.
    pub cap_ms: u64,
    /// How waits grow; exponentially by default.
    pub backoff: Backoff,
    /// What is random about them; nothing by default.
    pub jitter: Jitter,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 3, base_ms: 1_000, cap_ms: 60_000, backoff: Backoff::Exponential, jitter: Jitter::None }
    }
}

impl RetryPolicy {
    /// Whether an outcome is worth another attempt: timeouts, 408, 425, 429 and server errors (RFC 9110, 15.5 and 15.6;
    /// RFC 8470, 5.2; RFC 6585, 4), and failures without an HTTP status, which got no answer.
    pub fn is_retryable(status: Status, http_status: Option<u16>) -> bool {
        match (status, http_status) {
            (Status::Timeout, _) | (Status::Failed, None | Some(408 | 425 | 429)) => true,
            (Status::Failed, Some(code)) => code >= 500,
            _ => false,
        }
    }

    /// When the attempt after `attempt` (from 1) is due, if there is one. A `Retry-After` is a lower bound: the wait is the
    /// policy's, jitter included, or that of the server where it is longer.
    pub fn next_retry(&self, attempt: u16, ended: Timestamp, retry_after_ms: Option<u64>) -> Option<Timestamp> {
        self.next_retry_with(attempt, ended, retry_after_ms, |most| fastrand::u64(0..=most))
    }

    /// The same with a source of random numbers: from 0 to the given number, both included.
    fn next_retry_with(
        &self,
        attempt: u16,
        ended: Timestamp,
        retry_after_ms: Option<u64>,
        mut random: impl FnMut(u64) -> u64,
    ) -> Option<Timestamp> {
        if attempt >= self.max_attempts {
            return None;
        }
        let doublings = match self.backoff {
            Backoff::Fixed => 0,
            Backoff::Exponential => u32::from(attempt.saturating_sub(1)).min(63),
        };
        let wait = self.base_ms.saturating_mul(1 << doublings).min(self.cap_ms);
        let wait = match self.jitter {
            Jitter::None => wait,
            Jitter::Equal => wait / 2 + random(wait - wait / 2),
            Jitter::Full => random(wait),
        };
        let wait = wait.max(retry_after_ms.unwrap_or(0));
        // What no calendar holds is a wait for ever.
        Some(ended.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX).min(i64::MAX / 1_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 4,
        base_ms: 10_000,
        cap_ms: 30_000,
        backoff: Backoff::Exponential,
        jitter: Jitter::None,
    };

    #[test]
    fn waits_double_up_to_the_cap_and_end() {
        let at = Timestamp(0);
        let waits: Vec<_> = (1..=4).map(|n| POLICY.next_retry(n, at, None).map(|t| t.0 / 1_000_000)).collect();
        assert_eq!(waits, [Some(10), Some(20), Some(30), None]);
        assert_eq!(POLICY.next_retry(1, at, Some(60_000)).map(|t| t.0), Some(60_000_000));
        assert!(RetryPolicy::is_retryable(Status::Failed, Some(503)));
        assert!(!RetryPolicy::is_retryable(Status::Failed, Some(422)));
    }

    #[test]
    fn the_longest_policies_do_not_overflow() {
        let policy = RetryPolicy { max_attempts: u16::MAX, base_ms: u64::MAX / 2, cap_ms: u64::MAX, ..POLICY };
        for attempt in [1, 2, 64, u16::MAX - 1] {
            let at = policy.next_retry(attempt, Timestamp(0), Some(u64::MAX)).expect("planned");
            assert!(at > Timestamp(0), "{attempt}");
        }
    }

    #[test]
    fn jitter_stays_within_the_wait_and_reaches_both_ends() {
        let wait = |jitter, random: fn(u64) -> u64, retry_after| {
            let policy = RetryPolicy { jitter, ..POLICY };
            policy.next_retry_with(2, Timestamp(0), retry_after, random).expect("planned").0 / 1000
        };
        let least: fn(u64) -> u64 = |_| 0;
        let most: fn(u64) -> u64 = |most| most;
        assert_eq!((wait(Jitter::None, least, None), wait(Jitter::None, most, None)), (20_000, 20_000));
        assert_eq!((wait(Jitter::Equal, least, None), wait(Jitter::Equal, most, None)), (10_000, 20_000));
        assert_eq!((wait(Jitter::Full, least, None), wait(Jitter::Full, most, None)), (0, 20_000));
        // A server that names a time is not asked before it.
        assert_eq!(wait(Jitter::Full, least, Some(7_000)), 7_000);
        assert_eq!(wait(Jitter::Full, most, Some(7_000)), 20_000);
    }

    #[test]
    fn callers_that_fail_together_come_back_apart() {
        let policy = RetryPolicy { jitter: Jitter::Full, ..POLICY };
        let mut waits: Vec<_> = (0..200).filter_map(|_| policy.next_retry(3, Timestamp(0), None)).collect();
        waits.sort_unstable();
        assert!(waits.iter().all(|at| (0..=30_000_000).contains(&at.0)));
        waits.dedup();
        assert!(waits.len() > 100, "{} of 200 differ", waits.len());
    }
}
