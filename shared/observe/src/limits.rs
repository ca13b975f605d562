//! The bounds of what one call may ask for, each with its source, and our own bounds.

use model::Seconds;

/// The most services of one DescribeServices.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>
pub(crate) const DESCRIBE_SERVICES_MAX: usize = 10;
/// The most tasks of one DescribeTasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
pub(crate) const DESCRIBE_TASKS_MAX: usize = 100;
/// The most clusters of one DescribeClusters.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html>
pub(crate) const DESCRIBE_CLUSTERS_MAX: usize = 100;
/// The most container instances of one DescribeContainerInstances.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html>
pub(crate) const DESCRIBE_CONTAINER_INSTANCES_MAX: usize = 100;
/// The largest page of ListContainerInstances.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListContainerInstances.html>
pub(crate) const LIST_CONTAINER_INSTANCES_PAGE: i32 = 100;
/// The most tasks of one GetTaskProtection.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html>
pub(crate) const GET_TASK_PROTECTION_MAX: usize = 100;
/// The largest page of ListTasks. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
pub(crate) const LIST_TASKS_PAGE: i32 = 100;
/// [`LIST_TASKS_PAGE`], to count with.
pub(crate) const TASKS_PER_PAGE: usize = 100;
/// The largest page of ListServices; without it a page has 10.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>
pub(crate) const LIST_SERVICES_PAGE: i32 = 100;
/// The largest page of ListClusters. <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html>
pub(crate) const LIST_CLUSTERS_PAGE: i32 = 100;
/// The most names of one DescribeCapacityProviders; its answer comes in pages of at most 10.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html>
pub(crate) const DESCRIBE_CAPACITY_PROVIDERS_MAX: usize = 100;
/// The most group names of one DescribeAutoScalingGroups.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
pub(crate) const DESCRIBE_AUTO_SCALING_GROUPS_MAX: usize = 50;
/// The largest page of EC2 Auto Scaling's lists of groups, activities, policies, scheduled actions and launch configurations; without
/// it a page has 50, of activities 100.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribePolicies.html>
pub(crate) const AUTO_SCALING_PAGE: i32 = 100;
/// The most instances of one DescribeAutoScalingInstances, and its largest page.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html>
pub(crate) const DESCRIBE_AUTO_SCALING_INSTANCES_MAX: usize = 50;
/// [`DESCRIBE_AUTO_SCALING_INSTANCES_MAX`], as the size of a page.
pub(crate) const AUTO_SCALING_INSTANCES_PAGE: i32 = 50;
/// The largest page of DescribeWarmPool.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeWarmPool.html>
pub(crate) const WARM_POOL_PAGE: i32 = 50;
/// [`WARM_POOL_PAGE`], to count with.
pub(crate) const WARM_POOL_INSTANCES_PER_PAGE: usize = 50;
/// The longest instance id that Auto Scaling takes: a longer one fails the whole call.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html>
pub(crate) const INSTANCE_ID_CHARACTERS_MAX: usize = 19;
/// How long a lifecycle action waits where its hook does not say.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html>
pub(crate) const HEARTBEAT_TIMEOUT_DEFAULT: Seconds = Seconds(3_600);
/// How long a lifecycle action waits at most, whatever its heartbeats.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
pub(crate) const GLOBAL_TIMEOUT_MAX: Seconds = Seconds(172_800);
/// How many heartbeat timeouts a lifecycle action waits at most.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
pub(crate) const GLOBAL_TIMEOUT_HEARTBEATS_MAX: i64 = 100;
/// The most names of one DescribeLaunchConfigurations.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLaunchConfigurations.html>
pub(crate) const DESCRIBE_LAUNCH_CONFIGURATIONS_MAX: usize = 50;
/// The largest page of DescribeScalableTargets, and so the most resource ids that one call asks for.
/// <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html>
pub(crate) const DESCRIBE_SCALABLE_TARGETS_MAX: usize = 50;

/// The longest service name; a name has letters, digits, hyphens and underscores.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
pub(crate) const SERVICE_NAME_CHARACTERS_MAX: usize = 255;
/// What an Auto Scaling group's mixed-instances policy means by no percentage of on-demand instances.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstancesDistribution.html>
pub(crate) const ON_DEMAND_PERCENTAGE_DEFAULT: i32 = 100;

/// The most pages of one list. 100,000 tasks is more than any cluster runs; the invocation's time ends a look much earlier.
pub(crate) const PAGES_MAX: u32 = 1_000;
/// From so many services of a cluster on, its tasks are listed once instead of service by service: two lists instead of two for
/// each service.
pub(crate) const CLUSTER_LIST_SERVICES_MIN: usize = 20;
/// A cluster is listed as a whole only while it runs at most this many tasks for each service of interest, as far as its
/// services' counts are known: a page of ListTasks.
pub(crate) const CLUSTER_LIST_TASKS_PER_SERVICE_MAX: usize = 100;
/// How many pages a list of the whole cluster may have beyond what its services' own tasks fill. With more, tasks of no service, such
/// as finished batch jobs, make up most of it: each page of them costs a ListTasks and a DescribeTasks. Twenty pages are four seconds
/// at half of the rate of 20 calls a second, of the twenty seconds that a look has.
pub(crate) const CLUSTER_LIST_SPARE_PAGES: u32 = 20;
/// How many task definitions are kept between looks.
pub(crate) const TASK_DEFINITIONS_KEPT_MAX: usize = 1_000;
/// How old a group's activity may be to be of interest. A pool is left out for at most half an hour, and an instance registers within at
/// most an hour.
pub(crate) const ACTIVITY_AGE_MAX: Seconds = Seconds(3_600);
/// How many pages of a group's activities are read, newest first. A failing launch is tried again every few minutes, so that one page
/// holds all but a mass launch; the newest tell what holds now.
pub(crate) const ACTIVITY_PAGES_MAX: u32 = 2;
/// On how many instances tasks that are told to stop are looked for one by one. With more, the tasks that are to run cannot explain what
/// ECS says is taken for some reason of another kind.
pub(crate) const STOPPING_INSTANCES_MAX: usize = 50;
/// For how many tasks of a cluster the protection is asked, beginning with the least used instances: two calls.
pub(crate) const PROTECTION_TASKS_MAX: usize = 200;
/// Of how many instances that events named, and of how many of a cluster, a look for departures asks the groups by their ids: at 50 in a call
/// 20 calls. Of more that events named all groups are listed, 100 in a call: AWS lets an account have 500 in a Region unless it asks for more.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html>
pub(crate) const INSTANCES_ASKED_MAX: usize = 1_000;
/// How many pages of warm pools a look at everything reads, 50 instances each: of more pools one part after the other. At the template's rate 20 calls
/// take 4 s of the 20 s that a look has.
pub(crate) const WARM_POOL_PAGES_MAX: usize = 20;
/// Of how many container instances that drain, and are in nothing that is opted in, a look at everything asks the groups: four calls.
pub(crate) const OUTSIDE_MAX: usize = 200;
/// How many instances one query of ListContainerInstances names: about 1,100 characters.
pub(crate) const INSTANCES_PER_QUERY: usize = 50;
/// With at most so many container instances a cluster is read as a whole when one of them is going away, so that what is free elsewhere
/// is known: four calls.
pub(crate) const EVERY_INSTANCE_MAX: u32 = 200;
/// [`LIST_CONTAINER_INSTANCES_PAGE`], to count with.
pub(crate) const INSTANCES_PER_PAGE: usize = 100;
/// With at most so many instances of interest the tasks on each of them are read. With more, draining comes first: tasks are read where
/// an instance waits for them, or drains already and they may be stopped.
pub(crate) const TASKS_OF_EACH_MAX: usize = 50;
/// In a look at everything the tasks of instances that might be drained by choice are read where a cluster has at most so many: twenty
/// calls.
pub(crate) const TASKS_BY_CHOICE_MAX: u32 = 1_000;
/// How long the lifecycle hooks of a group are taken for what they were when they were read. The number is ours.
pub(crate) const HOOKS_KEPT_FOR: Seconds = Seconds(300);
/// The hooks of how many groups are kept: twice as many as AWS lets an account have in a Region unless it asks for more.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html>
pub(crate) const HOOKS_KEPT_MAX: usize = 1_000;
/// How many pages of a group's activities are read for when its instances began to terminate: 1,000 of them.
pub(crate) const TERMINATION_PAGES_MAX: u32 = 10;
