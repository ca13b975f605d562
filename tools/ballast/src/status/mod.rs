//! The status of a cluster: the workshop's two tables, and the pairs between them.

pub(crate) mod instances;
pub(crate) mod pairs;
pub(crate) mod tasks;

use std::collections::BTreeMap;
use std::fmt::Write;

use model::snapshot::Gap;
use model::strategy::StrategyItem;
use model::{ClusterName, Timestamp};
use serde::Serialize;

use crate::output::{Screen, Tone, cell, titled};
use crate::status::instances::InstanceRow;
use crate::status::pairs::ServiceRow;
use crate::status::tasks::TaskRow;

/// A cluster at one time.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    pub(crate) cluster: ClusterName,
    /// AWS's own time.
    pub(crate) taken_at: Timestamp,
    pub(crate) capacity_providers: Vec<String>,
    pub(crate) default_strategy: Vec<StrategyItem>,
    /// By capacity provider, as the workshop sorts them.
    pub(crate) tasks: Vec<TaskRow>,
    pub(crate) services: Vec<ServiceRow>,
    pub(crate) container_instances: Vec<InstanceRow>,
    /// What could not be observed.
    pub(crate) gaps: Vec<Gap>,
}

impl Status {
    /// Everything, as tables.
    pub(crate) fn tables(&self, screen: Screen) -> String {
        let strategy: Vec<String> = self
            .default_strategy
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut text = String::new();
        let heading = format!("Cluster {} at {}", self.cluster, self.taken_at);
        let _ = writeln!(text, "{}", screen.paint(Tone::Strong, &heading));
        let _ = writeln!(
            text,
            "capacity providers: {}; default strategy (base/weight): {}\n",
            or_none(&self.capacity_providers.join(", ")),
            or_none(&strategy.join(", ")),
        );
        text.push_str(&task_table(&self.tasks, screen));
        text.push('\n');
        text.push_str(&provider_table(&self.tasks, screen));
        text.push('\n');
        text.push_str(&pairs::table(&self.services, screen));
        text.push('\n');
        text.push_str(&instances::table(&self.container_instances, screen));
        for gap in &self.gaps {
            let _ = writeln!(text, "\n{} {gap}", screen.paint(Tone::Bad, "not observed:"));
        }
        text
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// The workshop's first table: every task with its capacity provider.
pub(crate) fn task_table(tasks: &[TaskRow], screen: Screen) -> String {
    if tasks.is_empty() {
        return "Tasks: none\n".to_owned();
    }
    let mut table = screen.table(&[
        "AZ",
        "CapacityProvider",
        "DesiredStatus",
        "Id",
        "LastStatus",
    ]);
    for task in tasks {
        // What runs is not worth a colour: what is on its way, or about to go, is to catch the eye.
        let tone = match task.tone() {
            Tone::Good | Tone::Plain | Tone::Strong => Tone::Plain,
            Tone::Notice => Tone::Notice,
            Tone::Bad => Tone::Bad,
        };
        table.add_row(vec![
            cell(tone, &task.availability_zone),
            cell(tone, &task.capacity_provider),
            cell(tone, &task.desired_status),
            cell(tone, &task.id),
            cell(tone, &task.last_status),
        ]);
    }
    titled("Tasks", &table)
}

/// The same, counted.
pub(crate) fn provider_table(tasks: &[TaskRow], screen: Screen) -> String {
    let mut counts: BTreeMap<(&str, &str), [u32; 3]> = BTreeMap::new();
    for task in tasks {
        let [running, starting, leaving] = counts
            .entry((task.group.as_str(), task.capacity_provider.as_str()))
            .or_default();
        *match task.tone() {
            Tone::Good => running,
            Tone::Bad => leaving,
            Tone::Notice | Tone::Plain | Tone::Strong => starting,
        } += 1;
    }
    let mut table = screen.table(&[
        "Group",
        "CapacityProvider",
        "Running",
        "Starting",
        "Leaving",
    ]);
    for ((group, provider), [running, starting, leaving]) in counts {
        table.add_row(vec![
            cell(Tone::Plain, group),
            cell(Tone::Plain, provider),
            cell(Tone::Plain, running),
            cell(
                if starting > 0 {
                    Tone::Notice
                } else {
                    Tone::Plain
                },
                starting,
            ),
            cell(if leaving > 0 { Tone::Bad } else { Tone::Plain }, leaving),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    titled("Tasks by capacity provider", &table)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn row(az: &str, provider: &str, desired: &str, id: u32, last: &str) -> TaskRow {
        TaskRow {
            availability_zone: az.to_owned(),
            capacity_provider: provider.to_owned(),
            desired_status: desired.to_owned(),
            id: format!("arn:aws:ecs:us-west-2:111122223333:task/container-demo/{id:032x}"),
            last_status: last.to_owned(),
            group: "service:web".to_owned(),
        }
    }

    #[test]
    fn a_cluster_while_spot_takes_tasks() {
        let mut tasks = vec![
            row("us-west-2b", "FARGATE_SPOT", "STOPPED", 1, "RUNNING"),
            row("us-west-2a", "FARGATE", "RUNNING", 2, "RUNNING"),
            row("us-west-2c", "FARGATE_SPOT", "RUNNING", 3, "PENDING"),
            row("us-west-2a", "FARGATE_SPOT", "RUNNING", 4, "RUNNING"),
        ];
        tasks::sort(&mut tasks);
        let status = Status {
            cluster: "container-demo".parse().unwrap(),
            taken_at: "2026-03-02T09:10:00Z".parse().unwrap(),
            capacity_providers: vec!["FARGATE".to_owned(), "FARGATE_SPOT".to_owned()],
            default_strategy: vec![StrategyItem {
                provider: "FARGATE".parse().unwrap(),
                base: 1,
                weight: 1,
            }],
            tasks,
            services: Vec::new(),
            container_instances: Vec::new(),
            gaps: Vec::new(),
        };
        expect![[r#"
            Cluster container-demo at 2026-03-02T09:10:00Z
            capacity providers: FARGATE, FARGATE_SPOT; default strategy (base/weight): FARGATE 1/1

            Tasks
            +------------+------------------+---------------+-----------------------------------------------------------------------------------------+------------+
            | AZ         | CapacityProvider | DesiredStatus | Id                                                                                      | LastStatus |
            +======================================================================================================================================================+
            | us-west-2a | FARGATE          | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/00000000000000000000000000000002 | RUNNING    |
            | us-west-2a | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/00000000000000000000000000000004 | RUNNING    |
            | us-west-2b | FARGATE_SPOT     | STOPPED       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/00000000000000000000000000000001 | RUNNING    |
            | us-west-2c | FARGATE_SPOT     | RUNNING       | arn:aws:ecs:us-west-2:111122223333:task/container-demo/00000000000000000000000000000003 | PENDING    |
            +------------+------------------+---------------+-----------------------------------------------------------------------------------------+------------+

            Tasks by capacity provider
            +-------------+------------------+---------+----------+---------+
            | Group       | CapacityProvider | Running | Starting | Leaving |
            +===============================================================+
            | service:web | FARGATE          | 1       | 0        | 0       |
            | service:web | FARGATE_SPOT     | 1       | 1        | 1       |
            +-------------+------------------+---------+----------+---------+

            Services: none

            Container instances: none; the tasks run on Fargate
        "#]].assert_eq(&status.tables(Screen::plain()));
    }
}
