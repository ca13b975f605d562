//! What events said about instances, and what that makes of what is known.
//!
//! Of each kind an instance has one cause: the one that was said last. Of maintenance of several codes it is the one that is next; the others
//! are remembered until it is over. An event without a time, or with one to come, is of now; it renews nothing that is known already.
//!
//! Guaranteed: in whatever order events come, and however often, the same is known in the end. AWS Health's word about one kind of
//! maintenance is compared with the last one that was heard of it, also where that was that it is over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::Seconds;
use model::drain::{CauseKind, Departure, DepartureCause, DrainKey};
use model::ids::InstanceId;
use model::trigger::{Hints, MachineState, Notice};

use super::causes::{MAINTENANCE_OVER, remove, set, set_later};
use super::memory::FORGOTTEN_AFTER;

/// How long it is remembered that EC2 stops an instance whose agent is still connected. ECS notices within a minute or so that an agent is
/// gone; the number is ours.
pub const STOP_HEARD_FOR: Seconds = Seconds(120);
/// How late EC2's word that an instance stops is still believed. It may have been started again since, which no event tells that leads to a
/// look, and its agent be away for another reason. The number is ours.
pub const STOP_BELIEVED_FOR: Seconds = Seconds(3_600);
/// Of how many kinds of maintenance of one instance it is remembered when they were last spoken of.
const CODES_MAX: usize = 4;

/// The words in the codes of AWS Health that say that an instance stops, ends or loses what it has in memory.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html>
const MAINTENANCE_WORDS: [&str; 5] = ["RETIREMENT", "STOP", "TERMINAT", "REBOOT", "POWER"];

/// An event's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word<'a> {
    at: Timestamp,
    /// Whether the event has no time, or one to come.
    is_guess: bool,
    notice: &'a Notice,
}

/// What events said about each instance, the oldest first.
pub(crate) struct Said<'a> {
    words: BTreeMap<&'a InstanceId, Vec<Word<'a>>>,
    hints: &'a Hints,
}

impl<'a> Said<'a> {
    pub(crate) fn new(hints: &'a Hints, now: Timestamp) -> Self {
        let mut words: BTreeMap<&InstanceId, Vec<Word<'a>>> = BTreeMap::new();
        for hint in &hints.notices {
            let at = hint.at.filter(|at| *at <= now);
            if is_stop(&hint.notice) && at.is_some_and(|it| STOP_BELIEVED_FOR.after(it) <= now) {
                continue;
            }
            words.entry(&hint.instance).or_default().push(Word {
                at: at.unwrap_or(now),
                is_guess: at.is_none(),
                notice: &hint.notice,
            });
        }
        for of in words.values_mut() {
            of.sort();
        }
        Self { words, hints }
    }

    /// When the instance was last said to wait in a hook of the group.
    pub(crate) fn terminating_at(
        &self,
        key: &DrainKey,
        instance: &InstanceId,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let actions = self.hints.lifecycle_actions.iter();
        actions
            .filter(|(_, action)| {
                let of_group = match key {
                    DrainKey::Group { group } => *group == action.group,
                    DrainKey::Cluster { .. } | DrainKey::Instance { .. } => false,
                };
                of_group && action.instance == *instance
            })
            .filter_map(|(at, _)| at.filter(|at| *at <= now))
            .max()
    }

    /// Brings what is known of an instance up to date with what was said. A cause that is over is not known.
    pub(crate) fn tell(
        &self,
        departure: &mut Departure,
        instance: &InstanceId,
        is_over: impl Fn(&DepartureCause) -> bool,
    ) {
        for word in self.words.get(instance).into_iter().flatten() {
            let is_known = || is_known(departure, word.notice, &is_over);
            if !word.is_guess || !is_known() {
                apply(departure, word);
            }
        }
    }
}

const fn is_stop(notice: &Notice) -> bool {
    match notice {
        Notice::StateChanged { state } => match state {
            MachineState::Stopping | MachineState::Stopped => true,
            MachineState::Pending
            | MachineState::Running
            | MachineState::ShuttingDown
            | MachineState::Terminated
            | MachineState::Other => false,
        },
        Notice::SpotInterruption { .. }
        | Notice::CapacityReservationInterruption { .. }
        | Notice::Rebalance
        | Notice::Maintenance { .. } => false,
    }
}

/// Drops what is too old to tell apart what still comes.
pub(crate) fn forget(departure: &mut Departure, now: Timestamp) {
    departure.stop_said_at = departure
        .stop_said_at
        .filter(|it| now < STOP_HEARD_FOR.after(*it));
    departure
        .maintenance_said
        .retain(|_, at| now < FORGOTTEN_AFTER.after(*at));
    departure
        .other_maintenance
        .retain(|_, starts_at| now < MAINTENANCE_OVER.after(*starts_at));
}

/// Whether what an event says is known already.
fn is_known(
    departure: &Departure,
    notice: &Notice,
    is_over: impl Fn(&DepartureCause) -> bool,
) -> bool {
    let has = |kind| departure.cause(kind).is_some_and(|it| !is_over(it));
    match notice {
        Notice::SpotInterruption { .. } => has(CauseKind::SpotInterruption),
        Notice::CapacityReservationInterruption { .. } => {
            has(CauseKind::CapacityReservationInterruption)
        }
        Notice::Rebalance => has(CauseKind::Rebalance),
        Notice::StateChanged { state } => match state {
            MachineState::Stopping | MachineState::Stopped => {
                has(CauseKind::Stopping) || departure.stop_said_at.is_some()
            }
            MachineState::ShuttingDown | MachineState::Terminated => departure.ended_at.is_some(),
            MachineState::Running | MachineState::Pending | MachineState::Other => false,
        },
        Notice::Maintenance { code, .. } => departure.maintenance_said.contains_key(code),
    }
}

/// One event's word.
fn apply(departure: &mut Departure, word: &Word<'_>) {
    let at = word.at;
    let action_of = |action: &String| {
        if action.is_empty() {
            "unknown".to_owned()
        } else {
            action.clone()
        }
    };
    match word.notice {
        Notice::SpotInterruption { action } => set_later(
            departure,
            DepartureCause::SpotInterruption {
                warned_at: at,
                action: action_of(action),
            },
        ),
        Notice::CapacityReservationInterruption { action: _ } => set_later(
            departure,
            DepartureCause::CapacityReservationInterruption { warned_at: at },
        ),
        Notice::Rebalance => set_later(departure, DepartureCause::Rebalance { at }),
        Notice::StateChanged { state } => match state {
            MachineState::Stopping | MachineState::Stopped => {
                departure.stop_said_at = departure.stop_said_at.max(Some(at));
            }
            MachineState::Running => {
                departure
                    .causes
                    .retain(|it| it.kind() != CauseKind::Stopping || at <= it.at());
                departure.stop_said_at = departure.stop_said_at.filter(|it| at <= *it);
            }
            MachineState::ShuttingDown | MachineState::Terminated => {
                departure.ended_at = departure.ended_at.max(Some(at));
            }
            MachineState::Pending | MachineState::Other => {}
        },
        Notice::Maintenance {
            code,
            starts_at,
            is_over,
        } => {
            if word.is_guess || is_news(departure, code, at, *is_over) {
                apply_maintenance(departure, at, code, *starts_at, *is_over);
            }
        }
    }
}

/// Whether nothing later was heard of this kind of maintenance. Of two events of one moment the one that says that it is over counts.
fn is_news(departure: &mut Departure, code: &str, at: Timestamp, is_over: bool) -> bool {
    let said = &mut departure.maintenance_said;
    // A word without a code is about every kind.
    let last = said.get(code).max(said.get(""));
    if last.is_some_and(|it| at < *it || (at == *it && !is_over)) {
        return false;
    }
    if is_over || is_disruptive(code) {
        said.insert(code.to_owned(), at);
    }
    while said.len() > CODES_MAX {
        let oldest = said.iter().min_by_key(|(code, at)| (**at, *code));
        let Some(oldest) = oldest.map(|(code, _)| code.clone()) else {
            break;
        };
        said.remove(&oldest);
    }
    true
}

/// What is known of maintenance of every code, with the word of one.
fn apply_maintenance(
    departure: &mut Departure,
    at: Timestamp,
    code: &str,
    starts_at: Option<Timestamp>,
    is_over: bool,
) {
    let known = known_maintenance(departure);
    let mut all = std::mem::take(&mut departure.other_maintenance);
    all.extend(known.clone());
    match starts_at.filter(|_| is_disruptive(code)) {
        // A word without a code is about every kind that was spoken of before.
        _ if is_over && code.is_empty() => {
            let said = &departure.maintenance_said;
            all.retain(|code, _| said.get(code).is_some_and(|it| at < *it));
        }
        _ if is_over => _ = all.remove(code),
        Some(starts_at) => _ = all.insert(code.to_owned(), starts_at),
        None => {}
    }
    while all.len() > CODES_MAX {
        let last = all.iter().max_by_key(|(code, at)| (**at, *code));
        let Some(last) = last.map(|(code, _)| code.clone()) else {
            break;
        };
        all.remove(&last);
    }
    remove(departure, CauseKind::Maintenance);
    let of_known = known.and_then(|(code, _)| all.remove_entry(&code));
    if let Some((code, starts_at)) = of_known.or_else(|| take_earliest(&mut all)) {
        set(departure, DepartureCause::Maintenance { code, starts_at });
    }
    departure.other_maintenance = all;
}

/// The maintenance that is a cause.
fn known_maintenance(departure: &Departure) -> Option<(String, Timestamp)> {
    match departure.cause(CauseKind::Maintenance)? {
        DepartureCause::Maintenance { code, starts_at } => Some((code.clone(), *starts_at)),
        DepartureCause::SpotInterruption { .. }
        | DepartureCause::CapacityReservationInterruption { .. }
        | DepartureCause::Terminating { .. }
        | DepartureCause::Stopping { .. }
        | DepartureCause::Rebalance { .. }
        | DepartureCause::AgentLost { .. } => None,
    }
}

fn take_earliest(all: &mut BTreeMap<String, Timestamp>) -> Option<(String, Timestamp)> {
    let first = all.iter().min_by_key(|(code, at)| (**at, *code));
    let code = first.map(|(code, _)| code.clone())?;
    all.remove_entry(&code)
}

/// Makes of several kinds of maintenance the one the cause that counts now: the earliest to come whose lead has begun, else one that has
/// begun, else the earliest. What somebody else set to ACTIVE again is theirs only as long as that one is the same.
pub(crate) fn choose_maintenance(
    departure: &mut Departure,
    before: Option<&DepartureCause>,
    lead: Seconds,
    now: Timestamp,
) {
    // What an event said now may be over as well.
    departure
        .other_maintenance
        .retain(|_, starts_at| now < MAINTENANCE_OVER.after(*starts_at));
    if !departure.other_maintenance.is_empty() {
        let mut all = std::mem::take(&mut departure.other_maintenance);
        all.extend(known_maintenance(departure));
        let urgency = |(code, at): &(&String, &Timestamp)| {
            let is_due = lead.before(**at) <= now;
            (!is_due, **at <= now, **at, (*code).clone())
        };
        let first = all.iter().min_by_key(urgency).map(|(code, _)| code.clone());
        if let Some((code, starts_at)) = first.and_then(|code| all.remove_entry(&code)) {
            set(departure, DepartureCause::Maintenance { code, starts_at });
        }
        departure.other_maintenance = all;
    }
    let cause = departure.cause(CauseKind::Maintenance);
    if before.is_some() && cause != before {
        departure.activated = departure
            .activated
            .filter(|it| it.cause != CauseKind::Maintenance);
    }
}

fn is_disruptive(code: &str) -> bool {
    MAINTENANCE_WORDS.iter().any(|word| code.contains(word))
}
