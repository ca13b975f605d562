//! The duty of service-scaler: services whose desired count follows their metrics.

mod events;

use std::collections::BTreeSet;

use act::TrackingActor;
use calls::Deadline;
use model::memory::Write;
use model::outcome::Outcome;
use model::policy::{Installation, Mode, TAG_STANDBY};
use model::snapshot::{Gap, PassedOver, Scope, Standby};
use model::tracking::{
    Fleet, TrackingHold, TrackingHoldReason, TrackingKey, TrackingMemory, TrackingPlan,
    TrackingSnapshot, TrackingStep,
};
use model::trigger::Hints;
use model::{ServiceKey, Timestamp};
use observe::{Blind, TrackingObserver};
use placement::audit::Violation;

use crate::duty::{Decide, Duty, RecallsOf};
use crate::record::Seen;
use crate::trouble::Trouble;

/// Looks after services that are to follow their metrics.
#[derive(Debug)]
pub struct Tracking {
    /// Looks.
    pub observer: TrackingObserver,
    /// Acts. Its mode is the invocation's mode.
    pub actor: TrackingActor,
}

impl Duty for Tracking {
    type Key = TrackingKey;
    type Snapshot = TrackingSnapshot;
    type Step = TrackingStep;
    type Hold = TrackingHold;

    const SUBJECT: &'static str = "service";
    const NOT_WITHOUT_LEDGER: &'static str = "no desired count is lowered";
    const DECIDE: Decide<Self> = placement::tracking::decide;

    fn scope_again(keys: BTreeSet<TrackingKey>) -> Scope {
        Scope::Services(keys.into_iter().map(|it| it.0).collect())
    }

    fn mode(&self) -> Mode {
        self.actor.mode()
    }

    async fn look(&self, scope: &Scope, deadline: Deadline) -> Result<TrackingSnapshot, Blind> {
        self.observer.look(scope, deadline).await
    }

    fn taken_at(snapshot: &TrackingSnapshot) -> Timestamp {
        snapshot.taken_at
    }

    fn keys(snapshot: &TrackingSnapshot) -> BTreeSet<TrackingKey> {
        snapshot.fleets.keys().cloned().collect()
    }

    fn gaps(snapshot: &TrackingSnapshot) -> BTreeSet<Gap> {
        let of_fleets = snapshot.fleets.values().flat_map(|fleet| &fleet.gaps);
        let unread = snapshot.passed_over.values().filter_map(unread);
        snapshot
            .gaps
            .iter()
            .chain(of_fleets)
            .chain(unread)
            .cloned()
            .collect()
    }

    fn seen(snapshot: &TrackingSnapshot) -> Seen {
        Seen {
            services: Some(snapshot.fleets.len()),
            passed_over: snapshot.passed_over.len(),
            ..Seen::default()
        }
    }

    fn audit(
        plan: &TrackingPlan,
        snapshot: &TrackingSnapshot,
        _installation: &Installation,
        memories: &RecallsOf<Self>,
        _hints: &Hints,
        now: Timestamp,
    ) -> Vec<Violation> {
        placement::tracking::audit::audit(plan, snapshot, memories, now)
    }

    async fn act(
        &self,
        steps: Vec<TrackingStep>,
        deadline: Deadline,
    ) -> Vec<Outcome<TrackingStep>> {
        self.actor.act(steps, deadline).await
    }

    /// Raising needs no ledger; lowering does.
    fn needs_ledger(step: &TrackingStep) -> bool {
        !raises(step)
    }

    /// What only takes tasks away is planned anew by the next look.
    fn must_be_in_time(step: &TrackingStep) -> bool {
        raises(step)
    }

    fn is_waiting(hold: &TrackingHold) -> bool {
        matches!(hold.reason, TrackingHoldReason::OwnWriteNotVisible { .. })
    }

    fn settle(
        before: &TrackingMemory,
        planned: &TrackingMemory,
        outcomes: &[Outcome<TrackingStep>],
        now: Timestamp,
    ) -> TrackingMemory {
        placement::tracking::settle(before, planned, outcomes, now)
    }

    fn settle_late(
        found: &TrackingMemory,
        outcomes: &[Outcome<TrackingStep>],
        now: Timestamp,
    ) -> Option<TrackingMemory> {
        let carried_out = outcomes
            .iter()
            .rfind(|it| it.took_effect() != Some(false))?;
        let (_, to) = carried_out.step.counts();
        // Another invocation that has looked since knows better.
        let is_newer = |it: Write| it.at > now || (it.at == now && explains(it, to));
        if found.wrote.is_some_and(is_newer) {
            return None;
        }
        let of_one = std::slice::from_ref(carried_out);
        Some(placement::tracking::settle(found, found, of_one, now))
    }

    fn trouble(
        snapshot: &TrackingSnapshot,
        subjects: &BTreeSet<TrackingKey>,
    ) -> Trouble<ServiceKey> {
        let mut trouble = Trouble {
            beyond: !snapshot.gaps.is_empty(),
            ..Trouble::default()
        };
        for (key, fleet) in &snapshot.fleets {
            let standby = standby(key, fleet);
            let both = || std::iter::once(key.0.clone()).chain(standby.clone());
            trouble.seen.extend(both());
            let belongs = standby.iter().map(|it| (it.clone(), key.0.clone()));
            trouble.belongs_to.extend(belongs);
            if !fleet.gaps.is_empty() || subjects.contains(key) {
                trouble.concerned.extend(both());
            }
        }
        for (key, why) in &snapshot.passed_over {
            trouble.seen.insert(key.clone());
            if unread(why).is_some() {
                trouble.concerned.insert(key.clone());
            }
        }
        trouble
    }

    fn trouble_blind(scope: &Scope) -> Trouble<ServiceKey> {
        match scope {
            Scope::Services(keys) => Trouble {
                concerned: keys.clone(),
                ..Trouble::default()
            },
            Scope::Clusters(_) | Scope::Departures { .. } => Trouble {
                beyond: true,
                ..Trouble::default()
            },
        }
    }
}

/// Whether a step asks for more tasks.
const fn raises(step: &TrackingStep) -> bool {
    let (from, to) = step.counts();
    to > from
}

/// Whether a desired count can come of this write: the write happened, or perhaps did not.
const fn explains(write: Write, found: u32) -> bool {
    write.to == found || (!write.confirmed && write.from == found)
}

/// The standby that serves beside a tracked service, as far as its tag tells.
fn standby(key: &TrackingKey, fleet: &Fleet) -> Option<ServiceKey> {
    match fleet.standby.as_ref()? {
        Standby::Present(standby) => Some(standby.key.clone()),
        Standby::Missing | Standby::Unknown => {
            let name = fleet.primary.tags.get(TAG_STANDBY.name)?.parse().ok()?;
            Some(ServiceKey::new(key.0.cluster.clone(), name))
        }
    }
}

fn unread(why: &PassedOver) -> Option<&Gap> {
    match why {
        PassedOver::Unread { gap } => Some(gap),
        PassedOver::NotOptedIn
        | PassedOver::NotFound
        | PassedOver::StandbyWithoutPrimary { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use model::duty::PlannedStep;
    use model::outcome::OutcomeResult;
    use model::plan::Action;
    use model::snapshot::GapCause;
    use model::tracking::{TrackingNumbers, TrackingStepReason};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_442_000 + second).unwrap()
    }

    fn step(from: u32, to: u32) -> TrackingStep {
        let service: ServiceKey = "demo/web".parse().unwrap();
        TrackingStep {
            subject: TrackingKey(service.clone()),
            action: Action::SetDesiredCount { service, from, to },
            reason: TrackingStepReason::ScaleIn {
                needed_max: to,
                window: model::Seconds(900),
            },
            numbers: TrackingNumbers::default(),
        }
    }

    fn memory(from: u32, to: u32, second: i64, confirmed: bool) -> TrackingMemory {
        TrackingMemory {
            wrote: Some(Write {
                from,
                to,
                at: at(second),
                confirmed,
            }),
            ..TrackingMemory::default()
        }
    }

    #[test]
    fn raising_needs_no_ledger_and_must_be_in_time_and_lowering_the_other_way_round() {
        for (from, to, raises) in [(2, 5, true), (5, 2, false), (0, 1, true), (1, 0, false)] {
            let step = step(from, to);
            assert_eq!(Tracking::needs_ledger(&step), !raises, "{step}");
            assert_eq!(Tracking::must_be_in_time(&step), raises, "{step}");
        }
    }

    #[test]
    fn the_write_is_told_by_the_name_that_the_actor_gives_it() {
        assert_eq!(step(2, 5).operation(), act::UPDATE_SERVICE);
    }

    #[test]
    fn what_another_invocation_wrote_since_stands() {
        let lost = || OutcomeResult::Failed {
            operation: act::UPDATE_SERVICE.to_owned(),
            cause: GapCause::Unreachable,
            detail: "no answer".to_owned(),
        };
        let check =
            |found: TrackingMemory, result: OutcomeResult, want: Option<(u32, u32, bool)>| {
                let outcome = Outcome {
                    step: step(2, 5),
                    result,
                };
                let late = Tracking::settle_late(&found, &[outcome], at(100));
                let wrote = late.map(|it| it.wrote.unwrap());
                let wrote = wrote.map(|it| (it.from, it.to, it.confirmed));
                assert_eq!(wrote, want, "{found:?}");
            };
        let done = || OutcomeResult::Done;
        check(TrackingMemory::default(), done(), Some((2, 5, true)));
        check(TrackingMemory::default(), OutcomeResult::OutOfTime, None);
        check(memory(0, 2, 40, true), lost(), Some((2, 5, false)));
        check(memory(5, 7, 101, true), done(), None);
        check(memory(2, 5, 100, true), done(), None);
        check(memory(0, 2, 100, true), done(), Some((2, 5, true)));
    }

    #[test]
    fn a_later_look_that_sees_nothing_concerns_the_standby_too() {
        let key: ServiceKey = "demo/web".parse().unwrap();
        let scope = Tracking::scope_again(BTreeSet::from([TrackingKey(key.clone())]));
        assert_eq!(scope, Scope::Services(BTreeSet::from([key.clone()])));
        let trouble = Tracking::trouble_blind(&scope);
        assert!(trouble.concerned.contains(&key));
        assert!(Tracking::trouble_blind(&Scope::Clusters(vec![])).beyond);
    }
}
