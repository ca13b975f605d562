//! Why an instance is going away: what is remembered, what events said, and what the state shows.
//!
//! | cause | comes from | is over |
//! |---|---|---|
//! | Spot interruption, Capacity Reservation interruption | an event, then the ledger | [`WARNING_OVER`] after EC2 was to take the instance: it did not, or nothing is left to do. While a registered instance's agent is disconnected, [`STOPPED_OVER`] after it; first heard later than [`WARNING_OVER`], only if the agent has been away since then, or is lost |
//! | terminating | the group's state, always | the group has it in service again, or has not had it for [`DETACHED_FOR`] |
//! | stopping | an event, then the ledger | the agent is connected, or a later event says `running` |
//! | maintenance | an event, then the ledger | AWS Health says so, or [`MAINTENANCE_OVER`] after it was to begin |
//! | rebalance recommendation | an event, then the ledger | [`REBALANCE_OVER`] after it |
//! | lost agent | the state and since when it has been so | the agent is connected |
//!
//! What events say is read in [`said`](super::said).
//!
//! Guaranteed: an event alone makes nothing terminating, and nothing gone that a connected agent or a registration speaks for.
//!
//! Assumed: EC2's and AWS Health's events are about the instance that they name. No call that Ballast may make tells the same.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::Lifecycle;
use model::drain::{CauseKind, Departure, DepartureCause, DrainPolicy, LookedInstance, Reversal};

use super::case::{GroupCase, Place};
use super::said::{Said, choose_maintenance, forget};
use crate::fallback::foreign::READ_LAG;

/// How long after its deadline a warning counts. EC2 takes an instance two minutes after the warning, give or take some seconds; one that
/// is there for so much longer stays. The number is ours.
pub const WARNING_OVER: Seconds = Seconds(180);
/// How long after its deadline a warning counts while the instance is registered and its agent disconnected. EC2 may have stopped it, and ECS
/// takes its tasks for running as long as nobody drains it. The number is ours.
pub const STOPPED_OVER: Seconds = Seconds(86_400);
/// How long after its beginning maintenance counts. The number is ours.
pub const MAINTENANCE_OVER: Seconds = Seconds(3_600);
/// How long before its beginning an instance is drained for maintenance whatever the disruption budget. The number is ours.
pub const MAINTENANCE_FORCED: Seconds = Seconds(600);
/// How long a rebalance recommendation counts. EC2 repeats none and takes none back; the number is ours.
pub const REBALANCE_OVER: Seconds = Seconds(3_600);
/// How long an instance that leaves and is not registered is waited for, where nothing else ends the wait. Instances register within a few
/// minutes of their launch; the number is ours.
pub const REGISTERS_WITHIN: Seconds = Seconds(300);
/// How long after a confirmed drain an instance that reads ACTIVE was set so by somebody else. The number is ours.
pub const ACTIVATED_AFTER: Seconds = Seconds(60);
/// How long after it left its group an instance that Ballast drained is taken to be on its way out. The number is ours.
pub const DETACHED_FOR: Seconds = Seconds(600);

/// What is known of an instance's departure.
pub(crate) struct Noted {
    pub(crate) departure: Departure,
    /// What shows that it is gone.
    pub(crate) gone: Option<String>,
    /// Since when its group has been terminating it, and whether that is known.
    pub(crate) terminating: Option<(Timestamp, bool)>,
}

/// Brings what is remembered of an instance up to date.
pub(crate) fn note(
    group: &GroupCase<'_>,
    instance: &LookedInstance,
    place: Place<'_>,
    said: &Said<'_>,
) -> Noted {
    let now = group.look.now;
    let before = group.before.and_then(|it| it.departures.get(&instance.id));
    let mut departure = group.elsewhere.departure(&instance.id, before);
    forget(&mut departure, now);
    let grace = group.policy.agent_grace;
    said.tell(
        &mut departure,
        &instance.id,
        |it| is_over(it, place, now),
        |known, it| is_too_late(known, it, grace, now),
    );
    let returned_at = group
        .before
        .and_then(|it| it.reversed.get(&instance.id))
        .map(|it| it.at);
    note_place(&mut departure, place, &group.policy, now);
    note_own_drain(&mut departure, place, returned_at, now);
    if departure.own_drain.is_some() && departure.drained_in.is_none() {
        departure.drained_in = instance.registered.as_ref().map(|it| it.0.clone());
    }
    let is_detached = !group.of.instances.contains_key(&instance.id);
    let lifecycle = instance.member.as_ref().map(|it| it.lifecycle);
    note_left(&mut departure, lifecycle, is_detached, now);
    let terminating = note_terminating(&mut departure, group, instance, said);
    departure.causes.retain(|it| !is_over(it, place, now));
    let planned = before.and_then(|it| it.cause(CauseKind::Maintenance));
    choose_maintenance(&mut departure, planned, group.policy.maintenance_lead, now);
    let is_open = |it: &Reversal| departure.cause(it.cause).is_some();
    departure.activated = departure.activated.filter(is_open);
    let gone = gone(group, &departure, place);
    if gone.is_some() {
        // What is gone is not waited for; what its group says of it is seen again at each look.
        departure
            .causes
            .retain(|it| it.kind() == CauseKind::Terminating);
        departure.other_maintenance.clear();
    }
    Noted {
        departure,
        gone,
        terminating,
    }
}

/// What the container instance shows.
fn note_place(departure: &mut Departure, place: Place<'_>, policy: &DrainPolicy, now: Timestamp) {
    let container = match place {
        Place::Active(container) | Place::Draining(container) => Some(container),
        Place::NotRegistered | Place::Registering | Place::Gone(_) => None,
    };
    match container {
        Some(container) if !container.agent_connected => {
            believe_stop(departure);
            let since = *departure.disconnected_since.get_or_insert(now);
            remove(departure, CauseKind::AgentLost);
            if policy.agent_grace.after(since) <= now {
                set(departure, DepartureCause::AgentLost { since });
            }
        }
        Some(_) => {
            departure.disconnected_since = None;
            departure.ended_at = None;
            remove(departure, CauseKind::AgentLost);
            remove(departure, CauseKind::Stopping);
        }
        None => {
            believe_stop(departure);
            departure.disconnected_since = None;
            remove(departure, CauseKind::AgentLost);
        }
    }
    match place {
        Place::Draining(_) => {
            let confirmed = departure.own_drain.filter(|it| it.confirmed);
            departure
                .draining_since
                .get_or_insert(confirmed.map_or(now, |it| it.at.min(now)));
        }
        Place::Active(_) => {
            departure.draining_since = None;
        }
        // What was seen before shows that it was registered once.
        Place::NotRegistered | Place::Registering | Place::Gone(_) => {}
    }
}

/// That EC2 stops it is believed once no agent speaks against it.
fn believe_stop(departure: &mut Departure) {
    if let Some(at) = departure.stop_said_at.take() {
        set_later(departure, DepartureCause::Stopping { at });
    }
}

/// What an instance that takes tasks says of Ballast's drain of it: that it does not show yet, or that somebody else took it back.
fn note_own_drain(
    departure: &mut Departure,
    place: Place<'_>,
    returned_at: Option<Timestamp>,
    now: Timestamp,
) {
    let is_active = matches!(place, Place::Active(_));
    let Some(own) = departure.own_drain.filter(|_| is_active) else {
        return;
    };
    let is_returned = returned_at.is_some_and(|it| own.at <= it);
    let is_foreign = own.confirmed && !is_returned && is_left_to_others(own.cause);
    if is_foreign && ACTIVATED_AFTER.after(own.at) <= now {
        departure.own_drain = None;
        departure.activated = Some(Reversal {
            at: now,
            cause: own.cause,
        });
    }
    // Until then AWS's answer may be older than the write, or the write still under way.
    if !is_foreign && READ_LAG.after(own.at) <= now {
        departure.own_drain = None;
    }
}

/// Whether an instance that was drained for the cause, and is set to ACTIVE by somebody else, is left to them: it does not go at once, and
/// its owner may know better. One that does is drained again; cluster-scaler may have taken back a drain of its own.
const fn is_left_to_others(cause: CauseKind) -> bool {
    match cause {
        CauseKind::Maintenance | CauseKind::Rebalance | CauseKind::AgentLost => true,
        CauseKind::SpotInterruption
        | CauseKind::CapacityReservationInterruption
        | CauseKind::Terminating
        | CauseKind::Stopping => false,
    }
}

/// Since when an instance that Ballast drained has left its group, as far as that was seen.
fn note_left(
    departure: &mut Departure,
    lifecycle: Option<Lifecycle>,
    is_detached: bool,
    now: Timestamp,
) {
    let has_left = match lifecycle {
        // What its group terminated was in one.
        None => is_detached || departure.cause(CauseKind::Terminating).is_some(),
        Some(Lifecycle::InService) => is_detached,
        // What is not known now is as it was.
        Some(Lifecycle::Unknown) => is_detached && departure.left_at.is_some(),
        Some(
            Lifecycle::Pending
            | Lifecycle::Standby
            | Lifecycle::Terminating
            | Lifecycle::Detaching
            | Lifecycle::Warmed,
        ) => false,
    };
    let since = departure.left_at.unwrap_or(now);
    departure.left_at = (has_left && departure.own_drain.is_some()).then_some(since);
}

/// What the group shows. Since when it has been terminating the instance, and whether that is known.
fn note_terminating(
    departure: &mut Departure,
    group: &GroupCase<'_>,
    instance: &LookedInstance,
    said: &Said<'_>,
) -> Option<(Timestamp, bool)> {
    let now = group.look.now;
    let remembered = departure
        .cause(CauseKind::Terminating)
        .map(DepartureCause::at);
    let known = remembered.filter(|_| !departure.is_since_guessed);
    let member = instance.member.as_ref();
    if !member.is_some_and(|it| it.waits_in_hook) {
        departure.heartbeat_at = None;
        departure.completed_at = None;
    }
    if let Some(member) =
        member.filter(|it| it.waits_in_hook || it.lifecycle == Lifecycle::Terminating)
    {
        let said = || said.terminating_at(&group.of.key, &instance.id, now);
        let told = member.terminating_since.or(known).or_else(said);
        let since = told.or(remembered).unwrap_or(now).min(now);
        departure.is_since_guessed = told.is_none();
        set(departure, DepartureCause::Terminating { since });
        return Some((since, told.is_some()));
    }
    let is_lately = |at: Timestamp| now < DETACHED_FOR.after(at);
    if member.is_some() || !departure.left_at.is_some_and(is_lately) {
        remove(departure, CauseKind::Terminating);
        departure.is_since_guessed = false;
    }
    None
}

/// What shows that an instance is gone.
fn gone(group: &GroupCase<'_>, departure: &Departure, place: Place<'_>) -> Option<String> {
    let by_machine = || {
        let at = departure.ended_at?;
        Some(format!("EC2 said at {at:.0} that it ends"))
    };
    match place {
        Place::Gone(status) => Some(format!("its container instance is {status}")),
        Place::Active(_) | Place::Draining(_) => by_machine(),
        Place::Registering => None,
        // What is not registered may be so, and connected, in a cluster that was not read.
        Place::NotRegistered if !group.gaps.is_empty() => None,
        Place::NotRegistered => by_machine().or_else(|| {
            let was_registered =
                departure.draining_since.is_some() || departure.own_drain.is_some();
            let leaves = departure.causes.iter().any(|it| it.kind().is_certain());
            (was_registered && leaves).then(|| "it was registered, and is no more".to_owned())
        }),
    }
}

pub(super) fn is_over(cause: &DepartureCause, place: Place<'_>, now: Timestamp) -> bool {
    match cause {
        DepartureCause::SpotInterruption { .. }
        | DepartureCause::CapacityReservationInterruption { .. } => {
            let over = if is_silent(place) {
                STOPPED_OVER
            } else {
                WARNING_OVER
            };
            cause.deadline().is_none_or(|it| over.after(it) <= now)
        }
        DepartureCause::Maintenance { starts_at, .. } => MAINTENANCE_OVER.after(*starts_at) <= now,
        DepartureCause::Rebalance { at } => REBALANCE_OVER.after(*at) <= now,
        DepartureCause::Stopping { at } => {
            place == Place::NotRegistered && REGISTERS_WITHIN.after(*at) <= now
        }
        // The state says when these are over.
        DepartureCause::Terminating { .. } | DepartureCause::AgentLost { .. } => false,
    }
}

/// Whether a warning that is heard now tells nothing any more: its [`WARNING_OVER`] has passed, and no agent has been silent since about the
/// time at which EC2 was to take the instance, nor for so long that it counts as lost. An agent that is away for a moment, hours later, is
/// no sign that EC2 stopped its instance.
fn is_too_late(
    known: &Departure,
    warning: &DepartureCause,
    grace: Seconds,
    now: Timestamp,
) -> bool {
    let Some(over_at) = warning.deadline().map(|it| WARNING_OVER.after(it)) else {
        return false;
    };
    let bears_it_out = |since: Timestamp| since <= over_at || grace.after(since) <= now;
    over_at <= now && !known.disconnected_since.is_some_and(bears_it_out)
}

/// When the cause of an instance that is not registered is over, where it tells it itself.
pub(super) fn over_at(cause: &DepartureCause) -> Option<Timestamp> {
    let after = match cause.kind() {
        CauseKind::SpotInterruption | CauseKind::CapacityReservationInterruption => WARNING_OVER,
        CauseKind::Maintenance => MAINTENANCE_OVER,
        CauseKind::Terminating
        | CauseKind::Stopping
        | CauseKind::Rebalance
        | CauseKind::AgentLost => return None,
    };
    Some(after.after(cause.deadline()?))
}

/// Whether it is registered, and no agent speaks for it.
const fn is_silent(place: Place<'_>) -> bool {
    match place {
        Place::Active(container) | Place::Draining(container) => !container.agent_connected,
        Place::NotRegistered | Place::Registering | Place::Gone(_) => false,
    }
}

/// Whether draining an instance moves nothing any more once the cause's deadline has passed. What EC2 stops or hibernates stays registered,
/// and so does, for a while, what it took while its agent was disconnected: only once it is drained ECS replaces the tasks that it takes for
/// running.
pub(crate) fn ends_with_its_deadline(cause: &DepartureCause, is_connected: bool) -> bool {
    let comes_back = match cause {
        DepartureCause::SpotInterruption { action, .. } => {
            action == "stop" || action == "hibernate"
        }
        DepartureCause::CapacityReservationInterruption { .. }
        | DepartureCause::Terminating { .. }
        | DepartureCause::Stopping { .. }
        | DepartureCause::Maintenance { .. }
        | DepartureCause::Rebalance { .. }
        | DepartureCause::AgentLost { .. } => false,
    };
    is_connected && !comes_back
}

/// Puts a cause in the place of the one of its kind, if it is later.
pub(super) fn set_later(departure: &mut Departure, cause: DepartureCause) {
    let known = departure.cause(cause.kind()).map(DepartureCause::at);
    if known.is_none_or(|known| known < cause.at()) {
        set(departure, cause);
    }
}

/// Puts a cause in the place of the one of its kind. Causes stand in the order of urgency.
pub(super) fn set(departure: &mut Departure, cause: DepartureCause) {
    remove(departure, cause.kind());
    let place = departure
        .causes
        .partition_point(|it| it.kind() < cause.kind());
    departure.causes.insert(place, cause);
}

pub(super) fn remove(departure: &mut Departure, kind: CauseKind) {
    departure.causes.retain(|it| it.kind() != kind);
}

/// Whether an instance leaves now, or shortly, for the cause. For planned maintenance it does from its lead on if it is DRAINING, else from
/// [`MAINTENANCE_FORCED`] before it on: until then it is drained as the disruption budget allows.
fn is_in_force(
    cause: &DepartureCause,
    policy: &DrainPolicy,
    place: Place<'_>,
    now: Timestamp,
) -> bool {
    match cause {
        DepartureCause::Maintenance { starts_at, .. } => {
            let lead = policy.maintenance_lead;
            let lead = match place {
                Place::Draining(_) => lead,
                Place::NotRegistered | Place::Registering | Place::Active(_) | Place::Gone(_) => {
                    lead.min(MAINTENANCE_FORCED)
                }
            };
            lead.before(*starts_at) <= now
        }
        DepartureCause::SpotInterruption { .. }
        | DepartureCause::CapacityReservationInterruption { .. }
        | DepartureCause::Terminating { .. }
        | DepartureCause::Stopping { .. } => true,
        DepartureCause::Rebalance { .. } | DepartureCause::AgentLost { .. } => false,
    }
}

/// The causes for which an instance certainly leaves, now or shortly.
fn certain<'d>(
    departure: &'d Departure,
    policy: &DrainPolicy,
    place: Place<'d>,
    now: Timestamp,
) -> impl Iterator<Item = &'d DepartureCause> {
    let left = departure.activated.map(|it| it.cause);
    let causes = departure.causes.iter();
    causes.filter(move |it| left != Some(it.kind()) && is_in_force(it, policy, place, now))
}

/// The most urgent of them: the earliest deadline that is still to come, then the order of urgency; one whose deadline has passed only
/// where there is no other.
pub(crate) fn in_force(
    departure: &Departure,
    policy: &DrainPolicy,
    place: Place<'_>,
    now: Timestamp,
) -> Option<DepartureCause> {
    certain(departure, policy, place, now)
        .min_by_key(|it| {
            let deadline = it.deadline().unwrap_or(Timestamp::MAX);
            (deadline <= now, deadline, it.kind())
        })
        .cloned()
}

/// The earliest deadline of them that is still to come.
pub(crate) fn deadline(
    departure: &Departure,
    policy: &DrainPolicy,
    place: Place<'_>,
    now: Timestamp,
) -> Option<Timestamp> {
    let certain = certain(departure, policy, place, now);
    let deadlines = certain.filter_map(DepartureCause::deadline);
    deadlines.filter(|it| now < *it).min()
}

/// When EC2 takes the instance by its warnings: no lifecycle action delays that.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html>
pub(crate) fn warned_until(departure: &Departure) -> Option<Timestamp> {
    let causes = departure.causes.iter();
    causes
        .filter(|it| match it.kind() {
            CauseKind::SpotInterruption | CauseKind::CapacityReservationInterruption => true,
            CauseKind::Terminating
            | CauseKind::Stopping
            | CauseKind::Maintenance
            | CauseKind::Rebalance
            | CauseKind::AgentLost => false,
        })
        .filter_map(DepartureCause::deadline)
        .min()
}
