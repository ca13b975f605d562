//! The duty of service-scaler: services whose desired count follows their metrics.

mod events;

use std::collections::BTreeSet;

use act::Actor;
use calls::Deadline;
use model::memory::Write;
use model::outcome::Outcome;
use model::policy::{Installation, Mode};
use model::snapshot::{Gap, Scope};
use model::tracking::{
    TrackingHold, TrackingHoldReason, TrackingKey, TrackingMemory, TrackingPlan, TrackingSnapshot,
    TrackingStep,
};
use model::trigger::Hints;
use model::{ServiceKey, Timestamp};
use observe::{Blind, TrackingObserver};
use placement::audit::Violation;

use crate::controller::RecordOf;
use crate::duty::{Decide, Duty, RecallsOf};
use crate::record::Seen;
use crate::services::{self, Whole, explains};
use crate::trouble::Trouble;

/// The names of the holds of services that are not followed because something was not read.
const NOT_FOLLOWED: [&str; 3] = ["snapshot_incomplete", "no_data", "targets_unknown"];

/// Looks after services that are to follow their metrics.
#[derive(Debug)]
pub struct Tracking {
    /// Looks.
    pub observer: TrackingObserver,
    /// Acts. Its mode is the invocation's mode.
    pub actor: Actor,
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

    fn looked_at(&self) -> Option<Timestamp> {
        self.observer.looked_at()
    }

    fn taken_at(snapshot: &TrackingSnapshot) -> Timestamp {
        snapshot.taken_at
    }

    fn keys(snapshot: &TrackingSnapshot) -> BTreeSet<TrackingKey> {
        snapshot.fleets.keys().cloned().collect()
    }

    fn gaps(snapshot: &TrackingSnapshot) -> BTreeSet<Gap> {
        let of_fleets = snapshot.fleets.values().flat_map(|fleet| &fleet.gaps);
        services::gaps(&snapshot.gaps, of_fleets, &snapshot.passed_over)
    }

    /// Desired counts follow what was seen, and the errors' alarm tells of the gaps. Where no service could be followed, nothing was done.
    fn completes_with_gaps(record: &RecordOf<Self>) -> bool {
        let services = record.snapshot.as_ref().and_then(|it| it.seen.services);
        let holds = &record.plan.holds_by_reason;
        let of_reason = |it: &&str| holds.get(*it).copied().unwrap_or(0);
        let unfollowed_count: usize = NOT_FOLLOWED.iter().map(of_reason).sum();
        services.unwrap_or(0) > unfollowed_count
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
        let wholes = snapshot.fleets.iter().map(|(key, fleet)| Whole {
            primary: &fleet.primary,
            standby: fleet.standby.as_ref(),
            gaps: &fleet.gaps,
            is_concerned: subjects.contains(key),
        });
        services::trouble(&snapshot.gaps, wholes, &snapshot.passed_over)
    }

    fn trouble_blind(scope: &Scope) -> Trouble<ServiceKey> {
        services::trouble_blind(scope)
    }
}

/// Whether a step asks for more tasks.
const fn raises(step: &TrackingStep) -> bool {
    let (from, to) = step.counts();
    to > from
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
                forecast: None,
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
    fn a_look_by_which_no_service_could_be_followed_is_no_heartbeat() {
        for name in NOT_FOLLOWED {
            assert!(TrackingHoldReason::NAMES.contains(&name), "{name}");
        }
        for (services, held, want) in [
            (2, [0, 0, 0], true),
            (3, [1, 0, 1], true),
            (3, [1, 1, 1], false),
            (2, [2, 0, 0], false),
            (0, [0, 0, 0], false),
        ] {
            let mut record: RecordOf<Tracking> =
                crate::record::Record::new("service-scaler", Mode::Act, None);
            record.snapshot = Some(crate::record::Look {
                taken_at: at(0),
                digest: String::new(),
                seen: Seen {
                    services: Some(services),
                    ..Seen::default()
                },
                gaps: 1,
            });
            let holds = NOT_FOLLOWED.iter().map(|it| (*it).to_owned()).zip(held);
            record.plan.holds_by_reason.extend(holds);
            let completes = Tracking::completes_with_gaps(&record);
            assert_eq!(completes, want, "{held:?} of {services}");
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
