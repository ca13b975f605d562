//! What a look sees, and what follows from it: how many tasks to start, and which to stop.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use model::snapshot::TaskStatus;
use model::strategy::StrategyItem;

use crate::ecs::{fails_checks, unhealthy_target_group};
use crate::state::{Service, Task};

/// The reason of a scale-in.
const SCALING: &str = "Scaling activity initiated by the service scheduler";

/// What a look sees.
#[derive(Debug)]
pub(super) struct View {
    pub(super) desired: u32,
    pub(super) serving_min: u32,
    pub(super) live_max: u32,
    /// The live tasks of the primary deployment that may stay where they are.
    pub(super) new: Vec<Seen>,
    /// The live tasks of older deployments and those on DRAINING instances: both are replaced before they go.
    pub(super) old: Vec<Seen>,
}

/// What a look sees of a task.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) zone: String,
    pub(super) running: bool,
    /// Its health checks fail, those of its container or those of a load balancer, and the grace period is over.
    pub(super) unhealthy: bool,
    pub(super) created_at: Timestamp,
    /// No health check fails, and its targets are healthy.
    healthy: bool,
    /// The target group that it fails in.
    target_group: Option<String>,
    /// When its checks that fail are no longer ignored.
    grace_until: Option<Timestamp>,
    instance: Option<String>,
    /// On a DRAINING instance.
    draining: bool,
    protected: bool,
    /// What is left on its instance, where the service packs.
    instance_left: u32,
}

/// What a task's instance and its protection make of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) on_draining: bool,
    pub(super) is_protected: bool,
    pub(super) instance_left: u32,
    /// Until when its health checks are ignored, if that is still to come.
    pub(super) grace_until: Option<Timestamp>,
}

/// Why a task is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StopReason {
    /// For the deployment, which is named.
    Deployment(&'static str),
    /// It fails in a target group.
    TargetGroup(String),
}

impl StopReason {
    /// ECS's words.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>
    pub(super) fn text(&self, deployment: &str) -> String {
        match self {
            Self::Deployment(reason) => format!("{reason} {deployment}"),
            Self::TargetGroup(arn) => {
                format!("Task failed ELB health checks in (target-group {arn})")
            }
        }
    }
}

impl Seen {
    fn of(task: &Task, standing: Standing) -> Self {
        let fails = fails_checks(task);
        Self {
            instance: task.container_instance.clone(),
            draining: standing.on_draining,
            protected: standing.is_protected,
            instance_left: standing.instance_left,
            id: task.id().to_owned(),
            provider: provider_of(task).to_owned(),
            zone: task.zone.clone(),
            running: task.last_status == TaskStatus::Running,
            unhealthy: fails && standing.grace_until.is_none(),
            healthy: !fails && task.is_in_service(),
            target_group: unhealthy_target_group(task).map(str::to_owned),
            grace_until: standing.grace_until.filter(|_| fails),
            created_at: task.created_at,
        }
    }

    pub(super) const fn ready(&self) -> bool {
        self.running && self.healthy
    }

    /// Why it is stopped when its health checks fail.
    fn failure(&self) -> StopReason {
        match &self.target_group {
            Some(arn) => StopReason::TargetGroup(arn.clone()),
            None => StopReason::Deployment("Task failed container health checks"),
        }
    }

    fn instance(&self) -> &str {
        self.instance.as_deref().unwrap_or("")
    }

    fn group(&self) -> (&str, &str) {
        (&self.provider, &self.zone)
    }
}

impl View {
    pub(super) fn of(
        service: &Service,
        tasks: &[&Task],
        standing: impl Fn(&Task) -> Standing,
    ) -> Self {
        let desired = service.desired_count;
        let primary = service.deployments.first().map_or("", |it| it.id.as_str());
        let (new, old): (Vec<_>, Vec<_>) = tasks
            .iter()
            .filter(|it| it.is_live())
            .map(|it| (it.deployment == primary, Seen::of(it, standing(it))))
            .partition(|(is_primary, it)| *is_primary && !it.draining);
        let seen = |all: Vec<(bool, Seen)>| all.into_iter().map(|(_, it)| it).collect();
        // The minimum rounds up and the maximum rounds down.
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
        let percent = |percent: u32| u64::from(desired) * u64::from(percent);
        let count = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
        Self {
            desired,
            serving_min: count(percent(service.minimum_healthy_percent).div_ceil(100)),
            live_max: count(percent(service.maximum_percent) / 100),
            new: seen(new),
            old: seen(old),
        }
    }

    fn live(&self) -> u32 {
        count(self.new.len() + self.old.len())
    }

    fn ready(&self) -> u32 {
        count(
            self.new
                .iter()
                .chain(&self.old)
                .filter(|it| it.ready())
                .count(),
        )
    }

    /// Tasks beyond the desired count that may be started to replace unhealthy ones before they are stopped.
    fn spare(&self) -> u32 {
        let unhealthy = count(self.new.iter().filter(|it| it.unhealthy).count());
        unhealthy.min(self.live_max.saturating_sub(self.desired))
    }

    /// How many tasks of the primary deployment to start.
    pub(super) fn to_start(&self) -> u32 {
        let wanted = self.desired + self.spare();
        let missing = wanted.saturating_sub(count(self.new.len()));
        if self.old.is_empty() {
            missing
        } else {
            missing.min(self.live_max.saturating_sub(self.live()))
        }
    }

    /// When the first grace period of a task whose checks fail ends.
    pub(super) fn graces_end_at(&self) -> Option<Timestamp> {
        let all = self.new.iter().chain(&self.old);
        all.filter_map(|it| it.grace_until).min()
    }

    /// Which tasks to stop, and why.
    pub(super) fn to_stop(&self, items: &[StrategyItem]) -> Vec<(String, StopReason)> {
        let mut stops = self.old_to_stop();
        let unhealthy: Vec<&Seen> = self.new.iter().filter(|it| it.unhealthy).collect();
        let replaced = self.ready() >= self.desired;
        if replaced || self.spare() == 0 {
            stops.extend(unhealthy.iter().map(|it| (it.id.clone(), it.failure())));
        }
        let gone = if replaced || self.spare() == 0 {
            unhealthy.len()
        } else {
            0
        };
        let kept: Vec<&Seen> = self
            .new
            .iter()
            .filter(|it| gone == 0 || !it.unhealthy)
            .collect();
        let wanted = if gone == 0 {
            self.desired + self.spare()
        } else {
            self.desired
        };
        let excess = count(kept.len()).saturating_sub(wanted);
        stops.extend(
            scale_in(&kept, excess, items)
                .into_iter()
                .map(|id| (id, StopReason::Deployment(SCALING))),
        );
        stops
    }

    /// Old tasks go as soon as the minimum is kept without them; those that do not serve go at once.
    fn old_to_stop(&self) -> Vec<(String, StopReason)> {
        const REASON: &str = "Scaling activity initiated by the deployment";
        const DRAINING: &str =
            "The container instance is DRAINING; the task is replaced by the deployment";
        let mut may_go = self.ready().saturating_sub(self.serving_min);
        let mut old: Vec<&Seen> = self.old.iter().filter(|it| !it.protected).collect();
        old.sort_by(|a, b| a.created_at.cmp(&b.created_at).then(a.id.cmp(&b.id)));
        let mut stops = Vec::new();
        for task in old {
            if task.ready() {
                if may_go == 0 {
                    continue;
                }
                may_go -= 1;
            }
            let reason = if task.draining { DRAINING } else { REASON };
            stops.push((task.id.clone(), StopReason::Deployment(reason)));
        }
        stops
    }
}

/// Which tasks go when there are too many: those that do not run yet, then (where the service packs) those whose instance has the most
/// left, then those of the fullest zone, of the instance with the most of them, and the newest. The strategy's base is kept, because it
/// is the number of tasks "at a minimum" on its provider. Protected tasks stay.
///
/// Tasks of one provider in one zone are a group: what is said of both is the same for all of them, so that only the groups' first
/// ones are compared.
fn scale_in(kept: &[&Seen], excess: u32, items: &[StrategyItem]) -> Vec<String> {
    let mut crowd = Crowd::of(kept);
    let mut gone = Vec::new();
    for _ in 0..excess {
        let Some(task) = crowd.first(items) else {
            break;
        };
        crowd.take_out(task);
        gone.push(task.id.clone());
    }
    gone
}

/// What decides between two tasks of one provider in one zone.
type Turn<'a> = (
    bool,
    Reverse<u32>,
    Reverse<usize>,
    Reverse<Timestamp>,
    &'a str,
);

/// The tasks that may go, and how many there are of each kind.
struct Crowd<'a> {
    zones: BTreeMap<&'a str, usize>,
    providers: BTreeMap<&'a str, u32>,
    instances: BTreeMap<&'a str, Vec<&'a Seen>>,
    on_instance: BTreeMap<&'a str, usize>,
    groups: BTreeMap<(&'a str, &'a str), BTreeMap<Turn<'a>, &'a Seen>>,
}

impl<'a> Crowd<'a> {
    fn of(kept: &[&'a Seen]) -> Self {
        let mut crowd = Self {
            zones: BTreeMap::new(),
            providers: BTreeMap::new(),
            instances: BTreeMap::new(),
            on_instance: BTreeMap::new(),
            groups: BTreeMap::new(),
        };
        for task in kept {
            *crowd.zones.entry(&task.zone).or_default() += 1;
            *crowd.providers.entry(&task.provider).or_default() += 1;
            *crowd.on_instance.entry(task.instance()).or_default() += 1;
        }
        for &task in kept.iter().filter(|it| !it.protected) {
            let turn = crowd.turn(task);
            let group = crowd.groups.entry(task.group()).or_default();
            group.insert(turn, task);
            // Tasks without an instance change nobody's turn.
            if task.instance.is_some() {
                let same = crowd.instances.entry(task.instance()).or_default();
                same.push(task);
            }
        }
        crowd
    }

    fn turn(&self, task: &'a Seen) -> Turn<'a> {
        let on_instance = if task.instance.is_some() {
            self.on_instance.get(task.instance()).copied().unwrap_or(0)
        } else {
            0
        };
        (
            task.running,
            Reverse(task.instance_left),
            Reverse(on_instance),
            Reverse(task.created_at),
            task.id.as_str(),
        )
    }

    /// The task that goes next.
    fn first(&self, items: &[StrategyItem]) -> Option<&'a Seen> {
        let is_base = |provider: &str| {
            let have = self.providers.get(provider).copied().unwrap_or(0);
            let mut own = items.iter().filter(|it| it.provider.as_str() == provider);
            own.any(|it| have <= it.base)
        };
        let firsts = self.groups.iter().filter_map(|((provider, zone), group)| {
            let ((running, left, on_instance, age, id), task) = group.first_key_value()?;
            let zone = self.zones.get(zone).copied().unwrap_or(0);
            let key = (
                is_base(provider),
                *running,
                *left,
                Reverse(zone),
                *on_instance,
                *age,
                *id,
            );
            Some((key, *task))
        });
        firsts.min_by_key(|(key, _)| *key).map(|(_, task)| task)
    }

    fn take_out(&mut self, task: &'a Seen) {
        self.leave_line(task);
        let neighbours = self.instances.remove(task.instance()).unwrap_or_default();
        let neighbours: Vec<&Seen> = neighbours
            .into_iter()
            .filter(|it| it.id != task.id)
            .collect();
        for other in &neighbours {
            self.leave_line(other);
        }
        if let Some(count) = self.zones.get_mut(task.zone.as_str()) {
            *count -= 1;
        }
        if let Some(count) = self.providers.get_mut(task.provider.as_str()) {
            *count -= 1;
        }
        if let Some(count) = self.on_instance.get_mut(task.instance()) {
            *count -= 1;
        }
        for &other in &neighbours {
            let turn = self.turn(other);
            let group = self.groups.entry(other.group()).or_default();
            group.insert(turn, other);
        }
        if !neighbours.is_empty() {
            self.instances.insert(task.instance(), neighbours);
        }
    }

    fn leave_line(&mut self, task: &'a Seen) {
        let turn = self.turn(task);
        if let Some(group) = self.groups.get_mut(&task.group()) {
            group.remove(&turn);
        }
    }
}

pub(super) fn count(it: usize) -> u32 {
    u32::try_from(it).unwrap_or(u32::MAX)
}

fn provider_of(task: &Task) -> &str {
    task.provider.as_deref().unwrap_or(&task.launch_type)
}
