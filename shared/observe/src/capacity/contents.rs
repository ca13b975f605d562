//! What a cluster with an opted-in provider holds, in the order of urgency: what is read last is what the invocation's time runs out for
//! first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::capacity::{ClusterCapacity, InstanceTask, Resources};
use model::snapshot::{Gap, GapCause, Scheduling};
use model::{ContainerInstanceArn, TaskDefinitionArn};

use crate::capacity::clusters::Opened;
use crate::capacity::definition::{self, Definitions};
use crate::capacity::read_task::Seen;
use crate::capacity::tasks::SeenTasks;
use crate::capacity::{Look, activities, instances, protection, services, tasks};

/// Reads everything that a cluster holds.
pub(crate) async fn read(look: &mut Look<'_>, opened: &mut Opened) {
    if look.is_over() {
        opened.capacity.gaps.push(not_read(&opened.capacity));
        return;
    }
    services::read(look, opened).await;
    instances::read(look, &mut opened.capacity).await;
    let mut seen = SeenTasks::new();
    let all_to_run_read = tasks::read(look, opened, &mut seen).await;

    let mut definitions = Definitions::new();
    let mut wanted = of_services(&opened.capacity);
    wanted.extend(of_tasks(&seen));
    definition::read(look, &wanted, &mut definitions).await;
    size(&mut seen, &definitions);

    // Tasks that are to run and were not read would leave every instance unexplained.
    if all_to_run_read {
        tasks::read_stopping(look, opened, &mut seen).await;
        definition::read(look, &of_tasks(&seen), &mut definitions).await;
        size(&mut seen, &definitions);
    }

    let cluster = &mut opened.capacity;
    cluster.tasks = seen.into_values().map(|it| it.task).collect();
    instances::read_more(look, cluster).await;
    for provider in cluster.providers.values_mut() {
        activities::read(look, provider).await;
    }
    mark_daemons(cluster);
    take_interfaces(cluster);
    keep_definitions(cluster, definitions);
    protection::read(look, cluster).await;
    // One call that fails may be asked for again and fail again.
    let gaps: BTreeSet<Gap> = cluster.gaps.drain(..).collect();
    cluster.gaps.extend(gaps);
}

/// The gap of a cluster that no time was left for.
fn not_read(cluster: &ClusterCapacity) -> Gap {
    Gap {
        operation: "ecs:ListServices".to_owned(),
        resource: cluster.cluster.to_string(),
        cause: GapCause::OutOfTime,
        detail: "not sent: the invocation's time ran out".to_owned(),
    }
}

/// What the services' deployments run.
pub(crate) fn of_services(cluster: &ClusterCapacity) -> BTreeSet<TaskDefinitionArn> {
    let deployments = cluster.services.values().flat_map(|it| &it.deployments);
    deployments.map(|it| it.task_definition.clone()).collect()
}

pub(crate) fn of_tasks(seen: &SeenTasks) -> BTreeSet<TaskDefinitionArn> {
    let tasks = seen.values().map(|it| &it.task);
    tasks.map(|task| task.task_definition.clone()).collect()
}

/// Fills in what each task takes, where its definition is known.
pub(crate) fn size(seen: &mut SeenTasks, definitions: &Definitions) {
    for Seen { task, overrides } in seen.values_mut() {
        if let Some(Ok(definition)) = definitions.get(&task.task_definition) {
            task.needs = definition.needs.with(overrides);
        }
    }
}

/// Marks the tasks of services with DAEMON scheduling.
pub(crate) fn mark_daemons(cluster: &mut ClusterCapacity) {
    let services = &cluster.services;
    for task in &mut cluster.tasks {
        let service = task.service.as_ref().and_then(|name| services.get(name));
        if service.is_some_and(|it| it.scheduling == Scheduling::Daemon) {
            task.is_daemon = true;
        }
    }
}

/// Takes the tasks' network interfaces off what is left of their instances: ECS does not count them there.
pub(crate) fn take_interfaces(cluster: &mut ClusterCapacity) {
    let mut taken: BTreeMap<&ContainerInstanceArn, u32> = BTreeMap::new();
    for InstanceTask {
        instance, needs, ..
    } in &cluster.tasks
    {
        if let Some(instance) = instance {
            let sum = taken.entry(instance).or_default();
            *sum = sum.saturating_add(needs.network_interfaces);
        }
    }
    for (arn, network_interfaces) in taken {
        if let Some(instance) = cluster.instances.get_mut(arn) {
            let taken = Resources {
                network_interfaces,
                ..Resources::ZERO
            };
            instance.remaining = instance.remaining.saturating_sub(&taken);
        }
    }
}

/// Keeps what the tasks and services run. A daemon task definition cannot be described like others: its tasks tell what they take.
pub(crate) fn keep_definitions(cluster: &mut ClusterCapacity, definitions: Definitions) {
    for (arn, read) in definitions {
        match read {
            Ok(definition) => {
                let shape = Arc::unwrap_or_clone(definition).shape;
                cluster.task_definitions.insert(arn, shape);
            }
            Err(gap) => cluster.gaps.push(gap),
        }
    }
    for task in &cluster.tasks {
        if definition::is_daemons(&task.task_definition) {
            let shape = cluster
                .task_definitions
                .entry(task.task_definition.clone())
                .or_default();
            shape.needs = task.needs;
        }
    }
}
