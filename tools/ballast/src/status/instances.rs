//! The container instances of a cluster: the workshop's second table.

use calls::{Deadline, RateBucket};
use model::ClusterName;
use serde::Serialize;

use crate::aws::Aws;
use crate::error::CliError;
use crate::output::{Screen, Tone, cell, titled};

/// The most container instances that one DescribeContainerInstances takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html>
const DESCRIBE_CONTAINER_INSTANCES_MAX: usize = 100;

/// One container instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InstanceRow {
    pub(crate) capacity_provider: String,
    pub(crate) instance_id: String,
    pub(crate) running_tasks: i32,
    pub(crate) status: String,
}

/// Every container instance of the cluster.
pub(crate) async fn look(
    aws: &Aws,
    cluster: &ClusterName,
    deadline: Deadline,
) -> Result<Vec<InstanceRow>, CliError> {
    let caller = aws.caller(deadline);
    let mut arns = Vec::new();
    let mut token = None;
    loop {
        let request = aws
            .ecs()
            .list_container_instances()
            .cluster(cluster.as_str())
            .set_next_token(token);
        let page = caller
            .call(
                RateBucket::ClusterResourceRead,
                "ecs:ListContainerInstances",
                cluster.as_str(),
                request.send(),
            )
            .await
            .map_err(|failure| CliError::Call(failure.gap))?;
        arns.extend(page.container_instance_arns().iter().cloned());
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    let mut rows = Vec::new();
    for batch in arns.chunks(DESCRIBE_CONTAINER_INSTANCES_MAX) {
        let request = aws.ecs().describe_container_instances();
        let request = request
            .cluster(cluster.as_str())
            .set_container_instances(Some(batch.to_vec()));
        let answer = caller
            .call(
                RateBucket::ClusterResourceRead,
                "ecs:DescribeContainerInstances",
                cluster.as_str(),
                request.send(),
            )
            .await
            .map_err(|failure| CliError::Call(failure.gap))?;
        let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
        rows.extend(answer.container_instances().iter().map(|it| InstanceRow {
            capacity_provider: text(it.capacity_provider_name()),
            instance_id: text(it.ec2_instance_id()),
            running_tasks: it.running_tasks_count(),
            status: text(it.status()),
        }));
    }
    rows.sort();
    Ok(rows)
}

/// The workshop's second table.
pub(crate) fn table(rows: &[InstanceRow], screen: Screen) -> String {
    if rows.is_empty() {
        return "Container instances: none; the tasks run on Fargate\n".to_owned();
    }
    let mut table = screen.table(&["CapacityProvider", "InstanceId", "RunningTasks", "Status"]);
    for row in rows {
        // As with tasks, what is on its way out is to catch the eye.
        let tone = match row.status.as_str() {
            "DRAINING" => Tone::Notice,
            "ACTIVE" => Tone::Plain,
            _ => Tone::Bad,
        };
        table.add_row(vec![
            cell(tone, &row.capacity_provider),
            cell(tone, &row.instance_id),
            cell(tone, row.running_tasks),
            cell(tone, &row.status),
        ]);
    }
    titled("Container instances", &table)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_workshops_second_table() {
        let row = |provider: &str, instance: &str, running_tasks| InstanceRow {
            capacity_provider: provider.to_owned(),
            instance_id: instance.to_owned(),
            running_tasks,
            status: "ACTIVE".to_owned(),
        };
        let rows = [
            row("EC2", "i-00000000000000001", 1),
            row("EC2Spot", "i-00000000000000002", 0),
        ];
        expect![[r#"
            Container instances
            +------------------+---------------------+--------------+--------+
            | CapacityProvider | InstanceId          | RunningTasks | Status |
            +================================================================+
            | EC2              | i-00000000000000001 | 1            | ACTIVE |
            | EC2Spot          | i-00000000000000002 | 0            | ACTIVE |
            +------------------+---------------------+--------------+--------+
        "#]]
        .assert_eq(&table(&rows, Screen::plain()));
        expect![[r#"
            Container instances: none; the tasks run on Fargate
        "#]]
        .assert_eq(&table(&[], Screen::plain()));
    }
}
