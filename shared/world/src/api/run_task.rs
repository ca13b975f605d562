//! RunTask: tasks that belong to no service.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

use model::ClusterName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{PlacementLine, StrategyLine, cluster_name, constraints, epoch, strategy};
use crate::ecs::{Needs, RunSpec};
use crate::error::ApiError;
use crate::split;
use crate::world::World;

/// Tasks of one call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>
const COUNT_MAX: i64 = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunTask {
    cluster: Option<String>,
    task_definition: String,
    count: Option<i64>,
    launch_type: Option<String>,
    #[serde(default)]
    capacity_provider_strategy: Vec<StrategyLine>,
    group: Option<String>,
    started_by: Option<String>,
    #[serde(default)]
    placement_constraints: Vec<PlacementLine>,
    #[serde(default)]
    placement_strategy: Vec<PlacementLine>,
    overrides: Option<Value>,
}

/// What the overrides change about what a task reserves: the task's own sizes, or those of its containers.
fn overridden(needs: &Needs, overrides: Option<&Value>) -> Result<Needs, ApiError> {
    let mut needs = needs.clone();
    let Some(overrides) = overrides else {
        return Ok(needs);
    };
    let wrong = |_| ApiError::client("Invalid 'cpu' or 'memory' override.");
    for (name, slot) in [
        ("cpu", &mut needs.cpu_units),
        ("memory", &mut needs.memory_mib),
    ] {
        if let Some(text) = overrides.get(name).and_then(Value::as_str) {
            *slot = text.parse().map_err(wrong)?;
        }
    }
    let containers = overrides
        .get("containerOverrides")
        .and_then(Value::as_array);
    let sum = |names: [&str; 2]| -> Option<u32> {
        let sizes: Vec<u64> = containers?
            .iter()
            .filter_map(|it| names.iter().find_map(|name| it.get(*name)?.as_u64()))
            .collect();
        let total = (!sizes.is_empty()).then(|| sizes.iter().sum::<u64>())?;
        u32::try_from(total).ok()
    };
    if overrides.get("cpu").is_none() {
        needs.cpu_units = sum(["cpu", "cpu"]).unwrap_or(needs.cpu_units);
    }
    if overrides.get("memory").is_none() {
        needs.memory_mib = sum(["memoryReservation", "memory"]).unwrap_or(needs.memory_mib);
    }
    Ok(needs)
}

impl World {
    pub(super) fn run_task(&mut self, input: &RunTask) -> Result<Value, ApiError> {
        let cluster = cluster_name(input.cluster.as_deref())?;
        let count = input.count.unwrap_or(1);
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(ApiError::invalid_parameter(format!(
                "count must be between 1 and {COUNT_MAX}."
            )));
        }
        let (lines, by_strategy) = self.where_to_run(&cluster, input)?;
        let definition = self.use_task_definition(&input.task_definition);
        let needs = self.needs_for_run(&definition, input)?;
        let family = definition.rsplit('/').next().unwrap_or(&definition);
        let family = family.split(':').next().unwrap_or(family);
        let group = input.group.clone();
        let mut spec = RunSpec {
            cluster: cluster.clone(),
            group: group.unwrap_or_else(|| format!("family:{family}")),
            started_by: input.started_by.clone().unwrap_or_default(),
            task_definition: definition.clone(),
            on: String::new(),
            by_strategy,
            needs,
            constraints: constraints(&input.placement_constraints)?,
            strategy: strategy(&input.placement_strategy)?,
            overrides: input.overrides.clone(),
        };
        let on_instances = lines
            .iter()
            .any(|it| self.uses_instances(&cluster, it, by_strategy));
        let mut instances = self.state.container_instances.values();
        if on_instances && !by_strategy && !instances.any(|it| it.cluster == cluster) {
            return Err(ApiError::invalid_parameter(
                "No Container Instances were found in your cluster.",
            ));
        }
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for on in lines {
            spec.on = on;
            match self.run_one(&spec) {
                Ok(id) => {
                    let task = self.state.tasks.get(&id);
                    tasks.extend(task.map(|it| Value::Object(self.task_json(it, epoch))));
                }
                Err(reasons) if reasons.is_empty() => {
                    let arn = self.provider_arn(&spec.on);
                    failures.push(json!({ "arn": arn, "reason": "RESOURCE:CPU" }));
                }
                Err(reasons) => {
                    failures.extend(reasons.into_iter().map(|(arn, reason)| match arn {
                        Some(arn) => json!({ "arn": arn, "reason": reason }),
                        None => json!({ "reason": reason }),
                    }));
                }
            }
        }
        Ok(json!({ "tasks": tasks, "failures": failures }))
    }

    /// The provider, or the launch type, of each task; and whether they are providers.
    fn where_to_run(
        &self,
        cluster: &ClusterName,
        input: &RunTask,
    ) -> Result<(Vec<String>, bool), ApiError> {
        let known = self.state.clusters.get(cluster);
        let known = known.ok_or_else(ApiError::cluster_not_found)?;
        let count = u32::try_from(input.count.unwrap_or(1)).unwrap_or(1);
        let items = self.strategy(&input.capacity_provider_strategy, &known.providers)?;
        let items = match (&input.launch_type, items.is_empty()) {
            (Some(_), false) => {
                return Err(ApiError::invalid_parameter(
                    "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
                ));
            }
            (Some(launch_type), true) => {
                let count = usize::try_from(count).unwrap_or(1);
                return Ok((vec![launch_type.clone(); count], false));
            }
            (None, false) => items,
            (None, true) => known.default_strategy.clone(),
        };
        if items.is_empty() {
            let count = usize::try_from(count).unwrap_or(1);
            return Ok((vec!["EC2".to_owned(); count], false));
        }
        let mut lines = Vec::new();
        for (item, number) in items.iter().zip(split::split(&items, count)) {
            lines.extend((0..number).map(|_| item.provider.to_string()));
        }
        Ok((lines, true))
    }

    fn needs_for_run(&self, definition: &str, input: &RunTask) -> Result<Needs, ApiError> {
        let known = self.state.task_definitions.get(definition);
        let needs = known.map(|it| it.needs.clone()).unwrap_or_default();
        overridden(&needs, input.overrides.as_ref())
    }
}
