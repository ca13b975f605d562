//! Services whose desired count is left as it is, and why.

use model::policy::Mode;
use model::tracking::TrackingHoldReason;
use serde_json::json;
use world::{Alarm, Comparison, Fault, FaultRule, MetricKey, Operation, Stat, Watched};

use super::stage::{Scene, Stage};
use crate::stage::{acted, held, schedule};

/// So many sweeps come to this one hold, and to no write.
async fn check(stage: &Stage, minutes: u32, reason: &str) {
    for _ in 0..minutes {
        let handled = stage.sweep_for(1).await;
        assert_eq!(acted(&handled), [""; 0], "{reason}");
        assert_eq!(held(&handled, reason), 1, "{:#?}", handled.record.plan);
    }
    assert_eq!(stage.writes().len(), 0, "{reason}");
}

#[tokio::test]
async fn what_application_auto_scaling_scales_is_only_advised() {
    let stage = Scene::default().open().await;
    let target = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/demo/web",
        "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 30,
    });
    stage.call(Operation::RegisterScalableTarget, &target);
    check(&stage, 8, "advice_only").await;
    let handled = stage.sweep_for(1).await;
    let hold = &handled.record.plan.holds[0].hold;
    let TrackingHoldReason::AdviceOnly { would, .. } = &hold.reason else {
        panic!("{hold}");
    };
    assert!(would.contains("from 6 to 10"), "{would}");
}

#[tokio::test]
async fn a_tag_that_asks_for_advice_and_one_that_pauses() {
    let stage = Scene::default()
        .tag("ballast:service-scaler", "advise")
        .open()
        .await;
    check(&stage, 8, "advice_only").await;
    let stage = Scene::default().tag("ballast:paused", "true").open().await;
    check(&stage, 8, "paused").await;
    let stage = Scene::default().tag("ballast:min-tasks", "31").open().await;
    check(&stage, 8, "policy_faults").await;
}

#[tokio::test]
async fn a_mode_that_only_observes_writes_nothing_and_remembers_no_write() {
    let stage = Scene::default().open().await;
    for _ in 0..8 {
        stage.advance_secs(60);
        let handled = stage.handle(Mode::Observe, &schedule()).await;
        assert_eq!(handled.failure, None);
    }
    assert_eq!((stage.desired(), stage.writes().len()), ((6, 0), 0));
}

/// Metrics that do not come say nothing, neither that nothing is to do nor that nobody is there.
#[tokio::test]
async fn without_values_the_count_stays() {
    let scene = Scene {
        gap_per_mille: 1_000,
        ..Scene::default()
    };
    check(&scene.open().await, 10, "no_data").await;
}

/// The values stop before the load falls, or after the first of it have come, which are fewer than the window holds: nothing is lowered.
#[tokio::test]
async fn when_values_stop_nothing_is_lowered() {
    for seen_minutes in [1, 4] {
        let stage = Scene::falling_to(3).open().await;
        stage.sweep_for(seen_minutes).await;
        stage.face.with_world(|world| {
            world.config_mut().publishing.gap_per_mille = 1_000;
        });
        for _ in 0..20 {
            let handled = stage.sweep_for(1).await;
            assert_eq!(handled.failure, None);
            assert_eq!(acted(&handled), [""; 0], "{seen_minutes}");
        }
        let handled = stage.sweep_for(1).await;
        assert_eq!(held(&handled, "no_data"), 1, "{:#?}", handled.record.plan);
        assert_eq!(stage.desired(), (6, 0));
    }
}

/// CloudWatch does not answer: the invocation fails, and the count stays.
#[tokio::test]
async fn when_cloudwatch_does_not_answer_the_count_stays() {
    let stage = Scene::falling_to(3).open().await;
    stage.sweep_for(2).await;
    stage.fault(FaultRule::times(
        Operation::GetMetricData,
        Fault::Throttle,
        1_000,
    ));
    for _ in 0..15 {
        let handled = stage.sweep_for(1).await;
        assert_eq!(handled.failure.as_ref().unwrap().as_str(), "LookIncomplete");
        assert_eq!(acted(&handled), [""; 0]);
    }
    stage.clear_faults();
    let handled = stage.sweep_for(10).await;
    assert_eq!(handled.failure, None);
    assert!(stage.desired().0 < 6);
}

/// An alarm of another service, one of other alarms, and one that does not exist: the target is not followed, and says why.
#[tokio::test]
async fn alarms_that_lead_to_no_metric_of_the_service() {
    for alarm in ["of-api", "of-nobody"] {
        let scene = Scene::default()
            .tag("ballast:target-alarm", alarm)
            .tag("ballast:target-value", "60")
            .tag("ballast:target-measures", "per-task");
        let stage = Scene {
            tags: scene
                .tags
                .into_iter()
                .filter(|(key, _)| *key != "ballast:target-cpu-percent")
                .collect(),
            ..Scene::default()
        }
        .open()
        .await;
        let dimensions = [("ClusterName", "demo"), ("ServiceName", "api")];
        let metric = MetricKey::new("AWS/ECS", "CPUUtilization", &dimensions);
        let watched = Watched::metric(metric, Stat::parse("Average").unwrap(), 60);
        stage.face.with_world(|world| {
            world.put_alarm(Alarm::new(
                "of-api",
                watched,
                Comparison::GreaterThan,
                70_000,
            ));
        });
        check(&stage, 5, "unfollowed").await;
    }
}

/// Somebody asks for more than the load needs: that is theirs for an hour, and is given back then.
#[tokio::test]
async fn what_somebody_else_raised_is_not_lowered_for_a_while() {
    let stage = Scene::steady(6)
        .tag("ballast:foreign-hold-secs", "1200")
        .open()
        .await;
    stage.sweep_for(5).await;
    stage.set(9);
    for _ in 0..18 {
        let handled = stage.sweep_for(1).await;
        assert_eq!(acted(&handled), [""; 0], "{:#?}", handled.record.plan);
    }
    assert_eq!(stage.desired(), (9, 0));
    stage.sweep_for(15).await;
    assert!((6..9).contains(&stage.desired().0), "{:?}", stage.desired());
}

/// Somebody asks for less than the load needs: the load is served.
#[tokio::test]
async fn what_somebody_else_lowered_under_load_is_raised() {
    let stage = Scene::steady(6).open().await;
    stage.sweep_for(5).await;
    stage.set(3);
    stage.sweep_for(8).await;
    assert_eq!(stage.desired(), (6, 0));
}

#[tokio::test]
async fn a_service_that_somebody_switched_off_stays_off() {
    let stage = Scene::steady(6).open().await;
    stage.sweep_for(5).await;
    stage.set(0);
    check(&stage, 15, "switched_off").await;
}
