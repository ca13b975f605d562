//! The zones that services are spread over, as far as removing an instance touches them.
//!
//! A service is spread where it has the placement strategy `spread` over `attribute:ecs.availability-zone`, the only one that spreads
//! over zones. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html>
//!
//! Two rules, for each spread service that has tasks on the provider, or is to have:
//!
//! - **Zones.** An instance that is the last ACTIVE one of its zone stays, if fewer zones than the service can use would be left. A
//!   service can use as many zones as it has tasks (headroom included), at most all that have an ACTIVE instance. So ten tasks keep all
//!   of three zones, and one task keeps one.
//! - **Skew.** Tasks are moved only if the fullest and the emptiest zone then differ by no more tasks than now, or by one.
//!
//! Assumed: which of its providers a service's next task goes to is the strategy's business; only the tasks of this provider count.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{CapacityService, InstanceTask, Placement};
use model::ids::{AvailabilityZone, ServiceName};
use model::snapshot::{Scheduling, TaskStatus};

use super::{Case, Member, MemberState};

/// The attribute that holds an instance's zone.
const ZONE_ATTRIBUTE: &str = "attribute:ecs.availability-zone";

/// What is known of the spread services of a provider.
#[derive(Debug)]
pub(crate) struct Zones<'a> {
    /// How many ACTIVE instances each zone has that are not to be removed.
    instances: BTreeMap<&'a AvailabilityZone, u32>,
    /// How many zones must keep an ACTIVE instance.
    needed: usize,
    /// How many tasks each spread service has in each zone that has an ACTIVE instance.
    tasks: BTreeMap<&'a ServiceName, BTreeMap<&'a AvailabilityZone, u32>>,
}

impl<'a> Zones<'a> {
    pub(crate) fn new(case: &Case<'a>) -> Self {
        let mut instances = BTreeMap::new();
        let active = |it: &&Member<'a>| it.state == MemberState::Active;
        for member in case.members.iter().filter(active) {
            *instances.entry(&member.instance.zone).or_insert(0) += 1;
        }
        let provider = &case.look.provider.key.provider;
        let spread: BTreeMap<&ServiceName, &CapacityService> = case
            .look
            .cluster
            .services
            .iter()
            .filter(|(_, service)| is_spread(service))
            .collect();
        let to_run = |task: &InstanceTask| {
            task.provider.as_ref() == Some(provider)
                && task.desired_running
                && task.last_status != TaskStatus::Stopped
        };
        let mut totals: BTreeMap<&ServiceName, u32> = BTreeMap::new();
        for task in case.look.cluster.tasks.iter().filter(|it| to_run(it)) {
            if let Some(service) = &task.service {
                *totals.entry(service).or_insert(0) += 1;
            }
        }
        let can_use = spread.iter().map(|(name, service)| {
            let only_here = service.strategy.iter().all(|it| it.provider == *provider);
            let names_it = service.strategy.iter().any(|it| it.provider == *provider);
            let desired = match (names_it, only_here) {
                (true, true) => service.desired_count,
                (true, false) | (false, _) => 0,
            };
            let total = totals.get(*name).copied().unwrap_or(0).max(desired);
            let headroom = match &service.headroom_tasks {
                Ok(tasks) if names_it => *tasks,
                Ok(_) | Err(_) => 0,
            };
            total.saturating_add(headroom)
        });
        let most = usize::try_from(can_use.max().unwrap_or(0)).unwrap_or(usize::MAX);
        let needed = most.min(instances.len());
        let mut zones = Self {
            tasks: spread
                .keys()
                .map(|name| (*name, instances.keys().map(|zone| (*zone, 0)).collect()))
                .collect(),
            instances,
            needed,
        };
        for member in &case.members {
            for task in member.tasks.iter().filter(|it| to_run(it)) {
                zones.count(task, &member.instance.zone);
            }
        }
        zones
    }

    fn count(&mut self, task: &InstanceTask, zone: &AvailabilityZone) {
        let counts = task.service.as_ref().and_then(|it| self.tasks.get_mut(it));
        if let Some(count) = counts.and_then(|it| it.get_mut(zone)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many ACTIVE instances a zone has that are not to be removed.
    pub(crate) fn instances_in(&self, zone: &AvailabilityZone) -> u32 {
        self.instances.get(zone).copied().unwrap_or(0)
    }

    /// Whether an instance of the zone may go as far as the zones are concerned.
    pub(crate) fn allows_removal(&self, zone: &AvailabilityZone) -> bool {
        let left = self.instances.values().filter(|count| **count > 0).count();
        self.instances_in(zone) > 1 || left > self.needed
    }

    /// Counts an instance of the zone as removed.
    pub(crate) fn remove(&mut self, zone: &AvailabilityZone) {
        if let Some(count) = self.instances.get_mut(zone) {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether every spread service's tasks stay spread if these move, each from a zone to a zone.
    pub(crate) fn allows_moves<'m>(
        &self,
        moves: impl IntoIterator<Item = (&'m ServiceName, &'m AvailabilityZone, &'m AvailabilityZone)>,
    ) -> bool {
        let mut after: BTreeMap<&ServiceName, BTreeMap<&AvailabilityZone, u32>> = BTreeMap::new();
        for (service, from, to) in moves {
            let Some(before) = self.tasks.get(service) else {
                continue;
            };
            let counts = after.entry(service).or_insert_with(|| {
                let same = before.iter().map(|(zone, count)| (*zone, *count));
                same.collect()
            });
            for (zone, is_added) in [(from, false), (to, true)] {
                if let Some(count) = counts.get_mut(zone) {
                    *count = if is_added {
                        count.saturating_add(1)
                    } else {
                        count.saturating_sub(1)
                    };
                }
            }
        }
        after.iter().all(|(service, counts)| {
            let before = self.tasks.get(service).map_or(0, skew);
            skew(counts) <= before.max(1)
        })
    }
}

/// How many tasks the fullest zone has more than the emptiest.
fn skew(counts: &BTreeMap<&AvailabilityZone, u32>) -> u32 {
    let values: BTreeSet<u32> = counts.values().copied().collect();
    match (values.first(), values.last()) {
        (Some(fewest), Some(most)) => most - fewest,
        (None | Some(_), None) | (None, Some(_)) => 0,
    }
}

fn is_spread(service: &CapacityService) -> bool {
    service.scheduling == Scheduling::Replica
        && service.placement.iter().any(|it| match it {
            Placement::Spread { field } => field == ZONE_ATTRIBUTE,
            Placement::Binpack { .. } | Placement::Random | Placement::Other { .. } => false,
        })
}
