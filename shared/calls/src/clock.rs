//! The time, as AWS's own answers tell it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use model::Timestamp;

/// Keeps the `Date` header of the last answer of AWS, whatever the answer was.
///
/// Every client of the process gets a clone as an interceptor; all clones are one clock. The header has whole seconds
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1>). The last answer counts, not the latest time: a wrong answer is forgotten
/// with the next one. An answer without a readable header leaves the clock as it is.
#[derive(Debug, Clone, Default)]
pub struct AwsClock {
    reading: Arc<Mutex<Reading>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    latest: Option<Timestamp>,
    answers: u64,
}

impl AwsClock {
    /// A clock that no answer has set yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time of AWS's last answer. `None` before the first.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        self.read().latest
    }

    /// How many answers have set the clock. When it has grown, [`Self::latest`] is from an answer that came since.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.read().answers
    }

    /// Sets the clock by the text of a `Date` header.
    fn set(&self, header: &str) {
        let read = DateTime::from_str(header, Format::HttpDate)
            .ok()
            .and_then(|date| Timestamp::from_second(date.secs()).ok());
        if let Some(time) = read {
            let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
            reading.latest = Some(time);
            reading.answers = reading.answers.saturating_add(1);
        }
    }

    fn read(&self) -> Reading {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for AwsClock {
    fn name(&self) -> &'static str {
        "AwsClock"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.set(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_readable_header_counts() {
        let clock = AwsClock::new();
        let clone = clock.clone();
        assert_eq!(clock.latest(), None);
        for (header, want) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
            ("nonsense", "1994-11-06T08:49:37Z"),
            ("", "1994-11-06T08:49:37Z"),
            ("Thu, 01 Jan 2026 00:00:05 GMT", "2026-01-01T00:00:05Z"),
            ("Thu, 01 Jan 2026 00:00:04 GMT", "2026-01-01T00:00:04Z"),
        ] {
            clock.set(header);
            assert_eq!(clone.latest(), Some(want.parse().unwrap()), "{header}");
        }
        assert_eq!(clone.answers(), 3);
    }
}
