//! The moment by which an invocation must be done.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// The moment by which something must be done. The host's monotonic clock is right for this, and for nothing else: Lambda stops
/// an invocation by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The time ran out before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the invocation's time ran out")]
pub struct DeadlineOver;

impl Deadline {
    /// The moment that is this far away.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        let now = Instant::now();
        // A duration that no clock can hold is as good as a year.
        let year = Duration::from_secs(365 * 24 * 3_600);
        Self(now.checked_add(duration.min(year)).unwrap_or(now))
    }

    /// How much time is left; zero once it is over.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether no time is left.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// An earlier deadline, which leaves `reserve` for what comes after.
    #[must_use]
    pub fn with_reserve(self, reserve: Duration) -> Self {
        Self(self.0.checked_sub(reserve).unwrap_or_else(Instant::now))
    }

    /// Waits for `work`, but not beyond the deadline.
    ///
    /// # Errors
    /// When the time ran out first; `work` is dropped then.
    pub async fn within<F: Future>(self, work: F) -> Result<F::Output, DeadlineOver> {
        tokio::time::timeout_at(self.0, work)
            .await
            .map_err(|_elapsed| DeadlineOver)
    }

    /// The moment itself.
    pub(crate) const fn instant(self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_cut_off_when_the_time_is_over() {
        let over = Deadline::after(Duration::ZERO);
        assert!(over.is_over());
        assert_eq!(over.remaining(), Duration::ZERO);
        assert_eq!(
            over.within(std::future::pending::<()>()).await,
            Err(DeadlineOver)
        );
        // What is ready is taken even then.
        assert_eq!(over.within(async { 3 }).await, Ok(3));
    }

    #[test]
    fn a_reserve_makes_it_earlier() {
        let late = Deadline::after(Duration::from_secs(3_600));
        let early = late.with_reserve(Duration::from_secs(600));
        assert_eq!(late.0.duration_since(early.0), Duration::from_secs(600));
        assert!(!early.is_over());
        assert!(late.with_reserve(Duration::from_secs(7_200)).is_over());
        assert!(!Deadline::after(Duration::MAX).is_over());
    }
}
