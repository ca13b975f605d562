//! Random states: groups and a cluster's own instances, in every state that an instance can be in, with tasks of every kind, what is
//! remembered of them, what was said about them, gaps and policies.
//!
//! A state is read off a tape of numbers: a shorter tape and smaller numbers make a simpler state, so that a failing one shrinks.

use model::capacity::{Activity, Consent, ContainerInstanceStatus, Lifecycle, Resources};
use model::drain::{
    CauseKind, Departure, DrainKey, DrainMemory, InstancePassedOver, OwnDrain, Whereabouts,
};
use model::memory::Recall;
use model::strategy::StrategyItem;
use model::trigger::LifecycleAction;
use model::{InstanceId, Seconds};
use proptest::prelude::*;

use crate::scene::{Scene, arn, gap, hook, key};
use crate::words::{cause, remembered, said};

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
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.numbers.next().unwrap_or(0)) % sides
    }

    /// Rare: once in so many times, and never once the tape is used up.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.roll(times) == times - 1
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())]
    }
}

/// A look and everything that it depends on.
pub(crate) fn situation() -> impl Strategy<Value = Scene> {
    prop::collection::vec(any::<u16>(), 0..400).prop_map(|numbers| {
        let mut tape = Tape::new(numbers);
        let mut scene = Scene::new();
        fill(&mut scene, &mut tape);
        scene
    })
}

/// The key of the instances of `demo` that are in no group.
pub(crate) fn groupless() -> DrainKey {
    DrainKey::Cluster {
        cluster: "demo".parse().unwrap(),
    }
}

/// What is remembered of an instance, whosever it is. `None` where the ledger does not answer.
pub(crate) fn departure<'a>(
    scene: &'a mut Scene,
    of: &DrainKey,
    id: &InstanceId,
) -> Option<&'a mut Departure> {
    let memory = memory(scene, of)?;
    Some(memory.departures.entry(id.clone()).or_default())
}

pub(crate) fn memory<'a>(scene: &'a mut Scene, of: &DrainKey) -> Option<&'a mut DrainMemory> {
    let made = || Recall::Known(DrainMemory::default());
    match scene.memories.entry(of.clone()).or_insert_with(made) {
        Recall::Known(memory) => Some(memory),
        Recall::Unknown => None,
    }
}

/// Moves an instance of the group `spot` out of every group.
pub(crate) fn leave_group(scene: &mut Scene, id: &InstanceId) {
    let group = scene.group("spot");
    let mut looked = group.instances.remove(id).unwrap();
    let of_group = group.group.as_mut().unwrap();
    of_group.instances.remove(id);
    of_group.desired_capacity -= 1;
    looked.member = None;
    scene.groupless().instances.insert(id.clone(), looked);
}

fn fill(scene: &mut Scene, tape: &mut Tape) {
    scene.snapshot.is_full = !tape.one_in(4);
    scene.cluster().has_every_instance = !tape.one_in(5);
    if !scene.cluster().has_every_instance {
        scene.snapshot.searched.clear();
    }
    if tape.one_in(6) {
        scene.installation.schedule_interval = Seconds(tape.of(&[30, 300]));
    }
    services(scene, tape);
    let mut groups = vec!["spot"];
    if tape.one_in(3) {
        groups.push("other");
    }
    for name in groups {
        scene.group(name);
        policy(scene, &key(name), tape);
        for _ in 0..tape.roll(5) {
            let id = scene.starting(name);
            instance(scene, &key(name), &id, tape);
        }
        group(scene, name, tape);
    }
    if tape.one_in(3) {
        for _ in 0..=tape.roll(2) {
            let id = scene.starting("spot");
            leave_group(scene, &id);
            instance(scene, &groupless(), &id, tape);
        }
        policy(scene, &groupless(), tape);
    }
    moved(scene, tape);
    if tape.one_in(10) {
        scene.cluster().capacity.gaps.push(gap("ecs:DescribeTasks"));
    }
    if tape.one_in(10) {
        scene.snapshot.gaps.push(gap("ecs:ListClusters"));
    }
    if tape.one_in(6) {
        let whys = [
            InstancePassedOver::NotOptedIn {
                group: Some("mine".parse().unwrap()),
                cluster: None,
            },
            InstancePassedOver::NotFound,
            InstancePassedOver::NotRegistered,
            InstancePassedOver::LeftToSchedule {
                group: "spot".parse().unwrap(),
            },
            InstancePassedOver::Unread {
                gap: gap("autoscaling:DescribeAutoScalingInstances"),
            },
        ];
        for (number, why) in whys.into_iter().enumerate() {
            let id: InstanceId = format!("i-90{number}").parse().unwrap();
            said(scene, &id, tape);
            scene.snapshot.passed_over.insert(id, why);
        }
    }
}

/// Something is remembered of instances where they are not: in a group that they have left, or alone, from before they registered.
fn moved(scene: &mut Scene, tape: &mut Tape) {
    let keys: Vec<DrainKey> = scene.snapshot.groups.keys().cloned().collect();
    for key in &keys {
        let ids: Vec<InstanceId> = scene.snapshot.groups[key]
            .instances
            .keys()
            .cloned()
            .collect();
        for id in ids {
            if *key == groupless() && tape.one_in(4) {
                let before = alone(&id);
                let cause = cause(scene, 40, tape);
                let told = departure(scene, &before, &id).unwrap();
                told.causes = vec![cause];
                told.causes.retain(|it| is_told(it.kind()));
            }
            if !tape.one_in(8) {
                continue;
            }
            let Some(of) = departure(scene, key, &id).cloned() else {
                continue;
            };
            let other = keys[tape.roll(keys.len())].clone();
            if tape.roll(2) == 1 {
                // It is in nothing any more.
                let group = scene.snapshot.groups.get_mut(key).unwrap();
                group.instances.remove(&id);
                if let Some(of_group) = &mut group.group {
                    of_group.instances.remove(&id);
                }
                outside(scene, key, &id, tape);
            } else if other != *key
                && let Some(there) = departure(scene, &other, &id)
            {
                *there = of;
                memory(scene, key).unwrap().departures.remove(&id);
            }
        }
    }
}

/// Where Auto Scaling has an instance that has left its group, since when, and mostly that Ballast had drained it.
fn outside(scene: &mut Scene, of: &DrainKey, id: &InstanceId, tape: &mut Tape) {
    let in_group = |lifecycle| Whereabouts::InGroup {
        group: "not-ours".parse().unwrap(),
        lifecycle,
    };
    let place = match tape.roll(10) {
        0..=3 => Some(Whereabouts::InNoGroup),
        4 | 5 => Some(in_group(Lifecycle::InService)),
        6 => Some(in_group(Lifecycle::Warmed)),
        7 => Some(in_group(Lifecycle::Terminating)),
        8 => Some(Whereabouts::Unread {
            gap: gap("autoscaling:DescribeAutoScalingInstances"),
        }),
        _ => None,
    };
    let places = &mut scene.snapshot.outside;
    places.extend(place.map(|it| (id.clone(), it)));
    let is_there = scene.capacity().instances.contains_key(&arn(id));
    if !is_there || tape.one_in(4) {
        return;
    }
    scene.container(id).status = ContainerInstanceStatus::Draining;
    if !tape.one_in(4) {
        scene.container(id).agent_connected = true;
    }
    let own = OwnDrain {
        at: scene.ago(tape.of(&[5_000, 10, 30, 700_000])),
        cause: tape.of(&[
            CauseKind::SpotInterruption,
            CauseKind::Terminating,
            CauseKind::Rebalance,
        ]),
        confirmed: true,
    };
    let left_at = tape.of(&[Some(600), Some(599), Some(4_000), None]);
    let left_at = left_at.map(|secs| scene.ago(secs));
    let is_alone = tape.roll(3) > 0;
    if is_alone {
        scene.hints.notices.retain(|it| it.instance != *id);
    }
    if let Some(departure) = departure(scene, of, id) {
        if is_alone {
            *departure = Departure::default();
        }
        departure.own_drain = Some(own);
        departure.drained_in = Some("demo".parse().unwrap());
        departure.left_at = left_at;
    }
}

/// The key of an instance that is registered nowhere.
pub(crate) fn alone(id: &InstanceId) -> DrainKey {
    DrainKey::Instance {
        instance: id.clone(),
    }
}

const fn is_told(kind: CauseKind) -> bool {
    matches!(
        kind,
        CauseKind::SpotInterruption
            | CauseKind::CapacityReservationInterruption
            | CauseKind::Maintenance
    )
}

fn services(scene: &mut Scene, tape: &mut Tape) {
    for name in ["web", "api"] {
        let (minimum, maximum) =
            tape.of(&[(100, 200), (50, 100), (100, 100), (0, 100), (100, 150)]);
        let missing = tape.of(&[0, 0, 0, 2]);
        let service = scene.service(name, missing);
        service.minimum_healthy_percent = minimum;
        service.maximum_percent = maximum;
        if tape.roll(2) == 1 {
            service.strategy = vec![StrategyItem {
                provider: tape.of(&["spot", "spot", "spot", "other"]).parse().unwrap(),
                base: 0,
                weight: 1,
            }];
        }
    }
    for family in ["web", "api", "job"] {
        if tape.one_in(3) {
            let secs = tape.of(&[2, 30, 90, 120, 600]);
            scene.stop_timeout(family, secs);
        }
    }
}

fn policy(scene: &mut Scene, of: &DrainKey, tape: &mut Tape) {
    if *of == groupless() {
        scene.groupless();
    }
    let group = scene.snapshot.groups.get_mut(of).unwrap();
    let policy = group.policy.as_mut().unwrap();
    policy.departure_timeout = Seconds(tape.of(&[900, 60, 172_800]));
    policy.stop_tasks = tape.roll(2) == 1;
    policy.drain_on_rebalance = tape.roll(2) == 1;
    policy.drain_on_lost_agent = tape.roll(2) == 1;
    policy.maintenance_lead = Seconds(tape.of(&[1_800, 0, 604_800]));
    policy.agent_drains = tape.one_in(4);
    policy.disruption_percent = tape.of(&[10, 1, 50, 100]);
    policy.agent_grace = Seconds(tape.of(&[300, 60]));
    if tape.one_in(16) {
        policy.consent = Consent::Advise;
    }
    policy.paused = tape.one_in(20);
    if tape.one_in(20) {
        group.policy = Err(Vec::new());
    }
    if tape.one_in(10) {
        group
            .gaps
            .push(gap("autoscaling:DescribeScalingActivities"));
    }
    if tape.one_in(12) {
        scene.memories.insert(of.clone(), Recall::Unknown);
    }
}

fn group(scene: &mut Scene, name: &str, tape: &mut Tape) {
    let at = scene.ago(tape.of(&[30, 700]));
    let drained = scene.group(name);
    drained.managed_draining = tape.one_in(4);
    drained.managed_scaling = drained.managed_draining;
    drained.is_proven_ours = !tape.one_in(6);
    match tape.roll(10) {
        7 => drained.hooks.clear(),
        8 => {
            drained.hooks.clear();
            drained.hooks_read = false;
        }
        9 => {
            let foreign = hook("ecs-managed-draining-termination-hook", 172_800);
            drained.hooks.insert(foreign.name.clone(), foreign);
        }
        _ => {}
    }
    if tape.one_in(3) {
        let secs = tape.of(&[60, 30, 3_600]);
        for it in drained.hooks.values_mut() {
            it.heartbeat_timeout = Seconds(secs);
            it.global_timeout = Seconds(secs * 100);
        }
    }
    let of_group = drained.group.as_mut().unwrap();
    let tags = &mut of_group.tags;
    let consent = match &drained.policy {
        Ok(policy) if policy.consent == Consent::Act => "act",
        Ok(_) => "advise",
        Err(_) => "maybe",
    };
    tags.insert("ballast:instance-drain".to_owned(), consent.to_owned());
    let raised = tape.of(&["act", "act", "act", "advise", "none"]);
    tags.insert("ballast:cluster-scaler".to_owned(), raised.to_owned());
    let has = of_group.desired_capacity;
    of_group.max_size = tape.of(&[10, has, 10]);
    if tape.one_in(8) {
        of_group.suspended_processes.insert("Launch".to_owned());
    }
    for zone in ["us-west-2a", "us-west-2b"] {
        if tape.one_in(6) {
            of_group.activities.push(Activity {
                id: format!("failed-{zone}"),
                started_at: at,
                status: "Failed".to_owned(),
                status_message: "Could not launch Spot Instances. UnfulfillableCapacity".to_owned(),
                description: "Launching a new EC2 instance".to_owned(),
                zone: Some(zone.parse().unwrap()),
            });
        }
    }
}

/// One instance: where it is registered and in its group, what is on it, what is remembered, what was said.
fn instance(scene: &mut Scene, of: &DrainKey, id: &InstanceId, tape: &mut Tape) {
    let is_registered = !tape.one_in(8);
    if is_registered {
        scene.register(id);
        tasks(scene, id, tape);
        status(scene, of, id, tape);
    }
    membership(scene, of, id, tape);
    if tape.one_in(2) {
        for _ in 0..=tape.roll(2) {
            said(scene, id, tape);
        }
    }
    if tape.one_in(3) {
        remembered(scene, of, id, tape);
    }
    if !scene.snapshot.is_full && tape.one_in(8) {
        scene.cluster().tasks_read.remove(&arn(id));
    }
}

fn tasks(scene: &mut Scene, id: &InstanceId, tape: &mut Tape) {
    for _ in 0..tape.of(&[0, 1, 2, 4]) {
        let whose = tape.of(&["web", "web", "api", "job"]);
        let task = scene.task(whose, id);
        if tape.one_in(8) {
            task.desired_running = false;
        }
    }
    if tape.one_in(3) {
        scene.daemon(id);
    }
    match tape.roll(5) {
        3 => scene.fill(id),
        4 => scene.container(id).remaining = Resources::ZERO,
        _ => {}
    }
}

fn status(scene: &mut Scene, of: &DrainKey, id: &InstanceId, tape: &mut Tape) {
    let status = match tape.roll(16) {
        7..=12 => ContainerInstanceStatus::Draining,
        13 => ContainerInstanceStatus::Registering,
        14 => ContainerInstanceStatus::Inactive,
        15 => ContainerInstanceStatus::Deregistering,
        _ => ContainerInstanceStatus::Active,
    };
    scene.container(id).status = status;
    let since = scene.ago(tape.of(&[40, 29, 30, 5, 1_000, 200_000, 691_200]));
    if status == ContainerInstanceStatus::Draining
        && tape.roll(4) > 0
        && let Some(departure) = departure(scene, of, id)
    {
        departure.draining_since = Some(since);
        if tape.roll(2) == 1 {
            departure.own_drain = Some(OwnDrain {
                at: since,
                cause: tape.of(&[
                    CauseKind::SpotInterruption,
                    CauseKind::CapacityReservationInterruption,
                    CauseKind::Terminating,
                    CauseKind::Stopping,
                    CauseKind::Maintenance,
                    CauseKind::Rebalance,
                    CauseKind::AgentLost,
                ]),
                confirmed: !tape.one_in(4),
            });
        }
    }
    if tape.one_in(4) {
        scene.container(id).agent_connected = false;
        let since = scene.ago(tape.of(&[400, 30, 60, 300, 299]));
        if let Some(departure) = departure(scene, of, id) {
            departure.disconnected_since = Some(since);
        }
    }
}

fn membership(scene: &mut Scene, of: &DrainKey, id: &InstanceId, tape: &mut Tape) {
    let since = scene.ago(tape.of(&[20, 100, 290, 299, 300, 899, 900, 5_000]));
    let (lifecycle, state) = match tape.roll(16) {
        9..=12 => (Lifecycle::Terminating, 0),
        13 => (Lifecycle::Standby, 1),
        14 => (Lifecycle::Detaching, 2),
        15 => (Lifecycle::InService, 3),
        _ => (Lifecycle::InService, 4),
    };
    if scene.looked(id).member.is_none() {
        return;
    }
    if state == 3 {
        // Its group has let it go, and it is looked at all the same.
        scene.looked(id).member = None;
        return;
    }
    let waits = lifecycle == Lifecycle::Terminating && !tape.one_in(4);
    let is_known = tape.roll(3) > 0;
    let is_ill = tape.one_in(8);
    let member = scene.member(id);
    member.lifecycle = lifecycle;
    member.waits_in_hook = waits;
    member.is_healthy = !is_ill;
    if lifecycle == Lifecycle::Terminating && is_known {
        member.terminating_since = Some(since);
    }
    let mut groups = scene.snapshot.groups.values_mut();
    let in_group = groups.find_map(|it| it.group.as_mut()?.instances.get_mut(id));
    let in_group = in_group.unwrap();
    in_group.lifecycle = lifecycle;
    in_group.is_healthy = !is_ill;
    if let DrainKey::Group { group } = of
        && waits
        && tape.one_in(3)
    {
        let at = Some(scene.ago(tape.of(&[15, 310, -5])));
        let action = LifecycleAction {
            group: group.clone(),
            hook: "ballast-instance-drain".parse().unwrap(),
            instance: id.clone(),
            token: Some("token".to_owned()),
            origin: None,
            destination: None,
        };
        scene.hints.lifecycle_actions.push((at, action));
    }
}
