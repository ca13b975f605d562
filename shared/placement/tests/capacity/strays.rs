//! A group that launches something else than the tasks need, look after look.

use expect_test::expect;
use model::Seconds;
use model::capacity::{CapacityAction, Constraint, Lifecycle, ProviderMemory};
use model::memory::Recall;
use placement::capacity::decide;
use proptest::prelude::*;

use super::scene::{Scene, ago, gap, key, needs, text};
use super::size::raised;

/// What a group launches, whatever the tasks need.
#[derive(Debug, Clone, Copy)]
struct Launches {
    instance_type: &'static str,
    zone: Option<&'static str>,
    /// After how many looks an instance registers.
    registers_after: usize,
    secs_between_looks: i64,
}

/// What the desired capacity was after each look.
fn looks(scene: &mut Scene, launches: Launches, count: usize) -> Vec<u32> {
    let mut desired = Vec::new();
    let mut ages: Vec<(model::InstanceId, usize)> = Vec::new();
    let key = key("ec2");
    for number in 0..count {
        let passed = i64::try_from(number).unwrap() * launches.secs_between_looks;
        let at = ago(-passed);
        let plan = decide(
            &scene.snapshot,
            &scene.installation,
            &scene.memories,
            &scene.hints,
            at,
        );
        for step in &plan.plan.steps {
            match &step.action {
                CapacityAction::SetDesiredCapacity { to, .. } => {
                    let from = scene.group("ec2").desired_capacity;
                    for _ in from..*to {
                        let id = scene.pending("ec2", launches.instance_type);
                        let member = scene.member(&id);
                        member.launched_at = Some(Seconds(1).after(at));
                        if let Some(zone) = launches.zone {
                            member.zone = zone.parse().unwrap();
                        }
                        ages.push((id, 0));
                    }
                }
                CapacityAction::Drain { .. }
                | CapacityAction::Activate { .. }
                | CapacityAction::Terminate { .. } => panic!("{}", text(&plan)),
            }
        }
        if let Some(memory) = plan.memories.get(&key) {
            let mut memory: ProviderMemory = memory.clone();
            if let Some(write) = &mut memory.wrote {
                write.confirmed = true;
            }
            scene.memories.insert(key.clone(), Recall::Known(memory));
        }
        for (id, age) in &mut ages {
            *age += 1;
            if *age == launches.registers_after {
                scene.register("ec2", id, Seconds(1).after(at));
            }
        }
        desired.push(scene.group("ec2").desired_capacity);
    }
    desired
}

fn waits_for_a_large_one() -> Scene {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small m5.xlarge");
    scene.group("ec2").max_size = 100;
    scene.shape("big").needs = needs(256, 8_000);
    scene.waiting("big", "ec2", 1);
    scene
}

const SMALL: Launches = Launches {
    instance_type: "t3.small",
    zone: None,
    registers_after: 3,
    secs_between_looks: 5,
};

#[test]
fn what_the_task_cannot_use_is_not_bought_again_look_after_look() {
    for registers_after in [1, 3, 1_000] {
        let mut scene = waits_for_a_large_one();
        let launches = Launches {
            registers_after,
            ..SMALL
        };
        let desired = looks(&mut scene, launches, 40);
        assert_eq!(desired.last(), Some(&1), "{registers_after}: {desired:?}");
    }
}

#[test]
fn it_says_what_was_launched_and_for_whom() {
    let mut scene = waits_for_a_large_one();
    looks(&mut scene, SMALL, 4);
    let text = scene.held("ec2").to_string();
    expect![[r#"
        `family/big` lacks room, and of what was launched for it 1 (`t3.small`) cannot take its tasks, try 1: one more is launched after a while"#]]
    .assert_eq(&text);
    assert!(scene.held("ec2").leaves_unprotected());
}

#[test]
fn one_more_is_tried_after_a_pause_that_doubles() {
    let mut scene = waits_for_a_large_one();
    let launches = Launches {
        secs_between_looks: 60,
        ..SMALL
    };
    let desired = looks(&mut scene, launches, 240);
    let raised_at: Vec<usize> = (1..desired.len())
        .filter(|look| desired[look - 1] < desired[*look])
        .collect();
    assert_eq!(raised_at, [5, 15, 35, 75, 135, 195]);
}

#[test]
fn the_zone_that_the_task_cannot_use_is_the_same() {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small");
    scene.group("ec2").max_size = 100;
    scene.service("web", 3, "ec2=0/1").constraints = vec![Constraint::MemberOf {
        expression: "attribute:ecs.availability-zone == us-west-2c".to_owned(),
    }];
    let launches = Launches {
        zone: Some("us-west-2a"),
        ..SMALL
    };
    let desired = looks(&mut scene, launches, 40);
    assert_eq!(desired.last(), Some(&1), "{desired:?}");
}

#[test]
fn more_tasks_are_not_kept_waiting_by_one_that_is() {
    let mut scene = waits_for_a_large_one();
    looks(&mut scene, SMALL, 10);
    // Three of these fit on the stray, the others on two new ones; one of those tries for the large task again.
    scene.service("web", 9, "ec2=0/1");
    let desired = looks(&mut scene, SMALL, 10);
    assert!(matches!(desired.last(), Some(3 | 4)), "{desired:?}");
    let last = *desired.last().unwrap();
    assert_eq!(looks(&mut scene, SMALL, 10).last(), Some(&last));
}

#[test]
fn a_spare_that_was_there_before_keeps_nothing_from_being_bought() {
    let mut scene = waits_for_a_large_one();
    scene.instance("ec2", "t3.small");
    scene.pending("ec2", "t3.small");
    assert_eq!(raised(&scene, "ec2"), Some(3));
}

#[test]
fn without_a_memory_nothing_is_bought_again_and_again_either() {
    let mut scene = waits_for_a_large_one();
    scene.forget("ec2");
    let desired = looks(&mut scene, SMALL, 40);
    assert_eq!(desired.last(), Some(&1), "{desired:?}");
}

#[test]
fn what_was_launched_of_a_type_that_is_not_known_is_room_until_it_tells() {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small m99.large");
    scene.group("ec2").max_size = 100;
    scene.service("web", 12, "ec2=0/1");
    let launches = Launches {
        instance_type: "m99.large",
        registers_after: 1_000,
        ..SMALL
    };
    let desired = looks(&mut scene, launches, 40);
    assert_eq!(desired.last(), Some(&4), "{desired:?}");
}

#[test]
fn what_a_gap_hides_is_not_bought_again() {
    for waiting in [0, 3] {
        let mut scene = Scene::new();
        scene.types("ec2", "t3.small");
        scene.group("ec2").max_size = 100;
        scene.service("web", 6, "ec2=0/1").headroom_tasks = Ok(3);
        let full = scene.instances("ec2", "t3.small", 2);
        for id in &full {
            scene.tasks("web", id, 3);
        }
        scene.waiting("web", "ec2", waiting);
        scene.cluster().instances.clear();
        scene
            .cluster()
            .gaps
            .push(gap("ecs:DescribeContainerInstances"));
        let mut desired = Vec::new();
        for _ in 0..20 {
            desired.extend(looks(&mut scene, SMALL, 1));
            let group = scene.group("ec2");
            for member in group.instances.values_mut() {
                member.lifecycle = Lifecycle::InService;
            }
        }
        // Less information never means less capacity: what is hidden may be full. It is bought once.
        let most = 3 + u32::from(waiting > 0);
        assert_eq!(desired.last(), Some(&most), "{waiting}: {desired:?}");
    }
}

proptest! {
    #[test]
    fn a_group_that_always_launches_the_wrong_type_stays_bounded(
        tasks in 1_u32..6,
        registers_after in 1_usize..12,
        secs_between_looks in 1_i64..8,
        small in 0_u32..8,
    ) {
        let mut scene = waits_for_a_large_one();
        scene.waiting("big", "ec2", tasks - 1);
        scene.service("web", small, "ec2=0/1");
        let launches = Launches { registers_after, secs_between_looks, ..SMALL };
        let desired = looks(&mut scene, launches, 35);
        // Each large task may be tried for once, and each small one; the first pause is not over.
        prop_assert!(desired.iter().all(|it| *it <= tasks + small.div_ceil(3)), "{desired:?}");
    }
}
