//! Looks at the simulated AWS, compared with what that knows of itself.

use model::ServiceKey;
use model::snapshot::Standby;
use model::tracking::{Fleet, Part, Reading, TargetName, TrackingKey, UnusableMetric};
use model::{ClusterName, Timestamp};
use serde_json::json;
use world::face::{Face, FaceOptions, serve};
use world::load::{CustomMetric, Fleet as Load, History, LoadCurve};
use world::{
    Alarm, Comparison, CompositeAlarm, Config, MetricKey, Operation, ServiceSpec, Stat,
    TargetGroup, Watched, World, line,
};

use crate::support::{Eye, clusters, gaps, recent, values};

const TRACKED: [(&str, &str); 5] = [
    ("ballast:service-scaler", "act"),
    ("ballast:standby", "web-standby"),
    ("ballast:target-cpu-percent", "60"),
    ("ballast:target-memory-percent", "70"),
    ("ballast:max-tasks", "40"),
];

fn key(name: &str) -> ServiceKey {
    format!("demo/{name}").parse().unwrap()
}

/// A primary of 6 tasks on Spot and its standby of 2 on demand, behind one target group, that serve 480 requests a minute for ten minutes:
/// each task is 60 % busy.
fn pair(tags: &[(&str, &str)], resolution_secs: u32) -> World {
    let mut world = World::new(Config::new(7));
    let cluster: ClusterName = "demo".parse().unwrap();
    world
        .create_cluster_of(&cluster, &["FARGATE", "FARGATE_SPOT"], vec![])
        .unwrap();
    let group = TargetGroup::new("shop").healthy_after(2);
    let target_group = world.declare_target_group(group);
    for (name, provider, count) in [("web", "FARGATE_SPOT", 6), ("web-standby", "FARGATE", 2)] {
        let mut spec = ServiceSpec::new(key(name), "web:1", count)
            .on(vec![line(provider, 0, 1).unwrap()])
            .behind(&target_group);
        if name == "web" {
            for (tag, value) in TRACKED.iter().chain(tags) {
                spec = spec.tag(tag, value);
            }
        } else {
            spec = spec.tag("ballast:standby-of", "web");
        }
        world.create(spec).unwrap();
        let monitoring = json!({
            "cluster": "demo", "service": name, "monitoring": {"metricConfigurations": [{
                "metricNames": ["CPUUtilization", "MemoryUtilization"], "resolutionSeconds": resolution_secs,
            }]},
        });
        world.call(Operation::UpdateService, monitoring).unwrap();
    }
    world.advance_secs(300);
    let minute = world.now().as_second() / 60 + 1;
    let starts_at = Timestamp::from_second(minute * 60).unwrap();
    world.advance_to(starts_at);
    let load = Load::new(key("web"), LoadCurve::flat(480), starts_at, 100)
        .with(key("web-standby"))
        .behind(&target_group, "shop");
    world.put_load("shop", load);
    world
}

async fn on(mut world: World, secs: u32) -> (Face, Eye) {
    world.advance_secs(secs);
    let face = serve(world, FaceOptions::default()).await.unwrap();
    let eye = Eye::at(&face.url());
    (face, eye)
}

async fn seen(eye: &Eye) -> Fleet {
    let mut snapshot = eye.look(&clusters(&[])).await;
    assert_eq!(gaps(&snapshot), []);
    assert!(snapshot.passed_over.is_empty());
    let fleet = snapshot.fleets.remove(&TrackingKey(key("web")));
    assert!(snapshot.fleets.is_empty());
    fleet.unwrap()
}

/// The newest value of each part of a target.
fn newest(fleet: &Fleet, target: TargetName) -> Vec<(Part, i64)> {
    let series = recent(fleet, target).iter();
    series
        .map(|it| (it.part, values(it).last().copied().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_pair_is_seen_with_what_each_of_its_services_measured() {
    let (face, eye) = on(pair(&[], 60), 630).await;
    let fleet = seen(&eye).await;
    assert_eq!(
        (fleet.primary.running_count, fleet.primary.desired_count),
        (6, 6)
    );
    assert!(fleet.primary.tasks.is_empty() && !fleet.primary.all_to_run_read);
    assert_eq!(
        fleet.primary.scaled_by_application_auto_scaling,
        Some(false)
    );
    let Some(Standby::Present(standby)) = &fleet.standby else {
        panic!("{:?}", fleet.standby);
    };
    assert_eq!(standby.running_count, 2);
    let both = |value| vec![(Part::Primary, value), (Part::Standby, value)];
    assert_eq!(newest(&fleet, TargetName::Cpu), both(60_000));
    assert_eq!(newest(&fleet, TargetName::Memory), both(44_000));
    for (series, tasks) in fleet.task_counts.iter().zip([6_000, 2_000]) {
        assert_eq!(values(series).last(), Some(&tasks));
        assert_eq!(series.period.0, 60);
    }
    // Everything that the world has published of these minutes is seen.
    let cpu = &recent(&fleet, TargetName::Cpu)[0];
    let dimensions = [("ClusterName", "demo"), ("ServiceName", "web")];
    let metric = MetricKey::new("AWS/ECS", "CPUUtilization", &dimensions);
    let published = face.with_world(|world| {
        let series = &world.state().metrics[&metric];
        series.minutes().map(|(at, _)| at).collect::<Vec<i64>>()
    });
    let seen: Vec<i64> = cpu.points.iter().map(|it| it.at.as_second()).collect();
    assert_eq!(seen, published);
}

#[tokio::test]
async fn periods_of_20_seconds() {
    let tags = [("ballast:metric-resolution-secs", "20")];
    let (face, eye) = on(pair(&tags, 20), 635).await;
    let fleet = seen(&eye).await;
    assert_eq!(fleet.resolution.0, 20);
    let cpu = &recent(&fleet, TargetName::Cpu)[0];
    assert_eq!((cpu.period.0, values(cpu).last()), (20, Some(&60_000)));
    let last: Vec<i64> = cpu
        .points
        .iter()
        .rev()
        .take(6)
        .map(|it| it.at.as_second())
        .collect();
    assert!(last.windows(2).all(|it| it[0] - it[1] == 20), "{last:?}");
    assert_eq!(values(&fleet.task_counts[0]).last(), Some(&6_000));
    // They are published 10 seconds after their end: the newest period began at most 50 seconds ago.
    let now = face.with_world(|world| world.now()).as_second();
    assert!((30..=50).contains(&(now - last[0])), "{now} {last:?}");
}

#[tokio::test]
async fn requests_are_those_of_each_target() {
    let tags = [("ballast:target-requests-per-task-minute", "80")];
    let (_face, eye) = on(pair(&tags, 60), 630).await;
    let fleet = seen(&eye).await;
    assert_eq!(
        newest(&fleet, TargetName::Requests),
        [(Part::Fleet, 60_000)]
    );
}

fn watched(name: &str) -> Watched {
    let dimensions = [("ClusterName", "demo"), ("ServiceName", name)];
    let metric = MetricKey::new("AWS/ECS", "CPUUtilization", &dimensions);
    Watched::metric(metric, Stat::parse("Average").unwrap(), 60)
}

#[tokio::test]
async fn alarms_of_every_kind() {
    for (alarm, want) in [
        ("of-web", Ok(60_000)),
        (
            "of-api",
            Err(UnusableMetric::AlarmOfAnotherService {
                alarm: "of-api".parse().unwrap(),
                service: key("api"),
            }),
        ),
        (
            "either",
            Err(UnusableMetric::AlarmIsComposite {
                alarm: "either".parse().unwrap(),
            }),
        ),
        ("doubled", Ok(120_000)),
        (
            "none",
            Err(UnusableMetric::AlarmNotFound {
                alarm: "none".parse().unwrap(),
            }),
        ),
    ] {
        let tags = [
            ("ballast:target-alarm", alarm),
            ("ballast:target-value", "60"),
            ("ballast:target-measures", "per-task"),
        ];
        let mut world = pair(&tags, 60);
        for name in ["web", "api"] {
            let alarm = format!("of-{name}");
            world.put_alarm(Alarm::new(
                &alarm,
                watched(name),
                Comparison::GreaterThan,
                90_000,
            ));
        }
        world
            .put_composite_alarm(CompositeAlarm::new(
                "either",
                "ALARM(of-web) OR ALARM(of-api)",
            ))
            .unwrap();
        let stat = json!({
            "Metric": {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Dimensions": [
                {"Name": "ClusterName", "Value": "demo"}, {"Name": "ServiceName", "Value": "web"},
            ]},
            "Period": 60, "Stat": "Average",
        });
        let doubled = json!({
            "AlarmName": "doubled", "EvaluationPeriods": 1, "Threshold": 90.0,
            "ComparisonOperator": "GreaterThanThreshold", "Metrics": [
                {"Id": "m", "MetricStat": stat, "ReturnData": false},
                {"Id": "e", "Expression": "m * 2", "ReturnData": true},
            ],
        });
        world.call(Operation::PutMetricAlarm, doubled).unwrap();
        let (_face, eye) = on(world, 630).await;
        let fleet = seen(&eye).await;
        match want {
            Ok(value) => assert_eq!(newest(&fleet, TargetName::Alarm), [(Part::Fleet, value)]),
            Err(why) => assert_eq!(
                fleet.readings[&TargetName::Alarm],
                Reading::Unusable { why }
            ),
        }
    }
}

/// What an alarm on this expression over a queue's length gives: its values, newest first, with the seconds since the end of each period. The
/// queue has 40 messages, and nobody measures it any more after `minutes`.
async fn of_queue(expression: &str, minutes: usize) -> Vec<(i64, i64)> {
    let tags = [
        ("ballast:target-alarm", "backlog"),
        ("ballast:target-value", "10"),
        ("ballast:target-measures", "total"),
    ];
    let mut world = pair(&tags, 60);
    let queue = MetricKey::new("AWS/SQS", "Visible", &[("QueueName", "orders")]);
    world.put_custom_metric(CustomMetric::of_values(queue, vec![Some(40_000); minutes]));
    let dimensions = json!([{"Name": "QueueName", "Value": "orders"}]);
    let metric = json!({"Namespace": "AWS/SQS", "MetricName": "Visible", "Dimensions": dimensions});
    let alarm = json!({
        "AlarmName": "backlog", "EvaluationPeriods": 1, "Threshold": 90.0,
        "ComparisonOperator": "GreaterThanThreshold", "Metrics": [
            {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}, "ReturnData": false},
            {"Id": "e", "Expression": expression, "ReturnData": true},
        ],
    });
    world.call(Operation::PutMetricAlarm, alarm).unwrap();
    let (face, eye) = on(world, 640).await;
    let now = face.with_world(|world| world.now()).as_second();
    let fleet = seen(&eye).await;
    let [series] = recent(&fleet, TargetName::Alarm) else {
        panic!("{:?}", fleet.readings);
    };
    let points = series.points.iter().rev();
    points
        .map(|it| (now - it.at.as_second() - 60, it.value_milli))
        .collect()
}

/// `FILL` gives the newest minutes, which are not published yet, the fill value: they do not count.
#[tokio::test]
async fn what_fill_makes_of_the_newest_minutes_is_not_seen() {
    let measured = of_queue("m", 60).await;
    assert!(measured[0].0 < 120 && measured.len() >= 8, "{measured:?}");
    for expression in ["FILL(m, 0)", "FILL (m, 0)", "SUM([FILL(m, 0)])"] {
        let filled = of_queue(expression, 60).await;
        let (secs, value) = filled[0];
        assert!((180..240).contains(&secs), "{expression}: {filled:?}");
        assert_eq!(value, 40_000, "{expression}: {filled:?}");
    }
    // A metric that has stopped for good has the fill value then.
    let (secs, value) = of_queue("FILL(m, 0)", 3).await[0];
    assert!((180..240).contains(&secs));
    assert_eq!(value, 0);
}

#[tokio::test]
async fn earlier_days_for_a_forecast() {
    let mut world = pair(&[("ballast:forecast", "true")], 60);
    let curve = LoadCurve::flat(240);
    assert!(world.seed_history("shop", &History::days(curve, 4)));
    let (_face, eye) = on(world, 630).await;
    let fleet = seen(&eye).await;
    let Reading::Read { season, .. } = &fleet.readings[&TargetName::Cpu] else {
        panic!("{:?}", fleet.readings);
    };
    let points: usize = season.iter().map(|it| it.points.len()).sum();
    assert!(points >= 3 * 50, "{points}");
    assert!(!fleet.season_task_counts.is_empty());
}

#[tokio::test]
async fn somebody_elses_scaling_is_seen() {
    let mut world = pair(&[], 60);
    let target = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/demo/web",
        "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 10,
    });
    world
        .call(Operation::RegisterScalableTarget, target)
        .unwrap();
    let (_face, eye) = on(world, 630).await;
    let fleet = seen(&eye).await;
    assert_eq!(fleet.primary.scaled_by_application_auto_scaling, Some(true));
}

#[tokio::test]
async fn clusters_that_are_not_the_installations_are_not_looked_at() {
    let (_face, eye) = on(pair(&[], 60), 630).await;
    let eye = eye.of_clusters(&["other"]);
    let snapshot = eye.look(&clusters(&[])).await;
    assert!(snapshot.fleets.is_empty());
    assert_eq!(gaps(&snapshot).len(), 1, "there is no such cluster");
}
