//! The workshop's chapter on Fargate, with the AWS CLI.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::judge::{ask, bash, face, programs_with, published};

const CREATE_SERVICE: &str = "aws ecs create-service --cluster container-demo --service-name web \
     --task-definition web:1 --desired-count 10 --output json";

/// Long enough for ten tasks to start.
const START_UP_SECS: u32 = 300;

/// The code blocks of a document, in order.
pub(crate) fn code_blocks(document: &str) -> impl Iterator<Item = &str> {
    document.split("```").skip(1).step_by(2)
}

/// The rows of a table of the AWS CLI with this title, each by its columns' names.
pub(crate) fn rows(table: &str, wanted: &str) -> Vec<BTreeMap<String, String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let mut lines = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(cells);
    let title = lines.next().unwrap();
    assert_eq!(title, [wanted]);
    let names = lines.next().unwrap();
    lines
        .map(|values| names.iter().cloned().zip(values).collect())
        .collect()
}

#[tokio::test]
async fn the_workshops_own_commands_show_three_and_seven() {
    let Some(programs) = programs_with("aws") else {
        return;
    };
    let Some(workshop) = published("seeds", "000") else {
        return;
    };
    let command = |start: &str| -> &str {
        code_blocks(&workshop)
            .find(|block| block.trim_start().starts_with(start))
            .unwrap_or_else(|| panic!("the workshop has no `{start}`"))
    };
    let face = face().await;

    bash(
        &face,
        &programs,
        command("aws ecs put-cluster-capacity-providers"),
    )
    .await;
    bash(&face, &programs, CREATE_SERVICE).await;
    face.with_world(|world| world.advance_secs(START_UP_SECS));
    let table = bash(&face, &programs, command("aws ecs describe-tasks")).await;

    let rows = rows(&table, "DescribeTasks");
    let providers: Vec<&str> = rows
        .iter()
        .map(|row| row["CapacityProvider"].as_str())
        .collect();
    let wanted = [["FARGATE"; 3].as_slice(), &["FARGATE_SPOT"; 7]].concat();
    assert_eq!(providers, wanted, "{table}");
    for row in &rows {
        assert_eq!(row["LastStatus"], "RUNNING", "{table}");
        assert_eq!(row["DesiredStatus"], "RUNNING", "{table}");
        assert!(
            row["Id"].starts_with("arn:aws:ecs:us-west-2:111122223333:task/"),
            "{table}"
        );
        assert!(row["AZ"].starts_with("us-west-2"), "{table}");
    }
    let zones: BTreeSet<&str> = rows.iter().map(|row| row["AZ"].as_str()).collect();
    assert_eq!(zones.len(), 3, "{table}");
    let ids: BTreeSet<&str> = rows.iter().map(|row| row["Id"].as_str()).collect();
    assert_eq!(ids.len(), 10, "{table}");

    let calls = face.calls();
    assert_eq!(calls["ecs:PutClusterCapacityProviders"], 1);
    assert_eq!(calls["ecs:ListTasks"], 1);
    assert_eq!(calls["ecs:DescribeTasks"], 1);
}

#[tokio::test]
async fn a_service_is_made_watched_scaled_and_deleted() {
    let Some(programs) = programs_with("aws") else {
        return;
    };
    let face = face().await;
    let json = async |command: &str| -> Value {
        serde_json::from_str(&bash(&face, &programs, command).await).unwrap()
    };

    let caller = json("aws sts get-caller-identity").await;
    assert_eq!(caller["Account"], "111122223333");

    json(
        "aws ecs put-cluster-capacity-providers --cluster container-demo \
         --capacity-providers FARGATE FARGATE_SPOT \
         --default-capacity-provider-strategy capacityProvider=FARGATE,base=1,weight=1 capacityProvider=FARGATE_SPOT,weight=4",
    )
    .await;
    let made = json(CREATE_SERVICE).await;
    assert_eq!(made["service"]["status"], "ACTIVE");
    face.with_world(|world| world.advance_secs(START_UP_SECS));

    let counts = "aws ecs describe-services --cluster container-demo --services web \
         --query 'services[0].[desiredCount,runningCount,pendingCount]' --output text";
    assert_eq!(bash(&face, &programs, counts).await, "10\t10\t0\n");

    // The waiter polls by host time, and is content at once.
    bash(
        &face,
        &programs,
        "aws ecs wait services-stable --cluster container-demo --services web",
    )
    .await;

    let page = "aws ecs list-tasks --cluster container-demo --service-name web --page-size 3 --query 'length(taskArns)' --output json";
    assert_eq!(bash(&face, &programs, page).await, "10\n");

    json("aws ecs update-service --cluster container-demo --service web --desired-count 2").await;
    face.with_world(|world| world.advance_secs(START_UP_SECS));
    assert_eq!(bash(&face, &programs, counts).await, "2\t2\t0\n");

    json("aws ecs delete-service --cluster container-demo --service web --force").await;
    face.with_world(|world| world.advance_secs(START_UP_SECS));
    let status = "aws ecs describe-services --cluster container-demo --services web --query 'services[0].status' --output text";
    assert_eq!(bash(&face, &programs, status).await, "INACTIVE\n");
}

#[tokio::test]
async fn errors_reach_the_user_of_the_cli_in_awss_words() {
    let Some(programs) = programs_with("aws") else {
        return;
    };
    let face = face().await;
    for (command, words) in [
        (
            "aws ecs list-services --cluster nowhere",
            "An error occurred (ClusterNotFoundException) when calling the ListServices operation: Cluster not found.",
        ),
        (
            "aws ecs update-service --cluster container-demo --service web --desired-count 1",
            "An error occurred (ServiceNotFoundException) when calling the UpdateService operation",
        ),
        (
            "aws ecs list-task-definitions",
            "An error occurred (UnknownOperationException) when calling the ListTaskDefinitions operation: this world does not answer",
        ),
        (
            "aws autoscaling describe-warm-pool --auto-scaling-group-name nobody",
            "An error occurred (ValidationError) when calling the DescribeWarmPool operation",
        ),
        (
            "aws autoscaling describe-traffic-sources --auto-scaling-group-name nobody",
            "An error occurred (InvalidAction) when calling the DescribeTrafficSources operation",
        ),
    ] {
        let output = ask(&face, &programs, "bash", &["-c", command]).await;
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{command}");
        assert!(message.contains(words), "{command}: {message}");
    }
}
