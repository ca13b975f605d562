//! What a look costs, in calls.

use expect_test::{Expect, expect};

use crate::scene::Scene;
use crate::support::{Eye, clusters, gaps, services};

async fn check(scene: Scene, scope: model::snapshot::Scope, want: Expect) {
    let count = scene.services;
    let is_named = matches!(scope, model::snapshot::Scope::Services(_));
    let eye = Eye::on(move |operation, input| scene.answer(operation, input)).await;
    let snapshot = eye.look(&scope).await;
    assert_eq!(gaps(&snapshot), []);
    assert!(is_named || snapshot.fleets.len() == count);
    for fleet in snapshot.fleets.values() {
        let is_read =
            |it: &model::tracking::Reading| matches!(it, model::tracking::Reading::Read { .. });
        assert!(fleet.readings.values().all(is_read), "{:?}", fleet.readings);
    }
    want.assert_eq(&eye.counts());
}

#[tokio::test]
async fn one_service() {
    check(
        Scene::tracked(1),
        services(&["web-0"]),
        expect![[r#"
            1 DescribeScalableTargets
            1 DescribeServices
            1 GetMetricData
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_pair_that_is_asked_about_by_its_standby() {
    check(
        Scene::tracked(1).paired(),
        services(&["web-0-standby"]),
        expect![[r#"
            1 DescribeScalableTargets
            2 DescribeServices
            1 GetMetricData
        "#]],
    )
    .await;
}

#[tokio::test]
async fn fifty_services() {
    check(
        Scene::tracked(50),
        clusters(&["demo"]),
        expect![[r#"
            1 DescribeScalableTargets
            5 DescribeServices
            1 GetMetricData
            1 ListServices
        "#]],
    )
    .await;
}

/// Two queries a service: 1,000 queries of 45 minutes, in two calls.
#[tokio::test]
async fn five_hundred_services() {
    check(
        Scene::tracked(500),
        clusters(&["demo"]),
        expect![[r#"
            10 DescribeScalableTargets
            50 DescribeServices
            2 GetMetricData
            5 ListServices
        "#]],
    )
    .await;
}

/// CPU, memory and the count of tasks of both services, and requests: seven queries a pair, 3,500 in all.
#[tokio::test]
async fn five_hundred_pairs_with_three_targets() {
    let scene = Scene::tracked(500)
        .tag("ballast:target-memory-percent", "70")
        .tag("ballast:target-requests-per-task-minute", "600")
        .paired();
    check(
        scene,
        clusters(&["demo"]),
        expect![[r#"
            10 DescribeScalableTargets
            100 DescribeServices
            7 GetMetricData
            10 ListServices
        "#]],
    )
    .await;
}

/// Three hours of 20 seconds, which are the longest window and its margin, are 540 values: 185 queries fill the 100,800 values of a call.
#[tokio::test]
async fn two_hundred_services_with_short_periods_and_a_long_window() {
    let scene = Scene::tracked(200)
        .tag("ballast:metric-resolution-secs", "20")
        .tag("ballast:scale-in-window-secs", "9000");
    check(
        scene,
        clusters(&["demo"]),
        expect![[r#"
            4 DescribeScalableTargets
            20 DescribeServices
            3 GetMetricData
            2 ListServices
        "#]],
    )
    .await;
}

#[tokio::test]
async fn services_that_are_not_opted_in() {
    let mut scene = Scene::tracked(250);
    scene.tags.clear();
    let eye = Eye::on(move |operation, input| scene.answer(operation, input)).await;
    let snapshot = eye.look(&clusters(&[])).await;
    assert!(snapshot.fleets.is_empty() && snapshot.passed_over.is_empty());
    expect![[r#"
        25 DescribeServices
        1 ListClusters
        3 ListServices
    "#]]
    .assert_eq(&eye.counts());
}

/// Nothing is asked of CloudWatch about services that are not followed.
#[tokio::test]
async fn services_that_are_opted_in_and_not_followed() {
    for (tag, value) in [
        ("ballast:paused", "true"),
        ("ballast:standby-of", "other"),
        ("ballast:min-tasks", "21"),
    ] {
        let scene = Scene::tracked(1).tag(tag, value);
        let eye = Eye::on(move |operation, input| scene.answer(operation, input)).await;
        let snapshot = eye.look(&clusters(&["demo"])).await;
        assert_eq!(snapshot.fleets.len(), 1, "{tag}");
        assert!(!eye.counts().contains("GetMetricData"), "{tag}");
    }
}
