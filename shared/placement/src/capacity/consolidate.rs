//! Which instances can be emptied because their tasks provably fit elsewhere (`ballast:consolidate`).
//!
//! *Provably* means: wherever ECS places them, and in whichever order. Packing puts every task of all these instances together onto the
//! free room of the other ACTIVE instances that hold tasks already, with every task that waits or is missing, and all headroom; with
//! constraints, host ports, distinct instances and daemons kept to; and with each of these tasks counted as large as the largest of
//! them in every dimension. A task that is placed then never takes the place of more than one other, so that as long as one is left to
//! place there is a place for it. Only constraints that leave tasks few instances can upset that: what then lacks room brings a drained
//! instance back, and it is let be for a while (see `drains`). An instance that is empty takes no tasks, for nothing would be gained, unless
//! it stays because its zone needs it: then an instance of a zone that has more gives it its tasks, and goes in its place.
//!
//! Where a service's strategy names other providers, ECS may start the task on one of these instead, which must then be able to grow
//! (see `after`).
//!
//! **Never** an instance that is protected in any way (see `scale_in`); whose drain timed out lately; whose agent is not connected; with
//! a task that is only starting, that ECS cannot replace, or whose move would spread a service worse (see `spread`). ECS replaces a
//! task of a draining instance within the service's minimum and maximum percent: where the rounded minimum is the desired count and the
//! rounded maximum too, as with 100 and 100, it does nothing.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>
//!
//! **Order:** the least loaded first, by the larger share of its CPU units and its memory; then the one with the fewest tasks; then the
//! one registered last; then by id.
//!
//! Bounded: packing is asked [`ATTEMPTS_MAX`] times at most. As long as it says yes, twice as many instances are tried at once; where it
//! says no, one at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{CapacityHoldReason, CapacityService, InstanceTask, Resources};
use model::ids::InstanceId;
use model::snapshot::{Scheduling, ServiceStatus, TaskStatus};

use super::case::{Case, Member, MemberState};
use super::demand::Request;
use super::room::Site;
use super::scale_in::Kept;
use super::spread::Zones;
use super::{drains, fit, scale_in};
use crate::packing::{Packing, Place, Placement};

/// How often packing is asked.
pub const ATTEMPTS_MAX: usize = 48;

/// The used instances that can be emptied all together, in the order in which they are to be drained. `staying`: why others stay; of those
/// that are `needed` none is emptied. Each packing is taken off `packings`.
pub(crate) fn movable<'c, 'a>(
    case: &'c Case<'a>,
    zones: Zones<'a>,
    staying: &BTreeMap<&'a InstanceId, Kept>,
    needed: &BTreeSet<&'a InstanceId>,
    packings: &mut usize,
) -> Vec<&'c Member<'a>> {
    let may_move = |it: &&Member<'a>| {
        let is_candidate = it.state == MemberState::Active && it.is_used();
        is_candidate && !needed.contains(it.id) && kept(case, it).is_none()
    };
    let mut candidates: Vec<&Member<'_>> = case.members.iter().filter(may_move).collect();
    candidates.sort_by_cached_key(|it| rank(it));
    let mut trial = Trial::new(case, zones, staying);
    let mut rest = candidates.as_slice();
    let mut at_once = 1_usize;
    for _ in 0..ATTEMPTS_MAX.min(*packings) {
        let (some, others) = rest.split_at(at_once.min(rest.len()));
        if some.is_empty() {
            break;
        }
        *packings = packings.saturating_sub(1);
        if trial.take(some) {
            rest = others;
            at_once = at_once.saturating_mul(2);
        } else if at_once == 1 {
            rest = others;
        } else {
            at_once = 1;
        }
    }
    trial.chosen
}

/// The order in which instances are to be emptied.
fn rank<'a>(member: &Member<'a>) -> (u64, usize, Reverse<Option<Timestamp>>, &'a InstanceId) {
    let registered_at = member.container.and_then(|it| it.registered_at);
    (
        load(member),
        member.tasks.len(),
        Reverse(registered_at),
        member.id,
    )
}

/// How much of an instance is taken, in 65,536ths: the larger share of its CPU units and its memory.
fn load(member: &Member<'_>) -> u64 {
    let share = |registered: u32, remaining: u32| {
        let taken = u64::from(registered.saturating_sub(remaining));
        (taken << 16)
            .checked_div(u64::from(registered))
            .unwrap_or(0)
    };
    member.container.map_or(0, |it| {
        let cpu = share(it.registered.cpu_units, it.remaining.cpu_units);
        cpu.max(share(it.registered.memory_mib, it.remaining.memory_mib))
    })
}

/// Why an instance with tasks is never emptied, whatever room there is elsewhere.
pub(crate) fn kept(case: &Case<'_>, member: &Member<'_>) -> Option<Kept> {
    if let Some(kept) = scale_in::protected(case, member) {
        return Some(kept);
    }
    let now = case.look.now;
    let known = case.look.recall.known();
    let stuck = known.and_then(|it| it.stuck.get(member.id).copied());
    if let Some(at) = stuck.filter(|at| drains::is_stuck(*at, now)) {
        let until = drains::STUCK_FOR.after(at);
        return Some((CapacityHoldReason::TasksFitNowhereElse, Some(until)));
    }
    let is_moving = |task: &&InstanceTask| !is_settled(task);
    let is_disconnected = !member.container.is_some_and(|it| it.agent_connected);
    if is_disconnected || scale_in::reads_draining(member) || member.tasks.iter().any(is_moving) {
        return Some((CapacityHoldReason::InUse, None));
    }
    let stays = |task: &&InstanceTask| !is_replaced(case, task);
    if member.tasks.iter().any(stays) {
        return Some((CapacityHoldReason::TasksFitNowhereElse, None));
    }
    None
}

/// Whether a task is neither on its way in nor on its way out.
fn is_settled(task: &InstanceTask) -> bool {
    match task.last_status {
        TaskStatus::Running => task.desired_running,
        TaskStatus::Provisioning
        | TaskStatus::Pending
        | TaskStatus::Activating
        | TaskStatus::Deactivating
        | TaskStatus::Stopping
        | TaskStatus::Deprovisioning
        | TaskStatus::Stopped
        | TaskStatus::Unknown => false,
    }
}

/// Whether ECS starts another task in the place of this one when its instance is drained: on this provider, or on another that the
/// service's strategy names (see [`super::after`]).
fn is_replaced(case: &Case<'_>, task: &InstanceTask) -> bool {
    let services = &case.look.cluster.services;
    let service = task.service.as_ref().and_then(|it| services.get(it));
    // With a launch type ECS may place it on any instance of the cluster.
    let is_of_provider = task.provider.as_ref() == Some(&case.look.provider.key.provider);
    is_of_provider && service.is_some_and(can_replace)
}

/// Whether the service's minimum and maximum leave ECS the freedom to replace a task.
fn can_replace(service: &CapacityService) -> bool {
    if service.status != ServiceStatus::Active || service.scheduling != Scheduling::Replica {
        return false;
    }
    let desired = u64::from(service.desired_count);
    let least = (desired * u64::from(service.minimum_healthy_percent)).div_ceil(100);
    let most = desired * u64::from(service.maximum_percent) / 100;
    least < desired || desired < most
}

/// The empty instances that packing needs for what waits, is missing or is kept as headroom.
///
/// What holds tasks is asked first, then the empty ones, in the order given: the last to be removed first.
pub(crate) fn empty_but_wanted<'a>(
    case: &Case<'a>,
    empty: &[&Member<'a>],
) -> BTreeSet<&'a InstanceId> {
    if case.demand.requests.is_empty() {
        return BTreeSet::new();
    }
    let order: BTreeMap<&InstanceId, usize> =
        empty.iter().zip(0..).map(|(it, at)| (it.id, at)).collect();
    let mut sites = active_sites(case);
    sites.sort_by_key(|(_, member)| (!member.is_used(), order.get(member.id).copied()));
    let packing = pack(case, &case.demand.requests, &sites);
    taken(&packing, &sites)
        .filter(|member| !member.is_used())
        .map(|member| member.id)
        .collect()
}

type ActiveSite<'c, 'a> = (&'c Site<'a>, &'c Member<'a>);

/// The sites of the ACTIVE instances, in the order of the ground: those with tasks first.
fn active_sites<'c, 'a>(case: &'c Case<'a>) -> Vec<ActiveSite<'c, 'a>> {
    let of = |site: &'c Site<'a>| {
        let member = site.member.and_then(|it| case.members.get(it))?;
        (member.state == MemberState::Active).then_some((site, member))
    };
    case.room.sites.iter().filter_map(of).collect()
}

fn pack<'a>(case: &Case<'a>, requests: &[Request<'a>], sites: &[ActiveSite<'_, 'a>]) -> Packing {
    let sites: Vec<&Site<'a>> = sites.iter().map(|(site, _)| *site).collect();
    fit::fit(&case.ground(), requests, &sites, false).packing
}

/// The instances that packing puts something on.
fn taken<'p, 'c, 'a>(
    packing: &'p Packing,
    sites: &'p [ActiveSite<'c, 'a>],
) -> impl Iterator<Item = &'c Member<'a>> {
    let of = |it: &Placement| match it.place {
        Place::Existing(bin) => sites.get(bin).map(|(_, member)| *member),
        Place::New(_) => None,
    };
    packing.placements.iter().filter_map(of)
}

/// Instances that are emptied on paper.
struct Trial<'c, 'a> {
    case: &'c Case<'a>,
    zones: Zones<'a>,
    /// The instances that tasks may move to: those with tasks, and the empty ones that are wanted anyway, or that their zone needs.
    sites: Vec<ActiveSite<'c, 'a>>,
    chosen: Vec<&'c Member<'a>>,
}

impl<'c, 'a> Trial<'c, 'a> {
    fn new(case: &'c Case<'a>, zones: Zones<'a>, staying: &BTreeMap<&'a InstanceId, Kept>) -> Self {
        let mut sites = active_sites(case);
        let packing = pack(case, &case.demand.requests, &sites);
        let wanted: BTreeSet<&InstanceId> = taken(&packing, &sites).map(|it| it.id).collect();
        let balances = |member: &Member<'_>| {
            let reason = staying.get(member.id).map(|(reason, _)| reason);
            reason == Some(&CapacityHoldReason::NeededForZoneBalance)
        };
        sites.retain(|(_, member)| {
            member.is_used() || wanted.contains(member.id) || balances(member)
        });
        Self {
            case,
            zones,
            sites,
            chosen: Vec::new(),
        }
    }

    /// Empties these as well, if the tasks of all fit elsewhere.
    fn take(&mut self, some: &[&'c Member<'a>]) -> bool {
        let mut zones = self.zones.clone();
        for member in some {
            let zone = &member.instance.zone;
            if !zones.allows_removal(zone) || !zones.keeps_balance(zone) {
                return false;
            }
            zones.remove(zone);
        }
        let mut chosen = self.chosen.clone();
        chosen.extend_from_slice(some);
        let gone: BTreeSet<&InstanceId> = chosen.iter().map(|it| it.id).collect();
        let mut sites = self.sites.clone();
        sites.retain(|(_, member)| !gone.contains(member.id));
        let tasks = chosen.iter().flat_map(|it| it.tasks.iter().copied());
        let mut requests = fit::requests_of(self.case.index, tasks);
        requests.extend(self.case.demand.requests.iter().cloned());
        let largest = requests.iter().fold(Resources::ZERO, |largest, request| {
            larger(largest, request.needs)
        });
        for request in &mut requests {
            request.needs = largest;
        }
        let packing = pack(self.case, &requests, &sites);
        let all_fit = packing.unplaced.is_empty();
        let leaving = chosen.iter().flat_map(|member| {
            let services = member.tasks.iter().filter_map(|it| it.service.as_ref());
            services.map(|it| (it, &member.instance.zone))
        });
        let arriving = packing.placements.iter().filter_map(|it| {
            let Place::Existing(bin) = it.place else {
                return None;
            };
            let service = requests.get(it.group)?.service?;
            let (_, member) = sites.get(bin)?;
            Some((&service.name, &member.instance.zone, it.count))
        });
        if !all_fit || !zones.allows_moves(leaving, arriving) {
            return false;
        }
        self.zones = zones;
        self.chosen = chosen;
        true
    }
}

/// The larger amount in every dimension.
fn larger(a: Resources, b: Resources) -> Resources {
    Resources {
        cpu_units: a.cpu_units.max(b.cpu_units),
        memory_mib: a.memory_mib.max(b.memory_mib),
        gpus: a.gpus.max(b.gpus),
        network_interfaces: a.network_interfaces.max(b.network_interfaces),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(desired_count: u32, minimum: u32, maximum: u32) -> CapacityService {
        CapacityService {
            name: "web".parse().unwrap(),
            status: ServiceStatus::Active,
            scheduling: Scheduling::Replica,
            desired_count,
            running_count: desired_count,
            pending_count: 0,
            strategy: Vec::new(),
            deployments: Vec::new(),
            constraints: Vec::new(),
            placement: Vec::new(),
            minimum_healthy_percent: minimum,
            maximum_percent: maximum,
            headroom_tasks: Ok(0),
            placement_failed_at: None,
        }
    }

    #[test]
    fn ecs_replaces_a_task_only_where_the_rounded_limits_leave_room() {
        for (desired, minimum, maximum, expected) in [
            (4, 100, 100, false),
            (4, 100, 200, true),
            (4, 50, 100, true),
            // One and a half is one.
            (1, 100, 150, false),
            (2, 100, 150, true),
            // Half of one is one.
            (1, 50, 100, false),
            (1, 0, 100, true),
            (0, 100, 200, false),
        ] {
            assert_eq!(
                can_replace(&service(desired, minimum, maximum)),
                expected,
                "{desired} {minimum} {maximum}"
            );
        }
        let mut gone = service(4, 100, 200);
        gone.status = ServiceStatus::Draining;
        assert!(!can_replace(&gone));
    }
}
