//! A group of instances with tasks on them, that answers to the steps of a plan as AWS would.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    CapacityService, CapacitySnapshot, ClusterCapacity, Consent, ContainerInstance,
    ContainerInstanceStatus, DeploymentTarget, DesiredCapacityType, Drain, DrainReason, Group,
    GroupInstance, GroupPolicy, GroupTypes, InstanceTask, Lifecycle, Provider, ProviderKey,
    ProviderMemory, Resources, TaskShape, TypeChoice,
};
use model::ids::{
    ContainerInstanceArn, DeploymentId, InstanceId, InstanceType, ServiceName, TaskArn,
    TaskDefinitionArn,
};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::{Scheduling, ServiceStatus, TaskStatus};
use model::strategy::{Market, StrategyItem};
use model::trigger::Hints;
use model::{Seconds, Timestamp};
use placement::capacity::{self, CapacityDecision};

/// What a `t3.small` registers: three of the tasks below fit by memory.
pub(crate) const T3_SMALL: Resources = Resources {
    cpu_units: 2_048,
    memory_mib: 1_900,
    gpus: 0,
    network_interfaces: 2,
};

/// What a task takes.
pub(crate) const TASK: Resources = Resources {
    cpu_units: 256,
    memory_mib: 512,
    gpus: 0,
    network_interfaces: 0,
};

/// Where ECS puts a task, of several instances with room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ecs {
    /// On the one with the least memory left.
    Binpack,
    /// On the one with the most memory left.
    Spread,
}

/// One provider `demo/ec2` over the group `ec2`, in three zones.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    pub(crate) snapshot: CapacitySnapshot,
    pub(crate) recall: Recall<ProviderMemory>,
    pub(crate) now: Timestamp,
    pub(crate) ecs: Ecs,
    next: u32,
}

pub(crate) fn key() -> ProviderKey {
    "demo/ec2".parse().unwrap()
}

/// The instance of a number; numbers count from 1 in the order in which instances were made.
pub(crate) fn id(number: u32) -> InstanceId {
    format!("i-{number:017x}").parse().unwrap()
}

fn arn(number: u32) -> ContainerInstanceArn {
    format!("arn:aws:ecs:us-east-1:123456789012:container-instance/demo/{number:032x}")
        .parse()
        .unwrap()
}

fn definition(family: &str) -> TaskDefinitionArn {
    format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:1")
        .parse()
        .unwrap()
}

fn strategy() -> Vec<StrategyItem> {
    vec![StrategyItem {
        provider: "ec2".parse().unwrap(),
        base: 0,
        weight: 1,
    }]
}

impl Fleet {
    /// An empty group that is opted in, with every default but a target of 100 % and no delays.
    pub(crate) fn new() -> Self {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let types = GroupTypes::Listed {
            choices: vec![TypeChoice {
                instance_type: "t3.small".parse().unwrap(),
                weighted_capacity: None,
            }],
        };
        let group = Group {
            name: "ec2".parse().unwrap(),
            min_size: 0,
            max_size: 100,
            desired_capacity: 0,
            desired_capacity_type: DesiredCapacityType::Units,
            zones: ["a", "b", "c"].map(zone).into(),
            types,
            market: Market::OnDemand,
            instances: BTreeMap::new(),
            suspended_processes: BTreeSet::new(),
            new_instances_protected: false,
            scaling_policies: BTreeSet::new(),
            scheduled_actions: BTreeSet::new(),
            has_warm_pool: false,
            is_deleting: false,
            activities: Vec::new(),
            tags: [("ballast:cluster-scaler".to_owned(), "act".to_owned())].into(),
        };
        let policy = GroupPolicy {
            target_capacity_percent: Some(100),
            scale_in_delay: Seconds::ZERO,
            minimum_age: Seconds::ZERO,
            ..GroupPolicy::with_defaults(Consent::Act)
        };
        let provider = Provider {
            key: key(),
            managed_scaling: None,
            managed_termination_protection: false,
            managed_draining: false,
            other_clusters: BTreeSet::new(),
            group,
            policy: Ok(policy),
            gaps: Vec::new(),
        };
        let cluster = ClusterCapacity {
            cluster: "demo".parse().unwrap(),
            default_strategy: Vec::new(),
            providers: [("ec2".parse().unwrap(), provider)].into(),
            instances: BTreeMap::new(),
            tasks: Vec::new(),
            services: BTreeMap::new(),
            task_definitions: BTreeMap::new(),
            gaps: Vec::new(),
        };
        Self {
            snapshot: CapacitySnapshot {
                taken_at: now,
                clusters: [("demo".parse().unwrap(), cluster)].into(),
                passed_over: BTreeMap::new(),
                gaps: Vec::new(),
            },
            recall: Recall::Known(ProviderMemory::default()),
            now,
            ecs: Ecs::Binpack,
            next: 1,
        }
    }

    /// A fleet with so many instances in each zone, all empty and old.
    pub(crate) fn of(in_zones: [u32; 3]) -> Self {
        let mut fleet = Self::new();
        for (zone, count) in ["a", "b", "c"].into_iter().zip(in_zones) {
            for _ in 0..count {
                fleet.launch(zone);
            }
        }
        fleet
    }

    pub(crate) fn cluster(&mut self) -> &mut ClusterCapacity {
        self.snapshot.clusters.values_mut().next().unwrap()
    }

    pub(crate) fn provider(&mut self) -> &mut Provider {
        self.cluster().providers.values_mut().next().unwrap()
    }

    pub(crate) fn group(&mut self) -> &mut Group {
        &mut self.provider().group
    }

    pub(crate) fn policy(&mut self) -> &mut GroupPolicy {
        self.provider().policy.as_mut().unwrap()
    }

    pub(crate) fn memory(&mut self) -> &mut ProviderMemory {
        match &mut self.recall {
            Recall::Known(memory) => memory,
            Recall::Unknown => panic!("nothing could be recalled"),
        }
    }

    pub(crate) fn instance(&mut self, number: u32) -> &mut GroupInstance {
        self.group().instances.get_mut(&id(number)).unwrap()
    }

    pub(crate) fn container(&mut self, number: u32) -> &mut ContainerInstance {
        self.cluster().instances.get_mut(&arn(number)).unwrap()
    }

    /// One more instance, asked for, in service and registered an hour ago, later ones a second later.
    pub(crate) fn launch(&mut self, in_zone: &str) -> u32 {
        let number = self.next;
        self.next += 1;
        let hour_ago = Seconds(3_600 - i64::from(number)).before(self.now);
        let zone = zone(in_zone);
        let instance_type: InstanceType = "t3.small".parse().unwrap();
        let attributes = [
            ("ecs.availability-zone", zone.as_str()),
            ("ecs.instance-type", "t3.small"),
            ("ecs.os-type", "linux"),
        ];
        let container = ContainerInstance {
            arn: arn(number),
            ec2_instance: Some(id(number)),
            provider: Some("ec2".parse().unwrap()),
            status: ContainerInstanceStatus::Active,
            agent_connected: true,
            agent_version: Some("1.82.0".to_owned()),
            registered_at: Some(hour_ago),
            registered: T3_SMALL,
            remaining: T3_SMALL,
            host_ports: BTreeSet::new(),
            attributes: attributes
                .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
                .into(),
            instance_type: Some(instance_type.clone()),
            zone: Some(zone.clone()),
            is_impaired: false,
        };
        let instance = GroupInstance {
            id: id(number),
            instance_type: Some(instance_type),
            zone,
            lifecycle: Lifecycle::InService,
            is_healthy: true,
            protected_from_scale_in: false,
            launched_at: Some(hour_ago),
        };
        self.cluster().instances.insert(arn(number), container);
        self.group().instances.insert(id(number), instance);
        self.group().desired_capacity += 1;
        number
    }

    /// A service of the provider that runs 256 CPU units and 512 MiB a task, with so many tasks asked for.
    pub(crate) fn service(&mut self, name: &str, desired_count: u32) -> &mut CapacityService {
        let task_definition = definition(name);
        let shape = TaskShape {
            needs: TASK,
            ..TaskShape::default()
        };
        let service = CapacityService {
            name: name.parse().unwrap(),
            status: ServiceStatus::Active,
            scheduling: Scheduling::Replica,
            desired_count,
            running_count: 0,
            pending_count: 0,
            strategy: strategy(),
            deployments: vec![DeploymentTarget {
                id: format!("ecs-svc/{name}").parse::<DeploymentId>().unwrap(),
                is_primary: true,
                in_progress: false,
                task_definition: task_definition.clone(),
                desired_count,
                strategy: strategy(),
            }],
            constraints: Vec::new(),
            placement: Vec::new(),
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            headroom_tasks: Ok(0),
            placement_failed_at: None,
        };
        let cluster = self.cluster();
        cluster.task_definitions.insert(task_definition, shape);
        let name: ServiceName = name.parse().unwrap();
        cluster.services.entry(name).or_insert(service)
    }

    /// A running task of the service on the instance.
    pub(crate) fn task(&mut self, service: &str, on: u32) -> &mut InstanceTask {
        let number = self.next;
        self.next += 1;
        let made_at = Some(Seconds(1_800).before(self.now));
        let task = InstanceTask {
            arn: format!("arn:aws:ecs:us-east-1:123456789012:task/demo/{number:032x}")
                .parse::<TaskArn>()
                .unwrap(),
            instance: Some(arn(on)),
            provider: Some("ec2".parse().unwrap()),
            service: Some(service.parse().unwrap()),
            is_daemon: false,
            last_status: TaskStatus::Running,
            desired_running: true,
            task_definition: definition(service),
            needs: TASK,
            protected_until: Some(None),
            created_at: made_at,
            started_at: made_at,
        };
        let cluster = self.cluster();
        cluster.tasks.push(task);
        cluster.tasks.last_mut().unwrap()
    }

    /// So many running tasks of a service on each instance, by number from 1; the service asks for all of them.
    pub(crate) fn tasks(&mut self, service: &str, on: &[u32]) -> &mut Self {
        let desired = on.iter().sum();
        self.service(service, 0);
        self.desire(service, desired);
        for (count, instance) in on.iter().zip(1..) {
            for _ in 0..*count {
                self.task(service, instance);
            }
        }
        self
    }

    pub(crate) fn desire(&mut self, service: &str, desired_count: u32) {
        let service = self.service(service, desired_count);
        service.desired_count = desired_count;
        for deployment in &mut service.deployments {
            deployment.desired_count = desired_count;
        }
    }

    /// The instance drains, by Ballast, since so many seconds.
    pub(crate) fn drain(&mut self, number: u32, secs: i64) {
        self.container(number).status = ContainerInstanceStatus::Draining;
        let at = Seconds(secs).before(self.now);
        let reason = if self.held(&arn(number)) == 0 {
            DrainReason::Empty
        } else {
            DrainReason::Consolidation
        };
        let drain = Drain { at, reason };
        self.memory().drains.insert(id(number), drain);
    }

    /// How many tasks are on an instance.
    pub(crate) fn held(&self, on: &ContainerInstanceArn) -> u32 {
        let cluster = self.snapshot.clusters.values().next().unwrap();
        let tasks = cluster.tasks.iter();
        let held = tasks.filter(|it| it.instance.as_ref() == Some(on)).count();
        u32::try_from(held).unwrap()
    }

    /// Brings ECS's own counts up to date.
    pub(crate) fn refresh(&mut self) {
        self.snapshot.taken_at = self.now;
        let cluster = self.cluster();
        cluster.tasks.sort_by(|a, b| a.arn.cmp(&b.arn));
        for instance in cluster.instances.values_mut() {
            instance.remaining = instance.registered;
            let tasks = cluster.tasks.iter();
            for task in tasks.filter(|it| it.instance.as_ref() == Some(&instance.arn)) {
                assert!(task.needs.fits(&instance.remaining), "{}", task.arn);
                instance.remaining = instance.remaining.saturating_sub(&task.needs);
            }
        }
        for service in cluster.services.values_mut() {
            let tasks = cluster.tasks.iter();
            let of = tasks.filter(|it| it.service.as_ref() == Some(&service.name));
            service.running_count = u32::try_from(of.count()).unwrap();
        }
    }

    pub(crate) fn decide(&mut self) -> CapacityDecision {
        self.refresh();
        capacity::decide(
            &self.snapshot,
            &Installation::default(),
            &[(key(), self.recall.clone())].into(),
            &Hints::default(),
            self.now,
        )
    }

    /// Has been watched for so long that it is known how many were wanted.
    pub(crate) fn watch(&mut self) -> &mut Self {
        let decided = self.decide();
        let mut memory = decided.memories.get(&key()).unwrap().clone();
        memory.drains = self.memory().drains.clone();
        memory.wrote = self.memory().wrote;
        let delay = self.policy().scale_in_delay;
        if let Some(watched) = &mut memory.watched {
            watched.since = delay.before(watched.since);
        }
        for level in &mut memory.wanted {
            level.at = delay.before(level.at);
        }
        self.recall = Recall::Known(memory);
        self
    }

    /// How many tasks run of all services together.
    pub(crate) fn running(&mut self) -> usize {
        self.cluster().tasks.len()
    }

    /// How many tasks each instance holds, in the order of the ids.
    pub(crate) fn loads(&mut self) -> Vec<u32> {
        let arns: Vec<_> = self.cluster().instances.keys().cloned().collect();
        arns.iter().map(|it| self.held(it)).collect()
    }
}

pub(crate) fn zone(name: &str) -> model::ids::AvailabilityZone {
    format!("us-east-1{name}").parse().unwrap()
}
