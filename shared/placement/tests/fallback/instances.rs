//! Tasks on Spot instances that drain, and reports that instances have no room.

use expect_test::expect;
use model::Seconds;
use model::capacity::ContainerInstanceStatus;
use model::memory::{Level, Recall};
use model::plan::Action;
use model::snapshot::{NotPlaced, TaskStatus};
use model::strategy::Market;
use placement::fallback::instances::{REPLACEMENT_LAG, REPORTS_APART_MAX, SHORT_FOR};

use crate::scene::{Scene, add, ago, check, now, share};

impl Scene {
    /// On groups of instances: one of on-demand, and one of Spot.
    pub(crate) fn on_instances(self) -> Self {
        self.primary(|primary| {
            primary.capacity = vec![
                share("EC2=1/1", Market::OnDemand),
                share("EC2Spot=0/4", Market::Spot),
            ];
        })
    }

    /// Serving on instances of a group that drain.
    pub(crate) fn draining(self, tasks: u32, provider: &str) -> Self {
        self.primary(|primary| {
            add(primary, tasks, |task| {
                task.provider = Some(provider.parse().unwrap());
                task.instance_status = Some(ContainerInstanceStatus::Draining);
            });
        })
    }

    /// The service's own log says so long ago that no instance took a task.
    pub(crate) fn not_placed(self, text: &str, secs_ago: &[i64]) -> Self {
        self.primary(|primary| {
            let lines = secs_ago.iter().map(|secs| NotPlaced {
                at: ago(*secs),
                text: text.to_owned(),
            });
            primary.not_placed.extend(lines);
        })
    }

    /// ECS has replaced none of so many tasks on instances that drain.
    fn not_replaced_since(mut self, tasks: u32, secs_ago: i64) -> Self {
        let Recall::Known(memory) = &mut self.recall else {
            panic!("the scene has no memory");
        };
        let at = ago(secs_ago);
        memory.not_replaced = Some(Level { tasks, at });
        self
    }
}

/// Five tasks on the on-demand group, and fifteen on Spot instances that drain.
fn drought() -> Scene {
    Scene::desired(20)
        .on_instances()
        .ready(5)
        .draining(15, "EC2Spot")
}

#[test]
fn without_room_for_replacements_the_standby_covers_at_once() {
    let expected = |at: &str| {
        format!(
            "step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 15, because 15 tasks are on \
             Spot instances that drain, and ECS found no room for replacements at {at} (desired 20, ready 5, starting 0, leaving 15, deficit \
             15; standby 0, of which ready 0)\n"
        )
    };
    let by_event = |secs| {
        let service = "container-demo/web";
        drought().reported(service, &[], "RESOURCE:MEMORY", Some(secs))
    };
    let plan = by_event(2).decide().plan.to_string();
    assert_eq!(plan, expected("2026-03-01T11:59:58Z"));
    // The service's own log says so as well: without any event, the schedule finds it.
    let by_log = drought().not_placed("", &[58]);
    let plan = by_log.decide().plan.to_string();
    assert_eq!(plan, expected("2026-03-01T11:59:02Z"));
    // Older than the notice, it was said of something else.
    assert_eq!(by_event(119).decide().plan.steps.len(), 1);
    assert_eq!(by_event(120).decide().plan.steps, []);
}

#[test]
fn what_keeps_tasks_from_instances_with_room_is_no_sign() {
    for text in [
        "The closest matching container-instance 1 is missing an attribute required by your task.",
        "The closest matching container-instance 1 encountered error 'AGENT'.",
        "Reason: unable to place a task because of AZ rebalancing.",
    ] {
        assert_eq!(drought().not_placed(text, &[5]).decide().plan.steps, []);
    }
    for text in [
        "The closest matching container-instance 1 has insufficient CPU units available.",
        "The closest matching container-instance 1 is already using a port required by your task.",
        "Reason: No Container Instances were found in your capacity provider.",
    ] {
        let scene = drought().not_placed(text, &[5]);
        assert_eq!(scene.decide().plan.steps.len(), 1, "{text}");
    }
    let other = drought().reported("container-demo/api", &[], "RESOURCE:CPU", Some(2));
    assert_eq!(other.decide().plan.steps, []);
}

/// A minimum and a maximum of 100 % each: ECS starts nothing, and says nothing.
#[test]
fn without_a_report_ecs_is_given_time_to_replace_them() {
    check(
        drought(),
        expect![[r#"
            hold `container-demo/web` waiting_for_replacements until 2026-03-01T12:00:30Z: 15 tasks are on Spot instances that drain, and still serve while ECS may replace them (desired 20, ready 5, starting 0, leaving 15, deficit 15; standby 0, of which ready 0)
            remembered: watched now to now; missing 15 at now; needed 15 at now; 15 not replaced since now
        "#]],
    );
    let watched = |secs| {
        let scene = drought().watched(secs, secs).missing_since(15, secs);
        scene.needed(15, secs).not_replaced_since(15, secs)
    };
    assert_eq!(watched(29).decide().plan.steps, []);
    check(
        watched(60),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 15, because 15 tasks are on Spot instances that drain, and ECS has started no replacement since 2026-03-01T11:59:00Z (desired 20, ready 5, starting 0, leaving 15, deficit 15; standby 0, of which ready 0)
            remembered: watched -60 s to now; missing 15 at -60 s; needed 15 at now; may write 0 to 15 at now; 15 not replaced since -60 s
        "#]],
    );
    // What was remembered before a break proves nothing.
    assert_eq!(watched(181).decide().plan.steps, []);
    assert_eq!(watched(60).ledger_unknown().decide().plan.steps, []);
    // Without a settle time nothing changes: these tasks serve.
    let hasty = drought().tag("ballast:settle-secs", "0");
    assert_eq!(hasty.decide().plan.steps, []);
}

#[test]
fn what_ecs_replaces_is_not_missing() {
    check(
        drought().starting(15, 2),
        expect![[r#"
            hold `container-demo/web` starting: what is missing is on its way (desired 20, ready 5, starting 15, leaving 15, deficit 0; standby 0, of which ready 0)
            remembered: watched now to now; needed 15 at now
        "#]],
    );
    // A part of them has room, and the rest not.
    check(
        drought().starting(4, 2).not_placed("", &[3]),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 11, because 11 tasks are on Spot instances that drain, and ECS found no room for replacements at 2026-03-01T11:59:57Z (desired 20, ready 5, starting 4, leaving 15, deficit 11; standby 0, of which ready 0)
            remembered: watched now to now; missing 11 at now; needed 15 at now; may write 0 to 11 at now
        "#]],
    );
}

#[test]
fn only_tasks_on_spot_instances_that_drain_leave() {
    let others = [
        Scene::desired(5).on_instances().draining(5, "EC2"),
        Scene::desired(5).on_instances().draining(5, "Unknown"),
        Scene::desired(5).draining(5, "EC2Spot"),
    ];
    for scene in others {
        let plan = scene.not_placed("", &[5]).decide().plan.to_string();
        assert!(plan.contains("at_rest"), "{plan}");
    }
    let statuses = [
        Some(ContainerInstanceStatus::Active),
        Some(ContainerInstanceStatus::Unknown),
        None,
    ];
    for status in statuses {
        // An agent that has lost its connection changes no status.
        let scene = drought().primary(|primary| {
            for task in &mut primary.tasks {
                task.instance_status = status;
            }
        });
        let plan = scene.not_placed("", &[5]).decide().plan.to_string();
        assert!(plan.contains("at_rest"), "{status:?}: {plan}");
    }
    // ECS stops what has not started there: it neither serves nor is on its way.
    let pending = Scene::desired(5)
        .on_instances()
        .draining(5, "EC2Spot")
        .primary(|primary| {
            for task in &mut primary.tasks {
                task.last_status = TaskStatus::Pending;
                task.created_at = Some(ago(5));
            }
        });
    let plan = pending.decide().plan.to_string();
    assert!(plan.contains("starting 0, leaving 0, deficit 5"), "{plan}");
    assert!(plan.contains("waiting_to_settle"), "{plan}");
}

#[test]
fn tasks_that_drain_keep_what_is_lent() {
    let scene = Scene::desired(10).on_instances().ready(8);
    let scene = scene.draining(2, "EC2Spot").standby(2).wrote(0, 2, 700);
    check(
        scene.watched(700, 30).missing_since(2, 700).needed(2, 30),
        expect![[r#"
            hold `container-demo/web` covered: the standby covers what is missing (desired 10, ready 8, starting 0, leaving 2, deficit 2; standby 2, of which ready 2)
            remembered: watched -700 s to now; missing 2 at -700 s; needed 2 at now; wrote 0 to 2 at -700 s; 2 not replaced since now
        "#]],
    );
}

#[test]
fn what_has_gone_and_what_leaves_add_up() {
    // Three crashed long ago and are covered; now five more leave with their instances, and two crash.
    let scene = Scene::desired(10)
        .on_instances()
        .draining(5, "EC2Spot")
        .standby(3)
        .wrote(0, 3, 2_000)
        .watched(2_000, 30)
        .missing_since(3, 2_000)
        .needed(3, 30)
        .not_placed("", &[2]);
    check(
        scene,
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 3 to 8, because 5 tasks are on Spot instances that drain, and ECS found no room for replacements at 2026-03-01T11:59:58Z and 3 more have been missing for long enough (desired 10, ready 0, starting 0, leaving 5, deficit 10; standby 3, of which ready 3)
            remembered: watched -2000 s to now; missing 3 at -2000 s, 10 at now; needed 10 at now; may write 3 to 8 at now; 5 not replaced since now
        "#]],
    );
}

/// What a look sees while a drain goes on: the tasks on the instance, those on their way elsewhere, and those that run elsewhere.
struct Drain {
    left: u32,
    starting: u32,
    elsewhere: u32,
}

/// Looks at a drain again and again; the last count that the standby was asked for.
fn walk(every_secs: i64, drains: impl Iterator<Item = Drain>) -> u32 {
    let mut recall = Recall::Known(model::memory::PairMemory::default());
    let mut asked = 0;
    for (look, drain) in (0_i64..).zip(drains) {
        let mut scene = Scene::desired(20)
            .on_instances()
            .ready(drain.elsewhere)
            .draining(drain.left, "EC2Spot")
            .standby(asked);
        let time = Seconds(look * every_secs).after(now());
        add(&mut scene.pair.primary, drain.starting, |task| {
            task.last_status = TaskStatus::Pending;
            task.created_at = Some(Seconds(5).before(time));
        });
        let snapshot = scene.snapshot();
        let key = scene.pair.primary.key.clone();
        let memories = std::collections::BTreeMap::from([(key.clone(), recall)]);
        let decision = placement::decide(
            &snapshot,
            &scene.installation,
            &memories,
            &scene.hints,
            time,
        );
        for step in &decision.plan.steps {
            let Action::SetDesiredCount { to, .. } = step.action;
            asked = to;
        }
        recall = Recall::Known(decision.memories[&key].clone());
    }
    asked
}

/// `cluster-scaler` empties an instance whose eight tasks fit elsewhere. ECS replaces them at its pace: all at once, or two at a time where
/// the maximum is 110 %, each round as long as a task takes to start. Whenever the looks come, the standby stays at 0.
#[test]
fn a_drain_for_scale_in_is_not_taken_for_an_interruption() {
    for at_once in [1_u32, 2, 3, 8] {
        for round_secs in [10_i64, 35, 60, 90, 170] {
            for first in 0..60 {
                let drains = (0_i64..12).map(|look| {
                    let secs = first + 60 * look;
                    // Two seconds until ECS starts the next round.
                    let rounds = u32::try_from(secs / (round_secs + 2)).unwrap();
                    let in_round = secs % (round_secs + 2);
                    let replaced = (rounds * at_once).min(8);
                    let left = 8 - replaced;
                    let starting = if in_round < 2 { 0 } else { at_once.min(left) };
                    Drain {
                        left,
                        starting,
                        elsewhere: 12 + replaced,
                    }
                });
                let asked = walk(60, drains);
                assert_eq!(
                    asked, 0,
                    "{at_once} at once, {round_secs} s, look at {first} s"
                );
            }
        }
    }
}

/// The same instance, interrupted, and no other has room: the second look on schedule covers, and nothing is given back early.
#[test]
fn an_interruption_that_ecs_does_not_answer_is_covered_before_the_end() {
    let drains = (0..2).map(|_| Drain {
        left: 8,
        starting: 0,
        elsewhere: 12,
    });
    assert_eq!(walk(60, drains), 8);
}

/// A group that is scaled out says for one to three minutes that it has no room. The standby covers what is missing for the settle time, as
/// it would without these reports, and no more.
#[test]
fn a_scale_out_is_no_shortage() {
    for lasts in [60, 120, 180_i64] {
        let said: Vec<i64> = (0..=lasts).step_by(20).collect();
        for wanted in [5_u32, 20] {
            let silent = Scene::desired(20 + wanted).on_instances().ready(20);
            let silent = silent.watched(lasts, 30).needed(wanted, 30);
            // It was raised by one after the other: only the last step has not lasted.
            let silent = silent
                .missing_since(wanted - 1, lasts)
                .missing_since(wanted, 30);
            let loud = silent.clone().not_placed("", &said);
            let to = |scene: &Scene| {
                let plan = scene.decide().plan;
                plan.steps.first().map(|step| {
                    let Action::SetDesiredCount { to, .. } = step.action;
                    to
                })
            };
            assert_eq!(to(&loud), to(&silent), "{lasts} s, {wanted} more tasks");
        }
    }
}

#[test]
fn reports_that_go_on_for_longer_than_a_scale_out_cover_everything() {
    let said: Vec<i64> = vec![250, 130, 10];
    let scene = || {
        let scene = Scene::desired(20).on_instances().ready(10);
        scene.watched(60, 60).missing_since(2, 60).needed(2, 60)
    };
    check(
        scene().not_placed("", &said),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 10, because no instance had room for a task from 2026-03-01T11:55:50Z to 2026-03-01T11:59:50Z, which is longer than a scale-out takes (desired 20, ready 10, starting 0, leaving 0, deficit 10; standby 0, of which ready 0)
            remembered: watched -60 s to now; missing 2 at -60 s, 10 at now; needed 10 at now; may write 0 to 10 at now
        "#]],
    );
    let steps = |scene: Scene| scene.decide().plan.steps.len();
    assert_eq!(steps(scene().not_placed("", &[249, 130, 10])), 0, "short");
    assert_eq!(steps(scene().not_placed("", &[400, 215, 10])), 0, "a pause");
    assert_eq!(
        steps(scene().not_placed("", &[600, 430, 300, 181])),
        0,
        "over"
    );
    // On Fargate, and on on-demand instances alone, it is no sign of Spot.
    let on_fargate = Scene::desired(20).ready(10).not_placed("", &said);
    assert_eq!(steps(on_fargate), 0);
    let on_demand = scene().not_placed("", &said).primary(|primary| {
        primary.capacity.truncate(1);
    });
    assert_eq!(steps(on_demand), 0);
    // Whoever waits longer by his own settings waits longer for this, too.
    let patient = scene().not_placed("", &said);
    assert_eq!(steps(patient.clone().tag("ballast:settle-secs", "300")), 0);
    assert_eq!(steps(patient.tag("ballast:start-grace-secs", "300")), 0);
}

#[test]
fn a_raise_for_instances_leaves_nothing_to_do() {
    let scenes = [
        drought().not_placed("", &[5]),
        drought()
            .watched(60, 60)
            .missing_since(15, 60)
            .not_replaced_since(15, 60),
        Scene::desired(20)
            .on_instances()
            .ready(10)
            .not_placed("", &[250, 130, 10]),
    ];
    for scene in scenes {
        assert_eq!(scene.decide().plan.steps.len(), 1);
        let again = scene.carried_out().decide().plan;
        assert_eq!(again.steps, [], "{again}");
    }
}

/// The numbers of the rules stand to each other as their comments say.
#[test]
fn the_times_fit_together() {
    let defaults = model::policy::PairPolicy::with_defaults("web-standby".parse().unwrap());
    // An ordinary scale-out, three minutes long, ends before its reports count.
    assert!(SHORT_FOR > Seconds(180) && SHORT_FOR > defaults.start_grace.max(defaults.settle));
    assert!(REPORTS_APART_MAX < SHORT_FOR, "two reports are no series");
    // Two looks on schedule are further apart than ECS's time to start a replacement, and both within the notice.
    let interval = model::policy::Installation::default().schedule_interval;
    assert!(REPLACEMENT_LAG < interval && interval < Seconds(120));
}
