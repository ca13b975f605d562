//! What the next look will want of instances that begin to drain now, so that none is set to DRAINING and back.
//!
//! That more instances are there than wanted does not mean that any of them may go: they differ in size, and what is left may need one
//! more to hold the same tasks, or to leave as much of it free; and packing is no exact art, it may find less room on fewer instances than
//! is there. So everything is counted once more as the next look will count it.
//!
//! Nor does an instance drain of which ECS's strategy would start tasks on another provider that nobody can raise: these would not move to
//! the room that was found for them.
//!
//! Assumed: nothing else changes until then.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{Consent, Drain, DrainReason, GroupPolicy, Provider, ProviderMemory};
use model::{CapacityProviderName, InstanceId, ServiceName};

use super::case::{Case, Member, MemberState};
use super::demand::{self, Demand};
use super::fit::Ground;
use super::neighbours::{neighbours, unseen};
use super::reservation::{Given, size};
use super::room::{begin_draining, rank};
use super::scale_out::LAUNCH;
use super::{refusal, within};

/// The tasks that need room, by provider.
type Demands<'a> = BTreeMap<&'a CapacityProviderName, Demand<'a>>;

/// The services of which ECS's strategy would give more tasks to another provider that cannot grow for them: they might find no room.
fn stranded<'a>(
    case: &Case<'_>,
    before: &Demands<'a>,
    after: &Demands<'a>,
) -> BTreeSet<&'a ServiceName> {
    let own = &case.look.provider.key.provider;
    let providers = &case.look.cluster.providers;
    let mut stranded = BTreeSet::new();
    for (provider, demand) in after.iter().filter(|(it, _)| **it != own) {
        if providers.get(*provider).is_some_and(can_grow) {
            continue;
        }
        let before = before.get(provider).map(tasks).unwrap_or_default();
        for (service, tasks) in tasks(demand) {
            if before.get(service).copied().unwrap_or(0) < tasks {
                stranded.insert(service);
            }
        }
    }
    stranded
}

/// The tasks of each service that need room, headroom apart.
fn tasks<'a>(demand: &Demand<'a>) -> BTreeMap<&'a ServiceName, u32> {
    let mut tasks: BTreeMap<&ServiceName, u32> = BTreeMap::new();
    for request in &demand.requests {
        if let Some(service) = request.service {
            let sum = tasks.entry(&service.name).or_default();
            *sum = sum
                .saturating_add(request.waiting)
                .saturating_add(request.missing);
        }
    }
    tasks
}

/// Whether somebody raises the provider's group for tasks that find no room, as far as this look tells.
fn can_grow(provider: &Provider) -> bool {
    let group = &provider.group;
    let acts = |it: &GroupPolicy| it.consent == Consent::Act && !it.paused;
    // What is remembered of it is not asked: which clusters it had lately, who changed it last.
    let nobody_else = || {
        neighbours(provider, &ProviderMemory::default()).is_empty() && unseen(provider).is_empty()
    };
    let is_sized = provider.managed_scaling.is_some_and(|it| it.enabled)
        || refusal::sizable(provider).is_ok_and(acts) && nobody_else();
    is_sized
        && !group.is_deleting
        && !group.suspended_processes.contains(LAUNCH)
        && group.desired_capacity < group.max_size
}

/// Of the picks with tasks of these services the earlier half may go: some of them may leave enough room where all together do not, and
/// halving finds out in a few attempts. All others with such tasks stay, so that none of them is chosen in the place of one that does.
fn all_but_half<'a>(
    case: &Case<'a>,
    picks: &[&Member<'a>],
    services: &BTreeSet<&ServiceName>,
) -> BTreeSet<&'a InstanceId> {
    let holds = |it: &Member<'_>| {
        let mut of = it.tasks.iter().filter_map(|task| task.service.as_ref());
        of.any(|it| services.contains(it))
    };
    let picked: Vec<&InstanceId> = picks
        .iter()
        .filter(|it| holds(it))
        .map(|it| it.id)
        .collect();
    let (may_go, _) = picked.split_at(picked.len() / 2);
    let holders = case.members.iter().filter(|it| holds(it)).map(|it| it.id);
    holders.filter(|it| !may_go.contains(it)).collect()
}

/// What the next look would take back.
pub(crate) struct Needed<'a> {
    /// How many more instances would be wanted than are left.
    pub(crate) short_by: usize,
    /// Those of which the room would be lacking, and those whose tasks would find none.
    pub(crate) again: BTreeSet<&'a InstanceId>,
}

/// What the next look would take back if the `picks` began to drain, beside those that are `going` already. `None`: nothing.
pub(crate) fn needed<'a>(
    case: &Case<'a>,
    going: &BTreeSet<&'a InstanceId>,
    picks: &[&Member<'a>],
) -> Option<Needed<'a>> {
    if picks.is_empty() {
        return None;
    }
    let picked = picks.iter().map(|it| it.id);
    let drained: BTreeSet<&InstanceId> = going.iter().copied().chain(picked).collect();
    let mut members: Vec<Member<'a>> = case.members.clone();
    let mut containers = Vec::new();
    for member in members.iter_mut().filter(|it| drained.contains(it.id)) {
        member.state = MemberState::Draining(Drain {
            at: case.look.now,
            reason: DrainReason::Empty,
        });
        containers.extend(member.container);
    }
    let index = case.index.with_departing(containers);
    let is_complete = case.look.is_cluster_complete();
    let demands = demand::of_cluster(&index, is_complete);
    let gone = members.iter().filter(|it| going.contains(it.id));
    let before = case
        .index
        .with_departing(gone.filter_map(|it| it.container));
    let stranded = stranded(case, &demand::of_cluster(&before, is_complete), &demands);
    if !stranded.is_empty() {
        return Some(Needed {
            short_by: 0,
            again: all_but_half(case, picks, &stranded),
        });
    }
    let mut room = case.room.clone();
    for site in &mut room.sites {
        let member = site.member.and_then(|it| members.get(it));
        if let Some(member) = member.filter(|it| drained.contains(it.id)) {
            begin_draining(site, member, &index);
        }
    }
    room.sites.sort_by_key(|site| rank(site, &members));
    let nothing = Demand::default();
    let demand = demands.get(&case.look.provider.key.provider);
    let sizing = size(&Given {
        provider: case.look.provider,
        policy: case.policy,
        settings: &case.settings,
        members: &members,
        demand: demand.unwrap_or(&nothing),
        ground: Ground {
            index: &index,
            room: &room,
            ..case.ground()
        },
        newcomers: &case.newcomers.without(&drained),
        now: case.look.now,
    });
    let left = case
        .group
        .desired_capacity
        .saturating_sub(sizing.numbers.draining);
    let short_by = within(case, sizing.asked).saturating_sub(left);
    (short_by > 0).then(|| Needed {
        short_by: usize::try_from(short_by).unwrap_or(usize::MAX),
        again: sizing.needed_again,
    })
}
