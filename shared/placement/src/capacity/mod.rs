//! Sizing the groups under EC2 capacity providers, and choosing what to remove.
//!
//! The rules about a provider, in the order in which they are asked. The first one that speaks decides:
//!
//! 1. [`refusal`]: can the group be sized at all? Its tags, weights, its deletion.
//! 2. Everything is counted, whatever comes of it: [`launching`] (which instances count), [`demand`] (which tasks need room), `pools` and
//!    `types` (what may be launched and what that offers), `room` and `fit` (packing), [`reservation`] (the numbers); and noted
//!    ([`history`]).
//! 3. A group that asks for advice gets it: the steps that would be taken, as text, or why none would.
//! 4. `neighbours`, who get the same advice, the tag `ballast:paused`, and [`foreign`]: does somebody else decide about the size?
//! 5. More are needed than are there: instances that drain are taken back first (`drains`), then [`scale_out`].
//! 6. Fewer are wanted for the whole scale-in delay: `vetoes`, then `scale_in` and `consolidate` choose, and `after` looks ahead.
//! 7. Otherwise the size is right, or what is wanted is on its way.
//!
//! Guaranteed: every opted-in provider is in exactly one step or one hold, and so is every instance of its group (`instances`); a
//! desired capacity is only ever planned upwards, as an absolute value within the group's limits, and lowered only together with the
//! termination of an instance that Ballast chose and drained; without a memory, or with a gap in what was seen, nothing is removed.
//!
//! Assumed: what ECS places where is its own affair. The sizes suffice; they are not a forecast.
//!
//! Absent: any change of a group's limits, types, policies or protection, of a provider, a service or a task.

mod after;
pub mod audit;
mod case;
mod choose;
pub mod consolidate;
mod daemons;
pub mod demand;
pub mod drains;
pub(crate) mod eligible;
pub(crate) mod fit;
pub mod foreign;
pub mod history;
pub(crate) mod index;
mod instances;
pub mod launching;
pub mod neighbours;
mod placing;
pub mod pools;
pub mod refusal;
pub mod reservation;
pub mod room;
pub(crate) mod scale_in;
pub mod scale_out;
pub mod settings;
pub mod settle;
mod spread;
mod strays;
pub mod types;
pub mod vetoes;

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::capacity::{
    CapacityAction, CapacityHold, CapacityHoldReason, CapacityPlan, CapacitySnapshot, CapacityStep,
    Consent, GroupPolicy, ProviderKey, ProviderMemory, ProviderPassedOver,
};
use model::memory::Recall;
use model::policy::Installation;
use model::trigger::Hints;

pub(crate) use case::{Case, Look, Member, MemberState, Removal};
pub use settle::settle;

use crate::Decision;
use demand::Demand;
use index::Index;
use pools::Closed;
use reservation::Given;
use room::Room;
use scale_out::Size;
use settings::Settings;
use strays::Newcomers;

/// How many lines of advice a hold has; the rest is counted.
pub const ADVICE_MAX: usize = 20;

/// What is decided about EC2 capacity, and what to remember of it.
pub type CapacityDecision = Decision<CapacityStep, CapacityHold, ProviderKey, ProviderMemory>;

/// Decides about everything in the snapshot.
///
/// `now` is AWS's own time, normally [`CapacitySnapshot::taken_at`]. A provider without an entry in `memories` counts as never seen.
#[must_use]
pub fn decide(
    snapshot: &CapacitySnapshot,
    installation: &Installation,
    memories: &BTreeMap<ProviderKey, Recall<ProviderMemory>>,
    hints: &Hints,
    now: Timestamp,
) -> CapacityDecision {
    let mut plan = CapacityPlan::default();
    let mut remembered = BTreeMap::new();
    for cluster in snapshot.clusters.values() {
        let activated = drains::activated(memories, &cluster.cluster, now);
        let index = Index::new(cluster, &activated);
        let is_complete = snapshot.gaps.is_empty() && cluster.gaps.is_empty();
        let demands = demand::of_cluster(&index, is_complete);
        let nothing = Demand::default();
        for provider in cluster.providers.values() {
            let fresh = Recall::Known(ProviderMemory::default());
            let look = Look {
                snapshot,
                cluster,
                provider,
                installation,
                recall: memories.get(&provider.key).unwrap_or(&fresh),
                hints,
                now,
            };
            let demand = demands.get(&provider.key.provider).unwrap_or(&nothing);
            let memory = decide_provider(&look, &index, demand, &mut plan);
            if let Some(memory) = memory {
                remembered.insert(provider.key.clone(), memory);
            }
        }
    }
    for (key, why) in &snapshot.passed_over {
        let reason = match why {
            ProviderPassedOver::NotOptedIn => CapacityHoldReason::NotOptedIn,
            ProviderPassedOver::ManagedInstances => CapacityHoldReason::ManagedInstances,
            ProviderPassedOver::GroupNotFound { group } => CapacityHoldReason::GroupNotFound {
                group: group.clone(),
            },
            ProviderPassedOver::Unread { gap } => CapacityHoldReason::Unread { gap: gap.clone() },
        };
        let hold = CapacityHold::of_provider(key.clone(), reason, None, Vec::new(), None);
        plan.holds.push(hold);
    }
    order(&mut plan);
    Decision {
        plan,
        memories: remembered,
    }
}

/// The order of a plan: what adds first, what is there already before what is bought, the largest raise first; then what ends, then what
/// begins to drain, as chosen. Ties by the provider; holds by the subject.
fn order(plan: &mut CapacityPlan) {
    let urgency = |step: &CapacityStep| match &step.action {
        CapacityAction::Activate { .. } => (0, 0),
        CapacityAction::SetDesiredCapacity { from, to, .. } => {
            (1, -(i64::from(*to) - i64::from(*from)))
        }
        CapacityAction::Terminate { .. } => (2, 0),
        CapacityAction::Drain { .. } => (3, 0),
    };
    plan.steps.sort_by(|a, b| {
        urgency(a)
            .cmp(&urgency(b))
            .then_with(|| a.provider().cmp(b.provider()))
    });
    plan.holds.sort_by(|a, b| a.subject.cmp(&b.subject));
}

/// A hold about the provider itself, with its numbers.
fn hold(case: &Case<'_>, reason: CapacityHoldReason, until: Option<Timestamp>) -> CapacityHold {
    CapacityHold::of_provider(
        case.look.provider.key.clone(),
        reason,
        Some(case.numbers),
        case.unplaced.clone(),
        until,
    )
}

/// Decides about one provider and the instances of its group. The memory is `None` where none could be recalled.
fn decide_provider(
    look: &Look<'_>,
    index: &Index<'_>,
    demand: &Demand<'_>,
    plan: &mut CapacityPlan,
) -> Option<ProviderMemory> {
    let provider = look.provider;
    let recalled = look.recall.known().cloned();
    let policy = match refusal::sizable(provider) {
        Ok(policy) => policy,
        Err(reason) => {
            let key = provider.key.clone();
            let hold = CapacityHold::of_provider(key, reason, None, Vec::new(), None);
            plan.holds.push(hold);
            plan.holds.extend(instances::held(look));
            return recalled;
        }
    };
    // Without a memory everything is counted as at the first sight, and nothing of it is kept.
    let is_known = recalled.is_some();
    let mut memory = recalled.unwrap_or_default();
    let case = count(look, policy, index, demand, &mut memory);
    note(&case, &mut memory);
    let held = untouchable(&case, &mut memory);
    if let Some((reason, until)) = held {
        let again = taken_back(&case, &reason);
        let known = is_known.then_some(&mut memory);
        let decided = instances::decide(&case, &Removal::Held { again }, known);
        plan.steps.extend(decided.steps);
        plan.holds.extend(decided.holds);
        plan.holds.push(hold(&case, reason, until));
    } else {
        let known = is_known.then_some(&mut memory);
        let (size, decided) = choose::choose(&case, known);
        plan.steps.extend(decided.steps);
        plan.holds.extend(decided.holds);
        match size {
            Size::Raise(step) => plan.steps.push(*step),
            Size::Stay(reason, until) => plan.holds.push(hold(&case, reason, until)),
        }
    }
    is_known.then_some(memory)
}

/// Counts everything about a provider, and brings what is remembered of its instances, types and pools up to date.
fn count<'a>(
    look: &'a Look<'a>,
    policy: &'a GroupPolicy,
    index: &'a Index<'a>,
    demand: &'a Demand<'a>,
    memory: &mut ProviderMemory,
) -> Case<'a> {
    let group = &look.provider.group;
    drains::forget(memory, look, index);
    neighbours::note(memory, look);
    let settings = Settings::new(policy, look.provider);
    let members = launching::members(look, policy, settings.warm_up, index, memory);
    let unregistered = launching::note_stall(memory, &members, settings.warm_up, look.now);
    types::learn(memory, &members, look.now);
    let types = types::of_group(group, policy, &members, index, memory);
    let names = types.offers.iter().map(|offer| &offer.instance_type);
    pools::note(memory, look, &members, names);
    let type_names = types.names();
    let (room, retry_at, closed) = {
        let closed = Closed::new(memory, group.market, look.now);
        let room = Room::new(look, index, &members, &types, &closed);
        (room, closed.retry_at, closed.by_cause())
    };
    let ground = fit::Ground {
        index,
        room: &room,
        retry_at,
        type_names: &type_names,
        keeps_spread: true,
        as_if_open: false,
    };
    let known = matches!(look.recall, Recall::Known(_)).then_some(&*memory);
    let newcomers = Newcomers::new(known, &members, look.now);
    let sizing = reservation::size(&Given {
        provider: look.provider,
        policy,
        settings: &settings,
        members: &members,
        demand,
        ground,
        newcomers: &newcomers,
        now: look.now,
    });
    if look.is_complete() && room.unborn == 0 {
        strays::forget(memory, sizing.opened, &sizing.unplaced);
    }
    let launches_fail = pools::launches_fail(group, &members, look.now);
    Case {
        look,
        policy,
        settings,
        group,
        index,
        members,
        demand,
        room,
        type_names,
        retry_at,
        closed,
        launches_fail,
        unregistered,
        numbers: sizing.numbers,
        asked: sizing.asked,
        unplaced: sizing.unplaced,
        tasks_without_room: sizing.tasks_without_room,
        needed_again: sizing.needed_again,
        newcomers,
        strays: sizing.strays,
        opened: sizing.opened,
    }
}

/// Notes how many instances are wanted, whether or not the group may be touched at this moment.
fn note(case: &Case<'_>, memory: &mut ProviderMemory) {
    let seen = history::Seen {
        wanted: within(case, case.numbers.wanted),
        is_complete: case.look.is_complete(),
        delay: case.policy.scale_in_delay,
        now: case.look.now,
    };
    history::note(memory, &seen, case.look.installation);
}

/// The number within the group's limits. Limits that contradict each other cannot be set; the minimum would count.
fn within(case: &Case<'_>, instances: u32) -> u32 {
    instances.min(case.group.max_size).max(case.group.min_size)
}

/// Why the group is not touched now, and until when.
fn untouchable(
    case: &Case<'_>,
    memory: &mut ProviderMemory,
) -> Option<(CapacityHoldReason, Option<Timestamp>)> {
    let neighbours = neighbours::neighbours(case.look.provider, memory);
    if case.policy.consent == Consent::Advise || !neighbours.is_empty() {
        // Somebody else writes the desired capacity: what is found afterwards is taken as given.
        memory.wrote = None;
        memory.foreign = None;
    }
    if case.policy.consent == Consent::Advise {
        let (advice, held, until) = advice(case, memory);
        let reason = CapacityHoldReason::AdviceOnly {
            advice,
            held,
            neighbours,
        };
        return Some((reason, until));
    }
    if !neighbours.is_empty() {
        let (advice, held, until) = advice(case, memory);
        let reason = CapacityHoldReason::Neighbours {
            neighbours,
            advice,
            held,
        };
        return Some((reason, until));
    }
    if case.policy.paused {
        return Some((CapacityHoldReason::Paused, None));
    }
    let gaps = neighbours::unseen(case.look.provider);
    if !gaps.is_empty() {
        return Some((CapacityHoldReason::SnapshotIncomplete { gaps }, None));
    }
    let known = match case.look.recall {
        Recall::Known(_) => memory,
        // What was written last is not known, and nothing can be compared.
        Recall::Unknown => return None,
    };
    let (reason, until) = foreign::check(known, case.group, case.policy, case.look.now)?;
    Some((reason, Some(until)))
}

/// How many of the instances that Ballast drains the tasks get back although the group's size is left alone.
fn taken_back(case: &Case<'_>, reason: &CapacityHoldReason) -> u32 {
    let is_for_a_while = matches!(
        reason,
        CapacityHoldReason::ForeignChange { .. }
            | CapacityHoldReason::OwnWriteNotVisible { .. }
            | CapacityHoldReason::SnapshotIncomplete { .. }
    );
    if is_for_a_while {
        u32::try_from(case.needed_again.len()).unwrap_or(u32::MAX)
    } else {
        0
    }
}

/// The lines of advice; why the size would stay as it is, and until when.
type Advice = (
    Vec<String>,
    Option<Box<CapacityHoldReason>>,
    Option<Timestamp>,
);

/// What would be done, in the order in which it would be.
fn advice(case: &Case<'_>, memory: &ProviderMemory) -> Advice {
    let mut scratch = memory.clone();
    let known = match case.look.recall {
        Recall::Known(_) => Some(&mut scratch),
        Recall::Unknown => None,
    };
    let (size, decided) = choose::choose(case, known);
    let mut plan = CapacityPlan {
        steps: decided.steps,
        holds: Vec::new(),
    };
    let (held, until) = match size {
        Size::Raise(step) => {
            plan.steps.push(*step);
            (None, None)
        }
        Size::Stay(reason, until) => (Some(Box::new(reason)), until),
    };
    order(&mut plan);
    let mut lines: Vec<String> = plan
        .steps
        .iter()
        .take(ADVICE_MAX)
        .map(|step| step.action.to_string())
        .collect();
    match plan.steps.len().saturating_sub(ADVICE_MAX) {
        0 => {}
        more => lines.push(format!("and {more} more such steps")),
    }
    (lines, held, until)
}
