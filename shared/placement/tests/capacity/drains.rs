//! What becomes of instances that drain: by Ballast's hand, and by others'.

use model::Seconds;
use model::capacity::{CapacityWrite, ContainerInstanceStatus, Lifecycle};
use model::memory::Recall;
use model::snapshot::{Gap, GapCause};

use crate::fleet::{Fleet, id, key};
use crate::picture::picture;

#[track_caller]
fn check(fleet: &mut Fleet, expected: &[&str]) {
    assert_eq!(picture(&fleet.decide().plan), expected);
}

/// Four instances in one zone. The first holds a task and the last two drain, since 100 and 50 s.
fn two_drain() -> Fleet {
    let mut fleet = Fleet::of([4, 0, 0]);
    fleet.tasks("web", &[1]);
    fleet.drain(3, 100);
    fleet.drain(4, 50);
    fleet
}

#[test]
fn a_drained_instance_is_terminated_and_the_desired_capacity_with_it() {
    let mut fleet = two_drain();
    check(
        &mut fleet,
        &[
            "terminate 3: drained",
            "terminate 4: drained",
            "1: in_use",
            "2: disruption_budget_spent",
            "scaling_in",
        ],
    );
    let memory = fleet.decide().memories.remove(&key()).unwrap();
    assert_eq!(
        memory.wrote,
        Some(CapacityWrite {
            from: 4,
            to: 2,
            at: fleet.now,
            confirmed: false
        })
    );
    assert_eq!(memory.drains.len(), 2, "until they are known to be gone");
    assert_eq!(fleet.round(60).len(), 2);
    assert!(fleet.memory().drains.is_empty());
    assert_eq!(
        fleet.memory().wrote.map(|it| (it.to, it.confirmed)),
        Some((2, true))
    );
}

#[test]
fn while_a_task_is_left_it_drains() {
    let mut fleet = two_drain();
    fleet.task("web", 3);
    fleet.task("web", 4).desired_running = false;
    fleet.desire("web", 1);
    check(
        &mut fleet,
        &[
            "1: in_use",
            "2: disruption_budget_spent",
            "3 4: draining",
            "scaling_in",
        ],
    );
}

#[test]
fn a_daemon_does_not_keep_an_instance() {
    let mut fleet = two_drain();
    fleet.service("agent", 0);
    fleet.task("agent", 3).is_daemon = true;
    let plan = fleet.decide().plan;
    assert_eq!(
        picture(&plan)[..2],
        ["terminate 3: drained", "terminate 4: drained"]
    );
}

#[test]
fn whatever_forbids_removing_forbids_terminating() {
    for change in [
        (|it| it.group().suspended_processes = ["Terminate".to_owned()].into()) as fn(&mut Fleet),
        |it| {
            it.cluster().gaps.push(Gap {
                operation: "ecs:ListTasks".to_owned(),
                resource: "demo".to_owned(),
                cause: GapCause::OutOfTime,
                detail: String::new(),
            });
        },
        |it| {
            for deployment in &mut it.service("web", 1).deployments {
                deployment.in_progress = true;
            }
        },
        |it| it.instance(1).is_healthy = false,
        |it| {
            for number in [3, 4] {
                it.instance(number).lifecycle = Lifecycle::Terminating;
            }
        },
    ] {
        let mut fleet = two_drain();
        change(&mut fleet);
        let plan = fleet.decide().plan;
        assert!(plan.steps.is_empty(), "{:?}", picture(&plan));
    }
}

#[test]
fn one_that_somebody_protected_meanwhile_takes_tasks_again() {
    let mut fleet = two_drain();
    fleet.instance(3).protected_from_scale_in = true;
    check(
        &mut fleet,
        &[
            "activate 3: may_not_end",
            "terminate 4: drained",
            "1: in_use",
            "2: spare",
            "scaling_in",
        ],
    );
    fleet.round(60);
    check(
        &mut fleet,
        &[
            "drain 2: scale_in, budget 1",
            "1: in_use",
            "3: scale_in_protected",
            "scaling_in",
        ],
    );
}

/// It would be DRAINING, and paid for, for as long as the veto stands.
#[test]
fn an_empty_drain_that_may_not_end_is_taken_back_after_the_timeout() {
    let mut fleet = two_drain();
    fleet.policy().drain_timeout = Seconds(900);
    fleet.group().suspended_processes = ["Terminate".to_owned()].into();
    fleet.drain(3, 900);
    fleet.drain(4, 899);
    check(
        &mut fleet,
        &[
            "activate 3: may_not_end",
            "1: in_use",
            "2: spare",
            "4: draining",
            "scaling_in",
        ],
    );
    fleet.round(1);
    fleet.round(60);
    check(
        &mut fleet,
        &[
            "1: in_use",
            "2 3 4: spare",
            "vetoed: the group's process `Terminate` is suspended",
        ],
    );
}

#[test]
fn a_minimum_that_was_raised_meanwhile_takes_drains_back() {
    let mut fleet = two_drain();
    fleet.group().min_size = 3;
    // The one that was drained last has lost the least.
    check(
        &mut fleet,
        &[
            "activate 4: needed_again",
            "terminate 3: drained",
            "1: in_use",
            "2: spare",
            "launching",
        ],
    );
    fleet.group().min_size = 4;
    let plan = fleet.decide().plan;
    assert_eq!(
        picture(&plan)[..2],
        ["activate 4: needed_again", "activate 3: needed_again"]
    );
}

#[test]
fn drains_are_taken_back_before_anything_is_bought() {
    let mut fleet = two_drain();
    // Three of them fit on an instance: 1 and 2 take five more, 3 and 4 six.
    fleet.desire("web", 11);
    check(
        &mut fleet,
        &[
            "activate 4: needed_again",
            "activate 3: needed_again",
            "1: in_use",
            "2: spare",
            "launching",
        ],
    );
    fleet.desire("web", 13);
    check(
        &mut fleet,
        &[
            "activate 4: needed_again",
            "activate 3: needed_again",
            "desired 4 to 5: scale_out",
            "1: in_use",
            "2: spare",
        ],
    );
}

#[test]
fn the_one_with_the_most_tasks_is_taken_back_first() {
    let mut fleet = Fleet::of([4, 0, 0]);
    fleet.policy().consolidate = true;
    fleet.tasks("web", &[3, 3, 1, 2]);
    fleet.drain(3, 50);
    fleet.drain(4, 100);
    fleet.group().min_size = 3;
    let plan = fleet.decide().plan;
    assert_eq!(picture(&plan)[0], "activate 4: needed_again");
}

#[test]
fn a_drain_that_does_not_come_to_an_end_is_taken_back_and_let_be() {
    let mut fleet = Fleet::of([2, 0, 0]);
    fleet.policy().consolidate = true;
    fleet.policy().drain_timeout = Seconds(900);
    fleet.tasks("web", &[1, 1]);
    // It became protected after the drain began.
    for task in &mut fleet.cluster().tasks {
        task.protected_until = Some(Some("2030-01-01T00:00:00Z".parse().unwrap()));
    }
    fleet.drain(2, 899);
    check(&mut fleet, &["1: in_use", "2: draining", "scaling_in"]);
    fleet.drain(2, 900);
    let plan = fleet.decide().plan;
    assert_eq!(picture(&plan)[0], "activate 2: drain_timed_out");
    fleet.round(60);
    assert!(fleet.memory().drains.is_empty());
    // Its task could be moved again. It is let be for an hour all the same.
    fleet.cluster().tasks[1].protected_until = Some(None);
    fleet.watch();
    check(
        &mut fleet,
        &[
            "1: protected_tasks",
            "2: tasks_fit_nowhere_else",
            "nothing_removable",
        ],
    );
    fleet.now = Seconds(3_600 - 60).after(fleet.now);
    fleet.watch();
    assert_eq!(
        picture(&fleet.decide().plan)[0],
        "drain 2: scale_in, budget 1"
    );
}

#[test]
fn an_empty_drain_that_may_end_does_not_time_out() {
    let mut fleet = two_drain();
    fleet.drain(3, 90_000);
    let plan = fleet.decide().plan;
    assert_eq!(picture(&plan)[0], "terminate 3: drained");
}

#[test]
fn what_others_drain_is_never_touched() {
    let mut fleet = Fleet::of([3, 0, 0]);
    fleet.policy().disruption_percent = 100;
    fleet.container(2).status = ContainerInstanceStatus::Draining;
    fleet.tasks("web", &[1, 1]);
    fleet.watch();
    let plan = fleet.decide().plan;
    let picture = picture(&plan);
    assert!(
        picture.contains(&"2: drained_by_somebody_else".to_owned()),
        "{picture:?}"
    );
    assert!(
        !picture
            .iter()
            .any(|it| it.starts_with("activate") || it.starts_with("terminate"))
    );
}

#[test]
fn without_a_memory_nobody_knows_whose_a_drain_is() {
    let mut fleet = two_drain();
    fleet.recall = Recall::Unknown;
    let plan = fleet.decide().plan;
    assert!(picture(&plan).contains(&"3 4: drained_by_somebody_else".to_owned()));
    assert!(
        !picture(&plan)
            .iter()
            .any(|it| it.starts_with("activate") || it.starts_with("terminate"))
    );
}

#[test]
fn an_instance_that_somebody_set_to_active_is_no_longer_ours_to_end() {
    let mut fleet = two_drain();
    fleet.container(3).status = ContainerInstanceStatus::Active;
    fleet.container(4).status = ContainerInstanceStatus::Active;
    fleet.drain(4, 29);
    fleet.container(4).status = ContainerInstanceStatus::Active;
    let memory = fleet.decide().memories.remove(&key()).unwrap();
    // The one of a moment ago may not show yet.
    assert!(!memory.drains.contains_key(&id(3)));
    assert!(memory.drains.contains_key(&id(4)));
    // One that is gone is forgotten.
    let container = fleet.container(4).arn.clone();
    fleet.cluster().instances.remove(&container);
    fleet.group().instances.remove(&id(4));
    let memory = fleet.decide().memories.remove(&key()).unwrap();
    assert!(memory.drains.is_empty());
}

#[test]
fn where_the_provider_is_not_touched_drains_wait() {
    let held = |change: fn(&mut Fleet)| {
        let mut fleet = two_drain();
        change(&mut fleet);
        let plan = fleet.decide().plan;
        assert!(plan.steps.is_empty(), "{:?}", picture(&plan));
        picture(&plan)
    };
    for (change, why) in [
        ((|it| it.policy().paused = true) as fn(&mut Fleet), "paused"),
        (
            |it| it.group().scaling_policies = ["mine".to_owned()].into(),
            "neighbours",
        ),
        (
            |it| it.policy().consent = model::capacity::Consent::Advise,
            "advice_only",
        ),
        (|it| it.provider().policy = Err(Vec::new()), "policy_faults"),
        (
            |it| {
                let wrote = CapacityWrite {
                    from: 9,
                    to: 9,
                    at: it.now,
                    confirmed: true,
                };
                it.memory().wrote = Some(wrote);
            },
            "foreign_change",
        ),
    ] {
        assert_eq!(held(change), ["1 2: provider_held", "3 4: draining", why]);
    }
}

#[test]
fn terminations_that_show_one_after_the_other_are_nobody_elses() {
    let mut fleet = two_drain();
    fleet.round(5);
    assert_eq!(fleet.group().desired_capacity, 2);
    fleet.group().desired_capacity = 3;
    let last = |fleet: &mut Fleet| picture(&fleet.decide().plan).pop().unwrap();
    assert_eq!(last(&mut fleet), "own_write_not_visible");
    fleet.now = Seconds(25).after(fleet.now);
    assert_eq!(last(&mut fleet), "foreign_change");
}

/// Another invocation has announced to drain an instance, or AWS's answer is older than the write: no other one is drained in its place.
#[test]
fn one_that_is_announced_to_drain_and_reads_active_counts_as_draining() {
    let mut fleet = Fleet::of([4, 0, 0]);
    fleet.tasks("web", &[1]);
    fleet.drain(4, 29);
    fleet.container(4).status = ContainerInstanceStatus::Active;
    check(
        &mut fleet,
        &[
            "1: in_use",
            "2 3: disruption_budget_spent",
            "4: draining",
            "scaling_in",
        ],
    );
    // The write never came.
    fleet.round(1);
    check(
        &mut fleet,
        &[
            "drain 4: scale_in, budget 1",
            "1: in_use",
            "2 3: disruption_budget_spent",
            "scaling_in",
        ],
    );
}

/// An agent that lost its state registered its instance anew, and the old container instance still reads ACTIVE.
#[test]
fn a_container_instance_that_was_left_behind_ends_no_drain() {
    let mut fleet = two_drain();
    let mut behind = fleet.container(3).clone();
    behind.arn = fleet
        .container(3)
        .arn
        .as_str()
        .replace("3", "f")
        .parse()
        .unwrap();
    behind.status = ContainerInstanceStatus::Active;
    behind.agent_connected = false;
    let arn = behind.arn.clone();
    fleet.cluster().instances.insert(arn, behind);
    let memory = fleet.decide().memories.remove(&key()).unwrap();
    assert!(memory.drains.contains_key(&id(3)));
    let plan = fleet.decide().plan;
    assert_eq!(picture(&plan)[0], "terminate 3: drained");
}

/// Taking back changes no size: nobody's.
#[test]
fn what_tasks_need_is_taken_back_although_somebody_else_changed_the_size() {
    for (at_secs, from, why) in [(600, 9, "foreign_change"), (10, 4, "own_write_not_visible")] {
        let mut fleet = two_drain();
        fleet.desire("web", 8);
        let wrote = CapacityWrite {
            from,
            to: 9,
            at: Seconds(at_secs).before(fleet.now),
            confirmed: true,
        };
        fleet.memory().wrote = Some(wrote);
        check(
            &mut fleet,
            &[
                "activate 3: needed_again",
                "1 2: provider_held",
                "4: draining",
                why,
            ],
        );
        assert_eq!(fleet.round(1).len(), 1, "the audit agrees");
    }
}

/// It would be taken for somebody else's, and another one bought in its place.
#[test]
fn one_that_was_just_set_to_active_and_reads_draining_is_active() {
    let mut fleet = Fleet::of([2, 0, 0]);
    fleet.tasks("web", &[3]);
    fleet.desire("web", 4);
    fleet.drain(2, 60);
    check(
        &mut fleet,
        &["activate 2: needed_again", "1: in_use", "launching"],
    );
    fleet.round(5);
    fleet.container(2).status = ContainerInstanceStatus::Draining;
    fleet.task("web", 2);
    let now = fleet.now;
    check(&mut fleet, &["1 2: in_use", "right_size"]);
    // Then it is somebody else who drains it.
    fleet.now = Seconds(60).after(now);
    check(
        &mut fleet,
        &[
            "desired 2 to 3: scale_out",
            "1: in_use",
            "2: drained_by_somebody_else",
        ],
    );
}
