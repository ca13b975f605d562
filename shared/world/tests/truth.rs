//! The world's own truth as a snapshot.

use expect_test::{Expect, expect};
use model::Seconds;
use model::plan::Action;
use model::snapshot::{Snapshot, Standby};
use serde_json::json;
use world::{Config, Operation, ServiceSpec, World};

fn workshop() -> World {
    let mut world = World::new(Config::new(2));
    let made = world.add_workshop();
    assert!(made.is_ok());
    world.advance_secs(300);
    world
}

/// A line for each pair and each service that is passed over.
fn check(snapshot: &Snapshot, want: &Expect) {
    let mut lines = String::new();
    for (key, pair) in &snapshot.pairs {
        let standby = match &pair.standby {
            Standby::Present(it) => format!("{} of {}", it.running_count, it.desired_count),
            Standby::Missing => "missing".to_owned(),
            Standby::Unknown => "unknown".to_owned(),
        };
        let primary = &pair.primary;
        lines.push_str(&format!(
            "{key}: {} of {} run, {} pending, {} tasks seen, deploying {}, usable policy {}; standby {standby}\n",
            primary.running_count,
            primary.desired_count,
            primary.pending_count,
            primary.tasks.len(),
            primary.deployment_running(),
            pair.policy.is_ok(),
        ));
    }
    for (key, why) in &snapshot.passed_over {
        lines.push_str(&format!("{key}: {why:?}\n"));
    }
    want.assert_eq(&lines);
}

#[test]
fn a_pair_before_during_and_after_a_drought() {
    let mut world = workshop();
    let cluster = ["container-demo".parse().unwrap()];
    check(
        &world.snapshot(&cluster).unwrap(),
        &expect![[r#"
        container-demo/web: 10 of 10 run, 0 pending, 10 tasks seen, deploying false, usable policy true; standby 0 of 0
    "#]],
    );
    world.set_capacity_everywhere("FARGATE_SPOT", world.now(), 0);
    world.advance_secs(60);
    let snapshot = world.snapshot(&cluster).unwrap();
    check(
        &snapshot,
        &expect![[r#"
        container-demo/web: 10 of 10 run, 0 pending, 10 tasks seen, deploying false, usable policy true; standby 0 of 0
    "#]],
    );
    let pair = snapshot.pairs.values().next().unwrap();
    assert_eq!(
        pair.primary
            .tasks
            .iter()
            .filter(|it| it.interrupted)
            .count(),
        7
    );
    assert_eq!(pair.primary.stop_timeout, Some(Seconds(120)));
    let action = Action::SetDesiredCount {
        service: "container-demo/web-standby".parse().unwrap(),
        from: 0,
        to: 7,
    };
    world.apply(&action).unwrap();
    world.advance_secs(120);
    check(
        &world.snapshot(&cluster).unwrap(),
        &expect![[r#"
        container-demo/web: 3 of 10 run, 0 pending, 10 tasks seen, deploying false, usable policy true; standby 7 of 7
    "#]],
    );
}

#[test]
fn services_without_a_partner_are_named() {
    let mut world = workshop();
    for (name, tag, value) in [
        ("untagged", "team", "shop"),
        ("alone", "ballast:standby", "nobody"),
        ("orphan", "ballast:standby-of", "nobody"),
        ("second", "ballast:standby-of", "web"),
        ("wrong", "ballast:standby-of", "a b"),
    ] {
        let key = format!("container-demo/{name}").parse().unwrap();
        world
            .create(ServiceSpec::new(key, "t:1", 0).tag(tag, value))
            .unwrap();
    }
    check(
        &world.snapshot(&[]).unwrap(),
        &expect![[r#"
        container-demo/alone: 0 of 0 run, 0 pending, 0 tasks seen, deploying true, usable policy true; standby missing
        container-demo/web: 10 of 10 run, 0 pending, 10 tasks seen, deploying false, usable policy true; standby 0 of 0
        container-demo/orphan: StandbyWithoutPrimary { primary: "nobody", fault: NotFound }
        container-demo/second: StandbyWithoutPrimary { primary: "web", fault: NamesAnother { standby: "web-standby" } }
        container-demo/wrong: StandbyWithoutPrimary { primary: "a b", fault: UnusableName }
    "#]],
    );
    assert!(
        world
            .snapshot(&["other".parse().unwrap()])
            .unwrap()
            .pairs
            .is_empty()
    );
}

#[test]
fn a_scaled_service_and_a_deployment_are_seen() {
    let mut world = workshop();
    let target = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/container-demo/web", "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 1, "MaxCapacity": 20,
    });
    world
        .call(Operation::RegisterScalableTarget, target)
        .unwrap();
    let input =
        json!({ "cluster": "container-demo", "service": "web", "forceNewDeployment": true });
    world.call(Operation::UpdateService, input).unwrap();
    let snapshot = world.snapshot(&[]).unwrap();
    let pair = snapshot.pairs.values().next().unwrap();
    assert_eq!(pair.primary.scaled_by_application_auto_scaling, Some(true));
    assert!(pair.primary.deployment_running());
}

#[test]
fn a_clone_goes_its_own_way_with_the_same_luck() {
    let mut world = workshop();
    let mut other = world.clone();
    world.set_capacity_everywhere("FARGATE_SPOT", world.now(), 0);
    world.advance_secs(600);
    let mut third = other.clone();
    other.advance_secs(600);
    assert_ne!(world.snapshot(&[]).unwrap(), other.snapshot(&[]).unwrap());
    third.set_capacity_everywhere("FARGATE_SPOT", third.now(), 0);
    third.advance_secs(600);
    assert_eq!(world.snapshot(&[]).unwrap(), third.snapshot(&[]).unwrap());
}
