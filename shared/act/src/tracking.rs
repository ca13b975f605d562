//! The steps of a plan for tracked services to AWS writes, and their outcomes.
//!
//! Everything is as [`Actor`](crate::Actor) does it, and the write is the same: `ecs:UpdateService` with a cluster, a service and a
//! desired count. A service is written only if, moments before, it was ACTIVE, its tag `ballast:service-scaler` was `act`, it was nobody's
//! standby, and it had the desired count that the plan saw.

use std::sync::Arc;

use aws_sdk_ecs::Client;
use calls::{Budget, Caller, Deadline};
use model::outcome::Outcome;
use model::plan::Action;
use model::policy::Mode;
use model::tracking::TrackingStep;

use crate::counts::{self, Change, Consent};
use crate::switch::in_mode;

/// Carries out steps of plans for tracked services.
#[derive(Debug, Clone)]
pub struct TrackingActor {
    ecs: Client,
    budget: Arc<Budget>,
    mode: Mode,
}

impl TrackingActor {
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
    pub async fn act(
        &self,
        steps: Vec<TrackingStep>,
        deadline: Deadline,
    ) -> Vec<Outcome<TrackingStep>> {
        in_mode(self.mode, steps, |steps| async {
            let caller = Caller::new(Arc::clone(&self.budget), deadline);
            counts::write(&self.ecs, &caller, steps, change).await
        })
        .await
    }
}

/// What a step changes.
fn change(step: &TrackingStep) -> Change<'_> {
    let Action::SetDesiredCount { service, from, to } = &step.action;
    Change {
        service,
        from: *from,
        to: *to,
        consent: Consent::Tracked,
    }
}
