//! The ladder of an instance: what is done about it, by where it is in its life as a container instance.
//!
//! | where it is | it certainly leaves | it does not |
//! |---|---|---|
//! | gone | nothing is drained | the same |
//! | not registered | it is waited for | it stays |
//! | being registered | it is waited for | it stays |
//! | ACTIVE, and its deadline is over | too late, unless EC2 stops it or its agent is disconnected | |
//! | ACTIVE, and somebody else drains it | left to them for a moment ([`neighbours`]) | |
//! | ACTIVE | DRAINING | a choice (`choice`), and so is when, where it leaves for planned maintenance |
//! | DRAINING | ECS moves its tasks | taken back, where Ballast drained it (`reversal`) |
//!
//! Guaranteed: a drain that is certain, and due, needs neither a complete look nor a memory.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::TaskArn;
use model::capacity::ContainerInstance;
use model::drain::{DrainAction, DrainHoldReason, DrainStepReason};

use super::case::{Case, GroupCase, Place};
use super::causes::REGISTERS_WITHIN;
use super::numbers::counts;
use super::{Verdict, action, causes, neighbours, stuck};

/// What is done about an instance, as far as it needs no choice. `None`: it is ACTIVE and not certain to leave.
pub(crate) fn verdict(
    group: &GroupCase<'_>,
    case: &Case<'_>,
    stopped: &BTreeSet<&TaskArn>,
) -> Option<Verdict> {
    if let Some(shown_by) = &case.gone {
        let shown_by = shown_by.clone();
        return Some(Verdict::hold(DrainHoldReason::Gone { shown_by }));
    }
    match case.place {
        Place::NotRegistered => Some(not_registered(group, case)),
        Place::Registering => Some(Verdict::hold(match &case.why {
            Some(why) => DrainHoldReason::Registering { why: why.clone() },
            None => DrainHoldReason::Staying,
        })),
        Place::Active(container) => active(group, case, container),
        Place::Draining(_) => Some(Verdict::hold(draining(group, case, stopped))),
        Place::Gone(status) => Some(Verdict::hold(DrainHoldReason::Gone {
            shown_by: format!("its container instance is {status}"),
        })),
    }
}

fn not_registered(group: &GroupCase<'_>, case: &Case<'_>) -> Verdict {
    let Some(why) = &case.why else {
        return Verdict::hold(DrainHoldReason::Staying);
    };
    if let Some(shown_by) =
        action::is_ill_unregistered(group, case).filter(|_| case.waiting.is_some())
    {
        return Verdict::hold(DrainHoldReason::Gone { shown_by });
    }
    let until = why
        .deadline()
        .unwrap_or_else(|| REGISTERS_WITHIN.after(why.at()));
    if until <= group.look.now && group.gaps.is_empty() && group.of.is_proven_ours {
        let shown_by = format!("it had not registered by {until:.0}");
        return Verdict::hold(DrainHoldReason::Gone { shown_by });
    }
    let why = why.clone();
    Verdict::Hold(DrainHoldReason::NotRegistered { why }, Some(until))
}

fn active(
    group: &GroupCase<'_>,
    case: &Case<'_>,
    container: &ContainerInstance,
) -> Option<Verdict> {
    let why = case.why.clone()?;
    let passed = why.deadline().filter(|it| *it <= group.look.now);
    let is_too_late = causes::ends_with_its_deadline(&why, container.agent_connected);
    if let Some(deadline) = passed.filter(|_| is_too_late) {
        return Some(Verdict::hold(DrainHoldReason::TooLate {
            why,
            deadline,
            tasks: counts(case),
        }));
    }
    if let Some((reason, until)) = neighbours::left_to(group, case) {
        return Some(Verdict::Hold(reason, Some(until)));
    }
    let action = drain(case, container)?;
    let deadline = case.deadline.filter(|it| group.look.now < *it);
    let reason = DrainStepReason::Leaving {
        why,
        deadline,
        tasks: counts(case),
        stuck: stuck::lines(case.stuck.iter()),
        budget_left: None,
    };
    let rank = deadline.unwrap_or(Timestamp::MAX);
    Some(Verdict::Step(action, reason, rank))
}

/// The step that sets an instance to DRAINING.
pub(crate) fn drain(case: &Case<'_>, container: &ContainerInstance) -> Option<DrainAction> {
    Some(DrainAction::Drain {
        cluster: case.cluster?.capacity.cluster.clone(),
        container_instance: container.arn.clone(),
        instance: case.id().clone(),
    })
}

fn draining(
    group: &GroupCase<'_>,
    case: &Case<'_>,
    stopped: &BTreeSet<&TaskArn>,
) -> DrainHoldReason {
    let since = case.departure.draining_since.unwrap_or(group.look.now);
    let known_since = group.before.map(|_| since);
    let tasks = counts(case);
    let stuck = stuck::lines(case.stuck_but(stopped));
    let of_own_drain = || {
        let own = case.departure.own_drain?;
        case.departure.cause(own.cause).cloned()
    };
    let why = case.why.clone().or_else(of_own_drain);
    if tasks.is_some_and(|it| it.left() == 0) {
        return DrainHoldReason::Drained {
            why,
            since: known_since,
        };
    }
    let departure_timeout = group.policy.departure_timeout;
    let normal_until = departure_timeout.after(since);
    let ends_before = case.deadline.is_some_and(|it| it <= normal_until);
    if normal_until <= group.look.now && !ends_before {
        return DrainHoldReason::DrainStuck {
            since,
            departure_timeout,
            tasks,
            stuck,
        };
    }
    DrainHoldReason::Draining {
        why,
        by_ballast: group.before.map(|_| case.departure.own_drain.is_some()),
        since: known_since,
        deadline: case.deadline,
        tasks,
        stuck,
    }
}
