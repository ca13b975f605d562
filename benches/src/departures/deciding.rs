//! How long deciding takes where Spot takes 1,000 of 1,500 instances, beside deciding about pairs in the same run.
//!
//! Everything was read, the tasks of every instance included: more than a look at a cluster of this size reads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use comfy_table::Table;
use jiff::Timestamp;
use model::capacity::{
    CapacityService, ClusterCapacity, Consent, ContainerInstance, ContainerInstanceStatus,
    DeploymentTarget, DesiredCapacityType, Group, GroupInstance, GroupTypes, InstanceTask,
    Lifecycle, Resources, TaskShape,
};
use model::drain::{
    DrainCluster, DrainGroup, DrainKey, DrainMemory, DrainPolicy, DrainSnapshot, LookedInstance,
    Membership,
};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::{Scheduling, ServiceStatus, TaskStatus};
use model::strategy::Market;
use model::trigger::{Hints, Notice, NoticeHint};
use model::{
    AvailabilityZone, ClusterName, ContainerInstanceArn, IdError, InstanceId, Seconds, ServiceName,
    TaskDefinitionArn,
};

use crate::decide::{micros, pairs_at_rest_us};
use crate::start_up::{median, ratio, thousandths};

const INSTANCES: usize = 1_500;
const WARNED: usize = 1_000;
const TASKS_ON_AN_INSTANCE: usize = 2;
const NEEDS: Resources = Resources {
    cpu_units: 256,
    memory_mib: 512,
    gpus: 0,
    network_interfaces: 0,
};
/// What an `m5.large` registers.
const REGISTERED: Resources = Resources {
    cpu_units: 2_048,
    memory_mib: 7_600,
    gpus: 0,
    network_interfaces: 2,
};

/// Decides `runs` times, and prints the medians.
pub(crate) fn run(runs: usize) -> Result<String, IdError> {
    let now = Timestamp::UNIX_EPOCH.saturating_add(jiff::SignedDuration::from_hours(500_000));
    let now = now.unwrap_or(Timestamp::MAX);
    let key = DrainKey::Group {
        group: "workers".parse()?,
    };
    let snapshot = snapshot(&key, now)?;
    let hints = hints(&snapshot, now);
    let memories = BTreeMap::from([(key, Recall::Known(DrainMemory::default()))]);
    let installation = Installation::default();
    let (mut deciding, mut auditing) = (Vec::new(), Vec::new());
    let mut counts = (0, 0);
    for _ in 0..runs {
        let started = Instant::now();
        let decision = placement::drain::decide(&snapshot, &installation, &memories, &hints, now);
        deciding.push(micros(started));
        let started = Instant::now();
        let violations = placement::drain::audit::audit(
            &decision.plan,
            &snapshot,
            &installation,
            &memories,
            &hints,
            now,
        );
        auditing.push(micros(started));
        counts = (decision.plan.steps.len(), decision.plan.holds.len());
        assert!(
            violations.is_empty(),
            "the audit finds nothing: {violations:?}"
        );
    }
    let pairs_us = pairs_at_rest_us(runs)?;
    let deciding_us = median(deciding);
    let mut table = Table::new();
    table.set_header([
        "1,000 of 1,500 instances leave",
        "decide, ms",
        "audit, ms",
        "steps",
        "holds",
        "÷ 5,000 pairs at rest",
    ]);
    table.add_row([
        "3,000 tasks, everything was read".to_owned(),
        thousandths(deciding_us),
        thousandths(median(auditing)),
        counts.0.to_string(),
        counts.1.to_string(),
        ratio(deciding_us, pairs_us),
    ]);
    Ok(format!(
        "Deciding about departures, medians of {runs} runs.\n{table}"
    ))
}

/// A warning about each of the first instances.
fn hints(snapshot: &DrainSnapshot, now: Timestamp) -> Hints {
    let instances = snapshot.groups.values().flat_map(|it| it.instances.keys());
    let notices = instances.take(WARNED).map(|instance| NoticeHint {
        at: Some(Seconds(2).before(now)),
        instance: instance.clone(),
        notice: Notice::SpotInterruption {
            action: "terminate".to_owned(),
        },
    });
    Hints {
        notices: notices.collect(),
        ..Hints::default()
    }
}

/// A full look at one group in one cluster.
fn snapshot(key: &DrainKey, now: Timestamp) -> Result<DrainSnapshot, IdError> {
    let cluster: ClusterName = "leaving".parse()?;
    let definition: TaskDefinitionArn =
        "arn:aws:ecs:us-west-2:111122223333:task-definition/web:1".parse()?;
    let (mut members, mut looked) = (BTreeMap::new(), BTreeMap::new());
    let (mut containers, mut tasks) = (BTreeMap::new(), Vec::new());
    for number in 0..INSTANCES {
        let id: InstanceId = format!("i-{number:017x}").parse()?;
        let zone: AvailabilityZone = ["us-west-2a", "us-west-2b", "us-west-2c"]
            .get(number % 3)
            .copied()
            .unwrap_or("us-west-2a")
            .parse()?;
        let arn: ContainerInstanceArn = format!(
            "arn:aws:ecs:us-west-2:111122223333:container-instance/{cluster}/{number:032x}"
        )
        .parse()?;
        let at = format!("arn:aws:ecs:us-west-2:111122223333:task/{cluster}/{number:031x}");
        for place in 0..TASKS_ON_AN_INSTANCE {
            let arn_of_task = format!("{at}{place}").parse()?;
            tasks.push(task(arn_of_task, &arn, &definition, now)?);
        }
        members.insert(id.clone(), member(&id, &zone)?);
        looked.insert(id.clone(), looked_at(&id, &zone, &cluster, &arn)?);
        containers.insert(arn.clone(), container(&id, &zone, arn, now)?);
    }
    let service = service(&definition)?;
    let tasks_read: BTreeSet<ContainerInstanceArn> = containers.keys().cloned().collect();
    let capacity = ClusterCapacity {
        cluster: cluster.clone(),
        default_strategy: Vec::new(),
        providers: BTreeMap::new(),
        instances: containers,
        tasks,
        services: BTreeMap::from([(service.name.clone(), service)]),
        task_definitions: BTreeMap::from([(
            definition.clone(),
            TaskShape {
                needs: NEEDS,
                ..TaskShape::default()
            },
        )]),
        gaps: Vec::new(),
    };
    let of_cluster = DrainCluster {
        capacity,
        has_every_instance: true,
        tasks_read,
        stop_timeouts: BTreeMap::from([(definition, Seconds(30))]),
    };
    let group = drain_group(key, members, looked)?;
    Ok(DrainSnapshot {
        taken_at: now,
        is_full: true,
        groups: BTreeMap::from([(key.clone(), group)]),
        clusters: BTreeMap::from([(cluster.clone(), of_cluster)]),
        passed_over: BTreeMap::new(),
        outside: BTreeMap::new(),
        searched: BTreeSet::from([cluster]),
        gaps: Vec::new(),
    })
}

fn drain_group(
    key: &DrainKey,
    members: BTreeMap<InstanceId, GroupInstance>,
    looked: BTreeMap<InstanceId, LookedInstance>,
) -> Result<DrainGroup, IdError> {
    Ok(DrainGroup {
        key: key.clone(),
        policy: Ok(DrainPolicy::with_defaults(Consent::Act)),
        group: Some(group(members)?),
        is_proven_ours: true,
        hooks: BTreeMap::new(),
        hooks_read: true,
        in_warm_pool: BTreeSet::new(),
        managed_draining: false,
        managed_scaling: false,
        instances: looked,
        gaps: Vec::new(),
    })
}

fn group(instances: BTreeMap<InstanceId, GroupInstance>) -> Result<Group, IdError> {
    let count = u32::try_from(instances.len()).unwrap_or(u32::MAX);
    Ok(Group {
        name: "workers".parse()?,
        min_size: 0,
        max_size: count.saturating_mul(2),
        desired_capacity: count,
        desired_capacity_type: DesiredCapacityType::Units,
        zones: instances.values().map(|it| it.zone.clone()).collect(),
        types: GroupTypes::InLaunchTemplate,
        market: Market::Spot,
        instances,
        suspended_processes: BTreeSet::new(),
        new_instances_protected: false,
        scaling_policies: BTreeSet::new(),
        scheduled_actions: BTreeSet::new(),
        has_warm_pool: false,
        is_deleting: false,
        activities: Vec::new(),
        tags: BTreeMap::from([("ballast:instance-drain".to_owned(), "act".to_owned())]),
    })
}

fn member(id: &InstanceId, zone: &AvailabilityZone) -> Result<GroupInstance, IdError> {
    Ok(GroupInstance {
        id: id.clone(),
        instance_type: Some("m5.large".parse()?),
        zone: zone.clone(),
        lifecycle: Lifecycle::InService,
        is_healthy: true,
        protected_from_scale_in: false,
        launched_at: None,
    })
}

fn looked_at(
    id: &InstanceId,
    zone: &AvailabilityZone,
    cluster: &ClusterName,
    arn: &ContainerInstanceArn,
) -> Result<LookedInstance, IdError> {
    Ok(LookedInstance {
        id: id.clone(),
        instance_type: Some("m5.large".parse()?),
        zone: Some(zone.clone()),
        member: Some(Membership {
            lifecycle: Lifecycle::InService,
            waits_in_hook: false,
            is_healthy: true,
            terminating_since: None,
        }),
        registered: Some((cluster.clone(), arn.clone())),
        tasks_counted: u32::try_from(TASKS_ON_AN_INSTANCE).ok(),
    })
}

fn container(
    id: &InstanceId,
    zone: &AvailabilityZone,
    arn: ContainerInstanceArn,
    now: Timestamp,
) -> Result<ContainerInstance, IdError> {
    let mut remaining = REGISTERED;
    for _ in 0..TASKS_ON_AN_INSTANCE {
        remaining = remaining.saturating_sub(&NEEDS);
    }
    Ok(ContainerInstance {
        arn,
        ec2_instance: Some(id.clone()),
        provider: Some("workers".parse()?),
        status: ContainerInstanceStatus::Active,
        agent_connected: true,
        agent_version: None,
        registered_at: Some(Seconds(3_600).before(now)),
        registered: REGISTERED,
        remaining,
        host_ports: BTreeSet::new(),
        attributes: BTreeMap::from([
            ("ecs.availability-zone".to_owned(), Some(zone.to_string())),
            ("ecs.instance-type".to_owned(), Some("m5.large".to_owned())),
        ]),
        instance_type: Some("m5.large".parse()?),
        zone: Some(zone.clone()),
        is_impaired: false,
    })
}

fn task(
    arn: model::TaskArn,
    instance: &ContainerInstanceArn,
    definition: &TaskDefinitionArn,
    now: Timestamp,
) -> Result<InstanceTask, IdError> {
    Ok(InstanceTask {
        arn,
        instance: Some(instance.clone()),
        provider: Some("workers".parse()?),
        service: Some("web".parse::<ServiceName>()?),
        is_daemon: false,
        last_status: TaskStatus::Running,
        desired_running: true,
        task_definition: definition.clone(),
        needs: NEEDS,
        protected_until: None,
        created_at: Some(Seconds(3_000).before(now)),
        started_at: Some(Seconds(2_990).before(now)),
    })
}

fn service(definition: &TaskDefinitionArn) -> Result<CapacityService, IdError> {
    let count = u32::try_from(INSTANCES * TASKS_ON_AN_INSTANCE).unwrap_or(u32::MAX);
    Ok(CapacityService {
        name: "web".parse()?,
        status: ServiceStatus::Active,
        scheduling: Scheduling::Replica,
        desired_count: count,
        running_count: count,
        pending_count: 0,
        strategy: Vec::new(),
        deployments: vec![DeploymentTarget {
            id: "ecs-svc/1".parse()?,
            is_primary: true,
            in_progress: false,
            task_definition: definition.clone(),
            desired_count: count,
            strategy: Vec::new(),
        }],
        constraints: Vec::new(),
        placement: Vec::new(),
        minimum_healthy_percent: 100,
        maximum_percent: 200,
        headroom_tasks: Ok(0),
        placement_failed_at: None,
    })
}
