//! Auto Scaling groups as they can be read.
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html>

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::hook::Hook;
use super::policy::{Policy, ScheduledAction};
use super::warm_pool::WarmPool;

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The least capacity, in instances or, with weights, in units of weight.
    pub min_size: u32,
    /// The most capacity.
    pub max_size: u32,
    /// The capacity that it is to have.
    pub desired_capacity: u32,
    /// The zones that its instances are balanced over, in order.
    pub zones: Vec<String>,
    /// What is launched, and how it is bought.
    pub launch: LaunchSpec,
    /// The wait after a simple scaling policy, in seconds.
    pub default_cooldown_secs: u32,
    /// The warm-up of instances where a policy names none, in seconds.
    pub default_instance_warmup_secs: Option<u32>,
    /// For how long after it is in service an instance's health is not looked at, in seconds. It is only shown.
    pub health_check_grace_period_secs: u32,
    /// Whether new instances are protected from scale-in.
    pub new_instances_protected_from_scale_in: bool,
    /// Whether Capacity Rebalancing is on: what Spot recommends to replace, or warns, is replaced.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-capacity-rebalancing.html>
    pub capacity_rebalance: bool,
    /// The names of its termination policies, in order. They are only shown, see [`crate::autoscaling`].
    pub termination_policies: Vec<String>,
    /// The processes that are suspended, each with the reason.
    pub suspended_processes: BTreeMap<Process, String>,
    /// The lifecycle hooks, by name.
    pub hooks: BTreeMap<String, Hook>,
    /// The scaling policies, by name.
    pub policies: BTreeMap<String, Policy>,
    /// The scheduled actions, by name.
    pub scheduled_actions: BTreeMap<String, ScheduledAction>,
    /// Its tags, by key.
    pub tags: BTreeMap<String, GroupTag>,
    /// The ids of its instances, until they are terminated. Those of the warm pool are not among them.
    pub instances: BTreeSet<String>,
    /// Its warm pool.
    pub warm_pool: Option<WarmPool>,
    /// What it did, newest first; at most [`ACTIVITIES_MAX`] and what goes on.
    pub activities: VecDeque<Activity>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// When a scaling policy last changed the desired capacity.
    pub scaled_at: Option<Timestamp>,
    /// How many activities it ever had.
    pub(crate) activities_made: u64,
    /// How many instances it ever had.
    pub(crate) instances_made: u64,
    /// Launches that failed in a row.
    pub(crate) launch_failures: u32,
    /// Before this time it launches nothing.
    pub(crate) launch_after: Option<Timestamp>,
    /// When it is looked at next, if that is planned.
    pub(crate) look_at: Option<Timestamp>,
    /// The instance that was launched last to balance the zones.
    pub(crate) rebalancing: Option<String>,
    /// The instances that were launched for Capacity Rebalancing, each with the one that it replaces.
    pub(crate) replacing: BTreeMap<String, String>,
    /// Why the desired capacity is what it is: the cause of the next activities.
    pub(crate) cause: String,
}

/// Activities of a group that can be read, besides those that go on. AWS keeps six weeks of them.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html>
pub const ACTIVITIES_MAX: usize = 500;

/// A tag of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupTag {
    /// Its value.
    pub value: String,
    /// Whether new instances get it.
    pub propagate_at_launch: bool,
}

/// What a group launches, and how it is bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchSpec {
    /// The launch template's name.
    pub template: String,
    /// The mixed instances policy; without it all instances are what the template says.
    pub mixed: Option<MixedInstances>,
}

/// A mixed instances policy.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_MixedInstancesPolicy.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MixedInstances {
    /// The instance types, in the order of their priority. None means the template's own.
    pub overrides: Vec<LaunchOverride>,
    /// How capacity is bought.
    pub distribution: Distribution,
}

/// One instance type of a mixed instances policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchOverride {
    /// Such as `m5.large`.
    pub instance_type: String,
    /// How much capacity one instance is; `None` is 1.
    pub weighted_capacity: Option<u32>,
}

/// How the capacity of a group is bought.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstancesDistribution.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The capacity that is on-demand before any Spot capacity.
    pub on_demand_base_capacity: u32,
    /// How much of what is above the base is on-demand, in percent.
    pub on_demand_percentage_above_base_capacity: u32,
    /// Which on-demand pool is taken.
    pub on_demand_allocation: Allocation,
    /// Which Spot pool is taken.
    pub spot_allocation: Allocation,
}

impl Default for Distribution {
    /// AWS's defaults.
    fn default() -> Self {
        Self {
            on_demand_base_capacity: 0,
            on_demand_percentage_above_base_capacity: 100,
            on_demand_allocation: Allocation::Prioritized,
            spot_allocation: Allocation::LowestPrice,
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$item])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// AWS's word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The value that AWS's word means.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.as_str() == word)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How the pool of a launch is chosen; see [`crate::autoscaling`] for what each means here.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/allocation-strategies.html>
    Allocation {
        /// The pool with the most free capacity.
        CapacityOptimized = "capacity-optimized",
        /// The same, with the order of the types before small differences.
        CapacityOptimizedPrioritized = "capacity-optimized-prioritized",
        /// The pool with the most free capacity among the cheap ones.
        PriceCapacityOptimized = "price-capacity-optimized",
        /// The cheapest pool.
        LowestPrice = "lowest-price",
        /// The first type that has room.
        Prioritized = "prioritized",
    }
}

words! {
    /// A process of a group that can be suspended.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html>
    Process {
        /// Adding instances to load balancers; the world has none.
        AddToLoadBalancer = "AddToLoadBalancer",
        /// Acting on alarms of scaling policies.
        AlarmNotification = "AlarmNotification",
        /// Balancing instances between zones.
        AzRebalance = "AZRebalance",
        /// Marking instances as unhealthy.
        HealthCheck = "HealthCheck",
        /// Instance refreshes; the world has none.
        InstanceRefresh = "InstanceRefresh",
        /// Adding instances.
        Launch = "Launch",
        /// Terminating and replacing unhealthy instances.
        ReplaceUnhealthy = "ReplaceUnhealthy",
        /// Scheduled scaling.
        ScheduledActions = "ScheduledActions",
        /// Removing instances.
        Terminate = "Terminate",
    }
}

words! {
    /// Where a scaling activity is.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Activity.html>
    ActivityStatus {
        /// Before the instance is in service or gone.
        InProgress = "InProgress",
        /// A launch that waits for a lifecycle action.
        MidLifecycleAction = "MidLifecycleAction",
        /// Done.
        Successful = "Successful",
        /// Not done.
        Failed = "Failed",
        /// Given up, because the hook's result was ABANDON.
        Cancelled = "Cancelled",
    }
}

/// One thing that a group did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// A UUID.
    pub id: String,
    /// Such as `Launching a new EC2 instance: i-0123456789abcdef0`.
    pub description: String,
    /// Why it was done.
    pub cause: String,
    /// The zone, where it is known.
    pub zone: Option<String>,
    /// The instance that it is about, if it came to one.
    pub instance: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where it is.
    pub status: ActivityStatus,
    /// What went wrong, in AWS's words.
    pub status_message: Option<String>,
    /// 0 to 100.
    pub progress: u32,
    /// The number among all activities that its group ever had.
    pub(crate) number: u64,
}

impl Group {
    /// Whether a process is suspended.
    #[must_use]
    pub fn is_suspended(&self, process: Process) -> bool {
        self.suspended_processes.contains_key(&process)
    }
}

impl LaunchSpec {
    /// All instances are what a launch template says.
    #[must_use]
    pub fn template(name: &str) -> Self {
        Self {
            template: name.to_owned(),
            mixed: None,
        }
    }

    /// Several types, all of them Spot, from the pool with the most free capacity.
    #[must_use]
    pub fn spot(template: &str, types: &[&str]) -> Self {
        Self::of(template, types, 0, Allocation::CapacityOptimized)
    }

    /// Several types, all of them on-demand, the first one that has room.
    #[must_use]
    pub fn on_demand(template: &str, types: &[&str]) -> Self {
        Self::of(template, types, 100, Allocation::LowestPrice)
    }

    fn of(template: &str, types: &[&str], on_demand_percent: u32, spot: Allocation) -> Self {
        Self {
            template: template.to_owned(),
            mixed: Some(MixedInstances {
                overrides: types
                    .iter()
                    .map(|it| LaunchOverride {
                        instance_type: (*it).to_owned(),
                        weighted_capacity: None,
                    })
                    .collect(),
                distribution: Distribution {
                    on_demand_percentage_above_base_capacity: on_demand_percent,
                    spot_allocation: spot,
                    ..Distribution::default()
                },
            }),
        }
    }
}
