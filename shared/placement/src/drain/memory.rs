//! What to remember of a group's instances.
//!
//! What was not looked at stays as it is, except for causes that are over by [`FORGOTTEN_AFTER`]. A look at everything that left no gap
//! forgets the instances that are neither in the group or its warm pool nor registered; one that Ballast drained only where the look shows the whole of the cluster
//! in which it did.
//!
//! Guaranteed: every drain is remembered before it happens; at most [`DEPARTURES_MAX`] departures and [`REVERSALS_MAX`] reversals, and
//! at most [`MEMORY_BYTES_MAX`] of JSON. Where
//! there are more, those go first that Ballast has not drained, of them those without a cause, then the least urgent, then the oldest.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::Seconds;
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainAction, DrainMemory, DrainStep, DrainStepReason,
    OwnDrain, Reversal,
};
use model::ids::InstanceId;

use super::case::GroupCase;
use super::reversal::{OWN_FOR, REVERSED_FOR};
use super::said::forget;

/// How long after its deadline a cause is remembered of an instance that no look has shown.
pub const FORGOTTEN_AFTER: Seconds = Seconds(86_400);
/// How long a wait in a hook may last. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html>
const WAIT_MAX: Seconds = Seconds(172_800);
/// How long a memory may be as JSON, in bytes. An item of DynamoDB holds 400 KB; the rest is for its other attributes.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const MEMORY_BYTES_MAX: usize = 350_000;
/// How many departures are remembered, and fewer where that takes more than [`MEMORY_BYTES_MAX`].
pub const DEPARTURES_MAX: usize = 2_000;
/// How many reversals are remembered.
pub const REVERSALS_MAX: usize = 500;

/// The memory to announce: what was seen, and the steps. `None` where nothing could be recalled.
pub(crate) fn planned<'s>(
    group: &GroupCase<'_>,
    steps: impl Iterator<Item = &'s DrainStep>,
) -> Option<DrainMemory> {
    let now = group.look.now;
    let mut memory = group.before?.clone();
    let looked_at = &group.of.instances;
    for (id, departure) in &mut memory.departures {
        if !looked_at.contains_key(id) {
            departure
                .causes
                .retain(|it| now < FORGOTTEN_AFTER.after(ends(it)));
            forget(departure, now);
        }
    }
    for case in &group.cases {
        memory
            .departures
            .insert(case.id().clone(), case.departure.clone());
    }
    // What an instance that is there shows of the drain needs no look without gaps.
    memory
        .departures
        .retain(|id, _| !group.elsewhere.is_handed_over(&group.of.key, id));
    if group.look.snapshot.is_full && group.gaps.is_empty() {
        let seen = seen(group);
        memory
            .departures
            .retain(|id, it| seen.contains(id) || is_out_of_sight(it, group));
    }
    for departure in memory.departures.values_mut() {
        if departure.own_drain.is_none() {
            departure.end_own_drain();
        }
    }
    for step in steps {
        announce(&mut memory, step, now);
    }
    memory
        .departures
        .retain(|_, departure| *departure != Departure::default());
    memory
        .reversed
        .retain(|_, it| now < REVERSED_FOR.after(it.at));
    bound(&mut memory);
    Some(memory)
}

/// Whether Ballast drained the instance in a cluster that this look did not show whole: it may be there.
fn is_out_of_sight(departure: &Departure, group: &GroupCase<'_>) -> bool {
    let searched = &group.look.snapshot.searched;
    let is_own = departure
        .own_drain
        .is_some_and(|it| group.look.now < OWN_FOR.after(it.at));
    let drained_in = departure.drained_in.as_ref();
    is_own && drained_in.is_some_and(|it| !searched.contains(it))
}

/// The instances that are in the group or its warm pool, or registered.
fn seen<'a>(group: &GroupCase<'a>) -> BTreeSet<&'a InstanceId> {
    let members = group.of.group.iter().flat_map(|it| it.instances.keys());
    let clusters = group.look.snapshot.clusters.values();
    let registered = clusters
        .flat_map(|it| it.capacity.instances.values())
        .filter_map(|it| it.ec2_instance.as_ref());
    let looked_at = group.of.instances.keys();
    let waiting = &group.of.in_warm_pool;
    let seen = members.chain(registered).chain(looked_at);
    seen.chain(waiting).collect()
}

/// When a cause is over at the latest, as far as it tells by itself.
fn ends(cause: &DepartureCause) -> Timestamp {
    match cause {
        DepartureCause::Terminating { since } => WAIT_MAX.after(*since),
        DepartureCause::SpotInterruption { .. }
        | DepartureCause::CapacityReservationInterruption { .. }
        | DepartureCause::Stopping { .. }
        | DepartureCause::Maintenance { .. }
        | DepartureCause::Rebalance { .. }
        | DepartureCause::AgentLost { .. } => cause.deadline().unwrap_or_else(|| cause.at()),
    }
}

/// What a step leaves to remember before it is known to have happened.
fn announce(memory: &mut DrainMemory, step: &DrainStep, now: Timestamp) {
    match (&step.action, &step.reason) {
        (
            DrainAction::Drain {
                cluster, instance, ..
            },
            DrainStepReason::Leaving { why, .. } | DrainStepReason::Selective { why, .. },
        ) => {
            let departure = memory.departures.entry(instance.clone()).or_default();
            departure.drained_in = Some(cluster.clone());
            departure.own_drain = Some(OwnDrain {
                at: now,
                cause: why.kind(),
                confirmed: false,
            });
        }
        // The drain is remembered until it is known to be taken back.
        (DrainAction::Activate { instance, .. }, DrainStepReason::CauseGone { cause, .. }) => {
            let reversal = Reversal {
                at: now,
                cause: *cause,
            };
            memory.reversed.insert(instance.clone(), reversal);
        }
        (
            DrainAction::Drain { .. }
            | DrainAction::Activate { .. }
            | DrainAction::StopTask { .. }
            | DrainAction::RecordHeartbeat { .. }
            | DrainAction::CompleteLifecycleAction { .. },
            _,
        ) => {}
    }
}

fn bound(memory: &mut DrainMemory) {
    let too_many = memory.reversed.len().saturating_sub(REVERSALS_MAX);
    if too_many > 0 {
        let mut all: Vec<_> = memory
            .reversed
            .iter()
            .map(|(id, it)| (it.at, id.clone()))
            .collect();
        all.sort();
        for (_, id) in all.into_iter().take(too_many) {
            memory.reversed.remove(&id);
        }
    }
    let mut left = MEMORY_BYTES_MAX.saturating_sub(bytes(&memory.reversed));
    let mut all: Vec<_> = memory
        .departures
        .iter()
        .map(|(id, it)| (worth(it), id.clone(), bytes(&(id, it))))
        .collect();
    all.sort();
    all.reverse();
    for (number, (_, id, bytes)) in all.into_iter().enumerate() {
        left = left.saturating_sub(bytes);
        if left == 0 || number >= DEPARTURES_MAX {
            memory.departures.remove(&id);
        }
    }
}

/// How long something is as JSON, in bytes. What cannot be written fits nowhere.
fn bytes<T: serde::Serialize>(of: &T) -> usize {
    serde_json::to_string(of).map_or(MEMORY_BYTES_MAX, |it| it.len())
}

/// The less of it, the sooner a departure is forgotten: whether Ballast drained the instance, the most urgent cause, the youngest cause. One without a
/// cause, of which only what was called off is remembered, say, goes before all that have one.
fn worth(
    departure: &Departure,
) -> (
    bool,
    Option<std::cmp::Reverse<CauseKind>>,
    Option<Timestamp>,
) {
    let kinds = departure.causes.iter().map(DepartureCause::kind);
    let urgency = kinds.min();
    let at = departure.causes.iter().map(DepartureCause::at).max();
    (
        departure.own_drain.is_some(),
        urgency.map(std::cmp::Reverse),
        at.or(departure.disconnected_since),
    )
}
