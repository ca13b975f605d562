//! Answers that the real AWS may give and no simulation does: lists without end, halves of answers, words of next year.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use expect_test::{Expect, expect};
use model::snapshot::Snapshot;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Eye, clusters, services, show};

/// Answers calls by operation and input; `None` is an empty answer.
type Script = dyn Fn(&str, &Value) -> Option<Value> + Send + Sync;

/// What was asked, one line for each call.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

fn answer(script: &Script, asked: &Asked, headers: &HeaderMap, body: &[u8]) -> Response {
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let (operation, input) = match target {
        Some(target) => {
            let operation = target.rsplit('.').next().unwrap_or(target).to_owned();
            (operation, serde_json::from_slice(body).unwrap())
        }
        // EC2 Auto Scaling's protocol: a form, answered with XML.
        None => {
            let form = String::from_utf8(body.to_vec()).unwrap();
            ("DescribeAutoScalingGroups".to_owned(), Value::String(form))
        }
    };
    asked.lock().unwrap().push(format!("{operation} {input}"));
    let answer = script(&operation, &input).unwrap_or_else(|| json!({}));
    let date = [(header::DATE, "Mon, 02 Mar 2026 09:00:00 GMT")];
    match answer.as_str() {
        Some(xml) => (date, xml.to_owned()).into_response(),
        None => {
            let failed = answer.get("__type").is_some();
            let status = if failed {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            (status, date, answer.to_string()).into_response()
        }
    }
}

/// An observer of scripted answers, and what it asked.
pub(crate) async fn scripted(
    script: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static,
) -> (Eye, Asked) {
    let asked = Asked::default();
    let (script, for_route): (Arc<Script>, _) = (Arc::new(script), asked.clone());
    let route = post(move |headers: HeaderMap, body: Bytes| async move {
        answer(script.as_ref(), &for_route, &headers, &body)
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", route)).await });
    (Eye::on(&url), asked)
}

async fn check(
    script: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static,
    want: Expect,
) -> (Snapshot, Vec<String>) {
    let (eye, asked) = scripted(script).await;
    let snapshot = eye.look(&services(&["demo/web"])).await;
    want.assert_eq(&show(&snapshot));
    let asked = asked.lock().unwrap().clone();
    (snapshot, asked)
}

/// A service as DescribeServices answers it.
pub(crate) fn service(name: &str, tags: Value, more: Value) -> Value {
    let mut service = json!({
        "serviceArn": format!("arn:aws:ecs:us-west-2:111122223333:service/demo/{name}"),
        "serviceName": name,
        "status": "ACTIVE",
        "desiredCount": 2, "runningCount": 2, "pendingCount": 0,
        "taskDefinition": "arn:aws:ecs:us-west-2:111122223333:task-definition/web:1",
        "launchType": "FARGATE",
        "tags": tags,
    });
    for (key, value) in more.as_object().unwrap() {
        service[key] = value.clone();
    }
    service
}

fn web(more: Value) -> Value {
    service(
        "web",
        json!([{"key": "ballast:standby", "value": "spare"}]),
        more,
    )
}

fn spare(more: Value) -> Value {
    service(
        "spare",
        json!([{"key": "ballast:standby-of", "value": "web"}]),
        more,
    )
}

/// Answers DescribeServices from these services.
pub(crate) fn describe(of: &[Value], input: &Value) -> Value {
    let wanted = |it: &&Value| {
        input["services"]
            .as_array()
            .unwrap()
            .contains(&it["serviceName"])
    };
    json!({"services": of.iter().filter(wanted).collect::<Vec<_>>(), "failures": []})
}

fn arn(id: u32) -> String {
    format!("arn:aws:ecs:us-west-2:111122223333:task/demo/{id}")
}

pub(crate) fn task(id: u32, more: Value) -> Value {
    let mut task = json!({
        "taskArn": arn(id),
        "taskDefinitionArn": "arn:aws:ecs:us-west-2:111122223333:task-definition/web:1",
        "group": "service:web", "desiredStatus": "RUNNING", "lastStatus": "RUNNING",
        "createdAt": 1_772_442_000.25, "launchType": "FARGATE",
    });
    for (key, value) in more.as_object().unwrap() {
        task[key] = value.clone();
    }
    task
}

#[tokio::test]
async fn lists_without_end_are_ended() {
    let (_, asked) = check(
        |operation, input| match operation {
            "DescribeServices" => Some(describe(&[web(json!({})), spare(json!({}))], input)),
            "ListTasks" => Some(json!({"taskArns": [], "nextToken": "again"})),
            _ => None,
        },
        expect![[r#"
            at 2026-03-02T09:00:00Z
            pair demo/web: standby spare
              primary web ACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA
                not every task that is to run was read
              standby spare ACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA, not scaled
                not every task that is to run was read
              gap `ecs:ListTasks` for `demo/spare`: unreachable (page 2 gave the same nextToken as the one before)
              gap `ecs:ListTasks` for `demo/web`: unreachable (page 2 gave the same nextToken as the one before)
        "#]],
    )
    .await;
    let lists = asked
        .iter()
        .filter(|it| it.starts_with("ListTasks"))
        .count();
    assert_eq!(
        lists, 6,
        "two lists of the primary and one of the standby, each with one page too many"
    );
}

#[tokio::test]
async fn a_list_that_breaks_off_keeps_what_it_gave() {
    let (eye, _) = scripted(|operation, input| match operation {
        "ListServices" if input["nextToken"].is_null() => Some(json!({
            "serviceArns": ["arn:aws:ecs:us-west-2:111122223333:service/web", "nonsense"],
            "nextToken": "more",
        })),
        "ListServices" => {
            Some(json!({"__type": "ThrottlingException", "message": "Rate exceeded"}))
        }
        "DescribeServices" => Some(describe(&[web(json!({})), spare(json!({}))], input)),
        _ => None,
    })
    .await;
    let snapshot = eye.look(&clusters(&["demo"])).await;
    expect![[r#"
        at 2026-03-02T09:00:00Z
        pair demo/web: standby spare
          primary web ACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA
          standby spare ACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
            ECS, REPLICA, not scaled
        gap `ecs:ListServices` for `demo`: unreachable (`nonsense` is not the ARN of a service)
        gap `ecs:ListServices` for `demo`: throttled (ThrottlingException: Rate exceeded)
    "#]].assert_eq(&show(&snapshot));
}

#[tokio::test]
async fn halves_of_answers_leave_gaps() {
    // The service comes, its standby is neither answered nor failed.
    check(
        |operation, input| match operation {
            "DescribeServices" => Some(describe(&[web(json!({}))], input)),
            _ => None,
        },
        expect![[r#"
            at 2026-03-02T09:00:00Z
            pair demo/web: standby spare
              primary web ACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA
              standby unknown
              gap `ecs:DescribeServices` for `demo/spare`: unreachable (the answer has neither the service nor a failure for it)
        "#]],
    )
    .await;
    // A failure with a reason that is not MISSING; the ARN has the old form.
    check(
        |operation, input| match operation {
            "DescribeServices" if input["services"][0] == "web" => {
                Some(describe(&[web(json!({}))], input))
            }
            "DescribeServices" => Some(json!({"services": [], "failures": [{
                "arn": "arn:aws:ecs:us-west-2:111122223333:service/spare",
                "reason": "BUSY", "detail": "try\nagain",
            }]})),
            _ => None,
        },
        expect![[r#"
            at 2026-03-02T09:00:00Z
            pair demo/web: standby spare
              primary web ACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA
              standby unknown
              gap `ecs:DescribeServices` for `demo/spare`: other (service `spare`: BUSY: try again)
        "#]],
    )
    .await;
    // A count that cannot be.
    check(
        |operation, input| match operation {
            "DescribeServices" => Some(describe(&[web(json!({"desiredCount": -1}))], input)),
            _ => None,
        },
        expect![[r#"
            at 2026-03-02T09:00:00Z
            passed over demo/web: unread: `ecs:DescribeServices` for `demo/web`: unreachable (`desiredCount` is -1)
        "#]],
    )
    .await;
}

#[tokio::test]
async fn tasks_that_vanish_between_two_calls() {
    check(
        |operation, input| match operation {
            "DescribeServices" => Some(describe(
                &[web(json!({})), spare(json!({"status": "INACTIVE"}))],
                input,
            )),
            "ListTasks" if input["desiredStatus"] == "RUNNING" => {
                Some(json!({"taskArns": [arn(1), arn(2), arn(3)]}))
            }
            // The second is told to stop between the two lists; the fourth is forgotten before it is described.
            "ListTasks" => Some(json!({"taskArns": [arn(2), arn(4)]})),
            "DescribeTasks" => Some(json!({
                "tasks": [
                    task(1, json!({})),
                    task(2, json!({"desiredStatus": "STOPPED", "stopCode": "SpotInterruption"})),
                    task(9, json!({})),
                ],
                "failures": [
                    {"arn": arn(3), "reason": "MISSING"},
                    {"arn": arn(4), "reason": "MISSING"},
                ],
            })),
            "DescribeTaskDefinition" => Some(json!({"__type": "ClientException", "message": "no"})),
            _ => None,
        },
        expect![[r#"
            at 2026-03-02T09:00:00Z
            pair demo/web: standby spare
              primary web ACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA
                1 tasks RUNNING to run on a launch type
                1 tasks RUNNING to stop on a launch type, interrupted
                not every task that is to run was read
              standby spare INACTIVE: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:1; FARGATE 0/1 on-demand
                ECS, REPLICA, not scaled
              gap `ecs:DescribeTasks` for `demo/web`: not_found (task `arn:aws:ecs:us-west-2:111122223333:task/demo/3`: MISSING)
              gap `ecs:DescribeTaskDefinition` for `arn:aws:ecs:us-west-2:111122223333:task-definition/web:1`: other (ClientException: no)
        "#]],
    )
    .await;
}

#[tokio::test]
async fn words_of_next_year_are_kept_as_unknown() {
    check(
        |operation, input| match operation {
            "DescribeServices" => Some(describe(
                &[
                    web(json!({
                        "status": "RESTING", "launchType": "QUANTUM", "schedulingStrategy": "SWARM",
                        "deploymentController": {"type": "GARDENER"},
                        "deployments": [
                            {"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "WONDERING",
                             "taskDefinition": "arn:aws:ecs:us-west-2:111122223333:task-definition/web:2"},
                            {"id": "ecs-svc/2", "status": "ACTIVE", "rolloutState": "COMPLETED"},
                        ],
                    })),
                    spare(json!({
                        "deploymentController": {"type": "EXTERNAL"}, "taskDefinition": null,
                        "launchType": null,
                    })),
                ],
                input,
            )),
            "ListTasks" if input["serviceName"] == "web" => Some(json!({"taskArns": [arn(1)]})),
            "DescribeTasks" => Some(json!({"tasks": [task(1, json!({
                "lastStatus": "HIBERNATING", "healthStatus": "TIRED", "stopCode": "BORED",
            }))]})),
            _ => None,
        },
        expect![[r#"
            at 2026-03-02T09:00:00Z
            pair demo/web: standby spare
              primary web RESTING: desired 2, running 2, pending 0; arn:aws:ecs:us-west-2:111122223333:task-definition/web:2; QUANTUM 0/1 unknown
                GARDENER, REPLICA, deploying
                1 tasks UNKNOWN to run on a launch type
              standby spare ACTIVE: desired 2, running 2, pending 0; none; 
                EXTERNAL, REPLICA, not scaled
        "#]],
    )
    .await;
}

/// Looks at a pair whose primary runs on the provider `mine`, and says its market.
async fn market(provider: Value, groups: &str) -> String {
    let groups = groups.to_owned();
    let (eye, asked) = scripted(move |operation, input| match operation {
        "DescribeServices" => {
            let mine = json!([{"capacityProvider": "mine", "base": 0, "weight": 1}]);
            let web = web(json!({"launchType": null, "capacityProviderStrategy": mine}));
            // A launch type that has the name of a provider is no provider.
            let spare = spare(json!({"launchType": "EC2"}));
            Some(describe(&[web, spare], input))
        }
        "DescribeCapacityProviders" => {
            assert_eq!(input["capacityProviders"], json!(["mine"]));
            Some(provider.clone())
        }
        "DescribeAutoScalingGroups" => Some(Value::String(format!(
            "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
             <DescribeAutoScalingGroupsResult><AutoScalingGroups>{groups}</AutoScalingGroups>\
             </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
        ))),
        _ => None,
    })
    .await;
    let snapshot = eye.look(&services(&["demo/web"])).await;
    let pair = snapshot.pairs.values().next().unwrap();
    let mut text = format!("{}\n", pair.primary.capacity[0].market.as_str());
    for gap in &pair.gaps {
        text.push_str(&format!("{gap}\n"));
    }
    assert!(!asked.lock().unwrap().is_empty());
    text
}

fn over_group() -> Value {
    json!({"capacityProviders": [{"name": "mine", "autoScalingGroupProvider": {"autoScalingGroupArn":
        "arn:aws:autoscaling:us-west-2:111122223333:autoScalingGroup:a1:autoScalingGroupName/my-group"}}]})
}

fn managed(option: Value) -> Value {
    json!({"capacityProviders": [{"name": "mine", "managedInstancesProvider": {
        "infrastructureRoleArn": "arn:aws:iam::111122223333:role/r",
        "instanceLaunchTemplate": {"ec2InstanceProfileArn": "arn:aws:iam::111122223333:instance-profile/p",
            "capacityOptionType": option}}}]})
}

/// An Auto Scaling group with this mixed-instances policy.
fn group(policy: &str) -> String {
    format!("<member><AutoScalingGroupName>my-group</AutoScalingGroupName>{policy}</member>")
}

fn distribution(distribution: &str) -> String {
    group(&format!(
        "<MixedInstancesPolicy><InstancesDistribution>{distribution}</InstancesDistribution>\
         </MixedInstancesPolicy>"
    ))
}

fn percentage(percentage: u32) -> String {
    distribution(&format!(
        "<OnDemandPercentageAboveBaseCapacity>{percentage}</OnDemandPercentageAboveBaseCapacity>"
    ))
}

#[tokio::test]
async fn a_group_tells_its_market() {
    let interruptible = distribution(
        "<DistributionSegments><member><TargetCapacityTypes><member>interruptible-capacity-reservation\
         </member></TargetCapacityTypes></member></DistributionSegments>",
    );
    for (groups, want) in [
        (group(""), "on-demand\n"),
        (
            group("<MixedInstancesPolicy></MixedInstancesPolicy>"),
            "on-demand\n",
        ),
        (distribution(""), "on-demand\n"),
        (percentage(100), "on-demand\n"),
        (percentage(99), "Spot\n"),
        (percentage(0), "Spot\n"),
        (interruptible, "Spot\n"),
    ] {
        assert_eq!(market(over_group(), &groups).await, want, "{groups}");
    }
    expect![[r#"
        unknown
        `autoscaling:DescribeAutoScalingGroups` for `my-group`: not_found (MISSING: the answer does not have the group)
    "#]].assert_eq(&market(over_group(), "").await);
}

#[tokio::test]
async fn managed_instances_tell_their_market() {
    for (option, want) in [
        (json!("ON_DEMAND"), "on-demand\n"),
        (json!("SPOT"), "Spot\n"),
        (json!("RESERVED"), "on-demand\n"),
        (json!(null), "on-demand\n"),
        (json!("AUCTION"), "unknown\n"),
    ] {
        assert_eq!(market(managed(option.clone()), "").await, want, "{option}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_described_is_a_gap() {
    let missing = json!({"capacityProviders": [], "failures": [{
        "arn": "arn:aws:ecs:us-west-2:111122223333:capacity-provider/mine", "reason": "MISSING",
    }]});
    let denied = json!({"__type": "AccessDeniedException", "message": "not authorized"});
    let mut text = String::new();
    for answer in [missing, denied, json!({})] {
        text.push_str(&market(answer, "").await);
    }
    expect![[r#"
        unknown
        `ecs:DescribeCapacityProviders` for `demo`: not_found (capacity provider `mine`: MISSING)
        unknown
        `ecs:DescribeCapacityProviders` for `demo`: access_denied (AccessDeniedException: not authorized)
        unknown
        `ecs:DescribeCapacityProviders` for `demo`: unreachable (capacity provider `mine`: the answer has neither it nor a failure for it)
    "#]].assert_eq(&text);
}
