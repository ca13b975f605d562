//! The second opinion on what is removed.

use model::Seconds;
use model::capacity::{ContainerInstanceStatus, Resources};
use model::memory::{Level, Recall, Watch};

use super::audit::{
    NONE, ago, arn, check, drain, draining, fleet, judge, raise, removing, terminate,
};
use crate::fleet::{Fleet, id};
use crate::scene::gap;

#[test]
fn a_plan_does_not_buy_and_remove() {
    let mut it = fleet();
    let steps = vec![raise(10, 12), drain(&mut it, 9)];
    assert_eq!(judge(&mut it, steps), ["one_direction"]);
    let steps = vec![raise(10, 12), terminate(&mut it, 10)];
    assert_eq!(judge(&mut it, steps), ["one_direction"]);
    let steps = vec![drain(&mut it, 9), raise(10, 12)];
    assert_eq!(judge(&mut it, steps), ["one_direction"]);
}

#[test]
fn suspended_processes_are_respected() {
    let suspend = |name: &'static str| {
        move |it: &mut Fleet| _ = it.group().suspended_processes.insert(name.to_owned())
    };
    check(suspend("Launch"), [&["suspended"], &NONE, &NONE, &NONE]);
    removing(suspend("Terminate"), "suspended");
    check(suspend("AlarmNotification"), [&NONE; 4]);
}

#[test]
fn drains_of_others_are_theirs() {
    let law: &[&str] = &["only_own_drains"];
    check(|it| it.memory().drains.clear(), [&NONE, &NONE, law, law]);
}

#[test]
fn nothing_is_removed_on_incomplete_data() {
    let law = "complete_before_removing";
    removing(|it| it.snapshot.gaps.push(gap("ecs:ListClusters")), law);
    removing(|it| it.cluster().gaps.push(gap("ecs:ListTasks")), law);
    removing(|it| it.provider().gaps.push(gap("autoscaling:X")), law);
    let both: &[&str] = &["complete_before_removing", "only_own_drains"];
    check(
        |it| it.recall = Recall::Unknown,
        [&NONE, &[law], both, &["only_own_drains"]],
    );
}

#[test]
fn nothing_is_removed_during_a_deployment() {
    let law = "no_deployment";
    let starts = |it: &mut Fleet| it.service("web", 0).deployments[0].in_progress = true;
    removing(starts, law);
    removing(
        |it| {
            let mut second = it.service("web", 0).deployments[0].clone();
            second.is_primary = false;
            it.service("web", 0).deployments.push(second);
        },
        law,
    );
    // It is placed elsewhere, and its tasks are still here, or are not.
    let moves = |it: &mut Fleet| {
        starts(it);
        let service = it.service("web", 0);
        service.strategy.clear();
        service.deployments[0].strategy.clear();
    };
    removing(moves, law);
    check(
        |it| {
            moves(it);
            it.cluster().tasks.clear();
        },
        [&NONE; 4],
    );
    // Only the newer deployment's strategy names the provider.
    removing(
        |it| {
            starts(it);
            it.service("web", 0).strategy.clear();
            it.cluster().tasks.clear();
        },
        law,
    );
}

#[test]
fn nothing_is_removed_while_many_are_unhealthy() {
    let law = "enough_healthy";
    let most = |it: &mut Fleet| it.policy().disruption_percent = 100;
    let sick = |count: u32| {
        move |it: &mut Fleet| {
            most(it);
            for number in 1..=count {
                it.instance(number).is_healthy = false;
            }
        }
    };
    check(sick(2), [&NONE; 4]);
    removing(sick(3), law);
    removing(
        |it| {
            sick(2)(it);
            it.container(3).is_impaired = true;
        },
        law,
    );
    let gone = |secs| {
        move |it: &mut Fleet| {
            sick(2)(it);
            let since = ago(it.now, secs);
            it.container(3).agent_connected = false;
            it.memory().disconnected.insert(id(3), since);
        }
    };
    removing(gone(301), law);
    check(gone(299), [&NONE; 4]);
    let unregistered = |secs| {
        move |it: &mut Fleet| {
            sick(2)(it);
            let since = ago(it.now, secs);
            let container = it.container(7).arn.clone();
            it.cluster().instances.remove(&container);
            it.memory().unregistered.insert(id(7), since);
        }
    };
    removing(unregistered(301), law);
    check(unregistered(299), [&NONE; 4]);
}

#[test]
fn the_whole_delay_passes_first() {
    let law: &[&str] = &["unwanted_for_the_delay"];
    let level = |tasks, secs| {
        move |it: &mut Fleet| {
            let at = ago(it.now, secs);
            it.memory().wanted.insert(0, Level { tasks, at });
        }
    };
    // Ten are asked for, one drains, one would.
    draining(level(9, 299), law);
    draining(level(9, 300), &NONE);
    draining(level(8, 0), &NONE);
    // What was wanted above a limit that is lower now.
    check(
        |it| {
            level(20, 10)(it);
            it.group().max_size = 8;
        },
        [&["within_limits"], &NONE, &NONE, &NONE],
    );
    let watched = |since, until| {
        move |it: &mut Fleet| {
            let (since, until) = (ago(it.now, since), ago(it.now, until));
            it.memory().watched = Some(Watch { since, until });
        }
    };
    draining(watched(299, 60), law);
    draining(watched(300, 60), &NONE);
    draining(watched(3_600, 181), law);
    draining(|it| it.memory().watched = None, law);
    // Two more would leave as many as were wanted, three would not.
    let mut fleet = fleet();
    fleet.policy().disruption_percent = 100;
    let steps = [9, 8].map(|number| drain(&mut fleet, number));
    assert_eq!(judge(&mut fleet, steps.to_vec()), NONE);
    let steps = [9, 8, 7].map(|number| drain(&mut fleet, number));
    assert_eq!(judge(&mut fleet, steps.to_vec()), law);
}

#[test]
fn a_young_instance_stays() {
    let registered = |at: Option<i64>| {
        move |it: &mut Fleet| it.container(9).registered_at = at.map(|secs| ago(it.now, secs))
    };
    draining(registered(Some(299)), &["old_enough"]);
    draining(registered(Some(300)), &NONE);
    draining(registered(None), &["old_enough"]);
}

#[test]
fn tasks_stay_where_they_may_not_be_moved() {
    let law: &[&str] = &["no_task_lost"];
    let mut it = fleet();
    let step = drain(&mut it, 6);
    assert_eq!(judge(&mut it, vec![step]), law);
    it.policy().consolidate = true;
    let step = drain(&mut it, 6);
    assert_eq!(judge(&mut it, vec![step.clone()]), NONE);
    let later = Seconds(60).after(it.now);
    let of_it = |it: &mut Fleet, change: &dyn Fn(&mut model::capacity::InstanceTask)| {
        change(it.cluster().tasks.iter_mut().last().unwrap());
    };
    let on = it.cluster().tasks.last().unwrap().instance.clone();
    assert_eq!(on, Some(arn(&mut it, 6)));
    for (until, expected) in [
        (Some(Some(later)), law),
        (Some(Some(it.now)), &NONE),
        (None, law),
        (Some(None), &NONE),
    ] {
        of_it(&mut it, &|task| task.protected_until = until);
        assert_eq!(judge(&mut it, vec![step.clone()]), expected);
    }
    of_it(&mut it, &|task| task.service = None);
    assert_eq!(judge(&mut it, vec![step.clone()]), law);
    of_it(&mut it, &|task| task.is_daemon = true);
    let empty = drain(&mut it, 6);
    assert_eq!(judge(&mut it, vec![empty]), ["precondition"]);
    // It drains, and a task has come to it.
    let mut it = fleet();
    it.task("web", 10);
    let step = terminate(&mut it, 10);
    assert_eq!(judge(&mut it, vec![step.clone()]), law);
    it.cluster().tasks.last_mut().unwrap().desired_running = false;
    assert_eq!(judge(&mut it, vec![step.clone()]), law);
    it.cluster().tasks.last_mut().unwrap().is_daemon = true;
    assert_eq!(judge(&mut it, vec![step]), NONE);
}

#[test]
fn tasks_that_move_find_room() {
    let mut it = fleet();
    it.policy().consolidate = true;
    it.policy().disruption_percent = 100;
    let law = ["room_elsewhere"];
    // No instance has so much left, even though all of them together have.
    let large = Resources {
        cpu_units: 256,
        memory_mib: 1_900,
        gpus: 0,
        network_interfaces: 0,
    };
    it.cluster().tasks.last_mut().unwrap().needs = large;
    let step = drain(&mut it, 6);
    assert_eq!(judge(&mut it, vec![step.clone()]), NONE);
    for number in 7..=9 {
        it.task("web", number);
    }
    assert_eq!(judge(&mut it, vec![step]), law);
    // Each alone finds room, all of them together do not.
    let mut it = Fleet::of([4, 0, 0]);
    it.policy().consolidate = true;
    it.policy().disruption_percent = 100;
    it.tasks("web", &[2, 2, 2, 2]);
    let steps = [1, 2].map(|number| drain(&mut it, number));
    assert_eq!(judge(&mut it, steps[..1].to_vec()), NONE);
    assert_eq!(judge(&mut it, steps.to_vec()), law);
    // A task that ends makes room, and needs none.
    for task in it.cluster().tasks.iter_mut().take(2) {
        task.desired_running = false;
    }
    assert_eq!(judge(&mut it, steps.to_vec()), NONE);
}

#[test]
fn protected_instances_stay() {
    removing(
        |it| {
            it.instance(9).protected_from_scale_in = true;
            it.instance(10).protected_from_scale_in = true;
        },
        "protected",
    );
}

#[test]
fn the_disruption_budget_is_kept() {
    let law: &[&str] = &["disruption_budget"];
    // One of ten drains already.
    draining(|it| it.policy().disruption_percent = 20, &NONE);
    draining(|it| it.policy().disruption_percent = 11, &NONE);
    draining(|it| it.policy().disruption_percent = 10, law);
    let sick = |number: u32| {
        move |it: &mut Fleet| {
            it.policy().disruption_percent = 20;
            it.instance(number).is_healthy = false;
        }
    };
    draining(sick(1), law);
    draining(sick(10), &NONE);
    let foreign = |it: &mut Fleet| {
        it.policy().disruption_percent = 20;
        it.container(1).status = ContainerInstanceStatus::Draining;
    };
    draining(foreign, law);
    let mut it = fleet();
    let steps = [9, 8, 7].map(|number| drain(&mut it, number));
    assert!(judge(&mut it, steps.to_vec()).contains(&"disruption_budget"));
}
