//! What the next look will want of instances that begin to drain now, so that none is set to DRAINING and back.
//!
//! That more instances are there than wanted does not mean that any of them may go: they differ in size, and what is left may need one
//! more to hold the same tasks, or to leave as much of it free; and packing is no exact art, it may find less room on fewer instances than
//! is there. So everything is counted once more as the next look will count it.
//!
//! Assumed: nothing else changes until then, and ECS starts the tasks of a drained instance where its strategy says, which may be another
//! provider.

use std::collections::BTreeSet;

use model::InstanceId;
use model::capacity::{Drain, DrainReason};

use super::case::{Case, Member, MemberState};
use super::demand::{self, Demand};
use super::fit::Ground;
use super::reservation::{Given, size};
use super::room::{begin_draining, rank};
use super::within;

/// What the next look would take back.
pub(crate) struct Needed<'a> {
    /// How many more instances would be wanted than are left.
    pub(crate) short_by: usize,
    /// The draining ones that tasks would be put on.
    pub(crate) again: BTreeSet<&'a InstanceId>,
}

/// What the next look would take back if the `picks` began to drain, beside those that are `going` already. `None`: nothing.
pub(crate) fn needed<'a>(
    case: &Case<'a>,
    going: &BTreeSet<&'a InstanceId>,
    picks: &BTreeSet<&'a InstanceId>,
) -> Option<Needed<'a>> {
    if picks.is_empty() {
        return None;
    }
    let drained: BTreeSet<&InstanceId> = going.union(picks).copied().collect();
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
