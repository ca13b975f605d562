//! Lowerings that somebody planted in a plan, and what the audit says of them.

use model::Seconds;
use model::memory::{Level, Recall};
use model::snapshot::Standby;
use model::tracking::{
    Direction, Measures, Part, Reading, TargetName, TrackingStepReason, UnusableMetric,
};

use crate::planted::{
    Change, breaks, check, in_force, lower, passes, planted, raise, somebody_set, step, turned,
};
use crate::scene::{Scene, deployment, gap, key, target};

#[test]
fn an_own_write_is_waited_for_and_anothers_is_not_lowered() {
    let mut scene = planted();
    scene.wrote(19, 20, 7_200, true);
    check(
        &scene,
        &lower(20, 12),
        &[
            ("one_writer", &|it| it.wrote(20, 25, 59, true)),
            ("one_writer", &|it| it.wrote(20, 25, 59, false)),
            ("one_writer", &|it| it.wrote(20, 25, 7_200, true)),
            ("one_writer", &|it| it.wrote(16, 18, 7_200, true)),
            ("one_writer", &|it| it.wrote(16, 18, 7_200, false)),
            ("one_writer", &|it| {
                it.wrote(16, 18, 7_200, true);
                somebody_set(it, 20, 3_599);
            }),
            // Ballast raised after it: what was found still counts.
            ("one_writer", &|it| {
                it.wrote(15, 20, 600, true);
                somebody_set(it, 15, 1_200);
            }),
        ],
    );
    scene.wrote(16, 18, 7_200, true);
    somebody_set(&mut scene, 20, 3_600);
    passes(&scene, &lower(20, 12));
    scene.wrote(12, 20, 600, true);
    somebody_set(&mut scene, 12, 1_200);
    passes(&scene, &lower(20, 12));
    // Set back to what Ballast wrote.
    scene.wrote(15, 20, 7_200, true);
    somebody_set(&mut scene, 15, 1_200);
    passes(&scene, &lower(20, 12));
    // A service of the same name that was made since.
    scene.wrote(16, 18, 7_200, true);
    let made = scene.ago(7_169);
    scene.primary().created_at = Some(made);
    passes(&scene, &lower(20, 12));
    let mut high = planted();
    high.flat(TargetName::Cpu, Part::Primary, 90_000);
    high.wrote(20, 25, 59, true);
    breaks(&high, &raise(20, 30), "one_writer");
    high.wrote(16, 18, 7_200, true);
    passes(&high, &raise(20, 30));
}

fn of_all() -> model::snapshot::Gap {
    model::snapshot::Gap {
        resource: "*".to_owned(),
        ..gap("ecs:ListClusters")
    }
}

#[test]
fn only_what_is_known_throughout_is_lowered() {
    let remove = |it: &mut Scene, back: usize| {
        let points = it.points(TargetName::Cpu, Part::Primary);
        points.remove(points.len() - 1 - back);
    };
    let changes: &[Change<'_>] = &[
        ("complete_before_lowering", &|it| {
            it.fleet().gaps.push(gap("cloudwatch:GetMetricData"))
        }),
        ("complete_before_lowering", &|it| {
            it.snapshot.gaps.push(of_all())
        }),
        ("complete_before_lowering", &|it| {
            it.memories.insert(key(), Recall::Unknown);
        }),
        ("complete_before_lowering", &|it| {
            it.primary().scaled_by_application_auto_scaling = None;
            it.memory().scaled_by_application_auto_scaling = Some(false);
        }),
        ("complete_before_lowering", &|it| {
            it.fleet().standby = Some(Standby::Unknown)
        }),
        ("complete_before_lowering", &|it| {
            it.fleet().readings.insert(TargetName::Cpu, Reading::Unread);
        }),
        ("complete_before_lowering", &|it| {
            it.fleet().readings.clear();
        }),
        ("complete_before_lowering", &|it| {
            let why = UnusableMetric::TargetGroups { count: 2 };
            it.fleet()
                .readings
                .insert(TargetName::Cpu, Reading::Unusable { why });
        }),
        ("complete_before_lowering", &|it| {
            it.recent(TargetName::Cpu)[0].is_complete = false
        }),
        ("complete_before_lowering", &|it| remove(it, 1)),
        ("complete_before_lowering", &|it| remove(it, 4)),
        ("complete_before_lowering", &|it| {
            let old = it.ago(5 * 60 + 61);
            it.points(TargetName::Cpu, Part::Primary)
                .retain(|it| it.at < old);
        }),
        // Tasks of the standby served, and nobody says how much.
        ("complete_before_lowering", &|it| {
            it.standby().running_count = 3
        }),
        ("complete_before_lowering", &|it| {
            it.fleet().task_counts.clear()
        }),
        ("complete_before_lowering", &|it| {
            it.policy()
                .targets
                .insert(TargetName::Memory, target(50, Measures::PerTask));
        }),
    ];
    check(&planted(), &lower(20, 12), changes);
    let mut before_the_window = planted();
    remove(&mut before_the_window, 6);
    passes(&before_the_window, &lower(20, 12));
}

#[test]
fn nothing_is_lowered_while_it_changes() {
    check(
        &planted(),
        &lower(20, 12),
        &[
            ("no_deployment", &|it| {
                it.primary().deployments = vec![deployment(1, true, true)]
            }),
            ("no_deployment", &|it| {
                it.primary().deployments.push(deployment(2, false, false));
            }),
            ("nothing_starting", &|it| it.primary().pending_count = 1),
            ("nothing_starting", &|it| it.standby().pending_count = 1),
            ("turn_hold", &|it| turned(it, Direction::Out, 299)),
        ],
    );
    let mut scene = planted();
    turned(&mut scene, Direction::Out, 300);
    passes(&scene, &lower(20, 12));
    // Tasks that have been pending for long, with no more running, do not come.
    let running = planted().primary().running_count;
    let mut stuck = planted();
    stuck.primary().pending_count = 3;
    let waiting = |tasks: u32, secs: i64| {
        let at = planted().ago(secs);
        Some(Level { tasks, at })
    };
    stuck.memory().pending = waiting(running, 300);
    passes(&stuck, &lower(20, 12));
    stuck.memory().pending = waiting(running, 299);
    breaks(&stuck, &lower(20, 12), "nothing_starting");
    stuck.memory().pending = waiting(running - 1, 900);
    breaks(&stuck, &lower(20, 12), "nothing_starting");
    // Nor is what is counted three times a load.
    let mut tripled = planted();
    tripled.count(Part::Primary, 60);
    tripled.flat(TargetName::Cpu, Part::Primary, 10_000);
    breaks(&tripled, &lower(20, 12), "complete_before_lowering");
    breaks(&tripled, &raise(20, 21), "evidence");
    turned(&mut scene, Direction::In, 0);
    passes(&scene, &lower(20, 12));
}

#[test]
fn the_load_keeps_what_it_needed_within_the_window() {
    let value = |it: &mut Scene, back: usize, value_milli: i64| {
        let points = it.points(TargetName::Cpu, Part::Primary);
        let which = points.len() - 1 - back;
        points[which].value_milli = value_milli;
    };
    // 20 tasks at 33 % are 11 at 60 %; 36 % are 12, and 36.003 % are 12.001.
    check(
        &planted(),
        &lower(20, 12),
        &[
            ("load_needs_more", &|it| value(it, 0, 36_003)),
            ("load_needs_more", &|it| value(it, 4, 36_003)),
            ("load_needs_more", &|it| {
                it.standby().running_count = 20;
                it.count(Part::Standby, 20);
                it.flat(TargetName::Cpu, Part::Standby, 10_000);
            }),
            ("load_needs_more", &|it| {
                it.track(TargetName::Requests, target(100, Measures::PerTask));
                it.flat(TargetName::Requests, Part::Fleet, 61_000);
            }),
            ("load_needs_more", &|it| {
                it.track(TargetName::Alarm, target(100, Measures::Total));
                it.flat(TargetName::Alarm, Part::Fleet, 1_201_000);
            }),
            ("load_needs_more", &|it| it.primary().running_count = 11),
        ],
    );
    let mut scene = planted();
    value(&mut scene, 0, 36_000);
    value(&mut scene, 6, 99_000);
    passes(&scene, &lower(20, 12));
}

#[test]
fn the_maximum_asks_for_less_than_a_load_does() {
    let mut scene = planted();
    scene.flat(TargetName::Cpu, Part::Primary, 90_000);
    scene.bounds(1, 15);
    scene.primary().pending_count = 1;
    turned(&mut scene, Direction::Out, 0);
    let bounds = in_force(1, 15);
    let step = step(20, 15, TrackingStepReason::AboveMaximum { bounds });
    check(
        &scene,
        &step,
        &[
            ("complete_before_lowering", &|it| {
                it.fleet().gaps.push(gap("ecs:DescribeServices"))
            }),
            ("complete_before_lowering", &|it| {
                it.memories.insert(key(), Recall::Unknown);
            }),
            ("no_deployment", &|it| {
                it.primary().deployments = vec![deployment(1, true, true)]
            }),
            ("one_writer", &|it| it.wrote(16, 18, 7_200, true)),
            // More than the maximum was asked for, and Ballast raised it since.
            ("one_writer", &|it| {
                it.wrote(16, 20, 600, true);
                somebody_set(it, 16, 1_200);
            }),
        ],
    );
    // The maximum takes nothing of what somebody asked for.
    for found in [15, 14] {
        scene.wrote(found, 20, 600, true);
        somebody_set(&mut scene, found, 1_200);
        passes(&scene, &step);
    }
}

#[test]
fn a_peak_that_a_forecast_starts_from_is_not_lowered_below() {
    // Of the scene's load of 10 tasks; twenty minutes ago it was 18.
    let mut scene = planted();
    let twenty = scene.minute(20);
    scene.at_minute(TargetName::Cpu, Part::Primary, 20, 54_000);
    check(
        &scene,
        &lower(20, 12),
        &[("load_needs_more", &|it| {
            it.pace().forecast = true;
            it.pace().forecast_peak = Seconds(1_260);
        })],
    );
    // A minute that is missing there is no gap of the window.
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(1_260);
    passes(&scene, &lower(20, 18));
    scene
        .points(TargetName::Cpu, Part::Primary)
        .retain(|it| it.at != twenty);
    passes(&scene, &lower(20, 12));
    // One minute less, and it is past.
    let mut scene = planted();
    scene.at_minute(TargetName::Cpu, Part::Primary, 20, 54_000);
    scene.pace().forecast = true;
    scene.pace().forecast_peak = Seconds(1_200);
    passes(&scene, &lower(20, 12));
    scene.pace().forecast = false;
    scene.pace().forecast_peak = Seconds(1_260);
    passes(&scene, &lower(20, 12));
}
