//! After acting: what to remember, given what became of each step of one provider.
//!
//! Guaranteed: what is remembered as the last write explains the group's desired capacity as far as this invocation knows it, and an
//! instance that may be DRAINING by Ballast's hand is remembered as such. Otherwise the next look would take Ballast's own write for
//! somebody else's and leave the group, or the instance, alone.
//!
//! Assumed: `planned` is the memory that was announced with the steps: every drain is in it already, and the desired capacity that the
//! steps lead to together.
//!
//! | became of it | desired capacity | drain |
//! |---|---|---|
//! | took effect | confirmed | kept, or forgotten where the instance was terminated, or is ACTIVE again, which may show a moment later |
//! | certainly did not | as it was remembered before | as it was remembered before |
//! | not certain | stays announced: anything between what was seen and what was asked for may come of it | stays remembered |

use jiff::Timestamp;
use model::capacity::{CapacityAction, CapacityStep, CapacityWrite, ProviderMemory};
use model::ids::InstanceId;
use model::outcome::{Outcome, OutcomeResult};

/// What to remember of a provider after its steps were carried out, or were not.
///
/// `before` is what was recalled, `planned` what was announced before acting. `outcomes` are those of this provider's steps; the order
/// does not matter.
#[must_use]
pub fn settle(
    before: &ProviderMemory,
    planned: &ProviderMemory,
    outcomes: &[Outcome<CapacityStep>],
    now: Timestamp,
) -> ProviderMemory {
    let mut memory = planned.clone();
    let mut ends = Ends::default();
    for outcome in outcomes {
        let effect = outcome.took_effect();
        match &outcome.step.action {
            CapacityAction::SetDesiredCapacity { from, to, .. } => {
                if effect == Some(false) {
                    memory.sought = before.sought;
                }
                memory.wrote = match effect {
                    Some(false) => not_carried_out(before.wrote, *from, now),
                    Some(true) | None => Some(CapacityWrite {
                        from: *from,
                        to: *to,
                        at: now,
                        confirmed: effect == Some(true),
                    }),
                };
            }
            CapacityAction::Drain { instance, .. } => {
                if effect == Some(false) {
                    as_before(&mut memory, before, instance);
                }
            }
            CapacityAction::Activate { instance, .. } => {
                settle_end(&mut memory, before, instance, effect);
                if effect == Some(true) {
                    memory.activated.insert(instance.clone(), now);
                }
                if effect == Some(false) {
                    stuck_as_before(&mut memory, before, instance);
                }
            }
            CapacityAction::Terminate {
                instance,
                desired_capacity,
                ..
            } => {
                ends.count(*desired_capacity, outcome);
                settle_end(&mut memory, before, instance, effect);
            }
        }
    }
    if let Some(from) = ends.seen {
        memory.wrote = ends.write(from, before.wrote, now);
    }
    memory
}

/// A drain that was to end: it did, or it is remembered on.
fn settle_end(
    memory: &mut ProviderMemory,
    before: &ProviderMemory,
    instance: &InstanceId,
    effect: Option<bool>,
) {
    match effect {
        Some(true) => {
            memory.drains.remove(instance);
        }
        Some(false) | None => as_before(memory, before, instance),
    }
}

fn as_before(memory: &mut ProviderMemory, before: &ProviderMemory, instance: &InstanceId) {
    match before.drains.get(instance) {
        Some(drain) => {
            memory.drains.insert(instance.clone(), *drain);
        }
        None => {
            memory.drains.remove(instance);
        }
    }
}

fn stuck_as_before(memory: &mut ProviderMemory, before: &ProviderMemory, instance: &InstanceId) {
    match before.stuck.get(instance) {
        Some(at) => {
            memory.stuck.insert(instance.clone(), *at);
        }
        None => {
            memory.stuck.remove(instance);
        }
    }
}

/// What became of the terminations of one plan. Each lowers the desired capacity by one.
#[derive(Debug, Default)]
struct Ends {
    /// The desired capacity that the plan saw.
    seen: Option<u32>,
    /// How many certainly lowered it.
    certain: u32,
    /// How many perhaps did.
    perhaps: u32,
}

impl Ends {
    fn count(&mut self, desired_capacity: u32, outcome: &Outcome<CapacityStep>) {
        self.seen = Some(desired_capacity);
        match (&outcome.result, outcome.took_effect()) {
            // The instance was on its way out already: whether the desired capacity was lowered with it is not known.
            (OutcomeResult::AlreadySo, _) | (_, None) => self.perhaps += 1,
            (_, Some(true)) => self.certain += 1,
            (_, Some(false)) => {}
        }
    }

    /// The last write as it is to be remembered, after terminations from `from`.
    fn write(
        &self,
        from: u32,
        before: Option<CapacityWrite>,
        now: Timestamp,
    ) -> Option<CapacityWrite> {
        let lowered = self.certain.saturating_add(self.perhaps);
        if lowered == 0 {
            return not_carried_out(before, from, now);
        }
        Some(CapacityWrite {
            from,
            to: from.saturating_sub(lowered),
            at: now,
            confirmed: self.perhaps == 0,
        })
    }
}

/// The last write as it is to be remembered where a step from `from` was not carried out. The one that was recalled, unless it does not
/// explain `from`: then the decision has just accepted somebody else's change, and must not have to do so again.
fn not_carried_out(
    recalled: Option<CapacityWrite>,
    from: u32,
    now: Timestamp,
) -> Option<CapacityWrite> {
    recalled.map(|before| {
        if before.explains(from) {
            before
        } else {
            CapacityWrite {
                from,
                to: from,
                at: now,
                confirmed: true,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use model::capacity::{
        CapacityStepReason, CapacitySubject, Drain, DrainReason, ProviderNumbers,
    };
    use model::snapshot::GapCause;

    use super::*;

    const CALL: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn id(number: u32) -> InstanceId {
        format!("i-{number:017}").parse().unwrap()
    }

    fn drain(second: i64) -> Drain {
        Drain {
            at: at(second),
            reason: DrainReason::Empty,
        }
    }

    fn write(from: u32, to: u32, second: i64, confirmed: bool) -> CapacityWrite {
        CapacityWrite {
            from,
            to,
            at: at(second),
            confirmed,
        }
    }

    fn memory(drains: &[(u32, i64)], wrote: Option<CapacityWrite>) -> ProviderMemory {
        ProviderMemory {
            drains: drains
                .iter()
                .map(|(number, second)| (id(*number), drain(*second)))
                .collect(),
            wrote,
            ..ProviderMemory::default()
        }
    }

    #[derive(Clone, Copy)]
    enum Kind {
        Set,
        Drain,
        Activate,
        Terminate,
    }

    /// A step of each kind, about a group that had 5 instances; `Set` raises it to 8.
    fn outcome(kind: Kind, number: u32, result: OutcomeResult) -> Outcome<CapacityStep> {
        let cluster: model::ids::ClusterName = "demo".parse().unwrap();
        let container_instance: model::ids::ContainerInstanceArn =
            format!("arn:aws:ecs:us-east-1:123456789012:container-instance/demo/{number:032}")
                .parse()
                .unwrap();
        let group: model::ids::AutoScalingGroupName = "ec2".parse().unwrap();
        let instance = id(number);
        let action = match kind {
            Kind::Set => CapacityAction::SetDesiredCapacity {
                group,
                from: 5,
                to: 8,
            },
            Kind::Drain => CapacityAction::Drain {
                cluster,
                container_instance,
                instance,
                tasks: 0,
            },
            Kind::Activate => CapacityAction::Activate {
                cluster,
                container_instance,
                instance,
            },
            Kind::Terminate => CapacityAction::Terminate {
                cluster,
                group,
                container_instance,
                instance,
                desired_capacity: 5,
            },
        };
        Outcome {
            step: CapacityStep {
                subject: CapacitySubject::Provider {
                    provider: "demo/ec2".parse().unwrap(),
                },
                action,
                reason: CapacityStepReason::Learn {
                    numbers: ProviderNumbers::default(),
                    types: String::new(),
                },
            },
            result,
        }
    }

    fn failed(operation: &str, cause: GapCause) -> OutcomeResult {
        OutcomeResult::Failed {
            operation: operation.to_owned(),
            cause,
            detail: "no answer".to_owned(),
        }
    }

    fn refused() -> OutcomeResult {
        OutcomeResult::Refused {
            detail: "no".to_owned(),
        }
    }

    #[track_caller]
    fn check(
        before: &ProviderMemory,
        planned: &ProviderMemory,
        outcomes: &[Outcome<CapacityStep>],
        expected: &ProviderMemory,
    ) {
        assert_eq!(&settle(before, planned, outcomes, at(9)), expected);
        let backwards: Vec<_> = outcomes.iter().rev().cloned().collect();
        assert_eq!(&settle(before, planned, &backwards, at(9)), expected);
    }

    #[test]
    fn a_raise_is_confirmed_or_taken_back_or_stays_announced() {
        let before = memory(&[], Some(write(3, 5, 1, true)));
        let planned = memory(&[], Some(write(5, 8, 8, false)));
        for (result, wrote) in [
            (OutcomeResult::Done, write(5, 8, 9, true)),
            (OutcomeResult::AlreadySo, write(5, 8, 9, true)),
            (OutcomeResult::OutOfTime, write(3, 5, 1, true)),
            (OutcomeResult::NotWritten, write(3, 5, 1, true)),
            (refused(), write(3, 5, 1, true)),
            (
                failed(
                    "autoscaling:DescribeAutoScalingGroups",
                    GapCause::Unreachable,
                ),
                write(3, 5, 1, true),
            ),
            (
                failed("autoscaling:SetDesiredCapacity", GapCause::AccessDenied),
                write(3, 5, 1, true),
            ),
            (
                failed("autoscaling:SetDesiredCapacity", GapCause::Unreachable),
                write(5, 8, 9, false),
            ),
        ] {
            let outcomes = [outcome(Kind::Set, 0, result)];
            check(&before, &planned, &outcomes, &memory(&[], Some(wrote)));
        }
    }

    #[test]
    fn an_accepted_foreign_change_stays_accepted() {
        let before = memory(&[], Some(write(3, 4, 1, true)));
        let planned = memory(&[], Some(write(5, 8, 8, false)));
        check(
            &before,
            &planned,
            &[outcome(Kind::Set, 0, OutcomeResult::OutOfTime)],
            &memory(&[], Some(write(5, 5, 9, true))),
        );
    }

    #[test]
    fn a_drain_that_never_began_is_forgotten() {
        let planned = memory(&[(1, 8), (2, 8), (3, 8)], None);
        let outcomes = [
            outcome(Kind::Drain, 1, OutcomeResult::Done),
            outcome(
                Kind::Drain,
                2,
                OutcomeResult::PreconditionFailed {
                    found: "3 tasks".to_owned(),
                },
            ),
            outcome(
                Kind::Drain,
                3,
                failed("ecs:UpdateContainerInstancesState", GapCause::OutOfTime),
            ),
        ];
        let expected = memory(&[(1, 8), (3, 8)], None);
        check(&ProviderMemory::default(), &planned, &outcomes, &expected);
    }

    #[test]
    fn a_drain_ends_only_where_it_certainly_ended() {
        let before = memory(&[(1, 2), (2, 2), (3, 2)], None);
        let outcomes = [
            outcome(Kind::Activate, 1, OutcomeResult::Done),
            outcome(
                Kind::Activate,
                2,
                failed("ecs:UpdateContainerInstancesState", GapCause::Unreachable),
            ),
            outcome(Kind::Activate, 3, OutcomeResult::OutOfTime),
        ];
        let expected = ProviderMemory {
            activated: [(id(1), at(9))].into(),
            ..memory(&[(2, 2), (3, 2)], None)
        };
        check(&before, &before, &outcomes, &expected);
        // Also where the announcement had forgotten them.
        check(&before, &ProviderMemory::default(), &outcomes, &expected);
    }

    #[test]
    fn an_instance_that_is_not_active_again_is_not_remembered_as_stuck() {
        let before = memory(&[(1, 2)], None);
        let planned = ProviderMemory {
            stuck: [(id(1), at(8))].into(),
            ..before.clone()
        };
        let ended = ProviderMemory {
            stuck: [(id(1), at(8))].into(),
            activated: [(id(1), at(9))].into(),
            ..ProviderMemory::default()
        };
        for (result, expected) in [
            (OutcomeResult::Done, &ended),
            (OutcomeResult::NotWritten, &before),
            (
                failed("ecs:UpdateContainerInstancesState", GapCause::Unreachable),
                &planned,
            ),
        ] {
            let outcomes = [outcome(Kind::Activate, 1, result)];
            check(&before, &planned, &outcomes, expected);
        }
    }

    #[test]
    fn of_several_terminations_those_that_took_effect_count() {
        let before = memory(&[(1, 2), (2, 2), (3, 2)], Some(write(4, 5, 1, true)));
        let planned = ProviderMemory {
            wrote: Some(write(5, 2, 8, false)),
            ..before.clone()
        };
        let ends = |results: [OutcomeResult; 3]| {
            let outcomes: Vec<_> = (1..)
                .zip(results)
                .map(|(number, result)| outcome(Kind::Terminate, number, result))
                .collect();
            outcomes
        };
        let done = || OutcomeResult::Done;
        let lost = || failed(CALL, GapCause::Unreachable);
        let unsent = || failed("ecs:DescribeContainerInstances", GapCause::Throttled);
        check(
            &before,
            &planned,
            &ends([done(), done(), done()]),
            &memory(&[], Some(write(5, 2, 9, true))),
        );
        check(
            &before,
            &planned,
            &ends([done(), refused(), unsent()]),
            &memory(&[(2, 2), (3, 2)], Some(write(5, 4, 9, true))),
        );
        check(
            &before,
            &planned,
            &ends([done(), lost(), unsent()]),
            &memory(&[(2, 2), (3, 2)], Some(write(5, 3, 9, false))),
        );
        check(
            &before,
            &planned,
            &ends([OutcomeResult::AlreadySo, unsent(), refused()]),
            &memory(&[(2, 2), (3, 2)], Some(write(5, 4, 9, false))),
        );
        check(
            &before,
            &planned,
            &ends([unsent(), refused(), OutcomeResult::OutOfTime]),
            &before,
        );
    }
}
