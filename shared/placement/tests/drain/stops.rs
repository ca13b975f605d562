//! Tasks that Ballast stops itself.

use expect_test::expect;
use model::InstanceId;
use model::drain::DrainStepReason;

use crate::scene::{Scene, check};

/// One instance with a task of `web` and a standalone one, warned so long ago and DRAINING since then.
fn warned(secs: i64) -> (Scene, Vec<InstanceId>) {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().stop_tasks = true;
    scene.task("batch", &ids[0]);
    scene.daemon(&ids[0]);
    scene.warned(&ids[0], secs);
    scene.draining(&ids[0], secs);
    (scene, ids)
}

fn stopped(scene: &Scene) -> Vec<String> {
    let mut stopped = Vec::new();
    for step in scene.decide().plan.steps {
        if let DrainStepReason::LastMoment { whose, why, .. } = step.reason {
            stopped.push(format!("{whose} {}", why.as_str()));
        }
    }
    stopped
}

/// The next look comes 90 s later, and the last moment is 25 s before the end.
#[test]
fn in_the_last_look_that_is_early_enough() {
    let (mut scene, _) = warned(5);
    scene.stop_timeout("batch", 20);
    assert!(stopped(&scene).is_empty());
    let (mut scene, _) = warned(6);
    scene.stop_timeout("batch", 20);
    assert_eq!(stopped(&scene), ["family/batch standalone"]);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` task `arn:aws:ecs:us-west-2:111122223333:task/demo/0005` last_moment: stop the task `arn:aws:ecs:us-west-2:111122223333:task/demo/0005` on `i-1`, because of `family/batch`: standalone, ECS does not move them; its stop timeout is 20 s, the instance goes at 2026-03-01T12:01:54Z, and the next look may come as late as 2026-03-01T12:01:30Z
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 6 s; 0 may leave; tasks: 2 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:59:54Z by somebody else's hand; EC2 warned at 2026-03-01T11:59:54Z of its Spot interruption (`terminate`), and it goes at 2026-03-01T12:01:54Z; 2 tasks left: 1 of services, 1 standalone, 0 stopping; 1 of daemons
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
}

#[test]
fn what_ecs_could_move_gets_its_chance_first() {
    let (scene, _) = warned(29);
    assert_eq!(stopped(&scene), ["family/batch standalone"]);
    let (scene, _) = warned(30);
    assert_eq!(
        stopped(&scene),
        ["service/web not_moved", "family/batch standalone"]
    );
}

#[test]
fn a_longer_stop_timeout_means_an_earlier_moment() {
    let (mut scene, _) = warned(4);
    scene.stop_timeout("batch", 22);
    assert_eq!(stopped(&scene), ["family/batch standalone"]);
}

#[test]
fn what_has_no_room_is_stopped_like_what_nobody_moves() {
    let (mut scene, ids) = warned(11);
    scene.fill(&ids[1]);
    assert_eq!(
        stopped(&scene),
        ["service/web no_room", "family/batch standalone"]
    );
    scene.service("web", 0).maximum_percent = 100;
    assert_eq!(
        stopped(&scene),
        ["service/web no_surge", "family/batch standalone"]
    );
}

#[test]
fn never_without_the_tag_nor_where_it_does_not_help() {
    for change in [
        (|scene, _| scene.policy().stop_tasks = false) as fn(&mut Scene, &InstanceId),
        |scene, _| scene.policy().paused = true,
        |scene, id| scene.disconnected(id, 5),
        |scene, _| scene.hints.notices.clear(),
        |scene, _| scene.later(100),
        |scene, id| {
            scene.container(id).status = model::capacity::ContainerInstanceStatus::Active;
        },
        |scene, _| scene.cluster().tasks_read.clear(),
    ] {
        let (mut scene, ids) = warned(30);
        assert_eq!(stopped(&scene).len(), 2);
        change(&mut scene, &ids[0]);
        assert!(stopped(&scene).is_empty());
    }
}

#[test]
fn a_hundred_at_a_time_and_the_rest_is_said() {
    let (mut scene, ids) = Scene::web(1);
    scene.policy().stop_tasks = true;
    for _ in 0..120 {
        scene.task("batch", &ids[0]);
    }
    scene.empty(&ids[0]);
    for _ in 0..120 {
        scene.task("batch", &ids[0]);
    }
    scene.warned(&ids[0], 30);
    scene.draining(&ids[0], 30);
    let plan = scene.decide().plan;
    assert_eq!(plan.steps.len(), 100);
    let hold = plan
        .holds
        .iter()
        .find(|it| it.reason.as_str() == "draining");
    let text = hold.unwrap().to_string();
    assert!(
        text.contains("; 20 tasks of `family/batch`: standalone"),
        "{text}"
    );
}

#[test]
fn the_end_of_a_wait_in_a_hook_is_a_deadline_too() {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().stop_tasks = true;
    scene.task("batch", &ids[0]);
    scene.terminating(&ids[0], 800);
    scene.draining(&ids[0], 790);
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` task `arn:aws:ecs:us-west-2:111122223333:task/demo/0003` last_moment: stop the task `arn:aws:ecs:us-west-2:111122223333:task/demo/0003` on `i-1`, because of `service/web`: ECS could move them, and has not since 2026-03-01T11:46:50Z; its stop timeout is 30 s, the instance goes at 2026-03-01T12:01:40Z, and the next look may come as late as 2026-03-01T12:01:30Z
            step `group spot` `i-1` task `arn:aws:ecs:us-west-2:111122223333:task/demo/0005` last_moment: stop the task `arn:aws:ecs:us-west-2:111122223333:task/demo/0005` on `i-1`, because of `family/batch`: standalone, ECS does not move them; its stop timeout is 30 s, the instance goes at 2026-03-01T12:01:40Z, and the next look may come as late as 2026-03-01T12:01:30Z
            step `group spot` `i-1` hook `ballast-instance-drain` tasks_left: keep `i-1` waiting in the hook `ballast-instance-drain`, because the action times out at 2026-03-01T11:51:40Z and may wait until 2026-03-01T12:01:40Z; 2 tasks left: 1 of services, 1 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 790 s; 0 may leave; tasks: 2 left, of which 0 stuck)
            hold `group spot` `i-1` draining: DRAINING since 2026-03-01T11:46:50Z by somebody else's hand; its group has been terminating it since 2026-03-01T11:46:40Z, and it goes at 2026-03-01T12:01:40Z at the latest; 2 tasks left: 1 of services, 1 standalone, 0 stopping; 0 of daemons
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
}

#[test]
fn advice_names_the_tasks() {
    let (mut scene, _) = warned(30);
    scene.policy().consent = model::capacity::Consent::Advise;
    check(
        &scene,
        &expect![[r#"
            hold `group spot` advice_only: the tag asks for advice only: step `group spot` `i-1` task `arn:aws:ecs:us-west-2:111122223333:task/demo/0003` last_moment: stop the task `arn:aws:ecs:us-west-2:111122223333:task/demo/0003` on `i-1`, because of `service/web`: ECS could move them, and has not since 2026-03-01T11:59:30Z; its stop timeout is 30 s, the instance goes at 2026-03-01T12:01:30Z, and the next look may come as late as 2026-03-01T12:01:30Z; step `group spot` `i-1` task `arn:aws:ecs:us-west-2:111122223333:task/demo/0005` last_moment: stop the task `arn:aws:ecs:us-west-2:111122223333:task/demo/0005` on `i-1`, because of `family/batch`: standalone, ECS does not move them; its stop timeout is 30 s, the instance goes at 2026-03-01T12:01:30Z, and the next look may come as late as 2026-03-01T12:01:30Z (instances: 2 looked at, 1 leaving, of which 1 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 30 s; 0 may leave; tasks: 2 left, of which 0 stuck)
            hold `group spot` `i-1` `i-2` group_held: the group is left alone as a whole
        "#]],
    );
}
