//! Instances that are not needed: drained, emptied and terminated, over several invocations.

use std::fmt::Write;

use expect_test::{Expect, expect};
use model::capacity::CapacityHold;

use super::stage::{Handled, Scene, Stage};
use crate::stage::{acted, held};

/// The hold of the provider itself, if it has one.
fn of_provider(handled: &Handled) -> &'static str {
    let holds = handled.record.plan.holds.iter();
    let mut names = holds
        .map(|it| &it.hold)
        .filter(|hold| hold.numbers.is_some())
        .map(|hold: &CapacityHold| hold.reason.as_str());
    names.next().unwrap_or("-")
}

/// Minute by minute: the desired capacity, the instances that are ACTIVE and DRAINING, the tasks that serve, the provider's hold and the
/// steps. A minute like the one before is left out.
async fn watch(stage: &Stage, minutes: u32) -> String {
    let mut story = String::new();
    let mut last = String::new();
    for minute in 1..=minutes {
        stage.advance_secs(60);
        let handled = stage.sweep().await;
        assert_eq!(handled.failure, None);
        let (active, draining) = stage.statuses();
        let (desired, serving) = (stage.desired(), stage.serving());
        let hold = of_provider(&handled);
        let mut line = format!(
            "desired {desired}, {active} active, {draining} draining, {serving} tasks: {hold}\n"
        );
        for step in acted(&handled) {
            writeln!(line, "    {step}").unwrap();
        }
        if line != last {
            write!(story, "{minute:<3} {line}").unwrap();
        }
        last = line;
    }
    story
}

async fn check(scene: Scene, tasks: u32, minutes: u32, want: &Expect) -> Stage {
    let stage = scene.open().await;
    // The provider is watched before: otherwise the first look would begin the delay.
    stage.sweep_for(2).await;
    stage.set_tasks(tasks);
    want.assert_eq(&watch(&stage, minutes).await);
    stage
}

#[tokio::test]
async fn one_after_the_other_after_the_delay() {
    let scene = Scene {
        tasks: 9,
        instances: 3,
        ..Scene::default()
    };
    let stage = check(
        scene,
        0,
        16,
        &expect![[r#"
            1   desired 3, 3 active, 0 draining, 0 tasks: waiting_for_scale_in_delay
            5   desired 3, 2 active, 1 draining, 0 tasks: scaling_in
                set `i-049eebe70c3519a9e`, which is empty, to DRAINING: done
            6   desired 2, 2 active, 0 draining, 0 tasks: scaling_in
                terminate `i-049eebe70c3519a9e` and lower the desired capacity of `workers` by it: done
            7   desired 2, 1 active, 1 draining, 0 tasks: scaling_in
                set `i-f9e52bcfeaeacbe7a`, which is empty, to DRAINING: done
            8   desired 1, 1 active, 0 draining, 0 tasks: scaling_in
                terminate `i-f9e52bcfeaeacbe7a` and lower the desired capacity of `workers` by it: done
            9   desired 1, 0 active, 1 draining, 0 tasks: scaling_in
                set `i-f1ec2ed8e54f363fc`, which is empty, to DRAINING: done
            10  desired 0, 0 active, 0 draining, 0 tasks: scaling_in
                terminate `i-f1ec2ed8e54f363fc` and lower the desired capacity of `workers` by it: done
            11  desired 0, 0 active, 0 draining, 0 tasks: right_size
        "#]],
    )
    .await;
    let handled = stage.sweep_for(5).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!(held(&handled, "right_size"), 1);
    assert_eq!((stage.desired(), stage.statuses()), (0, (0, 0)));
}

/// A quarter of the tasks is left, spread over the instances, and may be moved.
#[tokio::test]
async fn instances_whose_tasks_fit_elsewhere_are_emptied_first() {
    let scene = Scene {
        tasks: 12,
        instances: 4,
        ..Scene::default()
    };
    let scene = scene.tag("ballast:consolidate", "true");
    let stage = check(
        scene,
        4,
        30,
        &expect![[r#"
            1   desired 4, 4 active, 0 draining, 4 tasks: waiting_for_scale_in_delay
            5   desired 4, 3 active, 1 draining, 4 tasks: scaling_in
                set `i-a17f8d19c8a167b7f` with its 1 task to DRAINING: done
            6   desired 3, 3 active, 0 draining, 4 tasks: scaling_in
                terminate `i-a17f8d19c8a167b7f` and lower the desired capacity of `workers` by it: done
            7   desired 3, 2 active, 1 draining, 4 tasks: scaling_in
                set `i-049eebe70c3519a9e` with its 1 task to DRAINING: done
            8   desired 2, 2 active, 0 draining, 4 tasks: scaling_in
                terminate `i-049eebe70c3519a9e` and lower the desired capacity of `workers` by it: done
            9   desired 2, 2 active, 0 draining, 4 tasks: right_size
        "#]],
    )
    .await;
    assert_eq!(stage.serving(), 4);
}

/// What drains is taken back when it is needed again, and nothing is bought.
#[tokio::test]
async fn an_instance_that_drains_is_taken_back_before_one_is_bought() {
    let stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    stage.set_tasks(3);
    // The tasks that are left may be spread over both instances.
    stage.set_tasks(0);
    while stage.statuses() != (1, 1) {
        stage.sweep_for(1).await;
    }
    stage.set_tasks(6);
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    let steps = acted(&handled);
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(steps[0].ends_with("to ACTIVE again: done"), "{steps:?}");
    assert_eq!(stage.statuses(), (2, 0));
    let handled = stage.sweep_for(2).await;
    assert_eq!(acted(&handled), [""; 0]);
    assert_eq!((stage.desired(), stage.serving()), (2, 6));
    let memory = stage.memory().await;
    assert!(memory.drains.is_empty(), "{memory:?}");
}

/// An instance that somebody protects before it is terminated stays, whatever becomes of the other one.
#[tokio::test]
async fn an_instance_that_is_protected_while_it_drains_is_not_terminated() {
    let stage = Scene::default().open().await;
    stage.sweep_for(2).await;
    stage.set_tasks(0);
    while stage.statuses() != (1, 1) {
        stage.sweep_for(1).await;
    }
    let draining = stage.memory().await.drains.into_keys().next().unwrap();
    let input = serde_json::json!({
        "AutoScalingGroupName": super::stage::GROUP,
        "InstanceIds": [draining],
        "ProtectedFromScaleIn": true,
    });
    stage.call(world::Operation::SetInstanceProtection, &input);
    for _ in 0..8 {
        let handled = stage.sweep_for(1).await;
        assert_eq!(handled.failure, None);
        let is_there = stage.group(|group| group.instances.contains(draining.as_str()));
        assert!(is_there, "{:?}", acted(&handled));
    }
    assert!(stage.desired() >= 1);
}
