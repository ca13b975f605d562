//! Random states: several clusters and providers, groups at their limits, instances in every state, services of every kind, deployments,
//! gaps, policies and memories.
//!
//! A state is read off a tape of numbers: a shorter tape and smaller numbers make a simpler state, so that a failing one shrinks.

use std::collections::BTreeSet;

use model::capacity::{
    CapacityWrite, Consent, Constraint, ContainerInstanceStatus, Drain, DrainReason, GroupTypes,
    HostPort, Lifecycle, ManagedScaling, Placement, Protocol, ProviderKey, ProviderPassedOver,
};
use model::memory::ForeignEdit;
use model::snapshot::Scheduling;
use model::{ClusterName, InstanceId, Seconds};
use proptest::prelude::*;

use crate::scene::{Scene, ago, arn, gap, key, needs};

/// Numbers to choose by; 0 once they are used up.
#[derive(Debug)]
pub(crate) struct Tape {
    numbers: std::vec::IntoIter<u16>,
}

impl Tape {
    pub(crate) fn new(numbers: Vec<u16>) -> Self {
        Self {
            numbers: numbers.into_iter(),
        }
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        u32::from(self.numbers.next().unwrap_or(0)) % sides
    }

    /// Rare: once in so many times, and never once the tape is used up.
    pub(crate) fn one_in(&mut self, times: u32) -> bool {
        self.roll(times) == times - 1
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(u32::try_from(choices.len()).unwrap()) as usize]
    }
}

/// A look and everything that it depends on.
pub(crate) fn situation() -> impl Strategy<Value = Scene> {
    prop::collection::vec(any::<u16>(), 0..500).prop_map(|numbers| {
        let mut tape = Tape::new(numbers);
        let mut scene = Scene::new();
        fill(&mut scene, &mut tape);
        if tape.one_in(3) {
            let mut other = Scene::new();
            fill(&mut other, &mut tape);
            join(&mut scene, other);
        }
        if tape.one_in(8) {
            scene.snapshot.gaps.push(gap("ecs:ListClusters"));
        }
        if tape.one_in(4) {
            let whys = [
                ProviderPassedOver::NotOptedIn,
                ProviderPassedOver::ManagedInstances,
                ProviderPassedOver::GroupNotFound {
                    group: "gone".to_owned(),
                },
                ProviderPassedOver::Unread {
                    gap: gap("autoscaling:DescribeAutoScalingGroups"),
                },
            ];
            for (number, why) in whys.into_iter().enumerate() {
                scene
                    .snapshot
                    .passed_over
                    .insert(key(&format!("passed-{number}")), why);
            }
        }
        scene
    })
}

/// The other scene's cluster becomes the cluster `other` of the first one.
fn join(scene: &mut Scene, other: Scene) {
    let name: ClusterName = "other".parse().unwrap();
    let rename = |key: ProviderKey| ProviderKey::new("other".parse().unwrap(), key.provider);
    for mut cluster in other.snapshot.clusters.into_values() {
        cluster.cluster = name.clone();
        for provider in cluster.providers.values_mut() {
            provider.key = rename(provider.key.clone());
        }
        scene.snapshot.clusters.insert(name.clone(), cluster);
    }
    let memories = other.memories.into_iter();
    scene
        .memories
        .extend(memories.map(|(key, memory)| (rename(key), memory)));
}

fn fill(scene: &mut Scene, tape: &mut Tape) {
    let providers: &[&str] = tape.of(&[&["ec2"][..], &["ec2", "spot"], &["spot"]]);
    let mut types = Vec::new();
    for name in providers {
        types.push(provider(scene, name, tape));
    }
    services(scene, providers, tape);
    for (name, of_group) in providers.iter().zip(types) {
        for _ in 0..tape.roll(5) {
            instance(scene, name, tape.of(of_group), tape);
        }
    }
    for name in providers {
        for whose in ["web", "api", "job"] {
            let waiting = tape.of(&[0, 0, 0, 0, 0, 0, 1, 2]);
            let is_known = scene
                .cluster()
                .services
                .contains_key(&whose.parse().unwrap());
            if whose == "job" {
                scene.shape(whose).needs = needs(256, 256);
            }
            if is_known || whose == "job" {
                scene.waiting(whose, name, waiting);
            }
        }
        limits(scene, name, tape);
        memory(scene, name, tape);
    }
    if tape.one_in(10) {
        scene.cluster().gaps.push(gap("ecs:DescribeTasks"));
    }
}

type Types = &'static [&'static str];

fn provider(scene: &mut Scene, name: &str, tape: &mut Tape) -> Types {
    let types: Types = tape.of(&[
        &["t3.small"][..],
        &["t3.small", "m5.large"],
        &["m5.large", "c5.large", "m5.xlarge"],
    ]);
    let provider = scene.provider(name);
    let group = &mut provider.group;
    group
        .tags
        .insert("ballast:cluster-scaler".to_owned(), "act".to_owned());
    if tape.one_in(12) {
        group.suspended_processes = BTreeSet::from([tape.of(&["Launch", "Terminate"]).to_owned()]);
    }
    group.is_deleting = tape.one_in(30);
    group.has_warm_pool = tape.one_in(30);
    if tape.one_in(30) {
        group.scaling_policies.insert("cpu".to_owned());
    }
    if tape.one_in(12) {
        provider
            .gaps
            .push(gap("autoscaling:DescribeScalingActivities"));
    }
    if tape.one_in(6) {
        provider.managed_scaling = Some(ManagedScaling {
            enabled: tape.one_in(3),
            target_capacity_percent: Some(90),
            minimum_scaling_step_size: Some(tape.of(&[1, 2])),
            maximum_scaling_step_size: Some(tape.of(&[10, 2])),
            instance_warmup_period: None,
        });
    }
    if !tape.one_in(5) {
        scene.types(name, &types.join(" "));
    }
    if tape.one_in(30)
        && let GroupTypes::Listed { choices } = &mut scene.group(name).types
    {
        choices[0].weighted_capacity = Some(2);
    }
    policy(scene, name, tape);
    types
}

fn policy(scene: &mut Scene, name: &str, tape: &mut Tape) {
    let policy = scene.policy(name);
    policy.target_capacity_percent = tape.of(&[None, Some(100), Some(80), Some(50)]);
    policy.step_min = tape.of(&[None, None, Some(2)]);
    policy.step_max = tape.of(&[None, None, Some(2)]);
    policy.scale_in_delay = Seconds(tape.of(&[0, 0, 300, 900]));
    policy.minimum_age = Seconds(tape.of(&[0, 300, 600]));
    policy.consolidate = tape.roll(2) == 1;
    policy.disruption_percent = tape.of(&[100, 10, 34]);
    if tape.one_in(20) {
        policy.consent = Consent::Advise;
    }
    policy.paused = tape.one_in(30);
    if tape.one_in(30) {
        scene.provider(name).policy = Err(Vec::new());
    }
}

fn services(scene: &mut Scene, providers: &[&str], tape: &mut Tape) {
    let strategies: &[&str] = match providers {
        [_, _] => &[
            "ec2=0/1",
            "spot=0/1",
            "ec2=1/1 spot=0/4",
            "ec2=0/1 spot=0/1",
            "",
        ],
        ["spot"] => &["spot=0/1", ""],
        _ => &["ec2=0/1", ""],
    };
    for name in ["web", "api", "logs"] {
        let is_daemon = name == "logs";
        if is_daemon && !tape.one_in(3) {
            continue;
        }
        let desired = tape.of(&[0, 1, 2, 0, 4, 8]);
        let strategy = if tape.one_in(6) {
            tape.of(strategies)
        } else {
            strategies[tape.roll(u32::try_from(strategies.len()).unwrap() - 1) as usize]
        };
        let service = scene.service(name, desired, strategy);
        if is_daemon {
            service.scheduling = Scheduling::Daemon;
        }
        service.headroom_tasks = Ok(tape.of(&[0, 0, 1, 3]));
        if tape.one_in(15) {
            service.deployments[0].in_progress = true;
        }
        if tape.one_in(4) {
            let expression = tape.of(&[
                "",
                "attribute:ecs.instance-type =~ t3.*",
                "attribute:stack == blue",
            ]);
            service.constraints = vec![match expression {
                "" => Constraint::DistinctInstance,
                _ => Constraint::MemberOf {
                    expression: expression.to_owned(),
                },
            }];
        }
        if tape.one_in(4) {
            let field = tape.of(&["attribute:ecs.availability-zone", "instanceId"]);
            service.placement = vec![Placement::Spread {
                field: field.to_owned(),
            }];
        }
        let shape = scene.shape(name);
        shape.needs = if is_daemon {
            needs(128, 128)
        } else {
            tape.of(&[
                needs(256, 512),
                needs(1_024, 900),
                needs(512, 1_700),
                needs(128, 3_000),
                needs(100, 100_000),
            ])
        };
        if tape.one_in(6) {
            shape.host_ports = BTreeSet::from([HostPort {
                protocol: Protocol::Tcp,
                port: 8_080,
            }]);
        }
    }
}

fn instance(scene: &mut Scene, provider: &str, instance_type: &str, tape: &mut Tape) {
    let state = tape.roll(24);
    if state == 20 {
        let id = scene.pending(provider, instance_type);
        scene.member(&id).launched_at = Some(ago(tape.of(&[60, 200, 400])));
        return;
    }
    let id = scene.instance(provider, instance_type);
    tasks_on(scene, provider, &id, tape);
    let since = ago(tape.of(&[60, 299, 300, 301, 3_600]));
    match state {
        10 | 11 => {
            scene.container(&id).status = ContainerInstanceStatus::Draining;
            let drain = Drain {
                at: since,
                reason: DrainReason::Empty,
            };
            scene.memory(provider).drains.insert(id, drain);
        }
        12 => scene.container(&id).status = ContainerInstanceStatus::Draining,
        13 => {
            scene.container(&id).agent_connected = false;
            scene.memory(provider).disconnected.insert(id, since);
        }
        14 => scene.member(&id).lifecycle = Lifecycle::Standby,
        15 => scene.member(&id).lifecycle = Lifecycle::Terminating,
        16 => scene.member(&id).is_healthy = false,
        17 => scene.container(&id).is_impaired = true,
        18 => scene.member(&id).protected_from_scale_in = true,
        19 | 22 => scene.container(&id).registered_at = Some(since),
        21 => {
            // In service and not registered.
            scene.cluster().instances.remove(&arn(&id));
            let on = arn(&id);
            let cluster = scene.cluster();
            cluster.tasks.retain(|task| {
                let stays = task.instance.as_ref() != Some(&on);
                let service = task.service.as_ref();
                if let Some(service) = service.and_then(|it| cluster.services.get_mut(it)) {
                    service.running_count -= u32::from(!stays);
                }
                stays
            });
            scene.member(&id).launched_at = Some(since);
            if tape.roll(2) == 1 {
                scene.memory(provider).unregistered.insert(id, since);
            }
        }
        _ => {}
    }
}

fn tasks_on(scene: &mut Scene, provider: &str, id: &InstanceId, tape: &mut Tape) {
    let has_logs = scene
        .cluster()
        .services
        .contains_key(&"logs".parse().unwrap());
    if has_logs && !tape.one_in(5) {
        scene.task("logs", id).is_daemon = true;
    }
    for _ in 0..tape.of(&[0, 0, 0, 1, 2, 4]) {
        scene.shape("job").needs = needs(256, 256);
        let whose = tape.of(&["web", "web", "web", "api", "api", "job"]);
        let of_task = scene.shape(whose).needs;
        let ports = scene.shape(whose).host_ports.clone();
        let container = scene.container(id);
        if !of_task.fits(&container.remaining) || !container.host_ports.is_disjoint(&ports) {
            continue;
        }
        container.host_ports.extend(ports);
        let task = scene.task(whose, id);
        task.provider = Some(provider.parse().unwrap());
        match tape.roll(16) {
            8..=12 => task.protected_until = Some(Some(ago(-600))),
            13 => task.protected_until = None,
            14 => task.desired_running = false,
            15 => task.provider = None,
            _ => {}
        }
    }
}

fn limits(scene: &mut Scene, name: &str, tape: &mut Tape) {
    let group = scene.group(name);
    let has = group.desired_capacity;
    if tape.one_in(5) {
        group.desired_capacity += tape.of(&[1, 3]);
    }
    group.max_size = tape.of(&[10, has, has + 1, 50]).max(group.desired_capacity);
    group.min_size = tape.of(&[0, 0, 1, has]).min(group.desired_capacity);
    if tape.one_in(8) {
        let text = tape.of(&[
            "We currently do not have sufficient t3.small capacity in the Availability Zone you requested (us-west-2a).",
            "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration.",
        ]);
        scene.failed(name, tape.of(&[30, 400]), text);
    }
    if tape.one_in(8) {
        let text = "There is no Spot capacity available that matches your request.";
        scene.reported(name, 40, text);
    }
}

fn memory(scene: &mut Scene, name: &str, tape: &mut Tape) {
    if tape.one_in(12) {
        scene.forget(name);
        return;
    }
    if tape.roll(4) > 0 {
        let secs = tape.of(&[3_600, 900, 300, 299]);
        let wanted = tape.roll(5);
        scene.watched(name, secs, wanted);
    }
    let desired = scene.group(name).desired_capacity;
    let write = tape.roll(12);
    let memory = scene.memory(name);
    memory.wrote = match write {
        0..=5 => None,
        _ => Some(CapacityWrite {
            from: desired.saturating_sub(1),
            to: desired,
            at: ago(tape.of(&[3_600, 10])),
            confirmed: true,
        }),
    };
    if let (10 | 11, Some(wrote)) = (write, &mut memory.wrote) {
        wrote.to = desired + 1;
        wrote.confirmed = write == 11;
        if tape.one_in(2) {
            memory.foreign = Some(ForeignEdit {
                found: desired,
                wrote: desired + 1,
                noticed_at: ago(tape.of(&[60, 4_000])),
            });
        }
    }
}
