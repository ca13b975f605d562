//! Long random walks: a small EC2, Auto Scaling and ECS of their own, whose warnings get lost or come late or come true for nothing, whose
//! agents come and go, and looks that are lost, overlap and fail to write.
//!
//! At every look the audit finds nothing. What leaves was drained where there was time to; nothing that waits in the hook times out, and
//! nothing goes with tasks on it before its time; when all is quiet, nothing that stays is DRAINING by Ballast's hand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{DrainAction, DrainMemory, DrainStep, DrainStepReason};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::trigger::{Hints, Notice, NoticeHint};
use model::{InstanceId, Seconds};
use placement::drain::{DrainDecision, settle};
use proptest::prelude::*;

use crate::dice::Dice;
use crate::laws::{audited, instance};
use crate::scene::{Scene, arn, key};
use crate::shown::{accounted, text};

const TICK_SECS: i64 = 15;
const HOOK_SECS: i64 = 300;
const DEPARTURE_SECS: i64 = 900;
const GRACE_SECS: i64 = 300;
/// How long after a lost look or a failed write a wait may time out for it: two looks.
const OUTAGE_SECS: i64 = 135;

struct Walk {
    scene: Scene,
    dice: Dice,
    has_faults: bool,
    /// What was said, and when it arrives.
    post: Vec<(Timestamp, NoticeHint)>,
    /// The instances that EC2 warned of.
    warned: BTreeSet<InstanceId>,
    /// When EC2 takes an instance.
    ends: BTreeMap<InstanceId, Timestamp>,
    /// When a warning of an instance that EC2 takes was first heard in a look that could act on it.
    heard: BTreeMap<InstanceId, Timestamp>,
    /// When a look was lost, or a write failed, the last time.
    trouble_at: Option<Timestamp>,
    /// The instances of which a write failed.
    failed: BTreeSet<InstanceId>,
    /// The instances that wait in the hook: since when, and when the wait was last prolonged.
    waits: BTreeMap<InstanceId, (Timestamp, Timestamp)>,
    returns: BTreeMap<InstanceId, Timestamp>,
    chosen: u32,
    told: Vec<String>,
}

impl Walk {
    fn new(seed: u64, has_faults: bool) -> Self {
        let (mut scene, ids) = Scene::web(6);
        for id in ids.iter().take(3) {
            scene.task("web", id);
        }
        scene.task("job", &ids[0]);
        scene.daemon(&ids[1]);
        let group = scene.group("spot").group.as_mut().unwrap();
        let tag = ("ballast:instance-drain".to_owned(), "act".to_owned());
        group.tags.extend([tag]);
        let policy = scene.policy();
        policy.stop_tasks = true;
        policy.drain_on_rebalance = true;
        policy.drain_on_lost_agent = true;
        policy.disruption_percent = 34;
        policy.departure_timeout = Seconds(DEPARTURE_SECS);
        policy.agent_grace = Seconds(GRACE_SECS);
        Self {
            scene,
            dice: Dice(seed),
            has_faults,
            post: Vec::new(),
            warned: BTreeSet::new(),
            ends: BTreeMap::new(),
            heard: BTreeMap::new(),
            trouble_at: None,
            failed: BTreeSet::new(),
            waits: BTreeMap::new(),
            returns: BTreeMap::new(),
            chosen: 0,
            told: Vec::new(),
        }
    }

    fn ids(&mut self) -> Vec<InstanceId> {
        let instances = &self.scene.group("spot").instances;
        instances.keys().cloned().collect()
    }

    fn is_draining(&mut self, id: &InstanceId) -> bool {
        self.scene.container(id).status == ContainerInstanceStatus::Draining
    }

    /// Says something about an instance, in time, late or never.
    fn say(&mut self, id: &InstanceId, notice: Notice) {
        let now = self.scene.now;
        let lateness_secs = match self.dice.roll(8) {
            0 if self.has_faults => return,
            1 | 2 if self.has_faults => i64::try_from(self.dice.roll(200)).unwrap(),
            _ => 0,
        };
        let (at, instance) = (Some(now), id.clone());
        let hint = NoticeHint {
            at,
            instance,
            notice,
        };
        self.post.push((Seconds(lateness_secs).after(now), hint));
    }

    /// What happens to the instances of its own accord.
    fn happen(&mut self) {
        let ids = self.ids();
        let choice = usize::try_from(self.dice.roll(64)).unwrap();
        let which = usize::try_from(self.dice.roll(16)).unwrap();
        let Some(id) = ids.get(which).cloned() else {
            return;
        };
        let is_busy = self.ends.contains_key(&id) || self.waits.contains_key(&id);
        match choice {
            0 | 1 if !is_busy => {
                self.warned.insert(id.clone());
                let action = "terminate".to_owned();
                self.say(&id, Notice::SpotInterruption { action });
                if !self.dice.one_in(4) {
                    let end = Seconds(120).after(self.scene.now);
                    self.heard.remove(&id);
                    self.ends.insert(id, end);
                }
            }
            2..=21 => self.say(&id, Notice::Rebalance),
            // After a warning an instance is not waited for beyond the warning's own two minutes.
            22 if !is_busy && !self.warned.contains(&id) => {
                self.scene.terminating(&id, 0);
                let now = self.scene.now;
                self.waits.insert(id, (now, now));
            }
            23 | 24 if !self.returns.contains_key(&id) => {
                let secs = i64::try_from(30 + self.dice.roll(900)).unwrap();
                self.scene.container(&id).agent_connected = false;
                let back_at = Seconds(secs).after(self.scene.now);
                self.returns.insert(id, back_at);
            }
            _ => {}
        }
    }

    /// One tick of EC2, Auto Scaling and ECS.
    fn tick(&mut self, is_quiet: bool) {
        self.scene.later(TICK_SECS);
        if !is_quiet {
            self.happen();
        }
        let now = self.scene.now;
        for id in self.ids() {
            if self.returns.get(&id).is_some_and(|it| *it <= now) {
                self.returns.remove(&id);
                self.scene.container(&id).agent_connected = true;
            }
            if self.ends.get(&id).is_some_and(|it| *it <= now) {
                self.check_end(&id);
                self.remove(&id);
                continue;
            }
            let Some((_, kept_at)) = self.waits.get(&id).copied() else {
                continue;
            };
            if Seconds(HOOK_SECS).after(kept_at) <= now {
                // The wait is kept up at the last look that is sure to be in time; where that fails, the group goes on.
                let trouble_at = self.trouble_at;
                let excused = trouble_at.is_some_and(|it| now <= Seconds(OUTAGE_SECS).after(it));
                assert!(excused, "`{id}` timed out\n{}", self.told.join("\n"));
                self.remove(&id);
            }
        }
        self.replace();
    }

    /// An instance that EC2 takes was DRAINING, if a look heard of it in time.
    fn check_end(&mut self, id: &InstanceId) {
        let end = self.ends[id];
        let had_time = self.heard.get(id).is_some_and(|it| *it < end);
        let was_draining = self.is_draining(id);
        assert!(
            was_draining || !had_time || self.failed.contains(id),
            "`{id}` was not drained\n{}",
            self.told.join("\n")
        );
    }

    fn remove(&mut self, id: &InstanceId) {
        self.scene.deregister(id);
        let group = self.scene.group("spot");
        group.instances.remove(id);
        group.group.as_mut().unwrap().instances.remove(id);
        self.ends.remove(id);
        self.waits.remove(id);
        self.returns.remove(id);
    }

    /// The group launches what is missing; ECS moves tasks off what is DRAINING and places what is missing, one of each at a time.
    fn replace(&mut self) {
        while self.ids().len() < 6 {
            self.scene.instance("spot");
        }
        let ids = self.ids();
        let group = self.scene.group("spot").group.as_mut().unwrap();
        group.desired_capacity = 6;
        for id in &ids {
            let container = self.scene.container(id);
            let moves = container.status == ContainerInstanceStatus::Draining;
            let obeys = container.agent_connected;
            let tasks = &mut self.scene.cluster().capacity.tasks;
            let on = Some(arn(id));
            if obeys {
                tasks.retain(|it| it.instance != on || it.desired_running);
            }
            let moved = |it: &model::capacity::InstanceTask| {
                it.instance == on && it.service.is_some() && !it.is_daemon
            };
            if moves
                && obeys
                && let Some(task) = tasks.iter_mut().find(|it| moved(it))
            {
                task.desired_running = false;
            }
        }
        let counted = |scene: &mut Scene| {
            let tasks = scene.cluster().capacity.tasks.iter();
            let of_web = tasks.filter(|it| it.service.is_some() && it.desired_running);
            of_web.count()
        };
        for id in ids {
            let on = Some(arn(&id));
            let tasks = &self.scene.cluster().capacity.tasks;
            let on_it = tasks.iter().filter(|it| it.instance == on).count();
            let container = self.scene.container(&id);
            let takes = container.status == ContainerInstanceStatus::Active
                && container.agent_connected
                && on_it < 4;
            if takes && counted(&mut self.scene) < 9 {
                self.scene.task("web", &id);
            }
        }
        self.count();
    }

    /// What ECS says of the tasks that there are.
    fn count(&mut self) {
        let running = {
            let tasks = self.scene.cluster().capacity.tasks.iter();
            let of_web = tasks.filter(|it| it.service.is_some());
            u32::try_from(of_web.count()).unwrap()
        };
        let service = self.scene.service("web", 0);
        service.desired_count = 9;
        service.running_count = running;
        for id in self.ids() {
            let on = Some(arn(&id));
            let tasks = self.scene.cluster().capacity.tasks.iter();
            let on_it = u32::try_from(tasks.filter(|it| it.instance == on).count()).unwrap();
            let remaining = &mut self.scene.container(&id).remaining;
            remaining.cpu_units = 1_024_u32.saturating_sub(256 * on_it);
            remaining.memory_mib = 3_800_u32.saturating_sub(512 * on_it);
            self.scene.looked(&id).tasks_counted = Some(on_it);
        }
    }

    /// A look, or two of the same state, by an event or the schedule.
    fn look(&mut self, is_full: bool) {
        let now = self.scene.now;
        let (due, later): (Vec<_>, Vec<_>) = self.post.drain(..).partition(|(at, _)| *at <= now);
        self.post = later;
        let mut notices: Vec<NoticeHint> = due.into_iter().map(|(_, hint)| hint).collect();
        if self.has_faults && self.dice.one_in(3) {
            notices.extend(notices.clone());
        }
        for hint in &notices {
            let goes_at = hint.at.map(|at| Seconds(120).after(at));
            if matches!(hint.notice, Notice::SpotInterruption { .. })
                && self.ends.get(&hint.instance).copied() == goes_at
            {
                self.heard.entry(hint.instance.clone()).or_insert(now);
            }
        }
        self.scene.snapshot.is_full = is_full;
        self.scene.hints = Hints {
            notices,
            ..Hints::default()
        };
        let decision = self.scene.decide();
        if self.told.len() >= 20 {
            self.told.remove(0);
        }
        self.told.push(format!("{now}:\n{}", text(&decision)));
        accounted(&self.scene, &decision);
        let found = audited(&self.scene, &decision.plan);
        assert!(found.is_empty(), "{found:?}\n{}", text(&decision));
        let twice = self.has_faults && self.dice.one_in(4);
        let done = self.carry_out(&decision);
        // Another invocation that saw the same does what needs no ledger, and does not write what it remembers.
        for step in done.iter().filter(|it| twice && !it.needs_ledger()) {
            self.show(step);
        }
        self.scene.hints = Hints::default();
    }

    /// With what drains already, no more drain by choice than a third of six, rounded up.
    fn check_budget(&mut self, decision: &DrainDecision) {
        let is_chosen = |it: &&DrainStep| matches!(it.reason, DrainStepReason::Selective { .. });
        let chosen = decision.plan.steps.iter().filter(is_chosen).count();
        let ids = self.ids();
        let draining = ids.iter().filter(|it| self.is_draining(it)).count();
        assert!(chosen == 0 || chosen + draining <= 3, "{:#?}", self.told);
    }

    /// Gives the steps that were done.
    fn carry_out(&mut self, decision: &DrainDecision) -> Vec<DrainStep> {
        self.check_budget(decision);
        let mut outcomes = Vec::new();
        for step in &decision.plan.steps {
            let fails = self.has_faults && self.dice.one_in(10);
            let result = if fails {
                self.trouble_at = Some(self.scene.now);
                self.failed.insert(instance(step).clone());
                OutcomeResult::OutOfTime
            } else {
                self.show(step);
                OutcomeResult::Done
            };
            let by_choice = matches!(step.reason, DrainStepReason::Selective { .. });
            self.chosen += u32::from(by_choice && !fails);
            outcomes.push(Outcome {
                step: step.clone(),
                result,
            });
        }
        let planned = &decision.memories[&key("spot")];
        let nothing = DrainMemory::default();
        let before = match self.scene.memories.get(&key("spot")) {
            Some(Recall::Known(memory)) => memory,
            Some(Recall::Unknown) | None => &nothing,
        };
        let memory = settle(before, planned, &outcomes, self.scene.now);
        _ = self
            .scene
            .memories
            .insert(key("spot"), Recall::Known(memory));
        outcomes.retain(|it| it.result == OutcomeResult::Done);
        outcomes.into_iter().map(|it| it.step).collect()
    }

    /// What AWS makes of a step: what is so already, or gone, stays.
    fn show(&mut self, step: &DrainStep) {
        let id = instance(step).clone();
        if !self.ids().contains(&id) {
            return;
        }
        let now = self.scene.now;
        match &step.action {
            DrainAction::Drain { .. } => {
                self.scene.container(&id).status = ContainerInstanceStatus::Draining;
            }
            DrainAction::Activate { .. } => {
                self.scene.container(&id).status = ContainerInstanceStatus::Active;
            }
            DrainAction::StopTask { task, .. } => {
                let tasks = &mut self.scene.cluster().capacity.tasks;
                let stopped = tasks.iter_mut().find(|it| it.arn == *task);
                stopped.unwrap().desired_running = false;
            }
            DrainAction::RecordHeartbeat { .. } => {
                self.waits.get_mut(&id).unwrap().1 = now;
            }
            DrainAction::CompleteLifecycleAction { .. } => {
                self.check_goes(&id);
                self.remove(&id);
            }
        }
    }

    /// An instance goes without tasks, or when it has waited long enough.
    fn check_goes(&mut self, id: &InstanceId) {
        let (since, _) = self.waits[id];
        let on = Some(arn(id));
        let tasks = self.scene.cluster().capacity.tasks.iter();
        let left = tasks
            .filter(|it| it.instance == on && !it.is_daemon)
            .count();
        let waited = Seconds::between(since, self.scene.now).0;
        let in_time = waited <= DEPARTURE_SECS + 300;
        assert!(
            in_time && (left == 0 || waited >= DEPARTURE_SECS),
            "`{id}` went with {left} tasks after {waited} s\n{}",
            self.told.join("\n")
        );
    }

    /// So many ticks, with looks by events and once a minute; some of the latter are lost, never two in a row.
    fn run(&mut self, ticks: u32, is_quiet: bool) {
        let mut was_lost = false;
        for tick in 0..ticks {
            self.tick(is_quiet);
            let now = self.scene.now;
            if self.post.iter().any(|(at, _)| *at <= now) {
                self.look(false);
            }
            if tick % 4 == 0 {
                let is_lost = self.has_faults && !was_lost && self.dice.one_in(6);
                if is_lost {
                    self.trouble_at = Some(now);
                } else {
                    self.look(true);
                }
                was_lost = is_lost;
            }
        }
    }

    /// Nothing happens for long: everything is as if nothing had happened.
    fn rest(&mut self) {
        // A recommendation counts for an hour, and may be as late as the last event.
        self.has_faults = false;
        self.run(4 * 75, true);
        assert!(self.waits.is_empty(), "{}", self.told.join("\n"));
        for id in self.ids() {
            let is_draining = self.is_draining(&id);
            assert!(!is_draining, "`{id}` stays\n{}", self.told.join("\n"));
            assert_eq!(self.scene.member(&id).lifecycle, Lifecycle::InService);
        }
        assert_eq!(self.scene.decide().plan.steps, Vec::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        ProptestConfig::default().cases.div_ceil(16)
    ))]

    #[test]
    fn a_quiet_way_loses_nothing(seed in any::<u64>()) {
        let mut walk = Walk::new(seed, false);
        walk.run(160, false);
        walk.rest();
    }

    #[test]
    fn faults_lose_nothing(seed in any::<u64>()) {
        let mut walk = Walk::new(seed, true);
        walk.run(160, false);
        walk.rest();
    }

    /// Ten times as many recommendations as interruptions: in less than six hours no instance is drained for one twice.
    #[test]
    fn recommendations_do_not_churn(seed in any::<u64>()) {
        let mut walk = Walk::new(seed, true);
        walk.run(960, false);
        // Four hours: each instance that there was, at most once.
        let instances = walk.scene.instance("spot").to_string();
        let count: u32 = instances.trim_start_matches("i-").parse().unwrap();
        prop_assert!(walk.chosen <= count, "{} of {}", walk.chosen, count);
        walk.remove(&instances.parse().unwrap());
        walk.rest();
    }
}
