//! Looks at a simulated AWS over HTTP.

use std::time::Duration;

use calls::Deadline;
use expect_test::{Expect, expect};
use model::ServiceKey;
use model::snapshot::{GapCause, PassedOver, Snapshot, Standby};
use model::strategy::{FARGATE, FARGATE_SPOT, Market};
use world::face::{Face, FaceOptions, serve};
use world::{Config, Fault, FaultRule, GroupProvider, Operation, ServiceSpec, World, line};

use crate::support::{Eye, clusters, services, show};

/// The workshop, at rest.
fn workshop() -> World {
    let mut world = World::new(Config::new(7));
    world.add_task_definition("web", Some(90)).unwrap();
    world.add_workshop().unwrap();
    world.advance_secs(300);
    world
}

async fn face(world: World) -> (Face, Eye) {
    let face = serve(world, FaceOptions::default()).await.unwrap();
    let eye = Eye::on(&face.url());
    (face, eye)
}

fn check(snapshot: &Snapshot, want: &Expect) {
    want.assert_eq(&show(snapshot));
}

/// The workshop's cluster with further services.
fn with_services(specs: impl IntoIterator<Item = ServiceSpec>) -> World {
    let mut world = workshop();
    for spec in specs {
        world.create(spec).unwrap();
    }
    world.advance_secs(300);
    world
}

fn spec(key: &str, desired: u32) -> ServiceSpec {
    ServiceSpec::new(key.parse().unwrap(), "web:1", desired).on(vec![line(FARGATE, 0, 1).unwrap()])
}

#[tokio::test]
async fn a_pair_is_seen_from_either_side_with_the_same_calls() {
    let want = expect![[r#"
        at 2026-03-02T09:05:00Z
        pair container-demo/web: standby web-standby
          primary web ACTIVE: desired 10, running 10, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 1/1 on-demand : FARGATE_SPOT 0/4 Spot
            ECS, REPLICA
            3 tasks RUNNING to run on FARGATE
            7 tasks RUNNING to run on FARGATE_SPOT
          standby web-standby ACTIVE: desired 0, running 0, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA, not scaled
    "#]];
    let calls = expect![[r#"
        1 Application Auto Scaling:DescribeScalableTargets, 2 ECS:DescribeServices, 1 ECS:DescribeTasks, 2 ECS:ListTasks
        1 Application Auto Scaling:DescribeScalableTargets, 2 ECS:DescribeServices, 1 ECS:DescribeTasks, 2 ECS:ListTasks
        1 Application Auto Scaling:DescribeScalableTargets, 1 ECS:DescribeServices, 1 ECS:DescribeTasks, 2 ECS:ListTasks
        1 Application Auto Scaling:DescribeScalableTargets, 1 ECS:DescribeServices, 1 ECS:DescribeTasks, 1 ECS:ListServices, 2 ECS:ListTasks
    "#]];
    let mut looks = Vec::new();
    for scope in [
        services(&["container-demo/web"]),
        services(&["container-demo/web-standby"]),
        services(&["container-demo/web", "container-demo/web-standby"]),
        clusters(&["container-demo"]),
    ] {
        let (_face, eye) = face(workshop()).await;
        let mut snapshot = eye.look(&scope).await;
        looks.push(format!("{}\n", eye.requests()));
        // The second look of a world is later than the first: only the time may differ.
        snapshot.taken_at = "2026-03-02T09:05:00Z".parse().unwrap();
        check(&snapshot, &want);
    }
    calls.assert_eq(&looks.concat());
}

#[tokio::test]
async fn thousands_of_interruptions_of_one_service_cost_a_handful_of_calls() {
    let mut world = workshop();
    let web: ServiceKey = "container-demo/web".parse().unwrap();
    let now = world.now();
    world.set_capacity_everywhere(FARGATE_SPOT, now, 0);
    world.advance_secs(2);
    let (_face, eye) = face(world).await;

    // Whatever the number of events, they name one service.
    let events = (0..5_000).map(|_| web.clone());
    let scope = model::snapshot::Scope::Services(events.collect());
    let snapshot = eye.look(&scope).await;
    check(
        &snapshot,
        &expect![[r#"
        at 2026-03-02T09:05:02Z
        pair container-demo/web: standby web-standby
          primary web ACTIVE: desired 10, running 10, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 1/1 on-demand : FARGATE_SPOT 0/4 Spot
            ECS, REPLICA, stops within 90 s
            3 tasks RUNNING to run on FARGATE
            7 tasks RUNNING to stop on FARGATE_SPOT, interrupted
          standby web-standby ACTIVE: desired 0, running 0, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA, not scaled
    "#]],
    );
    expect!["1 Application Auto Scaling:DescribeScalableTargets, 2 ECS:DescribeServices, 1 ECS:DescribeTaskDefinition, 1 ECS:DescribeTasks, 2 ECS:ListTasks"].assert_eq(&eye.requests());

    // A task definition never changes: the second look does not read it again.
    let again = eye.look(&scope).await;
    assert_eq!(
        again.pairs[&web].primary.stop_timeout,
        snapshot.pairs[&web].primary.stop_timeout
    );
    expect!["2 Application Auto Scaling:DescribeScalableTargets, 4 ECS:DescribeServices, 1 ECS:DescribeTaskDefinition, 2 ECS:DescribeTasks, 4 ECS:ListTasks"].assert_eq(&eye.requests());
    assert!(again.taken_at >= snapshot.taken_at);
}

/// The workshop among services of which most are in no pair, for one reason each.
fn odd_tags() -> World {
    with_services([
        spec("container-demo/plain", 1),
        spec("container-demo/lost-standby", 0).tag("ballast:standby-of", "gone"),
        spec("container-demo/wrong-standby", 0).tag("ballast:standby-of", "web"),
        spec("container-demo/of-plain", 0).tag("ballast:standby-of", "plain"),
        spec("container-demo/of-nonsense", 0).tag("ballast:standby-of", "no name"),
        spec("container-demo/alone", 1).tag("ballast:standby", "alone-standby"),
        spec("container-demo/untagged", 1).tag("ballast:standby", "plain"),
        spec("container-demo/nonsense", 1)
            .tag("ballast:standby", "no name")
            .tag("ballast:hold-down-secs", "soon"),
    ])
}

#[tokio::test]
async fn every_service_that_was_asked_about_is_accounted_for() {
    let (_face, eye) = face(odd_tags()).await;
    let asked = [
        "container-demo/plain",
        "container-demo/lost-standby",
        "container-demo/wrong-standby",
        "container-demo/of-plain",
        "container-demo/of-nonsense",
        "container-demo/alone",
        "container-demo/nonsense",
        "container-demo/never-was",
        "container-demo/näme",
        "elsewhere/web",
    ];
    let snapshot = eye.look(&services(&asked)).await;
    check(
        &snapshot,
        &expect![[r#"
        at 2026-03-02T09:10:00Z
        pair container-demo/alone: standby alone-standby
          primary alone ACTIVE: desired 1, running 1, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA
            1 tasks RUNNING to run on FARGATE
          standby missing
        pair container-demo/nonsense: `ballast:standby` is `no name`: the name of another service in the same cluster is allowed; `ballast:hold-down-secs` is `soon`: a whole number from 60 to 86400 is allowed
          primary nonsense ACTIVE: desired 1, running 1, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA
            1 tasks RUNNING to run on FARGATE
          standby unknown
        passed over container-demo/lost-standby: standby of gone, which does not exist
        passed over container-demo/never-was: not found
        passed over container-demo/näme: not found
        passed over container-demo/of-nonsense: standby of no name, which is no service's name
        passed over container-demo/of-plain: standby of plain, which does not carry the tag `ballast:standby`
        passed over container-demo/plain: not opted in
        passed over container-demo/wrong-standby: standby of web, whose tag `ballast:standby` names `web-standby`
        passed over elsewhere/web: unread: `ecs:DescribeServices` for `elsewhere/web`: not_found (ClusterNotFoundException: Cluster not found.)
    "#]],
    );
    for key in asked {
        let key = key.parse().unwrap();
        assert!(
            snapshot.pairs.contains_key(&key) != snapshot.passed_over.contains_key(&key),
            "{key} is accounted for once"
        );
    }
}

#[tokio::test]
async fn a_whole_cluster_leaves_out_what_is_no_business_of_ballasts() {
    let (_face, eye) = face(odd_tags()).await;
    let sweep = eye.look(&clusters(&["container-demo", "elsewhere"])).await;
    check(
        &sweep,
        &expect![[r#"
        at 2026-03-02T09:10:00Z
        pair container-demo/alone: standby alone-standby
          primary alone ACTIVE: desired 1, running 1, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA
            1 tasks RUNNING to run on FARGATE
          standby missing
        pair container-demo/nonsense: `ballast:standby` is `no name`: the name of another service in the same cluster is allowed; `ballast:hold-down-secs` is `soon`: a whole number from 60 to 86400 is allowed
          primary nonsense ACTIVE: desired 1, running 1, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA
            1 tasks RUNNING to run on FARGATE
          standby unknown
        pair container-demo/untagged: standby plain
          primary untagged ACTIVE: desired 1, running 1, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA
            1 tasks RUNNING to run on FARGATE
          standby plain ACTIVE: desired 1, running 1, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA, not scaled
            1 tasks RUNNING to run on FARGATE
        pair container-demo/web: standby web-standby
          primary web ACTIVE: desired 10, running 10, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 1/1 on-demand : FARGATE_SPOT 0/4 Spot
            ECS, REPLICA
            3 tasks RUNNING to run on FARGATE
            7 tasks RUNNING to run on FARGATE_SPOT
          standby web-standby ACTIVE: desired 0, running 0, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA, not scaled
        passed over container-demo/lost-standby: standby of gone, which does not exist
        passed over container-demo/of-nonsense: standby of no name, which is no service's name
        passed over container-demo/of-plain: standby of plain, which does not carry the tag `ballast:standby`
        passed over container-demo/wrong-standby: standby of web, whose tag `ballast:standby` names `web-standby`
        gap `ecs:ListServices` for `elsewhere`: not_found (ClusterNotFoundException: Cluster not found.)
    "#]],
    );
}

#[tokio::test]
async fn a_cluster_of_many_pairs_is_listed_once() {
    let pairs = (0..25).flat_map(|index| {
        let (primary, standby) = (format!("p{index}"), format!("p{index}-standby"));
        [
            spec(&format!("container-demo/{primary}"), 2).tag("ballast:standby", &standby),
            spec(&format!("container-demo/{standby}"), 1).tag("ballast:standby-of", &primary),
        ]
    });
    let (_face, eye) = face(with_services(pairs)).await;
    let snapshot = eye.look(&clusters(&[])).await;
    assert_eq!(snapshot.pairs.len(), 26);
    assert!(snapshot.gaps.is_empty() && snapshot.passed_over.is_empty());
    for (key, pair) in &snapshot.pairs {
        assert!(pair.gaps.is_empty(), "{key}: {:?}", pair.gaps);
        let Standby::Present(standby) = &pair.standby else {
            panic!("{key} has its standby");
        };
        for service in [&pair.primary, standby.as_ref()] {
            let to_run = service.tasks.iter().filter(|task| task.desired_running);
            assert_eq!(
                to_run.count(),
                service.desired_count as usize,
                "{}",
                service.key
            );
        }
    }
    // 52 services are 6 batches of ten; 85 tasks of the cluster are one page and one batch of a hundred.
    expect!["1 Application Auto Scaling:DescribeScalableTargets, 6 ECS:DescribeServices, 1 ECS:DescribeTasks, 1 ECS:ListClusters, 1 ECS:ListServices, 2 ECS:ListTasks"].assert_eq(&eye.requests());
}

/// Looks at the workshop while something goes wrong.
async fn with_fault(rule: FaultRule, want: Expect) -> Snapshot {
    let mut world = workshop();
    world.config_mut().faults.rules.push(rule);
    let (_face, eye) = face(world).await;
    let snapshot = eye.look(&services(&["container-demo/web"])).await;
    check(&snapshot, &want);
    snapshot
}

#[tokio::test]
async fn a_call_that_fails_leaves_a_gap_where_it_belongs() {
    with_fault(
        FaultRule::always(Operation::DescribeServices, Fault::AccessDenied),
        expect![[r#"
            at 2026-03-02T09:05:00Z
            passed over container-demo/web: unread: `ecs:DescribeServices` for `container-demo/web`: access_denied (AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/function/world is not authorized to perform: ecs:DescribeServices because no identity-based policy allows the ecs:DescribeServices action)
        "#]],
    )
    .await;
    with_fault(
        FaultRule::always(Operation::ListTasks, Fault::Throttle),
        expect![[r#"
            at 2026-03-02T09:05:00Z
            pair container-demo/web: standby web-standby
              primary web ACTIVE: desired 10, running 10, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 1/1 on-demand : FARGATE_SPOT 0/4 Spot
                ECS, REPLICA
                not every task that is to run was read
              standby web-standby ACTIVE: desired 0, running 0, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA, not scaled
              gap `ecs:ListTasks` for `container-demo/web`: throttled (ThrottlingException: Rate exceeded)
        "#]],
    )
    .await;
    with_fault(
        FaultRule::times(Operation::DescribeTasks, Fault::PartialFailure, 1),
        expect![[r#"
            at 2026-03-02T09:05:00Z
            pair container-demo/web: standby web-standby
              primary web ACTIVE: desired 10, running 10, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 1/1 on-demand : FARGATE_SPOT 0/4 Spot
                ECS, REPLICA
                2 tasks RUNNING to run on FARGATE
                7 tasks RUNNING to run on FARGATE_SPOT
                not every task that is to run was read
              standby web-standby ACTIVE: desired 0, running 0, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA, not scaled
              gap `ecs:DescribeTasks` for `container-demo/web`: not_found (task `arn:aws:ecs:us-west-2:111122223333:task/container-demo/<id>`: MISSING)
        "#]],
    )
    .await;
    let unscaled = with_fault(
        FaultRule::always(Operation::DescribeScalableTargets, Fault::ServerError),
        expect![[r#"
            at 2026-03-02T09:05:00Z
            pair container-demo/web: standby web-standby
              primary web ACTIVE: desired 10, running 10, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 1/1 on-demand : FARGATE_SPOT 0/4 Spot
                ECS, REPLICA
                3 tasks RUNNING to run on FARGATE
                7 tasks RUNNING to run on FARGATE_SPOT
              standby web-standby ACTIVE: desired 0, running 0, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA
              gap `application-autoscaling:DescribeScalableTargets` for `container-demo/web-standby`: other (ServerException: Service Unavailable. Please try again later.)
        "#]],
    )
    .await;
    let web = &unscaled.pairs[&"container-demo/web".parse().unwrap()];
    assert_eq!(web.gaps.len(), 1, "nothing is given back");
}

#[tokio::test]
async fn a_standby_that_cannot_be_read_is_not_missing() {
    let mut rule = FaultRule::always(Operation::DescribeServices, Fault::Throttle);
    rule.about = Some("web-standby".to_owned());
    let snapshot = with_fault(rule, expect![[r#"
        at 2026-03-02T09:05:00Z
        pair container-demo/web: standby web-standby
          primary web ACTIVE: desired 10, running 10, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 1/1 on-demand : FARGATE_SPOT 0/4 Spot
            ECS, REPLICA
            3 tasks RUNNING to run on FARGATE
            7 tasks RUNNING to run on FARGATE_SPOT
          standby unknown
          gap `ecs:DescribeServices` for `container-demo/web-standby`: throttled (ThrottlingException: Rate exceeded)
    "#]]).await;
    let web = &snapshot.pairs[&"container-demo/web".parse().unwrap()];
    assert_eq!(web.standby, Standby::Unknown);
    assert_eq!(web.gaps[0].cause, GapCause::Throttled);
}

#[tokio::test]
async fn groups_and_scalable_targets_are_looked_up() {
    let mut world = workshop();
    for (provider, market) in [("ec2-spot", Market::Spot), ("ec2", Market::OnDemand)] {
        world.declare_group(
            provider,
            GroupProvider {
                group: format!("group-of-{provider}"),
                market,
                instance_types: vec!["m5.large".to_owned()],
            },
        );
        let now = world.now();
        world.set_capacity_everywhere(provider, now, 40);
    }
    let cluster = "groups".parse().unwrap();
    world
        .create_cluster_of(
            &cluster,
            &["ec2-spot", "ec2"],
            vec![line("ec2", 0, 1).unwrap()],
        )
        .unwrap();
    let on = |key: &str, provider, desired| {
        ServiceSpec::new(key.parse().unwrap(), "web:1", desired)
            .on(vec![line(provider, 0, 1).unwrap()])
    };
    world
        .create(on("groups/app", "ec2-spot", 3).tag("ballast:standby", "app-standby"))
        .unwrap();
    world
        .create(on("groups/app-standby", "ec2", 0).tag("ballast:standby-of", "app"))
        .unwrap();
    let target = serde_json::json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/groups/app-standby",
        "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 0, "MaxCapacity": 5,
    });
    world
        .call(Operation::RegisterScalableTarget, target)
        .unwrap();
    world.advance_secs(300);
    let (_face, eye) = face(world).await;
    let snapshot = eye.look(&services(&["groups/app"])).await;
    check(
        &snapshot,
        &expect![[r#"
        at 2026-03-02T09:10:00Z
        pair groups/app: standby app-standby
          primary app ACTIVE: desired 3, running 3, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; ec2-spot 0/1 Spot
            ECS, REPLICA
            3 tasks RUNNING to run on ec2-spot
          standby app-standby ACTIVE: desired 0, running 0, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; ec2 0/1 on-demand
            ECS, REPLICA, scaled
    "#]],
    );
    expect!["1 Application Auto Scaling:DescribeScalableTargets, 1 Auto Scaling:DescribeAutoScalingGroups, 1 ECS:DescribeCapacityProviders, 2 ECS:DescribeServices, 1 ECS:DescribeTasks, 2 ECS:ListTasks"].assert_eq(&eye.requests());
}

#[tokio::test]
async fn time_and_budget_end_a_look_with_gaps() {
    let (face, eye) = face(workshop()).await;
    let over = Deadline::after(Duration::ZERO);
    let blind = eye
        .observer
        .look(&clusters(&["container-demo"]), over)
        .await
        .unwrap_err();
    expect!["AWS gave no answer: `ecs:ListServices` for `container-demo`: out_of_time (not sent for this and 0 further clusters)"].assert_eq(&blind.to_string());
    let blind = eye
        .observer
        .look(&services(&["container-demo/web"]), over)
        .await
        .unwrap_err();
    assert_eq!(blind.gaps[0].cause, GapCause::OutOfTime);
    assert_eq!(eye.requests(), "", "nothing was sent");

    // One call of every bucket is free, the next one only after seconds.
    let poor = Eye::with_budget(&face.url(), 1);
    let soon = Deadline::after(Duration::from_millis(500));
    let snapshot = poor
        .observer
        .look(&services(&["container-demo/web"]), soon)
        .await
        .unwrap();
    let web = &snapshot.pairs[&"container-demo/web".parse().unwrap()];
    assert_eq!(web.standby, Standby::Unknown);
    assert!(
        web.gaps
            .iter()
            .all(|gap| gap.cause == GapCause::BudgetSpent),
        "{:?}",
        web.gaps
    );
}

#[tokio::test]
async fn without_any_answer_nothing_is_seen() {
    // Port 9 of this host is not listened on by anything that speaks HTTP.
    let eye = Eye::on("http://127.0.0.1:9");
    let blind = eye
        .try_look(&services(&["container-demo/web"]))
        .await
        .unwrap_err();
    assert_eq!(blind.gaps.len(), 1);
    assert_eq!(blind.gaps[0].cause, GapCause::Unreachable);
    assert_eq!(blind.gaps[0].operation, "ecs:DescribeServices");

    let nothing = eye.try_look(&services(&[])).await.unwrap_err();
    expect!["AWS gave no answer: nothing was asked for"].assert_eq(&nothing.to_string());
}

#[tokio::test]
async fn a_refusal_tells_the_time_and_is_no_blindness() {
    let (_face, eye) = face(workshop()).await;
    let snapshot = eye.look(&services(&["deleted/web"])).await;
    let key = "deleted/web".parse().unwrap();
    let Some(PassedOver::Unread { gap }) = snapshot.passed_over.get(&key) else {
        panic!("{snapshot:?}");
    };
    assert_eq!(gap.cause, GapCause::NotFound);
}
