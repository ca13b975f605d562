//! The container instances of tasks on Spot, and what a service's log says about room for tasks.

use model::capacity::ContainerInstanceStatus;
use model::snapshot::{Pair, Task};
use serde_json::{Value, json};

use crate::odd_answers::{describe, scripted, service, task};
use crate::support::services;

fn instance(number: u32) -> String {
    format!("arn:aws:ecs:us-west-2:111122223333:container-instance/demo/{number:03}")
}

fn number_of(arn: &Value) -> u32 {
    let (_, number) = arn.as_str().unwrap().rsplit_once('/').unwrap();
    number.parse().unwrap()
}

/// Looks at a primary with tasks on instances `1..=tasks` of a provider with this capacity option, and one task that has none yet. `answer`
/// is what DescribeContainerInstances answers. Gives the pair, and the sizes of these calls.
async fn look(
    tasks: u32,
    option: &'static str,
    events: Value,
    answer: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
) -> (Pair, Vec<usize>) {
    let (eye, asked) = scripted(move |operation, input| {
        Some(match operation {
            "DescribeServices" => {
                let mine = json!([{"capacityProvider": "mine", "base": 0, "weight": 1}]);
                let more = json!({"launchType": null, "capacityProviderStrategy": mine,
                    "desiredCount": tasks, "events": events});
                let named = json!([{"key": "ballast:standby", "value": "spare"}]);
                let of = json!([{"key": "ballast:standby-of", "value": "web"}]);
                let idle = json!({"desiredCount": 0, "runningCount": 0});
                let both = [service("web", named, more), service("spare", of, idle)];
                describe(&both, input)
            }
            "DescribeCapacityProviders" => json!({"capacityProviders": [{"name": "mine",
                "managedInstancesProvider": {"infrastructureRoleArn": "arn:aws:iam::111122223333:role/r",
                    "instanceLaunchTemplate": {"ec2InstanceProfileArn": "arn:aws:iam::111122223333:instance-profile/p",
                        "capacityOptionType": option}}}]}),
            "ListTasks" if input["desiredStatus"] == "RUNNING" => {
                let arn = |it: u32| json!(format!("arn:aws:ecs:us-west-2:111122223333:task/demo/{it}"));
                json!({"taskArns": (0..=tasks).map(arn).collect::<Vec<_>>()})
            }
            "DescribeTasks" => {
                let described = |arn: &Value| {
                    let number = number_of(arn);
                    let more = json!({"capacityProviderName": "mine", "launchType": null});
                    let mut task = task(number, more);
                    if number > 0 {
                        task["containerInstanceArn"] = json!(instance(number));
                    }
                    task
                };
                let asked = input["tasks"].as_array().unwrap();
                json!({"tasks": asked.iter().map(described).collect::<Vec<_>>()})
            }
            "DescribeContainerInstances" => {
                assert_eq!(input["cluster"], "demo");
                answer(input["containerInstances"].as_array().unwrap())
            }
            _ => return None,
        })
    })
    .await;
    let snapshot = eye.look(&services(&["demo/web"])).await;
    let asked = asked.lock().unwrap();
    let sizes = asked.iter().filter_map(|it| {
        let input = it.strip_prefix("DescribeContainerInstances ")?;
        let input: Value = serde_json::from_str(input).unwrap();
        Some(input["containerInstances"].as_array().unwrap().len())
    });
    let pair = snapshot.pairs.values().next().unwrap().clone();
    (pair, sizes.collect())
}

fn described(arn: &Value, status: &str) -> Value {
    json!({"containerInstanceArn": arn, "ec2InstanceId": "i-1", "status": status, "agentConnected": false})
}

fn all_active(asked: &[Value]) -> Value {
    let each = asked.iter().map(|arn| described(arn, "ACTIVE"));
    json!({"containerInstances": each.collect::<Vec<_>>(), "failures": []})
}

fn status_of(pair: &Pair, number: u32) -> Option<ContainerInstanceStatus> {
    let arn = instance(number);
    let is_there = |it: &&Task| it.instance.as_ref().is_some_and(|it| it.as_str() == arn);
    let task = pair.primary.tasks.iter().find(is_there).unwrap();
    task.instance_status
}

#[tokio::test]
async fn a_hundred_instances_are_described_with_one_call() {
    for (tasks, calls) in [(1, vec![1]), (100, vec![100]), (101, vec![100, 1])] {
        let (pair, sizes) = look(tasks, "SPOT", json!([]), all_active).await;
        assert_eq!(sizes, calls);
        assert_eq!(pair.gaps, []);
        let active = |it: &&Task| it.instance_status == Some(ContainerInstanceStatus::Active);
        let active = pair.primary.tasks.iter().filter(active).count();
        assert_eq!(active, tasks as usize);
    }
}

#[tokio::test]
async fn on_demand_instances_are_not_asked_about() {
    for option in ["ON_DEMAND", "AUCTION"] {
        let (pair, sizes) = look(3, option, json!([]), all_active).await;
        assert_eq!(sizes, Vec::<usize>::new(), "{option}");
        assert_eq!(status_of(&pair, 1), None);
    }
}

#[tokio::test]
async fn halves_of_answers_leave_gaps_and_take_nothing() {
    let (pair, _) = look(6, "SPOT", json!([]), |asked| {
        let failure = |arn: &Value, reason: &str| json!({"arn": arn, "reason": reason});
        json!({
            "containerInstances": [
                described(&asked[0], "DRAINING"),
                described(&asked[1], "ACTIVE"),
                described(&asked[2], "DREAMING"),
                described(&json!(instance(999)), "DRAINING"),
            ],
            "failures": [failure(&asked[3], "MISSING"), failure(&asked[4], "TIRED")],
        })
    })
    .await;
    let statuses: Vec<_> = (1..=6).map(|it| status_of(&pair, it)).collect();
    let (draining, active, unknown) = (
        ContainerInstanceStatus::Draining,
        ContainerInstanceStatus::Active,
        ContainerInstanceStatus::Unknown,
    );
    assert_eq!(
        statuses,
        [
            Some(draining),
            Some(active),
            Some(unknown),
            None,
            None,
            None
        ]
    );
    let gaps: Vec<String> = pair.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    assert!(gaps.iter().any(|it| it.contains("TIRED")), "{gaps:?}");
    assert!(gaps.iter().any(|it| it.contains("demo/006")), "{gaps:?}");
    assert!(pair.primary.all_to_run_read, "every task was read");
}

#[tokio::test]
async fn a_call_that_fails_is_one_gap() {
    let denied = json!({"__type": "AccessDeniedException", "message": "no"});
    let (pair, _) = look(3, "SPOT", json!([]), move |_| denied.clone()).await;
    assert_eq!(status_of(&pair, 1), None);
    let gaps: Vec<&str> = pair.gaps.iter().map(|it| it.operation.as_str()).collect();
    assert_eq!(gaps, ["ecs:DescribeContainerInstances"]);
}

#[tokio::test]
async fn the_log_is_read_back_to_the_last_steady_state() {
    let line = |at: u32, text: &str| json!({"id": "a", "createdAt": at, "message": format!("(service web) {text}")});
    let no_instance =
        "was unable to place a task because no container instance met all of its requirements.";
    let long = format!("{no_instance} {}", "x".repeat(400));
    let events = json!([
        line(1_772_442_009, &format!("{no_instance} The closest\u{7} matching one has insufficient memory available.")),
        line(1_772_442_008, "has started 2 tasks: (task 1) (task 2)."),
        line(1_772_442_007, &long),
        line(1_772_442_006, no_instance),
        line(1_772_442_005, "has reached a steady state."),
        line(1_772_442_004, no_instance),
        {"id": "b", "message": no_instance},
    ]);
    let (pair, _) = look(1, "SPOT", events, all_active).await;
    let lines: Vec<(i64, String)> = pair
        .primary
        .not_placed
        .iter()
        .map(|it| (it.at.as_second() - 1_772_442_000, it.text.clone()))
        .collect();
    let closest = "The closest  matching one has insufficient memory available.";
    assert_eq!(
        lines,
        [
            (6, String::new()),
            (7, "x".repeat(256)),
            (9, closest.to_owned())
        ]
    );
}
