//! A plan's steps to AWS writes, and their outcomes. What follows is [`Actor`]'s, which writes standbys and tracked services;
//! [`capacity`] writes groups and their instances, [`drain`] what goes away.
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
//! - A service is written only if, moments before, it was ACTIVE and had the desired count that the plan saw. A standby must carry
//!   `ballast:standby-of` with the step's primary; a tracked service `ballast:service-scaler` = `act`, and be nobody's standby.
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
//!   step wants it counts as [`AlreadySo`](model::outcome::OutcomeResult::AlreadySo).
//!
//! # Errors
//! There is no error type: whatever goes wrong is the outcome of the step that it befell, with the call, the cause and AWS's words.

pub mod capacity;
mod counts;
pub mod drain;
mod hand;
mod instances;
mod occupied;
mod refusals;
mod reread;
mod status;
mod switch;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ecs::Client;
use calls::{Budget, Caller, Deadline};
use model::outcome::Outcome;
use model::policy::Mode;
use model::snapshot::GapCause;

use crate::switch::in_mode;

pub use crate::capacity::CapacityActor;
pub use crate::counts::{CountStep, UPDATE_SERVICE};
pub use crate::drain::DrainActor;
pub use crate::reread::SERVICES_PER_READ_MAX;

/// The least time in which a write is worth starting. With less, the answer would likely be lost.
const START_TIME_MIN: Duration = Duration::from_millis(500);

/// Carries out steps that set desired counts.
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
    pub async fn act<S: CountStep>(&self, steps: Vec<S>, deadline: Deadline) -> Vec<Outcome<S>> {
        in_mode(self.mode, steps, |steps| async {
            let caller = Caller::new(Arc::clone(&self.budget), deadline);
            counts::write(&self.ecs, &caller, steps).await
        })
        .await
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
