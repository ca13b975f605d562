//! How many requests were sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Counts the requests that the clients send, by operation; a request that the SDK repeats counts each time.
///
/// Every client of the process gets a clone as an interceptor; all clones count together.
#[derive(Debug, Clone, Default)]
pub struct CallCount {
    requests: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl CallCount {
    /// A count of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many requests were sent since the process started, by operation, such as `ECS:DescribeServices`.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests were sent since `before` was taken, by operation; what was not called is not listed.
    #[must_use]
    pub fn since(&self, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut requests = self.requests();
        requests.retain(|operation, count| {
            *count = count.saturating_sub(before.get(operation).copied().unwrap_or(0));
            *count > 0
        });
        requests
    }

    fn add(&self, operation: String) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = requests.entry(operation).or_default();
        *count = count.saturating_add(1);
    }
}

#[dyn_dispatch_hint]
impl Intercept for CallCount {
    fn name(&self) -> &'static str {
        "CallCount"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _runtime_components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = cfg.load::<Metadata>().map_or_else(
            || "unknown".to_owned(),
            |it| format!("{}:{}", it.service(), it.name()),
        );
        self.add(operation);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_differences_leave_out_what_did_not_change() {
        let count = CallCount::new();
        count.add("ECS:ListTasks".to_owned());
        let before = count.requests();
        let clone = count.clone();
        clone.add("ECS:DescribeServices".to_owned());
        clone.add("ECS:DescribeServices".to_owned());
        let want = BTreeMap::from([("ECS:DescribeServices".to_owned(), 2)]);
        assert_eq!(count.since(&before), want);
        assert_eq!(count.since(&count.requests()), BTreeMap::new());
    }
}
