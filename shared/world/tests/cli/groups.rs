//! Auto Scaling groups and CloudWatch with boto3 and the AWS CLI. boto3's judgement is in `../judges/boto3_groups.py`.

use std::path::Path;

use expect_test::expect;
use model::strategy::Market;
use world::face::{Face, FaceOptions, serve};
use world::{Config, GroupSpec, LaunchSpec, WarmPoolState, World};

use crate::judge::{ask, bash, programs_with};

/// Each call takes so long that a few of them see an instance come or go.
const CALL_MS: u32 = 20_000;

async fn world_of_groups() -> Face {
    let mut config = Config::new(5);
    config.api_latency_ms = CALL_MS;
    let mut world = World::new(config);
    world.declare_launch_template("workers", "m5.large", Market::OnDemand);
    let launch = LaunchSpec::spot("workers", &["m5.large"]);
    let spec = GroupSpec::new("workers", launch, 0, 3, 10).tag("team", "shop");
    world.declare_auto_scaling_group(spec);
    serve(world, FaceOptions::default()).await.unwrap()
}

/// Beside a group of one instance a warm pool of sixty, all of them stopped.
fn add_pool(face: &Face) {
    face.with_world(|world| {
        world.declare_launch_template("pooled", "m5.large", Market::OnDemand);
        let launch = LaunchSpec::template("pooled");
        world.declare_auto_scaling_group(GroupSpec::new("pooled", launch, 0, 1, 100));
        let pool = world.put_warm_pool("pooled", 60, WarmPoolState::Stopped);
        pool.unwrap();
        world.advance_secs(300);
    });
}

#[tokio::test]
async fn botocore_reads_groups_metrics_and_alarms() {
    let Some(programs) = programs_with("python") else {
        return;
    };
    let face = world_of_groups().await;
    add_pool(&face);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/boto3_groups.py");
    let script = script.to_str().unwrap();
    let output = ask(&face, &programs, "python", &[script, "-v"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("\nOK\n"), "{said}");
    eprintln!("{said}");
}

#[tokio::test]
async fn operators_commands_on_groups_and_alarms() {
    let Some(programs) = programs_with("aws") else {
        return;
    };
    let face = world_of_groups().await;
    face.with_world(|world| world.advance_secs(300));
    let ask = async |command: &str| bash(&face, &programs, command).await;

    let table = ask(
        "aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names workers \
         --query 'AutoScalingGroups[0].Instances[].{Type:InstanceType,AZ:AvailabilityZone,State:LifecycleState,Health:HealthStatus}' \
         --output table",
    )
    .await;
    expect![[r#"
        ----------------------------------------------------
        |             DescribeAutoScalingGroups            |
        +-------------+----------+-------------+-----------+
        |     AZ      | Health   |    State    |   Type    |
        +-------------+----------+-------------+-----------+
    "#]]
    .assert_eq(&format!(
        "{}\n",
        table.lines().take(5).collect::<Vec<_>>().join("\n")
    ));
    assert_eq!(table.matches("InService").count(), 3, "{table}");

    ask("aws autoscaling set-desired-capacity --auto-scaling-group-name workers --desired-capacity 1")
        .await;
    face.with_world(|world| world.advance_secs(300));
    let cause = ask(
        "aws autoscaling describe-scaling-activities --auto-scaling-group-name workers --max-items 1 \
         --query 'Activities[0].[StatusCode,Cause]' --output text",
    )
    .await;
    assert!(cause.starts_with("Successful\tAt 2026-03-02T"), "{cause}");
    assert!(
        cause.contains("changing the desired capacity from 3 to 1"),
        "{cause}"
    );

    ask(
        "aws cloudwatch put-metric-alarm --alarm-name hot --namespace Ballast --metric-name m --statistic Average --period 60 \
         --evaluation-periods 1 --threshold 10 --comparison-operator GreaterThanThreshold",
    )
    .await;
    ask("aws cloudwatch put-metric-data --namespace Ballast --metric-name m --value 12.5").await;
    face.with_world(|world| world.advance_secs(60));
    let state = ask("aws cloudwatch describe-alarms --alarm-names hot \
         --query 'MetricAlarms[0].[StateValue,Threshold,ActionsEnabled]' --output text")
    .await;
    assert_eq!(state, "ALARM\t10.0\tTrue\n");

    ask("aws cloudwatch put-composite-alarm --alarm-name any --alarm-rule 'ALARM(hot)'").await;
    let state = ask(
        "aws cloudwatch describe-alarms --alarm-types CompositeAlarm \
         --query 'CompositeAlarms[].[AlarmName,StateValue,AlarmRule]' --output text",
    )
    .await;
    assert_eq!(state, "any\tALARM\tALARM(hot)\n");
    let queries = r#"[{"Id":"m1","ReturnData":false,"MetricStat":{"Metric":{"Namespace":"Ballast","MetricName":"m"},"Period":60,"Stat":"Average"}},{"Id":"e1","Expression":"m1 / 2 + 1"}]"#;
    let data = ask(&format!(
        "aws cloudwatch get-metric-data --start-time 2026-03-02T09:00:00Z --end-time 2026-03-02T10:00:00Z \
         --metric-data-queries '{queries}' --query 'MetricDataResults[].[Id,StatusCode,Values[0]]' --output text"
    ))
    .await;
    assert_eq!(data, "e1\tComplete\t7.25\n");
    let calls = face.calls();
    assert_eq!(calls["cloudwatch:PutMetricData"], 1);
    assert_eq!(calls["autoscaling:SetDesiredCapacity"], 1);
}

#[tokio::test]
async fn operators_commands_on_warm_pools() {
    let Some(programs) = programs_with("aws") else {
        return;
    };
    let face = world_of_groups().await;
    add_pool(&face);
    let ask = async |command: &str| bash(&face, &programs, command).await;
    let pool = ask(
        "aws autoscaling describe-warm-pool --auto-scaling-group-name pooled \
         --query '[length(Instances),WarmPoolConfiguration.PoolState,Instances[0].LifecycleState]' --output json",
    )
    .await;
    let pool: serde_json::Value = serde_json::from_str(&pool).unwrap();
    assert_eq!(pool, serde_json::json!([60, "Stopped", "Warmed:Stopped"]));
    let group = ask(
        "aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names pooled \
         --query 'AutoScalingGroups[0].[WarmPoolSize,WarmPoolConfiguration.MinSize,length(Instances)]' --output text",
    )
    .await;
    assert_eq!(group, "60\t60\t1\n");
}
