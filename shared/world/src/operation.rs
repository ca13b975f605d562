//! The operations that the world answers, and the rate bucket that each draws from.

/// An AWS service whose API the world speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Amazon ECS, JSON 1.1, input and output in camelCase.
    Ecs,
    /// Application Auto Scaling, JSON 1.1, input and output in PascalCase.
    ApplicationAutoScaling,
    /// EC2 Auto Scaling. Its wire is Query and XML; here input and output are JSON in PascalCase with the same names, lists as arrays.
    AutoScaling,
    /// CloudWatch, CBOR, JSON 1.0 and Query; here input and output are JSON in PascalCase with the same names.
    CloudWatch,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $api:ident, $category:ident;)+) => {
        /// An operation of the simulated API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name that AWS uses.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The service that it belongs to.
            #[must_use]
            pub const fn api(self) -> Api {
                match self {
                    $(Self::$name => Api::$api,)+
                }
            }

            /// The rate bucket that it draws from.
            #[must_use]
            pub const fn category(self) -> Category {
                match self {
                    $(Self::$name => Category::$category,)+
                }
            }
        }
    };
}

operations! {
    /// Makes a cluster.
    CreateCluster: Ecs, ClusterModify;
    /// Replaces a cluster's capacity providers and its default strategy.
    PutClusterCapacityProviders: Ecs, ClusterModify;
    /// Reads clusters.
    DescribeClusters: Ecs, ClusterRead;
    /// Lists clusters.
    ListClusters: Ecs, ClusterRead;
    /// Reads capacity providers.
    DescribeCapacityProviders: Ecs, CapacityProviderRead;
    /// Makes a capacity provider over an Auto Scaling group.
    CreateCapacityProvider: Ecs, CapacityProviderModify;
    /// Changes a capacity provider.
    UpdateCapacityProvider: Ecs, CapacityProviderModify;
    /// Deletes a capacity provider.
    DeleteCapacityProvider: Ecs, CapacityProviderModify;
    /// Lists container instances.
    ListContainerInstances: Ecs, ClusterResourceRead;
    /// Reads up to a hundred container instances.
    DescribeContainerInstances: Ecs, ClusterResourceRead;
    /// Sets up to ten container instances to DRAINING or ACTIVE.
    UpdateContainerInstancesState: Ecs, ClusterResourceModify;
    /// Takes a container instance out of its cluster.
    DeregisterContainerInstance: Ecs, ClusterResourceModify;
    /// Lists attributes of container instances.
    ListAttributes: Ecs, ClusterResourceRead;
    /// Sets attributes of container instances.
    PutAttributes: Ecs, ClusterResourceModify;
    /// Makes tasks that belong to no service.
    RunTask: Ecs, ClusterResourceModify;
    /// Protects tasks from scale-in, or ends that.
    UpdateTaskProtection: Ecs, TaskProtection;
    /// Reads which tasks are protected.
    GetTaskProtection: Ecs, TaskProtection;
    /// Registers the next revision of a task definition.
    RegisterTaskDefinition: Ecs, TaskDefinitionModify;
    /// Reads a task definition.
    DescribeTaskDefinition: Ecs, TaskDefinitionRead;
    /// Makes a service.
    CreateService: Ecs, ServiceModify;
    /// Changes a service.
    UpdateService: Ecs, ServiceModify;
    /// Deletes a service.
    DeleteService: Ecs, ServiceModify;
    /// Lists the services of a cluster.
    ListServices: Ecs, ServiceRead;
    /// Reads up to ten services.
    DescribeServices: Ecs, ServiceRead;
    /// Lists tasks.
    ListTasks: Ecs, ClusterResourceRead;
    /// Reads up to a hundred tasks.
    DescribeTasks: Ecs, ClusterResourceRead;
    /// Stops a task.
    StopTask: Ecs, ClusterResourceModify;
    /// Sets tags.
    TagResource: Ecs, TagModify;
    /// Removes tags.
    UntagResource: Ecs, TagModify;
    /// Reads tags.
    ListTagsForResource: Ecs, TagRead;
    /// Registers a scalable target.
    RegisterScalableTarget: ApplicationAutoScaling, ApplicationAutoScaling;
    /// Reads scalable targets.
    DescribeScalableTargets: ApplicationAutoScaling, ApplicationAutoScaling;
    /// Reads Auto Scaling groups.
    DescribeAutoScalingGroups: AutoScaling, AutoScaling;
    /// Makes an Auto Scaling group.
    CreateAutoScalingGroup: AutoScaling, AutoScaling;
    /// Changes an Auto Scaling group.
    UpdateAutoScalingGroup: AutoScaling, AutoScaling;
    /// Deletes an Auto Scaling group.
    DeleteAutoScalingGroup: AutoScaling, AutoScaling;
    /// Sets a group's desired capacity.
    SetDesiredCapacity: AutoScaling, AutoScaling;
    /// Terminates an instance of a group.
    TerminateInstanceInAutoScalingGroup: AutoScaling, AutoScaling;
    /// Reads the instances of all groups.
    DescribeAutoScalingInstances: AutoScaling, AutoScaling;
    /// Protects instances from scale-in, or no longer.
    SetInstanceProtection: AutoScaling, AutoScaling;
    /// Reads what groups did.
    DescribeScalingActivities: AutoScaling, AutoScaling;
    /// Suspends processes of a group.
    SuspendProcesses: AutoScaling, AutoScaling;
    /// Resumes processes of a group.
    ResumeProcesses: AutoScaling, AutoScaling;
    /// Reads scaling policies.
    DescribePolicies: AutoScaling, AutoScaling;
    /// Makes or changes a scaling policy.
    PutScalingPolicy: AutoScaling, AutoScaling;
    /// Reads scheduled actions.
    DescribeScheduledActions: AutoScaling, AutoScaling;
    /// Makes or changes a scheduled action.
    PutScheduledUpdateGroupAction: AutoScaling, AutoScaling;
    /// Reads the lifecycle hooks of a group.
    DescribeLifecycleHooks: AutoScaling, AutoScaling;
    /// Reads the warm pool of a group, with its instances.
    DescribeWarmPool: AutoScaling, AutoScaling;
    /// Makes or changes a lifecycle hook.
    PutLifecycleHook: AutoScaling, AutoScaling;
    /// Ends an instance's wait for a hook.
    CompleteLifecycleAction: AutoScaling, AutoScaling;
    /// Lengthens an instance's wait for a hook.
    RecordLifecycleActionHeartbeat: AutoScaling, AutoScaling;
    /// Sets tags of groups.
    CreateOrUpdateTags: AutoScaling, AutoScaling;
    /// Removes tags of groups.
    DeleteTags: AutoScaling, AutoScaling;
    /// Reads tags of groups.
    DescribeTags: AutoScaling, AutoScaling;
    /// Puts datapoints into metrics.
    PutMetricData: CloudWatch, MetricPut;
    /// Reads datapoints of metrics.
    GetMetricData: CloudWatch, MetricRead;
    /// Reads alarms.
    DescribeAlarms: CloudWatch, AlarmRead;
    /// Makes or changes an alarm.
    PutMetricAlarm: CloudWatch, AlarmModify;
    /// Makes or changes a composite alarm.
    PutCompositeAlarm: CloudWatch, AlarmModify;
    /// Deletes alarms.
    DeleteAlarms: CloudWatch, AlarmModify;
    /// Sets an alarm's state until it looks next.
    SetAlarmState: CloudWatch, AlarmModify;
}

impl Operation {
    /// The operation of that name, of that service.
    #[must_use]
    pub fn find(api: Api, name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|it| it.api() == api && it.name() == name)
    }

    /// The operation that an `X-Amz-Target` header names, such as `AmazonEC2ContainerServiceV20141113.ListTasks`.
    #[must_use]
    pub fn from_target(target: &str) -> Option<Self> {
        let (prefix, name) = target.split_once('.')?;
        match prefix {
            "AmazonEC2ContainerServiceV20141113" => Self::find(Api::Ecs, name),
            "AnyScaleFrontendService" => Self::find(Api::ApplicationAutoScaling, name),
            "GraniteServiceVersion20100801" => Self::find(Api::CloudWatch, name),
            _ => None,
        }
    }

    /// The IAM action, such as `ecs:ListTasks`.
    #[must_use]
    pub fn action(self) -> String {
        let prefix = match self.api() {
            Api::Ecs => "ecs",
            Api::ApplicationAutoScaling => "application-autoscaling",
            Api::AutoScaling => "autoscaling",
            Api::CloudWatch => "cloudwatch",
        };
        format!("{prefix}:{}", self.name())
    }

    /// Whether it only reads. Only reads can be stale.
    #[must_use]
    pub fn is_read(self) -> bool {
        match self.category() {
            Category::ClusterRead
            | Category::CapacityProviderRead
            | Category::ServiceRead
            | Category::ClusterResourceRead
            | Category::TagRead
            | Category::TaskDefinitionRead
            | Category::MetricRead
            | Category::AlarmRead => true,
            // One bucket is for reads and writes.
            Category::AutoScaling => self.name().as_bytes().starts_with(b"Describe"),
            Category::ApplicationAutoScaling => matches!(self, Self::DescribeScalableTargets),
            Category::TaskProtection => matches!(self, Self::GetTaskProtection),
            Category::ClusterModify
            | Category::CapacityProviderModify
            | Category::ServiceModify
            | Category::ClusterResourceModify
            | Category::TaskDefinitionModify
            | Category::TagModify
            | Category::MetricPut
            | Category::AlarmModify => false,
        }
    }
}

/// A rate bucket, shared by the operations of a category in one account and Region.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Changes of clusters.
    ClusterModify,
    /// Reads of clusters.
    ClusterRead,
    /// Reads of capacity providers.
    CapacityProviderRead,
    /// Changes of capacity providers.
    CapacityProviderModify,
    /// Changes of task definitions.
    TaskDefinitionModify,
    /// Reads of task definitions.
    TaskDefinitionRead,
    /// Changes of services.
    ServiceModify,
    /// Reads of services.
    ServiceRead,
    /// Changes of tasks and container instances.
    ClusterResourceModify,
    /// Reads of tasks and container instances.
    ClusterResourceRead,
    /// Changes and reads of task protection.
    TaskProtection,
    /// Changes of tags.
    TagModify,
    /// Reads of tags.
    TagRead,
    /// Application Auto Scaling publishes no numbers; 50 and 10 are assumed.
    ApplicationAutoScaling,
    /// EC2 Auto Scaling publishes no numbers; 50 and 10 are assumed.
    AutoScaling,
    /// Puts of metric data.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
    MetricPut,
    /// Reads of metric data.
    MetricRead,
    /// Reads of alarms.
    AlarmRead,
    /// Changes of alarms.
    AlarmModify,
}

impl Category {
    /// How many calls may be made at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        match self {
            Self::CapacityProviderModify => 10,
            Self::TaskProtection => 200,
            Self::ClusterModify | Self::TagModify | Self::TaskDefinitionModify => 20,
            Self::ClusterRead
            | Self::CapacityProviderRead
            | Self::ServiceModify
            | Self::TagRead
            | Self::TaskDefinitionRead
            | Self::ApplicationAutoScaling
            | Self::AutoScaling
            | Self::MetricRead => 50,
            Self::MetricPut => 500,
            Self::AlarmRead => 9,
            Self::AlarmModify => 3,
            Self::ServiceRead | Self::ClusterResourceModify | Self::ClusterResourceRead => 100,
        }
    }

    /// How many calls come back in each second.
    #[must_use]
    pub const fn refill_per_sec(self) -> u32 {
        match self {
            Self::ClusterModify | Self::TaskDefinitionModify | Self::CapacityProviderModify => 1,
            Self::TaskProtection => 80,
            Self::AlarmModify => 3,
            Self::AlarmRead => 9,
            Self::MetricRead => 50,
            Self::MetricPut => 500,
            Self::ServiceModify => 5,
            Self::TagModify | Self::ApplicationAutoScaling | Self::AutoScaling => 10,
            Self::ClusterRead
            | Self::CapacityProviderRead
            | Self::ServiceRead
            | Self::ClusterResourceRead
            | Self::TaskDefinitionRead
            | Self::TagRead => 20,
            Self::ClusterResourceModify => 40,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_reads_exactly_when_its_name_says_so() {
        for operation in Operation::ALL {
            let name = operation.name();
            let reads = ["Describe", "List", "Get"]
                .iter()
                .any(|it| name.starts_with(it));
            assert_eq!(operation.is_read(), reads, "{name}");
            assert_eq!(Operation::find(operation.api(), name), Some(*operation));
        }
    }
}
