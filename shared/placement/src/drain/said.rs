//! What events said about instances, and what that makes of what is known.
//!
//! Of each kind an instance has one cause: the one that was said last. Of maintenance of several codes, or by several events of AWS Health, it is the one that is
//! next; the others are remembered until it is over. An event without a time, or with one to come, is of now; it renews nothing that is known already.
//!
//! Guaranteed: in whatever order events come, and however often, the same is known in the end. AWS Health's word about one maintenance is compared with
//! the last one that was heard of it, also where that was that it is over; and what one event says is over ends no maintenance that another one announced.
//!
//! Assumed: every event of AWS Health names its ARN. A word without one, and what was remembered without one, is about whatever has its code.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::Seconds;
use model::drain::{CauseKind, Departure, DepartureCause, DrainKey, MaintenanceKey};
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
/// How many maintenances of one instance are remembered, and of how many when they were last spoken of.
const MAINTENANCE_MAX: usize = 4;

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

    /// Brings what is known of an instance up to date with what was said. A cause that is over is not known; a warning that came too late is
    /// not believed.
    pub(crate) fn tell(
        &self,
        departure: &mut Departure,
        instance: &InstanceId,
        is_over: impl Fn(&DepartureCause) -> bool,
        is_too_late: impl Fn(&Departure, &DepartureCause) -> bool,
    ) {
        for word in self.words.get(instance).into_iter().flatten() {
            if warning(word).is_some_and(|it| is_too_late(departure, &it)) {
                continue;
            }
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
        Notice::Maintenance {
            code, health_event, ..
        } => {
            let key = MaintenanceKey::new(code, health_event.as_deref());
            let mut said = departure.maintenance_said.keys();
            said.any(|it| it.may_be(&key))
        }
    }
}

/// The warning with a deadline of its own that a word is.
fn warning(word: &Word<'_>) -> Option<DepartureCause> {
    let warned_at = word.at;
    match word.notice {
        Notice::SpotInterruption { action } => {
            let action = if action.is_empty() { "unknown" } else { action };
            Some(DepartureCause::SpotInterruption {
                warned_at,
                action: action.to_owned(),
            })
        }
        Notice::CapacityReservationInterruption { action: _ } => {
            Some(DepartureCause::CapacityReservationInterruption { warned_at })
        }
        Notice::Rebalance | Notice::StateChanged { .. } | Notice::Maintenance { .. } => None,
    }
}

/// One event's word.
fn apply(departure: &mut Departure, word: &Word<'_>) {
    let at = word.at;
    match word.notice {
        Notice::SpotInterruption { .. } | Notice::CapacityReservationInterruption { .. } => {
            if let Some(warning) = warning(word) {
                set_later(departure, warning);
            }
        }
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
            health_event,
            starts_at,
            is_over,
        } => {
            let key = MaintenanceKey::new(code, health_event.as_deref());
            if word.is_guess || is_news(departure, &key, at, *is_over) {
                apply_maintenance(departure, at, &key, *starts_at, *is_over);
            }
        }
    }
}

/// When AWS Health last spoke of the maintenance, as far as that is remembered. A word without a code is about every kind.
pub(super) fn last_said(departure: &Departure, key: &MaintenanceKey) -> Option<Timestamp> {
    let said = departure.maintenance_said.iter();
    said.filter(|(it, _)| it.is_about(key))
        .map(|(_, at)| *at)
        .max()
}

/// Whether nothing later was heard of this maintenance. Of two events of one moment the one that says that it is over counts.
fn is_news(departure: &mut Departure, key: &MaintenanceKey, at: Timestamp, is_over: bool) -> bool {
    let last = last_said(departure, key);
    if last.is_some_and(|it| at < it || (at == it && !is_over)) {
        return false;
    }
    let said = &mut departure.maintenance_said;
    // What would not be believed need not be told apart from what calls it off.
    if is_disruptive(&key.code) || (is_over && key.code.is_empty()) {
        said.insert(key.clone(), at);
    }
    while said.len() > MAINTENANCE_MAX {
        let oldest = said.iter().min_by_key(|(key, at)| (**at, *key));
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
            break;
        };
        said.remove(&oldest);
    }
    true
}

/// What is known of all maintenance, with the word of one.
fn apply_maintenance(
    departure: &mut Departure,
    at: Timestamp,
    key: &MaintenanceKey,
    starts_at: Option<Timestamp>,
    is_over: bool,
) {
    let said = departure.maintenance_said.clone();
    change_maintenance(departure, |all| {
        match starts_at.filter(|_| is_disruptive(&key.code)) {
            // A word without a code is about every kind that was spoken of before.
            _ if is_over && key.code.is_empty() => {
                all.retain(|it, _| !key.is_about(it) || said.get(it).is_some_and(|it| at < *it));
            }
            _ if is_over => all.retain(|it, _| !it.may_be(key)),
            Some(starts_at) => {
                all.retain(|it, _| !it.may_be(key));
                all.insert(key.clone(), starts_at);
            }
            None => {}
        }
    });
}

/// Changes what is known of all maintenance. The one that was a cause stays it where it still is known; else the earliest becomes it.
pub(super) fn change_maintenance(
    departure: &mut Departure,
    change: impl FnOnce(&mut BTreeMap<MaintenanceKey, Timestamp>),
) {
    let known = known_maintenance(departure);
    let mut all = std::mem::take(&mut departure.other_maintenance);
    all.extend(known.clone());
    change(&mut all);
    while all.len() > MAINTENANCE_MAX {
        let last = all.iter().max_by_key(|(key, at)| (**at, *key));
        let Some(last) = last.map(|(key, _)| key.clone()) else {
            break;
        };
        all.remove(&last);
    }
    remove(departure, CauseKind::Maintenance);
    let of_known = known.and_then(|(key, _)| all.remove_entry(&key));
    if let Some(first) = of_known.or_else(|| take_earliest(&mut all)) {
        set(departure, cause_of(first));
    }
    departure.other_maintenance = all;
}

/// The maintenance that is a cause.
pub(super) fn known_maintenance(departure: &Departure) -> Option<(MaintenanceKey, Timestamp)> {
    maintenance_of(departure.cause(CauseKind::Maintenance)?)
}

/// The maintenance that the cause is, where it is one.
pub(super) fn maintenance_of(cause: &DepartureCause) -> Option<(MaintenanceKey, Timestamp)> {
    match cause {
        DepartureCause::Maintenance {
            code,
            health_event,
            starts_at,
        } => Some((
            MaintenanceKey::new(code, health_event.as_deref()),
            *starts_at,
        )),
        DepartureCause::SpotInterruption { .. }
        | DepartureCause::CapacityReservationInterruption { .. }
        | DepartureCause::Terminating { .. }
        | DepartureCause::Stopping { .. }
        | DepartureCause::Rebalance { .. }
        | DepartureCause::AgentLost { .. } => None,
    }
}

fn cause_of((key, starts_at): (MaintenanceKey, Timestamp)) -> DepartureCause {
    DepartureCause::Maintenance {
        code: key.code,
        health_event: key.health_event,
        starts_at,
    }
}

fn take_earliest(
    all: &mut BTreeMap<MaintenanceKey, Timestamp>,
) -> Option<(MaintenanceKey, Timestamp)> {
    let first = all.iter().min_by_key(|(key, at)| (**at, *key));
    let key = first.map(|(key, _)| key.clone())?;
    all.remove_entry(&key)
}

/// Makes of several maintenances the one the cause that counts now: the earliest to come whose lead has begun, else one that has
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
        let urgency = |(key, at): &(&MaintenanceKey, &Timestamp)| {
            let is_due = lead.before(**at) <= now;
            (!is_due, **at <= now, **at, (*key).clone())
        };
        let first = all.iter().min_by_key(urgency).map(|(key, _)| key.clone());
        if let Some(first) = first.and_then(|key| all.remove_entry(&key)) {
            set(departure, cause_of(first));
        }
        departure.other_maintenance = all;
    }
    // That its event is known by now makes it no other one.
    let of = |(key, at): (MaintenanceKey, Timestamp)| (key.code, at);
    let was = before.and_then(maintenance_of).map(of);
    if was.is_some() && known_maintenance(departure).map(of) != was {
        departure.activated = departure
            .activated
            .filter(|it| it.cause != CauseKind::Maintenance);
    }
}

fn is_disruptive(code: &str) -> bool {
    MAINTENANCE_WORDS.iter().any(|word| code.contains(word))
}
