//! Drains by choice: of instances that may leave and may stay, where their owner asked for it with a tag; and, of those that leave for
//! planned maintenance, when.
//!
//! | asked in this order | then |
//! |---|---|
//! | the owner has not asked for it | left alone, and recorded |
//! | the look is not at everything, left a gap, or there is no memory | it waits for one that is |
//! | somebody else took back Ballast's drain for the same cause | left to them |
//! | Ballast lately took back a drain of it | left alone |
//! | the disruption budget is spent | left alone |
//! | EC2 recommends to rebalance it, and ECS would not move all of its tasks | left alone |
//! | its tasks find room on instances of another pool, or an instance is launched for them from one (`launchable`) | DRAINING |
//! | otherwise | left alone |
//!
//! The budget is the group's: so many percent of its instances in service, rounded up, less those that drain, leave or are not healthy.
//! Those whose cause is oldest come first, ties by id. A pool is an instance type in a zone. An instance whose agent is lost need not
//! leave its pool: any other instance, and any pool, will do; and what ECS would not move needs no room, for a drain changes nothing for
//! it. Planned maintenance comes first, and needs the budget alone; from [`MAINTENANCE_FORCED`] before it on not even that.
//!
//! Guaranteed: room is proved task by task, and never promised twice; groups that act are asked before those that are only advised. An instance whose tasks were not read is drained only where ECS counts none.
//!
//! Assumed: a pool from which no launch failed lately may be launched from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::capacity::{InstanceTask, Lifecycle};
use model::drain::{CauseKind, DepartureCause, DrainHoldReason, DrainStepReason, PoolRoom};
use model::ids::ClusterName;

use super::case::{Case, GroupCase, Indexes, Place};
use super::causes::MAINTENANCE_FORCED;
use super::launchable::Launchable;
use super::numbers::counts;
use super::reversal::{REVERSED_FOR, reversed_at};
use super::room::{Proof, Put, Room};
use super::{Verdict, ladder, stuck};
use crate::capacity::fit::requests_of;
use crate::capacity::scale_in::budget;

/// Decides about the instances of a group that are ACTIVE and not certain to leave: the numbers of their cases. What they are put on is
/// taken from `rooms`.
pub(crate) fn verdicts<'a>(
    group: &GroupCase<'a>,
    undecided: &[usize],
    rooms: &mut BTreeMap<&'a ClusterName, Room<'a>>,
    indexes: &Indexes<'a>,
) -> BTreeMap<usize, Verdict> {
    let mut verdicts = BTreeMap::new();
    let mut candidates: Vec<(Timestamp, usize, &DepartureCause)> = Vec::new();
    for number in undecided {
        let Some(case) = group.cases.get(*number) else {
            continue;
        };
        match asked(group, case) {
            Asked::For(why) => candidates.push((why.at(), *number, why)),
            Asked::Not(reason, until) => {
                verdicts.insert(*number, Verdict::Hold(reason, until));
            }
        }
    }
    candidates
        .sort_by_key(|(at, number, why)| (why.kind() != CauseKind::Maintenance, *at, *number));
    let mut left = Left::new(group);
    for (at, number, why) in candidates {
        let Some(case) = group.cases.get(number) else {
            continue;
        };
        let verdict = left.verdict(case, why, at, rooms, indexes);
        verdicts.insert(number, verdict);
    }
    verdicts
}

/// Whether a drain by choice is asked for, and may be.
enum Asked<'c> {
    /// If there is room, for this cause.
    For(&'c DepartureCause),
    /// No: why, and until when.
    Not(DrainHoldReason, Option<Timestamp>),
}

fn asked<'c>(group: &GroupCase<'_>, case: &'c Case<'_>) -> Asked<'c> {
    let planned = planned(group, case);
    let rebalance = case.departure.cause(CauseKind::Rebalance);
    let lost = case.departure.cause(CauseKind::AgentLost);
    let asked = planned
        .or_else(|| rebalance.filter(|_| group.policy.drain_on_rebalance))
        .or_else(|| lost.filter(|_| group.policy.drain_on_lost_agent));
    let Some(why) = asked else {
        return not_asked(group, case);
    };
    if let Some(reason) = activated(case, why) {
        return Asked::Not(reason, None);
    }
    let lifecycle = case.lifecycle();
    let until = forced_at(why);
    if planned.is_none() && lifecycle.is_some_and(|it| it != Lifecycle::InService) {
        return Asked::Not(DrainHoldReason::Staying, None);
    }
    if !group.may_choose() {
        let why = why.clone();
        return Asked::Not(DrainHoldReason::WaitsForFullLook { why }, until);
    }
    if let Some(reversed_at) = reversed_at(group, case).filter(|_| planned.is_none()) {
        let why = why.clone();
        let until = REVERSED_FOR.after(reversed_at);
        let reason = DrainHoldReason::DrainedBefore { why, reversed_at };
        return Asked::Not(reason, Some(until));
    }
    if let Some(own) = case.departure.own_drain {
        // It was set to DRAINING a moment ago, and does not read so yet.
        let reason = DrainHoldReason::Draining {
            why: Some(why.clone()),
            by_ballast: Some(true),
            since: Some(own.at),
            deadline: None,
            tasks: counts(case),
            stuck: Vec::new(),
        };
        return Asked::Not(reason, None);
    }
    if let Some(reason) = would_not_end(case, why) {
        return Asked::Not(reason, None);
    }
    Asked::For(why)
}

/// That tasks on an instance that EC2 recommends to rebalance would stay on it, whatever room there is.
fn would_not_end(case: &Case<'_>, why: &DepartureCause) -> Option<DrainHoldReason> {
    let stays = why.kind() == CauseKind::Rebalance && !case.immovable.is_empty();
    stays.then(|| DrainHoldReason::ImmovableTasks {
        why: why.clone(),
        tasks: counts(case),
        immovable: stuck::lines(case.immovable.iter()),
    })
}

/// The planned maintenance whose lead has begun.
fn planned<'c>(group: &GroupCase<'_>, case: &'c Case<'_>) -> Option<&'c DepartureCause> {
    let cause = case.departure.cause(CauseKind::Maintenance)?;
    let lead = group.policy.maintenance_lead;
    (lead.before(cause.at()) <= group.look.now && activated(case, cause).is_none()).then_some(cause)
}

/// From when on the budget is not asked.
fn forced_at(why: &DepartureCause) -> Option<Timestamp> {
    let is_planned = why.kind() == CauseKind::Maintenance;
    is_planned.then(|| MAINTENANCE_FORCED.before(why.at()))
}

/// That the instance is left to whoever set it to ACTIVE again after a drain for this cause.
fn activated(case: &Case<'_>, why: &DepartureCause) -> Option<DrainHoldReason> {
    let activated = case.departure.activated?;
    (activated.cause == why.kind()).then(|| DrainHoldReason::ActivatedBySomebodyElse {
        why: why.clone(),
        at: activated.at,
    })
}

/// Why an instance is left alone whose owner asked for no drain.
fn not_asked<'c>(group: &GroupCase<'_>, case: &'c Case<'_>) -> Asked<'c> {
    for cause in case.departure.causes.iter().rev() {
        if let Some(reason) = activated(case, cause) {
            return Asked::Not(reason, None);
        }
        match cause {
            DepartureCause::AgentLost { since } => {
                let (since, tasks) = (*since, counts(case));
                return Asked::Not(DrainHoldReason::AgentLost { since, tasks }, None);
            }
            DepartureCause::Rebalance { at } => {
                return Asked::Not(DrainHoldReason::RebalanceNotAsked { at: *at }, None);
            }
            DepartureCause::Maintenance {
                code, starts_at, ..
            } => {
                let code = code.clone();
                let starts_at = *starts_at;
                let until = group.policy.maintenance_lead.before(starts_at);
                let reason = DrainHoldReason::MaintenancePlanned { code, starts_at };
                return Asked::Not(reason, Some(until));
            }
            DepartureCause::SpotInterruption { .. }
            | DepartureCause::CapacityReservationInterruption { .. }
            | DepartureCause::Terminating { .. }
            | DepartureCause::Stopping { .. } => {}
        }
    }
    let reason = match case.departure.disconnected_since {
        Some(since) => DrainHoldReason::AgentDisconnected { since },
        None => DrainHoldReason::Staying,
    };
    Asked::Not(reason, None)
}

/// What is left of a group's budget, and of what it may launch.
struct Left<'a> {
    budget: u32,
    spent: u32,
    launchable: Launchable<'a>,
}

impl<'a> Left<'a> {
    fn new(group: &GroupCase<'a>) -> Self {
        let (in_service, spent) = disruption(group);
        let allowed = budget(in_service, group.policy.disruption_percent, spent, 0).allowed;
        Self {
            budget: allowed,
            spent,
            launchable: Launchable::new(group),
        }
    }

    fn verdict(
        &mut self,
        case: &Case<'a>,
        why: &DepartureCause,
        at: Timestamp,
        rooms: &mut BTreeMap<&'a ClusterName, Room<'a>>,
        indexes: &Indexes<'a>,
    ) -> Verdict {
        let why = why.clone();
        let budget_left = self.budget.saturating_sub(self.spent);
        if budget_left == 0 {
            let (budget, spent) = (self.budget, self.spent);
            let until = forced_at(&why);
            let reason = DrainHoldReason::DisruptionBudgetSpent { why, budget, spent };
            return Verdict::Hold(reason, until);
        }
        let is_planned = why.kind() == CauseKind::Maintenance;
        let room = match self.room(case, why.kind(), rooms, indexes) {
            Ok(room) => Some(room),
            Err(_) if is_planned => None,
            Err(tried) => return Verdict::hold(DrainHoldReason::NoOtherPool { why, tried }),
        };
        let container = match case.place {
            Place::Active(container) => Some(container),
            Place::Draining(_) | Place::NotRegistered | Place::Registering | Place::Gone(_) => None,
        };
        let Some(action) = container.and_then(|it| ladder::drain(case, it)) else {
            return Verdict::hold(DrainHoldReason::Staying);
        };
        if room.is_none() && case.needs_room() {
            self.launchable.take();
        }
        // One that is not healthy counts already.
        let is_new = !is_spent(case);
        self.spent = self.spent.saturating_add(u32::from(is_new));
        let reason = match room.filter(|_| !is_planned) {
            Some(room) => DrainStepReason::Selective {
                why,
                room,
                budget_left,
                tasks: counts(case),
            },
            None => DrainStepReason::Leaving {
                deadline: why.deadline(),
                why,
                tasks: counts(case),
                stuck: Vec::new(),
                budget_left: Some(budget_left),
            },
        };
        Verdict::Step(action, reason, at)
    }

    /// Where the tasks of an instance find room, or what was tried.
    fn room(
        &mut self,
        case: &Case<'a>,
        kind: CauseKind,
        rooms: &mut BTreeMap<&'a ClusterName, Room<'a>>,
        indexes: &Indexes<'a>,
    ) -> Result<PoolRoom, String> {
        let pool = (
            case.instance.instance_type.as_ref(),
            case.instance.zone.as_ref(),
        );
        let may_stay_in_pool = kind != CauseKind::Rebalance;
        let free = free(case, rooms, indexes, |other| {
            may_stay_in_pool || other != pool
        });
        let no_room = match free {
            Ok(tasks) => return Ok(PoolRoom::Free { tasks }),
            Err(no_room) => no_room,
        };
        if case.tasks.is_none() {
            return Err(no_room.to_owned());
        }
        let launched = self.launchable.room(case, may_stay_in_pool);
        launched.map_err(|why| format!("{no_room}, and {why}"))
    }
}

/// How many instances are in service, and how many drain, leave or are not healthy: each once.
fn disruption(group: &GroupCase<'_>) -> (u32, u32) {
    let mut in_service: u32 = 0;
    let mut spent: u32 = 0;
    for case in group.cases.iter().filter(|it| !it.is_detached) {
        let member = case.instance.member.as_ref();
        let is_in_service = match member {
            Some(member) => member.lifecycle == Lifecycle::InService,
            None => case.container().is_some(),
        };
        in_service = in_service.saturating_add(u32::from(is_in_service));
        spent = spent.saturating_add(u32::from(is_spent(case)));
    }
    (in_service, spent)
}

/// Whether an instance drains, leaves or is not healthy.
fn is_spent(case: &Case<'_>) -> bool {
    let member = case.instance.member.as_ref();
    let is_unhealthy = member.is_some_and(|it| !it.is_healthy);
    let is_leaving = case.lifecycle() == Some(Lifecycle::Terminating);
    case.is_draining()
        || case.why.is_some()
        || case.departure.own_drain.is_some()
        || is_unhealthy
        || is_leaving
        || case.gone.is_some()
}

/// How many tasks of an instance were put on others whose pool will do: all of them, or none, and why not.
fn free<'a>(
    case: &Case<'a>,
    rooms: &mut BTreeMap<&'a ClusterName, Room<'a>>,
    indexes: &Indexes<'a>,
    will_do: impl Fn(
        (
            Option<&model::InstanceType>,
            Option<&model::AvailabilityZone>,
        ),
    ) -> bool,
) -> Result<u32, &'static str> {
    if case.instance.tasks_counted == Some(0) {
        return Ok(0);
    }
    if case.tasks.is_none() {
        return Err("its tasks were not read");
    }
    let cluster = case.cluster.map(|it| &it.capacity.cluster);
    let room = cluster.and_then(|it| rooms.get_mut(it));
    let index = cluster.and_then(|it| indexes.get(it));
    let (Some(room), Some(index)) = (room.filter(|it| it.is_known), index) else {
        return Err("not every instance of its cluster was read");
    };
    let tasks: Vec<&InstanceTask> = case.moved().collect();
    let mut puts: Vec<Put<'a>> = Vec::new();
    let mut placed: u32 = 0;
    for request in requests_of(index, tasks.iter().copied()) {
        let put = room.put(&request, Proof::Certain, |site| {
            !site.may_leave() && will_do(site.pool())
        });
        placed = placed.saturating_add(put.tasks);
        puts.push(put);
    }
    if usize::try_from(placed).is_ok_and(|it| it == tasks.len()) {
        return Ok(placed);
    }
    room.undo(puts);
    Err("the instances that stay have no room for all of them")
}
