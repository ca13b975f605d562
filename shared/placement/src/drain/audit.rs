//! A second opinion on a plan for departures.
//!
//! Guaranteed: it shares no code with the rules. It reads the snapshot, the memory and the hints anew, asks of each step what must never
//! be, and says every law that a step breaks. A step that is named here is not carried out.
//!
//! Assumed: where sources disagree, such as the scaling activity and the memory about when a termination began, the reading counts that
//! lets the step pass: a plan of the rules never breaks a law.
//!
//! Absent: whether a plan is good, or complete. That an instance is not drained in time is no breach here.

mod choice;
mod elsewhere;
mod evidence;
mod hooks;
mod maintenance;
mod room;
mod stops;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{Consent, ContainerInstance, ContainerInstanceStatus, InstanceTask};
use model::drain::{
    CauseKind, Departure, DrainAction, DrainGroup, DrainKey, DrainMemory, DrainPlan, DrainPolicy,
    DrainSnapshot, DrainStep, DrainStepReason, DrainSubject, LookedInstance,
};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::TaskStatus;
use model::trigger::{Hints, LifecycleAction, NoticeHint};
use model::{ClusterName, ContainerInstanceArn, InstanceId, TaskArn};

use crate::audit::{Findings, Violation};
use evidence::Evidence;

/// How long managed draining, or the agent, is given to set its instance to DRAINING, in seconds.
const NEIGHBOUR_SECS: i64 = 10;

/// Every law that [`audit`] checks, by name.
pub const LAWS: [&str; 13] = [
    "opt_in",
    "evidence",
    "switched_off",
    "only_own_hook",
    "complete_before_continue",
    "within_deadline",
    "only_own_drains",
    "not_too_early",
    "disruption_budget",
    "room_elsewhere",
    "good_neighbour",
    "one_step_per_subject",
    "precondition",
];

/// Checks every step of a plan. An empty answer means that the plan may be carried out.
#[must_use]
pub fn audit(
    plan: &DrainPlan,
    snapshot: &DrainSnapshot,
    installation: &Installation,
    memories: &BTreeMap<DrainKey, Recall<DrainMemory>>,
    hints: &Hints,
    now: Timestamp,
) -> Vec<Violation> {
    let sources = Sources::new(plan, snapshot, hints);
    let mut violations = Vec::new();
    let mut written = BTreeSet::new();
    let mut budgets = BTreeMap::new();
    let mut promised = room::Promised::default();
    for (index, step) in plan.steps.iter().enumerate() {
        let mut found = Findings {
            index,
            violations: &mut violations,
        };
        if !written.insert(written_to(&step.action)) {
            found.add(
                "one_step_per_subject",
                format!("{} has two such steps", step.subject),
            );
        }
        check_subject(step, &mut found);
        let key = step.key();
        let Some(group) = snapshot.groups.get(key) else {
            found.add("opt_in", format!("`{key}` is not looked after"));
            continue;
        };
        let Some(policy) = check_opt_in(group, &mut found) else {
            continue;
        };
        let instance = instance_of(&step.action);
        let in_group = group.instances.get(instance).cloned();
        let has_left = in_group.is_none();
        let looked = in_group.or_else(|| elsewhere::detached(snapshot, memories, group, step));
        let Some(looked) = looked else {
            found.add("opt_in", format!("`{instance}` is none of `{key}`"));
            continue;
        };
        let departure = elsewhere::remembered(snapshot, memories, key, &looked);
        let ground = Ground {
            snapshot,
            sources: &sources,
            installation,
            group,
            policy,
            recall: memories.get(key),
            departure: departure.as_ref().map(|it| (instance, it)),
            has_left,
            now,
        };
        ground.check(step, &looked, &mut budgets, &mut found);
        if let DrainStepReason::Selective { why, room, .. } = &step.reason {
            ground.check_room(&looked, why.kind(), room, &mut promised, &mut found);
        }
    }
    violations
}

/// What a step writes to: an instance's status, its lifecycle action, or a task. No plan writes twice to one of them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Written<'p> {
    Status(&'p InstanceId),
    LifecycleAction(&'p InstanceId),
    Task(&'p TaskArn),
}

const fn written_to(action: &DrainAction) -> Written<'_> {
    match action {
        DrainAction::Drain { instance, .. } | DrainAction::Activate { instance, .. } => {
            Written::Status(instance)
        }
        DrainAction::StopTask { task, .. } => Written::Task(task),
        DrainAction::RecordHeartbeat { instance, .. }
        | DrainAction::CompleteLifecycleAction { instance, .. } => {
            Written::LifecycleAction(instance)
        }
    }
}

const fn instance_of(action: &DrainAction) -> &InstanceId {
    match action {
        DrainAction::Drain { instance, .. }
        | DrainAction::Activate { instance, .. }
        | DrainAction::StopTask { instance, .. }
        | DrainAction::RecordHeartbeat { instance, .. }
        | DrainAction::CompleteLifecycleAction { instance, .. } => instance,
    }
}

/// What the steps of a plan are about, sorted once: what was said of each instance, and the tasks on it.
struct Sources<'a> {
    notices: BTreeMap<&'a InstanceId, Vec<&'a NoticeHint>>,
    waits: BTreeMap<&'a InstanceId, Vec<(Option<Timestamp>, &'a LifecycleAction)>>,
    tasks: BTreeMap<(&'a ClusterName, &'a ContainerInstanceArn), Vec<&'a InstanceTask>>,
    /// The instances that the plan drains.
    drained: BTreeSet<InstanceId>,
}

impl<'a> Sources<'a> {
    fn new(plan: &DrainPlan, snapshot: &'a DrainSnapshot, hints: &'a Hints) -> Self {
        let mut notices: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for hint in &hints.notices {
            notices.entry(&hint.instance).or_default().push(hint);
        }
        let mut waits: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, action) in &hints.lifecycle_actions {
            waits
                .entry(&action.instance)
                .or_default()
                .push((*at, action));
        }
        let mut tasks: BTreeMap<_, Vec<_>> = BTreeMap::new();
        if plan.steps.iter().any(concerns_tasks) {
            for (name, cluster) in &snapshot.clusters {
                for task in &cluster.capacity.tasks {
                    if let Some(arn) = &task.instance
                        && task.last_status != TaskStatus::Stopped
                    {
                        tasks.entry((name, arn)).or_default().push(task);
                    }
                }
            }
        }
        let drains = plan.steps.iter().filter_map(|it| match &it.action {
            DrainAction::Drain { instance, .. } => Some(instance.clone()),
            DrainAction::Activate { .. }
            | DrainAction::StopTask { .. }
            | DrainAction::RecordHeartbeat { .. }
            | DrainAction::CompleteLifecycleAction { .. } => None,
        });
        Self {
            notices,
            waits,
            tasks,
            drained: drains.collect(),
        }
    }
}

const fn concerns_tasks(step: &DrainStep) -> bool {
    match step.action {
        // A drain by choice that turned out of no use is told by what is left.
        DrainAction::StopTask { .. }
        | DrainAction::CompleteLifecycleAction { .. }
        | DrainAction::Activate { .. } => true,
        DrainAction::Drain { .. } => matches!(step.reason, DrainStepReason::Selective { .. }),
        DrainAction::RecordHeartbeat { .. } => false,
    }
}

/// The group's own tag says `act`, and nothing of its tags is at fault. A cluster's tags are not part of the look: its policy is.
fn check_opt_in<'a>(group: &'a DrainGroup, found: &mut Findings<'_>) -> Option<&'a DrainPolicy> {
    let key = &group.key;
    let is_of_key = match (key, &group.group) {
        (DrainKey::Group { group }, Some(seen)) => {
            let tag = seen.tags.get("ballast:instance-drain").map(String::as_str);
            let paused = seen.tags.get("ballast:paused");
            seen.name == *group && tag == Some("act") && paused.is_none_or(|it| it == "false")
        }
        (DrainKey::Cluster { .. }, None) => true,
        (DrainKey::Group { .. }, None)
        | (DrainKey::Cluster { .. }, Some(_))
        | (DrainKey::Instance { .. }, _) => false,
    };
    if !is_of_key {
        let detail = format!("the tags of `{key}` do not let its instances be drained");
        found.add("opt_in", detail);
    }
    match &group.policy {
        Ok(policy) if policy.consent == Consent::Act && !policy.paused => Some(policy),
        Ok(_) | Err(_) => {
            found.add("opt_in", format!("`{key}` has no policy to act by"));
            None
        }
    }
}

/// What the step says that it is about is what it does something to.
fn check_subject(step: &DrainStep, found: &mut Findings<'_>) {
    let is_about = match (&step.subject, &step.action) {
        (
            DrainSubject::Instances { instances, .. },
            DrainAction::Drain { instance, .. } | DrainAction::Activate { instance, .. },
        ) => instances.as_slice() == std::slice::from_ref(instance),
        (
            DrainSubject::LifecycleAction {
                key,
                instance,
                hook,
            },
            DrainAction::RecordHeartbeat {
                group: to_group,
                hook: to_hook,
                instance: to_instance,
            }
            | DrainAction::CompleteLifecycleAction {
                group: to_group,
                hook: to_hook,
                instance: to_instance,
                ..
            },
        ) => {
            let group = DrainKey::Group {
                group: to_group.clone(),
            };
            *key == group && hook == to_hook && instance == to_instance
        }
        (
            DrainSubject::Task { instance, task, .. },
            DrainAction::StopTask {
                task: to_task,
                instance: to_instance,
                ..
            },
        ) => task == to_task && instance == to_instance,
        (
            DrainSubject::Group { .. }
            | DrainSubject::Instances { .. }
            | DrainSubject::LifecycleAction { .. }
            | DrainSubject::Task { .. },
            _,
        ) => false,
    };
    if !is_about {
        let detail = format!(
            "the step is about {}, and would {}",
            step.subject, step.action
        );
        found.add("precondition", detail);
    }
}

/// What one step is judged by.
#[derive(Clone, Copy)]
struct Ground<'a> {
    snapshot: &'a DrainSnapshot,
    sources: &'a Sources<'a>,
    installation: &'a Installation,
    group: &'a DrainGroup,
    policy: &'a DrainPolicy,
    recall: Option<&'a Recall<DrainMemory>>,
    /// What is remembered of the instance that the step is about, wherever that is.
    departure: Option<(&'a InstanceId, &'a Departure)>,
    /// Whether that instance is no more in the group that Ballast drained it in, nor in anything else that was looked at.
    has_left: bool,
    now: Timestamp,
}

impl<'a> Ground<'a> {
    fn check(
        &self,
        step: &DrainStep,
        looked: &LookedInstance,
        budgets: &mut BTreeMap<DrainKey, choice::Budget>,
        found: &mut Findings<'_>,
    ) {
        match &step.action {
            DrainAction::Drain { .. } => {
                let key = self.group.key.clone();
                let budget = budgets
                    .entry(key)
                    .or_insert_with(|| choice::Budget::of(self));
                if let DrainStepReason::Selective { why, .. } = &step.reason {
                    self.check_choice(looked, why.kind(), budget, found);
                } else {
                    self.check_drain(step, looked, found);
                    self.check_planned(step, looked, budget, found);
                }
                self.check_container(step, looked, ContainerInstanceStatus::Active, found);
            }
            DrainAction::Activate { .. } => {
                self.check_activate(step, looked, found);
                self.check_container(step, looked, ContainerInstanceStatus::Draining, found);
            }
            DrainAction::StopTask { task, .. } => self.check_stop(step, looked, task, found),
            DrainAction::RecordHeartbeat { hook, .. } => {
                self.check_hook(looked, hook, found);
                self.check_heartbeat(looked, found);
            }
            DrainAction::CompleteLifecycleAction { hook, empty, .. } => {
                self.check_hook(looked, hook, found);
                self.check_continue(looked, empty.as_ref(), found);
            }
        }
    }

    /// Whether the ledger answered: a group that it has never heard of is known to be new.
    fn remembers(&self) -> bool {
        !matches!(self.recall, Some(Recall::Unknown))
    }

    fn departure(&self, instance: &InstanceId) -> Option<&'a Departure> {
        if let Some((_, departure)) = self.departure.filter(|(of, _)| *of == instance) {
            return Some(departure);
        }
        let known = self.recall.and_then(Recall::known);
        known.and_then(|it| it.departures.get(instance))
    }

    fn container(&self, looked: &LookedInstance) -> Option<&'a ContainerInstance> {
        let (cluster, arn) = looked.registered.as_ref()?;
        let cluster = self.snapshot.clusters.get(cluster)?;
        cluster.capacity.instances.get(arn)
    }

    /// How many gaps there are in what was read of an instance, its group and its cluster.
    fn gaps(&self, looked: &LookedInstance) -> usize {
        let cluster = looked.registered.as_ref();
        let cluster = cluster.and_then(|(name, _)| self.snapshot.clusters.get(name));
        self.snapshot.gaps.len()
            + self.group.gaps.len()
            + cluster.map_or(0, |it| it.capacity.gaps.len())
    }

    /// The container instance that a step names is the one that was seen, in the status that the step starts from.
    fn check_container(
        &self,
        step: &DrainStep,
        looked: &LookedInstance,
        status: ContainerInstanceStatus,
        found: &mut Findings<'_>,
    ) {
        let (cluster, arn) = match &step.action {
            DrainAction::Drain {
                cluster,
                container_instance,
                ..
            }
            | DrainAction::Activate {
                cluster,
                container_instance,
                ..
            }
            | DrainAction::StopTask {
                cluster,
                container_instance,
                ..
            } => (cluster, container_instance),
            DrainAction::RecordHeartbeat { .. } | DrainAction::CompleteLifecycleAction { .. } => {
                return;
            }
        };
        let seen = self.container(looked).filter(|it| {
            let is_registered = looked.registered.as_ref() == Some(&(cluster.clone(), arn.clone()));
            is_registered && it.arn == *arn && it.ec2_instance.as_ref() == Some(&looked.id)
        });
        match seen {
            None => {
                let detail = format!("`{arn}` of `{cluster}` is not `{}`", looked.id);
                found.add("precondition", detail);
            }
            Some(seen) if seen.status != status => {
                let detail = format!("`{}` was seen as {:?}", looked.id, seen.status);
                found.add("precondition", detail);
            }
            Some(_) => {}
        }
    }

    /// A drain of what leaves needs a certain cause that is not over and due, a deadline that has not passed, and no neighbour who does it.
    fn check_drain(&self, step: &DrainStep, looked: &LookedInstance, found: &mut Findings<'_>) {
        let evidence = Evidence::of(self, looked);
        let id = &looked.id;
        match &step.reason {
            DrainStepReason::Leaving { why, .. } => {
                let kind = why.kind();
                self.check_left_to_others(looked, kind, found);
                if !kind.is_certain() || !evidence.may_be(kind) {
                    let detail = format!("nothing shows that `{id}` leaves: {}", kind.as_str());
                    found.add("evidence", detail);
                }
                if !kind.is_certain() && !self.allows(kind) {
                    let detail = format!("no tag asks for a drain: {}", kind.as_str());
                    found.add("switched_off", detail);
                }
            }
            DrainStepReason::Selective { .. }
            | DrainStepReason::CauseGone { .. }
            | DrainStepReason::LastMoment { .. }
            | DrainStepReason::TasksLeft { .. }
            | DrainStepReason::Drained { .. }
            | DrainStepReason::DeadlineReached { .. }
            | DrainStepReason::NothingToWaitFor { .. } => {
                let reason = step.reason.as_str();
                found.add("evidence", format!("`{reason}` is no reason for a drain"));
            }
        }
        let mut certain = evidence.certain().peekable();
        if certain.peek().is_some() && certain.all(|it| it.is_over_for_drains(self.now)) {
            let detail = format!("`{id}` went before {}", self.now);
            found.add("within_deadline", detail);
        }
        if evidence.is_ghost {
            found.add("within_deadline", format!("EC2 says that `{id}` is gone"));
        }
        self.check_neighbours(looked, &evidence, found);
    }

    fn check_neighbours(
        &self,
        looked: &LookedInstance,
        evidence: &Evidence,
        found: &mut Findings<'_>,
    ) {
        let is_connected = self.container(looked).is_some_and(|it| it.agent_connected);
        let is_theirs = |kind: CauseKind| match kind {
            CauseKind::SpotInterruption => {
                self.group.managed_draining || (self.policy.agent_drains && is_connected)
            }
            CauseKind::Terminating => self.group.managed_draining,
            CauseKind::CapacityReservationInterruption
            | CauseKind::Stopping
            | CauseKind::Maintenance
            | CauseKind::Rebalance
            | CauseKind::AgentLost => false,
        };
        let is_young = |at: Timestamp| {
            self.now.duration_since(at).as_millis() < i128::from(NEIGHBOUR_SECS) * 1_000
        };
        let mut all = evidence.certain().peekable();
        if all.peek().is_some() && all.all(|it| is_theirs(it.kind) && is_young(it.at)) {
            let detail = format!("`{}` is drained by ECS or its agent", looked.id);
            found.add("good_neighbour", detail);
        }
    }

    /// Whether a tag lets an instance be drained that only may leave.
    const fn allows(&self, kind: CauseKind) -> bool {
        match kind {
            CauseKind::Rebalance => self.policy.drain_on_rebalance,
            CauseKind::AgentLost => self.policy.drain_on_lost_agent,
            CauseKind::SpotInterruption
            | CauseKind::CapacityReservationInterruption
            | CauseKind::Terminating
            | CauseKind::Stopping
            | CauseKind::Maintenance => true,
        }
    }
}
