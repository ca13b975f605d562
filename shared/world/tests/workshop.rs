//! The workshop: ten tasks at FARGATE 1/1 : FARGATE_SPOT 0/4, a Spot drought, and its end. Nothing keeps the service up here: this is
//! what ECS alone does.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its scenario is not what it says"
)]

use std::collections::BTreeMap;

use expect_test::expect;
use model::ServiceKey;
use model::snapshot::TaskStatus;
use model::strategy::Market;
use serde_json::{Value, json};
use world::{Config, Delivered, Operation, World};

fn workshop(seed: u64) -> (World, ServiceKey, ServiceKey) {
    let mut world = World::new(Config::new(seed));
    let (web, standby) = world.add_workshop().unwrap();
    (world, web, standby)
}

fn running_by_provider(world: &World, key: &ServiceKey) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for task in world.tasks_of(key) {
        if task.last_status == TaskStatus::Running {
            *counts.entry(task.provider.clone().unwrap()).or_default() += 1;
        }
    }
    counts
}

fn table(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn ten_tasks_are_split_three_and_seven() {
    let (mut world, web, _) = workshop(1);
    world.advance_secs(120);
    assert_eq!(
        running_by_provider(&world, &web),
        table(&[("FARGATE", 3), ("FARGATE_SPOT", 7)])
    );
}

#[test]
fn forty_tasks_are_split_nine_and_thirty_one() {
    let (mut world, web, _) = workshop(1);
    world.advance_secs(120);
    world.set_desired_count(&web, 40).unwrap();
    world.advance_secs(120);
    assert_eq!(
        running_by_provider(&world, &web),
        table(&[("FARGATE", 9), ("FARGATE_SPOT", 31)])
    );
}

/// Plays the drought: dry for ten minutes, from the fifth on.
fn drought(seed: u64) -> (World, ServiceKey, Vec<Delivered>) {
    let (mut world, web, _) = workshop(seed);
    world.advance_secs(300);
    world.begin_accounts();
    let mut events = world.take_due_events();
    events.clear();
    let dry_at = world.now();
    world.set_capacity_everywhere("FARGATE_SPOT", dry_at, 0);
    world.advance_secs(119);
    assert_eq!(
        world.account(&web).unwrap().serving,
        10,
        "interrupted tasks serve"
    );
    assert_eq!(world.live_tasks(&web).len(), 3);
    world.advance_secs(2);
    assert_eq!(
        world.account(&web).unwrap().serving,
        3,
        "the notice is over"
    );
    world.advance_secs(479);
    assert_eq!(
        world.account(&web).unwrap().serving,
        3,
        "nothing falls back to on-demand"
    );
    world.set_capacity_everywhere("FARGATE_SPOT", world.now(), 100);
    world.advance_secs(180);
    events.extend(world.take_due_events());
    (world, web, events)
}

#[test]
fn without_spot_the_service_stays_below_until_spot_returns() {
    let (world, web, _) = drought(1);
    assert_eq!(
        running_by_provider(&world, &web),
        table(&[("FARGATE", 3), ("FARGATE_SPOT", 7)])
    );
    let account = world.account(&web).unwrap();
    assert_eq!(account.serving_min, 3);
    // Seven tasks, 480 seconds of drought after the notice, then up to a minute of waiting and the start-up.
    assert!(account.below_desired_task_secs() >= 7 * 480, "{account:?}");
    assert!(
        account.below_desired_task_secs() <= 7 * (480 + 60 + 45),
        "{account:?}"
    );
    assert_eq!(account.on_demand_task_secs(), 3 * 780);
}

#[test]
fn the_interruption_events_are_those_of_the_developer_guide() {
    let (_, _, events) = drought(1);
    let warnings: Vec<&Value> = events
        .iter()
        .map(|it| &it.envelope)
        .filter(|it| it["detail"]["stopCode"] == "SpotInterruption")
        .filter(|it| it["detail"]["lastStatus"] == "RUNNING")
        .collect();
    assert_eq!(warnings.len(), 7);
    let detail = &warnings[0]["detail"];
    assert_eq!(detail["desiredStatus"], "STOPPED");
    assert_eq!(detail["stoppedReason"], "Your Spot Task was interrupted.");
    assert_eq!(detail["group"], "service:web");
    assert_eq!(detail["capacityProviderName"], "FARGATE_SPOT");

    // The same task goes on through its life, each time with a higher version, and ends about two minutes later.
    let arn = &detail["taskArn"];
    let life: Vec<String> = events
        .iter()
        .map(|it| &it.envelope["detail"])
        .filter(|it| it["taskArn"] == *arn)
        .map(|it| format!("{} {}", it["version"], it["lastStatus"].as_str().unwrap()))
        .collect();
    expect![[r#"
        [
            "5 RUNNING",
            "6 DEACTIVATING",
            "7 STOPPING",
            "8 DEPROVISIONING",
            "9 STOPPED",
        ]
    "#]]
    .assert_debug_eq(&in_order(life));
}

/// Events of one moment may overtake one another; the versions tell their order.
fn in_order(mut life: Vec<String>) -> Vec<String> {
    life.sort();
    life
}

#[test]
fn the_placement_failures_name_the_spot_provider() {
    let (_, _, events) = drought(1);
    let failures: Vec<&Value> = events
        .iter()
        .map(|it| &it.envelope)
        .filter(|it| it["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE")
        .collect();
    assert!(failures.len() > 5, "the scheduler tries again and again");
    let mut detail = failures[0]["detail"].clone();
    detail["createdAt"] = json!("(time)");
    expect![[r#"
        {
          "capacityProviderArns": [
            "arn:aws:ecs:us-west-2:111122223333:capacity-provider/FARGATE_SPOT"
          ],
          "clusterArn": "arn:aws:ecs:us-west-2:111122223333:cluster/container-demo",
          "createdAt": "(time)",
          "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
          "eventType": "ERROR",
          "reason": "RESOURCE:FARGATE"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&detail).unwrap());
}

#[test]
fn no_task_of_the_spot_share_ever_runs_on_demand() {
    for seed in 0..20 {
        let (world, web, _) = drought(seed);
        let on_demand = world
            .tasks_of(&web)
            .into_iter()
            .filter(|it| it.market == Market::OnDemand)
            .count();
        assert_eq!(on_demand, 3, "seed {seed}");
    }
}

#[test]
fn the_timeline_tells_the_story() {
    let (world, _, _) = drought(1);
    expect![[r#"
        2026-03-02T09:00:01Z container-demo/web-standby is steady at 0 tasks
        2026-03-02T09:00:24.71Z container-demo/web serves with 1 of 10 tasks
        2026-03-02T09:00:26.888Z container-demo/web serves with 2 of 10 tasks
        2026-03-02T09:00:27.101Z container-demo/web serves with 3 of 10 tasks
        2026-03-02T09:00:27.443Z container-demo/web serves with 4 of 10 tasks
        2026-03-02T09:00:27.763Z container-demo/web serves with 5 of 10 tasks
        2026-03-02T09:00:28.397Z container-demo/web serves with 6 of 10 tasks
        2026-03-02T09:00:32.694Z container-demo/web serves with 7 of 10 tasks
        2026-03-02T09:00:32.951Z container-demo/web serves with 8 of 10 tasks
        2026-03-02T09:00:34.502Z container-demo/web serves with 9 of 10 tasks
        2026-03-02T09:00:34.78Z container-demo/web serves with 10 of 10 tasks
        2026-03-02T09:00:35.502Z container-demo/web is steady at 10 tasks
        2026-03-02T09:05:00Z capacity of FARGATE_SPOT in us-west-2a becomes 0 tasks
        2026-03-02T09:05:00Z Spot takes back 2 tasks of FARGATE_SPOT in us-west-2a, they get their warning: 723ee788, 468d9c53
        2026-03-02T09:05:00Z capacity of FARGATE_SPOT in us-west-2b becomes 0 tasks
        2026-03-02T09:05:00Z Spot takes back 2 tasks of FARGATE_SPOT in us-west-2b, they get their warning: 80a1b49c, 6e4ac130
        2026-03-02T09:05:00Z capacity of FARGATE_SPOT in us-west-2c becomes 0 tasks
        2026-03-02T09:05:00Z Spot takes back 3 tasks of FARGATE_SPOT in us-west-2c, they get their warning: d8a58a31, a2658d9e, 1dc660be
        2026-03-02T09:05:01Z container-demo/web cannot place a task on FARGATE_SPOT: no capacity
        2026-03-02T09:07:00Z container-demo/web serves with 3 of 10 tasks
        2026-03-02T09:15:00Z capacity of FARGATE_SPOT in us-west-2a becomes 34 tasks
        2026-03-02T09:15:00Z capacity of FARGATE_SPOT in us-west-2b becomes 33 tasks
        2026-03-02T09:15:00Z capacity of FARGATE_SPOT in us-west-2c becomes 33 tasks
        2026-03-02T09:15:34.266Z container-demo/web serves with 4 of 10 tasks
        2026-03-02T09:15:35.768Z container-demo/web serves with 5 of 10 tasks
        2026-03-02T09:15:36.401Z container-demo/web serves with 6 of 10 tasks
        2026-03-02T09:15:37.823Z container-demo/web serves with 7 of 10 tasks
        2026-03-02T09:15:39.796Z container-demo/web serves with 8 of 10 tasks
        2026-03-02T09:15:44.319Z container-demo/web serves with 9 of 10 tasks
        2026-03-02T09:15:45.326Z container-demo/web serves with 10 of 10 tasks
        2026-03-02T09:15:46.326Z container-demo/web is steady at 10 tasks
    "#]]
    .assert_eq(&world.timeline().to_string());
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another_one() {
    let told = |seed| {
        let (world, _, events) = drought(seed);
        (world.timeline().to_string(), format!("{events:?}"))
    };
    assert_eq!(told(5), told(5));
    assert_ne!(told(5), told(6));
}

#[test]
fn a_standby_is_served_like_any_other_service() {
    let (mut world, web, standby) = workshop(3);
    world.advance_secs(300);
    world.begin_accounts();
    world.set_capacity_everywhere("FARGATE_SPOT", world.now(), 0);
    world.set_desired_count(&standby, 7).unwrap();
    world.advance_secs(300);
    assert_eq!(
        running_by_provider(&world, &standby),
        table(&[("FARGATE", 7)])
    );
    let account = world.account(&web).unwrap();
    assert_eq!(account.serving_min, 10, "the standby stood in in time");
    assert_eq!(account.below_desired_task_millis, 0);
}

#[test]
fn a_container_that_is_killed_early_serves_only_that_long() {
    let (mut world, web, _) = workshop(3);
    let arn = world.add_task_definition("quick", None).unwrap();
    let input = json!({ "cluster": "container-demo", "service": "web", "taskDefinition": arn });
    world.call(Operation::UpdateService, input).unwrap();
    world.advance_secs(600);
    assert_eq!(world.service(&web).unwrap().deployments.len(), 1);
    world.set_capacity_everywhere("FARGATE_SPOT", world.now(), 0);
    world.advance_secs(29);
    assert_eq!(world.account(&web).unwrap().serving, 10);
    world.advance_secs(2);
    assert_eq!(world.account(&web).unwrap().serving, 3);
}
