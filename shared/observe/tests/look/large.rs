//! Clusters that are larger than what one look has time for.

use serde_json::{Value, json};

use crate::odd_answers::{describe, scripted, service, task};
use crate::support::clusters;

/// How many pairs the cluster has: enough that its tasks are listed as a whole.
const PAIRS: u32 = 25;

/// The cluster's primaries with one task each, numbered as they are, and their standbys with none.
fn pairs() -> Vec<Value> {
    let services = (0..PAIRS).flat_map(|index| {
        let (primary, standby) = (format!("p{index:02}"), format!("s{index:02}"));
        let counts = |count: u32| json!({"desiredCount": count, "runningCount": count});
        [
            service(
                &primary,
                json!([{"key": "ballast:standby", "value": standby}]),
                counts(1),
            ),
            service(
                &standby,
                json!([{"key": "ballast:standby-of", "value": primary}]),
                counts(0),
            ),
        ]
    });
    services.collect()
}

fn names(of: &[Value]) -> Value {
    let arns: Vec<&Value> = of.iter().map(|it| &it["serviceArn"]).collect();
    json!({"serviceArns": arns})
}

fn running() -> Vec<Value> {
    let tasks =
        (0..PAIRS).map(|index| task(index, json!({"group": format!("service:p{index:02}")})));
    tasks.collect()
}

/// The next page of a list of finished batch jobs that does not end.
fn batch_jobs(input: &Value) -> Value {
    let page: u32 = input["nextToken"]
        .as_str()
        .map_or(0, |it| it.parse().unwrap());
    let arns: Vec<Value> = (0..100)
        .map(|it| task(1_000 + 100 * page + it, json!({}))["taskArn"].clone())
        .collect();
    json!({"taskArns": arns, "nextToken": (page + 1).to_string()})
}

#[tokio::test]
async fn thousands_of_finished_batch_jobs_do_not_hide_the_services_tasks() {
    let (eye, asked) = scripted(|operation, input| match operation {
        "ListServices" => Some(names(&pairs())),
        "DescribeServices" => Some(describe(&pairs(), input)),
        "ListTasks" if input["desiredStatus"] == "RUNNING" => {
            let arns: Vec<Value> = running().iter().map(|it| it["taskArn"].clone()).collect();
            Some(json!({"taskArns": arns}))
        }
        "ListTasks" if input["serviceName"].is_null() => Some(batch_jobs(input)),
        "DescribeTasks" => Some(json!({"tasks": running(), "failures": []})),
        _ => None,
    })
    .await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    assert_eq!(snapshot.pairs.len(), PAIRS as usize);
    for (key, pair) in &snapshot.pairs {
        assert!(pair.gaps.is_empty(), "{key}: {:?}", pair.gaps);
        assert_eq!(pair.primary.tasks.len(), 1, "{key}");
    }
    let asked = asked.lock().unwrap().clone();
    let tasks: Vec<&str> = asked
        .iter()
        .filter(|it| it.contains("Tasks "))
        .map(|it| match it {
            it if it.starts_with("DescribeTasks") => "describe",
            it if it.contains("RUNNING") => "list what is to run",
            it if it.contains("serviceName") => "list what a service stopped",
            _ => "list what the cluster stopped",
        })
        .collect();
    let mut want = vec!["list what is to run", "describe"];
    // One page for the services' own tasks, and the spare ones.
    want.extend(["list what the cluster stopped"; 21]);
    want.extend(["list what a service stopped"; PAIRS as usize]);
    assert_eq!(tasks, want);
}

#[tokio::test]
async fn one_cluster_is_read_to_its_end_before_the_next() {
    let (eye, asked) = scripted(|operation, input| match operation {
        "ListClusters" => {
            let arn = |name: &str| format!("arn:aws:ecs:us-west-2:111122223333:cluster/{name}");
            Some(json!({"clusterArns": [arn("a"), arn("b")]}))
        }
        "ListServices" => Some(names(&pairs())),
        "DescribeServices" => Some(describe(&pairs(), input)),
        _ => None,
    })
    .await;
    let snapshot = eye.look(&clusters(&[])).await;
    assert_eq!(snapshot.pairs.len(), 2 * PAIRS as usize);
    let asked = asked.lock().unwrap().clone();
    let of_ecs = asked.iter().filter(|it| it.contains(r#""cluster":"#));
    let mut clusters: Vec<&str> = of_ecs
        .map(|it| {
            if it.contains(r#""cluster":"a""#) {
                "a"
            } else {
                "b"
            }
        })
        .collect();
    clusters.dedup();
    assert_eq!(clusters, ["a", "b"]);
}
