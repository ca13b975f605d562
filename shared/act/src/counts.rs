//! Setting desired counts of services.

use std::fmt;

use aws_sdk_ecs::Client;
use calls::{Caller, Failure, RateBucket};
use model::ServiceKey;
use model::duty::PlannedStep;
use model::outcome::{Outcome, OutcomeResult};
use model::plan::{Action, Step};
use model::snapshot::GapCause;
use model::tracking::TrackingStep;

use crate::reread::{Read, SERVICES_PER_READ_MAX, reread};
use crate::{START_TIME_MIN, may_have_been_applied};

/// The name of the one write that sets a desired count, as IAM knows it.
pub const UPDATE_SERVICE: &str = "ecs:UpdateService";

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

/// What a step changes.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The service.
    pub(crate) service: &'a ServiceKey,
    /// The desired count that the plan saw.
    pub(crate) from: u32,
    /// The desired count that is wanted.
    pub(crate) to: u32,
    /// What makes the service one that may be written.
    pub(crate) consent: Consent<'a>,
}

/// A step that sets the desired count of a service, and says what that service must say of itself.
pub trait CountStep: PlannedStep {
    /// What the step changes.
    fn change(&self) -> Change<'_>;
}

impl CountStep for Step {
    fn change(&self) -> Change<'_> {
        let consent = Consent::StandbyOf(self.subject.service.as_str());
        Change::of(&self.action, consent)
    }
}

impl CountStep for TrackingStep {
    fn change(&self) -> Change<'_> {
        Change::of(&self.action, Consent::Tracked)
    }
}

impl<'a> Change<'a> {
    fn of(action: &'a Action, consent: Consent<'a>) -> Self {
        let Action::SetDesiredCount { service, from, to } = action;
        Self {
            service,
            from: *from,
            to: *to,
            consent,
        }
    }
}

/// What a service must say of itself to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent<'a> {
    /// That it is the standby of this primary.
    StandbyOf(&'a str),
    /// That its desired count is to follow its metrics, and that it is nobody's standby.
    Tracked,
}

/// Takes steps in their order, each compared with what its service is moments before.
pub(crate) async fn write<S: CountStep>(
    ecs: &Client,
    caller: &Caller,
    steps: Vec<S>,
) -> Vec<Outcome<S>> {
    let mut outcomes = Vec::with_capacity(steps.len());
    let mut steps = steps.into_iter().peekable();
    while steps.peek().is_some() {
        let group: Vec<S> = steps.by_ref().take(SERVICES_PER_READ_MAX).collect();
        let read = if caller.deadline().remaining() < START_TIME_MIN {
            Read::default()
        } else {
            let services = group.iter().map(|it| it.change().service);
            reread(ecs, caller, services).await
        };
        for step in group {
            let result = take(ecs, caller, step.change(), &read).await;
            note(&step, &result);
            outcomes.push(Outcome { step, result });
        }
    }
    outcomes
}

fn note(step: &impl fmt::Display, result: &OutcomeResult) {
    tracing::debug!(step = %step, outcome = %result, "step taken");
}

/// Takes one step whose service was just read.
async fn take(ecs: &Client, caller: &Caller, change: Change<'_>, read: &Read) -> OutcomeResult {
    if caller.deadline().remaining() < START_TIME_MIN {
        return OutcomeResult::OutOfTime;
    }
    match read
        .of(change.service)
        .judge(change.consent, change.from, change.to)
    {
        Ok(()) => update(ecs, caller, change.service, change.to).await,
        Err(result) => result,
    }
}

async fn update(ecs: &Client, caller: &Caller, service: &ServiceKey, to: u32) -> OutcomeResult {
    let Ok(desired_count) = i32::try_from(to) else {
        return OutcomeResult::Refused {
            detail: format!("{to} is more than ECS can count"),
        };
    };
    let request = ecs
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
        Err(failure) => after(ecs, caller, failure, service, to).await,
    }
}

/// What a failed write comes to. If the request may have been applied, the service tells.
async fn after(
    ecs: &Client,
    caller: &Caller,
    failure: Failure,
    service: &ServiceKey,
    to: u32,
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
        let read = reread(ecs, caller, std::iter::once(service)).await;
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
