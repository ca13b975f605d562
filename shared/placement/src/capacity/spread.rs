//! The zones that services and the group are spread over, as far as removing an instance touches them.
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
//! And one for the group: unless its process `AZRebalance` is suspended, no removal may leave its zones more than one instance apart, or
//! further apart than they are. Otherwise the group would launch an instance in the emptier zone and end another one elsewhere, with
//! whatever runs on it. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-benefits.html#AutoScalingBehavior.Rebalancing>
//!
//! Assumed: which of its providers a service's next task goes to is the strategy's business; only the tasks of this provider count.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{CapacityService, InstanceTask, Placement};
use model::ids::{AvailabilityZone, ServiceName};
use model::snapshot::{Scheduling, TaskStatus};

use super::room::is_counted;
use super::{Case, Member, MemberState};

/// The attribute that holds an instance's zone.
const ZONE_ATTRIBUTE: &str = "attribute:ecs.availability-zone";

/// The process by which a group balances its zones.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html>
const AZ_REBALANCE: &str = "AZRebalance";

/// What is known of the spread services of a provider, and of its group's zones.
#[derive(Debug, Clone)]
pub(crate) struct Zones<'a> {
    /// How many ACTIVE instances each zone has that are not to be removed.
    instances: BTreeMap<&'a AvailabilityZone, u32>,
    /// How many instances the group counts in each of its zones, without those that go; empty where the group does not balance them.
    group: BTreeMap<&'a AvailabilityZone, u32>,
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
            group: counted(case),
            needed,
        };
        // What is about to go anyway comes up with what arrives.
        let staying = case.members.iter().filter(|it| !it.state.is_departing());
        for member in staying {
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

    /// Whether the group's zones stay balanced without an instance of the zone, as far as they are.
    pub(crate) fn keeps_balance(&self, zone: &AvailabilityZone) -> bool {
        let mut after = self.group.clone();
        if let Some(count) = after.get_mut(zone) {
            *count = count.saturating_sub(1);
        }
        skew(&after) <= skew(&self.group).max(1)
    }

    /// Counts an instance of the zone as removed.
    pub(crate) fn remove(&mut self, zone: &AvailabilityZone) {
        let counts = [self.instances.get_mut(zone), self.group.get_mut(zone)];
        for count in counts.into_iter().flatten() {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether every spread service's tasks stay spread if these tasks leave zones and those arrive in zones.
    pub(crate) fn allows_moves<'m>(
        &self,
        leaving: impl IntoIterator<Item = (&'m ServiceName, &'m AvailabilityZone)>,
        arriving: impl IntoIterator<Item = (&'m ServiceName, &'m AvailabilityZone, u32)>,
    ) -> bool {
        let mut after: BTreeMap<&ServiceName, BTreeMap<&AvailabilityZone, u32>> = BTreeMap::new();
        for (service, zone) in leaving {
            if let Some((name, before)) = self.tasks.get_key_value(service) {
                let counts = after.entry(name).or_insert_with(|| before.clone());
                if let Some(count) = counts.get_mut(zone) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        for (service, zone, tasks) in arriving {
            // A service of which nothing leaves is as spread as it was.
            let count = after.get_mut(service).and_then(|it| it.get_mut(zone));
            if let Some(count) = count {
                *count = count.saturating_add(tasks);
            }
        }
        after.iter().all(|(service, counts)| {
            let before = self.tasks.get(service).map_or(0, skew);
            skew(counts) <= before.max(1)
        })
    }
}

/// How many instances the group counts in each of its zones and Ballast does not drain.
fn counted<'a>(case: &Case<'a>) -> BTreeMap<&'a AvailabilityZone, u32> {
    let group = case.group;
    if group.suspended_processes.contains(AZ_REBALANCE) {
        return BTreeMap::new();
    }
    let mut zones: BTreeMap<&AvailabilityZone, u32> =
        group.zones.iter().map(|zone| (zone, 0)).collect();
    for member in &case.members {
        let stays = !matches!(member.state, MemberState::Draining(_));
        if stays && is_counted(member.instance.lifecycle) {
            *zones.entry(&member.instance.zone).or_insert(0) += 1;
        }
    }
    zones
}

/// How much the fullest zone has more than the emptiest.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> AvailabilityZone {
        name.parse().unwrap()
    }

    /// A spread service `web` with so many tasks in the zones a, b and c, each with as many ACTIVE instances as given.
    #[track_caller]
    fn check(tasks: [u32; 3], leaving: &[&str], arriving: &[(&str, u32)], expected: bool) {
        let names = ["a", "b", "c"].map(zone);
        let web: ServiceName = "web".parse().unwrap();
        let other: ServiceName = "other".parse().unwrap();
        let zones = Zones {
            instances: names.iter().map(|it| (it, 1)).collect(),
            group: BTreeMap::new(),
            needed: 3,
            tasks: [(&web, names.iter().zip(tasks).collect())].into(),
        };
        let leaving: Vec<AvailabilityZone> = leaving.iter().map(|it| zone(it)).collect();
        let arriving: Vec<(AvailabilityZone, u32)> =
            arriving.iter().map(|(it, n)| (zone(it), *n)).collect();
        let of = |service| {
            zones.allows_moves(
                leaving.iter().map(|it| (service, it)),
                arriving.iter().map(|(it, tasks)| (service, it, *tasks)),
            )
        };
        assert_eq!(of(&web), expected);
        assert!(of(&other), "a service without a spread moves as it likes");
    }

    #[test]
    fn tasks_move_where_the_spread_stays_as_it_is() {
        check([2, 2, 2], &["a"], &[("b", 1)], false);
        check([2, 2, 2], &["a"], &[("a", 1)], true);
        check([3, 2, 2], &["a"], &[("b", 1)], true);
        check([5, 1, 1], &["a", "a"], &[("a", 2)], true);
        check([5, 1, 1], &["b"], &[("a", 1)], false);
        check([1, 1, 0], &["a"], &[("b", 1)], false);
        check([1, 1, 0], &["a"], &[("c", 1)], true);
        check([1, 0, 0], &["a"], &[("c", 1)], true);
        check([0, 0, 0], &[], &[], true);
    }

    #[test]
    fn the_last_instance_of_a_zone_stays_while_the_zone_is_needed() {
        let names = ["a", "b", "c"].map(zone);
        for (needed, expected) in [
            (3, [true, false, false]),
            (2, [true, true, true]),
            (0, [true, true, true]),
        ] {
            let zones = Zones {
                instances: names.iter().zip([2, 1, 1]).collect(),
                group: BTreeMap::new(),
                needed,
                tasks: BTreeMap::new(),
            };
            let allowed = names.each_ref().map(|it| zones.allows_removal(it));
            assert_eq!(allowed, expected, "{needed} zones needed");
        }
        let mut zones = Zones {
            instances: names.iter().zip([2, 1, 1]).collect(),
            group: BTreeMap::new(),
            needed: 2,
            tasks: BTreeMap::new(),
        };
        zones.remove(&names[1]);
        assert!(!zones.allows_removal(&names[2]));
        assert!(zones.allows_removal(&names[0]));
        assert_eq!(zones.instances_in(&names[1]), 0);
    }

    #[test]
    fn no_removal_makes_the_group_balance_its_zones() {
        let names = ["a", "b", "c"].map(zone);
        for (counts, expected) in [
            ([1, 1, 1], [true, true, true]),
            ([2, 1, 1], [true, false, false]),
            ([2, 2, 1], [true, true, false]),
            ([3, 0, 0], [true, true, true]),
            ([3, 1, 1], [true, false, false]),
            ([0, 0, 0], [true, true, true]),
        ] {
            let zones = Zones {
                instances: BTreeMap::new(),
                group: names.iter().zip(counts).collect(),
                needed: 0,
                tasks: BTreeMap::new(),
            };
            let kept = names.each_ref().map(|it| zones.keeps_balance(it));
            assert_eq!(kept, expected, "{counts:?}");
        }
    }
}
