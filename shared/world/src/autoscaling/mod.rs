//! EC2 Auto Scaling groups: how they launch, keep, replace and terminate instances.
//!
//! # Modelled
//! - A group looks at itself [a moment](crate::Ec2Times::reaction_ms) after each change. It replaces what is unhealthy, launches what it
//!   lacks, terminates what it has too much of, and balances its zones.
//!   <https://docs.aws.amazon.com/autoscaling/ec2/userguide/what-is-amazon-ec2-auto-scaling.html>
//! - On-demand first: the base, then the percentage above it, rounded up; all else is Spot. Neither takes the place of the other.
//!   <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-mixed-instances-groups.html>
//! - Each launch goes to the zone that has the least of the group, and within it to the pool that the allocation strategy names.
//!   Where a zone has no room, the next one is tried, and an activity tells of the failure once for each look.
//! - A group that lacks capacity after a look waits before it tries again, and longer each time.
//! - Lifecycle hooks of launches and terminations, several at once, with heartbeat, global timeout, default result and events; where
//!   a hook has a notification target, messages too, the test notification first ([`crate::World::take_due_messages`]).
//!   <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html>
//! - No hook delays what EC2 takes back: the machine ends on time, and its wait goes on until it is completed or timed out.
//! - Capacity Rebalancing: a replacement for each instance that Spot recommends to replace, and then the old one's termination
//!   through its hooks; on a warning at once. What is protected from scale-in stays.
//!   <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-capacity-rebalancing.html>
//! - What is stopped is unhealthy and replaced, through its hooks. Detaching, from the inside only
//!   ([`crate::World::detach_instance`]).
//! - Warm pools of groups that buy on demand by a launch template: their instances wait, stopped or running, and leave through the group's hooks
//!   ([`crate::World::put_warm_pool`]). No list of groups shows them.
//!   <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html>
//! - Suspended processes, protection from scale-in, weights, minimum and maximum, scaling policies, scheduled actions.
//! - The default termination policy: the zone with the most instances of which one is not protected, the market that has more than
//!   its share, and then the oldest instance.
//!   <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html>
//!
//! # Assumed
//! AWS does not publish how it ranks Spot pools. Here `capacity-optimized` takes the pool with the most free capacity;
//! `capacity-optimized-prioritized` the first type, and `price-capacity-optimized` the cheapest, whose pool has at least half of that; `lowest-price` the
//! cheapest and `prioritized` the first type with any room. Pools of an unknown price are dearer than all others; ties go to the
//! order of the types. How a percentage is rounded, the waits after failures, the time until a group notices that an instance is
//! gone, that an instance that is gone already passes no hooks, that the event of a hook is sent whether or not it has a target, and
//! that a group exceeds its maximum by at most a tenth of its desired capacity, or one, to rebalance, are assumptions as well. A
//! termination that waits is `MidLifecycleAction`, the only such code that the API Reference has; users also quote
//! `MidTerminatingLifecycleAction`. An instance of unknown template age is never older than another: the world has one version of
//! each template.
//!
//! # Absent
//! Termination policies other than the default one, instance maintenance policies and refreshes, standby, attaching and
//! detaching through the API, load balancers, predictive scaling, recurring schedules, launch configurations, attribute-based
//! type selection, administrative suspension, of warm pools that a group takes instances out of them or gives some back, the hooks of
//! their launches, hibernation, and that they replace what is gone, notifications other than those of hooks, and the check that a hook's role may send its own.

mod activity;
mod declare;
mod desired;
mod detach;
mod hooks;
mod launch;
mod look;
mod notifications;
mod policies;
mod pools;
mod rebalance;
mod schedule;
mod terminate;
mod texts;
mod warm_pool;

pub use declare::GroupSpec;
pub(crate) use desired::{group_not_found, validation};
pub(crate) use policies::PolicyTrigger;
pub(crate) use terminate::in_progress;

/// Something of a group that will happen at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupDue {
    /// A group looks at itself.
    Look { group: String },
    /// A scheduled action happens.
    Scheduled { group: String, action: String },
    /// A hook's time may be over.
    HookTimeout { instance: String, token: String },
    /// A group notices that an instance is gone.
    NoticeGone { instance: String },
}

impl crate::world::World {
    pub(crate) fn group_happens(&mut self, due: GroupDue) {
        match due {
            GroupDue::Look { group } => self.group_look(&group),
            GroupDue::Scheduled { group, action } => self.scheduled_action(&group, &action),
            GroupDue::HookTimeout { instance, token } => self.hook_timeout(&instance, &token),
            GroupDue::NoticeGone { instance } => self.notice_gone(&instance),
        }
    }
}
