//! `status` and `replay` against a world on loopback: what they show, and that they write nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Output;

use expect_test::expect;
use model::ServiceKey;
use model::strategy::{FARGATE, FARGATE_SPOT, StrategyItem};
use tokio::process::Command;
use world::face::{Face, FaceOptions, serve};
use world::{Config, Operation, ScaledBy, ServiceSpec, World};

/// The workshop in its steady state, behind HTTP.
async fn workshop() -> (Face, ServiceKey) {
    let mut world = World::new(Config::new(1));
    let (web, _) = world.add_workshop().unwrap();
    world.advance_secs(120);
    (serve(world, FaceOptions::default()).await.unwrap(), web)
}

async fn ballast(face: &Face, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(arguments)
        .envs(face.environment())
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const EVENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../events/aws.ecs--ecs-task-state-change--spot-interruption.json"
);

#[tokio::test]
async fn the_workshops_tables() {
    let (face, _) = workshop().await;
    let output = ballast(&face, &["status", "--cluster", "container-demo"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    expect![[r#"
        Cluster container-demo at 2026-03-02T09:02:00Z
        capacity providers: FARGATE, FARGATE_SPOT; default strategy (base/weight): FARGATE 1/1, FARGATE_SPOT 0/4

        Tasks
        +------------+------------------+---------------+-----------------------------------------------------------------------------------------+------------+
        | AZ         | CapacityProvider | DesiredStatus | Id                                                                                      | LastStatus |
        +======================================================================================================================================================+
        | us-west-2a | FARGATE          | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/b215b4e62c8f681517d2a71b975bc009 | RUNNING    |
        | us-west-2a | FARGATE          | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/b95ff3f4c87a5b795ab87ada4472db68 | RUNNING    |
        | us-west-2b | FARGATE          | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/39fd82ca695eb44fc082f9f231aee47b | RUNNING    |
        | us-west-2a | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/468d9c53a8a67847e310b649648f35ba | RUNNING    |
        | us-west-2a | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/723ee788dc0924e950ded6bce0d8a4f1 | RUNNING    |
        | us-west-2b | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/6e4ac130b4472814074ffe58a9d48cde | RUNNING    |
        | us-west-2b | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/80a1b49c8544d5cb78875d58ce0a16ef | RUNNING    |
        | us-west-2c | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/1dc660bee83f886221341c62512f37e3 | RUNNING    |
        | us-west-2c | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/a2658d9ec0e588f52c087b41f0f96e7f | RUNNING    |
        | us-west-2c | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/d8a58a31b12d5c1f45b9349492eb61f6 | RUNNING    |
        +------------+------------------+---------------+-----------------------------------------------------------------------------------------+------------+

        Tasks by capacity provider
        +-------------+------------------+---------+----------+---------+
        | Group       | CapacityProvider | Running | Starting | Leaving |
        +===============================================================+
        | service:web | FARGATE          | 3       | 0        | 0       |
        | service:web | FARGATE_SPOT     | 7       | 0        | 0       |
        +-------------+------------------+---------+----------+---------+

        Services
        +---------+---------+-------+----------+---------+---------+-------------+----------------+--------------+---------+
        | Service | Desired | Ready | Starting | Leaving | Deficit | Standby     | StandbyDesired | StandbyReady | Remark  |
        +==================================================================================================================+
        | web     | 10      | 10    | 0        | 0       | 0       | web-standby | 0              | 0            | at_rest |
        +---------+---------+-------+----------+---------+---------+-------------+----------------+--------------+---------+

        Container instances: none; the tasks run on Fargate
    "#]].assert_eq(&text(&output.stdout));
}

/// The workshop beside pairs that nobody protects, each for another reason.
async fn unprotected() -> Face {
    let mut world = World::new(Config::new(1));
    let (web, _) = world.add_workshop().unwrap();
    let cluster = web.cluster;
    let on_demand = || vec![world::line(FARGATE, 0, 1).unwrap()];
    let mut pair = |name: &str, task_definition: &str, changed: fn(ServiceSpec) -> ServiceSpec| {
        let key = |name: &str| ServiceKey::new(cluster.clone(), name.parse().unwrap());
        let standby = format!("{name}-standby");
        let primary = ServiceSpec::new(key(name), "web:1", 2).on(on_demand());
        world
            .create(primary.tag("ballast:standby", &standby))
            .unwrap();
        let spec = ServiceSpec::new(key(&standby), task_definition, 0)
            .on(on_demand())
            .tag("ballast:standby-of", name);
        world.create(changed(spec)).unwrap();
    };
    pair("closed", "web:1", |spec| ServiceSpec {
        desired_count: 1,
        ..spec
    });
    pair("differs", "web:2", |spec| spec);
    pair("on-spot", "web:1", |spec| {
        spec.on(vec![world::line(FARGATE_SPOT, 0, 1).unwrap()])
    });
    pair("untagged", "web:1", |mut spec| {
        spec.tags.clear();
        spec
    });
    let gone = ServiceSpec::new(
        ServiceKey::new(cluster, "gone".parse().unwrap()),
        "web:1",
        2,
    );
    world
        .create(gone.tag("ballast:standby", "gone-standby"))
        .unwrap();
    world.advance_secs(120);
    let closed = serde_json::json!({"cluster": "container-demo", "service": "closed-standby", "force": true});
    world.call(Operation::DeleteService, closed).unwrap();
    serve(world, FaceOptions::default()).await.unwrap()
}

/// The workshop's two views, from one command: tasks by provider, and instances by provider with their running tasks.
#[tokio::test]
async fn the_workshops_tables_on_ec2() {
    let mut world = World::new(Config::new(1));
    let names = world.add_workshop_ec2(ScaledBy::Ecs).unwrap();
    world.advance_secs(600);
    world.set_desired_count(&names.service, 40).unwrap();
    world.advance_secs(420);
    let face = serve(world, FaceOptions::default()).await.unwrap();
    let output = ballast(&face, &["status", "--cluster", "container-demo"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let (_, counted) = shown.split_once("\nTasks by capacity provider\n").unwrap();
    expect![[r#"
        +---------------------------------------+------------------+---------+----------+---------+
        | Group                                 | CapacityProvider | Running | Starting | Leaving |
        +=========================================================================================+
        | service:ecsdemo-capacityproviders-ec2 | EC2              | 9       | 0        | 0       |
        | service:ecsdemo-capacityproviders-ec2 | EC2Spot          | 31      | 0        | 0       |
        +---------------------------------------+------------------+---------+----------+---------+

        Services: none

        Container instances
        +------------------+---------------------+--------------+--------+
        | CapacityProvider | InstanceId          | RunningTasks | Status |
        +================================================================+
        | EC2              | i-2d719844502a49acc | 3            | ACTIVE |
        | EC2              | i-45e88667d75872504 | 0            | ACTIVE |
        | EC2              | i-b334cb5f8a056d79c | 3            | ACTIVE |
        | EC2              | i-c00d973dd74e01efc | 3            | ACTIVE |
        | EC2Spot          | i-45508f890002abb54 | 0            | ACTIVE |
        | EC2Spot          | i-74b5dd9a04f804441 | 8            | ACTIVE |
        | EC2Spot          | i-7a675e58dfcd35a2b | 7            | ACTIVE |
        | EC2Spot          | i-862fac984d5ce5153 | 8            | ACTIVE |
        | EC2Spot          | i-d3a5911dc3749b8be | 8            | ACTIVE |
        +------------------+---------------------+--------------+--------+
    "#]]
    .assert_eq(counted);
}

#[tokio::test]
async fn a_pair_that_is_not_protected_says_why() {
    let face = unprotected().await;
    let output = ballast(&face, &["status", "--cluster", "container-demo"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let (_, services) = shown.split_once("\nServices\n").unwrap();
    let (services, _) = services.split_once("\nContainer instances").unwrap();
    expect![[r#"
        +----------+---------+-------+----------+---------+---------+------------------+----------------+--------------+-------------------------+
        | Service  | Desired | Ready | Starting | Leaving | Deficit | Standby          | StandbyDesired | StandbyReady | Remark                  |
        +========================================================================================================================================+
        | closed   | 2       | 2     | 0        | 0       | 0       | closed-standby   | 0              | 1            | standby_not_active      |
        | differs  | 2       | 2     | 0        | 0       | 0       | differs-standby  | 0              | 0            | task_definition_differs |
        | gone     | -       | -     | -        | -       | -       | gone-standby     | -              | -            | standby_missing         |
        | on-spot  | 2       | 2     | 0        | 0       | 0       | on-spot-standby  | 0              | 0            | standby_on_spot         |
        | untagged | 2       | 2     | 0        | 0       | 0       | untagged-standby | 0              | 0            | standby_not_tagged      |
        | web      | 10      | 10    | 0        | 0       | 0       | web-standby      | 0              | 0            | at_rest                 |
        +----------+---------+-------+----------+---------+---------+------------------+----------------+--------------+-------------------------+
        `closed` standby_not_active: the standby is DRAINING
        `differs` task_definition_differs: the primary runs `arn:aws:ecs:us-west-2:111122223333:task-definition/web:1`, the standby `arn:aws:ecs:us-west-2:111122223333:task-definition/web:2`
        `gone` standby_missing: there is no service `gone-standby` in the cluster
        `on-spot` standby_on_spot: the standby may place tasks on Spot itself, by `FARGATE_SPOT`
        `untagged` standby_not_tagged: the standby does not carry the tag `ballast:standby-of`
    "#]].assert_eq(services);

    let arguments = ["status", "--cluster", "container-demo", "--output", "json"];
    let output = ballast(&face, &arguments).await;
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = status.get("services").unwrap().as_array().unwrap();
    let of = |name: &str| {
        let found = services
            .iter()
            .find(|it| it.get("service").unwrap() == name);
        let read = |field: &str| found.unwrap().get(field).unwrap().as_str().unwrap();
        (read("reason"), read("text"))
    };
    assert_eq!(of("web").0, "at_rest");
    assert_eq!(
        of("untagged"),
        (
            "standby_not_tagged",
            "the standby does not carry the tag `ballast:standby-of`"
        )
    );
}

#[tokio::test]
async fn a_service_that_lacks_tasks_shows_the_step_that_would_follow() {
    let (face, _) = workshop().await;
    face.with_world(|world| {
        world.set_capacity_everywhere(FARGATE_SPOT, world.now(), 0);
        world.advance_secs(200);
    });
    let output = ballast(&face, &["status", "--cluster", "container-demo"]).await;
    let shown = text(&output.stdout);
    assert!(
        shown.contains(
            "`web` cover: set the desired count of `container-demo/web-standby` from 0 to 7"
        ),
        "{shown}"
    );
}

#[tokio::test]
async fn the_same_as_json() {
    let (face, _) = workshop().await;
    let arguments = ["status", "--cluster", "container-demo", "--output", "json"];
    let output = ballast(&face, &arguments).await;
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tasks = status.get("tasks").unwrap().as_array().unwrap();
    let on_spot = tasks
        .iter()
        .filter(|task| task.get("CapacityProvider").unwrap() == FARGATE_SPOT);
    assert_eq!((tasks.len(), on_spot.count()), (10, 7));
    assert_eq!(status.pointer("/services/0/counts/ready").unwrap(), 10);
    assert_eq!(
        status.pointer("/container_instances").unwrap(),
        &serde_json::json!([])
    );
}

#[tokio::test]
async fn a_cluster_that_is_not_there() {
    let (face, _) = workshop().await;
    let output = ballast(&face, &["status", "--cluster", "container-dem0"]).await;
    assert_eq!(output.status.code(), Some(1));
    expect![[r#"
        ballast: `ecs:DescribeClusters` for `container-dem0`: not_found (there is no such cluster in this account in `us-west-2`: MISSING)
    "#]].assert_eq(&text(&output.stderr));
}

#[tokio::test]
async fn a_replayed_event_is_planned_and_nothing_is_written() {
    let (face, web) = workshop().await;
    face.with_world(|world| {
        world.set_capacity_everywhere(FARGATE_SPOT, world.now(), 0);
        world.advance_secs(200);
    });
    let output = ballast(&face, &["replay", EVENT, "--endpoint-url", &face.url()]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let plan: Vec<&str> = shown.lines().skip(1).map(str::trim).collect();
    expect![[r#"
        trigger  task_interrupted task `f51b13db856bc829f8bffe11d41f3f6a` of `container-demo/web` on FARGATE_SPOT at 2026-03-14T09:26:53Z
        looks at the pair that `container-demo/web` belongs to (spot-fallback)
        spot-fallback, planned with an empty ledger, in mode observe:
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0): not written: the mode is `observe`"#]].assert_eq(&plan.join("\n"));
    let (writes, desired) = face.with_world(|world| {
        let standby = ServiceKey::new(web.cluster.clone(), "web-standby".parse().unwrap());
        let writes = world.calls().contains_key(&world::Operation::UpdateService);
        (
            writes,
            world.state().services.get(&standby).unwrap().desired_count,
        )
    });
    assert_eq!((writes, desired), (false, 0));
}

#[tokio::test]
async fn a_batch_with_a_bad_message_is_planned_for_the_good_ones() {
    let (face, _) = workshop().await;
    let batch = EVENT.replace(
        "aws.ecs--ecs-task-state-change--spot-interruption",
        "aws.sqs--batch--mixed",
    );
    let output = ballast(&face, &["replay", &batch, "--plan"]).await;
    assert_eq!(output.status.code(), Some(2));
    let shown = text(&output.stdout);
    let planned = shown.split_once("planned with an empty ledger").unwrap().1;
    assert!(
        planned.contains("hold `container-demo/web` at_rest"),
        "{shown}"
    );
    assert!(text(&output.stderr).contains("1 of 1 event files"));
}

#[tokio::test]
async fn an_event_of_another_region_is_shown_as_ignored() {
    let (face, _) = workshop().await;
    let arguments = ["replay", EVENT, "--plan", "--region", "eu-central-1"];
    let output = ballast(&face, &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("ignored: 1 other_region; nothing was looked at"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_world_that_refuses_is_named_with_the_call() {
    let (face, _) = workshop().await;
    face.with_world(|world| {
        let rule =
            world::FaultRule::always(world::Operation::ListServices, world::Fault::AccessDenied);
        world.config_mut().faults.rules.push(rule);
    });
    let event = EVENT.replace(
        "aws.ecs--ecs-task-state-change--spot-interruption",
        "aws.events--scheduled-event--bare",
    );
    let output = ballast(&face, &["replay", &event, "--plan"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("ecs:ListServices") && shown.contains("access_denied"),
        "{shown}"
    );
    assert!(text(&output.stderr).contains("would fail for 1"));
}

/// Two codes for the same rule, of which neither knows the other.
#[test]
fn the_world_places_tasks_where_split_says() {
    let line = |provider: &str, base, weight| StrategyItem {
        provider: provider.parse().unwrap(),
        base,
        weight,
    };
    let check = |items: &[StrategyItem], tasks_max| {
        for desired in 0..tasks_max {
            let split = placement::strategy::split(items, desired);
            assert_eq!(
                world::split(items, desired),
                split,
                "{items:?} of {desired}"
            );
        }
    };
    for (base, first, second) in (0..4).flat_map(|base| {
        (0..9).flat_map(move |first| (0..9).map(move |second| (base, first, second)))
    }) {
        let items = [line("EC2", base, first), line("EC2Spot", 0, second)];
        check(&items, 50);
    }
    for n in 0..6_u32.pow(4) {
        let items = [
            line("a", 0, n % 6),
            line("b", 3, n / 6 % 6),
            line("c", 0, n / 36 % 6),
            line("d", 0, n / 216),
        ];
        check(&items, 30);
    }
}
