//! The workshop's two tables, from the truth of a world: tasks by capacity provider, and container instances with their tasks.

use model::snapshot::TaskStatus;
use model::{ServiceKey, Timestamp};
use world::State;

use crate::lab::tables::{clock, row};
use crate::output::{Screen, Tone};
use crate::status::instances::{InstanceRow, table};
use crate::status::provider_table;
use crate::status::tasks::TaskRow;

/// Tasks counted by provider, and every container instance with its running tasks.
pub(crate) fn tables(
    title: &str,
    state: &State,
    services: &[&ServiceKey],
    now: Timestamp,
    screen: Screen,
) -> String {
    let tasks: Vec<TaskRow> = services
        .iter()
        .flat_map(|key| state.tasks_of(key))
        .filter(|task| task.last_status != TaskStatus::Stopped)
        .map(row)
        .collect();
    format!(
        "{}\n{}\n{}",
        screen.paint(Tone::Strong, &format!("{title}, {}", clock(now))),
        provider_table(&tasks, screen),
        instance_table(state, screen),
    )
}

/// Every container instance with its running tasks.
pub(crate) fn instance_table(state: &State, screen: Screen) -> String {
    let mut instances: Vec<InstanceRow> = state
        .container_instances
        .values()
        .map(|it| InstanceRow {
            capacity_provider: it.provider.clone().unwrap_or_else(|| "-".to_owned()),
            instance_id: it.ec2_instance_id.clone(),
            running_tasks: i32::try_from(it.counts(state).0).unwrap_or(i32::MAX),
            status: it.status.as_str().to_owned(),
        })
        .collect();
    instances.sort();
    table(&instances, screen)
}
