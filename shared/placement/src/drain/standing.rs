//! The group itself: what is done of what was decided about its instances, and its one hold.
//!
//! | asked in this order | its hold | its instances and waits |
//! |---|---|---|
//! | its tags cannot be used | `policy_faults`, with what is left undone as text | left alone |
//! | it is paused | `paused`, with the same | left alone |
//! | it asks for advice | `advice_only`, with the steps as text | left alone |
//! | something of it could not be observed | `snapshot_incomplete` | as decided |
//! | a look at everything shows no hook of Ballast's, and no managed draining | `hook_missing` | as decided |
//! | the hook times out before a lost event is made up for | `hook_too_short` | as decided |
//! | instances leave or drain | `departing` | as decided |
//! | otherwise | `watching`, with what ECS could not move | as decided |

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::Seconds;
use model::drain::{DepartureNumbers, DrainHold, DrainHoldReason, DrainStep, DrainSubject};

use super::case::{GroupCase, Standing, is_group};
use super::stop::{self, Stop};
use super::stuck;
use super::{Rank, Verdict, action, acts, before, numbers, rank};

/// How many lines of advice a hold has; the rest is counted.
pub const ADVICE_MAX: usize = 20;
/// How much longer than two intervals of the schedule a hook must wait: the event is lost, and the next look but one sends the
/// heartbeat. The number is ours.
pub const HOOK_SPARE: Seconds = Seconds(30);

/// What a group comes to.
pub(crate) struct Decided {
    pub(crate) steps: Vec<(Rank, DrainStep)>,
    pub(crate) holds: Vec<DrainHold>,
}

/// Puts what was decided about a group together.
pub(crate) fn decide(group: &GroupCase<'_>, verdicts: Vec<Verdict>, stops: &[Stop<'_>]) -> Decided {
    let key = &group.of.key;
    let stopped = stop::arns(stops);
    let numbers = numbers::of_group(group, &verdicts, &stopped);
    let mut sorted = Sorted::default();
    for (case, verdict) in group.cases.iter().zip(verdicts) {
        let subject = DrainSubject::Instances {
            key: key.clone(),
            instances: vec![case.id().clone()],
        };
        sorted.add(subject, verdict);
        if let Some(verdict) = action::verdict(group, case, &stopped) {
            let subject = DrainSubject::LifecycleAction {
                key: key.clone(),
                instance: case.id().clone(),
                hook: group.policy.lifecycle_hook.clone(),
            };
            sorted.add(subject, verdict);
        }
    }
    for it in stops {
        let subject = DrainSubject::Task {
            key: key.clone(),
            instance: it.instance.clone(),
            task: it.task.arn.clone(),
        };
        let verdict = Verdict::Step(it.action.clone(), it.reason.clone(), it.latest);
        sorted.add(subject, verdict);
    }
    sorted.steps.sort_by(before);
    let reason = reason(group, &numbers, &sorted);
    let hold = DrainHold {
        subject: DrainSubject::Group { key: key.clone() },
        reason,
        numbers: (group.look.snapshot.is_full && group.gaps.is_empty()).then_some(numbers),
        until: None,
    };
    if acts(group.standing) {
        let steps = std::mem::take(&mut sorted.steps);
        let mut holds = vec![hold];
        holds.extend(sorted.holds());
        return Decided { steps, holds };
    }
    let mut holds = vec![hold];
    holds.extend(left_alone(group));
    Decided {
        steps: Vec::new(),
        holds,
    }
}

/// Everything of a group that is left alone as a whole.
fn left_alone(group: &GroupCase<'_>) -> Vec<DrainHold> {
    let mut sorted = Sorted::default();
    for case in &group.cases {
        let key = group.of.key.clone();
        let instances = vec![case.id().clone()];
        let subject = DrainSubject::Instances { key, instances };
        sorted.add(subject, Verdict::hold(DrainHoldReason::GroupHeld));
        if case.waiting.is_some() {
            let subject = DrainSubject::LifecycleAction {
                key: group.of.key.clone(),
                instance: case.id().clone(),
                hook: group.policy.lifecycle_hook.clone(),
            };
            sorted.add(subject, Verdict::hold(DrainHoldReason::GroupHeld));
        }
    }
    sorted.holds().collect()
}

/// Steps, and holds of which those of instances that are left alone for the same reason are one.
#[derive(Default)]
struct Sorted {
    steps: Vec<(Rank, DrainStep)>,
    of_instances: BTreeMap<&'static str, Vec<DrainHold>>,
    others: Vec<DrainHold>,
}

impl Sorted {
    fn add(&mut self, subject: DrainSubject, verdict: Verdict) {
        match verdict {
            Verdict::Step(action, reason, urgency) => {
                let rank = rank(&action, &reason, urgency);
                let step = DrainStep {
                    subject,
                    action,
                    reason,
                };
                self.steps.push((rank, step));
            }
            Verdict::Hold(reason, until) => self.hold(subject, reason, until),
        }
    }

    fn hold(&mut self, subject: DrainSubject, reason: DrainHoldReason, until: Option<Timestamp>) {
        let hold = DrainHold {
            subject,
            reason,
            numbers: None,
            until,
        };
        let DrainSubject::Instances { instances, .. } = &hold.subject else {
            self.others.push(hold);
            return;
        };
        let alike = self.of_instances.entry(hold.reason.as_str()).or_default();
        let same = alike
            .iter_mut()
            .find(|it| it.reason == hold.reason && it.until == hold.until);
        match same.map(|it| &mut it.subject) {
            Some(DrainSubject::Instances {
                instances: others, ..
            }) => others.extend(instances.iter().cloned()),
            Some(
                DrainSubject::Group { .. }
                | DrainSubject::LifecycleAction { .. }
                | DrainSubject::Task { .. },
            )
            | None => alike.push(hold),
        }
    }

    fn holds(self) -> impl Iterator<Item = DrainHold> {
        let of_instances = self.of_instances.into_values().flatten();
        of_instances.chain(self.others)
    }
}

/// The reason of the group's one hold.
fn reason(group: &GroupCase<'_>, numbers: &DepartureNumbers, sorted: &Sorted) -> DrainHoldReason {
    if let Err(faults) = &group.of.policy {
        return DrainHoldReason::PolicyFaults {
            faults: faults.clone(),
            advice: advice(group, sorted),
        };
    }
    match group.standing {
        Standing::Held => {
            let advice = advice(group, sorted);
            return DrainHoldReason::Paused { advice };
        }
        Standing::Advise => {
            let advice = advice(group, sorted);
            return DrainHoldReason::AdviceOnly { advice };
        }
        Standing::Act => {}
    }
    if !group.gaps.is_empty() {
        let gaps = group.gaps.clone();
        return DrainHoldReason::SnapshotIncomplete { gaps };
    }
    if let Some(reason) = hook(group) {
        return reason;
    }
    if numbers.leaving > 0 || numbers.draining_any > 0 || !sorted.steps.is_empty() {
        DrainHoldReason::Departing
    } else {
        watching(group)
    }
}

/// No instance leaves; what could not be moved if one did.
fn watching(group: &GroupCase<'_>) -> DrainHoldReason {
    let mut immovable = stuck::lines(group.cases.iter().flat_map(|it| &it.immovable));
    let more = immovable
        .len()
        .saturating_sub(DrainHoldReason::IMMOVABLE_MAX);
    immovable.truncate(DrainHoldReason::IMMOVABLE_MAX);
    DrainHoldReason::Watching {
        immovable,
        more: u32::try_from(more).unwrap_or(u32::MAX),
    }
}

/// What is wrong with the group's hook.
fn hook(group: &GroupCase<'_>) -> Option<DrainHoldReason> {
    if !is_group(&group.of.key) || !group.of.hooks_read {
        return None;
    }
    let Some(hook) = group.own_hook() else {
        let is_missing = group.look.snapshot.is_full && !group.of.managed_draining;
        return is_missing.then(|| DrainHoldReason::HookMissing {
            hook: group.policy.lifecycle_hook.clone(),
            others: group.of.hooks.keys().cloned().collect(),
        });
    };
    let interval = group.look.installation.schedule_interval.0;
    let needed = Seconds(interval.saturating_mul(2).saturating_add(HOOK_SPARE.0));
    (hook.heartbeat_timeout < needed).then(|| DrainHoldReason::HookTooShort {
        hook: hook.name.clone(),
        heartbeat_timeout: hook.heartbeat_timeout,
        needed,
    })
}

/// What would be done, as text. Of a group that is held also the waits in a hook, which time out meanwhile.
fn advice(group: &GroupCase<'_>, sorted: &Sorted) -> Vec<String> {
    let steps = sorted.steps.iter().map(|(_, step)| step.to_string());
    let is_held = group.standing == Standing::Held;
    let waits = sorted.others.iter().filter(|_| is_held);
    let mut lines: Vec<String> = steps.chain(waits.map(ToString::to_string)).collect();
    let more = lines.len().saturating_sub(ADVICE_MAX);
    lines.truncate(ADVICE_MAX);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
