//! The second opinion catches each way in which a plan may be wrong, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    CapacityAction, CapacityPlan, CapacityStep, CapacityStepReason, CapacitySubject, CapacityWrite,
    ContainerInstanceStatus, DesiredCapacityType, DrainReason, GroupTypes, Lifecycle,
    ManagedScaling, ProviderNumbers, Resources, TypeChoice,
};
use model::memory::{ForeignEdit, Level, Recall, Watch};
use model::policy::Installation;
use model::{Seconds, Timestamp};
use placement::capacity::audit::{LAWS, audit};

use crate::fleet::{Fleet, id, key};
use crate::scene::gap;

const NONE: [&str; 0] = [];

fn subject(number: u32) -> CapacitySubject {
    CapacitySubject::Instances {
        provider: key(),
        instances: vec![id(number)],
    }
}

fn of_provider() -> CapacitySubject {
    CapacitySubject::Provider { provider: key() }
}

fn raise(from: u32, to: u32) -> CapacityStep {
    CapacityStep {
        subject: of_provider(),
        action: CapacityAction::SetDesiredCapacity {
            group: "ec2".parse().unwrap(),
            from,
            to,
        },
        reason: CapacityStepReason::ScaleOut {
            numbers: ProviderNumbers::default(),
            unplaced: Vec::new(),
            short_by: 0,
        },
    }
}

fn arn(fleet: &mut Fleet, number: u32) -> model::ContainerInstanceArn {
    fleet.container(number).arn.clone()
}

fn drain(fleet: &mut Fleet, number: u32) -> CapacityStep {
    let container_instance = arn(fleet, number);
    CapacityStep {
        subject: subject(number),
        action: CapacityAction::Drain {
            cluster: "demo".parse().unwrap(),
            instance: id(number),
            tasks: fleet.held(&container_instance),
            container_instance,
        },
        reason: CapacityStepReason::ScaleIn {
            drain: DrainReason::Empty,
            wanted_max: 0,
            desired: 0,
            scale_in_delay: Seconds::ZERO,
            budget_left: 1,
        },
    }
}

fn activate(fleet: &mut Fleet, number: u32) -> CapacityStep {
    CapacityStep {
        subject: subject(number),
        action: CapacityAction::Activate {
            cluster: "demo".parse().unwrap(),
            instance: id(number),
            container_instance: arn(fleet, number),
        },
        reason: CapacityStepReason::NeededAgain {
            draining_since: fleet.now,
        },
    }
}

fn terminate(fleet: &mut Fleet, number: u32) -> CapacityStep {
    CapacityStep {
        subject: subject(number),
        action: CapacityAction::Terminate {
            cluster: "demo".parse().unwrap(),
            group: "ec2".parse().unwrap(),
            instance: id(number),
            container_instance: arn(fleet, number),
            desired_capacity: fleet.group().desired_capacity,
        },
        reason: CapacityStepReason::Drained {
            draining_since: fleet.now,
        },
    }
}

fn judge(fleet: &mut Fleet, steps: Vec<CapacityStep>) -> Vec<&'static str> {
    fleet.refresh();
    let plan = CapacityPlan {
        steps,
        holds: Vec::new(),
    };
    let memories = BTreeMap::from([(key(), fleet.recall.clone())]);
    let installation = Installation::default();
    let found = audit(&plan, &fleet.snapshot, &installation, &memories, fleet.now);
    assert!(found.iter().all(|it| LAWS.contains(&it.law)));
    assert!(found.iter().all(|it| it.step < plan.steps.len()));
    let laws: BTreeSet<&str> = found.iter().map(|it| it.law).collect();
    laws.into_iter().collect()
}

/// Ten instances of which 1 to 6 hold tasks, watched for an hour in which no more than seven were wanted; 10 drains and is empty.
fn fleet() -> Fleet {
    let mut fleet = Fleet::of([4, 3, 3]);
    fleet.tasks("web", &[3, 3, 2, 1, 1, 1]);
    fleet.policy().scale_in_delay = Seconds(300);
    fleet.policy().minimum_age = Seconds(300);
    fleet.policy().disruption_percent = 30;
    fleet.drain(10, 120);
    let now = fleet.now;
    let memory = fleet.memory();
    memory.watched = Some(Watch {
        since: ago(now, 3_600),
        until: ago(now, 60),
    });
    memory.wanted = vec![Level {
        tasks: 7,
        at: ago(now, 60),
    }];
    memory.wrote = Some(CapacityWrite {
        from: 9,
        to: 10,
        at: ago(now, 3_600),
        confirmed: true,
    });
    fleet
}

fn ago(now: Timestamp, secs: i64) -> Timestamp {
    Seconds(secs).before(now)
}

/// What the laws say of each kind of step, after the change: a raise from 10 to 12, a drain of the empty 9, the termination of 10, and
/// setting 10 to ACTIVE.
#[track_caller]
fn check(change: impl FnOnce(&mut Fleet), expected: [&[&str]; 4]) {
    let mut fleet = fleet();
    change(&mut fleet);
    let desired = fleet.group().desired_capacity;
    let [raised, drained, ended, back] = [
        raise(desired, desired + 2),
        drain(&mut fleet, 9),
        terminate(&mut fleet, 10),
        activate(&mut fleet, 10),
    ]
    .map(|step| judge(&mut fleet, vec![step]));
    assert_eq!([&raised[..], &drained, &ended, &back], expected);
}

#[track_caller]
fn everything(change: impl FnOnce(&mut Fleet), law: &str) {
    check(change, [&[law]; 4]);
}

/// Of all but taking back, which changes no size.
#[track_caller]
fn whatever_sizes(change: impl FnOnce(&mut Fleet), law: &str) {
    check(change, [&[law], &[law], &[law], &NONE]);
}

/// Of removing, and of nothing else.
#[track_caller]
fn removing(change: impl FnOnce(&mut Fleet), law: &str) {
    check(change, [&NONE, &[law], &[law], &NONE]);
}

/// Of beginning to drain only.
#[track_caller]
fn draining(change: impl FnOnce(&mut Fleet), laws: &[&str]) {
    check(change, [&NONE, laws, &NONE, &NONE]);
}

#[test]
fn right_plans_pass() {
    check(|_| (), [&NONE; 4]);
    let mut fleet = fleet();
    let steps = vec![
        terminate(&mut fleet, 10),
        drain(&mut fleet, 9),
        drain(&mut fleet, 8),
    ];
    assert_eq!(judge(&mut fleet, steps), NONE);
    assert_eq!(judge(&mut fleet, Vec::new()), NONE);
    let steps = vec![activate(&mut fleet, 10), raise(10, 100)];
    assert_eq!(judge(&mut fleet, steps), NONE);
}

#[test]
fn nothing_is_touched_without_opt_in() {
    let tag = |name: &'static str, value: &'static str| {
        move |it: &mut Fleet| {
            let tags = &mut it.group().tags;
            tags.insert(name.to_owned(), value.to_owned());
        }
    };
    everything(|it| it.group().tags.clear(), "opt_in");
    everything(tag("ballast:cluster-scaler", "advise"), "opt_in");
    everything(tag("ballast:paused", "true"), "opt_in");
    everything(tag("ballast:paused", "yes"), "opt_in");
    everything(|it| it.policy().paused = true, "opt_in");
    everything(
        |it| it.policy().consent = model::capacity::Consent::Advise,
        "opt_in",
    );
    everything(|it| it.provider().policy = Err(Vec::new()), "opt_in");
    let mut fleet = fleet();
    let mut step = raise(10, 12);
    step.subject = CapacitySubject::Provider {
        provider: "demo/other".parse().unwrap(),
    };
    assert_eq!(judge(&mut fleet, vec![step]), ["opt_in"]);
    let [ended, drained] = [terminate(&mut fleet, 10), drain(&mut fleet, 9)];
    fleet.group().instances.remove(&id(10));
    fleet.group().instances.remove(&id(9));
    assert_eq!(judge(&mut fleet, vec![ended]), ["opt_in"]);
    assert!(judge(&mut fleet, vec![drained]).contains(&"opt_in"));
}

#[test]
fn a_group_that_cannot_be_sized_is_left_alone() {
    everything(|it| it.group().is_deleting = true, "sizable");
    let weighted = |weight| {
        move |it: &mut Fleet| {
            it.group().types = GroupTypes::Listed {
                choices: vec![TypeChoice {
                    instance_type: "t3.small".parse().unwrap(),
                    weighted_capacity: Some(weight),
                }],
            };
        }
    };
    everything(weighted(2), "sizable");
    check(weighted(1), [&NONE; 4]);
    let of_type = |it: &mut Fleet| {
        it.group().desired_capacity_type = DesiredCapacityType::Other {
            name: "memory-mib".to_owned(),
        };
    };
    everything(of_type, "sizable");
}

#[test]
fn nobody_else_decides_about_the_size() {
    let managed = |enabled| ManagedScaling {
        enabled,
        target_capacity_percent: None,
        minimum_scaling_step_size: None,
        maximum_scaling_step_size: None,
        instance_warmup_period: None,
    };
    let law = "one_writer";
    everything(
        |it| it.provider().managed_scaling = Some(managed(true)),
        law,
    );
    check(
        |it| it.provider().managed_scaling = Some(managed(false)),
        [&NONE; 4],
    );
    everything(
        |it| it.provider().managed_termination_protection = true,
        law,
    );
    everything(|it| it.group().has_warm_pool = true, law);
    let name = || BTreeSet::from(["nightly".to_owned()]);
    everything(|it| it.group().scaling_policies = name(), law);
    everything(|it| it.group().scheduled_actions = name(), law);
    everything(
        |it| _ = it.provider().other_clusters.insert("b".parse().unwrap()),
        law,
    );
}

#[test]
fn a_foreign_change_is_left_alone() {
    let wrote = |from, to, secs, confirmed| {
        move |it: &mut Fleet| {
            let at = ago(it.now, secs);
            it.memory().wrote = Some(CapacityWrite {
                from,
                to,
                at,
                confirmed,
            });
        }
    };
    let law = "one_writer";
    whatever_sizes(wrote(0, 9, 3_600, true), law);
    whatever_sizes(wrote(0, 9, 3_600, false), law);
    whatever_sizes(wrote(0, 9, 5, true), law);
    whatever_sizes(wrote(10, 12, 3_600, true), law);
    // What was asked for and never confirmed.
    check(wrote(10, 12, 3_600, false), [&NONE; 4]);
    check(wrote(12, 9, 3_600, false), [&NONE; 4]);
    // It is still on its way.
    whatever_sizes(wrote(10, 12, 29, false), law);
    whatever_sizes(wrote(10, 12, 29, true), law);
    // It was left alone for long enough, or not.
    let edited = |found, secs| {
        move |it: &mut Fleet| {
            wrote(0, 9, 3_600, true)(it);
            let noticed_at = ago(it.now, secs);
            it.memory().foreign = Some(ForeignEdit {
                found,
                wrote: 9,
                noticed_at,
            });
        }
    };
    check(edited(10, 3_600), [&NONE; 4]);
    whatever_sizes(edited(10, 3_599), law);
    whatever_sizes(edited(11, 3_600), law);
    // Limits moved it.
    check(
        |it| {
            wrote(10, 12, 3_600, true)(it);
            let now = ago(it.now, 3_600);
            it.memory().wrote = Some(CapacityWrite {
                from: 0,
                to: 12,
                at: now,
                confirmed: true,
            });
            it.group().max_size = 10;
        },
        [&["within_limits"], &NONE, &NONE, &NONE],
    );
}

#[test]
fn what_was_seen_is_the_precondition() {
    let mut it = fleet();
    assert_eq!(judge(&mut it, vec![raise(9, 12)]), ["precondition"]);
    let mut step = raise(10, 12);
    if let CapacityAction::SetDesiredCapacity { group, .. } = &mut step.action {
        *group = "other".parse().unwrap();
    }
    assert_eq!(judge(&mut it, vec![step]), ["precondition"]);
    let mut step = drain(&mut it, 9);
    if let CapacityAction::Drain { tasks, .. } = &mut step.action {
        *tasks = 1;
    }
    assert_eq!(judge(&mut it, vec![step]), ["precondition"]);
    let mut step = terminate(&mut it, 10);
    if let CapacityAction::Terminate {
        desired_capacity, ..
    } = &mut step.action
    {
        *desired_capacity = 9;
    }
    assert_eq!(judge(&mut it, vec![step]), ["precondition"]);
    // The container instance of another instance, one that is not there, and a subject that is another one.
    let mut step = drain(&mut it, 9);
    if let CapacityAction::Drain {
        container_instance, ..
    } = &mut step.action
    {
        *container_instance = arn(&mut it, 8);
    }
    assert_eq!(judge(&mut it, vec![step]), ["precondition"]);
    for wrong in [subject(8), of_provider()] {
        let step = CapacityStep {
            subject: wrong,
            ..drain(&mut it, 9)
        };
        assert_eq!(judge(&mut it, vec![step]), ["precondition"]);
    }
    let mut step = activate(&mut it, 10);
    if let CapacityAction::Activate { cluster, .. } = &mut step.action {
        *cluster = "other".parse().unwrap();
    }
    assert_eq!(judge(&mut it, vec![step]), ["precondition"]);
    // The other status, and instances that are not in service.
    check(
        |it| {
            it.container(9).status = ContainerInstanceStatus::Registering;
            it.container(10).status = ContainerInstanceStatus::Active;
        },
        [
            &NONE,
            &["precondition"],
            &["precondition"],
            &["precondition"],
        ],
    );
    for lifecycle in [
        Lifecycle::Standby,
        Lifecycle::Terminating,
        Lifecycle::Detaching,
        Lifecycle::Warmed,
        Lifecycle::Pending,
        Lifecycle::Unknown,
    ] {
        check(
            |it| {
                it.policy().disruption_percent = 100;
                it.instance(9).lifecycle = lifecycle;
                it.instance(10).lifecycle = lifecycle;
            },
            [&NONE, &["precondition"], &["precondition"], &NONE],
        );
    }
}

#[test]
fn the_size_stays_within_the_limits_of_group_and_step() {
    let mut it = fleet();
    assert_eq!(judge(&mut it, vec![raise(10, 101)]), ["within_limits"]);
    assert_eq!(judge(&mut it, vec![raise(10, 10)]), ["only_upwards"]);
    assert_eq!(judge(&mut it, vec![raise(10, 9)]), ["only_upwards"]);
    it.policy().step_max = Some(3);
    assert_eq!(judge(&mut it, vec![raise(10, 13)]), NONE);
    assert_eq!(judge(&mut it, vec![raise(10, 14)]), ["step_limit"]);
    it.policy().step_max = None;
    it.provider().managed_scaling = Some(ManagedScaling {
        enabled: false,
        target_capacity_percent: None,
        minimum_scaling_step_size: None,
        maximum_scaling_step_size: Some(1),
        instance_warmup_period: None,
    });
    assert_eq!(judge(&mut it, vec![raise(10, 12)]), ["step_limit"]);
    // 10 drains already: below the minimum with the next one.
    draining(|it| it.group().min_size = 9, &["within_limits"]);
    draining(|it| it.group().min_size = 8, &NONE);
    check(
        |it| it.group().min_size = 10,
        [&NONE, &["within_limits"], &["within_limits"], &NONE],
    );
}

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

#[test]
fn nothing_is_done_twice() {
    let law = ["one_step_per_subject"];
    let mut it = fleet();
    assert_eq!(judge(&mut it, vec![raise(10, 11), raise(10, 12)]), law);
    let step = activate(&mut it, 10);
    assert_eq!(judge(&mut it, vec![step.clone(), step.clone()]), law);
    let steps = vec![step, terminate(&mut it, 10)];
    assert_eq!(judge(&mut it, steps), law);
}

/// Every law has a test above that names it.
#[test]
fn every_law_is_tested() {
    let source = include_str!("audit.rs");
    let missed: Vec<&&str> = LAWS
        .iter()
        .filter(|law| !source.contains(&format!("\"{law}\"")))
        .collect();
    assert_eq!(missed, Vec::<&&str>::new());
}
