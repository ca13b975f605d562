//! The size of a group, against a reckoning that shares nothing with the rules.
//!
//! Where all tasks are alike, whole tasks are counted and the answer is exact. Where they differ, every way of putting a handful of tasks
//! on new instances is tried.

use model::Seconds;
use model::capacity::{CapacityAction, CapacityPlan, Lifecycle};
use model::memory::{Level, Watch};
use proptest::prelude::*;

use crate::fleet::{Fleet, TASK, id, key};

/// How many of [`TASK`] an instance of the fleet takes, by memory.
const A_BIN: u32 = 3;

/// A group of one type and a service whose tasks are alike.
#[derive(Debug, Clone)]
struct Alike {
    /// Tasks on each ACTIVE instance.
    placed: Vec<u32>,
    /// Instances that the group launches and that are not registered.
    launching: u32,
    /// What the group is asked for beyond its instances.
    unborn: u32,
    /// Tasks that the service lacks, the other way round: tasks that are too many.
    lacking: i32,
    headroom: u32,
    target_percent: u32,
    min: u32,
    max: u32,
    disruption_percent: u32,
    consolidates: bool,
}

fn alike() -> impl Strategy<Value = Alike> {
    let sizes = (0_u32..4, 0_u32..3, -3_i32..12, 0_u32..4);
    let limits = (0_u32..4, 0_u32..12);
    let percents = (
        prop::sample::select(vec![100, 90, 80, 50, 34]),
        prop::sample::select(vec![1, 10, 34, 100]),
    );
    let placed = prop::collection::vec(0..=A_BIN, 0..6);
    (placed, sizes, limits, percents, any::<bool>()).prop_map(
        |(placed, sizes, limits, percents, consolidates)| Alike {
            placed,
            launching: sizes.0,
            unborn: sizes.1,
            lacking: sizes.2,
            headroom: sizes.3,
            target_percent: percents.0,
            min: limits.0,
            max: limits.0 + limits.1,
            disruption_percent: percents.1,
            consolidates,
        },
    )
}

impl Alike {
    fn there(&self) -> u32 {
        u32::try_from(self.placed.len()).unwrap() + self.launching + self.unborn
    }

    fn missing(&self) -> u32 {
        u32::try_from(self.lacking.max(0)).unwrap()
    }

    fn fleet(&self) -> Fleet {
        let instances = u32::try_from(self.placed.len()).unwrap();
        let mut fleet = Fleet::of([instances.div_ceil(2), instances / 2, 0]);
        fleet.tasks("web", &self.placed);
        let has: u32 = self.placed.iter().sum();
        let desired = i64::from(has) + i64::from(self.lacking);
        fleet.desire("web", u32::try_from(desired.max(0)).unwrap());
        fleet.service("web", 0).headroom_tasks = Ok(self.headroom);
        for _ in 0..self.launching {
            let number = fleet.launch("c");
            let container = fleet.container(number).arn.clone();
            fleet.cluster().instances.remove(&container);
            let launched_at = Seconds(60).before(fleet.now);
            let member = fleet.instance(number);
            member.lifecycle = Lifecycle::Pending;
            member.launched_at = Some(launched_at);
        }
        fleet.group().desired_capacity += self.unborn;
        fleet.group().min_size = self.min;
        fleet.group().max_size = self.max;
        let policy = fleet.policy();
        policy.target_capacity_percent = Some(self.target_percent);
        policy.disruption_percent = self.disruption_percent;
        policy.consolidate = self.consolidates;
        let (since, until) = (
            Seconds(3_600).before(fleet.now),
            Seconds(60).before(fleet.now),
        );
        let memory = fleet.memory();
        memory.watched = Some(Watch { since, until });
        memory.wanted = vec![Level {
            tasks: 0,
            at: until,
        }];
        fleet
    }

    /// The instances that are needed: those with tasks, and those that what needs room takes beyond the room on these.
    fn needed(&self) -> u32 {
        let used = self.placed.iter().filter(|it| **it > 0);
        let used_count = u32::try_from(used.clone().count()).unwrap();
        let free: u32 = used.map(|it| A_BIN - it).sum();
        let needs_room = self.missing() + self.headroom;
        let beyond = needs_room.saturating_sub(free).div_ceil(A_BIN);
        let has: u32 = self.placed.iter().sum();
        let in_place = used_count + beyond;
        let packed = (has + needs_room).div_ceil(A_BIN);
        let needed = if self.consolidates { packed } else { in_place };
        let desired = i64::from(has) + i64::from(self.lacking);
        // Below a target of 100 one instance is kept warm for a service that runs at all.
        let is_warm = self.target_percent < 100 && desired > 0;
        needed.max(u32::from(is_warm))
    }

    fn wanted(&self) -> u32 {
        (self.needed() * 100).div_ceil(self.target_percent)
    }
}

fn raised_to(plan: &CapacityPlan) -> Option<u32> {
    plan.steps.iter().find_map(|it| match it.action {
        CapacityAction::SetDesiredCapacity { to, .. } => Some(to),
        CapacityAction::Drain { .. }
        | CapacityAction::Activate { .. }
        | CapacityAction::Terminate { .. } => None,
    })
}

proptest! {
    /// Exactly as many as are needed are wanted, the group is raised to exactly that within its maximum, and what begins to drain leaves at
    /// least that.
    #[test]
    fn of_tasks_that_are_alike_the_size_is_exact(it in alike()) {
        let mut fleet = it.fleet();
        let decision = fleet.decide();
        let plan = &decision.plan;
        let steps = plan.steps.iter().filter_map(|step| step.numbers());
        let holds = plan.holds.iter().filter_map(|hold| hold.numbers.as_ref());
        let numbers: Vec<_> = steps.chain(holds).collect();
        prop_assert_eq!(numbers.len(), 1);
        prop_assert_eq!(numbers[0].needed, it.needed(), "{}", plan);
        prop_assert_eq!(numbers[0].wanted, it.wanted(), "{}", plan);
        prop_assert!(numbers[0].needed_lower_bound <= it.needed());

        let within = it.wanted().min(it.max).max(it.min);
        let raised = raised_to(plan);
        prop_assert_eq!(raised, (within > it.there()).then_some(within), "{}", plan);

        let drains: Vec<_> = plan.steps.iter().filter_map(|step| match &step.action {
            CapacityAction::Drain { instance, tasks, .. } => Some((instance.clone(), *tasks)),
            CapacityAction::SetDesiredCapacity { .. }
            | CapacityAction::Activate { .. }
            | CapacityAction::Terminate { .. } => None,
        }).collect();
        let count = u32::try_from(drains.len()).unwrap();
        prop_assert!(it.there() - count >= within || count == 0, "{}", plan);
        let active = u32::try_from(it.placed.len()).unwrap();
        prop_assert!(count <= (active * it.disruption_percent).div_ceil(100), "{}", plan);
        for (number, tasks) in (1..).zip(&it.placed) {
            let drained = drains.iter().find(|(instance, _)| *instance == id(number));
            prop_assert!(drained.is_none_or(|(_, seen)| seen == tasks));
            prop_assert!(*tasks == 0 || drained.is_none() || it.consolidates);
        }
        // What stays holds everything that is there and everything that needs room.
        if count > 0 {
            let has: u32 = it.placed.iter().sum();
            let needs_room = has + it.missing() + it.headroom;
            prop_assert!((active - count) * A_BIN >= needs_room, "{}", plan);
        }
        prop_assert!(decision.memories.contains_key(&key()));
    }
}

/// A surplus is removed at all: without this the test above would pass if nothing were ever drained.
#[test]
fn a_surplus_drains_as_fast_as_the_budget_allows() {
    for (percent, drains) in [(1, 1), (50, 3), (100, 5)] {
        let it = Alike {
            placed: vec![1, 0, 0, 0, 0, 0],
            launching: 0,
            unborn: 0,
            lacking: 0,
            headroom: 0,
            target_percent: 100,
            min: 0,
            max: 10,
            disruption_percent: percent,
            consolidates: false,
        };
        assert_eq!(it.fleet().decide().plan.steps.len(), drains, "{percent}");
    }
}

/// The fewest instances for the tasks, each with CPU units and MiB, by trying everything.
fn fewest(tasks: &[(u32, u32)], room: (u32, u32)) -> u32 {
    fn put(tasks: &[(u32, u32)], bins: &mut Vec<(u32, u32)>, room: (u32, u32), best: &mut usize) {
        if bins.len() >= *best {
            return;
        }
        let Some((first, rest)) = tasks.split_first() else {
            *best = bins.len();
            return;
        };
        for bin in 0..bins.len() {
            let free = bins[bin];
            if first.0 <= free.0 && first.1 <= free.1 {
                bins[bin] = (free.0 - first.0, free.1 - first.1);
                put(rest, bins, room, best);
                bins[bin] = free;
            }
        }
        bins.push((room.0 - first.0, room.1 - first.1));
        put(rest, bins, room, best);
        bins.pop();
    }
    let mut best = tasks.len() + 1;
    put(tasks, &mut Vec::new(), room, &mut best);
    u32::try_from(best).unwrap()
}

proptest! {
    /// An empty group and up to eight tasks of up to four kinds: never fewer than the fewest that do, and at most one more.
    #[test]
    fn of_few_tasks_that_differ_the_size_suffices_and_is_close(
        kinds in prop::collection::vec((1_u32..2_049, 1_u32..1_901, 0_u32..3), 1..5),
        target in prop::sample::select(vec![100_u32, 80, 50]),
    ) {
        let mut fleet = Fleet::new();
        fleet.policy().target_capacity_percent = Some(target);
        let mut tasks = Vec::new();
        for (number, (cpu_units, memory_mib, count)) in kinds.iter().enumerate() {
            let name = format!("s{number}");
            fleet.service(&name, *count);
            let needs = model::capacity::Resources { cpu_units: *cpu_units, memory_mib: *memory_mib, ..TASK };
            let definition = fleet.service(&name, 0).deployments[0].task_definition.clone();
            fleet.cluster().task_definitions.get_mut(&definition).unwrap().needs = needs;
            tasks.extend((0..*count).map(|_| (*cpu_units, *memory_mib)));
        }
        // What the type registers is known from an instance that is gone.
        let registered = crate::fleet::T3_SMALL;
        let seen_at = fleet.now;
        fleet.memory().types.insert("t3.small".parse().unwrap(), model::capacity::LearnedType {
            registered,
            attributes: [("ecs.os-type".to_owned(), Some("linux".to_owned()))].into(),
            seen_at,
        });
        let fewest = fewest(&tasks, (registered.cpu_units, registered.memory_mib));
        let plan = fleet.decide().plan;
        let bought = raised_to(&plan).unwrap_or(0);
        let least = (fewest * 100).div_ceil(target);
        let most = ((fewest + 1) * 100).div_ceil(target);
        prop_assert!(least <= bought && (bought <= most || fewest == 0), "{} {} {}", least, bought, plan);
        prop_assert!(!tasks.is_empty() || bought == 0);
    }
}
