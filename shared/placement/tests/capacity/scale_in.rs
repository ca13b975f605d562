//! Which instances begin to drain, which never do, and what forbids removing anything.

use expect_test::expect;
use model::Seconds;
use model::capacity::{Lifecycle, Placement};
use model::memory::Recall;
use model::snapshot::{Gap, GapCause};

use crate::fleet::{Fleet, id};
use crate::picture::picture;

/// What is planned for a fleet that has been watched for the whole delay.
#[track_caller]
fn check(fleet: &mut Fleet, expected: &[&str]) {
    fleet.watch();
    assert_eq!(picture(&fleet.decide().plan), expected);
}

fn spread_over_zones() -> Vec<Placement> {
    vec![Placement::Spread {
        field: "attribute:ecs.availability-zone".to_owned(),
    }]
}

fn gap() -> Gap {
    Gap {
        operation: "ecs:DescribeTasks".to_owned(),
        resource: "demo".to_owned(),
        cause: GapCause::Throttled,
        detail: "slow down".to_owned(),
    }
}

#[test]
fn one_empty_instance_at_a_time_by_the_default_budget() {
    let mut fleet = Fleet::of([2, 2, 1]);
    fleet.tasks("web", &[3, 0, 0, 0, 0]);
    // From a zone with two; of those the one that registered last.
    check(
        &mut fleet,
        &[
            "drain 4: scale_in, budget 1",
            "1: in_use",
            "2 3 5: disruption_budget_spent",
            "scaling_in",
        ],
    );
}

#[test]
fn the_zone_with_the_most_instances_gives_first_and_is_counted_anew() {
    let mut fleet = Fleet::of([3, 1, 2]);
    fleet.policy().disruption_percent = 100;
    check(
        &mut fleet,
        &[
            "drain 3: scale_in, budget 6",
            "drain 6: scale_in, budget 5",
            "drain 2: scale_in, budget 4",
            "drain 5: scale_in, budget 3",
            "drain 4: scale_in, budget 2",
            "drain 1: scale_in, budget 1",
            "scaling_in",
        ],
    );
}

#[test]
fn no_more_drain_than_are_not_wanted() {
    let mut fleet = Fleet::of([2, 2, 2]);
    fleet.policy().disruption_percent = 100;
    fleet.policy().target_capacity_percent = Some(50);
    fleet.tasks("web", &[1, 1]);
    check(
        &mut fleet,
        &[
            "drain 6: scale_in, budget 6",
            "drain 4: scale_in, budget 5",
            "1 2: in_use",
            "3 5: spare",
            "scaling_in",
        ],
    );
}

#[test]
fn the_minimum_is_kept() {
    let mut fleet = Fleet::of([2, 1, 0]);
    fleet.group().min_size = 2;
    fleet.policy().disruption_percent = 100;
    check(
        &mut fleet,
        &["drain 2: scale_in, budget 3", "1 3: spare", "scaling_in"],
    );
    fleet.group().min_size = 3;
    check(&mut fleet, &["1 2 3: spare", "right_size"]);
}

#[test]
fn each_protection_of_an_empty_instance_has_its_reason() {
    let mut fleet = Fleet::of([3, 0, 0]);
    fleet.policy().disruption_percent = 100;
    fleet.policy().minimum_age = Seconds(600);
    let lately = Seconds(599).before(fleet.now);
    fleet.container(1).registered_at = Some(lately);
    fleet.container(2).registered_at = None;
    fleet.instance(3).protected_from_scale_in = true;
    check(
        &mut fleet,
        &[
            "1 2: too_young",
            "3: scale_in_protected",
            "nothing_removable",
        ],
    );
    fleet.now = Seconds(1).after(fleet.now);
    check(
        &mut fleet,
        &[
            "drain 1: scale_in, budget 3",
            "2: too_young",
            "3: scale_in_protected",
            "scaling_in",
        ],
    );
}

#[test]
fn instances_with_tasks_stay_without_the_tag() {
    let mut fleet = Fleet::of([1, 1, 1]);
    fleet.tasks("web", &[1, 1, 1]);
    check(&mut fleet, &["1 2 3: in_use", "right_size"]);
}

#[test]
fn a_daemon_does_not_make_an_instance_used() {
    let mut fleet = Fleet::of([1, 0, 0]);
    fleet.service("agent", 0);
    fleet.task("agent", 1).is_daemon = true;
    check(&mut fleet, &["drain 1: scale_in, budget 1", "scaling_in"]);
}

#[test]
fn unhealthy_instances_and_foreign_drains_use_the_budget_up() {
    let mut fleet = Fleet::of([5, 5, 1]);
    fleet.policy().disruption_percent = 10;
    check_drains(&mut fleet, 2);
    fleet.instance(1).is_healthy = false;
    check_drains(&mut fleet, 1);
    fleet.container(2).is_impaired = true;
    check_drains(&mut fleet, 0);
    fleet.instance(1).is_healthy = true;
    check_drains(&mut fleet, 1);
    fleet.container(3).status = model::capacity::ContainerInstanceStatus::Draining;
    check_drains(&mut fleet, 0);
}

#[track_caller]
fn check_drains(fleet: &mut Fleet, expected: usize) {
    fleet.watch();
    let plan = fleet.decide().plan;
    assert_eq!(plan.steps.len(), expected, "{:?}", picture(&plan));
}

#[test]
fn every_veto_is_named_at_once() {
    let mut fleet = Fleet::of([4, 0, 0]);
    fleet.tasks("web", &[1]);
    fleet.watch();
    for deployment in &mut fleet.service("web", 1).deployments {
        deployment.in_progress = true;
    }
    fleet.instance(2).is_healthy = false;
    fleet.group().suspended_processes = ["Terminate".to_owned()].into();
    fleet.cluster().gaps.push(gap());
    fleet.provider().gaps.push(gap());
    let plan = fleet.decide().plan;
    expect![[r#"
        1: in_use
        2 3 4: spare
        vetoed: the group's process `Terminate` is suspended; `web` is being deployed; 1 of 4 instances are not healthy, more than 20 %; not everything could be seen: `ecs:DescribeTasks` for `demo`: throttled (slow down)"#]]
    .assert_eq(&picture(&plan).join("\n"));
}

#[test]
fn each_veto_alone_is_enough() {
    let vetoed = |change: &dyn Fn(&mut Fleet)| {
        let mut fleet = Fleet::of([4, 4, 4]);
        fleet.tasks("web", &[1]);
        fleet.service("other", 0);
        fleet.watch();
        change(&mut fleet);
        let plan = fleet.decide().plan;
        assert!(plan.steps.is_empty(), "{:?}", picture(&plan));
        picture(&plan).pop().unwrap()
    };
    let deploy = |fleet: &mut Fleet, service: &str| {
        for deployment in &mut fleet.service(service, 0).deployments {
            deployment.in_progress = true;
        }
    };
    assert_eq!(
        vetoed(&|it| it.snapshot.gaps.push(gap())),
        "vetoed: not everything could be seen: `ecs:DescribeTasks` for `demo`: throttled (slow down)"
    );
    // A service that only names the provider, and one that only has a task there.
    assert_eq!(
        vetoed(&|it| deploy(it, "other")),
        "vetoed: `other` is being deployed"
    );
    assert_eq!(
        vetoed(&|it| {
            deploy(it, "web");
            let web = it.service("web", 0);
            web.strategy.clear();
            for deployment in &mut web.deployments {
                deployment.strategy.clear();
            }
        }),
        "vetoed: `web` is being deployed"
    );
    assert_eq!(
        vetoed(&|it| {
            it.instance(11).lifecycle = Lifecycle::Pending;
            let container = it.container(11).arn.clone();
            it.cluster().instances.remove(&container);
        }),
        "vetoed: 1 instance is on the way"
    );
    assert_eq!(
        vetoed(&|it| {
            for number in [9, 10, 11] {
                it.instance(number).is_healthy = false;
            }
        }),
        "vetoed: 3 of 12 instances are not healthy, more than 20 %"
    );
}

#[test]
fn a_task_that_fits_nowhere_forbids_removing() {
    let mut fleet = Fleet::of([2, 2, 2]);
    fleet.tasks("web", &[1]);
    fleet.service("large", 1);
    for shape in fleet.cluster().task_definitions.values_mut().take(1) {
        shape.needs.memory_mib = 100_000;
    }
    fleet.watch();
    let picture = picture(&fleet.decide().plan);
    // What fits nowhere is the more urgent thing to say.
    assert_eq!(picture, ["1: in_use", "2 3 4 5 6: spare", "unplaceable"]);
}

#[test]
fn without_a_memory_nothing_is_removed() {
    let mut fleet = Fleet::of([4, 4, 4]);
    fleet.recall = Recall::Unknown;
    let plan = fleet.decide().plan;
    assert!(plan.steps.is_empty());
}

#[test]
fn fewer_must_have_been_wanted_for_the_whole_delay() {
    let mut fleet = Fleet::of([2, 0, 0]);
    fleet.policy().scale_in_delay = Seconds(120);
    fleet.tasks("web", &[1, 1]);
    fleet.round(60);
    fleet.round(60);
    fleet.desire("web", 1);
    let mut steps = Vec::new();
    for look in 0..6 {
        for step in fleet.round(60) {
            steps.push((look, step.action.to_string()));
        }
    }
    // The first look still sees both tasks: two are wanted as late as that, and no longer for the delay two looks later.
    let steps: Vec<String> = steps
        .iter()
        .map(|(look, it)| format!("{look}: {it}"))
        .collect();
    expect![[r#"
        2: set `i-00000000000000001`, which is empty, to DRAINING
        3: terminate `i-00000000000000001` and lower the desired capacity of `ec2` by it"#]]
    .assert_eq(&steps.join("\n"));
}

#[test]
fn the_zones_of_a_spread_service_keep_an_instance_each() {
    for (tasks, headroom, expected) in [
        (
            1,
            0,
            vec![
                "drain 3: scale_in, budget 3",
                "drain 2: scale_in, budget 2",
                "1: in_use",
                "scaling_in",
            ],
        ),
        (
            2,
            0,
            vec![
                "drain 3: scale_in, budget 3",
                "1: in_use",
                "2: needed_for_spread",
                "scaling_in",
            ],
        ),
        (
            3,
            0,
            vec!["1: in_use", "2 3: needed_for_spread", "nothing_removable"],
        ),
    ] {
        let mut fleet = Fleet::of([1, 1, 1]);
        fleet.policy().disruption_percent = 100;
        fleet.tasks("web", &[tasks]);
        let web = fleet.service("web", 0);
        web.placement = spread_over_zones();
        web.headroom_tasks = Ok(headroom);
        check(&mut fleet, &expected);
    }
}

#[test]
fn room_for_headroom_stays() {
    let mut fleet = Fleet::of([1, 1, 1]);
    fleet.policy().disruption_percent = 100;
    fleet.tasks("web", &[2]);
    // One more fits beside the two, four more need two instances.
    fleet.service("web", 0).headroom_tasks = Ok(1);
    check(
        &mut fleet,
        &[
            "drain 3: scale_in, budget 3",
            "drain 2: scale_in, budget 2",
            "1: in_use",
            "scaling_in",
        ],
    );
    fleet.service("web", 0).headroom_tasks = Ok(4);
    check(
        &mut fleet,
        &[
            "drain 3: scale_in, budget 3",
            "1: in_use",
            "2: needed_for_spread",
            "scaling_in",
        ],
    );
}

#[test]
fn an_operator_reads_why() {
    let mut fleet = Fleet::of([2, 0, 0]);
    fleet.policy().scale_in_delay = Seconds(300);
    fleet.tasks("web", &[1]);
    fleet.watch();
    let plan = fleet.decide().plan;
    let lines = plan.steps.iter().map(ToString::to_string);
    let holds = plan.holds.iter().map(ToString::to_string);
    let lines: Vec<String> = lines.chain(holds).collect();
    expect![[r#"
        step `demo/ec2` `i-00000000000000002` scale_in: set `i-00000000000000002`, which is empty, to DRAINING, because for 300 s no more than 1 of 2 instances were wanted, and it is empty; the disruption budget allows 1
        hold `demo/ec2` scaling_in: fewer instances are wanted, and 1 is being removed (tasks: 1 placed, 0 waiting, 0 missing, 0 headroom, 0 unplaceable; instances: 2 running, 1 used, 0 launching, 0 draining, 0 lost; needed 1 (at least 1), reservation 50 %, target 100 %; wanted 1, desired 2 within 0 to 100)
        hold `demo/ec2` `i-00000000000000001` in_use: they hold tasks, or room that is wanted"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn a_drain_that_begins_is_remembered_before_it_is_carried_out() {
    let mut fleet = Fleet::of([2, 0, 0]);
    fleet.tasks("web", &[1]);
    fleet.watch();
    let decided = fleet.decide();
    let memory = decided.memories.values().next().unwrap();
    let drain = memory.drains.get(&id(2)).unwrap();
    assert_eq!(drain.at, fleet.now);
    assert_eq!(memory.drains.len(), 1);
}

#[test]
fn what_the_group_was_asked_for_and_cannot_launch_keeps_nothing_from_ending() {
    let mut fleet = Fleet::of([2, 2, 1]);
    fleet.policy().disruption_percent = 100;
    fleet.tasks("web", &[3]);
    // Nine more were asked for, and Spot has none: what is there shrinks to what is wanted, and no further.
    fleet.group().desired_capacity = 14;
    let failed = model::capacity::Activity {
        id: "1".to_owned(),
        started_at: Seconds(30).before(fleet.now),
        status: "Failed".to_owned(),
        status_message: "There is no Spot capacity available that matches your request.".to_owned(),
        description: "Launching a new EC2 instance".to_owned(),
        zone: None,
    };
    fleet.group().activities = vec![failed];
    fleet.group().market = model::strategy::Market::Spot;
    fleet.watch();
    let plan = fleet.decide().plan;
    assert_eq!(plan.steps.len(), 4, "{plan}");
    // Without a failure they are on their way, and it remains to be seen whether they are needed.
    let mut fleet = Fleet::of([2, 2, 1]);
    fleet.policy().disruption_percent = 100;
    fleet.tasks("web", &[3]);
    fleet.group().desired_capacity = 14;
    fleet.watch();
    let plan = fleet.decide().plan;
    assert!(plan.steps.is_empty(), "{plan}");
}

#[test]
fn headroom_that_is_not_known_keeps_what_is_there() {
    let mut fleet = Fleet::of([2, 1, 0]);
    let fault =
        model::settings::SettingFault::new(&model::capacity::policy::TAG_HEADROOM_TASKS, "two");
    fleet.service("web", 1).headroom_tasks = Err(vec![fault]);
    fleet.watch();
    let plan = fleet.decide().plan;
    assert!(plan.steps.is_empty(), "{plan}");
    let text = plan.to_string();
    let why = "how much headroom `web` asks for is not known: `ballast:headroom-tasks` is `two`";
    assert!(text.contains(why), "{text}");
}

/// Otherwise nobody would be told while something is being removed.
#[test]
fn that_tasks_fit_nowhere_is_said_although_instances_drain() {
    let mut fleet = Fleet::of([2, 0, 0]);
    fleet.tasks("web", &[1]);
    fleet.service("big", 1);
    for shape in fleet.cluster().task_definitions.values_mut() {
        shape.needs = crate::fleet::TASK;
    }
    let big = fleet.cluster().services[&"big".parse().unwrap()].deployments[0]
        .task_definition
        .clone();
    let shape = fleet.cluster().task_definitions.get_mut(&big).unwrap();
    shape.needs.memory_mib = 100_000;
    fleet.drain(2, 10);
    let last = |fleet: &mut Fleet| picture(&fleet.decide().plan).pop().unwrap();
    assert_eq!(last(&mut fleet), "unplaceable");
    fleet.desire("big", 0);
    assert_eq!(last(&mut fleet), "scaling_in");
}

/// More steps than a function has time for would end as steps that were not started.
#[test]
fn at_one_look_no_more_are_removed_than_there_is_time_for() {
    let mut fleet = Fleet::of([130, 0, 0]);
    fleet.group().max_size = 200;
    fleet.policy().disruption_percent = 100;
    for number in 1..=60 {
        fleet.drain(number, 60);
    }
    fleet.watch();
    let steps = |fleet: &mut Fleet, kind: &str| {
        let picture = picture(&fleet.decide().plan);
        picture.iter().filter(|it| it.starts_with(kind)).count()
    };
    assert_eq!(steps(&mut fleet, "terminate "), 50);
    assert_eq!(steps(&mut fleet, "drain "), 0);
    fleet.round(60);
    assert_eq!(steps(&mut fleet, "terminate "), 10);
    assert_eq!(steps(&mut fleet, "drain "), 40);
    let mut looks = 1;
    while !fleet.round(60).is_empty() {
        looks += 1;
    }
    assert!(fleet.group().instances.is_empty());
    assert!(looks < 10, "{looks}");
}
