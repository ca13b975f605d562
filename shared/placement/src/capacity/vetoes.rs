//! What forbids removing anything of a provider now.
//!
//! All of it is in the snapshot, and all of it is named at once: a veto is never found while acting, and an operator who lifts one does
//! not find the next one behind it.
//!
//! Absent: what forbids removing one certain instance; see `scale_in`.

use std::collections::BTreeSet;

use model::capacity::hold::Veto;
use model::capacity::{CapacityService, ClusterCapacity, InstanceTask, Provider};
use model::ids::{ContainerInstanceArn, ServiceName};
use model::snapshot::{Gap, TaskStatus};

/// How many of a hundred instances may be unhealthy before nothing is removed any more. Above it the fault is hardly the instances'
/// own, and removing more of them makes it worse. The number is ours; Karpenter's node repair stops at the same share.
/// <https://karpenter.sh/docs/concepts/disruption/#node-auto-repair>
pub const UNHEALTHY_PERCENT_MAX: u32 = 20;

/// The process that ends instances.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html>
const TERMINATE: &str = "Terminate";

/// What the vetoes are asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// The provider, with its group and its gaps.
    pub(crate) provider: &'a Provider,
    /// Its cluster, with its services and its gaps.
    pub(crate) cluster: &'a ClusterCapacity,
    /// The gaps that belong to no single cluster.
    pub(crate) shared_gaps: &'a [Gap],
    /// Whether what was remembered could be read.
    pub(crate) is_memory_known: bool,
    /// The instances in service.
    pub(crate) instances: u32,
    /// How many of these are not healthy: by the group's account or by ECS's, not registered in time, or without their agent for too long.
    pub(crate) unhealthy: u32,
    /// The tasks that are to run and find room neither on ACTIVE instances nor on those on their way.
    pub(crate) tasks_without_room: u32,
    /// The instances on their way in.
    pub(crate) launching: u32,
}

/// Everything that forbids removing an instance now, in the order of [`Veto`]'s variants; empty where nothing does.
pub(crate) fn vetoes(circumstances: &Circumstances<'_>) -> Vec<Veto> {
    let group = &circumstances.provider.group;
    let mut vetoes = Vec::new();
    if group.desired_capacity <= group.min_size {
        vetoes.push(Veto::MinimumSize {
            min: group.min_size,
        });
    }
    if group.suspended_processes.contains(TERMINATE) {
        vetoes.push(Veto::SuspendedProcess {
            name: TERMINATE.to_owned(),
        });
    }
    let deployed = deployed(circumstances).into_iter();
    vetoes.extend(deployed.map(|service| Veto::Deployment { service }));
    vetoes.extend(without_headroom(circumstances));
    if too_many_unhealthy(circumstances.unhealthy, circumstances.instances) {
        vetoes.push(Veto::Unhealthy {
            unhealthy: circumstances.unhealthy,
            of: circumstances.instances,
            allowed_percent: UNHEALTHY_PERCENT_MAX,
        });
    }
    let gaps = gaps(circumstances);
    if !gaps.is_empty() {
        vetoes.push(Veto::Incomplete { gaps });
    }
    if !circumstances.is_memory_known {
        vetoes.push(Veto::MemoryUnavailable);
    }
    if circumstances.tasks_without_room > 0 {
        vetoes.push(Veto::TasksWithoutRoom {
            tasks: circumstances.tasks_without_room,
        });
    }
    if circumstances.launching > 0 {
        vetoes.push(Veto::Launching {
            launching: circumstances.launching,
        });
    }
    vetoes
}

/// Whether more than [`UNHEALTHY_PERCENT_MAX`] of a hundred are not healthy.
fn too_many_unhealthy(unhealthy: u32, of: u32) -> bool {
    u64::from(unhealthy) * 100 > u64::from(of) * u64::from(UNHEALTHY_PERCENT_MAX)
}

/// What keeps the look from being complete for this provider, each gap once, in the order of the gaps.
fn gaps(circumstances: &Circumstances<'_>) -> Vec<Gap> {
    let all = circumstances.shared_gaps.iter();
    let all = all.chain(&circumstances.cluster.gaps);
    let all: BTreeSet<&Gap> = all.chain(&circumstances.provider.gaps).collect();
    all.into_iter().cloned().collect()
}

/// The services that are being deployed and live on the provider: a task of theirs is on one of its instances or was given to it, or
/// a strategy of theirs names it.
fn deployed(circumstances: &Circumstances<'_>) -> Vec<ServiceName> {
    let Circumstances {
        provider, cluster, ..
    } = circumstances;
    let name = &provider.key.provider;
    let here: BTreeSet<&ContainerInstanceArn> = cluster
        .instances
        .values()
        .filter(|it| {
            let in_group = |id| provider.group.instances.contains_key(id);
            it.provider.as_ref() == Some(name) || it.ec2_instance.as_ref().is_some_and(in_group)
        })
        .map(|it| &it.arn)
        .collect();
    let is_here = |task: &&InstanceTask| {
        let on_it = task.instance.as_ref().is_some_and(|it| here.contains(it));
        (on_it || task.provider.as_ref() == Some(name)) && task.last_status != TaskStatus::Stopped
    };
    let with_tasks: BTreeSet<&ServiceName> = cluster
        .tasks
        .iter()
        .filter(is_here)
        .filter_map(|task| task.service.as_ref())
        .collect();
    let names_it = |service: &CapacityService| {
        let of_deployments = service.deployments.iter().flat_map(|it| &it.strategy);
        let mut items = service.strategy.iter().chain(of_deployments);
        items.any(|item| item.provider == *name)
    };
    cluster
        .services
        .values()
        .filter(|it| it.deployment_running())
        .filter(|it| with_tasks.contains(&it.name) || names_it(it))
        .map(|it| it.name.clone())
        .collect()
}

/// The services that may place tasks on the provider and whose headroom is not known.
fn without_headroom(circumstances: &Circumstances<'_>) -> Vec<Veto> {
    let name = &circumstances.provider.key.provider;
    let services = circumstances.cluster.services.values();
    let of = |service: &CapacityService| {
        let faults = service.headroom_tasks.as_ref().err()?;
        let is_here = service.strategy.iter().any(|item| item.provider == *name);
        is_here.then(|| Veto::HeadroomUnknown {
            service: service.name.clone(),
            faults: faults.clone(),
        })
    };
    services.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_may_be_unhealthy_and_no_more() {
        for (unhealthy, of, expected) in [
            (0, 0, false),
            (1, 0, true),
            (0, 4, false),
            (1, 4, true),
            (1, 5, false),
            (2, 9, true),
            (2, 10, false),
            (1_000, 5_000, false),
            (1_001, 5_000, true),
        ] {
            assert_eq!(
                too_many_unhealthy(unhealthy, of),
                expected,
                "{unhealthy} of {of}"
            );
        }
    }
}
