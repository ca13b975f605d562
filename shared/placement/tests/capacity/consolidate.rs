//! Instances whose tasks provably fit elsewhere, with the tag `ballast:consolidate`.

use std::collections::BTreeSet;

use model::Seconds;
use model::capacity::{Constraint, HostPort, Placement, Protocol, TaskShape};
use model::snapshot::TaskStatus;

use crate::fleet::Fleet;
use crate::picture::picture;

/// So many tasks of `web` on each instance of one zone, with the tag and a budget of all instances.
fn packed(on: &[u32]) -> Fleet {
    let mut fleet = Fleet::of([u32::try_from(on.len()).unwrap(), 0, 0]);
    fleet.policy().consolidate = true;
    fleet.policy().disruption_percent = 100;
    fleet.tasks("web", on);
    fleet
}

#[track_caller]
fn check(fleet: &mut Fleet, expected: &[&str]) {
    fleet.watch();
    assert_eq!(picture(&fleet.decide().plan), expected);
}

/// The first of two instances with a task each is drained, unless something keeps it: what the instances' holds say then.
#[track_caller]
fn check_kept(change: impl Fn(&mut Fleet), expected: &[&str]) {
    let mut fleet = packed(&[1, 1]);
    fleet.watch();
    assert_eq!(
        picture(&fleet.decide().plan)[0],
        "drain 2: scale_in, budget 2"
    );
    change(&mut fleet);
    fleet.watch();
    let picture = picture(&fleet.decide().plan);
    assert_eq!(picture, expected);
}

fn shape(fleet: &mut Fleet) -> &mut TaskShape {
    fleet
        .cluster()
        .task_definitions
        .values_mut()
        .next()
        .unwrap()
}

#[test]
fn the_least_loaded_give_their_tasks_to_the_others() {
    // Three fit on each.
    check(
        &mut packed(&[3, 1, 2, 2, 1]),
        &[
            "drain 5: scale_in, budget 5",
            "drain 2: scale_in, budget 4",
            "1 3 4: tasks_fit_nowhere_else",
            "scaling_in",
        ],
    );
}

#[test]
fn empty_ones_go_first_and_take_no_tasks() {
    let mut fleet = packed(&[2, 2, 2, 0]);
    fleet.policy().disruption_percent = 25;
    check(
        &mut fleet,
        &[
            "drain 4: scale_in, budget 1",
            "1 2: tasks_fit_nowhere_else",
            "3: disruption_budget_spent",
            "scaling_in",
        ],
    );
}

#[test]
fn without_the_tag_they_stay() {
    let mut fleet = packed(&[1, 1]);
    fleet.policy().consolidate = false;
    check(&mut fleet, &["1 2: in_use", "right_size"]);
}

#[test]
fn what_fits_one_by_one_and_not_together_stays() {
    // Either of the last two fits on the first, but not both.
    check(
        &mut packed(&[1, 2, 2]),
        &[
            "drain 1: scale_in, budget 3",
            "2 3: tasks_fit_nowhere_else",
            "scaling_in",
        ],
    );
    check(
        &mut packed(&[2, 2, 2]),
        &[
            "drain 3: scale_in, budget 3",
            "1 2: tasks_fit_nowhere_else",
            "scaling_in",
        ],
    );
}

#[test]
fn it_must_fit_wherever_ecs_places() {
    // A small and a large task on 2 and on 3. Beside the two small ones of 1 fits one of either size, beside those of 2 or 3 a small one.
    // So the tasks of 2 fit elsewhere, unless ECS puts the small one first, and on 1.
    let mut fleet = packed(&[2, 1, 1]);
    let until = "2026-03-01T13:00:00Z".parse().unwrap();
    for task in &mut fleet.cluster().tasks[..2] {
        task.protected_until = Some(Some(until));
    }
    fleet.tasks("large", &[0, 1, 1]);
    for (definition, shape) in &mut fleet.cluster().task_definitions {
        if definition.as_str().contains("large") {
            shape.needs.memory_mib = 800;
        }
    }
    for task in &mut fleet.cluster().tasks[4..] {
        task.needs.memory_mib = 800;
    }
    check(
        &mut fleet,
        &[
            "1: protected_tasks",
            "2 3: tasks_fit_nowhere_else",
            "nothing_removable",
        ],
    );
}

#[test]
fn headroom_and_waiting_tasks_come_first() {
    let fits = ["drain 2: scale_in, budget 2"];
    for (headroom, expected) in [(1, true), (2, false)] {
        let mut fleet = packed(&[1, 1]);
        fleet.service("web", 0).headroom_tasks = Ok(headroom);
        fleet.watch();
        let picture = picture(&fleet.decide().plan);
        assert_eq!(picture[..1] == fits, expected, "{headroom}: {picture:?}");
    }
    for (desired, expected) in [(3, true), (4, false)] {
        let mut fleet = packed(&[1, 1]);
        fleet.desire("web", desired);
        fleet.watch();
        let picture = picture(&fleet.decide().plan);
        assert_eq!(picture[..1] == fits, expected, "{desired}: {picture:?}");
    }
}

#[test]
fn ecs_must_be_able_to_replace_the_tasks() {
    check_kept(
        |it| it.service("web", 0).maximum_percent = 100,
        &["1 2: tasks_fit_nowhere_else", "nothing_removable"],
    );
    check_kept(
        |it| {
            for task in &mut it.cluster().tasks {
                task.provider = None;
            }
        },
        // With a launch type they are nobody's demand, and stay where they are.
        &["1 2: in_use", "right_size"],
    );
}

#[test]
fn protected_standalone_and_starting_tasks_stay_where_they_are() {
    let until = "2026-03-01T13:00:00Z".parse().unwrap();
    check_kept(
        |it| {
            for task in &mut it.cluster().tasks {
                task.protected_until = Some(Some(until));
            }
        },
        &["1 2: in_use", "right_size"],
    );
    check_kept(
        |it| {
            for task in &mut it.cluster().tasks {
                task.protected_until = None;
            }
        },
        &["1 2: protected_tasks", "nothing_removable"],
    );
    check_kept(
        |it| {
            for task in &mut it.cluster().tasks {
                task.service = None;
            }
            it.desire("web", 0);
        },
        &["1 2: in_use", "right_size"],
    );
    check_kept(
        |it| {
            for task in &mut it.cluster().tasks {
                task.last_status = TaskStatus::Activating;
            }
        },
        &["1 2: in_use", "nothing_removable"],
    );
    check_kept(
        |it| {
            for number in [1, 2] {
                it.instance(number).protected_from_scale_in = true;
            }
        },
        &["1 2: scale_in_protected", "nothing_removable"],
    );
    check_kept(
        |it| it.policy().minimum_age = Seconds(7_200),
        &["1 2: too_young", "nothing_removable"],
    );
}

#[test]
fn only_one_is_kept_where_only_one_is_protected() {
    check_kept(
        |it| it.cluster().tasks[1].protected_until = None,
        &[
            "drain 1: scale_in, budget 2",
            "2: protected_tasks",
            "scaling_in",
        ],
    );
}

#[test]
fn constraints_are_kept_to() {
    check_kept(
        |it| it.service("web", 0).constraints = vec![Constraint::DistinctInstance],
        &["1 2: in_use", "right_size"],
    );
    check_kept(
        |it| {
            let ports = [HostPort {
                protocol: Protocol::Tcp,
                port: 80,
            }];
            shape(it).host_ports = ports.into();
            for number in [1, 2] {
                it.container(number).host_ports = BTreeSet::from(ports);
            }
        },
        &["1 2: in_use", "right_size"],
    );
    check_kept(
        |it| {
            it.container(1)
                .attributes
                .insert("stack".to_owned(), Some("blue".to_owned()));
            it.container(2)
                .attributes
                .insert("stack".to_owned(), Some("green".to_owned()));
            it.service("web", 0).constraints = vec![Constraint::MemberOf {
                expression: "attribute:stack == green".to_owned(),
            }];
        },
        // The task on the first one may go to the second, and not the other way round.
        &[
            "drain 1: scale_in, budget 2",
            "2: tasks_fit_nowhere_else",
            "scaling_in",
        ],
    );
}

#[test]
fn room_is_kept_for_daemons() {
    let mut fleet = packed(&[2, 1]);
    check(
        &mut fleet,
        &[
            "drain 2: scale_in, budget 2",
            "1: tasks_fit_nowhere_else",
            "scaling_in",
        ],
    );
    fleet.service("agent", 0).scheduling = model::snapshot::Scheduling::Daemon;
    check(&mut fleet, &["1 2: in_use", "right_size"]);
}

#[test]
fn tasks_move_only_where_the_spread_over_zones_stays() {
    let zones = vec![Placement::Spread {
        field: "attribute:ecs.availability-zone".to_owned(),
    }];
    let mut fleet = Fleet::of([1, 1, 1]);
    fleet.policy().consolidate = true;
    fleet.policy().disruption_percent = 100;
    fleet.tasks("web", &[1, 1, 1]);
    fleet.service("web", 0).placement = zones.clone();
    check(
        &mut fleet,
        &["1 2 3: tasks_fit_nowhere_else", "nothing_removable"],
    );
    // Within a zone they move.
    let mut fleet = Fleet::of([2, 1, 1]);
    fleet.policy().consolidate = true;
    fleet.policy().disruption_percent = 100;
    fleet.tasks("web", &[1, 1, 1, 1]);
    fleet.service("web", 0).placement = zones;
    check(
        &mut fleet,
        &[
            "drain 2: scale_in, budget 4",
            "1 3 4: tasks_fit_nowhere_else",
            "scaling_in",
        ],
    );
}

#[test]
fn many_instances_are_found_with_few_attempts() {
    let mut fleet = packed(&[1; 90]);
    fleet.watch();
    assert_eq!(
        fleet.decide().plan.steps.len(),
        50,
        "60 could go, and so many at one look"
    );
}

/// An empty instance of a zone goes; the least loaded one of the same zone must not go as well, or the group would balance its zones.
#[test]
fn what_goes_empty_and_what_is_emptied_leave_the_zones_balanced_together() {
    let mut fleet = crate::fleet::Fleet::of([4, 4, 4]);
    fleet.policy().consolidate = true;
    // In the first zone one is empty, and one holds less than all others.
    fleet.tasks("web", &[0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    fleet.watch();
    let plan = fleet.decide().plan;
    let mut zones = std::collections::BTreeMap::new();
    let drained = plan.steps.iter().filter_map(|step| match &step.action {
        model::capacity::CapacityAction::Drain { instance, .. } => Some(instance.clone()),
        model::capacity::CapacityAction::SetDesiredCapacity { .. }
        | model::capacity::CapacityAction::Activate { .. }
        | model::capacity::CapacityAction::Terminate { .. } => None,
    });
    let drained: Vec<_> = drained.collect();
    for (id, instance) in &fleet.group().instances {
        let count = zones.entry(instance.zone.clone()).or_insert(0_u32);
        *count += u32::from(!drained.contains(id));
    }
    let (most, least) = (zones.values().max().unwrap(), zones.values().min().unwrap());
    assert!(drained.len() > 1, "{plan}");
    assert!(most - least <= 1, "{zones:?}\n{plan}");
}

/// What a group launched for one that Spot took stays empty where its zone needs it: a full one of a larger zone goes in its place.
#[test]
fn an_empty_one_that_its_zone_needs_takes_the_tasks_of_another() {
    let mut fleet = Fleet::of([2, 1, 1]);
    fleet.policy().consolidate = true;
    fleet.policy().disruption_percent = 100;
    fleet.tasks("web", &[3, 3, 0, 3]);
    check(
        &mut fleet,
        &[
            "drain 2: scale_in, budget 4",
            "1 4: tasks_fit_nowhere_else",
            "3: needed_for_zone_balance",
            "scaling_in",
        ],
    );
    fleet.policy().consolidate = false;
    check(
        &mut fleet,
        &[
            "1 2 4: in_use",
            "3: needed_for_zone_balance",
            "nothing_removable",
        ],
    );
}
