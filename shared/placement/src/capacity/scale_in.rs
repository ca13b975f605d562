//! Which instances begin to drain.
//!
//! Asked only where the group has been larger than wanted for the whole scale-in delay and nothing forbids removing at all (see
//! `vetoes`). So many begin to drain as are more than wanted, and as the disruption budget allows.
//!
//! **Never:** an instance with a task that is protected, or of which that is not known; with a standalone task; protected from scale-in
//! (Ballast sets no such protection, so it is somebody else's); registered within the minimum age; already announced to drain ([`super::drains`]); needed for a spread ([`super::spread`])
//! or for waiting tasks and headroom.
//!
//! Nor does one begin to drain that the next look would need again ([`super::after`]).
//!
//! **Order:** the empty ones, which hold nothing but daemons; then, with `ballast:consolidate`, those whose tasks provably fit elsewhere
//! ([`super::consolidate`]). Among the empty ones: from the zone with the most ACTIVE instances that stay, counted anew after each, so
//! that the group's own zone rebalancing has nothing to do; then the one registered last, for an older one has shown that it works; then
//! by id.
//!
//! **Budget:** as Karpenter rounds it, the disruption percentage of the instances in service, rounded up, less those that drain, by
//! whomever, and those that are not healthy. <https://karpenter.sh/docs/concepts/disruption/#nodes>
//!
//! **At one look** no more than [`REMOVALS_MAX`] instances of a provider begin to drain or end; the others wait for the next.
//!
//! An empty instance is drained too before it is terminated: ECS then places nothing on it between the looks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{
    CapacityHoldReason, ContainerInstanceStatus, DrainReason, InstanceTask, Lifecycle,
};
use model::ids::{AvailabilityZone, InstanceId};

use super::spread::Zones;
use super::{Case, Member, MemberState, after, consolidate, drains};

/// How many instances of a provider begin to drain or end at one look. Each of these steps costs four reads and writes of the cluster just
/// before, AWS refills 20 reads a second for an account, and a function has 30 s. The number is ours.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
pub(crate) const REMOVALS_MAX: u32 = 50;

/// How often it is tried which instances may go without one of them being needed again at once. If that never comes out, the empty ones
/// alone are tried, and if that does not either, none goes at this look. The number is ours.
const ATTEMPTS_MAX: usize = 16;

/// How often packing is asked at one look which tasks fit elsewhere, in all attempts together. The number is ours.
const PACKINGS_MAX: usize = 2 * consolidate::ATTEMPTS_MAX;

/// How many instances may drain at a time, and how many more may begin to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// How many may drain at a time.
    pub(crate) allowed: u32,
    /// How many more may begin to.
    pub(crate) left: u32,
}

/// The budget of a group with so many instances in service.
pub(crate) fn budget(instances: u32, percent: u32, draining: u32, unhealthy: u32) -> Budget {
    let share = (u64::from(instances) * u64::from(percent)).div_ceil(100);
    let allowed = u32::try_from(share).unwrap_or(u32::MAX);
    Budget {
        allowed,
        left: allowed.saturating_sub(draining).saturating_sub(unhealthy),
    }
}

/// The health of a group's instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// Those in service.
    pub(crate) instances: u32,
    /// Of these, those that are not healthy: by the group's account or by ECS's, not registered in time, or without their agent for too
    /// long.
    pub(crate) unhealthy: u32,
    /// Of the others, those that are DRAINING, by whomever.
    pub(crate) draining: u32,
}

pub(crate) fn health(members: &[Member<'_>]) -> Health {
    let mut health = Health::default();
    let in_service = |it: &&Member<'_>| it.instance.lifecycle == Lifecycle::InService;
    for member in members.iter().filter(in_service) {
        health.instances += 1;
        let is_impaired = member.container.is_some_and(|it| it.is_impaired);
        if member.state.is_lost() || !member.instance.is_healthy || is_impaired {
            health.unhealthy += 1;
        } else if member.state.is_departing() || reads_draining(member) {
            health.draining += 1;
        }
    }
    health
}

/// An instance that begins to drain.
pub(crate) struct Pick<'c, 'a> {
    pub(crate) member: &'c Member<'a>,
    pub(crate) reason: DrainReason,
    /// How many instances the budget still allows, this one included.
    pub(crate) budget_left: u32,
}

/// Why an instance stays, and until when, where that is known.
pub(crate) type Kept = (CapacityHoldReason, Option<Timestamp>);

/// What is chosen among the ACTIVE instances.
#[derive(Default)]
pub(crate) struct Choice<'c, 'a> {
    /// In the order in which they are to be drained.
    pub(crate) picks: Vec<Pick<'c, 'a>>,
    /// All others that have a reason of their own to stay.
    pub(crate) kept: BTreeMap<&'a InstanceId, Kept>,
}

/// What is being chosen, and how many more may be.
struct Choosing<'c, 'a> {
    case: &'c Case<'a>,
    choice: Choice<'c, 'a>,
    zones: Zones<'a>,
    budget: Budget,
    surplus: u32,
}

/// Chooses among the ACTIVE instances; `surplus` more than those that drain already are not wanted, and `ends` of them end at this look.
pub(crate) fn choose<'c, 'a>(case: &'c Case<'a>, surplus: u32, ends: u32) -> Choice<'c, 'a> {
    let under_way = case.members.iter().filter(|it| is_under_way(case, it));
    let under_way: BTreeSet<&InstanceId> = under_way.map(|it| it.id).collect();
    let already = u32::try_from(under_way.len()).unwrap_or(u32::MAX);
    let surplus = surplus.saturating_sub(already);
    let mut packings = PACKINGS_MAX;
    let mut needed = BTreeSet::new();
    let mut most = surplus;
    for _ in 0..ATTEMPTS_MAX {
        let choice = choose_but(case, most, ends, &needed, &mut packings);
        let picks: Vec<&Member<'_>> = choice.picks.iter().map(|it| it.member).collect();
        let Some(after) = after::needed(case, &under_way, &picks) else {
            return choice;
        };
        if picks.iter().any(|it| after.again.contains(it.id)) {
            needed.extend(after.again);
        } else if let [pick] = picks.as_slice() {
            // What is lacking without it is one of its size, whichever.
            let size = &pick.instance.instance_type;
            let alike = case.members.iter();
            let alike = alike.filter(|it| it.instance.instance_type == *size);
            needed.extend(alike.map(|it| it.id));
            most = surplus;
        } else {
            let fewer = picks.len().saturating_sub(after.short_by).max(1);
            most = u32::try_from(fewer).unwrap_or(u32::MAX);
        }
    }
    // Without packing only the empty ones are chosen.
    let choice = choose_but(case, surplus, ends, &needed, &mut 0);
    let picks: Vec<&Member<'_>> = choice.picks.iter().map(|it| it.member).collect();
    if after::needed(case, &under_way, &picks).is_none() {
        return choice;
    }
    choose_but(case, 0, ends, &needed, &mut 0)
}

/// Chooses at most `surplus` among those that the next look would not need.
fn choose_but<'c, 'a>(
    case: &'c Case<'a>,
    surplus: u32,
    ends: u32,
    needed: &BTreeSet<&'a InstanceId>,
    packings: &mut usize,
) -> Choice<'c, 'a> {
    let health = health(&case.members);
    let percent = case.policy.disruption_percent;
    let mut zones = Zones::new(case);
    let mut under_way = 0;
    for member in active(case).filter(|it| is_under_way(case, it)) {
        zones.remove(&member.instance.zone);
        under_way += 1;
    }
    let draining = health.draining.saturating_add(under_way);
    let mut budget = budget(health.instances, percent, draining, health.unhealthy);
    let steps_left = REMOVALS_MAX.saturating_sub(ends);
    if steps_left < budget.left {
        budget = Budget {
            allowed: REMOVALS_MAX,
            left: steps_left,
        };
    }
    let mut choosing = Choosing {
        case,
        choice: Choice::default(),
        zones,
        budget,
        surplus,
    };
    choosing.empty_ones(needed);
    choosing.movable_ones(needed, packings);
    choosing.choice
}

impl<'c, 'a> Choosing<'c, 'a> {
    fn empty_ones(&mut self, needed: &BTreeSet<&'a InstanceId>) {
        let case = self.case;
        // Those that stay in any case come first: what is wanted goes there as far as it can.
        let mut order = Vec::new();
        let mut candidates = Vec::new();
        let stays = |it: &&Member<'_>| !is_under_way(case, it);
        for member in active(case).filter(|it| !it.is_used()).filter(stays) {
            let needed = needed.contains(member.id);
            let needed = needed.then_some((CapacityHoldReason::InUse, None));
            if let Some(kept) = protected(case, member).or(needed) {
                self.choice.kept.insert(member.id, kept);
                order.push(member);
            } else {
                candidates.push(member);
            }
        }
        let candidates = by_removal(candidates, self.zones.clone());
        order.extend(candidates.iter().rev());
        let wanted = consolidate::empty_but_wanted(case, &order);
        for member in candidates {
            let is_wanted = wanted.contains(member.id);
            if is_wanted || !self.zones.allows_removal(&member.instance.zone) {
                let kept = (CapacityHoldReason::NeededForSpread, None);
                self.choice.kept.insert(member.id, kept);
            } else {
                self.pick(member, DrainReason::Empty);
            }
        }
    }

    fn movable_ones(&mut self, needed: &BTreeSet<&'a InstanceId>, packings: &mut usize) {
        let case = self.case;
        if !case.policy.consolidate {
            return;
        }
        let stays = |it: &&Member<'_>| !is_under_way(case, it);
        for member in active(case).filter(|it| it.is_used()).filter(stays) {
            let otherwise = if needed.contains(member.id) {
                CapacityHoldReason::InUse
            } else {
                CapacityHoldReason::TasksFitNowhereElse
            };
            let kept = consolidate::kept(case, member).unwrap_or((otherwise, None));
            self.choice.kept.insert(member.id, kept);
        }
        // The zones without what goes already: both kinds together must leave them balanced.
        let zones = self.zones.clone();
        let movable = consolidate::movable(case, zones, &self.choice.kept, needed, packings);
        for member in movable.into_iter().filter(stays) {
            self.choice.kept.remove(member.id);
            self.pick(member, DrainReason::Consolidation);
        }
    }

    /// Takes the instance if one more may begin to drain, and says otherwise why not.
    fn pick(&mut self, member: &'c Member<'a>, reason: DrainReason) {
        if self.surplus == 0 {
            let kept = match reason {
                DrainReason::Empty => CapacityHoldReason::Spare,
                DrainReason::Consolidation => CapacityHoldReason::InUse,
            };
            self.choice.kept.insert(member.id, (kept, None));
        } else if self.budget.left == 0 {
            let kept = CapacityHoldReason::DisruptionBudgetSpent {
                budget: self.budget.allowed,
            };
            self.choice.kept.insert(member.id, (kept, None));
        } else if !self.zones.keeps_balance(&member.instance.zone) {
            let kept = (CapacityHoldReason::NeededForZoneBalance, None);
            self.choice.kept.insert(member.id, kept);
        } else {
            self.choice.picks.push(Pick {
                member,
                reason,
                budget_left: self.budget.left,
            });
            self.zones.remove(&member.instance.zone);
            self.budget.left -= 1;
            self.surplus -= 1;
        }
    }
}

fn is_under_way(case: &Case<'_>, member: &Member<'_>) -> bool {
    drains::is_under_way(case.look, member)
}

/// Whether it was set to ACTIVE a moment ago, and does not read so yet: nothing can be done to it.
pub(crate) fn reads_draining(member: &Member<'_>) -> bool {
    let status = member.container.map(|it| it.status);
    status == Some(ContainerInstanceStatus::Draining)
}

fn active<'c, 'a>(case: &'c Case<'a>) -> impl Iterator<Item = &'c Member<'a>> {
    let is_active = |it: &&Member<'a>| it.state == MemberState::Active && !reads_draining(it);
    case.members.iter().filter(is_active)
}

/// Empty instances in the order of their removal.
fn by_removal<'c, 'a>(
    candidates: Vec<&'c Member<'a>>,
    mut zones: Zones<'a>,
) -> Vec<&'c Member<'a>> {
    let mut in_zones: BTreeMap<&AvailabilityZone, Vec<&Member<'_>>> = BTreeMap::new();
    for member in candidates {
        let in_zone = in_zones.entry(&member.instance.zone).or_default();
        in_zone.push(member);
    }
    for in_zone in in_zones.values_mut() {
        in_zone.sort_by_key(|member| Reverse(last_registered(member)));
    }
    let mut order = Vec::new();
    loop {
        let firsts = in_zones.iter();
        let firsts = firsts.filter_map(|(zone, all)| Some((*zone, *all.last()?)));
        let rank = |zone: &AvailabilityZone, first: &Member<'a>| {
            let instances = zones.instances_in(zone);
            (Reverse(instances), last_registered(first))
        };
        let Some((zone, first)) = firsts.min_by_key(|(zone, first)| rank(zone, first)) else {
            return order;
        };
        if let Some(in_zone) = in_zones.get_mut(zone) {
            in_zone.pop();
        }
        zones.remove(zone);
        order.push(first);
    }
}

/// Orders the instance that registered last first, then by id.
fn last_registered<'a>(member: &Member<'a>) -> (Reverse<Option<Timestamp>>, &'a InstanceId) {
    let registered_at = member.container.and_then(|it| it.registered_at);
    (Reverse(registered_at), member.id)
}

/// Why an instance is never chosen, whatever is wanted.
pub(crate) fn protected(case: &Case<'_>, member: &Member<'_>) -> Option<Kept> {
    if member.instance.protected_from_scale_in {
        return Some((CapacityHoldReason::ScaleInProtected, None));
    }
    if member.has_standalone_task() {
        return Some((CapacityHoldReason::StandaloneTasks, None));
    }
    let now = case.look.now;
    if member.tasks.iter().any(|task| is_protected(task, now)) {
        return Some((CapacityHoldReason::ProtectedTasks, protected_until(member)));
    }
    let minimum_age = case.policy.minimum_age;
    let registered_at = member.container.and_then(|it| it.registered_at);
    let old_enough_at = registered_at.map(|at| minimum_age.after(at));
    // Of an instance whose age is not known it is not known that it is old enough.
    if old_enough_at.is_none_or(|at| now < at) {
        return Some((CapacityHoldReason::TooYoung { minimum_age }, old_enough_at));
    }
    None
}

/// Whether a task is protected from scale-in, or may be.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html>
fn is_protected(task: &InstanceTask, now: Timestamp) -> bool {
    match task.protected_until {
        None => true,
        Some(None) => false,
        Some(Some(until)) => now < until,
    }
}

/// When the last protection of its tasks ends; `None` where that of one is not known.
fn protected_until(member: &Member<'_>) -> Option<Timestamp> {
    let ends: Option<Vec<Option<Timestamp>>> =
        member.tasks.iter().map(|it| it.protected_until).collect();
    ends?.into_iter().flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_rounds_up_and_never_falls_below_nothing() {
        for ((instances, percent, draining, unhealthy), (allowed, left)) in [
            ((0, 10, 0, 0), (0, 0)),
            ((1, 10, 0, 0), (1, 1)),
            ((5, 10, 0, 0), (1, 1)),
            ((10, 10, 0, 0), (1, 1)),
            ((11, 10, 0, 0), (2, 2)),
            ((11, 10, 1, 0), (2, 1)),
            ((11, 10, 0, 1), (2, 1)),
            ((11, 10, 1, 1), (2, 0)),
            ((11, 10, 2, 5), (2, 0)),
            ((19, 10, 0, 0), (2, 2)),
            ((20, 50, 3, 0), (10, 7)),
            ((3, 100, 0, 0), (3, 3)),
            ((5_000, 1, 0, 0), (50, 50)),
            ((u32::MAX, 100, 0, 0), (u32::MAX, u32::MAX)),
        ] {
            assert_eq!(
                budget(instances, percent, draining, unhealthy),
                Budget { allowed, left },
                "{instances} {percent} {draining} {unhealthy}"
            );
        }
    }
}
