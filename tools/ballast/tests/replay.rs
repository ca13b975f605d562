//! `replay --plan` against worlds on loopback: each function that an event makes look plans by itself, and nothing is written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use model::strategy::{FARGATE, FARGATE_SPOT};
use model::{ServiceKey, Timestamp};
use serde_json::{Value, json};
use tokio::process::Command;
use world::face::{Face, FaceOptions, serve};
use world::load::{Fleet, LoadCurve};
use world::{
    Alarm, CapacityProvider, Comparison, Config, GroupSpec, LaunchSpec, MetricKey, ScaledBy,
    ServiceSpec, Stat, TargetGroup, TaskDefinition, Watched, World, line,
};

/// A folder of this test's own for its events.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("replay")
        .join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A sample of the repository.
fn sample(name: &str) -> PathBuf {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
    Path::new(events).join(format!("{name}.json"))
}

/// The last event with this `detail-type` that the world has sent, as a file.
fn told(world: &mut World, name: &str, detail_type: &str) -> PathBuf {
    let events = world.take_due_events().into_iter();
    let event = events
        .map(|event| event.envelope)
        .rfind(|it| it["detail-type"] == detail_type);
    let file = folder(name).join("event.json");
    std::fs::write(&file, event.unwrap().to_string()).unwrap();
    file
}

/// What is shown of the event files, after their names, and the exit code. Nothing but reads was asked of the world.
async fn replay(face: &Face, files: &[&Path], arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ballast"))
        .arg("replay")
        .args(files)
        .args(arguments)
        .envs(face.environment())
        .env_remove("AWS_ENDPOINT_URL")
        .args(["--endpoint-url", &face.url()])
        .output()
        .await
        .unwrap();
    let calls = face.calls();
    for action in calls.keys() {
        let (_, operation) = action.split_once(':').unwrap();
        let is_read = ["Describe", "List", "Get"].map(|it| operation.starts_with(it));
        assert!(is_read.contains(&true), "{action} is no read");
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = text(output.stderr);
    (output.status.code().unwrap(), text(output.stdout) + &said)
}

/// Replays one event, and shows all but the file's name.
async fn check(face: &Face, file: &Path, arguments: &[&str], want: Expect) {
    let (code, shown) = replay(face, &[file], arguments).await;
    let (_, after) = shown.split_once('\n').unwrap();
    want.assert_eq(&format!("exit {code}\n{after}"));
}

/// The headings of the functions' plans, in the order in which they are shown.
fn headings(shown: &str) -> Vec<&str> {
    let split = |line| str::split_once(line, ", planned with an empty ledger, in mode observe:");
    let lines = shown.lines().filter_map(split);
    lines.map(|(function, _)| function.trim()).collect()
}

/// The workshop on Fargate, beside the time that it has to settle.
fn workshop() -> World {
    let mut world = World::new(Config::new(1));
    world.add_workshop().unwrap();
    world.advance_secs(120);
    world
}

/// A tracked service of six tasks on Fargate, for which twice as much comes after ten minutes, and the alarm on its CPU.
fn tracked() -> World {
    let mut world = World::new(Config::new(7));
    let key: ServiceKey = "demo/web".parse().unwrap();
    world
        .create_cluster_of(&key.cluster, &[FARGATE, FARGATE_SPOT], vec![])
        .unwrap();
    let target_group = world.declare_target_group(TargetGroup::new("shop").healthy_after(2));
    let spec = ServiceSpec::new(key.clone(), "web:1", 6)
        .on(vec![line(FARGATE, 0, 1).unwrap()])
        .behind(&target_group)
        .tag("ballast:service-scaler", "act")
        .tag("ballast:target-cpu-percent", "60")
        .tag("ballast:min-tasks", "2")
        .tag("ballast:max-tasks", "30");
    world.create(spec).unwrap();
    world.advance_secs(300);
    // A load begins with a whole minute.
    let minute = world.now().as_second() / 60 + 1;
    let starts_at = Timestamp::from_second(minute * 60).unwrap();
    world.advance_to(starts_at);
    let load = LoadCurve::step(360, 720, 10, 600);
    let fleet = Fleet::new(key, load, starts_at, 100).behind(&target_group, "shop");
    world.put_load("shop", fleet);
    let dimensions = [("ClusterName", "demo"), ("ServiceName", "web")];
    let metric = MetricKey::new("AWS/ECS", "CPUUtilization", &dimensions);
    let watched = Watched::metric(metric, Stat::parse("Average").unwrap(), 60);
    let alarm = Alarm::new("web-high", watched, Comparison::GreaterThan, 70_000);
    world.put_alarm(alarm.takes(1, 1));
    world.advance_secs(14 * 60);
    world
}

/// Six tasks on three Spot instances that are opted in, of which EC2 warns one.
fn warned(name: &str) -> (World, PathBuf) {
    let mut config = Config::new(7);
    config.spot_instance_draining = false;
    let mut world = World::new(config);
    let launch = LaunchSpec::spot("workers", &["t3.small"]);
    let group = GroupSpec::new("workers", launch, 0, 3, 13).tag("ballast:instance-drain", "act");
    world.declare_auto_scaling_group(group);
    let provider = CapacityProvider::over("workers").without_managed_draining();
    world.declare_capacity_provider("workers", provider);
    let service: ServiceKey = "container-demo/web".parse().unwrap();
    let strategy = vec![line("workers", 0, 1).unwrap()];
    world
        .create_cluster_of(&service.cluster, &["workers"], strategy)
        .unwrap();
    let definition = TaskDefinition::on_instances("web", 256, 512);
    let definition = world.add_task_definition_of(definition).unwrap();
    world
        .create(ServiceSpec::new(service, &definition, 6))
        .unwrap();
    world.advance_secs(900);
    world.take_due_events();
    let instances = world.state().container_instances.values();
    let fullest = instances.max_by_key(|it| it.tasks.len()).unwrap();
    let instance = fullest.ec2_instance_id.clone();
    assert!(world.interrupt_instance(&instance));
    world.advance_secs(5);
    let file = told(&mut world, name, "EC2 Spot Instance Interruption Warning");
    (world, file)
}

/// The workshop's groups under cluster-scaler, with more tasks than the instances have room for.
fn crowded() -> World {
    let mut world = World::new(Config::new(1));
    let names = world.add_workshop_ec2(ScaledBy::Ballast).unwrap();
    world.advance_secs(600);
    world.set_desired_count(&names.service, 40).unwrap();
    world.advance_secs(60);
    world
}

async fn opened(world: World) -> Face {
    serve(world, FaceOptions::default()).await.unwrap()
}

#[tokio::test]
async fn an_alarm_of_a_service_is_planned_by_both_functions_that_it_wakes() {
    let mut world = tracked();
    let file = told(&mut world, "alarm", "CloudWatch Alarm State Change");
    let face = opened(world).await;
    check(&face, &file, &["--plan"], expect![[r#"
        exit 0
          trigger  alarm_changed `web-high`: alarm, was ok at 2026-03-02T09:18:00Z
          looks at the groups under `demo` (cluster-scaler); the tracked service `demo/web` (service-scaler)
          cluster-scaler, planned with an empty ledger, in mode observe:
            no step and no hold
          service-scaler, planned with an empty ledger, in mode observe:
            step `demo/web` scale_out: set the desired count of `demo/web` from 6 to 10, because `cpu` needs 10 (desired 6, running 6, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-02T09:18:00Z, at most 10 in the window); allowed 2 to 30): not written: the mode is `observe`
    "#]]).await;
    let alone = ["--function", "service-scaler"];
    check(&face, &file, &alone, expect![[r#"
        exit 0
          trigger  alarm_changed `web-high`: alarm, was ok at 2026-03-02T09:18:00Z
          looks at the groups under `demo` (cluster-scaler); the tracked service `demo/web` (service-scaler)
          service-scaler, planned with an empty ledger, in mode observe:
            step `demo/web` scale_out: set the desired count of `demo/web` from 6 to 10, because `cpu` needs 10 (desired 6, running 6, pending 0; standby running 0; cpu 10 (load 10.000 tasks at 2026-03-02T09:18:00Z, at most 10 in the window); allowed 2 to 30): not written: the mode is `observe`
    "#]]).await;
}

#[tokio::test]
async fn a_spot_warning_is_planned_by_instance_drain() {
    let (world, file) = warned("warning");
    let face = opened(world).await;
    check(&face, &file, &["--plan"], expect![[r#"
        exit 0
          trigger  instance_noticed i-f9e52bcfeaeacbe7a: spot_interruption (terminate) at 2026-03-02T09:15:00Z
          looks at the instance `i-f9e52bcfeaeacbe7a` (instance-drain)
          instance-drain, planned with an empty ledger, in mode observe:
            step `group workers` `i-f9e52bcfeaeacbe7a` leaving: set `i-f9e52bcfeaeacbe7a` to DRAINING, because EC2 warned at 2026-03-02T09:15:00Z of its Spot interruption (`terminate`), and it goes at 2026-03-02T09:17:00Z; 3 tasks left: 3 of services, 0 standalone, 0 stopping; 0 of daemons: not written: the mode is `observe`
            hold `group workers` departing: instances leave
    "#]]).await;
}

#[tokio::test]
async fn a_container_instance_is_planned_by_cluster_scaler() {
    let face = opened(crowded()).await;
    let file = sample("aws.ecs--ecs-container-instance-state-change--agent-disconnected");
    check(&face, &file, &["--plan"], expect![[r#"
        exit 0
          trigger  instance_changed `effcfc5170d92dc43cd0498468f69e90` (i-099e5b32162bf9576) in `container-demo`: ACTIVE, agent not connected at 2026-03-14T09:26:53Z
          looks at the groups under `container-demo` (cluster-scaler)
          cluster-scaler, planned with an empty ledger, in mode observe:
            step `container-demo/EC2Spot` scale_out: set the desired capacity of `EC2Spot` from 2 to 5, because 5 instances are wanted (tasks: 16 placed, 0 waiting, 15 missing, 0 headroom, 0 unplaceable; instances: 2 running, 2 used, 0 launching, 0 draining, 0 lost; needed 4 (at least 4), reservation 200 %, target 80 %; wanted 5, desired 2 within 0 to 10): not written: the mode is `observe`
            step `container-demo/EC2` scale_out: set the desired capacity of `EC2` from 2 to 4, because 4 instances are wanted (tasks: 6 placed, 0 waiting, 3 missing, 0 headroom, 0 unplaceable; instances: 2 running, 2 used, 0 launching, 0 draining, 0 lost; needed 3 (at least 3), reservation 150 %, target 80 %; wanted 4, desired 2 within 0 to 10): not written: the mode is `observe`
            hold `container-demo/EC2` `i-2d719844502a49acc` `i-b334cb5f8a056d79c` in_use: they hold tasks, or room that is wanted
            hold `container-demo/EC2Spot` `i-74b5dd9a04f804441` `i-d3a5911dc3749b8be` in_use: they hold tasks, or room that is wanted
    "#]]).await;
}

#[tokio::test]
async fn an_event_that_no_function_looks_for_asks_nothing() {
    let face = opened(workshop()).await;
    let file = sample("aws.ec2--ec2-instance-state-change-notification--running");
    check(&face, &file, &["--plan"], expect![[r#"
        exit 0
          trigger  instance_noticed i-080395aa64c17d10e: state_changed (running) at 2026-03-14T09:26:53Z
          looks at nothing (instance_not_leaving)
          planned nothing: no function looks because of it
    "#]]).await;
    assert!(face.calls().is_empty(), "{:?}", face.calls());
}

/// A function that is named plans whatever the event is, and its record says that the event is another one's.
#[tokio::test]
async fn a_function_that_is_asked_for_says_that_an_event_is_not_its_own() {
    let face = opened(workshop()).await;
    let file = sample("aws.ecs--ecs-task-state-change--spot-interruption");
    let both = [
        "--function",
        "service-scaler",
        "--function",
        "spot-fallback",
    ];
    check(&face, &file, &both, expect![[r#"
        exit 0
          trigger  task_interrupted task `f51b13db856bc829f8bffe11d41f3f6a` of `container-demo/web` on FARGATE_SPOT at 2026-03-14T09:26:53Z
          looks at the pair that `container-demo/web` belongs to (spot-fallback)
          spot-fallback, planned with an empty ledger, in mode observe:
            hold `container-demo/web` at_rest: nothing is missing and nothing is lent (desired 10, ready 10, starting 0, leaving 0, deficit 0; standby 0, of which ready 0)
          service-scaler, planned with an empty ledger, in mode observe:
            ignored: 1 other_function; nothing was looked at
    "#]]).await;
}

#[tokio::test]
async fn the_schedule_is_planned_by_all_four_in_their_order() {
    let face = opened(workshop()).await;
    let file = sample("aws.events--scheduled-event--bare");
    let (code, shown) = replay(&face, &[&file], &["--plan"]).await;
    assert_eq!(code, 0, "{shown}");
    let all = [
        "spot-fallback",
        "cluster-scaler",
        "instance-drain",
        "service-scaler",
    ];
    assert_eq!(headings(&shown), all);
}

/// The messages of a batch may be for different functions: each plans with its own.
#[tokio::test]
async fn a_batch_is_planned_by_every_function_that_one_of_its_messages_is_for() {
    let face = opened(workshop()).await;
    let message = |name: &str, id: &str| {
        let body = std::fs::read_to_string(sample(name)).unwrap();
        json!({"messageId": id, "eventSource": "aws:sqs", "body": body})
    };
    let records = [
        message(
            "aws.ecs--ecs-container-instance-state-change--agent-disconnected",
            "m0",
        ),
        message("aws.ecs--ecs-task-state-change--spot-interruption", "m1"),
    ];
    let file = folder("batch").join("batch.json");
    std::fs::write(&file, json!({"Records": records}).to_string()).unwrap();
    let (code, shown) = replay(&face, &[&file], &["--plan"]).await;
    assert_eq!(code, 0, "{shown}");
    assert_eq!(headings(&shown), ["spot-fallback", "cluster-scaler"]);
    let hold = "hold `container-demo/web` at_rest";
    assert_eq!(shown.matches(hold).count(), 1, "{shown}");
}

/// The records of every file, as the functions write them.
#[tokio::test]
async fn the_same_as_json() {
    let mut world = tracked();
    let alarm = told(&mut world, "json", "CloudWatch Alarm State Change");
    let face = opened(world).await;
    let running = sample("aws.ec2--ec2-instance-state-change-notification--running");
    let files = [alarm.as_path(), running.as_path()];
    let (code, shown) = replay(&face, &files, &["--plan", "--output", "json"]).await;
    assert_eq!(code, 0, "{shown}");
    let replayed: Vec<Value> = serde_json::from_str(&shown).unwrap();
    let records = |file: usize| replayed[file]["records"].as_array().unwrap();
    let told: Vec<(&str, &str, &str)> = records(0)
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap();
            (text("record"), text("function"), text("mode"))
        })
        .collect();
    let decision = |function| ("ballast.decision", function, "observe");
    assert_eq!(
        told,
        [decision("cluster-scaler"), decision("service-scaler")]
    );
    assert_eq!(records(0)[1]["plan"]["steps"][0]["subject"], "demo/web");
    assert!(records(1).is_empty());
}

/// What one function could not see fails the command for the file, once, and the others plan all the same.
#[tokio::test]
async fn a_function_that_would_fail_leaves_the_others_their_plans() {
    let mut world = tracked();
    let file = told(&mut world, "failing", "CloudWatch Alarm State Change");
    let rule =
        world::FaultRule::always(world::Operation::GetMetricData, world::Fault::AccessDenied);
    world.config_mut().faults.rules.push(rule);
    let face = opened(world).await;
    let (code, shown) = replay(&face, &[&file], &["--plan"]).await;
    assert_eq!(code, 1, "{shown}");
    assert_eq!(headings(&shown), ["cluster-scaler", "service-scaler"]);
    assert!(shown.contains("access_denied"), "{shown}");
    let said = shown.lines().last().unwrap();
    assert_eq!(
        said,
        "ballast: a function would fail for 1 of the event files"
    );
}
