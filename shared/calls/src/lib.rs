//! How AWS is called: a budget of calls per rate bucket, the invocation's deadline, AWS's own clock, and errors that are
//! classified once.
//!
//! Guaranteed: [`Caller::call`] is the only way that a step of the flow reaches ECS, Auto Scaling and CloudWatch. It takes a token of the call's rate bucket
//! first, never waits beyond the deadline, and turns whatever goes wrong into a [`Failure`], whose [`Gap`](model::snapshot::Gap) is
//! one line that names the call, what it was about and what AWS said.
//!
//! Assumed: the process makes no ECS calls besides; the SDK's own retries are few. They are not counted: a throttled call that
//! the SDK repeats takes one token here.
//!
//! Absent: which calls are made, and what their answers mean.

mod budget;
mod caller;
mod clock;
mod count;
mod deadline;
mod failure;

pub use budget::{Budget, BudgetSpent, RateBucket, SHARE_PERCENT_MAX};
pub use caller::{Caller, call_unmetered};
pub use clock::AwsClock;
pub use count::CallCount;
pub use deadline::{Deadline, DeadlineOver};
pub use failure::{Failure, FailureSource, SdkFailure, gap, gap_cause, one_line};
