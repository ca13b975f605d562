//! The one way to AWS.

use std::future::Future;
use std::sync::Arc;

use crate::budget::{Budget, RateBucket};
use crate::deadline::Deadline;
use crate::failure::{Failure, SdkFailure};

/// Makes calls within a budget and a deadline.
#[derive(Debug, Clone)]
pub struct Caller {
    budget: Arc<Budget>,
    deadline: Deadline,
}

impl Caller {
    /// A caller that must be done by `deadline`.
    #[must_use]
    pub fn new(budget: Arc<Budget>, deadline: Deadline) -> Self {
        Self { budget, deadline }
    }

    /// The moment by which it must be done.
    #[must_use]
    pub const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Makes one call: `operation` is its IAM name, such as `ecs:UpdateService`, `resource` what it is about, `request` the SDK's
    /// future, which does nothing until it is awaited here.
    ///
    /// # Errors
    /// When the call was not made, was not answered in time, or was answered with an error; [`Failure::sent`] tells which.
    pub async fn call<T, E: SdkFailure>(
        &self,
        bucket: RateBucket,
        operation: &'static str,
        resource: &str,
        request: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        if self.deadline.is_over() {
            return Err(Failure::out_of_time(operation, resource, false));
        }
        if let Err(spent) = self.budget.take(bucket, self.deadline).await {
            return Err(Failure::budget_spent(operation, resource, spent));
        }
        call_unmetered(self.deadline, operation, resource, request).await
    }
}

/// Makes one call of a service that needs no budget, such as DynamoDB, which scales with its table.
///
/// # Errors
/// As [`Caller::call`].
pub async fn call_unmetered<T, E: SdkFailure>(
    deadline: Deadline,
    operation: &'static str,
    resource: &str,
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    if deadline.is_over() {
        return Err(Failure::out_of_time(operation, resource, false));
    }
    match deadline.within(request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failure::of_sdk(operation, resource, error)),
        Err(_over) => Err(Failure::out_of_time(operation, resource, true)),
    }
}
