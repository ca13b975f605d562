//! What must be in a plan, and what must not, said for the states in which it is beyond doubt: it shares no code with the rules or the
//! audit, and says nothing where sources disagree.

use jiff::Timestamp;
use model::InstanceId;
use model::capacity::{Consent, ContainerInstance, ContainerInstanceStatus, Lifecycle};
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainGroup, DrainKey, DrainPlan, DrainPolicy,
    LookedInstance, Whereabouts,
};
use model::memory::Recall;
use model::trigger::{MachineState, Notice};
use proptest::prelude::*;

use crate::scene::Scene;

/// What a plan has to say about something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Must,
    MustNot,
    /// It depends on more than the oracle reads.
    Open,
}

impl Want {
    pub(crate) const fn of(must: bool, must_not: bool) -> Self {
        match (must, must_not) {
            (true, _) => Self::Must,
            (false, true) => Self::MustNot,
            (false, false) => Self::Open,
        }
    }

    pub(crate) fn check(self, is: bool, what: &str, plan: &DrainPlan) -> Result<(), TestCaseError> {
        match self {
            Self::Must => prop_assert!(is, "missing: {}\n{}", what, plan),
            Self::MustNot => prop_assert!(!is, "wrong: {}\n{}", what, plan),
            Self::Open => {}
        }
        Ok(())
    }
}

/// One instance, with everything that is said about it anywhere.
pub(crate) struct Subject<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) group: &'a DrainGroup,
    pub(crate) policy: &'a DrainPolicy,
    pub(crate) looked: &'a LookedInstance,
    container: Option<&'a ContainerInstance>,
    pub(crate) departure: Departure,
    pub(crate) remembers: bool,
    /// Whether something is remembered of it in another place.
    pub(crate) is_of_several: bool,
}

/// Whether something is remembered of the instance in another place than this one.
pub(crate) fn is_remembered_elsewhere(scene: &Scene, here: &DrainKey, id: &InstanceId) -> bool {
    let elsewhere = scene.memories.iter().filter(|(of, _)| *of != here);
    let mut memories = elsewhere.filter_map(|(_, recall)| match recall {
        Recall::Known(memory) => Some(memory),
        Recall::Unknown => None,
    });
    memories.any(|it| it.departures.contains_key(id))
}

/// A warning with two minutes' notice, wherever it is said: when, and whether the instance goes at once.
type Warning = (Timestamp, bool);

impl<'a> Subject<'a> {
    pub(crate) fn of(
        scene: &'a Scene,
        key: &DrainKey,
        group: &'a DrainGroup,
        looked: &'a LookedInstance,
    ) -> Option<Self> {
        let policy = group.policy.as_ref().ok()?;
        let (remembers, departure) = match scene.memories.get(key) {
            Some(Recall::Known(memory)) => (true, memory.departures.get(&looked.id).cloned()),
            Some(Recall::Unknown) => (false, None),
            None => (true, None),
        };
        let is_of_several = is_remembered_elsewhere(scene, key, &looked.id);
        Some(Self {
            scene,
            group,
            policy,
            looked,
            container: scene.snapshot.container(looked).map(|(_, it)| it),
            departure: departure.unwrap_or_default(),
            remembers,
            is_of_several,
        })
    }

    pub(crate) fn acts(&self) -> bool {
        self.policy.consent == Consent::Act && !self.policy.paused
    }

    pub(crate) fn age(&self, at: Timestamp) -> i128 {
        self.scene.now.duration_since(at).as_millis()
    }

    pub(crate) fn is(&self, status: ContainerInstanceStatus) -> bool {
        self.container.is_some_and(|it| it.status == status)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.container.is_some_and(|it| it.agent_connected)
    }

    fn lifecycle(&self) -> Option<Lifecycle> {
        self.looked.member.as_ref().map(|it| it.lifecycle)
    }

    pub(crate) fn notices(&self) -> impl Iterator<Item = (Timestamp, &'a Notice)> {
        let now = self.scene.now;
        let hints = self.scene.hints.notices.iter();
        hints
            .filter(|it| it.instance == self.looked.id)
            .map(move |it| (it.at.unwrap_or(now).min(now), &it.notice))
    }

    fn warnings(&self) -> Vec<Warning> {
        let said = self.notices().filter_map(|(at, notice)| match notice {
            Notice::SpotInterruption { action } => Some((at, action == "hibernate")),
            Notice::CapacityReservationInterruption { .. } => Some((at, false)),
            Notice::Rebalance | Notice::StateChanged { .. } | Notice::Maintenance { .. } => None,
        });
        let kept = self.departure.causes.iter().filter_map(|it| match it {
            DepartureCause::SpotInterruption { warned_at, action } => {
                Some((*warned_at, action == "hibernate"))
            }
            DepartureCause::CapacityReservationInterruption { warned_at } => {
                Some((*warned_at, false))
            }
            DepartureCause::Terminating { .. }
            | DepartureCause::Stopping { .. }
            | DepartureCause::Maintenance { .. }
            | DepartureCause::Rebalance { .. }
            | DepartureCause::AgentLost { .. } => None,
        });
        said.chain(kept).collect()
    }

    /// When maintenance that counts begins, wherever it is said; and whether some of it is called off.
    fn maintenance(&self) -> (Vec<Timestamp>, bool) {
        let mut starts = Vec::new();
        let mut called_off = false;
        for (_, notice) in self.notices() {
            if let Notice::Maintenance {
                starts_at, is_over, ..
            } = notice
            {
                called_off |= is_over;
                starts.extend(*starts_at);
            }
        }
        for cause in &self.departure.causes {
            if let DepartureCause::Maintenance { starts_at, .. } = cause {
                starts.push(*starts_at);
            }
        }
        starts.extend(self.departure.other_maintenance.values());
        (starts, called_off)
    }

    /// Whether EC2 stops it, wherever that is said.
    fn is_to_stop(&self) -> bool {
        let stops = |action: &String| ["stop", "hibernate"].contains(&action.as_str());
        let said = self.notices().any(
            |(_, notice)| matches!(notice, Notice::SpotInterruption { action } if stops(action)),
        );
        let mut kept = self.departure.causes.iter();
        said || kept.any(
            |it| matches!(it, DepartureCause::SpotInterruption { action, .. } if stops(action)),
        )
    }

    /// Its only warning has run out, and EC2 has stopped it or no agent speaks for it: ECS replaces its tasks once it is drained.
    fn is_left_standing(&self) -> bool {
        let warnings = self.warnings();
        let [warning] = &warnings[..] else {
            return false;
        };
        let age = &self.age(warning.0);
        let ends = [MachineState::ShuttingDown, MachineState::Terminated];
        let is_theirs =
            self.group.managed_draining && self.lifecycle() != Some(Lifecycle::InService);
        // A warning that nothing followed counts for a while yet; without an agent for a day.
        let lasts_millis = if self.is_connected() {
            180_000
        } else {
            86_400_000
        };
        (120_000..lasts_millis).contains(age)
            && (self.remembers_warning() || !self.is_flap(warning))
            && (self.is_to_stop() || !self.is_connected())
            && self.maintenance().0.is_empty()
            && !self.said_state(&ends)
            && !is_theirs
    }

    fn remembers_warning(&self) -> bool {
        let kinds = [
            CauseKind::SpotInterruption,
            CauseKind::CapacityReservationInterruption,
        ];
        kinds.into_iter().any(|it| self.remembers_cause(it))
    }

    /// A warning is heard three minutes and more after it ran out, and the agent has been away since later, and not for long.
    fn is_flap(&self, (at, at_once): &Warning) -> bool {
        let over_millis = if *at_once { 180_000 } else { 300_000 };
        let late_millis = self.age(*at) - over_millis;
        let silent = self.departure.disconnected_since.map(|it| self.age(it));
        let grace_millis = i128::from(self.policy.agent_grace.0) * 1_000;
        late_millis >= 0 && silent.is_none_or(|it| it < grace_millis && it < late_millis)
    }

    /// Every warning that there is comes so late that a moment's silence of the agent speaks for none.
    fn hears_only_late(&self) -> bool {
        let warnings = self.warnings();
        let all_late = warnings.iter().all(|it| self.is_flap(it));
        !self.remembers_warning() && !warnings.is_empty() && all_late
    }

    fn said_state(&self, states: &[MachineState]) -> bool {
        let mut notices = self.notices();
        notices
            .any(|(_, it)| matches!(it, Notice::StateChanged { state } if states.contains(state)))
    }

    /// What is said an hour late is not believed.
    fn said_to_stop(&self) -> bool {
        let stops = [MachineState::Stopping, MachineState::Stopped];
        let mut notices = self.notices();
        notices.any(|(at, it)| {
            matches!(it, Notice::StateChanged { state } if stops.contains(state))
                && self.age(at) < 3_600_000
        })
    }

    fn remembers_cause(&self, kind: CauseKind) -> bool {
        self.departure.cause(kind).is_some()
    }

    /// Nothing anywhere says that the instance certainly leaves.
    fn stays(&self) -> bool {
        let stops = self.said_to_stop();
        self.warnings().is_empty()
            && self.maintenance().0.is_empty()
            && self.lifecycle() != Some(Lifecycle::Terminating)
            && !self.remembers_cause(CauseKind::Terminating)
            && !self.remembers_cause(CauseKind::Stopping)
            && self.departure.stop_said_at.is_none()
            && !stops
    }

    /// The only warnings there are leave time, and nothing says that the instance is gone.
    fn has_time(&self) -> bool {
        let (starts, _) = self.maintenance();
        let mut warnings = self.warnings().into_iter();
        let in_time = warnings.all(|(at, at_once)| !at_once && self.age(at) < 120_000);
        let ends = [MachineState::ShuttingDown, MachineState::Terminated];
        in_time && starts.iter().all(|it| self.age(*it) < 0) && !self.said_state(&ends)
    }

    pub(crate) fn wants_drain(&self) -> Want {
        let is_active = self.is(ContainerInstanceStatus::Active);
        if !self.acts() || !is_active || self.stays() {
            // What may leave is another matter.
            return Want::of(false, true);
        }
        let (starts, called_off) = self.maintenance();
        let managed = self.group.managed_draining;
        let by_agent = self.policy.agent_drains && self.is_connected();
        let warned = self.warnings().iter().any(|(at, _)| {
            let waited = self.age(*at) >= 10_000;
            waited || !(managed || by_agent)
        });
        let is_terminating = self.lifecycle() == Some(Lifecycle::Terminating);
        let terminating = is_terminating && !managed;
        // Before that the budget is asked.
        let lead_millis = i128::from(self.policy.maintenance_lead.0.min(600)) * 1_000;
        let is_near = |it: &Timestamp| -self.age(*it) <= lead_millis;
        let is_left = self.departure.activated.is_some();
        let kept = self.remembers_cause(CauseKind::Maintenance) && !called_off && !is_left;
        let maintained = kept && starts.len() == 1 && starts.iter().all(is_near);
        // Of several causes the most urgent counts, which may be one that a neighbour answers.
        let has_several = self.warnings().len() > 1 || is_terminating || maintained;
        let neighbours = (managed || by_agent) && has_several && !self.warnings().is_empty();
        let must = (warned || terminating || maintained) && self.has_time() && !neighbours;
        let must = must || self.is_left_standing();
        let no_time = (self.is_connected() && !self.is_to_stop() || self.hears_only_late())
            && !self.warnings().is_empty()
            && self
                .warnings()
                .iter()
                .all(|(at, _)| self.age(*at) > 120_000)
            && starts.is_empty()
            && !is_terminating
            && !self.remembers_cause(CauseKind::Terminating)
            && !self.remembers_cause(CauseKind::Stopping)
            && self.departure.stop_said_at.is_none()
            && !self.said_to_stop();
        Want::of(must, no_time)
    }

    /// The tasks on it but daemons'. `None` where they were not read.
    pub(crate) fn tasks_left(&self) -> Option<usize> {
        let tasks = self.scene.snapshot.tasks(self.looked)?;
        Some(tasks.iter().filter(|it| !it.is_daemon).count())
    }

    pub(crate) fn has_gaps(&self) -> bool {
        let clusters = self.scene.snapshot.clusters.values();
        let mut clusters = clusters.filter(|it| !it.capacity.gaps.is_empty());
        !self.scene.snapshot.gaps.is_empty()
            || !self.group.gaps.is_empty()
            || clusters.next().is_some()
    }

    /// What becomes of the wait in the own hook: whether it is kept up, and whether it is ended.
    pub(crate) fn wants_wait(&self) -> (Want, Want) {
        let waits = self.looked.member.as_ref().filter(|it| it.waits_in_hook);
        let hook = self.group.hooks.get(&self.policy.lifecycle_hook);
        let (Some(member), Some(hook)) = (waits, hook) else {
            return (Want::MustNot, Want::MustNot);
        };
        if !self.acts() || !self.group.hooks_read {
            return (Want::MustNot, Want::MustNot);
        }
        if self.departure.completed_at.is_some() || !self.has_time() {
            return (Want::Open, Want::Open);
        }
        let is_draining = self.is(ContainerInstanceStatus::Draining);
        if is_draining && self.tasks_left() == Some(0) {
            return (Want::MustNot, Want::Must);
        }
        let Some(since) = member.terminating_since else {
            return (Want::Open, Want::Open);
        };
        let longest = self.policy.departure_timeout.0.min(hook.global_timeout.0);
        if self.age(since) > i128::from(longest) * 1_000 {
            return (Want::MustNot, Want::Must);
        }
        let is_here = is_draining || self.is(ContainerInstanceStatus::Active);
        let was_registered =
            self.departure.draining_since.is_some() || self.departure.own_drain.is_some();
        let is_nowhere = self.looked.registered.is_none();
        let is_theirs = !self.scene.snapshot.is_full || !self.group.is_proven_ours;
        if is_nowhere && is_theirs && !was_registered && self.departure.ended_at.is_none() {
            let before = self.age(since) < i128::from(longest) * 1_000;
            return (Want::Open, Want::of(false, before));
        }
        if !is_here || self.age(since) == i128::from(longest) * 1_000 {
            return (Want::Open, Want::Open);
        }
        let kept_at = self
            .departure
            .heartbeat_at
            .map_or(since, |it| it.max(since));
        let left_millis = i128::from(hook.heartbeat_timeout.0) * 1_000 - self.age(kept_at);
        let interval = self.scene.installation.schedule_interval.0;
        // Twice the interval: one look may be missed.
        let look_after_next_millis = i128::from(2 * interval + 30) * 1_000;
        let half_millis = i128::from(hook.heartbeat_timeout.0) * 500;
        let quarter_millis = i128::from(hook.heartbeat_timeout.0) * 250;
        let lately = self
            .departure
            .heartbeat_at
            .is_some_and(|it| self.age(it) <= quarter_millis);
        let is_due = left_millis < look_after_next_millis || left_millis < half_millis - 500;
        let must = is_due && !lately && self.remembers;
        let must_not = left_millis > look_after_next_millis && left_millis > half_millis;
        (Want::of(must, must_not), Want::MustNot)
    }

    /// Whether a drain of Ballast's is taken back.
    pub(crate) fn wants_activation(&self) -> Want {
        let is_draining = self.is(ContainerInstanceStatus::Draining);
        let Some(own) = self
            .departure
            .own_drain
            .filter(|_| is_draining && self.acts())
        else {
            return Want::MustNot;
        };
        if self.has_gaps() || !self.remembers || !self.is_connected() {
            return Want::MustNot;
        }
        let is_quiet = self.stays() && self.notices().next().is_none();
        let in_service = self.lifecycle() == Some(Lifecycle::InService);
        let expected = [CauseKind::Rebalance, CauseKind::AgentLost];
        let is_over = match own.cause {
            CauseKind::Rebalance | CauseKind::AgentLost => {
                let is_old = self.age(own.at) >= 3_600_000;
                is_old || !expected.iter().any(|it| self.remembers_cause(*it))
            }
            CauseKind::SpotInterruption | CauseKind::CapacityReservationInterruption => true,
            CauseKind::Terminating | CauseKind::Stopping | CauseKind::Maintenance => false,
        };
        let is_forgotten = !is_away(own.cause) && self.age(own.at) >= 8 * 86_400_000;
        Want::of(
            is_quiet && in_service && is_over && !is_forgotten,
            is_forgotten,
        )
    }

    /// Whether a standalone task is stopped.
    pub(crate) fn wants_stop(
        &self,
        is_standalone: bool,
        definition: &model::TaskDefinitionArn,
    ) -> Want {
        let is_draining = self.is(ContainerInstanceStatus::Draining);
        let allowed = self.acts() && self.policy.stop_tasks && is_draining && self.is_connected();
        if !allowed {
            return Want::MustNot;
        }
        let (starts, _) = self.maintenance();
        let waits = self
            .looked
            .member
            .as_ref()
            .is_some_and(|it| it.waits_in_hook);
        let warnings = self.warnings();
        let ([(at, false)], true, false) = (&warnings[..], starts.is_empty(), waits) else {
            return Want::Open;
        };
        if !self.has_time() {
            return Want::Open;
        }
        let cluster = self.scene.snapshot.clusters.values().next().unwrap();
        let timeout = cluster.stop_timeouts.get(definition);
        let timeout = timeout.map_or(30, |it| it.0);
        let goes_in_millis = 120_000 - self.age(*at);
        let spare_millis = goes_in_millis - i128::from(timeout + 5) * 1_000;
        let interval = self.scene.installation.schedule_interval.0;
        let next_look_millis = i128::from(interval + 30) * 1_000;
        let must = is_standalone && spare_millis < next_look_millis && self.tasks_left().is_some();
        Want::of(must, spare_millis > next_look_millis)
    }
}

/// Whether a drain of Ballast's is taken back of an instance that is in nothing that is opted in, which the group remembers that it has left.
pub(crate) fn wants_return(scene: &Scene, key: &DrainKey, id: &InstanceId) -> Want {
    let Some(Recall::Known(memory)) = scene.memories.get(key) else {
        return Want::MustNot;
    };
    let (Some(departure), Some(group)) =
        (memory.departures.get(id), scene.snapshot.groups.get(key))
    else {
        return Want::MustNot;
    };
    let clusters = || scene.snapshot.clusters.values();
    let mut containers = clusters().flat_map(|it| it.capacity.instances.values());
    let container = containers.find(|it| it.ec2_instance.as_ref() == Some(id));
    let is_draining = container
        .is_some_and(|it| it.status == ContainerInstanceStatus::Draining && it.agent_connected);
    let has_gaps = !scene.snapshot.gaps.is_empty()
        || !group.gaps.is_empty()
        || clusters().any(|it| !it.capacity.gaps.is_empty());
    let acts = group
        .policy
        .as_ref()
        .is_ok_and(|it| it.consent == Consent::Act && !it.paused);
    let stays = match scene.snapshot.outside.get(id) {
        Some(Whereabouts::InNoGroup) => true,
        Some(Whereabouts::InGroup { lifecycle, .. }) => *lifecycle == Lifecycle::InService,
        Some(Whereabouts::Unread { .. }) | None => false,
    };
    let age = |at: Timestamp| scene.now.duration_since(at).as_millis();
    let has_settled = departure.left_at.is_some_and(|it| age(it) >= 600_000);
    let may = is_draining && !has_gaps && acts && stays && has_settled && scene.snapshot.is_full;
    let Some(own) = departure.own_drain.filter(|_| may) else {
        return Want::MustNot;
    };
    let is_old = !is_away(own.cause) && age(own.at) >= 8 * 86_400_000;
    let mut notices = scene.hints.notices.iter();
    let is_quiet = *departure
        == Departure {
            own_drain: Some(own),
            drained_in: departure.drained_in.clone(),
            left_at: departure.left_at,
            ..Departure::default()
        }
        && !notices.any(|it| it.instance == *id);
    Want::of(is_quiet && !is_old, is_old)
}

/// Whether what it was drained for may have had the instance away ever since.
fn is_away(cause: CauseKind) -> bool {
    matches!(
        cause,
        CauseKind::SpotInterruption | CauseKind::Stopping | CauseKind::Terminating
    )
}
