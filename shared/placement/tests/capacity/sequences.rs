//! Plan, act, and plan again: it comes to rest, nothing is removed that is then bought again, and no task is lost.

use model::Seconds;
use model::capacity::{CapacityAction, CapacityStep, Placement};
use proptest::prelude::*;

use crate::fleet::{Ecs, Fleet};

/// What a sequence of looks came to.
#[derive(Debug, Default)]
struct Story {
    drained: usize,
    terminated: usize,
    activated: usize,
    raised: usize,
    /// The last look at which something was done.
    last_step_at: Option<usize>,
    desired: Vec<u32>,
}

/// Looks each minute. Every service has what it asks for at every look.
#[track_caller]
fn run(fleet: &mut Fleet, looks: usize) -> Story {
    let mut story = Story::default();
    for look in 0..looks {
        let steps = fleet.round(60);
        for step in &steps {
            count(&mut story, step);
        }
        if !steps.is_empty() {
            story.last_step_at = Some(look);
        }
        let wanted: u32 = fleet
            .cluster()
            .services
            .values()
            .map(|it| it.desired_count)
            .sum();
        assert_eq!(
            fleet.running(),
            usize::try_from(wanted).unwrap(),
            "look {look}"
        );
        let desired = fleet.group().desired_capacity;
        if story.desired.last() != Some(&desired) {
            story.desired.push(desired);
        }
    }
    story
}

fn count(story: &mut Story, step: &CapacityStep) {
    match step.action {
        CapacityAction::SetDesiredCapacity { .. } => story.raised += 1,
        CapacityAction::Drain { .. } => story.drained += 1,
        CapacityAction::Activate { .. } => story.activated += 1,
        CapacityAction::Terminate { .. } => story.terminated += 1,
    }
}

/// Comes to rest, with this many instances, having only removed.
#[track_caller]
fn check_shrinks(fleet: &mut Fleet, to: u32) {
    let story = run(fleet, 120);
    assert_eq!((story.raised, story.activated), (0, 0), "{story:?}");
    assert_eq!(story.drained, story.terminated, "{story:?}");
    assert!(story.last_step_at.is_none_or(|it| it < 90), "{story:?}");
    assert_eq!(
        story.desired.last(),
        Some(&to),
        "{story:?} {:?}",
        fleet.loads()
    );
}

/// The workshop's group: target 80 %, ten tasks of 512 MiB on `t3.small`, three on each, and one instance more.
fn workshop() -> Fleet {
    let mut fleet = Fleet::of([2, 2, 1]);
    fleet.policy().target_capacity_percent = Some(80);
    fleet.policy().scale_in_delay = Seconds(300);
    fleet.policy().minimum_age = Seconds(300);
    fleet.group().max_size = 10;
    fleet.tasks("web", &[3, 3, 3, 1, 0]);
    fleet
}

#[test]
fn the_workshop_shrinks_from_five_to_two() {
    let mut fleet = workshop();
    let story = run(&mut fleet, 10);
    assert_eq!(story.last_step_at, None, "five are right for ten tasks");
    fleet.desire("web", 1);
    let story = run(&mut fleet, 30);
    assert_eq!(story.desired, [5, 4, 3, 2]);
    assert_eq!((story.drained, story.terminated), (3, 3), "{story:?}");
    assert_eq!((story.raised, story.activated), (0, 0), "{story:?}");
    let mut loads = fleet.loads();
    loads.sort_unstable();
    assert_eq!(loads, [0, 1]);
}

#[test]
fn the_workshop_grows_again_before_the_shrinking_is_over() {
    let mut fleet = workshop();
    run(&mut fleet, 10);
    fleet.desire("web", 1);
    for _ in 0..7 {
        fleet.round(60);
    }
    assert!(fleet.group().desired_capacity < 5 || !fleet.memory().drains.is_empty());
    fleet.desire("web", 10);
    for _ in 0..10 {
        fleet.round(60);
    }
    assert_eq!(fleet.running(), 10);
    assert_eq!(fleet.group().desired_capacity, 5);
    assert!(fleet.memory().drains.is_empty());
}

#[test]
fn consolidation_comes_to_rest_however_ecs_places() {
    for ecs in [Ecs::Binpack, Ecs::Spread] {
        for (target, to) in [(100, 4), (80, 5), (50, 8), (40, 10)] {
            let mut fleet = Fleet::of([4, 3, 3]);
            fleet.ecs = ecs;
            fleet.policy().consolidate = true;
            fleet.policy().target_capacity_percent = Some(target);
            fleet.policy().scale_in_delay = Seconds(120);
            fleet.tasks("web", &[1; 10]);
            check_shrinks(&mut fleet, to);
        }
    }
}

#[test]
fn consolidation_of_unequal_tasks_comes_to_rest() {
    for ecs in [Ecs::Binpack, Ecs::Spread] {
        for target in [100, 80, 70] {
            let mut fleet = Fleet::of([4, 4, 4]);
            fleet.ecs = ecs;
            fleet.policy().consolidate = true;
            fleet.policy().target_capacity_percent = Some(target);
            fleet.policy().disruption_percent = 30;
            fleet.tasks("small", &[1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 0, 1]);
            fleet.tasks("large", &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0]);
            fleet.service("small", 0).headroom_tasks = Ok(2);
            for (definition, shape) in &mut fleet.cluster().task_definitions {
                if definition.as_str().contains("large") {
                    shape.needs.memory_mib = 1_300;
                }
            }
            for task in &mut fleet.cluster().tasks {
                if task.task_definition.as_str().contains("large") {
                    task.needs.memory_mib = 1_300;
                }
            }
            let story = run(&mut fleet, 120);
            assert_eq!(
                (story.raised, story.activated),
                (0, 0),
                "{ecs:?} {target} {story:?}"
            );
            assert!(story.last_step_at.is_none_or(|it| it < 60), "{story:?}");
            assert!(target < 100 || story.terminated > 0, "{story:?}");
        }
    }
}

#[test]
fn consolidation_keeps_a_service_spread_over_its_zones() {
    let mut fleet = Fleet::of([3, 3, 3]);
    fleet.policy().consolidate = true;
    fleet.ecs = Ecs::Spread;
    fleet.tasks("web", &[1; 9]);
    fleet.service("web", 0).placement = vec![Placement::Spread {
        field: "attribute:ecs.availability-zone".to_owned(),
    }];
    run(&mut fleet, 120);
    let zones: std::collections::BTreeSet<_> = fleet
        .group()
        .instances
        .values()
        .map(|it| it.zone.clone())
        .collect();
    assert_eq!(zones.len(), 3);
}

#[test]
fn a_service_that_grows_and_shrinks_again_and_again_is_followed_without_a_loss() {
    let mut fleet = Fleet::of([1, 0, 0]);
    fleet.policy().consolidate = true;
    fleet.policy().target_capacity_percent = Some(80);
    fleet.policy().scale_in_delay = Seconds(180);
    fleet.policy().disruption_percent = 50;
    fleet.tasks("web", &[1]);
    for desired in [12, 3, 20, 1, 7, 7, 2, 15] {
        fleet.desire("web", desired);
        for _ in 0..6 {
            fleet.round(60);
        }
        assert_eq!(fleet.running(), usize::try_from(desired).unwrap());
    }
    let story = run(&mut fleet, 60);
    // Fifteen tasks on five instances, and a fifth of them free.
    assert_eq!(story.desired.last(), Some(&7), "{story:?}");
    let story = run(&mut fleet, 60);
    assert_eq!(story.last_step_at, None, "{story:?}");
}

/// A fleet as it comes: tasks of two sizes anywhere, any target, any budget, either way of placing.
#[derive(Debug, Clone)]
struct Setting {
    zones: [u32; 3],
    small: Vec<u32>,
    large: Vec<bool>,
    target_percent: u32,
    disruption_percent: u32,
    consolidates: bool,
    is_spread: bool,
    ecs: Ecs,
    headroom: u32,
    scale_in_delay: i64,
}

fn setting() -> impl Strategy<Value = Setting> {
    (
        [0_u32..5, 0_u32..5, 0_u32..5],
        prop::collection::vec(0_u32..3, 12),
        prop::collection::vec(any::<bool>(), 12),
        prop::sample::select(vec![40, 60, 80, 90, 100]),
        prop::sample::select(vec![1, 10, 50, 100]),
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec![Ecs::Binpack, Ecs::Spread]),
        0_u32..4,
        prop::sample::select(vec![0, 120, 300]),
    )
        .prop_map(
            |(
                zones,
                small,
                large,
                target_percent,
                disruption_percent,
                consolidates,
                is_spread,
                ecs,
                headroom,
                scale_in_delay,
            )| Setting {
                zones,
                small,
                large,
                target_percent,
                disruption_percent,
                consolidates,
                is_spread,
                ecs,
                headroom,
                scale_in_delay,
            },
        )
}

impl Setting {
    fn fleet(&self) -> Fleet {
        let mut fleet = Fleet::of(self.zones);
        let policy = fleet.policy();
        policy.target_capacity_percent = Some(self.target_percent);
        policy.disruption_percent = self.disruption_percent;
        policy.consolidate = self.consolidates;
        policy.scale_in_delay = Seconds(self.scale_in_delay);
        fleet.ecs = self.ecs;
        let instances = fleet.group().instances.len();
        fleet.tasks("small", &self.small[..instances.min(12)]);
        let large: Vec<u32> = self.large.iter().map(|it| u32::from(*it)).collect();
        fleet.tasks("large", &large[..instances.min(12)]);
        for task in &mut fleet.cluster().tasks {
            if task.task_definition.as_str().contains("large") {
                task.needs.memory_mib = 800;
            }
        }
        for (definition, shape) in &mut fleet.cluster().task_definitions {
            if definition.as_str().contains("large") {
                shape.needs.memory_mib = 800;
            }
        }
        fleet.service("small", 0).headroom_tasks = Ok(self.headroom);
        if self.is_spread {
            fleet.service("small", 0).placement = vec![Placement::Spread {
                field: "attribute:ecs.availability-zone".to_owned(),
            }];
        }
        fleet
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// While the demand stays the same: it comes to rest, no task is lost or waits, and once an instance has been removed none is bought.
    #[test]
    fn under_a_constant_demand_every_fleet_comes_to_rest(setting in setting()) {
        let mut fleet = setting.fleet();
        let mut removed = false;
        let mut last_step_at = 0;
        let mut told = Vec::new();
        for look in 0..150 {
            let steps = fleet.round(60);
            for step in &steps {
                told.push(format!("{look}: {}", step.action));
                match step.action {
                    CapacityAction::Terminate { .. } => removed = true,
                    CapacityAction::SetDesiredCapacity { .. } => {
                        prop_assert!(!removed, "{:#?}", told);
                    }
                    CapacityAction::Drain { .. } | CapacityAction::Activate { .. } => {}
                }
                last_step_at = look;
            }
            let wanted: u32 = fleet.cluster().services.values().map(|it| it.desired_count).sum();
            prop_assert_eq!(fleet.running(), usize::try_from(wanted).unwrap());
        }
        prop_assert!(last_step_at < 120, "{:#?}", told);
    }
}
