//! The second opinion catches each way in which a plan may be wrong, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    CapacityAction, CapacityPlan, CapacityStep, CapacityStepReason, CapacitySubject, CapacityWrite,
    ContainerInstanceStatus, DesiredCapacityType, DrainReason, GroupTypes, Lifecycle,
    ManagedScaling, ProviderNumbers, TypeChoice,
};
use model::memory::{ForeignEdit, Level, Watch};
use model::policy::Installation;
use model::{Seconds, Timestamp};
use placement::capacity::audit::{LAWS, audit};

use crate::fleet::{Fleet, id, key};

pub(crate) const NONE: [&str; 0] = [];

pub(crate) fn subject(number: u32) -> CapacitySubject {
    CapacitySubject::Instances {
        provider: key(),
        instances: vec![id(number)],
    }
}

pub(crate) fn of_provider() -> CapacitySubject {
    CapacitySubject::Provider { provider: key() }
}

pub(crate) fn raise(from: u32, to: u32) -> CapacityStep {
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
            still_draining: 0,
            short_by: 0,
        },
    }
}

pub(crate) fn arn(fleet: &mut Fleet, number: u32) -> model::ContainerInstanceArn {
    fleet.container(number).arn.clone()
}

pub(crate) fn drain(fleet: &mut Fleet, number: u32) -> CapacityStep {
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

pub(crate) fn activate(fleet: &mut Fleet, number: u32) -> CapacityStep {
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

pub(crate) fn terminate(fleet: &mut Fleet, number: u32) -> CapacityStep {
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

pub(crate) fn judge(fleet: &mut Fleet, steps: Vec<CapacityStep>) -> Vec<&'static str> {
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
pub(crate) fn fleet() -> Fleet {
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

pub(crate) fn ago(now: Timestamp, secs: i64) -> Timestamp {
    Seconds(secs).before(now)
}

/// What the laws say of each kind of step, after the change: a raise from 10 to 12, a drain of the empty 9, the termination of 10, and
/// setting 10 to ACTIVE.
#[track_caller]
pub(crate) fn check(change: impl FnOnce(&mut Fleet), expected: [&[&str]; 4]) {
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
pub(crate) fn everything(change: impl FnOnce(&mut Fleet), law: &str) {
    check(change, [&[law]; 4]);
}

/// Of all but taking back, which changes no size.
#[track_caller]
pub(crate) fn whatever_sizes(change: impl FnOnce(&mut Fleet), law: &str) {
    check(change, [&[law], &[law], &[law], &NONE]);
}

/// Of removing, and of nothing else.
#[track_caller]
pub(crate) fn removing(change: impl FnOnce(&mut Fleet), law: &str) {
    check(change, [&NONE, &[law], &[law], &NONE]);
}

/// Of beginning to drain only.
#[track_caller]
pub(crate) fn draining(change: impl FnOnce(&mut Fleet), laws: &[&str]) {
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
    let source = [include_str!("audit.rs"), include_str!("audit_removing.rs")].concat();
    let missed: Vec<&&str> = LAWS
        .iter()
        .filter(|law| !source.contains(&format!("\"{law}\"")))
        .collect();
    assert_eq!(missed, Vec::<&&str>::new());
}
