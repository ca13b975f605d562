//! Scenes in words: one cluster `demo`, groups and their instances, services and tasks, what is remembered and what events said. The times
//! are seconds before the scene's time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{
    CapacityService, ClusterCapacity, Consent, ContainerInstance, ContainerInstanceStatus,
    DesiredCapacityType, Group, GroupInstance, GroupTypes, InstanceTask, Lifecycle, Resources,
    TypeChoice,
};
use model::drain::{
    Departure, DrainCluster, DrainGroup, DrainKey, DrainMemory, DrainPolicy, DrainSnapshot,
    HookResult, LifecycleHook, LookedInstance, Membership,
};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::{Gap, GapCause, Scheduling, ServiceStatus, TaskStatus};
use model::strategy::Market;
use model::trigger::{Hints, Notice, NoticeHint};
use model::{ContainerInstanceArn, InstanceId, Seconds, TaskDefinitionArn};
use placement::drain::{DrainDecision, decide};

pub(crate) use super::shown::check;

/// The time of the first look: 2026-03-01T12:00:00Z.
pub(crate) const fn start() -> Timestamp {
    Timestamp::constant(1_772_366_400, 0)
}

/// The zones of every group; instances take turns.
const ZONES: [&str; 2] = ["us-west-2a", "us-west-2b"];

/// The key of a group.
pub(crate) fn key(group: &str) -> DrainKey {
    DrainKey::Group {
        group: group.parse().unwrap(),
    }
}

pub(crate) fn gap(operation: &str) -> Gap {
    Gap {
        operation: operation.to_owned(),
        resource: "demo".to_owned(),
        cause: GapCause::Throttled,
        detail: "ThrottlingException: Rate exceeded".to_owned(),
    }
}

pub(crate) fn definition(family: &str) -> TaskDefinitionArn {
    format!("arn:aws:ecs:us-west-2:111122223333:task-definition/{family}:1")
        .parse()
        .unwrap()
}

/// CPU units and memory in MiB.
const fn needs(cpu_units: u32, memory_mib: u32) -> Resources {
    Resources {
        cpu_units,
        memory_mib,
        gpus: 0,
        network_interfaces: 0,
    }
}

/// The task of the workshop.
const TASK: Resources = needs(256, 512);
/// What an instance registers: room for four such tasks.
const INSTANCE: Resources = needs(1_024, 3_800);

/// The container instance of an instance.
pub(crate) fn arn(id: &InstanceId) -> ContainerInstanceArn {
    format!("arn:aws:ecs:us-west-2:111122223333:container-instance/demo/{id}")
        .parse()
        .unwrap()
}

/// Everything that a decision depends on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) snapshot: DrainSnapshot,
    pub(crate) installation: Installation,
    pub(crate) memories: BTreeMap<DrainKey, Recall<DrainMemory>>,
    pub(crate) hints: Hints,
    pub(crate) now: Timestamp,
    next: u32,
}

impl Scene {
    /// A look at everything, with the group `spot` and nothing in it.
    pub(crate) fn new() -> Self {
        let capacity = ClusterCapacity {
            cluster: "demo".parse().unwrap(),
            default_strategy: Vec::new(),
            providers: BTreeMap::new(),
            instances: BTreeMap::new(),
            tasks: Vec::new(),
            services: BTreeMap::new(),
            task_definitions: BTreeMap::new(),
            gaps: Vec::new(),
        };
        let cluster = DrainCluster {
            capacity,
            has_every_instance: true,
            tasks_read: BTreeSet::new(),
            stop_timeouts: BTreeMap::new(),
        };
        let mut scene = Self {
            snapshot: DrainSnapshot {
                taken_at: start(),
                is_full: true,
                groups: BTreeMap::new(),
                clusters: BTreeMap::from([("demo".parse().unwrap(), cluster)]),
                passed_over: BTreeMap::new(),
                outside: BTreeMap::new(),
                searched: BTreeSet::from(["demo".parse().unwrap()]),
                gaps: Vec::new(),
            },
            installation: Installation::default(),
            memories: BTreeMap::new(),
            hints: Hints::default(),
            now: start(),
            next: 0,
        };
        scene.group("spot");
        scene
    }

    /// A scene with one service `web` of so many tasks, one on each of so many instances, `i-1` the first.
    pub(crate) fn web(instances: u32) -> (Self, Vec<InstanceId>) {
        let mut scene = Self::new();
        scene.service("web", 0);
        let ids: Vec<InstanceId> = (0..instances).map(|_| scene.instance("spot")).collect();
        for id in &ids {
            scene.task("web", id);
        }
        (scene, ids)
    }

    pub(crate) fn ago(&self, secs: i64) -> Timestamp {
        Seconds(secs).before(self.now)
    }

    pub(crate) fn cluster(&mut self) -> &mut DrainCluster {
        self.snapshot.clusters.values_mut().next().unwrap()
    }

    pub(crate) fn capacity(&mut self) -> &mut ClusterCapacity {
        &mut self.cluster().capacity
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The group, with Ballast's hook of 300 s and the limits 0 to 10; made if it is not there.
    pub(crate) fn group(&mut self, name: &str) -> &mut DrainGroup {
        self.snapshot.groups.entry(key(name)).or_insert_with(|| {
            let hook = hook("ballast-instance-drain", 300);
            DrainGroup {
                key: key(name),
                policy: Ok(DrainPolicy::with_defaults(Consent::Act)),
                group: Some(group(name)),
                is_proven_ours: true,
                hooks: BTreeMap::from([(hook.name.clone(), hook)]),
                hooks_read: true,
                in_warm_pool: BTreeSet::new(),
                managed_draining: false,
                managed_scaling: false,
                instances: BTreeMap::new(),
                gaps: Vec::new(),
            }
        })
    }

    /// The group of the instances of `demo` that are in no group; made if it is not there.
    pub(crate) fn groupless(&mut self) -> &mut DrainGroup {
        let key = DrainKey::Cluster {
            cluster: "demo".parse().unwrap(),
        };
        let made = || DrainGroup {
            key: key.clone(),
            policy: Ok(DrainPolicy::with_defaults(Consent::Act)),
            group: None,
            is_proven_ours: true,
            hooks: BTreeMap::new(),
            hooks_read: false,
            in_warm_pool: BTreeSet::new(),
            managed_draining: false,
            managed_scaling: false,
            instances: BTreeMap::new(),
            gaps: Vec::new(),
        };
        self.snapshot.groups.entry(key.clone()).or_insert_with(made)
    }

    /// The policy of `spot`.
    pub(crate) fn policy(&mut self) -> &mut DrainPolicy {
        self.group("spot").policy.as_mut().unwrap()
    }

    /// One more instance, in service, registered and empty; its tasks were read.
    pub(crate) fn instance(&mut self, group: &str) -> InstanceId {
        let id = self.starting(group);
        self.register(&id);
        id
    }

    /// One more instance, in service and not registered yet.
    pub(crate) fn starting(&mut self, group: &str) -> InstanceId {
        let number = self.number();
        let id: InstanceId = format!("i-{number}").parse().unwrap();
        let zone = ZONES[(number as usize + 1) % ZONES.len()].parse().unwrap();
        let group = self.group(group);
        let of_group = group.group.as_mut().unwrap();
        of_group.desired_capacity += 1;
        let member = GroupInstance {
            id: id.clone(),
            instance_type: Some("m5.large".parse().unwrap()),
            zone,
            lifecycle: Lifecycle::InService,
            is_healthy: true,
            protected_from_scale_in: false,
            launched_at: None,
        };
        let looked = LookedInstance {
            id: id.clone(),
            instance_type: member.instance_type.clone(),
            zone: Some(member.zone.clone()),
            member: Some(Membership {
                lifecycle: Lifecycle::InService,
                waits_in_hook: false,
                is_healthy: true,
                terminating_since: None,
            }),
            registered: None,
            tasks_counted: None,
        };
        of_group.instances.insert(id.clone(), member);
        group.instances.insert(id.clone(), looked);
        id
    }

    /// The instance registers, with nothing on it.
    pub(crate) fn register(&mut self, id: &InstanceId) {
        let looked = self.looked(id);
        looked.registered = Some(("demo".parse().unwrap(), arn(id)));
        looked.tasks_counted = Some(0);
        let container = ContainerInstance {
            arn: arn(id),
            ec2_instance: Some(id.clone()),
            provider: Some("spot".parse().unwrap()),
            status: ContainerInstanceStatus::Active,
            agent_connected: true,
            agent_version: None,
            registered_at: None,
            registered: INSTANCE,
            remaining: INSTANCE,
            host_ports: BTreeSet::new(),
            attributes: BTreeMap::new(),
            instance_type: looked.instance_type.clone(),
            zone: looked.zone.clone(),
            is_impaired: false,
        };
        self.cluster().tasks_read.insert(arn(id));
        self.capacity().instances.insert(arn(id), container);
    }

    /// The instance is registered no more.
    pub(crate) fn deregister(&mut self, id: &InstanceId) {
        let looked = self.looked(id);
        looked.registered = None;
        looked.tasks_counted = None;
        self.capacity().instances.remove(&arn(id));
        self.cluster().tasks_read.remove(&arn(id));
        self.empty(id);
    }

    /// Nothing is left on the instance.
    pub(crate) fn empty(&mut self, id: &InstanceId) {
        let tasks = &mut self.capacity().tasks;
        tasks.retain(|task| task.instance != Some(arn(id)));
    }

    pub(crate) fn looked(&mut self, id: &InstanceId) -> &mut LookedInstance {
        let mut groups = self.snapshot.groups.values_mut();
        groups.find_map(|it| it.instances.get_mut(id)).unwrap()
    }

    pub(crate) fn member(&mut self, id: &InstanceId) -> &mut Membership {
        self.looked(id).member.as_mut().unwrap()
    }

    pub(crate) fn container(&mut self, id: &InstanceId) -> &mut ContainerInstance {
        self.capacity().instances.get_mut(&arn(id)).unwrap()
    }

    /// The service, 100 % and 200 %; made if it is not there.
    pub(crate) fn service(&mut self, name: &str, desired_count: u32) -> &mut CapacityService {
        let shape = self
            .capacity()
            .task_definitions
            .entry(definition(name))
            .or_default();
        shape.needs = TASK;
        let name: model::ServiceName = name.parse().unwrap();
        let services = &mut self.capacity().services;
        services
            .entry(name.clone())
            .or_insert_with(|| CapacityService {
                name,
                status: ServiceStatus::Active,
                scheduling: Scheduling::Replica,
                desired_count,
                running_count: 0,
                pending_count: 0,
                strategy: Vec::new(),
                deployments: Vec::new(),
                constraints: Vec::new(),
                placement: Vec::new(),
                minimum_healthy_percent: 100,
                maximum_percent: 200,
                headroom_tasks: Ok(0),
                placement_failed_at: None,
            })
    }

    /// A RUNNING task of the service, which asks for one more, or of the family where there is no such service, on the instance.
    pub(crate) fn task(&mut self, whose: &str, id: &InstanceId) -> &mut InstanceTask {
        let number = self.number();
        if let Some(tasks) = &mut self.looked(id).tasks_counted {
            *tasks += 1;
        }
        let container = self.container(id);
        container.remaining = container.remaining.saturating_sub(&TASK);
        let capacity = self.capacity();
        let shapes = &mut capacity.task_definitions;
        shapes.entry(definition(whose)).or_default().needs = TASK;
        let service = capacity.services.get_mut(&whose.parse().unwrap());
        let service = service.map(|service| {
            service.running_count += 1;
            service.desired_count += 1;
            service.name.clone()
        });
        capacity.tasks.push(InstanceTask {
            arn: format!("arn:aws:ecs:us-west-2:111122223333:task/demo/{number:04x}")
                .parse()
                .unwrap(),
            instance: Some(arn(id)),
            provider: None,
            service,
            is_daemon: false,
            last_status: TaskStatus::Running,
            desired_running: true,
            task_definition: definition(whose),
            needs: TASK,
            protected_until: None,
            created_at: None,
            started_at: None,
        });
        capacity.tasks.last_mut().unwrap()
    }

    /// A daemon's task on the instance.
    pub(crate) fn daemon(&mut self, id: &InstanceId) {
        self.task("logs", id).is_daemon = true;
    }

    /// Nothing more fits on the instance.
    pub(crate) fn fill(&mut self, id: &InstanceId) {
        self.container(id).remaining = Resources::ZERO;
    }

    /// The longest stop timeout of the family's containers.
    pub(crate) fn stop_timeout(&mut self, family: &str, secs: i64) {
        let timeouts = &mut self.cluster().stop_timeouts;
        timeouts.insert(definition(family), Seconds(secs));
    }

    /// The instance is DRAINING, and was first seen so so long ago.
    pub(crate) fn draining(&mut self, id: &InstanceId, secs: i64) {
        self.container(id).status = ContainerInstanceStatus::Draining;
        let at = self.ago(secs);
        self.departure(id).draining_since = Some(at);
    }

    /// The group has been terminating the instance for so long, and it waits in a hook.
    pub(crate) fn terminating(&mut self, id: &InstanceId, secs: i64) {
        let at = self.ago(secs);
        let member = self.member(id);
        member.lifecycle = Lifecycle::Terminating;
        member.waits_in_hook = true;
        member.terminating_since = Some(at);
    }

    /// The agent has been disconnected for so long.
    pub(crate) fn disconnected(&mut self, id: &InstanceId, secs: i64) {
        self.container(id).agent_connected = false;
        let at = self.ago(secs);
        self.departure(id).disconnected_since = Some(at);
    }

    /// What was said about the instance so long ago.
    pub(crate) fn said(&mut self, id: &InstanceId, secs: i64, notice: Notice) {
        let at = Some(self.ago(secs));
        self.hints.notices.push(NoticeHint {
            at,
            instance: id.clone(),
            notice,
        });
    }

    /// EC2 warned so long ago that it interrupts the Spot instance.
    pub(crate) fn warned(&mut self, id: &InstanceId, secs: i64) {
        let action = "terminate".to_owned();
        self.said(id, secs, Notice::SpotInterruption { action });
    }

    /// What is remembered of the group `spot`; known, and empty at first.
    pub(crate) fn memory(&mut self) -> &mut DrainMemory {
        let made = || Recall::Known(DrainMemory::default());
        match self.memories.entry(key("spot")).or_insert_with(made) {
            Recall::Known(memory) => memory,
            Recall::Unknown => panic!("there is no memory"),
        }
    }

    /// What is remembered of the instance of `spot`.
    pub(crate) fn departure(&mut self, id: &InstanceId) -> &mut Departure {
        self.memory().departures.entry(id.clone()).or_default()
    }

    /// The ledger does not answer.
    pub(crate) fn forget(&mut self) {
        self.memories.insert(key("spot"), Recall::Unknown);
    }

    pub(crate) fn decide(&self) -> DrainDecision {
        decide(
            &self.snapshot,
            &self.installation,
            &self.memories,
            &self.hints,
            self.now,
        )
    }

    /// Time passes.
    pub(crate) fn later(&mut self, secs: i64) {
        self.now = Seconds(secs).after(self.now);
        self.snapshot.taken_at = self.now;
    }
}

/// A terminating hook.
pub(crate) fn hook(name: &str, heartbeat_timeout_secs: i64) -> LifecycleHook {
    LifecycleHook {
        name: name.parse().unwrap(),
        heartbeat_timeout: Seconds(heartbeat_timeout_secs),
        global_timeout: Seconds(heartbeat_timeout_secs * 100),
        default_result: HookResult::Continue,
    }
}

fn group(name: &str) -> Group {
    Group {
        name: name.parse().unwrap(),
        min_size: 0,
        max_size: 10,
        desired_capacity: 0,
        desired_capacity_type: DesiredCapacityType::Units,
        zones: ZONES.map(|it| it.parse().unwrap()).into(),
        types: GroupTypes::Listed {
            choices: vec![TypeChoice {
                instance_type: "m5.large".parse().unwrap(),
                weighted_capacity: None,
            }],
        },
        market: Market::Spot,
        instances: BTreeMap::new(),
        suspended_processes: BTreeSet::new(),
        new_instances_protected: false,
        scaling_policies: BTreeSet::new(),
        scheduled_actions: BTreeSet::new(),
        has_warm_pool: false,
        is_deleting: false,
        activities: Vec::new(),
        tags: BTreeMap::new(),
    }
}
