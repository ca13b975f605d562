//! A capacity plan's steps to AWS writes, and their outcomes.
//!
//! # Expected flow
//! As for services: [`CapacityActor::act`] takes the steps in their order. Steps of one kind that follow one another, at most
//! [`STEPS_PER_READ_MAX`], are read again together, compared with what each saw, and written: a group's desired capacity and a
//! termination one by one, container instances' status in one call for a cluster.
//!
//! # Guarantees
//! - One outcome per step, in the order of the steps.
//! - The only writes are `autoscaling:SetDesiredCapacity` with a group and a capacity, always upwards and never waiting for a cooldown;
//!   `ecs:UpdateContainerInstancesState` with a cluster, instances and DRAINING or ACTIVE; and
//!   `autoscaling:TerminateInstanceInAutoScalingGroup` with an instance and the demand to lower the desired capacity by it.
//! - A group is written only if, moments before, it carried `ballast:cluster-scaler` = `act`, was not being deleted, and had the
//!   desired capacity that the plan saw, less what this plan itself has terminated.
//! - An instance is terminated only if, moments before, it was InService in its group and not protected from scale-in, its container
//!   instance was DRAINING, and no task but daemons' was left on it, those that were told to stop included.
//! - In the mode `observe` no call is made at all. No step is started once the time, or the budget of calls, is used up. Nothing is
//!   chosen here.
//! - Each line of `failures[]` is the outcome of the step that it befell.
//!
//! # Assumptions
//! - The clients retry throttling and lost connections themselves, a few times, and every attempt has a timeout.
//! - A container instance of which ECS says that no task runs on it or waits, and that all it registered is free, holds no task. That
//!   saves the lists of its tasks.
//!
//! # Caveats
//! - Neither ECS nor EC2 Auto Scaling has a conditional write: between the read and the write somebody else may change what was read.
//! - `UpdateContainerInstancesState` refuses a whole call for one bad instance. Its instances are then written one by one.
//! - A request whose answer was lost may have been applied. What it was to change is then read once more; what is as the step wants it
//!   counts as [`AlreadySo`](OutcomeResult::AlreadySo).
//! - A termination that was applied without an answer to tell so may be found only by the instance's state: the group's desired
//!   capacity is then read again before the next one.
//!
//! # Errors
//! There is no error type: whatever goes wrong is the outcome of the step that it befell, with the call, the cause and AWS's words.

pub(crate) mod changes;
mod groups;
mod raises;
mod terminations;

use std::sync::Arc;

use calls::{Budget, Caller, Deadline};
use model::capacity::{CapacityAction, CapacityStep};
use model::outcome::{Outcome, OutcomeResult};
use model::policy::Mode;

use crate::capacity::changes::Change;
use crate::capacity::raises::Raise;
use crate::capacity::terminations::{Terminated, Termination};
use crate::hand::Hand;
use crate::status::INSTANCES_PER_WRITE_MAX;
use crate::switch::in_mode;

/// How many steps are read together before they are written: the most instances of one `UpdateContainerInstancesState`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
pub const STEPS_PER_READ_MAX: usize = INSTANCES_PER_WRITE_MAX;

/// The name of the write that raises a group, as IAM knows it.
pub const SET_DESIRED_CAPACITY: &str = "autoscaling:SetDesiredCapacity";
/// The name of the write that terminates an instance, as IAM knows it.
pub const TERMINATE_INSTANCE: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";

pub use crate::status::UPDATE_CONTAINER_INSTANCES_STATE;

/// Carries out steps of capacity plans.
#[derive(Debug, Clone)]
pub struct CapacityActor {
    ecs: aws_sdk_ecs::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    budget: Arc<Budget>,
    mode: Mode,
}

impl CapacityActor {
    /// An actor that writes through these clients when the mode allows it.
    #[must_use]
    pub fn new(
        ecs: aws_sdk_ecs::Client,
        autoscaling: aws_sdk_autoscaling::Client,
        budget: Arc<Budget>,
        mode: Mode,
    ) -> Self {
        Self {
            ecs,
            autoscaling,
            budget,
            mode,
        }
    }

    /// Whether it writes.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Carries out the steps, as far as the deadline allows.
    pub async fn act(
        &self,
        steps: Vec<CapacityStep>,
        deadline: Deadline,
    ) -> Vec<Outcome<CapacityStep>> {
        in_mode(self.mode, steps, |steps| self.write(steps, deadline)).await
    }

    async fn write(
        &self,
        steps: Vec<CapacityStep>,
        deadline: Deadline,
    ) -> Vec<Outcome<CapacityStep>> {
        let hand = Hand {
            ecs: &self.ecs,
            autoscaling: &self.autoscaling,
            caller: Caller::new(Arc::clone(&self.budget), deadline),
        };
        let mut terminated = Terminated::default();
        let mut outcomes = Vec::with_capacity(steps.len());
        let mut steps = steps.into_iter().peekable();
        while let Some(first) = steps.next() {
            let mut run = Run::of(&first.action);
            let mut taken = vec![first];
            while let Some(next) = steps.next_if(|next| run.push(&next.action)) {
                taken.push(next);
            }
            let results = if hand.is_over() {
                vec![OutcomeResult::OutOfTime; taken.len()]
            } else {
                match &run {
                    Run::Raises(raises) => raises::write(&hand, raises).await,
                    Run::Changes(changes) => changes::write(&hand, changes).await,
                    Run::Terminations(terminations) => {
                        terminations::write(&hand, terminations, &mut terminated).await
                    }
                }
            };
            for (step, result) in taken.into_iter().zip(results) {
                tracing::debug!(step = %step, outcome = %result, "step taken");
                outcomes.push(Outcome { step, result });
            }
        }
        outcomes
    }
}

/// Steps that follow one another and are read together.
#[derive(Debug)]
enum Run {
    /// Groups are raised.
    Raises(Vec<Raise>),
    /// Container instances of one cluster are set to one status.
    Changes(Vec<Change>),
    /// Instances of one cluster are terminated.
    Terminations(Vec<Termination>),
}

impl Run {
    /// The run that begins with this step.
    fn of(action: &CapacityAction) -> Self {
        match Raise::of(action) {
            Some(raise) => Self::Raises(vec![raise]),
            None => match Termination::of(action) {
                Some(termination) => Self::Terminations(vec![termination]),
                None => Self::Changes(Change::of(action).into_iter().collect()),
            },
        }
    }

    /// Takes the next step, if it belongs to the run and there is room.
    fn push(&mut self, action: &CapacityAction) -> bool {
        fn add<T>(run: &mut Vec<T>, next: Option<T>, belongs: impl Fn(&T, &T) -> bool) -> bool {
            let Some(next) = next else { return false };
            let fits = run.len() < STEPS_PER_READ_MAX;
            let belongs = run.first().is_some_and(|first| belongs(first, &next));
            if fits && belongs {
                run.push(next);
            }
            fits && belongs
        }
        match self {
            Self::Raises(run) => add(run, Raise::of(action), |_, _| true),
            Self::Changes(run) => add(run, Change::of(action), Change::goes_with),
            Self::Terminations(run) => add(run, Termination::of(action), |first, next| {
                first.cluster == next.cluster
            }),
        }
    }
}
