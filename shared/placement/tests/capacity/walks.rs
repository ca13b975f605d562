//! Long random walks: a small Auto Scaling group and a small ECS of their own, looks at random times, and every fault that the way from a
//! look to a write can have. Two invocations may look at the same state; the ledger lets one of them act.
//!
//! At every look: no more is asked for than the most that was needed while what was asked for is on its way; no task is lost; and when
//! all is quiet, the group has exactly the size that is right, and nothing more is done.

use std::collections::BTreeMap;

use model::capacity::{
    CapacityAction, CapacityStep, ContainerInstanceStatus, Lifecycle, ProviderMemory,
};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::policy::Installation;
use model::strategy::Market;
use model::trigger::Hints;
use model::{ContainerInstanceArn, Seconds};
use placement::capacity::audit::audit;
use placement::capacity::{decide, settle};
use proptest::prelude::*;

use crate::dice::Dice;
use crate::fleet::{Fleet, key};

/// How many tasks an instance takes.
const A_BIN: u32 = 3;
const TICK_SECS: i64 = 15;
const DELAY_SECS: i64 = 240;
/// From Spot's warning until it takes the instance.
const NOTICE_SECS: i64 = 120;

/// What a walk may meet.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    /// Looks are lost, writes fail, time out or are not told, and two invocations overlap.
    way: bool,
    /// Instances register late, and launches fail.
    launches: bool,
    /// Spot interrupts instances: they are DRAINING by somebody else's hand and end two minutes later, and the group replaces them.
    interruptions: bool,
}

struct Walk {
    fleet: Fleet,
    dice: Dice,
    faults: Faults,
    target_percent: u32,
    /// When each instance that is on its way registers.
    registers: BTreeMap<u32, i64>,
    /// When each instance that is interrupted ends.
    ends: BTreeMap<ContainerInstanceArn, i64>,
    secs: i64,
    /// Raised with each memory that is written.
    version: u64,
    /// The most that was right at any look since the group last had what it was asked for.
    most: u32,
    raises: u32,
}

/// What a look saw, and what it is going to do.
struct Invocation {
    version: u64,
    before: ProviderMemory,
    planned: ProviderMemory,
    steps: Vec<CapacityStep>,
}

impl Walk {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut dice = Dice(seed);
        let target_percent = [100, 80, 50][usize::try_from(dice.roll(3)).unwrap()];
        let mut fleet = Fleet::new();
        // These zones are balanced by nobody, so that the size comes out exactly.
        let process = "AZRebalance".to_owned();
        fleet.group().suspended_processes.insert(process);
        if faults.interruptions && dice.one_in(2) {
            fleet.group().market = Market::Spot;
        }
        let policy = fleet.policy();
        policy.target_capacity_percent = Some(target_percent);
        policy.scale_in_delay = Seconds(DELAY_SECS);
        policy.minimum_age = Seconds(60);
        policy.disruption_percent = 50;
        fleet.service("web", 0);
        Self {
            fleet,
            dice,
            faults,
            target_percent,
            registers: BTreeMap::new(),
            ends: BTreeMap::new(),
            secs: 0,
            version: 0,
            most: 0,
            raises: 0,
        }
    }

    fn desired_tasks(&mut self) -> u32 {
        self.fleet.service("web", 0).desired_count
    }

    /// The size that is right where the tasks are; those on instances that are interrupted need another place.
    fn right(&mut self) -> u32 {
        let loads = self.loads();
        let used = u32::try_from(loads.len()).unwrap();
        let has: u32 = loads.values().sum();
        let desired = self.desired_tasks();
        let free = used * A_BIN - has;
        let beyond = desired.saturating_sub(has).saturating_sub(free);
        let mut needed = used + beyond.div_ceil(A_BIN);
        if self.target_percent < 100 && desired > 0 {
            needed = needed.max(1);
        }
        (needed * 100).div_ceil(self.target_percent)
    }

    /// The tasks on each instance that has some.
    fn loads(&mut self) -> BTreeMap<String, u32> {
        let mut loads = BTreeMap::new();
        for task in &self.fleet.cluster().tasks {
            let on = task.instance.as_ref().unwrap();
            if !self.ends.contains_key(on) {
                *loads.entry(on.to_string()).or_default() += 1;
            }
        }
        loads
    }

    /// Spot takes an instance that takes tasks: who drains it is not Ballast.
    fn interrupt(&mut self) {
        let instances = self.fleet.cluster().instances.values();
        let active = instances.filter(|it| it.status == ContainerInstanceStatus::Active);
        let active: Vec<_> = active.map(|it| it.arn.clone()).collect();
        let Ok(count @ 1..) = u64::try_from(active.len()) else {
            return;
        };
        let arn = &active[usize::try_from(self.dice.roll(count)).unwrap()];
        let container = self.fleet.cluster().instances.get_mut(arn).unwrap();
        container.status = ContainerInstanceStatus::Draining;
        self.ends.insert(arn.clone(), self.secs + NOTICE_SECS);
    }

    /// What was interrupted two minutes ago ends, with what is left on it.
    fn end(&mut self) {
        let secs = self.secs;
        let due: Vec<_> = self.ends.extract_if(.., |_, at| *at <= secs).collect();
        for (arn, _) in due {
            let cluster = self.fleet.cluster();
            cluster
                .tasks
                .retain(|it| it.instance.as_ref() != Some(&arn));
            // Ballast may have ended it before, where it was to drain it.
            let ended = cluster.instances.remove(&arn);
            if let Some(id) = ended.and_then(|it| it.ec2_instance) {
                self.fleet.group().instances.remove(&id);
            }
        }
    }

    /// What Auto Scaling, EC2 and ECS do in one tick.
    fn tick(&mut self) {
        self.secs += TICK_SECS;
        self.fleet.now = Seconds(TICK_SECS).after(self.fleet.now);
        self.end();
        let group = self.fleet.group();
        let has = u32::try_from(group.instances.len()).unwrap();
        let asked = group.desired_capacity;
        for _ in has..asked {
            if self.faults.launches && self.dice.one_in(3) {
                continue;
            }
            self.launch();
            self.fleet.group().desired_capacity = asked;
        }
        let due: Vec<u32> = self
            .registers
            .iter()
            .filter(|(_, at)| **at <= self.secs)
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            self.registers.remove(&number);
            let now = self.fleet.now;
            self.fleet.instance(number).lifecycle = Lifecycle::InService;
            let container = self.fleet.container(number);
            container.status = ContainerInstanceStatus::Active;
            container.registered_at = Some(now);
        }
        self.ecs();
    }

    /// One more instance, which registers later.
    fn launch(&mut self) {
        let zone = ["a", "b", "c"][usize::try_from(self.dice.roll(3)).unwrap()];
        let number = self.fleet.launch(zone);
        let now = self.fleet.now;
        let member = self.fleet.instance(number);
        member.lifecycle = Lifecycle::Pending;
        member.launched_at = Some(now);
        self.fleet.container(number).status = ContainerInstanceStatus::Registering;
        let late = if self.faults.launches {
            self.dice.roll(12)
        } else {
            4
        };
        let takes = 30 + i64::try_from(late).unwrap() * 20;
        self.registers.insert(number, self.secs + takes);
    }

    /// ECS places what a service lacks, and what is on instances that are interrupted, and stops what the service has too much of.
    fn ecs(&mut self) {
        let desired = self.desired_tasks();
        while u32::try_from(self.fleet.running()).unwrap() > desired {
            let tasks = self.fleet.running();
            let at = self.dice.roll(u64::try_from(tasks).unwrap());
            self.fleet
                .cluster()
                .tasks
                .remove(usize::try_from(at).unwrap());
        }
        while u32::try_from(self.fleet.running()).unwrap() < desired {
            let Some(open) = self.open() else { return };
            self.fleet.task("web", 1).instance = Some(open);
        }
        for from in self.ends.keys().cloned().collect::<Vec<_>>() {
            while self.fleet.held(&from) > 0 {
                let Some(open) = self.open() else { return };
                let mut tasks = self.fleet.cluster().tasks.iter_mut();
                let task = tasks.find(|it| it.instance.as_ref() == Some(&from));
                task.unwrap().instance = Some(open);
            }
        }
    }

    /// The first instance that takes one task more.
    fn open(&mut self) -> Option<ContainerInstanceArn> {
        let arns: Vec<_> = self.fleet.cluster().instances.keys().cloned().collect();
        arns.into_iter().find(|arn| {
            let status = self.fleet.cluster().instances[arn].status;
            status == ContainerInstanceStatus::Active
                && !self.ends.contains_key(arn)
                && self.fleet.held(arn) < A_BIN
        })
    }

    fn look(&mut self) -> Invocation {
        self.fleet.refresh();
        let Recall::Known(before) = self.fleet.recall.clone() else {
            panic!("the memory is always there");
        };
        let memories = BTreeMap::from([(key(), self.fleet.recall.clone())]);
        let snapshot = &self.fleet.snapshot;
        let installation = Installation::default();
        let now = self.fleet.now;
        let decided = decide(snapshot, &installation, &memories, &Hints::default(), now);
        let found = audit(&decided.plan, snapshot, &installation, &memories, now);
        assert!(found.is_empty(), "{found:?} {}", decided.plan);
        // What is about to go is counted by its group until then.
        let leaving = u32::try_from(self.ends.len()).unwrap();
        let right = self.right() + leaving;
        let is_whole = self.registers.is_empty()
            && self.fleet.group().instances.len()
                == usize::try_from(self.fleet.group().desired_capacity).unwrap();
        self.most = if is_whole {
            right
        } else {
            self.most.max(right)
        };
        for step in &decided.plan.steps {
            if let CapacityAction::SetDesiredCapacity { from, to, .. } = step.action {
                assert!(
                    to <= self.most.max(from),
                    "{} s: {to} asked for, {} needed: {}",
                    self.secs,
                    self.most,
                    decided.plan
                );
            }
        }
        Invocation {
            version: self.version,
            before,
            planned: decided.memories[&key()].clone(),
            steps: decided.plan.steps,
        }
    }

    /// Announces, acts and settles; nothing of it where another invocation has written since.
    fn act(&mut self, invocation: Invocation) {
        if invocation.version != self.version {
            return;
        }
        self.version += 1;
        self.fleet.recall = Recall::Known(invocation.planned.clone());
        if self.faults.way && self.dice.one_in(15) {
            // It was ended before it did anything.
            return;
        }
        let mut outcomes = Vec::new();
        for step in invocation.steps {
            let result = if self.faults.way && self.dice.one_in(10) {
                OutcomeResult::OutOfTime
            } else {
                self.carry_out(&step.action)
            };
            outcomes.push(Outcome { step, result });
        }
        if self.faults.way && self.dice.one_in(15) {
            // It acted, and could not tell.
            return;
        }
        let now = self.fleet.now;
        let settled = settle(&invocation.before, &invocation.planned, &outcomes, now);
        self.fleet.recall = Recall::Known(settled);
        self.version += 1;
    }

    /// What `act` does: nothing where the precondition no longer holds.
    fn carry_out(&mut self, action: &CapacityAction) -> OutcomeResult {
        let failed = |found: &str| OutcomeResult::PreconditionFailed {
            found: found.to_owned(),
        };
        let status = |walk: &mut Self, arn, from, to| {
            let container = walk.fleet.cluster().instances.get_mut(arn)?;
            (container.status == from).then(|| container.status = to)
        };
        let (active, draining) = (
            ContainerInstanceStatus::Active,
            ContainerInstanceStatus::Draining,
        );
        let done = match action {
            CapacityAction::SetDesiredCapacity { from, to, .. } => {
                self.raises += 1;
                let group = self.fleet.group();
                (group.desired_capacity == *from).then(|| group.desired_capacity = *to)
            }
            CapacityAction::Drain {
                container_instance,
                tasks,
                ..
            } => (self.fleet.held(container_instance) == *tasks)
                .then(|| status(self, container_instance, active, draining))
                .flatten(),
            CapacityAction::Activate {
                container_instance, ..
            } => status(self, container_instance, draining, active),
            CapacityAction::Terminate {
                container_instance,
                instance,
                ..
            } => {
                assert_eq!(self.fleet.held(container_instance), 0, "a task is lost");
                let cluster = self.fleet.cluster();
                cluster.instances.remove(container_instance).map(|_| {
                    let group = self.fleet.group();
                    group.instances.remove(instance).unwrap();
                    group.desired_capacity -= 1;
                })
            }
        };
        done.map_or_else(|| failed("something else"), |()| OutcomeResult::Done)
    }

    /// One look, or two that overlap.
    fn round(&mut self) {
        let first = self.look();
        if self.faults.way && self.dice.one_in(4) {
            let second = self.look();
            if self.dice.one_in(2) {
                self.act(second);
                self.act(first);
            } else {
                self.act(first);
                self.act(second);
            }
        } else {
            self.act(first);
        }
    }

    /// Demand that changes at random times.
    fn storm(&mut self, ticks: u32) {
        for _ in 0..ticks {
            if self.dice.one_in(12) {
                let desired = u32::try_from(self.dice.roll(25)).unwrap();
                self.fleet.desire("web", desired);
            }
            if self.faults.interruptions && self.dice.one_in(20) {
                self.interrupt();
            }
            self.tick();
            let is_lost = self.faults.way && self.dice.one_in(5);
            let is_early = self.dice.one_in(6);
            if (self.secs % 60 == 0 && !is_lost) || is_early {
                self.round();
            }
        }
    }

    /// The demand stays, and nothing goes wrong any more.
    fn quiet(&mut self) {
        self.faults = Faults::default();
        for _ in 0..200 {
            self.tick();
            if self.secs % 60 == 0 {
                self.round();
            }
        }
        let desired = self.desired_tasks();
        assert_eq!(u32::try_from(self.fleet.running()).unwrap(), desired);
        let right = self.right();
        let desired = self.fleet.group().desired_capacity;
        let plan = self.fleet.decide().plan;
        assert_eq!(desired, right, "{plan}");
        let last = self.look();
        assert!(last.steps.is_empty(), "{:?}", last.steps);
        let instances = self.fleet.group().instances.len();
        assert_eq!(u32::try_from(instances).unwrap(), right);
    }
}

fn walk(seed: u64, faults: Faults) {
    let mut walk = Walk::new(seed, faults);
    for _ in 0..3 {
        walk.storm(120);
        walk.quiet();
        walk.faults = faults;
    }
}

/// Few enough for every build; `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.div_ceil(16),
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_walk_without_faults(seed: u64) {
        walk(seed, Faults::default());
    }

    #[test]
    fn a_walk_on_which_instances_come_late_or_not_at_all(seed: u64) {
        walk(seed, Faults { launches: true, ..Faults::default() });
    }

    #[test]
    fn a_walk_on_which_looks_and_writes_fail(seed: u64) {
        walk(seed, Faults { way: true, ..Faults::default() });
    }

    #[test]
    fn a_walk_on_which_spot_interrupts(seed: u64) {
        walk(seed, Faults { interruptions: true, ..Faults::default() });
    }

    #[test]
    fn a_walk_with_every_fault(seed: u64) {
        walk(seed, Faults { way: true, launches: true, interruptions: true });
    }
}

/// Instances that never register are not launched for ever.
#[test]
fn instances_that_never_register_are_bounded() {
    let mut walk = Walk::new(1, Faults::default());
    walk.fleet.desire("web", 9);
    for _ in 0..960 {
        walk.tick();
        let all: Vec<u32> = walk.registers.keys().copied().collect();
        for number in all {
            walk.registers.insert(number, i64::MAX);
        }
        if walk.secs % 60 == 0 {
            walk.fleet.refresh();
            walk.most = u32::MAX;
            let invocation = walk.look();
            walk.most = u32::MAX;
            walk.act(invocation);
        }
    }
    // Four hours: the first five at once, and then one at a time after pauses of 5 minutes up to an hour.
    assert!(walk.raises <= 10, "{}", walk.raises);
    assert!(walk.fleet.group().desired_capacity <= 20);
}
