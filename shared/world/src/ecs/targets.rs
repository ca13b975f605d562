//! A task's targets in the declared target groups of its service: registered when it runs, healthy after its checks, deregistered
//! before it stops. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>
//!
//! A target's health checks come at its registration plus one interval, two intervals, and so on. They are not played one by one:
//! only the check that changes the target's state is planned.
//!
//! A target group that nobody declared is not modelled: a task has no target in it.

use jiff::Timestamp;
use model::snapshot::Health;

use crate::life::since;
use crate::pool::later;
use crate::state::{Service, Target, TargetGroup, TargetState, Task};
use crate::world::{Happening, World};

impl TargetGroup {
    /// When a target that goes on as it does from now on has had so many checks more.
    fn checked_at(&self, registered_at: Timestamp, now: Timestamp, checks: u32) -> Timestamp {
        let interval = i64::from(self.health_check_interval_secs.max(1)) * 1_000;
        let until_now = since(registered_at, now) / interval;
        later(
            registered_at,
            (until_now + i64::from(checks.max(1))) * interval,
        )
    }
}

/// Until when a service ignores what the health checks of a task say, if that is still to come.
pub(crate) fn grace_until(service: &Service, task: &Task, now: Timestamp) -> Option<Timestamp> {
    let grace = service.health_check_grace_period_secs.unwrap_or(0);
    let until = later(task.started_at?, i64::from(grace) * 1_000);
    Some(until).filter(|it| *it > now)
}

/// The ARN of a target group in which a task's target is unhealthy.
pub(crate) fn unhealthy_target_group(task: &Task) -> Option<&str> {
    let mut targets = task.targets.iter();
    targets
        .find(|(_, it)| it.state == TargetState::Unhealthy)
        .map(|(arn, _)| arn.as_str())
}

/// Whether something that checks a task says that it is not healthy.
pub(crate) fn fails_checks(task: &Task) -> bool {
    task.health == Health::Unhealthy || unhealthy_target_group(task).is_some()
}

impl World {
    /// Declares a target group, or changes one of the same name, and gives its ARN. A service whose load balancer names it has its
    /// tasks registered there from now on.
    pub fn declare_target_group(&mut self, group: TargetGroup) -> String {
        let arn = format!(
            "arn:aws:elasticloadbalancing:{}:{}:targetgroup/{}/{}",
            self.config.region,
            self.config.account,
            group.name,
            self.dice.hex(16, "target group", &group.name, 0)
        );
        self.state.target_groups.insert(arn.clone(), group);
        arn
    }

    /// Says whether a task's targets answer their health checks from now on. Returns whether there is such a task with targets.
    pub fn set_target_answers(&mut self, task_id: &str, answers: bool) -> bool {
        let Some(task) = self.state.tasks.get_mut(task_id) else {
            return false;
        };
        for target in task.targets.values_mut() {
            if target.answers != answers {
                target.answers = answers;
                target.change += 1;
            }
        }
        let groups: Vec<String> = task.targets.keys().cloned().collect();
        for group in &groups {
            self.plan_judgement(task_id, group);
        }
        !groups.is_empty()
    }

    /// A task runs: it is registered in the declared target groups of its service.
    pub(crate) fn register_targets(&mut self, id: &str) {
        let now = self.now;
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        let Some((key, service)) = task
            .service
            .as_ref()
            .and_then(|it| self.state.services.get_key_value(it))
        else {
            return;
        };
        let declared = service
            .target_groups()
            .filter(|it| self.state.target_groups.contains_key(*it));
        let groups: Vec<String> = declared.map(str::to_owned).collect();
        let key = key.clone();
        for arn in groups {
            let target = Target {
                state: TargetState::Initial,
                registered_at: now,
                since: now,
                drains_until: None,
                answers: true,
                change: 0,
            };
            if let Some(task) = self.state.tasks.get_mut(id) {
                task.targets.insert(arn.clone(), target);
            }
            let what = format!("targets in (target-group {arn})");
            self.log_counted(&key, "registered", &what);
            self.note_target(id, &arn);
            self.plan_judgement(id, &arn);
        }
    }

    /// Plans the check that changes what the load balancer says of a target, if one will.
    fn plan_judgement(&mut self, task: &str, arn: &str) {
        let Some(group) = self.state.target_groups.get(arn) else {
            return;
        };
        let Some(target) = self.target(task, arn) else {
            return;
        };
        let checks = match (target.state, target.answers) {
            (TargetState::Initial | TargetState::Unhealthy, true) => group.healthy_threshold,
            (TargetState::Initial | TargetState::Healthy, false) => group.unhealthy_threshold,
            (TargetState::Healthy, true)
            | (TargetState::Unhealthy, false)
            | (TargetState::Draining | TargetState::Gone, true | false) => return,
        };
        let at = group.checked_at(target.registered_at, self.now, checks);
        let happening = Happening::TargetJudged {
            task: task.to_owned(),
            group: arn.to_owned(),
            change: target.change,
        };
        self.plan(at, happening);
    }

    /// A target has passed or failed as many checks as it takes.
    pub(crate) fn target_judged(&mut self, task: &str, arn: &str, change: u64) {
        let Some(target) = self.target(task, arn).filter(|it| it.change == change) else {
            return;
        };
        let state = if target.answers {
            TargetState::Healthy
        } else {
            TargetState::Unhealthy
        };
        self.set_target_state(task, arn, state, None);
        let service = self.state.tasks.get(task).and_then(|it| it.service.clone());
        if let Some(service) = service.filter(|_| state == TargetState::Unhealthy) {
            let text = format!(
                "(port {}) is unhealthy in (target-group {arn}) due to (reason Health checks failed)",
                self.port_behind(&service, arn)
            );
            self.log_service(&service, &text);
        }
        self.targets_changed(task);
    }

    fn port_behind(&self, service: &model::ServiceKey, arn: &str) -> u16 {
        let service = self.state.services.get(service);
        let mut balancers = service.into_iter().flat_map(|it| &it.load_balancers);
        balancers
            .find(|it| it.target_group_arn.as_deref() == Some(arn))
            .and_then(|it| it.container_port)
            .unwrap_or(0)
    }

    /// A task is about to stop: its targets get no new requests. Those of a machine that is taken away are not waited for.
    pub(crate) fn deregister_targets(&mut self, id: &str) {
        let now = self.now;
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        let (service, reclaimed) = (task.service.clone(), task.reclaimed);
        let arns: Vec<String> = task.targets.keys().cloned().collect();
        for arn in &arns {
            let delay = self.deregistration_delay_ms(arn);
            let until = (!reclaimed).then(|| later(now, delay));
            self.set_target_state(id, arn, TargetState::Draining, until);
            if let Some(service) = &service {
                let what = format!("targets in (target-group {arn})");
                self.log_counted(service, "deregistered", &what);
            }
        }
        if let Some(service) = service.filter(|_| !arns.is_empty()) {
            self.log_counted(&service, "has begun draining connections on", "tasks.");
        }
    }

    /// The deregistration delay of a declared target group, in milliseconds.
    fn deregistration_delay_ms(&self, arn: &str) -> i64 {
        let group = self.state.target_groups.get(arn);
        group.map_or(0, |it| i64::from(it.deregistration_delay_secs) * 1_000)
    }

    /// How long a task that has targets stays in DEACTIVATING, in milliseconds; `None` where it has none.
    pub(crate) fn drains_for_ms(&self, task: &Task) -> Option<u32> {
        let delays = task
            .targets
            .keys()
            .map(|it| self.deregistration_delay_ms(it));
        delays.max().map(|it| u32::try_from(it).unwrap_or(u32::MAX))
    }

    /// The deregistration is over, or the task is gone before it was.
    pub(crate) fn end_targets(&mut self, id: &str) {
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        let there = task.targets.iter();
        let arns: Vec<String> = there
            .filter(|(_, it)| it.state != TargetState::Gone)
            .map(|(arn, _)| arn.clone())
            .collect();
        for arn in &arns {
            self.set_target_state(id, arn, TargetState::Gone, None);
        }
        if !arns.is_empty() {
            self.targets_changed(id);
        }
    }

    fn target(&self, task: &str, arn: &str) -> Option<&Target> {
        self.state.tasks.get(task)?.targets.get(arn)
    }

    fn set_target_state(
        &mut self,
        id: &str,
        arn: &str,
        state: TargetState,
        drains_until: Option<Timestamp>,
    ) {
        let task = self.state.tasks.get_mut(id);
        if let Some(target) = task.and_then(|it| it.targets.get_mut(arn)) {
            target.state = state;
            target.since = self.now;
            target.change += 1;
            target.drains_until = drains_until.or(target.drains_until);
        }
        self.note_target(id, arn);
    }

    /// Tells the timeline what a target has become.
    fn note_target(&mut self, id: &str, arn: &str) {
        let Some(task) = self.state.tasks.get(id) else {
            return;
        };
        let group = self.state.target_groups.get(arn);
        if let (Some(service), Some(group), Some(target)) =
            (&task.service, group, task.targets.get(arn))
        {
            self.timeline
                .target(self.now, service, &group.name, target.state);
        }
    }

    /// Whether a task serves may have changed, and the scheduler counts anew.
    fn targets_changed(&mut self, id: &str) {
        self.account_task(id);
        let service = self.state.tasks.get(id).and_then(|it| it.service.clone());
        if let Some(service) = service {
            self.look_soon(&service);
        }
    }
}
