//! Laws of what is a choice: drains of instances that only may leave, and drains that are taken back.

use model::Seconds;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{CauseKind, DrainStep, DrainStepReason, LookedInstance};
use model::memory::Recall;

use super::evidence::{Evidence, LEFT_GROUP_SECS};
use super::{Findings, Ground};

/// How long no further drain by choice follows one that was taken back, in seconds.
const REVERSED_SECS: i64 = 6 * 3_600;

/// How long a drain by choice lasts at most where nothing follows, in seconds.
const CHOICE_ENDS_SECS: i64 = 3_600;

/// For how long a drain is known to be Ballast's, in seconds; where the instance may be away meanwhile, stopped or in a warm pool, without
/// an end.
const OWN_SECS: i64 = 8 * 24 * 3_600;

/// How many instances of a group may still be drained by choice.
#[derive(Debug)]
pub(super) struct Budget {
    allowed: usize,
    spent: usize,
}

impl Budget {
    pub(super) fn of(ground: &Ground<'_>) -> Self {
        let instances = &ground.group.instances;
        let serves = |it: &&LookedInstance| match &it.member {
            Some(member) => member.lifecycle == Lifecycle::InService,
            // What no group has, or has no more, serves while it is registered.
            None => it.registered.is_some(),
        };
        let serving = instances.values().filter(serves).count();
        let percent = usize::try_from(ground.policy.disruption_percent).unwrap_or(100);
        let allowed = serving.saturating_mul(percent).div_ceil(100);
        let spent = instances.values().filter(|it| is_missing(ground, it));
        Self {
            allowed,
            spent: spent.count(),
        }
    }
}

impl Budget {
    /// One instance more, unless it counts already.
    fn spend(&mut self, ground: &Ground<'_>, looked: &LookedInstance, found: &mut Findings<'_>) {
        let is_new = !is_missing(ground, looked);
        self.spent = self.spent.saturating_add(usize::from(is_new));
        if self.spent > self.allowed {
            let detail = format!(
                "{} instances would drain or are not healthy, {} may",
                self.spent, self.allowed
            );
            found.add("disruption_budget", detail);
        }
    }
}

/// Whether an instance counts as disrupted already.
fn is_missing(ground: &Ground<'_>, looked: &LookedInstance) -> bool {
    let container = ground.container(looked);
    let is_draining = container.is_some_and(|it| it.status == ContainerInstanceStatus::Draining);
    let is_ill = looked.member.as_ref().is_some_and(|it| !it.is_healthy);
    is_draining || is_ill || Evidence::of(ground, looked).is_leaving_shortly()
}

impl Ground<'_> {
    /// A drain by choice needs its tag, a full look without gaps, a memory, a recommendation that still counts, and the budget.
    pub(super) fn check_choice(
        &self,
        looked: &LookedInstance,
        kind: CauseKind,
        budget: &mut Budget,
        found: &mut Findings<'_>,
    ) {
        let id = &looked.id;
        if !self.allows(kind) {
            let detail = format!("no tag asks for a drain: {}", kind.as_str());
            found.add("switched_off", detail);
        }
        self.check_left_to_others(looked, kind, found);
        let evidence = Evidence::of(self, looked);
        if kind.is_certain() || !evidence.may_be(kind) {
            let detail = format!("nothing shows that `{id}` may leave: {}", kind.as_str());
            found.add("evidence", detail);
        }
        if !self.snapshot.is_full || self.gaps(looked) > 0 {
            let detail = "not everything was looked at".to_owned();
            found.add("evidence", detail);
        }
        if !self.remembers() {
            let detail = "nothing is remembered".to_owned();
            found.add("evidence", detail);
        }
        if let Some(Recall::Known(memory)) = self.recall
            && let Some(reversal) = memory.reversed.get(id)
            && self.now < Seconds(REVERSED_SECS).after(reversal.at)
        {
            let detail = format!("a drain of `{id}` was taken back at {}", reversal.at);
            found.add("evidence", detail);
        }
        budget.spend(self, looked, found);
    }

    /// A drain for maintenance that is not near yet needs the budget, and what that is counted from.
    pub(super) fn check_planned(
        &self,
        step: &DrainStep,
        looked: &LookedInstance,
        budget: &mut Budget,
        found: &mut Findings<'_>,
    ) {
        if Evidence::of(self, looked).may_leave_shortly() {
            return;
        }
        if !self.snapshot.is_full || self.gaps(looked) > 0 || !self.remembers() {
            let detail = format!("the maintenance of `{}` is not near", looked.id);
            found.add("evidence", detail);
        }
        if !step.needs_ledger() {
            let detail = format!("the drain of `{}` would not wait for the ledger", looked.id);
            found.add("disruption_budget", detail);
        }
        budget.spend(self, looked, found);
    }

    /// What somebody else set to ACTIVE again after a drain for the same cause stays so.
    pub(super) fn check_left_to_others(
        &self,
        looked: &LookedInstance,
        kind: CauseKind,
        found: &mut Findings<'_>,
    ) {
        let activated = self.departure(&looked.id).and_then(|it| it.activated);
        // What AWS announced since is another matter.
        let is_new =
            kind == CauseKind::Maintenance && Evidence::of(self, looked).maintenance_is_new;
        if activated.is_some_and(|it| it.cause == kind) && !is_new {
            let detail = format!("somebody else set `{}` to ACTIVE again", looked.id);
            found.add("good_neighbour", detail);
        }
    }

    /// Whether tasks are on an instance that has been DRAINING for longer than its group lets it.
    fn is_stuck(&self, looked: &LookedInstance) -> bool {
        let departure = self.departure(&looked.id);
        let since = departure.and_then(|it| it.draining_since);
        let is_late = since.is_some_and(|it| {
            let waited = self.now.duration_since(it).as_secs();
            waited >= self.policy.departure_timeout.0
        });
        let registered = looked.registered.as_ref();
        let tasks = registered.and_then(|(cluster, arn)| self.sources.tasks.get(&(cluster, arn)));
        let mut tasks = tasks.into_iter().flatten();
        is_late && tasks.any(|it| !it.is_daemon)
    }

    /// Taking a drain back needs that it was Ballast's, that the instance stays, and that all of that is certain.
    pub(super) fn check_activate(
        &self,
        step: &DrainStep,
        looked: &LookedInstance,
        found: &mut Findings<'_>,
    ) {
        let id = &looked.id;
        let mut add = |detail: String| found.add("only_own_drains", detail);
        if !self.remembers() {
            add("nothing is remembered".to_owned());
        }
        let own = self.departure(id).and_then(|it| it.own_drain);
        let Some(own) = own else {
            add(format!("Ballast is not known to drain `{id}`"));
            return;
        };
        let may_be_away = [
            CauseKind::SpotInterruption,
            CauseKind::Stopping,
            CauseKind::Terminating,
        ];
        if !may_be_away.contains(&own.cause) && Seconds(OWN_SECS).after(own.at) <= self.now {
            add(format!("`{id}` was drained at {}", own.at));
        }
        let left_at = self.departure(id).and_then(|it| it.left_at);
        let is_just_gone = left_at.is_none_or(|it| self.now < Seconds(LEFT_GROUP_SECS).after(it));
        if self.has_left && is_just_gone {
            add(format!(
                "`{id}` has left its group, and may be about to end"
            ));
        }
        match &step.reason {
            DrainStepReason::CauseGone { cause, .. } if *cause == own.cause => {}
            DrainStepReason::CauseGone { .. }
            | DrainStepReason::Leaving { .. }
            | DrainStepReason::Selective { .. }
            | DrainStepReason::LastMoment { .. }
            | DrainStepReason::TasksLeft { .. }
            | DrainStepReason::Drained { .. }
            | DrainStepReason::DeadlineReached { .. }
            | DrainStepReason::NothingToWaitFor { .. } => add(format!(
                "`{id}` was drained for {}, which the step does not say",
                own.cause.as_str()
            )),
        }
        if self.gaps(looked) > 0 {
            add(format!("not everything about `{id}` was read"));
        }
        // A drain by choice has its own end, whatever is recommended; and an earlier one where tasks do not move.
        let is_old = Seconds(CHOICE_ENDS_SECS).after(own.at) <= self.now;
        let has_ended = !own.cause.is_certain() && (is_old || self.is_stuck(looked));
        let own_cause = Some(own.cause).filter(|_| !has_ended);
        if let Some(kind) = Evidence::of(self, looked).sure(own_cause) {
            add(format!("`{id}` still leaves: {}", kind.as_str()));
        }
        let stays = looked
            .member
            .as_ref()
            .is_none_or(|it| it.lifecycle == Lifecycle::InService);
        let is_connected = self.container(looked).is_some_and(|it| it.agent_connected);
        if !stays || !is_connected {
            add(format!("`{id}` is not in service with its agent connected"));
        }
    }
}
