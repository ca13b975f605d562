//! How long the containers of a task definition may take to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ContainerDefinition, TaskDefinition};
use calls::RateBucket;
use model::snapshot::{Gap, STOP_TIMEOUT_DEFAULT};
use model::{Seconds, TaskDefinitionArn};

use crate::limits::TASK_DEFINITIONS_KEPT_MAX;
use crate::look::{Look, unreadable};

pub(crate) const DESCRIBE_TASK_DEFINITION: &str = "ecs:DescribeTaskDefinition";

/// What was read of task definitions. A revision never changes, so that it is kept between looks.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    by_arn: Mutex<BTreeMap<TaskDefinitionArn, T>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            by_arn: Mutex::default(),
        }
    }
}

impl<T: Clone> Kept<T> {
    pub(crate) fn get(&self, arn: &TaskDefinitionArn) -> Option<T> {
        let kept = self.by_arn.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(arn).cloned()
    }

    pub(crate) fn keep(&self, arn: &TaskDefinitionArn, read: T) {
        let mut kept = self.by_arn.lock().unwrap_or_else(PoisonError::into_inner);
        // Rarely more than a few are kept; starting over is simpler than knowing which was used last.
        if kept.len() >= TASK_DEFINITIONS_KEPT_MAX {
            kept.clear();
        }
        kept.insert(arn.clone(), read);
    }
}

/// Reads the stop timeouts of these task definitions, or why they are not known. Every one is in the answer.
pub(crate) async fn read(
    look: &mut Look<'_>,
    arns: &BTreeSet<TaskDefinitionArn>,
) -> BTreeMap<TaskDefinitionArn, Result<Seconds, Gap>> {
    let mut stop_timeouts = BTreeMap::new();
    for arn in arns {
        let known = match look.observer.task_definitions.get(arn) {
            Some(known) => Ok(known),
            None => read_one(look, arn).await,
        };
        stop_timeouts.insert(arn.clone(), known);
    }
    stop_timeouts
}

async fn read_one(look: &mut Look<'_>, arn: &TaskDefinitionArn) -> Result<Seconds, Gap> {
    let ecs = &look.observer.ecs;
    let definition = describe(look, ecs, arn).await?;
    let stop_timeout = stop_timeout(definition.container_definitions());
    look.observer.task_definitions.keep(arn, stop_timeout);
    Ok(stop_timeout)
}

/// Describes a task definition.
pub(crate) async fn describe<O>(
    look: &mut Look<'_, O>,
    ecs: &Client,
    arn: &TaskDefinitionArn,
) -> Result<TaskDefinition, Gap> {
    let request = ecs
        .describe_task_definition()
        .task_definition(arn.as_str())
        .send();
    let answer = look
        .call(
            RateBucket::TaskDefinitionRead,
            DESCRIBE_TASK_DEFINITION,
            arn.as_str(),
            request,
        )
        .await?;
    answer.task_definition.ok_or_else(|| {
        let detail = "the answer has no task definition";
        unreadable(DESCRIBE_TASK_DEFINITION, arn.as_str(), detail)
    })
}

/// The smallest stop timeout of the essential containers: when the first of them is gone, so is the task.
fn stop_timeout(containers: &[ContainerDefinition]) -> Seconds {
    let of_essential = containers
        .iter()
        // A container is essential unless it says otherwise.
        .filter(|container| container.essential().unwrap_or(true))
        .map(|container| {
            let secs = container.stop_timeout().map(i64::from);
            secs.map_or(STOP_TIMEOUT_DEFAULT, Seconds)
        });
    of_essential.min().unwrap_or(STOP_TIMEOUT_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_essential_container_to_go_counts() {
        let container = |essential: Option<bool>, secs: Option<i32>| {
            ContainerDefinition::builder()
                .set_essential(essential)
                .set_stop_timeout(secs)
                .build()
        };
        for (containers, want) in [
            (vec![], 30),
            (vec![container(None, None)], 30),
            (vec![container(None, Some(120))], 120),
            (
                vec![container(Some(true), Some(120)), container(None, None)],
                30,
            ),
            (
                vec![
                    container(Some(true), Some(120)),
                    container(Some(false), Some(2)),
                ],
                120,
            ),
        ] {
            assert_eq!(stop_timeout(&containers), Seconds(want), "{containers:?}");
        }
    }
}
