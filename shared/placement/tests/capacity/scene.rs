//! Scenes in words: one cluster `demo`, its providers and their groups, instances, services and tasks, what is remembered and reported.
//! The times are seconds before [`now`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{
    Activity, CapacityHoldReason, CapacityService, CapacitySnapshot, ClusterCapacity, Consent,
    ContainerInstance, ContainerInstanceStatus, DeploymentTarget, DesiredCapacityType, Group,
    GroupInstance, GroupPolicy, GroupTypes, InstanceTask, Lifecycle, Provider, ProviderKey,
    ProviderMemory, ProviderNumbers, Resources, TaskShape, TypeChoice,
};
use model::instance_type::{Trunking, lookup};
use model::memory::{Level, Recall, Watch};
use model::policy::Installation;
use model::snapshot::{Gap, GapCause, Scheduling, ServiceStatus, TaskStatus};
use model::strategy::{Market, StrategyItem};
use model::trigger::{Hints, LaunchFailure};
use model::{ContainerInstanceArn, InstanceId, Seconds, TaskDefinitionArn};
use placement::capacity::{CapacityDecision, decide};

pub(crate) use super::shown::{accounted, check, text};

/// The time of every look: 2026-03-01T12:00:00Z.
pub(crate) const fn now() -> Timestamp {
    Timestamp::constant(1_772_366_400, 0)
}

/// So many seconds before [`now`]; after it where negative.
pub(crate) fn ago(secs: i64) -> Timestamp {
    Seconds(secs).before(now())
}

pub(crate) fn key(provider: &str) -> ProviderKey {
    format!("demo/{provider}").parse().unwrap()
}

pub(crate) fn gap(operation: &str) -> Gap {
    Gap {
        operation: operation.to_owned(),
        resource: "demo".to_owned(),
        cause: GapCause::Throttled,
        detail: "ThrottlingException: Rate exceeded".to_owned(),
    }
}

/// `ec2=1/1 spot=0/4`: base and weight.
pub(crate) fn strategy(text: &str) -> Vec<StrategyItem> {
    text.split_whitespace()
        .map(|line| {
            let (provider, numbers) = line.split_once('=').unwrap();
            let (base, weight) = numbers.split_once('/').unwrap();
            StrategyItem {
                provider: provider.parse().unwrap(),
                base: base.parse().unwrap(),
                weight: weight.parse().unwrap(),
            }
        })
        .collect()
}

pub(crate) fn definition(family: &str) -> TaskDefinitionArn {
    format!("arn:aws:ecs:us-west-2:111122223333:task-definition/{family}:1")
        .parse()
        .unwrap()
}

/// CPU units and memory in MiB.
pub(crate) const fn needs(cpu_units: u32, memory_mib: u32) -> Resources {
    Resources {
        cpu_units,
        memory_mib,
        gpus: 0,
        network_interfaces: 0,
    }
}

/// The task of the workshop.
pub(crate) const TASK: Resources = needs(256, 512);

/// Everything that a decision depends on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) snapshot: CapacitySnapshot,
    pub(crate) installation: Installation,
    pub(crate) memories: BTreeMap<ProviderKey, Recall<ProviderMemory>>,
    pub(crate) hints: Hints,
    next: u32,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let cluster = ClusterCapacity {
            cluster: "demo".parse().unwrap(),
            default_strategy: Vec::new(),
            providers: BTreeMap::new(),
            instances: BTreeMap::new(),
            tasks: Vec::new(),
            services: BTreeMap::new(),
            task_definitions: BTreeMap::new(),
            gaps: Vec::new(),
        };
        Self {
            snapshot: CapacitySnapshot {
                taken_at: now(),
                clusters: BTreeMap::from([(cluster.cluster.clone(), cluster)]),
                passed_over: BTreeMap::new(),
                gaps: Vec::new(),
            },
            installation: Installation::default(),
            memories: BTreeMap::new(),
            hints: Hints::default(),
            next: 0,
        }
    }

    pub(crate) fn cluster(&mut self) -> &mut ClusterCapacity {
        self.snapshot.clusters.values_mut().next().unwrap()
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The provider, over a group of its name with the limits 0 to 10, one type and no instance; made if it is not there. A name that
    /// begins with `spot` is of the Spot market.
    pub(crate) fn provider(&mut self, name: &str) -> &mut Provider {
        let key = key(name);
        self.cluster()
            .providers
            .entry(name.parse().unwrap())
            .or_insert_with(|| Provider {
                key,
                managed_scaling: None,
                managed_termination_protection: false,
                managed_draining: false,
                other_clusters: BTreeSet::new(),
                group: Group {
                    name: name.parse().unwrap(),
                    min_size: 0,
                    max_size: 10,
                    desired_capacity: 0,
                    desired_capacity_type: DesiredCapacityType::Units,
                    zones: ["us-west-2a", "us-west-2b", "us-west-2c"]
                        .map(|it| it.parse().unwrap())
                        .into(),
                    types: GroupTypes::InLaunchTemplate,
                    market: if name.starts_with("spot") {
                        Market::Spot
                    } else {
                        Market::OnDemand
                    },
                    instances: BTreeMap::new(),
                    suspended_processes: BTreeSet::new(),
                    new_instances_protected: false,
                    scaling_policies: BTreeSet::new(),
                    scheduled_actions: BTreeSet::new(),
                    has_warm_pool: false,
                    is_deleting: false,
                    activities: Vec::new(),
                    tags: BTreeMap::new(),
                },
                policy: Ok(GroupPolicy::with_defaults(Consent::Act)),
                gaps: Vec::new(),
            })
    }

    pub(crate) fn group(&mut self, provider: &str) -> &mut Group {
        &mut self.provider(provider).group
    }

    pub(crate) fn policy(&mut self, provider: &str) -> &mut GroupPolicy {
        self.provider(provider).policy.as_mut().unwrap()
    }

    /// Names the types that the group may launch.
    pub(crate) fn types(&mut self, provider: &str, types: &str) {
        let choices = types.split_whitespace().map(|it| TypeChoice {
            instance_type: it.parse().unwrap(),
            weighted_capacity: None,
        });
        self.group(provider).types = GroupTypes::Listed {
            choices: choices.collect(),
        };
    }

    /// The service, whose tasks are those of the workshop; made if it is not there.
    pub(crate) fn service(
        &mut self,
        name: &str,
        desired: u32,
        of_strategy: &str,
    ) -> &mut CapacityService {
        let task_definition = definition(name);
        self.shape(name).needs = TASK;
        let deployment = DeploymentTarget {
            id: "ecs-svc/1".parse().unwrap(),
            is_primary: true,
            in_progress: false,
            task_definition,
            desired_count: desired,
            strategy: strategy(of_strategy),
        };
        let service = CapacityService {
            name: name.parse().unwrap(),
            status: ServiceStatus::Active,
            scheduling: Scheduling::Replica,
            desired_count: desired,
            running_count: 0,
            pending_count: 0,
            strategy: strategy(of_strategy),
            deployments: vec![deployment],
            constraints: Vec::new(),
            placement: Vec::new(),
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            headroom_tasks: Ok(0),
            placement_failed_at: None,
        };
        let services = &mut self.cluster().services;
        services.insert(service.name.clone(), service);
        services.get_mut(&name.parse().unwrap()).unwrap()
    }

    /// What the tasks of a family ask for; made if it is not there.
    pub(crate) fn shape(&mut self, family: &str) -> &mut TaskShape {
        self.cluster()
            .task_definitions
            .entry(definition(family))
            .or_default()
    }

    /// The group's instances and desired capacity grow by one that is on its way, launched a minute ago.
    pub(crate) fn pending(&mut self, provider: &str, instance_type: &str) -> InstanceId {
        let number = self.number();
        let id: InstanceId = format!("i-{number:017x}").parse().unwrap();
        let group = self.group(provider);
        let zones: Vec<_> = group.zones.iter().cloned().collect();
        let instance = GroupInstance {
            id: id.clone(),
            instance_type: Some(instance_type.parse().unwrap()),
            zone: zones[number as usize % zones.len()].clone(),
            lifecycle: Lifecycle::Pending,
            is_healthy: true,
            protected_from_scale_in: false,
            launched_at: Some(ago(60)),
        };
        group.instances.insert(id.clone(), instance);
        group.desired_capacity += 1;
        id
    }

    pub(crate) fn member(&mut self, id: &InstanceId) -> &mut GroupInstance {
        self.cluster()
            .providers
            .values_mut()
            .find_map(|provider| provider.group.instances.get_mut(id))
            .unwrap()
    }

    pub(crate) fn container(&mut self, id: &InstanceId) -> &mut ContainerInstance {
        self.cluster().instances.get_mut(&arn(id)).unwrap()
    }

    /// One more instance, in service and registered for an hour, with nothing on it.
    pub(crate) fn instance(&mut self, provider: &str, instance_type: &str) -> InstanceId {
        let id = self.pending(provider, instance_type);
        self.member(&id).launched_at = Some(ago(3_700));
        self.register(provider, &id, ago(3_600));
        id
    }

    /// The instance, which is on its way, comes into service and registers with nothing on it.
    pub(crate) fn register(&mut self, provider: &str, id: &InstanceId, registered_at: Timestamp) {
        let member = self.member(id);
        member.lifecycle = Lifecycle::InService;
        let instance_type = member.instance_type.clone().unwrap();
        let instance_type = instance_type.as_str();
        let zone = member.zone.clone();
        let registered = lookup(&instance_type.parse().unwrap())
            .unwrap()
            .registers(Trunking::Disabled);
        let attribute = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let container = ContainerInstance {
            arn: arn(id),
            ec2_instance: Some(id.clone()),
            provider: Some(provider.parse().unwrap()),
            status: ContainerInstanceStatus::Active,
            agent_connected: true,
            agent_version: Some("1.82.0".to_owned()),
            registered_at: Some(registered_at),
            registered,
            remaining: registered,
            host_ports: BTreeSet::new(),
            attributes: BTreeMap::from([
                attribute("ecs.availability-zone", zone.as_str()),
                attribute("ecs.instance-type", instance_type),
                attribute("ecs.os-type", "linux"),
            ]),
            instance_type: Some(instance_type.parse().unwrap()),
            zone: Some(zone),
            is_impaired: false,
        };
        self.cluster()
            .instances
            .insert(container.arn.clone(), container);
    }

    pub(crate) fn instances(
        &mut self,
        provider: &str,
        instance_type: &str,
        count: u32,
    ) -> Vec<InstanceId> {
        (0..count)
            .map(|_| self.instance(provider, instance_type))
            .collect()
    }

    /// A RUNNING task of the service, or of the family where there is no such service, on the instance.
    pub(crate) fn task(&mut self, whose: &str, id: &InstanceId) -> &mut InstanceTask {
        let number = self.number();
        let provider = self.container(id).provider.clone();
        let task_definition = definition(whose);
        let needs = self.shape(whose).needs;
        let service = whose.parse().unwrap();
        let container = self.container(id);
        container.remaining = container.remaining.saturating_sub(&needs);
        let cluster = self.cluster();
        let service = cluster.services.get_mut(&service).map(|service| {
            service.running_count += 1;
            service.name.clone()
        });
        cluster.tasks.push(InstanceTask {
            arn: format!("arn:aws:ecs:us-west-2:111122223333:task/demo/{number:032x}")
                .parse()
                .unwrap(),
            instance: Some(arn(id)),
            provider,
            service,
            is_daemon: false,
            last_status: TaskStatus::Running,
            desired_running: true,
            task_definition,
            needs,
            protected_until: Some(None),
            created_at: Some(ago(1_800)),
            started_at: Some(ago(1_790)),
        });
        cluster.tasks.last_mut().unwrap()
    }

    pub(crate) fn tasks(&mut self, whose: &str, id: &InstanceId, count: u32) {
        for _ in 0..count {
            self.task(whose, id);
        }
    }

    /// Tasks that ECS has made for the provider and put nowhere.
    pub(crate) fn waiting(&mut self, whose: &str, provider: &str, count: u32) {
        for _ in 0..count {
            let number = self.number();
            let needs = self.shape(whose).needs;
            let cluster = self.cluster();
            let service = cluster
                .services
                .get_mut(&whose.parse().unwrap())
                .map(|service| {
                    service.pending_count += 1;
                    service.name.clone()
                });
            cluster.tasks.push(InstanceTask {
                arn: format!("arn:aws:ecs:us-west-2:111122223333:task/demo/{number:032x}")
                    .parse()
                    .unwrap(),
                instance: None,
                provider: Some(provider.parse().unwrap()),
                service,
                is_daemon: false,
                last_status: TaskStatus::Provisioning,
                desired_running: true,
                task_definition: definition(whose),
                needs,
                protected_until: None,
                created_at: Some(ago(30)),
                started_at: None,
            });
        }
    }

    /// A failed launch in the group's list.
    pub(crate) fn failed(&mut self, provider: &str, secs_ago: i64, text: &str) {
        let number = self.number();
        self.group(provider).activities.insert(
            0,
            Activity {
                id: format!("activity-{number}"),
                started_at: ago(secs_ago),
                status: "Failed".to_owned(),
                status_message: text.to_owned(),
                description: "Launching a new EC2 instance.  Status Reason: see the message"
                    .to_owned(),
                zone: None,
            },
        );
    }

    pub(crate) fn reported(&mut self, provider: &str, secs_ago: i64, text: &str) {
        self.hints.launch_failures.push(LaunchFailure {
            group: provider.parse().unwrap(),
            zone: None,
            status_message: text.to_owned(),
            at: Some(ago(secs_ago)),
        });
    }

    /// What is remembered of the provider; known, and empty at first.
    pub(crate) fn memory(&mut self, provider: &str) -> &mut ProviderMemory {
        let recall = self
            .memories
            .entry(key(provider))
            .or_insert_with(|| Recall::Known(ProviderMemory::default()));
        match recall {
            Recall::Known(memory) => memory,
            Recall::Unknown => panic!("`{provider}` has no memory"),
        }
    }

    pub(crate) fn forget(&mut self, provider: &str) {
        self.memories.insert(key(provider), Recall::Unknown);
    }

    /// The provider has been watched for so long, and no more than `wanted` instances were wanted in that time.
    pub(crate) fn watched(&mut self, provider: &str, secs: i64, wanted: u32) {
        let memory = self.memory(provider);
        memory.watched = Some(Watch {
            since: ago(secs),
            until: ago(60),
        });
        memory.wanted = vec![Level {
            tasks: wanted,
            at: ago(60),
        }];
    }

    pub(crate) fn decide(&self) -> CapacityDecision {
        decide(
            &self.snapshot,
            &self.installation,
            &self.memories,
            &self.hints,
            now(),
        )
    }

    /// The numbers of the provider, from its step or its hold.
    pub(crate) fn numbers(&self, provider: &str) -> ProviderNumbers {
        let decision = self.decide();
        let key = key(provider);
        let steps = decision.plan.steps.iter();
        let of_steps = steps
            .filter(|it| *it.provider() == key)
            .filter_map(|it| it.numbers());
        let holds = decision.plan.holds.iter();
        let of_holds = holds
            .filter(|it| *it.provider() == key)
            .filter_map(|it| it.numbers.as_ref());
        let all: Vec<ProviderNumbers> = of_steps.chain(of_holds).copied().collect();
        assert_eq!(all.len(), 1, "{}", text(&decision));
        all[0]
    }

    /// The reason why the provider is held; panics where it is not.
    pub(crate) fn held(&self, provider: &str) -> CapacityHoldReason {
        let decision = self.decide();
        let key = key(provider);
        let hold = decision.plan.holds.iter().find(|hold| {
            matches!(&hold.subject, model::capacity::CapacitySubject::Provider { provider } if *provider == key)
        });
        hold.unwrap_or_else(|| panic!("a step:\n{}", text(&decision)))
            .reason
            .clone()
    }
}

/// The container instance of an instance.
pub(crate) fn arn(id: &InstanceId) -> ContainerInstanceArn {
    format!("arn:aws:ecs:us-west-2:111122223333:container-instance/demo/{id}")
        .parse()
        .unwrap()
}
