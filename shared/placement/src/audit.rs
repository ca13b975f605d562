//! A second opinion on a finished plan, which shares no code with what made it.
//!
//! Each law is checked from the snapshot and the memory alone, by plain counting. A step that breaks a law must not be carried out:
//! `control` takes it out of the plan, says so in the record and fails the invocation.
//!
//! Absent: whether a step is *wise*. Only what must never happen is here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::ServiceKey;
use model::memory::Recall;
use model::plan::{Action, Plan, Step};
use model::policy::Installation;
use model::snapshot::{
    Controller, Health, Pair, Scheduling, ServiceStatus, Snapshot, Standby, TaskStatus,
};
use model::strategy::Market;

/// A step that breaks a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The step, as its index in the plan.
    pub step: usize,
    /// The law, a stable name.
    pub law: &'static str,
    /// What is wrong, with the numbers.
    pub detail: String,
}

/// Every law that [`audit`] checks, by name.
pub const LAWS: [&str; 10] = [
    "opt_in",
    "one_writer",
    "precondition",
    "on_demand_only",
    "within_cap",
    "no_more_than_missing",
    "complete_before_giving_back",
    "unneeded_for_the_hold_down",
    "no_ready_task_lost",
    "one_step_per_service",
];

/// Checks every step of a plan. An empty answer means that the plan may be carried out.
#[must_use]
pub fn audit(
    plan: &Plan,
    snapshot: &Snapshot,
    installation: &Installation,
    memories: &BTreeMap<ServiceKey, Recall>,
    now: Timestamp,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut written = BTreeSet::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let Action::SetDesiredCount { service, .. } = &step.action;
        let mut found = Findings {
            index,
            violations: &mut violations,
        };
        if !written.insert(service.clone()) {
            found.add(
                "one_step_per_service",
                format!("`{service}` is written twice"),
            );
        }
        let looked_at = LookedAt {
            snapshot,
            installation,
            memories,
            now,
        };
        check(step, &looked_at, &mut found);
    }
    violations
}

/// What is found of one step, in every audit.
pub(crate) struct Findings<'a> {
    /// The step, as its index in the plan.
    pub(crate) index: usize,
    pub(crate) violations: &'a mut Vec<Violation>,
}

impl Findings<'_> {
    pub(crate) fn add(&mut self, law: &'static str, detail: String) {
        self.violations.push(Violation {
            step: self.index,
            law,
            detail,
        });
    }
}

/// What the plan was made from.
struct LookedAt<'a> {
    snapshot: &'a Snapshot,
    installation: &'a Installation,
    memories: &'a BTreeMap<ServiceKey, Recall>,
    now: Timestamp,
}

impl LookedAt<'_> {
    /// Whole seconds from then to now.
    fn age(&self, at: Timestamp) -> i64 {
        self.now.as_second().saturating_sub(at.as_second())
    }
}

fn check(step: &Step, looked_at: &LookedAt<'_>, found: &mut Findings<'_>) {
    let snapshot = looked_at.snapshot;
    let Action::SetDesiredCount { service, from, to } = &step.action;
    let Some(pair) = snapshot.pairs.get(&step.subject) else {
        found.add("opt_in", format!("`{}` is not a primary", step.subject));
        return;
    };
    let Standby::Present(standby) = &pair.standby else {
        found.add("opt_in", format!("`{service}` was not read"));
        return;
    };
    check_opt_in(pair, service, found);
    if standby.desired_count != *from || from == to {
        let seen = standby.desired_count;
        let detail = format!("`{service}` was seen at {seen}, the step goes from {from} to {to}");
        found.add("precondition", detail);
    }
    for share in &standby.capacity {
        if share.market == Market::Spot && share.item.base + share.item.weight > 0 {
            let detail = format!("`{service}` may use `{}`", share.item.provider);
            found.add("on_demand_only", detail);
        }
    }
    let recall = looked_at.memories.get(&step.subject);
    check_writer(pair, recall, looked_at, found);
    if to > from {
        check_raise(pair, *to, found);
    } else {
        check_watch(pair, recall, *to, looked_at, found);
        check_complete(pair, snapshot, found);
        check_ready(pair, *from, *to, found);
    }
}

/// A desired count that is neither the one that was written nor, while the write is not confirmed, the one before it is somebody
/// else's, and is left alone for the policy's time.
fn check_writer(
    pair: &Pair,
    recall: Option<&Recall>,
    looked_at: &LookedAt<'_>,
    found: &mut Findings<'_>,
) {
    let (Some(Recall::Known(memory)), Standby::Present(standby), Ok(policy)) =
        (recall, &pair.standby, &pair.policy)
    else {
        return;
    };
    let Some(wrote) = memory.wrote else { return };
    // Half a minute after it was announced, a write cannot come any more: a younger service was never written to.
    if standby
        .created_at
        .is_some_and(|made| made.duration_since(wrote.at).as_millis() > 30_000)
    {
        return;
    }
    let seen = standby.desired_count;
    let ours = seen == wrote.to || (!wrote.confirmed && seen == wrote.from);
    let waited = memory.foreign.is_some_and(|edit| {
        edit.found == seen && looked_at.age(edit.noticed_at) >= policy.foreign_hold.0
    });
    if !ours && !waited {
        let detail = format!("`{}` is at {seen}, {} was written", standby.key, wrote.to);
        found.add("one_writer", detail);
    }
}

fn check_opt_in(pair: &Pair, service: &ServiceKey, found: &mut Findings<'_>) {
    let primary = &pair.primary;
    let Standby::Present(standby) = &pair.standby else {
        return;
    };
    let names_it = primary.tags.get("ballast:standby") == Some(&service.service.to_string());
    let answers = standby.tags.get("ballast:standby-of") == Some(&primary.key.service.to_string());
    let same = standby.key == *service && service.cluster == primary.key.cluster;
    if !(names_it && answers && same && *service != primary.key) {
        found.add(
            "opt_in",
            format!("the tags do not join `{}` and `{service}`", primary.key),
        );
    }
    if primary
        .tags
        .get("ballast:paused")
        .is_some_and(|it| it != "false")
    {
        found.add("opt_in", format!("`{}` is paused", primary.key));
    }
    for it in [primary, standby.as_ref()] {
        let usual = it.status == ServiceStatus::Active
            && it.scheduling == Scheduling::Replica
            && it.controller == Controller::Ecs;
        if !usual {
            found.add(
                "opt_in",
                format!("`{}` may not be scaled by a desired count", it.key),
            );
        }
    }
    if standby.scaled_by_application_auto_scaling == Some(true) {
        found.add(
            "opt_in",
            format!("Application Auto Scaling scales `{service}`"),
        );
    }
    if primary.task_definition != standby.task_definition {
        found.add(
            "opt_in",
            format!("`{service}` runs another task definition"),
        );
    }
}

/// The tasks that serve and stay. One on a Spot instance that drains does not stay.
fn serving(service: &model::snapshot::Service) -> usize {
    let mut serving = 0;
    for task in &service.tasks {
        let mut goes = false;
        if task.instance_status == Some(model::capacity::ContainerInstanceStatus::Draining) {
            for share in &service.capacity {
                goes |= share.market == Market::Spot
                    && task.provider.as_ref() == Some(&share.item.provider);
            }
        }
        if task.desired_running
            && !goes
            && task.last_status == TaskStatus::Running
            && task.health != Health::Unhealthy
        {
            serving += 1;
        }
    }
    serving
}

fn check_raise(pair: &Pair, to: u32, found: &mut Findings<'_>) {
    let desired = pair.primary.desired_count;
    let cap = match &pair.policy {
        Ok(policy) => policy.standby_max.map_or(desired, |max| max.min(desired)),
        Err(_) => 0,
    };
    if to > cap {
        found.add(
            "within_cap",
            format!("{to} tasks are asked for, the cap is {cap}"),
        );
    }
    let missing = (desired as usize).saturating_sub(serving(&pair.primary));
    if to as usize > missing {
        let detail = format!("{to} tasks are asked for, {missing} are not ready");
        found.add("no_more_than_missing", detail);
    }
}

/// What was remembered before this look must already show that the tasks have been unneeded for the hold-down.
fn check_watch(
    pair: &Pair,
    recall: Option<&Recall>,
    to: u32,
    looked_at: &LookedAt<'_>,
    found: &mut Findings<'_>,
) {
    let (Some(Recall::Known(memory)), Ok(policy)) = (recall, &pair.policy) else {
        found.add(
            "unneeded_for_the_hold_down",
            "nothing is remembered of the pair".to_owned(),
        );
        return;
    };
    let age = |at: Timestamp| looked_at.age(at);
    let hold_down_secs = policy.hold_down.0;
    let watched_secs = memory.watched.map_or(0, |watch| age(watch.since));
    if watched_secs < hold_down_secs {
        let detail = format!("watched for {watched_secs} s of {hold_down_secs} s");
        found.add("unneeded_for_the_hold_down", detail);
    }
    // Two looks may be lost, not more.
    let break_secs_max = looked_at.installation.schedule_interval.0.saturating_mul(3);
    let break_secs = memory.watched.map_or(0, |watch| age(watch.until));
    if break_secs > break_secs_max {
        let detail = format!("not looked at for {break_secs} s, {break_secs_max} s may pass");
        found.add("unneeded_for_the_hold_down", detail);
    }
    for level in &memory.needs {
        if level.tasks > to && age(level.at) < hold_down_secs {
            let detail = format!("{} tasks were needed {} s ago", level.tasks, age(level.at));
            found.add("unneeded_for_the_hold_down", detail);
        }
    }
}

fn check_complete(pair: &Pair, snapshot: &Snapshot, found: &mut Findings<'_>) {
    let Standby::Present(standby) = &pair.standby else {
        return;
    };
    let mut gaps = pair.gaps.len();
    for gap in &snapshot.gaps {
        let about = gap.resource.as_str();
        let cluster = pair.primary.key.cluster.as_str();
        let of_pair = about == pair.primary.key.to_string() || about == standby.key.to_string();
        gaps += usize::from(about == "*" || about == cluster || of_pair);
    }
    if !pair.primary.all_to_run_read || !standby.all_to_run_read {
        found.add(
            "complete_before_giving_back",
            "not every task was read".to_owned(),
        );
    }
    if gaps > 0 {
        let detail = format!("the look has {gaps} gaps");
        found.add("complete_before_giving_back", detail);
    }
    let rolling = |service: &model::snapshot::Service| {
        service.deployments.len() > 1 || service.deployments.iter().any(|it| it.in_progress)
    };
    if rolling(&pair.primary) || rolling(standby) {
        found.add(
            "complete_before_giving_back",
            "a deployment is running".to_owned(),
        );
    }
}

fn check_ready(pair: &Pair, from: u32, to: u32, found: &mut Findings<'_>) {
    let Standby::Present(standby) = &pair.standby else {
        return;
    };
    let desired = pair.primary.desired_count as usize;
    let ready = serving(&pair.primary);
    let stopped = (from as usize).saturating_sub(to as usize);
    let left = ready + serving(standby).min(from as usize).saturating_sub(stopped);
    if left < desired {
        let detail = format!("{left} ready tasks could be left of {desired} desired");
        found.add("no_ready_task_lost", detail);
    }
}
