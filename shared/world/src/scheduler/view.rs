//! What a look sees, and what follows from it: how many tasks to start, and which to stop.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use model::snapshot::{Health, TaskStatus};
use model::strategy::StrategyItem;

use crate::state::{Service, Task};

/// What a look sees.
#[derive(Debug)]
pub(super) struct View {
    pub(super) desired: u32,
    pub(super) serving_min: u32,
    pub(super) live_max: u32,
    /// The live tasks of the primary deployment.
    pub(super) new: Vec<Seen>,
    /// The live tasks of older deployments.
    pub(super) old: Vec<Seen>,
}

/// What a look sees of a task.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) zone: String,
    pub(super) running: bool,
    pub(super) unhealthy: bool,
    pub(super) created_at: Timestamp,
}

impl Seen {
    fn of(task: &Task) -> Self {
        Self {
            id: task.id().to_owned(),
            provider: provider_of(task).to_owned(),
            zone: task.zone.clone(),
            running: task.last_status == TaskStatus::Running,
            unhealthy: task.health == Health::Unhealthy,
            created_at: task.created_at,
        }
    }

    pub(super) const fn ready(&self) -> bool {
        self.running && !self.unhealthy
    }
}

impl View {
    pub(super) fn of(service: &Service, tasks: &[&Task]) -> Self {
        let desired = service.desired_count;
        let primary = service.deployments.first().map_or("", |it| it.id.as_str());
        let (new, old): (Vec<_>, Vec<_>) = tasks
            .iter()
            .filter(|it| it.is_live())
            .partition(|it| it.deployment == primary);
        // The minimum rounds up and the maximum rounds down.
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
        let percent = |percent: u32| u64::from(desired) * u64::from(percent);
        let count = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
        Self {
            desired,
            serving_min: count(percent(service.minimum_healthy_percent).div_ceil(100)),
            live_max: count(percent(service.maximum_percent) / 100),
            new: new.into_iter().map(Seen::of).collect(),
            old: old.into_iter().map(Seen::of).collect(),
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

    /// Which tasks to stop, and why.
    pub(super) fn to_stop(&self, items: &[StrategyItem]) -> Vec<(String, &'static str)> {
        let mut stops = self.old_to_stop();
        let unhealthy: Vec<&Seen> = self.new.iter().filter(|it| it.unhealthy).collect();
        let replaced = self.ready() >= self.desired;
        if replaced || self.spare() == 0 {
            stops.extend(
                unhealthy
                    .iter()
                    .map(|it| (it.id.clone(), "Task failed container health checks")),
            );
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
            scale_in(kept, excess, items)
                .into_iter()
                .map(|id| (id, "Scaling activity initiated by the service scheduler")),
        );
        stops
    }

    /// Old tasks go as soon as the minimum is kept without them; those that do not serve go at once.
    fn old_to_stop(&self) -> Vec<(String, &'static str)> {
        const REASON: &str = "Scaling activity initiated by the deployment";
        let mut may_go = self.ready().saturating_sub(self.serving_min);
        let mut old: Vec<&Seen> = self.old.iter().collect();
        old.sort_by(|a, b| a.created_at.cmp(&b.created_at).then(a.id.cmp(&b.id)));
        let mut stops = Vec::new();
        for task in old {
            if task.ready() {
                if may_go == 0 {
                    continue;
                }
                may_go -= 1;
            }
            stops.push((task.id.clone(), REASON));
        }
        stops
    }
}

/// Which tasks go when there are too many: those that do not run yet, then those of the fullest zone, then the newest. The strategy's
/// base is kept, because it is the number of tasks "at a minimum" on its provider.
fn scale_in(mut kept: Vec<&Seen>, excess: u32, items: &[StrategyItem]) -> Vec<String> {
    let mut gone = Vec::new();
    for _ in 0..excess {
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        let mut providers: BTreeMap<&str, u32> = BTreeMap::new();
        for task in &kept {
            *zones.entry(&task.zone).or_default() += 1;
            *providers.entry(&task.provider).or_default() += 1;
        }
        let is_base = |task: &Seen| {
            items.iter().any(|it| {
                it.provider.as_str() == task.provider
                    && providers.get(task.provider.as_str()).copied().unwrap_or(0) <= it.base
            })
        };
        let first = kept
            .iter()
            .enumerate()
            .min_by_key(|(_, task)| {
                let zone = zones.get(task.zone.as_str()).copied().unwrap_or(0);
                (
                    is_base(task),
                    task.running,
                    Reverse(zone),
                    Reverse(task.created_at),
                    task.id.clone(),
                )
            })
            .map(|(index, _)| index);
        let Some(index) = first else {
            break;
        };
        gone.push(kept.remove(index).id.clone());
    }
    gone
}

pub(super) fn count(it: usize) -> u32 {
    u32::try_from(it).unwrap_or(u32::MAX)
}

fn provider_of(task: &Task) -> &str {
    task.provider.as_deref().unwrap_or(&task.launch_type)
}
