//! Room for what is drained by choice: on instances that stay, or on one that somebody launches; and what would never go there.

use expect_test::expect;
use model::InstanceId;
use model::capacity::{Consent, ContainerInstanceStatus};
use model::drain::{CauseKind, OwnDrain};
use model::strategy::StrategyItem;
use model::trigger::Notice;

use crate::scene::{Scene, check};

impl Scene {
    /// cluster-scaler raises the group `spot` for the tasks of every service: their strategies name its provider.
    pub(crate) fn raised(&mut self) {
        let group = self.group("spot").group.as_mut().unwrap();
        let tag = ("ballast:cluster-scaler".to_owned(), "act".to_owned());
        group.tags.extend([tag]);
        for service in self.capacity().services.values_mut() {
            service.strategy = vec![StrategyItem {
                provider: "spot".parse().unwrap(),
                base: 0,
                weight: 1,
            }];
        }
    }
}

/// Two instances, the second full, the first recommended to be rebalanced, and the tag that asks for a drain: room is only what is launched.
fn full() -> (Scene, Vec<InstanceId>) {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().drain_on_rebalance = true;
    scene.said(&ids[0], 10, Notice::Rebalance);
    scene.fill(&ids[1]);
    (scene, ids)
}

fn steps(scene: &Scene) -> Vec<String> {
    let plan = scene.decide().plan;
    plan.steps
        .iter()
        .map(|it| format!("{} {}", it.subject, it.reason.as_str()))
        .collect()
}

/// What the only hold of the instance says after its name and reason.
#[track_caller]
fn tried(scene: &Scene, id: &str) -> String {
    let plan = scene.decide().plan;
    assert!(plan.steps.is_empty(), "{plan}");
    let mut holds = plan.holds.iter().map(ToString::to_string);
    let hold = holds.find(|it| it.contains(&format!("`{id}` no_other_pool")));
    let hold = hold.unwrap_or_else(|| panic!("{plan}"));
    hold.split_once(" for all of them, and ")
        .unwrap()
        .1
        .to_owned()
}

/// instance-drain alone on a full group: nothing would be launched, and ECS would stop half of the tasks.
#[test]
fn what_nobody_launches_is_no_room() {
    let (mut scene, _) = full();
    scene.service("web", 0).minimum_healthy_percent = 50;
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` no_other_pool: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; its tasks find no room in another pool: the instances that stay have no room for all of them, and nobody raises the group for tasks that wait: its tag `ballast:cluster-scaler` is not `act`, and managed scaling not ENABLED
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.raised();
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` no_other_pool: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; its tasks find no room in another pool: the instances that stay have no room for all of them, and `service/web` may run less than it desires until the launch (minimum healthy 50 % and maximum 200 % of 2)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.service("web", 0).minimum_healthy_percent = 100;
    check(
        &scene,
        &expect![[r#"
            step `group spot` `i-1` selective: set `i-1` to DRAINING, because EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; cluster-scaler raises the group, which may launch from 1 other pool in which no launch failed lately, and may grow by 8 more than what leaves or drains already waits for; the disruption budget allows 1; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
            hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
            hold `group spot` `i-2` staying: they stay
        "#]],
    );
}

#[test]
fn a_group_is_raised_for_what_its_strategy_places_by_whoever_may() {
    let (mut scene, _) = full();
    scene.raised();
    assert_eq!(steps(&scene), ["`group spot` `i-1` selective"]);
    let not_act = "nobody raises the group for tasks that wait: its tag `ballast:cluster-scaler` is not `act`, and managed scaling not ENABLED";
    for (tag, value) in [
        ("ballast:cluster-scaler", "advise"),
        ("ballast:headroom-percent", "many"),
    ] {
        let mut scene = scene.clone();
        let group = scene.group("spot").group.as_mut().unwrap();
        group.tags.insert(tag.to_owned(), value.to_owned());
        assert_eq!(tried(&scene, "i-1"), not_act, "{tag}");
    }
    let mut managed = scene.clone();
    let group = managed.group("spot").group.as_mut().unwrap();
    group.tags.clear();
    managed.group("spot").managed_scaling = true;
    let text = managed.decide().plan.to_string();
    assert!(
        text.contains("; ECS managed scaling raises the group, which may launch"),
        "{text}"
    );
    let mut pooled = scene.clone();
    let group = pooled.group("spot").group.as_mut().unwrap();
    group.has_warm_pool = true;
    assert_eq!(tried(&pooled, "i-1"), not_act, "it only advises");
    let of_other = "nobody raises the group for `service/web`: its strategy does not name the group's capacity provider";
    let mut elsewhere = scene.clone();
    elsewhere.service("web", 0).strategy[0].provider = "other".parse().unwrap();
    assert_eq!(tried(&elsewhere, "i-1"), of_other);
    scene.service("web", 0).strategy.clear();
    assert_eq!(tried(&scene, "i-1"), of_other, "a launch type");
}

/// Of two tasks 149 % is no task more, and 51 % no task less.
#[test]
fn no_task_may_stop_before_its_replacement_runs() {
    for (minimum, maximum, is_drained) in [
        (100, 200, true),
        (100, 150, true),
        (51, 150, true),
        (50, 150, false),
        (0, 200, false),
    ] {
        let (mut scene, _) = full();
        scene.raised();
        let service = scene.service("web", 0);
        service.minimum_healthy_percent = minimum;
        service.maximum_percent = maximum;
        let drains = !steps(&scene).is_empty();
        assert_eq!(drains, is_drained, "{minimum} % {maximum} %");
    }
}

/// One instance below the maximum takes the tasks of one.
#[test]
fn a_launch_is_promised_once() {
    let (mut scene, ids) = full();
    scene.raised();
    scene.policy().disruption_percent = 100;
    scene.said(&ids[1], 5, Notice::Rebalance);
    assert_eq!(steps(&scene).len(), 2);
    scene.group("spot").group.as_mut().unwrap().max_size = 3;
    assert_eq!(steps(&scene), ["`group spot` `i-1` selective"]);
}

#[test]
fn a_launch_that_what_drains_waits_for_is_not_promised_again() {
    // The second look: the first instance drains, and nobody has raised the group yet.
    let (mut scene, ids) = full();
    scene.raised();
    scene.policy().disruption_percent = 100;
    scene.group("spot").group.as_mut().unwrap().max_size = 3;
    scene.said(&ids[1], 5, Notice::Rebalance);
    scene.container(&ids[0]).status = ContainerInstanceStatus::Draining;
    assert_eq!(steps(&scene), Vec::<String>::new());
    // The same where its tasks were not read.
    let mut unread = scene.clone();
    let first = unread.container(&ids[0]).arn.clone();
    unread.cluster().tasks_read.remove(&first);
    unread
        .capacity()
        .tasks
        .retain(|it| it.instance.as_ref() != Some(&first));
    assert_eq!(steps(&unread), Vec::<String>::new());
    scene.group("spot").group.as_mut().unwrap().max_size = 4;
    assert_eq!(steps(&scene), ["`group spot` `i-2` selective"]);
    // The same while ECS does not show yet that the first one drains.
    scene.container(&ids[0]).status = ContainerInstanceStatus::Active;
    let own = OwnDrain {
        at: scene.ago(5),
        cause: CauseKind::Rebalance,
        confirmed: true,
    };
    scene.departure(&ids[0]).own_drain = Some(own);
    assert_eq!(steps(&scene), ["`group spot` `i-2` selective"]);
    scene.group("spot").group.as_mut().unwrap().max_size = 3;
    assert_eq!(steps(&scene), Vec::<String>::new());
}

/// What certainly leaves needs the launch, and does not read DRAINING before this look.
#[test]
fn a_launch_that_what_leaves_needs_is_not_promised() {
    let (mut scene, ids) = full();
    scene.raised();
    scene.policy().disruption_percent = 100;
    scene.group("spot").group.as_mut().unwrap().max_size = 3;
    scene.warned(&ids[1], 5);
    assert_eq!(steps(&scene), ["`group spot` `i-2` leaving"]);
    scene.group("spot").group.as_mut().unwrap().max_size = 4;
    assert_eq!(
        steps(&scene),
        ["`group spot` `i-2` leaving", "`group spot` `i-1` selective"]
    );
}

/// Planned maintenance waits for no room: what it drains needs the launch, whatever speaks against promising it.
#[test]
fn a_launch_that_planned_maintenance_needs_is_not_promised() {
    let (mut scene, ids) = full();
    scene.policy().disruption_percent = 100;
    scene.group("spot").group.as_mut().unwrap().max_size = 3;
    let notice = Notice::Maintenance {
        code: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED".to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-1_200)),
        is_over: false,
    };
    scene.said(&ids[1], 30, notice);
    // Its tasks may be fewer meanwhile, so that nothing is promised for them.
    scene.service("api", 0).minimum_healthy_percent = 0;
    scene.task("api", &ids[1]);
    ids.iter().for_each(|id| scene.fill(id));
    scene.raised();
    assert_eq!(steps(&scene), ["`group spot` `i-2` leaving"]);
    scene.group("spot").group.as_mut().unwrap().max_size = 4;
    assert_eq!(
        steps(&scene),
        ["`group spot` `i-1` selective", "`group spot` `i-2` leaving"]
    );
}

#[test]
fn what_ecs_would_not_move_keeps_its_instance() {
    let (mut scene, ids) = full();
    scene.raised();
    scene.task("job", &ids[0]);
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves; if one did, ECS could not move 1 task of `family/job`: standalone, ECS does not move them (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` immovable_tasks: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; ECS would not move everything off it; 2 tasks left: 1 of services, 1 standalone, 0 stopping; 0 of daemons; 1 task of `family/job`: standalone, ECS does not move them
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.capacity().tasks.pop();
    assert_eq!(steps(&scene), ["`group spot` `i-1` selective"]);
    scene.service("web", 0).maximum_percent = 100;
    check(
        &scene,
        &expect![[r#"
        hold `group spot` watching: no instance that was looked at leaves; if one did, ECS could not move 2 tasks of `service/web`: minimum healthy 100 % and maximum 100 % let ECS neither stop one first nor start one first (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 0 draining in all, the oldest for 0 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-1` immovable_tasks: EC2 recommended at 2026-03-01T11:59:50Z to rebalance it; ECS would not move everything off it; 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons; 1 task of `service/web`: minimum healthy 100 % and maximum 100 % let ECS neither stop one first nor start one first
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    scene.warned(&ids[0], 5);
    assert_eq!(
        steps(&scene),
        ["`group spot` `i-1` leaving"],
        "what leaves for certain is drained all the same"
    );
}

/// A drain changes nothing for such a task; the others are replaced.
#[test]
fn of_a_lost_agent_what_moves_needs_room_and_nothing_else() {
    let (mut scene, ids) = Scene::web(2);
    scene.policy().drain_on_lost_agent = true;
    scene.disconnected(&ids[0], 300);
    for _ in 0..3 {
        scene.task("job", &ids[0]);
    }
    for _ in 0..2 {
        scene.task("web", &ids[1]);
    }
    let plan = scene.decide().plan;
    let text = plan.to_string();
    assert!(
        text.contains("there is room for 1 task of it elsewhere"),
        "{text}"
    );
}

/// An instance that may stay is of more use with its tasks than empty by half.
#[test]
fn a_drain_by_choice_that_does_not_end_is_taken_back() {
    let (mut scene, ids) = full();
    scene.raised();
    scene.act();
    scene.later(899);
    assert!(steps(&scene).is_empty());
    scene.later(1);
    check(
        &scene,
        &expect![[r#"
        step `group spot` `i-1` cause_gone: set `i-1` to ACTIVE again, because Ballast drained it at 2026-03-01T12:00:00Z for `rebalance`, and it stays: EC2 has only recommended to rebalance it, and after 900 s it is not empty: 1 task left: 1 of services, 0 standalone, 0 stopping; 0 of daemons
        hold `group spot` departing: instances leave (instances: 2 looked at, 0 leaving, of which 0 draining and 0 drained, 0 not registered, 0 too late; 1 draining in all, the oldest for 900 s; 1 may leave; tasks: 0 left, of which 0 stuck)
        hold `group spot` `i-2` staying: they stay
    "#]],
    );
    let mut empty = scene.clone();
    empty.empty(&ids[0]);
    assert!(steps(&empty).is_empty(), "an empty one waits for the hour");
    scene.act();
    scene.later(60);
    scene.said(&ids[0], 0, Notice::Rebalance);
    assert!(steps(&scene).is_empty(), "not again within six hours");
}

/// The room that a group has whose drain is only advised is taken by the one that acts, whatever their names.
#[test]
fn advice_takes_no_room_from_a_group_that_acts() {
    for advised in ["spot", "other", "none"] {
        let mut scene = Scene::new();
        scene.service("web", 0);
        let ids = ["spot", "other"].map(|name| scene.instance(name));
        for id in &ids {
            scene.task("web", id);
            scene.said(id, 10, Notice::Rebalance);
        }
        // For one task of the two, in a third pool.
        let free = scene.instance("spot");
        scene.container(&free).remaining.cpu_units = 256;
        let zone = Some("us-west-2c".parse().unwrap());
        scene.container(&free).zone = zone;
        for name in ["spot", "other"] {
            let policy = scene.group(name).policy.as_mut().unwrap();
            policy.drain_on_rebalance = true;
            if name == advised {
                policy.consent = Consent::Advise;
            }
        }
        let plan = scene.decide().plan;
        let drained = match advised {
            "spot" => "`group other` `i-2` selective",
            "other" => "`group spot` `i-1` selective",
            _ => "`group other` `i-2` selective",
        };
        assert_eq!(steps(&scene), [drained], "{plan}");
        let mut holds = plan.holds.iter().map(ToString::to_string);
        let advice = holds.find(|it| it.contains(" advice_only: "));
        let says = advice.is_some_and(|it| it.contains("DRAINING"));
        assert!(!says, "there is no room for the other: {plan}");
    }
}
