//! A second opinion on a plan for tracked services.
//!
//! Guaranteed: it shares no code with the rules. It reads tags, bounds, series and memory anew, asks of each step what must never be, and
//! says every law that a step breaks. A step that is named here is not carried out.
//!
//! Assumed: where a load lies between two thousandths of a task, the smaller counts: a plan of the rules never breaks a law.
//!
//! Absent: whether a plan is good, or complete. Whether a raise is needed, and how much more than the load somebody wants to keep, is no
//! matter of safety. Of the forecast, which may only raise and keep from lowering, only the recent peak is looked at: nothing is lowered below
//! it. What the days before let it grow by is not.

mod bounds;
mod counts;
mod load;
mod lowering;

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::capacity::Consent;
use model::memory::Recall;
use model::plan::Action;
use model::snapshot::{Scheduling, Service, ServiceStatus};
use model::tracking::{
    Fleet, TrackingKey, TrackingMemory, TrackingPlan, TrackingPolicy, TrackingSnapshot,
    TrackingStep, TrackingStepReason,
};

use crate::audit::{Findings, Violation};

/// How far one step may always raise, in tasks.
const ALWAYS_RAISED_TASKS: u32 = 4;

/// How long raises count as one step, in seconds: two that follow each other so closely go no further together than one.
const ONE_STEP_SECS: i64 = 30;

/// How long a write may not show in what AWS answers, in seconds.
const UNDER_WAY_SECS: i64 = 60;

/// How much later than a write a service may have been made and still be the one that was written to, in seconds: the function's timeout.
const MADE_BEFORE_SECS: i64 = 30;

/// Every law that [`audit`] checks, by name.
pub const LAWS: [&str; 13] = [
    "opt_in",
    "precondition",
    "one_step_per_service",
    "switched_off",
    "within_bounds",
    "step_limit",
    "evidence",
    "one_writer",
    "complete_before_lowering",
    "no_deployment",
    "nothing_starting",
    "turn_hold",
    "load_needs_more",
];

/// Checks every step of a plan. An empty answer means that the plan may be carried out.
#[must_use]
pub fn audit(
    plan: &TrackingPlan,
    snapshot: &TrackingSnapshot,
    memories: &BTreeMap<TrackingKey, Recall<TrackingMemory>>,
    now: Timestamp,
) -> Vec<Violation> {
    let mut said: BTreeMap<&TrackingKey, usize> = BTreeMap::new();
    let of_steps = plan.steps.iter().map(|it| &it.subject);
    for subject in of_steps.chain(plan.holds.iter().map(|it| &it.subject)) {
        *said.entry(subject).or_default() += 1;
    }
    let mut violations = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let mut found = Findings {
            index,
            violations: &mut violations,
        };
        let times = said.get(&step.subject).copied().unwrap_or_default();
        if times > 1 {
            let detail = format!("`{}` is in the plan {times} times", step.subject);
            found.add("one_step_per_service", detail);
        }
        let Some(fleet) = snapshot.fleets.get(&step.subject) else {
            let detail = format!("`{}` is not tracked", step.subject);
            found.add("opt_in", detail);
            continue;
        };
        check_precondition(step, fleet, &mut found);
        let recall = memories.get(&step.subject);
        let Some(policy) = check_opt_in(fleet, recall, &mut found) else {
            continue;
        };
        let ground = Ground {
            snapshot,
            fleet,
            policy,
            recall,
            now,
        };
        ground.check(step, &mut found);
    }
    violations
}

/// The service's own tags say `act`, nothing of them is at fault, it is nobody's standby, and its desired count is nobody else's, by the
/// last that was heard.
fn check_opt_in<'a>(
    fleet: &'a Fleet,
    recall: Option<&Recall<TrackingMemory>>,
    found: &mut Findings<'_>,
) -> Option<&'a TrackingPolicy> {
    let Service {
        key,
        status,
        scheduling,
        tags,
        scaled_by_application_auto_scaling,
        ..
    } = &fleet.primary;
    let mut refuse = |why: &str| found.add("opt_in", format!("`{key}` {why}"));
    if tags.get("ballast:service-scaler").map(String::as_str) != Some("act") {
        refuse("does not carry `ballast:service-scaler` = `act`");
    }
    if tags.get("ballast:paused").is_some_and(|it| it != "false") {
        refuse("is paused");
    }
    if tags.contains_key("ballast:standby-of") {
        refuse("is the standby of another service");
    }
    if *status != ServiceStatus::Active {
        refuse("is not ACTIVE");
    }
    if *scheduling == Scheduling::Daemon {
        refuse("runs one task on each instance");
    }
    let heard = match (scaled_by_application_auto_scaling, recall) {
        (Some(now), _) => Some(*now),
        (None, Some(Recall::Known(memory))) => memory.scaled_by_application_auto_scaling,
        (None, Some(Recall::Unknown) | None) => None,
    };
    match heard {
        Some(false) => {}
        Some(true) => refuse("is scaled by Application Auto Scaling"),
        None => refuse("may be scaled by Application Auto Scaling"),
    }
    match &fleet.policy {
        Ok(policy) if policy.consent == Consent::Act && !policy.paused => Some(policy),
        Ok(_) | Err(_) => {
            refuse("has no policy to act by");
            None
        }
    }
}

/// The step is about the tracked service itself, starts from what was seen, leads elsewhere, and in the direction that its reason says.
fn check_precondition(step: &TrackingStep, fleet: &Fleet, found: &mut Findings<'_>) {
    let Action::SetDesiredCount { service, from, to } = &step.action;
    let seen = fleet.primary.desired_count;
    if *service != step.subject.0 || fleet.primary.key != step.subject.0 {
        let detail = format!(
            "the step is about `{}`, and would set `{service}`",
            step.subject
        );
        found.add("precondition", detail);
    }
    if seen != *from || from == to {
        let detail = format!("`{service}` was seen at {seen}, the step goes from {from} to {to}");
        found.add("precondition", detail);
    }
    let raises = match &step.reason {
        TrackingStepReason::ScaleOut { .. } | TrackingStepReason::BelowMinimum { .. } => true,
        TrackingStepReason::ScaleIn { .. } | TrackingStepReason::AboveMaximum { .. } => false,
    };
    if raises != (to > from) {
        let reason = step.reason.as_str();
        let detail = format!("`{reason}` is no reason to go from {from} to {to}");
        found.add("precondition", detail);
    }
}

/// What one step is judged by.
#[derive(Clone, Copy)]
struct Ground<'a> {
    snapshot: &'a TrackingSnapshot,
    fleet: &'a Fleet,
    policy: &'a TrackingPolicy,
    recall: Option<&'a Recall<TrackingMemory>>,
    now: Timestamp,
}

impl<'a> Ground<'a> {
    fn check(&self, step: &TrackingStep, found: &mut Findings<'_>) {
        let (from, to) = step.counts();
        self.check_switched_off(found);
        self.check_bounds(step, found);
        self.check_under_way(found);
        if to > from {
            self.check_raise(step, found);
        } else {
            self.check_lowering(step, found);
        }
    }

    const fn seen(&self) -> u32 {
        self.fleet.primary.desired_count
    }

    /// Whether at least so much time has passed since then.
    fn has_passed(&self, at: Timestamp, secs: i64) -> bool {
        self.now.duration_since(at).as_millis() >= i128::from(secs) * 1_000
    }

    /// What is remembered of this service: nothing of one that was deleted and made again.
    fn memory(&self) -> Option<&'a TrackingMemory> {
        let memory = match self.recall {
            Some(Recall::Known(memory)) => memory,
            Some(Recall::Unknown) | None => return None,
        };
        let made_after = |at: Timestamp| {
            let made = self.fleet.primary.created_at;
            made.is_some_and(|it| {
                it.duration_since(at).as_millis() > i128::from(MADE_BEFORE_SECS) * 1_000
            })
        };
        match memory.wrote {
            Some(wrote) if made_after(wrote.at) => None,
            Some(_) | None => Some(memory),
        }
    }

    /// A desired count of 0 is somebody's wish, unless Ballast is known to have set it.
    fn check_switched_off(&self, found: &mut Findings<'_>) {
        let wrote = self.memory().and_then(|it| it.wrote);
        // What was taken as given at first sight goes from 0 to 0.
        let is_own = wrote.is_some_and(|it| match (it.from, it.to) {
            (0, 0) => false,
            (_, 0) => true,
            (0, _) => !it.confirmed,
            _ => false,
        });
        if self.seen() == 0 && !is_own {
            let key = &self.fleet.primary.key;
            let detail = format!("`{key}` is at 0, and not by Ballast's hand");
            found.add("switched_off", detail);
        }
    }

    /// Within the bounds, or straight to the one that is broken.
    fn check_bounds(&self, step: &TrackingStep, found: &mut Findings<'_>) {
        let (from, to) = step.counts();
        let (least, most) = bounds::at(self.policy, self.now);
        let mut refuse = |law: &'static str| {
            let reason = step.reason.as_str();
            let detail = format!("`{reason}` from {from} to {to}, with {least} to {most} allowed");
            found.add(law, detail);
        };
        if to < least || to > most {
            refuse("within_bounds");
        }
        match &step.reason {
            TrackingStepReason::BelowMinimum { .. } if from >= least => refuse("precondition"),
            TrackingStepReason::AboveMaximum { .. } if from <= most => refuse("precondition"),
            TrackingStepReason::AboveMaximum { .. } if to != most => refuse("within_bounds"),
            TrackingStepReason::BelowMinimum { .. }
            | TrackingStepReason::AboveMaximum { .. }
            | TrackingStepReason::ScaleOut { .. }
            | TrackingStepReason::ScaleIn { .. } => {}
        }
    }

    /// Ballast's own last write shows, or has had the time to.
    fn check_under_way(&self, found: &mut Findings<'_>) {
        let Some(wrote) = self.memory().and_then(|it| it.wrote) else {
            return;
        };
        let from = self.seen();
        let is_unseen = wrote.from == from && wrote.to != from;
        if is_unseen && !self.has_passed(wrote.at, UNDER_WAY_SECS) {
            let key = &self.fleet.primary.key;
            let detail = format!("`{key}` is at {from}, and {} was just written", wrote.to);
            found.add("one_writer", detail);
        }
    }

    fn check_raise(&self, step: &TrackingStep, found: &mut Findings<'_>) {
        let (from, to) = step.counts();
        let is_for_load = match &step.reason {
            TrackingStepReason::ScaleOut { .. } => true,
            TrackingStepReason::BelowMinimum { .. }
            | TrackingStepReason::ScaleIn { .. }
            | TrackingStepReason::AboveMaximum { .. } => false,
        };
        let mut base = from;
        if let Some(wrote) = self.memory().and_then(|it| it.wrote)
            && wrote.to == from
            && wrote.from < from
            && !self.has_passed(wrote.at, ONE_STEP_SECS)
        {
            base = wrote.from;
            let first = self.memory().and_then(|it| it.raised);
            if let Some(first) = first.filter(|it| !self.has_passed(it.at, ONE_STEP_SECS)) {
                base = base.min(first.tasks);
            }
        }
        // Somebody else took away what Ballast had asked for, now or a while ago.
        let memory = self.memory();
        if let Some(wrote) = memory.and_then(|it| it.wrote)
            && wrote.to != from
            && (wrote.confirmed || wrote.from != from)
        {
            base = base.max(wrote.to);
        }
        if let Some(edit) = memory.and_then(|it| it.foreign)
            && !self.has_passed(edit.noticed_at, self.policy.foreign_hold.0)
        {
            base = base.max(edit.wrote);
        }
        let percent = u64::from(self.policy.pace.raise_max_percent);
        let share = u64::from(base) * percent / 100;
        let farthest = u64::from(base) + share.max(u64::from(ALWAYS_RAISED_TASKS));
        let (least, _) = bounds::at(self.policy, self.now);
        // A service below its minimum goes there at once, however far that is.
        let farthest = if is_for_load {
            farthest
        } else {
            farthest.max(least.into())
        };
        if u64::from(to) > farthest {
            let detail =
                format!("{to} tasks are asked for, one step from {base} leads to {farthest}");
            found.add("step_limit", detail);
        }
        if is_for_load && !self.any_measured() {
            let detail = "no target has a value that is new enough".to_owned();
            found.add("evidence", detail);
        }
    }

    /// Whether there is a value of any target that is new enough.
    fn any_measured(&self) -> bool {
        self.policy.targets.keys().any(|name| {
            let load = load::Measured::of(self, *name);
            load.is_some_and(|it| it.is_new_enough && !self.is_miscounted(*name, Some(it.newest)))
        })
    }
}
