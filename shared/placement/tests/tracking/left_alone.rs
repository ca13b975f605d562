//! Services that are not looked after, and such that get advice.

use expect_test::expect;
use model::capacity::Consent;
use model::memory::Recall;
use model::policy::TAG_STANDBY_OF;
use model::snapshot::{PassedOver, PrimaryFault, Scheduling, ServiceStatus};
use model::tracking::{Part, TargetName};

use super::scene::{Scene, check, gap, key};

#[test]
fn what_is_not_tracked_is_said_so() {
    let mut scene = Scene::cpu(10, 60);
    let unread = PassedOver::Unread {
        gap: gap("ecs:DescribeServices"),
    };
    let without = PassedOver::StandbyWithoutPrimary {
        primary: "web".to_owned(),
        fault: PrimaryFault::NotFound,
    };
    for (name, why) in [
        ("demo/a", PassedOver::NotOptedIn),
        ("demo/b", PassedOver::NotFound),
        ("demo/c", unread),
        ("demo/z", without),
    ] {
        scene
            .snapshot
            .passed_over
            .insert(name.parse().unwrap(), why);
    }
    check(
        &scene,
        &expect![[r#"
        hold `demo/a` not_opted_in: it does not carry the tag `ballast:service-scaler`
        hold `demo/b` not_found: AWS says that it does not exist
        hold `demo/c` unread: it could not be read: `ecs:DescribeServices` for `demo/web`: throttled (ThrottlingException: Rate exceeded)
        hold `demo/web` on_target: the load needs as many as are asked for, or the tolerance covers the difference (desired 10, running 10, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
        hold `demo/z` not_opted_in: it does not carry the tag `ballast:service-scaler`
    "#]],
    );
}

#[test]
fn a_standby_is_spot_fallbacks() {
    let mut scene = Scene::cpu(10, 90);
    let tags = &mut scene.primary().tags;
    tags.insert(TAG_STANDBY_OF.name.to_owned(), "api".to_owned());
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` is_standby: it is the standby of another service: spot-fallback alone sets its desired count, and the primary is to be tracked
    "#]],
    );
}

#[test]
fn a_daemon_and_a_service_that_is_deleted_are_left() {
    let mut scene = Scene::cpu(10, 90);
    scene.primary().scheduling = Scheduling::Daemon;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` is_daemon: it runs one task on each instance and has no desired count to set
    "#]],
    );
    scene.primary().status = ServiceStatus::Draining;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` not_active: its status is DRAINING
    "#]],
    );
}

#[test]
fn a_paused_service_is_only_looked_at() {
    let mut scene = Scene::cpu(10, 90);
    scene.policy().paused = true;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` paused: the tag `ballast:paused` is `true` (desired 10, running 10, pending 0; standby running 0; cpu 15 (load 15.000 tasks at 2026-03-01T11:59:00Z, at most 15 in the window); allowed 1 to 40)
    "#]],
    );
}

#[test]
fn the_tag_asks_for_advice() {
    let mut scene = Scene::cpu(10, 80);
    scene.policy().consent = Consent::Advise;
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` advice_only: the tag asks for advice only; otherwise: scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
    scene.act();
    let memory = scene.memory();
    assert_eq!((memory.wrote, memory.turn), (None, None));
}

#[test]
fn where_application_auto_scaling_scales_there_is_advice() {
    let mut scene = Scene::cpu(20, 30);
    scene.primary().scaled_by_application_auto_scaling = Some(true);
    check(
        &scene,
        &expect![[r#"
        hold `demo/web` advice_only: Application Auto Scaling scales the service; otherwise: scale_in: set the desired count of `demo/web` from 20 to 12, because for 300 s no target needed more than 10, and the tolerance above it is kept (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 10 in the window); allowed 1 to 40)
    "#]],
    );
    scene.newest(TargetName::Cpu, Part::Primary, &[57_000, 57_000, 30_000]);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` advice_only: Application Auto Scaling scales the service; otherwise: waiting_for_window: the load needs fewer, and within 300 s it needed up to 19 (desired 20, running 20, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-01T11:59:00Z, at most 19 in the window); allowed 1 to 40), until 2026-03-01T12:05:00Z
        "#]],
    );
}

/// Ten tasks at 80 %, and Application Auto Scaling does not answer; so it said last.
fn unanswered(last: Option<bool>) -> Scene {
    let mut scene = Scene::cpu(10, 80);
    scene.primary().scaled_by_application_auto_scaling = None;
    scene.wrote(9, 10, 3_600, true);
    scene.memory().scaled_by_application_auto_scaling = last;
    scene
}

#[test]
fn while_application_auto_scaling_does_not_answer_its_last_answer_counts() {
    check(
        &unanswered(Some(false)),
        &expect![[r#"
        step `demo/web` scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &unanswered(Some(true)),
        &expect![[r#"
        hold `demo/web` advice_only: Application Auto Scaling scales the service; otherwise: scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
    "#]],
    );
    check(
        &unanswered(None),
        &expect![[r#"
            hold `demo/web` advice_only: Application Auto Scaling did not answer, and it is not remembered that it does not scale the service; otherwise: scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
        "#]],
    );
    let mut scene = unanswered(Some(false));
    scene.memories.insert(key(), Recall::Unknown);
    check(
        &scene,
        &expect![[r#"
            hold `demo/web` advice_only: Application Auto Scaling did not answer, and it is not remembered that it does not scale the service; otherwise: scale_out: set the desired count of `demo/web` from 10 to 14, because `cpu` needs 14 (desired 10, running 10, pending 0; standby running 0; cpu 14 (load 13.334 tasks at 2026-03-01T11:59:00Z, at most 14 in the window); allowed 1 to 40)
        "#]],
    );
}

#[test]
fn a_service_of_which_nothing_is_known_is_unprotected() {
    for (last, want) in [(None, true), (Some(true), false)] {
        let holds = unanswered(last).decide().plan.holds;
        assert_eq!(holds[0].reason.leaves_unprotected(), want, "{}", holds[0]);
    }
}

#[test]
fn each_answer_of_application_auto_scaling_is_remembered() {
    for said in [Some(false), Some(true)] {
        let mut scene = unanswered(None);
        scene.primary().scaled_by_application_auto_scaling = said;
        scene.act();
        assert_eq!(scene.memory().scaled_by_application_auto_scaling, said);
        scene.primary().scaled_by_application_auto_scaling = None;
        scene.act();
        assert_eq!(scene.memory().scaled_by_application_auto_scaling, said);
    }
    // A moment without an answer makes nothing a first sight.
    let mut scene = unanswered(None);
    let before = scene.memory().clone();
    scene.act();
    assert_eq!(scene.memory().wrote, before.wrote);
}
