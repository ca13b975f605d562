//! The tasks of a cluster, read from ECS.

use aws_sdk_ecs::types::{DesiredStatus, Task};
use calls::{Deadline, RateBucket};
use model::ClusterName;
use model::snapshot::{Gap, GapCause};
use model::strategy::StrategyItem;
use serde::Serialize;

use crate::aws::Aws;
use crate::error::CliError;
use crate::output::Tone;

/// The most tasks that one DescribeTasks takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
const DESCRIBE_TASKS_MAX: usize = 100;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TaskRow {
    #[serde(rename = "AZ")]
    pub(crate) availability_zone: String,
    pub(crate) capacity_provider: String,
    pub(crate) desired_status: String,
    /// The ARN.
    pub(crate) id: String,
    pub(crate) last_status: String,
    /// `service:` and the service's name, for a service's task.
    pub(crate) group: String,
}

impl TaskRow {
    /// Running, on its way, or about to go.
    pub(crate) fn tone(&self) -> Tone {
        match (self.desired_status.as_str(), self.last_status.as_str()) {
            ("RUNNING", "RUNNING") => Tone::Good,
            ("RUNNING", _) => Tone::Notice,
            _ => Tone::Bad,
        }
    }
}

/// By capacity provider, as the workshop's query has it; then by zone and id, so that the order is always the same.
pub(crate) fn sort(rows: &mut [TaskRow]) {
    rows.sort_by(|a, b| {
        let key = |row: &TaskRow| {
            (
                row.capacity_provider.clone(),
                row.availability_zone.clone(),
                row.id.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
}

/// What the cluster itself says.
#[derive(Debug)]
pub(crate) struct ClusterFacts {
    pub(crate) capacity_providers: Vec<String>,
    pub(crate) default_strategy: Vec<StrategyItem>,
    pub(crate) container_instances: i32,
}

/// Reads the cluster.
pub(crate) async fn describe_cluster(
    aws: &Aws,
    cluster: &ClusterName,
    deadline: Deadline,
) -> Result<ClusterFacts, CliError> {
    let request = aws
        .ecs()
        .describe_clusters()
        .clusters(cluster.as_str())
        .send();
    let answer = aws
        .caller(deadline)
        .call(
            RateBucket::ClusterRead,
            "ecs:DescribeClusters",
            cluster.as_str(),
            request,
        )
        .await
        .map_err(|failure| CliError::Call(failure.gap))?;
    let Some(found) = answer.clusters().first() else {
        let reasons: Vec<&str> = answer
            .failures()
            .iter()
            .filter_map(|it| it.reason())
            .collect();
        return Err(CliError::Call(Gap {
            operation: "ecs:DescribeClusters".to_owned(),
            resource: cluster.to_string(),
            cause: GapCause::NotFound,
            detail: format!(
                "there is no such cluster in this account in `{}`: {}",
                aws.region(),
                reasons.join(", ")
            ),
        }));
    };
    let number = |value: i32| u32::try_from(value).unwrap_or(0);
    let lines = found.default_capacity_provider_strategy();
    Ok(ClusterFacts {
        capacity_providers: found.capacity_providers().to_vec(),
        default_strategy: lines
            .iter()
            .filter_map(|line| {
                Some(StrategyItem {
                    provider: line.capacity_provider().parse().ok()?,
                    base: number(line.base()),
                    weight: number(line.weight()),
                })
            })
            .collect(),
        container_instances: found.registered_container_instances_count(),
    })
}

/// Every task of the cluster that is to run, and those that were told to stop and are still up.
pub(crate) async fn look(
    aws: &Aws,
    cluster: &ClusterName,
    deadline: Deadline,
) -> Result<Vec<TaskRow>, CliError> {
    let caller = aws.caller(deadline);
    let mut arns = Vec::new();
    for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
        let mut token = None;
        loop {
            let request = aws.ecs().list_tasks();
            let request = request
                .cluster(cluster.as_str())
                .desired_status(status.clone())
                .set_next_token(token);
            let page = caller
                .call(
                    RateBucket::ClusterResourceRead,
                    "ecs:ListTasks",
                    cluster.as_str(),
                    request.send(),
                )
                .await
                .map_err(|failure| CliError::Call(failure.gap))?;
            arns.extend(page.task_arns().iter().cloned());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
    }
    arns.sort();
    arns.dedup();
    let mut rows = Vec::new();
    for batch in arns.chunks(DESCRIBE_TASKS_MAX) {
        let request = aws
            .ecs()
            .describe_tasks()
            .cluster(cluster.as_str())
            .set_tasks(Some(batch.to_vec()));
        let answer = caller
            .call(
                RateBucket::ClusterResourceRead,
                "ecs:DescribeTasks",
                cluster.as_str(),
                request.send(),
            )
            .await
            .map_err(|failure| CliError::Call(failure.gap))?;
        // A task that is `MISSING` here ended between the two calls.
        rows.extend(
            answer
                .tasks()
                .iter()
                .filter(|task| task.last_status() != Some("STOPPED"))
                .map(row),
        );
    }
    sort(&mut rows);
    Ok(rows)
}

fn row(task: &Task) -> TaskRow {
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let launch_type = task.launch_type().map(|it| it.as_str().to_owned());
    TaskRow {
        availability_zone: text(task.availability_zone()),
        capacity_provider: task
            .capacity_provider_name()
            .map(ToOwned::to_owned)
            .or(launch_type.map(|it| format!("{it} (launch type)")))
            .unwrap_or_else(|| "-".to_owned()),
        desired_status: text(task.desired_status()),
        id: text(task.task_arn()),
        last_status: text(task.last_status()),
        group: text(task.group()),
    }
}
