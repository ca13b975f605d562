//! What shows that an instance leaves, or may: read anew from the state, the memory and what was said.

use jiff::Timestamp;
use model::Seconds;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{CauseKind, DepartureCause, DrainKey, LookedInstance};
use model::trigger::{MachineState, Notice, NoticeHint};

use super::Ground;

/// How long after its deadline an instance that EC2 warned of is still expected to go, in seconds.
const WARNING_OVER_SECS: i64 = 180;

/// How long before it takes an instance EC2 warns, in seconds.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>
const NOTICE_SECS: i64 = 120;

/// How long it is while the instance is registered and no agent speaks for it: EC2 may have stopped it. In seconds.
const STOPPED_OVER_SECS: i64 = 24 * 3_600;

/// How long after it was to begin maintenance is still expected, and how long a recommendation counts, in seconds.
pub(super) const EXPECTED_SECS: i64 = 3_600;

/// How long before it begins maintenance no longer waits for the disruption budget, in seconds.
const MAINTENANCE_NEAR_SECS: i64 = 600;

/// From which age on an event that says that the instance stops is no news, in seconds.
const STOP_OLD_SECS: i64 = 3_600;

/// How long after it left its group an instance that Ballast drained counts as terminating, in seconds.
pub(super) const LEFT_GROUP_SECS: i64 = 600;

/// A cause for which there is a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) kind: CauseKind,
    /// When it began, by the source that says the earliest.
    pub(super) at: Timestamp,
    /// From when on it is reason enough to drain.
    pub(super) due_at: Timestamp,
    pub(super) deadline: Option<Timestamp>,
    /// Whether no reading of the sources makes it go away.
    pub(super) is_sure: bool,
    /// Whether the instance is there after its deadline as well: stopped, or perhaps.
    pub(super) stays_registered: bool,
}

impl Sign {
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|it| it < now)
    }

    /// Whether a drain comes too late for it.
    pub(super) fn is_over_for_drains(&self, now: Timestamp) -> bool {
        self.is_late(now) && !self.stays_registered
    }
}

/// Everything that speaks for a departure.
#[derive(Debug)]
pub(super) struct Evidence {
    signs: Vec<Sign>,
    now: Timestamp,
    /// Whether EC2 said that the instance is gone, and its agent does not speak against it.
    pub(super) is_ghost: bool,
    /// Whether there may be other maintenance than the one that is remembered: another code, or another beginning.
    pub(super) maintenance_is_new: bool,
}

impl Evidence {
    pub(super) fn of(ground: &Ground<'_>, looked: &LookedInstance) -> Self {
        let said = ground.sources.notices.get(&looked.id);
        let sources = Reading {
            ground,
            looked,
            said: said.map_or(&[], Vec::as_slice),
            is_silent: ground
                .container(looked)
                .is_none_or(|it| !it.agent_connected),
        };
        let mut signs = sources.warnings();
        signs.extend(sources.terminating());
        signs.extend(sources.stopping());
        signs.extend(sources.maintenance());
        signs.extend(sources.rebalance());
        signs.extend(sources.agent_lost());
        // What somebody else set to ACTIVE again after a drain for a cause need not leave for it.
        let activated = ground.departure(&looked.id).and_then(|it| it.activated);
        for sign in &mut signs {
            sign.is_sure &= activated.map(|it| it.cause) != Some(sign.kind);
        }
        let maintenance = sources.maintenance_is_new();
        Self {
            signs,
            now: ground.now,
            is_ghost: sources.is_silent && sources.ends(),
            maintenance_is_new: maintenance,
        }
    }

    /// What may be a reason to drain now.
    fn due(&self) -> impl Iterator<Item = &Sign> {
        self.signs.iter().filter(|it| it.due_at <= self.now)
    }

    pub(super) fn may_be(&self, kind: CauseKind) -> bool {
        self.due().any(|it| it.kind == kind)
    }

    /// The causes for which the instance leaves whatever Ballast does.
    pub(super) fn certain(&self) -> impl Iterator<Item = &Sign> {
        self.due().filter(|it| it.kind.is_certain())
    }

    /// A cause that no reading of the sources makes go away, of this kind or a certain one. Planned maintenance is none before it is near.
    pub(super) fn sure(&self, kind: Option<CauseKind>) -> Option<CauseKind> {
        let mut sure = self.due().filter(|it| it.is_sure);
        let counts = |it: &&Sign| it.kind.is_certain() || Some(it.kind) == kind;
        sure.find(counts).map(|it| it.kind)
    }

    /// Whether the instance certainly leaves shortly, whatever reading counts.
    pub(super) fn is_leaving_shortly(&self) -> bool {
        self.shortly().any(|it| it.is_sure)
    }

    /// Whether it does by any reading.
    pub(super) fn may_leave_shortly(&self) -> bool {
        self.shortly().next().is_some()
    }

    /// The certain causes but for maintenance that is not near.
    fn shortly(&self) -> impl Iterator<Item = &Sign> {
        let near = Seconds(MAINTENANCE_NEAR_SECS);
        self.certain()
            .filter(move |it| it.kind != CauseKind::Maintenance || near.before(it.at) <= self.now)
    }
}

pub(super) struct Reading<'a> {
    pub(super) ground: &'a Ground<'a>,
    pub(super) looked: &'a LookedInstance,
    pub(super) said: &'a [&'a NoticeHint],
    /// Whether no agent speaks for the instance.
    is_silent: bool,
}

impl Reading<'_> {
    /// When something was said: at the latest now.
    fn time(&self, hint: &NoticeHint) -> Timestamp {
        let now = self.ground.now;
        hint.at.map_or(now, |at| at.min(now))
    }

    pub(super) fn remembered(&self, kind: CauseKind) -> Option<DepartureCause> {
        let departure = self.ground.departure(&self.looked.id)?;
        departure.cause(kind).cloned()
    }

    pub(super) fn sign(&self, cause: &DepartureCause, over_secs: i64) -> Option<Sign> {
        let begins = cause.deadline().unwrap_or_else(|| cause.at());
        let is_over = Seconds(over_secs).after(begins) <= self.ground.now;
        (!is_over).then(|| Sign {
            kind: cause.kind(),
            at: cause.at(),
            due_at: cause.at(),
            deadline: cause.deadline(),
            is_sure: false,
            stays_registered: self.is_away() || is_stop(cause),
        })
    }

    /// Whether the instance is registered and its agent disconnected.
    fn is_away(&self) -> bool {
        let container = self.ground.container(self.looked);
        container.is_some_and(|it| {
            let is_registered = match it.status {
                ContainerInstanceStatus::Active | ContainerInstanceStatus::Draining => true,
                ContainerInstanceStatus::Registering
                | ContainerInstanceStatus::Deregistering
                | ContainerInstanceStatus::Inactive
                | ContainerInstanceStatus::RegistrationFailed
                | ContainerInstanceStatus::Unknown => false,
            };
            is_registered && !it.agent_connected
        })
    }

    /// Of causes of one kind all that are not over; the latest is sure.
    fn signs(&self, mut causes: Vec<DepartureCause>, over_secs: i64) -> Vec<Sign> {
        causes.sort_by_key(|it| (it.at(), it.deadline()));
        let latest = causes.last().map(DepartureCause::at);
        let all_latest = causes.iter().filter(|it| Some(it.at()) == latest);
        let sure = all_latest
            .clone()
            .all(|it| self.sign(it, over_secs).is_some());
        let signs = causes.iter().filter_map(|it| {
            let sign = self.sign(it, over_secs)?;
            Some(Sign {
                is_sure: sure,
                ..sign
            })
        });
        signs.collect()
    }

    /// Whether a warning that is only heard now is so old that the agent's silence must speak for it, and does not: it began later, and is young.
    fn comes_too_late(&self, warned_at: Timestamp) -> bool {
        let age_secs = |at: Timestamp| self.ground.now.duration_since(at).as_secs();
        let departure = self.ground.departure(&self.looked.id);
        let silent_since = departure.and_then(|it| it.disconnected_since);
        let is_borne_out = silent_since.is_some_and(|since| {
            let after_secs = since.duration_since(warned_at).as_secs();
            after_secs <= NOTICE_SECS + WARNING_OVER_SECS
                || age_secs(since) >= self.ground.policy.agent_grace.0
        });
        age_secs(warned_at) > NOTICE_SECS + WARNING_OVER_SECS && !is_borne_out
    }

    fn warnings(&self) -> Vec<Sign> {
        let mut spot: Vec<DepartureCause> = Vec::new();
        let mut reservation: Vec<DepartureCause> = Vec::new();
        spot.extend(self.remembered(CauseKind::SpotInterruption));
        reservation.extend(self.remembered(CauseKind::CapacityReservationInterruption));
        for hint in self.said {
            let warned_at = self.time(hint);
            if self.comes_too_late(warned_at) {
                continue;
            }
            match &hint.notice {
                Notice::SpotInterruption { action } => {
                    spot.push(DepartureCause::SpotInterruption {
                        warned_at,
                        action: action.clone(),
                    });
                }
                Notice::CapacityReservationInterruption { .. } => {
                    let cause = DepartureCause::CapacityReservationInterruption { warned_at };
                    reservation.push(cause);
                }
                Notice::Rebalance | Notice::StateChanged { .. } | Notice::Maintenance { .. } => {}
            }
        }
        let over_secs = if self.is_away() {
            STOPPED_OVER_SECS
        } else {
            WARNING_OVER_SECS
        };
        let mut signs = self.signs(spot, over_secs);
        signs.extend(self.signs(reservation, over_secs));
        signs
    }

    /// The group's own word counts; what is remembered does where the group has none.
    fn terminating(&self) -> Option<Sign> {
        let now = self.ground.now;
        let remembered = self.remembered(CauseKind::Terminating);
        let lifecycle = self.looked.member.as_ref().map(|it| it.lifecycle);
        let departure = self.ground.departure(&self.looked.id);
        let own_drain = departure.and_then(|it| it.own_drain);
        let left_at = departure.and_then(|it| it.left_at);
        let is_just_gone = left_at.is_none_or(|it| now < Seconds(LEFT_GROUP_SECS).after(it));
        let expected =
            is_just_gone && own_drain.is_some_and(|it| it.cause == CauseKind::Terminating);
        let is_sure = match lifecycle {
            Some(Lifecycle::Terminating) => true,
            None if remembered.is_some() => expected,
            Some(Lifecycle::InService) | None => return None,
            Some(
                Lifecycle::Pending
                | Lifecycle::Standby
                | Lifecycle::Detaching
                | Lifecycle::Warmed
                | Lifecycle::Unknown,
            ) => {
                remembered.as_ref()?;
                false
            }
        };
        let (earliest, _) = self.ground.began(self.looked);
        Some(Sign {
            kind: CauseKind::Terminating,
            at: earliest,
            due_at: Timestamp::MIN,
            deadline: None,
            is_sure,
            stays_registered: true,
        })
    }

    /// Believed only where no agent says otherwise, and EC2 has not said since that the instance runs.
    fn stopping(&self) -> Option<Sign> {
        if !self.is_silent {
            return None;
        }
        let remembered = self.remembered(CauseKind::Stopping);
        let heard = self
            .ground
            .departure(&self.looked.id)
            .and_then(|it| it.stop_said_at);
        let mut at = remembered.map(|it| it.at()).max(heard);
        let mut running: Option<Timestamp> = None;
        for hint in self.said {
            let Notice::StateChanged { state } = &hint.notice else {
                continue;
            };
            let time = Some(self.time(hint));
            let is_old = time.is_some_and(|it| Seconds(STOP_OLD_SECS).after(it) <= self.ground.now);
            match state {
                MachineState::Stopping | MachineState::Stopped if is_old => {}
                MachineState::Stopping | MachineState::Stopped => at = at.max(time),
                MachineState::Running => running = running.max(time),
                MachineState::Pending
                | MachineState::ShuttingDown
                | MachineState::Terminated
                | MachineState::Other => {}
            }
        }
        let at = at?;
        running.is_none_or(|it| it <= at).then_some(Sign {
            kind: CauseKind::Stopping,
            at,
            due_at: Timestamp::MIN,
            deadline: None,
            is_sure: false,
            stays_registered: true,
        })
    }

    fn rebalance(&self) -> Vec<Sign> {
        let mut causes: Vec<DepartureCause> = Vec::new();
        causes.extend(self.remembered(CauseKind::Rebalance));
        for hint in self.said {
            if hint.notice == Notice::Rebalance {
                let at = self.time(hint);
                causes.push(DepartureCause::Rebalance { at });
            }
        }
        self.signs(causes, EXPECTED_SECS)
    }

    fn agent_lost(&self) -> Option<Sign> {
        let container = self.ground.container(self.looked)?;
        let departure = self.ground.departure(&self.looked.id)?;
        let at = departure.disconnected_since?;
        let lost_at = self.ground.policy.agent_grace.after(at);
        (!container.agent_connected && lost_at <= self.ground.now).then_some(Sign {
            kind: CauseKind::AgentLost,
            at,
            due_at: at,
            deadline: None,
            is_sure: true,
            stays_registered: true,
        })
    }

    /// Whether EC2 said that the instance ends: from that no instance comes back.
    fn ends(&self) -> bool {
        self.said.iter().any(|it| match it.notice {
            Notice::StateChanged { state } => match state {
                MachineState::ShuttingDown | MachineState::Terminated => true,
                MachineState::Pending
                | MachineState::Running
                | MachineState::Stopping
                | MachineState::Stopped
                | MachineState::Other => false,
            },
            Notice::SpotInterruption { .. }
            | Notice::CapacityReservationInterruption { .. }
            | Notice::Rebalance
            | Notice::Maintenance { .. } => false,
        })
    }
}

/// Whether EC2 stops the instance, and it may start again.
fn is_stop(cause: &DepartureCause) -> bool {
    match cause {
        DepartureCause::SpotInterruption { action, .. } => {
            ["stop", "hibernate"].contains(&action.as_str())
        }
        DepartureCause::CapacityReservationInterruption { .. }
        | DepartureCause::Terminating { .. }
        | DepartureCause::Stopping { .. }
        | DepartureCause::Maintenance { .. }
        | DepartureCause::Rebalance { .. }
        | DepartureCause::AgentLost { .. } => false,
    }
}

impl Ground<'_> {
    /// When the group began to terminate an instance: the earliest and the latest that the best source says.
    pub(super) fn began(&self, looked: &LookedInstance) -> (Timestamp, Timestamp) {
        let now = self.now;
        let activity = looked.member.as_ref().and_then(|it| it.terminating_since);
        let remembered = self
            .departure(&looked.id)
            .and_then(|it| it.cause(CauseKind::Terminating))
            .map(DepartureCause::at);
        if let Some(at) = activity.or(remembered) {
            return (at.min(now), at);
        }
        let waits = self.sources.waits.get(&looked.id).into_iter().flatten();
        let of_group = waits.filter(|(_, it)| match &self.group.key {
            DrainKey::Group { group } => *group == it.group,
            DrainKey::Cluster { .. } | DrainKey::Instance { .. } => false,
        });
        let times = of_group.map(|(at, _)| at.map_or(now, |it| it.min(now)));
        let (earliest, latest) = (times.clone().min(), times.max());
        (earliest.unwrap_or(now), latest.unwrap_or(now))
    }
}
