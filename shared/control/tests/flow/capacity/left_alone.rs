//! What is only looked at: the mode `observe`, advice, neighbours, somebody else's change, a group that is gone.

use expect_test::expect;
use model::capacity::CapacityHold;
use model::policy::Mode;
use serde_json::json;
use world::{Operation, ScaledBy, World};

use super::stage::{GROUP, Handled, Scene, Stage, add_service};
use crate::stage::{acted, held, schedule};

/// One task has no room, or two instances are empty for long: whatever is wanted, nothing is written, and the hold says why.
async fn check(scene: Scene, before: impl Fn(&Stage), reason: &str) {
    for tasks in [7, 0] {
        let stage = scene.clone().open().await;
        stage.sweep_for(2).await;
        before(&stage);
        stage.set_tasks(tasks);
        for _ in 0..12 {
            let handled = stage.sweep_for(1).await;
            assert_eq!(handled.failure, None);
            assert_eq!(acted(&handled), [""; 0]);
            assert_eq!(held(&handled, reason), 1, "{:?}", handled.record.plan);
        }
        assert_eq!(stage.writes().len(), 0, "{:?}", stage.writes());
        assert_eq!((stage.desired(), stage.statuses()), (2, (2, 0)));
    }
}

#[tokio::test]
async fn advice_is_not_carried_out() {
    let scene = Scene::default().tag("ballast:cluster-scaler", "advise");
    check(scene, |_| {}, "advice_only").await;
}

#[tokio::test]
async fn a_group_that_is_paused_is_left_alone() {
    let scene = Scene::default().tag("ballast:paused", "true");
    check(scene, |_| {}, "paused").await;
}

#[tokio::test]
async fn a_group_without_the_tag_is_not_looked_after() {
    let mut scene = Scene::default();
    scene.tags.clear();
    check(scene, |_| {}, "not_opted_in").await;
}

#[tokio::test]
async fn a_group_with_a_scheduled_action_is_left_alone() {
    let put = |stage: &Stage| {
        let input = json!({
            "AutoScalingGroupName": GROUP,
            "ScheduledActionName": "monday",
            "Recurrence": "0 7 * * 1",
            "MinSize": 0,
        });
        stage.call(Operation::PutScheduledUpdateGroupAction, &input);
    };
    check(Scene::default(), put, "neighbours").await;
}

#[tokio::test]
async fn in_the_mode_observe_nothing_is_written_but_what_is_seen_is_remembered() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    for _ in 0..3 {
        stage.advance_secs(60);
        let handled = stage.handle(Mode::Observe, &schedule()).await;
        assert_eq!(handled.failure, None);
        let raise =
            "set the desired capacity of `workers` from 2 to 3: not written: the mode is `observe`";
        assert_eq!(acted(&handled), [raise]);
    }
    stage.set_tasks(0);
    let mut drains = Vec::new();
    for _ in 0..8 {
        stage.advance_secs(60);
        let handled = stage.handle(Mode::Observe, &schedule()).await;
        assert_eq!(handled.failure, None);
        drains = acted(&handled);
    }
    assert_eq!(drains.len(), 1, "{drains:?}");
    assert!(drains[0].ends_with("to DRAINING: not written: the mode is `observe`"));
    assert_eq!(stage.writes().len(), 0);
    let memory = stage.memory().await;
    // Two were found, and nothing says that Ballast asked for more or fewer.
    assert_eq!(memory.wrote.map(|it| (it.from, it.to)), Some((2, 2)));
    assert!(memory.drains.is_empty(), "{memory:?}");
    assert!(!memory.wanted.is_empty());
}

/// ECS sizes both groups; Ballast counts beside it, is told who decides, and keeps its hands off.
#[tokio::test]
async fn managed_scaling_is_never_fought() {
    let mut world = World::new(world::Config::new(3));
    let names = world.add_workshop_ec2(ScaledBy::Ecs).unwrap();
    for group in [names.on_demand, names.spot] {
        let tags = json!({"Tags": [{
            "ResourceId": group, "ResourceType": "auto-scaling-group",
            "Key": "ballast:cluster-scaler", "Value": "act", "PropagateAtLaunch": false,
        }]});
        world.call(Operation::CreateOrUpdateTags, tags).unwrap();
    }
    world.advance_secs(900);
    let stage = Stage::under(world, names.service, names.on_demand).await;
    stage.set_tasks(40);
    for _ in 0..10 {
        let handled = stage.sweep_for(1).await;
        assert_eq!(handled.failure, None);
        assert_eq!(acted(&handled), [""; 0]);
        assert_eq!(held(&handled, "neighbours"), 2);
        let numbers = handled.measured.len();
        assert_eq!(numbers, 2, "the numbers are published all the same");
    }
    assert_eq!(stage.writes().len(), 0);
    assert_eq!(stage.serving(), 40);
}

/// Somebody raises the group by hand. It is left so for an hour, named, and then sized again.
#[tokio::test]
async fn a_desired_capacity_that_somebody_else_set_is_left_alone_for_an_hour() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    stage.sweep_for(5).await;
    assert_eq!(stage.desired(), 3);
    stage.set_desired_capacity(6);
    let mut minutes = 0;
    loop {
        let handled = stage.sweep_for(1).await;
        assert_eq!(handled.failure, None);
        if held(&handled, "foreign_change") == 0 {
            break;
        }
        assert_eq!(acted(&handled), [""; 0]);
        minutes += 1;
    }
    assert_eq!(minutes, 60);
    stage.sweep_for(25).await;
    assert_eq!((stage.desired(), stage.serving()), (3, 7));
}

/// Tasks lack room while the change is left alone: it is still theirs who made it.
#[tokio::test]
async fn a_group_that_somebody_shrank_is_not_raised_again_at_once() {
    let stage = Scene::default().open().await;
    stage.set_tasks(7);
    stage.sweep_for(5).await;
    stage.set_desired_capacity(2);
    stage.advance_secs(300);
    let writes = stage.writes();
    let handled = stage.sweep_for(10).await;
    assert_eq!(held(&handled, "foreign_change"), 1);
    assert_eq!(handled.record.plan.unprotected, 1);
    assert_eq!(stage.writes(), writes);
}

fn texts(handled: &Handled) -> String {
    let holds = handled.record.plan.holds.iter();
    let of_provider = holds.filter(|it| !is_of_instances(&it.hold));
    of_provider.map(|it| format!("{}\n", it.text)).collect()
}

fn is_of_instances(hold: &CapacityHold) -> bool {
    matches!(
        hold.subject,
        model::capacity::CapacitySubject::Instances { .. }
    )
}

#[tokio::test]
async fn a_provider_whose_group_is_gone_is_said_and_the_others_go_on() {
    let stage = Scene::default().open().await;
    stage.face.with_world(|world| {
        let orphan = world::CapacityProvider::over("gone").without_managed_draining();
        world.declare_capacity_provider("orphan", orphan);
        let input = json!({
            "cluster": "container-demo",
            "capacityProviders": [GROUP, "orphan"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": GROUP, "weight": 1, "base": 0}],
        });
        let put = Operation::PutClusterCapacityProviders;
        world.call(put, input).unwrap();
    });
    stage.set_tasks(7);
    let handled = stage.sweep().await;
    assert_eq!(handled.failure, None);
    assert_eq!(acted(&handled).len(), 1);
    assert_eq!(stage.desired(), 3);
    expect![[r#"
        hold `container-demo/orphan` group_not_found: its group `gone` does not exist
    "#]]
    .assert_eq(&texts(&handled));
}

#[tokio::test]
async fn what_more_instances_would_not_help_is_said_and_not_bought() {
    // A task larger than the group's type, a group at its maximum, and a cluster without an instance.
    let stage = Scene::default().open().await;
    let large = "container-demo/large".parse().unwrap();
    stage.face.with_world(|world| {
        add_service(world, &large, 6_000, 1);
        world.advance_secs(60);
    });
    let handled = stage.sweep_for(3).await;
    assert_eq!(handled.failure, None);
    assert_eq!((acted(&handled).len(), stage.writes().len()), (0, 0));
    expect![[r#"
        hold `container-demo/workers` unplaceable: tasks fit no type that the group may launch: more instances would not help (tasks: 6 placed, 0 waiting, 1 missing, 0 headroom, 1 unplaceable; instances: 2 running, 2 used, 0 launching, 0 draining, 0 lost; needed 2 (at least 2), reservation 100 %, target 100 %; wanted 2, desired 2 within 0 to 10); there is no room for 1 task of `service/large`: one needs 6000 MiB of memory, and the most that there is is 1900, on `t3.small`
    "#]].assert_eq(&texts(&handled));

    let scene = Scene {
        max_size: 2,
        ..Scene::default()
    };
    let stage = scene.open().await;
    stage.set_tasks(7);
    let handled = stage.sweep_for(3).await;
    assert_eq!((acted(&handled).len(), stage.writes().len()), (0, 0));
    expect![[r#"
        hold `container-demo/workers` at_maximum: more instances are wanted than the group's maximum of 2 (tasks: 6 placed, 0 waiting, 1 missing, 0 headroom, 1 unplaceable; instances: 2 running, 2 used, 0 launching, 0 draining, 0 lost; needed 3 (at least 3), reservation 150 %, target 100 %; wanted 3, desired 2 within 0 to 2); there is no room for 1 task of `service/web`: the group is at its maximum of 2
    "#]].assert_eq(&texts(&handled));

    let scene = Scene {
        instances: 0,
        tasks: 0,
        ..Scene::default()
    };
    let handled = scene.open().await.sweep_for(3).await;
    assert_eq!(acted(&handled), [""; 0]);
    expect![[r#"
        hold `container-demo/workers` right_size: the group has as many instances as are wanted (tasks: 0 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 0 running, 0 used, 0 launching, 0 draining, 0 lost; needed 0 (at least 0), reservation 100 %, target 100 %; wanted 0, desired 0 within 0 to 10)
    "#]].assert_eq(&texts(&handled));
}
