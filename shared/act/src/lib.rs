//! A plan's steps to AWS writes, and their outcomes. What follows is [`Actor`]'s, which writes services; [`capacity`] writes groups and
//! their instances, [`drain`] what goes away.
//!
//! # Expected flow
//! [`Actor::act`] takes the steps of a plan that `placement` made, `audit` let pass and the ledger has recorded. It takes them in
//! their order, in groups of at most [`SERVICES_PER_READ_MAX`]: it reads the group's services again, compares each with what its
//! step saw, and writes those that still agree, one by one.
//!
//! # Guarantees
//! - One outcome per step, in the order of the steps.
//! - [`Actor`]'s only write is `ecs:UpdateService` with a cluster, a service and a desired count. No strategy, task definition or
//!   deployment option is ever sent.
//! - A service is written only if, moments before, it was ACTIVE, carried `ballast:standby-of` with the step's primary, and had the
//!   desired count that the plan saw.
//! - In the mode `observe` no call is made at all: every outcome is `NotWritten`. This is the only dry-run switch there is.
//! - No step is started once the invocation's time, or its budget of calls, is used up.
//! - Nothing is chosen here: no step is added, merged, reordered or changed.
//!
//! # Assumptions
//! - The clients retry throttling and lost connections themselves, a few times, and every attempt has a timeout.
//! - A step's `to` is absolute, so that the same request may arrive twice.
//!
//! # Caveats
//! - ECS has no conditional write: between the read and the write somebody else may change the desired count, and is then
//!   overwritten once. The next look sees the result.
//! - A request whose answer was lost may have been applied. The service is then read once more, and a desired count that is as the
//!   step wants it counts as [`AlreadySo`](OutcomeResult::AlreadySo).
//!
//! # Errors
//! There is no error type: whatever goes wrong is the outcome of the step that it befell, with the call, the cause and AWS's words.

pub mod capacity;
pub mod drain;
mod hand;
mod instances;
mod occupied;
mod refusals;
mod reread;
mod status;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::Client;
use calls::{Budget, Caller, Deadline, Failure, RateBucket};
use model::ServiceKey;
use model::outcome::{Outcome, OutcomeResult};
use model::plan::{Action, Step};
use model::policy::Mode;
use model::snapshot::GapCause;

use crate::reread::{Read, reread};

pub use crate::capacity::CapacityActor;
pub use crate::drain::DrainActor;
pub use crate::reread::SERVICES_PER_READ_MAX;

/// The name of [`Actor`]'s one write, as IAM knows it.
pub const UPDATE_SERVICE: &str = "ecs:UpdateService";

/// The least time in which a write is worth starting. With less, the answer would likely be lost.
const START_TIME_MIN: Duration = Duration::from_millis(500);

/// The codes by which ECS says that the service is no longer what was read a moment ago.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html#API_UpdateService_Errors>
const GONE_CODES: [&str; 3] = [
    "ClusterNotFoundException",
    "ServiceNotActiveException",
    "ServiceNotFoundException",
];

/// The codes by which ECS says that it will never do this.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html#API_UpdateService_Errors>
const REFUSAL_CODES: [&str; 5] = [
    "ClientException",
    "InvalidParameterException",
    "PlatformTaskDefinitionIncompatibilityException",
    "PlatformUnknownException",
    "UnsupportedFeatureException",
];

/// Carries out steps.
#[derive(Debug, Clone)]
pub struct Actor {
    ecs: Client,
    budget: Arc<Budget>,
    mode: Mode,
}

impl Actor {
    /// An actor that writes through `ecs` when the mode allows it.
    #[must_use]
    pub fn new(ecs: Client, budget: Arc<Budget>, mode: Mode) -> Self {
        Self { ecs, budget, mode }
    }

    /// Whether it writes.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Carries out the steps, as far as the deadline allows.
    pub async fn act(&self, steps: Vec<Step>, deadline: Deadline) -> Vec<Outcome> {
        match self.mode {
            Mode::Observe => steps
                .into_iter()
                .map(|step| Outcome {
                    step,
                    result: OutcomeResult::NotWritten,
                })
                .collect(),
            Mode::Act => self.write(steps, deadline).await,
        }
    }

    async fn write(&self, steps: Vec<Step>, deadline: Deadline) -> Vec<Outcome> {
        let caller = Caller::new(Arc::clone(&self.budget), deadline);
        let mut outcomes = Vec::with_capacity(steps.len());
        let mut steps = steps.into_iter().peekable();
        while steps.peek().is_some() {
            let group: Vec<Step> = steps.by_ref().take(SERVICES_PER_READ_MAX).collect();
            let read = if deadline.remaining() < START_TIME_MIN {
                Read::default()
            } else {
                reread(&self.ecs, &caller, group.iter().map(service_of)).await
            };
            for step in group {
                let result = self.take(&step, &read, &caller).await;
                tracing::debug!(step = %step, outcome = %result, "step taken");
                outcomes.push(Outcome { step, result });
            }
        }
        outcomes
    }

    /// Takes one step whose service was just read.
    async fn take(&self, step: &Step, read: &Read, caller: &Caller) -> OutcomeResult {
        if caller.deadline().remaining() < START_TIME_MIN {
            return OutcomeResult::OutOfTime;
        }
        let Action::SetDesiredCount { service, from, to } = &step.action;
        match read
            .of(service)
            .judge(step.subject.service.as_str(), *from, *to)
        {
            Ok(()) => self.update(service, *to, caller).await,
            Err(result) => result,
        }
    }

    async fn update(&self, service: &ServiceKey, to: u32, caller: &Caller) -> OutcomeResult {
        let Ok(desired_count) = i32::try_from(to) else {
            return OutcomeResult::Refused {
                detail: format!("{to} is more than ECS can count"),
            };
        };
        let request = self
            .ecs
            .update_service()
            .cluster(service.cluster.as_str())
            .service(service.service.as_str())
            .desired_count(desired_count)
            .send();
        let answer = caller
            .call(
                RateBucket::ServiceModify,
                UPDATE_SERVICE,
                &service.to_string(),
                request,
            )
            .await;
        match answer {
            Ok(answer) => match answer.service().map(|it| it.desired_count()) {
                Some(found) if found != desired_count => OutcomeResult::Failed {
                    operation: UPDATE_SERVICE.to_owned(),
                    cause: GapCause::Other,
                    detail: format!("ECS answered with desired count {found} instead of {to}"),
                },
                Some(_) | None => OutcomeResult::Done,
            },
            Err(failure) => self.after(failure, service, to, caller).await,
        }
    }

    /// What a failed write comes to. If the request may have been applied, the service tells.
    async fn after(
        &self,
        failure: Failure,
        service: &ServiceKey,
        to: u32,
        caller: &Caller,
    ) -> OutcomeResult {
        if !failure.sent {
            return OutcomeResult::OutOfTime;
        }
        let code = failure.code.as_deref();
        let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
        if is_one_of(&GONE_CODES) {
            return OutcomeResult::PreconditionFailed {
                found: failure.gap.detail,
            };
        }
        if is_one_of(&REFUSAL_CODES) {
            return OutcomeResult::Refused {
                detail: format!("{UPDATE_SERVICE}: {}", failure.gap.detail),
            };
        }
        if may_have_been_applied(failure.gap.cause) {
            let read = reread(&self.ecs, caller, std::iter::once(service)).await;
            if read.of(service).desired_count() == Some(to) {
                return OutcomeResult::AlreadySo;
            }
        }
        OutcomeResult::Failed {
            operation: failure.gap.operation,
            cause: failure.gap.cause,
            detail: failure.gap.detail,
        }
    }
}

/// Whether a request that failed so may have changed something all the same.
const fn may_have_been_applied(cause: GapCause) -> bool {
    match cause {
        GapCause::AccessDenied
        | GapCause::Throttled
        | GapCause::NotFound
        | GapCause::BudgetSpent => false,
        GapCause::OutOfTime | GapCause::Unreachable | GapCause::Other => true,
    }
}

fn service_of(step: &Step) -> &ServiceKey {
    let Action::SetDesiredCount { service, .. } = &step.action;
    service
}
