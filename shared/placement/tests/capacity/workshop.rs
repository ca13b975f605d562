//! The workshop's tables: a group of `t3.small` that goes from one task to ten and back, and the default strategy over EC2 and EC2 Spot
//! with 1 task and with 40. The same numbers.

use expect_test::expect;

use super::scene::{Scene, check};

/// Ten types of one size, as in the workshop.
const LARGE: &str = "m5.large m5d.large m4.large t3.large t3a.large t2.large m5a.large m5ad.large m5n.large m5dn.large";

/// The group of `t3.small` alone, target 80 %, limits 0 to 10.
fn small(desired: u32) -> Scene {
    let mut scene = Scene::new();
    scene.types("ec2", "t3.small");
    scene.policy("ec2").target_capacity_percent = Some(80);
    scene.cluster().default_strategy = super::scene::strategy("ec2=1/1");
    scene.service("web", desired, "ec2=1/1");
    scene
}

/// Both groups, as the workshop's default strategy places on them.
fn both(desired: u32) -> Scene {
    let strategy = "ec2=1/1 spot=0/4";
    let mut scene = small(desired);
    scene.types("spot", LARGE);
    scene.policy("spot").target_capacity_percent = Some(80);
    scene.cluster().default_strategy = super::scene::strategy(strategy);
    scene.service("web", desired, strategy);
    scene
}

#[test]
fn w3_ten_tasks_want_five_instances() {
    let mut scene = small(10);
    for id in scene.instances("ec2", "t3.small", 2) {
        scene.tasks("web", &id, 3);
    }
    scene.waiting("web", "ec2", 4);
    check(
        &scene,
        &expect![[r#"
            step `demo/ec2` scale_out: set the desired capacity of `ec2` from 2 to 5, because 5 instances are wanted (tasks: 6 placed, 4 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 2 running, 2 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 200 %, target 80 %; wanted 5, desired 2 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` `i-00000000000000002` in_use: they hold tasks, or room that is wanted
        "#]],
    );
}

#[test]
fn w3_without_managed_scaling_ecs_makes_no_task_that_it_cannot_place() {
    let mut scene = small(10);
    for id in scene.instances("ec2", "t3.small", 2) {
        scene.tasks("web", &id, 3);
    }
    let numbers = scene.numbers("ec2");
    assert_eq!((numbers.tasks_waiting, numbers.tasks_missing), (0, 4));
    assert_eq!((numbers.needed, numbers.wanted), (4, 5));
}

#[test]
fn w3_from_nothing_the_same() {
    let numbers = small(10).numbers("ec2");
    assert_eq!((numbers.needed, numbers.wanted), (4, 5));
    assert_eq!(numbers.reservation_percent, 200);
}

#[test]
fn w3_nothing_is_bought_twice_while_instances_launch() {
    let mut scene = small(10);
    for id in scene.instances("ec2", "t3.small", 2) {
        scene.tasks("web", &id, 3);
    }
    scene.pending("ec2", "t3.small");
    scene.group("ec2").desired_capacity = 5;
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` launching: what is wanted is on its way (tasks: 6 placed, 0 waiting, 4 missing, 0 headroom, 0 unplaceable; instances: 2 running, 2 used, 3 launching, 0 draining, 0 lost; needed 4 (at least 2), reservation 200 %, target 80 %; wanted 5, desired 5 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` `i-00000000000000002` in_use: they hold tasks, or room that is wanted
            hold `demo/ec2` `i-00000000000000009` instance_launching: they are on their way in
        "#]],
    );
}

#[test]
fn w3_all_run() {
    let mut scene = small(10);
    let ids = scene.instances("ec2", "t3.small", 5);
    for (id, tasks) in ids.iter().zip([3, 3, 3, 1]) {
        scene.tasks("web", id, tasks);
    }
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` right_size: the group has as many instances as are wanted (tasks: 10 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 5 running, 4 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 80 %, target 80 %; wanted 5, desired 5 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` `i-00000000000000002` `i-00000000000000003` `i-00000000000000004` in_use: they hold tasks, or room that is wanted
            hold `demo/ec2` `i-00000000000000005` spare: they are empty, and are not to be removed now
        "#]],
    );
}

#[test]
fn w4_back_to_one_task_two_instances_are_wanted() {
    let mut scene = small(1);
    let ids = scene.instances("ec2", "t3.small", 5);
    scene.task("web", &ids[0]);
    scene.watched("ec2", 400, 2);
    check(
        &scene,
        &expect![[r#"
            step `demo/ec2` `i-00000000000000002` scale_in: set `i-00000000000000002`, which is empty, to DRAINING, because for 300 s no more than 2 of 5 instances were wanted, and it is empty; the disruption budget allows 1
            hold `demo/ec2` scaling_in: fewer instances are wanted, and 1 is being removed (tasks: 1 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 5 running, 1 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 20 %, target 80 %; wanted 2, desired 5 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` in_use: they hold tasks, or room that is wanted
            hold `demo/ec2` `i-00000000000000003` `i-00000000000000004` `i-00000000000000005` disruption_budget_spent: the disruption budget of 1 instance at a time is used up
        "#]],
    );
}

#[test]
fn w6_one_task_holds_two_instances_of_each() {
    let mut scene = both(1);
    let ids = scene.instances("ec2", "t3.small", 1);
    scene.task("web", &ids[0]);
    check(
        &scene,
        &expect![[r#"
            step `demo/spot` scale_out: set the desired capacity of `spot` from 0 to 2, because 2 instances are wanted (tasks: 0 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 200 %, target 80 %; wanted 2, desired 0 within 0 to 10)
            step `demo/ec2` scale_out: set the desired capacity of `ec2` from 1 to 2, because 2 instances are wanted (tasks: 1 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 1 running, 1 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 100 %, target 80 %; wanted 2, desired 1 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` in_use: they hold tasks, or room that is wanted
        "#]],
    );
    scene.instance("ec2", "t3.small");
    scene.instances("spot", "m5.large", 2);
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` right_size: the group has as many instances as are wanted (tasks: 1 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 2 running, 1 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 50 %, target 80 %; wanted 2, desired 2 within 0 to 10)
            hold `demo/spot` right_size: the group has as many instances as are wanted (tasks: 0 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 2 running, 0 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 50 %, target 80 %; wanted 2, desired 2 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` in_use: they hold tasks, or room that is wanted
            hold `demo/ec2` `i-00000000000000003` spare: they are empty, and are not to be removed now
            hold `demo/spot` `i-00000000000000004` `i-00000000000000005` spare: they are empty, and are not to be removed now
        "#]],
    );
}

#[test]
fn w7_forty_tasks_are_nine_and_thirty_one() {
    let mut scene = both(40);
    let ids = scene.instances("ec2", "t3.small", 2);
    scene.task("web", &ids[0]);
    scene.instances("spot", "m5.large", 2);
    check(
        &scene,
        &expect![[r#"
            step `demo/spot` scale_out: set the desired capacity of `spot` from 2 to 5, because 5 instances are wanted (tasks: 0 placed, 0 waiting, 31 missing, 0 headroom, 0 unplaceable; instances: 2 running, 0 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 2), reservation 200 %, target 80 %; wanted 5, desired 2 within 0 to 10)
            step `demo/ec2` scale_out: set the desired capacity of `ec2` from 2 to 4, because 4 instances are wanted (tasks: 1 placed, 0 waiting, 8 missing, 0 headroom, 0 unplaceable; instances: 2 running, 1 used, 0 launching, 0 draining, 0 lost; needed 3 (at least 2), reservation 150 %, target 80 %; wanted 4, desired 2 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` in_use: they hold tasks, or room that is wanted
            hold `demo/ec2` `i-00000000000000002` spare: they are empty, and are not to be removed now
            hold `demo/spot` `i-00000000000000004` `i-00000000000000005` spare: they are empty, and are not to be removed now
        "#]],
    );
}

#[test]
fn w7_the_table() {
    let mut scene = both(40);
    for (id, tasks) in scene
        .instances("ec2", "t3.small", 4)
        .iter()
        .zip([3, 0, 3, 3])
    {
        scene.tasks("web", id, tasks);
    }
    let types = ["m5.large", "m5d.large", "m4.large", "t3.large", "t2.large"];
    for (instance_type, tasks) in types.iter().zip([8, 8, 0, 7, 8]) {
        let id = scene.instance("spot", instance_type);
        scene.tasks("web", &id, tasks);
    }
    check(
        &scene,
        &expect![[r#"
            hold `demo/ec2` right_size: the group has as many instances as are wanted (tasks: 9 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 4 running, 3 used, 0 launching, 0 draining, 0 lost; needed 3 (at least 3), reservation 75 %, target 80 %; wanted 4, desired 4 within 0 to 10)
            hold `demo/spot` right_size: the group has as many instances as are wanted (tasks: 31 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 5 running, 4 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 80 %, target 80 %; wanted 5, desired 5 within 0 to 10)
            hold `demo/ec2` `i-00000000000000001` `i-00000000000000003` `i-00000000000000004` in_use: they hold tasks, or room that is wanted
            hold `demo/ec2` `i-00000000000000002` spare: they are empty, and are not to be removed now
            hold `demo/spot` `i-0000000000000000e` `i-00000000000000017` `i-00000000000000021` `i-00000000000000029` in_use: they hold tasks, or room that is wanted
            hold `demo/spot` `i-00000000000000020` spare: they are empty, and are not to be removed now
        "#]],
    );
}
