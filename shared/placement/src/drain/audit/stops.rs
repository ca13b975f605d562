//! Laws of stopping tasks: only what dies with its instance, and only when nobody would stop it in time.

use jiff::Timestamp;
use model::capacity::ContainerInstanceStatus;
use model::drain::{DrainStep, DrainStepReason, LookedInstance, StuckReason};
use model::{Seconds, TaskArn};

use super::evidence::Evidence;
use super::{Findings, Ground};

/// How late the next look may be after the schedule's interval, in seconds.
const LOOK_LATE_SECS: i64 = 30;

/// What is left over between the end of a stop timeout and the end of the instance, in seconds.
const MARGIN_SECS: i64 = 5;

/// How long ECS is given to stop the tasks of a DRAINING instance itself, in seconds.
const ECS_CHANCE_SECS: i64 = 30;

/// How long a task may take to stop where its definition was not read, in seconds.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
const STOP_DEFAULT_SECS: i64 = 30;

impl Ground<'_> {
    pub(super) fn check_stop(
        &self,
        step: &DrainStep,
        looked: &LookedInstance,
        arn: &TaskArn,
        found: &mut Findings<'_>,
    ) {
        self.check_container(step, looked, ContainerInstanceStatus::Draining, found);
        if !self.policy.stop_tasks {
            let detail = format!("no tag lets the tasks of `{}` be stopped", self.group.key);
            found.add("switched_off", detail);
        }
        let is_draining = self
            .container(looked)
            .is_some_and(|it| it.status == ContainerInstanceStatus::Draining && it.agent_connected);
        if !is_draining {
            let detail = format!("`{}` is not DRAINING with its agent connected", looked.id);
            found.add("not_too_early", detail);
        }
        let stop_timeout = self.check_task(step, looked, arn, found);
        self.check_moment(looked, stop_timeout, found);
    }

    /// The task is on the instance, is to run, and is no daemon's. Gives its stop timeout.
    fn check_task(
        &self,
        step: &DrainStep,
        looked: &LookedInstance,
        arn: &TaskArn,
        found: &mut Findings<'_>,
    ) -> Seconds {
        let default = Seconds(STOP_DEFAULT_SECS);
        let Some((cluster, instance)) = looked.registered.as_ref() else {
            return default;
        };
        let tasks = self.sources.tasks.get(&(cluster, instance));
        let task = tasks.and_then(|it| it.iter().find(|it| it.arn == *arn));
        let Some(task) = task.filter(|it| it.desired_running) else {
            let detail = format!("`{arn}` does not run on `{}`", looked.id);
            found.add("precondition", detail);
            return default;
        };
        if task.is_daemon {
            found.add("not_too_early", format!("`{arn}` is a daemon's"));
        }
        if let DrainStepReason::LastMoment { why, .. } = &step.reason {
            let is_true = match why {
                StuckReason::Standalone => task.service.is_none(),
                StuckReason::NotMoved { .. } => self.had_its_chance(looked),
                StuckReason::NoSurge { .. } | StuckReason::NoRoom { .. } => task.service.is_some(),
                StuckReason::TooSlow { .. } => {
                    task.service.is_some() && self.had_its_chance(looked)
                }
                StuckReason::StopTooLong { .. } => true,
                StuckReason::AgentDisconnected => false,
            };
            if !is_true {
                let detail = format!("`{arn}` is not stuck: {}", why.as_str());
                found.add("not_too_early", detail);
            }
        }
        let timeouts = self.snapshot.clusters.get(cluster);
        let timeouts = timeouts.map(|it| &it.stop_timeouts);
        let timeout = timeouts.and_then(|it| it.get(&task.task_definition));
        timeout.copied().unwrap_or(default)
    }

    fn had_its_chance(&self, looked: &LookedInstance) -> bool {
        let departure = self.departure(&looked.id);
        let seen = departure.and_then(|it| it.draining_since);
        let own = departure.and_then(|it| it.own_drain).map(|it| it.at);
        let mut since = seen.into_iter().chain(own);
        since.any(|it| Seconds(ECS_CHANCE_SECS).after(it) <= self.now)
    }

    /// The next look may be too late for the stop timeout, and this one is not.
    fn check_moment(
        &self,
        looked: &LookedInstance,
        stop_timeout: Seconds,
        found: &mut Findings<'_>,
    ) {
        let id = &looked.id;
        let evidence = Evidence::of(self, looked);
        if evidence.certain().next().is_none() {
            let detail = format!("nothing shows that `{id}` leaves");
            found.add("evidence", detail);
        }
        let mut ends: Vec<Timestamp> = evidence.certain().filter_map(|it| it.deadline).collect();
        let waits = looked.member.as_ref().is_some_and(|it| it.waits_in_hook);
        if waits && let Some((earliest, latest)) = self.wait_ends(looked) {
            ends.extend([earliest, latest]);
        }
        let Some(first) = ends.iter().filter(|it| **it >= self.now).min() else {
            let detail = format!("`{id}` has no end, or it has passed");
            found.add("within_deadline", detail);
            return;
        };
        let next_look_at =
            Seconds(LOOK_LATE_SECS).after(self.installation.schedule_interval.after(self.now));
        let last_moment = Seconds(stop_timeout.0.saturating_add(MARGIN_SECS)).before(*first);
        if last_moment > next_look_at {
            let detail = format!("`{id}` ends at {first}, the next look is at {next_look_at}");
            found.add("not_too_early", detail);
        }
    }
}
