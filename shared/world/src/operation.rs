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
        };
        format!("{prefix}:{}", self.name())
    }

    /// Whether it only reads. Only reads can be stale.
    #[must_use]
    pub const fn is_read(self) -> bool {
        match self.category() {
            Category::ClusterRead
            | Category::CapacityProviderRead
            | Category::ServiceRead
            | Category::ClusterResourceRead
            | Category::TagRead
            | Category::TaskDefinitionRead
            | Category::AutoScaling => true,
            Category::ApplicationAutoScaling => matches!(self, Self::DescribeScalableTargets),
            Category::ClusterModify
            | Category::ServiceModify
            | Category::ClusterResourceModify
            | Category::TaskDefinitionModify
            | Category::TagModify => false,
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
    /// Changes of tags.
    TagModify,
    /// Reads of tags.
    TagRead,
    /// Application Auto Scaling publishes no numbers; 50 and 10 are assumed.
    ApplicationAutoScaling,
    /// EC2 Auto Scaling publishes no numbers; 50 and 10 are assumed.
    AutoScaling,
}

impl Category {
    /// How many calls may be made at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        match self {
            Self::ClusterModify | Self::TagModify | Self::TaskDefinitionModify => 20,
            Self::ClusterRead
            | Self::CapacityProviderRead
            | Self::ServiceModify
            | Self::TagRead
            | Self::TaskDefinitionRead
            | Self::ApplicationAutoScaling
            | Self::AutoScaling => 50,
            Self::ServiceRead | Self::ClusterResourceModify | Self::ClusterResourceRead => 100,
        }
    }

    /// How many calls come back in each second.
    #[must_use]
    pub const fn refill_per_sec(self) -> u32 {
        match self {
            Self::ClusterModify | Self::TaskDefinitionModify => 1,
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
