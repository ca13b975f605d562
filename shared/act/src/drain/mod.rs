//! The steps of a plan for departures to AWS writes, and their outcomes.
//!
//! # Expected flow
//! As for services: [`DrainActor::act`] takes the steps in their order. Steps of one kind that follow one another are taken together:
//! - *Drain*: at most ten container instances of a cluster in one call, without a look before it: these instances leave whatever they are
//!   now, and DRAINING is what they are to be.
//! - *Activate*: as `cluster-scaler` does; read again, compared, and set in one call for at most ten of a cluster.
//! - *Stop a task*: the tasks are read again, a hundred in a call, and those that still run there are stopped one by one.
//! - *Heartbeat*: one by one, without a look before it.
//! - *Complete a lifecycle action*: one by one. Where the plan saw that the tasks are gone, the instance and its tasks are read again.
//!
//! # Guarantees
//! - One outcome per step, in the order of the steps.
//! - The only writes are `ecs:UpdateContainerInstancesState` with a cluster, container instances and DRAINING or ACTIVE; `ecs:StopTask`
//!   with a cluster, a task and a reason; `autoscaling:RecordLifecycleActionHeartbeat` with a group, a hook and an instance; and
//!   `autoscaling:CompleteLifecycleAction` with the same and `CONTINUE`. No action is ever abandoned, no token is ever sent.
//! - An instance is made ACTIVE only if, moments before, it was InService in its group or in none, and then DRAINING and the same EC2
//!   instance still.
//! - A task is stopped only if, moments before, it was on the step's container instance and was to run.
//! - An action whose step names an empty container instance is completed only if, moments before, no task but daemons' was on it, those
//!   that were told to stop included.
//! - What somebody else has done already is no failure: an instance that is DRAINING, inactive or unknown, a task that stops or is
//!   unknown, a lifecycle action that is over. It is [`AlreadySo`](OutcomeResult::AlreadySo).
//! - In the mode `observe` no call is made at all. No step is started once the time, or the budget of calls, is used up. Nothing is
//!   chosen here.
//! - Each line of `failures[]` is the outcome of the step that it befell.
//!
//! # Assumptions
//! - The clients retry throttling and lost connections themselves, a few times, and every attempt has a timeout.
//! - The steps of one kind come in the order of their urgency.
//! - An instance waits in one lifecycle action of a hook at a time, so that the instance's id names it as well as a token does.
//!
//! # Caveats
//! - Drains of several clusters that alternate are sorted by cluster to fill the calls. None comes later than in its turn.
//! - `UpdateContainerInstancesState` refuses a whole call for one bad instance, such as one that still registers. Its instances are then
//!   written one by one, and those that are refused again are read to tell what they are.
//! - Neither ECS nor EC2 Auto Scaling has a conditional write: between the read and the write a task may be placed or moved.
//! - A request whose answer was lost may have been applied. Container instances and tasks are then read once more, and what is as the step
//!   wants it counts as [`AlreadySo`](OutcomeResult::AlreadySo). A heartbeat or a completion leaves no trace that tells it was this one:
//!   it stays a failure, and the next look decides again.
//! - EC2 Auto Scaling has no code of its own for an action that is over. It is told by AWS's text.
//!
//! # Errors
//! There is no error type: whatever goes wrong is the outcome of the step that it befell, with the call, the cause and AWS's words.

mod departures;
mod lifecycle;
mod membership;
mod stops;

use std::collections::BTreeMap;
use std::sync::Arc;

use calls::{Budget, Caller, Deadline};
use model::drain::{DrainAction, DrainStep};
use model::outcome::{Outcome, OutcomeResult};
use model::policy::Mode;
use model::{ClusterName, InstanceId};

use crate::capacity::changes::{self, Change};
use crate::drain::departures::Departing;
use crate::drain::lifecycle::{Completion, Heartbeat};
use crate::drain::stops::Stop;
use crate::hand::Hand;
use crate::status::INSTANCES_PER_WRITE_MAX;
use crate::switch::in_mode;

pub use crate::status::UPDATE_CONTAINER_INSTANCES_STATE;

/// The name of the write that stops a task, as IAM knows it.
pub const STOP_TASK: &str = "ecs:StopTask";
/// The name of the write that keeps a lifecycle action waiting, as IAM knows it.
pub const RECORD_HEARTBEAT: &str = "autoscaling:RecordLifecycleActionHeartbeat";
/// The name of the write that completes a lifecycle action, as IAM knows it.
pub const COMPLETE_LIFECYCLE_ACTION: &str = "autoscaling:CompleteLifecycleAction";

/// Carries out steps of plans for departures.
#[derive(Debug, Clone)]
pub struct DrainActor {
    ecs: aws_sdk_ecs::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    budget: Arc<Budget>,
    mode: Mode,
}

impl DrainActor {
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
    pub async fn act(&self, steps: Vec<DrainStep>, deadline: Deadline) -> Vec<Outcome<DrainStep>> {
        in_mode(self.mode, steps, |steps| self.write(steps, deadline)).await
    }

    async fn write(&self, steps: Vec<DrainStep>, deadline: Deadline) -> Vec<Outcome<DrainStep>> {
        let hand = Hand {
            ecs: &self.ecs,
            autoscaling: &self.autoscaling,
            caller: Caller::new(Arc::clone(&self.budget), deadline),
        };
        let mut outcomes = Vec::with_capacity(steps.len());
        let mut steps = steps.into_iter().peekable();
        while let Some(first) = steps.next() {
            let mut run = Run::of(&first);
            let mut taken = vec![first];
            while let Some(next) = steps.next_if(|next| run.push(next)) {
                taken.push(next);
            }
            let results = run.write(&hand).await;
            for (step, result) in taken.into_iter().zip(results) {
                tracing::debug!(step = %step, outcome = %result, "step taken");
                outcomes.push(Outcome { step, result });
            }
        }
        outcomes
    }
}

/// Steps of one kind that follow one another.
#[derive(Debug)]
enum Run {
    /// Container instances are set to DRAINING.
    Departures(Vec<Departing>),
    /// Container instances are made ACTIVE again.
    Activations(Vec<Change>),
    /// Tasks are stopped.
    Stops(Vec<Stop>),
    /// Lifecycle actions are kept waiting.
    Heartbeats(Vec<Heartbeat>),
    /// Lifecycle actions are completed.
    Completions(Vec<Completion>),
}

impl Run {
    /// The run that is this step alone.
    fn of(step: &DrainStep) -> Self {
        match &step.action {
            DrainAction::Drain {
                cluster,
                container_instance,
                instance: _,
            } => Self::Departures(vec![Departing {
                cluster: cluster.clone(),
                container_instance: container_instance.clone(),
            }]),
            DrainAction::Activate {
                cluster,
                container_instance,
                instance,
            } => Self::Activations(vec![Change::to_active(
                cluster.clone(),
                container_instance.clone(),
                instance.clone(),
            )]),
            DrainAction::StopTask {
                cluster,
                task,
                container_instance,
                instance,
            } => Self::Stops(vec![Stop {
                cluster: cluster.clone(),
                task: task.clone(),
                container_instance: container_instance.clone(),
                reason: stops::reason(instance, &step.reason),
            }]),
            DrainAction::RecordHeartbeat {
                group,
                hook,
                instance,
            } => Self::Heartbeats(vec![Heartbeat {
                group: group.clone(),
                hook: hook.clone(),
                instance: instance.clone(),
            }]),
            DrainAction::CompleteLifecycleAction {
                group,
                hook,
                instance,
                empty,
            } => Self::Completions(vec![Completion {
                group: group.clone(),
                hook: hook.clone(),
                instance: instance.clone(),
                empty: empty.clone(),
            }]),
        }
    }

    /// Takes the next step, if it is of the same kind.
    fn push(&mut self, step: &DrainStep) -> bool {
        match (self, Self::of(step)) {
            (Self::Departures(run), Self::Departures(next)) => run.extend(next),
            (Self::Activations(run), Self::Activations(next)) => run.extend(next),
            (Self::Stops(run), Self::Stops(next)) => run.extend(next),
            (Self::Heartbeats(run), Self::Heartbeats(next)) => run.extend(next),
            (Self::Completions(run), Self::Completions(next)) => run.extend(next),
            (
                Self::Departures(_)
                | Self::Activations(_)
                | Self::Stops(_)
                | Self::Heartbeats(_)
                | Self::Completions(_),
                _,
            ) => return false,
        }
        true
    }

    /// Carries the steps out: one result for each, in their order.
    async fn write(self, hand: &Hand<'_>) -> Vec<OutcomeResult> {
        match self {
            Self::Departures(run) => departures::write(hand, run).await,
            Self::Activations(run) => activate(hand, run).await,
            Self::Stops(run) => stops::write(hand, &run).await,
            Self::Heartbeats(run) => lifecycle::record(hand, &run).await,
            Self::Completions(run) => lifecycle::complete(hand, &run).await,
        }
    }
}

/// Makes container instances ACTIVE again that stay.
async fn activate(hand: &Hand<'_>, changes: Vec<Change>) -> Vec<OutcomeResult> {
    let mut results = Results::of(changes.len());
    if hand.is_over() {
        return results.0;
    }
    let instances: Vec<&InstanceId> = changes.iter().map(Change::instance).collect();
    let mut leaving = membership::leaving(hand, &instances).await;
    let (mut places, mut staying) = (Vec::new(), Vec::new());
    for (place, change) in changes.into_iter().enumerate() {
        match leaving.remove(change.instance()) {
            Some(result) => results.set(&[place], vec![result]),
            None => {
                places.push(place);
                staying.push(change);
            }
        }
    }
    for (at, batch) in batches(staying, Change::cluster) {
        if hand.is_over() {
            break;
        }
        let at: Vec<usize> = at
            .iter()
            .filter_map(|it| places.get(*it).copied())
            .collect();
        results.set(&at, changes::write(hand, &batch).await);
    }
    results.0
}

/// Of steps, at most so many as one call takes, all of one cluster: where they are in the run, and they themselves.
type Batch<T> = (Vec<usize>, Vec<T>);

/// Sorts the steps of a run by cluster into as few calls as possible. Each batch begins with the first step that is not in one before it.
fn batches<T>(steps: Vec<T>, cluster_of: impl Fn(&T) -> &ClusterName) -> Vec<Batch<T>> {
    let mut batches: Vec<Batch<T>> = Vec::new();
    let mut open: BTreeMap<ClusterName, usize> = BTreeMap::new();
    for (at, step) in steps.into_iter().enumerate() {
        let cluster = cluster_of(&step).clone();
        let batch = open.get(&cluster).and_then(|it| batches.get_mut(*it));
        match batch {
            Some((places, batch)) if batch.len() < INSTANCES_PER_WRITE_MAX => {
                places.push(at);
                batch.push(step);
            }
            Some(_) | None => {
                open.insert(cluster, batches.len());
                batches.push((vec![at], vec![step]));
            }
        }
    }
    batches
}

/// The results of a run, each [`OutOfTime`](OutcomeResult::OutOfTime) until it is set.
#[derive(Debug)]
struct Results(Vec<OutcomeResult>);

impl Results {
    fn of(steps: usize) -> Self {
        Self(vec![OutcomeResult::OutOfTime; steps])
    }

    fn set(&mut self, places: &[usize], results: Vec<OutcomeResult>) {
        for (place, result) in places.iter().zip(results) {
            if let Some(slot) = self.0.get_mut(*place) {
                *slot = result;
            }
        }
    }
}
