//! The tables of `ballast status`, from the truth of a world.

use model::plan::Counts;
use model::snapshot::TaskStatus;
use model::{ServiceKey, Timestamp};
use world::{State, Task};

use crate::output::{Screen, Tone};
use crate::status::pairs::{self, ServiceRow};
use crate::status::tasks::{TaskRow, sort};
use crate::status::{provider_table, task_table};

/// The task table, the same counted, and the pair.
pub(crate) fn tables(
    title: &str,
    state: &State,
    primary: &ServiceKey,
    standby: &ServiceKey,
    now: Timestamp,
    screen: Screen,
) -> String {
    let mut rows: Vec<TaskRow> = state
        .tasks_of(primary)
        .chain(state.tasks_of(standby))
        .filter(|task| task.last_status != TaskStatus::Stopped)
        .map(row)
        .collect();
    sort(&mut rows);
    let service = service_row(state, primary, standby);
    format!(
        "{}\n{}\n{}\n{}",
        screen.paint(Tone::Strong, &format!("{title}, {}", clock(now))),
        task_table(&rows, screen),
        provider_table(&rows, screen),
        pairs::table(&[service], screen),
    )
}

/// The time of the day, to the second.
pub(crate) fn clock(at: Timestamp) -> String {
    let text = Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string();
    text.split_once('T').map_or(text.clone(), |(_, time)| {
        time.trim_end_matches('Z').to_owned()
    })
}

/// A task as the workshop's first table has it.
pub(crate) fn row(task: &Task) -> TaskRow {
    TaskRow {
        availability_zone: task.zone.clone(),
        capacity_provider: task
            .provider
            .clone()
            .unwrap_or_else(|| task.launch_type.clone()),
        desired_status: if task.desired_running {
            "RUNNING"
        } else {
            "STOPPED"
        }
        .to_owned(),
        id: task.id().to_owned(),
        last_status: task.last_status.as_str().to_owned(),
        group: task.group.clone(),
    }
}

/// The pair, counted on the truth: what starts counts however long it takes.
fn service_row(state: &State, primary: &ServiceKey, standby: &ServiceKey) -> ServiceRow {
    let number = |key: &ServiceKey, wanted: fn(&Task) -> bool| {
        u32::try_from(state.tasks_of(key).filter(|task| wanted(task)).count()).unwrap_or(u32::MAX)
    };
    let ready: fn(&Task) -> bool = |task| task.desired_running && task.serves();
    let desired = |key: &ServiceKey| state.services.get(key).map_or(0, |it| it.desired_count);
    let starting = number(primary, |task| {
        task.is_live() && task.last_status < TaskStatus::Running
    });
    let primary_ready = number(primary, ready);
    let counts = Counts {
        desired: desired(primary),
        ready: primary_ready,
        starting,
        leaving: number(primary, |task| !task.desired_running && task.serves()),
        deficit: desired(primary)
            .saturating_sub(primary_ready)
            .saturating_sub(starting),
        standby_desired: desired(standby),
        standby_ready: number(standby, ready),
    };
    ServiceRow {
        service: primary.service.to_string(),
        standby: Some(standby.service.to_string()),
        counts: Some(counts),
        remark: None,
        gaps: Vec::new(),
    }
}
