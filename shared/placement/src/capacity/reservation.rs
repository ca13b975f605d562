//! The numbers: *M*, *N*, the reservation, and how many instances are wanted.
//!
//! - *M*, the instances needed: those with at least one task that is not a daemon's, those that waiting, missing and headroom tasks are
//!   put on, and the new ones that these need on top. Instances that are lost or go away do not count.
//! - *N*, the instances running: those InService in the group.
//! - `CapacityProviderReservation` = 100 × M ÷ N, rounded down; 100 where both are 0, 200 where only N is.
//!   <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-auto-scaling.html>
//! - wanted = 100 × M ÷ target, rounded up, and on top those that the group counts and the tasks cannot use: the lost ones, and those
//!   that somebody else drains.
//!
//! **Replacement before departure:** an instance that drains takes no task, whoever drains it, so that what its tasks lack is bought at once,
//! on top of what the group has. The free room alone that a target below 100 % asks for is not bought in its place in its first minutes in a
//! group that may be of Spot: Spot has most likely interrupted it, and then the group replaces it by itself.
//!
//! Tasks that only pools take that are left out now count in *M* as if these could be launched from: the reservation tells what is needed,
//! and not what there is to be had. What the group is asked for (`asked`) leaves them out.
//!
//! **Warm floor:** with a target below 100 % a provider that a strategy places tasks on needs at least one instance. So both providers of
//! a strategy hold two at a target of 80 % while a single task runs, and the first task on the other one finds room at once.
//!
//! **Learning:** where tasks wait and nothing is known of any type that the group may launch, one instance is needed: it tells.
//!
//! The tasks count where they are. With `ballast:consolidate` they are packed together first, as far as they may be moved: for a
//! scale-out as for a scale-in, so that the one does not buy what the other removes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    GroupPolicy, InstanceTask, Lifecycle, Provider, ProviderNumbers, Unplaceable, Unplaced,
};
use model::{InstanceId, Timestamp};

use super::case::{Member, MemberState};
use super::demand::{Demand, Request};
use super::fit::{Fit, Ground, fit, requests_of};
use super::room::{Room, Site, is_counted};
use super::settings::Settings;
use super::strays::{Newcomers, Strays};
use crate::packing::{Place, Readiness};

/// 100 × needed ÷ target, rounded up.
pub(crate) fn with_target(needed: u32, target_percent: u32) -> u32 {
    let exact = (u64::from(needed) * 100).div_ceil(u64::from(target_percent.max(1)));
    u32::try_from(exact).unwrap_or(u32::MAX)
}

/// `CapacityProviderReservation`, in percent.
pub(crate) fn reservation_percent(needed: u32, running: u32) -> u32 {
    match (needed, running) {
        (0, 0) => 100,
        (_, 0) => 200,
        (needed, running) => {
            u32::try_from(u64::from(needed) * 100 / u64::from(running)).unwrap_or(u32::MAX)
        }
    }
}

/// What the tasks of a provider come to.
pub(crate) struct Sizing<'a> {
    pub(crate) numbers: ProviderNumbers,
    /// `wanted` without the instances that nothing can be launched for now.
    pub(crate) asked: u32,
    pub(crate) unplaced: Vec<Unplaced>,
    pub(crate) tasks_without_room: u32,
    pub(crate) needed_again: BTreeSet<&'a InstanceId>,
    /// What was launched for tasks that lack room and is of no use to them.
    pub(crate) strays: Option<Strays>,
    /// The new instances that tasks need beyond what is there and what was asked for.
    pub(crate) opened: u32,
}

/// Where the tasks that need room were put.
#[derive(Default)]
struct Put<'a> {
    /// ACTIVE and launching instances, in the order of their ids.
    usable: BTreeSet<&'a InstanceId>,
    /// Instances that drain.
    draining: BTreeSet<&'a InstanceId>,
    /// Instances that the group has not begun to launch.
    unborn: u32,
    /// The tasks on instances that drain or are not there.
    tasks_without_room: u32,
    /// The tasks of each request on new instances, with the number of the instance.
    on_new: Vec<(usize, usize, u32)>,
    /// How many new instances the group has been asked for already: those with the most tasks.
    asked_for: usize,
}

/// How many instances it takes.
struct Counts<'a> {
    found: Fit,
    put: Put<'a>,
    unplaced: Vec<Unplaced>,
    /// The new instances that are needed beyond those that the group was asked for.
    opened: u32,
    needed: u32,
    at_least: u32,
    wanted: u32,
}

/// What everything is counted from.
#[derive(Clone, Copy)]
pub(crate) struct Given<'s, 'a> {
    pub(crate) provider: &'s Provider,
    pub(crate) policy: &'s GroupPolicy,
    pub(crate) settings: &'s Settings,
    pub(crate) members: &'s [Member<'a>],
    pub(crate) demand: &'s Demand<'a>,
    pub(crate) ground: Ground<'s, 'a>,
    pub(crate) newcomers: &'s Newcomers<'a>,
    pub(crate) now: Timestamp,
}

fn counts<'a>(given: &Given<'_, 'a>) -> Counts<'a> {
    let Given {
        provider,
        policy,
        settings,
        members,
        demand,
        ground,
        newcomers,
        now,
    } = given;
    let group = &provider.group;
    let sites: Vec<&Site<'a>> = ground.room.sites.iter().collect();
    let found = fit(ground, &demand.requests, &sites, true);
    let put = put(&found, &sites, members, ground.room);
    let used = members
        .iter()
        .filter(|it| it.state.is_usable() && it.is_used())
        .map(|it| it.id);
    let used: BTreeSet<&InstanceId> = used.collect();
    let asked_for = count(put.asked_for);
    let opened = count(found.packing.opened.len()).saturating_sub(asked_for);
    let unplaced = unplaced(&found, &put, demand, group.max_size, group.desired_capacity);
    let floor = floor(settings, demand, &unplaced);
    let occupied = count(used.union(&put.usable).count());
    // Instances that wait to be taken back, and new ones: the others are full, or of no use to these tasks.
    let again = count(put.draining.len());
    let lacking = again.saturating_add(newcomers.may_open(opened, &put.usable));
    let beyond = put.unborn.saturating_add(again).saturating_add(opened);
    let mut needed = occupied.saturating_add(beyond);
    if policy.consolidate {
        let is_launching = |it: &&Member<'_>| it.state == MemberState::Launching;
        let launching = members.iter().filter(is_launching);
        let beyond =
            count(launching.filter(|it| put.usable.contains(it.id)).count()).saturating_add(beyond);
        let packed = packed_together(members, demand, ground, *now);
        needed = packed.map_or(needed, |packed| needed.min(packed.saturating_add(beyond)));
    }
    let needed = needed.max(floor);
    let at_least = count(used.len())
        .saturating_add(found.packing.opened_at_least.saturating_sub(asked_for))
        .max(floor);
    let wanted = wanted(given, needed, lacking);
    Counts {
        found,
        put,
        unplaced,
        opened,
        needed,
        at_least,
        wanted,
    }
}

/// How many instances the group is to have, of which `lacking` are for tasks that find no room on what is there and stays.
fn wanted(given: &Given<'_, '_>, needed: u32, lacking: u32) -> u32 {
    let (group, members) = (&given.provider.group, given.members);
    let is_interrupted = |it: &Member<'_>| it.is_interrupted(group.market, given.now);
    let idle = tally(members, &|it| is_idle(it) && !is_interrupted(it));
    let wanted = with_target(needed, given.settings.target_percent).saturating_add(idle);
    let there = group
        .desired_capacity
        .saturating_sub(tally(members, &is_draining));
    // What its group is about to replace is no surplus until then, and no free room is bought in its place.
    let with_interrupted = wanted.saturating_add(tally(members, &is_interrupted));
    let wanted = wanted.max(with_interrupted.min(there));
    match lacking {
        0 => wanted,
        // Neither one that drains nor one that is free and that no waiting task can use stands in for one that is lacking.
        lacking => wanted.max(there.saturating_add(lacking)),
    }
}

fn tally(members: &[Member<'_>], is: &dyn Fn(&Member<'_>) -> bool) -> u32 {
    count(members.iter().filter(|it| is(it)).count())
}

const fn is_draining(member: &Member<'_>) -> bool {
    matches!(member.state, MemberState::Draining(_))
}

/// Counts everything.
pub(crate) fn size<'a>(given: &Given<'_, 'a>) -> Sizing<'a> {
    let Counts {
        found,
        put,
        unplaced,
        opened,
        needed,
        at_least,
        wanted: asked,
    } = counts(given);
    let waits_for_a_pool = unplaced
        .iter()
        .any(|it| matches!(it.why, Unplaceable::NoPoolLeft { .. }));
    let (needed, at_least, wanted) = if waits_for_a_pool {
        let as_if_open = Given {
            ground: Ground {
                as_if_open: true,
                ..given.ground
            },
            ..*given
        };
        let all = counts(&as_if_open);
        (all.needed, all.at_least, all.wanted)
    } else {
        (needed, at_least, asked)
    };
    let (members, demand) = (given.members, given.demand);
    let group = &given.provider.group;
    let in_service = |it: &Member<'_>| it.instance.lifecycle == Lifecycle::InService;
    let running = tally(members, &in_service);
    let numbers = ProviderNumbers {
        tasks_placed: count(members.iter().map(|it| placed(it).count()).sum()),
        tasks_waiting: demand.sum(|it| it.waiting),
        tasks_missing: demand.sum(|it| it.missing),
        tasks_headroom: demand.sum(|it| it.headroom),
        tasks_unplaceable: unplaced
            .iter()
            .fold(0, |sum: u32, it| sum.saturating_add(it.tasks)),
        running,
        used: tally(members, &|it| in_service(it) && it.is_used()),
        launching: tally(members, &|it| it.state == MemberState::Launching)
            .saturating_add(given.ground.room.unborn),
        draining: tally(members, &is_draining),
        lost: tally(members, &|it| it.state.is_lost()),
        needed,
        needed_lower_bound: at_least.min(needed),
        reservation_percent: reservation_percent(needed, running),
        target_capacity_percent: given.settings.target_percent,
        wanted,
        desired: group.desired_capacity,
        min: group.min_size,
        max: group.max_size,
    };
    let lacks_room = put.on_new.iter().find(|_| opened > 0);
    let whose = lacks_room.and_then(|(group, ..)| Some(demand.requests.get(*group)?.whose()));
    Sizing {
        numbers,
        asked,
        tasks_without_room: unplaced_count(&found).saturating_add(put.tasks_without_room),
        unplaced,
        strays: whose.and_then(|whose| given.newcomers.strays(members, &put.usable, whose)),
        opened,
        needed_again: put.draining,
    }
}

/// How many instances are needed whatever the tasks need: one to be warm, or to tell what its type offers.
fn floor(settings: &Settings, demand: &Demand<'_>, unplaced: &[Unplaced]) -> u32 {
    let is_warm = settings.target_percent < 100 && demand.is_in_use;
    let is_learning = unplaced
        .iter()
        .any(|it| matches!(it.why, Unplaceable::TypesUnknown { .. }));
    u32::from(is_warm || is_learning)
}

/// Whether the group counts the instance and no task can use it.
fn is_idle(member: &Member<'_>) -> bool {
    let is_useless = member.state.is_lost() || member.state == MemberState::DrainedElsewhere;
    is_useless && is_counted(member.instance.lifecycle)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The tasks on an instance that are to run, and to stay there.
fn placed<'m, 'a>(member: &'m Member<'a>) -> impl Iterator<Item = &'m &'a InstanceTask> {
    let departs = member.state.is_departing();
    member
        .tasks
        .iter()
        .filter(move |task| task.desired_running && !(departs && task.service.is_some()))
}

fn put<'a>(found: &Fit, sites: &[&Site<'a>], members: &[Member<'a>], room: &Room<'a>) -> Put<'a> {
    let mut put = Put::default();
    let mut unborn: BTreeSet<usize> = BTreeSet::new();
    for placement in &found.packing.placements {
        match placement.place {
            Place::New(number) => put.on_new.push((placement.group, number, placement.count)),
            Place::Existing(bin) => {
                let Some(site) = sites.get(bin) else { continue };
                let Some(member) = site.member.and_then(|it| members.get(it)) else {
                    unborn.insert(bin);
                    continue;
                };
                match site.readiness {
                    Readiness::Active | Readiness::Launching => {
                        put.usable.insert(member.id);
                    }
                    Readiness::Draining => {
                        put.draining.insert(member.id);
                        put.tasks_without_room =
                            put.tasks_without_room.saturating_add(placement.count);
                    }
                }
            }
        }
    }
    let still_to_come = usize::try_from(room.unborn).unwrap_or(usize::MAX);
    let still_to_come = still_to_come.saturating_sub(unborn.len());
    put.asked_for = still_to_come.min(found.packing.opened.len());
    put.unborn = count(unborn.len().saturating_add(put.asked_for));
    let asked_for = fullest(&put, put.asked_for);
    let lacking = put.on_new.iter();
    let lacking = lacking.filter(|(_, place, _)| !asked_for.contains(place));
    put.tasks_without_room = lacking
        .map(|(_, _, tasks)| *tasks)
        .fold(put.tasks_without_room, u32::saturating_add);
    put
}

fn unplaced_count(found: &Fit) -> u32 {
    let counts = found.packing.unplaced.iter().map(|it| it.count);
    counts.fold(0, u32::saturating_add)
}

/// What fits nowhere: by packing, and what would need more instances than the group may have.
fn unplaced(
    found: &Fit,
    put: &Put<'_>,
    demand: &Demand<'_>,
    max: u32,
    desired: u32,
) -> Vec<Unplaced> {
    let mut unplaced = Vec::new();
    let slots = usize::try_from(max.saturating_sub(desired)).unwrap_or(usize::MAX);
    let kept = fullest(put, slots.saturating_add(put.asked_for));
    let of_packing = found.packing.unplaced.iter();
    let refused = by_request(of_packing.map(|it| (it.group, it.count)));
    let on_new = put.on_new.iter();
    let beyond = on_new.filter(|(_, place, _)| !kept.contains(place));
    let beyond = by_request(beyond.map(|(group, _, count)| (*group, *count)));
    for (number, request) in demand.requests.iter().enumerate() {
        let refused = refused.get(&number).copied().unwrap_or(0);
        let beyond = beyond.get(&number).copied().unwrap_or(0);
        let at_maximum = Unplaceable::GroupAtMaximum { max };
        let why = found.refusals.get(number).cloned().flatten();
        let refusal = why.unwrap_or_else(|| at_maximum.clone());
        for (tasks, why) in [(refused, refusal), (beyond, at_maximum)] {
            if tasks > 0 {
                unplaced.push(Unplaced {
                    whose: request.whose(),
                    tasks,
                    why,
                });
            }
        }
    }
    unplaced
}

/// The tasks of each request.
fn by_request(counts: impl Iterator<Item = (usize, u32)>) -> BTreeMap<usize, u32> {
    let mut sums: BTreeMap<usize, u32> = BTreeMap::new();
    for (request, count) in counts {
        let sum = sums.entry(request).or_default();
        *sum = sum.saturating_add(count);
    }
    sums
}

/// The new instances with the most tasks, so many as the group may have more.
fn fullest(put: &Put<'_>, slots: usize) -> BTreeSet<usize> {
    let mut tasks: BTreeMap<usize, u32> = BTreeMap::new();
    for (_, place, count) in &put.on_new {
        let sum = tasks.entry(*place).or_default();
        *sum = sum.saturating_add(*count);
    }
    let mut places: Vec<(Reverse<u32>, usize)> = tasks
        .into_iter()
        .map(|(place, count)| (Reverse(count), place))
        .collect();
    places.sort_unstable();
    places
        .into_iter()
        .take(slots)
        .map(|(_, place)| place)
        .collect()
}

/// How many ACTIVE instances would do if every task on them that may be moved were packed anew, with as much as finds room of what waits,
/// is missing or is kept as headroom; `None` where that does not come out. It does not depend on where the tasks are, so that moving
/// them does not change it.
fn packed_together<'a>(
    members: &[Member<'a>],
    demand: &Demand<'a>,
    ground: &Ground<'_, 'a>,
    now: Timestamp,
) -> Option<u32> {
    let may_move = |task: &InstanceTask| {
        let is_protected = task
            .protected_until
            .flatten()
            .is_some_and(|until| now < until);
        task.desired_running && task.service.is_some() && task.provider.is_some() && !is_protected
    };
    let active = |site: &&Site<'a>| site.readiness == Readiness::Active;
    let mut emptied: Vec<(bool, Site<'a>)> = Vec::new();
    let mut moved: Vec<&'a InstanceTask> = Vec::new();
    for site in ground.room.sites.iter().filter(active) {
        let Some(member) = site.member.and_then(|it| members.get(it)) else {
            continue;
        };
        let mut site = site.clone();
        let mut stays = false;
        site.services.clear();
        for task in member.tasks.iter().copied() {
            if may_move(task) {
                site.free = site.free.saturating_add(&task.needs);
                let shape = ground
                    .index
                    .cluster
                    .task_definitions
                    .get(&task.task_definition);
                for port in shape.iter().flat_map(|it| &it.host_ports) {
                    site.host_ports.remove(port);
                }
                moved.push(task);
            } else {
                stays = true;
                site.services.extend(task.service.as_ref());
            }
        }
        emptied.push((stays, site));
    }
    // What must stay comes first, then the largest: they take the most.
    emptied.sort_by_key(|(stays, site)| {
        let room = (site.free.memory_mib, site.free.cpu_units);
        (!stays, Reverse(room), site.member)
    });
    let sites: Vec<&Site<'a>> = emptied.iter().map(|(_, site)| site).collect();
    let mut requests: Vec<Request<'a>> = requests_of(ground.index, moved.into_iter());
    let of_moved = requests.len();
    requests.extend(demand.requests.iter().cloned());
    // A spread would use the more instances the more there are.
    let ground = Ground {
        keeps_spread: false,
        ..*ground
    };
    let found = fit(&ground, &requests, &sites, false);
    let mut unplaced = found.packing.unplaced.iter();
    if unplaced.any(|it| it.group < of_moved) {
        return None;
    }
    let placements = found.packing.placements.iter();
    let mut held: BTreeSet<usize> = placements
        .filter_map(|placement| match placement.place {
            Place::Existing(bin) => Some(bin),
            Place::New(_) => None,
        })
        .collect();
    held.extend((0..emptied.len()).filter(|bin| emptied.get(*bin).is_some_and(|it| it.0)));
    Some(count(held.len()))
}
