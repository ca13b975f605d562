//! Laws of lifecycle actions: whose hook it is, how long an instance is kept waiting, and when it may go.

use jiff::Timestamp;
use model::capacity::ContainerInstanceStatus;
use model::drain::{CauseKind, DrainKey, LookedInstance};
use model::{ClusterName, ContainerInstanceArn, LifecycleHookName, Seconds};

use super::evidence::Evidence;
use super::{Findings, Ground};

/// How long an instance that has not been registered yet is waited for, in seconds.
const NOT_REGISTERED_SECS: i64 = 300;

impl Ground<'_> {
    /// The hook is Ballast's, the group has it, and the instance waits in it.
    pub(super) fn check_hook(
        &self,
        looked: &LookedInstance,
        hook: &LifecycleHookName,
        found: &mut Findings<'_>,
    ) {
        let is_of_group = match &self.group.key {
            DrainKey::Group { .. } => true,
            DrainKey::Cluster { .. } | DrainKey::Instance { .. } => false,
        };
        let is_known = self.group.hooks_read && self.group.hooks.contains_key(hook);
        if !is_of_group || !is_known || *hook != self.policy.lifecycle_hook {
            let detail = format!("`{hook}` of `{}` is not Ballast's", self.group.key);
            found.add("only_own_hook", detail);
        }
        let waits = looked.member.as_ref().is_some_and(|it| it.waits_in_hook);
        if !waits {
            found.add("precondition", format!("`{}` waits in no hook", looked.id));
        }
    }

    /// The earliest and the latest moment until which an instance may be kept waiting. A warning of EC2's comes first.
    pub(super) fn wait_ends(&self, looked: &LookedInstance) -> Option<(Timestamp, Timestamp)> {
        let hook = self.group.hooks.get(&self.policy.lifecycle_hook)?;
        let longest = self.policy.departure_timeout.0.min(hook.global_timeout.0);
        let (earliest, latest) = self.began(looked);
        Some((
            Seconds(longest).after(earliest),
            Seconds(longest).after(latest),
        ))
    }

    pub(super) fn check_heartbeat(&self, looked: &LookedInstance, found: &mut Findings<'_>) {
        let Some((_, latest)) = self.wait_ends(looked) else {
            return;
        };
        if latest < self.now {
            let detail = format!("`{}` was to wait until {latest}", looked.id);
            found.add("within_deadline", detail);
        }
        let evidence = Evidence::of(self, looked);
        // What EC2 was to take before the group began to terminate it, it did not take.
        let (_, began) = self.began(looked);
        let is_open = |it: Option<Timestamp>| it.is_none_or(|it| began < it);
        let mut warnings = evidence
            .certain()
            .filter(|it| is_warning(it.kind) && is_open(it.deadline))
            .peekable();
        if warnings.peek().is_some() && warnings.all(|it| it.is_late(self.now)) {
            let detail = format!("EC2 has taken `{}`", looked.id);
            found.add("within_deadline", detail);
        }
    }

    /// An instance goes when nothing that matters is on it, or when it has waited long enough.
    pub(super) fn check_continue(
        &self,
        looked: &LookedInstance,
        empty: Option<&(ClusterName, ContainerInstanceArn)>,
        found: &mut Findings<'_>,
    ) {
        if empty.is_some() && empty != looked.registered.as_ref() {
            let detail = format!("`{}` is registered elsewhere", looked.id);
            found.add("precondition", detail);
        }
        let detail = if let Some(registered) = empty {
            self.tasks_in_the_way(looked, registered)
        } else if self.waited_long_enough(looked) {
            None
        } else {
            self.still_comes(looked)
        };
        if let Some(detail) = detail {
            found.add("complete_before_continue", detail);
        }
    }

    /// Why it is not certain that only daemons' tasks are on an instance.
    fn tasks_in_the_way(
        &self,
        looked: &LookedInstance,
        (cluster, arn): &(ClusterName, ContainerInstanceArn),
    ) -> Option<String> {
        let id = &looked.id;
        let Some(container) = self.container(looked) else {
            return Some(format!("`{id}` was not read in `{cluster}`"));
        };
        let takes_none = match container.status {
            ContainerInstanceStatus::Draining | ContainerInstanceStatus::Inactive => true,
            ContainerInstanceStatus::Registering
            | ContainerInstanceStatus::Active
            | ContainerInstanceStatus::Deregistering
            | ContainerInstanceStatus::RegistrationFailed
            | ContainerInstanceStatus::Unknown => false,
        };
        if !takes_none {
            return Some(format!("`{id}` is {:?}", container.status));
        }
        let read = self.snapshot.clusters.get(cluster);
        if !read.is_some_and(|it| it.tasks_read.contains(arn)) {
            return Some(format!("the tasks on `{id}` were not read"));
        }
        let tasks = self.sources.tasks.get(&(cluster, arn));
        let left = tasks.map_or(0, |it| it.iter().filter(|it| !it.is_daemon).count());
        (left > 0).then(|| format!("{left} tasks are on `{id}`"))
    }

    /// Whether the longest wait is over, by any reading of when it began, or EC2 has taken the instance.
    fn waited_long_enough(&self, looked: &LookedInstance) -> bool {
        let by_hook = self
            .wait_ends(looked)
            .is_some_and(|(earliest, _)| earliest <= self.now);
        let evidence = Evidence::of(self, looked);
        let by_ec2 = evidence
            .certain()
            .any(|it| it.deadline.is_some_and(|it| it <= self.now));
        by_hook || by_ec2
    }

    /// Why tasks may still be on an instance, or still come, that is not seen registered.
    fn still_comes(&self, looked: &LookedInstance) -> Option<String> {
        let id = &looked.id;
        if looked.registered.is_none() && self.gaps(looked) > 0 {
            return Some(format!("`{id}` may be registered where nothing was read"));
        }
        if Evidence::of(self, looked).is_ghost {
            return None;
        }
        if let Some(container) = self.container(looked) {
            let is_gone = match container.status {
                ContainerInstanceStatus::Inactive
                | ContainerInstanceStatus::Deregistering
                | ContainerInstanceStatus::RegistrationFailed => true,
                ContainerInstanceStatus::Registering
                | ContainerInstanceStatus::Active
                | ContainerInstanceStatus::Draining
                | ContainerInstanceStatus::Unknown => false,
            };
            return (!is_gone).then(|| format!("`{id}` is {:?}", container.status));
        }
        if looked.registered.is_some() || self.gaps(looked) > 0 {
            return Some(format!("not everything about `{id}` was read"));
        }
        let departure = self.departure(id);
        let was_registered =
            departure.is_some_and(|it| it.draining_since.is_some() || it.own_drain.is_some());
        let is_ill = looked.member.as_ref().is_some_and(|it| !it.is_healthy);
        let (began, _) = self.began(looked);
        let waited = Seconds(NOT_REGISTERED_SECS).after(began) <= self.now;
        // What is registered nowhere may be registered in a cluster of which this look knows nothing.
        let is_proof = self.snapshot.is_full && self.group.is_proven_ours;
        let may_go = was_registered || (is_proof && (is_ill || waited));
        (!may_go).then(|| format!("`{id}` may still register"))
    }
}

const fn is_warning(kind: CauseKind) -> bool {
    match kind {
        CauseKind::SpotInterruption | CauseKind::CapacityReservationInterruption => true,
        CauseKind::Terminating
        | CauseKind::Stopping
        | CauseKind::Maintenance
        | CauseKind::Rebalance
        | CauseKind::AgentLost => false,
    }
}
