//! Steps that somebody planted in a plan, and what the audit says of them.

use model::Seconds;
use model::capacity::Consent;
use model::memory::{ForeignEdit, Level, Recall};
use model::plan::Action;
use model::snapshot::{Scheduling, ServiceStatus};
use model::tracking::{
    Bounds, BoundsInForce, Direction, Part, Reading, ScheduledBounds, TargetName, TrackingHold,
    TrackingHoldReason, TrackingKey, TrackingNumbers, TrackingPlan, TrackingStep,
    TrackingStepReason, Turn,
};
use placement::audit::Violation;
use placement::tracking::audit::{LAWS, audit};

use crate::scene::{Scene, key};

/// Twenty tasks at half of the target; everything is allowed, and nothing happened lately.
pub(crate) fn planted() -> Scene {
    let mut scene = Scene::pair(20, 0, 30);
    let tags = &mut scene.primary().tags;
    tags.insert("ballast:service-scaler".to_owned(), "act".to_owned());
    scene.wrote(19, 20, 7_200, true);
    scene
}

pub(crate) fn step(from: u32, to: u32, reason: TrackingStepReason) -> TrackingStep {
    TrackingStep {
        subject: key(),
        action: Action::SetDesiredCount {
            service: key().0,
            from,
            to,
        },
        reason,
        numbers: TrackingNumbers::default(),
    }
}

pub(crate) fn lower(from: u32, to: u32) -> TrackingStep {
    let reason = TrackingStepReason::ScaleIn {
        needed_max: to,
        forecast: None,
        window: Seconds(300),
    };
    step(from, to, reason)
}

pub(crate) fn raise(from: u32, to: u32) -> TrackingStep {
    let reason = TrackingStepReason::ScaleOut {
        target: TargetName::Cpu,
        needed: to,
        is_forecast: false,
        capped_by: None,
    };
    step(from, to, reason)
}

pub(crate) fn in_force(min_tasks: u32, max_tasks: u32) -> BoundsInForce {
    BoundsInForce {
        bounds: Bounds {
            min_tasks,
            max_tasks,
        },
        is_scheduled: false,
    }
}

fn found(scene: &Scene, steps: Vec<TrackingStep>, holds: Vec<TrackingHold>) -> Vec<Violation> {
    let plan = TrackingPlan { steps, holds };
    audit(&plan, &scene.snapshot, &scene.memories, scene.now)
}

#[track_caller]
pub(crate) fn passes(scene: &Scene, step: &TrackingStep) {
    let found = found(scene, vec![step.clone()], Vec::new());
    assert_eq!(found, Vec::new(), "{step}");
}

/// The step breaks this law, and no other.
#[track_caller]
pub(crate) fn breaks(scene: &Scene, step: &TrackingStep, law: &str) {
    assert!(LAWS.contains(&law), "{law}");
    let found = found(scene, vec![step.clone()], Vec::new());
    let laws: Vec<&str> = found.iter().map(|it| it.law).collect();
    assert!(
        !laws.is_empty() && laws.iter().all(|it| *it == law),
        "{law}: {found:?}"
    );
}

/// A law, and a change of the scene after which a sound step breaks it.
pub(crate) type Change<'a> = (&'a str, &'a dyn Fn(&mut Scene));

/// The sound step passes; after each change it breaks the law that the change is about, and no other.
#[track_caller]
pub(crate) fn check(scene: &Scene, step: &TrackingStep, changes: &[Change<'_>]) {
    passes(scene, step);
    for (law, change) in changes {
        let mut changed = scene.clone();
        change(&mut changed);
        breaks(&changed, step, law);
    }
}

pub(crate) fn turned(scene: &mut Scene, direction: Direction, secs: i64) {
    let at = scene.ago(secs);
    let turn = Turn {
        direction,
        since: at,
        at,
    };
    scene.memory().turn = Some(turn);
}

pub(crate) fn somebody_set(scene: &mut Scene, found: u32, secs: i64) {
    let noticed_at = scene.ago(secs);
    let edit = ForeignEdit {
        found,
        wrote: 18,
        noticed_at,
    };
    scene.memory().foreign = Some(edit);
}

#[test]
fn nothing_is_touched_that_did_not_ask_for_it() {
    let tag = |scene: &mut Scene, name: &str, value: &str| {
        let tags = &mut scene.primary().tags;
        tags.insert(format!("ballast:{name}"), value.to_owned());
    };
    let changes: &[Change<'_>] = &[
        ("opt_in", &|it| it.primary().tags.clear()),
        ("opt_in", &|it| tag(it, "service-scaler", "advise")),
        ("opt_in", &|it| tag(it, "paused", "true")),
        ("opt_in", &|it| tag(it, "standby-of", "main")),
        ("opt_in", &|it| {
            it.primary().status = ServiceStatus::Draining
        }),
        ("opt_in", &|it| it.primary().scheduling = Scheduling::Daemon),
        ("opt_in", &|it| {
            it.primary().scaled_by_application_auto_scaling = Some(true);
        }),
        ("opt_in", &|it| it.policy().consent = Consent::Advise),
        ("opt_in", &|it| it.policy().paused = true),
        ("opt_in", &|it| it.fleet().policy = Err(Vec::new())),
        ("opt_in", &|it| it.snapshot.fleets.clear()),
    ];
    check(&planted(), &lower(20, 12), changes);
    // Who else scales is not said now; what was said last counts, also for a raise.
    let mut unsaid = planted();
    unsaid.primary().scaled_by_application_auto_scaling = None;
    unsaid.memory().scaled_by_application_auto_scaling = Some(false);
    let of_others: &[Change<'_>] = &[
        ("opt_in", &|it| {
            it.memory().scaled_by_application_auto_scaling = Some(true);
        }),
        ("opt_in", &|it| {
            it.memory().scaled_by_application_auto_scaling = None;
        }),
        ("opt_in", &|it| {
            it.memories.insert(key(), Recall::Unknown);
        }),
    ];
    check(&unsaid, &raise(20, 21), of_others);
    let mut high = planted();
    high.flat(TargetName::Cpu, Part::Primary, 90_000);
    check(&high, &raise(20, 30), changes);
}

#[test]
fn a_step_starts_from_what_was_seen_and_is_about_the_service_itself() {
    let scene = planted();
    breaks(&scene, &lower(21, 12), "precondition");
    let mut other = lower(20, 12);
    let Action::SetDesiredCount { service, .. } = &mut other.action;
    *service = "demo/web-standby".parse().unwrap();
    breaks(&scene, &other, "precondition");
    let mut both = lower(20, 12);
    both.reason = raise(20, 12).reason;
    breaks(&scene, &both, "precondition");
    let mut both = raise(20, 25);
    both.reason = lower(20, 25).reason;
    let found = found(&scene, vec![both], Vec::new());
    assert!(found.iter().any(|it| it.law == "precondition"), "{found:?}");
    let bounds = in_force(1, 40);
    let reason = TrackingStepReason::BelowMinimum { bounds };
    breaks(&scene, &step(20, 22, reason), "precondition");
    let reason = TrackingStepReason::AboveMaximum { bounds };
    let of_maximum = step(20, 12, reason);
    let found = audit_of(&scene, of_maximum);
    assert!(found.iter().any(|it| it.law == "precondition"), "{found:?}");
}

fn audit_of(scene: &Scene, step: TrackingStep) -> Vec<Violation> {
    found(scene, vec![step], Vec::new())
}

#[test]
fn a_step_that_leads_nowhere_is_none() {
    let found = audit_of(&planted(), lower(20, 20));
    assert!(found.iter().any(|it| it.law == "precondition"), "{found:?}");
}

#[test]
fn a_service_is_in_a_plan_once() {
    let scene = planted();
    let steps = vec![lower(20, 12), lower(20, 13)];
    let found_twice = found(&scene, steps, Vec::new());
    let laws: Vec<_> = found_twice.iter().map(|it| (it.step, it.law)).collect();
    assert_eq!(
        laws,
        [(0, "one_step_per_service"), (1, "one_step_per_service")]
    );
    let hold = TrackingHold {
        subject: key(),
        reason: TrackingHoldReason::OnTarget { forecast: None },
        numbers: None,
        until: None,
    };
    let found = found(&scene, vec![lower(20, 12)], vec![hold]);
    let laws: Vec<_> = found.iter().map(|it| it.law).collect();
    assert_eq!(laws, ["one_step_per_service"]);
}

#[test]
fn what_somebody_switched_off_stays_off() {
    let mut scene = planted();
    scene.primary().desired_count = 0;
    scene.bounds(0, 40);
    scene.wrote(3, 0, 7_200, true);
    check(
        &scene,
        &raise(0, 3),
        &[
            ("switched_off", &|it| it.wrote(3, 2, 7_200, true)),
            ("switched_off", &|it| it.wrote(3, 2, 7_200, false)),
            ("switched_off", &|it| it.wrote(0, 0, 7_200, true)),
            ("switched_off", &|it| it.wrote(0, 3, 7_200, true)),
            ("switched_off", &|it| it.memories.clear()),
            ("switched_off", &|it| {
                it.memories.insert(key(), Recall::Unknown);
            }),
            // It was made again since.
            ("switched_off", &|it| {
                let made = it.ago(7_100);
                it.primary().created_at = Some(made);
            }),
        ],
    );
    // A raise from 0 that may not have happened leaves a 0 that was Ballast's own.
    scene.wrote(0, 3, 7_200, false);
    passes(&scene, &raise(0, 3));
}

#[test]
fn the_bounds_of_the_time_of_the_week_are_kept() {
    let mut scene = planted();
    scene.policy().time_zone = "Europe/Berlin".to_owned();
    // In Berlin it is 13:00 on a Sunday.
    let windows = |it: &mut Scene, text: &str| {
        it.policy().windows = ScheduledBounds::parse_all(text).unwrap();
    };
    check(
        &scene,
        &lower(20, 12),
        &[
            ("within_bounds", &|it| it.bounds(13, 40)),
            ("within_bounds", &|it| it.bounds(1, 11)),
            ("within_bounds", &|it| windows(it, "sun 13:00-14:00 min=13")),
            ("within_bounds", &|it| windows(it, "sat 20:00-13:01 min=13")),
            ("within_bounds", &|it| {
                windows(it, "fri-mon 13:00-13:00 min=13")
            }),
        ],
    );
    for not_now in [
        "sun 12:00-13:00 min=13",
        "sat 13:00-13:00 min=13",
        "mon-sat 00:00-24:00 min=13",
    ] {
        windows(&mut scene, not_now);
        passes(&scene, &lower(20, 12));
    }
    scene.flat(TargetName::Cpu, Part::Primary, 90_000);
    windows(&mut scene, "sun 13:00-14:00 max=25");
    breaks(&scene, &raise(20, 26), "within_bounds");
    passes(&scene, &raise(20, 25));
    scene.bounds(1, 15);
    windows(&mut scene, "sun 12:00-13:00 max=25");
    let reason = TrackingStepReason::AboveMaximum {
        bounds: in_force(1, 15),
    };
    passes(&scene, &step(20, 15, reason.clone()));
    breaks(&scene, &step(20, 14, reason), "within_bounds");
}

#[test]
fn one_step_goes_no_further_than_it_may() {
    let mut scene = planted();
    scene.flat(TargetName::Cpu, Part::Primary, 90_000);
    scene.pace().raise_max_percent = 40;
    check(
        &scene,
        &raise(20, 28),
        &[
            ("step_limit", &|it| it.pace().raise_max_percent = 39),
            ("step_limit", &|it| it.wrote(19, 20, 29, true)),
        ],
    );
    scene.wrote(19, 20, 30, true);
    passes(&scene, &raise(20, 28));
    // Raises that follow one another are measured from where the first began.
    scene.pace().raise_max_percent = 100;
    scene.wrote(19, 20, 10, true);
    passes(&scene, &raise(20, 38));
    let mut third = scene.clone();
    let at = third.ago(29);
    third.memory().raised = Some(Level { tasks: 15, at });
    passes(&third, &raise(20, 30));
    breaks(&third, &raise(20, 31), "step_limit");
    third.memory().raised = Some(Level {
        tasks: 15,
        at: third.ago(30),
    });
    passes(&third, &raise(20, 38));
    scene.wrote(19, 20, 30, true);
    // Four are always allowed, and the minimum is gone to at once.
    scene.pace().raise_max_percent = 10;
    passes(&scene, &raise(20, 24));
    breaks(&scene, &raise(20, 25), "step_limit");
    scene.bounds(30, 40);
    let reason = TrackingStepReason::BelowMinimum {
        bounds: in_force(30, 40),
    };
    passes(&scene, &step(20, 30, reason.clone()));
    breaks(&scene, &step(20, 31, reason), "step_limit");
}

#[test]
fn a_raise_for_a_load_needs_a_load() {
    let mut scene = planted();
    scene.flat(TargetName::Cpu, Part::Primary, 90_000);
    check(
        &scene,
        &raise(20, 30),
        &[
            ("evidence", &|it| it.recent(TargetName::Cpu).clear()),
            ("evidence", &|it| {
                it.fleet().readings.insert(TargetName::Cpu, Reading::Unread);
            }),
            ("evidence", &|it| {
                let old = it.ago(5 * 60 + 61);
                let points = it.points(TargetName::Cpu, Part::Primary);
                points.retain(|it| it.at < old);
            }),
            ("evidence", &|it| {
                let ahead = Seconds(3_600);
                let points = it.points(TargetName::Cpu, Part::Primary);
                points
                    .iter_mut()
                    .for_each(|point| point.at = Seconds(7_200).after(ahead.after(point.at)));
            }),
        ],
    );
}

/// A plan of another service than any that was looked at.
#[test]
fn a_stranger_is_not_touched() {
    let mut stranger = lower(20, 12);
    stranger.subject = TrackingKey("demo/stranger".parse().unwrap());
    breaks(&planted(), &stranger, "opt_in");
}

/// Each law is broken by a test of this file, which it names.
#[test]
fn every_law_is_planted() {
    let text = [
        include_str!("planted.rs"),
        include_str!("planted_lowering.rs"),
    ]
    .concat();
    for law in LAWS {
        let uses = text.matches(&format!("\"{law}\"")).count();
        assert!(uses > 0, "nothing breaks `{law}`");
    }
}
